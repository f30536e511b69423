r"""The gated recurrent unit (GRU), forward and backward, with the reset gate after or before the recurrent product.

.. math::

    r_t &= \sigma(x_t W_{xr} + b_{xr} + h_{t-1} W_{hr} + b_{hr})                 && \text{reset gate} \\
    z_t &= \sigma(x_t W_{xz} + b_{xz} + h_{t-1} W_{hz} + b_{hz})                 && \text{update gate: what to keep} \\
    n_t &= \tanh(x_t W_{xn} + b_{xn} + r_t \odot (h_{t-1} W_{hn} + b_{hn}))      && \text{candidate, reset after} \\
    n_t &= \tanh(x_t W_{xn} + b_{xn} + (r_t \odot h_{t-1}) W_{hn} + b_{hn})      && \text{candidate, reset before} \\
    h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}                               && \text{state and output}

and backward, with :math:`dh_t` the loss's derivative by :math:`h_t` through all that comes after, and :math:`da` those
by the gates' arguments:

.. math::

    da_n &= dh_t \odot (1 - z_t) \odot (1 - n_t^2), \qquad
    da_z = dh_t \odot (h_{t-1} - n_t) \odot \sigma'(a_z) \\
    \text{after: } & dq = da_n \odot r_t, \quad
    da_r = da_n \odot q_t \odot \sigma'(a_r), \quad
    dh_{t-1} = dh_t \odot z_t + [da_r, da_z, dq]\, W_h^\top
    && q_t = h_{t-1} W_{hn} + b_{hn} \\
    \text{before: } & ds = da_n W_{hn}^\top, \quad
    da_r = ds \odot h_{t-1} \odot \sigma'(a_r), \quad
    dh_{t-1} = dh_t \odot z_t + ds \odot r_t + [da_r, da_z]\, [W_{hr}, W_{hz}]^\top
    && s_t = r_t \odot h_{t-1}

The gates stand side by side in the order ``r, z, n``: ``W_x (D, 3H)``, ``W_h (H, 3H)``, ``b_x`` and ``b_h (3H,)``. With
the reset after the product the two biases of ``n`` do different things, so both are kept. Where ``z = 1`` the old state
stays. Source: Cho, K. et al. (2014), "Learning phrase representations using RNN encoder-decoder for statistical machine
translation", *EMNLP*, which resets before the product; the form that resets after it is that of cuDNN and
``torch.nn.GRU``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from solutions.with_numpy.activations import sigmoid, sigmoid_slope, tanh_slope
from solutions.with_numpy.arguments import alive_steps, arguments


class GRUStepCache(NamedTuple):
    """What the backward pass of one step needs: its inputs, its gates ``(N, H)`` each, and the weights.

    ``q (N, H)`` is the candidate's recurrent share before the reset gate, or None where the reset comes first.
    """

    x_t: np.ndarray
    h_prev: np.ndarray
    r: np.ndarray
    z: np.ndarray
    n: np.ndarray
    q: np.ndarray | None
    W_x: np.ndarray
    W_h: np.ndarray


class GRUCache(NamedTuple):
    """What the backward pass needs of a forward pass, time first.

    ``x (T, N, D)`` is the inputs with zeros after each end; ``h (T+1, N, H)`` holds the state before the first step and
    after each one; ``rz (T, N, 2H)`` and ``n (T, N, H)`` are the gates; ``q (T, N, H)`` is the candidate's recurrent
    share before the reset gate, or None where the reset comes first; ``alive (N, T)`` is None when every sequence runs
    to the end.
    """

    x: np.ndarray
    h: np.ndarray
    rz: np.ndarray
    n: np.ndarray
    q: np.ndarray | None
    W_x: np.ndarray
    W_h: np.ndarray
    alive: np.ndarray | None


class GRUStepGradients(NamedTuple):
    """The gradients of one step: ``dx_t (N, D)``, ``dh_prev (N, H)``, and those of the weights."""

    dx_t: np.ndarray
    dh_prev: np.ndarray
    dW_x: np.ndarray
    dW_h: np.ndarray
    db_x: np.ndarray
    db_h: np.ndarray


class GRUGradients(NamedTuple):
    """The gradients of a layer: ``dx (N, T, D)``, ``dh0 (N, H)``, and those of the weights, summed over the steps."""

    dx: np.ndarray
    dh0: np.ndarray
    dW_x: np.ndarray
    dW_h: np.ndarray
    db_x: np.ndarray
    db_h: np.ndarray


# --- one step ---------------------------------------------------------------------------------------------------------


def gru_step(x_t, h_prev, W_x, W_h, b_x, b_h, reset_after: bool = True) -> tuple[np.ndarray, GRUStepCache]:
    """One step of a GRU: the two gates, the candidate, the state between the candidate and the old state.

    Args:
        x_t: ``(N, D)``; h_prev: ``(N, H)``; W_x: ``(D, 3H)``; W_h: ``(H, 3H)``; b_x: ``(3H,)``; b_h: ``(3H,)``.
        reset_after: the reset gate acts on ``h_prev W_hn + b_hn`` (True: PyTorch, Keras) or on ``h_prev`` (False: Cho
            et al., ONNX).

    Returns:
        ``(h_t, cache)`` with ``h_t (N, H)``.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: Cho et al. (2014); ``torch.nn.GRUCell``.

    >>> zero, one, keep = np.zeros((1, 3)), np.ones((1, 1)), np.array([0.0, 50.0, 0.0])
    >>> gru_step(one, 0.3 * one, zero, zero, keep, 0 * keep)[0]  # z = 1: the old state stays
    array([[0.3]])
    """
    (x_t, h_prev, W_x, W_h, b_x, b_h), _ = arguments(
        ("x_t", x_t, "N D"),
        ("h_prev", h_prev, "N H"),
        ("W_x", W_x, "D 3H"),
        ("W_h", W_h, "H 3H"),
        ("b_x", b_x, "3H"),
        ("b_h", b_h, "3H"),
    )
    x_r, x_z, x_n = np.split(x_t @ W_x + b_x, 3, axis=1)
    W_hr, W_hz, W_hn = np.split(W_h, 3, axis=1)
    b_hr, b_hz, b_hn = np.split(b_h, 3)
    r = sigmoid(x_r + h_prev @ W_hr + b_hr)
    z = sigmoid(x_z + h_prev @ W_hz + b_hz)
    q = h_prev @ W_hn + b_hn if reset_after else None
    n = np.tanh(x_n + r * q) if reset_after else np.tanh(x_n + (r * h_prev) @ W_hn + b_hn)
    h_t = (1 - z) * n + z * h_prev
    return h_t, GRUStepCache(x_t, h_prev, r, z, n, q, W_x, W_h)


def gru_step_backward(dh_t, cache: GRUStepCache) -> GRUStepGradients:
    """One step back: from the state to the gates' arguments, and from there to every input.

    Args:
        dh_t: the loss's derivative by ``h_t (N, H)``, through the step's output AND through all later steps.
        cache: the second result of ``gru_step``, which knows where the reset gate stood.

    Returns:
        ``(dx_t, dh_prev, dW_x, dW_h, db_x, db_h)``, each in the shape of what it is the gradient of.

    Raises:
        ValueError: the shape or the dtype of ``dh_t`` does not fit.

    Source: the chain rule through the equations above.

    >>> zero, one, keep = np.zeros((1, 3)), np.ones((1, 1)), np.array([0.0, 50.0, 0.0])
    >>> _, cache = gru_step(one, 0.3 * one, zero, zero, keep, 0 * keep)
    >>> gru_step_backward(one, cache).dh_prev  # where the old state stays, its gradient passes whole
    array([[1.]])
    """
    x_t, h_prev, r, z, n, q, W_x, W_h = cache
    (_, dh_t), _ = arguments(("n", n, "N H"), ("dh_t", dh_t, "N H"))
    W_hr, W_hz, W_hn = np.split(W_h, 3, axis=1)

    da_n = dh_t * (1 - z) * tanh_slope(n)
    da_z = dh_t * (h_prev - n) * sigmoid_slope(z)
    if q is not None:
        dq = da_n * r
        da_r = da_n * q * sigmoid_slope(r)
        dh_prev = dh_t * z + dq @ W_hn.T
        dW_hn = h_prev.T @ dq
    else:
        dq = da_n
        ds = da_n @ W_hn.T
        da_r = ds * h_prev * sigmoid_slope(r)
        dh_prev = dh_t * z + ds * r
        dW_hn = (r * h_prev).T @ da_n
    da = np.concatenate([da_r, da_z, da_n], axis=1)
    return GRUStepGradients(
        dx_t=da @ W_x.T,
        dh_prev=dh_prev + da_r @ W_hr.T + da_z @ W_hz.T,
        dW_x=x_t.T @ da,
        dW_h=np.concatenate([h_prev.T @ da_r, h_prev.T @ da_z, dW_hn], axis=1),
        db_x=da.sum(axis=0),
        db_h=np.concatenate([da_r, da_z, dq], axis=1).sum(axis=0),
    )


# --- whole sequences --------------------------------------------------------------------------------------------------


def gru_forward(
    x, h0, W_x, W_h, b_x, b_h, reset_after: bool = True, lengths=None
) -> tuple[np.ndarray, np.ndarray, GRUCache]:
    """A GRU over whole sequences.

    Args:
        x: the inputs, ``(N, T, D)``; its dtype, float32 or float64, is the dtype of the result.
        h0: the state before the first step, ``(N, H)``, or None for zeros.
        W_x: ``(D, 3H)``; W_h: ``(H, 3H)``; b_x: ``(3H,)``; b_h: ``(3H,)``.
        reset_after: the reset gate acts on ``h W_hn + b_hn`` (True: PyTorch, Keras) or on ``h`` (False: Cho et al.,
            ONNX).
        lengths: ``(N,)`` steps of each sequence, or None if all have ``T``. After its end a sequence's outputs
            are zero and its state stays (the semantics of PyTorch's packed sequences).

    Returns:
        ``(h, h_last, cache)``: the outputs ``(N, T, H)``, the state after each sequence's last step ``(N, H)``.

    Raises:
        ValueError: a shape, a dtype or a length does not fit.

    Source: Cho et al. (2014); ``torch.nn.GRU``.

    >>> zero, one, keep = np.zeros((1, 3)), np.ones((1, 1)), np.array([0.0, 50.0, 0.0])
    >>> h, h_last, _ = gru_forward(np.ones((1, 100, 1)), 0.3 * one, zero, zero, keep, 0 * keep)
    >>> h[0, -1], h_last[0]  # after 100 steps the state is what it was
    (array([0.3]), array([0.3]))
    """
    (x, h0, W_x, W_h, b_x, b_h), size = arguments(
        ("x", x, "N T D"),
        ("h0", h0, "N H"),
        ("W_x", W_x, "D 3H"),
        ("W_h", W_h, "H 3H"),
        ("b_x", b_x, "3H"),
        ("b_h", b_h, "3H"),
    )
    N, T, D, H = size["N"], size["T"], size["D"], size["H"]
    alive = alive_steps(lengths, N, T)
    if alive is not None:
        x = np.where(alive[..., None], x, 0)
    x = np.swapaxes(x, 0, 1).copy()

    # The inputs' share of all steps, in one product for the gates and one for the candidate. The gates' arguments are
    # halved beforehand: sigmoid(a) = (1 + tanh(a/2)) / 2.
    half = x.dtype.type(0.5)
    rows = x.reshape(T * N, D)
    rz = (rows @ (half * W_x[:, : 2 * H])).reshape(T, N, 2 * H)
    rz += half * (b_x + b_h)[: 2 * H]
    n = (rows @ W_x[:, 2 * H :]).reshape(T, N, H)
    n += b_x[2 * H :] if reset_after else (b_x + b_h)[2 * H :]
    W_h_rz, W_h_n, b_h_n = half * W_h[:, : 2 * H], W_h[:, 2 * H :].copy(), b_h[2 * H :]
    r, z = side_by_side(rz, H)

    h = np.empty((T + 1, N, H), x.dtype)
    h[0] = 0 if h0 is None else h0
    q = np.empty((T, N, H), x.dtype) if reset_after else None
    from_h, product = np.empty((N, 2 * H), x.dtype), np.empty((N, H), x.dtype)
    for t in range(T):
        rz[t] += np.matmul(h[t], W_h_rz, out=from_h)
        np.tanh(rz[t], out=rz[t])
        rz[t] *= half
        rz[t] += half
        if q is not None:
            np.matmul(h[t], W_h_n, out=q[t])
            q[t] += b_h_n
            n[t] += np.multiply(r[t], q[t], out=product)
        else:
            n[t] += np.matmul(r[t] * h[t], W_h_n, out=product)
        np.tanh(n[t], out=n[t])
        np.multiply(z[t], h[t], out=h[t + 1])
        np.subtract(1, z[t], out=product)
        h[t + 1] += np.multiply(product, n[t], out=product)
        if alive is not None:  # a sequence that has ended keeps its state
            np.copyto(h[t + 1], h[t], where=~alive[:, t, None])

    outputs = np.swapaxes(h[1:], 0, 1).copy()
    if alive is not None:
        outputs[~alive] = 0
    return outputs, h[T].copy(), GRUCache(x, h, rz, n, q, W_x, W_h, alive)


def gru_backward(dh, dh_last, cache: GRUCache) -> GRUGradients:
    """Backpropagation through time through a GRU: the loop carries ``dh``, the weights' products come after it.

    Args:
        dh: the loss's derivative by the outputs, ``(N, T, H)``, or None for zero. At steps after a sequence's end the
            outputs are constant, so what stands there is not used.
        dh_last: the loss's derivative by the final state, ``(N, H)``, or None for zero. It enters at each sequence's
            own last step.
        cache: the last result of ``gru_forward``, which knows where the reset gate stood.

    Returns:
        ``(dx, dh0, dW_x, dW_h, db_x, db_h)``, each in the shape of what it is the gradient of.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: the chain rule through the equations above.

    >>> zero, one, keep = np.zeros((1, 3)), np.ones((1, 1)), np.array([0.0, 50.0, 0.0])
    >>> cache = gru_forward(np.ones((1, 100, 1)), 0.3 * one, zero, zero, keep, 0 * keep)[-1]
    >>> gru_backward(None, one, cache).dh0  # and so is the gradient, 100 steps back
    array([[1.]])
    """
    x, h, rz, n, q, W_x, W_h, alive = cache
    (_, _, dh, dh_last), size = arguments(
        ("x", x, "T N D"), ("W_h", W_h, "H 3H"), ("dh", dh, "N T H"), ("dh_last", dh_last, "N H")
    )
    N, T, D, H = size["N"], size["T"], size["D"], size["H"]
    if alive is not None and dh is not None:
        dh = np.where(alive[..., None], dh, 0)

    # First, for all steps at once, how much of a gate's argument a unit of dh moves (for z and n), or of what comes
    # back to the reset gate (for r).
    r, z = side_by_side(rz, H)
    h_prev = h[:-1]
    da = np.empty((T, N, 3 * H), x.dtype)
    da_rz, da_zn = da[..., : 2 * H], da[..., H:].reshape(T, N, 2, H)
    da_r, da_z, da_n = side_by_side(da, H)
    np.subtract(1, rz, out=da_rz)
    da_rz *= rz
    da_r *= h_prev if q is None else q
    da_z *= h_prev - n
    np.multiply(tanh_slope(n), 1 - z, out=da_n)
    if alive is not None:  # a step that did not happen moves nothing
        da[~alive.T] = 0

    # Then the loop over time, which carries dh: what comes from all later steps.
    W_h_T = np.ascontiguousarray(W_h.T)
    dh_next = np.zeros((N, H), x.dtype) if dh_last is None else dh_last.copy()
    dh_prev, kept = np.empty((2, N, H), x.dtype)
    candidate = None if q is None else np.empty((T, N, H), x.dtype)  # da_n, while da holds dq in its place
    for t in reversed(range(T)):
        if dh is not None:
            dh_next += dh[:, t]
        da_zn[t] *= dh_next[:, None]
        if candidate is not None:
            candidate[t] = da_n[t]
            da_r[t] *= candidate[t]
            da_n[t] *= r[t]
            np.matmul(da[t], W_h_T, out=dh_prev)
        else:
            ds = da_n[t] @ W_h_T[2 * H :]
            da_r[t] *= ds
            np.matmul(da_rz[t], W_h_T[: 2 * H], out=dh_prev)
            dh_prev += ds * r[t]
        dh_prev += np.multiply(dh_next, z[t], out=kept)
        np.copyto(dh_next, dh_prev, where=True if alive is None else alive[:, t, None])

    # Last, one product for each input and weight: the recurrent side, and then the inputs' side.
    rows = da.reshape(T * N, 3 * H)
    dW_h = h_prev.reshape(T * N, H).T @ rows
    db_h = rows.sum(axis=0)
    if candidate is not None:
        da_n[:] = candidate
    else:
        dW_h[:, 2 * H :] = (r * h_prev).reshape(T * N, H).T @ rows[:, 2 * H :]
    return GRUGradients(
        dx=np.swapaxes((rows @ W_x.T).reshape(T, N, D), 0, 1).copy(),
        dh0=dh_next,
        dW_x=x.reshape(T * N, D).T @ rows,
        dW_h=dW_h,
        db_x=rows.sum(axis=0),
        db_h=db_h,
    )


def side_by_side(gates: np.ndarray, H: int) -> tuple[np.ndarray, ...]:
    """The views ``(T, N, H)`` of gates ``(T, N, G·H)`` that stand side by side."""
    T, N, columns = gates.shape
    return tuple(np.moveaxis(gates.reshape(T, N, columns // H, H), 2, 0))
