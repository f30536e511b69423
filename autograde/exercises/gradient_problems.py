"""The exercises of the assignment on gradient problems: see them, clip them, and begin and go on without them."""

from __future__ import annotations

import io

import numpy as np
import torch
from torch import nn

from autograde.exercises.definition import Assignment, Case, Exercise, Group, Misconception
from autograde.exercises.recurrent_neurons import layer_weights
from solutions.with_numpy import gradient_problems as reference
from solutions.with_numpy.recurrent_neurons import RNNCache

PAGE = "gradient_problems.html"
WRONG = f"{PAGE}#what-goes-wrong"
STEP = f"{PAGE}#what-one-step-does-to-a-gradient"
NUMBER = f"{PAGE}#which-number-of-a-matrix-counts"
WALLS = f"{PAGE}#walls-and-how-not-to-be-thrown-back-by-them"
HELP = f"{PAGE}#what-helps-measured"
TORCH = f"{PAGE}#the-same-in-pytorch"


def unchanged(points: float) -> Group:
    return Group("unchanged", "leaves its arguments as they are", points, property="unchanged")


# --- step_jacobian ----------------------------------------------------------------------------------------------------


def jacobian_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, H=4, h=0.9, diagonal=False, dtype=np.float64) -> Case:
        W_h = rng.uniform(0.5, 1.5, size=(H, H)) * rng.choice([-1, 1], size=(H, H))
        W_h = W_h * np.eye(H) if diagonal else W_h
        h_t = h * rng.uniform(0.4, 1.0, size=(N, H)) * rng.choice([-1, 1], size=(N, H))
        return Case(group, words, {"args": [h_t.astype(dtype), W_h.astype(dtype)]})

    return [
        case("slopes", "neurons that hear only themselves", diagonal=True),
        case("layout", "states of 0, where every slope is 1", h=0.0),
        case("whole", "a batch of three states"),
        case("whole", "a batch of five states, near the ends of tanh", N=5, H=3, h=0.99),
        case("sizes", "one sequence of two neurons", N=1, H=2),
        case("sizes", "one neuron", H=1),
        case("sizes", "as many sequences as neurons", N=4, H=4),
        case("sizes", "arrays of float32", dtype=np.float32),
    ]


def jacobian_without_transpose(h_t, W_h):
    return (1 - h_t**2)[:, :, None] * W_h


def jacobian_with_the_slopes_on_the_columns(h_t, W_h):
    return (1 - h_t**2)[:, None, :] * W_h.T


def jacobian_turned_round(h_t, W_h):
    return W_h * (1 - h_t**2)[:, None, :]


def jacobian_without_slope(h_t, W_h):
    return np.stack([W_h.T] * len(h_t))


def jacobian_with_a_slope_above_one(h_t, W_h):
    return (1 + h_t**2)[:, :, None] * W_h.T


def jacobian_with_tanh_taken_twice(h_t, W_h):
    return (1 - np.tanh(h_t) ** 2)[:, :, None] * W_h.T


def jacobian_with_a_slope_that_is_not_squared(h_t, W_h):
    return (1 - h_t)[:, :, None] * W_h.T


STEP_JACOBIAN = Exercise(
    name="step_jacobian",
    kind="function",
    signature="step_jacobian(h_t, W_h)",
    outputs=("J",),
    reference=lambda h_t, W_h: reference.step_jacobian(h_t, W_h),
    cases=jacobian_cases,
    groups=(
        Group("slopes", "the slope of each neuron", 1.0),
        Group("layout", "which neuron moves which", 1.0),
        Group("whole", "a whole Jacobian for each sequence", 1.0),
        Group("sizes", "any sizes, float32", 0.5),
        unchanged(0.5),
    ),
    forbidden=("torch", "step_by_autograd"),
    misconceptions=(
        Misconception(
            "no-transpose",
            "W_h stands where its transpose should",
            "The row of J is the neuron that is moved. In W_h, laid out (from, to), which axis is that?",
            WRONG,
            jacobian_without_transpose,
        ),
        Misconception(
            "slopes-on-columns",
            "the slopes multiply the columns",
            "Whose tanh is it that flattens a change: that of the neuron that moved, or that of the one being moved?",
            WRONG,
            jacobian_with_the_slopes_on_the_columns,
        ),
        Misconception(
            "turned-round",
            "the whole Jacobian is transposed",
            "J @ v should carry a change v of the old state to the new one. Which way does yours carry it?",
            WRONG,
            jacobian_turned_round,
        ),
        Misconception(
            "no-slope",
            "there is no slope of tanh in it",
            "Near the ends of tanh a neuron hardly moves when its sum does. What in your matrix says so?",
            STEP,
            jacobian_without_slope,
        ),
        Misconception(
            "slope-above-one",
            "the slope has the wrong sign in it",
            "Where is tanh steepest, and how steep is it there? Can your slope be larger?",
            STEP,
            jacobian_with_a_slope_above_one,
        ),
        Misconception(
            "tanh-twice",
            "tanh is applied to a state that has been through it",
            "h_t is what tanh made of the sum. In the slope, what is squared: h_t itself, or tanh of it once more?",
            STEP,
            jacobian_with_tanh_taken_twice,
        ),
        Misconception(
            "not-squared",
            "h_t stands in the slope without its square",
            "How steep is tanh near its lower end, and how steep near its upper end? Are your two slopes equal?",
            STEP,
            jacobian_with_a_slope_that_is_not_squared,
        ),
    ),
)


# --- jacobian_product -------------------------------------------------------------------------------------------------


def states(rng: np.random.Generator, N: int, T: int, H: int, lengths=None) -> np.ndarray:
    """States of a tanh layer as ``rnn_forward`` gives them: 0 after a sequence's end."""
    h = rng.uniform(0.2, 0.8, size=(N, T, H)) * rng.choice([-1, 1], size=(N, T, H))
    return h if lengths is None else np.where(np.arange(T)[None, :, None] < np.array(lengths)[:, None, None], h, 0)


def recurrent(rng: np.random.Generator, H: int) -> np.ndarray:
    """A matrix that keeps a product over a few steps at a size that can be seen."""
    return 1.6 * (rng.uniform(0.5, 1.5, size=(H, H)) * rng.choice([-1, 1], size=(H, H))) / H**0.5


def product_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=2, T=4, H=3, lengths=None, dtype=np.float64) -> Case:
        args = [states(rng, N, T, H, lengths).astype(dtype), recurrent(rng, H).astype(dtype)]
        return Case(group, words, {"args": args if lengths is None else [*args, np.array(lengths)]})

    return [
        case("two", "two steps", T=2),
        case("steps", "four steps"),
        case("steps", "six steps of two neurons", N=3, T=6, H=2),
        case("sizes", "one step", T=1, H=4),
        case("sizes", "no step at all", T=0),
        case("sizes", "arrays of float32", N=1, T=3, dtype=np.float32),
        case("lengths", "sequences of 4, 2 and 1 steps", N=3, lengths=[4, 2, 1]),
        case("lengths", "sequences of 0, 5 and 3 steps", N=3, T=5, H=2, lengths=[0, 5, 3]),
    ]


def product_in_the_wrong_order(h, W_h, lengths=None):
    N, T, H = h.shape
    lengths = np.full(N, T) if lengths is None else np.asarray(lengths)
    product = np.tile(np.eye(H), (N, 1, 1))
    for t in range(T):
        J = (1 - h[:, t] ** 2)[:, :, None] * W_h.T
        product = np.where((t < lengths)[:, None, None], product @ J, product)
    return product.astype(h.dtype)


def product_entry_by_entry(h, W_h, lengths=None):
    N, T, H = h.shape
    lengths = np.full(N, T) if lengths is None else np.asarray(lengths)
    product = np.tile(np.eye(H), (N, 1, 1))
    for t in range(T):
        J = (1 - h[:, t] ** 2)[:, :, None] * W_h.T
        product = np.where((t < lengths)[:, None, None], J * product, product)
    return product.astype(h.dtype)


def product_of_the_last_step_alone(h, W_h, lengths=None):
    N, T, H = h.shape
    lengths = np.full(N, T) if lengths is None else np.asarray(lengths)
    product = np.tile(np.eye(H), (N, 1, 1))
    for t in range(T):
        J = (1 - h[:, t] ** 2)[:, :, None] * W_h.T
        product = np.where((t < lengths)[:, None, None], J, product)
    return product.astype(h.dtype)


def product_ignoring_lengths(h, W_h, lengths=None):
    N, T, H = h.shape
    product = np.tile(np.eye(H), (N, 1, 1))
    for t in range(T):
        product = ((1 - h[:, t] ** 2)[:, :, None] * W_h.T) @ product
    return product.astype(h.dtype)


def product_of_bare_weights(h, W_h, lengths=None):
    N, T, H = h.shape
    lengths = np.full(N, T) if lengths is None else np.asarray(lengths)
    return np.stack([np.linalg.matrix_power(W_h.T, int(steps)) for steps in lengths]).astype(h.dtype)


def product_one_step_too_few(h, W_h, lengths=None):
    N, T, H = h.shape
    lengths = np.full(N, T) if lengths is None else np.asarray(lengths)
    product = np.tile(np.eye(H), (N, 1, 1))
    for t in range(1, T):
        J = (1 - h[:, t] ** 2)[:, :, None] * W_h.T
        product = np.where((t < lengths)[:, None, None], J @ product, product)
    return product.astype(h.dtype)


def product_from_the_other_side(h, W_h, lengths=None):
    N, T, H = h.shape
    lengths = np.full(N, T) if lengths is None else np.asarray(lengths)
    product = np.tile(np.eye(H), (N, 1, 1))
    for t in range(T):
        J = (1 - h[:, t] ** 2)[:, :, None] * W_h.T
        product = np.where((t < lengths)[:, None, None], J @ product, product)
    return product.transpose(0, 2, 1).astype(h.dtype)


def product_without_the_last_step(h, W_h, lengths=None):
    N, T, H = h.shape
    lengths = np.full(N, T) if lengths is None else np.asarray(lengths)
    product = np.tile(np.eye(H), (N, 1, 1))
    for t in range(T - 1):
        J = (1 - h[:, t] ** 2)[:, :, None] * W_h.T
        product = np.where((t < lengths)[:, None, None], J @ product, product)
    return product.astype(h.dtype)


def product_that_begins_with_zeros(h, W_h, lengths=None):
    return np.zeros((len(h), *W_h.shape), h.dtype)


def product_one_step_into_the_padding(h, W_h, lengths=None):
    return product_over_more_steps(1, h, W_h, lengths)


def product_one_step_short(h, W_h, lengths=None):
    return product_over_more_steps(-1, h, W_h, lengths)


def product_over_more_steps(more, h, W_h, lengths):
    """The product over ``more`` steps than a sequence has, where ``lengths`` says how many that are."""
    N, T, H = h.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths) + more
    product = np.tile(np.eye(H), (N, 1, 1))
    for t in range(T):
        J = (1 - h[:, t] ** 2)[:, :, None] * W_h.T
        product = np.where((t < steps)[:, None, None], J @ product, product)
    return product.astype(h.dtype)


def product_that_forgets_after_the_end(h, W_h, lengths=None):
    N, T, H = h.shape
    lengths = np.full(N, T) if lengths is None else np.asarray(lengths)
    product = np.tile(np.eye(H), (N, 1, 1))
    for t in range(T):
        J = (1 - h[:, t] ** 2)[:, :, None] * W_h.T
        product = np.where((t < lengths)[:, None, None], J @ product, 0)
    return product.astype(h.dtype)


JACOBIAN_PRODUCT = Exercise(
    name="jacobian_product",
    kind="function",
    signature="jacobian_product(h, W_h, lengths=None)",
    outputs=("product",),
    reference=lambda h, W_h, lengths=None: reference.jacobian_product(h, W_h, lengths=lengths),
    cases=product_cases,
    groups=(
        Group("two", "two steps", 1.0),
        Group("steps", "more steps", 1.5),
        Group("sizes", "one step, no step, float32", 0.5),
        Group("lengths", "sequences that end early", 1.5),
        unchanged(0.5),
    ),
    misconceptions=(
        Misconception(
            "wrong-order",
            "the newest step stands on the right",
            "A change of the first state meets the first step's Jacobian first. So which stands next to the vector?",
            WRONG,
            product_in_the_wrong_order,
        ),
        Misconception(
            "entry-by-entry",
            "the matrices are multiplied entry by entry",
            "A change passes from neuron i to k by way of every j in between. Which of NumPy's products sums over j?",
            STEP,
            product_entry_by_entry,
        ),
        Misconception(
            "last-step-alone",
            "only the last step is in it",
            "Which name in your loop should remember the steps before, and does the new value use the old one?",
            STEP,
            product_of_the_last_step_alone,
        ),
        Misconception(
            "lengths-ignored",
            "lengths changes nothing",
            "After a sequence's end its state stays as it is. What is the derivative of a state by itself?",
            STEP,
            product_ignoring_lengths,
        ),
        Misconception(
            "bare-weights",
            "it is a power of W_h, whatever the states are",
            "Two sequences with other states give you the same matrix. What did tanh add to each step?",
            STEP,
            product_of_bare_weights,
        ),
        Misconception(
            "one-step-too-few",
            "the first step is left out",
            "The step from h_0 to h_1 has a Jacobian too. In which column of h does h_1 stand?",
            WRONG,
            product_one_step_too_few,
        ),
        Misconception(
            "other-side",
            "the product is transposed",
            "Is the row of your product a neuron of the last state, or one of the first?",
            WRONG,
            product_from_the_other_side,
        ),
        Misconception(
            "last-step-missing",
            "the last step is left out",
            "The state after T steps passed T Jacobians. With which t does your loop end?",
            STEP,
            product_without_the_last_step,
        ),
        Misconception(
            "begins-with-zeros",
            "it is 0 whatever the steps are",
            "Your product begins as some matrix. What is anything times that one?",
            STEP,
            product_that_begins_with_zeros,
        ),
        Misconception(
            "a-step-of-padding",
            "one step of padding is in it",
            "A sequence of 2 steps has the steps 0 and 1. For which t does yours still multiply?",
            STEP,
            product_one_step_into_the_padding,
        ),
        Misconception(
            "a-step-short",
            "a sequence that ends early loses its last step",
            "A sequence of 2 steps has the steps 0 and 1. For which t does yours multiply?",
            STEP,
            product_one_step_short,
        ),
        Misconception(
            "forgets-after-the-end",
            "the product becomes 0 when a sequence has ended",
            "A state that stays as it is depends on h_0 as it did before. What does a step that changes nothing do to "
            "the product?",
            STEP,
            product_that_forgets_after_the_end,
        ),
    ),
)


# --- gradient_norms ---------------------------------------------------------------------------------------------------


def right_gradient_norms(dh, dh_last, h, W_h):
    N, T, H = h.shape
    padded = np.concatenate([np.zeros((1, N, H), h.dtype), h.swapaxes(0, 1)])
    cache = RNNCache(np.zeros((N, T, 1), h.dtype), padded, np.zeros((1, H), h.dtype), W_h, "tanh", None)
    return reference.gradient_norms(dh, dh_last, cache)


def norms_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, T=5, H=4, out=1.0, last=1.0, dtype=np.float64) -> Case:
        args = [out * rng.normal(size=(N, T, H)), last * rng.normal(size=(N, H)), states(rng, N, T, H)]
        return Case(group, words, {"args": [value.astype(dtype) for value in [*args, recurrent(rng, H)]]})

    return [
        case("last", "a loss on the final state alone", out=0.0),
        case("last", "a loss on the final state alone, two neurons and seven steps", N=2, T=7, H=2, out=0.0),
        case("outputs", "a loss on every output", last=0.0),
        case("outputs", "a loss on the outputs and on the final state"),
        case("sizes", "sequences of one step", T=1),
        case("sizes", "one sequence of one neuron", N=1, H=1),
        case("sizes", "arrays of float32", N=2, dtype=np.float32),
    ]


def norms_of_the_final_state_alone(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        norms[:, t] = np.sqrt((g**2).sum(axis=1))
        g = (g * (1 - h[:, t] ** 2)) @ W_h.T
    return norms


def norms_without_the_final_state(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), 0 * dh_last
    for t in reversed(range(h.shape[1])):
        g = dh[:, t] + g
        norms[:, t] = np.sqrt((g**2).sum(axis=1))
        g = (g * (1 - h[:, t] ** 2)) @ W_h.T
    return norms


def norms_without_slope(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        g = dh[:, t] + g
        norms[:, t] = np.sqrt((g**2).sum(axis=1))
        g = g @ W_h.T
    return norms


def norms_through_w_forward(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        g = dh[:, t] + g
        norms[:, t] = np.sqrt((g**2).sum(axis=1))
        g = (g * (1 - h[:, t] ** 2)) @ W_h
    return norms


def norms_behind_tanh(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        da = (dh[:, t] + g) * (1 - h[:, t] ** 2)
        norms[:, t] = np.sqrt((da**2).sum(axis=1))
        g = da @ W_h.T
    return norms


def norms_squared(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        g = dh[:, t] + g
        norms[:, t] = (g**2).sum(axis=1)
        g = (g * (1 - h[:, t] ** 2)) @ W_h.T
    return norms


def norms_by_lag(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        g = dh[:, t] + g
        norms[:, h.shape[1] - 1 - t] = np.sqrt((g**2).sum(axis=1))
        g = (g * (1 - h[:, t] ** 2)) @ W_h.T
    return norms


def norms_of_the_whole_batch(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        g = dh[:, t] + g
        norms[:, t] = np.sqrt((g**2).sum())
        g = (g * (1 - h[:, t] ** 2)) @ W_h.T
    return norms


def norms_with_the_slope_of_the_step_before(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        g = dh[:, t] + g
        norms[:, t] = np.sqrt((g**2).sum(axis=1))
        g = (g * (1 - h[:, t - 1] ** 2)) @ W_h.T
    return norms


def norms_with_the_slope_after_the_weights(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        g = dh[:, t] + g
        norms[:, t] = np.sqrt((g**2).sum(axis=1))
        g = (g @ W_h.T) * (1 - h[:, t] ** 2)
    return norms


def norms_before_dh_joins(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        norms[:, t] = np.sqrt((g**2).sum(axis=1))
        g = ((g + dh[:, t]) * (1 - h[:, t] ** 2)) @ W_h.T
    return norms


def norms_with_the_final_state_at_every_step(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), 0 * dh_last
    for t in reversed(range(h.shape[1])):
        g = dh[:, t] + dh_last + g
        norms[:, t] = np.sqrt((g**2).sum(axis=1))
        g = (g * (1 - h[:, t] ** 2)) @ W_h.T
    return norms


def norms_as_sums_of_sizes(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        g = dh[:, t] + g
        norms[:, t] = np.abs(g).sum(axis=1)
        g = (g * (1 - h[:, t] ** 2)) @ W_h.T
    return norms


def norms_as_root_mean_squares(dh, dh_last, h, W_h):
    norms, g = np.zeros(h.shape[:2]), dh_last
    for t in reversed(range(h.shape[1])):
        g = dh[:, t] + g
        norms[:, t] = np.sqrt((g**2).mean(axis=1))
        g = (g * (1 - h[:, t] ** 2)) @ W_h.T
    return norms


GRADIENT_NORMS = Exercise(
    name="gradient_norms",
    kind="function",
    signature="gradient_norms(dh, dh_last, h, W_h)",
    outputs=("norms",),
    reference=right_gradient_norms,
    cases=norms_cases,
    groups=(
        Group("last", "a gradient that starts at the end", 1.5),
        Group("outputs", "gradients that join on the way", 1.5),
        Group("sizes", "one step, one neuron, float32", 0.5),
        unchanged(0.5),
    ),
    misconceptions=(
        Misconception(
            "final-state-alone",
            "what comes in at the outputs is lost",
            "The loss also looks at the outputs on the way. Where does dh join what comes from later steps?",
            STEP,
            norms_of_the_final_state_alone,
        ),
        Misconception(
            "no-final-state",
            "dh_last is not used",
            "What arrives at the last state besides the gradient of its own output?",
            STEP,
            norms_without_the_final_state,
        ),
        Misconception(
            "no-slope",
            "the gradient passes tanh as if it were not there",
            "On the way from one state to the one before there are two factors. One is W_h; which is the other?",
            STEP,
            norms_without_slope,
        ),
        Misconception(
            "forward-weights",
            "the gradient goes through W_h in the forward direction",
            "W_h is square, so NumPy cannot warn you. Which way do gradients, as rows, pass a matrix (from, to)?",
            STEP,
            norms_through_w_forward,
        ),
        Misconception(
            "behind-tanh",
            "the norm is taken behind tanh",
            "Asked is the gradient by the state. Have you measured it before or after the slope was multiplied in?",
            STEP,
            norms_behind_tanh,
        ),
        Misconception(
            "squared",
            "the norms are squared",
            "How long is the vector with the entries 3 and 4, and what does your function say?",
            STEP,
            norms_squared,
        ),
        Misconception(
            "by-lag",
            "the columns run backwards",
            "Does the first column belong to the first step, or to the lag 0?",
            STEP,
            norms_by_lag,
        ),
        Misconception(
            "whole-batch",
            "one norm stands for all sequences of the batch",
            "Each sequence has a gradient of its own. Over which axis do you sum the squares, and over which not?",
            STEP,
            norms_of_the_whole_batch,
        ),
        Misconception(
            "slope-a-step-early",
            "the slope is that of the state before",
            "The gradient passes the tanh that made a state. Which state's slope stands between g at t + 1 and g at t?",
            STEP,
            norms_with_the_slope_of_the_step_before,
        ),
        Misconception(
            "slope-after-the-weights",
            "the gradient meets W_h first, and then the slope",
            "Forwards, the weights come first and tanh after them. In which order do you meet them on the way back?",
            STEP,
            norms_with_the_slope_after_the_weights,
        ),
        Misconception(
            "before-dh-joins",
            "the norm is taken before dh of the same step joins",
            "The total derivative by a state comes through its own output too. When do you measure it?",
            STEP,
            norms_before_dh_joins,
        ),
        Misconception(
            "final-state-everywhere",
            "dh_last enters at every step",
            "How many states does the loss see through h_last?",
            STEP,
            norms_with_the_final_state_at_every_step,
        ),
        Misconception(
            "sum-of-sizes",
            "the sizes of the entries are summed",
            "How long is the vector with the entries 3 and 4: what does your function say?",
            STEP,
            norms_as_sums_of_sizes,
        ),
        Misconception(
            "root-mean-square",
            "the squares are averaged",
            "How long is the vector with the entries 3 and 4: do you divide by the number of entries?",
            STEP,
            norms_as_root_mean_squares,
        ),
    ),
)


# --- clip_by_norm -----------------------------------------------------------------------------------------------------


def gradients(rng: np.random.Generator, D: int, H: int, norm: float) -> list[np.ndarray]:
    """``dW_x, dW_h, db`` of a joint norm, no two of them of the same length."""
    parts = [rng.normal(size=shape) for shape in ((D, H), (H, H), (H,))]
    parts = [share * part / np.linalg.norm(part) for share, part in zip((0.4, 0.8, 0.2**0.5), parts)]
    return [norm * part for part in parts]


def clip_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, D=3, H=4, norm=5.0, most=2.0, dtype=np.float64) -> Case:
        most, norm = most * rng.uniform(0.9, 1.1), norm * rng.uniform(0.9, 1.1)
        parts = [part.astype(dtype) for part in gradients(rng, D, H, norm)]
        return Case(group, words, {"args": [*parts, float(most)]})

    return [
        case("long", "gradients that are too long together"),
        case("long", "gradients that are 50 times too long", D=2, H=3, norm=100.0),
        case("long", "gradients of which each alone is short enough", norm=2.0, most=1.75),
        case("short", "gradients of float32 that are short enough", norm=0.6, most=2.0, dtype=np.float32),
        case("short", "a max_norm just above the norm", D=1, H=2, norm=3.0, most=4.0, dtype=np.float32),
        case("sizes", "gradients that are all 0", norm=0.0),
        case("sizes", "one input and one neuron", D=1, H=1),
        case("sizes", "arrays of float32", dtype=np.float32),
    ]


def clip_each_alone(dW_x, dW_h, db, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in (dW_x, dW_h, db)))
    own = [max_norm / max(np.sqrt((g**2).sum()), max_norm) for g in (dW_x, dW_h, db)]
    return dW_x * own[0], dW_h * own[1], db * own[2], norm


def clip_that_lengthens(dW_x, dW_h, db, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in (dW_x, dW_h, db)))
    scale = max_norm / (norm + 1e-12)
    return dW_x * scale, dW_h * scale, db * scale, norm


def clip_reporting_the_norm_after(dW_x, dW_h, db, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in (dW_x, dW_h, db)))
    scale = max_norm / max(norm, max_norm)
    return dW_x * scale, dW_h * scale, db * scale, norm * scale


def clip_by_a_sum_of_norms(dW_x, dW_h, db, max_norm):
    norm = sum(np.sqrt((g**2).sum()) for g in (dW_x, dW_h, db))
    scale = max_norm / max(norm, max_norm)
    return dW_x * scale, dW_h * scale, db * scale, norm


def clip_without_the_root(dW_x, dW_h, db, max_norm):
    norm = sum((g**2).sum() for g in (dW_x, dW_h, db))
    scale = max_norm / max(norm, max_norm)
    return dW_x * scale, dW_h * scale, db * scale, norm


def clip_to_the_length_one(dW_x, dW_h, db, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in (dW_x, dW_h, db)))
    scale = 1 / norm if norm > max_norm else 1.0
    return dW_x * scale, dW_h * scale, db * scale, norm


def clip_each_entry(dW_x, dW_h, db, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in (dW_x, dW_h, db)))
    return *(np.clip(g, -max_norm, max_norm) for g in (dW_x, dW_h, db)), norm


def right_clip_by_norm(dW_x, dW_h, db, max_norm):
    clipped, norm = reference.clip_by_norm([dW_x, dW_h, db], max_norm)
    return *clipped, norm


def clip_without_counting_the_bias(dW_x, dW_h, db, max_norm):
    norm = np.sqrt((dW_x**2).sum() + (dW_h**2).sum())
    scale = max_norm / max(norm, max_norm)
    return dW_x * scale, dW_h * scale, db * scale, norm


def clip_that_leaves_the_bias(dW_x, dW_h, db, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in (dW_x, dW_h, db)))
    scale = max_norm / max(norm, max_norm)
    return dW_x * scale, dW_h * scale, db, norm


def clip_by_the_factor_upside_down(dW_x, dW_h, db, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in (dW_x, dW_h, db)))
    scale = max(norm, max_norm) / max_norm
    return dW_x * scale, dW_h * scale, db * scale, norm


def clip_by_a_sum_of_sizes(dW_x, dW_h, db, max_norm):
    norm = sum(np.abs(g).sum() for g in (dW_x, dW_h, db))
    scale = max_norm / max(norm, max_norm)
    return dW_x * scale, dW_h * scale, db * scale, norm


CLIP_BY_NORM = Exercise(
    name="clip_by_norm",
    kind="function",
    signature="clip_by_norm(dW_x, dW_h, db, max_norm)",
    outputs=("dW_x", "dW_h", "db", "norm"),
    reference=right_clip_by_norm,
    cases=clip_cases,
    groups=(
        Group("long", "gradients that are too long", 2.0),
        Group("short", "gradients that are short enough", 1.5),
        Group("sizes", "zeros, other sizes, float32", 1.0),
        unchanged(0.5),
    ),
    misconceptions=(
        Misconception(
            "each-alone",
            "each array is clipped by its own norm",
            "Clip [3] and [4] together to 1: which factor do both get, and which do yours get?",
            WRONG,
            clip_each_alone,
        ),
        Misconception(
            "lengthens",
            "short gradients are made longer",
            "What should happen to a gradient whose norm is below max_norm?",
            WRONG,
            clip_that_lengthens,
        ),
        Misconception(
            "norm-after",
            "the norm that you return is the one after clipping",
            "The log should show an explosion. Can it, if the number never exceeds max_norm?",
            WALLS,
            clip_reporting_the_norm_after,
        ),
        Misconception(
            "sum-of-norms",
            "the norms of the arrays are added",
            "Put [3] and [4] into one vector: how long is it, and what do you get from the two lengths?",
            WALLS,
            clip_by_a_sum_of_norms,
        ),
        Misconception(
            "no-root",
            "the squares are summed, and no root is taken",
            "How long is the vector with the entries 3 and 4, and what does your function say?",
            WALLS,
            clip_without_the_root,
        ),
        Misconception(
            "length-one",
            "long gradients are brought to the length 1",
            "Does the largest norm that is let through play a part in your factor?",
            WALLS,
            clip_to_the_length_one,
        ),
        Misconception(
            "each-entry",
            "each entry is cut by itself",
            "That is the other way to clip. Does the direction of the gradient survive it?",
            WALLS,
            clip_each_entry,
        ),
        Misconception(
            "bias-not-counted",
            "db is missing in the norm",
            "Which arrays make up the one long vector?",
            WALLS,
            clip_without_counting_the_bias,
        ),
        Misconception(
            "bias-not-shortened",
            "db is not shortened",
            "If two of three arrays get shorter, does the direction of the whole gradient stay?",
            WALLS,
            clip_that_leaves_the_bias,
        ),
        Misconception(
            "upside-down",
            "long gradients become still longer",
            "The norm is twice what is let through. Should your factor be 2, or a half?",
            WALLS,
            clip_by_the_factor_upside_down,
        ),
        Misconception(
            "sum-of-sizes",
            "the sizes of the entries are summed",
            "How long is the vector with the entries 3 and 4: what does your function say?",
            WALLS,
            clip_by_a_sum_of_sizes,
        ),
    ),
)


# --- clip_by_value ----------------------------------------------------------------------------------------------------


def value_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, D=3, H=4, size=2.0, dtype=np.float64) -> Case:
        value = float(rng.uniform(0.6, 0.9))
        parts = [size * rng.uniform(0.2, 1, size=s) * rng.choice([-1, 1], size=s) for s in ((D, H), (H, H), (H,))]
        for part in parts:
            part.flat[0], part.flat[-1] = 3 * size * value, -2.5 * size * value
        return Case(group, words, {"args": [*(part.astype(dtype) for part in parts), value]})

    return [
        case("values", "some entries too large on either side"),
        case("values", "float32, and entries that are all small", D=2, H=3, size=0.2, dtype=np.float32),
        case("values", "arrays of float32", D=1, H=2, dtype=np.float32),
    ]


def value_cut_above_alone(dW_x, dW_h, db, value):
    return tuple(np.minimum(g, value) for g in (dW_x, dW_h, db))


def value_set_to_zero(dW_x, dW_h, db, value):
    return tuple(np.where(np.abs(g) > value, 0, g) for g in (dW_x, dW_h, db))


def value_that_loses_its_sign(dW_x, dW_h, db, value):
    return tuple(np.where(np.abs(g) > value, value, g) for g in (dW_x, dW_h, db))


def value_that_scales_the_array(dW_x, dW_h, db, value):
    return tuple(g * value / max(np.abs(g).max(), value) for g in (dW_x, dW_h, db))


def value_of_the_sign(dW_x, dW_h, db, value):
    return tuple(value * np.sign(g) for g in (dW_x, dW_h, db))


def value_cut_below_alone(dW_x, dW_h, db, value):
    return tuple(np.maximum(g, -value) for g in (dW_x, dW_h, db))


def value_of_the_sizes(dW_x, dW_h, db, value):
    return tuple(np.minimum(np.abs(g), value) for g in (dW_x, dW_h, db))


def value_that_clips_by_norm(dW_x, dW_h, db, value):
    norm = np.sqrt(sum((g**2).sum() for g in (dW_x, dW_h, db)))
    return tuple(g * (value / max(norm, value)) for g in (dW_x, dW_h, db))


CLIP_BY_VALUE = Exercise(
    name="clip_by_value",
    kind="function",
    signature="clip_by_value(dW_x, dW_h, db, value)",
    outputs=("dW_x", "dW_h", "db"),
    reference=lambda dW_x, dW_h, db, value: tuple(reference.clip_by_value([dW_x, dW_h, db], value)),
    cases=value_cases,
    groups=(Group("values", "each entry within its bounds", 1.5), unchanged(0.5)),
    misconceptions=(
        Misconception(
            "above-alone",
            "nothing is cut below",
            "What becomes of an entry of -100?",
            WALLS,
            value_cut_above_alone,
        ),
        Misconception(
            "set-to-zero",
            "what is too large becomes 0",
            "Should a weight with a very large gradient not move at all, or move by the most that is allowed?",
            WALLS,
            value_set_to_zero,
        ),
        Misconception(
            "sign-lost",
            "large negative entries become positive",
            "An entry points down, steeply. Where does yours point after clipping?",
            WALLS,
            value_that_loses_its_sign,
        ),
        Misconception(
            "array-scaled",
            "the whole array is scaled until its largest entry fits",
            "Should an entry that is small enough change because another one is too large?",
            WALLS,
            value_that_scales_the_array,
        ),
        Misconception(
            "sign-alone",
            "only the signs are left",
            "What should happen to an entry that lies between the bounds?",
            WALLS,
            value_of_the_sign,
        ),
        Misconception(
            "below-alone",
            "nothing is cut above",
            "What becomes of an entry of 100?",
            WALLS,
            value_cut_below_alone,
        ),
        Misconception(
            "all-positive",
            "no entry is negative any more",
            "What becomes of a small negative entry, one that lies between the bounds?",
            WALLS,
            value_of_the_sizes,
        ),
        Misconception(
            "by-norm",
            "all three arrays are shortened by one factor",
            "That is the other way to clip. Should an entry within its bounds change?",
            WALLS,
            value_that_clips_by_norm,
        ),
    ),
)


# --- orthogonal_from --------------------------------------------------------------------------------------------------


class Drawn(np.random.Generator):
    """A generator that draws the matrix it was given."""

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__(np.random.PCG64(0))
        self.matrix = matrix

    def normal(self, *args, **kwargs):
        return self.matrix


def right_orthogonal(normal, gain):
    normal = np.asarray(normal, np.float64)
    tall = normal if normal.shape[0] >= normal.shape[1] else normal.T
    return reference.orthogonal(normal.shape, Drawn(tall), gain)


def orthogonal_cases(rng: np.random.Generator) -> list[Case]:
    def matrix(rows: int, columns: int) -> np.ndarray:
        """Well-conditioned, so that every way to factor it agrees, and with both signs on the diagonal of R."""
        while True:
            drawn = rng.normal(size=(rows, columns))
            signs = np.sign(np.diag(np.linalg.qr(drawn if rows >= columns else drawn.T)[1]))
            if np.linalg.cond(drawn) < 15 and abs(signs.sum()) < len(signs):
                return drawn

    def case(group: str, words: str, rows: int, columns: int, gain: float | None = None) -> Case:
        gain = float(rng.uniform(1.3, 1.7)) if gain is None else gain
        return Case(group, words, {"args": [matrix(rows, columns), gain]})

    return [
        case("square", "a square matrix, gain 1", 4, 4, 1.0),
        case("square", "a small square matrix, gain 1", 2, 2, 1.0),
        case("gain", "a square matrix with a gain", 3, 3),
        case("gain", "a square matrix with a gain below 0.5", 5, 5, float(rng.uniform(0.3, 0.45))),
        case("shapes", "more rows than columns", 6, 3),
        case("shapes", "more columns than rows", 2, 5),
    ]


def orthogonal_with_the_signs_of_chance(normal, gain):
    rows, columns = normal.shape
    Q, R = np.linalg.qr(normal if rows >= columns else normal.T)
    return gain * (Q if rows >= columns else Q.T)


def orthogonal_with_columns_of_length_one_alone(normal, gain):
    rows, columns = normal.shape
    A = normal if rows >= columns else normal.T
    A = A / np.sqrt((A**2).sum(axis=0))
    return gain * (A if rows >= columns else A.T)


def orthogonal_without_gain(normal, gain):
    rows, columns = normal.shape
    Q, R = np.linalg.qr(normal if rows >= columns else normal.T)
    Q = Q * np.where(np.diag(R) < 0, -1, 1)
    return Q if rows >= columns else Q.T


def orthogonal_by_the_singular_vectors(normal, gain):
    U, _, V = np.linalg.svd(normal, full_matrices=False)
    return gain * (U @ V)


def orthogonal_that_factors_a_wide_matrix(normal, gain):
    Q, R = np.linalg.qr(normal)
    return gain * (Q * np.where(np.diag(R) < 0, -1, 1))


def orthogonal_times_the_diagonal(normal, gain):
    rows, columns = normal.shape
    Q, R = np.linalg.qr(normal if rows >= columns else normal.T)
    Q = Q * np.diag(R)
    return gain * (Q if rows >= columns else Q.T)


def orthogonal_with_the_signs_on_the_rows(normal, gain):
    rows, columns = normal.shape
    Q, R = np.linalg.qr(normal if rows >= columns else normal.T)
    Q = np.where(np.diag(R) < 0, -1, 1)[:, None] * Q
    return gain * (Q if rows >= columns else Q.T)


def orthogonal_with_the_signs_of_q(normal, gain):
    rows, columns = normal.shape
    Q, R = np.linalg.qr(normal if rows >= columns else normal.T)
    Q = Q * np.where(np.diag(Q) < 0, -1, 1)
    return gain * (Q if rows >= columns else Q.T)


ORTHOGONAL_FROM = Exercise(
    name="orthogonal_from",
    kind="function",
    signature="orthogonal_from(normal, gain)",
    outputs=("W",),
    reference=right_orthogonal,
    cases=orthogonal_cases,
    groups=(
        Group("square", "a square matrix", 1.5),
        Group("gain", "a gain", 0.5),
        Group("shapes", "more rows than columns, and more columns than rows", 1.5),
        unchanged(0.5),
    ),
    misconceptions=(
        Misconception(
            "signs-of-chance",
            "the signs of the columns are those that the library happens to choose",
            "A column of Q and a row of R may change sign together. Which rule here says which sign holds?",
            HELP,
            orthogonal_with_the_signs_of_chance,
        ),
        Misconception(
            "length-alone",
            "the columns have the right length, and are not at right angles",
            "Multiply your matrix by its transpose: what stands off the diagonal?",
            HELP,
            orthogonal_with_columns_of_length_one_alone,
        ),
        Misconception(
            "no-gain",
            "the gain is not used",
            "By which factor should your matrix change the length of a vector?",
            HELP,
            orthogonal_without_gain,
        ),
        Misconception(
            "singular-vectors",
            "the matrix is orthogonal, and not the one that is asked for",
            "Of many orthogonal matrices one is asked for. Does your first column point where that of normal does?",
            HELP,
            orthogonal_by_the_singular_vectors,
        ),
        Misconception(
            "wide-not-turned",
            "a wide matrix is factored as it is",
            "With more columns than rows, can all columns be at right angles? What could you factor in its place?",
            HELP,
            orthogonal_that_factors_a_wide_matrix,
        ),
        Misconception(
            "times-the-diagonal",
            "the columns are multiplied by more than a sign",
            "How long are the columns of Q before you multiply, and how long afterwards?",
            HELP,
            orthogonal_times_the_diagonal,
        ),
        Misconception(
            "signs-on-the-rows",
            "rows of Q change their sign, not columns",
            "Turn the sign of a row of R. What of Q must turn with it, so that the product stays?",
            HELP,
            orthogonal_with_the_signs_on_the_rows,
        ),
        Misconception(
            "signs-of-q",
            "the signs are taken from Q",
            "On the diagonal of which of the two matrices should all numbers be positive?",
            HELP,
            orthogonal_with_the_signs_of_q,
        ),
    ),
)


# --- adam_step --------------------------------------------------------------------------------------------------------


def right_adam(p, g, m, v, t, lr, beta1, beta2, eps):
    moved, state = reference.adam(p, g, reference.AdamState(t - 1, m, v), lr, beta1, beta2, eps)
    return moved, state.mean, state.square


def adam_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, shape=(3, 4), t=1, eps=1e-8, size=1.0, dtype=np.float64) -> Case:
        def away_from_zero() -> np.ndarray:
            return rng.uniform(0.5, 1.5, size=shape) * rng.choice([-1, 1], size=shape)

        p, g = away_from_zero(), size * away_from_zero()
        m, v = (0 * p, 0 * p) if t == 1 else (size * away_from_zero(), size**2 * rng.uniform(0.5, 2.0, size=shape))
        beta1, beta2 = float(rng.uniform(0.6, 0.75)), float(rng.uniform(0.85, 0.95))
        args = [value.astype(dtype) for value in (p, g, m, v)]
        return Case(group, words, {"args": [*args, t, float(rng.uniform(0.1, 0.3)), beta1, beta2, eps]})

    return [
        case("first", "the first step, from m = 0 and v = 0"),
        case("first", "the first step with large gradients", size=40.0),
        case("later", "the third step", t=3),
        case("later", "the tenth step, of a vector", shape=(5,), t=10),
        case("eps", "an eps so large that it shows where you add it", t=2, eps=2.0),
        case("sizes", "one number", shape=(1,), t=4),
        case("sizes", "arrays of float32", t=2, dtype=np.float32),
    ]


def adam_that_forgets_to_count(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (np.sqrt(v) + eps), m, v


def adam_always_at_the_first_step(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (1 - beta1) / (np.sqrt(v / (1 - beta2)) + eps), m, v


def adam_handing_on_the_corrected(p, g, m, v, t, lr, beta1, beta2, eps):
    m = (beta1 * m + (1 - beta1) * g) / (1 - beta1**t)
    v = (beta2 * v + (1 - beta2) * g**2) / (1 - beta2**t)
    return p - lr * m / (np.sqrt(v) + eps), m, v


def adam_without_the_root(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (1 - beta1**t) / (v / (1 - beta2**t) + eps), m, v


def adam_with_eps_under_the_root(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (1 - beta1**t) / np.sqrt(v / (1 - beta2**t) + eps), m, v


def adam_with_the_rates_swapped(p, g, m, v, t, lr, beta1, beta2, eps):
    m = (1 - beta1) * m + beta1 * g
    v = (1 - beta2) * v + beta2 * g**2
    return p - lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


def adam_with_momentum_unweighted(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + g
    v = beta2 * v + g**2
    return p - lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


def adam_uphill(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return p + lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


def adam_that_corrects_v_alone(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


def adam_that_corrects_m_alone(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return p - lr * m / (1 - beta1**t) / (np.sqrt(v) + eps), m, v


def adam_that_counts_one_more(p, g, m, v, t, lr, beta1, beta2, eps):
    return right_adam(p, g, m, v, t + 1, lr, beta1, beta2, eps)


def adam_with_the_betas_swapped(p, g, m, v, t, lr, beta1, beta2, eps):
    return right_adam(p, g, m, v, t, lr, beta2, beta1, eps)


def adam_along_the_newest_gradient(p, g, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    return p - lr * g / (np.sqrt(v / (1 - beta2**t)) + eps), m, v


def adam_without_eps(p, g, m, v, t, lr, beta1, beta2, eps):
    return right_adam(p, g, m, v, t, lr, beta1, beta2, 0.0)


def adam_with_eps_before_the_correction(p, g, m, v, t, lr, beta1, beta2, eps):
    return right_adam(p, g, m, v, t, lr, beta1, beta2, eps / np.sqrt(1 - beta2**t))


def adam_with_the_means_swapped(p, g, m, v, t, lr, beta1, beta2, eps):
    p, m, v = right_adam(p, g, m, v, t, lr, beta1, beta2, eps)
    return p, v, m


ADAM_STEP = Exercise(
    name="adam_step",
    kind="function",
    signature="adam_step(p, g, m, v, t, lr, beta1, beta2, eps)",
    outputs=("p", "m", "v"),
    reference=right_adam,
    cases=adam_cases,
    groups=(
        Group("first", "the first step", 1.5),
        Group("later", "later steps", 1.5),
        Group("eps", "where eps is added", 0.5),
        Group("sizes", "any shape, float32", 1.0),
        unchanged(0.5),
    ),
    misconceptions=(
        Misconception(
            "not-counted",
            "the zeros at the start are not corrected",
            "m and v began at 0. By how much are they too small after one step, and where do you take that out?",
            WRONG,
            adam_that_forgets_to_count,
        ),
        Misconception(
            "always-first",
            "every step is corrected like the first",
            "After a thousand steps, how much of the zeros at the start is left in m? Does your correction fade?",
            WRONG,
            adam_always_at_the_first_step,
        ),
        Misconception(
            "corrected-handed-on",
            "the corrected means are handed on to the next step",
            "The next step multiplies m by beta1 and corrects it again. Which m should it receive?",
            WRONG,
            adam_handing_on_the_corrected,
        ),
        Misconception(
            "no-root",
            "the divisor is not a root",
            "Multiply all gradients by 40. Should the step be 40 times smaller, or the same?",
            HELP,
            adam_without_the_root,
        ),
        Misconception(
            "eps-under-the-root",
            "eps is added under the root",
            "In the equation, is eps added to the mean of the squares, or to its root?",
            HELP,
            adam_with_eps_under_the_root,
        ),
        Misconception(
            "rates-swapped",
            "the weights of old and new are swapped",
            "With beta1 near 1, should m follow the newest gradient quickly or slowly?",
            HELP,
            adam_with_the_rates_swapped,
        ),
        Misconception(
            "not-a-mean",
            "m and v are sums, not means",
            "If the gradient is always 1, what should m approach, and what does yours approach?",
            HELP,
            adam_with_momentum_unweighted,
        ),
        Misconception(
            "uphill",
            "the step goes up the slope",
            "The gradient points to where the loss grows. Where do you go?",
            HELP,
            adam_uphill,
        ),
        Misconception(
            "m-not-corrected",
            "m is not corrected, and v is",
            "Both began at 0. After one step, what share of a gradient is in m?",
            HELP,
            adam_that_corrects_v_alone,
        ),
        Misconception(
            "v-not-corrected",
            "v is not corrected, and m is",
            "Both began at 0. After one step, what share of a squared gradient is in v?",
            HELP,
            adam_that_corrects_m_alone,
        ),
        Misconception(
            "counts-one-more",
            "the correction is that of the step after",
            "The first step has t = 1. Which power of beta1 belongs to it?",
            HELP,
            adam_that_counts_one_more,
        ),
        Misconception(
            "betas-swapped",
            "beta1 and beta2 have changed places",
            "Which of the two belongs to m, and which one to v?",
            HELP,
            adam_with_the_betas_swapped,
        ),
        Misconception(
            "newest-alone",
            "the step goes along the newest gradient",
            "What is m for, if the step does not use it?",
            HELP,
            adam_along_the_newest_gradient,
        ),
        Misconception(
            "no-eps",
            "eps is not used",
            "What happens to your step where all gradients so far were 0?",
            HELP,
            adam_without_eps,
        ),
        Misconception(
            "eps-before-the-correction",
            "eps is added to the root of v before v is corrected",
            "In the equation, does eps meet the root of v, or the root of the corrected v?",
            HELP,
            adam_with_eps_before_the_correction,
        ),
        Misconception(
            "means-swapped",
            "m and v are returned in each other's place",
            "In which order should the two means come back?",
            HELP,
            adam_with_the_means_swapped,
        ),
    ),
)


# --- ClippedRNN -------------------------------------------------------------------------------------------------------


class ReferenceClippedRNN(nn.Module):
    """The layer with its chain rule written out: an autograd function for the limit at each state."""

    def __init__(self, input_size, hidden_size, max_norm):
        super().__init__()
        self.max_norm = max_norm
        self.weight_ih_l0 = nn.Parameter(torch.zeros(hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.zeros(hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], len(self.bias_hh_l0)) if h0 is None else h0
        outputs = []
        for x_t in x.unbind(dim=1):
            total = nn.functional.linear(x_t, self.weight_ih_l0, self.bias_ih_l0)
            state = torch.tanh(total + nn.functional.linear(state, self.weight_hh_l0, self.bias_hh_l0))
            state = Limited.apply(state, self.max_norm)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class Limited(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, max_norm):
        ctx.max_norm = max_norm
        return h.view_as(h)

    @staticmethod
    def backward(ctx, g):
        rows = [reference.clip_by_norm(row.numpy(), ctx.max_norm)[0] for row in g]
        return torch.as_tensor(np.stack(rows)), None


def clipped_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str,
        words: str,
        N=3,
        T=4,
        D=2,
        H=3,
        most=0.6,
        first=True,
        upstream=(),
        idle=0,
        near=1.0,
        dtype="float64",
        device="cpu",
    ) -> Case:
        W_x, W_h, b = layer_weights(rng, D, H)
        W_h = 1.25 * np.linalg.qr(W_h)[0] if near < 1 else W_h  # each step back makes a gradient longer
        share = near * rng.uniform(0.2, 0.8)
        weights = {"weight_ih_l0": W_x.T, "weight_hh_l0": 2 * W_h.T}
        weights |= {"bias_ih_l0": share * b, "bias_hh_l0": (near - share) * b}
        h0 = near * rng.uniform(0.3, 0.9, size=(N, H)) * rng.choice([-1, 1], size=(N, H))
        shapes = {"h": (N, T, H), "h_last": (N, H)}
        call = {
            "build": [D, H, most],
            "weights": {name: np.ascontiguousarray(value) for name, value in weights.items()},
            "inputs": [near * rng.normal(size=(N, T, D)) / 2] + [h0] * first,
            "upstream": {
                name: rng.uniform(0.5, 2.0, size=shapes[name]) * rng.choice([-1, 1], size=shapes[name])
                for name in upstream
            },
            "dtype": dtype,
            "device": device,
        }
        for value in call["upstream"].values():
            value[:idle] = 0
        return Case(group, words, call)

    return [
        case("forward", "a batch of three sequences, no initial state given", first=False),
        case("forward", "one sequence of five steps, from a given state", N=1, T=5, D=3, H=4),
        case("short", "gradients that are short enough", most=200.0, upstream=("h",)),
        case("short", "gradients that are 0 for one sequence", most=200.0, upstream=("h", "h_last"), idle=1),
        case("long", "gradients from the final state, too long", upstream=("h_last",)),
        case("long", "gradients from every output and the final state, too long", N=2, upstream=("h", "h_last")),
        case("long", "gradients of which a few are too long", T=5, most=2.3, upstream=("h",)),
        case("long", "states near 0, where each step back makes a gradient longer", upstream=("h",), near=0.05),
        case("everywhere", "parameters of float32", dtype="float32"),
        case("everywhere", "a device other than the CPU (PyTorch's meta device)", first=False, device="meta"),
    ]


class ClippedRNNThatDoesNotClip(nn.Module):
    def __init__(self, input_size, hidden_size, max_norm):
        super().__init__()
        self.max_norm = max_norm
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
        return torch.stack(outputs, dim=1), state


class ClippedRNNOverTheBatch(nn.Module):
    def __init__(self, input_size, hidden_size, max_norm):
        super().__init__()
        self.max_norm = max_norm
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
            if state.requires_grad:
                state.register_hook(lambda g: g * (self.max_norm / g.norm().clamp(min=self.max_norm)))
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class ClippedRNNByValue(nn.Module):
    def __init__(self, input_size, hidden_size, max_norm):
        super().__init__()
        self.max_norm = max_norm
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
            if state.requires_grad:
                state.register_hook(lambda g: g.clamp(-self.max_norm, self.max_norm))
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class ClippedRNNThatLengthens(nn.Module):
    def __init__(self, input_size, hidden_size, max_norm):
        super().__init__()
        self.max_norm = max_norm
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
            if state.requires_grad:
                state.register_hook(lambda g: g * (self.max_norm / g.norm(dim=1, keepdim=True).clamp(min=1e-12)))
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class ClippedRNNOfTheCPUOnly(nn.Module):
    def __init__(self, input_size, hidden_size, max_norm):
        super().__init__()
        self.max_norm = max_norm
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
            if state.requires_grad:
                state.register_hook(
                    lambda g: g * (self.max_norm / g.norm(dim=1, keepdim=True).clamp(min=self.max_norm))
                )
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class ClippedRNNThatClipsItsState(nn.Module):
    def __init__(self, input_size, hidden_size, max_norm):
        super().__init__()
        self.max_norm = max_norm
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
            state = state * (self.max_norm / state.norm(dim=1, keepdim=True).clamp(min=self.max_norm))
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class ClippedRNNThatDetaches(nn.Module):
    def __init__(self, input_size, hidden_size, max_norm):
        super().__init__()
        self.max_norm = max_norm
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


class ClippedRNNThatAlsoLimitsH0(ReferenceClippedRNN):
    def forward(self, x, h0=None):
        return super().forward(x, h0 if h0 is None else Limited.apply(h0, self.max_norm))


class ClippedRNNThatIgnoresH0(ReferenceClippedRNN):
    def forward(self, x, h0=None):
        return super().forward(x)


class ClippedRNNElsewhere(ReferenceClippedRNN):
    """A layer with three places at which a gradient can be limited, and a limit at none of them."""

    def total(self, a):
        return a

    def output(self, state):
        return state

    def onward(self, state):
        return state

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], len(self.bias_hh_l0)) if h0 is None else h0
        outputs = []
        for x_t in x.unbind(dim=1):
            from_input = nn.functional.linear(x_t, self.weight_ih_l0, self.bias_ih_l0)
            from_state = nn.functional.linear(state, self.weight_hh_l0, self.bias_hh_l0)
            state = torch.tanh(self.total(from_input + from_state))
            outputs.append(self.output(state))
            state = self.onward(state)
        return torch.stack(outputs, dim=1), state


class ClippedRNNBehindTanh(ClippedRNNElsewhere):
    def total(self, a):
        return Limited.apply(a, self.max_norm)


class ClippedRNNAtTheOutputs(ClippedRNNElsewhere):
    def output(self, state):
        return Limited.apply(state, self.max_norm)


class ClippedRNNAlongTheStates(ClippedRNNElsewhere):
    def onward(self, state):
        return Limited.apply(state, self.max_norm)


class ClippedRNNAtTheEnd(ClippedRNNElsewhere):
    def forward(self, x, h0=None):
        h, state = super().forward(x, h0)
        state = Limited.apply(h[:, -1], self.max_norm)
        return torch.cat([h[:, :-1], state[:, None]], dim=1), state


class ClippedRNNOverEachNeuron(ClippedRNNElsewhere):
    def output(self, state):
        if state.requires_grad:
            state.register_hook(lambda g: g * (self.max_norm / g.norm(dim=0, keepdim=True).clamp(min=self.max_norm)))
        return state


CLIPPED_RNN = Exercise(
    name="ClippedRNN",
    kind="module",
    signature="ClippedRNN(input_size, hidden_size, max_norm)",
    outputs=("h", "h_last"),
    reference=ReferenceClippedRNN,
    cases=clipped_cases,
    groups=(
        Group("forward", "the outputs, which clipping leaves alone", 1.0),
        Group("short", "gradients that are short enough, and gradients of 0", 1.0),
        Group("long", "gradients that are too long", 2.0),
        Group("everywhere", "any dtype and any device", 1.0),
    ),
    forbidden=(
        "torch.nn.RNN",
        "torch.nn.RNNCell",
        "torch.nn.RNNBase",
        "torch.nn.RNNCellBase",
        "torch.nn.utils.clip_grad_norm_",
        "torch.nn.utils.clip_grad_norm",
        "torch.rnn_tanh",
        "torch.rnn_tanh_cell",
        "torch.rnn_relu",
        "torch.rnn_relu_cell",
        "torch._VF",
    ),
    misconceptions=(
        Misconception(
            "not-clipped",
            "the gradients are not clipped",
            "The outputs are right. Which call lets you change a gradient on its way back through a tensor?",
            TORCH,
            ClippedRNNThatDoesNotClip,
        ),
        Misconception(
            "over-the-batch",
            "all sequences share one norm",
            "If one sequence explodes, should the gradients of the others shrink? Over which axis is your norm?",
            WALLS,
            ClippedRNNOverTheBatch,
        ),
        Misconception(
            "by-value",
            "each entry of the gradient is cut by itself",
            "Does the direction of a gradient survive what you do to it?",
            WALLS,
            ClippedRNNByValue,
        ),
        Misconception(
            "lengthens",
            "short gradients are made longer",
            "What should happen to a gradient whose norm is below max_norm?",
            WRONG,
            ClippedRNNThatLengthens,
        ),
        Misconception(
            "cpu-only",
            "it runs on the CPU only",
            "On which device does torch.zeros put its result when it is not told? Where does x live?",
            TORCH,
            ClippedRNNOfTheCPUOnly,
        ),
        Misconception(
            "state-clipped",
            "the state is shortened on its way forward",
            "Clipping concerns what comes back. Should the outputs differ from those of a plain layer?",
            WALLS,
            ClippedRNNThatClipsItsState,
        ),
        Misconception(
            "cut",
            "no gradient passes from one step to the one before",
            "To limit is not to cut. Which call in your loop takes a tensor out of autograd's graph?",
            TORCH,
            ClippedRNNThatDetaches,
        ),
        Misconception(
            "behind-tanh",
            "the gradient is limited behind tanh",
            "Asked is the gradient by the state. Does your limit come before or after the slope of tanh is multiplied "
            "in?",
            TORCH,
            ClippedRNNBehindTanh,
        ),
        Misconception(
            "outputs-alone",
            "only what comes in at the outputs is limited",
            "A state's total gradient also comes from later steps. Does that part pass the tensor that you watch?",
            TORCH,
            ClippedRNNAtTheOutputs,
        ),
        Misconception(
            "later-steps-alone",
            "what comes in at the outputs is not limited",
            "A state's total gradient also comes through its own output. Does that part pass the tensor that you "
            "watch?",
            TORCH,
            ClippedRNNAlongTheStates,
        ),
        Misconception(
            "last-state-alone",
            "only the gradient by the last state is limited",
            "For how many of the states should the limit hold? Where in your loop does the hook stand?",
            TORCH,
            ClippedRNNAtTheEnd,
        ),
        Misconception(
            "over-each-neuron",
            "each neuron has a norm of its own, over all sequences",
            "Which axis of an (N, H) belongs to the sequences? Over which one is your norm?",
            WALLS,
            ClippedRNNOverEachNeuron,
        ),
        Misconception(
            "h0-limited-too",
            "the gradient by h0 is limited too",
            "Which states does the exercise name, and does h0 belong to them?",
            TORCH,
            ClippedRNNThatAlsoLimitsH0,
        ),
        Misconception(
            "starts-at-zero",
            "h0 is not used",
            "Which state does your first step see, and which one was passed in?",
            TORCH,
            ClippedRNNThatIgnoresH0,
        ),
    ),
)


# --- diagnoses --------------------------------------------------------------------------------------------------------

SMALL, FLAT, EXPLODES = 10, 20, 30


def three_networks() -> bytes:
    """``x (20, 30, 1)`` and the weights ``W_x, W_h, b`` of three layers of 8 neurons, numbered from 0."""
    rng = np.random.default_rng(20)
    H = 8

    def turn() -> np.ndarray:
        return np.linalg.qr(rng.normal(size=(H, H)))[0]

    ahead = np.diag(np.full(H - 1, 1.0), 1)
    flat = turn() * 2.5  # a spectral radius far above 1, in a layer that is driven to the ends of tanh
    basis = turn()
    small = basis @ (0.3 * np.eye(H) + 0.8 * ahead) @ basis.T  # every eigenvalue 0.3, and a step can stretch
    basis = turn()
    explodes = basis @ (0.9 * np.eye(H) + 1.5 * ahead) @ basis.T  # every eigenvalue 0.9, and it grows for long
    arrays = {"x": rng.normal(size=(20, 30, 1))}
    for number, (W_h, drive) in enumerate(((flat, 3.0), (small, 0.2), (explodes, 1e-5))):
        arrays |= {f"W_x{number}": drive * rng.normal(size=(1, H)), f"W_h{number}": W_h, f"b{number}": np.zeros(H)}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def judged_by_the_spectral_radius():
    return np.array([30, 10, 10])


def judged_by_the_largest_singular_value():
    return np.array([30, 30, 30])


def small_and_flat_mixed_up():
    return np.array([10, 20, 30])


def flat_taken_for_small():
    return np.array([10, 10, 30])


def judged_by_powers_of_the_spectral_radius():
    return np.array([30, 10, 0])


def judged_by_powers_of_the_largest_singular_value():
    return np.array([30, 0, 30])


def judged_with_a_looser_bound():
    return np.array([20, 0, 30])


DIAGNOSES = Exercise(
    name="diagnoses",
    kind="value",
    signature="diagnoses",
    outputs=("diagnoses",),
    reference=lambda: np.array([FLAT, SMALL, EXPLODES]),
    cases=lambda rng: [Case("diagnoses", "the three networks", {})],
    groups=(Group("diagnoses", "what each of the three networks suffers from", 3.0),),
    tolerance=1e-9,
    misconceptions=(
        Misconception(
            "spectral-radius",
            "the networks are judged by their spectral radius",
            "The spectral radius speaks of many steps without tanh. What do the products of thirty Jacobians say?",
            NUMBER,
            judged_by_the_spectral_radius,
        ),
        Misconception(
            "singular-value",
            "the networks are judged by their largest singular value",
            "What one step can do at most, must thirty steps do? Which column has measured them?",
            NUMBER,
            judged_by_the_largest_singular_value,
        ),
        Misconception(
            "mixed-up",
            "the two reasons to vanish have changed places",
            "In which of the two networks are the slopes of tanh near zero?",
            NUMBER,
            small_and_flat_mixed_up,
        ),
        Misconception(
            "flat-for-small",
            "two networks get the same diagnosis for two different illnesses",
            "In both the gradient vanishes. Do both have slopes near their largest?",
            NUMBER,
            flat_taken_for_small,
        ),
        Misconception(
            "powers-of-rho",
            "the networks are judged by powers of their spectral radius",
            "A power of W_h has no tanh in it, and thirty steps are not endlessly many. Which column holds what "
            "really came of thirty steps?",
            NUMBER,
            judged_by_powers_of_the_spectral_radius,
        ),
        Misconception(
            "powers-of-sigma",
            "the networks are judged by powers of their largest singular value",
            "What one step can do at most, must every step do? Which column has measured all thirty?",
            NUMBER,
            judged_by_powers_of_the_largest_singular_value,
        ),
        Misconception(
            "looser-bound",
            "a network whose gradient leaves the bounds is called well",
            "By which factor has each gradient shrunk or grown after thirty steps, and where does the table of "
            "diagnoses draw the line?",
            NUMBER,
            judged_with_a_looser_bound,
        ),
    ),
)

ASSIGNMENT = Assignment(
    name="gradient_problems",
    exercises=(
        STEP_JACOBIAN,
        JACOBIAN_PRODUCT,
        GRADIENT_NORMS,
        CLIP_BY_NORM,
        CLIP_BY_VALUE,
        ORTHOGONAL_FROM,
        ADAM_STEP,
        CLIPPED_RNN,
        DIAGNOSES,
    ),
    data={"three_networks.npz": three_networks},
)
