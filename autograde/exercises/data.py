"""Makes the data files that travel with a release, from what installed packages carry: nothing is downloaded."""

from __future__ import annotations

import io

import numpy as np


def seattle_weather() -> bytes:
    """Daily weather of Seattle, 2012 to 2015, as an ``.npz`` of plain arrays.

    Source: the ``seattle_weather`` table of the package vega_datasets, from the records of the US National Oceanic
    and Atmospheric Administration (NOAA), which are in the public domain; the package is under the MIT licence.
    """
    from vega_datasets import data

    table = data.seattle_weather()
    file = io.BytesIO()
    np.savez_compressed(
        file,
        date=table["date"].to_numpy().astype("datetime64[D]").astype(str),
        temp_max=table["temp_max"].to_numpy(dtype=np.float64),
        temp_min=table["temp_min"].to_numpy(dtype=np.float64),
        precipitation=table["precipitation"].to_numpy(dtype=np.float64),
        wind=table["wind"].to_numpy(dtype=np.float64),
    )
    return file.getvalue()
