r"""The GRU as ``torch.nn.Module``: drop-ins for ``torch.nn.GRU`` and ``torch.nn.GRUCell``, with both reset conventions.

.. math::

    r &= \sigma(x_t W_{ir}^\top + b_{ir} + h_{t-1} W_{hr}^\top + b_{hr}) \\
    z &= \sigma(x_t W_{iz}^\top + b_{iz} + h_{t-1} W_{hz}^\top + b_{hz}) \\
    n &= \tanh(x_t W_{in}^\top + b_{in} + r \odot (h_{t-1} W_{hn}^\top + b_{hn})) && \text{reset after the product} \\
    n &= \tanh(x_t W_{in}^\top + b_{in} + (r \odot h_{t-1}) W_{hn}^\top + b_{hn}) && \text{reset before it} \\
    h_t &= (1 - z) \odot n + z \odot h_{t-1}                                      && z = 1 \text{ keeps the old state}

Shapes: ``weight_ih_l0 (3H, D)``, ``weight_hh_l0 (3H, H)``, two biases ``(3H,)``, in the gate order r, z, n. The two
biases merge, except those of n where the reset comes after the product. Source: Cho et al. (2014), "Learning phrase
representations using RNN encoder–decoder", reset before the product; the documentation of ``torch.nn.GRU``, after it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from solutions.with_torch.recurrent_layer import Equations, RecurrentCell, RecurrentLayer, State, Weights


class GRUEquations(Equations):
    """What :class:`GRU` and :class:`GRUCell` share: three gates, the state ``h``, one step in either convention."""

    GATES = 3
    reset_after: bool

    def step(self, from_input: Tensor, state: State, w: Weights) -> State:
        return (self.after(from_input, state[0], w) if self.reset_after else self.before(from_input, state[0], w),)

    def after(self, from_input: Tensor, h: Tensor, w: Weights) -> Tensor:
        """One step with the reset after the product: ``b_hn`` stays inside ``r ⊙ (…)``."""
        x_r, x_z, x_n = from_input.chunk(3, dim=-1)
        h_r, h_z, h_n = linear(h, w.hh, w.bias_hh).chunk(3, dim=-1)
        r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
        n = torch.tanh(x_n + r * h_n)
        return (1 - z) * n + z * h

    def before(self, from_input: Tensor, h: Tensor, w: Weights) -> Tensor:
        """One step with the reset before the product: what is reset is the state itself."""
        gates, H = 2 * self.hidden_size, self.hidden_size
        b_rz, b_n = (None, None) if w.bias_hh is None else w.bias_hh.split([gates, H])
        x_rz, x_n = from_input.split([gates, H], dim=-1)
        r, z = torch.sigmoid(x_rz + linear(h, w.hh[:gates], b_rz)).chunk(2, dim=-1)
        n = torch.tanh(x_n + linear(r * h, w.hh[gates:], b_n))
        return (1 - z) * n + z * h


class GRU(GRUEquations, RecurrentLayer):
    """A gated recurrent unit: constructor, ``state_dict``, ``forward`` and outputs of ``torch.nn.GRU``.

    Args:
        reset_after: True as in ``torch.nn.GRU``; False for Cho et al. (2014), with the same parameters.

    Raises:
        ValueError: a size, the dropout or an input does not fit.

    >>> output, h_n = GRU(3, 4, batch_first=True, reset_after=False)(torch.zeros(2, 5, 3))
    >>> tuple(output.shape), tuple(h_n.shape)
    ((2, 5, 4), (1, 2, 4))
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
        device=None,
        dtype=None,
        *,
        reset_after: bool = True,
    ) -> None:
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.reset_after = reset_after


class GRUCell(GRUEquations, RecurrentCell):
    """One step of a GRU, as ``torch.nn.GRUCell``; ``reset_after`` as in :class:`GRU`.

    Raises:
        ValueError: a size, an input's or a state's shape does not fit.

    >>> tuple(GRUCell(3, 4)(torch.zeros(2, 3)).shape)
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device=None,
        dtype=None,
        *,
        reset_after: bool = True,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.reset_after = reset_after
