"""Convolution and max pooling against ``torch.nn``, in NumPy and in PyTorch: values, gradients, ties, errors."""

from __future__ import annotations

import copy
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from solutions.with_numpy.conv1d import (
    conv1d_backward,
    conv1d_forward,
    max_pool1d_backward,
    max_pool1d_forward,
    output_length,
    receptive_field,
)
from solutions.with_torch.conv1d import Conv1d, MaxPool1d
from tests.reference.agreement import central_differences, read_only, relative_error, tensor

CLOSE = {np.float64: 1e-12, np.float32: 1e-5}
SIZES = [(1, 1, 1, 1), (3, 9, 2, 4), (2, 1, 3, 1), (1, 12, 1, 3), (4, 7, 5, 1)]  # N, T, C_in, C_out
PADDINGS = ["valid", "same", "causal", 0, 1, 3]
WINDOWS = list(itertools.product([1, 2, 3, 4], [1, 2, 3], [1, 2, 3]))  # K, stride, dilation
POOLS = [w + (p,) for w, p in itertools.product([(1, 1, 1), *WINDOWS[9:]], [0, 1, 2]) if p <= w[0] // 2]


def layer_arrays(rng: np.random.Generator, N: int, T: int, C_in: int, C_out: int, K: int, dtype=np.float64) -> list:
    shapes = ((N, T, C_in), (K, C_in, C_out), (C_out,))
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def padding_of(T: int, K: int, stride: int, padding, dilation: int) -> tuple[int, int]:
    """Steps before and after: ``"same"`` in the two cases by which TensorFlow's documentation states it."""
    extent = dilation * (K - 1) + 1
    if padding == "same":
        both = max(extent - (stride if T % stride == 0 else T % stride), 0)
        return both // 2, both - both // 2
    return {"valid": (0, 0), "causal": (dilation * (K - 1), 0)}.get(padding) or (padding, padding)


def torch_conv(x, W, b, stride, padding, dilation) -> torch.Tensor:
    """What ``torch.nn.functional`` gives for our shapes."""
    around = padding_of(x.shape[1], W.shape[0], stride, padding, dilation)
    padded = F.pad(x.transpose(1, 2), around)
    return F.conv1d(padded, W.permute(2, 1, 0), b, stride, 0, dilation).transpose(1, 2)


def torch_pool(x, size, stride, padding, dilation) -> torch.Tensor:
    return F.max_pool1d(x.transpose(1, 2), size, stride, padding, dilation, return_indices=True)[0].transpose(1, 2)


def fits(T: int, K: int, stride: int, padding, dilation: int) -> bool:
    return T + sum(padding_of(T, K, stride, padding, dilation)) >= dilation * (K - 1) + 1


# --- convolution ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_convolution_equals_torch(size, padding, dtype, rng) -> None:
    N, T, C_in, C_out = size
    for K, stride, dilation in WINDOWS:
        if not fits(T, K, stride, padding, dilation):
            continue
        x, W, b = layer_arrays(rng, *size, K, dtype)
        y, _ = conv1d_forward(x, W, b, stride, padding, dilation)
        expected = torch_conv(*map(tensor, (x, W, b)), stride, padding, dilation).numpy()
        assert y.dtype == dtype and y.shape[1] == output_length(T, K, stride, padding, dilation)
        assert relative_error(y, expected) < CLOSE[dtype], (K, stride, dilation)


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_convolution_gradients_equal_autograd(size, padding, dtype, rng) -> None:
    N, T, C_in, C_out = size
    for K, stride, dilation in WINDOWS:
        if not fits(T, K, stride, padding, dilation):
            continue
        inputs = layer_arrays(rng, *size, K, dtype)
        y, cache = conv1d_forward(*inputs, stride, padding, dilation)
        dy = rng.normal(size=y.shape).astype(dtype)
        leaves = [tensor(value, grad=True) for value in inputs]
        expected = torch.autograd.grad(torch_conv(*leaves, stride, padding, dilation), leaves, tensor(dy))
        gradients = conv1d_backward(dy, cache)
        assert gradients._fields == ("dx", "dW", "db")
        for got, value, wanted in zip(gradients, inputs, expected):
            assert got.dtype == dtype and got.shape == value.shape
            assert relative_error(got, wanted.numpy()) < (1e-10 if dtype == np.float64 else 1e-5), (K, stride, dilation)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("window", [(1, 1, 1), (3, 1, 1), (2, 2, 1), (3, 1, 2), (3, 2, 2), (2, 3, 3)], ids=str)
@pytest.mark.parametrize("size", [(2, 6, 2, 3), (1, 5, 1, 1)], ids=str)
def test_convolution_gradients_match_central_differences(size, window, padding, rng) -> None:
    K, stride, dilation = window
    inputs = layer_arrays(rng, *size, K)
    y, cache = conv1d_forward(*inputs, stride, padding, dilation)
    dy = rng.normal(size=y.shape)

    def loss() -> float:
        return float(np.sum(dy * conv1d_forward(*inputs, stride, padding, dilation)[0]))

    for got, value in zip(conv1d_backward(dy, cache), inputs):
        assert relative_error(got, central_differences(loss, value)) < 1e-7


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("K", [1, 2, 3, 4, 5])
def test_same_with_stride_1_is_torchs_same(K, dilation, rng) -> None:
    x, W, b = layer_arrays(rng, 2, 7, 3, 2, K)
    y, _ = conv1d_forward(x, W, b, padding="same", dilation=dilation)
    layer = torch.nn.Conv1d(3, 2, K, padding="same", dilation=dilation, dtype=torch.float64)
    layer.load_state_dict({"weight": tensor(W.transpose(2, 1, 0)), "bias": tensor(b)})
    assert relative_error(y, layer(tensor(x.swapaxes(1, 2))).detach().numpy().swapaxes(1, 2)) < 1e-12


def test_same_with_a_stride_is_keras_and_not_a_number_of_steps_on_each_side() -> None:
    x, W, b = np.arange(1.0, 7.0).reshape(1, 6, 1), np.ones((3, 1, 1)), np.zeros(1)
    y, _ = conv1d_forward(x, W, b, stride=2, padding="same")
    assert y[0, :, 0].tolist() == [1 + 2 + 3, 3 + 4 + 5, 5 + 6 + 0]
    assert conv1d_forward(x, W, b, stride=2, padding=1)[0][0, :, 0].tolist() == [0 + 1 + 2, 2 + 3 + 4, 4 + 5 + 6]
    y, _ = conv1d_forward(x, W, b, stride=4, padding="same")
    assert y[0, :, 0].tolist() == [1 + 2 + 3, 5 + 6 + 0]


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 9), st.integers(0, 2**31))
def test_causal_outputs_do_not_see_the_future(K, stride, dilation, T, seed) -> None:
    rng = np.random.default_rng(seed)
    x, W, b = layer_arrays(rng, 2, T, 2, 3, K)
    y, cache = conv1d_forward(x, W, b, stride, "causal", dilation)
    assert y.shape[1] == -(-T // stride)
    for t in range(y.shape[1]):
        other = x.copy()
        other[:, t * stride + 1 :] = np.nan
        changed, _ = conv1d_forward(other, W, b, stride, "causal", dilation)
        assert relative_error(changed[:, : t + 1], y[:, : t + 1]) < 1e-13
    dy = np.zeros_like(y)
    dy[:, 0] = 1
    assert not conv1d_backward(dy, cache).dx[:, 1:].any()


@pytest.mark.parametrize("stride", [1, 2])
def test_causal_padding_is_d_times_k_minus_1(stride) -> None:
    x, W = np.arange(1.0, 7.0).reshape(1, 6, 1), np.array([1.0, 10.0, 100.0]).reshape(3, 1, 1)
    y, _ = conv1d_forward(x, W, np.zeros(1), stride, "causal", dilation=2)
    assert y[0, :, 0].tolist() == [100, 200, 310, 420, 531, 642][::stride]


def test_no_upstream_gradient_is_a_gradient_of_zero(rng) -> None:
    inputs = layer_arrays(rng, 2, 5, 3, 4, 3)
    for gradient, value in zip(conv1d_backward(None, conv1d_forward(*inputs)[1]), inputs):
        assert gradient.shape == value.shape and not gradient.any()
    assert not max_pool1d_backward(None, max_pool1d_forward(inputs[0], 2)[1]).dx.any()


SMALL = st.tuples(
    st.integers(1, 3), st.integers(1, 8), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**31)
)
OPTIONS = st.tuples(st.integers(1, 3), st.sampled_from(["same", "causal", 4, 9]), st.integers(1, 2))


@given(SMALL, OPTIONS)
def test_a_batch_equals_its_rows_one_by_one(size, options) -> None:
    *sizes, seed = size
    x, W, b = layer_arrays(np.random.default_rng(seed), *sizes)
    y, _ = conv1d_forward(x, W, b, *options)
    for n in range(len(x)):
        assert relative_error(conv1d_forward(x[n : n + 1], W, b, *options)[0], y[n : n + 1]) < 1e-13


@given(SMALL, OPTIONS)
def test_a_permutation_of_channels_permutes_outputs_and_gradients(size, options) -> None:
    *sizes, seed = size
    rng = np.random.default_rng(seed)
    x, W, b = layer_arrays(rng, *sizes)
    into, out = rng.permutation(W.shape[1]), rng.permutation(W.shape[2])
    y, cache = conv1d_forward(x, W, b, *options)
    permuted, other = conv1d_forward(x[..., into], W[:, into][..., out], b[out], *options)
    assert relative_error(permuted, y[..., out]) < 1e-12
    dx, dW, db = conv1d_backward(y, cache)
    one = conv1d_backward(y[..., out], other)
    for got, expected in zip(one, (dx[..., into], dW[:, into][..., out], db[out])):
        assert relative_error(got, expected) < 1e-12


@given(SMALL, st.integers(1, 3), st.integers(0, 8))
def test_a_causal_convolution_cut_in_two_with_the_last_steps_carried_gives_the_same(size, dilation, cut) -> None:
    *sizes, seed = size
    x, W, b = layer_arrays(np.random.default_rng(seed), *sizes)
    cut, past = min(cut, x.shape[1]), dilation * (len(W) - 1)
    y, _ = conv1d_forward(x, W, b, padding="causal", dilation=dilation)
    first, _ = conv1d_forward(x[:, :cut], W, b, padding="causal", dilation=dilation)
    carried = np.concatenate([np.zeros((len(x), past, x.shape[2])), x], axis=1)[:, cut:]
    second = conv1d_forward(carried, W, b, dilation=dilation)[0] if cut < x.shape[1] else y[:, :0]
    assert relative_error(np.concatenate([first, second], axis=1), y) < 1e-13


@given(SMALL, OPTIONS)
def test_backward_is_the_adjoint_of_forward(size, options) -> None:
    """``⟨conv(x) − conv(0), dy⟩ = ⟨x, dx⟩ = ⟨W, dW⟩``: the convolution is linear in ``x`` and in ``W``."""
    *sizes, seed = size
    rng = np.random.default_rng(seed)
    x, W, b = layer_arrays(rng, *sizes)
    y, cache = conv1d_forward(x, W, 0 * b, *options)
    dy = rng.normal(size=y.shape)
    dx, dW, db = conv1d_backward(dy, cache)
    for one, two in ((x, dx), (W, dW)):
        assert np.isclose(np.sum(one * two), np.sum(y * dy), rtol=1e-11, atol=1e-11)
    assert np.allclose(db, dy.sum(axis=(0, 1)), rtol=1e-13)


# --- max pooling ------------------------------------------------------------------------------------------------------


def with_ties(rng: np.random.Generator, shape: tuple[int, ...], dtype=np.float64) -> np.ndarray:
    """Few different values, all of them below 0, so that most windows tie and zeros in the padding would win."""
    return rng.integers(-3, 0, size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("kind", ["normal", "ties", "infinite", "nan"])
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 9, 2), (2, 4, 1), (1, 12, 3)], ids=str)
def test_pooling_and_its_gradient_equal_torch(size, kind, dtype, rng) -> None:
    for pool, stride, dilation, padding in POOLS:
        if not fits(size[1], pool, stride, padding, dilation):
            continue
        x = rng.normal(size=size).astype(dtype) if kind == "normal" else with_ties(rng, size, dtype)
        x[rng.random(size) < 0.6 * (kind == "infinite")] = -np.inf
        x[rng.random(size) < 0.4 * (kind == "nan")] = np.nan
        y, cache = max_pool1d_forward(x, pool, stride, padding, dilation)
        leaf = tensor(x, grad=True)
        expected = torch_pool(leaf, pool, stride, padding, dilation)
        assert y.dtype == dtype and y.shape[1] == output_length(size[1], pool, stride, padding, dilation)
        assert np.array_equal(y, expected.detach().numpy(), equal_nan=True), (pool, stride, dilation, padding)
        if dilation > size[1]:
            continue  # where a window steps over the whole sequence, PyTorch's gradient goes to a step outside of it
        dy = rng.normal(size=y.shape).astype(dtype)
        (dx,) = torch.autograd.grad(expected, leaf, tensor(dy))
        assert relative_error(max_pool1d_backward(dy, cache).dx, dx.numpy()) < CLOSE[dtype]


def test_at_a_tie_the_first_of_the_largest_takes_the_whole_gradient() -> None:
    x = np.array([2.0, 5.0, 5.0, 5.0, 1.0]).reshape(1, 5, 1)
    _, cache = max_pool1d_forward(x, size=5)
    assert max_pool1d_backward(np.full((1, 1, 1), 7.0), cache).dx[0, :, 0].tolist() == [0, 7, 0, 0, 0]
    _, cache = max_pool1d_forward(x, size=2, stride=1)
    assert max_pool1d_backward(np.ones((1, 4, 1)), cache).dx[0, :, 0].tolist() == [0, 2, 1, 1, 0]


def test_the_stride_of_a_pooling_is_its_size_if_none_is_given(rng) -> None:
    x = rng.normal(size=(2, 7, 3))
    assert np.array_equal(max_pool1d_forward(x, 3)[0], max_pool1d_forward(x, 3, stride=3)[0])
    assert max_pool1d_forward(x, 3)[0].shape == (2, 2, 3)


def test_a_window_between_whose_taps_the_sequence_disappears_is_minus_infinity_and_has_no_gradient() -> None:
    x = np.array([1.0, 2.0]).reshape(1, 2, 1)
    y, cache = max_pool1d_forward(x, size=2, stride=1, padding=1, dilation=3)
    assert y.tolist() == [[[-np.inf]]] and not max_pool1d_backward(np.ones_like(y), cache).dx.any()
    module = MaxPool1d(2, 1, 1, 3)
    assert torch.equal(module(torch.ones(1, 1, 2)), F.max_pool1d(torch.ones(1, 1, 2), 2, 1, 1, 3))


@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_pooling_gradients_match_central_differences(pool, rng) -> None:
    size, stride, dilation, padding = pool
    x = rng.permutation(2 * 10 * 2).reshape(2, 10, 2).astype(float)  # no two values are near: no tie within ± eps
    y, cache = max_pool1d_forward(x, size, stride, padding, dilation)
    dy = rng.normal(size=y.shape)
    expected = central_differences(
        lambda: float(np.sum(dy * max_pool1d_forward(x, size, stride, padding, dilation)[0])), x
    )
    assert relative_error(max_pool1d_backward(dy, cache).dx, expected) < 1e-7


@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**31))
def test_pooling_knows_only_the_order_of_values_in_a_channel(N, T, C, size, seed) -> None:
    rng = np.random.default_rng(seed)
    x, p = with_ties(rng, (N, max(T, size), C)), rng.permutation(C)
    y, cache = max_pool1d_forward(x, size, stride=1, padding=size // 2)
    squashed, other = max_pool1d_forward(np.tanh(x)[..., p], size, stride=1, padding=size // 2)
    assert np.array_equal(squashed, np.tanh(y)[..., p])
    dy = rng.normal(size=y.shape)
    dx = max_pool1d_backward(dy, cache).dx
    assert np.array_equal(max_pool1d_backward(dy[..., p], other).dx, dx[..., p])
    assert np.isclose(dx.sum(), dy.sum(), rtol=1e-12)


# --- lengths ----------------------------------------------------------------------------------------------------------


def test_output_length_equals_torchs() -> None:
    for T, (K, stride, dilation), padding in itertools.product(range(1, 14), WINDOWS, [0, 1, 2, 5]):
        if not fits(T, K, stride, padding, dilation):
            continue
        twin = F.conv1d(torch.zeros(1, 1, T), torch.zeros(1, 1, K), None, stride, padding, dilation)
        assert output_length(T, K, stride, padding, dilation) == twin.shape[2]
    assert output_length(T=10, K=3) == 8
    assert [output_length(10, 4, s, "same") for s in (1, 2, 3, 11)] == [10, 5, 4, 1]
    assert [output_length(10, 4, s, "causal", 3) for s in (1, 2, 3, 11)] == [10, 5, 4, 1]


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)), max_size=4))
def test_the_receptive_field_is_as_wide_as_the_steps_that_have_a_gradient(layers) -> None:
    T = receptive_field(layers)
    y, caches = np.ones((1, T, 1)), []
    for K, stride, dilation in layers:
        y, cache = conv1d_forward(y, np.ones((K, 1, 1)), np.zeros(1), stride, "valid", dilation)
        caches.append(cache)
    assert y.shape == (1, 1, 1)  # T steps are just enough for one output
    dy = np.ones((1, 1, 1))
    for cache in reversed(caches):
        dy = conv1d_backward(dy, cache).dx
    assert dy[0, 0, 0] > 0 and dy[0, -1, 0] > 0


def test_the_receptive_field_of_known_networks() -> None:
    assert receptive_field([]) == 1
    assert receptive_field([(3,), (3,), (3,)]) == 7
    assert receptive_field([(2, 1, 2**i) for i in range(10)]) == 1024  # a block of WaveNet
    assert receptive_field([(3, 2), (3, 2), (3, 2)]) == 15
    assert receptive_field([(5, 1, 1), (2, 2), (5, 1, 1), (2, 2)]) == 16  # LeNet's first half: 5 + 1 + 4·2 + 1·2


# --- what goes in and out ---------------------------------------------------------------------------------------------


def test_inputs_are_not_changed_and_may_be_strided(rng) -> None:
    x, W, b = layer_arrays(rng, 3, 8, 2, 4, 3)
    for padding in PADDINGS:
        y, cache = conv1d_forward(x, W, b, 2, padding)
        expected = [y, *conv1d_backward(y, cache)]
        y, cache = conv1d_forward(*read_only(x, W, b), 2, padding)
        got = [y, *conv1d_backward(*read_only(y), cache)]
        strided = np.asfortranarray(x), np.repeat(W, 2, axis=1)[:, ::2], np.repeat(b, 2)[::2]
        y, cache = conv1d_forward(*strided, 2, padding)
        again = [y, *conv1d_backward(np.asfortranarray(y), cache)]
        for one, two, three in zip(expected, got, again):
            assert np.array_equal(one, two) and relative_error(one, three) < 1e-13
    y, cache = max_pool1d_forward(*read_only(x), 3, 1, 1)
    dx = max_pool1d_backward(*read_only(y), cache).dx
    again, cache = max_pool1d_forward(np.asfortranarray(x), 3, 1, 1)
    assert np.array_equal(y, again) and np.array_equal(dx, max_pool1d_backward(np.asfortranarray(y), cache).dx)


def test_what_comes_back_does_not_share_memory_with_what_went_in(rng) -> None:
    x, W, b = layer_arrays(rng, 2, 5, 3, 3, 1)
    y, cache = conv1d_forward(x, W, b)
    dy = rng.normal(size=y.shape)
    pooled, pool_cache = max_pool1d_forward(x, 1)
    outputs = [y, *conv1d_backward(dy, cache), pooled, *max_pool1d_backward(dy, pool_cache)]
    assert not any(np.shares_memory(out, value) for out in outputs for value in (x, W, b, dy))
    first = conv1d_backward(dy, cache)
    assert all(
        np.array_equal(one, two) for one, two in zip(first, conv1d_backward(dy, cache))
    )  # a cache is not used up


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("N, T", [(2, 0), (0, 5), (0, 0)])
def test_an_empty_batch_or_sequence_gives_an_empty_output_and_zero_gradients(N, T, padding, rng) -> None:
    x, W, b = layer_arrays(rng, N, T, 3, 4, 3)
    y, cache = conv1d_forward(x, W, b, 2, padding, 2)
    assert y.shape == (N, output_length(T, 3, 2, padding, 2), 4) and (T > 0 or y.shape[1] == 0)
    dx, dW, db = conv1d_backward(np.ones_like(y), cache)
    assert dx.shape == x.shape and dW.shape == W.shape and not dW.any() and db.shape == b.shape and not db.any()
    pooled, cache = max_pool1d_forward(x, 3, 1, 1)
    assert pooled.shape == x.shape and max_pool1d_backward(np.ones_like(pooled), cache).dx.shape == x.shape


GOOD = {"x": (3, 5, 2), "W": (3, 2, 4), "b": (4,)}
BAD = {"x": (3, 5), "W": (3, 3, 4), "b": (3,)}


@pytest.mark.parametrize("name", GOOD)
def test_a_wrong_shape_says_what_was_got_and_expected(name: str) -> None:
    arrays = {key: np.zeros(BAD[key] if key == name else shape) for key, shape in GOOD.items()}
    with pytest.raises(ValueError, match=f"{name}: got shape .* expected"):
        conv1d_forward(*arrays.values())
    with pytest.raises(ValueError, match="x: got shape .* expected"):
        max_pool1d_forward(np.zeros(BAD["x"]), 2)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("dtype", [np.int64, np.complex128, object, "U3", None])
def test_a_wrong_dtype_says_what_was_got_and_expected(name: str, dtype) -> None:
    arrays: dict = {key: np.zeros(shape) for key, shape in GOOD.items()}
    arrays[name] = arrays[name].astype(dtype) if dtype else None
    with pytest.raises(ValueError, match=f"{name}: got dtype .* expected float32 or float64"):
        conv1d_forward(*arrays.values())
    with pytest.raises(ValueError, match="x: got dtype .* expected float32 or float64"):
        max_pool1d_forward(np.zeros((1, 2, 3)).astype(dtype) if dtype else None, 2)


@pytest.mark.parametrize("dtype", [np.int64, np.complex128])
def test_a_wrong_upstream_gradient_says_what_was_got_and_expected(dtype) -> None:
    y, cache = conv1d_forward(*(np.zeros(shape) for shape in GOOD.values()))
    pooled, pool_cache = max_pool1d_forward(np.zeros(GOOD["x"]), 2)
    for backward, kept, shape in ((conv1d_backward, cache, y.shape), (max_pool1d_backward, pool_cache, pooled.shape)):
        with pytest.raises(ValueError, match=r"dy: got shape .* expected \(N, T_out, C.* from the forward pass"):
            backward(np.zeros((shape[0], shape[1] + 1, shape[2])), kept)
        with pytest.raises(ValueError, match="dy: got dtype"):
            backward(np.zeros(shape, dtype), kept)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stride": 0}, "stride: got 0; expected a whole number of at least 1"),
        ({"stride": 1.5}, "stride: got 1.5"),
        ({"stride": True}, "stride: got True"),
        ({"dilation": -1}, "dilation: got -1"),
        ({"padding": -1}, "padding: got -1; expected a whole number of at least 0"),
        ({"padding": "full"}, "padding: got 'full'; expected 'valid', 'same', 'causal' or a number of steps"),
        ({"padding": None}, "padding: got None"),
        ({"dilation": 3}, "T: got 5 steps, 5 with padding; expected at least 7, .* 3 taps with dilation 3"),
        ({"dilation": 4, "padding": 1}, "T: got 5 steps, 7 with padding; expected at least 9"),
    ],
)
def test_wrong_options_of_a_convolution_say_what_was_got_and_expected(options, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        conv1d_forward(*(np.zeros(shape) for shape in GOOD.values()), **options)
    with pytest.raises(ValueError, match=words):
        output_length(5, 3, **options)


def test_a_kernel_without_taps_is_refused() -> None:
    with pytest.raises(ValueError, match="K: got 0"):
        conv1d_forward(np.zeros((1, 5, 2)), np.zeros((0, 2, 3)), np.zeros(3))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 0}, "size: got 0"),
        ({"size": 2.0}, "size: got 2.0"),
        ({"size": 3, "stride": 0}, "stride: got 0"),
        ({"size": 3, "padding": 2}, "padding: got 2; expected at most 1, half of size = 3"),
        ({"size": 3, "padding": "same"}, "padding: got 'same'"),
        ({"size": 3, "dilation": 0}, "dilation: got 0"),
        ({"size": 6}, "T: got 5 steps"),
    ],
)
def test_wrong_options_of_a_pooling_say_what_was_got_and_expected(options, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        max_pool1d_forward(np.zeros((2, 5, 3)), **options)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([3], "layers: got 3; expected a tuple"),
        ([(3, 1, 1, 1)], "layers: got"),
        ([(0,)], "K: got 0"),
        ([(3, 0)], "stride"),
    ],
)
def test_wrong_layers_say_what_was_got_and_expected(layers, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        receptive_field(layers)


# --- the PyTorch modules ----------------------------------------------------------------------------------------------

MODES = ["zeros", "reflect", "replicate", "circular"]
KINDS = [
    {},
    {"stride": 2, "padding": 1},
    {"padding": "same", "dilation": 3},
    {"padding": "valid", "stride": 3, "dilation": 2},
    {"padding": 3, "groups": 2},
    {"padding": 2, "dilation": 2, "groups": 2, "stride": 2, "bias": False},
    {"padding": (2,), "stride": (2,), "dilation": [1], "bias": False},
]


def pair(kind: dict, device: str, K: int = 3, dtype=torch.float64) -> tuple[Conv1d, torch.nn.Conv1d]:
    ours = Conv1d(4, 6, K, **kind, device=device, dtype=dtype)
    theirs = torch.nn.Conv1d(4, 6, K, **kind, device=device, dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def values_and_gradients(layer: torch.nn.Module, x: torch.Tensor) -> list[np.ndarray]:
    """The output, then the gradients of the input and the parameters, for a loss that weighs outputs unequally."""
    x = x.clone().requires_grad_()
    y = layer(x)
    loss = (y * torch.sin(torch.arange(y.numel(), device=y.device).view_as(y))).sum()
    return [value.detach().cpu().numpy() for value in (y, *torch.autograd.grad(loss, [x, *layer.parameters()]))]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_convolution_module_and_its_gradients_equal_torchs(kind, mode, device, rng) -> None:
    for K, L in ((1, 5), (2, 6), (3, 11)):
        ours, theirs = pair({**kind, "padding_mode": mode}, device, K)
        assert repr(ours) == repr(theirs)
        for shape in ((2, 4, L), (1, 4, L), (4, L)):
            x = torch.as_tensor(rng.normal(size=shape), device=device)
            assert ours(x).is_contiguous()
            for one, two in zip(values_and_gradients(ours, x), values_and_gradients(theirs, x)):
                assert relative_error(one, two) < 1e-12


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("mode", MODES)
def test_the_convolution_module_takes_and_refuses_what_torchs_does(mode, rng) -> None:
    grid = itertools.product([1, 2, 5, 8], [1, 2, 3], [1, 2], [0, 1, 2, 5, "same", "valid"], [1, 3])
    for L, K, stride, padding, dilation in grid:
        if padding == "same" and stride > 1:
            continue
        ours, theirs = pair(
            {"stride": stride, "padding": padding, "dilation": dilation, "padding_mode": mode}, "cpu", K
        )
        x = torch.as_tensor(rng.normal(size=(2, 4, L)))
        try:
            expected = theirs(x)
        except RuntimeError:
            with pytest.raises(ValueError, match="input: got .* expected at"):
                ours(x)
        else:
            assert relative_error(ours(x).detach().numpy(), expected.detach().numpy()) < 1e-12


def test_the_convolution_module_starts_where_torchs_starts() -> None:
    torch.manual_seed(3)
    ours = Conv1d(6, 4, 5, groups=2)
    torch.manual_seed(3)
    theirs = torch.nn.Conv1d(6, 4, 5, groups=2)
    for (name, one), (other, two) in zip(ours.state_dict().items(), theirs.state_dict().items()):
        assert name == other and torch.allclose(one, two, rtol=1e-6)
    assert list(Conv1d(6, 4, 5, bias=False).state_dict()) == ["weight"] and Conv1d(6, 4, 5, bias=False).bias is None
    assert torch.equal(copy.deepcopy(ours).weight, ours.weight)


def test_other_dtypes_autocast_double_backward_and_the_compiler(device) -> None:
    for dtype in (torch.bfloat16, torch.float16):
        ours, theirs = pair({"padding": 1}, device, dtype=dtype)
        x = torch.randn(2, 4, 9, device=device, dtype=dtype)
        y = ours(x)
        assert y.dtype == dtype and torch.allclose(y.float(), theirs(x).float(), atol=0.03)
        assert torch.equal(MaxPool1d(3, padding=1)(x), torch.nn.MaxPool1d(3, padding=1)(x))
    ours, theirs = pair({}, device, dtype=torch.float32)
    x = torch.randn(2, 4, 9, device=device)
    with torch.autocast(device, dtype=torch.bfloat16):
        assert ours(x).dtype == theirs(x).dtype == torch.bfloat16
    for layer in (pair({"padding": 2, "padding_mode": "reflect", "groups": 2}, device)[0], MaxPool1d(3, 2, 1)):
        x = torch.randn(2, 4, 6, device=device, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(layer, (x,)) and torch.autograd.gradgradcheck(layer, (x,))
        compiled = torch.compile(layer, backend="eager", fullgraph=True)
        assert torch.allclose(compiled(x), layer(x))
        assert torch.allclose(compiled(x[..., :5]), layer(x[..., :5]))  # another length


@pytest.mark.parametrize("kind", ["normal", "ties", "infinite", "nan"])
@pytest.mark.parametrize("ceil_mode", [True, False], ids=["ceil", "floor"])
def test_the_pooling_module_its_indices_and_gradients_equal_torchs(ceil_mode, kind, device, rng) -> None:
    for (pool, stride, dilation, padding), L in itertools.product(POOLS, [1, 2, 5, 9]):
        ours = MaxPool1d(pool, stride, padding, dilation, True, ceil_mode)
        theirs = torch.nn.MaxPool1d(pool, stride, padding, dilation, True, ceil_mode)
        assert repr(ours) == repr(theirs)
        array = rng.normal(size=(2, 3, L)) if kind == "normal" else with_ties(rng, (2, 3, L))
        array[rng.random(array.shape) < 0.6 * (kind == "infinite")] = -np.inf
        array[rng.random(array.shape) < 0.4 * (kind == "nan")] = np.nan
        x = torch.as_tensor(array, device=device)
        try:
            expected, indices = theirs(x)
        except RuntimeError:
            with pytest.raises(ValueError, match="input: got .* expected at least"):
                ours(x)
            continue
        for got, wanted in zip(ours(x), (expected, indices)):
            assert got.dtype == wanted.dtype and got.is_contiguous()
            assert torch.equal(got.nan_to_num(7), wanted.nan_to_num(7)), (pool, stride, dilation, padding, L)
        for layer in (ours, theirs):
            layer.return_indices = False
        assert torch.equal(ours(x[0]).nan_to_num(7), theirs(x[0]).nan_to_num(7))
        if dilation <= L:
            one, two = values_and_gradients(ours, x)[1], values_and_gradients(theirs, x)[1]
            assert np.array_equal(np.isnan(one), np.isnan(two)) and np.allclose(one, two, rtol=1e-12, equal_nan=True)


def test_the_pooling_module_takes_tuples_and_keeps_them() -> None:
    ours, theirs = MaxPool1d((3,), (2,), (1,), (1,)), torch.nn.MaxPool1d((3,), (2,), (1,), (1,))
    x = torch.randn(2, 3, 8)
    assert repr(ours) == repr(theirs) and torch.equal(ours(x), theirs(x)) and not list(ours.state_dict())
    assert MaxPool1d((3,)).stride == torch.nn.MaxPool1d((3,)).stride == (3,)


@pytest.mark.parametrize("N, L", [(0, 5), (2, 0)])
def test_the_modules_take_an_empty_batch_or_sequence(N, L, device) -> None:
    for layer, channels in ((Conv1d(4, 6, 3, padding=1, device=device), 6), (MaxPool1d(3, 1, 1), 4)):
        x = torch.zeros(N, 4, L, device=device, requires_grad=True)
        y = layer(x)
        assert y.shape == (N, channels, L)
        y.sum().backward()
        assert x.grad is not None and x.grad.shape == x.shape


@pytest.mark.parametrize("padding", ["valid", "same", 2])
def test_numpy_and_pytorch_give_the_same(padding, rng) -> None:
    x, W, b = layer_arrays(rng, 2, 9, 3, 4, 3)
    layer = Conv1d(3, 4, 3, padding=padding, dilation=2, dtype=torch.float64)
    layer.load_state_dict({"weight": tensor(W.transpose(2, 1, 0)), "bias": tensor(b)})
    y, cache = conv1d_forward(x, W, b, padding=padding, dilation=2)
    leaf = tensor(x.swapaxes(1, 2), grad=True)
    out = layer(leaf)
    out.backward(tensor(y.swapaxes(1, 2)))
    assert relative_error(out.detach().numpy().swapaxes(1, 2), y) < 1e-12
    dx, dW, db = conv1d_backward(y, cache)
    assert relative_error(leaf.grad.numpy().swapaxes(1, 2), dx) < 1e-12
    assert relative_error(layer.weight.grad.numpy().transpose(2, 1, 0), dW) < 1e-12
    assert relative_error(layer.bias.grad.numpy(), db) < 1e-12


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Conv1d(0, 4, 3), "in_channels: got 0"),
        (lambda: Conv1d(3, 4, 0), "kernel_size: got 0"),
        (lambda: Conv1d(3, 4, (3, 3)), r"kernel_size: got \(3, 3\)"),
        (lambda: Conv1d(3, 4, 3, stride=0), "stride: got 0"),
        (lambda: Conv1d(3, 4, 3, stride=1.5), "stride: got 1.5"),
        (lambda: Conv1d(3, 4, 3, padding=-1), "padding: got -1"),
        (lambda: Conv1d(3, 4, 3, padding="causal"), "padding: got 'causal'; expected 'same', 'valid'"),
        (lambda: Conv1d(3, 4, 3, stride=2, padding="same"), "padding: got 'same' with stride 2; expected stride 1"),
        (lambda: Conv1d(3, 4, 3, groups=2), "groups: got 2 groups for 3 channels in and 4 out; expected a divisor"),
        (lambda: Conv1d(3, 4, 3, padding_mode="mirror"), "padding_mode: got 'mirror'; expected one of 'zeros'"),
        (lambda: Conv1d(3, 4, 3)(torch.zeros(2, 2, 9)), r"input: got shape \(2, 2, 9\); expected \(N, 3, L\)"),
        (lambda: Conv1d(3, 4, 3)(torch.zeros(9)), "input: got shape"),
        (lambda: Conv1d(3, 4, 3, dilation=2)(torch.zeros(2, 3, 4)), "input: got 4 steps.* expected at least 5"),
        (
            lambda: Conv1d(3, 4, 3, padding=4, padding_mode="reflect")(torch.zeros(2, 3, 4)),
            "input: got 4 steps with 4 of padding on a side; expected at most 3",
        ),
        (
            lambda: Conv1d(3, 4, 3, padding=5, padding_mode="circular")(torch.zeros(2, 3, 4)),
            "input: got 4 steps with 5 of padding on a side; expected at most 4",
        ),
        (lambda: MaxPool1d(0), "kernel_size: got 0"),
        (lambda: MaxPool1d(2, stride=0), "stride: got 0"),
        (lambda: MaxPool1d(3, padding=2), "padding: got 2; expected at most 1, half of kernel_size = 3"),
        (lambda: MaxPool1d(3, dilation=0), "dilation: got 0"),
        (lambda: MaxPool1d(3)(torch.zeros(2, 3, 2)), "input: got 2 steps.* expected at least 3"),
        (lambda: MaxPool1d(3)(torch.zeros(9)), "input: got shape"),
    ],
)
def test_the_modules_say_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
