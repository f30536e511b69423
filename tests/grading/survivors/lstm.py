"""Mutants that are right all the same."""

WEIGHTS = "the exercise does not ask for initial values: the cases set every parameter"
IH, HH = "torch.empty(4 * hidden_size, input_size)", "torch.empty(4 * hidden_size, hidden_size)"

SURVIVORS: dict[str, dict[str, str]] = {
    "LSTMLayer": {
        "bound = hidden_size**+0.5": WEIGHTS,
        "bound = hidden_size**-(0.5 * 2)": WEIGHTS,
        f"self.weight_ih_l0 = nn.Parameter({IH}.uniform_(+bound, bound))": WEIGHTS,
        f"self.weight_hh_l0 = nn.Parameter({HH}.uniform_(+bound, bound))": WEIGHTS,
        "self.bias_ih_l0 = nn.Parameter(torch.empty(4 * hidden_size).uniform_(+bound, bound))": WEIGHTS,
        "self.bias_hh_l0 = nn.Parameter(torch.empty(4 * hidden_size).uniform_(+bound, bound))": WEIGHTS,
    },
}
