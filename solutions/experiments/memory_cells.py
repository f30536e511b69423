"""How many steps a recurrent layer remembers: a value given back, a bit held, and a forecast's debt to each past day.

Both made-up tasks draw fresh sequences for every update, so that nothing can be learned by heart. The networks of all
seeds are trained side by side, on an axis of their own: they share nothing but the time that it takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from solutions.experiments.data import temperatures
from solutions.experiments.recurrent_neurons import TEST_BEGINS, TRAINING_DAYS, Forecaster, lagged, train
from solutions.experiments.registry import Progress, experiment

SEEDS = tuple(range(10))
SIZE, WIDE = 16, 64
UPDATES = 600
PATIENCE = 4
DELAYS = (1, 3, 5, 8, 10, 12, 15, 20, 30)
NEURON_DELAYS = (1, 2, 3, 5, 8)
WINDOW, SHORT_WINDOW, LONG = 40, 15, 300
SPANS = (5, 10, 20, 40, 80)
NOISE = 0.2
SCALES = (0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)


class Layers(nn.Module):
    """Recurrent layers with a linear readout, one a seed; they differ in their first weights and in their data.

    ``start`` says how they begin: ``"torch"`` as ``torch.nn.RNN`` does; ``"orthogonal"`` with a random orthogonal
    ``W_h`` and no bias, as Keras does; ``"identity"`` with ``W_h = I`` and no bias. All else begins as in PyTorch.
    """

    def __init__(self, seeds: Sequence[int], hidden_size: int, start: str) -> None:
        super().__init__()
        drawn = [first_weights(torch.Generator().manual_seed(seed), hidden_size, start) for seed in seeds]
        stacked = (nn.Parameter(torch.stack(parameters)) for parameters in zip(*drawn, strict=True))
        self.W_x, self.W_h, self.b, self.W_y, self.b_y = stacked

    def forward(self, x: Tensor) -> Tensor:
        """``x (S, T, N, 1)`` gives ``(S, T, N, 1)``; the first axis is the seed."""
        from_inputs = x @ self.W_x[:, None] + self.b[:, None]
        h_t = x.new_zeros(len(x), x.shape[2], self.W_h.shape[-1])
        h = []
        for from_input in from_inputs.unbind(1):
            h_t = torch.tanh(torch.baddbmm(from_input, h_t, self.W_h))
            h.append(h_t)
        return torch.stack(h, dim=1) @ self.W_y[:, None] + self.b_y[:, None]


def first_weights(generator: torch.Generator, hidden_size: int, start: str) -> tuple[Tensor, ...]:
    """``W_x (1, H)``, ``W_h (H, H)``, ``b (1, H)``, ``W_y (H, 1)``, ``b_y (1, 1)``."""

    def uniform(*shape: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=generator) - 1) / math.sqrt(hidden_size)

    W_x, W_h, b = uniform(1, hidden_size), uniform(hidden_size, hidden_size), uniform(1, hidden_size)
    b, W_y, b_y = b + uniform(1, hidden_size), uniform(hidden_size, 1), uniform(1, 1)  # PyTorch adds two biases
    if start == "orthogonal":
        W_h, b = torch.linalg.qr(torch.randn(hidden_size, hidden_size, generator=generator))[0], 0 * b
    if start == "identity":
        W_h, b = torch.eye(hidden_size), 0 * b
    return W_x, W_h, b, W_y, b_y


def clip_each(model: nn.Module) -> None:
    """Shorten the gradient of each seed's network to norm 1 where it is longer."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = sum(g.flatten(1).square().sum(dim=1) for g in gradients) ** 0.5
    for g in gradients:
        g /= norm.clamp(min=1).view(-1, *[1] * (g.dim() - 1))


def train_side_by_side(model: nn.Module, loss: Callable[[], Tensor], updates: int) -> None:
    """``loss()`` draws sequences and gives one loss a seed; the step size falls to nothing."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, updates)
    for _ in range(updates):
        optimiser.zero_grad()
        loss().sum().backward()
        clip_each(model)
        optimiser.step()
        schedule.step()


# --- giving every value back some steps later -------------------------------------------------------------------------


def uniform_inputs(generators: Sequence[torch.Generator], steps: int, count: int) -> Tensor:
    """Values between −√3 and √3, so that their variance is 1: ``(S, T, N, 1)``."""
    return torch.stack([math.sqrt(12) * (torch.rand(steps, count, 1, generator=g) - 0.5) for g in generators])


def recall(
    seeds: Sequence[int], hidden_size: int, start: str, delay: int, updates: int = UPDATES, window: int = WINDOW
) -> tuple[Layers, list[float], list[float]]:
    """Train networks to say at step ``t`` what came in at ``t − delay``, from the first such step on.

    Returns them, their mean squared error on fresh sequences like those of the training, ``window`` answers long, and
    that on the last 100 steps of sequences of ``LONG``. To say 0 always has the error 1.
    """
    model = Layers(seeds, hidden_size, start)
    generators = [torch.Generator().manual_seed(1000 + seed) for seed in seeds]

    def squared_error(count: int, answers: int, scored: int) -> Tensor:
        x = uniform_inputs(generators, delay + answers, count)
        return (model(x)[:, delay:] - x[:, :answers])[:, -scored:].square().mean(dim=(1, 2, 3))

    train_side_by_side(model, lambda: squared_error(32, window, window), updates)
    with torch.no_grad():
        return model, squared_error(500, window, window).tolist(), squared_error(50, LONG - delay, 100).tolist()


def sensitivity(model: Layers, seeds: Sequence[int], lags: int) -> list[list[float]]:
    """For each seed the mean size of ``∂ŷ_t/∂x_{t−j}``, ``j = 0 … lags − 1``, at the last of ``2 · lags`` steps."""
    x = uniform_inputs([torch.Generator().manual_seed(2000 + seed) for seed in seeds], 2 * lags, 200).requires_grad_()
    (dx,) = torch.autograd.grad(model(x)[:, -1].sum(), x)
    return dx.abs().mean(dim=(2, 3)).flip(1)[:, :lags].tolist()


def reservoir_states(x: np.ndarray, W_x: np.ndarray, W_h: np.ndarray) -> np.ndarray:
    """The states of a linear layer, ``h_t = x_t W_x + h_{t−1} W_h``: ``x (T,)`` gives ``(T, H)``."""
    h_t, h = np.zeros(len(W_h)), []
    for x_t in x:
        h_t = x_t * W_x + h_t @ W_h
        h.append(h_t)
    return np.array(h)


def reservoir(seed: int) -> tuple[list[float], list[float]]:
    """A linear layer that nobody trains, and a least-squares readout for each delay: errors, and scales chosen.

    ``W_h`` is random, scaled to the spectral radius in ``SCALES`` that does best on a validation stretch.
    """
    rng = np.random.default_rng(seed)
    W_x, W_h = rng.normal(size=SIZE), rng.normal(size=(SIZE, SIZE))
    W_h /= np.abs(np.linalg.eigvals(W_h)).max()
    x = math.sqrt(12) * (rng.random(8000) - 0.5)
    states = {scale: reservoir_states(x, W_x, scale * W_h) for scale in SCALES}
    fitting, validation, test = slice(100, 4000), slice(4000, 6000), slice(6000, 8000)
    errors, chosen = [], []
    for delay in DELAYS:
        target = np.concatenate([np.zeros(delay), x[:-delay]])
        tried = {}
        for scale, h in states.items():
            W_y, *_ = np.linalg.lstsq(h[fitting], target[fitting], rcond=None)
            squared = np.square(h @ W_y - target)
            tried[scale] = squared[validation].mean(), squared[test].mean()
        best = min(SCALES, key=lambda scale: tried[scale][0])
        errors.append(float(tried[best][1]))
        chosen.append(best)
    return errors, chosen


@experiment(
    "memory_cells_recall",
    "How many steps back can a recurrent layer learn to give back a value, while new values keep coming in?",
    SEEDS,
)
def recall_values(seeds: Sequence[int], progress: Progress) -> dict:
    found: dict = {"size": SIZE, "wide_size": WIDE, "updates": UPDATES, "patience": PATIENCE, "window": WINDOW}
    found |= {
        "delays": list(DELAYS),
        "neuron_delays": list(NEURON_DELAYS),
        "sensitivity": {},
        "patient": {},
        "wide": {},
    }
    for name, hidden_size, start, delays in (
        ("neuron", 1, "torch", NEURON_DELAYS),
        ("torch", SIZE, "torch", DELAYS),
        ("orthogonal", SIZE, "orthogonal", DELAYS),
    ):
        found[name] = {}
        for delay in delays:
            model, _, errors = recall(seeds, hidden_size, start, delay)
            found[name][str(delay)] = errors
            progress(f"{name}, {delay} steps back: error {np.mean(errors):.3f}")
            if name == "torch" and delay in (3, 10):
                found["sensitivity"][str(delay)] = sensitivity(model, seeds, 30)
    for delay in (15, 20):
        _, _, errors = recall(seeds, SIZE, "torch", delay, PATIENCE * UPDATES)
        found["patient"][str(delay)] = errors
        progress(f"{PATIENCE} times the updates, {delay} steps back: error {np.mean(errors):.3f}")
        _, _, errors = recall(seeds, WIDE, "torch", delay)
        found["wide"][str(delay)] = errors
        progress(f"{WIDE} neurons, {delay} steps back: error {np.mean(errors):.3f}")
    _, inside, beyond = recall(seeds, SIZE, "orthogonal", 20, window=SHORT_WINDOW)
    found["short_window"] = {"window": SHORT_WINDOW, "delay": 20, "inside": inside, "beyond": beyond}
    progress(f"trained on {SHORT_WINDOW} answers: error {np.mean(inside):.3f} on as many, {np.mean(beyond):.3f} later")
    runs = [reservoir(seed) for seed in seeds]
    found["reservoir"] = {str(delay): [errors[k] for errors, _ in runs] for k, delay in enumerate(DELAYS)}
    found["reservoir_scales"] = {str(delay): [scales[k] for _, scales in runs] for k, delay in enumerate(DELAYS)}
    return found


# --- holding one bit --------------------------------------------------------------------------------------------------


def hold(seeds: Sequence[int], hidden_size: int, start: str, span: int, updates: int = UPDATES) -> list[float]:
    """Train networks to say, after ``span`` steps of noise, if the first input was 1 or −1; return the accuracy."""
    model = Layers(seeds, hidden_size, start)
    generators = [torch.Generator().manual_seed(1000 + seed) for seed in seeds]

    def margin(count: int) -> Tensor:
        bit = torch.stack([torch.randint(0, 2, (count, 1), generator=g) * 2.0 - 1 for g in generators])
        noise = [NOISE * torch.randn(span, count, 1, generator=g) for g in generators]
        x = torch.cat([bit[:, None], torch.stack(noise)], dim=1)
        return bit * model(x)[:, -1]

    train_side_by_side(model, lambda: nn.functional.softplus(-margin(32)).mean(dim=(1, 2)), updates)
    with torch.no_grad():
        return (margin(1000) > 0).double().mean(dim=(1, 2)).tolist()


@experiment(
    "memory_cells_hold",
    "Through how many steps of noise can a recurrent layer learn to hold one bit?",
    SEEDS,
)
def hold_bit(seeds: Sequence[int], progress: Progress) -> dict:
    found: dict = {"size": SIZE, "updates": UPDATES, "patience": PATIENCE, "spans": list(SPANS), "noise": NOISE}
    for name, hidden_size, start, updates in (
        ("neuron_torch", 1, "torch", UPDATES),
        ("neuron_identity", 1, "identity", UPDATES),
        ("torch", SIZE, "torch", UPDATES),
        ("orthogonal", SIZE, "orthogonal", UPDATES),
    ):
        found[name] = {}
        for span in SPANS:
            found[name][str(span)] = hold(seeds, hidden_size, start, span, updates)
            progress(f"{name}, {span} steps: accuracy {np.mean(found[name][str(span)]):.3f}")
    found["patient"] = {"40": hold(seeds, SIZE, "torch", 40, PATIENCE * UPDATES)}
    progress(f"{PATIENCE} times the updates, 40 steps: accuracy {np.mean(found['patient']['40']):.3f}")
    return found


# --- what a forecast owes to each past day ----------------------------------------------------------------------------


def forecast_sensitivity(model: Forecaster, series: np.ndarray, lags: int) -> list[float]:
    """The mean size, over the test year, of the derivative of a forecast with respect to the day ``j`` days before."""
    ends = np.arange(TEST_BEGINS - 1, len(series) - 1)
    days = ends[:, None] - np.arange(lags)[::-1]
    x = torch.tensor(series[days], dtype=torch.float32)[..., None].requires_grad_()
    (dx,) = torch.autograd.grad(model(x)[:, -1].sum(), x)
    return dx[..., 0].abs().mean(dim=0).flip(0).tolist()


@experiment(
    "memory_cells_weather",
    "How much does a forecast of tomorrow's temperature change with each day before it?",
    SEEDS[:5],
)
def forecast_owes(seeds: Sequence[int], progress: Progress) -> dict:
    data = temperatures()
    rows = slice(29, TRAINING_DAYS - 1)
    weights, *_ = np.linalg.lstsq(lagged(data.standard, 30)[:-1][rows], data.standard[1:][rows], rcond=None)
    found: dict = {"size": SIZE, "linear": np.abs(weights[1:]).tolist(), "recurrent": []}
    for seed in seeds:
        model, _ = train(SIZE, seed, data.standard)
        found["recurrent"].append(forecast_sensitivity(model, data.standard, 60))
        today, ten_days_ago = (found["recurrent"][-1][lag] for lag in (0, 10))
        progress(f"seed {seed}: {today:.2f} for the last day, {ten_days_ago:.4f} for ten days before it")
    return found
