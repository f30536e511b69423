r"""Memory cells: a state handed from step to step, an output read at every step, and how long a cell remembers.

.. math::

    s_t, y_t &= \mathrm{cell}(x_t, s_{t-1})     && \text{the state may be more than the output} \\
    r_t &= y_t(x + \delta) - y_t(x)             && \text{the response to an impulse } \delta \text{ at one step}

The protocol: a *cell* is a function ``cell(x_t, state) -> (state, y_t)``. A state is an array whose first axis is the
batch, or a tuple of such arrays (an LSTM's ``(h, c)``). A cell keeps nothing to itself, so that the same cell can run
many sequences, and a sequence can be cut anywhere. Everything in this module that gives a pair gives the state first.

Shapes: ``x_t (N, D)``, ``y_t (N, O)``, ``x (N, T, D)``, ``y (N, T, O)``. Source: Elman (1990), "Finding structure in
time", *Cognitive Science* 14(2), for the state; Oppenheim & Willsky (1997), *Signals and Systems*, 2nd ed., ch. 2, for
the impulse response, here of a system that need not be linear.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np

from solutions.with_numpy.arguments import alive_steps, arguments, floating, one_of
from solutions.with_numpy.recurrent_neurons import ACTIVATIONS, rnn_step

State = np.ndarray | tuple[np.ndarray, ...]


class Cell(Protocol):
    """One step: the input ``x_t (N, D)`` and the state before give the state after and the output ``y_t (N, O)``."""

    def __call__(self, x_t: np.ndarray, state: State, /) -> tuple[State, np.ndarray]: ...


def rnn_cell(W_x, W_h, b, activation: str = "tanh") -> Cell:
    """A recurrent layer as a cell: its output is its state, ``h_t = f(x_t W_x + h_{t-1} W_h + b)``.

    Args:
        W_x: ``(D, H)``; W_h: ``(H, H)``; b: ``(H,)``; activation: as in ``rnn_step``.

    Returns:
        A cell with the state ``(N, H)``.

    Raises:
        ValueError: a shape, a dtype or the activation's name does not fit.

    Source: Elman (1990).

    >>> cell = rnn_cell(np.ones((1, 1)), np.full((1, 1), 0.5), np.zeros(1), "identity")
    >>> cell(np.array([[2.0]]), np.array([[4.0]]))
    (array([[4.]]), array([[4.]]))
    """
    one_of("activation", activation, tuple(ACTIVATIONS))
    (W_x, W_h, b), _ = arguments(("W_x", W_x, "D H"), ("W_h", W_h, "H H"), ("b", b, "H"))

    def cell(x_t, h_prev):
        h_t, _ = rnn_step(x_t, h_prev, W_x, W_h, b, activation)
        return h_t, h_t

    return cell


def delay_cell(x_t, state):
    """A cell that gives each input back some steps later: its state holds what its output does not show yet.

    Args:
        x_t: ``(N, D)``; state: the last ``K`` inputs, oldest first, ``(N, K, D)`` with ``K`` at least 1.

    Returns:
        ``(state, y_t)``: ``(N, K, D)`` with ``x_t`` at its end, and the input of ``K`` steps ago, ``(N, D)``.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: a tapped delay line, Oppenheim & Willsky (1997), ch. 2.

    >>> state, y_t = delay_cell(np.array([[3.0]]), np.array([[[1.0], [2.0]]]))
    >>> state[0, :, 0], y_t
    (array([2., 3.]), array([[1.]]))
    """
    (state, x_t), size = arguments(("state", state, "N K D"), ("x_t", x_t, "N D"))
    if size["K"] < 1:
        raise ValueError(f"state: got shape {state.shape}; expected (N, K, D) with K at least 1")
    return np.concatenate([state[:, 1:], x_t[:, None]], axis=1), state[:, 0].copy()


def run_cell(cell: Cell, x, state: State, lengths=None) -> tuple[State, np.ndarray]:
    """Run a cell over whole sequences, handing the state from step to step.

    Args:
        cell: ``cell(x_t, state) -> (state, y_t)``.
        x: the inputs, ``(N, T, D)``, or ``(N, T)`` for a cell that takes numbers or tokens.
        state: the state before the first step: ``(N, …)``, or a tuple of them.
        lengths: ``(N,)`` steps of each sequence, or None if all have ``T``. After its end a sequence's outputs are zero
            and its state stays; the cell sees zeros there, whatever ``x`` holds.

    Returns:
        ``(state, y)``: the state after each sequence's last step, and the outputs ``(N, T, O)``.

    Raises:
        ValueError: ``x`` has fewer than two axes, a state's first axis is not ``N``, a length does not fit, or the cell
            does not give a pair of a state like the one before and an output for each sequence.

    Source: Elman (1990), unrolled.

    >>> total = lambda x_t, state: (state + x_t, state + x_t)  # a cell that adds up
    >>> run_cell(total, np.ones((1, 3, 1)), np.zeros((1, 1)))[1][0, :, 0]
    array([1., 2., 3.])
    """
    x = np.asarray(x)
    if x.ndim < 2:
        raise ValueError(f"x: got shape {x.shape}; expected (N, T, …)")
    N, T = x.shape[:2]
    state = each(np.array, state)
    for part in parts(state):
        if part.shape[:1] != (N,):
            raise ValueError(f"state: got shape {part.shape}; expected ({N}, …), a row for each sequence of x")
    alive = alive_steps(lengths, N, T)
    if alive is not None:
        x = where_rows(alive, x, np.zeros((), x.dtype))
    if T == 0:  # one step on zeros, for the shape of an output alone
        _, y_t = one_step(cell, np.zeros((N, *x.shape[2:]), x.dtype), state)
        return state, np.zeros((N, 0, *y_t.shape[1:]), y_t.dtype)

    y = []
    for t in range(T):
        new, y_t = one_step(cell, x[:, t], state)
        if alive is not None:
            new = each(partial(where_rows, alive[:, t]), new, state)
            y_t = where_rows(alive[:, t], y_t, np.zeros((), y_t.dtype))
        state = new
        y.append(y_t)
    return each(np.array, state), np.stack(y, axis=1)


def impulse_response(cell: Cell, x, state: State, impulse, at: int = 0) -> np.ndarray:
    """What a cell's outputs owe to an impulse at one step: ``y(x + impulse at that step) − y(x)``.

    With ``x`` all zero and a linear cell this is the impulse response of signal processing. A cell that is not linear
    answers differently around different inputs: take the ``x`` that it works on, and an impulse of the size you mean.

    Args:
        cell: ``cell(x_t, state) -> (state, y_t)``.
        x: the inputs around which to look, ``(N, T, D)``; state: the state before the first step, as in ``run_cell``.
        impulse: what is added to the input at step ``at``: ``(D,)``.
        at: the step, from 0 to ``T − 1``.

    Returns:
        ``(N, T, O)``; before step ``at`` it is exactly zero, as no cell sees what comes later.

    Raises:
        ValueError: a shape or a dtype does not fit, or there is no step ``at``.

    Source: Oppenheim & Willsky (1997), ch. 2.

    >>> half = rnn_cell(np.ones((1, 1)), np.full((1, 1), 0.5), np.zeros(1), "identity")
    >>> impulse_response(half, np.zeros((1, 4, 1)), np.zeros((1, 1)), np.ones(1))[0, :, 0]
    array([1.   , 0.5  , 0.25 , 0.125])
    """
    (x, impulse), size = arguments(("x", x, "N T D"), ("impulse", impulse, "D"))
    step_of("at", at, size["T"])
    moved = x.copy()
    moved[:, at] += impulse
    return run_cell(cell, moved, state)[1] - run_cell(cell, x, state)[1]


def memory_length(response, at: int = 0, fraction: float = 0.01) -> np.ndarray:
    """How many steps after an impulse its response is last worth ``fraction`` of the largest response.

    The size of a response at a step is the Euclidean norm of its ``O`` numbers. ``T − 1 − at``, the most there can be,
    means that the response outlives the sequence: look at a longer one.

    Args:
        response: ``(N, T, O)`` from ``impulse_response``; at: the impulse's step, from 0 to ``T − 1``.
        fraction: above 0, at most 1.

    Returns:
        ``(N,)`` whole numbers of steps; 0 where only the impulse's own step responds, or nothing does.

    Raises:
        ValueError: a shape, a dtype, ``at`` or ``fraction`` does not fit.

    Source: this course's measure, a threshold on the impulse response.

    >>> memory_length(0.5 ** np.arange(20.0).reshape(1, 20, 1), fraction=0.1)  # 1/8 is above a tenth, 1/16 below
    array([3])
    """
    response = floating("response", response)
    if response.ndim != 3:
        raise ValueError(f"response: got shape {response.shape}; expected (N, T, O)")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction: got {fraction}; expected a number above 0 and at most 1")
    step_of("at", at, response.shape[1])
    size = np.linalg.norm(response[:, at:], axis=-1)
    worth = (size >= fraction * size.max(axis=1, keepdims=True)) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


# --- states -----------------------------------------------------------------------------------------------------------


def parts(state: State) -> tuple[np.ndarray, ...]:
    """The arrays of a state: a tuple's, or the one array in a tuple."""
    return state if isinstance(state, tuple) else (state,)


def each(change: Callable[..., np.ndarray], *states: State) -> State:
    """``change`` applied to the arrays of one or more states of the same form, in the form of the first.

    >>> each(np.negative, (np.ones(1), np.zeros(2) + 2))
    (array([-1.]), array([-2., -2.]))
    """
    changed = tuple(change(*arrays) for arrays in zip(*(parts(state) for state in states), strict=True))
    return changed if isinstance(states[0], tuple) else changed[0]


def where_rows(mask: np.ndarray, array: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``array`` where ``mask`` is True and ``other`` elsewhere; ``mask`` has the first axes of ``array``.

    >>> where_rows(np.array([True, False]), np.ones((2, 2)), np.zeros(()))
    array([[1., 1.],
           [0., 0.]])
    """
    return np.where(mask.reshape(mask.shape + (1,) * (array.ndim - mask.ndim)), array, other)


def one_step(cell: Cell, x_t: np.ndarray, state: State) -> tuple[State, np.ndarray]:
    """``cell(x_t, state)``, or ``ValueError`` if what it gives is not a state like ``state`` and an output."""
    pair = cell(x_t, state)
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise ValueError(f"cell: got a {type(pair).__name__} from it; expected the pair (state, y_t)")
    new = each(np.asarray, pair[0])
    y_t = np.asarray(pair[1])
    got, expected = ([part.shape for part in parts(s)] for s in (new, state))
    if got != expected or isinstance(new, tuple) != isinstance(state, tuple):
        raise ValueError(f"cell: got a state of shapes {got} from it; expected {expected}, like the state before")
    if y_t.shape[:1] != x_t.shape[:1]:
        raise ValueError(f"cell: got an output of shape {y_t.shape} from it; expected ({len(x_t)}, …)")
    return new, y_t


def step_of(name: str, at: object, T: int) -> None:
    """Raise ``ValueError`` unless ``at`` is one of the steps from 0 to ``T − 1``."""
    if not isinstance(at, (int, np.integer)) or isinstance(at, bool) or not 0 <= at < T:
        raise ValueError(f"{name}: got {at!r}; expected a step from 0 to {T - 1}")
