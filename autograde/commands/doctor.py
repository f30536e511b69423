"""``autograde doctor``: say what of this machine is ready, and attack the sandbox."""

from __future__ import annotations

import argparse

from autograde import doctor
from autograde.commands.screen import DONE, FAILED, screen
from autograde.grading.course import Course


def run(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    ready = True
    for line in doctor.lines(course, attacks=not options.no_attacks):
        screen.print(f"{'ready     ' if line.ready else 'NOT READY ' if line.needed else 'note      '}{line.words}")
        ready &= line.ready or not line.needed
    screen.print("Grading can run." if ready else "Grading cannot run yet: see the lines that are not ready.")
    return DONE if ready else FAILED
