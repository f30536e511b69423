"""The cell protocol: running a cell, its impulse response, and how long it remembers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from solutions.with_numpy.memory_cells import (
    delay_cell,
    each,
    impulse_response,
    memory_length,
    parts,
    rnn_cell,
    run_cell,
    where_rows,
)
from solutions.with_numpy.recurrent_neurons import rnn_forward
from tests.reference.agreement import read_only, relative_error

CLOSE = {np.float64: 1e-12, np.float32: 1e-5}
SIZES = [(1, 1, 1, 1), (3, 5, 2, 4), (2, 1, 3, 1), (1, 7, 1, 3), (4, 3, 5, 2)]
LENGTHS = {
    "none": lambda N, T: None,
    "equal": lambda N, T: [T] * N,
    "mixed": lambda N, T: [1 + (2 * n) % T for n in range(N)],
    "some 0": lambda N, T: [0 if n % 2 == 0 else T for n in range(N)],
}


def weights(rng: np.random.Generator, D: int, H: int, dtype=np.float64) -> list[np.ndarray]:
    return [value.astype(dtype) for value in (rng.normal(size=(D, H)), rng.normal(size=(H, H)), rng.normal(size=H))]


def lstm_cell(W_x, W_h, b):
    """A cell whose state is more than its output: the state is ``(h, c)``, the output ``h``."""

    def cell(x_t, state):
        h, c = state
        i, f, g, o = np.split(x_t @ W_x + h @ W_h + b, 4, axis=1)
        i, f, o = (1 / (1 + np.exp(-a)) for a in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        return (h, c), h

    return cell


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_recurrent_cell_that_is_run_is_the_recurrent_layer(size, activation, kind, dtype, rng) -> None:
    N, T, D, H = size
    x, h0 = rng.normal(size=(N, T, D)).astype(dtype), rng.normal(size=(N, H)).astype(dtype)
    W = weights(rng, D, H, dtype)
    lengths = LENGTHS[kind](N, T)
    state, y = run_cell(rnn_cell(*W, activation), x, h0, lengths)
    h, h_last, _ = rnn_forward(x, h0, *W, activation, lengths)
    assert y.dtype == state.dtype == dtype
    assert relative_error(y, h) < CLOSE[dtype] and relative_error(state, h_last) < CLOSE[dtype]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_cell_with_two_states_is_torchs_lstm(size, rng) -> None:
    N, T, D, H = size
    W_x, W_h, b = rng.normal(size=(D, 4 * H)), rng.normal(size=(H, 4 * H)), rng.normal(size=4 * H)
    layer = torch.nn.LSTM(D, H, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for name, value in (("weight_ih", W_x.T), ("weight_hh", W_h.T), ("bias_ih", b), ("bias_hh", 0 * b)):
            getattr(layer, f"{name}_l0").copy_(torch.as_tensor(np.ascontiguousarray(value)))
    x, h0, c0 = rng.normal(size=(N, T, D)), rng.normal(size=(N, H)), rng.normal(size=(N, H))
    lengths = [1 + n % T for n in range(N)]
    (h, c), y = run_cell(lstm_cell(W_x, W_h, b), x, (h0, c0), lengths)
    for n, length in enumerate(lengths):
        first = tuple(torch.as_tensor(s[None, n : n + 1]) for s in (h0, c0))
        out, last = layer(torch.as_tensor(x[n : n + 1, :length]), first)
        assert relative_error(y[n, :length], out[0].detach().numpy()) < 1e-12 and not y[n, length:].any()
        for mine, theirs in zip((h, c), last):
            assert relative_error(mine[n], theirs[0, 0].detach().numpy()) < 1e-12


def test_a_cells_state_may_differ_from_its_output(rng) -> None:
    """A delay line shows an input three steps late, so its state holds what its output does not show yet."""
    x, first = rng.normal(size=(2, 8, 3)), rng.normal(size=(2, 3, 3))
    state, y = run_cell(delay_cell, x, first)
    assert np.array_equal(y, np.concatenate([first, x[:, :5]], axis=1)) and np.array_equal(state, x[:, 5:])
    state, y = run_cell(delay_cell, x, first, lengths=[2, 0])
    assert np.array_equal(y[0, :2], first[0, :2]) and not y[0, 2:].any() and not y[1].any()
    assert np.array_equal(state[0], [first[0, 2], x[0, 0], x[0, 1]]) and np.array_equal(state[1], first[1])


def test_no_steps_give_no_outputs_of_the_right_width_and_a_copy_of_the_state(rng) -> None:
    h0, W = rng.normal(size=(2, 4)), weights(rng, 3, 4)
    state, y = run_cell(rnn_cell(*W), np.zeros((2, 0, 3)), h0)
    assert y.shape == (2, 0, 4) and np.array_equal(state, h0) and not np.shares_memory(state, h0)


def test_a_cell_may_take_tokens(rng) -> None:
    rows = rng.normal(size=(5, 3))
    cell = lambda token, state: (state + rows[token], state)
    tokens = np.array([[4, 0, 2], [1, 99, -7]])
    state, y = run_cell(cell, tokens, np.zeros((2, 3)), lengths=[3, 1])
    assert np.allclose(state, [rows[4] + rows[0] + rows[2], rows[1]])
    assert np.allclose(y[0], [0 * rows[4], rows[4], rows[4] + rows[0]])


def test_inputs_are_not_changed_and_share_no_memory_with_what_comes_back(rng) -> None:
    x, first, lengths = read_only(rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 1, 3)), np.array([4, 1]))
    for some in (None, lengths):
        state, y = run_cell(delay_cell, x, first, some)
        for result in (state, y):
            assert not np.shares_memory(result, x) and not np.shares_memory(result, first)
    response = impulse_response(delay_cell, x, first, read_only(np.ones(3))[0], at=1)
    assert not np.shares_memory(response, x)
    assert memory_length(*read_only(response)).shape == (2,)


def test_run_cell_keeps_float32(rng) -> None:
    state, y = run_cell(delay_cell, np.ones((2, 3, 1), np.float32), np.zeros((2, 2, 1), np.float32), [3, 1])
    assert state.dtype == y.dtype == np.float32


# --- the impulse response ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_impulse_response_of_a_linear_cell_is_the_power_of_its_matrix(size, rng) -> None:
    N, T, D, H = size
    W_x, W_h, b = weights(rng, D, H)
    x, h0, impulse, at = rng.normal(size=(N, T, D)), rng.normal(size=(N, H)), rng.normal(size=D), T // 2
    response = impulse_response(rnn_cell(W_x, W_h, b, "identity"), x, h0, impulse, at)
    expected = np.zeros((N, T, H))
    for t in range(at, T):
        expected[:, t] = impulse @ W_x @ np.linalg.matrix_power(W_h, t - at)
    assert response.shape == (N, T, H)
    assert np.abs(response - expected).max() < 1e-9 * max(1, np.abs(expected).max()) * max(1, np.abs(h0).max() * 50)


def test_a_small_impulse_gives_the_derivative(rng) -> None:
    x, h0, W = rng.normal(size=(2, 6, 3)), rng.normal(size=(2, 4)), weights(rng, 3, 4)
    direction = rng.normal(size=3)
    one, two = (impulse_response(rnn_cell(*W), x, h0, eps * direction, at=2) for eps in (1e-5, -1e-5))
    leaf = torch.tensor(x, requires_grad=True)
    layer = torch.nn.RNN(3, 4, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for name, value in (("weight_ih", W[0].T), ("weight_hh", W[1].T), ("bias_ih", W[2]), ("bias_hh", 0 * W[2])):
            getattr(layer, f"{name}_l0").copy_(torch.as_tensor(np.ascontiguousarray(value)))
    h, _ = layer(leaf, torch.as_tensor(h0)[None])
    for n, t, i in [(0, 2, 0), (1, 4, 3), (0, 5, 1), (1, 1, 2)]:
        expected = torch.autograd.grad(h[n, t, i], leaf, retain_graph=True)[0][n, 2].numpy() @ direction
        assert np.isclose((one - two)[n, t, i] / 2e-5, expected, rtol=1e-6, atol=1e-9)


def test_an_impulse_changes_no_output_before_it(rng) -> None:
    x, h0, W = rng.normal(size=(3, 7, 2)), rng.normal(size=(3, 4)), weights(rng, 2, 4)
    for at in range(7):
        response = impulse_response(rnn_cell(*W), x, h0, np.ones(2), at)
        assert not response[:, :at].any() and response[:, at:].any(axis=(0, 2)).all()


@pytest.mark.parametrize("w", [0.5, 0.9, 0.99, -0.9])
@pytest.mark.parametrize("fraction", [0.5, 0.1, 0.01])
def test_the_memory_of_a_leaky_cell_is_that_of_a_geometric_sequence(w, fraction) -> None:
    cell = rnn_cell(np.ones((1, 1)), np.full((1, 1), w), np.zeros(1), "identity")
    response = impulse_response(cell, np.zeros((1, 600, 1)), np.zeros((1, 1)), np.ones(1), at=3)
    expected = int(np.floor(np.log(fraction) / np.log(abs(w)) + 1e-9))
    assert memory_length(response, at=3, fraction=fraction).tolist() == [expected]


@pytest.mark.parametrize("K", [1, 4])
def test_the_memory_of_a_delay_line_is_its_length(K) -> None:
    response = impulse_response(delay_cell, np.zeros((2, 9, 1)), np.zeros((2, K, 1)), np.ones(1), at=2)
    assert memory_length(response, at=2).tolist() == [K, K]


def test_memory_length_by_hand() -> None:
    response = np.zeros((4, 6, 2))
    response[0, :, 0] = [0, 3, 0, 0, -1, 0]
    response[1, :, 1] = [0, 1, 1, 1, 1, 1]  # outlives the sequence
    response[2, 1] = [3, 4]
    response[2, 3] = [0.3, 0.4]  # a tenth of the norm 5
    assert memory_length(response, at=1, fraction=0.1).tolist() == [3, 4, 2, 0]
    assert memory_length(response, at=1, fraction=0.5).tolist() == [0, 4, 0, 0]
    assert memory_length(response, at=1, fraction=1.0).tolist() == [0, 4, 0, 0]


# --- properties -------------------------------------------------------------------------------------------------------

SMALL = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**31))


def some_cell(rng, D, H):
    W_x, W_h, b = rng.normal(size=(D, 4 * H)), rng.normal(size=(H, 4 * H)), rng.normal(size=4 * H)
    return lstm_cell(W_x, W_h, b)


@given(SMALL)
def test_padding_beyond_lengths_never_changes_anything(size) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    x, state, cell = (
        rng.normal(size=(N, T, D)),
        (rng.normal(size=(N, H)), rng.normal(size=(N, H))),
        some_cell(rng, D, H),
    )
    lengths = rng.integers(0, T + 1, size=N)
    other = x.copy()
    other[np.arange(T) >= lengths[:, None]] = np.nan
    (one, y), (two, y_other) = run_cell(cell, x, state, lengths), run_cell(cell, other, state, lengths)
    assert np.array_equal(y, y_other) and all(np.array_equal(a, b) for a, b in zip(one, two))


@given(SMALL, st.integers(0, 6))
def test_a_sequence_cut_in_two_with_the_state_carried_gives_the_same(size, cut) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    x, state, cell = (
        rng.normal(size=(N, T, D)),
        (rng.normal(size=(N, H)), rng.normal(size=(N, H))),
        some_cell(rng, D, H),
    )
    cut = min(cut, T)
    last, y = run_cell(cell, x, state)
    middle, first = run_cell(cell, x[:, :cut], state)
    end, second = run_cell(cell, x[:, cut:], middle)
    assert np.array_equal(np.concatenate([first, second], axis=1), y)
    assert all(np.array_equal(a, b) for a, b in zip(end, last))


@given(SMALL)
def test_a_batch_equals_its_rows_one_by_one(size) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    x, state, cell = (
        rng.normal(size=(N, T, D)),
        (rng.normal(size=(N, H)), rng.normal(size=(N, H))),
        some_cell(rng, D, H),
    )
    lengths = rng.integers(0, T + 1, size=N)
    last, y = run_cell(cell, x, state, lengths)
    for n in range(N):
        row = slice(n, n + 1)
        one, out = run_cell(cell, x[row], tuple(s[row] for s in state), lengths[row])
        assert relative_error(out, y[row]) < 1e-13
        assert all(relative_error(a, b[row]) < 1e-13 for a, b in zip(one, last))


# --- errors -----------------------------------------------------------------------------------------------------------

ADD = lambda x_t, state: (state + x_t, state + x_t)
X, S = np.zeros((2, 3, 1)), np.zeros((2, 1))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: run_cell(ADD, np.zeros(3), S), r"x: got shape \(3,\); expected"),
        (lambda: run_cell(ADD, X, np.zeros((3, 1))), r"state: got shape \(3, 1\); expected \(2, …\)"),
        (lambda: run_cell(ADD, X, (S, np.zeros(1))), r"state: got shape \(1,\); expected \(2, …\)"),
        (lambda: run_cell(ADD, X, S, [1, 4]), "expected 0 to T = 3"),
        (lambda: run_cell(lambda x_t, s: s, X, S), "cell: got a ndarray from it; expected the pair"),
        (lambda: run_cell(lambda x_t, s: ((s, s), s), X, S), "cell: got a state of shapes"),
        (lambda: run_cell(lambda x_t, s: ((s,), s), X, S), "cell: got a state of shapes"),
        (lambda: run_cell(lambda x_t, s: (s[:, [0, 0]], s), X, S), r"cell: got a state of shapes \[\(2, 2\)\]"),
        (lambda: run_cell(lambda x_t, s: (s, s[0]), X, S), r"cell: got an output of shape \(1,\)"),
        (lambda: rnn_cell(np.zeros((2, 3)), np.zeros((3, 4)), np.zeros(3)), "W_h: got shape"),
        (lambda: rnn_cell(np.zeros((2, 3)), np.zeros((3, 3)), np.zeros(3), "gelu"), "activation: got 'gelu'"),
        (lambda: delay_cell(np.zeros((2, 1)), np.zeros((2, 0, 1))), "K at least 1"),
        (lambda: delay_cell(np.zeros((2, 1)), np.zeros((2, 3, 2))), "x_t: got shape"),
        (lambda: impulse_response(ADD, X, S, np.zeros(2)), "impulse: got shape"),
        (lambda: impulse_response(ADD, X, S, np.zeros(1), at=3), "at: got 3; expected a step from 0 to 2"),
        (lambda: impulse_response(ADD, X.astype(int), S, np.zeros(1)), "x: got dtype"),
        (lambda: memory_length(np.zeros((2, 3))), "response: got shape"),
        (lambda: memory_length(X, at=-1), "at: got -1"),
        (lambda: memory_length(X, fraction=0.0), "fraction: got 0.0"),
    ],
)
def test_it_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_states_are_arrays_or_tuples_of_them() -> None:
    one, two = np.ones(2), np.zeros((2, 3))
    assert parts(one) == (one,) and parts((one, two)) == (one, two)
    assert np.array_equal(each(np.add, one, one), [2, 2])
    assert isinstance(each(np.negative, (one,)), tuple)
    with pytest.raises(ValueError):
        each(np.add, (one, two), (one,))
    assert np.array_equal(where_rows(np.array([True, False]), two + 1, two), [[1, 1, 1], [0, 0, 0]])
