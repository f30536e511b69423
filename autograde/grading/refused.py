"""What ends a command with words instead of a traceback."""

from __future__ import annotations


class Refused(RuntimeError):
    """Something cannot be done here, or not so; the words say what was got, what was expected, and what to do."""
