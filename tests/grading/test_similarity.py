"""Pairs that are alike: copies come first, what everybody writes is no likeness, and no text hangs the comparison."""

from __future__ import annotations

import csv
import io
import json
import random
import time
from pathlib import Path

import nbformat
import pytest

from autograde import commands, sample_class
from autograde.grading.course import Course
from autograde.report import pairs, similarity
from autograde.report.similarity import LEAST, Cell, Comparison, compare
from autograde.report.words_of_code import MOST_TEXT, MOST_WORDS, words
from tests.grading.authors import COPIED, a_class
from tests.grading.notebooks import marks, small_release

EASY = ["verbatim", "with other comments", "with other names"]


def compared(answers: dict[str, dict[str, str]], known: str = "") -> Comparison:
    names = next(iter(answers.values()))
    return compare([Cell(name, True, (known,)) for name in names], answers)


def one_answer(*texts: str) -> dict[str, dict[str, str]]:
    return {f"s{n:03}": {"answer": text} for n, text in enumerate(texts)}


@pytest.fixture(scope="module")
def unlike() -> list[str]:
    """Twenty answers of forty lines that share next to nothing."""
    rng = random.Random(0)
    names = [f"name{n}" for n in range(400)]
    line = lambda: (
        f"{rng.choice(names)} = {rng.choice(names)} {rng.choice('+-*@')} {rng.choice(names)}.{rng.choice(names)}"
    )
    return ["def answer(x):\n    " + "\n    ".join(line() for _ in range(40)) for _ in range(20)]


@pytest.mark.parametrize("assignment", ["recurrent_neurons", "lstm"])
def test_copies_come_before_everybody_else(assignment: str) -> None:
    answers, copied = a_class(assignment, 40, EASY * 2, seed=3)
    found = compared(answers)
    first = [(pair.first, pair.second) for pair in found.pairs[: len(copied)]]
    assert set(first) == set(copied), [(copied.get(pair), pair) for pair in first]
    assert found.pairs[0].likeness > 0.95 and copied[first[0]] == "verbatim"


def test_a_copy_with_other_names_is_most_alike_in_a_long_answer() -> None:
    answers, copied = a_class("lstm", 60, ["with other names"], seed=2)
    pair = compared(answers).pairs[0]
    assert (pair.first, pair.second) in copied
    assert pair.answers[0].cell != "weights_from_torch" and pair.answers[0].structure > 0.99


def test_a_class_without_copies_has_next_to_no_pair_to_look_at() -> None:
    answers, _ = a_class("lstm", 40, [])
    found = compared(answers)
    assert found.above <= 3, [(pair.first, pair.second, pair.likeness) for pair in found.pairs]
    assert found.median < 0.1


def test_a_copy_in_disguise_is_likelier_than_nine_of_ten_pairs() -> None:
    answers, copied = a_class("lstm", 40, ["disguised"] * 4, seed=1)
    cells = [Cell(name, True, ("",)) for name in next(iter(answers.values()))]
    vectors = {
        cell.name: similarity.vectors_of(cell, [answers[s][cell.name] for s in sorted(answers)]) for cell in cells
    }
    whole = sum((v[True].products().weights for v in vectors.values()), start=0.0)
    structure = similarity.Products(whole, whole).cosine()
    values = sorted(structure[i, j] for i in range(40) for j in range(i))
    for first, second in copied:
        assert structure[int(first[1:]), int(second[1:])] > values[int(0.9 * len(values))], (first, second)


def test_one_copied_answer_among_many_is_listed(unlike: list[str]) -> None:
    rng = random.Random(4)
    order = {cell: rng.sample(unlike, 10) for cell in "abcde"}
    answers = {f"s{n:03}": {cell: order[cell][n] + f"\n    # {cell}" for cell in order} for n in range(10)}
    answers["s003"]["b"] = answers["s007"]["b"]
    found = compared(answers)
    assert [(pair.first, pair.second) for pair in found.pairs] == [("s003", "s007")]
    best = found.pairs[0].answers[0]
    assert best.cell == "b" and best.wording > 0.99 and found.pairs[0].answers[1].wording < 0.1


def test_what_everybody_writes_is_no_likeness(unlike: list[str]) -> None:
    short = "def answer(x, h, W_x, W_h, b):\n    return np.tanh(x @ W_x + h @ W_h + b)"
    assert compared(one_answer(*[short] * 30)).above == 0
    assert compared(one_answer(*[short] * 5)).above == 0
    assert compared(one_answer(*[unlike[0]] * 40)).above == 0
    assert compared(one_answer(*[unlike[0]] * 15, *unlike[1:16])).above == 0, "half of the class has it from somewhere"
    assert compared(one_answer(short, short, *unlike)).above == 0, "a short answer that two share"


def test_what_the_handout_or_the_courses_own_answer_holds_is_no_likeness(unlike: list[str]) -> None:
    twice = one_answer(unlike[0], unlike[0], *unlike[1:])
    assert compared(twice).above == 1
    assert compared(twice, known=unlike[0]).above == 0
    mine = unlike[0] + "\n    return 1"
    assert compared(one_answer(mine, mine, *unlike[1:]), known=unlike[0]).above == 0


def test_a_group_that_shares_is_listed_pair_by_pair(unlike: list[str]) -> None:
    found = compared(one_answer(*[unlike[0]] * 3, *unlike[1:]))
    assert [(p.first, p.second) for p in found.pairs] == [("s000", "s001"), ("s000", "s002"), ("s001", "s002")]


def test_written_answers_are_compared_by_their_words(unlike: list[str]) -> None:
    rng = random.Random(1)
    nouns = [f"word{n}" for n in range(200)]
    texts = [" ".join(rng.choice(nouns) for _ in range(120)) for _ in range(8)]
    texts[5] = texts[2].upper().replace(" ", ", ")
    found = compare([Cell("why", False, ("",))], {f"s{n}": {"why": text} for n, text in enumerate(texts)})
    assert [(p.first, p.second) for p in found.pairs] == [("s2", "s5")]


def test_two_submissions_are_too_few_to_compare() -> None:
    with pytest.raises(ValueError, match="at least 3"):
        compared(one_answer("a = 1", "a = 1"))


def test_marked_lines_are_those_that_both_have(unlike: list[str]) -> None:
    mine, theirs = unlike[0].split("\n"), unlike[1].split("\n")
    theirs[11:31] = mine[11:31]
    texts = ["\n".join(mine), "\n".join(theirs), *unlike[2:]]
    found = compared(one_answer(*texts))
    pair = found.pairs[0]
    for lines in found.lines(found.cells[0], pair):
        assert set(range(12, 30)) <= lines and len(lines) < 28, sorted(lines)


def test_two_hundred_submissions_take_seconds() -> None:
    answers, copied = a_class("recurrent_neurons", 200, EASY)
    began = time.process_time()
    found = compared(answers)
    assert time.process_time() - began < 60
    assert {(pair.first, pair.second) for pair in found.pairs[:10]} >= set(copied)


def test_structure_keeps_what_is_called_and_drops_what_was_named() -> None:
    built = lambda text: [word.built for word in words(text, code=True)]
    code = ["name", "=", "name", ".", "zeros", "(", "number", ")"]
    assert built("total = np.zeros(3)  # so far") == [*code, None, None, None]
    assert built("s=np.zeros(17)") == built("total = np.zeros(3)") != built("total = np.ones(3)")
    assert [(word.written, word.line) for word in words("\n\na = 'b'\n\nc", code=True)][::4] == [("a", 2), ("'", 2)]


# --- hostile texts ----------------------------------------------------------------------------------------------------

HOSTILE = {
    "blanks": "\t\n" * 500_000,
    "quotes": "'" * 1_000_000,
    "opened": "f'{" * 300_000,
    "brackets": "[" * 500_000 + "]" * 500_000,
    "backslashes": "\\" * 1_000_000,
    "names of characters": "'" + "\\N{" * 300_000,
    "no Python": "def def def ((( ### '''",
    "one word": "a" * 1_000_000,
    "nothing": "",
    "zeros": "\0" * 100_000,
    "turned round": "\u202e" * 100_000,
    "half a character": "\ud83d" * 1000,
    "long": "x = 1\n" * 1_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_read_in_bounded_time(name: str) -> None:
    began = time.process_time()
    for code in (True, False):
        assert len(words(HOSTILE[name], code)) <= MOST_WORDS + 50
    assert time.process_time() - began < 5


def test_hostile_texts_among_others_disturb_nothing(unlike: list[str]) -> None:
    texts = [text.encode("utf-8", "replace").decode() for text in HOSTILE.values()]
    found = compared(one_answer(unlike[0], unlike[0], *unlike[1:], *texts))
    assert (found.pairs[0].first, found.pairs[0].second) == ("s000", "s001")
    assert len(pairs.source(HOSTILE["long"], set())) < 3 * MOST_TEXT


def test_the_page_shows_what_students_wrote_as_text(unlike: list[str]) -> None:
    evil = unlike[0] + "\n    '</pre><script>alert(1)</script><img src=x onerror=alert(1)>'"
    answers = one_answer(evil, evil, *unlike[1:])
    answers["<b>eve</b>"] = answers.pop("s000")
    page = pairs.html("lstm", compared(answers), most=50)
    assert "<script" not in page and "<img" not in page and "<b>" not in page
    assert "&lt;script&gt;" in page and "&lt;b&gt;eve&lt;/b&gt;" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert "http://" not in page and "https://" not in page


def test_the_page_says_that_it_is_no_verdict_and_shows_as_many_pairs_as_asked(unlike: list[str]) -> None:
    found = compared(one_answer(*[unlike[0]] * 3, *unlike[1:]))
    page = pairs.html("lstm", found, most=2)
    assert "not a verdict" in page and page.count("<h2") == 2 and "of which the 2 most alike" in page
    rows = list(csv.DictReader(io.StringIO(pairs.as_csv(found))))
    assert len(rows) == 3 and all(float(row["likeness"]) >= LEAST for row in rows)
    assert "No pair stands out" in pairs.html("lstm", compared(one_answer(*unlike)), most=2)


# --- from the files ---------------------------------------------------------------------------------------------------


def notebook(text: str) -> bytes:
    made = small_release()
    made.cells[2].source = text
    return nbformat.writes(made).encode()


def test_answers_are_found_as_grading_finds_them(unlike: list[str]) -> None:
    release = small_release()
    assert similarity.answers_of(release, notebook(unlike[0]))["double_solution"] == unlike[0]
    bare = nbformat.reads(notebook(unlike[0].replace("answer", "double")).decode(), as_version=4)
    for cell in bare.cells:
        cell.metadata = {}
    assert "name" in similarity.answers_of(release, nbformat.writes(bare).encode())["double_solution"]
    for data in (None, b"", b"{", b"[" * 100_000, b'{"cells": 3}', b"\xff\xfe\x00"):
        assert similarity.answers_of(release, data) == {}


def test_a_cell_of_twenty_mebibytes_is_left_out_at_once(unlike: list[str]) -> None:
    tree = json.loads(notebook(unlike[0]))
    tree["cells"].append({"cell_type": "code", "source": "x" * 20 * 2**20, "metadata": {}, "outputs": []})
    began = time.process_time()
    assert similarity.answers_of(small_release(), json.dumps(tree).encode()) == {}
    tree["cells"][-1]["source"] = "x" * 2**20
    assert similarity.answers_of(small_release(), json.dumps(tree).encode())["double_solution"] == unlike[0]
    assert time.process_time() - began < 10


def test_the_command_writes_page_and_table(
    tmp_path: Path, unlike: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    course = Course(tmp_path)
    course.release_notebook("lstm").parent.mkdir(parents=True)
    nbformat.write(small_release(), course.release_notebook("lstm"))
    monkeypatch.setattr(sample_class, "solution", lambda course, name, release: release)
    for n, text in enumerate([unlike[0], *unlike[:9]]):
        course.folder("submitted", f"s{n}", "lstm").mkdir(parents=True)
        (course.folder("submitted", f"s{n}", "lstm") / "lstm.ipynb").write_bytes(notebook(text))
    course.folder("submitted", "nothing", "lstm").mkdir(parents=True)
    assert commands.main(["similar", "lstm", "--course", str(tmp_path)]) == 0
    assert "10 submissions of lstm compared, 1 pair to look at" in capsys.readouterr().out
    page = (tmp_path / "report/lstm.similar.html").read_text()
    assert "s0 and s1" in page and "<code>double</code>" in page
    assert (tmp_path / "report/lstm.similar.csv").read_text().count("\n") == 2


def test_every_solution_cell_is_compared_and_no_other() -> None:
    release = small_release()
    release.cells[1].metadata = marks("imports", grade=True, points=1.0)
    assert [(cell.name, cell.code) for cell in similarity.cells_of(release, None)] == [
        ("double_solution", True),
        ("why", False),
    ]


def test_each_way_of_copying_is_known() -> None:
    assert set(EASY) < set(COPIED)
