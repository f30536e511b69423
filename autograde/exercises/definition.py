"""What an exercise is made of: plain data, read by the grader and by what a release ships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["function", "module", "value"]


@dataclass(frozen=True)
class Measure:
    """Points by what is achieved: all of them for an error of ``full`` or less, none from ``none`` on, even between.

    ``kind`` is ``rmse``, ``mae`` or ``mistakes`` (the share of answers that differ by more than a half). An error below
    ``floor`` is smaller than any honest forecast's: it earns nothing, and the words ask a person to look.
    """

    kind: Literal["rmse", "mae", "mistakes"]
    full: float
    none: float
    floor: float = 0.0


@dataclass(frozen=True)
class Case:
    """One call of the student's object. ``words`` say to a student what the case is; ``call`` is plain data.

    With ``measure``, the first output is compared with ``targets``, what really came, instead of with the reference.
    Targets never enter a sandbox.
    """

    group: str
    words: str
    call: dict[str, Any]
    measure: Measure | None = None
    targets: np.ndarray | None = None


@dataclass(frozen=True)
class Group:
    """Cases that earn points together, or a property of the whole answer.

    ``property="unchanged"`` is earned by leaving the inputs as they are; ``property="own_gradient"`` by a backward
    pass that is right, or that at least fits the student's own forward pass.
    """

    name: str
    words: str
    points: float
    property: Literal["unchanged", "own_gradient"] | None = None


@dataclass(frozen=True)
class OwnGradient:
    """How a backward pass belongs to a forward pass of the same notebook, which is asked too.

    The backward pass takes the upstream gradients of ``outputs``, in their order, and then the forward pass's own
    arguments. ``gradients`` names the backward pass's outputs, each with the position of its argument among those of
    the forward pass. The first case of ``group`` is where the two are compared, by central differences of ``step``.
    """

    forward: str
    outputs: tuple[str, ...]
    gradients: dict[str, int]
    group: str
    step: float = 3e-3


@dataclass(frozen=True)
class Misconception:
    """A known mistake: the wrong implementation, its title, and a question that leads away from it.

    ``wrong`` is a self-contained function or class with the exercise's own signature: its source also makes the
    sample class. For a value it takes nothing and returns the wrong value.
    """

    name: str
    title: str
    hint: str
    link: str
    wrong: Callable[..., Any]


@dataclass(frozen=True)
class Exercise:
    """One graded cell: its ``name`` is the function's, and the cell's ``grade_id``.

    ``kind`` says what the name stands for in a notebook: a ``function``, a ``module`` (a class of ``torch.nn.Module``)
    or a ``value`` (an array or a number that the notebook computed; ``reference`` takes nothing and returns it).
    ``tolerance`` is relative to the scale of what is expected; ``tolerance_float32`` holds where that is of float32.
    The visible check draws from ``visible_cases``, where there is one, and else from ``cases`` as the grader does.
    """

    name: str
    kind: Kind
    signature: str
    outputs: tuple[str, ...]
    reference: Callable[..., Any]
    cases: Callable[[np.random.Generator], list[Case]]
    groups: tuple[Group, ...]
    misconceptions: tuple[Misconception, ...]
    tolerance: float = 1e-4
    tolerance_float32: float = 3e-4
    unchanged: bool = True
    forbidden: tuple[str, ...] = ()
    own: OwnGradient | None = None
    visible_cases: Callable[[np.random.Generator], list[Case]] | None = None

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
