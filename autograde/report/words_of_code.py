"""An answer as a row of words: as it is written, and as it is built, without the names that its author chose.

Whatever a student hands in is read: a text that is not Python too, and of a huge text only its beginning.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from pygments.lexers import PythonLexer
from pygments.token import Comment, Literal, Name, Number, String

MOST_TEXT, MOST_WORDS = 10_000, 2_000  # of an answer, characters and words: a long solution has 600 words
GAP = re.compile(r"[^\S\n]+")
WORDING, STRUCTURE = 5, 10  # words in a row that count as one run


class Word(NamedTuple):
    """``written`` as it stands there; ``built`` without the author's names, None where a run of code has no word."""

    written: str
    built: str | None
    line: int


class Runs(NamedTuple):
    """Every row of neighbouring words as a number, with the first and the last line of each."""

    numbers: np.ndarray
    first: np.ndarray
    last: np.ndarray


def words(text: str, code: bool) -> list[Word]:
    """The words of an answer: tokens of Python, or the words of a text."""
    text = GAP.sub(" ", text[:MOST_TEXT]).replace(" \n", "\n")  # rows of blanks take a lexer long
    return _tokens(text)[:MOST_WORDS] if code else _plain(text)[:MOST_WORDS]


def _plain(text: str) -> list[Word]:
    lines = enumerate(text.split("\n"))
    return [Word(found.lower(), None, n) for n, line in lines for found in re.findall(r"\w+", line)]


def _tokens(text: str) -> list[Word]:
    found, line, before = [], 0, ""
    for kind, token in PythonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        if token.strip():
            if kind in Comment or kind in String.Doc:
                found += [
                    Word(word, None, line + n) for n, part in enumerate(token.split("\n")) for word in part.split()
                ]
            else:
                found.append(Word(token, _built(kind, token, before), line))
            before = token
            if len(found) >= MOST_WORDS:
                break
        line += token.count("\n")
    return found


def _built(kind: object, token: str, before: str) -> str:
    """A token without what its author was free to choose: a name of theirs, a number, a text."""
    if kind in Name and kind not in Name.Builtin and before != ".":
        return "name"
    if kind in Number:
        return "number"
    return "text" if kind in Literal else token


def runs(found: list[Word], structure: bool) -> Runs:
    """The runs of an answer, in its order: of its words as written, or of what it is built of."""
    kept = [word for word in found if word.built is not None] if structure else found
    length = STRUCTURE if structure else WORDING
    parts = [word.built if structure else word.written for word in kept]
    starts = range(len(parts) - length + 1)
    return Runs(
        np.array([hash(tuple(parts[start : start + length])) for start in starts], dtype=np.int64),
        np.array([kept[start].line for start in starts], dtype=np.int64),
        np.array([kept[start + length - 1].line for start in starts], dtype=np.int64),
    )
