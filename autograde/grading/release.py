"""What a release carries besides the notebook: the kit, its visible checks, and data. As data: no answer is code."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from autograde import exercises
from autograde.grading.questions import question
from autograde.kit.plain import encode

KIT = Path(__file__).resolve().parent.parent / "kit"
VISIBLE_SEED = 20_260_101  # public: the cases that `check` shows; hidden ones come from the course's secret

# The first code cell of a released notebook. Editors run a notebook in its own folder, in a folder above it, or, as
# Google Colab does, where nothing lies but what was uploaded.
FINDER = """\
# Run this cell first: it finds the folder kit, which came with this notebook.
def find_kit(name):
    import sys
    import zipfile
    from pathlib import Path

    beside = Path(globals().get("__vsc_ipynb_file__", "")).parent  # Visual Studio Code says where the notebook lies
    places, archives = [beside, Path(), Path(name)], list(Path().glob(f"{name}*.zip"))
    if archives and not any((place / "kit").is_dir() for place in places):
        zipfile.ZipFile(max(archives, key=lambda path: path.stat().st_mtime)).extractall()
    found = [place for place in places if (place / "kit").is_dir()]
    if not found:
        raise FileNotFoundError(
            f"The folder kit is not here. It came with this notebook, in {name}.zip.\\n"
            f"In Google Colab: open the files (the folder at the left edge), drag {name}.zip there, and run this cell "
            "again. Colab forgets such files: do so in every session.\\n"
            f"Elsewhere: unpack {name}.zip and open the notebook in the folder that it makes."
        )
    sys.path.insert(0, str(found[0].resolve()))


find_kit("ASSIGNMENT")"""


def files(assignment: str) -> dict[str, bytes]:
    """The files of a release by their names: ``kit/*.py``, ``kit/checks/EXERCISE.plain``, ``kit/data/*``.

    Raises:
        LookupError: there are no exercises of this name.
    """
    asked = exercises.load(assignment)
    made = {f"kit/{path.name}": path.read_bytes() for path in sorted(KIT.glob("*.py"))}
    for number, exercise in enumerate(asked.exercises):
        shown = question(exercise, np.random.default_rng([VISIBLE_SEED, number]), visible=True)
        made[f"kit/checks/{exercise.name}.plain"] = encode(shown)
    made |= {f"kit/data/{name}": make() for name, make in asked.data.items()}
    return made


def finder(assignment: str) -> str:
    """The source of the cell that finds the kit."""
    return FINDER.replace("ASSIGNMENT", assignment)


def pack(folder: Path) -> Path:
    """Pack a release's folder as ``NAME.zip`` beside it, for students to take in one piece; the same each time."""
    path = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder.parent).as_posix())
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)
    return path
