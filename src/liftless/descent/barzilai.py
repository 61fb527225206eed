"""Barzilai–Borwein steps, made safe by a nonmonotone test."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Bool, Float

from liftless._checks import describe, positive_int
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.descent.base import Factor, Method, Point
from liftless.objective import Objective

#: Sufficient decrease of the nonmonotone test.
DECREASE = 1e-4


class Secant(eqx.Module):
    """Last change of X and of the gradient, and the last values of h, newest first."""

    s: Factor
    y: Factor
    values: Float[AnyArray, " k"]


def secant_step(s: Factor, y: Factor, short: Bool[AnyArray, ""] | bool) -> Float[AnyArray, ""]:
    """Return the step of Barzilai and Borwein (1988); traceable.

    Parameters
    ----------
    s, y : arrays of shape (n, r)
        X_k − X_{k−1} and ∇h(X_k) − ∇h(X_{k−1}).
    short : bool
        ⟨s, y⟩/⟨y, y⟩, their second formula, instead of ⟨s, s⟩/⟨s, y⟩, their first.

    Returns
    -------
    scalar
        Where ⟨s, y⟩ <= 0, hence neither is a step, the mean of the two up to sign: ‖s‖/‖y‖.
        NaN without a pair.
    """
    ss, sy, yy = jnp.sum(s * s), jnp.sum(s * y), jnp.sum(y * y)
    one = jnp.where(yy > 0, yy, 1.0)
    step = jnp.where(short, sy / one, ss / jnp.where(sy > 0, sy, 1.0))
    return jnp.where(yy > 0, jnp.where(sy > 0, step, jnp.sqrt(ss / one)), jnp.nan)


class BarzilaiBorwein(Method[Secant]):
    """X ← X − α ∇h(X) with α of Barzilai and Borwein, unless it raises h too much.

    The step is taken where h falls below the largest of the last values by 1e-4 α‖∇h‖²; else, and
    at the first step, the first minimiser of the exact quartic along −∇h is.  The quartic costs
    two applications and gives the next residual for free; where there is none, a step is searched.

    Parameters
    ----------
    form : {"long", "short"}
        The first formula ⟨s, s⟩/⟨s, y⟩, or the second ⟨s, y⟩/⟨y, y⟩.
    memory : int
        Values of h in the test; 1 makes the method monotone.

    References
    ----------
    Barzilai and Borwein (1988); Raydan, The Barzilai and Borwein gradient method for the large
    scale unconstrained minimization problem (1997), for the safeguard.
    """

    form: str = eqx.field(static=True)
    memory: int = eqx.field(static=True)

    def __init__(self, form: str = "long", memory: int = 10) -> None:
        if form not in ("long", "short"):
            raise InvalidInput("form", describe(form), "'long' or 'short'")
        self.form = form
        self.memory = positive_int("memory", memory)

    def init(self, objective: Objective, point: Point) -> Secant:
        """Return no pair."""
        del objective
        zero = jnp.zeros_like(jnp.asarray(point.X))
        values = jnp.full(self.memory, -jnp.inf, zero.dtype).at[0].set(point.excess)
        return Secant(zero, zero, values)

    def advance(self, objective: Objective, point: Point, state: Secant) -> tuple[Point, Secant]:
        """One step; three applications."""
        g = point.gradient
        line = objective.line_at(point.y, point.X, -g)
        step = secant_step(state.s, state.y, self.form == "short")
        safe = jnp.where(jnp.isfinite(step), step, 0.0)
        X = point.X - safe * g
        low = objective.excess_at(line.data(safe), X)
        good = low <= jnp.max(state.values) - DECREASE * safe * jnp.sum(g * g)
        downhill, searched = line.search()
        length = jnp.where(good & (safe > 0), safe, downhill)
        cost = point.applications + line.cost + 2 * line.data_cost + searched
        there = Point.at(objective, point.X - length * g, line.data(length), cost)
        values = jnp.concatenate([there.excess[None], state.values[:-1]])
        return there, Secant(-length * g, there.gradient - g, values)
