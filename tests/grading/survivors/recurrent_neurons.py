"""Mutants that are right all the same."""

WEIGHTS = "the exercise does not ask for initial values: the cases set every parameter"

SURVIVORS: dict[str, dict[str, str]] = {
    "rnn_forward": {
        "h = np.ones((N, T, h0.shape[1]), dtype=x.dtype)": "the loop writes every step of every sequence",
    },
    "RNNLayer": {
        "bound = hidden_size**+0.5": WEIGHTS,
        "bound = hidden_size**-(0.5 * 2)": WEIGHTS,
        "self.weight_ih_l0 = nn.Parameter(torch.empty(hidden_size, input_size).uniform_(+bound, bound))": WEIGHTS,
        "self.weight_hh_l0 = nn.Parameter(torch.empty(hidden_size, hidden_size).uniform_(+bound, bound))": WEIGHTS,
        "self.bias_ih_l0 = nn.Parameter(torch.empty(hidden_size).uniform_(+bound, bound))": WEIGHTS,
        "self.bias_hh_l0 = nn.Parameter(torch.empty(hidden_size).uniform_(+bound, bound))": WEIGHTS,
        "state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[1]) if h0 is None else h0": "W_h is square",
    },
}
