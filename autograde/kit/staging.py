"""Judge outcomes in stages, name the misconception, and give points and words for both.

One function serves the student's ``check`` and the grader. A *question* holds the cases with what is expected and what
each known misconception gives; its form is in ``autograde/grading/questions.py``. The stages of a case: written →
callable → returns → number of outputs → shape → numbers → finite → values. The words say what to look at: shapes are
named, values never.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .calling import Outcome
from .plain import Other, as_array
from .properties import error_of, fits_own_forward, share_of

Question = dict[str, Any]
Verdict = dict[str, Any]
ROWS = 8  # of the table of differences
MEASURES = {
    "rmse": "root mean squared error",
    "mae": "mean absolute error",
    "mistakes": "share of wrong answers",
}


def judge(question: Question, outcomes: list[Outcome], forward: list[Outcome] | None = None) -> Verdict:
    """Compare the outcome of each case with what is expected; see the module's docstring for a verdict's form.

    ``forward`` holds the outcomes of the student's own forward pass, where ``question["own"]`` asks for them.
    """
    cases = question["cases"]
    faults = [case_fault(case, result) for case, result in zip(cases, outcomes, strict=True)]
    changed = [
        case["words"]
        for case, result, fault in zip(cases, outcomes, faults)
        if fault is None and question["unchanged"] and _inputs_changed(case, result)
    ]
    groups = _points_by_group(question, outcomes, faults, bool(changed), forward or [])
    verdict: Verdict = {
        "exercise": question["exercise"],
        "points": round(sum(group["points"] for group in groups), 2),
        "max_points": round(sum(group["of"] for group in groups), 2),
        "groups": groups,
        "table": [row for case, result in zip(cases, outcomes) for row in _rows(case, result)][:ROWS],
        "misconception": None,
        "link": None,
    }
    verdict["passed"] = all(group["passed"] for group in groups)
    return {**verdict, **_words(question, outcomes, faults, changed, groups)}


def without_outcome(question: Question, reason: str, message: str) -> Verdict:
    """The verdict where nothing could be judged: a dead kernel, a time-out, an unreadable notebook."""
    groups = [_group(group, 0.0) for group in question["groups"]]
    return {
        "exercise": question["exercise"],
        "points": 0.0,
        "max_points": round(sum(group["of"] for group in groups), 2),
        "passed": False,
        "reason": reason,
        "misconception": None,
        "message": message,
        "link": None,
        "groups": groups,
        "table": [],
    }


def case_fault(case: dict, result: Outcome) -> tuple[str, str] | None:
    """The first stage that a case fails, as ``(reason, words)``, or None if it is right."""
    if result["status"] != "ok":
        return result["status"], _status_words(result, case)
    for name, expected in case["expected"].items():
        value = result["outputs"].get(name)
        fault = _form_fault(name, value, expected) or _value_fault(name, value, expected, case)
        if fault:
            reason, words = fault
            return reason, f"On {case['words']}, {words}"
    return None


def _form_fault(name: str, value: object, expected: np.ndarray) -> tuple[str, str] | None:
    """What is wrong with an output before its values are looked at: kind, shape, numbers that are none."""
    got = numbers(value)
    if got is None:
        kind = value.type_name if isinstance(value, Other) else type(value).__name__
        kind = f"array of dtype {value.dtype.name}" if isinstance(value, np.ndarray) else kind
        return "dtype", f"{name} is {article(kind)}; expected an array of real numbers."
    if got.shape != expected.shape:
        return "shape", f"{name} has shape {got.shape}; expected {expected.shape}."
    if got.dtype.kind == "c":
        return "dtype", f"{name} holds complex numbers; expected real ones."
    if not np.isfinite(got).all():
        return "not_finite", f"{name} holds values that are not finite (NaN or infinity)."
    return None


def _value_fault(name: str, value: object, expected: np.ndarray, case: dict) -> tuple[str, str] | None:
    got, measure = numbers(value), case.get("measure")
    assert got is not None
    if measure:
        return _measured_fault(name, got, expected, measure)
    if close(got, expected, case["tolerance"]):
        return None
    if got.dtype.kind in "iub" and expected.dtype.kind == "f":
        return "values", f"{name} holds whole numbers ({got.dtype.name}): where were the fractions lost?"
    return "values", f"{name} has the right shape, but its values are off." if expected.ndim else f"{name} is off."


def _measured_fault(name: str, got: np.ndarray, expected: np.ndarray, measure: dict) -> tuple[str, str] | None:
    error = error_of(measure["kind"], got, expected)
    if error < measure["floor"]:
        return "too_good", f"{name} is closer to what came than a forecast can be. A person will look at it."
    if share_of(measure, error) == 1:
        return None
    words = f"the error is {error:.3g} ({MEASURES[measure['kind']]}): "
    words += f"all points for {measure['full']:g} or less, none for {measure['none']:g} or more."
    if measure["kind"] == "mistakes":
        words += f" Your {name} run from {got.min():.3g} to {got.max():.3g}."
    return "error", words


def numbers(value: object) -> np.ndarray | None:
    """What a student returned as an array of numbers: an array, a tensor, a number or nested lists; else None."""
    array = as_array(value)
    if array is None and type(value) in (int, float, bool):
        array = np.asarray(value)
    if array is None and isinstance(value, (list, tuple)):
        items = [numbers(item) for item in value]
        if all(item is not None and item.shape == items[0].shape for item in items):  # type: ignore[union-attr]
            array = np.array(items) if items else np.zeros(0)
    return array


def close(got: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    """Whether the largest difference is below ``tolerance`` times the scale of what is expected (at least 1)."""
    return _difference(got, expected) <= tolerance * max(1.0, float(np.abs(expected).max(initial=0.0)))


def _difference(got: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(got.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0))


def misconception_of(question: Question, outcomes: list[Outcome]) -> dict | None:
    """The misconception whose outputs the outcomes match on every case, being wrong on at least one; else None."""
    for misconception in question["misconceptions"]:
        name = misconception["name"]
        if any(name in case["wrong"] for case in question["cases"]) and all(
            _matches(_given(case, name), result, case["tolerance"]) for case, result in zip(question["cases"], outcomes)
        ):
            return misconception
    return None


def _given(case: dict, misconception: str) -> dict | None:
    """What a misconception gives on a case; None where a measured case cannot tell it from right work."""
    if misconception in case["wrong"]:
        return case["wrong"][misconception]
    return None if case.get("measure") else {"outputs": case["expected"]}


def _matches(wrong: dict | None, result: Outcome, tolerance: float) -> bool:
    if wrong is None:
        return True
    if "outputs" not in wrong:
        return result["status"] == wrong["status"]
    if result["status"] != "ok":
        return False
    pairs = [(numbers(result["outputs"].get(name)), value) for name, value in wrong["outputs"].items()]
    return all(
        got is not None and got.shape == value.shape and got.dtype.kind != "c" and _same(got, value, tolerance)
        for got, value in pairs
    )


def _same(got: np.ndarray, wrong: np.ndarray, tolerance: float) -> bool:
    """Whether an output is that of a misconception: NaN and infinities at the same places, and all else close."""
    finite = np.isfinite(wrong)
    return np.array_equal(got[~finite], wrong[~finite], equal_nan=True) and close(got[finite], wrong[finite], tolerance)


def _inputs_changed(case: dict, result: Outcome) -> bool:
    after = result.get("inputs_after")
    before = case["call"].get("args", [])
    if not isinstance(after, list) or len(after) != len(before):
        return "inputs_after" in result
    return any(
        isinstance(b, np.ndarray) and not (isinstance(a, np.ndarray) and np.array_equal(a, b, equal_nan=True))
        for a, b in zip(after, before)
    )


def _points_by_group(question: Question, outcomes: list, faults: list, changed: bool, forward: list) -> list[dict]:
    """Each group's points: all of them if its cases are right, a share where an error is measured.

    A property counts once some values are right; to be the gradient of one's own forward pass counts by itself.
    """
    shares: dict[str, list[float]] = {}
    for case, result, fault in zip(question["cases"], outcomes, faults):
        shares.setdefault(case["group"], []).append(_share(case, result, fault))
    whole = {name: sum(kept) / len(kept) if _measured(question, name) else min(kept) for name, kept in shares.items()}
    some = any(share > 0 for share in whole.values())
    earned = {
        "unchanged": some and not changed,
        "own_gradient": not any(faults) or _fits(question, outcomes, forward),
    }
    found = [
        _group(group, float(earned[group["property"]]) if group.get("property") else whole[group["name"]])
        for group in question["groups"]
    ]
    for group, got in zip(question["groups"], found):
        if group.get("property") == "unchanged" and not some and not changed:
            got["words"] += " (counts once some values are right)"
    return found


def _measured(question: Question, group: str) -> bool:
    return any(case["group"] == group and case.get("measure") for case in question["cases"])


def _share(case: dict, result: Outcome, fault: tuple | None) -> float:
    """1 for a case that is right, 0 for one that is wrong, and what it achieves where an error is measured."""
    if fault is None or fault[0] != "error":
        return float(fault is None)
    name, expected = next(iter(case["expected"].items()))
    got = numbers(result["outputs"].get(name))
    assert got is not None
    return share_of(case["measure"], error_of(case["measure"]["kind"], got, expected))


def _fits(question: Question, outcomes: list[Outcome], forward: list[Outcome]) -> bool:
    """Whether a backward pass gives the gradients of the student's own forward pass."""
    own = question.get("own")
    if not own or len(forward) != len(own["calls"]) or outcomes[own["case"]]["status"] != "ok":
        return False
    if any(result["status"] != "ok" for result in forward):
        return False
    gradients = {name: numbers(value) for name, value in outcomes[own["case"]]["outputs"].items()}
    outputs = [{name: numbers(value) for name, value in result["outputs"].items()} for result in forward]
    return fits_own_forward(own, gradients, outputs)


def _group(group: dict, share: float) -> dict:
    points = round(group["points"] * share, 2)
    return {
        "name": group["name"],
        "words": group["words"],
        "points": points,
        "of": group["points"],
        "passed": points == group["points"],
    }


def _words(question: Question, outcomes: list[Outcome], faults: list, changed: list[str], groups: list) -> dict:
    name = question["exercise"]
    first = next((fault for fault in faults if fault), None)
    if first is None and not changed:
        return {"reason": "ok", "message": f"{name}: right on every case."}
    if first is None:
        return {
            "reason": "changed_input",
            "message": f"{name} gives the right values, but it changes an array that was passed in (on {changed[0]}). "
            "Which line writes into an argument? The caller still needs it.",
        }
    found = misconception_of(question, outcomes)
    if found:
        return {
            "reason": "misconception",
            "misconception": found["name"],
            "message": f"{name}: {found['title']}. {found['hint']}",
            "link": found["link"],
        }
    reason, words = first
    right = sum(fault is None for fault in faults)
    so_far = f" ({right} of {len(faults)} cases {'is' if right == 1 else 'are'} right.)" if right else ""
    if _fits_own_forward_only(question, faults, groups):
        so_far += f" It is the gradient of your own {question['own']['forward']}: is that one right?"
    return {"reason": reason, "message": f"{name}: {words}{so_far}"}


def _fits_own_forward_only(question: Question, faults: list, groups: list) -> bool:
    """Whether the case on which a backward pass fits the student's own forward pass is one that it gets wrong."""
    fits = any(g["property"] == "own_gradient" and got["passed"] for g, got in zip(question["groups"], groups))
    return fits and faults[question["own"]["case"]] is not None


def _status_words(result: Outcome, case: dict) -> str:
    error = result.get("error") or {}
    on = f"On {case['words']}, "
    if result["status"] == "none" and not case["call"]:
        return "It is still None. Did the cell that computes it run?"
    if result["status"] == "raised":
        at = f" in line {error['line']}: {error['code']}" if error.get("line") else ""
        words = f": {error['message']}" if error.get("message") else ""
        return f"{on}it raised {error.get('type', 'an error')}{words}{at}"
    shapes = error.get("shapes") or {}
    own = ", ".join(f"{name} {tuple(shape)}" for name, shape in list(shapes.items())[:8]) or "none"
    asked = ", ".join(f"{name} {value.shape}" for name, value in case["call"].get("weights", {}).items())
    return {
        "missing": "There is nothing of this name yet. Did the cell that defines it run?",
        "stub": "It is not written yet: it still raises NotImplementedError.",
        "not_callable": f"It is {article(error.get('type', 'a value'))}; expected something that can be called.",
        "none": f"{on}it returned None. Is there a return statement at the end?",
        "count": f"{on}it returned {error.get('count')} output{'s' * (error.get('count') != 1)}; "
        f"expected {len(case['expected'])}: {', '.join(case['expected'])}.",
        "not_tensors": f"{on}it returned {error.get('message', 'something else')}; expected a tensor for each of: "
        f"{', '.join(name for name in case['expected'] if not name.startswith('gradient of '))}.",
        "forbidden": f"It uses {error.get('message', 'a layer of torch')}. Here you build it yourself.",
        "not_module": f"It made {article(error.get('type', 'an object'))}; expected a torch.nn.Module.",
        "weights": f"Its parameters are {own}; expected {asked}.",
    }.get(result["status"], "The reply was not of the form that was asked for.")


def article(kind: str) -> str:
    return f"{'an' if kind[:1].lower() in 'aeiou' else 'a'} {kind}"


def _rows(case: dict, result: Outcome) -> list[dict]:
    """A row of the table for each output of a case that is off: shapes, and the size of the largest difference."""
    if result["status"] != "ok" or case.get("measure"):
        return []
    rows = []
    for name, expected in case["expected"].items():
        got = numbers(result["outputs"].get(name))
        if got is None or not (_form_fault(name, got, expected) or _value_fault(name, got, expected, case)):
            continue
        comparable = got.shape == expected.shape and got.dtype.kind != "c" and np.isfinite(got).all()
        rows.append(
            {
                "case": case["words"],
                "output": name,
                "got_shape": list(got.shape),
                "expected_shape": list(expected.shape),
                "largest_difference": float(f"{_difference(got, expected):.2g}") if comparable else None,
            }
        )
    return rows
