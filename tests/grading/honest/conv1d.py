"""Right answers to the exercises on convolution over time, in the many forms in which people write them."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import nn


def by_moving_a_window(T, K, stride=1, padding="valid", dilation=1):
    if padding == "same":
        return math.ceil(T / stride)
    start = -dilation * (K - 1) if padding == "causal" else 0
    count = 0
    while start + dilation * (K - 1) < T:
        count, start = count + 1, start + stride
    return count


def by_the_formula(T, K, stride=1, padding="valid", dilation=1):
    S = dilation * (K - 1) + 1
    p = {"valid": 0, "causal": S - 1, "same": max((math.ceil(T / stride) - 1) * stride + S - T, 0)}[padding]
    return int(np.floor((T + p - S) / stride)) + 1


def as_a_whole_float(T, K, stride=1, padding="valid", dilation=1):
    ends = np.arange(T) if padding == "causal" else np.arange(dilation * (K - 1), T)
    return float(len((np.arange(T) if padding == "same" else ends)[::stride]))


def by_recursion(T, K, stride=1, padding="valid", dilation=1):
    span = 1 if padding != "valid" else 1 + dilation * (K - 1)
    return 0 if span > T else 1 + by_recursion(T - stride, K, stride, padding, dilation)


def margins(T, K, stride, padding, dilation):
    S = dilation * (K - 1) + 1
    p = max((math.ceil(T / stride) - 1) * stride + S - T, 0)
    return {"valid": (0, 0), "causal": (S - 1, 0), "same": (p // 2, p - p // 2)}[padding]


def convolution_in_plain_loops(x, W, b, stride=1, padding="valid", dilation=1):
    (N, T, _), (K, _, C_out) = x.shape, W.shape
    left, right = margins(T, K, stride, padding, dilation)
    y = [[] for _ in range(N)]
    for n in range(N):
        for start in range(-left, T + right - dilation * (K - 1), stride):
            seen = [(k, start + k * dilation) for k in range(K) if 0 <= start + k * dilation < T]
            row = [b[j] + sum(float(x[n, i] @ W[k, :, j]) for k, i in seen) for j in range(C_out)]
            y[n].append(row)
    return np.array(y)


def convolution_as_one_product(x, W, b, stride=1, padding="valid", dilation=1):
    K, C_in, C_out = W.shape
    padded = np.pad(x, ((0, 0), margins(x.shape[1], K, stride, padding, dilation), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, dilation * (K - 1) + 1, axis=1)
    windows = windows[:, ::stride, :, ::dilation].transpose(0, 1, 3, 2)  # (N, T_out, K, C_in)
    return windows.reshape(*windows.shape[:2], K * C_in) @ W.reshape(K * C_in, C_out) + b


def convolution_by_a_matrix_over_time(x, W, b, stride=1, padding="valid", dilation=1):
    T, K = x.shape[1], len(W)
    left, right = margins(T, K, stride, padding, dilation)
    T_out = (T + left + right - dilation * (K - 1) - 1) // stride + 1
    y = np.zeros((len(x), T_out, len(b)))
    for k in range(K):
        places = np.arange(T_out)[:, None] * stride + k * dilation - left == np.arange(T)
        y += np.einsum("ti,nic,cj->ntj", places.astype(float), x, W[k])
    return y + b[None, None]


def convolution_thinned_afterwards(x, W, b, stride=1, padding="valid", dilation=1):
    K, C_in, C_out = W.shape
    spread = np.zeros((dilation * (K - 1) + 1, C_in, C_out))
    spread[::dilation] = W
    before, after = margins(x.shape[1], K, stride, padding, dilation)
    padded = np.pad(x, ((0, 0), (before, after), (0, 0)))
    y = np.array(
        [
            [sum(np.correlate(row[:, c], spread[:, c, j], "valid") for c in range(C_in)) + b[j] for j in range(C_out)]
            for row in padded
        ]
    )
    return y.transpose(0, 2, 1)[:, ::stride]


def convolution_through_torch(x, W, b, stride=1, padding="valid", dilation=1):
    x, W, b = (torch.as_tensor(value) for value in (x, W, b))
    left, right = margins(x.shape[1], len(W), stride, padding, dilation)
    x = nn.functional.pad(x, (0, 0, left, right))
    return torch.einsum("ntck,kcj->ntj", x.unfold(1, dilation * (len(W) - 1) + 1, stride)[..., ::dilation], W) + b


def back_by_slices(dy, x, W, b, stride=1, padding="valid", dilation=1):
    T, T_out = x.shape[1], dy.shape[1]
    left, right = margins(T, len(W), stride, padding, dilation)
    padded = np.pad(x, ((0, 0), (left, right), (0, 0)))
    dpadded, dW = np.zeros(padded.shape), []
    for k, tap in enumerate(W):
        seen = slice(k * dilation, k * dilation + (T_out - 1) * stride + 1, stride)
        dW.append(np.tensordot(padded[:, seen], dy, axes=((0, 1), (0, 1))))
        dpadded[:, seen] += np.einsum("ntj,cj->ntc", dy, tap)
    return [dpadded[:, left : padded.shape[1] - right], np.stack(dW), np.einsum("ntj->j", dy)]


def back_by_a_matrix_over_time(dy, x, W, b, stride=1, padding="valid", dilation=1):
    T, K, T_out = x.shape[1], len(W), dy.shape[1]
    left, _ = margins(T, K, stride, padding, dilation)
    places = np.arange(T_out)[:, None] * stride + np.arange(K) * dilation - left
    sees = (places[:, :, None] == np.arange(T)).astype(float)  # (T_out, K, T)
    dx = np.einsum("tki,ntj,kcj->nic", sees, dy, W)
    return dx, np.einsum("tki,nic,ntj->kcj", sees, x, dy), np.ones(len(dy)) @ dy.sum(axis=1)


def back_step_by_step(dy, x, W, b, stride=1, padding="valid", dilation=1):
    (N, T, _), K = x.shape, len(W)
    left, _ = margins(T, K, stride, padding, dilation)
    dx, dW, db = np.zeros(x.shape), np.zeros(W.shape), np.zeros(b.shape)
    for n in range(N):
        for t, upstream in enumerate(dy[n]):
            db += upstream
            for k in range(K):
                i = t * stride + k * dilation - left
                if 0 <= i < T:
                    dx[n, i] += W[k] @ upstream
                    dW[k] += np.outer(x[n, i], upstream)
    return dx, dW, db


def back_by_autograd(dy, x, W, b, stride=1, padding="valid", dilation=1):
    leaves = [torch.tensor(value, requires_grad=True) for value in (x, W, b)]
    y = convolution_through_torch(*leaves, stride, padding, dilation)
    return torch.autograd.grad(y, leaves, torch.tensor(dy))


def pool_in_plain_loops(x, size, stride=None, padding=0):
    N, T, C = x.shape
    y = []
    for n in range(N):
        starts = range(-padding, T + padding - size + 1, stride or size)
        windows = [x[n, max(s, 0) : s + size] for s in starts]
        y.append([[max(window[:, c]) for c in range(C)] for window in windows])
    return np.array(y)


def pool_by_slices(x, size, stride=None, padding=0):
    stride = stride or size
    nothing = np.full((len(x), padding, x.shape[2]), np.finfo(x.dtype).min)
    padded = np.concatenate([nothing, x, nothing], axis=1)
    T_out = 1 + (padded.shape[1] - size) // stride
    return functools.reduce(np.maximum, [padded[:, k:][:, : T_out * stride : stride][:, :T_out] for k in range(size)])


def pool_by_sorting(x, size, stride=None, padding=0):
    padded = np.pad(x.astype(float), ((0, 0), (padding, padding), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, :: stride or size]
    return np.sort(windows, axis=-1)[..., -1]


def pool_through_torch(x, size, stride=None, padding=0):
    padded = nn.functional.pad(torch.as_tensor(x), (0, 0, padding, padding), value=-torch.inf)
    return padded.unfold(1, size, size if stride is None else stride).amax(dim=3)


def pool_back_in_plain_loops(dy, x, size, stride=None, padding=0):
    N, T, C = x.shape
    dx = np.zeros(x.shape)
    for n in range(N):
        for t in range(dy.shape[1]):
            start = t * (stride or size) - padding
            seen = range(max(start, 0), min(start + size, T))
            for c in range(C):
                dx[n, max(seen, key=lambda i, n=n, c=c: x[n, i, c]), c] += dy[n, t, c]
    return dx


def pool_back_by_masks(dy, x, size, stride=None, padding=0):
    T, T_out, stride = x.shape[1], dy.shape[1], stride or size
    padded = np.pad(x, ((0, 0), (padding, padding), (0, 0)), constant_values=-np.inf)
    taps = [padded[:, k : k + (T_out - 1) * stride + 1 : stride] for k in range(size)]
    largest, free = np.max(taps, axis=0), np.ones(dy.shape, bool)
    dpadded = np.zeros(padded.shape)
    for k, tap in enumerate(taps):
        wins = free & (tap == largest)
        dpadded[:, k : k + (T_out - 1) * stride + 1 : stride] += wins * dy
        free &= ~wins
    return (dpadded[:, padding : padding + T],)


def pool_back_with_add_at(dy, x, size, stride=None, padding=0):
    (N, _, C), T_out = x.shape, dy.shape[1]
    padded = np.pad(x, ((0, 0), (padding, padding), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, :: stride or size]
    step = windows.argmax(axis=-1) + np.arange(T_out)[:, None] * (stride or size) - padding
    dx = np.zeros_like(x)
    np.add.at(dx, (np.arange(N)[:, None, None], step, np.arange(C)), dy)
    return dx


def pool_back_by_autograd(dy, x, size, stride=None, padding=0):
    leaf = torch.tensor(x, requires_grad=True)
    padded = nn.functional.pad(leaf, (0, 0, padding, padding), value=-torch.inf)
    windows = padded.unfold(1, size, size if stride is None else stride)
    y = windows.gather(3, windows.argmax(dim=3, keepdim=True))[..., 0]
    return torch.autograd.grad(y, leaf, torch.tensor(dy))


def field_from_the_top_down(layers):
    seen = 1
    for K, stride, dilation in reversed(layers):
        seen = (seen - 1) * stride + dilation * (K - 1) + 1
    return seen


def field_by_recursion(layers):
    if not layers:
        return 1
    (K, stride, dilation), *above = layers
    return (field_by_recursion(above) - 1) * stride + dilation * (K - 1) + 1


def field_by_products(layers):
    strides = [stride for _, stride, _ in layers]
    return 1 + sum(d * (K - 1) * math.prod(strides[:i]) for i, (K, _, d) in enumerate(layers))


def field_with_arrays(layers):
    K, stride, dilation = np.array(layers, dtype=int).reshape(-1, 3).T
    return 1 + np.sum(dilation * (K - 1) * np.cumprod([1, *stride])[:-1])


class WithSlices(nn.Module):
    """A slice for each tap, zeros by `new_zeros`."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, dilation=1, causal=False):
        super().__init__()
        self.K, self.s, self.d, self.causal = kernel_size, stride, dilation, causal
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x):
        if self.causal:
            x = torch.cat([x.new_zeros(x.shape[0], x.shape[1], self.d * (self.K - 1)), x], dim=-1)
        count = (x.shape[-1] - self.d * (self.K - 1) - 1) // self.s + 1
        y = self.bias.view(1, -1, 1)
        for k in range(self.K):
            y = y + self.weight[:, :, k] @ x[..., k * self.d :][..., :: self.s][..., :count]
        return y


class WithGatheredSteps(nn.Module):
    """An index of steps, and one linear map over all taps and channels."""

    def __init__(self, C_in, C_out, K, stride=1, dilation=1, causal=False):
        super().__init__()
        self.options = K, stride, dilation, causal
        self.weight = nn.Parameter(torch.rand(C_out, C_in, K) - 0.5)
        self.bias = nn.Parameter(torch.rand(C_out) - 0.5)

    def forward(self, x):
        K, stride, dilation, causal = self.options
        x = nn.functional.pad(x, (dilation * (K - 1) * causal, 0))
        starts = torch.arange(0, x.shape[2] - dilation * (K - 1), stride, device=x.device)
        steps = starts[:, None] + torch.arange(K, device=x.device) * dilation
        windows = x[:, :, steps].movedim(2, 1).flatten(2)  # (N, T_out, C_in K)
        return nn.functional.linear(windows, self.weight.flatten(1), self.bias).mT


class WithUnfoldedImages(nn.Module):
    """`nn.functional.unfold`, which cuts windows out of images, on an image of one row."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, dilation=1, causal=False):
        super().__init__()
        self.kernel_size, self.stride, self.dilation = kernel_size, stride, dilation
        self.before = (kernel_size - 1) * dilation if causal else 0
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, kernel_size).normal_())
        self.bias = nn.Parameter(torch.empty(out_channels).normal_())

    def forward(self, x):
        image = nn.functional.pad(x, (self.before, 0)).unsqueeze(2)
        columns = nn.functional.unfold(image, (1, self.kernel_size), dilation=self.dilation, stride=self.stride)
        return torch.matmul(self.weight.reshape(len(self.weight), -1), columns) + self.bias.unsqueeze(1)


def swing():
    step = np.arange(8)
    return 3 * np.exp(-step / 4) * np.cos(2 * np.pi * step / 5)


def by_trying_all_places(x):
    answers = []
    for recording in np.asarray(x, dtype=float)[:, :32]:
        of_swing = np.correlate(recording, swing(), "valid")
        of_reverse = np.correlate(recording, swing()[::-1], "valid")
        tried = [(of_swing[i] + of_reverse[j], j < i) for i in range(25) for j in range(25) if abs(i - j) >= 8]
        answers.append(max(tried)[1])
    return np.array(answers)


def with_a_probability(x):
    return np.where(by_trying_all_places(x), 0.97, 0.04)


def as_a_list_of_answers(x):
    return [int(answer) for answer in by_trying_all_places(x)]


HONEST = {
    "output_length": [by_moving_a_window, by_the_formula, as_a_whole_float, by_recursion],
    "conv1d_forward": [
        convolution_in_plain_loops,
        convolution_as_one_product,
        convolution_by_a_matrix_over_time,
        convolution_thinned_afterwards,
        convolution_through_torch,
    ],
    "conv1d_backward": [back_by_slices, back_by_a_matrix_over_time, back_step_by_step, back_by_autograd],
    "max_pool1d_forward": [pool_in_plain_loops, pool_by_slices, pool_by_sorting, pool_through_torch],
    "max_pool1d_backward": [
        pool_back_in_plain_loops,
        pool_back_by_masks,
        pool_back_with_add_at,
        pool_back_by_autograd,
    ],
    "receptive_field": [field_from_the_top_down, field_by_recursion, field_by_products, field_with_arrays],
    "Conv1D": [WithSlices, WithGatheredSteps, WithUnfoldedImages],
    "which_first": [by_trying_all_places, with_a_probability, as_a_list_of_answers],
}
