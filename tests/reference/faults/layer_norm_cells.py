"""Faults of one token in the recurrent layers with layer normalisation inside."""

from __future__ import annotations

from tests.reference.planting import Fault

FAULTS = [
    Fault(
        "layer_norm_cells",
        "scale * (da_hat - along_mean - a_hat * along_a_hat)",
        "scale * (da_hat - along_mean + a_hat * along_a_hat)",
        "the part along the row itself is added",
    ),
    Fault(
        "layer_norm_cells",
        "scale * (da_hat - along_mean - a_hat * along_a_hat)",
        "scale * (da_hat - a_hat * along_a_hat)",
        "the norm's gradient forgets the mean",
    ),
    Fault(
        "layer_norm_cells",
        "standardise(from_inputs[t] + states[t] @ W_h, eps)",
        "standardise(states[t] @ W_h, eps)",
        "the norm of the sum leaves the inputs out",
    ),
    Fault(
        "layer_norm_cells",
        "h_t = f(a_hat[t] * gamma + beta)",
        "h_t = f(a_hat[t] + beta) * gamma",
        "the gain acts after the activation",
    ),
    Fault(
        "layer_norm_cells",
        "dgamma=(dnorm * a_hat)",
        "dgamma=(da * a_hat)",
        "the gain's gradient is taken behind the norm",
    ),
    Fault(
        "layer_norm_cells",
        "        dh_prev = da[t] @ W_h.T\n",
        "        dh_prev = da[t] @ W_h\n",
        "the plain layer goes back through a transposed matrix",
    ),
    Fault("layer_norm_cells", "np.where(alive.T[..., None], x, 0)", "x", "what stands in the padding is not masked"),
    Fault(
        "layer_norm_cells",
        "c_states[t + 1] = c_t if",
        "c_states[t + 1] = c_hat[t] if",
        "the cell carries its normalised state",
    ),
    Fault(
        "layer_norm_cells",
        "c_t = f * c_states[t] + i * g",
        "c_t = i * c_states[t] + f * g",
        "input and forget gate swapped",
    ),
    Fault(
        "layer_norm_cells",
        "(beta_x + beta_h + b)",
        "(beta_x + beta_h)",
        "the LSTM forgets its bias",
    ),
    Fault(
        "layer_norm_cells",
        "dc_t = dc_t + standardise_backward(",
        "dc_t = standardise_backward(",
        "what later steps hand back to the cell is dropped",
    ),
    Fault(
        "layer_norm_cells",
        "((dh_prev, dh_next), (dc_prev, dc_next))",
        "((dh_prev, dh_next), (dc_prev, dc_prev))",
        "the cell's gradient does not pass over a step that did not happen",
    ),
    Fault(
        "layer_norm_cells",
        "dgamma_x=(da * x_hat)",
        "dgamma_x=(da * h_hat)",
        "the LSTM's gain of the inputs gets the state's gradient",
    ),
    Fault(
        "layer_norm_cells",
        "h_t = (1 - z) * n + z * states[t]",
        "h_t = z * n + (1 - z) * states[t]",
        "z = 1 forgets the old state",
    ),
    Fault(
        "layer_norm_cells",
        "shown[t] = from_state[:, 2 * H :]",
        "shown[t] = h_hat[t, :, 2 * H :]",
        "the reset gate acts before the gain and the offset",
    ),
    Fault(
        "layer_norm_cells",
        "da_h[t, :, 2 * H :] = dn * r",
        "da_h[t, :, 2 * H :] = dn",
        "the gradient of the state's share goes around the reset gate",
    ),
    Fault(
        "layer_norm_cells",
        "dh_prev = dh_t * z + dfrom_h[t] @ W_h.T",
        "dh_prev = dfrom_h[t] @ W_h.T",
        "the GRU's gradient forgets the straight way",
    ),
    Fault(
        "layer_norm_cells",
        "standardise(a[..., : 2 * H], eps), standardise(a[..., 2 * H :], eps)",
        "standardise(a[..., : 2 * H], eps), (a[..., 2 * H :], 1 + 0 * a[..., :1])",
        "the candidate of the GRU is not normalised",
    ),
]
