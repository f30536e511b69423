"""``autograde release``: make what students get."""

from __future__ import annotations

import argparse
import time

from autograde import exercises, gradebook
from autograde.commands.screen import DONE, screen, shown
from autograde.grading.course import Course


def run(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    for name in exercises.chosen(options.assignments, exercises.names()):
        started = time.monotonic()
        gradebook.release(course, name)
        folder = course.release_notebook(name).parent
        count = sum(path.is_file() for path in folder.rglob("*"))
        screen.print(f"released {name}: {count} files in {shown(folder)} ({time.monotonic() - started:.1f} s)")
    return DONE
