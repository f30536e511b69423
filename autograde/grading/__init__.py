"""Grading, in five steps: rebuild, execute in a sandbox, probe, judge on the host, record through nbgrader."""
