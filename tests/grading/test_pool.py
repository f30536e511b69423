"""Many workers: one that dies loses nothing, a poison job is given up, a killed run goes on where it stopped."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from distributed import LocalCluster

from autograde import commands, gradebook
from autograde.grading import attempts
from autograde.grading.course import Course
from autograde.grading.jobs import Done, Job, perform
from autograde.grading.pool import NoWorkers, Pool
from autograde.grading.rooms import ROOMS
from autograde.grading.sandbox import Limits
from autograde.grading.submission import Work, conclude, prepare
from autograde.sample_class import hostile, replaced
from tests.grading.notebooks import ASSIGNMENT, ROOT, hand_in, light, release, solved

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(900)]
STUDENTS = 12


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A dozen submissions, each with another number of right answers, one of them hostile."""
    made = release(Course(tmp_path_factory.mktemp("course")))
    right, blank = light(solved(made)), made.read_release(ASSIGNMENT)
    for number in range(STUDENTS - 1):
        notebook = right if number % 2 else replaced(right, "rnn_step", f"answer = {number}")
        hand_in(made, f"s{number:02}", notebook)
    hand_in(made, "killer", replaced(blank, "neuron_step", hostile("neuron_step")["kills-its-kernel"]))
    return made


@pytest.fixture(scope="module")
def undisturbed(course: Course) -> dict[str, dict]:
    """Every verdict as it comes without a pool."""
    return {student: verdicts(conclude(work, perform(work.job))) for student, work in all_works(course)}  # type: ignore[arg-type]


def all_works(course: Course) -> Iterator[tuple[str, Work]]:
    for student in course.students(ASSIGNMENT):
        yield student, prepare(course, student, ASSIGNMENT)


def verdicts(graded) -> dict:
    return {name: (v["points"], v["reason"], v["message"]) for name, v in graded.verdicts.items()}


def graded_by(pool: Pool, course: Course, after=lambda count: None) -> dict[str, dict]:
    found = {}
    for work, done in pool.perform(work for _, work in all_works(course)):
        assert work.student not in found, "graded twice"
        found[work.student] = verdicts(conclude(work, done))
        after(len(found))
    return found


def worker_processes(pool: Pool) -> list[int]:
    return [worker["pid"] for worker in pool.client.run(lambda: {"pid": os.getpid()}).values()]


@pytest.fixture(params=("threads", "processes"))
def kind(request: pytest.FixtureRequest) -> str:
    """Two workers as they are here, and as they are where there are many."""
    if request.param == "processes":
        request.getfixturevalue("processes")
    return request.param


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autograde.grading.pool.AS_THREADS", 0)


def test_two_workers_give_the_same_verdicts_as_none(course: Course, undisturbed: dict, kind: str) -> None:
    with Pool(2) as pool:
        apart = {os.getpid()} != set(worker_processes(pool))
        assert apart is (kind == "processes")
        assert graded_by(pool, course) == undisturbed


def test_the_sandbox_of_a_worker_that_is_a_thread_may_be_killed(course: Course, undisturbed: dict) -> None:
    with Pool(2) as pool:

        def kill(count: int) -> None:
            if count in (2, 5, 8):
                random.Random(count).choice(ROOMS.all).end()

        assert graded_by(pool, course, kill) == undisturbed
    assert not ROOMS.all


def test_workers_know_no_answers() -> None:
    code = "import sys, autograde.grading.jobs\nprint([n for n in sys.modules if 'exercises' in n or 'solutions' in n])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.strip() == "[]"


def test_a_worker_that_is_killed_loses_nothing(course: Course, undisturbed: dict, processes: None) -> None:
    draw = random.Random(7)
    with Pool(2) as pool:

        def kill(count: int) -> None:
            if count in (2, 5, 8):
                os.kill(draw.choice(worker_processes(pool)), signal.SIGKILL)

        assert graded_by(pool, course, kill) == undisturbed


def test_any_scheduler_will_do(course: Course, undisturbed: dict) -> None:
    options = {"n_workers": 2, "threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": None}
    with LocalCluster(**options) as cluster, Pool(1, cluster.scheduler_address) as pool:
        assert graded_by(pool, course) == undisturbed


def test_a_scheduler_that_is_not_there_is_said() -> None:
    with pytest.raises(NoWorkers, match="no scheduler answers at tcp://127.0.0.1:9"), Pool(1, "tcp://127.0.0.1:9"):
        pass


def poison(job) -> Done:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_job_that_kills_its_workers_is_given_up_and_the_rest_goes_on(
    course: Course, undisturbed: dict, processes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, dict] = {}
    for _ in range(3):  # a very busy machine may lose its scheduler, and says so; the next run begins again
        with Pool(2) as pool, contextlib.suppress(NoWorkers):
            submit = pool.client.submit

            def poisoned(work, job, *, key, submit=submit, **more):
                mine = any(cell.source == "answer = 4" for cell in job.cells)
                return submit(poison if mine else work, job, key=key, **more)

            monkeypatch.setattr(pool.client, "submit", poisoned)
            found = graded_by(pool, course)
            assert pool.given_up == 1
            break
    assert {v[1] for v in found.pop("s04").values()} == {"dead"}
    assert found == {student: kept for student, kept in undisturbed.items() if student != "s04"}


def test_no_more_is_prepared_than_is_needed(course: Course) -> None:
    prepared, most = 0, 0

    def counted() -> Iterator[Work]:
        nonlocal prepared
        for _, work in all_works(course):
            prepared += 1
            yield work

    with Pool(2) as pool:
        for count, _ in enumerate(pool.perform(counted())):
            most = max(most, prepared - count)
    assert most <= 2 * 2 + 1


def test_no_job_is_kept_once_it_is_done(kind: str) -> None:
    """Sixty jobs of 0.9 MiB each leave no trace in the coordinator's memory: not in a log of messages either."""
    process, used = psutil.Process(), []
    files = (("data.bin", os.urandom(900_000)),)
    works = (SimpleNamespace(job=Job((), files, {}, Limits()), assignment="a", student="s") for _ in range(80))
    with Pool(2) as pool:
        for _ in pool.perform(works):  # type: ignore[arg-type]
            used.append(process.memory_info().rss / 2**20)
    assert used[-1] - used[20] < 30


def run_command(course: Course) -> subprocess.Popen:
    command = [sys.executable, "-m", "autograde", "grade", ASSIGNMENT, "--course", str(course.root)]
    return subprocess.Popen(
        [*command, "--workers", "2", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("how", (signal.SIGKILL, signal.SIGINT), ids=lambda signal: signal.name)
def test_a_coordinator_that_is_killed_goes_on_where_it_stopped(
    course: Course, undisturbed: dict, how: signal.Signals, tmp_path: Path
) -> None:
    for record in course.root.glob("attempts/*/*/*.json"):
        record.unlink()
    draw = random.Random(int(how))
    rounds = 0
    while rounds < 4:
        rounds += 1
        running = run_command(course)
        assert running.stdout is not None
        for _ in range(draw.randint(1, 4)):
            if not running.stdout.readline():
                break
        time.sleep(draw.random() * 0.3)
        before = running.poll()
        tree = psutil.Process(running.pid).children(recursive=True) if before is None else []
        running.send_signal(how)
        running.wait(timeout=60)
        psutil.wait_procs(tree, timeout=30)
        assert not [process for process in tree if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
        if before == 0:
            break
    assert commands.main(["grade", ASSIGNMENT, "--course", str(course.root), "--workers", "1"]) == 0
    for student, expected in undisturbed.items():
        record = attempts.read(course, student, ASSIGNMENT)
        assert record is not None and record["recorded"]
        assert {n: (v["points"], v["reason"], v["message"]) for n, v in record["verdicts"].items()} == expected
        score = gradebook.scores(course, ASSIGNMENT)[student]["score"]
        assert score == round(sum(points for points, _, _ in expected.values()), 2)


def test_lines_of_json_say_what_came_of_each(course: Course) -> None:
    arguments = ["--workers", "2", "--json", "--regrade"]
    command = [sys.executable, "-m", "autograde", "grade", ASSIGNMENT, "--course", str(course.root), *arguments]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["done"] for line in lines] == list(range(1, STUDENTS + 1))
    assert {line["student"] for line in lines} == set(course.students(ASSIGNMENT))
    assert next(line for line in lines if line["student"] == "killer")["ended"] == "dead"
