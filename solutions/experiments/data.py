"""The series that the experiments learn from, as plain arrays. They come with an installed package: no download."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from vega_datasets import local_data

TRAINING_DAYS = 731  # 2012 and 2013
VALIDATION_DAYS = 365  # 2014; what is left is 2015, the test year
FIRST_TEST_MONTH = np.datetime64("2007-01")


class Temperatures(NamedTuple):
    """Daily highest temperatures in Seattle, 2012 to 2015: ``celsius (1461,)`` and their dates.

    ``standard`` is ``(celsius − mean) / scale`` with mean and scale of the training years.
    """

    celsius: np.ndarray
    standard: np.ndarray
    dates: np.ndarray
    mean: float
    scale: float


def temperatures() -> Temperatures:
    """Source: records of the US National Oceanic and Atmospheric Administration (NOAA), in the public domain."""
    table = local_data.seattle_weather()
    celsius = table["temp_max"].to_numpy(dtype=np.float64)
    training = celsius[:TRAINING_DAYS]
    mean, scale = float(training.mean()), float(training.std())
    return Temperatures(celsius, (celsius - mean) / scale, table["date"].to_numpy("datetime64[D]"), mean, scale)


def prices() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Share prices in US dollars, one a month, of five companies from 2000 (one of them 2004) to March 2010.

    Returns each company's months and prices. The package calls them daily closing prices; their dates are the first
    of each month. It names no source for them.
    """
    table = local_data.stocks()
    return {
        str(name): (rows["date"].to_numpy("datetime64[M]"), rows["price"].to_numpy(dtype=np.float64))
        for name, rows in table.groupby("symbol")
    }
