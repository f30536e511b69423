"""nbgrader's own command-line tests under our configuration: ``make stock``, or ``python -m tests.stock_nbgrader``.

nbgrader ships its tests with the package. Those that concern generating, collecting, listing and the database
run here with this course's ``nbgrader_config.py`` in force, each file in a process of its own. Left out, and why:

- ``test_nbgrader_autograde``, ``…_generate_feedback``, ``…_releasefeedback`` and ``test_export`` grade notebooks that
  carry their tests inside. That is what this grader replaces: an assignment without exercises of ours
  is refused, since code in the student's process could give itself any score. ``tests/grading/test_roads.py`` holds
  stock ``nbgrader autograde``, ``generate_feedback`` and ``export`` to exact scores on our own assignments instead.
- ``ui-tests``, ``…_formgrade``: ``tests/browser`` does the same on our course, in Chromium.
- what ``DESELECTED`` names, each with its reason.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from autograde.grading.course import HOME

ROOT = Path(__file__).resolve().parent.parent
FILES = (
    "generate_assignment",
    "generate_solution",
    "export",
    "db",
    "zip_collect",
    "collect",
    "submit",
    "validate",
    "list",
)
DESELECTED = {
    "test_export": "it grades a notebook with its tests inside",
    "remove_with_submissions": "it grades a notebook with its tests inside",
    "test_list_feedback_inbound": "it grades a notebook with its tests inside",
    "test_list_feedback_cached": "it grades a notebook with its tests inside",
}


def main() -> int:
    failed = []
    with tempfile.TemporaryDirectory() as place:
        config = (HOME / "nbgrader_config.py").read_text()
        config = re.sub(
            r"^c\.CourseDirectory\..*\n", "", config, flags=re.MULTILINE
        )  # the tests name courses of their own
        (Path(place) / "nbgrader_config.py").write_text(config)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = {**os.environ, "JUPYTER_CONFIG_PATH": place, "PYTHONPATH": str(ROOT), "PATH": path}
        for name in FILES:
            print(f"nbgrader.tests.apps.test_nbgrader_{name}", flush=True)
            skipped = " and ".join(f"not {test}" for test in DESELECTED)
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--pyargs"]
            command += [f"nbgrader.tests.apps.test_nbgrader_{name}", "-k", skipped, "-W", "ignore", "--tb=line"]
            done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
            print(
                "\n".join(line for line in done.stdout.splitlines()[-12:] if "passed" in line or "FAILED" in line),
                flush=True,
            )
            if done.returncode:
                failed.append(name)
    print(f"with failures: {', '.join(failed)}" if failed else "all passed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
