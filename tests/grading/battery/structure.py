"""What can be wrong with a notebook's cells and marks: all of it by accident or on purpose, none of it may matter."""

from __future__ import annotations

import copy
import json

from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell

from tests.grading.battery import FULL, Fault, Material, changed, is_check, marks, written

STUB = "def neuron_step(x_t, y_prev, w_x, w_y, b):\n    raise NotImplementedError()"


def checks(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if is_check(cell)]


def answer_cell(notebook: NotebookNode, name: str = "neuron_step") -> NotebookNode:
    return next(cell for cell in notebook.cells if marks(cell).get("grade_id") == f"{name}_solution")


def without_checks(notebook: NotebookNode) -> None:
    notebook.cells = [cell for cell in notebook.cells if not is_check(cell)]


def checks_twice(notebook: NotebookNode) -> None:
    notebook.cells += copy.deepcopy(checks(notebook))


def checks_first(notebook: NotebookNode) -> None:
    found = checks(notebook)
    notebook.cells = found[::-1] + [cell for cell in notebook.cells if not is_check(cell)]


def checks_as_text(notebook: NotebookNode) -> None:
    for cell in checks(notebook):
        cell.cell_type = "markdown"
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def checks_emptied(notebook: NotebookNode) -> None:
    for cell in checks(notebook):
        cell.source = "pass"


def more_points(notebook: NotebookNode) -> None:
    for cell in checks(notebook):
        marks(cell)["points"] = 1000


def flags_flipped(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        for flag in ("grade", "solution", "locked"):
            if marks(cell):
                marks(cell)[flag] = not marks(cell).get(flag)


def without_marks(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata = {}


def same_ids(notebook: NotebookNode) -> NotebookNode:
    for cell in notebook.cells:
        cell["id"] = "same"
    return notebook


def skipped(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution", "nbgrader-skip", "raises-exception"]


def pasted_elsewhere(notebook: NotebookNode) -> None:
    answer = answer_cell(notebook)
    notebook.cells.append(new_code_cell(answer.source))
    answer.source = STUB


def answers_twice(notebook: NotebookNode) -> None:
    """The stub first, the answer behind it under the same mark."""
    place = notebook.cells.index(answer_cell(notebook))
    stub = copy.deepcopy(notebook.cells[place])
    stub.source = STUB
    notebook.cells.insert(place, stub)


def answer_as_raw(notebook: NotebookNode) -> None:
    answer = answer_cell(notebook)
    answer.cell_type = "raw"
    answer.pop("outputs", None)
    answer.pop("execution_count", None)


def renamed_marks(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        if marks(cell):
            marks(cell)["grade_id"] = f"my-{marks(cell)['grade_id']}"


def marks_of_another_kind(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata["nbgrader"] = ["not", "a", "dict"]


def a_thousand_cells(notebook: NotebookNode) -> None:
    notebook.cells[2:2] = [new_code_cell(f"a{k} = {k}") for k in range(1000)]


def cells_of_another_kind(m: Material) -> bytes:
    tree = json.loads(written(m.right))
    tree["cells"] += [None, 3, "text", {"cell_type": "code"}, {"cell_type": "quantum", "source": {"a": 1}}]
    return json.dumps(tree).encode()


def merged_into_one(notebook: NotebookNode) -> None:
    """All code in one cell at the top, as a script; the marked cells left as they were released."""
    code = [cell for cell in notebook.cells if marks(cell).get("solution") and cell.cell_type == "code"]
    notebook.cells.insert(2, new_code_cell("\n\n".join(cell.source for cell in code)))
    notebook.cells = [cell for cell in notebook.cells if cell not in code]


FAULTS = [
    changed("check-deleted", without_checks),
    changed("check-duplicated", checks_twice),
    changed("check-reordered", checks_first),
    changed("check-retyped", checks_as_text),
    changed("check-emptied", checks_emptied, 0, "stub", blank=True),
    changed("more-points", more_points),
    changed("more-points-for-nothing", more_points, 0, "stub", blank=True),
    changed("flags-flipped", flags_flipped),
    changed("metadata-stripped", without_marks),
    changed("duplicate-ids", same_ids),
    changed("skip-execution", skipped),
    changed("skip-execution-for-nothing", skipped, 0, "stub", blank=True),
    changed("answer-in-another-cell", pasted_elsewhere),
    changed("answer-behind-its-stub", answers_twice),
    changed("answer-as-raw", answer_as_raw),
    changed("marks-renamed", renamed_marks),
    changed("marks-of-another-kind", marks_of_another_kind),
    changed("a-thousand-cells", a_thousand_cells),
    Fault("cells-of-another-kind", cells_of_another_kind, FULL),
    changed("merged-into-one", merged_into_one, FULL),
]
