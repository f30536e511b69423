r"""The LSTM as ``torch.nn.Module``: drop-ins for ``torch.nn.LSTM`` and ``torch.nn.LSTMCell``.

.. math::

    i, f, g, o &= x_t W_{ih}^\top + b_{ih} + h_{t-1} W_{hh}^\top + b_{hh}   && \text{four blocks of } H \\
    c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g) \\
    h_t &= \sigma(o) \odot \tanh(c_t)

Shapes: ``weight_ih_l0 (4H, D)``, ``weight_hh_l0 (4H, H)``, two biases ``(4H,)``, in the gate order i, f, g, o. Source:
Hochreiter & Schmidhuber (1997), "Long short-term memory", *Neural Computation* 9(8), with the forget gate of Gers,
Schmidhuber & Cummins (2000), as the documentation of ``torch.nn.LSTM`` has them. The backward pass is autograd's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from solutions.with_torch.recurrent_layer import Equations, RecurrentCell, RecurrentLayer, State, Weights


class LSTMEquations(Equations):
    """What :class:`LSTM` and :class:`LSTMCell` share: four gates, the states ``(h, c)``, one step."""

    GATES = 4
    STATES = 2

    def project(self, x: Tensor, w: Weights) -> Tensor:
        """The inputs' share of every step and both biases, ``x W_ihᵀ + b_ih + b_hh``, in one product."""
        from_input = x @ w.ih.T
        return from_input if w.bias_ih is None or w.bias_hh is None else from_input + (w.bias_ih + w.bias_hh)

    def step(self, from_input: Tensor, state: State, w: Weights) -> State:
        h, c = state
        i, f, g, o = torch.addmm(from_input, h, w.hh.T).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class LSTM(LSTMEquations, RecurrentLayer):
    """A long short-term memory: constructor, ``state_dict``, ``forward`` and outputs of ``torch.nn.LSTM``.

    ``forward(input, (h_0, c_0), lengths)`` gives ``output, (h_n, c_n)``: see :class:`RecurrentLayer`.

    Raises:
        ValueError: a size, the dropout or an input does not fit, or ``proj_size`` is not 0: there are no projections.

    >>> output, (h_n, c_n) = LSTM(3, 4, num_layers=2, batch_first=True)(torch.zeros(2, 5, 3))
    >>> tuple(output.shape), tuple(h_n.shape), tuple(c_n.shape)
    ((2, 5, 4), (2, 2, 4), (2, 2, 4))
    """

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
    ) -> None:
        no_projection(proj_size)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)


class LSTMCell(LSTMEquations, RecurrentCell):
    """One step of an LSTM, as ``torch.nn.LSTMCell``: ``cell(x_t, (h, c))`` gives the new ``(h, c)``.

    Raises:
        ValueError: a size, an input's or a state's shape does not fit.

    >>> h, c = LSTMCell(3, 4)(torch.zeros(2, 3))
    >>> tuple(h.shape), tuple(c.shape)
    ((2, 4), (2, 4))
    """


def no_projection(proj_size: int) -> None:
    """Raise ``ValueError`` unless ``proj_size`` is 0, its default in ``torch.nn.LSTM``."""
    if proj_size:
        raise ValueError(f"proj_size: got {proj_size}; expected 0, as this layer has no projection of its output")
