"""Faults of one token in the LSTM."""

from __future__ import annotations

from tests.reference.planting import Fault

FAULTS = [
    Fault(
        "lstm",
        "a_i, a_f, a_g, a_o = np.split",
        "a_i, a_f, a_o, a_g = np.split",
        "a step takes the candidate's block for the output gate's",
    ),
    Fault(
        "lstm",
        "dc_prev=dc * f + p_i * da_i + p_f * da_f",
        "dc_prev=dc * f + p_i * da_i - p_f * da_f",
        "the forget gate's peephole hands back the wrong sign",
    ),
    Fault(
        "lstm",
        "np.array([0.5, 0.5, 1, 0.5], x.dtype)",
        "np.array([0.5, 1, 0.5, 0.5], x.dtype)",
        "the forget gate's argument is not halved, the candidate's is",
    ),
    Fault(
        "lstm",
        "o[t] += p_o * c[t + 1]",
        "o[t] += p_o * c[t]",
        "the output gate's peephole looks at the old cell state",
    ),
    Fault(
        "lstm",
        "np.copyto(c[t + 1], c[t], where=~alive[:, t, None])",
        "pass",
        "the cell state goes on after a sequence's end",
    ),
    Fault(
        "lstm",
        "((da_i, g), (da_f, c[:-1]), (da_g, i), (da_o, tanh_c))",
        "((da_i, g), (da_f, c[1:]), (da_g, i), (da_o, tanh_c))",
        "the forget gate's gradient uses the new cell state",
    ),
    Fault(
        "lstm",
        "dc_next += np.multiply(dh_next, dc_by_dh[t], out=through_h)",
        "dc_next = np.multiply(dh_next, dc_by_dh[t], out=through_h)",
        "what later steps hand back to the cell state is overwritten",
    ),
    Fault("lstm", "da[~alive.T] = 0", "pass", "steps after a sequence's end have gradients"),
    Fault(
        "lstm",
        "x = np.where(alive[..., None], x, 0)",
        "pass",
        "what stands in the padding reaches the weights' gradient",
    ),
    Fault(
        "lstm",
        "np.multiply(dc_next, f[t], out=dc_next, where=going)",
        "np.multiply(dc_next, f[t], out=dc_next)",
        "the cell state's gradient decays in the padding",
    ),
]
