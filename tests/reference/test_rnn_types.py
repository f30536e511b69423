"""The types of recurrent network: readouts, teacher forcing, greedy and beam decoding, masked losses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from solutions.with_numpy.recurrent_neurons import rnn_forward
from solutions.with_numpy.rnn_types import (
    beam_decode,
    greedy_decode,
    log_softmax,
    masked_cross_entropy,
    masked_mse,
    rnn_decoder,
    sequence_to_sequence,
    sequence_to_vector,
    shifted,
    teacher_forcing,
    vector_to_sequence,
)
from tests.reference.agreement import central_differences, read_only, relative_error

CLOSE = {np.float64: 1e-12, np.float32: 1e-5}
SIZES = [(1, 1, 1, 1, 1), (3, 5, 2, 4, 3), (2, 1, 3, 1, 2), (1, 7, 1, 3, 1), (4, 3, 5, 2, 2)]
LENGTHS = {
    "none": lambda N, T: None,
    "equal": lambda N, T: [T] * N,
    "mixed": lambda N, T: [1 + (2 * n) % T for n in range(N)],
    "some 0": lambda N, T: [0 if n % 2 == 0 else T for n in range(N)],
}
kinds = pytest.mark.parametrize("kind", LENGTHS)
dtypes = pytest.mark.parametrize("dtype", CLOSE, ids=lambda d: d.__name__)


def weights(rng: np.random.Generator, D: int, H: int, O: int, dtype=np.float64) -> list[np.ndarray]:
    """``W_x, W_h, b, W_y, b_y``."""
    shapes = (D, H), (H, H), (H,), (H, O), (O,)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def network(W) -> tuple[torch.nn.RNN, torch.nn.Linear]:
    """The same weights in ``torch.nn``."""
    W_x, W_h, b, W_y, b_y = W
    dtype = torch.as_tensor(b).dtype
    layer = torch.nn.RNN(*W_x.shape, batch_first=True, dtype=dtype)
    readout = torch.nn.Linear(*W_y.shape, dtype=dtype)
    values = {"weight_ih_l0": W_x.T, "weight_hh_l0": W_h.T, "bias_ih_l0": b, "bias_hh_l0": 0 * b}
    layer.load_state_dict({name: torch.tensor(np.ascontiguousarray(value)) for name, value in values.items()})
    readout.load_state_dict({"weight": torch.tensor(np.ascontiguousarray(W_y.T)), "bias": torch.tensor(b_y)})
    return layer, readout


def torch_rows(W, x, h0, lengths):
    """Each sequence cut to its own length, through ``torch.nn``: its outputs at every step, and after the last one."""
    layer, readout = network(W)
    for n, length in enumerate(lengths):
        first = torch.as_tensor(h0[None, n : n + 1])
        h, last = layer(torch.as_tensor(x[n : n + 1, :length]), first) if length else (None, first)
        every = np.zeros((0, len(W[-1])), x.dtype) if h is None else readout(h)[0].detach().numpy()
        yield n, length, every, readout(last)[0, 0].detach().numpy()


# --- three types out of one layer -------------------------------------------------------------------------------------


@dtypes
@kinds
@pytest.mark.parametrize("initial", [True, False], ids=["h0", "no h0"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_readouts_at_every_step_and_after_the_last_equal_torchs(size, initial, kind, dtype, rng) -> None:
    N, T, D, H, O = size
    x, h0, W = (
        rng.normal(size=(N, T, D)).astype(dtype),
        rng.normal(size=(N, H)).astype(dtype),
        weights(rng, D, H, O, dtype),
    )
    lengths = LENGTHS[kind](N, T)
    given_h0 = h0 if initial else None
    every = sequence_to_sequence(x, given_h0, *W, lengths=lengths)
    last = sequence_to_vector(x, given_h0, *W, lengths=lengths)
    assert every.shape == (N, T, O) and last.shape == (N, O) and every.dtype == last.dtype == dtype
    for n, length, expected, end in torch_rows(W, x, h0 if initial else 0 * h0, lengths or [T] * N):
        assert relative_error(every[n, :length], expected) < CLOSE[dtype] and not every[n, length:].any()
        assert relative_error(last[n], end) < CLOSE[dtype]


@dtypes
@kinds
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_a_vector_to_sequence_network_sees_its_vector_at_every_step(size, kind, dtype, rng) -> None:
    N, T, D, H, O = size
    v, h0, W = (
        rng.normal(size=(N, D)).astype(dtype),
        rng.normal(size=(N, H)).astype(dtype),
        weights(rng, D, H, O, dtype),
    )
    lengths = LENGTHS[kind](N, T)
    y = vector_to_sequence(v, T, h0, *W, lengths=lengths)
    assert y.shape == (N, T, O) and y.dtype == dtype
    repeated = np.repeat(v[:, None], T, axis=1)
    for n, length, expected, _ in torch_rows(W, repeated, h0, lengths or [T] * N):
        assert relative_error(y[n, :length], expected) < CLOSE[dtype] and not y[n, length:].any()


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_the_activation_reaches_the_layer(activation, rng) -> None:
    x, W = rng.normal(size=(2, 4, 3)), weights(rng, 3, 5, 2)
    h, h_last, _ = rnn_forward(x, None, *W[:3], activation)
    assert np.allclose(sequence_to_sequence(x, None, *W, activation), h @ W[3] + W[4], rtol=1e-14)
    assert np.allclose(sequence_to_vector(x, None, *W, activation), h_last @ W[3] + W[4], rtol=1e-14)
    same = np.repeat(x[:, :1], 4, axis=1)
    expected = sequence_to_sequence(same, None, *W, activation)
    assert np.allclose(vector_to_sequence(x[:, 0], 4, None, *W, activation), expected, rtol=1e-14)


def test_no_steps(rng) -> None:
    W, h0 = weights(rng, 3, 4, 2), rng.normal(size=(2, 4))
    assert sequence_to_sequence(np.zeros((2, 0, 3)), h0, *W).shape == (2, 0, 2)
    assert vector_to_sequence(np.zeros((2, 3)), 0, h0, *W).shape == (2, 0, 2)
    assert np.allclose(sequence_to_vector(np.zeros((2, 0, 3)), h0, *W), h0 @ W[3] + W[4])


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**31))
def test_padding_never_changes_anything(N, T, seed) -> None:
    rng = np.random.default_rng(seed)
    x, W, lengths = rng.normal(size=(N, T, 2)), weights(rng, 2, 3, 2), rng.integers(0, T + 1, size=N)
    other = x.copy()
    other[np.arange(T) >= lengths[:, None]] = np.nan
    for kind in (sequence_to_sequence, sequence_to_vector):
        assert np.array_equal(kind(x, None, *W, lengths=lengths), kind(other, None, *W, lengths=lengths))


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**31))
def test_a_permutation_of_hidden_units_changes_no_output(N, T, seed) -> None:
    rng = np.random.default_rng(seed)
    x, (W_x, W_h, b, W_y, b_y), p = rng.normal(size=(N, T, 2)), weights(rng, 2, 4, 3), rng.permutation(4)
    permuted = W_x[:, p], W_h[np.ix_(p, p)], b[p], W_y[p], b_y
    for kind in (sequence_to_sequence, sequence_to_vector):
        assert relative_error(kind(x, None, *permuted), kind(x, None, W_x, W_h, b, W_y, b_y)) < 1e-12


# --- the decoder ------------------------------------------------------------------------------------------------------


def decoder_parts(rng, V: int, D: int, H: int, dtype=np.float64, sharp: float = 1.0) -> list[np.ndarray]:
    E = rng.normal(size=(V, D)).astype(dtype)
    return [
        E,
        *weights(rng, D, H, V, dtype)[:3],
        sharp * weights(rng, D, H, V, dtype)[3],
        weights(rng, D, H, V, dtype)[4],
    ]


def score(step, state, start: int, tokens) -> float:
    """The log-probability of these tokens for a batch of one, one step after another."""
    total, token = 0.0, start
    for following in tokens:
        state, logits = step(np.array([token]), state)
        total += float(torch.log_softmax(torch.as_tensor(logits), dim=-1)[0, following])
        token = following
    return total


@dtypes
@pytest.mark.parametrize("size", [(1, 1, 1, 1, 2), (3, 5, 2, 4, 6), (2, 4, 3, 1, 3)], ids=str)
def test_a_decoders_step_is_an_embedding_a_recurrent_step_and_a_readout(size, dtype, rng) -> None:
    N, _, D, H, V = size
    E, *W = decoder_parts(rng, V, D, H, dtype)
    token, h_prev = rng.integers(0, V, size=N), rng.normal(size=(N, H)).astype(dtype)
    h_t, logits = rnn_decoder(E, *W)(token, h_prev)
    layer, readout = network(W)
    h, last = layer(torch.as_tensor(E[token][:, None]), torch.as_tensor(h_prev[None]))
    assert logits.dtype == h_t.dtype == dtype
    assert relative_error(h_t, last[0].detach().numpy()) < CLOSE[dtype]
    assert relative_error(logits, readout(h)[:, 0].detach().numpy()) < CLOSE[dtype]


def test_shifted_puts_the_start_first_and_drops_the_last() -> None:
    assert shifted([[5, 6, 7], [8, 9, 10]], 1).tolist() == [[1, 5, 6], [1, 8, 9]]
    assert shifted([[5]], 1).tolist() == [[1]]
    assert shifted(np.zeros((3, 0), int), 1).shape == (3, 0)
    assert shifted(np.array([[5, 6]], np.uint8), 300).tolist() == [[300, 5]]


@kinds
def test_teacher_forcing_reads_the_true_tokens_whatever_it_would_write(kind, rng) -> None:
    N, T, V = 3, 5, 6
    parts = decoder_parts(rng, V, 2, 4)
    targets, h0, lengths = rng.integers(0, V, size=(N, T)), rng.normal(size=(N, 4)), LENGTHS[kind](N, T)
    state, logits = teacher_forcing(rnn_decoder(*parts), h0, targets, 0, lengths)
    inputs = np.concatenate([np.zeros((N, 1), int), targets[:, :-1]], axis=1)
    for n, length, expected, _ in torch_rows(parts[1:], parts[0][inputs], h0, lengths or [T] * N):
        assert relative_error(logits[n, :length], expected) < 1e-12 and not logits[n, length:].any()
    expected = rnn_forward(parts[0][inputs], h0, *parts[1:4], lengths=lengths)[1]
    assert relative_error(state, expected) < 1e-12


def test_targets_after_the_end_are_not_read(rng) -> None:
    step, h0 = rnn_decoder(*decoder_parts(rng, 6, 2, 4)), rng.normal(size=(2, 4))
    targets = np.array([[1, 2, 3, 4], [5, 0, 1, 2]])
    wild = np.array([[1, 2, 3, -100], [5, -100, 999, -1]])
    one, two = (teacher_forcing(step, h0, tokens, 0, lengths=[3, 1])[1] for tokens in (targets, wild))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("seed", range(8))
def test_greedy_writes_the_likeliest_token_each_time(seed) -> None:
    rng = np.random.default_rng(seed)
    V, steps, N = 4, 7, 5
    step, h0 = rnn_decoder(*decoder_parts(rng, V, 3, 6)), rng.normal(size=(N, 6))
    tokens, lengths, log_probs = greedy_decode(step, h0, 0, 2, steps)
    assert tokens.shape == (N, steps)
    for n in range(N):
        state, token, expected = h0[n : n + 1], 0, []
        while len(expected) < steps and (not expected or token != 2):
            state, logits = step(np.array([token]), state)
            token = int(logits[0].argmax())
            expected.append(token)
        assert lengths[n] == len(expected)
        assert tokens[n].tolist() == expected + [2] * (steps - len(expected))
        assert np.isclose(log_probs[n], score(step, h0[n : n + 1], 0, expected), rtol=1e-12)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("length_power", [0.0, 0.7, 1.0])
def test_a_beam_of_one_is_greedy(seed, length_power) -> None:
    rng = np.random.default_rng(seed)
    step, h0 = rnn_decoder(*decoder_parts(rng, 5, 3, 6)), rng.normal(size=(4, 6))
    one, two = greedy_decode(step, h0, 0, 2, 6), beam_decode(step, h0, 0, 2, 6, 1, length_power)
    assert np.array_equal(one.tokens, two.tokens) and np.array_equal(one.lengths, two.lengths)
    assert np.allclose(one.log_probs, two.log_probs, rtol=1e-13)


@pytest.mark.parametrize("length_power", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_a_beam_wide_enough_finds_the_best_of_all_sequences(seed, length_power) -> None:
    rng = np.random.default_rng(100 + seed)
    V, steps, end, N = 3, 4, 1, 2
    step, h0 = rnn_decoder(*decoder_parts(rng, V, 3, 5)), rng.normal(size=(N, 5))
    everything = {
        tuple(itertools.takewhile(lambda token: token != end, word)) + ((end,) if end in word else ())
        for word in itertools.product(range(V), repeat=steps)
    }
    found = beam_decode(step, h0, 0, end, steps, V ** (steps - 1), length_power)
    for n in range(N):
        scores = {word: score(step, h0[n : n + 1], 0, word) for word in everything}
        best = max(everything, key=lambda word: scores[word] / len(word) ** length_power)
        assert tuple(found.tokens[n, : found.lengths[n]]) == best
        assert np.isclose(found.log_probs[n], scores[best], rtol=1e-10)
        assert (found.tokens[n, found.lengths[n] :] == end).all()


def test_a_narrow_beam_can_beat_greedy_where_the_first_step_misleads() -> None:
    odds = np.log([[1.0, 1.0, 1.0], [0.01, 0.59, 0.4], [0.95, 0.03, 0.02]])
    walk = lambda token_t, state: (state, odds[token_t])
    greedy, beam = greedy_decode(walk, np.zeros((1, 1)), 1, 0, 2), beam_decode(walk, np.zeros((1, 1)), 1, 0, 2, 2)
    assert greedy.tokens.tolist() == [[1, 1]] and beam.tokens.tolist() == [[2, 0]]
    assert np.isclose(np.exp(greedy.log_probs[0]), 0.59**2) and np.isclose(np.exp(beam.log_probs[0]), 0.4 * 0.95)


def test_length_power_lets_a_longer_sequence_win() -> None:
    """Ending at once has probability 0.5; three tokens 0.49 · 0.98 · 0.98, less, but more for each token."""
    odds = np.log([[0.5, 0.49, 0.01], [0.01, 0.01, 0.98], [0.98, 0.01, 0.01]])
    walk = lambda token_t, state: (state, odds[np.where(token_t == 0, 0, token_t)])
    short, long = (beam_decode(walk, np.zeros((1, 1)), 0, 0, 5, 3, power) for power in (0.0, 1.0))
    assert short.tokens[0].tolist() == [0] * 5 and short.lengths[0] == 1
    assert long.tokens[0].tolist() == [1, 2, 0, 0, 0] and long.lengths[0] == 3


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**31))
def test_decoding_a_batch_is_decoding_its_rows(N, width, seed) -> None:
    rng = np.random.default_rng(seed)
    step, h0 = rnn_decoder(*decoder_parts(rng, 4, 2, 3)), rng.normal(size=(N, 3))
    together = beam_decode(step, h0, 0, 1, 5, width)
    for n in range(N):
        alone = beam_decode(step, h0[n : n + 1], 0, 1, 5, width)
        assert np.array_equal(alone.tokens[0], together.tokens[n]) and alone.lengths[0] == together.lengths[n]
        assert np.isclose(alone.log_probs[0], together.log_probs[n], rtol=1e-12)
        tokens = together.tokens[n, : together.lengths[n]]
        assert np.isclose(together.log_probs[n], score(step, h0[n : n + 1], 0, tokens), rtol=1e-10)


def test_a_state_of_several_arrays_is_carried_with_its_beginning() -> None:
    """The state holds the tokens read so far: at the end it must be the history of the sequence that won."""
    rng = np.random.default_rng(5)
    V, N, steps = 4, 3, 5
    mix = rng.normal(size=(steps, V, V))
    seen = []

    def step(token_t, state):
        count, history = state
        history = history.copy()
        history[np.arange(len(history)), count] = token_t
        seen.append((count + 1, history))
        logits = np.stack([mix[c % steps][h[: c + 1]].sum(axis=0) for c, h in zip(count, history)])
        return (count + 1, history), 2 * logits

    first = np.zeros(N, int), np.full((N, steps), -1)
    found = beam_decode(step, first, 0, V - 1, steps, 3)
    for n in range(N):
        tokens = found.tokens[n, : found.lengths[n]]
        alone = (np.zeros(1, int), np.full((1, steps), -1))
        assert np.isclose(score(step, alone, 0, tokens), found.log_probs[n], rtol=1e-10)


def test_no_steps_and_no_sequences_decode_to_nothing() -> None:
    walk = lambda token_t, state: (state, np.zeros((len(token_t), 3)))
    for decode in (greedy_decode, lambda *args: beam_decode(*args, 2)):
        nothing = decode(walk, np.zeros((2, 1)), 0, 1, 0)
        assert nothing.tokens.shape == (2, 0) and not nothing.lengths.any() and not nothing.log_probs.any()
        assert decode(walk, np.zeros((0, 1)), 0, 1, 4).tokens.shape == (0, 4)


def test_of_equally_likely_tokens_the_first_is_written() -> None:
    flat = lambda token_t, state: (state, np.zeros((len(token_t), 3)))
    assert greedy_decode(flat, np.zeros((1, 1)), 0, 2, 3).tokens.tolist() == [[0, 0, 0]]
    assert beam_decode(flat, np.zeros((1, 1)), 0, 2, 3, 2).tokens.tolist() == [[0, 0, 0]]
    assert beam_decode(flat, np.zeros((1, 1)), 0, 2, 3, 3).tokens.tolist() == [[2, 2, 2]]  # to end at once costs least


@dtypes
def test_decoding_keeps_the_dtype(dtype, rng) -> None:
    step = rnn_decoder(*decoder_parts(rng, 4, 2, 3, dtype))
    h0 = np.zeros((2, 3), dtype)
    assert greedy_decode(step, h0, 0, 1, 4).log_probs.dtype == dtype
    assert beam_decode(step, h0, 0, 1, 4, 2).log_probs.dtype == dtype


# --- losses -----------------------------------------------------------------------------------------------------------


def real(lengths, N: int, T: int) -> torch.Tensor:
    return torch.arange(T) < torch.as_tensor([T] * N if lengths is None else lengths)[:, None]


def test_log_softmax_equals_torchs_and_does_not_overflow(rng) -> None:
    logits = rng.normal(size=(3, 4, 5)) * 50
    assert relative_error(log_softmax(logits), torch.log_softmax(torch.as_tensor(logits), -1).numpy()) < 1e-14
    assert np.isfinite(log_softmax(np.array([[1e300, 1e300], [-1e300, 0.0]]))[0]).all()
    assert log_softmax(logits.astype(np.float32)).dtype == np.float32


@dtypes
@kinds
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 2), (2, 1, 4), (3, 5)], ids=str)
def test_masked_mse_and_its_gradient_equal_torchs(shape, kind, dtype, rng) -> None:
    N, T = shape[:2]
    y, target, lengths = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype), LENGTHS[kind](N, T)
    loss, dy = masked_mse(*read_only(y, target), lengths)
    mask = real(lengths, N, T)
    leaf = torch.tensor(y, requires_grad=True)
    if mask.any():
        expected = torch.nn.functional.mse_loss(leaf[mask], torch.tensor(target)[mask])
        expected_dy = torch.autograd.grad(expected, leaf)[0].numpy()
        assert abs(loss - expected.item()) < CLOSE[dtype] * (1 + abs(expected.item()))
        assert relative_error(dy, expected_dy) < CLOSE[dtype] * 10
    else:
        assert loss == 0 and not dy.any()
    assert loss.dtype == dy.dtype == dtype and dy.shape == y.shape


@dtypes
@kinds
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 2), (2, 1, 4), (4, 3, 6)], ids=str)
def test_masked_cross_entropy_and_its_gradient_equal_torchs(shape, kind, dtype, rng) -> None:
    N, T, V = shape
    logits, targets = rng.normal(size=shape).astype(dtype), rng.integers(0, V, size=(N, T))
    lengths, mask = LENGTHS[kind](N, T), real(LENGTHS[kind](N, T), N, T)
    loss, dlogits = masked_cross_entropy(*read_only(logits, targets), lengths)
    leaf = torch.tensor(logits, requires_grad=True)
    if mask.any():
        expected = torch.nn.functional.cross_entropy(leaf[mask], torch.tensor(targets)[mask])
        assert abs(loss - expected.item()) < CLOSE[dtype] * (1 + abs(expected.item()))
        expected_dlogits = torch.autograd.grad(expected, leaf)[0].numpy()
        assert np.abs(dlogits - expected_dlogits).max() < CLOSE[dtype]
    else:
        assert loss == 0 and not dlogits.any()
    assert loss.dtype == dlogits.dtype == dtype and dlogits.shape == logits.shape


@kinds
def test_gradients_match_central_differences(kind, rng) -> None:
    y, target, lengths = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 4, 2)), LENGTHS[kind](3, 4)
    dy = masked_mse(y, target, lengths)[1]
    assert relative_error(dy, central_differences(lambda: masked_mse(y, target, lengths)[0], y)) < 1e-7
    logits, targets = rng.normal(size=(3, 4, 5)), rng.integers(0, 5, size=(3, 4))
    dlogits = masked_cross_entropy(logits, targets, lengths)[1]
    expected = central_differences(lambda: masked_cross_entropy(logits, targets, lengths)[0], logits)
    assert relative_error(dlogits, expected) < 1e-7


@given(st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**31))
def test_what_stands_after_the_end_reaches_no_loss_and_no_gradient(N, T, seed) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, T + 1, size=N)
    after = np.arange(T) >= lengths[:, None]
    y, target = rng.normal(size=(2, N, T, 3))
    targets = rng.integers(0, 3, size=(N, T))
    wild, wild_target, wild_targets = y.copy(), target.copy(), targets.copy()
    wild[after], wild_target[after], wild_targets[after] = np.nan, np.inf, -100
    for one, two in (
        (masked_mse(y, target, lengths), masked_mse(wild, wild_target, lengths)),
        (masked_cross_entropy(y, targets, lengths), masked_cross_entropy(wild, wild_targets, lengths)),
    ):
        assert one[0] == two[0] and np.array_equal(one[1], two[1]) and not two[1][after].any()


def test_losses_do_not_share_memory_with_their_inputs_and_survive_huge_scores() -> None:
    y = np.zeros((2, 3, 1))
    assert not np.shares_memory(masked_mse(y, y)[1], y)
    loss, dlogits = masked_cross_entropy(np.array([[[1e4, -1e4]]]), [[0]])
    assert loss == 0 and not dlogits.any()
    loss, dlogits = masked_cross_entropy(np.array([[[1e4, -1e4]]]), [[1]])
    assert loss == 2e4 and np.array_equal(dlogits, [[[1, -1]]])


# --- errors -----------------------------------------------------------------------------------------------------------

GOOD = {"x": (3, 5, 2), "h0": (3, 4), "W_x": (2, 4), "W_h": (4, 4), "b": (4,), "W_y": (4, 6), "b_y": (6,)}
BAD = {"x": (3, 5), "h0": (2, 4), "W_x": (3, 4), "W_h": (4, 5), "b": (3,), "W_y": (5, 6), "b_y": (5,)}


@pytest.mark.parametrize("kind", [sequence_to_sequence, sequence_to_vector], ids=lambda f: f.__name__)
@pytest.mark.parametrize("name", GOOD)
def test_a_wrong_shape_or_dtype_says_what_was_got_and_expected(name, kind) -> None:
    arrays = {key: np.zeros(BAD[key] if key == name else shape) for key, shape in GOOD.items()}
    with pytest.raises(ValueError, match="got shape .* expected"):
        kind(*arrays.values())
    arrays = {key: np.zeros(shape, int if key == name else float) for key, shape in GOOD.items()}
    with pytest.raises(ValueError, match=f"{name if name not in ('W_y', 'b_y') else ''}.*got dtype .* expected"):
        kind(*arrays.values())


FLAT = lambda token_t, state: (state, np.zeros((len(token_t), 3)))
S, Y = np.zeros((2, 1)), np.zeros((2, 3, 4))
PARTS = [np.zeros(shape) for shape in ((5, 2), (2, 4), (4, 4), (4,), (4, 5), (5,))]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: vector_to_sequence(np.zeros((2, 3, 4)), 3, *PARTS[:6]), "v: got shape"),
        (lambda: vector_to_sequence(np.zeros((2, 2)), -1, None, *PARTS[1:]), "steps: got -1"),
        (lambda: vector_to_sequence(np.zeros((2, 2)), 2.0, None, *PARTS[1:]), "steps: got 2.0"),
        (lambda: rnn_decoder(*PARTS[:5], np.zeros(4)), "b_y: got shape"),
        (lambda: rnn_decoder(*PARTS, "gelu"), "activation: got 'gelu'"),
        (
            lambda: rnn_decoder(*PARTS)([5], np.zeros((1, 4))),
            "token_t: got tokens from 5 to 5; expected 0 to V − 1 = 4",
        ),
        (lambda: rnn_decoder(*PARTS)([0.0], np.zeros((1, 4))), "token_t: got shape"),
        (lambda: rnn_decoder(*PARTS)([0], np.zeros((2, 4))), "h_prev: got shape"),
        (lambda: shifted([1, 2], 0), "targets: got shape"),
        (lambda: shifted([[1.5]], 0), "whole numbers"),
        (lambda: teacher_forcing(FLAT, S, [[0, 1]], 0), "state: got shape"),
        (lambda: greedy_decode(FLAT, S, 0, 1, -1), "steps: got -1"),
        (lambda: greedy_decode(FLAT, S, 0, 3, 2), "end: got 3; expected a token from 0 to V − 1 = 2"),
        (lambda: greedy_decode(lambda t, s: (s, np.zeros(2)), S, 0, 1, 2), "logits: got shape"),
        (lambda: beam_decode(FLAT, S, 0, 1, 2, 0), "width: got 0"),
        (lambda: beam_decode(FLAT, S, 0, 1, True, 1), "steps: got True"),
        (lambda: beam_decode(lambda t, s: (s, np.zeros((2, 3))), S, 0, 1, 2, 2), "logits: got shape"),
        (lambda: masked_mse(Y, np.zeros((2, 3, 5))), "target: got shape"),
        (lambda: masked_mse(np.zeros(3), np.zeros(3)), "y: got shape"),
        (lambda: masked_mse(Y, Y, [1, 4]), "expected 0 to T = 3"),
        (lambda: masked_mse(Y.astype(int), Y), "y: got dtype"),
        (lambda: masked_cross_entropy(Y, np.zeros((2, 4), int)), "targets: got shape"),
        (lambda: masked_cross_entropy(Y, np.zeros((2, 3))), "whole numbers"),
        (
            lambda: masked_cross_entropy(Y, np.full((2, 3), 4)),
            "targets: got tokens from 4 to 4; expected 0 to V − 1 = 3",
        ),
        (lambda: masked_cross_entropy(Y[0], np.zeros((2, 3), int)), "logits: got shape"),
        (lambda: log_softmax([1, 2]), "logits: got dtype"),
    ],
)
def test_it_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
