"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

Result = Callable[[str], Any]
ONE, TWO, FOUR, WIDE = "1 × 50", "2 × 30", "4 × 20", "1 × 20"
WEATHER = ("1 × 16", "2 × 16", "4 × 16", "1 × 42")
DROPOUTS = ("each step", "each sequence", "each step, 0.2", "each sequence, 0.2")
BOTH, STACKED = "1 × 18, both", "2 × 9, both"


def waves(r: Result, name: str, kind: str = "errors") -> np.ndarray:
    return np.array(r("deep_rnns_depth")[kind][name])


def linear(r: Result) -> float:
    return r("deep_rnns_depth")["linear"]


def gains(r: Result) -> list[float]:
    """What the second, third and fourth layer of twenty neurons take from the mean error."""
    return [a - b for a, b in pairwise(waves(r, f"{layers} × 20").mean() for layers in (1, 2, 3, 4))]


def spans(runs: np.ndarray) -> float:
    return float(runs.max() - runs.min())


def level(r: Result, kind: str) -> bool:
    """The three networks of about 3,100 parameters have the same error: their ranges overlap, their means are near."""
    runs = [waves(r, name, kind) for name in (ONE, TWO, FOUR)]
    means = [run.mean() for run in runs]
    overlap = max(run.min() for run in runs) < min(run.max() for run in runs)
    return overlap and max(means) < 1.1 * min(means)


def within(runs: Any, low: float, high: float) -> bool:
    return bool(low <= np.min(runs) and np.max(runs) <= high)


def worse_with_half(r: Result) -> bool:
    return all(waves(r, name, "smaller_steps").mean() > waves(r, name).mean() for name in (ONE, TWO, FOUR))


def days(r: Result, name: str, part: str) -> np.ndarray:
    return np.array(r("deep_rnns_weather")["depth"][name][part])


def dropped(r: Result, name: str, part: str) -> np.ndarray:
    return np.array(r("deep_rnns_weather")["dropout"][name][part])


def best_linear(r: Result) -> float:
    first = r("recurrent_neurons_temperatures")
    return first["linear"][str(first["chosen_lags"])]


def stopped_means(r: Result) -> list[float]:
    return [days(r, name, "stopped").mean() for name in WEATHER]


def depth_brings_nothing(r: Result) -> bool:
    means = stopped_means(r)
    return max(means) < 1.01 * min(means) and min(days(r, name, "stopped").min() for name in WEATHER) > best_linear(r)


def overfits(r: Result, name: str) -> bool:
    """Lower on the training years and a little higher in 2015 than one layer of sixteen, in the mean."""
    lower = (days(r, name, "training") < days(r, WEATHER[0], "training")).all()
    return bool(lower) and 1 < days(r, name, "end").mean() / days(r, WEATHER[0], "end").mean() < 1.04


def lowest_at(r: Result, name: str) -> int:
    found = r("deep_rnns_weather")
    return found["updates"][int(np.mean(found["dropout"][name]["curve"], axis=0).argmin())]


def stopping_is_worth_it(r: Result) -> bool:
    """No dropout gets below stopping alone, with or without stopping in time."""
    none = dropped(r, "none", "stopped").mean()
    return all(dropped(r, name, part).mean() > 0.998 * none > 0 for name in DROPOUTS for part in ("stopped", "end"))


def lost(r: Result) -> Any:
    return r("deep_rnns_lost_days")


def right(r: Result, name: str, part: str = "accuracy") -> np.ndarray:
    return np.array(r("deep_rnns_events")[part][name])


def recalled(r: Result, name: str, delay: int) -> np.ndarray:
    return np.array(r("deep_rnns_reach")["errors"][name][str(delay)])


def wall(r: Result, name: str) -> int:
    """The largest distance at which most seeds recall at least half of the value."""
    return max(delay for delay in r("deep_rnns_reach")["delays"] if np.median(recalled(r, name, delay)) < 0.55)


SAID = {
    "A linear fit beats the network": lambda r: linear(r) < waves(r, WIDE).min(),
    "Five orange lines, close together, rise with them to 0.4 only": lambda r: within(
        np.max(r("deep_rnns_depth")["example_forecasts"], axis=1), 0.36, 0.44
    ),
    "The second layer brings most, the third less": lambda r: gains(r)[0] > gains(r)[1] > gains(r)[2] > 0,
    "from the third to the fourth the means differ by less than the seeds do": lambda r: (
        abs(gains(r)[2]) < min(spans(waves(r, "3 × 20")), spans(waves(r, "4 × 20")))
    ),
    "It takes three layers for the mean to be below least squares": lambda r: (
        waves(r, "3 × 20").mean() < linear(r) < waves(r, "2 × 20").mean()
    ),
    "Least squares is a diamond at 0.015": lambda r: within(linear(r), 0.0145, 0.0155),
    "One layer of twenty neurons has five dots near 0.027": lambda r: within(waves(r, WIDE), 0.026, 0.028),
    "two layers lie between 0.014 and 0.023": lambda r: within(waves(r, "2 × 20"), 0.0135, 0.0235),
    "three and four layers between 0.007 and 0.016": lambda r: within(
        [waves(r, "3 × 20"), waves(r, "4 × 20")], 0.0065, 0.0165
    ),
    "After 600 updates one layer of 50 has errors from 0.014 to 0.019": lambda r: within(waves(r, ONE), 0.014, 0.019),
    "one layer of 50 between 0.004 and 0.024": lambda r: (
        within(waves(r, ONE, "patient"), 0.0035, 0.0245) and spans(waves(r, ONE, "patient")) > 0.018
    ),
    "With half the learning rate all three lie between 0.004 and 0.005": lambda r: all(
        within(waves(r, name, "patient_smaller_steps"), 0.0035, 0.0055) for name in (ONE, TWO, FOUR)
    ),
    "What separates the rows above has gone below.": lambda r: (
        waves(r, TWO).max() < waves(r, ONE).min() and level(r, "patient_smaller_steps")
    ),
    "At equal numbers of parameters a good part of the advantage goes": lambda r: (
        (waves(r, ONE) - waves(r, FOUR)).mean() < 0.5 * (waves(r, WIDE) - waves(r, FOUR)).mean()
    ),
    "the worst of their seeds is better than the best with one layer": lambda r: (
        waves(r, TWO).max() < waves(r, ONE).min()
    ),
    "no better than two": lambda r: waves(r, FOUR).mean() > waves(r, TWO).mean() > 0,
    "With half the learning rate all of them are worse": worse_with_half,
    "one layer is again the last": lambda r: all(
        waves(r, ONE, kind).mean() > max(waves(r, TWO, kind).mean(), waves(r, FOUR, kind).mean())
        for kind in ("errors", "smaller_steps")
    ),
    "of its five seeds have come to about where the deep networks are": lambda r: (
        np.sort(waves(r, ONE, "patient"))[2]
        < 1.3 * waves(r, TWO, "patient").mean()
        < np.sort(waves(r, ONE, "patient"))[3]
    ),
    "the worst has come to grief": lambda r: waves(r, ONE, "patient").max() > waves(r, ONE).max() > 0,
    "With half the learning rate all five arrive": lambda r: (
        0 < waves(r, ONE, "patient_smaller_steps").max() < 1.1 * waves(r, TWO, "patient").mean()
    ),
    "Nothing is left between them.": lambda r: level(r, "patient_smaller_steps"),
    "a second layer saves updates": lambda r: 0 < waves(r, TWO).mean() < 0.7 * waves(r, ONE).mean(),
    "forgives a learning rate that is too large": lambda r: (
        waves(r, TWO, "patient").max() < 1.2 * waves(r, TWO, "patient_smaller_steps").mean()
        and waves(r, ONE, "patient").mean() > 1.5 * waves(r, ONE, "patient_smaller_steps").mean()
    ),
    "is beaten without any second squashing": lambda r: 0 < waves(r, WIDE, "patient").max() < linear(r),
    "both have equally many parameters": lambda r: (
        r("deep_rnns_depth")["parameters"][ONE] == r("deep_rnns_depth")["parameters"][FOUR] == 3110
    ),
    "no network beat least squares there": lambda r: (
        min(map(min, r("recurrent_neurons_temperatures")["recurrent"].values())) > best_linear(r)
    ),
    "raises it a little in 2015": lambda r: overfits(r, "4 × 16"),
    "layers of 16, does the same": lambda r: overfits(r, "1 × 42"),
    "closer to each other than the seeds of the two largest": lambda r: (
        0
        < max(stopped_means(r)) - min(stopped_means(r))
        < 0.7 * min(spans(days(r, name, "stopped")) for name in ("4 × 16", "1 × 42"))
    ),
    "no network has found anything that the linear fit does not have": lambda r: all(
        days(r, name, part).min() > best_linear(r) for name in WEATHER for part in ("end", "stopped")
    ),
    "Here depth brings nothing": depth_brings_nothing,
    "On the weather depth brought nothing.": depth_brings_nothing,
    "On the weather it never existed": lambda r: (
        days(r, "4 × 16", "stopped").mean() > 0.995 * days(r, "1 × 16", "stopped").mean() > 0
    ),
    "Without it the year is half learned by heart": lambda r: (
        within(dropped(r, "none", "training").mean() - r("deep_rnns_weather")["as_today"] / 2, -0.3, 0.3)
        and r("deep_rnns_weather")["as_today"] > 2
    ),
    "Dropout does what it is meant to do.": lambda r: all(
        (dropped(r, name, "end") < dropped(r, "none", "end")).all() for name in DROPOUTS
    ),
    "with a mask for each step from 2.8 to 2.93, just above the grey line at 2.91": lambda r: (
        r("deep_rnns_weather")["as_today"]
        < dropped(r, "each step", "end").mean()
        < r("deep_rnns_weather")["as_today"] + 0.05
    ),
    "fall a little to their lowest point near 100 or 150 updates": lambda r: all(
        100 <= lowest_at(r, name) <= 150 for name in ("none", "each step", "each sequence")
    ),
    "Stopping in time is worth all that dropout is worth here": stopping_is_worth_it,
    "In our test it reduced overfitting and did not beat stopping in time.": stopping_is_worth_it,
    "The lasting mask, stopped in time too, is a loss": lambda r: all(
        (dropped(r, name, "stopped") > dropped(r, "none", "stopped")).all()
        for name in ("each sequence", "each sequence, 0.2")
    ),
    "On these days no width and no depth had brought so much": lambda r: (
        np.mean(lost(r)["errors"]["ahead"]) - np.mean(lost(r)["errors"]["both"])
        > 5 * (max(stopped_means(r)) - min(stopped_means(r)))
        > 0
    ),
    "Both are a little better than the network.": lambda r: all(
        0.95 * np.mean(lost(r)["errors"]["both"]) < filled < min(lost(r)["errors"]["both"])
        for filled in (lost(r)["neighbours"], lost(r)["linear_both"])
    ),
    "a network that has always had a tomorrow is lost without one": lambda r: (
        min(lost(r)["by_future"]["0"]) > 1.3 * lost(r)["as_yesterday"] > 0
    ),
    "far below any forecast of this book": lambda r: 0 < max(lost(r)["forecast_feigned"]) < 0.5 * best_linear(r),
    "The forecaster that sees the future lies between 0.6 and 1.0": lambda r: within(
        lost(r)["forecast_feigned"], 0.55, 1.05
    ),
    "the same one without it between 5.1 and 5.8": lambda r: within(lost(r)["forecast_honest"], 5.05, 5.85),
    "depth makes up for what has not been seen yet": lambda r: all(
        within(right(r, name), 0.47, 0.53) for name in ("1 × 26, ahead", "2 × 15, ahead")
    ),
    "one of five seeds has learned nothing": lambda r: (
        sorted(right(r, BOTH, "at_events"))[0] < 0.55 and sorted(right(r, BOTH, "at_events"))[1] > 0.95
    ),
    "no sum can tell": lambda r: within(right(r, BOTH, "in_silence"), 0.47, 0.53),
    "one bidirectional layer lies near 0.64 with one dot at 0.5": lambda r: (
        within(np.sort(right(r, BOTH))[1:], 0.62, 0.66) and within(right(r, BOTH).min(), 0.48, 0.52)
    ),
    "two bidirectional layers lie at 1.0": lambda r: within(right(r, STACKED), 0.995, 1),
    "Two layers can compute what one cannot": lambda r: right(r, STACKED).min() > 0.95 > 0.8 > right(r, BOTH).max() > 0,
    "One layer of sixteen neurons recalls ten steps back, and not twenty.": lambda r: (
        recalled(r, "1 × 16", 10).max() < 0.05 and recalled(r, "1 × 16", 20).min() > 0.9
    ),
    "Behind it most networks recall nothing.": lambda r: (
        np.mean([recalled(r, name, 25) > 0.9 for name in ("1 × 16", "1 × 42", "2 × 16", "4 × 16")]) > 0.7
    ),
    "four layers recall the value with four seeds and not at all with the fifth": lambda r: (
        0 <= np.sort(recalled(r, "4 × 16", 20))[3] < 0.02 and recalled(r, "4 × 16", 20).max() > 0.95
    ),
    "half recalls it with most seeds": lambda r: np.sum(np.abs(recalled(r, "1 × 42", 20) - 0.5) <= 0.15) >= 3,
    "At twenty-five most networks of either kind recall next to nothing.": lambda r: all(
        np.sum(recalled(r, name, 25) > 0.9) >= 3 for name in ("1 × 42", "4 × 16")
    ),
    "by some five or ten steps": lambda r: all(
        5 <= wall(r, name) - wall(r, "1 × 16") <= 10 for name in ("4 × 16", "1 × 42")
    ),
    "four layers beat one by far": lambda r: 0 < waves(r, FOUR).max() < 0.7 * waves(r, WIDE).min(),
    "with more updates and smaller steps one wide layer came to the same place": lambda r: (
        level(r, "patient_smaller_steps") and waves(r, ONE, "patient_smaller_steps").max() < waves(r, FOUR).min()
    ),
}
