"""The objective of a problem along a line: exact, from three measurement vectors."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless import quartic
from liftless._precision import entry
from liftless._types import AnyArray, Scalar
from liftless.losses import Loss
from liftless.objective import Line

#: Of the search along a line for a loss other than the squared one: most doublings of the bracket
#: and most steps of Newton's method in it, the first of these that may be halvings instead, every
#: other one, and the share of the first slope, and of the step, in units of round-off, at which it
#: ends.
DOUBLINGS, NEWTON, HALVED, TOLERANCE = 40, 100, 8, 64.0


class MeasuredLine(Line):
    """The objective along s ↦ X + s D, known from three measurement vectors.

    A((X + sD)(X + sD)ᵀ) = y0 + s y1 + s² y2 exactly, so a value at any s costs O(m).
    """

    y0: Float[AnyArray, " m"]
    y1: Float[AnyArray, " m"]
    y2: Float[AnyArray, " m"]
    b: Float[AnyArray, " m"]
    omega: Float[AnyArray, " m"]
    penalty: Float[AnyArray, " 5"]
    loss: Loss

    cost: ClassVar[float] = 2.0
    data_cost: ClassVar[float] = 0.0

    def data(self, s: Scalar) -> Float[AnyArray, " m"]:
        """Measurements at X + s D, which is what a point carries."""
        return self.measurements(s)

    def search(self) -> tuple[Float[AnyArray, ""], float]:
        """Step to the first minimiser, for nothing."""
        return self.first_minimiser(), 0.0

    def measurements(self, s: Scalar) -> Float[AnyArray, " m"]:
        """A((X + sD)(X + sD)ᵀ)."""
        return self.y0 + s * (self.y1 + s * self.y2)

    @entry
    def value(self, s: Scalar) -> Float[AnyArray, ""]:
        """h(X + s D)."""
        data = jnp.sum(self.omega * self.loss.value(self.measurements(s), self.b))
        return data + quartic.evaluate(self.penalty, s)

    @entry
    def slope(self, s: Scalar) -> Float[AnyArray, ""]:
        """Derivative of h(X + s D) in s."""
        pull = self.omega * self.loss.derivative(self.measurements(s), self.b)
        return jnp.sum(pull * (self.y1 + 2 * s * self.y2)) + quartic.slope(self.penalty, s)

    @entry
    def coefficients(self) -> Float[AnyArray, " 5"]:
        """Exact quartic coefficients; for a quadratic loss only."""
        r0, w = self.y0 - self.b, self.omega
        data = [
            jnp.sum(w * r0 * r0) / 2,
            jnp.sum(w * r0 * self.y1),
            jnp.sum(w * (r0 * self.y2 + self.y1 * self.y1 / 2)),
            jnp.sum(w * self.y1 * self.y2),
            jnp.sum(w * self.y2 * self.y2) / 2,
        ]
        return jnp.stack(data) + self.penalty

    @entry
    def first_minimiser(self) -> Float[AnyArray, ""]:
        """First minimiser downhill from s = 0 (0 if the line starts uphill).

        The quartic's own for a quadratic loss; otherwise the bracket is widened by doubling and
        a sign change of the slope found in it, to round-off.
        """
        if self.loss.quadratic:
            return quartic.first_downhill(self.coefficients())
        return self._searched()

    def _searched(self) -> Float[AnyArray, ""]:
        """Newton's method on the slope, kept in a bracket; about six passes over the rows."""
        first = -self.slope(0.0)
        # A step of Newton's size on the quadratic model sets the scale of the bracket.
        bend = jnp.sum(self.omega * self.loss.second(self.y0, self.b) * self.y1**2)
        start = jnp.abs(first) / jnp.maximum(bend, 1e-12 * jnp.abs(first) + 1e-300)
        eps = TOLERANCE * jnp.finfo(jnp.result_type(start)).eps

        def double(at: tuple[AnyArray, ...]) -> tuple[AnyArray, ...]:
            _, high, _, k = at
            return high, 2 * high, self.slope(2 * high), k + 1

        low, high, _, _ = jax.lax.while_loop(
            lambda at: (at[2] < 0) & (at[3] < DOUBLINGS),
            double,
            (jnp.zeros_like(start), start, self.slope(start), jnp.zeros((), int)),
        )

        def step(at: tuple[AnyArray, ...]) -> tuple[AnyArray, ...]:
            low, high, s, _, k = at
            f, bend = self._slope_and_bend(s)
            low, high = jnp.where(f < 0, s, low), jnp.where(f < 0, high, s)
            newton = s - f / jnp.where(bend > 0, bend, 1.0)
            inside = (bend > 0) & (newton > low) & (newton < high)
            halve = (k >= HALVED) & (k % 2 == 1)
            new = jnp.where(inside & ~halve, newton, (low + high) / 2)
            over = (jnp.abs(f) <= eps * first) | (jnp.abs(new - s) <= eps * s)
            return low, high, jnp.where(over, s, new), over, k + 1

        begin = jnp.where(low > 0, (low + high) / 2, high)
        end = jax.lax.while_loop(
            lambda at: ~at[3] & (at[4] < NEWTON),
            step,
            (low, high, begin, ~((first > 0) & jnp.isfinite(high)), jnp.zeros((), int)),
        )
        return jnp.where((first > 0) & jnp.isfinite(end[2]), end[2], 0.0)

    def _slope_and_bend(self, s: Scalar) -> tuple[Float[AnyArray, ""], Float[AnyArray, ""]]:
        """First and second derivative of h along the line."""
        y, along = self.measurements(s), self.y1 + 2 * s * self.y2
        pull = self.omega * self.loss.derivative(y, self.b)
        bend = self.omega * self.loss.second(y, self.b) * along * along + 2 * pull * self.y2
        slope = jnp.sum(pull * along) + quartic.slope(self.penalty, s)
        return slope, jnp.sum(bend) + quartic.curvature(self.penalty, s)
