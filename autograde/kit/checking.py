"""``check``: the same stages and the same hints as the grader, on the cases that came with the notebook."""

from __future__ import annotations

import textwrap
from pathlib import Path

from .calling import outcome
from .plain import PlainError, decode
from .staging import Verdict, judge

CHECKS = Path(__file__).resolve().parent / "checks"
WIDTH = 80  # `nbgrader validate` cuts longer lines off, a few columns later


class CheckFailed(AssertionError):
    """What ``check`` raises when something is not right yet; a notebook shows its words and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return ["\n".join(_wrapped(line) for line in str(self).splitlines())]


def check(name: str, value: object, forward: object = None) -> None:
    """Try what you wrote on the visible cases of an exercise, and say what happened.

    Args:
        name: the exercise's name, such as ``"rnn_step"``.
        value: your function, class or value.
        forward: where ``value`` is a backward pass, your own forward pass: a gradient that fits it counts for something
            even if the forward pass is wrong.

    Raises:
        CheckFailed: something is not right yet; the words say what to look at.
    """
    verdict = verdict_on(name, value, forward)
    if not verdict["passed"]:
        raise CheckFailed(_words(verdict))
    print(f"✓ {name} is right on every visible case. The grader tries others ({verdict['max_points']:g} points).")


def verdict_on(name: str, value: object, forward: object = None) -> Verdict:
    """Judge a value on the visible cases of an exercise."""
    path = CHECKS / f"{name}.plain"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in CHECKS.glob("*.plain")))
        raise CheckFailed(
            f"There is no check called {name!r}. There are: {known}."
            if known
            else "The folder kit/checks is missing: put the whole folder of the assignment, kit included, beside "
            "this notebook."
        )
    try:
        question = decode(path.read_bytes())
    except (PlainError, OSError) as error:
        raise CheckFailed(f"{path.name} cannot be read ({error}); fetch the assignment again.") from None
    assert isinstance(question, dict)
    calls = [case["call"] for case in question["cases"]]
    outcomes = [outcome(question["kind"], value, call, question["outputs"]) for call in calls]
    own = question["own"] if forward is not None else None
    fitting = [outcome("function", forward, call, own["outputs"]) for call in own["calls"]] if own else []
    return judge(question, outcomes, fitting)


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _words(verdict: Verdict) -> str:
    lines = [f"✗ {verdict['message']}"]
    lines += [f"  {'✓' if group['passed'] else '✗'} {group['words']}" for group in verdict["groups"]]
    rows = [row for row in verdict["table"] if row["largest_difference"] is not None]
    if rows and verdict["reason"] in ("values", "misconception"):
        lines.append("  How far off, at the most:")
        lines += [f"    {row['output']} on {row['case']}: {row['largest_difference']:g}" for row in rows[:4]]
    if verdict["link"]:
        lines.append(f"  In the book: {verdict['link']}")
    return "\n".join(lines)
