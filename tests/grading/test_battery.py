"""The battery of faults, graded as one class: every case its exact score and reason, and nothing else disturbed."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import psutil
import pytest

from autograde import commands, gradebook
from autograde.grading import attempts
from autograde.grading.course import Course
from autograde.grading.rooms import ROOMS
from autograde.grading.seeds import course_secret
from tests.grading.battery import FULL, Fault, Material, code, files, honest, hostile, structure, written
from tests.grading.notebooks import ASSIGNMENT, light, release, solved

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(1500)]

GROUPS = {
    "files": files.FAULTS,
    "structure": structure.FAULTS,
    "code": code.FAULTS,
    "hostile": hostile.FAULTS,
    "honest": honest.FAULTS,
}
CASES = [(group, fault) for group, faults in GROUPS.items() for fault in faults]


def student(group: str, fault: Fault) -> str:
    return f"{group}-{fault.name}"


NEIGHBOURS = ("neighbour-a", "neighbour-z")


class Listener:
    """Listens on loopback, and keeps what arrives."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[str] = []
        self.tcp, self.udp, self.unix = (
            socket.socket(),
            socket.socket(type=socket.SOCK_DGRAM),
            socket.socket(socket.AF_UNIX),
        )
        self.path = str(folder / "s")
        for listening, address in ((self.tcp, ("127.0.0.1", 0)), (self.udp, ("127.0.0.1", 0)), (self.unix, self.path)):
            listening.bind(address)  # type: ignore[arg-type]
        self.tcp.listen()
        self.unix.listen()
        for name in ("tcp", "udp", "unix"):
            threading.Thread(target=self.listen, args=(name,), daemon=True).start()

    def listen(self, name: str) -> None:
        listening = getattr(self, name)
        listening.recv(10) if name == "udp" else listening.accept()
        self.heard.append(name)


def hand_in(course: Course, name: str, fault: Fault, material: Material) -> None:
    folder = course.folder("submitted", name, ASSIGNMENT)
    folder.mkdir(parents=True)
    content = fault.make(material)
    if content is not None:
        (folder / fault.file_name).write_bytes(content)
    if fault.files:
        fault.files(folder)


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Listener:
    return Listener(tmp_path_factory.mktemp("l"))


@pytest.fixture(scope="module")
def chosen(request: pytest.FixtureRequest) -> list[tuple[str, Fault]]:
    """The cases that this run asks for: all of them, unless tests were picked by name."""
    picked = {
        item.name.partition("[")[2].rstrip("]") for item in request.session.items if "every_case_has" in item.name
    }
    return [case for case in CASES if student(*case) in picked] or CASES


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, listener: Listener, chosen: list) -> Course:
    made = release(Course(tmp_path_factory.mktemp("course")))
    right = light(solved(made))
    ports = listener.tcp.getsockname()[1], listener.udp.getsockname()[1]
    material = Material(made.read_release(ASSIGNMENT), right, *ports, listener.path)
    for name in NEIGHBOURS:
        hand_in(made, name, Fault(name, lambda m: written(m.right), FULL), material)
    for group, fault in chosen:
        hand_in(made, student(group, fault), fault, material)
    limits = ["--cell-seconds", "15", "--notebook-seconds", "120", "--workers", "2"]
    assert commands.main(["grade", ASSIGNMENT, "--course", str(made.root), *limits]) == 0
    return made


@pytest.fixture(scope="module")
def scores(course: Course) -> dict[str, dict]:
    return gradebook.scores(course, ASSIGNMENT)


def test_the_battery_is_large_and_its_cases_are_different() -> None:
    assert len(CASES) >= 60 and len({student(*case) for case in CASES}) == len(CASES)
    assert all(len(faults) >= 10 for faults in GROUPS.values())


@pytest.mark.parametrize(("group", "fault"), CASES, ids=[student(*case) for case in CASES])
def test_every_case_has_its_exact_score_and_reason(group: str, fault: Fault, course: Course, scores: dict) -> None:
    name = student(group, fault)
    record = attempts.read(course, name, ASSIGNMENT)
    assert record is not None
    verdicts = {key: (v["points"], v["reason"], v["message"]) for key, v in record["verdicts"].items()}
    assert scores[name]["score"] == fault.score == record["points"], (verdicts, record["detail"], record["decisions"])
    assert record["verdicts"][fault.exercise]["reason"] in fault.reason.split("|"), verdicts[fault.exercise]


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbours_keep_their_marks(name: str, course: Course, scores: dict) -> None:
    record = attempts.read(course, name, ASSIGNMENT)
    assert record is not None
    assert scores[name]["score"] == FULL and record["ended"] == "ok" and not record["limits_hit"]


def test_every_case_leaves_a_record_that_explains_itself(course: Course, chosen: list) -> None:
    for group, fault in chosen:
        record = attempts.read(course, student(group, fault), ASSIGNMENT)
        assert record is not None
        words = attempts.explain(record)
        assert f"{fault.score:g} of {FULL:g} points" in words and "Traceback" not in words


def test_nothing_arrived_at_any_listener(course: Course, listener: Listener) -> None:
    assert not listener.heard


def test_no_process_survives(course: Course) -> None:
    ROOMS.close()  # those of other tests in this process
    time.sleep(1)
    below = {process.pid for process in psutil.Process().children(recursive=True)}
    for process in psutil.process_iter(["cmdline", "ppid", "status"]):
        words = " ".join(process.info["cmdline"] or [])
        left = process.pid in below or process.info["ppid"] == 1  # another worker's tests have sandboxes too
        ours = "/grader/inside.py" in words or str(course.root) in words
        assert not (left and ours and process.info["status"] != psutil.STATUS_ZOMBIE), words[:300]


def test_the_course_holds_what_it_held(course: Course) -> None:
    assert not list(course.root.rglob("pickled")) and not Path("/tmp/pickled").exists()
    fresh = release(Course(course.root.parent / "fresh"))
    for path in fresh.root.glob("release/**/*"):
        if path.is_file() and path.suffix != ".ipynb":
            assert path.read_bytes() == (course.root / path.relative_to(fresh.root)).read_bytes(), path


def test_nothing_secret_stands_in_what_goes_back(course: Course) -> None:
    secret = course_secret(course.secret).hex()
    for path in course.root.glob("autograded/**/*.ipynb"):
        text = path.read_text()
        assert (
            secret not in text
            and "BEGIN SOLUTION" not in text
            and "with_numpy.recurrent_neurons"
            not in text.replace("from solutions.with_numpy.recurrent_neurons import", "")
        )
