"""The exercises of the assignment on layer normalisation: the norm, its gradient, and a layer with it."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import nn

from autograde.exercises.definition import Assignment, Case, Exercise, Group, Measure, Misconception, OwnGradient
from solutions.with_numpy import layer_norm as reference
from solutions.with_torch import layer_norm as torch_reference

PAGE = "layer_norm.html"
WRONG = f"{PAGE}#what-goes-wrong"
AXES = f"{PAGE}#mean-and-deviation-of-what"
HAND = f"{PAGE}#by-hand-first"
BATCH = f"{PAGE}#the-statistics-of-a-batch-between-steps"
TESTING = f"{PAGE}#which-statistics-when-testing"
LENGTHS = f"{PAGE}#when-lengths-differ"
ROW = f"{PAGE}#one-row-at-a-time"
GRADIENTS = f"{PAGE}#what-it-does-to-sizes-and-gradients"
TORCH = f"{PAGE}#the-same-in-pytorch"
PLACE = f"{PAGE}#where-in-the-layer"
LEARN = f"{PAGE}#does-it-help-to-learn"


def signed(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Numbers from 0.4 to 1.2 with random signs: none near 0, and none that is exactly 1."""
    return rng.uniform(0.4, 1.2, size=shape) * rng.choice([-1, 1], size=shape)


# --- layer_norm_forward -----------------------------------------------------------------------------------------------


def norm_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str,
        words: str,
        shape=(3, 5),
        centre=0.0,
        spread=1.0,
        plain=False,
        eps=None,
        equal=False,
        dtype=np.float64,
    ) -> Case:
        x = centre * signed(rng, *shape[:-1], 1) + spread * rng.normal(size=shape)
        if equal:
            x[1] = x[1, :1]
        D = shape[-1]
        gamma, beta = (np.ones(D), np.zeros(D)) if plain else (signed(rng, D), signed(rng, D))
        args = [value.astype(dtype) for value in (x, gamma, beta)]
        return Case(group, words, {"args": args if eps is None else [*args, eps]})

    return [
        case("norm", "three rows of five numbers, gains 1 and offsets 0", plain=True),
        case("norm", "four rows far from 0, gains 1 and offsets 0", (4, 6), centre=20.0, spread=3.0, plain=True),
        case("parameters", "gains and offsets of each feature's own"),
        case("parameters", "gains and offsets of seven features, two rows far from 0", (2, 7), centre=5.0),
        case("axes", "two sequences of three steps with four features", (2, 3, 4)),
        case("axes", "a single row, without a batch", (6,)),
        case("axes", "arrays of float32", (4, 3, 5), dtype=np.float32),
        case("eps", "rows whose numbers hardly differ, with the usual eps", spread=0.006),
        case("eps", "an eps of 0.2", (2, 6), eps=0.2),
        case("eps", "three rows, and in one of them all numbers are equal", (3, 4), equal=True),
    ]


def norm_over_the_batch(x, gamma, beta, eps=1e-5):
    mean, variance = x.mean(axis=0, keepdims=True), x.var(axis=0, keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + eps) + beta


def norm_along_axis_one(x, gamma, beta, eps=1e-5):
    mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + eps) + beta


def norm_of_everything(x, gamma, beta, eps=1e-5):
    return gamma * (x - x.mean()) / np.sqrt(x.var() + eps) + beta


def norm_with_the_unbiased_variance(x, gamma, beta, eps=1e-5):
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True, ddof=1)
    return gamma * (x - mean) / np.sqrt(variance + eps) + beta


def norm_with_eps_outside(x, gamma, beta, eps=1e-5):
    mean, deviation = x.mean(axis=-1, keepdims=True), x.std(axis=-1, keepdims=True)
    return gamma * (x - mean) / (deviation + eps) + beta


def norm_by_the_variance(x, gamma, beta, eps=1e-5):
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return gamma * (x - mean) / (variance + eps) + beta


def norm_without_centring(x, gamma, beta, eps=1e-5):
    return gamma * x / np.sqrt(x.var(axis=-1, keepdims=True) + eps) + beta


def norm_without_gain(x, gamma, beta, eps=1e-5):
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + eps) + beta


def norm_without_offset(x, gamma, beta, eps=1e-5):
    mean, variance = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + eps)


def norm_of_gain_and_offset(x, gamma, beta, eps=1e-5):
    a = gamma * x + beta
    mean, variance = a.mean(axis=-1, keepdims=True), a.var(axis=-1, keepdims=True)
    return (a - mean) / np.sqrt(variance + eps)


def norm_by_the_root_mean_square(x, gamma, beta, eps=1e-5):
    return gamma * x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + eps) + beta


def norm_by_the_sum_of_squares(x, gamma, beta, eps=1e-5):
    centred = x - x.mean(axis=-1, keepdims=True)
    return gamma * centred / np.sqrt((centred**2).sum(axis=-1, keepdims=True) + eps) + beta


def norm_without_eps(x, gamma, beta, eps=1e-5):
    with np.errstate(invalid="ignore"):
        return gamma * (x - x.mean(axis=-1, keepdims=True)) / x.std(axis=-1, keepdims=True) + beta


LAYER_NORM_FORWARD = Exercise(
    name="layer_norm_forward",
    kind="function",
    signature="layer_norm_forward(x, gamma, beta, eps=1e-5)",
    outputs=("y",),
    reference=lambda *args: reference.layer_norm_forward(*args)[0],
    cases=norm_cases,
    groups=(
        Group("norm", "the norm alone, gains 1 and offsets 0", 1.0),
        Group("parameters", "gain and offset", 1.0),
        Group("axes", "any number of axes in front, float32", 0.75),
        Group("eps", "what eps does", 0.75),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    forbidden=("torch", "norm_by_torch"),
    misconceptions=(
        Misconception(
            "batch-statistics",
            "the mean and the variance run over the rows of the batch",
            "Give your function one row of the batch alone. Does its result change, and should it?",
            AXES,
            norm_over_the_batch,
        ),
        Misconception(
            "axis-one",
            "the axis is counted from the front",
            "On (N, D) you are right. Which axis holds the features of an (N, T, D), and which one of a (D,)?",
            WRONG,
            norm_along_axis_one,
        ),
        Misconception(
            "one-for-all",
            "all the numbers share one mean and one variance",
            "Change the last row only. Does your result for the first row move, and what has it to do with the last?",
            WRONG,
            norm_of_everything,
        ),
        Misconception(
            "unbiased-variance",
            "the variance is divided by one less than the number of features",
            "Take the mean of the squares of one row of your result, with gains 1 and offsets 0. Which number do you "
            "expect, and which do you get?",
            WRONG,
            norm_with_the_unbiased_variance,
        ),
        Misconception(
            "eps-outside",
            "eps is not under the root",
            "Look at a row whose deviation is smaller than the root of eps. To which of the two does the equation add "
            "eps: the deviation, or the variance?",
            WRONG,
            norm_with_eps_outside,
        ),
        Misconception(
            "variance-for-deviation",
            "the numbers are divided by the variance",
            "If the numbers of a row are lengths in metres, in which unit is their variance, and in which is your "
            "result?",
            HAND,
            norm_by_the_variance,
        ),
        Misconception(
            "not-centred",
            "the mean is not subtracted",
            "Add 20 to every number of a row. Which numbers should come out, and which do?",
            HAND,
            norm_without_centring,
        ),
        Misconception(
            "gain-forgotten",
            "gamma is not used",
            "Set the gain of one feature to 0. Does your function notice?",
            HAND,
            norm_without_gain,
        ),
        Misconception(
            "offset-forgotten",
            "beta is not used",
            "What should come out for a row whose numbers are all equal, and on which argument does that depend?",
            HAND,
            norm_without_offset,
        ),
        Misconception(
            "gain-before-the-norm",
            "gain and offset come before the norm",
            "Double all gains. If a norm still follows them, what is left of the change?",
            WRONG,
            norm_of_gain_and_offset,
        ),
        Misconception(
            "root-mean-square",
            "the numbers are divided by their root mean square, and not centred",
            "What does the mean of each row of your result come to, with gains 1 and offsets 0?",
            HAND,
            norm_by_the_root_mean_square,
        ),
        Misconception(
            "sum-of-squares",
            "the squares are summed and not averaged",
            "Should a row of ten numbers come out smaller than one of five, when both are spread alike?",
            HAND,
            norm_by_the_sum_of_squares,
        ),
        Misconception(
            "no-eps",
            "eps is not used",
            "What does your function divide by where all numbers of a row are equal?",
            WRONG,
            norm_without_eps,
        ),
    ),
)


# --- batch_norm_step --------------------------------------------------------------------------------------------------


def batch_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str, words: str, N=4, H=3, training=True, momentum=None, eps=None, spread=1.0, dtype=np.float64
    ) -> Case:
        a_t = 2 * signed(rng, H) + spread * rng.normal(size=(N, H))
        running = [signed(rng, H), rng.uniform(0.3, 0.6, size=H) * rng.choice([1, 5], size=H)]
        args = [value.astype(dtype) for value in (a_t, signed(rng, H), signed(rng, H), *running)]
        more = [] if momentum is None else [momentum] if eps is None else [momentum, eps]
        return Case(group, words, {"args": [*args, training, *more]})

    return [
        case("training", "four sequences in training, with a momentum of 0: nothing is remembered", 4, 2, momentum=0.0),
        case("training", "five sequences in training, a momentum of 0, an eps of 0.3", 5, 2, momentum=0.0, eps=0.3),
        case("training", "numbers that hardly differ, in training, a momentum of 0", 4, 2, momentum=0.0, spread=0.006),
        case("running", "four sequences in training, with the usual momentum"),
        case("running", "six sequences in training, with a momentum of 0.4", 6, 4, momentum=0.4),
        case("running", "two sequences in training, with a momentum of 0.7", 2, 5, momentum=0.7),
        case("testing", "four sequences in testing", 4, 2, training=False),
        case("testing", "three sequences in testing, a momentum of 0.4", 3, 2, training=False, momentum=0.4),
        case("testing", "five sequences in testing, an eps of 0.3", 5, 2, training=False, momentum=0.2, eps=0.3),
        case("single", "arrays of float32 in training", 5, 4, dtype=np.float32),
        case("single", "arrays of float32 in testing", 3, 2, training=False, dtype=np.float32),
    ]


def batch_norm_over_the_features(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return gamma * (a_t - running_mean) / np.sqrt(running_var + eps) + beta, running_mean, running_var
    N = len(a_t)
    mean, variance = a_t.mean(axis=1, keepdims=True), a_t.var(axis=1, keepdims=True)
    y = gamma * (a_t - mean) / np.sqrt(variance + eps) + beta
    new_mean = (1 - momentum) * running_mean + momentum * a_t.mean(axis=0)
    return y, new_mean, (1 - momentum) * running_var + momentum * a_t.var(axis=0) * N / (N - 1)


def batch_norm_with_momentum_swapped(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return gamma * (a_t - running_mean) / np.sqrt(running_var + eps) + beta, running_mean, running_var
    N, mean, variance = len(a_t), a_t.mean(axis=0), a_t.var(axis=0)
    y = gamma * (a_t - mean) / np.sqrt(variance + eps) + beta
    new_mean = momentum * running_mean + (1 - momentum) * mean
    return y, new_mean, momentum * running_var + (1 - momentum) * variance * N / (N - 1)


def batch_norm_by_the_batch_in_testing(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    N, mean, variance = len(a_t), a_t.mean(axis=0), a_t.var(axis=0)
    y = gamma * (a_t - mean) / np.sqrt(variance + eps) + beta
    if not training:
        return y, running_mean, running_var
    new_mean = (1 - momentum) * running_mean + momentum * mean
    return y, new_mean, (1 - momentum) * running_var + momentum * variance * N / (N - 1)


def batch_norm_always_training(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    N, mean, variance = len(a_t), a_t.mean(axis=0), a_t.var(axis=0)
    y = gamma * (a_t - mean) / np.sqrt(variance + eps) + beta
    new_mean = (1 - momentum) * running_mean + momentum * mean
    return y, new_mean, (1 - momentum) * running_var + momentum * variance * N / (N - 1)


def batch_norm_by_the_running_in_training(
    a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5
):
    if training:
        N = len(a_t)
        running_mean = (1 - momentum) * running_mean + momentum * a_t.mean(axis=0)
        running_var = (1 - momentum) * running_var + momentum * a_t.var(axis=0) * N / (N - 1)
    return gamma * (a_t - running_mean) / np.sqrt(running_var + eps) + beta, running_mean, running_var


def batch_norm_moving_in_testing(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    N, mean, variance = len(a_t), a_t.mean(axis=0), a_t.var(axis=0)
    if not training:
        y = gamma * (a_t - running_mean) / np.sqrt(running_var + eps) + beta
    else:
        y = gamma * (a_t - mean) / np.sqrt(variance + eps) + beta
    new_mean = (1 - momentum) * running_mean + momentum * mean
    return y, new_mean, (1 - momentum) * running_var + momentum * variance * N / (N - 1)


def batch_norm_remembering_the_biased(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return gamma * (a_t - running_mean) / np.sqrt(running_var + eps) + beta, running_mean, running_var
    mean, variance = a_t.mean(axis=0), a_t.var(axis=0)
    y = gamma * (a_t - mean) / np.sqrt(variance + eps) + beta
    return y, (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * variance


def batch_norm_by_the_unbiased(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return gamma * (a_t - running_mean) / np.sqrt(running_var + eps) + beta, running_mean, running_var
    mean, variance = a_t.mean(axis=0), a_t.var(axis=0, ddof=1)
    y = gamma * (a_t - mean) / np.sqrt(variance + eps) + beta
    return y, (1 - momentum) * running_mean + momentum * mean, (1 - momentum) * running_var + momentum * variance


def batch_norm_with_eps_outside(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return gamma * (a_t - running_mean) / (np.sqrt(running_var) + eps) + beta, running_mean, running_var
    N, mean, variance = len(a_t), a_t.mean(axis=0), a_t.var(axis=0)
    y = gamma * (a_t - mean) / (np.sqrt(variance) + eps) + beta
    new_mean = (1 - momentum) * running_mean + momentum * mean
    return y, new_mean, (1 - momentum) * running_var + momentum * variance * N / (N - 1)


def batch_norm_without_gain_and_offset(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return (a_t - running_mean) / np.sqrt(running_var + eps), running_mean, running_var
    N, mean, variance = len(a_t), a_t.mean(axis=0), a_t.var(axis=0)
    y = (a_t - mean) / np.sqrt(variance + eps)
    new_mean = (1 - momentum) * running_mean + momentum * mean
    return y, new_mean, (1 - momentum) * running_var + momentum * variance * N / (N - 1)


def batch_norm_with_the_divisors_swapped(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return gamma * (a_t - running_mean) / np.sqrt(running_var + eps) + beta, running_mean, running_var
    y = gamma * (a_t - a_t.mean(axis=0)) / np.sqrt(a_t.var(axis=0, ddof=1) + eps) + beta
    new_mean = (1 - momentum) * running_mean + momentum * a_t.mean(axis=0)
    return y, new_mean, (1 - momentum) * running_var + momentum * a_t.var(axis=0)


def batch_norm_that_never_moves(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    mean, variance = (a_t.mean(axis=0), a_t.var(axis=0)) if training else (running_mean, running_var)
    return gamma * (a_t - mean) / np.sqrt(variance + eps) + beta, running_mean, running_var


def batch_norm_remembering_this_batch(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return gamma * (a_t - running_mean) / np.sqrt(running_var + eps) + beta, running_mean, running_var
    y = gamma * (a_t - a_t.mean(axis=0)) / np.sqrt(a_t.var(axis=0) + eps) + beta
    return y, a_t.mean(axis=0), a_t.var(axis=0, ddof=1)


def batch_norm_with_the_usual_momentum(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return gamma * (a_t - running_mean) / np.sqrt(running_var + eps) + beta, running_mean, running_var
    y = gamma * (a_t - a_t.mean(axis=0)) / np.sqrt(a_t.var(axis=0) + eps) + beta
    return y, 0.9 * running_mean + 0.1 * a_t.mean(axis=0), 0.9 * running_var + 0.1 * a_t.var(axis=0, ddof=1)


def batch_norm_remembering_the_deviation(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    if not training:
        return gamma * (a_t - running_mean) / np.sqrt(running_var + eps) + beta, running_mean, running_var
    y = gamma * (a_t - a_t.mean(axis=0)) / np.sqrt(a_t.var(axis=0) + eps) + beta
    new_mean = (1 - momentum) * running_mean + momentum * a_t.mean(axis=0)
    return y, new_mean, (1 - momentum) * running_var + momentum * a_t.std(axis=0, ddof=1)


BATCH_NORM_STEP = Exercise(
    name="batch_norm_step",
    kind="function",
    signature="batch_norm_step(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5)",
    outputs=("y", "running_mean", "running_var"),
    reference=lambda *args: reference.batch_norm_forward(*args)[:3],
    cases=batch_cases,
    groups=(
        Group("training", "training, where nothing is to be remembered", 1.5),
        Group("running", "training, with running statistics that move", 2.0),
        Group("testing", "testing", 1.5),
        Group("single", "float32", 0.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "over-the-features",
            "in training each sequence is normalised by itself",
            "That is the norm of exercise 1. How many means does batch norm compute at one step: one a sequence, or "
            "one a feature?",
            AXES,
            batch_norm_over_the_features,
        ),
        Misconception(
            "momentum-swapped",
            "momentum and 1 - momentum have changed places",
            "With a momentum of 0 nothing is to be remembered. Which of your two factors is then 0?",
            BATCH,
            batch_norm_with_momentum_swapped,
        ),
        Misconception(
            "batch-in-testing",
            "testing uses the statistics of the batch",
            "Put one sequence into two test batches with other company. Does its result stay, and for what have the "
            "running statistics been kept?",
            TESTING,
            batch_norm_by_the_batch_in_testing,
        ),
        Misconception(
            "always-training",
            "testing does all that training does",
            "Which line of yours reads the argument training? What may a test set change in a network?",
            TESTING,
            batch_norm_always_training,
        ),
        Misconception(
            "running-in-training",
            "training uses the running statistics",
            "In training, take the mean of each column of your result, with gains 1 and offsets 0. Should it not be 0?",
            BATCH,
            batch_norm_by_the_running_in_training,
        ),
        Misconception(
            "moves-in-testing",
            "the running statistics move in testing",
            "Test the same batch twice. Why would the second result differ from the first?",
            TESTING,
            batch_norm_moving_in_testing,
        ),
        Misconception(
            "biased-remembered",
            "the variance that is remembered is the one that normalises",
            "Two variances of the batch occur in the table of the exercise. By what is the remembered one divided?",
            WRONG,
            batch_norm_remembering_the_biased,
        ),
        Misconception(
            "unbiased-used",
            "the variance that normalises is the one that is remembered",
            "In training, take the mean of the squares of each column, with gains 1 and offsets 0. Which number should "
            "it be?",
            WRONG,
            batch_norm_by_the_unbiased,
        ),
        Misconception(
            "eps-outside",
            "eps is not under the root",
            "Does eps in your code meet a variance or a deviation, and which of them does the equation name?",
            WRONG,
            batch_norm_with_eps_outside,
        ),
        Misconception(
            "no-gain-and-offset",
            "gamma and beta are not used",
            "With all gains 0, what should come out of the norm, in training and in testing?",
            HAND,
            batch_norm_without_gain_and_offset,
        ),
        Misconception(
            "divisors-swapped",
            "the two divisors have changed places",
            "The table names N and N - 1. Which of them belongs to the variance that normalises?",
            TESTING,
            batch_norm_with_the_divisors_swapped,
        ),
        Misconception(
            "never-moves",
            "the running statistics never move",
            "What do you return in training in place of the running statistics that came in?",
            TESTING,
            batch_norm_that_never_moves,
        ),
        Misconception(
            "this-batch-alone",
            "only this batch is remembered",
            "With a momentum of 0 nothing of a batch is remembered. What is left of the old running mean in yours?",
            TESTING,
            batch_norm_remembering_this_batch,
        ),
        Misconception(
            "usual-momentum",
            "momentum is always the usual one",
            "If another momentum changes nothing, which line of yours never reads it?",
            TESTING,
            batch_norm_with_the_usual_momentum,
        ),
        Misconception(
            "deviation-remembered",
            "running_var takes up deviations",
            "Does running_var move towards a variance of the batch, or towards the root of one?",
            TESTING,
            batch_norm_remembering_the_deviation,
        ),
    ),
)


# --- layer_norm_backward ----------------------------------------------------------------------------------------------


def right_backward(dy, x, gamma, beta, eps=1e-5):
    return tuple(reference.layer_norm_backward(dy, reference.layer_norm_forward(x, gamma, beta, eps)[1]))


def backward_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str, words: str, shape=(3, 5), spread=1.0, plain=False, along="", eps=None, dtype=np.float64
    ) -> Case:
        x, D = spread * rng.normal(size=shape) + signed(rng, *shape[:-1], 1), shape[-1]
        if D == 2:
            x[1] = x[0] + rng.uniform(1, 2)
        gamma, beta, dy = np.ones(D) if plain else signed(rng, D), signed(rng, D), rng.normal(size=shape)
        if along == "mean":
            dy = np.full(shape, rng.uniform(1, 2))
        if along == "row":
            dy = rng.uniform(1, 2) * reference.layer_norm_forward(x, np.ones(D), np.zeros(D))[0]
        args = [value.astype(dtype) for value in (dy, x, gamma, beta)]
        return Case(group, words, {"args": args if eps is None else [*args, eps]})

    return [
        case(
            "norm",
            "two rows with gains 1 and a dy that is the same for every feature",
            (2, 5),
            plain=True,
            along="mean",
        ),
        case("norm", "two rows with gains 1 and a dy along the normalised rows", (2, 7), plain=True, along="row"),
        case("norm", "three rows with gains 1 and any dy", (3, 6), plain=True),
        case("gain", "two rows with gains of each feature's own", (2, 5)),
        case("gain", "three rows of eight features, with gains of their own", (3, 8)),
        case("rows", "a batch of four rows", (4, 6)),
        case("rows", "two sequences of three steps with four features", (2, 3, 4)),
        case("rows", "a single row of two numbers, without a batch", (2,)),
        case("rows", "arrays of float32", (4, 5), dtype=np.float32),
        case("eps", "rows whose numbers hardly differ, with the usual eps", (2, 5), spread=0.006),
        case("eps", "an eps of 0.2", (3, 6), eps=0.2),
    ]


def back_with_fixed_statistics(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat = centred * scale
    return scale * dy * gamma, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def back_with_a_fixed_variance(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat, dx_hat = centred * scale, dy * gamma
    dx = scale * (dx_hat - dx_hat.mean(axis=-1, keepdims=True))
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def back_with_a_fixed_mean(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat, dx_hat = centred * scale, dy * gamma
    dx = scale * (dx_hat - x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True))
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def back_with_sums_for_means(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat, dx_hat = centred * scale, dy * gamma
    along = x_hat * (dx_hat * x_hat).sum(axis=-1, keepdims=True)
    dx = scale * (dx_hat - dx_hat.sum(axis=-1, keepdims=True) - along)
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def back_with_means_over_the_batch(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat, dx_hat = centred * scale, dy * gamma
    dx = scale * (dx_hat - dx_hat.mean(axis=0) - x_hat * (dx_hat * x_hat).mean(axis=0))
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def back_without_the_scale(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    x_hat = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    dx_hat = dy * gamma
    along = x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = dx_hat - dx_hat.mean(axis=-1, keepdims=True) - along
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def back_without_the_gain(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat = centred * scale
    along = x_hat * (dy * x_hat).mean(axis=-1, keepdims=True)
    dx = scale * (dy - dy.mean(axis=-1, keepdims=True) - along)
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def back_with_the_gain_at_the_end(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat = centred * scale
    along = x_hat * (dy * x_hat).mean(axis=-1, keepdims=True)
    dx = gamma * scale * (dy - dy.mean(axis=-1, keepdims=True) - along)
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def back_without_a_sum(dy, x, gamma, beta, eps=1e-5):
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat, dx_hat = centred * scale, dy * gamma
    along = x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    return scale * (dx_hat - dx_hat.mean(axis=-1, keepdims=True) - along), dy * x_hat, dy


def back_with_a_sum_over_the_first_axis(dy, x, gamma, beta, eps=1e-5):
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat, dx_hat = centred * scale, dy * gamma
    along = x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = scale * (dx_hat - dx_hat.mean(axis=-1, keepdims=True) - along)
    return dx, (dy * x_hat).sum(axis=0), dy.sum(axis=0)


def back_with_means_for_the_parameters(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat, dx_hat = centred * scale, dy * gamma
    along = x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = scale * (dx_hat - dx_hat.mean(axis=-1, keepdims=True) - along)
    return dx, (dy * x_hat).mean(axis=rows), dy.mean(axis=rows)


def back_with_the_raw_row(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat, dx_hat = centred * scale, dy * gamma
    along = x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = scale * (dx_hat - dx_hat.mean(axis=-1, keepdims=True) - along)
    return dx, (dy * x).sum(axis=rows), dy.sum(axis=rows)


def back_with_the_wrong_sign(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + eps)
    x_hat, dx_hat = centred * scale, dy * gamma
    along = x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = scale * (dx_hat - dx_hat.mean(axis=-1, keepdims=True) + along)
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def back_with_gain_and_offset_swapped(dy, x, gamma, beta, eps=1e-5):
    dx, dgamma, dbeta = right_backward(dy, x, gamma, beta, eps)
    return dx, dbeta, dgamma


def back_with_the_gain_in_dgamma(dy, x, gamma, beta, eps=1e-5):
    dx, dgamma, dbeta = right_backward(dy, x, gamma, beta, eps)
    return dx, dgamma * gamma, dbeta


def back_with_the_gain_in_both(dy, x, gamma, beta, eps=1e-5):
    dx, dgamma, dbeta = right_backward(dy, x, gamma, beta, eps)
    return dx, dgamma * gamma, dbeta * gamma


def back_with_the_centred_row(dy, x, gamma, beta, eps=1e-5):
    dx, _, dbeta = right_backward(dy, x, gamma, beta, eps)
    return dx, (dy * (x - x.mean(axis=-1, keepdims=True))).sum(axis=tuple(range(x.ndim - 1))), dbeta


def back_with_the_unbiased_variance(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / np.sqrt(x.var(axis=-1, keepdims=True, ddof=1) + eps)
    x_hat, dx_hat = centred * scale, dy * gamma
    along = x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = scale * (dx_hat - dx_hat.mean(axis=-1, keepdims=True) - along)
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def back_with_eps_outside(dy, x, gamma, beta, eps=1e-5):
    centred, rows = x - x.mean(axis=-1, keepdims=True), tuple(range(x.ndim - 1))
    scale = 1 / (x.std(axis=-1, keepdims=True) + eps)
    x_hat, dx_hat = centred * scale, dy * gamma
    along = x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True)
    dx = scale * (dx_hat - dx_hat.mean(axis=-1, keepdims=True) - along)
    return dx, (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)


def back_without_eps(dy, x, gamma, beta, eps=1e-5):
    return right_backward(dy, x, gamma, beta, 0.0)


LAYER_NORM_BACKWARD = Exercise(
    name="layer_norm_backward",
    kind="function",
    signature="layer_norm_backward(dy, x, gamma, beta, eps=1e-5)",
    outputs=("dx", "dgamma", "dbeta"),
    reference=right_backward,
    cases=backward_cases,
    groups=(
        Group("norm", "the norm alone, gains 1", 2.0),
        Group("gain", "with gains", 1.0),
        Group("rows", "any number of axes in front, float32", 2.0),
        Group("eps", "what eps does", 0.5),
        Group("own", "it fits the forward pass of your notebook", 1.0, property="own_gradient"),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    forbidden=("torch", "norm_by_torch", "gradients_by_autograd"),
    own=OwnGradient(
        forward="layer_norm_forward",
        outputs=("dy",),
        gradients={"dx": 0, "dgamma": 1, "dbeta": 2},
        group="rows",
    ),
    misconceptions=(
        Misconception(
            "fixed-statistics",
            "the mean and the variance are treated as constants",
            "Move one number of a row. Which of mean, variance and the other normalised numbers stay where they are?",
            WRONG,
            back_with_fixed_statistics,
        ),
        Misconception(
            "fixed-variance",
            "nothing comes through the variance",
            "Multiply a row by 1.01 and nothing changes behind the norm. What must the product of your dx with the row "
            "add up to? If you did take a second mean, what is the mean of the normalised row alone?",
            GRADIENTS,
            back_with_a_fixed_variance,
        ),
        Misconception(
            "fixed-mean",
            "the mean is treated as a constant",
            "Add 0.01 to each number of a row and nothing changes behind the norm. What must your dx add up to?",
            GRADIENTS,
            back_with_a_fixed_mean,
        ),
        Misconception(
            "sums-for-means",
            "the two terms that are subtracted are sums, not means",
            "Each row of dx must add up to 0. What does subtracting the sum of D numbers from each of them do to "
            "their sum?",
            GRADIENTS,
            back_with_sums_for_means,
        ),
        Misconception(
            "means-over-the-batch",
            "the two means run over the rows of the batch",
            "Change dy in one row only. In which rows does your dx change, and did the rows have anything in common on "
            "the way forward?",
            GRADIENTS,
            back_with_means_over_the_batch,
        ),
        Misconception(
            "scale-forgotten",
            "dx is not divided by the deviation",
            "If a row is ten times as large, how much does a change of 0.1 in it still move the result?",
            GRADIENTS,
            back_without_the_scale,
        ),
        Misconception(
            "gain-forgotten",
            "gamma plays no part in dx",
            "If the gain of a feature is 0, can what arrives at that feature still reach the row?",
            GRADIENTS,
            back_without_the_gain,
        ),
        Misconception(
            "gain-at-the-end",
            "gamma is multiplied in last",
            "On the way forward the gain comes after the norm. Where do you meet it on the way back: before the two "
            "means, or after them?",
            GRADIENTS,
            back_with_the_gain_at_the_end,
        ),
        Misconception(
            "not-summed",
            "dgamma and dbeta have a row for each row of x",
            "A gradient has the shape of what it belongs to. Which shape has gamma, and what must happen to the rows?",
            WRONG,
            back_without_a_sum,
        ),
        Misconception(
            "first-axis-only",
            "dgamma and dbeta are summed over the first axis only",
            "The same gains serve every step too. Over which axes of an (N, T, D) does your sum run?",
            WRONG,
            back_with_a_sum_over_the_first_axis,
        ),
        Misconception(
            "mean-over-rows",
            "dgamma and dbeta are averaged over the rows",
            "A gain that moves, moves the result in every row. Do these effects on the loss add, or do they average?",
            GRADIENTS,
            back_with_means_for_the_parameters,
        ),
        Misconception(
            "raw-row",
            "dgamma is made with x as it came in",
            "With what was gamma multiplied on the way forward?",
            GRADIENTS,
            back_with_the_raw_row,
        ),
        Misconception(
            "wrong-sign",
            "the way through the variance has the wrong sign",
            "Multiply a row by 1.01 and nothing changes behind the norm. Does your second mean take that direction "
            "out of dx, or double it?",
            GRADIENTS,
            back_with_the_wrong_sign,
        ),
        Misconception(
            "dgamma-dbeta-swapped",
            "dgamma and dbeta have changed places",
            "Which of the two is multiplied by something on the way forward, and which is only added?",
            HAND,
            back_with_gain_and_offset_swapped,
        ),
        Misconception(
            "gain-in-dgamma",
            "gamma stands in its own gradient",
            "If y is gamma times something, what is the derivative of y by gamma?",
            HAND,
            back_with_the_gain_in_dgamma,
        ),
        Misconception(
            "gain-in-both",
            "dgamma and dbeta are made of what arrives behind the gain",
            "dy belongs to y. Which derivative do gamma and beta need: that by y, or that by the normalised row?",
            HAND,
            back_with_the_gain_in_both,
        ),
        Misconception(
            "centred-row",
            "dgamma is made with a row that is centred and not scaled",
            "With what exactly was gamma multiplied on the way forward?",
            HAND,
            back_with_the_centred_row,
        ),
        Misconception(
            "unbiased-variance",
            "the variance is divided by one less than the number of features",
            "Which divisor does the variance of the forward pass have?",
            WRONG,
            back_with_the_unbiased_variance,
        ),
        Misconception(
            "eps-outside",
            "eps is not under the root",
            "Does eps in your code meet a variance or a deviation, and which of them does the equation name?",
            WRONG,
            back_with_eps_outside,
        ),
        Misconception(
            "no-eps",
            "eps is not used",
            "The forward pass divides by more than the deviation. By what does yours divide?",
            WRONG,
            back_without_eps,
        ),
    ),
)


# --- ln_rnn_step ------------------------------------------------------------------------------------------------------


def layer_weights(rng: np.random.Generator, D: int, H: int) -> list[np.ndarray]:
    """``W_x, W_h, gamma, beta`` with no symmetry that could hide a mistake."""
    return [rng.normal(size=(D, H)), rng.normal(size=(H, H)), signed(rng, H), signed(rng, H)]


def right_step(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    return reference.ln_rnn_forward(x_t[:, None], h_prev, W_x, W_h, gamma, beta, eps=eps)[1]


def step_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, D=2, H=5, x=1.0, h=1.0, eps=None, dtype=np.float64) -> Case:
        args = [2 * x * signed(rng, N, D), h * rng.uniform(-0.9, 0.9, size=(N, H)), *layer_weights(rng, D, H)]
        args = [value.astype(dtype) for value in args]
        return Case(group, words, {"args": args if eps is None else [*args, eps]})

    return [
        case("inputs", "a step from a state of 0", h=0.0),
        case("inputs", "a step from a state of 0, with more inputs than neurons", N=2, D=6, H=4, h=0.0),
        case("state", "a step with inputs that are all 0", x=0.0),
        case("whole", "a whole step on a batch of three"),
        case("whole", "a whole step on a batch of four, with large inputs", N=4, D=3, H=6, x=20.0),
        case("sizes", "a batch of one sequence", N=1, D=4),
        case("sizes", "a layer of two neurons", D=3, H=2),
        case("sizes", "an eps of 0.5", H=4, eps=0.5),
        case("sizes", "arrays of float32", dtype=np.float32),
    ]


def step_with_the_inputs_normalised(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = x_t @ W_x
    a = (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps)
    return np.tanh(gamma * a + beta + h_prev @ W_h)


def step_with_both_shares_apart(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    shares = []
    for a in (x_t @ W_x, h_prev @ W_h):
        shares.append((a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps))
    return np.tanh(gamma * (shares[0] + shares[1]) + beta)


def step_normalised_before_the_products(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    read = []
    for a in (x_t, h_prev):
        read.append((a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps))
    return np.tanh(gamma * (read[0] @ W_x + read[1] @ W_h) + beta)


def step_normalised_after_tanh(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = np.tanh(x_t @ W_x + h_prev @ W_h)
    return gamma * (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps) + beta


def step_with_gain_and_offset_first(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = gamma * (x_t @ W_x + h_prev @ W_h) + beta
    return np.tanh((a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps))


def step_over_the_batch(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = x_t @ W_x + h_prev @ W_h
    return np.tanh(gamma * (a - a.mean(axis=0)) / np.sqrt(a.var(axis=0) + eps) + beta)


def step_by_the_unbiased_variance(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = x_t @ W_x + h_prev @ W_h
    variance = a.var(axis=-1, keepdims=True, ddof=1)
    return np.tanh(gamma * (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(variance + eps) + beta)


def step_with_eps_outside(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = x_t @ W_x + h_prev @ W_h
    deviation = a.std(axis=-1, keepdims=True)
    return np.tanh(gamma * (a - a.mean(axis=-1, keepdims=True)) / (deviation + eps) + beta)


def step_without_a_norm(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    return np.tanh(gamma * (x_t @ W_x + h_prev @ W_h) + beta)


def step_without_gain(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = x_t @ W_x + h_prev @ W_h
    return np.tanh((a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps) + beta)


def step_without_offset(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = x_t @ W_x + h_prev @ W_h
    return np.tanh(gamma * (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps))


def step_without_tanh(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = x_t @ W_x + h_prev @ W_h
    return gamma * (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps) + beta


def step_with_two_norms_and_offsets(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    shares = []
    for a in (x_t @ W_x, h_prev @ W_h):
        shares.append(gamma * (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps))
    return np.tanh(shares[0] + beta + shares[1] + beta)


def step_with_the_state_normalised(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = h_prev @ W_h
    a = (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps)
    return np.tanh(gamma * a + beta + x_t @ W_x)


def step_without_the_state(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    return right_step(x_t, 0 * h_prev, W_x, W_h, gamma, beta, eps)


def step_with_weights_the_other_way(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    return right_step(x_t, h_prev, W_x, W_h.T, gamma, beta, eps)


def step_with_the_usual_eps(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    return right_step(x_t, h_prev, W_x, W_h, gamma, beta)


def step_over_everything(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = x_t @ W_x + h_prev @ W_h
    return np.tanh(gamma * (a - a.mean()) / np.sqrt(a.var() + eps) + beta)


LN_RNN_STEP = Exercise(
    name="ln_rnn_step",
    kind="function",
    signature="ln_rnn_step(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5)",
    outputs=("h_t",),
    reference=right_step,
    cases=step_cases,
    groups=(
        Group("inputs", "a step from a state of 0", 1.0),
        Group("state", "a step with inputs of 0", 0.5),
        Group("whole", "a whole step", 1.5),
        Group("sizes", "any batch, any sizes, any eps", 0.5),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "inputs-only",
            "only the inputs' share is normalised",
            "Multiply W_h by 100. What will become of your states, and what should have held them?",
            PLACE,
            step_with_the_inputs_normalised,
        ),
        Misconception(
            "apart",
            "inputs and state are normalised apart",
            "How many means does the equation take for each row: one, or one for each share?",
            PLACE,
            step_with_both_shares_apart,
        ),
        Misconception(
            "before-the-products",
            "the norm comes before the linear combination",
            "Between the brackets of the norm stands a_t. What has already happened to x_t and to the state there?",
            ROW,
            step_normalised_before_the_products,
        ),
        Misconception(
            "after-tanh",
            "the norm comes after tanh",
            "Can a state of yours be larger than 1? With all gains 0, what should the state be?",
            WRONG,
            step_normalised_after_tanh,
        ),
        Misconception(
            "gain-before-the-norm",
            "gain and offset come before the norm",
            "Add the same number to every offset. If your states stay as they are, where do the offsets stand?",
            WRONG,
            step_with_gain_and_offset_first,
        ),
        Misconception(
            "batch-statistics",
            "the sums are normalised over the batch",
            "Run one sequence of the batch alone. May its state change?",
            WRONG,
            step_over_the_batch,
        ),
        Misconception(
            "unbiased-variance",
            "the variance is divided by one less than the number of neurons",
            "Does exercise 1 pass its check? Of how many squares is your variance the mean, and by what do you divide?",
            WRONG,
            step_by_the_unbiased_variance,
        ),
        Misconception(
            "eps-outside",
            "eps is not under the root",
            "Does exercise 1 pass its check? What does eps meet in your norm: a variance, or a deviation?",
            WRONG,
            step_with_eps_outside,
        ),
        Misconception(
            "no-norm",
            "nothing is normalised",
            "Multiply W_x and W_h by 100. Your states run to the ends of tanh: which line should have stopped them?",
            ROW,
            step_without_a_norm,
        ),
        Misconception(
            "gain-forgotten",
            "gamma is not used",
            "Does a gain of 0 silence a neuron in your layer?",
            ROW,
            step_without_gain,
        ),
        Misconception(
            "offset-forgotten",
            "beta is not used",
            "The layer has no bias. What takes its place, and where is it in your step?",
            ROW,
            step_without_offset,
        ),
        Misconception(
            "no-tanh",
            "the state is not squashed",
            "What stands outside of the brackets in the equation of the step?",
            ROW,
            step_without_tanh,
        ),
        Misconception(
            "two-norms",
            "inputs and state each get a norm of their own, with gain and offset",
            "How often does beta stand in the equation, and how often is it added in your code?",
            PLACE,
            step_with_two_norms_and_offsets,
        ),
        Misconception(
            "state-only",
            "only the state's share is normalised",
            "Multiply W_x by 100. What will become of your states, and what should have held them?",
            PLACE,
            step_with_the_state_normalised,
        ),
        Misconception(
            "no-state",
            "the old state is not used",
            "Change h_prev and nothing happens. Which term of a_t is missing?",
            ROW,
            step_without_the_state,
        ),
        Misconception(
            "weights-the-other-way",
            "W_h is transposed",
            "W_h is square, so NumPy cannot warn you. Is W_h laid out (from, to), or (to, from)?",
            ROW,
            step_with_weights_the_other_way,
        ),
        Misconception(
            "usual-eps",
            "eps is not handed on to the norm",
            "If another eps changes nothing, which of your calls never hears of it?",
            WRONG,
            step_with_the_usual_eps,
        ),
        Misconception(
            "one-for-all",
            "all sequences share one mean and one variance",
            "Change the last sequence of the batch only. May the state of the first one move?",
            WRONG,
            step_over_everything,
        ),
    ),
)


# --- ln_rnn_forward ---------------------------------------------------------------------------------------------------


def right_forward(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    return reference.ln_rnn_forward(x, h0, W_x, W_h, gamma, beta, lengths=lengths, eps=eps)[:2]


def forward_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, words: str, N=3, T=5, D=2, H=6, first=1.0, lengths=None, eps=None, dtype=np.float64) -> Case:
        x, h0 = 2 * signed(rng, N, T, D), first * rng.uniform(0.3, 0.9, size=(N, H)) * rng.choice([-1, 1], (N, H))
        if lengths is not None:
            filled = np.arange(T) >= np.array(lengths)[:, None]
            x[filled] = rng.uniform(3, 5, size=x[filled].shape)
        args = [value.astype(dtype) for value in (x, h0, *layer_weights(rng, D, H))]
        if lengths is not None or eps is not None:
            args.append(None if lengths is None else np.array(lengths))
        return Case(group, words, {"args": args if eps is None else [*args, eps]})

    return [
        case("steps", "three sequences of five steps, from a state of 0", first=0.0),
        case("steps", "two sequences of nine steps, from a state of 0", N=2, T=9, D=6, H=4, first=0.0),
        case("initial", "three sequences from a state of their own"),
        case("initial", "sequences of a single step from a state of their own", N=4, T=1, D=3),
        case("lengths", "sequences of 5, 2 and 4 steps", lengths=[5, 2, 4]),
        case("lengths", "sequences of 1, 6, 0 and 3 steps", N=4, T=6, D=3, H=5, lengths=[1, 6, 0, 3]),
        case("sizes", "one sequence of seven steps", N=1, T=7, D=4),
        case("sizes", "no lengths, and an eps of 0.5", D=4, H=3, eps=0.5),
        case("sizes", "arrays of float32", T=4, H=5, lengths=[2, 4, 1], dtype=np.float32),
    ]


def layer_without_lengths(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    state, h = h0, []
    for t in range(x.shape[1]):
        a = x[:, t] @ W_x + state @ W_h
        a = (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps)
        state = np.tanh(gamma * a + beta)
        h.append(state)
    return np.stack(h, axis=1), state


def layer_whose_states_run_on(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, len(gamma)))
    for t in range(T):
        a = x[:, t] @ W_x + state @ W_h
        a = (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps)
        state = np.tanh(gamma * a + beta)
        h[:, t] = np.where((t < steps)[:, None], state, 0)
    return h, state


def layer_that_repeats_its_last_output(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, len(gamma)))
    for t in range(T):
        a = x[:, t] @ W_x + state @ W_h
        a = (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps)
        state = np.where((t < steps)[:, None], np.tanh(gamma * a + beta), state)
        h[:, t] = state
    return h, state


def layer_with_the_last_column(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, len(gamma)))
    for t in range(T):
        a = x[:, t] @ W_x + state @ W_h
        a = (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps)
        state = np.where((t < steps)[:, None], np.tanh(gamma * a + beta), state)
        h[:, t] = np.where((t < steps)[:, None], state, 0)
    return h, h[:, -1]


def layer_from_a_state_of_zero(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = np.zeros_like(h0), np.zeros((N, T, len(gamma)))
    for t in range(T):
        a = x[:, t] @ W_x + state @ W_h
        a = (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps)
        state = np.where((t < steps)[:, None], np.tanh(gamma * a + beta), state)
        h[:, t] = np.where((t < steps)[:, None], state, 0)
    return h, state


def layer_normalised_before_the_loop(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    a = x @ W_x
    a = gamma * (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps) + beta
    state, h = h0, np.zeros((N, T, len(gamma)))
    for t in range(T):
        state = np.where((t < steps)[:, None], np.tanh(a[:, t] + state @ W_h), state)
        h[:, t] = np.where((t < steps)[:, None], state, 0)
    return h, state


def layer_that_carries_what_comes_before_tanh(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    carried, last, h = h0, h0, np.zeros((N, T, len(gamma)))
    for t in range(T):
        a = x[:, t] @ W_x + carried @ W_h
        carried = gamma * (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + eps) + beta
        last = np.where((t < steps)[:, None], np.tanh(carried), last)
        h[:, t] = np.where((t < steps)[:, None], last, 0)
    return h, last


def layer_over_the_batch(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, len(gamma)))
    for t in range(T):
        a = x[:, t] @ W_x + state @ W_h
        a = (a - a.mean(axis=0)) / np.sqrt(a.var(axis=0) + eps)
        state = np.where((t < steps)[:, None], np.tanh(gamma * a + beta), state)
        h[:, t] = np.where((t < steps)[:, None], state, 0)
    return h, state


def layer_with_the_usual_eps(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, len(gamma)))
    for t in range(T):
        a = x[:, t] @ W_x + state @ W_h
        a = (a - a.mean(axis=-1, keepdims=True)) / np.sqrt(a.var(axis=-1, keepdims=True) + 1e-5)
        state = np.where((t < steps)[:, None], np.tanh(gamma * a + beta), state)
        h[:, t] = np.where((t < steps)[:, None], state, 0)
    return h, state


def layer_whose_outputs_go_on(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, len(gamma)))
    for t in range(T):
        h[:, t] = right_step(x[:, t], state, W_x, W_h, gamma, beta, eps)
        state = np.where((t < steps)[:, None], h[:, t], state)
    return h, state


def layer_one_step_into_the_padding(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    lengths = None if lengths is None else np.minimum(np.asarray(lengths) + 1, x.shape[1])
    return right_forward(x, h0, W_x, W_h, gamma, beta, lengths, eps)


def layer_that_carries_nothing(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    state, h = h0, np.zeros((N, T, len(gamma)))
    for t in range(T):
        running = (t < steps)[:, None]
        state = np.where(running, right_step(x[:, t], h0, W_x, W_h, gamma, beta, eps), state)
        h[:, t] = np.where(running, state, 0)
    return h, state


LN_RNN_FORWARD = Exercise(
    name="ln_rnn_forward",
    kind="function",
    signature="ln_rnn_forward(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5)",
    outputs=("h", "h_last"),
    reference=right_forward,
    cases=forward_cases,
    groups=(
        Group("steps", "whole sequences from a state of 0", 1.5),
        Group("initial", "a given initial state", 1.0),
        Group("lengths", "sequences that end early", 2.0),
        Group("sizes", "one sequence, another eps, float32", 1.0),
        Group("unchanged", "leaves its arguments as they are", 0.5, property="unchanged"),
    ),
    misconceptions=(
        Misconception(
            "lengths-ignored",
            "lengths changes nothing",
            "A sequence of 2 steps stands in a batch of 5. What may its other steps have to say?",
            LENGTHS,
            layer_without_lengths,
        ),
        Misconception(
            "states-run-on",
            "the states run on after a sequence's end",
            "Your outputs are 0 after the end. What happens meanwhile to the state that you return?",
            WRONG,
            layer_whose_states_run_on,
        ),
        Misconception(
            "last-output-repeated",
            "a sequence that has ended still has outputs",
            "After its end a sequence keeps its state. What is its output there, according to the exercise?",
            WRONG,
            layer_that_repeats_its_last_output,
        ),
        Misconception(
            "last-column",
            "the final state of a sequence that ended early is 0",
            "After its end the outputs are 0, and the state stays. Where do you take h_last from, and what stands "
            "there for a sequence that ended early?",
            WRONG,
            layer_with_the_last_column,
        ),
        Misconception(
            "starts-at-zero",
            "h0 is not used",
            "Which state does your first step see, and which one was passed in?",
            ROW,
            layer_from_a_state_of_zero,
        ),
        Misconception(
            "before-the-loop",
            "the norm is taken before the loop",
            "What can be computed for all steps at once: a norm of the inputs' share, or a norm of the sum?",
            PLACE,
            layer_normalised_before_the_loop,
        ),
        Misconception(
            "carries-the-sum",
            "what goes on to the next step has not passed through tanh",
            "Draw the loop of one step. Behind which box does the line leave that comes round again?",
            ROW,
            layer_that_carries_what_comes_before_tanh,
        ),
        Misconception(
            "batch-statistics",
            "the sums are normalised over the batch",
            "Run one sequence alone and in a batch. May anything change?",
            WRONG,
            layer_over_the_batch,
        ),
        Misconception(
            "usual-eps",
            "eps is not handed on to the norm",
            "If eps = 1 and eps = 0.00001 give the same, which of your calls never hears of it?",
            WRONG,
            layer_with_the_usual_eps,
        ),
        Misconception(
            "outputs-go-on",
            "the outputs go on after a sequence's end, and the state does not",
            "What should the outputs of a sequence be after its end?",
            LENGTHS,
            layer_whose_outputs_go_on,
        ),
        Misconception(
            "a-step-of-padding",
            "one step of padding is read as well",
            "A sequence of 2 steps has the steps 0 and 1. For which t does yours still go on?",
            LENGTHS,
            layer_one_step_into_the_padding,
        ),
        Misconception(
            "carries-nothing",
            "every step begins in h0",
            "Which state does the second step see, and what has the first one made?",
            ROW,
            layer_that_carries_nothing,
        ),
    ),
)


# --- LayerNormRNN -----------------------------------------------------------------------------------------------------


class ReferenceLayer(torch_reference.LayerNormRNN):
    """The reference layer with an offset in place of two biases and states ``(N, H)``, as the assignment asks for."""

    def __init__(self, input_size: int, hidden_size: int, eps: float = 1e-5) -> None:
        super().__init__(input_size, hidden_size, bias=False, batch_first=True, eps=eps)

    def shapes(self, width: int) -> dict[str, tuple[int, ...]]:
        return super().shapes(width) | {"beta": (self.hidden_size,)}

    def step(self, from_input, state, w):
        beta = w.extra["beta"]
        return super().step(from_input, state, w._replace(bias_ih=beta, bias_hh=torch.zeros_like(beta)))

    def forward(self, input, hx=None, lengths=None):
        h, h_n = super().forward(input, None if hx is None else hx[None], lengths)
        return h, h_n[0]


def module_cases(rng: np.random.Generator) -> list[Case]:
    def case(
        group: str,
        words: str,
        N=3,
        T=4,
        D=2,
        H=5,
        eps=None,
        first=False,
        upstream=(),
        dtype="float64",
        device="cpu",
    ) -> Case:
        W_x, W_h, gamma, beta = layer_weights(rng, D, H)
        weights = {"weight_ih_l0": W_x.T, "weight_hh_l0": W_h.T, "gamma_l0": gamma, "beta_l0": beta}
        shapes = {"h": (N, T, H), "h_last": (N, H)}
        call = {
            "build": [D, H] if eps is None else [D, H, eps],
            "weights": {name: np.ascontiguousarray(value) for name, value in weights.items()},
            "inputs": [2 * signed(rng, N, T, D)] + [rng.uniform(-0.9, 0.9, size=(N, H))] * first,
            "upstream": {name: rng.normal(size=shapes[name]) for name in upstream},
            "dtype": dtype,
            "device": device,
        }
        return Case(group, words, call)

    return [
        case("forward", "a batch of three sequences, no initial state given"),
        case("forward", "one sequence of one step", N=1, T=1, D=4, H=6),
        case("forward", "two sequences of six steps, an eps of 0.5", N=2, T=6, D=3, H=4, eps=0.5),
        case("initial", "a given initial state", first=True),
        case("gradients", "gradients that come from every step", upstream=("h",), first=True),
        case("gradients", "gradients that come from the final state", upstream=("h_last",), first=True),
        case("everywhere", "parameters of float32", dtype="float32"),
        case("everywhere", "a device other than the CPU (PyTorch's meta device)", device="meta"),
    ]


class NormalisedOverTheBatch(nn.Module):
    def __init__(self, input_size, hidden_size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.gamma_l0, self.beta_l0 = nn.Parameter(torch.ones(hidden_size)), nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.gamma_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + state @ self.weight_hh_l0.T
            a = (a - a.mean(0)) / torch.sqrt(a.var(0, unbiased=False) + self.eps)
            state = torch.tanh(self.gamma_l0 * a + self.beta_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class NormalisedByTheUnbiased(nn.Module):
    def __init__(self, input_size, hidden_size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.gamma_l0, self.beta_l0 = nn.Parameter(torch.ones(hidden_size)), nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.gamma_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + state @ self.weight_hh_l0.T
            a = (a - a.mean(-1, keepdim=True)) / torch.sqrt(a.var(-1, keepdim=True) + self.eps)
            state = torch.tanh(self.gamma_l0 * a + self.beta_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class NormalisedWithEpsOutside(nn.Module):
    def __init__(self, input_size, hidden_size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.gamma_l0, self.beta_l0 = nn.Parameter(torch.ones(hidden_size)), nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.gamma_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + state @ self.weight_hh_l0.T
            a = (a - a.mean(-1, keepdim=True)) / (a.std(-1, unbiased=False, keepdim=True) + self.eps)
            state = torch.tanh(self.gamma_l0 * a + self.beta_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class NormalisedAfterTanh(nn.Module):
    def __init__(self, input_size, hidden_size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.gamma_l0, self.beta_l0 = nn.Parameter(torch.ones(hidden_size)), nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.gamma_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            a = torch.tanh(x[:, t] @ self.weight_ih_l0.T + state @ self.weight_hh_l0.T)
            a = (a - a.mean(-1, keepdim=True)) / torch.sqrt(a.var(-1, unbiased=False, keepdim=True) + self.eps)
            state = self.gamma_l0 * a + self.beta_l0
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class NormalisedInputsOnly(nn.Module):
    def __init__(self, input_size, hidden_size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.gamma_l0, self.beta_l0 = nn.Parameter(torch.ones(hidden_size)), nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.gamma_l0.shape[0]) if h0 is None else h0
        a = x @ self.weight_ih_l0.T
        a = (a - a.mean(-1, keepdim=True)) / torch.sqrt(a.var(-1, unbiased=False, keepdim=True) + self.eps)
        a = self.gamma_l0 * a + self.beta_l0
        outputs = []
        for t in range(x.shape[1]):
            state = torch.tanh(a[:, t] + state @ self.weight_hh_l0.T)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class NormalisedWithConstantStatistics(nn.Module):
    def __init__(self, input_size, hidden_size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.gamma_l0, self.beta_l0 = nn.Parameter(torch.ones(hidden_size)), nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.gamma_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + state @ self.weight_hh_l0.T
            with torch.no_grad():
                mean, variance = a.mean(-1, keepdim=True), a.var(-1, unbiased=False, keepdim=True)
            state = torch.tanh(self.gamma_l0 * (a - mean) / torch.sqrt(variance + self.eps) + self.beta_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class NormalisedWithoutGain(nn.Module):
    def __init__(self, input_size, hidden_size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.gamma_l0, self.beta_l0 = nn.Parameter(torch.ones(hidden_size)), nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.gamma_l0.shape[0]) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + state @ self.weight_hh_l0.T
            a = (a - a.mean(-1, keepdim=True)) / torch.sqrt(a.var(-1, unbiased=False, keepdim=True) + self.eps)
            state = torch.tanh(a + self.beta_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class NormalisedOnTheCPUOnly(nn.Module):
    def __init__(self, input_size, hidden_size, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size) / hidden_size**0.5)
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size**0.5)
        self.gamma_l0, self.beta_l0 = nn.Parameter(torch.ones(hidden_size)), nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        state = torch.zeros(x.shape[0], self.gamma_l0.shape[0], dtype=x.dtype) if h0 is None else h0
        outputs = []
        for t in range(x.shape[1]):
            a = x[:, t] @ self.weight_ih_l0.T + state @ self.weight_hh_l0.T
            a = (a - a.mean(-1, keepdim=True)) / torch.sqrt(a.var(-1, unbiased=False, keepdim=True) + self.eps)
            state = torch.tanh(self.gamma_l0 * a + self.beta_l0)
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class NormalisedFromAStateOfZero(ReferenceLayer):
    def forward(self, input, hx=None, lengths=None):
        return super().forward(input)


class NormalisedWithTheUsualEps(ReferenceLayer):
    def __init__(self, input_size: int, hidden_size: int, eps: float = 1e-5) -> None:
        super().__init__(input_size, hidden_size)


class NormalisedOtherwise(NormalisedOverTheBatch):
    """The parts of a right step, each to be done otherwise."""

    def normalised(self, a):
        return (a - a.mean(-1, keepdim=True)) / torch.sqrt(a.var(-1, unbiased=False, keepdim=True) + self.eps)

    def total(self, x_t, state):
        return self.normalised(x_t @ self.weight_ih_l0.T + state @ self.weight_hh_l0.T)

    def scaled(self, a):
        return self.gamma_l0 * a + self.beta_l0

    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.gamma_l0.shape[0]) if h0 is None else h0
        outputs = []
        for x_t in x.unbind(1):
            state = torch.tanh(self.scaled(self.total(x_t, state)))
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


class NormalisedWithAConstantVariance(NormalisedOtherwise):
    def normalised(self, a):
        variance = a.var(-1, unbiased=False, keepdim=True).detach()
        return (a - a.mean(-1, keepdim=True)) / torch.sqrt(variance + self.eps)


class NormalisedWithAConstantMean(NormalisedOtherwise):
    def normalised(self, a):
        mean = a.mean(-1, keepdim=True).detach()
        return (a - mean) / torch.sqrt(a.var(-1, unbiased=False, keepdim=True) + self.eps)


class NormalisedNowhere(NormalisedOtherwise):
    def normalised(self, a):
        return a


class NormalisedApart(NormalisedOtherwise):
    def total(self, x_t, state):
        return self.normalised(x_t @ self.weight_ih_l0.T) + self.normalised(state @ self.weight_hh_l0.T)


class NormalisedWithWeightsTheOtherWay(NormalisedOtherwise):
    def total(self, x_t, state):
        return self.normalised(x_t @ self.weight_ih_l0.T + state @ self.weight_hh_l0)


class NormalisedThatDetaches(NormalisedOtherwise):
    def total(self, x_t, state):
        return super().total(x_t, state.detach())


class NormalisedWithoutOffset(NormalisedOtherwise):
    def scaled(self, a):
        return self.gamma_l0 * a


class NormalisedWithoutTanh(NormalisedOtherwise):
    def forward(self, x, h0=None):
        state = x.new_zeros(x.shape[0], self.gamma_l0.shape[0]) if h0 is None else h0
        outputs = []
        for x_t in x.unbind(1):
            state = self.scaled(self.total(x_t, state))
            outputs.append(state)
        return torch.stack(outputs, dim=1), state


LAYER_NORM_RNN = Exercise(
    name="LayerNormRNN",
    kind="module",
    signature="LayerNormRNN(input_size, hidden_size, eps=1e-5)",
    outputs=("h", "h_last"),
    reference=ReferenceLayer,
    cases=module_cases,
    groups=(
        Group("forward", "the outputs, from a state of 0", 1.5),
        Group("initial", "a given initial state", 0.5),
        Group("gradients", "autograd reaches every parameter and every step", 2.0),
        Group("everywhere", "any dtype and any device", 1.0),
    ),
    forbidden=(
        "torch.nn.LayerNorm",
        "torch.nn.functional.layer_norm",
        "torch.layer_norm",
        "torch.native_layer_norm",
        "torch.nn.RMSNorm",
        "torch.nn.functional.rms_norm",
        "torch.rms_norm",
        "torch.nn.GroupNorm",
        "torch.nn.functional.group_norm",
        "torch.group_norm",
        "torch.native_group_norm",
        "torch.nn.functional.instance_norm",
        "torch.instance_norm",
        "torch.nn.functional.batch_norm",
        "torch.batch_norm",
        "torch.native_batch_norm",
        "torch._VF",
        "norm_by_torch",
    ),
    misconceptions=(
        Misconception(
            "batch-statistics",
            "the sums are normalised over the batch",
            "Which dimension of a_t counts the sequences, and which the features? Over which do your mean and variance "
            "run?",
            WRONG,
            NormalisedOverTheBatch,
        ),
        Misconception(
            "unbiased-variance",
            "the variance is divided by one less than the number of features",
            "Compare torch.var of (1, 3) with NumPy's. By what does PyTorch divide unless it is told otherwise?",
            WRONG,
            NormalisedByTheUnbiased,
        ),
        Misconception(
            "eps-outside",
            "eps is not under the root",
            "Does eps in your code meet a variance or a deviation, and which of them does the equation name?",
            WRONG,
            NormalisedWithEpsOutside,
        ),
        Misconception(
            "after-tanh",
            "the norm comes after tanh",
            "Can an output of yours be larger than 1? What should the last operation of a step be?",
            WRONG,
            NormalisedAfterTanh,
        ),
        Misconception(
            "before-the-loop",
            "only the inputs' share is normalised",
            "Your norm stands before the loop. Which half of the sum does it never see?",
            PLACE,
            NormalisedInputsOnly,
        ),
        Misconception(
            "constant-statistics",
            "no gradient flows through mean and variance",
            "The outputs are right. In which lines of yours is autograd not allowed to watch, and what did the "
            "backward pass of exercise 3 need from them?",
            WRONG,
            NormalisedWithConstantStatistics,
        ),
        Misconception(
            "gain-forgotten",
            "gamma_l0 is not used",
            "One of your four parameters never appears in forward. Which one?",
            ROW,
            NormalisedWithoutGain,
        ),
        Misconception(
            "cpu-only",
            "it runs on the CPU only",
            "On which device does torch.zeros put its result when it is not told? Where does x live?",
            TORCH,
            NormalisedOnTheCPUOnly,
        ),
        Misconception(
            "starts-at-zero",
            "h0 is not used",
            "Which state does your first step see, and which one was passed in?",
            ROW,
            NormalisedFromAStateOfZero,
        ),
        Misconception(
            "usual-eps",
            "eps is not used",
            "If another eps changes nothing, where does forward find the one that was passed in?",
            WRONG,
            NormalisedWithTheUsualEps,
        ),
        Misconception(
            "constant-variance",
            "no gradient flows through the variance",
            "The outputs are right. Which of the three ways of exercise 3 is closed to autograd in yours?",
            WRONG,
            NormalisedWithAConstantVariance,
        ),
        Misconception(
            "constant-mean",
            "no gradient flows through the mean",
            "The outputs are right. Which of the three ways of exercise 3 can autograd not go in yours?",
            WRONG,
            NormalisedWithAConstantMean,
        ),
        Misconception(
            "no-norm",
            "nothing is normalised",
            "Your outputs are those of a plain layer with a gain. Which line should have held the sums?",
            PLACE,
            NormalisedNowhere,
        ),
        Misconception(
            "apart",
            "inputs and state are normalised apart",
            "How many means does the equation take for each row: one, or one for each share?",
            PLACE,
            NormalisedApart,
        ),
        Misconception(
            "weights-the-other-way",
            "weight_hh_l0 is used without its transpose",
            "PyTorch stores a weight as (to, from). W_hh is square, so who would warn you?",
            TORCH,
            NormalisedWithWeightsTheOtherWay,
        ),
        Misconception(
            "cut",
            "no gradient passes from one step to the one before",
            "The outputs are right. Which call in your loop takes a tensor out of autograd's graph?",
            TORCH,
            NormalisedThatDetaches,
        ),
        Misconception(
            "offset-forgotten",
            "beta_l0 is not used",
            "With all gains 0, on which parameter should the outputs still depend?",
            ROW,
            NormalisedWithoutOffset,
        ),
        Misconception(
            "no-tanh",
            "the state is not squashed",
            "Can an output of yours be larger than 1? What stands outside of the brackets in the equation of the step?",
            ROW,
            NormalisedWithoutTanh,
        ),
    ),
)


# --- forecast_ten -----------------------------------------------------------------------------------------------------

STEPS, AHEAD = 50, 10


def series(rng: np.random.Generator, N: int) -> tuple[np.ndarray, np.ndarray]:
    """``x (N, 50, 1)`` and, after each step, the ten values that follow, ``y (N, 50, 10)``.

    Two waves of random frequencies and phases, and noise. Source: Géron (2019), *Hands-On Machine Learning*, 2nd ed.,
    ch. 15.
    """
    f1, f2, o1, o2 = rng.random((4, N, 1))
    t = np.linspace(0, 1, STEPS + AHEAD)
    w = 0.5 * np.sin((t - o1) * (10 * f1 + 10)) + 0.2 * np.sin((t - o2) * (20 * f2 + 20))
    w += 0.1 * (rng.random((N, STEPS + AHEAD)) - 0.5)
    ahead = [w[:, k : STEPS + k] for k in range(1, AHEAD + 1)]
    return w[:, :STEPS, None], np.stack(ahead, axis=2)


@functools.cache
def linear_weights() -> np.ndarray:
    """Least squares on all fifty values, from 4,000 series."""
    x, y = series(np.random.default_rng(0), 4000)
    return np.linalg.lstsq(np.column_stack([x[:, :, 0], np.ones(len(x))]), y[:, -1], rcond=None)[0]


def right_forecast(x):
    return np.column_stack([x[:, :, 0], np.ones(len(x))]) @ linear_weights()


def forecast_cases(rng: np.random.Generator) -> list[Case]:
    """600 series of the hidden seed.

    Root mean squared errors over the ten values: *as now* 0.51, the mean 0.41, always 0 0.38; least squares on the last
    five values 0.23, on ten 0.20, on all fifty 0.12. One normalised layer of 32 neurons, 600 or 800 updates at rates of
    0.01 to 0.03: 0.11 to 0.16 (24 runs). After 400 updates it has 0.14 to 0.18 and the plain layer 0.18. The noise
    alone is 0.029, and who knows how the series are made and fits all their unknowns may come close to it.
    """
    x, y = series(rng, 600)
    measure = Measure("rmse", full=0.165, none=0.235, floor=0.02)
    return [Case("series", "600 series that nobody has seen", {"args": [x]}, measure, y[:, -1])]


def forecast_as_the_last_value(x):
    return np.repeat(x[:, -1], 10, axis=1)


def forecast_along_a_line(x):
    last, before = x[:, -1], x[:, -2]
    return last + (last - before) * np.arange(1, 11)


def forecast_of_the_mean(x):
    return np.repeat(x.mean(axis=1), 10, axis=1)


def forecast_of_what_was(x):
    return x[:, -10:, 0]


def forecast_of_one_value(x):
    return x[:, -1, 0]


def forecast_at_every_step(x):
    return np.repeat(x, 10, axis=2)


FORECAST_TEN = Exercise(
    name="forecast_ten",
    kind="function",
    signature="forecast_ten(x)",
    outputs=("forecasts",),
    reference=right_forecast,
    cases=forecast_cases,
    groups=(Group("series", "the next ten values of series that no training has seen", 4.0),),
    unchanged=False,
    misconceptions=(
        Misconception(
            "as-now",
            "each of the ten forecasts is the last value",
            "This is the naive forecast that your network has to beat. Where do the trained weights come in?",
            LEARN,
            forecast_as_the_last_value,
        ),
        Misconception(
            "along-a-line",
            "the forecasts lie on a straight line through the last two values",
            "Waves turn round within ten steps. What has your network learned about where?",
            LEARN,
            forecast_along_a_line,
        ),
        Misconception(
            "the-mean",
            "each of the ten forecasts is the mean of the series",
            "Turn a series round in time. Should its forecasts stay the same?",
            LEARN,
            forecast_of_the_mean,
        ),
        Misconception(
            "what-was",
            "the forecasts are the last ten values that were",
            "Do you hand back a part of x? Which ten values have not come yet?",
            LEARN,
            forecast_of_what_was,
        ),
        Misconception(
            "one-value",
            "there is one number for each series",
            "How many values after the last step are asked for, and how many outputs must the readout have?",
            LEARN,
            forecast_of_one_value,
        ),
        Misconception(
            "every-step",
            "there are forecasts for every step",
            "In training every step forecasts. After which of the fifty is your forecast asked for here?",
            LEARN,
            forecast_at_every_step,
        ),
    ),
)

ASSIGNMENT = Assignment(
    name="layer_norm",
    exercises=(
        LAYER_NORM_FORWARD,
        BATCH_NORM_STEP,
        LAYER_NORM_BACKWARD,
        LN_RNN_STEP,
        LN_RNN_FORWARD,
        LAYER_NORM_RNN,
        FORECAST_TEN,
    ),
    data={},
)
