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
        text = json.dumps(header).encode()
        data = memoryview(HEADER.pack(len(text), len(blob)) + text + blob)
        while data:
            data = data[os.write(self.write_fd, data[: 2**20]) :]


class Outputs:
    """The outputs of one cell as nbformat dicts, cut off at a number of characters."""

    def __init__(self, limit: int) -> None:
        self.limit, self.used, self.cut = limit, 0, False
        self.items: list[dict] = []

    def room_for(self, size: int) -> bool:
        self.used += size
        if self.used > self.limit and not self.cut:
            self.cut = True
            self.items.append(stream("stdout", "\n… the rest of this cell's output was cut off\n"))
        return self.used <= self.limit

    def stream(self, name: str, text: str) -> None:
        if not text or not self.room_for(len(text)):
            return
        if self.items and self.items[-1].get("name") == name:
            self.items[-1]["text"] += text
        else:
            self.items.append(stream(name, text))

    def rich(self, kind: str, data: dict, extra: dict) -> None:
        """Keep text and PNG pictures; other formats, HTML among them, do not reach an instructor's browser."""
        kept = {}
        if isinstance(data.get("text/plain"), str):
            kept["text/plain"] = data["text/plain"]
        picture = data.get("image/png")
        if isinstance(picture, bytes):
            picture = base64.b64encode(picture).decode()
        if isinstance(picture, str):
            kept["image/png"] = picture
        if kept and self.room_for(sum(map(len, kept.values()))):
            self.items.append({"output_type": kind, "data": kept, "metadata": {}, **extra})


def stream(name: str, text: str) -> dict:
    return {"output_type": "stream", "name": name, "text": text}


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
        self.limit, self.outputs = output_limit, Outputs(output_limit)

        class Publisher(DisplayPublisher):
            def publish(self, data, metadata=None, source=None, *, transient=None, update=False, **kwargs):
                owner.outputs.rich("display_data", data, {})

            def clear_output(self, wait=False):
                owner.outputs.items.clear()

        class Hook(DisplayHook):
            def write_output_prompt(self):
                pass

            def write_format_data(self, format_dict, md_dict=None):
                count = owner.shell.execution_count
                owner.outputs.rich("execute_result", format_dict, {"execution_count": count})

        class Shell(InteractiveShell):
            display_pub_class = Publisher
            displayhook_class = Hook

            def _showtraceback(self, etype, evalue, stb):
                lines = [ESCAPES.sub("", line) for line in stb][-12:]
                name, words = getattr(etype, "__name__", "Error"), str(evalue)[:2000]
                if owner.outputs.room_for(sum(map(len, lines))):
                    owner.outputs.items.append(
                        {"output_type": "error", "ename": name, "evalue": words, "traceback": lines}
                    )

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

    def run(self, source: str) -> list[dict]:
        self.outputs = Outputs(self.limit)
        try:
            self.shell.run_cell(source, store_history=True)
        except KeyboardInterrupt:
            self.outputs.items.append(error("KeyboardInterrupt", "the cell was interrupted"))
        except BaseException as fault:  # a student's SystemExit, or a shell that they broke
            self.outputs.items.append(error(type(fault).__name__, str(fault)[:2000]))
        return self.outputs.items


def error(name: str, words: str) -> dict:
    return {"output_type": "error", "ename": name, "evalue": words, "traceback": [f"{name}: {words}"]}


def answer(notebook: Notebook, kit, message: bytes, limit: int) -> bytes:
    """Call the student's object on each call of a probe; the reply is a list of outcomes as plain bytes."""
    asked = kit.plain.decode(message)
    target = notebook.shell.user_ns.get(asked["exercise"], kit.calling.MISSING)
    notebook.outputs = Outputs(notebook.limit)
    outcomes = [kit.calling.outcome(asked["kind"], target, call, asked["outputs"]) for call in asked["calls"]]
    reply = kit.plain.encode(outcomes)
    return reply if len(reply) <= limit else b""


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


def main(arguments: list[str]) -> None:
    read_fd, write_fd, memory_mb, cpu_s, file_mb, open_files, processes, output_kb, reply_mb = map(int, arguments[:9])
    kit_folder, folder, work = arguments[9:]
    pipes = Pipes(read_fd, write_fd)
    for fd in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), fd)
    if work:
        shutil.copytree(folder, work, dirs_exist_ok=True)
    os.chdir(work or folder)
    # The trusted kit, under a name of its own: the student's folder holds one called `kit`.
    sys.path.append(str(Path(kit_folder).parent))
    kit = importlib.import_module(Path(kit_folder).name)
    for part in ("plain", "calling"):
        importlib.import_module(f"{kit.__name__}.{part}")
    sys.path.remove(str(Path(kit_folder).parent))
    probing = sys.modules.pop(kit.__name__)
    for name in [name for name in sys.modules if name.startswith(f"{kit.__name__}.")]:
        sys.modules.pop(name)
    sys.path.insert(0, "")
    confine(memory_mb, cpu_s, file_mb, open_files, processes)
    notebook = Notebook(output_kb * 1024)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    pipes.send({"nonce": "ready"})
    while True:
        try:
            header, blob = pipes.receive()
            if header["what"] == "run":
                pipes.send({"nonce": header["nonce"], "outputs": notebook.run(header["source"])})
            else:
                pipes.send({"nonce": header["nonce"]}, answer(notebook, probing, blob, reply_mb * 2**20))
                gc.collect()
        except KeyboardInterrupt:  # it came late, when the cell was done or while a probe ran
            pipes.send({"nonce": header["nonce"], "outputs": [error("KeyboardInterrupt", "interrupted")]})


if __name__ == "__main__":
    main(sys.argv[1:])
