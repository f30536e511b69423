"""The command ``autograde``: release, grade, feedback, report, similar, sample-class, explain, doctor.

Each command is a module of this package with a function ``run``, imported when it is wanted. The exit status is 0 only
when the command did what was asked. A student's mistake is never an error of a command: it is a score with its reason.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import importlib
import os
import sys
from pathlib import Path

from autograde.commands.screen import FAILED
from autograde.grading.course import HOME
from autograde.grading.refused import Refused


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    atexit.register(gc.freeze)  # Python looks for cycles as it ends, which takes a second where PyTorch is loaded
    try:
        return importlib.import_module(f"{__name__}.{options.command.replace('-', '_')}").run(options)
    except (Refused, LookupError, ValueError) as error:
        message = error.args[0] if error.args else error
        print(f"autograde {options.command}: {message}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("\nStopped. What was graded is recorded; the same command goes on from here.", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="autograde",
        description="Release, grade and explain the assignments of the course.",
        epilog="Example: autograde release && autograde grade recurrent_neurons && autograde report recurrent_neurons",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--course", type=Path, default=HOME, metavar="DIR", help="the course's folder (default: the project's own)"
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, words: str, example: str, default: str = "") -> argparse.ArgumentParser:
        """A command. One with ``default`` takes names of assignments; its words say which, where none is named."""
        made = commands.add_parser(
            name, parents=[common], help=words, description=words, epilog=f"Example: autograde {example}"
        )
        if default:
            made.add_argument("assignments", nargs="*", metavar="NAME", help=f"assignments (default: {default})")
        return made

    command("release", "make the students' notebooks, with kit and data", "release lstm", "all")

    made = command(
        "grade", "grade what was handed in", "grade recurrent_neurons --workers 2", "all that were handed in"
    )
    made.add_argument("--student", metavar="ID", help="only this student")
    made.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="submissions at once (default: the cores)"
    )
    made.add_argument("--scheduler", metavar="ADDRESS", help="grade on the workers of this Dask scheduler")
    made.add_argument("--tls", type=Path, metavar="DIR", help="folder of the scheduler's certificate")
    made.add_argument("--json", action="store_true", help="say each result as a line of JSON, for programs")
    made.add_argument(
        "--cold", action="store_true", help="start Python anew for each notebook instead of forking a warm one"
    )
    made.add_argument("--regrade", action="store_true", help="grade again what has not changed since it was graded")
    made.add_argument("--cell-seconds", type=float, metavar="S", help="seconds that one cell may take")
    made.add_argument("--notebook-seconds", type=float, metavar="S", help="seconds that one notebook may take")
    made.add_argument("--memory", type=int, metavar="MIB", help="memory that one notebook may take")
    made.add_argument(
        "--unsafe-no-sandbox", action="store_true", help="run student code unconfined; every score is marked"
    )

    command("feedback", "write each student's feedback page", "feedback recurrent_neurons", "all that were graded")

    made = command("report", "write the class report", "report recurrent_neurons --anonymous", "all that were graded")
    made.add_argument("--anonymous", action="store_true", help="leave the students' names out of page and tables")
    made.add_argument(
        "--book", default="", metavar="URL", help="where the book is (default: as configured, else _build/html)"
    )
    made.add_argument(
        "--canvas", type=Path, metavar="FILE", help="fill the scores into this export of Canvas's gradebook"
    )
    made.add_argument("--moodle", type=Path, metavar="FILE", help="fill the scores into this export of Moodle's grades")
    made.add_argument("--column", default="", metavar="HEADER", help="the column of FILE that takes the scores")

    made = command(
        "similar", "list pairs of submissions that are alike", "similar lstm --pairs 20", "all that were handed in"
    )
    made.add_argument("--pairs", type=int, default=50, metavar="N", help="pairs to show on the page (default: 50)")

    command("sample-class", "make submissions of every kind", "sample-class recurrent_neurons", "all")

    made = command("explain", "say why a score is what it is", "explain ada recurrent_neurons")
    made.add_argument("student", metavar="STUDENT")
    made.add_argument("assignment", metavar="NAME")

    made = command("doctor", "say what of this machine is ready, and attack the sandbox", "doctor")
    made.add_argument("--no-attacks", action="store_true", help="only look; do not run the attacks")
    return top
