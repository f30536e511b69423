"""Texts that a file can hold."""

from __future__ import annotations

from typing import Any


def printable(value: Any) -> Any:
    """A text, or lists and dicts of texts, with a question mark for each half of a character, which no file can hold.

    >>> printable({"message": "half: \\ud83d", "line": 3})
    {'message': 'half: ?', 'line': 3}
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {printable(key): printable(item) for key, item in value.items()}
    return [printable(item) for item in value] if isinstance(value, list) else value
