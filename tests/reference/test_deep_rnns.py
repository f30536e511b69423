"""Stacks, two directions and dropout, around every cell, against ``torch.nn`` with layers and directions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from solutions.with_numpy.bptt import rnn_backward
from solutions.with_numpy.deep_rnns import (
    bidirectional_backward,
    bidirectional_forward,
    dropout_backward,
    dropout_forward,
    reverse_steps,
    stack_backward,
    stack_forward,
)
from solutions.with_numpy.gru import gru_backward, gru_forward
from solutions.with_numpy.lstm import lstm_backward, lstm_forward
from solutions.with_numpy.recurrent_neurons import rnn_forward
from tests.reference.agreement import central_differences, read_only, relative_error, tensor

CLOSE = {np.float64: 1e-12, np.float32: 1e-5}
SIZES = [(1, 1, 1, 1), (3, 5, 2, 4), (2, 1, 3, 1), (2, 4, 1, 3)]
LENGTHS = ["none", "equal", "mixed", "some 0"]
UPSTREAMS = ["every step and the state", "some steps", "the last step", "the state"]


class Cell(NamedTuple):
    """A cell of ours and its twin: how many states it carries, blocks of ``H`` in its weights, biases it has."""

    forward: Callable
    backward: Callable
    twin: type[torch.nn.RNNBase]
    states: int
    gates: int
    biases: int


CELLS = {
    "rnn": Cell(rnn_forward, rnn_backward, torch.nn.RNN, 1, 1, 1),
    "lstm": Cell(lstm_forward, lstm_backward, torch.nn.LSTM, 2, 4, 1),
    "gru": Cell(gru_forward, gru_backward, torch.nn.GRU, 1, 3, 2),
}


class Problem(NamedTuple):
    """A deep network: ``x``, and for every layer and direction, in PyTorch's order, its states and its weights."""

    cell: Cell
    both: bool
    x: np.ndarray
    states: list[list[np.ndarray | None]]
    weights: list[list[np.ndarray]]

    @property
    def forward(self) -> Callable:
        return partial(bidirectional_forward, forward=self.cell.forward) if self.both else self.cell.forward

    @property
    def backward(self) -> Callable:
        return partial(bidirectional_backward, backward=self.cell.backward) if self.both else self.cell.backward

    def layers(self) -> list[tuple]:
        """What ``stack_forward`` takes: with two directions, a pair of layers at each level."""
        flat = [(*states, *weights) for states, weights in zip(self.states, self.weights)]
        return list(zip(flat[::2], flat[1::2])) if self.both else flat

    def run(self, lengths=None, **dropout):
        return stack_forward(self.x, self.layers(), self.forward, lengths, **dropout)

    def leveled(self, flat: list) -> list:
        """A list with one entry a layer and direction, as ``stack_forward`` nests them."""
        return list(zip(flat[::2], flat[1::2])) if self.both else list(flat)

    def flat(self, leveled) -> list:
        return [entry for level in leveled for entry in level] if self.both else list(leveled)


def problem(rng: np.random.Generator, name: str, size, L: int = 1, both: bool = False, dtype=np.float64) -> Problem:
    """A network of ``L`` layers: no weight near 0, and sums so small that every gradient can be measured."""
    cell, (N, T, D, H) = CELLS[name], size

    def away_from_zero(*shape: int) -> np.ndarray:
        return (rng.uniform(0.4, 1.0, shape) * rng.choice([-1, 1], shape)).astype(dtype)

    directions = 2 if both else 1
    states, weights = [], []
    for level in range(L):
        for _ in range(directions):
            rows, columns = D if level == 0 else directions * H, cell.gates * H
            biases = [away_from_zero(columns) / 4 for _ in range(cell.biases)]
            weights.append([away_from_zero(rows, columns) / rows, away_from_zero(H, columns) / H**0.5, *biases])
            states.append([rng.normal(size=(N, H)).astype(dtype) for _ in range(cell.states)])
    return Problem(cell, both, rng.normal(size=(N, T, D)).astype(dtype), states, weights)


def lengths_of(kind: str, N: int, T: int) -> list[int] | None:
    return {
        "none": None,
        "equal": [T] * N,
        "mixed": [1 + (2 * n) % T for n in range(N)],
        "some 0": [0 if n % 2 == 0 else T for n in range(N)],
    }[kind]


def upstream_of(kind: str, p: Problem, rng) -> tuple[np.ndarray | None, list[tuple] | None]:
    """``dh``, and the gradients of the final states of every layer and direction, in PyTorch's order."""
    (N, T, _), H = p.x.shape, p.weights[0][1].shape[0]
    dh = rng.normal(size=(N, T, 2 * H if p.both else H))
    dlast = [tuple(rng.normal(size=(N, H)) for _ in range(p.cell.states)) for _ in p.states]
    if kind == "some steps":
        dh[:, ::2] = 0
    if kind == "the last step":
        dh[:, :-1] = 0
    return {"every step and the state": (dh, dlast), "the state": (None, dlast)}.get(kind, (dh, None))


# --- the twin ---------------------------------------------------------------------------------------------------------


def twin_of(p: Problem) -> torch.nn.RNNBase:
    """``torch.nn``'s layer with our weights; where the cell has one bias, the second is 0."""
    D, H = p.weights[0][0].shape[0], p.weights[0][1].shape[0]
    levels = len(p.weights) // (2 if p.both else 1)
    layer = p.cell.twin(D, H, levels, batch_first=True, bidirectional=p.both, dtype=tensor(p.x).dtype)
    values = []
    for W_x, W_h, *b in p.weights:
        values += [W_x.T, W_h.T, b[0], b[1] if len(b) > 1 else 0 * b[0]]
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), values, strict=True):
            parameter.copy_(tensor(value))
    return layer


def one_by_one(layer, x: torch.Tensor, states: list[torch.Tensor], lengths) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Each sequence alone, cut to its own length: the meaning of ``lengths``, length 0 included.

    ``states`` are ``(layers · directions, N, H)``, one an LSTM's ``h`` and one its ``c``.
    """
    N, T, _ = x.shape
    width = states[0].shape[-1] * (2 if layer.bidirectional else 1)
    rows, ends = [], []
    for n in range(N):
        length, own = T if lengths is None else lengths[n], [s[:, n : n + 1].contiguous() for s in states]
        out = x.new_zeros(1, 0, width)
        if length:
            out, last = layer(x[n : n + 1, :length], own[0] if len(own) == 1 else tuple(own))
            own = [last] if len(own) == 1 else list(last)
        rows.append(torch.cat([out, x.new_zeros(1, T - length, width)], dim=1))
        ends.append(own)
    return torch.cat(rows), [torch.cat(parts, dim=1) for parts in zip(*ends)]


def stacked(states: list, like: np.ndarray) -> list[np.ndarray]:
    """The states of every layer and direction as ``torch.nn`` takes them; None becomes zeros."""
    return [np.stack([np.zeros_like(like) if s is None else s for s in kind]) for kind in zip(*states)]


def autograd(p: Problem, lengths, dh, dlast) -> tuple[np.ndarray, list[list[np.ndarray]]]:
    """``dx``, and for every layer and direction the gradients of its states and weights, by the twin."""
    layer, x = twin_of(p), tensor(p.x, grad=True)
    states = [tensor(s, grad=True) for s in stacked(p.states, p.states[0][0])]
    h, last = one_by_one(layer, x, states, lengths)
    loss = 0 * x.sum()
    if dh is not None:
        loss = loss + (h * tensor(dh)).sum()
    if dlast is not None:
        loss = loss + sum((one * tensor(up)).sum() for one, up in zip(last, stacked(dlast, p.states[0][0])))
    parameters = list(layer.parameters())
    found = torch.autograd.grad(loss, [x, *states, *parameters], allow_unused=True, materialize_grads=True)
    dx, dstates, rest = found[0], found[1 : 1 + len(states)], [g.numpy() for g in found[1 + len(states) :]]
    gradients = []
    for i in range(len(p.states)):
        dW_x, dW_h, db, db_second = rest[4 * i : 4 * i + 4]
        biases = [db, db_second] if p.cell.biases == 2 else [db]
        gradients.append([*(s[i].numpy() for s in dstates), dW_x.T, dW_h.T, *biases])
    return dx.numpy(), gradients


NETWORKS = [(1, False), (2, False), (3, False), (1, True), (2, True)]
network = pytest.mark.parametrize(("L", "both"), NETWORKS, ids=lambda v: {True: "both ways", False: "ahead"}.get(v, v))
each_cell = pytest.mark.parametrize("name", CELLS)


# --- layers and directions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("initial", [True, False], ids=["h0", "no h0"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@network
@each_cell
def test_forward_equals_torch(name, L, both, size, initial, kind, dtype, rng) -> None:
    p, lengths = problem(rng, name, size, L, both, dtype), lengths_of(kind, *size[:2])
    zeros = p.states[0][0]
    if not initial:
        p = p._replace(states=[[None] * p.cell.states for _ in p.states])
    h, last, _ = p.run(lengths)
    expected, ends = one_by_one(twin_of(p), tensor(p.x), [tensor(s) for s in stacked(p.states, zeros)], lengths)
    assert h.dtype == dtype
    assert relative_error(h, expected.detach().numpy()) < CLOSE[dtype]
    for one, two in zip(stacked(p.flat(last), zeros), ends):
        assert one.dtype == dtype
        assert relative_error(one, two.detach().numpy()) < CLOSE[dtype]


@network
@each_cell
def test_lengths_are_those_of_packed_sequences(name, L, both, rng) -> None:
    p, lengths = problem(rng, name, (3, 6, 2, 4), L, both), [6, 2, 4]
    p = p._replace(states=[[None] * p.cell.states for _ in p.states])
    out, last = twin_of(p)(pack_padded_sequence(tensor(p.x), lengths, batch_first=True, enforce_sorted=False))
    padded = pad_packed_sequence(out, batch_first=True, total_length=6)[0]
    h, ends, _ = p.run(lengths)
    assert relative_error(h, padded.detach().numpy()) < 1e-12
    for one, two in zip(stacked(p.flat(ends), None), last if p.cell.states == 2 else [last]):
        assert relative_error(one, two.detach().numpy()) < 1e-12


@pytest.mark.parametrize("kind", LENGTHS)
@pytest.mark.parametrize("upstream", UPSTREAMS)
@pytest.mark.parametrize("size", [(3, 5, 2, 4), (1, 2, 1, 1)], ids=str)
@network
@each_cell
def test_gradients_equal_autograd(name, L, both, size, upstream, kind, rng) -> None:
    p, lengths = problem(rng, name, size, L, both), lengths_of(kind, *size[:2])
    dh, dlast = upstream_of(upstream, p, rng)
    got = stack_backward(dh, None if dlast is None else p.leveled(dlast), p.run(lengths)[2], p.backward)
    dx, expected = autograd(p, lengths, dh, dlast)
    assert relative_error(got.dx, dx) < 1e-10
    found = [(level.dahead, level.dreverse) for level in got.dlayers] if both else got.dlayers
    for i, (layer, gradients) in enumerate(zip(p.flat(found), expected, strict=True)):
        for name, one, two in zip(layer._fields[1:], layer[1:], gradients, strict=True):
            assert relative_error(one, two) < 1e-10, (i, name)


@pytest.mark.parametrize(
    ("L", "both", "dropout"),
    [
        (2, False, {}),
        (1, True, {}),
        (2, True, {}),
        (2, False, {"dropout": 0.4}),
        (2, True, {"dropout": 0.4, "variational": True}),
    ],
)
@pytest.mark.parametrize("kind", ["none", "some 0"])
@each_cell
def test_gradients_equal_central_differences(name, L, both, kind, dropout, rng) -> None:
    p, lengths = problem(rng, name, (2, 3, 2, 2), L, both), lengths_of(kind, 2, 3)
    dh, dlast = upstream_of("every step and the state", p, rng)

    def loss() -> float:
        h, last, _ = p.run(lengths, **dropout, rng=np.random.default_rng(3))
        ends = zip(p.flat(last), dlast)
        return float((h * dh).sum()) + sum(float((s * up).sum()) for one, two in ends for s, up in zip(one, two))

    cache = p.run(lengths, **dropout, rng=np.random.default_rng(3))[2]
    got = stack_backward(dh, p.leveled(dlast), cache, p.backward)
    assert relative_error(got.dx, central_differences(loss, p.x)) < 1e-7
    found = [(level.dahead, level.dreverse) for level in got.dlayers] if both else got.dlayers
    for layer, states, weights in zip(p.flat(found), p.states, p.weights, strict=True):
        for field, one, array in zip(layer._fields[1:], layer[1:], [*states, *weights], strict=True):
            assert relative_error(one, central_differences(loss, array)) < 1e-7, field


@network
@each_cell
def test_float32_gradients_stay_float32_and_agree_with_float64(name, L, both, rng) -> None:
    p = problem(rng, name, (3, 5, 2, 4), L, both)
    dh, dlast = upstream_of("every step and the state", p, rng)
    found = []
    for dtype in (np.float32, np.float64):
        states, weights = ([[v.astype(dtype) for v in one] for one in group] for group in (p.states, p.weights))
        q = p._replace(x=p.x.astype(dtype), states=states, weights=weights)
        ends = [tuple(s.astype(dtype) for s in one) for one in dlast]
        cache = q.run([5, 2, 0], dropout=0.3, rng=np.random.default_rng(5))[2]
        found.append(list(leaves(stack_backward(dh.astype(dtype), q.leveled(ends), cache, q.backward))))
    for one, two in zip(*found, strict=True):
        assert one.dtype == np.float32 and two.dtype == np.float64
        assert relative_error(one, two) < 1e-5


def leaves(tree):
    """All arrays of nested tuples."""
    if isinstance(tree, np.ndarray):
        yield tree
    else:
        for part in tree:
            yield from leaves(part)


def test_layers_of_different_widths_are_the_cells_one_after_another(rng) -> None:
    x, widths = rng.normal(size=(3, 5, 2)), (2, 4, 1, 3)
    layers = [
        (rng.normal(size=(3, H)), *(rng.normal(size=shape) for shape in ((D, H), (H, H), (H,))))
        for D, H in zip(widths, widths[1:])
    ]
    h, last, cache = stack_forward(x, layers, rnn_forward, [5, 3, 0])
    expected, caches = x, []
    for level, layer in enumerate(layers):
        expected, end, own = rnn_forward(expected, *layer, lengths=[5, 3, 0])
        caches.append(own)
        assert np.array_equal(last[level][0], end)
    assert np.array_equal(h, expected)
    dh = rng.normal(size=h.shape)
    got, back = stack_backward(dh, None, cache, rnn_backward), dh
    for level in (2, 1, 0):
        gradients = rnn_backward(back, None, caches[level])
        for one, two in zip(got.dlayers[level], gradients):
            assert np.array_equal(one, two)
        back = gradients.dx
    assert np.array_equal(got.dx, back)


def test_options_go_in_by_partial_or_by_name(rng) -> None:
    """Another activation, the GRU's other convention, and weights that only some layers have."""
    p = problem(rng, "rnn", (2, 4, 3, 3), L=2)
    relu = stack_forward(p.x, p.layers(), partial(rnn_forward, activation="relu"))[0]
    named = [
        dict(zip(("h0", "W_x", "W_h", "b", "activation"), (*layer, a))) for layer, a in zip(p.layers(), ("relu",) * 2)
    ]
    assert relu.min() == 0 and np.array_equal(stack_forward(p.x, named, rnn_forward)[0], relu)

    p = problem(rng, "gru", (2, 4, 3, 3), L=2)
    before = stack_forward(p.x, p.layers(), partial(gru_forward, reset_after=False))[0]
    inner = gru_forward(p.x, *p.layers()[0], reset_after=False)[0]
    assert np.array_equal(before, gru_forward(inner, *p.layers()[1], reset_after=False)[0])
    assert relative_error(before, p.run()[0]) > 1e-3

    p = problem(rng, "lstm", (2, 4, 3, 3), L=2)
    first, second = (dict(zip(("h0", "c0", "W_x", "W_h", "b"), layer)) for layer in p.layers())
    first["peepholes"] = rng.normal(size=(3, 3))
    h, _, cache = stack_forward(p.x, [first, second], lstm_forward)
    gradients = stack_backward(np.ones_like(h), None, cache, lstm_backward)
    assert gradients.dlayers[0].dpeepholes.shape == (3, 3) and not hasattr(gradients.dlayers[1], "dpeepholes")


def test_the_wrappers_nest_either_way(rng) -> None:
    """Two directions of stacks are not a stack of two directions, but each is a layer by the same protocol."""
    p = problem(rng, "lstm", (2, 5, 3, 3), L=2)
    q = problem(rng, "lstm", (2, 5, 3, 3), L=2)
    stacks = partial(stack_forward, forward=lstm_forward)
    h, ahead, reverse, cache = bidirectional_forward(p.x, (p.layers(),), (q.layers(),), stacks, [5, 2])
    one, ends, own = stack_forward(p.x, p.layers(), lstm_forward, [5, 2])
    two, begins, other = stack_forward(reverse_steps(p.x, [5, 2]), q.layers(), lstm_forward, [5, 2])
    assert np.array_equal(h, np.concatenate([one, reverse_steps(two, [5, 2])], axis=-1))
    for mine, theirs in zip(leaves((ahead, reverse)), leaves((ends, begins)), strict=True):
        assert np.array_equal(mine, theirs)
    dh = rng.normal(size=h.shape)
    got = bidirectional_backward(dh, None, None, cache, partial(stack_backward, backward=lstm_backward))
    first = stack_backward(dh[..., :3], None, own, lstm_backward)
    second = stack_backward(reverse_steps(dh[..., 3:], [5, 2]), None, other, lstm_backward)
    assert np.array_equal(got.dx, first.dx + reverse_steps(second.dx, [5, 2]))


@network
@each_cell
def test_nothing_that_goes_in_is_changed_and_nothing_is_shared(name, L, both, rng) -> None:
    p = problem(rng, name, (3, 5, 2, 4), L, both)
    p = p._replace(
        x=read_only(p.x)[0],
        states=[read_only(*states) for states in p.states],
        weights=[read_only(*weights) for weights in p.weights],
    )
    dh, dlast = upstream_of("every step and the state", p, rng)
    dh, dlast = read_only(dh)[0], p.leveled([tuple(read_only(*one)) for one in dlast])
    lengths = read_only(np.array([5, 2, 0]))[0]
    h, last, cache = p.run(lengths, dropout=0.5, rng=np.random.default_rng(1))
    first, second = (stack_backward(dh, dlast, cache, p.backward) for _ in range(2))
    given = list(leaves((p.x, p.states, p.weights, dh, dlast)))
    for one, two in zip(leaves(first), leaves(second), strict=True):
        assert np.array_equal(one, two)
    for one in leaves((h, last, first)):
        assert not any(np.shares_memory(one, array) for array in given)


@pytest.mark.parametrize("both", [False, True], ids=["ahead", "both ways"])
@each_cell
def test_sequences_of_no_steps(name, both, rng) -> None:
    p = problem(rng, name, (2, 0, 3, 4), 2, both)
    h, last, cache = p.run()
    assert h.shape == (2, 0, 8 if both else 4)
    for one, two in zip(p.flat(last), p.states):
        assert all(np.array_equal(end, start) for end, start in zip(one, two))
    dh, dlast = upstream_of("every step and the state", p, rng)
    got = stack_backward(dh, p.leveled(dlast), cache, p.backward)
    assert got.dx.shape == p.x.shape
    found = [(level.dahead, level.dreverse) for level in got.dlayers] if both else got.dlayers
    for layer, up in zip(p.flat(found), dlast):
        for one, two in zip(layer[1 : 1 + p.cell.states], up):
            assert np.array_equal(one, two)


@each_cell
def test_none_stands_for_zero_upstream_at_every_place(name, rng) -> None:
    p = problem(rng, name, (2, 4, 3, 3), 2, both=True)
    cache, dh = p.run([4, 2])[2], rng.normal(size=(2, 4, 6))
    zeros = tuple(np.zeros((2, 3)) for _ in range(p.cell.states))
    nones = (None,) * p.cell.states
    expected = list(leaves(stack_backward(dh, [(zeros, zeros)] * 2, cache, p.backward)))
    for dlast in (None, [None, None], [(None, None), (zeros, None)], [(nones, nones)] * 2):
        got = stack_backward(dh, dlast, cache, p.backward)
        assert all(np.array_equal(one, two) for one, two in zip(leaves(got), expected, strict=True))
    dlast = [(zeros, zeros), (zeros, tuple(rng.normal(size=(2, 3)) for _ in range(p.cell.states)))]
    one, two = (stack_backward(up, dlast, cache, p.backward) for up in (None, np.zeros_like(dh)))
    assert all(np.array_equal(a, b) for a, b in zip(leaves(one), leaves(two), strict=True)) and one.dx.any()


# --- properties -------------------------------------------------------------------------------------------------------

SMALL = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4))
SEED = st.integers(0, 2**31)
NAMES = st.sampled_from(sorted(CELLS))


@given(SMALL, SEED, st.booleans())
def test_reversing_twice_is_the_identity_and_padding_stays(size, seed, cut) -> None:
    N, T, D, _ = size
    rng = np.random.default_rng(seed)
    x, lengths = rng.normal(size=(N, T, D)), rng.integers(0, T + 1, size=N) if cut else None
    once = reverse_steps(x, lengths)
    assert np.array_equal(reverse_steps(once, lengths), x) and not np.shares_memory(once, x)
    for n in range(N):
        length = T if lengths is None else lengths[n]
        assert np.array_equal(once[n, :length], x[n, :length][::-1])
        assert np.array_equal(once[n, length:], x[n, length:])


@given(SMALL, SEED, NAMES, st.booleans())
def test_padding_never_matters_and_gets_no_gradient(size, seed, name, both) -> None:
    N, T, _, _ = size
    rng = np.random.default_rng(seed)
    p, lengths = problem(rng, name, size, 2, both), rng.integers(0, T + 1, size=N)
    dh, dlast = upstream_of("every step and the state", p, rng)
    padding = np.arange(T) >= lengths[:, None]
    found = []
    for _ in range(2):
        h, last, cache = p.run(lengths)
        got = stack_backward(dh, p.leveled(dlast), cache, p.backward)
        found.append([h, *leaves(last), got.dx, *own_gradients(got, both)])
        p.x[padding], dh[padding] = np.nan, np.nan
    assert not found[0][0][padding].any() and not got.dx[padding].any()
    for one, two in zip(*found, strict=True):
        assert np.array_equal(one, two)


def own_gradients(gradients, both: bool) -> list[np.ndarray]:
    """The gradients of the states and weights of all layers and directions."""
    layers = [d for level in gradients.dlayers for d in ((level.dahead, level.dreverse) if both else (level,))]
    return [gradient for layer in layers for gradient in layer[1:]]


@given(SMALL, SEED, NAMES, st.integers(0, 6))
def test_a_stack_cut_in_two_with_all_states_carried_gives_the_same(size, seed, name, cut) -> None:
    rng = np.random.default_rng(seed)
    p = problem(rng, name, size, 3)
    h, last, _ = p.run()
    first, middle, _ = p._replace(x=p.x[:, :cut]).run()
    second, end, _ = p._replace(x=p.x[:, cut:], states=[list(states) for states in middle]).run()
    assert relative_error(np.concatenate([first, second], axis=1), h) < 1e-12
    for one, two in zip(leaves(end), leaves(last), strict=True):
        assert relative_error(one, two) < 1e-12


@given(SMALL, SEED, NAMES, st.booleans())
def test_a_batch_equals_its_rows_one_by_one(size, seed, name, both) -> None:
    N, T, _, _ = size
    rng = np.random.default_rng(seed)
    p, lengths = problem(rng, name, size, 2, both), rng.integers(0, T + 1, size=N)
    dh, _ = upstream_of("every step", p, rng)
    h, _, cache = p.run(lengths)
    whole, rows = stack_backward(dh, None, cache, p.backward), []
    for row in (slice(n, n + 1) for n in range(N)):
        one = p._replace(x=p.x[row], states=[[s[row] for s in states] for states in p.states])
        out, _, own = one.run(lengths[row])
        assert relative_error(out, h[row]) < 1e-12
        rows.append(stack_backward(dh[row], None, own, p.backward))
    assert relative_error(np.concatenate([row.dx for row in rows]), whole.dx) < 1e-12


@given(SMALL, SEED, NAMES)
def test_a_permutation_of_the_first_layers_units_leaves_the_outputs(size, seed, name) -> None:
    H, rng = size[3], np.random.default_rng(seed)
    p = problem(rng, name, size, 2)
    order = rng.permutation(H)
    gates = np.concatenate([order + H * g for g in range(p.cell.gates)])
    (W_x, W_h, *b), (W_second, *rest) = p.weights
    permuted = p._replace(
        states=[[s[:, order] for s in p.states[0]], p.states[1]],
        weights=[[W_x[:, gates], W_h[np.ix_(order, gates)], *(one[gates] for one in b)], [W_second[order], *rest]],
    )
    assert relative_error(permuted.run()[0], p.run()[0]) < 1e-12


@given(SMALL, SEED, NAMES)
def test_reading_reversed_sequences_with_the_directions_swapped_gives_the_mirror_image(size, seed, name) -> None:
    N, T, _, H = size
    rng = np.random.default_rng(seed)
    p, lengths = problem(rng, name, size, 1, both=True), rng.integers(0, T + 1, size=N)
    ahead, reverse = p.layers()[0]
    h, one, two, _ = bidirectional_forward(p.x, ahead, reverse, p.cell.forward, lengths)
    mirrored = bidirectional_forward(reverse_steps(p.x, lengths), reverse, ahead, p.cell.forward, lengths)
    assert relative_error(reverse_steps(mirrored[0], lengths), np.concatenate([h[..., H:], h[..., :H]], -1)) < 1e-12
    for a, b in zip(leaves((one, two)), leaves((mirrored[2], mirrored[1])), strict=True):
        assert relative_error(a, b) < 1e-12


# --- dropout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variational", [False, True], ids=["each step", "variational"])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_keeps_the_share_and_the_mean(p, variational, rng) -> None:
    y, _ = dropout_forward(np.ones((200, 4, 50)), p, rng, variational)
    assert np.allclose(np.unique(y), [0, 1 / (1 - p)], rtol=1e-15)
    draws = y[:, 0].size if variational else y.size
    assert abs((y == 0).mean() - p) < 5 * np.sqrt(p * (1 - p) / draws)
    assert abs(y.mean() - 1) < 5 * np.sqrt(p / (1 - p) / draws)


def test_each_step_has_its_own_mask_unless_variational(rng) -> None:
    x = np.ones((5, 6, 40))
    y, _ = dropout_forward(x, 0.5, rng)
    assert not any(np.array_equal(y[:, 0], y[:, t]) for t in range(1, 6))
    y, _ = dropout_forward(x, 0.5, rng, variational=True)
    assert all(np.array_equal(y[:, 0], y[:, t]) for t in range(1, 6))
    assert not any(np.array_equal(y[0], y[n]) for n in range(1, 5))


@pytest.mark.parametrize("variational", [False, True], ids=["each step", "variational"])
def test_dropout_of_nothing_and_of_everything(variational, rng) -> None:
    x, dy = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    same, cache = dropout_forward(x, 0, None, variational)
    assert np.array_equal(same, x) and not np.shares_memory(same, x)
    back = dropout_backward(dy, cache).dx
    assert np.array_equal(back, dy) and not np.shares_memory(back, dy)
    nothing, cache = dropout_forward(x, 1, rng, variational)
    assert not nothing.any() and not dropout_backward(dy, cache).dx.any()


@pytest.mark.parametrize("variational", [False, True], ids=["each step", "variational"])
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 4, 2), (2, 1, 3)], ids=str)
def test_dropouts_gradient_equals_central_differences(size, variational, rng) -> None:
    x, dy = rng.normal(size=size), rng.normal(size=size)
    got = dropout_backward(dy, dropout_forward(x, 0.4, np.random.default_rng(9), variational)[1]).dx
    moved = central_differences(
        lambda: float((dropout_forward(x, 0.4, np.random.default_rng(9), variational)[0] * dy).sum()), x
    )
    assert relative_error(got, moved) < 1e-9


def test_dropout_is_between_layers_only(rng) -> None:
    """Not on the inputs, not on the last outputs, not on a layer's own way to its next step."""
    p = problem(rng, "rnn", (3, 4, 2, 5), L=3)
    h, last, cache = p.run(dropout=0.5, rng=np.random.default_rng(2), variational=True)
    generator, expected = np.random.default_rng(2), p.x
    for level, layer in enumerate(p.layers()):
        expected = expected if level == 0 else dropout_forward(expected, 0.5, generator, variational=True)[0]
        expected, end, _ = rnn_forward(expected, *layer)
        assert np.array_equal(last[level][0], end)
    assert np.array_equal(h, expected) and len(cache.dropouts) == 2
    one = p._replace(states=p.states[:1], weights=p.weights[:1])
    assert np.array_equal(one.run(dropout=0.5, rng=rng)[0], one.run()[0])


def test_a_seed_draws_the_same_mask_in_float32() -> None:
    found = [dropout_forward(np.ones((3, 4, 5), d), 0.3, np.random.default_rng(7))[0] for d in (np.float32, np.float64)]
    assert found[0].dtype == np.float32 and np.array_equal(found[0] == 0, found[1] == 0)


# --- errors -----------------------------------------------------------------------------------------------------------

LAYER = (None, np.zeros((2, 4)), np.zeros((4, 4)), np.zeros(4))
SECOND = (None, np.zeros((4, 4)), np.zeros((4, 4)), np.zeros(4))
X = np.zeros((3, 5, 2))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: stack_forward(X, [], rnn_forward), "layers: got none"),
        (
            lambda: stack_forward(X[0], [LAYER], rnn_forward),
            r"layers\[0\]: x: got shape \(5, 2\); expected \(N, T, D\)",
        ),
        (lambda: stack_forward(X.astype(int), [LAYER], rnn_forward), "x: got dtype int64"),
        (lambda: stack_forward(X, [LAYER, LAYER], rnn_forward), r"layers\[1\]: W_x: got shape \(2, 4\).*D = 4 from x"),
        (
            lambda: stack_forward(X, [LAYER, SECOND[:3]], rnn_forward),
            r"layers\[1\]: got 3 arguments; expected h0, W_x, W_h, b, activation \(missing .* 'b'\)",
        ),
        (lambda: stack_forward(X, [{"h0": None}], rnn_forward), r"layers\[0\]: got 1 arguments; expected h0, W_x"),
        (lambda: stack_forward(X, [LAYER], rnn_forward, [5, 6, 1]), "expected 0 to T = 5"),
        (lambda: stack_forward(X, [LAYER], rnn_forward, dropout=1.5), "dropout: got 1.5; expected a probability"),
        (
            lambda: stack_forward(X, [LAYER], rnn_forward, dropout=0.5),
            "rng: got None; expected a numpy.random.Generator",
        ),
        (lambda: bidirectional_forward(X[0], LAYER, LAYER, rnn_forward), r"x: got shape \(5, 2\)"),
        (lambda: bidirectional_forward(X, LAYER, SECOND, rnn_forward), r"reverse: W_x: got shape \(4, 4\)"),
        (lambda: bidirectional_forward(X, SECOND, LAYER, rnn_forward), r"ahead: W_x: got shape \(4, 4\)"),
        (lambda: bidirectional_forward(X, LAYER, LAYER, rnn_forward, [5]), "lengths: got shape"),
        (lambda: reverse_steps(X[0]), r"x: got shape \(5, 2\)"),
        (lambda: reverse_steps(X, [1.0, 2.0, 3.0]), "whole"),
        (lambda: dropout_forward(X, -0.1, np.random.default_rng(0)), "p: got -0.1; expected a probability from 0 to 1"),
        (lambda: dropout_forward(X, float("nan"), np.random.default_rng(0)), "p: got nan"),
        (lambda: dropout_forward(X, True, np.random.default_rng(0)), "p: got True"),
        (lambda: dropout_forward(X, 0.5, 0), "rng: got 0; expected a numpy.random.Generator"),
        (lambda: dropout_forward(X[0], 0.5, np.random.default_rng(0)), r"x: got shape \(5, 2\)"),
        (lambda: dropout_backward(X[:, :1], dropout_forward(X, 0)[1]), r"dy: got shape \(3, 1, 2\)"),
        (
            lambda: dropout_backward(X[:, :1], dropout_forward(X, 0.5, np.random.default_rng(0), True)[1]),
            r"dy: got shape \(3, 1, 2\); expected \(N, T, D\)",
        ),
    ],
)
def test_a_wrong_argument_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("dh", "dlast", "words"),
    [
        (np.zeros((3, 5, 3)), None, r"layers\[1\]: dh: got shape \(3, 5, 3\)"),
        (None, [None], "dlast: got 1; expected a tuple of 2, one for each layer"),
        (None, np.zeros((2, 3, 4)), r"dlast: got an array of shape \(2, 3, 4\); expected a tuple of 2"),
        (None, [np.zeros((3, 4)), None], r"dlast\[0\]: got an array of shape \(3, 4\); expected a tuple of 1, one for"),
        (None, [(None,), (None, None)], r"dlast\[1\]: got 2; expected a tuple of 1, one for each state"),
        (None, [(np.zeros((3, 5)),), None], r"layers\[0\]: dh_last: got shape \(3, 5\)"),
    ],
)
def test_a_wrong_upstream_gradient_of_a_stack_says_what_was_got_and_expected(dh, dlast, words: str) -> None:
    cache = stack_forward(X, [LAYER, SECOND], rnn_forward)[2]
    with pytest.raises(ValueError, match=words):
        stack_backward(dh, dlast, cache, rnn_backward)


@pytest.mark.parametrize(
    ("dh", "dahead", "dreverse", "words"),
    [
        (np.zeros((3, 5, 4)), None, None, r"dh: got shape \(3, 5, 4\); expected \(3, 5, 8\), the outputs of both"),
        (np.zeros((3, 5, 8), int), None, None, "dh: got dtype int64"),
        (None, np.zeros((3, 4)), None, "dlast_ahead: got an array"),
        (None, None, (None, None), "dlast_reverse: got 2; expected a tuple of 1"),
        (None, None, (np.zeros((3, 3)),), r"reverse: dh_last: got shape \(3, 3\)"),
    ],
)
def test_a_wrong_upstream_gradient_of_two_directions_says_so(dh, dahead, dreverse, words: str) -> None:
    cache = bidirectional_forward(X, LAYER, LAYER, rnn_forward)[-1]
    with pytest.raises(ValueError, match=words):
        bidirectional_backward(dh, dahead, dreverse, cache, rnn_backward)
