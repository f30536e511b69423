"""What an experiment is, and the list of all of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

MODULES = ("solutions.experiments.recurrent_neurons",)

Progress = Callable[[str], None]
Run = Callable[[Sequence[int], Progress], dict]


class Experiment(NamedTuple):
    """``run(seeds, progress)`` measures and returns plain numbers, lists and dicts; ``module`` is where it stands."""

    name: str
    question: str
    seeds: tuple[int, ...]
    module: str
    run: Run


_REGISTERED: dict[str, Experiment] = {}


def experiment(name: str, question: str, seeds: Sequence[int]) -> Callable[[Run], Run]:
    """Register the function below it under a name, with the question that it answers and the seeds that it runs."""

    def register(run: Run) -> Run:
        _REGISTERED[name] = Experiment(name, question, tuple(seeds), run.__module__, run)
        return run

    return register


def experiments() -> dict[str, Experiment]:
    """All experiments by name, in the order of the chapters."""
    for module in MODULES:
        importlib.import_module(module)
    return dict(_REGISTERED)
