"""``autograde explain``: say why a score is what it is."""

from __future__ import annotations

import argparse

from autograde import exercises
from autograde.commands.screen import DONE, Misused
from autograde.grading import attempts
from autograde.grading.course import Course


def run(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    exercises.chosen([options.assignment], [])
    record = attempts.read(course, options.student, options.assignment)
    if record is None:
        raise Misused(f"{options.student} has no graded attempt at {options.assignment}")
    print(attempts.explain(record))
    return DONE
