"""Plots of measurements: series with their spread over seeds, one row of dots a model, heat maps."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from chapters.drawing.style import BLUE, GRID, INK, MUTED, ORANGE


def label(ax: Axes, x: float, y: float, words: str, colour: str = INK, **more: Any) -> None:
    """Write words beside a curve, in its colour: a reader need not look for a legend."""
    ax.annotate(
        words, (x, y), **{"xytext": (5, 0), "textcoords": "offset points", "va": "center", **more}, color=colour
    )


def spread(ax: Axes, x: np.ndarray, runs: np.ndarray, colour: str = BLUE, words: str = "", **more: Any) -> None:
    """Draw the mean of several runs as a line, within a band from the smallest to the largest.

    Args:
        x: ``(T,)``; runs: ``(seeds, T)``.
    """
    runs = np.asarray(runs)
    ax.fill_between(x, runs.min(axis=0), runs.max(axis=0), color=colour, alpha=0.22, linewidth=0)
    ax.plot(x, runs.mean(axis=0), color=colour, label=words, **more)


def seed_rows(ax: Axes, rows: dict[str, list[float]], baseline: float | None = None) -> None:
    """One row a model, one dot a seed, a bar at the mean; a model without seeds is a single diamond.

    Args:
        rows: the model's name and its results, in the order from top to bottom.
        baseline: where to draw a dashed line, such as the naive forecast's error.
    """
    if baseline is not None:
        ax.axvline(baseline, color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
    for row, values in enumerate(rows.values()):
        if len(values) == 1:
            ax.plot(values, [row], "D", color=ORANGE, markersize=7)
        else:
            ax.plot(values, [row] * len(values), "o", color=BLUE, alpha=0.55, markeredgewidth=0)
            ax.plot([np.mean(values)] * 2, [row - 0.28, row + 0.28], color=BLUE, linewidth=2.5)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.grid(axis="x")


def heat_map(ax: Axes, values: np.ndarray, rows: str = "", columns: str = "", limit: float | None = None) -> None:
    """Draw a matrix as squares: blue above zero, orange below it, the stronger the larger the value.

    A square's size grows with its value too, and the negative ones are hollow, so that the map reads in grey.

    Args:
        values: ``(rows, columns)``; row 0 is at the top.
        rows, columns: what the axes are called.
        limit: the value of a full square; the largest one where it is not given.
    """
    values = np.asarray(values, dtype=float)
    full = float(np.abs(values).max() if limit is None else limit) or 1.0
    for (row, column), value in np.ndenumerate(values):
        strength = min(abs(value) / full, 1.0)
        half = 0.46 * strength**0.5
        colour = BLUE if value > 0 else ORANGE
        ax.add_patch(_square(column, row, 0.46, facecolor="none", edgecolor=GRID, linewidth=0.6))
        if strength > 1e-3:
            face = colour if value > 0 else "none"
            ax.add_patch(_square(column, row, half, facecolor=face, edgecolor=colour, linewidth=1.4))
    ax.set_xlim(-0.6, values.shape[1] - 0.4)
    ax.set_ylim(values.shape[0] - 0.4, -0.6)
    ax.set_aspect("equal")
    ax.set(xlabel=columns, ylabel=rows)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)


def _square(x: float, y: float, half: float, **style: Any) -> Rectangle:
    return Rectangle((x - half, y - half), 2 * half, 2 * half, **style)
