"""The gradebook in PostgreSQL: releasing, grading, feedback and report as with SQLite, and the same scores."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograde import commands, gradebook
from autograde.grading.course import Course
from tests.grading.notebooks import ASSIGNMENT
from tests.grading.small_class import small_class

pytest.importorskip("psycopg", reason="SQLAlchemy's driver for PostgreSQL is not installed")
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]))
pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not BINARIES, reason="PostgreSQL's server is not in /usr/lib/postgresql (Debian: postgresql)"),
]
NOBODY = 65534
STUDENTS = 3


def as_nobody(*command: str) -> None:
    """Run one of PostgreSQL's programs, which refuse to be root."""
    before = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.getuid() == 0 else []
    subprocess.run([*before, str(BINARIES[-1] / command[0]), *command[1:]], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A server of our own, on a socket in a folder of its own, with an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    data = ("--pgdata", str(folder / "data"))
    as_nobody("initdb", *data, "--auth=trust", "--username=instructor", "--encoding=UTF8", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    as_nobody("pg_ctl", *data, "--options", options, "--log", str(folder / "log"), "--wait", "start")
    try:
        as_nobody("createdb", "--host", str(folder), "--username", "instructor", "gradebook")
        yield f"postgresql://instructor@/gradebook?host={folder}"
    finally:
        as_nobody("pg_ctl", *data, "--mode", "immediate", "stop")
        shutil.rmtree(folder)


def graded(course: Course, address: str = "") -> dict[str, dict]:
    """The scores of a small class after every command of an instructor, with the gradebook at an address."""
    small_class(course, STUDENTS)
    if address:
        (course.root / "gradebook.db").unlink()
        with (course.root / "nbgrader_config.py").open("a") as configuration:
            configuration.write(f"\nc.CourseDirectory.db_url = {address!r}\n")
    for command in ("release", "grade --workers 1", "feedback", "report", "grade --workers 1 --regrade"):
        assert commands.main([*command.split(), ASSIGNMENT, "--course", str(course.root)]) == 0
    assert (course.root / "gradebook.db").exists() == (not address)
    assert len(list(course.root.glob(f"feedback/*/{ASSIGNMENT}/*.html"))) == STUDENTS
    return gradebook.scores(course, ASSIGNMENT)


def test_a_class_has_the_same_scores_in_postgresql_as_in_sqlite(address: str, tmp_path: Path) -> None:
    scores = graded(Course(tmp_path / "postgresql"), address)
    assert scores == graded(Course(tmp_path / "sqlite"))
    assert [scores[student]["score"] for student in sorted(scores)] == [0, 3, 6]  # as the functions of their bits earn
