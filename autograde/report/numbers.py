"""The figures of a class report, from the attempts' records and nbgrader's scores."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ExerciseFigures:
    """One exercise over a class: mean share of its points, and how well it tells strong from weak submissions."""

    name: str
    points: float
    mean_share: float
    full: int
    discrimination: float | None
    reasons: dict[str, int]


@dataclass(frozen=True)
class Mistake:
    """One misconception: how many submissions show it, and where the book explains it."""

    exercise: str
    name: str
    message: str
    link: str
    count: int


def exercise_figures(records: list[dict]) -> list[ExerciseFigures]:
    """A line for each exercise, in the notebook's order.

    ``discrimination`` is the correlation, over submissions, of the points for this exercise with the points for all
    others (Ebel, 1965); None where either does not vary.
    """
    names = list(dict.fromkeys(name for record in records for name in record["verdicts"]))
    figures = []
    for name in names:
        verdicts = [(record, record["verdicts"][name]) for record in records if name in record["verdicts"]]
        got = np.array([verdict["points"] for _, verdict in verdicts])
        others = np.array([record["points"] - verdict["points"] for record, verdict in verdicts])
        points = max(verdict["max_points"] for _, verdict in verdicts)
        varies = len(got) > 2 and got.std() > 0 and others.std() > 0
        figures.append(
            ExerciseFigures(
                name,
                points,
                float(got.mean() / points),
                sum(verdict["passed"] for _, verdict in verdicts),
                float(np.corrcoef(got, others)[0, 1]) if varies else None,
                dict(Counter(verdict["reason"] for _, verdict in verdicts if not verdict["passed"]).most_common()),
            )
        )
    return figures


def mistakes(records: list[dict]) -> list[Mistake]:
    """The misconceptions of the class, the most frequent first."""
    found: Counter[tuple[str, str]] = Counter()
    words: dict[tuple[str, str], tuple[str, str]] = {}
    for record in records:
        for name, verdict in record["verdicts"].items():
            if verdict["misconception"]:
                key = (name, verdict["misconception"])
                found[key] += 1
                words[key] = (verdict["message"], verdict["link"] or "")
    return [Mistake(*key, *words[key], count) for key, count in found.most_common()]


def faults(records: list[dict]) -> list[tuple[str, str]]:
    """Submissions that could not be read, or whose notebook ended early or hit a limit: ``(student, what)``."""
    rows = []
    for record in records:
        words = [record["fault"] or "", *record["limits_hit"]]
        words += [f"{record['ended']}: {record['detail']}"] if record["ended"] != "ok" else []
        words += [f"{record['stray_frames']} forged messages"] if record["stray_frames"] else []
        words += ["graded without a sandbox"] if record["unsafe"] else []
        if any(words):
            rows.append((record["student"], "; ".join(dict.fromkeys(word for word in words if word))))
    return rows
