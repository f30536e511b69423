"""Layer normalisation in PyTorch against ``torch.nn.LayerNorm``, the equations one step at a time, and NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm as norm
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from solutions.with_numpy.layer_norm import (
    ln_gru_backward,
    ln_gru_forward,
    ln_lstm_backward,
    ln_lstm_forward,
    ln_rnn_backward,
    ln_rnn_forward,
)
from solutions.with_torch.layer_norm import LayerNorm, LayerNormGRU, LayerNormLSTM, LayerNormRNN
from tests.reference.agreement import relative_error
from tests.reference.modules import assert_same, draw, error, flat, twins, with_gradients

# --- the norm ---------------------------------------------------------------------------------------------------------

NORMS = [
    ((4,), {}),
    (4, {"eps": 1e-3}),
    ((3, 4), {}),
    ([2, 3, 4], {}),
    (4, {"bias": False}),
    (torch.Size([3, 4]), {"elementwise_affine": False}),
    (1, {}),
]


def norm_pair(shape, options: dict, device: str, dtype=torch.float64):
    ours, theirs = (kind(shape, **options, device=device, dtype=dtype) for kind in (LayerNorm, torch.nn.LayerNorm))
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_()
    return twins(ours, theirs)


@pytest.mark.parametrize(("shape", "options"), NORMS, ids=str)
def test_the_norm_and_its_gradients_equal_torchs(shape, options, device, rng) -> None:
    ours, theirs = norm_pair(shape, options, device)
    found = []
    x = draw(rng, *((5, 2, 3, 1) if shape == 1 else (5, 2, 3, 4)), device=device)
    for layer in (ours, theirs):
        leaf = x.clone().requires_grad_()
        y = layer(leaf)
        found.append([y, *torch.autograd.grad((y**3).sum() + (y * x.roll(1, 0)).sum(), [leaf, *layer.parameters()])])
    for one, two in zip(*found, strict=True):
        assert one.shape == two.shape
        assert torch.linalg.vector_norm(one - two) <= 1e-11 * (1 + torch.linalg.vector_norm(two))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_the_norm_in_other_dtypes_equals_torchs(dtype, device, rng) -> None:
    ours, theirs = norm_pair(64, {}, device, dtype)
    x = draw(rng, 7, 64, device=device, dtype=dtype) * 30 + 100
    y = ours(x)
    assert y.dtype == dtype
    assert error(y, theirs(x)) < (1e-5 if dtype == torch.float32 else 1e-3)


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"elementwise_affine": False}], ids=str)
def test_a_new_norm_has_torchs_parameters_and_values(options, device) -> None:
    ours, theirs = (kind((3, 4), **options, device=device) for kind in (LayerNorm, torch.nn.LayerNorm))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert all(torch.equal(one, two) for one, two in zip(ours.parameters(), theirs.parameters()))
    assert (ours.weight is None) == (theirs.weight is None) and (ours.bias is None) == (theirs.bias is None)
    assert ours.normalized_shape == theirs.normalized_shape


def test_the_norm_does_not_depend_on_the_batch_nor_on_scale_and_offset(device, rng) -> None:
    layer = LayerNorm(6, eps=0.0, device=device, dtype=torch.float64)
    x = draw(rng, 5, 6, device=device)
    assert_same(layer(x)[2:3], layer(x[2:3]), 1e-14)
    assert_same(layer(3 * x + 7), layer(x), 1e-13)
    layer.eval()
    training = LayerNorm(6, eps=0.0, device=device, dtype=torch.float64)
    assert torch.equal(layer(x), training(x))


def test_second_derivatives_of_the_norm(device) -> None:
    torch.manual_seed(2)
    layer = LayerNorm(4, device=device, dtype=torch.float64)
    x = torch.randn(3, 4, device=device, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,)) and torch.autograd.gradgradcheck(layer, (x,))


# --- layers with norms in them ----------------------------------------------------------------------------------------


def rnn_steps(w: dict[str, Tensor], x: Tensor, state: tuple[Tensor, ...], eps: float) -> list[tuple[Tensor, ...]]:
    (h,), H, states = state, len(w["gamma"]), []
    shift = w.get("bias_ih", 0) + w.get("bias_hh", 0)
    for x_t in x:
        h = torch.tanh(norm(x_t @ w["weight_ih"].T + h @ w["weight_hh"].T, (H,), w["gamma"], None, eps) + shift)
        states.append((h,))
    return states


def lstm_steps(w: dict[str, Tensor], x: Tensor, state: tuple[Tensor, ...], eps: float) -> list[tuple[Tensor, ...]]:
    (h, c), H, states = state, len(w["gamma_c"]), []
    for x_t in x:
        from_input = norm(x_t @ w["weight_ih"].T, (4 * H,), w["gamma_ih"], w.get("bias_ih"), eps)
        from_state = norm(h @ w["weight_hh"].T, (4 * H,), w["gamma_hh"], w.get("bias_hh"), eps)
        a = from_input + from_state
        i, f, o = (torch.sigmoid(a[:, k * H : (k + 1) * H]) for k in (0, 1, 3))
        c = f * c + i * torch.tanh(a[:, 2 * H : 3 * H])
        h = o * torch.tanh(norm(c, (H,), w["gamma_c"], w["beta_c"], eps))
        states.append((h, c))
    return states


def gru_steps(w: dict[str, Tensor], x: Tensor, state: tuple[Tensor, ...], eps: float) -> list[tuple[Tensor, ...]]:
    (h,), H, states = state, state[0].shape[1], []

    def normed(a: Tensor, side: str) -> tuple[Tensor, Tensor]:
        gamma, beta = w[f"gamma_{side}"], w.get(f"bias_{side}", 0 * w[f"gamma_{side}"])
        rz = norm(a[:, : 2 * H], (2 * H,), gamma[: 2 * H], beta[: 2 * H], eps)
        return rz, norm(a[:, 2 * H :], (H,), gamma[2 * H :], beta[2 * H :], eps)

    for x_t in x:
        (x_rz, x_n), (h_rz, h_n) = normed(x_t @ w["weight_ih"].T, "ih"), normed(h @ w["weight_hh"].T, "hh")
        r, z = torch.sigmoid(x_rz + h_rz).chunk(2, dim=1)
        h = (1 - z) * torch.tanh(x_n + r * h_n) + z * h
        states.append((h,))
    return states


LAYERS = {LayerNormRNN: rnn_steps, LayerNormLSTM: lstm_steps, LayerNormGRU: gru_steps}
TORCHS = {LayerNormRNN: torch.nn.RNN, LayerNormLSTM: torch.nn.LSTM, LayerNormGRU: torch.nn.GRU}
KINDS = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "batch_first": True, "bias": False},
    {"eps": 1e-2},
]
layers = pytest.mark.parametrize("layer_class", LAYERS, ids=lambda c: c.__name__)
kinds = pytest.mark.parametrize("kind", KINDS, ids=str)


def random_layer(layer_class, kind: dict, device: str, dtype=torch.float64, D: int = 3, H: int = 4):
    """A layer whose gains and shifts are not 1 and 0."""
    torch.manual_seed(11)
    layer = layer_class(D, H, **kind, device=device, dtype=dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


def state_for(layer, rng, N: int, device: str):
    states = [
        draw(rng, layer.num_layers * layer.directions, N, layer.hidden_size, device=device) for _ in range(layer.STATES)
    ]
    return states[0] if layer.STATES == 1 else tuple(states)


def by_hand(layer, x: Tensor, hx, lengths: list[int]) -> tuple[Tensor, list[Tensor]]:
    """What the layer should give: each sequence cut to its length, each layer and direction one step at a time."""
    steps, T = LAYERS[type(layer)], x.shape[0]
    outputs, finals = [], []
    for n, length in enumerate(lengths):
        y, last = x[:length, n : n + 1], []
        for number in range(layer.num_layers):
            sides = []
            for direction in range(layer.directions):
                suffix = f"_l{number}" + "_reverse" * direction
                w = {k.removesuffix(suffix): v for k, v in layer.named_parameters() if k.endswith(suffix)}
                k = number * layer.directions + direction
                first = tuple(s[k, n : n + 1] for s in flat(hx))
                states = steps(w, y.flip(0) if direction else y, first, layer.eps)
                last.append(states[-1] if states else first)
                side = torch.stack([s[0] for s in states]) if states else y.new_zeros(0, 1, layer.hidden_size)
                sides.append(side.flip(0) if direction else side)
            y = torch.cat(sides, dim=-1)
        outputs.append(torch.cat([y, y.new_zeros(T - length, *y.shape[1:])]))
        finals.append([torch.stack([state[i] for state in last]) for i in range(layer.STATES)])
    return torch.cat(outputs, dim=1), [torch.cat(part, dim=1) for part in zip(*finals)]


@layers
@kinds
@pytest.mark.parametrize("lengths", [[6, 6, 6], [2, 6, 0]], ids=str)
def test_a_layer_is_its_equations(layer_class, kind, lengths, device, rng) -> None:
    layer = random_layer(layer_class, kind, device)
    x, hx = draw(rng, 6, 3, 3, device=device), state_for(layer, rng, 3, device)
    expected, finals = by_hand(layer, x, hx, lengths)
    first = layer.batch_first
    output, last = layer(x.transpose(0, 1) if first else x, hx, lengths=lengths)
    assert_same((output.transpose(0, 1) if first else output, *flat(last)), (expected, *finals))


@layers
@kinds
def test_its_gradients_are_those_of_its_equations(layer_class, kind, device, rng) -> None:
    kind = {k: v for k, v in kind.items() if k != "batch_first"}
    layer = random_layer(layer_class, kind, device)
    x, hx = draw(rng, 5, 2, 3, device=device), state_for(layer, rng, 2, device)

    class ByHand(torch.nn.Module):
        def parameters(self, recurse=True):
            return layer.parameters()

        def forward(self, x, hx):
            return by_hand(layer, x, hx, [5, 2])

    assert_same(with_gradients(layer, x, hx, lengths=[5, 2]), with_gradients(ByHand(), x, hx), 1e-11)


@layers
@kinds
def test_packed_sequences_are_sequences_with_lengths(layer_class, kind, device, rng) -> None:
    layer = random_layer(layer_class, kind, device)
    first, lengths = layer.batch_first, [2, 6, 3]
    x, hx = draw(rng, *((3, 6, 3) if first else (6, 3, 3)), device=device), state_for(layer, rng, 3, device)
    packed, last = layer(pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False), hx)
    assert_same((pad_packed_sequence(packed, batch_first=first)[0], last), layer(x, hx, lengths=lengths))


@layers
@kinds
def test_one_sequence_without_a_batch(layer_class, kind, device, rng) -> None:
    layer = random_layer(layer_class, kind, device)
    x, hx = draw(rng, 5, 3, device=device), state_for(layer, rng, 1, device)
    output, last = layer(x, hx[:, 0] if isinstance(hx, Tensor) else tuple(s[:, 0] for s in hx))
    batch, batch_last = layer(x[None] if layer.batch_first else x[:, None], hx)
    assert_same(
        (output, *flat(last)), (batch[0] if layer.batch_first else batch[:, 0], *(s[:, 0] for s in flat(batch_last)))
    )


@layers
def test_what_stands_after_the_end_reaches_no_output_and_no_gradient(layer_class, device, rng) -> None:
    layer = random_layer(layer_class, {"num_layers": 2, "bidirectional": True}, device)
    x, hx = draw(rng, 6, 3, 3, device=device), state_for(layer, rng, 3, device)
    lengths = torch.tensor([2, 0, 6], device=device)
    other = x.clone()
    other[torch.arange(6, device=device)[:, None] >= lengths] = torch.nan
    one, two = with_gradients(layer, x, hx, lengths=lengths), with_gradients(layer, other, hx, lengths=lengths)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(one, two))


@layers
def test_it_has_the_parameters_of_its_twin_and_the_gains(layer_class, device) -> None:
    kind = {"num_layers": 2, "bidirectional": True}
    torch.manual_seed(3)
    layer = layer_class(3, 4, **kind, device=device)
    theirs = TORCHS[layer_class](3, 4, **kind, device=device)
    assert {k: v.shape for k, v in theirs.state_dict().items()}.items() <= {
        k: v.shape for k, v in layer.state_dict().items()
    }.items()
    missing, unexpected = layer.load_state_dict(theirs.state_dict(), strict=False)
    assert not unexpected and all(name.startswith(("gamma", "beta_c")) for name in missing)
    for name, value in layer.named_parameters():
        if name.startswith(("gamma", "beta_c")):
            assert bool((value == float(name.startswith("gamma"))).all())


@layers
@pytest.mark.parametrize("D_H", [(1, 1), (1, 3), (3, 1)], ids=str)
def test_sizes_of_one_and_no_steps(layer_class, D_H, device, rng) -> None:
    D, H = D_H
    layer = random_layer(layer_class, {}, device, D=D, H=H)
    hx = state_for(layer, rng, 1, device)
    x = draw(rng, 1, 1, D, device=device)
    assert_same(layer(x, hx), [*by_hand(layer, x, hx, [1])])
    output, last = layer(x[:0], hx)
    assert output.shape == (0, 1, H)
    assert_same(last, hx)


@layers
def test_dropout_is_between_layers_and_in_training_only(layer_class, device) -> None:
    layer = layer_class(3, 50, num_layers=2, dropout=0.5, device=device)
    x = torch.ones(2, 1, 3, device=device)
    torch.manual_seed(0)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


@layers
def test_half_precision_is_close_to_float32(layer_class, device, rng) -> None:
    torch.manual_seed(7)
    wide = layer_class(5, 16, num_layers=2, device=device)
    narrow = layer_class(5, 16, num_layers=2, device=device, dtype=torch.bfloat16)
    narrow.load_state_dict(wide.state_dict())
    x = draw(rng, 6, 3, 5, device=device, dtype=torch.float32)
    output, last = narrow(x.bfloat16(), lengths=[6, 2, 0])
    assert {output.dtype, *(s.dtype for s in flat(last))} == {torch.bfloat16}
    assert error(output, wide(x, lengths=[6, 2, 0])[0]) < 0.05


@layers
def test_second_derivatives(layer_class, device) -> None:
    layer = random_layer(layer_class, {}, device, D=2, H=3)
    torch.manual_seed(4)
    x = torch.randn(2, 2, 2, device=device, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: layer(x, lengths=[2, 1])[0], (x,))
    assert torch.autograd.gradgradcheck(lambda x: layer(x)[0], (x,))


@layers
def test_the_compiler_takes_it(layer_class, device) -> None:
    torch.manual_seed(1)
    layer = layer_class(2, 3, num_layers=2, bidirectional=True, device=device)
    x = torch.randn(4, 2, 2, device=device)
    for one, two in zip(flat(torch.compile(layer, backend="eager")(x)), flat(layer(x))):
        assert torch.allclose(one, two, atol=1e-6)


def test_relu_in_the_plain_layer(device, rng) -> None:
    layer = random_layer(LayerNormRNN, {"nonlinearity": "relu"}, device)
    x = draw(rng, 1, 2, 3, device=device)
    w = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    a = norm(x[0] @ w["weight_ih"].T, (4,), w["gamma"], w["bias_ih"] + w["bias_hh"])
    assert_same(layer(x)[0][0], torch.relu(a))


def test_the_cell_state_that_is_carried_is_not_normalised(device, rng) -> None:
    """Eight steps that write 1 with open gates: c counts them, which a normalised c could not."""
    layer = LayerNormLSTM(2, 3, device=device, dtype=torch.float64)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.fill_(40.0 if name.startswith("bias_ih") else 0.0)
    _, (_, c_n) = layer(draw(rng, 8, 1, 2, device=device))
    assert_same(c_n, torch.full_like(c_n, 8.0), 1e-14)


@layers
@pytest.mark.parametrize("lengths", [None, [5, 2, 0]], ids=str)
def test_numpy_and_pytorch_give_the_same(layer_class, lengths, rng) -> None:
    layer = random_layer(layer_class, {"batch_first": True}, "cpu", D=2)
    w = {name.removesuffix("_l0"): value for name, value in layer.named_parameters()}
    x = draw(rng, 3, 5, 2).requires_grad_()
    hx = [draw(rng, 3, 4).requires_grad_() for _ in range(layer.STATES)]
    dh, d_last = draw(rng, 3, 5, 4), [draw(rng, 3, 4) for _ in hx]
    h, last = layer(x, hx[0][None] if layer.STATES == 1 else tuple(s[None] for s in hx), lengths)
    loss = (h * dh).sum() + sum((s[0] * d).sum() for s, d in zip(flat(last), d_last))
    gradient = dict(zip(["x", *w], torch.autograd.grad(loss, [x, *w.values()])))

    zero = torch.zeros(16, dtype=torch.float64)
    forward, backward, names = {
        LayerNormRNN: (ln_rnn_forward, ln_rnn_backward, ["gamma", "bias_ih"]),
        LayerNormLSTM: (
            ln_lstm_forward,
            ln_lstm_backward,
            ["b", "gamma_ih", "bias_ih", "gamma_hh", "bias_hh", "gamma_c", "beta_c"],
        ),
        LayerNormGRU: (ln_gru_forward, ln_gru_backward, ["gamma_ih", "bias_ih", "gamma_hh", "bias_hh"]),
    }[layer_class]
    given = w | {"b": zero} | ({"bias_ih": w["bias_ih"] + w["bias_hh"]} if layer_class is LayerNormRNN else {})
    tensors = [x, *hx, w["weight_ih"].T, w["weight_hh"].T, *(given[name] for name in names)]
    *outputs, cache = forward(*(t.detach().numpy() for t in tensors), lengths=lengths)
    for mine, theirs in zip((h, *(s[0] for s in flat(last))), outputs):
        assert relative_error(mine.detach().numpy(), theirs) < 1e-12
    found = backward(dh.numpy(), *(d.numpy() for d in d_last), cache)
    assert relative_error(found.dx, gradient["x"].numpy()) < 1e-10
    assert relative_error(found.dW_x, gradient["weight_ih"].T.numpy()) < 1e-10
    assert relative_error(found.dW_h, gradient["weight_hh"].T.numpy()) < 1e-10
    by_numpys_name = {"gamma": "dgamma", "gamma_ih": "dgamma_x", "gamma_hh": "dgamma_h", "gamma_c": "dgamma_c"}
    for name, theirs in by_numpys_name.items():
        if name in gradient:
            assert relative_error(getattr(found, theirs), gradient[name].numpy()) < 1e-10


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: LayerNorm(()), r"normalized_shape: got \(\)"),
        (lambda: LayerNorm((3, 0)), "normalized_shape: got"),
        (lambda: LayerNorm((3, 4))(torch.zeros(2, 4, 3)), r"input: got shape \(2, 4, 3\); expected \(…, 3, 4\)"),
        (lambda: LayerNorm((3, 4))(torch.zeros(4)), "input: got shape"),
        (lambda: LayerNormRNN(3, 4, nonlinearity="gelu"), "nonlinearity: got 'gelu'"),
        (lambda: LayerNormLSTM(3, 4, proj_size=1), "proj_size: got 1; expected 0"),
        (lambda: LayerNormGRU(3, 0), "hidden_size: got 0"),
        (lambda: LayerNormGRU(3, 4)(torch.zeros(5, 2, 2)), "input: got shape"),
        (lambda: LayerNormLSTM(3, 4)(torch.zeros(5, 2, 3), torch.zeros(1, 2, 4)), "hx: got Tensor"),
    ],
)
def test_it_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_eps_is_what_is_added_to_the_variance() -> None:
    for layer_class, eps in itertools.product(LAYERS, (1e-5, 1.0)):
        assert layer_class(3, 4, eps=eps).eps == eps
    x = torch.tensor([[1.0, 3.0]], dtype=torch.float64)
    y = LayerNorm(2, eps=3.0, dtype=torch.float64)(x)
    assert np.allclose(y.detach().numpy(), [[-0.5, 0.5]])
