"""The exercises of the assignment on the types of recurrent network: four shapes, a masked loss, and a translator."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.func import functional_call

from autograde.exercises.definition import Assignment, Case, Exercise, Group, Measure, Misconception, OwnGradient
from solutions.with_numpy import rnn_types as reference
from solutions.with_torch.recurrent_neurons import RNN

PAGE = "rnn_types.html"
WRONG = f"{PAGE}#what-goes-wrong"
SHAPES = f"{PAGE}#feed-it-here-listen-there"
MASKS = f"{PAGE}#filling-and-masks"
FORCING = f"{PAGE}#what-a-decoder-reads-while-it-learns"
GREEDY = f"{PAGE}#greedy-and-beam"
ONCE = f"{PAGE}#how-much-can-anybody-know"


def layer_weights(rng: np.random.Generator, D: int, H: int) -> list[np.ndarray]:
    """``W_x, W_h, b`` with no symmetry that could hide a mistake; the bias keeps away from 0."""
    b = rng.uniform(0.3, 0.7, size=H) * rng.choice([-1, 1], size=H)
    return [rng.normal(size=(D, H)) / D**0.5, 0.9 * rng.normal(size=(H, H)) / H**0.5, b]


def readout_weights(rng: np.random.Generator, H: int, size: int) -> list[np.ndarray]:
    """``W_y, b_y``; the bias keeps away from 0."""
    return [rng.normal(size=(H, size)), rng.uniform(0.4, 0.9, size=size) * rng.choice([-1, 1], size=size)]


# --- sequence_to_sequence ---------------------------------------------------------------------------------------------


def sequence_case(
    rng: np.random.Generator, group: str, words: str, N=3, T=5, D=2, H=4, O=3, lengths=None, dtype=np.float64
) -> Case:
    """A layer that begins in a state other than 0, and its readout."""
    h0 = rng.uniform(0.3, 0.9, size=(N, H)) * rng.choice([-1, 1], size=(N, H))
    args = [rng.normal(size=(N, T, D)), h0, *layer_weights(rng, D, H), *readout_weights(rng, H, O)]
    args = [value.astype(dtype) for value in args]
    return Case(group, words, {"args": args if lengths is None else [*args, np.array(lengths)]})


def in_silence(case: Case) -> Case:
    """The same call with inputs, first state and the layer's bias at 0, and so with states of 0 at real steps."""
    x, h0, W_x, W_h, b, *rest = case.call["args"]
    return replace(case, call={"args": [0 * x, 0 * h0, W_x, W_h, 0 * b, *rest]})


def to_sequence_cases(rng: np.random.Generator) -> list[Case]:
    case = functools.partial(sequence_case, rng)
    return [
        case("steps", "three sequences of five steps"),
        case("steps", "two sequences of seven steps, with more inputs than neurons", N=2, T=7, D=6, H=3, O=5),
        case("lengths", "sequences of 5, 2 and 4 steps", lengths=[5, 2, 4]),
        case("lengths", "sequences of 1, 6, 0 and 3 steps", N=4, T=6, O=2, lengths=[1, 6, 0, 3]),
        in_silence(case("lengths", "sequences of 2 and 4 steps at which every neuron gives 0", N=2, lengths=[2, 4])),
        case("sizes", "one sequence of one step", N=1, T=1),
        case("sizes", "one neuron and one output", H=1, O=1),
        case("sizes", "arrays of float32", lengths=[3, 5, 1], dtype=np.float32),
    ]


def every_step_with_a_bias_after_the_end(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return h @ W_y + b_y


def every_step_without_lengths(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    state, y = h0, []
    for t in range(x.shape[1]):
        state = np.tanh(x[:, t] @ W_x + state @ W_h + b)
        y.append(state @ W_y + b_y)
    return np.stack(y, axis=1)


def every_step_read_at_the_end_alone(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state = h0
    for t in range(T):
        state = np.where((t < steps)[:, None], np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
    return state @ W_y + b_y


def every_step_without_a_bias(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return h @ W_y


def every_step_squashed(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, y = h0, np.zeros((N, T, len(b_y)))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        y[:, t] = np.where(running, np.tanh(state @ W_y + b_y), 0)
    return y


def every_step_read_one_step_late(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, y = h0, np.zeros((N, T, len(b_y)))
    for t in range(T):
        running = (t < steps)[:, None]
        y[:, t] = np.where(running, state @ W_y + b_y, 0)
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
    return y


def every_step_and_one_too_many(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, y = h0, np.zeros((N, T, len(b_y)))
    for t in range(T):
        running = (t <= steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        y[:, t] = np.where(running, state @ W_y + b_y, 0)
    return y


def every_step_whose_state_is_not_zero(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return np.where((h != 0).any(axis=-1, keepdims=True), h @ W_y + b_y, 0)


SEQUENCE_TO_SEQUENCE = Exercise(
    name="sequence_to_sequence",
    kind="function",
    signature="sequence_to_sequence(x, h0, W_x, W_h, b, W_y, b_y, lengths=None)",
    outputs=("y",),
    reference=lambda x, h0, W_x, W_h, b, W_y, b_y, lengths=None: reference.sequence_to_sequence(
        x, h0, W_x, W_h, b, W_y, b_y, lengths=lengths
    ),
    cases=to_sequence_cases,
    groups=(
        Group("steps", "an output for every step", 1.0),
        Group("lengths", "nothing after a sequence's end", 1.0),
        Group("sizes", "one step, one output, float32", 0.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "bias-after-the-end",
            "there is an output after a sequence's end",
            "After the end h is 0. What does the readout make of a state of zeros, and what is asked for there?",
            MASKS,
            every_step_with_a_bias_after_the_end,
        ),
        Misconception(
            "lengths-ignored",
            "lengths changes nothing",
            "A sequence of 2 steps stands in a batch of 5. What does your function give for its other steps?",
            MASKS,
            every_step_without_lengths,
        ),
        Misconception(
            "read-once",
            "only the last state is read",
            "This is the shape with one output a sequence. When do you listen in sequence to sequence?",
            SHAPES,
            every_step_read_at_the_end_alone,
        ),
        Misconception(
            "no-bias",
            "the readout has no bias",
            "What should an output be at a real step if every neuron gave 0?",
            SHAPES,
            every_step_without_a_bias,
        ),
        Misconception(
            "squashed",
            "the output is squashed",
            "Can your outputs leave the interval from -1 to 1? Does the equation of the readout keep them inside?",
            SHAPES,
            every_step_squashed,
        ),
        Misconception(
            "one-step-late",
            "each output comes from the state of the step before",
            "Change the last input of a sequence. Does its last output move?",
            SHAPES,
            every_step_read_one_step_late,
        ),
        Misconception(
            "one-step-too-long",
            "each sequence is read one step too long",
            "A sequence of length 2 has the steps t = 0 and t = 1. What does your comparison say at t = 2?",
            MASKS,
            every_step_and_one_too_many,
        ),
        Misconception(
            "state-as-mask",
            "a state of 0 is taken for the end of its sequence",
            "May the state of a real step be 0? What tells you for certain which steps are real?",
            MASKS,
            every_step_whose_state_is_not_zero,
        ),
    ),
)


# --- sequence_to_vector -----------------------------------------------------------------------------------------------


def to_vector_cases(rng: np.random.Generator) -> list[Case]:
    case = functools.partial(sequence_case, rng)
    return [
        case("whole", "three sequences of five steps"),
        case("whole", "two sequences of seven steps, with more inputs than neurons", N=2, T=7, D=6, H=3, O=5),
        case("lengths", "sequences of 5, 2 and 4 steps", lengths=[5, 2, 4]),
        case("lengths", "sequences of 1, 3, 6 and 2 steps", N=4, T=6, O=2, lengths=[1, 3, 6, 2]),
        case("edges", "sequences of 0, 3 and 4 steps", T=4, lengths=[0, 3, 4]),
        case("edges", "one sequence of one step, one neuron", N=1, T=1, H=1),
        case("edges", "arrays of float32", lengths=[3, 5, 1], dtype=np.float32),
    ]


def vector_of_the_last_column(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return h[:, -1] @ W_y + b_y


def vector_after_the_filling(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    state = h0
    for t in range(x.shape[1]):
        state = np.tanh(x[:, t] @ W_x + state @ W_h + b)
    return state @ W_y + b_y


def vector_of_the_mean_column(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return h.mean(axis=1) @ W_y + b_y


def vector_that_reads_zeros_at_length_zero(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        h[:, t] = np.where(running, state, 0)
    return h[np.arange(N), steps - 1] @ W_y + b_y


def vector_without_a_bias(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state = h0
    for t in range(T):
        state = np.where((t < steps)[:, None], np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
    return state @ W_y


def vector_from_every_step(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, y = h0, np.zeros((N, T, len(b_y)))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        y[:, t] = np.where(running, state @ W_y + b_y, 0)
    return y


def vector_of_the_filling_at_length_zero(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, h0.shape[1]))
    for t in range(T):
        state = np.tanh(x[:, t] @ W_x + state @ W_h + b)
        h[:, t] = state
    return h[np.arange(N), steps - 1] @ W_y + b_y


def vector_of_nothing_at_length_zero(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state = h0
    for t in range(T):
        state = np.where((t < steps)[:, None], np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
    return np.where((steps > 0)[:, None], state @ W_y + b_y, 0)


def vector_of_the_last_output(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, y = h0, np.zeros((N, T, len(b_y)))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, np.tanh(x[:, t] @ W_x + state @ W_h + b), state)
        y[:, t] = np.where(running, state @ W_y + b_y, 0)
    return y[:, -1]


SEQUENCE_TO_VECTOR = Exercise(
    name="sequence_to_vector",
    kind="function",
    signature="sequence_to_vector(x, h0, W_x, W_h, b, W_y, b_y, lengths=None)",
    outputs=("y",),
    reference=lambda x, h0, W_x, W_h, b, W_y, b_y, lengths=None: reference.sequence_to_vector(
        x, h0, W_x, W_h, b, W_y, b_y, lengths=lengths
    ),
    cases=to_vector_cases,
    groups=(
        Group("whole", "one output a sequence", 1.0),
        Group("lengths", "each sequence's own last step", 1.5),
        Group("edges", "a sequence without a step, a single step, float32", 1.0),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "last-column",
            "the last column of h is read",
            "What stands in the last column of h for a sequence that ended before it?",
            WRONG,
            vector_of_the_last_column,
        ),
        Misconception(
            "after-the-filling",
            "the filling is read before the state is",
            "Run one short sequence by itself, then in a batch with a longer one. Why do the two outputs differ?",
            WRONG,
            vector_after_the_filling,
        ),
        Misconception(
            "mean-of-the-columns",
            "the mean over all columns is read, the filling among them",
            "Which one state does this shape listen to, and what do columns of zeros do to a mean?",
            MASKS,
            vector_of_the_mean_column,
        ),
        Misconception(
            "length-zero-reads-zeros",
            "a sequence without a step is read as if its state were 0",
            "Which state has a sequence that has not taken a step yet, and does it stand in any column of h?",
            WRONG,
            vector_that_reads_zeros_at_length_zero,
        ),
        Misconception(
            "no-bias",
            "the readout has no bias",
            "What should the output be if every neuron of the last state gave 0?",
            SHAPES,
            vector_without_a_bias,
        ),
        Misconception(
            "read-at-every-step",
            "there is an output for every step",
            "This is sequence to sequence. How many outputs has one review, whatever its length?",
            SHAPES,
            vector_from_every_step,
        ),
        Misconception(
            "length-zero-reads-the-filling",
            "a sequence without a step is read after the filling",
            "For a length of 0, what is lengths - 1, and which column does Python take for it?",
            WRONG,
            vector_of_the_filling_at_length_zero,
        ),
        Misconception(
            "length-zero-gives-zero",
            "a sequence without a step gives 0",
            "It has a state all the same, the one that it began with. What does the readout make of it?",
            SHAPES,
            vector_of_nothing_at_length_zero,
        ),
        Misconception(
            "last-output-column",
            "the last column of the outputs is returned",
            "What stands in the last column of y for a sequence that ended before it?",
            WRONG,
            vector_of_the_last_output,
        ),
    ),
)


# --- vector_to_sequence -----------------------------------------------------------------------------------------------


def from_vector_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, steps=5, D=2, H=4, O=3, first=1.0, dtype=np.float64) -> Case:
        v, h0 = rng.normal(size=(N, D)), first * rng.uniform(0.3, 0.9, size=(N, H))
        weights = [*layer_weights(rng, D, H), *readout_weights(rng, H, O)]
        v, h0, *weights = [value.astype(dtype) for value in (v, h0, *weights)]
        return Case(group, words, {"args": [v, steps, h0, *weights]})

    return [
        case("steps", "five steps for each of three vectors, from a state of 0", first=0.0),
        case("steps", "five steps for each of three vectors"),
        case("steps", "nine steps for each of two vectors", N=2, steps=9, D=5, H=3, O=4),
        case("sizes", "a single step", steps=1),
        case("sizes", "one vector, one neuron, one output", N=1, steps=3, D=1, H=1, O=1),
        case("sizes", "arrays of float32", dtype=np.float32),
    ]


def vector_fed_only_once(v, steps, h0, W_x, W_h, b, W_y, b_y):
    state, y = h0, []
    for t in range(steps):
        state = np.tanh((v @ W_x if t == 0 else 0) + state @ W_h + b)
        y.append(state @ W_y + b_y)
    return np.stack(y, axis=1)


def vector_without_a_memory(v, steps, h0, W_x, W_h, b, W_y, b_y):
    y = np.tanh(v @ W_x + h0 @ W_h + b) @ W_y + b_y
    return np.repeat(y[:, None], steps, axis=1)


def vector_from_a_state_of_zero(v, steps, h0, W_x, W_h, b, W_y, b_y):
    state, y = np.zeros_like(h0), []
    for _ in range(steps):
        state = np.tanh(v @ W_x + state @ W_h + b)
        y.append(state @ W_y + b_y)
    return np.stack(y, axis=1)


def vector_read_at_the_end_alone(v, steps, h0, W_x, W_h, b, W_y, b_y):
    state = h0
    for _ in range(steps):
        state = np.tanh(v @ W_x + state @ W_h + b)
    return state @ W_y + b_y


def vector_with_the_first_state_read_too(v, steps, h0, W_x, W_h, b, W_y, b_y):
    state, y = h0, [h0 @ W_y + b_y]
    for _ in range(steps):
        state = np.tanh(v @ W_x + state @ W_h + b)
        y.append(state @ W_y + b_y)
    return np.stack(y, axis=1)


def vector_with_steps_in_front(v, steps, h0, W_x, W_h, b, W_y, b_y):
    state, y = h0, []
    for _ in range(steps):
        state = np.tanh(v @ W_x + state @ W_h + b)
        y.append(state @ W_y + b_y)
    return np.array(y)


def vector_mixed_with_others(v, steps, h0, W_x, W_h, b, W_y, b_y):
    x = np.tile(v, (steps, 1)).reshape(len(v), steps, -1)
    state, y = h0, []
    for t in range(steps):
        state = np.tanh(x[:, t] @ W_x + state @ W_h + b)
        y.append(state @ W_y + b_y)
    return np.stack(y, axis=1)


VECTOR_TO_SEQUENCE = Exercise(
    name="vector_to_sequence",
    kind="function",
    signature="vector_to_sequence(v, steps, h0, W_x, W_h, b, W_y, b_y)",
    outputs=("y",),
    reference=reference.vector_to_sequence,
    cases=from_vector_cases,
    groups=(
        Group("steps", "the same vector at every step, an output at every step", 1.5),
        Group("sizes", "a single step, a single neuron, float32", 1.0),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "fed-once",
            "the vector is fed at the first step only",
            "The vector has no place in time. At which of the steps is it there?",
            SHAPES,
            vector_fed_only_once,
        ),
        Misconception(
            "no-memory",
            "every output is the same",
            "The input is the same at every step, but is the state? Which state does your second step begin with?",
            SHAPES,
            vector_without_a_memory,
        ),
        Misconception(
            "starts-at-zero",
            "h0 is not used",
            "Which state does your first step see, and which one was passed in?",
            WRONG,
            vector_from_a_state_of_zero,
        ),
        Misconception(
            "read-once",
            "only the last state is read",
            "How many letters has the name that the network is to spell, and how many outputs do you return?",
            SHAPES,
            vector_read_at_the_end_alone,
        ),
        Misconception(
            "first-state-read",
            "the state before the first step is read too",
            "Has the layer seen the vector when it is in the state h0? How many outputs do you return for one step?",
            SHAPES,
            vector_with_the_first_state_read_too,
        ),
        Misconception(
            "steps-first",
            "the steps stand before the sequences",
            "Compare the shape that you return with the one that is asked for: which axis is the batch?",
            SHAPES,
            vector_with_steps_in_front,
        ),
        Misconception(
            "vectors-mixed",
            "a sequence is fed the vectors of others",
            "Print the inputs that you made for the first sequence. Are they the same vector at every step?",
            SHAPES,
            vector_mixed_with_others,
        ),
    ),
)


# --- masked_cross_entropy ---------------------------------------------------------------------------------------------


def loss_arguments(
    rng: np.random.Generator,
    N=3,
    T=5,
    V=4,
    lengths=None,
    scale=1.5,
    filling: int | None = None,
    louder=3.0,
    dtype=np.float64,
) -> list[np.ndarray]:
    """``logits, targets`` and, where given, ``lengths``; in the filling stand louder scores and other targets."""
    logits, targets = scale * rng.normal(size=(N, T, V)), rng.integers(V, size=(N, T))
    if lengths is None:
        return [logits.astype(dtype), targets]
    after = np.arange(T) >= np.array(lengths)[:, None]
    logits[after] *= louder
    if filling is not None:
        targets[after] = filling
    return [logits.astype(dtype), targets, np.array(lengths)]


def loss_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, **sizes) -> Case:
        return Case(group, words, {"args": loss_arguments(rng, **sizes)})

    return [
        case("real", "three sequences of five steps, all of them real"),
        case("real", "scores of thirteen tokens", N=2, T=4, V=13),
        case("mask", "sequences of 5, 1 and 3 steps", lengths=[5, 1, 3]),
        case("mask", "a batch with more filling than steps", N=4, T=9, V=6, lengths=[2, 1, 3, 9]),
        case("mask", "targets of -1 in the filling", lengths=[2, 5, 4], filling=-1),
        case("edges", "scores of a thousand and more", scale=1500.0),
        case("edges", "scores of nan in the filling", lengths=[3, 5, 2], louder=np.nan),
        case("edges", "a sequence without a step", N=3, T=4, V=5, lengths=[0, 4, 2]),
        case("edges", "a batch without a single real step", N=2, T=3, lengths=[0, 0]),
        case("edges", "one step, two tokens", N=1, T=1, V=2),
        case("edges", "scores of float32", lengths=[4, 5, 2], dtype=np.float32),
    ]


def loss_with_the_filling_as_success(logits, targets, lengths=None):
    N, T, _ = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    lowered = logits - logits.max(axis=-1, keepdims=True)
    log_p = lowered - np.log(np.exp(lowered).sum(axis=-1, keepdims=True))
    losses = -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return np.where(np.arange(T) < steps[:, None], losses, 0).mean()


def loss_of_the_filling_too(logits, targets, lengths=None):
    lowered = logits - logits.max(axis=-1, keepdims=True)
    log_p = lowered - np.log(np.exp(lowered).sum(axis=-1, keepdims=True))
    return -np.take_along_axis(log_p, targets[..., None], axis=-1).mean()


def loss_as_a_mean_of_means(logits, targets, lengths=None):
    N, T, _ = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    lowered = logits - logits.max(axis=-1, keepdims=True)
    log_p = lowered - np.log(np.exp(lowered).sum(axis=-1, keepdims=True))
    losses = -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return (np.where(np.arange(T) < steps[:, None], losses, 0).sum(axis=1) / np.maximum(steps, 1)).mean()


def loss_as_a_sum(logits, targets, lengths=None):
    N, T, _ = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    lowered = logits - logits.max(axis=-1, keepdims=True)
    log_p = lowered - np.log(np.exp(lowered).sum(axis=-1, keepdims=True))
    losses = -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return np.where(np.arange(T) < steps[:, None], losses, 0).sum()


def loss_with_the_sign_turned(logits, targets, lengths=None):
    N, T, _ = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    lowered = logits - logits.max(axis=-1, keepdims=True)
    log_p = lowered - np.log(np.exp(lowered).sum(axis=-1, keepdims=True))
    picked = np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return np.where(np.arange(T) < steps[:, None], picked, 0).sum() / max(steps.sum(), 1)


def loss_of_the_score_alone(logits, targets, lengths=None):
    N, T, _ = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    losses = -np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return np.where(np.arange(T) < steps[:, None], losses, 0).sum() / max(steps.sum(), 1)


def loss_without_a_logarithm(logits, targets, lengths=None):
    N, T, _ = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = p / p.sum(axis=-1, keepdims=True)
    losses = 1 - np.take_along_axis(p, targets[..., None], axis=-1)[..., 0]
    return np.where(np.arange(T) < steps[:, None], losses, 0).sum() / max(steps.sum(), 1)


def loss_for_each_sequence(logits, targets, lengths=None):
    N, T, _ = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    lowered = logits - logits.max(axis=-1, keepdims=True)
    log_p = lowered - np.log(np.exp(lowered).sum(axis=-1, keepdims=True))
    losses = -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return np.where(np.arange(T) < steps[:, None], losses, 0).sum() / N


def loss_as_a_mean_of_the_means_that_exist(logits, targets, lengths=None):
    N, T, _ = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    lowered = logits - logits.max(axis=-1, keepdims=True)
    log_p = lowered - np.log(np.exp(lowered).sum(axis=-1, keepdims=True))
    losses = -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    means = np.where(np.arange(T) < steps[:, None], losses, 0).sum(axis=1) / np.maximum(steps, 1)
    return means.sum() / max((steps > 0).sum(), 1)


def loss_with_the_filling_as_a_loss_of_zero(logits, targets, lengths=None):
    N, T, _ = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    lowered = logits - logits.max(axis=-1, keepdims=True)
    log_p = lowered - np.log(np.exp(lowered).sum(axis=-1, keepdims=True))
    losses = -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return (losses * (np.arange(T) < steps[:, None])).mean()


def loss_with_a_mask_that_multiplies(logits, targets, lengths=None):
    N, T, _ = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    lowered = logits - logits.max(axis=-1, keepdims=True)
    log_p = lowered - np.log(np.exp(lowered).sum(axis=-1, keepdims=True))
    losses = -np.take_along_axis(log_p, targets[..., None], axis=-1)[..., 0]
    return (losses * (np.arange(T) < steps[:, None])).sum() / max(steps.sum(), 1)


MASKED_CROSS_ENTROPY = Exercise(
    name="masked_cross_entropy",
    kind="function",
    signature="masked_cross_entropy(logits, targets, lengths=None)",
    outputs=("loss",),
    reference=lambda *args: reference.masked_cross_entropy(*args)[0],
    cases=loss_cases,
    groups=(
        Group("real", "the mean over steps that are all real", 1.0),
        Group("mask", "the filling does not count", 1.5),
        Group("edges", "huge scores, nan in the filling, no step at all, float32", 1.0),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "filling-is-success",
            "the filling counts as steps without a loss",
            "Make the batch longer by a hundred steps of filling. What becomes of the number that you divide by?",
            WRONG,
            loss_with_the_filling_as_success,
        ),
        Misconception(
            "filling-counts",
            "the filling counts like any step",
            "Change a score in the filling. Why does the loss move?",
            MASKS,
            loss_of_the_filling_too,
        ),
        Misconception(
            "mean-of-means",
            "every sequence weighs the same, whatever its length",
            "Of a sequence of 1 step and one of 9, which of the ten steps weighs most in your mean?",
            MASKS,
            loss_as_a_mean_of_means,
        ),
        Misconception(
            "sum",
            "the losses are added up and not averaged",
            "Would your loss be twice as large for twice as many steps that are no worse?",
            MASKS,
            loss_as_a_sum,
        ),
        Misconception(
            "sign",
            "the loss has the wrong sign",
            "The logarithm of a probability is never above 0. Should a loss fall or rise when the right token gains?",
            MASKS,
            loss_with_the_sign_turned,
        ),
        Misconception(
            "no-softmax",
            "the scores are taken for logarithms of probabilities",
            "Add 5 to all scores of one step: does a softmax notice, and does your loss?",
            MASKS,
            loss_of_the_score_alone,
        ),
        Misconception(
            "no-logarithm",
            "there is no logarithm",
            "What should a step cost whose true token has almost no probability: about 1, or much more?",
            MASKS,
            loss_without_a_logarithm,
        ),
        Misconception(
            "divided-by-the-sequences",
            "the sum is divided by the number of sequences",
            "Make every sequence twice as long, with steps that are no worse. Should the loss double?",
            MASKS,
            loss_for_each_sequence,
        ),
        Misconception(
            "mean-of-means-that-exist",
            "a step of a short sequence weighs more than one of a long sequence",
            "Of a sequence of 1 step and one of 9, which of the ten steps weighs most in your mean?",
            MASKS,
            loss_as_a_mean_of_the_means_that_exist,
        ),
        Misconception(
            "filling-times-zero",
            "the filling is multiplied by 0, and counts as steps without a loss",
            "By how many steps do you divide, and what is 0 times nan?",
            WRONG,
            loss_with_the_filling_as_a_loss_of_zero,
        ),
        Misconception(
            "mask-multiplies",
            "the filling is multiplied by 0, which does not take it away",
            "Whatever stands in the filling must not matter. What is 0 times nan, and which function chooses instead?",
            WRONG,
            loss_with_a_mask_that_multiplies,
        ),
    ),
)


# --- masked_cross_entropy_backward ------------------------------------------------------------------------------------


def loss_backward_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, dloss: float | None = None, dtype=np.float64, **sizes) -> Case:
        upstream = rng.uniform(15, 30) * rng.choice([-1, 1]) if dloss is None else dloss
        args = loss_arguments(rng, dtype=dtype, **sizes)
        return Case(group, words, {"args": [np.array(upstream, dtype=dtype), *args]})

    return [
        case("real", "three sequences of five steps, with an upstream gradient of 1", dloss=1.0),
        case("real", "scores of thirteen tokens, with an upstream gradient of 1", dloss=1.0, N=2, T=4, V=13),
        case("upstream", "an upstream gradient other than 1"),
        case("mask", "sequences of 5, 1 and 3 steps", lengths=[5, 1, 3]),
        case("mask", "a batch with more filling than steps", N=4, T=9, V=6, lengths=[2, 1, 3, 9]),
        case("mask", "targets of -1 in the filling", lengths=[2, 5, 4], filling=-1),
        case("edges", "scores of a thousand and more", scale=1500.0),
        case("edges", "a batch with a single real step", N=2, T=3, lengths=[0, 1]),
        case("edges", "a batch without a single real step", N=2, T=3, lengths=[0, 0]),
        case("edges", "scores of float32", lengths=[4, 5, 2], dtype=np.float32),
    ]


def loss_gradient_without_upstream(dloss, logits, targets, lengths=None):
    N, T, V = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    d = p / p.sum(axis=-1, keepdims=True) - np.eye(V)[targets]
    return np.where((np.arange(T) < steps[:, None])[..., None], d, 0) / max(steps.sum(), 1)


def loss_gradient_without_the_target(dloss, logits, targets, lengths=None):
    N, T, _ = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    d = p / p.sum(axis=-1, keepdims=True)
    return dloss * np.where((np.arange(T) < steps[:, None])[..., None], d, 0) / max(steps.sum(), 1)


def loss_gradient_of_the_target_alone(dloss, logits, targets, lengths=None):
    N, T, V = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    d = (p / p.sum(axis=-1, keepdims=True) - 1) * np.eye(V)[targets]
    return dloss * np.where((np.arange(T) < steps[:, None])[..., None], d, 0) / max(steps.sum(), 1)


def loss_gradient_with_the_sign_turned(dloss, logits, targets, lengths=None):
    N, T, V = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    d = np.eye(V)[targets] - p / p.sum(axis=-1, keepdims=True)
    return dloss * np.where((np.arange(T) < steps[:, None])[..., None], d, 0) / max(steps.sum(), 1)


def loss_gradient_of_a_sum(dloss, logits, targets, lengths=None):
    N, T, V = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    d = p / p.sum(axis=-1, keepdims=True) - np.eye(V)[targets]
    return dloss * np.where((np.arange(T) < steps[:, None])[..., None], d, 0)


def loss_gradient_with_the_filling_counted(dloss, logits, targets, lengths=None):
    N, T, V = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    d = p / p.sum(axis=-1, keepdims=True) - np.eye(V)[targets]
    return dloss * np.where((np.arange(T) < steps[:, None])[..., None], d, 0) / (N * T)


def loss_gradient_in_the_filling(dloss, logits, targets, lengths=None):
    N, T, V = logits.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    d = p / p.sum(axis=-1, keepdims=True) - np.eye(V)[targets]
    return dloss * d / max(steps.sum(), 1)


MASKED_CROSS_ENTROPY_BACKWARD = Exercise(
    name="masked_cross_entropy_backward",
    kind="function",
    signature="masked_cross_entropy_backward(dloss, logits, targets, lengths=None)",
    outputs=("dlogits",),
    reference=lambda dloss, *args: dloss * reference.masked_cross_entropy(*args)[1],
    cases=loss_backward_cases,
    groups=(
        Group("real", "the gradient at steps that are all real", 1.0),
        Group("upstream", "what comes from above is passed on", 0.5),
        Group("mask", "no gradient in the filling", 1.0),
        Group("edges", "huge scores, no step at all, float32", 0.5),
        Group("own", "fits your own masked_cross_entropy", 0.5, property="own_gradient"),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    own=OwnGradient(
        forward="masked_cross_entropy",
        outputs=("loss",),
        gradients={"dlogits": 0},
        group="mask",
    ),
    misconceptions=(
        Misconception(
            "upstream-dropped",
            "dloss is not used",
            "If the loss counts three times in what comes after it, what becomes of every gradient below it?",
            MASKS,
            loss_gradient_without_upstream,
        ),
        Misconception(
            "target-missing",
            "the target plays no part",
            "Add up your gradient over the tokens of one step. Which sum should it be if all scores may rise together?",
            MASKS,
            loss_gradient_without_the_target,
        ),
        Misconception(
            "others-missing",
            "only the score of the true token has a gradient",
            "When the score of a wrong token rises, what happens to the probability of the right one?",
            MASKS,
            loss_gradient_of_the_target_alone,
        ),
        Misconception(
            "sign",
            "the gradient points the wrong way",
            "One step against the gradient should make the true token likelier. Does yours?",
            MASKS,
            loss_gradient_with_the_sign_turned,
        ),
        Misconception(
            "of-a-sum",
            "the gradient is that of a sum, not of a mean",
            "By what does the forward pass divide, and where is that in your gradient?",
            MASKS,
            loss_gradient_of_a_sum,
        ),
        Misconception(
            "filling-counted",
            "the mean is taken over the filling too",
            "Make the batch longer by a hundred steps of filling: should the gradient at the real steps shrink?",
            WRONG,
            loss_gradient_with_the_filling_counted,
        ),
        Misconception(
            "filling-learns",
            "there is a gradient in the filling",
            "The loss does not depend on what stands after an end. What is its derivative there?",
            MASKS,
            loss_gradient_in_the_filling,
        ),
    ),
)


# --- decoder_inputs ---------------------------------------------------------------------------------------------------


def inputs_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, T=6, start: int | None = None) -> Case:
        targets = 100 + rng.permutation(N * T).reshape(N, T)
        return Case(group, words, {"args": [targets, int(rng.integers(300, 400)) if start is None else start]})

    return [
        case("shift", "three sequences of six tokens"),
        case("shift", "four sequences of three tokens", N=4, T=3),
        case("sizes", "sequences of one token", T=1),
        case("sizes", "one sequence, and a start token of 0", N=1, start=0),
    ]


def inputs_that_are_the_targets(targets, start):
    return targets.copy()


def inputs_one_step_early(targets, start):
    return np.concatenate([targets[:, 1:], np.full((len(targets), 1), start)], axis=1)


def inputs_rolled_round(targets, start):
    return np.roll(targets, 1, axis=1)


def inputs_with_all_targets(targets, start):
    return np.concatenate([np.full((len(targets), 1), start), targets], axis=1)


def inputs_with_the_first_replaced(targets, start):
    inputs = targets.copy()
    inputs[:, 0] = start
    return inputs


def inputs_that_begin_with_zero(targets, start):
    return np.concatenate([np.zeros((len(targets), 1), targets.dtype), targets[:, :-1]], axis=1)


DECODER_INPUTS = Exercise(
    name="decoder_inputs",
    kind="function",
    signature="decoder_inputs(targets, start)",
    outputs=("tokens",),
    reference=reference.shifted,
    cases=inputs_cases,
    groups=(
        Group("shift", "the true tokens, each one step late", 1.0),
        Group("sizes", "one token, one sequence", 0.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "reads-its-target",
            "at each step the decoder reads the token that it should write",
            "Change the last target. Does an input change, and what would a decoder learn from that?",
            WRONG,
            inputs_that_are_the_targets,
        ),
        Misconception(
            "one-step-early",
            "the decoder reads tokens that are still to come",
            "When the decoder is to write its first token, which tokens have been written already?",
            FORCING,
            inputs_one_step_early,
        ),
        Misconception(
            "rolled-round",
            "the last target comes back as the first input",
            "Which token is there before anything has been written, and where does np.roll put the last one?",
            FORCING,
            inputs_rolled_round,
        ),
        Misconception(
            "one-too-many",
            "there is an input too many",
            "After which of its targets has the decoder nothing left to write?",
            FORCING,
            inputs_with_all_targets,
        ),
        Misconception(
            "first-replaced",
            "the start token takes the place of the first target",
            "Which token should be read at the second step, and does it still stand anywhere in your result?",
            FORCING,
            inputs_with_the_first_replaced,
        ),
        Misconception(
            "start-not-used",
            "the first input is 0, whatever start is",
            "Call it with two different start tokens. Does anything change?",
            FORCING,
            inputs_that_begin_with_zero,
        ),
    ),
)


# --- greedy_decode ----------------------------------------------------------------------------------------------------

START_TOKEN = 2  # of the drawn decoders, which never write it


def greedy_reference(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    step = reference.rnn_decoder(E, W_x, W_h, b, W_y, b_y)
    return reference.greedy_decode(step, h, start, end, steps)[:2]


def decoder(rng: np.random.Generator, V: int, D: int, H: int, end: int, ends: float) -> list[np.ndarray]:
    """``E, W_x, W_h, b, W_y, b_y`` of a decoder that keeps changing its token; ``ends`` is added to the end's score."""
    W_x, W_h, b = layer_weights(rng, D, H)
    W_y, b_y = readout_weights(rng, H, V)
    b_y[START_TOKEN], b_y[end] = -30.0, b_y[end] + ends
    return [rng.normal(size=(V, D)), W_x, 2 * W_h, b, 2 * W_y, b_y]


def smallest_lead(h: np.ndarray, weights: list[np.ndarray], tokens: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """For each row the smallest lead of a written token's score over the next best: ties would be a matter of luck."""
    E, W_x, W_h, b, W_y, b_y = weights
    read = reference.shifted(tokens, START_TOKEN)
    lead = np.full(len(h), np.inf)
    for t in range(tokens.shape[1]):
        h = np.tanh(E[read[:, t]] @ W_x + h @ W_h + b)
        scores = np.sort(h @ W_y + b_y, axis=1)
        lead = np.where(t < lengths, np.minimum(lead, scores[:, -1] - scores[:, -2]), lead)
    return lead


def decoding(
    rng: np.random.Generator, lengths: Sequence[int], steps: int, V=9, D=3, H=6, end=0, ends=0.0, dtype=np.float64
) -> list:
    """Draw a decoder and first states from which it writes just so many tokens; ``steps + 1`` is one without an end."""
    while True:
        weights = decoder(rng, V, D, H, end, ends)
        h = rng.uniform(-0.95, 0.95, size=(200, H))
        E, W_x, W_h, b, W_y, b_y = weights
        tokens, found = greedy_reference(h, E, W_x, W_h, b, W_y, b_y, START_TOKEN, end, steps)
        written = np.where(tokens[:, -1] == end, found, steps + 1)
        clear = smallest_lead(h, weights, tokens, found) > 0.05
        lively = np.array([len(set(row)) >= min(3, length) for row, length in zip(tokens.tolist(), found)])
        rows: list[int] = []
        for length in lengths:
            fit = np.nonzero((written == length) & clear & lively)[0].tolist()
            rows += [row for row in fit if tokens[row].tolist() not in tokens[rows].tolist()][:1]
        if len(rows) == len(lengths):
            return [value.astype(dtype) for value in (h[rows], *weights)] + [START_TOKEN, end, steps]


def greedy_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, *lengths: int, **sizes) -> Case:
        return Case(group, words, {"args": decoding(rng, lengths, **sizes)})

    return [
        case("writes", "three sequences that do not end within the steps", 7, 7, 7, steps=6, ends=-20.0),
        case("writes", "two sequences that do not end within the steps", 10, 10, steps=9, V=7, D=5, H=4, ends=-20.0),
        case("ends", "sequences of which one ends at once, and one not at all", 4, 1, 8, 3, steps=7, end=3),
        case("ends", "sequences that all end before the steps are used up", 3, 5, 1, steps=8, end=5),
        case("sizes", "one sequence that ends with the last step", 4, steps=4, end=1),
        case("sizes", "a single step", 1, 2, steps=1, end=4),
        case("sizes", "arrays of float32", 3, 6, 1, steps=5, end=3, dtype=np.float32),
    ]


def greedy_that_never_stops(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    token, columns = np.full(len(h), start), []
    for _ in range(steps):
        h = np.tanh(E[token] @ W_x + h @ W_h + b)
        token = (h @ W_y + b_y).argmax(axis=1)
        columns.append(token)
    tokens = np.stack(columns, axis=1)
    ended = tokens == end
    return tokens, np.where(ended.any(axis=1), ended.argmax(axis=1) + 1, steps)


def greedy_with_the_end_not_counted(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    token, alive = np.full(len(h), start), np.ones(len(h), bool)
    tokens, lengths = np.full((len(h), steps), end), np.zeros(len(h), int)
    for t in range(steps):
        h = np.tanh(E[token] @ W_x + h @ W_h + b)
        token = np.where(alive, (h @ W_y + b_y).argmax(axis=1), end)
        alive = token != end
        tokens[:, t] = token
        lengths += alive
    return tokens, lengths


def greedy_from_a_state_of_zero(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    h = np.zeros_like(h)
    token, alive = np.full(len(h), start), np.ones(len(h), bool)
    tokens, lengths = np.full((len(h), steps), end), np.zeros(len(h), int)
    for t in range(steps):
        h = np.tanh(E[token] @ W_x + h @ W_h + b)
        token = np.where(alive, (h @ W_y + b_y).argmax(axis=1), end)
        lengths += alive
        alive = token != end
        tokens[:, t] = token
    return tokens, lengths


def greedy_that_always_reads_the_start(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    alive = np.ones(len(h), bool)
    tokens, lengths = np.full((len(h), steps), end), np.zeros(len(h), int)
    for t in range(steps):
        h = np.tanh(E[start] @ W_x + h @ W_h + b)
        token = np.where(alive, (h @ W_y + b_y).argmax(axis=1), end)
        lengths += alive
        alive = token != end
        tokens[:, t] = token
    return tokens, lengths


def greedy_without_a_memory(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    token, alive = np.full(len(h), start), np.ones(len(h), bool)
    tokens, lengths = np.full((len(h), steps), end), np.zeros(len(h), int)
    for t in range(steps):
        token = np.where(alive, (np.tanh(E[token] @ W_x + h @ W_h + b) @ W_y + b_y).argmax(axis=1), end)
        lengths += alive
        alive = token != end
        tokens[:, t] = token
    return tokens, lengths


def greedy_that_stops_with_the_first(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    token = np.full(len(h), start)
    tokens, lengths = np.full((len(h), steps), end), np.zeros(len(h), int)
    for t in range(steps):
        h = np.tanh(E[token] @ W_x + h @ W_h + b)
        token = (h @ W_y + b_y).argmax(axis=1)
        tokens[:, t] = token
        lengths += 1
        if (token == end).any():
            break
    return tokens, lengths


def greedy_with_zeros_after_the_end(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    token, alive = np.full(len(h), start), np.ones(len(h), bool)
    tokens, lengths = np.zeros((len(h), steps), int), np.zeros(len(h), int)
    for t in range(steps):
        h = np.tanh(E[token] @ W_x + h @ W_h + b)
        token = np.where(alive, (h @ W_y + b_y).argmax(axis=1), 0)
        lengths += alive
        alive = alive & (token != end)
        tokens[:, t] = token
    return tokens, lengths


def greedy_with_lengths_up_to_the_limit(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    token, alive = np.full(len(h), start), np.ones(len(h), bool)
    tokens, lengths = np.full((len(h), steps), end), np.zeros(len(h), int)
    for t in range(steps):
        h = np.tanh(E[token] @ W_x + h @ W_h + b)
        token = np.where(alive, (h @ W_y + b_y).argmax(axis=1), end)
        alive = token != end
        tokens[:, t] = token
        lengths += 1
    return tokens, lengths


def greedy_without_a_bias(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    token, alive = np.full(len(h), start), np.ones(len(h), bool)
    tokens, lengths = np.full((len(h), steps), end), np.zeros(len(h), int)
    for t in range(steps):
        h = np.tanh(E[token] @ W_x + h @ W_h + b)
        token = np.where(alive, (h @ W_y).argmax(axis=1), end)
        lengths += alive
        alive = token != end
        tokens[:, t] = token
    return tokens, lengths


def greedy_that_keeps_what_it_reads(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    token, alive = np.full(len(h), start), np.ones(len(h), bool)
    tokens, lengths = np.full((len(h), steps), end), np.zeros(len(h), int)
    for t in range(steps):
        tokens[:, t] = token
        h = np.tanh(E[token] @ W_x + h @ W_h + b)
        token = np.where(alive, (h @ W_y + b_y).argmax(axis=1), end)
        lengths += alive
        alive = token != end
    return tokens, lengths


def greedy_that_leaves_the_others_unfinished(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    token = np.full(len(h), start)
    tokens, lengths = np.full((len(h), steps), end), np.full(len(h), steps)
    for t in range(steps):
        h = np.tanh(E[token] @ W_x + h @ W_h + b)
        token = (h @ W_y + b_y).argmax(axis=1)
        tokens[:, t] = token
        lengths[token == end] = t + 1
        if (token == end).any():
            break
    return tokens, lengths


GREEDY_DECODE = Exercise(
    name="greedy_decode",
    kind="function",
    signature="greedy_decode(h, E, W_x, W_h, b, W_y, b_y, start, end, steps)",
    outputs=("tokens", "lengths"),
    reference=greedy_reference,
    cases=greedy_cases,
    groups=(
        Group("writes", "a token at every step, which the next step reads", 2.0),
        Group("ends", "each sequence stops at its own end", 2.0),
        Group("sizes", "one sequence, one step, float32", 0.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "never-stops",
            "a sequence goes on after its end",
            "Allow more steps than are needed: what stands behind the first end token, and what should stand there?",
            WRONG,
            greedy_that_never_stops,
        ),
        Misconception(
            "end-not-counted",
            "the end token is missing from the lengths",
            "The end is a token that the decoder writes. How many has it written when it ends at once?",
            GREEDY,
            greedy_with_the_end_not_counted,
        ),
        Misconception(
            "first-state-lost",
            "the decoder starts from a state of 0",
            "Two sources give two first states. Why do your sequences all begin with the same token?",
            WRONG,
            greedy_from_a_state_of_zero,
        ),
        Misconception(
            "reads-the-start-only",
            "the decoder does not hear itself",
            "Which token does your second step read, and which one was written by the first?",
            SHAPES,
            greedy_that_always_reads_the_start,
        ),
        Misconception(
            "no-memory",
            "every step begins with the encoder's state",
            "Which name in your loop holds the new state, and which one does the next step use?",
            SHAPES,
            greedy_without_a_memory,
        ),
        Misconception(
            "stops-with-the-first",
            "one sequence that ends stops them all",
            "Decode two sequences together and each by itself. Why is the longer one cut short in company?",
            GREEDY,
            greedy_that_stops_with_the_first,
        ),
        Misconception(
            "zeros-after-the-end",
            "after the end stands 0 and not the end token",
            "Is 0 always the number of the end token, or was the end passed in?",
            GREEDY,
            greedy_with_zeros_after_the_end,
        ),
        Misconception(
            "lengths-run-on",
            "the lengths do not stop at the first end",
            "Which of the end tokens in a row has the decoder written, and which are only there to fill it up?",
            GREEDY,
            greedy_with_lengths_up_to_the_limit,
        ),
        Misconception(
            "no-bias",
            "the readout has no bias",
            "Which of the arguments plays no part in your scores?",
            SHAPES,
            greedy_without_a_bias,
        ),
        Misconception(
            "reads-kept",
            "the tokens that were read are kept, not those that were written",
            "What is the first column of your tokens, whatever the weights are?",
            GREEDY,
            greedy_that_keeps_what_it_reads,
        ),
        Misconception(
            "others-unfinished",
            "the loop ends with the first sequence that ends",
            "Which condition ends your loop: that any sequence has ended, or that all have?",
            GREEDY,
            greedy_that_leaves_the_others_unfinished,
        ),
    ),
)


# --- EncoderDecoder ---------------------------------------------------------------------------------------------------


class ReferenceEncoderDecoder(nn.Module):
    """The course's recurrent layer as encoder and as decoder, under the names and shapes that the assignment asks for.

    Its weights are stored ``(from, to)``, and it has one bias a layer.
    """

    def __init__(self, source_size: int, target_size: int, hidden_size: int) -> None:
        super().__init__()
        H = hidden_size
        shapes = {
            "encoder_W_x": (source_size, H),
            "encoder_W_h": (H, H),
            "encoder_b": (H,),
            "decoder_W_x": (target_size, H),
            "decoder_W_h": (H, H),
            "decoder_b": (H,),
            "W_y": (H, target_size),
            "b_y": (target_size,),
        }
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))
        # In a tuple, so that their own parameters are none of this module's.
        self.layers = (RNN(source_size, H, batch_first=True), RNN(target_size, H, batch_first=True))

    def forward(self, x, y_in, lengths=None):
        # On the meta device there are no lengths to look at, and the scores' device is all that counts.
        lengths = None if lengths is None or lengths.is_meta else lengths.detach().to(torch.long)
        _, state = self.run("encoder", x, None, lengths)
        h, _ = self.run("decoder", y_in, state, None)
        return h @ self.W_y + self.b_y

    def run(self, part, x, h0, lengths):
        b = getattr(self, f"{part}_b")
        weights = {
            "weight_ih_l0": getattr(self, f"{part}_W_x").T,
            "weight_hh_l0": getattr(self, f"{part}_W_h").T,
            "bias_ih_l0": b,
            "bias_hh_l0": torch.zeros_like(b),
        }
        return functional_call(self.layers[part == "decoder"], weights, (x, h0, lengths))


def translator_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str, words: str, N=3, T=4, S=5, D=2, O=6, H=3, lengths=None, learn=False, dtype="float64", device="cpu"
    ) -> Case:
        parts = [*layer_weights(rng, D, H), *layer_weights(rng, O, H), *readout_weights(rng, H, O)]
        names = ("encoder_W_x", "encoder_W_h", "encoder_b", "decoder_W_x", "decoder_W_h", "decoder_b", "W_y", "b_y")
        inputs = [rng.normal(size=(N, T, D)), rng.normal(size=(N, S, O))]
        call = {
            "build": [D, O, H],
            "weights": dict(zip(names, parts)),
            "inputs": inputs if lengths is None else [*inputs, np.array(lengths, dtype=float)],
            "upstream": {"scores": rng.normal(size=(N, S, O))} if learn else {},
            "dtype": dtype,
            "device": device,
        }
        return Case(group, words, call)

    return [
        case("scores", "three sources of four steps, five steps to write"),
        case("scores", "one source of one step, one step to write", N=1, T=1, S=1, D=4, O=3, H=2),
        case("scores", "two sources of seven steps, two steps to write", N=2, T=7, S=2, D=3, O=2, H=5),
        case("lengths", "sources of 4, 1 and 3 steps", lengths=[4, 1, 3]),
        case("lengths", "sources of 0, 5 and 2 steps", T=5, S=3, lengths=[0, 5, 2]),
        case("gradients", "gradients from every score", learn=True),
        case("gradients", "gradients from every score, sources of 2, 4 and 1 steps", lengths=[2, 4, 1], learn=True),
        case("everywhere", "parameters of float32", lengths=[1, 4, 2], dtype="float32"),
        case("everywhere", "a device other than the CPU (PyTorch's meta device)", device="meta"),
        case("everywhere", "sources of 3, 4 and 2 steps on the meta device", lengths=[3, 4, 2], device="meta"),
    ]


class EncoderDecoderThatLosesTheState(nn.Module):
    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        new = lambda *shape: nn.Parameter(torch.randn(*shape) / hidden_size**0.5)
        self.encoder_W_x, self.decoder_W_x = new(source_size, hidden_size), new(target_size, hidden_size)
        self.encoder_W_h, self.decoder_W_h = new(hidden_size, hidden_size), new(hidden_size, hidden_size)
        self.encoder_b, self.decoder_b = new(hidden_size), new(hidden_size)
        self.W_y, self.b_y = new(hidden_size, target_size), new(target_size)

    def forward(self, x, y_in, lengths=None):
        state, scores = x.new_zeros(x.shape[0], self.decoder_b.shape[0]), []
        for t in range(y_in.shape[1]):
            state = torch.tanh(y_in[:, t] @ self.decoder_W_x + state @ self.decoder_W_h + self.decoder_b)
            scores.append(state @ self.W_y + self.b_y)
        return torch.stack(scores, dim=1)


class EncoderDecoderThatReadsTheFilling(nn.Module):
    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        new = lambda *shape: nn.Parameter(torch.randn(*shape) / hidden_size**0.5)
        self.encoder_W_x, self.decoder_W_x = new(source_size, hidden_size), new(target_size, hidden_size)
        self.encoder_W_h, self.decoder_W_h = new(hidden_size, hidden_size), new(hidden_size, hidden_size)
        self.encoder_b, self.decoder_b = new(hidden_size), new(hidden_size)
        self.W_y, self.b_y = new(hidden_size, target_size), new(target_size)

    def forward(self, x, y_in, lengths=None):
        state, scores = x.new_zeros(x.shape[0], self.encoder_b.shape[0]), []
        for t in range(x.shape[1]):
            state = torch.tanh(x[:, t] @ self.encoder_W_x + state @ self.encoder_W_h + self.encoder_b)
        for t in range(y_in.shape[1]):
            state = torch.tanh(y_in[:, t] @ self.decoder_W_x + state @ self.decoder_W_h + self.decoder_b)
            scores.append(state @ self.W_y + self.b_y)
        return torch.stack(scores, dim=1)


class EncoderDecoderOfOneLayer(nn.Module):
    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        new = lambda *shape: nn.Parameter(torch.randn(*shape) / hidden_size**0.5)
        self.encoder_W_x, self.decoder_W_x = new(source_size, hidden_size), new(target_size, hidden_size)
        self.encoder_W_h, self.decoder_W_h = new(hidden_size, hidden_size), new(hidden_size, hidden_size)
        self.encoder_b, self.decoder_b = new(hidden_size), new(hidden_size)
        self.W_y, self.b_y = new(hidden_size, target_size), new(target_size)

    def forward(self, x, y_in, lengths=None):
        state, scores = x.new_zeros(x.shape[0], self.encoder_b.shape[0]), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.encoder_W_x + state @ self.encoder_W_h + self.encoder_b)
            state = new if lengths is None else torch.where((t < lengths)[:, None], new, state)
        for t in range(y_in.shape[1]):
            state = torch.tanh(y_in[:, t] @ self.decoder_W_x + state @ self.encoder_W_h + self.encoder_b)
            scores.append(state @ self.W_y + self.b_y)
        return torch.stack(scores, dim=1)


class EncoderDecoderThatDoesNotHearItself(nn.Module):
    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        new = lambda *shape: nn.Parameter(torch.randn(*shape) / hidden_size**0.5)
        self.encoder_W_x, self.decoder_W_x = new(source_size, hidden_size), new(target_size, hidden_size)
        self.encoder_W_h, self.decoder_W_h = new(hidden_size, hidden_size), new(hidden_size, hidden_size)
        self.encoder_b, self.decoder_b = new(hidden_size), new(hidden_size)
        self.W_y, self.b_y = new(hidden_size, target_size), new(target_size)

    def forward(self, x, y_in, lengths=None):
        state, scores = x.new_zeros(x.shape[0], self.encoder_b.shape[0]), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.encoder_W_x + state @ self.encoder_W_h + self.encoder_b)
            state = new if lengths is None else torch.where((t < lengths)[:, None], new, state)
        for _ in range(y_in.shape[1]):
            state = torch.tanh(state @ self.decoder_W_h + self.decoder_b)
            scores.append(state @ self.W_y + self.b_y)
        return torch.stack(scores, dim=1)


class EncoderDecoderThatDetachesTheState(nn.Module):
    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        new = lambda *shape: nn.Parameter(torch.randn(*shape) / hidden_size**0.5)
        self.encoder_W_x, self.decoder_W_x = new(source_size, hidden_size), new(target_size, hidden_size)
        self.encoder_W_h, self.decoder_W_h = new(hidden_size, hidden_size), new(hidden_size, hidden_size)
        self.encoder_b, self.decoder_b = new(hidden_size), new(hidden_size)
        self.W_y, self.b_y = new(hidden_size, target_size), new(target_size)

    def forward(self, x, y_in, lengths=None):
        state, scores = x.new_zeros(x.shape[0], self.encoder_b.shape[0]), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.encoder_W_x + state @ self.encoder_W_h + self.encoder_b)
            state = new if lengths is None else torch.where((t < lengths)[:, None], new, state)
        state = state.detach()
        for t in range(y_in.shape[1]):
            state = torch.tanh(y_in[:, t] @ self.decoder_W_x + state @ self.decoder_W_h + self.decoder_b)
            scores.append(state @ self.W_y + self.b_y)
        return torch.stack(scores, dim=1)


class EncoderDecoderOfTheCPUOnly(nn.Module):
    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        new = lambda *shape: nn.Parameter(torch.randn(*shape) / hidden_size**0.5)
        self.encoder_W_x, self.decoder_W_x = new(source_size, hidden_size), new(target_size, hidden_size)
        self.encoder_W_h, self.decoder_W_h = new(hidden_size, hidden_size), new(hidden_size, hidden_size)
        self.encoder_b, self.decoder_b = new(hidden_size), new(hidden_size)
        self.W_y, self.b_y = new(hidden_size, target_size), new(target_size)

    def forward(self, x, y_in, lengths=None):
        state, scores = torch.zeros(x.shape[0], self.encoder_b.shape[0], dtype=x.dtype), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.encoder_W_x + state @ self.encoder_W_h + self.encoder_b)
            state = new if lengths is None else torch.where((t < lengths)[:, None], new, state)
        for t in range(y_in.shape[1]):
            state = torch.tanh(y_in[:, t] @ self.decoder_W_x + state @ self.decoder_W_h + self.decoder_b)
            scores.append(state @ self.W_y + self.b_y)
        return torch.stack(scores, dim=1)


class EncoderDecoderOfProbabilities(nn.Module):
    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        new = lambda *shape: nn.Parameter(torch.randn(*shape) / hidden_size**0.5)
        self.encoder_W_x, self.decoder_W_x = new(source_size, hidden_size), new(target_size, hidden_size)
        self.encoder_W_h, self.decoder_W_h = new(hidden_size, hidden_size), new(hidden_size, hidden_size)
        self.encoder_b, self.decoder_b = new(hidden_size), new(hidden_size)
        self.W_y, self.b_y = new(hidden_size, target_size), new(target_size)

    def forward(self, x, y_in, lengths=None):
        state, scores = x.new_zeros(x.shape[0], self.encoder_b.shape[0]), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.encoder_W_x + state @ self.encoder_W_h + self.encoder_b)
            state = new if lengths is None else torch.where((t < lengths)[:, None], new, state)
        for t in range(y_in.shape[1]):
            state = torch.tanh(y_in[:, t] @ self.decoder_W_x + state @ self.decoder_W_h + self.decoder_b)
            scores.append(torch.softmax(state @ self.W_y + self.b_y, dim=-1))
        return torch.stack(scores, dim=1)


class EncoderDecoderOneStepTooLong(nn.Module):
    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        new = lambda *shape: nn.Parameter(torch.randn(*shape) / hidden_size**0.5)
        self.encoder_W_x, self.decoder_W_x = new(source_size, hidden_size), new(target_size, hidden_size)
        self.encoder_W_h, self.decoder_W_h = new(hidden_size, hidden_size), new(hidden_size, hidden_size)
        self.encoder_b, self.decoder_b = new(hidden_size), new(hidden_size)
        self.W_y, self.b_y = new(hidden_size, target_size), new(target_size)

    def forward(self, x, y_in, lengths=None):
        state, scores = x.new_zeros(x.shape[0], self.encoder_b.shape[0]), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.encoder_W_x + state @ self.encoder_W_h + self.encoder_b)
            state = new if lengths is None else torch.where((t <= lengths)[:, None], new, state)
        for t in range(y_in.shape[1]):
            state = torch.tanh(y_in[:, t] @ self.decoder_W_x + state @ self.decoder_W_h + self.decoder_b)
            scores.append(state @ self.W_y + self.b_y)
        return torch.stack(scores, dim=1)


class EncoderDecoderThatShiftsAgain(nn.Module):
    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        new = lambda *shape: nn.Parameter(torch.randn(*shape) / hidden_size**0.5)
        self.encoder_W_x, self.decoder_W_x = new(source_size, hidden_size), new(target_size, hidden_size)
        self.encoder_W_h, self.decoder_W_h = new(hidden_size, hidden_size), new(hidden_size, hidden_size)
        self.encoder_b, self.decoder_b = new(hidden_size), new(hidden_size)
        self.W_y, self.b_y = new(hidden_size, target_size), new(target_size)

    def forward(self, x, y_in, lengths=None):
        state, scores = x.new_zeros(x.shape[0], self.encoder_b.shape[0]), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.encoder_W_x + state @ self.encoder_W_h + self.encoder_b)
            state = new if lengths is None else torch.where((t < lengths)[:, None], new, state)
        y_in = torch.cat([torch.zeros_like(y_in[:, :1]), y_in[:, :-1]], dim=1)
        for t in range(y_in.shape[1]):
            state = torch.tanh(y_in[:, t] @ self.decoder_W_x + state @ self.decoder_W_h + self.decoder_b)
            scores.append(state @ self.W_y + self.b_y)
        return torch.stack(scores, dim=1)


class EncoderDecoderThatReadsItsScores(nn.Module):
    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        new = lambda *shape: nn.Parameter(torch.randn(*shape) / hidden_size**0.5)
        self.encoder_W_x, self.decoder_W_x = new(source_size, hidden_size), new(target_size, hidden_size)
        self.encoder_W_h, self.decoder_W_h = new(hidden_size, hidden_size), new(hidden_size, hidden_size)
        self.encoder_b, self.decoder_b = new(hidden_size), new(hidden_size)
        self.W_y, self.b_y = new(hidden_size, target_size), new(target_size)

    def forward(self, x, y_in, lengths=None):
        state, scores = x.new_zeros(x.shape[0], self.encoder_b.shape[0]), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.encoder_W_x + state @ self.encoder_W_h + self.encoder_b)
            state = new if lengths is None else torch.where((t < lengths)[:, None], new, state)
        read = y_in[:, 0]
        for _ in range(y_in.shape[1]):
            state = torch.tanh(read @ self.decoder_W_x + state @ self.decoder_W_h + self.decoder_b)
            read = state @ self.W_y + self.b_y
            scores.append(read)
        return torch.stack(scores, dim=1)


class EncoderDecoderWithTransposedWeights(nn.Module):
    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        new = lambda *shape: nn.Parameter(torch.randn(*shape) / hidden_size**0.5)
        self.encoder_W_x, self.decoder_W_x = new(source_size, hidden_size), new(target_size, hidden_size)
        self.encoder_W_h, self.decoder_W_h = new(hidden_size, hidden_size), new(hidden_size, hidden_size)
        self.encoder_b, self.decoder_b = new(hidden_size), new(hidden_size)
        self.W_y, self.b_y = new(hidden_size, target_size), new(target_size)

    def forward(self, x, y_in, lengths=None):
        state, scores = x.new_zeros(x.shape[0], self.encoder_b.shape[0]), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.encoder_W_x + state @ self.encoder_W_h + self.encoder_b)
            state = new if lengths is None else torch.where((t < lengths)[:, None], new, state)
        for t in range(y_in.shape[1]):
            heard = state @ self.decoder_W_h.T
            state = torch.tanh(y_in[:, t] @ self.decoder_W_x + heard + self.decoder_b)
            scores.append(state @ self.W_y + self.b_y)
        return torch.stack(scores, dim=1)


ENCODER_DECODER = Exercise(
    name="EncoderDecoder",
    kind="module",
    signature="EncoderDecoder(source_size, target_size, hidden_size)",
    outputs=("scores",),
    reference=ReferenceEncoderDecoder,
    cases=translator_cases,
    groups=(
        Group("scores", "scores for every step to write", 2.0),
        Group("lengths", "sources of different lengths", 1.5),
        Group("gradients", "autograd reaches every parameter of both layers", 1.5),
        Group("everywhere", "any dtype and any device", 1.0),
    ),
    forbidden=(
        "torch.nn.RNN",
        "torch.nn.RNNCell",
        "torch.nn.RNNBase",
        "torch.nn.RNNCellBase",
        "torch.nn.GRU",
        "torch.nn.LSTM",
        "torch.rnn_tanh",
        "torch.rnn_tanh_cell",
        "torch.rnn_relu",
        "torch.rnn_relu_cell",
        "torch._VF",
    ),
    misconceptions=(
        Misconception(
            "state-lost",
            "the decoder does not begin in the encoder's last state",
            "Two different sources must give two different first scores. Through what does the source reach them?",
            WRONG,
            EncoderDecoderThatLosesTheState,
        ),
        Misconception(
            "filling-read",
            "the encoder reads the filling",
            "Where do you use lengths, and what becomes of the state of a source after its last step?",
            MASKS,
            EncoderDecoderThatReadsTheFilling,
        ),
        Misconception(
            "one-layer",
            "the decoder works with the encoder's weights",
            "Which two of your parameters never appear in forward?",
            SHAPES,
            EncoderDecoderOfOneLayer,
        ),
        Misconception(
            "deaf",
            "the decoder does not read y_in",
            "Change one token that the decoder has written. Do the scores of the next step move?",
            SHAPES,
            EncoderDecoderThatDoesNotHearItself,
        ),
        Misconception(
            "detached-state",
            "gradients do not reach the encoder",
            "The scores are right, so look at what is cut: which call takes a tensor out of autograd's graph?",
            f"{PAGE}#the-same-in-pytorch",
            EncoderDecoderThatDetachesTheState,
        ),
        Misconception(
            "cpu-only",
            "it runs on the CPU only",
            "On which device does torch.zeros put its result when it is not told? Where does x live?",
            f"{PAGE}#the-same-in-pytorch",
            EncoderDecoderOfTheCPUOnly,
        ),
        Misconception(
            "probabilities",
            "probabilities are returned, not scores",
            "Can a score be negative? Which function made yours add up to 1?",
            SHAPES,
            EncoderDecoderOfProbabilities,
        ),
        Misconception(
            "one-step-too-long",
            "the encoder reads one step of the filling",
            "A source of length 2 has the steps t = 0 and t = 1. What does your comparison say at t = 2?",
            MASKS,
            EncoderDecoderOneStepTooLong,
        ),
        Misconception(
            "shifts-again",
            "y_in is shifted once more",
            "y_in is what the decoder reads. Who has moved the targets by one step already?",
            FORCING,
            EncoderDecoderThatShiftsAgain,
        ),
        Misconception(
            "reads-its-scores",
            "the decoder reads its own scores, not y_in",
            "Under teacher forcing, what is read at the second step? Which column of y_in do you never use?",
            FORCING,
            EncoderDecoderThatReadsItsScores,
        ),
        Misconception(
            "transposed-recurrence",
            "decoder_W_h is turned round",
            "Here weights are stored (from, to). What does that ask of the product with the state?",
            f"{PAGE}#the-same-in-pytorch",
            EncoderDecoderWithTransposedWeights,
        ),
    ),
)


# --- translate --------------------------------------------------------------------------------------------------------

LARGEST, PAIRS, ASKED = 10_000, 4000, 200
LONGEST = 7  # English words, and German parts with the end


@functools.cache
def vocabularies() -> tuple[list[str], list[str]]:
    """English words and German parts of the numbers below ten thousand, in the order of their values."""
    from num2words import num2words

    small = [*range(20), *range(20, 100, 10)]
    english = ["<filling>", *(num2words(n) for n in small), "hundred", "thousand", "and"]
    german = [num2words(n, lang="de") for n in small]
    units = ["ein", *german[2:10]]
    return english, ["<end>", "<start>", *german, "hundert", "tausend", "ein", *(f"{unit}und" for unit in units)]


def tokens_of(numbers: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """``(source, target)``, each ``(N, 7)``: numbers in English and in German, filled up with 0."""
    from num2words import num2words

    english, german = ({word: k for k, word in enumerate(words)} for words in vocabularies())
    part = re.compile("|".join(sorted(german, key=len, reverse=True)))
    source, target = np.zeros((2, len(numbers), LONGEST), dtype=np.int64)
    for row, number in enumerate(numbers):
        words = re.split("[ -]", num2words(number).replace(",", ""))
        parts = part.findall(num2words(number, lang="de"))
        source[row, : len(words)] = [english[word] for word in words]
        target[row, : len(parts)] = [german[word] for word in parts]
    return source, target


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the pairs, and those that are held out (from 100 on), drawn once and for all."""
    order = np.random.default_rng(2014).permutation(LARGEST)
    return order[:PAIRS], order[PAIRS:][order[PAIRS:] >= 100]


def number_words() -> bytes:
    """Four thousand numbers below ten thousand in English words and in German parts, as an ``.npz`` of tokens.

    Source: the package num2words, under the LGPL; the words that it writes are the languages' own.
    """
    numbers, _ = drawn()
    english, german = vocabularies()
    source, target = tokens_of(numbers.tolist())
    file = io.BytesIO()
    np.savez_compressed(
        file, english=np.array(english), german=np.array(german), number=numbers, source=source, target=target
    )
    return file.getvalue()


def packed(tokens: np.ndarray) -> np.ndarray:
    """Each row of German tokens as one whole number, as the notebook packs it."""
    return tokens @ len(vocabularies()[1]) ** np.arange(tokens.shape[1])


def translate_cases(rng: np.random.Generator) -> list[Case]:
    source, target = tokens_of(rng.choice(drawn()[1], size=ASKED, replace=False).tolist())
    measure = Measure("mistakes", full=0.1, none=0.65)
    words = "two hundred numbers that are not among the pairs"
    return [Case("held-out", words, {"args": [source]}, measure, packed(target))]


def translate_by_rules(tokens):
    """What a person would do who knows both languages."""
    codes = []
    for row in np.asarray(tokens).tolist():
        words, parts = [word for word in row if word not in (0, 31)], []
        for k, word in enumerate(words):
            before, after = ([0, *words][k], [*words, 0][k + 1])
            if 21 <= word <= 28 and 2 <= after <= 10:
                parts += [after + 31, word + 1]  # the unit with "und", then the tens
            elif word == 2 and after in (29, 30):
                parts.append(32)  # "ein" before "hundert" and "tausend"
            elif not 21 <= before <= 28 or word > 10:
                parts.append(word + 1)
        codes.append(sum(part * 42**k for k, part in enumerate(parts)))
    return np.array(codes)


def translate_word_by_word(tokens):
    codes = []
    for row in np.asarray(tokens).tolist():
        words = [word for word in row if word not in (0, 31)]
        parts = [32 if word == 2 and words[k + 1 : k + 2] in ([29], [30]) else word + 1 for k, word in enumerate(words)]
        codes.append(sum(part * 42**k for k, part in enumerate(parts)))
    return np.array(codes)


def translate_without_the_last_word(tokens):
    codes = []
    for row in np.asarray(tokens).tolist():
        words, parts = [word for word in row if word != 0][:-1], []
        words = [word for word in words if word != 31]
        for k, word in enumerate(words):
            before, after = ([0, *words][k], [*words, 0][k + 1])
            if 21 <= word <= 28 and 2 <= after <= 10:
                parts += [after + 31, word + 1]
            elif word == 2 and after in (29, 30):
                parts.append(32)
            elif not 21 <= before <= 28 or word > 10:
                parts.append(word + 1)
        codes.append(sum(part * 42**k for k, part in enumerate(parts)))
    return np.array(codes)


def translate_without_an_end(tokens):
    codes = []
    for row in np.asarray(tokens).tolist():
        words, parts = [word for word in row if word not in (0, 31)], []
        for k, word in enumerate(words):
            before, after = ([0, *words][k], [*words, 0][k + 1])
            if 21 <= word <= 28 and 2 <= after <= 10:
                parts += [after + 31, word + 1]
            elif word == 2 and after in (29, 30):
                parts.append(32)
            elif not 21 <= before <= 28 or word > 10:
                parts.append(word + 1)
        parts += [parts[-1]] * (8 - len(parts))
        codes.append(sum(part * 42**k for k, part in enumerate(parts)))
    return np.array(codes)


def translate_to_nothing(tokens):
    return np.zeros(len(tokens), dtype=int)


TRANSLATE = Exercise(
    name="translate",
    kind="function",
    signature="translate(tokens)",
    outputs=("code",),
    reference=translate_by_rules,
    cases=translate_cases,
    tolerance=1e-9,  # codes are whole numbers: 1 beside is another translation
    groups=(
        Group("held-out", "numbers that are not among the pairs", 4.5),
        Group("unchanged", "leaves its argument as it is", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "word-by-word",
            "every word is translated where it stands",
            "How does twenty three begin in German, and which English word has to be read before that is known?",
            ONCE,
            translate_word_by_word,
        ),
        Misconception(
            "last-word-unread",
            "the last word is not read",
            "How many tokens of a row are not filling, and at how many of them does your encoder look?",
            WRONG,
            translate_without_the_last_word,
        ),
        Misconception(
            "no-end",
            "no translation comes to an end",
            "How does your decoder learn when to stop, and what does it write after that?",
            WRONG,
            translate_without_an_end,
        ),
        Misconception(
            "nothing-written",
            "every translation is empty",
            "What did the decoder write first, and which token does it read before that?",
            FORCING,
            translate_to_nothing,
        ),
    ),
)

ASSIGNMENT = Assignment(
    name="rnn_types",
    exercises=(
        SEQUENCE_TO_SEQUENCE,
        SEQUENCE_TO_VECTOR,
        VECTOR_TO_SEQUENCE,
        MASKED_CROSS_ENTROPY,
        MASKED_CROSS_ENTROPY_BACKWARD,
        DECODER_INPUTS,
        GREEDY_DECODE,
        ENCODER_DECODER,
        TRANSLATE,
    ),
    data={"number_words.npz": number_words},
)
