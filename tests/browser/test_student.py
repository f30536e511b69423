"""A student in JupyterLab: opens a release, writes a wrong and then a right answer, runs it, presses Validate."""

from __future__ import annotations

import contextlib
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import WAIT_MS, Lab
from tests.grading.notebooks import ASSIGNMENT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("student"),
]
NEURON = "neuron_step = lambda x_t, y_prev, w_x, w_y, b: np.tanh(x_t @ w_x + w_y * y_prev + b)"
STEP = "rnn_step = lambda x_t, h_prev, W_x, W_h, b: np.tanh(x_t @ W_x + h_prev @ {} + b)"


@pytest.fixture(scope="module")
def notebook(lab: Lab, page: Page) -> Page:
    page.goto(f"{lab.address}/lab/tree/release/{ASSIGNMENT}/{ASSIGNMENT}.ipynb?reset")
    cell(page, 'check("rnn_step"').wait_for()
    page.get_by_text("Idle").first.wait_for(state="attached")
    return page


def cell(page: Page, words: str) -> Locator:
    return page.locator(".jp-CodeCell", has_text=words).first


def write(page: Page, words: str, source: str) -> None:
    """Put ``source`` in the place of what stands in the cell that holds ``words``."""
    cell(page, words).locator(".cm-content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(source)


def run(page: Page, words: str) -> Locator:
    """Run a cell, and wait until it has a number. On a busy machine the keys may come before the kernel is there."""
    prompt = cell(page, words).locator(".jp-InputPrompt")  # looked up each time: JupyterLab may draw the cell anew
    for last in (False, False, True):
        cell(page, words).locator(".cm-content").click()
        page.keyboard.press("Control+Enter")
        with contextlib.suppress(*([] if last else [AssertionError])):
            expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=WAIT_MS / 3)
            break
    return cell(page, words).locator(".jp-OutputArea-output")


def test_a_wrong_answer_is_met_with_a_hint_and_no_traceback(notebook: Page) -> None:
    run(notebook, "import numpy as np")
    write(notebook, "def rnn_step", STEP.format("W_h.T"))
    run(notebook, "rnn_step = lambda")
    words = run(notebook, 'check("rnn_step"').inner_text()
    assert "rnn_step: W_h is turned round." in words and "belongs to the old neurons?" in words
    assert "Traceback" not in words and "checking.py" not in words


def test_a_right_answer_is_told_so(notebook: Page) -> None:
    write(notebook, "def neuron_step", NEURON)
    run(notebook, "neuron_step = lambda")
    assert "neuron_step is right on every visible case" in run(notebook, 'check("neuron_step"').inner_text()


def test_validate_says_the_same_as_check(notebook: Page) -> None:
    """Validate saves by itself; a save of ours beside it would make JupyterLab ask which of the two is to stay."""
    notebook.get_by_role("button", name="Validate").or_(notebook.get_by_text("Validate", exact=True)).first.click()
    dialog = notebook.locator(".jp-Dialog")
    dialog.get_by_text("The following").or_(dialog.get_by_text("VALIDATION")).first.wait_for()
    words = dialog.inner_text()
    assert "W_h is turned round" in words and "It is not written yet" in words
    assert "neuron_step is right" not in words
