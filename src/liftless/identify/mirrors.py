"""Other matrices that fit, though none near does: what the Jacobian cannot see.

A row of the factor whose own square is observed, and beside it entries with fewer than r other
rows, lies on a sphere and on hyperplanes given by those rows alone: its image in a mirror that
holds them has the same measurements.  The Jacobian has full rank all the same.  With r other rows
the mirror image of the row in r − 1 of them misses the last entry only; where that row is free
enough to follow, descent from there ends at a second exact fit.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from liftless.descent import LevenbergMarquardt, Stop, descend
from liftless.descent.loop import FITTED
from liftless.linalg import matrix_distance
from liftless.operators import EntriesOperator
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]

#: Largest n r for which a mirror image is descended from.
SMALL = 400
#: Most mirror images that are descended from.
MOST = 40
#: Steps of Levenberg–Marquardt from a mirror image.
STEPS = 40
#: Two fits differ if their matrices do by this much, relatively; rows below this size are nothing.
APART, NOTHING = 1e-5, 1e-6


def mirrored_fit(problem: Problem, X: Factor) -> tuple[int, Factor] | None:
    """Find another factor with the measurements of X, by mirroring one of its rows.

    Parameters
    ----------
    problem : Problem
        Of observed entries; for another operator nothing is searched.
    X : array of shape (n, r)
        Of full column rank.

    Returns
    -------
    row : int
        The row that was mirrored.
    factor : array of shape (n, r)
        Its measurements are those of X, its matrix is another one.

    Notes
    -----
    A search and no proof: None says that no row's mirror image leads to another fit, not that there
    is none.
    """
    operator = problem.operator
    if not isinstance(operator, EntriesOperator):
        return None
    candidates = list(_candidates(problem, operator, X))
    if not candidates:
        return None
    # Only the operator and the row weights matter, whatever the problem's own loss is.
    b = np.asarray(operator.measure(X, X))
    posed = Problem(operator, b, X.shape[1], weights=np.asarray(problem.weights))
    size = float(np.linalg.norm(X.T @ X))
    tried = 0
    for row, others in candidates:
        image = _mirror(X, row, others)
        if matrix_distance(image, X) <= APART * size:
            continue
        whole = float(posed.objective(image)) <= 1e-24 * float(np.sum(posed.b**2))
        if not whole:
            tried += 1
            if X.size > SMALL or tried > MOST:
                continue
            done = descend(posed, image, LevenbergMarquardt(), Stop(None, 1e-4, STEPS))
            whole, image = done.status == FITTED, done.X
        if whole and matrix_distance(image, X) > APART * size:
            return row, image
    return None


def _candidates(
    problem: Problem, operator: EntriesOperator, X: Factor
) -> Iterator[tuple[int, list[int]]]:
    """Rows whose square is seen, each with r − 1 of the at most r rows it is seen against."""
    r = X.shape[1]
    seen = (np.asarray(operator.weights) != 0) & (np.asarray(problem.weights) != 0)
    i, j = np.asarray(operator.rows)[seen], np.asarray(operator.cols)[seen]
    length = np.linalg.norm(X, axis=1)
    for row in np.unique(i[i == j]):
        near = np.unique(np.r_[j[i == row], i[j == row]])
        near = near[(near != row) & (length[near] > NOTHING * length.max())]
        if near.size > r or length[row] <= NOTHING * length.max():
            continue
        for others in itertools.combinations(near, min(near.size, r - 1)):
            yield int(row), [int(k) for k in others]


def _mirror(X: Factor, row: int, others: list[int]) -> Factor:
    """X with one row mirrored: its part outside the span of the others turned round."""
    image = X.copy()
    basis = np.linalg.qr(X[others].T)[0] if others else np.zeros((X.shape[1], 0))
    image[row] = 2 * basis @ (basis.T @ X[row]) - X[row]
    return image
