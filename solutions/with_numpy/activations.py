r"""The two squashing functions of a gated cell, and their slopes from their own outputs.

.. math::

    \sigma(a) = \frac{1}{1 + e^{-a}} = \tfrac12 \bigl(1 + \tanh \tfrac a2\bigr), \qquad
    \sigma'(a) = \sigma\,(1 - \sigma), \qquad \tanh'(a) = 1 - \tanh^2(a)

The form through tanh never overflows, and halving is exact in binary arithmetic. Source: Goodfellow, Bengio & Courville
(2016), *Deep Learning*, sections 3.10 and 6.3.2.
"""

from __future__ import annotations

import numpy as np

from solutions.with_numpy.arguments import floating


def sigmoid(a) -> np.ndarray:
    """The logistic sigmoid ``1 / (1 + exp(-a))``, through tanh: no overflow, whatever ``a`` is.

    Args:
        a: an array of any shape, float32 or float64.

    Returns:
        An array of the same shape and dtype, within one rounding error of 1 of the exact value.

    Raises:
        ValueError: ``a`` is not a float32 or float64 array.

    Source: Goodfellow, Bengio & Courville (2016), section 3.10.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    a = floating("a", a)
    half = a.dtype.type(0.5)
    return half * np.tanh(half * a) + half


def sigmoid_slope(s: np.ndarray) -> np.ndarray:
    """The sigmoid's derivative from its output ``s``: ``s (1 - s)``, shaped like ``s``.

    Source: Goodfellow, Bengio & Courville (2016), section 3.10.

    >>> sigmoid_slope(np.array([0.5, 1.0]))
    array([0.25, 0.  ])
    """
    return s * (1 - s)


def tanh_slope(y: np.ndarray) -> np.ndarray:
    """The derivative of tanh from its output ``y``: ``1 - y²``, shaped like ``y``.

    Source: Goodfellow, Bengio & Courville (2016), section 6.3.2.

    >>> tanh_slope(np.array([0.0, 1.0]))
    array([1., 0.])
    """
    return 1 - y * y
