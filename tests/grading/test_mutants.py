"""One token of a right answer changed: the cases of its exercise must notice, or the change must be no fault.

The mutants are mechanical (``answers.mutants``): an operator, a number, a comparison, a function for its neighbour.
Those that are right all the same stand in ``survivors/``, each with its reason.
"""

from __future__ import annotations

import importlib
import signal
import warnings

import numpy as np
import pytest

from autograde import exercises
from autograde.exercises.definition import Exercise
from autograde.grading.questions import answered
from autograde.kit.calling import outcome
from autograde.kit.staging import case_fault, judge
from tests.grading.answers import Mutant, answers, cells, mutants, run

SECONDS = 1.0  # of the processor
SEEDS = (11, 12)
ASKED = [
    (name, exercise)
    for name in exercises.names()
    for exercise in exercises.load(name).exercises
    if exercise.kind != "value" and not any(case.measure for case in exercise.cases(np.random.default_rng(0)))
]


def survives(exercise: Exercise, asked: list[dict], mutant: Mutant, space: dict) -> bool:
    """Whether a mutant gets full marks on every question."""
    signal.signal(signal.SIGPROF, _late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            run(mutant.source, space)
            target = space.get(exercise.name)
            for one in asked:
                outcomes = []
                for case in one["cases"]:
                    outcomes.append(outcome(exercise.kind, target, case["call"], one["outputs"]))
                    if case_fault(case, outcomes[-1]):
                        return False
                if not judge(one, outcomes)["passed"]:
                    return False
    except Exception:
        return False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return True


def _late(*args: object) -> None:
    raise TimeoutError


@pytest.mark.parametrize(("assignment", "exercise"), ASKED, ids=lambda value: getattr(value, "name", value))
def test_the_cases_notice_every_mutant_that_is_a_fault(assignment: str, exercise: Exercise) -> None:
    listed = importlib.import_module(f"tests.grading.survivors.{assignment}").SURVIVORS.get(exercise.name, {})
    asked = [answered(exercise, np.random.default_rng(seed)) for seed in SEEDS]
    source = next(source for name, source in cells(assignment) if name == exercise.name)
    all_of_them = list(mutants(source))
    assert all_of_them
    alive = [m.line for m in all_of_them if survives(exercise, asked, m, dict(answers(assignment)))]
    unlisted = [line for line in alive if line not in listed]
    assert not unlisted, f"{len(unlisted)} of {len(all_of_them)} mutants get full marks: {unlisted}"
    gone = [line for line in listed if line not in alive]
    assert not gone, f"listed as right all the same, but no mutant that survives: {gone}"
    assert all(len(why.split()) >= 3 for why in listed.values()), "say why"
