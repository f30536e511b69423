"""How long a class takes to compare: ``python -m tests.benchmarks.similarity [SUBMISSIONS ...]``, one run, one process.

Each class is made of authors who write the known forms of the LSTM assignment in manners of their own, with nine copies
among them. Printed are the seconds to read the notebooks, to compare all pairs and to write the page, the pairs listed,
where the copies stand in the list, and the peak of resident memory.
"""

from __future__ import annotations

import copy
import resource
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from autograde import gradebook
from autograde.grading.course import HOME, Course
from autograde.report import pairs, similarity
from autograde.sample_class import replaced, solution
from tests.grading.authors import COPIED, a_class

ASSIGNMENT = "lstm"


def main(counts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as place:
        course = Course(Path(place))
        (course.root / "source").symlink_to(HOME / "source")
        (course.root / "nbgrader_config.py").write_text((HOME / "nbgrader_config.py").read_text())
        gradebook.release(course, ASSIGNMENT)
        for count in counts:
            print(measured(course, count), flush=True)


def measured(course: Course, count: int) -> str:
    answers, copied = a_class(ASSIGNMENT, count, [how for how in COPIED if how != "disguised"] * 3)
    release = course.read_release(ASSIGNMENT)
    model = solution(course, ASSIGNMENT, release)
    files = {student: notebook(model, own) for student, own in answers.items()}
    times = [time.perf_counter()]
    given = {student: similarity.answers_of(release, data) for student, data in files.items()}
    times.append(time.perf_counter())
    found = similarity.compare(similarity.cells_of(release, model), given)
    times.append(time.perf_counter())
    pairs.write(course, ASSIGNMENT, found, 50)
    times.append(time.perf_counter())
    read, compared, written = (after - before for before, after in zip(times, times[1:]))
    places = [n for n, pair in enumerate(found.pairs, 1) if (pair.first, pair.second) in copied]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{count} submissions: read {read:.1f} s, compared {compared:.1f} s, written {written:.1f} s; "
        f"{found.above} pairs listed, of {len(copied)} copies {len(places)} at {places}; {peak:.0f} MiB"
    )


def notebook(model: nbformat.NotebookNode, answers: dict[str, str]) -> bytes:
    made = copy.deepcopy(model)
    for name, source in answers.items():
        made = replaced(made, name, source)
    return nbformat.writes(made).encode()


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [50, 100, 200])
