"""Faults of one token, as they really happen: one list of them for each module of the NumPy reference."""
