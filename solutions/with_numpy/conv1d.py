r"""Convolution and max pooling over time, forward and backward.

.. math::

    y_t &= \sum_{k=0}^{K-1} x_{t s + k d - p}\, W_k + b   && \text{convolution: stride } s, \text{ dilation } d \\
    y_t &= \max_{0 \le k < K} x_{t s + k d - p}           && \text{max pooling, each channel by itself}

``p`` steps of padding stand to the left of ``x``: zeros for the convolution, minus infinity for the pooling. A window
is ``d (K − 1) + 1`` steps long; step ``k`` of it is its *tap* ``k``. As everywhere in deep learning the kernel is not
flipped: this is a cross-correlation.

Shapes: ``x (N, T, C_in)``, ``W (K, C_in, C_out)``, ``b (C_out,)``, ``y (N, T_out, C_out)``. Sources: Waibel et al.
(1989), "Phoneme recognition using time-delay neural networks", *IEEE Trans. ASSP* 37(3); van den Oord et al. (2016),
"WaveNet", for causal and dilated; Dumoulin & Visin (2016), "A guide to convolution arithmetic for deep learning", for
the lengths; ``keras.layers.Conv1D`` and ``torch.nn.MaxPool1d`` for what the words of ``padding`` and ties mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from solutions.with_numpy.arguments import arguments, bind_shape, floating


def output_length(T: int, K: int, stride: int = 1, padding: str | int = "valid", dilation: int = 1) -> int:
    """How many steps come out of a convolution or pooling: ``⌊(T + left + right − d (K − 1) − 1) / s⌋ + 1``.

    Args:
        T: steps that go in; an empty sequence, ``T = 0``, gives an empty one.
        K: taps of the kernel, or the pooling's size; stride, dilation: whole numbers above 0.
        padding: ``"valid"``, ``"same"``, ``"causal"`` or a number of steps on each side; see :func:`conv1d_forward`.

    Raises:
        ValueError: a number or word does not fit, or not even one window fits into the padded sequence.

    Source: Dumoulin & Visin (2016), relationship 6; its section 5.1 for the dilation.

    >>> output_length(10, K=3), output_length(10, K=3, stride=2, padding="same"), output_length(10, K=3, dilation=4)
    (8, 5, 2)
    """
    return _frame(T, K, stride, padding, dilation).T_out


def receptive_field(layers: Iterable[tuple[int, ...]]) -> int:
    """How many steps of the first input one output of the last layer sees: ``1 + Σ_i d_i (K_i − 1) Π_{j<i} s_j``.

    Args:
        layers: one tuple ``(K, stride, dilation)`` for each layer, first layer first, convolutions and poolings alike;
            what is left off at a tuple's end is 1, so that ``(3,)`` is a kernel of 3.

    Raises:
        ValueError: a layer is not such a tuple of whole numbers above 0.

    Source: Araujo et al. (2019), "Computing receptive fields of convolutional neural networks", *Distill*.

    >>> receptive_field([(2, 1, 1), (2, 1, 2), (2, 1, 4), (2, 1, 8)])  # WaveNet's first four layers
    16
    """
    seen, jump = 1, 1  # jump: how many steps of the first input lie between two neighbours of this layer's input
    for layer in layers:
        if not isinstance(layer, (tuple, list)) or not 1 <= len(layer) <= 3:
            raise ValueError(f"layers: got {layer!r}; expected a tuple (K, stride, dilation) for each layer")
        values = (*layer, 1, 1)[:3]
        K, stride, dilation = (_whole(name, value, 1) for name, value in zip(("K", "stride", "dilation"), values))
        seen += dilation * (K - 1) * jump
        jump *= stride
    return seen


# --- convolution ------------------------------------------------------------------------------------------------------


class Conv1dCache(NamedTuple):
    """What the backward pass needs: ``windows (N, T_out, K, C_in)``, what each output saw, ``W``, and the frame."""

    windows: np.ndarray
    W: np.ndarray
    frame: Frame


class Conv1dGradients(NamedTuple):
    """``dx (N, T, C_in)``, ``dW (K, C_in, C_out)``, ``db (C_out,)``."""

    dx: np.ndarray
    dW: np.ndarray
    db: np.ndarray


def conv1d_forward(
    x, W, b, stride: int = 1, padding: str | int = "valid", dilation: int = 1
) -> tuple[np.ndarray, Conv1dCache]:
    """A convolution over time: ``y_t = Σ_k x_{t s + k d − p} W_k + b``.

    Args:
        x: the inputs, ``(N, T, C_in)``; its dtype, float32 or float64, is the dtype of the result.
        W: one matrix for each of the ``K`` taps, ``(K, C_in, C_out)``; b: ``(C_out,)``.
        stride: steps of ``x`` from one window to the next, ``s``; dilation: steps from one tap to the next, ``d``.
        padding: zeros before and after ``x``. ``"valid"``: none. ``"causal"``: ``d (K − 1)`` before and none after, so
            that ``y_t`` sees nothing later than ``x_{t s}``. ``"same"``: as many as give ``T_out = ⌈T / s⌉``, half of
            them before and, where they are odd, the one more after; with a stride above 1, which PyTorch refuses, this
            is the rule of Keras and TensorFlow. A whole number: so many before and so many after.

    Returns:
        ``(y, cache)`` with ``y (N, T_out, C_out)``; for ``T_out`` see :func:`output_length`.

    Raises:
        ValueError: a shape, a dtype or an option does not fit, or ``x`` is shorter than one window.

    Source: Waibel et al. (1989); van den Oord et al. (2016); ``keras.layers.Conv1D``.

    >>> y, _ = conv1d_forward(np.array([[[1.0], [2.0], [4.0]]]), np.array([[[-1.0]], [[1.0]]]), np.zeros(1))
    >>> y[0, :, 0]  # x_{t+1} − x_t
    array([1., 2.])
    """
    (x, W, b), size = arguments(
        ("x", floating("x", x), "N T C_in"), ("W", floating("W", W), "K C_in C_out"), ("b", floating("b", b), "C_out")
    )
    N, K, C_in, C_out = size["N"], size["K"], size["C_in"], size["C_out"]
    frame = _frame(size["T"], K, stride, padding, dilation)

    padded = _pad(x, frame, 0)
    windows = np.stack([padded[:, tap] for tap in frame.taps], axis=2)
    y = windows.reshape(N * frame.T_out, K * C_in) @ W.reshape(K * C_in, C_out)  # every tap of every window at once
    y += b
    return y.reshape(N, frame.T_out, C_out), Conv1dCache(windows, W, frame)


def conv1d_backward(dy, cache: Conv1dCache) -> Conv1dGradients:
    """The gradients of a convolution, from the gradient of its output.

    ``db = Σ_t dy_t`` and ``dW_k = Σ_t x_{t s + k d − p}ᵀ dy_t``. Every window gives ``dy_t W_kᵀ`` back to the step that
    its tap ``k`` saw; where windows overlap, a step collects from each of them.

    Args:
        dy: ``(N, T_out, C_out)``, or None for zero; cache: what :func:`conv1d_forward` returned.

    Returns:
        ``(dx, dW, db)``, shaped like ``x``, ``W`` and ``b``.

    Raises:
        ValueError: the shape or dtype of ``dy`` does not fit the forward pass.

    Source: the chain rule; Goodfellow, Bengio & Courville (2016), *Deep Learning*, section 9.5.

    >>> y, cache = conv1d_forward(np.array([[[1.0], [2.0], [4.0]]]), np.array([[[-1.0]], [[1.0]]]), np.zeros(1))
    >>> conv1d_backward(np.ones_like(y), cache).dx[0, :, 0]
    array([-1.,  0.,  1.])
    """
    windows, W, frame = cache
    (N, T_out, K, C_in), C_out = windows.shape, W.shape[2]
    dy = _upstream(dy, windows.dtype, N=N, T_out=T_out, C_out=C_out).reshape(N * T_out, C_out)

    dwindows = (dy @ W.reshape(K * C_in, C_out).T).reshape(windows.shape)
    dpadded = np.zeros((N, frame.left + frame.T + frame.right, C_in), dy.dtype)
    for k, tap in enumerate(frame.taps):
        dpadded[:, tap] += dwindows[:, :, k]
    dW = (windows.reshape(N * T_out, K * C_in).T @ dy).reshape(W.shape)
    return Conv1dGradients(dx=_unpad(dpadded, frame), dW=dW, db=dy.sum(axis=0))


# --- max pooling ------------------------------------------------------------------------------------------------------


class MaxPool1dCache(NamedTuple):
    """What the backward pass needs: ``winner (N, T_out, C)``, which tap each maximum came from, dtype and frame."""

    winner: np.ndarray
    dtype: np.dtype
    frame: Frame


class MaxPool1dGradients(NamedTuple):
    """``dx (N, T, C)``."""

    dx: np.ndarray


def max_pool1d_forward(
    x, size: int, stride: int | None = None, padding: int = 0, dilation: int = 1
) -> tuple[np.ndarray, MaxPool1dCache]:
    """The largest value of each window, each channel by itself: ``y_t = max_k x_{t s + k d − p}``.

    Where several are the largest, the first one counts as the maximum, and the last NaN of a window that holds any, as
    in PyTorch. Padding never wins.

    Args:
        x: ``(N, T, C)``; size: taps of a window; stride: steps from one window to the next, ``size`` if None.
        padding: steps of minus infinity on each side, at most half of ``size``; dilation: steps between two taps.

    Returns:
        ``(y, cache)`` with ``y (N, T_out, C)``; for ``T_out`` see :func:`output_length`.

    Raises:
        ValueError: a shape, a dtype or an option does not fit, or ``x`` is shorter than one window.

    Source: ``torch.nn.MaxPool1d``.

    >>> y, _ = max_pool1d_forward(np.array([[[1.0], [3.0], [2.0], [0.0]]]), size=2)
    >>> y[0, :, 0]
    array([3., 2.])
    """
    (x,), sizes = arguments(("x", floating("x", x), "N T C"))
    size = _whole("size", size, 1)
    if _whole("padding", padding, 0) > size // 2:
        raise ValueError(f"padding: got {padding}; expected at most {size // 2}, half of size = {size}")
    frame = _frame(sizes["T"], size, size if stride is None else stride, padding, dilation)

    padded = _pad(x, frame, -np.inf)
    y = np.full((sizes["N"], frame.T_out, sizes["C"]), -np.inf, x.dtype)
    starts = np.arange(frame.T_out) * frame.stride - frame.left
    first = np.maximum(-(starts // frame.dilation), 0)  # the first tap that is not in the padding on the left
    winner = np.broadcast_to(first[:, None], y.shape).copy()
    for k, tap in enumerate(frame.taps):
        better = (padded[:, tap] > y) | np.isnan(padded[:, tap])
        np.copyto(y, padded[:, tap], where=better)
        np.copyto(winner, k, where=better)
    return y, MaxPool1dCache(winner, x.dtype, frame)


def max_pool1d_backward(dy, cache: MaxPool1dCache) -> MaxPool1dGradients:
    """The gradient of max pooling: ``dy_t`` goes to the step that was the maximum, and nothing to the others.

    Args:
        dy: ``(N, T_out, C)``, or None for zero; cache: what :func:`max_pool1d_forward` returned.

    Returns:
        ``(dx,)``, shaped like ``x``.

    Raises:
        ValueError: the shape or dtype of ``dy`` does not fit the forward pass.

    Source: the chain rule; at a tie, ``torch.nn.MaxPool1d``.

    >>> y, cache = max_pool1d_forward(np.array([[[1.0], [3.0], [3.0], [0.0]]]), size=3, stride=1)
    >>> max_pool1d_backward(np.ones_like(y), cache).dx[0, :, 0]
    array([0., 2., 0., 0.])
    """
    winner, dtype, frame = cache
    N, T_out, C = winner.shape
    dy = _upstream(dy, dtype, N=N, T_out=T_out, C=C)

    dpadded = np.zeros((N, frame.left + frame.T + frame.right, C), dtype)
    for k, tap in enumerate(frame.taps):
        dpadded[:, tap] += np.where(winner == k, dy, 0)
    return MaxPool1dGradients(dx=_unpad(dpadded, frame))


# --- windows ----------------------------------------------------------------------------------------------------------


class Frame(NamedTuple):
    """Where the windows lie on a sequence of ``T`` steps with ``left`` and ``right`` steps of padding."""

    T: int
    T_out: int
    left: int
    right: int
    K: int
    stride: int
    dilation: int

    @property
    def taps(self) -> list[slice]:
        """One slice of the padded sequence for each tap: what tap ``k`` sees in window 0, 1, … ``T_out − 1``."""
        offsets = [k * self.dilation for k in range(self.K)]
        return [slice(offset, offset + self.T_out * self.stride, self.stride) for offset in offsets]


def _frame(T: int, K: int, stride: int, padding: str | int, dilation: int) -> Frame:
    """Check the options, turn ``padding`` into steps on both sides and count the windows."""
    T, K = _whole("T", T, 0), _whole("K", K, 1)
    stride, dilation = _whole("stride", stride, 1), _whole("dilation", dilation, 1)
    extent = dilation * (K - 1) + 1
    if padding == "valid":
        left, right = 0, 0
    elif padding == "causal":
        left, right = extent - 1, 0
    elif padding == "same":
        both = max((-(-T // stride) - 1) * stride + extent - T, 0)
        left, right = both // 2, both - both // 2
    elif isinstance(padding, str):
        raise ValueError(f"padding: got {padding!r}; expected 'valid', 'same', 'causal' or a number of steps")
    else:
        left = right = _whole("padding", padding, 0)
    if T and T + left + right < extent:
        raise ValueError(
            f"T: got {T} steps, {T + left + right} with padding; expected at least {extent}, which is one window of "
            f"{K} taps with dilation {dilation}. Use a shorter kernel or more padding"
        )
    return Frame(T, (T + left + right - extent) // stride + 1 if T else 0, left, right, K, stride, dilation)


def _pad(x: np.ndarray, frame: Frame, value: float) -> np.ndarray:
    """``x (N, T, C)`` between its padding, ``(N, left + T + right, C)``; without padding it is ``x`` itself."""
    if not frame.left and not frame.right:
        return x
    padded = np.full((x.shape[0], frame.left + frame.T + frame.right, x.shape[2]), value, x.dtype)
    padded[:, frame.left : frame.left + frame.T] = x
    return padded


def _unpad(padded: np.ndarray, frame: Frame) -> np.ndarray:
    """What lies between the padding: the reverse of :func:`_pad`."""
    return np.ascontiguousarray(padded[:, frame.left : frame.left + frame.T])


def _upstream(dy, dtype: np.dtype, **sizes: int) -> np.ndarray:
    """``dy`` as an array of the forward pass's dtype, checked against the sizes of its output; None is zero."""
    if dy is None:
        return np.zeros(tuple(sizes.values()), dtype)
    dy = floating("dy", dy)
    bind_shape("dy", dy.shape, " ".join(sizes), dict(sizes), dict.fromkeys(sizes, "the forward pass"))
    return dy.astype(dtype, copy=False)


def _whole(name: str, value: object, least: int) -> int:
    """Return ``value`` as an int, or raise ``ValueError`` unless it is a whole number of at least ``least``."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: got {value!r}; expected a whole number of at least {least}")
    return int(value)
