"""Set a submission's folder in order before anybody reads it."""

from __future__ import annotations

import shutil
from pathlib import Path


def tidy(folder: Path, assignment: str) -> None:
    """Set aside what is not a regular file of a submission's folder; copy an only notebook to its proper name."""
    folder = folder.absolute()
    student, course = folder.parent.name, folder.parent.parent.parent
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or (path.exists() and not path.is_dir() and not path.is_file()):
            aside = course / "set-aside" / student / folder.name / path.relative_to(folder)
            aside.parent.mkdir(parents=True, exist_ok=True)
            aside.unlink(missing_ok=True)
            path.rename(aside)
    named = folder / f"{folder.name}.ipynb"
    others = [path for path in folder.glob("*.ipynb") if path != named]
    if not named.exists() and len(others) == 1:
        shutil.copyfile(others[0], named)
