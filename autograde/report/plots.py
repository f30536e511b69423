"""Plots as inline SVG: their numbers are text, no colour carries a meaning, and they can be read at a phone's width."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from autograde.report.numbers import ExerciseFigures

WIDTH = 460  # of the drawing: at 390 pixels of screen its letters are still 11 pixels high


def svg(height: float, label: str, parts: list[str], width: float = WIDTH) -> str:
    return (
        f"<svg role='img' aria-label='{escape(label)}' viewBox='0 0 {width:g} {height:g}'>"
        f"<title>{escape(label)}</title>{''.join(parts)}</svg>"
    )


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}'>{escape(words)}</text>"


def line(x1: float, y1: float, x2: float, y2: float, more: str = "") -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}'{more}/>"


def bar(x: float, y: float, width: float, height: float, kind: str = "bar") -> str:
    return f"<rect class='{kind}' x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}'/>"


def histogram(shares: Sequence[float], median: float, bins: int = 10) -> str:
    """How many submissions have a score in each tenth of the points; ``shares`` and ``median`` are from 0 to 1."""
    counts = [0] * bins
    for share in shares:
        counts[min(bins - 1, max(0, int(bins * share + 1e-9)))] += 1
    left, top, floor = 25.0, 50.0, 210.0
    step, tallest = (WIDTH - 2 * left) / bins, max(counts, default=0) or 1
    middle = left + min(1.0, max(0.0, median)) * step * bins
    side = "start" if median < 0.2 else "end" if median > 0.8 else "middle"
    parts = [line(middle, 22, middle, floor, " stroke-dasharray='4 4'"), line(left, floor, WIDTH - left, floor)]
    for n, count in enumerate(counts):
        tall = (floor - top) * count / tallest
        if count:
            parts.append(bar(left + n * step + 3, floor - tall, step - 6, tall))
            parts.append(text(left + (n + 0.5) * step, floor - tall - 6, str(count), "middle"))
    for n in range(0, bins + 1, 2):
        x = left + n * step
        parts += [line(x, floor, x, floor + 5), text(x, floor + 22, f"{100 * n // bins}%", "middle")]
    parts += [
        text(middle, 15, f"median {median:.0%}", side),
        text(WIDTH / 2, floor + 45, "share of the points", "middle"),
    ]
    label = "; ".join(f"{count} from {100 * n // bins}%" for n, count in enumerate(counts) if count)
    return svg(floor + 55, f"Submissions by their share of the points: {label}; median {median:.0%}", parts)


def difficulty(figures: Sequence[ExerciseFigures]) -> str:
    """The mean share of its points that each exercise earned, from none to all."""
    parts, row, longest = [], 44, 390
    for n, f in enumerate(figures):
        y, share = n * row + 16, min(1.0, max(0.0, f.mean_share))
        parts += [text(0, y, f.name), bar(0, y + 6, longest, 12, "track"), bar(0, y + 6, longest * share, 12)]
        parts.append(text(WIDTH, y + 18, f"{f.mean_share:.0%}", "end"))
    label = "; ".join(f"{f.name} {f.mean_share:.0%}" for f in figures)
    return svg(len(figures) * row + 6, f"Mean share of the points: {label}", parts)


def discriminations(figures: Sequence[ExerciseFigures]) -> str:
    """Each exercise's discrimination as a dot between -1 and 1, with its interval as a bar."""
    row, left, right = 48, 12.0, WIDTH - 12.0
    at = lambda value: left + (right - left) * (value + 1) / 2
    floor = len(figures) * row + 6
    parts = [line(at(tick), 0, at(tick), floor, " class='fine'") for tick in (-1, -0.5, 0.5, 1)]
    parts.append(line(at(0), 0, at(0), floor))
    for n, f in enumerate(figures):
        y = n * row + 16
        parts += [text(0, y, f.name), text(WIDTH, y, correlation_words(f), "end")]
        if f.interval:
            parts.append(line(at(f.interval[0]), y + 16, at(f.interval[1]), y + 16, " class='range'"))
        if f.discrimination is not None:
            parts.append(f"<circle class='dot' cx='{at(f.discrimination):.1f}' cy='{y + 16}' r='7'/>")
    parts += [text(at(tick), floor + 18, f"{tick:g}".replace("-", "−"), "middle") for tick in (-1, -0.5, 0, 0.5, 1)]
    label = "; ".join(f"{f.name} {correlation_words(f)}" for f in figures)
    return svg(floor + 26, f"Discrimination: {label}", parts)


def correlation_words(f: ExerciseFigures) -> str:
    """A discrimination with its interval in words."""
    if f.discrimination is None:
        return "cannot be told"
    between = f" ({f.interval[0]:.2f} to {f.interval[1]:.2f})" if f.interval else ""
    return f"{f.discrimination:.2f}{between}".replace("-", "−")


def share_bar(share: float, label: str) -> str:
    """One bar that stands before words."""
    return svg(14, label, [bar(1, 1, 298, 12, "track"), bar(1, 1, 298 * min(1.0, max(0.0, share)), 12)], 300)
