"""What a release carries besides the notebook: the kit, its visible checks, and data. As data: no answer is code."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autograde import exercises
from autograde.grading.questions import question
from autograde.kit.plain import encode

KIT = Path(__file__).resolve().parent.parent / "kit"
VISIBLE_SEED = 20_260_101  # public: the cases that `check` shows; hidden ones come from the course's secret


def files(assignment: str) -> dict[str, bytes]:
    """The files of a release by their names: ``kit/*.py``, ``kit/checks/EXERCISE.plain``, ``kit/data/*``.

    Raises:
        LookupError: there are no exercises of this name.
    """
    asked = exercises.load(assignment)
    made = {f"kit/{path.name}": path.read_bytes() for path in sorted(KIT.glob("*.py"))}
    for number, exercise in enumerate(asked.exercises):
        shown = question(exercise, np.random.default_rng([VISIBLE_SEED, number]), visible=True)
        made[f"kit/checks/{exercise.name}.plain"] = encode(shown)
    made |= {f"kit/data/{name}": make() for name, make in asked.data.items()}
    return made
