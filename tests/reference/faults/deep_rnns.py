"""Faults of one token in stacks, directions and dropout."""

from __future__ import annotations

from tests.reference.planting import Fault

FAULTS = [
    Fault("deep_rnns", ">= p\n", ">= 1 - p\n", "what should be dropped is kept"),
    Fault("deep_rnns", "x.dtype.type(1 - p if p < 1 else 1)", "x.dtype.type(1)", "the numbers kept are not scaled"),
    Fault("deep_rnns", "1 if variational else T", "T", "variational dropout draws a mask at every step"),
    Fault("deep_rnns", "return DropoutGradients(dy * mask)", "return DropoutGradients(dy)", "dropout does not go back"),
    Fault(
        "deep_rnns",
        "        if level > 0:\n            h, d",
        "        if level >= 0:\n            h, d",
        "the inputs are dropped too",
    ),
    Fault(
        "deep_rnns",
        "dh = gradients[level].dx",
        "dh = dh",
        "the layer below gets the upstream gradient of the one above",
    ),
    Fault(
        "deep_rnns",
        "dropout_backward(dh, cache.dropouts[level - 1])",
        "dropout_backward(dh, cache.dropouts[0])",
        "every level goes back through the first mask",
    ),
    Fault(
        "deep_rnns", "np.where(alive, ends - 1 - t, t)", "np.where(alive, ends - t, t)", "reversed steps are off by one"
    ),
    Fault(
        "deep_rnns",
        "np.where(alive, ends - 1 - t, t)",
        "np.broadcast_to(size['T'] - 1 - t, alive.shape)",
        "padding is reversed to the front",
    ),
    Fault(
        "deep_rnns",
        "[h_ahead, reverse_steps(h_reverse, lengths)]",
        "[h_ahead, h_reverse]",
        "the reverse outputs stay reversed",
    ),
    Fault(
        "deep_rnns",
        "reverse_steps(x, lengths), reverse, lengths)",
        "reverse_steps(x), reverse, lengths)",
        "the reverse direction starts in the padding",
    ),
    Fault(
        "deep_rnns",
        "reverse_steps(dh[..., width:], lengths)",
        "dh[..., width:]",
        "the reverse upstream gradient is not reversed",
    ),
    Fault(
        "deep_rnns",
        "dahead.dx + reverse_steps(dreverse.dx, lengths)",
        "dahead.dx + dreverse.dx",
        "the reverse gradient of the inputs stays reversed",
    ),
    Fault(
        "deep_rnns",
        "backward, dh_reverse, dlast_reverse,",
        "backward, dh_reverse, dlast_ahead,",
        "a final state's gradient enters the wrong direction",
    ),
]
