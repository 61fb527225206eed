"""A problem of amplitudes whose points carry the amplitudes, which saves half of the applications.

The measurements are ‖p_i‖² for p = F X linear in X.  With p at hand the gradient takes one
adjoint; along a line p + s F D one forward map serves the search, and the next point's p too: two
applications a step of L-BFGS, where a problem that knows the measurements alone takes four.

The unknowns are U = D^½ X for the diagonal D of F* F, in which the columns of F are orthonormal.
"""

from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Inexact

from liftless._precision import entry
from liftless._types import AnyArray, Scalar
from liftless.line import MeasuredLine
from liftless.objective import Line, Objective
from liftless.operators import Orthogonal, SensingOperator
from liftless.operators.products import row_products
from liftless.problem import Problem

Factor = Float[AnyArray, "n r"]
Rows = Inexact[AnyArray, "m q"]


def orthogonal(operator: SensingOperator) -> Orthogonal | None:
    """Return the amplitudes of an operator where their map has orthogonal columns, else None."""
    found = operator.amplitudes()
    return found if isinstance(found, Orthogonal) else None


class CarriedLine(Line):
    """A :class:`MeasuredLine` that also knows the amplitudes; one application."""

    measured: MeasuredLine
    P: Rows
    Q: Rows

    cost: ClassVar[float] = 1.0
    data_cost: ClassVar[float] = 0.0

    def data(self, s: Scalar) -> Rows:
        """Amplitudes at U + s D."""
        return self.P + s * self.Q

    def search(self) -> tuple[Float[AnyArray, ""], float]:
        """Step to the first minimiser, for nothing."""
        return self.measured.first_minimiser(), 0.0


class CarriedProblem(Objective):
    """H of a problem as a function of U = D^½ X.

    Parameters
    ----------
    problem : Problem
        Of an operator with :class:`liftless.operators.Orthogonal` amplitudes, without regularisers.
    """

    problem: Problem
    amplitudes: Orthogonal
    root: Float[AnyArray, " n"]

    data_cost: ClassVar[float] = 1.0
    gradient_cost: ClassVar[float] = 1.0
    product_cost: ClassVar[float] = 2.0

    def __init__(self, problem: Problem, amplitudes: Orthogonal) -> None:
        self.problem, self.amplitudes = problem, amplitudes
        self.root = np.sqrt(np.asarray(amplitudes.gram()))

    @property
    def unit(self) -> float:
        """Size of U over that of X, for columns that are alike."""
        return float(np.sqrt(np.mean(np.asarray(self.root) ** 2)))

    def inside(self, X: Factor) -> Factor:
        """U of X."""
        return np.asarray(self.root)[:, None] * X

    def outside(self, U: Factor) -> Factor:
        """X of U."""
        return U / np.asarray(self.root)[:, None]

    @entry
    def value(self, X: Factor) -> Float[AnyArray, ""]:
        """H."""
        return self.value_at(self.data(X), X)

    @entry
    def gradient(self, X: Factor) -> Factor:
        """∇h in U."""
        return self.gradient_at(self.data(X), X)

    @entry
    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        """∇²h[D] in U."""
        return self.product_at(self.data(X), X, D)

    def value_and_gradient(self, X: Factor) -> tuple[Float[AnyArray, ""], Factor]:
        """H and ∇h from the same amplitudes."""
        P = self.data(X)
        return self.value_at(P, X), self.gradient_at(P, X)

    def data(self, X: Factor) -> Rows:
        """Amplitudes at U; one application."""
        return self.amplitudes.rows(X / self.root[:, None])

    def evaluate(self, X: Factor) -> tuple[Rows, Factor]:
        """Amplitudes and gradient; two applications."""
        P = self.data(X)
        return P, self.gradient_at(P, X)

    def value_at(self, y: Rows, X: Factor) -> Float[AnyArray, ""]:
        """H of amplitudes."""
        del X
        p = self.problem
        return jnp.sum(p.omega * p.loss.value(row_products(y, y), p.b))

    def excess_at(self, y: Rows, X: Factor) -> Float[AnyArray, ""]:
        """H of amplitudes, less the least value that any measurements could reach."""
        del X
        p = self.problem
        return jnp.sum(p.omega * p.loss.excess(row_products(y, y), p.b))

    def gradient_at(self, y: Rows, X: Factor) -> Factor:
        """∇h of amplitudes; one application."""
        del X
        pull = self.problem.pull(row_products(y, y))
        return 2 * self._back(pull[:, None] * y)

    def _back(self, P: Rows) -> Factor:
        return self.amplitudes.back(P) / self.root[:, None]

    def product_at(self, y: Rows, X: Factor, D: Factor) -> Factor:
        """∇²h[D] where the amplitudes are known; two applications."""
        del X
        p, Q = self.problem, self.data(D)
        measured = row_products(y, y)
        change = 2 * row_products(y, Q)
        bend = p.omega * p.loss.second(measured, p.b) * change
        return 2 * self._back(p.pull(measured)[:, None] * Q + bend[:, None] * y)

    def line_at(self, y: Rows, X: Factor, D: Factor) -> CarriedLine:
        """Return the objective along U + s D where the amplitudes are known; one application."""
        p, Q = self.problem, self.data(D)
        line = MeasuredLine(
            y0=row_products(y, y),
            y1=2 * row_products(y, Q),
            y2=row_products(Q, Q),
            b=p.b,
            omega=p.omega,
            penalty=jnp.zeros(5, jnp.result_type(X)),
            loss=p.loss,
        )
        return CarriedLine(line, y, Q)

    def roundoff(self) -> float:
        """Round-off of the loss."""
        return self.problem.roundoff()

    def zero_level(self, X: Factor) -> Float[AnyArray, ""]:
        """Excess of h at zero."""
        return self.problem.zero_level(X)

    def usual_size(self) -> float:
        """None: the factor's own size is the scale."""
        return self.problem.usual_size()

    def scale_at(self, excess: Float[AnyArray, ""], y: Rows, X: Factor) -> Float[AnyArray, ""]:
        """Return the excess, for the least value is known."""
        del y, X
        return excess


def carried_problem(problem: Problem) -> CarriedProblem | None:
    """Return a problem with its amplitudes carried, where those are of orthogonal columns.

    Regularisers are not in its unknowns: then there is none.
    """
    amplitudes = None if problem.regularisers else orthogonal(problem.operator)
    return None if amplitudes is None else CarriedProblem(problem, amplitudes)
