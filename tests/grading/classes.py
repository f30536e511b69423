"""Made-up classes for the tests of reports: attempts' records, nbgrader's scores, and answers, without a sandbox."""

from __future__ import annotations

import numpy as np

from autograde.grading import attempts
from autograde.grading.course import Course

NAME = "recurrent_neurons"
CELLS = {"neuron_step": 3.0, "rnn_step": 6.0, "rnn_forward": 8.0, "RNNLayer": 8.0}
WRITTEN = {"sharing_weights": 3.0}
MISTAKES = {
    "neuron_step": ("no-bias", "the bias is missing", "Which argument does your sum not use?"),
    "rnn_step": ("transposed-recurrence", "W_h is turned round", "Is it h @ W_h, or h @ W_h.T?"),
    "rnn_forward": ("lengths-ignored", "every sequence is taken for the longest", "Where does lengths come in?"),
    "RNNLayer": ("one-bias", "only one of the two biases is used", "Which parameter never appears?"),
}


def verdict(cell: str, share: float = 1.0, mistake: bool = False) -> dict:
    name, title, hint = MISTAKES[cell] if mistake else (None, "", "")
    reason = "ok" if share == 1 else "misconception" if mistake else "values"
    return {
        "points": CELLS[cell] * share,
        "max_points": CELLS[cell],
        "passed": share == 1,
        "reason": reason,
        "misconception": name,
        "message": f"{cell}: {title}. {hint}" if mistake else f"{cell}: right on every case.",
        "link": f"{NAME}.html#what-goes-wrong" if mistake else None,
        "groups": [],
        "table": [],
    }


def record(student: str, verdicts: dict[str, dict], **more: object) -> dict:
    made = {
        "assignment": NAME,
        "student": student,
        "attempt": "0" * 16,
        "fault": None,
        "ended": "ok",
        "detail": "",
        "limits_hit": [],
        "stray_frames": 0,
        "unsafe": False,
        "verdicts": verdicts,
        "points": sum(v["points"] for v in verdicts.values()),
        "max_points": sum(CELLS.values()),
    }
    return {**made, **more}


def score(verdicts: dict[str, dict], written: float | None = None, late: float = 0.0) -> dict:
    """What ``gradebook.scores`` says of a submission; ``written`` None waits for a person."""
    cells = {cell: {"score": verdicts[cell]["points"], "max_score": most} for cell, most in CELLS.items()}
    cells |= {cell: {"score": written, "max_score": most} for cell, most in WRITTEN.items()}
    return {
        "score": sum(cell["score"] or 0.0 for cell in cells.values()),
        "max_score": sum(CELLS.values()) + sum(WRITTEN.values()),
        "late_penalty": late,
        "waiting": int(written is None),
        "cells": cells,
    }


def a_class(course: Course, students: list[str], seed: int = 0) -> dict[str, dict]:
    """Records in the course's folder, and the scores; a student's strength decides, with some luck, what is right."""
    rng = np.random.default_rng(seed)
    scores = {}
    for student in students:
        strength = rng.normal()
        verdicts = {}
        for cell in CELLS:
            right = bool(strength + rng.normal() > -0.4)
            verdicts[cell] = (
                verdict(cell) if right else verdict(cell, float(rng.choice([0, 0.25, 0.5])), bool(rng.random() < 0.7))
            )
        keep(course, record(student, verdicts))
        scores[student] = score(verdicts, written=float(np.clip(2 + strength, 0, 3)))
    return scores


def keep(course: Course, made: dict) -> None:
    """Write a record where the report reads it, and the folder of the submission that it is of."""
    attempts.write(course, made)
    course.folder("submitted", made["student"], made["assignment"]).mkdir(parents=True, exist_ok=True)
