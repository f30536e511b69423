"""What a recurrent layer is worth as a forecaster, beside baselines, and what it would lose without shared weights.

Every model is fitted on the first two years; choices (when to stop, how many days a linear fit sees) are made on the
third; the fourth year is looked at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from solutions.experiments.data import FIRST_TEST_MONTH, TRAINING_DAYS, VALIDATION_DAYS, prices, temperatures
from solutions.experiments.registry import Progress, experiment
from solutions.with_torch.recurrent_neurons import RNN

SEEDS = tuple(range(10))
TEST_BEGINS = TRAINING_DAYS + VALIDATION_DAYS
WINDOW = 30
SIZES = (1, 4, 16)
LENGTHS = (1, 2, 3, 5, 10, 20, 50, 100, 500)
LAGS = (1, 2, 3, 5, 7, 10, 14, 20, 30)
EPOCHS = 40


class Forecaster(nn.Module):
    """A recurrent layer and a linear readout: at every step, one number for the step after it."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.rnn = RNN(1, hidden_size, batch_first=True)
        self.readout = nn.Linear(hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``x (N, T, 1)`` gives forecasts ``(N, T)``."""
        h, _ = self.rnn(x)
        return self.readout(h)[..., 0]


class UnsharedForecaster(nn.Module):
    """The same unrolled network with matrices of its own at every step: it exists for ``steps`` steps only."""

    def __init__(self, hidden_size: int, steps: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(RNN(1, hidden_size, batch_first=True) for _ in range(steps))
        self.readout = nn.Linear(hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs, state = [], None
        for t, step in enumerate(self.steps):
            h_t, state = step(x[:, t : t + 1], state)
            outputs.append(h_t)
        return self.readout(torch.cat(outputs, dim=1))[..., 0]


def windows(series: np.ndarray, steps: int) -> tuple[Tensor, Tensor]:
    """Every run of ``steps`` values, ``(N, steps, 1)``, and for each of them the value after it, ``(N, steps)``."""
    runs = np.lib.stride_tricks.sliding_window_view(series, steps + 1)
    tensor = torch.tensor(runs, dtype=torch.float32)
    return tensor[:, :-1, None], tensor[:, 1:]


def epoch(model: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor, order: Tensor) -> None:
    """One pass over the windows in the given order, 64 at a time, on the squared error of every step."""
    for rows in order.split(64):
        loss = nn.functional.mse_loss(model(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()


def forecast(model: nn.Module, series: np.ndarray) -> np.ndarray:
    """The forecast of ``series[1:]``, each from all the values before it, in one pass over the whole series."""
    with torch.no_grad():
        return model(torch.tensor(series[:-1], dtype=torch.float32)[None, :, None])[0].numpy().astype(float)


def rmse(error: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(error))))


def train(hidden_size: int, seed: int, series: np.ndarray) -> tuple[Forecaster, int]:
    """Train on windows of the training years; return the weights of the epoch that was best in the validation year."""
    torch.manual_seed(seed)
    model = Forecaster(hidden_size)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    x, y = windows(series[:TRAINING_DAYS], WINDOW)
    validation = slice(TRAINING_DAYS - 1, TEST_BEGINS - 1)
    best, kept, chosen = np.inf, model.state_dict(), 0
    for count in range(1, EPOCHS + 1):
        epoch(model, optimiser, x, y, torch.randperm(len(x)))
        error = rmse((forecast(model, series[:TEST_BEGINS]) - series[1:TEST_BEGINS])[validation])
        if error < best:
            best, chosen = error, count
            kept = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(kept)
    return model, chosen


def lagged(series: np.ndarray, lags: int) -> np.ndarray:
    """Row ``t`` holds 1 and the ``lags`` values that end at ``t``; rows that would begin too early hold NaN."""
    columns = [np.concatenate([np.full(k, np.nan), series[: len(series) - k]]) for k in range(lags)]
    return np.column_stack([np.ones(len(series)), *columns])


def least_squares(series: np.ndarray, lags: int) -> np.ndarray:
    """The linear forecast of ``series[1:]`` from the last ``lags`` values, fitted on the training years."""
    features, target = lagged(series, lags)[:-1], series[1:]
    rows = slice(lags - 1, TRAINING_DAYS - 1)
    weights, *_ = np.linalg.lstsq(features[rows], target[rows], rcond=None)
    return features @ weights


def seasonal(celsius: np.ndarray, dates: np.ndarray) -> np.ndarray:
    """The forecast of ``celsius[1:]`` from the date alone: two harmonics of the year, fitted on the training years."""
    angle = 2 * np.pi * (dates - dates.astype("datetime64[Y]")).astype(float) / 365.25
    features = np.column_stack([np.ones(len(angle)), *(f(k * angle) for k in (1, 2) for f in (np.cos, np.sin))])
    weights, *_ = np.linalg.lstsq(features[:TRAINING_DAYS], celsius[:TRAINING_DAYS], rcond=None)
    return (features @ weights)[1:]


@experiment(
    "recurrent_neurons_temperatures",
    "How well does a recurrent layer forecast tomorrow's temperature, and how long a past does it need?",
    SEEDS,
)
def forecast_temperatures(seeds: Sequence[int], progress: Progress) -> dict:
    data = temperatures()
    celsius, series, scale = data.celsius, data.standard, data.scale
    validation, test = slice(TRAINING_DAYS - 1, TEST_BEGINS - 1), slice(TEST_BEGINS - 1, None)

    def error(predicted: np.ndarray, days: slice) -> float:
        return rmse((predicted - celsius[1:])[days])

    linear = {lags: data.mean + scale * least_squares(series, lags) for lags in LAGS}
    chosen_lags = min(LAGS, key=lambda lags: error(linear[lags], validation))
    season = seasonal(celsius, data.dates)
    found: dict = {
        "window": WINDOW,
        "test_days": len(celsius) - TEST_BEGINS,
        "as_today": error(celsius[:-1], test),
        "season": error(season, test),
        "linear": {str(lags): error(predicted, test) for lags, predicted in linear.items()},
        "chosen_lags": chosen_lags,
        "recurrent": {},
        "epochs": {},
        "parameters": {},
        "by_length": {str(length): [] for length in LENGTHS},
    }
    for hidden_size in SIZES:
        errors, epochs = [], []
        for seed in seeds:
            model, epochs_kept = train(hidden_size, seed, series)
            errors.append(error(data.mean + scale * forecast(model, series), test))
            epochs.append(epochs_kept)
            progress(f"{hidden_size} neurons, seed {seed}: {errors[-1]:.3f} °C after {epochs_kept} epochs")
            if hidden_size == SIZES[-1]:
                for length in LENGTHS:
                    found["by_length"][str(length)].append(scale * error_of_length(model, series, length))
        found["recurrent"][str(hidden_size)], found["epochs"][str(hidden_size)] = errors, epochs
        found["parameters"][str(hidden_size)] = sum(p.numel() for p in model.parameters())
    return found


def error_of_length(model: nn.Module, series: np.ndarray, length: int) -> float:
    """The error in the test year when each forecast sees only the last ``length`` days."""
    index = np.arange(TEST_BEGINS - 1, len(series) - 1)[:, None] - np.arange(length)[::-1]
    with torch.no_grad():
        last = model(torch.tensor(series[index], dtype=torch.float32)[..., None])[:, -1].numpy()
    return rmse(last - series[TEST_BEGINS:])


@experiment(
    "recurrent_neurons_sharing",
    "What does it cost to give every step weights of its own?",
    SEEDS[:5],
)
def unshare(seeds: Sequence[int], progress: Progress) -> dict:
    """Train both networks for the same number of updates on few, some and all of the windows; look at the last step."""
    data = temperatures()
    hidden_size, steps, updates = 8, 15, 400
    x, y = windows(data.standard[:TRAINING_DAYS], steps)
    test_x, test_y = windows(data.standard[TEST_BEGINS - steps :], steps)
    networks = {
        "shared": lambda: Forecaster(hidden_size),
        "unshared": lambda: UnsharedForecaster(hidden_size, steps),
    }
    found: dict = {"hidden_size": hidden_size, "steps": steps, "updates": updates, "windows": [32, 128, len(x)]}
    for name, build in networks.items():
        found[name] = {}
        for count in found["windows"]:
            errors = []
            for seed in seeds:
                torch.manual_seed(seed)
                model = build()
                optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
                rows = torch.randperm(len(x))[:count]
                for _ in range(max(1, round(updates / -(-count // 64)))):
                    epoch(model, optimiser, x[rows], y[rows], torch.randperm(count))
                with torch.no_grad():
                    errors.append(data.scale * rmse((model(test_x) - test_y)[:, -1].numpy()))
            found[name][str(count)] = errors
            progress(f"{name}, {count} windows: {np.mean(errors):.3f} °C")
        found[f"{name}_parameters"] = sum(p.numel() for p in model.parameters())
    return found


@experiment(
    "recurrent_neurons_prices",
    "Does a recurrent layer know next month's share price better than the forecast 'as this month'?",
    SEEDS,
)
def forecast_prices(seeds: Sequence[int], progress: Progress) -> dict:
    """Learn the monthly changes of the logarithm of five prices; every company is one sequence, as long as it is."""
    changes = {name: (months[1:], np.diff(np.log(price))) for name, (months, price) in prices().items()}
    training = {name: change[months < FIRST_TEST_MONTH] for name, (months, change) in changes.items()}
    scale = float(np.concatenate(list(training.values())).std())
    truth = np.concatenate([change[months >= FIRST_TEST_MONTH] for months, change in changes.values()])

    def test_part(predicted: dict[str, np.ndarray]) -> np.ndarray:
        return np.concatenate(
            [predicted[name][months[1:] >= FIRST_TEST_MONTH] for name, (months, _) in changes.items()]
        )

    found: dict = {
        "companies": list(changes),
        "test_months": len(truth),
        "as_this_month": rmse(truth),
        "linear": {},
        "recurrent": {},
        "correlation_of_changes": [],
        "correlation_of_prices": [],
    }
    for lags in (1, 3, 6):
        found["linear"][str(lags)] = rmse(test_part(linear_changes(changes, lags)) - truth)
    for hidden_size in (4, 16):
        errors = []
        for seed in seeds:
            predicted = recurrent_changes(changes, training, hidden_size, seed, scale)
            part = test_part(predicted)
            errors.append(rmse(part - truth))
            if hidden_size == 4:
                found["correlation_of_changes"].append(float(np.corrcoef(part, truth)[0, 1]))
                found["correlation_of_prices"].append(correlation_of_prices(predicted))
        found["recurrent"][str(hidden_size)] = errors
        progress(f"{hidden_size} neurons: {np.mean(errors):.4f}; as this month: {found['as_this_month']:.4f}")
    return found


def linear_changes(changes: dict[str, tuple[np.ndarray, np.ndarray]], lags: int) -> dict[str, np.ndarray]:
    """Each company's next change from its last ``lags`` changes, one linear fit for all, before the test months."""
    features, targets = [], []
    for months, change in changes.values():
        rows = months[1:] < FIRST_TEST_MONTH
        features.append(lagged(change, lags)[:-1][rows][lags - 1 :])
        targets.append(change[1:][rows][lags - 1 :])
    weights, *_ = np.linalg.lstsq(np.concatenate(features), np.concatenate(targets), rcond=None)
    return {name: lagged(change, lags)[:-1] @ weights for name, (_, change) in changes.items()}


def recurrent_changes(
    changes: dict[str, tuple[np.ndarray, np.ndarray]],
    training: dict[str, np.ndarray],
    hidden_size: int,
    seed: int,
    scale: float,
) -> dict[str, np.ndarray]:
    """Each company's next change from all its changes before, by one recurrent layer for all companies."""
    torch.manual_seed(seed)
    model = Forecaster(hidden_size)
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(60):
        for change in training.values():
            x, y = windows(change / scale, len(change) - 1)
            epoch(model, optimiser, x, y, torch.arange(1))
    return {name: scale * forecast(model, change / scale) for name, (_, change) in changes.items()}


def correlation_of_prices(predicted: dict[str, np.ndarray]) -> float:
    """The mean over companies of the correlation between a price and its forecast, in the test months."""
    found = []
    for name, (months, price) in prices().items():
        ahead = price[1:-1] * np.exp(predicted[name])
        test = months[2:] >= FIRST_TEST_MONTH
        found.append(float(np.corrcoef(ahead[test], price[2:][test])[0, 1]))
    return float(np.mean(found))
