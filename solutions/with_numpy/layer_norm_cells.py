r"""Recurrent layers with layer normalisation inside, forward and backward: a plain layer, an LSTM and a GRU.

With :math:`\mathrm{LN}(a) = (a - \mathrm{mean}(a)) / \sqrt{\mathrm{var}(a) + \epsilon}` over the features of one step
of one sequence, and a gain :math:`\gamma` and an offset :math:`\beta` of its own for every norm:

.. math::

    \text{layer:}\quad h_t &= f\big(\mathrm{LN}(x_t W_x + h_{t-1} W_h)\,\gamma + \beta\big) \\[1ex]
    \text{LSTM:}\quad (i, f, g, o) &= \mathrm{LN}(x_t W_x)\,\gamma_x + \beta_x
        + \mathrm{LN}(h_{t-1} W_h)\,\gamma_h + \beta_h + b \\
    c_t &= \sigma(f)\, c_{t-1} + \sigma(i) \tanh(g), \qquad
    h_t = \sigma(o) \tanh\big(\mathrm{LN}(c_t)\,\gamma_c + \beta_c\big) \\[1ex]
    \text{GRU:}\quad (r, z) &= \mathrm{LN}(x_t W_x^{rz})\,\gamma_x^{rz} + \beta_x^{rz}
        + \mathrm{LN}(h_{t-1} W_h^{rz})\,\gamma_h^{rz} + \beta_h^{rz} \\
    n &= \tanh\big(\mathrm{LN}(x_t W_x^n)\,\gamma_x^n + \beta_x^n
        + \sigma(r)\,(\mathrm{LN}(h_{t-1} W_h^n)\,\gamma_h^n + \beta_h^n)\big) \\
    h_t &= (1 - \sigma(z))\, n + \sigma(z)\, h_{t-1}

Five variants go by the one name of layer normalisation in a recurrent layer. They differ in what is normalised:

1. Ba et al. (2016): inputs and state apart, all gates of an LSTM together; the cell carries the raw ``c``, and only
   what the output reads of it is normalised. This is ``ln_lstm_forward``.
2. PyTorch's fastrnns and TensorFlow Addons: as 1, but the cell carries ``LN(c)`` on to the next step. Not here.
3. One norm for each gate, as labml.ai writes it. Not here.
4. The norm of the sum, right after the linear combination, as Géron writes it, and Ba et al. in their eq. 4. This is
   ``ln_rnn_forward``. A norm of the sum cannot be taken out of the loop.
5. Inputs and state apart, and the reset gate after the norm, as Kiros wrote it for the GRU. This is ``ln_gru_forward``.

Source: Ba, J. L., Kiros, J. R. and Hinton, G. E. (2016), "Layer normalization", arXiv:1607.06450, section 3.1 and the
supplementary material. ``layer_norm`` holds the norm alone, and gives out these functions too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from solutions.with_numpy.activations import sigmoid, sigmoid_slope, tanh_slope
from solutions.with_numpy.arguments import alive_steps, arguments, one_of
from solutions.with_numpy.recurrent_neurons import ACTIVATIONS

SLOPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # f'(a), from h = f(a)
    "tanh": tanh_slope,
    "relu": lambda h: (h > 0).astype(h.dtype),
    "identity": np.ones_like,
}

# --- the norm, and what the three layers share -----------------------------------------------------------------------


def standardise(a: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """``â = (a − mean) / √(var + eps)`` over the last axis, and ``1 / √(var + eps)``, which the backward pass needs.

    >>> standardise(np.array([1.0, 3.0]), 0.0)
    (array([-1.,  1.]), array([1.]))
    """
    a = a - a.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt((a * a).mean(axis=-1, keepdims=True) + eps)
    a *= scale
    return a, scale


def standardise_backward(da_hat: np.ndarray, a_hat: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """``da``: the part of ``dâ`` along the mean and the part along ``â`` itself are lost, since both are fixed."""
    along_mean = da_hat.mean(axis=-1, keepdims=True)
    along_a_hat = (da_hat * a_hat).mean(axis=-1, keepdims=True)
    return scale * (da_hat - along_mean - a_hat * along_a_hat)


def positive(name: str, value: object) -> float:
    """``value`` as a Python number, or ``ValueError`` unless it is above 0."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not 0 < value < np.inf:  # type: ignore[operator]
        raise ValueError(f"{name}: got {value!r}; expected a number above 0")
    return float(value)  # type: ignore[arg-type]


def by_step(x: np.ndarray, alive: np.ndarray | None) -> np.ndarray:
    """A copy with the steps first, ``(T, N, D)``, and zeros after each sequence's end, whatever stands there."""
    x = np.swapaxes(x, 0, 1)
    return np.array(x if alive is None else np.where(alive.T[..., None], x, 0), order="C")


def from_all(x: np.ndarray, W: np.ndarray) -> np.ndarray:
    """``x (T, N, A)`` times ``W (A, B)`` for all steps, in one product."""
    T, N, A = x.shape
    return (x.reshape(T * N, A) @ W).reshape(T, N, W.shape[1])


def over_all(x: np.ndarray, da: np.ndarray) -> np.ndarray:
    """``Σ xᵀ da`` over all steps and sequences, ``(A, B)``, in one product."""
    T, N, A = x.shape
    return x.reshape(T * N, A).T @ da.reshape(T * N, da.shape[2])


def outputs(states: np.ndarray, alive: np.ndarray | None) -> np.ndarray:
    """The states after each step as outputs ``(N, T, H)``, zero after each sequence's end."""
    h = np.swapaxes(states[1:], 0, 1).copy()
    if alive is not None:
        h[~alive] = 0
    return h


def upstream(x: np.ndarray, W_h: np.ndarray, gates: str, alive: np.ndarray | None, dh, **last) -> list[np.ndarray]:
    """What comes from outside into a backward pass, checked: ``dh`` with the steps first, and each final state's."""
    named = [(name, value, "N H") for name, value in last.items()]
    (x, _, dh, *finals), size = arguments(("x", x, "T N D"), ("W_h", W_h, gates), ("dh", dh, "N T H"), *named)
    T, N, H = size["T"], size["N"], size["H"]
    dh = np.zeros((T, N, H), x.dtype) if dh is None else by_step(dh, alive)
    return [dh] + [np.zeros((N, H), x.dtype) if final is None else final.copy() for final in finals]


# --- the plain layer -------------------------------------------------------------------------------------------------


class LNRNNCache(NamedTuple):
    """What the backward pass needs: steps first, ``x (T, N, D)``, ``states (T+1, N, H)``, ``a_hat (T, N, H)``."""

    x: np.ndarray
    states: np.ndarray
    a_hat: np.ndarray
    scale: np.ndarray
    W_x: np.ndarray
    W_h: np.ndarray
    gamma: np.ndarray
    activation: str
    alive: np.ndarray | None


class LNRNNGradients(NamedTuple):
    """``dx (N, T, D)``, ``dh0 (N, H)``, and those of the parameters, summed over the steps."""

    dx: np.ndarray
    dh0: np.ndarray
    dW_x: np.ndarray
    dW_h: np.ndarray
    dgamma: np.ndarray
    dbeta: np.ndarray


def ln_rnn_forward(
    x, h0, W_x, W_h, gamma, beta, activation: str = "tanh", lengths=None, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, LNRNNCache]:
    """A recurrent layer with the norm of the sum: ``h_t = f(LN(x_t W_x + h_{t-1} W_h) · gamma + beta)``.

    Variant 4 of the five: one norm, right after the linear combination of inputs and state (Ba et al.'s eq. 4, and
    Géron's cell but for its bias inside the norm; a column of ones in ``x`` gives that one).

    Args:
        x: ``(N, T, D)``; its dtype, float32 or float64, is the dtype of the result.
        h0: the state before the first step, ``(N, H)``, or None for zeros.
        W_x: ``(D, H)``; W_h: ``(H, H)``; gamma, beta: ``(H,)``.
        activation: ``"tanh"``, ``"relu"`` or ``"identity"``.
        lengths: ``(N,)`` steps of each sequence, or None if all have ``T``. After its end a sequence's outputs
            are zero and its state stays.
        eps: added to the variance, a number above 0.

    Returns:
        ``(h, h_last, cache)``: the outputs ``(N, T, H)``, the state after each sequence's last step ``(N, H)``.

    Raises:
        ValueError: a shape, a dtype, a length, ``eps`` or the activation's name does not fit.

    Source: Ba et al. (2016), eq. 4; Géron (2022), *Hands-On Machine Learning*, 3rd ed., ch. 15.

    >>> x, W_x = np.array([[[5.0], [-500.0]]]), np.array([[1.0, 3.0]])  # however large, the norm makes it -1 and 1
    >>> h, _, _ = ln_rnn_forward(x, None, W_x, np.zeros((2, 2)), np.ones(2), np.zeros(2), "identity")
    >>> h.round(3)
    array([[[-1.,  1.],
            [ 1., -1.]]])
    """
    one_of("activation", activation, tuple(ACTIVATIONS))
    eps = positive("eps", eps)
    (x, h0, W_x, W_h, gamma, beta), size = arguments(
        ("x", x, "N T D"),
        ("h0", h0, "N H"),
        ("W_x", W_x, "D H"),
        ("W_h", W_h, "H H"),
        ("gamma", gamma, "H"),
        ("beta", beta, "H"),
    )
    N, T, H = size["N"], size["T"], size["H"]
    alive = alive_steps(lengths, N, T)
    f = ACTIVATIONS[activation]

    x = by_step(x, alive)
    from_inputs = from_all(x, W_x)
    a_hat, scale = np.empty((T, N, H), x.dtype), np.empty((T, N, 1), x.dtype)
    states = np.empty((T + 1, N, H), x.dtype)
    states[0] = 0 if h0 is None else h0
    for t in range(T):
        a_hat[t], scale[t] = standardise(from_inputs[t] + states[t] @ W_h, eps)
        h_t = f(a_hat[t] * gamma + beta)
        states[t + 1] = h_t if alive is None else np.where(alive[:, t, None], h_t, states[t])

    cache = LNRNNCache(x, states, a_hat, scale, W_x, W_h, gamma, activation, alive)
    return outputs(states, alive), states[T].copy(), cache


def ln_rnn_backward(dh, dh_last, cache: LNRNNCache) -> LNRNNGradients:
    """Backpropagation through time of ``ln_rnn_forward``.

    Args:
        dh: the loss's derivative by the outputs, ``(N, T, H)``, or None for zero; not used after a sequence's end.
        dh_last: the loss's derivative by the final state, ``(N, H)``, or None for zero.
        cache: the last result of ``ln_rnn_forward``.

    Returns:
        ``(dx, dh0, dW_x, dW_h, dgamma, dbeta)``, each in the shape of what it is the gradient of.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: the chain rule for Ba et al. (2016), eq. 4.

    >>> x, W_x = np.ones((1, 2, 1)), np.array([[1.0, 3.0]])
    >>> _, _, cache = ln_rnn_forward(x, None, W_x, np.zeros((2, 2)), np.ones(2), np.zeros(2), "identity")
    >>> ln_rnn_backward(np.ones((1, 2, 2)), None, cache).dbeta
    array([2., 2.])
    """
    x, states, a_hat, scale, W_x, W_h, gamma, activation, alive = cache
    dh, dh_next = upstream(x, W_h, "H H", alive, dh, dh_last=dh_last)

    dnorm, da = np.empty_like(a_hat), np.empty_like(a_hat)  # by the norm's result, and by what goes into it
    for t in reversed(range(len(x))):
        dh_t = dh[t] + dh_next
        if alive is not None:
            dh_t = np.where(alive[:, t, None], dh_t, 0)  # a step that did not happen keeps nothing of what it gets
        dnorm[t] = dh_t * SLOPES[activation](states[t + 1])
        da[t] = standardise_backward(dnorm[t] * gamma, a_hat[t], scale[t])
        dh_prev = da[t] @ W_h.T
        dh_next = dh_prev if alive is None else np.where(alive[:, t, None], dh_prev, dh_next)

    return LNRNNGradients(
        dx=np.swapaxes(from_all(da, W_x.T), 0, 1).copy(),
        dh0=dh_next,
        dW_x=over_all(x, da),
        dW_h=over_all(states[:-1], da),
        dgamma=(dnorm * a_hat).sum(axis=(0, 1)),
        dbeta=dnorm.sum(axis=(0, 1)),
    )


# --- the LSTM --------------------------------------------------------------------------------------------------------


class LNLSTMCache(NamedTuple):
    """What the backward pass needs, steps first.

    ``gates (T, N, 4H)`` holds ``σ(i), σ(f), tanh(g), σ(o)``; ``h_states, c_states (T+1, N, H)``; of the three norms
    ``x_hat, h_hat (T, N, 4H)``, ``c_hat (T, N, H)`` and their scales ``(T, N, 1)``; ``read (T, N, H)`` is the tanh.
    """

    x: np.ndarray
    h_states: np.ndarray
    c_states: np.ndarray
    gates: np.ndarray
    read: np.ndarray
    x_hat: np.ndarray
    x_scale: np.ndarray
    h_hat: np.ndarray
    h_scale: np.ndarray
    c_hat: np.ndarray
    c_scale: np.ndarray
    W_x: np.ndarray
    W_h: np.ndarray
    gamma_x: np.ndarray
    gamma_h: np.ndarray
    gamma_c: np.ndarray
    alive: np.ndarray | None


class LNLSTMGradients(NamedTuple):
    """``dx (N, T, D)``, ``dh0, dc0 (N, H)``, and those of the parameters, summed over the steps."""

    dx: np.ndarray
    dh0: np.ndarray
    dc0: np.ndarray
    dW_x: np.ndarray
    dW_h: np.ndarray
    db: np.ndarray
    dgamma_x: np.ndarray
    dbeta_x: np.ndarray
    dgamma_h: np.ndarray
    dbeta_h: np.ndarray
    dgamma_c: np.ndarray
    dbeta_c: np.ndarray


def ln_lstm_forward(
    x,
    h0,
    c0,
    W_x,
    W_h,
    b,
    gamma_x,
    beta_x,
    gamma_h,
    beta_h,
    gamma_c,
    beta_c,
    lengths=None,
    eps: float = 1e-5,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, LNLSTMCache]:
    """An LSTM with three norms: of the inputs' share of all gates, of the state's share, and of what is read of ``c``.

    Variant 1 of the five (Ba et al.): ``LN(x_t W_x) γ_x + β_x + LN(h_{t-1} W_h) γ_h + β_h + b`` before the gates, the
    raw ``c`` carried on, and ``h_t = o · tanh(LN(c_t) γ_c + β_c)``. Gate order ``i, f, g, o``.

    Args:
        x: ``(N, T, D)``; its dtype, float32 or float64, is the dtype of the result.
        h0, c0: the states before the first step, ``(N, H)``, or None for zeros.
        W_x: ``(D, 4H)``; W_h: ``(H, 4H)``; b: ``(4H,)``.
        gamma_x, beta_x, gamma_h, beta_h: ``(4H,)``; gamma_c, beta_c: ``(H,)``.
        lengths: ``(N,)`` steps of each sequence, or None if all have ``T``. After its end a sequence's outputs
            are zero and its states stay.
        eps: added to each variance, a number above 0.

    Returns:
        ``(h, h_last, c_last, cache)``: ``(N, T, H)``, and the states after each sequence's last step, ``(N, H)``.

    Raises:
        ValueError: a shape, a dtype, a length or ``eps`` does not fit.

    Source: Ba et al. (2016), supplementary material, the LSTM's equations.

    >>> zeros, ones = np.zeros(4), np.ones(4)  # with H = 1 the norm of c is 0, and h = σ(o) tanh(beta_c)
    >>> h, _, c_last, _ = ln_lstm_forward(np.ones((1, 3, 1)), None, np.ones((1, 1)), np.zeros((1, 4)), np.zeros((1, 4)),
    ...     zeros, ones, zeros, ones, zeros, np.ones(1), np.ones(1))
    >>> h[0, :, 0].round(4), c_last
    (array([0.3808, 0.3808, 0.3808]), array([[0.125]]))
    """
    eps = positive("eps", eps)
    (x, h0, c0, W_x, W_h, b, gamma_x, beta_x, gamma_h, beta_h, gamma_c, beta_c), size = arguments(
        ("x", x, "N T D"),
        ("h0", h0, "N H"),
        ("c0", c0, "N H"),
        ("W_x", W_x, "D 4H"),
        ("W_h", W_h, "H 4H"),
        ("b", b, "4H"),
        ("gamma_x", gamma_x, "4H"),
        ("beta_x", beta_x, "4H"),
        ("gamma_h", gamma_h, "4H"),
        ("beta_h", beta_h, "4H"),
        ("gamma_c", gamma_c, "H"),
        ("beta_c", beta_c, "H"),
    )
    N, T, H = size["N"], size["T"], size["H"]
    alive = alive_steps(lengths, N, T)

    x = by_step(x, alive)
    x_hat, x_scale = standardise(from_all(x, W_x), eps)  # the inputs' norm does not wait for the state
    from_inputs = x_hat * gamma_x + (beta_x + beta_h + b)
    gates, h_hat, h_scale = np.empty_like(x_hat), np.empty_like(x_hat), np.empty_like(x_scale)
    read, c_hat, c_scale = np.empty((T, N, H), x.dtype), np.empty((T, N, H), x.dtype), np.empty_like(x_scale)
    h_states, c_states = np.empty((T + 1, N, H), x.dtype), np.empty((T + 1, N, H), x.dtype)
    h_states[0] = 0 if h0 is None else h0
    c_states[0] = 0 if c0 is None else c0
    for t in range(T):
        h_hat[t], h_scale[t] = standardise(h_states[t] @ W_h, eps)
        a_i, a_f, a_g, a_o = np.split(from_inputs[t] + h_hat[t] * gamma_h, 4, axis=1)
        i, f, g, o = np.split(gates[t], 4, axis=1)  # views: these four lines fill gates[t]
        i[:] = sigmoid(a_i)
        f[:] = sigmoid(a_f)
        g[:] = np.tanh(a_g)
        o[:] = sigmoid(a_o)
        c_t = f * c_states[t] + i * g
        c_hat[t], c_scale[t] = standardise(c_t, eps)
        read[t] = np.tanh(c_hat[t] * gamma_c + beta_c)
        h_t = o * read[t]
        c_states[t + 1] = c_t if alive is None else np.where(alive[:, t, None], c_t, c_states[t])
        h_states[t + 1] = h_t if alive is None else np.where(alive[:, t, None], h_t, h_states[t])

    norms = (x_hat, x_scale, h_hat, h_scale, c_hat, c_scale)
    cache = LNLSTMCache(x, h_states, c_states, gates, read, *norms, W_x, W_h, gamma_x, gamma_h, gamma_c, alive)
    return outputs(h_states, alive), h_states[T].copy(), c_states[T].copy(), cache


def ln_lstm_backward(dh, dh_last, dc_last, cache: LNLSTMCache) -> LNLSTMGradients:
    """Backpropagation through time of ``ln_lstm_forward``.

    Args:
        dh: the loss's derivative by the outputs, ``(N, T, H)``, or None for zero; not used after a sequence's end.
        dh_last, dc_last: the loss's derivatives by the final states, ``(N, H)``, or None for zero.
        cache: the last result of ``ln_lstm_forward``.

    Returns:
        ``(dx, dh0, dc0, dW_x, dW_h, db, dgamma_x, dbeta_x, dgamma_h, dbeta_h, dgamma_c, dbeta_c)``, each in the shape
        of what it is the gradient of. The three offsets ``b``, ``beta_x`` and ``beta_h`` only act as a sum, so their
        gradients are equal.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: the chain rule for Ba et al. (2016), supplementary material.

    >>> zeros, ones, W = np.zeros(4), np.ones(4), np.zeros((1, 4))
    >>> *_, cache = ln_lstm_forward(np.ones((1, 3, 1)), None, None, W, W, zeros, ones, zeros, ones, zeros, ones[:1],
    ...     zeros[:1])
    >>> ln_lstm_backward(None, None, np.ones((1, 1)), cache).dc0  # three forget gates of a half
    array([[0.125]])
    """
    x, h_states, c_states, gates, read, x_hat, x_scale, h_hat, h_scale, c_hat, c_scale = cache[:11]
    W_x, W_h, gamma_x, gamma_h, gamma_c, alive = cache[11:]
    dh, dh_next, dc_next = upstream(x, W_h, "H 4H", alive, dh, dh_last=dh_last, dc_last=dc_last)

    da, dfrom_h, dnorm_c = np.empty_like(gates), np.empty_like(gates), np.empty_like(c_hat)
    for t in reversed(range(len(x))):
        i, f, g, o = np.split(gates[t], 4, axis=1)
        dh_t, dc_t = dh[t] + dh_next, dc_next
        if alive is not None:
            dh_t, dc_t = (np.where(alive[:, t, None], d, 0) for d in (dh_t, dc_t))

        dnorm_c[t] = dh_t * o * tanh_slope(read[t])
        dc_t = dc_t + standardise_backward(dnorm_c[t] * gamma_c, c_hat[t], c_scale[t])
        di, df, dg, do = np.split(da[t], 4, axis=1)  # views: these four lines fill da[t]
        di[:] = dc_t * g * sigmoid_slope(i)
        df[:] = dc_t * c_states[t] * sigmoid_slope(f)
        dg[:] = dc_t * i * tanh_slope(g)
        do[:] = dh_t * read[t] * sigmoid_slope(o)
        dfrom_h[t] = standardise_backward(da[t] * gamma_h, h_hat[t], h_scale[t])

        dh_prev, dc_prev = dfrom_h[t] @ W_h.T, dc_t * f
        if alive is not None:
            dh_prev, dc_prev = (
                np.where(alive[:, t, None], prev, after) for prev, after in ((dh_prev, dh_next), (dc_prev, dc_next))
            )
        dh_next, dc_next = dh_prev, dc_prev

    dfrom_x = standardise_backward(da * gamma_x, x_hat, x_scale)
    db = da.sum(axis=(0, 1))
    return LNLSTMGradients(
        dx=np.swapaxes(from_all(dfrom_x, W_x.T), 0, 1).copy(),
        dh0=dh_next,
        dc0=dc_next,
        dW_x=over_all(x, dfrom_x),
        dW_h=over_all(h_states[:-1], dfrom_h),
        db=db,
        dgamma_x=(da * x_hat).sum(axis=(0, 1)),
        dbeta_x=db.copy(),
        dgamma_h=(da * h_hat).sum(axis=(0, 1)),
        dbeta_h=db.copy(),
        dgamma_c=(dnorm_c * c_hat).sum(axis=(0, 1)),
        dbeta_c=dnorm_c.sum(axis=(0, 1)),
    )


# --- the GRU ---------------------------------------------------------------------------------------------------------


class LNGRUCache(NamedTuple):
    """What the backward pass needs, steps first.

    ``gates (T, N, 3H)`` holds ``σ(r), σ(z), n``; ``shown (T, N, H)`` what the reset gate multiplies; of the norms
    ``x_hat, h_hat (T, N, 3H)`` and their scales ``(T, N, 2)``, one for ``r, z`` and one for ``n``.
    """

    x: np.ndarray
    states: np.ndarray
    gates: np.ndarray
    shown: np.ndarray
    x_hat: np.ndarray
    x_scale: np.ndarray
    h_hat: np.ndarray
    h_scale: np.ndarray
    W_x: np.ndarray
    W_h: np.ndarray
    gamma_x: np.ndarray
    gamma_h: np.ndarray
    alive: np.ndarray | None


class LNGRUGradients(NamedTuple):
    """``dx (N, T, D)``, ``dh0 (N, H)``, and those of the parameters, summed over the steps."""

    dx: np.ndarray
    dh0: np.ndarray
    dW_x: np.ndarray
    dW_h: np.ndarray
    dgamma_x: np.ndarray
    dbeta_x: np.ndarray
    dgamma_h: np.ndarray
    dbeta_h: np.ndarray


def standardise_rz_n(a: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Two norms side by side on ``(..., 3H)``: one of ``r`` and ``z`` together, one of ``n``; scales ``(..., 2)``."""
    H = a.shape[-1] // 3
    (rz, rz_scale), (n, n_scale) = standardise(a[..., : 2 * H], eps), standardise(a[..., 2 * H :], eps)
    return np.concatenate([rz, n], axis=-1), np.concatenate([rz_scale, n_scale], axis=-1)


def standardise_rz_n_backward(da_hat: np.ndarray, a_hat: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """``da (..., 3H)`` of the two norms side by side."""
    H = da_hat.shape[-1] // 3
    rz, n = (..., slice(2 * H)), (..., slice(2 * H, None))
    return np.concatenate(
        [
            standardise_backward(da_hat[rz], a_hat[rz], scale[..., :1]),
            standardise_backward(da_hat[n], a_hat[n], scale[..., 1:]),
        ],
        axis=-1,
    )


def ln_gru_forward(
    x, h0, W_x, W_h, gamma_x, beta_x, gamma_h, beta_h, lengths=None, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, LNGRUCache]:
    """A GRU with four norms: of the inputs' share and of the state's, each for ``r, z`` together and for ``n`` alone.

    Variant 5 of the five (Kiros): inputs and state apart, and the reset gate acts after the state's norm. These are Ba
    et al.'s equations for the GRU, with ``z`` read as everywhere in this course: ``z = 1`` keeps the old state (theirs
    is ``1 − z``: the other sign in the ``z`` block of all gains and offsets turns one into the other). Gate order
    ``r, z, n``.

    Args:
        x: ``(N, T, D)``; its dtype, float32 or float64, is the dtype of the result.
        h0: the state before the first step, ``(N, H)``, or None for zeros.
        W_x: ``(D, 3H)``; W_h: ``(H, 3H)``; gamma_x, beta_x, gamma_h, beta_h: ``(3H,)``.
        lengths: ``(N,)`` steps of each sequence, or None if all have ``T``. After its end a sequence's outputs
            are zero and its state stays.
        eps: added to each variance, a number above 0.

    Returns:
        ``(h, h_last, cache)``: the outputs ``(N, T, H)``, the state after each sequence's last step ``(N, H)``.

    Raises:
        ValueError: a shape, a dtype, a length or ``eps`` does not fit.

    Source: Ba et al. (2016), supplementary material, the GRU's equations; the authors' code, ``lngru_layer``.

    >>> zeros, ones, W = np.zeros(3), np.ones(3), np.zeros((1, 3))  # with H = 1 and no weights, z = 1/2 and n = 0
    >>> h, _, _ = ln_gru_forward(np.ones((1, 3, 1)), np.ones((1, 1)), W, W, ones, zeros, ones, zeros)
    >>> h[0, :, 0]
    array([0.5  , 0.25 , 0.125])
    """
    eps = positive("eps", eps)
    (x, h0, W_x, W_h, gamma_x, beta_x, gamma_h, beta_h), size = arguments(
        ("x", x, "N T D"),
        ("h0", h0, "N H"),
        ("W_x", W_x, "D 3H"),
        ("W_h", W_h, "H 3H"),
        ("gamma_x", gamma_x, "3H"),
        ("beta_x", beta_x, "3H"),
        ("gamma_h", gamma_h, "3H"),
        ("beta_h", beta_h, "3H"),
    )
    N, T, H = size["N"], size["T"], size["H"]
    alive = alive_steps(lengths, N, T)

    x = by_step(x, alive)
    x_hat, x_scale = standardise_rz_n(from_all(x, W_x), eps)
    from_inputs = x_hat * gamma_x + beta_x
    gates, shown = np.empty_like(x_hat), np.empty((T, N, H), x.dtype)
    h_hat, h_scale = np.empty_like(x_hat), np.empty_like(x_scale)
    states = np.empty((T + 1, N, H), x.dtype)
    states[0] = 0 if h0 is None else h0
    for t in range(T):
        h_hat[t], h_scale[t] = standardise_rz_n(states[t] @ W_h, eps)
        from_state = h_hat[t] * gamma_h + beta_h
        shown[t] = from_state[:, 2 * H :]
        r, z, n = np.split(gates[t], 3, axis=1)  # views: the next two lines fill gates[t]
        gates[t, :, : 2 * H] = sigmoid(from_inputs[t, :, : 2 * H] + from_state[:, : 2 * H])
        n[:] = np.tanh(from_inputs[t, :, 2 * H :] + r * shown[t])
        h_t = (1 - z) * n + z * states[t]
        states[t + 1] = h_t if alive is None else np.where(alive[:, t, None], h_t, states[t])

    cache = LNGRUCache(x, states, gates, shown, x_hat, x_scale, h_hat, h_scale, W_x, W_h, gamma_x, gamma_h, alive)
    return outputs(states, alive), states[T].copy(), cache


def ln_gru_backward(dh, dh_last, cache: LNGRUCache) -> LNGRUGradients:
    """Backpropagation through time of ``ln_gru_forward``.

    Args:
        dh: the loss's derivative by the outputs, ``(N, T, H)``, or None for zero; not used after a sequence's end.
        dh_last: the loss's derivative by the final state, ``(N, H)``, or None for zero.
        cache: the last result of ``ln_gru_forward``.

    Returns:
        ``(dx, dh0, dW_x, dW_h, dgamma_x, dbeta_x, dgamma_h, dbeta_h)``, each in the shape of what it is the gradient
        of.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: the chain rule for Ba et al. (2016), supplementary material.

    >>> zeros, ones, W = np.zeros(3), np.ones(3), np.zeros((1, 3))
    >>> _, _, cache = ln_gru_forward(np.ones((1, 3, 1)), np.ones((1, 1)), W, W, ones, zeros, ones, zeros)
    >>> ln_gru_backward(None, np.ones((1, 1)), cache).dh0  # three update gates of a half
    array([[0.125]])
    """
    x, states, gates, shown, x_hat, x_scale, h_hat, h_scale, W_x, W_h, gamma_x, gamma_h, alive = cache
    dh, dh_next = upstream(x, W_h, "H 3H", alive, dh, dh_last=dh_last)

    H = W_h.shape[0]
    da_x, da_h, dfrom_h = np.empty_like(gates), np.empty_like(gates), np.empty_like(gates)
    for t in reversed(range(len(x))):
        r, z, n = np.split(gates[t], 3, axis=1)
        dh_t = dh[t] + dh_next
        if alive is not None:
            dh_t = np.where(alive[:, t, None], dh_t, 0)

        dr, dz, dn = np.split(da_x[t], 3, axis=1)  # views: these three lines fill da_x[t]
        dn[:] = dh_t * (1 - z) * tanh_slope(n)
        dz[:] = dh_t * (states[t] - n) * sigmoid_slope(z)
        dr[:] = dn * shown[t] * sigmoid_slope(r)
        da_h[t, :, : 2 * H] = da_x[t, :, : 2 * H]
        da_h[t, :, 2 * H :] = dn * r
        dfrom_h[t] = standardise_rz_n_backward(da_h[t] * gamma_h, h_hat[t], h_scale[t])
        dh_prev = dh_t * z + dfrom_h[t] @ W_h.T
        dh_next = dh_prev if alive is None else np.where(alive[:, t, None], dh_prev, dh_next)

    dfrom_x = standardise_rz_n_backward(da_x * gamma_x, x_hat, x_scale)
    return LNGRUGradients(
        dx=np.swapaxes(from_all(dfrom_x, W_x.T), 0, 1).copy(),
        dh0=dh_next,
        dW_x=over_all(x, dfrom_x),
        dW_h=over_all(states[:-1], dfrom_h),
        dgamma_x=(da_x * x_hat).sum(axis=(0, 1)),
        dbeta_x=da_x.sum(axis=(0, 1)),
        dgamma_h=(da_h * h_hat).sum(axis=(0, 1)),
        dbeta_h=da_h.sum(axis=(0, 1)),
    )
