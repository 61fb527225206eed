"""Message passing with a spectral denoiser, for measurements by isotropic random matrices.

With the A_i scaled to ⟨A_i, M⟩ ~ N(0, ‖M‖²_F), A*(z)/m + M̂ is the truth plus a symmetric Gaussian
matrix whose spectrum fills [−2s, 2s], s = σ √(n/2), σ = ‖z‖/m.  A spike λ of the truth appears as
λ̂ = λ + s²/λ if λ > s, its eigenvector turned by the angle of cosine² 1 − s²/λ², so that the best
rank-r estimate keeps the eigenvectors and shrinks λ̂ to

    f(λ̂) = √(λ̂² − 4 s²),

and zero inside the bulk.  The divergence of that map, which Onsager's term needs, is

    Σ_k [f'(λ̂_k) + (n − r) f(λ̂_k) G(λ̂_k)] + Σ_{k<l} (f_k − f_l)/(λ̂_k − λ̂_l),

where the semicircle's G(λ̂) = (λ̂ − √(λ̂² − 4 s²)) / (2 s²) stands for the mean of 1/(λ̂ − λ_j) over
the bulk, so that only r eigenpairs are ever needed.

In the limit of large n the error of a rank-r truth falls to zero as soon as m > n r.

References
----------
Benaych-Georges and Nadakuditi (2011) for the spikes; Gavish and Donoho, Optimal shrinkage of
singular values (2017); Donoho, Gavish and Montanari, The phase transition of matrix recovery from
Gaussian measurements matches the minimax MSE of matrix denoising (2013).
"""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.problem import Problem
from liftless.start.passing import Numbers, Watch, pass_on

#: Products with the matrix by which the eigenvectors of one step become those of the next.
POWERS = 4
#: Least shrunk eigenvalue of a returned column, relative to the largest, so that none is zero.
FLOOR = 1e-3
#: Largest slope of the shrinkage, which is infinite at the edge of the bulk.
STEEPEST = 10.0


class State(eqx.Module):
    """Estimate M̂ with its measurements, the corrected residual, and the leading eigenpairs."""

    M: Float[AnyArray, "n n"]
    y: Float[AnyArray, " m"]
    z: Float[AnyArray, " m"]
    U: Float[AnyArray, "n r"]
    top: Float[AnyArray, " r"]
    f: Float[AnyArray, " r"]
    watch: Watch


def _ritz(R: AnyArray, U: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Rayleigh–Ritz values of orthonormal columns, largest first, and the turned columns."""
    if U.shape[1] == 1:
        return jnp.sum(U * (R @ U), axis=0), U
    values, turn = jnp.linalg.eigh(U.T @ (R @ U))
    return values[::-1], U @ turn[:, ::-1]


def _follow(R: AnyArray, U: AnyArray, shift: AnyArray) -> AnyArray:
    """Leading eigenvectors from those of a matrix nearby; the shift makes the bulk positive."""
    for _ in range(POWERS):
        U = R @ U + shift * U
    if U.shape[1] == 1:
        return U / jnp.linalg.norm(U)
    return jnp.linalg.qr(U)[0]


def _shrink(top: AnyArray, s: AnyArray, n: int) -> tuple[AnyArray, AnyArray]:
    """Shrunk eigenvalues f(λ̂) and the divergence of the denoiser."""
    r = top.shape[0]
    root = jnp.sqrt(jnp.maximum(top**2 - 4 * s * s, 0.0))
    out = (root > 0) & (top > 0)
    f = jnp.where(out, root, 0.0)
    slope = jnp.where(out, jnp.minimum(top / jnp.where(out, root, 1.0), STEEPEST), 0.0)
    bulk = jnp.where(out, (top - root) / (2 * s * s), 0.0)
    total = jnp.sum(slope + (n - r) * f * bulk)
    for k in range(r):
        for j in range(k + 1, r):
            gap = top[k] - top[j]
            apart = gap > 1e-12 * top[0]
            total += jnp.where(apart, (f[k] - f[j]) / jnp.where(apart, gap, 1.0), slope[k])
    return f, total


def _step(
    problem: Problem, c: AnyArray, m: AnyArray, b: AnyArray, numbers: Numbers, at: State
) -> State:
    """One step: two applications."""
    n = problem.n
    level = jnp.linalg.norm(at.z) / m * jnp.sqrt(n / 2.0)
    s = numbers.noise * level
    R = at.M + problem.operator.matrix(at.z * c) / m
    top, U = _ritz(R, _follow(R, at.U, 2 * level))
    f, divergence = _shrink(top, s, n)
    root = U * jnp.sqrt(f)[None, :]
    damp = numbers.damping
    M = damp * (root @ root.T) + (1 - damp) * at.M
    y = damp * c * problem.operator.measure(root, root) + (1 - damp) * at.y
    z = damp * (b - y + divergence / m * at.z) + (1 - damp) * at.z
    error = jnp.linalg.norm(z) / jnp.linalg.norm(b)
    return State(M, y, z, U, top, f, at.watch.seen(error))


@functools.partial(jax.jit, static_argnames=("rank",))
def pass_matrix(
    problem: Problem,
    squares: Float[AnyArray, " m"],
    numbers: Numbers,
    G: AnyArray,
    rank: int,
    at: State | None = None,
) -> tuple[AnyArray, State]:
    """Run from nothing, or from a share of G Gᵀ, or on from a state.

    Parameters
    ----------
    problem : Problem
    squares : array of shape (m,)
        ‖A_i‖_F²; rows where it is zero are left out.
    numbers : Numbers
    G : array of shape (n, r)
        Gaussian factor of the beginning, used in the share ``numbers.fresh``.
    rank : int
    at : State, optional

    Returns
    -------
    X : array of shape (n, r)
    state : State
        The steps of its ``watch`` cost two applications each, and two more at the beginning.
    """
    n = problem.n
    used = (squares > 0) & (problem.omega > 0)
    # Measurements are scaled to ⟨A_i, M⟩ ~ N(0, ‖M‖²).
    c = jnp.where(used, jnp.sqrt(n * (n + 1) / 2 / jnp.where(used, squares, 1.0)), 0.0)
    m = jnp.maximum(jnp.sum(used), 1).astype(c.dtype)
    b = c * problem.b
    begin = _begin(problem, c, m, b, numbers, G, rank) if at is None else at
    end = pass_on(lambda at: _step(problem, c, m, b, numbers, at), begin, numbers)
    f = jnp.maximum(end.f, FLOOR * jnp.maximum(end.top[0], 0.0))
    return end.U * jnp.sqrt(f)[None, :], end


def _begin(
    problem: Problem,
    c: AnyArray,
    m: AnyArray,
    b: AnyArray,
    numbers: Numbers,
    G: AnyArray,
    rank: int,
) -> State:
    size = jnp.linalg.norm(b) / jnp.sqrt(m)
    unit = jnp.linalg.norm(G.T @ G)
    G = G * jnp.sqrt(numbers.fresh * size / jnp.where(unit > 0, unit, 1.0))
    M, y = G @ G.T, c * problem.operator.measure(G, G)
    z = b - y
    first = M + problem.operator.matrix(z * c) / m
    _, vectors = jnp.linalg.eigh(first)
    zero = jnp.zeros(rank, b.dtype)
    return State(M, y, z, vectors[:, ::-1][:, :rank], zero, zero, Watch.begin(b))
