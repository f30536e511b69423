r"""The long short-term memory (LSTM), forward and backward, with or without peepholes.

.. math::

    i_t &= \sigma(x_t W_{xi} + h_{t-1} W_{hi} + b_i \;[{} + p_i \odot c_{t-1}]) && \text{input gate: what to write} \\
    f_t &= \sigma(x_t W_{xf} + h_{t-1} W_{hf} + b_f \;[{} + p_f \odot c_{t-1}]) && \text{forget gate: what to keep} \\
    g_t &= \tanh(x_t W_{xg} + h_{t-1} W_{hg} + b_g)                             && \text{candidate} \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t                                    && \text{cell state} \\
    o_t &= \sigma(x_t W_{xo} + h_{t-1} W_{ho} + b_o \;[{} + p_o \odot c_t])     && \text{output gate: what to show} \\
    h_t &= o_t \odot \tanh(c_t)                                                 && \text{output}

and backward, with :math:`dh_t, dc_t` the loss's derivatives by :math:`h_t` and :math:`c_t` through all that comes
after, and :math:`da` those by the gates' arguments:

.. math::

    da_o &= dh_t \odot \tanh(c_t) \odot \sigma'(a_o), \qquad
    dc = dc_t + dh_t \odot o_t \odot (1 - \tanh^2(c_t)) \;[{} + p_o \odot da_o] \\
    da_i &= dc \odot g_t \odot \sigma'(a_i), \qquad
    da_f = dc \odot c_{t-1} \odot \sigma'(a_f), \qquad
    da_g = dc \odot i_t \odot (1 - g_t^2) \\
    dc_{t-1} &= dc \odot f_t \;[{} + p_i \odot da_i + p_f \odot da_f], \qquad
    dh_{t-1} = da\, W_h^\top, \qquad dx_t = da\, W_x^\top

The gates stand side by side in the order ``i, f, g, o``: ``W_x (D, 4H)``, ``W_h (H, 4H)``, ``b (4H,)``. In brackets are
the peepholes, ``(3, H)`` in the order ``i, f, o``. Source: Hochreiter, S. and Schmidhuber, J. (1997), "Long short-term
memory", *Neural Computation* 9(8), with the forget gate of Gers, Schmidhuber and Cummins (2000), "Learning to forget",
*Neural Computation* 12(10), as in ``torch.nn.LSTM`` with its two biases merged; the peepholes are those of Gers, F. and
Schmidhuber, J. (2000), "Recurrent nets that time and count", *IJCNN*.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from solutions.with_numpy.activations import sigmoid, sigmoid_slope, tanh_slope
from solutions.with_numpy.arguments import alive_steps, arguments, floating


class LSTMStepCache(NamedTuple):
    """What the backward pass of one step needs: its inputs, its gates ``(N, H)`` each, ``c_t`` and the weights."""

    x_t: np.ndarray
    h_prev: np.ndarray
    c_prev: np.ndarray
    i: np.ndarray
    f: np.ndarray
    g: np.ndarray
    o: np.ndarray
    c_t: np.ndarray
    W_x: np.ndarray
    W_h: np.ndarray
    peepholes: np.ndarray | None


class LSTMCache(NamedTuple):
    """What the backward pass needs of a forward pass, time first.

    ``x (T, N, D)`` is the inputs with zeros after each end; ``h`` and ``c (T+1, N, H)`` hold the states before the
    first step and after each one; ``gates (T, N, 4H)``; ``alive (N, T)`` is None when every sequence runs to the end.
    """

    x: np.ndarray
    h: np.ndarray
    c: np.ndarray
    gates: np.ndarray
    W_x: np.ndarray
    W_h: np.ndarray
    peepholes: np.ndarray | None
    alive: np.ndarray | None


class LSTMStepGradients(NamedTuple):
    """The gradients of one step: ``dx_t (N, D)``, ``dh_prev`` and ``dc_prev (N, H)``, and those of the weights."""

    dx_t: np.ndarray
    dh_prev: np.ndarray
    dc_prev: np.ndarray
    dW_x: np.ndarray
    dW_h: np.ndarray
    db: np.ndarray


class PeepholeLSTMStepGradients(NamedTuple):
    """The gradients of one step with peepholes: those of ``LSTMStepGradients``, then ``dpeepholes (3, H)``."""

    dx_t: np.ndarray
    dh_prev: np.ndarray
    dc_prev: np.ndarray
    dW_x: np.ndarray
    dW_h: np.ndarray
    db: np.ndarray
    dpeepholes: np.ndarray


class LSTMGradients(NamedTuple):
    """The gradients of a layer: ``dx (N, T, D)``, ``dh0`` and ``dc0 (N, H)``, and those of the weights."""

    dx: np.ndarray
    dh0: np.ndarray
    dc0: np.ndarray
    dW_x: np.ndarray
    dW_h: np.ndarray
    db: np.ndarray


class PeepholeLSTMGradients(NamedTuple):
    """The gradients of a layer with peepholes: those of ``LSTMGradients``, then ``dpeepholes (3, H)``."""

    dx: np.ndarray
    dh0: np.ndarray
    dc0: np.ndarray
    dW_x: np.ndarray
    dW_h: np.ndarray
    db: np.ndarray
    dpeepholes: np.ndarray


# --- one step ---------------------------------------------------------------------------------------------------------


def lstm_step(x_t, h_prev, c_prev, W_x, W_h, b, peepholes=None) -> tuple[np.ndarray, np.ndarray, LSTMStepCache]:
    """One step of an LSTM: the gates, the cell state, the output.

    Args:
        x_t: ``(N, D)``; h_prev: ``(N, H)``; c_prev: ``(N, H)``; W_x: ``(D, 4H)``; W_h: ``(H, 4H)``; b: ``(4H,)``.
        peepholes: ``(3, H)``, one weight a unit for ``i``, ``f``, ``o``, or None for an LSTM without.

    Returns:
        ``(h_t, c_t, cache)`` with ``h_t`` and ``c_t (N, H)``.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: Hochreiter & Schmidhuber (1997); Gers et al. (2000); ``torch.nn.LSTMCell``.

    >>> zero, one, shut_open = np.zeros((1, 4)), np.ones((1, 1)), np.array([-50.0, 50.0, 0.0, 50.0])
    >>> lstm_step(one, one, 0.3 * one, zero, zero, shut_open)[1]  # input gate shut, forget gate open: c stays
    array([[0.3]])
    """
    (x_t, h_prev, c_prev, W_x, W_h, b), size = arguments(
        ("x_t", x_t, "N D"),
        ("h_prev", h_prev, "N H"),
        ("c_prev", c_prev, "N H"),
        ("W_x", W_x, "D 4H"),
        ("W_h", W_h, "H 4H"),
        ("b", b, "4H"),
    )
    peepholes = checked_peepholes(peepholes, size["H"], x_t.dtype)
    p_i, p_f, p_o = (0, 0, 0) if peepholes is None else peepholes

    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i = sigmoid(a_i + p_i * c_prev)
    f = sigmoid(a_f + p_f * c_prev)
    g = np.tanh(a_g)
    c_t = f * c_prev + i * g
    o = sigmoid(a_o + p_o * c_t)
    h_t = o * np.tanh(c_t)
    return h_t, c_t, LSTMStepCache(x_t, h_prev, c_prev, i, f, g, o, c_t, W_x, W_h, peepholes)


def lstm_step_backward(dh_t, dc_t, cache: LSTMStepCache) -> LSTMStepGradients | PeepholeLSTMStepGradients:
    """One step back: from the output and the cell state to the gates' arguments, and from there to every input.

    Args:
        dh_t: the loss's derivative by ``h_t (N, H)``, through the step's output AND through all later steps, or None
            for zero; dc_t: the same by ``c_t``, through all later steps, ``(N, H)`` or None for zero.
        cache: the last result of ``lstm_step``.

    Returns:
        ``(dx_t, dh_prev, dc_prev, dW_x, dW_h, db)``, each in the shape of what it is the gradient of; with peepholes
        ``dpeepholes`` comes last.

    Raises:
        ValueError: the shape or the dtype of ``dh_t`` or ``dc_t`` does not fit.

    Source: the equations above; Greff et al. (2017), "LSTM: a search space odyssey", *IEEE TNNLS* 28(10).

    >>> zero, one, shut_open = np.zeros((1, 4)), np.ones((1, 1)), np.array([-50.0, 50.0, 0.0, 50.0])
    >>> _, _, cache = lstm_step(one, one, 0.3 * one, zero, zero, shut_open)
    >>> lstm_step_backward(None, one, cache).dc_prev  # through an open forget gate the gradient passes whole
    array([[1.]])
    """
    x_t, h_prev, c_prev, i, f, g, o, c_t, W_x, W_h, peepholes = cache
    (_, dh_t, dc_t), _ = arguments(("c_t", c_t, "N H"), ("dh_t", dh_t, "N H"), ("dc_t", dc_t, "N H"))
    dh_t, dc_t = (np.zeros_like(c_t) if upstream is None else upstream for upstream in (dh_t, dc_t))
    p_i, p_f, p_o = (0, 0, 0) if peepholes is None else peepholes

    tanh_c = np.tanh(c_t)
    da_o = dh_t * tanh_c * sigmoid_slope(o)
    dc = dc_t + dh_t * o * tanh_slope(tanh_c) + p_o * da_o
    da_i = dc * g * sigmoid_slope(i)
    da_f = dc * c_prev * sigmoid_slope(f)
    da_g = dc * i * tanh_slope(g)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    gradients = LSTMStepGradients(
        dx_t=da @ W_x.T,
        dh_prev=da @ W_h.T,
        dc_prev=dc * f + p_i * da_i + p_f * da_f,
        dW_x=x_t.T @ da,
        dW_h=h_prev.T @ da,
        db=da.sum(axis=0),
    )
    if peepholes is None:
        return gradients
    dpeepholes = np.stack([(da_i * c_prev).sum(axis=0), (da_f * c_prev).sum(axis=0), (da_o * c_t).sum(axis=0)])
    return PeepholeLSTMStepGradients(*gradients, dpeepholes)


# --- whole sequences --------------------------------------------------------------------------------------------------


def lstm_forward(
    x, h0, c0, W_x, W_h, b, lengths=None, peepholes=None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, LSTMCache]:
    """An LSTM over whole sequences.

    Args:
        x: the inputs, ``(N, T, D)``; its dtype, float32 or float64, is the dtype of the result.
        h0: the output before the first step, ``(N, H)``, or None for zeros; c0: the cell state, likewise.
        W_x: ``(D, 4H)``; W_h: ``(H, 4H)``; b: ``(4H,)``.
        lengths: ``(N,)`` steps of each sequence, or None if all have ``T``. After its end a sequence's outputs
            are zero and its state stays (the semantics of PyTorch's packed sequences).
        peepholes: ``(3, H)``, one weight a unit for ``i``, ``f``, ``o``, or None for an LSTM without.

    Returns:
        ``(h, h_last, c_last, cache)``: the outputs ``(N, T, H)``, and the output and the cell state after each
        sequence's last step, ``(N, H)`` each.

    Raises:
        ValueError: a shape, a dtype or a length does not fit.

    Source: Hochreiter & Schmidhuber (1997); Gers et al. (2000); ``torch.nn.LSTM``.

    >>> zero, one, shut_open = np.zeros((1, 4)), np.ones((1, 1)), np.array([-50.0, 50.0, 0.0, 50.0])
    >>> h, _, c_last, _ = lstm_forward(np.ones((1, 100, 1)), None, 0.3 * one, zero, zero, shut_open)
    >>> h[0, -1].round(4), c_last[0]  # after 100 steps the state is what it was
    (array([0.2913]), array([0.3]))
    """
    (x, h0, c0, W_x, W_h, b), size = arguments(
        ("x", x, "N T D"),
        ("h0", h0, "N H"),
        ("c0", c0, "N H"),
        ("W_x", W_x, "D 4H"),
        ("W_h", W_h, "H 4H"),
        ("b", b, "4H"),
    )
    N, T, D, H = size["N"], size["T"], size["D"], size["H"]
    peepholes = checked_peepholes(peepholes, H, x.dtype)
    alive = alive_steps(lengths, N, T)
    if alive is not None:
        x = np.where(alive[..., None], x, 0)
    x = np.swapaxes(x, 0, 1).copy()

    # sigmoid(a) = (1 + tanh(a/2)) / 2: with the arguments of i, f, o halved beforehand, one tanh squashes all gates.
    scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], x.dtype), H)
    shift = np.repeat(np.array([0.5, 0.5, 0, 0.5], x.dtype), H)
    gates = (x.reshape(T * N, D) @ (W_x * scale)).reshape(T, N, 4 * H)  # the inputs' share of all steps, in one product
    gates += b * scale
    W_h_scaled = rows_apart(W_h * scale)
    scale, shift = np.tile(scale, (N, 1)), np.tile(shift, (N, 1))
    i, f, g, o = side_by_side(gates)
    p_i, p_f, p_o = (None, None, None) if peepholes is None else peepholes / 2
    last = slice(3 * H, 4 * H)
    first = slice(0, 4 * H if peepholes is None else 3 * H)  # a peephole makes the output gate wait for c_t

    h, c = np.empty((2, T + 1, N, H), x.dtype)
    h[0] = 0 if h0 is None else h0
    c[0] = 0 if c0 is None else c0
    from_h, written = np.empty((N, 4 * H), x.dtype), np.empty((N, H), x.dtype)
    for t in range(T):
        gates[t] += np.matmul(h[t], W_h_scaled, out=from_h)
        if peepholes is not None:
            i[t] += p_i * c[t]
            f[t] += p_f * c[t]
        squash(gates[t, :, first], scale[:, first], shift[:, first])
        np.multiply(f[t], c[t], out=c[t + 1])
        c[t + 1] += np.multiply(i[t], g[t], out=written)
        if peepholes is not None:
            o[t] += p_o * c[t + 1]
            squash(gates[t, :, last], scale[:, last], shift[:, last])
        np.tanh(c[t + 1], out=h[t + 1])
        h[t + 1] *= o[t]
        if alive is not None:  # a sequence that has ended keeps its state
            np.copyto(h[t + 1], h[t], where=~alive[:, t, None])
            np.copyto(c[t + 1], c[t], where=~alive[:, t, None])

    outputs = np.swapaxes(h[1:], 0, 1).copy()
    if alive is not None:
        outputs[~alive] = 0
    return outputs, h[T].copy(), c[T].copy(), LSTMCache(x, h, c, gates, W_x, W_h, peepholes, alive)


def lstm_backward(dh, dh_last, dc_last, cache: LSTMCache) -> LSTMGradients | PeepholeLSTMGradients:
    """Backpropagation through time through an LSTM: the loop carries ``dh`` and ``dc``, the products come after it.

    Args:
        dh: the loss's derivative by the outputs, ``(N, T, H)``, or None for zero. At steps after a sequence's end the
            outputs are constant, so what stands there is not used.
        dh_last: the loss's derivative by the final output, ``(N, H)``, or None for zero; dc_last: by the final cell
            state, likewise. They enter at each sequence's own last step.
        cache: the last result of ``lstm_forward``.

    Returns:
        ``(dx, dh0, dc0, dW_x, dW_h, db)``, each in the shape of what it is the gradient of; with peepholes
        ``dpeepholes`` comes last.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: the equations above; Greff et al. (2017), "LSTM: a search space odyssey", *IEEE TNNLS* 28(10).

    >>> zero, one, shut_open = np.zeros((1, 4)), np.ones((1, 1)), np.array([-50.0, 50.0, 0.0, 50.0])
    >>> cache = lstm_forward(np.ones((1, 100, 1)), None, 0.3 * one, zero, zero, shut_open)[-1]
    >>> lstm_backward(None, None, one, cache).dc0  # and so is the gradient, 100 steps back
    array([[1.]])
    """
    x, h, c, gates, W_x, W_h, peepholes, alive = cache
    (_, _, dh, dh_last, dc_last), size = arguments(
        ("x", x, "T N D"),
        ("W_h", W_h, "H 4H"),
        ("dh", dh, "N T H"),
        ("dh_last", dh_last, "N H"),
        ("dc_last", dc_last, "N H"),
    )
    N, T, D, H = size["N"], size["T"], size["D"], size["H"]
    if alive is not None and dh is not None:
        dh = np.where(alive[..., None], dh, 0)

    p_i, p_f, p_o = (None, None, None) if peepholes is None else peepholes

    # First, for all steps at once, how much of each gate's argument a unit of dc (for i, f, g) or dh (for o) moves.
    i, f, g, o = side_by_side(gates)
    da = 1 - gates
    da *= gates
    da_i, da_f, da_g, da_o = side_by_side(da)
    np.multiply(g, g, out=da_g)
    np.subtract(1, da_g, out=da_g)
    tanh_c = np.tanh(c[1:])
    for slope, factor in ((da_i, g), (da_f, c[:-1]), (da_g, i), (da_o, tanh_c)):
        slope *= factor
    dc_by_dh = tanh_slope(tanh_c)
    dc_by_dh *= o
    if alive is not None:  # a step that did not happen moves nothing
        da[~alive.T] = 0
        dc_by_dh[~alive.T] = 0

    # Then the loop over time, which carries dh and dc: what comes from all later steps.
    da_ifg = da.reshape(T, N, 4, H)[:, :, :3]
    W_h_T = np.ascontiguousarray(W_h.T)
    dh_next, dc_next = (np.zeros((N, H), x.dtype) if last is None else last.copy() for last in (dh_last, dc_last))
    through_h, dh_prev = np.empty((2, N, H), x.dtype)
    for t in reversed(range(T)):
        going = True if alive is None else alive[:, t, None]
        if dh is not None:
            dh_next += dh[:, t]
        da_o[t] *= dh_next
        dc_next += np.multiply(dh_next, dc_by_dh[t], out=through_h)
        if peepholes is not None:
            dc_next += p_o * da_o[t]
        da_ifg[t] *= dc_next[:, None]
        np.multiply(dc_next, f[t], out=dc_next, where=going)
        if peepholes is not None:
            dc_next += p_i * da_i[t] + p_f * da_f[t]
        np.copyto(dh_next, np.matmul(da[t], W_h_T, out=dh_prev), where=going)

    # Last, one product for each input and weight.
    rows = da.reshape(T * N, 4 * H)
    gradients = LSTMGradients(
        dx=np.swapaxes((rows @ W_x.T).reshape(T, N, D), 0, 1).copy(),
        dh0=dh_next,
        dc0=dc_next,
        dW_x=x.reshape(T * N, D).T @ rows,
        dW_h=h[:-1].reshape(T * N, H).T @ rows,
        db=rows.sum(axis=0),
    )
    if peepholes is None:
        return gradients
    looks = ((da_i, c[:-1]), (da_f, c[:-1]), (da_o, c[1:]))
    return PeepholeLSTMGradients(*gradients, np.stack([np.einsum("tnh,tnh->h", *look) for look in looks]))


def side_by_side(gates: np.ndarray) -> tuple[np.ndarray, ...]:
    """The four views ``(T, N, H)`` of gates ``(T, N, 4H)`` that stand side by side."""
    T, N, columns = gates.shape
    return tuple(np.moveaxis(gates.reshape(T, N, 4, columns // 4), 2, 0))


def squash(a: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> None:
    """In place, ``scale tanh(a) + shift``: a sigmoid of ``2a`` where both are 1/2, a tanh where they are 1 and 0."""
    np.tanh(a, out=a)
    a *= scale
    a += shift


def rows_apart(W: np.ndarray) -> np.ndarray:
    """A copy of ``W`` whose rows lie 16 numbers further apart.

    Rows a power of two apart, which ``4H`` easily is, compete for the same lines of the processor's cache: a product of
    few rows with such a matrix can take twice as long.
    """
    apart = np.empty((len(W), W.shape[1] + 16), W.dtype)[:, : W.shape[1]]
    apart[:] = W
    return apart


def checked_peepholes(peepholes, H: int, dtype: np.dtype) -> np.ndarray | None:
    """``peepholes`` as an array ``(3, H)`` of ``dtype``, or None; ``ValueError`` if it is neither."""
    if peepholes is None:
        return None
    array = floating("peepholes", peepholes)
    if array.shape != (3, H):
        raise ValueError(f"peepholes: got shape {array.shape}; expected (3, {H}), a row for each of i, f, o")
    return array.astype(dtype, copy=False)
