"""Graphs of parts of the same entries, in the shapes of the whole."""

import equinox as eqx
import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._precision import on_device
from liftless.space import Space
from liftless.start.belief.layout import Plan, Side, one_side, rounded, two_sides
from liftless.start.belief.level import SAMPLE
from liftless.start.belief.propagate import Graph


class Parts:
    """Entries laid out once, of which parts are shown.

    An entry that is not shown keeps its slots, which tell nothing and are told nothing, as those of
    the padding do; so every part has the shapes of the whole, and shares what is compiled for it.

    Parameters
    ----------
    rows, cols : integer arrays of shape (m,)
        Lines of X, none of an entry the same for a symmetric matrix; of a rectangular one, row i
        and column n1 + j.
    spread : array of shape (m,)
        Variance of each entry's noise relative to σ².
    space : Space
    host : bool
        Whether sweeps are made by NumPy, which has nothing to compile.
    """

    def __init__(
        self,
        rows: Int[np.ndarray, " m"],
        cols: Int[np.ndarray, " m"],
        spread: Float[np.ndarray, " m"],
        space: Space,
        *,
        host: bool,
    ) -> None:
        self.host = host
        self.rows, self.cols = rows, cols - space.sides[-1].start
        self.space, self.both = space, len(space.sides) == 1
        zero = np.zeros(rows.size)
        if self.both:
            sides, plans = one_side(self.rows, self.cols, space.n, zero, spread, fine=host)
        else:
            sides, plans = two_sides(self.rows, self.cols, *space.shape, zero, spread, fine=host)
        self.sides: tuple[Side, ...] = sides
        self.plans: tuple[Plan, ...] = plans

    def graph(self, y: Float[np.ndarray, " m"], shown: Bool[np.ndarray, " m"]) -> Graph:
        """Lay out the entries that are shown, with their values."""
        m = int(shown.sum())
        padding = (0, 0 if self.host else rounded(y.size) - m)
        first, last = self.plans[0], self.plans[-1]
        ends = (
            np.pad(first.place[self.rows[shown]], padding),
            np.pad(last.place[self.cols[shown]], padding),
        )
        known = zip(self.sides, self.plans, (self.rows, self.cols), strict=False)
        sides = tuple(self._shown(*of, y, shown) for of in known)
        values = np.pad(y[shown], padding)
        if self.host:
            return Graph(sides, self.plans, ends, values, m, host=True)
        sides, ends, values = on_device((sides, ends, values))
        most = min(SAMPLE, y.size * (1 + self.both))
        return Graph(sides, self.plans, ends, values, m, rounded(most))

    def _shown(
        self, side: Side, plan: Plan, line: np.ndarray, y: np.ndarray, shown: np.ndarray
    ) -> Side:
        """One side with the values, without what is not shown and lines of nothing else."""
        if self.both:
            y, shown = np.tile(y, 2), np.tile(shown, 2)
            line = np.r_[self.rows, self.cols]
        source, values = np.array(side.source), np.zeros(len(side.y))
        source[plan.slot[~shown]] = -1
        values[plan.slot[shown]] = y[shown]
        lines = np.asarray(float(np.unique(line[shown]).size))
        return eqx.tree_at(lambda s: (s.source, s.y, s.lines), side, (source, values, lines))
