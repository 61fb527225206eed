"""Adam and AdamW by optax, with hyper-parameters that are data."""

from typing import Any

import jax.numpy as jnp

from liftless._checks import real_number
from liftless._types import Scalar
from liftless.descent.base import Method, Point
from liftless.descent.momentum import fraction
from liftless.objective import Objective


class Adam(Method[Any]):
    """Adam (Kingma and Ba, 2015), or AdamW (Loshchilov and Hutter, 2019) with ``decay`` > 0.

    The same steps as ``Optax(optax.adam(step))``; but optax builds its transformation inside the
    compiled step, so that another step size is no other program.

    Parameters
    ----------
    step : float
        > 0.
    decay : float
        Decoupled weight decay: X shrinks by step·decay at every step.  It moves the stationary
        points of h, so that a run with it does not end at an exact fit.
    beta1, beta2 : float
        Memory of the first and the second moment, in [0, 1).

    Notes
    -----
    The entries' own scales break the rotation invariance X ↦ X Q of the problem.
    """

    step: Scalar
    decay: Scalar
    beta1: Scalar
    beta2: Scalar

    def __init__(
        self, step: Scalar = 0.01, decay: Scalar = 0.0, beta1: Scalar = 0.9, beta2: Scalar = 0.999
    ) -> None:
        self.step = real_number("step", step, above=0.0)
        self.decay = real_number("decay", decay, least=0.0)
        self.beta1 = fraction("beta1", beta1)
        self.beta2 = fraction("beta2", beta2)

    @property
    def step_size(self) -> Scalar:
        """The step, by its old name."""
        return self.step

    def _transformation(self) -> Any:
        import optax

        step, decay = jnp.asarray(self.step), jnp.asarray(self.decay)
        return optax.adamw(step, self.beta1, self.beta2, weight_decay=decay)

    def init(self, objective: Objective, point: Point) -> Any:
        """Return optax's own state."""
        del objective
        return self._transformation().init(point.X)

    def advance(self, objective: Objective, point: Point, state: Any) -> tuple[Point, Any]:
        """One update; two applications."""
        updates, state = self._transformation().update(point.gradient, state, point.X)
        return Point.at(objective, point.X + updates, applications=point.applications), state


def adam(step: Scalar = 0.01) -> Adam:
    """Return Adam with its usual memory."""
    return Adam(step)


def adamw(step: Scalar = 0.01, decay: Scalar = 1e-4) -> Adam:
    """Return Adam with decoupled weight decay."""
    return Adam(step, decay)
