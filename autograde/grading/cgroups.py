"""Limits that the kernel itself keeps: control groups, where this machine lets us make them.

The watcher (``watcher.Watcher``) looks ten times a second and can say what went over; a control group cannot be
outrun. Its bounds lie a little above the watcher's, so that the watcher is the one that speaks; and however many
processes a group holds, they get the processor's time of one, so that the watcher gets some too. Without one (no right
to make it, no such file system) the watcher and the limits of each process (``setrlimit``) remain; where root grades,
``RLIMIT_NPROC`` does not bind, and a group is what holds a fork bomb.

Both versions are used as they come: version 2 below a group whose controllers were handed down (root, or a user's own
session under systemd), version 1 below one's own group in each controller's hierarchy.
Source: the kernel's admin guide, "Control Group v2" and "Memory Resource Controller".
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

CONTROLLERS = ("pids", "memory", "cpu")
BASE_MB = 1024  # for the libraries of a warm sandbox, and files kept in memory
JOIN = 'while [ "$1" != -- ]; do { echo $$ >"$1/cgroup.procs"; } 2>/dev/null; shift; done; shift; exec "$@"'
CLOSING_S = 1.0
NUMBERS = itertools.count()


@dataclass(frozen=True)
class Place:
    """A folder below which groups can be made, with the controllers that it has and the version of the interface."""

    folder: Path
    controllers: tuple[str, ...]
    version: int


class Group:
    """A control group for one sandbox: join it by ``command``, set it by ``limit``, remove it by ``close``."""

    def __init__(self, places: tuple[Place, ...]) -> None:
        name = f"unrolled-{os.getpid()}-{next(NUMBERS)}"
        self.places = [Place(place.folder / name, place.controllers, place.version) for place in places]
        for place in self.places:
            place.folder.mkdir()

    def limit(self, memory_mb: int, processes: int) -> None:
        """Let the group hold somewhat more than a submission may use, beside the sandbox's own needs."""
        for place in self.places:
            if "pids" in place.controllers:
                _set(place.folder / "pids.max", 4 * processes + 16)
            if "memory" in place.controllers:
                size = (memory_mb * 5 // 4 + BASE_MB) * 2**20
                _set(place.folder / ("memory.max" if place.version == 2 else "memory.limit_in_bytes"), size)
            if "cpu" in place.controllers and not sessions_are_equal():  # inside, niceness counts among its own only
                nice = os.getpriority(os.PRIO_PROCESS, 0)
                _set(place.folder / "cpu.weight.nice", nice)
                _set(place.folder / "cpu.shares", max(2, round(1024 / 1.25**nice)))

    def memory_mb(self) -> float | None:
        """What its processes and their files in memory take, in MiB; None where the kernel does not count it."""
        place = next((place for place in self.places if "memory" in place.controllers), None)
        words = _words(place.folder / "memory.stat") if place else []
        counts = dict(zip(words[::2], words[1::2]))
        names = ("anon", "shmem") if place and place.version == 2 else ("total_rss", "total_shmem")
        return sum(int(counts[name]) for name in names) / 2**20 if all(name in counts for name in names) else None

    def processes(self) -> int | None:
        """How many processes it holds, with those of the sandbox itself; None where it cannot be read, or is empty."""
        try:
            return len((self.places[0].folder / "cgroup.procs").read_text().split()) or None
        except (OSError, IndexError):
            return None

    def command(self, arguments: list[str]) -> list[str]:
        """The argument list that first joins the group, then becomes ``arguments``."""
        return ["/bin/sh", "-c", JOIN, "sh", *(str(place.folder) for place in self.places), "--", *arguments]

    def close(self) -> None:
        """Remove the group, as soon as the last process in it is gone."""
        until = time.monotonic() + CLOSING_S
        for place in self.places:
            while time.monotonic() < until:
                try:
                    place.folder.rmdir()
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.01)
                else:
                    break


def group(memory_mb: int, processes: int) -> Group | None:
    """A new group with limits, or None where none can be made."""
    places = here()
    if not places:
        return None
    try:
        made = Group(places)
    except OSError:
        return None
    made.limit(memory_mb, processes)
    return made


@functools.cache
def here() -> tuple[Place, ...]:
    """Where this process can make groups, tried once; what an earlier, killed run left behind is removed."""
    try:
        mounts, own = Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text()
    except OSError:
        return ()
    places: dict[Path, Place] = {}
    for name in CONTROLLERS:
        place = next(filter(_works, candidates(mounts, own, name)), None)
        if place:
            known = places[place.folder].controllers if place.folder in places else ()
            places[place.folder] = Place(place.folder, (*known, name), place.version)
    for folder in places:
        _sweep(folder)
    return tuple(places.values())


def candidates(mounts: str, own: str, controller: str) -> list[Place]:
    """The folders worth trying, from ``/proc/self/mountinfo`` and ``/proc/self/cgroup``: the nearest first."""
    groups = dict(line.split(":", 2)[1:] for line in own.splitlines() if line.count(":") >= 2)
    found = []
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        root, where = before.split()[3:5]
        kind, _, options = after.split(maxsplit=2)
        if kind == "cgroup2" and "" in groups:
            nearest = _below(Path(where), root, groups[""])
            above = [folder for folder in (nearest, *nearest.parents) if folder.is_relative_to(where)]
            handed_down = [folder for folder in above if controller in _words(folder / "cgroup.subtree_control")]
            found += [Place(folder, (controller,), 2) for folder in handed_down]
        elif kind == "cgroup" and controller in options.split(","):
            ours = [group for names, group in groups.items() if controller in names.split(",")]
            found += [Place(_below(Path(where), root, group), (controller,), 1) for group in ours]
    return found


def sessions_are_equal() -> bool:
    """Whether the kernel shares the processor between sessions, however nice they are, as it does on desktops."""
    return _words(Path("/proc/sys/kernel/sched_autogroup_enabled")) == ["1"]


def _below(where: Path, root: str, group: str) -> Path:
    """The folder of a group in a mount that shows the hierarchy from ``root`` on."""
    path = PurePosixPath(group)
    return where / (path.relative_to(root) if path.is_relative_to(root) else path.relative_to("/"))


def _works(place: Place) -> bool:
    """Whether a process of ours can join a group made there."""
    try:
        trial = Group((place,))
    except OSError:
        return False
    try:
        trial.limit(64, 8)
        question = ["/bin/sh", "-c", "cat /proc/self/cgroup"]
        said = subprocess.run(trial.command(question), capture_output=True, text=True, timeout=10)
        return trial.places[0].folder.name in said.stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        trial.close()


def _sweep(folder: Path) -> None:
    """Remove the empty groups of processes that are gone."""
    for left in folder.glob("unrolled-*-*"):
        number = left.name.split("-")[1]
        if number.isdigit() and not Path("/proc", number).exists():
            with contextlib.suppress(OSError):
                left.rmdir()


def _set(path: Path, value: int) -> None:
    with contextlib.suppress(OSError):  # the watcher remains
        path.write_text(str(value))


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
