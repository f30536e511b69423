"""Run a rebuilt notebook in a sandbox and let the judge ask it questions, with every wait and every size bounded."""

from __future__ import annotations

import json
import os
import secrets
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from autograde.grading import sandbox
from autograde.grading.inside import HEADER
from autograde.grading.printable import printable
from autograde.grading.rooms import ROOMS, START_S, interrupt, waited_s
from autograde.grading.sandbox import Limits
from autograde.grading.watcher import Watcher

GRACE_S = 3.0
PATIENCE = 4  # on a busy machine, at most so many times the seconds that a cell or a notebook may take
STRAY_FRAMES = 100


@dataclass(frozen=True)
class Reply:
    """What came of a probe: ``ok`` with plain bytes, or ``timeout``, ``dead``, ``bad`` with words."""

    status: str
    data: bytes = b""
    detail: str = ""


Ask = Callable[[bytes], Reply]


@dataclass
class Run:
    """What came of a notebook: outputs by the cells' indices, how it ended, and what it used.

    ``lost`` says that the sandbox itself was ended while the notebook ran, which is nothing that a notebook can do.
    """

    outputs: dict[int, list[dict]] = field(default_factory=dict)
    reason: str = "ok"
    detail: str = ""
    limits_hit: list[str] = field(default_factory=list)
    seconds: dict[int, float] = field(default_factory=dict)
    stray_frames: int = 0
    peak_mb: float = 0.0
    unsafe: bool = False
    warm: bool = False
    lost: bool = False


@dataclass(frozen=True)
class Cell:
    """What is needed of a notebook's cell to run it; ``metadata`` holds nbgrader's marks."""

    cell_type: str
    source: str
    metadata: dict


class Dead(Exception):
    """The notebook's process is gone, or was killed; the words say why."""


class Session:
    """The host's end of a room: what runs in it, two pipes, a watcher. Always use it as a context."""

    def __init__(self, folder: Path, limits: Limits, unsafe: bool, cold: bool) -> None:
        self.folder, self.limits, self.stray, self.death, self.lost = folder, limits, 0, "", False
        self.ends_at = self.ends_at_last = time.monotonic() + START_S
        to_read, self.to_fd = os.pipe()
        self.from_fd, to_write = os.pipe()
        try:
            self.room = ROOMS.room(folder, limits, (to_read, to_write), unsafe, cold)
        except BaseException:
            os.close(self.from_fd)
            os.close(self.to_fd)
            raise
        finally:
            os.close(to_read)
            os.close(to_write)
        for fd in (self.from_fd, self.to_fd):
            os.set_blocking(fd, False)
        self.notebook: psutil.Process | None = None
        self.watcher = Watcher(self.room, limits)
        self.watcher.start()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill("")
        self.watcher.stop()
        for fd in (self.from_fd, self.to_fd):
            os.close(fd)
        self.room.close()

    def kill(self, why: str) -> None:
        self.death = self.death or self.watcher.reason or why
        self.room.kill()
        self.room.wait()

    def start(self) -> None:
        """Hand over the files and wait until the notebook is ready; ``Dead`` if it never is."""
        until = time.monotonic() + START_S
        if self.room.ships_files:
            names, blob = packed(self.folder)
            text = json.dumps({"files": names}).encode()
            self._send(HEADER.pack(len(text), len(blob)) + text + blob, until)
        header, _ = self._answer("ready", until)
        if header is None or header.get("fault"):
            self.kill("it did not start in time" if header is None else f"it did not start: {header['fault']}")
            raise Dead(self.death)
        self.notebook = self.room.notebook()  # found once, and before a student's code has run
        self.ends_at = time.monotonic() + self.limits.notebook_s
        self.ends_at_last = self.ends_at + (PATIENCE - 1) * self.limits.notebook_s

    def request(self, what: dict, blob: bytes, seconds: float) -> tuple[dict | None, bytes, bool]:
        """Ask and wait. Returns ``(header, blob, timed out)``; header is None if nothing came even after a signal."""
        if self.death:
            raise Dead(self.death)
        nonce = secrets.token_hex(16)
        until = min(time.monotonic() + seconds, self.ends_at)
        text = json.dumps({**what, "nonce": nonce}).encode()
        if not self._send(HEADER.pack(len(text), len(blob)) + text + blob, until):
            return None, b"", True
        header, data = self._patient_answer(nonce, until, seconds)
        if header is not None:
            return header, data, False
        interrupt(self.notebook)
        header, data = self._answer(nonce, time.monotonic() + GRACE_S)
        return header, data, True

    def _patient_answer(self, nonce: str, until: float, seconds: float) -> tuple[dict | None, bytes]:
        """The answer to a request. What the notebook had to wait for the processor is no time that it took."""
        last = until + (PATIENCE - 1) * seconds
        waited = waited_s(self.notebook)
        while True:
            header, data = self._answer(nonce, until)
            more = waited_s(self.notebook) - waited
            waited += more
            self.ends_at = min(self.ends_at + max(0.0, more), self.ends_at_last)
            until = min(until + more, last)
            if header is not None or more <= 0 or until <= time.monotonic():
                return header, data

    def _send(self, data: bytes, until: float) -> bool:
        view = memoryview(data)
        while view:
            if not select.select([], [self.to_fd], [], max(0.0, until - time.monotonic()))[1]:
                return False
            try:
                view = view[os.write(self.to_fd, view[: 2**16]) :]
            except BrokenPipeError:
                raise self._gone() from None
        return True

    def _read(self, count: int, until: float) -> bytes | None:
        data = bytearray()
        while len(data) < count:
            if not select.select([self.from_fd], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            part = os.read(self.from_fd, min(count - len(data), 2**20))
            if not part:
                raise self._gone()
            data += part
        return bytes(data)

    def _answer(self, nonce: str, until: float) -> tuple[dict | None, bytes]:
        """The next frame that carries the nonce; others are counted and dropped. None when time is up."""
        while True:
            head = self._read(HEADER.size, until)
            if head is None:
                return None, b""
            length, size = HEADER.unpack(head)
            # A cell's output is cut inside at so many characters, each at most six bytes of JSON: more is no output.
            if length > 8 * self.limits.output_kb * 1024 or size > self.limits.reply_mb * 2**20:
                self.kill(f"it sent a message of {length + size} bytes, more than is allowed")
                raise Dead(self.death)
            text, blob = self._read(length, until), self._read(size, until)
            if text is None or blob is None:
                self.kill("it stopped in the middle of a message")
                raise Dead(self.death)
            header = _parsed(text)
            if header.get("nonce") == nonce:
                return header, blob
            self.stray += 1
            if self.stray > STRAY_FRAMES:
                self.kill("it sent messages that nobody asked for")
                raise Dead(self.death)

    def _gone(self) -> Dead:
        self.room.wait()
        self.lost = self.room.lost and not self.watcher.reason
        what = "its sandbox was ended from outside" if self.lost else "the notebook's process ended by itself"
        self.kill(self.room.words() or what)
        return Dead(self.death)


def packed(folder: Path) -> tuple[list[list], bytes]:
    """The files of a folder as names with sizes, and their bytes one after another."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    contents = [path.read_bytes() for path in paths]
    names = [[str(path.relative_to(folder)), len(content)] for path, content in zip(paths, contents)]
    return names, b"".join(contents)


def _parsed(text: bytes) -> dict:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def run(
    notebook: Any,
    folder: Path,
    on_graded: Callable[[str, Ask], None],
    on_finished: Callable[[Ask], None] | None = None,
    limits: Limits | None = None,
    unsafe: bool = False,
    cold: bool = False,
) -> Run:
    """Execute the code cells of ``notebook`` in order; ``on_graded(grade_id, ask)`` stands in for each graded cell.

    A cell's error does not stop the run. A cell that takes too long is interrupted; if it goes on, the sandbox is
    killed, and every later ``ask`` replies ``timeout`` or ``dead`` with the reason. With ``cold``, everything is
    imported anew in a sandbox of its own; otherwise the notebook gets a fork of a warm one (``warm.py``).

    Raises:
        NoSandbox: there is no sandbox on this machine and ``unsafe`` was not said.
    """
    limits = limits or Limits()
    if not unsafe:
        sandbox.require()
    result = Run(unsafe=unsafe)
    with Session(folder, limits, unsafe, cold) as session:
        result.warm = session.room.ships_files
        ask = _asker(session, result, limits)
        try:
            session.start()
        except Dead as dead:
            _note_death(result, dead)
        for index, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            begun = time.monotonic()
            if graded_by_machine(cell):
                on_graded(cell.metadata["nbgrader"]["grade_id"], ask)
            elif cell.source.strip() and result.reason == "ok":
                _run_cell(session, result, index, cell.source, limits)
            result.seconds[index] = round(time.monotonic() - begun, 3)
        if on_finished is not None:
            on_finished(ask)
        result.stray_frames, result.lost = session.stray, session.lost
    result.peak_mb = round(session.watcher.peak_mb, 1)
    return result


def graded_by_machine(cell: Any) -> bool:
    marks = cell.metadata.get("nbgrader", {})
    return cell.cell_type == "code" and bool(marks.get("grade")) and not marks.get("solution")


def _run_cell(session: Session, result: Run, index: int, source: str, limits: Limits) -> None:
    try:
        header, _, late = session.request({"what": "run", "source": source}, b"", limits.cell_s)
    except Dead as dead:
        result.outputs[index] = [_error("The notebook's process ended", str(dead))]
        return _note_death(result, dead)
    result.outputs[index] = _checked_outputs(header.get("outputs") if header else [])
    if late:
        words = f"this cell ran for more than {limits.cell_s:g} s"
        if time.monotonic() >= session.ends_at:
            words = f"the notebook ran for more than {limits.notebook_s:g} s"
            header = None
        result.limits_hit.append(words)
        result.outputs[index].append(_error("Time is up", words))
        if header is None:
            session.kill(f"{words} and could not be interrupted")
            result.reason, result.detail = "timeout", session.death
    return None


def _asker(session: Session, result: Run, limits: Limits) -> Ask:
    def ask(message: bytes) -> Reply:
        if result.reason != "ok":
            return Reply("dead", detail=f"the notebook had stopped before: {result.detail}")
        try:
            header, data, late = session.request({"what": "probe"}, message, limits.cell_s)
        except Dead as dead:
            _note_death(result, dead)
            return Reply("dead", detail=f"the notebook stopped: {result.detail}")
        if late:
            result.limits_hit.append(f"a graded call took more than {limits.cell_s:g} s")
            if header is None:
                session.kill("a graded call took too long and could not be interrupted")
                result.reason, result.detail = "timeout", session.death
            return Reply("timeout")
        return Reply("ok", data) if data else Reply("bad", detail="it was empty, or larger than is allowed")

    return ask


def _note_death(result: Run, dead: Dead) -> None:
    if result.reason == "ok":
        result.reason, result.detail = "dead", str(dead)


def _error(name: str, words: str) -> dict:
    return {"output_type": "error", "ename": name, "evalue": words, "traceback": [f"{name}: {words}"]}


def _checked_outputs(outputs: object) -> list[dict]:
    """Outputs as nbformat knows them; whatever does not fit is dropped."""
    kept: list[dict] = []
    for item in outputs if isinstance(outputs, list) else []:
        if not isinstance(item, dict):
            continue
        kind, data = item.get("output_type"), item.get("data")
        if kind == "stream" and item.get("name") in ("stdout", "stderr") and isinstance(item.get("text"), str):
            kept.append({"output_type": "stream", "name": item["name"], "text": item["text"]})
        elif kind == "error" and isinstance(item.get("traceback"), list):
            lines = [str(line)[:4000] for line in item["traceback"][:20]]
            kept.append({**_error(str(item.get("ename"))[:100], str(item.get("evalue"))[:4000]), "traceback": lines})
        elif kind in ("display_data", "execute_result") and isinstance(data, dict):
            plain = {k: v for k, v in data.items() if k in ("text/plain", "image/png") and isinstance(v, str)}
            count = {"execution_count": None} if kind == "execute_result" else {}
            kept.append({"output_type": kind, "data": plain, "metadata": {}, **count})
    return printable(kept)
