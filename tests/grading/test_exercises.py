"""Every exercise of every assignment: the reference is right, a stub is nothing, each mistake is named."""

from __future__ import annotations

import numpy as np
import pytest

from autograde import exercises
from autograde.exercises.definition import Exercise
from autograde.grading.judge import probe, verdict
from autograde.grading.questions import inside
from autograde.kit.calling import outcome
from autograde.kit.plain import encode
from autograde.kit.staging import judge
from tests.grading.asking import answer, drawn

EXERCISES = [exercise for name in exercises.names() for exercise in exercises.load(name).exercises]
MISTAKES = [(exercise, mistake) for exercise in EXERCISES for mistake in exercise.misconceptions]
SEEDS = range(4)
SELECT = ("windows", "baselines")  # their answers are parts of what they are given


def by_name(value: object) -> str:
    return getattr(value, "name", str(value))


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_the_reference_gets_full_marks(exercise: Exercise) -> None:
    for seed in SEEDS:
        asked = drawn(exercise, seed)
        got = verdict(asked, answer(asked, exercise.reference, forward=None))
        assert (got["points"], got["reason"]) == (exercise.points, "ok"), got["message"]


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_a_stub_gets_nothing_and_is_told_so(exercise: Exercise) -> None:
    def stub(*args):
        if exercise.kind == "value":
            return
        raise NotImplementedError

    asked = drawn(exercise, 0)
    got = verdict(asked, answer(asked, stub))
    assert (got["points"], got["reason"]) == (0, "none" if exercise.kind == "value" else "stub")
    assert "not written yet" in got["message"] or "still None" in got["message"]


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=by_name)
def test_a_misconception_loses_points_and_is_named(exercise: Exercise, mistake) -> None:
    for seed in SEEDS:
        asked = drawn(exercise, seed)
        got = verdict(asked, answer(asked, mistake.wrong))
        assert got["misconception"] == mistake.name
        assert got["points"] < exercise.points
        assert mistake.title in got["message"] and mistake.hint in got["message"]
        assert mistake.hint.rstrip().endswith("?"), "a hint asks"


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_no_two_misconceptions_share_a_diagnosis(exercise: Exercise) -> None:
    titles = [(mistake.title, mistake.hint) for mistake in exercise.misconceptions]
    names = [mistake.name for mistake in exercise.misconceptions]
    assert len(set(titles)) == len(titles) and len(set(names)) == len(names)
    assert len(names) >= 4 or exercise.kind == "value"


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_every_mistake_is_far_outside_the_tolerance(exercise: Exercise) -> None:
    """On some case at least a hundred times, so that neither rounding nor float32 can be taken for it."""
    for seed in SEEDS:
        asked = drawn(exercise, seed).with_mistakes
        for mistake in exercise.misconceptions:
            sizes = []
            for case in asked["cases"]:
                wrong = case["wrong"].get(mistake.name)
                if wrong is None:
                    continue
                if case["measure"]:
                    sizes.append(np.inf)  # what it loses there is no matter of rounding
                    continue
                for name, value in case["expected"].items():
                    other = wrong.get("outputs", {}).get(name)
                    if other is None or other.shape != value.shape:
                        sizes.append(np.inf)
                    else:
                        off = np.nan_to_num(np.abs(other - value), nan=np.inf)  # NaN is no matter of rounding either
                        sizes.append(off.max() / max(1, np.abs(value).max()))
            assert max(sizes) > 100 * exercise.tolerance, mistake.name


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_what_enters_the_sandbox_holds_nothing_expected(exercise: Exercise) -> None:
    asked = drawn(exercise, 3).question
    message = encode(inside(asked))
    for case in asked["cases"]:
        for value in case["expected"].values():
            if value.size > 2 and np.ptp(value) > 0 and exercise.name not in SELECT:
                assert value.astype("<f8").tobytes() not in message
    for mistake in exercise.misconceptions:
        assert mistake.hint.encode() not in message and mistake.name.encode() not in message


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_hidden_cases_differ_by_seed_and_are_the_same_for_the_same_seed(exercise: Exercise) -> None:
    assert probe(exercise, 1).message == drawn(exercise, 1).message
    assert exercise.kind == "value" or drawn(exercise, 1).message != drawn(exercise, 2).message


@pytest.mark.parametrize("exercise", EXERCISES, ids=by_name)
def test_hints_never_hold_an_expected_value(exercise: Exercise) -> None:
    """Not in the words for any mistake, nor for outputs that are zero, NaN or of another shape."""
    asked = drawn(exercise, 3).with_mistakes
    shown = {f"{number:.4g}" for case in asked["cases"] for value in case["expected"].values() for number in value.flat}
    shown = {number for number in shown if len(number) > 3}  # a bare 2 may stand in any sentence
    answers = [mistake.wrong for mistake in exercise.misconceptions]
    answers += [lambda *args: np.zeros((2, 2)), lambda *args: np.full(3, np.nan), lambda *args: None]
    for implementation in answers:
        calls = [case["call"] for case in asked["cases"]]
        target = implementation() if exercise.kind == "value" else implementation
        outcomes = [outcome(exercise.kind, target, call, asked["outputs"]) for call in calls]
        words = judge(asked, outcomes)["message"]
        if exercise.name != "count_parameters":
            assert not {word.strip("(),.:;") for word in words.split()} & shown
