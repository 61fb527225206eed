"""Maximum likelihood of an image from counts, from a fit by weights."""

import numpy as np
from jaxtyping import Float

from liftless.carried import CarriedProblem
from liftless.descent import LBFGS, Descent, Stop, descend
from liftless.losses import Poisson
from liftless.phase.data import Data
from liftless.phase.descent import MEMORY, Books, gradient_for
from liftless.problem import Problem

Factor = Float[np.ndarray, "n 1"]

#: Curvature of the likelihood of an image in counts.
BEND = 4.0


def counts_problem(data: Data) -> Problem:
    """Poisson likelihood of all readings: Σ (y − b log y) over the frequencies that were counted.

    A reading of the operator is the mean of those that it stands for, times their number; with
    these weights the sum is that over the single counts.  Convex in the measurements.
    """
    weights = np.sqrt(data.known * data.counts)
    return Problem(data.operator, data.b, 1, weights=weights, loss=Poisson())


def most_likely(data: Data, books: Books, X: Factor) -> tuple[Factor, Descent]:
    """Descend to maximum likelihood, as far as noise asks for it."""
    carried = CarriedProblem(counts_problem(data), data.operator)
    stop = Stop(0.0, gradient_for(data, BEND), books.steps)
    done = descend(carried, carried.inside(X), LBFGS(MEMORY), stop)
    return np.asarray(carried.outside(done.X)), done
