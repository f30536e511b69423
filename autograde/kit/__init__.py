"""What a student holds: ``check`` a function against the cases that came with this notebook, and the data.

It needs NumPy alone, and holds no answers: the cases lie in ``checks/`` as arrays.
"""

from .checking import CheckFailed, check
from .data import load_data, load_seattle_weather

__all__ = ["CheckFailed", "check", "load_data", "load_seattle_weather"]
