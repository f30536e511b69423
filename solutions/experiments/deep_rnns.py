"""What more layers bring to a recurrent network, beside wider ones, more updates and baselines; what dropout between
layers saves; and what a second direction gains where the future is there to be read, and feigns where it is not.

The networks of all seeds are trained side by side, on an axis of their own: they share nothing but the time that it
takes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from solutions.experiments.data import TRAINING_DAYS, VALIDATION_DAYS, temperatures
from solutions.experiments.registry import Progress, experiment

SEEDS = tuple(range(5))
TEST_BEGINS = TRAINING_DAYS + VALIDATION_DAYS


class Stacks(nn.Module):
    """Recurrent layers on one another and a linear readout at every step: one such network a seed.

    They start as those of ``torch.nn.RNN`` do, and differ from seed to seed. ``dropout`` is the probability that an
    output is dropped on its way to the next layer in training; ``variational`` keeps one mask for a whole sequence.
    """

    def __init__(
        self,
        seeds: Sequence[int],
        layers: int,
        hidden_size: int,
        outputs: int = 1,
        dropout: float = 0.0,
        variational: bool = False,
    ) -> None:
        super().__init__()
        self.dropout, self.variational = dropout, variational
        drawn = [first_weights(torch.Generator().manual_seed(seed), layers, hidden_size, outputs) for seed in seeds]
        self.weights = nn.ParameterList(torch.stack(parameters) for parameters in zip(*drawn, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """``x (S, T, N, 1)`` gives ``(S, T, N, outputs)``; the first axis is the seed."""
        *layers, W_y, b_y = self.weights
        h = x
        for level in range(0, len(layers), 3):
            W_x, W_h, b = layers[level : level + 3]
            if level > 0 and self.training and self.dropout:
                h = h * self.mask(h)
            h_t, steps = h.new_zeros(*h[:, 0].shape[:-1], W_h.shape[-1]), []
            for from_input in (h @ W_x[:, None] + b[:, None]).unbind(1):
                h_t = torch.tanh(torch.baddbmm(from_input, h_t, W_h))
                steps.append(h_t)
            h = torch.stack(steps, dim=1)
        return h @ W_y[:, None] + b_y[:, None]

    def mask(self, h: Tensor) -> Tensor:
        S, T, N, H = h.shape
        return nn.functional.dropout(h.new_ones(S, 1 if self.variational else T, N, H), self.dropout)

    def count(self) -> int:
        """The parameters of one network."""
        return sum(p[0].numel() for p in self.weights)


def first_weights(generator: torch.Generator, layers: int, hidden_size: int, outputs: int) -> list[Tensor]:
    """``W_x, W_h, b`` of each layer, then those of the readout, ``W_y (H, outputs)`` and ``b_y (1, outputs)``."""

    def uniform(*shape: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=generator) - 1) / math.sqrt(hidden_size)

    found = []
    for level in range(layers):
        found += [uniform(hidden_size if level else 1, hidden_size), uniform(hidden_size, hidden_size)]
        found += [uniform(1, hidden_size) + uniform(1, hidden_size)]  # PyTorch adds two biases
    return [*found, uniform(hidden_size, outputs), uniform(1, outputs)]


def generators(seeds: Sequence[int]) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(1000 + seed) for seed in seeds]


def clip_each(model: nn.Module) -> None:
    """Shorten the gradient of each seed's network to norm 1 where it is longer."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = sum(g.flatten(1).square().sum(dim=1) for g in gradients) ** 0.5
    for g in gradients:
        g /= norm.clamp(min=1).view(-1, *[1] * (g.dim() - 1))


def train(
    model: nn.Module,
    loss: Callable[[], Tensor],
    updates: int,
    lr: float,
    look: Callable[[], None] | None = None,
    every: int = 50,
) -> None:
    """``loss()`` draws sequences and gives one loss a seed; the step size falls to nothing; ``look`` every so often."""
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.01, updates)
    for count in range(1, updates + 1):
        optimiser.zero_grad()
        loss().sum().backward()
        clip_each(model)
        optimiser.step()
        schedule.step()
        if look is not None and count % every == 0:
            look()


# --- ten steps ahead --------------------------------------------------------------------------------------------------

STEPS, AHEAD = 50, 10
TRAINING, VALIDATION, TEST = slice(7000), slice(7000, 9000), slice(9000, None)
UPDATES = 600
PATIENCE = 4
SAME_WIDTH = ((1, 20), (2, 20), (3, 20), (4, 20))
SAME_COUNT = ((1, 50), (2, 30), (3, 24), (4, 20))


def waves(count: int = 10_000, steps: int = STEPS + AHEAD) -> np.ndarray:
    """Two sine waves and noise, ``(count, steps)``: the series of Géron (2019), chapter 15, from his seed."""
    rng = np.random.RandomState(42)
    f1, f2, o1, o2 = rng.rand(4, count, 1)
    t = np.linspace(0, 1, steps)
    slow, fast = np.sin((t - o1) * (10 * f1 + 10)), np.sin((t - o2) * (20 * f2 + 20))
    return 0.5 * slow + 0.2 * fast + 0.1 * (rng.rand(count, steps) - 0.5)


def steps_and_targets(series: np.ndarray) -> tuple[Tensor, Tensor]:
    """``x (T, N, 1)``, and at every step the ten values after it, ``(T, N, 10)``."""
    x = torch.tensor(series.T, dtype=torch.float32)
    return x[:STEPS, :, None], x[1:].unfold(0, AHEAD, 1)


def mse(error) -> float:
    return float(np.mean(np.square(np.asarray(error))))


def least_squares(series: np.ndarray) -> float:
    """The error of the linear forecast of ten values from fifty, fitted on the training series."""
    features = np.column_stack([np.ones(len(series)), series[:, :STEPS]])
    weights, *_ = np.linalg.lstsq(features[TRAINING], series[TRAINING, STEPS:], rcond=None)
    return mse((features @ weights - series[:, STEPS:])[TEST])


def forecast_waves(
    seeds: Sequence[int], series: np.ndarray, layers: int, hidden_size: int, updates: int = UPDATES, lr: float = 2e-2
) -> tuple[Stacks, list[float], np.ndarray]:
    """Train to say at every step the next ten values; return each seed's error at the last step of the test series.

    Returns:
        ``(model, errors, forecasts)`` with the forecasts of the first test series, ``(seeds, 10)``.
    """
    x, y = steps_and_targets(series[TRAINING])
    model = Stacks(seeds, layers, hidden_size, AHEAD)
    drawn = generators(seeds)

    def squared_error() -> Tensor:
        rows = torch.stack([torch.randint(x.shape[1], (32,), generator=g) for g in drawn])
        return (model(x[:, rows].transpose(0, 1)) - y[:, rows].transpose(0, 1)).square().mean(dim=(1, 2, 3))

    train(model, squared_error, updates, lr)
    x, y = steps_and_targets(series[TEST])
    with torch.no_grad():
        last = model(x.expand(len(seeds), *x.shape))[:, -1]
    return model, (last - y[-1]).square().mean(dim=(1, 2)).tolist(), last[:, 0].numpy()


@experiment(
    "deep_rnns_depth",
    "Do more layers forecast better, at equal width, at equal numbers of parameters, and with four times the updates?",
    SEEDS,
)
def compare_depths(seeds: Sequence[int], progress: Progress) -> dict:
    series = waves()
    naive = np.square(series[:, STEPS - 1 : STEPS] - series[:, STEPS:])
    found: dict = {
        "updates": [UPDATES, PATIENCE * UPDATES],
        "naive": float(naive[TEST].mean()),
        "naive_validation": float(naive[VALIDATION].mean()),
        "linear": least_squares(series),
        "floor": 0.1**2 / 12,
        "parameters": {},
        "errors": {},
        "example": series[TEST][0].tolist(),
    }
    for layers, hidden_size in dict.fromkeys(SAME_WIDTH + SAME_COUNT):
        name = f"{layers} × {hidden_size}"
        model, found["errors"][name], forecasts = forecast_waves(seeds, series, layers, hidden_size)
        found["parameters"][name] = model.count()
        if (layers, hidden_size) == SAME_WIDTH[0]:
            found["example_forecasts"] = forecasts.tolist()
        progress(f"{name}, {model.count()} parameters: {np.mean(found['errors'][name]):.5f}")
    for kind, updates, lr, sizes in (
        ("smaller_steps", UPDATES, 1e-2, ((1, 50), (2, 30), (4, 20))),
        ("patient", PATIENCE * UPDATES, 2e-2, ((1, 20), (1, 50), (2, 30), (4, 20))),
        ("patient_smaller_steps", PATIENCE * UPDATES, 1e-2, ((1, 50), (2, 30), (4, 20))),
    ):
        found[kind] = {}
        for layers, hidden_size in sizes:
            name = f"{layers} × {hidden_size}"
            _, found[kind][name], _ = forecast_waves(seeds, series, layers, hidden_size, updates, lr)
            progress(f"{name}, {updates} updates from {lr}: {np.mean(found[kind][name]):.5f}")
    return found


# --- how far back -----------------------------------------------------------------------------------------------------

DELAYS = (10, 15, 20, 25)
ANSWERS, LONG, SCORED = 40, 200, 60


def recall(seeds: Sequence[int], layers: int, hidden_size: int, delay: int, updates: int = 600) -> list[float]:
    """Train networks to say what came in ``delay`` steps ago, of values with variance 1; the errors. 0 always has 1.

    They are tested at the end of sequences much longer than those of the training, as in ``memory_cells_recall``.
    """
    model = Stacks(seeds, layers, hidden_size)
    drawn = generators(seeds)

    def squared_error(count: int, steps: int, scored: int) -> Tensor:
        x = torch.stack([math.sqrt(12) * (torch.rand(steps, count, 1, generator=g) - 0.5) for g in drawn])
        return (model(x)[:, delay:] - x[:, : steps - delay])[:, -scored:].square().mean(dim=(1, 2, 3))

    train(model, lambda: squared_error(32, delay + ANSWERS, ANSWERS), updates, lr=1e-2)
    with torch.no_grad():
        return squared_error(100, LONG, SCORED).tolist()


@experiment(
    "deep_rnns_reach",
    "From how many steps back can one, two and four layers learn to give back a value?",
    SEEDS,
)
def reach_back(seeds: Sequence[int], progress: Progress) -> dict:
    found: dict = {"delays": list(DELAYS), "errors": {}, "parameters": {}}
    for layers, hidden_size in ((1, 16), (1, 42), (2, 16), (4, 16)):
        name = f"{layers} × {hidden_size}"
        found["parameters"][name] = Stacks(seeds[:1], layers, hidden_size).count()
        found["errors"][name] = {str(delay): recall(seeds, layers, hidden_size, delay) for delay in DELAYS}
        progress(f"{name}: {[round(float(np.mean(errors)), 3) for errors in found['errors'][name].values()]}")
    return found


# --- tomorrow's temperature, and dropout ------------------------------------------------------------------------------

DAYS = 30
WEATHER_UPDATES = 500
EVERY = 50


def forecast_weather(
    seeds: Sequence[int], layers: int, hidden_size: int, first: int, dropout: float = 0.0, variational: bool = False
) -> dict:
    """Train on stretches of thirty days, from day ``first`` to the end of the training years.

    Returns:
        The errors in °C, one a seed: in the test year, every fifty updates (``"curve"``), at the end (``"end"``), and
        where the validation year was forecast best (``"stopped"``); and at the end on the training days.
    """
    data = temperatures()
    series = torch.tensor(data.standard, dtype=torch.float32)
    stretches = series[first:TRAINING_DAYS].unfold(0, DAYS + 1, 1)
    torch.manual_seed(0)  # for the masks
    model = Stacks(seeds, layers, hidden_size, dropout=dropout, variational=variational)
    drawn = generators(seeds)
    looks: list[Tensor] = []

    def squared_error() -> Tensor:
        rows = torch.stack([torch.randint(len(stretches), (64,), generator=g) for g in drawn])
        x = stretches[rows].transpose(1, 2)[..., None]
        return (model(x[:, :-1]) - x[:, 1:]).square().mean(dim=(1, 2, 3))

    def look() -> None:
        model.eval()
        with torch.no_grad():
            x = series[:-1, None, None].expand(len(seeds), -1, 1, 1)
            squared = (model(x)[:, :, 0, 0] - series[1:]).square()
        model.train()
        parts = squared[:, first : TRAINING_DAYS - 1], squared[:, TRAINING_DAYS - 1 : TEST_BEGINS - 1]
        looks.append(data.scale * torch.stack([p.mean(dim=1) for p in (*parts, squared[:, TEST_BEGINS - 1 :])]).sqrt())

    train(model, squared_error, WEATHER_UPDATES, 1e-2, look, EVERY)
    training, validation, test = torch.stack(looks, dim=1)  # each (looks, seeds)
    stopped = test.gather(0, validation.argmin(dim=0, keepdim=True))[0]
    return {
        "parameters": model.count(),
        "training": training[-1].tolist(),
        "end": test[-1].tolist(),
        "stopped": stopped.tolist(),
        "curve": test.T.tolist(),
    }


@experiment(
    "deep_rnns_weather",
    "Do more layers forecast tomorrow's temperature better, and what does dropout between them save?",
    SEEDS,
)
def forecast_deeply(seeds: Sequence[int], progress: Progress) -> dict:
    data = temperatures()
    change = np.diff(data.celsius)[TEST_BEGINS - 1 :]
    found: dict = {
        "as_today": math.sqrt(mse(change)),
        "updates": list(range(EVERY, WEATHER_UPDATES + 1, EVERY)),
        "depth": {},
        "dropout": {},
    }
    for layers, hidden_size in ((1, 16), (2, 16), (4, 16), (1, 42)):
        kept = found["depth"][f"{layers} × {hidden_size}"] = forecast_weather(seeds, layers, hidden_size, 0)
        progress(f"{layers} × {hidden_size}: {np.mean(kept['end']):.3f} °C, stopped {np.mean(kept['stopped']):.3f}")
    for name, dropout, variational in (
        ("none", 0.0, False),
        ("each step", 0.5, False),
        ("each sequence", 0.5, True),
        ("each step, 0.2", 0.2, False),
        ("each sequence, 0.2", 0.2, True),
    ):
        kept = found["dropout"][name] = forecast_weather(seeds, 2, 32, TRAINING_DAYS - 365, dropout, variational)
        errors = {part: round(float(np.mean(kept[part])), 2) for part in ("training", "end", "stopped")}
        progress(f"one year, dropout {name}: {errors}")
    return found


# --- two directions ---------------------------------------------------------------------------------------------------

FUTURES = (0, 1, 2, 3, 5, 10, 20)
PASSES = 12
FILLERS = {"ahead": (18, False), "both": (12, True)}  # hidden size, and whether it reads both ways
EVENT_READERS = {  # hidden size, whether it reads both ways, layers
    "1 × 26, ahead": (26, False, 1),
    "2 × 15, ahead": (15, False, 2),
    "1 × 18, both": (18, True, 1),
    "2 × 9, both": (9, True, 2),
}


class Reader(nn.Module):
    """``torch.nn.RNN`` and a linear readout of its outputs."""

    def __init__(self, hidden_size: int, both: bool, layers: int = 1) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, hidden_size, layers, batch_first=True, bidirectional=both)
        self.readout = nn.Linear(hidden_size * (2 if both else 1), 1)

    def forward(self, x: Tensor) -> Tensor:
        """``x (N, T, 1)`` gives ``(N, T)``: at step ``t`` from all that the outputs of step ``t`` have seen."""
        return self.readout(self.rnn(x)[0])[..., 0]

    def fill(self, x: Tensor) -> Tensor:
        """``(N, T − 2)``: each day but the first and last, from the days before it and, if it may, those after it."""
        h, _ = self.rnn(x)
        if self.rnn.bidirectional:
            ahead, reverse = h.chunk(2, dim=-1)
            return self.readout(torch.cat([ahead[:, :-2], reverse[:, 2:]], dim=-1))[..., 0]
        return self.readout(h[:, :-2])[..., 0]


def fit(model: nn.Module, loss: Callable[[Tensor], Tensor], stretches: Tensor) -> None:
    """Some passes over the stretches, 64 at a time."""
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(PASSES):
        for rows in torch.randperm(len(stretches)).split(64):
            optimiser.zero_grad()
            loss(stretches[rows, :, None]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()


def fill_linearly(series: np.ndarray, before: int, after: int) -> np.ndarray:
    """Each day of the test year but the last few by least squares from its neighbours, fitted on the training years."""
    lags = [*range(-before, 0), *range(1, after + 1)]
    days = np.arange(before, len(series) - max(FUTURES))
    features = np.column_stack([np.ones(len(days)), *(series[days + lag] for lag in lags)])
    training = days < TRAINING_DAYS - after
    weights, *_ = np.linalg.lstsq(features[training], series[days[training]], rcond=None)
    return (features @ weights)[days >= TEST_BEGINS]


@experiment(
    "deep_rnns_lost_days",
    "How well are lost temperatures filled in from both sides, and what is a forecaster worth that may see the future?",
    SEEDS,
)
def find_lost_days(seeds: Sequence[int], progress: Progress) -> dict:
    data = temperatures()
    series = torch.tensor(data.standard, dtype=torch.float32)
    stretches = series[:TRAINING_DAYS].unfold(0, DAYS + 2, 1)
    days = torch.arange(TEST_BEGINS, len(series) - max(FUTURES))

    def rmse(filled) -> float:
        return data.scale * math.sqrt(mse(np.asarray(filled) - series[days].numpy()))

    found: dict = {
        "test_days": len(days),
        "as_yesterday": rmse(series[days - 1]),
        "neighbours": rmse((series[days - 1] + series[days + 1]) / 2),
        "linear_before": rmse(fill_linearly(data.standard, 7, 0)),
        "linear_both": rmse(fill_linearly(data.standard, 2, 2)),
        "parameters": {name: sum(p.numel() for p in Reader(*size).parameters()) for name, size in FILLERS.items()},
        "errors": {name: [] for name in FILLERS},
        "by_future": {str(future): [] for future in FUTURES},
        "forecast_feigned": [],
        "forecast_honest": [],
    }
    for seed in seeds:
        for name, size in FILLERS.items():
            torch.manual_seed(seed)
            model = Reader(*size)
            fit(model, lambda x: nn.functional.mse_loss(model.fill(x), x[:, 1:-1, 0]), stretches)  # noqa: B023
            with torch.no_grad():
                found["errors"][name].append(rmse(model.fill(series[None, :, None])[0, days - 1]))
        for future in FUTURES:
            found["by_future"][str(future)].append(rmse(fill_with(model, series, days, future)))
        torch.manual_seed(seed)
        model = Reader(*FILLERS["both"])
        fit(model, lambda x: nn.functional.mse_loss(model(x[:, :-1]), x[:, 1:, 0]), stretches)  # noqa: B023
        with torch.no_grad():
            found["forecast_feigned"].append(rmse(model(series[None, :-1, None])[0, days - 1]))
            past = series[days[:, None] + torch.arange(-60, 0)]
            found["forecast_honest"].append(rmse(model(past[..., None])[:, -1]))
        progress(f"seed {seed}: { ({key: kept[-1] for key, kept in found['errors'].items()}) }")
    return found


def fill_with(model: Reader, series: Tensor, days: Tensor, future: int) -> Tensor:
    """Fill each day from the sixty days before it and ``future`` days after it; with none, that state is 0."""
    with torch.no_grad():
        h, _ = model.rnn(series[days[:, None] + torch.arange(-60, future + 1)][..., None])
        ahead, reverse = h.chunk(2, dim=-1)
        after = reverse[:, 61] if future else torch.zeros_like(reverse[:, 0])
        return model.readout(torch.cat([ahead[:, 59], after], dim=-1))[:, 0]


def events(count: int, steps: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Events 1 and −1, one step in four, with silence between them.

    Returns:
        ``x (N, T, 1)`` and ``(N, T)``: 1 where the last event up to this step and the next one after it are alike,
        −1 where they differ, 0 where there is none on one side.
    """
    happens = torch.rand(count, steps, generator=generator) < 0.25
    x = happens * (2.0 * torch.randint(0, 2, (count, steps), generator=generator) - 1)
    last, after = torch.zeros(count, steps), torch.zeros(count, steps)
    for t in range(steps):
        last[:, t] = torch.where(happens[:, t], x[:, t], last[:, t - 1] if t else 0.0)
    for t in reversed(range(steps - 1)):
        after[:, t] = torch.where(happens[:, t + 1], x[:, t + 1], after[:, t + 1])
    return x[..., None], last * after


@experiment(
    "deep_rnns_events",
    "Which networks learn to say whether the next event will be like the last one?",
    SEEDS,
)
def judge_events(seeds: Sequence[int], progress: Progress) -> dict:
    found: dict = {"accuracy": {}, "at_events": {}, "in_silence": {}, "parameters": {}}
    for name, size in EVENT_READERS.items():
        for part in ("accuracy", "at_events", "in_silence"):
            found[part][name] = []
        for seed in seeds:
            torch.manual_seed(seed)
            generator = torch.Generator().manual_seed(1000 + seed)
            model = Reader(*size)
            optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
            for _ in range(300):
                x, y = events(32, 24, generator)
                loss = nn.functional.softplus(-y * model(x))[y != 0].mean()
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimiser.step()
            x, y = events(1000, 24, generator)
            with torch.no_grad():
                right = (y * model(x) > 0).double()
            happens = x[..., 0] != 0
            for part, asked in (
                ("accuracy", y != 0),
                ("at_events", (y != 0) & happens),
                ("in_silence", (y != 0) & ~happens),
            ):
                found[part][name].append(float(right[asked].mean()))
        found["parameters"][name] = sum(p.numel() for p in model.parameters())
        progress(f"{name}: {np.mean(found['accuracy'][name]):.3f}")
    return found
