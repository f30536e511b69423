"""What an instructor reads about a class: scores, how hard each exercise was, and what was misunderstood."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from autograde.grading.course import Course
from autograde.report import findings, page, spreadsheets, tables
from autograde.report.book import Book


def write(
    course: Course,
    name: str,
    scores: dict[str, dict],
    anonymous: bool = False,
    roster: Collection[str] = (),
    book: Book | None = None,
) -> list[Path]:
    """Write the page ``report/NAME.html`` and its three tables beside it, and return the files' paths, the page first.

    The tables are ``NAME.csv`` (students), ``NAME.exercises.csv`` and ``NAME.misconceptions.csv``. ``roster`` are the
    students of the gradebook: who of them has handed in nothing is said.
    """
    found = findings.read(course, name, scores, anonymous, roster, book or Book())
    folder = course.root / "report"
    return [
        tables.write(folder / f"{name}.html", page.html(found)),
        tables.write(folder / f"{name}.csv", spreadsheets.students_csv(found)),
        tables.write(folder / f"{name}.exercises.csv", spreadsheets.exercises_csv(found)),
        tables.write(folder / f"{name}.misconceptions.csv", spreadsheets.misconceptions_csv(found)),
    ]
