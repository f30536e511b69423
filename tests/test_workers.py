"""With several workers, what belongs together is run by one: else every one of them would release, serve and grade.

pytest-xdist marks a test's group in its id. pytest 9.2 ignores the mark, which nothing else would tell.
"""

from __future__ import annotations

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="one worker runs them all")
def test_a_files_tests_are_one_group(request: pytest.FixtureRequest) -> None:
    assert request.node.nodeid.endswith("@tests/test_workers.py")
