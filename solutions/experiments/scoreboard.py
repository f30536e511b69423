"""Géron's table of forecasters on noisy waves, made again with five seeds and with equal settings.

The data, sizes and settings are those of chapter 15 of *Hands-On Machine Learning*, second edition (Géron 2019), and of
the notebook that goes with it: two waves with noise, 7,000 series to learn from, 2,000 for validation and 1,000 for a
test, 50 steps each, batches of 32, 20 epochs, Adam, first weights drawn as Keras draws them. All networks of one kind,
five seeds times one or two step sizes, are trained side by side on an axis of their own.

Shapes: ``S`` networks, ``N`` series each, ``x (S, N, T, D)``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from solutions.experiments.registry import Progress, experiment

SEEDS = tuple(range(5))
STEPS, AHEAD, UNITS = 50, 10, 20
TRAINING, VALIDATION, TEST = slice(0, 7000), slice(7000, 9000), slice(9000, 10000)
BATCH, EPOCHS, CHECKED = 32, 20, 5  # the error is noted after each of the last five epochs
SLOW, FAST = 0.001, 0.01


def waves(steps: int) -> np.ndarray:
    """Ten thousand series of two waves and uniform noise ``(10000, steps)``, the same at every call."""
    rng = np.random.RandomState(42)
    f1, f2, o1, o2 = rng.rand(4, 10000, 1)
    t = np.linspace(0, 1, steps)
    clean = 0.5 * np.sin((t - o1) * (10 * f1 + 10)) + 0.2 * np.sin((t - o2) * (20 * f2 + 20))
    return clean + 0.1 * (rng.rand(10000, steps) - 0.5)


def mse(error: np.ndarray) -> float:
    return float(np.mean(np.square(error)))


# --- without training -------------------------------------------------------------------------------------------------


@experiment("scoreboard_baselines", "What do forecasts without training reach on the waves?", (42,))
def baselines(seeds: Sequence[int], progress: Progress) -> dict:
    """The last value again, least squares on all 50 values, and what the noise alone would leave."""
    found: dict = {"noise_floor": 0.1**2 / 12}
    for name, ahead in (("one", 1), ("ten", AHEAD)):
        series = waves(STEPS + ahead)
        x, y = series[:, :STEPS], series[:, STEPS:]
        features = np.column_stack([np.ones(len(x)), x])
        weights, *_ = np.linalg.lstsq(features[TRAINING], y[TRAINING], rcond=None)
        found[name] = {}
        for part, rows in (("validation", VALIDATION), ("test", TEST)):
            found[name][part] = {
                "naive": mse(y[rows] - x[rows, -1:]),
                "least_squares": mse(y[rows] - features[rows] @ weights),
            }
        found[name]["parameters"] = weights.size
        progress(f"{name}: {found[name]}")
    return found


# --- networks side by side --------------------------------------------------------------------------------------------

Draws = Sequence[torch.Generator]  # one for each network: it draws all of its first weights
Build = Callable[[Draws], nn.Module]


def glorot(g: torch.Generator, *shape: int) -> Tensor:
    """Uniform within ±√(6 / (fan in + fan out)); a kernel's taps count on both sides."""
    taps = math.prod(shape[:-2])
    return (2 * torch.rand(*shape, generator=g) - 1) * math.sqrt(6 / (taps * (shape[-2] + shape[-1])))


def orthogonal(g: torch.Generator, rows: int, columns: int) -> Tensor:
    """Rows at right angles to each other, of length 1."""
    q, r = torch.linalg.qr(torch.randn(columns, rows, generator=g))
    return (q * r.diagonal().sign()).T


def stacked(draws: Draws, draw: Callable[[torch.Generator], Tensor]) -> nn.Parameter:
    return nn.Parameter(torch.stack([draw(g) for g in draws]))


def affine(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """``x (S, N, T, D)``, ``W (S, D, O)``, ``b (S, 1, O)``: ``(S, N, T, O)``."""
    return torch.baddbmm(b, x.flatten(1, 2), W).unflatten(1, x.shape[1:3])


class Dense(nn.Module):
    """A linear map of each step, with the weights of each network's own."""

    def __init__(self, draws: Draws, inputs: int, outputs: int) -> None:
        super().__init__()
        self.W = stacked(draws, lambda g: glorot(g, inputs, outputs))
        self.b = nn.Parameter(torch.zeros(len(draws), 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        return affine(x, self.W, self.b)


class Conv(nn.Module):
    """Kernels of ``taps`` values. Causal ones see zeros before the beginning; the others start where they fit."""

    def __init__(self, draws: Draws, inputs: int, kernels: int, taps: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.taps, self.stride, self.dilation = taps, stride, dilation
        self.W = stacked(draws, lambda g: glorot(g, taps, inputs, kernels).flatten(0, 1))
        self.b = nn.Parameter(torch.zeros(len(draws), 1, kernels))

    def forward(self, x: Tensor) -> Tensor:
        reach = (self.taps - 1) * self.dilation
        if self.stride == 1:
            x = nn.functional.pad(x, (0, 0, reach, 0))
        last = x.shape[2] - reach
        seen = [x[:, :, k * self.dilation : k * self.dilation + last : self.stride] for k in range(self.taps)]
        return affine(torch.cat(seen, dim=-1), self.W, self.b)


class Relu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


class BatchNorm(nn.Module):
    """Each feature over all series and steps of a batch; at test time with moving averages, as Keras keeps them."""

    def __init__(self, draws: Draws, size: int) -> None:
        super().__init__()
        shape = (len(draws), 1, 1, size)
        self.gamma, self.beta = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))
        self.mean, self.variance = torch.zeros(shape), torch.ones(shape)

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.mean, self.variance
        if self.training:
            variance, mean = torch.var_mean(x, dim=(1, 2), correction=0, keepdim=True)
            with torch.no_grad():
                self.mean.lerp_(mean, 0.01)
                self.variance.lerp_(variance, 0.01)
        return self.gamma * (x - mean) * torch.rsqrt(variance + 1e-3) + self.beta


GATES = {"rnn": 1, "layer norm": 1, "gru": 3, "lstm": 4}


class Recurrent(nn.Module):
    """A layer of one kind. Its gates stand in the order of PyTorch, and the LSTM's forget bias begins at 1."""

    def __init__(self, draws: Draws, kind: str, inputs: int, size: int = UNITS) -> None:
        super().__init__()
        self.kind, self.size = kind, size
        wide = GATES[kind] * size
        self.W_x = stacked(draws, lambda g: glorot(g, inputs, wide))
        self.W_h = stacked(draws, lambda g: orthogonal(g, size, wide))
        self.b = nn.Parameter(torch.zeros(len(draws), 1, wide))
        if kind == "lstm":
            with torch.no_grad():
                self.b[..., size : 2 * size] = 1
        if kind == "gru":
            self.b_h = nn.Parameter(torch.zeros(len(draws), 1, wide))
        if kind == "layer norm":
            self.gamma = nn.Parameter(torch.ones(len(draws), 1, size))
            self.beta = nn.Parameter(torch.zeros(len(draws), 1, size))

    def forward(self, x: Tensor) -> Tensor:
        h_t = x.new_zeros(len(x), x.shape[1], self.size)
        state = (h_t, h_t)
        step = {"rnn": self.rnn, "layer norm": self.layer_norm, "gru": self.gru, "lstm": self.lstm}[self.kind]
        h = []
        for from_input in affine(x, self.W_x, self.b).unbind(2):
            state = step(from_input, *state)
            h.append(state[0])
        return torch.stack(h, dim=2)

    def rnn(self, from_input: Tensor, h_prev: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tanh(torch.baddbmm(from_input, h_prev, self.W_h)), _

    def layer_norm(self, from_input: Tensor, h_prev: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        a = nn.functional.layer_norm(torch.baddbmm(from_input, h_prev, self.W_h), (self.size,), eps=1e-3)
        return torch.tanh(torch.addcmul(self.beta, a, self.gamma)), _

    def gru(self, from_input: Tensor, h_prev: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        both = 2 * self.size
        from_state = torch.baddbmm(self.b_h, h_prev, self.W_h)
        r, z = torch.sigmoid(from_input[..., :both] + from_state[..., :both]).chunk(2, dim=-1)
        n = torch.tanh(torch.addcmul(from_input[..., both:], r, from_state[..., both:]))
        return torch.lerp(n, h_prev, z), _

    def lstm(self, from_input: Tensor, h_prev: Tensor, c_prev: Tensor) -> tuple[Tensor, Tensor]:
        a = torch.baddbmm(from_input, h_prev, self.W_h)
        i, f, _, o = torch.sigmoid(a).chunk(4, dim=-1)
        c_t = torch.addcmul(f * c_prev, i, torch.tanh(a[..., 2 * self.size : 3 * self.size]))
        return o * torch.tanh(c_t), c_t


def two_layers(kind: str, outputs: int) -> Build:
    return lambda draws: nn.Sequential(
        Recurrent(draws, kind, 1), Recurrent(draws, kind, UNITS), Dense(draws, UNITS, outputs)
    )


def with_batch_norm(draws: Draws) -> nn.Module:
    first, second = Recurrent(draws, "rnn", 1), Recurrent(draws, "rnn", UNITS)
    return nn.Sequential(first, BatchNorm(draws, UNITS), second, BatchNorm(draws, UNITS), Dense(draws, UNITS, AHEAD))


def kernels_and_gru(draws: Draws) -> nn.Module:
    kernels = Conv(draws, 1, UNITS, taps=4, stride=2)
    return nn.Sequential(
        kernels, Recurrent(draws, "gru", UNITS), Recurrent(draws, "gru", UNITS), Dense(draws, UNITS, AHEAD)
    )


def kernels_alone(draws: Draws) -> nn.Module:
    layers: list[nn.Module] = []
    for k, dilation in enumerate((1, 2, 4, 8) * 2):
        layers += [Conv(draws, UNITS if k else 1, UNITS, taps=2, dilation=dilation), Relu()]
    return nn.Sequential(*layers, Dense(draws, UNITS, AHEAD))


class SideBySideAdam:
    """Adam with Keras's constants, and a step size ``(S,)`` for each network."""

    def __init__(self, parameters: Sequence[nn.Parameter], rates: Tensor) -> None:
        self.parameters, self.rates, self.count = parameters, rates, 0
        self.m, self.v = ([torch.zeros_like(p) for p in parameters] for _ in range(2))

    @torch.no_grad()
    def step(self) -> None:
        self.count += 1
        correction = math.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count)
        for p, m, v in zip(self.parameters, self.m, self.v, strict=True):
            if p.grad is not None:
                m.lerp_(p.grad, 0.1)
                v.lerp_(p.grad.square(), 0.001)
                rate = correction * self.rates.view(-1, *[1] * (p.dim() - 1))
                p.sub_(rate * m / (v.sqrt() + 1e-7))
                p.grad = None


def answers(series: Tensor, every_step: bool, shortened: bool, ahead: int) -> Tensor:
    """What each step should say: the next ``ahead`` values ``(10000, T, ahead)``; the last step only if not all."""
    y = series.unfold(1, ahead, 1)[:, 1:]
    if not every_step:
        return y[:, -1:]
    return y[:, 3::2] if shortened else y


def train(
    build: Build,
    seeds: Sequence[int],
    rates: Sequence[float],
    series: Tensor,
    y: Tensor,
    epochs: int = EPOCHS,
) -> dict:
    """Five seeds at each step size; the squared error of the last step's answer, by step size, epoch and seed."""
    began = time.process_time()
    torch.set_num_threads(1)
    model = build([torch.Generator().manual_seed(seed) for _ in rates for seed in seeds])
    speed = torch.tensor(rates).repeat_interleave(len(seeds))
    optimiser = SideBySideAdam(list(model.parameters()), speed)
    order = [torch.Generator().manual_seed(2000 + seed) for seed in seeds]
    x = series[:, :STEPS, None]
    found: dict = {"parameters": sum(p[0].numel() for p in model.parameters()), "validation": {}, "test": {}}
    checks = []
    for epoch in range(epochs):
        rows = torch.stack([torch.randperm(TRAINING.stop, generator=g) for g in order]).repeat(len(rates), 1)
        for batch in rows.split(BATCH, dim=1):
            given = model(x[batch])[:, :, -y.shape[1] :]
            (given - y[batch]).square().mean(dim=(1, 2, 3)).sum().backward()
            optimiser.step()
        if epoch >= epochs - CHECKED:
            checks.append(errors(model, x[VALIDATION], y[VALIDATION], len(speed)))
    last = errors(model, x[TEST], y[TEST], len(speed))
    for k, rate in enumerate(rates):
        mine = slice(k * len(seeds), (k + 1) * len(seeds))
        found["validation"][str(rate)] = [check[mine] for check in checks]
        found["test"][str(rate)] = last[mine]
    found["seconds"] = round(time.process_time() - began, 1)
    return found


@torch.no_grad()
def errors(model: nn.Module, x: Tensor, y: Tensor, networks: int) -> list[float]:
    model.eval()
    pieces = []
    for part, right in zip(x.split(500), y.split(500), strict=True):
        given = model(part.expand(networks, -1, -1, -1))[:, :, -1]
        pieces.append((given - right[:, -1]).square().mean(dim=(1, 2)))
    model.train()
    return torch.stack(pieces).mean(dim=0).tolist()


def one_neuron(draws: Draws) -> nn.Module:
    return Recurrent(draws, "rnn", 1, 1)


@experiment("scoreboard_one_step", "How well do recurrent layers forecast the next value of the waves?", SEEDS)
def one_step(seeds: Sequence[int], progress: Progress) -> dict:
    series = torch.tensor(waves(STEPS + 1), dtype=torch.float32)
    y = answers(series, every_step=False, shortened=False, ahead=1)
    found = {}
    for name, build, rates in (
        ("one neuron", one_neuron, (0.005,)),
        ("deep RNN", two_layers("rnn", 1), (SLOW, FAST)),
    ):
        found[name] = train(build, seeds, rates, series, y)
        progress(f"{name}: {summary(found[name])}")
    return found


@experiment("scoreboard_ten_steps", "How well do deep networks forecast the next ten values of the waves?", SEEDS)
def ten_steps(seeds: Sequence[int], progress: Progress) -> dict:
    """Every network at both step sizes. His are 0.01 for the RNN that answers at every step, 0.001 for all others."""
    series = torch.tensor(waves(STEPS + AHEAD), dtype=torch.float32)
    found = {}
    for name, build, every_step, shortened in (
        ("RNN, last step", two_layers("rnn", AHEAD), False, False),
        ("RNN", two_layers("rnn", AHEAD), True, False),
        ("batch norm", with_batch_norm, True, False),
        ("layer norm", two_layers("layer norm", AHEAD), True, False),
        ("LSTM", two_layers("lstm", AHEAD), True, False),
        ("GRU", two_layers("gru", AHEAD), True, False),
        ("kernels and GRU", kernels_and_gru, True, True),
        ("kernels alone", kernels_alone, True, False),
    ):
        y = answers(series, every_step, shortened, AHEAD)
        found[name] = train(build, seeds, (SLOW, FAST), series, y)
        progress(f"{name}: {summary(found[name])}")
    return found


def summary(run: dict) -> str:
    by_rate = (f"{rate}: {np.mean(checks[-1]):.5f}" for rate, checks in run["validation"].items())
    return f"{', '.join(by_rate)}; {run['parameters']} parameters, {run['seconds']} s"
