"""The rule that needs no constants: everything from curvatures met on the way."""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp

from liftless._checks import real_number
from liftless._types import AnyArray, Scalar
from liftless.descent.base import Point
from liftless.descent.rules import Memory, Number, Rule, Settings, Walk, escape_time


class Adaptive(Rule):
    """Perturbed descent by measured curvature; invariant to the scale of the loss.

    With H0 = ‖∇²f(x0)‖₂ the step is 1/(2 H0), halved whenever f falls by less than a tenth of
    η‖∇f‖² away from stationary points, near which f is round-off.  A point with
    ‖∇f‖ <= 1e-8 H0 is stationary.  It is returned if its least curvature is at least −1e-3 H0,
    and otherwise perturbed; the next look is after the time in which the perturbation grows to
    the length G/|λ| on which the gradient test could see it, with a safety factor of 10 (see
    :func:`~liftless.descent.rules.escape_time`).

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

    certifies: ClassVar[bool] = True

    gamma: Scalar
    gradient: Scalar
    curvature: Scalar
    settled: Scalar
    looks: bool = eqx.field(static=True, default=True)
    relative: bool = eqx.field(static=True, default=False)
    returned: str = eqx.field(static=True, default="x")

    #: Part of η‖∇f‖² that a step must gain, and round-off of f relative to its size.
    DECREASE = 0.1
    ROUNDOFF = 1e-12
    #: Factor by which the escape time overshoots.
    SAFETY = 10.0

    def __init__(
        self,
        gamma: Scalar = 1e-15,
        gradient: Scalar = 1e-8,
        curvature: Scalar = 1e-3,
        settled: Scalar = 1e-14,
    ) -> None:
        self.gamma = real_number("gamma", gamma, above=0.0)
        self.gradient = real_number("gradient", gradient, above=0.0)
        self.curvature = real_number("curvature", curvature, above=0.0)
        self.settled = real_number("settled", settled, least=0.0)
        self.looks, self.relative, self.returned = True, False, "x"

    def settings(self, size: Number) -> Settings:
        """Step 1/(2 H0), stationarity 1e-8 H0, curvature tolerance 1e-3 H0."""
        # A flat start is reported by the caller; here it must only not divide by zero.
        H0 = jnp.where(size > 0, size, 1.0)
        return Settings(
            eta=0.5 / H0,
            G=self.gradient * H0,
            settled=jnp.asarray(self.settled, H0.dtype) / self.gradient,
            tolerance=self.curvature * H0,
        )

    def small(self, walk: Walk, point: Point) -> Any:
        """‖∇f‖ <= G."""
        del point
        return walk.slope <= 1

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

    def verdict(
        self, s: Settings, walk: Walk, least: Number, dimension: int
    ) -> tuple[Any, AnyArray]:
        """Return without negative curvature, otherwise perturb for the escape time."""
        saddle = least < -s.tolerance
        gain = self.SAFETY * (s.G / jnp.where(saddle, -least, s.G))
        steps = escape_time(gain, least, self.gamma, walk.eta, dimension)
        return ~saddle, steps
