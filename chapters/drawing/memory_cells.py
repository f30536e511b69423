"""Drawings of the chapter on memory cells: a cell with its two outputs, and a phase portrait of two neurons."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from chapters.drawing.networks import arrow, canvas, write
from chapters.drawing.style import BLUE, INK, MUTED, ORANGE, PAPER


def cells(ax: Axes, steps: int = 3) -> None:
    """A memory cell unrolled: the state goes on from copy to copy, the output leaves at the top."""
    gap, left, middle = 2.1, 1.9, 1.75
    canvas(ax, left + gap * (steps - 1) + 1.9, 3.5)
    write(ax, (0.35, middle), "$s_0$", ORANGE)
    for t in range(steps):
        x = left + gap * t
        arrow(ax, (x - gap + 0.55 if t else 0.65, middle), (x - 0.57, middle), ORANGE)
        if t:
            write(ax, (x - gap / 2, middle + 0.3), f"$s_{t}$", ORANGE)
        arrow(ax, (x, 0.55), (x, middle - 0.47))
        write(ax, (x, 0.25), f"$x_{t + 1}$")
        arrow(ax, (x, middle + 0.45), (x, 2.95), BLUE)
        write(ax, (x, 3.22), f"$y_{t + 1}$", BLUE)
        box = FancyBboxPatch((x - 0.5, middle - 0.4), 1.0, 0.8, boxstyle="round,pad=0.04")
        box.set(facecolor=PAPER, edgecolor=INK, linewidth=2, zorder=3)
        ax.add_patch(box)
        ax.text(x, middle, "cell", ha="center", va="center", fontsize=12, zorder=4)
    x = left + gap * (steps - 1)
    arrow(ax, (x + 0.55, middle), (x + 1.3, middle), ORANGE)
    write(ax, (x + 1.6, middle), "…", ORANGE)


def portrait(
    ax: Axes,
    W_h: np.ndarray,
    starts: Iterable[tuple[float, float]],
    resting: Iterable[tuple[float, float, bool]] = (),
    words: str = "",
    steps: int = 60,
) -> None:
    """Where the state of two neurons goes when nothing comes in: ``h_t = tanh(h_{t−1} W_h)``.

    Args:
        W_h: ``(2, 2)``.
        starts: states from which to draw a path; a ring marks each of them.
        resting: places that the state does not leave, ``(h¹, h², whether their neighbours come to them)``.
        words: what to say beside the portrait.
        steps: how far to follow a path.
    """
    grid = np.linspace(-0.9, 0.9, 9)
    here = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    move = np.tanh(here @ W_h) - here
    ax.quiver(*here.T, *move.T, color=MUTED, angles="xy", scale_units="xy", scale=2.5, width=0.006, alpha=0.75)
    for start, colour, marker in zip(starts, (BLUE, ORANGE), ("o", "s"), strict=False):
        path = [np.array(start)]
        for _ in range(steps):
            path.append(np.tanh(path[-1] @ W_h))
        h = np.array(path)
        ax.plot(*h.T, color=colour, linewidth=0.7, alpha=0.6)
        ax.plot(*h[1:].T, marker, color=colour, markersize=2.8, markeredgewidth=0)
        ax.plot(*h[0], marker, color=colour, markersize=8, markerfacecolor="none", markeredgewidth=1.8)
    for x, y, stable in resting:
        ax.plot(x, y, "X", color=INK, markersize=9, markerfacecolor=INK if stable else PAPER, zorder=5)
    ax.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal", anchor="W", xlabel="$h^1$", ylabel="$h^2$")
    ax.set_xticks([-1, 0, 1])
    ax.set_yticks([-1, 0, 1])
    ax.text(1.08, 0.5, words, transform=ax.transAxes, va="center")
