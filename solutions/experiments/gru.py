"""A GRU beside an LSTM and a plain layer: what each learns, what it can do without, how long it keeps, what it costs.

Four tasks. Three are made up on the spot, so that no sequence is ever seen twice:

- *adding*: add the two numbers that are marked, one in each half (Hochreiter & Schmidhuber 1997);
- *register*: keep the number that came with a "store", and say it at every "read", else say 0;
- *recall*: say at the end what the first number was, with other numbers coming in all the while;
- *waves*: forecast ten values of two waves with noise (Géron 2019).

Which layer is best depends on the learning rate, so each layer is trained with each of the same three ``RATES``. The
networks of several seeds are trained side by side, in arrays with one axis more: for a GRU that takes less time than
``torch.nn.GRU``, one seed after the other. An LSTM is ``torch.nn.LSTM``, which is fast enough.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from solutions.experiments.registry import Progress, experiment
from solutions.with_numpy.bptt import rnn_backward
from solutions.with_numpy.gru import gru_backward, gru_forward
from solutions.with_numpy.lstm import lstm_backward, lstm_forward
from solutions.with_numpy.recurrent_neurons import rnn_forward

SEEDS = tuple(range(5))
RATES = (3e-3, 1e-2, 3e-2)
BATCH = 32
TEST_ROWS = 500
NAILED = 30.0  # σ(30) is 1 in float32 and its slope is 0: a gate with this bias, or minus it, stays where it is

# --- the tasks --------------------------------------------------------------------------------------------------------

Batch = tuple[Tensor, Tensor]
Task = Callable[[np.random.Generator, int], Batch]


def adding_task(steps: int) -> Task:
    """Inputs: numbers between 0 and 1, and a mark at one step of each half. Target: the sum of the marked two."""

    def draw(rng: np.random.Generator, count: int) -> Batch:
        numbers, mark, rows = rng.uniform(size=(count, steps)), np.zeros((count, steps)), np.arange(count)
        mark[rows, rng.integers(0, steps // 2, count)] = 1
        mark[rows, rng.integers(steps // 2, steps, count)] = 1
        return tensor(np.stack([numbers, mark], axis=2)), tensor((numbers * mark).sum(axis=1)[:, None, None])

    return draw


def recall_task(steps: int) -> Task:
    """Inputs: numbers between -1 and 1, and a mark at the first step. Target: the first number, at the end."""

    def draw(rng: np.random.Generator, count: int) -> Batch:
        numbers, mark = rng.uniform(-1, 1, size=(count, steps)), np.zeros((count, steps))
        mark[:, 0] = 1
        return tensor(np.stack([numbers, mark], axis=2)), tensor(numbers[:, :1, None])

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
        return tensor(drawn.x), tensor(drawn.target[..., None])

    return draw


def tensor(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


# --- layers of several networks side by side: x (M, N, T, D), states (M, N, T, H), and weights with M in front --------


class RNNs(torch.autograd.Function):
    """M plain layers, forward and backward by hand: ``rnn_forward`` and ``rnn_backward`` with one axis more."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Tensor) -> Tensor:
        x_t, (W_x, W_h, b) = time_second(x), map(Tensor.numpy, weights)
        M, T, N, D = x_t.shape
        h = np.zeros((M, T + 1, N, W_h.shape[1]), np.float32)
        h[:, 1:] = from_inputs(x_t, W_x, b)
        for t in range(T):
            h[:, t + 1] += h[:, t] @ W_h
            np.tanh(h[:, t + 1], out=h[:, t + 1])
        ctx.cache = x_t, h, W_h
        return torch.from_numpy(h[:, 1:]).transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, dh: Tensor) -> tuple:  # type: ignore[override]
        x, h, W_h = ctx.cache
        da, slope, W_h_T = time_second(dh), 1 - h[:, 1:] ** 2, np.swapaxes(W_h, 1, 2)
        for t in reversed(range(x.shape[1])):
            da[:, t] *= slope[:, t]
            if t:
                da[:, t - 1] += da[:, t] @ W_h_T
        return None, *map(torch.from_numpy, (over_all(x, da), over_all(h[:, :-1], da), da.sum(axis=(1, 2))))


class GRUs(torch.autograd.Function):
    """M GRUs, forward and backward by hand: ``gru_forward`` and ``gru_backward`` with one axis more."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, reset_after: bool, *weights: Tensor) -> Tensor:
        x_t, (W_x, W_h, b_x, b_h) = time_second(x), map(Tensor.numpy, weights)
        M, T, N, D = x_t.shape
        H = W_h.shape[1]
        W_rz, W_n, b_n = W_h[..., : 2 * H].copy(), W_h[..., 2 * H :].copy(), b_h[:, None, 2 * H :]
        rz = from_inputs(x_t, W_x[..., : 2 * H], (b_x + b_h)[:, : 2 * H])
        n = from_inputs(x_t, W_x[..., 2 * H :], b_x[:, 2 * H :])
        shown = np.empty_like(n)  # what the reset gate multiplies
        h = np.zeros((M, T + 1, N, H), np.float32)
        for t in range(T):
            gates, before = rz[:, t], h[:, t]
            gates += before @ W_rz
            gates *= 0.5  # σ(a) = (1 + tanh(a/2)) / 2
            np.tanh(gates, out=gates)
            gates += 1
            gates *= 0.5
            r, z = gates[..., :H], gates[..., H:]
            if reset_after:
                shown[:, t] = before @ W_n + b_n
                n[:, t] += r * shown[:, t]
            else:
                shown[:, t] = before
                n[:, t] += (r * before) @ W_n + b_n
            np.tanh(n[:, t], out=n[:, t])
            h[:, t + 1] = n[:, t] + z * (before - n[:, t])
        ctx.cache = x_t, h, rz, n, shown, W_h, reset_after
        return torch.from_numpy(h[:, 1:]).transpose(1, 2)

    @staticmethod
    def backward(ctx: Any, dh: Tensor) -> tuple:  # type: ignore[override]
        x, h, rz, n, shown, W_h, reset_after = ctx.cache
        H, before, dh_t = W_h.shape[1], h[:, :-1], time_second(dh)
        r, z = rz[..., :H], rz[..., H:]
        slope_r, slope_z, slope_n = r * (1 - r) * shown, z * (1 - z) * (before - n), (1 - z) * (1 - n * n)
        da, from_h = np.empty((*n.shape[:3], 3 * H), np.float32), np.empty((*n.shape[:3], H), np.float32)
        W_h_T = np.swapaxes(W_h, 1, 2).copy()
        for t in reversed(range(x.shape[1])):
            total = dh_t[:, t]
            np.multiply(total, slope_z[:, t], out=da[:, t, :, H : 2 * H])
            da_n = np.multiply(total, slope_n[:, t], out=da[:, t, :, 2 * H :])
            if reset_after:  # from_h: the gradient by what h W_hn gave
                np.multiply(da_n, slope_r[:, t], out=da[:, t, :, :H])
                np.multiply(da_n, r[:, t], out=from_h[:, t])
                back = da[:, t, :, : 2 * H] @ W_h_T[:, : 2 * H] + from_h[:, t] @ W_h_T[:, 2 * H :]
            else:
                from_h[:, t] = da_n
                ds = da_n @ W_h_T[:, 2 * H :]
                np.multiply(ds, slope_r[:, t], out=da[:, t, :, :H])
                back = da[:, t, :, : 2 * H] @ W_h_T[:, : 2 * H] + ds * r[:, t]
            if t:
                dh_t[:, t - 1] += back + total * z[:, t]
        dW_hn = over_all(before if reset_after else r * before, from_h)
        dW_h = np.concatenate([over_all(before, da[..., : 2 * H]), dW_hn], axis=2)
        db_h = np.concatenate([da[..., : 2 * H].sum(axis=(1, 2)), from_h.sum(axis=(1, 2))], axis=1)
        return None, None, *map(torch.from_numpy, (over_all(x, da), dW_h, da.sum(axis=(1, 2)), db_h))


def time_second(values: Tensor) -> np.ndarray:
    """``(M, N, T, ·)`` to a new array ``(M, T, N, ·)``."""
    return np.array(np.swapaxes(values.numpy(), 1, 2), order="C")


def from_inputs(x: np.ndarray, W_x: np.ndarray, b: np.ndarray) -> np.ndarray:
    M, T, N, D = x.shape
    return (x.reshape(M, T * N, D) @ W_x + b[:, None]).reshape(M, T, N, -1)


def over_all(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The sum over steps and rows of the products ``left^T right``: ``(M, A, B)``."""
    M, T, N, _ = left.shape
    return np.swapaxes(left.reshape(M, T * N, -1), 1, 2) @ right.reshape(M, T * N, -1)


# --- networks ---------------------------------------------------------------------------------------------------------


def plain(inputs: int, size: int) -> list[Tensor]:
    """The weights of a tanh layer with an orthogonal ``W_h`` and biases of 0."""
    W_x = uniform(size, inputs, size)
    return [W_x, nn.init.orthogonal_(torch.empty(size, size)), torch.zeros(size)]


def gru(
    inputs: int, size: int, keep: float | Tensor = 1.0, no_reset: bool = False, no_update: bool = False
) -> list[Tensor]:
    """The weights of a GRU, drawn as PyTorch draws them, in the shapes of ``solutions.with_numpy.gru``.

    Args:
        keep: the bias of the update gate at the start: a number, or one for each unit.
        no_reset, no_update: nail the reset gate to 1, or the update gate to 0.
    """
    weights = [uniform(size, *shape) for shape in ((inputs, 3 * size), (size, 3 * size), (3 * size,), (3 * size,))]
    r, z = slice(size), slice(size, 2 * size)
    weights[2][z], weights[3][z] = keep, 0
    for nailed, gate, bias in ((no_reset, r, NAILED), (no_update, z, -NAILED)):
        if nailed:
            for w in weights:
                w[..., gate] = 0
            weights[2][gate] = bias
    return weights


def uniform(size: int, *shape: int) -> Tensor:
    return (2 * torch.rand(shape) - 1) / size**0.5


def lstm(inputs: int, size: int, keep: float | Tensor = 1.0, enter: float | Tensor = 0.0) -> nn.LSTM:
    """An LSTM as PyTorch draws it, but for the biases of two gates: forget, ``keep``, and input, ``enter``."""
    layer = nn.LSTM(inputs, size, batch_first=True)
    biases = dict(layer.named_parameters())
    with torch.no_grad():
        biases["bias_hh_l0"][: 2 * size] = 0
        biases["bias_ih_l0"][:size], biases["bias_ih_l0"][size : 2 * size] = enter, keep
    return layer


def drawn_biases(size: int, steps: int) -> Tensor:
    """Biases b with σ(b) = 1 - 1/s, for s drawn evenly between 2 and ``steps``: gates that keep for about s steps.

    Source: Tallec & Ollivier (2018), "Can recurrent neural networks warp time?", *ICLR*.
    """
    return torch.log(1 + torch.rand(size) * (steps - 2))


class Together(nn.Module):
    """Plain layers or GRUs, each with a linear readout, one network a seed. None sees anything of another."""

    def __init__(
        self, draw: Callable[[], list[Tensor]], size: int, seeds: Sequence[int], outputs: int = 1, after: bool = True
    ) -> None:
        super().__init__()
        drawn = []
        for seed in seeds:
            torch.manual_seed(seed)
            drawn.append([*draw(), uniform(size, size, outputs), uniform(size, 1, outputs)])
        self.weights = nn.ParameterList(torch.stack(same) for same in zip(*drawn))
        self.after = after

    def forward(self, x: Tensor, last: int) -> Tensor:
        """``x (M, N, T, D)`` gives the readouts of the ``last`` steps, ``(M, N, last, outputs)``."""
        *layer, W_y, b_y = self.weights
        h: Tensor = GRUs.apply(x, self.after, *layer) if len(layer) == 4 else RNNs.apply(x, *layer)  # type: ignore[no-untyped-call]
        return h[:, :, -last:] @ W_y[:, None] + b_y[:, None]

    def clip(self) -> None:
        """Bound the norm of each network's gradient by 1."""
        gradients = [w.grad for w in self.weights if w.grad is not None]
        norms = torch.stack([g.flatten(1).square().sum(dim=1) for g in gradients]).sum(dim=0).sqrt()
        for g in gradients:
            g *= (1 / norms.clamp(min=1)).view(-1, *[1] * (g.dim() - 1))

    def of(self, k: int) -> list[np.ndarray]:
        """The weights of network ``k``: of the layer, then of the readout."""
        return [w[k].detach().numpy() for w in self.weights]

    def count(self) -> int:
        """How many numbers one layer learns."""
        return sum(w[0].numel() for w in self.weights[:-2])


class InTurn(nn.Module):
    """LSTMs, each with a linear readout, one network a seed, as :class:`Together`."""

    def __init__(self, draw: Callable[[], nn.LSTM], size: int, seeds: Sequence[int], outputs: int = 1) -> None:
        super().__init__()
        self.networks = nn.ModuleList()
        for seed in seeds:
            torch.manual_seed(seed)
            self.networks.append(nn.ModuleList([draw(), nn.Linear(size, outputs)]))

    def forward(self, x: Tensor, last: int) -> Tensor:
        said = []
        for x_k, network in zip(x, self.networks):
            layer, readout = network.children()
            said.append(readout(layer(x_k)[0][:, -last:]))
        return torch.stack(said)

    def clip(self) -> None:
        for network in self.networks:
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)

    def count(self) -> int:
        layer = next(self.networks[0].children())
        return sum(w.numel() for w in layer.parameters())


Networks = Together | InTurn
Draw = Callable[[], Any]


def networks(kind: str, draw: Draw, size: int, seeds: Sequence[int], outputs: int = 1, after: bool = True) -> Networks:
    """Networks of one kind: LSTMs in turn, all others together."""
    if kind == "LSTM":
        return InTurn(draw, size, seeds, outputs)
    return Together(draw, size, seeds, outputs, after)


def errors(model: Networks, x: Tensor, y: Tensor) -> Tensor:
    """The mean squared error of each network, over the last steps, as many as ``y (M, N, steps, outputs)`` has."""
    return (model(x, y.shape[2]) - y).square().mean(dim=(1, 2, 3))


def update(model: Networks, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    optimiser.zero_grad()
    errors(model, x, y).sum().backward()
    model.clip()
    optimiser.step()


def side_by_side(batches: Sequence[Batch]) -> Batch:
    return torch.stack([x for x, _ in batches]), torch.stack([y for _, y in batches])


def tested(model: Networks, task: Task, seeds: Sequence[int], draw: int = 7) -> list[float]:
    """The error of each network on the same test sequences."""
    with torch.no_grad():
        return errors(model, *side_by_side([task(np.random.default_rng(draw), TEST_ROWS)] * len(seeds))).tolist()


def train(
    model: Networks,
    task: Task,
    seeds: Sequence[int],
    rate: float,
    updates: int,
    every: int = 50,
    enough: float = 0.0,
) -> list[list[float]]:
    """Adam on fresh batches. For each network: its test errors after each ``every`` updates.

    The list ends with the first error below ``enough``. A network that is done goes on learning until all are, but
    nothing more of it is noted.
    """
    draws = [np.random.default_rng(1000 + seed) for seed in seeds]
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    courses: list[list[float]] = [[] for _ in seeds]
    for count in range(1, updates + 1):
        update(model, optimiser, *side_by_side([task(draw, BATCH) for draw in draws]))
        if count % every == 0:
            for course, now in zip(courses, tested(model, task, seeds)):
                if not course or course[-1] >= enough:
                    course.append(now)
            if max(course[-1] for course in courses) < enough:
                break
    return courses


def over_lengths(
    kind: str,
    start: Callable[[int], Draw],
    size: int,
    task: Callable[[int], Task],
    lengths: Sequence[int],
    rates: Sequence[float],
    seeds: Sequence[int],
    updates: int,
    solved: float,
    progress: Progress,
    after_training: Callable[[Networks, int, float], None] = lambda model, length, rate: None,
) -> dict[str, dict[str, list[list[float]]]]:
    """Courses of training by rate and length. A rate with which no seed solves a length is not tried on longer ones."""
    found: dict[str, dict[str, list[list[float]]]] = {str(rate): {} for rate in rates}
    for rate in rates:
        for length in lengths:
            model = networks(kind, start(length), size, seeds)
            courses = train(model, task(length), seeds, rate, updates, enough=solved)
            found[str(rate)][str(length)] = courses
            ends = ", ".join(f"{course[-1]:.4f} at {50 * len(course)}" for course in courses)
            progress(f"{kind} of {size}, {length} steps, rate {rate}: {ends}")
            after_training(model, length, rate)
            if min(course[-1] for course in courses) >= solved:
                break
    return found


# --- experiments ------------------------------------------------------------------------------------------------------


@experiment(
    "gru_adding",
    "How many updates do a GRU, an LSTM and a plain layer need to learn to add two marked numbers?",
    SEEDS,
)
def adding(seeds: Sequence[int], progress: Progress) -> dict:
    """At most 1000 updates. Layers of 32 units, and an LSTM and a plain layer with as many weights as the GRU."""
    updates, solved = 1000, 0.01
    found: dict = {"updates": updates, "solved": solved, "every": 50, "parameters": {}, "runs": {}}
    draws: dict[str, Callable[[int], Any]] = {
        "plain": lambda size: plain(2, size),
        "GRU": lambda size: gru(2, size),
        "LSTM": lambda size: lstm(2, size),
    }
    for kind, size in (("plain", 32), ("plain", 57), ("GRU", 32), ("LSTM", 32), ("LSTM", 27)):

        def start(length: int, kind: str = kind, size: int = size) -> Draw:
            return partial(draws[kind], size)

        name = f"{kind}, {size}"
        found["parameters"][name] = networks(kind, start(0), size, seeds[:1]).count()
        lengths = (20, 40, 80, 160)
        found["runs"][name] = over_lengths(
            kind, start, size, adding_task, lengths, RATES, seeds, updates, solved, progress
        )
    return found


@experiment(
    "gru_register",
    "Which of its gates does a GRU need to keep a number without saying it, and does it miss an output gate?",
    SEEDS,
)
def keep_quiet(seeds: Sequence[int], progress: Progress) -> dict:
    """30 steps, 1000 updates. The rate of each layer is chosen on other sequences than those of ``error``.

    ``units`` and ``weights`` are those of the GRU of three units.
    """
    steps, updates = 30, 1000
    drawn = register(np.random.default_rng(7), TEST_ROWS, steps)
    found: dict = {"steps": steps, "updates": updates, "silent": float(np.mean(drawn.target**2))}
    found |= {"parameters": {}, "error": {}, "rate": {}, "units": [], "weights": []}
    layers: dict[str, tuple[str, Callable[[int], Any], bool, tuple[int, ...]]] = {
        "plain": ("plain", lambda size: plain(3, size), True, (1, 3, 6)),
        "LSTM": ("LSTM", lambda size: lstm(3, size), True, (1, 2, 3)),
        "GRU": ("GRU", lambda size: gru(3, size), True, (1, 3)),
        "reset before": ("GRU", lambda size: gru(3, size), False, (3,)),
        "without r": ("GRU", lambda size: gru(3, size, no_reset=True), True, (3,)),
        "without z": ("GRU", lambda size: gru(3, size, no_update=True), True, (3,)),
    }
    for name, (kind, draw, after, sizes) in layers.items():
        for size in sizes:
            tried = {}
            for rate in RATES:
                model = networks(kind, partial(draw, size), size, seeds, 1, after)
                train(model, register_task(steps), seeds, rate, updates, every=updates)
                tried[rate] = float(np.mean(tested(model, register_task(steps), seeds, draw=8))), model
            rate = min(tried, key=lambda rate: tried[rate][0])
            model = tried[rate][1]
            key = f"{name}, {size}"
            found["error"][key] = tested(model, register_task(steps), seeds)
            found["rate"][key], found["parameters"][key] = rate, model.count()
            if name == "GRU" and size > 1 and isinstance(model, Together):
                for k in range(len(seeds)):
                    found["units"].append(watch(model.of(k), drawn))
                    found["weights"].append([w.tolist() for w in model.of(k)])
            progress(f"{key}, rate {rate}: " + ", ".join(f"{e:.5f}" for e in found["error"][key]))
    return found


def watch(weights: list[np.ndarray], drawn: Register) -> dict:
    """The means of r and z of two units while a GRU stores, holds and reads.

    The holder is the unit that follows the number best between its store and its read, the speaker the one that the
    readout weighs most.
    """
    W_x, W_h, b_x, b_h, W_y, _ = weights
    h, _, cache = gru_forward(drawn.x.astype(np.float32), None, W_x, W_h, b_x, b_h)
    gates = np.swapaxes(cache.rz, 0, 1).reshape(*h.shape[:2], 2, -1)
    hold = ~drawn.store & ~drawn.read
    follows = [abs(float(np.corrcoef(h_k[hold], drawn.kept[hold])[0, 1])) for h_k in np.moveaxis(h, 2, 0)]
    units = {"holder": int(np.argmax(follows)), "speaker": int(np.abs(W_y).argmax())}
    phases = {"store": drawn.store, "hold": hold, "read": drawn.read}
    return {
        role: {
            "unit": unit,
            "follows": follows[unit],
            **{phase: [float(g) for g in gates[where][..., unit].mean(axis=0)] for phase, where in phases.items()},
        }
        for role, unit in units.items()
    }


@experiment(
    "gru_memory",
    "Over how many steps do a plain layer, a GRU and an LSTM learn to recall their first input?",
    SEEDS,
)
def memory(seeds: Sequence[int], progress: Progress) -> dict:
    """16 units, at most 1000 updates; an error below 0.01 is solved. The number in a name is the bias that keeps.

    "drawn": that bias is drawn for the length of the task, and in the LSTM the input gate's is minus it. "closed": the
    input gate's bias is minus the forget gate's too. "transfer": what the networks trained on one length do on others.
    """
    size, updates, solved, lengths = 16, 1000, 0.01, (25, 50, 100, 200, 400)
    found: dict = {"hidden_size": size, "updates": updates, "solved": solved, "every": 50, "steps": list(lengths)}
    found |= {"runs": {}, "transfer": {}}

    def drawn_lstm(steps: int) -> nn.LSTM:
        biases = drawn_biases(size, steps)
        return lstm(2, size, biases, -biases)

    # Kind, how to draw one for a length, rates. A start that was chosen for the task gets no choice of rate.
    starts: dict[str, tuple[str, Callable[[int], Any], Sequence[float]]] = {
        "plain": ("plain", lambda steps: plain(2, size), RATES),
        "GRU, 0": ("GRU", lambda steps: gru(2, size, 0.0), RATES),
        "GRU, 1": ("GRU", lambda steps: gru(2, size, 1.0), RATES),
        "GRU, 3": ("GRU", lambda steps: gru(2, size, 3.0), RATES[1:2]),
        "GRU, 5": ("GRU", lambda steps: gru(2, size, 5.0), RATES[1:2]),
        "GRU, drawn": ("GRU", lambda steps: gru(2, size, drawn_biases(size, steps)), RATES[1:2]),
        "LSTM, 0": ("LSTM", lambda steps: lstm(2, size, 0.0), RATES),
        "LSTM, 1": ("LSTM", lambda steps: lstm(2, size, 1.0), RATES),
        "LSTM, 3": ("LSTM", lambda steps: lstm(2, size, 3.0), RATES[1:2]),
        "LSTM, 5": ("LSTM", lambda steps: lstm(2, size, 5.0), RATES[1:2]),
        "LSTM, 5 closed": ("LSTM", lambda steps: lstm(2, size, 5.0, -5.0), RATES[1:2]),
        "LSTM, drawn": ("LSTM", drawn_lstm, RATES[1:2]),
    }
    for name, (kind, draw, rates) in starts.items():

        def start(length: int, draw: Callable[[int], Any] = draw) -> Draw:
            return partial(draw, length)

        def read_others(model: Networks, length: int, rate: float, name: str = name) -> None:
            if length in (25, 100) and rate == RATES[1]:
                read = [tested(model, recall_task(other), seeds, draw=8) for other in lengths]
                found["transfer"].setdefault(name, {})[str(length)] = np.transpose(read).tolist()

        progress(name)
        found["runs"][name] = over_lengths(
            kind, start, size, recall_task, lengths, rates, seeds, updates, solved, progress, read_others
        )
    return found


AHEAD, STEPS = 10, 50


def waves(rng: np.random.Generator, count: int) -> np.ndarray:
    """Two waves and noise, ``(count, 60)``: the series of Géron's *Hands-On Machine Learning*, chapter 15."""
    f1, f2, o1, o2 = rng.random((4, count, 1))
    t = np.linspace(0, 1, STEPS + AHEAD)
    series = 0.5 * np.sin((t - o1) * (10 * f1 + 10)) + 0.2 * np.sin((t - o2) * (20 * f2 + 20))
    return series + 0.1 * (rng.random((count, STEPS + AHEAD)) - 0.5)


@experiment(
    "gru_forecast",
    "Do gates help to forecast series of fifty steps, beside a plain layer of as many units or parameters?",
    SEEDS,
)
def forecast(seeds: Sequence[int], progress: Progress) -> dict:
    """2000 series, eight passes in batches of 32; the error of the ten values after step 50.

    The rate of each layer is the one with the smallest mean error on 500 other series.
    """
    rng, passes = np.random.default_rng(42), 8
    training, validation, test = (tensor(waves(rng, count)) for count in (2000, 500, 1000))
    x, y = training[:, :STEPS, None], training.unfold(1, AHEAD, 1)[:, 1:]
    test_x, test_y = test[:, :STEPS, None], test[:, STEPS:]
    features, test_features = (np.column_stack([np.ones(len(a)), a[..., 0].numpy()]) for a in (x, test_x))
    fitted, *_ = np.linalg.lstsq(features, y[:, -1].numpy(), rcond=None)
    found: dict = {
        "as_now": float((test_x[:, -1] - test_y).square().mean()),
        "linear": float(np.mean((test_features @ fitted - test_y.numpy()) ** 2)),
        "noise": 0.1**2 / 12,
        "passes": passes,
        "parameters": {},
        "rate": {},
        "tried": {},
        "runs": {},
    }

    def last_error(model: Networks, series: Tensor) -> list[float]:
        one: Batch = (series[:, :STEPS, None], series[:, None, STEPS:])
        with torch.no_grad():
            return errors(model, *side_by_side([one] * len(seeds))).tolist()

    draws: dict[str, Callable[[int], Any]] = {
        "plain": lambda size: plain(1, size),
        "GRU": lambda size: gru(1, size),
        "LSTM": lambda size: lstm(1, size),
    }
    for kind, size in (("plain", 32), ("plain", 57), ("GRU", 32), ("LSTM", 32), ("LSTM", 27)):
        key, tried = f"{kind}, {size}", {}
        for rate in RATES:
            model = networks(kind, partial(draws[kind], size), size, seeds, AHEAD)
            optimiser = torch.optim.Adam(model.parameters(), lr=rate)
            orders = [torch.Generator().manual_seed(seed) for seed in seeds]
            for _ in range(passes):
                mixed = torch.stack([torch.randperm(len(x), generator=order) for order in orders])
                for rows in mixed.split(BATCH, dim=1):
                    update(model, optimiser, x[rows], y[rows])
            tried[rate] = float(np.mean(last_error(model, validation))), last_error(model, test)
        rate = min(tried, key=lambda rate: tried[rate][0])
        found["runs"][key], found["rate"][key] = tried[rate][1], rate
        found["tried"][key] = {str(rate): runs for rate, (_, runs) in tried.items()}
        found["parameters"][key] = model.count()
        progress(f"{key}, rate {rate}: " + ", ".join(f"{e:.4f}" for e in found["runs"][key]))
    return found


@experiment(
    "gru_cost",
    "How much processor time do forward and backward take in each layer, in NumPy and in PyTorch, on one thread?",
    SEEDS,
)
def cost(seeds: Sequence[int], progress: Progress) -> dict:
    """50 steps of 32 sequences with as many inputs as units. A round a seed: each layer's shortest of 8."""
    steps, rows = 50, 32
    found: dict = {"steps": steps, "sequences": rows, "milliseconds": {"NumPy": {}, "PyTorch": {}}}
    layers: dict[str, tuple[type[nn.Module], Callable[..., None], int, int]] = {
        "plain": (nn.RNN, rnn_by_hand, 1, 1),
        "GRU": (nn.GRU, gru_by_hand, 3, 2),
        "LSTM": (nn.LSTM, lstm_by_hand, 4, 1),
    }
    for size in (32, 128, 256):
        for seed in seeds:
            for kind, (layer, by_hand, gates, biases) in layers.items():
                torch.manual_seed(seed)
                model, x = layer(size, size, batch_first=True), torch.randn(rows, steps, size)
                wide = gates * size
                shapes = [(size, wide), (size, wide), *[(wide,)] * biases]
                weights = [uniform(size, *shape).numpy() for shape in shapes]
                values, dh = x.numpy(), np.ones((rows, steps, size), np.float32)

                def in_torch(model: nn.Module = model, x: Tensor = x) -> None:
                    model(x)[0].sum().backward()

                def in_numpy(
                    by_hand: Callable[..., None] = by_hand,
                    dh: np.ndarray = dh,
                    values: np.ndarray = values,
                    weights: list[np.ndarray] = weights,
                ) -> None:
                    by_hand(dh, values, weights)

                for library, pass_through in (("NumPy", in_numpy), ("PyTorch", in_torch)):
                    shortest = 1000 * min(seconds(pass_through) for _ in range(8))
                    found["milliseconds"][library].setdefault(kind, {}).setdefault(str(size), []).append(shortest)
        for library, kinds in found["milliseconds"].items():
            progress(f"{library}, {size} units: " + ", ".join(f"{k} {min(m[str(size)]):.2f}" for k, m in kinds.items()))
    return found


def seconds(run: Callable[[], None]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def rnn_by_hand(dh: np.ndarray, x: np.ndarray, weights: list[Any]) -> None:
    W_x, W_h, b = weights
    rnn_backward(dh, None, rnn_forward(x, None, W_x, W_h, b)[-1])


def gru_by_hand(dh: np.ndarray, x: np.ndarray, weights: list[Any]) -> None:
    W_x, W_h, b_x, b_h = weights
    gru_backward(dh, None, gru_forward(x, None, W_x, W_h, b_x, b_h)[-1])


def lstm_by_hand(dh: np.ndarray, x: np.ndarray, weights: list[Any]) -> None:
    W_x, W_h, b = weights
    lstm_backward(dh, None, None, lstm_forward(x, None, None, W_x, W_h, b)[-1])
