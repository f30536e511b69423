"""One-token mutants of the answers that are right all the same, one module an assignment: why each is no fault."""
