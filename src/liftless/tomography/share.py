"""The share of white noise, without what the factor took of it.

References
----------
Cox and Reid, Parameter orthogonality and approximate conditional inference (1987).
"""

import math

import numpy as np
from jaxtyping import Float

from liftless.operators import measure
from liftless.tomography.likelihood import OfCounts, WithWhite, with_white
from liftless.tomography.measured import Fit
from liftless.tomography.precision import Evidence

#: Most real numbers of a factor for which it is done: three eigenproblems of that order.
MOST = 600
#: Relative step of the derivative.
STEP = 1e-3


def adjusted(data: OfCounts, fit: Fit) -> Fit:
    """The fit with the share that maximises the likelihood adjusted for the factor's freedom.

    Maximum likelihood fits some of the noise by Z and takes too little for white noise, a tenth of
    it with a third of four qubits' settings.  The profile likelihood of τ less ½ log det of the
    information on Z is free of that to first order; one step of Newton's method from the maximum.
    """
    d, r = fit.Z.shape
    if not fit.white > 0 or 2 * d * r > MOST:
        return fit
    tau, k = math.sqrt(fit.white), 2 * d * r
    whole = _information(data, fit, tau)
    ends = [_log_det(_information(data, fit, t), fit) for t in _about(tau)]
    slope = (ends[1] - ends[0]) / (2 * STEP * tau)
    across = whole[:k, k]
    inverse = np.linalg.pinv(whole[:k, :k], rcond=1e-10, hermitian=True)
    curvature = whole[k, k] - across @ inverse @ across
    if not curvature > 0:
        return fit
    # In ε itself the step is τ's times 2 τ; of a share of a sum that it changes.
    share = max(0.0, float(fit.white - tau * slope / curvature))
    share = share / (1 - fit.white + share)
    Z = fit.Z * math.sqrt((1 - share) / (1 - fit.white))
    return Fit(fit.rank, share, fit.modelled, Z, fit.loss, fit.applications)


def _about(tau: float) -> tuple[float, float]:
    return tau * (1 - STEP), tau * (1 + STEP)


def _information(data: OfCounts, fit: Fit, tau: float) -> Float[np.ndarray, "k k"]:
    """Fisher information on [Z; τ ⋯], where every outcome has some probability."""
    X = data.operator.space.pack(fit.Z)
    p = np.asarray(measure(data.operator, X, X)).reshape(data.data.n.shape)
    omega = data.data.shots[:, None] / (p + tau * tau / data.operator.order)
    evidence = Evidence(WithWhite(data.operator), with_white(X, tau), omega.ravel(), fit.rank)
    return evidence.information()


def _log_det(information: Float[np.ndarray, "k k"], fit: Fit) -> float:
    """Logarithm of the determinant of the part on Z, without its gauge."""
    k = 2 * fit.Z.size
    values = np.linalg.eigvalsh(information[:k, :k])
    return float(np.sum(np.log(values[fit.rank**2 :])))
