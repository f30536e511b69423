"""The configuration of this nbgrader course: stock nbgrader, with submissions graded in a sandbox.

`nbgrader generate_assignment`, `autograde`, `generate_feedback`, `export` and formgrader work here as usual.
"""

import sys
from pathlib import Path

try:
    import autograde  # noqa: F401
except ImportError:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    IncludeHeaderFooter,
    InstantiateTests,
    LockCells,
    SaveAutoGrades,
    SaveCells,
)

from autograde.grading.nbgrader_road import SandboxedSubmission, ShipKit, tidy_submissions

c = get_config()  # noqa: F821  (nbgrader gives it)

c.CourseDirectory.root = str(Path(__file__).resolve().parent)
c.CourseDirectory.course_id = "unrolled"
# For PostgreSQL: c.CourseDirectory.db_url = "postgresql://USER:PASSWORD@HOST/gradebook"

c.GenerateAssignment.preprocessors = [
    IncludeHeaderFooter,
    InstantiateTests,
    LockCells,
    ClearSolutions,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    SaveCells,
    ClearHiddenTests,
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
    ShipKit,
]

c.Autograde.exporter_class = SandboxedSubmission
c.Autograde.pre_convert_hook = tidy_submissions
c.Autograde.sanitize_preprocessors = []
# A submission's cells take their marks from the release, which was checked when it was made: no need to check each.
c.Autograde.autograde_preprocessors = [SaveAutoGrades, AssignLatePenalties]

# What one submission may use, and where the book is hosted (for the links in feedback).
c.SandboxedSubmission.cell_s = 60
c.SandboxedSubmission.notebook_s = 300
c.SandboxedSubmission.memory_mb = 4096
c.SandboxedSubmission.book_url = ""

# A written answer is a student's text: no script of theirs reaches another browser.
c.HTMLExporter.sanitize_html = True
