"""The claims ledger: all 25, each with a verdict, a number and its chapter, and the verdicts are the chapters' own."""

from __future__ import annotations

import re

import pytest

from tests.book.test_pages import text_of

VERDICT = re.compile(r"\*(holds|holds with a caveat|not in our measurements)\*")
ROWS = {row[2:5]: row for row in text_of("claims").splitlines() if re.match(r"\| C\d\d \|", row)}
DEFINITIONS = ("C06",)  # what is a definition has no number


def test_the_ledger_holds_all_claims_in_order() -> None:
    assert list(ROWS) == [f"C{number:02}" for number in range(1, 26)]


@pytest.mark.parametrize("name", ROWS)
def test_a_claim_has_a_verdict_a_measured_number_and_its_chapter(name: str) -> None:
    row = ROWS[name]
    assert VERDICT.search(row)
    assert name in DEFINITIONS or "{glue:text}" in row
    (page,) = re.findall(r"\]\((\w+)\.md#what-was-claimed-and-what-we-measured\)", row)
    assert all(source == page for source in re.findall(r"glue:text\}`(\w+)\.md::", row))


@pytest.mark.parametrize("name", ROWS)
def test_a_verdict_of_the_ledger_stands_in_its_chapter_too(name: str) -> None:
    page = re.findall(r"\]\((\w+)\.md#", ROWS[name])[0]
    section = text_of(page).partition("## What was claimed, and what we measured")[2].partition("\n## ")[0]
    said = {" ".join(words.lower().split()).strip(",.") for words in re.findall(r"\*([^*]{5,40}?)\*", section)}
    said = {words.replace("holds, with a caveat", "holds with a caveat") for words in said}
    for verdict in VERDICT.findall(ROWS[name]):
        assert verdict in said, (verdict, said)
