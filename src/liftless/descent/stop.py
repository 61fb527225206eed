"""When a run ends, and the words for why it did."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from liftless._checks import describe, real_number, traced_whole
from liftless._errors import InvalidInput
from liftless._fields import number
from liftless._types import AnyArray, Scalar, Whole
from liftless.descent.base import Point
from liftless.objective import Objective

#: Why a run ended: message for each status.
STATUS = {
    0: "The iteration limit was reached before either tolerance; raise Stop.max_iterations.",
    1: "The objective reached its tolerance: the data are fitted.",
    2: "The gradient reached its tolerance: a stationary point.",
    3: "The iterates left the finite numbers; use a smaller step (below 2 over the largest "
    "Hessian eigenvalue).",
    4: "No step changes the iterate any more: round-off is reached.",
    5: "The method returned a second-order point, by the least curvature that it measured.",
    6: "The method returned by its own rule, which does not look at the curvature: certify the "
    "point.",
    7: "The method reached its own limit of steps.",
}
RUNNING, FITTED, STATIONARY, DIVERGED, STALLED = 0, 1, 2, 3, 4
CONFIRMED, RETURNED, LIMITED = 5, 6, 7


class Stop(eqx.Module):
    """When a run ends.  All tolerances are relative, hence free of the problem's scale.

    Parameters
    ----------
    objective : float
        Ends when h − (least conceivable h) is at most this fraction of its value at X = 0; never
        where the objective knows of no least value.  By default round-off of the loss.
    gradient : float
        Ends when ‖∇h‖·max(‖X‖, size) is at most this fraction of h: no step as long as X could
        gain more than that, to first order.  Where no least value is known, of the larger of
        |h(X)| and |h(0)|.
    max_iterations : int
        Longest run.
    size : float
        A lower bound on the size of X for the gradient rule; 0 for none, or for 1 where the
        objective is no problem of a factor.
    max_applications : float, optional
        No step is begun once so many applications are spent; by default without a limit.
    """

    # NaN stands for "round-off of the loss", which only the problem knows.
    objective: Scalar | None = number(absent=np.nan)
    gradient: Scalar = number()
    max_iterations: Whole = number()
    size: Scalar = number()
    max_applications: Scalar | None = number(absent=np.inf)

    def __init__(
        self,
        objective: Scalar | None = None,
        gradient: Scalar = 1e-9,
        max_iterations: Whole = 2000,
        size: Scalar = 0.0,
        max_applications: Scalar | None = None,
    ) -> None:
        self.objective = objective
        if objective is not None:
            self.objective = real_number("objective", objective, least=0.0)
        self.gradient = real_number("gradient", gradient, least=0.0)
        self.max_iterations = traced_whole("max_iterations", max_iterations, least=0)
        self.size = real_number("size", size, least=0.0)
        self.max_applications = max_applications
        if max_applications is not None:
            self.max_applications = real_number("max_applications", max_applications, least=0.0)

    def status(self, objective: Objective, point: Point, moved: AnyArray) -> AnyArray:
        """Status code at ``point``; ``moved`` says whether the last step changed it."""
        goal = jnp.asarray(jnp.nan if self.objective is None else self.objective)
        level = jnp.where(jnp.isnan(goal), objective.roundoff(), goal)
        full = objective.zero_level(point.X)
        scale = objective.scale_at(point.excess, point.y, point.X)
        size, usual = self.size, objective.usual_size()
        size = size if usual == 0 else jnp.where(size > 0, size, usual)
        length = jnp.maximum(jnp.linalg.norm(point.X), size)
        slope = jnp.linalg.norm(point.gradient) * length
        finite = jnp.isfinite(point.excess) & jnp.isfinite(slope)
        code = jnp.where(moved, RUNNING, STALLED)
        code = jnp.where(slope <= self.gradient * scale, STATIONARY, code)
        code = jnp.where(point.excess <= level * full, FITTED, code)
        return jnp.where(finite, code, DIVERGED)


def as_stop(stop: Any) -> Stop:
    """Return a stop rule as it is, and the usual one for None."""
    if stop is not None and not isinstance(stop, Stop):
        raise InvalidInput("stop", describe(stop), "a Stop", "Pass Stop(max_iterations=500), say.")
    return Stop() if stop is None else stop
