"""The recipe for Kubernetes: the manifest is well formed, agrees with itself and the image, and its commands grade."""

from __future__ import annotations

import copy
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from autograde import commands, gradebook
from autograde.cluster import certificates
from autograde.grading.course import Course
from tests.benchmarks.kills import free_port
from tests.cluster.machines import running, wait_for
from tests.grading.notebooks import ASSIGNMENT, ROOT
from tests.grading.small_class import small_class

HOME = ROOT / "autograde/cluster"
DOCKERFILE = (HOME / "Dockerfile").read_text()
TEXT = (HOME / "kubernetes.yaml").read_text()
PARTS = {(part["kind"], part["metadata"]["name"]): part for part in yaml.safe_load_all(TEXT)}
VERSIONS = ("1.33", "1.36")


def pod(name: str) -> dict:
    return PARTS["Deployment", name]["spec"]["template"]["spec"]


def command(name: str) -> list[str]:
    return pod(name)["containers"][0]["command"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("key", PARTS, ids="-".join)
def test_the_manifest_is_what_kubernetes_takes(key: tuple[str, str], version: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    kubernetes_validate.validate(PARTS[key], version, strict=True)


def test_a_misspelt_field_would_be_noticed() -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    wrong = copy.deepcopy(PARTS["Deployment", "worker"])
    wrong["spec"]["template"]["spec"]["hostUser"] = False
    with pytest.raises(kubernetes_validate.ValidationError, match="hostUser"):
        kubernetes_validate.validate(wrong, VERSIONS[0], strict=True)


def test_the_parts_find_each_other() -> None:
    service = PARTS["Service", "scheduler"]
    for name in ("scheduler", "worker"):
        deployment = PARTS["Deployment", name]["spec"]
        labels = deployment["template"]["metadata"]["labels"]
        assert deployment["selector"]["matchLabels"] == labels == {"app": "unrolled", "part": name}
        mounts = {mount["name"]: mount["mountPath"] for mount in pod(name)["containers"][0]["volumeMounts"]}
        assert command(name)[command(name).index("--tls") + 1] == mounts["tls"]
        assert pod(name)["volumes"][0]["secret"]["secretName"] == re.findall(r"secret tls (\S+)", TEXT)[0]
    port = service["spec"]["ports"][0]["port"]
    assert service["spec"]["selector"] == PARTS["Deployment", "scheduler"]["spec"]["selector"]["matchLabels"]
    assert pod("scheduler")["containers"][0]["ports"] == [{"containerPort": port}]
    assert command("scheduler")[-1] == str(port)
    assert f"tls://{service['metadata']['name']}:{port}" in command("worker")
    assert (certificates.CERTIFICATE, certificates.KEY) == ("tls.crt", "tls.key")  # a secret of type tls names them so


def test_a_worker_has_what_bubblewrap_needs_and_no_more() -> None:
    assert pod("worker")["hostUsers"] is False
    for name in ("scheduler", "worker"):
        context = pod(name)["containers"][0]["securityContext"]
        assert context["capabilities"] == {"drop": ["ALL"]} and context["allowPrivilegeEscalation"] is False
        assert pod(name)["securityContext"]["runAsNonRoot"] and pod(name)["automountServiceAccountToken"] is False
    context, unconfined = pod("worker")["containers"][0]["securityContext"], {"type": "Unconfined"}
    assert context["procMount"] == "Unmasked"
    assert context["seccompProfile"] == context["appArmorProfile"] == unconfined
    assert pod("scheduler")["containers"][0]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_the_image_is_for_this_project() -> None:
    version = re.search(r"^FROM python:(\d+)\.(\d+)", DOCKERFILE, re.MULTILINE)
    least = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert version and f">={version[1]}.{version[2]}" >= least
    assert re.search(r"install .*\bbubblewrap\b", DOCKERFILE)
    user = pod("worker")["securityContext"]
    assert re.search(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)[1] == f"{user['runAsUser']}:{user['runAsGroup']}"


def image(folder: Path) -> Path:
    """The folder that the Dockerfile's COPY lines make."""
    for line in re.findall(r"^COPY (.+)", DOCKERFILE, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            into = folder / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, into)
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, into)
    return folder


@pytest.mark.sandbox
@pytest.mark.slow
def test_the_manifests_commands_grade_from_an_image_without_answers(tmp_path: Path) -> None:
    made = image(tmp_path / "image")
    held = {path.name for path in made.rglob("*")}
    assert not held & {"solutions", "exercises", "course", "recurrent_neurons.py"}
    certificates.make(tmp_path / "tls")
    port = str(free_port())
    words = {"python": sys.executable, "/tls": str(tmp_path / "tls"), "8786": port}
    words["tls://scheduler:8786"] = f"tls://127.0.0.1:{port}"
    here = [[words.get(word, word) for word in command(name)] for name in ("scheduler", "worker")]
    course = small_class(Course(tmp_path / "course"), 3)
    with running(*here, folder=made):
        wait_for(int(port))
        grade = ["grade", ASSIGNMENT, "--course", str(course.root), "--scheduler", f"tls://127.0.0.1:{port}"]
        assert commands.main([*grade, "--tls", str(tmp_path / "tls")]) == 0
    assert [score["score"] for _, score in sorted(gradebook.scores(course, ASSIGNMENT).items())] == [0, 3, 6]
