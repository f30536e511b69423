"""What normalising does to a recurrent network: with the statistics of a batch, between steps or between layers, and
with the statistics of one step of one sequence.

The series are those of Géron's *Hands-On Machine Learning* (2nd ed., 2019, chapter 15), two waves and noise; at every
step a network forecasts the next ten values. All seeds are trained side by side, as one module whose arrays have one
more axis in front, ``S`` networks; what one seed computes does not depend on the others.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from solutions.experiments.registry import Progress, experiment

SEEDS = tuple(range(5))
AHEAD = 10
STEPS = 50
WIDTHS = (20, 20)
BATCH = 32
RATES = (1e-3, 1e-2, 3e-2, 1e-1)
MIDDLE = 1e-2
COUNTS = {"training": 2000, "validation": 500, "test": 1000}
PUBLISHED = {"training": 7000, "validation": 2000, "test": 1000}
LENGTHS, SUMS = (10, 20, 40, 80), (10, 20, 40)
MANY_SEEDS = tuple(range(10))

# --- the series -------------------------------------------------------------------------------------------------------


def waves(count: int, steps: int, rng: np.random.Generator) -> Tensor:
    """``count`` series of two waves and noise, ``(count, steps)``; sixty steps last as long as one unit of time."""
    f1, f2, o1, o2 = rng.random((4, count, 1))
    t = np.arange(steps) / (STEPS + AHEAD - 1)
    series = 0.5 * np.sin((t - o1) * (10 * f1 + 10)) + 0.2 * np.sin((t - o2) * (20 * f2 + 20))
    return torch.tensor(series + 0.1 * (rng.random((count, steps)) - 0.5), dtype=torch.float32)


def inputs_and_targets(series: Tensor, window: int = 1) -> tuple[Tensor, Tensor]:
    """At each step the last ``window`` values, ``(N, T, window)``, and the ten that follow, ``(N, T, 10)``."""
    padded = nn.functional.pad(series[:, :-AHEAD], (window - 1, 0))
    return padded.unfold(1, window, 1), series.unfold(1, AHEAD, 1)[:, 1:]


class Data:
    """Series to train on, to choose by and to test on, the same for every seed."""

    def __init__(self, window: int = 1, steps: int = STEPS, counts: dict[str, int] = COUNTS) -> None:
        rng = np.random.default_rng(42)
        series = {name: waves(count, STEPS + AHEAD, rng) for name, count in counts.items()}
        if steps != STEPS:
            series["test"] = waves(counts["test"], steps + AHEAD, rng)
        self.training, self.validation, self.test = (inputs_and_targets(series[name], window) for name in counts)


def baselines(data: Data) -> dict[str, float]:
    """The error over ten values of the forecasts *as now*, and by least squares on all fifty values."""
    (x, y), (test_x, test_y) = data.training, data.test
    features, test_features = (np.column_stack([np.ones(len(a)), a[..., -1].numpy()]) for a in (x, test_x))
    weights, *_ = np.linalg.lstsq(features, y[:, -1].numpy(), rcond=None)
    return {
        "as_now": float((test_x[:, -1, -1:] - test_y[:, -1]).square().mean()),
        "linear": float(np.mean((test_features @ weights - test_y[:, -1].numpy()) ** 2)),
        "noise": 0.1**2 / 12,
    }


# --- the networks -----------------------------------------------------------------------------------------------------


def norm(a: Tensor) -> Tensor:
    """Layer normalisation of the last axis, without gain and offset."""
    return nn.functional.layer_norm(a, a.shape[-1:])


class Networks(nn.Module):
    """Recurrent layers and a readout at each step, one network for each seed.

    Args:
        place: where something is normalised inside a layer. ``"none"``; ``"sum"``, layer norm of inputs and state
            together; ``"apart"``, of each of them; ``"inputs"``, of the inputs alone; ``"after"``, of the state after
            tanh; ``"batch"``, the sum over the sequences of the batch, step by step.
        between: batch normalisation of each layer's outputs, over sequences and steps.
        gain: the first value of the gains of the norms inside.
        start: ``"torch"``, all weights uniform, as ``torch.nn.RNN`` begins; ``"keras"``, ``W_h`` orthogonal, no bias,
            and the other weights as Glorot and Bengio draw them.
        momentum: how far the running averages of ``between`` move in an update.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        place: str = "none",
        between: bool = False,
        widths: Sequence[int] = (1, *WIDTHS),
        outputs: int = AHEAD,
        gain: float = 1.0,
        start: str = "torch",
        momentum: float = 0.1,
    ) -> None:
        super().__init__()
        self.place, self.widths, self.count = place, tuple(widths), len(seeds)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]

        def draw(bound: float, *shape: int) -> nn.Parameter:
            return nn.Parameter(torch.stack([bound * (2 * torch.rand(shape, generator=g) - 1) for g in generators]))

        layers = []
        for D, H in zip(self.widths, self.widths[1:]):
            bound = H**-0.5
            layer = {"W_x": draw(bound, D, H), "W_h": draw(bound, H, H), "b": draw(bound, 1, H)}
            if start == "keras":
                layer["W_x"] = draw(math.sqrt(6 / (D + H)), D, H)
                drawn = [torch.linalg.qr(torch.randn(H, H, generator=g))[0] for g in generators]
                layer["W_h"] = nn.Parameter(torch.stack(drawn))
            if place != "none" or start == "keras":
                layer["b"].data.zero_()
            if place in ("sum", "apart", "after", "batch"):
                layer["gamma"] = nn.Parameter(torch.full((self.count, 1, H), gain))
            if place in ("apart", "inputs"):
                layer["gamma_x"] = nn.Parameter(torch.full((self.count, 1, 1, H), gain))
            layers.append(nn.ParameterDict(layer))
        self.layers = nn.ModuleList(layers)
        norms = (nn.BatchNorm1d(self.count * H, momentum=momentum) for H in self.widths[1:])
        self.between = nn.ModuleList(norms) if between else None
        bound = math.sqrt(6 / (H + outputs)) if start == "keras" else bound
        self.W_y, self.b_y = draw(bound, 1, H, outputs), draw(bound, 1, 1, outputs)
        self.known: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}  # mean and variance of a layer at a step
        self.statistics = "batch"

    def forward(self, x: Tensor, alive: Tensor | None = None) -> Tensor:
        """``x (S, N, T, D)`` gives forecasts ``(S, N, T, outputs)``.

        Where ``alive (S, N, T)`` is given, only sequences that have not ended count in a batch's statistics.
        """
        for number, p in enumerate(self.layers):
            assert isinstance(p, nn.ParameterDict)
            from_inputs = x @ p["W_x"][:, None]
            if self.place in ("apart", "inputs"):
                from_inputs = norm(from_inputs) * p["gamma_x"]
            h, states = x.new_zeros(*x.shape[:2], self.widths[number + 1]), []
            for t, x_t in enumerate(from_inputs.unbind(2)):
                if self.place == "apart":
                    a = x_t + norm(h @ p["W_h"]) * p["gamma"]
                else:
                    a = torch.baddbmm(x_t, h, p["W_h"])
                if self.place == "sum":
                    a = norm(a) * p["gamma"]
                if self.place == "batch":
                    a = self.batch_norm(a, number, t, None if alive is None else alive[:, :, t]) * p["gamma"]
                h = torch.tanh(a + p["b"])
                if self.place == "after":
                    h = norm(h) * p["gamma"]
                states.append(h)
            x = torch.stack(states, 2)
            if self.between is not None:
                S, N, T, H = x.shape
                rows = self.between[number](x.permute(1, 2, 0, 3).reshape(N * T, S * H))
                x = rows.view(N, T, S, H).permute(2, 0, 1, 3)
        return x @ self.W_y + self.b_y

    def batch_norm(self, a: Tensor, layer: int, t: int, alive: Tensor | None) -> Tensor:
        """``a (S, N, H)`` over its sequences: with their own mean and variance, or with those that are ``known``.

        ``statistics`` says which: ``"batch"``; ``"count"``, which also keeps them; ``"step"``, those kept of this step
        (of the last one that is known, beyond it); ``"shared"``, their mean over the steps.
        """
        if self.statistics in ("batch", "count"):
            weight = torch.ones_like(a[..., :1]) if alive is None else alive[..., None].to(a.dtype)
            weight = weight / weight.sum(1, keepdim=True).clamp(min=1)
            mean = (weight * a).sum(1, keepdim=True)
            variance = (weight * (a - mean).square()).sum(1, keepdim=True)
            if self.statistics == "count":
                self.known[layer, t] = mean, variance
        elif self.statistics == "step":
            mean, variance = self.known[layer, min(t, max(step for _, step in self.known))]
        else:
            kept = [self.known[key] for key in self.known if key[0] == layer]
            mean, variance = (torch.stack(part).mean(0) for part in zip(*kept))
        return (a - mean) * torch.rsqrt(variance + 1e-5)


def clip(parameters: Sequence[nn.Parameter]) -> None:
    """Scale the gradient of each network down to a norm of 1 where it is longer."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    length = sum((g.flatten(1).square().sum(1) for g in gradients), torch.zeros(())).sqrt()
    for g in gradients:
        g.div_(length.clamp(min=1).view(-1, *[1] * (g.dim() - 1)))


Losses = Callable[[Networks, list[torch.Generator]], Tensor]


def train(
    networks: Networks, losses: Losses, seeds: Sequence[int], rate: float, updates: int, look: Callable[[int], None]
) -> None:
    """Adam on the sum of the networks' losses; ``losses`` draws a batch for each seed. ``look`` comes after updates."""
    inside = [p for name, p in networks.named_parameters() if not name.startswith("between")]
    optimiser = torch.optim.Adam(networks.parameters(), lr=rate)
    generators = [torch.Generator().manual_seed(1000 + seed) for seed in seeds]
    for update in range(1, updates + 1):
        networks.train()
        loss = losses(networks, generators).sum()
        optimiser.zero_grad()
        loss.backward()
        clip(inside)
        optimiser.step()
        networks.eval()
        look(update)


def wave_losses(data: Data, shortest: int = STEPS) -> Losses:
    """The mean squared error of every step of every network, on sequences of ``shortest`` to 50 steps."""
    x, y = data.training

    def losses(networks: Networks, generators: list[torch.Generator]) -> Tensor:
        rows = torch.stack([torch.randint(len(x), (BATCH,), generator=g) for g in generators])
        if shortest == STEPS:
            return (networks(x[rows]) - y[rows]).square().mean((1, 2, 3))
        alive = torch.stack([alive_steps(BATCH, shortest, g) for g in generators])
        error = (networks(x[rows], alive) - y[rows]).square().mean(3)
        return (error * alive).sum((1, 2)) / alive.sum((1, 2))

    return losses


def alive_steps(count: int, shortest: int, generator: torch.Generator) -> Tensor:
    """Which of 50 steps are real, ``(count, 50)``, with lengths from ``shortest`` to 50, all as likely."""
    lengths = torch.randint(shortest, STEPS + 1, (count,), generator=generator)
    return torch.arange(STEPS) < lengths[:, None]


@torch.no_grad()
def errors(networks: Networks, pair: tuple[Tensor, Tensor]) -> np.ndarray:
    """The mean squared error over the ten values, of each network at each step, ``(S, T)``."""
    x, y = pair
    return (networks(x.expand(networks.count, *x.shape)) - y).square().mean((1, 3)).double().numpy()


@torch.no_grad()
def count_statistics(networks: Networks, data: Data) -> None:
    """Take the batch normalisation's means and variances over all training series, in place of running averages."""
    x = data.training[0]
    for part in networks.between or ():
        assert isinstance(part, nn.BatchNorm1d)
        part.reset_running_stats()
        part.momentum = None
        part.train()
    before, networks.statistics = networks.statistics, "count"
    networks(x.expand(networks.count, *x.shape))
    networks.statistics = before
    networks.eval()


# --- the experiments --------------------------------------------------------------------------------------------------


@experiment(
    "layer_norm_training",
    "Do a batch norm between recurrent layers, and a layer norm inside them, help to learn, and at which rates?",
    SEEDS,
)
def compare_training(seeds: Sequence[int], progress: Progress) -> dict:
    """Three networks at four learning rates for 400 updates, and at one of them for 1,000.

    ``"between"`` is tested with its running averages, ``"counted"`` is the same network with the statistics of all
    training series. ``cost`` is the processor time of an update, in those of the plain network.
    """
    data, marks = Data(), range(100, 1001, 100)
    kinds: dict[str, dict] = {"plain": {}, "between": {"between": True}, "layer": {"place": "sum"}}
    names = ("plain", "between", "counted", "layer")
    found: dict = {"baselines": baselines(data), "rates": list(RATES), "updates": list(marks)}
    found |= {"curves": {name: [] for name in names}, "short": {name: {} for name in names}, "test": {}}
    for kind, options in kinds.items():
        for rate in RATES:
            networks, updates = Networks(seeds, **options), 1000 if rate == MIDDLE else 400

            def look(update: int, kind=kind, rate=rate, networks=networks, updates=updates) -> None:
                if update not in marks:
                    return
                tested = {kind: networks}
                if kind == "between":
                    tested["counted"] = copy.deepcopy(networks)
                    count_statistics(tested["counted"], data)
                for name, one in tested.items():
                    if rate == MIDDLE:
                        found["curves"][name].append(errors(one, data.validation)[:, -1].tolist())
                    if update == 400:
                        found["short"][name][str(rate)] = errors(one, data.test)[:, -1].tolist()
                        progress(f"{name}, rate {rate}: {np.mean(found['short'][name][str(rate)]):.4f} after 400")
                    if update == updates == 1000:
                        found["test"][name] = errors(one, data.test)[:, -1].tolist()
                        progress(f"{name}, rate {rate}: {np.mean(found['test'][name]):.4f} after 1000")

            train(networks, wave_losses(data), seeds, rate, updates, look)
    found["cost"] = cost(seeds, data, kinds | {"batch": {"place": "batch"}})
    progress(f"processor time of an update: {found['cost']}")
    return found


def cost(seeds: Sequence[int], data: Data, kinds: dict[str, dict], updates: int = 50) -> dict[str, float]:
    """The processor time of an update of each network, in those of the plain one: the median of three turns."""
    turns: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(3):
        for kind, options in kinds.items():
            networks, begun = Networks(seeds, **options), time.process_time()
            train(networks, wave_losses(data), seeds, MIDDLE, updates, lambda update: None)
            turns[kind].append(time.process_time() - begun)
    return {kind: float(np.median(spent) / np.median(turns["plain"])) for kind, spent in turns.items()}


@experiment(
    "layer_norm_published",
    "Do published errors with and without norms differ because of the norms, or because of the learning rates?",
    SEEDS,
)
def compare_at_equal_rates(seeds: Sequence[int], progress: Progress) -> dict:
    """Géron's three networks with as many series and updates as he takes, each at both of his learning rates.

    They begin as Keras does, and the running averages move by 0.01, Keras's default. Not as there: series are drawn for
    each update, gradients are clipped to norm 1, epsilon is 1e-5, and the layer norm has no bias inside.
    """
    data = Data(counts=PUBLISHED)
    passes, updates = 20, 20 * math.ceil(PUBLISHED["training"] / BATCH)
    kept: dict[str, dict[str, list[float]]] = {"plain": {}, "between": {}, "counted": {}, "layer": {}}
    found = {"updates": updates, "passes": passes, "baselines": baselines(data), "errors": kept}
    for kind, options in (("plain", {}), ("between", {"between": True}), ("layer", {"place": "sum"})):
        for rate in (1e-3, 1e-2):
            networks = Networks(seeds, start="keras", momentum=0.01, **options)
            train(networks, wave_losses(data), seeds, rate, updates, lambda update: None)
            kept[kind][str(rate)] = errors(networks, data.validation)[:, -1].tolist()
            progress(f"{kind}, rate {rate}: {np.mean(kept[kind][str(rate)]):.4f}")
            if kind == "between":
                count_statistics(networks, data)
                kept["counted"][str(rate)] = errors(networks, data.validation)[:, -1].tolist()
                progress(f"the same, counted: {np.mean(kept['counted'][str(rate)]):.4f}")
    return found


@experiment(
    "layer_norm_placements",
    "Where in a recurrent layer does a layer norm help: of the sum, of its parts, of the inputs, after tanh?",
    SEEDS,
)
def compare_placements(seeds: Sequence[int], progress: Progress) -> dict:
    """The same two layers for 400 updates, seeing at each step one value, or the last eight."""
    found: dict = {}
    for window in (1, 8):
        data = Data(window)
        found[str(window)] = {}
        for place in ("none", "sum", "apart", "inputs", "after"):
            networks = Networks(seeds, place, widths=(window, *WIDTHS))
            train(networks, wave_losses(data), seeds, MIDDLE, 400, lambda update: None)
            found[str(window)][place] = errors(networks, data.test)[:, -1].tolist()
            progress(f"{window} values, {place}: {np.mean(found[str(window)][place]):.4f}")
    return found


@experiment(
    "layer_norm_batch_steps",
    "What becomes of batch statistics between the steps of a recurrent layer when testing, and when lengths differ?",
    SEEDS,
)
def normalise_batches_between_steps(seeds: Sequence[int], progress: Progress) -> dict:
    """Batch norm of the sum at each step, and layer norm, each trained on equal and on different lengths.

    Errors are of each network at each of the 50 steps; ``further`` is that of the last of 100 steps.
    """
    data, further = Data(), Data(steps=2 * STEPS)
    found: dict = {}
    for lengths, shortest in (("equal", STEPS), ("different", 5)):
        for place in ("batch", "sum"):
            networks = Networks(seeds, place, gain=0.1 if place == "batch" else 1.0)
            train(networks, wave_losses(data, shortest), seeds, MIDDLE, 400, lambda update: None)
            measured = {"own": errors(networks, data.test).tolist()}
            if place == "batch":
                measured["company"] = company(networks, data, shortest).tolist()
                count_statistics(networks, data)
                spread = torch.stack([networks.known[1, t][1][0, 0].sqrt() for t in range(STEPS)])
                measured["deviation"] = spread[:, :6].tolist()
                for statistics in ("step", "shared"):
                    networks.statistics = statistics
                    measured[statistics] = errors(networks, data.test).tolist()
                networks.statistics = "step"
            measured["further"] = errors(networks, further.test)[:, -1].tolist()
            found[f"{lengths}_{place}"] = measured
            shown = {name: round(float(np.mean(np.array(value)[..., -1])), 4) for name, value in measured.items()}
            progress(f"{lengths} lengths, {place}: {shown}")
    generator, alive = torch.Generator().manual_seed(7), []
    for _ in range(500):
        alive.append(alive_steps(BATCH, 5, generator))
        alive[-1][0] = True  # the complete series, whose company is in question
    found["alive"] = torch.stack(alive).sum(1).float().mean(0).tolist()
    return found


@torch.no_grad()
def company(networks: Networks, data: Data, shortest: int, batches: int = 40, series: int = 10) -> np.ndarray:
    """How much of the spread of forecasts comes from who else is in the batch, ``(S, T)``.

    Each of some complete series stands in many batches of others, some of which end early. The result is the variance
    of its forecasts over the batches, as a part of the variance of all forecasts.
    """
    x, generator, S = data.test[0], torch.Generator().manual_seed(7), networks.count
    forecasts = []
    for _ in range(batches):
        others = torch.randint(series, len(x), (BATCH - 1,), generator=generator)
        alive = alive_steps(BATCH, shortest, generator)
        alive[0] = True
        for one in range(series):
            batch = x[torch.cat([torch.tensor([one]), others])]
            forecasts.append(networks(batch.expand(S, *batch.shape), alive.expand(S, *alive.shape))[:, 0])
    values = torch.stack(forecasts).view(batches, series, S, STEPS, AHEAD)
    within, among = values.var(0).mean(0), values.mean(0).var(0)
    return (within.mean(2) / (within + among).mean(2)).double().numpy()


# --- memory -----------------------------------------------------------------------------------------------------------


def first_number(T: int, count: int, generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
    """Random numbers and a mark on the first, ``(S, count, T, 2)``, and that first number, ``(S, count)``."""
    x = torch.stack([torch.randn(count, T, 1, generator=g) for g in generators])
    mark = (torch.arange(T) == 0).to(x.dtype)[:, None].expand_as(x)
    return torch.cat([x, mark], 3), x[:, :, 0, 0]


def two_numbers(T: int, count: int, generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
    """The adding problem: numbers from 0 to 1 and marks on one in each half, ``(S, count, T, 2)``, and their sum."""
    half, inputs = T // 2, []
    for g in generators:
        marks = torch.zeros(count, T)
        marks.scatter_(1, torch.randint(half, (count, 1), generator=g), 1.0)
        marks.scatter_(1, half + torch.randint(T - half, (count, 1), generator=g), 1.0)
        inputs.append(torch.stack([torch.rand(count, T, generator=g), marks], 2))
    x = torch.stack(inputs)
    return x, x.prod(3).sum(2)


Task = Callable[[int, int, Sequence[torch.Generator]], tuple[Tensor, Tensor]]


def explained(
    task: Task, T: int, seeds: Sequence[int], place: str, start: str, neurons: int, updates: int
) -> list[float]:
    """Train on 64 fresh sequences for each update; the part of the answers' variance explained on 1,000 others."""
    networks = Networks(seeds, place, widths=(2, neurons), outputs=1, start=start)

    def losses(networks: Networks, generators: list[torch.Generator]) -> Tensor:
        x, y = task(T, 64, generators)
        return (networks(x)[:, :, -1, 0] - y).square().mean(1)

    train(networks, losses, seeds, 3e-3, updates, lambda update: None)
    with torch.no_grad():
        x, y = task(T, 1000, [torch.Generator().manual_seed(2000 + seed) for seed in seeds])
        return (1 - (networks(x)[:, :, -1, 0] - y).square().mean(1) / y.var(1)).tolist()


@experiment(
    "layer_norm_memory",
    "How long does a recurrent layer, normalised or not, hold a number, and does it learn to add two of them?",
    MANY_SEEDS,
)
def remember(seeds: Sequence[int], progress: Progress) -> dict:
    """The first number with sixteen neurons and 400 updates; the adding problem with 32 neurons and 800 updates."""
    found: dict = {"lengths": list(LENGTHS), "sums": list(SUMS), "first": {}, "adding": {}}
    for place, starts in (("none", ("torch", "keras")), ("sum", ("torch",))):
        for start in starts:
            rows = [explained(first_number, T, seeds, place, start, 16, 400) for T in LENGTHS]
            found["first"][f"{place}_{start}"] = rows
            progress(f"first number, {place}, {start}: {[round(float(np.mean(row)), 2) for row in rows]}")
        rows = [explained(two_numbers, T, seeds, place, "keras", 32, 800) for T in SUMS]
        found["adding"][place] = rows
        progress(f"adding, {place}: {[round(float(np.mean(row)), 2) for row in rows]}")
    return found
