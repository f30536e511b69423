"""Forward and backward passes by hand, in NumPy: one module a concept."""
