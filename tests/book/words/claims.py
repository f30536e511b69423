"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

from statistics import mean
from typing import Any

from tests.book.words.capstone import about_equal_cost

SLOW, FAST = "0.001", "0.01"


def waves(r: Any, name: str, rate: str) -> float:
    return mean((r("scoreboard_ten_steps") | r("scoreboard_size"))[name]["validation"][rate][-1])


def solved(r: Any, layer: str, steps: str) -> int:
    """Seeds of the LSTM chapter's adding problem that solved it."""
    return sum(bool(run["updates"]) and run["errors"][-1] < 0.01 for run in r("lstm_adding")["runs"][layer][steps])


def recalled(r: Any, layer: str, steps: str) -> int:
    found = r("gru_memory")
    return max(sum(run[-1] < found["solved"] for run in rate[steps]) for rate in found["runs"][layer].values())


def mastered(r: Any, layer: str) -> int:
    return sum(error < 0.001 for error in r("gru_register")["error"][layer])


def another_way_for_each_shape(r: Any) -> bool:
    weather, reviews, digits, numbers = (
        r("recurrent_neurons_temperatures"),
        r("rnn_types_reviews"),
        r("rnn_types_digits")["final"],
        {name: mean(found["800"]) for name, found in r("rnn_types_numbers")["exact"].items()},
    )
    return (
        0 < weather["linear"][str(weather["chosen_lags"])] <= mean(r("rnn_types_temperatures")["every"]["all"])
        and reviews["bag_of_words"] >= mean(reviews["recurrent"]["last state"]) > 0
        and mean(run["right"] for run in digits["forced"]) >= mean(run["right"] for run in digits["same vector"]) > 0
        and numbers["one word late"] >= numbers["encoder–decoder"] > 0
    )


def clipped(r: Any, activation: str) -> float:
    found = [run for run in r("gradient_problems_runaway")["runs"] if run["activation"] == activation]
    return min(mean(run["error"]) for run in found if run["clip"] == "norm")


def after_the_sum(r: Any) -> bool:
    """Best in the mean of four places in both tasks, and in each beaten by some place in some seed."""

    def last(runs: list[Any]) -> list[float]:
        return [run[-1] if isinstance(run, list) else run for run in runs]

    for places in r("layer_norm_placements").values():
        summed, others = last(places["sum"]), [last(places[name]) for name in ("apart", "inputs", "after")]
        if mean(summed) >= min(map(mean, others)) or all(
            s < min(each) for s, *each in zip(summed, *others, strict=True)
        ):
            return False
    return True


def gain_much_or_nothing(r: Any) -> bool:
    slow, fast = (waves(r, "LSTM", rate) / waves(r, "RNN of 40", rate) for rate in (SLOW, FAST))
    return slow > 0.95 and 0 < fast < 0.5


def nothing_beyond_twenty(r: Any) -> bool:
    found = {days: mean(runs) for days, runs in r("recurrent_neurons_temperatures")["by_length"].items()}
    return found["1"] > 1.02 * found["500"] and abs(found["20"] - found["500"]) < 0.01


SAID = {
    "and nothing is gained beyond some twenty": nothing_beyond_twenty,
    "with 32 windows sharing brings the error from": lambda r: (
        0
        < mean(r("recurrent_neurons_sharing")["shared"]["32"])
        < 0.8 * mean(r("recurrent_neurons_sharing")["unshared"]["32"])
    ),
    "and for each shape another way did as well or better": another_way_for_each_shape,
    "with dropout the error is": lambda r: (
        0
        < 1.5 * mean(r("gradient_problems_remedies")["runs"]["torch"]["error"])
        < mean(r("gradient_problems_remedies")["runs"]["dropout, state"]["error"])
    ),
    "and ReLU, clipped, learned better": lambda r: 0 < clipped(r, "relu") < 0.5 * clipped(r, "tanh"),
    "the place after the sum is best in the mean, not in every seed": after_the_sum,
    "a layer trained to keep it keeps it": lambda r: (
        solved(r, "plain", "10") == len(r("lstm_adding")["runs"]["plain"]["10"])
    ),
    "how much further it gets, the start of its biases decides": lambda r: (
        solved(r, "LSTM, drawn", "400") == 5 and solved(r, "LSTM, 1", "400") == 0
    ),
    "without an output gate it takes more units": lambda r: (
        mastered(r, "GRU, 1") == 0 and mastered(r, "LSTM, 1") >= 4 and mastered(r, "GRU, 3") == 5
    ),
    "with biases drawn for the length both do over 400": lambda r: (
        recalled(r, "GRU, drawn", "400") == recalled(r, "LSTM, drawn", "400") == 5
    ),
    "tried all of them on one problem, at about equal cost": about_equal_cost,
    "the learning rate decides whether gates gain much or nothing": gain_much_or_nothing,
}
