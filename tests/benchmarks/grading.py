"""How fast a class is graded: ``python -m tests.benchmarks.grading [SUBMISSIONS]``, one run, the same work each time.

Each way grades the same submissions of the first assignment (NumPy and PyTorch) as a whole process: stock
``nbgrader autograde`` with the tests in the notebook, ours with Python started anew for each notebook, ours forking one
warm sandbox, and ours with two workers. Printed are submissions a minute, CPU-seconds a submission, and the peak of
resident memory of the largest process; the last column is the rate as a multiple of stock nbgrader's.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from autograde.grading.course import Course
from tests.grading.notebooks import ASSIGNMENT, ROOT, hand_in, release, solved

STOCK = "c = get_config()\nc.CourseDirectory.course_id = 'stock'\nc.ExecutePreprocessor.timeout = 120\n"


def light(course: Course):
    """The solved notebook without the cell of the ungraded experiment."""
    notebook = solved(course)
    notebook.cells = [cell for cell in notebook.cells if "load_seattle_weather()" not in cell.source]
    return notebook


def ours(folder: Path, count: int) -> Course:
    folder.mkdir()
    course = release(Course(folder))
    for number in range(count):
        hand_in(course, f"s{number:05}", light(course))
    return course


def stock(folder: Path, course: Course, count: int) -> Path:
    """A course of stock nbgrader whose notebook runs the checks itself, with the kit beside every submission."""
    (folder / "source").mkdir(parents=True)
    shutil.copytree(course.root / "source" / ASSIGNMENT, folder / "source" / ASSIGNMENT)
    (folder / "nbgrader_config.py").write_text(STOCK)
    run([sys.executable, "-m", "nbgrader", "generate_assignment", ASSIGNMENT], folder)
    kit = course.release_notebook(ASSIGNMENT).parent / "kit"
    for number in range(count):
        place = folder / "submitted" / f"s{number:05}" / ASSIGNMENT
        shutil.copytree(kit, place / "kit")
        nbformat.write(light(course), place / f"{ASSIGNMENT}.ipynb")
    return folder


def run(command: list[str], folder: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MiB of a command with everything that it starts."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "OMP_NUM_THREADS": "1"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, after.ru_maxrss / 1024


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        course = ours(Path(place) / "ours", count)
        grade = [sys.executable, "-m", "autograde", "grade", ASSIGNMENT, "--course", str(course.root), "--regrade"]
        ways = {
            "ours, 2 workers": ([*grade, "--workers", "2"], ROOT),
            "ours, 1 worker": ([*grade, "--workers", "1"], ROOT),
            "ours, 1 worker, cold": ([*grade, "--workers", "1", "--cold"], ROOT),
            "stock nbgrader": (
                [sys.executable, "-m", "nbgrader", "autograde", ASSIGNMENT],
                stock(Path(place) / "stock", course, count),
            ),
        }
        figures = {}
        for name, (command, folder) in ways.items():
            figures[name] = run(command, folder)
            print(f"{name}: {figures[name][0]:.1f} s", flush=True)
        base = figures["stock nbgrader"][0]
        print(f"\n{count} submissions{'':12} a minute  CPU-s each  peak MiB  times stock")
        for name, (wall, cpu, peak) in figures.items():
            print(f"{name:24} {60 * count / wall:10.1f} {cpu / count:11.2f} {peak:9.0f} {base / wall:12.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
