"""The GRU against ``torch.nn.GRU``, with the reset before the product against its equations: values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from solutions.with_numpy.gru import gru_backward, gru_forward, gru_step, gru_step_backward
from tests.reference.agreement import central_differences, read_only, relative_error, tensor

CLOSE = {np.float64: 1e-12, np.float32: 1e-5}
SIZES = [(1, 1, 1, 1), (3, 5, 2, 4), (2, 1, 3, 1), (1, 7, 1, 3), (4, 3, 5, 2), (2, 6, 1, 1)]
LENGTHS = ["none", "equal", "mixed", "some 0"]
UPSTREAMS = ["everything", "every step", "some steps", "the last step", "the final state"]
both_resets = pytest.mark.parametrize("after", [True, False], ids=["reset after", "reset before"])


def problem(rng: np.random.Generator, N: int, T: int, D: int, H: int) -> list[np.ndarray]:
    """``x, h0, W_x, W_h, b_x, b_h``, of a size that leaves every gate its slope."""
    shapes = [(N, T, D), (N, H), (D, 3 * H), (H, 3 * H), (3 * H,), (3 * H,)]
    scales = [1, 1, D**-0.5, H**-0.5, 0.5, 0.5]
    return [rng.normal(size=shape) * scale for shape, scale in zip(shapes, scales)]


def lengths_of(kind: str, N: int, T: int) -> list[int] | None:
    return {
        "none": None,
        "equal": [T] * N,
        "mixed": [1 + (2 * n) % T for n in range(N)],
        "some 0": [0 if n % 2 == 0 else T for n in range(N)],
    }[kind]


def upstream_of(kind: str, rng, N: int, T: int, H: int) -> tuple[np.ndarray | None, ...]:
    """``dh, dh_last`` of a loss that uses those outputs only."""
    dh, dh_last = rng.normal(size=(N, T, H)), rng.normal(size=(N, H))
    if kind == "some steps":
        dh[:, ::2] = 0
    if kind == "the last step":
        dh[:, :-1] = 0
    return {"everything": (dh, dh_last), "the final state": (None, dh_last)}.get(kind, (dh, None))


def weighted(outputs, upstream):
    """The loss whose derivatives by the outputs are ``upstream``."""
    return sum((out * up).sum() for out, up in zip(outputs, upstream) if up is not None)


class Equations(torch.nn.GRU):
    """The equations in PyTorch, one line each, with the parameters of ``torch.nn.GRU`` and its way of being called."""

    after = False

    def forward(self, x, state):
        h, outputs = state[0], []
        W_r, W_z, W_n = self.weight_hh_l0.chunk(3)
        b_r, b_z, b_n = self.bias_hh_l0.chunk(3)
        for x_t in x.unbind(1):
            x_r, x_z, x_n = (x_t @ self.weight_ih_l0.T + self.bias_ih_l0).chunk(3, dim=1)
            r = torch.sigmoid(x_r + h @ W_r.T + b_r)
            z = torch.sigmoid(x_z + h @ W_z.T + b_z)
            n = torch.tanh(x_n + (r * (h @ W_n.T + b_n) if self.after else (r * h) @ W_n.T + b_n))
            h = (1 - z) * n + z * h
            outputs.append(h)
        return torch.stack(outputs, dim=1), h[None]


def twin(W_x, W_h, b_x, b_h, after: bool, kind: type | None = None) -> torch.nn.GRU:
    """``torch.nn.GRU`` with our weights; with the reset before the product, its double from the equations."""
    kind = kind or (torch.nn.GRU if after else Equations)
    layer = kind(W_x.shape[0], W_h.shape[0], batch_first=True, dtype=torch.as_tensor(b_x).dtype)
    with torch.no_grad():
        for name, value in (("weight_ih", W_x.T), ("weight_hh", W_h.T), ("bias_ih", b_x), ("bias_hh", b_h)):
            getattr(layer, f"{name}_l0").copy_(torch.as_tensor(np.ascontiguousarray(value)))
    return layer


def theirs(layer: torch.nn.GRU, x, h0, lengths=None):
    """The twin's outputs for each sequence cut to its own length: the meaning of ``lengths``, length 0 included."""
    N, T, _ = x.shape
    rows, last = [], []
    for n in range(N):
        length = T if lengths is None else lengths[n]
        padding = torch.zeros_like(h0[n : n + 1])[:, None].expand(-1, T - length, -1)
        out, state = padding[:, :0], h0[None, n : n + 1]
        if length:
            out, state = layer(x[n : n + 1, :length], state)
        rows.append(torch.cat([out, padding], dim=1))
        last.append(state[0])
    return torch.cat(rows), torch.cat(last)


def autograd(arrays, after, lengths, upstream) -> list[np.ndarray]:
    """The gradients of ``weighted(outputs, upstream)`` by every input and weight, from the twin."""
    layer = twin(*arrays[2:], after)
    inputs = [tensor(array, grad=True) for array in arrays[:2]]
    parameters = [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0, layer.bias_hh_l0]
    outputs = theirs(layer, *inputs, lengths)
    loss = weighted(outputs, [None if up is None else tensor(up) for up in upstream]) + 0 * inputs[1].sum()
    found = torch.autograd.grad(loss, [*inputs, *parameters], allow_unused=True, materialize_grads=True)
    return [gradient.numpy().T if k in (2, 3) else gradient.numpy() for k, gradient in enumerate(found)]


# --- forward ----------------------------------------------------------------------------------------------------------


@both_resets
@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("initial", [True, False], ids=["h0", "no h0"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_forward_equals_torch(size, initial, kind, dtype, after, rng) -> None:
    N, T, D, H = size
    x, h0, *weights = (array.astype(dtype) for array in problem(rng, *size))
    lengths = lengths_of(kind, N, T)
    got = gru_forward(x, h0 if initial else None, *weights, reset_after=after, lengths=lengths)
    expected = theirs(twin(*weights, after), tensor(x), tensor(h0 if initial else 0 * h0), lengths)
    for one, two in zip(got, expected):
        assert one.dtype == dtype
        assert relative_error(one, two.detach().numpy()) < CLOSE[dtype]


def test_the_double_with_the_reset_after_the_product_is_torchs_gru(rng) -> None:
    x, h0, *weights = problem(rng, 3, 5, 2, 4)
    double = twin(*weights, after=True, kind=Equations)
    double.after = True
    for one, two in zip(theirs(double, tensor(x), tensor(h0)), theirs(twin(*weights, True), tensor(x), tensor(h0))):
        assert relative_error(one.detach().numpy(), two.detach().numpy()) < 1e-14


def test_after_is_the_default_and_before_is_something_else(rng) -> None:
    arrays = problem(rng, 3, 5, 2, 4)
    default, after, before = (
        gru_forward(*arrays, **kind)[0] for kind in ({}, {"reset_after": True}, {"reset_after": False})
    )
    assert np.array_equal(default, after) and relative_error(after, before) > 1e-3
    one_step = [gru_step(arrays[0][:, 0], *arrays[1:], **kind)[0] for kind in ({}, {"reset_after": False})]
    assert relative_error(one_step[0], after[:, 0]) < 1e-14 and relative_error(one_step[1], before[:, 0]) < 1e-14


def test_the_two_resets_agree_where_a_unit_looks_at_itself_only(rng) -> None:
    x, h0, W_x, W_h, b_x, b_h = problem(rng, 3, 5, 2, 4)
    W_h[:, 8:] = np.diag(rng.normal(size=4))
    b_h[8:] = 0
    after, before = (gru_forward(x, h0, W_x, W_h, b_x, b_h, kind)[0] for kind in (True, False))
    assert relative_error(after, before) < 1e-14


def test_lengths_are_those_of_packed_sequences(rng) -> None:
    (x, h0, *weights), lengths = problem(rng, 3, 6, 2, 4), [6, 2, 4]
    packed = pack_padded_sequence(tensor(x), lengths, batch_first=True, enforce_sorted=False)
    out, h_n = twin(*weights, after=True)(packed, tensor(h0)[None])
    expected = pad_packed_sequence(out, batch_first=True, total_length=6)[0], h_n[0]
    for one, two in zip(gru_forward(x, h0, *weights, lengths=lengths), expected):
        assert relative_error(one, two.detach().numpy()) < 1e-12


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
def test_a_step_equals_torchs_cell(dtype, rng) -> None:
    x, h0, W_x, W_h, b_x, b_h = (array.astype(dtype) for array in problem(rng, 3, 1, 2, 4))
    cell = torch.nn.GRUCell(2, 4, dtype=torch.as_tensor(b_x).dtype)
    with torch.no_grad():
        for name, value in (("weight_ih", W_x.T), ("weight_hh", W_h.T), ("bias_ih", b_x), ("bias_hh", b_h)):
            getattr(cell, name).copy_(torch.as_tensor(np.ascontiguousarray(value)))
    h_t, _ = gru_step(x[:, 0], h0, W_x, W_h, b_x, b_h)
    assert h_t.dtype == dtype
    assert relative_error(h_t, cell(tensor(x[:, 0]), tensor(h0)).detach().numpy()) < CLOSE[dtype]


@both_resets
def test_steps_one_after_another_are_the_layer_forward_and_back(after, rng) -> None:
    x, h_t, *weights = problem(rng, 3, 5, 2, 4)
    dh, dh_next = upstream_of("everything", rng, 3, 5, 4)
    h, h_last, cache = gru_forward(x, h_t, *weights, after)
    expected = gru_backward(dh, dh_next, cache)
    caches = []
    for t in range(5):
        h_t, step = gru_step(x[:, t], h_t, *weights, after)
        caches.append(step)
        assert relative_error(h_t, h[:, t]) < 1e-14
    assert relative_error(h_t, h_last) < 1e-14

    dx, sums = np.zeros_like(x), [np.zeros_like(weight) for weight in weights]
    for t in reversed(range(5)):
        dx[:, t], dh_next, *rest = gru_step_backward(dh[:, t] + dh_next, caches[t])
        sums = [total + part for total, part in zip(sums, rest, strict=True)]
    for name, one, two in zip(expected._fields, expected, (dx, dh_next, *sums), strict=True):
        assert relative_error(one, two) < 1e-13, name


@both_resets
def test_an_update_gate_at_one_keeps_the_state_and_its_gradient_for_a_thousand_steps(after) -> None:
    h0, b = np.array([[0.3]]), np.array([0.0, 50.0, 0.0])
    h, h_last, cache = gru_forward(np.ones((1, 1000, 1)), h0, np.ones((1, 3)), np.ones((1, 3)), b, b, after)
    assert h_last == h0 and (h == 0.3).all() and gru_backward(None, h0, cache).dh0 == h0


@both_resets
@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
def test_huge_inputs_saturate_the_gates_and_overflow_nothing(dtype, after) -> None:
    x = np.array([[[1e30], [-1e30]]], dtype)
    with np.errstate(all="raise", under="ignore"):
        h, _, cache = gru_forward(x, None, *(np.ones(shape, dtype) for shape in ((1, 6), (2, 6), 6, 6)), after)
        gradients = gru_backward(np.ones_like(h), None, cache)
    assert not h[0, 0].any() and np.array_equal(h[0, 1], [-1, -1])
    assert all(np.isfinite(gradient).all() for gradient in gradients)


# --- backward ---------------------------------------------------------------------------------------------------------


@both_resets
@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_backward_equals_autograd(size, upstream, kind, after, rng) -> None:
    N, T, D, H = size
    arrays, lengths, ups = problem(rng, *size), lengths_of(kind, N, T), upstream_of(upstream, rng, N, T, H)
    got = gru_backward(*ups, gru_forward(*arrays, after, lengths)[-1])
    for name, one, two in zip(got._fields, got, autograd(arrays, after, lengths, ups), strict=True):
        assert relative_error(one, two) < 1e-10, name


@both_resets
@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_backward_equals_central_differences(size, kind, after, rng) -> None:
    N, T, D, H = size
    arrays, lengths = problem(rng, *size), lengths_of(kind, N, T)
    ups = upstream_of("everything", rng, N, T, H)
    got = gru_backward(*ups, gru_forward(*arrays, after, lengths)[-1])
    for name, one, array in zip(got._fields, got, arrays, strict=True):
        moved = central_differences(lambda: float(weighted(gru_forward(*arrays, after, lengths), ups)), array)
        assert relative_error(one, moved) < 1e-7, name


@both_resets
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 2, 4), (2, 3, 1), (4, 1, 2)], ids=str)
def test_a_step_back_equals_autograd_and_central_differences(size, after, rng) -> None:
    N, D, H = size
    x, *rest = problem(rng, N, 1, D, H)
    arrays, dh_t = [x[:, 0], *rest], rng.normal(size=(N, H))
    got = gru_step_backward(dh_t, gru_step(*arrays, after)[1])
    expected = autograd([x, *rest], after, None, (None, dh_t))
    for name, one, two, array in zip(got._fields, got, expected, arrays, strict=True):
        assert relative_error(one, two.reshape(one.shape)) < 1e-12, name
        moved = central_differences(lambda: float((gru_step(*arrays, after)[0] * dh_t).sum()), array)
        assert relative_error(one, moved) < 1e-7, name


@both_resets
def test_no_upstream_gradient_is_a_zero_one(after, rng) -> None:
    arrays = problem(rng, 3, 5, 2, 4)
    dh, dh_last = upstream_of("everything", rng, 3, 5, 4)
    cache = gru_forward(*arrays, after)[-1]
    pairs = [
        (gru_backward(None, dh_last, cache), gru_backward(0 * dh, dh_last, cache)),
        (gru_backward(dh, None, cache), gru_backward(dh, 0 * dh_last, cache)),
        (gru_backward(None, None, cache), [0 * array for array in arrays]),
    ]
    for got, expected in pairs:
        assert all(np.array_equal(one, two) for one, two in zip(got, expected, strict=True))


@both_resets
@pytest.mark.parametrize("kind", LENGTHS)
def test_float32_gradients_are_those_of_float64_rounded(kind, after, rng) -> None:
    arrays, lengths = problem(rng, 4, 6, 3, 5), lengths_of(kind, 4, 6)
    ups = upstream_of("everything", rng, 4, 6, 5)
    exact = gru_backward(*ups, gru_forward(*arrays, after, lengths)[-1])
    rounded = gru_backward(*ups, gru_forward(*(array.astype(np.float32) for array in arrays), after, lengths)[-1])
    assert list(exact._fields) == ["dx", "dh0", "dW_x", "dW_h", "db_x", "db_h"]
    for name, one, two in zip(exact._fields, rounded, exact, strict=True):
        assert one.dtype == np.float32 and relative_error(one, two) < 1e-5, name


# --- what goes in, what comes out -------------------------------------------------------------------------------------


@both_resets
def test_inputs_are_not_changed_and_may_be_strided(after, rng) -> None:
    arrays, lengths = problem(rng, 3, 5, 2, 4), [5, 2, 0]
    ups = upstream_of("everything", rng, 3, 5, 4)
    *expected, cache = gru_forward(*arrays, after, lengths)
    expected += gru_backward(*ups, cache)
    *got, cache = gru_forward(*read_only(*arrays), after, read_only(np.array(lengths))[0])
    for array in cache:
        if array is not None:
            array.flags.writeable = False
    for _ in range(2):  # the cache serves more than one backward pass
        again = [*got, *gru_backward(*read_only(*ups), cache)]
        assert all(np.array_equal(one, two) for one, two in zip(expected, again, strict=True))
    strided = [np.repeat(np.asfortranarray(array), 2, axis=-1)[..., ::2] for array in arrays]
    *got, cache = gru_forward(*strided, after, lengths)
    got += gru_backward(*(np.asfortranarray(up) for up in ups), cache)
    assert all(np.allclose(one, two, rtol=1e-13, atol=0) for one, two in zip(expected, got, strict=True))


@both_resets
@pytest.mark.parametrize("T", [0, 1])
def test_what_comes_back_shares_no_memory_with_what_went_in(T, after, rng) -> None:
    arrays = problem(rng, 1, T, 3, 4)
    ups = upstream_of("everything", rng, 1, T, 4)
    *outputs, cache = gru_forward(*arrays, after)
    gradients = gru_backward(*ups, cache)
    for out in (*outputs, *gradients):
        assert not any(np.shares_memory(out, other) for other in (*arrays, *ups, *(a for a in cache if a is not None)))
    assert not np.shares_memory(gradients.db_x, gradients.db_h)


@both_resets
def test_without_steps_the_state_and_its_gradient_pass_through(after, rng) -> None:
    arrays = problem(rng, 2, 0, 3, 4)
    _, dh_last = upstream_of("everything", rng, 2, 0, 4)
    h, h_last, cache = gru_forward(*arrays, after)
    gradients = gru_backward(np.zeros((2, 0, 4)), dh_last, cache)
    assert h.shape == (2, 0, 4) and np.array_equal(h_last, arrays[1]) and np.array_equal(gradients.dh0, dh_last)
    assert gradients.dx.shape == (2, 0, 3) and not any(gradient.any() for gradient in gradients[2:])


@both_resets
def test_the_first_array_gives_the_dtype(after, rng) -> None:
    x, *rest = problem(rng, 2, 3, 3, 4)
    *outputs, cache = gru_forward(x.astype(np.float32), *rest, after)
    gradients = gru_backward(*upstream_of("everything", rng, 2, 3, 4), cache)
    h_t, step = gru_step(x[:, 0].astype(np.float32), *rest, after)
    arrays = [*outputs, *gradients, h_t, *gru_step_backward(rest[0], step)]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


NAMES = ["x", "h0", "W_x", "W_h", "b_x", "b_h"]
GOOD = dict(zip(NAMES, [(3, 5, 2), (3, 4), (2, 12), (4, 12), (12,), (12,)]))
BAD = dict(zip(NAMES, [(3, 5), (2, 4), (3, 12), (4, 16), (4,), (3, 4)]))


@pytest.mark.parametrize("name", GOOD)
def test_a_wrong_shape_says_what_was_got_and_expected(name: str) -> None:
    arrays = [np.zeros(BAD[key] if key == name else shape) for key, shape in GOOD.items()]
    with pytest.raises(ValueError, match="got shape .* expected"):
        gru_forward(*arrays)
    with pytest.raises(ValueError, match="got shape .* expected"):
        gru_step(arrays[0][:, 0] if name != "x" else arrays[0][0, 0], *arrays[1:])


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("dtype", [np.int64, np.complex128, object, "U3"])
def test_a_wrong_dtype_says_what_was_got_and_expected(name: str, dtype) -> None:
    arrays = [np.zeros(shape).astype(dtype if key == name else np.float64) for key, shape in GOOD.items()]
    with pytest.raises(ValueError, match=f"{name}: got dtype .* expected float32 or float64"):
        gru_forward(*arrays)


@pytest.mark.parametrize(
    ("lengths", "words"),
    [([1, 2], "shape"), ([1, 2, 6], "expected 0 to T = 5"), ([-1, 2, 3], "expected 0"), ([1.0, 2.0, 3.0], "whole")],
)
def test_wrong_lengths_say_what_was_got_and_expected(lengths, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gru_forward(*(np.zeros(shape) for shape in GOOD.values()), lengths=lengths)


@pytest.mark.parametrize(("position", "name"), [(0, "dh"), (1, "dh_last")])
def test_a_wrong_upstream_gradient_says_what_was_got_and_expected(position: int, name: str) -> None:
    cache = gru_forward(*(np.zeros(shape) for shape in GOOD.values()))[-1]
    right = [np.zeros((3, 5, 4)), np.zeros((3, 4))]
    for wrong, words in ((np.zeros((2, 4)), "got shape .* expected"), (right[position].astype(int), "got dtype")):
        with pytest.raises(ValueError, match=f"{name}: {words}"):
            gru_backward(*(wrong if k == position else up for k, up in enumerate(right)), cache)


# --- properties -------------------------------------------------------------------------------------------------------

SMALL = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4))
SEEDS = st.integers(0, 2**31)


def both_ways(arrays, ups, after, lengths=None) -> list[np.ndarray]:
    """The outputs and the gradients."""
    *outputs, cache = gru_forward(*arrays, after, lengths)
    return [*outputs, *gru_backward(*ups, cache)]


@given(SMALL, SEEDS, st.booleans())
def test_padding_beyond_lengths_never_matters_forward_or_back(size, seed, after) -> None:
    N, T, D, H = size
    rng = np.random.default_rng(seed)
    arrays, ups = problem(rng, *size), upstream_of("everything", rng, N, T, H)
    lengths = rng.integers(0, T + 1, size=N)
    beyond = np.arange(T) >= lengths[:, None]
    padded, padded_ups = [array.copy() for array in arrays], [up.copy() for up in ups]
    padded[0][beyond] = padded_ups[0][beyond] = np.nan
    with np.errstate(all="raise", under="ignore"):
        got = both_ways(padded, padded_ups, after, lengths)
    assert all(np.array_equal(one, two) for one, two in zip(got, both_ways(arrays, ups, after, lengths), strict=True))
    assert not got[0][beyond].any() and not got[2][beyond].any()


@given(SMALL, SEEDS, st.booleans(), st.integers(0, 6))
def test_a_sequence_cut_in_two_with_states_and_gradients_carried_is_the_same(size, seed, after, cut) -> None:
    N, T, D, H = size
    rng = np.random.default_rng(seed)
    x, h0, *weights = problem(rng, *size)
    dh, dh_last = upstream_of("everything", rng, N, T, H)
    whole = both_ways([x, h0, *weights], (dh, dh_last), after)
    one, h_cut, first = gru_forward(x[:, :cut], h0, *weights, after)
    two, h_last, second = gru_forward(x[:, cut:], h_cut, *weights, after)
    dx_two, dh_cut, *sums = gru_backward(dh[:, cut:], dh_last, second)
    dx_one, dh0, *more = gru_backward(dh[:, :cut], dh_cut, first)
    parts = [np.hstack([one, two]), h_last, np.hstack([dx_one, dx_two]), dh0, *map(np.add, sums, more)]
    assert all(relative_error(got, expected) < 1e-12 for got, expected in zip(parts, whole, strict=True))


@given(SMALL, SEEDS, st.booleans())
def test_a_batch_equals_its_rows_one_by_one(size, seed, after) -> None:
    N, T, D, H = size
    rng = np.random.default_rng(seed)
    (x, h0, *weights), (dh, dh_last) = problem(rng, *size), upstream_of("everything", rng, N, T, H)
    lengths = rng.integers(0, T + 1, size=N)
    alone = [
        both_ways([x[row], h0[row], *weights], (dh[row], dh_last[row]), after, lengths[row])
        for row in (slice(n, n + 1) for n in range(N))
    ]
    together = both_ways([x, h0, *weights], (dh, dh_last), after, lengths)
    for k, (expected, *got) in enumerate(zip(together, *alone, strict=True)):
        joined = np.concatenate(got) if k < 4 else sum(got)  # the weights' gradients are sums over the batch
        assert relative_error(joined, expected) < 1e-12


@given(SMALL, SEEDS, st.booleans())
def test_a_permutation_of_hidden_units_permutes_everything(size, seed, after) -> None:
    N, T, D, H = size
    rng = np.random.default_rng(seed)
    arrays, ups = problem(rng, *size), upstream_of("everything", rng, N, T, H)
    p = rng.permutation(H)
    columns = np.concatenate([p + gate * H for gate in range(3)])

    def permuted(x, h0, W_x, W_h, b_x, b_h):
        return [x, h0[:, p], W_x[:, columns], W_h[p][:, columns], b_x[columns], b_h[columns]]

    h, h_last, *gradients = both_ways(arrays, ups, after)
    expected = [h[..., p], h_last[:, p], *permuted(*gradients)]
    for one, two in zip(both_ways(permuted(*arrays), [up[..., p] for up in ups], after), expected, strict=True):
        assert relative_error(one, two) < 1e-12
