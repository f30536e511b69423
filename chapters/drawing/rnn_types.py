"""Drawings of the chapter on types of recurrent network: tasks, shapes, filling, what a decoder reads, a beam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from chapters.drawing.networks import arrow, canvas, node, write
from chapters.drawing.style import BLUE, GREEN, GRID, INK, MUTED, ORANGE, PAPER, PURPLE

# For each shape: where an input arrives, and where an output is taken, of five copies.
SHAPES = {
    "sequence to sequence": ("11111", "11111"),
    "sequence to vector": ("11111", "00001"),
    "vector to sequence": ("vvvvv", "11111"),
    "encoder–decoder": ("11000", "00111"),
}


def box(ax: Axes, centre: tuple[float, float], wide: float, high: float, colour: str = INK) -> None:
    """An empty box with round corners."""
    corner = centre[0] - wide / 2, centre[1] - high / 2
    ax.add_patch(
        FancyBboxPatch(corner, wide, high, boxstyle="round,pad=0.04", facecolor=PAPER, edgecolor=colour, linewidth=1.6)
    )


def tasks(ax: Axes, rows: Sequence[tuple[str | np.ndarray, str, str]]) -> None:
    """One row a task: what comes in, an arrow, what is wanted, and above it what the task is called.

    Args:
        rows: ``(what comes in, what is wanted, the task's name)``; an array is drawn as an image.
    """
    high = 1.42
    canvas(ax, 10.4, high * len(rows) + 0.1)
    for k, (given, wanted, name) in enumerate(rows):
        y = high * (len(rows) - 1 - k) + 0.55
        write(ax, (0.1, y + 0.66), name, MUTED, 10, across="left")
        box(ax, (3.0, y), 5.7, 0.72, BLUE)
        box(ax, (8.65, y), 3.3, 0.72, ORANGE)
        arrow(ax, (6.0, y), (6.85, y))
        if isinstance(given, np.ndarray):
            image(ax, given, (3.0, y), 0.66)
        else:
            write(ax, (3.0, y), given, size=10)
        write(ax, (8.65, y), wanted, size=11)


def image(ax: Axes, pixels: np.ndarray, centre: tuple[float, float], side: float) -> None:
    """A small image, from 0 (nothing) to 1 (ink), as squares; row 0 is at the top."""
    size = side / len(pixels)
    for (row, column), value in np.ndenumerate(pixels):
        corner = centre[0] - side / 2 + column * size, centre[1] + side / 2 - (row + 1) * size
        ax.add_patch(Rectangle(corner, size, size, facecolor=INK, alpha=float(value), linewidth=0))


def four_shapes(ax: Axes) -> None:
    """The four shapes, two by two: the same five copies of a cell, fed and read at different steps."""
    gap, wide, high = 0.98, 5.4, 3.35
    canvas(ax, 2 * wide - 0.2, 2 * high)
    for k, (name, (fed, read)) in enumerate(SHAPES.items()):
        left, middle = 0.45 + (k % 2) * wide, (1 - k // 2) * high + 1.4
        write(ax, (left - 0.35, middle + 1.65), name, size=10, across="left")
        for t in range(5):
            x = left + gap * t
            decoding = name == "encoder–decoder" and t >= 2
            if t:
                arrow(ax, (x - gap + 0.3, middle), (x - 0.3, middle), ORANGE)
            if fed[t] != "0":
                write(ax, (x, middle - 1.15), "$v$" if fed[t] == "v" else f"$x_{t + 1}$", BLUE, 10)
                arrow(ax, (x, middle - 0.9), (x, middle - 0.31), BLUE)
            if read[t] == "1":
                number = t - 1 if decoding else t + 1
                label = "$y$" if name == "sequence to vector" else f"$y_{number}$"
                write(ax, (x, middle + 1.15), label, GREEN, 10)
                arrow(ax, (x, middle + 0.31), (x, middle + 0.9), GREEN)
            if decoding and t == 2:
                write(ax, (x, middle - 1.15), "start", MUTED, 10)
                arrow(ax, (x, middle - 0.9), (x, middle - 0.31), MUTED)
            elif decoding:
                ax.plot(
                    [x - gap + 0.2, x - gap / 2, x - gap / 2, x],
                    [middle + 0.75, middle + 0.75, middle - 0.75, middle - 0.75],
                    color=GREEN,
                    linewidth=1.1,
                    linestyle=(0, (3, 2)),
                )
                arrow(ax, (x, middle - 0.76), (x, middle - 0.31), GREEN, dashed=True)
            node(ax, (x, middle), "", 0.28, PURPLE if decoding else BLUE)


def filled(ax: Axes, words: Sequence[str], longest: int) -> None:
    """A batch of words as a grid of letters: the end after each, then filling, and each word's length."""
    canvas(ax, 1.0 * longest + 2.6, 0.95 * len(words) + 0.75)
    for row, word in enumerate(words):
        y = 0.95 * (len(words) - 1 - row) + 0.12
        letters = [*word, "end"]
        for t in range(longest):
            real = t < len(letters)
            face = BLUE if real else "none"
            ax.add_patch(Rectangle((t + 0.1, y), 0.86, 0.8, facecolor=face, alpha=0.16, linewidth=0))
            ax.add_patch(
                Rectangle((t + 0.1, y), 0.86, 0.8, facecolor="none", edgecolor=BLUE if real else GRID, linewidth=1.4)
            )
            size = 10 if real and len(letters[t]) > 1 else 12
            write(ax, (t + 0.53, y + 0.4), letters[t] if real else "·", INK if real else MUTED, size)
        write(ax, (longest + 0.35, y + 0.4), f"length {len(letters)}", MUTED, 11, across="left")
    for t in range(longest):
        write(ax, (t + 0.53, 0.95 * len(words) + 0.4), f"{t + 1}", MUTED, 10)


def reading(ax: Axes, truth: Sequence[str], forced: Sequence[str], alone: Sequence[str]) -> None:
    """A decoder twice: above it reads the true letters, below those that it has written itself.

    Args:
        truth: the true letters; forced, alone: what it writes in either case. Wrong letters are orange.
    """
    gap, left, high = 1.9, 2.9, 3.5
    canvas(ax, left + gap * (len(truth) - 1) + 0.9, 2 * high)
    for middle, name, read, written in (
        (high + 1.75, "forced: reads\nthe truth", truth, forced),
        (1.75, "alone: reads\nwhat it wrote", alone, alone),
    ):
        write(ax, (0.1, middle), name, MUTED, 11, across="left")
        for t, (true, says) in enumerate(zip(truth, written, strict=True)):
            x = left + gap * t
            if t:
                arrow(ax, (x - gap + 0.4, middle), (x - 0.4, middle), ORANGE)
            enters = read[t - 1] if t else "start"
            colour = MUTED if t == 0 else (INK if enters == truth[t - 1] else ORANGE)
            write(ax, (x, middle - 1.25), enters, colour, 12 if t else 11)
            arrow(ax, (x, middle - 1.0), (x, middle - 0.4), BLUE)
            write(ax, (x, middle + 1.2), says, INK if says == true else ORANGE, 12)
            arrow(ax, (x, middle + 0.4), (x, middle + 0.95), GREEN)
            if read is written and t < len(truth) - 1:
                beside = 0.3 if len(says) == 1 else 0.55
                ax.plot(
                    [x + beside, x + gap / 2, x + gap / 2, x + gap - beside],
                    [middle + 1.2, middle + 1.2, middle - 1.25, middle - 1.25],
                    color=GREEN,
                    linewidth=1.2,
                    linestyle=(0, (3, 2)),
                )
            node(ax, (x, middle), "", 0.36, PURPLE)


def crossing(ax: Axes, source: Sequence[str], target: Sequence[str], links: Sequence[tuple[int, int]]) -> None:
    """Words of one language above those of another, joined where they mean the same; lines that cross are orange."""
    canvas(ax, 9.6, 3.0)

    def places(words: Sequence[str]) -> list[float]:
        width = [0.24 * len(word) + 0.55 for word in words]
        return [4.8 + sum(width[:k]) + width[k] / 2 - sum(width) / 2 for k in range(len(words))]

    above, below = places(source), places(target)
    for x, word in zip(above, source, strict=True):
        write(ax, (x, 2.6), word, size=12)
    for x, word in zip(below, target, strict=True):
        write(ax, (x, 0.4), word, size=12)
    for here, there in links:
        crosses = any((here - a) * (there - b) < 0 for a, b in links)
        ax.plot([above[here], below[there]], [2.32, 0.7], color=ORANGE if crosses else BLUE, linewidth=2)


def tree(ax: Axes, branches: dict[str, tuple[float, dict[str, float]]]) -> None:
    """Two steps of a decoder: the probability of each beginning, and of each ending after it.

    Args:
        branches: ``{beginning: (probability, {ending: probability})}``, from top to bottom.
    """
    leaves = [(first, rest, p, q) for first, (p, rests) in branches.items() for rest, q in rests.items()]
    best = max(range(len(leaves)), key=lambda k: leaves[k][2] * leaves[k][3])
    greedy_first = max(branches, key=lambda first: branches[first][0])
    greedy_rest = max(branches[greedy_first][1], key=lambda rest: branches[greedy_first][1][rest])
    gap = 1.15
    canvas(ax, 9.8, gap * len(leaves) + 0.4)
    heights = [gap * (len(leaves) - 1 - k) + 0.75 for k in range(len(leaves))]
    root = 0.8, float(np.mean(heights))
    for first, (p, _) in branches.items():
        mine = [k for k, leaf in enumerate(leaves) if leaf[0] == first]
        centre = 3.4, float(np.mean([heights[k] for k in mine]))
        on_greedy = first == greedy_first
        arrow(ax, (root[0] + 0.5, root[1]), (centre[0] - 0.45, centre[1]), ORANGE if on_greedy else INK)
        middle = (root[0] + centre[0]) / 2, (root[1] + centre[1]) / 2
        write(ax, (middle[0] - 0.15, middle[1] + (0.36 if centre[1] >= root[1] else -0.36)), f"{p:.2f}", MUTED, 11)
        for k in mine:
            _, rest, _, q = leaves[k]
            chosen = on_greedy and rest == greedy_rest
            arrow(ax, (centre[0] + 0.45, centre[1]), (6.1, heights[k]), ORANGE if chosen else INK)
            above = 0.33 if heights[k] >= centre[1] else -0.33
            write(ax, (4.95, (centre[1] + heights[k]) / 2 + above), f"{q:.2f}", MUTED, 11)
            colour = GREEN if k == best else (ORANGE if chosen else INK)
            write(ax, (6.25, heights[k]), f"{first}{rest}", colour, 12, across="left")
            write(ax, (8.1, heights[k]), f"{p * q:.2f}", colour, 12, across="left")
        node(ax, centre, first, 0.4, ORANGE if on_greedy else INK)
    node(ax, root, "start", 0.5, INK)
