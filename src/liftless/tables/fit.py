"""Effects and a matrix of low rank, each fitted to what the other leaves.

The matrix is completed by belief propagation with its noise and priors learned, so that no penalty
is to be chosen: a component that the data do not carry shrinks by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from liftless.operators import EntriesOperator, RectangularEntries
from liftless.problem import Problem
from liftless.start.belief import Completion, complete_entries
from liftless.start.belief.observed import fullest_line
from liftless.tables.effects import Effects, effects, no_effects
from liftless.tables.table import Table

#: Most rounds of effects and matrix, and the change of the matrix, relative to the entries, that
#: ends them.
ROUNDS, SETTLED = 4, 5e-3


@dataclass(frozen=True)
class Model:
    """A fitted table.

    Attributes
    ----------
    effects : Effects
    low : Completion or None
        The matrix of low rank; None for rank 0.
    rank : int
    sigma : float
        Estimated noise in an entry of the mean weight.
    """

    effects: Effects
    low: Completion | None = field(repr=False)
    rank: int
    sigma: float

    def mean(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Predicted entries; a position of −1 is a line that was never seen."""
        known = (i >= 0) & (j >= 0)
        out = self.effects.at(i, j)
        if self.low is not None and known.any():
            out = np.array(out)
            out[known] += self.low.entries(i[known], j[known])
        return out

    def deviation(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Standard deviation of the error of these, without the noise of a new observation."""
        square = np.array(self.effects.variance(i, j))
        known = (i >= 0) & (j >= 0)
        if self.low is not None:
            size = float(np.sum(self.low.components**2))
            square[~known] += size
            if known.any():
                square[known] += self.low.deviation(i[known], j[known]) ** 2
        return np.sqrt(square)


def problem_of(table: Table, y: Float[np.ndarray, " m"], rank: int) -> Problem:
    """Completion problem of values at the table's positions."""
    n1, n2 = table.shape
    kind = EntriesOperator if table.symmetric else RectangularEntries
    operator = kind(table.i, table.j, *((n1,) if table.symmetric else (n1, n2)))
    even = bool(np.all(table.weights == table.weights[0]))
    weights = None if even else table.weights / np.sqrt(np.mean(table.weights**2))
    return Problem(operator, y, rank, weights=weights)


def highest_rank(table: Table) -> int:
    """Rank above which no line has entries enough to be determined."""
    return min(fullest_line(problem_of(table, table.y, 1)) or 0, *table.shape)


def fitted(
    table: Table,
    rank: int,
    *,
    additive: bool,
    seed: int = 0,
    rounds: int = ROUNDS,
    progress: Callable[[dict], None] | None = None,
) -> Model:
    """Fit a table of noisy entries.

    Parameters
    ----------
    table : Table
    rank : int
        Of the matrix beside the effects; 0 for none.  Lower where no line has so many entries.
    additive : bool
        Whether there are effects.
    seed, progress
        As for :func:`liftless.complete_entries`.
    rounds : int
        Most rounds of effects and matrix.
    """
    low = np.zeros(table.y.size)
    size = float(np.sqrt(np.mean(table.y**2)))
    base, found = no_effects(table), None
    rank = min(rank, highest_rank(table))
    for _ in range(max(1, rounds) if additive else 1):
        base = effects(table, table.y - low) if additive else base
        left = table.y - base.at(table.i, table.j)
        if rank == 0 or not np.any(left):
            return Model(base, None, 0, float(np.sqrt(np.mean(left**2))))
        found = complete_entries(problem_of(table, left, rank), seed, noise=True, progress=progress)
        fresh = found.entries(table.i, table.j)
        change = float(np.sqrt(np.mean((fresh - low) ** 2)))
        low = fresh
        if change <= SETTLED * size:
            break
    assert found is not None
    return Model(base, found, rank, found.sigma)
