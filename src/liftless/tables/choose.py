"""Rank, and whether rows and columns have effects: read off the data, or by what is held out."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from liftless._errors import InvalidInput
from liftless._held_out import above, error_of, parts
from liftless.start.belief.level import MEDIAN
from liftless.tables.exact import Shown, shown_by
from liftless.tables.fit import MANY, Fit, Fits, problem_of
from liftless.tables.table import Table

#: Entries a degree of freedom up to which a rank is tried, and the largest rank.
ROOM, MOST = 1.3, 12
#: Ranks that are tried by holding out, in turn, and folds.  Of many entries one fold tells enough,
#: and fewer ranks do: what the data do not carry shrinks.
RANKS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128)
FEWER, FOLDS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128), 5
#: Ranks in turn without a lower error after which no larger one is tried.
PATIENCE = 2
#: Standard errors by which held-out entries must speak for one rank more than a gap of the spectrum
#: shows.  One, as between models of equal standing, is overstepped by chance one time in six.
SURE = 3.0
#: Standard deviations for which an error counts at most where gross errors are expected.
CUT = 3.0


@dataclass(frozen=True)
class Trial:
    """One model, and its error on entries that it was not shown.

    Attributes
    ----------
    rank : int
    additive : bool
        Whether rows and columns have effects.
    error, spread : float
        Root mean square error of held-out entries, and its standard error.  Where gross errors are
        expected, no error counts for more than three deviations, read off the median.
    scores : array of shape (k,)
        Sizes of the errors over what their predicted deviations are.
    squares : array of shape (k,)
        Squared errors, in the same order for every model.
    robust : bool
        Whether gross errors are expected.
    """

    rank: int
    additive: bool
    error: float
    spread: float
    scores: np.ndarray = dataclasses.field(repr=False, compare=False)
    squares: np.ndarray = dataclasses.field(repr=False, compare=False)
    robust: bool = dataclasses.field(default=False, repr=False)

    def above(self, other: "Trial") -> float:
        """By how many standard errors its mean squared error is above that of another model."""
        most = math.inf
        if self.robust:
            most = min(cut(one.squares) for one in (self, other))
        return above(np.minimum(self.squares, most), np.minimum(other.squares, most))


def cut(squares: np.ndarray) -> float:
    """Square of three standard deviations of a Gaussian of the same median square."""
    return CUT**2 * float(np.median(squares)) / MEDIAN


@dataclass(frozen=True)
class Asked:
    """What a table is to be completed with.

    Attributes
    ----------
    rank : int or None
        None where it is to be found.
    most : int
        Largest rank that is tried.
    additive : bool or None
        None where it is to be found.
    folds, seed : int
    robust : bool
        Whether gross errors are expected.
    callback : callable or None
    """

    rank: int | None
    most: int
    additive: bool | None
    folds: int
    seed: int
    robust: bool = False
    callback: Callable[[dict], None] | None = None


def largest_rank(table: Table, most: int = MOST) -> int:
    """Largest rank that the entries leave room for, at least one."""
    n1, n2 = table.shape
    space = problem_of(table, table.y, 1).space
    rank = 1
    while rank < min(most, n1 - 1, n2 - 1):
        if table.y.size < ROOM * space.degrees_of_freedom(rank + 1):
            break
        rank += 1
    return rank


class Search:
    """Models that are held against what they were not shown, each once.

    Every entry is held out in one of the folds; of very many entries one fold is enough.  A fit of
    higher rank goes on from the one before of the same fold.

    Parameters
    ----------
    fits : Fits
    folds : int
    """

    def __init__(self, fits: Fits, folds: int) -> None:
        self.fits = fits
        table = fits.table
        self.fold = parts(table.y.size, folds, fits.seed)
        self.used = 1 if table.y.size > MANY else folds
        self.tried: list[Trial] = []
        self._fits: dict[tuple[int, bool, int], Fit] = {}

    def trial(self, rank: int, additive: bool) -> Trial:
        """Error of one model."""
        for one in self.tried:
            if (one.rank, one.additive) == (rank, additive):
                return one
        each = [self._held_out(rank, additive, k) for k in range(self.used)]
        off, scores = (np.concatenate(part) for part in zip(*each, strict=True))
        square = off**2
        robust = self.fits.robust
        error, spread = error_of(np.minimum(square, cut(square)) if robust else square)
        one = Trial(rank, additive, error, spread, scores, square, robust)
        self.tried.append(one)
        if self.fits.progress is not None:
            row = {"event": "held out", "rank": rank, "additive": additive, "error": error}
            self.fits.progress(row)
        return one

    def _held_out(self, rank: int, additive: bool, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Errors of the entries of one fold, and their sizes over what is predicted."""
        table = self.fits.table
        hidden = table.take(self.fold == k)
        fit = self.fits.fit(rank, additive, self.fold != k, self._below(rank, additive, k))
        self._fits[rank, additive, k] = fit
        model = self.fits.model(fit)
        off = model.mean(hidden.i, hidden.j) - hidden.y
        noise = model.sigma / (hidden.weights / np.sqrt(np.mean(table.weights**2)))
        expected = np.sqrt(model.deviation(hidden.i, hidden.j) ** 2 + noise**2)
        return off, np.abs(off) / np.maximum(expected, np.finfo(float).tiny)

    def _below(self, rank: int, additive: bool, k: int) -> Fit | None:
        """Fit of the same fold with the next lower rank."""
        lower = [key for key in self._fits if key[1:] == (additive, k) and key[0] < rank]
        return self._fits[max(lower)] if lower else None

    def nearest(self, one: Trial) -> Fit:
        """A fit of the model to the first fold, from which that to all entries may go on."""
        return self._fits[one.rank, one.additive, 0]

    def narrowed(self, one: Trial) -> Trial:
        """The same model, or that of the rank at which its spectrum has a gap."""
        low = self.fits.model(self.nearest(one)).low
        if low is None or low.rank >= one.rank:
            return one
        return self.confirmed(low.rank, one.additive) or one

    def helped_by_effects(self, rank: int) -> bool:
        """Whether effects and a matrix of a rank do better than one of two ranks more."""
        return self.trial(rank + 2, False).above(self.trial(rank, True)) > 1

    def better_beside_effects(self, best: Trial) -> bool:
        """Whether effects do as well as two ranks of the model, or better than one of them."""
        fewer = self.trial(max(0, best.rank - 2), True)
        if best.rank >= 2 and not fewer.above(best) > 1:
            return True
        return best.above(self.trial(max(0, best.rank - 1), True)) > 1

    def confirmed(self, rank: int, additive: bool) -> Trial | None:
        """A model whose rank the spectrum shows, unless one rank more does clearly better."""
        one = self.trial(rank, additive)
        return None if one.above(self.trial(rank + 1, additive)) > SURE else one

    def best(self, ranks: tuple[int, ...], additive: bool) -> Trial:
        """The smallest rank whose error is within one standard error of the least.

        Breiman, Friedman, Olshen and Stone (1984), section 3.4.3, have the rule; here the standard
        error is that of the difference.
        """
        least, idle, seen = math.inf, 0, []
        for rank in ranks:
            if rank == 0 and not additive:
                continue
            one = self.trial(rank, additive)
            seen.append(one)
            idle = 0 if one.error < least else idle + 1
            least = min(least, one.error)
            if idle >= PATIENCE:
                break
        best = min(seen, key=lambda one: one.error)
        good = [one for one in seen if one is best or one.above(best) <= 1]
        return min(good, key=lambda one: one.rank)


def chosen(fits: Fits, asked: Asked, shown: Shown) -> tuple[Trial, Search | None]:
    """The model to fit: as the caller says, as the spectrum shows, or by holding out."""
    if asked.folds == 0:
        k = asked.rank if asked.rank is not None else (shown.rank or min(asked.most, 2))
        beside = shown.rank is None if asked.additive is None else asked.additive
        nothing = np.zeros(0)
        return Trial(k, beside, math.nan, math.nan, nothing, nothing), None
    search, additive = Search(fits, asked.folds), asked.additive
    if asked.rank is not None:
        if additive is None:
            additive = search.helped_by_effects(max(0, asked.rank - 2))
        return search.trial(asked.rank, additive), search
    if additive is None:
        # Effects are two components, and the mean alone makes a gap.
        additive = search.helped_by_effects(max(shown.rank or 0, min(asked.most, 3), 2) - 2)
    if not additive:
        best = _best(search, asked, shown, False)
        additive = asked.additive is None and search.better_beside_effects(best)
        if not additive:
            return best, search
    many = fits.table.y.size > MANY
    return _best(search, asked, shown if many else shown_by(fits, True, asked.most), True), search


def _best(search: Search, asked: Asked, shown: Shown, additive: bool) -> Trial:
    """The rank that the spectrum shows if it stands, or by holding out."""
    many = search.fits.table.y.size > MANY
    ranks = tuple(k for k in (0, *(FEWER if many else RANKS)) if k <= asked.most)
    if many:
        return search.narrowed(search.best(ranks, additive))
    sure = None if shown.rank is None else search.confirmed(shown.rank, additive)
    return sure or search.best(ranks, additive)


def check_folds(table: Table, folds: int) -> None:
    """Refuse more folds than entries."""
    if folds > table.y.size:
        raise InvalidInput("folds", folds, f"at most {table.y.size}, the number of entries")
