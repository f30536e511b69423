r"""Deep recurrent networks: layers on layers, two directions side by side, and dropout between layers.

.. math::

    h^{(0)}_t &= x_t, \qquad h^{(l)}_t = \mathrm{cell}^{(l)}\big(h^{(l-1)}_t, h^{(l)}_{t-1}\big)
        && \text{a stack: a layer's outputs are the next one's inputs} \\
    h_t &= \big[\overrightarrow{h}_t, \overleftarrow{h}_t\big]
        && \text{two directions: one reads from the start, one from the end} \\
    y &= m \odot x / (1 - p), \quad m \sim \mathrm{Bernoulli}(1 - p)
        && \text{dropout: each number is dropped with probability } p

Every wrapper here takes any cell, by one protocol::

    h, *last, cache = forward(x, *layer, lengths=lengths)    # layer: the initial states, then the weights
    gradients = backward(dh, *dlast, cache)                  # a NamedTuple that has dx

``rnn_forward`` with a layer ``(h0, W_x, W_h, b)`` and ``rnn_backward`` keep to it, and so do the LSTM with ``(h0, c0,
W_x, W_h, b)``, the GRU with ``(h0, W_x, W_h, b_x, b_h)``, and the wrappers themselves: a stack of bidirectional layers
is ``stack_forward(x, layers, partial(bidirectional_forward, forward=rnn_forward))`` with a pair of layers at each
level. Options go in by ``partial`` too: ``partial(rnn_forward, activation="relu")``.

Sources: El Hihi, S. and Bengio, Y. (1995), "Hierarchical recurrent neural networks for long-term dependencies",
*NIPS* 8, and Graves, A., Mohamed, A. and Hinton, G. (2013), "Speech recognition with deep recurrent neural networks",
*ICASSP*, for the stack; Schuster, M. and Paliwal, K. K. (1997), "Bidirectional recurrent neural networks", *IEEE
Transactions on Signal Processing* 45(11); Srivastava, N. et al. (2014), "Dropout", *JMLR* 15. Semantics of layers,
directions and lengths: ``torch.nn.RNN`` on packed sequences.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from solutions.with_numpy.arguments import alive_steps, arguments

Layer = Sequence | Mapping[str, Any]  # what a cell's forward takes after x, in order or by name
States = tuple  # a state for each that the cell carries: (h,), or (h, c) for an LSTM


# --- dropout ----------------------------------------------------------------------------------------------------------


class DropoutCache(NamedTuple):
    """``mask (N, T, D)``: 0 where a number was dropped, else ``1 / (1 − p)``."""

    mask: np.ndarray


class DropoutGradients(NamedTuple):
    """The gradient of the input, ``dx (N, T, D)``."""

    dx: np.ndarray


def dropout_forward(x, p: float, rng=None, variational: bool = False) -> tuple[np.ndarray, DropoutCache]:
    """Drop each number with probability ``p`` and scale the others by ``1 / (1 − p)``, so that the mean stays.

    This is for training. In evaluation nothing is dropped and nothing is scaled: leave it out, or pass ``p = 0``.

    Args:
        x: ``(N, T, D)``.
        p: the probability that a number is dropped, from 0 to 1.
        rng: a ``numpy.random.Generator``; not needed where ``p`` is 0.
        variational: draw one mask ``(N, 1, D)`` for each sequence and use it at every step, so that a feature is
            missing for the whole sequence. Otherwise every step has a mask of its own.

    Returns:
        ``(y, cache)`` with ``y (N, T, D)``.

    Raises:
        ValueError: the shape or dtype of ``x``, the probability or the generator does not fit.

    Source: Srivastava et al. (2014), in the "inverted" form; between the layers of a recurrent network: Zaremba, W.,
    Sutskever, I. and Vinyals, O. (2014), arXiv:1409.2329; one mask for all steps: Gal, Y. and Ghahramani, Z. (2016),
    "A theoretically grounded application of dropout in recurrent neural networks", *NIPS* 29.

    >>> y, _ = dropout_forward(np.ones((1, 3, 4)), 0.5, np.random.default_rng(0), variational=True)
    >>> bool((y[:, 0] == y[:, 2]).all()), sorted({float(value) for value in y.ravel()})
    (True, [0.0, 2.0])
    """
    (x,), _ = arguments(("x", x, "N T D"))
    check_dropout("p", p, rng)
    N, T, D = x.shape
    kept = np.ones((1, 1, 1), bool) if p == 0 else rng.random((N, 1 if variational else T, D)) >= p
    mask = np.broadcast_to(kept.astype(x.dtype) / x.dtype.type(1 - p if p < 1 else 1), x.shape)
    return x * mask, DropoutCache(mask)


def dropout_backward(dy, cache: DropoutCache) -> DropoutGradients:
    """The gradient takes the way that the numbers took: ``dx = dy ⊙ m / (1 − p)``.

    Args:
        dy: the loss's derivative by ``y (N, T, D)``.
        cache: the second result of ``dropout_forward``.

    Returns:
        ``(dx,)`` with ``dx (N, T, D)``.

    Raises:
        ValueError: the shape or the dtype of ``dy`` does not fit.

    Source: Srivastava et al. (2014).

    >>> y, cache = dropout_forward(np.ones((1, 2, 3)), 0.5, np.random.default_rng(0))
    >>> bool((dropout_backward(np.ones((1, 2, 3)), cache).dx == y).all())
    True
    """
    (mask, dy), _ = arguments(("mask", cache.mask, "N T D"), ("dy", dy, "N T D"))
    return DropoutGradients(dy * mask)


def check_dropout(name: str, p: float, rng) -> None:
    """Raise ``ValueError`` unless ``p`` is a probability, and ``rng`` a generator where one is needed."""
    if isinstance(p, bool) or np.ndim(p) != 0 or not 0 <= p <= 1:
        raise ValueError(f"{name}: got {p!r}; expected a probability from 0 to 1")
    if p > 0 and not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng: got {rng!r}; expected a numpy.random.Generator, such as np.random.default_rng(0)")


# --- layers on layers -------------------------------------------------------------------------------------------------


class StackCache(NamedTuple):
    """Each layer's own cache and number of states, and the dropout before each layer but the first."""

    layers: tuple[Any, ...]
    states: tuple[int, ...]
    dropouts: tuple[DropoutCache, ...]


class StackGradients(NamedTuple):
    """``dx (N, T, D)``, and for each layer, from the first to the last, what the cell's backward pass returned."""

    dx: np.ndarray
    dlayers: tuple[Any, ...]


def stack_forward(
    x, layers: Sequence[Layer], forward: Callable, lengths=None, dropout: float = 0.0, rng=None, variational=False
) -> tuple[np.ndarray, tuple[States, ...], StackCache]:
    """A deep recurrent network: ``h⁽ˡ⁾ = forward(h⁽ˡ⁻¹⁾, *layers[l])``, with ``h⁽⁰⁾ = x``.

    Args:
        x: ``(N, T, D)``.
        layers: for each layer what ``forward`` takes after ``x``: its initial states (None for zeros) and its weights,
            as a tuple in order or a dict by name. Widths may differ: ``W_x`` of a layer has as many rows as the layer
            below has outputs.
        forward: the cell, such as ``rnn_forward``, ``lstm_forward`` or ``gru_forward``.
        lengths: ``(N,)`` steps of each sequence, or None, as in ``rnn_forward``.
        dropout: the probability that an output of a layer is dropped on its way to the next layer (never on its way
            out or to the next step); 0 in evaluation.
        rng: a ``numpy.random.Generator``; not needed where ``dropout`` is 0.
        variational: one dropout mask a sequence instead of one a step, as in ``dropout_forward``.

    Returns:
        ``(h, last, cache)``: the outputs of the last layer ``(N, T, H)``, and for each layer the tuple of its final
        states, ``(h_last,)`` or ``(h_last, c_last)``, each ``(N, H)``.

    Raises:
        ValueError: there is no layer, or an argument of a layer does not fit; the message names the layer.

    Source: Graves et al. (2013); ``torch.nn.RNN`` with ``num_layers``.

    >>> from solutions.with_numpy.recurrent_neurons import rnn_forward
    >>> layer = (None, np.eye(2), np.eye(2), np.zeros(2))
    >>> h, last, _ = stack_forward(np.ones((1, 3, 2)), [layer, layer], rnn_forward)
    >>> h.shape, len(last), bool((last[1][0] == h[:, -1]).all())
    ((1, 3, 2), 2, True)
    """
    if len(layers) == 0:
        raise ValueError("layers: got none; expected at least one")
    check_dropout("dropout", dropout, rng)
    h, last, caches, dropouts = x, [], [], []
    for level, layer in enumerate(layers):
        if level > 0:
            h, dropped = dropout_forward(h, dropout, rng, variational)
            dropouts.append(dropped)
        h, states, cache = run_layer(f"layers[{level}]", forward, h, layer, lengths)
        last.append(states)
        caches.append(cache)
    return h, tuple(last), StackCache(tuple(caches), tuple(map(len, last)), tuple(dropouts))


def stack_backward(dh, dlast, cache: StackCache, backward: Callable) -> StackGradients:
    """From the last layer to the first: each layer's ``dx`` is the upstream gradient of the layer below.

    Args:
        dh: the loss's derivative by the outputs of the last layer, ``(N, T, H)``, or None for zero.
        dlast: its derivative by the final states, in the form of ``last``: for each layer a tuple, ``(dh_last,)`` or
            ``(dh_last, dc_last)``. None stands for zero, for all layers, for one, or for one state.
        cache: the last result of ``stack_forward``.
        backward: the backward pass of the cell, such as ``rnn_backward``.

    Returns:
        ``(dx, dlayers)``: ``dx (N, T, D)``, and for each layer the gradients that ``backward`` returned, under their
        own names: ``dlayers[1].dW_x``.

    Raises:
        ValueError: the number of layers or states in ``dlast``, a shape or a dtype does not fit.

    Source: the chain rule; Graves et al. (2013).

    >>> from solutions.with_numpy.bptt import rnn_backward
    >>> from solutions.with_numpy.recurrent_neurons import rnn_forward
    >>> layer = (None, np.full((1, 1), 3.0), np.eye(1), np.zeros(1), "identity")
    >>> _, _, cache = stack_forward(np.ones((1, 1, 1)), [layer, layer], rnn_forward)
    >>> stack_backward(np.ones((1, 1, 1)), None, cache, rnn_backward).dx
    array([[[9.]]])
    """
    count = len(cache.layers)
    dlast = one_for_each("dlast", dlast, count, "layer")
    gradients: list[Any] = [None] * count
    for level in reversed(range(count)):
        dstates = one_for_each(f"dlast[{level}]", dlast[level], cache.states[level], "state")
        gradients[level] = run_backward(f"layers[{level}]", backward, dh, dstates, cache.layers[level])
        dh = gradients[level].dx
        if level > 0:
            dh = dropout_backward(dh, cache.dropouts[level - 1]).dx
    return StackGradients(dh, tuple(gradients))


# --- two directions ---------------------------------------------------------------------------------------------------


class BidirectionalCache(NamedTuple):
    """Each direction's own cache and number of states; the shape of the outputs ahead; the lengths."""

    ahead: Any
    reverse: Any
    states: tuple[int, int]
    shape: tuple[int, int, int]
    width: int
    lengths: np.ndarray | None


class BidirectionalGradients(NamedTuple):
    """``dx (N, T, D)``, and for each direction what the cell's backward pass returned."""

    dx: np.ndarray
    dahead: Any
    dreverse: Any


def reverse_steps(x, lengths=None) -> np.ndarray:
    """Each sequence from its last step to its first; what stands after its end stays where it is.

    Args:
        x: ``(N, T, D)``; lengths: ``(N,)`` steps of each sequence, or None if all have ``T``.

    Returns:
        ``(N, T, D)``: at step ``t`` of a sequence of ``n`` steps what was at step ``n − 1 − t``. Reversing twice gives
        ``x`` again.

    Raises:
        ValueError: a shape, a dtype or a length does not fit.

    Source: ``torch.nn.RNN`` with ``bidirectional`` on packed sequences.

    >>> reverse_steps(np.array([[[1.0], [2.0], [3.0], [0.0]]]), lengths=[3])[0, :, 0]
    array([3., 2., 1., 0.])
    """
    (x,), size = arguments(("x", x, "N T D"))
    alive = alive_steps(lengths, size["N"], size["T"])
    if alive is None:
        return x[:, ::-1].copy()
    t, ends = np.arange(size["T"]), alive.sum(axis=1)[:, None]
    return x[np.arange(size["N"])[:, None], np.where(alive, ends - 1 - t, t)]


def bidirectional_forward(
    x, ahead: Layer, reverse: Layer, forward: Callable, lengths=None
) -> tuple[np.ndarray, States, States, BidirectionalCache]:
    """Two layers read the same sequences, one from the start and one from the end: ``h_t = [→h_t, ←h_t]``.

    So the output at every step knows the whole sequence, which must be there before the first output.

    Args:
        x: ``(N, T, D)``.
        ahead: what ``forward`` takes after ``x``, for the direction from the first step to the last, as in
            ``stack_forward``; reverse: the same for the direction from the last step to the first.
        forward: the cell, such as ``rnn_forward``, ``lstm_forward`` or ``gru_forward``.
        lengths: ``(N,)`` steps of each sequence, or None. The reverse direction begins at each sequence's own
            last step.

    Returns:
        ``(h, last_ahead, last_reverse, cache)``: the outputs of both directions side by side ``(N, T, 2H)``, and the
        tuple of final states of each, ``(h_last,)`` or ``(h_last, c_last)``. The reverse direction's final state is
        the one after the sequence's first step.

    Raises:
        ValueError: an argument of a direction does not fit; the message names the direction.

    Source: Schuster and Paliwal (1997); ``torch.nn.RNN`` with ``bidirectional``.

    >>> from solutions.with_numpy.recurrent_neurons import rnn_forward
    >>> layer = (None, np.ones((1, 1)), np.ones((1, 1)), np.zeros(1), "identity")  # it sums what it has seen
    >>> bidirectional_forward(np.array([[[1.0], [2.0], [3.0]]]), layer, layer, rnn_forward)[0]
    array([[[1., 6.],
            [3., 5.],
            [6., 3.]]])
    """
    (x,), _ = arguments(("x", x, "N T D"))
    h_ahead, last_ahead, cache_ahead = run_layer("ahead", forward, x, ahead, lengths)
    h_reverse, last_reverse, cache_reverse = run_layer("reverse", forward, reverse_steps(x, lengths), reverse, lengths)
    h = np.concatenate([h_ahead, reverse_steps(h_reverse, lengths)], axis=-1)
    counts = len(last_ahead), len(last_reverse)
    kept = None if lengths is None else np.array(lengths)
    cache = BidirectionalCache(cache_ahead, cache_reverse, counts, h.shape, h_ahead.shape[-1], kept)
    return h, last_ahead, last_reverse, cache


def bidirectional_backward(
    dh, dlast_ahead, dlast_reverse, cache: BidirectionalCache, backward: Callable
) -> BidirectionalGradients:
    """Each direction back on its own half of ``dh``, the second one on reversed steps; their ``dx`` add up.

    Args:
        dh: the loss's derivative by the outputs, ``(N, T, 2H)``, or None for zero.
        dlast_ahead: its derivative by the final states of the direction ahead, a tuple in the form of ``last_ahead``,
            or None for zero (also in place of one state); dlast_reverse: the same for the reverse direction.
        cache: the last result of ``bidirectional_forward``.
        backward: the backward pass of the cell, such as ``rnn_backward``.

    Returns:
        ``(dx, dahead, dreverse)``: ``dx (N, T, D)``, and for each direction the gradients that ``backward`` returned,
        under their own names: ``dreverse.dW_x``. (The ``dx`` in ``dreverse`` has its steps reversed.)

    Raises:
        ValueError: a number of states, a shape or a dtype does not fit.

    Source: Schuster and Paliwal (1997).

    >>> from solutions.with_numpy.bptt import rnn_backward
    >>> from solutions.with_numpy.recurrent_neurons import rnn_forward
    >>> layer = (None, np.ones((1, 1)), np.ones((1, 1)), np.zeros(1), "identity")
    >>> *_, cache = bidirectional_forward(np.ones((1, 3, 1)), layer, layer, rnn_forward)
    >>> bidirectional_backward(np.ones((1, 3, 2)), None, None, cache, rnn_backward).dx[0, :, 0]
    array([4., 4., 4.])
    """
    width, lengths = cache.width, cache.lengths
    dh_ahead = dh_reverse = None
    if dh is not None:
        (dh,), _ = arguments(("dh", dh, "N T H"))
        if dh.shape != cache.shape:
            raise ValueError(f"dh: got shape {dh.shape}; expected {cache.shape}, the outputs of both directions")
        dh_ahead, dh_reverse = dh[..., :width], reverse_steps(dh[..., width:], lengths)
    dlast_ahead = one_for_each("dlast_ahead", dlast_ahead, cache.states[0], "state")
    dlast_reverse = one_for_each("dlast_reverse", dlast_reverse, cache.states[1], "state")
    dahead = run_backward("ahead", backward, dh_ahead, dlast_ahead, cache.ahead)
    dreverse = run_backward("reverse", backward, dh_reverse, dlast_reverse, cache.reverse)
    return BidirectionalGradients(dahead.dx + reverse_steps(dreverse.dx, lengths), dahead, dreverse)


# --- the protocol -----------------------------------------------------------------------------------------------------


def run_layer(name: str, forward: Callable, x, layer: Layer, lengths) -> tuple[np.ndarray, States, Any]:
    """``forward(x, *layer, lengths=lengths)`` as ``(h, states, cache)``; an error says which layer it is about."""
    ordered, named = ((), layer) if isinstance(layer, Mapping) else (tuple(layer), {})
    signature = inspect.signature(forward)
    try:
        signature.bind(x, *ordered, **named, lengths=lengths)
    except TypeError as error:
        takes = ", ".join(word for word in list(signature.parameters)[1:] if word != "lengths")
        raise ValueError(f"{name}: got {len(layer)} arguments; expected {takes} ({error})") from None
    try:
        h, *states, cache = forward(x, *ordered, **named, lengths=lengths)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return h, tuple(states), cache


def run_backward(name: str, backward: Callable, dh, dstates: tuple, cache):
    """``backward(dh, *dstates, cache)``; an error says which layer it is about."""
    try:
        return backward(dh, *dstates, cache)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def one_for_each(name: str, given, count: int, word: str) -> tuple:
    """``given`` as a tuple of ``count``, with None for all of them as so many; ``ValueError`` if there are others."""
    if given is None:
        return (None,) * count
    if isinstance(given, np.ndarray) or len(given) != count:
        got = f"an array of shape {given.shape}" if isinstance(given, np.ndarray) else f"{len(given)}"
        raise ValueError(f"{name}: got {got}; expected a tuple of {count}, one for each {word}")
    return tuple(given)
