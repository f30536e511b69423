"""Who may import whom, read from the source: the house stays as it was drawn."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# The longest matching prefix on the left may import the prefixes on the right, and nothing else of ours.
ALLOWED = {
    "solutions": (),
    "solutions.conventions": (),
    "solutions.with_numpy": ("solutions.with_numpy", "solutions.conventions"),
    "solutions.with_torch": ("solutions.with_torch", "solutions.conventions"),
    "solutions.experiments": ("solutions",),
    "chapters.drawing": ("chapters.drawing", "solutions"),
    "chapters": ("chapters", "solutions"),
    "autograde.kit": ("autograde.kit",),
    "autograde.exercises": ("autograde.exercises", "solutions"),
    "autograde.grading": ("autograde.grading", "autograde.exercises", "autograde.kit"),
    "autograde.report": ("autograde.report", "autograde.grading"),
    "autograde": ("autograde",),
}
OURS = ("solutions", "chapters", "autograde", "tests")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(source: str, module: str, is_package: bool = False) -> list[tuple[str, int]]:
    """The absolute name of everything of ours that a source imports, with its line."""
    found = []
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            found += [(f"{name}.{alias.name}", node.lineno) for alias in node.names]
    return [(name, line) for name, line in found if name.split(".")[0] in OURS]


def forbidden(source: str, module: str, is_package: bool = False) -> list[str]:
    """A line for each import that the module's rule does not allow."""
    rule = rule_for(module)
    assert rule, f"{module}: no rule covers it; add one to ALLOWED"
    return [
        f"line {line} imports {name}; {rule} may import {', '.join(ALLOWED[rule]) or 'nothing of ours'}"
        for name, line in imports(source, module, is_package)
        if not any(within(name, prefix) for prefix in ALLOWED[rule])
    ]


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def rule_for(module: str) -> str:
    return max((prefix for prefix in ALLOWED if within(module, prefix)), key=len, default="")


def sources() -> list[Path]:
    return [p for room in ("solutions", "chapters", "autograde") for p in sorted((ROOT / room).rglob("*.py"))
            if "course" not in p.relative_to(ROOT).parts]  # fmt: skip


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_a_module_imports_only_what_the_house_allows(path: Path) -> None:
    wrong = forbidden(path.read_text(), module_name(path), path.name == "__init__.py")
    assert not wrong, f"{path.relative_to(ROOT)}: " + "\n".join(wrong)


def test_the_kit_imports_its_own_package_by_relative_names_only() -> None:
    for path in sorted((ROOT / "autograde/kit").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            ours = [name for name in names if name.split(".")[0] in OURS]
            assert not ours, f"{path.name}:{node.lineno} imports {ours}; the kit leaves with the student"


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("autograde.kit.staging", "import solutions.with_numpy.lstm"),
        ("autograde.grading.judge", "from solutions.with_numpy import lstm"),
        ("autograde.exercises.lstm", "from ..grading import judge"),
        ("solutions.with_numpy.lstm", "from solutions.with_torch.lstm import LSTM"),
        ("solutions.with_torch.lstm", "def f():\n    from solutions.with_numpy import lstm"),
    ],
)
def test_a_forbidden_import_is_noticed(module: str, source: str) -> None:
    assert forbidden(source, module)


LATE = {
    "autograde.commands.grade": {"numpy", "torch", "nbformat", "nbgrader", "distributed"},
    "autograde.grading.jobs": {"torch", "nbformat", "nbgrader", "matplotlib", "autograde.exercises", "solutions"},
}


@pytest.mark.parametrize(("module", "late"), LATE.items(), ids=LATE)
def test_what_takes_long_is_not_imported_before_it_is_needed(module: str, late: set[str]) -> None:
    """A command that refuses does so at once, the workers start early, and they know no answers."""
    words = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", words], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not late & set(loaded.split())
