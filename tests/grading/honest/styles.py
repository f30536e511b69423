"""Forms that any right answer can take: the same function, wrapped as somebody might have written it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch


def each(change: Callable[[Any], Any], value: Any) -> Any:
    """Apply a change to every array of an answer, which may be one array or several."""
    if isinstance(value, (tuple, list)):
        return tuple(each(change, item) for item in value)
    return change(value) if isinstance(value, (np.ndarray, np.generic)) else value


def as_lists(function: Callable) -> Callable:
    return lambda *args: each(lambda array: array.tolist(), function(*args))


def as_tensors(function: Callable) -> Callable:
    return lambda *args: each(lambda array: torch.as_tensor(np.array(array)), function(*args))


def as_a_list_of_outputs(function: Callable) -> Callable:
    def listed(*args):
        value = function(*args)
        return list(value) if isinstance(value, tuple) else value

    return listed


def column_major(function: Callable) -> Callable:
    return lambda *args: each(lambda array: np.array(array, order="F"), function(*args))


def every_other_of_a_larger_one(function: Callable) -> Callable:
    """Answers that are views with strides of their own."""

    def strided(array):
        larger = np.zeros((*array.shape, 2), dtype=array.dtype)
        larger[..., 0] = array
        return larger[..., 0]

    return lambda *args: each(strided, function(*args))


def a_callable_object(function: Callable) -> Callable:
    class Answer:
        def __call__(self, *args):
            return function(*args)

    return Answer()


def a_partial(function: Callable) -> Callable:
    return functools.partial(lambda unused, *args: function(*args), None)


def decorated(function: Callable) -> Callable:
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        print("called with", len(args), "arguments")
        return function(*args, **kwargs)

    return wrapper


FUNCTION_STYLES = (
    as_lists,
    as_tensors,
    as_a_list_of_outputs,
    column_major,
    every_other_of_a_larger_one,
    a_callable_object,
    a_partial,
    decorated,
)


def a_subclass(cls: type) -> Callable:
    return type("Mine", (cls,), {})


def a_factory(cls: type) -> Callable:
    return lambda *args: cls(*args)


def with_notes_of_its_own(cls: type) -> Callable:
    class Noted(cls):  # type: ignore[misc, valid-type]
        def __init__(self, *args):
            super().__init__(*args)
            self.sizes = args
            self.register_buffer("steps_seen", torch.zeros(()), persistent=False)

    return Noted


MODULE_STYLES = (a_subclass, a_factory, with_notes_of_its_own)
