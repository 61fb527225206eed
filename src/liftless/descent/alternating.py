"""Alternating minimisation for a symmetric factor."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from liftless._checks import real_number, traced_whole
from liftless._errors import InvalidInput
from liftless._fields import number
from liftless._types import AnyArray, Scalar, Whole
from liftless.descent.base import Factor, Method, Point, as_problem
from liftless.objective import Objective
from liftless.problem import Problem

#: A half step ends when the gradient of its least-squares problem has fallen by this factor.
ACCURATE = 1e-10


#: Conjugate gradients: iterate, residual, direction, steps so far.
Walk = tuple[Factor, Factor, Factor, Float[AnyArray, ""]]


class Pair(eqx.Module):
    """The two factors, and the weight that ties them."""

    U: Factor
    V: Factor
    tie: Float[AnyArray, ""]


class Alternating(Method[Pair]):
    """Minimise ½‖W(A(sym(U Vᵀ)) − b)‖² + (μ/2)‖U − V‖_F² over V and U in turn; X = (U + V)/2.

    The split form with a tie, as for symmetric factorisation: each half step is a linear
    least-squares problem, solved by conjugate gradients.  Where U = V its stationary points are
    those of h.  Plain alternation without the tie looks for any U Vᵀ, which need not be positive
    semidefinite; and with U fixed at X the mean of U and V is the full Gauss–Newton step.

    Parameters
    ----------
    tie : float
        μ relative to ‖A(X₀X₀ᵀ)‖ ‖b‖/‖X₀‖_F² at the start, > 0.
    most : int
        Longest run of conjugate gradients in a half step.

    References
    ----------
    Jain, Netrapalli and Sanghavi (2013) for the alternation; Kuang, Yun and Park (2015) for the
    tie of the symmetric case.
    """

    tie: Scalar
    most: Whole = number()

    def __init__(self, tie: Scalar = 0.1, most: Whole = 50) -> None:
        self.tie = real_number("tie", tie, above=0.0)
        self.most = traced_whole("most", most)

    def init(self, objective: Objective, point: Point) -> Pair:
        """Return U = V = X."""
        problem = as_problem(objective, self)
        if not problem.loss.quadratic or problem.regularisers:
            must = "the squared loss without regularisers"
            raise InvalidInput("problem", "another objective", must, "Use LBFGS().")
        X = jnp.asarray(point.X)
        w = problem.weights
        size = jnp.linalg.norm(w * point.y) * jnp.linalg.norm(w * jnp.asarray(problem.b))
        square = jnp.sum(X * X)
        return Pair(X, X, self.tie * size / jnp.where(square > 0, square, 1.0))

    def advance(self, objective: Objective, point: Point, state: Pair) -> tuple[Point, Pair]:
        """Two half steps; four applications, two, and two for each step of conjugate gradients."""
        problem = as_problem(objective, self)
        V, first = self._half(problem, state.U, state.V, state.tie)
        U, second = self._half(problem, V, state.U, state.tie)
        cost = point.applications + first + second
        return Point.at(problem, (U + V) / 2, applications=cost), Pair(U, V, state.tie)

    def _half(
        self, problem: Problem, U: Factor, V: Factor, tie: Float[AnyArray, ""]
    ) -> tuple[Factor, Float[AnyArray, ""]]:
        """Return the best V for a fixed U from the given one, and the applications."""

        def normal(D: Factor) -> Factor:
            y = problem.omega * problem.operator.measure(U, D)
            return problem.operator.backproject(y, U) + tie * D

        misfit = problem.omega * (problem.operator.measure(U, V) - problem.b)
        residual = -problem.operator.backproject(misfit, U) - tie * (V - U)
        first = jnp.linalg.norm(residual)

        def more(at: Walk) -> AnyArray:
            return (jnp.linalg.norm(at[1]) > ACCURATE * first) & (at[3] < self.most)

        def one(at: Walk) -> Walk:
            D, R, P, k = at
            HP, square = normal(P), jnp.sum(R * R)
            length = square / jnp.sum(P * HP)
            after = R - length * HP
            return D + length * P, after, after + jnp.sum(after * after) / square * P, k + 1

        zero: Array = jnp.zeros((), residual.dtype)
        D, _, _, k = jax.lax.while_loop(more, one, (V, residual, residual, zero))
        return D, 2 * k + 2
