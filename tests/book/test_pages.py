"""The pages as they are written: what each must hold, checked without building the book."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from autograde import exercises
from solutions.experiments.fingerprints import sources
from solutions.experiments.registry import experiments
from solutions.experiments.results import FOLDER, is_fresh
from tests.benchmarks.layers import MODULES

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "chapters"
CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def contents() -> list[str]:
    """The files of the table of contents, in reading order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


PAGES = [path.removeprefix("chapters/") for path in contents()]
ASIDE = {
    *("intro", "studying", "notation", "scoreboard", "claims", "teaching", "scale"),
    *("conventions", "api", "glossary", "colophon", "bibliography"),
}
NAMES = [name for name in PAGES if name not in ASIDE]


def text_of(name: str) -> str:
    return (CHAPTERS / f"{name}.md").read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """The anchors that the built page has: one for each heading."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") for title in titles}


def words_of(text: str) -> int:
    prose = re.sub(r"^```\{code-cell\}.*?^```|^---.*?^---", "", text, flags=re.DOTALL | re.MULTILINE)
    return len(re.findall(r"[A-Za-z][A-Za-z'’-]+", prose))


def test_every_page_of_the_contents_exists_and_every_page_is_in_the_contents() -> None:
    assert {path.stem for path in CHAPTERS.glob("*.md")} == set(PAGES)


@pytest.mark.parametrize("name", exercises.names())
def test_every_hint_leads_to_a_section_that_exists(name: str) -> None:
    for exercise in exercises.load(name).exercises:
        for misconception in exercise.misconceptions:
            page, _, anchor = misconception.link.partition("#")
            assert anchor in anchors(text_of(Path(page).stem)), misconception.link


@pytest.mark.parametrize("name", NAMES)
def test_a_chapter_holds_what_a_chapter_holds(name: str) -> None:
    text = text_of(name)
    assert words_of(text) >= 2500
    assert text.count(":class: tip\n") >= 2, "at least two predictions"
    assert text.count("with figure(") >= 3, "at least three figures"
    headings = anchors(text)
    for wanted in (
        "what-goes-wrong",
        "what-was-claimed-and-what-we-measured",
        "summary",
        "exercises",
        "further-reading",
    ):
        assert wanted in headings
    for kind in ("*Conceptual.*", "*Short code.*", "*Extended.*"):
        assert kind in text
    assert "{cite}" in text and "{solution}" in text


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_a_caption_a_name_and_words_for_those_who_cannot_see_it(name: str) -> None:
    for cell in CELL.findall(text_of(name)):
        if "with figure(" in cell:
            assert ":  figure:" in cell and ":    name: " in cell and ":    caption: " in cell, cell[:200]
            described = re.search(r'alt="([^"]+)"', cell)
            assert described and len(described[1].split()) >= 12, cell[:200]


@pytest.mark.parametrize("name", NAMES)
def test_code_that_a_reader_sees_fits_the_page(name: str) -> None:
    for cell in CELL.findall(text_of(name)):
        if "remove-input" in cell or "remove-cell" in cell:
            continue
        code = [line for line in cell.splitlines() if not line.startswith(":")]
        assert max(map(len, code)) <= 74, max(code, key=len)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_draws_on_no_other_server(name: str) -> None:
    assert not re.search(r"!\[[^]]*\]\(http|<img|<script|<iframe", text_of(name))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_nothing_loudly(name: str) -> None:
    prose = re.sub(r"^```\{code-cell\}.*?^```", "", text_of(name), flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"!\[|!=|`[^`]*`", "", prose)
    assert "!" not in prose


@pytest.mark.parametrize("experiment", experiments().values(), ids=lambda e: e.name)
def test_a_result_was_made_by_the_code_as_it_stands(experiment) -> None:
    assert is_fresh(experiment), f"run again: python -m solutions.experiments {experiment.name}"


def test_every_result_belongs_to_an_experiment_that_a_page_prints() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {
        *experiments(),
        "layer_speed",
        "grading_speed",
        "grading_soak",
    }
    pages = "\n".join(map(text_of, PAGES))
    assert all(f'load("{name}")' in pages for name in experiments())


def test_the_speeds_were_measured_on_the_layers_as_they_stand() -> None:
    kept = json.loads((FOLDER / "layer_speed.json").read_text())
    behind: dict[str, str] = {}
    for module in MODULES:
        behind |= sources(module)
    assert kept["sources"] == behind, "measure again: make bench"
