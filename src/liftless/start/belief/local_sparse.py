"""The last digits of small cores: Levenberg–Marquardt on the host, with nothing to compile."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless.cost import POINT
from liftless.descent.gauss_newton import FALL, step_cost
from liftless.descent.sparse_levenberg import SparseFit, sparse_levenberg
from liftless.descent.sparse_solve import ACCURACY, MOST, Iterative
from liftless.operators import SparseOperator
from liftless.operators.sparse_rows import SparseRows
from liftless.space import Space
from liftless.start.belief.observed import Observed

Factor = Float[np.ndarray, "n r"]

#: Steps of one stage, and the misfit at which there is nothing more to gain.
STEPS, FITTED = 15, 1e-14
#: Accuracy of the first linear systems, and of later ones as a share of the misfit: those of
#: :class:`~liftless.descent.gauss_newton.WhitenedLM`, as the first damping is.
FIRST, SHARE, DAMPING = 1e-3, 0.1, 1e-6
#: Relative gain of h below which a step is the last but one.
GAIN = 1e-9


class SparseCore:
    """A completion problem on the host; its arguments are those of the compiled ``Core``."""

    def __init__(self, seen: Observed, space: Space, rank: int) -> None:
        each, cols = np.arange(seen.y.size), seen.cols - space.sides[-1].start
        values = np.ones(each.size)
        operator = SparseOperator(each, seen.rows, cols, values, m=each.size, space=space)
        self.space, weights = space, 1 / np.sqrt(seen.spread)
        self.fit, self.rank = SparseFit(SparseRows(operator), seen.y, weights), rank
        self.full = float(np.linalg.norm(weights * seen.y))

    def polish(self, X: Factor, left: float | int = math.inf) -> tuple[Factor, float, float]:
        """Descend from a factor; the new one, its relative misfit, and the applications.

        ``left`` is what may be spent, in applications; one step is made in any case.
        """
        solver = Following(self.rank, self.full, left)
        ends: dict[str, Any] = {"steps": STEPS, "tolerance": GAIN, "exact": FITTED**2}
        X = self.space.truncate(X, self.rank)
        end = sparse_levenberg(self.fit, X, damping=DAMPING, solver=solver, **ends)
        residual = self.fit.residual(self.fit.rows.values(end.X))
        return end.X, float(np.linalg.norm(residual)) / self.full, solver.spent


class Following(Iterative):
    """LSMR to an accuracy that follows the misfit, within a budget of applications.

    Parameters
    ----------
    width : int
        Columns of X.
    full : float
        Norm of the residual of X = 0.
    left : float
        Applications that may be spent.
    """

    def __init__(self, width: int, full: float, left: float | int) -> None:
        super().__init__(width)
        self.full, self.left, self.steps = full, left, 0

    @property
    def spent(self) -> float:
        """Applications so far, counted as those of ``WhitenedLM`` are."""
        return float(POINT + self.steps * (step_cost(self.width) - 2) + 2 * self.iterations)

    @property
    def over(self) -> bool:
        """Whether a step of one iteration is more than is left."""
        return self.spent + step_cost(self.width) > self.left

    @property
    def most(self) -> int:
        """Most iterations of the next step."""
        room = (self.left - self.spent - step_cost(self.width)) / 2 + 1
        return MOST if math.isinf(room) else int(np.clip(room, 1, MOST))

    def accuracies(self, system: Any, residual: Float[np.ndarray, " m"]) -> tuple[float, float]:
        """See :meth:`Iterative.accuracies`: of a misfit that stays, the gradient falls tenfold."""
        size = float(np.linalg.norm(residual))
        near = max(min(FIRST, SHARE * size / self.full), ACCURACY)
        # Columns of the whitened J are of size one.
        slope = float(np.linalg.norm(system.rmatvec(residual)))
        flat = slope / (math.sqrt(system.shape[1]) * max(size, np.finfo(float).tiny))
        return min(near, FALL * flat), near

    def step(self, *given: Any, **named: Any) -> Float[np.ndarray, " f"]:
        """See :meth:`Solver.step`."""
        out = super().step(*given, **named)
        self.steps += 1
        return out
