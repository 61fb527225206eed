"""Extreme curvatures of an objective at a concrete point."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from liftless._checks import positive_int, real_array
from liftless._precision import double, on_device
from liftless.descent.curvature import STEPS, directions, extremes
from liftless.objective import check_objective

_extremes = jax.jit(extremes)


@double
def curvature_range(objective: Any, x: Any, *, steps: int = STEPS) -> tuple[float, float]:
    """Least and largest curvature of an objective at a point, by Lanczos.

    Parameters
    ----------
    objective : Objective or Problem
    x : array
    steps : int
        Lanczos steps; with as many as x has entries the two are exact to round-off.

    Returns
    -------
    least, largest : float
        Extreme Ritz values of ∇²f(x), within its spectrum.

    Raises
    ------
    InvalidInput
        If the objective cannot be used with ``x``.
    """
    point = real_array("x", x, max(1, np.ndim(x)))
    count = positive_int("steps", steps)
    f = on_device(check_objective(objective, point))
    least, largest = _extremes(f, jnp.asarray(point), directions(point.size, count))
    return float(least), float(largest)
