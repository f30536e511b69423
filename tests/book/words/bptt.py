"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Result = Callable[[str], Any]
FOUND_BY_ALL = ("slope forgotten", "slope 1 + h²", "h_t for h_{t-1}")
STILL_LEARN = ("own output only", "later steps only", "= for +=", "mean for sum")
COSTS = ("the last", "the last 10", "all 30")


def total(r: Result, used: str) -> np.ndarray:
    """The size of the total derivative at each state, ``(seeds, 5)``."""
    return np.array(r("bptt_exact")["total"][used])


def none_after(r: Result) -> bool:
    """Nothing after the last output that is used, and something at every state before it, for every seed."""
    last = {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "3 to 5": 5}
    return all(np.all(total(r, used)[:, t:] == 0) and np.all(total(r, used)[:, :t] > 0) for used, t in last.items())


def less_before(r: Result) -> bool:
    first = {"2": 2, "3": 3, "4": 4, "5": 5, "3 to 5": 3}
    return none_after(r) and all(np.all(np.diff(total(r, used).mean(axis=0)[:t]) > 0) for used, t in first.items())


def last_row(r: Result) -> bool:
    sizes = total(r, "3 to 5").mean(axis=0)
    return 0 < sizes[2:].max() < 1.25 * sizes[2:].min() and sizes[:2].max() < 0.6 * sizes[2:].min()


def direct_of_three(r: Result) -> bool:
    direct = np.array(r("bptt_exact")["direct"]["3 to 5"])
    return bool(np.all(direct[:, :2] == 0) and np.all(direct[:, 2:] > 0))


def cost(r: Result, stretches: int, used: str) -> np.ndarray:
    return np.array(r("bptt_outputs")["test"][str(stretches)][used])


def spread(r: Result, stretches: int) -> float:
    means = [cost(r, stretches, used).mean() for used in COSTS]
    return max(means) - min(means)


def about(r: Result, stretches: int, used: str, value: float, within: float = 0.03) -> bool:
    return abs(cost(r, stretches, used).mean() - value) < within


def check(r: Result, fault: str, how: str) -> float:
    return float(np.median(r("bptt_faults")["check"][fault][how]))


def faults(r: Result) -> list[str]:
    return [fault for fault in r("bptt_faults")["check"] if fault != "none"]


def missed(r: Result, how: str) -> list[str]:
    """The faults whose error in a check is that of a right backward pass, where that is small."""
    return [fault for fault in faults(r) if check(r, fault, how) < 1e-7] if 0 < check(r, "none", how) < 1e-7 else []


def loss(r: Result, fault: str) -> float:
    return float(np.mean(r("bptt_faults")["echo"][fault]))


def learn(r: Result) -> bool:
    learned = {fault for fault in faults(r) if 0 < loss(r, fault) < 0.11}
    return learned == set(STILL_LEARN) and all(loss(r, fault) > 0.5 for fault in faults(r) if fault not in learned)


def transpose(r: Result) -> bool:
    runs = r("bptt_faults")["echo"]["W_h not transposed"]
    return sum(0 < run < 0.1 for run in runs) == 1 and sorted(runs)[1] > 0.8


def looks_slow(r: Result) -> bool:
    return all(loss(r, fault) > 10 * loss(r, "none") > 0 for fault in STILL_LEARN)


def none_between(r: Result) -> bool:
    return all(0 < run < 1e-7 for run in r("bptt_faults")["check"]["none"]["everything"]) and all(
        run > 0.1 for fault in faults(r) for run in r("bptt_faults")["check"][fault]["everything"]
    )


def echo(r: Result, kind: str, lag: int, chunk: int | None = None) -> np.ndarray:
    found = r("bptt_truncation")[kind][str(lag)]
    return np.array(found if chunk is None else found[str(chunk)])


def bias(r: Result, lag: int, chunk: int) -> float:
    return float(echo(r, "bias", lag, chunk).mean())


def falling(r: Result) -> bool:
    found = r("bptt_truncation")
    curves = [[bias(r, lag, chunk) for chunk in found["chunks"]] for lag in found["lags"]]
    return all(0.7 < curve[0] < 1 and curve[-1] == 0 and np.all(np.diff(curve) < 0) for curve in curves)


def sharpened(r: Result) -> bool:
    """For each seed, training with chunks of 2 leaves less than a third of the drawn layer's error."""
    return bool(np.all((echo(r, "echo", 3, 2) < echo(r, "frozen", 3) / 3) & (echo(r, "frozen", 3) < 0.5)))


def destroyed(r: Result) -> bool:
    """For each seed the trained layer is worse than it was, with the readout that came of it and with the best one."""
    pairs = (("held", "frozen"), ("echo", "readout_only"))
    worse = all(np.all(echo(r, after, 6, 4) > echo(r, before, 6)) for after, before in pairs)
    return worse and 0 < echo(r, "frozen", 6).mean() < 0.5 and echo(r, "held", 6, 4).mean() > 0.85


def curves_of_echo(r: Result) -> bool:
    near = {(6, 2): 0.89, (6, 4): 1.03}
    zero = [(3, chunk) for chunk in (2, 4, 8, 16, 32)] + [(6, 8), (6, 16), (6, 32), (12, 32)]
    return (
        all(abs(echo(r, "echo", *place).mean() - value) < 0.05 for place, value in near.items())
        and 0.1 < echo(r, "echo", 12, 16).min() < 0.9 < echo(r, "echo", 12, 16).max() < 1.1
        and all(0 < echo(r, "echo", *place).mean() < 0.01 for place in zero)
        and all(abs(echo(r, "echo", 12, chunk).mean() - 1) < 0.02 for chunk in (2, 4, 8))
    )


def drawn(r: Result) -> bool:
    near = {3: 0.06, 6: 0.4, 12: 1.0}
    return all(abs(echo(r, "frozen", lag).mean() - value) < 0.02 for lag, value in near.items())


def weather(r: Result, chunk: int) -> np.ndarray:
    return np.array(r("bptt_truncation")["weather"][str(chunk)])


def helps_little(r: Result) -> bool:
    means = [weather(r, chunk).mean() for chunk in (1, 5, 30)]
    return (
        means[0] > means[1] > means[2]
        and bool(np.all(weather(r, 1) - weather(r, 30) > 0))
        and means[0] - means[2] < 0.05
    )


def wider(r: Result, part: str) -> tuple[float, float]:
    """The gain from 4 to 16 neurons and from 16 to 64, in °C, after the many updates."""
    found = r("bptt_training")
    four, sixteen, many = (np.mean(found[part][size][str(found["updates"][1])]) for size in ("4", "16", "64"))
    return four - sixteen, sixteen - many


SAID = {
    "in the time of a run or two": lambda r: 0 < r("bptt_exact")["backward_in_forward_passes"] < 2,
    "Their sum agrees with the gradient of the shared weights to the last digit": lambda r: all(
        0 < error < 1e-15 for error in r("bptt_exact")["unshared"]
    ),
    "The gradient of no single copy of $W_h$ comes closer than": lambda r: min(r("bptt_exact")["one_copy"]) > 0.3,
    "After the last output that is used: exactly nothing": none_after,
    "Before the first: less and less, but never nothing": less_before,
    "the squares at states 3 to 5 are about equal, with smaller ones at states 1 and 2": last_row,
    "A cost at step 3 reaches the states 3, 2 and 1, and never 4 or 5": lambda r: bool(
        np.all(total(r, "3")[:, :3] > 0) and np.all(total(r, "3")[:, 3:] == 0)
    ),
    "the outputs 1 and 2 send nothing": direct_of_three,
    'and "step 1 learns nothing" is false': lambda r: (
        min(r("bptt_exact")["share_of_unused"]) > 0.02 and total(r, "3 to 5")[:, 0].min() > 0
    ),
    "did worse, with few windows to learn from, than one that was taught at every step": lambda r: (
        min(r("rnn_types_temperatures")["last"]["apart"]) > max(r("rnn_types_temperatures")["every"]["apart"])
    ),
    "With few stretches it is expensive to ask for one output in thirty": lambda r: (
        cost(r, 16, "the last").min() > max(cost(r, 16, used).max() for used in COSTS[1:]) + 0.2
    ),
    "errors between 3 and 5 degrees, on the last ten about 2.85, on all thirty about 2.82": lambda r: (
        cost(r, 16, "the last").min() > 3
        and cost(r, 16, "the last").max() < 5
        and about(r, 16, "the last 10", 2.85)
        and about(r, 16, "all 30", 2.82)
    ),
    "With 64 stretches the last output gives about 3.0, the others about 2.78": lambda r: (
        about(r, 64, "the last", 3.0, 0.05) and all(about(r, 64, used, 2.78) for used in COSTS[1:])
    ),
    "With 701 all three lie between 2.75 and 2.82": lambda r: all(
        cost(r, 701, used).min() > 2.745 and cost(r, 701, used).max() < 2.825 for used in COSTS
    ),
    "far worse than *as today*": lambda r: cost(r, 16, "the last").min() > r("bptt_outputs")["as_today"] + 0.3,
    "°C: little difference.": lambda r: 0 < spread(r, 701) < 0.1 * spread(r, 16),
    "The best is the one in the middle": lambda r: all(
        np.all(cost(r, 701, "the last 10") > 0) and np.all(cost(r, 701, "the last 10") < cost(r, 701, used))
        for used in ("the last", "all 30")
    ),
    "That the gradients are by hand costs no accuracy": lambda r: 0 < max(r("bptt_exact")["training"]) < 1e-12,
    "Four of the eight bring the loss from 1 down to about a tenth or less": learn,
    "the missing transpose learns with one seed alone": transpose,
    "which the layer as drawn beats with a fitted readout": lambda r: (
        0 < np.mean(r("bptt_faults")["frozen"]) < 0.8 * loss(r, "= for +=")
    ),
    "does it look slow": looks_slow,
    "One step misses five of the eight": lambda r: (
        sorted(missed(r, "one step")) == sorted(set(faults(r)) - set(FOUND_BY_ALL))
    ),
    "exactly the five faults that it misses": lambda r: len(missed(r, "one step")) == 5 and len(faults(r)) == 8,
    "misses the fault that ignores all other outputs": lambda r: missed(r, "last output") == ["later steps only"],
    "The full check misses none": lambda r: (
        0 < check(r, "none", "everything") < 1e-7 and all(check(r, fault, "everything") > 0.1 for fault in faults(r))
    ),
    "and nothing lies between that and": none_between,
    "All begin between 0.7 and 1 and end at zero for 32": falling,
    "At chunks of 16 the bias is about 0.1 for lags 3 and 6 and 0.4 for lag 12": lambda r: (
        0.07 < bias(r, 3, 16) < 0.13 and 0.07 < bias(r, 6, 16) < 0.13 and 0.34 < bias(r, 12, 16) < 0.46
    ),
    "It is large: with chunks of 4 and an echo of 6 steps": lambda r: 0.4 < bias(r, 6, 4) < 1,
    "so this is not chance": lambda r: (
        bool(np.all(echo(r, "noise", 6) > 0)) and np.all(echo(r, "noise", 6) < echo(r, "bias", 6, 4) / 2)
    ),
    "so take that curve with care": lambda r: echo(r, "noise", 12).mean() > 0.3,
    "The echo of 3 *is* learned with chunks of 2": lambda r: 0 < echo(r, "echo", 3, 2).max() < 0.01,
    "training sharpens what is there": sharpened,
    "it remembers a little by chance": lambda r: (
        bool(np.all(echo(r, "frozen", 6) > 0)) and echo(r, "frozen", 6).mean() < 0.6
    ),
    "Echo of 3: 0.06 untrained and near zero for every chunk": lambda r: drawn(r) and curves_of_echo(r),
    "**Truncated training destroyed a memory that was there.**": destroyed,
    "Nor is that the readout's fault": destroyed,
    "It sufficed for the echo of 6, with chunks of 8, but not for the echo of 12": lambda r: (
        0 < echo(r, "echo", 6, 8).max() < 0.01 and echo(r, "echo", 12, 16).min() > 0.1
    ),
    "Nor does the bias at the start foretell the outcome": lambda r: (
        0 < bias(r, 12, 16) - bias(r, 6, 8) < 0.1
        and echo(r, "echo", 12, 16).mean() > 100 * echo(r, "echo", 6, 8).mean()
    ),
    "Going back farther helps, but little": helps_little,
    "the closest single copy of $W_h$ is off by": lambda r: min(r("bptt_exact")["one_copy"]) > 0.3,
    "A wider layer brings little more": lambda r: all(
        0 < sum(wider(r, part)) < 0.03 and abs(wider(r, part)[1]) < 0.01 for part in ("training", "test")
    ),
    "states that lie on the way receive them all the same": lambda r: direct_of_three(r) and none_after(r),
    "It may cost nothing, and it may unlearn what was there": lambda r: (
        destroyed(r) and 0 < echo(r, "echo", 6, 8).mean() < 1.5 * echo(r, "echo", 6, 32).mean()
    ),
}
