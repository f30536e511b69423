"""The spelling of what people read: pages, README, the notebooks' text and the hints, by typos, in British English.

typos knows common misspellings and the words that American English writes otherwise; it needs no network.
What it takes for a mistake and is none stands in ``accepted_words.toml``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from autograde import exercises
from tests.book.prose import descriptions, prose
from tests.book.test_pages import PAGES, ROOT, text_of

ACCEPTED = Path(__file__).with_name("accepted_words.toml")
NOTEBOOKS = ROOT / "autograde" / "course" / "source"


def misspelled(text: str) -> list[str]:
    """The words that typos does not accept, each with its line and what it would write."""
    program = str(Path(sys.executable).with_name("typos"))
    command = [program, "--isolated", "--config", str(ACCEPTED), "--format", "json", "-"]
    run = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode in (0, 2), run.stderr  # 2: it found something
    found = map(json.loads, run.stdout.splitlines())
    return [f"line {word['line_num']}: {word['typo']} ({', '.join(word['corrections'])})" for word in found]


def notebook_text(name: str) -> str:
    cells = json.loads((NOTEBOOKS / name / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(prose("".join(cell["source"])) for cell in cells if cell["cell_type"] == "markdown")


def hints(name: str) -> str:
    """Everything that a check says in the words of an assignment's exercises."""
    said: list[str] = []
    for exercise in exercises.load(name).exercises:
        said += [words for wrong in exercise.misconceptions for words in (wrong.title, wrong.hint)]
        said += [group.words for group in exercise.groups]
        said += [case.words for case in exercise.cases(np.random.default_rng(0))]
    return "\n".join(said)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_spelled_right(name: str) -> None:
    text = text_of(name)
    assert misspelled(prose(text)) == []
    assert misspelled(descriptions(text)) == []


def test_the_readme_is_spelled_right() -> None:
    assert misspelled(prose((ROOT / "README.md").read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("name", exercises.names())
def test_an_assignment_is_spelled_right(name: str) -> None:
    for text in (notebook_text(name), hints(name)):
        assert len(text.split()) > 100
        assert misspelled(text) == []


@pytest.mark.parametrize("word", ["netwrok", "gradiants", "recieves", "normalizes", "behavior"])
def test_a_misspelling_and_an_american_spelling_are_found(word: str) -> None:
    page = f"---\nfoo: bar\n---\nThe layer {word} it: {{term}}`{word} <x>`.\n\n"
    page += f'```{{code-cell}}\n:    caption: "A {word}"\nz("{word}")\n```\n'
    assert [found.split()[2] for found in misspelled(prose(page))] == [word] * 3
    assert misspelled(prose(page.replace(word, "cell"))) == []


def test_names_in_code_are_no_words() -> None:
    text = "Call `normalize(color)` or {cite}`behavior`, $colorr$.\n\n```python\nbehavior()\n```\n"
    assert misspelled(text) and misspelled(prose(text)) == []
