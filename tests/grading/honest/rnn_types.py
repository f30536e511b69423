"""Right answers to the exercises on the types of recurrent network, in the many forms in which people write them."""

from __future__ import annotations

import math

import numpy as np
import torch
from num2words import num2words
from torch import nn

from autograde.exercises.rnn_types import vocabularies


def each_sequence_alone(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    y = np.zeros((N, T, len(b_y)))
    for n in range(N):
        h = h0[n]
        for t in range(T if lengths is None else lengths[n]):
            h = np.tanh(x[n, t] @ W_x + h @ W_h + b)
            y[n, t] = h @ W_y + b_y
    return y


def by_a_product_with_the_mask(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    N, T, _ = x.shape
    mask = np.ones((N, T, 1)) if lengths is None else (np.arange(T)[None] < np.array(lengths)[:, None])[..., None]
    h, states = h0, []
    for t in range(T):
        h = np.tanh(np.hstack([x[:, t], h]) @ np.vstack([W_x, W_h]) + b)
        states.append(h)
    return (np.einsum("tnh,ho->nto", np.array(states), W_y) + b_y) * mask


def with_the_bias_in_the_matrix(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    """A state with a 1 behind it, which is 0 in the filling."""
    N, T, _ = x.shape
    lengths = [T] * N if lengths is None else list(lengths)
    h, y = h0.copy(), np.zeros((N, T, len(b_y)), dtype=x.dtype)
    for t in range(T):
        on = [n for n in range(N) if t < lengths[n]]
        h[on] = np.tanh(x[on, t] @ W_x + h[on] @ W_h + b)
        y[on, t] = np.column_stack([h[on], np.ones(len(on))]) @ np.vstack([W_y, b_y])
    return y


def through_torch_to_a_sequence(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    x, h, W_x, W_h, b, W_y, b_y = map(torch.as_tensor, (x, h0, W_x, W_h, b, W_y, b_y))
    y = []
    for x_t in x.unbind(1):
        h = torch.tanh(torch.addmm(b, x_t, W_x) + h @ W_h)
        y.append(torch.addmm(b_y, h, W_y))
    y = torch.stack(y, 1)
    if lengths is not None:
        y[torch.arange(x.shape[1])[None] >= torch.as_tensor(lengths)[:, None]] = 0
    return y


def vector_of_each_sequence_alone(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    rows = []
    for n, h in enumerate(h0):
        for x_t in x[n] if lengths is None else x[n, : lengths[n]]:
            h = np.tanh(x_t @ W_x + h @ W_h + b)
        rows.append(h @ W_y + b_y)
    return np.array(rows)


def vector_picked_from_all_states(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    states = [h0]
    for t in range(x.shape[1]):
        states.append(np.tanh(x[:, t] @ W_x + states[-1] @ W_h + b))
    last = np.full(len(x), x.shape[1]) if lengths is None else lengths
    return np.stack(states)[last, np.arange(len(x))] @ W_y + b_y


def vector_by_recursion(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    lengths = np.full(len(x), x.shape[1]) if lengths is None else lengths

    def state(t):
        if t == 0:
            return h0
        before = state(t - 1)
        return np.where(lengths[:, None] >= t, np.tanh(x[:, t - 1] @ W_x + before @ W_h + b), before)

    return state(x.shape[1]) @ W_y + b_y


def vector_by_blending(x, h0, W_x, W_h, b, W_y, b_y, lengths=None):
    h = h0
    for t in range(x.shape[1]):
        on = 1.0 if lengths is None else (t < np.asarray(lengths)).astype(float)[:, None]
        h = on * np.tanh(np.dot(x[:, t], W_x) + np.dot(h, W_h) + b) + (1 - on) * h
    return np.dot(h, W_y) + b_y


def repeated_in_a_loop(v, steps, h0, W_x, W_h, b, W_y, b_y):
    y = np.zeros((len(v), steps, len(b_y)))
    h = h0
    for t in range(steps):
        h = np.tanh(v @ W_x + h @ W_h + b)
        y[:, t] = h @ W_y + b_y
    return y


def repeated_with_the_input_hoisted(v, steps, h0, W_x, W_h, b, W_y, b_y):
    a = v @ W_x + b
    h = [h0]
    while len(h) <= steps:
        h.append(np.tanh(a + h[-1] @ W_h))
    return np.tensordot(np.stack(h[1:], axis=1), W_y, axes=1) + b_y


def repeated_by_broadcasting(v, steps, h0, W_x, W_h, b, W_y, b_y):
    return each_sequence_alone(np.broadcast_to(v[:, None], (len(v), steps, v.shape[1])), h0, W_x, W_h, b, W_y, b_y)


def repeated_through_torch(v, steps, h0, W_x, W_h, b, W_y, b_y):
    x = torch.as_tensor(v).unsqueeze(1).expand(-1, steps, -1)
    return through_torch_to_a_sequence(x, h0, W_x, W_h, b, W_y, b_y)


def loss_in_loops(logits, targets, lengths=None):
    N, T, _ = logits.shape
    total, steps = 0.0, 0
    for n in range(N):
        for t in range(T if lengths is None else int(lengths[n])):
            z = [float(score) for score in logits[n, t]]
            total += max(z) + math.log(sum(math.exp(score - max(z)) for score in z)) - z[targets[n, t]]
            steps += 1
    return total / steps if steps else 0.0


def loss_with_a_one_hot_target(logits, targets, lengths=None):
    N, T, V = logits.shape
    mask = np.ones((N, T), bool) if lengths is None else np.arange(T)[None] < np.array(lengths)[:, None]
    z = logits - np.max(logits, axis=2)[:, :, None]
    log_p = z - np.log(np.sum(np.exp(z), axis=2))[:, :, None]
    truth = targets[..., None] == np.arange(V)
    return -log_p[truth & mask[..., None]].sum() / max(mask.sum(), 1)


def loss_with_logaddexp(logits, targets, lengths=None):
    N, T, _ = logits.shape
    lengths = np.full(N, T) if lengths is None else lengths
    rows = [(logits[n, : lengths[n]], targets[n, : lengths[n]]) for n in range(N)]
    losses = [np.logaddexp.reduce(z, axis=1) - z[np.arange(len(k)), k] for z, k in rows]
    losses = np.concatenate(losses)
    return losses.mean() if len(losses) else 0


def loss_through_torch(logits, targets, lengths=None):
    logits, targets = torch.as_tensor(logits), torch.as_tensor(targets).clone()
    if lengths is not None:
        targets[torch.arange(logits.shape[1]) >= torch.as_tensor(lengths)[:, None]] = -100
    total = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    return total / (targets != -100).sum().clamp(min=1)


def loss_gradient_in_loops(dloss, logits, targets, lengths=None):
    N, T, V = logits.shape
    lengths = [T] * N if lengths is None else [int(length) for length in lengths]
    d = np.zeros((N, T, V))
    for n in range(N):
        for t in range(lengths[n]):
            e = np.exp(logits[n, t] - logits[n, t].max())
            for j in range(V):
                d[n, t, j] = float(dloss) * (e[j] / e.sum() - (j == targets[n, t])) / sum(lengths)
    return d


def loss_gradient_with_a_one_hot_target(dloss, logits, targets, lengths=None):
    N, T, V = logits.shape
    mask = np.ones((N, T), bool) if lengths is None else np.arange(T)[None] < np.array(lengths)[:, None]
    e = np.exp(logits - logits.max(axis=2, keepdims=True))
    d = e / e.sum(axis=2, keepdims=True) - (targets[..., None] == np.arange(V))
    return d * mask[..., None] * (dloss / max(1, np.count_nonzero(mask)))


def loss_gradient_written_into_a_copy(dloss, logits, targets, lengths=None):
    d = np.array(logits, dtype=float)
    d -= d.max(axis=-1, keepdims=True)
    np.exp(d, out=d)
    d /= d.sum(axis=-1, keepdims=True)
    n, t = np.indices(targets.shape)
    d[n, t, targets] -= 1.0
    count = targets.size
    if lengths is not None:
        for row, length in zip(d, lengths):
            row[length:] = 0
        count = max(int(np.sum(lengths)), 1)
    d *= dloss / count
    return d


def loss_gradient_by_autograd(dloss, logits, targets, lengths=None):
    z = torch.tensor(logits, requires_grad=True)
    (float(dloss) * loss_through_torch(z, targets, lengths)).backward()
    return z.grad


def inputs_by_rolling(targets, start):
    inputs = np.roll(targets, 1, axis=1)
    inputs[:, 0] = start
    return inputs


def inputs_into_an_empty_array(targets, start):
    inputs = np.full_like(targets, start)
    inputs[:, 1:] = targets[:, :-1]
    return inputs


def inputs_as_lists(targets, start):
    return [[start, *row[:-1]] for row in targets.tolist()]


def inputs_by_padding(targets, start):
    return np.pad(targets, ((0, 0), (1, 0)), constant_values=start)[:, :-1]


def decoded_one_by_one(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    tokens, lengths = [], []
    for state in h:
        row, token = [], start
        while len(row) < steps and (not row or row[-1] != end):
            state = np.tanh(E[token] @ W_x + state @ W_h + b)
            token = int(np.argmax(state @ W_y + b_y))
            row.append(token)
        lengths.append(len(row))
        tokens.append(row + [end] * (steps - len(row)))
    return np.array(tokens), np.array(lengths)


def decoded_and_cut_afterwards(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    token, columns = np.full(len(h), start), []
    for _ in range(steps):
        h = np.tanh(E[token] @ W_x + h @ W_h + b)
        token = np.argmax(h @ W_y + b_y, axis=-1)
        columns.append(token)
    tokens = np.stack(columns, axis=1)
    ended_before = np.cumsum(tokens == end, axis=1) - (tokens == end) > 0
    return np.where(ended_before, end, tokens), (~ended_before).sum(axis=1)


def decoded_with_a_break(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    E_x, state = E @ W_x + b, h.copy()
    tokens, lengths = np.full((len(h), steps), end), np.full(len(h), steps)
    on, read = np.arange(len(h)), np.full(len(h), start)
    for t in range(steps):
        state = np.tanh(E_x[read] + state @ W_h)
        read = (state @ W_y + b_y).argmax(1)
        tokens[on, t] = read
        lengths[on[read == end]] = t + 1
        on, state, read = on[read != end], state[read != end], read[read != end]
        if not len(on):
            break
    return tokens, lengths


def decoded_through_torch(h, E, W_x, W_h, b, W_y, b_y, start, end, steps):
    h, E, W_x, W_h, b, W_y, b_y = map(torch.as_tensor, (h, E, W_x, W_h, b, W_y, b_y))
    token, done = torch.full((len(h),), start), torch.zeros(len(h), dtype=torch.bool)
    tokens, lengths = [], torch.zeros(len(h))
    for _ in range(steps):
        h = torch.tanh(E[token] @ W_x + h @ W_h + b)
        token = torch.softmax(h @ W_y + b_y, dim=1).max(dim=1).indices.masked_fill(done, end)
        lengths += ~done
        done |= token == end
        tokens.append(token)
    return torch.stack(tokens, 1), lengths


class WithLinear(nn.Module):
    """Functional linear maps, and the state of each source picked from all of its states."""

    def __init__(self, source_size, target_size, hidden_size):
        super().__init__()
        self.encoder_W_x = nn.Parameter(torch.randn(source_size, hidden_size))
        self.encoder_W_h = nn.Parameter(torch.randn(hidden_size, hidden_size))
        self.encoder_b = nn.Parameter(torch.zeros(hidden_size))
        self.decoder_W_x = nn.Parameter(torch.randn(target_size, hidden_size))
        self.decoder_W_h = nn.Parameter(torch.randn(hidden_size, hidden_size))
        self.decoder_b = nn.Parameter(torch.zeros(hidden_size))
        self.W_y = nn.Parameter(torch.randn(hidden_size, target_size))
        self.b_y = nn.Parameter(torch.zeros(target_size))

    def forward(self, x, y_in, lengths=None):
        linear = nn.functional.linear
        states = [torch.zeros(x.size(0), self.encoder_b.numel(), device=x.device, dtype=x.dtype)]
        for x_t in x.unbind(1):
            a = linear(x_t, self.encoder_W_x.t(), self.encoder_b) + linear(states[-1], self.encoder_W_h.t())
            states.append(a.tanh())
        h = states[-1]
        if lengths is not None:
            h = torch.stack(states, 1)[torch.arange(x.size(0), device=x.device), lengths.long()]
        scores = []
        for y_t in y_in.unbind(1):
            h = (linear(y_t, self.decoder_W_x.t(), self.decoder_b) + linear(h, self.decoder_W_h.t())).tanh()
            scores.append(linear(h, self.W_y.t(), self.b_y).unsqueeze(1))
        return torch.cat(scores, 1)


class WithOneStepForBoth(nn.Module):
    """One method for a layer of either name; the mask is a product."""

    def __init__(self, D, O, H):
        super().__init__()
        for part, size in (("encoder", D), ("decoder", O)):
            self.register_parameter(f"{part}_W_x", nn.Parameter(torch.rand(size, H) - 0.5))
            self.register_parameter(f"{part}_W_h", nn.Parameter(torch.rand(H, H) - 0.5))
            self.register_parameter(f"{part}_b", nn.Parameter(torch.zeros(H)))
        self.W_y, self.b_y = nn.Parameter(torch.rand(H, O)), nn.Parameter(torch.rand(O))

    def step(self, part, x_t, h):
        W_x, W_h, b = (getattr(self, f"{part}_{name}") for name in ("W_x", "W_h", "b"))
        return torch.tanh(torch.cat([x_t, h], 1) @ torch.cat([W_x, W_h], 0) + b)

    def forward(self, x, y_in, lengths=None):
        h = torch.zeros_like(x[:, :1, 0] * self.encoder_b)
        for t in range(x.shape[1]):
            on = 1.0 if lengths is None else (lengths > t).to(x.dtype).unsqueeze(1)
            h = h + on * (self.step("encoder", x[:, t], h) - h)
        scores = torch.empty_like(y_in)
        for t in range(y_in.shape[1]):
            h = self.step("decoder", y_in[:, t], h)
            scores[:, t] = torch.matmul(h, self.W_y) + self.b_y
        return scores


class WithAnEncoderOfItsOwn(nn.Module):
    """Encode and decode as two methods, the inputs hoisted out of the loops, tanh by exponentials."""

    def __init__(self, source_size: int, target_size: int, hidden_size: int):
        super().__init__()
        make = lambda *shape: nn.Parameter(torch.empty(shape).normal_(std=hidden_size**-0.5))
        self.encoder_W_x, self.encoder_W_h, self.encoder_b = (
            make(source_size, hidden_size),
            make(hidden_size, hidden_size),
            make(hidden_size),
        )
        self.decoder_W_x, self.decoder_W_h, self.decoder_b = (
            make(target_size, hidden_size),
            make(hidden_size, hidden_size),
            make(hidden_size),
        )
        self.W_y, self.b_y = make(hidden_size, target_size), make(target_size)

    def encode(self, x, lengths):
        a = torch.einsum("ntd,dh->tnh", x, self.encoder_W_x) + self.encoder_b
        h = torch.zeros_like(a[0])
        for t, a_t in enumerate(a):
            new = 1 - 2 / (torch.exp(2 * (a_t + h @ self.encoder_W_h)) + 1)
            h = new if lengths is None else torch.where(lengths.unsqueeze(-1) > t, new, h)
        return h

    def decode(self, y_in, h):
        for y_t in y_in.transpose(0, 1):
            h = 1 - 2 / (torch.exp(2 * (y_t @ self.decoder_W_x + h @ self.decoder_W_h + self.decoder_b)) + 1)
            yield h @ self.W_y + self.b_y

    def forward(self, x, y_in, lengths=None):
        return torch.stack(list(self.decode(y_in, self.encode(x, lengths))), dim=1)


def with_a_dictionary(tokens):
    """From the words to the number and from there to the German word, part by part."""
    english, german = vocabularies()
    value = {num2words(n): n for n in [*range(20), *range(20, 100, 10)]}
    codes = []
    for row in tokens:
        number = 0
        for word in (english[k] for k in row if k):
            if word == "thousand":
                number *= 1000
            elif word == "hundred":
                number += 99 * (number % 10)
            elif word != "and":
                number += value[word]
        rest, code, place = num2words(number, lang="de"), 0, 0
        while rest:
            part = max((word for word in german if rest.startswith(word)), key=len)
            code, place, rest = code + german.index(part) * 42**place, place + 1, rest[len(part) :]
        codes.append(code)
    return codes


def with_tables(tokens):
    """By places: thousands, hundreds, tens and units as tokens of their own."""
    codes = []
    for row in np.asarray(tokens):
        parts, row = [], [int(k) for k in row if k not in (0, 31)]
        for sign in (30, 29):  # thousand, hundred
            if sign in row:
                count, row = row[0], row[2:]
                parts += [32 if count == 2 else count + 1, sign + 1]
        if len(row) == 2:
            parts += [row[1] + 31, row[0] + 1]
        elif row:
            parts.append(row[0] + 1)
        codes.append(float(np.dot(parts, 42.0 ** np.arange(len(parts)))))
    return np.array(codes)


HONEST = {
    "sequence_to_sequence": [
        each_sequence_alone,
        by_a_product_with_the_mask,
        with_the_bias_in_the_matrix,
        through_torch_to_a_sequence,
    ],
    "sequence_to_vector": [
        vector_of_each_sequence_alone,
        vector_picked_from_all_states,
        vector_by_recursion,
        vector_by_blending,
    ],
    "vector_to_sequence": [
        repeated_in_a_loop,
        repeated_with_the_input_hoisted,
        repeated_by_broadcasting,
        repeated_through_torch,
    ],
    "masked_cross_entropy": [
        loss_in_loops,
        loss_with_a_one_hot_target,
        loss_with_logaddexp,
        loss_through_torch,
    ],
    "masked_cross_entropy_backward": [
        loss_gradient_in_loops,
        loss_gradient_with_a_one_hot_target,
        loss_gradient_written_into_a_copy,
        loss_gradient_by_autograd,
    ],
    "decoder_inputs": [inputs_by_rolling, inputs_into_an_empty_array, inputs_as_lists, inputs_by_padding],
    "greedy_decode": [
        decoded_one_by_one,
        decoded_and_cut_afterwards,
        decoded_with_a_break,
        decoded_through_torch,
    ],
    "EncoderDecoder": [WithLinear, WithOneStepForBoth, WithAnEncoderOfItsOwn],
    "translate": [with_a_dictionary, with_tables],
}
