"""Which entries the measurements determine to first order, at any size, from one direction.

A random direction of the factor, less the part of it that the measurements notice, is a random
direction of the null space of the Jacobian.  The gauge's share of it changes no entry of the
matrix; the rest changes, with probability one, every entry that any null direction changes.  So one
least-squares problem, solved without a matrix, says of all entries at once which are determined.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._checks import factor
from liftless._precision import double, on_device
from liftless.descent.gauss_newton import least_change
from liftless.problem import Problem
from liftless.space import Space

Factor = Float[np.ndarray, "n r"]

#: Accuracy of the least-squares problem, and times that it is refined.
ACCURACY, TIMES = 1e-13, 2
#: Change of an entry, relative to the median over all directions alike, that is not round-off.
MOVED = 1e-6
#: Partners that a line is tried against.
PARTNERS = 128


@dataclass(frozen=True)
class Flexible:
    """A null direction of the measurements, and what it moves.

    Attributes
    ----------
    direction : array of shape (n, r)
        Random in the null space of the Jacobian, in units of a random direction of the factor.
    factor : array of shape (n, r)
    space : Space
    steps : int
        Iterations of conjugate gradients, two applications each.
    """

    direction: Factor = field(repr=False)
    factor: Factor = field(repr=False)
    space: Space = field(repr=False)
    steps: int

    @property
    def level(self) -> float:
        """Change of an entry above which it moves, relative to the factor's size."""
        lines = np.sqrt(np.mean(np.sum(self.factor**2, axis=1)))
        return MOVED * float(lines)

    def determined(self, i: Any, j: Any) -> Bool[np.ndarray, "..."]:
        """Whether entries (i, j) are determined to first order, for index arrays of one shape."""
        i, j = self.space.positions(i, j)
        moved = self.space.change(self.direction[None], self.factor, i.ravel(), j.ravel())
        return (moved <= self.level).reshape(i.shape)

    def open_lines(self) -> Int[np.ndarray, " k"]:
        """Lines of the matrix that have open entries, from a sample of each line's entries.

        A line that is determined is open against those that are not alone.  Hence the line with the
        largest share of open entries is taken for a cause, then the next among what it does not
        explain, until nothing is left.
        """
        rng = np.random.default_rng(0)
        rows, cols = self.space.shape
        k = min(PARTNERS, rows, cols)
        partners = [rng.permutation(cols)[:k]]
        opened = [self._opened(np.arange(rows), partners[0])]
        if self.space.lines > rows:
            partners.append(rng.permutation(rows)[:k])
            opened.append(self._opened(partners[1], np.arange(cols)).T)
        return _causes(opened, partners)

    def _opened(self, i: Int[np.ndarray, " a"], j: Int[np.ndarray, " b"]) -> np.ndarray:
        """Whether entries (i, j) are open, for every pair."""
        at = np.meshgrid(i, j, indexing="ij")
        return ~self.determined(*at)


def _causes(opened: list[np.ndarray], partners: list[np.ndarray]) -> Int[np.ndarray, " k"]:
    """Fewest lines, about, that explain all open entries; ``opened`` is changed.

    Of each side: whether its lines are open against their partners of the other side (of the same
    one, where there is but one).
    """
    first = [0, opened[0].shape[0]]
    causes: list[int] = []
    while True:
        share = [part.mean(axis=1) for part in opened]
        most = max(float(part.max(initial=0.0)) for part in share)
        if most == 0:
            return np.sort(np.array(causes, dtype=np.int64))
        for side, of in enumerate(share):
            # Those that are open for the most part all at once; of others one, which explains some.
            found = np.flatnonzero(of > 0.5) if most > 0.5 else np.flatnonzero(of == most)[:1]
            causes += (found + first[side]).tolist()
            opened[side][found] = False
            across = -1 if len(opened) == 1 else 1 - side
            opened[across][:, np.isin(partners[across], found)] = False
            if found.size and most <= 0.5:
                break


@double
def flexible(problem: Problem, X: Any, seed: int = 0) -> Flexible:
    """Find a random null direction of the measurements at a factor.

    Parameters
    ----------
    problem : Problem
        Operator and row weights matter; b, the loss and the regularisers do not.
    X : array of shape (n, r)
        An exact fit; of a rectangular matrix best the balanced one.
    seed : int
        Of the random direction.

    Returns
    -------
    Flexible

    Notes
    -----
    To first order: an entry that a curve of fits moves is found, a second fit far away is not, and
    a direction of nearly zero singular value is taken for a null direction (the careful side).
    """
    X = problem.space.truncate(factor("X", X, problem.n), np.shape(X)[1])
    rng = np.random.default_rng(seed)
    scale = np.sqrt(np.mean(X * X, axis=0))
    D = rng.standard_normal(X.shape) * np.where(scale > 0, 1.0, 0.0)
    held, on = on_device(problem), on_device(X)
    steps = 0
    for _ in range(TIMES):
        noticed, count = least_change(held, on, D, np.asarray(ACCURACY))
        D, steps = D - np.asarray(noticed), steps + int(count)
    return Flexible(D, X, problem.space, steps)
