"""Build the book: ``python -m chapters.build`` writes ``_build/html``; warnings are errors.

Jupyter Book keeps the outputs of cells that did not change. It does not know that a cell may import code that did:
so everything is executed again when the code behind the pages has changed since the last build.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "_build"
STAMP = BUILT / "code.sha256"
BEHIND = (
    "requirements.txt",
    "constraints.txt",
    "_config.yml",
    "solutions/**/*.py",
    "chapters/*.py",
    "chapters/drawing/*.py",
    "chapters/results/*.json",
    "autograde/kit/*.py",
)


def fingerprint() -> str:
    """A hash over all files that a page's cells may depend on, besides the page."""
    digest = hashlib.sha256(sys.version.encode())
    for pattern in BEHIND:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def build() -> int:
    """Build the book and return Jupyter Book's exit status."""
    started, now = time.perf_counter(), fingerprint()
    if not STAMP.is_file() or STAMP.read_text() != now:
        shutil.rmtree(BUILT, ignore_errors=True)
    program = str(Path(sys.executable).with_name("jupyter-book"))
    command = [program, "build", str(ROOT), "--warningiserror", "--keep-going"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    if status:
        print("The book was not built: the warnings above are errors.", file=sys.stderr)
        return status
    STAMP.write_text(now)
    print(f"The book: {BUILT.relative_to(ROOT)}/html/index.html ({time.perf_counter() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(build())
