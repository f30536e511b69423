"""Diagrams of the chapter on the GRU: weights to scale, the merging of gates, the cell, the two places of the reset."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from chapters.drawing.networks import Point, arrow, canvas, write
from chapters.drawing.style import BLUE, DASHES, GREEN, INK, MUTED, ORANGE, PAPER, PURPLE

PATH = 3.75  # the height of the state's path in the cell
BOXES = 1.25  # the height of its boxes
MIDDLE = 2.55
COLOURS = {"i": BLUE, "f": ORANGE, "g": INK, "o": PURPLE, "z": ORANGE, "n": INK, "r": PURPLE, "c": GREEN, "h": GREEN}
KINDS = {"plain": (MUTED, DASHES[2], "s"), "GRU": (BLUE, DASHES[0], "o"), "LSTM": (ORANGE, DASHES[1], "^")}


def box(ax: Axes, centre: Point, words: str, colour: str = INK, width: float = 0.72, height: float = 0.48) -> None:
    """A frame with round corners and words in it."""
    x, y = centre
    corner = (x - width / 2, y - height / 2)
    style = "round,pad=0,rounding_size=0.1"
    ax.add_patch(
        FancyBboxPatch(corner, width, height, boxstyle=style, facecolor=PAPER, edgecolor=colour, linewidth=2, zorder=3)
    )
    ax.text(x, y, words, ha="center", va="center", fontsize=11, zorder=4)


def operation(ax: Axes, centre: Point, sign: str, colour: str = INK, radius: float = 0.23) -> None:
    """A product or a sum, element by element."""
    ax.add_patch(Circle(centre, radius, facecolor=PAPER, edgecolor=colour, linewidth=1.8, zorder=3))
    ax.text(*centre, sign, ha="center", va="center", fontsize=13 if len(sign) == 1 else 11, zorder=4)


def weights(ax: Axes) -> None:
    """The weights of three layers to scale, one column of squares a gate: D = 1 row above H = 4 rows."""
    canvas(ax, 9.4, 3.1)
    side, x = 0.86, 0.25
    for kind, gates in (("plain", ("h",)), ("GRU", ("r", "z", "n")), ("LSTM", ("i", "f", "g", "o"))):
        start = x
        for gate in gates:
            colour = MUTED if kind == "plain" else COLOURS[gate]
            for bottom, high in ((0.85, side), (0.85 + side + 0.08, side / 4)):
                ax.add_patch(Rectangle((x, bottom), side, high, facecolor=colour, alpha=0.2, linewidth=0))
                ax.add_patch(Rectangle((x, bottom), side, high, facecolor="none", edgecolor=colour, linewidth=1.6))
            write(ax, (x + side / 2, 0.85 + side / 2), f"${gate}$")
            x += side + 0.06
        write(ax, ((start + x - 0.06) / 2, 0.5), kind)
        count = f"{len(gates)}\u2009×" if len(gates) > 1 else "1"
        write(ax, ((start + x - 0.06) / 2, 0.15), count, MUTED, 11)
        x += 0.5
    write(ax, (0.25, 2.45), "$W_x$ above, $W_h$ below", MUTED, 11, across="left")


def merge(ax: Axes) -> None:
    """Which part of an LSTM, in the upper row, becomes which part of a GRU, in the lower one."""
    canvas(ax, 8.6, 4.1)
    above = {"f": (1.9, "forget"), "i": (3.0, "input"), "g": (4.3, "candidate"), "o": (5.5, "output")}
    below = {"z": (2.45, "update"), "n": (4.3, "candidate"), "r": (5.5, "reset")}
    top, bottom = 2.95, 1.1
    write(ax, (0.1, top), "LSTM", across="left")
    write(ax, (0.1, bottom), "GRU", across="left")
    for row, parts, label in ((top, above, 0.48), (bottom, below, -0.48)):
        for name, (x, words) in parts.items():
            box(ax, (x, row), f"${name}_t$", COLOURS[name])
            write(ax, (x, row + label), words, COLOURS[name], 10)
    for x, name in ((7.0, "$c_t$"), (8.0, "$h_t$")):
        operation(ax, (x, top), name, GREEN, 0.33)
    operation(ax, (7.5, bottom), "$h_t$", GREEN, 0.33)
    write(ax, (7.5, top + 0.6), "two states", GREEN, 10)
    write(ax, (7.5, bottom - 0.6), "one state", GREEN, 10)
    arrow(ax, (1.9, top - 0.24), (2.3, bottom + 0.24), ORANGE)
    arrow(ax, (3.0, top - 0.24), (2.6, bottom + 0.24), BLUE)
    write(ax, (1.72, 2.05), "$z$", ORANGE)
    write(ax, (3.28, 2.05), "$1 - z$", BLUE)
    arrow(ax, (4.3, top - 0.24), (4.3, bottom + 0.24))
    arrow(ax, (5.5, top - 0.24), (5.5, bottom + 0.24), PURPLE, dashed=True)
    write(ax, (5.62, 2.05), "moves", PURPLE, 10, across="left")
    arrow(ax, (7.0, top - 0.33), (7.36, bottom + 0.31), GREEN)
    arrow(ax, (8.0, top - 0.33), (7.64, bottom + 0.31), GREEN)


def cell(ax: Axes) -> None:
    """A GRU, with the reset gate before the product."""
    canvas(ax, 7.6, 4.3)
    keep, add, write_in, reset = (2.2, PATH), (5.7, PATH), (5.7, MIDDLE), (4.7, BOXES)

    # the path of the state
    ax.text(0.1, PATH, "$h_{t-1}$", color=GREEN, ha="left", va="center", fontsize=12)
    write(ax, (7.25, PATH), "$h_t$", GREEN)
    arrow(ax, (0.85, PATH), (keep[0] - 0.23, PATH), GREEN)
    arrow(ax, (keep[0] + 0.23, PATH), (add[0] - 0.23, PATH), GREEN)
    arrow(ax, (add[0] + 0.23, PATH), (6.95, PATH), GREEN)
    operation(ax, keep, "×", ORANGE)
    operation(ax, add, "+", GREEN)

    # the update gate: to the old state, and as 1 - z to the candidate
    box(ax, (2.2, BOXES), r"$\sigma$", ORANGE)
    ax.plot([2.2, 2.2], [BOXES + 0.24, MIDDLE], color=ORANGE, linewidth=1.6)
    arrow(ax, (2.2, MIDDLE), (2.2, PATH - 0.23), ORANGE)
    write(ax, (1.9, 2.0), "$z_t$", ORANGE)
    arrow(ax, (2.2, MIDDLE), (3.9 - 0.28, MIDDLE), ORANGE)
    operation(ax, (3.9, MIDDLE), "1−", ORANGE, 0.28)
    arrow(ax, (3.9 + 0.28, MIDDLE), (write_in[0] - 0.23, MIDDLE), ORANGE)
    write(ax, (4.85, MIDDLE + 0.28), "$1 - z_t$", ORANGE)
    operation(ax, write_in, "×", ORANGE)
    arrow(ax, (5.7, MIDDLE + 0.23), (5.7, PATH - 0.23))

    # the candidate, and the reset gate that says what it sees of the old state
    box(ax, (5.7, BOXES), "tanh")
    arrow(ax, (5.7, BOXES + 0.24), (5.7, MIDDLE - 0.23))
    write(ax, (5.95, 1.9), "$n_t$", across="left")
    box(ax, (3.5, BOXES), r"$\sigma$", PURPLE)
    arrow(ax, (3.86, BOXES), (reset[0] - 0.23, BOXES), PURPLE)
    write(ax, (4.15, BOXES + 0.28), "$r_t$", PURPLE)
    operation(ax, reset, "×", PURPLE)
    arrow(ax, (reset[0] + 0.23, BOXES), (5.7 - 0.36, BOXES))

    # what comes in
    ax.plot([1.25, 5.7], [0.45, 0.45], color=MUTED, linewidth=1.6)
    for x, top in ((2.2, BOXES - 0.24), (3.5, BOXES - 0.24), (4.7, BOXES - 0.23), (5.7, BOXES - 0.24)):
        arrow(ax, (x, 0.45), (x, top), MUTED)
    ax.text(1.15, 0.45, "$x_t,\\; h_{t-1}$", color=INK, ha="right", va="center", fontsize=12)
    write(ax, (4.7, 0.2), "$h_{t-1}$", MUTED, 11)
    write(ax, (5.7, 0.2), "$x_t$", MUTED, 11)


def reset(ax: Axes) -> None:
    """Two units, one step: the reset gate at the mouth of the speakers, or at the ear of the listeners."""
    canvas(ax, 8.2, 3.7)
    for left, title, gate_at in ((0.0, "before the product", 0.3), (4.2, "after the product", 0.7)):
        write(ax, (left + 2.0, 3.45), title)
        speakers = [(left + 0.5, 2.55), (left + 0.5, 0.75)]
        listeners = [(left + 3.5, 2.55), (left + 3.5, 0.75)]
        gates = [(left + 0.5 + 3 * gate_at, y) for _, y in speakers]
        starts, ends = (gates, listeners) if gate_at < 0.5 else (speakers, gates)
        for k, (speaker, listener, gate) in enumerate(zip(speakers, listeners, gates)):
            arrow(ax, (speaker[0] + 0.36, speaker[1]), (gate[0] - 0.24, gate[1]), PURPLE if gate_at < 0.5 else INK)
            arrow(ax, (gate[0] + 0.24, gate[1]), (listener[0] - 0.36, listener[1]), INK if gate_at < 0.5 else PURPLE)
            operation(ax, speaker, f"$h^{k + 1}$", GREEN, 0.36)
            operation(ax, listener, f"$n^{k + 1}$", INK, 0.36)
            operation(ax, gate, f"$r^{k + 1}$", PURPLE, 0.26)
        radius = 0.27 if gate_at < 0.5 else 0.38
        stop = 0.38 if gate_at < 0.5 else 0.28
        for here, there in ((0, 1), (1, 0)):
            start, end = np.array(starts[here]), np.array(ends[there])
            along = (end - start) / np.linalg.norm(end - start)
            arrow(ax, tuple(start + radius * along), tuple(end - stop * along))
    write(ax, (2.0, 0.12), "a unit that is reset falls silent", MUTED, 10)
    write(ax, (6.2, 0.12), "a unit that is reset goes deaf", MUTED, 10)


def lines(ax: Axes, steps: list[int], runs: dict[str, list[list[float]]], level: float) -> None:
    """Error against the steps of the task, one line a kind of layer and one dot a seed, on two logarithmic axes.

    Args:
        runs: ``(seeds, steps)`` for each name, which begins with the kind of layer.
        level: where to draw a dashed line, such as the error of an answer that knows nothing.
    """
    ax.axhline(level, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    for name, values in runs.items():
        colour, dashes, mark = KINDS[name.split(",")[0]]
        for of_seed in values:
            ax.plot(steps, of_seed, mark, color=colour, alpha=0.4, markeredgewidth=0)
        ax.plot(steps, np.median(values, axis=0), color=colour, linestyle=dashes, label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(steps, [str(n) for n in steps])
    ax.minorticks_off()


def rows(ax: Axes, results: dict[str, list[float]], level: float) -> None:
    """One row a network, one dot a seed and a bar at the median, on a logarithmic axis; a dashed line at ``level``."""
    ax.axvline(level, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    for row, (name, values) in enumerate(results.items()):
        kind = name.split(",")[0]
        colour, _, mark = KINDS.get(kind, (GREEN, DASHES[0], "D"))
        ax.plot(values, [row] * len(values), mark, color=colour, alpha=0.6, markeredgewidth=0)
        ax.plot([np.median(values)] * 2, [row - 0.32, row + 0.32], color=colour, linewidth=2.5)
    ax.set_xscale("log")
    ax.set_yticks(range(len(results)), list(results))
    ax.set_ylim(len(results) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
    ax.minorticks_off()


def solved(ax: Axes, counts: dict[str, list[int | None]], steps: list[int], of: int) -> None:
    """How many of ``of`` runs solved each length: a number in a box that grows with it, a dot where none was run."""
    for row, (name, by_steps) in enumerate(counts.items()):
        colour = KINDS[name.split(",")[0]][0]
        for column, count in enumerate(by_steps):
            if count is None:
                ax.text(column, row, "·", color=MUTED, ha="center", va="center")
                continue
            half = 0.42 * (count / of) ** 0.5
            grown = Rectangle(
                (column - half, row - half), 2 * half, 2 * half, facecolor=colour, alpha=0.25, linewidth=0
            )
            ax.add_patch(grown)
            ax.text(column, row, str(count), color=INK if count else MUTED, ha="center", va="center")
    ax.set_xticks(range(len(steps)), [str(n) for n in steps])
    ax.set_yticks(range(len(counts)), list(counts))
    ax.set(xlim=(-0.6, len(steps) - 0.4), ylim=(len(counts) - 0.4, -0.6))
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def watched(axes, x: np.ndarray, h: np.ndarray, r: np.ndarray, z: np.ndarray, said: np.ndarray) -> None:
    """Two units at work on the register task: what comes in and is said, the two states, one gate of each.

    Args:
        x: ``(T, 3)``: number, store, read; h, r, z: ``(T, 2)`` of the holder and the speaker; said: ``(T,)``.
    """
    above, middle, below = axes
    steps = np.arange(1, len(x) + 1)
    for ax in axes:
        for column, colour in ((1, BLUE), (2, PURPLE)):
            for t in steps[x[:, column] > 0]:
                ax.axvspan(t - 0.5, t + 0.5, color=colour, alpha=0.16, linewidth=0)
        ax.set_xlim(0.5, len(x) + 0.5)
    above.plot(steps, x[:, 0], "o", color=MUTED, markersize=3.5, label="number")
    above.plot(steps, said, color=INK, label="said")
    above.set(ylim=(-1.15, 1.15), yticks=[-1, 0, 1])
    middle.plot(steps, h[:, 0], color=GREEN, label="holder")
    middle.plot(steps, h[:, 1], color=PURPLE, linestyle=DASHES[1], label="speaker")
    middle.set(ylim=(-1.15, 1.15), yticks=[-1, 0, 1])
    below.plot(steps, z[:, 0], color=GREEN, label="$z$, holder")
    below.plot(steps, r[:, 1], color=PURPLE, linestyle=DASHES[1], label="$r$, speaker")
    below.set(ylim=(-0.05, 1.05), yticks=[0, 1], xlabel="step")
    for ax in axes:
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.05), handlelength=1.4, borderaxespad=0.2)


def courses(ax: Axes, runs: dict[str, list[list[float]]], every: int) -> None:
    """The error in the course of training, one line a seed, each in the colour and dashes of its layer."""
    for kind, seeds in runs.items():
        colour, dashes, _ = KINDS[kind]
        for k, errors in enumerate(seeds):
            counts = every * np.arange(1, len(errors) + 1)
            ax.plot(counts, errors, color=colour, linestyle=dashes, linewidth=1.5, label=None if k else kind)
    ax.set_yscale("log")


def bars(ax: Axes, values: dict[str, dict[str, float]]) -> None:
    """Groups of horizontal bars with their values: one group a library or a size, one bar a kind of layer."""
    heights, names, row = [], [], 0.0
    for group, by_kind in values.items():
        heights.append(row + (len(by_kind) - 1) / 2)
        names.append(group)
        for kind, value in by_kind.items():
            colour = KINDS[kind][0]
            ax.barh(row, value, height=0.8, color=colour, alpha=0.75)
            ax.annotate(f"{kind} {value:.1f}", (value, row), xytext=(4, 0), textcoords="offset points", va="center")
            row += 1
        row += 0.7
    ax.set_yticks(heights, names)
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
