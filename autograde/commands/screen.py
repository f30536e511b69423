"""What the commands say: words on the screen, a live line of progress, exit statuses."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autograde.grading.refused import Refused

DONE, FAILED = 0, 1
screen = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)


class Misused(Refused):
    """The command cannot do what was asked; the words say what to do instead."""


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
            line = json.dumps({"done": self.done, "of": self.total, **{key: record[key] for key in keys}})
            print(f"{line}\n", end="", flush=True)  # in one piece: others may write to the same pipe
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
