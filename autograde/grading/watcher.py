"""The watcher over a room: counts its processes and its memory from outside, and ends it when it goes over."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import psutil

from autograde.grading.sandbox import Limits

if TYPE_CHECKING:
    from autograde.grading.rooms import Cold, Fork

EVERY_S = 0.1


class Watcher(threading.Thread):
    """Looks ten times a second; ``reason`` says in words what was too much, ``peak_mb`` the most memory that was seen.

    Where the room has a control group, the kernel's own counts are read, which costs the same however many processes
    the machine has. Else each process is asked for its share, which takes long while a thousand of them are being
    forked: so they are counted first, and again after each.
    """

    def __init__(self, room: Cold | Fork, limits: Limits) -> None:
        super().__init__(daemon=True)
        self.process, self.group, self.kill, self.limits = psutil.Process(room.pid), room.group, room.kill, limits
        self.reason, self.peak_mb = "", 0.0
        self.others = room.others  # processes in its group that are not the room's
        self.own = room.own  # processes of the room that no notebook started
        self.before_mb = (self.group.memory_mb() if self.group else None) or 0.0
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.wait(EVERY_S):
            try:
                self.reason = self._too_many() or self._too_much()
            except psutil.NoSuchProcess:
                return
            if self.reason:
                self.kill()
                return

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(timeout=5)

    def _tree(self) -> list[psutil.Process]:
        return self.process.children(recursive=True)

    def _count(self) -> int:
        """How many processes there are below the room's first one."""
        counted = self.group.processes() if self.group else None
        return len(self._tree()) if counted is None else counted - self.others - 1

    def _too_many(self) -> str:
        many = self._count() > self.limits.processes + self.own
        return f"it started more than {self.limits.processes} processes" if many else ""

    def _too_much(self) -> str:
        counted = self.group.memory_mb() if self.group else None
        if counted is not None:
            used = counted - self.before_mb
            self.peak_mb = max(self.peak_mb, used)
            return self._words() if used > self.limits.memory_mb else ""
        tree = self._tree()
        resident = sum(map(_resident_mb, tree))
        self.peak_mb = max(self.peak_mb, resident)
        if resident <= self.limits.memory_mb:
            return ""
        shares = 0.0  # what it shares, such as the libraries of a warm sandbox, counts in parts
        for process in tree:
            shares += _share_mb(process)
            many = self._too_many()
            if many:
                return many
        return self._words() if shares > self.limits.memory_mb else ""

    def _words(self) -> str:
        return f"it used more than {self.limits.memory_mb} MiB of memory"


def _share_mb(process: psutil.Process) -> float:
    try:
        return process.memory_full_info().pss / 2**20
    except psutil.NoSuchProcess:
        return 0.0
    except psutil.AccessDenied:
        return _resident_mb(process)


def _resident_mb(process: psutil.Process) -> float:
    try:
        return process.memory_info().rss / 2**20
    except psutil.NoSuchProcess:
        return 0.0
