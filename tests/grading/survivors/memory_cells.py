"""Mutants that are right all the same."""

WEIGHTS = "the exercise does not ask for initial values: the cases set every parameter"

SURVIVORS: dict[str, dict[str, str]] = {
    "leaky_forward": {
        "state, y = s0, np.ones_like(x)": "the loop writes every step of every sequence",
    },
    "LeakyLayer": {
        "bound = hidden_size**+0.5": WEIGHTS,
        "bound = hidden_size**-(0.5 * 2)": WEIGHTS,
        "self.weight_ih = nn.Parameter(torch.empty(hidden_size, input_size).uniform_(+bound, bound))": WEIGHTS,
        "self.weight_hh = nn.Parameter(torch.empty(hidden_size, hidden_size).uniform_(+bound, bound))": WEIGHTS,
        "self.weight_out = nn.Parameter(torch.empty(output_size, hidden_size).uniform_(+bound, bound))": WEIGHTS,
        "self.bias = nn.Parameter(torch.ones(hidden_size))": WEIGHTS,
        "self.leak = nn.Parameter(torch.ones(hidden_size))": WEIGHTS,
    },
}
