"""Faults of one token in the running of memory cells."""

from __future__ import annotations

from tests.reference.planting import Fault

FAULTS = [
    Fault(
        "memory_cells",
        "x = where_rows(alive, x, np.zeros((), x.dtype))",
        "pass",
        "the cell sees what stands after a sequence's end",
    ),
    Fault(
        "memory_cells",
        "new = each(partial(where_rows, alive[:, t]), new, state)",
        "pass",
        "the state goes on after a sequence's end",
    ),
    Fault(
        "memory_cells",
        "y_t = where_rows(alive[:, t], y_t, np.zeros((), y_t.dtype))",
        "pass",
        "outputs after a sequence's end are not zero",
    ),
    Fault("memory_cells", "        state = new\n", "", "the state is not handed to the next step"),
    Fault(
        "memory_cells",
        "np.concatenate([state[:, 1:], x_t[:, None]], axis=1)",
        "np.concatenate([x_t[:, None], state[:, 1:]], axis=1)",
        "a delay line puts the newest input first",
    ),
    Fault("memory_cells", "state[:, 0].copy()", "state[:, -1].copy()", "a delay line shows its newest input"),
    Fault("memory_cells", "moved[:, at] += impulse", "moved[:, at] = impulse", "an impulse replaces the input"),
    Fault(
        "memory_cells",
        "run_cell(cell, moved, state)[1] - run_cell(cell, x, state)[1]",
        "run_cell(cell, moved, state)[1]",
        "the outputs without the impulse are not taken off",
    ),
    Fault(
        "memory_cells",
        "size = np.linalg.norm(response[:, at:], axis=-1)",
        "size = np.linalg.norm(response, axis=-1)",
        "the memory is counted from the first step, not from the impulse",
    ),
    Fault(
        "memory_cells",
        "np.where(worth, np.arange(size.shape[1]), 0).max(axis=1)",
        "worth.sum(axis=1) - 1",
        "the steps that respond are counted, not the last of them",
    ),
]
