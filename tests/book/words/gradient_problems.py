"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Result = Callable[[str], Any]
ALWAYS_ONE, ONE_KNOWN = 1 / 6, 1 / 12
SHARED, FIFTY = "recurrent", "unshared"


def adding(r: Result, layers: int, steps: int) -> np.ndarray:
    found = r("gradient_problems_adding")
    return np.array(found["error"][str(layers)][found["steps"].index(steps)])


def patient(r: Result, steps: int) -> np.ndarray:
    return np.array(r("gradient_problems_adding")["patient"][str(steps)])


def trace(r: Result, net: str, mark: str) -> np.ndarray:
    return np.array(r("gradient_problems_adding")["trace"][net][mark])


def within(runs: Any, low: float, high: float) -> bool:
    return bool(low <= np.min(runs) and np.max(runs) <= high)


def guesses(runs: Any) -> bool:
    """As good as to answer 1 always, within the luck of a test with 2000 sequences."""
    return within(np.mean(runs), 0.93 * ALWAYS_ONE, 1.07 * ALWAYS_ONE)


def run(r: Result, name: str, part: str = "error", kind: str = "runs") -> np.ndarray:
    return np.array(r("gradient_problems_remedies")[kind][name][part])


def wins(r: Result, name: str, other: str) -> int:
    return int(np.sum(run(r, name) < run(r, other)))


def reach(runs: np.ndarray) -> float:
    return math.exp(sum(map(math.log, runs)) / len(runs))


def steeper(r: Result) -> list[bool]:
    """In which seeds the second layer has clearly the smaller error on twenty steps."""
    return [two < 0.9 * one for two, one in zip(adding(r, 2, 20), adding(r, 1, 20), strict=True)]


def dropout_stays_behind(r: Result) -> bool:
    free = run(r, "torch", kind="patient")
    places = ("dropout, readout", "dropout, state")
    late = [run(r, name, kind="patient") for name in places]
    return all(
        runs.mean() > 2 * free.mean() > 0 and np.mean(runs > free) >= 0.9 and runs.mean() < ONE_KNOWN for runs in late
    )


def five_seeds_mislead(r: Result) -> bool:
    """Five seeds prefer the orthogonal start clearly; all ten, with the control, do not."""
    five = run(r, "orthogonal")[:5].mean() < 0.5 * run(r, "torch")[:5].mean()
    return bool(five) and run(r, "orthogonal").mean() > run(r, "bare").mean()


def sharing(r: Result, case: str, kind: str) -> dict[str, Any]:
    return r("gradient_problems_sharing")["runs"][case][kind]


def fed(r: Result, strength: str, kind: str) -> dict[str, Any]:
    return r("gradient_problems_sharing")["inputs"][kind][strength]


def median(found: dict[str, Any]) -> float:
    """Fifty layers back, in powers of ten."""
    return found["quantiles"][1][-1]


def band(found: dict[str, Any]) -> float:
    low, _, high = (quantile[-1] for quantile in found["quantiles"])
    return high - low


def apart(r: Result, strength: str) -> float:
    return abs(median(fed(r, strength, SHARED)) - median(fed(r, strength, FIFTY)))


def strengths(r: Result) -> list[str]:
    return list(r("gradient_problems_sharing")["inputs"][SHARED])


def falls_with_inputs(r: Result, kind: str) -> bool:
    medians = [median(fed(r, strength, kind)) for strength in strengths(r)]
    return medians == sorted(medians, reverse=True) and medians[0] - medians[-1] > 5


def costs(r: Result, kind: str, strength: str) -> float:
    return median(fed(r, "0.0", kind)) - median(fed(r, strength, kind))


def squashed(r: Result) -> list[dict[str, Any]]:
    return [runs for case, runs in r("gradient_problems_sharing")["runs"].items() if case != "linear"]


def grown(r: Result, kind: str) -> float:
    spread = sharing(r, "linear", kind)["spread"]
    return spread[50] / spread[10]


def runaway(r: Result, activation: str, clip: str, optimiser: str, lr: float) -> dict[str, Any]:
    runs = r("gradient_problems_runaway")["runs"]
    found = {(one["activation"], one["clip"], one["optimiser"], one["lr"]): one for one in runs}
    return found[activation, clip, optimiser, lr]


def largest(r: Result, activation: str, steps: int, clip: str = "norm", optimiser: str = "adam", lr: float = 0.003):
    return np.array(runaway(r, activation, clip, optimiser, lr)["largest_state"][str(steps)], dtype=float)


def summed(r: Result, steps: int) -> np.ndarray:
    return np.array(r("gradient_problems_runaway")["untrained"][str(steps)])


def ran_away(r: Result) -> int:
    return int(np.sum(largest(r, "relu", 400) > 20 * summed(r, 400).mean()))


def dead(one: dict[str, Any]) -> bool:
    return all(value == 0 for value in one["largest_state"]["20"])


def alive(one: dict[str, Any]) -> bool:
    states = one["largest_state"]["20"]
    return None not in one["error"] and all(value is not None and value > 0 for value in states)


def clipped_runs(r: Result) -> list[dict[str, Any]]:
    return [one for one in r("gradient_problems_runaway")["runs"] if one["clip"] == "norm"]


def relu_wins(r: Result) -> bool:
    relu = runaway(r, "relu", "norm", "adam", 0.003)["error"]
    return 0 < max(relu) < 0.02 and min(runaway(r, "tanh", "norm", "adam", 0.003)["error"]) > 0.9 * ALWAYS_ONE


SAID = {
    "learns to add over ten steps": lambda r: 0 <= adding(r, 1, 10).max() < ONE_KNOWN / 3,
    "Both start below 0.02 at ten steps": lambda r: 0 < max(adding(r, layers, 10).mean() for layers in (1, 2)) < 0.02,
    "at twenty steps the curve of two layers lies clearly below that of one": lambda r: (
        0 < adding(r, 2, 20).mean() < 0.6 * adding(r, 1, 20).mean()
    ),
    "if hardly in one of them": lambda r: (adding(r, 2, 20) < adding(r, 1, 20)).all() and steeper(r).count(False) == 1,
    "two layers have hardly begun to learn": lambda r: ONE_KNOWN < adding(r, 2, 30).mean() < 0.95 * ALWAYS_ONE,
    "on forty, one layer and two are no better than": lambda r: guesses(adding(r, 1, 40)) and guesses(adding(r, 2, 40)),
    "Patience moves the border. With four times the updates": lambda r: (
        r("gradient_problems_adding")["patience"] == 4 and within([patient(r, 20), patient(r, 40)], 0, ONE_KNOWN / 2)
    ),
    "on eighty it has learned nothing, or worse": lambda r: (
        patient(r, 80).min() > 0.93 * ALWAYS_ONE and patient(r, 80).max() > 1.3 * ALWAYS_ONE
    ),
    "Without squashing the medians lie within little more than a power of ten": lambda r: (
        0.9 < np.ptp([median(sharing(r, "linear", kind)) for kind in (SHARED, "dense", "convolution")]) < 1.4
    ),
    "Above: without squashing, sharing widens the band.": lambda r: (
        band(sharing(r, "linear", SHARED))
        > 2 * max(band(sharing(r, "linear", kind)) for kind in ("dense", "convolution"))
        > 0
    ),
    "Below: with tanh, an input at every layer costs far more.": lambda r: all(
        median(sharing(r, "tanh 1", kind)) < median(sharing(r, "tanh 1", "dense")) - 5 for kind in (SHARED, FIFTY)
    ),
    "fold with fifty dense ones": lambda r: 5 <= grown(r, SHARED) <= 6.5 and 2 <= grown(r, "dense") <= 3,
    "Below 1 all vanish.": lambda r: all(median(one) < -8 for one in squashed(r)[0].values()),
    "Above 1 the dense and the convolutional gradient grows, and the recurrent one still vanishes.": lambda r: (
        min(median(sharing(r, "tanh 1.5", kind)) for kind in ("dense", "convolution")) > 0.3
        and median(sharing(r, "tanh 1.5", SHARED)) < -2
    ),
    "The recurrent network is worse off than the dense one at every strength": lambda r: all(
        median(runs[SHARED]) < median(runs["dense"]) - 3 for runs in squashed(r)
    ),
    "sharing is as badly off. So it cannot be the sharing that costs so much.": lambda r: all(
        abs(median(runs[SHARED]) - median(runs[FIFTY])) < 0.5 for runs in squashed(r)
    ),
    "Stronger inputs move the median down; sharing makes the bar longer.": lambda r: (
        falls_with_inputs(r, SHARED)
        and falls_with_inputs(r, FIFTY)
        and all(band(fed(r, strength, SHARED)) > 1.4 * band(fed(r, strength, FIFTY)) for strength in strengths(r))
    ),
    "The middles of each pair lie at most one power of ten apart": lambda r: (
        0.8 < max(apart(r, strength) for strength in strengths(r)) < 1.05
    ),
    "that of separate matrices is less than half as long; both are longest at 1": lambda r: (
        0 < band(fed(r, "0.0", FIFTY)) < 0.5 * band(fed(r, "0.0", SHARED))
        and all(
            max(strengths(r), key=lambda strength: band(fed(r, strength, kind))) == "1.0" for kind in (SHARED, FIFTY)
        )
    ),
    "Without inputs, one matrix and fifty have nearly the same median": lambda r: 0 < apart(r, "0.0") < 0.3,
    "Between these, one matrix loses less than fifty.": lambda r: (
        0 < costs(r, SHARED, "0.3") < 0.85 * costs(r, FIFTY, "0.3")
    ),
    "Inputs at every step make the gradient small; sharing makes it unpredictable.": lambda r: (
        min(costs(r, kind, "1.0") for kind in (SHARED, FIFTY)) > 5
        and all(
            fed(r, strength, SHARED)["spread"][-1] > 1.3 * fed(r, strength, FIFTY)["spread"][-1]
            for strength in strengths(r)
        )
    ),
    "fifty dense layers from PyTorch's start fare badly too": lambda r: (
        median(sharing(r, "tanh default", "dense")) < -8
    ),
    "Recurrent gradients were smaller than those of dense layers at each of three strengths": lambda r: (
        len(squashed(r)) == 3 and all(median(runs[SHARED]) < median(runs["dense"]) - 3 for runs in squashed(r))
    ),
    "with one matrix or fifty the median is nearly the same": lambda r: (
        0 < apart(r, "1.0") < 0.3 and 0 < apart(r, "0.0") < 0.3
    ),
    "Random weights forget everything alike.": lambda r: all(
        trace(r, "untrained", mark)[:, 18].max() < 0.05 < 0.3 < trace(r, "untrained", mark)[:, 7].mean()
        for mark in ("marked", "unmarked")
    ),
    "Trained ones keep a marked number and drop an unmarked one.": lambda r: (
        trace(r, "trained", "marked")[:, :19].min() > 0.9 and trace(r, "trained", "unmarked")[:, 18].max() < 0.05
    ),
    "With random weights both fall from 1 to 0 between steps 6 and 13.": lambda r: all(
        trace(r, "untrained", mark)[:, 5].mean() > 0.95 and trace(r, "untrained", mark)[:, 12].mean() < 0.05
        for mark in ("marked", "unmarked")
    ),
    "and gone soon after": lambda r: (
        trace(r, "untrained", "unmarked")[:, 8].mean() < 0.5 and trace(r, "untrained", "unmarked")[:, 11].max() < 0.1
    ),
    "a mark, being one more input, changes little": lambda r: (
        np.argmax(trace(r, "untrained", "marked").mean(axis=0) < 0.5)
        - np.argmax(trace(r, "untrained", "unmarked").mean(axis=0) < 0.5)
        == 1
    ),
    "whose reach is as bad as PyTorch's": lambda r: (
        0 < reach(run(r, "bare", "reach_before")) < 3 * reach(run(r, "torch", "reach_before")) < 3e-4
    ),
    "may as well be the bias": lambda r: (
        0 < run(r, "bare").mean() <= min(run(r, "glorot").mean(), run(r, "orthogonal").mean()) < run(r, "torch").mean()
    ),
    "this page would praise the orthogonal start": five_seeds_mislead,
    "and five seeds may give the wrong answer": five_seeds_mislead,
    "The identity with tanh has reach, learns next to nothing in this time": lambda r: (
        run(r, "identity", "reach_before").min() > 0.2 and 0.88 * ALWAYS_ONE < run(r, "identity").mean() < ALWAYS_ONE
    ),
    "At forty steps Glorot starts with a reach": lambda r: (
        reach(run(r, "glorot", "reach_before", "long")) > 0.3 and guesses(run(r, "glorot", kind="long"))
    ),
    "One start alone is in a class of its own, at twenty steps and at forty": lambda r: all(
        0
        < run(r, "identity, relu", kind=kind).max()
        < 0.2 * min(run(r, name, kind=kind).mean() for name in ("torch", "bare", "glorot", "orthogonal", "identity"))
        for kind in ("runs", "long")
    ),
    "updates, where no other start did": lambda r: (
        0 < run(r, "identity, relu", kind="long").max() < ONE_KNOWN / 4
        and all(guesses(run(r, name, kind="long")) for name in ("torch", "bare", "glorot", "orthogonal", "identity"))
    ),
    "most of their dots below 0.1": lambda r: all(
        np.sum(run(r, name) < 0.1) >= 6 and run(r, name).min() > 0.01
        for name in ("torch", "bare", "glorot", "orthogonal")
    ),
    "with clipping by value or none most dots lie above 0.12": lambda r: all(
        np.sum(run(r, name) > 0.12) >= 6 for name in ("clip, value", "clip, none")
    ),
    "Adam at its best rate spreads from 0.01 to 0.18": lambda r: (
        within(run(r, "adam"), 0.008, 0.185) and np.ptp(run(r, "adam")) > 0.16
    ),
    "Adam learned where descent and momentum did not": lambda r: (
        0 < run(r, "adam").mean() < 0.5 * ALWAYS_ONE and guesses(run(r, "sgd")) and guesses(run(r, "momentum"))
    ),
    "Their reach grows all the same": lambda r: all(
        (run(r, name, "reach_after") > 100 * run(r, name, "reach_before")).all()
        and run(r, name, "reach_before").min() > 0
        for name in ("sgd", "momentum")
    ),
    "Slower, then, and still behind.": dropout_stays_behind,
    "by norm helps, in": lambda r: wins(r, "torch", "clip, none") >= 9,
    "By value it does less": lambda r: (
        0 < run(r, "torch").mean() < run(r, "clip, value").mean() < run(r, "clip, none").mean()
    ),
    "it mends the gradients": lambda r: (
        reach(run(r, "orthogonal", "reach_before")) > 0.3 and reach(run(r, "torch", "reach_before")) < 1e-4
    ),
    "With tanh that did not lower the error": lambda r: run(r, "orthogonal").mean() > run(r, "bare").mean() > 0,
    "the ReLU networks solve the task, and two of them run away when the sequence goes on": lambda r: (
        0 < max(runaway(r, "relu", "norm", "adam", 0.003)["error"]) < 0.01 and ran_away(r) == 2
    ),
    "Five ReLU lines start near 2 and rise, three to between 12 and 16 and two to beyond 1000.": lambda r: (
        within(largest(r, "relu", 20), 1.5, 2.8)
        and within(np.sort(largest(r, "relu", 400))[:3], 11.5, 16.4)
        and np.sort(largest(r, "relu", 400))[3] > 1000
    ),
    "the ReLU network learns from this start what tanh does not": relu_wins,
    "learned the task better": relu_wins,
    "of the five trained ones end below this sum": lambda r: (
        np.sum((largest(r, "relu", 400) > 0) & (largest(r, "relu", 400) < 0.6 * summed(r, 400).min())) == 3
    ),
    "After plain descent at 0.01, clipped, all five did.": lambda r: (
        largest(r, "relu", 400, optimiser="sgd", lr=0.01).min() > 20 * summed(r, 400).max() > 0
    ),
    "Clipped descent at 0.01, which learns next to nothing": lambda r: (
        0.9 * ALWAYS_ONE < np.mean(runaway(r, "relu", "norm", "sgd", 0.01)["error"]) < ALWAYS_ONE
    ),
    "At the faster rates, unclipped, the ReLU networks die.": lambda r: all(
        dead(runaway(r, "relu", "none", optimiser, lr))
        for optimiser, lr in (("sgd", 0.1), ("sgd", 0.3), ("adam", 0.03))
    ),
    "Of all the clipped networks in the table none was lost.": lambda r: all(alive(one) for one in clipped_runs(r)),
    "most of the 32 neurons stand at": lambda r: within(
        r("gradient_problems_runaway")["slow_readout"]["curvature"], 54, 66
    ),
    "With tanh no output exceeded 1.": lambda r: all(
        value is None or 0 < value <= 1
        for one in r("gradient_problems_runaway")["runs"]
        if one["activation"] == "tanh"
        for values in one["largest_state"].values()
        for value in values
    ),
}
