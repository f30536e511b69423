r"""The types of recurrent network as ``torch.nn.Module``: many to many, many to one, one to many, encoder–decoder.

.. math::

    y_t &= h_t W_y + b_y                     && \text{sequence to sequence: a readout at every step} \\
    y &= h_T W_y + b_y                       && \text{sequence to vector: after each sequence's own last step} \\
    h_t &= \mathrm{layer}(v, h_{t-1})        && \text{vector to sequence: the same input at every step} \\
    s_0 &= \mathrm{encode}(x), \quad
    s_t, \ell_t = \mathrm{decode}(y_{t-1}, s_{t-1}) && \text{encoder–decoder: } \ell_t \text{ scores the next token}

Each module takes a class of recurrent layer, and that layer's arguments by name: ``SequenceToVector(3, 8, 1, layer=GRU,
num_layers=2)``. Everything is batch first, runs on the device of its input, and trains by autograd.

Shapes: ``x (N, T, D)``, ``y (N, T, O)``, tokens ``(N, T)`` out of a vocabulary of ``V``. Source: Sutskever, Vinyals &
Le (2014), "Sequence to sequence learning with neural networks", NeurIPS; Géron (2022), *Hands-On Machine Learning*,
3rd ed., ch. 15, for the names of the types.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from solutions.with_torch.lstm import LSTM
from solutions.with_torch.memory_cells import Cell, State, each, parts, run_cell, where_rows
from solutions.with_torch.recurrent_layer import RecurrentLayer, alive_steps, joined, states_of
from solutions.with_torch.recurrent_neurons import RNN


class Decoded(NamedTuple):
    """What a decoder wrote: ``tokens (N, steps)``, the end token after the end; ``lengths (N,)`` with the end token
    counted; ``log_probs (N,)``, the logarithm of the probability of those tokens."""

    tokens: Tensor
    lengths: Tensor
    log_probs: Tensor


# --- three types out of one layer -------------------------------------------------------------------------------------


class SequenceToSequence(nn.Module):
    """A recurrent layer that is read at every step.

    Args:
        input_size, hidden_size, output_size: ``D``, ``H`` and ``O``.
        layer: a class of recurrent layer of this package.
        options: the layer's own arguments, as ``num_layers``, ``dropout``, ``bidirectional``, ``device``, ``dtype``.

    Raises:
        ValueError: a size, an option or an input does not fit.

    Source: Elman (1990); Géron (2022), ch. 15.

    >>> tuple(SequenceToSequence(3, 8, 2, layer=LSTM)(torch.zeros(4, 5, 3)).shape)
    (4, 5, 2)
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, layer: type[RecurrentLayer] = RNN, **options
    ) -> None:
        super().__init__()
        self.layer = batch_first(layer, input_size, hidden_size, options)
        self.readout = readout_of(self.layer, output_size)

    def forward(self, x: Tensor, lengths=None, hx=None) -> Tensor:
        """``x (N, T, D)`` gives ``y (N, T, O)``, zero after a sequence's end; ``hx`` as the layer takes it."""
        h, _ = self.layer(three_axes("x", x), hx, lengths)
        return zero_after_end(self.readout(h), lengths)


class SequenceToVector(nn.Module):
    """A recurrent layer that is read once, after each sequence's own last step; both directions' ends if it has two.

    Args:
        input_size, hidden_size, output_size, layer, options: as in :class:`SequenceToSequence`.

    Raises:
        ValueError: a size, an option or an input does not fit.

    Source: Géron (2022), ch. 15.

    >>> tuple(SequenceToVector(3, 8, 2, bidirectional=True)(torch.zeros(4, 5, 3), lengths=[5, 1, 2, 3]).shape)
    (4, 2)
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, layer: type[RecurrentLayer] = RNN, **options
    ) -> None:
        super().__init__()
        self.layer = batch_first(layer, input_size, hidden_size, options)
        self.readout = readout_of(self.layer, output_size)

    def forward(self, x: Tensor, lengths=None, hx=None) -> Tensor:
        """``x (N, T, D)`` gives ``y (N, O)``; ``hx`` as the layer takes it."""
        _, last = self.layer(three_axes("x", x), hx, lengths)
        h_n = states_of(last, self.layer.STATES)[0][-self.layer.directions :]
        return self.readout(torch.cat(h_n.unbind(0), dim=-1))


class VectorToSequence(nn.Module):
    """A recurrent layer that gets the same vector at every step and is read at every step.

    Args:
        input_size, hidden_size, output_size, layer, options: as in :class:`SequenceToSequence`.

    Raises:
        ValueError: a size, an option or an input does not fit.

    Source: Géron (2022), ch. 15.

    >>> tuple(VectorToSequence(3, 8, 2)(torch.zeros(4, 3), steps=5).shape)
    (4, 5, 2)
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, layer: type[RecurrentLayer] = RNN, **options
    ) -> None:
        super().__init__()
        self.layer = batch_first(layer, input_size, hidden_size, options)
        self.readout = readout_of(self.layer, output_size)

    def forward(self, v: Tensor, steps: int, lengths=None, hx=None) -> Tensor:
        """``v (N, D)`` gives ``y (N, steps, O)``, zero after a sequence's end; ``hx`` as the layer takes it."""
        if v.dim() != 2:
            raise ValueError(f"v: got shape {tuple(v.shape)}; expected (N, D)")
        whole("steps", steps, least=0)
        h, _ = self.layer(v.unsqueeze(1).expand(-1, steps, -1), hx, lengths)
        return zero_after_end(self.readout(h), lengths)


# --- the encoder–decoder ----------------------------------------------------------------------------------------------


class EncoderDecoder(nn.Module):
    """Two recurrent layers for tokens: one reads the source, the other starts from its last state and writes.

    Args:
        source_vocabulary, target_vocabulary: how many tokens there are on each side.
        embedding_size, hidden_size: ``D`` and ``H``.
        start: the target token that the decoder reads first; end: the one after which it is finished.
        layer: a class of recurrent layer of this package.
        options: the layers' own arguments, as ``num_layers``, ``dropout``, ``device``, ``dtype``.

    Raises:
        ValueError: a size or an option does not fit, both directions are asked for, or a token is out of range.

    Source: Sutskever et al. (2014).

    >>> model = EncoderDecoder(7, 9, 4, 8, start=1, end=2)
    >>> source, targets = torch.zeros(3, 5, dtype=torch.long), torch.zeros(3, 6, dtype=torch.long)
    >>> tuple(model(source, targets).shape), tuple(model.greedy(source, steps=4).tokens.shape)
    ((3, 6, 9), (3, 4))
    """

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        embedding_size: int,
        hidden_size: int,
        start: int,
        end: int,
        layer: type[RecurrentLayer] = LSTM,
        **options,
    ) -> None:
        super().__init__()
        if options.get("bidirectional"):
            raise ValueError(
                "bidirectional: got True; expected False, as a decoder cannot read what it has yet to write"
            )
        for name, token in (("start", start), ("end", end)):
            if not 0 <= token < target_vocabulary:
                raise ValueError(f"{name}: got {token}; expected a token from 0 to {target_vocabulary - 1}")
        self.start, self.end = start, end
        self.encoder = batch_first(layer, embedding_size, hidden_size, options)
        self.decoder = batch_first(layer, embedding_size, hidden_size, options)
        self.readout = readout_of(self.decoder, target_vocabulary)
        device, dtype = self.readout.weight.device, self.readout.weight.dtype
        self.source_embedding = nn.Embedding(source_vocabulary, embedding_size, device=device, dtype=dtype)
        self.target_embedding = nn.Embedding(target_vocabulary, embedding_size, device=device, dtype=dtype)

    def forward(self, source: Tensor, targets: Tensor, source_lengths=None, target_lengths=None) -> Tensor:
        """Teacher forcing: the scores ``(N, S, V)`` of each target token, given the source and the true tokens before.

        Args:
            source: ``(N, T)``; targets: ``(N, S)``, without the start token; both lengths ``(N,)`` or None.

        Returns:
            Logits ``(N, S, V)``, zero after a target's end. What stands after an end is not read.
        """
        state = self.encode(source, source_lengths)
        inputs = zero_after_end(shifted(targets, self.start), target_lengths)
        self.check("targets", inputs, self.target_embedding)
        h, _ = self.decoder(self.target_embedding(inputs), self.as_hx(state), target_lengths)
        return zero_after_end(self.readout(h), target_lengths)

    def encode(self, source: Tensor, lengths=None) -> State:
        """The encoder's state after each source's last token, a tuple with the batch first: ``(N, num_layers, H)``."""
        source = zero_after_end(two_axes("source", source), lengths)
        self.check("source", source, self.source_embedding)
        _, last = self.encoder(self.source_embedding(source), None, lengths)
        return tuple(s.transpose(0, 1) for s in states_of(last, self.encoder.STATES))

    def step(self, token_t: Tensor, state: State) -> tuple[State, Tensor]:
        """One step of the decoder as a memory cell: ``token_t (N,)`` and a state give a state and logits ``(N, V)``."""
        h, last = self.decoder(self.target_embedding(token_t).unsqueeze(1), self.as_hx(state))
        new = tuple(s.transpose(0, 1) for s in states_of(last, self.decoder.STATES))
        return new, self.readout(h).squeeze(1)

    @torch.no_grad()
    def greedy(self, source: Tensor, steps: int, lengths=None) -> Decoded:
        """Write at most ``steps`` tokens for each source, the likeliest each time: see :func:`greedy_decode`."""
        return greedy_decode(self.step, self.encode(source, lengths), self.start, self.end, steps)

    @torch.no_grad()
    def beam(self, source: Tensor, steps: int, width: int, length_power: float = 0.0, lengths=None) -> Decoded:
        """Write at most ``steps`` tokens for each source by beam search: see :func:`beam_decode`."""
        state = self.encode(source, lengths)
        return beam_decode(self.step, state, self.start, self.end, steps, width, length_power)

    def as_hx(self, state: State):
        """A state with the batch first in the form that the layer takes."""
        return joined(tuple(s.transpose(0, 1) for s in parts(state)))

    @staticmethod
    def check(name: str, tokens: Tensor, embedding: nn.Embedding) -> None:
        """Raise ``ValueError`` unless all tokens have an embedding."""
        if tokens.is_floating_point():
            raise ValueError(f"{name}: got {tokens.dtype}; expected whole numbers")
        if tokens.numel() and not bool(((tokens >= 0) & (tokens < embedding.num_embeddings)).all()):
            got = f"tokens from {int(tokens.min())} to {int(tokens.max())}"
            raise ValueError(f"{name}: got {got}; expected 0 to {embedding.num_embeddings - 1}")


def shifted(targets: Tensor, start: int) -> Tensor:
    """What a decoder reads under teacher forcing: the start token, then every target but the last, ``(N, T)``.

    Raises:
        ValueError: ``targets`` is not ``(N, T)``.

    Source: Williams & Zipser (1989), "A learning algorithm for continually running fully recurrent neural networks",
    *Neural Computation* 1(2).

    >>> shifted(torch.tensor([[5, 6, 7]]), start=1)
    tensor([[1, 5, 6]])
    """
    two_axes("targets", targets)
    return torch.cat([targets.new_full((len(targets), 1), start), targets], dim=1)[:, : targets.shape[1]]


def teacher_forcing(step: Cell, state: State, targets: Tensor, start: int, lengths=None) -> tuple[State, Tensor]:
    """Run any decoder on the true tokens, each one step late: see its twin in ``with_numpy``.

    Args:
        step: ``step(token_t, state) -> (state, logits)``; state: the encoder's last state, ``(N, …)`` or a tuple.
        targets: the true tokens, ``(N, T)``; start: the token before the first one; lengths: ``(N,)`` or None.

    Returns:
        ``(state, logits)``: the last state, and ``(N, T, V)``, at step t the scores of ``targets[:, t]``.

    Raises:
        ValueError: a shape or a length does not fit.

    Source: Williams & Zipser (1989).

    >>> count = lambda token_t, state: (state, torch.eye(4)[token_t])  # scores the token that it just read
    >>> teacher_forcing(count, torch.zeros(1, 1), torch.tensor([[2, 3]]), start=1)[1].argmax(dim=-1)
    tensor([[1, 2]])
    """
    return run_cell(step, shifted(targets, start), state, lengths)


def greedy_decode(step: Cell, state: State, start: int, end: int, steps: int) -> Decoded:
    """Let a decoder write: at each step the likeliest token, which it reads at the next one.

    Args:
        step: ``step(token_t, state) -> (state, logits)``; state: the encoder's last state, ``(N, …)`` or a tuple.
        start: the token that it reads first; end: the token after which a sequence is finished.
        steps: the most tokens to write.

    Returns:
        ``Decoded(tokens, lengths, log_probs)``.

    Raises:
        ValueError: ``steps`` is not a whole number from 0, the decoder's scores are not ``(N, V)``, or ``end`` is not
            one of the ``V`` tokens.

    Source: Sutskever et al. (2014), beam search with a beam of one.

    >>> chain = torch.tensor([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]).log()  # 0, then 1, then 2, then 0
    >>> greedy_decode(lambda token_t, state: (state, chain[token_t]), torch.zeros(1, 1), start=0, end=2, steps=4).tokens
    tensor([[1, 2, 2, 2]])
    """
    whole("steps", steps, least=0)
    first = parts(state)[0]
    N, device = len(first), first.device
    token, alive = torch.full((N,), start, device=device), torch.ones(N, dtype=torch.bool, device=device)
    tokens = torch.full((N, steps), end, device=device)
    lengths, log_probs = torch.zeros(N, dtype=torch.long, device=device), torch.zeros(N, device=device)
    for t in range(steps):
        state, logits = step(token, state)
        log_p = torch.log_softmax(scores_of(logits, N, end), dim=-1)
        token = torch.where(alive, log_p.argmax(dim=1), end)
        tokens[:, t] = token
        picked = log_p.gather(1, token[:, None])[:, 0]
        log_probs = log_probs.to(log_p.dtype) + torch.where(alive, picked, 0)
        lengths = lengths + alive
        alive = token != end
        if not bool(alive.any()):
            break
    return Decoded(tokens, lengths, log_probs)


def beam_decode(
    step: Cell, state: State, start: int, end: int, steps: int, width: int, length_power: float = 0.0
) -> Decoded:
    """Let a decoder write the likeliest sequence that it finds, with the ``width`` best beginnings kept at each step.

    A beginning is ranked by ``log_prob / length ** length_power``. A finished one stays in the beam with its rank, and
    an unfinished one counts as it is when the steps are used up. With ``width`` at least ``V ** (steps − 1)`` nothing
    is dropped, and the result is the best of all sequences.

    Args:
        step: ``step(token_t, state) -> (state, logits)``; state: the encoder's last state, ``(N, …)`` or a tuple.
        start: the token that it reads first; end: the token after which a sequence is finished.
        steps: the most tokens to write; width: beginnings that are kept.
        length_power: 0 ranks by probability, which favours short sequences; 1 by the mean log-probability of a token.

    Returns:
        ``Decoded(tokens, lengths, log_probs)``.

    Raises:
        ValueError: ``steps`` is not a whole number from 0 or ``width`` from 1, the decoder's scores are not ``(N, V)``,
            or ``end`` is not one of the ``V`` tokens.

    Source: Sutskever et al. (2014), section 3.2; Graves (2012), "Sequence transduction with recurrent neural networks".

    >>> odds = torch.tensor([[1.0, 1.0, 1.0], [0.01, 0.59, 0.4], [0.95, 0.03, 0.02]]).log()  # 0.59 · 0.59 < 0.4 · 0.95
    >>> walk = lambda token_t, state: (state, odds[token_t])
    >>> [beam_decode(walk, torch.zeros(1, 1), 1, 0, 2, width).tokens.tolist() for width in (1, 2)]
    [[[1, 1]], [[2, 0]]]
    """
    whole("steps", steps, least=0)
    whole("width", width, least=1)
    first = parts(state)[0]
    N, device = len(first), first.device
    # Row n·width + k of a state is beginning k of sequence n. At first there is one; the others have probability 0.
    state = each(partial(torch.repeat_interleave, repeats=width, dim=0), state)
    token, tokens = torch.full((N, width), start, device=device), torch.full((N, width, steps), end, device=device)
    lengths = torch.zeros(N, width, dtype=torch.long, device=device)
    done = torch.zeros(N, width, dtype=torch.bool, device=device)
    log_probs = torch.where(torch.arange(width, device=device) == 0, 0.0, -torch.inf).expand(N, width)
    for t in range(steps):
        state, logits = step(token.reshape(-1), state)
        log_p = torch.log_softmax(scores_of(logits, N * width, end), dim=-1)
        V = log_p.shape[1]
        after_end = log_p.new_full((V,), -torch.inf)  # nothing but the end, at no cost
        after_end[end] = 0
        totals = log_probs.to(log_p.dtype)[..., None] + torch.where(done[..., None], after_end, log_p.view(N, width, V))
        lengths = lengths + ~done
        ranks = (totals / lengths[..., None] ** length_power).view(N, width * V)
        best = ranks.topk(width, dim=1).indices
        parent, token = best // V, best % V

        log_probs = totals.view(N, width * V).gather(1, best)
        lengths = lengths.gather(1, parent)
        tokens = tokens.gather(1, parent[..., None].expand_as(tokens))
        tokens[..., t] = token
        done = token == end
        kept = (torch.arange(N, device=device)[:, None] * width + parent).view(-1)
        state = each(partial(torch.index_select, dim=0, index=kept), state)
        if bool(done.all()):
            break
    return Decoded(tokens[:, 0].clone(), lengths[:, 0].clone(), log_probs[:, 0].clone())


# --- losses over real steps alone -------------------------------------------------------------------------------------


def masked_mse(y: Tensor, target: Tensor, lengths=None) -> Tensor:
    """The mean squared error over all numbers of the real steps; 0 where there is none.

    Args:
        y: ``(N, T, O)`` or ``(N, T)``; target: the same shape; lengths: ``(N,)`` or None if all have ``T``.

    Returns:
        One number. Nothing after an end, NaN included, reaches it or a gradient.

    Raises:
        ValueError: a shape or a length does not fit.

    Source: ``torch.nn.functional.mse_loss`` over the steps before each end.

    >>> masked_mse(torch.tensor([[1.0, 2.0, torch.nan]]), torch.zeros(1, 3), lengths=[2])
    tensor(2.5000)
    """
    if y.dim() not in (2, 3) or y.shape != target.shape:
        got = f"y {tuple(y.shape)} and target {tuple(target.shape)}"
        raise ValueError(f"target: got shapes {got}; expected (N, T, O) or (N, T), the same for both")
    alive = real_steps(lengths, y)
    zero = y.new_zeros(())
    error = where_rows(alive, y, zero) - where_rows(alive, target, zero)
    return (error * error).sum() / (alive.sum().clamp(min=1) * y.shape[2:].numel())


def masked_cross_entropy(logits: Tensor, targets: Tensor, lengths=None) -> Tensor:
    """The mean over the real steps of ``−log softmax(logits)[target]``; 0 where there is none.

    Args:
        logits: ``(N, T, V)``; targets: ``(N, T)`` whole numbers from 0 to ``V − 1`` at real steps, anything after.
        lengths: ``(N,)`` or None if all have ``T``.

    Returns:
        One number. Nothing after an end, NaN included, reaches it or a gradient.

    Raises:
        ValueError: a shape or a length does not fit, or a real step's target is outside the vocabulary.

    Source: ``torch.nn.functional.cross_entropy`` over the steps before each end.

    >>> masked_cross_entropy(torch.zeros(1, 2, 4), torch.tensor([[3, -1]]), lengths=[1]).exp()
    tensor(4.)
    """
    if logits.dim() != 3 or targets.shape != logits.shape[:2]:
        got = f"logits {tuple(logits.shape)} and targets {tuple(targets.shape)}"
        raise ValueError(f"targets: got shapes {got}; expected logits (N, T, V) and targets (N, T)")
    alive = real_steps(lengths, targets)
    real = torch.where(alive, targets, 0)
    if real.numel() and not bool(((real >= 0) & (real < logits.shape[2])).all()):
        got = f"tokens from {int(real.min())} to {int(real.max())}"
        raise ValueError(f"targets: got {got}; expected 0 to V − 1 = {logits.shape[2] - 1}")
    log_p = torch.log_softmax(where_rows(alive, logits, logits.new_zeros(())), dim=-1)
    picked = log_p.gather(2, real[..., None])[..., 0]
    return -torch.where(alive, picked, 0).sum() / alive.sum().clamp(min=1)


# --- checks and masks -------------------------------------------------------------------------------------------------


def batch_first(layer: type[RecurrentLayer], input_size: int, hidden_size: int, options: dict) -> RecurrentLayer:
    """A layer of that class that takes ``(N, T, D)``; ``ValueError`` for a class that does not know ``lengths``."""
    if not (isinstance(layer, type) and issubclass(layer, RecurrentLayer)):
        raise ValueError(f"layer: got {layer!r}; expected a class of this package such as RNN, LSTM or GRU")
    return layer(input_size, hidden_size, **{**options, "batch_first": True})


def readout_of(layer: RecurrentLayer, output_size: int) -> nn.Linear:
    """A linear readout of a layer's outputs, with the layer's device and dtype."""
    whole("output_size", output_size, least=1)
    weight = next(layer.parameters())
    return nn.Linear(layer.hidden_size * layer.directions, output_size, device=weight.device, dtype=weight.dtype)


def real_steps(lengths, like: Tensor) -> Tensor:
    """The mask ``(N, T)`` of the steps before each end, for a tensor ``(N, T, …)``."""
    N, T = like.shape[:2]
    alive = alive_steps(lengths, N, T, like.device)
    return torch.ones(N, T, dtype=torch.bool, device=like.device) if alive is None else alive[..., 0].T


def zero_after_end(y: Tensor, lengths) -> Tensor:
    """``y (N, T, …)`` with zeros after each sequence's end, whatever stands there."""
    return y if lengths is None else where_rows(real_steps(lengths, y), y, y.new_zeros(()))


def two_axes(name: str, tokens: Tensor) -> Tensor:
    """``tokens``, or ``ValueError`` unless they are ``(N, T)``."""
    if tokens.dim() != 2:
        raise ValueError(f"{name}: got shape {tuple(tokens.shape)}; expected (N, T)")
    return tokens


def three_axes(name: str, x: Tensor) -> Tensor:
    """``x``, or ``ValueError`` unless it is ``(N, T, D)``."""
    if x.dim() != 3:
        raise ValueError(f"{name}: got shape {tuple(x.shape)}; expected (N, T, D)")
    return x


def scores_of(logits: Tensor, N: int, end: int) -> Tensor:
    """What a decoder's step scored, or ``ValueError`` unless it is ``(N, V)`` and ``end`` is below ``V``."""
    if logits.dim() != 2 or len(logits) != N:
        raise ValueError(f"logits: got shape {tuple(logits.shape)} from the decoder's step; expected ({N}, V)")
    if not 0 <= end < logits.shape[1]:
        raise ValueError(f"end: got {end}; expected a token from 0 to V − 1 = {logits.shape[1] - 1}")
    return logits


def whole(name: str, value: object, least: int) -> None:
    """Raise ``ValueError`` unless ``value`` is a whole number from ``least``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: got {value!r}; expected a whole number from {least}")
