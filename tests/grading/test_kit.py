"""What a student holds: the released folder alone, ``check`` and its words, the data."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from nbgrader.validator import Validator

from autograde import exercises
from autograde.exercises import capstone
from autograde.grading import release
from autograde.grading.questions import question
from autograde.kit.plain import decode
from tests.grading.honest.recurrent_neurons import HONEST

ASSIGNMENT = "recurrent_neurons"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A released assignment's folder, without its notebook."""
    made = tmp_path_factory.mktemp("release")
    for name, content in release.files(ASSIGNMENT).items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    return made


@pytest.fixture(scope="module")
def check(folder: Path):
    """``check`` from the folder, in this process."""
    sys.path.insert(0, str(folder))
    try:
        import kit

        assert Path(kit.__file__).is_relative_to(folder)
        yield kit.check
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name == "kit" or name.startswith("kit.")]:
            del sys.modules[name]


def told(check, name: str, value: object) -> str:
    with pytest.raises(AssertionError) as caught:
        check(name, value)
    return str(caught.value)


STEP = {
    "None": (lambda *a: None, "returned None"),
    "a string": (lambda *a: "done", "h_t is a str; expected an array of real numbers"),
    "a wrong shape": (lambda x, h, *a: np.tanh(h).sum(axis=0), "shape"),
    "turned": (lambda x, h, W_x, W_h, b: np.tanh(x @ W_x + h @ W_h + b).T, "shape"),
    "whole numbers": (lambda x, h, W_x, W_h, b: np.round(x @ W_x + h @ W_h + b).astype(int), "int64"),
    "complex": (lambda x, h, W_x, W_h, b: (x @ W_x + h @ W_h + b) * 1j, "complex numbers; expected real ones"),
    "objects": (lambda x, h, W_x, W_h, b: np.tanh(x @ W_x + h @ W_h + b).astype(object), "an array of dtype object"),
    "NaN": (lambda x, h, W_x, W_h, b: np.full((len(x), len(b)), np.nan), "not finite"),
    "an error": (lambda x, h, W_x, W_h, b: x @ W_h, "ValueError"),
    "too few arguments": (lambda x, h: h, "TypeError"),
    "a misconception": (lambda x, h, W_x, W_h, b: np.tanh(x @ W_x + h @ W_h.T + b), "W_h is turned round"),
    "not a function": (3, "It is an int; expected something that can be called"),
}


@pytest.mark.parametrize("what", STEP)
def test_a_wrong_step_is_told_what_to_look_at_and_never_the_answer(what: str, check) -> None:
    value, words = STEP[what]
    message = told(check, "rnn_step", value)
    first = message.splitlines()[0]
    assert first.startswith("✗ rnn_step") and words in first
    assert len(first) < 330 and first.count(". ") <= 3, "one or two sentences"
    assert "Traceback" not in message


def test_shapes_are_named_as_got_and_expected(check) -> None:
    message = told(check, "rnn_step", STEP["turned"][0])
    assert re.search(r"h_t has shape \(\d, \d\); expected \(\d, \d\)", message)


def test_no_message_holds_an_expected_value(check) -> None:
    wrong = lambda x, h, W_x, W_h, b: np.tanh(x @ W_x + h @ W_h + b) + 0.01
    message = told(check, "rnn_step", wrong)
    for case in release_cases("rnn_step"):
        for value in case["expected"].values():
            assert not any(f"{number:.4f}" in message for number in np.ravel(value))


def release_cases(name: str) -> list[dict]:
    from autograde.kit.plain import decode

    content = release.files(ASSIGNMENT)[f"kit/checks/{name}.plain"]
    question = decode(content)
    assert isinstance(question, dict)
    return question["cases"]


@pytest.mark.parametrize("name", HONEST)
def test_right_answers_pass_the_visible_check(name: str, check, capsys: pytest.CaptureFixture) -> None:
    for form in HONEST[name]:
        check(name, form)
        assert capsys.readouterr().out.startswith(f"✓ {name} is right on every visible case.")


def test_an_unknown_name_is_met_with_those_that_exist(check) -> None:
    assert "There is no check called 'rnn_stp'" in told(check, "rnn_stp", None)
    assert "rnn_step" in told(check, "rnn_stp", None)


def test_the_kit_works_where_nothing_of_ours_is_installed(folder: Path) -> None:
    """In a process whose path holds the folder alone, with numpy: no torch needed for NumPy's exercises, no answers."""
    code = """
import importlib.util, sys
sys.path = [p for p in sys.path if "site-packages" in p or "python3" in p]
sys.meta_path = [f for f in sys.meta_path if "editable" not in str(f).lower()]
sys.path.insert(0, "")
assert importlib.util.find_spec("solutions") is None and importlib.util.find_spec("autograde") is None
import numpy as np
from kit import check, load_seattle_weather
check("rnn_step", lambda x, h, W_x, W_h, b: np.tanh(x @ W_x + h @ W_h + b))
assert load_seattle_weather()["temp_max"].shape == (1461,)
assert "torch" not in sys.modules
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("✓ rnn_step")


def test_a_notebook_shows_the_words_and_no_traceback(folder: Path) -> None:
    code = """
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="nocolor")
shell.run_cell("from kit import check\\ncheck('rnn_step', lambda *a: None)")
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=120)
    shown = run.stdout + run.stderr
    assert "✗ rnn_step" in shown and "Traceback" not in shown and "checking.py" not in shown


def test_no_line_of_what_a_notebook_shows_is_cut_off_by_nbgrader_validate(check) -> None:
    from kit.checking import CheckFailed

    with pytest.raises(CheckFailed) as failed:
        check("rnn_step", STEP["a misconception"][0])
    (shown,) = failed.value._render_traceback_()
    validator = Validator()
    assert validator._indent(shown) == textwrap.indent(shown, validator.indent)
    assert validator._indent(str(failed.value)) != textwrap.indent(str(failed.value), validator.indent)
    assert shown.split() == str(failed.value).split()


def test_missing_files_are_named(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(folder, alone)
    shutil.rmtree(alone / "kit" / "checks")
    (alone / "kit" / "data" / "seattle_weather.npz").unlink()
    code = """
from kit import check, load_seattle_weather
for call in (lambda: check("rnn_step", print), load_seattle_weather):
    try:
        call()
    except (AssertionError, FileNotFoundError) as error:
        print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=alone, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    assert "kit/checks is missing" in run.stdout and "seattle_weather.npz is missing" in run.stdout


def test_a_damaged_check_is_said_to_be_damaged(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(folder, alone)
    path = alone / "kit" / "checks" / "rnn_step.plain"
    path.write_bytes(path.read_bytes()[:-40])
    code = "from kit import check\ntry:\n    check('rnn_step', print)\nexcept AssertionError as e:\n    print(e)"
    run = subprocess.run([sys.executable, "-c", code], cwd=alone, capture_output=True, text=True, timeout=120)
    assert "rnn_step.plain cannot be read" in run.stdout and "fetch the assignment again" in run.stdout


def test_every_exercise_has_a_visible_check() -> None:
    files = release.files(ASSIGNMENT)
    for exercise in exercises.load(ASSIGNMENT).exercises:
        assert f"kit/checks/{exercise.name}.plain" in files


def test_the_contest_of_the_capstone_shows_the_validation_part_and_asks_the_test_part() -> None:
    contest = exercises.load("capstone").exercise("my_forecast")
    assert contest
    windows = {
        part: {row.tobytes() for row in capstone.of_part(capstone.reference.origins(bounds))}
        for part, bounds in (("validation", capstone.reference.VALIDATION), ("test", capstone.reference.TEST))
    }
    assert not windows["validation"] & windows["test"]
    shown = decode(release.files("capstone")["kit/checks/my_forecast.plain"])
    asked = [(shown, "validation")] + [(question(contest, np.random.default_rng(seed)), "test") for seed in (5, [5, 4])]
    for one, part in asked:
        assert isinstance(one, dict)
        rows = {row.tobytes() for case in one["cases"] for row in case["call"]["args"][0]}
        assert len(rows) > 500 and rows <= windows[part]
