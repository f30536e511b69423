"""The types of recurrent network in PyTorch: against their parts, against NumPy, and learning what they are for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, mse_loss
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from solutions.with_numpy import rnn_types as with_numpy
from solutions.with_torch.gru import GRU
from solutions.with_torch.layer_norm import LayerNormGRU, LayerNormLSTM, LayerNormRNN
from solutions.with_torch.lstm import LSTM
from solutions.with_torch.recurrent_neurons import RNN
from solutions.with_torch.rnn_types import (
    EncoderDecoder,
    SequenceToSequence,
    SequenceToVector,
    VectorToSequence,
    beam_decode,
    greedy_decode,
    masked_cross_entropy,
    masked_mse,
    shifted,
    teacher_forcing,
)
from tests.reference.agreement import relative_error
from tests.reference.modules import assert_same, draw, error, flat

LAYERS = [RNN, LSTM, GRU, LayerNormRNN, LayerNormLSTM, LayerNormGRU]
TWINS = {RNN: torch.nn.RNN, LSTM: torch.nn.LSTM, GRU: torch.nn.GRU}
OPTIONS = [{}, {"num_layers": 2}, {"num_layers": 2, "bidirectional": True}]
layers = pytest.mark.parametrize("layer", LAYERS, ids=lambda c: c.__name__)


def twin_of(layer):
    """``torch.nn``'s layer with the same parameters."""
    theirs = TWINS[type(layer)](
        layer.input_size, layer.hidden_size, layer.num_layers, batch_first=True, bidirectional=layer.bidirectional,
        device=next(layer.parameters()).device, dtype=torch.float64,
    )  # fmt: skip
    theirs.load_state_dict(layer.state_dict())
    return theirs


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("layer", TWINS, ids=lambda c: c.__name__)
def test_readouts_at_every_step_and_after_the_last_equal_torchs_packed_ones(layer, options, device, rng) -> None:
    torch.manual_seed(3)
    x, lengths = draw(rng, 3, 6, 2, device=device), [4, 6, 1]
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    every = SequenceToSequence(2, 4, 3, layer, **options, device=device, dtype=torch.float64)
    h, _ = pad_packed_sequence(twin_of(every.layer)(packed)[0], batch_first=True)
    expected = every.readout(h)
    for n, length in enumerate(lengths):
        expected[n, length:] = 0
    assert_same(every(x, lengths), expected)

    vector = SequenceToVector(2, 4, 3, layer, **options, device=device, dtype=torch.float64)
    last = twin_of(vector.layer)(packed)[1]
    h_n = last[0] if isinstance(last, tuple) else last
    ends = torch.cat([h_n[-2], h_n[-1]], dim=-1) if options.get("bidirectional") else h_n[-1]
    assert_same(vector(x, lengths), vector.readout(ends))


@layers
def test_every_layer_serves_every_type(layer, device, rng) -> None:
    torch.manual_seed(3)
    options = {"layer": layer, "num_layers": 2, "device": device, "dtype": torch.float64}
    x, v = draw(rng, 3, 5, 2, device=device), draw(rng, 3, 2, device=device)
    assert SequenceToSequence(2, 4, 3, **options)(x).shape == (3, 5, 3)
    assert SequenceToVector(2, 4, 3, **options)(x, lengths=[5, 0, 2]).shape == (3, 3)
    sequence = VectorToSequence(2, 4, 3, **options)
    repeated, _ = sequence.layer(v[:, None].repeat(1, 5, 1))
    assert_same(sequence(v, 5), sequence.readout(repeated))
    y = sequence(v, 5, lengths=[5, 0, 2])
    assert not y[1].any() and not y[2, 2:].any() and error(y[2, :2], sequence(v, 5)[2, :2]) < 1e-14
    model = EncoderDecoder(7, 6, 3, 4, start=0, end=1, **options)
    source, targets = torch.randint(7, (3, 5), device=device), torch.randint(6, (3, 4), device=device)
    assert model(source, targets).shape == (3, 4, 6)
    assert model.greedy(source, 4).tokens.shape == model.beam(source, 4, 2).tokens.shape == (3, 4)


def test_an_initial_state_goes_to_the_layer(device, rng) -> None:
    torch.manual_seed(3)
    model = SequenceToVector(2, 4, 3, GRU, device=device, dtype=torch.float64)
    hx = draw(rng, 1, 3, 4, device=device)
    assert_same(model(draw(rng, 3, 5, 2, device=device), [0, 0, 0], hx), model.readout(hx[0]))
    sequence = SequenceToSequence(2, 4, 3, LSTM, device=device, dtype=torch.float64)
    x, state = draw(rng, 3, 5, 2, device=device), (hx, 2 * hx)
    assert_same(sequence(x, hx=state), sequence.readout(sequence.layer(x, state)[0]))


@pytest.mark.parametrize("lengths", [None, [5, 2, 0]], ids=str)
def test_numpy_and_pytorch_give_the_same(lengths, rng) -> None:
    torch.manual_seed(3)
    x, v = draw(rng, 3, 5, 2), draw(rng, 3, 2)
    for kind, function, given in (
        (SequenceToSequence, with_numpy.sequence_to_sequence, (x,)),
        (SequenceToVector, with_numpy.sequence_to_vector, (x,)),
        (VectorToSequence, with_numpy.vector_to_sequence, (v, 5)),
    ):
        model = kind(2, 4, 3, dtype=torch.float64)
        w = {name: value.detach().numpy() for name, value in model.named_parameters()}
        bias = w["layer.bias_ih_l0"] + w["layer.bias_hh_l0"]
        arrays = [part.numpy() if isinstance(part, torch.Tensor) else part for part in given]
        weights = (w["layer.weight_ih_l0"].T, w["layer.weight_hh_l0"].T, bias, w["readout.weight"].T, w["readout.bias"])
        expected = function(*arrays, None, *weights, lengths=lengths)
        assert relative_error(model(*given, lengths=lengths).detach().numpy(), expected) < 1e-12


@layers
def test_what_stands_after_the_end_reaches_no_output_and_no_gradient(layer, device, rng) -> None:
    torch.manual_seed(3)
    x, lengths = draw(rng, 3, 5, 2, device=device), [5, 2, 0]
    wild = x.clone()
    wild[1, 2:], wild[2] = torch.nan, torch.inf
    for kind in (SequenceToSequence, SequenceToVector):
        model = kind(2, 4, 3, layer, bidirectional=True, device=device, dtype=torch.float64)
        found = []
        for value in (x, wild):
            leaf = value.clone().requires_grad_()
            y = model(leaf, lengths)
            found.append([y, *torch.autograd.grad((y**2).sum(), [leaf, *model.parameters()])])
        assert all(torch.equal(one, two) for one, two in zip(*found))


# --- the encoder–decoder ----------------------------------------------------------------------------------------------


def translator(device: str, layer=LSTM, **options) -> EncoderDecoder:
    torch.manual_seed(8)
    model = EncoderDecoder(7, 5, 3, 6, start=0, end=1, layer=layer, device=device, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model.eval()


def sentences(rng, device: str, N: int = 3):
    source = torch.as_tensor(rng.integers(0, 7, size=(N, 6)), device=device)
    targets = torch.as_tensor(rng.integers(0, 5, size=(N, 4)), device=device)
    return source, targets


@layers
@pytest.mark.parametrize("lengths", [None, [4, 0, 2]], ids=str)
def test_teacher_forcing_in_one_pass_is_teacher_forcing_step_by_step(layer, lengths, device, rng) -> None:
    model, (source, targets) = translator(device, layer, num_layers=2), sentences(rng, device)
    state = model.encode(source, [6, 3, 1])
    _, logits = teacher_forcing(model.step, state, targets, model.start, lengths)
    assert_same(model(source, targets, [6, 3, 1], lengths), logits, 1e-12)


def test_the_decoder_starts_from_the_state_after_the_sources_own_end(device, rng) -> None:
    model, (source, targets) = translator(device), sentences(rng, device)
    logits = model(source, targets, [6, 3, 1])
    for n, length in enumerate([6, 3, 1]):
        assert error(logits[n : n + 1], model(source[n : n + 1, :length], targets[n : n + 1])) < 1e-13


def test_tokens_after_an_end_are_not_read(device, rng) -> None:
    model, (source, targets) = translator(device), sentences(rng, device)
    wild_source, wild_targets = source.clone(), targets.clone()
    wild_source[1, 3:], wild_targets[1, 2:] = -100, 10**6
    found = []
    for one, two in ((source, targets), (wild_source, wild_targets)):
        logits = model(one, two, [6, 3, 6], [4, 2, 4])
        loss = masked_cross_entropy(logits, two, [4, 2, 4])
        found.append([logits, loss, *torch.autograd.grad(loss, list(model.parameters()))])
    assert all(torch.equal(one, two) for one, two in zip(*found))


@layers
def test_greedy_is_what_the_model_scores_highest_under_its_own_words(layer, device, rng) -> None:
    model, (source, _) = translator(device, layer), sentences(rng, device, N=6)
    tokens, lengths, log_probs = model.greedy(source, 5, lengths=[6, 3, 1, 2, 2, 5])
    logits = model(source, tokens, [6, 3, 1, 2, 2, 5])
    log_p = torch.log_softmax(logits, -1)
    for n, length in enumerate(lengths.tolist()):
        assert torch.equal(tokens[n, :length], logits[n, :length].argmax(-1))
        assert bool((tokens[n, length:] == model.end).all())
        picked = log_p[n].gather(1, tokens[n][:, None])[:length].sum()
        assert torch.isclose(log_probs[n], picked, rtol=1e-12)
        assert length == 5 or tokens[n, length - 1] == model.end


@pytest.mark.parametrize("length_power", [0.0, 1.0])
def test_a_beam_wide_enough_finds_the_best_of_all_translations(length_power, device, rng) -> None:
    model, (source, _) = translator(device, GRU), sentences(rng, device)
    V, steps, end = 5, 3, model.end
    found = model.beam(source, steps, V ** (steps - 1), length_power)
    words = torch.tensor(list(itertools.product(range(V), repeat=steps)), device=device)
    for n in range(3):
        log_p = torch.log_softmax(model(source[n : n + 1].expand(len(words), -1), words), -1)
        picked = log_p.gather(2, words[..., None])[..., 0]
        lengths = torch.tensor([w.index(end) + 1 if end in w else steps for w in words.tolist()], device=device)
        totals = torch.where(torch.arange(steps, device=device) < lengths[:, None], picked, 0).sum(1)
        best = int((totals / lengths**length_power).argmax())
        length = int(lengths[best])
        assert int(found.lengths[n]) == length and torch.equal(found.tokens[n, :length], words[best, :length])
        assert torch.isclose(found.log_probs[n], totals[best], rtol=1e-10)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("width", [1, 3])
def test_decoding_equals_numpys(width, seed, device) -> None:
    rng = np.random.default_rng(seed)
    E, W_x, W_h, b, W_y, b_y = (rng.normal(size=s) for s in ((5, 3), (3, 6), (6, 6), (6,), (6, 5), (5,)))
    h0 = rng.normal(size=(4, 6))
    e, w_x, w_h, bias, w_y, bias_y = (torch.as_tensor(value, device=device) for value in (E, W_x, W_h, b, W_y, b_y))

    def step(token_t, state):
        h = torch.tanh(e[token_t] @ w_x + state @ w_h + bias)
        return h, h @ w_y + bias_y

    for power in (0.0, 0.8):
        mine = beam_decode(step, torch.as_tensor(h0, device=device), 0, 1, 6, width, power)
        theirs = with_numpy.beam_decode(with_numpy.rnn_decoder(E, W_x, W_h, b, W_y, b_y), h0, 0, 1, 6, width, power)
        for one, two in zip(mine, theirs):
            assert relative_error(one.cpu().numpy(), two) < 1e-12
    if width == 1:
        greedy = greedy_decode(step, torch.as_tensor(h0, device=device), 0, 1, 6)
        assert torch.equal(greedy.tokens, mine.tokens) and torch.equal(greedy.lengths, mine.lengths)


def test_no_steps_and_no_sequences_decode_to_nothing(device) -> None:
    walk = lambda token_t, state: (state, torch.zeros(len(token_t), 3, device=device))
    for decode in (greedy_decode, lambda *args: beam_decode(*args, 2)):
        nothing = decode(walk, torch.zeros(2, 1, device=device), 0, 1, 0)
        assert nothing.tokens.shape == (2, 0) and not nothing.lengths.any() and not nothing.log_probs.any()
        assert decode(walk, torch.zeros(0, 1, device=device), 0, 1, 4).tokens.shape == (0, 4)


def test_decoding_leaves_no_graph_and_shifted_starts_with_the_start(device, rng) -> None:
    model, (source, _) = translator(device), sentences(rng, device)
    assert not model.greedy(source, 3).log_probs.requires_grad and not model.beam(source, 3, 2).log_probs.requires_grad
    assert shifted(torch.tensor([[5, 6, 7], [8, 9, 10]]), 1).tolist() == [[1, 5, 6], [1, 8, 9]]
    assert shifted(torch.zeros(3, 0, dtype=torch.long), 1).shape == (3, 0)


def test_it_learns_to_write_a_sequence_backwards() -> None:
    """The last token comes first: a decoder must have read the whole source before it writes."""
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    model = EncoderDecoder(6, 6, 12, 48, start=0, end=1, layer=GRU)
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(250):
        source = torch.randint(2, 6, (64, 3), generator=generator)
        targets = torch.cat([source.flip(1), torch.ones(64, 1, dtype=torch.long)], dim=1)
        loss = masked_cross_entropy(model(source, targets), targets)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    source = torch.randint(2, 6, (200, 3), generator=generator)
    for found in (model.greedy(source, 6), model.beam(source, 6, 3)):
        assert float((found.tokens[:, :3] == source.flip(1)).all(dim=1).float().mean()) > 0.9
        assert float((found.lengths == 4).float().mean()) > 0.9
    assert losses[-1] < 0.2 < 1.3 < losses[0]


# --- losses -----------------------------------------------------------------------------------------------------------


def real(lengths, N: int, T: int, device: str) -> torch.Tensor:
    return torch.arange(T, device=device) < torch.as_tensor(lengths or [T] * N, device=device)[:, None]


@pytest.mark.parametrize("lengths", [None, [5, 5, 5], [2, 5, 0], [0, 0, 0]], ids=str)
@pytest.mark.parametrize("shape", [(3, 5, 2), (3, 5), (3, 5, 1)], ids=str)
def test_masked_mse_and_its_gradient_equal_torchs(shape, lengths, device, rng) -> None:
    y, target = draw(rng, *shape, device=device).requires_grad_(), draw(rng, *shape, device=device)
    mask = real(lengths, 3, 5, device)
    loss = masked_mse(y, target, lengths)
    expected = mse_loss(y[mask], target[mask]) if mask.any() else 0 * y.sum()
    assert_same((loss, *torch.autograd.grad(loss, y)), (expected, *torch.autograd.grad(expected, y)))
    numpys = with_numpy.masked_mse(y.detach().cpu().numpy(), target.cpu().numpy(), lengths)
    assert np.isclose(loss.item(), numpys[0], rtol=1e-12)


@pytest.mark.parametrize("lengths", [None, [5, 5, 5], [2, 5, 0], [0, 0, 0]], ids=str)
def test_masked_cross_entropy_and_its_gradient_equal_torchs(lengths, device, rng) -> None:
    logits = draw(rng, 3, 5, 4, device=device).requires_grad_()
    targets = torch.as_tensor(rng.integers(0, 4, size=(3, 5)), device=device)
    mask = real(lengths, 3, 5, device)
    loss = masked_cross_entropy(logits, targets, lengths)
    expected = cross_entropy(logits[mask], targets[mask]) if mask.any() else 0 * logits.sum()
    (dlogits,), (expected_dlogits,) = torch.autograd.grad(loss, logits), torch.autograd.grad(expected, logits)
    assert_same((loss, dlogits), (expected, expected_dlogits))
    numpys = with_numpy.masked_cross_entropy(logits.detach().cpu().numpy(), targets.cpu().numpy(), lengths)
    assert np.isclose(loss.item(), numpys[0], rtol=1e-12)
    assert relative_error(dlogits.cpu().numpy(), numpys[1]) < 1e-12


def test_what_stands_after_the_end_reaches_no_loss_and_no_gradient(device, rng) -> None:
    y, target = draw(rng, 2, 4, 3, device=device), draw(rng, 2, 4, 3, device=device)
    targets = torch.zeros(2, 4, dtype=torch.long, device=device)
    y[0, 1:], target[0, 1:], targets[0, 1:] = torch.nan, torch.inf, -100
    y.requires_grad_()
    for loss in (masked_mse(y, target, [1, 4]), masked_cross_entropy(y, targets, [1, 4])):
        (dy,) = torch.autograd.grad(loss, y)
        assert bool(torch.isfinite(loss)) and bool(torch.isfinite(dy).all()) and not dy[0, 1:].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_losses_and_types_keep_the_dtype(dtype, device, rng) -> None:
    model = SequenceToSequence(2, 4, 3, LSTM, device=device, dtype=dtype)
    y = model(draw(rng, 3, 5, 2, device=device, dtype=dtype), [5, 2, 0])
    assert y.dtype == dtype and masked_mse(y, torch.zeros_like(y), [5, 2, 0]).dtype == dtype
    assert masked_cross_entropy(y, torch.zeros(3, 5, dtype=torch.long, device=device)).dtype == dtype


def test_the_compiler_takes_the_types(device) -> None:
    torch.manual_seed(1)
    x = torch.randn(3, 4, 2, device=device)
    for model in (SequenceToSequence(2, 4, 3, device=device), SequenceToVector(2, 4, 3, GRU, device=device)):
        assert torch.allclose(torch.compile(model, backend="eager")(x), model(x))


def test_states_load_both_ways(device) -> None:
    one, two = translator(device), translator(device, num_layers=1)
    with torch.no_grad():
        for parameter in two.parameters():
            parameter.zero_()
    two.load_state_dict(one.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values()))
    assert len(flat(one.encode(torch.zeros(2, 3, dtype=torch.long, device=device)))) == 2


FLAT = lambda token_t, state: (state, torch.zeros(len(token_t), 3))
S, Y, LONG = torch.zeros(2, 1), torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.long)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SequenceToSequence(2, 4, 0), "output_size: got 0"),
        (lambda: SequenceToSequence(2, 4, 1, torch.nn.LSTM), "layer: got .*; expected a class of this package"),
        (lambda: SequenceToSequence(2, 4, 1)(torch.zeros(3, 2)), "x: got shape"),
        (lambda: SequenceToVector(2, 4, 1)(torch.zeros(3, 2)), "x: got shape"),
        (lambda: SequenceToVector(2, 4, 1)(torch.zeros(3, 5, 2), [1, 2, 6]), "expected 0 to T = 5"),
        (lambda: VectorToSequence(2, 4, 1)(torch.zeros(3, 1, 2), 3), "v: got shape"),
        (lambda: VectorToSequence(2, 4, 1)(torch.zeros(3, 2), -1), "steps: got -1"),
        (lambda: EncoderDecoder(3, 3, 2, 4, 0, 3), "end: got 3; expected a token from 0 to 2"),
        (lambda: EncoderDecoder(3, 3, 2, 4, 0, 1, bidirectional=True), "bidirectional: got True"),
        (lambda: EncoderDecoder(3, 3, 2, 4, 0, 1)(LONG + 3, LONG), "source: got tokens from 3 to 3; expected 0 to 2"),
        (lambda: EncoderDecoder(3, 3, 2, 4, 0, 1)(LONG, LONG - 1), "targets: got tokens from -1 to 0"),
        (lambda: EncoderDecoder(3, 3, 2, 4, 0, 1)(LONG.float(), LONG), "source: got torch.float32; expected whole"),
        (lambda: EncoderDecoder(3, 3, 2, 4, 0, 1)(LONG[0], LONG), "source: got shape"),
        (lambda: greedy_decode(FLAT, S, 0, 3, 2), "end: got 3"),
        (lambda: greedy_decode(FLAT, S, 0, 1, -1), "steps: got -1"),
        (lambda: beam_decode(FLAT, S, 0, 1, 2, 0), "width: got 0"),
        (lambda: beam_decode(lambda t, s: (s, torch.zeros(2, 3)), S, 0, 1, 2, 2), "logits: got shape"),
        (lambda: masked_mse(Y, torch.zeros(2, 3, 5)), "target: got shapes"),
        (lambda: masked_mse(Y, Y, [1, 4]), "expected 0 to T = 3"),
        (lambda: masked_cross_entropy(Y, LONG[:, :2]), "targets: got shapes"),
        (lambda: masked_cross_entropy(Y, LONG + 4), "targets: got tokens from 4 to 4; expected 0 to V − 1 = 3"),
    ],
)
def test_it_says_what_was_got_and_expected(call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
