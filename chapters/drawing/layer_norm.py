"""Diagrams of normalisation: which numbers share a mean and a variance, and where a norm stands in a recurrent cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from chapters.drawing.networks import arrow, canvas, node, write
from chapters.drawing.style import BLUE, INK, MUTED, ORANGE, PAPER


def box(ax: Axes, centre: tuple[float, float], words: str, width: float = 1.0, colour: str = INK) -> None:
    """A rounded box with words in it."""
    x, y = centre
    shape = FancyBboxPatch(
        (x - width / 2, y - 0.32),
        width,
        0.64,
        boxstyle="round,pad=0,rounding_size=0.14",
        facecolor=PAPER,
        edgecolor=colour,
        linewidth=2,
        zorder=3,
    )
    ax.add_patch(shape)
    ax.text(x, y, words, ha="center", va="center", fontsize=12, zorder=4, color=colour)


def sheet(ax: Axes, corner: tuple[float, float], rows: int, columns: int, unit: float, level: int) -> None:
    """One step of a batch: a row for each sequence, a column for each feature; a higher level covers a lower one."""
    x, y = corner
    thin: dict[str, Any] = {"color": MUTED, "linewidth": 0.5, "zorder": level}
    ax.add_patch(
        Rectangle((x, y), columns * unit, rows * unit, facecolor=PAPER, edgecolor=MUTED, linewidth=1, zorder=level)
    )
    for k in range(1, columns):
        ax.plot([x + k * unit] * 2, [y, y + rows * unit], **thin)
    for k in range(1, rows):
        ax.plot([x, x + columns * unit], [y + k * unit] * 2, **thin)


def mark(ax: Axes, corner: tuple[float, float], width: float, height: float, colour: str, level: int = 1) -> None:
    """Fill and outline the numbers that share a mean and a variance."""
    ax.add_patch(Rectangle(corner, width, height, facecolor=colour, alpha=0.3, linewidth=0, zorder=level))
    ax.add_patch(Rectangle(corner, width, height, facecolor="none", edgecolor=colour, linewidth=2, zorder=level))


def axes(ax: Axes, rows: int = 4, columns: int = 4, steps: int = 3) -> None:
    """Three times the same batch, step behind step; marked is what one mean and one variance are taken over."""
    unit, shift, gap = 0.42, 0.3, 3.45
    canvas(ax, 10.1, 4.15)
    titles = ("batch norm,\neach step", "batch norm,\nall steps", "layer norm")
    for panel, title in enumerate(titles):
        left, bottom = 0.65 + panel * gap, 0.55
        for step in reversed(range(steps)):
            x, y, level = left + step * shift, bottom + step * shift, 2 * (steps - step)
            sheet(ax, (x, y), rows, columns, unit, level)
            if panel == 1 or (panel == 0 and step == 0):
                mark(ax, (x + unit, y), unit, rows * unit, ORANGE, level + 1)
            if panel == 2 and step == 0:
                mark(ax, (x, y + 2 * unit), columns * unit, unit, BLUE, level + 1)
        write(ax, (left + 1.15, bottom + rows * unit + steps * shift + 0.6), title, BLUE if panel == 2 else ORANGE)
        write(ax, (left + columns * unit / 2, 0.22), "features", MUTED, 11)
        if panel == 0:
            ax.text(
                0.32,
                bottom + rows * unit / 2,
                "sequences",
                color=MUTED,
                fontsize=11,
                rotation=90,
                va="center",
                ha="center",
            )
            write(ax, (left + columns * unit + 0.75, bottom + 0.02), "steps", MUTED, 11)
            arrow(
                ax, (left + columns * unit + 0.12, bottom - 0.02), (left + columns * unit + 0.72, bottom + 0.6), MUTED
            )


def cell(ax: Axes) -> None:
    """One step of a normalised layer: linear combination, norm, gain and offset, tanh; the state comes round."""
    canvas(ax, 9.6, 3.3)
    y = 1.5
    write(ax, (1.4, 0.25), "$x_t$", BLUE)
    arrow(ax, (1.4, 0.5), (1.4, y - 0.45), BLUE)
    write(ax, (1.0, 0.78), "$W_x$", BLUE)
    node(ax, (1.4, y), r"$\Sigma$", 0.42, INK)
    stations = ((3.2, "norm", 1.3, ORANGE), (5.2, r"$\odot\,\gamma + \beta$", 1.5, INK), (7.1, "tanh", 1.1, INK))
    last = 1.82
    for x, words, width, colour in stations:
        arrow(ax, (last, y), (x - width / 2 - 0.03, y), INK)
        box(ax, (x, y), words, width, colour)
        last = x + width / 2
    arrow(ax, (last, y), (9.0, y), INK)
    write(ax, (9.25, y), "$h_t$")
    ax.plot([8.3, 8.3, 1.4], [y, 2.85, 2.85], color=BLUE, linewidth=1.6, solid_joinstyle="round")
    arrow(ax, (1.4, 2.85), (1.4, y + 0.44), BLUE)
    write(ax, (1.0, 2.35), "$W_h$", BLUE)
    write(ax, (4.9, 3.1), "$h_{t-1}$, one step late", BLUE)
    write(ax, (2.32, y + 0.28), "$a_t$")
    write(ax, (4.16, y + 0.3), r"$\hat a_t$")


def bar(ax: Axes, left: float, y: float, cells: Sequence[str], groups: Sequence[int] = (), unit: float = 0.52) -> None:
    """Blocks of a pre-activation side by side; a frame of its own for each group of blocks that share a norm."""
    wide = len(cells) * unit
    ax.add_patch(Rectangle((left, y - 0.3), wide, 0.6, facecolor=PAPER, edgecolor=MUTED, linewidth=1))
    for k, words in enumerate(cells):
        ax.text(left + (k + 0.5) * unit, y, words, ha="center", va="center", fontsize=11, zorder=4)
        if k:
            ax.plot([left + k * unit] * 2, [y - 0.3, y + 0.3], color=MUTED, linewidth=0.5)
    x = left
    for size in groups:
        mark(ax, (x + 0.05, y - 0.3), size * unit - 0.1, 0.6, BLUE, 3)
        x += size * unit


def placements(ax: Axes) -> None:
    """The five places of a layer norm in a gated cell: which blocks share a mean and a variance, what is carried on."""
    canvas(ax, 10.2, 6.3)
    middles, unit = (1.95, 4.75, 7.5), 0.52
    for x, words in zip((*middles, 9.5), ("from inputs", "from state", "their sum", "carried")):
        write(ax, (x, 5.95), words, MUTED, 11)
    lstm, gru = ("i", "f", "g", "o"), ("r", "z", "n")
    rows = (  # cells, groups in each share, groups in the sum, what is carried on, if that is normalised
        (lstm, (4,), (), "c", False),
        (lstm, (4,), (), "c", True),
        (lstm, (), (1, 1, 1, 1), "c", False),
        (lstm, (), (4,), "c", False),
        (gru, (2, 1), (), "h", False),
    )
    for number, (cells, shares, whole, carried, normalised) in enumerate(rows):
        y, half = 5.15 - 1.1 * number, len(cells) * unit / 2
        write(ax, (0.3, y), str(number + 1), INK, 14)
        for x, groups in zip(middles, (shares, shares, whole)):
            bar(ax, x - half, y, cells, groups, unit)
        write(ax, (3.35, y), "+", INK, 14)
        write(ax, (6.15, y), "=", INK, 14)
        if cells == gru:
            write(ax, (4.75, y - 0.58), r"then $r \odot n$", ORANGE, 11)
        ax.add_patch(Rectangle((9.2, y - 0.3), 0.6, 0.6, facecolor=PAPER, edgecolor=MUTED, linewidth=1))
        if normalised:
            mark(ax, (9.2, y - 0.3), 0.6, 0.6, ORANGE)
        ax.text(9.5, y, f"${carried}$", ha="center", va="center", fontsize=12, zorder=4)
