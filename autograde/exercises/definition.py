"""What an exercise is made of: plain data, read by the grader and by what a release ships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["function", "module", "value"]


@dataclass(frozen=True)
class Case:
    """One call of the student's object. ``words`` say to a student what the case is; ``call`` is plain data."""

    group: str
    words: str
    call: dict[str, Any]


@dataclass(frozen=True)
class Group:
    """Cases that earn points together; ``property="unchanged"`` is earned by leaving the inputs as they are."""

    name: str
    words: str
    points: float
    property: Literal["unchanged"] | None = None


@dataclass(frozen=True)
class Misconception:
    """A known mistake: the wrong implementation, its title, and a question that leads away from it.

    ``wrong`` is a self-contained function or class with the exercise's own signature: its source also makes the
    sample class. ``None`` stands for the mistakes of a value.
    """

    name: str
    title: str
    hint: str
    link: str
    wrong: Callable[..., Any]


@dataclass(frozen=True)
class Exercise:
    """One graded cell: its ``name`` is the function's, and the cell's ``grade_id``."""

    name: str
    kind: Kind
    signature: str
    outputs: tuple[str, ...]
    reference: Callable[..., Any]
    cases: Callable[[np.random.Generator], list[Case]]
    groups: tuple[Group, ...]
    misconceptions: tuple[Misconception, ...]
    tolerance: float = 1e-4
    unchanged: bool = True
    forbidden: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        return sum(group.points for group in self.groups)


@dataclass(frozen=True)
class Assignment:
    """The exercises of one assignment, in the notebook's order, and the data files that travel with it."""

    name: str
    exercises: tuple[Exercise, ...]
    data: dict[str, Callable[[], bytes]]

    def exercise(self, name: str) -> Exercise | None:
        return next((exercise for exercise in self.exercises if exercise.name == name), None)
