"""The figures of a class report, from the attempts' records and nbgrader's scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

MANY = 30  # submissions, below which a correlation is a rough guess
ENDED = {"timeout": "time was up", "dead": "the notebook's process ended"}


@dataclass(frozen=True)
class Standing:
    """Where a class stands with an assignment."""

    graded: list[str]
    waiting: list[str]
    missing: list[str]


@dataclass(frozen=True)
class ExerciseFigures:
    """One exercise over a class: mean share of its points, and how well it tells strong from weak submissions.

    ``interval`` is that of 95 % for the discrimination.
    """

    name: str
    points: float
    count: int
    mean_share: float
    full: int
    discrimination: float | None
    interval: tuple[float, float] | None
    reasons: dict[str, int]


@dataclass(frozen=True)
class Mistake:
    """One misconception: how many submissions show it, and where the book explains it."""

    exercise: str
    name: str
    title: str
    hint: str
    link: str
    count: int


@dataclass(frozen=True)
class Fault:
    """What kept a submission from being read or run to its end: a ``kind`` of our own words, and the record's words."""

    student: str
    kind: str
    words: str


def standing(everybody: Collection[str], handed_in: Collection[str], scores: Collection[str]) -> Standing:
    """Who is graded, who waits for it, and who of ``everybody`` has handed nothing in."""
    graded, given = set(scores), set(handed_in)
    return Standing(sorted(graded), sorted(given - graded), sorted(set(everybody) - graded - given))


def total(score: dict) -> float:
    """A submission's points after the late penalty, as nbgrader exports them."""
    return max(0.0, (score["score"] or 0.0) - (score.get("late_penalty") or 0.0))


def exercise_figures(records: dict[str, dict], scores: dict[str, dict]) -> list[ExerciseFigures]:
    """A line for each graded cell, in the notebook's order, from the points that the gradebook has.

    ``discrimination`` is the correlation, over submissions, of the points for this exercise with the points for all
    others (the corrected item-total correlation: S. Henrysson, Psychometrika 28, 1963); None where either does not
    vary. Its interval is Fisher's. Files that could not be read say nothing about an exercise, and are left out; so is,
    among the others, an answer that a person has not read yet.
    """
    counted = {s: score["cells"] for s, score in scores.items() if not (records.get(s) or {}).get("fault")}
    names = dict.fromkeys(name for record in records.values() for name in record["verdicts"])
    names |= dict.fromkeys(sorted({name for cells in counted.values() for name in cells}))
    got = {name: np.array([_points(cells, name) for cells in counted.values()]) for name in names}
    whole = [name for name in names if not np.isnan(got[name]).any()]
    figures = []
    for name in names:
        points = max((cells[name]["max_score"] or 0.0 for cells in counted.values() if name in cells), default=0.0)
        known = ~np.isnan(got[name])
        own, count = got[name][known], int(known.sum())
        if not points or not count:
            continue
        others = np.sum([got[other][known] for other in whole if other != name] or [np.zeros(count)], axis=0)
        correlation = discrimination(own, others)
        figures.append(
            ExerciseFigures(
                name,
                points,
                count,
                float(own.mean() / points),
                int((own >= points - 1e-9).sum()),
                correlation,
                None if correlation is None else interval(correlation, count),
                reasons(name, [records[student] for student in counted if records.get(student)]),
            )
        )
    return figures


def _points(cells: dict, name: str) -> float:
    score = cells.get(name, {}).get("score")
    return np.nan if score is None else float(score)


def discrimination(own: np.ndarray, others: np.ndarray) -> float | None:
    """The correlation of an exercise's points with the points for all others; None where it cannot be told."""
    if len(own) < 3 or np.ptp(own) < 1e-9 or np.ptp(others) < 1e-9:
        return None
    return float(np.clip(np.corrcoef(own, others)[0, 1], -1, 1))


def interval(correlation: float, count: int) -> tuple[float, float] | None:
    """Fisher's interval of 95 % for a correlation; None for fewer than four submissions."""
    if count < 4:
        return None
    middle, half = np.arctanh(np.clip(correlation, -1 + 1e-9, 1 - 1e-9)), 1.96 / np.sqrt(count - 3)
    return float(np.tanh(middle - half)), float(np.tanh(middle + half))


def reasons(name: str, records: list[dict]) -> dict[str, int]:
    """Why points for an exercise were lost, the most frequent reason first."""
    verdicts = [record["verdicts"][name] for record in records if name in record["verdicts"]]
    return dict(Counter(verdict["reason"] for verdict in verdicts if not verdict["passed"]).most_common())


def mistakes(records: dict[str, dict]) -> list[Mistake]:
    """The misconceptions of the class, the most frequent first."""
    found: Counter[tuple[str, str]] = Counter()
    words: dict[tuple[str, str], tuple[str, str, str]] = {}
    for record in records.values():
        for name, verdict in record["verdicts"].items():
            if verdict["misconception"]:
                key = (name, verdict["misconception"])
                found[key] += 1
                title, _, hint = verdict["message"].partition(": ")[2].partition(". ")
                words[key] = (title, hint, verdict["link"] or "")
    order = {name: n for n, name in enumerate(name for record in records.values() for name in record["verdicts"])}
    often = sorted(found.items(), key=lambda item: (-item[1], order[item[0][0]], item[0][1]))
    return [Mistake(*key, *words[key], count) for key, count in often]


def faults(records: dict[str, dict]) -> list[Fault]:
    """Submissions that could not be read, or whose notebook ended early or hit a limit."""
    found = []
    for student, record in records.items():
        if record["fault"]:
            kind = "no notebook" if "no notebook" in record["fault"] else "the file could not be read"
            found.append(Fault(student, kind, record["fault"]))
        if record["ended"] != "ok":
            found.append(Fault(student, ENDED.get(record["ended"], "it ended early"), record["detail"]))
        late = [words for words in dict.fromkeys(record["limits_hit"]) if words not in record["detail"]]
        found += [Fault(student, "a limit was hit", "; ".join(late))] if late else []
        if record["stray_frames"]:
            words = f"{record['stray_frames']} messages that nobody had asked for were dropped"
            found.append(Fault(student, "forged messages", words))
        if record["unsafe"]:
            found.append(Fault(student, "graded without a sandbox", "the score could have been forged"))
    return found
