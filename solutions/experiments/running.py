"""Run experiments, several at once."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import torch

from solutions.experiments.registry import experiments
from solutions.experiments.results import load, record


def run(names: list[str], workers: int) -> Iterator[tuple[str, float]]:
    """Run experiments, and yield each as its module ends with the seconds that it took.

    Those of one module run one after another, in the order of their names, since one may read what another has found;
    modules run beside each other, each in a process with one thread, the largest first.
    """
    together: dict[str, list[str]] = {}
    known = experiments()
    for name in names:
        together.setdefault(known[name].module, []).append(name)
    if min(workers, len(together)) <= 1:
        for name in names:
            yield from run_in_order([name])
        return
    for library in ("OMP", "OPENBLAS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")  # a core each
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        largest_first = sorted(together.values(), key=lambda group: -sum(map(seconds_before, group)))
        for future in as_completed([pool.submit(run_in_order, group) for group in largest_first]):
            yield from future.result()


def run_in_order(names: list[str]) -> list[tuple[str, float]]:
    """Run experiments in this process, with a line of progress whenever one of them has something to say."""
    torch.set_num_threads(1)
    known, took = experiments(), []
    for name in names:
        print(f"{name}: {known[name].question}", flush=True)
        kept = record(known[name], functools.partial(say, name))
        took.append((name, kept["seconds"]))
    return took


def say(name: str, line: str) -> None:
    print(f"  {name}: {line}", flush=True)


def seconds_before(name: str) -> float:
    """What an experiment took when it was last run: 0 where nobody knows."""
    try:
        return float(load(name)["seconds"])
    except FileNotFoundError:
        return 0.0
