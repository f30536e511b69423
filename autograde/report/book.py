"""Where the book's chapters are, so that each misconception of a class is a link to what is to be taught again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from autograde.grading.record import chapters_of

BUILT = Path(__file__).resolve().parent.parent.parent / "_build" / "html"


@dataclass(frozen=True)
class Book:
    """The chapters' address, with which a page's link begins; ``folder`` is where they lie, if on this machine."""

    address: str = ""
    folder: Path | None = None

    def link(self, target: str) -> str:
        """The whole address of a chapter's section such as ``lstm.html#what-goes-wrong``; empty if it is not there."""
        page, _, section = target.partition("#")
        if not self.address or not page or (self.folder and not (self.folder / page).exists()):
            return ""
        return f"{self.address}/{quote(page)}" + (f"#{quote(section)}" if section else "")


def find(given: str, configured: str, beside: Path, built: Path = BUILT) -> Book:
    """The book that ``--book`` names, else the configuration, else the one built here, else none.

    A book is the address where it is hosted, or the folder into which it was built. Its chapters lie in ``chapters/``.
    ``beside`` is the folder of the page that will link to it: a folder's address is relative to that.

    Raises:
        ValueError: what is named is neither an address nor the folder of a built book.
    """
    for book in (given, configured):
        if book:
            return _named(book, beside)
    return _local(built, beside) if (built / "chapters").is_dir() else Book()


def _named(book: str, beside: Path) -> Book:
    scheme = urlsplit(book).scheme.lower()
    if scheme in ("http", "https"):
        return Book(chapters_of(book.split("#")[0]))
    folder = Path(book).expanduser().resolve()
    if scheme and "://" in book or not (folder / "chapters").is_dir():
        raise ValueError(
            f"no book at {book}: give the address where it is hosted (https://…), or the folder into which it was "
            "built, such as _build/html"
        )
    return _local(folder, beside)


def _local(html: Path, beside: Path) -> Book:
    relative = os.path.relpath(html.resolve() / "chapters", beside.resolve())
    return Book(quote(Path(relative).as_posix()), html.resolve() / "chapters")


def words(target: str) -> str:
    """What a link says.

    >>> words("recurrent_neurons.html#one-neuron-that-hears-itself")
    'recurrent neurons: one neuron that hears itself'
    """
    page, _, section = target.partition("#")
    chapter = page.removesuffix(".html").replace("_", " ")
    return f"{chapter}: {section.replace('-', ' ')}" if section else chapter
