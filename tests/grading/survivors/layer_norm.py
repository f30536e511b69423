"""Mutants that are right all the same."""

WEIGHTS = "the cases set every parameter, whatever it begins with, and the notebook says so"
ROWS = "the last of two axes is axis 1"

SURVIVORS: dict[str, dict[str, str]] = {
    "ln_rnn_forward": {
        "state, h = h0, np.ones((N, T, len(gamma)), dtype=x.dtype)": "the loop writes every step of every sequence",
    },
    "LayerNormRNN": {
        "bound = hidden_size**+0.5": WEIGHTS,
        "bound = hidden_size**-(0.5 * 2)": WEIGHTS,
        "self.weight_ih_l0 = nn.Parameter(torch.empty(hidden_size, input_size).uniform_(+bound, bound))": WEIGHTS,
        "self.weight_hh_l0 = nn.Parameter(torch.empty(hidden_size, hidden_size).uniform_(+bound, bound))": WEIGHTS,
        "self.gamma_l0 = nn.Parameter(torch.zeros(hidden_size))": WEIGHTS,
        "self.beta_l0 = nn.Parameter(torch.ones(hidden_size))": WEIGHTS,
        "a = a - a.mean(dim=+1, keepdim=True)": ROWS,
        "a = a / torch.sqrt((a * a).mean(dim=+1, keepdim=True) + self.eps)": ROWS,
    },
}
