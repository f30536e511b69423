"""What a reader reads as sentences: a Markdown text with all else blanked, so that its lines keep their numbers."""

from __future__ import annotations

import re

FLAGS = re.DOTALL | re.MULTILINE
FRONT_MATTER = r"\A---\n.*?^---$"
CELL = r"^```\{code-cell\}.*?^```"
BLOCK = r"^```python.*?^```"
MACHINERY = (
    r"^( *)(`{3,})(?:\w+|\{(?:eval-rst|literalinclude|nb-exec-table|bibliography|math)\}).*?^\1\2",
    r"^ *\$\$.*?\$\$",
    r"^ *[`:]{3,}(?:\{[a-z-]+\})?",  # where a directive begins or ends
    r"^ *:[a-z_-]+:.*?$",  # its options
    r"(?<=\])\([^)\s]*\)",  # where a link leads
    r"https?://\S+",
)
MATH = r"(?<![\\$])\$[^$]+\$"
ROLE_OR_CODE = r"(\{[a-z:]+\})?`([^`]*)`"


def prose(markdown: str) -> str:
    """Paragraphs, headings, tables, captions and descriptions; no code, mathematics, citations or glued numbers.

    >>> prose("It is {glue:text}`error` for `rnn` and {term}`gates <gate>`, $x$ too.").split()
    ['It', 'is', 'for', 'and', 'gates', '<gate>,', 'too.']
    """
    text = re.sub(f"{FRONT_MATTER}|{CELL}", _words_alone, markdown, flags=FLAGS)
    for pattern in MACHINERY:
        text = re.sub(pattern, _blanked, text, flags=FLAGS)
    text = re.sub(ROLE_OR_CODE, _term_alone, text)
    return re.sub(MATH, _blanked, text)


def descriptions(markdown: str) -> str:
    """What the figures' texts say to those who cannot see them."""
    return "\n".join(re.findall(r'\balt=f?"([^"]+)"', markdown))


def shown_code(markdown: str) -> str:
    """Code and mathematics that the reader sees, without options and strings."""
    cells = [cell for cell in re.findall(CELL, markdown, FLAGS) if not re.search(r"remove-(?:input|cell)", cell)]
    code = "\n".join([*cells, *re.findall(BLOCK, markdown, FLAGS)])
    text = re.sub(rf"{CELL}|{BLOCK}|{ROLE_OR_CODE}", "", markdown, flags=FLAGS)
    mathematics = re.findall(rf"\$\$.*?\$\$|{MATH}", text, re.DOTALL)
    return re.sub(r'^:[^\n]*|"[^"\n]*"', "", code, flags=re.MULTILINE) + "\n".join(mathematics)


def _blanked(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _words_alone(block: re.Match[str]) -> str:
    """Of front matter or a cell: the lines that a reader reads."""
    found = (re.match(r":?\s+(?:caption|description):(.*)", line) for line in block[0].split("\n"))
    return "\n".join(words[1] if words else "" for words in found)


def _term_alone(role: re.Match[str]) -> str:
    return role[2] if role[1] == "{term}" else _blanked(role)
