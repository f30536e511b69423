"""Fill the scores into a table that Canvas or Moodle exported, as a new file that each of them imports.

Canvas reads back its own gradebook export: the columns that say who a student is, up to Section, and columns of
assignments, whose points stand in a row of their own. Only ours goes back, so that nothing else there can change.
Moodle reads a table with a column that says who is who, and stops at the first person whom it does not know: so its own
export is filled, and keeps all its columns. In both, an empty field would erase a grade: a student who has no score
here keeps what the export says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from autograde.report import matching, tables
from autograde.report.matching import Match
from autograde.report.numbers import total
from autograde.report.sheet import Sheet, read

POINTS = "Points Possible"
CANVAS_IDS = ("SIS Login ID", "SIS User ID", "Integration ID", "ID")
MOODLE_IDS = ("Username", "Email address", "ID number", "Email", "idnumber", "User ID", "Identifier")
PEOPLE = ("first name", "last name", "surname", "full name")  # two people can share them
MOODLE_LIMIT = 100  # points, above which Moodle refuses a grade unless its administrator allows it
SETTLED = {"EX": "excused", "N/A": "not assigned"}


@dataclass
class Filled:
    """What was written, by which column students were matched, how many got a score, and what to look at."""

    path: Path
    by: str
    column: str
    count: int
    notes: list[str] = field(default_factory=list)


def canvas(
    export: Path, out: Path, name: str, scores: dict[str, dict], roster: dict[str, dict], column: str = ""
) -> Filled:
    """Fill Canvas's gradebook export.

    Raises:
        ValueError: the file is not such an export, no row is one of our students, or ``column`` is not in it.
    """
    sheet = _read(export, out)
    section = sheet.column("Section")
    ids = [place for head in CANVAS_IDS if (place := sheet.column(head)) is not None]
    if section is None or not ids:
        raise ValueError(
            f"{export} is not a gradebook that Canvas exported: its header has {_listed(sheet.heads)}; expected "
            "Student, ID, SIS Login ID, Section. In Canvas: Grades, Export, Export Entire Gradebook"
        )
    place = _canvas_column(sheet, section, name, column, export)
    points = next((row for row in sheet.rows if POINTS in row[0]), None)
    if place is None:
        place = len(sheet.heads)
        sheet.heads.append(name)
        for row in sheet.rows:
            row.append(f"{_most(scores):g}" if row is points else "")
        sheet.notes.append(f"no column is for {name}: Canvas will ask to make an assignment of this name")
    elif points is not None:
        if "read only" in points[place]:
            raise ValueError(f"Canvas does not take scores for {sheet.heads[place]!r}: it is read only")
        if _number(points[place]) not in (None, _most(scores)):
            sheet.notes.append(f"Canvas gives {points[place]} points for it, and the gradebook here {_most(scores):g}")
    by, count = _fill(sheet, ids, place, scores, roster)
    _save(out, sheet, [*range(section + 1), place])
    return Filled(out, by, sheet.heads[place], count, sheet.notes)


def moodle(
    export: Path, out: Path, name: str, scores: dict[str, dict], roster: dict[str, dict], column: str = ""
) -> Filled:
    """Fill Moodle's grade export, its list of participants, or the grading worksheet of an assignment.

    Raises:
        ValueError: the file is no table, no row is one of our students, or ``column`` is not in it.
    """
    sheet = _read(export, out)
    place = _moodle_column(sheet, name, column, export)
    if place is None:
        place = len(sheet.heads)
        sheet.heads.append(name)
        for row in sheet.rows:
            row.append("-")  # Moodle's sign for no grade
    ids = [found for head in MOODLE_IDS if (found := sheet.column(head)) is not None]
    others = [n for n, head in enumerate(sheet.heads) if n not in (place, *ids) and head.casefold() not in PEOPLE]
    most = sheet.column("Maximum grade")
    if most is not None and any(_number(row[most]) not in (None, _most(scores)) for row in sheet.rows):
        sheet.notes.append(f"Moodle's maximum grade is another than the {_most(scores):g} points of the gradebook here")
    if any(total(score) > MOODLE_LIMIT for score in scores.values()):
        sheet.notes.append(f"a score is above {MOODLE_LIMIT}, which Moodle refuses unless it is set to allow it")
    by, count = _fill(sheet, [*ids, *others], place, scores, roster)
    _save(out, sheet, range(len(sheet.heads)))
    return Filled(out, by, sheet.heads[place], count, sheet.notes)


def _read(export: Path, out: Path) -> Sheet:
    if out.exists() and export.exists() and out.samefile(export):
        raise ValueError(f"{export} is where the result would be written: export again, to another place")
    sheet = read(export)
    if not sheet.rows:
        raise ValueError(f"{export} has a header and no rows")
    return sheet


def _canvas_column(sheet: Sheet, section: int, name: str, column: str, export: Path) -> int | None:
    """The assignment's column, whose header is its title and, in brackets, Canvas's number."""
    fitting = [n for n, head in enumerate(sheet.heads) if n > section and _same(head, column or name)]
    return _only(sheet, fitting, column, export)


def _moodle_column(sheet: Sheet, name: str, column: str, export: Path) -> int | None:
    """The column named, else a worksheet's Grade, else the one of an export that is named for the assignment."""
    if not column and sheet.column("Grade") is not None and sheet.column("Identifier") is not None:
        return sheet.column("Grade")
    wanted = lambda head: head.casefold() == column.casefold() if column else _same(head.partition(":")[2], name)
    return _only(sheet, [n for n, head in enumerate(sheet.heads) if wanted(head)], column, export)


def _only(sheet: Sheet, fitting: list[int], column: str, export: Path) -> int | None:
    if len(fitting) > 1:
        raise ValueError(f"several columns fit: {_listed(sheet.heads[n] for n in fitting)}; say which with --column")
    if column and not fitting:
        raise ValueError(f"{export} has no column {column!r} for a grade; its columns are {_listed(sheet.heads)}")
    return fitting[0] if fitting else None


def _same(head: str, name: str) -> bool:
    """Whether a header is a name, in whatever spelling, with or without a number or a kind in brackets at its end."""
    plain = head.rpartition(" (")[0] if head.endswith(")") else head
    return _spelled(name) in (_spelled(head), _spelled(plain))


def _spelled(words: str) -> str:
    return "".join(letter for letter in words.casefold() if letter.isalnum())


def _fill(
    sheet: Sheet, columns: list[int], place: int, scores: dict[str, dict], roster: dict[str, dict]
) -> tuple[str, int]:
    """Write the scores into a column and note what a person should look at; returns what matched, and how many."""
    known = {student: [student, *filter(None, roster.get(student, {}).values())] for student in scores}
    found = matching.match(sheet, columns, known)
    if not found.students:
        row = next((row for row in sheet.rows if row[columns[0]].strip()), [""] * len(sheet.heads))
        raise ValueError(
            f"no row is a student with a score: {sheet.heads[columns[0]]!r} holds {row[columns[0]]!r} and the like, "
            f"the gradebook {_listed(sorted(scores)[:3])}. Give the gradebook their addresses or the platform's ids: "
            "nbgrader db student add ID --email ADDRESS --lms-user-id NUMBER"
        )
    changed = count = 0
    for number, student in found.students.items():
        row, score = sheet.rows[number], f"{round(total(scores[student]), 2):g}"
        settled = SETTLED.get(row[place].strip().upper())
        if settled:
            sheet.notes.append(f"{student} is {settled} there, and keeps that: the score here is {score}")
            continue
        old = _number(row[place])
        changed += old is not None and abs(old - float(score)) > 0.005
        count += 1
        row[place] = score
    _notes(sheet, found, scores, changed)
    return sheet.heads[found.column], count


def _notes(sheet: Sheet, found: Match, scores: dict[str, dict], changed: int) -> None:
    for student, rows in sorted(found.twice.items()):
        sheet.notes.append(f"{student} is in {len(rows)} rows ({_listed(n + 2 for n in rows)}); none was filled")
    lost = sorted(set(scores) - set(found.students.values()) - set(found.twice))
    if lost:
        sheet.notes.append(f"not in the file: {', '.join(lost)}")
    if changed:
        sheet.notes.append(f"grades that differ and were replaced: {changed}")
    unread = sum(bool(scores[student]["waiting"]) for student in found.students.values())
    if unread:
        sheet.notes.append(f"students with written answers that nobody has read yet: {unread}; those count as 0")


def _save(out: Path, sheet: Sheet, places: Iterable[int]) -> None:
    """Write columns as both platforms read them: UTF-8, with commas. The fields go back as they came."""
    kept = list(places)
    tables.write(out, tables.plain_csv([[row[place] for place in kept] for row in (sheet.heads, *sheet.rows)]))


def _most(scores: dict[str, dict]) -> float:
    return max((score["max_score"] or 0.0 for score in scores.values()), default=0.0)


def _number(words: str) -> float | None:
    try:
        return float(words.strip().replace(",", "."))
    except ValueError:
        return None


def _listed(words: Iterable) -> str:
    return ", ".join(map(str, words))
