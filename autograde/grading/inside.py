"""The program inside the sandbox: one IPython shell that runs cells and answers probes, over two pipes.

It holds no answers. Everything here, the pipes included, is in the hands of the student's code once a cell has run;
the host therefore believes nothing of what comes out but plain bounded data, and a forged reply is only an output.
It runs as a file of its own: Python, IPython and the kit are all it imports.
"""

from __future__ import annotations

import base64
import gc
import importlib
import io
import json
import os
import re
import resource
import shutil
import signal
import struct
import sys
from pathlib import Path

HEADER = struct.Struct(">II")
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
ITEM = 100  # characters that an output counts for, besides its own
LINES, LINE = 12, 4000  # of a traceback
FRAMES, CHAIN = 12, 8  # innermost frames of an error, and errors behind it, that are shown
CUT = "\n… some of this cell's output was cut off here\n"


class Pipes:
    """Frames over two file descriptors: a JSON header and a blob of bytes."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.read_fd, self.write_fd = read_fd, write_fd
        for fd in (read_fd, write_fd):
            os.set_inheritable(fd, False)

    def _take(self, count: int) -> bytes:
        parts = []
        while count:
            part = os.read(self.read_fd, min(count, 2**20))
            if not part:
                os._exit(0)
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def receive(self) -> tuple[dict, bytes]:
        header, blob = HEADER.unpack(self._take(HEADER.size))
        return json.loads(self._take(header)), self._take(blob)

    def send(self, header: dict, blob: bytes = b"") -> None:
        text = json.dumps(header, ensure_ascii=False).encode("utf-8", "replace")
        data = memoryview(HEADER.pack(len(text), len(blob)) + text + blob)
        while data:
            data = data[os.write(self.write_fd, data[: 2**20]) :]


class Outputs:
    """The outputs of one cell as nbformat dicts, cut off at a number of characters.

    A quarter of them is for errors alone, so that no flood of output hides what went wrong.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.clear()

    def clear(self) -> None:
        self.items: list[dict] = []
        self.left, self.left_for_errors, self.cut = self.limit - self.limit // 4, self.limit // 4, False

    def finished(self) -> list[dict]:
        return [{**item, "text": "".join(item["text"])} if "text" in item else item for item in self.items]

    def say_cut(self) -> None:
        if not self.cut:
            self.cut = True
            self.items.append(stream("stdout", CUT))

    def stream(self, name: str, text: str) -> None:
        kept = text[: max(0, self.left)]
        if kept and self.items and self.items[-1].get("name") == name:
            self.items[-1]["text"].append(kept)
            self.left -= len(kept)
        elif kept:
            self.items.append(stream(name, kept))
            self.left -= len(kept) + ITEM
        if len(kept) < len(text):
            self.say_cut()

    def error(self, name: str, words: str, lines: list[str]) -> None:
        """Keep an error and the last lines of its traceback, as many as there is room for."""
        longest = min(LINE, self.left_for_errors // 4)
        if longest < ITEM // 4:
            return self.say_cut()
        item = error(name[:longest], words[:longest], [])
        self.left_for_errors -= ITEM + len(item["ename"]) + len(item["evalue"])
        for line in lines[: -LINES - 1 : -1]:
            self.left_for_errors -= len(line[:longest])
            if self.left_for_errors < 0:
                break
            item["traceback"].insert(0, line[:longest])
        return self.items.append(item)

    def rich(self, kind: str, data: dict, extra: dict) -> None:
        """Keep text and PNG pictures; other formats, HTML among them, do not reach an instructor's browser."""
        text, picture = data.get("text/plain"), data.get("image/png")
        if isinstance(picture, bytes):
            picture = base64.b64encode(picture).decode()
        given = {"image/png": picture, "text/plain": text}
        kept, room = {}, self.left - ITEM
        if isinstance(picture, str) and len(picture) <= room:  # whole or not at all
            kept["image/png"] = picture
            room -= len(picture)
        if isinstance(text, str) and room > 0:
            kept["text/plain"] = text[:room]
            room -= len(text)
        if kept:
            self.items.append({"output_type": kind, "data": kept, "metadata": {}, **extra})
            self.left = room
        if any(isinstance(value, str) and kept.get(name) != value for name, value in given.items()):
            self.say_cut()


def stream(name: str, text: str) -> dict:
    """A stream whose text is a list of pieces: adding to one long text would copy it for every ``print``."""
    return {"output_type": "stream", "name": name, "text": [text]}


class Stream(io.TextIOBase):
    """What stands for sys.stdout and sys.stderr: it writes to the outputs of the cell that is running."""

    encoding = "utf-8"

    def __init__(self, name: str, owner: Notebook) -> None:
        self.name, self.owner = name, owner

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.owner.outputs.stream(self.name, str(text))
        return len(text)


class Notebook:
    """One IPython shell whose outputs are kept as nbformat dicts."""

    def __init__(self, output_limit: int) -> None:
        from IPython.core.displayhook import DisplayHook
        from IPython.core.displaypub import DisplayPublisher
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        owner = self
        self.limit, self.outputs, self.process = output_limit, Outputs(output_limit), os.getpid()

        class Publisher(DisplayPublisher):
            def publish(self, data, metadata=None, source=None, *, transient=None, update=False, **kwargs):
                owner.outputs.rich("display_data", data, {})

            def clear_output(self, wait=False):
                owner.outputs.clear()

        class Hook(DisplayHook):
            def write_output_prompt(self):
                pass

            def write_format_data(self, format_dict, md_dict=None):
                count = owner.shell.execution_count
                owner.outputs.rich("execute_result", format_dict, {"execution_count": count})

        class Shell(InteractiveShell):
            display_pub_class = Publisher
            displayhook_class = Hook

            def _get_exc_info(self, exc_tuple=None):
                owner.end_if_a_copy()
                etype, value, tb = super()._get_exc_info(exc_tuple)
                return etype, value, shortened(value, tb)

            def _showtraceback(self, etype, evalue, stb):
                lines = [ESCAPES.sub("", line) for line in stb]
                owner.outputs.error(getattr(etype, "__name__", "Error"), words_of(evalue), lines)

            def enable_gui(self, gui=None):
                pass

            def ask_exit(self):
                pass

        config = Config()
        config.HistoryManager.enabled = False
        config.HistoryManager.hist_file = ":memory:"
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShell.xmode = "Context"
        config.InteractiveShell.banner1 = ""
        self.shell = Shell.instance(config=config)
        self.shell.set_custom_exc((), None)
        sys.stdout, sys.stderr = Stream("stdout", self), Stream("stderr", self)
        import builtins

        def no_input(prompt: object = "") -> str:
            raise RuntimeError("input() has nobody to ask while a notebook is graded")

        builtins.input = no_input

    def end_if_a_copy(self) -> None:
        """End a process that the student's code forked and that came back to here: it speaks for nobody."""
        if os.getpid() != self.process:
            os._exit(1)

    def run(self, source: str) -> list[dict]:
        self.outputs = Outputs(self.limit)
        try:
            result = self.shell.run_cell(source, store_history=True)
            fault = result.error_before_exec or result.error_in_exec
        except BaseException as raised:  # a student's SystemExit, an interrupt, or a shell that they broke
            fault = raised
        self.end_if_a_copy()
        if fault is not None and not any(item["output_type"] == "error" for item in self.outputs.items):
            name, words = type(fault).__name__, words_of(fault)
            self.outputs.error(name, words, [f"{name}: {words}"])
        return self.outputs.finished()


def shortened(value: object, tb: object) -> object:
    """The innermost frames of a traceback, and of those behind it: to format a thousand takes half a minute."""
    for _ in range(CHAIN):
        if not isinstance(value, BaseException):
            break
        value.__traceback__ = innermost(value.__traceback__)
        value = value.__cause__ or value.__context__
    return innermost(tb)


def innermost(tb):
    frames = []
    while tb is not None:
        frames.append(tb)
        tb = tb.tb_next
    return frames[-FRAMES:][0] if frames else None


def error(name: str, words: str, lines: list[str]) -> dict:
    return {"output_type": "error", "ename": name, "evalue": words, "traceback": lines}


def words_of(fault: object) -> str:
    try:
        return str(fault)[:LINE]
    except BaseException:  # a student's exception may fail to say what it is
        return ""


def answer(notebook: Notebook, kit, message: bytes, limit: int) -> bytes:
    """Call the student's object on each call of a probe; the reply is a list of outcomes as plain bytes."""
    asked = kit.plain.decode(message)
    notebook.outputs = Outputs(notebook.limit)
    outcomes, left = [], limit
    questions = [(asked["exercise"], asked["kind"], asked)]
    if asked.get("own"):
        questions.append((asked["own"]["forward"], "function", asked["own"]))
    for name, kind, question in questions:
        target = notebook.shell.user_ns.get(name, kit.calling.MISSING)
        for call in question["calls"]:
            outcomes.append(kit.calling.outcome(kind, target, call, question["outputs"]))
            notebook.end_if_a_copy()
            left -= size_of(outcomes[-1].get("outputs"))
            if left < 0:  # before it is copied, and before the next one is asked for
                return b""
    reply = kit.plain.encode(outcomes)
    return reply if len(reply) <= limit else b""


def size_of(outputs: object) -> int:
    """The bytes of the arrays and tensors among outputs, as they say themselves."""
    sizes = [getattr(value, "nbytes", 0) for value in outputs.values()] if isinstance(outputs, dict) else []
    return sum(size for size in sizes if type(size) is int)


def confine(memory_mb: int, cpu_s: int, file_mb: int, open_files: int, processes: int) -> None:
    limits = {
        resource.RLIMIT_DATA: memory_mb * 2**20,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: file_mb * 2**20,
        resource.RLIMIT_NOFILE: open_files,
        resource.RLIMIT_CORE: 0,
    }
    if os.getuid() and Path("/grader").exists():
        limits[resource.RLIMIT_NPROC] = processes * 16  # threads count too; the host counts processes besides
    for what, value in limits.items():
        resource.setrlimit(what, (value, value))


def load_kit(folder: Path):
    """The trusted kit, under a name of its own: the student's folder holds one called ``kit``, and finds only that."""
    sys.path.append(str(folder.parent))
    kit = importlib.import_module(folder.name)
    for part in ("plain", "calling"):
        importlib.import_module(f"{kit.__name__}.{part}")
    sys.path.remove(str(folder.parent))
    probing = sys.modules.pop(kit.__name__)
    for name in [name for name in sys.modules if name.startswith(f"{kit.__name__}.")]:
        sys.modules.pop(name)
    sys.path.insert(0, "")
    return probing


def serve(pipes: Pipes, notebook: Notebook, kit, reply_mb: int) -> None:
    """Run cells and answer probes until the host hangs up."""
    notebook.process = os.getpid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pipes.send({"nonce": "ready"})
    while True:
        try:
            header, blob = pipes.receive()
            if header["what"] == "run":
                pipes.send({"nonce": header["nonce"], "outputs": notebook.run(header["source"])})
            else:
                pipes.send({"nonce": header["nonce"]}, answer(notebook, kit, blob, reply_mb * 2**20))
                gc.collect()
        except KeyboardInterrupt:  # it came late, when the cell was done or while a probe ran
            pipes.send(
                {"nonce": header["nonce"], "outputs": [error("KeyboardInterrupt", "interrupted", ["interrupted"])]}
            )


def main(arguments: list[str]) -> None:
    read_fd, write_fd, memory_mb, cpu_s, file_mb, open_files, processes, output_kb, reply_mb = map(int, arguments[:9])
    kit_folder, folder, work = arguments[9:]
    pipes = Pipes(read_fd, write_fd)
    silence()
    if work:
        shutil.copytree(folder, work, dirs_exist_ok=True)
    os.chdir(work or folder)
    kit = load_kit(Path(kit_folder))
    confine(memory_mb, cpu_s, file_mb, open_files, processes)
    serve(pipes, Notebook(output_kb * 1024), kit, reply_mb)


def silence() -> None:
    """Nothing that is written to the process's own streams goes anywhere."""
    for fd in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), fd)


if __name__ == "__main__":
    main(sys.argv[1:])
