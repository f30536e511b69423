"""Mutants that are right all the same."""

SURVIVORS: dict[str, dict[str, str]] = {
    "numerical_gradients": {
        "gradients = [np.ones_like(weight) for weight in weights]": "the loop writes every entry of every gradient",
    },
    "rnn_backward": {
        "dx, dW_x, dW_h, db = np.ones_like(x), np.zeros_like(W_x), np.zeros_like(W_h), np.zeros_like(b)": (
            "the loop writes dx at every step of every sequence"
        ),
    },
}
