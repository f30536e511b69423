"""Faults of one token in the recurrent layer."""

from __future__ import annotations

from tests.reference.planting import Fault

FAULTS = [
    Fault(
        "recurrent_neurons",
        "x_t @ w_x + w_y * y_prev + b",
        "x_t @ w_x - w_y * y_prev + b",
        "a neuron's feedback has the wrong sign",
    ),
    Fault(
        "recurrent_neurons",
        "(x_t @ W_x + h_prev @ W_h + b)",
        "(x_t @ W_x + h_prev @ W_h.T + b)",
        "a step's recurrent matrix is transposed",
    ),
    Fault(
        "recurrent_neurons", "(x_t @ W_x + h_prev @ W_h + b)", "(x_t @ W_x + h_prev @ W_h)", "a step forgets the bias"
    ),
    Fault(
        "recurrent_neurons",
        "np.swapaxes(x, 0, 1) @ W_x + b",
        "np.swapaxes(x, 0, 1) @ W_x - b",
        "the bias has the wrong sign",
    ),
    Fault(
        "recurrent_neurons",
        "f(from_inputs[t] + states[t] @ W_h)",
        "f(from_inputs[t] + states[0] @ W_h)",
        "every step starts from the first state",
    ),
    Fault(
        "recurrent_neurons",
        "f(from_inputs[t] + states[t] @ W_h)",
        "f(from_inputs[t] + states[t] @ W_h.T)",
        "the recurrent matrix is transposed",
    ),
    Fault(
        "recurrent_neurons",
        "np.where(alive[:, t, None], h_t, states[t])",
        "h_t",
        "the state goes on after a sequence's end",
    ),
    Fault("recurrent_neurons", "h[~alive] = 0", "pass", "outputs after a sequence's end are not zero"),
    Fault("recurrent_neurons", "states[0] = 0 if h0 is None else h0", "states[0] = 0", "the initial state is ignored"),
]
