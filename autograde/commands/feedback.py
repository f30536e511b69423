"""``autograde feedback``: write each student's page."""

from __future__ import annotations

import argparse
import sys

from autograde import exercises, gradebook
from autograde.commands.screen import DONE, FAILED, Misused, progress, screen, shown
from autograde.grading.course import Course


def run(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    names = exercises.chosen(options.assignments, filter(course.graded, exercises.names()))
    if not names:
        raise Misused("nothing is graded yet: run `autograde grade` first")
    faults = 0
    for name in names:
        students = course.graded(name)
        if not students:
            raise Misused(f"nothing of {name} is graded yet: run `autograde grade {name}` first")
        with progress(f"feedback {name}", len(students)) as step:
            for student in students:
                try:
                    gradebook.feedback(course, name, student)
                except gradebook.NotRecorded as error:
                    faults += 1
                    print(f"no feedback: {student}: {error}", file=sys.stderr)
                step(student)
        screen.print(f"feedback for {len(students)} students in {shown(course.root / 'feedback')}")
    return FAILED if faults else DONE
