r"""The recurrent neuron and the recurrent layer, forward.

.. math::

    y_t &= f(x_t \cdot w_x + w_y\, y_{t-1} + b)   && \text{one neuron; its output before the first step is } 0 \\
    h_t &= f(x_t W_x + h_{t-1} W_h + b)           && \text{a layer of } H \text{ neurons}

Shapes: ``x_t (N, D)``, ``h_t (N, H)``, ``W_x (D, H)``, ``W_h (H, H)``, ``b (H,)``. Every step uses the same
weights. Source: Elman, J. L. (1990), "Finding structure in time", *Cognitive Science* 14(2), eq. in the
batch-first form of ``torch.nn.RNN`` with its two biases merged into one. The backward pass is in ``bptt``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from solutions.with_numpy.arguments import alive_steps, arguments, floating, one_of

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "identity": lambda a: a,
}


class RNNCache(NamedTuple):
    """What the backward pass needs of a forward pass.

    ``states (T+1, N, H)`` holds the state before the first step and after each one; ``alive (N, T)`` is None
    when every sequence runs to the end.
    """

    x: np.ndarray
    states: np.ndarray
    W_x: np.ndarray
    W_h: np.ndarray
    activation: str
    alive: np.ndarray | None


class RNNStepCache(NamedTuple):
    """What the backward pass of one step needs: ``x_t (N, D)``, ``h_prev (N, H)``, ``h_t (N, H)`` and weights."""

    x_t: np.ndarray
    h_prev: np.ndarray
    h_t: np.ndarray
    W_x: np.ndarray
    W_h: np.ndarray
    activation: str


def neuron_step(x_t, y_prev, w_x, w_y, b, activation: str = "tanh") -> np.ndarray:
    """One recurrent neuron, one time step: ``y_t = f(x_t · w_x + w_y y_prev + b)``.

    Args:
        x_t: the inputs now, ``(D,)`` for one sequence or ``(N, D)`` for a batch.
        y_prev: the neuron's own output one step ago, a number or ``(N,)``; 0 before the first step.
        w_x: one weight an input, ``(D,)``.
        w_y: the weight of the neuron's own previous output, a number.
        b: the bias, a number.
        activation: ``"tanh"``, ``"relu"`` or ``"identity"``.

    Returns:
        The output now, shaped like ``y_prev``, in the dtype of ``x_t``.

    Raises:
        ValueError: a shape, a dtype or the activation's name does not fit.

    Source: Elman (1990), for a single unit.

    >>> y = neuron_step(np.array([1.0, 2.0]), 0.0, np.array([0.5, -0.25]), 0.9, 0.1)
    >>> round(float(y), 4)
    0.0997
    """
    one_of("activation", activation, tuple(ACTIVATIONS))
    x_t = floating("x_t", x_t)
    batch = "N D" if x_t.ndim == 2 else "D"
    (x_t, w_x), _ = arguments(("x_t", x_t, batch), ("w_x", w_x, "D"))
    y_prev = np.asarray(y_prev, dtype=x_t.dtype)
    if y_prev.shape not in ((), x_t.shape[:-1]):
        raise ValueError(f"y_prev: got shape {y_prev.shape}; expected {x_t.shape[:-1]}, one output a sequence")
    scalars = {"w_y": w_y, "b": b}
    for name, value in scalars.items():
        if np.ndim(value) != 0:
            raise ValueError(f"{name}: got shape {np.shape(value)}; expected one number")
    w_y, b = (x_t.dtype.type(value) for value in scalars.values())
    return ACTIVATIONS[activation](x_t @ w_x + w_y * y_prev + b)


def rnn_step(x_t, h_prev, W_x, W_h, b, activation: str = "tanh") -> tuple[np.ndarray, RNNStepCache]:
    """One step of a recurrent layer: ``h_t = f(x_t W_x + h_prev W_h + b)``.

    Args:
        x_t: ``(N, D)``; h_prev: ``(N, H)``; W_x: ``(D, H)``; W_h: ``(H, H)``; b: ``(H,)``.
        activation: ``"tanh"``, ``"relu"`` or ``"identity"``.

    Returns:
        ``(h_t, cache)`` with ``h_t (N, H)``.

    Raises:
        ValueError: a shape, a dtype or the activation's name does not fit.

    Source: Elman (1990).

    >>> h_t, _ = rnn_step(np.ones((1, 2)), np.zeros((1, 3)), np.full((2, 3), 0.5), np.eye(3), np.zeros(3))
    >>> h_t.round(4)
    array([[0.7616, 0.7616, 0.7616]])
    """
    one_of("activation", activation, tuple(ACTIVATIONS))
    (x_t, h_prev, W_x, W_h, b), _ = arguments(
        ("x_t", x_t, "N D"),
        ("h_prev", h_prev, "N H"),
        ("W_x", W_x, "D H"),
        ("W_h", W_h, "H H"),
        ("b", b, "H"),
    )
    h_t = ACTIVATIONS[activation](x_t @ W_x + h_prev @ W_h + b)
    return h_t, RNNStepCache(x_t, h_prev, h_t, W_x, W_h, activation)


def rnn_forward(x, h0, W_x, W_h, b, activation: str = "tanh", lengths=None) -> tuple[np.ndarray, np.ndarray, RNNCache]:
    """A recurrent layer over whole sequences.

    Args:
        x: the inputs, ``(N, T, D)``; its dtype, float32 or float64, is the dtype of the result.
        h0: the state before the first step, ``(N, H)``, or None for zeros.
        W_x: ``(D, H)``; W_h: ``(H, H)``; b: ``(H,)``.
        activation: ``"tanh"``, ``"relu"`` or ``"identity"``.
        lengths: ``(N,)`` steps of each sequence, or None if all have ``T``. After its end a sequence's outputs
            are zero and its state stays (the semantics of PyTorch's packed sequences).

    Returns:
        ``(h, h_last, cache)``: the outputs ``(N, T, H)``, the state after each sequence's last step ``(N, H)``.

    Raises:
        ValueError: a shape, a dtype, a length or the activation's name does not fit.

    Source: Elman (1990); ``torch.nn.RNN``.

    >>> h, h_last, _ = rnn_forward(np.ones((1, 2, 1)), None, np.ones((1, 1)), np.ones((1, 1)), np.zeros(1))
    >>> h[0, :, 0].round(4), h_last.round(4)
    (array([0.7616, 0.9427]), array([[0.9427]]))
    """
    one_of("activation", activation, tuple(ACTIVATIONS))
    (x, h0, W_x, W_h, b), size = arguments(
        ("x", x, "N T D"), ("h0", h0, "N H"), ("W_x", W_x, "D H"), ("W_h", W_h, "H H"), ("b", b, "H")
    )
    N, T, H = size["N"], size["T"], size["H"]
    alive = alive_steps(lengths, N, T)
    f = ACTIVATIONS[activation]

    from_inputs = np.swapaxes(x, 0, 1) @ W_x + b  # (T, N, H): the inputs' share of every step, in one product
    states = np.empty((T + 1, N, H), x.dtype)
    states[0] = 0 if h0 is None else h0
    for t in range(T):
        h_t = f(from_inputs[t] + states[t] @ W_h)
        states[t + 1] = h_t if alive is None else np.where(alive[:, t, None], h_t, states[t])

    h = np.swapaxes(states[1:], 0, 1).copy()
    if alive is not None:
        h[~alive] = 0
    return h, states[T].copy(), RNNCache(x, states, W_x, W_h, activation, alive)


def readout(h, W_y, b_y) -> np.ndarray:
    """A linear readout at every step: ``ŷ_t = h_t · W_y + b_y``, one number a step.

    Args:
        h: the layer's outputs, ``(N, T, H)``; W_y: ``(H,)``; b_y: a number.

    Returns:
        ``(N, T)``.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: Géron (2022), *Hands-On Machine Learning*, 3rd ed., ch. 15: a dense layer of one unit on every step.

    >>> readout(np.ones((1, 2, 3)), np.array([1.0, 2.0, 3.0]), 0.5)
    array([[6.5, 6.5]])
    """
    (h, W_y), _ = arguments(("h", h, "N T H"), ("W_y", W_y, "H"))
    if np.ndim(b_y) != 0:
        raise ValueError(f"b_y: got shape {np.shape(b_y)}; expected one number")
    return h @ W_y + h.dtype.type(b_y)


def count_parameters(D: int, H: int) -> int:
    """How many numbers a recurrent layer learns: ``W_x``, ``W_h`` and ``b``, however long the sequences are.

    Raises:
        ValueError: ``D`` or ``H`` is not a whole number above 0.

    Source: the shapes above; ``torch.nn.RNN`` has ``H`` more, its second bias.

    >>> count_parameters(D=3, H=4)
    32
    """
    for name, value in (("D", D), ("H", H)):
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
            raise ValueError(f"{name}: got {value!r}; expected a whole number above 0")
    return int(D * H + H * H + H)
