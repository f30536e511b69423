"""Ask an implementation what a probe asks, as the sandbox would, without a sandbox."""

from __future__ import annotations

from autograde.grading.execute import Reply
from autograde.grading.judge import Probe
from autograde.kit.calling import outcome
from autograde.kit.plain import decode, encode


def answer(probe: Probe, implementation: object) -> Reply:
    asked = decode(probe.message)
    assert isinstance(asked, dict)
    outcomes = [outcome(asked["kind"], implementation, call, asked["outputs"]) for call in asked["calls"]]
    return Reply("ok", encode(outcomes))
