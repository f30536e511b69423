"""The same class in Otter-Grader 7: one call of ``otter run`` a submission, without a container.

The assignment is made as Otter's own tools make it: in the notebook each graded cell becomes ``grader.check("NAME")``,
and the cell's own call stands in the test file of that name, with the cell's points. The kit lies beside the notebook.
Otter lives in a virtual environment of its own, since what it needs does not agree with our pins::

    python -m venv VENV
    VENV/bin/python -m pip install "otter-grader[grading]==7.0.0" numpy==2.4.6 torch==2.13.0 matplotlib==3.11.2
"""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell

from tests.benchmarks.measuring import Measured, python_environment, run
from tests.grading.notebooks import ASSIGNMENT

START = f'# Initialize Otter\nimport otter\n\ngrader = otter.Notebook("{ASSIGNMENT}.ipynb")'
TEST = """OK_FORMAT = False

from otter.test_files import test_case

name = "{name}"
points = {points}


@test_case()
def test_{name}(check, {name}):
    {call}
"""


@dataclass(frozen=True)
class Otter:
    """A folder with Otter's assignment in it, and the Python that has Otter."""

    folder: Path
    python: str

    def prepare(self, notebook: NotebookNode, kit: Path) -> None:
        """Write a test file for each graded cell, and have Otter pack them with the kit."""
        (self.folder / "tests").mkdir(parents=True)
        shutil.copytree(kit, self.folder / "kit")
        for cell in graded(notebook):
            marks = cell.metadata["nbgrader"]
            test = TEST.format(name=marks["grade_id"], points=marks["points"], call=cell.source)
            (self.folder / "tests" / f"{marks['grade_id']}.py").write_text(test)
        self._otter("generate", "--tests-dir", "tests", "--output-path", "autograder.zip", "kit")

    def hand_in(self, student: str, notebook: NotebookNode) -> None:
        (self.folder / student).mkdir()
        nbformat.write(with_otter(notebook), self.folder / student / f"{ASSIGNMENT}.ipynb")

    def grade(self, student: str) -> Measured:
        notebook = f"{student}/{ASSIGNMENT}.ipynb"
        return self._otter("run", "--autograder", "autograder.zip", "--output-dir", student, notebook)

    def score(self, student: str) -> float:
        """What Otter gave, from the file that it wrote."""
        tests = json.loads((self.folder / student / "results.json").read_text())["tests"]
        return sum(test.get("score", 0) for test in tests)

    def _otter(self, *arguments: str) -> Measured:
        return run([self.python, "-m", "otter", *arguments], self.folder, python_environment(self.python))


def graded(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that check an answer by code."""
    return [c for c in notebook.cells if c.cell_type == "code" and c.metadata.get("nbgrader", {}).get("grade")]


def with_otter(notebook: NotebookNode) -> NotebookNode:
    """A student's notebook as Otter would have handed it out."""
    changed = copy.deepcopy(notebook)
    for cell in graded(changed):
        cell.source = f'grader.check("{cell.metadata["nbgrader"]["grade_id"]}")'
    changed.cells.insert(0, new_code_cell(START))
    return changed
