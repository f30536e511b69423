"""What an instructor reads about a class: scores, how hard each exercise was, and what was misunderstood."""

from autograde.report.page import write

__all__ = ["write"]
