"""``autograde sample-class``: make submissions of every kind."""

from __future__ import annotations

import argparse

from autograde import exercises, sample_class
from autograde.commands.screen import DONE, screen, shown
from autograde.grading.course import Course


def run(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    for name in exercises.chosen(options.assignments, exercises.names()):
        course.read_release(name)
        made = sample_class.write(course, name)
        screen.print(f"sample class of {name}: {len(made)} submissions in {shown(course.root / 'submitted')}")
    return DONE
