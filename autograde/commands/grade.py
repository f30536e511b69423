"""``autograde grade``: grade what was handed in.

What takes seconds to import is imported while the workers start.
"""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autograde import exercises
from autograde.commands.screen import DONE, FAILED, Misused, progress, screen, shown
from autograde.grading import attempts, sandbox
from autograde.grading.course import Course
from autograde.grading.seeds import attempt_id
from autograde.grading.tidying import tidy

if TYPE_CHECKING:
    from autograde.grading.pool import Performers


@dataclass
class Plan:
    """Who handed in an assignment, and whose submission is to be graded."""

    name: str
    students: list[str]
    waiting: list[str]


def run(options: argparse.Namespace) -> int:
    look_at(options)
    course = Course(options.course.resolve())
    handed_in = [name for name in exercises.names() if course.students(name)]
    names = exercises.chosen(options.assignments, handed_in)
    if not names:
        raise Misused(f"nothing was handed in: {shown(course.root / 'submitted')} holds no STUDENT/NAME folder")
    plans = [plan(course, name, options) for name in names]
    return grade(course, plans, options)


def look_at(options: argparse.Namespace) -> None:
    """Refuse options that cannot be, and say what is unsafe."""
    if options.workers < 1:
        raise Misused(f"--workers: got {options.workers}; expected a whole number above 0")
    if options.tls and not options.scheduler:
        raise Misused("--tls: the certificate is a scheduler's; name it with --scheduler tls://HOST:PORT")
    if options.scheduler and re.match(r"tcp://(?!127\.|localhost|\[::1])", options.scheduler):
        words = "look: tcp:// is open to whoever reaches it, and who reaches it can run code on the workers and here."
        print(f"{words} The teaching guide says how to use tls:// and --tls DIR.", file=sys.stderr)
    if options.unsafe_no_sandbox:
        words = "UNSAFE: student code runs without a sandbox; it can read and change what you can."
        screen.print(words, style="bold red")
    elif not options.scheduler:  # else its workers confine
        sandbox.require()


def plan(course: Course, name: str, options: argparse.Namespace) -> Plan:
    students = course.students(name)
    if options.student:
        if options.student not in students:
            alike = difflib.get_close_matches(options.student, students, n=5, cutoff=0.0)
            near = f", such as {', '.join(alike)}" if alike else ""
            raise Misused(f"{options.student} handed in nothing for {name}; {len(students)} students did{near}")
        students = [options.student]
    if not students:
        raise Misused(f"nobody handed in {name}: {shown(course.root / 'submitted')} holds no STUDENT/{name} folder")
    course.look_for_release(name)
    for student in students:
        prepare(course, student, name)
    waiting = [student for student in students if options.regrade or not up_to_date(course, student, name)]
    return Plan(name, students, waiting)


def prepare(course: Course, student: str, name: str) -> None:
    """Set links aside, and give nbgrader a file to record where a student handed in a folder without a notebook."""
    folder = course.folder("submitted", student, name)
    tidy(folder, name)
    notebook = folder / f"{name}.ipynb"
    if not notebook.exists():
        notebook.touch()


def up_to_date(course: Course, student: str, name: str) -> bool:
    record = attempts.read(course, student, name)
    graded = course.folder("autograded", student, name) / f"{name}.ipynb"
    submitted, _ = course.submission(student, name)
    if record is None or not graded.exists() or not record.get("recorded"):
        return False
    return record["attempt"] == attempt_id(submitted)


def grade(course: Course, plans: list[Plan], options: argparse.Namespace) -> int:
    from autograde.cluster import certificates
    from autograde.grading.pool import Performers

    most = max(len(plan.waiting) for plan in plans)
    security = certificates.security(options.tls) if options.tls else None
    with Performers(max(1, min(options.workers, most)), options.scheduler, security) as performers:
        performers.open(most, warm=not (options.cold or options.unsafe_no_sandbox))
        return max([grade_assignment(course, plan, options, performers) for plan in plans])


def grade_assignment(course: Course, plan: Plan, options: argparse.Namespace, performers: Performers) -> int:
    from autograde.class_run import grade_all
    from autograde.commands.scores import show_scores

    unchanged = len(plan.students) - len(plan.waiting)
    if unchanged and not options.json:
        screen.print(f"{plan.name}: {unchanged} unchanged since they were graded (--regrade grades again)")
    settings = {
        "cell_s": options.cell_seconds,
        "notebook_s": options.notebook_seconds,
        "memory_mb": options.memory,
        "unsafe_no_sandbox": options.unsafe_no_sandbox or None,
    }
    settings = {key: value for key, value in settings.items() if value is not None}
    with progress(f"grading {plan.name}", len(plan.waiting), options.json) as step:
        faults = grade_all(course, plan.name, plan.waiting, settings, options.cold, performers, step)
    if not options.json:
        show_scores(course, plan.name, plan.students)
    for student, words in faults.items():
        print(f"not recorded: {student}: {words}", file=sys.stderr)
    return FAILED if faults else DONE
