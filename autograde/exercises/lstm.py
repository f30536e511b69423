"""The exercises of the assignment on LSTMs: from one step of the cell to a layer that adds two far-apart numbers."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import nn

from autograde.exercises.definition import Assignment, Case, Exercise, Group, Measure, Misconception, OwnGradient
from solutions.conventions import from_torch
from solutions.with_numpy import lstm as reference
from solutions.with_torch.lstm import LSTM

PAGE = "lstm.html"
WRONG = f"{PAGE}#what-goes-wrong"
CELL = f"{PAGE}#forget-write-show"
CARRY = f"{PAGE}#add-do-not-rewrite"
STEP = f"{PAGE}#one-step"
TORCH = f"{PAGE}#the-same-in-pytorch"
BIAS = f"{PAGE}#two-biases-and-where-the-forget-bias-sits"
PATH = f"{PAGE}#the-cell-path-s-jacobian"
FORGET = f"{PAGE}#the-forget-bias"
ADDING = f"{PAGE}#how-long-a-sequence"
BPTT = "bptt.html#a-sum-over-time"
RNN = "recurrent_neurons.html#the-same-in-pytorch"


def cell_weights(rng: np.random.Generator, D: int, H: int) -> list[np.ndarray]:
    """``W_x, W_h, b`` of four gates, all different; the bias keeps away from 0."""
    b = rng.uniform(0.3, 0.9, size=4 * H) * rng.choice([-1, 1], size=4 * H)
    return [1.2 * rng.normal(size=(D, 4 * H)) / D**0.5, 1.2 * rng.normal(size=(H, 4 * H)) / H**0.5, b]


def away_from_zero(rng: np.random.Generator, low: float, high: float, *shape: int) -> np.ndarray:
    return rng.uniform(low, high, size=shape) * rng.choice([-1, 1], size=shape)


# --- lstm_step --------------------------------------------------------------------------------------------------------


def step_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, D=4, H=5, x=1.0, h=1.0, c=1.0, bias=1.0, dtype=np.float64) -> Case:
        W_x, W_h, b = cell_weights(rng, D, H)
        states = [h * away_from_zero(rng, 0.2, 0.9, N, H), c * away_from_zero(rng, 0.5, 2.0, N, H)]
        args = [x * rng.normal(size=(N, D)), *states, W_x, W_h, bias * b]
        return Case(group, words, {"args": [value.astype(dtype) for value in args]})

    return [
        case("first", "a first step: nothing in the cell, no output before it", h=0.0, c=0.0),
        case("first", "a first step with inputs of 0: the biases alone set the gates", N=4, x=0.0, h=0.0, c=0.0),
        case("cell", "a step that nothing but the cell state comes into", x=0.0, h=0.0),
        case("cell", "a step without a bias", bias=0.0),
        case("output", "a step from a cell whose state is large", c=4.0),
        case("whole", "a whole step on a batch of three"),
        case("whole", "a whole step on a batch of six, with more inputs than units", N=6, D=7, H=3),
        case("sizes", "a batch of one sequence", N=1, D=2),
        case("sizes", "one input and one unit", D=1, H=1),
        case("sizes", "inputs so large that the gates stand at their ends", x=200.0, H=4),
        case("sizes", "arrays of float32", dtype=np.float32),
    ]


def step_with_gates_in_another_order(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_o, a_f, a_g = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = f * c_prev + i * np.tanh(a_g)
    return o * np.tanh(c_t), c_t


def step_with_sigmoid_and_tanh_exchanged(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (np.tanh(a) for a in (a_i, a_f, a_o))
    c_t = f * c_prev + i * (0.5 + 0.5 * np.tanh(a_g / 2))
    return o * np.tanh(c_t), c_t


def step_with_a_candidate_that_never_subtracts(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = f * c_prev + i * (0.5 + 0.5 * np.tanh(a_g / 2))
    return o * np.tanh(c_t), c_t


def step_with_input_and_forget_exchanged(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = i * c_prev + f * np.tanh(a_g)
    return o * np.tanh(c_t), c_t


def step_that_forgets_the_candidate_too(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = f * (c_prev + i * np.tanh(a_g))
    return o * np.tanh(c_t), c_t


def step_without_the_old_cell_state(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = i * np.tanh(a_g)
    return o * np.tanh(c_t), c_t


def step_that_returns_the_cell_state_twice(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = f * c_prev + i * np.tanh(a_g)
    return c_t, c_t


def step_with_its_results_exchanged(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = f * c_prev + i * np.tanh(a_g)
    return c_t, o * np.tanh(c_t)


def step_without_tanh_of_the_cell(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = f * c_prev + i * np.tanh(a_g)
    return o * c_t, c_t


def step_with_the_output_gate_on_the_cell(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = o * (f * c_prev + i * np.tanh(a_g))
    return np.tanh(c_t), c_t


def step_showing_the_old_cell(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = f * c_prev + i * np.tanh(a_g)
    return o * np.tanh(c_prev), c_t


def step_whose_gates_read_the_cell(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + c_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = f * c_prev + i * np.tanh(a_g)
    return o * np.tanh(c_t), c_t


def step_without_bias(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = f * c_prev + i * np.tanh(a_g)
    return o * np.tanh(c_t), c_t


def step_with_the_candidate_last(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_o, a_g = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = f * c_prev + i * np.tanh(a_g)
    return o * np.tanh(c_t), c_t


def step_whose_forget_gate_is_turned_round(x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    c_t = (1 - f) * c_prev + i * np.tanh(a_g)
    return o * np.tanh(c_t), c_t


LSTM_STEP = Exercise(
    name="lstm_step",
    kind="function",
    signature="lstm_step(x_t, h_prev, c_prev, W_x, W_h, b)",
    outputs=("h_t", "c_t"),
    reference=lambda *args: reference.lstm_step(*args)[:2],
    cases=step_cases,
    groups=(
        Group("first", "a first step, into an empty cell", 1.0),
        Group("cell", "a later step: what is kept and what is written", 1.0),
        Group("output", "what a full cell shows", 0.5),
        Group("whole", "a whole step", 1.5),
        Group("sizes", "any sizes, large inputs, float32", 0.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    forbidden=("torch", "lstm_by_torch"),
    misconceptions=(
        Misconception(
            "other-gate-order",
            "the blocks of the weights stand for other gates",
            "Some libraries keep the output gate second. In which order do the four blocks stand in this course?",
            CELL,
            step_with_gates_in_another_order,
        ),
        Misconception(
            "candidate-last",
            "the blocks of output gate and candidate have changed places",
            "Three gates and then the candidate is a natural order. Is it the one in which the four blocks stand here?",
            CELL,
            step_with_the_candidate_last,
        ),
        Misconception(
            "squashings-exchanged",
            "the gates are squashed by tanh and the candidate by the sigmoid",
            "A gate says how much, from nothing to all. Which of the two functions has that range?",
            CELL,
            step_with_sigmoid_and_tanh_exchanged,
        ),
        Misconception(
            "candidate-never-negative",
            "the candidate is squashed by the sigmoid",
            "Can anything that your cell writes ever make its state smaller? Which function would let it?",
            WRONG,
            step_with_a_candidate_that_never_subtracts,
        ),
        Misconception(
            "input-and-forget-exchanged",
            "the input gate keeps and the forget gate writes",
            "Open one gate with a bias of 50 and shut the other with -50. Which of them must be open for "
            "the state to stay?",
            WRONG,
            step_with_input_and_forget_exchanged,
        ),
        Misconception(
            "forget-gate-turned-round",
            "an open forget gate forgets",
            "The gate's name misleads. In the equation of c_t, what is left of the old state when f_t is 1?",
            CELL,
            step_whose_forget_gate_is_turned_round,
        ),
        Misconception(
            "candidate-forgotten-too",
            "the forget gate acts on the new candidate as well",
            "With the forget gate shut and the input gate open, what should stand in the cell: nothing, or "
            "something new?",
            CELL,
            step_that_forgets_the_candidate_too,
        ),
        Misconception(
            "old-state-dropped",
            "the old cell state is dropped",
            "Change c_prev and nothing happens. Which of the cell's two terms did it belong to?",
            WRONG,
            step_without_the_old_cell_state,
        ),
        Misconception(
            "cell-state-as-output",
            "the cell state is handed out as the output",
            "The cell holds c_t, and others see h_t. What stands between the two?",
            WRONG,
            step_that_returns_the_cell_state_twice,
        ),
        Misconception(
            "results-exchanged",
            "the two results have changed places",
            "Both have the same shape, so nothing warns you. Which of the two is asked for first?",
            CELL,
            step_with_its_results_exchanged,
        ),
        Misconception(
            "cell-not-squashed",
            "the cell state reaches the output without tanh",
            "A cell state can grow to 10 and beyond. Can the output of an LSTM, and what does yours do?",
            WRONG,
            step_without_tanh_of_the_cell,
        ),
        Misconception(
            "output-gate-on-the-cell",
            "the output gate changes the cell state",
            "Shut the output gate for one step. Should the cell have lost what it held, or only have hidden it?",
            CELL,
            step_with_the_output_gate_on_the_cell,
        ),
        Misconception(
            "old-cell-shown",
            "the output shows the cell as it was before the step",
            "Of the two cell states that the step knows, which one has seen x_t?",
            WRONG,
            step_showing_the_old_cell,
        ),
        Misconception(
            "gates-read-the-cell",
            "the gates read the cell state",
            "Two states come from the last step. Which of them is multiplied with W_h?",
            WRONG,
            step_whose_gates_read_the_cell,
        ),
        Misconception(
            "no-bias",
            "the bias is missing",
            "With inputs and states of 0, what decides how far the gates stand open?",
            CELL,
            step_without_bias,
        ),
    ),
)


# --- lstm_forward -----------------------------------------------------------------------------------------------------


def forward_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, T=5, D=2, H=4, h=0.0, c=0.0, lengths=None, dtype=np.float64) -> Case:
        x, weights = rng.normal(size=(N, T, D)), cell_weights(rng, D, H)
        if lengths is not None:  # what stands in the filling is large, so that it cannot pass unnoticed
            filled = np.arange(T) >= np.array(lengths)[:, None]
            x[filled] = away_from_zero(rng, 3.0, 5.0, *x[filled].shape)
        states = [h * away_from_zero(rng, 0.3, 0.9, N, H), c * away_from_zero(rng, 0.5, 2.0, N, H)]
        args = [value.astype(dtype) for value in [x, *states, *weights]]
        return Case(group, words, {"args": args if lengths is None else [*args, np.array(lengths)]})

    return [
        case("steps", "a batch of three sequences of five steps"),
        case("steps", "a batch of two sequences of nine steps", N=2, T=9, D=3, H=5),
        case("initial", "sequences that begin with an output other than 0", h=1.0),
        case("initial", "sequences that begin with something in the cell", c=1.0),
        case("sizes", "sequences of one step", T=1, h=1.0, c=1.0),
        case("sizes", "one sequence and one unit", N=1, D=1, H=1),
        case("sizes", "arrays of float32", dtype=np.float32, c=1.0),
        case("lengths", "sequences of 5, 2 and 3 steps", lengths=[5, 2, 3], h=1.0, c=1.0),
        case("lengths", "sequences of 0, 6, 1 and 4 steps", N=4, T=6, lengths=[0, 6, 1, 4], h=1.0, c=1.0),
    ]


def forward_whose_cell_runs_on(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = h0, c0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = f * c_t + i * np.tanh(a_g)
        h_t = np.where(running, o * np.tanh(c_t), h_t)
        h[:, t] = np.where(running, h_t, 0)
    return h, h_t, c_t


def forward_whose_states_run_on(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = h0, c0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = f * c_t + i * np.tanh(a_g)
        h_t = o * np.tanh(c_t)
        h[:, t] = np.where(running, h_t, 0)
    return h, h_t, c_t


def forward_ignoring_lengths(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    h_t, c_t, h = h0, c0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = f * c_t + i * np.tanh(a_g)
        h_t = o * np.tanh(c_t)
        h[:, t] = h_t
    return h, h_t, c_t


def forward_repeating_the_last_output(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = h0, c0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = np.where(running, f * c_t + i * np.tanh(a_g), c_t)
        h_t = np.where(running, o * np.tanh(c_t), h_t)
        h[:, t] = h_t
    return h, h_t, c_t


def forward_returning_the_last_column(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = h0, c0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = np.where(running, f * c_t + i * np.tanh(a_g), c_t)
        h_t = np.where(running, o * np.tanh(c_t), h_t)
        h[:, t] = np.where(running, h_t, 0)
    return h, h[:, -1], c_t


def forward_one_step_too_long(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = h0, c0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t <= steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = np.where(running, f * c_t + i * np.tanh(a_g), c_t)
        h_t = np.where(running, o * np.tanh(c_t), h_t)
        h[:, t] = np.where(running, h_t, 0)
    return h, h_t, c_t


def forward_from_an_empty_cell(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = h0, np.zeros_like(c0), np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = np.where(running, f * c_t + i * np.tanh(a_g), c_t)
        h_t = np.where(running, o * np.tanh(c_t), h_t)
        h[:, t] = np.where(running, h_t, 0)
    return h, h_t, c_t


def forward_from_a_silent_output(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = np.zeros_like(h0), c0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = np.where(running, f * c_t + i * np.tanh(a_g), c_t)
        h_t = np.where(running, o * np.tanh(c_t), h_t)
        h[:, t] = np.where(running, h_t, 0)
    return h, h_t, c_t


def forward_with_the_first_cell_everywhere(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = h0, c0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = np.where(running, f * c0 + i * np.tanh(a_g), c_t)
        h_t = np.where(running, o * np.tanh(c_t), h_t)
        h[:, t] = np.where(running, h_t, 0)
    return h, h_t, c_t


def forward_without_a_running_output(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = h0, c0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h0 @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = np.where(running, f * c_t + i * np.tanh(a_g), c_t)
        h_t = np.where(running, o * np.tanh(c_t), h_t)
        h[:, t] = np.where(running, h_t, 0)
    return h, h_t, c_t


def forward_returning_the_output_twice(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = h0, c0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = np.where(running, f * c_t + i * np.tanh(a_g), c_t)
        h_t = np.where(running, o * np.tanh(c_t), h_t)
        h[:, t] = np.where(running, h_t, 0)
    return h, h_t, h_t


def forward_whose_output_runs_on(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = h0, c0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_new = f * c_t + i * np.tanh(a_g)
        h_t, c_t = o * np.tanh(c_new), np.where(running, c_new, c_t)
        h[:, t] = np.where(running, h_t, 0)
    return h, h_t, c_t


def forward_from_nothing(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    h_t, c_t, h = np.zeros_like(h0), np.zeros_like(c0), np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h_t @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        c_t = np.where(running, f * c_t + i * np.tanh(a_g), c_t)
        h_t = np.where(running, o * np.tanh(c_t), h_t)
        h[:, t] = np.where(running, h_t, 0)
    return h, h_t, c_t


LSTM_FORWARD = Exercise(
    name="lstm_forward",
    kind="function",
    signature="lstm_forward(x, h0, c0, W_x, W_h, b, lengths=None)",
    outputs=("h", "h_last", "c_last"),
    reference=lambda *args: reference.lstm_forward(*args)[:3],
    cases=forward_cases,
    groups=(
        Group("steps", "every step of a batch", 1.5),
        Group("initial", "the two states before the first step", 1.0),
        Group("sizes", "one step, one sequence, one unit, float32", 0.5),
        Group("lengths", "sequences that end early", 1.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    forbidden=("torch", "lstm_by_torch"),
    misconceptions=(
        Misconception(
            "cell-runs-on",
            "the filling moves the cell state",
            "After its end a sequence's output stays as it was. Which other state should stand still, and does it?",
            WRONG,
            forward_whose_cell_runs_on,
        ),
        Misconception(
            "output-runs-on",
            "the filling moves the last output",
            "After its end a sequence's cell stays as it was. What does h_t do there, and where is it read?",
            WRONG,
            forward_whose_output_runs_on,
        ),
        Misconception(
            "states-run-on",
            "both states go on after the end of a sequence",
            "Your outputs in the filling are 0. What do h_t and c_t do there, and where are they read?",
            WRONG,
            forward_whose_states_run_on,
        ),
        Misconception(
            "lengths-ignored",
            "lengths changes nothing",
            "Give the same batch with two different lengths. Should the results be the same?",
            WRONG,
            forward_ignoring_lengths,
        ),
        Misconception(
            "outputs-repeated",
            "after its end a sequence repeats its last output",
            "The states stay after the end. What should the outputs be there?",
            WRONG,
            forward_repeating_the_last_output,
        ),
        Misconception(
            "last-column",
            "h_last is the last column of h, whatever the lengths",
            "In a sequence of two steps in a batch of five, what stands in the last column of h?",
            WRONG,
            forward_returning_the_last_column,
        ),
        Misconception(
            "one-step-too-long",
            "each sequence runs one step too long",
            "A sequence of length 2 has the steps t = 0 and t = 1. What does your comparison say at t = 2?",
            WRONG,
            forward_one_step_too_long,
        ),
        Misconception(
            "first-cell-ignored",
            "c0 is not used",
            "Two states exist before the first step. Which of them does your loop never see?",
            WRONG,
            forward_from_an_empty_cell,
        ),
        Misconception(
            "first-output-ignored",
            "h0 is not used",
            "Which output do the gates of your first step read?",
            WRONG,
            forward_from_a_silent_output,
        ),
        Misconception(
            "first-states-ignored",
            "neither h0 nor c0 is used",
            "A caller may go on from where another sequence stopped. From which two states does your loop begin?",
            CARRY,
            forward_from_nothing,
        ),
        Misconception(
            "cell-not-carried",
            "every step starts from c0 again",
            "The second step needs the cell that the first one left. Which name in your loop never changes?",
            CARRY,
            forward_with_the_first_cell_everywhere,
        ),
        Misconception(
            "output-not-carried",
            "the gates of every step read h0",
            "The cell state is handed on. What should the gates of step t read of step t - 1?",
            CARRY,
            forward_without_a_running_output,
        ),
        Misconception(
            "output-for-the-cell",
            "c_last is the last output",
            "Somebody wants to go on from where you stopped. Could the next step use your c_last as its c_prev?",
            WRONG,
            forward_returning_the_output_twice,
        ),
    ),
)


# --- lstm_step_backward -----------------------------------------------------------------------------------------------


def right_step_backward(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    cache = reference.lstm_step(x_t, h_prev, c_prev, W_x, W_h, b)[2]
    return tuple(reference.lstm_step_backward(dh_t, dc_t, cache))


def step_backward_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, D=4, H=5, dh=1.0, dc=1.0, x=1.0, c=1.0, dtype=np.float64) -> Case:
        upstream = [dh * away_from_zero(rng, 0.5, 2.0, N, H), dc * away_from_zero(rng, 0.5, 2.0, N, H)]
        states = [away_from_zero(rng, 0.2, 0.9, N, H), c * away_from_zero(rng, 0.5, 2.0, N, H)]
        args = [*upstream, x * rng.normal(size=(N, D)), *states, *cell_weights(rng, D, H)]
        return Case(group, words, {"args": [value.astype(dtype) for value in args]})

    return [
        case("cell", "one sequence, a loss that comes along the cell state alone", N=1, D=3, dh=0.0),
        case("cell", "one sequence with inputs of 0, a loss along the cell state alone", N=1, D=2, dh=0.0, x=0.0),
        case("output", "a loss that comes through the output alone", dc=0.0),
        case("output", "a loss that comes through the output alone, from an empty cell", N=2, D=6, dc=0.0, c=0.0),
        case("whole", "both paths together, a batch of three"),
        case("whole", "both paths together, a cell whose state is large", N=4, D=3, H=2, c=2.0),
        case("sizes", "more inputs than units", N=2, D=6, H=3),
        case("sizes", "one input and one unit", D=1, H=1),
        case("sizes", "arrays of float32", dtype=np.float32),
    ]


def step_back_without_the_cell_path(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dh_t * o * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_by_the_cell_alone(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_without_the_slope_of_the_cell(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_with_the_slope_at_the_cell(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - (f * c_prev + i * g) ** 2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_past_the_forget_gate(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_with_half_a_dc_prev(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc_t * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_without_the_slopes_of_the_gates(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g, dc * c_prev, dc * i * (1 - g**2)
    da_o = dh_t * tanh_c
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_with_the_slopes_of_tanh(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g * (1 - i**2), dc * c_prev * (1 - f**2), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * (1 - o**2)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_with_the_slope_of_a_gate_for_the_candidate(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * g * (1 - g)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_with_the_new_cell_state(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * (f * c_prev + i * g) * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_with_two_blocks_exchanged(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_f, da_i, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_with_the_mean_for_db(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, h_prev.T @ da, da.mean(axis=0)


def step_back_past_the_output_gate(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_back_with_the_new_output(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, da @ W_h.T, dc * f, x_t.T @ da, (o * tanh_c).T @ da, da.sum(axis=0)


def step_back_with_two_results_exchanged(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    a_i, a_f, a_g, a_o = np.split(x_t @ W_x + h_prev @ W_h + b, 4, axis=1)
    i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
    g = np.tanh(a_g)
    tanh_c = np.tanh(f * c_prev + i * g)
    dc = dc_t + dh_t * o * (1 - tanh_c**2)
    da_i, da_f, da_g = dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g**2)
    da_o = dh_t * tanh_c * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    return da @ W_x.T, dc * f, da @ W_h.T, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


LSTM_STEP_BACKWARD = Exercise(
    name="lstm_step_backward",
    kind="function",
    signature="lstm_step_backward(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b)",
    outputs=("dx_t", "dh_prev", "dc_prev", "dW_x", "dW_h", "db"),
    reference=right_step_backward,
    cases=step_backward_cases,
    groups=(
        Group("cell", "what comes along the cell state", 1.5),
        Group("output", "what comes through the output", 2.0),
        Group("whole", "both together", 1.5),
        Group("sizes", "any batch and any sizes", 0.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    forbidden=("torch", "gradients_by_autograd"),
    misconceptions=(
        Misconception(
            "cell-path-forgotten",
            "what later steps say about the cell state is not used",
            "Two arrays of derivatives come in. With dh_t = 0, what do your gradients come out as, and what "
            "should they?",
            WRONG,
            step_back_without_the_cell_path,
        ),
        Misconception(
            "output-path-forgotten",
            "the output sends nothing into the cell",
            "h_t is made from c_t. If the loss wants a larger output, by which gate and which slope does "
            "the cell hear of it?",
            WRONG,
            step_back_by_the_cell_alone,
        ),
        Misconception(
            "slope-of-the-cell-forgotten",
            "the slope of tanh at c_t is missing",
            "On its way from h_t to c_t the derivative meets the output gate and one more thing. What does that cost?",
            WRONG,
            step_back_without_the_slope_of_the_cell,
        ),
        Misconception(
            "slope-of-the-argument",
            "the slope of tanh is taken from c_t instead of tanh(c_t)",
            "A cell state of 3 would give a slope of 1 - 9. Can a slope of tanh be negative?",
            WRONG,
            step_back_with_the_slope_at_the_cell,
        ),
        Misconception(
            "output-gate-passed-by",
            "what the output says reaches the cell past the output gate",
            "With the output gate shut nobody hears the cell. What can the cell then hear of dh_t?",
            STEP,
            step_back_past_the_output_gate,
        ),
        Misconception(
            "forget-gate-passed-by",
            "dc_prev goes past the forget gate",
            "With the forget gate shut, c_prev has no influence on anything later. What is your dc_prev then?",
            PATH,
            step_back_past_the_forget_gate,
        ),
        Misconception(
            "half-a-dc-prev",
            "dc_prev has only what came along the cell path",
            "The old cell state is in c_t, and c_t is in h_t as well. Does your dc_prev know about the "
            "second of these ways?",
            WRONG,
            step_back_with_half_a_dc_prev,
        ),
        Misconception(
            "gates-without-slope",
            "the slopes of the gates are missing",
            "A gate that is shut tight hardly moves when its argument does. Which factor in da_i, da_f and "
            "da_o says so?",
            STEP,
            step_back_without_the_slopes_of_the_gates,
        ),
        Misconception(
            "gates-with-slope-of-tanh",
            "the gates have the slope of tanh",
            "How steep is the sigmoid where it is steepest, and how steep is yours there?",
            STEP,
            step_back_with_the_slopes_of_tanh,
        ),
        Misconception(
            "candidate-with-slope-of-a-gate",
            "the candidate has the slope of a gate",
            "Three of the four blocks are sigmoids. Which one is not, and what is the slope of its function?",
            STEP,
            step_back_with_the_slope_of_a_gate_for_the_candidate,
        ),
        Misconception(
            "forget-gate-with-the-new-state",
            "the forget gate's gradient is made with c_t",
            "In the forward pass, with which of the two cell states was the forget gate multiplied?",
            STEP,
            step_back_with_the_new_cell_state,
        ),
        Misconception(
            "output-of-the-wrong-step",
            "dW_h is made with the new output",
            "With which output was W_h multiplied in the forward pass: the one before the step or the one after it?",
            STEP,
            step_back_with_the_new_output,
        ),
        Misconception(
            "results-exchanged",
            "dh_prev and dc_prev have changed places",
            "Both have the same shape, so nothing warns you. In which order does lstm_step take the two states?",
            STEP,
            step_back_with_two_results_exchanged,
        ),
        Misconception(
            "blocks-exchanged",
            "the gradients of input and forget gate have changed places",
            "The columns of W_x belong to i, f, g and o. To which of them does each block of your da belong?",
            WRONG,
            step_back_with_two_blocks_exchanged,
        ),
        Misconception(
            "mean-for-db",
            "db is averaged over the batch",
            "In x_t.T @ da the sequences of the batch are added up. What must then happen to the rows of da in db?",
            STEP,
            step_back_with_the_mean_for_db,
        ),
    ),
)


# --- lstm_backward ----------------------------------------------------------------------------------------------------


def right_backward(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    return tuple(
        reference.lstm_backward(dh, dh_last, dc_last, reference.lstm_forward(x, h0, c0, W_x, W_h, b, lengths)[-1])
    )


def backward_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, T=5, D=2, H=4, out=1.0, h=1.0, c=1.0, lengths=None, dtype=np.float64) -> Case:
        dh, x = out * rng.normal(size=(N, T, H)), rng.normal(size=(N, T, D))
        if lengths is not None:  # what stands in the filling is large, so that it cannot pass unnoticed
            filled = np.arange(T) >= np.array(lengths)[:, None]
            dh[filled] = away_from_zero(rng, 3.0, 5.0, *dh[filled].shape)
            x[filled] = away_from_zero(rng, 3.0, 5.0, *x[filled].shape)
        last = [h * away_from_zero(rng, 0.5, 2.0, N, H), c * away_from_zero(rng, 0.5, 2.0, N, H)]
        states = [away_from_zero(rng, 0.3, 0.9, N, H), away_from_zero(rng, 0.5, 1.5, N, H)]
        args = [value.astype(dtype) for value in [dh, *last, x, *states, *cell_weights(rng, D, H)]]
        return Case(group, words, {"args": args if lengths is None else [*args, np.array(lengths)]})

    return [
        case("one", "sequences of one step, a loss on the outputs", T=1, D=3, h=0.0, c=0.0),
        case("one", "sequences of one step, a loss on outputs and final states", N=2, T=1),
        case("back", "a loss on the final cell state alone", out=0.0, h=0.0),
        case("back", "a loss on the final output alone", N=2, T=6, D=3, H=5, out=0.0, c=0.0),
        case("outputs", "a loss on every output", h=0.0, c=0.0),
        case("outputs", "a loss on every output of seven steps", N=2, T=7, D=4, H=3, h=0.0, c=0.0),
        case("whole", "a loss on every output and on both final states"),
        case("whole", "one sequence and one unit", N=1, D=1, H=1),
        case("whole", "arrays of float32", dtype=np.float32),
        case("lengths", "sequences of 5, 2 and 3 steps, a loss on every output", h=0.0, c=0.0, lengths=[5, 2, 3]),
        case("lengths", "sequences of 0, 6, 1 and 4 steps", N=4, T=6, lengths=[0, 6, 1, 4]),
    ]


def backward_without_the_cell_path(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = (dc_next if t == T - 1 else 0) + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_without_the_outputs_path(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + (dh_next if t == T - 1 else 0)
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_of_later_steps(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh_next + (dh[:, t] if t == T - 1 else 0)
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_setting_the_weights(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = x[:, t].T @ da, h[t].T @ da, da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_averaging_over_steps(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x / T, dW_h / T, db / T


def backward_without_the_final_cell(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, 0 * dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_without_the_final_output(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, 0 * dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_past_the_forget_gates(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_without_the_slope_of_the_cell(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dc_next + dh_t * o
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_with_the_output_of_the_wrong_step(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t + 1].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_ignoring_lengths(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T))[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_losing_the_final_cell(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, 0)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_losing_the_final_output(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, 0)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_that_hands_nothing_back(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + (dh_last if t == T - 1 else 0)
        dc = (dc_last if t == T - 1 else 0) + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = np.where(real[:, [t]], dc * f, dc_next)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_losing_both_final_states(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(np.where(real[:, [t]], f * c[t] + i * np.tanh(a_g), c[t]))
        h.append(np.where(real[:, [t]], o * np.tanh(c[t + 1]), h[t]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = dh[:, t] + dh_next
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.where(real[:, [t]], np.concatenate(parts, axis=1), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, 0)
        dc_next = np.where(real[:, [t]], dc * f, 0)
    return dx, dh_next, dc_next, dW_x, dW_h, db


def backward_whose_cell_path_runs_through_the_filling(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    kept, h, c = [], [h0], [c0]
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(x[:, t] @ W_x + h[t] @ W_h + b, 4, axis=1)
        i, f, o = (0.5 + 0.5 * np.tanh(a / 2) for a in (a_i, a_f, a_o))
        kept.append((i, f, np.tanh(a_g), o))
        c.append(f * c[t] + i * np.tanh(a_g))
        h.append(o * np.tanh(c[t + 1]))
    dx, dW_x, dW_h, db, dh_next, dc_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last, dc_last
    for t in reversed(range(T)):
        (i, f, g, o), tanh_c = kept[t], np.tanh(c[t + 1])
        dh_t = np.where(real[:, [t]], dh[:, t] + dh_next, 0)
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        parts = [dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), dh_t * tanh_c * o * (1 - o)]
        da = np.concatenate(parts, axis=1)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
        dc_next = dc * f
    return dx, dh_next, dc_next, dW_x, dW_h, db


LSTM_BACKWARD = Exercise(
    name="lstm_backward",
    kind="function",
    signature="lstm_backward(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None)",
    outputs=("dx", "dh0", "dc0", "dW_x", "dW_h", "db"),
    reference=right_backward,
    cases=backward_cases,
    groups=(
        Group("one", "sequences of one step", 1.0),
        Group("back", "a loss at the end, which must find its way back", 1.5),
        Group("outputs", "a loss on every output", 1.5),
        Group("whole", "outputs and final states together, any sizes, float32", 1.0),
        Group("lengths", "sequences that end early", 1.5),
        Group("own", "it fits the forward pass of your notebook", 1.0, property="own_gradient"),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    forbidden=("torch", "gradients_by_autograd"),
    own=OwnGradient(
        forward="lstm_forward",
        outputs=("dh", "dh_last", "dc_last"),
        gradients={"dx": 0, "dh0": 1, "dc0": 2, "dW_x": 3, "dW_h": 4, "db": 5},
        group="whole",
    ),
    misconceptions=(
        Misconception(
            "cell-path-dropped",
            "the derivative by the cell state is not handed back from step to step",
            "Two things go back from each step to the one before. Your loop carries one of them; what "
            "becomes of the other?",
            WRONG,
            backward_without_the_cell_path,
        ),
        Misconception(
            "output-path-dropped",
            "the derivative by the output is not handed back from step to step",
            "The gates of the next step have read h_t. Where in your loop does what they say about it arrive?",
            WRONG,
            backward_without_the_outputs_path,
        ),
        Misconception(
            "nothing-handed-back",
            "no step hands anything to the one before",
            "Each step finds out what the two states before it are worth. What does the next round of your loop do "
            "with that?",
            WRONG,
            backward_that_hands_nothing_back,
        ),
        Misconception(
            "later-steps-only",
            "a step takes what is handed back and forgets its own output",
            "Two arrows meet at each h_t on the way back. Which of them does your sum use only at the last step?",
            WRONG,
            backward_of_later_steps,
        ),
        Misconception(
            "set-not-added",
            "the weights' gradients are those of the first step alone",
            "Your loop ends at t = 0. What has become of the shares of W_h that its earlier rounds had found?",
            BPTT,
            backward_setting_the_weights,
        ),
        Misconception(
            "mean-over-steps",
            "the weights' gradients are averaged over the steps",
            "To move a shared weight is to move its copies at all steps together. Do small effects then "
            "add, or do they average?",
            BPTT,
            backward_averaging_over_steps,
        ),
        Misconception(
            "no-final-cell",
            "dc_last is not used",
            "Suppose that the loss reads the final cell state and nothing else. What are your gradients then?",
            WRONG,
            backward_without_the_final_cell,
        ),
        Misconception(
            "no-final-output",
            "dh_last is not used",
            "After the last step there is no next one. What stands in its place when somebody reads h_last?",
            WRONG,
            backward_without_the_final_output,
        ),
        Misconception(
            "forget-gates-passed-by",
            "the derivative by the cell state goes past the forget gates",
            "Shut the forget gate at one step. Can anything before that step still matter to the cell, and "
            "does yours say so?",
            PATH,
            backward_past_the_forget_gates,
        ),
        Misconception(
            "slope-of-the-cell-forgotten",
            "the slope of tanh at c_t is missing",
            "What arrives at h_t enters the cell through two factors. Which one besides the output gate?",
            WRONG,
            backward_without_the_slope_of_the_cell,
        ),
        Misconception(
            "output-of-the-wrong-step",
            "dW_h is made with the output after each step",
            "Take one step with an h0 of 0. Can W_h have had any effect, and what does your dW_h say?",
            STEP,
            backward_with_the_output_of_the_wrong_step,
        ),
        Misconception(
            "lengths-ignored",
            "lengths changes nothing",
            "A step after the end did not happen. What can its derivative have to do with any weight?",
            WRONG,
            backward_ignoring_lengths,
        ),
        Misconception(
            "final-cell-lost",
            "dc_last does not reach the last step of a short sequence",
            "Your loop begins in the filling. What must the derivative by the cell state do until the "
            "sequence's own end?",
            WRONG,
            backward_losing_the_final_cell,
        ),
        Misconception(
            "final-output-lost",
            "dh_last does not reach the last step of a short sequence",
            "Your loop begins in the filling. What must the derivative by the output do until the sequence's own end?",
            WRONG,
            backward_losing_the_final_output,
        ),
        Misconception(
            "final-states-lost",
            "neither dh_last nor dc_last reaches the last step of a short sequence",
            "Your loop begins in the filling. What must both derivatives do until the sequence's own end, and what "
            "becomes of them?",
            WRONG,
            backward_losing_both_final_states,
        ),
        Misconception(
            "cell-path-through-the-filling",
            "the derivative by the cell state runs through the filling",
            "In the filling dh_t is 0 in your loop. What is dc_t there, which gates does it pass, and which weights "
            "hear of it?",
            WRONG,
            backward_whose_cell_path_runs_through_the_filling,
        ),
    ),
)


# --- weights_from_torch -----------------------------------------------------------------------------------------------


def right_weights(*theirs):
    ours = from_torch("lstm", dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), theirs)))
    return ours["W_x"], ours["W_h"], ours["b"]


def weights_cases(rng: np.random.Generator) -> list[Case]:
    def case(words: str, D: int, H: int, dtype=np.float64) -> Case:
        weights = [rng.normal(size=(4 * H, D)), rng.normal(size=(4 * H, H))]
        biases = [away_from_zero(rng, 0.2, 0.9, 4 * H), away_from_zero(rng, 1.0, 1.9, 4 * H)]
        return Case("weights", words, {"args": [value.astype(dtype) for value in weights + biases]})

    return [
        case("a layer of three units with two inputs", 2, 3),
        case("a layer with more inputs than units", 7, 4),
        case("a layer of two units with as many inputs", 2, 2),
        case("weights of float32", 3, 2, dtype=np.float32),
    ]


def weights_as_they_are(weight_ih, weight_hh, bias_ih, bias_hh):
    return weight_ih, weight_hh, bias_ih + bias_hh


def weights_reshaped(weight_ih, weight_hh, bias_ih, bias_hh):
    return weight_ih.reshape(-1, len(weight_ih)), weight_hh.reshape(-1, len(weight_hh)), bias_ih + bias_hh


def weights_with_one_bias(weight_ih, weight_hh, bias_ih, bias_hh):
    return weight_ih.T, weight_hh.T, bias_ih


def weights_with_the_mean_bias(weight_ih, weight_hh, bias_ih, bias_hh):
    return weight_ih.T, weight_hh.T, (bias_ih + bias_hh) / 2


def weights_in_another_gate_order(weight_ih, weight_hh, bias_ih, bias_hh):
    i, f, g, o = np.arange(len(bias_ih)).reshape(4, -1)
    to = np.concatenate([i, o, f, g])
    return weight_ih[to].T, weight_hh[to].T, (bias_ih + bias_hh)[to]


WEIGHTS_FROM_TORCH = Exercise(
    name="weights_from_torch",
    kind="function",
    signature="weights_from_torch(weight_ih, weight_hh, bias_ih, bias_hh)",
    outputs=("W_x", "W_h", "b"),
    reference=right_weights,
    cases=weights_cases,
    groups=(
        Group("weights", "the three arrays of this course", 1.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "not-transposed",
            "the matrices come over as they are",
            "PyTorch stores a weight as (to, from). Which of the two comes first in W_x?",
            BIAS,
            weights_as_they_are,
        ),
        Misconception(
            "reshaped",
            "the matrices are reshaped where they should be turned",
            "The shape is right. Does the number in row 0 and column 1 of weight_ih now stand in row 1 and column 0?",
            BIAS,
            weights_reshaped,
        ),
        Misconception(
            "one-bias",
            "only one of the two biases is used",
            "Which of the four arguments does your function not use, and what does PyTorch do with it?",
            BIAS,
            weights_with_one_bias,
        ),
        Misconception(
            "bias-averaged",
            "b is the mean of the two biases",
            "What does PyTorch do with its two biases before a gate is squashed: average them?",
            BIAS,
            weights_with_the_mean_bias,
        ),
        Misconception(
            "gates-reordered",
            "the gates are put into another order",
            "ONNX has another order than this course. Has PyTorch?",
            BIAS,
            weights_in_another_gate_order,
        ),
    ),
)


# --- set_forget_bias --------------------------------------------------------------------------------------------------


def right_forget_bias(bias_ih, bias_hh, value):
    H = len(bias_ih) // 4
    forget = np.arange(4 * H) // H == 1
    return np.where(forget, np.full_like(bias_ih, value), bias_ih), np.where(forget, 0 * bias_hh, bias_hh)


def bias_cases(rng: np.random.Generator) -> list[Case]:
    def case(words: str, H: int, low: float, high: float, dtype=np.float64) -> Case:
        drawn = [away_from_zero(rng, 0.1, 0.9, 4 * H).astype(dtype) for _ in range(2)]
        return Case("bias", words, {"args": [*drawn, float(rng.uniform(low, high))]})

    return [
        case("five units, a bias that holds for a few steps", 5, 1.1, 1.9),
        case("three units, a bias that holds for a hundred steps", 3, 4.1, 4.9),
        case("one unit, a negative bias", 1, -1.9, -1.1),
        case("biases of float32", 4, 1.1, 1.9, dtype=np.float32),
    ]


def bias_of_all_gates(bias_ih, bias_hh, value):
    bias_ih, bias_hh = bias_ih.copy(), bias_hh.copy()
    bias_ih[:] = value
    bias_hh[:] = 0
    return bias_ih, bias_hh


def bias_set_in_both(bias_ih, bias_hh, value):
    H = len(bias_ih) // 4
    bias_ih, bias_hh = bias_ih.copy(), bias_hh.copy()
    bias_ih[H : 2 * H] = value
    bias_hh[H : 2 * H] = value
    return bias_ih, bias_hh


def bias_of_the_input_gate(bias_ih, bias_hh, value):
    H = len(bias_ih) // 4
    bias_ih, bias_hh = bias_ih.copy(), bias_hh.copy()
    bias_ih[:H] = value
    bias_hh[:H] = 0
    return bias_ih, bias_hh


def bias_of_the_candidate(bias_ih, bias_hh, value):
    H = len(bias_ih) // 4
    bias_ih, bias_hh = bias_ih.copy(), bias_hh.copy()
    bias_ih[2 * H : 3 * H] = value
    bias_hh[2 * H : 3 * H] = 0
    return bias_ih, bias_hh


def bias_added(bias_ih, bias_hh, value):
    H = len(bias_ih) // 4
    bias_ih, bias_hh = bias_ih.copy(), bias_hh.copy()
    bias_ih[H : 2 * H] += value
    return bias_ih, bias_hh


def bias_set_in_one(bias_ih, bias_hh, value):
    H = len(bias_ih) // 4
    bias_ih, bias_hh = bias_ih.copy(), bias_hh.copy()
    bias_ih[H : 2 * H] = value
    return bias_ih, bias_hh


def bias_with_the_other_emptied(bias_ih, bias_hh, value):
    H = len(bias_ih) // 4
    bias_ih = bias_ih.copy()
    bias_ih[H : 2 * H] = value
    return bias_ih, np.zeros_like(bias_hh)


SET_FORGET_BIAS = Exercise(
    name="set_forget_bias",
    kind="function",
    signature="set_forget_bias(bias_ih, bias_hh, value)",
    outputs=("bias_ih", "bias_hh"),
    reference=right_forget_bias,
    cases=bias_cases,
    groups=(
        Group("bias", "the forget gates' bias, and nobody else's", 1.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "all-gates",
            "all four blocks are set",
            "Which gates stand open now besides the forget gate, and did anybody ask for that?",
            WRONG,
            bias_of_all_gates,
        ),
        Misconception(
            "set-twice",
            "both biases are set to the value",
            "PyTorch adds the two. At which bias do your forget gates really start?",
            BIAS,
            bias_set_in_both,
        ),
        Misconception(
            "first-block",
            "the first block is set",
            "In the order of this course and of PyTorch, which gate owns the first block?",
            BIAS,
            bias_of_the_input_gate,
        ),
        Misconception(
            "third-block",
            "the third block is set",
            "Counting begins at 0. Which rows does the block of the forget gate have?",
            BIAS,
            bias_of_the_candidate,
        ),
        Misconception(
            "added",
            "the value is added to what was drawn",
            "Your forget gates start near the value, each somewhere else. Is that what was asked for?",
            BIAS,
            bias_added,
        ),
        Misconception(
            "other-bias-left",
            "the other bias still holds what was drawn",
            "One of the two is the value now. What is their sum?",
            BIAS,
            bias_set_in_one,
        ),
        Misconception(
            "other-bias-emptied",
            "all of the other bias is 0",
            "Which of its four blocks belongs to the forget gates? What should become of the other three?",
            BIAS,
            bias_with_the_other_emptied,
        ),
    ),
)


# --- LSTMLayer --------------------------------------------------------------------------------------------------------


class ReferenceLayer(nn.Module):
    """The reference layer with batch-first states ``(N, H)``, as the assignment asks for it."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.layer = LSTM(input_size, hidden_size, batch_first=True)

    def state_dict(self, *args, **kwargs):
        return self.layer.state_dict(*args, **kwargs)

    def load_state_dict(self, *args, **kwargs):
        return self.layer.load_state_dict(*args, **kwargs)

    def named_parameters(self, *args, **kwargs):
        return self.layer.named_parameters(*args, **kwargs)

    def forward(self, x, h0=None, c0=None):
        h, (h_n, c_n) = self.layer(x, None if h0 is None else (h0[None], c0[None]))
        return h, h_n[0], c_n[0]


def layer_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str, words: str, N=3, T=4, D=2, H=3, first=False, upstream=(), dtype="float64", device="cpu"
    ) -> Case:
        W_x, W_h, b = cell_weights(rng, D, H)
        share = rng.uniform(0.2, 0.8)
        weights = {"weight_ih_l0": W_x.T, "weight_hh_l0": W_h.T, "bias_ih_l0": share * b, "bias_hh_l0": (1 - share) * b}
        states = [away_from_zero(rng, 0.2, 0.9, N, H), away_from_zero(rng, 1.0, 2.0, N, H)]
        shapes = {"h": (N, T, H), "h_last": (N, H), "c_last": (N, H)}
        call = {
            "build": [D, H],
            "weights": {name: np.ascontiguousarray(value) for name, value in weights.items()},
            "inputs": [rng.normal(size=(N, T, D)), *(states if first else [])],
            "upstream": {name: rng.normal(size=shapes[name]) for name in upstream},
            "dtype": dtype,
            "device": device,
        }
        return Case(group, words, call)

    return [
        case("forward", "a batch of three sequences, no initial states given"),
        case("forward", "one sequence of one step", N=1, T=1, D=4, H=2),
        case("initial", "given initial states", H=5, first=True),
        case("gradients", "gradients that come from every output", upstream=("h",), first=True),
        case("gradients", "gradients that come from the final states", upstream=("h_last", "c_last"), first=True),
        case("everywhere", "parameters of float32", dtype="float32"),
        case("everywhere", "a device other than the CPU (PyTorch's meta device)", device="meta"),
    ]


class LSTMWithGatesInAnotherOrder(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(4 * hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(4 * hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(4 * hidden_size))

    def forward(self, x, h0=None, c0=None):
        size = x.shape[0], self.weight_hh_l0.shape[1]
        h = x.new_zeros(size) if h0 is None else h0
        c = x.new_zeros(size) if c0 is None else c0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0
            i, f, o, g = a.chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h, c


class LSTMWithInputAndForgetExchanged(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(4 * hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(4 * hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(4 * hidden_size))

    def forward(self, x, h0=None, c0=None):
        size = x.shape[0], self.weight_hh_l0.shape[1]
        h = x.new_zeros(size) if h0 is None else h0
        c = x.new_zeros(size) if c0 is None else c0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0
            i, f, g, o = a.chunk(4, dim=1)
            c = torch.sigmoid(i) * c + torch.sigmoid(f) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h, c


class LSTMWithoutTanhOfTheCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(4 * hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(4 * hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(4 * hidden_size))

    def forward(self, x, h0=None, c0=None):
        size = x.shape[0], self.weight_hh_l0.shape[1]
        h = x.new_zeros(size) if h0 is None else h0
        c = x.new_zeros(size) if c0 is None else c0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0
            i, f, g, o = a.chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * c
            outputs.append(h)
        return torch.stack(outputs, dim=1), h, c


class LSTMWithOneBias(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(4 * hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(4 * hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(4 * hidden_size))

    def forward(self, x, h0=None, c0=None):
        size = x.shape[0], self.weight_hh_l0.shape[1]
        h = x.new_zeros(size) if h0 is None else h0
        c = x.new_zeros(size) if c0 is None else c0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T
            i, f, g, o = a.chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h, c


class LSTMFromAnEmptyCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(4 * hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(4 * hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(4 * hidden_size))

    def forward(self, x, h0=None, c0=None):
        size = x.shape[0], self.weight_hh_l0.shape[1]
        h = x.new_zeros(size) if h0 is None else h0
        c = x.new_zeros(size)
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0
            i, f, g, o = a.chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h, c


class LSTMThatDetachesItsCell(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(4 * hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(4 * hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(4 * hidden_size))

    def forward(self, x, h0=None, c0=None):
        size = x.shape[0], self.weight_hh_l0.shape[1]
        h = x.new_zeros(size) if h0 is None else h0
        c = x.new_zeros(size) if c0 is None else c0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0
            i, f, g, o = a.chunk(4, dim=1)
            c = torch.sigmoid(f) * c.detach() + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h, c


class LSTMThatDetachesItsOutput(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(4 * hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(4 * hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(4 * hidden_size))

    def forward(self, x, h0=None, c0=None):
        size = x.shape[0], self.weight_hh_l0.shape[1]
        h = x.new_zeros(size) if h0 is None else h0
        c = x.new_zeros(size) if c0 is None else c0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0 + h.detach() @ self.weight_hh_l0.T + self.bias_hh_l0
            i, f, g, o = a.chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h, c


class LSTMOfTheCPUOnly(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(4 * hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(4 * hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(4 * hidden_size))

    def forward(self, x, h0=None, c0=None):
        size = x.shape[0], self.weight_hh_l0.shape[1]
        h = torch.zeros(size, dtype=x.dtype) if h0 is None else h0
        c = torch.zeros(size, dtype=x.dtype) if c0 is None else c0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0
            i, f, g, o = a.chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), h, c


LSTM_LAYER = Exercise(
    name="LSTMLayer",
    kind="module",
    signature="LSTMLayer(input_size, hidden_size)",
    outputs=("h", "h_last", "c_last"),
    reference=ReferenceLayer,
    cases=layer_cases,
    groups=(
        Group("forward", "the outputs, from states of 0", 1.5),
        Group("initial", "given initial states", 0.5),
        Group("gradients", "autograd reaches every parameter, every step and both states", 2.0),
        Group("everywhere", "any dtype and any device", 1.0),
    ),
    forbidden=(
        "torch.nn.LSTM",
        "torch.nn.LSTMCell",
        "torch.nn.RNNBase",
        "torch.nn.RNNCellBase",
        "torch.lstm",
        "torch.lstm_cell",
        "torch._VF",
        "torch.nn.modules.rnn",
        "lstm_by_torch",
    ),
    misconceptions=(
        Misconception(
            "other-gate-order",
            "the four blocks stand for other gates",
            "The parameters have PyTorch's names and hence PyTorch's order. Which block is the candidate's?",
            TORCH,
            LSTMWithGatesInAnotherOrder,
        ),
        Misconception(
            "input-and-forget-exchanged",
            "the input gate keeps and the forget gate writes",
            "A forget bias of 50 should make the cell keep what it holds. What does it do in yours?",
            WRONG,
            LSTMWithInputAndForgetExchanged,
        ),
        Misconception(
            "cell-not-squashed",
            "the cell state reaches the output without tanh",
            "Begin with a c0 of 10 and open gates. Can an output be that large?",
            WRONG,
            LSTMWithoutTanhOfTheCell,
        ),
        Misconception(
            "one-bias",
            "only one of the two biases is used",
            "PyTorch keeps two bias vectors. Which of your parameters never appears in forward?",
            BIAS,
            LSTMWithOneBias,
        ),
        Misconception(
            "first-cell-ignored",
            "c0 is not used",
            "Two states can be handed in. In which line of forward does the second one appear?",
            TORCH,
            LSTMFromAnEmptyCell,
        ),
        Misconception(
            "detached-cell",
            "gradients do not go back along the cell path",
            "The outputs are right, so look at what is cut. Along which path should a gradient get through "
            "a hundred steps?",
            PATH,
            LSTMThatDetachesItsCell,
        ),
        Misconception(
            "detached-output",
            "gradients do not go back through the gates",
            "In 1997 gradients were cut off at the gates. Which call does that in yours, and is it asked for?",
            PATH,
            LSTMThatDetachesItsOutput,
        ),
        Misconception(
            "cpu-only",
            "it runs on the CPU only",
            "On which device does torch.zeros put its result when it is not told? Where does x live?",
            RNN,
            LSTMOfTheCPUOnly,
        ),
    ),
)


# --- my_sum -----------------------------------------------------------------------------------------------------------

STEPS = 30
# Always to say 1 is off by 0.408, to know one of the two numbers by 0.289. Six seeds of 1500 updates of Adam on batches
# of 50 with 24 units were off by 0.018 to 0.030.
SOLVED = Measure("rmse", full=0.06, none=0.25, floor=0.0005)


def adding(rng: np.random.Generator, N: int) -> tuple[np.ndarray, np.ndarray]:
    """``N`` sequences of numbers and marks, one mark in each half, ``(N, T, 2)``, and the sums of the marked two."""
    numbers, marks, rows = rng.uniform(size=(N, STEPS)), np.zeros((N, STEPS)), np.arange(N)
    marks[rows, rng.integers(0, STEPS // 2, size=N)] = 1
    marks[rows, rng.integers(STEPS // 2, STEPS, size=N)] = 1
    return np.stack([numbers, marks], axis=2), (numbers * marks).sum(axis=1)


def sum_cases(rng: np.random.Generator) -> list[Case]:
    x, y = adding(rng, 600)
    return [Case("unseen", "600 sequences that nobody has seen", {"args": [x]}, SOLVED, y)]


@functools.cache
def trained() -> tuple[nn.LSTM, nn.Linear]:
    """An LSTM that was trained as the notebook trains one, with PyTorch's own layer, which takes less time."""
    rng, H, updates = np.random.default_rng(0), 24, 1500
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer, readout = nn.LSTM(2, H, batch_first=True), nn.Linear(H, 1)
    parameters = dict(layer.named_parameters())
    with torch.no_grad():
        parameters["bias_ih_l0"][H : 2 * H], parameters["bias_hh_l0"][H : 2 * H] = 1.0, 0.0
    optimiser = torch.optim.Adam([*layer.parameters(), *readout.parameters()])
    for update in range(updates):
        optimiser.param_groups[0]["lr"] = 0.01 * (1 - 0.9 * update / updates)
        x, y = adding(rng, 50)
        loss = ((said(layer, readout, x) - torch.tensor(y, dtype=torch.float32)) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*layer.parameters(), *readout.parameters()], 1.0)
        optimiser.step()
    return layer, readout


def said(layer: nn.LSTM, readout: nn.Linear, x: np.ndarray) -> torch.Tensor:
    """What a layer with a readout says after the last step of ``x (N, T, 2)``: ``(N,)``."""
    h, _ = layer(torch.tensor(x, dtype=torch.float32))
    return readout(h[:, -1])[:, 0]


def right_sum(x):
    return said(*trained(), x).detach().numpy()


def sum_as_always_one(x):
    return np.ones(len(x))


def sum_of_the_second_alone(x):
    marked = x[:, :, 0] * x[:, :, 1]
    return marked[:, x.shape[1] // 2 :].sum(axis=1) + 0.5


def sum_of_the_first_alone(x):
    marked = x[:, :, 0] * x[:, :, 1]
    return marked[:, : x.shape[1] // 2].sum(axis=1) + 0.5


def sum_without_marks(x):
    return 2 * x[:, :, 0].mean(axis=1)


def sum_by_the_formula(x):
    return (x[:, :, 0] * x[:, :, 1]).sum(axis=1)


MY_SUM = Exercise(
    name="my_sum",
    kind="function",
    signature="my_sum(x)",
    outputs=("y_hat",),
    reference=right_sum,
    cases=sum_cases,
    groups=(Group("unseen", "the sums of sequences that nobody has seen", 4.0),),
    tolerance=0.03,  # a network that waits on the plateau does not say exactly 1
    misconceptions=(
        Misconception(
            "always-one",
            "it says about 1, whatever comes in",
            "To say 1 is the best guess of someone who has seen nothing. Does your loss leave that plateau, "
            "and how many updates did you wait?",
            ADDING,
            sum_as_always_one,
        ),
        Misconception(
            "second-number-only",
            "it knows the second of the two numbers only",
            "The first mark lies further back. What would help its gradient to get there, and where do the "
            "forget gates start?",
            FORGET,
            sum_of_the_second_alone,
        ),
        Misconception(
            "first-number-only",
            "it knows the first of the two numbers only",
            "From which step do you read the answer? Has the network seen the second mark by then?",
            ADDING,
            sum_of_the_first_alone,
        ),
        Misconception(
            "marks-ignored",
            "it is twice the mean of all numbers",
            "Move the marks and nothing changes. Which column of x does your answer not use?",
            ADDING,
            sum_without_marks,
        ),
        Misconception(
            "not-learned",
            "the sum is computed, not learned",
            "What is asked about is your network. Which line of my_sum uses a weight that was trained?",
            ADDING,
            sum_by_the_formula,
        ),
    ),
)

ASSIGNMENT = Assignment(
    name="lstm",
    exercises=(
        LSTM_STEP,
        LSTM_FORWARD,
        LSTM_STEP_BACKWARD,
        LSTM_BACKWARD,
        WEIGHTS_FROM_TORCH,
        SET_FORGET_BIAS,
        LSTM_LAYER,
        MY_SUM,
    ),
    data={},
)
