"""Mutants that are right all the same."""

SURVIVORS: dict[str, dict[str, str]] = {}
