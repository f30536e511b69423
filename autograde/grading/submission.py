"""Grade one submission: rebuild, run in a sandbox, probe, judge. What a student did never raises here."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode

from autograde import exercises
from autograde.exercises.definition import Assignment
from autograde.grading import judge
from autograde.grading.course import Course, is_own_file
from autograde.grading.execute import Ask, Run, graded_by_machine, run
from autograde.grading.rebuild import Rebuilt, grade_id, printable, rebuild
from autograde.grading.sandbox import Limits
from autograde.grading.seeds import attempt_id, cell_seed, course_secret
from autograde.kit.staging import Verdict, without_outcome

NOT_FOUND = ("missing", "stub")
FILES, FOLDER_BYTES = 200, 64 * 2**20


@dataclass
class Graded:
    """What came of one submission: the notebook that ran, a verdict for each graded cell, and the record."""

    notebook: NotebookNode
    verdicts: dict[str, Verdict]
    record: dict


class Judging:
    """Judges the cells of one run, and asks again at the end for names that came later than their check."""

    def __init__(self, assignment: Assignment, notebook: NotebookNode, seeds: dict[str, int]) -> None:
        self.verdicts: dict[str, Verdict] = {}
        self.assignment, self.seeds = assignment, seeds
        self.sources = {
            grade_id(cell).removesuffix("_solution"): cell.source
            for cell in notebook.cells
            if grade_id(cell).endswith("_solution")
        }

    def on_graded(self, name: str, ask: Ask) -> None:
        exercise = self.assignment.exercise(name)
        if exercise is None:
            raise LookupError(f"the notebook grades {name!r}, which autograde/exercises does not hold")
        probe = judge.probe(exercise, self.seeds[name])
        self.verdicts[name] = printable(judge.verdict(probe, ask(probe.message), self.sources.get(name, "")))

    def on_finished(self, ask: Ask) -> None:
        for name, verdict in list(self.verdicts.items()):
            if verdict["reason"] in NOT_FOUND:
                self.on_graded(name, ask)


def grade(course: Course, student: str, assignment: str, limits: Limits | None = None, unsafe: bool = False) -> Graded:
    """Grade what a student handed in.

    Raises:
        LookupError: the assignment is not released, or has no exercises.
        NoSandbox: student code cannot be confined here.
    """
    limits = limits or Limits()
    begun, started = time.monotonic(), datetime.now(UTC)
    asked = exercises.load(assignment)
    rebuilt, attempt, note = _rebuilt(course, student, assignment)
    secret = course_secret(course.secret)
    cells = [grade_id(cell) for cell in rebuilt.notebook.cells if graded_by_machine(cell)]
    seeds = {cell: cell_seed(secret, assignment, student, cell, attempt) for cell in cells}
    judging = Judging(asked, rebuilt.notebook, seeds)
    result = Run(unsafe=unsafe)
    if rebuilt.fault:
        judging.verdicts = {cell: _unreadable(asked, cell, seeds[cell], rebuilt) for cell in cells}
    else:
        with tempfile.TemporaryDirectory(prefix="submission-") as place:
            folder = Path(place)
            left_out = lay_out(course, student, assignment, folder)
            result = run(rebuilt.notebook, folder, judging.on_graded, judging.on_finished, limits, unsafe)
        if left_out:
            rebuilt.decisions.append({"cell": "", "how": "files", "note": f"left out: {', '.join(left_out)[:500]}"})
    for index, outputs in result.outputs.items():
        rebuilt.notebook.cells[index].outputs = [nbformat.from_dict(output) for output in outputs]
    record = {
        "assignment": assignment,
        "student": student,
        "attempt": attempt,
        "release": hashlib.sha256(course.release_notebook(assignment).read_bytes()).hexdigest()[:16],
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - begun, 2),
        "file": note,
        "fault": rebuilt.fault,
        "ended": result.reason,
        "detail": result.detail,
        "limits": asdict(limits),
        "limits_hit": result.limits_hit,
        "stray_frames": result.stray_frames,
        "peak_mb": result.peak_mb,
        "unsafe": unsafe,
        "warm": result.warm,
        "decisions": rebuilt.decisions,
        "seeds": {cell: str(seed) for cell, seed in seeds.items()},
        "verdicts": judging.verdicts,
        "points": round(sum(verdict["points"] for verdict in judging.verdicts.values()), 2),
        "max_points": round(sum(verdict["max_points"] for verdict in judging.verdicts.values()), 2),
    }
    return Graded(rebuilt.notebook, judging.verdicts, printable(record))


def _rebuilt(course: Course, student: str, assignment: str) -> tuple[Rebuilt, str, str]:
    """The notebook to run, the attempt's name, and a note on the file; its bytes are let go of before anything runs."""
    release = course.read_release(assignment)
    submitted, note = course.submission(student, assignment)
    return rebuild(release, submitted), attempt_id(submitted), note


def _unreadable(assignment: Assignment, cell: str, seed: int, rebuilt: Rebuilt) -> Verdict:
    exercise = assignment.exercise(cell)
    assert exercise is not None
    reason = "no_submission" if "no notebook" in (rebuilt.fault or "") else "unreadable"
    return without_outcome(judge.probe(exercise, seed).question, reason, f"{cell}: {rebuilt.fault}.")


def lay_out(course: Course, student: str, assignment: str, folder: Path) -> list[str]:
    """Fill the folder that the notebook runs in: the student's own regular files, then the release's over them.

    Returns the names of the student's files that were left out: links, notebooks, and what goes over the bounds.
    """
    theirs = course.folder("submitted", student, assignment)
    left_out, count, size = [], 0, 0
    for path in sorted(theirs.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        name = str(path.relative_to(theirs))
        if path.suffix == ".ipynb" or name == "timestamp.txt":
            continue
        own = is_own_file(path, theirs)
        count, size = count + 1, size + (path.stat().st_size if own else 0)
        if not own or count > FILES or size > FOLDER_BYTES:
            left_out.append(name)
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / name)
    released = course.release_notebook(assignment).parent
    shutil.rmtree(folder / "kit", ignore_errors=True)
    shutil.copytree(released, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.ipynb", "__pycache__"))
    return left_out
