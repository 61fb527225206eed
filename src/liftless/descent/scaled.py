"""Scaled gradient descent: the gradient preconditioned by the factor's own Gram matrix."""

import jax.numpy as jnp
import jax.scipy.linalg as jsl

from liftless._checks import real_number
from liftless._types import Scalar
from liftless.descent.base import Method, Point
from liftless.objective import Objective


class ScaledGradientDescent(Method[None]):
    """X ← X − s ∇h(X) (XᵀX + λI)⁻¹ with the exact quartic step s along that direction.

    Its rate near a solution does not depend on how ill-conditioned the matrix sought is.

    Parameters
    ----------
    damping : float
        λ relative to the trace of XᵀX, > 0.  It keeps the Gram matrix of a factor with zero
        columns regular, and those columns zero.

    Notes
    -----
    Tong, Ma and Chi (2021), Accelerating Ill-Conditioned Low-Rank Matrix Estimation via Scaled
    Gradient Descent, eq. (2) for a symmetric matrix, with their fixed step replaced by the exact
    one, and a λ that they take as zero.
    """

    damping: Scalar

    def __init__(self, damping: Scalar = 1e-10) -> None:
        self.damping = real_number("damping", damping, above=0.0)

    def init(self, objective: Objective, point: Point) -> None:
        """No state."""

    def advance(self, objective: Objective, point: Point, state: None) -> tuple[Point, None]:
        """One step; three applications."""
        del state
        X = jnp.asarray(point.X)
        gram = X.T @ X
        shift = self.damping * jnp.trace(gram)
        # At X = 0 any positive number will do: the gradient is zero there.
        shift = jnp.where(shift > 0, shift, 1.0).astype(X.dtype)
        factor = jsl.cho_factor(gram + shift * jnp.eye(X.shape[1], dtype=X.dtype))
        there, _ = point.along(objective, -jsl.cho_solve(factor, point.gradient.T).T)
        return there, None
