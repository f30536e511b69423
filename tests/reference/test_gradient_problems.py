"""Jacobians against autograd and central differences, clipping and optimisers against torch's own, initialisers."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from solutions.with_numpy.gradient_problems import (
    AdamState,
    MomentumState,
    adam,
    clip_by_norm,
    clip_by_value,
    glorot,
    gradient_norms,
    identity_init,
    jacobian_product,
    momentum,
    orthogonal,
    sgd,
    spectral_radius,
    step_jacobian,
)
from solutions.with_numpy.recurrent_neurons import rnn_forward
from tests.reference.agreement import central_differences, read_only, relative_error, tensor

CLOSE = {np.float64: 1e-12, np.float32: 1e-5}
SIZES = [(1, 1, 1, 1), (3, 5, 2, 4), (2, 1, 3, 1), (1, 7, 1, 3), (4, 3, 5, 2)]
FUNCTIONS = {"tanh": torch.tanh, "relu": torch.relu, "identity": lambda a: a}
activations = pytest.mark.parametrize("activation", FUNCTIONS)
sizes = pytest.mark.parametrize("size", SIZES, ids=str)
dtypes = pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)


def arguments_of(size, rng: np.random.Generator, dtype=np.float64) -> list[np.ndarray]:
    """``x, h0, W_x, W_h, b``."""
    N, T, D, H = size
    shapes = (N, T, D), (N, H), (D, H), (H, H), (H,)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def lengths_of(kind: str, N: int, T: int) -> list[int] | None:
    return {
        "none": None,
        "mixed": [1 + (2 * n) % T for n in range(N)],
        "some 0": [0 if n % 2 == 0 else T for n in range(N)],
    }[kind]


# --- Jacobians --------------------------------------------------------------------------------------------------------


@activations
@sizes
def test_the_jacobian_of_a_step_equals_autograds_and_central_differences(size, activation, rng) -> None:
    N, _, _, H = size
    x, h_prev, W_x, W_h, b = arguments_of(size, rng)

    def step(state: np.ndarray) -> np.ndarray:
        return FUNCTIONS[activation](torch.as_tensor(x[:, 0] @ W_x + state @ W_h + b)).numpy()

    J = step_jacobian(step(h_prev), W_h, activation)
    assert J.shape == (N, H, H)
    for n in range(N):
        a = torch.as_tensor(x[n, 0] @ W_x + b)
        expected = torch.autograd.functional.jacobian(
            lambda state: FUNCTIONS[activation](a + state @ torch.as_tensor(W_h)),  # noqa: B023
            torch.as_tensor(h_prev[n]),
        )
        assert relative_error(J[n], expected.numpy()) < 1e-12
        for i in range(H):
            row = central_differences(lambda: float(step(h_prev)[n, i]), h_prev)[n]  # noqa: B023
            assert relative_error(J[n, i], row) < 1e-7


@dtypes
def test_any_axes_may_stand_before_the_state(dtype, rng) -> None:
    h, W_h = np.tanh(rng.normal(size=(2, 3, 4))).astype(dtype), rng.normal(size=(4, 4)).astype(dtype)
    J = step_jacobian(h, W_h)
    assert J.shape == (2, 3, 4, 4) and J.dtype == dtype
    assert np.array_equal(J[1], step_jacobian(h[1], W_h)) and np.array_equal(J[1, 2], step_jacobian(h[1, 2], W_h))
    assert step_jacobian(h[:, :0], W_h).shape == (2, 0, 4, 4)


def test_a_jacobian_carries_a_change_forward_and_its_transpose_a_gradient_back(rng) -> None:
    h_prev, W_h, small, g = rng.normal(size=4), rng.normal(size=(4, 4)), 1e-6 * rng.normal(size=4), rng.normal(size=4)
    J = step_jacobian(np.tanh(h_prev @ W_h), W_h)
    assert np.allclose(np.tanh((h_prev + small) @ W_h) - np.tanh(h_prev @ W_h), J @ small, atol=1e-10)
    state = tensor(h_prev, grad=True)
    torch.tanh(state @ tensor(W_h)).backward(tensor(g))
    assert relative_error(J.T @ g, state.grad.numpy()) < 1e-12


@activations
@pytest.mark.parametrize("kind", ["none", "mixed", "some 0"])
@sizes
def test_the_product_of_jacobians_is_the_last_state_by_the_first(size, kind, activation, rng) -> None:
    N, T, _, H = size
    x, h0, W_x, W_h, b = arguments_of(size, rng)
    lengths = lengths_of(kind, N, T)
    h, _, _ = rnn_forward(x, h0, W_x, W_h, b, activation, lengths)
    product = jacobian_product(h, W_h, activation, lengths)
    for n in range(N):
        for i in range(H):
            row = central_differences(
                lambda: float(rnn_forward(x, h0, W_x, W_h, b, activation, lengths)[1][n, i]),  # noqa: B023
                h0,
            )[n]
            error = np.linalg.norm(product[n, i] - row)
            assert error < 1e-7 * max(np.linalg.norm(row), 1)


@dtypes
def test_the_product_over_a_slice_is_the_product_of_its_steps(dtype, rng) -> None:
    x, h0, W_x, W_h, b = arguments_of((2, 6, 3, 4), rng, dtype)
    h, _, _ = rnn_forward(x, h0, W_x, W_h, b)
    whole = jacobian_product(h, W_h)
    assert whole.dtype == dtype
    assert relative_error(jacobian_product(h[:, 4:], W_h) @ jacobian_product(h[:, :4], W_h), whole) < CLOSE[dtype]
    J = [step_jacobian(h[:, t], W_h) for t in range(6)]
    assert relative_error(J[5] @ J[4] @ J[3] @ J[2] @ J[1] @ J[0], whole) < CLOSE[dtype]
    assert np.array_equal(jacobian_product(h[:, :0], W_h), np.tile(np.eye(4, dtype=dtype), (2, 1, 1)))


@pytest.mark.parametrize(("radius", "norm"), [(0.9, 0.0148), (1.0, 1.0), (1.1, 45.3)])
def test_forty_steps_shrink_or_grow_with_the_spectral_radius(radius, norm, rng) -> None:
    W_h = orthogonal((20, 20), rng, gain=radius)
    product = jacobian_product(np.zeros((1, 40, 20)), W_h)  # at h = 0 tanh has slope 1
    assert abs(spectral_radius(W_h) - radius) < 1e-12
    assert abs(np.linalg.norm(product[0], 2) - norm) < 0.005 * norm


@pytest.mark.parametrize("where", ["everywhere", "every step", "some steps", "last step", "final state"])
@pytest.mark.parametrize("kind", ["none", "mixed", "some 0"])
@activations
@sizes
def test_gradient_norms_are_those_of_autograds_states(size, activation, kind, where, rng) -> None:
    N, T, _, H = size
    x, h0, W_x, W_h, b = arguments_of(size, rng)
    lengths = lengths_of(kind, N, T)
    dh, dh_last = rng.normal(size=(N, T, H)), rng.normal(size=(N, H))
    if where == "some steps":
        dh[:, ::2] = 0
    if where == "last step":
        dh[:, :-1] = 0
    dh = None if where == "final state" else dh
    dh_last = dh_last if where in ("everywhere", "final state") else None
    cache = rnn_forward(x, h0, W_x, W_h, b, activation, lengths)[-1]
    norms = gradient_norms(dh, dh_last, cache)

    alive = torch.arange(T) < torch.as_tensor([T] * N if lengths is None else lengths)[:, None]
    state, states, loss = tensor(h0, grad=True), [], 0
    for t in range(T):
        new = FUNCTIONS[activation](tensor(x[:, t]) @ tensor(W_x) + state @ tensor(W_h) + tensor(b))
        new.retain_grad()
        states.append(new)
        state = torch.where(alive[:, t, None], new, state)
        if dh is not None:
            loss = loss + (new * tensor(dh[:, t]) * alive[:, t, None]).sum()
    if dh_last is not None:
        loss = loss + (state * tensor(dh_last)).sum()
    loss.backward()
    expected = np.stack([s.grad.norm(dim=1).numpy() for s in states], axis=1)
    assert norms.shape == (N, T)
    assert np.linalg.norm(norms - expected) <= 1e-10 * max(np.linalg.norm(expected), 1)


@dtypes
def test_gradient_norms_do_not_see_padding_or_change_their_inputs(dtype, rng) -> None:
    x, h0, W_x, W_h, b = arguments_of((3, 5, 2, 4), rng, dtype)
    dh, dh_last = rng.normal(size=(3, 5, 4)), rng.normal(size=(3, 4))
    ended = np.arange(5) >= np.array([5, 2, 0])[:, None]
    found = []
    for padding in (0.0, np.nan, 1e30):
        x[ended], dh[ended] = padding, padding
        cache = rnn_forward(x, h0, W_x, W_h, b, lengths=[5, 2, 0])[-1]
        found.append(gradient_norms(*read_only(dh, dh_last), cache))
    assert found[0].dtype == dtype and not found[0][ended].any()
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])
    assert gradient_norms(None, None, cache).shape == (3, 5) and not gradient_norms(None, None, cache).any()
    empty = rnn_forward(x[:, :0], h0, W_x, W_h, b)[-1]
    assert gradient_norms(dh[:, :0], dh_last, empty).shape == (3, 0)


@given(st.integers(1, 5), st.integers(0, 2**31))
def test_the_spectral_radius_of_a_product_of_known_eigenvalues(H, seed) -> None:
    rng = np.random.default_rng(seed)
    values, basis = rng.normal(size=H), rng.normal(size=(H, H)) + 3 * np.eye(H)
    W = np.linalg.solve(basis, np.diag(values) @ basis)
    assert np.isclose(spectral_radius(W), np.abs(values).max(), rtol=1e-6)
    assert np.isclose(spectral_radius(-2 * W.T), 2 * spectral_radius(W), rtol=1e-6)
    assert isinstance(spectral_radius(W.astype(np.float32)), float)


def test_the_spectral_radius_of_a_rotation_is_its_factor() -> None:
    turn = np.array([[np.cos(1.0), -np.sin(1.0)], [np.sin(1.0), np.cos(1.0)]])
    assert np.isclose(spectral_radius(0.7 * turn), 0.7)
    assert spectral_radius(np.array([[0.0, 5.0], [0.0, 0.0]])) == 0


# --- clipping ---------------------------------------------------------------------------------------------------------


class Three(NamedTuple):
    dW_x: np.ndarray
    dW_h: np.ndarray
    dp: np.ndarray | None


def containers(rng: np.random.Generator, dtype=np.float64) -> dict[str, object]:
    one, two = rng.normal(size=(2, 3)).astype(dtype), rng.normal(size=4).astype(dtype)
    return {
        "array": one,
        "list": [one, two],
        "tuple": (one, two),
        "dict": {"W": one, "b": two},
        "NamedTuple": Three(one, two, None),
        "nested": [{"W": one, "b": two}, (two, None)],
        "scalar": {"b_y": np.array(3.0, dtype)},
        "empty": [],
    }


def leaves(value) -> list[np.ndarray]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    if isinstance(value, (list, tuple)):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def form(value):
    """The container without its numbers: to see that a result has the form of what came in."""
    if isinstance(value, dict):
        return {key: form(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value), [form(part) for part in value]
    return None if value is None else (value.shape, value.dtype)


KINDS = ["array", "list", "tuple", "dict", "NamedTuple", "nested", "scalar", "empty"]


def torch_parameters(gradients) -> list[torch.nn.Parameter]:
    parameters = [torch.nn.Parameter(tensor(np.zeros_like(gradient))) for gradient in leaves(gradients)]
    for parameter, gradient in zip(parameters, leaves(gradients)):
        parameter.grad = tensor(gradient)
    return parameters


@dtypes
@pytest.mark.parametrize("max_norm", [0.0, 0.1, 2.0, 100.0, float("inf")])
@pytest.mark.parametrize("kind", KINDS)
def test_clipping_by_norm_equals_torchs(kind, max_norm, dtype, rng) -> None:
    gradients = containers(rng, dtype)[kind]
    kept = copy.deepcopy(gradients)
    clipped, norm = clip_by_norm(gradients, max_norm)
    parameters = torch_parameters(gradients)
    expected = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    assert form(clipped) == form(gradients) and isinstance(norm, float)
    assert abs(norm - float(expected)) <= CLOSE[dtype] * norm
    for got, parameter, before, given_in in zip(leaves(clipped), parameters, leaves(kept), leaves(gradients)):
        assert relative_error(got, parameter.grad.numpy()) < CLOSE[dtype]
        assert np.array_equal(before, given_in) and not np.shares_memory(got, given_in)


@dtypes
@pytest.mark.parametrize("value", [0.0, 0.5, 100.0])
@pytest.mark.parametrize("kind", KINDS)
def test_clipping_by_value_equals_torchs(kind, value, dtype, rng) -> None:
    gradients = containers(rng, dtype)[kind]
    clipped = clip_by_value(gradients, value)
    parameters = torch_parameters(gradients)
    if parameters:  # torch does not take none
        torch.nn.utils.clip_grad_value_(parameters, value)
    assert form(clipped) == form(gradients)
    for got, parameter, given_in in zip(leaves(clipped), parameters, leaves(gradients)):
        assert np.array_equal(got, parameter.grad.numpy()) and not np.shares_memory(got, given_in)


@given(st.integers(0, 2**31), st.floats(0.01, 100))
def test_clipping_by_norm_keeps_the_direction_and_bounds_the_length(seed, max_norm) -> None:
    gradients = containers(np.random.default_rng(seed))["dict"]
    clipped, norm = clip_by_norm(gradients, max_norm)
    before, after = (np.concatenate([leaf.ravel() for leaf in leaves(tree)]) for tree in (gradients, clipped))
    assert np.isclose(norm, np.linalg.norm(before))
    assert np.linalg.norm(after) <= max_norm and np.isclose(np.linalg.norm(after), min(norm, max_norm), rtol=1e-4)
    assert np.isclose(before @ after, np.linalg.norm(before) * np.linalg.norm(after))


def test_a_gradient_that_is_not_finite_shows_in_the_norm() -> None:
    for bad in (np.nan, np.inf):
        clipped, norm = clip_by_norm([np.array([1.0, bad])], 1.0)
        assert not np.isfinite(norm) and np.isnan(clipped[0][1])
    large = np.full(3, 1e30, np.float32)  # its squares overflow float32, not the norm
    assert np.isclose(clip_by_norm(large, 1.0)[1], np.sqrt(3) * 1e30)


# --- initialisers -----------------------------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 7), (7, 3), (1, 5), (5, 1)], ids=str)
def test_orthogonal_has_orthonormal_rows_or_columns(shape, dtype, rng) -> None:
    W = orthogonal(shape, rng, gain=1.5, dtype=dtype)
    assert W.shape == shape and W.dtype == dtype and W.flags.c_contiguous
    products = W @ W.T if shape[0] <= shape[1] else W.T @ W
    assert np.allclose(products, 1.5**2 * np.eye(min(shape)), atol=1e-12 if dtype == np.float64 else 1e-5)


def test_orthogonal_is_uniform_over_the_orthogonal_matrices() -> None:
    rng = np.random.default_rng(0)
    draws = np.stack([orthogonal((3, 3), rng) for _ in range(4000)])
    assert np.abs(draws.mean(axis=0)).max() < 0.05  # without the signs of R, the diagonal is far from 0 on average
    assert np.abs((draws**2).mean(axis=0) - 1 / 3).max() < 0.03
    assert abs(np.linalg.det(draws).mean()) < 0.05 and abs(orthogonal((1, 1), rng).item()) == 1


@dtypes
@pytest.mark.parametrize("shape", [(200, 300), (300, 100), (1, 1)], ids=str)
def test_glorot_has_the_range_and_the_variance_of_torchs(shape, dtype, rng) -> None:
    W = glorot(shape, rng, gain=2.0, dtype=dtype)
    limit = 2 * np.sqrt(6 / sum(shape))
    assert W.shape == shape and W.dtype == dtype and np.abs(W).max() <= limit
    if W.size > 1:
        theirs = torch.nn.init.xavier_uniform_(torch.empty(shape), gain=2.0)
        assert np.isclose(W.std(), float(theirs.std()), rtol=0.02) and np.isclose(
            W.std(), limit / np.sqrt(3), rtol=0.01
        )
        assert abs(W.mean()) < 0.01 * limit and np.abs(W).max() > 0.99 * limit


def test_the_identity_keeps_a_relu_state_that_nothing_adds_to() -> None:
    rng = np.random.default_rng(0)
    W_h = identity_init((4, 4), rng)
    h0 = np.abs(rng.normal(size=(2, 4)))
    h, _, _ = rnn_forward(np.zeros((2, 30, 3)), h0, glorot((3, 4), rng), W_h, np.zeros(4), "relu")
    assert np.array_equal(h, np.repeat(h0[:, None], 30, axis=1))
    assert np.array_equal(identity_init((2, 3), gain=0.5, dtype=np.float32), np.eye(2, 3, dtype=np.float32) / 2)
    assert identity_init((2, 3), dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize("initialiser", [orthogonal, glorot])
def test_the_same_generator_gives_the_same_matrix_and_moves_on(initialiser) -> None:
    rng = np.random.default_rng(7)
    first, second = initialiser((3, 4), rng), initialiser((3, 4), rng)
    assert np.array_equal(first, initialiser((3, 4), np.random.default_rng(7))) and not np.array_equal(first, second)


# --- optimisers -------------------------------------------------------------------------------------------------------

OPTIMISERS = {
    "sgd": (sgd, {"lr": 0.03}, torch.optim.SGD, {"lr": 0.03}),
    "momentum": (momentum, {"lr": 0.03, "beta": 0.8}, torch.optim.SGD, {"lr": 0.03, "momentum": 0.8}),
    "adam": (adam, {"lr": 0.02}, torch.optim.Adam, {"lr": 0.02}),
    "adam, other betas": (
        adam,
        {"lr": 0.02, "beta1": 0.5, "beta2": 0.7, "eps": 1e-3},
        torch.optim.Adam,
        {"lr": 0.02, "betas": (0.5, 0.7), "eps": 1e-3},
    ),
    "adam, no memory": (
        adam,
        {"lr": 0.02, "beta1": 0.0, "beta2": 0.0},
        torch.optim.Adam,
        {"lr": 0.02, "betas": (0.0, 0.0)},
    ),
    "the defaults of adam": (adam, {}, torch.optim.Adam, {}),
    "the defaults of sgd": (sgd, {}, torch.optim.SGD, {"lr": 1e-2}),
}


def random_like(value, rng: np.random.Generator):
    if value is None:
        return None
    if isinstance(value, dict):
        return {key: random_like(part, rng) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [random_like(part, rng) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return rng.normal(size=value.shape).astype(value.dtype)


@dtypes
@pytest.mark.parametrize("kind", KINDS[:-1])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_equals_torchs_over_many_steps(name, kind, dtype, rng) -> None:
    ours, options, theirs, torch_options = OPTIMISERS[name]
    parameters, state = containers(rng, dtype)[kind], None
    twins = [torch.nn.Parameter(tensor(leaf)) for leaf in leaves(parameters)]
    optimiser = theirs(twins, **torch_options)
    for _ in range(100):
        gradients = random_like(parameters, rng)
        before, before_state = copy.deepcopy((parameters, gradients)), copy.deepcopy(state)
        moved, new_state = ours(parameters, gradients, state, **options)
        for one, two in zip(leaves(before), leaves((parameters, gradients))):
            assert np.array_equal(one, two)
        if name.startswith("adam") and state is not None:
            assert before_state.step == state.step and new_state.step == state.step + 1
        for kept, given_in in zip(leaves(list(before_state or ())[1:]), leaves(list(state or ())[1:])):
            assert np.array_equal(kept, given_in)
        for one, two in zip(leaves(moved), leaves(parameters)):
            assert not np.shares_memory(one, two)
        for twin, gradient in zip(twins, leaves(gradients)):
            twin.grad = tensor(gradient)
        optimiser.step()
        parameters, state = moved, new_state
    assert form(parameters) == form(containers(rng, dtype)[kind])
    for got, twin in zip(leaves(parameters), twins):
        assert relative_error(got, twin.detach().numpy()) < CLOSE[dtype]


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimiser_descends_a_bowl(name) -> None:
    ours = OPTIMISERS[name][0]
    target, p, state = np.array([1.0, -2.0]), np.zeros(2), None
    for _ in range(1500):
        p, state = ours(p, p - target, state, lr=0.02)
    assert np.allclose(p, target, atol=1e-2)


def test_the_states_name_what_they_hold() -> None:
    p, g = {"W": np.ones(2)}, {"W": np.full(2, 2.0)}
    assert np.array_equal(momentum(p, g)[1].velocity["W"], [2, 2])
    state = adam(p, g, beta1=0.75, beta2=0.5)[1]
    assert state.step == 1
    assert np.array_equal(state.mean["W"], [0.5, 0.5]) and np.array_equal(state.square["W"], [2, 2])
    assert sgd(p, g)[1] is None


def test_gradients_of_another_precision_follow_the_parameters() -> None:
    for optimiser in (sgd, momentum, adam):
        assert optimiser(np.ones(2, np.float32), np.ones(2))[0].dtype == np.float32


# --- errors -----------------------------------------------------------------------------------------------------------

H, W = np.zeros((2, 3, 4)), np.eye(4)
CACHE = rnn_forward(np.zeros((2, 3, 1)), None, np.zeros((1, 4)), W, np.zeros(4))[-1]
P = {"W": np.zeros((2, 3)), "b": np.zeros(3)}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: step_jacobian(H, np.eye(3)), r"W_h: got shape \(3, 3\); expected \(H, H\) with H = 4 from h_t"),
        (lambda: step_jacobian(np.float64(1.0), W), "h_t: got one number; expected"),
        (lambda: step_jacobian(H.astype(int), W), "h_t: got dtype int64; expected float32 or float64"),
        (lambda: step_jacobian(H, W.astype(complex)), "W_h: got dtype complex128; expected"),
        (lambda: step_jacobian(H, W, "gelu"), "activation: got 'gelu'; expected one of 'tanh', 'relu', 'identity'"),
        (lambda: jacobian_product(H[0], W), r"h: got shape \(3, 4\); expected \(N, T, H\)"),
        (lambda: jacobian_product(H, W[:3]), r"W_h: got shape \(3, 4\); expected \(H, H\)"),
        (lambda: jacobian_product(H, W, "gelu"), "activation: got 'gelu'"),
        (lambda: jacobian_product(H, W, lengths=[1, 4]), "lengths: got values from 1 to 4; expected 0 to T = 3"),
        (lambda: gradient_norms(H[:1], None, CACHE), r"dh: got shape \(1, 3, 4\); expected \(N, T, H\) with N = 2"),
        (lambda: gradient_norms(None, H[:, 0, :2], CACHE), r"dh_last: got shape \(2, 2\); expected \(N, H\)"),
        (lambda: gradient_norms(H.astype(int), None, CACHE), "dh: got dtype int64; expected"),
        (lambda: spectral_radius(np.zeros((2, 3))), r"W: got shape \(2, 3\); expected \(H, H\)"),
        (lambda: spectral_radius(np.zeros((2, 2), int)), "W: got dtype int64; expected"),
        (lambda: spectral_radius(np.full((2, 2), np.nan)), "W: got numbers that are not finite"),
        (lambda: clip_by_norm(P, -1.0), "max_norm: got -1.0; expected a number from 0 up"),
        (lambda: clip_by_norm(P, np.nan), "max_norm: got nan; expected a number from 0 up"),
        (lambda: clip_by_norm(P, "1"), "max_norm: got '1'; expected a number from 0 up"),
        (lambda: clip_by_norm([np.arange(3)], 1.0), "gradients: got dtype int64; expected float32 or float64"),
        (lambda: clip_by_value(P, -1.0), "value: got -1.0; expected a number from 0 up"),
        (lambda: clip_by_value([np.arange(3)], 1.0), "gradients: got dtype int64; expected"),
        (lambda: orthogonal(4, np.random.default_rng(0)), r"shape: got 4; expected \(rows, columns\)"),
        (lambda: glorot((4, 0), np.random.default_rng(0)), r"shape: got \(4, 0\); expected \(rows, columns\)"),
        (lambda: identity_init((4, 2.0)), r"shape: got \(4, 2.0\); expected \(rows, columns\)"),
        (lambda: orthogonal((4, 4), 0), "rng: got int; expected a generator"),
        (lambda: glorot((4, 4), np.random), "rng: got module; expected a generator"),
        (lambda: identity_init((4, 4), 0.5), "rng: got float; expected a generator"),
        (lambda: orthogonal((2, 2), np.random.default_rng(0), gain="2"), "gain: got '2'; expected a number"),
        (lambda: glorot((2, 2), np.random.default_rng(0), dtype=int), "dtype: got <class 'int'>; expected float32"),
        (lambda: identity_init((2, 2), dtype="float16"), "dtype: got 'float16'; expected float32 or float64"),
        (lambda: sgd(P, P, lr=-1.0), "lr: got -1.0; expected a number from 0 up"),
        (lambda: sgd(P, P, 3), "state: got int; expected None"),
        (lambda: sgd(P, {"W": P["W"]}), r"gradients: got keys \['W'\]; expected \['W', 'b'\], as the parameters"),
        (lambda: sgd(P, [P["W"], P["b"]]), "gradients: got list; expected dict, as the parameters"),
        (lambda: sgd([P["W"]], [P["b"]]), r"gradients\[0\]: got shape \(3,\); expected \(2, 3\), as the parameters"),
        (lambda: sgd([P["W"]], [P["W"]] * 2), "gradients: got 2 of them; expected 1, as the parameters"),
        (lambda: sgd([P["W"]], P["W"]), "gradients: got ndarray; expected 1, as the parameters"),
        (lambda: sgd(P, P | {"b": None}), r"gradients\['b'\]: got NoneType; expected ndarray, as the parameters"),
        (lambda: sgd([np.arange(3)], [np.zeros(3)]), "parameters: got dtype int64; expected"),
        (lambda: sgd([np.zeros(3)], [np.arange(3)]), "gradients: got dtype int64; expected"),
        (lambda: momentum(P, P, beta=1.0), "beta: got 1.0; expected a number from 0 to below 1"),
        (lambda: momentum(P, P, AdamState(0, P, P)), "state: got AdamState; expected None or MomentumState"),
        (lambda: momentum(P, P, MomentumState({})), r"state.velocity: got keys \[\]; expected \['W', 'b'\]"),
        (lambda: adam(P, P, MomentumState(P)), "state: got MomentumState; expected None or AdamState"),
        (lambda: adam(P, P, AdamState(1, P, {"W": P["b"], "b": P["b"]})), r"state.square\['W'\]: got shape \(3,\)"),
        (lambda: adam(P, P, lr="fast"), "lr: got 'fast'; expected a number from 0 up"),
        (lambda: adam(P, P, beta1=-0.1), "beta1: got -0.1; expected a number from 0 to below 1"),
        (lambda: adam(P, P, beta2=1), "beta2: got 1; expected a number from 0 to below 1"),
        (lambda: adam(P, P, eps=-1e-8), "eps: got -1e-08; expected a number from 0 up"),
    ],
)
def test_a_wrong_argument_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
