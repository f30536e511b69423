"""What a convolution over time is worth: before a recurrent layer, with and without pooling, and in its place.

The long recordings are made here: noise, in which a short sound and the same sound played backwards stand once each,
and then a wait. Which of the two came first? Each update draws new recordings, so nothing can be learned by heart. The
digits are scikit-learn's, read pixel by pixel: handwritten, 8 × 8, from the UCI Machine Learning Repository
(Alpaydin & Kaynak 1998), under CC BY 4.0.

The networks of all seeds are trained side by side, on a first axis of their own: they share nothing but the time that
it takes. Compute is counted in multiply-adds of the forward pass, and in seconds of the processor for all seeds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from solutions.experiments.memory_cells import clip_each
from solutions.experiments.registry import Progress, experiment

SEEDS = tuple(range(5))
TAPS, KERNELS, HIDDEN, BATCH = 8, 10, 16, 32
LEAD, NOISE = 32, 0.4  # both sounds lie within the first 32 steps
KEEP = 3.0  # what is added to the bias of z before training: keep the old state
WAITS = (0, 32, 128, 256)
UPDATES, PATIENCE = 400, 5  # of the GRU alone; the others may use as many multiply-adds
SOLVED = 0.99
DELAYS = 32


# --- layers, one network a seed ---------------------------------------------------------------------------------------

Generators = Sequence[torch.Generator]


def uniform(generators: Generators, fan_in: int, *shape: int) -> nn.Parameter:
    """Numbers between ``±1/√fan_in``, as PyTorch draws its weights: ``(S, *shape)``."""
    drawn = [(2 * torch.rand(*shape, generator=generator) - 1) / math.sqrt(fan_in) for generator in generators]
    return nn.Parameter(torch.stack(drawn))


def affine(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """``x (S, …, D)``, ``W (S, D, H)`` and ``b (S, 1, H)`` give ``(S, …, H)``."""
    return torch.baddbmm(b, x.flatten(1, -2), W).unflatten(1, x.shape[1:-1])


class Gru(nn.Module):
    """GRUs, reset after the product, as in PyTorch; ``keep`` is added to the bias of ``z``.

    ``x (S, T, N, D)`` gives ``(S, T, N, H)``.
    """

    def __init__(self, generators: Generators, inputs: int, hidden: int, keep: float | Tensor = 0.0) -> None:
        super().__init__()
        self.hidden = hidden
        self.W_x = uniform(generators, hidden, inputs, 3 * hidden)
        self.W_h = uniform(generators, hidden, hidden, 3 * hidden)
        self.b_x, self.b_h = (uniform(generators, hidden, 1, 3 * hidden) for _ in range(2))
        with torch.no_grad():
            self.b_x[..., hidden : 2 * hidden] += keep

    def forward(self, x: Tensor) -> Tensor:
        two, one = 2 * self.hidden, self.hidden
        for_gates, for_candidate = affine(x, self.W_x, self.b_x).split([two, one], dim=-1)
        h_t = x.new_zeros(len(x), x.shape[2], one)
        h = []
        for gates_in, candidate_in in zip(for_gates.unbind(1), for_candidate.unbind(1), strict=True):
            gates_h, candidate_h = torch.baddbmm(self.b_h, h_t, self.W_h).split([two, one], dim=-1)
            r, z = torch.sigmoid(gates_in + gates_h).chunk(2, dim=-1)
            n = torch.tanh(torch.addcmul(candidate_in, r, candidate_h))
            h_t = torch.lerp(n, h_t, z)  # z = 1 keeps
            h.append(h_t)
        return torch.stack(h, dim=1)


class Conv(nn.Module):
    """Kernels ``W (S, C_in · K, C_out)`` and ReLU: ``x (S, T, N, C_in)`` gives ``(S, T_out, N, C_out)``.

    ``causal`` puts ``dilation (K − 1)`` zeros before the sequence.
    """

    def __init__(
        self,
        generators: Generators,
        inputs: int,
        outputs: int,
        taps: int,
        stride: int = 1,
        dilation: int = 1,
        causal: bool = False,
    ) -> None:
        super().__init__()
        self.taps, self.stride, self.dilation, self.causal = taps, stride, dilation, causal
        self.W = uniform(generators, inputs * taps, inputs * taps, outputs)
        self.b = uniform(generators, inputs * taps, 1, outputs)

    def forward(self, x: Tensor) -> Tensor:
        reach = self.dilation * (self.taps - 1)
        if self.causal:
            x = nn.functional.pad(x, (0, 0, 0, 0, reach, 0))
        windows = x.unfold(1, reach + 1, self.stride)[..., :: self.dilation]  # (S, T_out, N, C_in, K)
        return torch.relu(affine(windows.flatten(3), self.W, self.b))


class Readout(nn.Module):
    """A linear readout of every step: ``(S, T, N, H)`` gives ``(S, T, N, outputs)``."""

    def __init__(self, generators: Generators, inputs: int, outputs: int) -> None:
        super().__init__()
        self.W = uniform(generators, inputs, inputs, outputs)
        self.b = uniform(generators, inputs, 1, outputs)

    def forward(self, h: Tensor) -> Tensor:
        return affine(h, self.W, self.b)


def generators_of(seeds: Sequence[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def parameters_of(model: nn.Module) -> int:
    """The parameters of one network."""
    return sum(p[0].numel() for p in model.parameters())


def descend(model: nn.Module, optimiser: torch.optim.Optimizer, losses: Tensor) -> None:
    """One update of every network on its own loss, ``losses (S,)``."""
    optimiser.zero_grad()
    losses.sum().backward()
    clip_each(model)
    optimiser.step()


# --- networks that read to the end and then answer --------------------------------------------------------------------


class Fold(nn.Module):
    """Lay ``every`` steps side by side as one step of ``every`` features: shorter, and nothing is lost or learned."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every, self.features = every, every

    def forward(self, x: Tensor) -> Tensor:
        if self.every == 1:
            return x
        return x[:, : x.shape[1] // self.every * self.every].unfold(1, self.every, self.every).flatten(3)

    def multiply_adds(self, steps: int) -> tuple[int, int]:
        return 0, steps // self.every


class Kernels(nn.Module):
    """Ten kernels, ReLU, and of every ``pool`` neighbours the largest or the mean: ``(S, T_out, N, 10)``."""

    def __init__(self, generators: Generators, stride: int = 1, pool: int = 1, by: str = "largest") -> None:
        super().__init__()
        self.conv = Conv(generators, 1, KERNELS, TAPS, stride)
        self.pool, self.by, self.features = pool, by, KERNELS

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.pool == 1:
            return y
        windows = y.unfold(1, self.pool, self.pool)
        return windows.max(dim=-1).values if self.by == "largest" else windows.mean(dim=-1)

    def multiply_adds(self, steps: int) -> tuple[int, int]:
        """Of the convolution, and how many steps come out."""
        positions = (steps - TAPS) // self.conv.stride + 1
        return positions * KERNELS * TAPS, positions // self.pool


class Listener(nn.Module):
    """What may shorten the sequence, a GRU that reads what is left, and a readout of its last state."""

    def __init__(
        self, generators: Generators, front: Fold | Kernels, outputs: int = 1, keep: float | Tensor = KEEP
    ) -> None:
        super().__init__()
        self.front = front
        self.gru = Gru(generators, front.features, HIDDEN, keep)
        self.readout = Readout(generators, HIDDEN, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``x (S, T, N, 1)`` gives ``(S, N, outputs)``."""
        return self.readout(self.gru(self.front(x))[:, -1])

    def multiply_adds(self, steps: int) -> int:
        """Of one sequence, forward."""
        products, left = self.front.multiply_adds(steps)
        return products + left * 3 * HIDDEN * (HIDDEN + self.front.features)


class Loudest(nn.Module):
    """Ten kernels and the largest output of each over the whole recording: no order is left."""

    def __init__(self, generators: Generators) -> None:
        super().__init__()
        self.front = Kernels(generators)
        self.readout = Readout(generators, KERNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(self.front(x).max(dim=1).values)


def drawn_keep(generators: Generators, steps: int) -> Tensor:
    """What to add to the biases of ``z`` so that units keep for s steps, s drawn evenly from 2 to ``steps``.

    Source: Tallec & Ollivier (2018), "Can recurrent neural networks warp time?", *ICLR*.
    """
    return torch.stack([torch.log(1 + torch.rand(1, HIDDEN, generator=g) * (steps - 2)) for g in generators])


# --- which sound came first? ------------------------------------------------------------------------------------------


def sounds() -> np.ndarray:
    """A swing that dies away, and the same backwards: ``(2, 8)``."""
    step = np.arange(TAPS)
    swing = 3 * np.exp(-step / 4) * np.cos(2 * np.pi * step / 5)
    return np.stack([swing, swing[::-1]])


def recordings(
    rng: np.random.Generator, count: int, wait: int, begin: tuple[int, int] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Recordings ``(count, 32 + wait)``, which sound comes first ``(count,)``, and where both begin ``(count, 2)``.

    ``begin`` says where the sounds begin; without it they stand anywhere in the first 32 steps, and do not overlap.
    """
    x = NOISE * rng.normal(size=(count, LEAD + wait))
    first = rng.integers(0, 2, count)
    anywhere = np.sort(rng.integers(0, LEAD - 2 * TAPS + 1, size=(count, 2)), axis=1) + [0, TAPS]
    places = anywhere if begin is None else np.tile(begin, (count, 1))
    row, step = np.arange(count)[:, None], np.arange(TAPS)
    x[row, places[:, :1] + step] += sounds()[first]
    x[row, places[:, 1:] + step] += sounds()[1 - first]
    return x, first, places


def told_by_the_sounds(x: np.ndarray) -> np.ndarray:
    """The likelier order for somebody who knows both sounds, the noise and where they can stand: no learning."""
    windows = np.lib.stride_tricks.sliding_window_view(x[:, :LEAD], TAPS, axis=1)
    of_sound, of_reverse = (windows @ sound for sound in sounds())
    both = of_sound[:, :, None] + of_reverse[:, None, :]
    place = np.arange(windows.shape[1])
    apart = place[None, :] - place[:, None]
    best = [np.where(order >= TAPS, both, -np.inf).max(axis=(1, 2)) for order in (apart, -apart)]
    return np.asarray(best[1] > best[0]).astype(int)


def batch(
    rngs: Sequence[np.random.Generator], count: int, wait: int, begin: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Recordings for each generator: ``x (S, T, N, 1)`` and which sound came first, ``(S, N)``."""
    drawn = [recordings(rng, count, wait, begin)[:2] for rng in rngs]
    x = torch.tensor(np.stack([x.T for x, _ in drawn]), dtype=torch.float32)
    return x[..., None], torch.tensor(np.stack([first for _, first in drawn]), dtype=torch.float32)


def right(model: nn.Module, x: Tensor, first: Tensor) -> list[float]:
    """The share of recordings whose order each network tells."""
    with torch.no_grad():
        return ((model(x)[..., 0] > 0) == (first > 0.5)).double().mean(dim=1).tolist()


def learn(model: nn.Module, seeds: Sequence[int], wait: int, updates: int) -> dict:
    """Train until 99 % of the recordings kept for that are told right, or until the updates are used up.

    A network that is done is kept as it was then. Returns for each seed its accuracy on 2,000 other recordings, its
    updates, whether it was done, and the accuracies at each tenth of the updates; and the seconds of one update of all.
    """
    rngs = [np.random.default_rng(1000 + seed) for seed in seeds]
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    validation = batch([np.random.default_rng(1)] * len(seeds), 500, wait)
    checks = {round(updates * k / 10) for k in range(1, 11)}
    done: dict[int, tuple[int, list[Tensor]]] = {}
    curve: list[list[float]] = [[] for _ in seeds]
    seconds = 0.0
    for count in range(1, updates + 1):
        x, first = batch(rngs, BATCH, wait)
        started = time.process_time()
        losses = nn.functional.binary_cross_entropy_with_logits(model(x)[..., 0], first, reduction="none")
        descend(model, optimiser, losses.mean(dim=1))
        seconds += time.process_time() - started
        if count in checks:
            for k, share in enumerate(right(model, *validation)):
                if k not in done:
                    curve[k].append(share)
                    if share >= SOLVED:
                        done[k] = count, [p.detach()[k].clone() for p in model.parameters()]
            if len(done) == len(seeds):
                break
    with torch.no_grad():
        for k, (_, kept) in done.items():
            for parameter, values in zip(model.parameters(), kept, strict=True):
                parameter[k] = values
    return {
        "accuracy": right(model, *batch([np.random.default_rng(2)] * len(seeds), 2000, wait)),
        "updates": [done[k][0] if k in done else updates for k in range(len(seeds))],
        "done": [k in done for k in range(len(seeds))],
        "curve": curve,
        "seconds_an_update": seconds / count,
    }


def told(run: dict) -> str:
    """A run in a line, for those who wait."""
    return f"{' '.join(f'{share:.3f}' for share in run['accuracy'])} after {run['updates']} updates"


@experiment(
    "conv1d_order",
    "At equal compute, does a convolution that shortens the recording let a GRU remember over a longer wait?",
    SEEDS,
)
def tell_the_order(seeds: Sequence[int], progress: Progress) -> dict:
    def usual(g: Generators, wait: int) -> Listener:
        return Listener(g, Fold(1), keep=0.0)

    def alone(g: Generators, wait: int) -> Listener:
        return Listener(g, Fold(1))

    def drawn(g: Generators, wait: int) -> Listener:
        return Listener(g, Fold(1), keep=drawn_keep(g, LEAD + wait))

    models: dict[str, tuple[Callable[[Generators, int], Listener], tuple[int, ...], int]] = {
        "GRU alone, usual start": (usual, WAITS[:2], 1),
        "GRU alone": (alone, WAITS[:3], 1),
        "GRU alone, drawn": (drawn, WAITS[:3], 1),
        "GRU alone, patient": (alone, WAITS[2:3], PATIENCE),
        "GRU alone, drawn and patient": (drawn, WAITS[2:3], PATIENCE),
        "kernels, all steps": (lambda g, wait: Listener(g, Kernels(g)), WAITS[2:], 1),
        "folded by 4": (lambda g, wait: Listener(g, Fold(4)), WAITS[2:], 1),
        "kernels, stride 4": (lambda g, wait: Listener(g, Kernels(g, stride=4)), WAITS[2:], 1),
    }
    x, first, _ = recordings(np.random.default_rng(2), 2000, 0)
    found: dict = {
        "waits": list(WAITS),
        "steps": [LEAD + wait for wait in WAITS],
        "patience": PATIENCE,
        "known_sounds": float(np.mean(told_by_the_sounds(x) == first)),
        "runs": {},
        "multiply_adds": {},
        "updates": {},
        "parameters": {},
    }
    for name, (build, waits, patience) in models.items():
        found["runs"][name], found["multiply_adds"][name], found["updates"][name] = {}, {}, {}
        for wait in waits:
            generators = generators_of(seeds)
            model = build(generators, wait)
            products = model.multiply_adds(LEAD + wait)
            updates = round(patience * UPDATES * alone(generators, wait).multiply_adds(LEAD + wait) / products)
            run = learn(model, seeds, wait, updates)
            found["runs"][name][str(wait)] = run
            found["multiply_adds"][name][str(wait)] = products
            found["updates"][name][str(wait)] = updates
            found["parameters"][name] = parameters_of(model)
            progress(f"{name}, wait {wait}: {told(run)}; {run['seconds_an_update'] * updates:.1f} s for {updates}")
    return found


@experiment(
    "conv1d_pooling",
    "Which way to thin out the outputs of ten kernels leaves a GRU the most to work with?",
    SEEDS,
)
def thin_out(seeds: Sequence[int], progress: Progress) -> dict:
    """Kernels at every step; of eight neighbouring outputs the largest, their mean, or the first; then a GRU."""
    every, wait, updates = 8, 128, UPDATES
    models: dict[str, Callable[[Generators], Listener | Loudest]] = {
        "largest of 8": lambda g: Listener(g, Kernels(g, pool=every)),
        "mean of 8": lambda g: Listener(g, Kernels(g, pool=every, by="mean")),
        "every 8th": lambda g: Listener(g, Kernels(g, stride=every)),
        "largest of all": Loudest,
    }
    found: dict = {"every": every, "wait": wait, "updates": updates, "runs": {}}
    for name, build in models.items():
        model = build(generators_of(seeds))
        found["runs"][name] = learn(model, seeds, wait, updates)
        if name == "largest of 8" and isinstance(model.front, Kernels):
            conv = model.front.conv
            kernels, biases = (p.detach().double().numpy() for p in (conv.W, conv.b))
            found["kernels"] = np.round(kernels.transpose(0, 2, 1), 4).tolist()
            found["biases"] = np.round(biases[:, 0], 4).tolist()
        if name == "largest of all":  # No window sees both of these sounds, and neither stands near the border.
            apart = [np.random.default_rng(3)] * len(seeds)
            found["apart"] = right(model, *batch(apart, 2000, wait, begin=(TAPS, 3 * TAPS)))
        progress(f"{name}: {told(found['runs'][name])}")
    return found


# --- digits, pixel by pixel -------------------------------------------------------------------------------------------


def digits() -> tuple[np.ndarray, np.ndarray]:
    """1,797 handwritten digits in an order drawn with a fixed seed: ``pixels (1797, 64)`` from 0 to 1, and names."""
    pixels, names = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pixels))
    return pixels[order] / 16, names[order]


@experiment(
    "conv1d_digits",
    "Digits read pixel by pixel: does shortening help on real data, and does it need the order of the pixels?",
    SEEDS,
)
def read_digits(seeds: Sequence[int], progress: Progress) -> dict:
    """The same compute for all. "Shuffled": every image's pixels in one and the same random order."""
    updates, training = 1000, 1297
    pixels, names = digits()
    shuffle = np.random.default_rng(1).permutation(pixels.shape[1])
    classifier = LogisticRegression(max_iter=2000).fit(pixels[:training], names[:training])
    found: dict = {
        "training": training,
        "test": len(pixels) - training,
        "most_common": float(np.mean(names[training:] == np.bincount(names[:training]).argmax())),
        "logistic": float(classifier.score(pixels[training:], names[training:])),
        "right": {},
        "updates": {},
        "multiply_adds": {},
        "seconds": {},
        "parameters": {},
    }
    y = torch.tensor(names)
    models: dict[str, Callable[[Generators], Listener]] = {
        "GRU alone": lambda g: Listener(g, Fold(1), 10, drawn_keep(g, 64)),
        "folded by 4": lambda g: Listener(g, Fold(4), 10, drawn_keep(g, 16)),
        "kernels, stride 4": lambda g: Listener(g, Kernels(g, stride=4), 10, drawn_keep(g, 16)),
    }
    for order, columns in (("in order", np.arange(64)), ("shuffled", shuffle)):
        x = torch.tensor(pixels[:, columns], dtype=torch.float32)
        test = x[training:].T[None, :, :, None].expand(len(seeds), -1, -1, -1)
        for name, build in models.items():
            model = build(generators_of(seeds))
            products = model.multiply_adds(64)
            rounds = round(updates * 64 * 3 * HIDDEN * (HIDDEN + 1) / products)
            checks = {round(rounds * k / 20) for k in range(1, 21)}
            rngs = [np.random.default_rng(1000 + seed) for seed in seeds]
            optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
            curve, seconds = [], 0.0
            for count in range(1, rounds + 1):
                rows = torch.tensor(np.stack([rng.integers(0, training, BATCH) for rng in rngs]))
                started = time.process_time()
                scores = model(x[rows].transpose(1, 2)[..., None])
                losses = nn.functional.cross_entropy(scores.flatten(0, 1), y[rows].flatten(), reduction="none")
                descend(model, optimiser, losses.view(len(seeds), -1).mean(dim=1))
                seconds += time.process_time() - started
                if count in checks:
                    with torch.no_grad():
                        curve.append((model(test).argmax(-1) == y[training:]).double().mean(dim=1).tolist())
            key = f"{name}, {order}"
            found["right"][key] = np.array(curve).T.tolist()
            found["updates"][key], found["seconds"][key] = rounds, seconds
            found["multiply_adds"][key], found["parameters"][key] = products, parameters_of(model)
            progress(f"{key}: {' '.join(f'{share:.3f}' for share in curve[-1])}; {seconds:.1f} s for {rounds}")
    return found


# --- how far back? ----------------------------------------------------------------------------------------------------


class Stack(nn.Module):
    """Causal kernels of two taps, layer above layer, and a readout: WaveNet's skeleton."""

    def __init__(self, generators: Generators, dilations: Sequence[int], channels: int, outputs: int) -> None:
        super().__init__()
        sizes = [1] + [channels] * len(dilations)
        self.layers = nn.Sequential(
            *(
                Conv(generators, before, after, 2, dilation=dilation, causal=True)
                for before, after, dilation in zip(sizes[:-1], sizes[1:], dilations, strict=True)
            )
        )
        self.readout = Readout(generators, channels, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``x (S, T, N, 1)`` gives ``(S, T, N, outputs)``."""
        return self.readout(self.layers(x))


class Recurrent(nn.Module):
    """Perhaps kernels; a GRU; a readout of every step."""

    def __init__(self, generators: Generators, hidden: int, outputs: int, conv: Conv | None = None) -> None:
        super().__init__()
        self.conv = conv
        self.gru = Gru(generators, conv.W.shape[-1] if conv else 1, hidden)
        self.readout = Readout(generators, hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``x (S, T, N, 1)`` gives ``(S, T_out, N, outputs)``."""
        return self.readout(self.gru(x if self.conv is None else self.conv(x)))


def noise(rngs: Sequence[np.random.Generator], count: int) -> tuple[Tensor, Tensor]:
    """White noise ``x (S, 64, N, 1)``, and for its last 32 steps the last 32 values, ``(S, 32, N, 32)``."""
    x = torch.tensor(np.stack([rng.normal(size=(2 * DELAYS, count)) for rng in rngs]), dtype=torch.float32)
    y = torch.stack([x[:, DELAYS - delay : 2 * DELAYS - delay] for delay in range(DELAYS)], dim=-1)
    return x[..., None], y


def sensitivity(model: nn.Module, x: Tensor) -> list[list[float]]:
    """For each seed the size of the derivative of the last output by the input 0, 1, 2, … steps before it.

    It is the root mean square, over sequences, of the derivative of a random mixture of the outputs.
    """
    x = x.clone().requires_grad_()
    y = model(x)[:, -1]
    mixture = torch.randn(y.shape, generator=torch.Generator().manual_seed(3))
    (dx,) = torch.autograd.grad((y * mixture).sum(), x)
    return (dx[..., 0].square().mean(dim=2) ** 0.5).flip(1).tolist()


@experiment(
    "conv1d_reach",
    "How many steps back can a stack of convolutions recall, and how does that compare with a GRU?",
    SEEDS,
)
def recall(seeds: Sequence[int], progress: Progress) -> dict:
    """White noise in; out, at every step, the values of the last 32 steps. Guessing 0 has a squared error of 1."""
    updates = 500
    models: dict[str, Callable[[Generators], nn.Module]] = {
        "dilated": lambda g: Stack(g, (1, 2, 4, 8), 32, DELAYS),
        "undilated": lambda g: Stack(g, (1, 1, 1, 1), 32, DELAYS),
        "GRU": lambda g: Recurrent(g, 32, DELAYS),
    }
    found: dict = {"updates": updates, "error": {}, "sensitivity": {}, "parameters": {}, "seconds": {}}
    test_x, test_y = noise([np.random.default_rng(2)] * len(seeds), 200)
    for name, build in models.items():
        model, rngs = build(generators_of(seeds)), [np.random.default_rng(1000 + seed) for seed in seeds]
        optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
        started = time.process_time()
        for _ in range(updates):
            x, y = noise(rngs, 16)
            descend(model, optimiser, (model(x)[:, -DELAYS:] - y).square().mean(dim=(1, 2, 3)))
        found["seconds"][name] = time.process_time() - started
        with torch.no_grad():
            errors = (model(test_x)[:, -DELAYS:] - test_y).square().mean(dim=(1, 2)).double()
        found["error"][name] = np.round(errors.numpy(), 5).tolist()
        found["sensitivity"][name] = sensitivity(model, test_x)
        found["parameters"][name] = parameters_of(model)
        progress(f"{name}: {' '.join(f'{e:.2f}' for e in errors.mean(dim=0))}; {found['seconds'][name]:.1f} s")
    return found


# --- forecasts --------------------------------------------------------------------------------------------------------


def waves(rng: np.random.Generator, count: int, steps: int) -> np.ndarray:
    """Géron's series ``(count, steps)``: two sine waves of random frequency and phase, and a little noise."""
    f1, f2, o1, o2 = rng.random((4, count, 1))
    t = np.linspace(0, 1, steps)
    series = 0.5 * np.sin((t - o1) * (10 * f1 + 10)) + 0.2 * np.sin((t - o2) * (20 * f2 + 20))
    return series + 0.1 * (rng.random((count, steps)) - 0.5)


@experiment(
    "conv1d_forecast",
    "Ten steps ahead on the book's synthetic series: a GRU, kernels and a GRU, or kernels alone?",
    SEEDS,
)
def forecast(seeds: Sequence[int], progress: Progress) -> dict:
    """Trained to give the next ten values at every step; judged by the ten values after the last of fifty steps."""
    steps, ahead, training = 50, 10, 7000
    updates = 20 * training // BATCH  # the book's 20 epochs

    def parts(rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """The first fifty values ``(count, 50)``, and the ten after each of them, ``(count, 50, 10)``."""
        series = torch.tensor(waves(rng, count, steps + ahead), dtype=torch.float32)
        return series[:, :steps], torch.stack([series[:, k : k + steps] for k in range(1, ahead + 1)], dim=-1)

    (x, y), (test_x, test_y) = parts(np.random.default_rng(1), training), parts(np.random.default_rng(2), 2000)
    truth = test_y[:, -1].numpy()
    past = [np.column_stack([np.ones(len(part)), part.numpy()]) for part in (x, test_x)]
    weights, *_ = np.linalg.lstsq(past[0], y[:, -1].numpy(), rcond=None)
    found: dict = {
        "updates": updates,
        "series": training,
        "as_now": float(np.mean((test_x[:, -1:].numpy() - truth) ** 2)),
        "linear": float(np.mean((past[1] @ weights - truth) ** 2)),
        "noise": 0.1**2 / 12,
        "error": {},
        "seconds": {},
        "parameters": {},
        "multiply_adds": {  # of one series, forward, without the readout
            "GRU": steps * 3 * 20 * 21,
            "kernels and GRU": 24 * (4 * 20 + 3 * 20 * 40),
            "kernels alone": steps * 2 * 20 * (1 + 7 * 20),
        },
    }
    models: dict[str, tuple[Callable[[Generators], nn.Module], slice]] = {
        "GRU": (lambda g: Recurrent(g, 20, ahead), slice(None)),
        "kernels and GRU": (lambda g: Recurrent(g, 20, ahead, Conv(g, 1, 20, 4, stride=2)), slice(3, None, 2)),
        "kernels alone": (lambda g: Stack(g, (1, 2, 4, 8) * 2, 20, ahead), slice(None)),
    }
    everything = test_x.T[None, ..., None].expand(len(seeds), -1, -1, -1)
    for name, (build, kept) in models.items():
        model, rngs = build(generators_of(seeds)), [np.random.default_rng(1000 + seed) for seed in seeds]
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, updates)
        started = time.process_time()
        for _ in range(updates):
            rows = torch.tensor(np.stack([rng.integers(0, training, BATCH) for rng in rngs]))
            wanted = y[rows][:, :, kept].transpose(1, 2)
            descend(model, optimiser, (model(x[rows].transpose(1, 2)[..., None]) - wanted).square().mean(dim=(1, 2, 3)))
            schedule.step()
        found["seconds"][name] = time.process_time() - started
        with torch.no_grad():
            errors = (model(everything)[:, -1] - test_y[:, -1]).square().mean(dim=(1, 2)).tolist()
        found["error"][name] = errors
        found["parameters"][name] = parameters_of(model)
        progress(f"{name}: {' '.join(f'{error:.4f}' for error in errors)}; {found['seconds'][name]:.1f} s")
    return found
