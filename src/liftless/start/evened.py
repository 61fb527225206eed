"""A start on even weights, for rows whose weights are many orders of magnitude apart.

Where the data can be fitted exactly the weights do not matter, but descent feels them: with one row
10⁷ times another h is a ravine.  So the start and a first descent are made with weights of zero and
one, and what they end at is handed over.
"""

from dataclasses import dataclass

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from liftless.cost import POINT, STEP, normal_matrix
from liftless.descent import LBFGS, LevenbergMarquardt, Stop, descend
from liftless.descent.prices import step_price
from liftless.descent.watched import descend_watched
from liftless.problem import Problem
from liftless.start.base import HOPELESS_POOR, Allowance, Begun, Start, checked

#: Ratio of the largest weight to the least that is not zero from which weights are evened.
UNEVEN = 1e3


def uneven(problem: Problem) -> bool:
    """Whether descent would feel the weights of the rows more than the matrix."""
    w = np.asarray(problem.weights)
    used = w[w != 0]
    return used.size > 0 and float(used.max()) > UNEVEN * float(used.min())


@dataclass(frozen=True)
class Evened(Start):
    """Another start, and a descent from it, with all weights one.

    Parameters
    ----------
    start : Start
    """

    start: Start

    def __str__(self) -> str:
        return f"{self.start}, even weights"

    def suits(self, problem: Problem) -> bool:
        """Whether the other start suits the problem."""
        return self.start.suits(problem)

    def least(self, problem: Problem, allowance: Allowance) -> float | int:
        """What the other one takes, a point and a step."""
        return self.start.least(problem, allowance) + POINT + STEP

    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """Begin as the other start does, and descend."""
        weights = jnp.where(problem.weights != 0, 1.0, 0.0)
        even = eqx.tree_at(lambda p: p.weights, problem, weights)
        own = allowance.of(even)
        begun = checked(self.start.begin(even, seed, own), self.start, even)
        if begun.completion is not None:
            # It has been descended from already.
            return begun
        return _descended(even, begun, own)


def _descended(problem: Problem, begun: Begun, allowance: Allowance) -> Begun:
    """Go on from what a start handed over, as far as that is paid for and not hopeless."""
    rank, books = problem.rank, allowance.account
    X = problem.space.truncate(begun.X, rank)
    small = normal_matrix(problem.m, X.size)
    method = LevenbergMarquardt() if small else LBFGS()
    price, work = step_price(problem, method, rank)
    with books.within(books.left - begun.spent):
        steps = books.steps(price, rank, work, first=POINT, least=0)
    if steps == 0:
        return begun
    stop, long = Stop(None, HOPELESS_POOR, steps), price * books.model.one + work
    if allowance.going is not None and allowance.watching(steps * long):
        done = descend_watched(problem, X, method, stop, allowance.going)
    else:
        done = descend(problem, X, method, stop)
    spent = done.applications + books.model.of(done.iterations * work)
    count = (begun.applications or 0) + done.applications
    return Begun(done.X, begun.spent + spent, count)
