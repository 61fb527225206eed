"""Levenberg–Marquardt: the fast finish for small n r."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless._checks import real_number
from liftless._types import AnyArray, Scalar
from liftless.descent.base import Method, Point, as_problem, kept_at_roundoff
from liftless.objective import Objective
from liftless.problem import Problem

#: Damping relative to the largest diagonal entry: its floor keeps the rotations, along which h is
#: flat, from making the normal matrix singular.
LEAST, MOST = 1e-12, 1e3


class LevenbergMarquardt(Method[Float[AnyArray, ""]]):
    """Damped Gauss–Newton step on the nr × nr normal matrix, with the exact quartic step along it.

    Quadratically convergent near an exact solution.  The damping follows the length that the
    exact line search picks: a full step lowers it, a short one raises it.

    Parameters
    ----------
    damping : float
        First damping relative to the largest diagonal entry of the normal matrix.
    """

    damping: Scalar

    def __init__(self, damping: Scalar = 1e-3) -> None:
        self.damping = real_number("damping", damping, above=0.0)

    def init(self, objective: Objective, point: Point) -> Float[AnyArray, ""]:
        """Return the first damping."""
        as_problem(objective, self)
        return jnp.asarray(self.damping, jnp.result_type(point.X))

    def advance(
        self, objective: Objective, point: Point, state: Float[AnyArray, ""]
    ) -> tuple[Point, Float[AnyArray, ""]]:
        """One step; three applications and one Jacobian at the operator's own cost."""
        import lineax as lx

        problem = as_problem(objective, self)
        rows = problem.operator.jacobian(point.X).reshape(problem.m, -1)
        weight = problem.omega * problem.loss.second(point.y, problem.b)
        normal = rows.T @ (weight[:, None] * rows) + _penalty_curvature(problem, point.X)
        top = jnp.maximum(jnp.max(jnp.diagonal(normal)), jnp.finfo(rows.dtype).tiny)
        damped = normal + state * top * jnp.eye(normal.shape[0], dtype=rows.dtype)
        operator = lx.MatrixLinearOperator(jnp.asarray(damped), lx.positive_semidefinite_tag)
        solution = lx.linear_solve(operator, -point.gradient.ravel(), lx.Cholesky(), throw=False)
        there, length = point.along(problem, solution.value.reshape(point.X.shape))
        factor = jnp.where(length > 0.5, 0.1, jnp.where(length > 0.1, 1.0, 8.0))
        cost = problem.operator.jacobian_cost(point.X.shape[1])
        there = kept_at_roundoff(problem, point, there, cost)
        return there, jnp.clip(state * factor, LEAST, MOST)


def _penalty_curvature(problem: Problem, X: Float[AnyArray, "n r"]) -> AnyArray:
    """Positive semidefinite curvature of the regularisers as an nr × nr matrix."""
    if not problem.regularisers:
        return jnp.zeros((), X.dtype)
    units = jnp.eye(X.size, dtype=X.dtype).reshape(-1, *X.shape)

    def column(D: AnyArray) -> AnyArray:
        zero = jnp.zeros_like(D)
        return sum((g.curvature(X, D) for g in problem.regularisers), zero).ravel()

    return jax.vmap(column)(units)
