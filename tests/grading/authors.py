"""Classes of made-up authors: each writes one of the known forms of an answer in a manner of their own; some copy.

The forms are the notebook's own answer, other right answers, and known mistakes. A manner is a taste for names, for the
order of a sum, for helper variables and for comments.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import random
import re
import textwrap
from dataclasses import dataclass

from autograde import exercises
from autograde.sample_class import MARKERS
from tests.grading.answers import cells

NAMES = (
    "out,res,result,tmp,val,acc,cur,prev,nxt,state,hid,cell,gate,pre,z,u,v,q,buf,lst,store,grad,delta,total,s,y,k,n,m,"
    "idx,step,mask,live,alive,keep,act,lin,comb,new,old"
)
REMARKS = (
    "compute gates,add bias,loop over time,backprop,save for later,update state,check this,as in the lecture,"
    "chain rule,mask out,sum up,apply nonlinearity,final result"
)


@dataclass(frozen=True)
class Manner:
    """How often a name, an order, a line or a comment is changed."""

    rename: float
    swap: float
    split: float
    remark: float


OWN = Manner(rename=0.6, swap=0.3, split=0.3, remark=0.2)
COPIED = {
    "verbatim": Manner(0, 0, 0, 0),
    "with other comments": Manner(0, 0, 0, 0.3),
    "with other names": Manner(1, 0, 0, 0),
    "disguised": Manner(1, 0.5, 0.3, 0.3),
}


def forms(assignment: str) -> dict[str, list[str]]:
    """The sources from which a class writes, by exercise; the notebook's own answer is the most frequent."""
    honest = importlib.import_module(f"tests.grading.honest.{assignment}").HONEST
    own = {name: MARKERS.sub("", source) for name, source in cells(assignment) if name}
    found = {}
    for exercise in exercises.load(assignment).exercises:
        others = [] if exercise.kind == "value" else [*honest.get(exercise.name, []), *_wrong(exercise)]
        sources = [textwrap.dedent(inspect.getsource(other)) for other in others]
        named = [re.sub(r"^(def|class) \w+", rf"\1 {exercise.name}", source, count=1) for source in sources]
        found[exercise.name] = [own[exercise.name]] * 3 + [s for s in named if s.startswith(("def", "class"))]
    return found


def _wrong(exercise) -> list:
    return [mistake.wrong for mistake in exercise.misconceptions]


def a_class(
    assignment: str, count: int, copies: list[str], seed: int = 0
) -> tuple[dict[str, dict[str, str]], dict[tuple[str, str], str]]:
    """``({student: {exercise: source}}, {pair: how it was copied})``."""
    rng = random.Random(seed)
    known = forms(assignment)
    students = [f"s{n:04}" for n in range(count)]
    answers = {
        student: {name: written(rng.choice(sources), OWN, rng) for name, sources in known.items()}
        for student in students
    }
    pairs = {}
    chosen = rng.sample(students, 2 * len(copies))
    for how, source, copy in zip(copies, chosen[::2], chosen[1::2]):
        answers[copy] = {name: written(text, COPIED[how], rng) for name, text in answers[source].items()}
        pairs[min(source, copy), max(source, copy)] = how
    return answers, pairs


def written(source: str, manner: Manner, rng: random.Random) -> str:
    """A source in a manner."""
    if manner == COPIED["verbatim"]:
        return source
    tree = ast.parse(textwrap.dedent(source))
    _rename(tree, manner.rename, rng)
    tree = _Split(manner.split, rng).visit(_Swap(manner.swap, rng).visit(tree))
    return _remarked(ast.unparse(ast.fix_missing_locations(tree)), manner.remark, rng)


def _rename(tree: ast.AST, rate: float, rng: random.Random) -> None:
    taste, new = rng.randrange(3), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id not in new:
            word = rng.choice(NAMES.split(","))
            tasteful = (
                word + rng.choice(["", "_t", "1", "2"]),
                f"{node.id}_{word}",
                f"{rng.choice(NAMES.split(','))}_{word}",
            )
            new[node.id] = tasteful[taste] if rng.random() < rate else node.id
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = new.get(node.id, node.id)


class _Swap(ast.NodeTransformer):
    """Sums and products in another order."""

    def __init__(self, rate: float, rng: random.Random) -> None:
        self.rate, self.rng = rate, rng

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, (ast.Add, ast.Mult)) and self.rng.random() < self.rate:
            node.left, node.right = node.right, node.left
        return node


class _Split(ast.NodeTransformer):
    """What is returned gets a name first."""

    def __init__(self, rate: float, rng: random.Random) -> None:
        self.rate, self.rng = rate, rng

    def visit_Return(self, node: ast.Return) -> ast.AST | list[ast.AST]:
        if node.value is None or self.rng.random() >= self.rate:
            return node
        name = self.rng.choice(NAMES.split(","))
        return [
            ast.Assign([ast.Name(name, ast.Store())], node.value, lineno=0),
            ast.Return(ast.Name(name, ast.Load())),
        ]


def _remarked(source: str, rate: float, rng: random.Random) -> str:
    lines = []
    for line in source.splitlines():
        if line.startswith("    ") and rng.random() < rate:
            indent = line[: len(line) - len(line.lstrip())]
            lines.append(f"{indent}# {rng.choice(REMARKS.split(','))} {rng.choice(NAMES.split(','))}")
        lines.append(line)
    return "\n".join(lines)
