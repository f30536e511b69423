"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import Any

Result = Callable[[str], Any]


def weather(r: Result) -> Any:
    return r("recurrent_neurons_temperatures")


def neurons(r: Result, size: int) -> list[float]:
    """The error of each seed, °C."""
    return weather(r)["recurrent"][str(size)]


def days_seen(r: Result, days: int) -> list[float]:
    """The error of each seed when a forecast sees so many days."""
    return weather(r)["by_length"][str(days)]


def fit(r: Result) -> float:
    found = weather(r)
    return found["linear"][str(found["chosen_lags"])]


def windows(r: Result, name: str, count: int) -> list[float]:
    """The error of each seed, with or without shared weights, after so many windows."""
    return r("recurrent_neurons_sharing")[name][str(count)]


def lead(r: Result, count: int) -> float:
    """By how many °C sharing is ahead, in the mean."""
    return mean(windows(r, "unshared", count)) - mean(windows(r, "shared", count))


def spread(runs: list[float]) -> float:
    return max(runs) - min(runs)


def freedom_is_nowhere_better(r: Result) -> bool:
    """Not by more than a hundredth of a degree."""
    return all(lead(r, count) > -0.01 for count in (32, 128, 716)) and lead(r, 32) > 1


def sharing_makes_no_difference(r: Result) -> bool:
    return abs(lead(r, 716)) < min(spread(windows(r, name, 716)) for name in ("shared", "unshared"))


def nothing_is_gained(r: Result) -> bool:
    """Twenty days are better than ten, and nearly the same as fifty or more."""
    later = [abs(mean(days_seen(r, days)) - mean(days_seen(r, 20))) for days in (50, 100, 500)]
    return mean(days_seen(r, 10)) - mean(days_seen(r, 20)) > 0.005 and max(later) < 0.005


def nothing_is_lost_at_the_end(r: Result) -> bool:
    return max(abs(a - b) for a, b in zip(days_seen(r, 50), days_seen(r, 500), strict=True)) < 0.005 < fit(r)


def curve_by_length(r: Result) -> bool:
    said = {1: 2.87, 2: 2.97, 20: 2.74, 50: 2.74, 100: 2.74, 500: 2.74}
    return all(abs(mean(days_seen(r, days)) - error) < 0.006 for days, error in said.items())


def rows_of_the_scoreboard(r: Result) -> bool:
    one, four, sixteen = (mean(neurons(r, size)) for size in (1, 4, 16))
    return abs(one - 3.1) < 0.06 and abs(four - 2.85) < 0.01 and abs(sixteen - 2.74) < 0.006


def baselines_of_the_scoreboard(r: Result) -> bool:
    found = weather(r)
    return abs(found["season"] - 3.9) < 0.06 and abs(found["as_today"] - 2.9) < 0.03 and abs(fit(r) - 2.7) < 0.03


def linear_fit_is_slightly_better(r: Result) -> bool:
    return 0.005 < mean(neurons(r, 16)) / fit(r) - 1 < 0.04 and fit(r) < min(neurons(r, 16))


def best_after_the_last_passes(r: Result) -> bool:
    passes = weather(r)["epochs"]
    return min(passes["1"] + passes["4"]) >= 38 and max(passes["1"] + passes["4"]) <= 40


def unshared_dots(r: Result) -> bool:
    few = windows(r, "unshared", 32)
    near = mean(windows(r, "unshared", 128)), mean(windows(r, "unshared", 716))
    return min(few) > 4.55 and max(few) < 7.05 and abs(near[0] - 2.9) < 0.05 and abs(near[1] - 2.8) < 0.05


def many_times_the_data(r: Result) -> bool:
    """With four times the windows it is not there yet; with all of them it is."""
    there = mean(windows(r, "shared", 32))
    late, all_of_them = (mean(windows(r, "unshared", count)) for count in (128, 716))
    return late - there > 0.03 and abs(all_of_them - there) < 0.02


def near_shared(r: Result) -> bool:
    return all(abs(error - 2.8) < 0.06 for count in (32, 128, 716) for error in windows(r, "shared", count))


def learned_from_few(r: Result) -> bool:
    """As well as from many; without sharing much worse, in every seed."""
    shared = windows(r, "shared", 32)
    level = abs(mean(shared) - mean(windows(r, "shared", 716))) < 0.05
    return level and min(windows(r, "unshared", 32)) > 1.5 * max(shared)


def prices_found_nothing(r: Result) -> bool:
    found = r("recurrent_neurons_prices")
    runs, naive = found["recurrent"]["4"], found["as_this_month"]
    return abs(mean(runs) / naive - 1) < 0.01 and min(runs) < naive < max(runs)


def prices_look_splendid(r: Result) -> bool:
    found = r("recurrent_neurons_prices")
    return min(found["correlation_of_prices"]) > 0.85 and max(found["correlation_of_changes"]) < 0.15


SAID = {
    "With shared weights the errors lie near 2.8 degrees for 32, 128 and 716 windows.": near_shared,
    "Without sharing they lie between 4.6 and 7 degrees for 32 windows, near 2.9 for 128": unshared_dots,
    "Without sharing the network needs many times the data to arrive at the same place.": many_times_the_data,
    "More freedom is nowhere better.": freedom_is_nowhere_better,
    "windows there is next to nothing between the two": lambda r: abs(lead(r, 716)) < 0.02 < 1 < lead(r, 32),
    "windows it made no difference that exceeds the spread over seeds": sharing_makes_no_difference,
    "lets it learn from few sequences; with enough data we saw no other advantage": lambda r: (
        learned_from_few(r) and sharing_makes_no_difference(r)
    ),
    "The season's average has an error near 3.9 degrees, as today 2.9, the linear fit 2.7.": (
        baselines_of_the_scoreboard
    ),
    "about 3.1 with one neuron, 2.85 with four and 2.74 with sixteen": rows_of_the_scoreboard,
    "each a cluster of ten dots, tighter with more neurons": lambda r: (
        spread(neurons(r, 1)) > spread(neurons(r, 4)) > spread(neurons(r, 16)) > 0
    ),
    "The two smaller layers did best after the last passes": best_after_the_last_passes,
    "One neuron loses against *as today*.": lambda r: min(neurons(r, 1)) > weather(r)["as_today"] > 0,
    "Sixteen beat it by": lambda r: max(neurons(r, 16)) < 0.97 * weather(r)["as_today"],
    "which needs no network and is solved in one call, is slightly better still": linear_fit_is_slightly_better,
    "a layer of sixteen neurons beat *as today* and came close to a linear fit": lambda r: (
        max(neurons(r, 16)) < weather(r)["as_today"] and max(neurons(r, 16)) < 1.04 * fit(r)
    ),
    "Nothing is gained beyond about twenty days": nothing_is_gained,
    "nothing is lost at five hundred": nothing_is_lost_at_the_end,
    "It begins at 2.87, rises to 2.97 at two days, falls to 2.74 at twenty days and stays there.": curve_by_length,
    "Two days are worse than one, with every seed": lambda r: all(
        two > one for one, two in zip(days_seen(r, 1), days_seen(r, 2), strict=True)
    ),
    "it handles lengths that it never met in training, and it makes no use of them": lambda r: (
        nothing_is_lost_at_the_end(r) and nothing_is_gained(r)
    ),
    "whatever it keeps in mind is about the last two or three weeks": nothing_is_gained,
    "To handle is not to use: beyond some twenty days it gained nothing.": nothing_is_gained,
    "the layer stopped listening after some twenty days": nothing_is_gained,
    "It has found next to nothing.": prices_found_nothing,
    "and the plot looks splendid": prices_look_splendid,
}
