"""No page states a measurement that somebody typed: what looks measured is glued, shown in code, or accounted for.

Sections whose heading says "by hand" are calculations. ``typed_numbers.yaml`` accounts for the rest, page by page: a
reason, and the phrases that it covers.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.book.prose import prose, shown_code
from tests.book.test_pages import PAGES, ROOT, text_of

UNITS = "times|percent|°C|degrees|m[sV]|milliseconds|seconds|minutes|hours|[KMG]i?B"
LOOKS_MEASURED = re.compile(
    rf"(?<![\w.])(?:\d[\d,]*\.\d+|\d+e-?\d+|10[⁻⁰¹²³⁴-⁹]+|\d[\d,]*(?=\s?(?:%|(?:{UNITS})\b)))(?:\s?(?:%|(?:{UNITS})\b))?"
)
BY_HAND = re.compile(r"^#+ [^\n]*\bby hand\b.*?(?=^#{1,3} |\Z)", re.DOTALL | re.MULTILINE | re.IGNORECASE)
ACCOUNTED: dict[str, dict[str, list[str]]] = yaml.safe_load(
    Path(__file__).with_name("typed_numbers.yaml").read_text(encoding="utf-8")
)


def page_text(name: str) -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8") if name == "README" else text_of(name)


def phrase(words: str) -> re.Pattern[str]:
    """The words, whatever line they break on, and not as a part of a longer number."""
    return re.compile(r"(?<![\d.])" + r"\s+".join(map(re.escape, words.split())) + r"(?![\d]|\.\d)")


def phrases(name: str) -> list[str]:
    return [words for page in ("everywhere", name) for found in ACCOUNTED.get(page, {}).values() for words in found]


def typed(markdown: str, accounted: list[str]) -> list[str]:
    """The numbers of a page that look measured and were typed, each with its line."""
    text = BY_HAND.sub(lambda section: re.sub(r"[^\n]", " ", section[0]), prose(markdown))
    for words in accounted:
        text = phrase(words).sub(lambda found: re.sub(r"\S", " ", found[0]), text)
    shown = {float(number) for number in re.findall(r"(?<![\w.])\d+\.\d+", shown_code(markdown))}
    found = [match for match in LOOKS_MEASURED.finditer(text) if not is_shown(match[0], shown)]
    return [f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0]}" for match in found]


def is_shown(literal: str, shown: set[float]) -> bool:
    """Whether the same decimal stands in code or mathematics that the reader sees on the page."""
    return bool(re.fullmatch(r"\d+\.\d+", literal)) and float(literal) in shown


@pytest.mark.parametrize("name", [*PAGES, "README"])
def test_no_measurement_is_typed(name: str) -> None:
    assert typed(page_text(name), phrases(name)) == []


@pytest.mark.parametrize("name", ACCOUNTED)
def test_what_is_accounted_for_still_stands_there_and_has_a_reason(name: str) -> None:
    pages = [*PAGES, "README"] if name == "everywhere" else [name]
    text = "\n".join(prose(page_text(page)) for page in pages)
    for reason, found in ACCOUNTED[name].items():
        assert len(reason.split()) >= 2
        assert [words for words in found if not phrase(words).search(text)] == []


@pytest.mark.parametrize(
    "planted",
    ["It ends at 0.0030.", "It is right in 97 percent.", "It took 3 times as long.", "It gains 2 °C.", "About 10⁻⁴."],
)
def test_a_typed_measurement_is_found(planted: str) -> None:
    glued = "It ends at {glue:text}`error` after `0.1` and $0.2$.\n\n"
    assert typed(glued, []) == []
    assert len(typed(glued + planted, [])) == 1
    assert typed(f"```{{code-cell}} ipython3\n:  figure:\n:    caption: {planted}\nx = 0.3\n```", []) != []
    assert typed(glued + planted, [planted.rstrip(".")]) == []
