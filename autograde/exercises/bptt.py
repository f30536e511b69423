"""The exercises of the assignment on backpropagation through time: from one step back to a trained forecaster."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import nn

from autograde.exercises.definition import Assignment, Case, Exercise, Group, Measure, Misconception, OwnGradient
from autograde.exercises.recurrent_neurons import layer_weights
from solutions.with_numpy import bptt as reference
from solutions.with_numpy.recurrent_neurons import readout, rnn_forward, rnn_step
from solutions.with_numpy.rnn_types import masked_mse
from solutions.with_torch.recurrent_neurons import RNN

PAGE = "bptt.html"
WRONG = f"{PAGE}#what-goes-wrong"
LAYER = f"{PAGE}#a-layer"
SUM = f"{PAGE}#a-sum-over-time"
MASKS = f"{PAGE}#which-outputs-send-gradients"
CUT = f"{PAGE}#cutting-it-short"
CHECKING = f"{PAGE}#how-to-know-that-it-is-right"
LOOP = f"{PAGE}#a-whole-training-loop"


# --- rnn_step_backward ------------------------------------------------------------------------------------------------


def right_step_backward(dh_t, x_t, h_prev, W_x, W_h, b):
    return tuple(reference.rnn_step_backward(dh_t, rnn_step(x_t, h_prev, W_x, W_h, b)[1]))


def step_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, D=4, H=5, x=1.0, h=1.0, w_x=1.0, w_h=1.0, dtype=np.float64) -> Case:
        W_x, W_h, b = layer_weights(rng, D, H)
        args = [rng.normal(size=(N, H)), x * rng.normal(size=(N, D)), h * rng.uniform(-0.9, 0.9, size=(N, H))]
        return Case(group, words, {"args": [value.astype(dtype) for value in [*args, w_x * W_x, w_h * W_h, b]]})

    return [
        case("inputs", "a step from a state of 0, without recurrent weights", h=0.0, w_h=0.0),
        case("inputs", "the same with more inputs than neurons", N=2, D=6, H=3, h=0.0, w_h=0.0),
        case("state", "a step whose inputs and input weights are all 0", x=0.0, w_x=0.0),
        case("whole", "a whole step on a batch of three"),
        case("whole", "a whole step on a batch of four, near the ends of tanh", N=4, D=2, H=3, x=2.5),
        case("sizes", "a batch of one sequence", N=1),
        case("sizes", "as many inputs as neurons", D=4, H=4),
        case("sizes", "arrays of float32", dtype=np.float32),
    ]


def step_without_slope(dh_t, x_t, h_prev, W_x, W_h, b):
    da = dh_t
    return da @ W_x.T, da @ W_h.T, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_with_the_slope_of_the_sum(dh_t, x_t, h_prev, W_x, W_h, b):
    a = x_t @ W_x + h_prev @ W_h + b
    da = dh_t * (1 - a**2)
    return da @ W_x.T, da @ W_h.T, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_with_a_slope_above_one(dh_t, x_t, h_prev, W_x, W_h, b):
    h_t = np.tanh(x_t @ W_x + h_prev @ W_h + b)
    da = dh_t * (1 + h_t**2)
    return da @ W_x.T, da @ W_h.T, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_with_the_slope_of_the_sigmoid(dh_t, x_t, h_prev, W_x, W_h, b):
    h_t = np.tanh(x_t @ W_x + h_prev @ W_h + b)
    da = dh_t * h_t * (1 - h_t)
    return da @ W_x.T, da @ W_h.T, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_not_transposed(dh_t, x_t, h_prev, W_x, W_h, b):
    h_t = np.tanh(x_t @ W_x + h_prev @ W_h + b)
    da = dh_t * (1 - h_t**2)
    return da @ W_x.T, da @ W_h, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


def step_with_the_state_of_the_wrong_step(dh_t, x_t, h_prev, W_x, W_h, b):
    h_t = np.tanh(x_t @ W_x + h_prev @ W_h + b)
    da = dh_t * (1 - h_t**2)
    return da @ W_x.T, da @ W_h.T, x_t.T @ da, h_t.T @ da, da.sum(axis=0)


def step_with_one_db_a_sequence(dh_t, x_t, h_prev, W_x, W_h, b):
    h_t = np.tanh(x_t @ W_x + h_prev @ W_h + b)
    da = dh_t * (1 - h_t**2)
    return da @ W_x.T, da @ W_h.T, x_t.T @ da, h_prev.T @ da, da


def step_with_the_mean_for_db(dh_t, x_t, h_prev, W_x, W_h, b):
    h_t = np.tanh(x_t @ W_x + h_prev @ W_h + b)
    da = dh_t * (1 - h_t**2)
    return da @ W_x.T, da @ W_h.T, x_t.T @ da, h_prev.T @ da, da.mean(axis=0)


def step_averaging_over_the_batch(dh_t, x_t, h_prev, W_x, W_h, b):
    h_t = np.tanh(x_t @ W_x + h_prev @ W_h + b)
    da = dh_t * (1 - h_t**2)
    return da @ W_x.T, da @ W_h.T, x_t.T @ da / len(da), h_prev.T @ da / len(da), da.mean(axis=0)


def step_without_bias(dh_t, x_t, h_prev, W_x, W_h, b):
    h_t = np.tanh(x_t @ W_x + h_prev @ W_h)
    da = dh_t * (1 - h_t**2)
    return da @ W_x.T, da @ W_h.T, x_t.T @ da, h_prev.T @ da, da.sum(axis=0)


RNN_STEP_BACKWARD = Exercise(
    name="rnn_step_backward",
    kind="function",
    signature="rnn_step_backward(dh_t, x_t, h_prev, W_x, W_h, b)",
    outputs=("dx_t", "dh_prev", "dW_x", "dW_h", "db"),
    reference=right_step_backward,
    cases=step_cases,
    groups=(
        Group("inputs", "a step that hears its inputs alone", 1.0),
        Group("state", "a step that hears its previous state alone", 1.5),
        Group("whole", "a whole step", 1.5),
        Group("sizes", "any batch and any sizes", 0.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    forbidden=("torch", "gradients_by_autograd"),
    misconceptions=(
        Misconception(
            "slope-forgotten",
            "what arrives at h_t goes on as if there were no tanh",
            "Near the ends of tanh a neuron hardly moves when its sum does. Which factor says so, and where is it?",
            WRONG,
            step_without_slope,
        ),
        Misconception(
            "slope-of-the-sum",
            "the slope is taken from the sum, not from the output",
            "In 1 - h_t ** 2, is h_t what stands between the brackets of tanh, or what tanh makes of it?",
            WRONG,
            step_with_the_slope_of_the_sum,
        ),
        Misconception(
            "slope-above-one",
            "the slope has the wrong sign in it",
            "Where is tanh steepest, and how steep is it there? Can your slope be larger than that?",
            WRONG,
            step_with_a_slope_above_one,
        ),
        Misconception(
            "slope-of-the-sigmoid",
            "the slope is that of the sigmoid",
            "h * (1 - h) belongs to a function between 0 and 1. Where is tanh steepest, and how steep is yours there?",
            WRONG,
            step_with_the_slope_of_the_sigmoid,
        ),
        Misconception(
            "not-transposed",
            "dh_prev goes through W_h in the forward direction",
            "Forward, neuron i spoke to neuron j through the entry (i, j). In your product, through which entry does "
            "j answer i?",
            LAYER,
            step_not_transposed,
        ),
        Misconception(
            "state-of-the-wrong-step",
            "dW_h is made with the new state",
            "With which state was W_h multiplied in the forward pass: the one before the step or the one after it?",
            WRONG,
            step_with_the_state_of_the_wrong_step,
        ),
        Misconception(
            "one-db-a-sequence",
            "db has a row for each sequence",
            "A gradient has the shape of what it belongs to. Which shape has b, and over what must you sum?",
            LAYER,
            step_with_one_db_a_sequence,
        ),
        Misconception(
            "mean-for-db",
            "db is averaged over the batch",
            "In x_t.T @ da the sequences of the batch are added up. What must then happen to the rows of da in db?",
            WRONG,
            step_with_the_mean_for_db,
        ),
        Misconception(
            "mean-over-the-batch",
            "the weights' gradients are averaged over the batch",
            "A loss that is a mean has its division in dh_t already. What do the equations do with the shares of the "
            "sequences?",
            WRONG,
            step_averaging_over_the_batch,
        ),
        Misconception(
            "no-bias",
            "the bias is missing where you compute the state again",
            "Does your h_t agree with the one that rnn_step gives for the same arguments?",
            LAYER,
            step_without_bias,
        ),
    ),
)


# --- numerical_gradients ----------------------------------------------------------------------------------------------


def right_numerical_gradients(dh, dh_last, x, h0, W_x, W_h, b, eps):
    dh, dh_last, x, h0 = (np.asarray(value, np.float64) for value in (dh, dh_last, x, h0))
    weights = {name: np.asarray(value, np.float64) for name, value in (("W_x", W_x), ("W_h", W_h), ("b", b))}

    def along(name: str) -> np.ndarray:
        def loss(value: np.ndarray) -> float:
            h, h_last, _ = rnn_forward(x, h0, **(weights | {name: value}))
            return float((h * dh).sum() + (h_last * dh_last).sum())

        return reference.numerical_gradient(loss, weights[name], eps)

    return along("W_x"), along("W_h"), along("b")


def layer_case(
    rng: np.random.Generator,
    group: str,
    words: str,
    N=3,
    T=5,
    D=2,
    H=4,
    out=1.0,
    last=1.0,
    w_h=1.0,
    dtype=np.float64,
    more=(),
) -> Case:
    """``dh, dh_last`` and a layer's arguments; ``out`` and ``last`` say whether the loss looks at them."""
    W_x, W_h, b = layer_weights(rng, D, H)
    W_h = w_h * W_h
    args = [out * rng.normal(size=(N, T, H)), last * rng.normal(size=(N, H))]
    args += [rng.normal(size=(N, T, D)), rng.uniform(0.3, 0.9, size=(N, H)) * rng.choice([-1, 1], size=(N, H))]
    return Case(group, words, {"args": [*(value.astype(dtype) for value in [*args, W_x, W_h, b]), *more]})


def numerical_cases(rng: np.random.Generator) -> list[Case]:
    large = float(rng.uniform(0.3, 0.5))
    case = functools.partial(layer_case, rng, N=2, T=4, D=2, H=3)
    return [
        case("slopes", "a loss on every output, eps = 1e-5", last=0.0, more=[1e-5]),
        case("slopes", "a loss on every output and on the final state, eps = 1e-5", T=3, D=3, H=2, more=[1e-5]),
        case("central", "an eps so large that it shows how you take differences", more=[large]),
        case("central", "a large eps, one sequence of one step", N=1, T=1, more=[0.8 * large]),
        case("double", "arrays of float32, eps = 1e-5", dtype=np.float32, more=[1e-5]),
    ]


def numerical_one_sided(dh, dh_last, x, h0, W_x, W_h, b, eps):
    dh, dh_last, x, h0, *weights = [np.array(value, np.float64) for value in (dh, dh_last, x, h0, W_x, W_h, b)]

    def loss():
        h, total = h0, 0.0
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ weights[0] + h @ weights[1] + weights[2])
            total += (h * dh[:, t]).sum()
        return total + (h * dh_last).sum()

    here, gradients = loss(), [np.zeros_like(weight) for weight in weights]
    for weight, gradient in zip(weights, gradients):
        for index in np.ndindex(weight.shape):
            kept = weight[index]
            weight[index] = kept + eps
            gradient[index] = (loss() - here) / eps
            weight[index] = kept
    return tuple(gradients)


def numerical_not_halved(dh, dh_last, x, h0, W_x, W_h, b, eps):
    dh, dh_last, x, h0, *weights = [np.array(value, np.float64) for value in (dh, dh_last, x, h0, W_x, W_h, b)]

    def loss():
        h, total = h0, 0.0
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ weights[0] + h @ weights[1] + weights[2])
            total += (h * dh[:, t]).sum()
        return total + (h * dh_last).sum()

    gradients = [np.zeros_like(weight) for weight in weights]
    for weight, gradient in zip(weights, gradients):
        for index in np.ndindex(weight.shape):
            kept = weight[index]
            weight[index] = kept + eps
            above = loss()
            weight[index] = kept - eps
            gradient[index] = (above - loss()) / eps
            weight[index] = kept
    return tuple(gradients)


def numerical_with_the_sign_turned(dh, dh_last, x, h0, W_x, W_h, b, eps):
    dh, dh_last, x, h0, *weights = [np.array(value, np.float64) for value in (dh, dh_last, x, h0, W_x, W_h, b)]

    def loss():
        h, total = h0, 0.0
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ weights[0] + h @ weights[1] + weights[2])
            total += (h * dh[:, t]).sum()
        return total + (h * dh_last).sum()

    gradients = [np.zeros_like(weight) for weight in weights]
    for weight, gradient in zip(weights, gradients):
        for index in np.ndindex(weight.shape):
            kept = weight[index]
            weight[index] = kept + eps
            above = loss()
            weight[index] = kept - eps
            gradient[index] = (loss() - above) / (2 * eps)
            weight[index] = kept
    return tuple(gradients)


def numerical_moving_all_at_once(dh, dh_last, x, h0, W_x, W_h, b, eps):
    dh, dh_last, x, h0, *weights = [np.array(value, np.float64) for value in (dh, dh_last, x, h0, W_x, W_h, b)]

    def loss():
        h, total = h0, 0.0
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ weights[0] + h @ weights[1] + weights[2])
            total += (h * dh[:, t]).sum()
        return total + (h * dh_last).sum()

    gradients = []
    for weight in weights:
        kept = weight.copy()
        weight[:] = kept + eps
        above = loss()
        weight[:] = kept - eps
        gradients.append(np.full(weight.shape, (above - loss()) / (2 * eps)))
        weight[:] = kept
    return tuple(gradients)


def numerical_not_put_back(dh, dh_last, x, h0, W_x, W_h, b, eps):
    dh, dh_last, x, h0, *weights = [np.array(value, np.float64) for value in (dh, dh_last, x, h0, W_x, W_h, b)]

    def loss():
        h, total = h0, 0.0
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ weights[0] + h @ weights[1] + weights[2])
            total += (h * dh[:, t]).sum()
        return total + (h * dh_last).sum()

    gradients = [np.zeros_like(weight) for weight in weights]
    for weight, gradient in zip(weights, gradients):
        for index in np.ndindex(weight.shape):
            weight[index] += eps
            above = loss()
            weight[index] -= 2 * eps
            gradient[index] = (above - loss()) / (2 * eps)
    return tuple(gradients)


def numerical_without_the_final_state(dh, dh_last, x, h0, W_x, W_h, b, eps):
    dh, x, h0, *weights = [np.array(value, np.float64) for value in (dh, x, h0, W_x, W_h, b)]

    def loss():
        h, total = h0, 0.0
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ weights[0] + h @ weights[1] + weights[2])
            total += (h * dh[:, t]).sum()
        return total

    gradients = [np.zeros_like(weight) for weight in weights]
    for weight, gradient in zip(weights, gradients):
        for index in np.ndindex(weight.shape):
            kept = weight[index]
            weight[index] = kept + eps
            above = loss()
            weight[index] = kept - eps
            gradient[index] = (above - loss()) / (2 * eps)
            weight[index] = kept
    return tuple(gradients)


def numerical_with_an_eps_of_its_own(dh, dh_last, x, h0, W_x, W_h, b, eps):
    dh, dh_last, x, h0, *weights = [np.array(value, np.float64) for value in (dh, dh_last, x, h0, W_x, W_h, b)]

    def loss():
        h, total = h0, 0.0
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] @ weights[0] + h @ weights[1] + weights[2])
            total += (h * dh[:, t]).sum()
        return total + (h * dh_last).sum()

    gradients = [np.zeros_like(weight) for weight in weights]
    for weight, gradient in zip(weights, gradients):
        for index in np.ndindex(weight.shape):
            kept = weight[index]
            weight[index] = kept + 1e-5
            above = loss()
            weight[index] = kept - 1e-5
            gradient[index] = (above - loss()) / 2e-5
            weight[index] = kept
    return tuple(gradients)


NUMERICAL_GRADIENTS = Exercise(
    name="numerical_gradients",
    kind="function",
    signature="numerical_gradients(dh, dh_last, x, h0, W_x, W_h, b, eps)",
    outputs=("dW_x", "dW_h", "db"),
    reference=right_numerical_gradients,
    cases=numerical_cases,
    groups=(
        Group("slopes", "the slope of every weight, with a small eps", 1.0),
        Group("central", "differences to both sides, one weight at a time", 1.0),
        Group("double", "computed in double precision, whatever comes in", 0.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "one-sided",
            "the differences go to one side only",
            "A curve that bends has not the slope of a chord that begins at your point. On which two sides of it "
            "should the chord's ends lie?",
            CHECKING,
            numerical_one_sided,
        ),
        Misconception(
            "not-halved",
            "every slope is twice as large as it should be",
            "How far apart are the two places at which you compute the loss?",
            CHECKING,
            numerical_not_halved,
        ),
        Misconception(
            "sign-turned",
            "every slope has the opposite sign",
            "If the loss is larger at the greater value of the weight, is the slope positive or negative, and what is "
            "yours?",
            CHECKING,
            numerical_with_the_sign_turned,
        ),
        Misconception(
            "all-at-once",
            "all entries of a matrix move together",
            "Each entry of your gradient is the same number. How many weights do you move before you run the layer?",
            CHECKING,
            numerical_moving_all_at_once,
        ),
        Misconception(
            "not-put-back",
            "a weight that was moved stays moved",
            "When you come to the second entry, where does the first one stand?",
            CHECKING,
            numerical_not_put_back,
        ),
        Misconception(
            "eps-not-used",
            "eps changes nothing",
            "The caller says how far to move. With an eps as large as a weight, should the result still be the slope?",
            CHECKING,
            numerical_with_an_eps_of_its_own,
        ),
        Misconception(
            "no-final-state",
            "the loss forgets the final state",
            "Two arguments say what the loss looks at. Which of them does your loss never use?",
            CHECKING,
            numerical_without_the_final_state,
        ),
    ),
)


# --- rnn_backward -----------------------------------------------------------------------------------------------------


def right_backward(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    return tuple(reference.rnn_backward(dh, dh_last, rnn_forward(x, h0, W_x, W_h, b, lengths=lengths)[2]))


def with_filling(case: Case, lengths: list[int], rng: np.random.Generator) -> Case:
    """The case with lengths; inputs and derivatives after each end are large, so that none can pass unnoticed."""
    dh, dh_last, x, *rest = case.call["args"]
    filled = np.arange(x.shape[1]) >= np.array(lengths)[:, None]
    dh, x = dh.copy(), x.copy()
    dh[filled], x[filled] = rng.uniform(3, 5, size=dh[filled].shape), rng.uniform(-5, -3, size=x[filled].shape)
    return Case(case.group, case.words, {"args": [dh, dh_last, x, *rest, np.array(lengths)]})


def backward_cases(rng: np.random.Generator) -> list[Case]:
    case = functools.partial(layer_case, rng)
    last_only = case("back", "a loss on the last output alone", last=0.0)
    last_only.call["args"][0][:, :-1] = 0
    return [
        case("steps", "a loss on every output, no recurrent weights: nothing is handed back", w_h=0.0, last=0.0),
        case("steps", "the same with more inputs than neurons", N=2, T=4, D=5, H=3, w_h=0.0, last=0.0),
        last_only,
        case("back", "a loss on the final state alone", N=2, T=6, D=3, H=3, out=0.0),
        case("outputs", "a loss on every output", last=0.0),
        case("outputs", "a loss on every output of nine steps", N=2, T=9, D=4, H=3, last=0.0),
        case("whole", "a loss on every output and on the final state"),
        case("whole", "sequences of one step", T=1, D=3),
        case("whole", "one sequence and one neuron", N=1, D=1, H=1),
        case("whole", "arrays of float32", dtype=np.float32),
        with_filling(
            case("lengths", "sequences of 5, 2 and 3 steps, a loss on every output", last=0.0), [5, 2, 3], rng
        ),
        with_filling(case("lengths", "sequences of 0, 6, 1 and 4 steps", N=4, T=6), [0, 6, 1, 4], rng),
    ]


def backward_of_own_outputs(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last
    for t in reversed(range(T)):
        da = np.where(real[:, [t]], dh[:, t] * (1 - states[t + 1] ** 2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
    return dx, dh_next, dW_x, dW_h, db


def backward_that_hands_nothing_back(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last
    for t in reversed(range(T)):
        dh_t = dh[:, t] + (dh_last if t == T - 1 else 0)
        da = np.where(real[:, [t]], dh_t * (1 - states[t + 1] ** 2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
    return dx, dh_next, dW_x, dW_h, db


def backward_of_later_steps(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh[:, -1] + dh_last
    for t in reversed(range(T)):
        da = np.where(real[:, [t]], dh_next * (1 - states[t + 1] ** 2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
    return dx, dh_next, dW_x, dW_h, db


def backward_without_the_final_state(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, np.zeros_like(dh_last)
    for t in reversed(range(T)):
        da = np.where(real[:, [t]], (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
    return dx, dh_next, dW_x, dW_h, db


def backward_setting_the_weights(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    dx, dh_next = np.zeros_like(x), dh_last
    for t in reversed(range(T)):
        da = np.where(real[:, [t]], (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = x[:, t].T @ da, states[t].T @ da, da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
    return dx, dh_next, dW_x, dW_h, db


def backward_averaging_over_steps(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last
    for t in reversed(range(T)):
        da = np.where(real[:, [t]], (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
    return dx, dh_next, dW_x / T, dW_h / T, db / T


def backward_not_transposed(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last
    for t in reversed(range(T)):
        da = np.where(real[:, [t]], (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h, dh_next)
    return dx, dh_next, dW_x, dW_h, db


def backward_without_slope(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last
    for t in reversed(range(T)):
        da = np.where(real[:, [t]], dh[:, t] + dh_next, 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
    return dx, dh_next, dW_x, dW_h, db


def backward_with_the_state_of_the_wrong_step(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last
    for t in reversed(range(T)):
        da = np.where(real[:, [t]], (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t + 1].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
    return dx, dh_next, dW_x, dW_h, db


def backward_going_round_at_the_first_step(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    h = np.where(real[..., None], np.stack(states[1:], axis=1), 0)
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last
    for t in reversed(range(T)):
        da = np.where(real[:, [t]], (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[:, t - 1].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
    return dx, dh_next, dW_x, dW_h, db


def backward_computing_the_first_step_from_the_last_output(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    h = np.where(real[..., None], np.stack(states[1:], axis=1), 0)
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last
    for t in reversed(range(T)):
        h_t = np.tanh(x[:, t] @ W_x + h[:, t - 1] @ W_h + b)
        da = np.where(real[:, [t]], (dh[:, t] + dh_next) * (1 - h_t**2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h[:, t - 1].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
    return dx, dh_next, dW_x, dW_h, db


def backward_stopping_before_the_first_state(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last
    for t in reversed(range(T)):
        da = np.where(real[:, [t]], (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = np.where(real[:, [t]], da @ W_h.T, dh_next)
    return dx, da, dW_x, dW_h, db


def backward_ignoring_lengths(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    states, dh_next = [h0], dh_last
    for t in range(x.shape[1]):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    dx, dW_x, dW_h, db = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(x.shape[1])):
        da = (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
    return dx, dh_next, dW_x, dW_h, db


def backward_with_lengths_on_the_way_there_only(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    states, h = h0, np.zeros_like(dh)
    for t in range(T):
        states = np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states @ W_h + b), states)
        h[:, t] = np.where(real[:, [t]], states, 0)
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last
    for t in reversed(range(T)):
        h_prev = h[:, t - 1] if t > 0 else h0
        da = (dh[:, t] + dh_next) * (1 - np.tanh(x[:, t] @ W_x + h_prev @ W_h + b) ** 2)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + h_prev.T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
    return dx, dh_next, dW_x, dW_h, db


def backward_losing_the_final_state(dh, dh_last, x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    x, dh, states = np.where(real[..., None], x, 0), np.where(real[..., None], dh, 0), [h0]
    for t in range(T):
        states.append(np.where(real[:, [t]], np.tanh(x[:, t] @ W_x + states[t] @ W_h + b), states[t]))
    dx, dW_x, dW_h, db, dh_next = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b, dh_last
    for t in reversed(range(T)):
        da = np.where(real[:, [t]], (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2), 0)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
    return dx, dh_next, dW_x, dW_h, db


RNN_BACKWARD = Exercise(
    name="rnn_backward",
    kind="function",
    signature="rnn_backward(dh, dh_last, x, h0, W_x, W_h, b, lengths=None)",
    outputs=("dx", "dh0", "dW_x", "dW_h", "db"),
    reference=right_backward,
    cases=backward_cases,
    groups=(
        Group("steps", "each step's own share, where nothing is handed back", 1.5),
        Group("back", "a loss at the end, which must find its way back", 1.5),
        Group("outputs", "a loss on every output", 1.5),
        Group("whole", "outputs and final state together, any sizes, float32", 1.0),
        Group("lengths", "sequences that end early", 2.0),
        Group("own", "it fits the forward pass of your notebook", 1.0, property="own_gradient"),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    forbidden=("torch", "gradients_by_autograd", "numerical_gradients"),
    own=OwnGradient(
        forward="rnn_forward",
        outputs=("dh", "dh_last"),
        gradients={"dx": 0, "dh0": 1, "dW_x": 2, "dW_h": 3, "db": 4},
        group="whole",
    ),
    misconceptions=(
        Misconception(
            "own-output-only",
            "each step listens to its own output alone",
            "With a loss on the last output only, what does the first input's gradient come out as? Who should have "
            "brought it there?",
            f"{PAGE}#back-by-hand",
            backward_of_own_outputs,
        ),
        Misconception(
            "nothing-handed-back",
            "dh_last comes in, but no step hands anything to the one before",
            "Each step finds out what the state before it is worth. In the next round of your loop, who adds that to "
            "dh[:, t]?",
            f"{PAGE}#back-by-hand",
            backward_that_hands_nothing_back,
        ),
        Misconception(
            "later-steps-only",
            "a step takes what is handed back and forgets its own output",
            "Two arrows meet at each h_t on the way back. Which of them does your sum use only at the last step?",
            f"{PAGE}#total-and-partial",
            backward_of_later_steps,
        ),
        Misconception(
            "no-final-state",
            "dh_last is not used",
            "After the last step there is no next one. What stands in its place when somebody reads the final state?",
            LAYER,
            backward_without_the_final_state,
        ),
        Misconception(
            "set-not-added",
            "the weights' gradients are those of the first step alone",
            "Your loop ends at t = 0. What has become of the shares of W_h that its earlier rounds had found?",
            SUM,
            backward_setting_the_weights,
        ),
        Misconception(
            "mean-over-steps",
            "the weights' gradients are averaged over the steps",
            "To move a shared weight is to move its copies at all steps together. Do small effects then add, or do "
            "they average?",
            SUM,
            backward_averaging_over_steps,
        ),
        Misconception(
            "not-transposed",
            "the way back leads through W_h, not through its transpose",
            "W_h is square, so NumPy cannot warn you. On the way back, what must become of its rows and columns?",
            LAYER,
            backward_not_transposed,
        ),
        Misconception(
            "slope-forgotten",
            "the slope of tanh is missing",
            "What arrives at h_t has still to pass through tanh. Which factor does that cost?",
            WRONG,
            backward_without_slope,
        ),
        Misconception(
            "state-of-the-wrong-step",
            "dW_h is made with the state after each step",
            "Take one step with an h0 of 0. Can W_h have had any effect, and what does your dW_h say?",
            WRONG,
            backward_with_the_state_of_the_wrong_step,
        ),
        Misconception(
            "goes-round-at-the-first-step",
            "the first step takes the last output for the state before it",
            "At t = 0, which column is h[:, t - 1], and which state came before the first step?",
            WRONG,
            backward_going_round_at_the_first_step,
        ),
        Misconception(
            "first-step-from-the-last-output",
            "the first step is computed again from the last output",
            "Print h_prev at t = 0. Is it h0, or what NumPy finds at the index -1?",
            WRONG,
            backward_computing_the_first_step_from_the_last_output,
        ),
        Misconception(
            "stops-at-the-first-sum",
            "dh0 is what arrives at the first sum, not at the state before it",
            "Between h0 and the first sum there is one more product. Which matrix does it hold?",
            LAYER,
            backward_stopping_before_the_first_state,
        ),
        Misconception(
            "lengths-ignored",
            "lengths changes nothing",
            "A step after the end did not happen. What can its derivative have to do with any weight?",
            WRONG,
            backward_ignoring_lengths,
        ),
        Misconception(
            "lengths-one-way",
            "the states respect the lengths, and the way back does not",
            "rnn_forward got the lengths. What does your backward loop do at a step that did not happen, with the "
            "weights and with what it hands back?",
            WRONG,
            backward_with_lengths_on_the_way_there_only,
        ),
        Misconception(
            "final-state-lost",
            "dh_last does not reach the last step of a sequence that ended early",
            "On its way from step T to the real last step, what should become of dh_next, and what does your loop "
            "make of it?",
            WRONG,
            backward_losing_the_final_state,
        ),
    ),
)


# --- masked_loss ------------------------------------------------------------------------------------------------------


def loss_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, T=4, lengths=None, filling=0.0, dtype=np.float64) -> Case:
        y_hat, y = rng.normal(size=(N, T)), rng.normal(size=(N, T))
        if lengths is not None:
            filled = np.arange(T) >= np.array(lengths)[:, None]
            y_hat, y = y_hat + filling * filled, y - filling * filled
        args = [y_hat.astype(dtype), y.astype(dtype)]
        return Case(group, words, {"args": args if lengths is None else [*args, np.array(lengths)]})

    return [
        case("whole", "three sequences of four steps, all real"),
        case("whole", "one sequence of six steps", N=1, T=6),
        case("whole", "arrays of float32", N=2, T=5, dtype=np.float32),
        case("lengths", "sequences of 4, 1 and 2 steps", lengths=[4, 1, 2]),
        case("lengths", "sequences of 3, 0, 7 and 2 steps", N=4, T=7, lengths=[3, 0, 7, 2]),
        case(
            "filling", "sequences of 2, 5 and 1 steps, filled up with large numbers", T=5, lengths=[2, 5, 1], filling=40
        ),
    ]


def loss_over_everything(y_hat, y, lengths=None):
    error = y_hat - y
    return (error**2).mean(), 2 * error / error.size


def loss_divided_by_everything(y_hat, y, lengths=None):
    N, T = y.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    error = np.where(real, y_hat - y, 0)
    return (error**2).mean(), 2 * error / error.size


def loss_averaging_the_sequences(y_hat, y, lengths=None):
    N, T = y.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    error = np.where(np.arange(T) < steps[:, None], y_hat - y, 0)
    share = 1 / (N * np.maximum(steps, 1)[:, None])
    return (share * error**2).sum(), 2 * share * error


def loss_without_the_factor(y_hat, y, lengths=None):
    N, T = y.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    error = np.where(real, y_hat - y, 0)
    return (error**2).sum() / real.sum(), error / real.sum()


def loss_whose_gradient_is_of_the_sum(y_hat, y, lengths=None):
    N, T = y.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    error = np.where(real, y_hat - y, 0)
    return (error**2).sum() / real.sum(), 2 * error


def loss_turned_round(y_hat, y, lengths=None):
    N, T = y.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    error = np.where(real, y - y_hat, 0)
    return (error**2).sum() / real.sum(), 2 * error / real.sum()


def loss_with_gradients_in_the_filling(y_hat, y, lengths=None):
    N, T = y.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    error = y_hat - y
    return (error[real] ** 2).mean(), 2 * error / real.sum()


def loss_with_errors_in_the_filling(y_hat, y, lengths=None):
    N, T = y.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    error = y_hat - y
    return (error**2).sum() / real.sum(), 2 * np.where(real, error, 0) / real.sum()


MASKED_LOSS = Exercise(
    name="masked_loss",
    kind="function",
    signature="masked_loss(y_hat, y, lengths=None)",
    outputs=("loss", "dy_hat"),
    reference=masked_mse,
    cases=loss_cases,
    groups=(
        Group("whole", "sequences without filling", 1.0),
        Group("lengths", "sequences that end early", 1.5),
        Group("filling", "whatever the filling holds", 1.0),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "lengths-ignored",
            "the filling counts like real steps",
            "Change a number in the filling. Does your loss change, and should it?",
            MASKS,
            loss_over_everything,
        ),
        Misconception(
            "divided-by-everything",
            "the sum is over the real steps, but it is divided by all of them",
            "Make the arrays wider with filling only. Does your loss shrink, although no forecast got any better?",
            MASKS,
            loss_divided_by_everything,
        ),
        Misconception(
            "mean-of-means",
            "each sequence counts the same, however short it is",
            "Here every real step is to weigh the same. How much does the only step of a sequence of one weigh in "
            "yours?",
            WRONG,
            loss_averaging_the_sequences,
        ),
        Misconception(
            "factor-forgotten",
            "the gradient is half as large as it should be",
            "The loss holds a square. What does differentiating a square leave behind?",
            MASKS,
            loss_without_the_factor,
        ),
        Misconception(
            "gradient-of-the-sum",
            "the gradient is that of the sum, not of the mean",
            "Take the loss twice over, once with each sequence written down two times. It stays the same: what must "
            "happen to each entry of its gradient?",
            MASKS,
            loss_whose_gradient_is_of_the_sum,
        ),
        Misconception(
            "turned-round",
            "the gradient points the other way",
            "Where a forecast is too high, the loss grows if it goes higher still. Which sign has its derivative, and "
            "which has yours?",
            MASKS,
            loss_turned_round,
        ),
        Misconception(
            "gradients-in-the-filling",
            "the loss is right, but forecasts in the filling get gradients",
            "Move a forecast in the filling a little. How much does your loss change, and what does dy_hat say there?",
            WRONG,
            loss_with_gradients_in_the_filling,
        ),
        Misconception(
            "errors-in-the-filling",
            "the gradient is right, but errors in the filling count in the loss",
            "Where dy_hat is 0 the loss should not change with the forecast. Over which steps does your sum run?",
            MASKS,
            loss_with_errors_in_the_filling,
        ),
    ),
)


# --- train_step -------------------------------------------------------------------------------------------------------


def right_train_step(x, y, lengths, W_x, W_h, b, W_y, b_y, lr):
    h, _, cache = rnn_forward(x, None, W_x, W_h, b, lengths=lengths)
    loss, dy = masked_mse(readout(h, W_y, b_y), y, lengths)
    back = reference.rnn_backward(dy[..., None] * W_y, None, cache)
    new = (W_x - lr * back.dW_x, W_h - lr * back.dW_h, b - lr * back.db)
    return loss, *new, W_y - lr * np.tensordot(dy, h, 2), b_y - lr * dy.sum()


def train_step_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, T=5, D=2, H=4, lengths=None) -> Case:
        x, y, lr = rng.normal(size=(N, T, D)), rng.normal(size=(N, T)), float(rng.uniform(0.4, 0.8))
        W_y, b_y = rng.normal(size=H), float(rng.uniform(0.5, 0.9) * rng.choice([-1, 1]))
        if lengths is not None:
            filled = np.arange(T) >= np.array(lengths)[:, None]
            x[filled], y[filled] = rng.uniform(2, 3, size=x[filled].shape), rng.uniform(-5, -4, size=filled.sum())
        steps = None if lengths is None else np.array(lengths)
        return Case(group, words, {"args": [x, y, steps, *layer_weights(rng, D, H), W_y, b_y, lr]})

    return [
        case("one", "four sequences of one step, one neuron", N=4, T=1, D=3, H=1),
        case("one", "one sequence of one step, one input, one neuron", N=1, T=1, D=1, H=1),
        case("whole", "three sequences of five steps, all real"),
        case("whole", "two sequences of eight steps, more inputs than neurons", N=2, T=8, D=5, H=3),
        case("lengths", "sequences of 2, 5 and 1 steps", lengths=[2, 5, 1]),
        case("lengths", "sequences of 7, 0, 3 and 4 steps", N=4, T=7, D=1, lengths=[7, 0, 3, 4]),
    ]


def train_step_uphill(x, y, lengths, W_x, W_h, b, W_y, b_y, lr):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    states = [np.zeros((N, len(b)))]
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    h = np.stack(states[1:], axis=1)
    error = np.where(real, h @ W_y + b_y - y, 0)
    dy, dh_next = 2 * error / real.sum(), 0 * states[0]
    dW_x, dW_h, db = 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dy[:, [t]] * W_y + dh_next) * (1 - states[t + 1] ** 2)
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
    dW_y, db_y = np.tensordot(dy, h, 2), dy.sum()
    loss = (error**2).sum() / real.sum()
    return loss, W_x + lr * dW_x, W_h + lr * dW_h, b + lr * db, W_y + lr * dW_y, b_y + lr * db_y


def train_step_with_the_new_readout(x, y, lengths, W_x, W_h, b, W_y, b_y, lr):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    states = [np.zeros((N, len(b)))]
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    h = np.stack(states[1:], axis=1)
    error = np.where(real, h @ W_y + b_y - y, 0)
    dy, dh_next = 2 * error / real.sum(), 0 * states[0]
    W_y, b_y = W_y - lr * np.tensordot(dy, h, 2), b_y - lr * dy.sum()
    dW_x, dW_h, db = 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dy[:, [t]] * W_y + dh_next) * (1 - states[t + 1] ** 2)
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
    return (error**2).sum() / real.sum(), W_x - lr * dW_x, W_h - lr * dW_h, b - lr * db, W_y, b_y


def train_step_without_the_readout(x, y, lengths, W_x, W_h, b, W_y, b_y, lr):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    states = [np.zeros((N, len(b)))]
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    error = np.where(real, np.stack(states[1:], axis=1) @ W_y + b_y - y, 0)
    dy, dh_next = 2 * error / real.sum(), 0 * states[0]
    dW_x, dW_h, db = 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dy[:, [t]] * W_y + dh_next) * (1 - states[t + 1] ** 2)
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
    return (error**2).sum() / real.sum(), W_x - lr * dW_x, W_h - lr * dW_h, b - lr * db, W_y, b_y


def train_step_of_the_readout_alone(x, y, lengths, W_x, W_h, b, W_y, b_y, lr):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    states = [np.zeros((N, len(b)))]
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    h = np.stack(states[1:], axis=1)
    error = np.where(real, h @ W_y + b_y - y, 0)
    dy = 2 * error / real.sum()
    return (error**2).sum() / real.sum(), W_x, W_h, b, W_y - lr * np.tensordot(dy, h, 2), b_y - lr * dy.sum()


def train_step_without_a_rate(x, y, lengths, W_x, W_h, b, W_y, b_y, lr):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    states = [np.zeros((N, len(b)))]
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    h = np.stack(states[1:], axis=1)
    error = np.where(real, h @ W_y + b_y - y, 0)
    dy, dh_next = 2 * error / real.sum(), 0 * states[0]
    dW_x, dW_h, db = 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dy[:, [t]] * W_y + dh_next) * (1 - states[t + 1] ** 2)
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
    loss = (error**2).sum() / real.sum()
    return loss, W_x - dW_x, W_h - dW_h, b - db, W_y - np.tensordot(dy, h, 2), b_y - dy.sum()


def train_step_on_the_filling_too(x, y, lengths, W_x, W_h, b, W_y, b_y, lr):
    N, T, _ = x.shape
    states = [np.zeros((N, len(b)))]
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    h = np.stack(states[1:], axis=1)
    error = h @ W_y + b_y - y
    dy, dh_next = 2 * error / error.size, 0 * states[0]
    dW_x, dW_h, db = 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dy[:, [t]] * W_y + dh_next) * (1 - states[t + 1] ** 2)
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
    dW_y, db_y = np.tensordot(dy, h, 2), dy.sum()
    return (error**2).mean(), W_x - lr * dW_x, W_h - lr * dW_h, b - lr * db, W_y - lr * dW_y, b_y - lr * db_y


def train_step_averaging_the_readouts_gradients(x, y, lengths, W_x, W_h, b, W_y, b_y, lr):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    states = [np.zeros((N, len(b)))]
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    h = np.stack(states[1:], axis=1)
    error = np.where(real, h @ W_y + b_y - y, 0)
    dy, dh_next = 2 * error / real.sum(), 0 * states[0]
    dW_x, dW_h, db = 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dy[:, [t]] * W_y + dh_next) * (1 - states[t + 1] ** 2)
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
    dW_y, db_y = np.tensordot(dy, h, 2) / dy.size, dy.mean()
    loss = (error**2).sum() / real.sum()
    return loss, W_x - lr * dW_x, W_h - lr * dW_h, b - lr * db, W_y - lr * dW_y, b_y - lr * db_y


def train_step_with_the_loss_of_the_new_weights(x, y, lengths, W_x, W_h, b, W_y, b_y, lr):
    N, T, _ = x.shape
    real = np.arange(T) < (np.full(N, T) if lengths is None else lengths)[:, None]
    states = [np.zeros((N, len(b)))]
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    h = np.stack(states[1:], axis=1)
    error = np.where(real, h @ W_y + b_y - y, 0)
    dy, dh_next = 2 * error / real.sum(), 0 * states[0]
    dW_x, dW_h, db = 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dy[:, [t]] * W_y + dh_next) * (1 - states[t + 1] ** 2)
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
    W_y, b_y = W_y - lr * np.tensordot(dy, h, 2), b_y - lr * dy.sum()
    W_x, W_h, b = W_x - lr * dW_x, W_h - lr * dW_h, b - lr * db
    state, loss = 0 * states[0], 0.0
    for t in range(T):
        state = np.tanh(x[:, t] @ W_x + state @ W_h + b)
        loss += (np.where(real[:, t], state @ W_y + b_y - y[:, t], 0) ** 2).sum() / real.sum()
    return loss, W_x, W_h, b, W_y, b_y


TRAIN_STEP = Exercise(
    name="train_step",
    kind="function",
    signature="train_step(x, y, lengths, W_x, W_h, b, W_y, b_y, lr)",
    outputs=("loss", "W_x", "W_h", "b", "W_y", "b_y"),
    reference=right_train_step,
    cases=train_step_cases,
    groups=(
        Group("one", "sequences of one step, where nothing is handed back", 1.0),
        Group("whole", "sequences without filling", 1.0),
        Group("lengths", "sequences that end early", 1.0),
        Group("unchanged", "hands back new weights and leaves the old ones as they are", 1.0, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "uphill",
            "the weights go with their gradients, not against them",
            "A positive gradient says that the loss grows with the weight. Which way should the weight go?",
            f"{PAGE}#four-steps-on-the-unrolled-network",
            train_step_uphill,
        ),
        Misconception(
            "new-readout-too-early",
            "the readout's weights are updated before the layer's gradients are computed",
            "The loss was computed with the old W_y. Which W_y turns your dy into dh?",
            LOOP,
            train_step_with_the_new_readout,
        ),
        Misconception(
            "readout-stays",
            "the readout does not learn",
            "Five arrays of weights made the forecast. For which of them do you hand back what came in?",
            LOOP,
            train_step_without_the_readout,
        ),
        Misconception(
            "layer-stays",
            "only the readout learns",
            "The readout's gradients are right. How do they get from the forecasts into the layer?",
            LOOP,
            train_step_of_the_readout_alone,
        ),
        Misconception(
            "no-rate",
            "the learning rate is not used",
            "Does your step get longer when lr is doubled?",
            f"{PAGE}#four-steps-on-the-unrolled-network",
            train_step_without_a_rate,
        ),
        Misconception(
            "readout-averaged",
            "the readout's gradients are averaged over steps and sequences",
            "The loss is a mean, and dy_hat knows it already. What is left to do with the shares of all n and t?",
            SUM,
            train_step_averaging_the_readouts_gradients,
        ),
        Misconception(
            "loss-of-the-new-weights",
            "the weights are right, and the loss is that after the update",
            "With which weights were the gradients taken? What was the loss there?",
            LOOP,
            train_step_with_the_loss_of_the_new_weights,
        ),
        Misconception(
            "filling-counts",
            "the filling takes part in the training",
            "What do you tell the loss about where each sequence ends?",
            MASKS,
            train_step_on_the_filling_too,
        ),
    ),
)


# --- my_forecast ------------------------------------------------------------------------------------------------------

T = 50


def series(rng: np.random.Generator, N: int, shortest: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """``x (N, 50, 1)``, the value after each step ``y (N, 50)`` and ``lengths (N,)``; 0 after each end.

    Two waves of random frequencies and phases, and noise. Source: Géron (2022), *Hands-On Machine Learning*, 3rd ed.,
    notebook of ch. 15, where every series has its full length.
    """
    f1, f2, o1, o2 = rng.random((4, N, 1))
    t = np.linspace(0, 1, T + 1)
    w = 0.5 * np.sin((t - o1) * (10 * f1 + 10)) + 0.2 * np.sin((t - o2) * (20 * f2 + 20))
    w += 0.1 * (rng.random((N, T + 1)) - 0.5)
    lengths = rng.integers(shortest, T + 1, size=N)
    real = np.arange(T) < lengths[:, None]
    return np.where(real, w[:, :-1], 0)[..., None], np.where(real, w[:, 1:], 0), lengths


@functools.cache
def trained(updates: int = 600, H: int = 20) -> list:
    """Weights after plain gradient descent on fresh series, 32 at a time."""
    rng = np.random.default_rng(0)
    bound = 1 / np.sqrt(H)
    weights: list = [rng.uniform(-bound, bound, shape) for shape in ((1, H), (H, H), (H,), (H,))] + [0.0]
    for update in range(updates):
        x, y, lengths = series(rng, 32)
        W_x, W_h, b, W_y, b_y = weights
        rate = 0.3 * (1 - 0.9 * update / updates)
        _, *weights = right_train_step(x, y, lengths, W_x, W_h, b, W_y, b_y, rate)
    return weights


def right_forecast(x, lengths):
    W_x, W_h, b, W_y, b_y = trained()
    return rnn_forward(x, None, W_x, W_h, b, lengths=lengths)[1] @ W_y + b_y


def forecast_cases(rng: np.random.Generator) -> list[Case]:
    measure = Measure("rmse", full=0.08, none=0.094, floor=0.02)

    def case(group: str, words: str, shortest: int) -> Case:
        x, y, lengths = series(rng, 600, shortest)
        return Case(group, words, {"args": [x, lengths]}, measure, y[np.arange(len(y)), lengths - 1])

    return [
        case("whole", "600 series of 50 steps that nobody has seen", shortest=T),
        case("lengths", "600 series of 10 to 50 steps that nobody has seen", shortest=10),
    ]


def forecast_as_the_last_value(x, lengths):
    return x[np.arange(len(x)), lengths - 1, 0]


def forecast_along_a_line(x, lengths):
    rows = np.arange(len(x))
    return 2 * x[rows, lengths - 1, 0] - x[rows, lengths - 2, 0]


def forecast_of_the_mean(x, lengths):
    return x[:, :, 0].sum(axis=1) / lengths


def forecast_as_the_last_column(x, lengths):
    return x[:, -1, 0]


def forecast_at_every_step(x, lengths):
    return x[:, :, 0]


MY_FORECAST = Exercise(
    name="my_forecast",
    kind="function",
    signature="my_forecast(x, lengths)",
    outputs=("forecasts",),
    reference=right_forecast,
    cases=forecast_cases,
    groups=(
        Group("whole", "series of full length", 2.0),
        Group("lengths", "series that end early", 2.0),
    ),
    unchanged=False,
    misconceptions=(
        Misconception(
            "as-the-last-value",
            "the forecast is the last value",
            "This is the naive forecast that your network has to beat. Where do the trained weights come in?",
            LOOP,
            forecast_as_the_last_value,
        ),
        Misconception(
            "along-a-line",
            "the forecast lies on a straight line through the last two values",
            "Waves turn round. What do more than two values tell about where, and what has your network learned of it?",
            LOOP,
            forecast_along_a_line,
        ),
        Misconception(
            "the-mean",
            "the forecast is the mean of the series",
            "Does the order of the values matter to your forecast? Should it?",
            LOOP,
            forecast_of_the_mean,
        ),
        Misconception(
            "last-column",
            "the forecast is made from the last column, whatever the lengths",
            "In a series of ten steps, what stands in the last column of x?",
            WRONG,
            forecast_as_the_last_column,
        ),
        Misconception(
            "every-step",
            "there is a number for every step",
            "You are asked for one number a series. Of which step is it?",
            LOOP,
            forecast_at_every_step,
        ),
    ),
)


# --- truncated_backward -----------------------------------------------------------------------------------------------


def right_truncated_backward(dh, dh_last, x, h0, W_x, W_h, b, chunk):
    return tuple(reference.truncated_bptt(x, h0, W_x, W_h, b, dh, chunk, dh_last)[2])


def truncated_cases(rng: np.random.Generator) -> list[Case]:
    case = functools.partial(layer_case, rng)
    return [
        case("ones", "five steps in chunks of one, a loss on every output", N=2, D=3, last=0.0, more=[1]),
        case("cuts", "six steps in chunks of two, a loss on every output", T=6, last=0.0, more=[2]),
        case("cuts", "eight steps in chunks of four, a loss on every output", N=2, T=8, D=3, H=3, last=0.0, more=[4]),
        case("final", "six steps in chunks of three, a loss on the final state alone", T=6, out=0.0, more=[3]),
        case("final", "six steps in chunks of three, a loss on outputs and final state", N=2, T=6, more=[3]),
        case("sizes", "seven steps in chunks of three", T=7, more=[3]),
        case("sizes", "five steps in one chunk of nine", more=[9]),
    ]


def truncated_without_cuts(dh, dh_last, x, h0, W_x, W_h, b, chunk):
    T, states, dh_next = x.shape[1], [h0], dh_last
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    dx, dW_x, dW_h, db = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
    return dx, dh_next, dW_x, dW_h, db


def truncated_with_cuts_from_the_end(dh, dh_last, x, h0, W_x, W_h, b, chunk):
    T, states, dh_next = x.shape[1], [h0], dh_last
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    dx, dW_x, dW_h, db = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = 0 * da if (T - t) % chunk == 0 and t > 0 else da @ W_h.T
    return dx, dh_next, dW_x, dW_h, db


def truncated_with_the_first_state_everywhere(dh, dh_last, x, h0, W_x, W_h, b, chunk):
    T, before, after, dh_next = x.shape[1], np.zeros_like(dh), np.zeros_like(dh), dh_last
    for t in range(T):
        before[:, t] = h0 if t % chunk == 0 else after[:, t - 1]
        after[:, t] = np.tanh(x[:, t] @ W_x + before[:, t] @ W_h + b)
    dx, dW_x, dW_h, db = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dh[:, t] + dh_next) * (1 - after[:, t] ** 2)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + before[:, t].T @ da, db + da.sum(axis=0)
        dh_next = 0 * da if t % chunk == 0 and t > 0 else da @ W_h.T
    return dx, dh_next, dW_x, dW_h, db


def truncated_keeping_the_last_chunk(dh, dh_last, x, h0, W_x, W_h, b, chunk):
    T, states, dh_next = x.shape[1], [h0], dh_last
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    dx, dW_x, dW_h, db = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2)
        dx[:, t] = da @ W_x.T
        if t >= (T - 1) // chunk * chunk:
            dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = 0 * da if t % chunk == 0 and t > 0 else da @ W_h.T
    return dx, dh_next, dW_x, dW_h, db


def truncated_with_dh_last_at_every_cut(dh, dh_last, x, h0, W_x, W_h, b, chunk):
    T, states, dh_next = x.shape[1], [h0], dh_last
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    dx, dW_x, dW_h, db = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = dh_last if t % chunk == 0 and t > 0 else da @ W_h.T
    return dx, dh_next, dW_x, dW_h, db


def truncated_without_the_final_state(dh, dh_last, x, h0, W_x, W_h, b, chunk):
    T, states, dh_next = x.shape[1], [h0], 0 * dh_last
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    dx, dW_x, dW_h, db = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = 0 * da if t % chunk == 0 and t > 0 else da @ W_h.T
    return dx, dh_next, dW_x, dW_h, db


def truncated_with_a_state_of_zero_at_the_cuts(dh, dh_last, x, h0, W_x, W_h, b, chunk):
    T, before, after, dh_next = x.shape[1], np.zeros_like(dh), np.zeros_like(dh), dh_last
    for t in range(T):
        before[:, t] = h0 if t == 0 else after[:, t - 1] if t % chunk else 0
        after[:, t] = np.tanh(x[:, t] @ W_x + before[:, t] @ W_h + b)
    dx, dW_x, dW_h, db = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dh[:, t] + dh_next) * (1 - after[:, t] ** 2)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + before[:, t].T @ da, db + da.sum(axis=0)
        dh_next = 0 * da if t % chunk == 0 and t > 0 else da @ W_h.T
    return dx, dh_next, dW_x, dW_h, db


def truncated_with_dh0_of_the_last_chunk(dh, dh_last, x, h0, W_x, W_h, b, chunk):
    T, states, dh_next, dh0 = x.shape[1], [h0], dh_last, None
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    dx, dW_x, dW_h, db = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
        if t % chunk == 0:
            dh0, dh_next = (dh_next if dh0 is None else dh0), 0 * da
    return dx, dh0, dW_x, dW_h, db


def truncated_with_dh0_of_all_chunks(dh, dh_last, x, h0, W_x, W_h, b, chunk):
    T, states, dh_next, dh0 = x.shape[1], [h0], dh_last, 0 * h0
    for t in range(T):
        states.append(np.tanh(x[:, t] @ W_x + states[t] @ W_h + b))
    dx, dW_x, dW_h, db = np.zeros_like(x), 0 * W_x, 0 * W_h, 0 * b
    for t in reversed(range(T)):
        da = (dh[:, t] + dh_next) * (1 - states[t + 1] ** 2)
        dx[:, t] = da @ W_x.T
        dW_x, dW_h, db = dW_x + x[:, t].T @ da, dW_h + states[t].T @ da, db + da.sum(axis=0)
        dh_next = da @ W_h.T
        if t % chunk == 0:
            dh0, dh_next = dh0 + dh_next, 0 * da
    return dx, dh0, dW_x, dW_h, db


TRUNCATED_BACKWARD = Exercise(
    name="truncated_backward",
    kind="function",
    signature="truncated_backward(dh, dh_last, x, h0, W_x, W_h, b, chunk)",
    outputs=("dx", "dh0", "dW_x", "dW_h", "db"),
    reference=right_truncated_backward,
    cases=truncated_cases,
    groups=(
        Group("ones", "chunks of one step, in which nothing is handed back", 0.5),
        Group("cuts", "chunks of equal size, a loss on every output", 1.5),
        Group("final", "a loss on the final state", 1.0),
        Group("sizes", "a shorter last chunk, one chunk for all", 0.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "no-cut",
            "gradients cross the cuts",
            "These are the gradients of full backpropagation. At which steps should dh_next be forgotten?",
            CUT,
            truncated_without_cuts,
        ),
        Misconception(
            "cuts-from-the-end",
            "the chunks are counted from the end of the sequence",
            "Seven steps come in one after another, three to a chunk. Which chunk must be the short one?",
            CUT,
            truncated_with_cuts_from_the_end,
        ),
        Misconception(
            "state-lost",
            "every chunk begins at h0",
            "At a cut the gradient stops. Does the state stop too, and which one should the second chunk begin with?",
            CUT,
            truncated_with_the_first_state_everywhere,
        ),
        Misconception(
            "state-of-zero",
            "after each cut the state begins at 0",
            "A cut keeps gradients from going back. What does the state that goes forward know of it?",
            CUT,
            truncated_with_a_state_of_zero_at_the_cuts,
        ),
        Misconception(
            "last-chunk-only",
            "the weights' gradients are those of the last chunk",
            "Every chunk finds a share of dW_h. What does your loop do with the share of the chunk before?",
            SUM,
            truncated_keeping_the_last_chunk,
        ),
        Misconception(
            "dh-last-at-every-cut",
            "dh_last comes in at the end of every chunk",
            "How many of the chunks end in the final state of the sequence?",
            CUT,
            truncated_with_dh_last_at_every_cut,
        ),
        Misconception(
            "no-final-state",
            "dh_last is not used",
            "The last chunk ends where the sequence ends. What comes in there from whoever reads the final state?",
            CUT,
            truncated_without_the_final_state,
        ),
        Misconception(
            "dh0-of-the-last-chunk",
            "dh0 belongs to the state before the last chunk",
            "Each chunk has a first state. Which chunk's first state is h0, and whose gradient do you hand back?",
            CUT,
            truncated_with_dh0_of_the_last_chunk,
        ),
        Misconception(
            "dh0-of-all-chunks",
            "dh0 is summed over the chunks",
            "W_h serves every chunk, so its shares add up. How many chunks does h0 serve?",
            CUT,
            truncated_with_dh0_of_all_chunks,
        ),
    ),
)


# --- TruncatedRNN -----------------------------------------------------------------------------------------------------


class ReferenceTruncated(RNN):
    """The reference layer, chunk by chunk, with a state that is detached at each cut; states are ``(N, H)``."""

    def __init__(self, input_size: int, hidden_size: int, chunk: int) -> None:
        super().__init__(input_size, hidden_size, batch_first=True)
        self.chunk = chunk

    def forward(self, input, hx=None, lengths=None):
        first, *others = input.split(self.chunk, dim=1)
        h, state = super().forward(first, None if hx is None else hx[None])
        outputs = [h]
        for part in others:
            h, state = super().forward(part, state.detach())
            outputs.append(h)
        return torch.cat(outputs, dim=1), state[0]


def truncated_layer_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str, words: str, chunk=2, N=3, T=6, D=2, H=3, first=True, upstream=(), dtype="float64", device="cpu"
    ) -> Case:
        W_x, W_h, b = layer_weights(rng, D, H)
        share = rng.uniform(0.2, 0.8)
        weights = {"weight_ih_l0": W_x.T, "weight_hh_l0": W_h.T, "bias_ih_l0": share * b, "bias_hh_l0": (1 - share) * b}
        shapes = {"h": (N, T, H), "h_last": (N, H)}
        call = {
            "build": [D, H, chunk],
            "weights": {name: np.ascontiguousarray(value) for name, value in weights.items()},
            "inputs": [rng.normal(size=(N, T, D))] + [rng.uniform(-0.9, 0.9, size=(N, H))] * first,
            "upstream": {name: rng.normal(size=shapes[name]) for name in upstream},
            "dtype": dtype,
            "device": device,
        }
        return Case(group, words, call)

    return [
        case("forward", "six steps in chunks of two, no initial state given", first=False),
        case("forward", "seven steps in chunks of three, a given initial state", chunk=3, T=7, D=4, H=2),
        case("outputs", "gradients that come from every output", upstream=("h",)),
        case(
            "outputs", "gradients that come from every output, seven steps in chunks of three", 3, T=7, upstream=("h",)
        ),
        case("final", "gradients that come from the final state", 3, upstream=("h_last",)),
        case("final", "gradients that come from the final state, one chunk for all", 8, T=4, upstream=("h_last",)),
        case("everywhere", "parameters of float32", dtype="float32", first=False, upstream=("h",)),
        case("everywhere", "a device other than the CPU (PyTorch's meta device)", first=False, device="meta"),
    ]


class TruncatedWithoutCuts(nn.Module):
    def __init__(self, input_size, hidden_size, chunk):
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
        return torch.stack(outputs, dim=1), state


class TruncatedAtEveryStep(nn.Module):
    def __init__(self, input_size, hidden_size, chunk):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            if t > 0:
                state = state.detach()
            from_input = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0
            state = torch.tanh(from_input + state @ self.weight_hh_l0.T + self.bias_hh_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class TruncatedFromZero(nn.Module):
    def __init__(self, input_size, hidden_size, chunk):
        super().__init__()
        self.chunk = chunk
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            if t > 0 and t % self.chunk == 0:
                state = torch.zeros_like(state)
            from_input = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0
            state = torch.tanh(from_input + state @ self.weight_hh_l0.T + self.bias_hh_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class TruncatedAfterTheLastChunkToo(nn.Module):
    def __init__(self, input_size, hidden_size, chunk):
        super().__init__()
        self.chunk = chunk
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[0]) if h0 is None else h0
        outputs = []
        for start in range(0, x.shape[1], self.chunk):
            for x_t in x[:, start : start + self.chunk].unbind(1):
                from_input = x_t @ self.weight_ih_l0.T + self.bias_ih_l0
                state = torch.tanh(from_input + state @ self.weight_hh_l0.T + self.bias_hh_l0)
                outputs.append(state)
            state = state.detach()
        return torch.stack(outputs, dim=1), state


class TruncatedBeforeTheFirstChunkToo(nn.Module):
    def __init__(self, input_size, hidden_size, chunk):
        super().__init__()
        self.chunk = chunk
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.weight_hh_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            if t % self.chunk == 0:
                state = state.detach()
            from_input = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0
            state = torch.tanh(from_input + state @ self.weight_hh_l0.T + self.bias_hh_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class TruncatedOutputs(nn.Module):
    def __init__(self, input_size, hidden_size, chunk):
        super().__init__()
        self.chunk = chunk
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
            if (t + 1) % self.chunk == 0 and t + 1 < x.shape[1]:
                state = state.detach()
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class TruncatedOutputsToTheEnd(nn.Module):
    def __init__(self, input_size, hidden_size, chunk):
        super().__init__()
        self.chunk = chunk
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
            if (t + 1) % self.chunk == 0:
                state = state.detach()
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class TruncatedOnTheCPUOnly(nn.Module):
    def __init__(self, input_size, hidden_size, chunk):
        super().__init__()
        self.chunk = chunk
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = torch.zeros(x.shape[0], self.weight_hh_l0.shape[0], dtype=x.dtype) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            if t > 0 and t % self.chunk == 0:
                state = state.detach()
            from_input = x[:, t] @ self.weight_ih_l0.T + self.bias_ih_l0
            state = torch.tanh(from_input + state @ self.weight_hh_l0.T + self.bias_hh_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


TRUNCATED_RNN = Exercise(
    name="TruncatedRNN",
    kind="module",
    signature="TruncatedRNN(input_size, hidden_size, chunk)",
    outputs=("h", "h_last"),
    reference=ReferenceTruncated,
    cases=truncated_layer_cases,
    groups=(
        Group("forward", "the outputs, which no cut changes", 1.0),
        Group("outputs", "gradients of the outputs stop at each cut", 1.5),
        Group("final", "gradients of the final state stay in the last chunk", 0.5),
        Group("everywhere", "any dtype and any device", 1.0),
    ),
    misconceptions=(
        Misconception(
            "no-cut",
            "gradients cross the cuts",
            "Which call takes a tensor out of autograd's graph, and at which steps does yours stand?",
            CUT,
            TruncatedWithoutCuts,
        ),
        Misconception(
            "cut-at-every-step",
            "gradients are stopped at every step",
            "Within a chunk gradients should flow. What does your condition say about a step that begins no chunk?",
            CUT,
            TruncatedAtEveryStep,
        ),
        Misconception(
            "state-lost",
            "each chunk begins with a state of 0",
            "The outputs should be those of a layer without cuts. What has your second chunk heard of the first?",
            CUT,
            TruncatedFromZero,
        ),
        Misconception(
            "final-state-cut",
            "the final state is detached as well",
            "Whoever reads h_last wants gradients from it. Is there a cut after the last chunk?",
            CUT,
            TruncatedAfterTheLastChunkToo,
        ),
        Misconception(
            "initial-state-cut",
            "the initial state is detached as well",
            "An encoder that made h0 waits for its gradient. Does a cut stand before the first step?",
            CUT,
            TruncatedBeforeTheFirstChunkToo,
        ),
        Misconception(
            "outputs-cut",
            "the output before each cut sends no gradient",
            "The loss reads the output of a chunk's last step too. Is it the detached tensor that you hand out?",
            WRONG,
            TruncatedOutputs,
        ),
        Misconception(
            "outputs-and-final-state-cut",
            "the last output of each chunk sends no gradient, and nor does the final state",
            "You detach the state of a chunk's last step and then hand it out. Who besides the next chunk needs it, "
            "and in which form?",
            WRONG,
            TruncatedOutputsToTheEnd,
        ),
        Misconception(
            "cpu-only",
            "it runs on the CPU only",
            "On which device does torch.zeros put its result when it is not told? Where does x live?",
            "recurrent_neurons.html#the-same-in-pytorch",
            TruncatedOnTheCPUOnly,
        ),
    ),
)

ASSIGNMENT = Assignment(
    name="bptt",
    exercises=(
        RNN_STEP_BACKWARD,
        NUMERICAL_GRADIENTS,
        RNN_BACKWARD,
        MASKED_LOSS,
        TRAIN_STEP,
        MY_FORECAST,
        TRUNCATED_BACKWARD,
        TRUNCATED_RNN,
    ),
    data={},
)
