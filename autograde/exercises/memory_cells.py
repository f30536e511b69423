"""The exercises of the assignment on memory cells: states that are not outputs, and how long they last."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from autograde.exercises.definition import Assignment, Case, Exercise, Group, Measure, Misconception
from solutions.with_numpy import memory_cells as reference
from solutions.with_torch.memory_cells import run_cell

PAGE = "memory_cells.html"
WRONG = f"{PAGE}#what-goes-wrong"
STATE = f"{PAGE}#a-state-and-what-is-said-about-it"
LEAKY = f"{PAGE}#the-simplest-memory-a-leaky-integrator"
LOUD = f"{PAGE}#a-loud-input-shortens-the-memory"
TORCH = f"{PAGE}#the-same-in-pytorch"


def signed(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers of either sign that keep away from 0."""
    return rng.uniform(0.5, 1.2, size=shape) * rng.choice([-1, 1], size=shape)


# --- delay_step -------------------------------------------------------------------------------------------------------


def delay_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=2, K=3, D=4, dtype=np.float64) -> Case:
        # Each number has a range of its own, so that no two of them are near each other.
        numbers = rng.permutation(N * (K + 1) * D) + rng.uniform(0.2, 0.8, N * (K + 1) * D)
        numbers = numbers.reshape(N, K + 1, D).astype(dtype)
        return Case(group, words, {"args": [numbers[:, K].copy(), numbers[:, :K].copy()]})

    return [
        case("delay", "a delay by two steps, one sequence of numbers", N=1, K=2, D=1),
        case("delay", "a delay by three steps, two sequences"),
        case("delay", "a delay by five steps, four sequences", N=4, K=5, D=2),
        case("sizes", "a delay by one step", N=2, K=1, D=1),
        case("sizes", "arrays of float32", N=3, K=4, D=2, dtype=np.float32),
    ]


def delay_that_does_not_wait(x_t, state):
    return np.concatenate([state[:, 1:], x_t[:, None]], axis=1), x_t


def delay_one_step_short(x_t, state):
    state = np.concatenate([state[:, 1:], x_t[:, None]], axis=1)
    return state, state[:, 0]


def delay_with_the_newest_first(x_t, state):
    return np.concatenate([x_t[:, None], state[:, :-1]], axis=1), state[:, -1]


def delay_that_keeps_its_old_state(x_t, state):
    return state, state[:, 0]


def delay_that_turns_in_a_ring(x_t, state):
    return np.roll(state, -1, axis=1), state[:, 0]


def delay_with_the_pair_turned_round(x_t, state):
    return state[:, 0], np.concatenate([state[:, 1:], x_t[:, None]], axis=1)


def delay_that_lets_the_newest_out(x_t, state):
    return np.concatenate([state[:, 1:], x_t[:, None]], axis=1), state[:, -1]


def delay_that_does_not_move_up(x_t, state):
    new = state.copy()
    new[:, 0] = x_t
    return new, state[:, 0]


DELAY_STEP = Exercise(
    name="delay_step",
    kind="function",
    signature="delay_step(x_t, state)",
    outputs=("state", "y_t"),
    reference=reference.delay_cell,
    cases=delay_cases,
    groups=(
        Group("delay", "what is kept, and what comes out", 2.0),
        Group("sizes", "a delay by one step, and float32", 1.0),
        Group("unchanged", "leaves its arguments as they are", 1.0, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "nothing-is-delayed",
            "the output is the input of this very step",
            "Feed it 3, 1, 4 from a state of zeros, with a delay by two. At which step should the 3 come out?",
            STATE,
            delay_that_does_not_wait,
        ),
        Misconception(
            "one-step-short",
            "the output comes one step early",
            "With a state of K inputs, how many steps lie between an input and its output? Is the oldest one read "
            "before the state moves on, or after?",
            STATE,
            delay_one_step_short,
        ),
        Misconception(
            "newest-first",
            "the state is read as newest first",
            "In which order does the table say that the state holds its inputs? At which end must the new one go in?",
            STATE,
            delay_with_the_newest_first,
        ),
        Misconception(
            "old-state-returned",
            "the state that it returns is the one that came in",
            "Call it twice, handing over what it returned. Where did the first input go?",
            STATE,
            delay_that_keeps_its_old_state,
        ),
        Misconception(
            "ring",
            "the oldest input goes round to the other end of the state",
            "What should stand at the end of the new state, and where in your function is it put there?",
            STATE,
            delay_that_turns_in_a_ring,
        ),
        Misconception(
            "pair-turned-round",
            "the output stands where the state should",
            "Every cell of this notebook returns a pair. Which of the two comes first?",
            STATE,
            delay_with_the_pair_turned_round,
        ),
        Misconception(
            "newest-leaves",
            "the newest input leaves, not the oldest",
            "At which end of the state does the oldest input stand, and which end do you read?",
            STATE,
            delay_that_lets_the_newest_out,
        ),
        Misconception(
            "nothing-moves-up",
            "the new input takes the place of the oldest",
            "Feed it 3, 1, 4. Where in the state should the 3 stand after the second step, and where does it stand "
            "in yours?",
            STATE,
            delay_that_does_not_move_up,
        ),
    ),
)


# --- leaky_forward ----------------------------------------------------------------------------------------------------


def leaky_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str,
        words: str,
        N=2,
        T=5,
        D=3,
        first=False,
        lengths: tuple[int, ...] | None = None,
        leak: float | None = None,
        dtype=np.float64,
    ) -> Case:
        args = [
            2 * signed(rng, N, T, D),
            first * 2 * signed(rng, N, D),
            rng.uniform(0.6, 0.9, size=D) if leak is None else np.full(D, leak),
            rng.uniform(1.6, 3.0, size=D) * rng.choice([-1, 1], size=D),
        ]
        args = [value.astype(dtype) for value in args]
        return Case(group, words, {"args": args + ([] if lengths is None else [np.array(lengths)])})

    return [
        case("steps", "two sequences that begin at 0"),
        case("steps", "one sequence of a single step", N=1, T=1, D=2),
        case("steps", "a leak of 0: nothing is kept", N=3, leak=0.0),
        case("initial", "a state other than 0 at the start", N=3, T=4, D=2, first=True),
        case("lengths", "sequences of 4, 2 and 6 steps", N=3, T=6, D=2, lengths=(4, 2, 6)),
        case("lengths", "sequences of 3, 0, 5 and 1 steps, states other than 0", N=4, first=True, lengths=(3, 0, 5, 1)),
        case("lengths", "arrays of float32, with lengths", T=4, first=True, lengths=(2, 3), dtype=np.float32),
    ]


def reference_leaky(x, s0, leak, gain, lengths=None):
    def cell(x_t, s):
        s = leak * s + (1 - leak) * x_t
        return s, gain * s

    return reference.run_cell(cell, x, s0, lengths)


def leaky_with_its_output_fed_back(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now = (t < lengths)[:, None]
        s = np.where(now, gain * (leak * s + (1 - leak) * x[:, t]), s)
        y[:, t] = now * s
    return s, y


def leaky_with_the_shares_swapped(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now = (t < lengths)[:, None]
        s = np.where(now, (1 - leak) * s + leak * x[:, t], s)
        y[:, t] = now * gain * s
    return s, y


def leaky_with_the_whole_input(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now = (t < lengths)[:, None]
        s = np.where(now, leak * s + x[:, t], s)
        y[:, t] = now * gain * s
    return s, y


def leaky_that_speaks_before_it_listens(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now = (t < lengths)[:, None]
        y[:, t] = now * gain * s
        s = np.where(now, leak * s + (1 - leak) * x[:, t], s)
    return s, y


def leaky_without_gain(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now = (t < lengths)[:, None]
        s = np.where(now, leak * s + (1 - leak) * x[:, t], s)
        y[:, t] = now * s
    return s, y


def leaky_that_returns_its_last_output(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now = (t < lengths)[:, None]
        s = np.where(now, leak * s + (1 - leak) * x[:, t], s)
        y[:, t] = now * gain * s
    return gain * s, y


def leaky_without_lengths(x, s0, leak, gain, lengths=None):
    s, y = s0, np.zeros_like(x)
    for t in range(x.shape[1]):
        s = leak * s + (1 - leak) * x[:, t]
        y[:, t] = gain * s
    return s, y


def leaky_that_goes_on_speaking(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        s = np.where((t < lengths)[:, None], leak * s + (1 - leak) * x[:, t], s)
        y[:, t] = gain * s
    return s, y


def leaky_whose_state_runs_on(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        s = leak * s + (1 - leak) * x[:, t]
        y[:, t] = (t < lengths)[:, None] * gain * s
    return s, y


def leaky_from_zero(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = np.zeros_like(s0), np.zeros_like(x)
    for t in range(T):
        now = (t < lengths)[:, None]
        s = np.where(now, leak * s + (1 - leak) * x[:, t], s)
        y[:, t] = now * gain * s
    return s, y


def leaky_from_its_last_output(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now, before = (t < lengths)[:, None], s if t == 0 else gain * s
        s = np.where(now, leak * before + (1 - leak) * x[:, t], s)
        y[:, t] = now * gain * s
    return s, y


def leaky_with_the_gain_on_the_input(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now = (t < lengths)[:, None]
        s = np.where(now, leak * s + (1 - leak) * gain * x[:, t], s)
        y[:, t] = now * s
    return s, y


def leaky_starting_afresh_at_each_step(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now = (t < lengths)[:, None]
        s = np.where(now, leak * s0 + (1 - leak) * x[:, t], s)
        y[:, t] = now * gain * s
    return s, y


def leaky_that_returns_its_last_column(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now = (t < lengths)[:, None]
        s = np.where(now, leak * s + (1 - leak) * x[:, t], s)
        y[:, t] = now * gain * s
    return y[:, -1], y


def leaky_one_step_too_long(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now = (t <= lengths)[:, None]
        s = np.where(now, leak * s + (1 - leak) * x[:, t], s)
        y[:, t] = now * gain * s
    return s, y


def leaky_that_goes_on_leaking(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, y = s0, np.zeros_like(x)
    for t in range(T):
        now = (t < lengths)[:, None]
        s = leak * s + (1 - leak) * now * x[:, t]
        y[:, t] = now * gain * s
    return s, y


def leaky_that_wraps_at_length_zero(x, s0, leak, gain, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    s, states = s0, np.zeros_like(x)
    for t in range(T):
        s = leak * s + (1 - leak) * x[:, t]
        states[:, t] = s
    now = (np.arange(T) < lengths[:, None])[..., None]
    return states[np.arange(N), lengths - 1], now * gain * states


LEAKY_FORWARD = Exercise(
    name="leaky_forward",
    kind="function",
    signature="leaky_forward(x, s0, leak, gain, lengths=None)",
    outputs=("state", "y"),
    reference=reference_leaky,
    cases=leaky_cases,
    groups=(
        Group("steps", "the state goes from step to step, the output leaves", 2.5),
        Group("initial", "a state other than 0 at the start", 0.5),
        Group("lengths", "sequences that end at different times", 2.0),
        Group("unchanged", "leaves its arguments as they are", 1.0, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "output-fed-back",
            "the output goes into the next step, where the state should",
            "Two things exist after each step. Which of them does the equation for the next state name?",
            WRONG,
            leaky_with_its_output_fed_back,
        ),
        Misconception(
            "shares-swapped",
            "it keeps the share that it should let in",
            "With a leak of 0.9 and no input, what should be left of a state of 1 after one step?",
            LEAKY,
            leaky_with_the_shares_swapped,
        ),
        Misconception(
            "whole-input",
            "all of the input comes in, not a share of it",
            "Feed it 1 at every step for a long time. Where should the state come to rest, and where does yours?",
            LEAKY,
            leaky_with_the_whole_input,
        ),
        Misconception(
            "output-too-late",
            "each output is made from the state before its step",
            "Take a single step from a state of 0. Does the output know of the input yet?",
            LEAKY,
            leaky_that_speaks_before_it_listens,
        ),
        Misconception(
            "no-gain",
            "the output is the bare state",
            "Which of the five arguments plays no part in your output?",
            STATE,
            leaky_without_gain,
        ),
        Misconception(
            "last-output-returned",
            "the last output is returned in the place of the state",
            "Cut a sequence in two and hand over what you returned first. Does the second half stay the same?",
            WRONG,
            leaky_that_returns_its_last_output,
        ),
        Misconception(
            "lengths-ignored",
            "lengths plays no part",
            "Change what stands after the end of a short sequence. Does anything that you return change?",
            STATE,
            leaky_without_lengths,
        ),
        Misconception(
            "goes-on-speaking",
            "outputs go on after a sequence has ended",
            "The state waits where it should. But what should y hold at a step that is no part of the sequence?",
            STATE,
            leaky_that_goes_on_speaking,
        ),
        Misconception(
            "state-runs-on",
            "the state goes on after a sequence has ended",
            "The outputs are 0 where they should be. But of which step is the state of a short sequence?",
            STATE,
            leaky_whose_state_runs_on,
        ),
        Misconception(
            "starts-at-zero",
            "the initial state plays no part",
            "Give the same inputs with two different s0. Are the first outputs equal?",
            LEAKY,
            leaky_from_zero,
        ),
        Misconception(
            "starts-from-its-output",
            "each step starts from the last output, not from the last state",
            "Which of the two stands on the right of the first equation, and which does your loop remember?",
            WRONG,
            leaky_from_its_last_output,
        ),
        Misconception(
            "gain-on-the-input",
            "the gain acts on what comes in",
            "Is the gain in the equation for the state, or in the one for the output?",
            STATE,
            leaky_with_the_gain_on_the_input,
        ),
        Misconception(
            "starts-afresh",
            "every step starts from s0 again",
            "After the first step, which state should the second one see? Which name in your loop never changes?",
            LEAKY,
            leaky_starting_afresh_at_each_step,
        ),
        Misconception(
            "last-column",
            "the last column of y is returned in the place of the state",
            "What is in the last column of y for a sequence that ended before it? And is an output a state?",
            WRONG,
            leaky_that_returns_its_last_column,
        ),
        Misconception(
            "one-step-too-long",
            "each sequence runs one step too long",
            "A sequence of length 2 has the steps t = 0 and t = 1. What does your comparison say at t = 2?",
            STATE,
            leaky_one_step_too_long,
        ),
        Misconception(
            "leaks-on",
            "the state goes on leaking after a sequence has ended",
            "With no input, what does one more step do to the state? Should there be one more step?",
            STATE,
            leaky_that_goes_on_leaking,
        ),
        Misconception(
            "length-zero-wraps",
            "without a step the state is read after the filling",
            "For a length of 0, what is lengths - 1, and which column does Python take for it?",
            STATE,
            leaky_that_wraps_at_length_zero,
        ),
    ),
)


# --- impulse_response -------------------------------------------------------------------------------------------------


def response_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str, words: str, at: int, N=2, T=6, D=3, H=4, level=0.0, first=0.0, size=1.0, dtype=np.float64
    ) -> Case:
        args = [
            level * signed(rng, N, T, D),
            first * signed(rng, N, H) / 2,
            signed(rng, D, H) / D**0.5,
            0.9 * rng.normal(size=(H, H)) / H**0.5,
            signed(rng, H) / 3,
            size * signed(rng, D),
        ]
        return Case(group, words, {"args": [*(value.astype(dtype) for value in args), at]})

    return [
        case("silence", "an impulse at the first step, no other input", 0),
        case("silence", "an impulse at the fourth step, no other input", 3, N=3, T=7, D=2, H=5),
        case("input", "an impulse on top of inputs", 2, level=0.6),
        case("input", "an impulse on top of inputs, a state other than 0 at the start", 1, level=0.5, first=1.0, N=3),
        case("edges", "an impulse at the last step", 5, level=0.6, first=1.0),
        case("edges", "an impulse of 0 on top of inputs", 2, level=0.6, size=0.0),
        case("edges", "arrays of float32", 1, level=0.6, first=1.0, T=4, D=2, H=3, dtype=np.float32),
    ]


def reference_response(x, h0, W_x, W_h, b, impulse, at):
    return reference.impulse_response(reference.rnn_cell(W_x, W_h, b), x, h0, impulse, at)


def response_with_the_input_replaced(x, h0, W_x, W_h, b, impulse, at):
    moved, runs = x.copy(), []
    moved[:, at] = impulse
    for inputs in (moved, x):
        h, state = [], h0
        for t in range(x.shape[1]):
            state = np.tanh(inputs[:, t] @ W_x + state @ W_h + b)
            h.append(state)
        runs.append(np.stack(h, axis=1))
    return runs[0] - runs[1]


def response_not_compared(x, h0, W_x, W_h, b, impulse, at):
    moved = x.copy()
    moved[:, at] += impulse
    h, state = [], h0
    for t in range(x.shape[1]):
        state = np.tanh(moved[:, t] @ W_x + state @ W_h + b)
        h.append(state)
    return np.stack(h, axis=1)


def response_in_silence(x, h0, W_x, W_h, b, impulse, at):
    quiet, runs = np.zeros_like(x), []
    moved = quiet.copy()
    moved[:, at] = impulse
    for inputs in (moved, quiet):
        h, state = [], h0
        for t in range(x.shape[1]):
            state = np.tanh(inputs[:, t] @ W_x + state @ W_h + b)
            h.append(state)
        runs.append(np.stack(h, axis=1))
    return runs[0] - runs[1]


def response_to_a_step(x, h0, W_x, W_h, b, impulse, at):
    moved, runs = x.copy(), []
    moved[:, at:] += impulse
    for inputs in (moved, x):
        h, state = [], h0
        for t in range(x.shape[1]):
            state = np.tanh(inputs[:, t] @ W_x + state @ W_h + b)
            h.append(state)
        runs.append(np.stack(h, axis=1))
    return runs[0] - runs[1]


def response_of_steps_from_one(x, h0, W_x, W_h, b, impulse, at):
    moved, runs = x.copy(), []
    moved[:, at - 1] += impulse
    for inputs in (moved, x):
        h, state = [], h0
        for t in range(x.shape[1]):
            state = np.tanh(inputs[:, t] @ W_x + state @ W_h + b)
            h.append(state)
        runs.append(np.stack(h, axis=1))
    return runs[0] - runs[1]


def response_turned_round(x, h0, W_x, W_h, b, impulse, at):
    moved, runs = x.copy(), []
    moved[:, at] += impulse
    for inputs in (moved, x):
        h, state = [], h0
        for t in range(x.shape[1]):
            state = np.tanh(inputs[:, t] @ W_x + state @ W_h + b)
            h.append(state)
        runs.append(np.stack(h, axis=1))
    return runs[1] - runs[0]


def response_without_a_copy(x, h0, W_x, W_h, b, impulse, at):
    moved, runs = x, []
    moved[:, at] += impulse
    for inputs in (moved, x):
        h, state = [], h0
        for t in range(x.shape[1]):
            state = np.tanh(inputs[:, t] @ W_x + state @ W_h + b)
            h.append(state)
        runs.append(np.stack(h, axis=1))
    return runs[0] - runs[1]


def response_with_the_state_handed_on(x, h0, W_x, W_h, b, impulse, at):
    moved, runs, state = x.copy(), [], h0
    moved[:, at] += impulse
    for inputs in (moved, x):
        h = []
        for t in range(x.shape[1]):
            state = np.tanh(inputs[:, t] @ W_x + state @ W_h + b)
            h.append(state)
        runs.append(np.stack(h, axis=1))
    return runs[0] - runs[1]


def response_compared_with_silence(x, h0, W_x, W_h, b, impulse, at):
    moved, runs = x.copy(), []
    moved[:, at] += impulse
    for inputs in (moved, np.zeros_like(x)):
        h, state = [], h0
        for t in range(x.shape[1]):
            state = np.tanh(inputs[:, t] @ W_x + state @ W_h + b)
            h.append(state)
        runs.append(np.stack(h, axis=1))
    return runs[0] - runs[1]


IMPULSE_RESPONSE = Exercise(
    name="impulse_response",
    kind="function",
    signature="impulse_response(x, h0, W_x, W_h, b, impulse, at)",
    outputs=("r",),
    reference=reference_response,
    cases=response_cases,
    groups=(
        Group("silence", "an impulse and nothing else", 1.0),
        Group("input", "an impulse on top of other inputs", 2.0),
        Group("edges", "the last step, an impulse of 0, float32", 1.0),
        Group("unchanged", "leaves its arguments as they are", 1.0, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "input-replaced",
            "the impulse takes the place of the input",
            "With an impulse of 0 nothing has happened. Is your response 0 then, if the inputs are not?",
            WRONG,
            response_with_the_input_replaced,
        ),
        Misconception(
            "not-compared",
            "the outputs themselves are returned",
            "How much of what you return would be there without the impulse?",
            WRONG,
            response_not_compared,
        ),
        Misconception(
            "in-silence",
            "the inputs play no part",
            "A neuron that is nearly at 1 already answers otherwise than one at 0. Around which inputs is the response "
            "asked for?",
            LOUD,
            response_in_silence,
        ),
        Misconception(
            "never-switched-off",
            "the impulse lasts to the end",
            "At how many steps do your two inputs differ?",
            LOUD,
            response_to_a_step,
        ),
        Misconception(
            "steps-from-one",
            "the impulse comes one step early",
            "At which steps may a response to an impulse at step 3 differ from 0, if the first step has the number 0?",
            LOUD,
            response_of_steps_from_one,
        ),
        Misconception(
            "turned-round",
            "the difference is taken the other way round",
            "Which of the two runs does the equation subtract from which?",
            LOUD,
            response_turned_round,
        ),
        Misconception(
            "no-copy",
            "both runs read the same inputs",
            "After the impulse was added, what does the array hold that the second run reads? What does = do with an "
            "array?",
            WRONG,
            response_without_a_copy,
        ),
        Misconception(
            "state-handed-on",
            "the second run begins where the first one ended",
            "An impulse is to be the only difference between the two runs. In which states do yours begin?",
            WRONG,
            response_with_the_state_handed_on,
        ),
        Misconception(
            "compared-with-silence",
            "it is compared with a run without inputs",
            "An impulse is to be the only difference between the two runs. In what else do the inputs of yours differ?",
            WRONG,
            response_compared_with_silence,
        ),
    ),
)


# --- memory_length ----------------------------------------------------------------------------------------------------


def length_cases(rng: np.random.Generator) -> list[Case]:
    def drawn(N=3, T=14, O=2, at=0, fraction=0.2, dip=False, late=False, scale=(1.0,), dtype=np.float64) -> np.ndarray:
        """Responses whose sizes keep well away from the threshold, on either side."""
        left = T - at
        last = rng.permutation(np.arange(4, left - 2))[:N]
        size = rng.uniform(0.35, 0.6, size=(N, left)) * fraction
        for n in range(N):
            size[n, : last[n] + 1] = rng.uniform(0.4, 0.8, size=last[n] + 1)
            if dip:
                size[n, 1:3] *= 0.4 * fraction
            size[n, 2 if late else 0] = 1.0
            if late:
                size[n, :2] = 0.3
        ways = rng.normal(size=(N, left, O)) + 0.1
        ways /= np.linalg.norm(ways, axis=-1, keepdims=True)
        response = np.zeros((N, T, O))
        response[:, at:] = np.resize(scale, N)[:, None, None] * size[..., None] * ways
        return response.astype(dtype)

    def case(group: str, words: str, response: np.ndarray, *more: float) -> Case:
        return Case(group, words, {"args": [response, *more]})

    def one(*numbers: float) -> np.ndarray:
        return np.array(numbers).reshape(1, -1, 1)

    down = rng.uniform(0.4, 0.8)
    k = int(rng.integers(4, 8))
    ways = rng.choice([-1.0, 1.0], size=(1, 9, 4)) / 2  # four outputs of equal size, of norm 1 together
    spread = ways * np.array([0, 0.5, 0.45, 0.42, 0.35, 0.3, 0.15, 0.14, 0.13])[:, None]
    spread[0, 0, rng.integers(4)] = 1.0
    return [
        case("lengths", "three responses that fade, the threshold as it is by default", drawn(fraction=0.01)),
        case("lengths", "a threshold of one fifth", drawn(N=4, O=3, T=15), 0, 0.2),
        case("lengths", "an impulse at the sixth step", drawn(N=2, T=17, at=5), 5, 0.2),
        case("lengths", "a response of one output that spreads over four", spread, 0, 0.2),
        case("returns", "responses that fade, and come back", drawn(dip=True, T=13, O=3), 0, 0.2),
        case("returns", "a delay: nothing at first", one(*[0.0] * k, 1.0, *[0.0] * (10 - k)), 0),
        case(
            "returns",
            "a response that comes back with the other sign",
            one(1, 0.05, 0.02, 0.04, 0.01, -down, -0.02, 0.01),
            0,
            0.1,
        ),
        case("scale", "responses that grow before they fade", drawn(late=True, N=4, T=16), 0, 0.2),
        case("scale", "responses of very different sizes", drawn(N=4, T=12, scale=(0.02, 1.0, 40.0)), 0, 0.2),
        case(
            "edges",
            "a response that is worth exactly the fraction at one step",
            one(1, 0.9, 0.7, 0.6, 0.5, 0.25, 0.125, 0),
            0,
            0.25,
        ),
        case("edges", "no response at all, and one at the impulse's step alone", _first()),
        case("edges", "a response that outlives the sequence", one(0, 0, 1, 0.9, 0.8, 0.8 * down, 0.7, 0.5), 2, 0.1),
        case("edges", "responses of float32", drawn(dip=True, late=True, at=2, T=15, O=1, dtype=np.float32), 2, 0.2),
    ]


def _first() -> np.ndarray:
    """Two responses of five steps: one that is 0 throughout, one that is over after the impulse's own step."""
    response = np.zeros((2, 5, 1))
    response[1, 0] = 0.7
    return response


def length_up_to_the_first_small_value(response, at=0, fraction=0.01):
    size = np.linalg.norm(response[:, at:], axis=-1)
    small = size < fraction * size.max(axis=1, keepdims=True)
    first = np.where(small.any(axis=1), small.argmax(axis=1), size.shape[1])
    return np.maximum(first - 1, 0)


def length_by_the_first_step(response, at=0, fraction=0.01):
    size = np.linalg.norm(response[:, at:], axis=-1)
    worth = (size >= fraction * size[:, :1]) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


def length_by_an_absolute_threshold(response, at=0, fraction=0.01):
    size = np.linalg.norm(response[:, at:], axis=-1)
    worth = (size >= fraction) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


def length_from_the_first_step(response, at=0, fraction=0.01):
    size = np.linalg.norm(response, axis=-1)
    worth = (size >= fraction * size.max(axis=1, keepdims=True)) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


def length_that_counts_the_impulse(response, at=0, fraction=0.01):
    size = np.linalg.norm(response[:, at:], axis=-1)
    worth = (size >= fraction * size.max(axis=1, keepdims=True)) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]) + 1, 0).max(axis=1)


def length_as_a_count(response, at=0, fraction=0.01):
    size = np.linalg.norm(response[:, at:], axis=-1)
    worth = (size >= fraction * size.max(axis=1, keepdims=True)) & (size > 0)
    return np.maximum(worth.sum(axis=1) - 1, 0)


def length_by_the_whole_batch(response, at=0, fraction=0.01):
    size = np.linalg.norm(response[:, at:], axis=-1)
    worth = (size >= fraction * size.max()) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


def length_of_the_sum(response, at=0, fraction=0.01):
    size = response[:, at:].sum(axis=-1)
    worth = (size >= fraction * size.max(axis=1, keepdims=True)) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


def length_of_the_largest_output(response, at=0, fraction=0.01):
    size = np.abs(response[:, at:]).max(axis=-1)
    worth = (size >= fraction * size.max(axis=1, keepdims=True)) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


def length_of_the_sum_of_sizes(response, at=0, fraction=0.01):
    size = np.abs(response[:, at:]).sum(axis=-1)
    worth = (size >= fraction * size.max(axis=1, keepdims=True)) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


def length_of_silence(response, at=0, fraction=0.01):
    size = np.linalg.norm(response[:, at:], axis=-1)
    worth = size >= fraction * size.max(axis=1, keepdims=True)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


def length_of_squares(response, at=0, fraction=0.01):
    size = (response[:, at:] ** 2).sum(axis=-1)
    worth = (size >= fraction * size.max(axis=1, keepdims=True)) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


def length_at_one_hundredth(response, at=0, fraction=0.01):
    size = np.linalg.norm(response[:, at:], axis=-1)
    worth = (size >= 0.01 * size.max(axis=1, keepdims=True)) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


def length_strictly_above(response, at=0, fraction=0.01):
    size = np.linalg.norm(response[:, at:], axis=-1)
    worth = size > fraction * size.max(axis=1, keepdims=True)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)


def length_since_the_largest(response, at=0, fraction=0.01):
    size = np.linalg.norm(response[:, at:], axis=-1)
    worth = (size >= fraction * size.max(axis=1, keepdims=True)) & (size > 0)
    return np.where(worth, np.arange(size.shape[1]), 0).max(axis=1) - size.argmax(axis=1)


def length_as_a_full_count(response, at=0, fraction=0.01):
    size = np.linalg.norm(response[:, at:], axis=-1)
    return ((size >= fraction * size.max(axis=1, keepdims=True)) & (size > 0)).sum(axis=1)


MEMORY_LENGTH = Exercise(
    name="memory_length",
    kind="function",
    signature="memory_length(response, at=0, fraction=0.01)",
    outputs=("steps",),
    reference=reference.memory_length,
    cases=length_cases,
    groups=(
        Group("lengths", "responses that fade", 1.5),
        Group("returns", "responses that come back", 1.0),
        Group("scale", "each measured by its own largest value", 1.0),
        Group("edges", "exactly the fraction, nothing, and more than the sequence shows", 1.0),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "first-small-value",
            "it stops at the first small value",
            "The response of a delay by five steps is 0 at first. What is its memory length by the definition, and by "
            "your function?",
            WRONG,
            length_up_to_the_first_small_value,
        ),
        Misconception(
            "first-step-as-largest",
            "the first step is taken for the largest response",
            "Must a response be largest at the impulse's own step? What if it grows before it fades?",
            WRONG,
            length_by_the_first_step,
        ),
        Misconception(
            "absolute-threshold",
            "the fraction is taken for a size",
            "Multiply a response by 100. Should its memory length change?",
            LEAKY,
            length_by_an_absolute_threshold,
        ),
        Misconception(
            "from-the-first-step",
            "steps are counted from the beginning of the sequence",
            "The same impulse comes five steps later. Should the number be larger by five?",
            LEAKY,
            length_from_the_first_step,
        ),
        Misconception(
            "counts-the-impulse",
            "it is one too long",
            "A response that is over after the impulse's own step: how many steps *after* the impulse did it last?",
            LEAKY,
            length_that_counts_the_impulse,
        ),
        Misconception(
            "a-count",
            "it counts the steps that are worth something",
            "A response is large, small and large again. Do you ask how often it was large, or when last?",
            WRONG,
            length_as_a_count,
        ),
        Misconception(
            "largest-of-the-batch",
            "all sequences are measured by the largest response of the batch",
            "Does the length of one sequence depend on which others are in its batch? Along which axis is the largest "
            "value looked for?",
            LEAKY,
            length_by_the_whole_batch,
        ),
        Misconception(
            "signs-cancel",
            "outputs of different signs cancel, and negative ones do not count",
            "A response of −1 is as much of a trace as one of 1. What makes a number of the outputs of one step that "
            "cannot be negative?",
            LEAKY,
            length_of_the_sum,
        ),
        Misconception(
            "largest-output",
            "only the largest of a step's outputs counts",
            "One output of 1, or four of a half each: which is more? How is the size of a step defined above?",
            LEAKY,
            length_of_the_largest_output,
        ),
        Misconception(
            "sum-of-sizes",
            "the sizes of a step's outputs are added up",
            "Go one step east and one north: how far have you come? How is the size of a step defined above?",
            LEAKY,
            length_of_the_sum_of_sizes,
        ),
        Misconception(
            "silence-lasts",
            "no response at all counts as one that never ends",
            "If every response is 0, so is the largest. Is 0 then below your threshold?",
            WRONG,
            length_of_silence,
        ),
        Misconception(
            "no-root",
            "squares are compared with the fraction",
            "A size is half of the largest. What share of the largest square is its square?",
            LEAKY,
            length_of_squares,
        ),
        Misconception(
            "fraction-ignored",
            "the fraction that is passed in is not used",
            "Call it with a fraction of 0.01 and of 0.9. Which of your lines should notice?",
            LEAKY,
            length_at_one_hundredth,
        ),
        Misconception(
            "strictly-above",
            "a size of exactly the fraction does not count",
            "Is a size that is worth exactly the fraction at least the fraction?",
            LEAKY,
            length_strictly_above,
        ),
        Misconception(
            "since-the-largest",
            "steps are counted from the largest response",
            "A response grows for three steps before it fades. From which step on does the text count?",
            LEAKY,
            length_since_the_largest,
        ),
        Misconception(
            "a-full-count",
            "it counts the steps that are worth something, the impulse's own among them",
            "A response is over after the impulse's own step: how many steps after it did it last, and how many do "
            "you count?",
            WRONG,
            length_as_a_full_count,
        ),
    ),
)


# --- LeakyLayer -------------------------------------------------------------------------------------------------------


class ReferenceLeakyLayer(nn.Module):
    """A leaky layer as a cell that the course's own loop runs."""

    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.zeros(hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.zeros(hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.zeros(output_size, hidden_size))

    def cell(self, x_t, s):
        keep = torch.sigmoid(self.leak)
        s = keep * s + (1 - keep) * torch.tanh(x_t @ self.weight_ih.T + s @ self.weight_hh.T + self.bias)
        return s, s @ self.weight_out.T

    def forward(self, x, s0=None):
        return run_cell(self.cell, x, x.new_zeros(len(x), len(self.leak)) if s0 is None else s0)


def layer_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str, words: str, N=3, T=4, D=2, H=5, O=3, first=False, upstream=(), dtype="float64", device="cpu"
    ) -> Case:
        weights = {
            "weight_ih": signed(rng, H, D),
            "weight_hh": rng.normal(size=(H, H)) / H**0.5,
            "bias": signed(rng, H) / 2,
            "leak": signed(rng, H),
            "weight_out": signed(rng, O, H),
        }
        inputs = [rng.normal(size=(N, T, D))] + [signed(rng, N, H)] * first
        shapes = {"state": (N, H), "y": (N, T, O)}
        call = {
            "build": [D, H, O],
            "weights": weights,
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
        case("gradients", "gradients that come from every output", upstream=("y",), first=True),
        case("gradients", "gradients that come from the final state", upstream=("state",), first=True, T=5),
        case("everywhere", "parameters of float32", dtype="float32"),
        case("everywhere", "a device other than the CPU (PyTorch's meta device)", device="meta"),
    ]


class LeakyWithSharesSwapped(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = x.new_zeros(x.shape[0], self.leak.shape[0]) if s0 is None else s0
        keep, y = torch.sigmoid(self.leak), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.weight_ih.T + s @ self.weight_hh.T + self.bias)
            s = (1 - keep) * s + keep * new
            y.append(s @ self.weight_out.T)
        return s, torch.stack(y, dim=1)


class LeakyWithoutSigmoid(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = x.new_zeros(x.shape[0], self.leak.shape[0]) if s0 is None else s0
        keep, y = self.leak, []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.weight_ih.T + s @ self.weight_hh.T + self.bias)
            s = keep * s + (1 - keep) * new
            y.append(s @ self.weight_out.T)
        return s, torch.stack(y, dim=1)


class LeakyWithoutFeedback(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = x.new_zeros(x.shape[0], self.leak.shape[0]) if s0 is None else s0
        keep, y = torch.sigmoid(self.leak), []
        for t in range(x.shape[1]):
            s = keep * s + (1 - keep) * torch.tanh(x[:, t] @ self.weight_ih.T + self.bias)
            y.append(s @ self.weight_out.T)
        return s, torch.stack(y, dim=1)


class LeakyThatOnlyRecurs(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = x.new_zeros(x.shape[0], self.leak.shape[0]) if s0 is None else s0
        y = []
        for t in range(x.shape[1]):
            s = torch.tanh(x[:, t] @ self.weight_ih.T + s @ self.weight_hh.T + self.bias)
            y.append(s @ self.weight_out.T)
        return s, torch.stack(y, dim=1)


class LeakyWithTransposedFeedback(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = x.new_zeros(x.shape[0], self.leak.shape[0]) if s0 is None else s0
        keep, y = torch.sigmoid(self.leak), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.weight_ih.T + s @ self.weight_hh + self.bias)
            s = keep * s + (1 - keep) * new
            y.append(s @ self.weight_out.T)
        return s, torch.stack(y, dim=1)


class LeakyThatDetachesItsState(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = x.new_zeros(x.shape[0], self.leak.shape[0]) if s0 is None else s0
        keep, y = torch.sigmoid(self.leak), []
        for t in range(x.shape[1]):
            s = s.detach()
            new = torch.tanh(x[:, t] @ self.weight_ih.T + s @ self.weight_hh.T + self.bias)
            s = keep * s + (1 - keep) * new
            y.append(s @ self.weight_out.T)
        return s, torch.stack(y, dim=1)


class LeakyOfTheCPUOnly(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = torch.zeros(x.shape[0], self.leak.shape[0], dtype=x.dtype) if s0 is None else s0
        keep, y = torch.sigmoid(self.leak), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.weight_ih.T + s @ self.weight_hh.T + self.bias)
            s = keep * s + (1 - keep) * new
            y.append(s @ self.weight_out.T)
        return s, torch.stack(y, dim=1)


class LeakyWithTheWholeInput(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = x.new_zeros(x.shape[0], self.leak.shape[0]) if s0 is None else s0
        keep, y = torch.sigmoid(self.leak), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.weight_ih.T + s @ self.weight_hh.T + self.bias)
            s = keep * s + new
            y.append(s @ self.weight_out.T)
        return s, torch.stack(y, dim=1)


class LeakyInsideTheActivation(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = x.new_zeros(x.shape[0], self.leak.shape[0]) if s0 is None else s0
        keep, y = torch.sigmoid(self.leak), []
        for t in range(x.shape[1]):
            new = x[:, t] @ self.weight_ih.T + s @ self.weight_hh.T + self.bias
            s = torch.tanh(keep * s + (1 - keep) * new)
            y.append(s @ self.weight_out.T)
        return s, torch.stack(y, dim=1)


class LeakyFromZero(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = x.new_zeros(x.shape[0], self.leak.shape[0])
        keep, y = torch.sigmoid(self.leak), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.weight_ih.T + s @ self.weight_hh.T + self.bias)
            s = keep * s + (1 - keep) * new
            y.append(s @ self.weight_out.T)
        return s, torch.stack(y, dim=1)


class LeakyThatSpeaksBeforeItListens(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = x.new_zeros(x.shape[0], self.leak.shape[0]) if s0 is None else s0
        keep, y = torch.sigmoid(self.leak), []
        for t in range(x.shape[1]):
            y.append(s @ self.weight_out.T)
            new = torch.tanh(x[:, t] @ self.weight_ih.T + s @ self.weight_hh.T + self.bias)
            s = keep * s + (1 - keep) * new
        return s, torch.stack(y, dim=1)


class LeakyThatHandsOnADetachedState(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias = nn.Parameter(torch.zeros(hidden_size))
        self.leak = nn.Parameter(torch.zeros(hidden_size))
        self.weight_out = nn.Parameter(torch.randn(output_size, hidden_size) / hidden_size**0.5)

    def forward(self, x, s0=None):
        s = x.new_zeros(x.shape[0], self.leak.shape[0]) if s0 is None else s0
        keep, y = torch.sigmoid(self.leak), []
        for t in range(x.shape[1]):
            new = torch.tanh(x[:, t] @ self.weight_ih.T + s @ self.weight_hh.T + self.bias)
            s = keep * s + (1 - keep) * new
            y.append(s @ self.weight_out.T)
            s = s.detach()
        return s, torch.stack(y, dim=1)


LEAKY_LAYER = Exercise(
    name="LeakyLayer",
    kind="module",
    signature="LeakyLayer(input_size, hidden_size, output_size)",
    outputs=("state", "y"),
    reference=ReferenceLeakyLayer,
    cases=layer_cases,
    groups=(
        Group("forward", "the state and the outputs, from a state of 0", 2.0),
        Group("initial", "a given initial state", 1.0),
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
            "shares-swapped",
            "it keeps the share that it should let in",
            "When leak is very large, sigmoid(leak) is nearly 1. Should the state then stay, or be replaced?",
            LEAKY,
            LeakyWithSharesSwapped,
        ),
        Misconception(
            "no-sigmoid",
            "leak itself is taken for the share that is kept",
            "Training may make any number of a parameter. Which numbers may a share be, and what leads there?",
            LEAKY,
            LeakyWithoutSigmoid,
        ),
        Misconception(
            "no-feedback",
            "inside tanh the state plays no part",
            "The state leaks, but which of your parameters never appears in forward?",
            TORCH,
            LeakyWithoutFeedback,
        ),
        Misconception(
            "no-leak",
            "nothing of the old state is kept as it is",
            "This is a plain recurrent layer. Where in it would a neuron with a share of nearly 1 keep what it holds?",
            LEAKY,
            LeakyThatOnlyRecurs,
        ),
        Misconception(
            "transposed-feedback",
            "weight_hh is turned round",
            "PyTorch stores weights as (to, from). What does that ask of the product with the state?",
            TORCH,
            LeakyWithTransposedFeedback,
        ),
        Misconception(
            "detached-state",
            "gradients do not flow from one step to the one before",
            "The outputs are right, so look at what is cut: which call takes a tensor out of autograd's graph?",
            TORCH,
            LeakyThatDetachesItsState,
        ),
        Misconception(
            "cpu-only",
            "it runs on the CPU only",
            "On which device does torch.zeros put its result when it is not told? Where does x live?",
            TORCH,
            LeakyOfTheCPUOnly,
        ),
        Misconception(
            "whole-input",
            "all of the new value comes in, not a share of it",
            "For a share of nearly 1 the state should hardly change. What do you add to it at each step?",
            LEAKY,
            LeakyWithTheWholeInput,
        ),
        Misconception(
            "leak-inside-the-activation",
            "the kept share goes through tanh too",
            "When leak is very large, the state should stay as it is. What does tanh make of it at every step?",
            LEAKY,
            LeakyInsideTheActivation,
        ),
        Misconception(
            "initial-state-ignored",
            "s0 is not used",
            "Which state does your loop see at its first step when one was passed in?",
            TORCH,
            LeakyFromZero,
        ),
        Misconception(
            "output-too-late",
            "each output is made from the state before its step",
            "Take a single step from a state of 0. Does the output know of the input yet?",
            STATE,
            LeakyThatSpeaksBeforeItListens,
        ),
        Misconception(
            "detached-on-the-way",
            "the state is cut off from autograd before it is handed on",
            "The outputs are right. Which call takes a tensor out of the graph, and which steps can a gradient of "
            "the last state still reach?",
            TORCH,
            LeakyThatHandsOnADetachedState,
        ),
    ),
)


# --- track_level ------------------------------------------------------------------------------------------------------

SEQUENCES, STEPS, DRIFT = 600, 60, 0.2  # a hidden level moves by DRIFT a step, and is measured with an error of 1
BEST_LEAK = 0.819  # the share that the steady Kalman filter of this level keeps: 1 - P / (P + 1), P = 0.221


def drifting_levels(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Noisy measurements of levels that drift, ``(N, T)``, and where each level is at the end, ``(N,)``."""
    start = rng.normal(scale=2, size=(SEQUENCES, 1))
    level = start + np.cumsum(rng.normal(scale=DRIFT, size=(SEQUENCES, STEPS)), axis=1)
    return level + rng.normal(size=level.shape), level[:, -1]


def track_cases(rng: np.random.Generator) -> list[Case]:
    """Fresh sequences of the kind that the notebook draws.

    Full points for up to 1.08 times the error of the best leaky integrator on the same sequences, which no other method
    beats by more than chance, and none from 1.35 times on.
    """
    x, targets = drifting_levels(rng)
    best = float(np.sqrt(np.mean((track_by_a_leak(x) - targets) ** 2)))
    measure = Measure("rmse", full=round(1.08 * best, 3), none=round(1.35 * best, 3), floor=round(0.7 * best, 3))
    return [Case("levels", f"{SEQUENCES} fresh sequences of {STEPS} steps", {"args": [x]}, measure, targets)]


def track_by_a_leak(x):
    s = x[:, 0]
    for t in range(1, x.shape[1]):
        s = BEST_LEAK * s + (1 - BEST_LEAK) * x[:, t]
    return s


def track_by_the_last_value(x):
    return x[:, -1]


def track_by_the_mean(x):
    return x.mean(axis=1)


def track_by_the_first_value(x):
    return x[:, 0]


def track_by_nothing(x):
    return np.zeros(len(x))


TRACK_LEVEL = Exercise(
    name="track_level",
    kind="function",
    signature="track_level(x)",
    outputs=("level",),
    reference=track_by_a_leak,
    cases=track_cases,
    groups=(Group("levels", "levels behind fresh measurements", 4.0),),
    misconceptions=(
        Misconception(
            "last-value",
            "the last measurement is taken for the level",
            "How large is the error of one measurement? What happens to it in a mean of several?",
            LEAKY,
            track_by_the_last_value,
        ),
        Misconception(
            "mean-of-all",
            "all measurements count the same",
            "How far may the level have drifted since the first of them?",
            LEAKY,
            track_by_the_mean,
        ),
        Misconception(
            "first-value",
            "the first measurement is taken for the level",
            "Which end of a row is the one that you are asked about?",
            LEAKY,
            track_by_the_first_value,
        ),
        Misconception(
            "always-zero",
            "the measurements play no part",
            "Levels begin at different places. Does your answer differ from row to row?",
            LEAKY,
            track_by_nothing,
        ),
    ),
)

ASSIGNMENT = Assignment(
    name="memory_cells",
    exercises=(DELAY_STEP, LEAKY_FORWARD, IMPULSE_RESPONSE, MEMORY_LENGTH, LEAKY_LAYER, TRACK_LEVEL),
    data={},
)
