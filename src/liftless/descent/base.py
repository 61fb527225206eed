"""What a local method is: frozen hyper-parameters, a state of its own, and one step."""

import abc
from typing import ClassVar, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless._errors import InvalidInput
from liftless._types import AnyArray, Scalar
from liftless.objective import Data, Objective
from liftless.problem import Problem

#: Any shape; a method of a problem, or of columns, needs (n, r).
Factor = Float[AnyArray, "*shape"]


class Point(eqx.Module):
    """An iterate with everything the next step and the stop rule need, so nothing is redone.

    Attributes
    ----------
    X : array of shape (n, r), or any that the objective takes
    y : array
        What the objective carries: A(X Xᵀ), of shape (m,), for a problem.
    excess : scalar
        h(X) less the least value conceivable.
    gradient : array of the shape of X
    applications : scalar
        Applications of A or A* to one matrix so far, or passes through another function.
    """

    X: Factor
    y: Data
    excess: Float[AnyArray, ""]
    gradient: Factor
    applications: Float[AnyArray, ""]

    @classmethod
    def at(
        cls,
        objective: Objective,
        X: Factor,
        y: Data | None = None,
        applications: Float[AnyArray, ""] | float = 0.0,
    ) -> "Point":
        """Evaluate at ``X``: the gradient, and the carried data unless they are known."""
        cost = objective.gradient_cost
        if y is None:
            y, gradient = objective.evaluate(X)
            cost += objective.data_cost
        else:
            gradient = objective.gradient_at(y, X)
        return cls(
            X=X,
            y=y,
            excess=objective.excess_at(y, X),
            gradient=gradient,
            applications=jnp.asarray(applications + cost, jnp.result_type(X)),
        )

    def moved(self, objective: Objective, D: Factor, step: Float[AnyArray, ""]) -> "Point":
        """Evaluate at X + step·D.

        Only for a step already chosen; see :meth:`along` for the line search.
        """
        return Point.at(objective, self.X + step * D, applications=self.applications)

    def along(self, objective: Objective, D: Factor) -> tuple["Point", Float[AnyArray, ""]]:
        """Go downhill along D; to the first minimiser, and for three applications, in a problem.

        Returns
        -------
        point : Point
        step : scalar
            0 where D is not a descent direction.
        """
        line = objective.line_at(self.y, self.X, D)
        step, searched = line.search()
        cost = self.applications + line.cost + line.data_cost + searched
        return Point.at(objective, self.X + step * D, line.data(step), cost), step


#: Share of a gradient's size that is a fall of it.
FLATTER = 0.9


def kept_at_roundoff(problem: Problem, point: Point, there: Point, cost: Scalar | int) -> Point:
    """The next point of a second-order method, or the same where it gains nothing to be seen.

    That is where round-off hides the fall of h, and the gradient does not fall either: of a misfit
    that is small beside the data the gradient is round-off long before it is small beside h.

    Parameters
    ----------
    problem : Problem
    point, there : Point
        Before a step and after it.
    cost : float
        Applications of the step, apart from those of the line.
    """
    known = jnp.abs(point.y) + jnp.abs(problem.b)
    hidden = jnp.sum(jnp.abs(problem.pull(point.y)) * known) + point.excess
    # NaN is no fall, and must be seen.
    fell = ~(point.excess - there.excess <= jnp.finfo(point.X.dtype).eps * hidden)
    slopes = jnp.linalg.norm(there.gradient), jnp.linalg.norm(point.gradient)
    fell |= slopes[0] < FLATTER * slopes[1]
    best = jax.tree.map(lambda a, b: jnp.where(fell, a, b), there, point)
    return Point(best.X, best.y, best.excess, best.gradient, there.applications + cost)


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

    @property
    def alone(self) -> bool:
        """Whether a step branches, so that several starts are better run one after another."""
        return False

    @abc.abstractmethod
    def init(self, objective: Objective, point: Point) -> S:
        """Return the state before the first step."""

    @abc.abstractmethod
    def advance(self, objective: Objective, point: Point, state: S) -> tuple[Point, S]:
        """One step from ``point``: the next point and state; traceable."""

    def resumed(self, objective: Objective, point: Point, state: S) -> S:
        """State to go on with in double precision, from one of single; traceable.

        A new one, unless a method keeps what is worth it.
        """
        del state
        return self.init(objective, point)

    def status(self, code: AnyArray, state: S) -> AnyArray:
        """Status of the run where the stop rule has come to ``code``; traceable.

        Overridden by a method that knows better what is an end.
        """
        del state
        return code


def as_problem(objective: Objective, method: Method) -> Problem:
    """Return the objective of a method that needs the structure of a problem."""
    if not isinstance(objective, Problem):
        was = f"{type(objective).__name__}, of which {type(method).__name__} knows no operator"
        cure = "LBFGS() takes any smooth objective."
        raise InvalidInput("objective", was, "a Problem", cure)
    return objective
