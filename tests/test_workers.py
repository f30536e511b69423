"""With several workers, what belongs together is run by one, and what travels between them is small.

Else every one of them would release, serve and grade. pytest-xdist marks a test's group in its id. pytest 9.2 ignores
the mark, which nothing else would tell. And an id travels with each of its test's reports, which are all kept.
"""

from __future__ import annotations

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one worker runs them all")
def test_a_files_tests_are_one_group(request: pytest.FixtureRequest) -> None:
    assert request.node.nodeid.endswith("@tests/test_workers.py")


def test_no_id_holds_a_value(request: pytest.FixtureRequest) -> None:
    """Bytes without an id of their own become one: a file of 256 MiB once did, and the tests needed gigabytes."""
    assert max(len(item.nodeid) for item in request.session.items) < 300
