"""What a perturbed descent decides on the way, and the printed rule of Algorithm 1."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._types import AnyArray, Scalar

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
    """What every step changes.

    ``slope`` is ‖∇f(x)‖ / G: in these units no square under- or overflows near a decision.
    """

    x: Float[AnyArray, "..."]
    gradient: Float[AnyArray, "..."]
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
    returned : {"z", "x"}
        What :meth:`gives_up` returns: the point before the last perturbation, or the present one.
    """

    gamma: eqx.AbstractVar[Number]
    looks: eqx.AbstractVar[bool]
    returned: eqx.AbstractVar[str]

    @abc.abstractmethod
    def settings(self, size: Number) -> Settings:
        """Return the run's constants, given ‖∇²f(x0)‖₂."""

    @abc.abstractmethod
    def accepts(self, s: Settings, walk: Walk, value: Number) -> Any:
        """Whether a step from ``walk`` to a point of this value is taken; else eta is halved."""

    @abc.abstractmethod
    def gives_up(self, s: Settings, memory: Memory, walk: Walk) -> Any:
        """Whether the run returns here without looking at the curvature."""

    @abc.abstractmethod
    def verdict(self, s: Settings, walk: Walk, least: Number) -> tuple[Any, Number]:
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

    ``T_escape`` may be NaN, and ``looks`` is then true: it follows from γ, F and the least
    curvature at each perturbation (see :func:`escape_time`), with a drop of ½|λ|a² >= F at the
    distance a and a safety factor of 10.
    """

    gamma: Number
    eta: Number
    G: Number
    F: Number
    T_escape: Number
    looks: bool = eqx.field(static=True)
    returned: str = eqx.field(static=True)

    def settings(self, size: Number) -> Settings:
        """Return the printed constants; the size only says what counts as no curvature."""
        never = jnp.full_like(size, -1.0)
        eta, G = jnp.asarray(self.eta), jnp.asarray(self.G)
        return Settings(eta=eta, G=G, settled=never, tolerance=1e-3 * size)

    def accepts(self, s: Settings, walk: Walk, value: Number) -> Any:
        """Every step is taken."""
        del s, walk, value
        return jnp.asarray(True)

    def gives_up(self, s: Settings, memory: Memory, walk: Walk) -> Any:
        """Line 8: T_escape steps after the perturbation, f has not fallen by F."""
        del s
        ripe = walk.t - memory.noise_at == memory.T_escape
        return ripe & (walk.value - memory.value >= -self.F)

    def verdict(self, s: Settings, walk: Walk, least: Number) -> tuple[Any, Number]:
        """Perturb at every stationary point, lines 4–6."""
        if not self.looks:
            return jnp.asarray(False), jnp.asarray(self.T_escape)
        lam = jnp.minimum(least, 0.0)
        saddle = lam < -s.tolerance
        gain = 10 * jnp.sqrt(2 * self.F) / jnp.sqrt(jnp.where(saddle, -lam, 1.0))
        steps = escape_time(gain, lam, self.gamma, walk.eta, walk.x.size)
        return jnp.asarray(False), jnp.where(saddle, steps, 1.0)
