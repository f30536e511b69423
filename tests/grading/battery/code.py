"""What can be wrong with code that means no harm, and what it must not take down with it."""

from __future__ import annotations

from tests.grading.battery import FULL, POINTS, answered

LOST = FULL - POINTS["neuron_step"]
LOST_STEP = FULL - POINTS["rnn_step"]
RIGHT = "    return np.tanh(x_t @ w_x + w_y * y_prev + b)"
HEAD = "def neuron_step(x_t, y_prev, w_x, w_y, b):\n"
STEP = "def rnn_step(x_t, h_prev, W_x, W_h, b):\n"


def body(*lines: str, right: bool = False) -> str:
    return HEAD + "\n".join(f"    {line}" for line in lines) + (f"\n{RIGHT}" if right else "")


FAULTS = [
    answered("syntax-error", HEAD + "    return np.tanh(", LOST, "missing"),
    answered("stub", body("raise NotImplementedError()"), LOST, "stub"),
    answered("returns-nothing", body("y = 1"), LOST, "none"),
    answered("raises", body("return 1 / 0"), LOST, "raised"),
    answered(
        "wrong-shape",
        STEP + "    return np.tanh(x_t @ W_x + h_prev @ W_h + b).sum(axis=1)",
        LOST_STEP,
        "shape",
        "rnn_step",
    ),
    answered("wrong-dtype", STEP + "    return (x_t @ W_x + h_prev @ W_h + b) * 1j", LOST_STEP, "dtype", "rnn_step"),
    answered("nan", STEP + "    return (x_t @ W_x) * np.nan", LOST_STEP, "not_finite", "rnn_step"),
    answered("infinity", STEP + "    return x_t @ W_x + np.inf", LOST_STEP, "not_finite", "rnn_step"),
    answered(
        "warns",
        "import sys, warnings\nwarnings.warn('careful')\n" + body("print('x', file=sys.stderr)", right=True),
        FULL,
    ),
    answered("divides-by-zero-in-passing", body("np.array([1.0]) / 0", right=True), FULL),
    answered("infinite-loop", body("while True:", "    pass"), LOST, "timeout"),
    answered(
        "loop-that-ignores-interrupts",
        body("import signal", "signal.signal(signal.SIGINT, signal.SIG_IGN)", "while True:", "    pass"),
        0,
        "timeout",
    ),
    answered("memory-bomb", body("return np.ones(10**11)"), LOST, "raised"),
    answered(
        "slow-memory-bomb", body("hoard = []", "while True:", "    hoard.append(np.zeros(2**23))"), LOST, "raised"
    ),
    answered("fork-bomb", body("import os", "while True:", "    os.fork()"), 0, "dead"),
    answered(
        "daemon",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n    os._exit(0)\n"
        + body("pass", right=True),
        FULL,
    ),
    answered("exit-of-the-process", body("import os", "os._exit(0)"), 0, "dead"),
    answered("kills-itself", body("import os, signal", "os.kill(os.getpid(), signal.SIGKILL)"), 0, "dead"),
    answered("segmentation-fault", body("import ctypes", "ctypes.string_at(0)"), 0, "dead"),
    answered("sys-exit-in-a-cell", body("pass", right=True) + "\nimport sys\nsys.exit(3)", FULL),
    answered("sys-exit-in-a-call", body("import sys", "sys.exit(3)"), LOST, "raised"),
    answered("recursion", body("return neuron_step(x_t, y_prev, w_x, w_y, b)"), LOST, "raised"),
    answered("reply-of-a-gigabyte", body("return np.zeros(2**27)"), LOST, "bad"),
    answered("prints-without-end", body("while True:", "    print('x' * 100)"), LOST, "timeout"),
    answered("prints-a-lot", body("print('x' * 10**7)", right=True), FULL),
    answered("asks-for-input", body("return float(input('y? '))"), LOST, "raised"),
    answered("opens-windows", "plt.plot([1, 2])\nplt.show()\n" + body("pass", right=True), FULL),
    answered(
        "leaves-a-thread",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n" + body("pass", right=True),
        FULL,
    ),
    answered("changes-its-folder", "import os\nos.chdir('/')\n" + body("pass", right=True), FULL),
    answered(
        "deletes-its-folder", "import shutil\nshutil.rmtree('.', ignore_errors=True)\n" + body("pass", right=True), FULL
    ),
    answered("closes-its-pipes", "import os\nos.closerange(3, 200)\n" + body("pass", right=True), 0, "dead"),
    answered("raises-on-rounding", "np.seterr(all='raise')\n" + body("pass", right=True), FULL),
    answered("sleeps-too-long", body("import time", "time.sleep(60)"), LOST, "timeout"),
]
