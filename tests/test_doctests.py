"""The examples in the docstrings run, and every public function of the reference has one."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import autograde.kit
import solutions.experiments
import solutions.with_numpy
import solutions.with_torch

PACKAGES = (solutions.with_numpy, solutions.with_torch, solutions.experiments, autograde.kit)
MODULES = ["solutions.conventions", "autograde.grading.rebuild"]
MODULES += [
    f"{p.__name__}.{m.name}" for p in PACKAGES for m in pkgutil.iter_modules(p.__path__) if m.name != "__main__"
]
REFERENCE = [name for name in MODULES if ".with_numpy." in name]


def public_functions(module: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    found = doctest.testmod(module)
    assert found.failed == 0


@pytest.mark.parametrize("name", REFERENCE)
def test_the_reference_says_what_it_computes_and_where_it_comes_from(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    for function in public_functions(module):
        assert inspect.getdoc(getattr(module, function)), f"{name}.{function} has no docstring"


def test_the_functions_that_the_design_names_are_there_with_an_example() -> None:
    for module, functions in BINDING.items():
        found = importlib.import_module(f"solutions.with_numpy.{module}")
        for function in functions.split():
            words = inspect.getdoc(getattr(found, function)) or ""
            assert ">>>" in words, f"{module}.{function} has no example"
            assert "Source:" in words or "Source" in (found.__doc__ or ""), f"{module}.{function} names no source"


BINDING = {
    "recurrent_neurons": "neuron_step rnn_step rnn_forward",
    "memory_cells": "run_cell impulse_response memory_length",
    "rnn_types": "sequence_to_sequence sequence_to_vector vector_to_sequence",
    "bptt": "rnn_step_backward rnn_backward truncated_bptt numerical_gradient gradient_error",
    "deep_rnns": "stack_forward stack_backward bidirectional_forward bidirectional_backward "
    "dropout_forward dropout_backward",
    "gradient_problems": "step_jacobian jacobian_product gradient_norms spectral_radius clip_by_norm clip_by_value "
    "orthogonal glorot identity_init sgd momentum adam",
    "layer_norm": "layer_norm_forward layer_norm_backward ln_rnn_forward ln_rnn_backward ln_lstm_forward "
    "ln_lstm_backward ln_gru_forward ln_gru_backward batch_norm_forward batch_norm_backward",
    "lstm": "lstm_step lstm_forward lstm_step_backward lstm_backward",
    "gru": "gru_step gru_forward gru_backward",
    "conv1d": "conv1d_forward conv1d_backward max_pool1d_forward max_pool1d_backward output_length receptive_field",
}
