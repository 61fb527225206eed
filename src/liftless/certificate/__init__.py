"""What kind of point X is, and how far its objective can be above the optimum.

The matrix problem min over M ⪰ 0 of f(M) is convex for every loss here, so a first-order point
(S X = 0 with the slack S = ∇f(X Xᵀ)) with S ⪰ 0 is optimal over *all* positive semidefinite
matrices, of any rank; :mod:`liftless.certificate.dual` has the bounds where S is not.
"""

from liftless.certificate.kinds import KINDS, REASONS, Certificate
from liftless.certificate.values import (
    FirstOrder,
    first_order,
    hessian_extremes,
    noise_level,
    slack_eigenpairs,
)
from liftless.certificate.verdict import certify

__all__ = [
    "KINDS",
    "REASONS",
    "Certificate",
    "FirstOrder",
    "certify",
    "first_order",
    "hessian_extremes",
    "noise_level",
    "slack_eigenpairs",
]
