r"""Convolution and max pooling over time as ``torch.nn.Module``: drop-ins from elementary operations.

.. math::

    y_{j, t} &= b_j + \sum_{c, k} \text{weight}_{j, c, k}\, x_{c,\, t s + k d - p}   && \text{Conv1d} \\
    y_{c, t} &= \max_{0 \le k < K} x_{c,\, t s + k d - p}                            && \text{MaxPool1d}

with stride ``s``, dilation ``d`` and padding ``p``. Channels come before time, as in ``torch.nn``: ``x (N, C, L)``,
``weight (C_out, C_in / groups, K)``, ``bias (C_out,)``. Source: the documentation of ``torch.nn.Conv1d`` and
``torch.nn.MaxPool1d``. The backward pass is autograd's.
"""

from __future__ import annotations

import math
import operator

import torch
from torch import Tensor, nn

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class Conv1d(nn.Module):
    """A convolution over time: constructor, ``state_dict``, ``forward`` and output of ``torch.nn.Conv1d``.

    Args:
        padding: steps on each side, ``"valid"`` for none, or ``"same"`` for as many as keep the length (stride 1 only).
        groups: input and output channels fall into so many blocks, and a block sees only its own.
        padding_mode: what stands in the padding: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    Raises:
        ValueError: a size or option does not fit.

    >>> tuple(Conv1d(3, 4, kernel_size=3, stride=2, padding=1)(torch.zeros(2, 3, 10)).shape)
    (2, 4, 5)
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] = 1,
        padding: str | int | tuple[int] = 0,
        dilation: int | tuple[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        self.in_channels, self.out_channels = (
            _whole("in_channels", in_channels, 1),
            _whole("out_channels", out_channels, 1),
        )
        self.kernel_size = (_whole("kernel_size", kernel_size, 1),)
        self.stride, self.dilation = (_whole("stride", stride, 1),), (_whole("dilation", dilation, 1),)
        self.padding = padding if isinstance(padding, str) else (_whole("padding", padding, 0),)
        self.groups, self.padding_mode = _whole("groups", groups, 1), padding_mode
        if padding_mode not in PADDING_MODES:
            raise ValueError(
                f"padding_mode: got {padding_mode!r}; expected one of {', '.join(map(repr, PADDING_MODES))}"
            )
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"padding: got {padding!r}; expected 'same', 'valid' or a number of steps")
        if padding == "same" and self.stride != (1,):
            raise ValueError(f"padding: got 'same' with stride {stride}; expected stride 1, or padding as a number")
        if in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups: got {groups} groups for {in_channels} channels in and {out_channels} out; expected a divisor "
                "of both"
            )
        self.weight = nn.Parameter(
            torch.empty(out_channels, in_channels // groups, *self.kernel_size, device=device, dtype=dtype)
        )
        self.register_parameter(
            "bias", nn.Parameter(torch.empty(out_channels, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every parameter from ``U(−1/√n, 1/√n)``, where an output sums ``n = C_in / groups · K`` products."""
        bound = 1 / math.sqrt(self.weight[0].numel())
        for parameter in self.parameters(recurse=False):
            nn.init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        said = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        said += f", padding={self.padding}" if self.padding != (0,) else ""
        said += f", dilation={self.dilation}" if self.dilation != (1,) else ""
        said += f", groups={self.groups}" if self.groups != 1 else ""
        said += ", bias=False" if self.bias is None else ""
        return said + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")

    def forward(self, input: Tensor) -> Tensor:
        """``input (N, C_in, L)`` or ``(C_in, L)`` gives ``(N, C_out, L_out)`` or ``(C_out, L_out)``.

        Raises:
            ValueError: the channels do not fit, or the input is shorter than one window.
        """
        if input.dim() not in (2, 3) or input.shape[-2] != self.in_channels:
            raise ValueError(
                f"input: got shape {tuple(input.shape)}; expected (N, {self.in_channels}, L) or ({self.in_channels}, L)"
            )
        if input.dim() == 2:
            return self.forward(input.unsqueeze(0)).squeeze(0)
        (K,), (stride,), (dilation,) = self.kernel_size, self.stride, self.dilation
        left, right = self._padding()
        L_out = _windows(input.shape[-1], left + right, K, stride, dilation)
        x = _pad(input, left, right, self.padding_mode)
        N, g, C_in, C_out = len(x), self.groups, self.in_channels // self.groups, self.out_channels // self.groups

        # Tap k of every window is a slice of x. One row a window, one block of rows a group, then one product a group.
        x = x.unflatten(1, (g, C_in)).permute(1, 0, 3, 2)  # (g, N, L, C_in)
        taps = [x[:, :, k * dilation : k * dilation + L_out * stride : stride] for k in range(K)]
        windows = torch.stack(taps, dim=-1).reshape(g, N * L_out, C_in * K)
        y = windows @ self.weight.reshape(g, C_out, C_in * K).transpose(1, 2)  # (g, N·L_out, C_out)
        y = y.view(g, N, L_out, C_out).permute(1, 0, 3, 2).reshape(N, self.out_channels, L_out).contiguous()
        return y if self.bias is None else y + self.bias.to(y.dtype)[:, None]

    def _padding(self) -> tuple[int, int]:
        """Steps before and after the input; where ``"same"`` needs an odd number, the one more stands after it."""
        if self.padding == "same":
            both = self.dilation[0] * (self.kernel_size[0] - 1)
            return both // 2, both - both // 2
        return (0, 0) if self.padding == "valid" else (int(self.padding[0]), int(self.padding[0]))


class MaxPool1d(nn.Module):
    """The largest value of each window: constructor, ``forward`` and output of ``torch.nn.MaxPool1d``.

    Of equal values the first counts as the maximum; of several NaN, the last. The padding, minus infinity, never wins.

    Args:
        stride: steps from one window to the next, ``kernel_size`` if None; padding: at most half of ``kernel_size``.
        return_indices: return ``(output, indices)``: the step of ``input`` at which each maximum stands.
        ceil_mode: keep a last window that runs over the right end, if it starts in the input or the left padding.

    Raises:
        ValueError: a size or option does not fit.

    >>> MaxPool1d(2, return_indices=True)(torch.tensor([[1.0, 3.0, 2.0, 2.0]]))
    (tensor([[3., 2.]]), tensor([[1, 2]]))
    """

    def __init__(
        self,
        kernel_size: int | tuple[int],
        stride: int | tuple[int] | None = None,
        padding: int | tuple[int] = 0,
        dilation: int | tuple[int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        size = _whole("kernel_size", kernel_size, 1)
        if _whole("padding", padding, 0) > size // 2:
            raise ValueError(f"padding: got {padding}; expected at most {size // 2}, half of kernel_size = {size}")
        self.kernel_size, self.padding, self.dilation = kernel_size, padding, dilation
        self.stride = kernel_size if stride is None else stride
        self.return_indices, self.ceil_mode = return_indices, ceil_mode
        self._numbers()

    def _numbers(self) -> tuple[int, int, int, int]:
        """Size, stride, padding and dilation as numbers: the attributes keep the form that the caller gave them."""
        return (
            _whole("kernel_size", self.kernel_size, 1),
            _whole("stride", self.stride, 1),
            _whole("padding", self.padding, 0),
            _whole("dilation", self.dilation, 1),
        )

    def extra_repr(self) -> str:
        names = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")
        return ", ".join(f"{name}={getattr(self, name)}" for name in names)

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """``input (N, C, L)`` or ``(C, L)`` gives ``(N, C, L_out)`` or ``(C, L_out)``, and indices if asked.

        Raises:
            ValueError: the number of axes does not fit, or the input is shorter than one window.
        """
        if input.dim() not in (2, 3):
            raise ValueError(f"input: got shape {tuple(input.shape)}; expected (N, C, L) or (C, L)")
        indices = self._winners(input.detach())
        L = input.shape[-1]
        # Gathering is what lets autograd send a gradient back to the step that won, and to no other.
        output = input.gather(-1, indices.clamp(max=L - 1))
        if self._numbers()[3] > L > 0:  # taps so far apart that a window can step over the whole input
            output = output.masked_fill(indices >= L, -torch.inf)
        return (output, indices) if self.return_indices else output

    def _winners(self, x: Tensor) -> Tensor:
        """The step of ``x (…, L)`` at which each window has its maximum, ``(…, L_out)``."""
        size, stride, padding, dilation = self._numbers()
        L = x.shape[-1]
        L_out = _windows(L, 2 * padding, size, stride, dilation, stride - 1 if self.ceil_mode else 0)
        if self.ceil_mode and (L_out - 1) * stride >= L + padding:
            L_out -= 1
        starts = torch.arange(L_out, device=x.device) * stride - padding
        # A window's first step that is not padding on the left wins, until a later one is larger.
        first = starts + dilation * torch.clamp(-(starts // dilation), min=0)
        winner = first.expand(*x.shape[:-1], L_out)
        best = torch.full_like(winner, -torch.inf, dtype=x.dtype)
        for k in range(size if L else 0):
            steps = starts + k * dilation
            inside = (steps >= 0) & (steps < L)
            value = x.index_select(-1, steps.clamp(0, L - 1))
            better = inside & ((value > best) | value.isnan())
            best, winner = torch.where(better, value, best), torch.where(better, steps, winner)
        return winner.contiguous()


def _pad(x: Tensor, left: int, right: int, mode: str) -> Tensor:
    """``x (N, C, L)`` with ``left`` and ``right`` steps of padding: ``(N, C, left + L + right)``.

    ``"reflect"`` mirrors ``x`` about its first and last step, ``"replicate"`` repeats these, ``"circular"`` goes on at
    the other end.
    """
    L = x.shape[-1]
    if not left and not right or not L:
        return x
    most = {"reflect": L - 1, "circular": L}.get(mode, max(left, right))
    if max(left, right) > most:
        raise ValueError(
            f"input: got {L} steps with {max(left, right)} of padding on a side; expected at most {most} of padding "
            f"where padding_mode is {mode!r}"
        )
    if mode == "zeros":
        before, after = x.new_zeros(*x.shape[:-1], left), x.new_zeros(*x.shape[:-1], right)
    elif mode == "reflect":
        before, after = x[..., 1 : left + 1].flip(-1), x[..., L - 1 - right : L - 1].flip(-1)
    elif mode == "replicate":
        before, after = x[..., :1].expand(*x.shape[:-1], left), x[..., L - 1 :].expand(*x.shape[:-1], right)
    else:
        before, after = x[..., L - left :], x[..., :right]
    return torch.cat([before, x, after], dim=-1)


def _windows(L: int, padding: int, K: int, stride: int, dilation: int, spare: int = 0) -> int:
    """How many windows fit into ``L`` steps and ``padding`` on both sides together; none into an empty input."""
    extent = dilation * (K - 1) + 1
    count = (L + padding - extent + spare) // stride + 1
    if L and count < 1:
        raise ValueError(
            f"input: got {L} steps, {L + padding} with padding; expected at least {extent - spare}, for a window "
            f"of {K} taps with dilation {dilation}"
        )
    return count if L else 0


def _whole(name: str, value, least: int) -> int:
    """A number, or a tuple of one as ``torch.nn`` takes them; ``ValueError`` unless it is whole and large enough."""
    number = value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value
    if not hasattr(number, "__index__") or isinstance(number, bool) or number < least:
        raise ValueError(f"{name}: got {value!r}; expected a whole number of at least {least}")
    return operator.index(number)
