"""Backpropagation through time against autograd and central differences, for every input, weight and upstream."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from solutions.with_numpy.bptt import (
    RNNGradients,
    gradient_error,
    numerical_gradient,
    rnn_backward,
    rnn_step_backward,
    truncated_bptt,
)
from solutions.with_numpy.recurrent_neurons import rnn_forward, rnn_step
from tests.reference.agreement import central_differences, read_only, relative_error, tensor

ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "identity": lambda a: a}
SIZES = [(1, 1, 1, 1), (3, 5, 2, 4), (2, 1, 3, 1), (1, 7, 1, 3), (4, 3, 5, 2), (2, 6, 1, 1)]
LENGTHS = ["none", "equal", "mixed", "some 0"]
UPSTREAMS = ["every step and the state", "every step", "some steps", "the last step", "the state"]
INPUTS = ("x", "h0", "W_x", "W_h", "b")


def problem(rng: np.random.Generator, N: int, T: int, D: int, H: int) -> list[np.ndarray]:
    """``x, h0, W_x, W_h, b``: no weight near 0, and sums so small that tanh keeps a slope over all steps."""

    def away_from_zero(*shape: int) -> np.ndarray:
        return rng.uniform(0.4, 1.0, shape) * rng.choice([-1, 1], shape)

    W_x, W_h, b = away_from_zero(D, H) / D, away_from_zero(H, H) / H**0.5, away_from_zero(H) / 4
    return [rng.normal(size=(N, T, D)), rng.normal(size=(N, H)), W_x, W_h, b]


def lengths_of(kind: str, N: int, T: int) -> list[int] | None:
    return {
        "none": None,
        "equal": [T] * N,
        "mixed": [1 + (2 * n) % T for n in range(N)],
        "some 0": [0 if n % 2 == 0 else T for n in range(N)],
    }[kind]


def upstream_of(kind: str, rng, N: int, T: int, H: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """``dh, dh_last`` of a loss that uses those outputs only."""
    dh, dh_last = rng.normal(size=(N, T, H)), rng.normal(size=(N, H))
    if kind == "some steps":
        dh[:, ::2] = 0
    if kind == "the last step":
        dh[:, :-1] = 0
    return {
        "every step and the state": (dh, dh_last),
        "the state": (None, dh_last),
    }.get(kind, (dh, None))


def torch_outputs(inputs: list[torch.Tensor], activation: str, lengths, chunk: int | None = None):
    """Each sequence alone, cut to its own length, from the equation; the graph is cut before every chunk but the first.

    Where ``torch.nn`` has the layer, ``test_recurrent_neurons`` shows the forward pass to be the same as its.
    """
    x, h0, W_x, W_h, b = inputs
    N, T, _ = x.shape
    rows, states = [], []
    for n in range(N):
        h, outputs = h0[n], []
        for t in range(T if lengths is None else lengths[n]):
            if chunk and t and t % chunk == 0:
                h = h.detach()
            h = ACTIVATIONS[activation](x[n, t] @ W_x + h @ W_h + b)
            outputs.append(h)
        rows.append(torch.stack(outputs + [torch.zeros_like(h0[n])] * (T - len(outputs))))
        states.append(h)
    return torch.stack(rows), torch.stack(states)


def autograd(arrays, activation, lengths, dh, dh_last, chunk: int | None = None) -> RNNGradients:
    inputs = [tensor(array, grad=True) for array in arrays]
    h, h_last = torch_outputs(inputs, activation, lengths, chunk)
    loss = sum(
        ((out * tensor(up)).sum() for out, up in ((h, dh), (h_last, dh_last)) if up is not None), 0 * inputs[1].sum()
    )
    found = torch.autograd.grad(loss, inputs, allow_unused=True, materialize_grads=True)
    return RNNGradients(*(gradient.numpy() for gradient in found))


def weighted(outputs: tuple, upstream: tuple) -> float:
    """The loss whose derivatives by the outputs are ``upstream``."""
    return sum(float((out * up).sum()) for out, up in zip(outputs, upstream) if up is not None)


# --- a step -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 2, 4), (2, 3, 1), (4, 1, 2)], ids=str)
def test_a_step_back_equals_autograd_and_central_differences(size, activation, rng) -> None:
    N, D, H = size
    arrays = [rng.normal(size=shape) for shape in ((N, D), (N, H), (D, H), (H, H), (H,))]
    dh_t = rng.normal(size=(N, H))
    got = rnn_step_backward(dh_t, rnn_step(*arrays, activation)[1])
    x_t, h_prev, W_x, W_h, b = tensors = [tensor(array, grad=True) for array in arrays]
    h_t = ACTIVATIONS[activation](x_t @ W_x + h_prev @ W_h + b)
    expected = torch.autograd.grad((h_t * tensor(dh_t)).sum(), tensors)
    for name, one, two, array in zip(got._fields, got, expected, arrays):
        assert relative_error(one, two.numpy()) < 1e-12, name
        moved = central_differences(lambda: float((rnn_step(*arrays, activation)[0] * dh_t).sum()), array)
        assert relative_error(one, moved) < 1e-7, name


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_steps_back_one_after_another_are_the_layer(activation, rng) -> None:
    x, h0, *weights = problem(rng, 3, 5, 2, 4)
    dh, dh_last = upstream_of("every step and the state", rng, 3, 5, 4)
    expected = rnn_backward(dh, dh_last, rnn_forward(x, h0, *weights, activation)[2])
    caches, h_t = [], h0
    for t in range(5):
        h_t, cache = rnn_step(x[:, t], h_t, *weights, activation)
        caches.append(cache)
    dh_next, sums, dx = dh_last, [0.0, 0.0, 0.0], np.zeros_like(x)
    for t in reversed(range(5)):
        step = rnn_step_backward(dh[:, t] + dh_next, caches[t])
        dx[:, t], dh_next = step.dx_t, step.dh_prev
        sums = [total + part for total, part in zip(sums, (step.dW_x, step.dW_h, step.db))]
    for name, one, two in zip(expected._fields, expected, (dx, dh_next, *sums)):
        assert relative_error(one, two) < 1e-13, name


# --- a layer ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gradients_equal_autograd(size, activation, upstream, kind, rng) -> None:
    N, T, D, H = size
    arrays, lengths = problem(rng, *size), lengths_of(kind, N, T)
    dh, dh_last = upstream_of(upstream, rng, N, T, H)
    got = rnn_backward(dh, dh_last, rnn_forward(*arrays, activation, lengths)[2])
    for name, one, two in zip(got._fields, got, autograd(arrays, activation, lengths, dh, dh_last)):
        assert relative_error(one, two) < 1e-10, name


@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("size", [(3, 4, 2, 3), (2, 1, 1, 2), (1, 3, 3, 1)], ids=str)
def test_gradients_equal_central_differences(size, activation, upstream, kind, rng) -> None:
    N, T, D, H = size
    arrays, lengths = problem(rng, *size), lengths_of(kind, N, T)
    both = upstream_of(upstream, rng, N, T, H)
    got = rnn_backward(*both, rnn_forward(*arrays, activation, lengths)[2])
    for name, one, array in zip(got._fields, got, arrays):
        moved = central_differences(lambda: weighted(rnn_forward(*arrays, activation, lengths)[:2], both), array)
        assert relative_error(one, moved) < 1e-7, name


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
@pytest.mark.parametrize("initial", [True, False], ids=["h0", "no h0"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_gradients_equal_those_of_torchs_layer(size, initial, nonlinearity, rng) -> None:
    N, T, D, H = size
    x, h0, W_x, W_h, b = problem(rng, *size)
    dh, dh_last = upstream_of("every step and the state", rng, N, T, H)
    layer = torch.nn.RNN(D, H, nonlinearity=nonlinearity, batch_first=True, dtype=torch.float64)
    layer.load_state_dict(
        dict(zip(layer.state_dict(), map(torch.tensor, map(np.ascontiguousarray, (W_x.T, W_h.T, b, 0 * b)))))
    )
    inputs = [tensor(x, grad=True), tensor(h0 if initial else 0 * h0, grad=True)]
    h, h_last = layer(inputs[0], inputs[1][None])
    loss = (h * tensor(dh)).sum() + (h_last[0] * tensor(dh_last)).sum()
    dx, dh0, dW_x, dW_h, db, _ = (g.numpy() for g in torch.autograd.grad(loss, [*inputs, *layer.parameters()]))
    got = rnn_backward(dh, dh_last, rnn_forward(x, h0 if initial else None, W_x, W_h, b, nonlinearity)[2])
    for name, one, two in zip(got._fields, got, (dx, dh0, dW_x.T, dW_h.T, db)):
        assert relative_error(one, two) < 1e-10, name


@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_float32_stays_float32_and_agrees_with_float64(activation, kind, rng) -> None:
    arrays, lengths = problem(rng, 3, 5, 2, 4), lengths_of(kind, 3, 5)
    both = upstream_of("every step and the state", rng, 3, 5, 4)
    single = [array.astype(np.float32) for array in arrays]
    got = rnn_backward(*(up.astype(np.float32) for up in both), rnn_forward(*single, activation, lengths)[2])
    expected = rnn_backward(*both, rnn_forward(*arrays, activation, lengths)[2])
    for name, one, two in zip(got._fields, got, expected):
        assert one.dtype == np.float32 and two.dtype == np.float64, name
        assert relative_error(one, two) < 1e-5, name


def test_relu_at_exactly_zero_has_no_slope() -> None:
    """A unit that sits on the kink lets nothing through, as in PyTorch."""
    _, _, cache = rnn_forward(np.zeros((1, 2, 1)), None, np.ones((1, 1)), np.ones((1, 1)), np.zeros(1), "relu")
    assert not np.any(rnn_backward(np.ones((1, 2, 1)), None, cache).dx)


@pytest.mark.parametrize("kind", LENGTHS)
def test_no_upstream_gradient_gives_zero_gradients_of_the_right_shapes(kind, rng) -> None:
    arrays = problem(rng, 3, 5, 2, 4)
    got = rnn_backward(None, None, rnn_forward(*arrays, lengths=lengths_of(kind, 3, 5))[2])
    for one, array in zip(got, arrays):
        assert one.shape == array.shape and not one.any()


def test_a_sequence_of_no_steps_hands_the_final_states_gradient_to_the_initial_state(rng) -> None:
    arrays, dh_last = problem(rng, 2, 0, 3, 4), rng.normal(size=(2, 4))
    got = rnn_backward(np.zeros((2, 0, 4)), dh_last, rnn_forward(*arrays)[2])
    assert np.array_equal(got.dh0, dh_last) and not np.shares_memory(got.dh0, dh_last)
    for one, array in zip(got, arrays):
        assert one.shape == array.shape
    assert not any(gradient.any() for gradient in got[2:])


def test_gradients_flow_through_the_outputs_that_the_loss_uses_and_no_other(rng) -> None:
    arrays = problem(rng, 2, 6, 3, 4)
    dh = np.zeros((2, 6, 4))
    dh[:, 2] = rng.normal(size=(2, 4))
    dx = rnn_backward(dh, None, rnn_forward(*arrays)[2]).dx
    assert np.all(np.abs(dx[:, :3]).sum(axis=-1) > 0) and not dx[:, 3:].any()


@pytest.mark.parametrize("lengths", [None, [5, 2, 0]], ids=str)
def test_nothing_that_goes_in_is_changed_and_twice_gives_the_same(lengths, rng) -> None:
    arrays = read_only(*problem(rng, 3, 5, 2, 4))
    dh, dh_last = read_only(*upstream_of("every step and the state", rng, 3, 5, 4))
    cache = rnn_forward(*arrays, lengths=lengths)[2]
    cache.states.flags.writeable = False
    first, second = rnn_backward(dh, dh_last, cache), rnn_backward(dh, dh_last, cache)
    for one, two in zip(first, second):
        assert np.array_equal(one, two) and one.flags.writeable
        assert not any(np.shares_memory(one, array) for array in (*arrays, dh, dh_last, cache.states))


def test_strided_inputs_give_the_same(rng) -> None:
    x, h0, W_x, W_h, b = problem(rng, 3, 5, 2, 4)
    dh, dh_last = upstream_of("every step and the state", rng, 3, 5, 4)
    expected = rnn_backward(dh, dh_last, rnn_forward(x, h0, W_x, W_h, b, lengths=[5, 2, 0])[2])
    cache = rnn_forward(np.asfortranarray(x), h0, W_x.T.copy().T, W_h.T.copy().T, b, lengths=[5, 2, 0])[2]
    got = rnn_backward(np.asfortranarray(dh), np.repeat(dh_last, 2, axis=1)[:, ::2], cache)
    for one, two in zip(got, expected):
        assert relative_error(one, two) < 1e-13


@pytest.mark.parametrize(
    ("dh", "dh_last", "words"),
    [
        (np.zeros((3, 4, 4)), None, r"dh: got shape \(3, 4, 4\); expected \(N, T, H\) with N = 3 from x, T = 5 from x"),
        (np.zeros((3, 5, 3)), None, "H = 4 from W_h"),
        (None, np.zeros((2, 4)), r"dh_last: got shape \(2, 4\); expected \(N, H\)"),
        (np.zeros((3, 5, 4), int), None, "dh: got dtype int64; expected float32 or float64"),
        (None, np.zeros((3, 4), complex), "dh_last: got dtype complex128"),
    ],
)
def test_a_wrong_upstream_gradient_says_what_was_got_and_expected(dh, dh_last, words: str, rng) -> None:
    cache = rnn_forward(*problem(rng, 3, 5, 2, 4))[2]
    with pytest.raises(ValueError, match=words):
        rnn_backward(dh, dh_last, cache)


def test_a_wrong_upstream_gradient_of_a_step_says_what_was_got_and_expected(rng) -> None:
    cache = rnn_step(*(rng.normal(size=shape) for shape in ((3, 2), (3, 4), (2, 4), (4, 4), (4,))))[1]
    with pytest.raises(ValueError, match=r"dh_t: got shape \(4,\); expected \(N, H\)"):
        rnn_step_backward(np.zeros(4), cache)
    with pytest.raises(ValueError, match="dh_t: got dtype"):
        rnn_step_backward(np.zeros((3, 4), int), cache)


# --- properties -------------------------------------------------------------------------------------------------------

SMALL = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**31))


@given(SMALL, st.sampled_from(sorted(ACTIVATIONS)))
def test_padding_never_matters_and_gets_no_gradient(size, activation) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    arrays, both = problem(rng, N, T, D, H), upstream_of("every step and the state", rng, N, T, H)
    lengths = rng.integers(0, T + 1, size=N)
    padding = np.arange(T) >= lengths[:, None]
    expected = rnn_backward(*both, rnn_forward(*arrays, activation, lengths)[2])
    arrays[0][padding], both[0][padding] = np.nan, np.nan
    got = rnn_backward(*both, rnn_forward(*arrays, activation, lengths)[2])
    assert not expected.dx[padding].any()
    for one, two in zip(got, expected):
        assert np.array_equal(one, two)


@given(SMALL, st.integers(0, 6))
def test_two_halves_with_state_and_gradient_handed_over_give_the_whole(size, cut) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    x, h0, *weights = problem(rng, N, T, D, H)
    dh, dh_last = upstream_of("every step and the state", rng, N, T, H)
    whole = rnn_backward(dh, dh_last, rnn_forward(x, h0, *weights)[2])
    cut = min(cut, T)
    _, middle, first = rnn_forward(x[:, :cut], h0, *weights)
    _, _, second = rnn_forward(x[:, cut:], middle, *weights)
    late = rnn_backward(dh[:, cut:], dh_last, second)
    early = rnn_backward(dh[:, :cut], late.dh0, first)
    assert relative_error(np.concatenate([early.dx, late.dx], axis=1), whole.dx) < 1e-12
    assert relative_error(early.dh0, whole.dh0) < 1e-12
    for one, two, both in zip(early[2:], late[2:], whole[2:]):
        assert relative_error(one + two, both) < 1e-12


@given(SMALL)
def test_a_batch_is_the_sum_of_its_rows(size) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    x, h0, *weights = problem(rng, N, T, D, H)
    dh, dh_last = upstream_of("every step and the state", rng, N, T, H)
    lengths = rng.integers(0, T + 1, size=N)
    whole = rnn_backward(dh, dh_last, rnn_forward(x, h0, *weights, lengths=lengths)[2])
    rows = []
    for row in (slice(n, n + 1) for n in range(N)):
        cache = rnn_forward(x[row], h0[row], *weights, lengths=lengths[row])[2]
        rows.append(rnn_backward(dh[row], dh_last[row], cache))
    assert relative_error(np.concatenate([row.dx for row in rows]), whole.dx) < 1e-12
    assert relative_error(np.concatenate([row.dh0 for row in rows]), whole.dh0) < 1e-12
    for position in (2, 3, 4):
        assert relative_error(sum(row[position] for row in rows), whole[position]) < 1e-12


@given(SMALL)
def test_a_permutation_of_hidden_units_permutes_the_gradients(size) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    x, h0, W_x, W_h, b = problem(rng, N, T, D, H)
    dh, dh_last = upstream_of("every step and the state", rng, N, T, H)
    p = rng.permutation(H)
    got = rnn_backward(dh, dh_last, rnn_forward(x, h0, W_x, W_h, b)[2])
    cache = rnn_forward(x, h0[:, p], W_x[:, p], W_h[np.ix_(p, p)], b[p])[2]
    permuted = rnn_backward(dh[..., p], dh_last[:, p], cache)
    expected = got.dx, got.dh0[:, p], got.dW_x[:, p], got.dW_h[np.ix_(p, p)], got.db[p]
    for one, two in zip(permuted, expected):
        assert relative_error(one, two) < 1e-12


@given(SMALL)
def test_the_backward_pass_is_linear_in_the_upstream_gradients(size) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    cache = rnn_forward(*problem(rng, N, T, D, H), lengths=rng.integers(0, T + 1, size=N))[2]
    dh, dh_last = upstream_of("every step and the state", rng, N, T, H)
    both, outputs, state = (rnn_backward(*up, cache) for up in ((dh, -2 * dh_last), (dh, None), (None, dh_last)))
    for whole, one, two in zip(both, outputs, state):
        assert relative_error(whole, one - 2 * two) < 1e-12


# --- in chunks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 7, 9])
def test_chunks_equal_autograd_with_the_state_detached_between_them(chunk, upstream, kind, rng) -> None:
    arrays, lengths = problem(rng, 3, 7, 2, 4), lengths_of(kind, 3, 7)
    dh, dh_last = upstream_of(upstream, rng, 3, 7, 4)
    h, h_last, got = truncated_bptt(*arrays, dh, chunk, dh_last, lengths=lengths)
    for name, one, two in zip(got._fields, got, autograd(arrays, "tanh", lengths, dh, dh_last, chunk)):
        assert relative_error(one, two) < 1e-10, name
    for one, two in zip((h, h_last), rnn_forward(*arrays, lengths=lengths)):
        assert relative_error(one, two) < 1e-13


@pytest.mark.parametrize("initial", [True, False], ids=["h0", "no h0"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("size", [*SIZES, (2, 0, 3, 4)], ids=str)
def test_one_chunk_is_full_backpropagation(size, activation, initial, rng) -> None:
    N, T, D, H = size
    x, h0, *weights = problem(rng, *size)
    state = h0 if initial else None
    dh, dh_last = upstream_of("every step and the state", rng, N, T, H)
    lengths = [n % (T + 1) for n in range(N)]
    _, _, cache = rnn_forward(x, state, *weights, activation, lengths)
    expected = rnn_backward(dh, dh_last, cache)
    for chunk in (max(T, 1), T + 3):
        got = truncated_bptt(x, state, *weights, dh, chunk, dh_last, activation, lengths)
        for name, one, two in zip(expected._fields, got[2], expected):
            assert np.array_equal(one, two), name


def test_chunks_differ_from_full_backpropagation(rng) -> None:
    """The short cut has its price: the gradient of the recurrent weights is another one."""
    arrays, (dh, dh_last) = problem(rng, 3, 7, 2, 4), upstream_of("every step and the state", rng, 3, 7, 4)
    full = rnn_backward(dh, dh_last, rnn_forward(*arrays)[2])
    assert relative_error(truncated_bptt(*arrays, dh, 2, dh_last)[2].dW_h, full.dW_h) > 0.01


def test_a_function_gives_the_upstream_gradient_of_a_loss_on_each_chunks_outputs(rng) -> None:
    arrays, target = problem(rng, 3, 7, 2, 4), rng.normal(size=(3, 7, 4))
    seen = []

    def squared_error(h, steps):
        seen.append((steps.start, steps.stop))
        dh = h - target[:, steps]
        h[:] = 0  # the function has its own copy
        return dh

    h, _, got = truncated_bptt(*arrays, squared_error, 3)
    assert seen == [(0, 3), (3, 6), (6, 7)]
    expected = truncated_bptt(*arrays, rnn_forward(*arrays)[0] - target, 3)
    assert np.array_equal(h, expected[0])
    for one, two in zip(got, expected[2]):
        assert np.array_equal(one, two)


@given(SMALL, st.integers(1, 7))
def test_in_chunks_padding_never_matters(size, chunk) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    arrays, (dh, dh_last) = problem(rng, N, T, D, H), upstream_of("every step and the state", rng, N, T, H)
    lengths = rng.integers(0, T + 1, size=N)
    padding = np.arange(T) >= lengths[:, None]
    expected = truncated_bptt(*arrays, dh, chunk, dh_last, lengths=lengths)
    arrays[0][padding], dh[padding] = np.nan, np.nan
    got = truncated_bptt(*arrays, dh, chunk, dh_last, lengths=lengths)
    for one, two in zip((*got[:2], *got[2]), (*expected[:2], *expected[2])):
        assert np.array_equal(one, two)


def test_in_chunks_nothing_that_goes_in_is_changed_and_float32_stays(rng) -> None:
    arrays = read_only(*(array.astype(np.float32) for array in problem(rng, 3, 5, 2, 4)))
    dh, dh_last = read_only(*(up.astype(np.float32) for up in upstream_of("every step and the state", rng, 3, 5, 4)))
    for chunk, lengths in itertools.product((2, 5), (None, [5, 2, 0])):
        h, h_last, got = truncated_bptt(*arrays, dh, chunk, dh_last, lengths=lengths)
        for one in (h, h_last, *got):
            assert one.dtype == np.float32
            assert not any(np.shares_memory(one, array) for array in (*arrays, dh, dh_last))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"chunk": 0}, "chunk: got 0; expected a whole number"),
        ({"chunk": 2.0}, "chunk: got 2.0"),
        ({"chunk": True}, "chunk: got True"),
        ({"dh": np.zeros((3, 4, 4))}, r"dh: got shape \(3, 4, 4\)"),
        ({"dh": lambda h, steps: h[:, :1]}, r"dh: got shape \(3, 1, 4\); expected \(N, T, H\)"),
        ({"dh_last": np.zeros((3, 3))}, "dh_last: got shape"),
        ({"x": np.zeros((3, 5))}, "x: got shape"),
        ({"h0": np.zeros((3, 3))}, "got shape"),
        ({"W_h": np.zeros((4, 3))}, "W_h: got shape"),
        ({"lengths": [1, 2]}, "lengths: got shape"),
        ({"lengths": [1, 2, 6]}, "expected 0 to T = 5"),
        ({"activation": "gelu"}, "got 'gelu'"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_in_chunks_a_wrong_argument_says_what_was_got_and_expected(change, words: str, rng) -> None:
    good = dict(zip(INPUTS, problem(rng, 3, 5, 2, 4))) | {"dh": np.zeros((3, 5, 4)), "chunk": 2}
    with pytest.raises(ValueError, match=words):
        truncated_bptt(**(good | change))


# --- checking a gradient ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (2, 1, 4), (0, 3)], ids=str)
def test_the_numerical_gradient_of_a_known_function_is_its_derivative(shape, rng) -> None:
    value, weight = rng.normal(size=shape), rng.normal(size=shape)
    kept = value.copy()
    got = numerical_gradient(lambda v: (weight * np.sin(v)).sum(), value)
    assert got.shape == shape and relative_error(got, weight * np.cos(value)) < 1e-9
    assert np.array_equal(value, kept)


def test_the_numerical_gradient_is_exact_for_a_parabola_at_any_step_and_uses_both_sides() -> None:
    """On one side only, the step itself would show in the result."""
    for eps in (1e-5, 1e-3, 0.5):
        assert np.isclose(numerical_gradient(lambda v: v[0] ** 2, np.array([3.0]), eps)[0], 6.0, rtol=1e-9)


def test_the_numerical_gradient_of_float32_is_computed_in_float64() -> None:
    got = numerical_gradient(lambda v: float((v**3).sum()), read_only(np.array([1, 2], np.float32))[0])
    assert got.dtype == np.float32 and np.allclose(got, [3, 12], rtol=1e-6)


def test_the_numerical_gradient_checks_the_backward_pass(rng) -> None:
    arrays = problem(rng, 3, 4, 2, 3)
    dh, _ = upstream_of("every step", rng, 3, 4, 3)
    got = rnn_backward(dh, None, rnn_forward(*arrays)[2])
    for position, gradient in enumerate(got):

        def loss(value, position=position):
            return (rnn_forward(*arrays[:position], value, *arrays[position + 1 :])[0] * dh).sum()

        assert gradient_error(gradient, numerical_gradient(loss, arrays[position])) < 1e-7
        assert gradient_error(-gradient, numerical_gradient(loss, arrays[position])) > 0.99


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: numerical_gradient(np.sum, np.array([1, 2])), "value: got dtype int64"),
        (lambda: numerical_gradient(lambda v: v, np.ones(2)), r"loss: got shape \(2,\); expected one number"),
        (lambda: numerical_gradient(np.sum, np.ones(2), eps=0.0), "eps: got 0.0"),
        (lambda: numerical_gradient(np.sum, np.ones(2), eps=-1e-5), "eps: got -1e-05"),
        (lambda: gradient_error(np.ones(2), np.ones(3)), r"got: got shape \(2,\); expected \(3,\)"),
        (lambda: gradient_error(np.ones(2, int), np.ones(2)), "got: got dtype"),
        (lambda: gradient_error(np.ones(2), np.ones(2, complex)), "expected: got dtype"),
    ],
)
def test_a_check_with_a_wrong_argument_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_the_gradient_error_of_known_pairs() -> None:
    assert gradient_error(np.zeros((2, 3)), np.zeros((2, 3))) == 0
    assert gradient_error(np.zeros((0, 3)), np.zeros((0, 3))) == 0
    assert gradient_error(np.ones(4), np.zeros(4)) == 1
    assert gradient_error(np.ones(4), -np.ones(4)) == 1
    assert np.isclose(gradient_error(np.array([3.0, 0.0]), np.array([0.0, 4.0])), 5 / 7)
    assert np.isclose(gradient_error(np.array(3.0), np.array(1.0)), 0.5)
    for bad in (np.nan, np.inf, -np.inf):
        assert gradient_error(np.array([1.0, bad]), np.ones(2)) == np.inf
        assert gradient_error(np.ones(2), np.array([1.0, bad])) == np.inf


@given(st.integers(0, 2**31), st.sampled_from([1e-300, 1e-160, 1e-3, 1.0, 1e160, 1e300]))
def test_the_gradient_error_is_symmetric_and_does_not_depend_on_the_scale(seed, scale) -> None:
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(2, 3, 4))
    error = gradient_error(one, two)
    assert 0 < error <= 1
    assert np.isclose(gradient_error(two, one), error, rtol=1e-12)
    assert np.isclose(gradient_error(scale * one, scale * two), error, rtol=1e-12)
    assert np.isclose(relative_error(one, two), error, rtol=1e-12)
