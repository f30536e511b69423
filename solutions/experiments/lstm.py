"""What an LSTM keeps: traces of a first input, sums of two marked numbers, a value that waits to be read.

Two tasks, made up on the spot, so that no sequence is ever seen twice:

- *adding*: add the two numbers that are marked, one in each half (Hochreiter & Schmidhuber 1997);
- *register*: keep the number that came with a "store", and say it at every "read", else say 0.

What trains the networks is whatever takes the least time on a CPU: ``torch.nn.LSTM`` for the LSTM, and for the plain
layer the forward and backward passes of this course in NumPy. That both compute what their twins do is shown in the
chapters on them; ``solutions.with_numpy.lstm`` is used to look inside a trained LSTM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from solutions.conventions import from_torch
from solutions.experiments.registry import Progress, experiment
from solutions.with_numpy.bptt import rnn_backward
from solutions.with_numpy.lstm import LSTMStepCache, lstm_forward, lstm_step_backward
from solutions.with_numpy.recurrent_neurons import rnn_forward

SEEDS = tuple(range(5))
BATCH = 32
TEST_ROWS = 1000

# --- the tasks --------------------------------------------------------------------------------------------------------

Batch = tuple[Tensor, Tensor]
Task = Callable[[np.random.Generator, int], Batch]


def adding_task(steps: int) -> Task:
    """Inputs: numbers between 0 and 1, and a mark at one step of each half. Target: the sum of the marked two."""

    def draw(rng: np.random.Generator, count: int) -> Batch:
        numbers, mark, rows = rng.uniform(size=(count, steps)), np.zeros((count, steps)), np.arange(count)
        mark[rows, rng.integers(0, steps // 2, count)] = 1
        mark[rows, rng.integers(steps // 2, steps, count)] = 1
        return tensor(np.stack([numbers, mark], axis=2)), tensor((numbers * mark).sum(axis=1, keepdims=True))

    return draw


class Register(NamedTuple):
    """One draw of the register task: ``x (N, T, 3)`` is number, store, read; the others are ``(N, T)``."""

    x: np.ndarray
    target: np.ndarray
    store: np.ndarray
    read: np.ndarray
    kept: np.ndarray


def register(rng: np.random.Generator, count: int, steps: int) -> Register:
    """The first step stores; after it each step stores or reads with a chance of one in ten each, never both."""
    number, draw = rng.uniform(-1, 1, size=(count, steps)), rng.uniform(size=(count, steps))
    store, read = draw < 0.1, (draw > 0.9)
    store[:, 0], read[:, 0] = True, False
    kept = np.empty((count, steps))
    for t in range(steps):
        kept[:, t] = np.where(store[:, t], number[:, t], kept[:, t - 1])
    return Register(np.stack([number, store, read], axis=2), np.where(read, kept, 0), store, read, kept)


def register_task(steps: int) -> Task:
    def draw(rng: np.random.Generator, count: int) -> Batch:
        drawn = register(rng, count, steps)
        return tensor(drawn.x), tensor(drawn.target)

    return draw


def tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


# --- networks and training --------------------------------------------------------------------------------------------


class Reader(nn.Module):
    """A recurrent layer and a linear readout."""

    def __init__(self, layer: nn.Module, size: int) -> None:
        super().__init__()
        self.layer, self.readout = layer, nn.Linear(size, 1)

    def forward(self, x: Tensor, last: bool) -> Tensor:
        """``x (N, T, D)`` gives the readout at every step, ``(N, T)``, or at the last alone, ``(N, 1)``."""
        h, _ = self.layer(x)
        return self.readout(h[:, -1:] if last else h)[..., 0]


def start_at(layer: nn.Module, gate: int, size: int, bias: float | Tensor) -> None:
    """Set the bias of one gate; PyTorch adds two, so the other becomes 0."""
    parameters, rows = dict(layer.named_parameters()), slice(gate * size, (gate + 1) * size)
    with torch.no_grad():
        parameters["bias_ih_l0"][rows], parameters["bias_hh_l0"][rows] = bias, 0


def lstm(inputs: int, size: int, bias: float | Tensor) -> Reader:
    """An LSTM as PyTorch draws it, but for the forget gate's bias."""
    layer = nn.LSTM(inputs, size, batch_first=True)
    start_at(layer, 1, size, bias)
    return Reader(layer, size)


def lstm_for(inputs: int, size: int, steps: int) -> Reader:
    """An LSTM whose forget biases are drawn for the length of the task; the input gates get the same, negated.

    A bias b with σ(b) = 1 - 1/s keeps for about s steps; s is drawn evenly between 2 and ``steps``.

    Source: Tallec & Ollivier (2018), "Can recurrent neural networks warp time?", *ICLR*.
    """
    biases = torch.log(1 + torch.rand(size) * (steps - 2))
    model = lstm(inputs, size, biases)
    start_at(model.layer, 0, size, -biases)
    return model


class ByHand(torch.autograd.Function):
    """The reference's plain layer, for autograd: its forward pass, and the backward pass that was written by hand."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        W_x, W_h, b = (w.detach().numpy() for w in weights)
        h, _, ctx.cache = rnn_forward(x.numpy(), None, W_x, W_h, b)
        return torch.from_numpy(h)

    @staticmethod
    def backward(ctx: Any, dh: Tensor) -> tuple:  # type: ignore[override]
        gradients = rnn_backward(dh.numpy(), None, ctx.cache)
        return None, *map(torch.from_numpy, (gradients.dW_x, gradients.dW_h, gradients.db))


class PlainLayer(nn.Module):
    """A plain recurrent layer as PyTorch draws it, or with a random orthogonal ``W_h`` and no bias."""

    def __init__(self, inputs: int, size: int, orthogonal: bool) -> None:
        super().__init__()
        drawn = {name: w.detach() for name, w in nn.RNN(inputs, size).named_parameters()}
        W_h, b = drawn["weight_hh_l0"].T, drawn["bias_ih_l0"] + drawn["bias_hh_l0"]
        if orthogonal:
            W_h, b = nn.init.orthogonal_(torch.empty(size, size)), 0 * b
        weights = drawn["weight_ih_l0"].T, W_h, b
        self.weights = nn.ParameterList(nn.Parameter(w.contiguous()) for w in weights)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return ByHand.apply(x, *self.weights), None


def plain(inputs: int, size: int, orthogonal: bool = False) -> Reader:
    return Reader(PlainLayer(inputs, size, orthogonal), size)


class Training(NamedTuple):
    """``errors``: the mean squared error on fresh sequences after every ``every`` updates."""

    errors: list[float]
    every: int

    def first_below(self, level: float) -> int | None:
        """The updates after which the error was below ``level`` for the first time, or None."""
        return next((self.every * (k + 1) for k, error in enumerate(self.errors) if error < level), None)


def train(
    model: Reader, task: Task, seed: int, rate: float, updates: int, every: int = 100, enough: float = 0.0
) -> Training:
    """Adam on fresh batches; stop early once the error on the test sequences is below ``enough``."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(1000 + seed)
    test_x, test_y = task(np.random.default_rng(7), TEST_ROWS)
    last = test_y.shape[1] == 1
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    errors: list[float] = []
    for count in range(1, updates + 1):
        x, y = task(rng, BATCH)
        loss = nn.functional.mse_loss(model(x, last), y)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if count % every == 0:
            with torch.no_grad():
                errors.append(float(nn.functional.mse_loss(model(test_x, last), test_y)))
            if errors[-1] < enough:
                break
    return Training(errors, every)


# --- looking inside ---------------------------------------------------------------------------------------------------


def gradients_along(x: np.ndarray, W_x: np.ndarray, W_h: np.ndarray, b: np.ndarray, dh_last: np.ndarray) -> np.ndarray:
    """How large the loss's derivative by ``c_t`` is on its way back from ``h_T``, ``(2, T)``: all paths, cell path.

    The first row is the total derivative, at step T, T - 1, …, 1; the second only what comes along the cell path, that
    is, what is left when all later gates are taken as given. Each is the root of the mean square over ``x (N, T, D)``.
    """
    cache = lstm_forward(x, None, None, W_x, W_h, b)[-1]
    dh, dc, along = dh_last, np.zeros_like(dh_last), None
    sizes = []
    for t in reversed(range(x.shape[1])):
        i, f, g, o = np.split(cache.gates[t], 4, axis=1)
        c_t = cache.c[t + 1]
        total = dc + dh * o * (1 - np.tanh(c_t) ** 2)
        along = total if along is None else along
        sizes.append([np.sqrt(np.mean(total**2)), np.sqrt(np.mean(along**2))])
        step = LSTMStepCache(cache.x[t], cache.h[t], cache.c[t], i, f, g, o, c_t, W_x, W_h, None)
        back = lstm_step_backward(dh, dc, step)
        dh, dc, along = back.dh_prev, back.dc_prev, along * f
    return np.array(sizes).T


def explained(state: np.ndarray, value: np.ndarray) -> float:
    """The share of the variance of ``value (N,)`` that a linear readout of ``state (N, H)`` explains, unseen half."""
    features, half = np.column_stack([np.ones(len(state)), state]), len(state) // 2
    fitted, held_out = features[:half], features[half:]
    ridge = 1e-8 * half * np.eye(features.shape[1])
    weights = np.linalg.solve(fitted.T @ fitted + ridge, fitted.T @ value[:half])
    return float(1 - np.mean((held_out @ weights - value[half:]) ** 2) / np.var(value[half:]))


def plain_states(x: np.ndarray, W_x: np.ndarray, W_h: np.ndarray, b: np.ndarray, normalise: bool = False) -> np.ndarray:
    """The states ``(N, T, H)`` of a plain layer, its sums normalised over the neurons if ``normalise`` says so."""
    h_t, h = np.zeros((len(x), len(b))), []
    for x_t in np.swapaxes(x, 0, 1):
        a_t = x_t @ W_x + h_t @ W_h + b
        if normalise:
            a_t = (a_t - a_t.mean(axis=1, keepdims=True)) / a_t.std(axis=1, keepdims=True)
        h_t = np.tanh(a_t)
        h.append(h_t)
    return np.stack(h, axis=1)


# --- experiments ------------------------------------------------------------------------------------------------------


@experiment(
    "lstm_trace",
    "How much of the first input can a linear readout still find in the state of an untrained cell?",
    SEEDS,
)
def trace(seeds: Sequence[int], progress: Progress) -> dict:
    """Random weights as PyTorch draws them, random inputs, 32 units; fit the readout on half of the sequences."""
    D, H, N = 3, 32, 2000
    steps = (1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 60)
    found: dict = {"steps": list(steps), "hidden_size": H, "sequences": N, "runs": {}}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(N, steps[-1], D))

        def drawn(*shape: int, rng: np.random.Generator = rng) -> np.ndarray:
            return rng.uniform(-1, 1, size=shape) / np.sqrt(H)

        W_x, W_h, b = drawn(D, H), drawn(H, H), drawn(H)
        turned = np.linalg.qr(rng.normal(size=(H, H)))[0]
        states = {
            "plain": plain_states(x, W_x, W_h, b),
            "layer norm": plain_states(x, W_x, W_h, b, normalise=True),
            "orthogonal": plain_states(x, W_x, turned, 0 * b),
        }
        W_x, W_h, b = drawn(D, 4 * H), drawn(H, 4 * H), drawn(4 * H)
        for bias in (0, 1, 3, 5):
            b[H : 2 * H] = bias
            cache = lstm_forward(x, None, None, W_x, W_h, b)[-1]
            states[f"LSTM, {bias}"] = np.swapaxes(cache.c[1:], 0, 1)
        for name, s in states.items():
            found["runs"].setdefault(name, []).append([explained(s[:, t - 1], x[:, 0, 0]) for t in steps])
        progress(f"seed {seed}: " + ", ".join(f"{name} {runs[-1][7]:.2f}" for name, runs in found["runs"].items()))
    return found


@experiment(
    "lstm_adding",
    "On how long a sequence does an LSTM learn to add two marked numbers, and how fast, beside a plain layer?",
    SEEDS,
)
def adding(seeds: Sequence[int], progress: Progress) -> dict:
    """32 units, at most 3000 updates; a run ends early where its error on the test sequences is below 0.001."""
    size, updates, solved, enough = 32, 3000, 0.01, 0.001
    found: dict = {"hidden_size": size, "updates": updates, "solved": solved, "every": 100, "runs": {}, "paths": {}}
    models: dict[str, tuple[Callable[[int], Reader], float, tuple[int, ...]]] = {
        "LSTM, drawn": (lambda steps: lstm_for(2, size, steps), 5e-3, (10, 30, 60, 100, 200, 400)),
        "LSTM, 1": (lambda steps: lstm(2, size, 1.0), 5e-3, (10, 30, 60, 100, 200, 400)),
        "LSTM, 0": (lambda steps: lstm(2, size, 0.0), 5e-3, (10, 30, 60, 100)),
        "plain": (lambda steps: plain(2, size), 5e-3, (10, 30, 60, 100, 200, 400)),
        "plain, slower": (lambda steps: plain(2, size), 1e-3, (30,)),
        "plain, orthogonal": (lambda steps: plain(2, size, orthogonal=True), 5e-3, (10, 30, 60)),
    }
    for name, (build, rate, lengths) in models.items():
        found["runs"][name] = {}
        for steps in lengths:
            runs: list[dict] = []
            found["runs"][name][str(steps)] = runs
            for seed in seeds:
                torch.manual_seed(seed)
                model = build(steps)
                before = paths(model, steps)
                training = train(model, adding_task(steps), seed, rate, updates, enough=enough)
                runs.append({"errors": training.errors, "updates": training.first_below(solved)})
                if name == "LSTM, 1" and steps == 100:
                    found["paths"][str(seed)] = {"before": before, "after": paths(model, steps)}
            progress(f"{name}, {steps} steps: " + ", ".join(f"{run['errors'][-1]:.4f}" for run in runs))
    return found


def paths(model: Reader, steps: int) -> list[list[float]]:
    """``gradients_along`` of an LSTM on 200 sequences of the adding problem; nothing for a plain layer."""
    if not isinstance(model.layer, nn.LSTM):
        return []
    x, _ = adding_task(steps)(np.random.default_rng(8), 200)
    w = weights_of(model)
    dh_last = np.tile(model.readout.weight.detach().double().numpy(), (len(x), 1))
    return gradients_along(x.double().numpy(), w["W_x"], w["W_h"], w["b"], dh_last).tolist()


def weights_of(model: Reader) -> dict[str, np.ndarray]:
    return from_torch(
        "lstm", {name: value.detach().double().numpy() for name, value in model.layer.state_dict().items()}
    )


@experiment(
    "lstm_register",
    "What do a cell's gates do while it stores a number, holds it and reads it, and for how long can it hold?",
    tuple(range(10)),
)
def watch(seeds: Sequence[int], progress: Progress) -> dict:
    """One unit with ten seeds, eight units and the plain layers with five; 1500 updates on 30 steps."""
    steps, updates, rate = 30, 1500, 1e-2
    drawn = register(np.random.default_rng(7), TEST_ROWS, steps)
    found: dict = {
        "steps": steps,
        "updates": updates,
        "say_nothing": float(np.mean(drawn.kept[drawn.read] ** 2)),
        "waits": list(WAITS),
    }
    units: dict[str, list[dict]] = {"1": [], "8": []}
    layers: dict[str, list[dict]] = {"1": [], "8": []}
    for size in (1, 8):
        for seed in seeds if size == 1 else seeds[:5]:
            torch.manual_seed(seed)
            model = lstm(3, size, 1.0)
            train(model, register_task(steps), seed, rate, updates)
            units[str(size)].append(phases(model, drawn) | {"error": reading_error(model, drawn), "held": held(model)})
            progress(f"LSTM of {size}, seed {seed}: {units[str(size)][-1]['error']:.4f} at reads")
        for seed in seeds[:5]:
            torch.manual_seed(seed)
            model = plain(3, size, orthogonal=True)
            train(model, register_task(steps), seed, rate, updates)
            layers[str(size)].append({"error": reading_error(model, drawn), "held": held(model)})
        progress(f"plain layer of {size}: " + ", ".join(f"{run['error']:.4f}" for run in layers[str(size)]))
    return found | {"lstm": units, "plain": layers}


WAITS = (1, 10, 30, 100, 300, 1000)


def reading_error(model: Reader, drawn: Register) -> float:
    with torch.no_grad():
        said = model(tensor(drawn.x), last=False).numpy()
    return float(np.mean((said - drawn.target)[drawn.read] ** 2))


def held(model: Reader) -> list[float]:
    """The mean squared error of one read, so many steps after one store, with other numbers coming in meanwhile."""
    errors = []
    for wait in WAITS:
        x = np.zeros((300, wait + 1, 3))
        x[..., 0] = np.random.default_rng(9).uniform(-1, 1, size=x.shape[:2])
        x[:, 0, 1], x[:, -1, 2] = 1, 1
        with torch.no_grad():
            said = model(tensor(x), last=True).numpy()[:, 0]
        errors.append(float(np.mean((said - x[:, 0, 0]) ** 2)))
    return errors


def phases(model: Reader, drawn: Register) -> dict:
    """The mean of each gate while the network stores, holds and reads, at the unit that follows the number best.

    ``steadiness`` is measured over all units; ``weights`` and ``readout`` are the whole network, where it has one unit.
    """
    w = weights_of(model)
    H = len(w["W_h"])
    h, _, _, cache = lstm_forward(drawn.x, None, None, w["W_x"], w["W_h"], w["b"])
    c, gates = np.swapaxes(cache.c[1:], 0, 1), np.swapaxes(cache.gates, 0, 1).reshape(*h.shape[:2], 4, H)
    hold = ~drawn.store & ~drawn.read
    follows = [abs(float(np.corrcoef(c[..., unit][hold], drawn.kept[hold])[0, 1])) for unit in range(H)]
    unit = int(np.argmax(follows))
    found = {
        "follows": follows[unit],
        "gates": {
            name: [float(gates[..., gate, unit][where].mean()) for gate in (0, 1, 3)]
            for name, where in (("store", drawn.store), ("hold", hold), ("read", drawn.read))
        },
        "steadiness": {"h": steadiness(h), "c": steadiness(c)},
    }
    if H == 1:
        readout = [model.readout.weight.item(), model.readout.bias.item()]
        found |= {"weights": {name: value.tolist() for name, value in w.items()}, "readout": readout}
    return found


def steadiness(s: np.ndarray, lag: int = 3) -> float:
    """The correlation of ``s (N, T, H)`` with itself ``lag`` steps later, over all units together."""
    centred = s - s.mean(axis=(0, 1))
    return float((centred[:, lag:] * centred[:, :-lag]).mean() / np.square(centred).mean())
