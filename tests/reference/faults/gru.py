"""Faults of one token in the GRU."""

from __future__ import annotations

from tests.reference.planting import Fault

FAULTS = [
    Fault(
        "gru", "h_t = (1 - z) * n + z * h_prev", "h_t = z * n + (1 - z) * h_prev", "a step keeps the old state at z = 0"
    ),
    Fault(
        "gru",
        "np.tanh(x_n + (r * h_prev) @ W_hn + b_hn)",
        "np.tanh(x_n + r * (h_prev @ W_hn) + b_hn)",
        "a step resets after the product where it should before",
    ),
    Fault(
        "gru",
        "db_h=np.concatenate([da_r, da_z, dq], axis=1).sum(axis=0)",
        "db_h=np.concatenate([da_r, da_z, da_n], axis=1).sum(axis=0)",
        "a step back gives both biases of the candidate one gradient",
    ),
    Fault("gru", "q[t] += b_h_n", "n[t] += b_h_n", "the recurrent bias of the candidate escapes the reset gate"),
    Fault(
        "gru",
        "np.matmul(r[t] * h[t], W_h_n, out=product)",
        "np.matmul(z[t] * h[t], W_h_n, out=product)",
        "the update gate resets in place of the reset gate",
    ),
    Fault(
        "gru",
        "np.subtract(1, z[t], out=product)",
        "np.subtract(1, r[t], out=product)",
        "the reset gate lets the candidate in",
    ),
    Fault(
        "gru",
        "np.copyto(h[t + 1], h[t], where=~alive[:, t, None])",
        "pass",
        "the state goes on after a sequence's end",
    ),
    Fault("gru", "da_z *= h_prev - n", "da_z *= n - h_prev", "the update gate's gradient has the wrong sign"),
    Fault("gru", "da_n[:] = candidate", "pass", "the inputs' side gets the gradient behind the reset gate"),
    Fault(
        "gru",
        "dh_prev += np.multiply(dh_next, z[t], out=kept)",
        "dh_prev = np.multiply(dh_next, z[t], out=kept)",
        "only the kept state hands a gradient back",
    ),
]
