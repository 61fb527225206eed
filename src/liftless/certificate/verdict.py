"""Say what kind of point X is, and how far its objective can be above the optimum."""

import math
from typing import Any

import numpy as np

from liftless._checks import factor, real_number
from liftless._precision import double, traced
from liftless.certificate.dual import free_bound, least_with_trace
from liftless.certificate.kinds import (
    EXACT,
    FLAT,
    GLOBAL,
    NONNEGATIVE,
    SADDLE,
    SPURIOUS,
    STATIONARY,
    UNDECIDED,
    UNFINISHED,
    Certificate,
)
from liftless.certificate.traced import certify_traced
from liftless.certificate.values import (
    FirstOrder,
    hessian_extremes,
    noise_level,
    of_matrix,
    point_values,
    slack_eigenpairs,
    unpadded,
)
from liftless.problem import Problem


def certify(
    problem: Problem,
    X: Any,
    *,
    trace_bound: float | None = None,
    noise: float | None = None,
    second_order: bool = True,
) -> Certificate:
    """Say what kind of point ``X`` is and bound the optimum from both sides.

    Parameters
    ----------
    problem : Problem
    X : array of shape (n, r)
        Zero columns beyond ``problem.rank`` are padding and are dropped.
    trace_bound : float, optional
        τ with tr M <= τ for the optimal M, if one is known; the bound says that it assumes it.
    noise : float, optional
        Standard deviation σ of the noise in each measurement (after the row weights, in units of
        b).  A fit within what that noise explains counts as exact.
    second_order : bool
        Compute the Hessian's extreme eigenvalues even where the kind does not depend on them.

    Returns
    -------
    Certificate

    Raises
    ------
    InvalidInput
        If ``X`` is not a finite (n, r) array, or a level is negative.

    Notes
    -----
    Eigenvalues are exact up to n = 500 (n r = 500 for the Hessian), by Lanczos above.
    ``global`` needs first order, λ_n >= −1e-9 ‖S‖₂ and |λ_n| tr(X Xᵀ) <= 1e-9 h: it is meant for
    the matrix problem, hence holds for every rank.

    Inside a caller's ``jit``, ``vmap`` or ``grad`` it is plain JAX, by dense eigenproblems, for
    factors of at most ``problem.rank`` columns and 500 entries, in the caller's precision: the
    levels are meant for float64.  The bound without assumption then is the objective's own where
    the operator itself is traced.
    """
    if traced(problem, X, trace_bound, noise):
        return certify_traced(problem, X, trace_bound, noise, second_order)
    X = unpadded(factor("X", X, problem.n), problem.rank)
    tau = None if trace_bound is None else real_number("trace_bound", trace_bound, least=0.0)
    return _certify(problem, X, tau, noise_level(problem, noise), second_order)


@double
def _certify(
    problem: Problem, X: np.ndarray, tau: float | None, level: float, second_order: bool
) -> Certificate:
    """Judge a concrete point, in float64."""
    local, values, vectors = point_values(problem, X)
    lambda_n = float(values[0])
    free = free_bound(problem, X, local, lambda_n)
    low, assumed = free, math.inf
    if tau is not None and least_with_trace(local, lambda_n, tau) > free:
        low, assumed = least_with_trace(local, lambda_n, tau), tau
    code, least, largest = _classify(problem, X, local, lambda_n, level, free)
    if second_order and math.isnan(least):
        least, largest = hessian_extremes(problem, X)
    return Certificate(
        code=code,
        objective=local.objective,
        relative_objective=local.excess / local.full if local.full > 0 else local.excess,
        gradient_norm=local.gradient_norm,
        # At a perfect fit both sides of the ratio are round-off.
        relative_gradient=math.nan if code == EXACT else local.relative_gradient,
        lambda_n=lambda_n,
        u_n=vectors[:, 0],
        hessian_least=least,
        hessian_largest=largest,
        lower_bound=min(low, local.objective),
        upper_bound=local.objective,
        assumed_trace=assumed,
        noise_level=level,
    )


def _classify(
    problem: Problem,
    X: np.ndarray,
    local: FirstOrder,
    lambda_n: float,
    level: float,
    low: float,
) -> tuple[int, float, float]:
    """Code of the kind, and extreme Hessian eigenvalues (NaN where the kind did not need them)."""
    nan = math.nan
    if local.excess <= max(problem.loss.roundoff * local.full, level):
        return EXACT, nan, nan
    if local.relative_gradient > STATIONARY:
        return UNFINISHED, nan, nan
    size = float(np.abs(slack_eigenpairs(problem, X, 1, "highest")[0][0]))
    cost = abs(min(lambda_n, 0.0)) * float(np.sum(X * X))
    # Regularisers that are no function of the matrix must add nothing beyond their trace part.
    pure = of_matrix(problem) or local.penalty_gap <= NONNEGATIVE * local.excess
    negligible = cost <= NONNEGATIVE * local.excess
    if pure and negligible and lambda_n >= -NONNEGATIVE * max(size, abs(lambda_n)):
        return GLOBAL, nan, nan
    if local.objective - low <= NONNEGATIVE * local.excess:
        return GLOBAL, nan, nan
    if lambda_n >= -UNDECIDED * size:
        return UNFINISHED, nan, nan
    least, largest = hessian_extremes(problem, X)
    scale = max(abs(least), abs(largest), size)
    return (SPURIOUS if least >= -FLAT * scale else SADDLE), least, largest
