"""Faults of one token in the convolution and max pooling over time."""

from __future__ import annotations

from tests.reference.planting import Fault

FAULTS = [
    Fault(
        "conv1d",
        "left, right = extent - 1, 0",
        "left, right = 0, extent - 1",
        "causal padding stands on the right, so that outputs see the future",
    ),
    Fault(
        "conv1d",
        "left, right = both // 2, both - both // 2",
        "left, right = both - both // 2, both // 2",
        "the odd step of same padding stands on the left",
    ),
    Fault(
        "conv1d",
        "both = max((-(-T // stride) - 1) * stride + extent - T, 0)",
        "both = extent - 1",
        "same padding does not know of the stride",
    ),
    Fault("conv1d", "offsets = [k * self.dilation", "offsets = [k * self.stride", "stride and dilation are swapped"),
    Fault("conv1d", "for tap in frame.taps], axis=2", "for tap in frame.taps[::-1]], axis=2", "the kernel is flipped"),
    Fault(
        "conv1d",
        "dpadded[:, tap] += dwindows[:, :, k]",
        "dpadded[:, tap] = dwindows[:, :, k]",
        "of overlapping windows a step keeps the last gradient only",
    ),
    Fault(
        "conv1d",
        "dpadded[:, tap] += np.where(winner == k, dy, 0)",
        "dpadded[:, tap] = np.where(winner == k, dy, 0)",
        "a step that wins two windows is paid for one",
    ),
    Fault("conv1d", "(padded[:, tap] > y)", "(padded[:, tap] >= y)", "at a tie the last one wins"),
    Fault("conv1d", "_pad(x, frame, -np.inf)", "_pad(x, frame, 0)", "pooling pads with zeros"),
    Fault(
        "conv1d",
        "seen += dilation * (K - 1) * jump",
        "seen += dilation * (K - 1)",
        "the receptive field does not know of earlier strides",
    ),
]
