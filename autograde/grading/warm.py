"""The program inside a warm sandbox: numpy, torch and matplotlib are loaded once, and each notebook gets a fork.

It runs no student's code itself. A fork first becomes a room of its own: process, mount, IPC, host-name and user
namespaces of its own; everything that was there read-only; a fresh ``/tmp``, ``/dev/shm``, ``/notebook`` and ``/proc``;
no capability, and no further namespaces; nothing open but its two pipes. Only then does it receive the submission's
files and begin. When its first process ends, the kernel ends all the others. If any of this cannot be had, the fork
says so and ends before a student's code has run.

It holds no answers, and nothing of one submission is ever in the process from which the next one is forked.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import random
import signal
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import inside

sys.path.pop(0)

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000
RDONLY, NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
PDEATHSIG, CAPBSET_DROP, NO_NEW_PRIVS, CAP_AMBIENT = 1, 24, 38, 47
CAPABILITY_VERSION = 0x20080522
FRESH = {"/tmp": 256, "/dev/shm": 64}  # MiB
BELOW_FRESH = tuple(f"{place}/" for place in FRESH)
ID = 1000  # who a student is inside

libc = ctypes.CDLL(None, use_errno=True)


def must(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    words = [value.encode() if value is not None else None for value in (source, target, kind)]
    must(libc.mount(*words, flags, options.encode() if options else None), f"mounting {target}")


def write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def mounted() -> list[tuple[str, int]]:
    """Where something is mounted, with the flags that it must keep."""
    known = {"nosuid": NOSUID, "nodev": NODEV, "noexec": NOEXEC}
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        where = fields[4].encode().decode("unicode_escape")
        found.append((where, sum(known.get(option, 0) for option in fields[5].split(","))))
    return found


def become_a_room(folder_mb: int) -> None:
    """In process 1 of a new process namespace: see nothing of others, leave nothing to others, keep no power."""
    mount(None, "/", None, REC | PRIVATE)
    for where, flags in mounted():
        mount(None, where, None, REMOUNT | BIND | RDONLY | flags)
    below = [(os.open(where, os.O_PATH), where, flags) for where, flags in mounted() if where.startswith(BELOW_FRESH)]
    for where, size in {**FRESH, "/notebook": folder_mb}.items():
        mount("tmpfs", where, "tmpfs", NOSUID | NODEV, f"size={size}m,mode=0755")
    for fd, where, flags in below:
        show_again(fd, where, flags)
    mount("proc", "/proc", "proc", NOSUID | NODEV | NOEXEC)
    sys_fd = os.open("/proc/sys", os.O_PATH | os.O_DIRECTORY)  # as it is below what covers it next
    cover_the_kernels_files()
    user, group = os.getuid(), os.getgid()
    must(libc.unshare(NEWUSER), "a user namespace")
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{ID} {user} 1")
    write("/proc/self/gid_map", f"{ID} {group} 1")
    limit = os.open("user/max_user_namespaces", os.O_WRONLY, dir_fd=sys_fd)
    os.write(limit, b"0")
    os.close(limit)
    os.close(sys_fd)
    drop_capabilities()
    if (os.getuid(), os.getgid()) != (ID, ID):
        raise OSError(f"is user {os.getuid()}; expected {ID}")


def show_again(fd: int, where: str, flags: int) -> None:
    """Mount what a fresh folder hides: a project that lies in ``/tmp`` has its Python there."""
    if not Path(f"/proc/self/fd/{fd}").is_dir():
        raise OSError(f"{where} is mounted and no folder")
    Path(where).mkdir(parents=True, exist_ok=True)
    mount(f"/proc/self/fd/{fd}", where, None, BIND)
    mount(None, where, None, REMOUNT | BIND | RDONLY | flags)
    os.close(fd)


def cover_the_kernels_files() -> None:
    """Make everything in ``/proc`` read-only but the processes: where root grades, its files are root's own."""
    for path in Path("/proc").iterdir():
        if path.name.isdigit() or path.is_symlink() or not (path.is_dir() or os.access(path, os.W_OK)):
            continue
        mount(str(path), str(path), None, BIND)
        mount(None, str(path), None, REMOUNT | BIND | RDONLY | NOSUID | NODEV | NOEXEC)


def drop_capabilities() -> None:
    for capability in range(64):
        libc.prctl(CAPBSET_DROP, capability, 0, 0, 0)
    must(libc.prctl(CAP_AMBIENT, 4, 0, 0, 0), "ambient capabilities")
    must(libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    must(libc.capset(header, none), "capabilities")
    left = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Cap")]
    if any(int(word, 16) for word in left):
        raise OSError(f"capabilities are left: {left}")


def close_all_but(*kept: int) -> None:
    for low, high in zip((2, *sorted(kept)), (*sorted(kept), 2**16)):
        os.closerange(low + 1, high)


def fork(work, *fds: int) -> int:
    """Run ``work`` in a child that never returns to here, with nothing open but ``fds``; gives the child's number."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        close_all_but(*fds)
        code = work()
    finally:
        os._exit(code)


def begin(asked: dict, read_fd: int, write_fd: int, notebook: inside.Notebook, kit) -> int:
    """Process 1 of the room: close the doors, start the notebook, and end with it."""
    libc.prctl(PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    pipes = inside.Pipes(read_fd, write_fd)
    try:
        must(libc.unshare(NEWNS | NEWIPC | NEWUTS), "namespaces")
        become_a_room(asked["folder_mb"])
    except (OSError, ValueError) as error:
        pipes.send({"nonce": "ready", "fault": str(error)})
        return 1
    child = fork(lambda: study(asked, pipes, notebook, kit), read_fd, write_fd)
    os.close(read_fd)
    os.close(write_fd)
    while True:
        with contextlib.suppress(InterruptedError):
            if os.wait()[0] == child:
                return 0


def study(asked: dict, pipes: inside.Pipes, notebook: inside.Notebook, kit) -> int:
    """The notebook's own process."""
    os.chdir("/notebook")
    notebook.limit = asked["output_kb"] * 1024
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    header, blob = pipes.receive()
    unpack(header["files"], blob)
    limits = ("memory_mb", "cpu_s", "file_mb", "open_files", "processes")
    inside.confine(*(asked[name] for name in limits))
    inside.serve(pipes, notebook, kit, asked["reply_mb"])
    return 0


def unpack(files: list, blob: bytes) -> None:
    """Write the submission's files, ``[[name, size], …]``, from their bytes one after another."""
    position = 0
    for name, size in files:
        path = Path("/notebook") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(blob[position : position + size])
        position += size


def load() -> None:
    """Import what notebooks import, and what torch imports late, at the first use of its meta device.

    Nothing is computed: a thread that runs would be missing in every fork.
    """
    import matplotlib.pyplot  # noqa: F401
    import matplotlib_inline.backend_inline  # noqa: F401
    import numpy  # noqa: F401
    import torch

    torch.set_num_threads(1)
    torch.zeros(1, device="meta").sin()


def warm_up(notebook: inside.Notebook) -> None:
    """Show an error once, which fills the caches behind it, and keep what is loaded out of every fork's collections."""
    try:
        raise ValueError
    except ValueError:
        notebook.shell.showtraceback()
    notebook.outputs = inside.Outputs(0)
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)
    gc.collect()
    gc.freeze()


def main(control_fd: int, kit_folder: str) -> None:
    """Fork when asked, ``{"fork": limits}`` with two pipes; collect what ended, ``{"reap": number}``."""
    inside.silence()
    load()
    kit = inside.load_kit(Path(kit_folder))
    notebook = inside.Notebook(0)
    warm_up(notebook)
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    control.send(json.dumps({"ready": True}).encode())
    while True:
        data, fds, _, _ = socket.recv_fds(control, 2**16, 2)
        if not data:
            return
        asked = json.loads(data)
        if "fork" in asked:
            said = new_fork(asked["fork"], fds[0], fds[1], notebook, kit)
        else:
            said = collect(asked["reap"])
        control.send(json.dumps(said).encode())


def new_fork(asked: dict, read_fd: int, write_fd: int, notebook: inside.Notebook, kit) -> dict:
    """Fork into a process namespace of its own. The one that forks keeps its own namespace for what it forks next."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    try:
        must(libc.unshare(NEWPID), "a process namespace")
        child = fork(lambda: begin(asked, read_fd, write_fd, notebook, kit), read_fd, write_fd)
        must(libc.setns(own, NEWPID), "the own process namespace")
    finally:
        for fd in (own, read_fd, write_fd):
            os.close(fd)
    return {"child": child}


def collect(child: int) -> dict:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)
    return {"reaped": child}


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
