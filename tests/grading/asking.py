"""Ask an implementation what a probe asks, as the sandbox would, without a sandbox."""

from __future__ import annotations

from typing import Any

from autograde.exercises.definition import Exercise
from autograde.grading.execute import Reply
from autograde.grading.judge import Probe, probe
from autograde.kit.calling import MISSING, outcome
from autograde.kit.plain import decode, encode

DRAWN: dict[tuple[int, int], Probe] = {}


def drawn(exercise: Exercise, seed: int) -> Probe:
    """The probe of an exercise for a seed, drawn once: nothing that judges it changes it."""
    key = id(exercise), seed
    if key not in DRAWN:
        DRAWN[key] = probe(exercise, seed)
    return DRAWN[key]


def answer(probe: Probe, implementation: Any, forward: Any = MISSING) -> Reply:
    """``implementation`` is a function or a class, or what returns the value; ``forward`` its own forward pass."""
    asked = decode(probe.message)
    assert isinstance(asked, dict)
    target = implementation() if asked["kind"] == "value" else implementation
    outcomes = [outcome(asked["kind"], target, call, asked["outputs"]) for call in asked["calls"]]
    if asked["own"]:
        outcomes += [outcome("function", forward, call, asked["own"]["outputs"]) for call in asked["own"]["calls"]]
    return Reply("ok", encode(outcomes))
