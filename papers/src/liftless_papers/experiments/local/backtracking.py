"""Gradient descent with backtracking, as plain as the figure of the local-search paper."""

import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.descent.base import Method, Point, as_problem
from liftless.objective import Objective

#: Armijo's fraction of the linear decrease.
FRACTION = 1e-4
#: Most halvings in one step.
HALVINGS = 60


class Backtracking(Method[Float[AnyArray, ""]]):
    """X ← X − s ∇h(X), s halved from twice the last one until Armijo's condition holds.

    The first trial step moves X by its own length.  Along the line h is known from three
    measurement vectors, so a halving costs no application.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, algorithm 3.1.
    """

    def init(self, objective: Objective, point: Point) -> Float[AnyArray, ""]:
        """Return the step before the first: half of ‖X‖/‖∇h‖."""
        as_problem(objective, self)
        slope = jnp.linalg.norm(point.gradient)
        return jnp.linalg.norm(point.X) / jnp.where(slope > 0, slope, 1.0) / 2

    def advance(
        self, objective: Objective, point: Point, state: Float[AnyArray, ""]
    ) -> tuple[Point, Float[AnyArray, ""]]:
        """One step; three applications."""
        problem = as_problem(objective, self)
        line = problem.line_at(point.y, point.X, -point.gradient)
        fall = FRACTION * jnp.sum(point.gradient**2)
        here = line.value(0.0)

        def short(trial: tuple[AnyArray, AnyArray]) -> AnyArray:
            s, count = trial
            return (line.value(s) > here - fall * s) & (count < HALVINGS)

        first = (2 * state, jnp.zeros_like(state))
        s, count = jax.lax.while_loop(short, lambda t: (t[0] / 2, t[1] + 1), first)
        s = jnp.where(count < HALVINGS, s, 0.0)
        there = Point.at(
            problem, point.X - s * point.gradient, line.measurements(s), point.applications + 2.0
        )
        return there, jnp.where(s > 0, s, state)
