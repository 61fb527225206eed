"""The rule that needs no constants: everything from curvatures met on the way."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from liftless._checks import real_number
from liftless._types import AnyArray
from liftless.ipgd.rules import Memory, Number, Rule, Settings, Walk, escape_time


class Adaptive(Rule):
    """Perturbed descent by measured curvature; invariant to the scale of the loss.

    With H0 = ‖∇²f(x0)‖₂ the step is 1/(2 H0), halved whenever f falls by less than a tenth of
    η‖∇f‖² away from stationary points, near which f is round-off.  A point with
    ‖∇f‖ <= 1e-8 H0 is stationary.  It is returned if its least curvature is at least −1e-3 H0,
    and otherwise perturbed; the next look is after the time in which the perturbation grows to
    the length G/|λ| on which the gradient test could see it, with a safety factor of 10 (see
    :func:`~liftless.ipgd.rules.escape_time`).

    Parameters
    ----------
    gamma : float
        Radius of the perturbation.
    gradient, curvature : float
        Tolerances relative to H0; the first has the unit of x.
    settled : float
        Gradient tolerance of the local phase relative to H0.

    Notes
    -----
    Algorithm 1 of the IPGD paper with three changes: a step and an escape time taken from the
    curvature, and a return that is certified by it instead of by a small decrease of f.
    """

    gamma: Number
    gradient: Number
    curvature: Number
    settled: Number
    looks: bool = eqx.field(static=True, default=True)
    returned: str = eqx.field(static=True, default="x")

    #: Part of η‖∇f‖² that a step must gain, and round-off of f relative to its size.
    DECREASE = 0.1
    ROUNDOFF = 1e-12
    #: Factor by which the escape time overshoots.
    SAFETY = 10.0

    def __init__(
        self,
        gamma: float = 1e-15,
        gradient: float = 1e-8,
        curvature: float = 1e-3,
        settled: float = 1e-14,
    ) -> None:
        self.gamma = np.asarray(gamma, np.float64)
        self.gradient = np.asarray(real_number("gradient", gradient, above=0.0))
        self.curvature = np.asarray(real_number("curvature", curvature, above=0.0))
        self.settled = np.asarray(real_number("settled", settled, least=0.0))
        self.looks = True
        self.returned = "x"

    def settings(self, size: Number) -> Settings:
        """Step 1/(2 H0), stationarity 1e-8 H0, curvature tolerance 1e-3 H0."""
        # A flat start is reported by the caller; here it must only not divide by zero.
        H0 = jnp.where(size > 0, size, 1.0)
        return Settings(
            eta=0.5 / H0,
            G=self.gradient * H0,
            settled=self.settled / jnp.asarray(self.gradient),
            tolerance=self.curvature * H0,
        )

    def accepts(self, s: Settings, walk: Walk, value: Number) -> Any:
        """Decrease by a tenth of η‖∇f‖², up to round-off of f; a NaN is refused.

        At a stationary point a change of f is round-off and no reason to halve the step: were the
        step unstable, the gradient would grow until the test applies.
        """
        # η G is a length of order 1e-8, so no product leaves the range of a double.
        gain = (walk.eta * s.G * walk.slope) * (s.G * walk.slope)
        slack = self.ROUNDOFF * jnp.abs(walk.value)
        lower = value <= walk.value - self.DECREASE * gain + slack
        return lower | ((walk.slope <= 1) & jnp.isfinite(value))

    def gives_up(self, s: Settings, memory: Memory, walk: Walk) -> Any:
        """Never: only the curvature decides."""
        del s, memory, walk
        return jnp.asarray(False)

    def verdict(self, s: Settings, walk: Walk, least: Number) -> tuple[Any, AnyArray]:
        """Return without negative curvature, otherwise perturb for the escape time."""
        saddle = least < -s.tolerance
        gain = self.SAFETY * (s.G / jnp.where(saddle, -least, s.G))
        steps = escape_time(gain, least, self.gamma, walk.eta, walk.x.size)
        return ~saddle, steps
