"""Faults of one token in the types of recurrent network, their decoders and their losses."""

from __future__ import annotations

from tests.reference.planting import Fault

FAULTS = [
    Fault(
        "rnn_types",
        "y if cache.alive is None else where_rows(cache.alive, y, np.zeros((), y.dtype))",
        "y",
        "the readout's bias appears after a sequence's end",
    ),
    Fault(
        "rnn_types",
        "    _, h_last, _ = rnn_forward(x, h0, W_x, W_h, b, activation, lengths)\n    return linear(h_last, W_y, b_y)",
        "    h, _, _ = rnn_forward(x, h0, W_x, W_h, b, activation, lengths)\n    return linear(h[:, -1], W_y, b_y)",
        "the vector is read at the last padded step",
    ),
    Fault(
        "rnn_types",
        "np.concatenate([first, targets], axis=1)[:, : targets.shape[1]]",
        "np.concatenate([targets, first], axis=1)[:, : targets.shape[1]]",
        "the decoder is fed the token that it must guess",
    ),
    Fault(
        "rnn_types",
        "token = np.where(alive, log_p.argmax(axis=1), end)",
        "token = log_p.argmax(axis=1)",
        "greedy decoding writes on after the end",
    ),
    Fault("rnn_types", "        lengths += alive\n", "        lengths += 1\n", "tokens after the end are counted"),
    Fault(
        "rnn_types",
        "done[..., None], after_end, log_p.reshape(N, width, V)",
        "False, after_end, log_p.reshape(N, width, V)",
        "a finished beginning goes on in the beam",
    ),
    Fault(
        "rnn_types",
        "(np.arange(N)[:, None] * width + parent).reshape(-1)",
        "(np.arange(N)[:, None] * width + np.arange(width)).reshape(-1)",
        "a beginning goes on with another one's state",
    ),
    Fault(
        "rnn_types",
        "tokens = np.take_along_axis(tokens, parent[..., None], axis=1)",
        "pass",
        "a beginning goes on with another one's tokens",
    ),
    Fault("rnn_types", "lengths[..., None] ** length_power", "lengths[..., None]", "every rank is a mean"),
    Fault(
        "rnn_types",
        "np.where(np.arange(width) == 0, 0, -np.inf)",
        "np.zeros(width)",
        "the beam starts with the same beginning many times",
    ),
    Fault(
        "rnn_types",
        "lowered = logits - logits.max(axis=-1, keepdims=True)",
        "lowered = logits - logits.max()",
        "one maximum is taken for all rows",
    ),
    Fault("rnn_types", "2 * error / count", "error / count", "the factor 2 of the square's derivative is missing"),
    Fault(
        "rnn_types",
        'steps = size["N"] * size["T"] if alive is None else int(alive.sum())',
        'steps = size["N"] * size["T"]',
        "padded steps count in the mean",
    ),
    Fault(
        "rnn_types",
        "d_real[np.arange(len(n)), real] -= 1",
        "d_real[np.arange(len(n)), real] = 1",
        "softmax − 1 is set to 1",
    ),
    Fault(
        "rnn_types",
        "dlogits[n, t] = d_real / count",
        "dlogits[n, t] = d_real",
        "the gradient is not divided by the steps",
    ),
]
