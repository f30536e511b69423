"""How fast a class is graded: ``python -m tests.benchmarks.grading [SUBMISSIONS]``, one run, the same work each time.

Each way grades the same submissions of the first assignment (NumPy and PyTorch) as a whole process: stock
``nbgrader autograde`` with the tests in the notebook, ours with Python started anew for each notebook, ours forking one
warm sandbox, ours with two workers, and, where ``--otter PYTHON`` names a Python that has Otter-Grader, a loop of
``otter run``. ``--ours COUNT`` grades so many more with our warm ways, and as two halves at once, by two commands with
one worker each: what a second core of this machine is worth. These are compared with each other, and a machine is not
as fast in every minute: all of them run ``--rounds`` times in turn, and of each the run with the middle rate is shown.

Printed are submissions a minute, start-up included and *sustained*, which leaves out what a whole class shares: the
submissions after the first, over the time from the first to the last. Then seconds and CPU-seconds a submission, and
the peak of resident memory of the largest process; the last column is the rate as a multiple of stock nbgrader's. Every
way must give every submission all its points, and Otter must take those of one question from a notebook that has it
wrong.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import platform
import shlex
import shutil
import sys
import tempfile
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.api import Gradebook

from autograde import exercises
from autograde.grading.course import Course
from autograde.sample_class import renamed
from solutions.experiments.results import FOLDER
from tests.benchmarks.measuring import Measured, python_environment, run
from tests.benchmarks.otter import Otter, graded
from tests.benchmarks.stages import stages
from tests.grading.notebooks import ASSIGNMENT, ROOT, hand_in, light, release, replaced, solved

STOCK = "c = get_config()\nc.CourseDirectory.course_id = 'stock'\nc.ExecutePreprocessor.timeout = 120\n"
WAYS = {"ours, 2 workers": ["--workers", "2"], "ours, 1 worker": ["--workers", "1"]}
APART = "two commands apart"
COLD = {"ours, 1 worker, cold": ["--workers", "1", "--cold"]}
WRONG = "rnn_step"
RESULT = FOLDER / "grading_speed.json"
PACKAGES = ("nbgrader", "numpy", "torch", "distributed")


@dataclass(frozen=True)
class Figures:
    """What a way took for ``count`` submissions, and when one after the other was done (or begun)."""

    count: int
    wall: float
    cpu: float
    peak: float
    times: list[float]

    @property
    def rate(self) -> float:
        """Submissions a minute, start-up included."""
        return 60 * self.count / self.wall

    @property
    def sustained(self) -> float:
        """Submissions a minute after the first; NaN for one alone."""
        return 60 * (self.count - 1) / (self.times[-1] - self.times[0]) if self.count > 1 else math.nan


def students(count: int) -> list[str]:
    return [f"s{number:05}" for number in range(count)]


def full(notebook: NotebookNode) -> float:
    """The points that code can give."""
    return sum(cell.metadata["nbgrader"]["points"] for cell in graded(notebook))


# --- ours -------------------------------------------------------------------------------------------------------------


def ours(folder: Path, count: int) -> Course:
    folder.mkdir()
    course = release(Course(folder))
    for student in students(count):
        hand_in(course, student, light(solved(course)))
    return course


def grade_ours(course: Course, count: int, options: list[str]) -> Figures:
    return graded_ours([*command(course), *options], course, count)


def grade_apart(halves: list[Course], count: int) -> Figures:
    """Two courses with half of the class each, graded at once by two commands that share nothing but the machine.

    What one core more gives on this machine, whatever grades: cores that share caches and memory are not two machines.
    """
    both = " & ".join(shlex.join([*command(half), "--workers", "1"]) for half in halves)
    return graded_ours(["sh", "-c", f"{both} & wait"], halves[0], count // 2 * 2)


def command(course: Course) -> list[str]:
    words = ["-m", "autograde", "grade", ASSIGNMENT, "--course", str(course.root), "--regrade", "--json"]
    return [sys.executable, *words]


def graded_ours(words: list[str], course: Course, count: int) -> Figures:
    done = run(words, ROOT, python_environment(sys.executable))
    results = [json.loads(line) for _, line in done.lines if line.startswith("{")]
    look_at_scores([result["points"] for result in results], course, count)
    return figures(count, done, '{"done"')


# --- stock nbgrader ---------------------------------------------------------------------------------------------------


def stock(folder: Path, course: Course, count: int) -> Path:
    """A course of stock nbgrader whose notebook runs the checks itself, with the kit beside every submission."""
    (folder / "source").mkdir(parents=True)
    shutil.copytree(course.root / "source" / ASSIGNMENT, folder / "source" / ASSIGNMENT)
    (folder / "nbgrader_config.py").write_text(STOCK)
    nbgrader("generate_assignment", folder)
    for student in students(count):
        place = folder / "submitted" / student / ASSIGNMENT
        shutil.copytree(kit(course), place / "kit")
        nbformat.write(light(solved(course)), place / f"{ASSIGNMENT}.ipynb")
    return folder


def grade_stock(folder: Path, course: Course, count: int) -> Figures:
    done = nbgrader("autograde", folder)
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}", "stock") as book:
        look_at_scores([submission.score for submission in book.assignment_submissions(ASSIGNMENT)], course, count)
    return figures(count, done, "Sanitizing")


def nbgrader(step: str, folder: Path) -> Measured:
    words = [sys.executable, "-m", "nbgrader", step, ASSIGNMENT]
    return run(words, folder, python_environment(sys.executable, PYTHONPATH=str(ROOT)))


# --- Otter ------------------------------------------------------------------------------------------------------------


def with_otter(folder: Path, python: str, course: Course, count: int) -> Otter:
    """The class in Otter, with one notebook that has a question wrong, which is graded at once."""
    otter, right = Otter(folder, python), light(solved(course))
    otter.prepare(right, kit(course))
    for student in students(count):
        otter.hand_in(student, right)
    exercise = next(one for one in exercises.load(ASSIGNMENT).exercises if one.name == WRONG)
    otter.hand_in("wrong", replaced(right, WRONG, renamed(exercise.misconceptions[0], WRONG, exercise.kind)))
    otter.grade("wrong")
    lost = next(cell.metadata["nbgrader"]["points"] for cell in graded(right) if f'"{WRONG}"' in cell.source)
    if otter.score("wrong") != full(right) - lost:
        raise SystemExit(f"Otter gave {otter.score('wrong'):g} points where {full(right) - lost:g} are earned")
    return otter


def grade_otter(otter: Otter, course: Course, count: int) -> Figures:
    """The whole loop of calls, one after another."""
    calls = [otter.grade(student) for student in students(count)]
    look_at_scores([otter.score(student) for student in students(count)], course, count)
    ends = [sum(call.wall for call in calls[: number + 1]) for number in range(count)]
    return Figures(count, ends[-1], sum(call.cpu for call in calls), max(call.peak for call in calls), ends)


# --- all of them ------------------------------------------------------------------------------------------------------


def kit(course: Course) -> Path:
    return course.release_notebook(ASSIGNMENT).parent / "kit"


def look_at_scores(scores: list[float], course: Course, count: int) -> None:
    """Every submission must have been graded, and have all its points."""
    expected = [full(course.read_release(ASSIGNMENT))] * count
    if scores != expected:
        raise SystemExit(f"{len(scores)} submissions with {set(scores)} points; expected {count} with {expected[0]:g}")


def figures(count: int, done: Measured, mark: str) -> Figures:
    """The figures of a command that says one line with ``mark`` for each submission."""
    times = done.marked(mark)
    assert len(times) == count, f"{len(times)} lines with {mark}; expected {count}"
    return Figures(count, done.wall, done.cpu, done.peak, times)


def measure(place: Path, course: Course, options: argparse.Namespace) -> dict[str, Figures]:
    """Every way, one after the other, each said as it ends."""
    count = options.submissions
    found = {name: said(name, grade_ours(course, count, words)) for name, words in {**WAYS, **COLD}.items()}
    found["stock nbgrader"] = said("stock", grade_stock(stock(place / "stock", course, count), course, count))
    if options.otter:
        otter = with_otter(place / "otter", options.otter, course, count)
        found["otter run"] = said("otter", grade_otter(otter, course, count))
    else:
        print("otter: not measured (give --otter PYTHON)")
    return found


def said(name: str, got: Figures) -> Figures:
    print(f"{name}: {got.wall:.1f} s", flush=True)
    return got


def in_turn(place: Path, count: int, rounds: int) -> list[dict[str, Figures]]:
    """The warm ways over a larger class, one after the other, and all of them so many times."""
    larger = ours(place / "larger", count)
    halves = [ours(place / name, count // 2) for name in ("one", "other")]
    ways = {f"{name}, {count}": functools.partial(grade_ours, larger, count, words) for name, words in WAYS.items()}
    ways[f"{APART}, {count}"] = functools.partial(grade_apart, halves, count)
    return [{name: said(name, way()) for name, way in ways.items()} for _ in range(rounds)]


def middle(rounds: list[dict[str, Figures]]) -> dict[str, Figures]:
    """Of each way, the round with the middle rate."""
    found = {name: sorted((one[name] for one in rounds), key=lambda got: got.sustained) for name in rounds[0]}
    return {name: ordered[len(ordered) // 2] for name, ordered in found.items()}


def ratios(rounds: list[dict[str, Figures]], count: int) -> dict[str, list[float]]:
    """Each way's sustained rate over that of one worker in the same round."""
    one = f"ours, 1 worker, {count}"
    return {name: [got[name].sustained / got[one].sustained for got in rounds] for name in rounds[0] if name != one}


def show(found: dict[str, Figures]) -> None:
    base = found["stock nbgrader"].rate
    print(f"\n{'':24} submissions  a minute  sustained  s each  CPU-s each  peak MiB  times stock")
    for name, got in found.items():
        print(
            f"{name:24} {got.count:11} {got.rate:9.1f} {got.sustained:10.1f} {got.wall / got.count:7.2f} "
            f"{got.cpu / got.count:11.2f} {got.peak:9.0f} {got.rate / base:12.1f}"
        )
    if any(math.isnan(got.cpu) for got in found.values()):
        print("CPU-seconds: not measured (no control group can be made here, and a sandbox's time shows nowhere else)")


def record(found: dict[str, Figures], where: dict[str, float], times_one: dict[str, list[float]]) -> None:
    """Write the figures for the book's page on classes of any size."""
    base = found["stock nbgrader"].rate
    kept = {
        "name": "grading_speed",
        "command": typed(sys.argv[1:]),
        "date": date.today().isoformat(),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "cores": os.cpu_count(),
        "ways": {
            name: {
                "submissions": got.count,
                "a_minute": got.rate,
                "sustained": got.sustained,
                "cpu_s": got.cpu / got.count,
                "peak_mib": got.peak,
                "times_stock": got.rate / base,
            }
            for name, got in found.items()
        },
        "times_one_worker": times_one,
        "stages": where,
    }
    RESULT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def typed(arguments: list[str]) -> str:
    """The command as anybody can type it: which Python has Otter is not said.

    >>> typed(["40", "--otter", "/home/ada/otter/bin/python", "--record"])
    'python -m tests.benchmarks.grading 40 --otter PYTHON --record'
    """
    words = ["PYTHON" if before == "--otter" else word for before, word in zip(["", *arguments], arguments)]
    return shlex.join(["python", "-m", "tests.benchmarks.grading", *words])


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.benchmarks.grading", description="How fast a class is graded.")
    made.add_argument("submissions", type=int, nargs="?", default=40, help="what each way grades (default: 40)")
    made.add_argument("--ours", type=int, metavar="COUNT", help="grade so many with our warm ways too")
    made.add_argument("--rounds", type=int, default=3, help="how often these are measured in turn (default: 3)")
    made.add_argument("--otter", metavar="PYTHON", help="a Python that has otter-grader: measure `otter run` too")
    made.add_argument("--record", action="store_true", help=f"write the figures to {RESULT.name}, which the book shows")
    return made


def main(options: argparse.Namespace) -> None:
    count, rounds = options.ours, []
    with tempfile.TemporaryDirectory() as place:
        course = ours(Path(place) / "ours", options.submissions)
        found = measure(Path(place), course, options)
        if count:
            rounds = in_turn(Path(place), count, options.rounds)
            found |= middle(rounds)
        where = stages(course, students(options.submissions))
    show(found)
    times_one = ratios(rounds, count) if rounds else {}
    for name, many in times_one.items():
        print(f"{name}: {', '.join(f'{times:.2f}' for times in many)} times the sustained rate of one worker")
    print("\nseconds a submission, warm: " + ", ".join(f"{name} {seconds:.3f}" for name, seconds in where.items()))
    if options.record:
        record(found, where, times_one)


if __name__ == "__main__":
    main(parser().parse_args())
