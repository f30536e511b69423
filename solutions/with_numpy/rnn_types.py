r"""The types of recurrent network: many to many, many to one, one to many, and the encoder–decoder.

.. math::

    y_t &= h_t W_y + b_y                     && \text{sequence to sequence: a readout at every step} \\
    y &= h_T W_y + b_y                       && \text{sequence to vector: after each sequence's own last step} \\
    h_t &= f(v W_x + h_{t-1} W_h + b)        && \text{vector to sequence: the same input at every step} \\
    s_0 &= \mathrm{encode}(x), \quad
    s_t, \ell_t = \mathrm{decode}(y_{t-1}, s_{t-1}) && \text{encoder–decoder: } \ell_t \text{ scores the next token}

A decoder is a memory cell that takes tokens: ``step(token_t, state) -> (state, logits)``, with ``token_t (N,)`` whole
numbers and ``logits (N, V)``. In training it reads the true tokens (*teacher forcing*); afterwards its own, the
likeliest one at each step (*greedy*) or the likeliest few beginnings (*beam search*).

Shapes: ``x (N, T, D)``, ``h (N, T, H)``, ``W_y (H, O)``, ``b_y (O,)``, tokens ``(N, T)`` out of a vocabulary of ``V``.
Source: Sutskever, Vinyals & Le (2014), "Sequence to sequence learning with neural networks", NeurIPS; Géron (2022),
*Hands-On Machine Learning*, 3rd ed., ch. 15, for the names of the types. The losses give their gradients; from there on
backward is ``bptt``.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from solutions.with_numpy.arguments import alive_steps, arguments, floating, one_of
from solutions.with_numpy.memory_cells import Cell, State, each, parts, run_cell, where_rows
from solutions.with_numpy.recurrent_neurons import ACTIVATIONS, rnn_forward, rnn_step


class Decoded(NamedTuple):
    """What a decoder wrote: ``tokens (N, steps)``, the end token after the end; ``lengths (N,)`` with the end token
    counted; ``log_probs (N,)``, the logarithm of the probability of those tokens."""

    tokens: np.ndarray
    lengths: np.ndarray
    log_probs: np.ndarray


# --- three types out of one layer -------------------------------------------------------------------------------------


def sequence_to_sequence(x, h0, W_x, W_h, b, W_y, b_y, activation: str = "tanh", lengths=None) -> np.ndarray:
    """A recurrent layer that is read at every step: ``y_t = h_t W_y + b_y``.

    Args:
        x: ``(N, T, D)``; h0: ``(N, H)`` or None for zeros; W_x: ``(D, H)``; W_h: ``(H, H)``; b: ``(H,)``.
        W_y: ``(H, O)``; b_y: ``(O,)``; activation, lengths: as in ``rnn_forward``.

    Returns:
        ``y (N, T, O)``, zero after a sequence's end (not ``b_y``, which a readout of zeros would give).

    Raises:
        ValueError: a shape, a dtype, a length or the activation's name does not fit.

    Source: Elman (1990); Géron (2022), ch. 15.

    >>> one = np.ones((1, 1))
    >>> sequence_to_sequence(np.ones((1, 3, 1)), None, one, one, np.zeros(1), one, np.ones(1), "identity")[0, :, 0]
    array([2., 3., 4.])
    """
    h, _, cache = rnn_forward(x, h0, W_x, W_h, b, activation, lengths)
    y = linear(h, W_y, b_y)
    return y if cache.alive is None else where_rows(cache.alive, y, np.zeros((), y.dtype))


def sequence_to_vector(x, h0, W_x, W_h, b, W_y, b_y, activation: str = "tanh", lengths=None) -> np.ndarray:
    """A recurrent layer that is read once, after each sequence's own last step: ``y = h_last W_y + b_y``.

    Args:
        x: ``(N, T, D)``; h0: ``(N, H)`` or None for zeros; W_x: ``(D, H)``; W_h: ``(H, H)``; b: ``(H,)``.
        W_y: ``(H, O)``; b_y: ``(O,)``; activation, lengths: as in ``rnn_forward``.

    Returns:
        ``y (N, O)``; of a sequence without steps, the readout of ``h0``.

    Raises:
        ValueError: a shape, a dtype, a length or the activation's name does not fit.

    Source: Géron (2022), ch. 15.

    >>> one = np.ones((1, 1))
    >>> weights = one, one, np.zeros(1), one, np.zeros(1)
    >>> sequence_to_vector(np.ones((2, 3, 1)), None, *weights, activation="identity", lengths=[3, 2])
    array([[3.],
           [2.]])
    """
    _, h_last, _ = rnn_forward(x, h0, W_x, W_h, b, activation, lengths)
    return linear(h_last, W_y, b_y)


def vector_to_sequence(v, steps: int, h0, W_x, W_h, b, W_y, b_y, activation: str = "tanh", lengths=None) -> np.ndarray:
    """A recurrent layer that gets the same vector at every step and is read at every step.

    Args:
        v: one vector a sequence, ``(N, D)``; steps: how many steps to write, ``T``.
        h0: ``(N, H)`` or None for zeros; W_x: ``(D, H)``; W_h: ``(H, H)``; b: ``(H,)``.
        W_y: ``(H, O)``; b_y: ``(O,)``; activation, lengths: as in ``rnn_forward``.

    Returns:
        ``y (N, T, O)``, zero after a sequence's end.

    Raises:
        ValueError: a shape, a dtype, a length, ``steps`` or the activation's name does not fit.

    Source: Géron (2022), ch. 15: "feed the network the same input vector over and over again at each time step".

    >>> one = np.ones((1, 1))
    >>> vector_to_sequence(one, 3, None, one, one, np.zeros(1), one, np.zeros(1), "identity")[0, :, 0]
    array([1., 2., 3.])
    """
    v = floating("v", v)
    if v.ndim != 2:
        raise ValueError(f"v: got shape {v.shape}; expected (N, D)")
    whole("steps", steps, least=0)
    x = np.broadcast_to(v[:, None], (len(v), steps, v.shape[1]))
    return sequence_to_sequence(x, h0, W_x, W_h, b, W_y, b_y, activation, lengths)


def linear(h, W_y, b_y) -> np.ndarray:
    """``h W_y + b_y``: ``h (…, H)``, ``W_y (H, O)`` and ``b_y (O,)`` give ``(…, O)``."""
    (h, W_y, b_y), _ = arguments(("h", h, "N T H" if h.ndim == 3 else "N H"), ("W_y", W_y, "H O"), ("b_y", b_y, "O"))
    return h @ W_y + b_y


# --- the encoder–decoder ----------------------------------------------------------------------------------------------


def rnn_decoder(E, W_x, W_h, b, W_y, b_y, activation: str = "tanh") -> Cell:
    """A decoder out of a recurrent layer: a token's embedding goes in, scores of the next token come out.

    ``h_t = f(E[token_t] W_x + h_{t-1} W_h + b)``, ``logits = h_t W_y + b_y``.

    Args:
        E: one embedding a token, ``(V, D)``; W_x: ``(D, H)``; W_h: ``(H, H)``; b: ``(H,)``; W_y: ``(H, V)``;
            b_y: ``(V,)``; activation: as in ``rnn_step``.

    Returns:
        ``step(token_t, h) -> (h, logits)`` with ``token_t (N,)`` and, as the first ``h (N, H)``, the encoder's last.

    Raises:
        ValueError: a shape, a dtype or the activation's name does not fit; in a step, a token outside ``0 … V − 1``.

    Source: Sutskever et al. (2014), with a plain recurrent layer in place of the LSTM.

    >>> step = rnn_decoder(np.eye(3), np.eye(3), np.zeros((3, 3)), np.zeros(3), np.eye(3), np.zeros(3), "identity")
    >>> step(np.array([2]), np.zeros((1, 3)))[1]
    array([[0., 0., 1.]])
    """
    one_of("activation", activation, tuple(ACTIVATIONS))
    (E, W_x, W_h, b, W_y, b_y), size = arguments(
        ("E", E, "V D"), ("W_x", W_x, "D H"), ("W_h", W_h, "H H"), ("b", b, "H"), ("W_y", W_y, "H V"), ("b_y", b_y, "V")
    )

    def step(token_t, h_prev):
        token_t = tokens_of("token_t", token_t, 1, size["V"])
        h_t, _ = rnn_step(E[token_t], h_prev, W_x, W_h, b, activation)
        return h_t, h_t @ W_y + b_y

    return step


def shifted(targets, start: int) -> np.ndarray:
    """What a decoder reads under teacher forcing: the start token, then every target but the last.

    Args:
        targets: ``(N, T)`` whole numbers; start: the start token.

    Returns:
        ``(N, T)``: at step t the target of step t − 1.

    Raises:
        ValueError: ``targets`` has another number of axes or is not whole.

    Source: Williams & Zipser (1989), "A learning algorithm for continually running fully recurrent neural networks",
    *Neural Computation* 1(2).

    >>> shifted([[5, 6, 7]], start=1)
    array([[1, 5, 6]])
    """
    targets = tokens_of("targets", targets, 2)
    first = np.full((len(targets), 1), start, targets.dtype)
    return np.concatenate([first, targets], axis=1)[:, : targets.shape[1]]


def teacher_forcing(step: Cell, state: State, targets, start: int, lengths=None) -> tuple[State, np.ndarray]:
    """Run a decoder on the true tokens, each one step late, whatever it would have written itself.

    Args:
        step: ``step(token_t, state) -> (state, logits)``; state: the encoder's last state, ``(N, …)`` or a tuple.
        targets: the true tokens, ``(N, T)``; start: the token before the first one.
        lengths: ``(N,)`` tokens of each target, or None if all have ``T``. What stands after the end is not read.

    Returns:
        ``(state, logits)``: the last state, and ``(N, T, V)``, at step t the scores of ``targets[:, t]``.

    Raises:
        ValueError: a shape or a length does not fit.

    Source: Williams & Zipser (1989).

    >>> count = lambda token_t, state: (state, np.eye(4)[token_t])  # scores the token that it just read
    >>> teacher_forcing(count, np.zeros((1, 1)), [[2, 3]], start=1)[1].argmax(axis=-1)
    array([[1, 2]])
    """
    return run_cell(step, shifted(targets, start), state, lengths)


def greedy_decode(step: Cell, state: State, start: int, end: int, steps: int) -> Decoded:
    """Let a decoder write: at each step the likeliest token, which it reads at the next one.

    Args:
        step: ``step(token_t, state) -> (state, logits)``; state: the encoder's last state, ``(N, …)`` or a tuple.
        start: the token that it reads first; end: the token after which a sequence is finished.
        steps: the most tokens to write.

    Returns:
        ``Decoded(tokens, lengths, log_probs)``; of equally likely tokens, the first.

    Raises:
        ValueError: ``steps`` is not a whole number from 0, the decoder's scores are not ``(N, V)``, or ``end`` is not
            one of the ``V`` tokens.

    Source: Sutskever et al. (2014), beam search with a beam of one.

    >>> chain = np.log([[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]])  # 0, then 1, then 2, then 0
    >>> greedy_decode(lambda token_t, state: (state, chain[token_t]), np.zeros((1, 1)), start=0, end=2, steps=5).tokens
    array([[1, 2, 2, 2, 2]])
    """
    whole("steps", steps, least=0)
    N = len(parts(state)[0])
    token, alive = np.full(N, start), np.ones(N, bool)
    tokens, lengths, log_probs = np.full((N, steps), end), np.zeros(N, int), np.zeros(N)
    for t in range(steps):
        state, logits = step(token, state)
        log_p = log_softmax(scores_of(logits, N, end))
        token = np.where(alive, log_p.argmax(axis=1), end)
        tokens[:, t] = token
        log_probs = log_probs.astype(log_p.dtype) + np.where(alive, log_p[np.arange(N), token], 0)
        lengths += alive
        alive = token != end
        if not alive.any():
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
        ``Decoded(tokens, lengths, log_probs)``; of equally good sequences, the first in the beam's order.

    Raises:
        ValueError: ``steps`` is not a whole number from 0 or ``width`` from 1, the decoder's scores are not ``(N, V)``,
            or ``end`` is not one of the ``V`` tokens.

    Source: Sutskever et al. (2014), section 3.2; Graves (2012), "Sequence transduction with recurrent neural networks".

    >>> odds = np.log([[1.0, 1.0, 1.0], [0.01, 0.59, 0.4], [0.95, 0.03, 0.02]])  # 0.59 · 0.59 < 0.4 · 0.95
    >>> walk = lambda token_t, state: (state, odds[token_t])
    >>> [beam_decode(walk, np.zeros((1, 1)), 1, 0, 2, width).tokens.tolist() for width in (1, 2)]
    [[[1, 1]], [[2, 0]]]
    """
    whole("steps", steps, least=0)
    whole("width", width, least=1)
    N = len(parts(state)[0])
    # Row n·width + k of a state is beginning k of sequence n. At first there is one; the others have probability 0.
    state = each(partial(np.repeat, repeats=width, axis=0), state)
    token, tokens = np.full((N, width), start), np.full((N, width, steps), end)
    lengths, done = np.zeros((N, width), int), np.zeros((N, width), bool)
    log_probs = np.where(np.arange(width) == 0, 0, -np.inf) * np.ones((N, 1))
    for t in range(steps):
        state, logits = step(token.reshape(-1), state)
        log_p = log_softmax(scores_of(logits, N * width, end))
        V = log_p.shape[1]
        after_end = np.where(np.arange(V) == end, 0, -np.inf).astype(log_p.dtype)  # nothing but the end, at no cost
        totals = log_probs.astype(log_p.dtype)[..., None] + np.where(
            done[..., None], after_end, log_p.reshape(N, width, V)
        )
        lengths = lengths + ~done
        ranks = (totals / lengths[..., None] ** length_power).reshape(N, width * V)
        best = np.argsort(-ranks, axis=1, kind="stable")[:, :width]
        parent, token = np.divmod(best, V)

        log_probs = np.take_along_axis(totals.reshape(N, width * V), best, axis=1)
        lengths = np.take_along_axis(lengths, parent, axis=1)
        tokens = np.take_along_axis(tokens, parent[..., None], axis=1)
        tokens[..., t] = token
        done = token == end
        state = each(partial(np.take, indices=(np.arange(N)[:, None] * width + parent).reshape(-1), axis=0), state)
        if done.all():
            break
    return Decoded(tokens[:, 0].copy(), lengths[:, 0].copy(), log_probs[:, 0].copy())


# --- losses over real steps alone -------------------------------------------------------------------------------------


def log_softmax(logits) -> np.ndarray:
    """``log softmax`` over the last axis: ``ℓ − log Σ exp ℓ``, with the largest taken out so that nothing overflows.

    Args:
        logits: ``(…, V)``.

    Returns:
        An array like ``logits``; ``exp`` of each row sums to 1.

    Raises:
        ValueError: ``logits`` is not floating-point.

    Source: Goodfellow, Bengio & Courville (2016), *Deep Learning*, section 4.1.

    >>> np.exp(log_softmax(np.array([1000.0, 1000.0])))
    array([0.5, 0.5])
    """
    logits = floating("logits", logits)
    lowered = logits - logits.max(axis=-1, keepdims=True)
    return lowered - np.log(np.exp(lowered).sum(axis=-1, keepdims=True))


def masked_mse(y, target, lengths=None) -> tuple[np.floating, np.ndarray]:
    """The mean squared error over all numbers of the real steps, and its gradient.

    ``L = Σ (y − target)² / M`` with M numbers at real steps; ``dy = 2 (y − target) / M`` there, 0 after the end.

    Args:
        y: ``(N, T, O)`` or ``(N, T)``; target: the same shape; lengths: ``(N,)`` or None if all have ``T``.

    Returns:
        ``(loss, dy)``: one number, and an array like ``y``; both 0 where there is no real step.

    Raises:
        ValueError: a shape, a dtype or a length does not fit.

    Source: ``torch.nn.functional.mse_loss`` over the steps before each end.

    >>> masked_mse(np.array([[1.0, 2.0, np.nan]]), np.zeros((1, 3)), lengths=[2])
    (np.float64(2.5), array([[1., 2., 0.]]))
    """
    y = floating("y", y)
    shape = "N T" if y.ndim == 2 else "N T O"
    (y, target), size = arguments(("y", y, shape), ("target", target, shape))
    alive = alive_steps(lengths, size["N"], size["T"])
    error = y - target if alive is None else where_rows(alive, y - target, np.zeros((), y.dtype))
    steps = size["N"] * size["T"] if alive is None else int(alive.sum())
    count = y.dtype.type(max(steps * size.get("O", 1), 1))
    return (error * error).sum() / count, 2 * error / count


def masked_cross_entropy(logits, targets, lengths=None) -> tuple[np.floating, np.ndarray]:
    """The mean over the real steps of ``−log softmax(logits)[target]``, and its gradient.

    ``dlogits = (softmax(logits) − onehot(target)) / M`` at the M real steps, 0 after the end.

    Args:
        logits: ``(N, T, V)``; targets: ``(N, T)`` whole numbers from 0 to ``V − 1`` at real steps, anything after.
        lengths: ``(N,)`` or None if all have ``T``.

    Returns:
        ``(loss, dlogits)``: one number, and an array like ``logits``; both 0 where there is no real step.

    Raises:
        ValueError: a shape, a dtype or a length does not fit, or a real step's target is outside the vocabulary.

    Source: ``torch.nn.functional.cross_entropy`` over the steps before each end.

    >>> loss, dlogits = masked_cross_entropy(np.zeros((1, 2, 4)), [[3, -1]], lengths=[1])
    >>> float(np.exp(loss)), dlogits[0]
    (4.0, array([[ 0.25,  0.25,  0.25, -0.75],
           [ 0.  ,  0.  ,  0.  ,  0.  ]]))
    """
    (logits,), size = arguments(("logits", logits, "N T V"))
    N, T, V = size["N"], size["T"], size["V"]
    targets = tokens_of("targets", targets, 2)
    if targets.shape != (N, T):
        raise ValueError(f"targets: got shape {targets.shape}; expected ({N}, {T}), one token a step of logits")
    alive = alive_steps(lengths, N, T)
    n, t = np.nonzero(np.ones((N, T), bool) if alive is None else alive)
    real = tokens_of("targets", targets[n, t], 1, V)
    log_p = log_softmax(logits[n, t])
    count = logits.dtype.type(max(len(n), 1))
    d_real = np.exp(log_p)
    d_real[np.arange(len(n)), real] -= 1
    dlogits = np.zeros_like(logits)
    dlogits[n, t] = d_real / count
    return -log_p[np.arange(len(n)), real].sum() / count, dlogits


# --- checks -----------------------------------------------------------------------------------------------------------


def tokens_of(name: str, value: object, axes: int, V: int | None = None) -> np.ndarray:
    """``value`` as an array of tokens, or ``ValueError`` if it is not whole, not below ``V``, or has other axes."""
    array = np.asarray(value)
    if array.ndim != axes or (array.size and array.dtype.kind not in "iu"):
        expected = ("(N,)", "(N, T)")[axes - 1]
        raise ValueError(f"{name}: got shape {array.shape} of {array.dtype}; expected {expected} whole numbers")
    if V is not None and array.size and (array.min() < 0 or array.max() >= V):
        raise ValueError(f"{name}: got tokens from {array.min()} to {array.max()}; expected 0 to V − 1 = {V - 1}")
    return array.astype(np.int64)


def scores_of(logits, N: int, end: int) -> np.ndarray:
    """What a decoder's step scored, or ``ValueError`` unless it is ``(N, V)`` and ``end`` is below ``V``."""
    logits = floating("logits", logits)
    if logits.ndim != 2 or len(logits) != N:
        raise ValueError(f"logits: got shape {logits.shape} from the decoder's step; expected ({N}, V)")
    if not 0 <= end < logits.shape[1]:
        raise ValueError(f"end: got {end}; expected a token from 0 to V − 1 = {logits.shape[1] - 1}")
    return logits


def whole(name: str, value: object, least: int) -> None:
    """Raise ``ValueError`` unless ``value`` is a whole number from ``least``."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name}: got {value!r}; expected a whole number from {least}")
