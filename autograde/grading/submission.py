"""Grade one submission: prepare a job, have it performed, judge what comes back. What a student did never raises here.

``prepare`` and ``conclude`` know the answers and stay with the coordinator; ``jobs.perform`` may run anywhere.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import nbformat
from nbformat.notebooknode import NotebookNode

from autograde import exercises
from autograde.exercises.definition import Assignment
from autograde.grading import judge
from autograde.grading.course import Course, is_own_file
from autograde.grading.execute import Cell, Reply, Run, graded_by_machine
from autograde.grading.jobs import Done, Job, perform
from autograde.grading.judge import Probe
from autograde.grading.printable import printable
from autograde.grading.rebuild import Rebuilt, grade_id, rebuild
from autograde.grading.sandbox import Limits
from autograde.grading.seeds import attempt_id, cell_seed, course_secret
from autograde.kit.staging import Verdict, without_outcome

FILES, FOLDER_BYTES = 200, 64 * 2**20


@dataclass
class Graded:
    """What came of one submission: the notebook that ran, a verdict for each graded cell, and the record."""

    notebook: NotebookNode
    verdicts: dict[str, Verdict]
    record: dict


@dataclass
class Work:
    """A submission between its job and its verdicts: what the coordinator keeps to itself."""

    student: str
    assignment: str
    job: Job | None
    rebuilt: Rebuilt
    probes: dict[str, Probe]
    seeds: dict[str, int]
    attempt: str
    release: str
    note: str
    limits: Limits
    unsafe: bool
    begun: float
    started: datetime


def grade(
    course: Course,
    student: str,
    assignment: str,
    limits: Limits | None = None,
    unsafe: bool = False,
    cold: bool = False,
) -> Graded:
    """Grade what a student handed in, in this process.

    Raises:
        LookupError: the assignment is not released, or has no exercises.
        NoSandbox: student code cannot be confined here.
    """
    work = prepare(course, student, assignment, limits, unsafe, cold)
    return conclude(work, perform(work.job) if work.job else None)


def prepare(
    course: Course,
    student: str,
    assignment: str,
    limits: Limits | None = None,
    unsafe: bool = False,
    cold: bool = False,
) -> Work:
    """Rebuild a submission and draw its questions. Where it cannot be read, there is no job.

    Raises:
        LookupError: the assignment is not released, or has no exercises.
    """
    limits = limits or Limits()
    begun, started = time.monotonic(), datetime.now(UTC)
    asked = exercises.load(assignment)
    rebuilt, attempt, note = _rebuilt(course, student, assignment)
    secret = course_secret(course.secret)
    names = [grade_id(cell) for cell in rebuilt.notebook.cells if graded_by_machine(cell)]
    seeds = {name: cell_seed(secret, assignment, student, name, attempt) for name in names}
    probes = {cell: judge.probe(_exercise(asked, cell), seed) for cell, seed in seeds.items()}
    job = None
    if not rebuilt.fault:
        files, left_out = files_of(course, student, assignment)
        messages = {cell: probe.message for cell, probe in probes.items()}
        cells = tuple(_cell(cell) for cell in rebuilt.notebook.cells)
        job = Job(cells, tuple(files.items()), messages, limits, unsafe, cold)
        if left_out:
            rebuilt.decisions.append({"cell": "", "how": "files", "note": f"left out: {', '.join(left_out)[:500]}"})
    release = hashlib.sha256(course.release_notebook(assignment).read_bytes()).hexdigest()[:16]
    return Work(
        student, assignment, job, rebuilt, probes, seeds, attempt, release, note, limits, unsafe, begun, started
    )


def _cell(cell: NotebookNode) -> Cell:
    return Cell(cell.cell_type, cell.source, {"nbgrader": dict(cell.metadata.get("nbgrader", {}))})


def _exercise(assignment: Assignment, name: str) -> judge.Exercise:
    exercise = assignment.exercise(name)
    if exercise is None:
        raise LookupError(f"the notebook grades {name!r}, which autograde/exercises does not hold")
    return exercise


def conclude(work: Work, done: Done | None) -> Graded:
    """Judge what came back, or say why nothing could be run."""
    notebook = work.rebuilt.notebook
    result = done.run if done else Run(unsafe=work.unsafe)
    sources = {
        grade_id(cell).removesuffix("_solution"): cell.source
        for cell in notebook.cells
        if grade_id(cell).endswith("_solution")
    }
    verdicts = {}
    for cell, probe in work.probes.items():
        if done is None:
            verdicts[cell] = _unreadable(probe, work.rebuilt)
        else:
            reply = done.replies.get(cell) or Reply("dead", detail=result.detail or "nothing came back")
            verdicts[cell] = printable(_with_time(judge.verdict(probe, reply, sources.get(cell, "")), result))
    for index, outputs in result.outputs.items():
        notebook.cells[index].outputs = [nbformat.from_dict(output) for output in outputs]
    return Graded(notebook, verdicts, printable(_record(work, result, verdicts)))


def _with_time(verdict: Verdict, result: Run) -> Verdict:
    """A verdict on something that is missing or fails says so where a cell before it ran out of time."""
    if verdict["reason"] in ("missing", "raised", "none") and result.limits_hit:
        return {**verdict, "message": f"{verdict['message']} But a cell of this notebook ran out of time."}
    return verdict


def _record(work: Work, result: Run, verdicts: dict[str, Verdict]) -> dict:
    return {
        "assignment": work.assignment,
        "student": work.student,
        "attempt": work.attempt,
        "release": work.release,
        "started": work.started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - work.begun, 2),
        "file": work.note,
        "fault": work.rebuilt.fault,
        "ended": result.reason,
        "detail": result.detail,
        "limits": asdict(work.limits),
        "limits_hit": result.limits_hit,
        "stray_frames": result.stray_frames,
        "peak_mb": result.peak_mb,
        "unsafe": work.unsafe,
        "warm": result.warm,
        "decisions": work.rebuilt.decisions,
        "seeds": {cell: str(seed) for cell, seed in work.seeds.items()},
        "verdicts": verdicts,
        "points": round(sum(verdict["points"] for verdict in verdicts.values()), 2),
        "max_points": round(sum(verdict["max_points"] for verdict in verdicts.values()), 2),
    }


def _rebuilt(course: Course, student: str, assignment: str) -> tuple[Rebuilt, str, str]:
    """The notebook to run, the attempt's name, and a note on the file; its bytes are let go of before anything runs."""
    release = course.read_release(assignment)
    submitted, note = course.submission(student, assignment)
    return rebuild(release, submitted), attempt_id(submitted), note


def _unreadable(probe: Probe, rebuilt: Rebuilt) -> Verdict:
    reason = "no_submission" if "no notebook" in (rebuilt.fault or "") else "unreadable"
    return without_outcome(probe.question, reason, f"{probe.exercise.name}: {rebuilt.fault}.")


def files_of(course: Course, student: str, assignment: str) -> tuple[dict[str, bytes], list[str]]:
    """The files that the notebook runs beside: the student's own regular files, and the release's in place of any.

    Returns them by name, and the names of the student's files that were left out: links, notebooks, and what goes over
    the bounds.
    """
    theirs = course.folder("submitted", student, assignment)
    files: dict[str, bytes] = {}
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
        elif not name.startswith("kit/"):
            files[name] = path.read_bytes()
    released = course.release_notebook(assignment).parent
    for path in sorted(released.rglob("*")):
        if path.is_file() and path.suffix != ".ipynb" and "__pycache__" not in path.parts:
            name = str(path.relative_to(released))
            for above in [name, *map(str, path.relative_to(released).parents)]:
                files.pop(above, None)  # a file of the student's where the release has a folder
            files[name] = path.read_bytes()
    return files, left_out
