"""Grade a class: have the jobs performed, judge each as it comes, record it in nbgrader's gradebook."""

from __future__ import annotations

from collections.abc import Callable

from autograde import gradebook
from autograde.grading import attempts
from autograde.grading.course import Course
from autograde.grading.nbgrader_road import PREPARED, SandboxedSubmission
from autograde.grading.pool import Performers
from autograde.grading.submission import conclude, prepare


def grade_all(
    course: Course,
    name: str,
    students: list[str],
    settings: dict,
    cold: bool,
    performers: Performers,
    step: Callable[[str, dict], None],
) -> dict[str, str]:
    """Grade in parallel, record one by one as they come, and say each with ``step(student, record)``.

    Returns who could not be recorded, and why.
    """
    if students:
        gradebook.make_indices(course)
    limits = SandboxedSubmission(config=gradebook.configuration(course, settings)).limits()
    unsafe = bool(settings.get("unsafe_no_sandbox"))
    works = (prepare(course, student, name, limits, unsafe, cold) for student in students)
    faults: dict[str, str] = {}
    for work, done in performers.perform(works, len(students)):
        graded = conclude(work, done)
        try:
            PREPARED[str(course.root), work.student, name] = graded
            gradebook.record(course, name, work.student, settings)
            attempts.mark_recorded(course, graded.record)
        except (gradebook.NotRecorded, OSError) as error:
            PREPARED.clear()
            faults[work.student] = str(error)
        step(work.student, graded.record)
    return faults
