"""The fingerprint of an experiment: a hash of the code that makes its numbers.

It covers the module of the experiment and everything of this package that it imports, directly or not, except what only
runs and stores experiments. Comments, docstrings and empty lines do not count: to explain code better is not to change
it.
"""

from __future__ import annotations

import ast
import hashlib
import io
import tokenize
from pathlib import Path

from solutions.experiments import registry

ROOT = Path(__file__).resolve().parents[2]
PLUMBING = {f"solutions.experiments.{name}" for name in registry.PLUMBING}


def sources(module: str) -> dict[str, str]:
    """Path and hash of every source file behind a module, sorted by path."""
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        path = source_file(waiting.pop())
        name = str(path.relative_to(ROOT)) if path else ""
        if path is None or name in found:
            continue
        text = path.read_text(encoding="utf-8")
        found[name] = hashlib.sha256(code_only(text).encode()).hexdigest()
        waiting += imported(text)
    return dict(sorted(found.items()))


def fingerprint(module: str) -> str:
    """One hash over the names and hashes of the sources behind a module."""
    lines = [f"{name} {digest}\n" for name, digest in sources(module).items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def imported(text: str) -> list[str]:
    """The modules of this package that a source imports, the plumbing left out."""
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.split(".")[0] == "solutions" and name not in PLUMBING]


def source_file(module: str) -> Path | None:
    """The file of a module or package, or None where the name is a function or a class."""
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def code_only(text: str) -> str:
    """A source without comments, docstrings and empty lines.

    >>> code_only("# why\\ndef f():  # what\\n    'Says what.'\\n    return 1\\n")
    'def f():\\n    return 1'
    """
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            docstring = node.body[0]
            lines[docstring.lineno - 1 : docstring.end_lineno] = [""] * (
                (docstring.end_lineno or 0) - docstring.lineno + 1
            )
    return "\n".join(line.rstrip() for line in lines if line.strip())
