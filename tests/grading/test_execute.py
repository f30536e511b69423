"""What runs in the sandbox: outputs as a notebook shows them, and attacks that come to nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograde.grading import cgroups, sandbox
from autograde.grading import execute as executing
from autograde.grading.execute import Reply, Run, run
from autograde.grading.rooms import Rooms
from autograde.grading.sandbox import Limits
from autograde.kit.plain import decode, encode
from tests.grading.notebooks import ROOT, marks

pytestmark = pytest.mark.sandbox
QUICK = Limits(cell_s=2, notebook_s=20, memory_mb=512, processes=20, output_kb=64)
CALL = encode({"exercise": "f", "kind": "function", "outputs": ["y"], "calls": [{"args": [1.0]}]})


def execute(*sources: str, folder: Path | None = None, limits: Limits = QUICK, probe: bool = False) -> tuple[Run, list]:
    """Run cells in the sandbox; with ``probe``, ask ``f(1.0)`` at the end. Returns the run and the replies."""
    cells = [new_code_cell(source) for source in sources]
    if probe:
        cells.append(new_code_cell("check", metadata=marks("f", grade=True, points=1.0)))
    replies: list[Reply] = []
    with tempfile.TemporaryDirectory() as place:
        result = run(
            new_notebook(cells=cells), folder or Path(place), lambda name, ask: replies.append(ask(CALL)), limits=limits
        )
    return result, replies


def text(outputs: list[dict]) -> str:
    return "".join(o.get("text", "") + o.get("evalue", "") + str(o.get("data", "")) for o in outputs)


def outcome(reply: Reply) -> dict:
    assert reply.status == "ok", reply
    (found,) = decode(reply.data)  # type: ignore[misc]
    return found


def test_a_sandbox_can_be_had_on_this_machine() -> None:
    sandbox.require()


def test_outputs_are_those_of_a_notebook() -> None:
    result, _ = execute("print('said')\n1 + 1", "raise ValueError('wrong')", "await __import__('asyncio').sleep(0, 3)")
    assert [o["output_type"] for o in result.outputs[0]] == ["stream", "execute_result"]
    assert result.outputs[0][1]["data"] == {"text/plain": "2"}
    assert (result.outputs[1][0]["ename"], result.outputs[1][0]["evalue"]) == ("ValueError", "wrong")
    assert result.outputs[2][0]["data"] == {"text/plain": "3"}
    assert result.reason == "ok"


def test_a_figure_is_a_picture_and_show_does_not_wait() -> None:
    result, _ = execute(
        "%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
        limits=Limits(cell_s=30, memory_mb=1024),
    )
    assert any("image/png" in o.get("data", {}) for o in result.outputs[0])


def test_html_of_a_student_does_not_come_out() -> None:
    result, _ = execute("from IPython.display import HTML, display\ndisplay(HTML('<script>alert(1)</script>'))")
    assert "script" not in text(result.outputs[0])


def test_an_error_does_not_stop_the_cells_after_it() -> None:
    result, replies = execute("raise ValueError", "def f(x): return 2 * x", probe=True)
    assert outcome(replies[0])["outputs"] == {"y": 2.0}


def test_a_probe_reports_missing_stubbed_and_raising_functions() -> None:
    for source, status in [
        ("", "missing"),
        ("f = 3", "not_callable"),
        ("def f(x): raise NotImplementedError", "stub"),
        ("def f(x): return x / 0", "raised"),
        ("def f(x): pass", "none"),
        ("def f(x): raise SystemExit", "raised"),
    ]:
        _, replies = execute(source, probe=True)
        assert outcome(replies[0])["status"] == status


def test_files_beside_the_notebook_are_there_and_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("value = 7")
    result, _ = execute("import mine\nopen('new.txt', 'w').write('x')\nmine.value", folder=tmp_path)
    assert result.outputs[0][0]["data"] == {"text/plain": "7"}
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"], "the host's copy is untouched"


HIDDEN = {
    "the reference": "import solutions",
    "the exercises": "import autograde.exercises",
    "the repository": f"open({str(ROOT / 'README.md')!r}).read()",
    "the reference's file": f"open({str(ROOT / 'solutions/with_numpy/recurrent_neurons.py')!r}).read()",
    "the host's users": "open('/etc/shadow').read()",
    "the host's environment": "import os\nos.environ['SECRET_OF_THE_HOST']",
    "the environment of process 1": "assert b'SECRET_OF_THE_HOST' in open('/proc/1/environ', 'rb').read()",
    "the host's processes": f"import os\nos.kill({os.getpid()}, 0)",
    "the system, to write": "open('/usr/bin/mark', 'w')",
    "Python's packages, to write": "import numpy\nopen(numpy.__file__, 'a')",
    "the kit that probes, to write": "open('/grader/kit/calling.py', 'a')",
    "mounting": "import subprocess\nsubprocess.run(['mount', '-t', 'tmpfs', 'x', '/mnt'], check=True)",
    "another user namespace": "import subprocess\nsubprocess.run(['unshare', '-U', 'true'], check=True)",
    "a name on the network": "import socket\nsocket.getaddrinfo('example.org', 80)",
}


@pytest.mark.parametrize("what", HIDDEN)
def test_student_code_cannot_reach(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_HOST", "seen")
    result, _ = execute(HIDDEN[what])
    assert any(output["output_type"] == "error" for output in result.outputs[0])


@pytest.mark.parametrize("kind", ["tcp", "udp", "unix"])
def test_nothing_arrives_at_a_listener_of_the_host(kind: str, tmp_path: Path) -> None:
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "socket") if kind == "unix" else ("127.0.0.1", 0))
        listener.settimeout(0.5)
        if kind != "udp":
            listener.listen()
        how = {"tcp": "SOCK_STREAM", "udp": "SOCK_DGRAM", "unix": "SOCK_STREAM"}[kind]
        execute(
            f"import socket\ns = socket.socket(socket.{family.name}, socket.{how})\n"
            f"s.connect({listener.getsockname()!r})\ns.send(b'hello')"
        )
        with pytest.raises(TimeoutError):
            listener.recvfrom(9) if kind == "udp" else listener.accept()


def test_an_endless_loop_is_interrupted_and_the_run_goes_on() -> None:
    result, replies = execute("while True: pass", "def f(x): return x", probe=True)
    assert result.limits_hit == ["this cell ran for more than 2 s"]
    assert outcome(replies[0])["outputs"] == {"y": 1.0}


def test_a_loop_that_ignores_interrupts_is_killed() -> None:
    result, replies = execute(
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "def f(x): return x",
        probe=True,
    )
    assert result.reason == "timeout"
    assert replies[0].status == "dead" and "could not be interrupted" in replies[0].detail


def test_a_probed_function_that_never_returns_is_a_timeout() -> None:
    result, replies = execute("def f(x):\n    while True: pass", probe=True)
    assert replies[0].status == "timeout" and result.limits_hit


@pytest.mark.parametrize(
    "source",
    ["import os; os._exit(0)", "import os; os.kill(os.getpid(), 9)", "import ctypes; ctypes.string_at(0)"],
    ids=["exit", "kill", "segfault"],
)
def test_a_dead_process_is_said_and_later_probes_are_dead(source: str) -> None:
    result, replies = execute(source, "def f(x): return x", probe=True)
    assert result.reason == "dead" and replies[0].status == "dead"


def test_exit_and_deep_recursion_end_nothing() -> None:
    result, replies = execute(
        "exit()", "import sys; sys.exit(3)", "def g(): return g()\ng()", "def f(x): return x", probe=True
    )
    assert result.reason == "ok" and outcome(replies[0])["status"] == "ok"


def test_input_has_nobody_to_ask() -> None:
    result, _ = execute("input('Your name? ')")
    assert "nobody to ask" in text(result.outputs[0])


@pytest.fixture(params=("groups", "no groups"))
def counted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Rooms whose processes and memory the kernel's groups count, and rooms where the watcher looks at each process."""
    if request.param == "no groups":
        monkeypatch.setattr(cgroups, "group", lambda memory_mb, processes: None)
    made = Rooms()
    monkeypatch.setattr(executing, "ROOMS", made)
    yield
    made.close()


def test_memory_is_bounded(counted: None) -> None:
    limits = Limits(cell_s=20, notebook_s=60, memory_mb=512)
    result, _ = execute("hoard = [bytearray(2**27) for _ in range(64)]", limits=limits)
    assert result.reason == "dead" or "MemoryError" in str(result.outputs[0])


def test_a_few_processes_are_let_be(counted: None) -> None:
    few = "import os, time\nfor _ in range(15):\n    if os.fork() == 0: time.sleep(60); os._exit(0)\ntime.sleep(0.5)"
    result, _ = execute(few, limits=Limits(cell_s=20, notebook_s=60, processes=20))
    assert result.reason == "ok"


def test_a_fork_bomb_is_stopped(counted: None) -> None:
    bomb = "import os, time\nfor _ in range(200):\n    if os.fork() == 0: time.sleep(60); os._exit(0)"
    result, _ = execute(bomb, limits=Limits(cell_s=20, notebook_s=60, processes=20))
    assert result.reason == "dead" and "processes" in result.detail


@pytest.fixture
def busy_machine() -> Iterator[None]:
    """Four other processes for each core that want it all."""
    loop = [sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(loop, start_new_session=True) for _ in range(4 * (os.cpu_count() or 1))]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


def test_waiting_for_a_busy_processor_is_no_time_that_a_cell_took(busy_machine: None) -> None:
    work = "import time\nwhile time.process_time() < begun + 1.5: pass"
    limits = Limits(cell_s=3, notebook_s=60)
    result, _ = execute(f"import time\nbegun = time.process_time()\n{work}", limits=limits)
    assert (result.reason, result.limits_hit) == ("ok", [])
    assert result.seconds[0] > 3, "the machine was not busy enough to show anything"


def test_sleeping_is_time_that_a_cell_took(busy_machine: None) -> None:
    result, _ = execute("import time\ntime.sleep(60)", limits=Limits(cell_s=2, notebook_s=60))
    assert result.limits_hit == ["this cell ran for more than 2 s"]
    assert result.seconds[0] < 6


def test_output_is_cut_off() -> None:
    result, _ = execute("for _ in range(10**6): print('x' * 100)")
    assert len(str(result.outputs[0])) < 3 * QUICK.output_kb * 1024 and "cut off" in str(result.outputs[0])


def test_a_reply_that_is_too_large_is_refused() -> None:
    _, replies = execute(
        "import numpy as np\ndef f(x): return np.zeros(3 * 2**17)",
        probe=True,
        limits=Limits(cell_s=10, reply_mb=1, memory_mb=1024),
    )
    assert replies[0].status == "bad"


FORGERY = """
import os, json, struct
def forge(nonce, blob):
    header = json.dumps({"nonce": nonce}).encode()
    for fd in range(3, 40):
        try:
            os.write(fd, struct.pack(">II", len(header), len(blob)) + header + blob)
        except OSError:
            pass
"""


def test_frames_that_nobody_asked_for_are_counted_and_dropped() -> None:
    result, replies = execute(
        FORGERY + "forge('0' * 32, b'forged')\nforge('ready', b'')", "def f(x): return x", probe=True
    )
    assert result.stray_frames >= 2
    assert outcome(replies[0])["outputs"] == {"y": 1.0}


def test_a_flood_of_forged_frames_ends_the_notebook() -> None:
    result, _ = execute(FORGERY + "for _ in range(500): forge('0' * 32, b'forged')")
    assert result.reason == "dead" and "nobody asked" in result.detail


def test_a_frame_that_claims_to_be_huge_ends_the_notebook() -> None:
    claim = "import os, struct\nfor fd in range(3, 40):\n    try: os.write(fd, struct.pack('>II', 2**31, 2**31))\n"
    result, _ = execute(claim + "    except OSError: pass")
    assert result.reason == "dead" and "more than is allowed" in result.detail


def test_a_frame_that_never_ends_ends_the_notebook() -> None:
    claim = "import os, struct\nfor fd in range(3, 40):\n    try: os.write(fd, struct.pack('>II', 50, 50))\n"
    started = time.monotonic()
    result, _ = execute(claim + "    except OSError: pass", "1")
    assert time.monotonic() - started < 20
    assert result.reason == "dead" and "in the middle of a message" in result.detail


def test_a_daemon_dies_with_the_sandbox() -> None:
    mark = f"mark-{os.getpid()}-{threading.get_ident()}"
    daemon = (
        "import os, subprocess, sys\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)', '{mark}'])\n"
        "    os._exit(0)"
    )
    execute(daemon, "import time; time.sleep(0.5)")
    deadline = time.monotonic() + 5
    while any(
        mark in process.info["cmdline"] for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"]
    ):
        assert time.monotonic() < deadline, "it outlived the sandbox"
        time.sleep(0.1)


def test_without_a_sandbox_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    sandbox.fault_of_this_machine.cache_clear()
    try:
        with pytest.raises(sandbox.NoSandbox, match="apt-get install bubblewrap"):
            execute("1")
    finally:
        sandbox.fault_of_this_machine.cache_clear()


def test_unsafe_runs_are_marked() -> None:
    with tempfile.TemporaryDirectory() as place:
        result = run(
            new_notebook(cells=[new_code_cell("1 + 1")]), Path(place), lambda *a: None, limits=QUICK, unsafe=True
        )
    assert result.unsafe and result.outputs[0][0]["data"] == {"text/plain": "2"}
