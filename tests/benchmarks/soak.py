"""A large class, start to end: ``python -m tests.benchmarks.soak [SUBMISSIONS] [WORKERS]`` (10,000 and two).

Every fiftieth submission is hostile, the others are right, blank, half done or mistaken. Asked is that every one is
graded once with exactly the score that its kind gets when it is graded alone, in a sandbox of its own, and that the
memory of the whole run does not grow: the figures hold the rate and the memory in each quarter of the run. ``--record``
writes them for the book.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from datetime import date
from pathlib import Path

import nbformat
import psutil

from autograde import exercises, gradebook
from autograde.grading.course import Course
from autograde.grading.sandbox import Limits
from autograde.grading.submission import grade
from autograde.sample_class import hostile, replaced, submissions
from solutions.experiments.results import FOLDER
from tests.grading.notebooks import ASSIGNMENT, ROOT, hand_in, light, release, solved

RESULT = FOLDER / "grading_soak.json"
CELL_S = 5.0  # so that an endless loop costs little
HOSTILE_EVERY = 50


def kinds(course: Course) -> tuple[dict[str, str], dict[str, str]]:
    """Notebooks as text, by kind: the usual ones, and the hostile ones."""
    right, blank = light(solved(course)), light(course.read_release(ASSIGNMENT))
    usual = {"right": nbformat.writes(right), "blank": nbformat.writes(blank)}
    for student, text in submissions(exercises.load(ASSIGNMENT), blank, right):
        if student.startswith(("half", "misconception-rnn_step", "misconception-neuron_step")):
            usual[student] = text
    attacks = hostile("neuron_step").items()
    return usual, {name: nbformat.writes(replaced(blank, "neuron_step", source)) for name, source in attacks}


def hand_in_class(course: Course, count: int) -> dict[str, str]:
    """Hand in ``count`` notebooks; returns each student's kind."""
    usual, attacks = kinds(course)
    handed_in = {}
    for number in range(count):
        pool = attacks if number % HOSTILE_EVERY == HOSTILE_EVERY - 1 else usual
        kind = list(pool)[(number // HOSTILE_EVERY if pool is attacks else number) % len(pool)]
        student = f"s{number:06}"
        hand_in(course, student, pool[kind])
        handed_in[student] = kind
    return handed_in


def alone(course: Course, handed_in: dict[str, str]) -> dict[str, float]:
    """The score of one submission of each kind, graded by itself in a sandbox of its own."""
    first = {kind: student for student, kind in reversed(handed_in.items())}
    limits = Limits(cell_s=CELL_S)
    return {
        kind: grade(course, student, ASSIGNMENT, limits, cold=True).record["points"] for kind, student in first.items()
    }


class Memory(threading.Thread):
    """Looks at the resident memory of a process and all below it, in MiB, every two seconds."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.process, self.seen = psutil.Process(pid), []

    def run(self) -> None:
        while self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
            used = 0
            for process in [self.process, *self.process.children(recursive=True)]:
                try:
                    used += process.memory_full_info().pss
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
            self.seen.append((time.monotonic(), used / 2**20))
            time.sleep(2)


def graded(course: Course, count: int, workers: int) -> tuple[dict[str, float], list[float], Memory]:
    """Grade the class by the command itself; returns scores by student, when each came, and the memory."""
    command = [sys.executable, "-m", "autograde", "grade", ASSIGNMENT, "--course", str(course.root), "--json"]
    command += ["--workers", str(workers), "--cell-seconds", str(CELL_S)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    scores, times = {}, []
    said = time.monotonic()
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        memory = Memory(process.pid)
        memory.start()
        assert process.stdout is not None
        for line in process.stdout:
            one = json.loads(line)
            assert one["student"] not in scores, f"{one['student']} was graded twice"
            scores[one["student"]] = one["points"]
            times.append(time.monotonic())
            if times[-1] - said > 10:
                said = times[-1]
                print(f"  {len(scores)} of {count}", flush=True)
    if process.returncode:
        raise SystemExit(f"autograde grade ended with {process.returncode}")
    return scores, times, memory


def report(course: Course) -> float:
    """Write the class report by the command itself; returns the seconds that it took."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "autograde", "report", ASSIGNMENT, "--course", str(course.root)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def quarters(times: list[float], memory: Memory, begun: float, wall: float) -> list[dict[str, float]]:
    """The rate and the memory, mean and most, in each quarter of the run."""
    found = []
    for quarter in range(4):
        lower, upper = (begun + wall * part / 4 for part in (quarter, quarter + 1))
        used = [mib for when, mib in memory.seen if lower <= when < upper] or [0.0]
        done = sum(lower <= when < upper for when in times)
        found.append({"a_minute": 240 * done / wall, "mean_mib": sum(used) / len(used), "most_mib": max(used)})
    return found


def main(options: argparse.Namespace) -> None:
    count = options.submissions
    with tempfile.TemporaryDirectory() as place:
        course = release(Course(Path(place)))
        handed_in = hand_in_class(course, count)
        expected = alone(course, handed_in)
        begun = time.monotonic()
        scores, times, memory = graded(course, count, options.workers)
        wall = time.monotonic() - begun
        recorded = gradebook.scores(course, ASSIGNMENT)
        reported = report(course)
    wrong = {s: (scores.get(s), expected[kind]) for s, kind in handed_in.items() if scores.get(s) != expected[kind]}
    unrecorded = [s for s in handed_in if s not in recorded or recorded[s]["score"] != scores.get(s)]
    kept = {
        "name": RESULT.stem,
        "command": shlex.join(["python", "-m", "tests.benchmarks.soak", *sys.argv[1:]]),
        "date": date.today().isoformat(),
        "cores": os.cpu_count(),
        "submissions": count,
        "hostile": sum(kind in hostile("x") for kind in handed_in.values()),
        "kinds": len(expected),
        "workers": options.workers,
        "minutes": wall / 60,
        "a_minute": 60 * count / wall,
        "quarters": quarters(times, memory, begun, wall),
        "report_s": reported,
        "scores": {f"{score:g}": number for score, number in Counter(scores.values()).most_common()},
        "not_as_graded_alone": len(wrong),
        "not_in_the_gradebook": len(unrecorded),
    }
    print(json.dumps(kept, indent=1))
    if options.record:
        RESULT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if wrong or unrecorded:
        raise SystemExit(f"for instance {dict(list(wrong.items())[:3])} {unrecorded[:3]}")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description="Grade a large class.")
    made.add_argument("submissions", type=int, nargs="?", default=10_000, help="how many (default: 10,000)")
    made.add_argument("workers", type=int, nargs="?", default=2, help="workers (default: 2)")
    made.add_argument("--record", action="store_true", help=f"write the figures to {RESULT.name}, which the book shows")
    return made


if __name__ == "__main__":
    main(parser().parse_args())
