"""Which row of a learning platform's table is which student of the course."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from autograde.report.sheet import Sheet

# From strict to lenient; the next is asked only for what the one before does not know.
FORMS: tuple[Callable[[str], str], ...] = (
    str.strip,
    lambda text: text.strip().casefold(),
    lambda text: text.strip().casefold().partition("@")[0],
)


@dataclass(frozen=True)
class Match:
    """Rows with their students, by one column; and the students and rows that were named twice."""

    column: int
    students: dict[int, str]
    twice: dict[str, list[int]]


def match(sheet: Sheet, columns: Sequence[int], known: Mapping[str, Iterable[str]]) -> Match:
    """Match by the column in which the most students are found, the first of ``columns`` where several tie.

    ``known`` gives each student's own names: the id in the gradebook, the address, the platform's id. A row that fits
    two students fits none.
    """
    tables = [_table(form, known) for form in FORMS]
    found = [_by(sheet, column, tables) for column in columns]
    return max(found, key=lambda by: (len(by.students) + len(by.twice), len(by.students)))


def _table(form: Callable[[str], str], known: Mapping[str, Iterable[str]]) -> dict[str, str]:
    pairs = {(form(name), student) for student, names in known.items() for name in names if name and form(name)}
    often = Counter(key for key, _ in pairs)
    return {key: student for key, student in pairs if often[key] == 1}


def _by(sheet: Sheet, column: int, tables: list[dict[str, str]]) -> Match:
    found: dict[str, list[int]] = {}
    for number, row in enumerate(sheet.rows):
        hits = (table.get(form(row[column])) for form, table in zip(FORMS, tables) if row[column].strip())
        student = next((hit for hit in hits if hit), None)
        if student:
            found.setdefault(student, []).append(number)
    twice = {student: rows for student, rows in found.items() if len(rows) > 1}
    return Match(column, {rows[0]: student for student, rows in found.items() if len(rows) == 1}, twice)
