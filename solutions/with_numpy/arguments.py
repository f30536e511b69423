"""Checks of what a caller passes in, shared by every layer: shapes, dtypes, lengths.

A layer says the shapes it takes in the letters of the notation page, once, and gets the sizes back::

    x, h0, W_x = arguments(("x", x, "N T D"), ("h0", h0, "N H"), ("W_x", W_x, "D H"))[0]

A token may carry a number of gates: ``"4H"`` is an axis that holds four blocks of ``H``.
"""

from __future__ import annotations

import re

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def arguments(*named: tuple[str, object, str]) -> tuple[list[np.ndarray], dict[str, int]]:
    """Turn ``(name, value, shape)`` triples into arrays of the first one's dtype, and bind the sizes.

    Returns the arrays in order, and the size of every letter. ``None`` stays ``None`` (an optional argument).
    The first array gives the dtype of the computation: the others are converted to it.

    Raises:
        ValueError: a value is not a real floating-point array, or its shape does not fit: the message says
            what was got and what was expected.

    >>> arrays, sizes = arguments(("x", np.zeros((2, 3)), "N D"), ("W_x", np.zeros((3, 8)), "D 4H"))
    >>> sizes
    {'N': 2, 'D': 3, 'H': 2}
    """
    sizes: dict[str, int] = {}
    origin: dict[str, str] = {}
    arrays: list[np.ndarray] = []
    dtype: np.dtype | None = None
    for name, value, shape in named:
        if value is None:
            arrays.append(None)  # type: ignore[arg-type]
            continue
        array = floating(name, value)
        dtype = dtype or array.dtype
        bind_shape(name, array.shape, shape, sizes, origin)
        arrays.append(array.astype(dtype, copy=False))
    return arrays, sizes


def floating(name: str, value: object) -> np.ndarray:
    """Return ``value`` as a float32 or float64 array (a view where it is one), or raise ``ValueError``."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name}: got rows of unequal length; expected a rectangular array") from None
    if array.dtype not in FLOATS:
        raise ValueError(
            f"{name}: got dtype {array.dtype}; expected float32 or float64. Convert it with "
            f"np.asarray({name}, dtype=np.float64)"
        )
    return array


def bind_shape(name: str, got: tuple[int, ...], expected: str, sizes: dict[str, int], origin: dict[str, str]) -> None:
    """Match one shape against its letters, adding new letters to ``sizes``; raise ``ValueError`` if it cannot be."""
    tokens = expected.split()
    fits = len(got) == len(tokens)
    for token, size in zip(tokens, got) if fits else ():
        gates, letter = re.fullmatch(r"(\d*)([A-Za-z_]+)", token).groups()  # type: ignore[union-attr]
        count = int(gates or 1)
        if letter not in sizes and size % count == 0:
            sizes[letter], origin[letter] = size // count, name
        fits = fits and size == count * sizes.get(letter, -1)
    if not fits:
        words = ", ".join(token if not token[0].isdigit() else f"{token[0]}·{token[1:]}" for token in tokens)
        known = [f"{k} = {v} from {origin[k]}" for k, v in sizes.items() if k in expected and origin[k] != name]
        because = f" with {', '.join(known)}" if known else ""
        raise ValueError(f"{name}: got shape {got}; expected ({words}{',' * (len(tokens) == 1)}){because}")


def alive_steps(lengths: object, N: int, T: int) -> np.ndarray | None:
    """Return the mask ``(N, T)`` that is True while a sequence has not ended, or ``None`` if all run to ``T``.

    Args:
        lengths: ``(N,)`` whole numbers from 0 to ``T``, or ``None``.

    Raises:
        ValueError: ``lengths`` has another shape, is not whole, or leaves ``0 … T``.

    >>> alive_steps([2, 0], N=2, T=3).astype(int)
    array([[1, 1, 0],
           [0, 0, 0]])
    """
    if lengths is None:
        return None
    array = np.asarray(lengths)
    if array.shape != (N,):
        raise ValueError(f"lengths: got shape {array.shape}; expected ({N},), one length for each sequence")
    if array.dtype.kind not in "iu":
        raise ValueError(f"lengths: got dtype {array.dtype}; expected whole numbers")
    if N and (array.min() < 0 or array.max() > T):
        raise ValueError(f"lengths: got values from {array.min()} to {array.max()}; expected 0 to T = {T}")
    return np.arange(T) < array[:, None]


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless ``value`` is one of the allowed words."""
    if value not in allowed:
        raise ValueError(f"{name}: got {value!r}; expected one of {', '.join(map(repr, allowed))}")
