"""Diagrams of deep networks: layers on layers through time, two directions side by side, dropout's masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from chapters.drawing.networks import arrow, canvas, node, write
from chapters.drawing.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE


def grid(ax: Axes, layers: int = 3, steps: int = 4) -> None:
    """A stack unrolled: time to the right in orange, layers upwards in blue, and one longest way in green."""
    gap, rise, left = 1.7, 1.45, 1.6
    canvas(ax, left + gap * (steps - 1) + 1.3, rise * layers + 1.35)

    def at(level: int, t: int) -> tuple[float, float]:
        return left + gap * t, 1.35 + rise * level

    for level in range(layers):
        write(ax, (0.55, at(level, 0)[1]), f"layer {level + 1}", MUTED, 10.5)
        for t in range(steps):
            x, y = at(level, t)
            last_row, last_column = level == layers - 1, t == steps - 1
            arrow(ax, (x, y - rise + 0.42 if level else y - 0.95), (x, y - 0.43), BLUE)
            if t:
                arrow(ax, (x - gap + 0.43, y), (x - 0.43, y), ORANGE)
            if last_row:
                arrow(ax, (x, y + 0.43), (x, y + 0.92), BLUE)
            node(ax, (x, y), f"$h_{{{t + 1}}}^{{({level + 1})}}$", 0.42, GREEN if level == 0 or last_column else INK)
            if level == 0:
                write(ax, (x, 0.18), f"$x_{t + 1}$")


def both_ways(ax: Axes, steps: int = 4) -> None:
    """Two layers on the same inputs: one hands its state to the right, the other to the left."""
    gap, left = 1.75, 1.95
    canvas(ax, left + gap * (steps - 1) + 1.0, 4.75)
    low, high = 1.45, 2.85
    write(ax, (0.6, low), "ahead", ORANGE, 10.5)
    write(ax, (0.6, high), "reverse", PURPLE, 10.5)
    for t in range(steps):
        x = left + gap * t
        arrow(ax, (x - 0.22, 0.45), (x - 0.22, low - 0.38), BLUE)
        ax.plot([x + 0.22, x + 0.62, x + 0.62], [0.45, 0.75, high - 0.5], color=BLUE, linewidth=1.6)
        arrow(ax, (x + 0.62, high - 0.5), (x + 0.34, high - 0.28), BLUE)
        write(ax, (x, 0.2), f"$x_{t + 1}$")
        if t:
            arrow(ax, (x - gap + 0.43, low), (x - 0.43, low), ORANGE)
            arrow(ax, (x - 0.43, high), (x - gap + 0.43, high), PURPLE)
        ax.plot([x - 0.22, x - 0.62, x - 0.62], [low + 0.38, low + 0.6, high + 0.6], color=ORANGE, linewidth=1.6)
        arrow(ax, (x - 0.62, high + 0.6), (x - 0.12, 4.2), ORANGE)
        arrow(ax, (x, high + 0.42), (x, 4.2), PURPLE)
        node(ax, (x, low), rf"$\overrightarrow{{h}}_{t + 1}$", 0.42, ORANGE)
        node(ax, (x, high), rf"$\overleftarrow{{h}}_{t + 1}$", 0.42, PURPLE)
        write(ax, (x, 4.45), f"$h_{t + 1}$")


def masks(axes: Sequence[Axes], kept: Sequence[np.ndarray], titles: Sequence[str]) -> None:
    """Masks as squares, neurons upwards and steps to the right: full where a number passes, empty where it is dropped.

    Args:
        kept: for each axes an array ``(T, H)`` of booleans.
    """
    for ax, mask, title in zip(axes, kept, titles, strict=True):
        for (t, neuron), passes in np.ndenumerate(mask):
            face = BLUE if passes else "none"
            ax.add_patch(
                Rectangle((t + 0.6, neuron + 0.6), 0.8, 0.8, facecolor=face, edgecolor=BLUE, linewidth=0.7, alpha=0.85)
            )
        ax.set(xlim=(0.4, mask.shape[0] + 0.6), ylim=(0.4, mask.shape[1] + 0.6), ylabel="neuron", title=title)
        ax.set_yticks([1, mask.shape[1]])
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)
