"""The page of pairs that are alike: a list to look at, with both texts side by side, and as CSV."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from pathlib import Path

from autograde.grading.course import Course
from autograde.report import tables
from autograde.report.html import counted, grid, page
from autograde.report.similarity import LEAST, Alike, Cell, Comparison, Pair
from autograde.report.words_of_code import MOST_TEXT

SHOWN_CELLS, SHOWN_LINES = 6, 400  # of a pair, and of a text
WORTH = 10  # rare runs in common, from which on an answer is shown
INTRODUCTION = """
<p><strong>This is a list to look at, not a verdict.</strong> It says that two texts are alike beyond what the handout,
the course's own answer and the rest of the class explain. It does not say why. Two students may have worked together
where you allow it, had the same tutor, or read the same page; one may have copied from the other, and nothing here
says who. Read both texts and talk with both before you decide anything.</p>
<p><em>Wording</em> compares the texts as they are written, with names and comments. <em>Structure</em> compares what
they are built of, without the names, numbers and comments that their authors chose. A marked line holds a run of words
that both have, and few others.</p>
"""


def write(course: Course, name: str, found: Comparison, most: int) -> list[Path]:
    """Write ``report/NAME.similar.html`` with the ``most`` likest pairs, and ``NAME.similar.csv`` with all."""
    folder = course.root / "report"
    return [
        tables.write(folder / f"{name}.similar.html", html(name, found, most)),
        tables.write(folder / f"{name}.similar.csv", as_csv(found)),
    ]


def html(name: str, found: Comparison, most: int) -> str:
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    count = len(found.given)
    shown = found.pairs[:most]
    said = (
        f"<p>{counted(count, 'submission')} compared, {counted(count * (count - 1) // 2, 'pair')}; made {made}. The "
        f"median likeness is {found.median:.0%}. {counted(found.above, 'pair')} reached "
        f"{LEAST:.0%}"
        + (f", of which the {len(shown)} most alike are shown" if found.above > len(shown) else "")
        + ".</p>"
    )
    if not shown:
        return page(title(name), [INTRODUCTION, said, "<p>No pair stands out.</p>"], broad=True)
    rows = [
        [
            f"<a href='#pair-{n}'>{escape(pair.first)} and {escape(pair.second)}</a>",
            f"{pair.likeness:.0%}",
            f"{pair.wording:.0%}",
            f"{pair.structure:.0%}",
            f"<code>{escape(called(pair.answers[0].cell))}</code>",
        ]
        for n, pair in enumerate(shown, 1)
    ]
    heads = ["pair", "likeness", "wording", "structure", "most in common in"]
    cells = {cell.name: cell for cell in found.cells}
    parts = [part for n, pair in enumerate(shown, 1) for part in pair_parts(n, pair, found, cells)]
    return page(title(name), [INTRODUCTION, said, grid(heads, rows, {1, 2, 3}), *parts], broad=True)


def title(name: str) -> str:
    return f"{name}: pairs that are alike"


def called(cell: str) -> str:
    """The exercise's name, which is that of its answer's cell without an ending."""
    return cell.removesuffix("_solution")


def pair_parts(n: int, pair: Pair, found: Comparison, cells: dict[str, Cell]) -> list[str]:
    alike = [part for part in pair.answers if part.shared >= WORTH][:SHOWN_CELLS] or list(pair.answers[:1])
    parts = [
        f"<h2 id='pair-{n}'>{n}. {escape(pair.first)} and {escape(pair.second)}</h2>"
        f"<p>Likeness {pair.likeness:.0%}: as a whole {pair.wording:.0%} in wording and {pair.structure:.0%} in "
        "structure.</p>"
    ]
    return parts + [answer(cells[part.cell], part, pair, found, opened=part is alike[0]) for part in alike]


def answer(cell: Cell, part: Alike, pair: Pair, found: Comparison, opened: bool) -> str:
    """One answer of both, side by side; what a student wrote is text here, whatever it holds."""
    texts = [found.given[student].get(cell.name, "") for student in (pair.first, pair.second)]
    sides = "".join(
        f"<figure><figcaption>{escape(student)}</figcaption>{source(text, lines)}</figure>"
        for student, text, lines in zip((pair.first, pair.second), texts, found.lines(cell, pair))
    )
    said = f"{part.wording:.0%} in wording" + (f", {part.structure:.0%} in structure" if cell.code else "")
    return (
        f"<details{' open' if opened else ''}><summary><code>{escape(called(cell.name))}</code>: {said}</summary>"
        f"<div class='sides'>{sides}</div></details>"
    )


def source(text: str, marked: set[int]) -> str:
    lines = text[:MOST_TEXT].split("\n")
    cut = len(lines) > SHOWN_LINES or len(text) > MOST_TEXT
    shown = [
        f"<mark>{escape(line)}</mark>" if n in marked else escape(line) for n, line in enumerate(lines[:SHOWN_LINES])
    ]
    return f"<pre tabindex='0'>{chr(10).join(shown)}{chr(10) + '…' if cut else ''}</pre>"


def as_csv(found: Comparison) -> str:
    heads = [
        "student_1",
        "student_2",
        "likeness",
        "wording",
        "structure",
        "most_alike_in",
        "its_wording",
        "its_structure",
    ]
    rows = []
    for pair in found.pairs:
        best = pair.answers[0]
        ratios = [round(value, 3) for value in (pair.likeness, pair.wording, pair.structure)]
        of_best = [called(best.cell), round(best.wording, 3), round(best.structure, 3)]
        rows.append([pair.first, pair.second, *ratios, *of_best])
    return tables.as_csv(heads, rows)
