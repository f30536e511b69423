r"""Layer normalisation, forward and backward, and batch normalisation beside it for contrast.

.. math::

    \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad y = \gamma\, \hat x + \beta, \qquad
    dx = \frac{1}{\sqrt{\sigma^2 + \epsilon}}
        \Big(d\hat x - \overline{d\hat x} - \hat x\, \overline{d\hat x \odot \hat x}\Big)
        \quad\text{with } d\hat x = dy\, \gamma

The two differ in what the mean :math:`\mu`, the variance :math:`\sigma^2` and the bars run over: layer normalisation
takes the features of one step of one sequence, batch normalisation all steps and sequences of one feature. So only
batch normalisation has to keep running statistics, for a time when there is no batch.

Sources: Ba, J. L., Kiros, J. R. and Hinton, G. E. (2016), "Layer normalization", arXiv:1607.06450; Ioffe, S. and
Szegedy, C. (2015), "Batch normalization", *ICML*. The recurrent layers with a norm inside are written in
``layer_norm_cells``, and are to be had from here too.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from solutions.with_numpy.arguments import arguments, floating
from solutions.with_numpy.layer_norm_cells import (
    LNGRUCache,
    LNGRUGradients,
    LNLSTMCache,
    LNLSTMGradients,
    LNRNNCache,
    LNRNNGradients,
    ln_gru_backward,
    ln_gru_forward,
    ln_lstm_backward,
    ln_lstm_forward,
    ln_rnn_backward,
    ln_rnn_forward,
    positive,
    standardise,
    standardise_backward,
)

__all__ = [
    "BatchNormCache",
    "BatchNormGradients",
    "LNGRUCache",
    "LNGRUGradients",
    "LNLSTMCache",
    "LNLSTMGradients",
    "LNRNNCache",
    "LNRNNGradients",
    "LayerNormCache",
    "LayerNormGradients",
    "batch_norm_backward",
    "batch_norm_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "ln_gru_backward",
    "ln_gru_forward",
    "ln_lstm_backward",
    "ln_lstm_forward",
    "ln_rnn_backward",
    "ln_rnn_forward",
]


class LayerNormCache(NamedTuple):
    """What the backward pass needs: ``x_hat`` in the shape of ``x``, ``scale (..., 1)`` and ``gamma (D,)``."""

    x_hat: np.ndarray
    scale: np.ndarray
    gamma: np.ndarray


class LayerNormGradients(NamedTuple):
    """``dx`` in the shape of ``x``; ``dgamma`` and ``dbeta``, ``(D,)``."""

    dx: np.ndarray
    dgamma: np.ndarray
    dbeta: np.ndarray


def layer_norm_forward(x, gamma, beta, eps: float = 1e-5) -> tuple[np.ndarray, LayerNormCache]:
    """Layer normalisation over the last axis: ``y = gamma · (x − mean) / √(var + eps) + beta``.

    Nothing but the ``D`` numbers of one row enters its mean and variance: the batch does not matter, and training and
    testing are the same. A row multiplied by a positive number, or with a number added, gives the same ``y`` (up to
    ``eps``).

    Args:
        x: ``(..., D)``, for example ``(N, D)`` or ``(N, T, D)``; its dtype, float32 or float64, is the result's.
        gamma: the gain of each feature, ``(D,)``; beta: the offset of each feature, ``(D,)``.
        eps: added to the variance, a number above 0.

    Returns:
        ``(y, cache)``, with ``y`` in the shape of ``x``. The variance is the mean of squares (divided by ``D``).

    Raises:
        ValueError: a shape, a dtype or ``eps`` does not fit.

    Source: Ba et al. (2016), eq. 3; ``torch.nn.functional.layer_norm``.

    >>> y, _ = layer_norm_forward(np.array([[1.0, 3.0], [10.0, 30.0]]), np.ones(2), np.zeros(2))
    >>> y.round(3)
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    eps = positive("eps", eps)
    rows, gamma, beta, shape = rows_and_parameters(x, gamma, beta)
    x_hat, scale = standardise(rows.reshape(shape), eps)
    return x_hat * gamma + beta, LayerNormCache(x_hat, scale, gamma)


def layer_norm_backward(dy, cache: LayerNormCache) -> LayerNormGradients:
    """The backward pass of ``layer_norm_forward``.

    Args:
        dy: the loss's derivative by ``y``, in its shape.
        cache: the last result of ``layer_norm_forward``.

    Returns:
        ``(dx, dgamma, dbeta)``. Each row of ``dx`` adds up to 0, since adding a number to a row changes nothing.

    Raises:
        ValueError: the shape or the dtype of ``dy`` does not fit.

    Source: the chain rule for Ba et al. (2016), eq. 3.

    >>> _, cache = layer_norm_forward(np.array([[0.0, 0.0, 3.0]]), np.ones(3), np.zeros(3))
    >>> layer_norm_backward(np.array([[1.0, 0.0, 0.0]]), cache).dx.round(4) + 0.0  # the last one only follows
    array([[ 0.3536, -0.3536,  0.    ]])
    """
    x_hat, scale, gamma = cache
    dy = like("dy", dy, x_hat)
    dgamma, dbeta = gain_and_offset(dy, x_hat)
    return LayerNormGradients(standardise_backward(dy * gamma, x_hat, scale), dgamma, dbeta)


class BatchNormCache(NamedTuple):
    """What the backward pass needs: ``x_hat`` in the shape of ``x``, ``scale (D,)``, ``gamma (D,)`` and the mode."""

    x_hat: np.ndarray
    scale: np.ndarray
    gamma: np.ndarray
    training: bool


class BatchNormGradients(NamedTuple):
    """``dx`` in the shape of ``x``; ``dgamma`` and ``dbeta``, ``(D,)``."""

    dx: np.ndarray
    dgamma: np.ndarray
    dbeta: np.ndarray


def batch_norm_forward(
    x, gamma, beta, running_mean, running_var, training: bool, momentum: float = 0.1, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, BatchNormCache]:
    """Batch normalisation of each feature over all other axes: ``y = gamma · (x − mean) / √(var + eps) + beta``.

    In training, mean and variance are the batch's, and the running ones move towards them:
    ``running ← (1 − momentum) · running + momentum · batch`` (PyTorch's momentum; Keras's is one minus this). In
    testing, they are the running ones. So the same ``x`` gives another ``y`` in another batch, or in testing.

    Args:
        x: ``(..., D)``, for example ``(N, D)`` or ``(N, T, D)``; its dtype, float32 or float64, is the result's.
            Padding is not told apart: every step counts.
        gamma, beta: the gain and the offset of each feature, ``(D,)``.
        running_mean, running_var: ``(D,)``; 0 and 1 before the first batch.
        training: True or False, as above.
        momentum: how far the running statistics move, from 0 to 1.
        eps: added to the variance, a number above 0.

    Returns:
        ``(y, running_mean, running_var, cache)``: ``y`` in the shape of ``x``, and the new running statistics. The
        batch's variance is divided by the number of rows where it normalises, and by one less where it is remembered.

    Raises:
        ValueError: a shape, a dtype, ``momentum`` or ``eps`` does not fit, or there is one row alone in training: it
            has no variance.

    Source: Ioffe and Szegedy (2015), algorithms 1 and 2; ``torch.nn.functional.batch_norm``.

    >>> x, one, zero = np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1)
    >>> y, running_mean, running_var, _ = batch_norm_forward(x, one, zero, zero, one, training=True)
    >>> y[:, 0].round(3), running_mean, running_var
    (array([-1.,  1.]), array([0.2]), array([1.1]))
    """
    eps = positive("eps", eps)
    if not isinstance(momentum, (int, float)) or not 0 <= momentum <= 1:
        raise ValueError(f"momentum: got {momentum!r}; expected a number from 0 to 1")
    rows, gamma, beta, shape = rows_and_parameters(x, gamma, beta)
    (_, running_mean, running_var), _ = arguments(
        ("x", rows, "N D"), ("running_mean", running_mean, "D"), ("running_var", running_var, "D")
    )
    if not training:
        scale = 1 / np.sqrt(running_var + eps)
        x_hat = ((rows - running_mean) * scale).reshape(shape)
        return (
            x_hat * gamma + beta,
            running_mean.copy(),
            running_var.copy(),
            BatchNormCache(x_hat, scale, gamma, False),
        )

    count = len(rows)
    if count < 2:
        raise ValueError(f"x: got shape {shape}; expected at least 2 rows in training: fewer have no variance")
    x_hat, scale = standardise(rows.T, eps)  # the same norm, across the batch
    x_hat, scale = x_hat.T.reshape(shape), scale[:, 0]
    unbiased = rows.var(axis=0) * (count / (count - 1))
    return (
        x_hat * gamma + beta,
        (1 - momentum) * running_mean + momentum * rows.mean(axis=0),
        (1 - momentum) * running_var + momentum * unbiased,
        BatchNormCache(x_hat, scale, gamma, True),
    )


def batch_norm_backward(dy, cache: BatchNormCache) -> BatchNormGradients:
    """The backward pass of ``batch_norm_forward``; the running statistics are constants.

    Args:
        dy: the loss's derivative by ``y``, in its shape.
        cache: the last result of ``batch_norm_forward``.

    Returns:
        ``(dx, dgamma, dbeta)``. In training each feature's ``dx`` adds up to 0: every row depends on every other.

    Raises:
        ValueError: the shape or the dtype of ``dy`` does not fit.

    Source: Ioffe and Szegedy (2015), section 3.

    >>> one, zero = np.ones(1), np.zeros(1)
    >>> *_, cache = batch_norm_forward(np.array([[1.0], [3.0]]), one, zero, zero, one, training=False)
    >>> batch_norm_backward(np.array([[1.0], [0.0]]), cache).dx[:, 0].round(3)
    array([1., 0.])
    """
    x_hat, scale, gamma, training = cache
    dy = like("dy", dy, x_hat)
    dgamma, dbeta = gain_and_offset(dy, x_hat)
    dx_hat = dy * gamma
    if not training:
        return BatchNormGradients(dx_hat * scale, dgamma, dbeta)
    D = len(gamma)
    dx = standardise_backward(dx_hat.reshape(-1, D).T, x_hat.reshape(-1, D).T, scale[:, None])
    return BatchNormGradients(dx.T.reshape(dy.shape), dgamma, dbeta)


# --- what both share -------------------------------------------------------------------------------------------------


def rows_and_parameters(x, gamma, beta) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]]:
    """``x`` as rows ``(N, D)``, the gain and the offset ``(D,)`` checked against it, and the shape of ``x``."""
    x = floating("x", x)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"x: got shape {x.shape}; expected (..., D) with D above 0")
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    (rows, gamma, beta), _ = arguments(("x", rows, "N D"), ("gamma", gamma, "D"), ("beta", beta, "D"))
    return rows, gamma, beta, x.shape


def like(name: str, value, other: np.ndarray) -> np.ndarray:
    """``value`` in the dtype of ``other``, or ``ValueError`` if its shape differs."""
    array = floating(name, value)
    if array.shape != other.shape:
        raise ValueError(f"{name}: got shape {array.shape}; expected {other.shape}, as the output")
    return array.astype(other.dtype, copy=False)


def gain_and_offset(dy: np.ndarray, x_hat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``dgamma`` and ``dbeta``, ``(D,)``: sums over every axis but the last."""
    rows = tuple(range(dy.ndim - 1))
    return (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)
