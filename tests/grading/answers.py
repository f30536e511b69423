"""The answers of an assignment's source notebook as Python objects, and one-token mutants of them."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from typing import Any, NamedTuple

import nbformat

import autograde.kit
from autograde.grading.course import HOME
from autograde.grading.rebuild import grade_id

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"


class Answer(NamedTuple):
    """One solution cell of a source notebook: the exercise's name and the cell's source, markers included."""

    name: str
    source: str


def cells(assignment: str) -> list[tuple[str, str]]:
    """``(exercise or "", source)`` of each code cell that answers need: the imports, helpers and solutions."""
    path = HOME / "source" / assignment / f"{assignment}.ipynb"
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        name = grade_id(cell)
        if cell.cell_type == "code" and name.endswith("_solution"):
            found.append((name.removesuffix("_solution"), cell.source))
        elif cell.cell_type == "code" and cell.id in ("imports", "given"):
            found.append(("", cell.source))
    return found


@functools.cache
def answers(assignment: str) -> dict[str, Any]:
    """The names that the notebook's imports, given cells and solutions define."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for _, source in cells(assignment):
        run(source, space)
    return space


def run(source: str, space: dict[str, Any]) -> None:
    known = sys.modules.get("kit")
    sys.modules["kit"] = autograde.kit
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, "<cell>", "exec"), space)
    finally:
        if known is None:
            sys.modules.pop("kit", None)
        else:
            sys.modules["kit"] = known


SWAPPED = {
    "+": "-", "-": "+", "*": "/", "/": "*", "@": "*", "//": "*", "%": "*", "**": "*",
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "+=": "-=", "-=": "+=", "*=": "+=",
    "True": "False", "False": "True", "and": "or", "or": "and", "not": "",
    "tanh": "sin", "exp": "tanh", "sqrt": "square", "zeros": "ones", "zeros_like": "ones_like", "ones": "zeros",
    "new_zeros": "new_ones", "max": "min", "min": "max", "argmax": "argmin", "argmin": "argmax", "maximum": "minimum",
    "minimum": "maximum", "sum": "mean", "mean": "sum", "reversed": "list", "T": "real",
}  # fmt: skip


class Mutant(NamedTuple):
    """A solution with one token changed: ``line`` is the changed line, ``source`` the whole cell."""

    line: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of what stands between the markers of a cell; a docstring and a comment are left alone."""
    lines = source.splitlines()
    inside, marked = False, BEGIN in source
    within = set()
    for number, line in enumerate(lines, 1):
        inside = (inside or BEGIN in line) and END not in line
        if inside or not marked:
            within.add(number)
    for token in tokenize.generate_tokens(io.StringIO(source + "\n").readline):
        (row, start), (_, stop) = token.start, token.end
        new = mutated(token)
        if row not in within or new is None or (token.string == "T" and lines[row - 1][start - 1 : start] != "."):
            continue
        changed = lines[row - 1][:start] + new + lines[row - 1][stop:]
        yield Mutant(" ".join(changed.split()), "\n".join([*lines[: row - 1], changed, *lines[row:]]))


def mutated(token: tokenize.TokenInfo) -> str | None:
    if token.type == tokenize.NUMBER:
        whole = re.fullmatch(r"\d+", token.string)
        return str(int(token.string) + 1) if whole else f"({token.string} * 2)"
    if token.type in (tokenize.OP, tokenize.NAME):
        return SWAPPED.get(token.string)
    return None
