"""All the faults of ``tests/reference/faults``, one module after another."""

from __future__ import annotations

import importlib
import pkgutil

from tests.reference import faults
from tests.reference.planting import Fault

FAULTS: list[Fault] = [
    fault
    for module in pkgutil.iter_modules(faults.__path__)
    for fault in importlib.import_module(f"{faults.__name__}.{module.name}").FAULTS
]
