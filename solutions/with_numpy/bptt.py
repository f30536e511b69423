r"""Backpropagation through time: the backward pass of the recurrent layer, whole and in chunks, and how to check it.

.. math::

    da_t &= \big(dh_t + da_{t+1} W_h^\top\big) \odot f'(a_t)   && \text{through the step's output and the next step} \\
    dx_t &= da_t W_x^\top, \qquad dh_0 = da_1 W_h^\top \\
    dW_x &= \sum_t x_t^\top da_t, \qquad dW_h = \sum_t h_{t-1}^\top da_t, \qquad db = \sum_t da_t

where :math:`a_t = x_t W_x + h_{t-1} W_h + b` and :math:`dh_t` is the loss's derivative by the output :math:`h_t` alone,
as if no later step used it (after the last step, the derivative by the final state takes the later steps' place). The
weights serve every step, so their gradients are sums over the steps (and the batch).
Source: Werbos, P. J. (1990), "Backpropagation through time: what it does and how to do it", *Proceedings of the IEEE*
78(10). The forward pass is in ``recurrent_neurons``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from solutions.with_numpy.arguments import alive_steps, arguments, floating
from solutions.with_numpy.recurrent_neurons import RNNCache, RNNStepCache, rnn_forward

# The slope f'(a), written with the output h = f(a), which is what the forward pass keeps.
SLOPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": lambda h: 1 - h * h,
    "relu": lambda h: (h > 0).astype(h.dtype),
    "identity": np.ones_like,
}


class RNNStepGradients(NamedTuple):
    """The gradients of one step: ``dx_t (N, D)``, ``dh_prev (N, H)``, and those of the weights."""

    dx_t: np.ndarray
    dh_prev: np.ndarray
    dW_x: np.ndarray
    dW_h: np.ndarray
    db: np.ndarray


class RNNGradients(NamedTuple):
    """The gradients of a layer: ``dx (N, T, D)``, ``dh0 (N, H)``, and those of the weights, summed over the steps."""

    dx: np.ndarray
    dh0: np.ndarray
    dW_x: np.ndarray
    dW_h: np.ndarray
    db: np.ndarray


def rnn_step_backward(dh_t, cache: RNNStepCache) -> RNNStepGradients:
    """One step back: ``da = dh_t ⊙ f'(a)``, then one product for each input of the step.

    Args:
        dh_t: the loss's derivative by ``h_t (N, H)``, through the step's output AND through all later steps.
        cache: the second result of ``rnn_step``.

    Returns:
        ``(dx_t, dh_prev, dW_x, dW_h, db)``, each in the shape of what it is the gradient of.

    Raises:
        ValueError: the shape or the dtype of ``dh_t`` does not fit.

    Source: Werbos (1990).

    >>> from solutions.with_numpy.recurrent_neurons import rnn_step
    >>> _, cache = rnn_step(np.array([[2.0]]), np.array([[0.5]]), np.eye(1), np.full((1, 1), 3.0), np.zeros(1), "relu")
    >>> [float(gradient.item()) for gradient in rnn_step_backward(np.array([[1.0]]), cache)]
    [1.0, 3.0, 2.0, 0.5, 1.0]
    """
    x_t, h_prev, h_t, W_x, W_h, activation = cache
    (_, dh_t), _ = arguments(("h_t", h_t, "N H"), ("dh_t", dh_t, "N H"))
    da = dh_t * SLOPES[activation](h_t)
    return RNNStepGradients(
        dx_t=da @ W_x.T,
        dh_prev=da @ W_h.T,
        dW_x=x_t.T @ da,
        dW_h=h_prev.T @ da,
        db=da.sum(axis=0),
    )


def rnn_backward(dh, dh_last, cache: RNNCache) -> RNNGradients:
    """Backpropagation through time: from the last step to the first, with what the later steps hand back added.

    Args:
        dh: the loss's derivative by the outputs, ``(N, T, H)``, or None for zero. At steps after a sequence's end the
            outputs are constant, so what stands there is not used.
        dh_last: the loss's derivative by the final state, ``(N, H)``, or None for zero. It enters at each sequence's
            own last step.
        cache: the last result of ``rnn_forward``.

    Returns:
        ``(dx, dh0, dW_x, dW_h, db)``, each in the shape of what it is the gradient of.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: Werbos (1990).

    >>> one = np.ones((1, 1))
    >>> _, _, cache = rnn_forward(np.ones((1, 3, 1)), None, one, 2 * one, np.zeros(1), "identity")
    >>> rnn_backward(None, one, cache).dx[0, :, 0]
    array([4., 2., 1.])
    """
    x, states, W_x, W_h, activation, alive = cache
    (_, _, dh, dh_last), size = arguments(
        ("x", x, "N T D"), ("W_h", W_h, "H H"), ("dh", dh, "N T H"), ("dh_last", dh_last, "N H")
    )
    N, T, D, H = size["N"], size["T"], size["D"], size["H"]

    slopes = SLOPES[activation](states[1:])
    if alive is not None:  # a step that did not happen has no slope, and its input, whatever it is, no weight
        slopes *= alive.T[..., None]
        x = np.where(alive[..., None], x, 0)
        dh = None if dh is None else np.where(alive[..., None], dh, 0)

    da = np.empty((T, N, H), x.dtype)
    dh_next = np.zeros((N, H), x.dtype) if dh_last is None else dh_last.copy()  # through all that comes after step t
    for t in reversed(range(T)):
        dh_t = dh_next if dh is None else dh_next + dh[:, t]
        np.multiply(dh_t, slopes[t], out=da[t])
        dh_prev = da[t] @ W_h.T
        dh_next = dh_prev if alive is None else np.where(alive[:, t, None], dh_prev, dh_next)

    by_step = da.reshape(T * N, H)
    by_row = np.swapaxes(da, 0, 1).reshape(N * T, H)
    return RNNGradients(
        dx=(by_row @ W_x.T).reshape(N, T, D),
        dh0=dh_next,
        dW_x=x.reshape(N * T, D).T @ by_row,
        dW_h=states[:-1].reshape(T * N, H).T @ by_step,
        db=by_step.sum(axis=0),
    )


def truncated_bptt(
    x, h0, W_x, W_h, b, dh, chunk: int, dh_last=None, activation: str = "tanh", lengths=None
) -> tuple[np.ndarray, np.ndarray, RNNGradients]:
    """Truncated backpropagation through time: the state crosses from chunk to chunk, the gradient does not.

    Forward, the result is that of ``rnn_forward``. Backward, each chunk is a sequence of its own whose initial state is
    a constant, and the weights' gradients are summed over the chunks; only one chunk's cache is held at a time. With
    ``chunk`` at least ``T`` this is full backpropagation.

    Args:
        x: ``(N, T, D)``; h0: ``(N, H)`` or None; W_x: ``(D, H)``; W_h: ``(H, H)``; b: ``(H,)``.
        dh: the loss's derivative by the outputs: ``(N, T, H)``, or None for zero, or a function that gets a chunk's
            outputs and the slice of its steps, and returns their derivative (for a loss that depends on the outputs).
        chunk: steps in a chunk, a whole number above 0. The last chunk may be shorter.
        dh_last: the loss's derivative by the final state, ``(N, H)``, or None for zero. It enters at each sequence's
            own last step and stays in the chunk that holds this step.
        activation: ``"tanh"``, ``"relu"`` or ``"identity"``.
        lengths: ``(N,)`` as in ``rnn_forward``.

    Returns:
        ``(h, h_last, gradients)``: ``(N, T, H)``, ``(N, H)``, and ``(dx, dh0, dW_x, dW_h, db)``.

    Raises:
        ValueError: a shape, a dtype, a length, the chunk or the activation's name does not fit.

    Source: Williams, R. J. and Peng, J. (1990), "An efficient gradient-based algorithm for on-line training of
    recurrent network trajectories", *Neural Computation* 2(4), with as many steps back as between two passes.

    >>> one, x = np.ones((1, 1)), np.ones((1, 4, 1))
    >>> truncated_bptt(x, None, one, one, np.zeros(1), np.ones((1, 4, 1)), 2, activation="identity")[2].dx[0, :, 0]
    array([2., 1., 2., 1.])
    """
    if not isinstance(chunk, (int, np.integer)) or isinstance(chunk, bool) or chunk < 1:
        raise ValueError(f"chunk: got {chunk!r}; expected a whole number of steps above 0")
    given = None if callable(dh) else dh
    (x, h0, W_x, W_h, b, given, dh_last), size = arguments(
        ("x", x, "N T D"),
        ("h0", h0, "N H"),
        ("W_x", W_x, "D H"),
        ("W_h", W_h, "H H"),
        ("b", b, "H"),
        ("dh", given, "N T H"),
        ("dh_last", dh_last, "N H"),
    )
    N, T = size["N"], size["T"]
    alive = alive_steps(lengths, N, T)
    ends = np.full(N, T) if alive is None else alive.sum(axis=1)

    h, dx, state = np.empty((N, T, size["H"]), x.dtype), np.empty_like(x), h0
    dh0, dW_x, dW_h, db = (np.zeros(shape, x.dtype) for shape in ((N, size["H"]), W_x.shape, W_h.shape, b.shape))
    for start in range(0, max(T, 1), chunk):
        steps = slice(start, min(start + chunk, T))
        own = None if alive is None else alive[:, steps].sum(axis=1)
        h[:, steps], state, cache = rnn_forward(x[:, steps], state, W_x, W_h, b, activation, own)
        upstream = dh(h[:, steps].copy(), steps) if callable(dh) else None if given is None else given[:, steps]
        at_end = None if dh_last is None else np.where(ends[:, None] <= steps.stop, dh_last, 0)
        part = rnn_backward(upstream, at_end, cache)
        dx[:, steps] = part.dx
        dh0 += part.dh0 if start == 0 else 0  # the state at any other cut is a constant
        dW_x += part.dW_x
        dW_h += part.dW_h
        db += part.db
    return h, state, RNNGradients(dx, dh0, dW_x, dW_h, db)


def numerical_gradient(loss: Callable[[np.ndarray], float], value, eps: float = 1e-5) -> np.ndarray:
    """The gradient of ``loss`` at ``value`` without a backward pass: ``(loss(v + eps) − loss(v − eps)) / (2 eps)``.

    Each entry of ``value`` is moved alone, so this costs two calls of ``loss`` an entry: it checks a backward pass on
    small arrays, and replaces none. The error is of the order of ``eps²`` from the curvature and ``1e-16 / eps`` from
    rounding, so ``loss`` must compute in float64 throughout.

    Args:
        loss: a function from an array of the shape of ``value``, in float64, to one number.
        value: where to take the gradient, any shape. It is not changed.
        eps: how far to move, above 0.

    Returns:
        The gradient, in the shape and dtype of ``value``.

    Raises:
        ValueError: ``value`` is not floating-point, ``eps`` is not above 0, or ``loss`` gives more than one number.

    Source: central differences; Goodfellow, I., Bengio, Y. and Courville, A. (2016), *Deep Learning*, sec. 11.5.

    >>> numerical_gradient(lambda v: (v**3).sum(), np.array([1.0, 2.0])).round(6)
    array([ 3., 12.])
    """
    value = floating("value", value)
    if not eps > 0:
        raise ValueError(f"eps: got {eps!r}; expected a number above 0")
    moved = value.astype(np.float64)
    gradient = np.empty(value.shape, value.dtype)
    for index in np.ndindex(value.shape):
        at = moved[index]
        moved[index] = at + eps
        above = one_number(loss(moved))
        moved[index] = at - eps
        below = one_number(loss(moved))
        moved[index] = at
        gradient[index] = (above - below) / (2 * eps)
    return gradient


def gradient_error(got, expected) -> float:
    """How far two gradients are apart, as one number: ``‖got − expected‖ / (‖got‖ + ‖expected‖)``.

    The number does not depend on the gradients' scale: 0 is equal (zero and zero, too), 1 is as wrong as one gradient
    where there should be none. In float64, against central differences, a right backward pass stays below 1e-7, and a
    wrong sign, a missing term or a transposed matrix gives 0.01 to 1.

    Args:
        got: a gradient, any shape; expected: another, of the same shape.

    Returns:
        The error, from 0 to 1; infinity where one of the two holds a NaN or an infinity.

    Raises:
        ValueError: the shapes differ, or one of the two is not floating-point.

    Source: the norm-relative error of Stanford's CS231n notes on gradient checks, for whole arrays.

    >>> gradient_error(np.array([1.0, 2.0]), np.array([1.0, 2.0])), gradient_error(np.ones(3), -np.ones(3))
    (0.0, 1.0)
    """
    got, expected = (floating(name, value) for name, value in (("got", got), ("expected", expected)))
    if got.shape != expected.shape:
        raise ValueError(f"got: got shape {got.shape}; expected {expected.shape}, the shape of the other gradient")
    both = np.stack([got, expected]).astype(np.float64)
    scale = np.abs(both).max(initial=0)
    if scale == 0:
        return 0.0
    if not np.isfinite(scale):
        return float("inf")
    one, two = both / scale  # so that no square overflows or vanishes
    return float(np.linalg.norm(one - two) / (np.linalg.norm(one) + np.linalg.norm(two)))


def one_number(value) -> float:
    """``value`` as a float, or ``ValueError`` if it is not one number."""
    if np.ndim(value) != 0:
        raise ValueError(f"loss: got shape {np.shape(value)}; expected one number, such as (h * dh).sum()")
    return float(value)
