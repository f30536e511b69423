"""Mutants that are right all the same."""

WEIGHTS = "the exercise does not ask for initial values: the cases set every parameter"

SURVIVORS: dict[str, dict[str, str]] = {
    "DeepRNN": {
        "bound = hidden_size**+0.5": WEIGHTS,
        "bound = hidden_size**-(0.5 * 2)": WEIGHTS,
        "start = torch.empty(shape).uniform_(+bound, bound)": WEIGHTS,
        "h0 = x.new_zeros(3 * self.num_layers, x.shape[0], self.hidden_size)": "only the first 2L states are read",
    },
}
