"""Every assignment by the real road: its source notebook gets full marks, its blank release nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest

from autograde import exercises, gradebook
from autograde.grading.course import HOME, Course
from autograde.grading.jobs import Done
from autograde.grading.pool import Pool
from autograde.grading.submission import Work, conclude, prepare
from autograde.sample_class import solution
from tests.book.test_pages import text_of
from tests.grading.answers import cells

pytestmark = [pytest.mark.sandbox, pytest.mark.slow, pytest.mark.timeout(1500), pytest.mark.xdist_group("assignments")]
NAMES = exercises.names()
SECONDS = 180


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    made = Course(tmp_path_factory.mktemp("course"))
    shutil.copytree(HOME / "source", made.root / "source")
    shutil.copy(HOME / "nbgrader_config.py", made.root / "nbgrader_config.py")
    for name in NAMES:
        gradebook.release(made, name)
        release = made.read_release(name)
        for student, notebook in (("right", solution(made, name, release)), ("blank", release)):
            folder = made.folder("submitted", student, name)
            folder.mkdir(parents=True)
            (folder / f"{name}.ipynb").write_text(nbformat.writes(notebook))
    return made


@pytest.fixture(scope="module")
def graded(course: Course) -> dict[tuple[str, str], dict]:
    """The record of each student's work on each assignment."""
    works = [prepare(course, student, name) for name in NAMES for student in ("right", "blank")]
    found: dict[tuple[str, str], dict] = {}
    with Pool(2) as pool:
        done: Done | None
        work: Work
        for work, done in pool.perform(works):
            found[work.assignment, work.student] = conclude(work, done).record
            print(f"{work.assignment}, {work.student}: {found[work.assignment, work.student]['seconds']} s")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_solved_notebook_gets_every_point_of_the_machine(name: str, graded: dict) -> None:
    record = graded[name, "right"]
    lost = {cell: verdict["message"] for cell, verdict in record["verdicts"].items() if not verdict["passed"]}
    assert not lost and record["points"] == record["max_points"] > 0 and record["ended"] == "ok"
    assert not record["limits_hit"] and record["seconds"] < 2 * SECONDS


@pytest.mark.parametrize("name", NAMES)
def test_the_blank_release_gets_nothing(name: str, graded: dict) -> None:
    assert graded[name, "blank"]["points"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_and_its_exercises_agree(name: str) -> None:
    source = nbformat.read(HOME / "source" / name / f"{name}.ipynb", as_version=4)
    marks = [(cell, cell.metadata.get("nbgrader", {})) for cell in source.cells]
    machine = {m["grade_id"]: m["points"] for _, m in marks if m.get("grade") and not m.get("solution")}
    written = [m for cell, m in marks if m.get("grade") and m.get("solution")]
    assert machine == {exercise.name: exercise.points for exercise in exercises.load(name).exercises}
    assert len(written) >= 1 and 4 <= len(machine) + len(written) <= 10
    assert 20 <= sum(machine.values()) + sum(m["points"] for m in written) <= 42
    assert {exercise for exercise, _ in cells(name) if exercise} >= set(machine)
    assert not any(cell.get("outputs") for cell in source.cells)
    ids = [cell.id for cell in source.cells]
    assert len(set(ids)) == len(ids) and all(not cell_id[:8].isdigit() for cell_id in ids)


@pytest.mark.parametrize("name", NAMES)
def test_the_chapter_names_its_assignment(name: str) -> None:
    section = text_of(name).partition("## Now write it yourself")[2].partition("\n## ")[0]
    assert f"autograde/course/release/{name}/" in section.replace("\n", "")


@pytest.mark.parametrize("name", NAMES)
def test_the_release_holds_no_solution(name: str, course: Course) -> None:
    folder: Path = course.release_notebook(name).parent
    text = course.release_notebook(name).read_text()
    assert "BEGIN SOLUTION" not in text and "BEGIN MARK SCHEME" not in text
    assert not list(folder.rglob("*.pyc")) and (folder / "kit" / "checking.py").is_file()
