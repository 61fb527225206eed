"""Whether another factor has the measurements of X, row by row, at any size."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from liftless.identify.question import SAME_FIT, Question, question
from liftless.identify.zeros import operator_measures
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]

#: Two fits differ if their matrices do by this much, relatively.
APART = 1e-5
#: Round-off of a reading, in units of its size.
EPSILON = 4 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Fit:
    """The measurements of X, and what differs from them by no more than round-off.

    Attributes
    ----------
    problem : Problem
    X : array of shape (n, r)
    y : array of shape (m,)
        A(X Xᵀ).
    used : boolean array of shape (m,)
        The measurements of nonzero weight.
    q : Question or None
        The scaled question, where the A_i are few numbers: then each row has its own scale.
    """

    problem: Problem
    X: Factor
    y: Float[np.ndarray, " m"]
    used: Bool[np.ndarray, " m"]
    q: Question | None

    def same(self, Y: Factor) -> bool:
        """Whether Y fits, and its matrix is another one."""
        space = self.problem.operator.space
        if self.q is not None:
            Z = Y / self.q.lengths[:, None]
            return self.q.fits(Z) and self.q.apart(Z) > APART
        y = np.asarray(operator_measures(self.problem.operator, Y))
        level = SAME_FIT * np.maximum(np.abs(self.y), np.median(np.abs(self.y[self.used])))
        if np.any(np.abs(y - self.y)[self.used] > level[self.used]):
            return False
        return space.distance(Y, self.X) > APART * space.size(self.X)


def residual(fit: Fit) -> Float[np.ndarray, " m"]:
    """|A(X Xᵀ) − b| and round-off."""
    b = np.abs(np.asarray(fit.problem.b))
    return np.abs(fit.y - fit.problem.b) + EPSILON * (np.abs(fit.y) + b)


def fit_of(problem: Problem, X: Factor) -> Fit:
    """Measure X."""
    y = np.asarray(operator_measures(problem.operator, X))
    return Fit(problem, X, y, np.asarray(problem.weights) != 0, question(problem, X))
