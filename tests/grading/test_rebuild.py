"""Whatever became of a submission's cells, the student's work lands in the trusted notebook, and nothing else does."""

from __future__ import annotations

import copy
import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from autograde.grading.rebuild import grade_id, rebuild
from tests.grading.notebooks import marks, small_release

WORK = "def double(x):\n    return 2 * x"


def submitted():
    notebook = copy.deepcopy(small_release())
    notebook.cells[2].source = WORK
    notebook.cells[4].source = "Because two times."
    return notebook


def sources(rebuilt) -> dict[str, str]:
    return {grade_id(cell): cell.source for cell in rebuilt.notebook.cells if grade_id(cell)}


def holds_the_work(notebook, answer: bool = True) -> None:
    rebuilt = rebuild(small_release(), nbformat.writes(notebook).encode())
    assert rebuilt.fault is None
    assert sources(rebuilt)["double_solution"] == WORK
    assert sources(rebuilt)["double"] == 'check("double", double)'
    if answer:
        assert sources(rebuilt)["why"] == "Because two times."
    assert [grade_id(cell) for cell in rebuilt.notebook.cells if grade_id(cell)] == ["double_solution", "double", "why"]
    nbformat.validate(rebuilt.notebook)
    assert len({cell.id for cell in rebuilt.notebook.cells}) == len(rebuilt.notebook.cells)


def test_an_untouched_notebook_with_work_in_it() -> None:
    holds_the_work(submitted())


def test_metadata_and_ids_stripped_by_an_editor() -> None:
    notebook = json.loads(nbformat.writes(submitted()))
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        cell.pop("id")
    rebuilt = rebuild(small_release(), json.dumps(notebook).encode())
    assert sources(rebuilt)["double_solution"] == WORK
    assert sources(rebuilt)["why"] == "Because two times."


def test_metadata_stripped_with_the_ids_kept() -> None:
    notebook = submitted()
    for cell in notebook.cells:
        cell.metadata = {}
    holds_the_work(notebook)


def test_cells_in_another_order() -> None:
    notebook = submitted()
    notebook.cells = notebook.cells[::-1]
    holds_the_work(notebook)


def test_a_deleted_check_comes_back() -> None:
    notebook = submitted()
    del notebook.cells[3]
    holds_the_work(notebook)


def test_an_edited_check_is_the_releases_own_again_and_is_noted() -> None:
    notebook = submitted()
    notebook.cells[3].source = "pass"
    holds_the_work(notebook)
    rebuilt = rebuild(small_release(), nbformat.writes(notebook).encode())
    assert any("edited" in decision["note"] for decision in rebuilt.decisions)


def test_a_duplicated_check_is_graded_once() -> None:
    notebook = submitted()
    notebook.cells.insert(4, copy.deepcopy(notebook.cells[3]))
    notebook.cells[4].id = "another"
    holds_the_work(notebook)


def test_of_two_copies_of_an_answer_the_one_that_was_worked_on_counts() -> None:
    notebook = submitted()
    stub = copy.deepcopy(small_release().cells[2])
    stub.id = "copy"
    notebook.cells.insert(2, stub)
    rebuilt = rebuild(small_release(), nbformat.writes(notebook).encode())
    assert sources(rebuilt)["double_solution"] == WORK
    assert any("2 cells" in decision["note"] for decision in rebuilt.decisions)


@pytest.mark.parametrize("change", ["points", "grade", "locked", "solution", "tags"])
def test_flipped_flags_do_not_matter(change: str) -> None:
    notebook = submitted()
    for cell in notebook.cells:
        found = cell.metadata.get("nbgrader", {})
        if change == "points" and "points" in found:
            found["points"] = 1000
        elif change == "tags":
            cell.metadata["tags"] = ["skip-execution", "raises-exception"]
        elif change in found:
            found[change] = not found[change]
    holds_the_work(notebook)
    rebuilt = rebuild(small_release(), nbformat.writes(notebook).encode())
    assert [cell.metadata for cell in rebuilt.notebook.cells] == [cell.metadata for cell in small_release().cells]


def test_a_cell_retyped_as_text_still_counts() -> None:
    notebook = json.loads(nbformat.writes(submitted()))
    notebook["cells"][2]["cell_type"] = "raw"
    rebuilt = rebuild(small_release(), json.dumps(notebook).encode())
    assert sources(rebuilt)["double_solution"] == WORK


def test_own_cells_stay_behind_the_cell_they_followed_without_their_metadata() -> None:
    notebook = submitted()
    notebook.cells.insert(2, new_code_cell("helper = 2", metadata={"tags": ["skip-execution"]}))
    rebuilt = rebuild(small_release(), nbformat.writes(notebook).encode())
    code = [cell.source for cell in rebuilt.notebook.cells if cell.cell_type == "code"]
    assert code == ["import numpy as np", "helper = 2", WORK, 'check("double", double)']
    assert all(not cell.metadata for cell in rebuilt.notebook.cells if cell.source == "helper = 2")


def test_an_own_import_in_a_given_cell_is_kept() -> None:
    notebook = submitted()
    notebook.cells[1].source += "\nimport math"
    rebuilt = rebuild(small_release(), nbformat.writes(notebook).encode())
    code = [cell.source for cell in rebuilt.notebook.cells if cell.cell_type == "code"]
    assert code[:2] == ["import numpy as np", "import numpy as np\nimport math"]


def test_a_mark_that_nobody_gave_grades_nothing() -> None:
    notebook = submitted()
    notebook.cells.append(new_code_cell("100", metadata=marks("bonus", grade=True, points=100.0)))
    rebuilt = rebuild(small_release(), nbformat.writes(notebook).encode())
    assert "bonus" not in sources(rebuilt)


def test_html_in_a_written_answer_becomes_text() -> None:
    notebook = submitted()
    notebook.cells[4].source = "For a < b: <script>alert(1)</script><img src=x onerror=alert(2)>"
    rebuilt = rebuild(small_release(), nbformat.writes(notebook).encode())
    assert "<script" not in sources(rebuilt)["why"] and "<img" not in sources(rebuilt)["why"]
    assert "a < b" in sources(rebuilt)["why"]


def test_windows_line_ends_and_a_byte_order_mark() -> None:
    notebook = submitted()
    notebook.cells[2].source = WORK.replace("\n", "\r\n")
    data = b"\xef\xbb\xbf" + nbformat.writes(notebook).encode()
    assert sources(rebuild(small_release(), data))["double_solution"] == WORK


def test_a_notebook_of_format_3() -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {},
        "worksheets": [{"cells": [{"cell_type": "code", "input": WORK, "language": "python", "outputs": []}]}],
    }
    assert sources(rebuild(small_release(), json.dumps(old).encode()))["double_solution"] == WORK


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "no notebook"),
        (b"", "empty"),
        (b"   \n", "empty"),
        (b'{"cells": [', "cut off"),
        (b"[1, 2]", "not an object"),
        (b"{}", "no cells"),
        (b"\xff\xfe\x00", "not"),
        (b"\x80\x81\x82", "not text"),
        (b"[" * 100_000, "not valid JSON"),
    ],
    ids=["none", "empty", "spaces", "cut off", "a list", "no cells", "half a mark", "no text", "nested"],
)
def test_an_unreadable_file_is_the_blank_release_and_says_why(data, words: str) -> None:
    rebuilt = rebuild(small_release(), data)
    assert words in (rebuilt.fault or "")
    assert sources(rebuilt) == sources(rebuild(small_release(), nbformat.writes(small_release()).encode()))


def test_cells_of_any_shape_do_no_harm() -> None:
    cells = [
        None,
        3,
        [],
        {"source": 5},
        {"source": ["a", 1]},
        {"metadata": "no"},
        {"cell_type": "code", "source": WORK},
    ]
    rebuilt = rebuild(small_release(), json.dumps({"cells": cells}).encode())
    assert sources(rebuilt)["double_solution"] == WORK
