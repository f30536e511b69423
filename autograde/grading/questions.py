"""Turn an exercise into a question: cases drawn from a generator, with what is expected and what each mistake gives.

A question is a plain dict, the same for a student's ``check`` and for the grader::

    {"exercise", "kind", "signature", "outputs", "tolerance", "unchanged",
     "groups": [{"name", "words", "points", "property"}],
     "cases": [{"group", "words", "call", "expected": {output: array}, "wrong": {misconception: outcome}}],
     "misconceptions": [{"name", "title", "hint", "link"}]}

Only ``inside(question)`` enters a sandbox: the calls, and nothing of what is expected.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autograde.exercises.definition import Case, Exercise
from autograde.kit.calling import Outcome, outcome
from autograde.kit.plain import as_array
from autograde.kit.staging import Question, case_fault, numbers


def question(exercise: Exercise, rng: np.random.Generator) -> Question:
    """Draw the cases of an exercise and answer them with the reference and with every misconception."""
    return {
        "exercise": exercise.name,
        "kind": exercise.kind,
        "signature": exercise.signature,
        "outputs": list(exercise.outputs),
        "tolerance": exercise.tolerance,
        "unchanged": exercise.unchanged,
        "groups": [
            {"name": g.name, "words": g.words, "points": g.points, "property": g.property} for g in exercise.groups
        ],
        "cases": [_answered(exercise, case) for case in exercise.cases(rng)],
        "misconceptions": [
            {"name": m.name, "title": m.title, "hint": m.hint, "link": m.link} for m in exercise.misconceptions
        ],
    }


def inside(question: Question) -> dict:
    """What a sandbox is told of a question: what to call, and with what."""
    return {
        "exercise": question["exercise"],
        "kind": question["kind"],
        "outputs": question["outputs"],
        "calls": [case["call"] for case in question["cases"]],
    }


def _answered(exercise: Exercise, case: Case) -> dict:
    call = {**case.call, **({"forbidden": list(exercise.forbidden)} if exercise.kind == "module" else {})}
    expected = _arrays(_ask(exercise, exercise.reference, call))
    answered = {"group": case.group, "words": case.words, "call": call, "expected": expected["outputs"], "wrong": {}}
    for misconception in exercise.misconceptions:
        wrong = _arrays(_ask(exercise, misconception.wrong, call))
        if case_fault(answered, wrong, exercise.tolerance):
            answered["wrong"][misconception.name] = wrong
    return answered


def _ask(exercise: Exercise, implementation: Callable, call: dict) -> Outcome:
    trusted = {name: value for name, value in call.items() if name != "forbidden"}
    return outcome(exercise.kind, implementation, trusted, list(exercise.outputs))


def _arrays(result: Outcome) -> Outcome:
    """An outcome with its outputs as arrays, or with its status alone."""
    if result["status"] != "ok":
        return {"status": result["status"]}
    arrays = {name: numbers(value) for name, value in result["outputs"].items()}
    return {"status": "ok", "outputs": {name: np.array(as_array(value)) for name, value in arrays.items()}}
