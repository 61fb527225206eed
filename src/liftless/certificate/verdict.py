"""Say what kind of point X is, and how far its objective can be above the optimum."""

import contextlib
import dataclasses
import math
from typing import Any

import numpy as np

from liftless._checks import factor, real_number
from liftless._errors import InvalidInput
from liftless._precision import double, traced
from liftless.certificate.dual import free_bound, least_with_trace
from liftless.certificate.kinds import (
    CLOSE,
    DONE,
    EXACT,
    FITTED,
    FLAT,
    GLOBAL,
    GRADIENT,
    LOWER,
    NO_MINIMISER,
    NONNEGATIVE,
    SADDLE,
    SPURIOUS,
    STATIONARY,
    STATIONARY_POINT,
    TIME,
    UNDECIDED,
    UNFINISHED,
    Certificate,
)
from liftless.certificate.resolution import within_resolution
from liftless.certificate.traced import certify_traced
from liftless.certificate.units import in_units
from liftless.certificate.values import (
    FirstOrder,
    first_order,
    hessian_extremes,
    noise_level,
    of_matrix,
    point_values,
    slack_eigenpairs,
    unpadded,
)
from liftless.linalg import OutOfTime
from liftless.problem import Problem


def certify(
    problem: Problem,
    X: Any,
    *,
    trace_bound: float | None = None,
    noise: float | None = None,
    second_order: bool = True,
    other: Any = None,
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
        b).  A fit within what that noise explains is ``fitted``.
    second_order : bool
        Compute the Hessian's extreme eigenvalues even where the kind does not depend on them.
    other : array of shape (n, k), optional
        Another factor of at most ``problem.rank`` columns, such as the truth: a second-order point
        above it is ``spurious`` instead of ``stationary``.

    Returns
    -------
    Certificate

    Raises
    ------
    InvalidInput
        If ``X`` or ``other`` is not a finite (n, r) array, or a level is negative.

    Notes
    -----
    Eigenvalues are exact up to n = 500 (n r = 500 for the Hessian), by Lanczos above.
    A fit within the digits that b itself has (float32 values, printed decimals) is ``fitted`` too;
    inside a transformation that is not looked at.
    A point alone is never ``agreed``: what a recovery calls so is ``stationary`` here, and its own
    certificate, ``result.certificate``, has what the search knows.
    ``global`` needs first order, λ_n >= −1e-9 ‖S‖₂ and |λ_n| tr(X Xᵀ) <= 1e-9 h: it is meant for
    the matrix problem, hence holds for every rank.

    Inside a caller's ``jit``, ``vmap`` or ``grad`` it is plain JAX, by dense eigenproblems, for
    factors of at most ``problem.rank`` columns and 500 entries, in the caller's precision: the
    levels are meant for float64.  The bound without assumption then is the objective's own where
    the operator itself is traced.
    """
    if traced(problem, X, trace_bound, noise, other):
        return certify_traced(problem, X, trace_bound, noise, second_order, other)
    scaled = in_units(problem)
    if scaled is not None:
        inner, units = scaled
        inside = certify(
            inner,
            units.inside(factor("X", X, problem.n), x=1),
            trace_bound=units.inside(trace_bound, x=2),
            noise=units.inside(noise, b=1),
            second_order=second_order,
            other=None if other is None else units.inside(factor("other", other, problem.n), x=1),
        )
        return units.certificate(inside)
    X = unpadded(factor("X", X, problem.n), problem.rank)
    tau = None if trace_bound is None else real_number("trace_bound", trace_bound, least=0.0)
    point = _certify(problem, X, tau, noise_level(problem, noise), second_order)
    if other is None or point.code != STATIONARY_POINT:
        return point
    known = unpadded(factor("other", other, problem.n), problem.rank)
    if known.shape[1] > problem.rank:
        was, must = f"{known.shape[1]} columns wide", f"at most {problem.rank} columns wide"
        raise InvalidInput("other", was, must)
    height = first_order(problem, known).excess
    lower = height < (1 - LOWER) * first_order(problem, X).excess
    return dataclasses.replace(point, code=SPURIOUS) if lower else point


@double
def _certify(
    problem: Problem, X: np.ndarray, tau: float | None, level: float, second_order: bool
) -> Certificate:
    """Judge a concrete point, in float64."""
    local, values, vectors = point_values(problem, X)
    lambda_n = float(values[0])
    try:
        found = _heights(problem, X, local, lambda_n, level)
    except OutOfTime:
        found = local.objective - local.excess, (UNFINISHED, TIME, math.nan, math.nan)
    free, (code, why, least, largest) = found
    low, assumed = free, math.inf
    if tau is not None and least_with_trace(local, lambda_n, tau) > free:
        low, assumed = least_with_trace(local, lambda_n, tau), tau
    if second_order and math.isnan(least) and why != TIME:
        least, largest = hessian_extremes(problem, X)
    return Certificate(
        code=code,
        why=why,
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
        semidefinite=problem.operator.space.semidefinite,
    )


def _heights(
    problem: Problem, X: np.ndarray, local: FirstOrder, lambda_n: float, level: float
) -> tuple[float, tuple[int, int, float, float]]:
    """Lower bound that assumes nothing, and kind; for want of time, what is known."""
    free = local.objective - local.excess
    if not math.isnan(lambda_n):
        # A bound that there is no time for leaves the least value any measurements could reach.
        with contextlib.suppress(OutOfTime):
            free = free_bound(problem, X, local, lambda_n)
    return free, _classify(problem, X, local, lambda_n, level, free)


def _classify(
    problem: Problem,
    X: np.ndarray,
    local: FirstOrder,
    lambda_n: float,
    level: float,
    low: float,
) -> tuple[int, int, float, float]:
    """Kind, reason, and extreme Hessian eigenvalues (NaN where the kind did not need them)."""
    nan = math.nan
    if endless(problem, X):
        return UNFINISHED, NO_MINIMISER, nan, nan
    if local.excess <= problem.loss.roundoff * local.full:
        return EXACT, DONE, nan, nan
    if local.excess <= level or within_resolution(problem, X, local.excess, local.full):
        return FITTED, DONE, nan, nan
    if local.relative_gradient > STATIONARY:
        return UNFINISHED, GRADIENT, nan, nan
    if math.isnan(lambda_n):
        return UNFINISHED, TIME, nan, nan
    size = float(np.abs(slack_eigenpairs(problem, X, 1, "highest")[0][0]))
    cost = abs(min(lambda_n, 0.0)) * float(np.sum(X * X))
    # Regularisers that are no function of the matrix must add nothing beyond their trace part.
    pure = of_matrix(problem) or local.penalty_gap <= NONNEGATIVE * local.excess
    negligible = cost <= NONNEGATIVE * local.excess
    if pure and negligible and lambda_n >= -NONNEGATIVE * max(size, abs(lambda_n)):
        return GLOBAL, DONE, nan, nan
    if local.objective - low <= NONNEGATIVE * local.excess:
        return GLOBAL, DONE, nan, nan
    if lambda_n >= -UNDECIDED * size:
        return UNFINISHED, CLOSE, nan, nan
    least, largest = hessian_extremes(problem, X)
    scale = max(abs(least), abs(largest), size)
    return (STATIONARY_POINT if least >= -FLAT * scale else SADDLE), DONE, least, largest


def endless(problem: Problem, X: np.ndarray) -> bool:
    """Whether the data are separated by X: then every larger multiple of it fits them better."""
    if problem.loss.quadratic or problem.regularisers:
        return False
    used = np.asarray(problem.weights) != 0
    b = np.asarray(problem.b)
    if np.any(problem.loss.attained(b)[used]) or not np.any(X):
        return False
    y = np.asarray(problem.measurements(X))
    # Of rows whose least value lies at infinity the slope must point there: y falls on its side.
    slope = np.asarray(problem.pull(y))
    return bool(np.all((slope * y <= 0)[used] & (y != 0)[used]))
