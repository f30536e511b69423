"""Read a table that a learning platform or a spreadsheet program wrote, in whatever encoding and with any separator."""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

MAX_BYTES = 50 * 2**20
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass
class Sheet:
    """A table: its header, its rows (each as long as the header), and what was noticed while it was read."""

    heads: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)

    def column(self, head: str) -> int | None:
        """The place of a column, whatever its capitals; None where there is none."""
        wanted = [n for n, other in enumerate(self.heads) if other.casefold() == head.casefold()]
        if len(wanted) > 1:
            raise ValueError(f"{len(wanted)} columns are called {head!r}; leave one of them")
        return wanted[0] if wanted else None


def read(path: Path) -> Sheet:
    """Read a CSV file with a header.

    Raises:
        ValueError: it cannot be read as a table; the words say why, and what to do.
    """
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if size > MAX_BYTES:
        raise ValueError(f"{path} has {size / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} are read")
    if data[:2] == b"PK":
        raise ValueError(f"{path} is a spreadsheet, not CSV: open it, and save it as CSV")
    text, notes = decoded(data)
    lines = text.split("\n", 1)
    if lines[0].strip().lower().startswith("sep=") and len(lines) > 1:  # a line for spreadsheet programs
        text = lines[1]
    if not text.strip():
        raise ValueError(f"{path} is empty")
    heads, *rows = parsed(text, path)
    return Sheet([head.strip() for head in heads], _even(rows, len(heads), path), notes)


def decoded(data: bytes) -> tuple[str, list[str]]:
    """A file's text, and a note where its encoding had to be guessed."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace"), []
    if data[:400].count(0) > len(data[:400]) // 4:
        little = data[1:400:2].count(0) >= data[0:400:2].count(0)
        return data.decode("utf-16-le" if little else "utf-16-be", "replace"), []
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        note = "the file is not UTF-8 and was read as Windows-1252: look whether names with accents are right"
        return data.decode("cp1252", "replace"), [note]


def parsed(text: str, path: Path) -> list[list[str]]:
    """The lines of a table, split at the separator that gives its header the most fields; empty lines are left out."""
    lines = lambda separator: csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        best = max(SEPARATORS, key=lambda separator: len(next(filter(any, lines(separator)), [])))
        found = [row for row in lines(best) if any(row)]
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from None
    if not found or len(found[0]) < 2:
        raise ValueError(f"{path} has one column only; expected a table with {', '.join(SEPARATORS.values())} between")
    return found


def _even(rows: list[list[str]], width: int, path: Path) -> list[list[str]]:
    """Rows as long as the header: what is missing at an end is empty, and nothing that is there is cut off."""
    for number, row in enumerate(rows, 2):
        if any(row[width:]):
            raise ValueError(
                f"{path}: row {number} has {len(row)} fields, and the header {width}. "
                "Is a name with a separator in it not in quotes?"
            )
    return [row[:width] + [""] * (width - len(row)) for row in rows]
