"""Gates or parameters? The plain network of the scoreboard once more, as large as the LSTM beside it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from solutions.experiments.registry import Progress, experiment
from solutions.experiments.scoreboard import (
    AHEAD,
    FAST,
    SEEDS,
    SLOW,
    STEPS,
    Dense,
    Draws,
    Recurrent,
    answers,
    summary,
    train,
    waves,
)

WIDE = 40  # 5,330 parameters; two layers of 20 LSTM cells have 5,250


def wide_rnn(draws: Draws) -> nn.Module:
    return nn.Sequential(
        Recurrent(draws, "rnn", 1, WIDE), Recurrent(draws, "rnn", WIDE, WIDE), Dense(draws, WIDE, AHEAD)
    )


@experiment(
    "scoreboard_size",
    "Does a plain network forecast the waves as well as an LSTM when it has as many parameters?",
    SEEDS,
)
def size(seeds: Sequence[int], progress: Progress) -> dict:
    series = torch.tensor(waves(STEPS + AHEAD), dtype=torch.float32)
    y = answers(series, every_step=True, shortened=False, ahead=AHEAD)
    found = {"RNN of 40": train(wide_rnn, seeds, (SLOW, FAST), series, y)}
    progress(f"RNN of 40: {summary(found['RNN of 40'])}")
    return found
