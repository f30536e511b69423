"""What the tests of the reference share: how far two arrays are apart, and gradients without a backward pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch


def relative_error(got: np.ndarray, expected: np.ndarray) -> float:
    """``‖got − expected‖ / (‖got‖ + ‖expected‖)``, 0 where both are zero: one number for a whole array."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, f"got shape {got.shape}, expected {expected.shape}"
    scale = np.linalg.norm(got) + np.linalg.norm(expected)
    return float(np.linalg.norm(got - expected) / scale) if scale else 0.0


def central_differences(loss: Callable[[], float], array: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """The gradient of ``loss()`` with respect to ``array``, each entry moved by ``± eps`` in place."""
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + eps
        above = loss()
        array[index] = kept - eps
        below = loss()
        array[index] = kept
        gradient[index] = (above - below) / (2 * eps)
    return gradient


def tensor(array: np.ndarray, grad: bool = False) -> torch.Tensor:
    """A copy of ``array`` as a tensor, with a gradient if asked."""
    return torch.tensor(np.array(array), requires_grad=grad)


def read_only(*arrays: np.ndarray) -> list[np.ndarray]:
    """Copies that nobody can write to: a function that changes its input in place fails on them."""
    copies = [np.array(array) for array in arrays]
    for copy in copies:
        copy.flags.writeable = False
    return copies
