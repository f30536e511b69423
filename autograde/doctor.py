"""What of this machine is ready to grade, and what to do about what is not."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook

from autograde.grading import cgroups, sandbox
from autograde.grading.course import Course
from autograde.grading.execute import run

REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"


@dataclass(frozen=True)
class Line:
    """One thing that was looked at: whether it is ready, whether grading needs it, and words."""

    ready: bool
    words: str
    needed: bool = True


def lines(course: Course, attacks: bool = True) -> Iterator[Line]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Line(sys.version_info >= (3, 11), f"Python {version}; 3.11 or later is needed")
    yield packages()
    yield sandboxed()
    yield grouped()
    if attacks and not sandbox.fault_of_this_machine():
        yield from attacked(course)
    free = shutil.disk_usage(course.root if course.root.exists() else Path.cwd()).free / 2**30
    yield Line(free > 1, f"{free:.0f} GiB of disk are free; a class needs about 1")
    yield Line(True, f"{os.cpu_count()} cores: --workers {os.cpu_count()} is a good choice", needed=False)
    yield device()
    config = course.root / "nbgrader_config.py"
    yield Line(config.exists(), f"the course is {course.root}" + ("" if config.exists() else ": no nbgrader_config.py"))
    released = sorted(path.name for path in course.root.glob("release/*") if path.is_dir())
    yield Line(bool(released), f"released: {', '.join(released) or 'nothing yet; autograde release'}", needed=False)


def packages() -> Line:
    wrong = []
    pins = re.findall(r"^([\w.-]+)==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE) if REQUIREMENTS.exists() else []
    for name, wanted in pins:
        try:
            got = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            got = "nothing"
        if got != wanted:
            wrong.append(f"{name} {got} (expected {wanted})")
    words = f"{len(pins)} packages at their pinned versions"
    return Line(not wrong, words if not wrong else f"packages differ: {', '.join(wrong)}; run make again", needed=False)


def sandboxed() -> Line:
    try:
        sandbox.require()
    except sandbox.NoSandbox as error:
        return Line(False, str(error))
    return Line(True, "bubblewrap confines student code")


def grouped() -> Line:
    held = {name for place in cgroups.here() for name in place.controllers}
    missing = [name for name in cgroups.CONTROLLERS if name not in held]
    if not missing:
        return Line(True, "control groups bound a submission's processes, memory and share of the cores", needed=False)
    words = f"no control group can be made for {', '.join(missing)}: the watcher alone bounds it, ten times a second"
    return Line(False, f"{words}; a shell of systemd-run --user --scope --property=Delegate=yes may help", needed=False)


def device() -> Line:
    import torch

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return Line(bool(name), f"GPU: {name or 'none; none is needed'}", needed=False)


def attacked(course: Course) -> Iterator[Line]:
    """Run small attacks in the sandbox, and say whether each one failed as it must."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield from _attacked(course, listener)


def _attacked(course: Course, listener: socket.socket) -> Iterator[Line]:
    attacks = {
        "the reference cannot be imported": "import solutions",
        "the repository cannot be read": f"open({str(REQUIREMENTS)!r}).read()",
        "the gradebook's folder cannot be read": f"import os; os.listdir({str(course.root)!r})",
        "the network cannot be reached": "import socket; "
        f"socket.create_connection({listener.getsockname()}, timeout=2)",
        "the system cannot be written to": "open('/usr/mark', 'w').write('x')",
        "the host's environment is not seen": "import os; os.environ['SHELL_OF_THE_HOST']",
        "the host's processes are not seen": f"import os; os.kill({os.getpid()}, 0)",
        "memory is bounded": "hoard = [bytearray(2**28) for _ in range(64)]",
    }
    notebook = new_notebook(cells=[new_code_cell(source) for source in attacks.values()])
    os.environ["SHELL_OF_THE_HOST"] = "seen"
    with tempfile.TemporaryDirectory() as folder:
        result = run(notebook, Path(folder), lambda name, ask: None, limits=sandbox.Limits(memory_mb=2048))
    for index, words in enumerate(attacks):
        failed = any(output["output_type"] == "error" for output in result.outputs.get(index, []))
        yield Line(failed, words if failed else f"an attack got through: {words} does not hold here")
