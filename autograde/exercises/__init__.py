"""What is asked, one module an assignment: reference, cases, points, misconceptions, forbidden names."""

from __future__ import annotations

import importlib
from pathlib import Path

from autograde.exercises.definition import Assignment


def names() -> list[str]:
    """The assignments that have exercises, by name."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in HOUSE)


HOUSE = ("__init__", "definition", "data")


def load(name: str) -> Assignment:
    """The assignment of this name.

    Raises:
        LookupError: there is none; the message names those that exist.
    """
    if name not in names():
        raise LookupError(f"no assignment is called {name!r}; there are: {', '.join(names())}")
    return importlib.import_module(f"autograde.exercises.{name}").ASSIGNMENT
