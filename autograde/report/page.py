"""The class report as one HTML page that needs no network, and as CSV."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from autograde.grading import attempts
from autograde.grading.course import Course
from autograde.report.numbers import ExerciseFigures, Mistake, exercise_figures, faults, mistakes

STYLE = """
:root { color-scheme: light dark; --line: #8886; --bar: #2b6cb0; }
@media (prefers-color-scheme: dark) { :root { --bar: #63b3ed; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
svg { max-width: 100%; height: auto } svg rect { fill: var(--bar) } svg text { fill: currentColor; font-size: 12px }
"""


def write(course: Course, name: str, scores: dict[str, dict], anonymous: bool = False) -> tuple[Path, Path]:
    """Write ``report/NAME.html`` and ``report/NAME.csv`` into the course's folder, and return their paths."""
    records = [record for student in sorted(scores) if (record := attempts.read(course, student, name))]
    aliases = {student: f"student {n}" for n, student in enumerate(sorted(scores), 1)}
    shown = aliases if anonymous else {student: student for student in scores}
    folder = course.root / "report"
    folder.mkdir(exist_ok=True)
    page, table = folder / f"{name}.html", folder / f"{name}.csv"
    page.write_text(html(name, records, scores, shown, missing(course, name) if not anonymous else []))
    table.write_text(as_csv(records, scores, shown))
    return page, table


def missing(course: Course, name: str) -> list[str]:
    """Students who handed in something of the course, but not this."""
    everybody = {path.name for path in course.root.glob("submitted/*") if path.is_dir()}
    return sorted(everybody - set(course.students(name)))


def html(name: str, records: list[dict], scores: dict[str, dict], shown: dict[str, str], absent: list[str]) -> str:
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    totals = [score["score"] for score in scores.values()]
    of = max((score["max_score"] for score in scores.values()), default=0)
    waiting = sum(score["waiting"] for score in scores.values())
    parts = [
        f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{escape(name)}: class report</title>",
        f"<meta name='viewport' content='width=device-width'><style>{STYLE}</style></head><body>",
        f"<h1>{escape(name)}: class report</h1><p>{len(scores)} submissions, made {made}.</p>",
    ]
    if waiting:
        parts.append(
            f"<p><strong>{waiting} written answers wait for a person</strong>; until then they count as 0 below.</p>"
        )
    if absent:
        parts.append(f"<p>Not handed in: {escape(', '.join(absent))}.</p>")
    parts += ["<h2>Scores</h2>", histogram(totals, of)]
    parts += ["<h2>What the class has misunderstood</h2>", misconception_table(mistakes(records))]
    parts += ["<h2>Exercises</h2>", exercise_table(exercise_figures(records))]
    rows = [[escape(shown.get(student, student)), escape(words)] for student, words in faults(records)]
    parts += ["<h2>Faults and limits</h2>", grid(["student", "what happened"], rows) if rows else "<p>None.</p>"]
    rows = [
        [escape(shown[student]), f"{score['score']:g}", f"{score['max_score']:g}", str(score["waiting"] or "")]
        for student, score in sorted(scores.items())
    ]
    parts += ["<h2>Students</h2>", grid(["student", "score", "of", "answers to read"], rows, numbers={1, 2, 3})]
    return "".join([*parts, "</body></html>"])


def histogram(totals: list[float], of: float, bins: int = 10) -> str:
    """How many submissions have a score in each tenth of the points, as inline SVG with its numbers as text."""
    counts = [0] * bins
    for total in totals:
        counts[min(bins - 1, int(bins * total / of)) if of else 0] += 1
    tallest, width, height = max(counts, default=1) or 1, 60, 140
    bars = []
    for n, count in enumerate(counts):
        tall = height * count / tallest
        x, y = n * width, 20 + height - tall
        bars.append(f"<rect x='{x + 4}' y='{y:.1f}' width='{width - 8}' height='{tall:.1f}'/>")
        bars.append(f"<text x='{x + width / 2}' y='{y - 5:.1f}' text-anchor='middle'>{count or ''}</text>")
        edge = f"{of * n / bins:g}–{of * (n + 1) / bins:g}"
        bars.append(f"<text x='{x + width / 2}' y='{height + 38}' text-anchor='middle'>{edge}</text>")
    label = ", ".join(f"{count} from {of * n / bins:g}" for n, count in enumerate(counts) if count)
    return (
        f"<svg role='img' aria-label='Submissions by score: {label}' viewBox='0 0 {bins * width} {height + 45}'>"
        f"{''.join(bars)}</svg>"
    )


def misconception_table(found: list[Mistake]) -> str:
    if not found:
        return "<p>No known misconception was seen.</p>"
    rows = [
        [str(m.count), escape(m.exercise), escape(m.message.partition(": ")[2]), f"<code>{escape(m.link)}</code>"]
        for m in found
    ]
    return grid(["submissions", "exercise", "misconception, and the hint that was given", "in the book"], rows, {0})


def exercise_table(figures: list[ExerciseFigures]) -> str:
    rows = [
        [
            escape(f.name),
            f"{f.points:g}",
            f"{f.mean_share:.0%}",
            str(f.full),
            "" if f.discrimination is None else f"{f.discrimination:.2f}",
            escape(", ".join(f"{reason} {count}" for reason, count in f.reasons.items())),
        ]
        for f in figures
    ]
    heads = ["exercise", "points", "mean share", "full marks", "discrimination", "why points were lost"]
    return grid(heads, rows, {1, 2, 3, 4}) + (
        "<p>Discrimination is the correlation of an exercise's points with the points for all the others: near 0, "
        "the exercise says little about who has understood the rest.</p>"
    )


def grid(heads: list[str], rows: list[list[str]], numbers: set[int] | frozenset = frozenset()) -> str:
    """An HTML table; cells are HTML already."""
    mark = [" class='n'" if n in numbers else "" for n in range(len(heads))]
    head = "".join(f"<th{m}>{h}</th>" for m, h in zip(mark, heads))
    body = "".join("<tr>" + "".join(f"<td{m}>{cell}</td>" for m, cell in zip(mark, row)) + "</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def as_csv(records: list[dict], scores: dict[str, dict], shown: dict[str, str]) -> str:
    """One line a student: score, what waits for a person, and each cell's points and reason."""
    by_student = {record["student"]: record for record in records}
    cells = list(dict.fromkeys(cell for score in scores.values() for cell in score["cells"]))
    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(["student", "score", "max_score", "waiting", *(f"{c}{w}" for c in cells for w in ("", " reason"))])
    for student, score in sorted(scores.items()):
        verdicts = by_student.get(student, {}).get("verdicts", {})
        row: list[object] = [guarded(shown[student]), score["score"], score["max_score"], score["waiting"]]
        for cell in cells:
            points = score["cells"].get(cell, {}).get("score")
            verdict = verdicts.get(cell, {})
            row += ["" if points is None else points, verdict.get("misconception") or verdict.get("reason", "")]
        table.writerow(row)
    return file.getvalue()


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
