"""The class report as one HTML page that needs no network."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from html import escape

import numpy as np

from autograde.report import plots
from autograde.report.book import Book, words
from autograde.report.findings import ClassReport
from autograde.report.html import counted, grid, page
from autograde.report.numbers import MANY, ExerciseFigures, Fault, Mistake, exercise_figures, faults, mistakes, total


def html(found: ClassReport) -> str:
    figures = exercise_figures(found.records, found.scores)
    parts = [
        *summary(found),
        "<h2>Scores</h2>",
        *score_parts(found.scores),
        "<h2>What this class has misunderstood</h2>",
        misconception_list(mistakes(found.records), found.readable, found.book),
        "<h2>Exercises</h2>",
        *exercise_parts(figures),
        "<h2>Time outs and other faults</h2>",
        *fault_parts(found, faults(found.records)),
        "<h2>Not handed in</h2>",
        absent(found),
        "<h2>Students</h2>",
        student_table(found),
    ]
    return page(f"{found.name}: class report", parts)


def summary(found: ClassReport) -> list[str]:
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    where = found.standing
    counts = [counted(len(where.graded), "submission") + " graded"]
    counts += [f"{len(where.waiting)} handed in and not graded yet"] if where.waiting else []
    counts += [f"{len(where.missing)} not handed in"] if where.missing else []
    parts = [f"<p>{escape(', '.join(counts))}. Made {made}.</p>"]
    unread = sum(score["waiting"] for score in found.scores.values())
    if unread:
        verb = "waits" if unread == 1 else "wait"
        parts.append(
            f"<p><strong>{counted(unread, 'written answer')} {verb} for a person</strong>; until then they count as 0 "
            "in a score.</p>"
        )
    return parts


def score_parts(scores: dict[str, dict]) -> list[str]:
    totals = np.array([total(score) for score in scores.values()])
    of = max((score["max_score"] or 0.0 for score in scores.values()), default=0.0)
    if not len(totals) or not of:
        return ["<p>No score yet.</p>"]
    low, middle, high = (float(value) for value in np.quantile(totals, [0.25, 0.5, 0.75]))
    said = (
        f"<p>The median is {middle:.4g} of {of:g} points, the mean {totals.mean():.4g}. Half of the class lies between "
        f"{low:.4g} and {high:.4g}.</p>"
    )
    return [said, plots.histogram(list(totals / of), middle / of)]


def misconception_list(found: list[Mistake], of: int, book: Book) -> str:
    if not found:
        return "<p>No known misconception was seen.</p>"
    items = []
    for m in found:
        share = m.count / max(of, 1)
        link = book.link(m.link)
        again = f"<a href='{escape(link)}'>{escape(words(m.link))}</a>" if link else escape(words(m.link))
        items.append(
            f"<li>{plots.share_bar(share, f'{share:.0%} of the class')}"
            f"<strong>{counted(m.count, 'submission')}</strong> ({share:.0%}), <code>{escape(m.exercise)}</code>: "
            f"<strong>{escape(m.title)}.</strong> {escape(m.hint)}<br>To teach again: {again}.</li>"
        )
    return (
        f"<p>Of {counted(of, 'submission')} that could be read, the most frequent first, with the hint that each "
        f"student got.</p><ol class='mistakes'>{''.join(items)}</ol>"
    )


def exercise_parts(figures: list[ExerciseFigures]) -> list[str]:
    if not figures:
        return ["<p>No exercise has a score yet.</p>"]
    rough = any(f.count < MANY for f in figures)
    return [
        "<h3>How hard each was: the mean share of its points</h3>",
        plots.difficulty(figures),
        "<h3>How well each tells who has understood the rest: discrimination</h3>",
        plots.discriminations(figures),
        "<p>Discrimination is the correlation of an exercise's points with the points for all the others. Near 0, the "
        "exercise says little about who has understood the rest; below 0, look at the exercise. The bar is where the "
        "correlation lies with a confidence of 95%"
        + (f": with fewer than {MANY} submissions it is a rough guess." if rough else ".")
        + "</p>",
        exercise_table(figures),
    ]


def exercise_table(figures: list[ExerciseFigures]) -> str:
    rows = [
        [
            f"<code>{escape(f.name)}</code>",
            f"{f.points:g}",
            f"{f.mean_share:.0%}",
            f"{f.full} of {f.count}",
            "" if f.discrimination is None else plots.correlation_words(f),
            escape(", ".join(f"{reason} {count}" for reason, count in f.reasons.items())),
        ]
        for f in figures
    ]
    heads = ["exercise", "points", "mean share", "full marks", "discrimination", "why points were lost"]
    return grid(heads, rows, {1, 2, 3, 4})


def fault_parts(found: ClassReport, seen: list[Fault]) -> list[str]:
    if not seen:
        return ["<p>None.</p>"]
    kinds = Counter(fault.kind for fault in seen)
    parts = [grid(["what happened", "submissions"], [[kind, str(n)] for kind, n in kinds.most_common()], {1})]
    of = {student: [fault for fault in seen if fault.student == student] for student in {f.student for f in seen}}
    rows = [
        [
            escape(found.shown[student]),
            "<br>".join(escape(fault_words(fault, found.anonymous)) for fault in of[student]),
        ]
        for student in found.listed(of)
    ]
    return [*parts, grid(["student", "what happened"], rows)]


def fault_words(fault: Fault, anonymous: bool) -> str:
    """A fault's words; for an anonymous report only its kind, since a file's name or an error can hold a name."""
    return fault.kind if anonymous or not fault.words else f"{fault.kind}: {fault.words}"


def absent(found: ClassReport) -> str:
    """Who has handed nothing in, of all whom the gradebook knows or who handed in something else."""
    missing, waiting = found.standing.missing, found.standing.waiting
    late = (
        f"<p>{len(waiting)} handed in and not graded yet. Grade them and write the report again.</p>" if waiting else ""
    )
    if waiting and not found.anonymous:
        late = late.replace(" yet.", f" yet: {escape(', '.join(found.listed(waiting)))}.", 1)
    if not missing:
        return "<p>Nobody is missing.</p>" + late
    if found.anonymous:
        return f"<p>{counted(len(missing), 'student')}.</p>" + late
    return f"<p>{counted(len(missing), 'student')}: {escape(', '.join(found.listed(missing)))}.</p>" + late


def student_table(found: ClassReport) -> str:
    rows = []
    for student in found.listed(found.scores):
        score = found.scores[student]
        late = score.get("late_penalty") or 0.0
        rows.append(
            [
                escape(found.shown[student]),
                f"{round(total(score), 2):g}",
                f"{score['max_score']:g}",
                f"{late:g}" if late else "",
                str(score["waiting"] or ""),
            ]
        )
    return grid(["student", "score", "of", "late penalty", "answers to read"], rows, {1, 2, 3, 4})
