"""The last digits of an exact fit: Gauss–Newton steps by least squares until h stops falling.

The normal matrix of a local method loses half the digits, and where one row of the matrix is a
thousand million times another all of the small ones'.  Least squares on the Jacobian itself, its
columns in units of the rows of X, keep them.
"""

import numpy as np
from jaxtyping import Float

from liftless.identify.fit import Fit
from liftless.identify.question import operator_jacobian

Factor = Float[np.ndarray, "n r"]

#: Most steps, and round-off of a reading in units of its size.
STEPS, EPSILON = 8, 8 * float(np.finfo(float).eps)
#: Ratio of the longest row of X to the shortest, below which the digits are not lost, and the
#: residual, relative to b, that is then enough.
EVEN, ENOUGH = 1e3, 1e-10
#: A step must leave less than this share of h.
FALL = 0.5
#: Singular values below this fraction of the largest are the gauge.
ZERO = 1e-13
#: Multiply-adds of JᵀJ up to which it is done: some milliseconds.
WORK = 1e7


def sharpened(fit: Fit, *, rough: bool = False, most: int = STEPS) -> tuple[Fit, int]:
    """The fit, or one near it of lower h, and the steps taken, at most ``most``.

    Not where the fit is sharp enough for a matrix whose rows are alike, unless it was found too
    ``rough`` to tell the matrix.  Only where the Jacobian is small, for the squared loss without
    regularisers.
    """
    problem, X = fit.problem, fit.X
    plain = problem.loss.quadratic and not problem.regularisers
    if not plain or not np.any(X) or problem.m * X.size**2 > WORK:
        return fit, 0
    w, b, y, length = np.asarray(problem.weights), fit.b, fit.y, fit.lengths
    even = length.max() <= EVEN * length.min()
    if not rough and even and np.linalg.norm(w * (y - b)) <= ENOUGH * np.linalg.norm(w * b):
        return fit, 0
    for step in range(most):
        r = w * (y - b)
        h = float(r @ r)
        if np.all(np.abs(r) <= EPSILON * w * (np.abs(y) + np.abs(b))):
            return fit, step
        there = Fit(problem, fit.X + _step(fit, w, r))
        y = there.y
        off = w * (y - b)
        if not float(off @ off) < FALL * h:
            return fit, step + 1
        fit = there
    return fit, most


def _step(fit: Fit, w: np.ndarray, r: np.ndarray) -> Factor:
    """Shortest least-squares step, in units of the rows of X."""
    problem, X, length = fit.problem, fit.X, fit.lengths
    rows = np.asarray(operator_jacobian(problem.operator, X))
    J = (w[:, None, None] * rows * length[:, None]).reshape(problem.m, -1)
    d = np.linalg.lstsq(J, -r, rcond=ZERO)[0]
    return d.reshape(X.shape) * length[:, None]
