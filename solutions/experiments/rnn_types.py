"""The four shapes of a recurrent network on four tasks: temperatures, film reviews, digits spelled out, numbers.

Everything is trained on batches of 64 rows, drawn at random, with Adam and a limit of 1 on the gradient's norm. Data
that a model is judged on are never trained on; where a choice is made, it is made on a third part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot, pad

from solutions.experiments.data import TRAINING_DAYS, VALIDATION_DAYS, temperatures
from solutions.experiments.data_rnn_types import (
    END,
    FILLING,
    NAMES,
    SILENT,
    START,
    aligned,
    digits,
    english,
    german,
    padded,
    reviews,
    vocabulary,
)
from solutions.experiments.registry import Progress, experiment
from solutions.with_torch.lstm import LSTM
from solutions.with_torch.memory_cells import State
from solutions.with_torch.recurrent_layer import RecurrentLayer
from solutions.with_torch.recurrent_neurons import RNN, RNNCell
from solutions.with_torch.rnn_types import (
    EncoderDecoder,
    SequenceToSequence,
    SequenceToVector,
    VectorToSequence,
    beam_decode,
    masked_cross_entropy,
    masked_mse,
    teacher_forcing,
)

SEEDS, FEW_SEEDS = tuple(range(10)), tuple(range(5))
BATCH = 64


def training(
    model: nn.Module, loss_of: Callable[[Tensor], Tensor], rows: Tensor, updates: int, seed: int, lr: float = 5e-3
) -> Iterator[int]:
    """Train a model on the loss of random batches of ``rows``; after each update, hand out how many there were."""
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    generator = torch.Generator().manual_seed(seed)
    for update in range(1, updates + 1):
        batch = rows if len(rows) <= BATCH else rows[torch.randint(len(rows), (BATCH,), generator=generator)]
        loss = loss_of(batch)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        yield update


# --- sequence to sequence: temperatures -------------------------------------------------------------------------------

WINDOW = 30
TEST_BEGINS = TRAINING_DAYS + VALIDATION_DAYS


@experiment(
    "rnn_types_temperatures",
    "What does it bring to ask for a forecast at every step, and not at the last one alone?",
    SEEDS,
)
def forecast(seeds: Sequence[int], progress: Progress) -> dict:
    """Train on all windows of thirty days, or on those that do not overlap; keep the weights that did best in 2014."""
    data = temperatures()
    series = torch.tensor(data.standard, dtype=torch.float32)
    windows = series[:TRAINING_DAYS].unfold(0, WINDOW + 1, 1)
    days = {"validation": slice(TRAINING_DAYS - 1, TEST_BEGINS - 1), "test": slice(TEST_BEGINS - 1, None)}
    rows = {"all": torch.arange(len(windows)), "apart": torch.arange(0, len(windows), WINDOW)}
    found: dict = {"window": WINDOW, "hidden_size": 16, "windows": {name: len(some) for name, some in rows.items()}}

    def errors(model: nn.Module) -> dict[str, float]:
        with torch.no_grad():
            error = model(series[None, :-1, None])[0, :, 0] - series[1:]
        return {part: data.scale * float(error[some].square().mean().sqrt()) for part, some in days.items()}

    def run(some: Tensor, steps: slice, seed: int) -> float:
        torch.manual_seed(seed)
        model = SequenceToSequence(1, 16, 1)

        def loss_of(batch: Tensor) -> Tensor:
            x, y = windows[batch, :-1, None], windows[batch, 1:]
            return masked_mse(model(x)[:, steps, 0], y[:, steps])

        scores = [errors(model) for update in training(model, loss_of, some, 400, seed) if update % 50 == 0]
        return min(scores, key=lambda score: score["validation"])["test"]

    for shape, steps in (("every", slice(None)), ("last", slice(-1, None))):
        found[shape] = {}
        for name, some in rows.items():
            found[shape][name] = [run(some, steps, seed) for seed in seeds]
            progress(f"{shape} step, {name} windows: {np.mean(found[shape][name]):.3f} °C")
    return found


# --- sequence to vector: reviews --------------------------------------------------------------------------------------

TRAINING_REVIEWS, VALIDATION_REVIEWS = 3000, 487
READOUTS = ("last state", "mean of states", "filling read")


class Reviewer(nn.Module):
    """Words in, one score out: praise above 0, blame below."""

    def __init__(self, words: int, readout: str, width: int = 32) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.network = SequenceToVector(width, width, 1)
        self.mode = readout

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        x = self.embedding(tokens)
        if self.mode == "filling read":
            return self.network(x)[:, 0]
        if self.mode == "last state":
            return self.network(x, lengths)[:, 0]
        h, _ = self.network.layer(x, None, lengths)
        return self.network.readout(h.sum(dim=1) / lengths[:, None])[:, 0]


def bag_of_words(texts: list[list[str]], words: list[str]) -> np.ndarray:
    """Which words occur in each text, ``(N, V)``: their order is lost."""
    tokens, _ = padded(texts, words)
    bag = np.zeros((len(texts), len(words)))
    bag[np.arange(len(texts))[:, None], tokens] = 1
    bag[:, :2] = 0  # neither the filling nor unknown words
    return bag


def shuffled(tokens: Tensor, lengths: Tensor, seed: int) -> Tensor:
    """The words of each text in an order drawn at random; the filling stays where it is."""
    draw = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(seed))
    filling = torch.arange(tokens.shape[1]) >= lengths[:, None]
    return tokens.gather(1, draw.masked_fill(filling, 2.0).argsort(dim=1))


@experiment(
    "rnn_types_reviews",
    "Does a recurrent network tell praise from blame, and what does it cost to read the filling?",
    FEW_SEEDS,
)
def judge(seeds: Sequence[int], progress: Progress) -> dict:
    texts, positive = reviews()
    words = vocabulary(texts[:TRAINING_REVIEWS], least=3)
    tokens, lengths = map(torch.tensor, padded(texts, words))
    truth = torch.tensor(positive, dtype=torch.float32)
    first_test = TRAINING_REVIEWS + VALIDATION_REVIEWS
    parts = torch.arange(len(texts)).tensor_split((TRAINING_REVIEWS, first_test))
    rows, validation, test = parts

    bag = bag_of_words(texts, words)
    fits = [LogisticRegression(C=C, max_iter=300).fit(bag[rows], positive[rows]) for C in (0.03, 0.1, 0.3, 1.0)]
    chosen = max(fits, key=lambda fit: fit.score(bag[validation], positive[validation]))
    found: dict = {
        "reviews": [len(part) for part in parts],
        "words": len(words),
        "longest": int(lengths.max()),
        "mean_length": float(lengths.double().mean()),
        "commonest": float(max(positive[test].mean(), 1 - positive[test].mean())),
        "bag_of_words": float(chosen.score(bag[test], positive[test])),
        "recurrent": {},
        "shuffled": {},
    }

    def right(model: nn.Module, some: Tensor, read: Tensor) -> float:
        with torch.no_grad():
            return float(((model(read[some], lengths[some]) > 0) == (truth[some] > 0.5)).double().mean())

    for readout in READOUTS:
        scores, in_disorder = [], []
        for seed in seeds:
            torch.manual_seed(seed)
            model = Reviewer(len(words), readout)
            loss_of = lambda batch, model=model: binary_cross_entropy_with_logits(
                model(tokens[batch], lengths[batch]), truth[batch]
            )
            best = 0.0
            for update in training(model, loss_of, rows, 480, seed):
                if update % 48 == 0 and right(model, validation, tokens) > best:
                    best = right(model, validation, tokens)
                    score = right(model, test, tokens), right(model, test, shuffled(tokens, lengths, seed))
            scores.append(score[0])
            in_disorder.append(score[1])
        found["recurrent"][readout], found["shuffled"][readout] = scores, in_disorder
        progress(f"{readout}: {np.mean(scores):.3f}, words shuffled {np.mean(in_disorder):.3f}")
    return found


# --- vector to sequence: a digit spelled out --------------------------------------------------------------------------

LETTERS = [END, START, *sorted(set("".join(NAMES)))]
LONGEST_NAME = 6  # letters of the longest name, and the end
TRAINING_DIGITS = 1200
CHECKPOINTS = (25, 50, 75, 100, 150, 200, 300, 400, 600, 800)
WIDTHS = (1, 2, 4, 8)
NOISE = 0.3


class Repeater(nn.Module):
    """The same vector at every step, a letter at every step."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.network = VectorToSequence(input_size, hidden_size, len(LETTERS))

    def forward(self, v: Tensor, targets: Tensor) -> Tensor:
        return self.network(v, targets.shape[1])

    @torch.no_grad()
    def written(self, v: Tensor) -> Tensor:
        return self.network(v, LONGEST_NAME).argmax(dim=-1)


class Speller(nn.Module):
    """A vector makes the first state; from there on the network reads the letters that it has written.

    ``forced`` says what it reads in training: the true letters, or those that it would have written.
    """

    def __init__(self, input_size: int, hidden_size: int, forced: bool) -> None:
        super().__init__()
        self.into_state = nn.Linear(input_size, hidden_size)
        self.cell = RNNCell(len(LETTERS), hidden_size)
        self.readout = nn.Linear(hidden_size, len(LETTERS))
        self.forced = forced

    def first_state(self, v: Tensor) -> Tensor:
        return torch.tanh(self.into_state(v))

    def step(self, token_t: Tensor, state: State) -> tuple[State, Tensor]:
        state = self.cell(one_hot(token_t, len(LETTERS)).float(), state)
        return state, self.readout(state)

    def forward(self, v: Tensor, targets: Tensor) -> Tensor:
        state: State = self.first_state(v)
        if self.forced:
            return teacher_forcing(self.step, state, targets, LETTERS.index(START))[1]
        token, scores = torch.full((len(v),), LETTERS.index(START)), []
        for _ in range(targets.shape[1]):
            state, logits = self.step(token, state)
            token = logits.argmax(dim=1)
            scores.append(logits)
        return torch.stack(scores, dim=1)

    @torch.no_grad()
    def written(self, v: Tensor, width: int = 1) -> Tensor:
        """The letters that beam search finds; with a width of 1 the likeliest each time."""
        start, end = LETTERS.index(START), LETTERS.index(END)
        return beam_decode(self.step, self.first_state(v), start, end, LONGEST_NAME, width).tokens


SPELLERS: dict[str, Callable[[], Repeater | Speller]] = {
    "same vector": lambda: Repeater(64, 32),
    "forced": lambda: Speller(64, 32, forced=True),
    "unforced": lambda: Speller(64, 32, forced=False),
}


def spelled(tokens: Tensor) -> list[str]:
    """The letters before the first end."""
    return ["".join(LETTERS[k] for k in row).split(END)[0] for row in tokens.tolist()]


def tally(words: list[str], truth: Sequence[int]) -> dict[str, float]:
    """The share of right words, of other digits' names, and of letters that are no digit's name."""
    names = set(NAMES)
    right = [word == NAMES[digit] for word, digit in zip(words, truth, strict=True)]
    other = [word in names and not hit for word, hit in zip(words, right, strict=True)]
    return {
        "right": float(np.mean(right)),
        "other": float(np.mean(other)),
        "no_word": float(np.mean([word not in names for word in words])),
    }


@experiment(
    "rnn_types_digits",
    "How well does a network spell what it sees, and what does it gain from reading its own letters?",
    SEEDS,
)
def spell(seeds: Sequence[int], progress: Progress) -> dict:
    images, digit = digits()
    v = torch.tensor(images, dtype=torch.float32)
    letters, lengths = map(torch.tensor, padded([[*name, END] for name in NAMES], LETTERS))
    targets, target_lengths = letters[digit], lengths[digit]
    rows, test = torch.arange(TRAINING_DIGITS), torch.arange(TRAINING_DIGITS, len(v))
    truth = digit[TRAINING_DIGITS:].tolist()
    noisy = v[test] + NOISE * torch.randn(len(test), v.shape[1], generator=torch.Generator().manual_seed(0))
    fit = LogisticRegression(max_iter=300).fit(images[:TRAINING_DIGITS], digit[:TRAINING_DIGITS])
    found: dict = {
        "images": [len(rows), len(test)],
        "classifier": float(fit.score(images[TRAINING_DIGITS:], truth)),
        "commonest": float(np.bincount(truth).max() / len(test)),
        "checkpoints": list(CHECKPOINTS),
        "noise": NOISE,
        "widths": list(WIDTHS),
        "curves": {name: [] for name in SPELLERS},
        "final": {name: [] for name in SPELLERS},
        "nonsense": [],
        "beam": {shown: {str(width): [] for width in WIDTHS} for shown in ("clean", "noisy")},
        "letters_right": [],
    }
    for seed in seeds:
        for name, build in SPELLERS.items():
            torch.manual_seed(seed)
            model = build()

            def loss_of(batch: Tensor, model=model) -> Tensor:
                return masked_cross_entropy(model(v[batch], targets[batch]), targets[batch], target_lengths[batch])

            curve = []
            for update in training(model, loss_of, rows, CHECKPOINTS[-1], seed):
                if update in CHECKPOINTS:
                    words = spelled(model.written(v[test]))
                    curve.append(tally(words, truth)["right"])
            found["curves"][name].append(curve)
            found["final"][name].append(tally(words, truth))
            if name == "same vector":
                found["nonsense"] += [word for word in words if word not in NAMES][:3]
            if isinstance(model, Speller) and model.forced:
                found["letters_right"].append(letters_right(model, v[test], targets[test], target_lengths[test]))
                for shown, some in (("clean", v[test]), ("noisy", noisy)):
                    for width in WIDTHS:
                        words = spelled(model.written(some, width))
                        found["beam"][shown][str(width)].append(tally(words, truth))
        progress(
            f"seed {seed}: " + ", ".join(f"{name} {runs[-1]['right']:.3f}" for name, runs in found["final"].items())
        )
    return found


@torch.no_grad()
def letters_right(model: nn.Module, v: Tensor, targets: Tensor, lengths: Tensor) -> float:
    """The share of right letters, the end among them, when each step sees the true letters before it."""
    real = torch.arange(targets.shape[1]) < lengths[:, None]
    return share((model(v, targets).argmax(dim=-1) == targets)[real])


def share(hits: Tensor) -> float:
    return float(hits.double().mean())


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


# --- encoder–decoder: numbers from English to German ------------------------------------------------------------------

NUMBERS = range(1000)
ENGLISH = [FILLING, *sorted({word for number in NUMBERS for word in english(number)})]
GERMAN = [END, START, SILENT, *sorted({part for number in NUMBERS for part in german(number)})]
SIZES = (100, 300, 800)
TEST_NUMBERS = 200
TAGGERS = ("at once", "one word late", "both ways")
TRANSLATORS = (*TAGGERS, "encoder–decoder", "encoder–decoder, LSTM")
TABLES = ("table, at once", "table, one word late")
UPDATES, MANY_UPDATES = 600, 1800


class Translations:
    """Source words and German parts of every number below 1000, as padded tokens with their lengths."""

    def __init__(self) -> None:
        self.source, self.source_lengths = map(torch.tensor, padded([english(n) for n in NUMBERS], ENGLISH))
        self.aligned, _ = map(torch.tensor, padded([aligned(n) for n in NUMBERS], GERMAN))
        self.target, self.target_lengths = map(torch.tensor, padded([[*german(n), END] for n in NUMBERS], GERMAN))
        self.turned = torch.tensor([any(part.endswith("und") for part in german(n)) for n in NUMBERS])


def views(number: int, wait: int) -> list[list[tuple]]:
    """For each English word what a table may look it up by, the fullest first: the word before, and with a wait the
    one behind."""
    words = [None, *english(number), None]
    found: list[list[tuple]] = []
    for before, word, behind in zip(words, words[1:], words[2:], strict=False):
        with_behind: list[tuple] = [(before, word, behind), (word, behind, "behind")]
        found.append([*(with_behind if wait else []), (before, word), (word,)])
    return found


def table(rows: Sequence[int], test: Sequence[int], wait: int) -> Tensor:
    """A baseline that counts: for each word the part that was commonest for it among its neighbours, ``(N,)`` right.

    Where it never met a word among just these neighbours, it asks for fewer of them.
    """
    counts: defaultdict[tuple, Counter[str]] = defaultdict(Counter)
    for number in rows:
        for keys, part in zip(views(number, wait), aligned(number), strict=True):
            for key in keys:
                counts[key][part] += 1

    def right(keys: list[tuple], part: str) -> bool:
        known = [key for key in keys if key in counts]
        return bool(known) and counts[known[0]].most_common(1)[0][0] == part

    return torch.tensor(
        [all(right(k, p) for k, p in zip(views(number, wait), aligned(number), strict=True)) for number in test]
    )


def tagger(kind: str) -> SequenceToSequence:
    """A network that writes a part for each word; one that reads both ways has half of its neurons for either way."""
    both = kind == "both ways"
    return SequenceToSequence(len(ENGLISH), 24 if both else 48, len(GERMAN), bidirectional=both)


def tag(data: Translations, rows: Tensor, test: Tensor, kind: str, seed: int) -> dict[str, Tensor]:
    """Train a network that writes a part for each word, at once, one word late or reading both ways.

    Returns:
        ``whole (N,)``, all real steps right; ``real (N, T)``, the steps that are real; ``hits``, the right ones of all
        steps; ``written``, the parts that it wrote.
    """
    torch.manual_seed(seed)
    model, wait = tagger(kind), int(kind == "one word late")
    x = one_hot(pad(data.source, (0, wait)), len(ENGLISH)).float()

    def scores(some: Tensor) -> Tensor:
        return model(x[some], data.source_lengths[some] + wait)[:, wait:]

    def loss_of(batch: Tensor) -> Tensor:
        return masked_cross_entropy(scores(batch), data.aligned[batch], data.source_lengths[batch])

    for _ in training(model, loss_of, rows, UPDATES, seed):
        pass
    with torch.no_grad():
        written = scores(test).argmax(dim=-1)
    hits = written == data.aligned[test]
    real = torch.arange(hits.shape[1]) < data.source_lengths[test][:, None]
    return {"whole": (hits | ~real).all(dim=1), "real": real, "hits": hits, "written": written}


def translate(
    data: Translations, rows: Tensor, layer: type[RecurrentLayer], start: str, seed: int, updates: int = UPDATES
) -> EncoderDecoder:
    """Train an encoder–decoder with teacher forcing; ``start`` is PyTorch's or an orthogonal ``W_h`` without biases."""
    torch.manual_seed(seed)
    first, end = GERMAN.index(START), GERMAN.index(END)
    model = EncoderDecoder(len(ENGLISH), len(GERMAN), 16, 48, first, end, layer=layer)
    if start == "orthogonal":
        for name, parameter in model.named_parameters():
            if "weight_hh" in name:
                nn.init.orthogonal_(parameter)
            if "bias_ih" in name or "bias_hh" in name:
                nn.init.zeros_(parameter)

    def loss_of(batch: Tensor) -> Tensor:
        source, target = data.source[batch], data.target[batch]
        lengths = data.source_lengths[batch], data.target_lengths[batch]
        return masked_cross_entropy(model(source, target, *lengths), target, lengths[1])

    for _ in training(model, loss_of, rows, updates, seed):
        pass
    return model


def translated(model: EncoderDecoder, data: Translations, test: Tensor, width: int = 1) -> Tensor:
    """Which of the test numbers beam search gets right to the last part, ``(N,)``; with a width of 1 it is greedy."""
    steps = data.target.shape[1]
    written = model.beam(data.source[test], steps, width, lengths=data.source_lengths[test])
    return (written.tokens == data.target[test]).all(dim=1)


def examples(written: Tensor, numbers: Tensor, count: int = 4) -> list[dict[str, str]]:
    """The first few numbers: in English, in German, and what was written."""
    return [
        {
            "english": " ".join(english(number)),
            "german": " ".join(german(number)),
            "written": " ".join(part for part in (GERMAN[k] for k in row[: len(english(number))]) if part != SILENT),
        }
        for number, row in zip(numbers.tolist()[:count], written.tolist(), strict=False)
    ]


@experiment(
    "rnn_types_numbers",
    "Does an encoder–decoder translate numbers better than a network that writes a part for each word at once?",
    FEW_SEEDS,
)
def translate_numbers(seeds: Sequence[int], progress: Progress) -> dict:
    data = Translations()
    found: dict = {
        "sizes": list(SIZES),
        "test_numbers": TEST_NUMBERS,
        "updates": [UPDATES, MANY_UPDATES],
        "exact": {name: {str(size): [] for size in SIZES} for name in (*TABLES, *TRANSLATORS)},
        "turned": {name: [] for name in TRANSLATORS},
        "straight": {name: [] for name in TRANSLATORS},
        "usual_start": [],
        "many_updates": [],
        "beam": {str(size): {str(width): [] for width in WIDTHS} for size in SIZES},
        "tagger_steps": {"real": [], "with_filling": []},
    }
    for seed in seeds:
        order = torch.randperm(len(NUMBERS), generator=torch.Generator().manual_seed(100 + seed))
        test = order[-TEST_NUMBERS:]
        turned = data.turned[test]
        for size in SIZES:
            rows, largest = order[:size], size == SIZES[-1]
            tagged = [tag(data, rows, test, kind, seed) for kind in TAGGERS]
            at_once = tagged[0]
            plain, lstm = translate(data, rows, RNN, "orthogonal", seed), translate(data, rows, LSTM, "usual", seed)
            right = [tags["whole"] for tags in tagged] + [translated(model, data, test) for model in (plain, lstm)]
            for wait, name in enumerate(TABLES):
                found["exact"][name][str(size)].append(share(table(rows.tolist(), test.tolist(), wait)))
            for name, hits in zip(TRANSLATORS, right, strict=True):
                found["exact"][name][str(size)].append(share(hits))
                if largest:
                    found["turned"][name].append(share(hits[turned]))
                    found["straight"][name].append(share(hits[~turned]))
            for width in WIDTHS:
                found["beam"][str(size)][str(width)].append(share(translated(plain, data, test, width)))
            progress(f"seed {seed}, {size} numbers: " + ", ".join(f"{share(hits):.3f}" for hits in right))
        if seed == seeds[0]:
            models = [*map(tagger, TAGGERS), plain, lstm]
            found["parameters"] = {name: count(model) for name, model in zip(TRANSLATORS, models, strict=True)}
            found["examples"] = examples(at_once["written"][turned], test[turned])
        found["tagger_steps"]["real"].append(share(at_once["hits"][at_once["real"]]))
        found["tagger_steps"]["with_filling"].append(share(at_once["hits"] | ~at_once["real"]))
        found["usual_start"].append(share(translated(translate(data, rows, RNN, "usual", seed), data, test)))
        longer = translate(data, rows, RNN, "orthogonal", seed, MANY_UPDATES)
        found["many_updates"].append(share(translated(longer, data, test)))
        progress(f"seed {seed}: usual start {found['usual_start'][-1]:.3f}, longer {found['many_updates'][-1]:.3f}")
    return found
