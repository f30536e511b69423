"""The sandbox in which student code runs: bubblewrap, and the limits that ``watcher.py`` and the kernel keep.

Inside there is Python with its packages, the release's files and the student's own, and nothing else: no network, no
repository, no gradebook, no other submission, no environment variables of the host. Everything that runs in it dies
with it (a process namespace of its own). Where no sandbox can be had, ``require`` raises ``NoSandbox``.
"""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from autograde.grading.refused import Refused

OURS = ("solutions", "autograde", "chapters")
HERE = Path(__file__).resolve().parent
KIT = HERE.parent / "kit"
INSIDE = HERE / "inside.py"
WARM = HERE / "warm.py"

ENVIRONMENT = {
    "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
    "HOME": "/tmp",
    "USER": "student",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True)
class Limits:
    """What a submission may use: seconds, MiB, counts. Each can be set in the course's configuration."""

    cell_s: float = 60
    notebook_s: float = 300
    cpu_s: int = 300
    memory_mb: int = 4096
    processes: int = 64
    file_mb: int = 64
    folder_mb: int = 256
    open_files: int = 256
    output_kb: int = 1024
    reply_mb: int = 64


class NoSandbox(Refused):
    """Student code cannot be confined on this machine, so it is not run."""


def require() -> None:
    """Raise ``NoSandbox``, saying what is missing and what to do, unless bubblewrap works here."""
    fault = fault_of_this_machine()
    if fault:
        raise NoSandbox(
            f"{fault} Student code does not run without a sandbox. On Debian and Ubuntu: apt-get install bubblewrap. "
            "To grade code that you trust all the same, say --unsafe-no-sandbox; every score then carries a mark."
        )


@functools.cache
def fault_of_this_machine() -> str | None:
    """What keeps bubblewrap from confining code here, in words, or None if it does."""
    if not sys.platform.startswith("linux"):
        return f"The sandbox needs Linux; this is {sys.platform}."
    if not shutil.which("bwrap"):
        return "bubblewrap (bwrap) is not installed."
    trial = subprocess.run(
        [*_namespaces(), *_system(), "--", "/bin/sh", "-c", "true"], capture_output=True, text=True, timeout=30
    )
    if trial.returncode:
        return f"bubblewrap does not work here: {trial.stderr.strip()[:300] or trial.returncode}."
    return None


def command(folder: Path, limits: Limits, fds: tuple[int, int], unsafe: bool) -> list[str]:
    """The argument list that runs ``inside.py`` over a submission's ``folder``, talking on two inherited pipes."""
    inside = [str(value) for value in (*fds, limits.memory_mb, limits.cpu_s, limits.file_mb, limits.open_files)]
    inside += [str(limits.processes), str(limits.output_kb), str(limits.reply_mb)]
    if unsafe:
        return [sys.executable, "-I", str(INSIDE), *inside, str(KIT), str(folder), ""]
    return [
        *_namespaces(),
        *_system(),
        *("--size", str(limits.folder_mb * 2**20), "--tmpfs", "/notebook"),
        *("--ro-bind", str(folder), "/grader/folder", "--ro-bind", str(KIT), "/grader/kit"),
        *("--ro-bind", str(INSIDE), "/grader/inside.py", "--chdir", "/notebook"),
        *("--", sys.executable, "-I", "/grader/inside.py", *inside, "/grader/kit", "/grader/folder", "/notebook"),
    ]


def warm_command(control_fd: int) -> list[str]:
    """The argument list that runs ``warm.py``: it holds no submission, and makes a room of its own for each.

    For that it keeps a few powers over its own namespaces, none over the host's; no fork has any of them left.
    """
    powers = ("SYS_ADMIN", "SYS_RESOURCE", "SETPCAP", "SETUID", "SETGID", "SETFCAP")
    return [
        *_unshared(),
        *(word for power in powers for word in ("--cap-add", f"CAP_{power}")),
        *_system(),
        *("--dir", "/notebook", "--ro-bind", str(KIT), "/grader/kit"),
        *("--ro-bind", str(INSIDE), "/grader/inside.py", "--ro-bind", str(WARM), "/grader/warm.py"),
        *("--", sys.executable, "-I", "/grader/warm.py", str(control_fd), "/grader/kit"),
    ]


def _namespaces() -> list[str]:
    return [*_unshared(), "--disable-userns", "--uid", "1000", "--gid", "1000"]


def _unshared() -> list[str]:
    return [
        *(shutil.which("bwrap") or "bwrap", "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc"),
        *("--unshare-uts", "--unshare-cgroup-try", "--new-session", "--die-with-parent", "--cap-drop", "ALL"),
        *("--hostname", "notebook", "--clearenv"),
    ]


def _system() -> list[str]:
    """Python, its packages and the system's libraries, read-only; a small private /tmp; nothing of ours."""
    arguments = ["--size", str(256 * 2**20), "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev"]
    arguments += ["--size", str(64 * 2**20), "--tmpfs", "/dev/shm"]
    for place in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"):
        path = Path(place)
        if path.is_symlink():
            arguments += ["--symlink", str(path.readlink()), place]
        elif path.is_dir():
            arguments += ["--ro-bind", place, place]
    for place in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime", "/usr/local/lib"):
        arguments += ["--ro-bind-try", place, place]
    for prefix in sorted({sys.base_prefix, sys.prefix}):
        if not prefix.startswith("/usr"):
            arguments += ["--ro-bind", prefix, prefix]
    for packages in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for name in OURS:
            if (Path(packages) / name).exists():
                arguments += ["--tmpfs", str(Path(packages) / name)]
    for name, value in ENVIRONMENT.items():
        arguments += ["--setenv", name, value]
    return arguments
