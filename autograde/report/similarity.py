"""Pairs of submissions whose answers are alike beyond what handout, model answer and the rest of the class explain.

An answer is a set of runs of neighbouring words (``words_of_code``). Runs that the handout or the model answer hold do
not count, and neither do those that much of the class writes; of the others, the rarer weigh more (tf-idf), and two
answers are compared by the cosine of their weights. It is what Moss does with fingerprints (S. Schleimer, D. Wilkerson,
A. Aiken, SIGMOD 2003) without the thinning out, which a class is too small to need, and with weights.

Time and memory grow with the number of submissions, but for the products of the weights, which grow with its square.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from nbformat.notebooknode import NotebookNode
from scipy.sparse import csr_matrix, diags
from sklearn.feature_extraction.text import TfidfVectorizer

from autograde.grading.rebuild import grade_id, is_solution, rebuild
from autograde.report.words_of_code import runs, words

FEWEST = 3  # submissions: of two, nobody can say what is common
COMMON, PART = 10, 10  # runs in more answers than 10, and than a tenth of the class, are common
ENOUGH = 60  # rare runs in common, below which a likeness counts in proportion
ONE = 0.6  # of the likeness of one answer's wording, against that of the whole
LEAST, MOST = 0.4, 1_000  # the likeness from which on a pair is listed, and the pairs at most
TINY = 1e-9
Answers = dict[str, str]


@dataclass(frozen=True)
class Cell:
    """What an answer's cell is called, and what is no student's own in it."""

    name: str
    code: bool
    known: tuple[str, ...]


@dataclass(frozen=True)
class Alike:
    """How alike two answers to one cell are, from 0 to 1, and in how many rare runs."""

    cell: str
    wording: float
    structure: float
    shared: float


@dataclass(frozen=True)
class Pair:
    """Two students, how alike their submissions are as a whole, and their answers, most in common first."""

    first: str
    second: str
    likeness: float
    wording: float
    structure: float
    answers: tuple[Alike, ...]


@dataclass(frozen=True)
class Comparison:
    """The pairs of a class, and what is needed to show where they are alike."""

    cells: list[Cell]
    given: dict[str, Answers]
    pairs: list[Pair]
    median: float
    above: int
    counting: dict[tuple[str, bool], np.ndarray]

    def lines(self, cell: Cell, pair: Pair) -> tuple[set[int], set[int]]:
        """The lines of the two answers to a cell that hold a run which both have, and which counts."""
        two = [words(self.given[student].get(cell.name, ""), cell.code) for student in (pair.first, pair.second)]
        marked: tuple[set[int], set[int]] = (set(), set())
        for structure in (False, True):
            own = [runs(found, structure) for found in two]
            counts = self.counting[cell.name, structure]
            both = np.intersect1d(np.intersect1d(own[0].numbers, own[1].numbers), counts)
            for found, lines in zip(own, marked):
                for place in np.flatnonzero(np.isin(found.numbers, both)):
                    lines.update(range(int(found.first[place]), int(found.last[place]) + 1))
        return marked


def cells_of(release: NotebookNode, solved: NotebookNode | None) -> list[Cell]:
    """The cells of the answers, with the handout's text and the model answer's as what is known."""
    model = {grade_id(cell): cell.source for cell in solved.cells} if solved else {}
    return [
        Cell(grade_id(cell), cell.cell_type == "code", (cell.source, model.get(grade_id(cell), "")))
        for cell in release.cells
        if is_solution(cell)
    ]


def answers_of(release: NotebookNode, submitted: bytes | None) -> Answers:
    """A submission's answers by their cells, found as grading finds them; none where the file cannot be read."""
    rebuilt = rebuild(release, submitted)
    return {} if rebuilt.fault else {grade_id(c): c.source for c in rebuilt.notebook.cells if is_solution(c)}


def compare(cells: list[Cell], given: dict[str, Answers]) -> Comparison:
    """Compare every pair of a class.

    Raises:
        ValueError: there are fewer than three submissions.
    """
    students, count = sorted(given), len(given)
    if count < FEWEST:
        raise ValueError(f"got {count} submissions that can be read; expected at least {FEWEST} to compare")
    texts = {cell: [given[student].get(cell.name, "") for student in students] for cell in cells}
    vectors = {cell.name: vectors_of(cell, texts[cell]) for cell in cells}
    tables = _tables(vectors, count)
    first, second = np.triu_indices(count, 1)
    values = tables[0][first, second]
    above = int((values >= LEAST).sum())
    best = np.argsort(-values, kind="stable")[: min(above, MOST)]
    pairs = _pairs(students, vectors, tables, first[best], second[best])
    counting = {(name, kind): of_kind.runs for name, kinds in vectors.items() for kind, of_kind in kinds.items()}
    return Comparison(cells, given, pairs, float(np.median(values)), above, counting)


def _tables(vectors: dict[str, dict[bool, Vectors]], count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every two submissions: the likeness, and as a whole that of the wording and of the structure."""
    whole = {structure: Products.none(count) for structure in (False, True)}
    one = np.zeros((count, count), dtype=np.float32)
    for kinds in vectors.values():
        for structure, of_kind in kinds.items():
            products = of_kind.products()
            whole[structure] = whole[structure].plus(products)
            if not structure:
                one = np.maximum(one, ONE * products.cosine() * np.minimum(1, products.shared / ENOUGH))
    wording, built = whole[False].cosine(), whole[True].cosine()
    shared = (whole[False].shared + whole[True].shared) / 2
    return np.maximum(one, (wording + built) / 2 * np.minimum(1, shared / ENOUGH)), wording, built


def _pairs(
    students: list[str],
    vectors: dict[str, dict[bool, Vectors]],
    tables: tuple[np.ndarray, ...],
    first: np.ndarray,
    second: np.ndarray,
) -> list[Pair]:
    parts = [_alike(name, kinds, first, second) for name, kinds in vectors.items()]
    found = []
    for n, (i, j) in enumerate(zip(first, second)):
        answers = sorted((part[n] for part in parts), key=lambda part: -part.shared)
        likeness, wording, structure = (float(table[i, j]) for table in tables)
        found.append(Pair(students[i], students[j], likeness, wording, structure, tuple(answers)))
    return found


def _alike(cell: str, vectors: dict[bool, Vectors], first: np.ndarray, second: np.ndarray) -> list[Alike]:
    wording, written = vectors[False].of_pairs(first, second)
    structure, built = vectors[True].of_pairs(first, second)
    return [Alike(cell, *map(float, row)) for row in zip(wording, structure, (written + built) / 2)]


@dataclass(frozen=True)
class Products:
    """For every two answers: the product of their weights, and the rare runs that they share."""

    weights: np.ndarray
    shared: np.ndarray

    @classmethod
    def none(cls, count: int) -> Products:
        return cls(np.zeros((count, count), dtype=np.float32), np.zeros((count, count), dtype=np.float32))

    def plus(self, other: Products) -> Products:
        return Products(self.weights + other.weights, self.shared + other.shared)

    def cosine(self) -> np.ndarray:
        size = np.sqrt(np.diag(self.weights))
        return self.weights / np.maximum(np.outer(size, size), TINY)


@dataclass(frozen=True)
class Vectors:
    """The weights of each answer's runs, what the runs are, and how rare: 1 if only two share it, 0 if all do."""

    weights: csr_matrix
    runs: np.ndarray
    rarity: np.ndarray

    def products(self) -> Products:
        there = self.weights.sign()
        shared = there @ diags(self.rarity) @ there.T
        return Products((self.weights @ self.weights.T).toarray(), shared.toarray())

    def of_pairs(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cosine of some pairs, and the rare runs that they share."""
        both = self.weights[first].multiply(self.weights[second]).tocsr()
        size = np.sqrt(np.asarray(self.weights.multiply(self.weights).sum(axis=1)).ravel())
        cosine = np.asarray(both.sum(axis=1)).ravel() / np.maximum(size[first] * size[second], TINY)
        return cosine, both.sign() @ self.rarity


def vectors_of(cell: Cell, texts: list[str]) -> dict[bool, Vectors]:
    """The answers to a cell as vectors: of their wording (False) and of their structure (True)."""
    read = {text: words(text, cell.code) for text in {*texts, *cell.known}}
    found = {}
    for structure in (False, True):
        own = {text: np.unique(runs(read[text], structure).numbers) for text in read}
        known = np.unique(np.concatenate([own[text] for text in cell.known]))
        found[structure] = _weighed([np.setdiff1d(own[text], known, assume_unique=True) for text in texts])
    return found


def _weighed(answers: list[np.ndarray]) -> Vectors:
    """Weigh the runs of some answers by how rare they are among them; what is common is left out."""
    most = max(COMMON, len(answers) // PART)
    vectoriser = TfidfVectorizer(analyzer=np.ndarray.tolist, binary=True, max_df=most, norm=None, dtype=np.float32)
    try:
        weights = vectoriser.fit_transform(answers)
    except ValueError:  # no run is left
        nothing = np.zeros(0, dtype=np.float32)
        return Vectors(csr_matrix((len(answers), 0), dtype=np.float32), nothing.astype(np.int64), nothing)
    rarity = (vectoriser.idf_ - 1) / np.log((1 + len(answers)) / 3)
    return Vectors(weights, np.array(sorted(vectoriser.vocabulary_), dtype=np.int64), rarity.astype(np.float32))
