"""Right answers to the exercises on GRUs, in the many forms in which people write them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


def logistic(a):
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-a))


# --- gru_step


def unit_by_unit(x_t, h_prev, W_x, W_h, b_x, b_h, reset_after=True):
    N, H = h_prev.shape
    r, z, h_t = np.zeros((N, H)), np.zeros((N, H)), np.zeros((N, H))
    for j in range(H):
        r[:, j] = logistic(x_t @ W_x[:, j] + b_x[j] + h_prev @ W_h[:, j] + b_h[j])
        z[:, j] = logistic(x_t @ W_x[:, H + j] + b_x[H + j] + h_prev @ W_h[:, H + j] + b_h[H + j])
    for j in range(H):
        column, bias = W_h[:, 2 * H + j], b_h[2 * H + j]
        shown = r[:, j] * (h_prev @ column + bias) if reset_after else (r * h_prev) @ column + bias
        n = np.tanh(x_t @ W_x[:, 2 * H + j] + b_x[2 * H + j] + shown)
        h_t[:, j] = n + z[:, j] * (h_prev[:, j] - n)
    return h_t


def row_by_row(x_t, h_prev, W_x, W_h, b_x, b_h, reset_after=True):
    H, rows = len(W_h), []
    for x, h in zip(x_t, h_prev):
        a_x, a_h = x @ W_x + b_x, h @ W_h + b_h
        r, z = np.split(logistic(a_x[: 2 * H] + a_h[: 2 * H]), 2)
        if reset_after:
            n = np.tanh(a_x[2 * H :] + r * a_h[2 * H :])
        else:
            n = np.tanh(a_x[2 * H :] + np.dot(r * h, W_h[:, 2 * H :]) + b_h[2 * H :])
        rows.append((1 - z) * n + z * h)
    return np.array(rows)


def with_einsum(x_t, h_prev, W_x, W_h, b_x, b_h, reset_after=True):
    (D, _), H = W_x.shape, len(W_h)
    W_x, W_h = W_x.reshape(D, 3, H), W_h.reshape(H, 3, H)
    a_x = np.einsum("nd,dgh->gnh", x_t, W_x) + b_x.reshape(3, 1, H)
    a_h = np.einsum("ni,igh->gnh", h_prev, W_h) + b_h.reshape(3, 1, H)
    r, z = logistic(a_x[:2] + a_h[:2])
    if not reset_after:
        a_h[2] = np.einsum("ni,ni,ih->nh", r, h_prev, W_h[:, 2]) + b_h.reshape(3, H)[2]
        r = 1
    return np.where(True, (1 - z) * np.tanh(a_x[2] + r * a_h[2]), 0) + z * h_prev


def step_through_torch(x_t, h_prev, W_x, W_h, b_x, b_h, reset_after=True):
    x_t, h_prev, W_x, W_h, b_x, b_h = (torch.as_tensor(a) for a in (x_t, h_prev, W_x, W_h, b_x, b_h))
    if reset_after:
        return torch.gru_cell(x_t, h_prev, W_x.mT.contiguous(), W_h.mT.contiguous(), b_x, b_h)
    x_r, x_z, x_n = (x_t @ W_x + b_x).chunk(3, 1)
    h_r, h_z, _ = (h_prev @ W_h + b_h).chunk(3, 1)
    r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
    n = (x_n + (r * h_prev) @ W_h.chunk(3, 1)[2] + b_h.chunk(3)[2]).tanh()
    return torch.lerp(n, h_prev, z)


# --- gru_forward


def each_sequence_alone(x, h0, W_x, W_h, b_x, b_h, reset_after=True, lengths=None):
    N, T, _ = x.shape
    h, last = np.zeros((N, T, len(W_h))), np.array(h0, dtype=float)
    for n in range(N):
        for t in range(T if lengths is None else int(lengths[n])):
            one = row_by_row(x[n : n + 1, t], last[n : n + 1], W_x, W_h, b_x, b_h, reset_after)
            last[n] = h[n, t] = one[0]
    return h, last


def with_a_mask_at_the_end(x, h0, W_x, W_h, b_x, b_h, reset_after=True, lengths=None):
    N, T, _ = x.shape
    lengths = [T] * N if lengths is None else list(lengths)
    states = [h0]
    for t in range(T):
        states.append(with_einsum(x[:, t], states[-1], W_x, W_h, b_x, b_h, reset_after))
    every = np.stack(states, axis=1)
    mask = np.arange(T)[None, :, None] < np.array(lengths)[:, None, None]
    return np.where(mask, every[:, 1:], 0), every[np.arange(N), lengths]


def multiplying_by_the_mask(x, h0, W_x, W_h, b_x, b_h, reset_after=True, lengths=None):
    N, T = x.shape[:2]
    running = np.ones((N, T, 1)) if lengths is None else (np.arange(T) < np.array(lengths)[:, None])[..., None] * 1.0
    h, out = h0, []
    for t in range(T):
        new = row_by_row(x[:, t], h, W_x, W_h, b_x, b_h, reset_after)
        h = running[:, t] * new + (1 - running[:, t]) * h
        out.append(running[:, t] * new)
    return [np.stack(out, 1), h]


def by_recursion(x, h0, W_x, W_h, b_x, b_h, reset_after=True, lengths=None):
    N, T, _ = x.shape
    if T == 0:
        return np.zeros((N, 0, len(W_h))), h0
    lengths = np.full(N, T) if lengths is None else np.array(lengths)
    new = step_through_torch(x[:, 0], h0, W_x, W_h, b_x, b_h, reset_after).numpy()
    state = np.where(lengths[:, None] > 0, new, h0)
    rest, last = by_recursion(x[:, 1:], state, W_x, W_h, b_x, b_h, reset_after, lengths - 1)
    first = np.where(lengths[:, None] > 0, new, 0)
    return np.concatenate([first[:, None], rest], axis=1), last


def only_those_that_run(x, h0, W_x, W_h, b_x, b_h, reset_after=True, lengths=None):
    N, T, _ = x.shape
    h, state = np.zeros((N, T, len(W_h)), x.dtype), h0.copy()
    for t in range(T):
        alive = np.ones(N, bool) if lengths is None else t < np.asarray(lengths)
        if alive.any():
            state[alive] = with_einsum(x[alive, t], state[alive], W_x, W_h, b_x, b_h, reset_after)
        h[alive, t] = state[alive]
    return h, state


# --- gru_step_backward


def gradients(outputs, upstream, leaves):
    loss = sum((output * torch.as_tensor(d)).sum() for output, d in zip(outputs, upstream))
    return torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)


def leaves_of(*arrays):
    return [torch.tensor(array, requires_grad=True) for array in arrays]


def step_back_by_autograd(dh_t, x_t, h_prev, W_x, W_h, b_x, b_h):
    leaves = leaves_of(x_t, h_prev, W_x, W_h, b_x, b_h)
    x_t, h_prev, W_x, W_h, b_x, b_h = leaves
    return gradients([torch.gru_cell(x_t, h_prev, W_x.mT, W_h.mT, b_x, b_h)], [dh_t], leaves)


def step_back_gate_by_gate(dh_t, x_t, h_prev, W_x, W_h, b_x, b_h):
    W_xs, W_hs = np.split(W_x, 3, axis=1), np.split(W_h, 3, axis=1)
    b_xs, b_hs = np.split(b_x, 3), np.split(b_h, 3)
    a = [x_t @ w + b for w, b in zip(W_xs, b_xs)]
    c = [h_prev @ w + b for w, b in zip(W_hs, b_hs)]
    r, z = logistic(a[0] + c[0]), logistic(a[1] + c[1])
    n = np.tanh(a[2] + r * c[2])
    da_n = dh_t * (1 - z) * (1 - n * n)
    da_z = dh_t * (h_prev - n) * (z - z * z)
    da_r = da_n * c[2] * (r - r * r)
    on_x, on_h = [da_r, da_z, da_n], [da_r, da_z, r * da_n]
    return (
        sum(d @ w.T for d, w in zip(on_x, W_xs)),
        z * dh_t + sum(d @ w.T for d, w in zip(on_h, W_hs)),
        np.hstack([x_t.T @ d for d in on_x]),
        np.hstack([h_prev.T @ d for d in on_h]),
        np.hstack([d.sum(0) for d in on_x]),
        np.hstack([d.sum(0) for d in on_h]),
    )


def step_back_row_by_row(dh_t, x_t, h_prev, W_x, W_h, b_x, b_h):
    dx, dh, sums = [], [], [0, 0, 0, 0]
    for d, x, h in zip(dh_t, x_t, h_prev):
        one = step_back_gate_by_gate(d[None], x[None], h[None], W_x, W_h, b_x, b_h)
        dx.append(one[0][0])
        dh.append(one[1][0])
        sums = [a + b for a, b in zip(sums, one[2:])]
    return np.array(dx), np.array(dh), *sums


# --- gru_backward


def states_before(x, h0, W_x, W_h, b_x, b_h, lengths):
    T, states = x.shape[1], [h0]
    steps = np.full(len(x), T) if lengths is None else np.asarray(lengths)
    for t in range(T):
        new = row_by_row(x[:, t], states[-1], W_x, W_h, b_x, b_h)
        states.append(np.where((t < steps)[:, None], new, states[-1]))
    return states, steps


def back_by_autograd(dh, dh_last, x, h0, W_x, W_h, b_x, b_h, lengths=None):
    leaves = leaves_of(x, h0, W_x, W_h, b_x, b_h)
    x, h, W_x, W_h, b_x, b_h = leaves
    steps, outputs = torch.full((len(x),), x.shape[1]) if lengths is None else torch.as_tensor(lengths), []
    for t in range(x.shape[1]):
        running = (t < steps)[:, None]
        h = torch.where(running, torch.gru_cell(x[:, t], h, W_x.mT, W_h.mT, b_x, b_h), h)
        outputs.append(torch.where(running, h, 0.0))
    return gradients([torch.stack(outputs, 1), h], [dh, dh_last], leaves)


def back_step_by_step(dh, dh_last, x, h0, W_x, W_h, b_x, b_h, lengths=None):
    states, steps = states_before(x, h0, W_x, W_h, b_x, b_h, lengths)
    dx, d, sums = np.zeros_like(x), dh_last.copy(), [0, 0, 0, 0]
    for t in range(x.shape[1] - 1, -1, -1):
        alive = np.flatnonzero(t < steps)
        d[alive] += dh[alive, t]
        one = step_back_gate_by_gate(d[alive], x[alive, t], states[t][alive], W_x, W_h, b_x, b_h)
        dx[alive, t], d[alive] = one[0], one[1]
        sums = [a + b for a, b in zip(sums, one[2:])]
    return dx, d, *sums


def back_by_recursion(dh, dh_last, x, h0, W_x, W_h, b_x, b_h, lengths=None):
    N, T, _ = x.shape
    if T == 0:
        return x * 0, dh_last, 0 * W_x, 0 * W_h, 0 * b_x, 0 * b_h
    steps = np.full(N, T) if lengths is None else np.asarray(lengths)
    on = (steps > 0)[:, None] * 1.0
    h1 = on * row_by_row(x[:, 0], h0, W_x, W_h, b_x, b_h) + (1 - on) * h0
    rest = back_by_recursion(dh[:, 1:], dh_last, x[:, 1:], h1, W_x, W_h, b_x, b_h, steps - 1)
    one = step_back_gate_by_gate(on * (dh[:, 0] + rest[1]), x[:, 0], h0, W_x, W_h, b_x, b_h)
    dx = np.concatenate([one[0][:, None], rest[0]], axis=1)
    return [dx, on * one[1] + (1 - on) * rest[1], *(a + b for a, b in zip(one[2:], rest[2:]))]


def back_each_sequence_alone(dh, dh_last, x, h0, W_x, W_h, b_x, b_h, lengths=None):
    N, T, _ = x.shape
    dx, dh0, sums = np.zeros_like(x), np.zeros_like(h0), [0, 0, 0, 0]
    for n in range(N):
        L = T if lengths is None else int(lengths[n])
        if L == 0:
            dh0[n] = dh_last[n]
            continue
        one = back_step_by_step(
            dh[n : n + 1, :L], dh_last[n : n + 1], x[n : n + 1, :L], h0[n : n + 1], W_x, W_h, b_x, b_h
        )
        dx[n, :L], dh0[n] = one[0][0], one[1][0]
        sums = [a + b for a, b in zip(sums, one[2:])]
    return dx, dh0, *sums


# --- turn_update_gate


def by_a_row_of_signs(W_x, W_h, b_x, b_h):
    sign = np.repeat([1.0, -1.0, 1.0], W_h.shape[0])
    return W_x * sign, W_h * sign, b_x * sign, b_h * sign


def by_cutting_and_joining(W_x, W_h, b_x, b_h):
    def turned(w):
        r, z, n = np.split(w, 3, axis=-1)
        return np.concatenate([r, -z, n], axis=-1)

    return [turned(w) for w in (W_x, W_h, b_x, b_h)]


def by_a_condition(W_x, W_h, b_x, b_h):
    block = np.arange(b_x.size) // len(W_h)
    return tuple(np.where(block == 1, -w, w) for w in (W_x, W_h, b_x, b_h))


# --- count_parameters


def counting_arrays(kind, D, H):
    gates = {"RNN": 1, "LSTM": 4, "GRU": 3}[kind]
    arrays = [np.zeros((D, gates * H)), np.zeros((H, gates * H)), np.zeros(gates * H)]
    return sum(array.size for array in arrays + arrays[2:] * (kind == "GRU"))


def counting_torchs_parameters(kind, D, H):
    layer = getattr(nn, kind)(D, H)
    size = sum(p.numel() for p in layer.parameters())
    return size if kind == "GRU" else size - layer.bias_hh_l0.numel()


def factored(kind, D, H):
    return {"RNN": H * (D + H + 1), "LSTM": 4 * H * (D + H + 1), "GRU": 3 * H * (D + H + 2)}[kind]


# --- GRULayer


class WithLinear(nn.Module):
    """Functional linear maps, zeros from the input's device, the blend by lerp."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih_l0 = nn.Parameter(torch.randn(3 * hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.randn(3 * hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(3 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(3 * hidden_size))

    def forward(self, x, h0=None):
        linear, h = nn.functional.linear, h0
        if h is None:
            h = torch.zeros(x.size(0), self.hidden_size, device=x.device, dtype=x.dtype)
        out = []
        for x_t in x.unbind(1):
            a = linear(x_t, self.weight_ih_l0, self.bias_ih_l0)
            c = linear(h, self.weight_hh_l0, self.bias_hh_l0)
            rz, H = torch.sigmoid(a + c), self.hidden_size
            n = torch.tanh(a[:, 2 * H :] + rz[:, :H] * c[:, 2 * H :])
            h = torch.lerp(n, h, rz[:, H : 2 * H])
            out.append(h.unsqueeze(1))
        return torch.cat(out, 1), h


class WithABuffer(nn.Module):
    """Hoists the inputs, and writes every step into its place."""

    def __init__(self, D, H):
        super().__init__()
        for name, shape in {
            "weight_ih": (3 * H, D),
            "weight_hh": (3 * H, H),
            "bias_ih": (3 * H,),
            "bias_hh": (3 * H,),
        }.items():
            self.register_parameter(f"{name}_l0", nn.Parameter(torch.rand(shape) - 0.5))

    def forward(self, x, h0=None):
        a = torch.einsum("ntd,gd->ntg", x, self.weight_ih_l0) + self.bias_ih_l0
        H = a.shape[2] // 3
        state = a.new_zeros(a.shape[0], H) if h0 is None else h0
        h = torch.empty_like(a[..., :H])
        for t in range(a.shape[1]):
            c = torch.addmm(self.bias_hh_l0, state, self.weight_hh_l0.t())
            r = torch.sigmoid(a[:, t, :H] + c[:, :H])
            z = torch.sigmoid(a[:, t, H : 2 * H] + c[:, H : 2 * H])
            state = z * state + (1 - z) * torch.tanh(a[:, t, 2 * H :] + r * c[:, 2 * H :])
            h[:, t] = state
        return h, h[:, -1]


class WithAHelper(nn.Module):
    """A step of its own, matrices cut gate by gate, and a list for a tuple."""

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        make = lambda *shape: nn.Parameter(torch.empty(*shape).normal_())
        self.weight_ih_l0, self.weight_hh_l0 = make(3 * hidden_size, input_size), make(3 * hidden_size, hidden_size)
        self.bias_ih_l0, self.bias_hh_l0 = make(3 * hidden_size), make(3 * hidden_size)

    def step(self, x_t, h):
        W, U, b, c = (w.chunk(3) for w in (self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0))
        r, z = (1 / (1 + torch.exp(-(x_t @ W[k].T + b[k] + h @ U[k].T + c[k]))) for k in (0, 1))
        n = torch.tanh(x_t @ W[2].T + b[2] + r * (h @ U[2].T + c[2]))
        return n - z * n + z * h

    def forward(self, x, h0=None):
        h = [x[:, 0, :1] * 0 + torch.zeros_like(self.bias_ih_l0.chunk(3)[0]) if h0 is None else h0]
        for t in range(x.shape[1]):
            h.append(self.step(x[:, t], h[-1]))
        return [torch.stack(h[1:], 1), h[-1]]


HONEST = {
    "gru_step": [unit_by_unit, row_by_row, with_einsum, step_through_torch],
    "gru_forward": [
        each_sequence_alone,
        with_a_mask_at_the_end,
        multiplying_by_the_mask,
        by_recursion,
        only_those_that_run,
    ],
    "gru_step_backward": [step_back_by_autograd, step_back_gate_by_gate, step_back_row_by_row],
    "gru_backward": [back_by_autograd, back_step_by_step, back_by_recursion, back_each_sequence_alone],
    "turn_update_gate": [by_a_row_of_signs, by_cutting_and_joining, by_a_condition],
    "count_parameters": [counting_arrays, counting_torchs_parameters, factored],
    "GRULayer": [WithLinear, WithABuffer, WithAHelper],
}
