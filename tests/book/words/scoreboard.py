"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

from itertools import combinations
from statistics import mean, stdev
from typing import Any

SLOW, FAST = "0.001", "0.01"
GATES = ("LSTM", "GRU", "kernels and GRU")
WITHOUT = ("RNN, last step", "RNN", "RNN of 40", "batch norm", "layer norm", "kernels alone")
PUBLISHED = {
    "RNN, last step": 0.0085,
    "batch norm": 0.0164,
    "layer norm": 0.0121,
    "LSTM": 0.00856,
    "GRU": 0.01026,
    "kernels and GRU": 0.0080,
    "kernels alone": 0.0072,
}
LINEAR = {"one": 0.00417, "ten": 0.0187}


def lines(r: Any) -> dict[str, Any]:
    return r("scoreboard_ten_steps") | r("scoreboard_size")


def seeds(r: Any, name: str, rate: str) -> list[float]:
    return lines(r)[name]["validation"][rate][-1]


def deep(r: Any, rate: str) -> list[float]:
    return r("scoreboard_one_step")["deep RNN"]["validation"][rate][-1]


def squares(r: Any, steps: str) -> float:
    return r("scoreboard_baselines")[steps]["validation"]["least_squares"]


def average(r: Any, name: str, rate: str) -> float:
    return mean(seeds(r, name, rate))


def ratio(r: Any, a: tuple[str, str], b: tuple[str, str]) -> float:
    return average(r, *a) / average(r, *b)


def ties(a: list[float], b: list[float]) -> bool:
    return 0 < abs(mean(a) - mean(b)) < max(stdev(a), stdev(b))


def solved(r: Any, name: str, layer: str, steps: str) -> int:
    """Seeds that solved it at the best learning rate."""
    bound = r(name)["solved"]
    return max(sum(run[-1] < bound for run in rate[steps]) for rate in r(name)["runs"][layer].values() if steps in rate)


def deep_ties_with_least_squares(r: Any) -> bool:
    best = squares(r, "one")
    return 0.9 < mean(deep(r, SLOW)) / best < 1.05 and min(deep(r, SLOW)) < best < max(deep(r, SLOW))


def published_table_again(r: Any) -> bool:
    return sum(min(seeds(r, n, SLOW)) <= value <= max(seeds(r, n, SLOW)) for n, value in PUBLISHED.items()) >= 6


def far_from_everything(r: Any) -> bool:
    worst = max(error for name in ("LSTM", "GRU") for error in seeds(r, name, FAST))
    others = [(name, rate) for name in WITHOUT for rate in (SLOW, FAST)]
    means_apart = 1.5 * max(average(r, name, FAST) for name in ("LSTM", "GRU")) < min(average(r, *o) for o in others)
    return means_apart and 0 < worst < min(error for other in others for error in seeds(r, *other))


def gates_at_every_price(r: Any) -> bool:
    """Useless: at the published rates. A little: both at 0.001. A lot: both at 0.01."""
    useless = ratio(r, ("LSTM", SLOW), ("RNN", FAST)) > 1
    return (
        useless
        and 0.5 < ratio(r, ("LSTM", SLOW), ("RNN", SLOW)) < 0.8
        and ratio(r, ("LSTM", FAST), ("RNN", FAST)) < 0.5
    )


def wobble(r: Any) -> float:
    epochs = lines(r)["RNN"]["validation"][FAST]
    return mean(max(run) / min(run) for run in zip(*epochs, strict=True))


def unfinished_baselines(r: Any) -> bool:
    """One value ahead there is one other distance, between the rates of the deep network."""
    left = {steps: LINEAR[steps] - squares(r, steps) for steps in LINEAR}
    names = (*WITHOUT, *GATES)
    between = [abs(average(r, a, x) - average(r, b, x)) for x in (SLOW, FAST) for a, b in combinations(names, 2)]
    many = sum(difference < left["ten"] for difference in between) > len(between) / 3
    return many and abs(mean(deep(r, FAST)) - mean(deep(r, SLOW))) < left["one"]


def dash_means_hopeless(r: Any) -> bool:
    found = r("gru_adding")
    rates = found["runs"]["plain, 32"].values()
    return len(rates) == 3 and all(
        set(rate) == {"20"} and min(e[-1] for e in rate["20"]) > found["solved"] for rate in rates
    )


def not_by_themselves(r: Any) -> bool:
    drawn = min(solved(r, "gru_memory", f"{cell}, drawn", "400") for cell in ("GRU", "LSTM"))
    return drawn == 5 and solved(r, "gru_memory", "LSTM, 1", "50") < solved(r, "gru_memory", "plain", "50")


def biases_carry_them(r: Any) -> bool:
    drawn = min(solved(r, "gru_memory", f"{cell}, drawn", "400") for cell in ("GRU", "LSTM"))
    return (
        drawn == 5 and solved(r, "gru_memory", "GRU, 1", "400") <= 1 and solved(r, "gru_memory", "LSTM, 1", "50") == 0
    )


def each_reverses_an_order(r: Any) -> bool:
    size = average(r, "RNN", SLOW) > average(r, "LSTM", SLOW) > average(r, "RNN of 40", SLOW)
    rate = average(r, "RNN of 40", FAST) > average(r, "LSTM", FAST)
    plain, one, drawn = (solved(r, "gru_memory", layer, "50") for layer in ("plain", "LSTM, 1", "LSTM, drawn"))
    adding = solved(r, "gru_adding", "LSTM, 32", "20") > solved(r, "gru_adding", "plain, 32", "20")
    return size and rate and drawn > plain > one and adding


def updates_level_one(r: Any) -> bool:
    found = r("deep_rnns_depth")
    few, many = found["errors"], found["patient_smaller_steps"]
    return mean(few["1 × 50"]) > 1.3 * mean(few["4 × 20"]) and mean(many["1 × 50"]) < 1.05 * mean(many["4 × 20"])


def poorest_at_both_rates(r: Any) -> bool:
    others = [name for name in (*WITHOUT, *GATES) if name not in ("RNN, last step", "batch norm")]
    return all(average(r, "batch norm", x) > max(average(r, name, x) for name in others) for x in (SLOW, FAST))


def kernels_alone(r: Any) -> bool:
    others = [average(r, name, SLOW) for name in (*WITHOUT, *GATES) if name not in ("kernels alone", "RNN of 40")]
    gained = ratio(r, ("kernels alone", SLOW), ("kernels alone", FAST))
    return average(r, "kernels alone", SLOW) < min(others) and 0 < gained < 1.07


SAID = {
    "Least squares ties with the deep network": deep_ties_with_least_squares,
    "At the larger rate the network loses to it with every seed": lambda r: min(deep(r, FAST)) > squares(r, "one") > 0,
    "so there was something left to win": lambda r: (
        mean(deep(r, SLOW)) > 2 * r("scoreboard_baselines")["noise_floor"] > 0
    ),
    "At the smaller rate all networks lie between 0.005 and 0.018": lambda r: all(
        0.005 < error < 0.0185 for name in (*WITHOUT, *GATES) for error in seeds(r, name, SLOW)
    ),
    "LSTM, GRU, and kernels and GRU lie apart between 0.003 and 0.004": lambda r: all(
        0.0025 < error < 0.0045 for name in GATES for error in seeds(r, name, FAST)
    ),
    "the others between 0.005 and 0.014; the RNN asked at the last step reaches 0.034": lambda r: (
        all(0.005 < e < 0.0145 for n in WITHOUT if n != "RNN, last step" for e in seeds(r, n, FAST))
        and abs(max(seeds(r, "RNN, last step", FAST)) - 0.034) < 0.001
    ),
    "At the notebook's rates we find the published table again": published_table_again,
    "bring nothing: the plain network has": lambda r: (
        0 < average(r, "RNN", FAST) < min(average(r, "LSTM", SLOW), average(r, "GRU", SLOW))
    ),
    "far from everything without gates": far_from_everything,
    "of which an LSTM has three and a half times as many": lambda r: (
        3.4 < lines(r)["LSTM"]["parameters"] / lines(r)["RNN"]["parameters"] < 3.6
    ),
    "The line with forty units has as many": lambda r: (
        0.95 < lines(r)["RNN of 40"]["parameters"] / lines(r)["LSTM"]["parameters"] < 1.05
    ),
    "than the LSTM, {glue:text}`wide_slow` against {glue:text}`lstm_slow`": lambda r: (
        ratio(r, ("RNN of 40", SLOW), ("LSTM", SLOW)) < 0.9
    ),
    "the larger rate does not help it": lambda r: ratio(r, ("RNN of 40", FAST), ("RNN of 40", SLOW)) >= 1,
    "at equal rates it ties with the plain network": lambda r: all(
        ties(seeds(r, "layer norm", rate), seeds(r, "RNN", rate)) for rate in (SLOW, FAST)
    ),
    "is the poorest of the networks trained on every step, at both rates": poorest_at_both_rates,
    "Kernels before a GRU change nothing that exceeds the spread": lambda r: all(
        ties(seeds(r, "kernels and GRU", rate), seeds(r, "GRU", rate)) for rate in (SLOW, FAST)
    ),
    "kernels alone do well at the small rate and gain nothing from the large one": kernels_alone,
    "you can print that gates are useless, that they help a little, or that they help a lot": gates_at_every_price,
    "A table of single runs, stopped after the twentieth epoch, is ranked in part by that": lambda r: wobble(r) > 1.25,
    "is larger than many distances between networks": unfinished_baselines,
    "A dash means not tried, since no seed had solved a shorter one at any rate": dash_means_hopeless,
    "Here gates earn what they cost, though not by themselves": not_by_themselves,
    "it is where their biases begin that carries them through four hundred steps": biases_carry_them,
    "a size, a rate, a start and a task can each reverse an order": each_reverses_an_order,
    "that more updates can level one": updates_level_one,
}
