"""Rank, and whether rows and columns have effects: read off the data, or by what is held out."""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from liftless._errors import InvalidInput
from liftless.start.belief import Completion, complete_entries
from liftless.tables.effects import no_effects
from liftless.tables.fit import Model, fitted, problem_of
from liftless.tables.table import Table

#: Entries a degree of freedom up to which a rank is tried, and the largest rank.
ROOM, MOST = 1.3, 12
#: Noise relative to the entries below which they are taken for exact, to be confirmed.
EXACT = 1e-3
#: Ranks that are tried by holding out, in turn, and folds; of many entries one fold tells enough.
RANKS, FOLDS, MANY = (1, 2, 3, 4, 5, 6, 8, 10, 12), 5, 50_000
#: Ranks in turn without a lower error after which no larger one is tried.
PATIENCE = 2


@dataclass(frozen=True)
class Trial:
    """One model, and its error on entries that it was not shown.

    Attributes
    ----------
    rank : int
    additive : bool
        Whether rows and columns have effects.
    error, spread : float
        Root mean square error of held-out entries, and its standard error.
    scores : array of shape (k,)
        Sizes of the errors over what their predicted deviations are.
    squares : array of shape (k,)
        Squared errors, in the same order for every model.
    """

    rank: int
    additive: bool
    error: float
    spread: float
    scores: np.ndarray = dataclasses.field(repr=False, compare=False)
    squares: np.ndarray = dataclasses.field(repr=False, compare=False)

    def above(self, other: "Trial") -> float:
        """By how many standard errors its mean squared error is above that of another model.

        Of the differences entry by entry: what is hard to predict is so for both.
        """
        difference = self.squares - other.squares
        spread = float(np.std(difference)) / math.sqrt(difference.size)
        mean = float(np.mean(difference))
        return mean / spread if spread > 0 else math.copysign(math.inf, mean) if mean else 0.0


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


def exact_completion(
    table: Table, most: int, seed: int, progress: Callable[[dict], None] | None
) -> tuple[Completion | None, int | None]:
    """Completion of exact entries, or None; and the rank that a gap of the spectrum shows, or None.

    One fit of the largest rank learns the noise and the sizes of the components; those that the
    data do not carry shrink.  Entries without noise are then completed at the rank that is left.
    """
    if not np.any(table.y[table.i != table.j] if table.symmetric else table.y):
        return None, None
    found = complete_entries(problem_of(table, table.y, most), seed, noise=True, progress=progress)
    size = float(np.sqrt(np.mean(table.y**2)))
    shown = found.rank if found.rank < most else None
    if not found.sigma <= EXACT * size:
        return None, shown
    for rank in dict.fromkeys((found.rank, most)):
        done = complete_entries(problem_of(table, table.y, rank), seed, progress=progress)
        if done.end == "exact":
            return done, rank
    return None, shown


def held_out(
    table: Table,
    rank: int,
    additive: bool,
    folds: int,
    seed: int,
    progress: Callable[[dict], None] | None = None,
) -> Trial:
    """Error of a model on entries that it was not shown, every one in one of the folds."""
    fold = np.random.default_rng([seed, 31]).permutation(table.y.size) % folds
    # Of very many entries one fold is enough.
    used = 1 if table.y.size > MANY else folds
    errors, scores = [], []
    for k in range(used):
        shown, hidden = table.take(fold != k), table.take(fold == k)
        model = fitted(shown, rank, additive=additive, seed=seed, rounds=2, progress=progress)
        off = model.mean(hidden.i, hidden.j) - hidden.y
        noise = model.sigma / (hidden.weights / np.sqrt(np.mean(table.weights**2)))
        errors.append(off)
        expected = np.sqrt(model.deviation(hidden.i, hidden.j) ** 2 + noise**2)
        scores.append(off / np.maximum(expected, np.finfo(float).tiny))
    square = np.concatenate(errors) ** 2
    error = math.sqrt(float(np.mean(square)))
    spread = float(np.std(square)) / math.sqrt(square.size) / (2 * error) if error > 0 else 0.0
    return Trial(rank, additive, error, spread, np.abs(np.concatenate(scores)), square)


class Search:
    """Models that are held against what they were not shown, each once.

    Parameters
    ----------
    table : Table
    folds, seed : int
    progress : callable, optional
    """

    def __init__(
        self, table: Table, folds: int, seed: int, progress: Callable[[dict], None] | None
    ) -> None:
        self.table, self.folds, self.seed, self.progress = table, folds, seed, progress
        self.tried: list[Trial] = []

    def trial(self, rank: int, additive: bool) -> Trial:
        """Error of one model."""
        for one in self.tried:
            if (one.rank, one.additive) == (rank, additive):
                return one
        one = held_out(self.table, rank, additive, self.folds, self.seed, self.progress)
        self.tried.append(one)
        if self.progress is not None:
            row = {"event": "held out", "rank": rank, "additive": additive, "error": one.error}
            self.progress(row)
        return one

    def helped_by_effects(self, rank: int) -> bool:
        """Whether effects and a matrix of a rank do better than one of two ranks more."""
        return self.trial(rank + 2, False).above(self.trial(rank, True)) > 1

    def confirmed(self, rank: int, additive: bool) -> Trial | None:
        """A model whose rank the spectrum shows, unless one rank more does better."""
        one = self.trial(rank, additive)
        return None if one.above(self.trial(rank + 1, additive)) > 1 else one

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


def shown_rank(table: Table, most: int, seed: int, progress: Any = None) -> int | None:
    """Rank beside the effects at which the spectrum has a gap, or None."""
    low = fitted(table, most, additive=True, seed=seed, rounds=2, progress=progress).low
    return None if low is None or low.rank >= most else low.rank


def model_of(done: Completion, table: Table, rank: int) -> Model:
    """An exact completion as a model without effects."""
    return Model(no_effects(table), done, rank, 0.0)


def check_folds(table: Table, folds: int) -> None:
    """Refuse more folds than entries."""
    if folds > table.y.size:
        raise InvalidInput("folds", folds, f"at most {table.y.size}, the number of entries")
