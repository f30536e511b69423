"""Verdicts as outputs of the graded cells, in the form from which nbgrader reads scores.

nbgrader gives a graded cell 0 for an error or anything on stderr, the number of an ``execute_result``, and full marks
otherwise (``nbgrader.utils.determine_grade``). A display beside it does not count, so words go there.
"""

from __future__ import annotations

from html import escape

from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_output

from autograde.grading.execute import graded_by_machine
from autograde.grading.rebuild import grade_id
from autograde.kit.staging import Verdict

UNSAFE = "This score was made without a sandbox."


def record(notebook: NotebookNode, verdicts: dict[str, Verdict], unsafe: bool, book: str = "") -> None:
    """Replace the outputs of every graded cell by its verdict, and leave no stray mark on any other."""
    for cell in notebook.cells:
        if graded_by_machine(cell):
            cell.outputs = outputs(verdicts[grade_id(cell)], unsafe, book)
            cell.execution_count = None


def outputs(verdict: Verdict, unsafe: bool, book: str = "") -> list[NotebookNode]:
    """The outputs of one graded cell: its words, then a number, an error, or nothing."""
    text, html = as_text(verdict, unsafe), as_html(verdict, unsafe, book)
    words = new_output("display_data", data={"text/plain": text, "text/html": html})
    if verdict["points"] >= verdict["max_points"]:
        return [words]
    if verdict["points"] > 0:
        return [words, new_output("execute_result", data={"text/plain": f"{verdict['points']:g}"})]
    message = f"{score(verdict)}. {verdict['message']}"
    return [words, new_output("error", ename=verdict["reason"], evalue=verdict["message"], traceback=[message])]


def score(verdict: Verdict) -> str:
    return f"{verdict['points']:g} of {verdict['max_points']:g} points"


def as_text(verdict: Verdict, unsafe: bool) -> str:
    lines = [f"{score(verdict)}. {verdict['message']}", *([UNSAFE] if unsafe else [])]
    if not verdict["passed"]:
        lines += [f"{g['points']:g}/{g['of']:g}  {g['words']}" for g in verdict["groups"]]
    return "\n".join(lines)


def chapters_of(book: str) -> str:
    """Where the chapters of a hosted book lie, by the book's address or by theirs.

    >>> chapters_of("https://example.org/unrolled/index.html"), chapters_of("https://example.org/chapters/")
    ('https://example.org/unrolled/chapters', 'https://example.org/chapters')
    """
    address = book.rstrip("/").removesuffix("/index.html")
    return address if address.endswith("/chapters") else f"{address}/chapters"


def as_html(verdict: Verdict, unsafe: bool, book: str = "") -> str:
    """The verdict as HTML of the few tags that nbconvert lets through; every word of a student's is escaped."""
    parts = [f"<div><strong>{score(verdict)}.</strong> {escape(verdict['message'])}</div>"]
    if unsafe:
        parts.append(f"<div><strong>{UNSAFE}</strong></div>")
    if verdict["link"] and book:
        page = escape(f"{chapters_of(book)}/{verdict['link']}")
        parts.append(f'<div><a href="{page}">Read the chapter again</a></div>')
    if not verdict["passed"]:
        rows = [[f"{g['points']:g}/{g['of']:g}", escape(g["words"])] for g in verdict["groups"]]
        parts.append(_table(["points", "for"], rows))
    if verdict["table"]:
        rows = [
            [
                escape(row["case"]),
                escape(row["output"]),
                _shape(row["got_shape"]),
                _shape(row["expected_shape"]),
                _number(row["largest_difference"]),
            ]
            for row in verdict["table"]
        ]
        parts.append(_table(["on", "output", "its shape", "expected shape", "largest difference"], rows))
    return "".join(parts)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [[f"<strong>{head}</strong>" for head in heads], *rows]
    return "<table>" + "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in line)}</tr>" for line in lines) + "</table>"


def _shape(shape: list[int]) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
