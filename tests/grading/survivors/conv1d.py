"""Mutants that are right all the same."""

WEIGHTS = "the exercise does not ask for initial values: the cases set every parameter"
BEHIND = "more zeros after the sequence, which no window sees and which dx leaves out"

SURVIVORS: dict[str, dict[str, str]] = {
    "conv1d_backward": {
        "zeros = max((-(-T // stride) - 1) * stride + span - T, 1)": BEHIND,
        "left, right = zeros // 2, zeros + zeros // 2": BEHIND,
        "left, right = zeros // 2, zeros - zeros // 3": BEHIND,
    },
    "Conv1D": {
        "bound = (in_channels / kernel_size) ** -0.5": WEIGHTS,
        "bound = (in_channels * kernel_size) ** +0.5": WEIGHTS,
        "bound = (in_channels * kernel_size) ** -(0.5 * 2)": WEIGHTS,
        "self.weight = nn.Parameter(weight.uniform_(+bound, bound))": WEIGHTS,
        "self.bias = nn.Parameter(torch.empty(out_channels).uniform_(+bound, bound))": WEIGHTS,
    },
}
