"""A table of a class's scores, with what stands out."""

from __future__ import annotations

from rich.table import Table

from autograde import gradebook
from autograde.commands.screen import screen
from autograde.grading import attempts
from autograde.grading.course import Course


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
