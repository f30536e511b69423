r"""What a deep recurrent network needs besides layers: dropout that draws one mask for a whole sequence.

.. math:: y_t = x_t \odot m, \qquad m_j = \frac{1}{1 - p} \text{ with probability } 1 - p, \text{ else } 0

Shapes: ``x (T, N, D)``, one mask ``m (N, D)`` for all steps. Layers and directions themselves are arguments of every
recurrent layer here, as in ``torch.nn``: ``num_layers``, ``bidirectional``, and ``dropout``, which draws a new mask at
every step. Source: Gal & Ghahramani (2016), "A theoretically grounded application of dropout in recurrent neural
networks", NeurIPS.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class VariationalDropout(nn.Module):
    """Dropout with the same mask at every step of a sequence; nothing happens outside training.

    Args:
        p: the probability that a feature of a sequence is dropped, from 0 to 1.
        batch_first: inputs are ``(N, T, D)``; else ``(T, N, D)``, or ``(T, D)`` for one sequence.

    Raises:
        ValueError: ``p`` is not a probability, or an input has another number of axes.

    Source: Gal & Ghahramani (2016), between layers.

    >>> y = VariationalDropout(0.5)(torch.ones(7, 2, 3))
    >>> tuple(y.shape), bool((y == y[0]).all())
    ((7, 2, 3), True)
    """

    def __init__(self, p: float = 0.5, batch_first: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"p: got {p}; expected a probability from 0 to 1")
        self.p, self.batch_first = p, batch_first

    def extra_repr(self) -> str:
        return f"p={self.p}, batch_first={self.batch_first}"

    def forward(self, input: Tensor) -> Tensor:
        """``input (T, N, D)``, or ``(N, T, D)`` with ``batch_first``, or ``(T, D)``, gives the same shape."""
        if input.dim() not in (2, 3):
            raise ValueError(f"input: got shape {tuple(input.shape)}; expected 2 or 3 axes")
        if not self.training or self.p == 0:
            return input
        time = 1 if self.batch_first and input.dim() == 3 else 0
        shape = list(input.shape)
        shape[time] = 1
        return input * nn.functional.dropout(torch.ones(shape, dtype=input.dtype, device=input.device), self.p)
