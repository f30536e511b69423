"""Right answers to the exercises on gradient problems, in the many forms in which people write them."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import nn

from tests.grading.answers import answers

# --- Jacobians --------------------------------------------------------------------------------------------------------


def jacobian_with_loops(h_t, W_h):
    N, H = h_t.shape
    J = np.zeros((N, H, H))
    for n in range(N):
        for i in range(H):
            for j in range(H):
                J[n, i, j] = (1 - h_t[n, i] ** 2) * W_h[j, i]
    return J


def jacobian_with_diagonal_matrices(h_t, W_h):
    return np.array([np.diag(1 - h * h) @ W_h.T for h in h_t])


def jacobian_with_einsum(h_t, W_h):
    return np.einsum("ni,ji->nij", (1 - h_t) * (1 + h_t), W_h)


def product_each_sequence_alone(h, W_h, lengths=None):
    found = []
    for n in range(len(h)):
        product = np.eye(len(W_h))
        for t in range(h.shape[1] if lengths is None else int(lengths[n])):
            product = np.diag(1 - h[n, t] ** 2).dot(W_h.T).dot(product)
        found.append(product)
    return np.array(found)


def product_from_the_newest(h, W_h, lengths=None):
    N, T, H = h.shape
    running = np.ones((N, T)) if lengths is None else np.arange(T) < np.asarray(lengths)[:, None]
    J = np.where(running[..., None, None], np.einsum("nti,ji->ntij", 1 - h**2, W_h), np.eye(H))
    product = np.broadcast_to(np.eye(H), (N, H, H))
    for t in range(T)[::-1]:
        product = product @ J[:, t]
    return product


def product_with_reduce(h, W_h, lengths=None):
    def one(states):
        return functools.reduce(lambda P, h_t: ((1 - h_t**2) * (P.T @ W_h)).T, states, np.eye(len(W_h)))

    ends = [h.shape[1]] * len(h) if lengths is None else lengths
    return np.stack([one(states[:end]) for states, end in zip(h, ends)])


def norms_from_jacobians(dh, dh_last, h, W_h):
    """Every path from an output to a state, one by one."""
    N, T, _ = h.shape
    norms = np.zeros((N, T))
    for n in range(N):
        for t in range(T):
            g, J = dh[n, t].astype(float), np.eye(len(W_h))
            for later in range(t + 1, T):
                J = np.diag(1 - h[n, later] ** 2) @ W_h.T @ J
                g = g + J.T @ dh[n, later]
            norms[n, t] = math.hypot(*(g + J.T @ dh_last[n]))
    return norms


def norms_appended(dh, dh_last, h, W_h):
    gradients, g = [], np.array(dh_last)
    for t in range(h.shape[1] - 1, -1, -1):
        g = g + dh[:, t]
        gradients.append(g)
        g = np.einsum("nj,nj,ij->ni", g, 1 - h[:, t] ** 2, W_h)
    return np.linalg.norm(np.stack(gradients[::-1], axis=1), axis=2)


def norms_recursively(dh, dh_last, h, W_h):
    def from_step(t):
        if t == h.shape[1] - 1:
            return [dh[:, t] + dh_last]
        later = from_step(t + 1)
        return [dh[:, t] + (later[0] * (1 - h[:, t + 1] ** 2)).dot(W_h.T), *later]

    return np.array([np.linalg.norm(g, axis=-1) for g in from_step(0)]).T


# --- clipping ---------------------------------------------------------------------------------------------------------


def norm_of_one_long_vector(dW_x, dW_h, db, max_norm):
    norm = np.linalg.norm(np.concatenate([dW_x.ravel(), dW_h.ravel(), db]))
    if norm <= max_norm:
        return dW_x.copy(), dW_h.copy(), db.copy(), norm
    return dW_x * max_norm / norm, dW_h * max_norm / norm, db * max_norm / norm, norm


def norm_as_torch_does(dW_x, dW_h, db, max_norm):
    parameters = [nn.Parameter(torch.tensor(g)) for g in (dW_x, dW_h, db)]
    for parameter in parameters:
        parameter.grad = parameter.detach().clone()
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    return [*(parameter.grad for parameter in parameters), norm]


def norm_in_plain_python(dW_x, dW_h, db, max_norm):
    norm = math.sqrt(math.fsum(float(entry) ** 2 for g in (dW_x, dW_h, db) for entry in g.flat))
    scale = min(1.0, max_norm / (norm + 1e-12))
    return scale * dW_x, scale * dW_h, scale * db, norm


def value_with_minimum_and_maximum(dW_x, dW_h, db, value):
    return [np.maximum(np.minimum(g, value), -value) for g in (dW_x, dW_h, db)]


def value_with_masks(dW_x, dW_h, db, value):
    clipped = []
    for g in (dW_x.copy(), dW_h.copy(), db.copy()):
        g[g > value] = value
        g[g < -value] = -value
        clipped.append(g)
    return tuple(clipped)


def value_with_signs(dW_x, dW_h, db, value):
    return tuple(np.sign(g) * np.minimum(np.abs(g), value) for g in (dW_x, dW_h, db))


# --- a first matrix ---------------------------------------------------------------------------------------------------


def orthogonal_by_gram_schmidt(normal, gain):
    A = normal if len(normal) >= normal.shape[1] else normal.T
    columns: list[np.ndarray] = []
    for a in A.T:
        for q in columns:
            a = a - (q @ a) * q
        columns.append(a / np.linalg.norm(a))
    Q = np.stack(columns, axis=1)
    return gain * (Q if A is normal else Q.T)


def orthogonal_by_cholesky(normal, gain):
    """AᵀA = RᵀR, and the diagonal of a Cholesky factor is positive."""
    wide = normal.shape[0] < normal.shape[1]
    A = normal.T if wide else normal
    Q = np.linalg.solve(np.linalg.cholesky(A.T @ A), A.T).T
    return gain * Q.T if wide else gain * Q


def orthogonal_in_torch(normal, gain):
    A = torch.tensor(normal)
    wide = A.shape[0] < A.shape[1]
    Q, R = torch.linalg.qr(A.T if wide else A)
    Q = Q @ torch.diag(torch.diagonal(R).sign())
    return gain * (Q.T if wide else Q)


# --- Adam -------------------------------------------------------------------------------------------------------------


def adam_of_torch(p, g, m, v, t, lr, beta1, beta2, eps):
    weight = nn.Parameter(torch.tensor(p))
    optimiser = torch.optim.Adam([weight], lr=lr, betas=(beta1, beta2), eps=eps)
    state = {"step": torch.tensor(float(t - 1)), "exp_avg": torch.tensor(m), "exp_avg_sq": torch.tensor(v)}
    optimiser.state[weight] = state
    weight.grad = torch.tensor(g)
    optimiser.step()
    return weight.detach(), state["exp_avg"], state["exp_avg_sq"]


def adam_entry_by_entry(p, g, m, v, t, lr, beta1, beta2, eps):
    p, m, v = p.copy(), m.copy(), v.copy()
    for index in np.ndindex(p.shape):
        m[index] += (1 - beta1) * (g[index] - m[index])
        v[index] += (1 - beta2) * (g[index] ** 2 - v[index])
        root = math.sqrt(v[index] / (1 - math.pow(beta2, t)))
        p[index] -= lr * m[index] / (1 - math.pow(beta1, t)) / (root + eps)
    return p, m, v


def adam_with_one_step_size(p, g, m, v, t, lr, beta1, beta2, eps):
    """The corrections gathered in the step size, and eps made to fit."""
    m, v = np.average([m, g], axis=0, weights=[beta1, 1 - beta1]), beta2 * v + (1 - beta2) * np.square(g)
    root = (1 - beta2**t) ** 0.5
    return p - (lr * root / (1 - beta1**t)) * m / (v**0.5 + eps * root), m, v


# --- ClippedRNN -------------------------------------------------------------------------------------------------------


class Limit(torch.autograd.Function):
    @staticmethod
    def forward(ctx, state, max_norm):
        ctx.max_norm = max_norm
        return state.clone()

    @staticmethod
    def backward(ctx, gradient):
        norm = gradient.norm(dim=-1, keepdim=True)
        return torch.where(norm > ctx.max_norm, gradient * ctx.max_norm / norm, gradient), None


class WithAFunction(nn.Module):
    def __init__(self, input_size, hidden_size, max_norm):
        super().__init__()
        layer = answers("gradient_problems")["RNNLayer"](input_size, hidden_size)
        self.weight_ih_l0, self.weight_hh_l0 = layer.weight_ih_l0, layer.weight_hh_l0
        self.bias_ih_l0, self.bias_hh_l0 = layer.bias_ih_l0, layer.bias_hh_l0
        self.max_norm = max_norm

    def forward(self, x, h0=None):
        state, outputs = h0, []
        if state is None:
            state = torch.zeros(len(x), len(self.bias_hh_l0), dtype=x.dtype, device=x.device)
        for t in range(x.size(1)):
            total = torch.addmm(self.bias_ih_l0 + self.bias_hh_l0, x[:, t], self.weight_ih_l0.t())
            state = Limit.apply(torch.tanh(total + torch.mm(state, self.weight_hh_l0.t())), self.max_norm)
            outputs.append(state[:, None])
        return torch.cat(outputs, 1), state


class StepByStep(answers("gradient_problems")["RNNLayer"]):  # type: ignore[misc]
    """The given layer, one step at a time."""

    def __init__(self, input_size, hidden_size, max_norm):
        super().__init__(input_size, hidden_size)
        self.max_norm = max_norm

    def forward(self, x, h0=None):
        outputs, state = [], h0
        for part in x.split(1, dim=1):
            _, state = super().forward(part, state)
            state = state * 1.0
            if state.requires_grad:
                state.register_hook(lambda g: torch.renorm(g, p=2, dim=0, maxnorm=self.max_norm))
            outputs.append(state)
        return torch.stack(outputs, 1), state


class WithLinearLayersOutside(nn.Module):
    def __init__(self, input_size, hidden_size, max_norm):
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.randn(hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.eye(hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(hidden_size))
        self.max_norm = float(max_norm)

    def shortened(self, g):
        return g * torch.clamp(self.max_norm / (torch.linalg.vector_norm(g, dim=1, keepdim=True) + 1e-6), max=1.0)

    def forward(self, x, h0=None):
        ahead = nn.functional.linear(x, self.weight_ih_l0, self.bias_ih_l0)
        h = ahead.new_zeros(ahead[:, 0].shape) if h0 is None else h0
        outputs = []
        for total in ahead.unbind(1):
            h = (total + nn.functional.linear(h, self.weight_hh_l0, self.bias_hh_l0)).tanh()
            if h.requires_grad:
                h.register_hook(self.shortened)
            outputs += [h]
        return torch.stack(outputs, dim=1), outputs[-1]


HONEST = {
    "step_jacobian": [
        jacobian_with_loops,
        jacobian_with_diagonal_matrices,
        jacobian_with_einsum,
    ],
    "jacobian_product": [product_each_sequence_alone, product_from_the_newest, product_with_reduce],
    "gradient_norms": [norms_from_jacobians, norms_appended, norms_recursively],
    "clip_by_norm": [norm_of_one_long_vector, norm_as_torch_does, norm_in_plain_python],
    "clip_by_value": [value_with_minimum_and_maximum, value_with_masks, value_with_signs],
    "orthogonal_from": [orthogonal_by_gram_schmidt, orthogonal_by_cholesky, orthogonal_in_torch],
    "adam_step": [adam_of_torch, adam_entry_by_entry, adam_with_one_step_size],
    "ClippedRNN": [WithAFunction, StepByStep, WithLinearLayersOutside],
}
