"""The recovery problem: objective, derivatives, and the exact course along a line."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless import quartic
from liftless._checks import describe, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._precision import entry
from liftless._types import AnyArray, Scalar
from liftless.losses import Loss, Squared
from liftless.operators import SensingOperator
from liftless.regularisers import Regulariser
from liftless.space import Space

Factor = Float[AnyArray, "n r"]

#: Halvings of the bracket when a loss other than the squared one is minimised along a line.
BISECTIONS = 60


class Line(eqx.Module):
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


class Problem(eqx.Module):
    """min over X ∈ ℝⁿˣʳ of h(X) = Σ_i w_i² ℓ(A(X Xᵀ)_i, b_i) + regularisers.

    With the squared loss ℓ = ½(y − b)² and unit weights this is h(X) = ½‖A(X Xᵀ) − b‖²,
    problem (P1) of the SOD escape paper.

    Parameters
    ----------
    operator : SensingOperator
        The map A.
    b : array of shape (m,)
        Measurements.
    rank : int
        Columns of the factor sought, 1 <= rank <= n.
    weights : array of shape (m,), optional
        Row weights w >= 0: they multiply the residual, so that w = 1/σ whitens noise of standard
        deviation σ.  Rows of weight zero are ignored.
    loss : Loss, optional
        Squared by default.
    regularisers : tuple of Regulariser, optional
        Added to the objective.

    Raises
    ------
    InvalidInput
        For every argument that cannot be used, by its name.

    Notes
    -----
    Every method takes NumPy or JAX arrays.  Called on concrete arrays it computes in float64 and
    returns NumPy; inside a caller's ``jit`` or ``vmap`` it is plain JAX.
    """

    operator: SensingOperator
    b: Float[AnyArray, " m"]
    weights: Float[AnyArray, " m"]
    loss: Loss
    regularisers: tuple[Regulariser, ...]
    rank: int = eqx.field(static=True)

    def __init__(
        self,
        operator: SensingOperator,
        b: Any,
        rank: int,
        *,
        weights: Any = None,
        loss: Loss | None = None,
        regularisers: tuple[Regulariser, ...] = (),
    ) -> None:
        if not isinstance(operator, SensingOperator):
            raise InvalidInput(
                "operator",
                describe(operator),
                "a SensingOperator",
                "Wrap an array of matrices with DenseOperator.from_matrices.",
            )
        if any(isinstance(leaf, int) for leaf in jax.tree.leaves(operator)):
            raise InvalidInput(
                "operator",
                f"{type(operator).__name__} with an integer field that would be traced",
                "a module whose sizes are static",
                "Declare n and m as eqx.field(static=True), or as properties.",
            )
        self.operator = operator
        self.loss = Squared() if loss is None else loss
        if not isinstance(self.loss, Loss):
            raise InvalidInput("loss", describe(loss), "a Loss", "Pass Squared() or Logistic().")
        if not isinstance(regularisers, (tuple, list)) or not all(
            isinstance(g, Regulariser) for g in regularisers
        ):
            raise InvalidInput(
                "regularisers",
                describe(regularisers),
                "a tuple of Regulariser",
                "Write (Ridge(0.1),).",
            )
        self.regularisers = tuple(regularisers)
        self.b = real_array("b", b, 1)
        m = operator.m
        if self.b.shape != (m,):
            raise InvalidInput("b", describe(self.b), f"of shape ({m},), one value a measurement")
        self.loss.check(self.b)
        self.rank = positive_int("rank", rank, most=operator.space.most_columns)
        for regulariser in self.regularisers:
            regulariser.check(operator.n, self.rank)
        self.weights = np.ones(m) if weights is None else real_array("weights", weights, 1)
        if self.weights.shape != (m,) or self.weights.min() < 0:
            raise InvalidInput("weights", describe(self.weights), f"of shape ({m},) and >= 0")

    @property
    def n(self) -> int:
        """Order of the unknown matrix."""
        return self.operator.n

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.operator.m

    @property
    def space(self) -> Space:
        """What the factor stands for: the operator's space."""
        return self.operator.space

    @property
    def degrees_of_freedom(self) -> int:
        """Dimension of the matrices of rank r that the operator is for."""
        return self.operator.degrees_of_freedom(self.rank)

    def with_rank(self, rank: int) -> "Problem":
        """Return the same data, another number of columns."""
        rank = positive_int("rank", rank, most=self.space.most_columns)
        return Problem(
            self.operator,
            self.b,
            rank,
            weights=self.weights,
            loss=self.loss,
            regularisers=tuple(g.of_width(rank) for g in self.regularisers),
        )

    # -- values -------------------------------------------------------------------------------

    @property
    def omega(self) -> Float[AnyArray, " m"]:
        """Squared row weights, the factors of the loss."""
        return self.weights * self.weights

    @entry
    def measurements(self, X: Factor) -> Float[AnyArray, " m"]:
        """A(X Xᵀ), without the row weights."""
        return self.operator.measure(X, X)

    @entry
    def residual(self, X: Factor) -> Float[AnyArray, " m"]:
        """W ⊙ (A(X Xᵀ) − b)."""
        return self.weights * (self.operator.measure(X, X) - self.b)

    @entry
    def objective(self, X: Factor) -> Float[AnyArray, ""]:
        """h(X)."""
        return self.value_at(self.operator.measure(X, X), X)

    def value_at(self, y: Float[AnyArray, " m"], X: Factor) -> Float[AnyArray, ""]:
        """h(X) when ``y`` = A(X Xᵀ) is already known; traceable."""
        return jnp.sum(self.omega * self.loss.value(y, self.b)) + self.penalty(X)

    def excess_at(self, y: Float[AnyArray, " m"], X: Factor) -> Float[AnyArray, ""]:
        """h(X) less the least value any measurements could reach; traceable.

        Equal to h(X) for the squared loss.
        """
        return jnp.sum(self.omega * self.loss.excess(y, self.b)) + self.penalty(X)

    def penalty(self, X: Factor) -> Float[AnyArray, ""]:
        """Sum of the regularisers; traceable."""
        return sum((g.value(X) for g in self.regularisers), jnp.zeros((), jnp.result_type(X)))

    # -- derivatives --------------------------------------------------------------------------

    def pull(self, y: Float[AnyArray, " m"]) -> Float[AnyArray, " m"]:
        """w² ⊙ ℓ'(y, b), so that ∇f = A*(pull); traceable."""
        return self.omega * self.loss.derivative(y, self.b)

    def gradient_at(self, y: Float[AnyArray, " m"], X: Factor) -> Factor:
        """∇h(X) when ``y`` = A(X Xᵀ) is already known; traceable."""
        data = 2 * self.operator.backproject(self.pull(y), X)
        return sum((g.gradient(X) for g in self.regularisers), data)

    @entry
    def gradient(self, X: Factor) -> Factor:
        """∇h(X) = 2 A*(w² ℓ'(A(XXᵀ), b)) X plus the regularisers', eq. (1.2) of the SOD paper."""
        return self.gradient_at(self.operator.measure(X, X), X)

    @entry
    def slack(self, X: Factor, W: Float[AnyArray, "n c"]) -> Float[AnyArray, "n c"]:
        """∇f(X Xᵀ) W, matrix-free; f includes the trace part of the regularisers.

        Parameters
        ----------
        X : array of shape (n, r)
        W : array of shape (n, c)
            Any number of columns.

        Returns
        -------
        array of shape (n, c)
        """
        y = self.operator.measure(X, X)
        return self.operator.backproject(self.pull(y), W) + self.trace_weight / 2 * W

    @property
    def trace_weight(self) -> Float[AnyArray, ""] | float:
        """μ of the trace penalty ½ μ tr(X Xᵀ) that the regularisers contain."""
        return sum((g.trace_weight() for g in self.regularisers), 0.0)

    @entry
    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        """∇²h(X)[D]."""
        y = self.operator.measure(X, X)
        change = 2 * self.operator.measure(X, D)
        bend = self.omega * self.loss.second(y, self.b) * change
        data = 2 * self.operator.backproject(self.pull(y), D)
        data = data + 2 * self.operator.backproject(bend, X)
        return sum((g.hessian_product(X, D) for g in self.regularisers), data)

    # -- along a line -------------------------------------------------------------------------

    def line_at(self, y: Float[AnyArray, " m"], X: Factor, D: Factor) -> Line:
        """Return the objective along X + s D when ``y`` = A(X Xᵀ) is known; traceable."""
        zero = jnp.zeros(5, jnp.result_type(X))
        cross, square = self.operator.measure_pair(X, D)
        return Line(
            y0=y,
            y1=2 * cross,
            y2=square,
            b=self.b,
            omega=self.omega,
            penalty=sum((g.along(X, D) for g in self.regularisers), zero),
            loss=self.loss,
        )

    @entry
    def line(self, X: Factor, D: Factor) -> Line:
        """Return the objective along X + s D, for any loss."""
        return self.line_at(self.operator.measure(X, X), X, D)

    def along(self, X: Factor, D: Factor) -> Float[AnyArray, " 5"]:
        """Exact coefficients of the quartic s ↦ h(X + s D), constant term first.

        Raises
        ------
        InvalidInput
            If the loss is not quadratic; use :meth:`line` then.
        """
        if not self.loss.quadratic:
            raise InvalidInput(
                "loss", self.loss.name, "quadratic for an exact quartic", "Use line(X, D)."
            )
        return _coefficients(self, X, D)


@entry
def _coefficients(problem: Problem, X: Factor, D: Factor) -> Float[AnyArray, " 5"]:
    return problem.line_at(problem.operator.measure(X, X), X, D).coefficients()
