r"""Why gradients vanish or explode over many steps, and what lessens it: Jacobians, clipping, initialisers, optimisers.

.. math::

    J_t = \frac{\partial h_t}{\partial h_{t-1}} &= \operatorname{diag}(f'(a_t))\, W_h^\top
        && \text{row: an output, column: an input} \\
    \frac{\partial h_T}{\partial h_0} &= J_T\, J_{T-1} \cdots J_1,
        \qquad \frac{\partial L}{\partial h_0} = J_1^\top \cdots J_T^\top \frac{\partial L}{\partial h_T}

A product of ``T`` matrices shrinks or grows like a power: towards 0 where the steps contract, without bound where they
stretch. Source: Pascanu, R., Mikolov, T. and Bengio, Y. (2013), "On the difficulty of training recurrent neural
networks", *ICML*; Bengio, Y., Simard, P. and Frasconi, P. (1994), *IEEE Trans. Neural Networks* 5(2).

Gradients and parameters come as one array or as a container of them: a list, a tuple, a NamedTuple, a dict, also one
inside another. What comes back has the same form; ``None`` in it (an optional parameter) stays ``None``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from solutions.with_numpy.arguments import FLOATS, alive_steps, arguments, floating, one_of
from solutions.with_numpy.bptt import SLOPES
from solutions.with_numpy.recurrent_neurons import RNNCache

# --- what a step does to a gradient ----------------------------------------------------------------------------------


def step_jacobian(h_t, W_h, activation: str = "tanh") -> np.ndarray:
    """The Jacobian of one step of a recurrent layer: ``J[i, j] = ∂h_t[i] / ∂h_{t-1}[j] = f'(a_t)[i] W_h[j, i]``.

    A row is an output and a column an input, so that ``J @ v`` carries a small change ``v`` of the state forward, and
    ``J.T @ g`` a gradient ``g`` back. The slope is written with ``h_t = f(a_t)``, so ``a_t`` is not needed.

    Args:
        h_t: the state after the step, ``(H,)``, or with any axes before: ``(N, H)``, ``(N, T, H)``.
        W_h: ``(H, H)``.
        activation: ``"tanh"``, ``"relu"`` or ``"identity"``.

    Returns:
        ``(..., H, H)``: one matrix for each state.

    Raises:
        ValueError: a shape, a dtype or the activation's name does not fit.

    Source: Pascanu et al. (2013), section 2, eq. 5.

    >>> step_jacobian(np.array([0.0, 0.5]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[1. , 3. ],
           [1.5, 3. ]])
    """
    one_of("activation", activation, tuple(SLOPES))
    h_t = floating("h_t", h_t)
    if h_t.ndim == 0:
        raise ValueError("h_t: got one number; expected (H,) or (..., H)")
    states = h_t.reshape(math.prod(h_t.shape[:-1]), h_t.shape[-1])
    (_, W_h), _ = arguments(("h_t", states, "N H"), ("W_h", W_h, "H H"))
    return SLOPES[activation](h_t)[..., :, None] * W_h.T


def jacobian_product(h, W_h, activation: str = "tanh", lengths=None) -> np.ndarray:
    """What all steps together do to a change of the state: ``∂h_T / ∂h_0 = J_T J_{T-1} ⋯ J_1``.

    A slice of the outputs gives the steps between: ``jacobian_product(h[:, k:t], W_h)`` is ``∂h_t / ∂h_k``.

    Args:
        h: the outputs of ``rnn_forward``, ``(N, T, H)``.
        W_h: ``(H, H)``.
        activation: ``"tanh"``, ``"relu"`` or ``"identity"``.
        lengths: ``(N,)`` as in ``rnn_forward``: after its end a sequence's state stays, so such a step is
            the identity.

    Returns:
        ``(N, H, H)``, laid out as in ``step_jacobian``; the identity where there is no step.

    Raises:
        ValueError: a shape, a dtype, a length or the activation's name does not fit.

    Source: Pascanu et al. (2013), section 2, eq. 5.

    >>> jacobian_product(np.ones((1, 10, 1)), np.array([[0.5]]), "identity")  # 0.5 to the power 10
    array([[[0.00097656]]])
    """
    one_of("activation", activation, tuple(SLOPES))
    (h, W_h), size = arguments(("h", h, "N T H"), ("W_h", W_h, "H H"))
    alive = alive_steps(lengths, size["N"], size["T"])
    product = np.tile(np.eye(size["H"], dtype=h.dtype), (size["N"], 1, 1))
    for t in range(size["T"]):
        longer = step_jacobian(h[:, t], W_h, activation) @ product
        product = longer if alive is None else np.where(alive[:, t, None, None], longer, product)
    return product


def gradient_norms(dh, dh_last, cache: RNNCache) -> np.ndarray:
    """How large the gradient is at each step: ``‖∂L/∂h_t‖``, through the output ``h_t`` and through all later steps.

    Args:
        dh: the loss's derivative by the outputs alone, ``(N, T, H)``, or None for zero.
        dh_last: the loss's derivative by the final state, ``(N, H)``, or None for zero.
        cache: the last result of ``rnn_forward``.

    Returns:
        ``(N, T)``: one norm for each sequence and step, 0 after a sequence's end.

    Raises:
        ValueError: a shape or a dtype does not fit.

    Source: Pascanu et al. (2013), eq. 3 to 5: the terms of the sum over time.

    >>> from solutions.with_numpy.recurrent_neurons import rnn_forward
    >>> one = np.ones((1, 1))
    >>> _, _, cache = rnn_forward(np.ones((1, 4, 1)), None, one, 0.5 * one, np.zeros(1), "identity")
    >>> gradient_norms(None, one, cache)
    array([[0.125, 0.25 , 0.5  , 1.   ]])
    """
    (x, W_h, dh, dh_last), size = arguments(
        ("x", cache.x, "N T D"), ("W_h", cache.W_h, "H H"), ("dh", dh, "N T H"), ("dh_last", dh_last, "N H")
    )
    N, T, H = size["N"], size["T"], size["H"]
    alive = np.ones((N, T), bool) if cache.alive is None else cache.alive
    dh = np.zeros((N, T, H), x.dtype) if dh is None else np.where(alive[..., None], dh, 0)
    dh_next = np.zeros((N, H), x.dtype) if dh_last is None else dh_last  # through all that comes after step t
    norms = np.empty((N, T), x.dtype)
    for t in reversed(range(T)):
        dh_t = dh[:, t] + dh_next
        norms[:, t] = np.linalg.norm(dh_t, axis=1)
        dh_prev = (dh_t * SLOPES[cache.activation](cache.states[t + 1])) @ W_h.T
        dh_next = np.where(alive[:, t, None], dh_prev, dh_next)
    return np.where(alive, norms, 0)


def spectral_radius(W) -> float:
    """The spectral radius: the largest absolute value of an eigenvalue of ``W``.

    Far from saturation ``‖Jᵗ‖`` goes like the spectral radius of ``W_h`` to the power ``t``.

    Args:
        W: ``(H, H)``.

    Raises:
        ValueError: ``W`` is not a square floating-point matrix of finite numbers.

    Source: Pascanu et al. (2013), section 2.1.

    >>> round(spectral_radius(np.array([[0.0, 2.0], [-2.0, 0.0]])), 12)  # a quarter turn, and twice as long
    2.0
    """
    (W,), _ = arguments(("W", W, "H H"))
    if not np.isfinite(W).all():
        raise ValueError("W: got numbers that are not finite; expected finite numbers")
    return float(np.abs(np.linalg.eigvals(W)).max(initial=0.0))


# --- clipping --------------------------------------------------------------------------------------------------------


def clip_by_norm(gradients, max_norm: float) -> tuple[Any, float]:
    """Scale all gradients together so that their joint norm is at most ``max_norm``; the direction stays.

    Args:
        gradients: one array, or a list, tuple or dict of them (``None`` in it stays ``None``).
        max_norm: the largest norm to let through, a number from 0 up.

    Returns:
        ``(clipped, norm)``: new gradients ``g · min(1, max_norm / (norm + 1e-6))`` in the same form, and the joint norm
        before clipping. Where this norm is not finite, the clipped gradients are of no use: look at it.

    Raises:
        ValueError: a gradient is not a floating-point array, or ``max_norm`` is not a number from 0 up.

    Source: Pascanu et al. (2013), algorithm 1; ``torch.nn.utils.clip_grad_norm_``, also for the 1e-6.

    >>> clipped, norm = clip_by_norm({"W": np.array([3.0, 0.0]), "b": np.array([4.0])}, max_norm=1.0)
    >>> norm, clipped["W"].round(4), clipped["b"].round(4)
    (5.0, array([0.6, 0. ]), array([0.8]))
    """
    number("max_norm", max_norm, 0)
    squares: list[float] = []
    each(lambda g: squares.append(float(np.square(floating("gradients", g), dtype=np.float64).sum())), gradients)
    norm = math.sqrt(sum(squares))
    scale = float(np.minimum(1.0, max_norm / (norm + 1e-6)))  # NaN stays NaN
    with np.errstate(invalid="ignore"):
        return each(lambda g: np.asarray(np.asarray(g) * scale), gradients), norm


def clip_by_value(gradients, value: float):
    """Cut each entry of each gradient to the range from ``-value`` to ``value``; the direction may turn.

    Args:
        gradients: one array, or a list, tuple or dict of them (``None`` in it stays ``None``).
        value: the largest absolute value to let through, a number from 0 up.

    Returns:
        New gradients in the same form.

    Raises:
        ValueError: a gradient is not a floating-point array, or ``value`` is not a number from 0 up.

    Source: ``torch.nn.utils.clip_grad_value_``.

    >>> clip_by_value([np.array([-3.0, 0.5]), np.array([4.0])], 1.0)
    [array([-1. ,  0.5]), array([1.])]
    """
    number("value", value, 0)
    return each(lambda g: np.asarray(np.clip(floating("gradients", g), -value, value)), gradients)


# --- initialisers ----------------------------------------------------------------------------------------------------


def orthogonal(shape, rng: np.random.Generator, gain: float = 1.0, dtype=np.float64) -> np.ndarray:
    """A random matrix with orthonormal rows or columns, whichever are fewer: ``W Wᵀ = gain² I`` or ``Wᵀ W = gain² I``.

    A square one changes no vector's length. It is uniform over all orthogonal matrices: the sign of each column of the
    Q of a QR factorisation is set by the diagonal of R. For several gates side by side, draw one matrix for each gate.

    Args:
        shape: ``(rows, columns)``.
        rng: where the random numbers come from; it moves on.
        gain: the factor on lengths, a number.
        dtype: float32 or float64.

    Raises:
        ValueError: the shape, the generator, the gain or the dtype is not as said.

    Source: Saxe, A. M., McClelland, J. L. and Ganguli, S. (2014), *ICLR*; Mezzadri, F. (2007), *Notices of the AMS*
    54(5), for the signs; ``torch.nn.init.orthogonal_``.

    >>> W = orthogonal((3, 3), np.random.default_rng(0))
    >>> (W.T @ W).round(12) + 0.0
    array([[1., 0., 0.],
           [0., 1., 0.],
           [0., 0., 1.]])
    """
    rows, columns = matrix_shape(shape)
    normal = generator(rng).normal(size=(max(rows, columns), min(rows, columns)))
    Q, R = np.linalg.qr(normal)
    Q = Q * np.where(np.diagonal(R) < 0, -1.0, 1.0)
    number("gain", gain, -math.inf)
    return np.array(gain * (Q if rows >= columns else Q.T), dtype=float_type(dtype), order="C")


def glorot(shape, rng: np.random.Generator, gain: float = 1.0, dtype=np.float64) -> np.ndarray:
    """A matrix of uniform random numbers between ``± gain √(6 / (rows + columns))``.

    The variance ``2 gain² / (rows + columns)`` is a compromise that keeps the size of what goes forward and of what
    comes back about the same. For several gates side by side, draw one matrix for each gate.

    Args:
        shape: ``(rows, columns)``: how many numbers go in, and how many come out.
        rng: where the random numbers come from; it moves on.
        gain: the factor on all entries, a number.
        dtype: float32 or float64.

    Raises:
        ValueError: the shape, the generator, the gain or the dtype is not as said.

    Source: Glorot, X. and Bengio, Y. (2010), *AISTATS*, eq. 16; ``torch.nn.init.xavier_uniform_``.

    >>> W = glorot((2, 4), np.random.default_rng(0))
    >>> W.shape, bool(np.abs(W).max() < 1.0)
    ((2, 4), True)
    """
    rows, columns = matrix_shape(shape)
    number("gain", gain, -math.inf)
    limit = gain * math.sqrt(6 / (rows + columns))
    return (limit * generator(rng).uniform(-1.0, 1.0, size=(rows, columns))).astype(float_type(dtype))


def identity_init(shape, rng: np.random.Generator | None = None, gain: float = 1.0, dtype=np.float64) -> np.ndarray:
    """The identity times ``gain``: with ``relu`` and no bias, a state that nothing adds to stays as it is.

    Args:
        shape: ``(rows, columns)``; where they differ, the rest is 0.
        rng: not used: nothing here is random. It is taken so that one initialiser can stand in for another.
        gain: the number on the diagonal.
        dtype: float32 or float64.

    Raises:
        ValueError: the shape, the generator, the gain or the dtype is not as said.

    Source: Le, Q. V., Jaitly, N. and Hinton, G. E. (2015), "A simple way to initialize recurrent networks of rectified
    linear units", arXiv:1504.00941.

    >>> identity_init((2, 2), gain=0.5)
    array([[0.5, 0. ],
           [0. , 0.5]])
    """
    if rng is not None:
        generator(rng)
    number("gain", gain, -math.inf)
    return gain * np.eye(*matrix_shape(shape), dtype=float_type(dtype))


# --- optimisers ------------------------------------------------------------------------------------------------------


class MomentumState(NamedTuple):
    """What ``momentum`` remembers: the velocity of each parameter, in the form of the parameters."""

    velocity: Any


class AdamState(NamedTuple):
    """What ``adam`` remembers: the steps taken, and running means of the gradients and of their squares."""

    step: int
    mean: Any
    square: Any


def sgd(parameters, gradients, state: None = None, lr: float = 1e-2) -> tuple[Any, None]:
    """One step of gradient descent: ``p ← p − lr · g``.

    Args:
        parameters: one array, or a list, tuple or dict of them.
        gradients: of the same form and shapes.
        state: always None, so that one optimiser can stand in for another.
        lr: the learning rate, a number from 0 up.

    Returns:
        ``(parameters, state)``: new parameters of the same form, and None.

    Raises:
        ValueError: the two forms, a shape, a dtype, the state or the learning rate does not fit.

    Source: Robbins, H. and Monro, S. (1951); ``torch.optim.SGD``.

    >>> sgd([np.array([1.0])], [np.array([2.0])], lr=0.25)
    ([array([0.5])], None)
    """
    number("lr", lr, 0)
    if state is not None:
        raise ValueError(f"state: got {type(state).__name__}; expected None: plain gradient descent remembers nothing")
    return each(lambda p, g: np.asarray(p - lr * g), *checked(parameters, gradients)), None


def momentum(
    parameters, gradients, state: MomentumState | None = None, lr: float = 1e-2, beta: float = 0.9
) -> tuple[Any, MomentumState]:
    """One step with momentum: ``v ← beta · v + g``, then ``p ← p − lr · v``; ``v`` is 0 before the first step.

    Args:
        parameters: one array, or a list, tuple or dict of them.
        gradients: of the same form and shapes.
        state: what the previous step returned, or None at the first step.
        lr: the learning rate, a number from 0 up.
        beta: how much of the velocity is kept, from 0 to below 1.

    Returns:
        ``(parameters, state)``, both new.

    Raises:
        ValueError: the forms, a shape, a dtype, the state, the learning rate or ``beta`` does not fit.

    Source: Polyak, B. T. (1964); ``torch.optim.SGD`` with ``momentum``.

    >>> p, state = momentum(np.array([1.0]), np.array([1.0]), lr=0.1)
    >>> momentum(p, np.array([1.0]), state, lr=0.1)[0].round(3)
    array([0.71])
    """
    number("lr", lr, 0)
    number("beta", beta, 0, 1)
    parameters, gradients = checked(parameters, gradients)
    (velocity,) = remembered(state, MomentumState(each(np.zeros_like, parameters)), parameters)
    velocity = each(lambda v, g: np.asarray(beta * v + g), velocity, gradients)
    return each(lambda p, v: np.asarray(p - lr * v), parameters, velocity), MomentumState(velocity)


def adam(
    parameters,
    gradients,
    state: AdamState | None = None,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[Any, AdamState]:
    """One step of Adam: ``p ← p − lr · m̂ / (√v̂ + eps)``.

    ``m ← beta1 m + (1 − beta1) g`` and ``v ← beta2 v + (1 − beta2) g²`` start at 0, which pulls them towards 0 in early
    steps; ``m̂ = m / (1 − beta1ᵗ)`` and ``v̂ = v / (1 − beta2ᵗ)`` at step ``t`` take that out again.

    Args:
        parameters: one array, or a list, tuple or dict of them.
        gradients: of the same form and shapes.
        state: what the previous step returned, or None at the first step.
        lr: the learning rate, a number from 0 up.
        beta1, beta2: how much of the running means is kept, from 0 to below 1.
        eps: added to the root, a number from 0 up.

    Returns:
        ``(parameters, state)``, both new.

    Raises:
        ValueError: the forms, a shape, a dtype, the state or one of the numbers does not fit.

    Source: Kingma, D. P. and Ba, J. (2015), *ICLR*, algorithm 1; ``torch.optim.Adam``.

    >>> p, state = adam(np.array([1.0]), np.array([123.0]), lr=0.1)  # the first step is lr, however large the gradient
    >>> p.round(6), state.step
    (array([0.9]), 1)
    """
    for name, value, below in (("lr", lr, math.inf), ("beta1", beta1, 1), ("beta2", beta2, 1), ("eps", eps, math.inf)):
        number(name, value, 0, below)
    parameters, gradients = checked(parameters, gradients)
    zeros = each(np.zeros_like, parameters)
    step, mean, square = remembered(state, AdamState(0, zeros, zeros), parameters)
    step += 1
    mean = each(lambda m, g: np.asarray(beta1 * m + (1 - beta1) * g), mean, gradients)
    square = each(lambda v, g: np.asarray(beta2 * v + (1 - beta2) * g * g), square, gradients)

    m_scale, v_scale = 1 / (1 - beta1**step), 1 / (1 - beta2**step)
    moved = each(
        lambda p, m, v: np.asarray(p - lr * m_scale * m / (np.sqrt(v_scale * v) + eps)), parameters, mean, square
    )
    return moved, AdamState(step, mean, square)


# --- containers and checks -------------------------------------------------------------------------------------------


def each(f: Callable, first, *others):
    """``f`` of every array of a container (and of the arrays at the same places of others), in the container's form.

    >>> each(lambda a, b: a + b, {"W": np.ones(1), "b": None}, {"W": np.ones(1), "b": None})
    {'W': array([2.]), 'b': None}
    """
    if first is None:
        return None
    if isinstance(first, dict):
        return {key: each(f, value, *(other[key] for other in others)) for key, value in first.items()}
    if isinstance(first, (list, tuple)):
        values = [each(f, *places) for places in zip(first, *others)]
        return type(first)(*values) if hasattr(first, "_fields") else type(first)(values)
    return f(first, *others)


def checked(parameters, gradients) -> tuple[Any, Any]:
    """Both as floating-point arrays of one dtype, or ``ValueError`` where their forms or shapes differ."""
    fit("gradients", gradients, parameters, "as the parameters")
    parameters = each(lambda p: floating("parameters", p), parameters)
    return parameters, each(lambda p, g: floating("gradients", g).astype(p.dtype, copy=False), parameters, gradients)


def remembered(state, first, parameters):
    """The state of an earlier step, once it is sure that it belongs to these parameters; ``first`` if it is None."""
    if state is None:
        return first
    if not isinstance(state, type(first)):
        raise ValueError(f"state: got {type(state).__name__}; expected None or {type(first).__name__}")
    for name, part in zip(first._fields, state):
        if name != "step":
            fit(f"state.{name}", part, parameters, "as the parameters")
    return state


def fit(name: str, got, expected, words: str) -> None:
    """``ValueError`` unless two containers have the same form, with arrays of the same shapes."""
    if (got is None) != (expected is None) or isinstance(got, dict) != isinstance(expected, dict):
        raise ValueError(f"{name}: got {type(got).__name__}; expected {type(expected).__name__}, {words}")
    if isinstance(expected, dict):
        if got.keys() != expected.keys():
            raise ValueError(f"{name}: got keys {sorted(got)}; expected {sorted(expected)}, {words}")
        for key in expected:
            fit(f"{name}[{key!r}]", got[key], expected[key], words)
    elif isinstance(expected, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(got) != len(expected):
            found = f"{len(got)} of them" if isinstance(got, (list, tuple)) else type(got).__name__
            raise ValueError(f"{name}: got {found}; expected {len(expected)}, {words}")
        for index, (one, other) in enumerate(zip(got, expected)):
            fit(f"{name}[{index}]", one, other, words)
    elif expected is not None and np.shape(got) != np.shape(expected):
        raise ValueError(f"{name}: got shape {np.shape(got)}; expected {np.shape(expected)}, {words}")


def number(name: str, value, least: float, below: float = math.inf) -> None:
    """``ValueError`` unless ``value`` is a number from ``least`` to below ``below``."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not (least <= value < below or value == below == math.inf):
        upper = f" to below {below:g}" if below < math.inf else " up"
        raise ValueError(
            f"{name}: got {value!r}; expected a number" + (f" from {least:g}{upper}" if least == 0 else "")
        )


def matrix_shape(shape) -> tuple[int, int]:
    """Two whole numbers above 0, or ``ValueError``."""
    whole = isinstance(shape, (tuple, list)) and len(shape) == 2
    if not whole or not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n > 0 for n in shape):
        raise ValueError(f"shape: got {shape!r}; expected (rows, columns), two whole numbers above 0")
    return int(shape[0]), int(shape[1])


def float_type(dtype) -> np.dtype:
    """float32 or float64, or ``ValueError``."""
    if not any(dtype in (kind, kind.name, kind.type) for kind in FLOATS):
        raise ValueError(f"dtype: got {dtype!r}; expected float32 or float64")
    return np.dtype(dtype)


def generator(rng) -> np.random.Generator:
    """``rng`` itself, or ``ValueError`` if it is not a NumPy generator."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(
            f"rng: got {type(rng).__name__}; expected a generator. Make one with np.random.default_rng(seed)"
        )
    return rng
