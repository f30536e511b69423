"""Forks of a warm sandbox: what one notebook leaves behind, the next one does not find, and none reaches what forks."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograde.grading import execute, rooms, sandbox
from autograde.grading.execute import Cell, Run
from autograde.grading.jobs import Job, perform
from autograde.grading.rooms import Ending, Fork, Rooms, Warm, WarmFault
from autograde.grading.sandbox import Limits
from tests.grading.test_execute import text

pytestmark = pytest.mark.sandbox
LIMITS = Limits(cell_s=20, notebook_s=120, memory_mb=2048)


@pytest.fixture(scope="module")
def own() -> Iterator[Rooms]:
    """Rooms of this module alone, in the place of the process's own."""
    made, known = Rooms(), rooms.ROOMS
    execute.ROOMS = made
    yield made
    execute.ROOMS = known
    made.close()


def run(*sources: str, cold: bool = False, limits: Limits = LIMITS, files: dict[str, str] | None = None) -> Run:
    with tempfile.TemporaryDirectory() as place:
        for name, content in (files or {}).items():
            (Path(place) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(place) / name).write_text(content)
        notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
        result = execute.run(notebook, Path(place), lambda name, ask: None, limits=limits, cold=cold)
    assert result.warm is not cold, execute.ROOMS.fault
    return result


def test_a_fork_is_a_notebook_like_any_other(own: Rooms) -> None:
    source = "import numpy as np, torch\nprint(np.ones(2).sum(), torch.ones(2).sum().item())\nopen('mine/a.txt').read()"
    warm, cold = (run(source, cold=cold, files={"mine/a.txt": "mine"}) for cold in (False, True))
    assert warm.outputs == cold.outputs and text(warm.outputs[0]).startswith("2.0 2.0")
    assert warm.reason == cold.reason == "ok"


MARKS = {
    "a file in /tmp": ("open('/tmp/mark', 'w')", "open('/tmp/mark')"),
    "a file in shared memory": ("open('/dev/shm/mark', 'w')", "open('/dev/shm/mark')"),
    "a file in /dev": ("open('/dev/mark', 'w')", "open('/dev/mark')"),
    "a file beside the notebook": ("open('mark', 'w')", "open('mark')"),
    "a file at the root": ("open('/mark', 'w')", "open('/mark')"),
    "matplotlib's settings": ("open('/tmp/matplotlib/matplotlibrc', 'w')", "open('/tmp/matplotlib/matplotlibrc')"),
    "a patched numpy": ("import numpy; numpy.mark = 1", "import numpy; numpy.mark"),
    "a patched torch": ("import torch; torch.Tensor.mark = 1", "import torch; torch.Tensor.mark"),
    "a builtin": ("import builtins; builtins.mark = 1", "mark"),
    "a name in the notebook": ("mark = 1", "mark"),
    "an environment variable": ("import os; os.environ['MARK'] = '1'", "import os; os.environ['MARK']"),
    "a module": ("import sys; sys.modules['mark'] = sys", "import mark"),
    "a System V segment": (
        "import ctypes; assert ctypes.CDLL(None).shmget(4711, 4096, 0o1666) >= 0",
        "import ctypes; assert ctypes.CDLL(None).shmget(4711, 4096, 0o666) >= 0",
    ),
    "a semaphore of POSIX": (
        "import _multiprocessing as m; m.SemLock(1, 1, 1, '/mark', False)",
        "open('/dev/shm/sem.mark')",
    ),
    "a socket with an abstract name": (
        "import socket; kept = socket.socket(socket.AF_UNIX); kept.bind('\\0mark'); kept.listen()",
        "import socket; socket.socket(socket.AF_UNIX).connect('\\0mark')",
    ),
    "a port on loopback": (
        "import socket; kept = socket.create_server(('127.0.0.1', 4711))",
        "import socket; socket.create_connection(('127.0.0.1', 4711), timeout=1)",
    ),
    "a process": (
        "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)",
        "import subprocess; assert 'sleep' in subprocess.check_output('cat /proc/[0-9]*/comm', shell=True, text=True)",
    ),
    "a key in the kernel's ring": (
        "import ctypes; assert ctypes.CDLL(None).syscall(248, b'user', b'mark', b'x', 1, -4) > 0",
        "import ctypes; assert ctypes.CDLL(None).syscall(250, 10, -4, b'user', b'mark', 0) > 0",
    ),
}


def test_what_one_notebook_leaves_behind_the_next_does_not_find(own: Rooms) -> None:
    left = run(*(leave for leave, _ in MARKS.values()))
    assert left.reason == "ok"
    found = run(*(find for _, find in MARKS.values()))
    for index, what in enumerate(MARKS):
        assert any(output["output_type"] == "error" for output in found.outputs[index]), what
    warm = [one for one in own.all if isinstance(one, Warm)]
    assert len(warm) == 1, "both came from the same warm sandbox"


REACHES = {
    "see any process but its own": "import os; assert len([n for n in os.listdir('/proc') if n.isdigit()]) > 2",
    "keep a power": "assert int(open('/proc/self/status').read().split('CapEff:')[1].split()[0], 16)",
    "have a bounding set": "assert int(open('/proc/self/status').read().split('CapBnd:')[1].split()[0], 16)",
    "gain new privileges": "assert '\\nNoNewPrivs:\\t0' in open('/proc/self/status').read()",
    "make a user namespace": "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "make a process namespace": "import ctypes; assert ctypes.CDLL(None).unshare(0x20000000) == 0",
    "allow namespaces again": "open('/proc/sys/user/max_user_namespaces', 'w').write('9')",
    "write the kernel's settings": "import os; os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)",
    "write any file of the kernel's": "import os\nbad = []\nfor top, _, names in os.walk('/proc/sys'):\n"
    "    bad += [n for n in names if os.access(os.path.join(top, n), os.W_OK)]\nassert bad",
    "write to the kernel's own files": "import os\nassert [n for n in os.listdir('/proc') if not n.isdigit() "
    "and not os.path.islink('/proc/' + n) and os.path.isfile('/proc/' + n) and os.access('/proc/' + n, os.W_OK)]",
    "enter another namespace": "import ctypes, os; fd = os.open('/proc/1/ns/mnt', os.O_RDONLY); "
    "assert ctypes.CDLL(None).setns(fd, 0) == 0",
    "unmount what covers": "import ctypes; assert any(ctypes.CDLL(None).umount2(p, 2) == 0 "
    "for p in (b'/tmp', b'/proc', b'/dev/shm', b'/notebook'))",
    "mount anything": "import ctypes; assert ctypes.CDLL(None).mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0",
    "make the system writable": "import ctypes\nassert ctypes.CDLL(None).mount(None, b'/', None, 32 | 4096, None) == 0",
    "write to the grader's files": "open('/grader/warm.py', 'a')",
    "find the socket that asks for forks": "import os, stat\nheld = [fd for fd in range(256) if is_open(fd)]\n"
    "assert any(stat.S_ISSOCK(os.fstat(fd).st_mode) for fd in held)",
    "import the reference": "import solutions",
    "change its root": "import os; os.chroot('/tmp')",
    "call itself somebody else": "import os; os.setuid(0)",
}


def test_no_fork_reaches_what_it_was_forked_from(own: Rooms) -> None:
    is_open = "import os\ndef is_open(fd):\n    try: return bool(os.fstat(fd))\n    except OSError: return False"
    result = run(is_open, *REACHES.values())
    for index, what in enumerate(REACHES, 1):
        assert any(output["output_type"] == "error" for output in result.outputs.get(index, [])), what
    assert result.reason == "ok"


def test_killing_process_1_does_nothing_from_within(own: Rooms) -> None:
    result = run("import os\nos.kill(1, 9)\nos.kill(os.getppid(), 9)\nos.kill(-1, 9)", "1 + 1")
    assert result.reason == "ok" and text(result.outputs[1]) == "{'text/plain': '2'}"
    assert run("1 + 1").reason == "ok"


@pytest.mark.parametrize("end", ("os._exit(0)", "os.kill(os.getpid(), 9)", "os.abort()"))
def test_a_fork_that_dies_takes_only_itself_along(own: Rooms, end: str) -> None:
    before = own.ready()
    assert run("import os\n" + end).reason == "dead"
    assert run("1 + 1").reason == "ok" and own.ready() is before


def test_nothing_lives_on_below_a_warm_sandbox(own: Rooms) -> None:
    run("import os\nfor _ in range(5):\n    if os.fork() == 0:\n        os.setsid(); import time; time.sleep(600)")
    warm = own.ready()
    until = time.monotonic() + 10
    while len(psutil.Process(warm.process.pid).children(recursive=True)) > 2:  # bubblewrap's first process, and ours
        assert time.monotonic() < until
        time.sleep(0.1)


def test_random_numbers_are_fresh_in_every_fork(own: Rooms) -> None:
    source = "import random, numpy as np\n(random.random(), np.random.rand(), np.random.default_rng().random())"
    first, second = (text(run(source).outputs[0]) for _ in range(2))
    assert first != second
    assert not set(first.strip("{}()").split(", ")) & set(second.strip("{}()").split(", "))
    seeded = "import torch\ntorch.manual_seed(3)\ntorch.rand(2).tolist()"
    assert run(seeded).outputs == run(seeded).outputs


def test_limits_are_those_of_the_submission_not_of_the_sandbox(own: Rooms) -> None:
    small = Limits(cell_s=20, notebook_s=60, memory_mb=2048, file_mb=1, folder_mb=4)
    result = run(
        "open('a', 'wb').write(bytes(2**21))",
        "import resource; resource.getrlimit(resource.RLIMIT_CPU)[0]",
        limits=small,
    )
    assert "File too large" in text(result.outputs[0])
    assert text(result.outputs[1]) == "{'text/plain': '300'}"
    full = "for n in range(9):\n    open(f'{n}', 'wb').write(bytes(2**20 - 1))"
    assert "No space left" in text(run(full, limits=small).outputs[0])
    large = Limits(cell_s=20, notebook_s=60, memory_mb=2048, file_mb=16)
    assert not run("open('a', 'wb').write(bytes(2**22)); None", limits=large).outputs[0]


def test_what_the_sandbox_needs_from_tmp_is_there_and_read_only(
    own: Rooms, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A project that lies in /tmp has its Python and its packages there."""
    system = sandbox._system()
    shutil.copy(sandbox.KIT / "plain.py", tmp_path)
    (tmp_path / "__pycache__").mkdir()
    kit = ["--ro-bind", str(tmp_path), "/tmp/project/lib", "--tmpfs", "/tmp/project/lib/__pycache__"]
    monkeypatch.setattr(sandbox, "_system", lambda: [*system, *kit])
    own.close()
    result = run(
        "import os\nassert 'plain.py' in os.listdir('/tmp/project/lib') and os.listdir('/tmp/project') == ['lib']",
        "os.listdir('/tmp/project/lib/__pycache__')",
        "open('/tmp/project/lib/mark', 'w')",
        "open('/tmp/project/lib/__pycache__/mark', 'w')",
        "open('/tmp/mark', 'w'); None",
    )
    own.close()
    assert result.warm and not result.outputs[0] and not result.outputs[4]
    assert text(result.outputs[1]) == "{'text/plain': '[]'}"
    assert all("Read-only file system" in text(result.outputs[number]) for number in (2, 3))


def test_a_warm_sandbox_that_is_killed_is_replaced(own: Rooms) -> None:
    run("1")
    warm = own.ready()
    warm.process.kill()
    warm.process.wait()
    assert run("1 + 1").outputs[0][0]["data"] == {"text/plain": "2"}


def test_one_that_dies_during_a_submission_is_no_fault_of_the_notebook(own: Rooms) -> None:
    for cold in (False, True):
        run("1")
        threading.Timer(1.5, lambda: [one.end() for one in own.all]).start()
        result = run("import time; time.sleep(10)", cold=cold)
        assert (result.reason, result.detail, result.lost) == ("dead", "its sandbox was ended from outside", True)
        assert run("1 + 1").reason == "ok"


def test_a_notebook_whose_sandbox_is_ended_runs_again(own: Rooms) -> None:
    """Twice; if a third one ends below it, that is how the notebook ended, and nothing waits for ever."""
    for count in (1, 2, 3):
        left = [count]
        stop = threading.Event()

        def end(left: list[int] = left, stop: threading.Event = stop) -> None:
            seen = None
            while left[0] and not stop.wait(0.1):
                warm = next((one for one in own.all if isinstance(one, Warm) and one.alive() and one is not seen), None)
                if warm and len(psutil.Process(warm.process.pid).children(recursive=True)) > 3:
                    seen, left[0] = warm, left[0] - 1
                    warm.end()

        killer = threading.Thread(target=end)
        killer.start()
        job = Job((Cell("code", "import time; time.sleep(1.5)", {}), Cell("code", "1 + 1", {})), (), {}, LIMITS)
        done = perform(job).run
        stop.set()
        killer.join()
        assert not left[0] and done.reason == ("ok" if count < 3 else "dead") and done.lost is (count == 3)


def test_when_the_grading_ends_nothing_runs_and_nothing_begins(own: Rooms) -> None:
    """Ctrl-C in the coordinator: its threads wait for notebooks, and must not be waited for."""
    ended: list[object] = []

    def work() -> None:
        try:
            ended.append(perform(Job((Cell("code", "import time; time.sleep(60)", {}),), (), {}, LIMITS)))
        except Ending:
            ended.append(Ending)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(3)
    own.end()
    thread.join(timeout=10)
    assert not thread.is_alive() and ended == [Ending]
    own.close()
    assert run("1 + 1").reason == "ok"


def test_a_notebook_may_start_as_many_processes_as_it_is_allowed_and_no_more(own: Rooms) -> None:
    few = Limits(cell_s=20, notebook_s=60, memory_mb=2048, processes=8)
    source = "import subprocess, time\nkept = [subprocess.Popen(['sleep', '9']) for _ in range({})]\ntime.sleep(1)"
    for cold in (False, True):
        allowed, more = (run(source.format(count), cold=cold, limits=few) for count in (8, 9))
        assert allowed.reason == "ok" and (more.reason, more.detail) == ("dead", "it started more than 8 processes")


def test_where_no_room_can_be_closed_no_student_code_runs(own: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warm sandbox without its powers cannot close a fork's doors: the fork says so before it has run anything."""
    known = sandbox.warm_command
    monkeypatch.setattr(
        sandbox, "warm_command", lambda fd: [w for w in known(fd) if w not in ("--cap-add", "CAP_SYS_RESOURCE")]
    )
    with pytest.raises(WarmFault):
        Warm().close()


def test_where_none_can_be_had_each_notebook_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: Warm) -> None:
        raise WarmFault("not here")

    monkeypatch.setattr(Warm, "__init__", none)
    fresh = Rooms()
    monkeypatch.setattr(execute, "ROOMS", fresh)
    result = run("1 + 1", cold=True)
    with tempfile.TemporaryDirectory() as place:
        notebook = new_notebook(cells=[new_code_cell("1 + 1")])
        fallen = execute.run(notebook, Path(place), lambda name, ask: None, limits=LIMITS)
    assert fallen.outputs == result.outputs and not fallen.warm and "not here" in fresh.fault


def test_a_fork_is_found_by_its_number_in_the_sandbox(own: Rooms) -> None:
    read_fd, write_fd = os.pipe()
    room = own.room(Path("/nonexistent"), LIMITS, (read_fd, write_fd), unsafe=False, cold=False)
    assert isinstance(room, Fork) and psutil.Process(room.pid).ppid() != os.getpid()
    room.close()
    os.close(read_fd)
    os.close(write_fd)
    assert not psutil.pid_exists(room.pid)
