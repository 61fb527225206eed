"""Effects and a matrix of low rank, learned together: one layout of the entries for every fit.

The table y_ij ≈ μ + a_i + b_j + ⟨u_i, v_j⟩ is completed by belief propagation with noise and priors
learned, so that no penalty is to be chosen: a component that the data do not carry shrinks by
itself.  Fits to parts of the entries, and of different ranks, share their shapes: what is not shown
keeps its place and tells nothing, and a component that is not used is zero.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float

from liftless.operators import EntriesOperator, RectangularEntries
from liftless.problem import Problem
from liftless.start.belief import Completion, peel
from liftless.start.belief import propagate as belief
from liftless.start.belief.going import balance, grown, retold
from liftless.start.belief.level import MEDIAN
from liftless.start.belief.observed import fullest_line
from liftless.start.belief.parts import Parts
from liftless.start.belief.propagate import Beside, Graph, Propagation
from liftless.tables.effects import Effects, effects, no_effects, robust_effects
from liftless.tables.table import Table

#: Entries up to which sweeps are made by NumPy, for to compile them takes longer, and numbers of
#: components for which they are compiled.
HOST, WIDTHS = 500_000, (2, 4, 6, 8, 12)
#: Predicted deviations from which a misfit is a gross error, where such are expected.  Measured on
#: eight tables with 5 % of gross errors: 1.01 to 1.13 times the error of the clean fit, and no loss
#: where there are none, which is 2 % for two deviations.
BOUND = 3.0
#: Entries from which fewer digits of learned numbers are asked for: predictions are settled long
#: before these.
MANY = 50_000


#: Noise relative to the entries that is plain.  While it is, many entries are swept in single
#: precision, whose round-off is far below.
PLAIN = 0.05
#: Sweeps after which the two sides' priors are brought to one size.
BALANCED = 6


@dataclass(frozen=True)
class Sweeps:
    """When sweeps end.

    Attributes
    ----------
    least, warm, most : int
        Fewest, of a fit that goes on from another, and most.
    settled : float
        Change of the misfit over five sweeps, relative, that ends them.
    """

    least: int = 16
    warm: int = 8
    most: int = 100
    settled: float = 1e-3


#: Of many entries, whose predictions are settled first: of MovieLens-100K twelve sweeps predict to
#: .0005 as well as twenty-four.
USUAL, SHORT = Sweeps(), Sweeps(least=8, warm=6, settled=1e-2)


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
    cross : array of shape (n, r) or None
        Posterior covariance of a line's effect and its factor.
    priors : tuple of two arrays of shape (s, s), or None
        Learned covariance of a row, and of a column: of effect, if there are effects, and factor;
        None for exact data.
    """

    effects: Effects
    low: Completion | None = field(repr=False)
    rank: int
    sigma: float
    cross: Float[np.ndarray, "n r"] | None = field(default=None, repr=False)
    priors: tuple[Float[np.ndarray, "s s"], ...] | None = field(default=None, repr=False)

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
                square[known] += self._together(i[known], j[known])
        return np.sqrt(np.maximum(square, 0.0))

    def _together(self, i: np.ndarray, j: np.ndarray) -> np.ndarray | float:
        """Twice the covariance of the errors of effects and matrix."""
        if self.cross is None or self.low is None:
            return 0.0
        X, j = self.low.X, j + self.low.space.sides[-1].start
        return 2 * np.sum(X[j] * self.cross[i] + X[i] * self.cross[j], axis=-1)


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


@dataclass(frozen=True)
class Fit:
    """Beliefs about a table, or about what was shown of it.

    Attributes
    ----------
    shown : boolean array of shape (m,)
    additive : bool
    rank : int
    sigma : float
    base : Effects
        What is left for the beliefs to add to: the mean, or all there is for rank 0.
    beliefs : Propagation or None
    scale : float
        Unit of the beliefs.
    """

    shown: Bool[np.ndarray, " m"]
    additive: bool
    rank: int
    sigma: float
    base: Effects
    beliefs: Propagation | None = None
    scale: float = 1.0


class Fits:
    """Fits to parts of one table.

    Parameters
    ----------
    table : Table
    most : int
        Largest rank.
    seed : int
        Of first messages.
    robust : bool
        Whether gross errors are expected.
    progress : callable, optional
        Called with a dictionary after every sweep.
    """

    def __init__(
        self,
        table: Table,
        most: int,
        seed: int = 0,
        *,
        robust: bool = False,
        progress: Callable[[dict], None] | None = None,
    ) -> None:
        self.table, self.seed, self.robust, self.progress = table, seed, robust, progress
        self.most = max(1, min(most, highest_rank(table)))
        self.space = problem_of(table, table.y, 1).space
        off = self._off(table)
        self.kept = np.flatnonzero(off)
        cols = table.j if table.symmetric else table.j + table.shape[0]
        precision = table.weights**2 / np.mean(table.weights**2)
        self.rows, self.cols = table.i[off], cols[off]
        host = table.y.size <= HOST
        self.parts = Parts(self.rows, self.cols, 1 / precision[off], self.space, host=host)

    def fit(
        self,
        rank: int,
        additive: bool,
        shown: Bool[np.ndarray, " m"] | None = None,
        after: Fit | None = None,
        until: Callable[[list[float]], bool] | None = None,
    ) -> Fit:
        """Learn effects, matrix and noise from what is shown.

        Parameters
        ----------
        rank : int
            Of the matrix beside the effects; 0 for none.  Lower where no line has so many entries.
        additive : bool
            Whether there are effects.
        shown : boolean array of shape (m,), optional
            By default all entries are.
        after : Fit, optional
            A fit of lower rank to the same entries, or of the same rank to fewer, from which to
            go on.
        until : callable, optional
            Asked after every sweep, with the noise levels so far relative to the entries, whether
            that is enough.
        """
        table, rank = self.table, min(rank, self.most)
        shown = np.ones(table.y.size, bool) if shown is None else shown
        if after is not None and after.beliefs is not None and 0 < after.rank <= rank:
            beliefs, base, scale = self._from(after, shown, rank), after.base, after.scale
        else:
            part = table if shown.all() else table.take(shown)
            base = self._base(part) if additive else no_effects(table)
            left = part.y - base.at(part.i, part.j)
            scale = self._size(left)
            if rank == 0 or not shown[self.kept].any() or not np.any(left[self._off(part)]):
                return Fit(shown, additive, 0, scale, base)
            beliefs = self._begun(rank, additive, shown, base, scale)
        if not self._learn(beliefs, until):
            # They ran away: once more from the first messages, which are followed half of the way.
            beliefs = self._begun(rank, additive, shown, base, scale)
            beliefs.damping = belief.DAMPING_AFTER
            if not self._learn(beliefs, until):
                # So many components are more than the entries hold: what is left is the base.
                return Fit(shown, additive, 0, scale, base)
        sigma = math.sqrt(beliefs.noise) * scale
        return Fit(shown, additive, rank, sigma, base, beliefs, scale)

    def _from(self, after: Fit, shown: np.ndarray, rank: int) -> Propagation:
        """Beliefs to go on with: of more entries, of more components, or both."""
        beliefs = after.beliefs
        assert beliefs is not None
        balance(beliefs)
        if not np.array_equal(shown, after.shown):
            beliefs = retold(beliefs, self._graph(shown, after.base, after.scale))
        if rank > after.rank:
            beliefs = grown(beliefs, rank, self.seed, self._width(rank))
        return beliefs

    def model(self, fit: Fit) -> Model:
        """Means, covariances and priors in the table's units."""
        of = fit.beliefs
        if of is None:
            return Model(fit.base, None, 0, fit.sigma)
        root, r = math.sqrt(fit.scale), fit.rank
        F, C, empty = self._lines(fit)
        first = 2 if fit.additive else 0
        factor = slice(first, first + r)
        used = np.r_[[0] if fit.additive else [], first : first + r].astype(int)
        units = np.r_[[fit.scale] if fit.additive else [], np.full(r, root)]
        priors = tuple(np.asarray(b.prior) for b in (of.beliefs[0], of.beliefs[-1]))
        priors = tuple(A[np.ix_(used, used)] * np.outer(units, units) for A in priors)
        low = self._completion(fit, F[:, factor] * root, C[:, factor, factor], empty)
        if not fit.additive:
            return Model(fit.base, low, r, fit.sigma, None, priors)
        cross = C[:, 0, factor] * fit.scale * root
        base = self._effects(fit, F[:, 0] * fit.scale, C[:, 0, 0] * fit.scale**2, priors)
        return Model(base, low, r, fit.sigma, cross, priors)

    # -- parts --------------------------------------------------------------------------------

    def _base(self, part: Table) -> Effects:
        return robust_effects(part) if self.robust else effects(part, part.y)

    def _off(self, part: Table) -> np.ndarray:
        return part.i != part.j if part.symmetric else np.ones(part.y.size, bool)

    def _size(self, left: np.ndarray) -> float:
        """Size of what is left: its root mean square, or that of a Gaussian of the same median."""
        square = left**2
        if self.robust and np.median(square) > 0:
            return math.sqrt(float(np.median(square)) / MEDIAN)
        return math.sqrt(float(np.mean(square)))

    def _width(self, rank: int) -> int:
        return rank if self.parts.host else next((w for w in WIDTHS if w >= rank), rank)

    def _begun(
        self, rank: int, additive: bool, shown: np.ndarray, base: Effects, scale: float
    ) -> Propagation:
        start = None
        if additive:
            of = (base.of_rows,) if self.table.symmetric else (base.of_rows, base.of_cols)
            variance = tuple(v / scale**2 for v in base.prior[: len(of)])
            start = belief.Effects(tuple(a / scale for a in of), variance)
        graph = self._graph(shown, base, scale)
        bound = BOUND if self.robust else None
        beside = Beside(start, bound, self._width(rank), single=self.table.y.size > MANY)
        return Propagation(graph, rank, self.seed, beside=beside)

    def _graph(self, shown: np.ndarray, base: Effects, scale: float) -> Graph:
        y = (self.table.y - base.mean)[self.kept] / scale
        return self.parts.graph(y, shown[self.kept])

    def _learn(self, beliefs: Propagation, until: Callable[[list[float]], bool] | None) -> bool:
        """Sweep until the misfit rests; whether it stayed finite."""
        rule = SHORT if self.table.y.size > MANY else USUAL
        least = rule.warm if beliefs.sweeps else rule.least
        values: list[float] = []
        levels: list[float] = []
        for k in range(rule.most):
            values.append(beliefs.sweep(learn=True))
            if self.progress is not None:
                row = {"event": "sweep", "sweeps": beliefs.sweeps, "misfit": beliefs.misfit}
                self.progress({**row, "noise": beliefs.noise})
            levels.append(math.sqrt(beliefs.noise))
            if beliefs.single and beliefs.sweeps > 1 and levels[-1] < PLAIN:
                beliefs.refine()
            if not math.isfinite(values[-1]):
                return False
            if until is not None and until(levels):
                break
            if k % BALANCED == BALANCED - 1:
                balance(beliefs)
            if k >= least and abs(values[-1] - values[-6]) < rule.settled * values[-1]:
                break
        return True

    def _lines(self, fit: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Posterior means and covariances of the lines; those of no entry have the prior's."""
        of = fit.beliefs
        assert of is not None
        F, C = of.factor(), of.covariances()
        shown = fit.shown[self.kept]
        n = self.space.lines
        ends = np.r_[self.rows[shown], self.cols[shown]]
        empty = np.bincount(ends, minlength=n) == 0
        for side, beliefs in zip(self.space.sides, of.beliefs, strict=True):
            at = np.flatnonzero(empty[side]) + side.start
            F[at] = 0.0 if beliefs.centre is None else np.asarray(beliefs.centre)
            C[at] = np.asarray(beliefs.prior)
        return F, C, empty

    def _completion(self, fit: Fit, X: np.ndarray, C: np.ndarray, empty: np.ndarray) -> Completion:
        of = fit.beliefs
        assert of is not None
        shown = fit.shown[self.kept]
        core, order = peel(self.rows[shown], self.cols[shown], self.space.n, fit.rank)
        known = core.copy()
        for one in reversed(order):
            known[one.line] = len(one.near) == fit.rank and bool(known[one.near].all())
        return Completion(
            X=X,
            end="noise",
            misfit=of.misfit,
            sigma=fit.sigma,
            known=known & ~empty,
            cov=C * fit.scale,
            components=of.components() * fit.scale,
            sweeps=of.sweeps,
            swept=of.sweeps,
            applications=2.0 * fit.rank * of.sweeps,
            failed=of.failed,
            space=self.space,
            history=(),
        )

    def _effects(self, fit: Fit, of: np.ndarray, spread: np.ndarray, priors: tuple) -> Effects:
        beliefs = fit.beliefs
        assert beliefs is not None
        centres = [float(np.asarray(b.centre)[0]) * fit.scale for b in beliefs.beliefs]
        sides = self.space.sides
        pairs = zip(sides, centres, strict=True)
        of = np.concatenate([of[side] - centre for side, centre in pairs])
        first, last = sides[0], sides[-1]
        return replace(
            fit.base,
            mean=fit.base.mean + centres[0] + centres[-1],
            of_rows=of[first],
            of_cols=of[last],
            spread_rows=spread[first],
            spread_cols=spread[last],
            prior=(float(priors[0][0, 0]), float(priors[-1][0, 0])),
        )
