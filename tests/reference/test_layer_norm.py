"""Layer and batch normalisation against ``torch.nn.functional``: values, gradients, invariances, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from solutions.with_numpy import layer_norm, layer_norm_cells
from solutions.with_numpy.layer_norm import (
    batch_norm_backward,
    batch_norm_forward,
    layer_norm_backward,
    layer_norm_forward,
)
from tests.reference.agreement import central_differences, read_only, relative_error, tensor

CLOSE = {np.float64: 1e-12, np.float32: 1e-5}
LAYER_SHAPES = [(1,), (5,), (1, 1), (3, 4), (1, 6), (2, 3, 5), (4, 1, 2), (2, 3, 2, 4), (0, 3), (2, 0, 3)]
BATCH_SHAPES = [(2, 1), (4, 3), (1, 2, 3), (3, 5, 4), (2, 1, 1), (2, 3, 2, 2)]


def case(rng: np.random.Generator, shape: tuple[int, ...], dtype=np.float64) -> list[np.ndarray]:
    """An input, a gain, an offset and an upstream gradient; the input is away from 0 and 1 in mean and variance."""
    D = shape[-1]
    values = 3 + 2 * rng.normal(size=shape), 1 + 0.5 * rng.normal(size=D), rng.normal(size=D), rng.normal(size=shape)
    return [value.astype(dtype) for value in values]


def close(got: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    """Near in norm, relative to the larger of the two and 1: some gradients of a norm are exactly 0."""
    assert got.shape == expected.shape
    scale = max(np.linalg.norm(got) + np.linalg.norm(expected), 1.0)
    return bool(np.linalg.norm(got - expected) <= tolerance * scale)


def torch_batch_norm(x, running_mean, running_var, gamma, beta, training, momentum=0.1, eps=1e-5):
    """``batch_norm`` with the features last: PyTorch wants them second."""
    rows = x.reshape(-1, x.shape[-1])
    return F.batch_norm(rows, running_mean, running_var, gamma, beta, training, momentum, eps).reshape(x.shape)


# --- layer normalisation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("eps", [1e-5, 1e-3])
@pytest.mark.parametrize("shape", LAYER_SHAPES, ids=str)
def test_layer_norm_equals_torch(shape, eps, dtype, rng) -> None:
    x, gamma, beta, _ = case(rng, shape, dtype)
    y, _ = layer_norm_forward(x, gamma, beta, eps)
    expected = F.layer_norm(torch.as_tensor(x), shape[-1:], torch.as_tensor(gamma), torch.as_tensor(beta), eps).numpy()
    assert y.dtype == dtype
    assert relative_error(y, expected) < CLOSE[dtype]


def test_the_epsilon_of_layer_norm_is_torchs(rng) -> None:
    x = 1e-3 * rng.normal(size=(3, 4))  # so small that eps decides
    y, _ = layer_norm_forward(x, np.ones(4), np.zeros(4))
    assert relative_error(y, F.layer_norm(torch.as_tensor(x), (4,)).numpy()) < 1e-12


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("shape", LAYER_SHAPES, ids=str)
def test_the_gradients_of_layer_norm_equal_autograds(shape, dtype, rng) -> None:
    x, gamma, beta, dy = case(rng, shape, dtype)
    gradients = layer_norm_backward(dy, layer_norm_forward(x, gamma, beta)[1])
    leaves = [tensor(value, grad=True) for value in (x, gamma, beta)]
    F.layer_norm(leaves[0], shape[-1:], leaves[1], leaves[2]).backward(tensor(dy))
    for name, got, leaf in zip(gradients._fields, gradients, leaves):
        assert got.dtype == dtype
        assert close(got, leaf.grad.numpy(), 1e-10 if dtype == np.float64 else 1e-5), name


@pytest.mark.parametrize("shape", LAYER_SHAPES, ids=str)
def test_the_gradients_of_layer_norm_equal_central_differences(shape, rng) -> None:
    x, gamma, beta, dy = case(rng, shape)
    gradients = layer_norm_backward(dy, layer_norm_forward(x, gamma, beta)[1])
    for name, got, array in zip(gradients._fields, gradients, (x, gamma, beta)):
        expected = central_differences(lambda: (layer_norm_forward(x, gamma, beta)[0] * dy).sum(), array)
        assert close(got, expected, 1e-7), name


def test_each_row_is_normalised_alone_and_the_batch_does_not_matter(rng) -> None:
    x, gamma, beta, dy = case(rng, (4, 3, 5))
    y, cache = layer_norm_forward(x, gamma, beta)
    gradients = layer_norm_backward(dy, cache)
    for index in np.ndindex(4, 3):
        row, row_cache = layer_norm_forward(x[index], gamma, beta)
        assert relative_error(row, y[index]) < 1e-14
        assert relative_error(layer_norm_backward(dy[index], row_cache).dx, gradients.dx[index]) < 1e-13


ROWS = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**31))
POSITIVE = st.floats(0.1, 1e3)


@given(ROWS, POSITIVE, st.floats(-100, 100))
def test_layer_norm_forgets_the_scale_and_the_shift_of_its_input(size, scale, shift) -> None:
    N, D, seed = size
    x, gamma, beta, _ = case(np.random.default_rng(seed), (N, D))
    if D > 1:  # a spread that eps cannot be seen beside
        x += np.arange(D)
    y, _ = layer_norm_forward(x, gamma, beta, eps=1e-12)
    other, _ = layer_norm_forward(scale * x + shift, gamma, beta, eps=1e-12)
    assert np.allclose(y, other, atol=1e-7)


@given(ROWS, POSITIVE)
def test_layer_norm_with_a_scaled_epsilon_is_exactly_invariant(size, scale) -> None:
    N, D, seed = size
    x, gamma, beta, _ = case(np.random.default_rng(seed), (N, D))
    y, _ = layer_norm_forward(x, gamma, beta, eps=1e-5)
    other, _ = layer_norm_forward(scale * x, gamma, beta, eps=1e-5 * scale**2)
    assert np.allclose(y, other, atol=1e-11)


@given(ROWS)
def test_the_gradient_of_layer_norm_is_orthogonal_to_what_it_forgets(size) -> None:
    N, D, seed = size
    x, gamma, beta, dy = case(np.random.default_rng(seed), (N, D))
    dx = layer_norm_backward(dy, layer_norm_forward(x, gamma, beta, eps=1e-12)[1]).dx
    if D == 1:
        assert not dx.any()  # one number is all mean
    assert np.abs(dx.sum(axis=1)).max() < 1e-10 * (1 + np.abs(dx).max())
    assert np.abs((dx * x).sum(axis=1)).max() < 1e-7 * (1 + np.abs(dx).max())


@given(ROWS)
def test_layer_norm_permutes_with_its_features(size) -> None:
    N, D, seed = size
    rng = np.random.default_rng(seed)
    x, gamma, beta, dy = case(rng, (N, D))
    p = rng.permutation(D)
    y, cache = layer_norm_forward(x, gamma, beta)
    permuted, permuted_cache = layer_norm_forward(x[:, p], gamma[p], beta[p])
    assert np.allclose(permuted, y[:, p], rtol=1e-12, atol=1e-12)
    dx, permuted_dx = layer_norm_backward(dy, cache).dx, layer_norm_backward(dy[:, p], permuted_cache).dx
    assert np.allclose(permuted_dx, dx[:, p], rtol=1e-9, atol=1e-9)


def test_a_constant_row_gives_the_offset() -> None:
    y, cache = layer_norm_forward(np.full((2, 3), 7.0), np.full(3, 5.0), np.array([1.0, 2.0, 3.0]))
    assert np.array_equal(y, [[1, 2, 3], [1, 2, 3]])
    assert np.isfinite(layer_norm_backward(np.ones((2, 3)), cache).dx).all()


# --- batch normalisation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("shape", BATCH_SHAPES, ids=str)
def test_batch_norm_over_several_batches_and_then_in_testing_equals_torch(shape, dtype, rng) -> None:
    _, gamma, beta, _ = case(rng, shape, dtype)
    D = shape[-1]
    mean, var = np.zeros(D, dtype), np.ones(D, dtype)
    torch_mean, torch_var = torch.as_tensor(mean.copy()), torch.as_tensor(var.copy())
    for training in (True, True, True, False, True, False):
        x = case(rng, shape, dtype)[0]
        y, mean, var, _ = batch_norm_forward(x, gamma, beta, mean, var, training, momentum=0.3)
        expected = torch_batch_norm(
            torch.as_tensor(x), torch_mean, torch_var, torch.as_tensor(gamma), torch.as_tensor(beta), training, 0.3
        )
        assert y.dtype == mean.dtype == var.dtype == dtype
        for got, wanted in ((y, expected), (mean, torch_mean), (var, torch_var)):
            assert relative_error(got, wanted.numpy()) < CLOSE[dtype]


@pytest.mark.parametrize("training", [True, False], ids=["training", "testing"])
@pytest.mark.parametrize("shape", BATCH_SHAPES, ids=str)
def test_the_gradients_of_batch_norm_equal_autograds_and_central_differences(shape, training, rng) -> None:
    x, gamma, beta, dy = case(rng, shape)
    running = rng.normal(size=shape[-1]), np.exp(rng.normal(size=shape[-1]))
    gradients = batch_norm_backward(dy, batch_norm_forward(x, gamma, beta, *running, training)[-1])
    leaves = [tensor(value, grad=True) for value in (x, gamma, beta)]
    torch_batch_norm(leaves[0], *map(tensor, running), leaves[1], leaves[2], training).backward(tensor(dy))
    for name, got, leaf, array in zip(gradients._fields, gradients, leaves, (x, gamma, beta)):
        assert close(got, leaf.grad.numpy(), 1e-10), name
        expected = central_differences(
            lambda: (batch_norm_forward(x, gamma, beta, *running, training)[0] * dy).sum(), array
        )
        assert close(got, expected, 1e-7), name


def test_batch_norm_depends_on_the_batch_in_training_and_layer_norm_does_not(rng) -> None:
    x, gamma, beta, _ = case(rng, (4, 3))
    running = np.zeros(3), np.ones(3)
    other = np.concatenate([x[:1], 10 + x[1:]])
    in_training = [batch_norm_forward(batch, gamma, beta, *running, True)[0][0] for batch in (x, other)]
    in_testing = [batch_norm_forward(batch, gamma, beta, *running, False)[0][0] for batch in (x, other)]
    by_layer = [layer_norm_forward(batch, gamma, beta)[0][0] for batch in (x, other)]
    assert not np.allclose(*in_training)
    assert np.array_equal(*in_testing) and np.array_equal(*by_layer)


# --- both -------------------------------------------------------------------------------------------------------------


def test_inputs_are_not_changed_and_nothing_is_shared(rng) -> None:
    x, gamma, beta, dy = read_only(*case(rng, (3, 4)))
    running = read_only(np.zeros(4), np.ones(4))
    y, cache = layer_norm_forward(x, gamma, beta)
    given_in, came_out = [x, gamma, beta, dy, *running], [y, *layer_norm_backward(dy, cache)]
    for training in (True, False):
        *out, cache = batch_norm_forward(x, gamma, beta, *running, training)
        came_out += [*out, *batch_norm_backward(dy, cache)]
    assert not any(np.shares_memory(one, two) for one in given_in for two in came_out)
    strided = layer_norm_forward(np.asfortranarray(x), np.repeat(gamma, 2)[::2], beta)[0]
    assert np.allclose(strided, y, rtol=1e-14)


def test_the_cells_are_to_be_had_here() -> None:
    for name in ("ln_rnn", "ln_lstm", "ln_gru"):
        for way in ("forward", "backward"):
            assert getattr(layer_norm, f"{name}_{way}") is getattr(layer_norm_cells, f"{name}_{way}")
    assert all(hasattr(layer_norm, name) for name in layer_norm.__all__)


X, G = np.zeros((3, 4)), np.zeros(4)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: layer_norm_forward(X, np.zeros(3), G), r"gamma: got shape \(3,\); expected \(D,\) with D = 4 from x"),
        (lambda: layer_norm_forward(X, G, np.zeros((1, 4))), r"beta: got shape \(1, 4\); expected \(D,\)"),
        (lambda: layer_norm_forward(np.zeros((3, 0)), G, G), r"x: got shape \(3, 0\); expected \(..., D\)"),
        (lambda: layer_norm_forward(np.float64(1.0), G, G), r"x: got shape \(\); expected \(..., D\)"),
        (lambda: layer_norm_forward(X.astype(int), G, G), "x: got dtype int64; expected float32 or float64"),
        (lambda: layer_norm_forward(X, G.astype(complex), G), "gamma: got dtype complex128; expected"),
        (lambda: layer_norm_forward(X, G, G, eps=0.0), "eps: got 0.0; expected a number above 0"),
        (lambda: layer_norm_forward(X, G, G, eps="1e-5"), "eps: got '1e-5'; expected a number above 0"),
        (
            lambda: layer_norm_backward(X[:2], layer_norm_forward(X, G, G)[1]),
            r"dy: got shape \(2, 4\); expected \(3, 4",
        ),
        (lambda: layer_norm_backward(X.astype(int), layer_norm_forward(X, G, G)[1]), "dy: got dtype int64; expected"),
        (lambda: batch_norm_forward(X, G, G[:3], G, G, True), r"beta: got shape \(3,\); expected \(D,\)"),
        (lambda: batch_norm_forward(X, G, G, G[:3], G, True), r"running_mean: got shape \(3,\); expected \(D,\)"),
        (lambda: batch_norm_forward(X, G, G, G, G[:3], True), r"running_var: got shape \(3,\); expected \(D,\)"),
        (lambda: batch_norm_forward(X[:1], G, G, G, G, True), r"x: got shape \(1, 4\); expected at least 2 rows"),
        (lambda: batch_norm_forward(X, G, G, G, G, True, momentum=2.0), "momentum: got 2.0; expected a number from 0"),
        (lambda: batch_norm_forward(X, G, G, G, G, True, eps=-1.0), "eps: got -1.0; expected a number above 0"),
        (
            lambda: batch_norm_backward(X[:, :2], batch_norm_forward(X, G, G, G, G, False)[-1]),
            r"dy: got shape \(3, 2\); expected \(3, 4\)",
        ),
    ],
)
def test_a_wrong_argument_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
