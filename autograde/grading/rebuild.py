"""Put a student's work into the trusted release notebook, so that nothing else of the submission matters.

Every cell of the result is the release's own, but for the sources of the solution cells, which are the student's, and
for the student's extra code cells, which are kept behind the cell that they followed. Which cell is which is decided
by ``grade_id``, then by the cell's id, then by the name that it defines, then by similarity and position. Each decision
is recorded.

The file is hostile until read: what is not needed of it (outputs, pictures, widgets) is left out before anything is
parsed, and telling cells apart takes time in proportion to their number, whatever they hold.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import dataclass, field, replace
from typing import Any

import nbformat
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell

from autograde.grading.course import MAX_BYTES
from autograde.grading.printable import printable

MAX_READ = 8 * 2**20  # of what is left of it without outputs, attachments and widgets
MAX_BRACKETS = 5_000_000  # of what is left out, where it is nested
MAX_SOURCE = 200_000
MAX_CELLS = 2_000
COMPARED = 2_000  # characters of a cell
ALIKE = 0.4
CUT_OFF = "the file is not a notebook: it is not valid JSON, or it was cut off"
DEFINES = re.compile(r"^(?:def|class)\s+(\w+)|^(\w+)\s*=", re.MULTILINE)
# A quote behind a backslash is within a string; elsewhere `"outputs":` can only be a key. Nothing here backtracks.
BULK = re.compile(rb'(?<!\\)"(?:outputs|attachments|widgets)"\s*+:\s*+(?=[\[{])')
ATOM = rb'[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"'
QUOTE, OPENING = ord('"'), b"[{"
SHALLOW = re.compile(rb"(?:%b|[\[{](?:%b|[\[{](?:%b)*+[\]}])*+[\]}])*+" % (ATOM, ATOM, ATOM), re.DOTALL)


@dataclass(frozen=True)
class Found:
    """One cell of a submission, reduced to what is read of it."""

    position: int
    kind: str
    source: str
    grade_id: str
    cell_id: str
    defines: frozenset[str]


@dataclass
class Rebuilt:
    """The notebook to run, how each cell was found, and the words of a fault of the whole file, if there is one."""

    notebook: NotebookNode
    decisions: list[dict] = field(default_factory=list)
    fault: str | None = None


def rebuild(release: NotebookNode, submitted: bytes | None) -> Rebuilt:
    """Rebuild a submission from the bytes of its file (``None``: there is no file). Never raises for its contents."""
    blank = copy.deepcopy(release)
    for cell in blank.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    if submitted is None:
        return Rebuilt(blank, [], "no notebook was handed in")
    cells, fault = read_cells(submitted)
    if fault:
        return Rebuilt(blank, [], fault)
    known = {grade_id(cell) for cell in release.cells}
    read = [cell if cell.grade_id in known else replace(cell, grade_id="") for cell in cells]
    rebuilt = _merged(blank, [cell for cell in read if len(cell.source) <= MAX_SOURCE])
    for cell in cells:
        if len(cell.source) > MAX_SOURCE:
            note = f"cell {cell.position + 1} has more than {MAX_SOURCE:,} characters and was not read"
            rebuilt.decisions.append({"cell": cell.grade_id, "how": "left out", "note": note})
    return rebuilt


def read_cells(data: bytes) -> tuple[list[Found], str | None]:
    """The cells of a notebook file, of whatever version and state, and words for what makes it unreadable."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")  # UTF-16, which is read whole
    most = MAX_BYTES // 4 if wide else MAX_BYTES
    if len(data) > most:
        words = "clear its outputs and hand in again"
        return [], f"the file has {len(data) / 2**20:.0f} MiB; at most {most // 2**20} are read: {words}"
    try:
        slim, fault = without_bulk(data.decode("utf-16").encode() if wide else data)
        if fault:
            return [], fault
        if not slim.strip():
            return [], "no notebook was handed in, or an empty file"
        tree = json.loads(slim.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return [], "the file is not text"
    except (ValueError, RecursionError):
        return [], CUT_OFF
    if not isinstance(tree, dict):
        return [], "the file is not a notebook: its JSON is not an object"
    raw = tree.get("cells")
    if raw is None and isinstance(tree.get("worksheets"), list):
        raw = [cell for sheet in tree["worksheets"] if isinstance(sheet, dict) for cell in sheet.get("cells") or []]
    if not isinstance(raw, list):
        return [], "the file is not a notebook: it has no cells"
    found = [_found(position, cell) for position, cell in enumerate(raw[:MAX_CELLS])]
    return [cell for cell in found if cell is not None], None


def without_bulk(data: bytes) -> tuple[bytes, str | None]:
    """A notebook file without its outputs, attachments and widgets, and words for what is wrong with it.

    They are passed over, never parsed, so that the largest outputs cost neither memory nor a mark.
    """
    kept, at, brackets = bytearray(), 0, 0
    while key := BULK.search(data, at, at + MAX_READ - len(kept)):
        kept += data[at : key.end()] + b"[]"
        at, brackets = _behind(data, key.end(), brackets)
        if brackets > MAX_BRACKETS:
            return b"", f"its outputs hold more than {MAX_BRACKETS:,} brackets; clear them and hand in again"
        if not at:
            return b"", CUT_OFF
    if len(data) - at > MAX_READ - len(kept):
        return b"", f"the file is too large even without its outputs: at most {MAX_READ // 2**20} MiB of it are read"
    return bytes(kept) + data[at:], None


def _behind(data: bytes, at: int, brackets: int) -> tuple[int, int]:
    """The place behind the list or object that begins at ``at`` (0: it has no end), and the brackets counted so far.

    What is nested no more than twice is passed over at once, without a count.
    """
    depth = 0
    while brackets <= MAX_BRACKETS:
        if at == len(data) or data[at] == QUOTE:
            return 0, brackets
        depth += 1 if data[at] in OPENING else -1
        at, brackets = at + 1, brackets + 1
        if not depth:
            break
        at = SHALLOW.match(data, at).end()  # type: ignore[union-attr]
    return at, brackets


def _found(position: int, cell: Any) -> Found | None:
    if not isinstance(cell, dict):
        return None
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str):
        return None
    source = source[: MAX_SOURCE + 1]
    source = printable(source.replace("\r\n", "\n").replace("\r", "\n"))
    marks = _dict(_dict(cell.get("metadata")).get("nbgrader"))
    return Found(
        position,
        "code" if cell.get("cell_type") == "code" else "markdown",
        source,
        _text(marks.get("grade_id")),
        _text(cell.get("id")),
        _defined(source),
    )


def without_html(text: str) -> str:
    """A student's text whose raw HTML shows as text, so that no script of theirs runs in a grader's browser."""
    return re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)


def _dict(value: object) -> dict:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _merged(release: NotebookNode, cells: list[Found]) -> Rebuilt:
    taken: dict[int, int] = {}  # position in the submission -> index in the release
    decisions = []
    likeness = Likeness(release)
    for index, cell in enumerate(release.cells):
        if grade_id(cell):
            found, how, note = _match(cell, release, cells, taken, likeness)
            if found is not None:
                taken[found.position] = index
            if found is None and is_solution(cell) and any(_defined(cell.source) & other.defines for other in cells):
                cell.source, note = "", "it was missing; what it asks for is defined in another cell"
            if is_solution(cell) or how != "grade_id" or note:
                decisions.append({"cell": grade_id(cell), "how": how, "note": note})
            if found is not None and is_solution(cell):
                cell.source = found.source if cell.cell_type == "code" else without_html(found.source)
    for index, cell in enumerate(release.cells):
        if not grade_id(cell):
            found = _plain_match(cell, cells, taken)
            if found is not None:
                taken[found.position] = index
    extras = _extras(release, cells, taken)
    merged = []
    for index, cell in enumerate([None, *release.cells]):
        merged += [] if cell is None else [cell]
        merged += [new_code_cell(source, id=f"extra-{index}-{n}") for n, source in enumerate(extras.get(index - 1, []))]
    release.cells = merged
    decisions += [
        {"cell": "", "how": "extra", "note": f"{len(sources)} cell(s) of the student's own kept after cell {index + 1}"}
        for index, sources in sorted(extras.items())
    ]
    nbformat.validate(release)
    return Rebuilt(release, decisions)


def grade_id(cell: NotebookNode) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def is_solution(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("solution"))


def _match(
    cell: NotebookNode, release: NotebookNode, cells: list[Found], taken: dict[int, int], likeness: Likeness
) -> tuple[Found | None, str, str]:
    """The submission's cell for a cell of the release: ``(cell, how it was found, a note)``."""
    free = [found for found in cells if found.position not in taken]
    same = [found for found in free if found.grade_id == grade_id(cell)]
    if same:
        changed = [found for found in same if found.source.strip() != cell.source.strip()]
        note = f"{len(same)} cells carry this mark; the first one that was worked on counts" if len(same) > 1 else ""
        chosen = (changed or same)[0]
        if chosen.kind != cell.cell_type:
            note = (note + "; " if note else "") + f"it had become a {chosen.kind} cell"
        if not is_solution(cell) and chosen.source.strip() != cell.source.strip():
            note = (note + "; " if note else "") + "it had been edited; the release's own text is used"
        return chosen, "grade_id", note
    same = [found for found in free if found.cell_id and found.cell_id == cell.get("id") and not found.grade_id]
    if same:
        return same[0], "cell id", ""
    unmarked = [found for found in free if not found.grade_id and found.kind == cell.cell_type]
    names = _defined(cell.source)
    same = [found for found in unmarked if names & found.defines] if is_solution(cell) else []
    if same:
        note = f"{len(same)} cells define {', '.join(sorted(names))}; the last one counts" if len(same) > 1 else ""
        return same[-1], "the name it defines", note
    others = likeness.defined - names  # what defines the name of another answer is that answer
    scored = [
        (likeness.of(grade_id(cell), found), -found.position, found) for found in unmarked if not found.defines & others
    ]
    best = max(scored, key=lambda item: item[:2], default=None)
    if best and best[0] >= ALIKE:
        return best[2], "similarity", f"{best[0]:.0%} alike"
    if is_solution(cell) and cell.cell_type == "markdown":
        between = _between(cell, release, unmarked, taken)
        if between is not None:
            return between, "position", ""
    return None, "missing", "it was missing; the release's own cell is used"


def _defined(source: str) -> frozenset[str]:
    return frozenset(a or b for a, b in DEFINES.findall(source))


class Likeness:
    """How alike cells are to the marked cells of the release, from 0 to 1: Dice's coefficient of their trigrams.

    2 |A ∩ B| / (|A| + |B|) over the sets of three neighbouring characters: the time is linear in a cell's length, and
    each cell is read once. (L. R. Dice, Ecology 26, 1945.)
    """

    def __init__(self, release: NotebookNode) -> None:
        self.targets = {grade_id(cell): trigrams(cell.source) for cell in release.cells if grade_id(cell)}
        self.defined = frozenset[str]().union(*(_defined(cell.source) for cell in release.cells if is_solution(cell)))
        self.known: dict[int, dict[str, float]] = {}

    def of(self, target: str, found: Found) -> float:
        if found.position not in self.known:
            own = trigrams(found.source)
            self.known[found.position] = {
                name: 2 * len(own & other) / (len(own) + len(other)) for name, other in self.targets.items()
            }
        return self.known[found.position][target]


def trigrams(source: str) -> set[str]:
    """Every three neighbouring characters of a text's beginning, with each run of white space as one space."""
    text = " ".join(source[: 2 * COMPARED].split())[:COMPARED]
    return {text[start : start + 3] for start in range(max(1, len(text) - 2))}


def _between(cell: NotebookNode, release: NotebookNode, unmarked: list[Found], taken: dict[int, int]) -> Found | None:
    """A written answer that lost its marks: the first text after the cell before it that the release does not hold."""
    index = release.cells.index(cell)
    before = [position for position, target in taken.items() if target < index]
    texts = {other.source.strip() for other in release.cells if other is not cell}
    rest = [
        found
        for found in unmarked
        if found.position > max(before, default=-1) and found.source.strip() and found.source.strip() not in texts
    ]
    return rest[0] if rest else None


def _plain_match(cell: NotebookNode, cells: list[Found], taken: dict[int, int]) -> Found | None:
    """The submission's copy of a cell that is not graded, by id or by text."""
    free = [found for found in cells if found.position not in taken and not found.grade_id]
    for same in (
        lambda found: bool(found.cell_id) and found.cell_id == cell.get("id"),
        lambda found: found.source.strip() == cell.source.strip(),
    ):
        match = next((found for found in free if same(found)), None)
        if match is not None:
            return match
    return None


def _extras(release: NotebookNode, cells: list[Found], taken: dict[int, int]) -> dict[int, list[str]]:
    """The student's own code, by the index of the release's cell that it follows (-1: before all of them).

    Code that a student changed in an ungraded cell of the release runs after that cell.
    """
    extras: dict[int, list[str]] = {}
    anchor = -1
    for found in cells:
        index = taken.get(found.position)
        if index is not None:
            anchor = index
            cell = release.cells[index]
            if grade_id(cell) or found.kind != "code" or found.source.strip() == cell.source.strip():
                continue
        if found.kind == "code" and found.source.strip() and not found.grade_id:
            extras.setdefault(anchor, []).append(found.source)
        elif index is None and found.kind == "code" and found.source.strip() and found.grade_id:
            # A second copy of a marked cell, or a mark that nobody gave: code to run, never a cell to grade.
            extras.setdefault(anchor, []).append(found.source)
    return extras
