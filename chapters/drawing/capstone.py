"""Diagrams of the last chapter: three ways in which a late step can hear an early one."""

from __future__ import annotations

from matplotlib.axes import Axes

from chapters.drawing.networks import arrow, canvas, node, write
from chapters.drawing.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE

STEPS, APART, RADIUS = 5, 1.55, 0.38


def three_ways(ax: Axes) -> None:
    """Three rows of five steps: a chain that squashes, arcs from every step to a query, a chain that only scales."""
    canvas(ax, 9.2, 7.4)
    places = [0.7 + APART * k for k in range(STEPS)]
    for y, title, title_at, letter, colour in (
        (6.1, "recurrent layer: from step to step, squashed at each", 7.1, "h", ORANGE),
        (3.2, "attention: every step is one arrow away", 4.75, "k", BLUE),
        (0.95, "state-space model: from step to step, only scaled", 1.95, "h", GREEN),
    ):
        write(ax, (0.3, title_at), title, colour, size=11, across="left")
        for k, x in enumerate(places):
            node(ax, (x, y), f"${letter}_{k + 1}$", RADIUS, colour)
            arrow(ax, (x, y - 0.84), (x, y - RADIUS - 0.02), MUTED)
    for left, right in zip(places[:-1], places[1:], strict=True):
        for y, words, colour in ((6.1, r"$\tanh$", ORANGE), (0.95, r"$a\,\odot$", GREEN)):
            arrow(ax, (left + RADIUS, y), (right - RADIUS, y), colour)
            write(ax, ((left + right) / 2, y + 0.3), words, INK, size=10)
    query = (places[-1] + 1.55, 3.2)
    node(ax, query, "$q_5$", RADIUS, PURPLE)
    for k, x in enumerate(places):
        arrow(ax, (x, 3.2 + RADIUS), (query[0], 3.2 + RADIUS), BLUE, bend=-0.19 - 0.06 * k)
