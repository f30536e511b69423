r"""Weights of the same layer as this course, PyTorch, Keras and ONNX hold them, and the way from each to each.

A layer's weights are a dict of arrays. ``to_torch("lstm", ours)`` gives PyTorch's names and shapes, ``from_torch`` the
way back; likewise for Keras and ONNX. One layer and one direction; ``D`` inputs, ``H`` units, ``G`` gates side by side.

========== ====================== ============================== ========================= =============================
layer      this course            PyTorch                        Keras                     ONNX
========== ====================== ============================== ========================= =============================
RNN        ``W_x (D, H)``         ``weight_ih_l0 (H, D)``        ``kernel (D, H)``         ``W (1, H, D)``
           ``W_h (H, H)``         ``weight_hh_l0 (H, H)``        ``recurrent_kernel``      ``R (1, H, H)``
           ``b (H,)``             two biases ``(H,)``, added     ``bias (H,)``             ``B (1, 2H)``, halves added
LSTM       i, f, g, o             i, f, g, o                     i, f, g, o                i, o, f, g
           ``b (4H,)``            two biases, added              ``bias``, f part 1        ``B (1, 8H)``, halves added
           ``peepholes (3, H)``   none                           none                      ``P (1, 3H)``: i, o, f
GRU        r, z, n                r, z, n                        z, r, n                   z, r, n
           ``b_x``, ``b_h``       ``bias_ih_l0``, ``bias_hh_l0`` ``bias (2, 3H)``          ``B (1, 6H)``
reset      ``reset_after=True``   always after                   ``reset_after=True``      ``linear_before_reset=1``
Conv1D     ``W (K, C_in, C_out)`` ``weight (C_out, C_in, K)``    ``kernel`` as ours        ``W (C_out, C_in, K)``
LayerNorm  ``gamma``, ``beta``    ``weight``, ``bias``           ``gamma``, ``beta``       ``Scale``, ``B``
eps        1e-5                   1e-5                           1e-3                      1e-5
state      ``(N, H)``             ``(layers · dirs, N, H)``      ``(N, H)``                ``(dirs, N, H)``
========== ====================== ============================== ========================= =============================

Two things do not survive a round trip, and both are named where they happen: a GRU with ``reset_after=False`` in Keras
has one bias, into which ours are added; PyTorch's two biases of an RNN or LSTM come back as their sum. In every
convention here ``z = 1`` keeps a GRU's old state.

Sources: the documentation of ``torch.nn.RNN``, ``LSTM``, ``GRU``, ``Conv1d``, ``LayerNorm``; of the Keras layers of the
same names; the ONNX operators ``RNN``, ``LSTM``, ``GRU``, ``Conv`` and ``LayerNormalization``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Weights = dict[str, np.ndarray]

GATES = {"rnn": "h", "lstm": "ifgo", "gru": "rzn"}
KERAS_GATES = {"rnn": "h", "lstm": "ifgo", "gru": "zrn"}
ONNX_GATES = {"rnn": "h", "lstm": "iofg", "gru": "zrn"}
LAYERS = ("rnn", "lstm", "gru", "conv1d", "layer_norm")

OURS = {
    "rnn": ("W_x", "W_h", "b"),
    "lstm": ("W_x", "W_h", "b"),
    "gru": ("W_x", "W_h", "b_x", "b_h"),
    "conv1d": ("W", "b"),
    "layer_norm": ("gamma", "beta"),
}


def to_torch(layer: str, weights: Mapping[str, Any]) -> Weights:
    """PyTorch's ``state_dict`` of one layer, as arrays; an RNN's or LSTM's second bias is 0.

    Args:
        layer: ``"rnn"``, ``"lstm"``, ``"gru"``, ``"conv1d"`` or ``"layer_norm"``.
        weights: our names and shapes, as in the table above.

    Raises:
        ValueError: the layer is unknown, a weight is missing or too many, or a shape does not fit.

    >>> {name: w.shape for name, w in to_torch("gru", _example("gru", D=2, H=3)).items()}
    {'weight_ih_l0': (9, 2), 'weight_hh_l0': (9, 3), 'bias_ih_l0': (9,), 'bias_hh_l0': (9,)}
    """
    ours = _ours(layer, weights, "to_torch")
    if layer == "conv1d":
        return {"weight": _copy(ours["W"].transpose(2, 1, 0)), "bias": _copy(ours["b"])}
    if layer == "layer_norm":
        return {"weight": _copy(ours["gamma"]), "bias": _copy(ours["beta"])}
    b_x, b_h = _two_biases(layer, ours)
    return {
        "weight_ih_l0": _copy(ours["W_x"].T),
        "weight_hh_l0": _copy(ours["W_h"].T),
        "bias_ih_l0": _copy(b_x),
        "bias_hh_l0": _copy(b_h),
    }


def from_torch(layer: str, state: Mapping[str, Any]) -> Weights:
    """Our weights from PyTorch's ``state_dict`` of one layer (arrays or tensors); missing biases are 0.

    Raises:
        ValueError: the layer is unknown, a name is missing or unexpected (a second layer, say), or a shape does not
            fit.

    >>> from_torch("layer_norm", {"weight": np.ones(2), "bias": np.zeros(2)})
    {'gamma': array([1., 1.]), 'beta': array([0., 0.])}
    """
    _known(layer)
    if layer == "conv1d":
        theirs = _named(layer, state, ("weight",), ("bias",))
        W = _axes("weight", theirs["weight"], 3).transpose(2, 1, 0)
        return _checked(layer, {"W": W, "b": theirs.get("bias", _zeros(W, W.shape[2]))})
    if layer == "layer_norm":
        theirs = _named(layer, state, ("weight",), ("bias",))
        return _checked(layer, {"gamma": theirs["weight"], "beta": theirs.get("bias", np.zeros_like(theirs["weight"]))})
    theirs = _named(layer, state, ("weight_ih_l0", "weight_hh_l0"), ("bias_ih_l0", "bias_hh_l0"))
    W_x, W_h = _axes("weight_ih_l0", theirs["weight_ih_l0"], 2).T, _axes("weight_hh_l0", theirs["weight_hh_l0"], 2).T
    none = _zeros(W_h, W_h.shape[1])
    return _checked(
        layer, _with_biases(layer, W_x, W_h, theirs.get("bias_ih_l0", none), theirs.get("bias_hh_l0", none))
    )


def to_keras(layer: str, weights: Mapping[str, Any], reset_after: bool = True) -> Weights:
    """The weights of a Keras layer by Keras's names, for ``layer.set_weights(list(….values()))``.

    With ``reset_after=False`` a GRU has one bias in Keras: the sum of ours, which gives the same outputs.

    Raises:
        ValueError: as :func:`to_torch`.

    >>> {name: w.shape for name, w in to_keras("gru", _example("gru", D=2, H=3)).items()}
    {'kernel': (2, 9), 'recurrent_kernel': (3, 9), 'bias': (2, 9)}
    """
    ours = _ours(layer, weights, "to_keras")
    if layer == "conv1d":
        return {"kernel": _copy(ours["W"]), "bias": _copy(ours["b"])}
    if layer == "layer_norm":
        return {"gamma": _copy(ours["gamma"]), "beta": _copy(ours["beta"])}
    moved = {name: reorder_gates(w, GATES[layer], KERAS_GATES[layer]) for name, w in ours.items()}
    bias = moved["b"] if layer != "gru" else np.stack([moved["b_x"], moved["b_h"]])
    if layer == "gru" and not reset_after:
        bias = bias.sum(axis=0)
    return {"kernel": moved["W_x"], "recurrent_kernel": moved["W_h"], "bias": bias}


def from_keras(layer: str, weights: Mapping[str, Any]) -> Weights:
    """Our weights from a Keras layer's; a GRU's bias may be ``(2, 3H)`` or, with ``reset_after=False``, ``(3H,)``.

    Raises:
        ValueError: as :func:`from_torch`.

    >>> ours = _example("gru", D=2, H=3)
    >>> all(np.array_equal(from_keras("gru", to_keras("gru", ours))[name], ours[name]) for name in ours)
    True
    """
    _known(layer)
    if layer == "conv1d":
        theirs = _named(layer, weights, ("kernel",), ("bias",))
        W = _axes("kernel", theirs["kernel"], 3)
        return _checked(layer, {"W": W, "b": theirs.get("bias", _zeros(W, W.shape[2]))})
    if layer == "layer_norm":
        return _checked(layer, _named(layer, weights, ("gamma", "beta"), ()))
    theirs = _named(layer, weights, ("kernel", "recurrent_kernel"), ("bias",))
    W_h = _axes("recurrent_kernel", theirs["recurrent_kernel"], 2)
    bias = theirs.get("bias", _zeros(W_h, W_h.shape[1]))
    b_x, b_h = bias if layer == "gru" and bias.ndim == 2 and len(bias) == 2 else (bias, np.zeros_like(bias))
    found = [reorder_gates(w, KERAS_GATES[layer], GATES[layer]) for w in (theirs["kernel"], W_h, b_x, b_h)]
    return _checked(layer, _with_biases(layer, *found))


def to_onnx(layer: str, weights: Mapping[str, Any]) -> Weights:
    """The initialisers of an ONNX node: ``W``, ``R``, ``B`` with a leading axis for the one direction.

    A GRU's node needs ``linear_before_reset=1`` for our ``reset_after=True``, and 0 for False. An LSTM's ``peepholes
    (3, H)``, in the order i, f, o, become ``P (1, 3H)`` in the order i, o, f.

    Raises:
        ValueError: as :func:`to_torch`.

    >>> {name: w.shape for name, w in to_onnx("lstm", _example("lstm", D=2, H=3)).items()}
    {'W': (1, 12, 2), 'R': (1, 12, 3), 'B': (1, 24)}
    """
    ours = _ours(layer, weights, "to_onnx")
    if layer == "conv1d":
        return {"W": _copy(ours["W"].transpose(2, 1, 0)), "B": _copy(ours["b"])}
    if layer == "layer_norm":
        return {"Scale": _copy(ours["gamma"]), "B": _copy(ours["beta"])}
    both = [reorder_gates(b, GATES[layer], ONNX_GATES[layer]) for b in _two_biases(layer, ours)]
    W_x, W_h = (reorder_gates(ours[name], GATES[layer], ONNX_GATES[layer]) for name in ("W_x", "W_h"))
    found = {"W": _copy(W_x.T[None]), "R": _copy(W_h.T[None]), "B": np.concatenate(both)[None]}
    if "peepholes" in ours:
        found["P"] = reorder_gates(ours["peepholes"].reshape(-1), "ifo", "iof")[None]
    return found


def from_onnx(layer: str, weights: Mapping[str, Any]) -> Weights:
    """Our weights from an ONNX node's ``W``, ``R`` and ``B`` (and ``P``) with one direction; a missing ``B`` is 0.

    Raises:
        ValueError: as :func:`from_torch`; also two directions (split them first).

    >>> ours = _example("lstm", D=2, H=3)
    >>> all(np.array_equal(from_onnx("lstm", to_onnx("lstm", ours))[name], ours[name]) for name in ours)
    True
    """
    _known(layer)
    if layer == "conv1d":
        theirs = _named(layer, weights, ("W",), ("B",))
        W = _axes("W", theirs["W"], 3).transpose(2, 1, 0)
        return _checked(layer, {"W": W, "b": theirs.get("B", _zeros(W, W.shape[2]))})
    if layer == "layer_norm":
        theirs = _named(layer, weights, ("Scale",), ("B",))
        return _checked(layer, {"gamma": theirs["Scale"], "beta": theirs.get("B", np.zeros_like(theirs["Scale"]))})
    theirs = _named(layer, weights, ("W", "R"), ("B", "P") if layer == "lstm" else ("B",))
    for name, array in theirs.items():
        if array.ndim == 0 or len(array) != 1:
            raise ValueError(f"{name}: got shape {array.shape}; expected one direction, (1, …): split the two first")
    W_x, W_h = _axes("W", theirs["W"], 3)[0].T, _axes("R", theirs["R"], 3)[0].T
    B = theirs["B"][0] if "B" in theirs else _zeros(W_h, 2 * W_h.shape[1])
    if B.shape != (2 * W_h.shape[1],):
        raise ValueError(f"B: got shape {(1, *B.shape)}; expected (1, {2 * W_h.shape[1]})")
    found = [reorder_gates(w, ONNX_GATES[layer], GATES[layer]) for w in (W_x, W_h, *np.split(B, 2))]
    ours = _with_biases(layer, *found)
    if "P" in theirs:
        ours["peepholes"] = reorder_gates(theirs["P"][0], "iof", "ifo").reshape(3, -1)
    return _checked(layer, ours)


def reorder_gates(array: Any, given: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """The blocks of the last axis, one a gate, in another order.

    Args:
        array: ``(…, G·H)``.
        given, wanted: the gates' letters as they stand and as they shall stand.

    Raises:
        ValueError: the letters differ, or the axis does not hold that many blocks.

    >>> reorder_gates([1, 2, 3, 4], given="ifgo", wanted="iofg")
    array([1, 4, 2, 3])
    """
    array = np.asarray(array)
    if sorted(given) != sorted(wanted):
        raise ValueError(f"wanted: got gates {wanted!r}; expected the letters of {given!r} in some order")
    if array.ndim == 0 or array.shape[-1] % len(given):
        raise ValueError(f"got shape {array.shape}; expected a last axis of {len(given)} equal blocks")
    blocks = np.split(array, len(given), axis=-1)
    return np.concatenate([blocks[list(given).index(gate)] for gate in wanted], axis=-1)


# --- checks -----------------------------------------------------------------------------------------------------------


def _known(layer: str) -> None:
    if layer not in LAYERS:
        raise ValueError(f"layer: got {layer!r}; expected one of {', '.join(map(repr, LAYERS))}")


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _named(layer: str, weights: Mapping[str, Any], needed: Sequence[str], optional: Sequence[str]) -> Weights:
    missing = [name for name in needed if name not in weights]
    extra = [name for name in weights if name not in (*needed, *optional)]
    if missing or extra:
        expected = ", ".join((*needed, *(f"{name} (optional)" for name in optional)))
        raise ValueError(f"{layer}: got {', '.join(weights) or 'nothing'}; expected {expected}")
    return {name: _array(weights[name]) for name in (*needed, *optional) if name in weights}


def _ours(layer: str, weights: Mapping[str, Any], goal: str) -> Weights:
    _known(layer)
    optional = ("peepholes",) if layer == "lstm" else ()
    ours = _checked(layer, _named(layer, weights, OURS[layer], optional))
    if "peepholes" in ours and goal != "to_onnx":
        raise ValueError("peepholes: PyTorch's and Keras's LSTM have none; only ONNX's does")
    return ours


def _checked(layer: str, ours: Weights) -> Weights:
    """Our weights, copied, or a ``ValueError`` where a shape does not fit."""
    expected: dict[str, tuple[int, ...]]
    if layer == "conv1d":
        expected = {"W": (*_axes("W", ours["W"], 3).shape,), "b": ours["W"].shape[2:]}
    elif layer == "layer_norm":
        expected = {"gamma": ours["gamma"].shape, "beta": ours["gamma"].shape}
    else:
        G, D, H = len(GATES[layer]), len(_axes("W_x", ours["W_x"], 2)), len(_axes("W_h", ours["W_h"], 2))
        expected = {"W_x": (D, G * H), "W_h": (H, G * H), "peepholes": (3, H)}
        expected |= dict.fromkeys(("b", "b_x", "b_h"), (G * H,))
    for name, array in ours.items():
        if array.shape != expected[name]:
            raise ValueError(f"{name}: got shape {array.shape}; expected {expected[name]} in a layer of kind {layer}")
    return {name: _copy(array) for name, array in ours.items()}


def _axes(name: str, array: np.ndarray, count: int) -> np.ndarray:
    if array.ndim != count:
        raise ValueError(f"{name}: got shape {array.shape}; expected {count} axes")
    return array


def _two_biases(layer: str, ours: Weights) -> tuple[np.ndarray, np.ndarray]:
    return (ours["b_x"], ours["b_h"]) if layer == "gru" else (ours["b"], np.zeros_like(ours["b"]))


def _with_biases(layer: str, W_x: np.ndarray, W_h: np.ndarray, b_x: np.ndarray, b_h: np.ndarray) -> Weights:
    if b_x.shape != b_h.shape:
        raise ValueError(f"biases: got shapes {b_x.shape} and {b_h.shape}; expected two of the same")
    return {"W_x": W_x, "W_h": W_h, **({"b_x": b_x, "b_h": b_h} if layer == "gru" else {"b": b_x + b_h})}


def _zeros(like: np.ndarray, size: int) -> np.ndarray:
    return np.zeros(size, like.dtype)


def _copy(array: np.ndarray) -> np.ndarray:
    return np.array(array, order="C")


def _example(layer: str, D: int, H: int, seed: int = 0) -> Weights:
    """Random weights of a recurrent layer in our convention."""
    rng = np.random.default_rng(seed)
    columns = len(GATES[layer]) * H
    shapes = {"W_x": (D, columns), "W_h": (H, columns), "b": (columns,), "b_x": (columns,), "b_h": (columns,)}
    return {name: rng.normal(size=shapes[name]) for name in OURS[layer]}
