"""Faults of one token in layer and batch normalisation."""

from __future__ import annotations

from tests.reference.planting import Fault

FAULTS = [
    Fault(
        "layer_norm",
        "x_hat, scale = standardise(rows.reshape(shape), eps)\n    return x_hat * gamma + beta",
        "x_hat, scale = standardise(rows.reshape(shape), eps)\n    return x_hat * gamma - beta",
        "the offset has the wrong sign",
    ),
    Fault(
        "layer_norm",
        "standardise(rows.reshape(shape), eps)",
        "standardise(rows.reshape(shape), eps * eps)",
        "layer norm has another epsilon",
    ),
    Fault(
        "layer_norm",
        "standardise_backward(dy * gamma, x_hat, scale), dgamma, dbeta)",
        "standardise_backward(dy, x_hat, scale), dgamma, dbeta)",
        "the gradient does not go through the gain",
    ),
    Fault(
        "layer_norm",
        "standardise_backward(dy * gamma, x_hat, scale), dgamma, dbeta)",
        "dy * gamma * scale, dgamma, dbeta)",
        "layer norm takes mean and variance for constants",
    ),
    Fault(
        "layer_norm",
        "return (dy * x_hat).sum(axis=rows), dy.sum(axis=rows)",
        "return dy.sum(axis=rows), (dy * x_hat).sum(axis=rows)",
        "the gradients of gain and offset are swapped",
    ),
    Fault("layer_norm", "rows = tuple(range(dy.ndim - 1))", "rows = 0", "gain and offset forget the sum over time"),
    Fault("layer_norm", "standardise(rows.T, eps)", "standardise(rows, eps)", "batch norm works over the features"),
    Fault(
        "layer_norm",
        "(1 - momentum) * running_mean + momentum * rows",
        "momentum * running_mean + (1 - momentum) * rows",
        "momentum read the other way round",
    ),
    Fault("layer_norm", "count / (count - 1)", "1", "the remembered variance is the biased one"),
    Fault(
        "layer_norm", "if not training:\n        scale", "if training:\n        scale", "training and testing swapped"
    ),
    Fault(
        "layer_norm",
        "(rows - running_mean) * scale",
        "(rows - rows.mean(axis=0)) * scale",
        "testing takes the batch's mean",
    ),
    Fault(
        "layer_norm",
        "if not training:\n        return BatchNormGradients",
        "if training:\n        return BatchNormGradients",
        "training takes the batch's statistics for constants",
    ),
]
