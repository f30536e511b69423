"""Who may import whom, read from the source: the house stays as it was drawn."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# The longest matching prefix on the left may import the prefixes on the right, and nothing else of ours.
ALLOWED = {
    "solutions.conventions": (),
    "solutions.with_numpy": ("solutions.with_numpy", "solutions.conventions"),
    "solutions.with_torch": ("solutions.with_torch", "solutions.conventions"),
    "solutions.experiments": ("solutions",),
    "chapters.drawing": ("chapters.drawing", "solutions"),
    "chapters": ("chapters", "solutions"),
    "autograde.kit": (),
    "autograde.exercises": ("autograde.exercises", "solutions"),
    "autograde.grading": ("autograde.grading", "autograde.exercises", "autograde.kit"),
    "autograde.report": ("autograde.report", "autograde.grading"),
    "autograde": ("autograde",),
}
OURS = ("solutions", "chapters", "autograde", "tests")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> list[tuple[str, int]]:
    """The absolute name of everything of ours that a file imports, with its line."""
    found = []
    package = module_name(path).split(".") if path.name == "__init__.py" else module_name(path).split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            found += [(f"{name}.{alias.name}", node.lineno) for alias in node.names]
    return [(name, line) for name, line in found if name.split(".")[0] in OURS]


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def rule_for(module: str) -> str:
    return max((prefix for prefix in ALLOWED if within(module, prefix)), key=len, default="")


def sources() -> list[Path]:
    return [p for room in ("solutions", "chapters", "autograde") for p in sorted((ROOT / room).rglob("*.py"))
            if "course" not in p.relative_to(ROOT).parts]  # fmt: skip


@pytest.mark.parametrize("path", sources(), ids=module_name)
def test_a_module_imports_only_what_the_house_allows(path: Path) -> None:
    module = module_name(path)
    rule = rule_for(module)
    assert rule, f"{module}: no rule covers it; add one to ALLOWED"
    allowed = (*ALLOWED[rule], *(["autograde.kit"] if rule == "autograde.kit" else []))
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}; {rule} may import {', '.join(allowed) or 'nothing of ours'}"
        for name, line in imports(path)
        if not any(within(name, prefix) for prefix in allowed)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_kit_imports_its_own_package_by_relative_names_only() -> None:
    absolute = [
        f"{path.name}:{node.lineno}"
        for path in sorted((ROOT / "autograde/kit").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and any(
            n.split(".")[0] in OURS for n in ([a.name for a in node.names] if isinstance(node, ast.Import)
                                              else [node.module or ""] if not node.level else [])
        )
    ]  # fmt: skip
    assert not absolute, f"the kit leaves with the student, where our packages do not exist: {absolute}"


def test_the_rule_notices_a_forbidden_import(tmp_path: Path) -> None:
    assert rule_for("autograde.kit.staging") == "autograde.kit"
    assert rule_for("autograde.commands") == "autograde"
    assert not any(within("solutions.with_numpy.lstm", prefix) for prefix in ALLOWED["autograde.grading"])
