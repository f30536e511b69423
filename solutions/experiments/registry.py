"""What an experiment is, and the list of all of them."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import NamedTuple

PLUMBING = ("registry", "fingerprints", "results", "running", "__main__")  # the rest are experiments, or data

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
    """All experiments by name: those of every module of this package."""
    import solutions.experiments as package

    for module in pkgutil.iter_modules(package.__path__):
        if module.name not in PLUMBING and not module.name.startswith("data"):
            importlib.import_module(f"{package.__name__}.{module.name}")
    return dict(sorted(_REGISTERED.items()))
