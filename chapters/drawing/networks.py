"""Diagrams: a neuron and its loop, the same neuron unrolled through time, a layer, the shapes of a product."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from chapters.drawing.style import BLUE, INK, MUTED, ORANGE, PAPER, WIDTH

Point = tuple[float, float]


def canvas(ax: Axes, width: float, height: float) -> None:
    """Make the axes an empty sheet of ``width`` by ``height`` equal units, and the figure as high as that needs."""
    figure = ax.get_figure(root=True)
    if figure is not None:
        figure.set_size_inches(WIDTH, WIDTH * height / width)
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")


def arrow(ax: Axes, start: Point, end: Point, colour: str = INK, bend: float = 0.0, dashed: bool = False) -> None:
    """An arrow from one point to another; ``bend`` curves it."""
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            connectionstyle=f"arc3,rad={bend}",
            arrowstyle="-|>",
            mutation_scale=11,
            shrinkA=0,
            shrinkB=0,
            linewidth=1.6,
            color=colour,
            linestyle=(0, (3, 2)) if dashed else "-",
        )
    )


def node(ax: Axes, centre: Point, words: str, radius: float = 0.42, colour: str = BLUE) -> None:
    """A neuron: a circle with words in it."""
    ax.add_patch(Circle(centre, radius, facecolor=PAPER, edgecolor=colour, linewidth=2, zorder=3))
    ax.text(*centre, words, ha="center", va="center", fontsize=12, zorder=4)


def write(ax: Axes, at: Point, words: str, colour: str = INK, size: float = 12, across: str = "center") -> None:
    ax.text(*at, words, color=colour, ha=across, va="center", fontsize=size)


def neuron(ax: Axes, feedback: bool = True) -> None:
    """One neuron: inputs below, output above, and its loop where ``feedback`` says so."""
    canvas(ax, 6.4, 3.3)
    centre = (3.2, 1.6)
    arrow(ax, (3.2, 0.45), (3.2, 1.15))
    write(ax, (3.2, 0.2), "$x_t$")
    write(ax, (2.9, 0.8), "$w_x$", MUTED)
    arrow(ax, (3.2, 2.05), (3.2, 2.85))
    write(ax, (3.2, 3.1), "$y_t$")
    arrow(ax, (1.6, 1.6), (2.75, 1.6), MUTED)
    write(ax, (1.4, 1.6), "$b$", MUTED)
    if feedback:
        ax.plot([3.2, 4.7, 4.7], [2.4, 2.4, 1.6], color=ORANGE, linewidth=1.6, solid_joinstyle="round")
        arrow(ax, (4.7, 1.6), (3.65, 1.6), ORANGE)
        write(ax, (4.15, 1.35), "$w_y$", ORANGE)
        write(ax, (4.85, 2.15), "$y_{t-1}$, one\nstep late", ORANGE, across="left")
    node(ax, centre, r"$\Sigma$, $f$", 0.45)


def unrolled(ax: Axes, steps: int = 3, cell: str = "$f$", inside: str = "y", start: str = "0") -> None:
    """A cell beside its copies, one a time step: the loop on the left becomes the arrows on the right.

    Args:
        steps: how many copies to draw.
        cell: the words in each circle.
        inside: the letter of what the cell hands on and puts out.
        start: what it receives before the first step.
    """
    gap, left = 1.75, 3.35
    canvas(ax, left + gap * (steps - 1) + 1.75, 3.6)
    node(ax, (0.8, 1.8), cell)
    arrow(ax, (0.8, 0.6), (0.8, 1.38))
    write(ax, (0.8, 0.32), "$x_t$")
    arrow(ax, (0.8, 2.22), (0.8, 3.0))
    write(ax, (0.8, 3.28), f"${inside}_t$")
    ax.plot([0.8, 1.55, 1.55], [2.6, 2.6, 1.8], color=ORANGE, linewidth=1.6, solid_joinstyle="round")
    arrow(ax, (1.55, 1.8), (1.22, 1.8), ORANGE)
    write(ax, (1.95, 1.8), "=", MUTED, 15)
    write(ax, (2.6, 2.08), f"${start}$", ORANGE)
    for t in range(steps):
        x = left + gap * t
        arrow(ax, (x - gap + 0.42 if t else 2.25, 1.8), (x - 0.42, 1.8), ORANGE)
        if t:
            write(ax, (x - gap / 2, 2.08), f"${inside}_{t}$", ORANGE)
        arrow(ax, (x, 0.6), (x, 1.38))
        write(ax, (x, 0.32), f"$x_{t + 1}$")
        arrow(ax, (x, 2.22), (x, 3.0))
        write(ax, (x, 3.28), f"${inside}_{t + 1}$")
        node(ax, (x, 1.8), cell)
    x = left + gap * (steps - 1)
    arrow(ax, (x + 0.42, 1.8), (x + 1.2, 1.8), ORANGE)
    write(ax, (x + 1.45, 1.8), "…", ORANGE)


def layer(ax: Axes, inputs: int = 2, neurons: int = 3) -> None:
    """A layer at one step: each neuron receives every input and every neuron's previous output."""
    canvas(ax, 6.7, 4.2)
    before = [(0.8, 3.1 - 1.2 * k) for k in range(neurons)]
    now = [(3.6, 3.1 - 1.2 * k) for k in range(neurons)]
    below = [(6.0, 2.5 - 1.2 * k) for k in range(inputs)]
    for end in now:
        for start in before:
            arrow(ax, (start[0] + 0.42, start[1]), (end[0] - 0.44, end[1]), ORANGE)
        for start in below:
            arrow(ax, (start[0] - 0.42, start[1]), (end[0] + 0.44, end[1]), BLUE)
    for k, at in enumerate(before):
        node(ax, at, f"$h_{{t-1}}^{k + 1}$", 0.42, ORANGE)
    for k, at in enumerate(now):
        node(ax, at, f"$h_t^{k + 1}$", 0.42, INK)
    for k, at in enumerate(below):
        node(ax, at, f"$x_t^{k + 1}$", 0.42, BLUE)
    write(ax, (2.2, 3.85), f"$W_h$: {neurons} × {neurons}", ORANGE)
    write(ax, (4.8, 3.85), f"$W_x$: {inputs} × {neurons}", BLUE)


def shapes(ax: Axes, blocks: Sequence[tuple[str, int, int, str, str]], unit: float = 0.34) -> None:
    """A product of matrices drawn to scale: rows high, columns wide.

    Args:
        blocks: ``(name, rows, columns, words below, sign before it)``, from left to right.
    """
    height = max(rows for _, rows, _, _, _ in blocks) * unit + 1.2
    middle, x, placed = height / 2, 0.1, []
    for name, rows, columns, below, sign in blocks:
        if sign:
            placed.append((x + 0.2, middle, sign))
            x += 0.55
        wide, high = columns * unit, rows * unit
        ax.add_patch(Rectangle((x, middle - high / 2), wide, high, facecolor=BLUE, alpha=0.16, linewidth=0))
        ax.add_patch(Rectangle((x, middle - high / 2), wide, high, facecolor="none", edgecolor=BLUE, linewidth=1.6))
        for k in range(1, columns):
            ax.plot([x + k * unit] * 2, [middle - high / 2, middle + high / 2], color=BLUE, linewidth=0.4)
        for k in range(1, rows):
            ax.plot([x, x + wide], [middle - high / 2 + k * unit] * 2, color=BLUE, linewidth=0.4)
        write(ax, (x + wide / 2, middle + high / 2 + 0.3), name)
        write(ax, (x + wide / 2, middle - high / 2 - 0.3), below, MUTED, 11)
        x += wide + 0.15
    for at_x, at_y, sign in placed:
        write(ax, (at_x, at_y), sign, INK, 14)
    canvas(ax, x, height)
