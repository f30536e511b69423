"""Mutants that are right all the same."""

WEIGHTS = "the exercise does not ask for initial values: the cases set every parameter"

SURVIVORS: dict[str, dict[str, str]] = {
    "EncoderDecoder": {
        "bound = hidden_size**+0.5": WEIGHTS,
        "bound = hidden_size**-(0.5 * 2)": WEIGHTS,
        "return nn.Parameter(torch.empty(*shape).uniform_(+bound, bound))": WEIGHTS,
    },
}
