"""Run experiments: ``python -m solutions.experiments list``, ``… NAME``, or ``… --all``."""

from __future__ import annotations

import argparse
import os
import sys

from solutions.experiments.registry import experiments
from solutions.experiments.results import is_fresh, path_of
from solutions.experiments.running import run


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m solutions.experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which to run; 'list' names them all")
    parser.add_argument("--all", action="store_true", help="run every one whose result is missing or out of date")
    parser.add_argument("--force", action="store_true", help="with --all: run the fresh ones too")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="modules at once (default: the cores)"
    )
    chosen = parser.parse_args(arguments)
    known = experiments()

    if chosen.names == ["list"]:
        for one in known.values():
            print(f"{one.name:36} {'fresh' if is_fresh(one) else 'out of date':12} {one.question}")
        return 0
    unknown = [name for name in chosen.names if name not in known]
    if unknown or bool(chosen.names) == chosen.all:
        parser.error(f"no experiment is called {unknown[0]}; try 'list'" if unknown else "give names, or --all")
    if chosen.workers < 1:
        parser.error(f"--workers: got {chosen.workers}; expected a whole number above 0")

    names = chosen.names or [name for name, one in known.items() if chosen.force or not is_fresh(one)]
    try:
        for count, (name, seconds) in enumerate(run(names, chosen.workers), 1):
            print(f"[{count}/{len(names)}] {name}: {seconds} s → chapters/results/{path_of(name).name}", flush=True)
    except KeyboardInterrupt:
        print("Stopped. Results that were finished are written; without --force the same command goes on from here.")
        return 130
    if not names:
        print("Every result is fresh; --force runs them again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
