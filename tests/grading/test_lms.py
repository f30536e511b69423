"""Scores in the files that Canvas and Moodle export: the right student gets them, and nothing else is lost."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from autograde import commands, gradebook
from autograde.grading.course import Course
from autograde.report import lms, sheet
from autograde.report.lms import Filled
from tests.grading.classes import CELLS, NAME, a_class, score, verdict

CANVAS = """\
Student,ID,SIS User ID,SIS Login ID,Section,Notes,Warm-up (11),Recurrent neurons (12),Warm-up Final Score,Final Score
,,,,,,,Manual Posting,,
    Points Possible,,,,,,10.00,28.00,(read only),(read only)
"Lovelace, Ada",501,S1,ada,RNN-1,"likes, commas",9.00,,90.00,90.00
"Turing, Ben",502,S2,ben@uni.edu,RNN-1 and RNN-2,,8.00,3.00,80.00,80.00
"Noether, Chloé",503,S3,CHLOE,RNN-1,,,EX,,
"Nobody, Nora",504,S4,nora,RNN-1,,7.00,5.00,70.00,70.00
"Student, Test",999,,0a1b2c,RNN-1,,,,,
"""
MOODLE = """\
First name,Last name,Username,ID number,Email address,Quiz: Warm-up (Real),Assignment: Recurrent neurons (Real),Last downloaded from this course
Ada,Lovelace,ada,S1,ada@uni.edu,9.00,-,1700000000
Ben,Turing,bt,S2,Ben@Uni.edu,8.00,3.00,1700000000
Nora,Nobody,nora,S4,nora@uni.edu,7.00,5.00,1700000000
"""  # noqa: E501
WORKSHEET = """\
Identifier,Full name,Email address,Status,Grade,Maximum grade,Grade can be changed,Last modified (grade),Feedback comments
Participant 17,Ada Lovelace,ada@uni.edu,Submitted for grading,,28.00,Yes,-,
Participant 18,Nora Nobody,nora@uni.edu,No submission,,28.00,Yes,-,"well, well"
"""  # noqa: E501


def all_right() -> dict:
    return score({cell: verdict(cell) for cell in CELLS}, written=3.0)


@pytest.fixture
def scores() -> dict[str, dict]:
    ben = score({cell: verdict(cell, 0.5) for cell in CELLS}, written=0.0, late=1.0)
    return {"ada": all_right(), "ben": ben, "chloe": all_right(), "dev": all_right()}


ROSTER = {"ada": {"email": "ada@uni.edu"}, "ben": {"email": "ben@uni.edu", "lms_user_id": None}, "nora": {}}


def fill(how, tmp_path: Path, text: str | bytes, scores: dict, column: str = "", roster: dict = ROSTER) -> Filled:
    export = tmp_path / "export.csv"
    export.write_bytes(text.encode() if isinstance(text, str) else text)
    return how(export, tmp_path / "report" / "filled.csv", NAME, scores, roster, column)


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


# --- Canvas -----------------------------------------------------------------------------------------------------------


def test_canvas_gets_its_own_identifying_columns_and_ours_and_nothing_else(tmp_path: Path, scores: dict) -> None:
    filled = fill(lms.canvas, tmp_path, CANVAS, scores)
    assert rows(filled.path) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Recurrent neurons (12)"],
        ["", "", "", "", "", "Manual Posting"],
        ["    Points Possible", "", "", "", "", "28.00"],
        ["Lovelace, Ada", "501", "S1", "ada", "RNN-1", "28"],
        ["Turing, Ben", "502", "S2", "ben@uni.edu", "RNN-1 and RNN-2", "11.5"],
        ["Noether, Chloé", "503", "S3", "CHLOE", "RNN-1", "EX"],
        ["Nobody, Nora", "504", "S4", "nora", "RNN-1", "5.00"],
        ["Student, Test", "999", "", "0a1b2c", "RNN-1", ""],
    ]
    assert (filled.count, filled.by) == (2, "SIS Login ID")
    assert filled.notes == [
        "chloe is excused there, and keeps that: the score here is 28",
        "not in the file: dev",
        "grades that differ and were replaced: 1",
    ]


def test_canvas_gets_a_new_column_with_its_points_where_there_is_none(tmp_path: Path, scores: dict) -> None:
    filled = fill(lms.canvas, tmp_path, CANVAS.replace("Recurrent neurons (12)", "LSTM (12)"), scores)
    table = rows(filled.path)
    assert table[0][-1] == NAME and table[2][-1] == "28" and table[3][-1] == "28" and table[6][-1] == ""
    assert any("will ask to make an assignment" in note for note in filled.notes)


def test_a_students_number_or_the_gradebooks_platform_id_matches_too(tmp_path: Path, scores: dict) -> None:
    by_number = {"S1": scores["ada"], "S2": scores["ben"], "S3": scores["dev"]}
    assert fill(lms.canvas, tmp_path, CANVAS, by_number).by == "SIS User ID"
    known = {"ada": {"lms_user_id": "501"}, "ben": {"lms_user_id": "502"}, "dev": {"lms_user_id": "504"}}
    of_three = {student: scores[student] for student in known}
    filled = fill(lms.canvas, tmp_path, CANVAS, of_three, roster=known)
    assert filled.by == "ID" and rows(filled.path)[6][-1] == "28"


def test_canvas_in_last_and_first_names_with_semicolons_and_decimal_commas(tmp_path: Path, scores: dict) -> None:
    text = (
        "LastName;FirstName;ID;SIS Login ID;Section;recurrent_neurons (3)\n    Points Possible;;;;;28,00\n"
        "Lovelace;Ada;501;ada;RNN-1;28,00\nTuring;Ben;502;ben;RNN-1;3,5\n"
    )
    filled = fill(lms.canvas, tmp_path, text, scores)
    assert [row[-1] for row in rows(filled.path)] == ["recurrent_neurons (3)", "28,00", "28", "11.5"]
    assert "grades that differ and were replaced: 1" in filled.notes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("Section", "Group"), "not a gradebook that Canvas exported"),
        (("Warm-up (11)", "recurrent_neurons (11)"), "several columns fit: recurrent_neurons \\(11\\), Recurrent"),
        ((",10.00,28.00,", ",10.00,(read only),"), "read only"),
        (("SIS User ID", "SIS Login ID"), "2 columns are called 'SIS Login ID'"),
    ],
)
def test_what_is_no_gradebook_of_canvas_is_refused(tmp_path: Path, scores: dict, change: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fill(lms.canvas, tmp_path, CANVAS.replace(*change), scores)
    assert not (tmp_path / "report").exists()


def test_a_column_that_is_named_is_taken_and_one_that_is_not_there_is_an_error(tmp_path: Path, scores: dict) -> None:
    assert fill(lms.canvas, tmp_path, CANVAS, scores, "Warm-up (11)").column == "Warm-up (11)"
    assert fill(lms.canvas, tmp_path, CANVAS, scores, "warm-up").column == "Warm-up (11)"
    with pytest.raises(ValueError, match="no column 'LSTM'.*Warm-up"):
        fill(lms.canvas, tmp_path, CANVAS, scores, "LSTM")


def test_other_points_there_than_here_are_said(tmp_path: Path, scores: dict) -> None:
    filled = fill(lms.canvas, tmp_path, CANVAS.replace("28.00", "100.00"), scores)
    assert "Canvas gives 100.00 points for it, and the gradebook here 28" in filled.notes


# --- Moodle -----------------------------------------------------------------------------------------------------------


def test_moodles_export_keeps_every_column_and_row(tmp_path: Path, scores: dict) -> None:
    filled = fill(lms.moodle, tmp_path, MOODLE, scores)
    expected = list(csv.reader(io.StringIO(MOODLE)))
    expected[1][6], expected[2][6] = "28", "11.5"
    assert rows(filled.path) == expected
    assert (filled.by, filled.column) == ("Email address", "Assignment: Recurrent neurons (Real)")
    assert filled.notes == ["not in the file: chloe, dev", "grades that differ and were replaced: 1"]


def test_a_new_column_for_moodle_says_no_grade_where_there_is_none(tmp_path: Path, scores: dict) -> None:
    filled = fill(lms.moodle, tmp_path, MOODLE.replace("Recurrent neurons", "LSTM"), scores)
    assert [row[-1] for row in rows(filled.path)] == [NAME, "28", "11.5", "-"]


def test_moodles_grading_worksheet_is_filled_in_place(tmp_path: Path, scores: dict) -> None:
    filled = fill(lms.moodle, tmp_path, WORKSHEET, scores)
    table = rows(filled.path)
    assert [row[4] for row in table] == ["Grade", "28", ""] and table[2][-1] == "well, well"
    high = fill(lms.moodle, tmp_path, WORKSHEET.replace("28.00", "10.00"), scores)
    assert any("maximum grade is another" in note for note in high.notes)


def test_moodle_in_another_language_is_matched_by_what_the_columns_hold(tmp_path: Path, scores: dict) -> None:
    text = (
        "Vorname;Nachname;Anmeldename;E-Mail-Adresse\nChloé;Noether;cn;x@uni.edu\n"
        "Ben;Turing;bt;ben@uni.edu\nA;L;al;ada@uni.edu\n"
    )
    filled = fill(lms.moodle, tmp_path, text, scores)
    assert filled.by == "E-Mail-Adresse" and [row[-1] for row in rows(filled.path)] == [NAME, "-", "11.5", "28"]


def test_a_score_above_a_hundred_is_said_for_moodle(tmp_path: Path, scores: dict) -> None:
    scores["ada"]["score"] = 120.0
    assert any("above 100" in note for note in fill(lms.moodle, tmp_path, MOODLE, scores).notes)


# --- both -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [lms.canvas, lms.moodle])
@pytest.mark.parametrize(
    ("encoding", "separator"),
    [("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t"), ("utf-16-le", "\t"), ("utf-16-be", ","), ("cp1252", ";")],
)
def test_any_encoding_and_separator_gives_the_same_file(
    tmp_path: Path, scores: dict, how, encoding: str, separator: str
) -> None:
    text = {lms.canvas: CANVAS, lms.moodle: MOODLE.replace("Nora", "Norá")}[how]
    file = io.StringIO()
    csv.writer(file, delimiter=separator).writerows(csv.reader(io.StringIO(text)))
    plain = fill(how, tmp_path, text, scores)
    expected = plain.path.read_bytes()
    other = fill(how, tmp_path, file.getvalue().encode(encoding), scores)
    assert other.path.read_bytes() == expected
    guessed = [note for note in other.notes if "Windows-1252" in note]
    assert len(guessed) == (encoding == "cp1252")


def test_a_line_for_spreadsheet_programs_is_passed_over(tmp_path: Path, scores: dict) -> None:
    text = "sep=;\r\n" + MOODLE.replace(",", ";").replace("\n", "\r\n") + "\r\n;;;;;;;\r\n"
    assert fill(lms.moodle, tmp_path, text, scores).count == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04...", "is a spreadsheet, not CSV"),
        (b"just one column\nada\n", "one column only"),
        (b"Student,ID,SIS Login ID,Section\n", "no rows"),
        (b"Student,ID,SIS Login ID,Section\nLovelace, Ada,1,ada,RNN-1\n", "row 2 has 5 fields, and the header 4"),
        (b"Student,ID,SIS Login ID,Section\nX,1,someone,RNN-1\n", "no row is a student with a score.*'someone'"),
        (b"Student,ID,SIS Login ID,Section\nX,1,a\0da,RNN-1\n", "CSV|no row is a student"),
        (b"Student,ID,SIS Login ID,Section\n" + b"x" * 200_000, "field larger"),
    ],
    ids=["empty", "spreadsheet", "one column", "no rows", "more fields", "nobody", "a zero byte", "a long field"],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, scores: dict, data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fill(lms.canvas, tmp_path, data, scores)
    assert not (tmp_path / "report").exists()
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        lms.canvas(tmp_path / "nothing.csv", tmp_path / "out.csv", NAME, scores, {})


def test_a_student_in_two_rows_gets_none_filled_and_both_kept(tmp_path: Path, scores: dict) -> None:
    filled = fill(lms.moodle, tmp_path, MOODLE + "Ada,Again,ada2,S9,ada@uni.edu,1.00,2.00,1700000000\n", scores)
    assert "ada is in 2 rows (2, 5); none was filled" in filled.notes
    assert [row[6] for row in rows(filled.path)[1:]] == ["-", "11.5", "5.00", "2.00"]


def test_a_row_that_fits_two_students_fits_none(tmp_path: Path, scores: dict) -> None:
    two = {"ADA": scores["ada"], "aDa": scores["ben"], "ben": scores["ben"]}
    filled = fill(lms.canvas, tmp_path, CANVAS, two, roster={})
    assert rows(filled.path)[3][-1] == "" and "not in the file: ADA, aDa" in filled.notes
    exact = {"ADA": scores["ben"], "ada": scores["ada"]}
    assert rows(fill(lms.canvas, tmp_path, CANVAS, exact, roster={}).path)[3][-1] == "28"


def test_answers_that_nobody_has_read_yet_are_said(tmp_path: Path, scores: dict) -> None:
    scores["ada"] = score({cell: verdict(cell) for cell in CELLS})
    assert any("nobody has read yet: 1" in note for note in fill(lms.canvas, tmp_path, CANVAS, scores).notes)


def test_the_instructors_own_file_is_never_written(tmp_path: Path, scores: dict) -> None:
    export, out = tmp_path / "export.csv", tmp_path / "report" / "lstm.canvas.csv"
    export.write_text(CANVAS)
    out.parent.mkdir()
    for make in (out.symlink_to, out.hardlink_to):
        make(export)
        with pytest.raises(ValueError, match="export again, to another place"):
            lms.canvas(export, out, NAME, scores, ROSTER)
        out.unlink()
    out.write_text(CANVAS)
    with pytest.raises(ValueError, match="export again, to another place"):
        lms.canvas(out, out, NAME, scores, ROSTER)
    other = tmp_path / "other.csv"
    other.write_text("mine")
    out.unlink()
    out.symlink_to(other)
    lms.canvas(export, out, NAME, scores, ROSTER)
    assert export.read_text() == CANVAS and other.read_text() == "mine" and not out.is_symlink()


def test_fields_that_look_like_numbers_go_back_as_they_came(tmp_path: Path, scores: dict) -> None:
    text = "Student,ID,SIS Login ID,Section\nX,0012,ada,=A1\nY,1e5,007,-\n"
    assert [row[:4] for row in rows(fill(lms.canvas, tmp_path, text, scores).path)][1:] == [
        ["X", "0012", "ada", "=A1"],
        ["Y", "1e5", "007", "-"],
    ]
    assert sheet.decoded("é".encode("cp1252"))[0] == "é"


def test_the_command_fills_one_assignment_and_says_what_to_look_at(
    tmp_path: Path, scores: dict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    course = Course(tmp_path / "course")
    a_class(course, list(scores))
    for name in (NAME, "lstm"):
        course.folder("autograded", "ada", name).mkdir(parents=True)
    monkeypatch.setattr(gradebook, "scores", lambda course, name: scores)
    monkeypatch.setattr(gradebook, "roster", lambda course: ROSTER)
    monkeypatch.setattr(gradebook, "book_url", lambda course: "")
    for name, text in (("c.csv", CANVAS), ("m.csv", MOODLE)):
        (tmp_path / name).write_text(text)
    files = ["--canvas", str(tmp_path / "c.csv"), "--moodle", str(tmp_path / "m.csv"), "--course", str(course.root)]
    assert commands.main(["report", NAME, *files]) == 0
    told = capsys.readouterr()
    assert "2 scores in column 'Recurrent neurons (12)', matched by 'SIS Login ID'" in told.out
    assert "look: not in the file: dev" in told.err
    assert {path.name for path in (course.root / "report").glob(f"{NAME}.*oodle.csv")} == {f"{NAME}.moodle.csv"}
    assert commands.main(["report", *files]) == 1
    assert "one assignment at a time" in capsys.readouterr().err
    (tmp_path / "c.csv").write_text("nonsense")
    assert commands.main(["report", NAME, *files]) == 1
    assert "Traceback" not in capsys.readouterr().err
