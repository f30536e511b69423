"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import Any

Result = Callable[[str], Any]
STARTS = ("torch", "orthogonal")


def error(r: Result, name: str, steps: int) -> list[float]:
    """The recall error of each seed, so many steps back."""
    return r("memory_cells_recall")[name][str(steps)]


def held(r: Result, name: str) -> list[int]:
    """How many seeds hold the bit through each span, the shortest first."""
    return [sum(a > 0.95 for a in runs) for runs in r("memory_cells_hold")[name].values()]


def fit(r: Result) -> dict[int, float]:
    return {int(days): of for days, of in r("recurrent_neurons_temperatures")["linear"].items()}


def layer(r: Result) -> dict[int, float]:
    by_length = r("recurrent_neurons_temperatures")["by_length"]
    return {int(days): mean(runs) for days, runs in by_length.items()}


def debts(r: Result) -> list[float]:
    """What a forecast owes to each day before, the mean of the seeds."""
    return [mean(day) for day in zip(*r("memory_cells_weather")["recurrent"], strict=True)]


def no_use_of_older_days(r: Result) -> bool:
    seen = layer(r)
    return seen[10] - seen[20] > 0.005 and max(abs(seen[days] - seen[20]) for days in (50, 100, 500)) < 0.005


def thirty_gain_nothing(r: Result) -> bool:
    return 0 < fit(r)[10] <= fit(r)[30] < 1.03 * fit(r)[10]


def fit_falls_and_rises(r: Result) -> bool:
    errors = list(fit(r).values())
    lowest = list(fit(r)).index(10)
    falls = errors[: lowest + 1] == sorted(errors[: lowest + 1], reverse=True)
    rises = errors[lowest:] == sorted(errors[lowest:]) and errors[-1] - errors[lowest] < 0.05
    return falls and rises and abs(errors[0] - 2.85) < 0.006 and abs(errors[lowest] - 2.69) < 0.006


def layer_lies_above(r: Result) -> bool:
    seen = layer(r)
    above = all(seen[days] > fit(r)[days] for days in (1, 2, 3, 5, 10, 20))
    peak = max(seen.values()) == seen[2] and abs(seen[2] - 2.97) < 0.01
    return above and peak and all(abs(seen[days] - 2.74) < 0.006 for days in (20, 50))


def same_factor_every_two_days(r: Result) -> bool:
    owed = debts(r)
    factors = [owed[day + 2] / owed[day] for day in range(10, 50)]
    return max(factors) < 1.4 * min(factors) and min(factors) > 0.5


def zigzag_then_line(r: Result) -> bool:
    owed = debts(r)
    early = [owed[day + 1] > owed[day] for day in range(1, 10)]
    late = [owed[day + 1] > owed[day] for day in range(30, 59)]
    ends = abs(owed[0] - 0.8) < 0.05 and 0.005 < owed[10] < 0.015 and 0 < owed[59] < 1e-6
    return 2 < sum(early) < 8 and not any(late) and ends


def weights_scatter(r: Result) -> bool:
    weights = r("memory_cells_weather")["linear"]
    later, latest = mean(weights[8:19]), mean(weights[19:30])
    within = all(0.0005 <= weight <= 0.1 for weight in weights[8:30])
    return abs(weights[0] - 0.8) < 0.05 and within and latest > 0.8 * later


def debts_in_name_only(r: Result) -> bool:
    """Most of the sixty are below a hundredth of the largest, none is 0."""
    return all(
        min(row) > 0 and sum(owed < 0.01 * max(row) for owed in row) > 40
        for row in r("memory_cells_weather")["recurrent"]
    )


def debts_fade(r: Result) -> bool:
    """Each ten days owe less than half of the ten before, in every seed."""
    return all(
        0 < 2 * sum(row[day + 10 : day + 20]) < sum(row[day : day + 10])
        for row in r("memory_cells_weather")["recurrent"]
        for day in range(0, 50, 10)
    )


def no_edge(r: Result) -> bool:
    """From the tenth day on no day owes less than a quarter of two days before it."""
    owed = debts(r)
    return debts_fade(r) and all(owed[day + 2] > owed[day] / 4 > 0 for day in range(10, 58))


def seeds_near_the_bound(r: Result) -> bool:
    learned = [e for e in error(r, "neuron", 1) if e < 0.95]
    none = [e for e in error(r, "neuron", 1) if e >= 0.95]
    return len(none) >= 2 and len(learned) >= 5 and all(abs(e - 0.75) < 0.05 for e in learned)


def single_neurons(r: Result) -> bool:
    return abs(mean(error(r, "neuron", 1)) - 0.8) < 0.03 and all(
        0.93 < mean(error(r, "neuron", steps)) < 1.03 for steps in (3, 5, 8)
    )


def perfect_to_twelve(r: Result) -> bool:
    return all(0 < e < 0.02 for steps in (1, 3, 5, 8, 10, 12) for e in error(r, "torch", steps))


def shaky_at_fifteen(r: Result) -> bool:
    runs = error(r, "torch", 15)
    return 0.1 < min(runs) < 0.5 < max(runs)


def nothing_of_the_twentieth(r: Result) -> bool:
    return all(e > 0.9 for e in error(r, "torch", 20)) and abs(mean(error(r, "torch", 20)) - 1) < 0.03


def orthogonal_curve(r: Result) -> bool:
    short = all(mean(error(r, "orthogonal", steps)) < 0.08 for steps in (1, 3, 5, 8, 10, 12, 15))
    return (
        short
        and abs(mean(error(r, "orthogonal", 20)) - 0.45) < 0.02
        and abs(mean(error(r, "orthogonal", 30)) - 0.8) < 0.02
    )


def untrained_curve(r: Result) -> bool:
    short = all(mean(error(r, "reservoir", steps)) < 0.01 for steps in (1, 3, 5, 8, 10, 12))
    return short and abs(mean(error(r, "reservoir", 20)) - 0.87) < 0.01


def untrained_is_better_at_fifteen(r: Result) -> bool:
    return 0 < mean(error(r, "reservoir", 15)) < 0.5 * mean(error(r, "torch", 15))


def about_ten_is_no_constant(r: Result) -> bool:
    """Another start, more updates and more neurons each at least halve the error at fifteen steps."""
    usual = mean(error(r, "torch", 15))
    return all(0 < mean(error(r, name, 15)) < usual / 2 for name in ("orthogonal", "patient", "wide"))


def almost_everything_to_one(r: Result) -> bool:
    """One derivative is far larger than each other; of the output's variance it makes up nearly all."""
    for row in r("memory_cells_recall")["sensitivity"]["10"]:
        peak, others = row[10], row[:10] + row[11:]
        if peak < 15 * max(others) or peak**2 < 0.98 * sum(of**2 for of in row):
            return False
    return True


def peaks_where_asked(r: Result) -> bool:
    return all(
        0.9 < row[int(steps)] < 1.05 and max(row[: int(steps)] + row[int(steps) + 1 :]) < 0.06
        for steps, rows in r("memory_cells_recall")["sensitivity"].items()
        for row in rows
    )


def counts_that_fall(r: Result) -> bool:
    return all(
        counts == sorted(counts, reverse=True) and counts[0] > counts[-1]
        for counts in (held(r, "neuron_torch"), held(r, "neuron_identity"))
    )


def lines_of_sixteen(r: Result) -> bool:
    counts = held(r, "torch")
    return counts[:2] == [10, 10] and 10 > counts[2] > counts[3] > counts[4]


def reach_of_the_starts(r: Result) -> bool:
    """PyTorch's start reaches some ten steps in both tasks, the orthogonal one fifteen and eighty."""
    usual = max(error(r, "torch", 10)) < 0.02 and min(error(r, "torch", 15)) > 0.1
    return usual and held(r, "torch")[-1] < 5 and orthogonal_reach(r)


def orthogonal_reach(r: Result) -> bool:
    runs = error(r, "orthogonal", 15)
    return max(runs) < 0.25 and sum(e < 0.02 for e in runs) > 5 and held(r, "orthogonal")[-1] == 10


def half_is_passed_in_between(r: Result) -> bool:
    """A single neuron at one step, PyTorch's start before the untrained layer, that before the orthogonal start."""
    at = {name: (mean(error(r, name, 15)), mean(error(r, name, 20))) for name in (*STARTS, "reservoir")}
    first = mean(error(r, "neuron", 1)) > 0.5
    return first and at["torch"] > at["reservoir"] > at["orthogonal"] and at["orthogonal"][1] < 0.5


def short_windows(r: Result) -> bool:
    found = r("memory_cells_recall")["short_window"]
    return 0 < mean(found["inside"]) < 0.5 * mean(error(r, "orthogonal", found["delay"]))


SAID = {
    "it made no use of anything older than about twenty days": no_use_of_older_days,
    "The linear fit could use thirty days as easily as ten, and gains nothing from them.": thirty_gain_nothing,
    "So it is the weather that holds no more, at least as far as a linear fit can see.": thirty_gain_nothing,
    "The linear fit falls from 2.85 degrees to 2.69 at ten days and then rises a little.": fit_falls_and_rises,
    "The recurrent layer lies above it, peaks at 2.97 for two days and levels off at 2.74": layer_lies_above,
    "From about the tenth day on the layer's debts shrink by nearly the same factor every two days.": (
        same_factor_every_two_days
    ),
    "falls in a zigzag to 0.01 after ten days and then, as the zigzag fades, nearly along a straight line": (
        zigzag_then_line
    ),
    "start at 0.8 and from day 8 to day 29 scatter between 0.1 and 0.001 without falling further": weights_scatter,
    "Every day is in there, but most of them in name only.": debts_in_name_only,
    "The forecaster's debts fade with the days": debts_fade,
    "for thirty: it fades and has no edge.": no_edge,
    "And where between them is a linear layer of sixteen random neurons that nobody trains": half_is_passed_in_between,
    "Single neurons lie at 0.8 for one step and near 1 from three steps on.": single_neurons,
    "Sixteen neurons with PyTorch's start stay at 0 up to 12 steps and rise to 1 at 20.": lambda r: (
        perfect_to_twelve(r) and nothing_of_the_twentieth(r)
    ),
    "With an orthogonal start they stay near 0 up to 15 and reach 0.45 at 20 and 0.8 at 30.": orthogonal_curve,
    "The untrained linear layer is at 0 up to 12, and at 0.87 for 20 steps.": untrained_curve,
    "the seeds that learned anything lie near the bound for one linear number, 0.75, and some learned nothing": (
        seeds_near_the_bound
    ),
    "Sixteen neurons as PyTorch starts them are close to perfect up to twelve steps": perfect_to_twelve,
    "shaky at fifteen": shaky_at_fifteen,
    "and know nothing of the twentieth": nothing_of_the_twentieth,
    "and still reads a good part of what lies beyond its room": lambda r: (
        0.3 < 1 - mean(error(r, "orthogonal", 20)) < 0.9
    ),
    "layer that nobody trained does better at fifteen steps than the layer that was trained from PyTorch's start": (
        untrained_is_better_at_fifteen
    ),
    "*About ten* depends on how you start, on how long you train and on how wide you build.": about_ten_is_no_constant,
    "This network owes almost everything to one input in the middle of its past": almost_everything_to_one,
    "the one for ten steps back is near zero but for a peak of nearly 1 at lag 10": peaks_where_asked,
    "Sixteen neurons with an orthogonal start hold the bit with all ten seeds throughout.": lambda r: (
        held(r, "orthogonal") == [10] * 5
    ),
    "With PyTorch's start all ten hold it up to 10 steps, then fewer and fewer.": lines_of_sixteen,
    "Single neurons with feedback 1 at the start begin at nine seeds and fall to none": lambda r: (
        held(r, "neuron_identity")[0] == 9 and held(r, "neuron_identity")[-1] == 0
    ),
    "single neurons with PyTorch's start never exceed three": lambda r: max(held(r, "neuron_torch")) == 3,
    "Training finds such a weight ever more rarely as the span grows": counts_that_fall,
    "More patience helps here too": lambda r: held(r, "patient")[0] >= held(r, "torch")[3] + 3,
    "what training *finds* are two numbers, and the second can be much the smaller": lambda r: (
        held(r, "torch")[-1] <= held(r, "orthogonal")[-1] / 2 and held(r, "neuron_torch")[-1] == 0
    ),
    "at twenty steps, less than half of what you see in": short_windows,
    "far worse than saying 0": lambda r: min(r("memory_cells_recall")["short_window"]["beyond"]) > 2,
    "a running tape of random numbers it is almost exactly right": lambda r: (
        perfect_to_twelve(r) and shaky_at_fifteen(r) and nothing_of_the_twentieth(r)
    ),
    "it gives back very little even of what came in two steps before": lambda r: (
        0.85 < mean(error(r, "neuron", 2)) < 1 and min(error(r, "neuron", 2)) > 0.8
    ),
    "about as many as it has neurons": orthogonal_reach,
    "What is short is the reach of the training, from an unlucky start.": reach_of_the_starts,
    "an orthogonal start reached fifteen, and eighty for one bit": orthogonal_reach,
}
