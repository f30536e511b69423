"""An instructor in formgrader: generate, autograde, grade an answer by hand, make feedback, read it."""

from __future__ import annotations

import contextlib

import pytest
from playwright.sync_api import Locator, Page, TimeoutError

from autograde import gradebook
from tests.browser.conftest import WAIT_MS, Lab
from tests.grading.notebooks import ASSIGNMENT, hand_in, solved, with_answer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("instructor"),
]
TURNED = "def rnn_step(x_t, h_prev, W_x, W_h, b):\n    return np.tanh(x_t @ W_x + h_prev @ W_h.T + b)"
DEADLY = "def rnn_step(x_t, h_prev, W_x, W_h, b):\n    import os\n    os._exit(0)"


def row(page: Page, words: str) -> Locator:
    return shown(page, page.locator("tbody tr", has_text=words))


def shown(page: Page, found: Locator) -> Locator:
    """Wait for what formgrader's page loads after itself; on a busy machine it may need to be asked again."""
    for _ in range(3):
        with contextlib.suppress(TimeoutError):
            found.wait_for(timeout=WAIT_MS / 3)
            return found
        page.reload()
    found.wait_for()
    return found


def succeeds(page: Page) -> None:
    """Wait until the dialog of a command says how it ended."""
    dialog = page.locator(".modal-dialog:visible")
    dialog.get_by_text("Log Output").first.wait_for()
    assert dialog.inner_text().split()[1] == "Success", dialog.inner_text()[-3000:]


def test_generate_makes_the_release_with_kit_and_checks(lab: Lab, page: Page) -> None:
    notebook = lab.course.release_notebook(ASSIGNMENT)
    before = notebook.stat().st_mtime_ns
    page.goto(f"{lab.address}/formgrader/manage_assignments")
    row(page, ASSIGNMENT).locator("td.assign a").click()
    succeeds(page)
    assert notebook.stat().st_mtime_ns > before
    assert (notebook.parent / "kit" / "checks" / "rnn_step.plain").is_file()
    assert "BEGIN SOLUTION" not in notebook.read_text()


def test_autograde_gives_each_student_the_score_that_belongs_to_it(lab: Lab, page: Page) -> None:
    hand_in(lab.course, "ada", solved(lab.course))
    hand_in(lab.course, "bob", with_answer(lab.course, "rnn_step", TURNED))
    hand_in(lab.course, "eve", with_answer(lab.course, "rnn_step", DEADLY))
    for student, score in (("ada", "27 / 30"), ("bob", "22.5 / 30"), ("eve", "3 / 30")):
        page.goto(f"{lab.address}/formgrader/manage_submissions/{ASSIGNMENT}")
        row(page, student).locator("td.autograde a").click()
        succeeds(page)
        page.goto(f"{lab.address}/formgrader/manage_submissions/{ASSIGNMENT}")
        assert row(page, student).locator("td.score").inner_text() == score
        assert "needs manual grading" in row(page, student).inner_text()


def test_a_written_answer_is_graded_by_hand(lab: Lab, page: Page) -> None:
    page.goto(f"{lab.address}/formgrader/gradebook/{ASSIGNMENT}/{ASSIGNMENT}")
    shown(page, page.locator("tbody td.code-score", has_text="22.5 / 27"))
    bob = page.locator("tbody tr", has_text="22.5 / 27").locator("a:visible")
    page.goto(lab.address + str(bob.get_attribute("href")))
    score = page.locator("input.score#sharing_weights")
    score.wait_for()
    assert "W_h is turned round" in page.content(), "the formgrader page names the mistake"
    score.fill("2")
    with page.expect_response(lambda response: "/api/grade/" in response.url and response.request.method == "PUT"):
        score.press("Tab")
    comment = page.locator("textarea.comment").last
    comment.fill("Well argued.")
    with page.expect_response(lambda response: "/api/comment/" in response.url and response.request.method == "PUT"):
        comment.blur()
    page.goto(f"{lab.address}/formgrader/manage_submissions/{ASSIGNMENT}")
    assert row(page, "bob").locator("td.score").inner_text() == "24.5 / 30"
    assert gradebook.scores(lab.course, ASSIGNMENT)["bob"]["waiting"] == 0


def test_feedback_shows_the_score_the_hint_and_the_comment(lab: Lab, page: Page) -> None:
    page.goto(f"{lab.address}/formgrader/manage_submissions/{ASSIGNMENT}")
    row(page, "bob").locator("td.generate-feedback a").click()
    succeeds(page)
    feedback = lab.course.folder("feedback", "bob", ASSIGNMENT) / f"{ASSIGNMENT}.html"
    page.goto(feedback.as_uri(), wait_until="domcontentloaded")
    words = page.inner_text("body")
    assert "24.5 / 30" in words.replace("(Score: ", "") and "Well argued." in words
    assert "W_h is turned round" in words and "which axis of W_h belongs to the old neurons?" in words


def test_grading_again_keeps_what_a_person_gave(lab: Lab, page: Page) -> None:
    page.goto(f"{lab.address}/formgrader/manage_submissions/{ASSIGNMENT}")
    row(page, "bob").locator("td.autograde a").click()
    succeeds(page)
    page.goto(f"{lab.address}/formgrader/manage_submissions/{ASSIGNMENT}")
    assert row(page, "bob").locator("td.score").inner_text() == "24.5 / 30"
