r"""The recurrent layer as ``torch.nn.Module``: a drop-in for ``torch.nn.RNN`` from elementary operations.

.. math:: h_t = f(x_t W_{ih}^\top + b_{ih} + h_{t-1} W_{hh}^\top + b_{hh})

Shapes: ``weight_ih_l0 (H, D)``, ``weight_hh_l0 (H, H)``, two biases ``(H,)``. Source: Elman (1990), in the form that
the documentation of ``torch.nn.RNN`` gives. The backward pass is autograd's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from solutions.with_torch.recurrent_layer import Equations, RecurrentCell, RecurrentLayer, State, Weights

NONLINEARITIES = {"tanh": torch.tanh, "relu": torch.relu}


class RNNEquations(Equations):
    """What :class:`RNN` and :class:`RNNCell` share: one gate, one state, one step."""

    nonlinearity: str

    def step(self, from_input: Tensor, state: State, w: Weights) -> State:
        a = from_input + state[0] @ w.hh.T
        return (NONLINEARITIES[self.nonlinearity](a if w.bias_hh is None else a + w.bias_hh),)


class RNN(RNNEquations, RecurrentLayer):
    """A recurrent layer: constructor, ``state_dict``, ``forward`` and outputs of ``torch.nn.RNN``.

    ``forward`` takes ``lengths`` besides: see :class:`RecurrentLayer`.

    Raises:
        ValueError: a size, the dropout or the nonlinearity's name does not fit.

    >>> output, h_n = RNN(3, 4, batch_first=True)(torch.zeros(2, 5, 3))
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
    ) -> None:
        check_nonlinearity(nonlinearity)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype)
        self.nonlinearity = nonlinearity


class RNNCell(RNNEquations, RecurrentCell):
    """One step of a recurrent layer, as ``torch.nn.RNNCell``: ``h' = f(x W_ihᵀ + b_ih + h W_hhᵀ + b_hh)``.

    Raises:
        ValueError: a size, the nonlinearity's name or an input's shape does not fit.

    >>> tuple(RNNCell(3, 4)(torch.zeros(2, 3)).shape)
    (2, 4)
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device=None, dtype=None
    ) -> None:
        check_nonlinearity(nonlinearity)
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity


def check_nonlinearity(nonlinearity: str) -> None:
    """Raise ``ValueError`` unless the name is one that ``torch.nn.RNN`` knows."""
    if nonlinearity not in NONLINEARITIES:
        raise ValueError(f"nonlinearity: got {nonlinearity!r}; expected 'tanh' or 'relu'")
