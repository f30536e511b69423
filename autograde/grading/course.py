"""Where things lie in an nbgrader course: source, release, submitted, autograded, feedback, and what we add to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat.notebooknode import NotebookNode

MAX_BYTES = 256 * 2**20  # of a notebook that is handed in
HOME = Path(__file__).resolve().parent.parent / "course"


@dataclass(frozen=True)
class Course:
    """The folder of a course. ``attempts/`` holds our records, ``secret`` the seed of the hidden cases."""

    root: Path

    @property
    def secret(self) -> Path:
        return self.root / "secret"

    @property
    def gradebook(self) -> str:
        return f"sqlite:///{self.root / 'gradebook.db'}"

    def folder(self, step: str, student: str, assignment: str) -> Path:
        return self.root / step / student / assignment

    def release_notebook(self, assignment: str) -> Path:
        return self.root / "release" / assignment / f"{assignment}.ipynb"

    def read_release(self, assignment: str) -> NotebookNode:
        """The trusted release notebook; ``LookupError`` says what to do if it was not made."""
        import nbformat  # it takes half a second, and not everybody who asks where things lie reads them

        self.look_for_release(assignment)
        return nbformat.read(self.release_notebook(assignment), as_version=4)

    def look_for_release(self, assignment: str) -> None:
        """``LookupError``, which says what to do, if an assignment is not released."""
        if not self.release_notebook(assignment).exists():
            raise LookupError(f"{assignment} is not released yet: run `autograde release {assignment}` first")

    def students(self, assignment: str) -> list[str]:
        """Who handed something in for an assignment, by name."""
        return self._students("submitted", assignment)

    def graded(self, assignment: str) -> list[str]:
        """Whose submission of an assignment is graded, by name."""
        return self._students("autograded", assignment)

    def _students(self, step: str, assignment: str) -> list[str]:
        return sorted(path.parent.name for path in self.root.glob(f"{step}/*/{assignment}") if path.is_dir())

    def submission(self, student: str, assignment: str) -> tuple[bytes | None, str]:
        """The bytes of a student's notebook and a note: another name is taken if it is the only notebook there."""
        folder = self.folder("submitted", student, assignment)
        path = folder / f"{assignment}.ipynb"
        note = ""
        if not is_own_file(path, folder):
            others = [other for other in sorted(folder.glob("*.ipynb")) if is_own_file(other, folder)]
            if len(others) != 1:
                return None, f"{len(others)} other notebooks are there" if others else ""
            path, note = others[0], f"the file is called {others[0].name}"
        try:
            with path.open("rb") as file:
                return file.read(MAX_BYTES + 1), note  # what is larger is not read, and said to be too large
        except OSError as error:
            return None, f"the file cannot be read: {error.strerror}"


def is_own_file(path: Path, folder: Path) -> bool:
    """Whether a path is a regular file that really lies in the folder: no link leads out of a submission."""
    inside = path.is_file() and path.resolve().is_relative_to(folder.resolve())
    return inside and not any(part.is_symlink() for part in [path, *path.parents] if part.is_relative_to(folder))
