"""Mutants that are right all the same."""

SURVIVORS: dict[str, dict[str, str]] = {
    "orthogonal_from": {
        "return gain * Q / np.sign(np.diag(R))": "to divide by a sign is to multiply by it",
    },
    "ClippedRNN": {
        "state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[1]) if h0 is None else h0": "the matrix is square",
    },
}
