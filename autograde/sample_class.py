"""A class of submissions of every kind, made from the source notebook and the known misconceptions.

Each student's name says what was handed in: ``right``, ``half-right``, ``misconception-rnn_step-no-bias``, ``blank``,
``hostile-endless-loop``. It is what ``make course`` grades, and a quick look at what a real class will see.
"""

from __future__ import annotations

import copy
import inspect
import json
import re
import shutil
from collections.abc import Callable, Iterator

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell

from autograde import exercises
from autograde.exercises.definition import Assignment, Misconception
from autograde.grading.course import HOME, Course
from autograde.grading.rebuild import grade_id

MARKERS = re.compile(r"^\s*### (?:BEGIN|END) SOLUTION\n?", re.MULTILINE)
WRITTEN = "A pattern learned at one step would be unknown at every other, since its weights are elsewhere."


def write(course: Course, name: str) -> list[str]:
    """Write the sample class of an assignment into ``submitted/``, and return the students' names."""
    assignment = exercises.load(name)
    release = course.read_release(name)
    solved = solution(course, name, release)
    students = []
    for student, text in submissions(assignment, release, solved):
        folder = course.folder("submitted", student, name)
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / f"{name}.ipynb").write_text(text)
        students.append(student)
    return students


def solution(course: Course, name: str, release: NotebookNode) -> NotebookNode:
    """The release with the source notebook's solutions in it."""
    path = course.root / "source" / name / f"{name}.ipynb"
    source = nbformat.read(path if path.exists() else HOME / "source" / name / f"{name}.ipynb", as_version=4)
    answers = {grade_id(cell): MARKERS.sub("", cell.source) for cell in source.cells if grade_id(cell)}
    solved = copy.deepcopy(release)
    for cell in solved.cells:
        if is_answer(cell):
            cell.source = answers[grade_id(cell)] if cell.cell_type == "code" else WRITTEN
    return solved


def is_answer(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def submissions(assignment: Assignment, release: NotebookNode, solved: NotebookNode) -> Iterator[tuple[str, str]]:
    """``(student, text of the notebook file)`` for every kind of submission."""
    yield "right", nbformat.writes(solved)
    for name, change in HONEST.items():
        yield f"right-{name}", nbformat.writes(change(copy.deepcopy(solved)))
    yield "half-right", nbformat.writes(half(copy.deepcopy(solved), release))
    for exercise in assignment.exercises:
        for mistake in exercise.misconceptions:
            wrong = replaced(solved, exercise.name, renamed(mistake, exercise.name, exercise.kind))
            yield f"misconception-{exercise.name}-{mistake.name}", nbformat.writes(wrong)
    yield "blank", nbformat.writes(release)
    first = assignment.exercises[0].name
    for name, source in hostile(first).items():
        yield f"hostile-{name}", nbformat.writes(with_code(release, first, source))
    yield "broken-file", nbformat.writes(solved)[:2000]


def renamed(mistake: Misconception, name: str, kind: str) -> str:
    """The source of a wrong implementation under the name that the exercise asks for; a value's is called at once."""
    source = inspect.getsource(mistake.wrong)
    source = re.sub(r"^(def|class) \w+", rf"\1 {name}", source, count=1)
    return f"{source}\n\n{name} = {name}()" if kind == "value" else source


def replaced(notebook: NotebookNode, exercise: str, source: str) -> NotebookNode:
    changed = copy.deepcopy(notebook)
    for cell in changed.cells:
        if grade_id(cell) == f"{exercise}_solution":
            cell.source = source
    return changed


def half(solved: NotebookNode, release: NotebookNode) -> NotebookNode:
    """The first half of the answers, and stubs after them."""
    answers = [cell for cell in solved.cells if is_answer(cell)]
    stubs = {grade_id(cell): cell.source for cell in release.cells}
    for cell in answers[len(answers) // 2 :]:
        cell.source = stubs[grade_id(cell)]
    return solved


# --- honest, in other forms -------------------------------------------------------------------------------------------


def without_metadata(notebook: NotebookNode) -> NotebookNode:
    """As an editor saves it that keeps no marks and no ids."""
    for cell in notebook.cells:
        cell.metadata = {}
    text = json.loads(nbformat.writes(notebook))
    for cell in text["cells"]:
        cell.pop("id", None)
    text["nbformat_minor"] = 4
    return nbformat.from_dict(text)


def in_another_order(notebook: NotebookNode) -> NotebookNode:
    """The solutions moved to the top, behind the imports."""
    moved = [cell for cell in notebook.cells if is_answer(cell) and cell.cell_type == "code"]
    rest = [cell for cell in notebook.cells if cell not in moved]
    notebook.cells = rest[:2] + moved[::-1] + rest[2:]
    return notebook


def with_helpers(notebook: NotebookNode) -> NotebookNode:
    """Own cells between the given ones, an own import, and a warning on stderr."""
    notebook.cells.insert(2, new_code_cell("import math, warnings\nprecise = np.float32\nwarnings.warn('a try')"))
    notebook.cells.append(new_code_cell("print('checked by hand')"))
    return notebook


HONEST: dict[str, Callable[[NotebookNode], NotebookNode]] = {
    "without-metadata": without_metadata,
    "in-another-order": in_another_order,
    "with-helpers": with_helpers,
}


# --- hostile: each tries for points that it did not earn ------------------------------------------------------------


def with_code(release: NotebookNode, exercise: str, source: str) -> NotebookNode:
    return replaced(release, exercise, source)


def hostile(exercise: str) -> dict[str, str]:
    """Attacks on the first exercise of an assignment, by what they try."""
    return {
        "imports-the-reference": f"from solutions.with_numpy.recurrent_neurons import {exercise}",
        "reads-the-gradebook": (
            "import pathlib\n"
            "found = [p for place in ('/', '..', '../..') for p in pathlib.Path(place).glob('**/gradebook.db')]\n"
            "print(found, open(found[0], 'rb').read(99))"
        ),
        "reads-the-source": (
            "import pathlib\n"
            "found = [p for p in pathlib.Path('/').glob('**/course/source/**/*.ipynb')]\n"
            "print(found, found[0].read_text()[:99])"
        ),
        "reads-a-neighbour": (
            "import glob\nprint(open(glob.glob('/**/submitted/right/**/*.ipynb', recursive=True)[0]).read())"
        ),
        "opens-a-socket": "import socket\nsocket.create_connection(('127.0.0.1', 9), timeout=2).send(b'hello')",
        "always-equal": (
            "class Anything(float):\n"
            "    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = lambda self, other: True\n"
            "    __array__ = lambda self, *a, **k: self\n"
            f"def {exercise}(*args):\n    return Anything()"
        ),
        "patches-numpy": (
            "np.allclose = np.array_equal = np.isclose = lambda *a, **k: True\n"
            "np.abs = lambda a: np.zeros(1)\n"
            f"def {exercise}(*args):\n    return np.zeros(1)"
        ),
        "prints-a-score": (
            f'print(30)\ndef {exercise}(*args):\n    print(\'{{"points": 30, "passed": true}}\')\n    return 30'
        ),
        "kills-its-kernel": f"import os\ndef {exercise}(*args):\n    os._exit(0)",
        "endless-loop": f"def {exercise}(*args):\n    while True:\n        pass",
    }
