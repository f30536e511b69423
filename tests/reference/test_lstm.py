"""The LSTM against ``torch.nn.LSTM``, with peepholes against its equations: values, gradients, lengths, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from solutions.with_numpy.activations import sigmoid, sigmoid_slope, tanh_slope
from solutions.with_numpy.lstm import lstm_backward, lstm_forward, lstm_step, lstm_step_backward
from tests.reference.agreement import central_differences, read_only, relative_error, tensor

CLOSE = {np.float64: 1e-12, np.float32: 1e-5}
SIZES = [(1, 1, 1, 1), (3, 5, 2, 4), (2, 1, 3, 1), (1, 7, 1, 3), (4, 3, 5, 2), (2, 6, 1, 1)]
LENGTHS = ["none", "equal", "mixed", "some 0"]
UPSTREAMS = ["everything", "every step", "some steps", "the last step", "the final output", "the final cell state"]
PEEPHOLES = [False, True]
peepholes_or_not = pytest.mark.parametrize("peepholes", PEEPHOLES, ids=["plain", "peepholes"])


def problem(rng: np.random.Generator, N: int, T: int, D: int, H: int, peepholes: bool) -> list[np.ndarray]:
    """``x, h0, c0, W_x, W_h, b`` and ``peepholes`` if asked, of a size that leaves every gate its slope."""
    shapes = [(N, T, D), (N, H), (N, H), (D, 4 * H), (H, 4 * H), (4 * H,), (3, H)]
    scales = [1, 1, 1, D**-0.5, H**-0.5, 0.5, 0.7]
    return [rng.normal(size=shape) * scale for shape, scale in zip(shapes, scales)][: 7 if peepholes else 6]


def ours(arrays, lengths=None):
    """``lstm_forward`` of ``x, h0, c0, W_x, W_h, b`` and perhaps ``peepholes``."""
    return lstm_forward(*arrays[:6], lengths=lengths, peepholes=arrays[6] if len(arrays) == 7 else None)


def lengths_of(kind: str, N: int, T: int) -> list[int] | None:
    return {
        "none": None,
        "equal": [T] * N,
        "mixed": [1 + (2 * n) % T for n in range(N)],
        "some 0": [0 if n % 2 == 0 else T for n in range(N)],
    }[kind]


def upstream_of(kind: str, rng, N: int, T: int, H: int) -> tuple[np.ndarray | None, ...]:
    """``dh, dh_last, dc_last`` of a loss that uses those outputs only."""
    dh, dh_last, dc_last = rng.normal(size=(N, T, H)), rng.normal(size=(N, H)), rng.normal(size=(N, H))
    if kind == "some steps":
        dh[:, ::2] = 0
    if kind == "the last step":
        dh[:, :-1] = 0
    return {
        "everything": (dh, dh_last, dc_last),
        "the final output": (None, dh_last, None),
        "the final cell state": (None, None, dc_last),
    }.get(kind, (dh, None, None))


def weighted(outputs, upstream):
    """The loss whose derivatives by the outputs are ``upstream``."""
    return sum((out * up).sum() for out, up in zip(outputs, upstream) if up is not None)


class Peepholes(torch.nn.LSTM):
    """The equations in PyTorch, one line each, with the parameters of ``torch.nn.LSTM`` and its way of being called."""

    def __init__(self, D: int, H: int, dtype) -> None:
        super().__init__(D, H, batch_first=True, dtype=dtype)
        self.peepholes = torch.nn.Parameter(torch.zeros(3, H, dtype=dtype))

    def forward(self, x, state):
        h, c = state[0][0], state[1][0]
        p_i, p_f, p_o = self.peepholes
        outputs = []
        for x_t in x.unbind(1):
            a = x_t @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0
            a_i, a_f, a_g, a_o = a.chunk(4, dim=1)
            c_prev = c
            c = torch.sigmoid(a_f + p_f * c_prev) * c_prev + torch.sigmoid(a_i + p_i * c_prev) * torch.tanh(a_g)
            h = torch.sigmoid(a_o + p_o * c) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), (h[None], c[None])


def twin(W_x, W_h, b, peepholes=None) -> torch.nn.LSTM:
    """``torch.nn.LSTM`` with our weights and its second bias 0; with peepholes, its double from the equations."""
    D, H, dtype = W_x.shape[0], W_h.shape[0], torch.as_tensor(b).dtype
    layer = torch.nn.LSTM(D, H, batch_first=True, dtype=dtype) if peepholes is None else Peepholes(D, H, dtype)
    with torch.no_grad():
        for name, value in (("weight_ih", W_x.T), ("weight_hh", W_h.T), ("bias_ih", b), ("bias_hh", 0 * b)):
            getattr(layer, f"{name}_l0").copy_(torch.as_tensor(np.ascontiguousarray(value)))
        if peepholes is not None:
            layer.peepholes.copy_(torch.as_tensor(peepholes))
    return layer


def theirs(layer: torch.nn.LSTM, x, h0, c0, lengths=None):
    """The twin's outputs for each sequence cut to its own length: the meaning of ``lengths``, length 0 included."""
    N, T, _ = x.shape
    rows, last = [], []
    for n in range(N):
        length = T if lengths is None else lengths[n]
        out, state = torch.zeros_like(h0[n : n + 1])[:, None][:, :0], (h0[None, n : n + 1], c0[None, n : n + 1])
        if length:
            out, state = layer(x[n : n + 1, :length], state)
        rows.append(torch.cat([out, torch.zeros_like(h0[n : n + 1])[:, None].expand(-1, T - length, -1)], dim=1))
        last.append(torch.stack([s[0, 0] for s in state]))
    h_last, c_last = torch.stack(last, dim=1)
    return torch.cat(rows), h_last, c_last


def autograd(arrays, lengths, upstream) -> list[np.ndarray]:
    """The gradients of ``weighted(outputs, upstream)`` by every input and weight, from the twin."""
    layer = twin(*arrays[3:])
    inputs = [tensor(array, grad=True) for array in arrays[:3]]
    parameters = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0]
    parameters += [layer.peepholes] if len(arrays) == 7 else []
    outputs = theirs(layer, *inputs, lengths)
    loss = weighted(outputs, [None if up is None else tensor(up) for up in upstream]) + 0 * inputs[1].sum()
    found = torch.autograd.grad(loss, [*inputs, *parameters], allow_unused=True, materialize_grads=True)
    return [gradient.numpy().T if k in (3, 4) else gradient.numpy() for k, gradient in enumerate(found)]


# --- forward ----------------------------------------------------------------------------------------------------------


@peepholes_or_not
@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("initial", ["h0 c0", "h0", "c0", "none"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_forward_equals_torch(size, initial, kind, dtype, peepholes, rng) -> None:
    N, T, D, H = size
    arrays = [array.astype(dtype) for array in problem(rng, N, T, D, H, peepholes)]
    lengths = lengths_of(kind, N, T)
    states = [array if name in initial else None for name, array in zip(("h0", "c0"), arrays[1:3])]
    got = ours([arrays[0], *states, *arrays[3:]], lengths)[:3]
    zeros = [np.zeros((N, H), dtype) if state is None else state for state in states]
    expected = theirs(twin(*arrays[3:]), *(tensor(a) for a in (arrays[0], *zeros)), lengths)
    for one, two in zip(got, expected):
        assert one.dtype == dtype
        assert relative_error(one, two.detach().numpy()) < CLOSE[dtype]


def test_the_double_without_its_peepholes_is_torchs_lstm(rng) -> None:
    arrays = problem(rng, 3, 5, 2, 4, peepholes=True)
    inputs = [tensor(array) for array in arrays[:3]]
    for one, two in zip(theirs(twin(*arrays[3:6], 0 * arrays[6]), *inputs), theirs(twin(*arrays[3:6]), *inputs)):
        assert relative_error(one.detach().numpy(), two.detach().numpy()) < 1e-14


@pytest.mark.parametrize("row", [0, 1, 2], ids=["i", "f", "o"])
def test_each_peephole_does_something_and_zeros_do_nothing(row: int, rng) -> None:
    arrays = problem(rng, 3, 5, 2, 4, peepholes=False)
    plain, zero = ours(arrays), ours([*arrays, np.zeros((3, 4))])
    alone = np.zeros((3, 4))
    alone[row] = 1.0
    assert all(relative_error(one, two) < 1e-15 for one, two in zip(plain[:3], zero[:3]))
    assert all(relative_error(one, two) > 1e-3 for one, two in zip(plain[:2], ours([*arrays, alone])[:2]))


def test_lengths_are_those_of_packed_sequences(rng) -> None:
    arrays, lengths = problem(rng, 3, 6, 2, 4, peepholes=False), [6, 2, 4]
    packed = pack_padded_sequence(tensor(arrays[0]), lengths, batch_first=True, enforce_sorted=False)
    out, (h_n, c_n) = twin(*arrays[3:])(packed, (tensor(arrays[1])[None], tensor(arrays[2])[None]))
    expected = pad_packed_sequence(out, batch_first=True, total_length=6)[0], h_n[0], c_n[0]
    for one, two in zip(ours(arrays, lengths), expected):
        assert relative_error(one, two.detach().numpy()) < 1e-12


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
def test_a_step_equals_torchs_cell(dtype, rng) -> None:
    x, h0, c0, W_x, W_h, b = (array.astype(dtype) for array in problem(rng, 3, 1, 2, 4, peepholes=False))
    cell = torch.nn.LSTMCell(2, 4, dtype=torch.as_tensor(b).dtype)
    with torch.no_grad():
        for name, value in (("weight_ih", W_x.T), ("weight_hh", W_h.T), ("bias_ih", b), ("bias_hh", 0 * b)):
            getattr(cell, name).copy_(torch.as_tensor(np.ascontiguousarray(value)))
    *got, cache = lstm_step(x[:, 0], h0, c0, W_x, W_h, b)
    for one, two in zip(got, cell(tensor(x[:, 0]), (tensor(h0), tensor(c0)))):
        assert one.dtype == dtype
        assert relative_error(one, two.detach().numpy()) < CLOSE[dtype]
    assert np.array_equal(cache.c_t, got[1])


@peepholes_or_not
def test_steps_one_after_another_are_the_layer_forward_and_back(peepholes, rng) -> None:
    arrays = problem(rng, 3, 5, 2, 4, peepholes)
    x, h_t, c_t, *weights = arrays
    dh, dh_next, dc_next = upstream_of("everything", rng, 3, 5, 4)
    h, h_last, c_last, cache = ours(arrays)
    expected = lstm_backward(dh, dh_next, dc_next, cache)
    caches = []
    for t in range(5):
        h_t, c_t, step = lstm_step(x[:, t], h_t, c_t, *weights)
        caches.append(step)
        assert relative_error(h_t, h[:, t]) < 1e-14
    assert relative_error(h_t, h_last) < 1e-14 and relative_error(c_t, c_last) < 1e-14

    dx, sums = np.zeros_like(x), [np.zeros_like(weight) for weight in weights]
    for t in reversed(range(5)):
        dx[:, t], dh_next, dc_next, *rest = lstm_step_backward(dh[:, t] + dh_next, dc_next, caches[t])
        sums = [total + part for total, part in zip(sums, rest, strict=True)]
    for name, one, two in zip(expected._fields, expected, (dx, dh_next, dc_next, *sums), strict=True):
        assert relative_error(one, two) < 1e-13, name


def test_shut_and_open_gates_keep_a_state_and_its_gradient_for_a_thousand_steps() -> None:
    x, c0 = np.ones((1, 1000, 1)), np.array([[0.3]])
    cache = lstm_forward(x, None, c0, np.zeros((1, 4)), np.ones((1, 4)), np.array([-50.0, 50.0, 0.0, 50.0]))[-1]
    assert cache.c[-1] == c0 and lstm_backward(None, None, c0, cache).dc0 == c0


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
def test_huge_inputs_saturate_the_gates_and_overflow_nothing(dtype) -> None:
    x = np.array([[[1e30], [-1e30]]], dtype)
    with np.errstate(all="raise", under="ignore"):
        h, _, _, cache = lstm_forward(x, None, None, *(np.ones(shape, dtype) for shape in ((1, 8), (2, 8), 8)))
        gradients = lstm_backward(np.ones_like(h), None, None, cache)
    assert np.allclose(h[0, 0], np.tanh(1)) and not h[0, 1].any()
    assert all(np.isfinite(gradient).all() for gradient in gradients)


# --- backward ---------------------------------------------------------------------------------------------------------


@peepholes_or_not
@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_backward_equals_autograd(size, upstream, kind, peepholes, rng) -> None:
    N, T, D, H = size
    arrays, lengths, ups = problem(rng, *size, peepholes), lengths_of(kind, N, T), upstream_of(upstream, rng, N, T, H)
    got = lstm_backward(*ups, ours(arrays, lengths)[-1])
    for name, one, two in zip(got._fields, got, autograd(arrays, lengths, ups), strict=True):
        assert relative_error(one, two) < 1e-10, name


@peepholes_or_not
@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_backward_equals_central_differences(size, kind, peepholes, rng) -> None:
    N, T, D, H = size
    arrays, lengths = problem(rng, *size, peepholes), lengths_of(kind, N, T)
    ups = upstream_of("everything", rng, N, T, H)
    got = lstm_backward(*ups, ours(arrays, lengths)[-1])
    for name, one, array in zip(got._fields, got, arrays, strict=True):
        moved = central_differences(lambda: float(weighted(ours(arrays, lengths), ups)), array)
        assert relative_error(one, moved) < 1e-7, name


@peepholes_or_not
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 2, 4), (2, 3, 1), (4, 1, 2)], ids=str)
def test_a_step_back_equals_autograd_and_central_differences(size, peepholes, rng) -> None:
    N, D, H = size
    x, *rest = problem(rng, N, 1, D, H, peepholes)
    arrays, ups = [x[:, 0], *rest], [rng.normal(size=(N, H)) for _ in range(2)]
    got = lstm_step_backward(*ups, lstm_step(*arrays)[-1])
    expected = autograd([x, *rest], None, (None, *ups))
    for name, one, two, array in zip(got._fields, got, expected, arrays, strict=True):
        assert relative_error(one, two.reshape(one.shape)) < 1e-12, name
        moved = central_differences(lambda: float(weighted(lstm_step(*arrays), ups)), array)
        assert relative_error(one, moved) < 1e-7, name


@peepholes_or_not
def test_no_upstream_gradient_is_a_zero_one(peepholes, rng) -> None:
    arrays = problem(rng, 3, 5, 2, 4, peepholes)
    dh, dh_last, dc_last = upstream_of("everything", rng, 3, 5, 4)
    cache, step = ours(arrays)[-1], lstm_step(arrays[0][:, 0], *arrays[1:])[-1]
    pairs = [
        (lstm_backward(None, dh_last, None, cache), lstm_backward(0 * dh, dh_last, 0 * dc_last, cache)),
        (lstm_backward(dh, None, dc_last, cache), lstm_backward(dh, 0 * dh_last, dc_last, cache)),
        (lstm_backward(None, None, None, cache), [0 * array for array in arrays]),
        (lstm_step_backward(None, dc_last, step), lstm_step_backward(0 * dc_last, dc_last, step)),
        (lstm_step_backward(dh_last, None, step), lstm_step_backward(dh_last, 0 * dh_last, step)),
    ]
    for got, expected in pairs:
        assert all(np.array_equal(one, two) for one, two in zip(got, expected, strict=True))


def test_the_gradients_are_six_and_with_peepholes_seven_in_the_inputs_order_and_dtype(rng) -> None:
    arrays = [array.astype(np.float32) for array in problem(rng, 3, 5, 2, 4, peepholes=True)]
    names = ["dx", "dh0", "dc0", "dW_x", "dW_h", "db", "dpeepholes"]
    for count in (6, 7):
        gradients = lstm_backward(*upstream_of("everything", rng, 3, 5, 4), ours(arrays[:count])[-1])
        assert list(gradients._fields) == names[:count]
        step = lstm_step_backward(None, arrays[2], lstm_step(arrays[0][:, 0], *arrays[1:count])[-1])
        assert list(step._fields) == ["dx_t", "dh_prev", "dc_prev", *names[3:count]]
        for gradient, array in zip(gradients, arrays):
            assert gradient.dtype == np.float32 and gradient.shape == array.shape
        assert all(gradient.dtype == np.float32 for gradient in step)


@peepholes_or_not
@pytest.mark.parametrize("kind", LENGTHS)
def test_float32_gradients_are_those_of_float64_rounded(kind, peepholes, rng) -> None:
    arrays, lengths = problem(rng, 4, 6, 3, 5, peepholes), lengths_of(kind, 4, 6)
    ups = upstream_of("everything", rng, 4, 6, 5)
    exact = lstm_backward(*ups, ours(arrays, lengths)[-1])
    rounded = lstm_backward(*ups, ours([array.astype(np.float32) for array in arrays], lengths)[-1])
    for name, one, two in zip(exact._fields, rounded, exact, strict=True):
        assert relative_error(one, two) < 1e-5, name


# --- what goes in, what comes out -------------------------------------------------------------------------------------


@peepholes_or_not
def test_inputs_are_not_changed_and_may_be_strided(peepholes, rng) -> None:
    arrays, lengths = problem(rng, 3, 5, 2, 4, peepholes), [5, 2, 0]
    ups = upstream_of("everything", rng, 3, 5, 4)
    *expected, cache = ours(arrays, lengths)
    expected += lstm_backward(*ups, cache)
    *got, cache = ours(read_only(*arrays), read_only(np.array(lengths))[0])
    for array in cache:
        if array is not None:
            array.flags.writeable = False
    for _ in range(2):  # the cache serves more than one backward pass
        again = [*got, *lstm_backward(*read_only(*ups), cache)]
        assert all(np.array_equal(one, two) for one, two in zip(expected, again, strict=True))
    strided = [np.repeat(np.asfortranarray(array), 2, axis=-1)[..., ::2] for array in arrays]
    *got, cache = ours(strided, lengths)
    got += lstm_backward(*(np.asfortranarray(up) for up in ups), cache)
    assert all(np.allclose(one, two, rtol=1e-13, atol=0) for one, two in zip(expected, got, strict=True))


@pytest.mark.parametrize("T", [0, 1])
def test_what_comes_back_shares_no_memory_with_what_went_in(T, rng) -> None:
    arrays = problem(rng, 1, T, 3, 4, peepholes=True)
    ups = upstream_of("everything", rng, 1, T, 4)
    *outputs, cache = ours(arrays)
    gradients = lstm_backward(*ups, cache)
    for out in (*outputs, *gradients):
        assert not any(np.shares_memory(out, other) for other in (*arrays, *ups, *(a for a in cache if a is not None)))


def test_without_steps_the_state_and_its_gradient_pass_through(rng) -> None:
    arrays = problem(rng, 2, 0, 3, 4, peepholes=True)
    _, dh_last, dc_last = upstream_of("everything", rng, 2, 0, 4)
    h, h_last, c_last, cache = ours(arrays)
    gradients = lstm_backward(np.zeros((2, 0, 4)), dh_last, dc_last, cache)
    assert h.shape == (2, 0, 4) and np.array_equal(h_last, arrays[1]) and np.array_equal(c_last, arrays[2])
    assert np.array_equal(gradients.dh0, dh_last) and np.array_equal(gradients.dc0, dc_last)
    assert gradients.dx.shape == (2, 0, 3) and not any(gradient.any() for gradient in gradients[3:])


def test_the_first_array_gives_the_dtype(rng) -> None:
    x, *rest = problem(rng, 2, 3, 3, 4, peepholes=True)
    *outputs, cache = ours([x.astype(np.float32), *rest])
    gradients = lstm_backward(*upstream_of("everything", rng, 2, 3, 4), cache)
    assert {array.dtype for array in (*outputs, *gradients)} == {np.dtype(np.float32)}
    outputs = lstm_step(x[:, 0].astype(np.float32), *rest)[:2]
    assert {array.dtype for array in outputs} == {np.dtype(np.float32)}


NAMES = ["x", "h0", "c0", "W_x", "W_h", "b", "peepholes"]
GOOD = dict(zip(NAMES, [(3, 5, 2), (3, 4), (3, 4), (2, 16), (4, 16), (16,), (3, 4)]))
BAD = dict(zip(NAMES, [(3, 5), (2, 4), (3, 5), (3, 16), (4, 12), (4,), (4, 3)]))


@pytest.mark.parametrize("name", GOOD)
def test_a_wrong_shape_says_what_was_got_and_expected(name: str) -> None:
    arrays = [np.zeros(BAD[key] if key == name else shape) for key, shape in GOOD.items()]
    with pytest.raises(ValueError, match="got shape .* expected"):
        ours(arrays)
    with pytest.raises(ValueError, match="got shape .* expected"):
        lstm_step(arrays[0][:, 0] if name != "x" else arrays[0][0, 0], *arrays[1:])


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("dtype", [np.int64, np.complex128, object, "U3"])
def test_a_wrong_dtype_says_what_was_got_and_expected(name: str, dtype) -> None:
    arrays = [np.zeros(shape).astype(dtype if key == name else np.float64) for key, shape in GOOD.items()]
    with pytest.raises(ValueError, match=f"{name}: got dtype .* expected float32 or float64"):
        ours(arrays)


@pytest.mark.parametrize(
    ("lengths", "words"),
    [([1, 2], "shape"), ([1, 2, 6], "expected 0 to T = 5"), ([-1, 2, 3], "expected 0"), ([1.0, 2.0, 3.0], "whole")],
)
def test_wrong_lengths_say_what_was_got_and_expected(lengths, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ours([np.zeros(shape) for shape in GOOD.values()], lengths)


@pytest.mark.parametrize(("position", "name"), list(enumerate(["dh", "dh_last", "dc_last"])))
def test_a_wrong_upstream_gradient_says_what_was_got_and_expected(position: int, name: str) -> None:
    cache = ours([np.zeros(shape) for shape in GOOD.values()])[-1]
    right = [np.zeros((3, 5, 4)), np.zeros((3, 4)), np.zeros((3, 4))]
    for wrong, words in ((np.zeros((2, 4)), "got shape .* expected"), (right[position].astype(int), "got dtype")):
        with pytest.raises(ValueError, match=f"{name}: {words}"):
            lstm_backward(*(wrong if k == position else up for k, up in enumerate(right)), cache)


# --- properties -------------------------------------------------------------------------------------------------------

SMALL = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4))
SEEDS = st.integers(0, 2**31)


def both_ways(arrays, ups, lengths=None) -> list[np.ndarray]:
    """The outputs and the gradients."""
    *outputs, cache = ours(arrays, lengths)
    return [*outputs, *lstm_backward(*ups, cache)]


@given(SMALL, SEEDS, st.booleans())
def test_padding_beyond_lengths_never_matters_forward_or_back(size, seed, peepholes) -> None:
    N, T, D, H = size
    rng = np.random.default_rng(seed)
    arrays, ups = problem(rng, *size, peepholes), upstream_of("everything", rng, N, T, H)
    lengths = rng.integers(0, T + 1, size=N)
    beyond = np.arange(T) >= lengths[:, None]
    padded, padded_ups = [array.copy() for array in arrays], [up.copy() for up in ups]
    padded[0][beyond] = padded_ups[0][beyond] = np.nan
    with np.errstate(all="raise", under="ignore"):
        got = both_ways(padded, padded_ups, lengths)
    assert all(np.array_equal(one, two) for one, two in zip(got, both_ways(arrays, ups, lengths), strict=True))
    assert not got[0][beyond].any() and not got[3][beyond].any()


@given(SMALL, SEEDS, st.booleans(), st.integers(0, 6))
def test_a_sequence_cut_in_two_with_states_and_gradients_carried_is_the_same(size, seed, peepholes, cut) -> None:
    N, T, D, H = size
    rng = np.random.default_rng(seed)
    x, h0, c0, *weights = problem(rng, *size, peepholes)
    dh, dh_last, dc_last = upstream_of("everything", rng, N, T, H)
    whole = both_ways([x, h0, c0, *weights], (dh, dh_last, dc_last))
    one, h_cut, c_cut, first = ours([x[:, :cut], h0, c0, *weights])
    two, h_last, c_last, second = ours([x[:, cut:], h_cut, c_cut, *weights])
    dx_two, dh_cut, dc_cut, *sums = lstm_backward(dh[:, cut:], dh_last, dc_last, second)
    dx_one, dh0, dc0, *more = lstm_backward(dh[:, :cut], dh_cut, dc_cut, first)
    parts = [np.hstack([one, two]), h_last, c_last, np.hstack([dx_one, dx_two]), dh0, dc0, *map(np.add, sums, more)]
    assert all(relative_error(got, expected) < 1e-12 for got, expected in zip(parts, whole, strict=True))


@given(SMALL, SEEDS, st.booleans())
def test_a_batch_equals_its_rows_one_by_one(size, seed, peepholes) -> None:
    N, T, D, H = size
    rng = np.random.default_rng(seed)
    arrays, ups = problem(rng, *size, peepholes), upstream_of("everything", rng, N, T, H)
    lengths = rng.integers(0, T + 1, size=N)
    rows = [slice(n, n + 1) for n in range(N)]
    alone = [
        both_ways([a[row] for a in arrays[:3]] + arrays[3:], [up[row] for up in ups], lengths[row]) for row in rows
    ]
    for k, (expected, *got) in enumerate(zip(both_ways(arrays, ups, lengths), *alone, strict=True)):
        joined = np.concatenate(got) if k < 6 else sum(got)  # the weights' gradients are sums over the batch
        assert relative_error(joined, expected) < 1e-12


@given(SMALL, SEEDS, st.booleans())
def test_a_permutation_of_hidden_units_permutes_everything(size, seed, peepholes) -> None:
    N, T, D, H = size
    rng = np.random.default_rng(seed)
    arrays, ups = problem(rng, *size, peepholes), upstream_of("everything", rng, N, T, H)
    p = rng.permutation(H)
    columns = np.concatenate([p + gate * H for gate in range(4)])

    def permuted(x, h0, c0, W_x, W_h, b, *rest):
        return [x, h0[:, p], c0[:, p], W_x[:, columns], W_h[p][:, columns], b[columns], *(a[:, p] for a in rest)]

    h, h_last, c_last, *gradients = both_ways(arrays, ups)
    expected = [h[..., p], h_last[:, p], c_last[:, p], *permuted(*gradients)]
    for one, two in zip(both_ways(permuted(*arrays), [up[..., p] for up in ups]), expected, strict=True):
        assert relative_error(one, two) < 1e-12


# --- the squashing functions ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
def test_the_sigmoid_is_torchs_and_overflows_nowhere(dtype) -> None:
    a = np.concatenate([np.linspace(-40, 40, 1001), [-np.inf, -1e30, 1e30, np.inf]]).astype(dtype)
    with np.errstate(all="raise"):
        s = sigmoid(a)
    assert s.dtype == dtype and np.abs(s - torch.sigmoid(tensor(a)).numpy()).max() <= np.finfo(dtype).eps
    assert s.min() == 0 and s.max() == 1 and sigmoid(dtype(0)) == 0.5
    with pytest.raises(ValueError, match="a: got dtype int64; expected float32 or float64"):
        sigmoid(np.arange(3))


def test_the_slopes_are_central_differences(rng) -> None:
    a = rng.normal(size=9)
    for f, slope in ((sigmoid, sigmoid_slope), (np.tanh, tanh_slope)):
        assert relative_error(slope(f(a)), (f(a + 1e-5) - f(a - 1e-5)) / 2e-5) < 1e-9
