"""The class report as CSV: the students, the exercises, and the misconceptions."""

from __future__ import annotations

from autograde.report import tables
from autograde.report.findings import ClassReport
from autograde.report.numbers import exercise_figures, faults, mistakes, total


def students_csv(found: ClassReport) -> str:
    """One line a student: status, score, what waits for a person, faults, and each cell's points and reason."""
    cells = list(dict.fromkeys(cell for score in found.scores.values() for cell in score["cells"]))
    heads = ["student", "status", "score", "max_score", "late_penalty", "waiting", "faults"]
    kinds: dict[str, list[str]] = {}
    for fault in faults(found.records):
        kinds.setdefault(fault.student, []).append(fault.kind)
    rows = []
    for student in found.listed([*found.standing.graded, *found.standing.waiting, *found.standing.missing]):
        score = found.scores.get(student)
        if score is None:
            status = "not graded" if student in found.standing.waiting else "not handed in"
            rows.append([found.shown[student], status] + [""] * (len(heads) - 2 + 2 * len(cells)))
            continue
        verdicts = found.records.get(student, {}).get("verdicts", {})
        row = [
            found.shown[student],
            "graded",
            round(total(score), 2),
            score["max_score"],
            score.get("late_penalty") or 0.0,
        ]
        row += [score["waiting"], "; ".join(dict.fromkeys(kinds.get(student, [])))]
        for cell in cells:
            points = score["cells"].get(cell, {}).get("score")
            verdict = verdicts.get(cell, {})
            row += ["" if points is None else points, verdict.get("misconception") or verdict.get("reason", "")]
        rows.append(row)
    return tables.as_csv([*heads, *(f"{c}{w}" for c in cells for w in ("", " reason"))], rows)


def exercises_csv(found: ClassReport) -> str:
    heads = [
        "exercise",
        "points",
        "submissions",
        "mean_share",
        "full_marks",
        "discrimination",
        "low",
        "high",
        "reasons",
    ]
    rows = []
    for f in exercise_figures(found.records, found.scores):
        low, high = f.interval or (None, None)
        ratio = ["" if value is None else round(value, 4) for value in (f.discrimination, low, high)]
        said = "; ".join(f"{reason} {count}" for reason, count in f.reasons.items())
        rows.append([f.name, f.points, f.count, round(f.mean_share, 4), f.full, *ratio, said])
    return tables.as_csv(heads, rows)


def misconceptions_csv(found: ClassReport) -> str:
    heads = ["submissions", "share", "exercise", "misconception", "title", "hint", "section"]
    rows = [
        [m.count, round(m.count / max(found.readable, 1), 4), m.exercise, m.name, m.title, m.hint, m.link]
        for m in mistakes(found.records)
    ]
    return tables.as_csv(heads, rows)
