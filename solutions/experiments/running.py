"""Run experiments, several at once."""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import torch
from threadpoolctl import threadpool_limits

from solutions.experiments.registry import experiments
from solutions.experiments.results import load, record

ENDS_AT_ONCE = (signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a process with its module, and not with the next one


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
    largest_first = sorted(together.values(), key=lambda group: -sum(map(seconds_before, group)))
    with ProcessPoolExecutor(workers, get_context("spawn"), signal.signal, ENDS_AT_ONCE) as pool:
        try:
            for future in as_completed([pool.submit(run_in_order, group) for group in largest_first]):
                yield from future.result()
        except BaseException:  # what is wrong is said now, and nothing more begins
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_in_order(names: list[str]) -> list[tuple[str, float]]:
    """Run experiments in this process, with a line of progress whenever one of them has something to say."""
    known, took = experiments(), []
    torch.set_num_threads(1)
    with threadpool_limits(1):  # NumPy's too: the same digits however many run at once
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
