"""Drawings of the chapter on convolution: a sliding kernel, windows of five kinds, a dilated stack, learned kernels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Rectangle

from chapters.drawing.networks import arrow, canvas, write
from chapters.drawing.style import BLUE, GRID, INK, MUTED, ORANGE, PAPER


def box(ax: Axes, at: tuple[float, float], words: str, colour: str = MUTED, shaded: bool = False) -> None:
    """A cell of an array, 0.8 wide, with a number in it."""
    corner = (at[0] - 0.4, at[1] - 0.34)
    if shaded:
        ax.add_patch(Rectangle(corner, 0.8, 0.68, facecolor=colour, alpha=0.16, linewidth=0))
    ax.add_patch(Rectangle(corner, 0.8, 0.68, facecolor="none", edgecolor=colour, linewidth=1.6))
    write(ax, at, words)


def sliding(ax: Axes, x: Sequence[int], kernel: Sequence[int], at: int) -> None:
    """A sequence, the kernel under the window that begins ``at``, and the outputs up to it, one above the other."""
    taps, last = len(kernel), len(x) - len(kernel)
    outputs = np.correlate(np.asarray(x), np.asarray(kernel), "valid")
    canvas(ax, len(x) * 0.8 + 1.9, 4.3)
    left = 1.75
    for words, height, colour in (("$x$", 0.6, INK), ("kernel", 1.75, ORANGE), ("$y$", 3.6, BLUE)):
        write(ax, (1.1, height), words, colour, across="right")
    for t, value in enumerate(x):
        seen = at <= t < at + taps
        box(ax, (left + 0.8 * t, 0.6), str(value), ORANGE if seen else MUTED, shaded=seen)
    middle = left + 0.8 * (at + (taps - 1) / 2)
    for k, value in enumerate(kernel):
        across = left + 0.8 * (at + k)
        box(ax, (across, 1.75), str(value).replace("-", "−"), ORANGE)
        write(ax, (across, 1.17), "×", MUTED, 11)
    for t in range(last + 1):
        words = str(outputs[t]).replace("-", "−") if t <= at else ""
        box(ax, (left + 0.8 * (t + (taps - 1) / 2), 3.6), words, BLUE if t == at else MUTED, shaded=t == at)
    arrow(ax, (middle, 2.15), (middle, 3.2), BLUE)
    write(ax, (middle + 0.2, 2.65), "sum", MUTED, 11, across="left")


def windows(ax: Axes, rows: Sequence[tuple[str, int, int, int, int, int]], steps: int = 8) -> None:
    """Input below, output above, for several kinds of window; one output and the steps that it sees are coloured.

    Args:
        rows: ``(words, taps, stride, dilation, steps of padding before, steps of padding after)``.
    """
    high = 1.75
    canvas(ax, 13.2, high * len(rows) + 0.1)
    for row, (words, taps, stride, dilation, before, after) in enumerate(rows):
        low = high * (len(rows) - 1 - row) + 0.35
        up = low + 0.85
        write(ax, (0.05, (low + up) / 2), words, INK, 11, across="left")
        start, unit = 5.1, 0.8
        count = (steps + before + after - dilation * (taps - 1) - 1) // stride + 1
        chosen = count // 2
        seen = [chosen * stride - before + k * dilation for k in range(taps)]
        # An output stands above the middle of its window, a causal one above its last tap.
        ahead = dilation * (taps - 1) * (1 if before and not after else 0.5)
        for t in range(count):
            x = start + unit * (t * stride - before + ahead)
            if t == chosen:
                for tap in seen:
                    ax.plot([start + unit * tap, x], [low, up], color=ORANGE, linewidth=1.3, zorder=1)
            dot(ax, (x, up), BLUE, full=t == chosen)
        for t in range(-before, steps + after):
            inside = 0 <= t < steps
            dot(
                ax,
                (start + unit * t, low),
                ORANGE if t in seen else MUTED,
                full=t in seen and inside,
                dashed=not inside,
            )


def dot(ax: Axes, at: tuple[float, float], colour: str, full: bool = False, dashed: bool = False) -> None:
    """A step of a sequence; ``dashed`` for padding."""
    style = {"facecolor": colour if full else PAPER, "edgecolor": colour, "linewidth": 1.5, "zorder": 3}
    ax.add_patch(Circle(at, 0.21, linestyle=(0, (1.5, 1.2)) if dashed else "-", **style))


def tower(ax: Axes, dilations: Sequence[int]) -> None:
    """Causal layers of two taps above each other: all connections in grey, those of the last output in colour."""
    reach = 1 + sum(dilations)
    unit, high = 0.66, 1.15
    canvas(ax, unit * reach + 2.3, high * len(dilations) + 0.9)
    across = [2.1 + unit * t for t in range(reach)]
    wanted = {reach - 1}
    for level in range(len(dilations), -1, -1):
        low = 0.4 + high * level
        below: set[int] = set()
        if level:
            dilation = dilations[level - 1]
            for t in range(reach):
                for source in (t, t - dilation):
                    if source >= 0:
                        used = t in wanted
                        ax.plot(
                            [across[source], across[t]],
                            [low - high, low],
                            color=ORANGE if used else GRID,
                            linewidth=1.6 if used else 0.8,
                            zorder=2 if used else 1,
                        )
            below = {source for t in wanted for source in (t, t - dilation) if source >= 0}
        for t in range(reach):
            colour = (BLUE if level == len(dilations) else ORANGE) if t in wanted else MUTED
            ax.add_patch(
                Circle(
                    (across[t], low),
                    0.19,
                    facecolor=colour if t in wanted else PAPER,
                    edgecolor=colour,
                    linewidth=1.2,
                    zorder=3,
                )
            )
        write(ax, (1.6, low), f"$d = {dilations[level - 1]}$" if level else "input", MUTED, 11, across="right")
        wanted = below


def curves(ax: Axes, lines: Iterable[tuple[np.ndarray, str, str]], columns: int = 4) -> None:
    """Short curves in a grid, each about its own zero line, with a word above it: ``(values, words, colour)``."""
    lines = list(lines)
    largest = max(float(np.abs(values).max()) for values, _, _ in lines)
    rows = -(-len(lines) // columns)
    for place, (values, words, colour) in enumerate(lines):
        row, column = divmod(place, columns)
        x = column * 1.35 + np.linspace(0, 1, len(values))
        zero = -row * 3.1
        ax.plot([x[0] - 0.05, x[-1] + 0.05], [zero, zero], color=GRID, linewidth=1)
        ax.plot(x, zero + np.asarray(values) / largest, "o-", color=colour, linewidth=1.6, markersize=3.5)
        ax.text(x.mean(), zero + 1.35, words, color=colour, ha="center", va="bottom", fontsize=10)
    ax.set(xlim=(-0.2, columns * 1.35 - 0.15), ylim=(-(rows - 1) * 3.1 - 1.3, 2.3))
    ax.axis("off")


def chain(ax: Axes, taps: int = 8, stride: int = 4, windows: int = 5) -> None:
    """A recording below, kernels over windows of it in the middle, one step of a GRU for each window on top."""
    steps = stride * (windows - 1) + taps
    unit, left = 0.36, 2.0
    canvas(ax, left + unit * steps + 0.8, 4.2)
    for words, height, colour in (("recording", 0.4, MUTED), ("kernels", 1.75, BLUE), ("GRU", 3.4, ORANGE)):
        write(ax, (left - 0.35, height), words, colour, across="right")
    for t in range(steps):
        ax.add_patch(Circle((left + unit * t, 0.4), 0.12, facecolor=MUTED, linewidth=0))
    for place in range(windows):
        first = left + unit * stride * place
        middle = first + unit * (taps - 1) / 2
        for end in (first - 0.12, first + unit * (taps - 1) + 0.12):
            ax.plot([end, middle], [0.62, 1.5], color=BLUE, linewidth=1.1)
        box(ax, (middle, 1.75), "", BLUE, shaded=True)
        arrow(ax, (middle, 2.12), (middle, 3.0))
        ax.add_patch(Circle((middle, 3.4), 0.36, facecolor=PAPER, edgecolor=ORANGE, linewidth=2, zorder=3))
        if place:
            arrow(ax, (middle - unit * stride + 0.38, 3.4), (middle - 0.37, 3.4), ORANGE)
    arrow(ax, (middle + 0.38, 3.4), (middle + 1.3, 3.4), ORANGE)
    write(ax, (middle + 1.55, 3.4), "?", ORANGE, 15)
