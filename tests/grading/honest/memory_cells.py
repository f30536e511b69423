"""Right answers to the exercises on memory cells, in the many forms in which people write them."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

# --- delay_step -------------------------------------------------------------------------------------------------------


def shifted_in_a_copy(x_t, state):
    new = state.copy()
    new[:, :-1] = state[:, 1:]
    new[:, -1] = x_t
    return new, state[:, 0].copy()


def rolled(x_t, state):
    new = np.roll(state, -1, axis=1)
    y_t = new[:, -1].copy()
    new[:, -1] = x_t
    return new, y_t


def popped_from_lists(x_t, state):
    kept, out = [], []
    for x, row in zip(x_t.tolist(), state.tolist()):
        out.append(row.pop(0))
        kept.append([*row, x])
    return kept, out


def by_a_shift_matrix(x_t, state):
    K = state.shape[1]
    moved = np.einsum("jk,nkd->njd", np.eye(K, k=1), state)
    last = np.zeros((K, 1))
    last[-1] = 1
    return [moved + last * x_t[:, None, :], np.take(state, 0, axis=1)]


# --- leaky_forward ----------------------------------------------------------------------------------------------------


def each_sequence_alone(x, s0, leak, gain, lengths=None):
    state, y = np.array(s0), np.zeros(x.shape)
    for n in range(len(x)):
        for t in range(x.shape[1] if lengths is None else int(lengths[n])):
            state[n] += (1 - leak) * (x[n, t] - state[n])
            y[n, t] = state[n] * gain
    return state, y


def by_the_sum_over_the_past(x, s0, leak, gain, lengths=None):
    """Every state at once from the weights of all earlier inputs; the last ones are picked out."""
    N, T, _ = x.shape
    ends = np.full(N, T) if lengths is None else np.asarray(lengths)
    ago = np.arange(T)[:, None] - np.arange(T)
    weights = np.where(ago[..., None] >= 0, leak ** np.maximum(ago, 0)[..., None], 0) * (1 - leak)
    begun = leak ** np.arange(1, T + 1)[:, None] * s0[:, None]
    states = np.concatenate([s0[:, None], np.einsum("tkd,nkd->ntd", weights, x) + begun], axis=1)
    real = (np.arange(T) < ends[:, None])[..., None]
    return states[np.arange(N), ends], states[:, 1:] * gain * real


def by_recursion(x, s0, leak, gain, lengths=None):
    if x.shape[1] == 0:
        return s0, x
    alive = np.ones(len(x)) if lengths is None else (np.asarray(lengths) > 0).astype(float)
    alive = alive[:, None]
    s = alive * (leak * s0 + x[:, 0] - leak * x[:, 0]) + (1 - alive) * s0
    last, y = by_recursion(x[:, 1:], s, leak, gain, None if lengths is None else np.asarray(lengths) - 1)
    return last, np.concatenate([(alive * gain * s)[:, None], y], axis=1)


def leaky_through_torch(x, s0, leak, gain, lengths=None):
    x, state, leak, gain = (torch.as_tensor(value) for value in (x, s0, leak, gain))
    out = []
    for t in range(x.shape[1]):
        new = torch.lerp(x[:, t], state, leak.expand_as(state))
        alive = torch.ones(len(x), 1, dtype=torch.bool) if lengths is None else torch.as_tensor(lengths)[:, None] > t
        state = torch.where(alive, new, state)
        out.append(torch.where(alive, gain * state, torch.zeros_like(state)))
    return state, torch.stack(out, dim=1)


# --- impulse_response -------------------------------------------------------------------------------------------------


def from_the_impulse_on(x, h0, W_x, W_h, b, impulse, at):
    """Both runs side by side; they part at the impulse's step."""
    one, other, r = h0, h0, []
    for t in range(x.shape[1]):
        one = np.tanh((x[:, t] + (impulse if t == at else 0)) @ W_x + one @ W_h + b)
        other = np.tanh(x[:, t] @ W_x + other @ W_h + b)
        r.append(one - other)
    return np.stack(r, axis=1)


def as_one_batch(x, h0, W_x, W_h, b, impulse, at):
    N, T, D = x.shape
    added = np.zeros((T, D))
    added[at] = impulse
    both, state = np.concatenate([x + added, x]), np.concatenate([h0, h0])
    h = np.empty((2 * N, T, len(b)))
    for t in range(T):
        h[:, t] = state = np.tanh(both[:, t] @ W_x + state @ W_h + b)
    return h[:N] - h[N:]


def response_through_torch(x, h0, W_x, W_h, b, impulse, at):
    layer = nn.RNN(W_x.shape[0], W_x.shape[1], batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for name, value in (("weight_ih_l0", W_x.T), ("weight_hh_l0", W_h.T), ("bias_ih_l0", b), ("bias_hh_l0", 0 * b)):
            getattr(layer, name).copy_(torch.tensor(value))
        inputs, first = torch.tensor(x, dtype=torch.float64), torch.tensor(h0, dtype=torch.float64)[None]
        moved = inputs.clone()
        moved[:, at] += torch.tensor(impulse)
        return (layer(moved, first)[0] - layer(inputs, first)[0]).numpy()


def sequence_by_sequence(x, h0, W_x, W_h, b, impulse, at):
    def walk(inputs, h):
        for x_t in inputs:
            h = np.tanh(W_x.T @ x_t + W_h.T @ h + b)
            yield h

    pulse = np.outer(np.arange(x.shape[1]) == at, impulse)
    return [[p - q for p, q in zip(walk(row + pulse, h), walk(row, h))] for row, h in zip(x, h0)]


# --- memory_length ----------------------------------------------------------------------------------------------------


def last_index_in_a_loop(response, at=0, fraction=0.01):
    lengths = []
    for row in response[:, at:]:
        size = np.sqrt((row.astype(float) ** 2).sum(axis=1))
        steps = [t for t, value in enumerate(size) if value > 0 and value >= fraction * size.max()]
        lengths.append(steps[-1] if steps else 0)
    return np.array(lengths)


def backwards_with_argmax(response, at=0, fraction=0.01):
    size = np.sqrt(np.einsum("nto,nto->nt", response, response))[:, at:]
    largest = size.max(axis=1)
    worth = size >= fraction * largest[:, None]
    return np.where(largest > 0, size.shape[1] - 1 - worth[:, ::-1].argmax(axis=1), 0)


def with_flatnonzero(response, at=0, fraction=0.01):
    result = []
    for row in np.linalg.norm(response, axis=2):
        if not row.any():
            result.append(0)
            continue
        result.append(int(np.flatnonzero(row >= row.max() * fraction)[-1]) - at)
    return result


def length_through_torch(response, at=0, fraction=0.01):
    size = torch.as_tensor(response)[:, at:].norm(dim=-1)
    worth = (size >= fraction * size.amax(1, keepdim=True)) * (size > 0)
    return (worth * torch.arange(size.shape[1])).amax(1)


# --- LeakyLayer -------------------------------------------------------------------------------------------------------


class WithLinearMaps(nn.Module):
    """Functional linear maps, and the state moved by a difference."""

    def __init__(self, D, H, O):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.randn(H, D))
        self.weight_hh = nn.Parameter(torch.randn(H, H))
        self.bias = nn.Parameter(torch.randn(H))
        self.leak = nn.Parameter(torch.randn(H))
        self.weight_out = nn.Parameter(torch.randn(O, H))

    def forward(self, x, s0=None):
        linear = nn.functional.linear
        s = torch.zeros(x.size(0), self.leak.numel(), device=x.device, dtype=x.dtype) if s0 is None else s0
        y = []
        for t in range(x.size(1)):
            new = (linear(x[:, t], self.weight_ih, self.bias) + linear(s, self.weight_hh)).tanh()
            s = s + torch.sigmoid(-self.leak) * (new - s)
            y.append(linear(s, self.weight_out).unsqueeze(1))
        return s, torch.cat(y, 1)


class WithHoistedInputs(nn.Module):
    """Inputs in one product, each step's output written to its place."""

    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        shapes = {
            "weight_ih": (hidden_size, input_size),
            "weight_hh": (hidden_size, hidden_size),
            "bias": (hidden_size,),
            "leak": (hidden_size,),
            "weight_out": (output_size, hidden_size),
        }
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.rand(shape) - 0.5))

    def forward(self, x, s0=None):
        a = torch.einsum("ntd,hd->nth", x, self.weight_ih) + self.bias
        state = torch.zeros_like(a[:, 0]) if s0 is None else s0
        keep = 1 / (1 + torch.exp(-self.leak))
        y = a.new_empty(*a.shape[:2], len(self.weight_out))
        for t in range(a.shape[1]):
            state = keep * state + (1 - keep) * torch.tanh(a[:, t] + torch.mm(state, self.weight_hh.t()))
            y[:, t] = torch.mm(state, self.weight_out.t())
        return [state, y]


class WithACellInside(nn.Module):
    """A step of its own, walked by recursion."""

    def __init__(self, input_size: int, hidden_size: int, output_size: int):
        super().__init__()
        make = lambda *shape: nn.Parameter(torch.empty(*shape).normal_())
        self.weight_ih, self.weight_hh = make(hidden_size, input_size), make(hidden_size, hidden_size)
        self.bias, self.leak, self.weight_out = make(hidden_size), make(hidden_size), make(output_size, hidden_size)

    def step(self, x_t, s):
        new = torch.tanh(torch.cat([x_t, s], 1) @ torch.cat([self.weight_ih, self.weight_hh], 1).T + self.bias)
        s = torch.lerp(new, s, self.leak.sigmoid().expand_as(s))
        return s, s @ self.weight_out.T

    def walk(self, steps, s):
        if not steps:
            return s, []
        s, y_t = self.step(steps[0], s)
        last, rest = self.walk(steps[1:], s)
        return last, [y_t, *rest]

    def forward(self, x, s0=None):
        start = x[:, 0, :1] * 0 + torch.zeros_like(self.bias) if s0 is None else s0
        last, y = self.walk(list(x.unbind(1)), start)
        return last, torch.stack(y, dim=1)


# --- track_level ------------------------------------------------------------------------------------------------------


def drawn(N: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Series as the notebook draws them, and the last level of each."""
    rng = np.random.default_rng(seed)
    level = rng.normal(scale=2, size=(N, 1)) + np.cumsum(rng.normal(scale=0.2, size=(N, 60)), axis=1)
    return level + rng.normal(size=(N, 60)), level[:, -1]


def by_a_round_leak(x):
    weights = 0.2 * 0.8 ** np.arange(60)[::-1]
    return (x @ (weights / weights.sum())).tolist()


def by_a_kalman_filter(x):
    level, uncertainty = np.zeros(len(x)), 4.0
    for x_t in x.T:
        uncertainty += 0.04
        share = uncertainty / (uncertainty + 1)
        level, uncertainty = level + share * (x_t - level), (1 - share) * uncertainty
    return level


def by_free_weights(x):
    measured, level = drawn(5000, 3)
    weights, *_ = np.linalg.lstsq(measured[:, -30:], level, rcond=None)
    return torch.as_tensor(x[:, -30:] @ weights)


HONEST = {
    "delay_step": [shifted_in_a_copy, rolled, popped_from_lists, by_a_shift_matrix],
    "leaky_forward": [each_sequence_alone, by_the_sum_over_the_past, by_recursion, leaky_through_torch],
    "impulse_response": [from_the_impulse_on, as_one_batch, response_through_torch, sequence_by_sequence],
    "memory_length": [last_index_in_a_loop, backwards_with_argmax, with_flatnonzero, length_through_torch],
    "LeakyLayer": [WithLinearMaps, WithHoistedInputs, WithACellInside],
    "track_level": [by_a_round_leak, by_a_kalman_filter, by_free_weights],
}
