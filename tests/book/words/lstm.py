"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

import numpy as np

TRACE, ADDING, REGISTER = "lstm_trace", "lstm_adding", "lstm_register"
PLAIN, TURNED, ZERO, ONE, DRAWN = "plain", "plain, orthogonal", "LSTM, 0", "LSTM, 1", "LSTM, drawn"
LEARNED = 0.02
SAYS_ONE = 1 / 6


def left(r, name: str, step: int) -> np.ndarray:
    """The part of the first input's variance that is explained after so many steps, in every seed."""
    return np.array(r(TRACE)["runs"][name])[:, r(TRACE)["steps"].index(step)]


def nothing(r, name: str, step: int) -> bool:
    """From that step on, in every seed, and something before it."""
    runs, first = np.array(r(TRACE)["runs"][name]), r(TRACE)["steps"].index(step)
    return runs[:, first:].max() < 0.05 and 0.9 < runs[:, 0].min() < runs[:, 0].max() < 1.01


def three_falling_curves(r) -> bool:
    turned = {step: left(r, "orthogonal", step).mean() for step in (10, 20)}
    return nothing(r, "orthogonal", 30) and 0.7 < turned[10] < 0.8 and 0.02 < turned[20] < 0.1


def plain_to_nothing(r) -> bool:
    return nothing(r, "plain", 10) and left(r, "layer norm", 5).mean() < left(r, "plain", 5).mean() < 0.95


def delayed(r) -> bool:
    """Something is left at ten steps, in every seed, where the plain layer has nothing."""
    return min(left(r, name, 10).min() for name in ("layer norm", "orthogonal")) > left(r, "plain", 10).max() + 0.05


def no_later_than_plain(r) -> bool:
    return nothing(r, "LSTM, 0", 10) and all(
        left(r, "LSTM, 0", step).mean() < left(r, "plain", step).mean() for step in (3, 5, 7)
    )


def no_memory(r) -> bool:
    """Every seed with a bias of 1 is below every seed of the orthogonal layer."""
    return left(r, "LSTM, 1", 10).max() < left(r, "orthogonal", 10).min() and nothing(r, "LSTM, 1", 20)


def long_biases(r, step: int, least: float, most: float) -> bool:
    return all(least < left(r, name, step).mean() < most for name in ("LSTM, 3", "LSTM, 5"))


def bit_by_bit(r) -> bool:
    runs = np.mean(r(TRACE)["runs"]["LSTM, 3"], axis=0)
    return bool((np.diff(runs) < 0).all()) and 0.05 < runs[-1] < 0.3


def updates(r, name: str, T: int) -> list[int]:
    """Of the runs that solved it."""
    return [run["updates"] for run in r(ADDING)["runs"][name][str(T)] if run["updates"]]


def final(r, name: str, T: int) -> np.ndarray:
    return np.array([run["errors"][-1] for run in r(ADDING)["runs"][name][str(T)]])


def solved(r, name: str, T: int) -> bool:
    """By every seed, to the last error."""
    runs, enough = r(ADDING)["runs"][name][str(T)], r(ADDING)["solved"]
    return len(updates(r, name, T)) == len(runs) and 0 < final(r, name, T).min() <= final(r, name, T).max() < enough


def learned_nothing(r, name: str, T: int) -> bool:
    return (
        not updates(r, name, T) and 0.9 * SAYS_ONE < final(r, name, T).min() <= final(r, name, T).max() < 1.5 * SAYS_ONE
    )


def does_not_stay(r) -> bool:
    runs, enough = r(ADDING)["runs"][PLAIN]["30"], r(ADDING)["solved"]
    fell = [run["errors"][-1] > enough for run in runs if run["updates"]]
    return 0 < len(fell) < len(runs) and all(fell)


def helps_a_little(r) -> bool:
    """At thirty steps, in most seeds; the number of solved runs is no larger."""
    better = final(r, TURNED, 30) < final(r, PLAIN, 30)
    return better.sum() > len(better) / 2 and len(updates(r, TURNED, 30)) - len(updates(r, PLAIN, 30)) in (0, 1)


def all_solve(r, T: int) -> bool:
    return all(solved(r, name, T) for name in (ZERO, ONE, DRAWN))


def not_far_behind(r) -> bool:
    fewer = len(updates(r, ONE, 100)) - len(updates(r, ZERO, 100))
    return (
        solved(r, ONE, 100)
        and fewer in (0, 1)
        and 0.8 < np.median(updates(r, ZERO, 100)) / np.median(updates(r, ONE, 100)) < 1.25
    )


def the_start_decides(r) -> bool:
    return solved(r, DRAWN, 400) and learned_nothing(r, ONE, 400)


def faster_at_ten(r) -> bool:
    return solved(r, ONE, 10) and solved(r, PLAIN, 10) and max(updates(r, ONE, 10)) < 0.5 * min(updates(r, PLAIN, 10))


def most_fail_at_two_hundred(r) -> bool:
    return 0 < len(updates(r, ONE, 200)) < len(r(ADDING)["runs"][ONE]["200"]) / 2


def fall_at_once(r) -> bool:
    """From the last error near the plateau to below 0.01 in 300 updates or fewer, after at least 200 on the plateau."""
    for name in (ZERO, ONE, DRAWN):
        for run in r(ADDING)["runs"][name]["60"]:
            on = max(k for k, error in enumerate(run["errors"]) if error > 0.9 * SAYS_ONE)
            off = min(k for k, error in enumerate(run["errors"]) if error < 0.01)
            if not (1 <= on < off <= on + 300 / r(ADDING)["every"]):
                return False
    return True


def three_much_later(r) -> bool:
    counts = sorted(updates(r, ZERO, 60) + updates(r, ONE, 60))
    return len(counts) == 10 and 800 <= counts[0] <= counts[6] <= 1200 and counts[7] >= 1500


def passed_back(r, when: str) -> np.ndarray:
    """Of the gradient at the last cell state, the part at the first: all paths and the cell path, by seed."""
    sizes = np.array([pair[when] for pair in r(ADDING)["paths"].values()])
    start, end = sizes[..., 0], sizes[..., -1]
    return end / start if start.all() else np.zeros_like(end)


def opened_its_way_back(r) -> bool:
    before, after = passed_back(r, "before"), passed_back(r, "after")
    return 0 <= before.min() <= before.max() < 1e-5 and 0.5 < after.min() < after.max() < 1.5


def single(r) -> list[dict]:
    """The networks of one unit that learned the task."""
    return [run for run in r(REGISTER)["lstm"]["1"] if run["error"] < LEARNED]


def shows_the_pattern(run: dict) -> bool:
    (i_s, f_s, _), (i_h, f_h, _), (_, f_r, o_r) = (run["gates"][phase] for phase in ("store", "hold", "read"))
    return min(i_s, f_h, f_r, o_r) > 0.7 and max(f_s, i_h) < 0.2


def found_the_gates(r) -> bool:
    return len(single(r)) > 0 and all(map(shows_the_pattern, single(r)))


def quiet(r) -> bool:
    """While they hold, the input gate of every one lets in less than 0.05, and the forget gate keeps 0.98 and more."""
    holds = [run["gates"]["hold"] for run in single(r)]
    return len(holds) > 0 and all(0 < i < 0.05 and 0.98 < f < 1 for i, f, _ in holds)


def gates_stand_apart(r) -> bool:
    """The marks of the figure: what is near 1 and what is near 0."""
    gates = [run["gates"] for run in single(r)]
    near_one = (
        [g["store"][0] for g in gates] + [g["hold"][1] for g in gates] + [x for g in gates for x in g["read"][1:]]
    )
    near_zero = [x for g in gates for x in (*g["store"][1:], g["hold"][0], g["hold"][2], g["read"][0])]
    return min(near_one) > 0.75 and 0 <= min(near_zero) <= max(near_zero) < 0.15


def one_did_so_alone(r) -> bool:
    return [shows_the_pattern(run) for run in r(REGISTER)["lstm"]["8"]].count(True) == 1


def lets_much_go(r) -> bool:
    """In the networks of eight units that do not show the pattern, though their unit follows the number."""
    others = [run for run in r(REGISTER)["lstm"]["8"] if not shows_the_pattern(run)]
    return len(others) > 1 and all(0.2 < run["gates"]["hold"][1] < 0.8 and 0.9 < run["follows"] <= 1 for run in others)


def all_eight_learned(r) -> bool:
    return all(0 < run["error"] < LEARNED for run in r(REGISTER)["lstm"]["8"])


def held(r, runs: list[dict], wait: int) -> float:
    return float(np.median([run["held"][r(REGISTER)["waits"].index(wait)] for run in runs]))


def both(r, wait: int) -> list[float]:
    return [held(r, single(r), wait), held(r, r(REGISTER)["lstm"]["8"], wait)]


def no_better_at_a_thousand(r) -> bool:
    return all(0.95 < error / r(REGISTER)["say_nothing"] < 1.1 for error in both(r, 1000))


def mostly_gone(r) -> bool:
    return 0.7 < held(r, single(r), 300) / r(REGISTER)["say_nothing"] < 0.95


def plain_lines(r) -> bool:
    runs = np.array([run["held"] for run in r(REGISTER)["plain"]["8"]])
    return 0.01 < runs[:, 0].min() < runs[:, 0].max() < 0.11 and 0.05 < runs[:, 1:].min() < runs.max() < 0.5


def ample(r) -> bool:
    """The memory of every unit is longer than the sequences of training, and not ten times as long."""
    times = [1 / (1 - run["gates"]["hold"][1]) for run in single(r)]
    return len(times) > 0 and all(1.5 < time / r(REGISTER)["steps"] < 10 for time in times)


def steady(runs: list[dict], letter: str) -> float:
    return float(np.mean([run["steadiness"][letter] for run in runs]))


def smaller_difference(r) -> bool:
    one, eight = (steady(runs, "c") - steady(runs, "h") for runs in (single(r), r(REGISTER)["lstm"]["8"]))
    return 0.05 < eight < 0.5 * one < 1


SAID = {
    # what is left of the first input
    "falls from 1 to nothing at ten steps, the normalised layer falls a little earlier": plain_to_nothing,
    "keeps about three quarters at ten steps, little at twenty and nothing from thirty on": three_falling_curves,
    "layer norm and an orthogonal $W_h$ delay it": delayed,
    "loses the first input no later than a plain layer does": no_later_than_plain,
    "The form of the cell alone is no memory": no_memory,
    "Forget biases of 0 and 1 lose everything by about ten and twenty steps": lambda r: (
        nothing(r, "LSTM, 0", 10) and nothing(r, "LSTM, 1", 20)
    ),
    "With biases 3 and 5 about four tenths are left at 20 steps and about a fifth at 60": lambda r: (
        long_biases(r, 20, 0.34, 0.45) and long_biases(r, 60, 0.14, 0.26)
    ),
    "where no plain layer has anything": lambda r: (
        left(r, "LSTM, 3", 60).min() > 0.05
        and all(nothing(r, name, 60) for name in ("plain", "orthogonal", "layer norm"))
    ),
    "It is lost all the same, bit by bit": bit_by_bit,
    "has forgotten after twenty steps, like a plain layer": lambda r: all(
        nothing(r, name, 20) for name in ("LSTM, 0", "LSTM, 1", "plain")
    ),
    # the adding problem
    "The plain layer learns ten steps with every seed": lambda r: solved(r, PLAIN, 10),
    "runs and does not stay there": does_not_stay,
    "it does no better than saying 1": lambda r: learned_nothing(r, PLAIN, 60),
    "An orthogonal $W_h$ helps a little at thirty": helps_a_little,
    "and not at sixty": lambda r: learned_nothing(r, TURNED, 60),
    "Every LSTM solves sixty steps": lambda r: all_solve(r, 60),
    "A bias of 0 does not fall far behind where we tried it": not_far_behind,
    "400 steps was not the LSTM but its first biases": the_start_decides,
    "All LSTMs lie near 0.001 up to 60 steps": lambda r: all(
        all_solve(r, T) and max(final(r, name, T).max() for name in (ZERO, ONE, DRAWN)) < 0.0015 for T in (10, 30, 60)
    ),
    "and above 0.15 from 60 on": lambda r: all(
        0.15 < final(r, PLAIN, T).min() < final(r, PLAIN, T).max() < 0.3 for T in (60, 100, 200, 400)
    ),
    "with drawn biases all stay near 0.001 throughout": lambda r: all(
        0 < final(r, DRAWN, T).min() < final(r, DRAWN, T).max() < 0.0015 for T in (10, 30, 60, 100, 200, 400)
    ),
    "and those that leave it fall at once": fall_at_once,
    "mostly after about 1000, three of the ten much later": three_much_later,
    "The network has opened its own way back": opened_its_way_back,
    "At ten steps of the adding problem, the length that all learn, the LSTM took": faster_at_ten,
    "two hundred steps were too many for most runs": most_fail_at_two_hundred,
    "the LSTM solved lengths at which the plain layer fails, and how long depends on the start": lambda r: (
        solved(r, ONE, 100) and learned_nothing(r, PLAIN, 100) and the_start_decides(r)
    ),
    # the register
    "learned to use their gates in just this way": found_the_gates,
    "and the numbers that go by leave hardly a trace": quiet,
    "Read: forget and output gates near 1, input gates near 0": gates_stand_apart,
    "among eight, some unit begins well": lambda r: (
        all_eight_learned(r) and 0 < len(single(r)) < 0.8 * len(r(REGISTER)["lstm"]["1"])
    ),
    "The caveats: the others did not learn it": lambda r: (
        sum(run["error"] > 0.2 * r(REGISTER)["say_nothing"] > 0 for run in r(REGISTER)["lstm"]["1"])
        == len(r(REGISTER)["lstm"]["1"]) - len(single(r))
        > 0
    ),
    "Do not expect to read a larger LSTM as you read this one": one_did_so_alone,
    "its forget gate lets much of the number go at each step": lets_much_go,
    "and near 0.008 at thirty, then rise to about 0.08 at a hundred and to a third at a thousand": lambda r: (
        all(0.004 < error < 0.012 for error in both(r, 30))
        and all(0.06 < error < 0.1 for error in both(r, 100))
        and all(0.3 < error < 0.36 for error in both(r, 1000))
    ),
    "and at a thousand no better than saying 0": no_better_at_a_thousand,
    "mostly gone after three hundred": mostly_gone,
    "begin between 0.01 and 0.1 and lie above 0.05 from ten steps on": plain_lines,
    "ample for sequences of": ample,
    "with eight units the difference is smaller": smaller_difference,
}
