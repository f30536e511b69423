"""Diagrams of backpropagation through time: the two passes, one neuron with its numbers, and where truncation cuts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from chapters.drawing.networks import arrow, canvas, node, write
from chapters.drawing.style import BLUE, GREEN, INK, MUTED, ORANGE, PAPER

BACK = 0.17  # how far a backward arrow stands beside the forward one


def two_passes(ax: Axes, steps: int = 5, used: Collection[int] = (3, 4, 5), backward: bool = True) -> None:
    """An unrolled layer whose cost uses some outputs: forward arrows, and beside them the way of the gradients.

    Args:
        steps: how many steps to draw.
        used: the steps, from 1, whose outputs the cost uses.
        backward: whether to draw the gradients, or the forward pass alone.
    """
    gap, left, cell, out, cost = 1.72, 0.85, 1.75, 3.15, 4.5
    width = left + gap * (steps - 1) + 0.85
    canvas(ax, width, 5.05)
    names = ", ".join(rf"\hat y_{t}" for t in sorted(used))
    first, last = (left + gap * (t - 1) for t in (min(used), max(used)))
    box = (first - 0.75, cost - 0.32), last - first + 1.5, 0.64
    ax.add_patch(FancyBboxPatch(*box, boxstyle="round,pad=0.05", facecolor=PAPER, edgecolor=GREEN, linewidth=2))
    write(ax, ((first + last) / 2, cost), f"cost $C({names})$")
    for t in range(1, steps + 1):
        x = left + gap * (t - 1)
        counts = t in used
        write(ax, (x, 0.3), f"$x_{t}$")
        arrow(ax, (x, 0.58), (x, cell - 0.45), INK, dashed=True)
        arrow(ax, (x, cell + 0.45), (x, out - 0.3), INK if counts else MUTED, dashed=True)
        write(ax, (x, out), rf"$\hat y_{t}$", INK if counts else MUTED)
        if counts:
            arrow(ax, (x, out + 0.3), (x, cost - 0.4), INK, dashed=True)
        if t < steps:
            arrow(ax, (x + 0.45, cell), (x + gap - 0.45, cell), INK, dashed=True)
        if backward and counts:
            arrow(ax, (x + BACK, cost - 0.4), (x + BACK, out + 0.3), ORANGE)
            arrow(ax, (x + BACK, out - 0.3), (x + BACK, cell + 0.42), ORANGE)
        if backward and t < max(used):
            arrow(ax, (x + gap - 0.42, cell - BACK), (x + 0.42, cell - BACK), ORANGE)
        node(ax, (x, cell), f"$h_{t}$")


def by_hand(
    ax: Axes,
    outputs: Sequence[float],
    direct: Sequence[float],
    handed_back: Sequence[float],
    total: Sequence[float],
) -> None:
    """One neuron through its steps: the outputs in the circles, the derivatives on their way back around them.

    Args:
        outputs: ``y_t`` of each step.
        direct: the loss's derivative by each output alone; a zero is drawn as no arrow.
        handed_back: what each step receives from the one after it.
        total: the sum of the two.
    """
    gap, left, cell = 2.75, 1.2, 1.75
    canvas(ax, left + gap * (len(outputs) - 1) + 1.25, 4.0)
    for t, (y, own, later, both) in enumerate(zip(outputs, direct, handed_back, total, strict=True), 1):
        x = left + gap * (t - 1)
        if own:
            arrow(ax, (x, 3.2), (x, cell + 0.6), ORANGE)
            write(ax, (x, 3.72), "direct", MUTED, 10)
            write(ax, (x, 3.42), signed(own), ORANGE)
        else:
            write(ax, (x, 3.42), "not in the loss", MUTED, 10)
        if t < len(outputs):
            arrow(ax, (x + gap - 0.62, cell), (x + 0.62, cell), ORANGE)
            write(ax, (x + gap / 2, cell + 0.36), signed(later), ORANGE)
            write(ax, (x + gap / 2, cell - 0.32), "handed back", MUTED, 9)
        node(ax, (x, cell), "", 0.56)
        write(ax, (x, cell + 0.2), f"$y_{t}$", INK, 11)
        write(ax, (x, cell - 0.18), f"{y:.4f}", INK, 10)
        write(ax, (x, 0.72), "total", MUTED, 10)
        write(ax, (x, 0.4), signed(both), BLUE)
    for words in ax.texts:
        words.set_zorder(5)


def cuts(ax: Axes, steps: int = 6, chunk: int = 3) -> None:
    """Truncation: at a cut the state goes on and the gradient stops."""
    gap, left, cell = 1.45, 0.75, 1.35
    canvas(ax, left + gap * (steps - 1) + 0.75, 3.2)
    for t in range(1, steps + 1):
        x = left + gap * (t - 1)
        write(ax, (x, 0.25), f"$x_{t}$")
        arrow(ax, (x, 0.5), (x, cell - 0.45), INK, dashed=True)
        arrow(ax, (x + BACK, 2.55), (x + BACK, cell + 0.42), ORANGE)
        arrow(ax, (x, cell + 0.45), (x, 2.55), INK, dashed=True)
        write(ax, (x, 2.85), rf"$\hat y_{t}$")
        if t < steps:
            arrow(ax, (x + 0.45, cell + 0.05), (x + gap - 0.45, cell + 0.05), INK, dashed=True)
            if t % chunk:
                arrow(ax, (x + gap - 0.42, cell - BACK), (x + 0.42, cell - BACK), ORANGE)
            else:
                middle = x + gap / 2
                ax.plot([middle] * 2, [0.1, cell - 0.3], color=MUTED, linewidth=1.4, linestyle=(0, (2, 2)))
                ax.plot([middle] * 2, [cell + 0.35, 3.1], color=MUTED, linewidth=1.4, linestyle=(0, (2, 2)))
                arrow(ax, (x + gap - 0.42, cell - BACK), (middle + 0.1, cell - BACK), ORANGE)
                ax.plot([middle] * 2, [cell - 0.3, cell - 0.03], color=ORANGE, linewidth=3)
        node(ax, (x, cell), f"$h_{t}$")


def signed(value: float) -> str:
    """A number with its sign and four digits; a minus is a minus.

    >>> signed(-0.4648), signed(0.25)
    ('−0.4648', '+0.2500')
    """
    return f"{value:+.4f}".replace("-", "−")
