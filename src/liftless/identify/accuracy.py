"""How near the matrix a fit is, from its residual and the least singular value.

With residual ρ of scaled rows and σ the least nonzero singular value of the scaled Jacobian the
factor is known to ‖ρ‖/σ, the matrix to 2 ‖X‖₂ ‖ρ‖/σ.  What round-off of the data themselves may be
is part of ρ: a residual that happens to be zero proves no accuracy.
"""

import math

import numpy as np
from jaxtyping import Float

from liftless.identify.fit import Fit
from liftless.identify.jacobian import ZERO
from liftless.identify.question import Question

#: Relative error of the matrix above which it is not determined by the fit.
ACCURATE = 1e-6


def scaled_singular(q: Question) -> Float[np.ndarray, " k"]:
    """Singular values of the scaled Jacobian, largest first."""
    J = 2 * (q.A @ q.X).reshape(len(q.A), -1)
    return np.linalg.svd(J, compute_uv=False)


def error_estimate(fit: Fit, dof: int, gap: float, top: float) -> float:
    """Estimate of ‖M − M*‖ / ‖M‖ for the fit of b nearest to X.

    Parameters
    ----------
    fit : Fit
    dof : int
        Degrees of freedom: so many singular values are not zero.
    gap, top : float
        Least of them over the largest, and that, of the Jacobian with the row weights; used where
        the question has no scaled form.

    Returns
    -------
    float
        Infinite where the Jacobian has a lower rank, NaN where nothing is known.
    """
    if fit.q is not None:
        s = scaled_singular(fit.q)
        if s.size < dof or s[dof - 1] <= ZERO**1.5 * s[0]:
            return math.inf
        rho = fit.residual[fit.q.kept] / fit.q.norms
        X, least = fit.q.X, float(s[dof - 1])
    else:
        if not gap * top > 0:
            return math.nan
        rho, X, least = np.asarray(fit.problem.weights) * fit.residual, fit.X, gap * top
    size = fit.problem.operator.space.size(X)
    return 2 * float(np.linalg.norm(X, 2)) * float(np.linalg.norm(rho)) / (least * size)
