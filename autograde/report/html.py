"""What the pages of a report share: one style for light, dark and print, the frame of a page, and tables."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

# Nothing is loaded and nothing runs, whatever a text of a student's holds.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
STYLE = """
:root { color-scheme: light dark; --line: #8889; --bar: #2b6cb0; --mark: #fff3bf; --edge: #b35900; --link: #0b5394 }
@media (prefers-color-scheme: dark) {
  :root { --bar: #63b3ed; --mark: #4a3c00; --edge: #ffb454; --link: #8cc8ff }
}
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: anywhere }
body.broad { max-width: 80rem } .broad p, .broad .wide { max-width: 60rem }
h1 { font-size: 1.6rem; line-height: 1.25 } h2 { font-size: 1.2rem; margin-top: 2.5rem }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem } a { color: var(--link) }
.wide { overflow-x: auto; margin: 1rem 0 } table { border-collapse: collapse; width: 100%; overflow-wrap: normal }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
th.n { white-space: normal }
svg { display: block; width: 100%; max-width: 34rem; height: auto; margin: .5rem 0 }
svg .bar, svg .dot { fill: var(--bar) } svg .track { fill: none; stroke: var(--line) }
svg line { stroke: currentColor } svg .range { stroke: var(--bar); stroke-width: 4 } svg .fine { stroke: var(--line) }
svg text { fill: currentColor; font-size: 15px; paint-order: stroke; stroke: Canvas; stroke-width: 4px }
ol.mistakes { padding-left: 0; list-style: none } ol.mistakes li { margin: 1.25rem 0 }
ol.mistakes svg { max-width: 20rem; margin: .15rem 0 }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: .75rem }
pre { overflow: auto; max-height: 32rem; margin: .25rem 0; padding: .5rem; border: 1px solid var(--line);
  font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap }
pre mark { display: inline-block; width: calc(100% + .5rem); color: inherit; background: var(--mark);
  box-shadow: inset 3px 0 var(--edge); padding-left: .5rem; margin-left: -.5rem }
summary { cursor: pointer } figure { margin: 0 }
@media print { pre { max-height: none } }
"""


def page(title: str, parts: Iterable[str], broad: bool = False) -> str:
    """A whole page; ``parts`` are HTML already, ``title`` is text."""
    kind = " class='broad'" if broad else ""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><title>{escape(title)}</title>"
        f"<style>{STYLE}</style></head><body{kind}><main><h1>{escape(title)}</h1>{''.join(parts)}</main></body></html>"
    )


def grid(heads: list[str], rows: list[list[str]], numbers: Iterable[int] = ()) -> str:
    """A table that scrolls sideways where it must; cells are HTML already, ``numbers`` are columns of numbers."""
    right = set(numbers)
    mark = [" class='n'" if n in right else "" for n in range(len(heads))]
    head = "".join(f"<th scope='col'{m}>{h}</th>" for m, h in zip(mark, heads))
    body = "".join("<tr>" + "".join(f"<td{m}>{cell}</td>" for m, cell in zip(mark, row)) + "</tr>" for row in rows)
    return (
        f"<div class='wide' tabindex='0' role='region' aria-label='table: {escape(heads[0])}'>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "submission"), counted(2, "answer to read", "answers to read")
    ('1 submission', '2 answers to read')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"
