"""What the page says of its measurements in words; see the package's docstring."""

from __future__ import annotations

from typing import Any


def ours(r: Any, layer: str, small: bool) -> list[float]:
    """Times of the NumPy layers, forward and backward, as multiples of PyTorch's."""
    rows = [row for row in r("layer_speed") if row["layer"] == layer and (row["size"][3] < 256) is small]
    return [row["forward_backward"]["numpy"] for row in rows]


def less_in_the_lstm_more_in_the_gru(r: Any) -> bool:
    return min(ours(r, "LSTM", True)) > 1.15 and 0 < max(ours(r, "GRU", True)) < 0.85


def the_same_with_many_units(r: Any) -> bool:
    found = ours(r, "LSTM", False) + ours(r, "GRU", False)
    return bool(found) and all(0.85 < each < 1.2 for each in found)


SAID = {
    "PyTorch's LSTM has less of it than ours, its GRU more": less_in_the_lstm_more_in_the_gru,
    "With many units the time goes into matrix products": the_same_with_many_units,
}
