"""What is known of a class and an assignment: records, scores, who is who, and by what name each is shown."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from autograde.grading import attempts
from autograde.grading.course import Course
from autograde.grading.seeds import course_secret
from autograde.report.anonymous import aliases
from autograde.report.book import Book
from autograde.report.numbers import Standing, standing


@dataclass(frozen=True)
class ClassReport:
    """What a report says of one assignment. ``shown`` are the students' names as they appear, or their aliases."""

    name: str
    records: dict[str, dict]
    scores: dict[str, dict]
    standing: Standing
    shown: dict[str, str]
    anonymous: bool
    book: Book

    def listed(self, students: Collection[str]) -> list[str]:
        """Students in the order in which a reader finds them, which for aliases is the drawn one."""
        return sorted(students, key=lambda student: natural(self.shown[student]))

    @property
    def readable(self) -> int:
        return sum(not record["fault"] for record in self.records.values())


def read(
    course: Course, name: str, scores: dict[str, dict], anonymous: bool, roster: Collection[str], book: Book
) -> ClassReport:
    handed_in = course.students(name)
    folders = [path.name for path in course.root.glob("submitted/*") if path.is_dir() and path.name[0] != "."]
    everybody = {*roster, *folders, *scores}
    names = aliases(course_secret(course.secret), name, everybody) if anonymous else {s: s for s in everybody}
    records = {student: record for student in sorted(scores) if (record := attempts.read(course, student, name))}
    return ClassReport(name, records, scores, standing(everybody, handed_in, scores), names, anonymous, book)


def natural(name: str) -> tuple:
    """A key by which "student 10" comes after "student 9"."""
    head, _, number = name.rpartition(" ")
    return (head, int(number), "") if number.isdecimal() and head else (name, -1, name)
