"""Right answers to the exercises on LSTMs, in the many forms in which people write them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from tests.grading.answers import answers


def logistic(a):
    """The sigmoid as most people write it; large negative numbers overflow to the right answer."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-a))


# --- lstm_step --------------------------------------------------------------------------------------------------------


def step_with_slices(x_t, h_prev, c_prev, W_x, W_h, b):
    H = h_prev.shape[1]
    a = x_t @ W_x + h_prev @ W_h + b
    i, f, o = logistic(a[:, :H]), logistic(a[:, H : 2 * H]), logistic(a[:, 3 * H :])
    c = f * c_prev + i * np.tanh(a[:, 2 * H : 3 * H])
    return o * np.tanh(c), c


def step_gate_by_gate(x_t, h_prev, c_prev, W_x, W_h, b):
    def gate(k, squash):
        block = np.arange(len(b)).reshape(4, -1)[k]
        return squash(x_t @ W_x[:, block] + h_prev @ W_h[:, block] + b[block])

    c = gate(1, logistic) * c_prev
    c += gate(0, logistic) * gate(2, np.tanh)
    return gate(3, logistic) * np.tanh(c), c


def step_row_by_row(x_t, h_prev, c_prev, W_x, W_h, b):
    hs, cs = [], []
    for x, h, c in zip(x_t, h_prev, c_prev):
        i, f, g, o = (np.concatenate([x, h]) @ np.vstack([W_x, W_h]) + b).reshape(4, -1)
        cs.append(logistic(f) * c + logistic(i) * np.tanh(g))
        hs.append(logistic(o) * np.tanh(cs[-1]))
    return np.array(hs), np.array(cs)


def step_with_einsum(x_t, h_prev, c_prev, W_x, W_h, b):
    D, H = len(W_x), len(W_h)
    a = np.einsum("nd,dkh->knh", x_t, W_x.reshape(D, 4, H)) + np.einsum("nj,jkh->knh", h_prev, W_h.reshape(H, 4, H))
    i, f, g, o = a + b.reshape(4, 1, H)
    c = logistic(f) * c_prev + logistic(i) * np.tanh(g)
    return [logistic(o) * np.tanh(c), c]


def step_through_torch(x_t, h_prev, c_prev, W_x, W_h, b):
    x_t, h_prev, c_prev, W_x, W_h, b = map(torch.as_tensor, (x_t, h_prev, c_prev, W_x, W_h, b))
    i, f, g, o = (x_t @ W_x + h_prev @ W_h + b).chunk(4, dim=1)
    c = f.sigmoid() * c_prev + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


# --- lstm_forward -----------------------------------------------------------------------------------------------------


def forward_each_sequence_alone(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    h, h_last, c_last = np.zeros((N, T, h0.shape[1])), np.array(h0), np.array(c0)
    for n in range(N):
        for t in range(T if lengths is None else int(lengths[n])):
            one = slice(n, n + 1)
            h_last[one], c_last[one] = step_with_slices(x[one, t], h_last[one], c_last[one], W_x, W_h, b)
            h[n, t] = h_last[n]
    return h, h_last, c_last


def forward_with_a_mask_at_the_end(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    lengths = np.full(N, T) if lengths is None else lengths
    states = [(h0, c0)]
    for t in range(T):
        states.append(step_gate_by_gate(x[:, t], *states[-1], W_x, W_h, b))
    h, c = (np.stack(kind, axis=1) for kind in zip(*states))
    rows = np.arange(N)
    real = (np.arange(T) < lengths[:, None])[..., None]
    return np.where(real, h[:, 1:], 0), h[rows, lengths], c[rows, lengths]


def forward_multiplying_by_the_mask(x, h0, c0, W_x, W_h, b, lengths=None):
    N, T = x.shape[:2]
    real = np.ones((N, T)) if lengths is None else (np.arange(T) < np.array(lengths)[:, None]) * 1.0
    h, c, out = h0, c0, []
    for t in range(T):
        m = real[:, [t]]
        new_h, new_c = step_with_einsum(x[:, t], h, c, W_x, W_h, b)
        h, c = m * new_h + (1 - m) * h, m * new_c + (1 - m) * c
        out.append(m * new_h)
    return np.stack(out, axis=1), h, c


def forward_hoisted_and_shrinking(x, h0, c0, W_x, W_h, b, lengths=None):
    from_inputs = x @ W_x + b
    h, c, out = h0.copy(), c0.copy(), np.zeros((*x.shape[:2], h0.shape[1]))
    for t in range(x.shape[1]):
        alive = np.ones(len(x), bool) if lengths is None else np.asarray(lengths) > t
        i, f, g, o = np.split(from_inputs[alive, t] + h[alive] @ W_h, 4, axis=-1)
        c[alive] = logistic(f) * c[alive] + logistic(i) * np.tanh(g)
        h[alive] = out[alive, t] = logistic(o) * np.tanh(c[alive])
    return out, h, c


# --- lstm_step_backward -----------------------------------------------------------------------------------------------


def step_back_row_by_row(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    dx, dh, dc_prev = [], [], []
    dW_x, dW_h, db = np.zeros_like(W_x), np.zeros_like(W_h), np.zeros_like(b)
    for n in range(len(x_t)):
        i, f, g, o = (x_t[n] @ W_x + h_prev[n] @ W_h + b).reshape(4, -1)
        i, f, g, o = logistic(i), logistic(f), np.tanh(g), logistic(o)
        shown = np.tanh(f * c_prev[n] + i * g)
        dc = dc_t[n] + dh_t[n] * o * (1 - shown) * (1 + shown)
        by_gate = [dc * g, dc * c_prev[n], dc * i, dh_t[n] * shown]
        slopes = [i - i**2, f - f**2, 1 - g**2, o - o**2]
        da = np.concatenate([one * slope for one, slope in zip(by_gate, slopes)])
        dx.append(W_x @ da)
        dh.append(W_h @ da)
        dc_prev.append(dc * f)
        dW_x += np.outer(x_t[n], da)
        dW_h += np.outer(h_prev[n], da)
        db += da
    return np.array(dx), np.array(dh), np.array(dc_prev), dW_x, dW_h, db


def step_back_gate_by_gate(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    D, H = len(W_x), len(W_h)
    U, V = W_x.reshape(D, 4, H), W_h.reshape(H, 4, H)
    i, f, g, o = np.einsum("nd,dkh->knh", x_t, U) + np.einsum("nj,jkh->knh", h_prev, V) + b.reshape(4, 1, H)
    i, f, g, o = logistic(i), logistic(f), np.tanh(g), logistic(o)
    c = f * c_prev + i * g
    do = dh_t * np.tanh(c)
    dc = dc_t + dh_t * o / np.cosh(c) ** 2
    da = np.stack([dc * g * i * (1 - i), dc * c_prev * f * (1 - f), dc * i * (1 - g * g), do * o * (1 - o)])
    dW_x, dW_h = np.einsum("nd,knh->dkh", x_t, da), np.einsum("nj,knh->jkh", h_prev, da)
    dx, dh = np.einsum("knh,dkh->nd", da, U), np.einsum("knh,jkh->nj", da, V)
    return dx, dh, f * dc, dW_x.reshape(W_x.shape), dW_h.reshape(W_h.shape), da.sum(axis=1).ravel()


def step_back_by_autograd(dh_t, dc_t, x_t, h_prev, c_prev, W_x, W_h, b):
    leaves = [torch.tensor(value, requires_grad=True) for value in (x_t, h_prev, c_prev, W_x, W_h, b)]
    outputs = step_through_torch(*leaves)
    return torch.autograd.grad(outputs, leaves, [torch.tensor(dh_t), torch.tensor(dc_t)])


def step_back_in_single_precision(*args):
    return step_back_gate_by_gate(*(value.astype(np.float32) for value in args))


# --- lstm_backward ----------------------------------------------------------------------------------------------------


def backward_each_sequence_alone(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    dx, dh0, dc0 = np.zeros_like(x), np.array(dh_last), np.array(dc_last)
    sums = [np.zeros_like(W_x), np.zeros_like(W_h), np.zeros_like(b)]
    for n in range(N):
        steps, one = T if lengths is None else int(lengths[n]), slice(n, n + 1)
        states = [(h0[one], c0[one])]
        for t in range(steps):
            states.append(step_with_slices(x[one, t], *states[-1], W_x, W_h, b))
        for t in range(steps - 1, -1, -1):
            upstream = dh[one, t] + dh0[one], dc0[one]
            back = step_back_gate_by_gate(*upstream, x[one, t], *states[t], W_x, W_h, b)
            dx[one, t], dh0[one], dc0[one] = back[:3]
            for total, share in zip(sums, back[3:]):
                total += share
    return dx, dh0, dc0, *sums


def backward_recursively(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    N, T, _ = x.shape
    real = np.ones((N, T), bool) if lengths is None else np.arange(T) < lengths[:, None]

    def after(t, h, c):
        """The gradients by the states before step t and by all that comes later."""
        if t == T:
            return [], dh_last, dc_last, np.zeros_like(W_x), np.zeros_like(W_h), np.zeros_like(b)
        m = real[:, [t]]
        new_h, new_c = step_with_slices(x[:, t], h, c, W_x, W_h, b)
        dx, dh_next, dc_next, *sums = after(t + 1, np.where(m, new_h, h), np.where(m, new_c, c))
        back = step_back_gate_by_gate(m * (dh[:, t] + dh_next), m * dc_next, x[:, t], h, c, W_x, W_h, b)
        sums = [total + share for total, share in zip(sums, back[3:])]
        return [back[0], *dx], np.where(m, back[1], dh_next), np.where(m, back[2], dc_next), *sums

    dx, *others = after(0, h0, c0)
    return np.stack(dx, axis=1), *others


def backward_with_products_after_the_loop(dh, dh_last, dc_last, x, h0, c0, W_x, W_h, b, lengths=None):
    (N, T, _), H = x.shape, len(W_h)
    real = np.ones((N, T)) if lengths is None else (np.arange(T) < lengths[:, None]).astype(float)
    h, c = np.zeros((2, T + 1, N, H))
    h[0], c[0] = h0, c0
    gates, da = np.zeros((2, T, N, 4 * H))
    for t in range(T):
        a = x[:, t] @ W_x + h[t] @ W_h + b
        gates[t] = logistic(a)
        gates[t, :, 2 * H : 3 * H] = np.tanh(a[:, 2 * H : 3 * H])
        i, f, g, o = np.split(gates[t], 4, axis=1)
        m = real[:, t, None]
        c[t + 1] = m * (f * c[t] + i * g) + (1 - m) * c[t]
        h[t + 1] = m * o * np.tanh(c[t + 1]) + (1 - m) * h[t]
    by_h, by_c = dh_last, dc_last
    for t in range(T - 1, -1, -1):
        i, f, g, o = np.split(gates[t], 4, axis=1)
        m, shown = real[:, t, None], np.tanh(c[t + 1])
        total = dh[:, t] + by_h
        dc = by_c + total * o * (1 - shown**2)
        parts = dc * g * i * (1 - i), dc * c[t] * f * (1 - f), dc * i * (1 - g**2), total * shown * o * (1 - o)
        da[t] = m * np.hstack(parts)
        by_h, by_c = da[t] @ W_h.T + (1 - m) * by_h, m * dc * f + (1 - m) * by_c
    dW_x, dW_h = np.tensordot(np.swapaxes(x, 0, 1), da, ([0, 1], [0, 1])), np.tensordot(h[:-1], da, ([0, 1], [0, 1]))
    return np.swapaxes(da @ W_x.T, 0, 1), by_h, by_c, dW_x, dW_h, da.sum(axis=(0, 1))


def backward_by_the_given_helper(*args):
    return answers("lstm")["gradients_by_autograd"](*args)


# --- weights_from_torch, set_forget_bias ------------------------------------------------------------------------------


def weights_with_swapaxes(weight_ih, weight_hh, bias_ih, bias_hh):
    return np.swapaxes(weight_ih, 0, 1), np.moveaxis(weight_hh, 0, -1), np.sum([bias_ih, bias_hh], axis=0)


def weights_as_tensors(weight_ih, weight_hh, bias_ih, bias_hh):
    biases = torch.stack([torch.tensor(bias_ih), torch.tensor(bias_hh)])
    return torch.tensor(weight_ih).t().contiguous(), torch.tensor(weight_hh).mT, biases.sum(0)


def weights_column_by_column(weight_ih, weight_hh, bias_ih, bias_hh):
    b = bias_ih.copy()
    b += bias_hh
    return np.column_stack(list(weight_ih)), np.column_stack(list(weight_hh)), b


def bias_by_concatenation(bias_ih, bias_hh, value):
    H = len(bias_ih) // 4
    filled, empty = np.full(H, value), np.zeros(H)
    return (
        np.concatenate([bias_ih[:H], filled, bias_ih[2 * H :]]),
        np.concatenate([bias_hh[:H], empty, bias_hh[2 * H :]]),
    )


def bias_in_rows(bias_ih, bias_hh, value):
    rows_ih, rows_hh = np.array(bias_ih).reshape(4, -1), np.array(bias_hh).reshape(4, -1)
    rows_ih[1], rows_hh[1] = value, 0.0
    return rows_ih.ravel(), rows_hh.flatten()


def bias_number_by_number(bias_ih, bias_hh, value):
    H = len(bias_ih) // 4
    inside = [H <= k < 2 * H for k in range(4 * H)]
    first = [value if forget else float(bias) for forget, bias in zip(inside, bias_ih)]
    return first, [0.0 if forget else float(bias) for forget, bias in zip(inside, bias_hh)]


# --- LSTMLayer --------------------------------------------------------------------------------------------------------


class WithLinear(nn.Module):
    """Functional linear maps, zeros from the input's device, an own attribute."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.randn(4 * hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.randn(4 * hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(4 * hidden_size))

    def forward(self, x, h0=None, c0=None):
        H, linear = self.hidden_size, nn.functional.linear
        if h0 is None:
            h0 = torch.zeros(x.size(0), H, device=x.device, dtype=x.dtype)
        if c0 is None:
            c0 = torch.zeros_like(h0)
        h, c, out = h0, c0, []
        for x_t in x.unbind(1):
            a = linear(x_t, self.weight_ih_l0, self.bias_ih_l0) + linear(h, self.weight_hh_l0, self.bias_hh_l0)
            gates = torch.sigmoid(a)
            c = gates[:, H : 2 * H] * c + gates[:, :H] * torch.tanh(a[:, 2 * H : 3 * H])
            h = gates[:, 3 * H :] * c.tanh()
            out.append(h.unsqueeze(1))
        return torch.cat(out, 1), h, c


class WithABuffer(nn.Module):
    """Hoists the inputs, four axes for the gates, and writes every step into its place."""

    def __init__(self, D, H):
        super().__init__()
        shapes = {"weight_ih": (4 * H, D), "weight_hh": (4 * H, H), "bias_ih": (4 * H,), "bias_hh": (4 * H,)}
        for name, shape in shapes.items():
            self.register_parameter(f"{name}_l0", nn.Parameter(torch.rand(shape) - 0.5))

    def forward(self, x, h0=None, c0=None):
        N, T, _ = x.shape
        H = self.weight_hh_l0.shape[1]
        a = torch.einsum("ntd,kd->ntk", x, self.weight_ih_l0) + (self.bias_ih_l0 + self.bias_hh_l0)
        zeros = a.new_zeros(N, H)
        h, c, out = zeros if h0 is None else h0, zeros if c0 is None else c0, a.new_empty(N, T, H)
        for t in range(T):
            i, f, g, o = (a[:, t] + torch.mm(h, self.weight_hh_l0.t())).view(N, 4, H).unbind(1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * torch.tanh(c)
            out[:, t] = h
        return out, out[:, -1], c


class WithAStep(nn.Module):
    """A step of its own that squashes by one tanh, and results in a list."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        make = lambda *shape: nn.Parameter(torch.empty(*shape).normal_())
        self.weight_ih_l0, self.weight_hh_l0 = make(4 * hidden_size, input_size), make(4 * hidden_size, hidden_size)
        self.bias_ih_l0, self.bias_hh_l0 = make(4 * hidden_size), make(4 * hidden_size)

    def step(self, x_t, h, c):
        both, weights = torch.cat([x_t, h], 1), torch.cat([self.weight_ih_l0, self.weight_hh_l0], 1)
        i, f, g, o = torch.tensor_split(torch.addmm(self.bias_ih_l0 + self.bias_hh_l0, both, weights.T), 4, dim=1)
        half = lambda a: (1 + torch.tanh(a / 2)) / 2
        c = torch.addcmul(half(f) * c, half(i), g.tanh())
        return half(o) * c.tanh(), c

    def forward(self, x, h0=None, c0=None):
        empty = 0 * (x[:, 0, :1] * self.bias_hh_l0[None, ::4])
        states = [(empty if h0 is None else h0, empty if c0 is None else c0)]
        for t in range(x.shape[1]):
            states.append(self.step(x[:, t], *states[-1]))
        return [torch.stack([h for h, _ in states[1:]], dim=1), *states[-1]]


# --- my_sum -----------------------------------------------------------------------------------------------------------


def as_the_notebook_trains_it(x):
    return answers("lstm")["my_sum"](x)


def as_a_list_of_what_it_says(x):
    return [float(number) for number in answers("lstm")["my_sum"](np.asarray(x))]


HONEST = {
    "lstm_step": [step_with_slices, step_gate_by_gate, step_row_by_row, step_with_einsum, step_through_torch],
    "lstm_forward": [
        forward_each_sequence_alone,
        forward_with_a_mask_at_the_end,
        forward_multiplying_by_the_mask,
        forward_hoisted_and_shrinking,
    ],
    "lstm_step_backward": [
        step_back_row_by_row,
        step_back_gate_by_gate,
        step_back_by_autograd,
        step_back_in_single_precision,
    ],
    "lstm_backward": [
        backward_each_sequence_alone,
        backward_recursively,
        backward_with_products_after_the_loop,
        backward_by_the_given_helper,
    ],
    "weights_from_torch": [weights_with_swapaxes, weights_as_tensors, weights_column_by_column],
    "set_forget_bias": [bias_by_concatenation, bias_in_rows, bias_number_by_number],
    "LSTMLayer": [WithLinear, WithABuffer, WithAStep],
    "my_sum": [as_the_notebook_trains_it, as_a_list_of_what_it_says],
}
