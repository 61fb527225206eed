"""Which rows of a factor are nothing, and how many columns it needs, free of the rows' scales.

A row of 1e-7 of the largest may be round-off of zero, or the smallest of well-determined rows.
Where X fits b its accuracy decides: a row whose own uncertainty is of its size is nothing.
"""

import numpy as np
from jaxtyping import Float

from liftless.identify.fit import Fit
from liftless.identify.question import row_lengths
from liftless.space import PADDING

Factor = Float[np.ndarray, "n r"]

#: Rows below this fraction of the largest are looked at; of a factor that is given as exact, those
#: below the second are nothing.
LOOKED_AT, ROUND_OFF = 1e-5, 1e-9
#: A row whose relative uncertainty is above this is nothing.
UNCERTAIN = 0.1


def settled(fit: Fit, fitted: bool) -> Fit:
    """The rows that are nothing set to zero; the same object where there are none."""
    length = row_lengths(fit.problem.space, fit.X)
    small = (length > 0) & (length <= LOOKED_AT * length.max())
    if not small.any():
        return fit
    if fitted:
        nothing = small if fit.q is None else small & ~(_uncertainty(fit) <= UNCERTAIN)
    else:
        nothing = length <= ROUND_OFF * length.max()
    return Fit(fit.problem, np.where(nothing[:, None], 0.0, fit.X))


def _uncertainty(fit: Fit) -> Float[np.ndarray, " n"]:
    """Bound on the relative error of each row: rows of the inverse times the residual."""
    q = fit.q
    assert q is not None
    n, r = q.X.shape
    J = 2 * (q.A @ q.X).reshape(len(q.A), -1)
    _, s, Vt = np.linalg.svd(J, full_matrices=False)
    dof = q.space.degrees_of_freedom(r)
    if s.size < dof or s[dof - 1] <= 0:
        return np.full(n, np.inf)
    rho = fit.residual[q.kept] / q.norms
    inverse = np.sum((Vt[:dof] / s[:dof, None]).reshape(dof, n, r) ** 2, axis=(0, 2))
    return np.sqrt(inverse) * float(np.linalg.norm(rho))


def reduced(fit: Fit) -> Fit:
    """Return a factor of the same matrix with as many columns as its rank, rows of one length.

    Raises
    ------
    InvalidInput
        If the matrix is zero.
    """
    space, X = fit.problem.space, fit.X
    if not np.any(X):
        return Fit(fit.problem, space.reduced(X))
    even = X / fit.lengths[:, None]
    s = space.spectrum(even)
    rank = int(np.sum(s > PADDING**2 * s[0]))
    if s[0] <= 0:
        return Fit(fit.problem, space.reduced(X))
    if rank == X.shape[1]:
        return fit
    return Fit(fit.problem, fit.lengths[:, None] * space.truncate(even, rank))
