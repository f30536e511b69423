"""What values alone do not tell: an error that is small enough, and a gradient that fits the student's own forward."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

OWN_TOLERANCE = 1e-2  # single precision leaves a few thousandths; a wrong term far more
SHARES = 20  # a measured case earns its points in steps of one twentieth


def error_of(measure: str, got: np.ndarray, target: np.ndarray) -> float:
    """How far predictions are from what really came: ``rmse``, ``mae``, or ``mistakes``, the share that differs."""
    difference = got.astype(np.float64) - target.astype(np.float64)
    if measure == "rmse":
        return float(np.sqrt(np.mean(difference**2)))
    if measure == "mae":
        return float(np.mean(np.abs(difference)))
    return float(np.mean(np.abs(difference) > 0.5))


def share_of(measure: dict, error: float) -> float:
    """The share of the points that an error earns: all at ``full``, none at ``none`` or below ``floor``, even between.

    >>> measure = {"kind": "rmse", "full": 1.0, "none": 2.0, "floor": 0.1}
    >>> [share_of(measure, error) for error in (0.05, 0.5, 1.0, 1.52, 2.0)]
    [0.0, 1.0, 1.0, 0.45, 0.0]
    """
    share = (measure["none"] - error) / (measure["none"] - measure["full"])
    if error < measure["floor"] or not math.isfinite(share):
        return 0.0
    return math.floor(min(1.0, max(0.0, share)) * SHARES + 1e-9) / SHARES


def fits_own_forward(own: dict[str, Any], gradients: dict[str, Any], forward: list[dict[str, Any]]) -> bool:
    r"""Whether gradients are those of the student's own forward pass, by central differences.

    With :math:`L = \sum \text{upstream} \cdot \text{outputs}` and a direction ``v`` of one argument,
    ``(L(argument + step v) - L(argument - step v)) / (2 step)`` must equal ``sum(gradient * v)``, for each argument.

    Args:
        own: ``{"upstream": {output: array}, "directions": {gradient: array}, "step": number}``.
        gradients: what the student's backward pass returned, by name, as arrays.
        forward: the outputs of the student's forward pass, by name: plus and minus for each direction in turn.
    """
    slopes = []
    for number, (name, v) in enumerate(own["directions"].items()):
        gradient = gradients.get(name)
        if gradient is None or gradient.shape != v.shape or gradient.dtype.kind == "c":
            return False
        plus, minus = (_loss(own["upstream"], forward[2 * number + side]) for side in (0, 1))
        measured = (plus - minus) / (2 * own["step"])
        claimed = float(np.sum(gradient.astype(np.float64) * v))
        if not abs(measured - claimed) <= OWN_TOLERANCE * max(1.0, abs(measured)):  # NaN is no agreement
            return False
        slopes.append(abs(measured))
    # A forward pass that ignores its arguments has gradients of 0, and they prove nothing.
    return sum(slope > 0.01 for slope in slopes) * 2 > len(slopes)


def _loss(upstream: dict[str, np.ndarray], outputs: dict[str, Any]) -> float:
    total = 0.0
    for name, weight in upstream.items():
        value = outputs.get(name)
        if value is None or value.shape != weight.shape or value.dtype.kind == "c" or not np.isfinite(value).all():
            return math.nan
        total += float(np.sum(value.astype(np.float64) * weight))
    return total
