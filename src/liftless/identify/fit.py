"""A fit and what is known of it: each thing computed once, when a detector first asks."""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from liftless.identify.question import (
    SAME_FIT,
    Question,
    live_rows,
    measures_and_squares,
    operator_measures,
    question,
    scales,
)
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]

#: Two fits differ if their matrices do by this much, relatively.
APART = 1e-5
#: Round-off of a reading, in units of its size.
EPSILON = 4 * float(np.finfo(float).eps)
#: Most numbers of the A_i that are looked at.
LOOKED_AT = 4e6


@dataclass(frozen=True)
class Fit:
    """A factor, its measurements, and what else fits them to round-off, row by row.

    Attributes
    ----------
    problem : Problem
    X : array of shape (n, r)
    """

    problem: Problem
    X: Factor

    @functools.cached_property
    def used(self) -> Bool[np.ndarray, " m"]:
        """The measurements of nonzero weight."""
        return np.asarray(self.problem.weights) != 0

    @functools.cached_property
    def _readings(self) -> tuple[np.ndarray, np.ndarray | None]:
        problem = self.problem
        if not problem.space.semidefinite or float(problem.m) * problem.n**2 > LOOKED_AT:
            return np.asarray(operator_measures(problem.operator, self.X)), None
        y, squares = measures_and_squares(problem.operator, self.X)
        return np.asarray(y), np.sqrt(np.asarray(squares))

    @property
    def y(self) -> Float[np.ndarray, " m"]:
        """A(X Xᵀ)."""
        return self._readings[0]

    @property
    def norms(self) -> Float[np.ndarray, " m"] | None:
        """‖A_i‖ in a space of semidefinite matrices, where they are few numbers; else None."""
        return self._readings[1]

    @functools.cached_property
    def b(self) -> Float[np.ndarray, " m"]:
        """The data."""
        return np.asarray(self.problem.b)

    @functools.cached_property
    def lengths(self) -> Float[np.ndarray, " n"]:
        """Lengths of the rows of X, see :func:`scales`."""
        return scales(self.problem.space, self.X)

    @functools.cached_property
    def live(self) -> Bool[np.ndarray, " n"]:
        """Which rows of X are not zero."""
        return live_rows(self.problem.space, self.X)

    @functools.cached_property
    def q(self) -> Question | None:
        """The scaled question, where the A_i are few numbers: then each row has its own scale."""
        return question(self.problem, self.X)

    @functools.cached_property
    def residual(self) -> Float[np.ndarray, " m"]:
        """|A(X Xᵀ) − b| and round-off."""
        return np.abs(self.y - self.b) + EPSILON * (np.abs(self.y) + np.abs(self.b))

    def same(self, Y: Factor) -> bool:
        """Whether Y fits, and its matrix is another one."""
        space = self.problem.space
        if self.q is not None:
            Z = Y / self.q.lengths[:, None]
            return self.q.fits(Z) and self.q.apart(Z) > APART
        y = np.asarray(operator_measures(self.problem.operator, Y))
        level = SAME_FIT * np.maximum(np.abs(self.y), np.median(np.abs(self.y[self.used])))
        if np.any(np.abs(y - self.y)[self.used] > level[self.used]):
            return False
        return space.distance(Y, self.X) > APART * space.size(self.X)
