"""The data that came with the notebook, as NumPy arrays. Nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parent / "data"


def load_seattle_weather() -> dict[str, np.ndarray]:
    """Daily weather of Seattle, 2012 to 2015: ``date``, ``temp_max`` and ``temp_min`` (°C), ``precipitation`` (mm),
    ``wind`` (m/s), each ``(1461,)``.

    Source: records of the US National Oceanic and Atmospheric Administration (NOAA), in the public domain, as the
    package vega_datasets ships them.
    """
    return load_data("seattle_weather")


def load_data(name: str) -> dict[str, np.ndarray]:
    """The arrays of one data set of this assignment, by their names; the notebook says what they are.

    Raises:
        FileNotFoundError: this assignment came without it.
    """
    path = DATA / f"{name}.npz"
    if not path.is_file():
        raise FileNotFoundError(
            f"kit/data/{name}.npz is missing: put the whole folder of the assignment, kit included, beside this "
            "notebook"
        )
    with np.load(path, allow_pickle=False) as file:
        return {array: file[array] for array in file.files}
