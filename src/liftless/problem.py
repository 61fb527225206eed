"""The recovery problem: objective, derivatives, and the exact course along a line."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, is_traced, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._memory import aligned
from liftless._precision import entry
from liftless._types import AnyArray
from liftless.line import MeasuredLine
from liftless.losses import Loss, Squared
from liftless.objective import Objective
from liftless.operators import SensingOperator
from liftless.operators.traceable import check_traceable
from liftless.regularisers import Regulariser
from liftless.space import Space

Factor = Float[AnyArray, "n r"]


class Problem(Objective):
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

    data_cost: ClassVar[float] = 1.0
    gradient_cost: ClassVar[float] = 1.0
    #: A(X D), and A* twice.
    product_cost: ClassVar[float] = 3.0

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
        check_traceable(operator)
        self.operator = operator
        self.loss = Squared() if loss is None else loss
        if not isinstance(self.loss, Loss):
            cure = "Pass Squared(), Huber(scale) or Logistic()."
            raise InvalidInput("loss", describe(loss), "a Loss", cure)
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
        self.b = aligned(real_array("b", b, 1))
        m = operator.m
        if self.b.shape != (m,):
            raise InvalidInput("b", describe(self.b), f"of shape ({m},), one value a measurement")
        if not is_traced(self.b):
            self.loss.check(np.asarray(self.b))
        self.rank = positive_int("rank", rank, most=operator.space.most_columns)
        for regulariser in self.regularisers:
            regulariser.check(operator.n, self.rank)
        weights = np.ones(m, self.b.dtype) if weights is None else weights
        self.weights = aligned(real_array("weights", weights, 1, dtype=self.b.dtype))
        negative = not is_traced(self.weights) and np.any(self.weights < 0)
        if self.weights.shape != (m,) or negative:
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

    def value(self, X: Factor) -> Float[AnyArray, ""]:
        """h(X), by the name that every objective has for it."""
        return self.objective(X)

    def value_and_gradient(self, X: Factor) -> tuple[Float[AnyArray, ""], Factor]:
        """h(X) and ∇h(X) from the same measurements; traceable."""
        y = self.data(X)
        return self.value_at(y, X), self.gradient_at(y, X)

    def data(self, X: Factor) -> Float[AnyArray, " m"]:
        """A(X Xᵀ), which a point carries; one application; traceable."""
        return self.operator.measure(X, X)

    def evaluate(self, X: Factor) -> tuple[Float[AnyArray, " m"], Factor]:
        """A(X Xᵀ) and ∇h(X); two applications; traceable."""
        y = self.data(X)
        return y, self.gradient_at(y, X)

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
        return self.product_at(self.operator.measure(X, X), X, D)

    def product_at(self, y: Float[AnyArray, " m"], X: Factor, D: Factor) -> Factor:
        """∇²h(X)[D] when ``y`` = A(X Xᵀ) is known; three applications; traceable."""
        change = 2 * self.operator.measure(X, D)
        bend = self.omega * self.loss.second(y, self.b) * change
        data = 2 * self.operator.backproject(self.pull(y), D)
        data = data + 2 * self.operator.backproject(bend, X)
        return sum((g.hessian_product(X, D) for g in self.regularisers), data)

    # -- for the rules that end a run ---------------------------------------------------------

    def roundoff(self) -> float:
        """Round-off of the loss."""
        return self.loss.roundoff

    def zero_level(self, X: Factor) -> Float[AnyArray, ""]:
        """h(0) less the least value any measurements could reach; traceable."""
        zero = jnp.zeros((self.m,), jnp.result_type(X))
        return jnp.sum(self.omega * self.loss.excess(zero, self.b))

    def usual_size(self) -> float:
        """None: the factor's own size is the scale."""
        return 0.0

    def scale_at(
        self, excess: Float[AnyArray, ""], y: Float[AnyArray, " m"], X: Factor
    ) -> Float[AnyArray, ""]:
        """Return the excess, for the least value is known."""
        del y, X
        return excess

    # -- along a line -------------------------------------------------------------------------

    def line_at(self, y: Float[AnyArray, " m"], X: Factor, D: Factor) -> MeasuredLine:
        """Return the objective along X + s D when ``y`` = A(X Xᵀ) is known; traceable."""
        zero = jnp.zeros(5, jnp.result_type(X))
        cross, square = self.operator.measure_pair(X, D)
        return MeasuredLine(
            y0=y,
            y1=2 * cross,
            y2=square,
            b=self.b,
            omega=self.omega,
            penalty=sum((g.along(X, D) for g in self.regularisers), zero),
            loss=self.loss,
        )

    @entry
    def line(self, X: Factor, D: Factor) -> MeasuredLine:
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
