"""Right answers to the exercises on recurrent neurons, in the many forms in which people write them."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn


def with_python_numbers(x_t, y_prev, w_x, w_y, b):
    return math.tanh(sum(float(x) * float(w) for x, w in zip(x_t, w_x)) + float(w_y) * float(y_prev) + float(b))


def as_an_array_of_one(x_t, y_prev, w_x, w_y, b):
    return np.tanh(np.dot(w_x, x_t) + w_y * y_prev + b).reshape(())


def with_exponentials(x_t, y_prev, w_x, w_y, b):
    a = np.sum(x_t * w_x) + w_y * y_prev + b
    return (np.exp(a) - np.exp(-a)) / (np.exp(a) + np.exp(-a))


def in_single_precision(x_t, y_prev, w_x, w_y, b):
    return np.tanh(np.float32(x_t) @ np.float32(w_x) + np.float32(w_y) * np.float32(y_prev) + np.float32(b))


def with_positional_names_of_its_own(inputs, before, weights, feedback, bias):
    return np.tanh(bias + feedback * before + np.inner(inputs, weights))


def rows_one_by_one(x_t, h_prev, W_x, W_h, b):
    return np.array([np.tanh(x @ W_x + h @ W_h + b) for x, h in zip(x_t, h_prev)])


def neurons_one_by_one(x_t, h_prev, W_x, W_h, b):
    columns = [np.tanh(x_t @ W_x[:, j] + h_prev @ W_h[:, j] + b[j]) for j in range(len(b))]
    return np.stack(columns, axis=1)


def stacked_in_one_product(x_t, h_prev, W_x, W_h, b):
    return np.tanh(np.hstack([x_t, h_prev]) @ np.vstack([W_x, W_h]) + b)


def with_einsum(x_t, h_prev, W_x, W_h, b):
    return np.tanh(np.einsum("nd,dh->nh", x_t, W_x) + np.einsum("ni,ij->nj", h_prev, W_h) + b[None])


def as_nested_lists(x_t, h_prev, W_x, W_h, b):
    return np.tanh(x_t @ W_x + h_prev @ W_h + b).tolist()


def column_major(x_t, h_prev, W_x, W_h, b):
    return np.asfortranarray(np.tanh(x_t @ W_x + h_prev @ W_h + b))


def through_torch(x_t, h_prev, W_x, W_h, b):
    x_t, h_prev, W_x, W_h, b = map(torch.as_tensor, (x_t, h_prev, W_x, W_h, b))
    return torch.tanh(x_t @ W_x + h_prev @ W_h + b)


def step_in_single_precision(x_t, h_prev, W_x, W_h, b):
    x_t, h_prev, W_x, W_h, b = (a.astype(np.float32) for a in (x_t, h_prev, W_x, W_h, b))
    return np.tanh(x_t @ W_x + h_prev @ W_h + b)


def each_sequence_alone(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    h, last = np.zeros((N, T, len(b))), np.array(h0, dtype=float)
    for n in range(N):
        for t in range(T if lengths is None else int(lengths[n])):
            last[n] = h[n, t] = np.tanh(x[n, t] @ W_x + last[n] @ W_h + b)
    return h, last


def with_a_mask_at_the_end(x, h0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    lengths = [T] * N if lengths is None else list(lengths)
    states, h = [h0], h0
    for t in range(T):
        h = np.tanh(x[:, t] @ W_x + h @ W_h + b)
        states.append(h)
    states = np.stack(states, axis=1)
    last = states[np.arange(N), lengths]
    mask = np.arange(T)[None, :, None] < np.array(lengths)[:, None, None]
    return np.where(mask, states[:, 1:], 0), last


def multiplying_by_the_mask(x, h0, W_x, W_h, b, lengths=None):
    N, T = x.shape[:2]
    running = np.ones((N, T, 1)) if lengths is None else (np.arange(T) < np.array(lengths)[:, None])[..., None] * 1.0
    h, out = h0, []
    for t in range(T):
        new = np.tanh(x[:, t] @ W_x + h @ W_h + b)
        h = running[:, t] * new + (1 - running[:, t]) * h
        out.append(running[:, t] * new)
    return [np.stack(out, 1) if out else np.zeros((N, 0, len(b))), h]


def hoisted(x, h0, W_x, W_h, b, lengths=None):
    from_inputs = np.tensordot(x, W_x, axes=1) + b
    h, state = np.zeros_like(from_inputs), h0.copy()
    for t in range(x.shape[1]):
        alive = np.ones(len(x), bool) if lengths is None else t < np.asarray(lengths)
        state[alive] = np.tanh(from_inputs[alive, t] + state[alive] @ W_h)
        h[alive, t] = state[alive]
    return h, state


def counting_arrays(D, H):
    return np.zeros((D, H)).size + np.zeros((H, H)).size + np.zeros(H).size


def factored(D, H):
    return H * (D + H + 1)


def as_a_numpy_integer(D, H):
    return np.int64(H) * np.int64(D + H + 1)


def as_a_whole_float(D, H):
    return float(H * (D + H + 1))


def readout_as_a_column(h, W_y, b_y):
    return (h @ W_y.reshape(-1, 1) + b_y)[..., 0]


def readout_with_einsum(h, W_y, b_y):
    return np.einsum("nth,h->nt", h, W_y) + b_y


def readout_in_loops(h, W_y, b_y):
    N, T, _ = h.shape
    return np.array([[sum(h[n, t] * W_y) + b_y for t in range(T)] for n in range(N)])


class WithLinear(nn.Module):
    """Functional linear maps, zeros from the parameters' device, an own attribute or two."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.randn(hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))

    def forward(self, x, h0=None):
        linear = nn.functional.linear
        if h0 is None:
            h0 = torch.zeros(x.size(0), self.hidden_size, device=x.device, dtype=x.dtype)
        h, out = h0, []
        for x_t in x.unbind(1):
            a = linear(x_t, self.weight_ih_l0, self.bias_ih_l0) + linear(h, self.weight_hh_l0, self.bias_hh_l0)
            h = a.tanh()
            out.append(h.unsqueeze(1))
        return torch.cat(out, 1), h


class WithABuffer(nn.Module):
    """Hoists the inputs and writes every step into its place."""

    def __init__(self, D, H):
        super().__init__()
        for name, shape in {"weight_ih": (H, D), "weight_hh": (H, H), "bias_ih": (H,), "bias_hh": (H,)}.items():
            self.register_parameter(f"{name}_l0", nn.Parameter(torch.rand(shape) - 0.5))

    def forward(self, x, h0=None):
        a = torch.einsum("ntd,hd->nth", x, self.weight_ih_l0) + self.bias_ih_l0 + self.bias_hh_l0
        state = a.new_zeros(a.shape[0], a.shape[2]) if h0 is None else h0
        h = torch.empty_like(a)
        for t in range(a.shape[1]):
            state = torch.tanh(a[:, t] + torch.mm(state, self.weight_hh_l0.t()))
            h[:, t] = state
        return h, h[:, -1]


class WithAHelper(nn.Module):
    """A step of its own, and a tuple that is a list."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        make = lambda *shape: nn.Parameter(torch.empty(*shape).normal_())
        self.weight_ih_l0, self.weight_hh_l0 = make(hidden_size, input_size), make(hidden_size, hidden_size)
        self.bias_ih_l0, self.bias_hh_l0 = make(hidden_size), make(hidden_size)

    def step(self, x_t, h):
        e = torch.exp(2 * (x_t @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0))
        return 1 - 2 / (e + 1)

    def forward(self, x, h0=None):
        h = [x[:, 0, :1] * 0 + torch.zeros_like(self.bias_ih_l0) if h0 is None else h0]
        for t in range(x.shape[1]):
            h.append(self.step(x[:, t], h[-1]))
        return [torch.stack(h[1:], 1), h[-1]]


HONEST = {
    "neuron_step": [
        with_python_numbers,
        as_an_array_of_one,
        with_exponentials,
        in_single_precision,
        with_positional_names_of_its_own,
    ],
    "rnn_step": [
        rows_one_by_one,
        neurons_one_by_one,
        stacked_in_one_product,
        with_einsum,
        as_nested_lists,
        column_major,
        through_torch,
        step_in_single_precision,
    ],
    "rnn_forward": [each_sequence_alone, with_a_mask_at_the_end, multiplying_by_the_mask, hoisted],
    "count_parameters": [counting_arrays, factored, as_a_numpy_integer, as_a_whole_float],
    "forecast": [readout_as_a_column, readout_with_einsum, readout_in_loops],
    "RNNLayer": [WithLinear, WithABuffer, WithAHelper],
}
