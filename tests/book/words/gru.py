"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean, median
from typing import Any

Result = Callable[[str], Any]

LENGTHS = ("25", "50", "100", "200", "400")


def overlap(one: list[float], other: list[float]) -> bool:
    return max(min(one), min(other)) < min(max(one), max(other))


def all_within(low: float, values: list[float], high: float) -> bool:
    return all(low < value < high for value in values)


# --- the register


def register(r: Result, *names: str) -> list[float]:
    """The errors of all seeds of these layers."""
    return [error for name in names for error in r("gru_register")["error"][name]]


def near_silence(r: Result, *names: str) -> bool:
    """Within a tenth of the error of saying nothing, or not better than it."""
    silent = r("gru_register")["silent"]
    return all_within(0.9 * silent, register(r, *names), 1.05 * silent)


def register_ties(r: Result) -> bool:
    solved = 0 < max(register(r, "GRU, 3", "LSTM, 3", "LSTM, 2")) < 0.001
    return solved and all(overlap(register(r, "GRU, 3"), register(r, lstm)) for lstm in ("LSTM, 3", "LSTM, 2"))


def output_gate_is_missed(r: Result) -> bool:
    return near_silence(r, "GRU, 1") and sum(error < 0.001 for error in register(r, "LSTM, 1")) >= 3


def gates(r: Result, role: str, phase: str, gate: int) -> list[float]:
    return [run[role][phase][gate] for run in r("gru_register")["units"]]


def holder_keeps(r: Result) -> bool:
    return min(gates(r, "holder", "hold", 1)) > 0.99 and all_within(0, gates(r, "holder", "store", 1), 0.3)


def speakers(r: Result) -> list[bool]:
    """Whether each network's speaker is shut while it holds and open at a read, by its reset gate."""
    shut = zip(gates(r, "speaker", "hold", 0), gates(r, "speaker", "read", 0))
    return [0 <= hold < 0.2 and 0.6 < read <= 1 for hold, read in shut]


def gates_that_count(r: Result) -> bool:
    full, no_r, no_z = (register(r, name) for name in ("GRU, 3", "without r, 3", "without z, 3"))
    return 0 < max(full) < min(no_r) and max(no_r) < min(no_z) and 10 * median(no_r) < median(no_z)


def either_place(r: Result) -> bool:
    before, after = register(r, "reset before, 3"), register(r, "GRU, 3")
    return overlap(before, after) and 0.5 < median(before) / median(after) < 2


# --- the cost


def times(r: Result, library: str, size: str, kind: str, other: str) -> list[float]:
    taken = r("gru_cost")["milliseconds"][library]
    return [one / two for one, two in zip(taken[kind][size], taken[other][size])]


def bars(r: Result, library: str, gru: float, lstm: float) -> bool:
    measured = [median(times(r, library, "128", kind, "plain")) for kind in ("GRU", "LSTM")]
    return abs(measured[0] - gru) < 0.1 and abs(measured[1] - lstm) < 0.1


def slower_in_torch(r: Result) -> bool:
    return min(ratio for size in ("32", "128", "256") for ratio in times(r, "PyTorch", size, "GRU", "LSTM")) > 1.1


def quarter_with_size(r: Result) -> bool:
    small, middle, large = (median(times(r, "NumPy", size, "GRU", "LSTM")) for size in ("32", "128", "256"))
    return 0.93 < small < 1.07 and 0.7 < large < 0.82 and large < middle < small


def depends_on_the_library(r: Result) -> bool:
    return median(times(r, "NumPy", "128", "GRU", "LSTM")) < 0.95 and slower_in_torch(r)


def three_matrices(r: Result) -> bool:
    return all_within(2.5, [median(times(r, lib, "128", "GRU", "plain")) for lib in ("NumPy", "PyTorch")], 3.5)


# --- adding


def added(r: Result, name: str, T: str) -> list[list[float]]:
    """The courses of all seeds with the rate that adds best over T steps, as the page chooses it."""
    tried = [by_length[T] for by_length in r("gru_adding")["runs"][name].values() if T in by_length]
    return min(tried, key=lambda runs: (-len(done(r, runs)), sum(done(r, runs)), sum(run[-1] for run in runs)))


def done(r: Result, runs: list[list[float]]) -> list[int]:
    found = r("gru_adding")
    return [found["every"] * len(run) for run in runs if run[-1] < found["solved"]]


def counts_added(r: Result, name: str) -> list[int]:
    tried = r("gru_adding")["runs"][name].values()
    return [max([len(done(r, by[T])) for by in tried if T in by] or [0]) for T in ("20", "40", "80", "160")]


def plain_never_adds(r: Result) -> bool:
    lstm = counts_added(r, "LSTM, 32")[0]
    return lstm == 5 and not any(counts_added(r, "plain, 32") + counts_added(r, "plain, 57"))


def worst_rate_beats_best(r: Result) -> bool:
    by_rate = [done(r, by_length["40"]) for by_length in r("gru_adding")["runs"]["GRU, 32"].values()]
    slowest = max(median(updates) for updates in by_rate)
    return all(len(updates) == 5 for updates in by_rate) and slowest < median(done(r, added(r, "LSTM, 32", "40")))


def far_ahead_in_adding(r: Result) -> bool:
    """All seeds over every length, in less than half of the updates; the LSTMs do not reach the last length."""
    sooner = [
        2 * median(done(r, added(r, "GRU, 32", T))) < median(done(r, added(r, name, T)))
        for T in ("20", "40", "80")
        for name in ("LSTM, 32", "LSTM, 27")
    ]
    lstms = [counts_added(r, name)[3] for name in ("LSTM, 32", "LSTM, 27")]
    return counts_added(r, "GRU, 32") == [5] * 4 and max(lstms) < 3 and all(sooner)


def adding_in_the_figure(r: Result) -> bool:
    gru, lstm = (done(r, added(r, name, "20")) for name in ("GRU, 32", "LSTM, 32"))
    return len(gru) == len(lstm) == 5 and max(gru) <= 100 and (min(lstm), max(lstm)) == (350, 400)


# --- waves


def waves(r: Result, *names: str) -> list[float]:
    return [error for name in names for error in r("gru_forecast")["runs"][name]]


GATED = ("GRU, 32", "LSTM, 32", "LSTM, 27")
PLAIN = ("plain, 32", "plain, 57")


def against_least_squares(r: Result) -> bool:
    linear = r("gru_forecast")["linear"]
    return max(waves(r, *GATED)) < 0.7 * linear and 0.93 < min(mean(waves(r, p)) for p in PLAIN) / linear < 1.07


def waves_tie(r: Result) -> bool:
    return all(overlap(waves(r, "GRU, 32"), waves(r, lstm)) for lstm in ("LSTM, 32", "LSTM, 27"))


def lead_that_goes(r: Result) -> bool:
    gru, lstm = (r("gru_forecast")["tried"][name] for name in ("GRU, 32", "LSTM, 32"))
    gone = overlap(gru["0.03"], lstm["0.03"]) and 0.85 < mean(gru["0.03"]) / mean(lstm["0.03"]) < 1.15
    return 1.15 * mean(lstm["0.003"]) < mean(gru["0.003"]) and max(lstm["0.003"]) < min(gru["0.003"]) and gone


def plain_is_last(r: Result) -> bool:
    in_register = min(register(r, "plain, 3", "plain, 6")) > max(register(r, "GRU, 3", "LSTM, 3", "LSTM, 2"))
    return plain_never_adds(r) and in_register and min(waves(r, *PLAIN)) > max(waves(r, *GATED))


# --- recall


def recalls(r: Result, name: str, T: str, rates: tuple[str, ...] = ("0.003", "0.01", "0.03")) -> int | None:
    """How many of five seeds recall over T steps with the best of these rates; None where none was tried."""
    found = r("gru_memory")
    tried = [by_length[T] for rate, by_length in found["runs"][name].items() if rate in rates and T in by_length]
    return max((sum(run[-1] < found["solved"] for run in runs) for runs in tried), default=None)


def row(r: Result, name: str) -> list[int]:
    """The counts of all lengths that were tried."""
    counts = [recalls(r, name, T) for T in LENGTHS]
    return [count for count in counts if count is not None]


def owed_to_the_largest_rate(r: Result) -> bool:
    starts = ("GRU, 0", "GRU, 1")
    smaller = [recalls(r, name, T, ("0.003", "0.01")) for name in starts for T in LENGTHS[2:]]
    return not any(smaller) and all(recalls(r, name, "100", ("0.03",)) for name in starts)


def customary_starts(r: Result) -> bool:
    """None of them recalls over 100 steps in all runs, the LSTMs not even over 50; others do over 400."""
    usual = [recalls(r, name, "100") or 0 for name in ("GRU, 0", "GRU, 1", "LSTM, 0", "LSTM, 1")]
    over_50 = [recalls(r, name, "50") or 0 for name in ("LSTM, 0", "LSTM, 1")]
    others = [recalls(r, name, "400") for name in ("GRU, 5", "GRU, drawn", "LSTM, 5 closed", "LSTM, drawn")]
    return max(usual) < 5 and max(over_50) == 0 and others == [5] * 4


def read(r: Result, name: str, trained: str, T: str) -> list[float]:
    """The errors of all seeds trained over one length on another."""
    return [errors[LENGTHS.index(T)] for errors in r("gru_memory")["transfer"][name][trained]]


def fails_elsewhere(r: Result, trained: str) -> bool:
    """Every network with drawn biases recalls over its own length and over no other."""
    drawn, solved = ("GRU, drawn", "LSTM, drawn"), r("gru_memory")["solved"]
    at_home = [error for name in drawn for error in read(r, name, trained, trained)]
    elsewhere = [error for name in drawn for T in LENGTHS if trained != T for error in read(r, name, trained, T)]
    return all_within(0, at_home, solved) and min(elsewhere) > solved


def no_better_elsewhere(r: Result) -> bool:
    pairs = [(median(read(r, f"{kind}, drawn", "100", T)) for kind in ("GRU", "LSTM")) for T in ("50", "200", "400")]
    return all(0 < gru < lstm for gru, lstm in pairs)


def less_tightly(r: Result) -> bool:
    """With a bias of 3 the median is lower at half and at twice the length, and some recall over half."""
    lower = [median(read(r, "GRU, 3", "100", T)) < median(read(r, "GRU, drawn", "100", T)) for T in ("50", "200")]
    return all(lower) and 0 < min(read(r, "GRU, 3", "100", "50")) < r("gru_memory")["solved"]


def transfer_medians(r: Result, T: str, low: float, high: float) -> bool:
    return all_within(low, [median(read(r, f"{kind}, drawn", "100", T)) for kind in ("GRU", "LSTM")], high)


def ends_of_transfer(r: Result) -> bool:
    gru, lstm = (median(read(r, f"{kind}, drawn", "100", "400")) for kind in ("GRU", "LSTM"))
    return abs(gru - 0.7) < 0.07 and abs(lstm - 1.4) < 0.07


SAID = {
    "One LSTM unit can do it, one GRU unit cannot, and with three units there is little between them": (
        lambda r: output_gate_is_missed(r) and register_ties(r)
    ),
    "Plain layers of one, three and six units and the GRU of one unit lie near the dashed line at 0.032": (
        lambda r: near_silence(r, "plain, 1", "plain, 3", "plain, 6", "GRU, 1")
    ),
    "The LSTM of one unit lies near 0.0001 for four of five seeds": (
        lambda r: sum(0.00005 < error < 0.00025 for error in register(r, "LSTM, 1")) == 4
    ),
    "LSTMs of two and three units and GRUs of three, with the reset before or after, lie between 0.00005 and 0.0003": (
        lambda r: all_within(0.000045, register(r, "LSTM, 2", "LSTM, 3", "GRU, 3", "reset before, 3"), 0.00035)
    ),
    "without r between 0.0002 and 0.001, without z between 0.002 and 0.03": lambda r: (
        all_within(0.00015, register(r, "without r, 3"), 0.00105)
        and all_within(0.0015, register(r, "without z, 3"), 0.035)
    ),
    "So the missing output gate is a loss. With three units it is none": (
        lambda r: output_gate_is_missed(r) and median(register(r, "GRU, 3")) <= median(register(r, "LSTM, 3"))
    ),
    "The holder takes the number and keeps it, with z near 1": holder_keeps,
    "of the five networks its reset gate is mostly shut and opens at a read": lambda r: sum(speakers(r)) >= 3,
    "(The fifth found another way.)": lambda r: sum(speakers(r)) == 4,
    "The reset gate is a help; the update gate makes the cell": gates_that_count,
    "Before or after the product, the reset serves alike here": either_place,
    "The ratio of GRU to LSTM is not the same in both": depends_on_the_library,
    "In NumPy the plain layer is at 1.0, the GRU at 3.1 and the LSTM at 4.0": lambda r: bars(r, "NumPy", 3.1, 4.0),
    "In PyTorch the plain layer is at 1.0, the GRU at 2.9 and the LSTM at 1.4": lambda r: bars(r, "PyTorch", 2.9, 1.4),
    "practically the same: the quarter is there where the products weigh most": quarter_with_size,
    "The cell with fewer gates is the slower one": slower_in_torch,
    "about what three matrices in place of one promise": three_matrices,
    "the time saved depends on the library, and can be less than nothing": depends_on_the_library,
    "Five solid GRU lines fall below 0.01 within 100 updates, five dashed LSTM lines within 350 to 400": (
        adding_in_the_figure
    ),
    "five dotted lines of the plain layer creep down to between 0.05 and 0.09": (
        lambda r: all_within(0.045, [run[-1] for run in added(r, "plain, 32", "20")], 0.095)
    ),
    "The plain layer does not get there with either size": plain_never_adds,
    "Even with its worst rate it needs": worst_rate_beats_best,
    "The cheaper cell is the better one here, by far": far_ahead_in_adding,
    "With three units GRU and LSTM tie, below 0.001 in every run": register_ties,
    "has learned next to nothing": lambda r: near_silence(r, "plain, 3", "plain, 6"),
    "All of them beat *as now*": (lambda r: 0 < max(waves(r, *GATED, *PLAIN)) < 0.5 * r("gru_forecast")["as_now"]),
    "The gated layers beat least squares by far; the plain layer at best equals it on average": against_least_squares,
    "the ranges overlap: there is no winner, with as many units or with as many weights": waves_tie,
    "No layer is near the noise": lambda r: min(waves(r, *GATED, *PLAIN)) > 4 * r("gru_forecast")["noise"] > 0,
    "For GRU and LSTM the best rate was the largest of the three": (
        lambda r: {r("gru_forecast")["rate"][name] for name in GATED} == {0.03}
    ),
    "a clear lead, five seeds each, no overlap, and gone at 0.03": lead_that_goes,
    "Adding: the GRU is far ahead. Register and waves: a tie. A plain layer is last in each": (
        lambda r: far_ahead_in_adding(r) and register_ties(r) and waves_tie(r) and plain_is_last(r)
    ),
    "Plain: 5, 3, 1, 0, not tried": lambda r: row(r, "plain") == [5, 3, 1, 0],
    "GRU with bias 0: 5, 5, 2, 2, 0; 1: 5, 5, 4, 3, 1; 3: 5, 5, 5, 5, 0; with 5 and with drawn biases five": lambda r: (
        [row(r, f"GRU, {start}") for start in ("0", "1", "3", "5", "drawn")]
        == [[5, 5, 2, 2, 0], [5, 5, 4, 3, 1], [5, 5, 5, 5, 0], [5] * 5, [5] * 5]
    ),
    "LSTM with bias 0: 0; 1: 4, 0; 3: 5, 4, 1, 0; 5: 5, 5, 2, 0; closed and drawn five everywhere": lambda r: (
        [row(r, f"LSTM, {start}") for start in ("0", "1", "3", "5", "5 closed", "drawn")]
        == [[0], [4, 0], [5, 4, 1, 0], [5, 5, 2, 0], [5] * 5, [5] * 5]
    ),
    "beyond 50 steps they owe to the largest rate": owed_to_the_largest_rate,
    "At 0.01 none with these biases reached a hundred": (
        lambda r: (
            not any(recalls(r, name, "100", ("0.01",)) for name in ("GRU, 0", "GRU, 1")) and row(r, "GRU, 1")[2] > 0
        )
    ),
    "With a bias of 0 it recalls nothing, not even over 25 steps": (
        lambda r: row(r, "LSTM, 0") == [0] and row(r, "GRU, 0")[0] == 5
    ),
    "in {glue:text}`mem_LSTM1_50`, fewer than the plain layer": lambda r: row(r, "LSTM, 1")[1] < row(r, "plain")[1],
    "And a bias of 5, which carried the GRU over 400 steps, carries it over 100 in": (
        lambda r: recalls(r, "GRU, 5", "400") == 5 and row(r, "LSTM, 5")[2] < 3 and row(r, "LSTM, 5")[3] == 0
    ),
    "The LSTM has to be told two things": (
        lambda r: recalls(r, "LSTM, 5 closed", "400") == 5 and row(r, "LSTM, 5")[-1] == 0
    ),
    "a fair description of what the customary starts do, and not a property of the cells": customary_starts,
    "Both dip to between 0.001 and 0.003 at 100 steps": lambda r: transfer_medians(r, "100", 0.001, 0.0035),
    "At 25 and 50 they lie near 0.1": (
        lambda r: transfer_medians(r, "25", 0.05, 0.2) and transfer_medians(r, "50", 0.05, 0.2)
    ),
    "to about 0.7 for the GRU and 1.4 for the LSTM": ends_of_transfer,
    "The LSTMs do no better": no_better_elsewhere,
    "Here all ten fail": lambda r: fails_elsewhere(r, "100"),
    "Another start may fit less tightly": less_tightly,
    "on recall an LSTM with the usual bias of 1 fell behind the plain layer": (
        lambda r: row(r, "LSTM, 1")[1] < row(r, "plain")[1]
    ),
    "Trained over 100 steps and read over other lengths, both failed": lambda r: fails_elsewhere(r, "100"),
    "The bias that sets it at the start decides how far a network learns to remember": (
        lambda r: all(sum(row(r, f"GRU, {a}")) < sum(row(r, f"GRU, {b}")) for a, b in ("01", "13", "35"))
    ),
    "On adding it was far ahead of the LSTM; on the register and on waves they tied": (
        lambda r: far_ahead_in_adding(r) and register_ties(r) and waves_tie(r)
    ),
    "A memory with drawn biases fits the length that it has learned. With another length it fails": (
        lambda r: fails_elsewhere(r, "25") and fails_elsewhere(r, "100")
    ),
}
