"""nbgrader's own converters and gradebook, called in this process with the course's configuration."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from functools import lru_cache
from pathlib import Path

import nbgrader.api
from nbgrader.api import Assignment, BaseCell, Comment, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.converters.base import BaseConverter, NbGraderException
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import Index, Select, select
from traitlets.config import Config, PyFileConfigLoader

from autograde.grading.course import Course
from autograde.grading.refused import Refused
from autograde.grading.release import pack

# nbgrader opens the gradebook some seven times for each submission. With one engine for an address, what SQLAlchemy has
# compiled is there the next time. Closing a gradebook still closes its connections.
nbgrader.api.create_engine = lru_cache(nbgrader.api.create_engine)

# What nbgrader looks up for every number that it records, and has no index for: without one the whole table is read,
# and a record takes the longer the larger the class.
INDICES = [
    Index(f"unrolled_{column.parent.local_table.name}_{column.key}", column)
    for column in (
        SubmittedAssignment.student_id,
        SubmittedNotebook.assignment_id,
        Grade.notebook_id,
        Comment.notebook_id,
    )
]


class NotRecorded(Refused):
    """nbgrader could not do its part; the words are its own."""


def configuration(course: Course, settings: dict | None = None) -> Config:
    """The course's ``nbgrader_config.py``, with ``settings`` of a submission in place of what they name.

    Raises:
        LookupError: the folder holds none.
    """
    if not (course.root / "nbgrader_config.py").exists():
        raise LookupError(f"{course.root} is not a course: it holds no nbgrader_config.py. Name another with --course")
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course.root)).load_config()
    for name, value in (settings or {}).items():
        config.SandboxedSubmission[name] = value
    return config


def release(course: Course, assignment: str) -> None:
    """``nbgrader generate_assignment --force``, and ``NAME.zip`` beside the release."""
    _convert(GenerateAssignment, course, assignment, ".", {})
    pack(course.release_notebook(assignment).parent)


def make_indices(course: Course) -> None:
    """Give the gradebook the indices that it lacks; nbgrader itself does not notice them."""
    with warnings.catch_warnings(), Gradebook(database(course), "unrolled") as book:
        warnings.simplefilter("ignore")
        for index in INDICES:
            index.create(book.engine, checkfirst=True)


def record(course: Course, assignment: str, student: str, settings: dict) -> None:
    """``nbgrader autograde --force --student STUDENT``."""
    _convert(Autograde, course, assignment, student, settings)


def feedback(course: Course, assignment: str, student: str) -> None:
    """``nbgrader generate_feedback --force --student STUDENT``."""
    _convert(GenerateFeedback, course, assignment, student, {})


def _convert(kind: type[BaseConverter], course: Course, assignment: str, student: str, settings: dict) -> None:
    config = configuration(course, settings)
    config.CourseDirectory.assignment_id = assignment
    config.CourseDirectory.student_id = student
    folder = CourseDirectory(config=config)
    converter = kind(coursedir=folder, config=config)
    converter.force = True
    words = io.StringIO()
    converter.log = logging.getLogger("autograde.nbgrader")  # one for all: Python keeps every logger for ever
    converter.log.handlers, converter.log.propagate = [logging.StreamHandler(words)], False
    converter.log.setLevel(logging.WARNING)
    _find_alembic()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            converter.start()
        except (NbGraderException, OSError) as error:
            told = _reason(words.getvalue()) or str(error)
            raise NotRecorded(f"nbgrader could not process it: {told[:300]}") from None


def _find_alembic() -> None:
    """nbgrader calls alembic by name to make its database: it lies beside this Python."""
    here, path = str(Path(sys.executable).parent), os.environ.get("PATH", "")
    if path.split(os.pathsep)[0] != here:  # once: a path that grew each time would in the end let nothing start
        os.environ["PATH"] = os.pathsep.join([here, path])


def _reason(log: str) -> str:
    """The line of nbgrader's log that says why it gave up: its own words, else the error at the end of a traceback.

    >>> _reason("[ERROR] There was an error processing assignment: x\\nTraceback …\\n  File …\\nOSError: disk full")
    'OSError: disk full'
    """
    usual = ("error processing", "Please see the")
    before, after = (
        [line for line in part.splitlines() if line.strip() and not any(words in line for words in usual)]
        for part in log.partition("Traceback")[::2]
    )
    errors = [line for line in after if not line.startswith(" ")]
    return [*before[:1], *errors[-1:], ""][0].strip()


def database(course: Course) -> str:
    """The address of the gradebook: SQLite in the course's folder, unless the configuration says another."""
    return CourseDirectory(config=configuration(course)).db_url


def scores(course: Course, assignment: str) -> dict[str, dict]:
    """Each student's scores as nbgrader has them: ``{student: {"score", "max_score", "waiting", "cells"}}``.

    ``waiting`` counts the answers that a person has yet to read; a cell's score is None until then. Three questions to
    the gradebook, however many the students: its objects would ask one for each number.
    """
    with warnings.catch_warnings(), Gradebook(database(course), "unrolled") as book:
        warnings.simplefilter("ignore")
        found = {
            student: {"score": 0.0, "max_score": most, "late_penalty": penalty, "waiting": 0, "cells": {}}
            for student, most, penalty in book.db.execute(_submissions(assignment))
        }
        for student, cell, score, most, waits in book.db.execute(_grades(assignment)):
            one = found[student]
            one["score"] += score
            one["waiting"] += bool(waits)
            one["cells"][cell] = {"score": None if waits else score, "max_score": most}
        return found


def _submissions(assignment: str) -> Select:
    """Student, the most that can be had, and what being late costs, of every submission."""
    return (
        select(SubmittedAssignment.student_id, Assignment.max_score, SubmittedAssignment.late_submission_penalty)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .where(Assignment.name == assignment)
    )


def _grades(assignment: str) -> Select:
    """Student, cell, score, the most that can be had, and whether a person has yet to read it, of every graded cell."""
    return (
        select(SubmittedAssignment.student_id, BaseCell.name, Grade.score, Grade.max_score, Grade.needs_manual_grade)
        .join_from(SubmittedAssignment, Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .where(Assignment.name == assignment)
    )


def roster(course: Course) -> dict[str, dict]:
    """Everybody whom the gradebook knows, handed in or not: ``{student: {"email", "lms_user_id"}}``.

    ``nbgrader db student import FILE`` puts a class into it.
    """
    with warnings.catch_warnings(), Gradebook(database(course), "unrolled") as book:
        warnings.simplefilter("ignore")
        return {person.id: {"email": person.email, "lms_user_id": person.lms_user_id} for person in book.students}


def book_url(course: Course) -> str:
    """Where the configuration says that the book is hosted, or an empty text."""
    return str(configuration(course).SandboxedSubmission.get("book_url", ""))
