"""The PyTorch GRU against ``torch.nn.GRU``, in both reset conventions: values, gradients, lengths, errors."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from solutions.with_numpy.gru import gru_backward, gru_forward
from solutions.with_torch.gru import GRU, GRUCell
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
RESETS = pytest.mark.parametrize("reset_after", [True, False], ids=["reset after", "reset before"])


def pair(kind: dict, device: str, dtype=torch.float64, D: int = 3, H: int = 4):
    torch.manual_seed(5)
    return twins(GRU(D, H, **kind, device=device, dtype=dtype), torch.nn.GRU(D, H, **kind, device=device, dtype=dtype))


def inputs(kind: dict, rng, device: str, N: int = 3, T: int = 6, D: int = 3, H: int = 4, dtype=torch.float64):
    """A sequence in the layer's own form, and an initial state."""
    states = kind.get("num_layers", 1) * (2 if kind.get("bidirectional") else 1)
    x = draw(rng, *((N, T, D) if kind.get("batch_first") else (T, N, D)), device=device, dtype=dtype)
    return x, draw(rng, states, N, H, device=device, dtype=dtype)


def one_number_at_a_time(layer: GRU, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """A GRU whose reset comes before the product, one sequence and one unit at a time: ``x (T, D)``, ``h (H,)``."""
    H = len(h)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    W, U, b, c = (getattr(layer, name).detach().cpu().numpy() for name in names)
    sigmoid = lambda a: 1 / (1 + np.exp(-a))
    outputs = []
    for x_t in x:
        r = [sigmoid(W[j] @ x_t + b[j] + U[j] @ h + c[j]) for j in range(H)]
        z = [sigmoid(W[H + j] @ x_t + b[H + j] + U[H + j] @ h + c[H + j]) for j in range(H)]
        reset = np.array([r[j] * h[j] for j in range(H)])
        k = 2 * H
        n = [np.tanh(W[k + j] @ x_t + b[k + j] + U[k + j] @ reset + c[k + j]) for j in range(H)]
        h = np.array([z[j] * h[j] + (1 - z[j]) * n[j] for j in range(H)])
        outputs.append(h)
    return np.array(outputs)


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
    padded = pad_packed_sequence(other, batch_first=first)[0]
    assert_same(ours(x, hx, lengths=torch.tensor(lengths)), (padded, other_last))


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("initial", [True, False], ids=["hx", "no hx"])
def test_one_sequence_without_a_batch(kind, initial, device, rng) -> None:
    ours, theirs = pair(kind, device)
    x = draw(rng, 5, 3, device=device)
    hx = inputs(kind, rng, device)[1][:, 0] if initial else None
    assert_same(ours(x, hx), theirs(x, hx))


def test_the_bias_of_n_stays_inside_the_reset_gate(device) -> None:
    """With r = 0 the recurrent bias of n does nothing; where it is merged into the other bias, it does."""
    layer = GRU(1, 1, device=device, dtype=torch.float64)
    x = torch.zeros(1, 1, 1, device=device, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0.copy_(torch.tensor([-40.0, -40.0, 0.0]))
        layer.bias_hh_l0.copy_(torch.tensor([0.0, 0.0, 3.0]))
    assert abs(layer(x)[0].item()) < 1e-12
    before = GRU(1, 1, device=device, dtype=torch.float64, reset_after=False)
    before.load_state_dict(layer.state_dict())
    assert np.isclose(before(x)[0].item(), np.tanh(3.0))


def test_z_one_keeps_the_old_state(device, rng) -> None:
    for reset_after in (True, False):
        layer = GRU(2, 3, device=device, dtype=torch.float64, reset_after=reset_after)
        with torch.no_grad():
            layer.bias_ih_l0[3:6] = 200.0
        hx = draw(rng, 1, 2, 3, device=device)
        assert_same(layer(draw(rng, 5, 2, 2, device=device), hx)[1], hx, 1e-14)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_reset_before_the_product_is_that_of_cho_et_al(size, device, rng) -> None:
    N, T, D, H = size
    torch.manual_seed(4)
    layer = GRU(D, H, batch_first=True, reset_after=False, device=device, dtype=torch.float64)
    x, hx = draw(rng, N, T, D, device=device), draw(rng, 1, N, H, device=device)
    output, h_n = layer(x, hx)
    for n in range(N):
        expected = one_number_at_a_time(layer, x[n].cpu().numpy(), hx[0, n].cpu().numpy())
        assert relative_error(output[n].detach().cpu().numpy(), expected) < 1e-12
        assert relative_error(h_n[0, n].detach().cpu().numpy(), expected[-1]) < 1e-12


def test_the_two_conventions_agree_where_nothing_is_reset_and_nowhere_else(device, rng) -> None:
    after = GRU(2, 3, device=device, dtype=torch.float64)
    before = GRU(2, 3, device=device, dtype=torch.float64, reset_after=False)
    before.load_state_dict(after.state_dict())
    x, hx = draw(rng, 5, 2, 2, device=device), draw(rng, 1, 2, 3, device=device)
    assert error(after(x, hx)[0], before(x, hx)[0]) > 1e-4
    with torch.no_grad():
        for layer in (after, before):
            layer.bias_ih_l0[:3] = 200.0
    assert_same(after(x, hx), before(x, hx), 1e-14)


@RESETS
def test_what_stands_after_the_end_reaches_no_output_and_no_gradient(reset_after, device, rng) -> None:
    torch.manual_seed(5)
    kind = {"num_layers": 2, "bidirectional": True}
    ours = GRU(3, 4, **kind, reset_after=reset_after, device=device, dtype=torch.float64)
    x, hx = inputs(kind, rng, device)
    lengths = torch.tensor([2, 0, 6], device=device)
    other = x.clone()
    other[torch.arange(6, device=device)[:, None] >= lengths] = torch.nan
    one, two = with_gradients(ours, x, hx, lengths=lengths), with_gradients(ours, other, hx, lengths=lengths)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(one, two))


@RESETS
def test_no_steps_and_no_sequences(reset_after, device, rng) -> None:
    layer = GRU(3, 4, num_layers=2, reset_after=reset_after, device=device, dtype=torch.float64)
    hx = draw(rng, 2, 5, 4, device=device)
    output, last = layer(torch.zeros(0, 5, 3, device=device, dtype=torch.float64), hx)
    assert output.shape == (0, 5, 4) and torch.equal(last, hx)
    assert layer(torch.zeros(6, 0, 3, device=device, dtype=torch.float64))[0].shape == (6, 0, 4)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_same_seed_draws_the_same_parameters_as_torch(kind, device) -> None:
    state_dicts = []
    for layer in (GRU, torch.nn.GRU):
        torch.manual_seed(3)
        state_dicts.append(layer(3, 4, **kind, device=device).state_dict())
    for (name, one), (other_name, two) in zip(*(state.items() for state in state_dicts), strict=True):
        assert name == other_name and torch.equal(one, two)


def test_dropout_is_between_layers_and_in_training_only(device) -> None:
    layer = GRU(3, 50, num_layers=2, dropout=0.5, device=device)
    x = torch.ones(2, 1, 3, device=device)
    torch.manual_seed(0)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])
    single = GRU(3, 50, num_layers=1, dropout=0.5, device=device)
    assert torch.equal(single(x)[0], single(x)[0])


@RESETS
def test_half_precision_is_close_to_float32(reset_after, device, rng) -> None:
    torch.manual_seed(7)
    wide = GRU(5, 8, num_layers=2, reset_after=reset_after, device=device)
    narrow = GRU(5, 8, num_layers=2, reset_after=reset_after, device=device, dtype=torch.bfloat16)
    narrow.load_state_dict(wide.state_dict())
    x = draw(rng, 6, 3, 5, device=device, dtype=torch.float32)
    output, h_n = narrow(x.bfloat16(), lengths=[6, 2, 0])
    assert output.dtype == h_n.dtype == torch.bfloat16
    assert error(output, wide(x, lengths=[6, 2, 0])[0]) < 0.02


@RESETS
def test_second_derivatives(reset_after, device) -> None:
    torch.manual_seed(1)
    layer = GRU(2, 3, reset_after=reset_after, device=device, dtype=torch.float64)
    x = torch.randn(3, 2, 2, device=device, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, lengths=[3, 1])[0], (x,))
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], (x,))


@RESETS
def test_the_compiler_takes_it(reset_after, device) -> None:
    torch.manual_seed(1)
    layer = GRU(2, 3, num_layers=2, bidirectional=True, reset_after=reset_after, device=device)
    x = torch.randn(4, 2, 2, device=device)
    assert torch.allclose(torch.compile(layer, backend="eager")(x)[1], layer(x)[1])


@RESETS
@pytest.mark.parametrize("lengths", [None, [5, 2, 0]], ids=str)
def test_numpy_and_pytorch_give_the_same(lengths, reset_after, rng) -> None:
    torch.manual_seed(6)
    layer = GRU(2, 4, batch_first=True, reset_after=reset_after, dtype=torch.float64)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    W_ih, W_hh, b_ih, b_hh = (getattr(layer, name) for name in names)
    x, h0 = draw(rng, 3, 5, 2).requires_grad_(), draw(rng, 3, 4).requires_grad_()
    dh, dh_last = draw(rng, 3, 5, 4), draw(rng, 3, 4)
    h, h_n = layer(x, h0[None], lengths)
    loss = (h * dh).sum() + (h_n[0] * dh_last).sum()
    gradients = torch.autograd.grad(loss, [x, h0, W_ih, W_hh, b_ih, b_hh])

    arrays = [t.detach().numpy() for t in (x, h0, W_ih.T, W_hh.T, b_ih, b_hh)]
    *outputs, cache = gru_forward(*arrays, reset_after=reset_after, lengths=lengths)
    for mine, theirs in zip((h, h_n[0]), outputs):
        assert relative_error(mine.detach().numpy(), theirs) < 1e-12
    backward = gru_backward(dh.numpy(), dh_last.numpy(), cache)
    for mine, theirs in zip(gradients, backward):
        mine = mine.numpy()
        assert relative_error(mine.T if mine.shape != theirs.shape else mine, theirs) < 1e-10


@pytest.mark.parametrize("bias", [True, False])
def test_the_cell_equals_torchs(bias, device, rng) -> None:
    torch.manual_seed(2)
    ours, theirs = twins(
        GRUCell(3, 4, bias, device=device, dtype=torch.float64),
        torch.nn.GRUCell(3, 4, bias, device=device, dtype=torch.float64),
    )
    for shape, initial in itertools.product([(2,), (), (0,)], [True, False]):
        x = draw(rng, *shape, 3, device=device).requires_grad_()
        hx = draw(rng, *shape, 4, device=device).requires_grad_() if initial else None
        got, expected = ours(x, hx), theirs(x, hx)
        assert_same(got, expected)
        leaves = [x] if hx is None else [x, hx]
        gradients = [
            torch.autograd.grad((h**3).sum(), [*leaves, *cell.parameters()])
            for h, cell in ((got, ours), (expected, theirs))
        ]
        assert_same(*gradients)


@RESETS
def test_the_cell_run_over_a_sequence_is_the_layer(reset_after, device, rng) -> None:
    layer = GRU(3, 4, reset_after=reset_after, device=device, dtype=torch.float64)
    cell = GRUCell(3, 4, reset_after=reset_after, device=device, dtype=torch.float64)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, state = draw(rng, 5, 2, 3, device=device), None
    output, _ = layer(x)
    for t in range(5):
        state = cell(x[t], state)
        assert error(state, output[t]) < 1e-14


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: GRU(3, 0), "hidden_size: got 0"),
        (lambda: GRU(3, 4, num_layers=0), "num_layers: got 0"),
        (lambda: GRU(3, 4, dropout=1.5), "dropout: got 1.5"),
        (lambda: GRU(3, 4)(torch.zeros(5, 2, 2)), "input: got shape"),
        (lambda: GRU(3, 4)(torch.zeros(5, 2, 3), (torch.zeros(1, 2, 4),)), "hx: got tuple; expected one tensor"),
        (lambda: GRU(3, 4)(torch.zeros(5, 2, 3), torch.zeros(2, 2, 4)), "hx: got shape"),
        (lambda: GRU(3, 4)(torch.zeros(5, 2, 3), lengths=[-1, 2]), "expected 0 to T = 5"),
        (lambda: GRU(3, 4)(torch.zeros(5, 3), lengths=[1]), "unbatched"),
        (lambda: GRUCell(0, 4), "input_size: got 0"),
        (lambda: GRUCell(3, 4)(torch.zeros(2, 2)), "input: got shape"),
        (lambda: GRUCell(3, 4)(torch.zeros(2, 3), torch.zeros(3, 4)), "hx: got shape"),
    ],
)
def test_it_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
