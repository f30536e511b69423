"""CSV tables that a spreadsheet may open: no text in them is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def guarded(value: object) -> object:
    """A value that no spreadsheet takes for a formula; numbers stay numbers.

    >>> guarded("=1+1"), guarded("ada"), guarded(-1.5)
    ("'=1+1", 'ada', -1.5)
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def as_csv(heads: list[str], rows: Iterable[list]) -> str:
    return plain_csv([heads, *([guarded(value) for value in row] for row in rows)])


def plain_csv(rows: Iterable[list]) -> str:
    """Rows as they are: for a program, which needs each field unchanged."""
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()


def write(path: Path, text: str) -> Path:
    """Write a file whole or not at all; a link of this name is replaced, never written through."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.making")
    made.write_text(text, encoding="utf-8", newline="")
    made.replace(path)
    return path
