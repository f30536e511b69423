"""What students get: the notebook finds its kit wherever it is opened, and a zip holds the whole release."""

from __future__ import annotations

import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from autograde.grading import release
from autograde.grading.course import Course
from tests.grading import notebooks

ASSIGNMENT = notebooks.ASSIGNMENT


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return notebooks.release(Course(tmp_path_factory.mktemp("course")))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that a notebook's process runs in, and a search path that may be changed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [""])
    return tmp_path


def found(course: Course, space: dict) -> Path:
    """The folder in which the first code cell of the release finds the kit."""
    first = next(cell for cell in course.read_release(ASSIGNMENT).cells if cell.cell_type == "code")
    exec(compile(first.source, "<cell>", "exec"), space)
    return Path(sys.path[0])


def test_the_kit_is_found_beside_the_notebook(course: Course, place: Path) -> None:
    shutil.copytree(course.release_notebook(ASSIGNMENT).parent, place, dirs_exist_ok=True)
    assert found(course, {}) == place


def test_the_kit_is_found_where_the_editor_says_that_the_notebook_lies(course: Course, place: Path) -> None:
    notebook = course.release_notebook(ASSIGNMENT)
    assert found(course, {"__vsc_ipynb_file__": str(notebook)}) == notebook.parent


def test_the_kit_is_found_from_the_folder_above(course: Course, place: Path) -> None:
    shutil.copytree(course.release_notebook(ASSIGNMENT).parent, place / ASSIGNMENT)
    assert found(course, {}) == place / ASSIGNMENT


@pytest.mark.parametrize("name", [f"{ASSIGNMENT}.zip", f"{ASSIGNMENT} (1).zip"])
def test_the_kit_is_found_in_the_zip_alone(name: str, course: Course, place: Path) -> None:
    shutil.copy(course.root / "release" / f"{ASSIGNMENT}.zip", place / name)
    kit = found(course, {}) / "kit"
    assert kit.is_relative_to(place) and (kit / "checking.py").is_file() and list(kit.glob("checks/*.plain"))


def test_a_notebook_without_its_kit_says_what_to_do(course: Course, place: Path) -> None:
    with pytest.raises(FileNotFoundError, match=rf"(?s){ASSIGNMENT}\.zip.*Colab.*again.*unpack"):
        found(course, {})


def test_the_zip_holds_what_the_folder_holds(course: Course, tmp_path: Path) -> None:
    folder = course.release_notebook(ASSIGNMENT).parent
    with zipfile.ZipFile(course.root / "release" / f"{ASSIGNMENT}.zip") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert held == {path.relative_to(folder.parent).as_posix(): path.read_bytes() for path in files}


def test_the_same_release_makes_the_same_zip(course: Course, tmp_path: Path) -> None:
    copy = tmp_path / ASSIGNMENT
    shutil.copytree(course.release_notebook(ASSIGNMENT).parent, copy, copy_function=shutil.copy)
    assert release.pack(copy).read_bytes() == (course.root / "release" / f"{ASSIGNMENT}.zip").read_bytes()
