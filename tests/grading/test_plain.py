"""Plain bytes: what is encoded comes back the same, and hostile bytes are refused, whatever they are."""

from __future__ import annotations

import contextlib
import json
import struct

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograde.kit.plain import DTYPES, MAGIC, Limits, Other, PlainError, decode, encode

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(PLAIN)
def test_plain_values_come_back_the_same(value) -> None:
    assert decode(encode(value)) == value


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_arrays_of_every_dtype_come_back_bit_for_bit(name: str, shape: tuple) -> None:
    value = (np.arange(np.prod(shape, dtype=int)).reshape(shape) % 2).astype(name)
    got = decode(encode([value]))[0]
    assert got.dtype == value.dtype and got.shape == shape and got.tobytes() == value.tobytes()


def test_values_that_are_not_finite_survive() -> None:
    got = decode(encode([float("nan"), float("inf"), np.array([np.nan, -np.inf])]))
    assert np.isnan(got[0]) and got[1] == np.inf and np.isnan(got[2][0]) and got[2][1] == -np.inf


def test_arrays_that_are_big_endian_strided_or_a_subclass_arrive_as_plain_ones() -> None:
    class Liar(np.ndarray):
        def __eq__(self, other):
            return True

    base = np.arange(12.0).reshape(3, 4)
    for value in (base.astype(">f8"), base[::2, ::-1], base.view(Liar), np.asfortranarray(base)):
        got = decode(encode(value))
        assert type(got) is np.ndarray and np.array_equal(got, np.asarray(value))


def test_tensors_arrive_as_arrays() -> None:
    assert decode(encode(torch.ones(2, requires_grad=True))).tolist() == [1, 1]
    assert decode(encode(torch.ones(2, dtype=torch.bfloat16))).dtype == np.float32


def test_anything_else_is_its_types_name() -> None:
    class Strange:
        pass

    assert decode(encode([Strange(), {1: 2}, object, np.array([None])])) == [
        Other("Strange"), Other("dict"), Other("type"), Other("array of dtype object")
    ]  # fmt: skip


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(PlainError):
        decode(data)


@given(st.data())
@settings(max_examples=300)
def test_damaged_messages_are_refused_or_give_plain_values(data) -> None:
    message = bytearray(encode({"h": np.arange(6.0).reshape(2, 3), "n": [1, "two", None, (3.5,)]}))
    for _ in range(data.draw(st.integers(1, 5))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PlainError):
        decode(bytes(message[: data.draw(st.integers(0, len(message)))]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["t", "v", "d", "s", "k", "x"]), inner, max_size=5)
        | st.fixed_dictionaries(
            {"t": st.sampled_from(["array", "list", "dict", "int", "text", "other", "const", "float"]), "v": inner}
        )
    ),
    max_leaves=10,
)


@given(JSON)
@settings(max_examples=300)
def test_any_header_is_refused_or_gives_plain_values(tree) -> None:
    header = json.dumps(tree).encode()
    with contextlib.suppress(PlainError):
        decode(MAGIC + struct.pack(">I", len(header)) + header + bytes(16))


@pytest.mark.parametrize(
    "node",
    [
        {"t": "array", "d": "float64", "s": [2**40, 2**40]},
        {"t": "array", "d": "float64", "s": [0, 2**62]},
        {"t": "array", "d": "object", "s": [1]},
        {"t": "array", "d": "float64", "s": [-1]},
        {"t": "array", "d": "float64", "s": [1] * 9},
        {"t": "array", "d": "U9999", "s": [1]},
        {"t": "int", "v": 2**70},
        {"t": "float", "v": "1e5"},
        {"t": "pickle", "v": ""},
    ],
)
def test_what_no_honest_encoder_writes_is_refused(node: dict) -> None:
    header = json.dumps(node).encode()
    with pytest.raises(PlainError):
        decode(MAGIC + struct.pack(">I", len(header)) + header + bytes(64))


def test_size_depth_and_count_are_bounded() -> None:
    deep: list = []
    for _ in range(30):
        deep = [deep]
    assert "nested" in repr(decode(encode(deep)))
    with pytest.raises(PlainError):
        decode(encode([0] * 100), Limits(nodes=50))
    with pytest.raises(PlainError):
        decode(encode(np.zeros(1000)), Limits(total=500))
