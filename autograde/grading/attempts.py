"""The record of each attempt: a JSON file beside the gradebook that says why a score is what it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

from autograde.grading.course import Course


def folder(course: Course, student: str, assignment: str) -> Path:
    return course.folder("attempts", student, assignment)


def write(course: Course, record: dict) -> Path:
    """Write a record so that it is there whole or not at all."""
    path = folder(course, record["student"], record["assignment"]) / f"{record['attempt']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}")
    made.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    made.replace(path)
    return path


def mark_recorded(course: Course, record: dict) -> None:
    """Say in the record that the gradebook has the scores: until then the submission counts as not graded."""
    write(course, {**record, "recorded": True})


def read(course: Course, student: str, assignment: str) -> dict | None:
    """The record of a student's latest graded attempt, or None."""
    files = sorted(folder(course, student, assignment).glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    return json.loads(files[-1].read_text()) if files else None


def explain(record: dict) -> str:
    """Why a score is what it is, in lines to read."""
    lines = [
        f"{record['student']}, {record['assignment']}: {record['points']:g} of {record['max_points']:g} points "
        "by machine",
        f"attempt {record['attempt']}, graded {record['started']} in {record['seconds']:g} s, "
        f"release {record['release']}",
    ]
    if record["unsafe"]:
        lines.append("UNSAFE: graded without a sandbox, so this score could have been forged")
    if record["fault"]:
        lines.append(f"the submission could not be read: {record['fault']}")
    if record["file"]:
        lines.append(record["file"])
    if record["ended"] != "ok":
        lines.append(f"the notebook ended early ({record['ended']}): {record['detail']}")
    lines += [f"limit: {words}" for words in record["limits_hit"]]
    if record["stray_frames"]:
        lines.append(f"{record['stray_frames']} messages came that nobody had asked for; they were dropped")
    for name, verdict in record["verdicts"].items():
        lines += ["", f"{name}: {verdict['points']:g} of {verdict['max_points']:g} [{verdict['reason']}]"]
        lines.append(f"  {verdict['message']}")
        lines += [f"  {g['points']:g}/{g['of']:g}  {g['words']}" for g in verdict["groups"]]
        lines += [
            f"  off on {row['case']}: {row['output']} {tuple(row['got_shape'])}, largest difference "
            f"{row['largest_difference']}"
            for row in verdict["table"]
        ]
    if record["decisions"]:
        lines += ["", "how the notebook was put together:"]
        lines += [
            f"  {d['cell'] or 'the notebook'}: {d['how']}{', ' + d['note'] if d['note'] else ''}"
            for d in record["decisions"]
        ]
    return "\n".join(lines)
