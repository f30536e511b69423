"""How far a gradient reaches through a recurrent network, what helps, and what a state still knows of its first input.

The yardstick is the adding problem: a sequence of random numbers, two of which are marked, one in each half; the answer
is the sum of the two. Always to answer 1 has the mean squared error 1/6. Fresh sequences are drawn for every update.
The networks of all seeds are trained side by side, on an axis of their own: they share nothing but the time it takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from solutions.experiments.registry import Progress, experiment

SEEDS = tuple(range(5))
MORE_SEEDS = tuple(range(10))
SIZE = 32
ROWS = 32
UPDATES = 1200
STEPS = (10, 20, 30, 40)
PATIENCE = 4
SHORT, LONG = 20, 40
RATES = {"sgd": (0.03, 0.1, 0.3), "momentum": (0.01, 0.03, 0.1), "adam": (1e-3, 3e-3, 1e-2)}
DEPTH = 50
DRAWS = 60
INPUTS = (0.0, 0.1, 0.3, 1.0)
DEFAULT_GAIN = 1 / math.sqrt(3)  # entries uniform within ±1/√(inputs), as PyTorch draws those of all three layers


# --- the adding problem, and networks that learn it -------------------------------------------------------------------


def adding_problem(generator: torch.Generator, count: int, steps: int) -> tuple[Tensor, Tensor]:
    """``x (count, steps, 2)`` with a number from 0 to 1 and a mark at each step, and the marked numbers' sum."""
    numbers, marks = torch.rand(count, steps, generator=generator), torch.zeros(count, steps)
    half = steps // 2
    for low, high in ((0, half), (half, steps)):
        marks.scatter_(1, torch.randint(low, high, (count, 1), generator=generator), 1.0)
    return torch.stack([numbers, marks], dim=2), (numbers * marks).sum(dim=1)


def batches(generators: Sequence[torch.Generator], count: int, steps: int) -> tuple[Tensor, Tensor]:
    """Sequences for each seed's network, ``(S, count, steps, 2)``, and their sums, ``(S, count)``."""
    x, y = zip(*(adding_problem(g, count, steps) for g in generators), strict=True)
    return torch.stack(x), torch.stack(y)


class Networks(nn.Module):
    """Recurrent layers, one above the other, and a linear readout of the last state; one network a seed.

    Args:
        start: how ``W_h`` begins: ``"torch"``, ``"glorot"``, ``"orthogonal"`` or ``"identity"``, or ``"bare"`` for
            PyTorch's ``W_h`` with ``b = 0``. But for ``"torch"``, ``b`` begins at 0. All else begins as in PyTorch.
        activation: ``"tanh"`` or ``"relu"``.
        drop: the part of the state that is dropped in training: ``("readout", p)`` at the readout,
            ``("state", p)`` on its way to the next step, the same neurons at every step of a sequence.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        start: str = "torch",
        activation: str = "tanh",
        layers: int = 1,
        drop: tuple[str, float] = ("", 0.0),
    ) -> None:
        super().__init__()
        drawn = [first_weights(torch.Generator().manual_seed(seed), start, layers) for seed in seeds]
        self.weights = nn.ParameterList(torch.stack(one) for one in zip(*drawn, strict=True))
        self.f = {"tanh": torch.tanh, "relu": torch.relu}[activation]
        self.layers, self.drop = layers, drop

    def states(self, x: Tensor) -> list[Tensor]:
        """The states of the top layer for ``x (S, N, T, D)``: one ``(S, N, H)`` a step."""
        inputs = list(x.unbind(2))
        for layer in range(self.layers):
            W_x, W_h, b = self.weights[3 * layer : 3 * layer + 3]
            h_t, mask = x.new_zeros(*x.shape[:2], SIZE), self.mask("state", x)
            h = []
            for x_t in inputs:
                h_t = self.f(torch.baddbmm(torch.baddbmm(b, x_t, W_x), h_t if mask is None else h_t * mask, W_h))
                h.append(h_t)
            inputs = h
        return inputs

    def read(self, h_t: Tensor) -> Tensor:
        """``(S, N)`` answers from ``(S, N, H)``."""
        mask = self.mask("readout", h_t)
        return torch.baddbmm(self.weights[-1], h_t if mask is None else h_t * mask, self.weights[-2])[..., 0]

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.states(x)[-1])

    def mask(self, place: str, like: Tensor) -> Tensor | None:
        name, p = self.drop
        if not self.training or name != place:
            return None
        return (torch.rand(*like.shape[:2], SIZE) >= p) / (1 - p)


def first_weights(generator: torch.Generator, start: str, layers: int) -> list[Tensor]:
    """For each layer ``W_x (D, H)``, ``W_h (H, H)``, ``b (1, H)``; then ``W_y (H, 1)``, ``b_y (1, 1)``."""

    def uniform(*shape: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=generator) - 1) / math.sqrt(SIZE)

    weights = []
    for layer in range(layers):
        W_x, W_h = uniform(2 if layer == 0 else SIZE, SIZE), uniform(SIZE, SIZE)
        b = uniform(1, SIZE) + uniform(1, SIZE)  # PyTorch adds two biases
        if start == "glorot":
            W_h = W_h * math.sqrt(3)
        elif start == "orthogonal":
            Q, R = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=generator))
            W_h = Q * R.diagonal().sign()
        elif start == "identity":
            W_h = torch.eye(SIZE)
        weights += [W_x, W_h, b if start == "torch" else 0 * b]
    return [*weights, uniform(SIZE, 1), uniform(1, 1)]


def squared_errors(model: Networks, x: Tensor, y: Tensor) -> Tensor:
    """The mean squared error of each seed's network, ``(S,)``."""
    return (model(x) - y).square().mean(dim=1)


def clip_each(gradients: list[Tensor], clip: str) -> Tensor:
    """Clip each seed's gradient to norm 1, or its entries to ±0.1, or not at all; return the norms before, ``(S,)``."""
    norm = sum(g.flatten(1).square().sum(dim=1) for g in gradients) ** 0.5
    for g in gradients:
        if clip == "norm":
            g *= (1 / (norm + 1e-6)).clamp(max=1).view(-1, 1, 1)
        elif clip == "value":
            g.clamp_(-0.1, 0.1)
    return norm


def train(
    model: Networks,
    seeds: Sequence[int],
    steps: int,
    optimiser: str = "adam",
    lr: float = 3e-3,
    clip: str = "norm",
    updates: int = UPDATES,
    readout_lr: float | None = None,
) -> np.ndarray:
    """Train on fresh sequences of so many steps; return the gradients' norms before clipping, ``(updates, S)``.

    The readout may have a learning rate of its own.
    """
    torch.manual_seed(seeds[0])  # for dropout
    generators = [torch.Generator().manual_seed(1000 + seed) for seed in seeds]
    make = {
        "sgd": lambda p: torch.optim.SGD(p, lr),
        "momentum": lambda p: torch.optim.SGD(p, lr, momentum=0.9),
        "adam": lambda p: torch.optim.Adam(p, lr),
    }
    layers, readout = list(model.weights)[:-2], list(model.weights)[-2:]
    rates = [{"params": layers}, {"params": readout, "lr": lr if readout_lr is None else readout_lr}]
    rule, norms = make[optimiser](rates), []
    model.train()
    for _ in range(updates):
        rule.zero_grad()
        squared_errors(model, *batches(generators, ROWS, steps)).sum().backward()
        norms.append(clip_each([p.grad for p in model.parameters() if p.grad is not None], clip).numpy())
        rule.step()
    model.eval()
    return np.array(norms)


def error(model: Networks, steps: int, seed: int = 2000) -> list[float | None]:
    """The mean squared error of each network on 2000 sequences that were never used; None where it is not finite."""
    x, y = adding_problem(torch.Generator().manual_seed(seed), 2000, steps)
    with torch.no_grad():
        found = squared_errors(model, x.expand(len(model.weights[0]), -1, -1, -1), y)
    return [float(e) if math.isfinite(e) else None for e in found]


def reach(model: Networks, seeds: Sequence[int], steps: int) -> list[float]:
    """What is left of the loss's gradient at the first state, as a part of that at the last: ‖∂L/∂h₁‖ / ‖∂L/∂h_T‖.

    The geometric mean over 200 sequences; as 0 has no logarithm, a part below 1e-30 counts as 1e-30.
    """
    x, y = batches([torch.Generator().manual_seed(4000 + seed) for seed in seeds], 200, steps)
    h = model.states(x)
    first, last = torch.autograd.grad((model.read(h[-1]) - y).square().sum(), [h[0], h[-1]])
    part = first.norm(dim=2) / last.norm(dim=2)
    return part.clamp(min=1e-30).log().mean(dim=1).exp().tolist()


# --- how long may the sequence be, and what does the state know of its first number? ------------------------------


@experiment(
    "gradient_problems_adding",
    "On how long a sequence does a recurrent network learn to add two numbers, and does a second layer help?",
    SEEDS,
)
def lengthen(seeds: Sequence[int], progress: Progress) -> dict:
    found: dict = {"steps": list(STEPS), "updates": UPDATES, "hidden_size": SIZE, "error": {}}
    found["linear"] = [linear_error(steps) for steps in STEPS]
    for layers in (1, 2):
        found["error"][str(layers)] = []
        for steps in STEPS:
            model = Networks(seeds, layers=layers)
            train(model, seeds, steps)
            found["error"][str(layers)].append(error(model, steps))
            progress(f"{layers} layers, {steps} steps: {np.round(found['error'][str(layers)][-1], 4)}")
    found["patience"], found["patient"] = PATIENCE, {}
    found["trace"] = {"untrained": traces(Networks(seeds), SHORT)}
    for steps in (SHORT, LONG, 2 * LONG):
        model = Networks(seeds)
        train(model, seeds, steps, updates=PATIENCE * UPDATES)
        found["patient"][str(steps)] = error(model, steps)
        progress(f"{PATIENCE} times the updates, {steps} steps: {np.round(found['patient'][str(steps)], 4)}")
        if steps == SHORT:
            found["trace"]["trained"] = traces(model, SHORT)
    return found


def linear_error(steps: int) -> float:
    """Of a linear fit on all numbers and marks of the sequence, fitted on ten thousand others."""
    x, y = adding_problem(torch.Generator().manual_seed(0), 20_000, steps)
    features = np.column_stack([np.ones(len(x)), x.flatten(1).numpy()])
    weights, *_ = np.linalg.lstsq(features[:10_000], y[:10_000].numpy(), rcond=None)
    return float(np.mean((features[10_000:] @ weights - y[10_000:].numpy()) ** 2))


def traces(model: Networks, steps: int, count: int = 2000, noise: float = 0.01) -> dict[str, list[list[float]]]:
    """How much of the first number can be read from each state by least squares: R², ``(S, steps)``.

    Once where the first number is marked, once where another is; the second mark is always on the last step. Noise of
    1 % of each neuron's spread is added to the states, so that a trace which only exact arithmetic could find counts
    as lost. The fit uses half of the sequences and is judged on the others.
    """
    networks, found = model.weights[0].shape[0], {}
    rng = np.random.default_rng(0)
    for name in ("marked", "unmarked"):
        marks = np.zeros((count, steps))
        marks[np.arange(count), 0 if name == "marked" else rng.integers(1, steps // 2, count)] = 1
        marks[:, -1] = 1
        numbers = rng.random((count, steps))
        x = torch.tensor(np.stack([numbers, marks], axis=2), dtype=torch.float32).expand(networks, -1, -1, -1)
        with torch.no_grad():
            h = torch.stack(model.states(x), dim=2).numpy().astype(float)
        h += noise * h.std(axis=1, keepdims=True) * rng.normal(size=h.shape)
        found[name] = [[explained(h[s, :, t], numbers[:, 0]) for t in range(steps)] for s in range(networks)]
    return found


def explained(h: np.ndarray, y: np.ndarray) -> float:
    """R² of a linear fit of ``y (N,)`` from ``h (N, H)``, on the second half of the rows, fitted on the first."""
    half = len(y) // 2
    features = np.column_stack([np.ones(len(h)), h])
    weights, *_ = np.linalg.lstsq(features[:half], y[:half], rcond=None)
    return float(1 - np.mean((features[half:] @ weights - y[half:]) ** 2) / y[half:].var())


# --- what helps -------------------------------------------------------------------------------------------------------


@experiment(
    "gradient_problems_remedies",
    "What do initialisation, optimiser, dropout and clipping change about the gradient's reach and the error?",
    MORE_SEEDS,
)
def remedy(seeds: Sequence[int], progress: Progress) -> dict:
    """One thing at a time is changed; all else is PyTorch's first weights, tanh, Adam at 3e-3, clipping by norm."""
    found: dict = {"steps": [SHORT, LONG], "updates": UPDATES, "patience": PATIENCE}
    found |= {"runs": {}, "long": {}, "rates": {}, "patient": {}}

    def run(
        name: str,
        optimiser: str = "adam",
        lr: float = 3e-3,
        clip: str = "norm",
        steps: int = SHORT,
        updates: int = UPDATES,
        **network,
    ) -> dict:
        model = Networks(seeds, **network).eval()
        before = reach(model, seeds, steps)
        norms = train(model, seeds, steps, optimiser, lr, clip, updates)
        result: dict = {
            "error": error(model, steps),
            "validation": error(model, steps, seed=3000),
            "reach_before": before,
            "reach_after": reach(model, seeds, steps),
            "clipped": (norms > 1).mean(axis=0).tolist(),
            "largest_norm": norms.max(axis=0).tolist(),
        }
        progress(f"{name}, {steps} steps: {np.round(result['error'], 4)}, reach {before[0]:.1e}")
        return result

    for optimiser, rates in RATES.items():
        tried = {lr: run(f"{optimiser} at {lr}", optimiser, lr) for lr in rates}
        best = min(rates, key=lambda lr: np.mean([math.inf if e is None else e for e in tried[lr]["validation"]]))
        found["runs"][optimiser], found["rates"][optimiser] = tried[best], best
        if optimiser == "adam":
            found["runs"]["torch"] = tried[3e-3]
    starts: dict[str, dict[str, Any]] = {
        "torch": {},
        "bare": {"start": "bare"},
        "glorot": {"start": "glorot"},
        "orthogonal": {"start": "orthogonal"},
        "identity": {"start": "identity"},
        "identity, relu": {"start": "identity", "activation": "relu"},
    }
    for name, network in starts.items():
        if name != "torch":
            found["runs"][name] = run(name, **network)
        found["long"][name] = run(name, steps=LONG, **network)
    found["patient"]["torch"] = run("torch, patient", updates=PATIENCE * UPDATES)
    for place in ("readout", "state"):
        name, drop = f"dropout, {place}", (place, 0.2)
        found["runs"][name] = run(name, drop=drop)
        found["patient"][name] = run(f"{name}, patient", updates=PATIENCE * UPDATES, drop=drop)
    for clip in ("none", "value"):
        found["runs"][f"clip, {clip}"] = run(f"clip, {clip}", clip=clip)
    return found


# --- what runs away ---------------------------------------------------------------------------------------------------


@experiment(
    "gradient_problems_runaway",
    "Does training a network whose activation has no ceiling make its outputs run away, and does tanh prevent it?",
    SEEDS,
)
def run_away(seeds: Sequence[int], progress: Progress) -> dict:
    """Sequences of 20 steps, plain gradient descent and Adam, clipped or not; then longer sequences than ever seen."""
    rates = {"sgd": (0.01, 0.1, 0.3), "adam": (0.003, 0.03)}
    found: dict = {"steps": 20, "updates": 400, "rates": {k: list(v) for k, v in rates.items()}, "runs": []}
    for activation in ("tanh", "relu"):
        for clip in ("none", "norm"):
            for optimiser, lr in ((name, lr) for name, several in rates.items() for lr in several):
                model = Networks(seeds, start="identity", activation=activation)
                norms = train(model, seeds, 20, optimiser, lr, clip, found["updates"])
                run: dict = {
                    "activation": activation,
                    "clip": clip,
                    "optimiser": optimiser,
                    "lr": lr,
                    "error": error(model, 20),
                    "largest_norm": [float(n) if math.isfinite(n) else None for n in norms.max(axis=0)],
                    "largest_state": {str(steps): largest_state(model, seeds, steps) for steps in (20, 100, 400)},
                }
                found["runs"].append(run)
                progress(
                    f"{activation}, clip {clip}, {optimiser} at {lr}: {run['error']} {run['largest_state']['400']}"
                )
    untrained = Networks(seeds, start="identity", activation="relu")
    found["untrained"] = {str(steps): largest_state(untrained, seeds, steps) for steps in (20, 100, 400)}
    found["slow_readout"] = slow_readout(seeds)
    progress(f"tanh, sgd at 0.1: {found['slow_readout']}")
    return found


def slow_readout(seeds: Sequence[int]) -> dict[str, list[float | None]]:
    """Plain descent at 0.1 on tanh networks: is it the readout that diverges?

    ``curvature`` is that of the loss along the readout's weights after four updates, ``2 (‖h‖² + 1)``, where descent at
    0.1 diverges above 20; ``error`` is what is reached when the readout alone learns at 0.01.
    """
    model = Networks(seeds, start="identity")
    train(model, seeds, 20, "sgd", 0.1, "none", updates=4)
    x, _ = batches([torch.Generator().manual_seed(5000 + seed) for seed in seeds], 100, 20)
    with torch.no_grad():
        curvature = 2 * (model.states(x)[-1].square().sum(dim=2).mean(dim=1) + 1)
    model = Networks(seeds, start="identity")
    train(model, seeds, 20, "sgd", 0.1, "none", 400, readout_lr=0.01)
    return {"curvature": curvature.tolist(), "error": error(model, 20)}


def largest_state(model: Networks, seeds: Sequence[int], steps: int) -> list[float | None]:
    """The largest output of any neuron at the last of so many steps; None where it is no finite number."""
    x, _ = batches([torch.Generator().manual_seed(5000 + seed) for seed in seeds], 100, steps)
    with torch.no_grad():
        largest = model.states(x)[-1].abs().flatten(1).amax(dim=1)
    return [float(value) if math.isfinite(value) else None for value in largest]


# --- fifty layers: recurrent, dense, convolutional --------------------------------------------------------------------


def backward_norms(kind: str, gain: float, squash: bool, rng: np.random.Generator, inputs: float = 1.0) -> np.ndarray:
    """The gradient's norm 0, 1, … ``DEPTH`` layers back, as a part of the norm at the top, for random weights.

    Args:
        kind: ``"recurrent"``: one matrix, and an input at every layer; ``"unshared"``: the same with a matrix for each
            layer; ``"dense"``: a matrix for each layer and no input after the first; ``"convolution"``: a kernel of
            length 3 for each layer, the gradient entering at the middle of a sequence too long to end.
        gain: the entries' standard deviation times the root of how many numbers enter a neuron.
        squash: tanh, or nothing.
        inputs: the standard deviation of what the inputs add to each neuron at each layer.
    """
    if kind == "convolution":
        return convolution_norms(gain, squash, rng)
    matrices = rng.normal(size=(1 if kind == "recurrent" else DEPTH, SIZE, SIZE)) * gain / math.sqrt(SIZE)
    matrices = np.broadcast_to(matrices, (DEPTH, SIZE, SIZE))
    h, slopes = rng.normal(size=SIZE), []
    from_input = (0 if kind == "dense" else inputs) * rng.normal(size=(1, SIZE)) * rng.normal(size=(DEPTH, 1))
    for W, a in zip(matrices, from_input, strict=True):
        h = np.tanh(h @ W + a) if squash else h
        slopes.append(1 - h * h if squash else np.ones(SIZE))
    dh = rng.normal(size=SIZE)
    norms = [np.linalg.norm(dh)]
    for W, slope in zip(matrices[::-1], slopes[::-1], strict=True):
        dh = (dh * slope) @ W.T
        norms.append(np.linalg.norm(dh))
    return np.array(norms) / norms[0]


def convolution_norms(gain: float, squash: bool, rng: np.random.Generator) -> np.ndarray:
    """``backward_norms`` of a stack of convolutions: the joint norm over all places of the sequence."""
    kernels = rng.normal(size=(DEPTH, 3, SIZE, SIZE)) * gain / math.sqrt(3 * SIZE)
    places = 2 * DEPTH + 1
    h, slopes = rng.normal(size=(places, SIZE)), []

    def windows(values: np.ndarray) -> np.ndarray:
        padded = np.pad(values, ((1, 1), (0, 0)))
        return np.concatenate([padded[k : k + places] for k in range(3)], axis=1)

    for kernel in kernels:
        h = np.tanh(windows(h) @ kernel.reshape(3 * SIZE, SIZE)) if squash else h
        slopes.append(1 - h * h if squash else np.ones_like(h))
    dh = np.zeros((places, SIZE))
    dh[DEPTH] = rng.normal(size=SIZE)
    norms = [np.linalg.norm(dh)]
    for kernel, slope in zip(kernels[::-1], slopes[::-1], strict=True):
        turned = np.swapaxes(kernel[::-1], 1, 2)  # from outputs to inputs, and the last place first
        dh = windows(dh * slope) @ turned.reshape(3 * SIZE, SIZE)
        norms.append(np.linalg.norm(dh))
    return np.array(norms) / norms[0]


@experiment(
    "gradient_problems_sharing",
    "Are gradients less stable through fifty steps of a recurrent layer than through fifty other layers?",
    tuple(range(DRAWS)),
)
def compare_depths(seeds: Sequence[int], progress: Progress) -> dict:
    """The gradient's part by layers back, as a logarithm to base 10: 10, 50 and 90 % of the draws, and its spread."""
    found: dict = {"depth": DEPTH, "hidden_size": SIZE, "default_gain": DEFAULT_GAIN, "runs": {}, "inputs": {}}

    def draw(kind: str, gain: float, squash: bool, inputs: float = 1.0) -> dict:
        rngs = [np.random.default_rng(seed) for seed in seeds]
        logs = np.log10([backward_norms(kind, gain, squash, rng, inputs) for rng in rngs])
        quantiles = np.quantile(logs, (0.1, 0.5, 0.9), axis=0)
        progress(f"{kind}, {gain:.2f}, inputs {inputs}: {quantiles[:, -1].round(2)}, spread {logs[:, -1].std():.2f}")
        return {
            "quantiles": quantiles.round(4).tolist(),
            "spread": logs.std(axis=0).round(4).tolist(),
            "least": float(logs[:, -1].min()),
            "most": float(logs[:, -1].max()),
        }

    cases = [
        ("linear", 1.0, False),
        ("tanh default", DEFAULT_GAIN, True),
        ("tanh 1", 1.0, True),
        ("tanh 1.5", 1.5, True),
    ]
    for name, gain, squash in cases:
        kinds = ["recurrent", "unshared", "dense", "convolution"]
        if not squash:
            kinds.remove("unshared")  # without squashing, inputs do not enter the gradient: the same as dense
        found["runs"][name] = {kind: draw(kind, gain, squash) for kind in kinds}
    for kind in ("recurrent", "unshared"):
        found["inputs"][kind] = {str(inputs): draw(kind, 1.0, True, inputs) for inputs in INPUTS}
    return found
