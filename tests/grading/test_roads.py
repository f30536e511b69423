"""From release to feedback by every road: our command with one worker and two, stock nbgrader, and a regrade.

One small class is graded by all of them; the tests below look at what came out.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import shutil
import sqlite3
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell

from autograde import commands, exercises, gradebook
from autograde.grading import attempts
from autograde.grading.course import Course
from autograde.grading.questions import question
from autograde.grading.seeds import cell_seed, course_secret
from autograde.sample_class import hostile, replaced
from tests.grading.notebooks import ASSIGNMENT, hand_in, light, nbgrader, release, solved, with_answer

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

TRANSPOSED = "def rnn_step(x_t, h_prev, W_x, W_h, b):\n    return np.tanh(x_t @ W_x + h_prev @ W_h.T + b)"
LATE = "def neuron_step(x_t, y_prev, w_x, w_y, b):\n    return np.tanh(x_t @ w_x + w_y * y_prev + b)"
SCORES = {
    "blank": 0,
    "broken": 0,
    "defined-later": 27,
    "killer": 0,
    "linked": 27,
    "misled": 22.5,
    "nothing-in-it": 0,
    "renamed": 27,
    "right": 27,
    "warns": 27,
}


def hand_in_everything(course: Course) -> None:
    right, blank = light(solved(course)), course.read_release(ASSIGNMENT)
    hand_in(course, "right", right)
    hand_in(course, "blank", blank)
    hand_in(course, "misled", with_answer(course, "rnn_step", TRANSPOSED))
    hand_in(course, "broken", nbformat.writes(right)[:3000])
    hand_in(course, "renamed", right, name="homework (1)")
    hand_in(course, "killer", replaced(blank, "neuron_step", hostile("neuron_step")["kills-its-kernel"]))
    later = replaced(right, "neuron_step", "raise NotImplementedError")
    later.cells.append(new_code_cell(LATE))
    hand_in(course, "defined-later", later)
    warns = nbformat.from_dict(json.loads(nbformat.writes(right)))
    warns.cells.insert(2, new_code_cell("import sys\nprint('careful', file=sys.stderr)"))
    hand_in(course, "warns", warns)
    hand_in(course, "linked", right)
    (course.folder("submitted", "linked", ASSIGNMENT) / "secret.txt").symlink_to(course.root / "gradebook.db")
    course.folder("submitted", "nothing-in-it", ASSIGNMENT).mkdir(parents=True)


def grade(course: Course, *arguments: str) -> int:
    return commands.main(["grade", ASSIGNMENT, "--course", str(course.root), "--cell-seconds", "30", *arguments])


def scores(course: Course) -> dict[str, float]:
    return {student: score["score"] for student, score in gradebook.scores(course, ASSIGNMENT).items()}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The class, graded by our command with two workers, with feedback and a report."""
    made = release(Course(tmp_path_factory.mktemp("course")))
    hand_in_everything(made)
    shutil.copytree(made.root, made.root.parent / "stock", symlinks=True)
    assert grade(made, "--workers", "2") == 0
    assert commands.main(["feedback", ASSIGNMENT, "--course", str(made.root)]) == 0
    assert commands.main(["report", ASSIGNMENT, "--course", str(made.root)]) == 0
    return made


def test_every_submission_has_its_exact_score(course: Course) -> None:
    assert scores(course) == SCORES


def test_a_regrade_with_one_worker_gives_the_same_points_for_every_cell(course: Course) -> None:
    before = {student: attempts.read(course, student, ASSIGNMENT) for student in SCORES}
    assert grade(course, "--workers", "1", "--regrade") == 0
    assert scores(course) == SCORES
    for student, record in before.items():
        again = attempts.read(course, student, ASSIGNMENT)
        assert record is not None and again is not None
        assert again["seeds"] == record["seeds"] and again["verdicts"] == record["verdicts"], student


def test_stock_nbgrader_gives_the_same_scores_feedback_and_export(course: Course) -> None:
    stock = Course(course.root.parent / "stock")
    shutil.copy(course.secret, stock.secret)
    # nbgrader itself passes over a folder that holds no notebook; our command gives it one to record.
    shutil.rmtree(stock.folder("submitted", "nothing-in-it", ASSIGNMENT))
    run = nbgrader(stock, "autograde", ASSIGNMENT)
    assert run.returncode == 0, run.stderr[-2000:]
    expected = {student: score for student, score in SCORES.items() if student != "nothing-in-it"}
    assert scores(stock) == expected
    assert nbgrader(stock, "generate_feedback", ASSIGNMENT).returncode == 0
    assert nbgrader(stock, "export").returncode == 0
    with (stock.root / "grades.csv").open() as file:
        exported = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert exported == expected
    feedback = list(stock.root.glob("feedback/*/*/*.html"))
    assert len(feedback) == len(expected)


def test_what_has_not_changed_is_not_graded_again(course: Course, capsys: pytest.CaptureFixture) -> None:
    assert grade(course) == 0
    assert f"{len(SCORES)} unchanged" in capsys.readouterr().out


def test_a_newer_submission_is_graded_anew(course: Course) -> None:
    path = course.folder("submitted", "blank", ASSIGNMENT) / f"{ASSIGNMENT}.ipynb"
    kept = path.read_text()
    try:
        hand_in(course, "blank", replaced(course.read_release(ASSIGNMENT), "neuron_step", LATE))
        assert grade(course) == 0
        assert scores(course)["blank"] == 3
    finally:
        path.write_text(kept)
        assert grade(course) == 0
    assert scores(course) == SCORES


def test_the_release_and_the_feedback_hold_nothing_hidden(course: Course) -> None:
    """No hidden input or expected value, no reference source, no solution, no mark scheme."""
    secret = course_secret(course.secret)
    files = [p for step in ("release", "feedback") for p in course.root.glob(f"{step}/**/*") if p.is_file()]
    contents = {path: path.read_bytes() for path in files}
    assert len(contents) > len(SCORES)
    # nbconvert's style sheets are full of numbers of five places: they are no words of ours.
    words = {path: re.sub(rb"<style.*?</style>", b"", content, flags=re.DOTALL) for path, content in contents.items()}
    for student in SCORES:
        record = attempts.read(course, student, ASSIGNMENT)
        assert record is not None
        for exercise in exercises.load(ASSIGNMENT).exercises:
            seed = cell_seed(secret, ASSIGNMENT, student, exercise.name, record["attempt"])
            assert record["seeds"][exercise.name] == str(seed)
            hidden = question(exercise, np.random.default_rng(seed))
            for case in hidden["cases"]:
                for value in case["expected"].values():
                    if value.dtype.kind != "f" or value.size < 2 or not np.ptp(value):
                        continue
                    shown = [f"{number:.5f}".encode() for number in value.flat if abs(number) > 1e-3]
                    for path, content in contents.items():
                        assert value.tobytes() not in content, path
                        if path.suffix == ".html":
                            assert not any(number in words[path] for number in shown), path
    for path, content in contents.items():
        assert b"BEGIN SOLUTION" not in content and b"MARK SCHEME" not in content, path
        assert b"solutions.with_numpy" not in content and secret.hex().encode() not in content, path
        if "release" in path.parts:
            assert b"np.tanh(x_t @ W_x" not in content, path


def test_a_link_out_of_a_submission_is_set_aside_and_reaches_nobody(course: Course) -> None:
    copies = [path for path in course.root.rglob("secret.txt") if not path.is_symlink()]
    assert not copies
    assert (course.root / "set-aside/linked" / ASSIGNMENT / "secret.txt").is_symlink()


def test_feedback_names_the_mistake_and_the_points(course: Course) -> None:
    page = (course.folder("feedback", "misled", ASSIGNMENT) / f"{ASSIGNMENT}.html").read_text()
    assert "W_h is turned round" in page and "1.5 of 6 points" in page
    assert "24.0 / 30.0" not in page
    assert "&lt;div&gt;" not in page, "our own words are shown as HTML"


def test_reasons_are_recorded(course: Course) -> None:
    found = {student: attempts.read(course, student, ASSIGNMENT) for student in SCORES}
    verdicts = {student: record["verdicts"] for student, record in found.items() if record}
    assert verdicts["misled"]["rnn_step"]["misconception"] == "transposed-recurrence"
    assert {v["reason"] for v in verdicts["blank"].values()} <= {"stub", "missing"}
    assert {v["reason"] for v in verdicts["broken"].values()} == {"unreadable"}
    assert {v["reason"] for v in verdicts["killer"].values()} == {"dead"}
    assert found["killer"]["ended"] == "dead"  # type: ignore[index]
    assert "homework (1)" in attempts.explain(found["renamed"]) or found["renamed"]["file"] == ""  # type: ignore[arg-type,index]


def test_explain_says_why(course: Course, capsys: pytest.CaptureFixture) -> None:
    assert commands.main(["explain", "misled", ASSIGNMENT, "--course", str(course.root)]) == 0
    words = capsys.readouterr().out
    assert "rnn_step: 1.5 of 6 [misconception]" in words and "22.5 of 27 points" in words


def test_the_report_counts_the_class(course: Course) -> None:
    page = (course.root / "report" / f"{ASSIGNMENT}.html").read_text()
    assert "W_h is turned round" in page and f"{len(SCORES)} submissions" in page
    assert "http://" not in page and "https://" not in page and "<script" not in page
    with (course.root / "report" / f"{ASSIGNMENT}.csv").open() as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert {student: float(row["score"]) for student, row in rows.items()} == SCORES
    assert rows["misled"]["rnn_step reason"] == "transposed-recurrence"


def test_commands_say_what_is_wrong_and_fail(course: Course, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    place = ["--course", str(course.root)]
    for arguments, words in [
        (["release", "nothing", *place], "no assignment is called 'nothing'"),
        (["grade", ASSIGNMENT, "--student", "nobody", *place], "nobody handed in nothing"),
        (["grade", ASSIGNMENT, "--workers", "0", *place], "expected a whole number above 0"),
        (["explain", "nobody", ASSIGNMENT, *place], "no graded attempt"),
        (["grade", "--course", str(tmp_path)], "nothing was handed in"),
        (["release", "--course", str(tmp_path)], "not a course"),
        (["feedback", "--course", str(tmp_path)], "nothing is graded yet"),
        (["report", "--course", str(tmp_path)], "nothing is graded yet"),
    ]:
        assert commands.main(arguments) == 1, arguments
        told = capsys.readouterr().err
        assert words in told and "Traceback" not in told


def test_the_doctor_is_content_here(course: Course, capsys: pytest.CaptureFixture) -> None:
    assert commands.main(["doctor", "--course", str(course.root)]) == 0
    words = capsys.readouterr().out
    assert "the network cannot be reached" in words and "NOT READY" not in words


def test_why_nbgrader_gave_up_is_said_and_the_environment_does_not_grow(tmp_path: Path) -> None:
    course = release(Course(tmp_path))
    hand_in(course, "right", light(solved(course)))
    (course.root / "gradebook.db").unlink()  # as when `db_url` names a new database
    for _ in range(2):
        with pytest.raises(gradebook.NotRecorded, match=f"No assignment with ID '{ASSIGNMENT}' exists"):
            gradebook.record(course, ASSIGNMENT, "right", {})
    places = os.environ["PATH"].split(os.pathsep)
    assert places.count(str(Path(sys.executable).parent)) <= 2


def test_a_gradebook_is_not_read_from_end_to_end_for_each_record(tmp_path: Path) -> None:
    course = release(Course(tmp_path))
    for _ in range(2):
        gradebook.make_indices(course)
    looked_up = {
        "submitted_assignment": "student_id",
        "submitted_notebook": "assignment_id",
        "grade": "notebook_id",
        "comment": "notebook_id",
    }
    with contextlib.closing(sqlite3.connect(course.root / "gradebook.db")) as book:
        for table, column in looked_up.items():
            plan = book.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {column} = 'x'").fetchall()
            assert "USING INDEX" in plan[0][-1], plan
