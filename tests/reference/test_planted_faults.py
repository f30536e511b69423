"""The suite is tested too: each fault that is planted in the reference must make some test fail."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.reference.planted_faults import FAULTS
from tests.reference.planting import ROOT, Fault

MODULES = sorted({fault.module for fault in FAULTS})


def test_there_are_at_least_sixty_different_faults_and_some_in_every_module() -> None:
    assert len({(fault.module, fault.old, fault.new) for fault in FAULTS}) == len(FAULTS) >= 60
    modules = {path.stem for path in (ROOT / "solutions/with_numpy").glob("*.py")} - {"__init__", "arguments"}
    assert {module for module in modules if (ROOT / f"tests/reference/test_{module}.py").exists()} <= set(MODULES)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.module}: {fault.words}")
def test_a_fault_changes_the_source_in_one_place(fault: Fault) -> None:
    assert fault.planted() != fault.source.read_text()
    compile(fault.planted(), fault.source.name, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("module", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in MODULES])
def test_every_planted_fault_is_caught(module: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.reference.planting", module],
        cwd=ROOT,
        env={**os.environ, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=580,
    )
    print(run.stdout)
    assert run.returncode == 0, run.stdout + run.stderr
