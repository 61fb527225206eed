"""The last digits: Levenberg–Marquardt on the core, in shapes that like problems share."""

import math

import numpy as np
from jaxtyping import Float

from liftless.cost import normal_matrix
from liftless.descent import LevenbergMarquardt, Stop, WhitenedLM, descend
from liftless.operators import EntriesOperator, RectangularEntries
from liftless.problem import Problem
from liftless.start.belief.layout import rounded
from liftless.start.belief.observed import Observed

Factor = Float[np.ndarray, "n r"]

#: Steps of one stage, applications that one usually takes, and the misfit at which there is nothing
#: more to gain.
STEPS, USUAL, FITTED = 15, 200, 1e-14


class Core:
    """A completion problem with sizes rounded up, whose padding has weight zero.

    Parameters
    ----------
    seen : Observed
    n1 : int or None
        Rows of a rectangular matrix.
    n, rank : int
    """

    def __init__(self, seen: Observed, n1: int | None, n: int, rank: int) -> None:
        more = rounded(seen.y.size) - seen.y.size
        self.n1, self.n = n1, n
        # Padding lies on the last lines, so that entries that come row by row stay so.
        rows, y = np.pad(seen.rows, (0, more), mode="edge"), np.pad(seen.y, (0, more))
        weights = np.pad(1 / np.sqrt(seen.spread), (0, more))
        if n1 is None:
            cols = np.pad(seen.cols, (0, more), mode="edge")
            operator = EntriesOperator(rows, cols, rounded(n))
        else:
            self.wide = rounded(n1)
            cols = np.pad(seen.cols - n1, (0, more), mode="edge")
            operator = RectangularEntries(rows, cols, self.wide, rounded(n - n1))
        self.problem = Problem(operator, y, rank, weights=weights)
        dense = normal_matrix(self.problem.m, self.problem.n * rank) and self.problem.n * rank < 300
        self.method = LevenbergMarquardt() if dense else WhitenedLM()
        self.full = float(np.sum(weights**2 * y**2))
        freedom = rank * (n - rank) if n1 is not None else n * rank - rank * (rank - 1) // 2
        #: Share of the noise that a least-squares fit leaves, in standard deviations.
        self.left = float(np.sqrt(max(1 - freedom / seen.y.size, 1e-3)))

    def polish(self, X: Factor, left: float = math.inf) -> tuple[Factor, float, float]:
        """Descend from a factor; the new one, its relative misfit, and the applications.

        ``left`` is what may be spent, in applications; one step is made in any case.
        """
        steps = max(1, min(STEPS, int(min(left, STEPS * USUAL) / USUAL)))
        X = self.problem.space.truncate(self._padded(X), self.problem.rank)
        done = descend(self.problem, X, self.method, Stop(FITTED**2, 1e-13, steps))
        misfit = float(np.sqrt(max(2 * float(done.objective), 0.0) / self.full))
        return self._cut(done.X), misfit, float(done.applications)

    def _padded(self, X: Factor) -> Factor:
        out = np.zeros((self.problem.n, X.shape[1]))
        if self.n1 is None:
            out[: self.n] = X
        else:
            out[: self.n1] = X[: self.n1]
            out[self.wide : self.wide + self.n - self.n1] = X[self.n1 :]
        return out

    def _cut(self, X: Factor) -> Factor:
        if self.n1 is None:
            return X[: self.n]
        return np.concatenate([X[: self.n1], X[self.wide : self.wide + self.n - self.n1]])
