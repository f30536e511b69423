"""``autograde similar``: list pairs of submissions that are alike."""

from __future__ import annotations

import argparse

from autograde import exercises, sample_class
from autograde.commands.screen import DONE, Misused, progress, screen, shown
from autograde.grading.course import Course
from autograde.report import pairs, similarity


def run(options: argparse.Namespace) -> int:
    course = Course(options.course.resolve())
    enough = [name for name in exercises.names() if len(course.students(name)) >= similarity.FEWEST]
    names = exercises.chosen(options.assignments, enough)
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
