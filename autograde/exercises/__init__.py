"""What is asked, one module an assignment: reference, cases, points, misconceptions, forbidden names."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograde.exercises.definition import Assignment


def names() -> list[str]:
    """The assignments that have exercises, by name."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in HOUSE)


HOUSE = ("__init__", "definition", "data")


def chosen(asked: Iterable[str], default: Iterable[str]) -> list[str]:
    """The assignments that were asked for, or those of ``default`` where none was.

    Raises:
        LookupError: one that was asked for does not exist; the message names those that do.
    """
    for name in asked:
        if name not in names():
            raise LookupError(f"no assignment is called {name!r}; there are: {', '.join(names())}")
    return list(asked or default)


def load(name: str) -> Assignment:
    """The assignment of this name.

    Raises:
        LookupError: there is none.
    """
    chosen([name], [])
    return importlib.import_module(f"autograde.exercises.{name}").ASSIGNMENT
