"""Right answers to the exercises on layer normalisation, in the many forms in which people write them."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import nn

from tests.grading.answers import answers

# --- layer_norm_forward -----------------------------------------------------------------------------------------------


def rows_in_a_loop(x, gamma, beta, eps=1e-5):
    y = np.empty_like(x)
    for at in np.ndindex(x.shape[:-1]):
        row = x[at].tolist()
        mean = sum(row) / len(row)
        deviation = math.sqrt(sum((number - mean) ** 2 for number in row) / len(row) + eps)
        y[at] = [g * (number - mean) / deviation + b for number, g, b in zip(row, gamma, beta)]
    return y


def with_var_and_power(x, gamma, beta, eps=1e-5):
    return (x - x.mean(-1)[..., None]) * (x.var(-1)[..., None] + eps) ** -0.5 * gamma + beta


def rows_as_columns(x, gamma, beta, eps=1e-5):
    columns = x.T
    columns = (columns - columns.mean(0)) / np.sqrt(columns.var(0) + eps)
    return np.multiply(columns.T, gamma) + beta


def by_mean_of_squares(x, gamma, beta, eps=1e-5):
    x = np.asarray(x, np.float64)
    mean = np.average(x, axis=-1, keepdims=True)
    variance = np.average(x * x, axis=-1, keepdims=True) - mean**2
    return gamma * ((x - mean) / np.sqrt(np.maximum(variance, 0) + eps)) + beta


def with_a_centring_matrix(x, gamma, beta, eps=1e-5):
    D = len(gamma)
    centred = x @ (np.eye(D) - 1 / D)
    return gamma * centred / np.sqrt(np.einsum("...i,...i->...", centred, centred)[..., None] / D + eps) + beta


def through_torch(x, gamma, beta, eps=1e-5):
    return nn.functional.layer_norm(torch.tensor(x), x.shape[-1:], torch.tensor(gamma), torch.tensor(beta), eps)


# --- batch_norm_step --------------------------------------------------------------------------------------------------


def feature_by_feature(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    N, H = a_t.shape
    y, new_mean, new_var = np.zeros((N, H)), np.array(running_mean), np.array(running_var)
    for j in range(H):
        mean, variance = running_mean[j], running_var[j]
        if training:
            mean = sum(a_t[:, j]) / N
            squares = sum((a_t[:, j] - mean) ** 2)
            variance = squares / N
            new_mean[j] += momentum * (mean - running_mean[j])
            new_var[j] += momentum * (squares / (N - 1) - running_var[j])
        for n in range(N):
            y[n, j] = gamma[j] * (a_t[n, j] - mean) / math.sqrt(variance + eps) + beta[j]
    return y, new_mean, new_var


def by_torchs_batch_norm(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    a_t, gamma, beta, mean, var = (torch.tensor(v) for v in (a_t, gamma, beta, running_mean, running_var))
    return nn.functional.batch_norm(a_t, mean, var, gamma, beta, bool(training), momentum, eps), mean, var


def with_ddof(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    used = (a_t.mean(0), a_t.var(0)) if training else (running_mean, running_var)
    kept = (a_t.mean(0), np.var(a_t, 0, ddof=1)) if training else (running_mean, running_var)
    y = (a_t - used[0]) / np.sqrt(used[1] + eps) * gamma + beta
    return [y] + [old + (new - old) * momentum for old, new in zip((running_mean, running_var), kept)]


def with_weighted_averages(a_t, gamma, beta, running_mean, running_var, training, momentum=0.1, eps=1e-5):
    m, N = (momentum if training else 0), max(len(a_t), 2)
    mean, spread = a_t.sum(0) / len(a_t), np.square(a_t - a_t.mean(0)).sum(0)
    new_mean = np.average([running_mean, mean], axis=0, weights=[1 - m, m])
    new_var = np.average([running_var, spread / (N - 1)], axis=0, weights=[1 - m, m])
    mean, variance = np.where(training, mean, running_mean), np.where(training, spread / len(a_t), running_var)
    return gamma * (a_t - mean) / np.sqrt(variance + eps) + beta, new_mean, new_var


# --- layer_norm_backward ----------------------------------------------------------------------------------------------


def back_by_autograd(dy, x, gamma, beta, eps=1e-5):
    leaves = [torch.tensor(value, requires_grad=True) for value in (x, gamma, beta)]
    y = nn.functional.layer_norm(leaves[0], leaves[1].shape, *leaves[1:], eps)
    y.backward(torch.tensor(dy))
    return tuple(leaf.grad for leaf in leaves)


def back_by_the_jacobian(dy, x, gamma, beta, eps=1e-5):
    """The whole matrix of each row: (δ_ij − 1/D − x̂_i x̂_j / D) / deviation."""
    D = len(gamma)
    dx, dgamma, dbeta = np.zeros(x.shape), np.zeros(D), np.zeros(D)
    for at in np.ndindex(x.shape[:-1]):
        deviation = np.sqrt(x[at].var() + eps)
        x_hat = (x[at] - x[at].mean()) / deviation
        dx[at] = (np.eye(D) - 1 / D - np.outer(x_hat, x_hat) / D) @ (gamma * dy[at]) / deviation
        dgamma += dy[at] * x_hat
        dbeta += dy[at]
    return dx, dgamma, dbeta


def back_in_three_ways(dy, x, gamma, beta, eps=1e-5):
    """Through the number itself, through the variance and through the mean, one after the other."""
    D = x.shape[-1]
    mean = x.mean(-1, keepdims=True)
    variance = x.var(-1, keepdims=True) + eps
    dx_hat = dy * gamma
    dvariance = -0.5 * (dx_hat * (x - mean)).sum(-1, keepdims=True) * variance**-1.5
    dmean = -dx_hat.sum(-1, keepdims=True) / np.sqrt(variance) - 2 * dvariance * (x - mean).mean(-1, keepdims=True)
    dx = dx_hat / np.sqrt(variance) + dvariance * 2 * (x - mean) / D + dmean / D
    flat = lambda a: a.reshape(-1, D)
    return dx, flat(dy * (x - mean) / np.sqrt(variance)).sum(0), flat(dy).sum(0)


def back_as_one_fraction(dy, x, gamma, beta, eps=1e-5):
    """All over D, as many libraries have it."""
    D, rows, up = x.shape[-1], x.reshape(-1, x.shape[-1]), dy.reshape(-1, x.shape[-1])
    deviation = np.sqrt(rows.var(1) + eps)[:, None]
    x_hat, g = (rows - rows.mean(1)[:, None]) / deviation, up * gamma
    dx = (D * g - g.sum(1)[:, None] - x_hat * (g * x_hat).sum(1)[:, None]) / (D * deviation)
    return dx.reshape(x.shape), np.einsum("nd,nd->d", up, x_hat), np.ones(len(up)) @ up


# --- ln_rnn_step ------------------------------------------------------------------------------------------------------


def stacked_in_one_product(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    a = np.hstack([x_t, h_prev]) @ np.vstack([W_x, W_h])
    a -= a.mean(1)[:, None]
    a /= np.sqrt((a * a).mean(1)[:, None] + eps)
    return np.tanh(a * gamma + beta)


def sequence_by_sequence(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    new = []
    for x, h in zip(x_t, h_prev):
        a = W_x.T @ x + W_h.T @ h
        new.append([math.tanh(v) for v in gamma * (a - a.mean()) / math.sqrt(a.var() + eps) + beta])
    return new


def with_centred_weights(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    """The mean of a row is taken out of the weights before the products."""
    a = x_t @ (W_x - W_x.mean(1, keepdims=True)) + h_prev @ (W_h - W_h.mean(1, keepdims=True))
    exponential = np.exp(2 * (gamma * a / np.sqrt(np.square(a).mean(1, keepdims=True) + eps) + beta))
    return 1 - 2 / (exponential + 1)


def step_through_torch(x_t, h_prev, W_x, W_h, gamma, beta, eps=1e-5):
    x_t, h_prev, W_x, W_h, gamma, beta = (torch.tensor(value) for value in (x_t, h_prev, W_x, W_h, gamma, beta))
    return nn.functional.layer_norm(x_t @ W_x + h_prev @ W_h, gamma.shape, gamma, beta, eps).tanh()


# --- ln_rnn_forward ---------------------------------------------------------------------------------------------------


def each_sequence_alone(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    h, last = np.zeros((N, T, len(gamma))), np.array(h0, dtype=float)
    for n in range(N):
        for t in range(T if lengths is None else int(lengths[n])):
            a = x[n, t] @ W_x + last[n] @ W_h
            last[n] = h[n, t] = np.tanh(gamma * (a - a.mean()) / np.sqrt(a.var() + eps) + beta)
    return h, last


def with_a_mask_at_the_end(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    states = [h0]
    for x_t in x.transpose(1, 0, 2):
        states.append(stacked_in_one_product(x_t, states[-1], W_x, W_h, gamma, beta, eps))
    states = np.stack(states, axis=1)
    real = np.arange(T) < lengths[:, None]
    return states[:, 1:] * real[..., None], states[np.arange(N), lengths]


def by_recursion(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    left = np.full(N, T) if lengths is None else lengths
    if T == 0:
        return np.zeros((N, 0, len(gamma))), h0
    goes_on = (left > 0)[:, None] * 1.0
    new = with_var_and_power(x[:, 0] @ W_x + h0 @ W_h, gamma, beta, eps)
    state = goes_on * np.tanh(new) + (1 - goes_on) * h0
    later, last = by_recursion(x[:, 1:], state, W_x, W_h, gamma, beta, left - 1, eps)
    return np.concatenate([(goes_on * state)[:, None], later], axis=1), last


def only_the_running_rows(x, h0, W_x, W_h, gamma, beta, lengths=None, eps=1e-5):
    N, T, _ = x.shape
    from_inputs, state, h = np.tensordot(x, W_x, axes=1), h0.copy(), np.zeros((N, T, len(gamma)))
    for t in range(T):
        alive = np.arange(N) if lengths is None else np.flatnonzero(np.asarray(lengths) > t)
        state[alive] = np.tanh(with_var_and_power(from_inputs[alive, t] + state[alive] @ W_h, gamma, beta, eps))
        h[alive, t] = state[alive]
    return h, state


# --- LayerNormRNN -----------------------------------------------------------------------------------------------------


class WithVarOfPyTorch(nn.Module):
    """Functional linear maps and torch.var_mean, with the divisor that is asked for."""

    def __init__(self, input_size, hidden_size, eps=1e-5):
        super().__init__()
        self.hidden_size, self.eps = hidden_size, eps
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size))
        self.gamma_l0, self.beta_l0 = nn.Parameter(torch.ones(hidden_size)), nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        if h0 is None:
            h0 = torch.zeros(x.size(0), self.hidden_size, device=x.device, dtype=x.dtype)
        h, out = h0, []
        for x_t in x.unbind(1):
            a = nn.functional.linear(x_t, self.weight_ih_l0) + nn.functional.linear(h, self.weight_hh_l0)
            variance, mean = torch.var_mean(a, dim=1, unbiased=False, keepdim=True)
            h = ((a - mean) * torch.rsqrt(variance + self.eps) * self.gamma_l0 + self.beta_l0).tanh()
            out.append(h.unsqueeze(1))
        return torch.cat(out, 1), h


class Norm(nn.Module):
    """A norm without parameters of its own, which a layer may hold as a part."""

    def __init__(self, eps):
        super().__init__()
        self.eps = eps

    def forward(self, a, gamma, beta):
        centred = a - a.mean(-1)[..., None]
        length = torch.linalg.vector_norm(centred, dim=-1, keepdim=True)
        return gamma * centred / (length**2 / a.shape[-1] + self.eps) ** 0.5 + beta


class WithANormInside(nn.Module):
    """A module for the norm, a list that is written step by step, and a tuple that is a list."""

    def __init__(self, D, H, eps=1e-5):
        super().__init__()
        for name, shape in {"weight_ih": (H, D), "weight_hh": (H, H), "gamma": (H,), "beta": (H,)}.items():
            self.register_parameter(f"{name}_l0", nn.Parameter(torch.rand(shape) - 0.5))
        self.norm = Norm(eps)

    def forward(self, x, h0=None):
        states = [x[:, 0, :1] * 0 + torch.zeros_like(self.beta_l0) if h0 is None else h0]
        for t in range(x.shape[1]):
            a = torch.einsum("nd,hd->nh", x[:, t], self.weight_ih_l0) + states[-1].mm(self.weight_hh_l0.t())
            states.append(torch.tanh(self.norm(a, self.gamma_l0, self.beta_l0)))
        return [torch.stack(states[1:], dim=1), states[-1]]


class StepsFirst(nn.Module):
    """Steps in front, weights side by side in one product, an exponential for tanh."""

    def __init__(self, input_size, hidden_size, eps=1e-5):
        super().__init__()
        self.eps = eps
        both = torch.empty(hidden_size, input_size + hidden_size).normal_()
        self.weight_ih_l0 = nn.Parameter(both[:, :input_size].clone())
        self.weight_hh_l0 = nn.Parameter(both[:, input_size:].clone())
        self.gamma_l0 = nn.Parameter(torch.ones_like(both[:, 0]))
        self.beta_l0 = nn.Parameter(torch.zeros_like(both[:, 0]))

    def forward(self, x, h0=None):
        weights = torch.cat([self.weight_ih_l0, self.weight_hh_l0], dim=1).T
        h = self.gamma_l0.new_zeros(len(x), len(self.gamma_l0)) if h0 is None else h0
        out = x.new_empty(x.shape[1], *h.shape)
        for t, x_t in enumerate(x.transpose(0, 1)):
            a = torch.cat([x_t, h], dim=1) @ weights
            a = a.sub(a.mean(1, True)).div((a.std(1, unbiased=False, keepdim=True).square() + self.eps).sqrt())
            h = 1 - 2 / (torch.exp(2 * torch.addcmul(self.beta_l0, self.gamma_l0, a)) + 1)
            out[t] = h
        return out.transpose(0, 1), h


# --- forecast_ten -----------------------------------------------------------------------------------------------------


def as_the_notebook_trains_it(x):
    return answers("layer_norm")["forecast_ten"](x)


@functools.cache
def plain_network():
    own = answers("layer_norm")
    return own["train"](own["RNNLayer"], 700, lr=0.02, seed=4)[0]


def with_the_plain_layer(x):
    return plain_network()(x)


@functools.cache
def thirty_weights():
    x, y = answers("layer_norm")["series"](np.random.default_rng(5), 3000)
    return np.linalg.lstsq(np.column_stack([x[:, -30:, 0], np.ones(3000)]), y[:, -1], rcond=None)[0]


def with_least_squares_on_thirty(x):
    return [[float(one[-30:, 0] @ w[:-1] + w[-1]) for w in thirty_weights().T] for one in x]


HONEST = {
    "layer_norm_forward": [
        rows_in_a_loop,
        with_var_and_power,
        rows_as_columns,
        by_mean_of_squares,
        with_a_centring_matrix,
        through_torch,
    ],
    "batch_norm_step": [feature_by_feature, by_torchs_batch_norm, with_ddof, with_weighted_averages],
    "layer_norm_backward": [back_by_autograd, back_by_the_jacobian, back_in_three_ways, back_as_one_fraction],
    "ln_rnn_step": [stacked_in_one_product, sequence_by_sequence, with_centred_weights, step_through_torch],
    "ln_rnn_forward": [each_sequence_alone, with_a_mask_at_the_end, by_recursion, only_the_running_rows],
    "LayerNormRNN": [WithVarOfPyTorch, WithANormInside, StepsFirst],
    "forecast_ten": [as_the_notebook_trains_it, with_the_plain_layer, with_least_squares_on_thirty],
}
