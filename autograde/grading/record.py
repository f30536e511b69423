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


def as_html(verdict: Verdict, unsafe: bool, book: str = "") -> str:
    """The verdict as HTML; every word that could come from a student is escaped."""
    parts = [f"<p><strong>{score(verdict)}.</strong> {escape(verdict['message'])}</p>"]
    if unsafe:
        parts.append(f"<p><strong>{UNSAFE}</strong></p>")
    if verdict["link"] and book:
        parts.append(f'<p><a href="{escape(book.rstrip("/") + "/" + verdict["link"])}">Read the chapter again</a></p>')
    if not verdict["passed"]:
        rows = "".join(
            f"<tr><td>{g['points']:g}/{g['of']:g}</td><td>{escape(g['words'])}</td></tr>" for g in verdict["groups"]
        )
        parts.append(f"<table><tr><th>points</th><th>for</th></tr>{rows}</table>")
    if verdict["table"]:
        rows = "".join(
            f"<tr><td>{escape(r['case'])}</td><td>{escape(r['output'])}</td><td>{_shape(r['got_shape'])}</td>"
            f"<td>{_shape(r['expected_shape'])}</td><td>{_number(r['largest_difference'])}</td></tr>"
            for r in verdict["table"]
        )
        head = "<tr><th>on</th><th>output</th><th>its shape</th><th>expected shape</th><th>largest difference</th></tr>"
        parts.append(f"<table>{head}{rows}</table>")
    return "".join(parts)


def _shape(shape: list[int]) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
