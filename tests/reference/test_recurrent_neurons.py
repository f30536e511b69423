"""The recurrent layer against ``torch.nn.RNN``, in NumPy and in PyTorch: values, gradients, lengths, errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from solutions.with_numpy.recurrent_neurons import (
    count_parameters,
    neuron_step,
    readout,
    rnn_forward,
    rnn_step,
)
from solutions.with_torch.recurrent_neurons import RNN, RNNCell
from tests.reference.agreement import read_only, relative_error

CLOSE = {np.float64: 1e-12, np.float32: 1e-5}
SIZES = [(1, 1, 1, 1), (3, 5, 2, 4), (2, 1, 3, 1), (1, 7, 1, 3), (4, 3, 5, 2)]


def weights(rng: np.random.Generator, D: int, H: int, dtype=np.float64) -> list[np.ndarray]:
    return [value.astype(dtype) for value in (rng.normal(size=(D, H)), rng.normal(size=(H, H)), rng.normal(size=H))]


def lengths_of(kind: str, N: int, T: int) -> list[int] | None:
    return {
        "none": None,
        "equal": [T] * N,
        "mixed": [1 + (2 * n) % T for n in range(N)],
        "some 0": [0 if n % 2 == 0 else T for n in range(N)],
    }[kind]


def twin(W_x, W_h, b, nonlinearity: str) -> torch.nn.RNN:
    """``torch.nn.RNN`` with our weights; its second bias is 0."""
    layer = torch.nn.RNN(*W_x.shape, nonlinearity=nonlinearity, batch_first=True, dtype=torch.as_tensor(b).dtype)
    with torch.no_grad():
        for name, value in (("weight_ih", W_x.T), ("weight_hh", W_h.T), ("bias_ih", b), ("bias_hh", 0 * b)):
            getattr(layer, f"{name}_l0").copy_(torch.as_tensor(np.ascontiguousarray(value)))
    return layer


def torch_one_by_one(layer, x, h0, lengths):
    """What the twin gives for each sequence cut to its own length: the meaning of ``lengths``, length 0 included."""
    N, T, _ = x.shape
    h, h_last = np.zeros((N, T, h0.shape[1]), x.dtype), h0.copy()
    for n, length in enumerate(lengths):
        if length:
            out, last = layer(torch.as_tensor(x[n : n + 1, :length]), torch.as_tensor(h0[None, n : n + 1]))
            h[n, :length], h_last[n] = out.detach().numpy()[0], last.detach().numpy()[0, 0]
    return h, h_last


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("kind", ["none", "equal", "mixed", "some 0"])
@pytest.mark.parametrize("initial", [True, False], ids=["h0", "no h0"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_forward_equals_torch(size, activation, initial, kind, dtype, rng) -> None:
    N, T, D, H = size
    x, h0 = rng.normal(size=(N, T, D)).astype(dtype), rng.normal(size=(N, H)).astype(dtype)
    W_x, W_h, b = weights(rng, D, H, dtype)
    lengths = lengths_of(kind, N, T)
    h, h_last, _ = rnn_forward(x, h0 if initial else None, W_x, W_h, b, activation, lengths)
    layer = twin(W_x, W_h, b, activation)
    expected = torch_one_by_one(layer, x, h0 if initial else 0 * h0, [T] * N if lengths is None else lengths)
    assert h.dtype == h_last.dtype == dtype
    assert relative_error(h, expected[0]) < CLOSE[dtype]
    assert relative_error(h_last, expected[1]) < CLOSE[dtype]


def test_lengths_are_those_of_packed_sequences(rng) -> None:
    x, lengths = rng.normal(size=(3, 6, 2)), [6, 2, 4]
    W_x, W_h, b = weights(rng, 2, 4)
    packed = pack_padded_sequence(torch.as_tensor(x), lengths, batch_first=True, enforce_sorted=False)
    out, last = twin(W_x, W_h, b, "tanh")(packed)
    expected = pad_packed_sequence(out, batch_first=True, total_length=6)[0].detach().numpy()
    h, h_last, _ = rnn_forward(x, None, W_x, W_h, b, lengths=lengths)
    assert relative_error(h, expected) < 1e-12
    assert relative_error(h_last, last[0].detach().numpy()) < 1e-12


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_step_equals_torchs_cell(activation, dtype, rng) -> None:
    W_x, W_h, b = weights(rng, 3, 4, dtype)
    x_t, h_prev = rng.normal(size=(2, 3)).astype(dtype), rng.normal(size=(2, 4)).astype(dtype)
    cell = torch.nn.RNNCell(3, 4, nonlinearity=activation, dtype=torch.as_tensor(b).dtype)
    with torch.no_grad():
        for name, value in (("weight_ih", W_x.T), ("weight_hh", W_h.T), ("bias_ih", b), ("bias_hh", 0 * b)):
            getattr(cell, name).copy_(torch.as_tensor(np.ascontiguousarray(value)))
    h_t, cache = rnn_step(x_t, h_prev, W_x, W_h, b, activation)
    assert h_t.dtype == dtype
    assert relative_error(h_t, cell(torch.as_tensor(x_t), torch.as_tensor(h_prev)).detach().numpy()) < CLOSE[dtype]
    assert np.array_equal(cache.h_t, h_t)


@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
def test_a_layer_of_one_neuron_is_the_neuron(activation, rng) -> None:
    x = rng.normal(size=(3, 6, 2))
    w_x, w_y, b = rng.normal(size=2), rng.normal(), rng.normal()
    h, _, _ = rnn_forward(x, None, w_x[:, None], np.array([[w_y]]), np.array([b]), activation)
    y = np.zeros(3)
    for t in range(6):
        y = neuron_step(x[:, t], y, w_x, w_y, b, activation)
        assert relative_error(y, h[:, t, 0]) < 1e-14
    single = neuron_step(x[0, 0], 0.0, w_x, w_y, b, activation)
    assert np.shape(single) == () and np.isclose(single, h[0, 0, 0], rtol=1e-14)


def test_a_neuron_keeps_float32(rng) -> None:
    y = neuron_step(np.ones((2, 3), np.float32), np.zeros(2), np.ones(3), 0.5, 0.1)
    assert y.dtype == np.float32


def test_readout_and_count(rng) -> None:
    h, W_y = rng.normal(size=(2, 3, 4)), rng.normal(size=4)
    expected = [[sum(h[n, t, i] * W_y[i] for i in range(4)) + 0.5 for t in range(3)] for n in range(2)]
    assert relative_error(readout(h, W_y, 0.5), np.array(expected)) < 1e-14
    layer = torch.nn.RNN(3, 4)
    assert count_parameters(3, 4) == sum(p.numel() for p in layer.parameters()) - 4
    with pytest.raises(ValueError, match="got 0"):
        count_parameters(0, 4)
    with pytest.raises(ValueError, match="b_y"):
        readout(h, W_y, np.zeros(4))


def test_inputs_are_not_changed_and_may_be_strided(rng) -> None:
    x, h0 = rng.normal(size=(3, 5, 2)), rng.normal(size=(3, 4))
    W_x, W_h, b = weights(rng, 2, 4)
    expected = rnn_forward(x, h0, W_x, W_h, b, lengths=[5, 2, 0])
    got = rnn_forward(*read_only(x, h0, W_x, W_h, b), lengths=read_only(np.array([5, 2, 0]))[0])
    inputs = np.asfortranarray(x), np.repeat(h0, 2, axis=1)[:, ::2], W_x.T.copy().T, W_h, b
    strided = rnn_forward(*inputs, lengths=[5, 2, 0])
    for one, two, three in zip(expected[:2], got[:2], strided[:2]):
        assert np.array_equal(one, two) and np.allclose(one, three, rtol=1e-14)


def test_what_comes_back_does_not_share_memory_with_what_went_in(rng) -> None:
    h0 = rng.normal(size=(2, 4))
    h, h_last, cache = rnn_forward(np.zeros((2, 0, 3)), h0, *weights(rng, 3, 4))
    assert h.shape == (2, 0, 4) and np.array_equal(h_last, h0) and not np.shares_memory(h_last, h0)


GOOD = {"x": (3, 5, 2), "h0": (3, 4), "W_x": (2, 4), "W_h": (4, 4), "b": (4,)}
BAD = {"x": (3, 5), "h0": (2, 4), "W_x": (3, 4), "W_h": (4, 5), "b": (3,)}


@pytest.mark.parametrize("name", GOOD)
def test_a_wrong_shape_says_what_was_got_and_expected(name: str) -> None:
    arrays = {key: np.zeros(BAD[key] if key == name else shape) for key, shape in GOOD.items()}
    with pytest.raises(ValueError, match="got shape .* expected"):
        rnn_forward(*arrays.values())


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("dtype", [np.int64, np.complex128, object, "U3"])
def test_a_wrong_dtype_says_what_was_got_and_expected(name: str, dtype) -> None:
    arrays = {key: np.zeros(shape).astype(dtype if key == name else np.float64) for key, shape in GOOD.items()}
    with pytest.raises(ValueError, match=f"{name}: got dtype .* expected float32 or float64"):
        rnn_forward(*arrays.values())


@pytest.mark.parametrize(
    ("lengths", "words"),
    [([1, 2], "shape"), ([1, 2, 6], "expected 0 to T = 5"), ([-1, 2, 3], "expected 0"), ([1.0, 2.0, 3.0], "whole")],
)
def test_wrong_lengths_say_what_was_got_and_expected(lengths, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rnn_forward(*(np.zeros(shape) for shape in GOOD.values()), lengths=lengths)


def test_an_unknown_activation_names_those_that_exist() -> None:
    with pytest.raises(ValueError, match="got 'gelu'; expected one of 'tanh', 'relu', 'identity'"):
        rnn_forward(*(np.zeros(shape) for shape in GOOD.values()), activation="gelu")


# --- properties -------------------------------------------------------------------------------------------------------

SMALL = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**31))


@given(SMALL)
def test_padding_beyond_lengths_never_changes_anything(size) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    x, (W_x, W_h, b) = rng.normal(size=(N, T, D)), weights(rng, D, H)
    lengths = rng.integers(0, T + 1, size=N)
    other = x.copy()
    other[np.arange(T) >= lengths[:, None]] = np.nan
    for one, two in zip(
        rnn_forward(x, None, W_x, W_h, b, lengths=lengths)[:2],
        rnn_forward(other, None, W_x, W_h, b, lengths=lengths)[:2],
    ):
        assert np.array_equal(one, two)


@given(SMALL, st.integers(0, 6))
def test_a_sequence_cut_in_two_with_the_state_carried_gives_the_same(size, cut) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    x, h0, (W_x, W_h, b) = rng.normal(size=(N, T, D)), rng.normal(size=(N, H)), weights(rng, D, H)
    h, h_last, _ = rnn_forward(x, h0, W_x, W_h, b)
    first, middle, _ = rnn_forward(x[:, : min(cut, T)], h0, W_x, W_h, b)
    second, end, _ = rnn_forward(x[:, min(cut, T) :], middle, W_x, W_h, b)
    assert relative_error(np.concatenate([first, second], axis=1), h) < 1e-13 and relative_error(end, h_last) < 1e-13


@given(SMALL)
def test_a_batch_equals_its_rows_one_by_one(size) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    x, h0, (W_x, W_h, b) = rng.normal(size=(N, T, D)), rng.normal(size=(N, H)), weights(rng, D, H)
    lengths = rng.integers(0, T + 1, size=N)
    h, h_last, _ = rnn_forward(x, h0, W_x, W_h, b, lengths=lengths)
    for n in range(N):
        row = slice(n, n + 1)
        one, last, _ = rnn_forward(x[row], h0[row], W_x, W_h, b, lengths=lengths[row])
        assert relative_error(one, h[row]) < 1e-13 and relative_error(last, h_last[row]) < 1e-13


@given(SMALL)
def test_a_permutation_of_hidden_units_permutes_the_outputs(size) -> None:
    N, T, D, H, seed = size
    rng = np.random.default_rng(seed)
    x, h0, (W_x, W_h, b) = rng.normal(size=(N, T, D)), rng.normal(size=(N, H)), weights(rng, D, H)
    p = rng.permutation(H)
    h, _, _ = rnn_forward(x, h0, W_x, W_h, b)
    permuted, _, _ = rnn_forward(x, h0[:, p], W_x[:, p], W_h[np.ix_(p, p)], b[p])
    assert relative_error(permuted, h[..., p]) < 1e-12


# --- the PyTorch layer ------------------------------------------------------------------------------------------------

KINDS = [
    {},
    {"num_layers": 3},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
    {"bias": False, "nonlinearity": "relu"},
    {"batch_first": True, "num_layers": 2, "nonlinearity": "relu"},
]


def pair(kind: dict, device: str, dtype=torch.float64) -> tuple[RNN, torch.nn.RNN]:
    ours, theirs = RNN(3, 4, **kind, device=device, dtype=dtype), torch.nn.RNN(3, 4, **kind, device=device, dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def sequence(kind: dict, rng, device: str, T: int = 6, N: int = 3, dtype=torch.float64) -> torch.Tensor:
    shape = (N, T, 3) if kind.get("batch_first") else (T, N, 3)
    return torch.as_tensor(rng.normal(size=shape), device=device, dtype=dtype)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("initial", [True, False], ids=["hx", "no hx"])
def test_the_module_and_its_gradients_equal_torchs(kind, initial, device, rng) -> None:
    ours, theirs = pair(kind, device)
    x = sequence(kind, rng, device)
    states = ours.num_layers * ours.directions
    hx = torch.as_tensor(rng.normal(size=(states, 3, 4)), device=device) if initial else None
    found = []
    for layer in (ours, theirs):
        inputs = [x.clone().requires_grad_()] + ([hx.clone().requires_grad_()] if hx is not None else [])
        output, h_n = layer(*inputs)
        loss = (output * torch.sin(torch.arange(output.numel(), device=device).view_as(output))).sum() + (h_n**3).sum()
        found.append([output, h_n, *torch.autograd.grad(loss, [*inputs, *layer.parameters()])])
    for one, two in zip(*found):
        assert relative_error(one.detach().cpu().numpy(), two.detach().cpu().numpy()) < 1e-12


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("sorted_", [True, False], ids=["sorted", "unsorted"])
def test_packed_sequences_and_lengths_equal_torchs_packed_sequences(kind, sorted_, device, rng) -> None:
    ours, theirs = pair(kind, device)
    x, lengths = sequence(kind, rng, device), [6, 4, 1] if sorted_ else [2, 6, 3]
    first = bool(kind.get("batch_first"))
    packed = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=sorted_)
    (mine, h_mine), (other, h_other) = ours(packed), theirs(packed)
    assert relative_error(mine.data.detach().cpu().numpy(), other.data.detach().cpu().numpy()) < 1e-12
    assert relative_error(h_mine.detach().cpu().numpy(), h_other.detach().cpu().numpy()) < 1e-12
    by_lengths, h_n = ours(x, lengths=torch.tensor(lengths))
    padded = pad_packed_sequence(other, batch_first=first)[0]
    assert relative_error(by_lengths.detach().cpu().numpy(), padded.detach().cpu().numpy()) < 1e-12
    assert relative_error(h_n.detach().cpu().numpy(), h_other.detach().cpu().numpy()) < 1e-12


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_one_sequence_without_a_batch(kind, device, rng) -> None:
    ours, theirs = pair(kind, device)
    x = torch.as_tensor(rng.normal(size=(5, 3)), device=device)
    for one, two in zip(ours(x), theirs(x)):
        assert one.shape == two.shape
        assert relative_error(one.detach().cpu().numpy(), two.detach().cpu().numpy()) < 1e-12


def test_dropout_is_between_layers_and_in_training_only(device) -> None:
    layer = RNN(3, 50, num_layers=2, dropout=0.5, device=device)
    x = torch.ones(2, 1, 3, device=device)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])
    single = RNN(3, 50, num_layers=1, dropout=0.5, device=device)
    assert torch.equal(single(x)[0], single(x)[0])


def test_other_dtypes_double_backward_and_the_compiler(device) -> None:
    layer = RNN(2, 3, device=device, dtype=torch.bfloat16)
    assert layer(torch.ones(4, 1, 2, device=device, dtype=torch.bfloat16))[0].dtype == torch.bfloat16
    layer = RNN(2, 3, device=device, dtype=torch.float64)
    x = torch.randn(3, 1, 2, device=device, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], (x,))
    compiled = torch.compile(layer, backend="eager")
    assert torch.allclose(compiled(x)[0], layer(x)[0])


def test_numpy_and_pytorch_give_the_same(rng) -> None:
    W_x, W_h, b = weights(rng, 3, 4)
    x = rng.normal(size=(2, 5, 3))
    layer = RNN(3, 4, batch_first=True, dtype=torch.float64)
    layer.load_state_dict(twin(W_x, W_h, b, "tanh").state_dict())
    h, _, _ = rnn_forward(x, None, W_x, W_h, b)
    assert relative_error(layer(torch.as_tensor(x))[0].detach().numpy(), h) < 1e-12


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_the_cell_equals_torchs(bias, nonlinearity, device, rng) -> None:
    ours = RNNCell(3, 4, bias, nonlinearity, device=device, dtype=torch.float64)
    theirs = torch.nn.RNNCell(3, 4, bias, nonlinearity, device=device, dtype=torch.float64)
    ours.load_state_dict(theirs.state_dict())
    for shape, stated in itertools.product([(2,), ()], [True, False]):
        x = torch.as_tensor(rng.normal(size=(*shape, 3)), device=device)
        hx = torch.as_tensor(rng.normal(size=(*shape, 4)), device=device) if stated else None
        got, expected = ours(x, hx), theirs(x, hx)
        assert relative_error(got.detach().cpu().numpy(), expected.detach().cpu().numpy()) < 1e-12


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: RNN(0, 4), "input_size: got 0"),
        (lambda: RNN(3, 4, dropout=2.0), "dropout: got 2.0"),
        (lambda: RNN(3, 4, nonlinearity="gelu"), "nonlinearity: got 'gelu'"),
        (lambda: RNN(3, 4)(torch.zeros(5, 2, 2)), "input: got shape"),
        (lambda: RNN(3, 4)(torch.zeros(5, 2, 3), torch.zeros(2, 2, 4)), "hx: got shape"),
        (lambda: RNN(3, 4)(torch.zeros(5, 2, 3), lengths=[1, 9]), "expected 0 to T = 5"),
        (lambda: RNN(3, 4)(torch.zeros(5, 2, 3), lengths=[1]), "lengths: got shape"),
        (lambda: RNN(3, 4)(torch.zeros(5, 3), lengths=[1]), "unbatched"),
        (lambda: RNNCell(3, 4)(torch.zeros(2, 2)), "input: got shape"),
        (lambda: RNNCell(3, 4)(torch.zeros(2, 3), torch.zeros(3, 4)), "hx: got shape"),
    ],
)
def test_the_module_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
