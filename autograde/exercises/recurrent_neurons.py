"""The exercises of the assignment on recurrent neurons: from one neuron to a layer that trains on any device."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from autograde.exercises.data import seattle_weather
from autograde.exercises.definition import Assignment, Case, Exercise, Group, Misconception
from solutions.with_numpy import recurrent_neurons as reference
from solutions.with_torch.recurrent_neurons import RNN

PAGE = "recurrent_neurons.html"
WRONG = f"{PAGE}#what-goes-wrong"


# --- neuron_step ------------------------------------------------------------------------------------------------------


LINEAR = 0.2  # a smaller sum is nearly its own tanh: who forgot the tanh would now and then be right


def neuron_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, D: int, y_prev: float | None = None, bias: float | None = None) -> Case:
        y = rng.uniform(0.4, 0.9) * rng.choice([-1, 1]) if y_prev is None else y_prev
        b = rng.uniform(0.3, 0.8) * rng.choice([-1, 1]) if bias is None else bias
        w_y = rng.uniform(0.5, 1.2) * rng.choice([-1, 1])
        x, w_x = rng.normal(size=D), rng.normal(size=D) / 2
        while abs(x @ w_x + w_y * y + b) < LINEAR:
            x, w_x = rng.normal(size=D), rng.normal(size=D) / 2
        return Case(group, words, {"args": [x, float(y), w_x, float(w_y), float(b)]})

    return [
        case("input", "a first step, with no output before it and no bias", D=3, y_prev=0.0, bias=0.0),
        case("input", "a first step, with no output before it", D=3, y_prev=0.0),
        case("feedback", "a later step without a bias", D=3, bias=0.0),
        case("feedback", "a later step", D=3),
        case("sizes", "a neuron with one input", D=1),
        case("sizes", "a neuron with seven inputs", D=7),
    ]


def neuron_without_feedback(x_t, y_prev, w_x, w_y, b):
    return np.tanh(x_t @ w_x + b)


def neuron_without_bias(x_t, y_prev, w_x, w_y, b):
    return np.tanh(x_t @ w_x + w_y * y_prev)


def neuron_without_activation(x_t, y_prev, w_x, w_y, b):
    return x_t @ w_x + w_y * y_prev + b


def neuron_squashing_the_input_alone(x_t, y_prev, w_x, w_y, b):
    return np.tanh(x_t @ w_x + b) + w_y * y_prev


def neuron_with_unweighted_feedback(x_t, y_prev, w_x, w_y, b):
    return np.tanh(x_t @ w_x + y_prev + b)


def neuron_with_the_bias_outside(x_t, y_prev, w_x, w_y, b):
    return np.tanh(x_t @ w_x + w_y * y_prev) + b


def neuron_of_another_activation(x_t, y_prev, w_x, w_y, b):
    return 1 / (1 + np.exp(-(x_t @ w_x + w_y * y_prev + b)))


NEURON_STEP = Exercise(
    name="neuron_step",
    kind="function",
    signature="neuron_step(x_t, y_prev, w_x, w_y, b)",
    outputs=("y_t",),
    reference=reference.neuron_step,
    cases=neuron_cases,
    groups=(
        Group("input", "the first step, before there is any output", 1.0),
        Group("feedback", "a later step, which sees the neuron's own last output", 1.5),
        Group("sizes", "any number of inputs", 0.5),
    ),
    tolerance=1e-5,  # no case is of float32, and a number rounded to four digits is not the neuron's
    misconceptions=(
        Misconception(
            "no-feedback",
            "the neuron does not hear itself",
            "Change y_prev and nothing happens. Which of the arguments does your sum not use?",
            f"{PAGE}#one-neuron-that-hears-itself",
            neuron_without_feedback,
        ),
        Misconception(
            "no-bias",
            "the bias is missing",
            "What should the neuron give when every input and its last output are 0?",
            WRONG,
            neuron_without_bias,
        ),
        Misconception(
            "no-activation",
            "the sum is returned as it is",
            "Can the output of your neuron leave the interval from -1 to 1? Which function keeps it inside?",
            WRONG,
            neuron_without_activation,
        ),
        Misconception(
            "activation-too-early",
            "a part of the sum stays outside the activation",
            "Look at the equation once more: what exactly stands between the brackets of tanh?",
            WRONG,
            neuron_squashing_the_input_alone,
        ),
        Misconception(
            "unweighted-feedback",
            "the last output comes in without a weight",
            "How would the neuron learn how much its own past should count?",
            WRONG,
            neuron_with_unweighted_feedback,
        ),
        Misconception(
            "bias-outside",
            "the bias is added outside the activation",
            "With all inputs 0 and a bias of 3, what does your neuron give, and how large can tanh become?",
            WRONG,
            neuron_with_the_bias_outside,
        ),
        Misconception(
            "logistic",
            "the activation is the logistic function",
            "Can your output be negative? Which function does the equation name?",
            f"{PAGE}#one-neuron-that-hears-itself",
            neuron_of_another_activation,
        ),
    ),
)


# --- rnn_step ---------------------------------------------------------------------------------------------------------


def layer_weights(rng: np.random.Generator, D: int, H: int, scale: float = 1.0) -> list[np.ndarray]:
    """``W_x, W_h, b`` with no symmetry that could hide a mistake; the bias keeps away from 0."""
    b = rng.uniform(0.3, 0.7, size=H) * rng.choice([-1, 1], size=H)
    return [scale * rng.normal(size=(D, H)) / D**0.5, scale * 0.9 * rng.normal(size=(H, H)) / H**0.5, b]


def step_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, D=4, H=5, x=1.0, h=1.0, bias=1.0, dtype=np.float64) -> Case:
        W_x, W_h, b = layer_weights(rng, D, H)
        args = [x * rng.normal(size=(N, D)), h * rng.uniform(-0.9, 0.9, size=(N, H)), W_x, W_h, bias * b]
        return Case(group, words, {"args": [value.astype(dtype) for value in args]})

    return [
        case("inputs", "a first step: the previous state is 0", h=0.0),
        case("inputs", "a first step without a bias", h=0.0, bias=0.0),
        case("recurrence", "a step with inputs that are all 0", x=0.0),
        case("recurrence", "a step with inputs that are all 0 and no bias", x=0.0, bias=0.0),
        case("whole", "a whole step on a batch of three"),
        case("whole", "a whole step on a batch of six, with more inputs than neurons", N=6, D=7, H=3),
        case("sizes", "a batch of one sequence", N=1),
        case("sizes", "as many inputs as neurons", D=4, H=4),
        case("sizes", "one input and two neurons", D=1, H=2),
        case("sizes", "arrays of float32", dtype=np.float32),
    ]


def step_without_recurrence(x_t, h_prev, W_x, W_h, b):
    return np.tanh(x_t @ W_x + b)


def step_without_bias(x_t, h_prev, W_x, W_h, b):
    return np.tanh(x_t @ W_x + h_prev @ W_h)


def step_with_transposed_recurrence(x_t, h_prev, W_x, W_h, b):
    return np.tanh(x_t @ W_x + h_prev @ W_h.T + b)


def step_without_activation(x_t, h_prev, W_x, W_h, b):
    return x_t @ W_x + h_prev @ W_h + b


def step_squashing_the_inputs_alone(x_t, h_prev, W_x, W_h, b):
    return np.tanh(x_t @ W_x + b) + h_prev @ W_h


def step_added_to_the_old_state(x_t, h_prev, W_x, W_h, b):
    return h_prev + np.tanh(x_t @ W_x + h_prev @ W_h + b)


def step_squashing_the_inputs_without_bias(x_t, h_prev, W_x, W_h, b):
    return np.tanh(x_t @ W_x) + h_prev @ W_h + b


def step_with_the_bias_outside(x_t, h_prev, W_x, W_h, b):
    return np.tanh(x_t @ W_x + h_prev @ W_h) + b


def step_of_another_activation(x_t, h_prev, W_x, W_h, b):
    return 1 / (1 + np.exp(-(x_t @ W_x + h_prev @ W_h + b)))


def step_of_neurons_that_hear_themselves_alone(x_t, h_prev, W_x, W_h, b):
    return np.tanh(x_t @ W_x + h_prev * np.diag(W_h) + b)


RNN_STEP = Exercise(
    name="rnn_step",
    kind="function",
    signature="rnn_step(x_t, h_prev, W_x, W_h, b)",
    outputs=("h_t",),
    reference=lambda *args: reference.rnn_step(*args)[0],
    cases=step_cases,
    groups=(
        Group("inputs", "what the inputs add", 1.0),
        Group("recurrence", "what the previous state adds", 1.5),
        Group("whole", "both together", 2.0),
        Group("sizes", "any batch and any sizes", 1.0),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "no-recurrence",
            "the previous state plays no part",
            "This is the layer of a network without memory. Where does h_prev come in?",
            f"{PAGE}#a-layer-and-a-batch",
            step_without_recurrence,
        ),
        Misconception(
            "no-bias",
            "the bias is missing",
            "What should a neuron give when its inputs and the previous state are all 0?",
            WRONG,
            step_without_bias,
        ),
        Misconception(
            "transposed-recurrence",
            "W_h is turned round",
            "W_h is square, so NumPy cannot warn you. In h_prev @ W_h, which axis of W_h belongs to the old neurons?",
            WRONG,
            step_with_transposed_recurrence,
        ),
        Misconception(
            "no-activation",
            "the sum is returned as it is",
            "Can the state leave the interval from -1 to 1? Which function keeps it inside?",
            WRONG,
            step_without_activation,
        ),
        Misconception(
            "activation-too-early",
            "a part of the sum stays outside the activation",
            "Look at the equation once more: what exactly stands between the brackets of tanh?",
            WRONG,
            step_squashing_the_inputs_alone,
        ),
        Misconception(
            "old-state-added",
            "the old state is added to the new one",
            "Does the equation keep h_prev itself, or only what W_h makes of it?",
            WRONG,
            step_added_to_the_old_state,
        ),
        Misconception(
            "only-inputs-squashed",
            "only the inputs stand inside the activation",
            "Can an entry of your state exceed 1? Where do the brackets of tanh close?",
            WRONG,
            step_squashing_the_inputs_without_bias,
        ),
        Misconception(
            "bias-outside",
            "the bias is added outside the activation",
            "With inputs and previous state all 0 and a bias of 3, what does your layer give, and how large can tanh "
            "become?",
            WRONG,
            step_with_the_bias_outside,
        ),
        Misconception(
            "logistic",
            "the activation is the logistic function",
            "Can an entry of your state be negative? Which function does the equation name?",
            f"{PAGE}#a-layer-and-a-batch",
            step_of_another_activation,
        ),
        Misconception(
            "own-feedback-only",
            "each neuron hears only itself",
            "In a layer, how many of the previous outputs does a neuron hear? Which entries of W_h does your step "
            "never use?",
            f"{PAGE}#a-layer-and-a-batch",
            step_of_neurons_that_hear_themselves_alone,
        ),
    ),
)


# --- rnn_forward ------------------------------------------------------------------------------------------------------


def forward_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, T=5, D=2, H=4, first=0.0, lengths=None, dtype=np.float64) -> Case:
        W_x, W_h, b = layer_weights(rng, D, H)
        args = [rng.normal(size=(N, T, D)), first * rng.uniform(0.3, 0.9, size=(N, H)), W_x, W_h, b]
        args = [value.astype(dtype) for value in args]
        return Case(group, words, {"args": args if lengths is None else [*args, np.array(lengths)]})

    return [
        case("steps", "a batch of three sequences of five steps"),
        case("steps", "a batch of two sequences of nine steps", N=2, T=9, D=3, H=3),
        case("initial", "sequences that begin in a state other than 0", first=1.0),
        case("sizes", "sequences of one step", T=1, first=1.0),
        case("sizes", "one sequence and one neuron", N=1, D=1, H=1),
        case("sizes", "arrays of float32", dtype=np.float32),
        case("lengths", "sequences of 5, 2 and 3 steps", lengths=[5, 2, 3], first=1.0),
        case("lengths", "sequences of 0, 6, 1 and 4 steps", N=4, T=6, lengths=[0, 6, 1, 4], first=1.0),
    ]


def forward_ignoring_the_initial_state(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = np.zeros_like(h0), np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return h, state


def forward_starting_afresh_at_each_step(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + h0 @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return h, state


def forward_with_transposed_recurrence(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h.T + b), state)
        h[:, t] = np.where(running, state, 0)
    return h, state


def forward_ignoring_lengths(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        state = np.tanh(x[:, t] @ W_x + state @ W_h + b)
        h[:, t] = state
    return h, state


def forward_whose_state_runs_on(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        state = np.tanh(x[:, t] @ W_x + state @ W_h + b)
        h[:, t] = np.where((t < steps)[:, None], state, 0)
    return h, state


def forward_repeating_the_last_output(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        state = np.where((t < steps)[:, None], np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = state
    return h, state


def forward_returning_the_last_column(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return h, h[:, -1]


def forward_one_step_too_long(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t <= steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return h, state


def forward_of_the_states_before(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        h[:, t] = np.where(running, state, 0)
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
    return h, state


def forward_with_the_filling_set_to_zero(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        state = np.tanh(np.where((t < steps)[:, None], x[:, t], 0) @ W_x + state @ W_h + b)
        h[:, t] = state
    return h, state


def forward_up_to_the_shortest(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(min(steps)):
        state = np.tanh(x[:, t] @ W_x + state @ W_h + b)
        h[:, t] = state
    return h, state


def forward_with_a_last_state_of_zeros(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return h, h[np.arange(N), steps - 1]


def forward_that_wraps_at_length_zero(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        state = np.tanh(x[:, t] @ W_x + state @ W_h + b)
        h[:, t] = state
    last = h[np.arange(N), steps - 1]
    return np.where((np.arange(T) < steps[:, None])[..., None], h, 0), last


def forward_with_the_results_swapped(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return state, h


def forward_with_steps_in_front(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return h.swapaxes(0, 1), state


LENGTHS = f"{PAGE}#sequences-of-different-lengths"

RNN_FORWARD = Exercise(
    name="rnn_forward",
    kind="function",
    signature="rnn_forward(x, h0, W_x, W_h, b, lengths=None)",
    outputs=("h", "h_last"),
    reference=lambda x, h0, W_x, W_h, b, lengths=None: reference.rnn_forward(x, h0, W_x, W_h, b, lengths=lengths)[:2],
    cases=forward_cases,
    groups=(
        Group("steps", "every step of a batch", 2.0),
        Group("initial", "the state before the first step", 1.0),
        Group("sizes", "one step, one sequence, one neuron, float32", 1.0),
        Group("lengths", "sequences that end early", 3.0),
        Group("unchanged", "leaves its arguments as they are", 1.0, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "initial-state-ignored",
            "h0 is not used",
            "Which state does your loop see at its first step?",
            WRONG,
            forward_ignoring_the_initial_state,
        ),
        Misconception(
            "starts-afresh",
            "every step starts from h0 again",
            "After the first step, which state should the second one see? Which name in your loop never changes?",
            f"{PAGE}#unrolling",
            forward_starting_afresh_at_each_step,
        ),
        Misconception(
            "transposed-recurrence",
            "W_h is turned round",
            "W_h is square, so NumPy cannot warn you. Which of its axes belongs to the old neurons?",
            WRONG,
            forward_with_transposed_recurrence,
        ),
        Misconception(
            "lengths-ignored",
            "lengths changes nothing",
            "What should the outputs be after a sequence has ended, and what becomes of its state?",
            LENGTHS,
            forward_ignoring_lengths,
        ),
        Misconception(
            "state-runs-on",
            "the state of a sequence goes on after its end",
            "The outputs after the end are right. Which h_last do you hand back for a sequence of two steps?",
            LENGTHS,
            forward_whose_state_runs_on,
        ),
        Misconception(
            "outputs-not-zero",
            "outputs after a sequence's end are not zero",
            "The state stops where it must. What is asked of h at the steps after the end?",
            LENGTHS,
            forward_repeating_the_last_output,
        ),
        Misconception(
            "last-column",
            "h_last is the last column of h",
            "For a sequence that ended early, is the last column of h the output of its last step?",
            LENGTHS,
            forward_returning_the_last_column,
        ),
        Misconception(
            "one-step-too-long",
            "each sequence runs one step too long",
            "A sequence of length 2 has the steps t = 0 and t = 1. What does your comparison say at t = 2?",
            LENGTHS,
            forward_one_step_too_long,
        ),
        Misconception(
            "outputs-late",
            "each output is the state before its step",
            "Change the last input of a sequence. Does its last output move?",
            f"{PAGE}#unrolling",
            forward_of_the_states_before,
        ),
        Misconception(
            "filling-set-to-zero",
            "the filling is set to 0 and then read",
            "What does a step whose input is 0 make of a state: does it leave it as it is?",
            LENGTHS,
            forward_with_the_filling_set_to_zero,
        ),
        Misconception(
            "stops-with-the-shortest",
            "all sequences stop with the shortest",
            "Run a long sequence alone, and then beside a shorter one. Why do its outputs differ?",
            LENGTHS,
            forward_up_to_the_shortest,
        ),
        Misconception(
            "length-zero-is-zero",
            "without a step the last state is taken for 0",
            "The state of a sequence stays what it was when no step comes. What was it?",
            LENGTHS,
            forward_with_a_last_state_of_zeros,
        ),
        Misconception(
            "length-zero-wraps",
            "without a step the last state is read after the filling",
            "For a length of 0, what is lengths - 1, and which column does Python take for it?",
            LENGTHS,
            forward_that_wraps_at_length_zero,
        ),
        Misconception(
            "results-swapped",
            "the two results have changed places",
            "Which of the two has an axis for the steps, and which does the text name first?",
            f"{PAGE}#unrolling",
            forward_with_the_results_swapped,
        ),
        Misconception(
            "steps-first",
            "in h the steps stand before the sequences",
            "You collected one (N, H) after another. Along which axis of h should they lie?",
            WRONG,
            forward_with_steps_in_front,
        ),
    ),
)


# --- count_parameters -------------------------------------------------------------------------------------------------


def count_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, D: int, H: int) -> Case:
        return Case(group, words, {"args": [D, H]})

    small, large = (int(value) for value in rng.integers(3, 9, size=2))
    return [
        case("layer", "a layer with one input", 1, large + 2),
        case("layer", "a layer with more inputs than neurons", small + 9, small),
        case("layer", "a layer with hundreds of neurons", 10 * small, 100 + 7 * large),
    ]


def count_without_bias(D, H):
    return D * H + H * H


def count_with_two_biases(D, H):
    return D * H + H * H + 2 * H


def count_without_recurrence(D, H):
    return D * H + H


def count_with_sizes_swapped(D, H):
    return D * H + D * D + D


def count_with_one_feedback_a_neuron(D, H):
    return D * H + H + H


def count_with_one_bias_for_all(D, H):
    return D * H + H * H + 1


def count_with_the_readout(D, H):
    return D * H + H * H + H + H + 1


COUNT_PARAMETERS = Exercise(
    name="count_parameters",
    kind="function",
    signature="count_parameters(D, H)",
    outputs=("count",),
    reference=reference.count_parameters,
    cases=count_cases,
    groups=(Group("layer", "layers of several sizes", 2.0),),
    tolerance=1e-9,
    misconceptions=(
        Misconception(
            "no-bias",
            "the biases are not counted",
            "How many neurons have a bias of their own?",
            f"{PAGE}#how-many-parameters",
            count_without_bias,
        ),
        Misconception(
            "two-biases",
            "each neuron has two biases",
            "PyTorch stores two, and they are only ever added. How many does the equation of this course have?",
            f"{PAGE}#how-many-parameters",
            count_with_two_biases,
        ),
        Misconception(
            "no-recurrence",
            "the recurrent weights are not counted",
            "How many previous outputs does each neuron hear, and with how many weights?",
            f"{PAGE}#how-many-parameters",
            count_without_recurrence,
        ),
        Misconception(
            "sizes-swapped",
            "D and H have changed places",
            "Write the shapes of W_x, W_h and b next to each other. Which of them is square, and of which size?",
            f"{PAGE}#how-many-parameters",
            count_with_sizes_swapped,
        ),
        Misconception(
            "own-feedback-only",
            "each neuron hears only itself",
            "In a layer, does a neuron receive its own last output alone, or those of all its neighbours too?",
            f"{PAGE}#how-many-parameters",
            count_with_one_feedback_a_neuron,
        ),
        Misconception(
            "one-bias-for-all",
            "the whole layer has a single bias",
            "Which shape has b, and how many numbers does it hold?",
            f"{PAGE}#how-many-parameters",
            count_with_one_bias_for_all,
        ),
        Misconception(
            "readout-counted",
            "a readout is counted too",
            "Which arrays does rnn_step need? Does W_y belong to them?",
            f"{PAGE}#how-many-parameters",
            count_with_the_readout,
        ),
    ),
)


# --- forecast ---------------------------------------------------------------------------------------------------------


def forecast_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, T=4, H=5, bias: float | None = None) -> Case:
        b_y = float(rng.uniform(0.3, 0.8) * rng.choice([-1, 1])) if bias is None else bias
        return Case(group, words, {"args": [rng.uniform(-0.9, 0.9, size=(N, T, H)), rng.normal(size=H), b_y]})

    return [
        case("steps", "three sequences of four steps, without a bias", bias=0.0),
        case("steps", "three sequences of four steps"),
        case("sizes", "one sequence of seven steps", N=1, T=7),
        case("sizes", "sequences of one step", T=1, H=2),
        case("sizes", "a layer of one neuron", H=1),
    ]


def forecast_of_the_last_step(h, W_y, b_y):
    return h[:, -1] @ W_y + b_y


def forecast_without_bias(h, W_y, b_y):
    return h @ W_y


def forecast_squashed(h, W_y, b_y):
    return np.tanh(h @ W_y + b_y)


def forecast_one_step_late(h, W_y, b_y):
    late = np.zeros_like(h)
    late[:, 1:] = h[:, :-1]
    return late @ W_y + b_y


def forecast_with_an_axis_too_many(h, W_y, b_y):
    return h @ W_y[:, None] + b_y


def forecast_with_a_bias_for_each_neuron(h, W_y, b_y):
    return (h * W_y + b_y).sum(axis=-1)


FORECAST = Exercise(
    name="forecast",
    kind="function",
    signature="forecast(h, W_y, b_y)",
    outputs=("y_hat",),
    reference=reference.readout,
    cases=forecast_cases,
    groups=(
        Group("steps", "one number for every step", 2.0),
        Group("sizes", "any number of sequences, steps and neurons", 1.0),
    ),
    misconceptions=(
        Misconception(
            "last-step-only",
            "only the last step is read out",
            "The layer has an output at every step. For which of the days does your forecaster say something?",
            f"{PAGE}#a-forecaster",
            forecast_of_the_last_step,
        ),
        Misconception(
            "no-bias",
            "the bias is missing",
            "What should the forecast be when every neuron gives 0?",
            f"{PAGE}#a-forecaster",
            forecast_without_bias,
        ),
        Misconception(
            "squashed",
            "the forecast is squashed",
            "Temperatures are not confined to an interval. Which function should not be here?",
            f"{PAGE}#a-forecaster",
            forecast_squashed,
        ),
        Misconception(
            "one-step-late",
            "each forecast comes from the step before",
            "At step t the layer has seen x_t already. Which column of h knows about it?",
            f"{PAGE}#a-forecaster",
            forecast_one_step_late,
        ),
        Misconception(
            "an-axis-too-many",
            "the result has an axis too many",
            "Compare with the shape that you return: one number for each sequence and step makes how many axes?",
            f"{PAGE}#a-forecaster",
            forecast_with_an_axis_too_many,
        ),
        Misconception(
            "bias-in-the-sum",
            "the bias is added once for every neuron",
            "Let all of h be 0: what should the forecast be, and does yours change when the layer gets more neurons?",
            f"{PAGE}#a-forecaster",
            forecast_with_a_bias_for_each_neuron,
        ),
    ),
)


# --- RNNLayer ---------------------------------------------------------------------------------------------------------


class ReferenceLayer(nn.Module):
    """The reference layer with batch-first states ``(N, H)``, as the assignment asks for it."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.layer = RNN(input_size, hidden_size, batch_first=True)

    def state_dict(self, *args, **kwargs):
        return self.layer.state_dict(*args, **kwargs)

    def load_state_dict(self, *args, **kwargs):
        return self.layer.load_state_dict(*args, **kwargs)

    def named_parameters(self, *args, **kwargs):
        return self.layer.named_parameters(*args, **kwargs)

    def forward(self, x, h0=None):
        h, h_n = self.layer(x, None if h0 is None else h0[None])
        return h, h_n[0]


def layer_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str, words: str, N=3, T=4, D=2, H=3, first=False, upstream=(), dtype="float64", device="cpu"
    ) -> Case:
        W_x, W_h, b = layer_weights(rng, D, H)
        share = rng.uniform(0.2, 0.8)
        weights = {"weight_ih_l0": W_x.T, "weight_hh_l0": W_h.T, "bias_ih_l0": share * b, "bias_hh_l0": (1 - share) * b}
        inputs = [rng.normal(size=(N, T, D))] + [rng.uniform(-0.9, 0.9, size=(N, H))] * first
        shapes = {"h": (N, T, H), "h_last": (N, H)}
        call = {
            "build": [D, H],
            "weights": {name: np.ascontiguousarray(value) for name, value in weights.items()},
            "inputs": inputs,
            "upstream": {name: rng.normal(size=shapes[name]) for name in upstream},
            "dtype": dtype,
            "device": device,
        }
        return Case(group, words, call)

    return [
        case("forward", "a batch of three sequences, no initial state given"),
        case("forward", "one sequence of one step", N=1, T=1, D=4, H=2),
        case("initial", "a given initial state", first=True),
        case("gradients", "gradients that come from every step", upstream=("h",), first=True),
        case("gradients", "gradients that come from the final state", upstream=("h_last",), first=True),
        case("everywhere", "parameters of float32", dtype="float32"),
        case("everywhere", "a device other than the CPU (PyTorch's meta device)", device="meta"),
    ]


class LayerWithoutRecurrence(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        h = torch.tanh(x @ self.weight_ih_l0.T + self.bias_ih_l0 + self.bias_hh_l0)
        return h, h[:, -1]


class LayerWithOneBias(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            state = torch.tanh(x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0 + state @ self.weight_hh_l0.T)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class LayerWithTransposedRecurrence(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            from_input = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0
            state = torch.tanh(from_input + state @ self.weight_hh_l0 + self.bias_hh_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class LayerThatDetachesItsState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            from_input = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0
            state = torch.tanh(from_input + state.detach() @ self.weight_hh_l0.T + self.bias_hh_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class LayerOfTheCPUOnly(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = torch.zeros(x.shape[0], self.weight_hh_l0.shape[0], dtype=x.dtype) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            from_input = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0
            state = torch.tanh(from_input + state @ self.weight_hh_l0.T + self.bias_hh_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class LayerFromZero(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[0])
        outputs = []
        for t in range(x.shape[1]):
            from_input = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0
            state = torch.tanh(from_input + state @ self.weight_hh_l0.T + self.bias_hh_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class LayerWithoutActivation(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            from_input = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0
            state = from_input + state @ self.weight_hh_l0.T + self.bias_hh_l0
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class LayerThatHandsOnADetachedState(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            from_input = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0
            state = torch.tanh(from_input + state @ self.weight_hh_l0.T + self.bias_hh_l0)
            outputs.append(state)
            state = state.detach()
        return torch.stack(outputs, dim=1), state


RNN_LAYER = Exercise(
    name="RNNLayer",
    kind="module",
    signature="RNNLayer(input_size, hidden_size)",
    outputs=("h", "h_last"),
    reference=ReferenceLayer,
    cases=layer_cases,
    groups=(
        Group("forward", "the outputs, from a state of 0", 1.5),
        Group("initial", "a given initial state", 0.5),
        Group("gradients", "autograd reaches every parameter and every step", 2.0),
        Group("everywhere", "any dtype and any device", 1.0),
    ),
    forbidden=(
        "torch.nn.RNN",
        "torch.nn.RNNCell",
        "torch.nn.RNNBase",
        "torch.nn.RNNCellBase",
        "torch.rnn_tanh",
        "torch.rnn_tanh_cell",
        "torch.rnn_relu",
        "torch.rnn_relu_cell",
        "torch._VF",
    ),
    misconceptions=(
        Misconception(
            "no-recurrence",
            "the previous state plays no part",
            "Give it two sequences that differ in their first step only: does the second output differ?",
            f"{PAGE}#the-same-in-pytorch",
            LayerWithoutRecurrence,
        ),
        Misconception(
            "one-bias",
            "only one of the two biases is used",
            "PyTorch keeps two bias vectors. Which of your parameters never appears in forward?",
            f"{PAGE}#the-same-in-pytorch",
            LayerWithOneBias,
        ),
        Misconception(
            "transposed-recurrence",
            "weight_hh_l0 is turned round",
            "PyTorch stores weights as (to, from). What does that ask of the product with the state?",
            f"{PAGE}#the-same-in-pytorch",
            LayerWithTransposedRecurrence,
        ),
        Misconception(
            "detached-state",
            "gradients do not flow from one step to the one before",
            "The outputs are right, so look at what is cut: which call takes a tensor out of autograd's graph?",
            f"{PAGE}#the-same-in-pytorch",
            LayerThatDetachesItsState,
        ),
        Misconception(
            "cpu-only",
            "it runs on the CPU only",
            "On which device does torch.zeros put its result when it is not told? Where does x live?",
            f"{PAGE}#the-same-in-pytorch",
            LayerOfTheCPUOnly,
        ),
        Misconception(
            "initial-state-ignored",
            "h0 is not used",
            "Which state does your loop see at its first step when one was passed in?",
            f"{PAGE}#the-same-in-pytorch",
            LayerFromZero,
        ),
        Misconception(
            "no-activation",
            "the sum is returned as it is",
            "Can your state leave the interval from -1 to 1? Which function keeps it inside?",
            WRONG,
            LayerWithoutActivation,
        ),
        Misconception(
            "detached-on-the-way",
            "the state is cut off from autograd before it is handed on",
            "The outputs are right. Which call takes a tensor out of the graph, and which steps can a gradient of "
            "h_last still reach?",
            f"{PAGE}#the-same-in-pytorch",
            LayerThatHandsOnADetachedState,
        ),
    ),
)

ASSIGNMENT = Assignment(
    name="recurrent_neurons",
    exercises=(NEURON_STEP, RNN_STEP, RNN_FORWARD, COUNT_PARAMETERS, FORECAST, RNN_LAYER),
    data={"seattle_weather.npz": seattle_weather},
)
