"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean, median
from typing import Any

import numpy as np

from solutions.experiments.conv1d import TAPS, sounds

Result = Callable[[str], Any]

ALONE, DRAWN, EVERY_STEP = "GRU alone", "GRU alone, drawn", "kernels, all steps"
FOLDED, KERNELS = "folded by 4", "kernels, stride 4"


def all_within(low: float, values: list[float], high: float) -> bool:
    return all(low < value < high for value in values)


def guesses(shares: list[float]) -> bool:
    return all_within(0.46, shares, 0.54)


# --- which sound came first


def told(r: Result, model: str, wait: int) -> list[float]:
    """The shares that all seeds tell right."""
    return r("conv1d_order")["runs"][model][str(wait)]["accuracy"]


def done(r: Result, model: str, wait: int) -> int:
    return sum(flag is True for flag in r("conv1d_order")["runs"][model][str(wait)]["done"])


def spent(r: Result, model: str, wait: int) -> float:
    """The share of the compute that the runs used."""
    found = r("conv1d_order")
    return mean(found["runs"][model][str(wait)]["updates"]) / found["updates"][model][str(wait)]


def waits_at_start(r: Result) -> bool:
    """Without a wait and with a short one it is learned; with the long one all seeds guess."""
    return min(told(r, ALONE, 0)) > 0.99 and mean(told(r, ALONE, 32)) > 0.95 and guesses(told(r, ALONE, 128))


def usual_start_guesses(r: Result) -> bool:
    return guesses(told(r, "GRU alone, usual start", 32)) and min(told(r, ALONE, 32)) > 0.9


def all_but_one_dot(r: Result) -> bool:
    *rest, best = sorted(told(r, EVERY_STEP, 128))
    return guesses(rest[:1]) and all_within(0.985, [*rest[1:], best], 1.0)


def either_remedy_helps(r: Result) -> bool:
    return guesses(told(r, ALONE, 128)) and done(r, EVERY_STEP, 128) >= 3 and done(r, FOLDED, 128) == 5


def two_part(r: Result) -> bool:
    return guesses(told(r, EVERY_STEP, 256)) and min(told(r, FOLDED, 256) + told(r, KERNELS, 256)) > 0.98


def little_between_the_two(r: Result) -> bool:
    alike = [abs(mean(told(r, KERNELS, wait)) - mean(told(r, FOLDED, wait))) < 0.01 for wait in (128, 256)]
    effort = [abs(spent(r, KERNELS, wait) - spent(r, FOLDED, wait)) < 0.15 for wait in (128, 256)]
    return all(alike + effort) and done(r, KERNELS, 128) == done(r, FOLDED, 128) == 5


def patience_helps(r: Result) -> bool:
    drawn, same = (done(r, model, 128) for model in ("GRU alone, drawn and patient", "GRU alone, patient"))
    return drawn >= 3 and 1 <= same < drawn and guesses(told(r, ALONE, 128) + told(r, DRAWN, 128))


# --- digits


def digits(r: Result, model: str, order: str, at: int = -1) -> list[float]:
    """The shares that all seeds name rightly, at the end or after another twentieth of the compute."""
    return [curve[at] for curve in r("conv1d_digits")["right"][f"{model}, {order}"]]


def shortening_wins(r: Result, order: str) -> bool:
    return min(digits(r, FOLDED, order) + digits(r, KERNELS, order)) > max(digits(r, ALONE, order)) + 0.04


def little_between_them_on_digits(r: Result) -> bool:
    means = [[mean(digits(r, model, order)) for model in (FOLDED, KERNELS)] for order in ("in order", "shuffled")]
    return all(0.5 < min(pair) <= max(pair) < min(pair) + 0.02 for pair in means)


def still_climbing(r: Result) -> bool:
    return all(
        mean(digits(r, ALONE, order)) > mean(digits(r, ALONE, order, -6)) + 0.02 for order in ("in order", "shuffled")
    )


def shuffling_costs(r: Result) -> bool:
    pairs = [(digits(r, model, "in order"), digits(r, model, "shuffled")) for model in (ALONE, FOLDED, KERNELS)]
    return all(one > other for ordered, shuffled in pairs for one, other in zip(ordered, shuffled))


def logistic_wins(r: Result) -> bool:
    best = max(max(digits(r, model, "in order")) for model in (ALONE, FOLDED, KERNELS))
    return best < r("conv1d_digits")["logistic"] <= 1


def digits_in_order(r: Result) -> bool:
    shortened = [mean(digits(r, model, "in order", 2)) for model in (FOLDED, KERNELS)]
    at_the_end = [mean(digits(r, model, "in order")) for model in (FOLDED, KERNELS)]
    alone = mean(digits(r, ALONE, "in order"))
    return all_within(0.9, shortened, 1) and all_within(0.95, at_the_end, 0.97) and abs(alone - 0.83) < 0.01


def digits_shuffled(r: Result) -> bool:
    shortened, alone = [mean(digits(r, model, "shuffled")) for model in (FOLDED, KERNELS)], digits(r, ALONE, "shuffled")
    line = r("conv1d_digits")["logistic"]
    return all_within(0.92, shortened, 0.94) and abs(mean(alone) - 0.75) < 0.01 and abs(line - 0.98) < 0.005


# --- what the kernels learned, and which way to thin out


def likeness(kernel: np.ndarray) -> float:
    """The largest cosine between a kernel and either sound, over all shifts, whatever the sign."""
    norm = np.linalg.norm(kernel)
    return max(abs(np.correlate(kernel, s, "full")).max() / norm / np.linalg.norm(s) for s in sounds())


def somewhat_closer(r: Result) -> bool:
    learned = np.array(r("conv1d_pooling")["kernels"]).reshape(-1, TAPS)
    if not learned.any(axis=1).all():
        return False
    drawn = [likeness(kernel) for kernel in np.random.default_rng(0).normal(size=(2000, TAPS))]
    return 0.05 < median([likeness(kernel) for kernel in learned]) - median(drawn) < 0.2


def pooled(r: Result, name: str, what: str = "accuracy") -> list[float]:
    return r("conv1d_pooling")["runs"][name][what]


def largest_is_first(r: Result) -> bool:
    all_done = all(flag is True for flag in pooled(r, "largest of 8", "done"))
    return all_done and max(pooled(r, "largest of 8", "updates")) < min(pooled(r, "mean of 8", "updates"))


def mean_ends_alike(r: Result) -> bool:
    largest, average = mean(pooled(r, "largest of 8")), mean(pooled(r, "mean of 8"))
    return 0.98 < average <= 1 and abs(largest - average) < 0.01


def every_8th_behind(r: Result) -> bool:
    others = min(mean(pooled(r, name)) for name in ("largest of 8", "mean of 8"))
    return not any(pooled(r, "every 8th", "done")) and 0.8 < mean(pooled(r, "every 8th")) < others - 0.015


def pooling_in_the_figure(r: Result) -> bool:
    pools = pooled(r, "largest of 8") + pooled(r, "mean of 8")
    every, over_all = pooled(r, "every 8th"), pooled(r, "largest of all")
    return all_within(0.98, pools, 1) and all_within(0.915, every, 0.995) and all_within(0.795, over_all, 0.825)


def order_without_order(r: Result) -> bool:
    return min(pooled(r, "largest of all")) > 0.75 and guesses(r("conv1d_pooling")["apart"])


# --- how far back


def error(r: Result, name: str) -> list[float]:
    """The mean of all seeds, for each number of steps to look back."""
    return np.mean(r("conv1d_reach")["error"][name], axis=0).tolist()


def derivative(r: Result, name: str) -> np.ndarray:
    """One row a seed."""
    return np.array(r("conv1d_reach")["sensitivity"][name])


def wall(r: Result, name: str, at: int) -> bool:
    """Every seed is near 0 inside and near 1 outside, with derivatives of exactly 0 there."""
    errors, slopes = np.array(r("conv1d_reach")["error"][name]), derivative(r, name)
    inside = errors[:, :at].max() < 0.02 and slopes[:, :at].min() > 0.8
    return bool(inside and errors[:, at:].min() > 0.94 and not slopes[:, at:].any())


def no_wall(r: Result) -> bool:
    """No step adds more than a fifth, and the last error is still below that of guessing in all seeds."""
    errors, last = error(r, "GRU"), [run[-1] for run in r("conv1d_reach")["error"]["GRU"]]
    return bool(0 < max(np.diff(errors)) < 0.2) and all_within(0.7, last, 0.9)


def gru_in_the_figure(r: Result) -> bool:
    errors = error(r, "GRU")
    return max(errors[:10]) < 0.05 and errors[13] < 0.5 < errors[14] and abs(errors[-1] - 0.8) < 0.05


# --- a forecast


def forecast(r: Result, name: str) -> list[float]:
    return r("conv1d_forecast")["error"][name]


def slightly_better(r: Result) -> bool:
    alone, both = forecast(r, "GRU"), forecast(r, "kernels and GRU")
    return 0.8 < mean(both) / mean(alone) < 0.98 and max(both) > min(alone)


def stack_is_last(r: Result) -> bool:
    others = forecast(r, "GRU") + forecast(r, "kernels and GRU")
    return max(others) < min(forecast(r, "kernels alone"))


def as_many_products(r: Result) -> bool:
    products = r("conv1d_forecast")["multiply_adds"]
    return 0.9 < products["kernels and GRU"] / products["GRU"] < 1.1


SAID = {
    "and equally many updates, it ended at": waits_at_start,
    "With PyTorch's usual one it was right in only": usual_start_guesses,
    "At a wait of 128 steps both GRUs alone lie at 50 percent": (
        lambda r: guesses(told(r, ALONE, 128) + told(r, DRAWN, 128))
    ),
    "kernels at all steps near 100 but for one dot at 50": all_but_one_dot,
    "folding by 4 and kernels with stride 4 between 97 and 100": (
        lambda r: all_within(0.97, told(r, FOLDED, 128) + told(r, KERNELS, 128), 1.0)
    ),
    "At a wait of 256 kernels at all steps lie at 50, folding by 4 and kernels with stride 4 near 99": (
        lambda r: two_part(r) and max(told(r, FOLDED, 256) + told(r, KERNELS, 256)) < 0.998
    ),
    "steps either remedy helps": either_remedy_helps,
    "the two part: kernels at every step are back at guessing": lambda r: guesses(told(r, EVERY_STEP, 256)),
    "the two networks with a shorter sequence still tell nearly every recording right": (
        lambda r: min(told(r, FOLDED, 256) + told(r, KERNELS, 256)) > 0.98
    ),
    "So is it the kernels or the shortening? For the long wait, the shortening": two_part,
    "Between the two networks that shorten there is little": little_between_the_two,
    "You could have had the memory for nothing, by laying steps side by side": (
        lambda r: done(r, FOLDED, 128) == done(r, FOLDED, 256) == 5 and min(told(r, FOLDED, 256)) > 0.97
    ),
    "Given {glue:text}`patience` times the compute, it could": patience_helps,
    "folding and kernels rise above 90 within 15 percent of the compute and end near 96": digits_in_order,
    "folding and kernels end near 93 and the GRU alone at 75. A grey line lies at 98 in both": digits_shuffled,
    "at equal compute shortening wins by far": (
        lambda r: shortening_wins(r, "in order") and mean(told(r, KERNELS, 128)) > mean(told(r, ALONE, 128)) + 0.3
    ),
    "whether kernels or folding did it makes little difference": (
        lambda r: little_between_them_on_digits(r) and little_between_the_two(r)
    ),
    "The GRU alone is still climbing when its compute is spent": still_climbing,
    "Shuffling costs each of them something": shuffling_costs,
    "the advantage of the shorter sequence survives where no two neighbours belong together": (
        lambda r: shortening_wins(r, "shuffled")
    ),
    "And none of them beats the logistic regression": logistic_wins,
    "The largest of 8 and the mean of 8 lie between 98 and 100 percent, every 8th between 92 and 99": (
        pooling_in_the_figure
    ),
    "The largest of eight gets there first": largest_is_first,
    "and ends at about the same place": mean_ends_alike,
    "every eighth output is still behind at the end": every_8th_behind,
    "so it ought to guess, and it is right in": order_without_order,
    "with the sounds apart and away from the border, which is guessing": (
        lambda r: guesses(r("conv1d_pooling")["apart"])
    ),
    "Nothing in between: beyond its receptive field the largest derivative of all seeds": (
        lambda r: wall(r, "dilated", 16)
    ),
    "The undilated stack has its wall at five": lambda r: wall(r, "undilated", 5),
    "The GRU has none. Its error rises over several steps": no_wall,
    "A stack has a wall, a GRU a slope": lambda r: wall(r, "dilated", 16) and wall(r, "undilated", 5) and no_wall(r),
    "near zero up to 9 and then climbs past one half at 14 to 0.8": gru_in_the_figure,
    "and a slope down to about 0.3 for the GRU": lambda r: abs(derivative(r, "GRU")[:, 31].mean() - 0.3) < 0.05,
    "and forty steps back, where nothing was asked of it, its derivative is still": (
        lambda r: 0.04 < derivative(r, "GRU")[:, 40].min() < 1
    ),
    "With kernels in front the GRU multiplies about as often": as_many_products,
    "and does slightly better; the ranges of the two overlap": slightly_better,
    "comes last of the three": stack_is_last,
    "and its error too is far below that of least squares": (
        lambda r: 0 < max(forecast(r, "kernels alone")) < 0.5 * r("conv1d_forecast")["linear"]
    ),
    "There too the kernels help the GRU; but the stack, which comes last here, comes first there": (
        lambda r: slightly_better(r) and stack_is_last(r)
    ),
    "The shorter sequence alone is enough": (
        lambda r: done(r, FOLDED, 256) == 5 and guesses(told(r, ALONE, 128)) and shortening_wins(r, "in order")
    ),
    "By their shape the kernels are only somewhat closer to the sounds than random numbers": somewhat_closer,
    "At equal compute a GRU that read a sequence four times shorter told an order over": (
        lambda r: two_part(r) and guesses(told(r, ALONE, 128))
    ),
    "Folding steps together did as well as kernels with a stride, on digits too": (
        lambda r: little_between_the_two(r) and little_between_them_on_digits(r)
    ),
}
