"""The class report: its numbers are right, it says who is missing, its links work, and it can name nobody."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from autograde import commands, exercises, gradebook, report
from autograde.grading.course import HOME, Course
from autograde.report import anonymous, book, findings, numbers, page, plots, spreadsheets, tables
from tests.grading.classes import CELLS, NAME, a_class, keep, record, score, verdict

STUDENTS = [f"{name}.{n}" for n, name in enumerate(["ada", "ben", "chloe", "dev", "eve", "finn"] * 5)]


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return Course(tmp_path)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A book as it lies after it was built, with one chapter."""
    html = tmp_path / "built book" / "html"
    (html / "chapters").mkdir(parents=True)
    (html / "chapters" / f"{NAME}.html").write_text("<h2 id='what-goes-wrong'>")
    return html


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- numbers ----------------------------------------------------------------------------------------------------------


def graded(table: list[dict[str, float | None]]) -> tuple[dict[str, dict], dict[str, dict]]:
    """Records and scores of a class from each student's points by cell."""
    records, scores = {}, {}
    for n, points in enumerate(table):
        made = {cell: {**verdict("rnn_step"), "passed": value == 4} for cell, value in points.items()}
        records[f"s{n}"] = record(f"s{n}", made)
        cells = {cell: {"score": value, "max_score": 4.0} for cell, value in points.items()}
        known = [value for value in points.values() if value is not None]
        scores[f"s{n}"] = {"score": sum(known), "max_score": 12.0, "waiting": 0, "late_penalty": 0.0, "cells": cells}
    return records, scores


def test_discrimination_is_the_correlation_with_the_points_for_all_others() -> None:
    figures = numbers.exercise_figures(
        *graded([{"a": 0, "b": 0}, {"a": 0, "b": 1}, {"a": 4, "b": 1}, {"a": 4, "b": 2}])
    )
    # by hand: deviations (-2, -2, 2, 2) and (-1, 0, 0, 1): 4 / sqrt(16 * 2)
    assert [f.discrimination for f in figures] == pytest.approx([0.5**0.5] * 2)
    assert [f.mean_share for f in figures] == [0.5, 0.25] and [f.full for f in figures] == [2, 0]
    alone = numbers.exercise_figures(*graded([{"a": 0}, {"a": 2}, {"a": 4}]))
    assert alone[0].discrimination is None, "with no other exercise there is nothing to correlate with"


def test_an_exercise_does_not_count_among_its_own_others() -> None:
    rng = np.random.default_rng(1)
    table = [{"a": float(rng.random()), "b": float(rng.random()), "c": 3 * float(rng.random())} for _ in range(2000)]
    assert all(abs(f.discrimination or 0) < 0.15 for f in numbers.exercise_figures(*graded(table)))


def test_what_does_not_vary_has_no_discrimination_whatever_its_rounding() -> None:
    table = [{"a": float(n), "b": b} for n, b in enumerate([0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2])]
    assert all(f.discrimination is None for f in numbers.exercise_figures(*graded(table)))


def test_the_interval_is_fishers() -> None:
    assert numbers.interval(0.5, 103) == pytest.approx((0.3393, 0.6325), abs=1e-3)
    assert numbers.interval(0.5, 3) is None
    low, high = numbers.interval(1.0, 10) or (0, 0)
    assert 0.99 < low <= high <= 1


def test_unreadable_files_and_unread_answers_count_neither_as_wrong_nor_as_others() -> None:
    records, scores = graded([{"a": 4, "w": 1.0}, {"a": 4, "w": None}, {"a": 0, "w": 2.0}, {"a": 0, "w": 0.0}])
    records["s3"]["fault"] = "the file is not text"
    a, w = numbers.exercise_figures(records, scores)
    assert (a.count, a.mean_share, a.discrimination) == (3, pytest.approx(2 / 3), None)
    assert (w.count, w.mean_share) == (2, pytest.approx(3 / 8))


def test_points_that_a_person_changed_are_the_ones_that_count() -> None:
    records, scores = graded([{"a": 0.0}, {"a": 0.0}, {"a": 0.0}])
    scores["s0"]["cells"]["a"]["score"] = 4.0
    assert numbers.exercise_figures(records, scores)[0].mean_share == pytest.approx(1 / 3)


def test_a_late_penalty_is_taken_off() -> None:
    assert numbers.total({"score": 10.0, "late_penalty": 3.0}) == 7
    assert numbers.total({"score": 2.0, "late_penalty": 3.0}) == 0
    assert numbers.total({"score": 2.0, "late_penalty": None}) == 2


def test_misconceptions_are_counted_the_most_frequent_first() -> None:
    often = {"rnn_step": verdict("rnn_step", 0.5, True), "RNNLayer": verdict("RNNLayer")}
    both = {"rnn_step": verdict("rnn_step", 0.5, True), "RNNLayer": verdict("RNNLayer", 0, True)}
    found = numbers.mistakes({"a": record("a", often), "b": record("b", both), "c": record("c", often)})
    assert [(m.exercise, m.name, m.count) for m in found] == [
        ("rnn_step", "transposed-recurrence", 3),
        ("RNNLayer", "one-bias", 1),
    ]
    assert (found[0].title, found[0].hint) == ("W_h is turned round", "Is it h @ W_h, or h @ W_h.T?")


def test_every_fault_has_its_kind_and_words() -> None:
    nothing = {"rnn_step": verdict("rnn_step", 0)}
    late = "this cell ran for more than 60 s"
    made = {
        "a": record("a", nothing, fault="no notebook was handed in"),
        "b": record("b", nothing, fault="the file is not text"),
        "c": record("c", nothing, ended="timeout", detail=f"{late} and could not be interrupted", limits_hit=[late]),
        "d": record("d", nothing, ended="dead", detail="it used more than 4096 MiB", stray_frames=2),
        "e": record("e", nothing, limits_hit=[late, late]),
        "f": record("f", nothing, unsafe=True),
        "g": record("g", nothing),
    }
    assert [(fault.student, fault.kind) for fault in numbers.faults(made)] == [
        ("a", "no notebook"),
        ("b", "the file could not be read"),
        ("c", "time was up"),
        ("d", "the notebook's process ended"),
        ("d", "forged messages"),
        ("e", "a limit was hit"),
        ("f", "graded without a sandbox"),
    ]
    assert [fault.words for fault in numbers.faults(made) if fault.student == "e"] == [late]


# --- who belongs to the class -----------------------------------------------------------------------------------------


def test_whoever_the_gradebook_knows_or_handed_in_anything_is_missed(course: Course) -> None:
    scores = a_class(course, STUDENTS[:5])
    course.folder("submitted", "elsewhere", "lstm").mkdir(parents=True)
    course.folder("submitted", ".ipynb_checkpoints", NAME).parent.mkdir(parents=True)
    course.folder("submitted", "tardy", NAME).mkdir(parents=True)
    found = findings.read(course, NAME, scores, False, ["nobody", STUDENTS[0]], book.Book())
    assert found.standing.missing == ["elsewhere", "nobody"] and found.standing.waiting == ["tardy"]
    html = page.html(found)
    assert "2 students: elsewhere, nobody." in html and "1 handed in and not graded yet: tardy." in html
    status = {row["student"]: row["status"] for row in rows(spreadsheets.students_csv(found))}
    assert status["nobody"] == "not handed in" and status["tardy"] == "not graded" and status["ada.0"] == "graded"


def test_the_gradebook_says_whom_it_knows_and_the_configuration_where_the_book_is(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # nbgrader calls alembic by name
    shutil.copy(HOME / "nbgrader_config.py", course.root)
    with gradebook.Gradebook(gradebook.database(course), "unrolled") as known:
        known.add_student("zoe", email="zoe@uni.edu", lms_user_id="17")
    assert gradebook.roster(course) == {"zoe": {"email": "zoe@uni.edu", "lms_user_id": "17"}}
    assert gradebook.book_url(course) == ""
    with (course.root / "nbgrader_config.py").open("a") as file:
        file.write('\nc.SandboxedSubmission.book_url = "https://book.example"\n')
    assert gradebook.book_url(course) == "https://book.example"


# --- links ------------------------------------------------------------------------------------------------------------


def test_a_link_leads_from_the_page_to_the_section_of_the_built_book(course: Course, built: Path) -> None:
    scores = a_class(course, STUDENTS)
    for place in (
        book.find("", "", course.root / "report", built),
        book.find(str(built), "https://elsewhere.example", course.root / "report"),
    ):
        written = report.write(course, NAME, scores, book=place)[0]
        links = set(re.findall(r"href='([^']+)'", written.read_text()))
        assert len(links) == 1
        path, _, section = links.pop().partition("#")
        assert section == "what-goes-wrong" and " " not in path
        assert (written.parent / path.replace("%20", " ")).resolve() == built / "chapters" / f"{NAME}.html"


@pytest.mark.parametrize(
    "address", ["https://b.example/course", "https://b.example/course/", "https://b.example/course/chapters"]
)
def test_a_link_leads_to_the_book_where_it_is_hosted(course: Course, address: str) -> None:
    found = book.find(address, "", course.root)
    assert found.link("lstm.html#what-goes-wrong") == "https://b.example/course/chapters/lstm.html#what-goes-wrong"
    assert book.find("", address, course.root) == found


def test_without_the_book_or_the_page_there_is_no_link(course: Course, built: Path) -> None:
    assert book.find("", "", course.root, built / "nothing").link(f"{NAME}.html") == ""
    assert book.find("", "", course.root, built).link("lstm.html#what-goes-wrong") == ""
    written = report.write(course, NAME, a_class(course, STUDENTS))[0].read_text()
    assert "href" not in written and "recurrent neurons: what goes wrong" in written


@pytest.mark.parametrize("given", ["javascript:alert(1)", "no/such/folder", "ftp://b.example", "data:text/html,x"])
def test_what_is_no_book_is_refused(course: Course, given: str) -> None:
    with pytest.raises(ValueError, match="no book at"):
        book.find(given, "", course.root)


def test_every_misconception_names_a_page_of_the_book() -> None:
    for name in exercises.names():
        for exercise in exercises.load(name).exercises:
            for mistake in exercise.misconceptions:
                path, _, section = mistake.link.partition("#")
                source = Path(__file__).parents[2] / "chapters" / f"{path.removesuffix('.html')}.md"
                assert source.exists() and section, mistake.link


# --- without names ----------------------------------------------------------------------------------------------------


def everything(course: Course, scores: dict, **more: object) -> str:
    return "".join(path.read_text() for path in report.write(course, NAME, scores, **more))  # type: ignore[arg-type]


def test_an_anonymous_report_holds_no_name_or_id_anywhere(course: Course) -> None:
    scores = a_class(course, STUDENTS)
    nothing = {cell: verdict(cell, 0) for cell in CELLS}
    for student, more in {
        "zelda.q": {"fault": "the file is called zelda_quist.ipynb and is not text"},
        "yorick.p": {"ended": "dead", "detail": "yorick.p: /home/yorick/work.py failed", "file": "yorick.ipynb"},
        "xena.o": {"limits_hit": ["xena's cell ran too long"], "unsafe": True},
    }.items():
        keep(course, record(student, nothing, **more))
        scores[student] = score(nothing)
    course.folder("submitted", "walter.n", NAME).mkdir(parents=True)
    people = ["zelda", "quist", "yorick", "xena", "walter", "victor", *(name.split(".")[0] + "." for name in STUDENTS)]
    told = everything(course, scores, anonymous=True, roster=["victor.m"])
    assert not [name for name in people if name in told]
    assert "the file could not be read" in told and "the notebook&#x27;s process ended" in told
    assert "1 handed in and not graded yet" in told and "1 student." in told
    assert [name for name in people if name in everything(course, scores, roster=["victor.m"])] == people


def test_the_order_of_an_anonymous_report_is_drawn_from_the_secret(course: Course) -> None:
    drawn = anonymous.aliases(b"one secret", NAME, STUDENTS)
    assert drawn == anonymous.aliases(b"one secret", NAME, reversed(STUDENTS))
    assert sorted(drawn.values()) == sorted(f"student {n}" for n in range(1, 31))
    for other in (
        anonymous.aliases(b"another", NAME, STUDENTS),
        anonymous.aliases(b"one secret", "lstm", STUDENTS),
        {student: f"student {n}" for n, student in enumerate(sorted(STUDENTS), 1)},
    ):
        assert sum(drawn[student] == other[student] for student in STUDENTS) < 8


def test_an_anonymous_report_lists_students_by_their_alias(course: Course) -> None:
    scores = a_class(course, STUDENTS)
    found = findings.read(course, NAME, scores, True, [], book.Book())
    listed = rows(spreadsheets.students_csv(found))
    assert [row["student"] for row in listed] == [f"student {n}" for n in range(1, 31)]
    for row in listed:
        student = next(s for s, alias in found.shown.items() if alias == row["student"])
        assert float(row["score"]) == pytest.approx(numbers.total(scores[student]), abs=0.006)
    names = re.findall(r"<tr><td>(student \d+)</td>", page.html(found).partition("<h2>Students</h2>")[2])
    assert names == [row["student"] for row in listed]


# --- the page and the tables ------------------------------------------------------------------------------------------


def test_the_page_says_how_the_scores_lie(course: Course) -> None:
    scores = {s: {**score({c: verdict(c) for c in CELLS}, 3.0), "score": 7.0 * n} for n, s in enumerate("abcde")}
    for student in scores:
        keep(course, record(student, {c: verdict(c) for c in CELLS}))
    html = report.write(course, NAME, scores)[0].read_text()
    assert "The median is 14 of 28 points, the mean 14. Half of the class lies between 7 and 21." in html
    assert "1 from 0%; 1 from 20%; 1 from 50%; 1 from 70%; 1 from 90%; median 50%" in html


def test_a_histogram_holds_every_score_once() -> None:
    drawn = plots.histogram([0, 0.1, 0.3 - 1e-17, 0.999, 1.0, 1.2, -0.1], 0.3)
    bars = [float(height) for height in re.findall(r"class='bar'[^>]*height='([\d.]+)'", drawn)]
    assert bars == [pytest.approx(160 * n / 3, abs=0.1) for n in (2, 1, 1, 3)]


def test_the_page_needs_no_network_and_runs_nothing(course: Course) -> None:
    scores = a_class(course, STUDENTS)
    evil = verdict("rnn_step", 0, True) | {
        "misconception": "evil",
        "message": "rnn_step: <img src=//x>. <script>alert(1)</script>",
    }
    keep(course, record("<i>eve</i>", {cell: verdict(cell) for cell in CELLS} | {"rnn_step": evil}))
    scores["<i>eve</i>"] = score({cell: verdict(cell) for cell in CELLS})
    html = report.write(course, NAME, scores, roster=["<u>bob</u>"])[0].read_text()
    assert not re.search(r"<(script|img|i|u|link|iframe)\b", html) and "default-src 'none'" in html
    assert "http://" not in html and "https://" not in html and "&lt;script&gt;" in html


def test_no_text_of_a_table_is_taken_for_a_formula(course: Course) -> None:
    for text in ("=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "\n=1", "＝1"):
        assert tables.guarded(text) == f"'{text}"
    assert [tables.guarded(value) for value in ("ada", -1.5, "", None)] == ["ada", -1.5, "", None]
    keep(course, record("=cmd|' /c calc'!A0", {cell: verdict(cell) for cell in CELLS}))
    scores = {"=cmd|' /c calc'!A0": score({cell: verdict(cell) for cell in CELLS})}
    cells = [
        cell for line in csv.reader(io.StringIO(report.write(course, NAME, scores)[1].read_text())) for cell in line
    ]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]


def test_the_tables_hold_what_the_page_holds(course: Course) -> None:
    scores = a_class(course, STUDENTS)
    files = {path.name: path.read_text() for path in report.write(course, NAME, scores)}
    assert list(files) == [f"{NAME}.{kind}" for kind in ("html", "csv", "exercises.csv", "misconceptions.csv")]
    students, listed, mistakes = (rows(text) for text in list(files.values())[1:])
    assert {row["student"] for row in students} == set(STUDENTS)
    assert [row["exercise"] for row in listed] == [*CELLS, "sharing_weights"]
    counts = [int(row["submissions"]) for row in mistakes]
    assert counts == sorted(counts, reverse=True) and counts[0] > 0
    reasons = [row["rnn_step reason"] for row in students]
    of = {row["exercise"]: int(row["submissions"]) for row in mistakes}
    assert reasons.count("transposed-recurrence") == of["rnn_step"]


def test_a_file_is_written_whole_and_never_through_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious.csv"
    precious.write_text("mine")
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "a.csv").symlink_to(precious)
    tables.write(tmp_path / "report" / "a.csv", "ours")
    assert precious.read_text() == "mine" and (tmp_path / "report" / "a.csv").read_text() == "ours"
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["a.csv"]


def test_the_command_passes_its_options_on(
    course: Course, built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    scores = a_class(course, STUDENTS)
    course.folder("autograded", STUDENTS[0], NAME).mkdir(parents=True)
    monkeypatch.setattr(gradebook, "scores", lambda course, name: scores)
    monkeypatch.setattr(gradebook, "roster", lambda course: {"zoe": {}})
    monkeypatch.setattr(gradebook, "book_url", lambda course: "")
    place = ["--course", str(course.root)]
    assert commands.main(["report", NAME, "--book", str(built), *place]) == 0
    html = (course.root / "report" / f"{NAME}.html").read_text()
    assert "1 student: zoe." in html and "what-goes-wrong'" in html
    assert commands.main(["report", NAME, "--anonymous", *place]) == 0
    assert "zoe" not in (course.root / "report" / f"{NAME}.html").read_text()
    assert commands.main(["report", NAME, "--book", "nowhere", *place]) == 1
    assert "no book at nowhere" in capsys.readouterr().err


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_can_be_read_on_a_phone_in_light_and_dark(course: Course, scheme: str) -> None:
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGUMENTS, BROWSERS

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium on the PATH; on Debian: apt-get install chromium")
    written = report.write(course, NAME, a_class(course, STUDENTS))[0]
    asked: list[str] = []
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        view = running.new_context(viewport={"width": 390, "height": 900}, color_scheme=scheme).new_page()  # type: ignore[arg-type]
        view.on("request", lambda request: asked.append(request.url))
        view.goto(written.as_uri())
        width = view.evaluate("document.documentElement.scrollWidth")
        letters = view.evaluate(
            "[...document.querySelectorAll('svg text')].map(text => 15 * text.getScreenCTM().a)"  # 15 of the drawing
        )
        bars = view.evaluate(
            "[...document.querySelectorAll('svg .bar, body')].map(e => getComputedStyle(e)).map(s => [s.fill, s.color])"
        )
        running.close()
    assert width <= 390 and min(letters) >= 11 and len(letters) > 20
    assert asked == [written.as_uri()]
    ground = (255, 255, 255) if scheme == "light" else (18, 18, 18)
    fills = {fill for fill, _ in bars[1:]}
    assert len(fills) == 1 and contrast(fills.pop(), ground) >= 3


def contrast(colour: str, ground: tuple[int, int, int]) -> float:
    """The contrast ratio of two colours (WCAG 2)."""

    def light(channels: tuple[int, ...]) -> float:
        linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    one, two = light(tuple(map(int, re.findall(r"\d+", colour)[:3]))), light(ground)
    return (max(one, two) + 0.05) / (min(one, two) + 0.05)
