"""What a submission may cost the host, and what it may print: large is cut or read cheaply, never a lost mark."""

from __future__ import annotations

import json
import os
import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell

from autograde.grading import attempts
from autograde.grading.course import Course
from autograde.grading.judge import forbidden_names
from autograde.grading.printable import printable
from autograde.grading.rebuild import MAX_BRACKETS, MAX_BYTES, MAX_READ, grade_id, rebuild, without_bulk
from autograde.grading.record import record
from autograde.grading.sandbox import Limits
from autograde.grading.submission import grade
from autograde.sample_class import replaced
from tests.grading.notebooks import ASSIGNMENT, hand_in, light, marks, release, small_release, solved
from tests.grading.test_execute import execute, outcome, text

WORK = "def double(x):\n    return 2 * x"
STUB = "def lstm(x):\n    pass\n" + "    # the gates i, f, g, o of every step, side by side\n" * 30


def sources(rebuilt) -> dict[str, str]:
    return {grade_id(cell): cell.source for cell in rebuilt.notebook.cells if grade_id(cell)}


def handed_in(*cells: dict) -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "metadata": {}, **cell} for cell in cells]}).encode()


# Which cell is which


def long_release(count: int = 10) -> NotebookNode:
    """A release of so many cells of some 1,500 characters each."""
    notebook = small_release()
    for number in range(count):
        stub = STUB.replace("lstm", f"lstm{number}")
        notebook.cells.append(new_code_cell(stub, metadata=marks(f"lstm{number}_solution", solution=True)))
    return notebook


def look_alikes(order: str) -> list[dict]:
    """2,000 cells of a marked cell's own letters in another order: the longest to compare, letter by letter."""
    letters = list(STUB[13:1413])
    cells = []
    for number in range(2000):
        if order == "shuffled":
            random.Random(number).shuffle(letters)
        cells.append({"source": "".join(letters[::-1] if order == "reversed" else letters)})
    return cells


@pytest.mark.parametrize("order", ["reversed", "shuffled", "same"])
def test_two_thousand_cells_that_look_like_the_releases_are_told_apart_in_seconds(order: str) -> None:
    data = handed_in(*look_alikes(order))
    started = time.process_time()
    rebuilt = rebuild(long_release(), data)
    assert time.process_time() - started < 10
    assert rebuilt.fault is None


def test_two_thousand_cells_of_random_characters_are_told_apart_in_little_memory() -> None:
    rng = random.Random(0)
    texts = ("".join(chr(rng.randrange(0x4E00, 0x9FFF)) for _ in range(2500)) for _ in range(2000))
    data = handed_in(*({"source": source} for source in texts))
    tracemalloc.start()
    rebuild(long_release(), data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * len(data)


def similar(source: str, kind: str = "code") -> list[tuple[str, str]]:
    rebuilt = rebuild(small_release(), handed_in({"source": source, "cell_type": kind}))
    return [(decision["cell"], decision["how"]) for decision in rebuilt.decisions if decision["how"] != "missing"]


@pytest.mark.parametrize(
    "source",
    [
        'check("double", double)',
        '# check("double", double)',
        "check('double', double)",
        'check( "double",double )',
        'chekc("double", double)\n',
        'check("double", double)  # all right',
    ],
)
def test_a_check_without_its_marks_is_found_however_it_was_touched(source: str) -> None:
    assert ("double", "similarity") in similar(source)


def test_text_that_has_nothing_in_common_is_not_similar() -> None:
    assert similar("import pandas") == [("", "extra")]


def test_a_cell_that_defines_another_answer_is_never_taken_for_a_similar_one() -> None:
    notebook = small_release()
    stub = notebook.cells[2].source.replace("double", "redouble")
    notebook.cells.append(new_code_cell(stub, metadata=marks("redouble_solution", solution=True)))
    mine = stub.replace("raise NotImplementedError()", "return 4 * x")
    rebuilt = rebuild(notebook, handed_in({"source": mine}))  # the other answer was deleted, and all marks are gone
    assert sources(rebuilt)["redouble_solution"] == mine
    assert "NotImplementedError" in sources(rebuilt)["double_solution"]


def test_a_question_with_the_answer_below_it_is_found_without_marks() -> None:
    question = "### In your own words\n\nWhy does the state of a layer fade over a hundred steps?\n\nYOUR ANSWER"
    notebook = small_release()
    notebook.cells[4].source = question
    mine = question.replace("YOUR ANSWER", "Each step multiplies it by one matrix, whose norm is below one.")
    cells = [{"source": source, "cell_type": "markdown"} for source in ("Notes of mine, about nothing.", mine)]
    rebuilt = rebuild(notebook, handed_in(*cells))
    assert sources(rebuilt)["why"] == mine
    assert ("why", "similarity") in [(decision["cell"], decision["how"]) for decision in rebuilt.decisions]


# Large files


def with_outputs(outputs: bytes) -> bytes:
    """A notebook whose one cell is the work, with the JSON of its outputs as given."""
    source = json.dumps(WORK).encode()
    return b'{"cells": [{"cell_type": "code", "outputs": ' + outputs + b', "metadata": {}, "source": ' + source + b"}]}"


def picture(size: int) -> bytes:
    return b'[{"output_type": "display_data", "data": {"image/png": "' + b"iVBORw0K" * (size // 8) + b'"}}]'


def lines(size: int) -> bytes:
    return b'[{"output_type": "stream", "text": [' + b'"step 1\\u2588\\n", ' * (size // 18) + b'""]}]'


def table(size: int) -> bytes:
    return b'[{"data": {"rows": [' + b'{"t": 0.25, "v": "a [ \\" {"}, ' * (size // 30) + b"0]}}]"


@pytest.mark.parametrize("outputs", [picture, lines, table])
def test_a_hundred_megabytes_of_outputs_cost_no_mark_little_time_and_no_memory(outputs) -> None:
    data = with_outputs(outputs(100 * 2**20))
    started = time.process_time()
    tracemalloc.start()
    rebuilt = rebuild(small_release(), data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rebuilt.fault is None and sources(rebuilt)["double_solution"] == WORK
    assert peak < 16 * 2**20
    assert time.process_time() - started < 15


@pytest.mark.parametrize("where", ["attachments", "widgets"])
def test_pictures_in_text_and_the_state_of_widgets_cost_no_mark_either(where: str) -> None:
    notebook = nbformat.from_dict(json.loads(nbformat.writes(small_release())))
    notebook.cells[2].source = WORK
    bulk = {"x": {"image/png": "A" * (2 * MAX_READ)}}
    if where == "widgets":
        notebook.metadata["widgets"] = bulk
    else:
        notebook.cells[0]["attachments"] = bulk
    assert sources(rebuild(small_release(), nbformat.writes(notebook).encode()))["double_solution"] == WORK


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: b" " * (MAX_BYTES + 1), "at most 256 are read"),
        (lambda: b"\xff\xfe" + b" \0" * (40 * 2**20), "at most 64 are read"),
        (lambda: handed_in({"source": ["#" * 1000] * (MAX_READ // 1000)}), "without its outputs: at most 8"),
        (lambda: with_outputs(b"[" * (MAX_BRACKETS + 10)), "outputs hold more than 5,000,000 brackets"),
        (
            lambda: with_outputs(b"[]").replace(b'"metadata"', b'"outputs": [], ' * 1_500_000 + b'"metadata"'),
            "at most 8",
        ),
        (lambda: with_outputs(b"[" * 100), "cut off"),
        (lambda: with_outputs(picture(1000))[:800], "cut off"),
        (lambda: with_outputs(b'["' + b"x" * 2**20), "cut off"),
    ],
    ids=["large", "large utf-16", "large without outputs", "nested", "many keys", "unclosed", "cut off", "open string"],
)
def test_what_is_too_large_or_broken_says_so_soon(make: Callable[[], bytes], words: str) -> None:
    data = make()
    started = time.process_time()
    rebuilt = rebuild(small_release(), data)
    assert words in (rebuilt.fault or "")
    assert time.process_time() - started < 10


def test_a_notebook_in_utf_16_is_read() -> None:
    assert sources(rebuild(small_release(), with_outputs(b"[]").decode().encode("utf-16")))["double_solution"] == WORK


TRAPS = ['"outputs": [', 'x"outputs": {', '\\"outputs":[', "outputs", "\\"]
TEXTS = st.text('a"\\:[]{} \noutps', max_size=12) | st.sampled_from(TRAPS)
TREES = st.recursive(
    TEXTS | st.integers() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS | st.sampled_from(["outputs", "attachments", "widgets"]), inner, max_size=4)
    ),
    max_leaves=20,
)


def dropped(tree: object) -> object:
    if isinstance(tree, list):
        return [dropped(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    bulk = {key for key, value in tree.items() if key in ("outputs", "attachments", "widgets")}
    return {k: [] if k in bulk and isinstance(v, (list, dict)) else dropped(v) for k, v in tree.items()}


@given(TREES, st.sampled_from([None, 1]))
def test_leaving_out_outputs_changes_nothing_else(tree: object, indent: int | None) -> None:
    slim, fault = without_bulk(json.dumps(tree, indent=indent).encode())
    assert fault is None and json.loads(slim) == dropped(tree)


# Much output


LITTLE = Limits(cell_s=30, notebook_s=60, memory_mb=2048, output_kb=64)
SHOW = "from IPython.display import display\n"
MUCH = {
    "many small prints": "for i in range(20_000): print(i, flush=True)",
    "two streams by turns": "import sys\nfor i in range(20_000): print(i); print('careful', file=sys.stderr)",
    "many displays": SHOW + "for i in range(20_000): display(i)",
    "signs that are long to write": "for _ in range(20_000): print('🙂█' * 30)",
    "control characters": "print('\\x01' * 10**6)",
    "one long line": "print('x' * 5_000_000)",
    "a long value": "'x' * 5_000_000",
    "large pictures": SHOW
    + "for _ in range(9):\n    display({'image/png': 'A' * 20_000, 'text/plain': '<Figure>'}, raw=True)",
    "a long message": "raise ValueError('é' * 10**6)",
    "a long traceback": "def deep(n):\n    n = n + 0 * 1234567890\n    return deep(n - 1) if n else 1 / 0\ndeep(500)",
    "a long line that fails": "x = [" + "'🙂', " * 30_000 + "]; 1 / 0",
    "many errors": "for i in range(1000):\n    try: 1 / 0\n    except ZeroDivisionError: get_ipython().showtraceback()",
}


@pytest.mark.sandbox
@pytest.mark.parametrize("what", MUCH)
def test_much_output_is_cut_with_a_note_and_the_work_is_graded(what: str) -> None:
    result, replies = execute("def f(x): return x", MUCH[what], "print('and on')", probe=True, limits=LITTLE)
    assert (result.reason, result.limits_hit) == ("ok", [])
    assert outcome(replies[0])["outputs"] == {"y": 1.0}
    assert text(result.outputs[2]) == "and on\n"
    assert len(text(result.outputs[1])) < 64 * 1024
    assert "cut off" in text(result.outputs[1]) or result.outputs[1][-1]["output_type"] == "error"


@pytest.mark.sandbox
def test_a_message_is_within_its_bound_for_the_smallest_limit() -> None:
    largest = ("signs that are long to write", "control characters", "a long line that fails", "many errors")
    limits = Limits(cell_s=30, notebook_s=120, memory_mb=2048, output_kb=1)
    result, _ = execute(*(MUCH[what] for what in largest), limits=limits)
    assert result.reason == "ok"
    assert all(len(json.dumps(outputs)) < 8 * 1024 for outputs in result.outputs.values())


@pytest.mark.sandbox
def test_the_beginning_of_much_output_and_the_error_after_it_are_kept() -> None:
    result, _ = execute("for i in range(50_000): print('line', i)\nraise ValueError('after it all')", limits=LITTLE)
    said = text(result.outputs[0])
    assert said.startswith("line 0\nline 1\n") and said.count("cut off") == 1
    assert result.outputs[0][-1]["evalue"] == "after it all"
    assert "ValueError: after it all" in result.outputs[0][-1]["traceback"][-1]


@pytest.mark.sandbox
def test_a_picture_too_large_leaves_its_words_and_what_comes_after_it() -> None:
    large = "{'image/png': 'A' * 10**6, 'text/plain': '<Figure>'}"
    result, _ = execute(SHOW + f"display({large}, raw=True)\nprint('loss 0.25')", limits=LITTLE)
    said = text(result.outputs[0])
    assert "<Figure>" in said and "cut off" in said and "loss 0.25" in said and "AAAA" not in said


@pytest.mark.sandbox
def test_output_that_is_cleared_does_not_count() -> None:
    film = "from IPython.display import clear_output\nfor i in range(50):\n    clear_output(); print('x' * 20_000, i)"
    result, _ = execute(film, limits=LITTLE)
    assert text(result.outputs[0]) == "x" * 20_000 + " 49\n"


@pytest.mark.sandbox
def test_an_error_that_cannot_be_told_is_an_error_all_the_same() -> None:
    mute = "class Mute(BaseException):\n    def __str__(self): raise Mute()\n    __repr__ = __str__\n"
    nowhere = "exec(compile('1 / 0', 'a\\ud800b', 'exec'))"  # IPython cannot tell the traceback of such a file
    result, replies = execute(
        "def f(x): return x", mute + "raise Mute()", "raise SystemExit(Mute())", nowhere, probe=True, limits=LITTLE
    )
    assert result.reason == "ok" and outcome(replies[0])["outputs"] == {"y": 1.0}
    names = [result.outputs[index][-1].get("ename") for index in (1, 2, 3)]
    assert names == ["Mute", "Mute", "UnicodeEncodeError"]


# Lone surrogates: half a character, which JSON can carry and UTF-8 cannot


ODD = {
    "printed": "print('a\\ud800b')",
    "on stderr": "import sys\nsys.stderr.write('a\\ud800b')",
    "a value": "'a\\ud800b'\nclass R:\n    def __repr__(self): return 'a\\ud800b'\nR()",
    "shown": SHOW + "display({'text/plain': 'a\\ud800b', 'image/png': '\\udfff'}, raw=True)",
    "raised": "raise ValueError('a\\ud800b')",
    "in the source": "x = 'a\ud800b'\nprint(x)",
}


@pytest.mark.sandbox
@pytest.mark.parametrize("what", ODD)
def test_outputs_with_half_a_character_can_be_written(what: str) -> None:
    result, replies = execute(printable(ODD[what]), "def f(x): return x", probe=True, limits=LITTLE)
    assert result.reason == "ok" and outcome(replies[0])["outputs"] == {"y": 1.0}
    assert "a?b" in json.dumps(result.outputs[0], ensure_ascii=False).encode().decode()


FORGED = {"output_type": "error", "ename": "a\ud800b", "evalue": "a\ud800b", "traceback": ["a\ud800b"]}
FORGE = f"""
import json, os, struct, sys
def send(self, header, blob=b""):
    text = json.dumps({{**header, "outputs": [{FORGED!r}]}}).encode()
    os.write(self.write_fd, struct.pack(">II", len(text), 0) + text)
for module in list(sys.modules.values()):
    if hasattr(module, "Pipes") and hasattr(module, "serve"):
        module.Pipes.send = send
"""


@pytest.mark.sandbox
def test_a_forged_output_with_half_a_character_can_be_written() -> None:
    result, _ = execute(FORGE, "1", limits=LITTLE)
    assert text(result.outputs[1]) == "a?b" and result.outputs[1][0]["traceback"] == ["a?b"]


RETURNED = {
    "neuron_step": ("raise ValueError('a\\ud800b')", "a?b"),
    "rnn_step": ("return 'a\\ud800b'", "a str"),
    "rnn_forward": ("return ['\\ud800'], {'\\ud800': 1.0}", "a list"),
    "count_parameters": ("return len(type('\\ud800', (), {}).__name__)", "UnicodeEncodeError"),
    "forecast": ("raise ValueError  # \ud800", "# ?"),
}


@pytest.mark.sandbox
@pytest.mark.slow
def test_half_a_character_from_end_to_end_gives_verdicts_that_can_be_written(tmp_path: Path) -> None:
    course = release(Course(tmp_path))
    submitted = light(solved(course))
    for name, (body, _) in RETURNED.items():
        submitted = replaced(submitted, name, f"def {name}(*args):\n    {body}")
    submitted.cells[0].source += "\ud800"
    submitted.cells.insert(2, new_code_cell("print('\ud800', '\\ud800')"))
    folder = hand_in(course, "odd", json.dumps(submitted)).parent
    (folder / os.fsdecode(b"notes\xff.txt")).symlink_to("/etc/hostname")
    graded = grade(course, "odd", ASSIGNMENT, Limits(cell_s=30))
    record(graded.notebook, graded.verdicts, unsafe=False)
    assert nbformat.writes(graded.notebook).encode()
    assert attempts.read(course, "odd", ASSIGNMENT) is None and attempts.write(course, graded.record).exists()
    for name, (_, words) in RETURNED.items():
        assert words in graded.verdicts[name]["message"], name
    assert (graded.record["ended"], graded.verdicts["RNNLayer"]["passed"]) == ("ok", True)


def test_source_that_cannot_be_parsed_uses_no_forbidden_name() -> None:
    for source in ("-" * 100_000 + "1", "(" * 100_000, "\0", "def"):
        assert forbidden_names(source, ("torch.nn.RNN",)) == []


def test_a_long_chain_of_attributes_is_read_once() -> None:
    source = "x = a" + ".b" * 2_000 + "\ny = nn.RNN(a).weight\nz = f(nn.LSTM).c"
    begun = time.perf_counter()
    assert forbidden_names(source, ("torch.nn.RNN", "torch.nn.LSTM")) == ["torch.nn.LSTM", "torch.nn.RNN"]
    assert time.perf_counter() - begun < 5  # it took time in proportion to the square


def test_a_cell_that_is_too_long_to_read_is_said_to_be(tmp_path) -> None:
    release = small_release()
    tree = json.loads(nbformat.writes(release))
    tree["cells"][2]["source"] = "x = 1\n" * 60_000
    rebuilt = rebuild(release, json.dumps(tree).encode())
    assert any("more than 200,000 characters" in decision["note"] for decision in rebuilt.decisions)


def test_a_file_of_any_size_is_read_no_further_than_the_bound(tmp_path) -> None:
    course = Course(tmp_path)
    folder = course.folder("submitted", "ada", "recurrent_neurons")
    folder.mkdir(parents=True)
    with (folder / "recurrent_neurons.ipynb").open("wb") as file:
        file.truncate(40 * 2**30)  # sparse: it takes no room on the disk
    content, _ = course.submission("ada", "recurrent_neurons")
    assert content is not None and len(content) == MAX_BYTES + 1
    assert "at most 256 are read" in (rebuild(small_release(), content).fault or "")
