"""Values as plain bytes: how inputs go into a sandbox, how outputs come back, and how a release carries its checks.

A message is eight bytes that name the format, the length of a JSON header, the header (a tree of small nodes), and the
raw bytes of the arrays one after another. There is no code in it and nothing is ever unpickled. ``decode`` reads what
hostile code may have written: each size is checked before anything is allocated, and the only error is ``PlainError``.
"""

from __future__ import annotations

import json
import math
import struct
import sys
from dataclasses import dataclass

import numpy as np

MAGIC = b"UNROLLD1"
DTYPES = (
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64", "complex64", "complex128"),
)


class PlainError(ValueError):
    """The bytes are not a message of this format, or go over its limits."""


@dataclass(frozen=True)
class Limits:
    """What ``decode`` accepts: bytes in all, bytes of header, nodes, depth of nesting, axes, characters of a text."""

    total: int = 64 * 2**20
    header: int = 4 * 2**20
    nodes: int = 20_000
    depth: int = 12
    rank: int = 8
    text: int = 200_000


@dataclass(frozen=True)
class Other:
    """What stands for a value that is none of the plain kinds: only the name of its type is kept."""

    type_name: str


def encode(value: object) -> bytes:
    """Turn a value into bytes. What is not plain becomes ``Other``; arrays and tensors become arrays.

    >>> decode(encode({"h": np.zeros((1, 2)), "n": [1, None]}))
    {'h': array([[0., 0.]]), 'n': [1, None]}
    """
    blobs: list[bytes] = []
    header = json.dumps(_node(value, blobs, 0)).encode()
    return b"".join([MAGIC, struct.pack(">I", len(header)), header, *blobs])


def decode(data: bytes, limits: Limits | None = None) -> object:
    """Turn bytes back into a value.

    Raises:
        PlainError: the bytes are not a message, or a limit is passed. Nothing else is raised, whatever the bytes.
    """
    limits = limits or Limits()
    start = len(MAGIC) + 4
    if not start <= len(data) <= limits.total or bytes(data[: len(MAGIC)]) != MAGIC:
        raise PlainError(f"got {len(data)} bytes that are not a message, or more than {limits.total}")
    (size,) = struct.unpack(">I", data[len(MAGIC) : start])
    if size > limits.header or start + size > len(data):
        raise PlainError(f"got a header of {size} bytes; expected at most {limits.header} and no more than is there")
    try:
        tree = json.loads(bytes(data[start : start + size]).decode("utf-8"))
        reader = _Reader(data, start + size, limits)
        value = reader.value(tree, 0)
    except PlainError:
        raise
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError, AttributeError, IndexError) as error:
        raise PlainError(f"the header is not a tree of plain nodes: {type(error).__name__}") from None
    if reader.position != len(data):
        raise PlainError(f"got {len(data) - reader.position} bytes that no array accounts for")
    return value


def as_array(value: object) -> np.ndarray | None:
    """The value as an array of a plain dtype that owns its bytes: tensors and subclasses too; None if it is neither."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        tensor = value.detach().to("cpu")
        value = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.array(value, subok=False)
        return array if array.dtype.name in DTYPES else None
    return None


def _node(value: object, blobs: list[bytes], depth: int) -> dict:
    if depth > 10:
        return {"t": "other", "v": "nested too deeply"}
    array = as_array(value)
    if array is not None:
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        blobs.append(little.tobytes())
        return {"t": "array", "d": array.dtype.name, "s": list(array.shape)}
    kind = type(value)
    if value is None or kind is bool:
        return {"t": "const", "v": value}
    if kind is int and -(2**63) <= value < 2**64:  # type: ignore[operator]
        return {"t": "int", "v": value}
    if kind is float:
        return {"t": "float", "v": value if math.isfinite(value) else repr(value)}  # type: ignore[arg-type]
    if kind is str:
        return {"t": "text", "v": value[:100_000]}  # type: ignore[index]
    if isinstance(value, tuple):
        return {"t": "tuple", "v": [_node(item, blobs, depth + 1) for item in value]}
    if isinstance(value, list):
        return {"t": "list", "v": [_node(item, blobs, depth + 1) for item in value]}
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return {"t": "dict", "k": list(value), "v": [_node(item, blobs, depth + 1) for item in value.values()]}
    name = value.type_name if kind is Other else kind.__name__  # type: ignore[attr-defined]
    if isinstance(value, np.ndarray):
        name = f"array of dtype {value.dtype.name}"
    return {"t": "other", "v": str(name)[:100]}


class _Reader:
    """Walks the header's tree and takes each array's bytes in turn."""

    def __init__(self, data: bytes, position: int, limits: Limits) -> None:
        self.data, self.position, self.limits, self.nodes = data, position, limits, 0

    def value(self, node: object, depth: int) -> object:
        self.nodes += 1
        if type(node) is not dict or self.nodes > self.limits.nodes or depth > self.limits.depth:
            raise PlainError(f"expected at most {self.limits.nodes} nodes, nested at most {self.limits.depth} deep")
        kind, value = node["t"], node.get("v")
        if kind == "array":
            return self.array(node)
        if kind == "const" and (value is None or type(value) is bool):
            return value
        if kind == "int" and type(value) is int and -(2**63) <= value < 2**64:
            return value
        if kind == "float" and (type(value) is float or type(value) is int or value in ("nan", "inf", "-inf")):
            return float(value)
        if kind in ("text", "other") and type(value) is str and len(value) <= self.limits.text:
            return value if kind == "text" else Other(value[:100])
        if kind in ("list", "tuple") and type(value) is list:
            items = [self.value(item, depth + 1) for item in value]
            return items if kind == "list" else tuple(items)
        if kind == "dict" and type(value) is list and type(node["k"]) is list and len(node["k"]) == len(value):
            if not all(type(key) is str and len(key) <= 200 for key in node["k"]):
                raise PlainError("a key is not a short text")
            return {key: self.value(item, depth + 1) for key, item in zip(node["k"], value)}
        raise PlainError(f"a node of kind {str(kind)[:20]!r} does not hold what it must")

    def array(self, node: dict) -> np.ndarray:
        name, shape = node["d"], node["s"]
        if name not in DTYPES or type(shape) is not list or len(shape) > self.limits.rank:
            raise PlainError(
                f"an array has a dtype other than {', '.join(DTYPES)}, or more than {self.limits.rank} axes"
            )
        if not all(type(size) is int and 0 <= size <= self.limits.total for size in shape):
            raise PlainError("an array's shape is not made of whole numbers")
        dtype = np.dtype(name).newbyteorder("<")
        length = math.prod(shape) * dtype.itemsize
        # A shape with a zero may hide axes that no array can have.
        if self.position + length > len(self.data) or math.prod(max(size, 1) for size in shape) > self.limits.total:
            raise PlainError(f"an array of shape {shape} does not fit in the bytes that are there")
        raw = bytes(self.data[self.position : self.position + length])
        self.position += length
        if name == "bool" and length and max(raw) > 1:
            raise PlainError("a truth value is neither 0 nor 1")
        return np.frombuffer(raw, dtype).reshape(shape).astype(np.dtype(name))
