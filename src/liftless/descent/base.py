"""What a local method is: frozen hyper-parameters, a state of its own, and one step."""

import abc
from typing import ClassVar, Generic, TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.problem import Problem

Factor = Float[AnyArray, "n r"]


class Point(eqx.Module):
    """An iterate with everything the next step and the stop rule need, so nothing is redone.

    Attributes
    ----------
    X : array of shape (n, r)
    y : array of shape (m,)
        A(X Xᵀ).
    excess : scalar
        h(X) less the least value any measurements could reach.
    gradient : array of shape (n, r)
    applications : scalar
        Applications of A or A* to one matrix so far.
    """

    X: Factor
    y: Float[AnyArray, " m"]
    excess: Float[AnyArray, ""]
    gradient: Factor
    applications: Float[AnyArray, ""]

    @classmethod
    def at(
        cls,
        problem: Problem,
        X: Factor,
        y: Float[AnyArray, " m"] | None = None,
        applications: Float[AnyArray, ""] | float = 0.0,
    ) -> "Point":
        """Evaluate at ``X``: one application for the gradient, one more unless ``y`` is known."""
        cost = 1.0 if y is not None else 2.0
        y = problem.operator.measure(X, X) if y is None else y
        return cls(
            X=X,
            y=y,
            excess=problem.excess_at(y, X),
            gradient=problem.gradient_at(y, X),
            applications=jnp.asarray(applications + cost, jnp.result_type(X)),
        )

    def moved(self, problem: Problem, D: Factor, step: Float[AnyArray, ""]) -> "Point":
        """Evaluate at X + step·D.

        Only for a step already chosen; see :meth:`along` for the exact line search.
        """
        return Point.at(problem, self.X + step * D, applications=self.applications)

    def along(self, problem: Problem, D: Factor) -> tuple["Point", Float[AnyArray, ""]]:
        """Go to the first minimiser along D: three applications, the residual updated for free.

        Returns
        -------
        point : Point
        step : scalar
            0 where D is not a descent direction.
        """
        line = problem.line_at(self.y, self.X, D)
        step = line.first_minimiser()
        there = Point.at(
            problem,
            self.X + step * D,
            line.measurements(step),
            self.applications + 2.0,
        )
        return there, step


S = TypeVar("S")


class Method(eqx.Module, Generic[S]):
    """A local method.  Fields are hyper-parameters, plain numbers; nothing in it changes.

    A subclass is final and defines :meth:`init` and :meth:`advance`; the loop is
    :func:`liftless.descent.descend`'s.  A step must leave zero columns of X zero, so that one
    compiled width serves several ranks: every method built from gradients does, and noise is
    kept off the columns that are zero at the start (:mod:`liftless.descent.stream`).
    """

    #: Whether a step may leave X where it is, in which case that does not end the run.
    waits: ClassVar[bool] = False

    @abc.abstractmethod
    def init(self, problem: Problem, point: Point) -> S:
        """Return the state before the first step."""

    @abc.abstractmethod
    def advance(self, problem: Problem, point: Point, state: S) -> tuple[Point, S]:
        """One step from ``point``: the next point and state; traceable."""
