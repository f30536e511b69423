"""Slurm starts the workers: a class is graded by its jobs, one that ends loses nothing, and none is left behind.

It runs where Slurm answers and this machine is its node, for the folder that all nodes see is then any folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograde import commands, gradebook
from autograde.grading.course import Course
from tests.grading.notebooks import ASSIGNMENT, ROOT
from tests.grading.small_class import small_class


def nodes() -> str:
    """The nodes that Slurm knows, or nothing where it does not answer."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        asked = ["sinfo", "--noheader", "--format=%N"]
        return subprocess.run(asked, capture_output=True, text=True, timeout=20).stdout.strip()
    return ""


pytest.importorskip("dask_jobqueue")
pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.slow,
    pytest.mark.skipif(nodes() != socket.gethostname().split(".")[0], reason="no Slurm whose node is this machine"),
]
START_S = 120


class Started:
    """The command, with the lines that it says as they come."""

    def __init__(self, shared: Path, *arguments: str, path: str | None = None) -> None:
        command = [sys.executable, "-m", "autograde.cluster.slurm", "--shared", str(shared), "--memory", "2GB"]
        environment = {**os.environ, "PATH": path or os.environ["PATH"], "PYTHONUNBUFFERED": "1"}
        said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self.process = subprocess.Popen([*command, *arguments], cwd=ROOT, env=environment, **said)
        self.lines: list[str] = []
        threading.Thread(target=lambda: self.lines.extend(iter(self.process.stdout.readline, "")), daemon=True).start()

    def said(self, pattern: str) -> re.Match:
        """Wait for a line."""
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            for line in list(self.lines):
                found = re.search(pattern, line)
                if found:
                    return found
            time.sleep(0.2)
        raise AssertionError(f"it did not say {pattern!r} but: {self.lines}")


@contextlib.contextmanager
def started(*arguments: object, **more: str) -> Iterator[Started]:
    """The command until the end of the context, which is Ctrl-C; then nothing of it is left."""
    command = Started(*arguments, **more)  # type: ignore[arg-type]
    try:
        yield command
    finally:
        command.process.send_signal(signal.SIGINT)
        command.process.wait(timeout=60)
    until = time.monotonic() + 60
    while jobs() and time.monotonic() < until:
        time.sleep(0.5)
    assert not jobs()


def jobs() -> list[str]:
    done = subprocess.run(["squeue", "--noheader", "--name=unrolled", "--format=%i"], capture_output=True, text=True)
    return done.stdout.split()


def test_a_class_is_graded_by_jobs_and_one_that_ends_loses_nothing(tmp_path: Path) -> None:
    course = small_class(Course(tmp_path / "course"), 6)
    with started(tmp_path / "shared", "--jobs", "2") as command:
        address = command.said(r"The scheduler is (tls://\S+)\. ")[1]
        command.said("2 of 2 workers")
        killer = threading.Timer(4, lambda: subprocess.run(["scancel", jobs()[0]], check=True))
        killer.start()
        grade = ["grade", ASSIGNMENT, "--course", str(course.root), "--scheduler", address]
        assert commands.main([*grade, "--tls", str(tmp_path / "shared")]) == 0
        killer.join()
        command.said("1 of 2 workers")
    scores = gradebook.scores(course, ASSIGNMENT)
    assert [scores[student]["score"] for student in sorted(scores)] == [0, 3, 6, 9, 8, 11]


def test_workers_without_a_sandbox_are_told_of(tmp_path: Path) -> None:
    for name in ("bash", "sbatch", "scancel"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    with started(tmp_path / "shared", "--jobs", "1", path=str(tmp_path)) as command:
        command.said(r"no worker on .*bubblewrap \(bwrap\) is not installed")
        assert "0 of 1 workers are here\n" in command.lines


def test_what_slurm_refuses_is_said_at_once(tmp_path: Path) -> None:
    command = Started(tmp_path / "shared", "--queue", "no-such-queue")
    assert command.process.wait(timeout=START_S) == 1
    command.said("no-such-queue")
