"""What a worker is given and what it gives back: run one notebook, ask its questions. It knows no answer.

A job is complete in itself, so that it can run in this process, in another, or on another machine.
"""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from autograde.grading.execute import Ask, Cell, Reply, Run, run
from autograde.grading.refused import Refused
from autograde.grading.rooms import ROOMS, WarmFault
from autograde.grading.sandbox import Limits
from autograde.kit.plain import PlainError, decode

TIMES = 3  # that a notebook may lose its sandbox before this counts as how it ended
NOT_FOUND = ("missing", "stub")


@dataclass(frozen=True)
class Job:
    """The cells of a rebuilt notebook, the files beside it, and the question of each graded cell as bytes."""

    cells: tuple[Cell, ...] = field(repr=False)
    files: tuple[tuple[str, bytes], ...] = field(repr=False)
    probes: dict[str, bytes] = field(repr=False)
    limits: Limits
    unsafe: bool = False
    cold: bool = False


@dataclass(frozen=True)
class Done:
    """How the notebook ran, and the reply of each graded cell. Replies are bytes that nobody has believed yet."""

    run: Run
    replies: dict[str, Reply] = field(default_factory=dict)


def perform(job: Job) -> Done:
    """Run a job. A name that came later than its check is asked for again at the end.

    Where the sandbox is ended while it runs (by the kernel, for want of memory, or by a person), it is run again.

    Raises:
        NoSandbox: student code cannot be confined here.
    """
    replies: dict[str, Reply] = {}

    def on_graded(name: str, ask: Ask) -> None:
        if name not in job.probes:
            raise LookupError(f"the notebook grades {name!r}, which autograde/exercises does not hold")
        replies[name] = ask(job.probes[name])

    def on_finished(ask: Ask) -> None:
        for name in [name for name, reply in replies.items() if not_found(reply)]:
            replies[name] = ask(job.probes[name])

    with tempfile.TemporaryDirectory(prefix="submission-") as place:
        for name, content in job.files:
            path = Path(place) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for _ in range(TIMES):
            replies.clear()
            result = run(job, Path(place), on_graded, on_finished, job.limits, job.unsafe, job.cold)
            if not result.lost:
                break
    return Done(result, replies)


def warm_up() -> None:
    """Have a warm sandbox stand ready for this worker's first job; what is wrong, that job will say."""
    with contextlib.suppress(Refused, WarmFault, OSError):
        ROOMS.ready()


def not_found(reply: Reply) -> bool:
    """Whether what was asked for was not there yet, or still a stub."""
    if reply.status != "ok":
        return False
    try:
        outcomes = decode(reply.data)
    except PlainError:
        return False
    first = next(iter(outcomes), None) if type(outcomes) is list else None
    return type(first) is dict and first.get("status") in NOT_FOUND
