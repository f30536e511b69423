"""What can be wrong with the file that was handed in, before anyone reads a cell."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.grading.battery import FULL, Fault, Material, written


def right(m: Material) -> bytes:
    return written(m.right)


def with_outputs(size: int):
    def make(m: Material) -> bytes:
        notebook = nbformat.from_dict(json.loads(right(m)))
        notebook.cells[1].outputs = [new_output("stream", name="stdout", text="x" * size)]
        return written(notebook)

    return make


def as_version_3(m: Material) -> bytes:
    """The old form: worksheets, and ``input`` for a code cell's source."""
    cells = []
    for cell in m.right.cells:
        source = {"input": cell.source, "language": "python", "outputs": []} if cell.cell_type == "code" else {}
        cells.append({"cell_type": cell.cell_type, "metadata": cell.metadata, **(source or {"source": cell.source})})
    sheets = {"metadata": {"name": "old"}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells}]}
    return json.dumps(sheets).encode()


def of_another_assignment(m: Material) -> bytes:
    return written(new_notebook(cells=[new_code_cell("print('week 1')"), new_code_cell("def mean(x):\n    return 0")]))


def link_to_the_gradebook(folder: Path) -> None:
    (folder / "data.txt").symlink_to(folder.parents[2] / "gradebook.db")


def link_as_the_notebook(folder: Path) -> None:
    (folder / "recurrent_neurons.ipynb").symlink_to(
        folder.parents[1] / "neighbour-a/recurrent_neurons/recurrent_neurons.ipynb"
    )


def folder_as_the_notebook(folder: Path) -> None:
    (folder / "recurrent_neurons.ipynb").mkdir()


def names_that_climb(folder: Path) -> None:
    (folder / "..\\..\\evil.py").write_text("raise SystemExit")
    (folder / "name\nwith a line end.txt").write_text("x")


def own_kit(folder: Path) -> None:
    (folder / "kit").mkdir()
    (folder / "kit" / "__init__.py").write_text("check = lambda *a: None\nload_seattle_weather = dict\n")


def own_module(folder: Path) -> None:
    (folder / "mine.py").write_text("import numpy as np\nsquash = np.tanh\n")


def second_notebook(folder: Path) -> None:
    (folder / "scratch.ipynb").write_text("{}")


def notes(folder: Path) -> None:
    (folder / "notes.txt").write_text("I was ill.")


FAULTS = [
    Fault("invalid-json", lambda m: b"{'cells': []}", 0, "unreadable"),
    Fault("empty-file", lambda m: b"", 0, "no_submission"),
    Fault("truncated", lambda m: right(m)[:-3000], 0, "unreadable"),
    Fault("renamed", right, FULL, file_name="homework (1).ipynb"),
    Fault("no-notebook", lambda m: None, 0, "no_submission", files=notes),
    Fault("nbformat-3", as_version_3, FULL),
    Fault("not-utf-8", lambda m: right(m).replace(b"Recurrent", "Récurrent".encode("latin-1"), 1), 0, "unreadable"),
    Fault("utf-16", lambda m: right(m).decode().encode("utf-16"), FULL),
    Fault("byte-order-mark", lambda m: b"\xef\xbb\xbf" + right(m), FULL),
    Fault("output-of-100-mb", with_outputs(100 * 2**20), FULL),
    Fault("link-to-the-gradebook", right, FULL, files=link_to_the_gradebook),
    Fault("notebook-is-a-link", lambda m: None, 0, "no_submission", files=link_as_the_notebook),
    Fault("notebook-is-a-folder", lambda m: None, 0, "no_submission", files=folder_as_the_notebook),
    Fault("names-that-climb", right, FULL, files=names_that_climb),
    Fault("another-assignment", of_another_assignment, 0, "stub"),
    Fault("a-list", lambda m: b"[1, 2, 3]", 0, "unreadable"),
    Fault("cells-are-no-list", lambda m: b'{"cells": {"a": 1}, "nbformat": 4}', 0, "unreadable"),
    Fault("nested-for-ever", lambda m: b'{"cells": ' + b"[" * 200_000, 0, "unreadable"),
    Fault("a-number-of-a-million-digits", lambda m: b'{"cells": ' + b"9" * 1_000_000 + b"}", 0, "unreadable"),
    Fault("own-kit", lambda m: written(m.release), 0, "stub", files=own_kit),
    Fault(
        "own-module",
        lambda m: right(m).replace(
            b"return np.tanh(x_t @ w_x", b"from mine import squash\\n    return squash(x_t @ w_x"
        ),
        FULL,
        files=own_module,
    ),
    Fault("two-notebooks", right, FULL, files=second_notebook),
]
