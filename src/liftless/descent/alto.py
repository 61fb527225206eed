"""ALTO: Lamb with a memory of gradient differences."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float

from liftless._checks import is_traced, real_number
from liftless._errors import InvalidInput
from liftless._types import AnyArray, Scalar
from liftless.descent.base import Factor, Method, Point
from liftless.descent.momentum import fraction
from liftless.objective import Objective

#: Zero-proof terms ε₁, ε₂, ε₃ of the source.
EPS = (1e-6, 1e-6, 1e-10)


class Averages(eqx.Module):
    """Averages of gradient differences and of the two moments, the last gradient, and k."""

    a: Factor
    m: Factor
    v: Factor
    g: Factor
    k: Float[AnyArray, ""]


class ALTO(Method[Averages]):
    """ALTO, algorithm 2 of its source, with the factor as its one layer.

    a ← β₁a + (1 − β₁)(g − g_last); m and v are Adam's bias-corrected moments of g + αa; with
    r = m̂/(√v̂ + ε₁) + decay·X the step is X ← X − step_k ‖X‖ r/‖r‖.

    Parameters
    ----------
    step : float
        Relative length of a step, > 0: ‖ΔX‖_F = step ‖X‖_F whatever the gradient.
    alpha : float
        Weight of the gradient differences, |α| < 1/(1 − β₁); negative explores, positive exploits.
    beta1, beta2, beta3 : float
        In [0, 1).
    decay : float
        Weight decay.
    cooling : float
        step_k = step/(1 + cooling·k): without it the run never settles, for the length of a step
        does not fall with the gradient.

    References
    ----------
    Zhao, Li, Zhou, Tan and Jia, Exploring landscapes for better minima along valleys (2025), the
    reference of the SOD paper.  That paper calls ALTO an extension of L-BFGS by curvature
    thresholds; its source adapts Lamb, and has neither.
    """

    step: Scalar
    alpha: Scalar
    beta1: Scalar
    beta2: Scalar
    beta3: Scalar
    decay: Scalar
    cooling: Scalar

    def __init__(
        self,
        step: Scalar = 0.01,
        alpha: Scalar = -5.0,
        beta1: Scalar = 0.99,
        beta2: Scalar = 0.9,
        beta3: Scalar = 0.99,
        *,
        decay: Scalar = 1e-4,
        cooling: Scalar = 0.0,
    ) -> None:
        self.step = real_number("step", step, above=0.0)
        self.alpha = real_number("alpha", alpha)
        self.beta1 = fraction("beta1", beta1)
        self.beta2 = fraction("beta2", beta2)
        self.beta3 = fraction("beta3", beta3)
        known = not (is_traced(self.alpha) or is_traced(self.beta1))
        if known and abs(self.alpha) * (1 - self.beta1) >= 1:
            must = f"of size < 1/(1 - beta1) = {1 / (1 - self.beta1):g}"
            raise InvalidInput("alpha", self.alpha, must, "Raise beta1.")
        self.decay = real_number("decay", decay, least=0.0)
        self.cooling = real_number("cooling", cooling, least=0.0)

    @property
    def step_size(self) -> Scalar:
        """The step, by its old name."""
        return self.step

    def init(self, objective: Objective, point: Point) -> Averages:
        """Return zero averages; the source takes the gradient before the first as zero."""
        del objective
        zero = jnp.zeros_like(jnp.asarray(point.X))
        return Averages(zero, zero, zero, zero, jnp.zeros((), zero.dtype))

    def advance(
        self, objective: Objective, point: Point, state: Averages
    ) -> tuple[Point, Averages]:
        """One step; two applications."""
        b1, b2, b3 = self.beta1, self.beta2, self.beta3
        g, X, k = point.gradient, point.X, state.k + 1
        a = b1 * state.a + (1 - b1) * (g - state.g)
        moved = g + self.alpha * a
        m = b2 * state.m + (1 - b2) * moved
        v = b3 * state.v + (1 - b3) * moved * moved
        r = m / (1 - b2**k) / (jnp.sqrt(v / (1 - b3**k)) + EPS[0]) + self.decay * X
        size = jnp.linalg.norm(X) + EPS[2]
        length = self.step / (1 + self.cooling * state.k)
        X = X - length * r * size / (jnp.linalg.norm(r) + EPS[1] * size)
        there = Point.at(objective, X, applications=point.applications)
        return there, Averages(a, m, v, g, k)
