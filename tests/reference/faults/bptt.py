"""Faults of one token in backpropagation through time."""

from __future__ import annotations

from tests.reference.planting import Fault

FAULTS = [
    Fault("bptt", "lambda h: 1 - h * h", "lambda h: 1 + h * h", "the slope of tanh has the wrong sign"),
    Fault("bptt", "(h > 0)", "(h >= 0)", "relu lets gradients through at zero"),
    Fault(
        "bptt", "dh_prev=da @ W_h.T,", "dh_prev=da @ W_h,", "a step hands back through the matrix, not its transpose"
    ),
    Fault("bptt", "dW_h=h_prev.T @ da", "dW_h=h_t.T @ da", "a step's recurrent weights see the state after it"),
    Fault("bptt", "else dh_next + dh[:, t]", "else dh[:, t]", "what the later steps hand back is forgotten"),
    Fault("bptt", "dh_prev = da[t] @ W_h.T", "dh_prev = da[t] @ W_h", "the recurrent matrix is not transposed"),
    Fault(
        "bptt",
        "np.where(alive[:, t, None], dh_prev, dh_next)",
        "dh_prev",
        "the final state's gradient is lost in the padding",
    ),
    Fault("bptt", "slopes *= alive.T[..., None]", "pass", "padded steps take part"),
    Fault("bptt", "x = np.where(alive[..., None], x, 0)", "pass", "what stands in the padding reaches the weights"),
    Fault("bptt", "states[:-1].reshape", "states[1:].reshape", "the recurrent weights see each step's own state"),
    Fault("bptt", "dW_h += part.dW_h", "dW_h = part.dW_h", "only the last chunk's recurrent weights count"),
    Fault("bptt", "part.dh0 if start == 0 else 0 ", "part.dh0 ", "every chunk counts as the first"),
    Fault("bptt", "ends[:, None] <= steps.stop", "ends[:, None] < steps.stop", "a final state on a cut is forgotten"),
    Fault("bptt", "moved[index] = at - eps", "moved[index] = at", "a difference on one side, halved"),
]
