"""Whatever is killed, and whenever: the same command does the rest, nothing is lost, nothing is graded twice."""

from __future__ import annotations

import random
import subprocess

import psutil
import pytest

from tests.benchmarks.kills import KINDS, Rounds, reaper, survivors

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def rounds(tmp_path_factory: pytest.TempPathFactory) -> Rounds:
    return Rounds(tmp_path_factory.mktemp("kills"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_command_does_the_rest_after_a_kill(rounds: Rounds, kind: str) -> None:
    rounds.kill(kind, random.Random(f"kill the {kind}"))


def test_a_process_that_outlives_its_parent_would_be_noticed() -> None:
    before = set(psutil.Process().children(recursive=True))
    with reaper():
        subprocess.run(["/bin/sh", "-c", "sleep 600 &"], check=True)
        left = survivors(before, seconds=0.5)
        assert [process.name() for process in left] == ["sleep"]
        left[0].kill()
        assert not survivors(before)
