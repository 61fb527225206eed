"""The certificate inside a caller's jit, vmap or grad, from dense eigenproblems."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from liftless import cost
from liftless._checks import describe, factor, real_number
from liftless._errors import InvalidInput
from liftless._precision import traced
from liftless._types import AnyArray
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
    UNDECIDED,
    UNFINISHED,
    Certificate,
)
from liftless.certificate.values import dense_hessian, of_matrix, values, values_and_slack
from liftless.problem import Problem

#: Zooms of the search for the best multiple of a dual point, and points of each.
ZOOMS, POINTS = 8, 33


def certify_traced(
    problem: Problem, X: Any, trace_bound: Any, noise: Any, second_order: bool, other: Any = None
) -> Certificate:
    """See :func:`liftless.certify`; traceable."""
    X = jnp.asarray(factor("X", X, problem.n))
    if X.shape[1] > problem.rank or not cost.dense_eigen(X.size):
        must = f"of at most {problem.rank} columns and some 500 entries inside jit, vmap and grad"
        raise InvalidInput("X", describe(X), must, "Call certify outside of the transformation.")
    found: Any = values_and_slack(problem, X)
    (h, excess, full, norm, inner, gap), slack = found
    ends_of, vectors = jnp.linalg.eigh((slack + slack.T) / 2)
    low, high = ends_of[0], ends_of[-1]
    some = jnp.where(excess > 0, excess, 1.0)
    ratio = jnp.where(excess > 0, norm * jnp.linalg.norm(X) / some, 0.0)
    roundoff = problem.loss.roundoff * full
    level = _noise_level(problem, noise)
    base = h - gap - inner
    free = _free_bound(problem, X, slack, low, (h, excess, base), excess <= roundoff)
    bound, assumed = free, jnp.full_like(h, jnp.inf)
    if trace_bound is not None:
        tau = real_number("trace_bound", trace_bound, least=0.0)
        with_trace = base + tau * jnp.minimum(low, 0.0)
        bound, assumed = jnp.maximum(free, with_trace), jnp.where(with_trace > free, tau, jnp.inf)
    hessian = dense_hessian(problem, X)
    ends = jnp.linalg.eigvalsh((hessian + hessian.T) / 2)
    size = jnp.maximum(jnp.abs(ends[0]), jnp.maximum(jnp.abs(ends[-1]), jnp.abs(high)))
    exact = excess <= roundoff
    least = STATIONARY_POINT
    if other is not None:
        there: Any = values(problem, jnp.asarray(factor("other", other, problem.n)))
        least = jnp.where(there[1] < (1 - LOWER) * excess, SPURIOUS, STATIONARY_POINT)
    close = low >= -UNDECIDED * jnp.abs(high)
    code = jnp.where(ends[0] >= -FLAT * size, least, SADDLE)
    code = jnp.where(close, UNFINISHED, code)
    code = jnp.where(_is_global(problem, X, h, excess, gap, free, low, high), GLOBAL, code)
    code = jnp.where(ratio > STATIONARY, UNFINISHED, code)
    code = jnp.where(excess <= level, FITTED, code)
    code = jnp.where(exact, EXACT, code)
    apart = _endless(problem, X)
    code = jnp.where(apart, UNFINISHED, code)
    why = jnp.where(ratio > STATIONARY, GRADIENT, CLOSE)
    why = jnp.where(code == UNFINISHED, jnp.where(apart, NO_MINIMISER, why), DONE)
    known = second_order | (code == least) | (code == SADDLE)
    return Certificate(
        code=code,
        why=why,
        objective=h,
        relative_objective=jnp.where(full > 0, excess / jnp.where(full > 0, full, 1.0), excess),
        gradient_norm=norm,
        relative_gradient=jnp.where(exact, jnp.nan, ratio),
        lambda_n=low,
        u_n=vectors[:, 0] * _sign(vectors[:, 0]),
        hessian_least=jnp.where(known, ends[0], jnp.nan),
        hessian_largest=jnp.where(known, ends[-1], jnp.nan),
        lower_bound=jnp.minimum(bound, h),
        upper_bound=h,
        assumed_trace=assumed,
        noise_level=level,
        semidefinite=problem.operator.space.semidefinite,
    )


def _endless(problem: Problem, X: Array) -> AnyArray:
    """Whether X separates the data; see :func:`liftless.certificate.verdict.endless`."""
    if problem.loss.quadratic or problem.regularisers:
        return jnp.asarray(False)
    used = jnp.asarray(problem.weights) != 0
    y = problem.operator.measure(X, X)
    at_infinity = (problem.pull(y) * y <= 0) & (y != 0) & ~problem.loss.attained(problem.b)
    return jnp.all(at_infinity | ~used) & jnp.any(X != 0)


def _sign(u: Array) -> Array:
    """Sign of the entry of largest magnitude, 1 for a zero vector."""
    top = u[jnp.argmax(jnp.abs(u))]
    return jnp.where(top < 0, -1.0, 1.0)


def _noise_level(problem: Problem, noise: Any) -> Any:
    """See :func:`liftless.certificate.noise_level`."""
    dtype = jnp.result_type(problem.b)
    if noise is None:
        return jnp.zeros((), dtype)
    sigma = real_number("noise", noise, least=0.0)
    rows = jnp.count_nonzero(jnp.asarray(problem.weights)).astype(dtype)
    return sigma * sigma / 2 * (rows + 3 * jnp.sqrt(2 * rows))


def _is_global(
    problem: Problem,
    X: Array,
    h: Array,
    excess: Array,
    gap: Array,
    free: Array,
    low: Array,
    high: Array,
) -> AnyArray:
    """Whether the slack, or the bound that assumes nothing, proves a first-order point optimal."""
    cost = jnp.abs(jnp.minimum(low, 0.0)) * jnp.sum(X * X)
    pure = of_matrix(problem) | (gap <= NONNEGATIVE * excess)
    flat = low >= -NONNEGATIVE * jnp.maximum(jnp.abs(high), jnp.abs(low))
    return (pure & (cost <= NONNEGATIVE * excess) & flat) | (h - free <= NONNEGATIVE * excess)


def _free_bound(
    problem: Problem,
    X: Array,
    slack: Array,
    low: Array,
    heights: tuple[Array, Array, Array],
    fitted: AnyArray,
) -> Array:
    """Best lower bound that assumes nothing; see :mod:`liftless.certificate.dual`."""
    h, excess, base = heights
    bound = h - excess
    mu = jnp.asarray(problem.trace_weight, h.dtype)
    tau = 2 * excess / jnp.where(mu > 0, mu, 1.0)
    bound = jnp.where(mu > 0, jnp.maximum(bound, base + tau * jnp.minimum(low, 0.0)), bound)
    # A structure is looked for on the host, which a traced operator does not show it to.
    w = None if traced(problem.operator) else problem.operator.positive_combination()
    if w is None:
        return bound
    dual = _dual_bound(problem, X, slack, low, jnp.asarray(w, h.dtype), mu)
    return jnp.where(fitted, bound, jnp.maximum(bound, dual))


def _dual_bound(problem: Problem, X: Array, slack: Array, low: Array, w: Array, mu: Array) -> Array:
    """−Σ ω ℓ*(v/ω) at a dual feasible v = t (pull + α w); −inf without one."""
    omega = jnp.asarray(problem.omega)
    root = jnp.linalg.cholesky(problem.operator.backproject(w, jnp.eye(problem.n, dtype=w.dtype)))
    turned = jnp.linalg.solve(root, jnp.linalg.solve(root, slack).T)
    least = jnp.linalg.eigvalsh((turned + turned.T) / 2)[0]
    alpha = jnp.where(low >= 0, 0.0, jnp.maximum(0.0, -least) * (1 + 1e-9))
    direction = problem.pull(problem.operator.measure(X, X)) + alpha * w
    used = omega > 0
    v = jnp.where(used, direction / jnp.where(used, omega, 1.0), 0.0)
    # Scaling by 0 <= t <= 1 keeps A*(v) + ½ μ I ⪰ 0, and t > 1 does when there is no μ.
    first, last = jnp.zeros_like(mu), jnp.where(mu > 0, 1.0, 4.0)
    best = jnp.full_like(mu, -jnp.inf)
    for _ in range(ZOOMS):
        t = jnp.linspace(first, last, POINTS)
        costs = problem.loss.conjugate(t[:, None] * v[None, :], jnp.asarray(problem.b)[None, :])
        heights = -jnp.sum(jnp.where(used[None, :], costs * omega[None, :], 0.0), axis=1)
        k = jnp.argmax(heights)
        best = jnp.maximum(best, heights[k])
        first, last = t[jnp.maximum(k - 1, 0)], t[jnp.minimum(k + 1, POINTS - 1)]
    possible = jnp.isfinite(least) & ~jnp.any((omega == 0) & (w != 0))
    return jnp.where(possible & jnp.isfinite(best), best, -jnp.inf)
