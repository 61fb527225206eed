"""Extreme curvatures by Lanczos on Hessian products, traceable and so usable in a batch.

:func:`liftless.linalg.extreme_eigenpairs` is exact, but a host loop over one operator; this one
runs over many objectives at once inside a compiled function.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.objective import Objective

#: Lanczos steps, or the dimension if that is less.
STEPS = 60
#: A new direction shorter than this, relative to the matrix, is round-off: the space is invariant.
EXHAUSTED = 1e-12


def directions(size: int, steps: int = STEPS) -> Float[np.ndarray, "s d"]:
    """Return the fixed start, in row 0, and the directions taken when a space is exhausted."""
    return np.random.default_rng(0).standard_normal((min(steps, size), size))


def scaled_norm(v: Float[AnyArray, "..."]) -> Float[AnyArray, ""]:
    """Euclidean norm whose squares neither underflow nor overflow; traceable."""
    most = jnp.max(jnp.abs(v))
    safe = jnp.where(most > 0, most, 1.0)
    return jnp.where(jnp.isfinite(most), most * jnp.linalg.norm(jnp.ravel(v / safe)), most)


def tridiagonal(
    product: Callable[[Any], Any], pool: Float[AnyArray, "s d"]
) -> tuple[Float[AnyArray, " s"], Float[AnyArray, " s"], Float[AnyArray, ""]]:
    """Lanczos with full reorthogonalisation; traceable.

    Parameters
    ----------
    product : callable
        The symmetric operator, on arrays of shape (d,).
    pool : array of shape (s, d)
        Row 0 is the start; row j replaces the j-th direction if the space is exhausted there, so
        that multiple eigenvalues do not end the process.

    Returns
    -------
    alpha, beta : arrays of shape (s,)
        Diagonal and subdiagonal (its last entry unused).
    scale : scalar
        Largest entry, which is of the size of the operator.
    """
    steps = pool.shape[0]

    def off(Q: AnyArray, w: AnyArray) -> AnyArray:
        # Twice is enough for orthogonality to round-off.
        w = w - (Q @ w) @ Q
        return w - (Q @ w) @ Q

    def body(j: AnyArray, carry: tuple) -> tuple:
        Q, q, alpha, beta, scale = carry
        Q = Q.at[j].set(q)
        w = product(q)
        a = q @ w
        w = off(Q, w)
        b = scaled_norm(w)
        scale = jnp.maximum(scale, jnp.abs(a))
        gone = b <= EXHAUSTED * scale
        fresh = jnp.where(gone, pool[jnp.minimum(j + 1, steps - 1)], w / jnp.where(gone, 1.0, b))
        fresh = off(Q, fresh)
        b = jnp.where(gone, 0.0, b)
        fresh = fresh / jnp.maximum(jnp.linalg.norm(fresh), 1e-300)
        return Q, fresh, alpha.at[j].set(a), beta.at[j].set(b), jnp.maximum(scale, b)

    zero = jnp.zeros(steps, pool.dtype)
    first = pool[0] / jnp.linalg.norm(pool[0])
    start = (jnp.zeros_like(pool), first, zero, zero, jnp.zeros((), pool.dtype))
    _, _, alpha, beta, scale = jax.lax.fori_loop(0, steps, body, start)
    return alpha, beta, scale


def extremes(
    objective: Objective, X: Float[AnyArray, "..."], pool: Float[AnyArray, "s d"]
) -> Float[AnyArray, " 2"]:
    """Least and largest Ritz value of ∇²f(X); traceable.

    They lie within the spectrum: the least is an upper bound of λ_min.  One product with the
    Hessian for each row of ``pool`` (see :func:`directions`), and the data that X carries.
    """
    X = jnp.asarray(X)
    y = objective.data(X)

    def product(v: AnyArray) -> AnyArray:
        return jnp.ravel(objective.product_at(y, X, jnp.reshape(v, X.shape)))

    alpha, beta, scale = tridiagonal(product, jnp.asarray(pool, X.dtype))
    # Dividing first keeps tiny and huge losses inside the range of the eigensolver.
    safe = jnp.where(scale > 0, scale, 1.0)
    T = jnp.diag(alpha / safe)
    if alpha.size > 1:
        T = T + jnp.diag(beta[:-1] / safe, 1) + jnp.diag(beta[:-1] / safe, -1)
    values = jnp.linalg.eigvalsh(T)
    return jnp.stack([values[0], values[-1]]) * safe
