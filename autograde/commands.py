"""The command ``autograde``: release, grade, feedback, report, similar, sample-class, explain, doctor.

The exit status is 0 only when the command did what was asked. A student's mistake is never an error of a command: it is
a score with its reason.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from autograde import doctor, exercises, gradebook, report, sample_class
from autograde.cluster import certificates
from autograde.grading import attempts, sandbox
from autograde.grading.course import HOME, Course
from autograde.grading.nbgrader_road import PREPARED, tidy
from autograde.grading.pool import NoWorkers, Performers
from autograde.grading.seeds import attempt_id
from autograde.grading.submission import conclude
from autograde.grading.submission import prepare as prepare_work
from autograde.report import book, lms

DONE, FAILED, MISUSED = 0, 1, 2
screen = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)


class Misused(Exception):
    """The command cannot do what was asked; the words say what to do instead."""


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        return options.run(options)
    except (Misused, LookupError, ValueError, sandbox.NoSandbox, gradebook.NotRecorded, NoWorkers) as error:
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

    def command(name: str, run: Callable, words: str, example: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name, parents=[common], help=words, description=words, epilog=f"Example: autograde {example}"
        )
        made.set_defaults(run=run)
        return made

    made = command("release", run_release, "make the students' notebooks, with kit and data", "release lstm")
    made.add_argument("assignments", nargs="*", metavar="NAME", help="assignments (default: all)")

    made = command("grade", run_grade, "grade what was handed in", "grade recurrent_neurons --workers 2")
    made.add_argument("assignments", nargs="*", metavar="NAME", help="assignments (default: all that were handed in)")
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

    made = command("feedback", run_feedback, "write each student's feedback page", "feedback recurrent_neurons")
    made.add_argument("assignments", nargs="*", metavar="NAME", help="assignments (default: all that were graded)")

    made = command("report", run_report, "write the class report", "report recurrent_neurons --anonymous")
    made.add_argument("assignments", nargs="*", metavar="NAME", help="assignments (default: all that were graded)")
    made.add_argument("--anonymous", action="store_true", help="leave the students' names out of page and tables")
    made.add_argument(
        "--book", default="", metavar="URL", help="where the book is (default: as configured, else _build/html)"
    )
    made.add_argument(
        "--canvas", type=Path, metavar="FILE", help="fill the scores into this export of Canvas's gradebook"
    )
    made.add_argument("--moodle", type=Path, metavar="FILE", help="fill the scores into this export of Moodle's grades")
    made.add_argument("--column", default="", metavar="HEADER", help="the column of FILE that takes the scores")

    made = command("similar", run_similar, "list pairs of submissions that are alike", "similar lstm --pairs 20")
    made.add_argument("assignments", nargs="*", metavar="NAME", help="assignments (default: all that were handed in)")
    made.add_argument("--pairs", type=int, default=50, metavar="N", help="pairs to show on the page (default: 50)")

    made = command("sample-class", run_sample, "make submissions of every kind", "sample-class recurrent_neurons")
    made.add_argument("assignments", nargs="*", metavar="NAME", help="assignments (default: all)")

    made = command("explain", run_explain, "say why a score is what it is", "explain ada recurrent_neurons")
    made.add_argument("student", metavar="STUDENT")
    made.add_argument("assignment", metavar="NAME")

    made = command("doctor", run_doctor, "say what of this machine is ready, and attack the sandbox", "doctor")
    made.add_argument("--no-attacks", action="store_true", help="only look; do not run the attacks")
    return top


def chosen(options: argparse.Namespace, default: Iterable[str]) -> list[str]:
    for name in options.assignments:
        exercises.load(name)
    return options.assignments or list(default)


def run_release(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    for name in chosen(options, exercises.names()):
        started = time.monotonic()
        gradebook.release(course, name)
        folder = course.release_notebook(name).parent
        count = sum(path.is_file() for path in folder.rglob("*"))
        screen.print(f"released {name}: {count} files in {shown(folder)} ({time.monotonic() - started:.1f} s)")
    return DONE


def run_grade(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    if options.workers < 1:
        raise Misused(f"--workers: got {options.workers}; expected a whole number above 0")
    if options.tls and not options.scheduler:
        raise Misused("--tls: the certificate is a scheduler's; name it with --scheduler tls://HOST:PORT")
    if options.unsafe_no_sandbox:
        words = "UNSAFE: student code runs without a sandbox; it can read and change what you can."
        screen.print(words, style="bold red")
    elif not options.scheduler:  # else its workers confine
        sandbox.require()
    handed_in = [name for name in exercises.names() if course.students(name)]
    names = chosen(options, handed_in)
    if not names:
        raise Misused(f"nothing was handed in: {shown(course.root / 'submitted')} holds no STUDENT/NAME folder")
    largest = max(1, *(len(course.students(name)) for name in names))
    security = certificates.security(options.tls) if options.tls else None
    with Performers(min(options.workers, largest), options.scheduler, security) as performers:
        return max(grade_assignment(course, name, options, performers) for name in names)


def grade_assignment(course: Course, name: str, options: argparse.Namespace, performers: Performers) -> int:
    students = course.students(name)
    if options.student:
        if options.student not in students:
            raise Misused(f"{options.student} handed in nothing for {name}; there are: {', '.join(students) or 'none'}")
        students = [options.student]
    if not students:
        raise Misused(f"nobody handed in {name}: {shown(course.root / 'submitted')} holds no STUDENT/{name} folder")
    course.read_release(name)
    for student in students:
        prepare(course, student, name)
    waiting = [student for student in students if options.regrade or not up_to_date(course, student, name)]
    if len(waiting) < len(students) and not options.json:
        screen.print(
            f"{name}: {len(students) - len(waiting)} unchanged since they were graded (--regrade grades again)"
        )
    settings = {
        "cell_s": options.cell_seconds,
        "notebook_s": options.notebook_seconds,
        "memory_mb": options.memory,
        "unsafe_no_sandbox": options.unsafe_no_sandbox or None,
    }
    settings = {key: value for key, value in settings.items() if value is not None}
    faults = grade_all(course, name, waiting, settings, options, performers)
    if not options.json:
        show_scores(course, name, students)
    for student, words in faults.items():
        print(f"not recorded: {student}: {words}", file=sys.stderr)
    return FAILED if faults else DONE


def grade_all(
    course: Course,
    name: str,
    students: list[str],
    settings: dict,
    options: argparse.Namespace,
    performers: Performers,
) -> dict[str, str]:
    """Grade in parallel, record one by one as they come; returns who could not be recorded, and why."""
    limits, unsafe = limits_of(course, settings), bool(settings.get("unsafe_no_sandbox"))
    works = (prepare_work(course, student, name, limits, unsafe, options.cold) for student in students)
    faults: dict[str, str] = {}
    with progress(f"grading {name}", len(students), options.json) as step:
        for work, done in performers.perform(works, len(students)):
            graded = conclude(work, done)
            try:
                PREPARED[str(course.root), work.student, name] = graded
                gradebook.record(course, name, work.student, settings)
                attempts.mark_recorded(course, graded.record)
            except (gradebook.NotRecorded, OSError) as error:
                PREPARED.clear()
                faults[work.student] = str(error)
            step(work.student, graded.record)
    return faults


def limits_of(course: Course, settings: dict) -> sandbox.Limits:
    from autograde.grading.nbgrader_road import SandboxedSubmission

    config = gradebook.configuration(course)
    for key, value in settings.items():
        config.SandboxedSubmission[key] = value
    return SandboxedSubmission(config=config).limits()


def prepare(course: Course, student: str, name: str) -> None:
    """Set links aside, and give nbgrader a file to record where a student handed in a folder without a notebook."""
    folder = course.folder("submitted", student, name)
    tidy(folder, name)
    notebook = folder / f"{name}.ipynb"
    if not notebook.exists():
        notebook.touch()


def up_to_date(course: Course, student: str, name: str) -> bool:
    record = attempts.read(course, student, name)
    graded = course.folder("autograded", student, name) / f"{name}.ipynb"
    submitted, _ = course.submission(student, name)
    if record is None or not graded.exists() or not record.get("recorded"):
        return False
    return record["attempt"] == attempt_id(submitted)


def show_scores(course: Course, name: str, students: list[str]) -> None:
    scores = gradebook.scores(course, name)
    table = Table(title=f"{name}: {len(students)} submissions", title_justify="left")
    for heading in ("student", "score", "of", "what stands out"):
        table.add_column(heading, justify="right" if heading in ("score", "of") else "left", overflow="fold")
    table.columns[0].no_wrap = True
    for student in students:
        record, score = attempts.read(course, student, name), scores.get(student)
        if record is None or score is None:
            table.add_row(student, "–", "", "not recorded")
            continue
        table.add_row(student, f"{score['score']:g}", f"{score['max_score']:g}", remark(record, score))
    screen.print(table)


def remark(record: dict, score: dict) -> str:
    words = []
    if record["fault"]:
        words.append(record["fault"])
    if record["ended"] != "ok":
        words.append(f"{record['ended']}: {record['detail']}")
    if not record["fault"] and record["ended"] == "ok":
        for name, verdict in record["verdicts"].items():
            if not verdict["passed"]:
                words.append(f"{name}: {verdict['misconception'] or verdict['reason']}")
    if score["waiting"]:
        words.append(f"{score['waiting']} answer{'s' * (score['waiting'] > 1)} to read")
    return "; ".join(words[:3]) + (f"; and {len(words) - 3} more" if len(words) > 3 else "")


def run_feedback(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    names = chosen(options, graded_assignments(course))
    if not names:
        raise Misused("nothing is graded yet: run `autograde grade` first")
    faults = 0
    for name in names:
        students = graded_students(course, name)
        if not students:
            raise Misused(f"nothing of {name} is graded yet: run `autograde grade {name}` first")
        with progress(f"feedback {name}", len(students)) as step:
            for student in students:
                try:
                    gradebook.feedback(course, name, student)
                except gradebook.NotRecorded as error:
                    faults += 1
                    print(f"no feedback: {student}: {error}", file=sys.stderr)
                step(student)
        screen.print(f"feedback for {len(students)} students in {shown(course.root / 'feedback')}")
    return FAILED if faults else DONE


def graded_assignments(course: Course) -> list[str]:
    return [name for name in exercises.names() if graded_students(course, name)]


def graded_students(course: Course, name: str) -> list[str]:
    return sorted(path.parent.name for path in course.root.glob(f"autograded/*/{name}") if path.is_dir())


def run_report(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    names = chosen(options, graded_assignments(course))
    if not names:
        raise Misused("nothing is graded yet: run `autograde grade` first")
    if (options.canvas or options.moodle) and len(names) > 1:
        raise Misused(f"--canvas and --moodle take one assignment at a time; name one of {', '.join(names)}")
    for name in names:
        scores = gradebook.scores(course, name) if graded_students(course, name) else {}
        if not scores:
            raise Misused(f"nothing of {name} is graded yet: run `autograde grade {name}` first")
        roster = gradebook.roster(course)
        place = book.find(options.book, gradebook.book_url(course), course.root / "report")
        page, *tables = report.write(course, name, scores, options.anonymous, roster, place)
        screen.print(f"class report of {name}: {shown(page)}, with {', '.join(table.name for table in tables)}")
        for platform, export, fill in (("canvas", options.canvas, lms.canvas), ("moodle", options.moodle, lms.moodle)):
            if export:
                out = course.root / "report" / f"{name}.{platform}.csv"
                show_filled(fill(export, out, name, scores, roster, options.column))
    return DONE


def show_filled(filled: lms.Filled) -> None:
    """What was written for a learning platform; what a person should look at goes to stderr, line by line."""
    print(f"{filled.count} scores in column {filled.column!r}, matched by {filled.by!r}: {shown(filled.path)}")
    for note in filled.notes:
        print(f"  look: {note}", file=sys.stderr)


def run_similar(options: argparse.Namespace) -> int:
    from autograde.report import pairs, similarity  # what they import takes a second

    course = Course(options.course.resolve())
    names = chosen(options, [name for name in exercises.names() if len(course.students(name)) >= similarity.FEWEST])
    if not names:
        raise Misused(f"no assignment has the {similarity.FEWEST} submissions that it takes to compare")
    for name in names:
        release, students = course.read_release(name), course.students(name)
        cells = similarity.cells_of(release, sample_class.solution(course, name, release))
        given = {}
        with progress(f"reading {name}", len(students)) as step:
            for student in students:
                given[student] = similarity.answers_of(release, course.submission(student, name)[0])
                step(student)
        found = similarity.compare(cells, {student: answers for student, answers in given.items() if answers})
        page, table = pairs.write(course, name, found, max(options.pairs, 0))
        pairs_found = f"{found.above} pair{'s' * (found.above != 1)} to look at"
        words = f"{len(found.given)} submissions of {name} compared, {pairs_found}"
        screen.print(f"{words}: {shown(page)} and {shown(table)}")
    return DONE


def run_sample(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    for name in chosen(options, exercises.names()):
        course.read_release(name)
        made = sample_class.write(course, name)
        screen.print(f"sample class of {name}: {len(made)} submissions in {shown(course.root / 'submitted')}")
    return DONE


def run_explain(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    exercises.load(options.assignment)
    record = attempts.read(course, options.student, options.assignment)
    if record is None:
        raise Misused(f"{options.student} has no graded attempt at {options.assignment}")
    print(attempts.explain(record))
    return DONE


def run_doctor(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    ready = True
    for line in doctor.lines(course, attacks=not options.no_attacks):
        screen.print(f"{'ready     ' if line.ready else 'NOT READY ' if line.needed else 'note      '}{line.words}")
        ready &= line.ready or not line.needed
    screen.print("Grading can run." if ready else "Grading cannot run yet: see the lines that are not ready.")
    return DONE if ready else FAILED


class progress:
    """A live line with done, all, failing, rate and time left; without a terminal, a line every ten seconds.

    ``lines`` says each result as a line of JSON instead.
    """

    def __init__(self, words: str, total: int, lines: bool = False) -> None:
        self.words, self.total, self.lines = words, total, lines
        self.done = self.failing = 0
        self.began = self.said = time.monotonic()
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[more]}"),
            TimeRemainingColumn(),
            console=screen,
        )

    def __enter__(self) -> Callable[..., None]:
        if screen.is_terminal and not self.lines:
            self.bar.start()
        self.task = self.bar.add_task(self.words, total=self.total, more="")
        return self.step

    def step(self, name: str, record: dict | None = None) -> None:
        self.done += 1
        self.failing += bool(record and (record["fault"] or record["ended"] != "ok"))
        rate = 60 * self.done / max(time.monotonic() - self.began, 1e-3)
        more = f"{rate:.0f} a minute" + (f", {self.failing} failing" if self.failing else "")
        self.bar.update(self.task, advance=1, more=more)
        if self.lines and record:
            keys = ("student", "assignment", "points", "max_points", "ended", "detail", "fault", "seconds")
            print(json.dumps({"done": self.done, "of": self.total, **{key: record[key] for key in keys}}), flush=True)
        elif not screen.is_terminal and (time.monotonic() - self.said > 10 or self.done == self.total):
            self.said = time.monotonic()
            left = (self.total - self.done) * (self.said - self.began) / self.done
            screen.print(f"{self.words}: {self.done} of {self.total}, {more}, {left:.0f} s left")

    def __exit__(self, *error: object) -> None:
        if screen.is_terminal and not self.lines:
            self.bar.stop()


def shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
