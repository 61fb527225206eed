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

#: Halvings of the bracket when a loss other than the squared one is minimised along a line.
BISECTIONS = 60


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
        the sign change of the slope found by bisection.
        """
        if self.loss.quadratic:
            return quartic.first_downhill(self.coefficients())
        first = -self.slope(0.0)
        # A step of Newton's size on the quadratic model sets the scale of the bracket.
        bend = jnp.sum(self.omega * self.loss.second(self.y0, self.b) * self.y1**2)
        start = jnp.abs(first) / jnp.maximum(bend, 1e-12 * jnp.abs(first) + 1e-300)
        high = jax.lax.fori_loop(0, 40, lambda _, s: jnp.where(self.slope(s) < 0, 2 * s, s), start)

        def halve(_: AnyArray, ends: tuple[AnyArray, AnyArray]) -> tuple[AnyArray, AnyArray]:
            low, high = ends
            middle = (low + high) / 2
            down = self.slope(middle) < 0
            return jnp.where(down, middle, low), jnp.where(down, high, middle)

        low, _ = jax.lax.fori_loop(0, BISECTIONS, halve, (jnp.zeros_like(high), high))
        return jnp.where((first > 0) & jnp.isfinite(low), low, 0.0)
