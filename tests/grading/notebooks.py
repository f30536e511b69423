"""Notebooks and small courses for the tests of grading."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograde import gradebook
from autograde.grading.course import HOME, Course
from autograde.sample_class import replaced, solution

ASSIGNMENT = "recurrent_neurons"
ROOT = Path(__file__).resolve().parent.parent.parent


def marks(grade_id: str, grade: bool = False, solution: bool = False, points: float | None = None) -> dict:
    found = {"grade": grade, "grade_id": grade_id, "locked": grade and not solution, "solution": solution}
    found |= {"schema_version": 3, "task": False} | ({"points": points} if points is not None else {})
    return {"nbgrader": found}


def small_release() -> NotebookNode:
    """A release of one function and one written answer, as nbgrader makes it."""
    stub = "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    return new_notebook(
        cells=[
            new_markdown_cell("# Doubling\n\nWrite it.", id="title"),
            new_code_cell("import numpy as np", id="imports"),
            new_code_cell(stub, id="double-solution", metadata=marks("double_solution", solution=True)),
            new_code_cell(
                'check("double", double)', id="double-check", metadata=marks("double", grade=True, points=3.0)
            ),
            new_markdown_cell("YOUR ANSWER HERE", id="why", metadata=marks("why", True, True, 2.0)),
        ]
    )


def release(course: Course) -> Course:
    """Copy the course's own files to a folder and release the assignment there."""
    shutil.copytree(HOME / "source", course.root / "source")
    shutil.copy(HOME / "nbgrader_config.py", course.root / "nbgrader_config.py")
    gradebook.release(course, ASSIGNMENT)
    return course


def hand_in(course: Course, student: str, notebook: NotebookNode | str | bytes, name: str = ASSIGNMENT) -> Path:
    """Put a notebook where nbgrader collects submissions; returns its path."""
    folder = course.folder("submitted", student, ASSIGNMENT)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.ipynb"
    if isinstance(notebook, bytes):
        path.write_bytes(notebook)
    else:
        path.write_text(notebook if isinstance(notebook, str) else nbformat.writes(notebook))
    return path


def solved(course: Course) -> NotebookNode:
    return solution(course, ASSIGNMENT, course.read_release(ASSIGNMENT))


def light(notebook: NotebookNode) -> NotebookNode:
    """The notebook without the cell of the experiment: it is not graded, and takes a second."""
    notebook.cells = [cell for cell in notebook.cells if "load_seattle_weather()" not in cell.source]
    return notebook


def with_answer(course: Course, exercise: str, source: str) -> NotebookNode:
    """The solved notebook with one answer replaced."""
    return replaced(solved(course), exercise, source)


def nbgrader(course: Course, *arguments: str) -> subprocess.CompletedProcess:
    """Run stock nbgrader in the course's folder, as an instructor does."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments],
        cwd=course.root,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
