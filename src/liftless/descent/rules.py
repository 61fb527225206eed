"""What a perturbed descent decides on the way, and the printed rule of Algorithm 1."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._fields import number
from liftless._types import AnyArray, Scalar, Whole
from liftless.descent.base import Point

Number = Float[AnyArray, ""]


class Settings(eqx.Module):
    """Constants of one run, fixed at its start.

    Attributes
    ----------
    eta : scalar
        First step size.
    G : scalar
        Gradient norm below which a point counts as stationary.
    settled : scalar
        Gradient norm, in units of G, at which the local phase ends; negative for never.
    tolerance : scalar
        Curvature above minus this counts as none.
    """

    eta: Number
    G: Number
    settled: Number
    tolerance: Number


class Walk(eqx.Module):
    """What every step changes, beside the point itself.

    ``slope`` is ‖∇f(X)‖ / G: in these units no square under- or overflows near a decision.
    """

    value: Number
    slope: Number
    eta: Number
    t: Number
    local: Number
    backtracks: Number
    phase: Any

    def at_phase(self, phase: Any) -> "Walk":
        """Return the same walk in another phase."""
        return eqx.tree_at(lambda w: w.phase, self, phase)


class Memory(eqx.Module):
    """What only a perturbation changes: the point z kept there, its value, and the clock."""

    z: Float[AnyArray, "..."]
    value: Number
    noise_at: Number
    T_escape: Number
    perturbations: Number
    lost: Number


class Rule(eqx.Module):
    """Decisions of a perturbed descent; every method is traceable.

    Attributes
    ----------
    gamma : scalar
        Radius of the perturbation.
    looks : bool
        Whether :meth:`verdict` uses the least curvature.
    relative : bool
        Whether a gradient is small beside the objective, and not beside an absolute G: then the
        run also has a random stream of its start, and noise in the columns that are not zero.
    returned : {"z", "x"}
        What :meth:`gives_up` returns: the point before the last perturbation, or the present one.
    """

    #: Whether it returns only what its look at the curvature has confirmed.
    certifies: ClassVar[bool] = False

    gamma: eqx.AbstractVar[Scalar]
    looks: eqx.AbstractVar[bool]
    relative: eqx.AbstractVar[bool]
    returned: eqx.AbstractVar[str]

    @abc.abstractmethod
    def settings(self, size: Number) -> Settings:
        """Return the run's constants, given ‖∇²f(x0)‖₂ (zero where ``relative``)."""

    @abc.abstractmethod
    def small(self, walk: Walk, point: Point) -> Any:
        """Whether the gradient at ``point`` counts as small: line 4 of Algorithm 1."""

    @abc.abstractmethod
    def accepts(self, s: Settings, walk: Walk, value: Number) -> Any:
        """Whether a step from ``walk`` to a point of this value is taken; else eta is halved."""

    @abc.abstractmethod
    def gives_up(self, s: Settings, memory: Memory, walk: Walk) -> Any:
        """Whether the run returns here without looking at the curvature."""

    @abc.abstractmethod
    def verdict(self, s: Settings, walk: Walk, least: Number, dimension: int) -> tuple[Any, Number]:
        """At a stationary point: whether to return it, else T_escape of the next perturbation."""


def escape_time(
    gain: Scalar, least: Scalar, gamma: Scalar, eta: Scalar, size: int
) -> Float[AnyArray, ""]:
    """Steps in which a perturbation grows to ``gain`` along the least curvature; traceable.

    ceil(log(gain √d / γ) / log(1 + η |λ|)), at least 1.  A uniform draw from the ball of radius γ
    has a component of about γ/√d along any direction, and a step multiplies it by 1 + η |λ|.

    Parameters
    ----------
    gain : scalar
        Distance from the saddle to be reached, with its safety factor.
    least : scalar
        Curvature λ < 0; no escape is possible, and the time is 1, where it is not negative.
    gamma, eta : scalar
    size : int
        Dimension d.
    """
    # Logarithms of each factor: γ may be as small as 1e-300.
    growth = jnp.log(gain) + np.log(size) / 2 - jnp.log(gamma)
    rate = jnp.log1p(eta * jnp.maximum(-least, 0.0))
    steps = jnp.ceil(growth / jnp.where(rate > 0, rate, jnp.inf))
    return jnp.maximum(steps, 1.0)


class Printed(Rule):
    """Algorithm 1: fixed step, perturbation after T_escape steps, return when f falls by < F.

    ``T_escape`` may be None, and ``looks`` is then true: it follows from γ, F and the least
    curvature at each perturbation (see :func:`escape_time`), with a drop of ½|λ|a² >= F at the
    distance a and a safety factor of 10.  With F left out (None) nothing is returned.
    """

    gamma: Scalar = number()
    eta: Scalar = number()
    G: Scalar = number()
    F: Scalar | None = number(absent=np.nan)
    T_escape: Whole | None = number(absent=np.nan)
    looks: bool = eqx.field(static=True, kw_only=True)
    relative: bool = eqx.field(static=True, kw_only=True, default=False)
    returned: str = eqx.field(static=True, kw_only=True, default="z")

    def settings(self, size: Number) -> Settings:
        """Return the printed constants; the size only says what counts as no curvature."""
        never = jnp.full_like(size, -1.0)
        eta, G = jnp.asarray(self.eta, size.dtype), jnp.asarray(self.G, size.dtype)
        return Settings(eta=eta, G=G, settled=never, tolerance=1e-3 * size)

    def small(self, walk: Walk, point: Point) -> Any:
        """‖∇f‖ <= G; or ‖∇f‖ ‖X‖ <= G (f − least) where ``relative``."""
        if not self.relative:
            return walk.slope <= 1
        slope = jnp.linalg.norm(point.gradient) * jnp.linalg.norm(point.X)
        return slope <= self.G * point.excess

    def accepts(self, s: Settings, walk: Walk, value: Number) -> Any:
        """Every step is taken."""
        del s, walk, value
        return jnp.asarray(True)

    def gives_up(self, s: Settings, memory: Memory, walk: Walk) -> Any:
        """Line 8: T_escape steps after the perturbation, f has not fallen by F."""
        del s
        if self.F is None:
            return jnp.asarray(False)
        ripe = walk.t - memory.noise_at == memory.T_escape
        # Without an F it is NaN here, and the comparison false.
        return ripe & (walk.value - memory.value >= -self.F)

    def verdict(self, s: Settings, walk: Walk, least: Number, dimension: int) -> tuple[Any, Number]:
        """Perturb at every stationary point, lines 4–6."""
        if not self.looks:
            return jnp.asarray(False), jnp.asarray(self.T_escape, jnp.result_type(walk.value))
        lam = jnp.minimum(least, 0.0)
        saddle = lam < -s.tolerance
        gain = 10 * jnp.sqrt(2 * self.F) / jnp.sqrt(jnp.where(saddle, -lam, 1.0))  # pyright: ignore[reportOperatorIssue]
        steps = escape_time(gain, lam, self.gamma, walk.eta, dimension)
        return jnp.asarray(False), jnp.where(saddle, steps, 1.0)
