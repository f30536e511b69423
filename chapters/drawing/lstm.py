"""Diagrams of the chapter on the LSTM: a cell that grows gate by gate, and one unit watched at work."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch

from chapters.drawing.networks import Point, arrow, canvas, write
from chapters.drawing.style import BLUE, DASHES, GREEN, INK, MUTED, ORANGE, PAPER, PURPLE, WIDTH

PATH = 3.75  # the height of the cell path
BOXES = 1.25  # the height of the boxes
GATE_COLOURS = {"i": BLUE, "f": ORANGE, "o": PURPLE, "g": INK}


def box(ax: Axes, centre: Point, words: str, colour: str = INK) -> None:
    """A small layer of its own, with the name of its squashing in it."""
    x, y = centre
    ax.add_patch(
        FancyBboxPatch(
            (x - 0.36, y - 0.24),
            0.72,
            0.48,
            boxstyle="round,pad=0,rounding_size=0.1",
            facecolor=PAPER,
            edgecolor=colour,
            linewidth=2,
            zorder=3,
        )
    )
    ax.text(x, y, words, ha="center", va="center", fontsize=11, zorder=4)


def operation(ax: Axes, centre: Point, sign: str, colour: str = INK) -> None:
    """A product or a sum, element by element."""
    ax.add_patch(Circle(centre, 0.23, facecolor=PAPER, edgecolor=colour, linewidth=1.8, zorder=3))
    ax.text(*centre, sign, ha="center", va="center", fontsize=13, zorder=4)


def wire(ax: Axes, points: list[Point], colour: str = INK) -> None:
    """A line through points that ends in an arrow."""
    xs, ys = zip(*points[:-1])
    if len(points) > 2:
        ax.plot(xs, ys, color=colour, linewidth=1.6, solid_joinstyle="round")
    arrow(ax, points[-2], points[-1], colour)


def cell(ax: Axes, gates: str = "ifo") -> None:
    """An LSTM with the gates that ``gates`` names by the letters ``i``, ``f``, ``o``; with ``""`` it only adds."""
    canvas(ax, 7.6, 4.3)
    plus, forget, show = (3.9, PATH), (1.75, PATH), (5.9, 2.1)
    bus = [3.9]

    # the cell path, from the left to the right
    ax.text(0.1, PATH, "$c_{t-1}$", color=GREEN, ha="left", va="center", fontsize=12)
    write(ax, (7.25, PATH), "$c_t$", GREEN)
    stops = [0.85, *([forget[0]] if "f" in gates else []), plus[0], 6.95]
    for k, (left, right) in enumerate(zip(stops, stops[1:])):
        arrow(ax, (left + (0.23 if k else 0), PATH), (right - (0.23 if right != 6.95 else 0), PATH), GREEN)
    operation(ax, plus, "+", GREEN)

    # the candidate, and the gate that says how much of it is written
    box(ax, (3.9, BOXES), "tanh")
    write(ax, (4.15, 1.75), "$g_t$", across="left")
    if "i" in gates:
        wire(ax, [(3.9, BOXES + 0.24), (3.9, 2.1 - 0.23)])
        wire(ax, [(3.9, 2.1 + 0.23), (3.9, PATH - 0.23)])
        operation(ax, (3.9, 2.1), "×", BLUE)
        box(ax, (2.85, BOXES), r"$\sigma$", BLUE)
        wire(ax, [(2.85, BOXES + 0.24), (2.85, 2.1), (3.9 - 0.23, 2.1)], BLUE)
        write(ax, (2.95, 2.4), "$i_t$", BLUE)
        bus.append(2.85)
    else:
        wire(ax, [(3.9, BOXES + 0.24), (3.9, PATH - 0.23)])
    if "f" in gates:
        box(ax, (1.75, BOXES), r"$\sigma$", ORANGE)
        wire(ax, [(1.75, BOXES + 0.24), (1.75, PATH - 0.23)], ORANGE)
        operation(ax, forget, "×", ORANGE)
        write(ax, (1.45, 2.75), "$f_t$", ORANGE)
        bus.append(1.75)

    # what leaves
    wire(ax, [(5.9, PATH), (5.9, 3.14)], INK)
    box(ax, (5.9, 2.9), "tanh")
    if "o" in gates:
        wire(ax, [(5.9, 2.66), (5.9, 2.1 + 0.23)])
        operation(ax, show, "×", PURPLE)
        box(ax, (4.95, BOXES), r"$\sigma$", PURPLE)
        wire(ax, [(4.95, BOXES + 0.24), (4.95, 2.1), (5.9 - 0.23, 2.1)], PURPLE)
        write(ax, (5.1, 2.4), "$o_t$", PURPLE)
        bus.append(4.95)
        wire(ax, [(5.9 + 0.23, 2.1), (6.95, 2.1)])
    else:
        wire(ax, [(5.9, 2.66), (5.9, 2.1), (6.95, 2.1)])
    write(ax, (7.25, 2.1), "$h_t$")

    # what comes in: one bus feeds every box
    ax.plot([1.25, max(bus)], [0.45, 0.45], color=MUTED, linewidth=1.6)
    for x in bus:
        arrow(ax, (x, 0.45), (x, BOXES - 0.24), MUTED)
    ax.text(1.15, 0.45, "$x_t,\\; h_{t-1}$", color=INK, ha="right", va="center", fontsize=12)


def at_work(ax: Axes, gates: str, x: np.ndarray, c: np.ndarray, h: np.ndarray) -> None:
    """A cell with some of its gates, and below it what it does with a stream of numbers.

    Args:
        gates: as for ``cell``.
        x: ``(T, 3)``: number, store, read; c, h: ``(T,)``.
    """
    cell(ax, gates)
    figure = ax.get_figure(root=True)
    if figure is not None:
        figure.set_size_inches(WIDTH, WIDTH * 7.0 / 7.6)
    ax.set_ylim(-2.7, 4.3)
    strip = ax.inset_axes((0.85, -2.05, 5.4, 2.0), transform=ax.transData)
    steps = np.arange(1, len(x) + 1)
    mark_steps(strip, x)
    strip.axhline(0, color=MUTED, linewidth=0.8)
    strip.plot(steps, x[:, 0], "o", color=MUTED, markersize=3, label="number")
    strip.plot(steps, c, color=GREEN, linewidth=2.2, drawstyle="steps-mid", label="$c_t$")
    strip.plot(steps, h, color=INK, linestyle=DASHES[1], drawstyle="steps-mid", label="$h_t$")
    limit = max(1.15, 1.1 * float(abs(c).max()))
    strip.set(xlim=(0.5, len(x) + 0.5), ylim=(-limit, limit), xlabel="step")
    strip.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.4, borderaxespad=0.2)


def mark_steps(ax: Axes, x: np.ndarray, letters: bool = True) -> None:
    """Shade the steps that store and those that read, ``x (T, 3)``, and write S and R above them where asked to."""
    for column, colour, letter in ((1, BLUE, "S"), (2, PURPLE, "R")):
        for t in (1 + np.flatnonzero(x[:, column] > 0)).tolist():
            ax.axvspan(t - 0.5, t + 0.5, color=colour, alpha=0.16, linewidth=0)
            if letters:
                ax.text(t, 1.01, letter, transform=ax.get_xaxis_transform(), color=colour, ha="center", va="bottom")


def watched(axes, x: np.ndarray, c: np.ndarray, gates: np.ndarray, said: np.ndarray) -> None:
    """One unit at work on the register task, in three panels: what comes in and what is said, the cell, the gates.

    Args:
        x: ``(T, 3)``: number, store, read; c: ``(T,)``; gates: ``(T, 4)`` in the order i, f, g, o; said: ``(T,)``.
    """
    above, middle, below = axes
    steps = np.arange(1, len(x) + 1)
    for ax in axes:
        mark_steps(ax, x, letters=ax is above)
        ax.set_xlim(0.5, len(x) + 0.5)
    above.plot(steps, x[:, 0], "o", color=MUTED, markersize=3.5, label="number")
    above.plot(steps, said, color=INK, drawstyle="steps-mid", label="said")
    above.set(ylim=(-1.15, 1.15), yticks=[-1, 0, 1])
    middle.plot(steps, c, color=GREEN, drawstyle="steps-mid", label="$c_t$")
    middle.axhline(0, color=MUTED, linewidth=0.8)
    for gate, letter, dashes in ((0, "i", DASHES[0]), (1, "f", DASHES[1]), (3, "o", DASHES[2])):
        style = {"color": GATE_COLOURS[letter], "linestyle": dashes, "drawstyle": "steps-mid"}
        below.plot(steps, gates[:, gate], **style, label=f"${letter}_t$")
    below.set(ylim=(-0.05, 1.05), yticks=[0, 1], xlabel="step")
    for ax in axes:
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), handlelength=1.4, borderaxespad=0.2)


def phases(ax: Axes, runs: dict[str, list[list[float]]]) -> None:
    """Each gate's mean in each phase, one dot a seed: rows of store, hold and read, a mark for each of i, f, o."""
    marks = {"i": ("o", 0), "f": ("s", 1), "o": ("^", 2)}
    for row, means in enumerate(runs.values()):
        for letter, (mark, gate) in marks.items():
            values = [seed[gate] for seed in means]
            heights = row + 0.24 * (gate - 1) + np.linspace(-0.07, 0.07, len(values))
            colour = GATE_COLOURS[letter]
            ax.plot(
                values,
                heights,
                mark,
                color=colour,
                alpha=0.6,
                markeredgewidth=0,
                markersize=6,
                label=f"${letter}_t$" if row == 0 else None,
            )
    ax.set_yticks(range(len(runs)), list(runs))
    ax.set_ylim(len(runs) - 0.5, -0.5)
    ax.set_xlim(-0.04, 1.04)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
