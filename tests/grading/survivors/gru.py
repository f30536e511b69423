"""Mutants that are right all the same."""

WEIGHTS = "the exercise does not ask for initial values: the cases set every parameter"

SURVIVORS: dict[str, dict[str, str]] = {
    "GRULayer": {
        "bound = hidden_size**+0.5": WEIGHTS,
        "bound = hidden_size**-(0.5 * 2)": WEIGHTS,
        "self.weight_ih_l0 = nn.Parameter(torch.empty(3 * hidden_size, input_size).uniform_(+bound, bound))": WEIGHTS,
        "self.weight_hh_l0 = nn.Parameter(torch.empty(3 * hidden_size, hidden_size).uniform_(+bound, bound))": WEIGHTS,
        "self.bias_ih_l0 = nn.Parameter(torch.empty(3 * hidden_size).uniform_(+bound, bound))": WEIGHTS,
        "self.bias_hh_l0 = nn.Parameter(torch.empty(3 * hidden_size).uniform_(+bound, bound))": WEIGHTS,
    },
}
