"""One style for every figure: sizes that read on a phone, and colours that turn with the page's theme.

A figure is 5.2 inches wide and is shown at most 576 px wide: its 11-point text is about 17 px high on a desk and 11 px
on a telephone. Each colour below stands for a CSS variable of the same name, whose dark value is in
``chapters/_static/unrolled.css``; what is written here is its light value. Neighbouring colours differ in lightness,
and a curve also differs from its neighbour by its dashes or its label: a figure must read in grey.
"""

from __future__ import annotations

from typing import Any

WIDTH = 5.2  # inches

INK = "#22262b"
MUTED = "#5c6671"
GRID = "#d3d9df"
PAPER = "#fffffe"
BLUE = "#0060a8"
ORANGE = "#b94700"
GREEN = "#00704a"
PURPLE = "#8b3a8f"

COLOURS = {
    "ink": INK,
    "muted": MUTED,
    "grid": GRID,
    "paper": PAPER,
    "blue": BLUE,
    "orange": ORANGE,
    "green": GREEN,
    "purple": PURPLE,
}

DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "mathtext.fontset": "dejavusans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "axes.grid": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "axes.formatter.use_mathtext": True,
    "axes.unicode_minus": True,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "unrolled",
}
