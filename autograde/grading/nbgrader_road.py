"""Our grading inside nbgrader: an exporter that reads submissions, and a preprocessor that ships the kit.

nbgrader's ``Autograde`` reads each submission through its exporter twice. The first reading is ours: it grades the
submission in the sandbox and hands on a notebook whose graded cells carry their verdicts. The second is nbgrader's own:
``SaveAutoGrades`` and ``AssignLatePenalties`` read the scores from those cells.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat.v4 import new_code_cell
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, Float, Integer, Unicode

from autograde.grading import attempts, release, sandbox
from autograde.grading.course import Course, is_own_file
from autograde.grading.record import record
from autograde.grading.submission import Graded, grade
from autograde.grading.tidying import tidy

PREPARED: dict[tuple[str, str, str], Graded] = {}  # (course, student, assignment) graded just before, in this process


class SandboxedSubmission(NotebookExporter):
    """Reads a submission by grading it. Its traits set the limits, in ``nbgrader_config.py`` or on the command line."""

    cell_s = Float(60, help="seconds that one cell, or one graded call, may take").tag(config=True)
    notebook_s = Float(300, help="seconds that a whole notebook may take").tag(config=True)
    cpu_s = Integer(300, help="CPU seconds of a notebook's process").tag(config=True)
    memory_mb = Integer(4096, help="MiB of memory of everything a notebook starts").tag(config=True)
    processes = Integer(64, help="processes that a notebook may start").tag(config=True)
    unsafe_no_sandbox = Bool(False, help="run student code without a sandbox; marks every score").tag(config=True)
    optimistic_validation = Bool(True, help="validate a notebook once, not after each preprocessor").tag(config=True)
    book_url = Unicode("", help="where the book is hosted, for links in feedback").tag(config=True)

    def limits(self) -> sandbox.Limits:
        return sandbox.Limits(
            cell_s=self.cell_s,
            notebook_s=self.notebook_s,
            cpu_s=self.cpu_s,
            memory_mb=self.memory_mb,
            processes=self.processes,
        )

    def from_filename(self, filename, resources=None, **kw):
        if not getattr(self.parent, "_sanitizing", False):
            return super().from_filename(filename, resources=resources, **kw)
        assert resources is not None and self.parent is not None
        course = Course(Path(self.parent.coursedir.root).resolve())
        student, assignment = resources["nbgrader"]["student"], resources["nbgrader"]["assignment"]
        graded = PREPARED.pop((str(course.root), student, assignment), None)
        if graded is None:
            try:
                graded = grade(course, student, assignment, self.limits(), self.unsafe_no_sandbox)
            except (sandbox.NoSandbox, LookupError) as error:
                self.log.error(str(error))
                raise NbGraderException(str(error)) from None
        record(graded.notebook, graded.verdicts, graded.record["unsafe"], self.book_url)
        attempts.write(course, graded.record)
        timestamp = course.folder("submitted", student, assignment) / "timestamp.txt"
        if is_own_file(timestamp, timestamp.parent):
            resources.setdefault("outputs", {})["timestamp.txt"] = timestamp.read_bytes()
        resources["metadata"] = {"name": Path(filename).stem, "path": str(Path(filename).parent)}
        if not self._preprocessors:  # nothing to be done to it: no need for copies
            resources["output_extension"] = self.file_extension
            return nbformat.writes(graded.notebook), self._init_resources(resources)
        return self.from_notebook_node(graded.notebook, resources=resources, **kw)


class ShipKit(NbGraderPreprocessor):
    """Puts the kit, the visible checks, the data and a cell that finds them into the release that nbgrader writes.

    An assignment without exercises, such as an instructor's own with tests in its notebook, is released as it is.
    """

    def preprocess(self, nb, resources):
        assignment = resources["nbgrader"]["assignment"]
        nb.metadata.pop("celltoolbar", None)
        try:
            made = release.files(assignment)
        except LookupError:
            return nb, resources
        resources.setdefault("outputs", {}).update(made)
        first = next((place for place, cell in enumerate(nb.cells) if cell.cell_type == "code"), len(nb.cells))
        fixed = {"deletable": False, "editable": False}
        nb.cells.insert(first, new_code_cell(release.finder(assignment), id="find-kit", metadata=fixed))
        return nb, resources


def tidy_submissions(assignment: str, student: str, notebooks: list[str]) -> None:
    """nbgrader's hook before each submission: set aside links and special files, and name a renamed notebook.

    nbgrader copies a submission's files by following links, into folders that students get back. Nothing is lost: what
    is set aside lies in the course's ``set-aside/``.
    """
    for folder in {Path(notebook).parent for notebook in notebooks}:
        tidy(folder, assignment)
        named = folder / f"{folder.name}.ipynb"
        if named.exists() and str(named) not in notebooks:
            notebooks.append(str(named))
