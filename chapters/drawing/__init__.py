"""What draws the figures of the book: one style, light and dark, each with its alternative text.

- ``figures``: opens a figure and shows it on the page;
- ``networks``: neurons, unrolled networks and the shapes of matrices;
- ``plots``: series with their spread, rows of seeds, heat maps.
"""

from chapters.drawing.figures import figure
from chapters.drawing.style import BLUE, DASHES, GREEN, GRID, INK, MUTED, ORANGE, PAPER, PURPLE

__all__ = ["BLUE", "DASHES", "GREEN", "GRID", "INK", "MUTED", "ORANGE", "PAPER", "PURPLE", "figure"]
