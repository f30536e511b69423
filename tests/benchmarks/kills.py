"""Kill part of the grading at a random moment, run the command again: ``python -m tests.benchmarks.kills [ROUNDS]``.

A small class is graded by two workers. Each round kills, with SIGKILL and without warning, the sandbox of one worker,
one worker of a cluster, the cluster's scheduler or the coordinator, at a moment drawn over the run's duration, and then
runs the command again. Every verdict and every score must be the undisturbed run's, nothing that was recorded may be
graded again, and no process may survive.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from autograde import gradebook
from autograde.cluster import certificates
from autograde.grading import attempts
from autograde.grading.course import Course
from autograde.grading.seeds import course_secret
from tests.grading.notebooks import ASSIGNMENT, ROOT
from tests.grading.small_class import small_class

STUDENTS = 8
KINDS = ("sandbox", "worker", "scheduler", "coordinator")
CLUSTER = ("worker", "scheduler")
GOES_ON = ("sandbox", "worker")  # without which the command still ends well
SUBREAPER = 36
ENDED_S = 60


class Grading:
    """One run of the command: two workers of its own, or those of a scheduler that was started for it."""

    def __init__(self, course: Course, port: int | None) -> None:
        grade = ["autograde", "grade", ASSIGNMENT, "--course", str(course.root), "--workers", "2", "--json"]
        self.lines, self.servers = course.root / "lines", []
        if port:
            tls, address = ["--tls", str(course.root / "tls")], f"tls://127.0.0.1:{port}"
            self.servers = [started("autograde.cluster.scheduler", *tls, "--host", address)]
            self.servers += [started("autograde.cluster.worker", address, *tls) for _ in range(2)]
            grade += ["--scheduler", address, *tls]
        self.coordinator = started(*grade, lines=self.lines)

    def graded(self) -> list[str]:
        """The students in the lines that the command said so far."""
        return [json.loads(line)["student"] for line in self.lines.read_text().splitlines()]

    def wait_for(self, count: int) -> None:
        while self.coordinator.poll() is None and len(self.graded()) < count:
            time.sleep(0.02)

    def victim(self, kind: str, draw: random.Random) -> psutil.Process:
        """The process to kill; a worker or a sandbox is waited for, if there is none yet.

        Raises:
            psutil.NoSuchProcess: the command has ended.
        """
        if kind == "scheduler":
            return psutil.Process(self.servers[0].pid)
        while kind in GOES_ON and self.coordinator.poll() is None:
            found = list(self.workers() if kind == "worker" else self.sandboxes())
            if found:
                return draw.choice(found)
            time.sleep(0.02)
        return psutil.Process(self.coordinator.pid)

    def workers(self) -> Iterator[psutil.Process]:
        """What works, below what looks after it."""
        for server in self.servers[1:]:
            for child in psutil.Process(server.pid).children():
                if "spawn_main" in " ".join(child.cmdline()):
                    yield child

    def sandboxes(self) -> Iterator[psutil.Process]:
        for child in psutil.Process(self.coordinator.pid).children():
            if "bwrap" in child.name():
                yield child

    def end(self) -> int:
        """Wait for the command, and kill what was started for it; returns its status.

        A worker that is just being started anew would take minutes to end by itself once its scheduler is gone.
        """
        status = self.coordinator.wait(timeout=300)
        for process in self.servers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=ENDED_S)
        return status


def started(module: str, *arguments: str, lines: Path | None = None) -> subprocess.Popen:
    with (lines or Path(os.devnull)).open("w") as out:
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.DEVNULL, start_new_session=True)


class Rounds:
    """A class that is copied for each round, with what the undisturbed run made of it and how long that took."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count, self.said = folder, 0, ""
        self.template = small_class(Course(folder / "template"), STUDENTS)
        course_secret(self.template.secret)
        certificates.make(self.template.root / "tls")
        course, began = self._copy(), time.monotonic()
        undisturbed = Grading(course, None)
        undisturbed.wait_for(1)
        self.to_first = time.monotonic() - began
        assert undisturbed.end() == 0 and len(undisturbed.graded()) == STUDENTS
        self.to_next = (time.monotonic() - began - self.to_first) / STUDENTS
        self.expected = outcome(course)

    def _copy(self) -> Course:
        self.count += 1
        return Course(Path(shutil.copytree(self.template.root, self.folder / str(self.count))))

    def kill(self, kind: str, draw: random.Random) -> None:
        """One round; an AssertionError says what did not hold.

        The moment lies somewhere between two submissions, drawn so that a slow start draws no more of them than one.
        """
        course, port = self._copy(), free_port() if kind in CLUSTER else None
        before = set(psutil.Process().children(recursive=True))
        with reaper():
            grading, count = Grading(course, port), draw.randrange(STUDENTS)
            grading.wait_for(count)
            time.sleep(draw.uniform(0, self.to_next if count else self.to_first))
            count = len(grading.graded())
            with contextlib.suppress(psutil.NoSuchProcess):
                grading.victim(kind, draw).kill()
            status, first = grading.end(), grading.graded()
            assert kind not in GOES_ON or (status, len(first)) == (0, STUDENTS), f"a {kind}'s death ended it: {status}"
            assert not survivors(before), f"still there after the {kind} was killed: {survivors(before)}"
            again = Grading(course, port)
            assert again.end() == 0, "the same command failed"
            assert not set(first) & set(again.graded()), f"graded twice: {set(first) & set(again.graded())}"
            assert outcome(course) == self.expected
            assert not survivors(before), f"still there at the end: {survivors(before)}"
        self.said = f"{kind} killed after {count} of {STUDENTS}: ended with {status}, then graded {len(again.graded())}"


def outcome(course: Course) -> dict[str, tuple]:
    """Each student's score in the gradebook and verdicts in the one record of an attempt."""
    scores, found = gradebook.scores(course, ASSIGNMENT), {}
    assert sorted(scores) == course.students(ASSIGNMENT)
    for student in scores:
        records = list(attempts.folder(course, student, ASSIGNMENT).glob("*.json"))
        assert len(records) == 1, f"{student}: {len(records)} records"
        record = json.loads(records[0].read_text())
        assert record["recorded"]
        verdicts = {name: (v["points"], v["reason"], v["message"]) for name, v in record["verdicts"].items()}
        found[student] = scores[student]["score"], verdicts
    return found


@contextlib.contextmanager
def reaper() -> Iterator[None]:
    """Within it, a process whose parent was killed becomes a child of this one, so that none can hide."""
    libc = ctypes.CDLL(None)
    libc.prctl(SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(SUBREAPER, 0, 0, 0, 0)


def survivors(before: set[psutil.Process], seconds: float = ENDED_S) -> list[psutil.Process]:
    """What is still there that was not there before; it is given some time to end."""
    left = [process for process in psutil.Process().children(recursive=True) if process not in before]
    return psutil.wait_procs(left, timeout=seconds)[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def main(count: int) -> None:
    draw = random.Random(count)
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        rounds = Rounds(Path(folder))
        print(
            f"undisturbed: the first after {rounds.to_first:.1f} s, the others {rounds.to_next:.2f} s each", flush=True
        )
        for number in range(count):
            began = time.monotonic()
            rounds.kill(KINDS[number % len(KINDS)], draw)
            print(f"{number + 1}: {rounds.said}; as undisturbed ({time.monotonic() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else len(KINDS))
