"""Recurrent layers with layer normalisation inside, against their equations in PyTorch: values, gradients, lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from solutions.with_numpy.layer_norm import (
    ln_gru_backward,
    ln_gru_forward,
    ln_lstm_backward,
    ln_lstm_forward,
    ln_rnn_backward,
    ln_rnn_forward,
)
from tests.reference.agreement import central_differences, read_only, relative_error, tensor

CLOSE = {np.float64: 1e-12, np.float32: 1e-5}
SIZES = [(1, 1, 1, 1), (3, 5, 2, 4), (2, 1, 3, 1), (1, 7, 1, 3), (4, 3, 5, 2)]


# --- the equations, once more, in PyTorch -----------------------------------------------------------------------------


def LN(a, gamma=None, beta=None, eps=1e-5):
    return F.layer_norm(a, a.shape[-1:], gamma, beta, eps)


def rnn_twin(p: dict, h: torch.Tensor, x_t: torch.Tensor, f=torch.tanh) -> tuple:
    return (f(LN(x_t @ p["W_x"] + h @ p["W_h"], p["gamma"], p["beta"])),)


def lstm_twin(p: dict, h: torch.Tensor, c: torch.Tensor, x_t: torch.Tensor) -> tuple:
    """Ba et al. (2016), supplementary material."""
    sums = LN(h @ p["W_h"], p["gamma_h"], p["beta_h"]) + LN(x_t @ p["W_x"], p["gamma_x"], p["beta_x"]) + p["b"]
    i, f, g, o = sums.chunk(4, dim=-1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(LN(c, p["gamma_c"], p["beta_c"])), c


def gru_twin(p: dict, h: torch.Tensor, x_t: torch.Tensor, keeps=lambda z: z) -> tuple:
    """Ba et al. (2016), supplementary material, where ``keeps`` is ``1 - z``; their code has ``z``."""
    H = h.shape[-1]
    of = {name: p[name].split([2 * H, H], dim=-1) for name in ("W_x", "W_h", "gamma_x", "beta_x", "gamma_h", "beta_h")}
    from_x = [LN(x_t @ of["W_x"][k], of["gamma_x"][k], of["beta_x"][k]) for k in (0, 1)]
    from_h = [LN(h @ of["W_h"][k], of["gamma_h"][k], of["beta_h"][k]) for k in (0, 1)]
    r, z = torch.sigmoid(from_x[0] + from_h[0]).chunk(2, dim=-1)
    n = torch.tanh(from_x[1] + r * from_h[1])
    return ((1 - keeps(z)) * n + keeps(z) * h,)


class Layer(NamedTuple):
    forward: Callable
    backward: Callable
    twin: Callable
    shapes: dict[str, str]  # the arguments in their order, a letter an axis; "4H" is four blocks of H
    options: dict = {}

    @property
    def states(self) -> list[str]:
        return [name for name in ("h0", "c0") if name in self.shapes]


RNN_SHAPES = {"x": "N T D", "h0": "N H", "W_x": "D H", "W_h": "H H", "gamma": "H", "beta": "H"}
LSTM_SHAPES = {"x": "N T D", "h0": "N H", "c0": "N H", "W_x": "D 4H", "W_h": "H 4H", "b": "4H"} | {
    "gamma_x": "4H",
    "beta_x": "4H",
    "gamma_h": "4H",
    "beta_h": "4H",
    "gamma_c": "H",
    "beta_c": "H",
}
GRU_SHAPES = {"x": "N T D", "h0": "N H", "W_x": "D 3H", "W_h": "H 3H"} | {
    "gamma_x": "3H",
    "beta_x": "3H",
    "gamma_h": "3H",
    "beta_h": "3H",
}
FUNCTIONS = {"tanh": torch.tanh, "relu": torch.relu, "identity": lambda a: a}
LAYERS = {
    f"ln_rnn {name}": Layer(
        ln_rnn_forward,
        ln_rnn_backward,
        lambda p, h, x_t, f=f: rnn_twin(p, h, x_t, f),
        RNN_SHAPES,
        {"activation": name},
    )
    for name, f in FUNCTIONS.items()
} | {
    "ln_lstm": Layer(ln_lstm_forward, ln_lstm_backward, lstm_twin, LSTM_SHAPES),
    "ln_gru": Layer(ln_gru_forward, ln_gru_backward, gru_twin, GRU_SHAPES),
}
layers = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
CELLS = [LAYERS["ln_rnn tanh"], LAYERS["ln_lstm"], LAYERS["ln_gru"]]
cells = pytest.mark.parametrize("layer", CELLS, ids=["ln_rnn", "ln_lstm", "ln_gru"])


def shape_of(letters: str, size: tuple[int, int, int, int]) -> tuple[int, ...]:
    known = dict(zip("NTDH", size))
    return tuple(int(token[:-1] or 1) * known[token[-1]] for token in letters.split())


def inputs_of(layer: Layer, size, rng: np.random.Generator, dtype=np.float64, initial=True) -> dict:
    """Random arguments; gains around 1, so that a forgotten gain shows."""
    inputs = {name: rng.normal(size=shape_of(letters, size)) for name, letters in layer.shapes.items()}
    inputs = {
        name: (1 + 0.5 * value if name.startswith("gamma") else value).astype(dtype) for name, value in inputs.items()
    }
    return inputs if initial else inputs | dict.fromkeys(layer.states)


def lengths_of(kind: str, N: int, T: int) -> list[int] | None:
    return {
        "none": None,
        "equal": [T] * N,
        "mixed": [1 + (2 * n) % T for n in range(N)],
        "some 0": [0 if n % 2 == 0 else T for n in range(N)],
    }[kind]


def upstream_of(layer: Layer, where: str, size, rng: np.random.Generator) -> list[np.ndarray | None]:
    """The loss's derivatives by ``h``, ``h_last`` and, for an LSTM, ``c_last``."""
    N, T, _, H = size
    dh, finals = rng.normal(size=(N, T, H)), [rng.normal(size=(N, H)) for _ in layer.states]
    if where == "some steps":
        dh[:, ::2] = 0
    if where == "last step":
        dh[:, :-1] = 0
    if where == "final state":
        return [None, *finals]
    if where == "one final state":
        return [None] * len(finals) + [finals[-1]]
    return [dh, *(finals if where == "everywhere" else [None] * len(finals))]


WHERE = ["everywhere", "every step", "some steps", "last step", "final state", "one final state"]


def torch_outputs(layer: Layer, leaves: dict, size, lengths) -> list[torch.Tensor]:
    """The twin over whole sequences: ``[h, h_last(, c_last)]``, a step at a time, each sequence to its own end."""
    N, T, _, _ = size
    alive = torch.arange(T) < torch.as_tensor([T] * N if lengths is None else lengths)[:, None]
    states, h = [leaves[name] for name in layer.states], []
    for t in range(T):
        new = layer.twin(leaves, *states, leaves["x"][:, t])
        h.append(torch.where(alive[:, t, None], new[0], torch.zeros_like(new[0])))
        states = [torch.where(alive[:, t, None], one, old) for one, old in zip(new, states)]
    return [torch.stack(h, dim=1) if h else leaves["h0"].new_zeros(N, 0, leaves["h0"].shape[1]), *states]


def leaves_of(inputs: dict, size, grad: bool) -> dict:
    zeros = np.zeros((size[0], size[3]), inputs["x"].dtype)
    return {name: tensor(zeros if value is None else value, grad) for name, value in inputs.items()}


def loss_of(layer: Layer, inputs: dict, upstream: list, lengths) -> float:
    got = layer.forward(*inputs.values(), lengths=lengths, **layer.options)[:-1]
    return float(sum((one * by).sum() for one, by in zip(got, upstream) if by is not None))


def close(got: np.ndarray, expected: np.ndarray, tolerance: float) -> bool:
    """Near in norm, relative to the larger of the two and 1: some gradients of a norm are exactly 0."""
    assert got.shape == expected.shape
    scale = max(np.linalg.norm(got) + np.linalg.norm(expected), 1.0)
    return bool(np.linalg.norm(got - expected) <= tolerance * scale)


# --- values and gradients ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)
@pytest.mark.parametrize("kind", ["none", "equal", "mixed", "some 0"])
@pytest.mark.parametrize("initial", [True, False], ids=["h0", "no h0"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@layers
def test_forward_equals_the_equations_in_torch(layer, size, initial, kind, dtype, rng) -> None:
    inputs, lengths = inputs_of(layer, size, rng, dtype, initial), lengths_of(kind, *size[:2])
    *got, _ = layer.forward(*inputs.values(), lengths=lengths, **layer.options)
    expected = torch_outputs(layer, leaves_of(inputs, size, grad=False), size, lengths)
    for one, two in zip(got, expected, strict=True):
        assert one.dtype == dtype
        assert relative_error(one, two.numpy()) < CLOSE[dtype]


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("kind", ["none", "mixed", "some 0"])
@pytest.mark.parametrize("initial", [True, False], ids=["h0", "no h0"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@layers
def test_gradients_equal_autograds(layer, size, initial, kind, where, rng) -> None:
    inputs, lengths = inputs_of(layer, size, rng, initial=initial), lengths_of(kind, *size[:2])
    upstream = upstream_of(layer, where, size, rng)
    cache = layer.forward(*inputs.values(), lengths=lengths, **layer.options)[-1]
    gradients = layer.backward(*upstream, cache)
    leaves = leaves_of(inputs, size, grad=True)
    outputs = torch_outputs(layer, leaves, size, lengths)
    loss = sum((one * tensor(by)).sum() for one, by in zip(outputs, upstream) if by is not None)
    expected = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    assert gradients._fields == tuple(f"d{name}" for name in layer.shapes)
    for (name, leaf), got, wanted in zip(leaves.items(), gradients, expected):
        assert close(got, np.zeros(leaf.shape) if wanted is None else wanted.numpy(), 1e-10), name


@pytest.mark.parametrize("kind", ["none", "mixed", "some 0"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@layers
def test_gradients_equal_central_differences(layer, size, kind, rng) -> None:
    smooth = layer._replace(options=layer.options | {"eps": 0.1})  # with a small eps, the norm of 2 features is a jump
    inputs, lengths = inputs_of(layer, size, rng), lengths_of(kind, *size[:2])
    upstream = upstream_of(layer, "everywhere", size, rng)
    gradients = layer.backward(*upstream, layer.forward(*inputs.values(), lengths=lengths, **smooth.options)[-1])
    for name, got, array in zip(inputs, gradients, inputs.values()):
        expected = central_differences(lambda: loss_of(smooth, inputs, upstream, lengths), array)
        assert close(got, expected, 1e-7), name


@layers
def test_gradients_keep_float32(layer, rng) -> None:
    size = (3, 5, 2, 4)
    inputs, upstream = inputs_of(layer, size, rng), upstream_of(layer, "everywhere", size, rng)
    single = {name: value.astype(np.float32) for name, value in inputs.items()}
    exact = layer.backward(*upstream, layer.forward(*inputs.values(), **layer.options)[-1])
    got = layer.backward(*upstream, layer.forward(*single.values(), **layer.options)[-1])
    for one, two in zip(got, exact):
        assert one.dtype == np.float32 and relative_error(one, two) < 1e-4


@cells
def test_the_epsilon_is_the_one_given(layer, rng) -> None:
    size = (2, 3, 2, 4)
    inputs = inputs_of(layer, size, rng)
    default = layer.forward(*inputs.values())[0]
    assert np.array_equal(default, layer.forward(*inputs.values(), eps=1e-5)[0])
    assert not np.allclose(default, layer.forward(*inputs.values(), eps=1e-1)[0], rtol=1e-4)


# --- which variant it is ----------------------------------------------------------------------------------------------


def test_a_column_of_ones_gives_the_bias_inside_the_norm(rng) -> None:
    p = inputs_of(LAYERS["ln_rnn tanh"], (2, 3, 2, 4), rng)
    b = rng.normal(size=4)
    with_ones = np.concatenate([p["x"], np.ones((2, 3, 1))], axis=2)
    h, _, _ = ln_rnn_forward(with_ones, None, np.vstack([p["W_x"], b]), p["W_h"], p["gamma"], p["beta"])
    state, weights = torch.zeros(2, 4, dtype=torch.float64), {name: tensor(value) for name, value in p.items()}
    for t in range(3):
        inside = weights["x"][:, t] @ weights["W_x"] + state @ weights["W_h"] + tensor(b)
        state = torch.tanh(LN(inside, weights["gamma"], weights["beta"]))
        assert relative_error(h[:, t], state.numpy()) < 1e-12


def test_the_other_sign_of_z_gives_the_gru_as_the_paper_writes_it(rng) -> None:
    layer, size = LAYERS["ln_gru"], (3, 5, 2, 4)
    inputs = inputs_of(layer, size, rng)
    paper = layer._replace(twin=lambda p, h, x_t: gru_twin(p, h, x_t, keeps=lambda z: 1 - z))
    expected = torch_outputs(paper, leaves_of(inputs, size, grad=False), size, None)
    for name in ("gamma_x", "beta_x", "gamma_h", "beta_h"):
        inputs[name][4:8] *= -1
    got = ln_gru_forward(*inputs.values())
    assert relative_error(got[0], expected[0].numpy()) < 1e-12


def test_the_lstm_carries_the_raw_cell_state_and_reads_a_normalised_one() -> None:
    open_gates = np.array([50.0, 50, 50, 50, 0, 0, 50, 50])  # i, f and o open, g = tanh(0 + beta_x), with H = 2
    beta_x = np.array([0.0, 0, 0, 0, 0.3, 0.6, 0, 0])
    zeros = np.zeros(8)
    h, _, c_last, _ = ln_lstm_forward(
        np.ones((1, 50, 1)),
        None,
        None,
        np.zeros((1, 8)),
        np.zeros((2, 8)),
        open_gates,
        zeros,
        beta_x,
        zeros,
        zeros,
        np.ones(2),
        np.zeros(2),
    )
    assert np.allclose(c_last, 50 * np.tanh([0.3, 0.6]))
    assert np.allclose(h[0, -1], np.tanh([-1, 1]), atol=1e-6)


@cells
@pytest.mark.parametrize("factor", [0.2, 30.0])
def test_the_scale_of_the_weights_does_not_matter(layer, factor, rng) -> None:
    inputs = inputs_of(layer, (3, 6, 3, 5), rng)
    h = layer.forward(*inputs.values(), eps=1e-13)[0]
    scaled = inputs | {"W_x": factor * inputs["W_x"], "W_h": factor * inputs["W_h"]}
    assert np.allclose(layer.forward(*scaled.values(), eps=1e-13)[0], h, atol=1e-7)
    if layer is not LAYERS["ln_rnn tanh"]:  # where inputs and state are normalised apart, so can one alone be scaled
        scaled = inputs | {"x": factor * inputs["x"]}
        assert np.allclose(layer.forward(*scaled.values(), eps=1e-13)[0], h, atol=1e-7)


# --- memory and empty sizes -------------------------------------------------------------------------------------------


@cells
def test_inputs_are_not_changed_and_may_be_strided(layer, rng) -> None:
    size, lengths = (3, 5, 2, 4), [5, 2, 0]
    inputs, upstream = inputs_of(layer, size, rng), upstream_of(layer, "everywhere", size, rng)
    *expected, cache = layer.forward(*inputs.values(), lengths=lengths)
    expected += layer.backward(*upstream, cache)
    frozen, frozen_upstream = read_only(*inputs.values()), read_only(*upstream)
    *got, cache = layer.forward(*frozen, lengths=read_only(np.array(lengths))[0])
    got += layer.backward(*frozen_upstream, cache)
    assert not any(np.shares_memory(one, two) for one in got for two in frozen + frozen_upstream)
    strided = [np.asfortranarray(np.repeat(value, 2, axis=0))[::2] for value in inputs.values()]
    *other, cache = layer.forward(*strided, lengths=lengths)
    other += layer.backward(*(np.asfortranarray(value) for value in upstream), cache)
    for one, two, three in zip(expected, got, other):
        assert np.array_equal(one, two) and np.allclose(one, three, rtol=1e-12, atol=1e-12)


@cells
def test_a_backward_pass_can_be_run_twice_and_its_gradients_share_nothing(layer, rng) -> None:
    size = (3, 5, 2, 4)
    inputs, upstream = inputs_of(layer, size, rng), upstream_of(layer, "everywhere", size, rng)
    cache = layer.forward(*inputs.values(), lengths=[5, 2, 0])[-1]
    first = layer.backward(*upstream, cache)
    kept = [gradient.copy() for gradient in first]
    for one, two in zip(kept, layer.backward(*upstream, cache)):
        assert np.array_equal(one, two)
    assert not any(np.shares_memory(first[i], first[j]) for i in range(len(first)) for j in range(i))


@cells
def test_no_steps_leave_the_state_and_pass_its_gradient_on(layer, rng) -> None:
    size = (2, 0, 3, 4)
    inputs, upstream = inputs_of(layer, size, rng), upstream_of(layer, "everywhere", size, rng)
    h, *finals, cache = layer.forward(*inputs.values())
    gradients = layer.backward(*upstream, cache)._asdict()
    assert h.shape == (2, 0, 4) and gradients["dx"].shape == (2, 0, 3)
    for name, final, by in zip(layer.states, finals, upstream[1:]):
        assert np.array_equal(final, inputs[name]) and not np.shares_memory(final, inputs[name])
        assert np.array_equal(gradients[f"d{name}"], by) and not np.shares_memory(gradients[f"d{name}"], by)
    for name, value in gradients.items():
        assert name in ("dh0", "dc0") or not value.any()


# --- properties -------------------------------------------------------------------------------------------------------

SMALL = st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4), st.integers(0, 2**31))
ANY = st.sampled_from(CELLS)


@given(ANY, SMALL)
def test_padding_beyond_lengths_never_changes_anything(layer, drawn) -> None:
    *size, seed = drawn
    rng = np.random.default_rng(seed)
    inputs, upstream = inputs_of(layer, size, rng), upstream_of(layer, "everywhere", size, rng)
    lengths = rng.integers(0, size[1] + 1, size=size[0])
    ended = np.arange(size[1]) >= lengths[:, None]
    results = []
    for padding in (0.0, np.nan, np.inf):
        inputs["x"][ended] = padding
        upstream[0][ended] = padding
        *outputs, cache = layer.forward(*inputs.values(), lengths=lengths)
        gradients = layer.backward(*upstream, cache)
        assert not outputs[0][ended].any() and not gradients.dx[ended].any()
        results.append([*outputs, *gradients])
    for one, two, three in zip(*results):
        assert np.array_equal(one, two) and np.array_equal(one, three)


@given(ANY, SMALL, st.integers(0, 6))
def test_a_sequence_cut_in_two_with_the_state_carried_gives_the_same(layer, drawn, cut) -> None:
    *size, seed = drawn
    rng = np.random.default_rng(seed)
    inputs, (dh, *finals) = inputs_of(layer, size, rng), upstream_of(layer, "everywhere", size, rng)
    h, *last, cache = layer.forward(*inputs.values())
    whole = layer.backward(dh, *finals, cache)._asdict()

    first, *middle, cache_1 = layer.forward(*(inputs | {"x": inputs["x"][:, :cut]}).values())
    carried = dict(zip(layer.states, middle))
    second, *end, cache_2 = layer.forward(*(inputs | {"x": inputs["x"][:, cut:]} | carried).values())
    assert relative_error(np.concatenate([first, second], axis=1), h) < 1e-13
    assert all(relative_error(one, two) < 1e-13 for one, two in zip(end, last))

    back_2 = layer.backward(dh[:, cut:], *finals, cache_2)._asdict()
    back_1 = layer.backward(dh[:, :cut], *(back_2[f"d{name}"] for name in layer.states), cache_1)._asdict()
    for name, value in whole.items():
        if name == "dx":
            expected = np.concatenate([back_1["dx"], back_2["dx"]], axis=1)
        elif name in ("dh0", "dc0"):
            expected = back_1[name]
        else:
            expected = back_1[name] + back_2[name]
        assert close(value, expected, 1e-10), name


@given(ANY, SMALL)
def test_a_batch_equals_its_rows_one_by_one(layer, drawn) -> None:
    *size, seed = drawn
    rng = np.random.default_rng(seed)
    inputs, upstream = inputs_of(layer, size, rng), upstream_of(layer, "everywhere", size, rng)
    lengths = rng.integers(0, size[1] + 1, size=size[0])
    *outputs, cache = layer.forward(*inputs.values(), lengths=lengths)
    gradients = layer.backward(*upstream, cache)._asdict()
    sums = {name: np.zeros_like(value) for name, value in gradients.items()}
    for n in range(size[0]):
        row = slice(n, n + 1)
        own = inputs | {name: inputs[name][row] for name in ("x", *layer.states)}
        *one, cache = layer.forward(*own.values(), lengths=lengths[row])
        assert all(close(mine, whole[row], 1e-12) for mine, whole in zip(one, outputs))
        for name, value in layer.backward(*(by[row] for by in upstream), cache)._asdict().items():
            sums[name][row if name in ("dx", "dh0", "dc0") else ...] += value
    assert all(close(sums[name], value, 1e-10) for name, value in gradients.items())


@given(ANY, SMALL)
def test_a_permutation_of_hidden_units_permutes_outputs_and_gradients(layer, drawn) -> None:
    *size, seed = drawn
    rng = np.random.default_rng(seed)
    inputs, upstream = inputs_of(layer, size, rng), upstream_of(layer, "everywhere", size, rng)
    H = size[3]
    p = rng.permutation(H)

    def permuted(name: str, value: np.ndarray) -> np.ndarray:
        """Every axis that counts hidden units, or blocks of them, in the new order."""
        for axis, token in enumerate(layer.shapes[name].split()):
            if token.endswith("H"):
                blocks = int(token[:-1] or 1)
                value = np.take(value, np.concatenate([k * H + p for k in range(blocks)]), axis=axis)
        return value

    *outputs, cache = layer.forward(*inputs.values())
    *others, other_cache = layer.forward(*(permuted(name, value) for name, value in inputs.items()))
    for one, two in zip(outputs, others):
        assert close(two, one[..., p], 1e-10)
    gradients = layer.backward(*upstream, cache)
    for name, one, two in zip(layer.shapes, gradients, layer.backward(*(by[..., p] for by in upstream), other_cache)):
        assert close(two, permuted(name, one), 1e-8), name


# --- errors -----------------------------------------------------------------------------------------------------------

GOOD = (3, 5, 2, 4)
ARGUMENTS = [(layer, name) for layer in CELLS for name in layer.shapes]
ARGUMENT_IDS = [f"{layer.forward.__name__} {name}" for layer, name in ARGUMENTS]


@pytest.mark.parametrize(("layer", "name"), ARGUMENTS, ids=ARGUMENT_IDS)
@pytest.mark.parametrize("wrong", ["axis", "size"])
def test_a_wrong_shape_says_what_was_got_and_expected(layer, name, wrong, rng) -> None:
    inputs = inputs_of(layer, GOOD, rng)
    shape = inputs[name].shape
    inputs[name] = np.zeros((*shape, 1) if wrong == "axis" else (shape[0] + 1, *shape[1:]))
    with pytest.raises(ValueError, match="got shape .* expected"):
        layer.forward(*inputs.values())


@pytest.mark.parametrize(("layer", "name"), ARGUMENTS, ids=ARGUMENT_IDS)
@pytest.mark.parametrize("dtype", [np.int64, np.complex128])
def test_a_wrong_dtype_says_what_was_got_and_expected(layer, name, dtype, rng) -> None:
    inputs = inputs_of(layer, GOOD, rng)
    inputs[name] = inputs[name].astype(dtype)
    with pytest.raises(ValueError, match=f"{name}: got dtype .* expected float32 or float64"):
        layer.forward(*inputs.values())


@cells
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lengths": [1, 2]}, "lengths: got shape"),
        ({"lengths": [1, 2, 6]}, "expected 0 to T = 5"),
        ({"lengths": [-1, 2, 3]}, "expected 0"),
        ({"lengths": [1.0, 2.0, 3.0]}, "whole"),
        ({"eps": 0}, "eps: got 0; expected a number above 0"),
        ({"eps": None}, "eps: got None; expected a number above 0"),
    ],
)
def test_a_wrong_option_says_what_was_got_and_expected(layer, options, words, rng) -> None:
    with pytest.raises(ValueError, match=words):
        layer.forward(*inputs_of(layer, GOOD, rng).values(), **options)


def test_an_unknown_activation_names_those_that_exist(rng) -> None:
    with pytest.raises(ValueError, match="got 'gelu'; expected one of 'tanh', 'relu', 'identity'"):
        ln_rnn_forward(*inputs_of(CELLS[0], GOOD, rng).values(), activation="gelu")


@cells
def test_a_wrong_upstream_gradient_says_what_was_got_and_expected(layer, rng) -> None:
    cache = layer.forward(*inputs_of(layer, GOOD, rng).values())[-1]
    good = upstream_of(layer, "everywhere", GOOD, rng)
    for index, name in enumerate(["dh", "dh_last", "dc_last"][: len(good)]):
        for bad, words in ((np.zeros((3, 9)), "got shape"), (good[index].astype(int), "got dtype int64")):
            with pytest.raises(ValueError, match=f"{name}: {words}.* expected"):
                layer.backward(*good[:index], bad, *good[index + 1 :], cache)
