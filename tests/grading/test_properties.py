"""What values alone do not tell: an error that is small enough, a gradient of one's own forward pass, a value."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from autograde import exercises
from autograde.exercises.definition import Case, Exercise, Group, Measure, Misconception, OwnGradient
from autograde.grading.judge import probe, verdict
from autograde.grading.questions import inside, question
from autograde.kit.plain import encode
from autograde.kit.staging import Verdict
from solutions.with_numpy.bptt import rnn_backward
from solutions.with_numpy.recurrent_neurons import rnn_forward
from tests.grading.asking import answer

SEEDS = range(5)


def judged(exercise: Exercise, implementation, seed: int = 0, **more) -> Verdict:
    asked = probe(exercise, seed)
    return verdict(asked, answer(asked, implementation, **more))


# --- an error that is small enough ------------------------------------------------------------------------------------


def walks(rng: np.random.Generator) -> list[Case]:
    x = rng.normal(size=(200, 10))
    measure = Measure("rmse", full=0.55, none=1.0, floor=0.2)
    return [Case("error", "two hundred walks", {"args": [x]}, measure, x.sum(axis=1) + 0.5 * rng.normal(size=200))]


FORECASTER = Exercise(
    name="forecaster",
    kind="function",
    signature="forecaster(x)",
    outputs=("y_hat",),
    reference=lambda x: x.sum(axis=1),
    cases=walks,
    groups=(Group("error", "how near the forecasts come", 6.0), Group("same", "unchanged", 1.0, "unchanged")),
    misconceptions=(
        Misconception("last-step", "only the last step counts", "Where are the other nine?", "x", lambda x: x[:, -1]),
    ),
)


def test_an_error_at_the_goal_earns_everything_and_one_beyond_the_baseline_nothing() -> None:
    right, wrong = judged(FORECASTER, lambda x: x.sum(axis=1)), judged(FORECASTER, lambda x: np.zeros(200))
    assert (right["points"], right["reason"], right["passed"]) == (7, "ok", True)
    assert (wrong["points"], wrong["reason"]) == (0, "error")


@pytest.mark.parametrize("off", (0.45, 0.55, 0.65, 0.75))
def test_an_error_between_earns_a_share_and_is_said(off: float) -> None:
    for seed in SEEDS:
        got = judged(FORECASTER, lambda x: x.sum(axis=1) + off, seed)
        error = float(got["message"].partition("error is ")[2].split()[0])
        share = got["groups"][0]["points"] / 6
        assert error == pytest.approx(np.hypot(0.5, off), abs=0.1)
        assert share == pytest.approx((1.0 - error) / 0.45, abs=0.06) and 0 < share < 1
        assert "root mean squared error" in got["message"]


def test_whoever_knows_what_came_earns_nothing_by_it() -> None:
    asked = probe(FORECASTER, 0)
    targets = asked.question["cases"][0]["expected"]["y_hat"]
    got = verdict(asked, answer(asked, lambda x: targets))
    assert (got["points"], got["reason"]) == (0, "too_good") and "A person will look" in got["message"]


def test_what_really_came_never_enters_the_sandbox() -> None:
    asked = question(FORECASTER, np.random.default_rng(1))
    assert asked["cases"][0]["expected"]["y_hat"].tobytes() not in encode(inside(asked))


def test_a_mistake_is_named_where_an_error_is_measured_too() -> None:
    assert judged(FORECASTER, lambda x: x[:, -1])["misconception"] == "last-step"


def test_a_share_of_wrong_answers_comes_with_how_far_the_answers_reach() -> None:
    which = dataclasses.replace(
        FORECASTER,
        outputs=("answers",),
        cases=lambda rng: [
            dataclasses.replace(case, measure=Measure("mistakes", 0.1, 0.4), targets=(case.targets > 0).astype(int))
            for case in walks(rng)
        ],
    )
    scores = judged(which, lambda x: 20 * x.sum(axis=1) - 1000)
    assert scores["reason"] == "error" and "error is 1 (share of wrong answers)" in scores["message"]
    low, high = scores["message"].partition("Your answers run from ")[2].rstrip(".").split(" to ")
    assert float(low) < -1000 < float(high) < 0
    assert judged(which, lambda x: x.sum(axis=1) > 0)["points"] == 7


@pytest.mark.parametrize("value", (np.full(200, np.nan), np.zeros(3), "much", np.zeros(200) * 1j, None))
def test_forecasts_of_another_form_earn_nothing(value) -> None:
    got = judged(FORECASTER, lambda x: value)
    assert got["points"] == 0 and got["reason"] in ("not_finite", "shape", "dtype", "none")


def test_inputs_left_alone_earn_nothing_by_themselves_and_are_not_called_changed() -> None:
    def changes(x):
        x[0] = 0
        return x.sum(axis=1)

    waiting = "unchanged (counts once some values are right)"
    assert judged(FORECASTER, lambda x: np.zeros(200))["groups"][1]["words"] == waiting
    assert judged(FORECASTER, lambda x: x.sum(axis=1))["groups"][1]["words"] == "unchanged"
    assert judged(FORECASTER, changes)["groups"][1]["words"] == "unchanged"


def test_two_numbers_may_come_side_by_side_in_one_array() -> None:
    both = dataclasses.replace(
        FORECASTER,
        outputs=("mean", "size"),
        reference=lambda x: (x.mean(), float(x.size)),
        cases=lambda rng: [Case("error", "numbers", {"args": [rng.normal(size=9)]})],
        misconceptions=(),
    )
    assert judged(both, lambda x: np.array([x.mean(), x.size]))["passed"]
    assert judged(both, lambda x: np.array([x.mean(), x.size, 1]))["reason"] == "count"


# --- the gradient of one's own forward pass ---------------------------------------------------------------------------


def reference(dh, dh_last, x, h0, W_x, W_h, b):
    return tuple(rnn_backward(dh, dh_last, rnn_forward(x, h0, W_x, W_h, b)[2]))


def cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, T: int) -> Case:
        shapes = (2, T, 3), (2, 3), (2, T, 2), (2, 3), (2, 3), (3, 3), (3,)
        return Case(group, words, {"args": [rng.normal(size=shape) for shape in shapes]})

    return [case("one", "one step", 1), case("more", "four steps", 4)]


BACKWARD = Exercise(
    name="backward",
    kind="function",
    signature="backward(dh, dh_last, x, h0, W_x, W_h, b)",
    outputs=("dx", "dh0", "dW_x", "dW_h", "db"),
    reference=reference,
    cases=cases,
    groups=(
        Group("one", "one step", 1.0),
        Group("more", "several steps", 2.0),
        Group("own", "the gradient of your own forward pass", 0.5, "own_gradient"),
    ),
    misconceptions=(),
    own=OwnGradient("forward", ("h", "h_last"), {"dx": 0, "dh0": 1, "dW_x": 2, "dW_h": 3, "db": 4}, "more"),
)


def forward(x, h0, W_x, W_h, b):
    return rnn_forward(x, h0, W_x, W_h, b)[:2]


def without_squashing(x, h0, W_x, W_h, b):
    return rnn_forward(x, h0, W_x, W_h, b, activation="identity")[:2]


def its_gradient(dh, dh_last, x, h0, W_x, W_h, b):
    return tuple(rnn_backward(dh, dh_last, rnn_forward(x, h0, W_x, W_h, b, activation="identity")[2]))


def test_a_right_backward_pass_needs_no_forward_pass() -> None:
    for seed in SEEDS:
        assert judged(BACKWARD, reference, seed)["points"] == 3.5


def test_a_gradient_of_the_wrong_forward_pass_counts_for_what_it_is() -> None:
    for seed in SEEDS:
        got = judged(BACKWARD, its_gradient, seed, forward=without_squashing)
        assert (got["points"], got["reason"]) == (0.5, "values")
        assert "the gradient of your own forward: is that one right?" in got["message"]


def test_a_pass_that_is_right_where_the_two_are_compared_is_not_sent_to_its_forward_pass() -> None:
    """It earns the point for fitting, but what is wrong elsewhere is its own fault."""

    def wrong_for_one_step(dh, dh_last, x, *args):
        right = reference(dh, dh_last, x, *args)
        return right if x.shape[1] > 1 else tuple(2 * value for value in right)

    for seed in SEEDS:
        got = judged(BACKWARD, wrong_for_one_step, seed, forward=forward)
        assert (got["points"], got["reason"]) == (2.5, "values")
        assert "is that one right?" not in got["message"]


def test_single_precision_fits_as_well() -> None:
    def single(*args):
        return tuple(value.astype(np.float32) for value in its_gradient(*args))

    def single_forward(*args):
        return tuple(value.astype(np.float32) for value in without_squashing(*(a.astype(np.float32) for a in args)))

    assert all(judged(BACKWARD, single, seed, forward=single_forward)["points"] == 0.5 for seed in SEEDS)


def test_a_gradient_that_is_nobodys_earns_nothing() -> None:
    for wrong in (its_gradient, lambda *args: tuple(0.9 * value for value in reference(*args))):
        for seed in SEEDS:
            assert judged(BACKWARD, wrong, seed, forward=forward)["points"] == 0


@pytest.mark.parametrize(
    "empty",
    (
        lambda x, h0, W_x, W_h, b: (np.zeros((2, x.shape[1], 3)), np.zeros((2, 3))),
        lambda x, h0, W_x, W_h, b: (np.zeros((2, x.shape[1], 3)) + b, np.zeros((2, 3))),
        lambda *args: (np.full((2, 4, 3), np.nan), np.zeros((2, 3))),
        lambda *args: (np.zeros((2, 4, 3)) * 1j, np.zeros((2, 3))),
        lambda *args: None,
        "not a function",
    ),
)
def test_a_forward_pass_that_does_nothing_proves_nothing(empty) -> None:
    def zeros(dh, dh_last, *args):
        return (*(np.zeros_like(value) for value in args[:-1]), dh.sum(axis=(0, 1)) * (len(args) == 5))

    for seed in SEEDS:
        assert judged(BACKWARD, zeros, seed, forward=empty)["points"] == 0


def test_a_missing_forward_pass_is_not_held_against_a_backward_pass() -> None:
    got = judged(BACKWARD, its_gradient)
    assert got["points"] == 0 and got["reason"] == "values"


# --- a value ----------------------------------------------------------------------------------------------------------

VALUE = Exercise(
    name="steps",
    kind="value",
    signature="steps",
    outputs=("steps",),
    reference=lambda: 44,
    cases=lambda rng: [Case("value", "your number", {})],
    groups=(Group("value", "the number", 2.0),),
    misconceptions=(Misconception("one-less", "counted from 0", "Where does the count begin?", "x", lambda: 43),),
    tolerance=1e-9,
)


def test_a_value_is_judged_and_its_mistake_named() -> None:
    assert judged(VALUE, lambda: 44)["points"] == judged(VALUE, lambda: np.float32(44.0))["points"] == 2
    assert judged(VALUE, lambda: 43)["misconception"] == "one-less"
    assert "still None" in judged(VALUE, lambda: None)["message"]
    assert judged(VALUE, lambda: "44")["reason"] == "dtype"
    assert judged(VALUE, lambda: 45)["message"] == "steps: On your number, steps is off."


# --- a mistake whose outputs are not finite ---------------------------------------------------------------------------


def shares(x):
    return x / np.maximum(x.sum(axis=1, keepdims=True), 1)


def shares_of_nothing(x):
    with np.errstate(invalid="ignore"):
        return x / x.sum(axis=1, keepdims=True)


SHARES = Exercise(
    name="shares",
    kind="function",
    signature="shares(x)",
    outputs=("s",),
    reference=shares,
    cases=lambda rng: [
        Case("full", "rows that hold something", {"args": [rng.integers(1, 9, size=(3, 4)).astype(float)]}),
        Case("empty", "a row of zeros", {"args": [np.array([[0.0, 0.0], [1.0, 3.0]])]}),
    ],
    groups=(Group("full", "rows", 1.0), Group("empty", "an empty row", 1.0)),
    misconceptions=(Misconception("divides-by-nothing", "0 / 0", "What is the sum?", "x", shares_of_nothing),),
)


def test_a_mistake_that_gives_nan_is_named() -> None:
    for seed in SEEDS:
        got = judged(SHARES, shares_of_nothing, seed)
        assert (got["points"], got["misconception"]) == (1, "divides-by-nothing")


@pytest.mark.parametrize(
    "off",
    (
        lambda s: np.full_like(s, np.nan),  # more of them
        lambda s: np.where(np.isnan(s), np.inf, s),  # of another kind
        lambda s: np.where(np.isnan(s), 0.5, s),  # none
        lambda s: np.where(np.isnan(s), s, 1.1 * s),  # at the same places, but the finite ones are others
    ),
)
def test_nan_is_not_taken_for_a_mistake_that_it_is_not(off) -> None:
    for seed in SEEDS:
        assert judged(SHARES, lambda x: off(shares_of_nothing(x)), seed)["misconception"] is None


# --- what students see, and what they do not --------------------------------------------------------------------------


def test_the_visible_check_draws_from_cases_of_its_own_where_there_are_some() -> None:
    def shown(rng: np.random.Generator) -> list[Case]:
        return [Case("value", "a number that you have", {})]

    apart = dataclasses.replace(VALUE, visible_cases=shown)
    rng = np.random.default_rng
    for exercise, words in ((VALUE, "your number"), (apart, "a number that you have")):
        assert question(exercise, rng([7, 1]), visible=True)["cases"][0]["words"] == words
        for seed in (7, [7, 1]):
            assert question(exercise, rng(seed))["cases"][0]["words"] == "your number"


# --- tolerances -------------------------------------------------------------------------------------------------------


def test_what_is_expected_in_single_precision_is_compared_as_such() -> None:
    single = dataclasses.replace(
        BACKWARD,
        own=None,
        groups=BACKWARD.groups[:2],
        tolerance=1e-9,
        tolerance_float32=1e-3,
        cases=lambda rng: [
            dataclasses.replace(case, call={"args": [a.astype(np.float32) for a in case.call["args"]]})
            for case in cases(rng)
        ],
    )
    for exercise, points in ((single, 3.0), (dataclasses.replace(single, cases=cases), 0.0)):
        got = judged(exercise, lambda *args: tuple(value * (1 + 1e-5) for value in reference(*args)))
        assert got["points"] == points


def test_a_module_that_returns_something_else_than_tensors_is_told_so() -> None:
    module = next(e for name in exercises.names() for e in exercises.load(name).exercises if e.kind == "module")

    class Wrapped(module.reference):
        def forward(self, *inputs):
            returned = super().forward(*inputs)
            parts = returned if isinstance(returned, tuple) else (returned,)
            return tuple([part] for part in parts) if len(parts) > 1 else [parts[0]]

    asked = probe(module, 0)
    got = verdict(asked, answer(asked, Wrapped))
    assert (got["points"], got["reason"]) == (0, "not_tensors")
    assert (
        "it returned list" in got["message"] and f"expected a tensor for each of: {module.outputs[0]}" in got["message"]
    )
