"""Plant one fault in the reference, run the tests of that module, see whether they notice.

``python -m tests.reference.planting`` plants every fault of ``planted_faults`` and prints a line for each; the last
line is the score. Each fault runs in a fork of a process that has numpy, torch and pytest loaded already, so that a
fault costs about a second.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import io
import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
CAUGHT, SURVIVED = 1, 0


class Fault(NamedTuple):
    """One planted fault: in ``module`` of the NumPy reference, ``old`` becomes ``new`` (where ``old`` stands once)."""

    module: str
    old: str
    new: str
    words: str

    @property
    def source(self) -> Path:
        return ROOT / "solutions" / "with_numpy" / f"{self.module}.py"

    @property
    def tests(self) -> Path:
        return ROOT / "tests" / "reference" / f"test_{self.module}.py"

    def planted(self) -> str:
        """The module's source with the fault in it; ``ValueError`` if ``old`` does not stand there exactly once."""
        source = self.source.read_text()
        if source.count(self.old) != 1:
            raise ValueError(f"{self.source.name}: {self.old!r} stands {source.count(self.old)} times; expected once")
        return source.replace(self.old, self.new)


class PlantedFinder(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Gives the import system the faulty source in place of the right one."""

    def __init__(self, fault: Fault) -> None:
        self.name, self.path, self.source = (
            f"solutions.with_numpy.{fault.module}",
            str(fault.source),
            fault.planted().encode(),
        )

    def find_spec(self, fullname, path=None, target=None):
        return importlib.util.spec_from_loader(fullname, self, origin=self.path) if fullname == self.name else None

    def get_filename(self, fullname: str) -> str:
        return self.path

    def get_data(self, path) -> bytes:
        return self.source

    def path_stats(self, path):
        raise OSError("no cache: the source is not the file's")


def run_tests_with(fault: Fault) -> int:
    """In this process: import the faulty module and run its tests until the first failure; return pytest's code."""
    import pytest

    for name in [name for name in sys.modules if name.startswith(("solutions", "tests.reference.test_"))]:
        del sys.modules[name]
    sys.meta_path.insert(0, PlantedFinder(fault))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return int(
            pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", str(fault.tests)])
        )


def plant(fault: Fault) -> int:
    """Fork, plant, test. Returns ``CAUGHT`` if a test failed, ``SURVIVED`` if all passed."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = run_tests_with(fault)
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, 1):
        raise RuntimeError(f"{fault.module}: pytest ended with {code}, which is neither passed nor failed")
    return CAUGHT if code == 1 else SURVIVED


def plant_all(faults: list[Fault], report=print) -> list[Fault]:
    """Plant each fault, say what happened, and return those that no test noticed."""
    import pytest  # noqa: F401  (loaded once, before the forks)
    import torch

    torch.set_num_threads(1)
    survivors = []
    for number, fault in enumerate(faults, 1):
        start = time.perf_counter()
        verdict = plant(fault)
        if verdict == SURVIVED:
            survivors.append(fault)
        said = "caught  " if verdict == CAUGHT else "SURVIVED"
        report(f"{number:3d}/{len(faults)} {said} {time.perf_counter() - start:5.1f} s  {fault.module}: {fault.words}")
    return survivors


if __name__ == "__main__":
    os.chdir(ROOT)
    from tests.reference.planted_faults import FAULTS

    chosen = [fault for fault in FAULTS if not sys.argv[1:] or fault.module in sys.argv[1:]]
    left = plant_all(chosen, lambda line: print(line, flush=True))
    print(f"{len(chosen) - len(left)} of {len(chosen)} planted faults caught")
    sys.exit(bool(left))
