"""Weights on their way to PyTorch, Keras and ONNX and back, each tried in the library itself."""

from __future__ import annotations

import importlib
import os

import numpy as np
import pytest
import torch

from solutions import conventions
from solutions.conventions import from_keras, from_onnx, from_torch, reorder_gates, to_keras, to_onnx, to_torch

N, T, D, H, K = 3, 5, 2, 4, 3
KERAS_CLOSE = 1e-5  # parts of Keras compute in float32, whatever its floatx says
RECURRENT = ("rnn", "lstm", "gru")


def ours(layer: str, rng, peepholes: bool = False) -> dict[str, np.ndarray]:
    """Random weights: with equal ones nobody would notice a wrong order of the gates."""
    G = len(conventions.GATES.get(layer, ""))
    shapes = {
        "W_x": (D, G * H),
        "W_h": (H, G * H),
        "b": (G * H,),
        "b_x": (G * H,),
        "b_h": (G * H,),
        "W": (K, D, H),
        "gamma": (H,),
        "beta": (H,),
    }
    if layer == "conv1d":
        shapes["b"] = (H,)
    found = {name: rng.normal(size=shapes[name]) for name in conventions.OURS[layer]}
    return found | ({"peepholes": rng.normal(size=(3, H))} if peepholes else {})


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def outputs(layer: str, x: np.ndarray, w: dict[str, np.ndarray], reset_after: bool = True) -> np.ndarray:
    """The layer by its equations, in our convention, written for this test alone: ``h (N, T, H)``."""
    h, c, found = np.zeros((N, H)), np.zeros((N, H)), []
    p = w.get("peepholes", np.zeros((3, H)))
    for t in range(x.shape[1]):
        if layer == "rnn":
            h = np.tanh(x[:, t] @ w["W_x"] + h @ w["W_h"] + w["b"])
        elif layer == "lstm":
            a_i, a_f, a_g, a_o = np.split(x[:, t] @ w["W_x"] + h @ w["W_h"] + w["b"], 4, axis=1)
            c = sigmoid(a_f + p[1] * c) * c + sigmoid(a_i + p[0] * c) * np.tanh(a_g)
            h = sigmoid(a_o + p[2] * c) * np.tanh(c)
        else:
            x_r, x_z, x_n = np.split(x[:, t] @ w["W_x"] + w["b_x"], 3, axis=1)
            h_r, h_z, h_n = np.split(h @ w["W_h"] + w["b_h"], 3, axis=1)
            r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
            n = np.tanh(x_n + r * h_n if reset_after else x_n + (r * h) @ w["W_h"][:, 2 * H :] + w["b_h"][2 * H :])
            h = z * h + (1 - z) * n
        found.append(h)
    return np.stack(found, axis=1)


@pytest.mark.parametrize("layer", RECURRENT)
def test_a_recurrent_layer_in_torch_gives_what_ours_gives(layer: str, rng) -> None:
    w, x = ours(layer, rng), rng.normal(size=(N, T, D))
    module = getattr(torch.nn, layer.upper())(D, H, batch_first=True, dtype=torch.float64)
    module.load_state_dict({name: torch.as_tensor(value) for name, value in to_torch(layer, w).items()})
    assert np.allclose(module(torch.as_tensor(x))[0].detach().numpy(), outputs(layer, x, w), rtol=0, atol=1e-13)


@pytest.mark.parametrize("layer", RECURRENT)
def test_torchs_own_weights_give_the_same_in_ours(layer: str, rng) -> None:
    torch.manual_seed(0)
    module, x = (
        getattr(torch.nn, layer.upper())(D, H, batch_first=True, dtype=torch.float64),
        rng.normal(size=(N, T, D)),
    )
    w = from_torch(layer, module.state_dict())
    assert np.allclose(module(torch.as_tensor(x))[0].detach().numpy(), outputs(layer, x, w), rtol=0, atol=1e-13)


@pytest.fixture(scope="module")
def keras():
    os.environ["KERAS_BACKEND"] = "torch"
    keras = importlib.import_module("keras")
    before = keras.backend.floatx()
    keras.backend.set_floatx("float64")
    yield keras
    keras.backend.set_floatx(before)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("layer", RECURRENT)
def test_a_recurrent_layer_in_keras_gives_what_ours_gives(layer: str, reset_after: bool, keras, rng) -> None:
    w, x = ours(layer, rng), rng.normal(size=(N, T, D))
    kind = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[layer]
    module = kind(H, return_sequences=True, **({"reset_after": reset_after} if layer == "gru" else {}))
    module.build((N, T, D))
    theirs = to_keras(layer, w, reset_after)
    module.set_weights(list(theirs.values()))
    got = keras.ops.convert_to_numpy(module(x))
    assert np.allclose(got, outputs(layer, x, w, reset_after), rtol=0, atol=KERAS_CLOSE)
    again = outputs(layer, x, from_keras(layer, theirs), reset_after)
    assert np.allclose(got, again, rtol=0, atol=KERAS_CLOSE)


def onnx_outputs(layer: str, x: np.ndarray, w: dict[str, np.ndarray], reset_after: bool = True) -> np.ndarray:
    """Run one node in ONNX's own reference evaluator."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    theirs = {name: value.astype(np.float32) for name, value in to_onnx(layer, w).items()}
    theirs = {"W": theirs["W"], "R": theirs["R"], "B": theirs["B"], **({"P": theirs["P"]} if "P" in theirs else {})}
    inputs = ["X", "W", "R", "B"] + (["", "", "", "P"] if "P" in theirs else [])
    options = {"linear_before_reset": int(reset_after)} if layer == "gru" else {}
    node = onnx.helper.make_node(layer.upper(), inputs, ["Y"], hidden_size=H, **options)
    FLOAT = onnx.TensorProto.FLOAT
    values = {"X": x.swapaxes(0, 1).astype(np.float32), **theirs}
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info(name, FLOAT, value.shape) for name, value in values.items()],
        [onnx.helper.make_tensor_value_info("Y", FLOAT, None)],
    )
    (Y,) = ReferenceEvaluator(onnx.helper.make_model(graph)).run(["Y"], values)
    return Y[:, 0].swapaxes(0, 1)


@pytest.mark.parametrize(("layer", "peepholes"), [("rnn", False), ("lstm", False), ("lstm", True), ("gru", False)])
def test_a_recurrent_layer_in_onnx_gives_what_ours_gives(layer: str, peepholes: bool, rng) -> None:
    w, x = ours(layer, rng, peepholes), rng.normal(size=(N, T, D))
    assert np.allclose(onnx_outputs(layer, x, w), outputs(layer, x, w), rtol=0, atol=1e-5)


def test_a_gru_that_resets_before_the_product_in_onnx(rng) -> None:
    w, x = ours("gru", rng), rng.normal(size=(N, T, D))
    assert np.allclose(onnx_outputs("gru", x, w, False), outputs("gru", x, w, False), rtol=0, atol=1e-5)


@pytest.mark.parametrize("layer", conventions.LAYERS)
@pytest.mark.parametrize("there, back", [(to_torch, from_torch), (to_keras, from_keras), (to_onnx, from_onnx)])
def test_there_and_back_is_the_same(layer: str, there, back, rng) -> None:
    w = ours(layer, rng, peepholes=layer == "lstm" and there is to_onnx)
    kept = {name: value.copy() for name, value in w.items()}
    again = back(layer, there(layer, w))
    assert list(again) == list(w)
    assert all(np.array_equal(again[name], w[name]) for name in w)
    for name, value in there(layer, w).items():
        value += 1
        assert all(np.array_equal(w[key], kept[key]) for key in w), f"{name} shares memory with what came in"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_convolution_and_a_norm_in_torch_and_keras(keras, rng) -> None:
    w, x = ours("conv1d", rng), rng.normal(size=(N, T, D))
    expected = sum(x[:, k : T - K + 1 + k] @ w["W"][k] for k in range(K)) + w["b"]
    conv = torch.nn.Conv1d(D, H, K, dtype=torch.float64)
    conv.load_state_dict({name: torch.as_tensor(value) for name, value in to_torch("conv1d", w).items()})
    assert np.allclose(conv(torch.as_tensor(x).mT).mT.detach().numpy(), expected, rtol=0, atol=1e-13)
    twin = keras.layers.Conv1D(H, K)
    twin.build((N, T, D))
    twin.set_weights(list(to_keras("conv1d", w).values()))
    assert np.allclose(keras.ops.convert_to_numpy(twin(x)), expected, rtol=0, atol=KERAS_CLOSE)

    w, a = ours("layer_norm", rng), rng.normal(size=(N, H))
    expected = (a - a.mean(1, keepdims=True)) / np.sqrt(a.var(1, keepdims=True) + 1e-5) * w["gamma"] + w["beta"]
    norm = torch.nn.LayerNorm(H, dtype=torch.float64)
    norm.load_state_dict({name: torch.as_tensor(value) for name, value in to_torch("layer_norm", w).items()})
    assert np.allclose(norm(torch.as_tensor(a)).detach().numpy(), expected, rtol=0, atol=1e-13)
    twin = keras.layers.LayerNormalization(epsilon=1e-5)
    twin.build((N, H))
    twin.set_weights(list(to_keras("layer_norm", w).values()))
    assert np.allclose(keras.ops.convert_to_numpy(twin(a)), expected, rtol=0, atol=KERAS_CLOSE)


def test_layers_without_biases_come_back_with_zeros() -> None:
    torch.manual_seed(0)
    for layer in RECURRENT:
        w = from_torch(layer, getattr(torch.nn, layer.upper())(D, H, bias=False).state_dict())
        assert all(not w[name].any() and w[name].dtype == np.float32 for name in w if name.startswith("b"))
    assert not from_torch("conv1d", torch.nn.Conv1d(D, H, K, bias=False).state_dict())["b"].any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda w: to_torch("mamba", w), "got 'mamba'; expected one of 'rnn'"),
        (lambda w: to_torch("lstm", {"W_x": w["W_x"]}), "got W_x; expected W_x, W_h, b"),
        (lambda w: to_torch("lstm", w | {"W_x": w["W_x"][:, :-1]}), r"W_x: got shape \(2, 15\); expected \(2, 16\)"),
        (lambda w: to_torch("lstm", w | {"peepholes": np.zeros((3, H))}), "only ONNX"),
        (lambda w: from_torch("rnn", torch.nn.RNN(D, H, 2).state_dict()), "weight_ih_l1.*expected weight_ih_l0"),
        (lambda w: from_torch("lstm", torch.nn.RNN(D, H).state_dict()), "W_x: got shape"),
        (lambda w: from_onnx("rnn", {"W": np.zeros((2, H, D)), "R": np.zeros((2, H, H))}), "one direction"),
        (lambda w: from_keras("rnn", {"kernel": np.zeros(3)}), "expected kernel, recurrent_kernel"),
        (lambda w: from_keras("conv1d", {"kernel": np.zeros(3)}), "kernel: got shape .*expected 3 axes"),
        (lambda w: reorder_gates(np.zeros(6), "ifgo", "iofg"), "4 equal blocks"),
        (lambda w: reorder_gates(np.zeros(4), "ifgo", "rzn"), "the letters of 'ifgo'"),
    ],
)
def test_what_does_not_fit_is_named(call, words: str, rng) -> None:
    with pytest.raises(ValueError, match=words):
        call(ours("lstm", rng))
