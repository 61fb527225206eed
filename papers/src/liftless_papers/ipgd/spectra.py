"""The spectrum of a Hessian as one direction sees it, without forming the Hessian."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.problem import Problem

Factor = Float[AnyArray, "n r"]

#: Lanczos steps where no structure is known: the rates then agree to 1e-3 or better.
STEPS = 20


def added_column(problem: Problem, signal: Factor) -> Float[AnyArray, "n n"]:
    """Return the matrix S with ∇²h(X)[D] = S D for every D with D Xᵀ = 0.

    It is the Hessian of h([X, z]) in an added column z, at z = 0.

    Parameters
    ----------
    problem : Problem
    signal : array of shape (n, r)

    Returns
    -------
    array of shape (n, n)
        2 ∇f(X Xᵀ), plus what the regularisers add.
    """
    signal = jnp.asarray(signal)
    y = problem.operator.measure(signal, signal)
    S = 2 * problem.operator.matrix(problem.pull(y))
    wide = jnp.pad(signal, ((0, 0), (0, 1)))
    units = jnp.eye(signal.shape[0], dtype=signal.dtype)
    for g in problem.regularisers:

        def column(z: AnyArray, g=g) -> AnyArray:
            D = jnp.concatenate([jnp.zeros_like(signal), z[:, None]], axis=1)
            return g.hessian_product(wide, D)[:, -1]

        S = S + jax.vmap(column)(units).T
    return S


def diagonal_curvature(problem: Problem, signal: Factor) -> Factor:
    """∂²h/∂X_ij² where X_ij = 0, for diagonal sensing matrices and elementwise regularisers."""
    signal = jnp.asarray(signal)
    ones = jnp.ones_like(signal)
    y = problem.operator.measure(signal, signal)
    data = 2 * problem.operator.backproject(problem.pull(y), ones)
    return sum((g.hessian_product(signal, ones) for g in problem.regularisers), data)


def lanczos_spectrum(
    product: Callable[[AnyArray], AnyArray], start: AnyArray, steps: int = STEPS
) -> tuple[Float[AnyArray, " k"], Float[AnyArray, " k"]]:
    """Ritz values of a symmetric map and the weight of a direction along each.

    With the tridiagonal T of the Lanczos process from ``start``, ⟨x, g(H) x⟩ / ‖x‖² is about
    Σ_k weight_k g(value_k): exact for polynomials of degree below 2·``steps``, so the quadratic
    form is exact and only the kink of the positive part costs accuracy.

    Parameters
    ----------
    product : callable
        H, on arrays of the shape of ``start``; traceable.
    start : array of any shape
        The direction x; its length does not matter.
    steps : int
        Static.  Cut to the size of ``start``.

    Returns
    -------
    values, weights : arrays of shape (steps,)
        The weights add up to one.  After an exact breakdown the values left over have weight 0.
    """
    start = jnp.asarray(start)
    steps = min(steps, start.size)
    first = (start / jnp.maximum(jnp.linalg.norm(start), jnp.finfo(start.dtype).tiny)).ravel()

    def step(
        k: AnyArray, state: tuple[jax.Array, jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        basis, diagonal, off = state
        w = product(basis[k].reshape(start.shape)).ravel()
        alpha = basis[k] @ w
        size = jnp.linalg.norm(w)
        for _ in range(2):  # twice is enough to keep the basis orthogonal to round-off
            w = w - basis.T @ (basis @ w)
        beta = jnp.linalg.norm(w)
        alive = beta > 100 * jnp.finfo(start.dtype).eps * size
        follow = jnp.where(alive, w / jnp.where(alive, beta, 1.0), 0.0)
        basis = basis.at[k + 1].set(follow)
        return basis, diagonal.at[k].set(alpha), off.at[k].set(jnp.where(alive, beta, 0.0))

    basis = jnp.zeros((steps + 1, start.size), start.dtype).at[0].set(first)
    none = jnp.zeros(steps, start.dtype)
    _, diagonal, off = jax.lax.fori_loop(0, steps, step, (basis, none, none))
    T = jnp.diag(diagonal) + jnp.diag(off[:-1], 1) + jnp.diag(off[:-1], -1)
    values, vectors = jnp.linalg.eigh(T)
    return values, vectors[0] ** 2
