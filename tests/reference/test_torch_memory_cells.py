"""The cell protocol on tensors against the layers and against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from solutions.with_numpy import memory_cells as with_numpy
from solutions.with_torch.gru import GRU, GRUCell
from solutions.with_torch.lstm import LSTM, LSTMCell
from solutions.with_torch.memory_cells import as_cell, each, impulse_response, memory_length, parts, run_cell
from solutions.with_torch.recurrent_neurons import RNN, RNNCell
from tests.reference.agreement import relative_error
from tests.reference.modules import assert_same, draw, error, flat

CELLS = {"rnn": (RNNCell, RNN, 1), "lstm": (LSTMCell, LSTM, 2), "gru": (GRUCell, GRU, 1)}
THEIRS = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}


def cell_and_layer(kind: str, device: str, D: int = 3, H: int = 4):
    """A cell, the layer with the same weights, and how many states they carry."""
    cell_class, layer_class, states = CELLS[kind]
    torch.manual_seed(9)
    layer = layer_class(D, H, batch_first=True, device=device, dtype=torch.float64)
    cell = cell_class(D, H, device=device, dtype=torch.float64)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    return cell, layer, states


def state_for(states: int, rng, N: int, H: int, device: str):
    drawn = tuple(draw(rng, N, H, device=device) for _ in range(states))
    return drawn[0] if states == 1 else drawn


@pytest.mark.parametrize("lengths", [None, [5, 5, 5], [2, 5, 0]], ids=str)
@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_that_is_run_is_the_layer_with_its_gradients(kind, lengths, device, rng) -> None:
    cell, layer, states = cell_and_layer(kind, device)
    x, state = draw(rng, 3, 5, 3, device=device).requires_grad_(), state_for(states, rng, 3, 4, device)
    last, y = run_cell(as_cell(cell), x, state, lengths)
    h, h_n = layer(x, state[None] if states == 1 else tuple(s[None] for s in state), lengths)
    assert_same((y, *flat(last)), (h, *(s[0] for s in flat(h_n))), 1e-13)
    weight = torch.cos(torch.arange(y.numel(), device=device).view_as(y).double())
    for one, two in zip(
        torch.autograd.grad((y * weight).sum() + (parts(last)[-1] ** 3).sum(), [x, *cell.parameters()]),
        torch.autograd.grad((h * weight).sum() + (flat(h_n)[-1] ** 3).sum(), [x, *layer.parameters()]),
    ):
        assert error(one, two) < 1e-12


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_of_torch_runs_too(kind, device, rng) -> None:
    cell, _, states = cell_and_layer(kind, device)
    theirs = THEIRS[kind](3, 4, device=device, dtype=torch.float64)
    theirs.load_state_dict(cell.state_dict())
    x, state = draw(rng, 2, 5, 3, device=device), state_for(states, rng, 2, 4, device)
    assert_same(run_cell(as_cell(cell), x, state), run_cell(as_cell(theirs), x, state))


@pytest.mark.parametrize("kind", CELLS)
def test_what_stands_after_the_end_reaches_no_output_and_no_gradient(kind, device, rng) -> None:
    cell, _, states = cell_and_layer(kind, device)
    x, state = draw(rng, 3, 5, 3, device=device), state_for(states, rng, 3, 4, device)
    wild = x.clone()
    wild[0, 2:], wild[2] = torch.nan, torch.inf
    found = []
    for value in (x, wild):
        leaf = value.clone().requires_grad_()
        last, y = run_cell(as_cell(cell), leaf, state, [2, 5, 0])
        loss = (y**2).sum() + (parts(last)[0] ** 3).sum()
        found.append([y, *parts(last), *torch.autograd.grad(loss, [leaf, *cell.parameters()])])
    assert all(torch.equal(one, two) for one, two in zip(*found))


def test_no_steps_give_no_outputs_of_the_right_width(device) -> None:
    cell, _, _ = cell_and_layer("lstm", device)
    zeros = torch.zeros(2, 4, device=device, dtype=torch.float64)
    last, y = run_cell(as_cell(cell), torch.zeros(2, 0, 3, device=device, dtype=torch.float64), (zeros, zeros + 1))
    assert y.shape == (2, 0, 4) and torch.equal(last[1], zeros + 1)


def test_a_cell_may_take_tokens(device, rng) -> None:
    rows = draw(rng, 5, 3, device=device)
    cell = lambda token, state: (state + rows[token], state)
    tokens = torch.tensor([[4, 0, 2], [1, 99, -7]], device=device)
    state, y = run_cell(cell, tokens, torch.zeros(2, 3, device=device, dtype=torch.float64), lengths=[3, 1])
    assert torch.allclose(state, torch.stack([rows[4] + rows[0] + rows[2], rows[1]]))
    assert y.shape == (2, 3, 3) and not y[1, 1:].any()


@pytest.mark.parametrize("at", [0, 3])
def test_impulse_response_and_memory_length_are_those_of_numpy(at, rng) -> None:
    W_x, W_h, b = rng.normal(size=(3, 4)), 0.4 * rng.normal(size=(4, 4)), rng.normal(size=4)
    x, h0, impulse = rng.normal(size=(2, 30, 3)), rng.normal(size=(2, 4)), rng.normal(size=3)
    cell = RNNCell(3, 4, dtype=torch.float64)
    with torch.no_grad():
        for name, value in (("weight_ih", W_x.T), ("weight_hh", W_h.T), ("bias_ih", b), ("bias_hh", 0 * b)):
            getattr(cell, name).copy_(torch.as_tensor(np.ascontiguousarray(value)))
    ours = impulse_response(as_cell(cell), *map(torch.as_tensor, (x, h0, impulse)), at)
    theirs = with_numpy.impulse_response(with_numpy.rnn_cell(W_x, W_h, b), x, h0, impulse, at)
    assert np.abs(ours.detach().numpy() - theirs).max() < 1e-12
    for fraction in (0.5, 0.01):
        expected = with_numpy.memory_length(theirs, at, fraction)
        assert memory_length(ours, at, fraction).tolist() == expected.tolist()


def test_an_impulse_changes_neither_its_input_nor_any_output_before_it(device, rng) -> None:
    cell, _, _ = cell_and_layer("gru", device)
    x, state = draw(rng, 2, 6, 3, device=device), draw(rng, 2, 4, device=device)
    before = x.clone()
    response = impulse_response(as_cell(cell), x, state, draw(rng, 3, device=device), at=4)
    assert torch.equal(x, before) and not response[:, :4].any() and bool(response[:, 4:].any())


def test_autograd_goes_through_an_impulse_response(device, rng) -> None:
    w = torch.tensor([[0.9]], device=device, dtype=torch.float64, requires_grad=True)
    cell = lambda x_t, state: (x_t + state @ w, x_t + state @ w)
    zeros = torch.zeros(1, 5, 1, device=device, dtype=torch.float64)
    response = impulse_response(cell, zeros, zeros[:, 0], torch.ones(1, device=device, dtype=torch.float64))
    (dw,) = torch.autograd.grad(response[0, 4, 0], w)
    assert relative_error(dw.cpu().numpy(), np.array([[4 * 0.9**3]])) < 1e-12


def test_memory_length_by_hand(device) -> None:
    response = torch.zeros(3, 6, 2, device=device)
    response[0, 1, 0], response[0, 4, 0] = 3, -1
    response[1, 1:, 1] = 1
    assert memory_length(response, at=1, fraction=0.1).tolist() == [3, 4, 0]
    assert memory_length(response, at=1, fraction=0.5).tolist() == [0, 4, 0]


ADD = lambda x_t, state: (state + x_t, state + x_t)
X, S = torch.zeros(2, 3, 1), torch.zeros(2, 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: run_cell(ADD, torch.zeros(3), S), r"x: got shape \(3,\)"),
        (lambda: run_cell(ADD, X, torch.zeros(3, 1)), r"state: got shape \(3, 1\); expected \(2, …\)"),
        (lambda: run_cell(ADD, X, S, [1, 4]), "expected 0 to T = 3"),
        (lambda: impulse_response(ADD, X, S, torch.zeros(2)), "impulse: got shapes"),
        (lambda: impulse_response(ADD, X, S, torch.zeros(1), at=3), "at: got 3; expected a step from 0 to 2"),
        (lambda: memory_length(S), "response: got shape"),
        (lambda: memory_length(X, fraction=1.5), "fraction: got 1.5"),
        (lambda: each(torch.add, (S, S), (S,)), "shorter"),
    ],
)
def test_it_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
