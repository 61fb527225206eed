"""The likeliest of the fits that the noise explains, and those that it does not exclude."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from liftless.descent.sparse_levenberg import SparseEnd, sparse_levenberg
from liftless.distances.data import Distances
from liftless.distances.fit import fit_of
from liftless.distances.mirrored import better_mirror, likelier_mirror
from liftless.distances.result import Rival
from liftless.distances.rigid import moved_onto
from liftless.distances.search import LAST

Points = Float[np.ndarray, "n dim"]

#: A difference of two −2 log likelihoods that is none, and by how much ½ χ² of the squares may be
#: above the best fit's for a fit to be looked at.
LIKELIER, MARGIN = 0.5, 8.0
#: Fits are one where no point of the squares' is farther from the other's, in median distances; and
#: how far a point of a rival is elsewhere.
ONE, ELSEWHERE = 0.05, 0.1
#: −2 log likelihood of a rival above the best at most: a hundred times less likely.
RIVAL = 2 * np.log(100.0)


class _Seen(NamedTuple):
    """A fit of the squares, that of the distances from it, and its −2 log likelihood."""

    squares: Points
    X: Points
    level: float


class Likeliest:
    """The likeliest fit so far, and the others that have been looked at.

    With a part reflected that hangs on points nearly on a line χ² may be within its spread as well.
    Ends are compared by their likelihood once the distances themselves are fitted: the fit of their
    squares errs by more.

    Parameters
    ----------
    data : Distances
        With deviations.
    X : array of shape (n, dim)
        A fit of the squares.
    """

    def __init__(self, data: Distances, X: Points) -> None:
        self.data, self.fit, self.steps = data, fit_of(data), 0
        self.best = self._sharp(X)
        self.seen: list[_Seen] = [self.best]

    def _sharp(self, X: Points) -> _Seen:
        data, Y, steps = sharpened(self.data, X)
        self.steps += steps
        return _Seen(X, Y, deviance(data, Y))

    def taken(self, X: Points) -> bool:
        """Whether X leads to a likelier fit, which is the best one from now on."""
        most = ONE * float(np.median(self.data.d))
        for one in self.seen:
            if np.linalg.norm(moved_onto(X, X, one.squares) - one.squares, axis=1).max() < most:
                return False
        end = self._sharp(X)
        self.seen.append(end)
        lower = end.level < self.best.level - LIKELIER
        if lower:
            self.best = end
        return lower

    def sought(self, ends: Iterable[SparseEnd] = ()) -> None:
        """Look at other ends, and descend from reflections of parts while one ends likelier."""
        below = self.fit.objective(self.best.squares) + MARGIN
        for rough in ends:
            if rough.objective < below + MARGIN:
                end = sparse_levenberg(self.fit, rough.X, steps=LAST)
                self.steps += end.steps
                if end.objective < below:
                    self.taken(end.X)
        pairs, moved = (self.data.i, self.data.j), True
        while moved:
            moved = False
            for mirror in (likelier_mirror, better_mirror):
                below = self.fit.objective(self.best.squares) + MARGIN
                lower, steps = mirror(self.fit, self.best.squares, below, pairs, self.taken)
                self.steps += steps
                moved = moved or lower is not None
        self.best = min(self.seen, key=lambda one: one.level)

    def rivals(self) -> list[Rival]:
        """Fits that are hardly less likely, the likeliest first."""
        out: dict[bytes, Rival] = {}
        most = ELSEWHERE * float(np.median(self.data.d))
        best = self.best
        for one in sorted(self.seen, key=lambda one: one.level):
            if one.level > best.level + RIVAL:
                break
            there = rested(one.X, best.X)
            points = np.flatnonzero(np.linalg.norm(there - best.X, axis=1) > most)
            if points.size:
                odds = float(np.exp((best.level - one.level) / 2))
                out.setdefault(points.tobytes(), Rival(points, there[points], odds))
        return list(out.values())


def rested(Y: Points, X: Points, rounds: int = 4) -> Points:
    """Y moved rigidly onto X, by the half of the points that fit best."""
    kept = np.ones(len(X), bool)
    for _ in range(rounds):
        Y = moved_onto(Y, Y[kept], X[kept])
        gap = np.linalg.norm(Y - X, axis=1)
        kept = gap <= np.median(gap)
    return Y


def sharpened(data: Distances, X: Points) -> tuple[Distances, Points, int]:
    """Deviations at the fit, the places that fit the distances themselves, and steps."""
    measured, steps = data, 0
    for _ in range(2 if data.relative else 1):
        end = sparse_levenberg(fit_of(data, roots=True), X, steps=LAST, damping=1e-6)
        X, steps = end.X, steps + end.steps
        data = measured.reweighted(X)
    return data, X, steps


def deviance(data: Distances, X: Points) -> float:
    """−2 log likelihood, up to a constant, of deviations that are those of the fit."""
    gap = data.lengths(X) - data.d
    return float(np.sum((gap / data.shape) ** 2) + 2 * np.sum(np.log(data.shape / data.d)))


def with_deviations(data: Distances, X: Points, unknowns: int) -> Distances | None:
    """Data with the deviations that a fit leaves, where none were given; None if it can't say."""
    if data.std is not None:
        return data
    dof = data.d.size - unknowns
    if dof <= 0:
        return None
    r = (data.lengths(X) - data.d) / data.shape
    shape = data.shape * float(np.sqrt(r @ r / dof))
    return replace(data, std=shape, shape=shape)
