"""The README's pictures: ``make screenshots`` draws ``chapters/images/*.png`` from the built book and a real hint.

Needs the built book, the release (``make book release``) and Chromium on the PATH.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "chapters" / "images"
BOOK = ROOT / "_build" / "html" / "chapters" / "recurrent_neurons.html"
RELEASE = ROOT / "autograde" / "course" / "release" / "recurrent_neurons"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

WRONG_STEP = '''def rnn_step(x_t, h_prev, W_x, W_h, b):
    """One step of a recurrent layer on a batch: h_t of shape (N, H)."""
    return np.tanh(x_t @ W_x + h_prev @ W_h.T + b)'''


def hint_page(folder: Path) -> Path:
    """Run the released notebook's first cells with a wrong ``rnn_step``, and write what a student then sees."""
    shutil.copytree(RELEASE, folder, dirs_exist_ok=True)
    notebook = nbformat.read(folder / "recurrent_neurons.ipynb", as_version=4)
    code = {cell.metadata.get("nbgrader", {}).get("grade_id", "imports"): cell for cell in notebook.cells[::-1]}
    code["rnn_step_solution"].source = WRONG_STEP
    first = [cell for cell in notebook.cells if cell.id in ("find-kit", "imports")]
    notebook.cells = [*first, code["rnn_step_solution"], code["rnn_step"]]
    ExecutePreprocessor(allow_errors=True, timeout=60).preprocess(notebook, {"metadata": {"path": str(folder)}})
    notebook.cells = notebook.cells[len(first) :]
    page = folder / "hint.html"
    page.write_text(HTMLExporter(embed_images=True).from_notebook_node(notebook)[0], encoding="utf-8")
    return page


def picture(page: Page, address: Path, name: str, height: int) -> None:
    page.set_viewport_size({"width": 1200, "height": height})
    page.goto(address.as_uri())
    page.wait_for_timeout(1500)
    page.screenshot(path=str(IMAGES / name))
    print(f"{(IMAGES / name).relative_to(ROOT)}")


def main() -> int:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print("Chromium was not found; on Debian: apt-get install chromium", file=sys.stderr)
        return 1
    for needed in (BOOK, RELEASE):
        if not needed.exists():
            print(f"{needed.relative_to(ROOT)} is missing; run: make book release", file=sys.stderr)
            return 1
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = running.new_context(color_scheme="light", offline=True).new_page()
        picture(page, BOOK, "book.png", 820)
        picture(page, hint_page(Path(folder)), "hint.png", 380)
        running.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
