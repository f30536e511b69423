"""What backpropagation through time computes, which of its parts one notices when they are wrong, and what is lost
when it is cut short.

Every network here is a recurrent layer with a linear readout at each step, trained in NumPy by gradient descent on the
mean squared error. The backward passes that are compared, right, truncated and faulty, are functions of the same form:
``backward(dh, cache, b) -> RNNGradients`` for a layer that starts from zero.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from solutions.experiments.data import TRAINING_DAYS, VALIDATION_DAYS, temperatures
from solutions.experiments.registry import Progress, experiment
from solutions.with_numpy.bptt import (
    RNNGradients,
    gradient_error,
    numerical_gradient,
    rnn_backward,
    truncated_bptt,
)
from solutions.with_numpy.recurrent_neurons import RNNCache, rnn_forward

SEEDS = tuple(range(10))
FEW_SEEDS = tuple(range(5))
TEST_BEGINS = TRAINING_DAYS + VALIDATION_DAYS
DAYS = 30  # a training stretch of the temperatures
UPDATES = 440
STEPS = 32  # a training sequence of the echo

Parameters = dict[str, np.ndarray]
Backward = Callable[[np.ndarray, RNNCache, np.ndarray], RNNGradients]
Batch = tuple[np.ndarray, np.ndarray]


# --- the network and its training -------------------------------------------------------------------------------------


def draw(hidden_size: int, rng: np.random.Generator) -> Parameters:
    """A layer for one input and its readout, drawn as PyTorch draws them, with biases of zero."""
    bound = 1 / np.sqrt(hidden_size)
    shapes = {"W_x": (1, hidden_size), "W_h": (hidden_size, hidden_size), "W_y": (hidden_size,)}
    parameters = {name: rng.uniform(-bound, bound, shape) for name, shape in shapes.items()}
    return parameters | {"b": np.zeros(hidden_size), "b_y": np.zeros(())}


def outputs(parameters: Parameters, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, RNNCache]:
    """``(ŷ (N, T), h (N, T, H), cache)`` for ``x (N, T, 1)``."""
    h, _, cache = rnn_forward(x, None, parameters["W_x"], parameters["W_h"], parameters["b"])
    return h @ parameters["W_y"] + parameters["b_y"], h, cache


def whole(dh: np.ndarray, cache: RNNCache, b: np.ndarray) -> RNNGradients:
    return rnn_backward(dh, None, cache)


def truncated(chunk: int) -> Backward:
    """The backward pass that stops at every cut, one cut each ``chunk`` steps."""

    def backward(dh: np.ndarray, cache: RNNCache, b: np.ndarray) -> RNNGradients:
        return truncated_bptt(cache.x, None, cache.W_x, cache.W_h, b, dh, chunk)[2]

    return backward


def nothing(dh: np.ndarray, cache: RNNCache, b: np.ndarray) -> RNNGradients:
    """No gradient at all: the layer stays as it is, and only the readout learns."""
    return RNNGradients(*(np.zeros_like(value) for value in (cache.x, cache.states[0], cache.W_x, cache.W_h, b)))


def loss_and_gradients(
    parameters: Parameters, batch: Batch, first: int = 0, backward: Backward = whole
) -> tuple[float, Parameters]:
    """The mean squared error of the outputs from step ``first`` on, and its gradients."""
    x, target = batch
    y_hat, h, cache = outputs(parameters, x)
    error = (y_hat - target)[:, first:]
    dy = np.zeros_like(y_hat)
    dy[:, first:] = 2 * error / error.size
    layer = backward(dy[..., None] * parameters["W_y"], cache, parameters["b"])
    gradients = {name: getattr(layer, f"d{name}") for name in ("W_x", "W_h", "b")}
    return float(np.mean(error**2)), gradients | {"W_y": np.tensordot(dy, h, 2), "b_y": dy.sum()}


def train(
    parameters: Parameters,
    batches: Iterator[Batch],
    updates: int,
    lr: float,
    momentum: float = 0.0,
    largest: float = np.inf,
    **cost,
) -> list[float]:
    """Change the parameters by gradient descent; returns the loss before each update.

    Gradients whose common norm exceeds ``largest`` are scaled down to it. ``cost`` goes to ``loss_and_gradients``.
    """
    losses, speed = [], {name: np.zeros_like(value) for name, value in parameters.items()}
    for _ in range(updates):
        loss, gradients = loss_and_gradients(parameters, next(batches), **cost)
        norm = np.sqrt(sum(np.sum(gradient**2) for gradient in gradients.values()))
        scale = 1.0 if norm <= largest else largest / norm
        for name in parameters:
            speed[name] = momentum * speed[name] + scale * gradients[name]
            parameters[name] = parameters[name] - lr * speed[name]
        losses.append(loss)
    return losses


# --- the data ---------------------------------------------------------------------------------------------------------


def stretches(series: np.ndarray, steps: int = DAYS) -> Batch:
    """Every run of ``steps`` values, ``(N, steps, 1)``, and for each of them the value after it, ``(N, steps)``."""
    runs = np.lib.stride_tricks.sliding_window_view(series, steps + 1)
    return runs[:, :-1, None].copy(), runs[:, 1:].copy()


def in_batches(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> Iterator[Batch]:
    """Rows in random order, about 64 at a time, pass after pass."""
    while True:
        for rows in np.array_split(rng.permutation(len(x)), max(1, len(x) // 64)):
            yield x[rows], y[rows]


def echoes(lag: int, rng: np.random.Generator, rows: int = 16) -> Iterator[Batch]:
    """Random signs, and as the target the sign of ``lag`` steps ago (before there is one, 0)."""
    while True:
        x = rng.choice([-1.0, 1.0], size=(rows, STEPS, 1))
        yield x, np.concatenate([np.zeros((rows, lag)), x[:, : STEPS - lag, 0]], axis=1)


def rmse(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(error))))


def forecast_errors(parameters: Parameters) -> dict[str, float]:
    """The error in °C of one pass over all days, in the training years and in the test year."""
    data = temperatures()
    y_hat, _, _ = outputs(parameters, data.standard[None, :-1, None])
    error = data.scale * (y_hat[0] - data.standard[1:])
    return {"training": rmse(error[: TRAINING_DAYS - 1]), "test": rmse(error[TEST_BEGINS - 1 :])}


# --- what it computes -------------------------------------------------------------------------------------------------


@experiment(
    "bptt_exact",
    "Is it ordinary backpropagation on the unrolled network, summed over the steps, through the outputs that count?",
    SEEDS,
)
def compare_exactly(seeds: Sequence[int], progress: Progress) -> dict:
    found: dict = {name: [] for name in ("autograd", "unshared", "differences", "training", "one_copy")}
    found |= {"steps": OUTPUT_STEPS, "direct": {}, "total": {}, "share_of_unused": []}
    for used in USED_OUTPUTS:
        found["direct"][used], found["total"][used] = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        N, T, D, H = 3, 12, 2, 4
        x, h0, dh = rng.normal(size=(N, T, D)), rng.normal(size=(N, H)), rng.normal(size=(N, T, H))
        W_x, W_h, b = rng.normal(size=(D, H)), rng.normal(size=(H, H)) / 2, rng.normal(size=H)
        h, _, cache = rnn_forward(x, h0, W_x, W_h, b)
        ours = rnn_backward(dh, None, cache)
        shared, copies = unrolled_gradients(x, h0, W_x, W_h, b, dh)
        weights = ("dW_x", "dW_h", "db")
        found["autograd"].append(max(gradient_error(getattr(ours, name), shared[name]) for name in weights))
        sums = {name: copies[name].sum(axis=0) for name in weights}
        found["unshared"].append(max(gradient_error(getattr(ours, name), sums[name]) for name in weights))
        found["one_copy"].append(min(gradient_error(ours.dW_h, copy) for copy in copies["dW_h"]))
        numeric = numerical_gradient(lambda W: (rnn_forward(x, h0, W_x, W, b)[0] * dh).sum(), W_h)  # noqa: B023
        found["differences"].append(gradient_error(ours.dW_h, numeric))
        found["training"].append(train_twice(seed))

        for used, outputs_used in USED_OUTPUTS.items():
            direct, total, share = through_outputs(outputs_used, seed)
            found["direct"][used].append(direct)
            found["total"][used].append(total)
            if used == "3 to 5":
                found["share_of_unused"].append(share)
        progress(f"seed {seed}: from autograd {found['autograd'][-1]:.1e}, training {found['training'][-1]:.1e}")
    return found | prices_of_a_gradient()


def unrolled_gradients(x, h0, W_x, W_h, b, dh) -> tuple[dict, dict]:
    """By autograd: the weights' gradients where all steps share them, and where each step has a copy of its own.

    Returns:
        ``(shared, copies)``; each of the copies' gradients has the steps as its first axis.
    """
    T = x.shape[1]
    x, one, dh = (torch.tensor(value) for value in (x, h0, dh))
    own = one
    given = {"dW_x": W_x, "dW_h": W_h, "db": b}
    shared = {name: torch.tensor(value, requires_grad=True) for name, value in given.items()}
    copies = {name: value.detach().repeat(T, *[1] * value.ndim).requires_grad_() for name, value in shared.items()}
    loss = torch.zeros((), dtype=x.dtype)
    for t in range(T):
        one = torch.tanh(x[:, t] @ shared["dW_x"] + one @ shared["dW_h"] + shared["db"])
        own = torch.tanh(x[:, t] @ copies["dW_x"][t] + own @ copies["dW_h"][t] + copies["db"][t])
        loss = loss + ((one + own) * dh[:, t]).sum()
    return gradients_of(loss, shared), gradients_of(loss, copies)


def gradients_of(loss: Tensor, of: dict[str, Tensor]) -> dict[str, np.ndarray]:
    found = torch.autograd.grad(loss, list(of.values()), retain_graph=True)
    return {name: gradient.numpy() for name, gradient in zip(of, found, strict=True)}


OUTPUT_STEPS = 5
USED_OUTPUTS = {str(t + 1): (t,) for t in range(OUTPUT_STEPS)} | {"3 to 5": (2, 3, 4)}


def through_outputs(used: Sequence[int], seed: int) -> tuple[list[float], list[float], float]:
    """By autograd, for a cost that uses some outputs: what reaches each step's output, and what reaches its state.

    Each output is a copy of the state that the cost alone reads; the next step reads the state itself.

    Returns:
        For each step the norm of the derivative by the output (the direct one) and by the state (the total one); and
        the share of ``dW_x`` that comes from the steps whose outputs are not used, as a ratio of norms.
    """
    rng = np.random.default_rng(seed)
    N, D, H = 8, 2, 4
    x = torch.tensor(rng.normal(size=(N, OUTPUT_STEPS, D)))
    W_x, W_h = torch.tensor(rng.normal(size=(D, H)), requires_grad=True), torch.tensor(rng.normal(size=(H, H)) / 2)
    W_y, target = torch.tensor(rng.normal(size=H)), torch.tensor(rng.normal(size=(N, OUTPUT_STEPS)))
    h_t, states, read = x.new_zeros(N, H), [], []
    for t in range(OUTPUT_STEPS):
        h_t = torch.tanh(x[:, t] @ W_x + h_t @ W_h)
        states.append(h_t)
        read.append(h_t.clone())
    cost = torch.stack([(read[t] @ W_y - target[:, t]).square().mean() for t in used]).mean()
    *reached, dW_x = torch.autograd.grad(cost, [*read, *states, W_x], allow_unused=True)
    norms = [0.0 if gradient is None else float(gradient.norm()) for gradient in reached]
    terms = [
        x[:, t].T @ (gradient * (1 - states[t].detach().square()))
        for t, gradient in enumerate(reached[OUTPUT_STEPS:])
        if gradient is not None and t not in used
    ]
    share = float(torch.stack([torch.zeros_like(dW_x), *terms]).sum(0).norm() / dW_x.norm())
    return norms[:OUTPUT_STEPS], norms[OUTPUT_STEPS:], share


def totals(dh: np.ndarray, cache: RNNCache) -> np.ndarray:
    """The loss's total derivative by each step's output, ``(N, T, H)``: its own share and that of all later steps."""
    total, dh_next = np.empty_like(dh), np.zeros_like(dh[:, 0])
    for t in reversed(range(dh.shape[1])):
        total[:, t] = dh[:, t] + dh_next
        dh_next = (total[:, t] * (1 - cache.states[t + 1] ** 2)) @ cache.W_h.T
    return total


def train_twice(seed: int, updates: int = 100, lr: float = 0.1) -> float:
    """Train a forecaster by this backward pass and by autograd; the largest difference between any two weights."""
    rng = np.random.default_rng(seed)
    parameters = draw(4, rng)
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
    batches = in_batches(*stretches(temperatures().standard[:TRAINING_DAYS]), rng)
    for _ in range(updates):
        batch = next(batches)
        _, gradients = loss_and_gradients(parameters, batch)
        parameters = {name: parameters[name] - lr * gradients[name] for name in parameters}

        x, y = (torch.tensor(value) for value in batch)
        h_t, errors = x.new_zeros(len(x), 4), []
        for t in range(x.shape[1]):
            h_t = torch.tanh(x[:, t] @ tensors["W_x"] + h_t @ tensors["W_h"] + tensors["b"])
            errors.append(h_t @ tensors["W_y"] + tensors["b_y"] - y[:, t])
        loss = torch.stack(errors).square().mean()
        steps = torch.autograd.grad(loss, list(tensors.values()))
        with torch.no_grad():
            for tensor, step in zip(tensors.values(), steps, strict=True):
                tensor -= lr * step
    return max(float(np.abs(parameters[name] - tensors[name].detach().numpy()).max()) for name in parameters)


def prices_of_a_gradient(hidden_size: int = 16, repeats: int = 30) -> dict:
    """How long a backward pass takes, in forward passes, and how many of those central differences would need."""
    rng = np.random.default_rng(0)
    parameters, x = draw(hidden_size, rng), rng.normal(size=(64, DAYS, 1))
    _, h, cache = outputs(parameters, x)
    seconds: dict[str, list[float]] = {"forward": [], "backward": []}
    for _ in range(repeats):
        for name, run in (
            ("forward", lambda: outputs(parameters, x)),
            ("backward", lambda: rnn_backward(h, None, cache)),
        ):
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    count = sum(value.size for value in parameters.values())
    ratio = min(seconds["backward"]) / min(seconds["forward"])
    return {"parameters": count, "forward_passes_of_differences": 2 * count, "backward_in_forward_passes": ratio}


# --- which outputs the cost uses --------------------------------------------------------------------------------------


@experiment(
    "bptt_outputs",
    "What does a forecaster lose when its cost uses only the last output, or the last ten, instead of all thirty?",
    SEEDS,
)
def train_on_some_outputs(seeds: Sequence[int], progress: Progress) -> dict:
    x, y = stretches(temperatures().standard[:TRAINING_DAYS])
    counts, used = (16, 64, len(x)), {"the last": DAYS - 1, "the last 10": DAYS - 10, "all 30": 0}
    celsius = temperatures().celsius
    found: dict = {"stretches": list(counts), "as_today": rmse(np.diff(celsius)[TEST_BEGINS - 1 :]), "test": {}}
    for count in counts:
        found["test"][str(count)] = {}
        for name, first in used.items():
            errors = []
            for seed in seeds:
                rng = np.random.default_rng(seed)
                parameters, rows = draw(8, rng), rng.permutation(len(x))[:count]
                train(parameters, in_batches(x[rows], y[rows], rng), UPDATES, lr=0.1, first=first)
                errors.append(forecast_errors(parameters)["test"])
            found["test"][str(count)][name] = errors
            progress(f"{count} stretches, cost on {name}: {np.mean(errors):.3f} °C")
    return found


# --- cut short --------------------------------------------------------------------------------------------------------

CHUNKS = (2, 4, 8, 16, STEPS)
LAGS = (3, 6, 12)


@experiment(
    "bptt_truncation",
    "How wrong is a gradient that is cut off every few steps, and what can be learned with it?",
    FEW_SEEDS,
)
def cut_short(seeds: Sequence[int], progress: Progress) -> dict:
    found: dict = {
        "chunks": list(CHUNKS),
        "lags": list(LAGS),
        "bias": {str(lag): {str(chunk): [] for chunk in CHUNKS} for lag in LAGS},
        "noise": {str(lag): [] for lag in LAGS},
        "echo": {str(lag): {str(chunk): [] for chunk in CHUNKS} for lag in LAGS},
        "held": {str(lag): {str(chunk): [] for chunk in CHUNKS} for lag in LAGS},
        "frozen": {str(lag): [] for lag in LAGS},
        "readout_only": {str(lag): [] for lag in LAGS},
        "weather": {},
    }
    for lag in LAGS:
        for seed in seeds:
            bias, noise, frozen = bias_at_the_start(lag, seed)
            found["noise"][str(lag)].append(noise)
            found["frozen"][str(lag)].append(frozen)
            found["readout_only"][str(lag)].append(learn_echo(lag, seed, nothing)[0])
            for chunk in CHUNKS:
                found["bias"][str(lag)][str(chunk)].append(bias[chunk])
                error, parameters = learn_echo(lag, seed, truncated(chunk))
                found["echo"][str(lag)][str(chunk)].append(error)
                held = fit_readout(parameters, lag, next(echoes(lag, np.random.default_rng(1000 + seed), 1000)))
                found["held"][str(lag)][str(chunk)].append(held)
        for name in ("echo", "held"):
            means = {chunk: round(float(np.mean(found[name][str(lag)][str(chunk)])), 4) for chunk in CHUNKS}
            progress(f"lag {lag}, {name}: as drawn {np.mean(found['frozen'][str(lag)]):.3f}; by chunk {means}")
    x, y = stretches(temperatures().standard[:TRAINING_DAYS])
    for chunk in (1, 2, 5, 10, DAYS):
        errors = []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            parameters = draw(16, rng)
            train(parameters, in_batches(x, y, rng), UPDATES, lr=0.1, backward=truncated(chunk))
            errors.append(forecast_errors(parameters)["test"])
        found["weather"][str(chunk)] = errors
        progress(f"weather, chunks of {chunk}: {np.mean(errors):.3f} °C")
    return found


def echo_layer(rng: np.random.Generator, hidden_size: int = 16) -> Parameters:
    """A layer for the echo: its state fades slowly, so that there is something of the past to be found in it."""
    parameters = draw(hidden_size, rng)
    return parameters | {
        "W_x": rng.normal(size=(1, hidden_size)) / 2,
        "W_h": 0.9 * rng.normal(size=(hidden_size, hidden_size)) / np.sqrt(hidden_size),
        "W_y": np.zeros(hidden_size),
    }


def learn_echo(lag: int, seed: int, backward: Backward, updates: int = 600) -> tuple[float, Parameters]:
    """The mean squared error over the last fifty updates (always to say 0 has an error of 1), and the network."""
    rng = np.random.default_rng(seed)
    parameters = echo_layer(rng)
    cost = {"first": lag, "backward": backward}
    losses = train(parameters, echoes(lag, rng), updates, lr=0.1, momentum=0.9, largest=2.0, **cost)
    return float(np.mean(losses[-50:])), parameters


def fit_readout(parameters: Parameters, lag: int, batch: Batch) -> float:
    """Give the layer the best readout for these sequences, by least squares; returns its mean squared error."""
    x, y = batch
    _, h, _ = outputs(parameters, x)
    states, wanted = h[:, lag:].reshape(-1, h.shape[2]), y[:, lag:].ravel()
    weights = np.linalg.lstsq(np.column_stack([states, np.ones(len(states))]), wanted, rcond=None)[0]
    parameters["W_y"], parameters["b_y"] = weights[:-1], weights[-1]
    return float(np.mean((states @ weights[:-1] + weights[-1] - wanted) ** 2))


def bias_at_the_start(lag: int, seed: int, rows: int = 2000) -> tuple[dict[int, float], float, float]:
    """How far the truncated gradient of ``W_h`` is from the whole one, before training, averaged over many sequences.

    The readout is the best one for the layer as drawn, by least squares.

    Returns:
        For each chunk ``‖truncated − whole‖ / ‖whole‖``; the same for the whole gradient of half of the sequences,
        which tells how much of it is chance; and the error of the layer as drawn, with that readout.
    """
    rng = np.random.default_rng(seed)
    parameters = echo_layer(rng)
    x, y = next(echoes(lag, rng, rows))
    error = fit_readout(parameters, lag, (x, y))

    def gradient(part: slice, backward: Backward = whole) -> np.ndarray:
        return loss_and_gradients(parameters, (x[part], y[part]), lag, backward)[1]["W_h"]

    full = gradient(slice(None))
    size = np.linalg.norm(full)
    bias = {chunk: float(np.linalg.norm(gradient(slice(None), truncated(chunk)) - full) / size) for chunk in CHUNKS}
    halves = np.linalg.norm(gradient(slice(rows // 2)) - gradient(slice(rows // 2, None))) / 2
    return bias, float(halves / size), error


# --- wrong ------------------------------------------------------------------------------------------------------------

FAULTS = (
    "none",
    "own output only",
    "later steps only",
    "W_h not transposed",
    "slope forgotten",
    "slope 1 + h²",
    "h_t for h_{t-1}",
    "= for +=",
    "mean for sum",
)


def faulty(fault: str) -> Callable[[np.ndarray, np.ndarray | None, RNNCache], RNNGradients]:
    """The backward pass with one fault in it."""

    def backward(dh: np.ndarray, dh_last: np.ndarray | None, cache: RNNCache) -> RNNGradients:
        x, states, W_x, W_h = cache.x, cache.states, cache.W_x, cache.W_h
        T = x.shape[1]
        dW_x, dW_h, db, dx = np.zeros_like(W_x), np.zeros_like(W_h), np.zeros(len(W_h)), np.empty_like(x)
        dh_next = np.zeros_like(states[0]) if dh_last is None else dh_last
        for t in reversed(range(T)):
            h_prev, h_t = states[t], states[t + 1]
            dh_t = dh[:, t] + dh_next
            if fault == "own output only" and t < T - 1:
                dh_t = dh[:, t]
            if fault == "later steps only" and t < T - 1:
                dh_t = dh_next
            slope = {"slope forgotten": 1.0, "slope 1 + h²": 1 + h_t**2}.get(fault, 1 - h_t**2)
            da = dh_t * slope
            dh_next = da @ (W_h if fault == "W_h not transposed" else W_h.T)
            dx[:, t] = da @ W_x.T
            kept = 0 if fault == "= for +=" else 1
            dW_x = kept * dW_x + x[:, t].T @ da
            dW_h = kept * dW_h + (h_t if fault == "h_t for h_{t-1}" else h_prev).T @ da
            db = kept * db + da.sum(axis=0)
        share = 1 / T if fault == "mean for sum" else 1
        return RNNGradients(dx, dh_next, share * dW_x, share * dW_h, share * db)

    return backward


@experiment(
    "bptt_faults",
    "Which faults of a backward pass does a gradient check find, and which does one see in the loss?",
    FEW_SEEDS,
)
def notice_faults(seeds: Sequence[int], progress: Progress) -> dict:
    found: dict = {"checks": list(CHECKS), "check": {}, "echo": {}, "frozen": []}
    for fault in FAULTS:
        found["check"][fault] = {
            name: [check(faulty(fault), seed, *how) for seed in seeds] for name, how in CHECKS.items()
        }
        found["echo"][fault] = [
            learn_echo(3, seed, lambda dh, cache, b: faulty(fault)(dh, None, cache), 400)[0]  # noqa: B023
            for seed in seeds
        ]
        worst = {name: f"{np.median(errors):.0e}" for name, errors in found["check"][fault].items()}
        progress(f"{fault}: {worst}; loss {np.mean(found['echo'][fault]):.4f}")
    found["frozen"] = [bias_at_the_start(3, seed)[2] for seed in seeds]
    return found


# name: (steps, whether the first state is random, whether every output and the final state count or the last one only)
CHECKS = {"one step": (1, False, True), "last output": (6, False, False), "everything": (6, True, True)}


def check(backward, seed: int, steps: int, random_start: bool, all_outputs: bool) -> float:
    """The largest error of the weights' gradients against central differences."""
    rng = np.random.default_rng(seed)
    N, D, H = 3, 2, 4
    x, dh, dh_last = rng.normal(size=(N, steps, D)), rng.normal(size=(N, steps, H)), rng.normal(size=(N, H))
    if not all_outputs:
        dh[:, :-1], dh_last[:] = 0, 0
    h0 = rng.normal(size=(N, H)) if random_start else np.zeros((N, H))
    weights = {"W_x": rng.normal(size=(D, H)), "W_h": rng.normal(size=(H, H)) / 2, "b": rng.normal(size=H)}
    got = backward(dh, dh_last, rnn_forward(x, h0, weights["W_x"], weights["W_h"], weights["b"])[2])
    errors = []
    for name in weights:

        def loss(value: np.ndarray, name: str = name) -> float:
            w = weights | {name: value}
            h, h_last, _ = rnn_forward(x, h0, w["W_x"], w["W_h"], w["b"])
            return float((h * dh).sum() + (h_last * dh_last).sum())

        errors.append(gradient_error(getattr(got, f"d{name}"), numerical_gradient(loss, weights[name])))
    return max(errors)


# --- a whole training -------------------------------------------------------------------------------------------------


@experiment(
    "bptt_training",
    "How well does a layer that was trained in NumPy forecast, and what do more neurons or more updates bring?",
    FEW_SEEDS,
)
def train_forecasters(seeds: Sequence[int], progress: Progress) -> dict:
    x, y = stretches(temperatures().standard[:TRAINING_DAYS])
    found: dict = {"updates": [UPDATES, 3 * UPDATES], "untrained": [], "training": {}, "test": {}}
    found["untrained"] = [forecast_errors(draw(16, np.random.default_rng(seed)))["test"] for seed in seeds]
    for hidden_size in (4, 16, 64):
        runs = []
        for seed in seeds:
            rng = np.random.default_rng(seed)
            parameters, errors = draw(hidden_size, rng), []
            batches = in_batches(x, y, rng)
            for updates in (UPDATES, 2 * UPDATES):
                train(parameters, batches, updates, lr=0.1)
                errors.append(forecast_errors(parameters))
            runs.append(errors)
        for part in ("training", "test"):
            found[part][str(hidden_size)] = {
                str(updates): [errors[place][part] for errors in runs] for place, updates in enumerate(found["updates"])
            }
        progress(f"{hidden_size} neurons: {runs[0]}")
    return found
