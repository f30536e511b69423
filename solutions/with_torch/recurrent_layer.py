r"""What every recurrent layer and cell of ``torch.nn`` does around its equations: layers, directions, batches, lengths.

A layer is a subclass of :class:`RecurrentLayer` that says how many blocks of ``hidden_size`` its weights hold
(``GATES``), how many state tensors it carries (``STATES``: 1, or 2 for an LSTM), and one step::

    def step(self, from_input, state, w): ...   # (N, G·H), tuple of (N, H), Weights -> tuple of new states

``from_input`` is ``x_t W_ihᵀ + b_ih``, computed for all steps in one product before the loop. The first state is the
output. A layer and its cell share their equations: both inherit from one class that has ``GATES``, ``STATES``,
``project`` and ``step``, and from :class:`RecurrentLayer` or :class:`RecurrentCell`. Names, shapes and initial values
of the parameters are those of ``torch.nn.RNN``, so that a ``state_dict`` loads both ways. Source of the semantics: the
documentation of ``torch.nn.RNN`` and of ``torch.nn.utils.rnn.pack_padded_sequence``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

State = tuple[Tensor, ...]


class Weights(NamedTuple):
    """The parameters of one layer and direction; both biases are None where ``bias=False``.

    ``extra`` holds what a subclass adds in ``shapes``, by name.
    """

    ih: Tensor
    hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None
    extra: dict[str, Tensor]


class Equations:
    """What a layer and its cell have in common: how many gates and states, the parameters' shapes, and one step."""

    GATES = 1
    STATES = 1
    hidden_size: int
    bias: bool

    def shapes(self, width: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of the parameters for inputs of ``width`` features, in the order of ``torch.nn``."""
        rows = self.GATES * self.hidden_size
        weights = {"weight_ih": (rows, width), "weight_hh": (rows, self.hidden_size)}
        return weights | ({"bias_ih": (rows,), "bias_hh": (rows,)} if self.bias else {})

    def project(self, x: Tensor, w: Weights) -> Tensor:
        """The inputs' share of every step, ``x W_ihᵀ + b_ih``, in one product."""
        from_input = x @ w.ih.T
        return from_input if w.bias_ih is None else from_input + w.bias_ih

    def step(self, from_input: Tensor, state: State, w: Weights) -> State:
        raise NotImplementedError(f"{type(self).__name__} must say what one step is")

    def weights_of(self, parameters: dict[str, Tensor]) -> Weights:
        """The parameters of one layer and direction, by the names of ``shapes``, in the form that ``step`` takes."""
        extra = dict(parameters)
        biases = extra.pop("bias_ih", None), extra.pop("bias_hh", None)
        return Weights(extra.pop("weight_ih"), extra.pop("weight_hh"), *biases, extra)


def draw(name: str, parameter: Tensor, hidden_size: int) -> None:
    """A parameter's first values: ``U(−1/√H, 1/√H)`` as in ``torch.nn``; for a norm, ``gamma`` 1 and ``beta`` 0."""
    bound = 1 / math.sqrt(hidden_size)
    if name.startswith(("gamma", "beta")):
        nn.init.constant_(parameter, float(name.startswith("gamma")))
    else:
        nn.init.uniform_(parameter, -bound, bound)


def check_sizes(**sizes: int) -> None:
    """Raise ``ValueError`` unless every size is at least 1."""
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}: got {size}; expected a whole number above 0")


class RecurrentLayer(Equations, nn.Module):
    """The common part of ``RNN``, ``LSTM``, ``GRU``: the constructor and ``forward`` of ``torch.nn.RNN``.

    Raises:
        ValueError: a size below 1, a dropout outside 0 to 1, or an input, state or lengths that do not fit.
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
    ) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout: got {dropout}; expected a probability from 0 to 1")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, float(dropout), bidirectional
        for layer in range(num_layers):
            width = input_size if layer == 0 else hidden_size * self.directions
            for suffix in self._suffixes(layer):
                for name, shape in self.shapes(width).items():
                    parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                    self.register_parameter(f"{name}_{suffix}", parameter)
        self.reset_parameters()

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _suffixes(self, layer: int) -> list[str]:
        return [f"l{layer}", f"l{layer}_reverse"][: self.directions]

    def reset_parameters(self) -> None:
        """Draw every parameter as ``torch.nn.RNN`` does, in its order: the same seed gives the same values."""
        for name, parameter in self.named_parameters(recurse=False):
            draw(name, parameter, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Nothing to do: ``torch.nn.RNN`` has it for cuDNN, so that code which calls it runs here too."""

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"

    def forward(self, input, hx=None, lengths=None):
        """Run the layer over a sequence.

        Args:
            input: ``(T, N, D)``, or ``(N, T, D)`` with ``batch_first``, or ``(T, D)`` for one sequence without a
                batch, or a ``PackedSequence``.
            hx: the initial state, ``(num_layers · directions, N, H)`` (a pair of them for an LSTM), or None for 0.
            lengths: ``(N,)`` steps of each sequence: outputs after the end are 0 and the state stops there. What
                the input holds after the end, NaN included, changes no output and no gradient.

        Returns:
            ``(output, h_n)`` as ``torch.nn.RNN``: ``output`` has ``H · directions`` features and the input's form.

        Raises:
            ValueError: a shape does not fit, or ``lengths`` comes with packed or unbatched input.
        """
        packed = isinstance(input, PackedSequence)
        if packed and lengths is not None:
            raise ValueError("lengths: got lengths and a PackedSequence, which has its own; give one of them")
        if packed:
            return self._forward_packed(input, hx)
        if input.dim() not in (2, 3) or input.shape[-1] != self.input_size:
            raise ValueError(f"input: got shape {tuple(input.shape)}; expected (…, {self.input_size}) with 2 or 3 axes")
        if input.dim() == 2:
            if lengths is not None:
                raise ValueError("lengths: got lengths for one unbatched sequence; cut the sequence instead")
            state = None if hx is None else tuple(s.unsqueeze(1) for s in states_of(hx, self.STATES))
            output, state = self._forward(input.unsqueeze(1), state, None)
            return output.squeeze(1), joined(tuple(s.squeeze(1) for s in state))
        x = input.transpose(0, 1) if self.batch_first else input
        output, state = self._forward(x, None if hx is None else states_of(hx, self.STATES), lengths)
        return (output.transpose(0, 1) if self.batch_first else output), joined(state)

    def _forward_packed(self, input: PackedSequence, hx):
        x, lengths = pad_packed_sequence(input)
        output, state = self._forward(x, None if hx is None else states_of(hx, self.STATES), lengths.to(x.device))
        # The same rows in the same order as came in, whatever order packing would choose today.
        order = input.sorted_indices
        if order is not None:
            output, lengths = output.index_select(1, order), lengths.to(x.device)[order]
        packed = pack_padded_sequence(output, lengths.cpu())
        packed = PackedSequence(packed.data, input.batch_sizes, input.sorted_indices, input.unsorted_indices)
        return packed, joined(state)

    def _forward(self, x: Tensor, hx: State | None, lengths: Tensor | None) -> tuple[Tensor, State]:
        """``x (T, N, D)`` through all layers; the states come back as ``(layers · directions, N, H)``."""
        T, N, _ = x.shape
        shape = (self.num_layers * self.directions, N, self.hidden_size)
        if hx is None:
            hx = tuple(x.new_zeros(shape) for _ in range(self.STATES))
        for s in hx:
            if tuple(s.shape) != shape:
                raise ValueError(f"hx: got shape {tuple(s.shape)}; expected {shape}")
        alive = alive_steps(lengths, N, T, x.device)
        if alive is not None:
            x = torch.where(alive, x, x.new_zeros(()))
        last: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction, suffix in enumerate(self._suffixes(layer)):
                first = tuple(s[layer * self.directions + direction] for s in hx)
                output, state = self._run(x, first, self._weights(suffix), alive, backward=direction == 1)
                outputs.append(output)
                last.append(state)
            x = torch.cat(outputs, dim=-1)
            if self.dropout and layer < self.num_layers - 1:
                x = nn.functional.dropout(x, self.dropout, self.training)
        return x, tuple(torch.stack([state[i] for state in last]) for i in range(self.STATES))

    def _weights(self, suffix: str) -> Weights:
        return self.weights_of({name: getattr(self, f"{name}_{suffix}") for name in self.shapes(1)})

    def _run(self, x: Tensor, state: State, w: Weights, alive: Tensor | None, backward: bool) -> tuple[Tensor, State]:
        """One layer in one direction. A backward pass over padding keeps the initial state until a sequence begins."""
        from_input = self.project(x, w).unbind(0)
        steps = range(x.shape[0] - 1, -1, -1) if backward else range(x.shape[0])
        outputs: list[Tensor] = []
        for t in steps:
            new = self.step(from_input[t], state, w)
            if alive is not None:
                new = tuple(torch.where(alive[t], now, before) for now, before in zip(new, state))
            state = new
            outputs.append(state[0])
        output = torch.stack(outputs[::-1] if backward else outputs) if outputs else x.new_zeros(0, *state[0].shape)
        return (output if alive is None else torch.where(alive, output, output.new_zeros(()))), state


class RecurrentCell(Equations, nn.Module):
    """The common part of ``RNNCell``, ``LSTMCell``, ``GRUCell``: constructor and ``forward`` of ``torch.nn.RNNCell``.

    Raises:
        ValueError: a size below 1, or an input or state that does not fit.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device=None, dtype=None) -> None:
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        for name, shape in self.shapes(input_size).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        for name in () if bias else ("bias_ih", "bias_hh"):
            self.register_parameter(name, None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every parameter as ``torch.nn.RNNCell`` does, in its order."""
        for name, parameter in self.named_parameters(recurse=False):
            draw(name, parameter, self.hidden_size)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"

    def forward(self, input: Tensor, hx=None):
        """``input (N, D)`` or ``(D,)`` and the state before give the state after, each ``(N, H)`` or ``(H,)``.

        Args:
            hx: the state, a pair of tensors for an LSTM; None for 0.

        Raises:
            ValueError: a shape does not fit.
        """
        if input.dim() not in (1, 2) or input.shape[-1] != self.input_size:
            raise ValueError(f"input: got shape {tuple(input.shape)}; expected (…, {self.input_size}) with 1 or 2 axes")
        shape = (*input.shape[:-1], self.hidden_size)
        state = (input.new_zeros(shape),) * self.STATES if hx is None else states_of(hx, self.STATES)
        for s in state:
            if tuple(s.shape) != shape:
                raise ValueError(f"hx: got shape {tuple(s.shape)}; expected {shape}")
        w = self.weights_of({name: getattr(self, name) for name in self.shapes(1)})
        rows = tuple(s.reshape(-1, self.hidden_size) for s in state)
        new = self.step(self.project(input.reshape(-1, self.input_size), w), rows, w)
        return joined(tuple(s.view(shape) for s in new))


def states_of(hx, count: int) -> State:
    """A state's tensors as a tuple; ``ValueError`` unless ``hx`` is one tensor, or for a ``count`` above 1 so many."""
    states = tuple(hx) if count > 1 and isinstance(hx, (tuple, list)) else (hx,)
    if len(states) != count or not all(isinstance(s, Tensor) for s in states):
        kinds = ", ".join(type(s).__name__ for s in states)
        raise ValueError(f"hx: got {kinds}; expected {'one tensor' if count == 1 else f'a tuple of {count} tensors'}")
    return states


def joined(state: State):
    """The reverse of :func:`states_of`: one tensor by itself, several as a tuple."""
    return state[0] if len(state) == 1 else state


def alive_steps(lengths, N: int, T: int, device) -> Tensor | None:
    """The mask ``(T, N, 1)`` that is True while a sequence has not ended, or None if all run to ``T``.

    Raises:
        ValueError: ``lengths`` is not ``(N,)`` whole numbers from 0 to ``T``.

    >>> alive_steps([2, 0], N=2, T=3, device="cpu")[..., 0].int().T
    tensor([[1, 1, 0],
            [0, 0, 0]], dtype=torch.int32)
    """
    if lengths is None:
        return None
    lengths = torch.as_tensor(lengths, device=device)
    if lengths.shape != (N,) or lengths.dtype.is_floating_point or lengths.dtype == torch.bool:
        got = f"shape {tuple(lengths.shape)} of {lengths.dtype}"
        raise ValueError(f"lengths: got {got}; expected ({N},) whole numbers, one length for each sequence")
    if N and not bool(((lengths >= 0) & (lengths <= T)).all()):
        raise ValueError(
            f"lengths: got values from {int(lengths.min())} to {int(lengths.max())}; expected 0 to T = {T}"
        )
    return (torch.arange(T, device=device)[:, None] < lengths)[..., None]
