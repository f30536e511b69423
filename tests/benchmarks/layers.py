"""How long our layers take beside ``torch.nn``'s: ``make bench``, or ``python -m tests.benchmarks.layers``.

One thread, the smallest of several runs, ours and PyTorch's taking turns in the same process, everything in float32.
The table goes to ``chapters/results/layer_speed.json``. Settings of OpenBLAS in the environment would change NumPy's
products: the command starts itself again without them. A layer-normalised LSTM has no twin in PyTorch and is compared
with ``torch.nn.LSTM``.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import numpy as np
import torch

from solutions.conventions import to_torch
from solutions.experiments.fingerprints import sources
from solutions.experiments.results import FOLDER
from solutions.with_numpy import bptt, conv1d, gru, layer_norm, lstm, recurrent_neurons
from solutions.with_torch import conv1d as torch_conv1d
from solutions.with_torch import gru as torch_gru
from solutions.with_torch import layer_norm as torch_layer_norm
from solutions.with_torch import lstm as torch_lstm
from solutions.with_torch import recurrent_neurons as torch_rnn

SIZES = ((32, 50, 1, 20), (32, 100, 64, 128), (64, 100, 128, 256), (64, 50, 256, 512))
KERNEL = 4
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
MODULES = [f"solutions.with_{kind}.{name}" for kind in ("numpy", "torch") for name in ("lstm", "gru", "layer_norm")]
MODULES += ["solutions.with_numpy.bptt", "solutions.with_numpy.conv1d", "solutions.with_torch.conv1d"]
RESULT = FOLDER / "layer_speed.json"

Pass = Callable[[], object]


class Contest(NamedTuple):
    """Three implementations of one layer, each as a forward pass and a forward and backward pass."""

    ours_numpy: tuple[Pass, Pass]
    ours_torch: tuple[Pass, Pass]
    torchs: tuple[Pass, Pass]
    necessary: int  # bytes of the arrays that a backward pass cannot do without


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)


def passes(module: torch.nn.Module, x: np.ndarray, dy: np.ndarray) -> tuple[Pass, Pass]:
    """A module's forward pass without autograd's record, and its forward and backward pass."""
    inputs, upstream = torch.tensor(x, requires_grad=True), torch.tensor(dy)

    def forward() -> None:
        with torch.no_grad():
            module(inputs)

    def both() -> None:
        module.zero_grad(set_to_none=True)
        inputs.grad = None
        output = module(inputs)
        (output[0] if isinstance(output, tuple) else output).backward(upstream)

    return forward, both


def loaded(module: torch.nn.Module, weights: dict[str, np.ndarray]) -> torch.nn.Module:
    module.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return module


def rnn(N: int, T: int, D: int, H: int, rng) -> Contest:
    x, dy, w = normal(rng, N, T, D), normal(rng, N, T, H), recurrent_weights(rng, "rnn", D, H)

    def forward():
        return recurrent_neurons.rnn_forward(x, None, *w.values())

    def both():
        bptt.rnn_backward(dy, None, forward()[2])

    ours, theirs = (kind(D, H, batch_first=True) for kind in (torch_rnn.RNN, torch.nn.RNN))
    state = to_torch("rnn", w)
    found = passes(loaded(ours, state), x, dy), passes(loaded(theirs, state), x, dy)
    return Contest((forward, both), *found, 4 * N * T * (H + D))


def lstm_(N: int, T: int, D: int, H: int, rng) -> Contest:
    x, dy, w = normal(rng, N, T, D), normal(rng, N, T, H), recurrent_weights(rng, "lstm", D, H)

    def forward():
        return lstm.lstm_forward(x, None, None, *w.values())

    def both():
        lstm.lstm_backward(dy, None, None, forward()[3])

    ours, theirs = (kind(D, H, batch_first=True) for kind in (torch_lstm.LSTM, torch.nn.LSTM))
    state = to_torch("lstm", w)
    found = passes(loaded(ours, state), x, dy), passes(loaded(theirs, state), x, dy)
    return Contest((forward, both), *found, 4 * N * T * (6 * H + D))


def gru_(N: int, T: int, D: int, H: int, rng) -> Contest:
    x, dy, w = normal(rng, N, T, D), normal(rng, N, T, H), recurrent_weights(rng, "gru", D, H)

    def forward():
        return gru.gru_forward(x, None, *w.values())

    def both():
        gru.gru_backward(dy, None, forward()[2])

    ours, theirs = (kind(D, H, batch_first=True) for kind in (torch_gru.GRU, torch.nn.GRU))
    state = to_torch("gru", w)
    found = passes(loaded(ours, state), x, dy), passes(loaded(theirs, state), x, dy)
    return Contest((forward, both), *found, 4 * N * T * (5 * H + D))


def ln_lstm(N: int, T: int, D: int, H: int, rng) -> Contest:
    x, dy, w = normal(rng, N, T, D), normal(rng, N, T, H), recurrent_weights(rng, "lstm", D, H)
    W_x, W_h, b = w.values()
    ones, zeros = np.ones(4 * H, np.float32), np.zeros(4 * H, np.float32)
    norms = (ones, zeros, ones, zeros, ones[:H], zeros[:H])

    def forward():
        return layer_norm.ln_lstm_forward(x, None, None, W_x, W_h, b, *norms)

    def both():
        layer_norm.ln_lstm_backward(dy, None, None, forward()[3])

    ours = torch_layer_norm.LayerNormLSTM(D, H, batch_first=True)
    theirs = loaded(torch.nn.LSTM(D, H, batch_first=True), to_torch("lstm", w))
    return Contest((forward, both), passes(ours, x, dy), passes(theirs, x, dy), 4 * N * T * (15 * H + D))


def conv(N: int, T: int, D: int, H: int, rng) -> Contest:
    x, dy = normal(rng, N, T, D), normal(rng, N, T - KERNEL + 1, H)
    w = {"W": normal(rng, KERNEL, D, H), "b": normal(rng, H)}

    def forward():
        return conv1d.conv1d_forward(x, *w.values())

    def both():
        conv1d.conv1d_backward(dy, forward()[1])

    state = to_torch("conv1d", w)
    turned = np.ascontiguousarray(x.swapaxes(1, 2)), np.ascontiguousarray(dy.swapaxes(1, 2))
    ours, theirs = (loaded(kind(D, H, KERNEL), state) for kind in (torch_conv1d.Conv1d, torch.nn.Conv1d))
    return Contest((forward, both), passes(ours, *turned), passes(theirs, *turned), 4 * N * T * D)


CONTESTS = {"RNN": rnn, "LSTM": lstm_, "GRU": gru_, "LN-LSTM": ln_lstm, "Conv1D": conv}


def recurrent_weights(rng: np.random.Generator, layer: str, D: int, H: int) -> dict[str, np.ndarray]:
    G = {"rnn": 1, "lstm": 4, "gru": 3}[layer]
    w = {"W_x": normal(rng, D, G * H), "W_h": normal(rng, H, G * H)}
    return w | {name: normal(rng, G * H) for name in (("b_x", "b_h") if layer == "gru" else ("b",))}


def shortest(runs: dict[str, Pass], seconds: float) -> dict[str, float]:
    """The shortest time of each, taking turns for ``seconds`` and at least five rounds."""
    best = dict.fromkeys(runs, np.inf)
    started, rounds = time.perf_counter(), 0
    gc.collect()
    gc.disable()
    try:
        while rounds < 5 or time.perf_counter() - started < seconds:
            for name, run in runs.items():
                before = time.perf_counter()
                run()
                best[name] = min(best[name], time.perf_counter() - before)
            rounds += 1
    finally:
        gc.enable()
    return best


def peak(run: Pass) -> int:
    """The most bytes that NumPy held at once during a run, beyond what it held before."""
    tracemalloc.start()
    run()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def measure(name: str, size: tuple[int, int, int, int], seconds: float) -> dict:
    contest = CONTESTS[name](*size, np.random.default_rng(0))
    row: dict = {"layer": name, "size": list(size)}
    for which, words in enumerate(("forward", "forward_backward")):
        best = shortest({kind: getattr(contest, kind)[which] for kind in contest._fields[:3]}, seconds)
        row[words] = {
            "torch_ms": round(1000 * best["torchs"], 3),
            "numpy": round(best["ours_numpy"] / best["torchs"], 2),
            "our_torch": round(best["ours_torch"] / best["torchs"], 2),
        }
    row["numpy_peak_of_necessary"] = round(peak(contest.ours_numpy[1]) / contest.necessary, 2)
    return row


def processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:  # noqa: PTH123
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def start_again_if_needed() -> None:
    """Threads and OpenBLAS read the environment when NumPy is first imported: set it and begin anew."""
    wanted = {name: value for name, value in os.environ.items() if name not in UNSET} | ONE_THREAD
    if wanted != dict(os.environ):
        arguments = [sys.executable, "-m", "tests.benchmarks.layers", *sys.argv[1:]]
        os.execve(sys.executable, arguments, wanted)


def main() -> int:
    start_again_if_needed()
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.layers", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="for each pass of each layer and size")
    parser.add_argument("--layer", choices=CONTESTS, help="this layer alone; nothing is written")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print("time as a multiple of torch.nn's; forward, then forward and backward; peak memory of what is necessary")
    print(f"{'layer':8} {'N, T, D, H':>20} {'torch.nn':>18} {'NumPy':>12} {'our torch':>12} {'memory':>7}")
    for name in [options.layer] if options.layer else CONTESTS:
        for size in SIZES:
            row = measure(name, size, options.seconds)
            one, two = row["forward"], row["forward_backward"]
            print(
                f"{name:8} {', '.join(map(str, size)):>20} {one['torch_ms']:8.2f} {two['torch_ms']:6.2f} ms "
                f"{one['numpy']:6.2f} {two['numpy']:5.2f} {one['our_torch']:6.2f} {two['our_torch']:5.2f} "
                f"{row['numpy_peak_of_necessary']:7.2f}",
                flush=True,
            )
            rows.append(row)
    if not options.layer:
        behind: dict[str, str] = {}
        for module in MODULES:
            behind |= sources(module)
        kept = {
            "name": "layer_speed",
            "command": "make bench",
            "date": date.today().isoformat(),
            "versions": {"python": platform.python_version(), "numpy": np.__version__, "torch": torch.__version__},
            "machine": f"{processor()}, one thread",
            "sources": dict(sorted(behind.items())),
            "results": rows,
        }
        RESULT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        print(f"→ {RESULT.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
