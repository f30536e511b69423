"""What can be wrong with a submission, one readable case each, in five groups: files, structure, code, hostile, honest.

``tests/grading/test_battery.py`` grades them all as one class and holds each to its exact score and reason.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell

from autograde.sample_class import replaced

FULL = 27.0  # points that the machine gives
POINTS = {
    "neuron_step": 3.0,
    "rnn_step": 6.0,
    "rnn_forward": 8.0,
    "count_parameters": 2.0,
    "forecast": 3.0,
    "RNNLayer": 5.0,
}


@dataclass(frozen=True)
class Material:
    """What cases are made from: the release, the same with all answers in it, and where the listeners wait."""

    release: NotebookNode
    right: NotebookNode
    tcp_port: int = 0
    udp_port: int = 0
    unix_path: str = ""


Change = Callable[[NotebookNode], object]
Files = Callable[[Path], None]


@dataclass(frozen=True)
class Fault:
    """One case: how it is made, its exact score, and the reason that one exercise must be given.

    Two reasons, ``dead|timeout``, stand where it depends on the machine which limit is met first.

    ``make`` gives the bytes of the notebook's file, or None for no such file; ``files`` writes what lies beside it.
    """

    name: str
    make: Callable[[Material], bytes | None]
    score: float
    reason: str = "ok"
    exercise: str = "neuron_step"
    files: Files | None = None
    file_name: str = "recurrent_neurons.ipynb"
    words: str = field(default="", compare=False)


def written(notebook: NotebookNode) -> bytes:
    """The notebook as it stands: nbformat's own writer would mend what is wrong with it."""
    return json.dumps(notebook, ensure_ascii=False, indent=1).encode()


def answered(name: str, source: str, score: float, reason: str = "ok", exercise: str = "neuron_step", **more) -> Fault:
    """The right work with one answer replaced."""
    return Fault(name, lambda m: written(replaced(m.right, exercise, source)), score, reason, exercise, **more)


def unearned(name: str, source: str, reason: str, exercise: str = "neuron_step", score: float = 0.0) -> Fault:
    """The blank release with one answer that tries for points it did not earn."""
    return Fault(name, lambda m: written(replaced(m.release, exercise, filled(source, m))), score, reason, exercise)


def prepared(name: str, source: str, reason: str = "stub", score: float = 0.0) -> Fault:
    """The blank release with a first cell that prepares the ground."""

    def make(m: Material) -> bytes:
        notebook = copy.deepcopy(m.release)
        notebook.cells.insert(0, new_code_cell(filled(source, m)))
        return written(notebook)

    return Fault(name, make, score, reason)


def changed(name: str, change: Change, score: float = FULL, reason: str = "ok", blank: bool = False, **more) -> Fault:
    """The right work (or the blank release) with its notebook changed."""

    def make(m: Material) -> bytes:
        notebook = copy.deepcopy(m.release if blank else m.right)
        result = change(notebook)
        return written(result if isinstance(result, NotebookNode) else notebook)

    return Fault(name, make, score, reason, **more)


def filled(source: str, m: Material) -> str:
    for name in ("tcp_port", "udp_port", "unix_path"):
        source = source.replace(f"@{name}@", str(getattr(m, name)))
    return source


def marks(cell: NotebookNode) -> dict:
    return cell.metadata.get("nbgrader", {})


def is_check(cell: NotebookNode) -> bool:
    return bool(marks(cell).get("grade")) and not marks(cell).get("solution")
