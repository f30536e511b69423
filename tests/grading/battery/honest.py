"""What looks odd and is right: it gets full marks."""

from __future__ import annotations

import json

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from tests.grading.battery import FULL, Fault, Material, answered, changed, marks, written

HEAD = "def neuron_step(x_t, y_prev, w_x, w_y, b):\n"


def saved_by_colab(notebook: NotebookNode) -> None:
    """Colab adds its own metadata to cells and notebook, keeps nbgrader's, and writes a hash as id."""
    notebook.metadata["colab"] = {"provenance": [], "name": "recurrent_neurons.ipynb"}
    notebook.metadata["accelerator"] = "GPU"
    for number, cell in enumerate(notebook.cells):
        cell.metadata["id"] = f"aB{number:010d}"
        cell.metadata["colab"] = {"base_uri": "https://localhost:8080/"}
        cell["id"] = f"aB{number:010d}"


def saved_by_vs_code(notebook: NotebookNode) -> NotebookNode:
    """An editor that keeps no marks and no ids and writes one long source."""
    for cell in notebook.cells:
        cell.metadata = {"vscode": {"languageId": "python"}}
    tree = json.loads(nbformat.writes(notebook))
    for cell in tree["cells"]:
        cell.pop("id", None)
        cell["source"] = "".join(cell["source"])
    tree["nbformat_minor"] = 2
    return nbformat.from_dict(tree)


def saved_by_jupyterlab(notebook: NotebookNode) -> None:
    notebook.metadata["kernelspec"] = {"display_name": "conda-base", "language": "python", "name": "conda-base-py"}
    for number, cell in enumerate(notebook.cells):
        cell.metadata["execution"] = {"iopub.status.busy": "2026-01-01T00:00:00Z"}
        cell.metadata["tags"] = ["collapsed"]
        if cell.cell_type == "code":
            cell.execution_count = 90 - number


def windows_line_ends(m: Material) -> bytes:
    tree = json.loads(written(m.right))
    for cell in tree["cells"]:
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")
    return json.dumps(tree, indent=1).replace("\n", "\r\n").encode()


def helpers(notebook: NotebookNode) -> None:
    notebook.cells.insert(2, new_code_cell("from functools import partial\nimport numpy\nnp32 = numpy.float32"))
    notebook.cells.append(new_code_cell("neuron_step(np.ones(2), 0.0, np.ones(2), 1.0, 0.0)"))


def magics(notebook: NotebookNode) -> None:
    notebook.cells.insert(2, new_code_cell("%matplotlib inline\n%config InlineBackend.figure_format = 'retina'"))
    notebook.cells.insert(3, new_code_cell("%%time\nx = 1"))
    notebook.cells.insert(4, new_code_cell("!ls\n%load_ext autoreload\n%autoreload 2"))


def many_notes(notebook: NotebookNode) -> None:
    for place in range(len(notebook.cells), 0, -1):
        notebook.cells.insert(place, new_markdown_cell("A thought <script>alert(1)</script> 생각"))


def cleared(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None


def an_error_before(notebook: NotebookNode) -> None:
    notebook.cells.insert(1, new_code_cell("this_does_not_exist"))


def answers_at_the_top(notebook: NotebookNode) -> None:
    answers = [cell for cell in notebook.cells if marks(cell).get("solution") and cell.cell_type == "code"]
    rest = [cell for cell in notebook.cells if cell not in answers]
    notebook.cells = rest[:2] + answers + rest[2:]


FAULTS = [
    changed("colab", saved_by_colab),
    changed("vs-code", saved_by_vs_code),
    changed("jupyterlab", saved_by_jupyterlab),
    Fault("windows-line-ends", windows_line_ends, FULL),
    changed("extra-helpers", helpers),
    changed("magics", magics),
    changed("many-notes", many_notes),
    changed("cleared", cleared),
    changed("an-error-before", an_error_before),
    changed("answers-at-the-top", answers_at_the_top),
    answered(
        "korean",
        "# 순환 뉴런: 입력과 이전 출력을 더한다\n"
        + HEAD
        + "    합 = x_t @ w_x + w_y * y_prev + b\n    return np.tanh(합)",
        FULL,
    ),
    answered("float32-inside", HEAD + "    return np.tanh(np.float32(x_t @ w_x + w_y * y_prev + b))", FULL),
    answered("an-array-of-one", HEAD + "    return np.tanh(np.array(x_t @ w_x + w_y * y_prev + b))", FULL),
    answered(
        "lists",
        "def rnn_step(x_t, h_prev, W_x, W_h, b):\n    return np.tanh(x_t @ W_x + h_prev @ W_h + b).tolist()",
        FULL,
        exercise="rnn_step",
    ),
    answered(
        "a-class-for-a-function",
        "class Step:\n    def __call__(self, x_t, y_prev, w_x, w_y, b):\n"
        "        return np.tanh(x_t @ w_x + w_y * y_prev + b)\nneuron_step = Step()",
        FULL,
    ),
    answered("a-lambda", "neuron_step = lambda x_t, y_prev, w_x, w_y, b: np.tanh(x_t @ w_x + w_y * y_prev + b)", FULL),
    answered(
        "decorated-and-typed",
        "import functools\ndef told(f):\n    @functools.wraps(f)\n    def inner(*a):\n        print('called')\n"
        "        return f(*a)\n    return inner\n@told\n"
        "def neuron_step(x_t: np.ndarray, y_prev: float, w_x: np.ndarray, w_y: float, b: float) -> float:\n"
        "    return np.tanh(x_t @ w_x + w_y * y_prev + b)",
        FULL,
    ),
    answered("tabs", HEAD + "\treturn np.tanh(x_t @ w_x + w_y * y_prev + b)", FULL),
]
