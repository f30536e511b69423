"""A figure on a page: drawn by matplotlib, shown as SVG whose colours follow the page's light or dark theme.

>>> with figure(height=1.0, alt="A straight line that rises.") as ax:  # doctest: +SKIP
...     ax.plot([0, 1])
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure

from chapters.drawing.style import COLOURS, RC, WIDTH


@contextmanager
def figure(*, alt: str, height: float = 2.8, rows: int = 1, **subplots: Any) -> Iterator[Any]:
    """Open a figure, hand out its axes, and show it at the end.

    Args:
        alt: what the figure shows, in words, for those who cannot see it.
        height: in inches; the width is always the same.
        rows: panels, one below the other, so that they keep their width on a telephone.
        subplots: more for ``matplotlib.pyplot.subplots``, such as ``sharex=True``.

    Yields:
        The axes, or an array of them where there is more than one row.

    Raises:
        ValueError: the alternative text is missing.
    """
    if len(alt.split()) < 4:
        raise ValueError(f"alt: got {alt!r}; expected a sentence that says what the figure shows")
    with plt.rc_context(RC):
        drawn, axes = plt.subplots(rows, 1, figsize=(WIDTH, height), **subplots)
        try:
            yield axes
            html = as_html(drawn, alt)
        finally:
            plt.close(drawn)
    display({"text/html": html, "text/plain": alt}, raw=True)


def as_html(drawn: Figure, alt: str) -> str:
    """The figure as one inline SVG element with its alternative text; every colour is a variable of the page."""
    file = io.StringIO()
    drawn.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)  # it would style the whole page
    svg = re.sub(r'(<svg [^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg [^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = themed(unique_ids(svg))
    label = escape(" ".join(alt.split()), quote=True)
    opening = (
        f'<svg class="drawing" role="img" aria-label="{label}" style="width: 100%; max-width: 576px; height: auto" '
    )
    return svg.replace("<svg ", opening, 1).strip()


def themed(svg: str) -> str:
    """Replace each colour of the style by the CSS variable of its name, its light value being the fallback."""
    for name, colour in COLOURS.items():
        value = "currentColor" if name == "ink" else f"var(--drawing-{name}, {colour})"
        svg = re.sub(re.escape(colour), value, svg, flags=re.IGNORECASE)
    return svg


def unique_ids(svg: str) -> str:
    """Drop the ids that nothing refers to, and mark the others as this figure's own: a page shows many figures."""
    mark = "f" + hashlib.sha256(svg.encode()).hexdigest()[:8]
    used = set(re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda found: f' id="{mark}-{found[1]}"' if found[1] in used else "", svg)
    return re.sub(r'(url\(#|xlink:href="#)', rf"\g<1>{mark}-", svg)
