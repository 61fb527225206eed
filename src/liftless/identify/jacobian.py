"""What the Jacobian of X ↦ w ⊙ A(X Xᵀ) leaves open: its rank, and directions that it maps to zero.

Dense: singular values of the m × n r Jacobian.  Matrix-free: a random direction, less its part in
the row space (found by conjugate gradients on the least-squares problem, with one ``measure`` and
one ``backproject`` an iteration), is a null direction, or zero if there is none; found ones are
removed and the next is sought.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._precision import entry, on_device
from liftless._types import AnyArray, Scalar
from liftless.identify.question import Question
from liftless.linalg import extreme_eigenpairs, least_singular
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]

#: A singular value below this fraction of the largest is zero.  Measured near the limit: over 2,400
#: Gaussian and rank-one instances (m from dof to 1.2 dof) the least kept one was never below 3e-4,
#: over 1,200 of completion never below 6e-6; of 2,400 that must vanish none was above 3e-16.
ZERO = 1e-10
#: A gap below this is looked at again with all scales taken out.
DOUBTFUL = 1e-7
#: What is left of a random direction below this fraction of it is round-off.
STILL = 1e-6
#: Most null directions that the matrix-free search collects.
MOST = 100
#: Steps of the matrix-free search from which the gap is found.
STEPS = 4000
#: Relative accuracy of the largest singular value, which only sets a scale.
ROUGH = 1e-3


# -- dense ----------------------------------------------------------------------------------------


@entry
def _factor(problem: Problem, X: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Triangular factor of the Jacobian of X ↦ w ⊙ A(X Xᵀ), and its singular values."""
    rows = problem.operator.jacobian(X).reshape(problem.m, -1)
    R = jnp.linalg.qr(problem.weights[:, None] * rows, mode="r")
    return R, jnp.linalg.svd(R, compute_uv=False)


@dataclass(frozen=True)
class Null:
    """What a Jacobian keeps and what it loses.

    Attributes
    ----------
    rank : int
    gap : float
        Least singular value that is not zero, over the largest.
    top : float
        The largest.
    directions : array of shape (d, n, r)
        Orthonormal ones that are lost, the gauge left out.
    """

    rank: int
    gap: float
    top: float
    directions: Float[np.ndarray, "d n r"]


def dense_null(problem: Problem, X: Factor) -> Null:
    """Null space from the singular values of the whole Jacobian."""
    N = X.size
    R, s = _factor(problem, X)
    rank = int(np.sum(s > ZERO * s[0])) if s[0] > 0 else 0
    gap = float(s[rank - 1] / s[0]) if rank else 0.0
    gauge = problem.operator.space.orbit(X)
    if N - rank <= len(gauge):
        return Null(rank, gap, float(s[0]), np.zeros((0, *X.shape)))
    # The factor, made square, shows the whole null space.
    Vt = np.linalg.svd(np.pad(R, ((0, N - R.shape[0]), (0, 0))))[2]
    rest = Vt[rank:] - Vt[rank:] @ gauge.T @ gauge
    # What the orbit of X leaves of the null space.
    _, share, basis = np.linalg.svd(rest, full_matrices=False)
    return Null(rank, gap, float(s[0]), basis[share > 0.5].reshape(-1, *X.shape))


def scaled_null(q: Question) -> Null:
    """Null space of the scaled Jacobian: large weights and rows hide nothing."""
    J = 2 * (q.A @ q.X).reshape(len(q.A), -1)
    N = q.X.size
    _, s, Vt = np.linalg.svd(np.pad(J, ((0, max(0, N - len(J))), (0, 0))))
    rank = int(np.sum(s > ZERO * s[0])) if s[0] > 0 else 0
    gap = float(s[rank - 1] / s[0]) if rank else 0.0
    X = q.X * q.lengths[:, None]
    gauge = q.space.orbit(X)
    # The directions of X itself, less its orbit.
    null = (Vt[rank:].reshape(-1, *X.shape) * q.lengths[:, None]).reshape(-1, N)
    if N - rank <= len(gauge):
        return Null(rank, gap, float(s[0]), np.zeros((0, *X.shape)))
    null = null / np.linalg.norm(null, axis=1)[:, None]
    basis = np.linalg.svd(null - null @ gauge.T @ gauge, full_matrices=False)[2]
    rest = basis[: N - rank - len(gauge)].reshape(-1, *X.shape)
    return Null(rank, gap, float(s[0]), rest)


# -- matrix-free ----------------------------------------------------------------------------------


@entry
def _normal(problem: Problem, X: AnyArray, D: AnyArray) -> AnyArray:
    """JᵀJ D, which is the Hessian of h at a perfect fit."""
    pushed = 2 * problem.omega * problem.operator.measure(X, D)
    return 2 * problem.operator.backproject(pushed, X)


@entry
def _without_row_space(
    problem: Problem, X: AnyArray, start: AnyArray, level: Scalar, limit: Scalar
) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray]:
    """``start`` less its part in the row space of J, and the norm of J times what is left.

    Conjugate gradients for min ‖J(start − D)‖ (CGLS), until what is left is nothing, or is null
    to ``level``.  The lengths and ratios of the first steps are returned as well.
    """
    size = jnp.linalg.norm(start)

    def push(D: AnyArray) -> AnyArray:
        return 2 * problem.weights * problem.operator.measure(X, D)

    def pull(y: AnyArray) -> AnyArray:
        return 2 * problem.operator.backproject(problem.weights * y, X)

    def going(c: tuple) -> AnyArray:
        left, residual, _, slope, k, _, _ = c
        rest = jnp.linalg.norm(left)
        null = jnp.linalg.norm(residual) <= level * rest
        return (k < limit) & (rest > STILL / 10 * size) & ~null & (slope > 0)

    def step(c: tuple) -> tuple:
        left, residual, direction, slope, k, lengths, ratios = c
        pushed = push(direction)
        length = slope / jnp.sum(pushed * pushed)
        residual = residual - length * pushed
        back = pull(residual)
        turned = jnp.sum(back * back)
        ratio = turned / slope
        # Steps beyond the last place are dropped.
        kept = (lengths.at[k].set(length, mode="drop"), ratios.at[k].set(ratio, mode="drop"))
        forward = back + ratio * direction
        return left - length * direction, residual, forward, turned, k + 1, *kept

    residual = push(start)
    back = pull(residual)
    steps = jnp.full(STEPS, jnp.nan, start.dtype)
    first = (start, residual, back, jnp.sum(back * back), jnp.zeros((), int), steps, steps)
    end = jax.lax.while_loop(going, step, first)
    return end[0], jnp.linalg.norm(push(end[0])), end[5], end[6]


def free_null(problem: Problem, X: Factor) -> Null:
    """Null space from projections of random directions, seed 0."""
    problem, on = on_device((problem, X))

    def product(w: np.ndarray) -> np.ndarray:
        columns = [_normal(problem, on, v.reshape(X.shape)).ravel() for v in w.T]
        return np.stack(columns, axis=1)

    top = math.sqrt(max(float(extreme_eigenpairs(product, X.size, 1, "highest", ROUGH)[0][0]), 0.0))
    gauge = problem.operator.space.orbit(X)
    known, rng, least = gauge, np.random.default_rng(0), math.inf
    # Enough for a gap of 1e-4 even if the singular values are spread evenly.
    limit = float(20 * X.size + 20000)
    while len(known) < min(X.size, len(gauge) + MOST):
        start = rng.standard_normal(X.size)
        start = start - known.T @ (known @ start)
        size = float(np.linalg.norm(start))
        given = (start.reshape(X.shape), ZERO * top / 100, limit)
        left, push, lengths, ratios = _without_row_space(problem, on, *given)
        least = min(least, least_singular(np.asarray(lengths), np.asarray(ratios)))
        rest = float(np.linalg.norm(left))
        if rest <= STILL * size or float(push) > ZERO * top * rest:
            break
        vector = left.ravel()
        for _ in range(2):
            vector = vector - known.T @ (known @ vector)
        known = np.concatenate([known, vector[None] / np.linalg.norm(vector)])
    found = known[len(gauge) :]
    gap = min(least / top, 1.0) if top > 0 else 0.0
    return Null(X.size - len(known), gap, top, found.reshape(-1, *X.shape))
