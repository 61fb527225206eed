"""The derivative of a stationary point in the data of its objective, by the implicit theorem.

At ∇h(X; θ) = 0 a change dθ moves X by dX with ∇²h(X) dX = −∂_θ∇h(X) dθ.  The Hessian is singular
along the gauge (X ↦ X Q leaves h alone), and the right side has no part along it, so the equation
is consistent; of its solutions the one of least norm is taken, which does not rotate the factor.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from liftless._types import AnyArray
from liftless.objective import Objective

#: Up to this many entries of X the Hessian is formed and decomposed.
DENSE = 500
#: An eigenvalue below this fraction of the largest is zero: where descent ended the gauge's own
#: are as large as the relative residual, 1e-10 at a fit and 1e-9 elsewhere.
FLAT = 1e-8
#: Relative residual of conjugate gradients, and their most steps for each entry of X.
ACCURATE, STEPS = 1e-12, 4

Product = Callable[[Array], Array]


@jax.custom_jvp
def settled(
    objective: Objective, X: AnyArray, value: AnyArray, norm: AnyArray, reached: AnyArray
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Return X, h(X) and ‖∇h(X)‖ as they are, with the derivatives they have as functions of h.

    Parameters
    ----------
    objective : Objective
        Every floating leaf counts: data, weights, the operator's and the regularisers' arrays.
    X : array
        A stationary point, whose own derivative is not used.
    value, norm : scalars
    reached : scalar
        Whether X is stationary to tolerance: its derivative is NaN where it is not.
    """
    del objective, reached
    return X, value, norm


@settled.defjvp
def _settled_jvp(primals: tuple, tangents: tuple) -> tuple:
    objective, reached = primals[0], primals[-1]
    # As an output of this function X has its derivative again, which the second one needs.
    X, value, norm = settled(*primals)

    def of(f: Objective) -> tuple[AnyArray, AnyArray]:
        y = f.data(X)
        return f.gradient_at(y, X), f.value_at(y, X)

    (_, _), (change, d_value) = jax.jvp(of, (objective,), (tangents[0],))
    y = objective.data(X)
    moved = jax.lax.custom_linear_solve(
        lambda D: objective.product_at(y, X, D), -change, _least_norm, symmetric=True
    )
    # A factor, which reaches the reverse mode too.
    moved = moved * jnp.where(reached, 1.0, jnp.nan).astype(moved.dtype)
    # To first order h changes by its explicit part alone, and its gradient stays what it is: zero.
    return (X, value, norm), (moved, d_value, jnp.zeros_like(norm))


def _least_norm(product: Product, right: Array) -> Array:
    """Solution of least norm of a consistent symmetric system, semidefinite where it is large."""
    shape = right.shape
    if right.size > DENSE:
        most = STEPS * right.size
        found, _ = jax.scipy.sparse.linalg.cg(product, right, tol=ACCURATE, maxiter=most)
        return found
    units = jnp.eye(right.size, dtype=right.dtype).reshape(-1, *shape)
    matrix = jax.vmap(lambda D: product(D).ravel())(units)
    values, basis = jnp.linalg.eigh((matrix + matrix.T) / 2)
    size = jnp.abs(values)
    flat = size <= FLAT * jnp.max(size)
    inverse = jnp.where(flat, 0.0, 1.0 / jnp.where(flat, 1.0, values))
    return (basis @ (inverse * (basis.T @ right.ravel()))).reshape(shape)
