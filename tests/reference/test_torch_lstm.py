"""The PyTorch LSTM against ``torch.nn.LSTM`` and the NumPy one: values, gradients, lengths, errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from solutions.with_numpy.lstm import lstm_backward, lstm_forward
from solutions.with_torch.lstm import LSTM, LSTMCell
from tests.reference.agreement import relative_error
from tests.reference.modules import CLOSE, assert_same, draw, error, twins, with_gradients

KINDS = [
    {},
    {"num_layers": 3},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
    {"bias": False},
    {"batch_first": True, "num_layers": 2, "bias": False},
]
SIZES = [(1, 1, 1, 1), (3, 5, 2, 4), (2, 1, 3, 1), (1, 7, 1, 3), (4, 3, 5, 2)]


def pair(kind: dict, device: str, dtype=torch.float64, D: int = 3, H: int = 4):
    torch.manual_seed(5)
    return twins(
        LSTM(D, H, **kind, device=device, dtype=dtype), torch.nn.LSTM(D, H, **kind, device=device, dtype=dtype)
    )


def inputs(kind: dict, rng, device: str, N: int = 3, T: int = 6, D: int = 3, H: int = 4, dtype=torch.float64):
    """A sequence in the layer's own form, and both initial states."""
    states = kind.get("num_layers", 1) * (2 if kind.get("bidirectional") else 1)
    x = draw(rng, *((N, T, D) if kind.get("batch_first") else (T, N, D)), device=device, dtype=dtype)
    return x, tuple(draw(rng, states, N, H, device=device, dtype=dtype) for _ in range(2))


@pytest.mark.parametrize("through", ["all", "outputs", "last", "state"])
@pytest.mark.parametrize("initial", [True, False], ids=["hx", "no hx"])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_outputs_and_gradients_equal_torchs(kind, initial, through, device, rng) -> None:
    ours, theirs = pair(kind, device)
    x, hx = inputs(kind, rng, device)
    hx = hx if initial else None
    assert_same(with_gradients(ours, x, hx, through), with_gradients(theirs, x, hx, through))


@pytest.mark.parametrize("dtype", CLOSE, ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_every_size_and_dtype_equals_torchs(size, dtype, device, rng) -> None:
    N, T, D, H = size
    ours, theirs = pair({"num_layers": 2}, device, dtype, D, H)
    x, hx = inputs({"num_layers": 2}, rng, device, N, T, D, H, dtype)
    assert_same(with_gradients(ours, x, hx), with_gradients(theirs, x, hx), CLOSE[dtype] * 10)
    assert_same(ours(x, hx), theirs(x, hx), CLOSE[dtype])


@pytest.mark.parametrize("initial", [True, False], ids=["hx", "no hx"])
@pytest.mark.parametrize("lengths", [[6, 4, 1], [2, 6, 3], [6, 6, 6]], ids=str)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_packed_sequences_and_lengths_equal_torchs_packed_sequences(kind, lengths, initial, device, rng) -> None:
    ours, theirs = pair(kind, device)
    x, hx = inputs(kind, rng, device)
    hx, first = hx if initial else None, bool(kind.get("batch_first"))
    packed = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=lengths == sorted(lengths)[::-1])
    (mine, mine_last), (other, other_last) = ours(packed, hx), theirs(packed, hx)
    assert_same((mine.data, mine_last), (other.data, other_last))
    assert torch.equal(mine.batch_sizes, other.batch_sizes)
    padded = pad_packed_sequence(other, batch_first=first)[0]
    assert_same(ours(x, hx, lengths=torch.tensor(lengths)), (padded, other_last))


def test_gradients_through_packed_sequences_equal_torchs(device, rng) -> None:
    ours, theirs = pair({"bidirectional": True}, device)
    x, _ = inputs({}, rng, device)
    found = []
    for layer in (ours, theirs):
        leaf = x.clone().requires_grad_()
        output, (h_n, c_n) = layer(pack_padded_sequence(leaf, [2, 6, 3], enforce_sorted=False))
        loss = (output.data**2).sum() + (h_n**3).sum() + (c_n**3).sum()
        found.append(torch.autograd.grad(loss, [leaf, *layer.parameters()]))
    assert_same(*found)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("initial", [True, False], ids=["hx", "no hx"])
def test_one_sequence_without_a_batch(kind, initial, device, rng) -> None:
    ours, theirs = pair(kind, device)
    x = draw(rng, 5, 3, device=device)
    hx = tuple(s[:, 0] for s in inputs(kind, rng, device)[1]) if initial else None
    assert_same(ours(x, hx), theirs(x, hx))


def test_what_stands_after_the_end_reaches_no_output_and_no_gradient(device, rng) -> None:
    ours, _ = pair({"num_layers": 2, "bidirectional": True}, device)
    x, hx = inputs({"num_layers": 2, "bidirectional": True}, rng, device)
    lengths = torch.tensor([2, 0, 6], device=device)
    other = x.clone()
    other[torch.arange(6, device=device)[:, None] >= lengths] = torch.nan
    one, two = with_gradients(ours, x, hx, lengths=lengths), with_gradients(ours, other, hx, lengths=lengths)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(one, two))


def test_no_steps_and_no_sequences(device, rng) -> None:
    layer = LSTM(3, 4, num_layers=2, device=device, dtype=torch.float64)
    hx = tuple(draw(rng, 2, 5, 4, device=device) for _ in range(2))
    output, last = layer(torch.zeros(0, 5, 3, device=device, dtype=torch.float64), hx)
    assert output.shape == (0, 5, 4)
    assert_same(last, hx)
    output, (h_n, _) = layer(torch.zeros(6, 0, 3, device=device, dtype=torch.float64))
    assert output.shape == (6, 0, 4) and h_n.shape == (2, 0, 4)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_same_seed_draws_the_same_parameters_as_torch(kind, device) -> None:
    state_dicts = []
    for layer in (LSTM, torch.nn.LSTM):
        torch.manual_seed(3)
        state_dicts.append(layer(3, 4, **kind, device=device).state_dict())
    for (name, one), (other_name, two) in zip(*(state.items() for state in state_dicts), strict=True):
        assert name == other_name and torch.equal(one, two)


def test_dropout_is_between_layers_and_in_training_only(device) -> None:
    layer = LSTM(3, 50, num_layers=2, dropout=0.5, device=device)
    x = torch.ones(2, 1, 3, device=device)
    torch.manual_seed(0)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])
    single = LSTM(3, 50, num_layers=1, dropout=0.5, device=device)
    assert torch.equal(single(x)[0], single(x)[0])
    everything = LSTM(3, 4, num_layers=2, dropout=1.0, device=device)
    assert torch.equal(everything(x)[0], everything(5 * x)[0])


def test_half_precision_is_close_to_float32(device, rng) -> None:
    torch.manual_seed(7)
    wide = LSTM(5, 8, num_layers=2, device=device)
    x = draw(rng, 6, 3, 5, device=device, dtype=torch.float32)
    expected, _ = wide(x, lengths=[6, 2, 0])
    narrow = LSTM(5, 8, num_layers=2, device=device, dtype=torch.bfloat16)
    narrow.load_state_dict(wide.state_dict())
    output, (h_n, c_n) = narrow(x.bfloat16(), lengths=[6, 2, 0])
    assert output.dtype == h_n.dtype == c_n.dtype == torch.bfloat16
    assert error(output, expected) < 0.02


def test_second_derivatives(device) -> None:
    torch.manual_seed(1)
    layer = LSTM(2, 3, device=device, dtype=torch.float64)
    x = torch.randn(3, 2, 2, device=device, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, lengths=[3, 1])[0], (x,))
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], (x,))


def test_the_compiler_takes_it(device) -> None:
    torch.manual_seed(1)
    layer = LSTM(2, 3, num_layers=2, bidirectional=True, device=device)
    x = torch.randn(4, 2, 2, device=device)
    compiled = torch.compile(layer, backend="eager")
    for one, two in zip(compiled(x)[1], layer(x)[1]):
        assert torch.allclose(one, two)


@pytest.mark.parametrize("lengths", [None, [5, 2, 0]], ids=str)
def test_numpy_and_pytorch_give_the_same(lengths, rng) -> None:
    layer = LSTM(2, 4, batch_first=True, dtype=torch.float64)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    W_ih, W_hh, b_ih, b_hh = (getattr(layer, name) for name in names)
    x, h0, c0 = draw(rng, 3, 5, 2), draw(rng, 3, 4), draw(rng, 3, 4)
    dh, dh_last, dc_last = draw(rng, 3, 5, 4), draw(rng, 3, 4), draw(rng, 3, 4)
    leaves = [x.requires_grad_(), h0.requires_grad_(), c0.requires_grad_(), W_ih, W_hh, b_ih]
    h, (h_n, c_n) = layer(x, (h0[None], c0[None]), lengths)
    loss = (h * dh).sum() + (h_n[0] * dh_last).sum() + (c_n[0] * dc_last).sum()
    dx, dh0, dc0, dW_ih, dW_hh, db = (g.numpy() for g in torch.autograd.grad(loss, leaves))

    arrays = [t.detach().numpy() for t in (x, h0, c0, W_ih.T, W_hh.T, b_ih + b_hh)]
    *outputs, cache = lstm_forward(*arrays, lengths=lengths)
    for mine, theirs in zip((h, h_n[0], c_n[0]), outputs):
        assert relative_error(mine.detach().numpy(), theirs) < 1e-12
    backward = lstm_backward(dh.numpy(), dh_last.numpy(), dc_last.numpy(), cache)
    for mine, theirs in zip((dx, dh0, dc0, dW_ih.T, dW_hh.T, db), backward):
        assert relative_error(mine, theirs) < 1e-10


@pytest.mark.parametrize("bias", [True, False])
def test_the_cell_equals_torchs(bias, device, rng) -> None:
    torch.manual_seed(2)
    ours, theirs = twins(
        LSTMCell(3, 4, bias, device=device, dtype=torch.float64),
        torch.nn.LSTMCell(3, 4, bias, device=device, dtype=torch.float64),
    )
    for shape, initial in itertools.product([(2,), (), (0,)], [True, False]):
        x = draw(rng, *shape, 3, device=device).requires_grad_()
        hx = tuple(draw(rng, *shape, 4, device=device).requires_grad_() for _ in range(2)) if initial else None
        got, expected = ours(x, hx), theirs(x, hx)
        assert_same(got, expected)
        gradients = [
            torch.autograd.grad((h**2 + c**3).sum(), [x, *(hx or ()), *cell.parameters()])
            for (h, c), cell in ((got, ours), (expected, theirs))
        ]
        assert_same(*gradients)


def test_the_cell_run_over_a_sequence_is_the_layer(device, rng) -> None:
    layer = LSTM(3, 4, device=device, dtype=torch.float64)
    cell = LSTMCell(3, 4, device=device, dtype=torch.float64)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, state = draw(rng, 5, 2, 3, device=device), None
    output, last = layer(x)
    for t in range(5):
        state = cell(x[t], state)
        assert error(state[0], output[t]) < 1e-14
    assert_same(state, tuple(s[0] for s in last), 1e-14)


def test_the_gates_do_what_they_are_for(device) -> None:
    """A gate at a time, all others open or shut: i writes, f keeps, o shows; a wrong order of blocks cannot pass."""
    cell = LSTMCell(1, 1, device=device, dtype=torch.float64)
    x, h, c = (torch.full((1, 1), value, device=device, dtype=torch.float64) for value in (0.0, 0.0, 0.7))
    g = np.tanh(0.5)
    for i, f, o in itertools.product([-40.0, 40.0], repeat=3):
        with torch.no_grad():
            for parameter in cell.parameters():
                parameter.zero_()
            cell.bias_ih.copy_(torch.tensor([i, f, 0.5, o]))
        new_h, new_c = (s.item() for s in cell(x, (h, c)))
        expected = (f > 0) * 0.7 + (i > 0) * g
        assert np.isclose(new_c, expected) and np.isclose(new_h, (o > 0) * np.tanh(expected))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: LSTM(0, 4), "input_size: got 0"),
        (lambda: LSTM(3, 4, proj_size=2), "proj_size: got 2; expected 0"),
        (lambda: LSTM(3, 4, dropout=-0.1), "dropout: got -0.1"),
        (lambda: LSTM(3, 4)(torch.zeros(5, 2, 2)), "input: got shape"),
        (lambda: LSTM(3, 4)(torch.zeros(5, 2, 3), torch.zeros(1, 2, 4)), "hx: got Tensor; expected a tuple of 2"),
        (lambda: LSTM(3, 4)(torch.zeros(5, 2, 3), torch.zeros(2, 1, 2, 4)), "hx: got Tensor; expected a tuple of 2"),
        (lambda: LSTM(3, 4)(torch.zeros(5, 2, 3), (torch.zeros(1, 2, 4),)), "expected a tuple of 2 tensors"),
        (lambda: LSTM(3, 4)(torch.zeros(5, 2, 3), (torch.zeros(1, 2, 4), torch.zeros(1, 2, 3))), "hx: got shape"),
        (lambda: LSTM(3, 4)(torch.zeros(5, 2, 3), lengths=[1, 9]), "expected 0 to T = 5"),
        (lambda: LSTM(3, 4)(torch.zeros(5, 2, 3), lengths=[1.0, 2.0]), "whole numbers"),
        (lambda: LSTM(3, 4)(torch.zeros(5, 3), lengths=[1]), "unbatched"),
        (lambda: LSTMCell(3, 0), "hidden_size: got 0"),
        (lambda: LSTMCell(3, 4)(torch.zeros(2, 2)), "input: got shape"),
        (lambda: LSTMCell(3, 4)(torch.zeros(2, 3), torch.zeros(2, 4)), "expected a tuple of 2 tensors"),
        (lambda: LSTMCell(3, 4)(torch.zeros(2, 3), (torch.zeros(2, 4), torch.zeros(3, 4))), "hx: got shape"),
    ],
)
def test_it_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_lengths_beside_a_packed_sequence_are_refused() -> None:
    packed = pack_padded_sequence(torch.zeros(2, 1, 3), [2])
    with pytest.raises(ValueError, match="PackedSequence"):
        LSTM(3, 4)(packed, lengths=[2])
