"""Six networks and four forecasts without training on one recording of a nerve cell, under one budget.

Each step is a millisecond; at every step the next ten are forecast. The recording is cut in three by time: what is
fitted, what choices are made on, and what is looked at once, at the end. Every network may have 2,500 parameters; the
number of its updates is such that none takes much longer on one core than the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import cbook
from torch import Tensor, nn

from solutions.experiments.registry import Progress, experiment
from solutions.experiments.results import load
from solutions.with_torch.layer_norm import LayerNormRNN

SEEDS = tuple(range(5))
AHEAD = 10  # milliseconds that are forecast
TRAINING, VALIDATION, TEST = (500, 4000), (4000, 4650), (4650, 5470)  # milliseconds
STEPS, SKIPPED, BATCH = 100, 20, 32  # of a training window; its first steps only fill the state
WARM_UP = 300  # steps read before the first forecast of a part
CHECKS = 10
RATES = (0.003, 0.01)
LAGS = (1, 2, 5, 10, 20, 40, 80, 150)
PERIOD = 72
SHOWN = (4660, 4670, 4680, 4690, 4700, 4710, 4720, 4730, 4740, 4750)  # test steps whose forecasts are kept to be drawn
NEIGHBOURS = (1, 3, 10, 30)


def recording() -> np.ndarray:
    """A nerve cell's membrane potential in millivolts, one value a millisecond ``(6000,)``.

    Source: ``membrane.dat`` of the sample data in Matplotlib, whose logo it was from 2003 to 2008; sampled every half
    millisecond in units of 100 mV. Of these samples every second is kept.
    """
    path = str(cbook.get_sample_data("membrane.dat", asfileobj=False))
    return 100 * np.fromfile(path, dtype=np.float32)[::2].astype(np.float64)


def targets(x: np.ndarray) -> np.ndarray:
    """Row ``t`` holds the ten values after ``x[t]``: ``(len(x) - 10, 10)``."""
    return np.lib.stride_tricks.sliding_window_view(x, AHEAD)[1:]


def origins(part: tuple[int, int]) -> np.ndarray:
    """The steps of a part whose ten next values lie in it too."""
    return np.arange(part[0], part[1] - AHEAD)


def rmse(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(error))))


# --- forecasts without training ---------------------------------------------------------------------------------------


def past(x: np.ndarray, t: np.ndarray, lags: int) -> np.ndarray:
    """The last ``lags`` values up to each step of ``t``: ``(len(t), lags)``."""
    return x[t[:, None] - np.arange(lags)]


def linear(x: np.ndarray, t: np.ndarray, lags: int) -> np.ndarray:
    """Least squares on the last values, fitted on the training part: ``(len(t), 10)``."""
    rows = origins(TRAINING)[lags:]
    features = np.column_stack([np.ones(len(rows)), past(x, rows, lags)])
    weights, *_ = np.linalg.lstsq(features, targets(x)[rows], rcond=None)
    return np.column_stack([np.ones(len(t)), past(x, t, lags)]) @ weights


def analogues(x: np.ndarray, t: np.ndarray, lags: int, neighbours: int) -> np.ndarray:
    """The mean of what followed the most similar pasts of the training part: ``(len(t), 10)``."""
    rows = origins(TRAINING)[lags:]
    stored, asked = past(x, rows, lags), past(x, t, lags)
    distance = (asked**2).sum(axis=1)[:, None] - 2 * asked @ stored.T + (stored**2).sum(axis=1)
    nearest = np.argpartition(distance, neighbours, axis=1)[:, :neighbours]
    return targets(x)[rows][nearest].mean(axis=1)


def simple_forecasts(x: np.ndarray, t: np.ndarray) -> dict[str, np.ndarray]:
    """What needs no choice: the mean, as now, and one period ago."""
    ahead = np.arange(1, AHEAD + 1)
    return {
        "mean": np.full((len(t), AHEAD), x[slice(*TRAINING)].mean()),
        "as now": np.repeat(x[t][:, None], AHEAD, axis=1),
        "one period ago": x[t[:, None] + ahead - PERIOD],
    }


@experiment("capstone_baselines", "How far does one get on the nerve cell without a network?", (0,))
def baselines(seeds: Sequence[int], progress: Progress) -> dict:
    """Validation and test error of each; the choices of the last two, on the validation part."""
    x = recording()
    y = targets(x)
    parts = {"validation": origins(VALIDATION), "test": origins(TEST)}
    found: dict = {"error": {}, "linear": {}, "analogues": {}}
    for part, t in parts.items():
        for name, predicted in simple_forecasts(x, t).items():
            found["error"].setdefault(name, {})[part] = rmse(predicted - y[t])
    t = parts["validation"]
    found["linear"] = {str(lags): rmse(linear(x, t, lags) - y[t]) for lags in LAGS}
    for lags in LAGS:
        for neighbours in NEIGHBOURS:
            error = rmse(analogues(x, t, lags, neighbours) - y[t])
            found["analogues"].setdefault(str(lags), {})[str(neighbours)] = error
    lags = min(LAGS, key=lambda lags: found["linear"][str(lags)])
    pair = min(((lags, k) for lags in LAGS for k in NEIGHBOURS), key=lambda p: found["analogues"][str(p[0])][str(p[1])])
    found["lags"], found["analogue"] = lags, list(pair)
    t = parts["test"]
    chosen = {"least squares": linear(x, t, lags), "analogues": analogues(x, t, *pair)}
    for name, predicted in chosen.items():
        before = (
            found["linear"][str(lags)] if name == "least squares" else found["analogues"][str(pair[0])][str(pair[1])]
        )
        found["error"][name] = {"validation": before, "test": rmse(predicted - y[t])}
        found.setdefault("squares", {})[name] = np.round(np.square(predicted - y[t]).mean(axis=1), 4).tolist()
        found.setdefault("by_step", {})[name] = np.sqrt(np.square(predicted - y[t]).mean(axis=0)).tolist()
        progress(f"{name}: {found['error'][name]}")
    return found


# --- networks ---------------------------------------------------------------------------------------------------------


class Forecaster(nn.Module):
    """Perhaps causal kernels; a recurrent layer; at every step ten numbers, to be added to the value of that step."""

    def __init__(self, kind: type[nn.Module], hidden_size: int, kernels: int = 0, taps: int = 0) -> None:
        super().__init__()
        self.taps = taps
        self.conv = nn.Conv1d(1, kernels, taps) if kernels else None
        self.layer = kind(kernels or 1, hidden_size, batch_first=True)
        self.readout = nn.Linear(hidden_size, AHEAD)

    def forward(self, x: Tensor) -> Tensor:
        """``x (N, T, 1)`` gives ``(N, T, 10)``."""
        seen = x
        if self.conv is not None:
            padded = nn.functional.pad(x.transpose(1, 2), (self.taps - 1, 0))
            seen = torch.relu(self.conv(padded)).transpose(1, 2)
        h, _ = self.layer(seen)
        return x + self.readout(h)


class Stack(nn.Module):
    """Causal convolutions of two taps whose dilation doubles from layer to layer, and the same readout."""

    def __init__(self, channels: int, layers: int) -> None:
        super().__init__()
        sizes = [1] + [channels] * layers
        self.layers = nn.ModuleList(nn.Conv1d(sizes[k], sizes[k + 1], 2, dilation=2**k) for k in range(layers))
        self.readout = nn.Linear(channels, AHEAD)

    def forward(self, x: Tensor) -> Tensor:
        """``x (N, T, 1)`` gives ``(N, T, 10)``."""
        y = x.transpose(1, 2)
        for k, layer in enumerate(self.layers):
            y = torch.relu(layer(nn.functional.pad(y, (2**k, 0))))
        return x + self.readout(y.transpose(1, 2))


class Contender(NamedTuple):
    build: Callable[[], nn.Module]
    updates: int


CONTENDERS = {
    "RNN": Contender(lambda: Forecaster(nn.RNN, 40), 1200),
    "layer-norm RNN": Contender(lambda: Forecaster(LayerNormRNN, 40), 400),
    "LSTM": Contender(lambda: Forecaster(nn.LSTM, 20), 1800),
    "GRU": Contender(lambda: Forecaster(nn.GRU, 24), 500),
    "kernels and GRU": Contender(lambda: Forecaster(nn.GRU, 20, kernels=8, taps=16), 500),
    "kernels alone": Contender(lambda: Stack(13, 7), 1400),
}


class Scaled(NamedTuple):
    """The recording with mean 0 and deviation 1 in the training part, and how to come back: ``scale``."""

    z: Tensor
    y: Tensor
    scale: float


def scaled(x: np.ndarray) -> Scaled:
    training = x[slice(*TRAINING)]
    z = (x - training.mean()) / training.std()
    return Scaled(
        torch.tensor(z, dtype=torch.float32), torch.tensor(targets(z), dtype=torch.float32), float(training.std())
    )


def errors(model: nn.Module, data: Scaled, part: tuple[int, int]) -> np.ndarray:
    """Millivolts that each forecast of a part is off: ``(steps, 10)``. The model reads on from before the part."""
    t = origins(part)
    with torch.no_grad():
        predicted = model(data.z[None, part[0] - WARM_UP : t[-1] + 1, None])[0, WARM_UP:]
    return data.scale * (predicted - data.y[t]).numpy().astype(float)


def train(contender: Contender, seed: int, rate: float, data: Scaled) -> tuple[nn.Module, dict]:
    """The weights that did best in the validation part at one of ten checks, and how it went."""
    torch.manual_seed(seed)
    model = contender.build()
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, contender.updates)
    curve: list[float] = []
    kept = model.state_dict()
    seconds = 0.0
    for count in range(1, contender.updates + 1):
        started = time.process_time()
        begin = torch.randint(TRAINING[0], TRAINING[1] - STEPS - AHEAD, (BATCH,))
        rows = begin[:, None] + torch.arange(STEPS)
        loss = (model(data.z[rows][..., None]) - data.y[rows])[:, SKIPPED:].square().mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        seconds += time.process_time() - started
        if count % (contender.updates // CHECKS) == 0:
            curve.append(rmse(errors(model, data, VALIDATION)))
            if curve[-1] == min(curve):
                kept = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
    return model, {"curve": curve, "validation": min(curve), "seconds": seconds}


@experiment("capstone_choices", "Which step size suits each network best in the validation part?", (100, 101))
def choose(seeds: Sequence[int], progress: Progress) -> dict:
    """With seeds that the scoreboard does not use; the test part is not touched."""
    data = scaled(recording())
    found: dict = {"rates": list(RATES), "validation": {}, "chosen": {}}
    for name, contender in CONTENDERS.items():
        by_rate = {str(rate): [train(contender, seed, rate, data)[1]["validation"] for seed in seeds] for rate in RATES}
        found["validation"][name] = by_rate
        found["chosen"][name] = min(RATES, key=lambda rate: np.mean(by_rate[str(rate)]))
        progress(f"{name}: {by_rate}")
    return found


@experiment("capstone_scoreboard", "Which network forecasts the nerve cell best within the budget?", SEEDS)
def scoreboard(seeds: Sequence[int], progress: Progress) -> dict:
    """Step sizes as the validation part chose them; the test part once, with every network as it then was."""
    data = scaled(recording())
    rates = load("capstone_choices")["results"]["chosen"]
    found: dict = {
        "parameters": {},
        "updates": {},
        "rates": rates,
        "runs": {},
        "together": {},
        "squares": {},
        "by_step": {},
    }
    found["shown"] = {"from": list(SHOWN), "forecasts": {}}
    for name, contender in CONTENDERS.items():
        runs, off = [], []
        for seed in seeds:
            model, run = train(contender, seed, rates[name], data)
            off.append(errors(model, data, TEST))
            runs.append(run | {"test": rmse(off[-1])})
        found["runs"][name] = runs
        found["updates"][name] = contender.updates
        found["parameters"][name] = sum(p.numel() for p in contender.build().parameters())
        together = np.mean(off, axis=0)
        found["together"][name] = rmse(together)
        squares = np.square(off).mean(axis=(0, 2))
        found["squares"][name] = np.round(squares, 3).tolist()
        found["by_step"][name] = [np.round(np.sqrt(np.square(e).mean(axis=0)), 3).tolist() for e in off]
        y = targets(recording())[origins(TEST)]
        forecasts = off[0] + y
        found["shown"]["forecasts"][name] = np.round(forecasts[np.array(SHOWN) - TEST[0]], 2).tolist()
        line = " ".join(f"{run['test']:.2f}" for run in runs)
        progress(
            f"{name}: {line}; together {found['together'][name]:.2f}; {np.mean([r['seconds'] for r in runs]):.1f} s"
        )
    return found
