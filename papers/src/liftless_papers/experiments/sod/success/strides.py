"""Plain gradient descent that looks at the stop rule every few steps only."""

import equinox as eqx
import jax
from jaxtyping import Float

from liftless._checks import real_number
from liftless._types import AnyArray, Scalar
from liftless.descent.base import Method, Point
from liftless.objective import Objective

#: Steps between two looks.
STRIDE = 10


class Strides(Method[None]):
    """Ten steps X ← X − step ∇h(X) an iteration, the papers' vanilla method.

    Where a step costs O(n), the norms, tests and copies of an iteration cost more than it does;
    the iterates are those of :class:`liftless.GradientDescent`.

    Parameters
    ----------
    step : float
        Fixed step size, > 0.
    """

    step: Scalar
    count: int = eqx.field(static=True)

    def __init__(self, step: float) -> None:
        self.step, self.count = real_number("step", step, above=0.0), STRIDE

    def init(self, objective: Objective, point: Point) -> None:
        """No state."""

    def advance(self, objective: Objective, point: Point, state: None) -> tuple[Point, None]:
        """Ten steps; two applications each."""
        del state

        def one(_: AnyArray, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "n r"]:
            return X - self.step * objective.evaluate(X)[1]

        X = jax.lax.fori_loop(0, self.count, one, point.X)
        cost = point.applications + 2.0 * (self.count - 1)
        return Point.at(objective, X, applications=cost), None
