"""Rows of X that no measurement sees, found at any size by one application.

Row i of A*(y) X is Σ_k y_k (A_k X)_i: for random y it is zero only where every (A_k X)_i is, which
is where the diagonal of JᵀJ is zero.  Such a row can be changed freely.
"""

import numpy as np
from jaxtyping import Float, Int

from liftless.identify.question import scales
from liftless.operators import backproject
from liftless.problem import Problem

#: Size relative to the median below which a row is not seen.
NOTHING = 1e-13


def unseen_rows(problem: Problem, X: Float[np.ndarray, "n r"]) -> Int[np.ndarray, " k"]:
    """Lines of the matrix of which no used measurement sees anything."""
    space = problem.operator.space
    used = np.asarray(problem.weights) != 0
    y = np.where(used, 1.0 + np.random.default_rng(0).random(problem.m), 0.0)
    seen = np.asarray(backproject(problem.operator, y, X))
    size = np.linalg.norm(seen, axis=1) * scales(space, X)
    level = NOTHING * float(np.median(size[size > 0])) if size.any() else 0.0
    rows = np.flatnonzero(size <= level)
    lines, count = np.unique(space.line_of(rows), return_counts=True)
    # A complex line is unseen where both its rows are.
    return lines[count == space.n // space.lines] if space.name == "hermitian" else lines
