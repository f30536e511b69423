"""Run a command and measure it, with everything that it starts: time, CPU, memory, and when each line of it came.

The command is started by this very file as a small process of its own: Linux counts what a process held before it
became the command, so that one started from here would seem to need at least as much memory as a whole benchmark.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Measured:
    """Seconds of wall and CPU time, MiB of the largest process, and the lines with the second at which each came.

    CPU time is NaN where no control group can be had. Processes that end with their sandbox are not asked for memory.
    """

    wall: float
    cpu: float
    peak: float
    lines: list[tuple[float, str]]

    def marked(self, mark: str) -> list[float]:
        """When the lines came that hold ``mark``."""
        return [when for when, line in self.lines if mark in line]


def run(command: list[str], folder: Path, environment: dict[str, str]) -> Measured:
    """Run a command in a folder.

    Raises:
        SystemExit: it failed; the words are its last.
    """
    from tests.benchmarks import counting  # the process that starts the command stays small

    with counting.group() as group, tempfile.NamedTemporaryFile("r") as figures:
        joined = group.joined / "cgroup.procs" if group else os.devnull
        start = [sys.executable, "-I", __file__, figures.name, str(joined), *command]
        lines = []
        with subprocess.Popen(
            start, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                lines.append((time.perf_counter(), line))
        if process.returncode:
            words = "".join(line for _, line in lines)[-2000:]
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}: {words}")
        return Measured(**json.load(figures), cpu=group.seconds() if group else math.nan, lines=lines)


def start(figures: str, joined: str, command: list[str]) -> int:
    """Join a group, run the command, write what it took into the file ``figures``, and return its exit status."""
    Path(joined).write_text(str(os.getpid()))
    begun = time.perf_counter()
    done = subprocess.run(command)
    wall, used = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    Path(figures).write_text(json.dumps({"wall": wall, "peak": used.ru_maxrss / 1024}))
    return done.returncode


def python_environment(python: str, **more: str) -> dict[str, str]:
    """This process's environment for the commands of a Python and what lies beside it, on one thread."""
    path = os.pathsep.join([str(Path(python).absolute().parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "PATH": path, "OMP_NUM_THREADS": "1", **more}


if __name__ == "__main__":
    sys.exit(start(sys.argv[1], sys.argv[2], sys.argv[3:]))
