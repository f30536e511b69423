"""Where the time of a submission goes, once everything is warm: seconds of each stage, mean over a class.

``prepare``, ``judge`` and ``record`` are the coordinator's and take its processor; ``run`` is the wall time of the
sandbox, of which ``cells`` and ``calls`` are the student's own code: the floor that no grader gets below.
"""

from __future__ import annotations

import time
from collections import defaultdict

from autograde import gradebook
from autograde.grading import attempts
from autograde.grading.course import Course
from autograde.grading.execute import graded_by_machine
from autograde.grading.jobs import perform
from autograde.grading.nbgrader_road import PREPARED
from autograde.grading.rooms import ROOMS
from autograde.grading.submission import conclude, prepare
from tests.grading.notebooks import ASSIGNMENT


def stages(course: Course, students: list[str]) -> dict[str, float]:
    """Mean seconds by stage; the first submission, which pays for the start, is left out."""
    sums: defaultdict[str, float] = defaultdict(float)
    for number, student in enumerate(students):
        if number == 1:
            sums.clear()
        begun = time.perf_counter()
        work = prepare(course, student, ASSIGNMENT)
        assert work.job is not None
        prepared = time.perf_counter()
        done = perform(work.job)
        ran = time.perf_counter()
        graded = conclude(work, done)
        judged = time.perf_counter()
        PREPARED[str(course.root), student, ASSIGNMENT] = graded
        gradebook.record(course, ASSIGNMENT, student, {})
        attempts.mark_recorded(course, graded.record)
        ended = time.perf_counter()
        for index, seconds in done.run.seconds.items():
            cell = graded.notebook.cells[index]
            sums["calls" if graded_by_machine(cell) else "cells"] += seconds
        for name, seconds in zip(
            ("prepare", "run", "judge", "record"), (prepared - begun, ran - prepared, judged - ran, ended - judged)
        ):
            sums[name] += seconds
    ROOMS.close()
    return {name: total / (len(students) - 1) for name, total in sums.items()}
