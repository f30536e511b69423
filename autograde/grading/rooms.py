"""The host's end of what runs a notebook: a sandbox started for it alone, or a fork of a warm one.

Both are used alike: two pipes lead in and out, ``pid`` is what a watcher looks below, ``kill`` ends everything in it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import TypeVar

import psutil

from autograde.grading import cgroups, sandbox
from autograde.grading.sandbox import Limits

START_S = 120.0
ANSWER_S = 20.0


class Cold:
    """A sandbox of its own for one submission: everything is imported anew."""

    ships_files = False
    others = 0
    own = 2  # processes below `pid` that a notebook did not start: bubblewrap's second one, and the notebook's
    lost = False

    def __init__(self, folder: Path, limits: Limits, fds: tuple[int, int], unsafe: bool) -> None:
        self.confined = not unsafe
        self.group = cgroups.group(limits.memory_mb, limits.processes)
        self.process = started(sandbox.command(folder, limits, fds, unsafe), fds, self.group)
        self.pid = self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        self.kill()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def wait(self) -> None:
        """Wait until it has ended. Bubblewrap tells how its Python ended, and is killed only from outside."""
        self.lost = self.process.wait() == -signal.SIGKILL and self.confined

    def words(self) -> str:
        """What was said on stderr when it could not even start."""
        assert self.process.stderr is not None
        return self.process.stderr.read(2000).decode(errors="replace").strip()

    def notebook(self) -> psutil.Process | None:
        """The notebook's own process: the first Python below."""
        with contextlib.suppress(psutil.NoSuchProcess):
            top = psutil.Process(self.pid)
            for process in [top, *top.children(recursive=True)]:
                if sandbox.INSIDE.name in " ".join(process.cmdline()) and process.name() != "bwrap":
                    return process
        return None

    def close(self) -> None:
        assert self.process.stderr is not None
        self.process.stderr.close()
        if self.group:
            self.group.close()


def started(command: list[str], fds: tuple[int, ...], group: cgroups.Group | None) -> subprocess.Popen:
    """A sandbox's process, in its group where it has one. Nothing of the host can be seen in it."""
    return subprocess.Popen(
        group.command(command) if group else command,
        pass_fds=fds,
        env=sandbox.ENVIRONMENT,  # bubblewrap's own process can be seen inside: it carries nothing of the host
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def interrupt(process: psutil.Process | None) -> None:
    """Send SIGINT to a notebook's own process."""
    if process is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGINT)


def waited_s(process: psutil.Process | None) -> float:
    """Seconds that a notebook's own process was ready to run while others had the processor, as the kernel counts."""
    try:
        return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[1]) / 1e9 if process else 0.0
    except (OSError, IndexError, ValueError):
        return 0.0


class WarmFault(RuntimeError):
    """No fork can be had from a warm sandbox; the words say why. Nothing of a submission has run."""


class Warm:
    """A sandbox with everything loaded, from which each submission gets a fork. One submission at a time.

    Raises:
        WarmFault: it does not start.
    """

    def __init__(self) -> None:
        sandbox.require()
        usual = Limits()
        self.group = cgroups.group(usual.memory_mb, usual.processes)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self.process = started(sandbox.warm_command(theirs.fileno()), (theirs.fileno(),), self.group)
        finally:
            theirs.close()
        if not self._answer(START_S).get("ready"):
            words = self.process.stderr.read(2000).decode(errors="replace").strip() if self.process.stderr else ""
            self.close()
            raise WarmFault(f"the warm sandbox did not start: {words or 'it said nothing'}")

    def fork(self, limits: Limits, fds: tuple[int, int]) -> Fork:
        """A fork for one submission, with two pipes.

        Raises:
            WarmFault: the warm sandbox is gone.
        """
        before = (self.group.processes() if self.group else None) or 0
        names = ("folder_mb", "memory_mb", "cpu_s", "file_mb", "open_files", "processes", "output_kb", "reply_mb")
        if self.group:
            self.group.limit(limits.memory_mb, limits.processes)
        asked = {"fork": {name: getattr(limits, name) for name in names}}
        try:
            socket.send_fds(self.control, [json.dumps(asked).encode()], list(fds))
        except OSError as error:
            raise WarmFault(f"the warm sandbox is gone: {error}") from None
        child = self._answer(ANSWER_S).get("child")
        if type(child) is not int:
            raise WarmFault("the warm sandbox did not fork")
        return Fork(self, child, before)

    def reap(self, child: int) -> bool:
        """Whether a fork, and everything in it, has ended and was collected in time."""
        try:
            self.control.send(json.dumps({"reap": child}).encode())
        except OSError:
            return False
        return self._answer(ANSWER_S).get("reaped") == child

    def _answer(self, seconds: float) -> dict:
        if not select.select([self.control], [], [], seconds)[0]:
            return {}
        with contextlib.suppress(OSError, ValueError):
            said = json.loads(self.control.recv(2**16))
            return said if isinstance(said, dict) else {}
        return {}

    def alive(self) -> bool:
        return self.process.poll() is None

    def gone(self) -> bool:
        """Whether it has ended, or is just ending, though nobody here ended it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=1)
        return not self.alive()

    def end(self) -> None:
        """End everything in it; whatever thread waits for something there then sees that."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def close(self) -> None:
        self.end()
        self.process.wait()
        self.control.close()
        if self.process.stderr:
            self.process.stderr.close()
        if self.group:
            self.group.close()


class Fork:
    """One submission's room in a warm sandbox, seen from the host.

    Process 1 of the room, and the notebook's process below it. ``others`` counts the processes that were in the warm
    sandbox's group before; ``lost`` says that the warm sandbox ended below it.
    """

    ships_files = True
    own = 1

    def __init__(self, warm: Warm, child: int, others: int) -> None:
        self.warm, self.child, self.ended, self.group, self.others = warm, child, False, warm.group, others
        self.lost = False
        first = _below(warm.process.pid, child)
        if first is None:
            warm.close()
            raise WarmFault("a fork ended before it began")
        self.first, self.pid = first, first.pid

    def kill(self) -> None:
        """End process 1 of the room: the kernel then ends everything in it."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.first.kill()

    def wait(self) -> None:
        """Wait until the whole room is gone; a warm sandbox in which that takes too long is given up."""
        if self.ended:
            return
        self.ended = True
        if not self.warm.reap(self.child):
            self.lost = self.warm.gone()
            self.warm.close()

    def words(self) -> str:
        return ""

    def notebook(self) -> psutil.Process | None:
        """The notebook's own process, below process 1 of the room. Asked for before a student's code has run."""
        with contextlib.suppress(psutil.NoSuchProcess, IndexError):
            return psutil.Process(_children(self.first.pid)[0])
        return None

    def close(self) -> None:
        self.kill()
        self.wait()


def _below(pid: int, number: int) -> psutil.Process | None:
    """Process 1 of a room that is ``number`` in the sandbox around it, some way below ``pid``."""
    until, here = time.monotonic() + 5, len(_numbers(os.getpid()))
    while time.monotonic() < until:
        with contextlib.suppress(psutil.NoSuchProcess):
            waiting = _children(pid)
            while waiting:
                one = waiting.pop()
                with contextlib.suppress(OSError, psutil.NoSuchProcess):
                    if _numbers(one)[here:] == [number, 1]:
                        return psutil.Process(one)
                    waiting += _children(one)
        time.sleep(0.005)
    return None


def _children(pid: int) -> list[int]:
    """What a process has started and not ended, by the kernel's own list: to be asked while nothing ends.

    The whole of ``/proc`` need not be read for it, which takes long where many sandboxes run beside each other.
    """
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # it has ended, or the kernel keeps no list
        return [process.pid for process in psutil.Process(pid).children()]


def _numbers(pid: int) -> list[int]:
    """A process's numbers in all the namespaces that it is in, from the outermost to its own."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return [int(word) for word in line.split()[1:]]
    return [pid]


Sandbox = TypeVar("Sandbox", Warm, Cold)


class Ending(RuntimeError):
    """The grading ends; no more notebooks are run."""


class Rooms:
    """Gives each thread its own warm sandbox, kept from one submission to the next; cold ones where none can be had."""

    def __init__(self) -> None:
        self.mine = threading.local()
        self.all: list[Warm | Cold] = []
        self.changing = threading.Lock()
        self.fault = ""
        self.ending = False

    def room(self, folder: Path, limits: Limits, fds: tuple[int, int], unsafe: bool, cold: bool) -> Cold | Fork:
        """What a submission runs in. ``unsafe`` and ``cold`` ask for a process of its own.

        Raises:
            Ending: ``end`` was called.
        """
        if not (unsafe or cold or self.fault):
            try:
                return self.ready().fork(limits, fds)
            except WarmFault:
                self._drop()
            try:
                return self.ready().fork(limits, fds)  # once more, from a new one
            except WarmFault as error:
                self._drop()
                self.fault = str(error)
        return self._kept(Cold(folder, limits, fds, unsafe))

    def ready(self) -> Warm:
        """This thread's warm sandbox: the one that it has, or a new one."""
        warm = getattr(self.mine, "warm", None)
        if warm is None or not warm.alive():
            self._drop()
            warm = self.mine.warm = self._kept(Warm())
        return warm

    def _kept(self, made: Sandbox) -> Sandbox:
        with self.changing:
            self.all = [one for one in self.all if one.alive()]
            if not self.ending:
                self.all.append(made)
                return made
        made.end()
        made.close()
        raise Ending

    def _drop(self) -> None:
        warm = getattr(self.mine, "warm", None)
        if warm is not None:
            warm.close()
            self.mine.warm = None
        if self.ending:
            raise Ending

    def end(self) -> None:
        """End what runs in any thread, and let nothing begin until all is closed."""
        with self.changing:
            self.ending = True
            for one in self.all:
                one.end()

    def close(self) -> None:
        for one in self.all:
            one.end()
            one.close()
        self.all = []
        self.mine = threading.local()
        self.ending = False


ROOMS = Rooms()
atexit.register(ROOMS.close)
