r"""Memory cells on tensors: the protocol, and how long a cell remembers.

.. math::

    s_t, y_t &= \mathrm{cell}(x_t, s_{t-1})     && \text{the state may be more than the output} \\
    r_t &= y_t(x + \delta) - y_t(x)             && \text{the response to an impulse } \delta \text{ at one step}

The protocol: a *cell* is a function ``cell(x_t, state) -> (state, y_t)``. A state is a tensor whose first axis is the
batch, or a tuple of such tensors (an LSTM's ``(h, c)``). ``as_cell`` makes one of a ``torch.nn`` cell or one of ours.
Everything here runs on the device of its inputs, and autograd goes through it.

Shapes: ``x_t (N, D)``, ``y_t (N, O)``, ``x (N, T, D)``, ``y (N, T, O)``. Source: Elman (1990), "Finding structure in
time", *Cognitive Science* 14(2), for the state; Oppenheim & Willsky (1997), *Signals and Systems*, 2nd ed., ch. 2, for
the impulse response, here of a system that need not be linear.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from solutions.with_torch.recurrent_layer import alive_steps

State = Tensor | tuple[Tensor, ...]


class Cell(Protocol):
    """One step: the input ``x_t (N, D)`` and the state before give the state after and the output ``y_t (N, O)``."""

    def __call__(self, x_t: Tensor, state: State, /) -> tuple[State, Tensor]: ...


def as_cell(module: nn.Module) -> Cell:
    """A module like ``torch.nn.RNNCell``, ``LSTMCell`` or ``GRUCell`` as a cell: the output is its ``h``.

    Args:
        module: ``module(x_t, state) -> state``, with ``h`` first where the state is a tuple.

    Returns:
        ``cell(x_t, state) -> (state, h)``.

    Source: the documentation of ``torch.nn.LSTMCell``.

    >>> h, c = torch.zeros(2, 4), torch.zeros(2, 4)
    >>> (h, c), y_t = as_cell(nn.LSTMCell(3, 4))(torch.ones(2, 3), (h, c))
    >>> y_t is h
    True
    """

    def cell(x_t, state):
        new = module(x_t, state)
        return new, parts(new)[0]

    return cell


def run_cell(cell: Cell, x: Tensor, state: State, lengths=None) -> tuple[State, Tensor]:
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
        ValueError: ``x`` has fewer than two axes, a state's first axis is not ``N``, or a length does not fit.

    Source: Elman (1990), unrolled.

    >>> total = lambda x_t, state: (state + x_t, state + x_t)  # a cell that adds up
    >>> run_cell(total, torch.ones(1, 3, 1), torch.zeros(1, 1))[1][0, :, 0]
    tensor([1., 2., 3.])
    """
    if x.dim() < 2:
        raise ValueError(f"x: got shape {tuple(x.shape)}; expected (N, T, …)")
    N, T = x.shape[:2]
    for part in parts(state):
        if part.shape[:1] != (N,):
            raise ValueError(f"state: got shape {tuple(part.shape)}; expected ({N}, …), a row for each sequence of x")
    mask = alive_steps(lengths, N, T, x.device)
    if T == 0:  # one step on zeros, for the shape of an output alone
        _, y_t = cell(x.new_zeros((N, *x.shape[2:])), state)
        return state, y_t.new_zeros((N, 0, *y_t.shape[1:]))

    y = []
    for t, x_t in enumerate(x.unbind(1)):
        if mask is None:
            state, y_t = cell(x_t, state)
        else:
            now = mask[t, :, 0]
            new, y_t = cell(where_rows(now, x_t, x_t.new_zeros(())), state)
            state, y_t = each(partial(where_rows, now), new, state), where_rows(now, y_t, y_t.new_zeros(()))
        y.append(y_t)
    return state, torch.stack(y, dim=1)


def impulse_response(cell: Cell, x: Tensor, state: State, impulse: Tensor, at: int = 0) -> Tensor:
    """What a cell's outputs owe to an impulse at one step: ``y(x + impulse at that step) − y(x)``.

    Args:
        cell: ``cell(x_t, state) -> (state, y_t)``.
        x: the inputs around which to look, ``(N, T, D)``; state: the state before the first step, as in ``run_cell``.
        impulse: what is added to the input at step ``at``: ``(D,)``.
        at: the step, from 0 to ``T − 1``.

    Returns:
        ``(N, T, O)``; before step ``at`` it is exactly zero, as no cell sees what comes later.

    Raises:
        ValueError: a shape does not fit, or there is no step ``at``.

    Source: Oppenheim & Willsky (1997), ch. 2.

    >>> half = lambda x_t, state: (x_t + state / 2, x_t + state / 2)
    >>> impulse_response(half, torch.zeros(1, 4, 1), torch.zeros(1, 1), torch.ones(1))[0, :, 0]
    tensor([1.0000, 0.5000, 0.2500, 0.1250])
    """
    if x.dim() != 3 or impulse.shape != x.shape[2:]:
        got = f"x {tuple(x.shape)} and impulse {tuple(impulse.shape)}"
        raise ValueError(f"impulse: got shapes {got}; expected x (N, T, D) and impulse (D,)")
    step_of("at", at, x.shape[1])
    moved = x.clone()
    moved[:, at] += impulse
    return run_cell(cell, moved, state)[1] - run_cell(cell, x, state)[1]


def memory_length(response: Tensor, at: int = 0, fraction: float = 0.01) -> Tensor:
    """How many steps after an impulse its response is last worth ``fraction`` of the largest response.

    The size of a response at a step is the Euclidean norm of its ``O`` numbers. ``T − 1 − at``, the most there can be,
    means that the response outlives the sequence: look at a longer one.

    Args:
        response: ``(N, T, O)`` from ``impulse_response``; at: the impulse's step, from 0 to ``T − 1``.
        fraction: above 0, at most 1.

    Returns:
        ``(N,)`` whole numbers of steps; 0 where only the impulse's own step responds, or nothing does.

    Raises:
        ValueError: a shape, ``at`` or ``fraction`` does not fit.

    Source: this course's measure, a threshold on the impulse response.

    >>> memory_length(0.5 ** torch.arange(20.0).view(1, 20, 1), fraction=0.1)  # 1/8 is above a tenth, 1/16 below
    tensor([3])
    """
    if response.dim() != 3:
        raise ValueError(f"response: got shape {tuple(response.shape)}; expected (N, T, O)")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction: got {fraction}; expected a number above 0 and at most 1")
    step_of("at", at, response.shape[1])
    size = torch.linalg.vector_norm(response[:, at:], dim=-1)
    worth = (size >= fraction * size.amax(dim=1, keepdim=True)) & (size > 0)
    return torch.where(worth, torch.arange(size.shape[1], device=size.device), 0).amax(dim=1)


# --- states -----------------------------------------------------------------------------------------------------------


def parts(state: State) -> tuple[Tensor, ...]:
    """The tensors of a state: a tuple's, or the one tensor in a tuple."""
    return state if isinstance(state, tuple) else (state,)


def each(change: Callable[..., Tensor], *states: State) -> State:
    """``change`` applied to the tensors of one or more states of the same form, in the form of the first.

    >>> each(torch.neg, (torch.ones(1), torch.ones(2)))
    (tensor([-1.]), tensor([-1., -1.]))
    """
    changed = tuple(change(*tensors) for tensors in zip(*(parts(state) for state in states), strict=True))
    return changed if isinstance(states[0], tuple) else changed[0]


def where_rows(mask: Tensor, tensor: Tensor, other: Tensor) -> Tensor:
    """``tensor`` where ``mask`` is True and ``other`` elsewhere; ``mask`` has the first axes of ``tensor``."""
    return torch.where(mask.view(mask.shape + (1,) * (tensor.dim() - mask.dim())), tensor, other)


def step_of(name: str, at: int, T: int) -> None:
    """Raise ``ValueError`` unless ``at`` is one of the steps from 0 to ``T − 1``."""
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < T:
        raise ValueError(f"{name}: got {at!r}; expected a step from 0 to {T - 1}")
