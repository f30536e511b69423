r"""Layer normalisation as ``torch.nn.Module``: a drop-in for ``torch.nn.LayerNorm``, and an RNN, LSTM and GRU with it.

.. math:: \mathrm{LN}(a; \gamma, \beta) = \gamma \odot \frac{a - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

with the mean and variance of the features of one step of one sequence. In a recurrent layer it stands

.. math::

    h_t &= f(\mathrm{LN}(x_t W_{ih}^\top + h_{t-1} W_{hh}^\top) + b)      && \text{RNN: the norm of the sum} \\
    i, f, g, o &= \mathrm{LN}(x_t W_{ih}^\top) + \mathrm{LN}(h_{t-1} W_{hh}^\top) + b && \text{LSTM: over } 4H \\
    c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g)             && \text{carried as it is} \\
    h_t &= \sigma(o) \odot \tanh(\mathrm{LN}(c_t)) \\
    r, z &= \sigma(\mathrm{LN}(x_t W_{i,rz}^\top) + \mathrm{LN}(h_{t-1} W_{h,rz}^\top) + b) && \text{GRU: over } 2H \\
    n &= \tanh(\mathrm{LN}(x_t W_{in}^\top) + b_{in} + r \odot (\mathrm{LN}(h_{t-1} W_{hn}^\top) + b_{hn})) \\
    h_t &= (1 - z) \odot n + z \odot h_{t-1}

A norm in a recurrent layer has a gain of its own; what is added after it is ``bias_ih`` and ``bias_hh``, the biases of
``torch.nn``, so that a layer has the parameters of its twin in ``torch.nn``, and the gains. The norm of the inputs'
share, where it stands alone, is taken for all steps before the loop; a norm of the sum cannot be.

Source: Ba, Kiros & Hinton (2016), "Layer normalization", arXiv 1607.06450, section 3.1 for the RNN and the supplement
for LSTM and GRU, with z = 1 keeping the old state as in ``torch.nn.GRU``. The backward pass is autograd's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from solutions.with_torch.lstm import no_projection
from solutions.with_torch.recurrent_layer import RecurrentLayer, State, Weights
from solutions.with_torch.recurrent_neurons import NONLINEARITIES

HALF = (torch.float16, torch.bfloat16)


def layer_norm(
    x: Tensor, gamma: Tensor | None = None, beta: Tensor | None = None, eps: float = 1e-5, axes: int = 1
) -> Tensor:
    """``LN(x; gamma, beta)`` over the last ``axes`` axes; in half precision the sums are float32's, as in ``torch``.

    Args:
        x: ``(…, H)``; gamma, beta: the shape of those axes, or None for 1 and 0.

    Returns:
        A tensor like ``x``.

    Source: Ba et al. (2016), section 3, with ε under the root as in ``torch.nn.functional.layer_norm``.

    >>> layer_norm(torch.tensor([[1.0, 2.0, 3.0]]), eps=0.0)
    tensor([[-1.2247,  0.0000,  1.2247]])
    """
    dim = tuple(range(-axes, 0))
    wide = x.float() if x.dtype in HALF else x
    centred = wide - wide.mean(dim, keepdim=True)
    y = centred * torch.rsqrt((centred * centred).mean(dim, keepdim=True) + eps)
    y = y if gamma is None else y * gamma
    return (y if beta is None else y + beta).to(x.dtype)


class LayerNorm(nn.Module):
    """Layer normalisation: constructor, ``state_dict``, ``forward`` and outputs of ``torch.nn.LayerNorm``.

    Args:
        normalized_shape: the sizes of the last axes, over which mean and variance go; an int for one axis.

    Raises:
        ValueError: ``normalized_shape`` is empty or has a size below 1, or an input does not end in it.

    >>> LayerNorm(3)(torch.tensor([[1.0, 2.0, 3.0]])).detach()
    tensor([[-1.2247,  0.0000,  1.2247]])
    """

    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        if not shape or min(shape) < 1:
            raise ValueError(f"normalized_shape: got {normalized_shape}; expected one or more sizes above 0")
        self.normalized_shape, self.eps, self.elementwise_affine = shape, eps, elementwise_affine
        for name, present in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            empty = torch.empty(shape, device=device, dtype=dtype) if present else None
            self.register_parameter(name, None if empty is None else nn.Parameter(empty))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """``weight`` 1 and ``bias`` 0."""
        for name, parameter in self.named_parameters(recurse=False):
            nn.init.constant_(parameter, float(name == "weight"))

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"

    def forward(self, input: Tensor) -> Tensor:
        """``input (…, *normalized_shape)`` gives the same shape."""
        axes = len(self.normalized_shape)
        if tuple(input.shape[-axes:]) != self.normalized_shape:
            expected = ", ".join(map(str, self.normalized_shape))
            raise ValueError(f"input: got shape {tuple(input.shape)}; expected (…, {expected})")
        return layer_norm(input, self.weight, self.bias, self.eps, axes)


class LayerNormRNN(RecurrentLayer):
    """An RNN with the norm of the sum, right after the linear combination of input and state.

    The constructor is that of ``torch.nn.RNN`` and ``eps``; every layer and direction has ``gamma (H,)`` besides the
    parameters of ``torch.nn.RNN``.

    Raises:
        ValueError: a size, the dropout, the nonlinearity's name or an input does not fit.

    Source: Ba et al. (2016), section 3.1.

    >>> output, h_n = LayerNormRNN(3, 4, batch_first=True)(torch.zeros(2, 5, 3))
    >>> tuple(output.shape), tuple(h_n.shape)
    ((2, 5, 4), (1, 2, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device=None,
        dtype=None,
        *,
        eps: float = 1e-5,
    ) -> None:
        if nonlinearity not in NONLINEARITIES:
            raise ValueError(f"nonlinearity: got {nonlinearity!r}; expected 'tanh' or 'relu'")
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.nonlinearity, self.eps = nonlinearity, eps

    def shapes(self, width: int) -> dict[str, tuple[int, ...]]:
        return super().shapes(width) | {"gamma": (self.hidden_size,)}

    def project(self, x: Tensor, w: Weights) -> Tensor:
        """The inputs' share of every step, ``x W_ihᵀ``: the biases come after the norm."""
        return x @ w.ih.T

    def step(self, from_input: Tensor, state: State, w: Weights) -> State:
        bias = None if w.bias_ih is None or w.bias_hh is None else w.bias_ih + w.bias_hh
        a = layer_norm(torch.addmm(from_input, state[0], w.hh.T), w.extra["gamma"], bias, self.eps)
        return (NONLINEARITIES[self.nonlinearity](a),)


class LayerNormLSTM(RecurrentLayer):
    """An LSTM with three norms: of the inputs' share, of the state's share, and of the cell state where it is read.

    The constructor is that of ``torch.nn.LSTM`` and ``eps``; every layer and direction has ``gamma_ih (4H,)``,
    ``gamma_hh (4H,)``, ``gamma_c (H,)`` and ``beta_c (H,)`` besides the parameters of ``torch.nn.LSTM``. The ``c_n``
    that comes back is not normalised.

    Raises:
        ValueError: a size, the dropout or an input does not fit, or ``proj_size`` is not 0.

    Source: Ba et al. (2016), supplement.

    >>> output, (h_n, c_n) = LayerNormLSTM(3, 4, batch_first=True)(torch.zeros(2, 5, 3))
    >>> tuple(output.shape), tuple(h_n.shape), tuple(c_n.shape)
    ((2, 5, 4), (1, 2, 4), (1, 2, 4))
    """

    GATES = 4
    STATES = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device=None,
        dtype=None,
        *,
        eps: float = 1e-5,
    ) -> None:
        no_projection(proj_size)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.eps = eps

    def shapes(self, width: int) -> dict[str, tuple[int, ...]]:
        H = self.hidden_size
        norms = {"gamma_ih": (4 * H,), "gamma_hh": (4 * H,), "gamma_c": (H,), "beta_c": (H,)}
        return super().shapes(width) | norms

    def project(self, x: Tensor, w: Weights) -> Tensor:
        """The inputs' share of every step, ``LN(x W_ihᵀ) + b_ih``, for all steps at once."""
        return layer_norm(x @ w.ih.T, w.extra["gamma_ih"], w.bias_ih, self.eps)

    def step(self, from_input: Tensor, state: State, w: Weights) -> State:
        h, c = state
        a = from_input + layer_norm(h @ w.hh.T, w.extra["gamma_hh"], w.bias_hh, self.eps)
        i, f, g, o = a.chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(layer_norm(c, w.extra["gamma_c"], w.extra["beta_c"], self.eps)), c


class LayerNormGRU(RecurrentLayer):
    """A GRU with four norms: of the inputs' and of the state's share, each over r and z together and over n alone.

    The constructor is that of ``torch.nn.GRU`` and ``eps``; every layer and direction has ``gamma_ih (3H,)`` and
    ``gamma_hh (3H,)`` besides the parameters of ``torch.nn.GRU``. The reset comes after the product and its norm.

    Raises:
        ValueError: a size, the dropout or an input does not fit.

    Source: Ba et al. (2016), supplement, with z = 1 keeping the old state.

    >>> output, h_n = LayerNormGRU(3, 4, batch_first=True)(torch.zeros(2, 5, 3))
    >>> tuple(output.shape), tuple(h_n.shape)
    ((2, 5, 4), (1, 2, 4))
    """

    GATES = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device=None,
        dtype=None,
        *,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.eps = eps

    def shapes(self, width: int) -> dict[str, tuple[int, ...]]:
        rows = 3 * self.hidden_size
        return super().shapes(width) | {"gamma_ih": (rows,), "gamma_hh": (rows,)}

    def project(self, x: Tensor, w: Weights) -> Tensor:
        """The inputs' share of every step, both norms taken, for all steps at once."""
        return self.norms(x @ w.ih.T, w.extra["gamma_ih"], w.bias_ih)

    def norms(self, a: Tensor, gamma: Tensor, beta: Tensor | None) -> Tensor:
        """``a (…, 3H)`` with its first two blocks normalised together and the third alone."""
        parts = a.split([2 * self.hidden_size, self.hidden_size], dim=-1)
        y = torch.cat([layer_norm(part, eps=self.eps) for part in parts], dim=-1) * gamma
        return y if beta is None else y + beta

    def step(self, from_input: Tensor, state: State, w: Weights) -> State:
        h = state[0]
        x_r, x_z, x_n = from_input.chunk(3, dim=-1)
        h_r, h_z, h_n = self.norms(h @ w.hh.T, w.extra["gamma_hh"], w.bias_hh).chunk(3, dim=-1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        return ((1 - z) * n + z * h,)
