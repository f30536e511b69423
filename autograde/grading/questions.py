"""Turn an exercise into a question: cases drawn from a generator, with what is expected and what each mistake gives.

A question is a plain dict, the same for a student's ``check`` and for the grader::

    {"exercise", "kind", "signature", "outputs", "unchanged",
     "groups": [{"name", "words", "points", "property"}],
     "cases": [{"group", "words", "call", "tolerance", "measure", "expected": {output: array},
                "wrong": {misconception: outcome}}],
     "own": {"forward", "outputs", "case", "upstream", "directions", "step", "calls"} or None,
     "misconceptions": [{"name", "title", "hint", "link"}]}

``own`` asks the student's forward pass for what a backward pass is compared with; ``measure`` compares with what really
came. Only ``inside(question)`` enters a sandbox: the calls, and nothing of what is expected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from autograde.exercises.definition import Case, Exercise, OwnGradient
from autograde.kit.calling import Outcome, outcome
from autograde.kit.plain import as_array
from autograde.kit.staging import Question, case_fault, numbers


def question(exercise: Exercise, rng: np.random.Generator, *, visible: bool = False) -> Question:
    """Draw the cases of an exercise and answer them with the reference and with every misconception.

    ``visible`` draws those of the student's ``check``, the others are the grader's.
    """
    return with_mistakes(exercise, answered(exercise, rng, visible=visible))


def answered(exercise: Exercise, rng: np.random.Generator, *, visible: bool = False) -> Question:
    """Draw the cases and answer them with the reference alone: all that right work is compared with."""
    cases = (exercise.visible_cases if visible and exercise.visible_cases else exercise.cases)(rng)
    return {
        "exercise": exercise.name,
        "kind": exercise.kind,
        "signature": exercise.signature,
        "outputs": list(exercise.outputs),
        "unchanged": exercise.unchanged,
        "groups": [
            {"name": g.name, "words": g.words, "points": g.points, "property": g.property} for g in exercise.groups
        ],
        "cases": [_case(exercise, case) for case in cases],
        "own": _own(exercise.own, cases, rng) if exercise.own else None,
        "misconceptions": [
            {"name": m.name, "title": m.title, "hint": m.hint, "link": m.link} for m in exercise.misconceptions
        ],
    }


def with_mistakes(exercise: Exercise, question: Question) -> Question:
    """The question with what each misconception gives on each case that it gets wrong."""
    return {**question, "cases": [{**case, "wrong": _mistakes(exercise, case)} for case in question["cases"]]}


def inside(question: Question) -> dict:
    """What a sandbox is told of a question: what to call, and with what."""
    return {
        "exercise": question["exercise"],
        "kind": question["kind"],
        "outputs": question["outputs"],
        "calls": [case["call"] for case in question["cases"]],
        "own": {key: question["own"][key] for key in ("forward", "outputs", "calls")} if question["own"] else None,
    }


def _case(exercise: Exercise, case: Case) -> dict:
    call = {**case.call, **({"forbidden": list(exercise.forbidden)} if exercise.kind == "module" else {})}
    expected = _expected(exercise, case, call)
    single = any(value.dtype == np.float32 for value in expected.values())
    return {
        "group": case.group,
        "words": case.words,
        "call": call,
        "measure": asdict(case.measure) if case.measure else None,
        "tolerance": exercise.tolerance_float32 if single else exercise.tolerance,
        "expected": expected,
        "wrong": {},
    }


def _mistakes(exercise: Exercise, case: dict) -> dict[str, Outcome]:
    given = {m.name: _arrays(_ask(exercise, m.wrong, case["call"])) for m in exercise.misconceptions}
    return {name: wrong for name, wrong in given.items() if case_fault(case, wrong)}


def _expected(exercise: Exercise, case: Case, call: dict) -> dict[str, np.ndarray]:
    """What really came, where a case measures an error; else what the reference gives."""
    if case.measure:
        return {exercise.outputs[0]: np.asarray(case.targets)}
    result = _arrays(_ask(exercise, exercise.reference, call))
    if result["status"] != "ok":
        raise ValueError(f"{exercise.name}: the reference fails on {case.words}: {result}")
    return result["outputs"]


def _own(own: OwnGradient, cases: list[Case], rng: np.random.Generator) -> dict:
    """The calls of the student's forward pass from which the slopes along one direction an argument follow."""
    at = next(number for number, case in enumerate(cases) if case.group == own.group)
    args = cases[at].call["args"]
    upstream, inputs = args[: len(own.outputs)], args[len(own.outputs) :]
    directions = {name: rng.normal(size=inputs[place].shape) for name, place in own.gradients.items()}
    calls = []
    for name, place in own.gradients.items():
        for sign in (1, -1):
            moved = [np.array(value) if isinstance(value, np.ndarray) else value for value in inputs]
            moved[place] = inputs[place] + sign * own.step * directions[name]
            calls.append({"args": moved})
    return {
        "forward": own.forward,
        "outputs": list(own.outputs),
        "case": at,
        "upstream": dict(zip(own.outputs, upstream, strict=True)),
        "directions": directions,
        "step": own.step,
        "calls": calls,
    }


def _ask(exercise: Exercise, implementation: Callable, call: dict) -> Outcome:
    trusted = {name: value for name, value in call.items() if name != "forbidden"}
    target = implementation() if exercise.kind == "value" else implementation
    return outcome(exercise.kind, target, trusted, list(exercise.outputs))


def _arrays(result: Outcome) -> Outcome:
    """An outcome with its outputs as arrays, or with its status alone."""
    if result["status"] != "ok":
        return {"status": result["status"]}
    arrays = {name: numbers(value) for name, value in result["outputs"].items()}
    return {"status": "ok", "outputs": {name: np.array(as_array(value)) for name, value in arrays.items()}}
