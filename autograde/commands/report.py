"""``autograde report``: write what an instructor reads about a class."""

from __future__ import annotations

import argparse
import sys

from autograde import exercises, gradebook, report
from autograde.commands.screen import DONE, Misused, screen, shown
from autograde.grading.course import Course
from autograde.report import book, lms


def run(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    names = exercises.chosen(options.assignments, filter(course.graded, exercises.names()))
    if not names:
        raise Misused("nothing is graded yet: run `autograde grade` first")
    if (options.canvas or options.moodle) and len(names) > 1:
        raise Misused(f"--canvas and --moodle take one assignment at a time; name one of {', '.join(names)}")
    for name in names:
        scores = gradebook.scores(course, name) if course.graded(name) else {}
        if not scores:
            raise Misused(f"nothing of {name} is graded yet: run `autograde grade {name}` first")
        roster = gradebook.roster(course)
        place = book.find(options.book, gradebook.book_url(course), course.root / "report")
        page, *tables = report.write(course, name, scores, options.anonymous, roster, place)
        screen.print(f"class report of {name}: {shown(page)}, with {', '.join(table.name for table in tables)}")
        for platform, export, fill in (("canvas", options.canvas, lms.canvas), ("moodle", options.moodle, lms.moodle)):
            if export:
                out = course.root / "report" / f"{name}.{platform}.csv"
                show_filled(fill(export, out, name, scores, roster, options.column))
    return DONE


def show_filled(filled: lms.Filled) -> None:
    """What was written for a learning platform; what a person should look at goes to stderr, line by line."""
    print(f"{filled.count} scores in column {filled.column!r}, matched by {filled.by!r}: {shown(filled.path)}")
    for note in filled.notes:
        print(f"  look: {note}", file=sys.stderr)
