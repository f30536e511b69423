"""Diagrams of the chapter on gradients: the adding problem, the chain of Jacobians, two ways to clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from chapters.drawing.networks import arrow, canvas, node, write
from chapters.drawing.style import BLUE, DASHES, GREEN, GRID, INK, MUTED, ORANGE


def adding(ax: Axes, numbers: Sequence[float], marks: Sequence[int]) -> None:
    """A sequence of the adding problem: a bar for each number, full and in colour where it is marked."""
    total = 0.0
    for t, (number, mark) in enumerate(zip(numbers, marks), 1):
        face, edge = (ORANGE, ORANGE) if mark else ("none", MUTED)
        ax.add_patch(Rectangle((t - 0.35, 0), 0.7, number, facecolor=face, edgecolor=edge, linewidth=1.4))
        if mark:
            highest = max(numbers[max(t - 2, 0) : t + 1])  # clear of the neighbours
            ax.text(t, highest + 0.04, f"{number:.2f}", color=ORANGE, ha="center", va="bottom")
            total += number
    ax.text(len(numbers) + 1.1, 0.5, f"→ {total:.2f}", color=INK, ha="left", va="center", fontsize=13)
    ax.set(xlim=(0, len(numbers) + 4.6), ylim=(0, 1.15), xlabel="step", ylabel="number")
    ax.set_xticks([1, *range(5, len(numbers) + 1, 5)])


def chain(ax: Axes) -> None:
    """States in a row: a change goes forward through the Jacobians, the gradient back through their transposes."""
    canvas(ax, 7.6, 3.1)
    states = [(0.6, "$h_0$"), (2.3, "$h_1$"), (4.0, "$h_2$"), (5.9, "$h_T$")]
    for (x, _), (following, _), words in zip(states, states[1:], ("$J_1$", "$J_2$", r"$\cdots\, J_T$")):
        arrow(ax, (x + 0.38, 1.85), (following - 0.38, 1.85), BLUE)
        write(ax, ((x + following) / 2, 2.2), words, BLUE)
        arrow(ax, (following - 0.38, 1.35), (x + 0.38, 1.35), ORANGE)
    transposed = (r"$J_1^\top$", r"$J_2^\top$", r"$\cdots\, J_T^\top$")
    for (x, _), (following, _), words in zip(states, states[1:], transposed):
        write(ax, ((x + following) / 2, 0.98), words, ORANGE)
    arrow(ax, (6.34, 1.85), (6.95, 1.85), BLUE)
    arrow(ax, (6.95, 1.35), (6.34, 1.35), ORANGE)
    write(ax, (7.2, 1.6), r"$\mathcal{L}$", INK, 14)
    for x, words in states:
        node(ax, (x, 1.6), words, 0.42, INK)
    write(ax, (3.1, 2.8), "a small change of the state goes forward", BLUE, 11)
    write(ax, (3.1, 0.35), "the gradient comes back", ORANGE, 11)


def clipping(ax: Axes, gradient: Sequence[float], norm: float, value: float) -> None:
    """A gradient of two entries, cut by its norm and by its entries: one keeps the direction, the other turns it."""
    g = np.asarray(gradient, dtype=float)
    by_norm, by_value = g * min(1, norm / np.linalg.norm(g)), np.clip(g, -value, value)
    angle = np.linspace(0, np.pi / 2, 100)
    ax.plot(norm * np.cos(angle), norm * np.sin(angle), color=BLUE, linewidth=1.2, linestyle=DASHES[1])
    ax.plot([0, value, value], [value, value, 0], color=GREEN, linewidth=1.2, linestyle=DASHES[2])
    ax.plot([0, g[0]], [0, g[1]], color=GRID, linewidth=1.2, zorder=0)
    for end, colour in ((g, INK), (by_norm, BLUE), (by_value, GREEN)):
        arrow(ax, (0, 0), (float(end[0]), float(end[1])), colour)
    notes = (
        (g, "the gradient", INK, (0.1, 0.0)),
        (by_norm, "by norm", BLUE, (0.22, -0.24)),
        (by_value, "by value", GREEN, (0.1, 0.04)),
    )
    for end, words, colour, shift in notes:
        x, y = float(end[0]) + shift[0], float(end[1]) + shift[1]
        ax.text(x, y, words, color=colour, ha="left" if shift[0] > 0 else "right", va="center")
    ax.set(xlim=(0, 5.6), ylim=(0, 2.5), aspect="equal", xlabel="first entry", ylabel="second entry")
