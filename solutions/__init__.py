"""The answer key: the one reference implementation that chapters run and grading compares with."""
