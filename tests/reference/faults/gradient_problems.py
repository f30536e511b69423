"""Faults of one token in Jacobians, clipping, initialisers and optimisers."""

from __future__ import annotations

from tests.reference.planting import Fault

FAULTS = [
    Fault("gradient_problems", "[..., :, None] * W_h.T", "[..., :, None] * W_h", "the Jacobian is of W_h transposed"),
    Fault(
        "gradient_problems",
        "[..., :, None] * W_h.T",
        "[..., None, :] * W_h.T",
        "the slope scales the columns instead of the rows",
    ),
    Fault(
        "gradient_problems",
        "step_jacobian(h[:, t], W_h, activation) @ product",
        "product @ step_jacobian(h[:, t], W_h, activation)",
        "the product runs the wrong way",
    ),
    Fault(
        "gradient_problems",
        "product = longer if alive is None else np.where(alive[:, t, None, None], longer, product)",
        "product = longer",
        "the product goes on after a sequence's end",
    ),
    Fault(
        "gradient_problems",
        "dh_t = dh[:, t] + dh_next",
        "dh_t = dh_next",
        "the gradient of an output is not added to that of the later steps",
    ),
    Fault("gradient_problems", "cache.states[t + 1]", "cache.states[t]", "the slope is taken one step too early"),
    Fault("gradient_problems", "np.abs(np.linalg.eigvals(W))", "np.linalg.eigvals(W).real", "signed eigenvalues"),
    Fault("gradient_problems", "math.sqrt(sum(squares))", "sum(squares)", "the norm without its root"),
    Fault("gradient_problems", "np.minimum(1.0, max_norm", "np.maximum(1.0, max_norm", "clipping scales up"),
    Fault("gradient_problems", "-value, value)", "0, value)", "clipping by value cuts all that is negative"),
    Fault("gradient_problems", "np.where(np.diagonal(R) < 0, -1.0, 1.0)", "1.0", "Q without the signs of R"),
    Fault("gradient_problems", "math.sqrt(6 / (rows", "math.sqrt(3 / (rows", "a normal's range for a uniform"),
    Fault("gradient_problems", "beta * v + g)", "beta * v + (1 - beta) * g)", "momentum as a running mean"),
    Fault("gradient_problems", "np.asarray(p - lr * g)", "np.asarray(p + lr * g)", "gradient ascent"),
    Fault("gradient_problems", "step += 1", "step = 1", "Adam takes every step for the first"),
    Fault(
        "gradient_problems",
        "(np.sqrt(v_scale * v) + eps)",
        "np.sqrt(v_scale * v + eps)",
        "Adam adds its epsilon under the root",
    ),
    Fault("gradient_problems", "(1 - beta2) * g * g", "(1 - beta2) * g", "Adam's squares are not squared"),
]
