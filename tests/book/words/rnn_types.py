"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Result = Callable[[str], Any]
READ_AHEAD = ("one word late", "both ways")
ENCODER_DECODERS = ("encoder–decoder", "encoder–decoder, LSTM")
AT_ONCE = 0.279  # of the thousand numbers, as the page counts them


def days(r: Result, shape: str, windows: str) -> list[float]:
    return r("rnn_types_temperatures")[shape][windows]


def gap(r: Result, windows: str) -> float:
    return np.mean(days(r, "last", windows)) - np.mean(days(r, "every", windows))


def linear(r: Result) -> float:
    first = r("recurrent_neurons_temperatures")
    return first["linear"][str(first["chosen_lags"])]


def as_today(r: Result) -> float:
    return r("recurrent_neurons_temperatures")["as_today"]


def reviews(r: Result, readout: str) -> list[float]:
    return r("rnn_types_reviews")["recurrent"][readout]


def kept_in_disorder(r: Result) -> float:
    """Of what the last state has learned beyond the commoner verdict, the share that is left without the order."""
    found = r("rnn_types_reviews")
    learned, kept = (np.mean(found[words]["last state"]) - found["commonest"] for words in ("recurrent", "shuffled"))
    return float(kept) / float(learned)


def speller(r: Result, name: str, kind: str) -> list[float]:
    return [run[kind] for run in r("rnn_types_digits")["final"][name]]


def shares(r: Result, name: str, percent: tuple[float, float, float]) -> bool:
    kinds = zip(("right", "other", "no_word"), percent, strict=True)
    return all(abs(100 * np.mean(speller(r, name, kind)) - about) < 0.7 for kind, about in kinds)


def nonsense(r: Result, name: str) -> float:
    """The share of mistakes that are no digit's name."""
    no_word, other = sum(speller(r, name, "no_word")), sum(speller(r, name, "other"))
    return no_word / (no_word + other)


def after(r: Result, name: str, updates: int) -> list[float]:
    found = r("rnn_types_digits")
    return [run[found["checkpoints"].index(updates)] for run in found["curves"][name]]


def gains(r: Result, shown: str, kind: str = "right") -> list[float]:
    """What a beam of 8 adds to a share, for each seed."""
    runs = r("rnn_types_digits")["beam"][shown]
    return [wide[kind] - narrow[kind] for wide, narrow in zip(runs["8"], runs["1"], strict=True)]


def wrong(r: Result, shown: str) -> float:
    return 1 - np.mean([run["right"] for run in r("rnn_types_digits")["beam"][shown]["1"]])


def names_for_nonsense(r: Result) -> bool:
    """The words that were no name turn into right ones and into other digits' names, some of each."""
    fall, right, other = (np.mean(gains(r, "noisy", kind)) for kind in ("no_word", "right", "other"))
    return right > 0.1 * -fall > 0 and other > 0.1 * -fall


def exact(r: Result, name: str, size: int) -> np.ndarray:
    return np.array(r("rnn_types_numbers")["exact"][name][str(size)])


def mean(r: Result, name: str, size: int) -> float:
    return float(exact(r, name, size).mean())


def better_at_every_size(r: Result) -> bool:
    sizes = r("rnn_types_numbers")["sizes"]
    return all(mean(r, a, n) > mean(r, b, n) for a in READ_AHEAD for b in ENCODER_DECODERS for n in sizes)


def needed_more(r: Result) -> bool:
    """What the lagging network has with 100 and 300 numbers, the encoder–decoders have only with more."""
    late, lstm, plain = "one word late", "encoder–decoder, LSTM", "encoder–decoder"
    return all(
        mean(r, name, fewer) < mean(r, late, fewer) <= mean(r, name, more)
        for name, fewer, more in ((lstm, 100, 300), (lstm, 300, 800))
    ) and mean(r, plain, 300) < mean(r, late, 100) < mean(r, plain, 800)


def turns(r: Result, kind: str) -> np.ndarray:
    return np.array(r("rnn_types_numbers")[kind]["encoder–decoder"])


def start(r: Result) -> bool:
    found = r("rnn_types_numbers")
    usual, orthogonal = np.array(found["usual_start"]), exact(r, "encoder–decoder", 800)
    longer = np.mean(found["many_updates"])
    return bool(np.all(usual < orthogonal - 0.1)) and orthogonal.mean() <= longer < 1


def searched_well(r: Result) -> bool:
    """A wide beam brings next to nothing of what is missing, at each size."""
    beams = r("rnn_types_numbers")["beam"].values()
    return all(
        abs(np.mean(runs["8"]) - np.mean(runs["1"])) < 0.1 * (1 - np.mean(runs["1"])) and np.mean(runs["1"]) > 0
        for runs in beams
    )


def each_learned(r: Result) -> bool:
    return (
        max(days(r, "every", "all")) < as_today(r)
        and min(reviews(r, "last state")) > r("rnn_types_reviews")["commonest"] + 0.05
        and min(speller(r, "same vector", "right")) > r("rnn_types_digits")["commonest"] + 0.5
        and exact(r, "encoder–decoder", 800).min() > AT_ONCE + 0.3
    )


def none_is_best(r: Result) -> bool:
    return (
        linear(r) < min(days(r, "every", "all"))
        and r("rnn_types_reviews")["bag_of_words"] > max(reviews(r, "last state"))
        and min(speller(r, "forced", "right")) > max(speller(r, "same vector", "right"))
    )


SAID = {
    "With few windows it pays to be taught at every step": lambda r: (
        max(days(r, "every", "apart")) < min(days(r, "last", "apart")) - 0.1
    ),
    "reading at the last step with 24 windows near 3 degrees, beyond the dashed line": lambda r: (
        2.9 < np.mean(days(r, "last", "apart")) < 3.1 and min(days(r, "last", "apart")) > as_today(r)
    ),
    "reading at the last step with all windows and at every step with 24 windows just right of them": lambda r: all(
        np.mean(days(r, "every", "all")) < np.mean(days(r, *row)) < np.mean(days(r, "every", "all")) + 0.1
        for row in (("last", "all"), ("every", "apart"))
    ),
    "which is worse than *as today* at": lambda r: min(days(r, "last", "apart")) > as_today(r),
    "the one way teaches nothing that the other does not teach too": lambda r: (
        0 < gap(r, "all") < 0.25 * gap(r, "apart")
    ),
    "Neither beats the linear fit of the first chapter": lambda r: (
        min(*days(r, "every", "all"), *days(r, "last", "all")) > linear(r)
    ),
    "the network that reads the filling in about 50, on the dashed line": lambda r: all(
        abs(run - r("rnn_types_reviews")["commonest"]) < 0.03 for run in reviews(r, "filling read")
    ),
    "The bag of words is right in about 74 percent of the reviews": lambda r: (
        73 < 100 * r("rnn_types_reviews")["bag_of_words"] < 75
    ),
    "the mean of the states in about 70, the last state in about 64": lambda r: (
        69 < 100 * np.mean(reviews(r, "mean of states")) < 71 and 63 < 100 * np.mean(reviews(r, "last state")) < 65
    ),
    "The network that reads the filling has lost all the rest": lambda r: (
        max(reviews(r, "filling read")) < r("rnn_types_reviews")["commonest"] + 0.01 < min(reviews(r, "last state"))
    ),
    "no better than the commoner verdict with": lambda r: (
        np.mean(reviews(r, "filling read")) <= r("rnn_types_reviews")["commonest"]
    ),
    "most of what it has learned is a bag of words too": lambda r: 0.6 < kept_in_disorder(r) < 1,
    "a bag of words too, and a worse one": lambda r: (
        max(reviews(r, "last state")) < r("rnn_types_reviews")["bag_of_words"] - 0.03
    ),
    "shortens the way from every word to the verdict, and is better by": lambda r: all(
        0 < last < whole for whole, last in zip(reviews(r, "mean of states"), reviews(r, "last state"), strict=True)
    ),
    "counting words without their order won": lambda r: (
        r("rnn_types_reviews")["bag_of_words"] > max(*reviews(r, "mean of states"), *reviews(r, "last state"))
    ),
    "about what the classifier recognises": lambda r: (
        0 <= r("rnn_types_digits")["classifier"] - np.mean(speller(r, "forced", "right")) < 0.02
    ),
    "about 87 percent of the names are right, 3 percent are another digit's name and 10 percent are no name": (
        lambda r: shares(r, "same vector", (87, 3, 10))
    ),
    "about 91 percent are right, 8 percent another digit's name and 1 percent no name": (
        lambda r: shares(r, "forced", (91, 8, 1))
    ),
    "The difference is in the mistakes": lambda r: nonsense(r, "same vector") > 3 * nonsense(r, "forced"),
    "Without its own letters the network writes names that no digit has": lambda r: (
        min(speller(r, "same vector", "no_word")) > 3 * max(speller(r, "forced", "no_word"))
    ),
    "puts words together from pieces of different words": lambda r: nonsense(r, "same vector") > 0.6,
    "the decoder that reads its own letters is then near 40 percent": lambda r: (
        0.36 < np.mean(after(r, "unforced", 100)) < 0.44
    ),
    "From 400 updates on both lie near 90 percent": lambda r: all(
        0.87 < np.mean(after(r, name, updates)) < 0.93 for name in ("forced", "unforced") for updates in (400, 600, 800)
    ),
    "So teacher forcing saved time": lambda r: (
        all(fast > slow for fast, slow in zip(after(r, "forced", 100), after(r, "unforced", 100), strict=True))
        and np.mean(after(r, "forced", 100)) > np.mean(after(r, "unforced", 100)) + 0.15
    ),
    "on words of at most five letters its drawback did not show": lambda r: (
        np.mean(after(r, "forced", 800)) >= np.mean(after(r, "unforced", 800)) > 0
    ),
    "Teacher forcing made learning faster and the end result no worse on short words": lambda r: (
        np.mean(after(r, "forced", 100)) > np.mean(after(r, "unforced", 100)) + 0.15
        and np.mean(after(r, "forced", 800)) >= np.mean(after(r, "unforced", 800))
    ),
    "that is not the share of the words that it spells alone": lambda r: (
        min(r("rnn_types_digits")["letters_right"]) > max(speller(r, "forced", "right")) + 0.02
    ),
    "under so much noise that far more of the names come out wrong": lambda r: (
        0 < 3 * wrong(r, "clean") < wrong(r, "noisy")
    ),
    "Some of those come out right, and the others are now the proper name of a wrong digit": names_for_nonsense,
    "A beam mends that, and it gained little here": lambda r: (
        0 < np.mean(gains(r, "clean")) < 0.02 and 0 < np.mean(gains(r, "noisy")) < 0.1 * wrong(r, "noisy")
    ),
    "At once stays below the dashed line at 28 percent": lambda r: all(
        0 < exact(r, "at once", size).max() < AT_ONCE for size in (100, 300, 800)
    ),
    "from 80 to 90 percent up to 100": lambda r: all(
        0.79 < mean(r, name, 100) < 0.93 and mean(r, name, 800) > 0.99 for name in READ_AHEAD
    ),
    "Up to here the notes are right, and by a wide margin": lambda r: (
        exact(r, "encoder–decoder", 800).min() > exact(r, "at once", 800).max() + 0.4
    ),
    "are on average better than both encoder–decoders, at every size": better_at_every_size,
    "Even the table that lags gets": lambda r: all(
        mean(r, "table, one word late", 100) > mean(r, name, 100) + 0.1 for name in ENCODER_DECODERS
    ),
    "With enough numbers the one with LSTMs comes near": lambda r: (
        0 < mean(r, "one word late", 800) - mean(r, "encoder–decoder, LSTM", 800) < 0.03
    ),
    "Not at the turn: it gets": lambda r: bool(np.all(turns(r, "turned") > turns(r, "straight") + 0.05)),
    "And it is not easy to train": start,
    "With LSTMs, at three times the parameters": lambda r: (
        2.8
        < r("rnn_types_numbers")["parameters"]["encoder–decoder, LSTM"]
        / r("rnn_types_numbers")["parameters"]["encoder–decoder"]
        < 3.2
    ),
    "Its errors are not slips of the search": searched_well,
    "One layer served in all four, and each learned its task": each_learned,
    "In none of the first three is the shape as drawn the best way": none_is_best,
    "and the caveat is as large as the claim": lambda r: all(
        exact(r, name, 800).min() > exact(r, "at once", 800).max() + 0.4 and mean(r, name, 100) > AT_ONCE + 0.4
        for name in READ_AHEAD
    ),
    "To listen at every step teaches more from the same sequences": lambda r: (
        max(days(r, "every", "apart")) < min(days(r, "last", "apart"))
    ),
    "For German numbers one word of delay was enough": lambda r: mean(r, "one word late", 800) > 0.99,
    "an encoder–decoder needed more data for the same": needed_more,
}
