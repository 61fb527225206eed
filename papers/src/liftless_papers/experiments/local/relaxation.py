"""Trace minimisation beside local search, on the same small problems."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._errors import InvalidInput
from liftless.operators import matrix
from liftless_papers.compare.peers.base import load
from liftless_papers.experiments.base import Row
from liftless_papers.experiments.local.transition import STARTS, SUCCESS, Cell, draw_cell, run_cells

#: What the rows call it.
TRACE = "trace"


def solver() -> Any | None:
    """Return cvxpy, or None where the convex peers are not installed."""
    try:
        load("trace minimisation", "clarabel")
        return load("trace minimisation", "cvxpy")
    except InvalidInput:
        return None


def compare(cells: Sequence[Cell]) -> Iterator[Row]:
    """Successes of both starts and of trace minimisation, cell by cell.

    Yields
    ------
    Row
        r, m, ratio m/(nr), method, successes and trials.
    """
    cp = solver()
    for cell, row in zip(cells, run_cells(cells), strict=True):
        found = {start: [e is not None and e <= SUCCESS for e in row[start]] for start in STARTS}
        if cp is not None:
            found[TRACE] = trace_successes(cp, cell)
        for method, good in found.items():
            yield {
                "r": cell.r,
                "m": cell.m,
                "ratio": cell.m / (cell.n * cell.r),
                "method": method,
                "count": sum(good),
                "trials": len(good),
            }


def trace_successes(cp: Any, cell: Cell) -> list[bool]:
    """Whether min tr M subject to A(M) = b, M ⪰ 0, is the truth, trial by trial."""
    operator, trials = draw_cell(cell)
    # Rows beyond m are padding; beyond n(n+1)/2 the operator has fewer than m.
    rows = min(cell.m, operator.m)
    A = np.stack([np.asarray(matrix(operator, e)) for e in np.eye(operator.m)[:rows]])
    found = []
    for trial in trials:
        M, truth = _least_trace(cp, A, trial.b[:rows]), trial.Z @ trial.Z.T
        error = np.inf if M is None else float(np.linalg.norm(M - truth))
        found.append(bool(error <= SUCCESS * np.linalg.norm(truth)))
    return found


def _least_trace(
    cp: Any, A: Float[np.ndarray, "m n n"], b: Float[np.ndarray, " m"]
) -> Float[np.ndarray, "n n"] | None:
    n = A.shape[1]
    M = cp.Variable((n, n), PSD=True)
    fits = A.reshape(len(A), n * n) @ cp.vec(M, order="C") == b
    posed = cp.Problem(cp.Minimize(cp.trace(M)), [fits])
    with warnings.catch_warnings():
        # What an inaccurate solution is worth shows in its error.
        warnings.filterwarnings("ignore", message="Solution may be inaccurate")
        try:
            posed.solve(solver="CLARABEL")
        except cp.error.SolverError:
            return None
    return None if M.value is None else np.asarray(M.value)
