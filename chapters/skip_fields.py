"""A small extension for Sphinx: the fields of a named tuple are described in its docstring, not one by one."""

from __future__ import annotations

from typing import Any


def skip_field(app: Any, what: str, name: str, item: Any, skip: bool, options: Any) -> bool | None:
    words = getattr(item, "__doc__", None) or ""
    return True if words.startswith("Alias for field number") else None


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-skip-member", skip_field)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
