"""The judge: draws a question for one graded cell, reads the sandbox's reply, gives the verdict. Runs on the host."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from autograde.exercises.definition import Exercise
from autograde.grading.execute import Reply
from autograde.grading.questions import answered, inside, with_mistakes
from autograde.kit.plain import PlainError, decode, encode
from autograde.kit.staging import Question, Verdict, judge, without_outcome

STATUSES = {
    "ok", "missing", "not_callable", "stub", "raised", "none", "count", "not_module", "not_tensors", "weights",
    "forbidden",
}  # fmt: skip
RIGHT_VALUES = ("ok", "changed_input")  # no misconception is looked for


@dataclass(frozen=True)
class Probe:
    """What is sent into the sandbox (``message``), and what stays outside (``question``)."""

    exercise: Exercise
    question: Question = field(repr=False)
    message: bytes = field(repr=False)

    @cached_property
    def with_mistakes(self) -> Question:
        """The question with what each misconception gives: computed where something is wrong, not before."""
        return with_mistakes(self.exercise, self.question)


def probe(exercise: Exercise, seed: int) -> Probe:
    """Draw the hidden cases of a cell from its seed."""
    asked = answered(exercise, np.random.default_rng(seed))
    return Probe(exercise, asked, encode(inside(asked)))


def verdict(probe: Probe, reply: Reply, source: str = "") -> Verdict:
    """Judge a reply. ``source`` is the student's own cell, read for names that the exercise forbids."""
    name = probe.exercise.name
    if reply.status != "ok":
        words = {
            "timeout": f"{name}: the call did not come back in time. Does a loop never end?",
            "dead": f"{name}: {reply.detail}",
            "bad": f"{name}: the reply from the notebook could not be read ({reply.detail}).",
        }
        return without_outcome(probe.question, reply.status, words[reply.status])
    own = probe.question["own"]
    cases = len(probe.question["cases"])
    try:
        outcomes = _outcomes(decode(reply.data), cases + (len(own["calls"]) if own else 0))
    except PlainError as error:
        return without_outcome(probe.question, "bad_reply", f"{name}: the reply could not be read: {error}.")
    used = forbidden_names(source, probe.exercise.forbidden)
    if used:
        return without_outcome(probe.question, "forbidden", forbidden_words(name, used))
    judged = judge(probe.question, outcomes[:cases], outcomes[cases:])
    if judged["reason"] in RIGHT_VALUES:
        return judged
    return judge(probe.with_mistakes, outcomes[:cases], outcomes[cases:])


def forbidden_words(name: str, used: list[str]) -> str:
    return f"{name}: it uses {', '.join(used)}. Here you build it yourself, from elementary operations."


def _outcomes(value: object, count: int) -> list[dict]:
    """The reply as a list of outcomes of the form that the staging reads, or ``PlainError``."""
    if type(value) is not list or len(value) != count:
        raise PlainError("not one outcome for each case")
    for item in value:
        if type(item) is not dict or item.get("status") not in STATUSES:
            raise PlainError("an outcome without a known status")
        if item["status"] == "ok" and type(item.get("outputs")) is not dict:
            raise PlainError("an outcome without outputs")
        item["error"] = _error(item.get("error"))
    return value


def _error(error: object) -> dict:
    """Words and numbers of an error, each of the type that the messages print."""
    if type(error) is not dict:
        return {}
    texts = {
        key: " ".join(error[key].split())[:200] for key in ("type", "message", "code") if type(error.get(key)) is str
    }
    counts = {key: error[key] for key in ("line", "count") if type(error.get(key)) is int}
    shapes = error.get("shapes")
    if type(shapes) is dict and all(
        type(shape) is list and all(type(size) is int for size in shape) for shape in shapes.values()
    ):
        return {**texts, **counts, "shapes": {name[:60]: shape[:8] for name, shape in list(shapes.items())[:16]}}
    return {**texts, **counts}


def forbidden_names(source: str, forbidden: tuple[str, ...]) -> list[str]:
    """The forbidden names that a source uses, through whatever alias it imports them by."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    aliases = {"nn": "torch.nn", "F": "torch.nn.functional"}
    used = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            aliases |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in _outermost(tree):
        head, *rest = _dotted(node)
        used.append(".".join([aliases.get(head, head), *rest]))
    return sorted({name for name in forbidden for got in used if got == name or got.startswith(name + ".")})


def _outermost(tree: ast.AST) -> Iterator[ast.expr]:
    """Every name and chain of attributes once, whole: not also each of its beginnings."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Attribute, ast.Name)):
            yield node
            while isinstance(node, ast.Attribute):
                node = node.value
        waiting += ast.iter_child_nodes(node)


def _dotted(node: ast.expr) -> list[str]:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id if isinstance(node, ast.Name) else "?", *parts[::-1]]
