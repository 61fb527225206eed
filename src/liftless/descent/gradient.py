"""Gradient descent with a fixed step, and any optax transformation."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp

from liftless._checks import describe, real_number
from liftless._errors import InvalidInput
from liftless._types import Scalar
from liftless.descent.base import Method, Point
from liftless.objective import Objective


class GradientDescent(Method[None]):
    """X ← X − step ∇h(X), the papers' vanilla method.

    Parameters
    ----------
    step : float
        Fixed step size, > 0.  It must be below 2 over the largest Hessian eigenvalue.
    """

    step: Scalar

    def __init__(self, step: Scalar = 0.01) -> None:
        self.step = real_number("step", step, above=0.0)

    @property
    def step_size(self) -> Scalar:
        """The step, by its old name."""
        return self.step

    def init(self, objective: Objective, point: Point) -> None:
        """No state."""

    def advance(self, objective: Objective, point: Point, state: None) -> tuple[Point, None]:
        """One step; two applications."""
        del state
        return point.moved(objective, -point.gradient, jnp.asarray(self.step)), None


class Optax(Method[Any]):
    """Any optax gradient transformation as a method.

    Parameters
    ----------
    transformation : optax.GradientTransformation
        For example ``optax.adam(1e-2)``.  One that searches along a line (``optax.lbfgs``) is
        given the value, the gradient and the objective.

    Notes
    -----
    A transformation is a pair of closures, so each new one compiles anew: keep it.
    """

    transformation: Any = eqx.field(static=True)

    def __init__(self, transformation: Any) -> None:
        if not (hasattr(transformation, "init") and hasattr(transformation, "update")):
            raise InvalidInput(
                "transformation",
                describe(transformation),
                "an optax.GradientTransformation",
                "Pass optax.adam(1e-2), say.",
            )
        self.transformation = transformation

    def init(self, objective: Objective, point: Point) -> Any:
        """Return the transformation's own state."""
        del objective
        return self.transformation.init(point.X)

    def advance(self, objective: Objective, point: Point, state: Any) -> tuple[Point, Any]:
        """One update; two applications, and those of its own line search uncounted."""
        import optax

        transformation = optax.with_extra_args_support(self.transformation)
        updates, state = transformation.update(
            point.gradient,
            state,
            point.X,
            value=objective.value_at(point.y, point.X),
            grad=point.gradient,
            value_fn=objective.value,
        )
        X: Any = optax.apply_updates(point.X, updates)
        return Point.at(objective, X, applications=point.applications), state
