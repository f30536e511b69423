"""A cluster over machines speaks TLS alone, and only with who holds its certificate; a worker needs a sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed.security import Security

from autograde import commands
from autograde.cluster import certificates
from autograde.grading.pool import NoWorkers, Pool
from tests.benchmarks.kills import free_port
from tests.cluster.machines import running, wait_for
from tests.grading.notebooks import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("tls") / "ours"
    certificates.make(made)
    return made


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    """A scheduler of ours, and where it listens."""
    port = free_port()
    scheduler = [sys.executable, "-m", "autograde.cluster.scheduler", "--tls", str(folder)]
    with running([*scheduler, "--host", f"tls://127.0.0.1:{port}"]):
        wait_for(port)
        yield port


def another(tmp_path: Path) -> Security:
    certificates.make(tmp_path)
    return certificates.security(tmp_path)


def test_the_key_is_its_owners_alone_and_is_never_overwritten(folder: Path) -> None:
    assert (folder / certificates.KEY).stat().st_mode & 0o077 == 0
    before = (folder / certificates.KEY).read_text()
    with pytest.raises(FileExistsError):
        certificates.make(folder)
    assert (folder / certificates.KEY).read_text() == before


def test_who_holds_the_certificate_is_let_in(port: int, folder: Path) -> None:
    with Pool(1, f"tls://127.0.0.1:{port}", certificates.security(folder)) as pool:
        assert pool.client.scheduler_info()["address"] == f"tls://127.0.0.1:{port}"


def test_who_holds_another_is_turned_away(port: int, tmp_path: Path) -> None:
    with pytest.raises(NoWorkers, match="certificate"), Pool(1, f"tls://127.0.0.1:{port}", another(tmp_path)):
        pass


def test_who_does_not_encrypt_is_turned_away(port: int) -> None:
    with pytest.raises(NoWorkers, match="no scheduler answers"), Pool(1, f"tcp://127.0.0.1:{port}"):
        pass


@pytest.mark.parametrize(
    ("address", "certified", "words"),
    [
        ("tls://127.0.0.1:8786", False, "goes with the cluster's certificate"),
        ("tcp://127.0.0.1:8786", True, "goes with the cluster's certificate"),
        ("127.0.0.1:8786", False, "expected tls://HOST:PORT"),
        ("tls://127.0.0.1", True, "expected tls://HOST:PORT"),
    ],
)
def test_an_address_that_cannot_be_right_is_said(folder: Path, address: str, certified: bool, words: str) -> None:
    security = certificates.security(folder) if certified else None
    with pytest.raises(NoWorkers, match=words), Pool(1, address, security):
        pass


def test_a_certificate_without_a_scheduler_is_a_mistake(capsys: pytest.CaptureFixture) -> None:
    assert commands.main(["grade", "--tls", "somewhere"]) == 1
    assert "--scheduler" in capsys.readouterr().err


def test_a_worker_refuses_where_nothing_confines_student_code(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "autograde.cluster.worker", "tls://127.0.0.1:9", "--tls", str(folder)]
    environment = {**os.environ, "PATH": str(tmp_path)}  # holds no bwrap
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith("no worker on") and "bubblewrap (bwrap) is not installed" in done.stderr
