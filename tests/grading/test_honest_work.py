"""Right answers in the many forms in which people write them: each gets full marks."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from autograde import exercises
from autograde.exercises.definition import Exercise
from autograde.grading.judge import verdict
from tests.grading.answers import answers
from tests.grading.asking import answer, drawn
from tests.grading.honest.styles import FUNCTION_STYLES, MODULE_STYLES

SEEDS = range(3)
HONEST = {name: importlib.import_module(f"tests.grading.honest.{name}").HONEST for name in exercises.names()}
FORMS = [
    (exercises.load(assignment).exercise(name), form)
    for assignment, forms in HONEST.items()
    for name, written in forms.items()
    for form in written
]
BUILT = [exercise for name in exercises.names() for exercise in exercises.load(name).exercises]
STYLES = [
    (exercise, style)
    for exercise in BUILT
    for style in {"function": FUNCTION_STYLES, "module": MODULE_STYLES, "value": ()}[exercise.kind]
    if not any(case.measure for case in exercise.cases(np.random.default_rng(0)))
]


def by_name(value: object) -> str:
    return getattr(value, "__name__", getattr(value, "name", str(value)))


def holds(exercise: Exercise, form) -> None:
    for seed in SEEDS:
        asked = drawn(exercise, seed)
        got = verdict(asked, answer(asked, form))
        assert (got["points"], got["reason"]) == (exercise.points, "ok"), got["message"]


@pytest.mark.parametrize(("exercise", "form"), FORMS, ids=by_name)
def test_a_right_answer_in_another_form_gets_full_marks(exercise: Exercise, form) -> None:
    holds(exercise, form)


@pytest.mark.parametrize(("exercise", "style"), STYLES, ids=by_name)
def test_the_notebooks_own_answer_gets_full_marks_in_every_style(exercise: Exercise, style) -> None:
    name = next(name for name in exercises.names() if exercises.load(name).exercise(exercise.name) is exercise)
    holds(exercise, style(answers(name)[exercise.name]))


def test_every_function_and_module_is_tried_in_ten_forms() -> None:
    for name, written in HONEST.items():
        for exercise in exercises.load(name).exercises:
            if any(tried is exercise for tried, _ in STYLES):
                styles = sum(tried is exercise for tried, _ in STYLES)
                assert len(written[exercise.name]) + styles >= (6 if exercise.kind == "module" else 10), exercise.name
