"""A multiple of a problem's objective, for losses that are means where h is half a sum."""

from typing import Any, ClassVar

import equinox as eqx
from jaxtyping import Float

from liftless._checks import describe, real_number
from liftless._errors import InvalidInput
from liftless._precision import entry
from liftless._types import AnyArray, Scalar
from liftless.line import MeasuredLine
from liftless.objective import Objective
from liftless.problem import Problem

Factor = Float[AnyArray, "n r"]


class OfProblem(Objective):
    """``scale`` times the objective h of a :class:`Problem`, in its factor.

    Parameters
    ----------
    problem : Problem
    scale : float
        Positive.  The losses of the IPGD paper are means where h is half a sum: (MS) with N
        measurements is ``OfProblem(problem, 1 / (2 * N))``.
    """

    problem: Problem
    scale: Scalar

    data_cost: ClassVar[float] = Problem.data_cost
    gradient_cost: ClassVar[float] = Problem.gradient_cost
    product_cost: ClassVar[float] = Problem.product_cost

    def __init__(self, problem: Any, scale: Any = 1.0) -> None:
        if not isinstance(problem, Problem):
            raise InvalidInput("problem", describe(problem), "a Problem")
        self.problem = problem
        self.scale = real_number("scale", scale, above=0.0)

    @entry
    def value(self, X: Factor) -> Float[AnyArray, ""]:
        """Scale times h."""
        return self.scale * self.problem.objective(X)

    @entry
    def gradient(self, X: Factor) -> Factor:
        """Scale times ∇h."""
        return self.scale * self.problem.gradient(X)

    @entry
    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        """Scale times ∇²h[D]."""
        return self.scale * self.problem.hessian_product(X, D)

    def value_and_gradient(self, X: Factor) -> tuple[Float[AnyArray, ""], Factor]:
        """Both from one application of the operator."""
        value, gradient = self.problem.value_and_gradient(X)
        return self.scale * value, self.scale * gradient

    def data(self, X: Factor) -> Float[AnyArray, " m"]:
        """A(X Xᵀ)."""
        return self.problem.data(X)

    def evaluate(self, X: Factor) -> tuple[Float[AnyArray, " m"], Factor]:
        """A(X Xᵀ) and the gradient."""
        y, gradient = self.problem.evaluate(X)
        return y, self.scale * gradient

    def value_at(self, y: Float[AnyArray, " m"], X: Factor) -> Float[AnyArray, ""]:
        """Scale times h."""
        return self.scale * self.problem.value_at(y, X)

    def excess_at(self, y: Float[AnyArray, " m"], X: Factor) -> Float[AnyArray, ""]:
        """Scale times the excess of h."""
        return self.scale * self.problem.excess_at(y, X)

    def gradient_at(self, y: Float[AnyArray, " m"], X: Factor) -> Factor:
        """Scale times ∇h."""
        return self.scale * self.problem.gradient_at(y, X)

    def product_at(self, y: Float[AnyArray, " m"], X: Factor, D: Factor) -> Factor:
        """Scale times ∇²h[D]."""
        return self.scale * self.problem.product_at(y, X, D)

    def line_at(self, y: Float[AnyArray, " m"], X: Factor, D: Factor) -> MeasuredLine:
        """Return the line of h, its weights times the scale."""
        line = self.problem.line_at(y, X, D)
        scaled = (self.scale * line.omega, self.scale * line.penalty)
        return eqx.tree_at(lambda one: (one.omega, one.penalty), line, scaled)

    def roundoff(self) -> float:
        """Round-off of the loss."""
        return self.problem.roundoff()

    def zero_level(self, X: Factor) -> Float[AnyArray, ""]:
        """Scale times the excess of h at zero."""
        return self.scale * self.problem.zero_level(X)

    def usual_size(self) -> float:
        """None: the factor's own size is the scale."""
        return self.problem.usual_size()

    def scale_at(
        self, excess: Float[AnyArray, ""], y: Float[AnyArray, " m"], X: Factor
    ) -> Float[AnyArray, ""]:
        """Return the excess, for the least value is known."""
        return self.problem.scale_at(excess, y, X)
