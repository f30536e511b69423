"""Measurements that a page says in words hold in the results behind them, so that new results ask for new words."""

from __future__ import annotations

import importlib
import pkgutil
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from solutions.experiments.results import load
from tests.book import words
from tests.book.test_pages import text_of

Result = Callable[[str], Any]
CHECKS = [
    pytest.param(page.name, said, holds, id=f"{page.name}: {said}")
    for page in pkgutil.iter_modules(words.__path__)
    for said, holds in importlib.import_module(f"{words.__name__}.{page.name}").SAID.items()
]


def result(name: str) -> Any:
    return load(name)["results"]


def with_numbers(value: Any, number: Callable[[], float]) -> Any:
    """A result of the same form with other numbers in it."""
    if isinstance(value, dict):
        return {key: with_numbers(item, number) for key, item in value.items()}
    if isinstance(value, list):
        return [with_numbers(item, number) for item in value]
    return number() if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def passes(holds: Callable[[Result], bool], given: Result) -> bool:
    try:
        return bool(holds(given))
    except (ArithmeticError, ValueError, IndexError, KeyError, TypeError):
        return False


@pytest.mark.parametrize(("page", "said", "holds"), CHECKS)
def test_the_page_says_it(page: str, said: str, holds: Callable[[Result], bool]) -> None:
    assert " ".join(said.split()) in re.sub(r"\s+", " ", text_of(page))


@pytest.mark.parametrize(("page", "said", "holds"), CHECKS)
def test_the_numbers_bear_it_out(page: str, said: str, holds: Callable[[Result], bool]) -> None:
    assert holds(result)


@pytest.mark.parametrize(("page", "said", "holds"), CHECKS)
def test_other_numbers_would_not(page: str, said: str, holds: Callable[[Result], bool]) -> None:
    """A check that passes for zeros and for any random numbers checks nothing."""
    chance = random.Random(said)
    others = [lambda name: with_numbers(result(name), lambda: 0.0)]
    others += [lambda name: with_numbers(result(name), lambda: chance.uniform(-9, 9))] * 5
    assert not all(passes(holds, other) for other in others)
