"""The last digits: Levenberg–Marquardt on the core, in shapes that like problems share."""

import math

import numpy as np
from jaxtyping import Float

from liftless._precision import on_device
from liftless.cost import POINT, normal_matrix
from liftless.descent import LevenbergMarquardt, Stop, WhitenedLM, descend
from liftless.descent.gauss_newton import step_cost
from liftless.descent.prices import step_price, within
from liftless.operators import EntriesOperator, RectangularEntries
from liftless.problem import Problem
from liftless.space import Space
from liftless.start.belief.layout import rounded
from liftless.start.belief.local_sparse import FITTED, STEPS, SparseCore
from liftless.start.belief.observed import Observed

Factor = Float[np.ndarray, "n r"]

#: ‖∇h‖ ‖X‖ / h at which what is left of h is known to more digits than a noise level is.
FLAT = 1e-5
#: Nonzeros of the Jacobian up to which nothing is compiled, neither sweeps nor descent: the first
#: call then takes 9 s less, and later ones .02 to .4 s longer
#: (``benchmarks/completion_solvers.py complete``).
HOST = 100_000


def left_of(seen: Observed, space: Space, rank: int) -> float:
    """Share of the noise that a least-squares fit leaves, in standard deviations."""
    freedom = space.degrees_of_freedom(rank)
    return float(np.sqrt(max(1 - freedom / seen.y.size, 1e-3)))


def local_descent(seen: Observed, space: Space, rank: int) -> "Core | SparseCore":
    """Local descent of a core: on the host where that is less work than compiling it.

    Both are Levenberg–Marquardt in unknowns whitened by the blocks of JᵀJ, with linear systems to
    an accuracy that follows the misfit, and count the same applications.
    """
    return (SparseCore if few(seen, rank) else Core)(seen, space, rank)


def few(seen: Observed, rank: int) -> bool:
    """Whether compiling takes longer than all that is to be done with so many entries."""
    return 2 * seen.y.size * rank <= HOST


class Core:
    """A completion problem with sizes rounded up, whose padding has weight zero.

    Parameters
    ----------
    seen : Observed
    space : Space
        Of the matrix.
    rank : int
    """

    def __init__(self, seen: Observed, space: Space, rank: int) -> None:
        more = rounded(seen.y.size) - seen.y.size
        self.space = space
        # Padding lies on the last lines, so that entries that come row by row stay so.
        rows, cols = (np.pad(part, (0, more), mode="edge") for part in (seen.rows, seen.cols))
        y, weights = (np.pad(part, (0, more)) for part in (seen.y, 1 / np.sqrt(seen.spread)))
        sizes = [rounded(side.stop - side.start) for side in space.sides]
        kind = EntriesOperator if len(sizes) == 1 else RectangularEntries
        operator = kind(rows, cols - space.sides[-1].start, *sizes)
        self.full = float(np.sum(weights**2 * y**2))
        # On the device for good: every descent would copy it there.
        self.problem = on_device(Problem(operator, y, rank, weights=weights))
        dense = normal_matrix(self.problem.m, self.problem.n * rank) and self.problem.n * rank < 300
        self.method = LevenbergMarquardt() if dense else WhitenedLM()

    def polish(self, X: Factor, left: float | int = math.inf) -> tuple[Factor, float, float]:
        """Descend from a factor; the new one, its relative misfit, and the applications.

        ``left`` is what may be spent, in applications; one step is made in any case.
        """
        method, most, rank = self.method, None, self.problem.rank
        if math.isfinite(left):
            price: float | int = step_price(self.problem, method, rank)[0]
            if isinstance(method, WhitenedLM) or left < POINT + price:
                method, price = within(WhitenedLM(), max(left, least_polish(rank)), rank)
            most = max(left - price + 1, POINT + 1.0)
        X = self.problem.space.truncate(self._padded(X), self.problem.rank)
        rule = Stop(FITTED**2, FLAT, STEPS, max_applications=most)
        done = descend(self.problem, X, method, rule)
        misfit = float(np.sqrt(max(2 * float(done.objective), 0.0) / self.full))
        return self._cut(done.X), misfit, float(done.applications)

    def _places(self) -> list[slice]:
        """Where the lines of each side stand among the padded ones."""
        pairs = zip(self.problem.space.sides, self.space.sides, strict=True)
        return [slice(w.start, w.start + s.stop - s.start) for w, s in pairs]

    def _padded(self, X: Factor) -> Float[np.ndarray, "padded r"]:
        out = np.zeros((self.problem.n, X.shape[1]))
        for place, side in zip(self._places(), self.space.sides, strict=True):
            out[place] = X[side]
        return out

    def _cut(self, X: Float[np.ndarray, "padded r"]) -> Factor:
        return np.concatenate([X[place] for place in self._places()])


def least_polish(rank: int) -> float | int:
    """Applications of a point and one step by conjugate gradients, the least that it takes."""
    return POINT + step_cost(rank)
