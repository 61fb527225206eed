"""A completed table: predictions by name, how sure they are, and what was tried."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from liftless._checks import positive_int, real_array
from liftless._errors import InvalidInput
from liftless._show import drawn, table_html, told
from liftless.tables.choose import Trial
from liftless.tables.fit import Model
from liftless.tables.table import Table

#: Numbers that a whole completed table may hold.
DENSE = 6.4e7
#: Share of new entries that an interval is meant to hold.
COVER = 0.9


@dataclass(frozen=True)
class CompletedTable:
    """What :func:`liftless.complete` hands back.

    Attributes
    ----------
    table : Table
        The entries that it was made from.
    model : Model
    kind : str
        "exact": every entry is fitted to round-off; "noise": what is left looks like noise, whose
        level is :attr:`sigma`.
    rank : int
        Of the matrix beside mean and effects.
    additive : bool
        Whether rows and columns have effects of their own beside it.
    sigma : float
        Estimated standard deviation of the noise in an entry, 0 if exact.
    error : float
        Root mean square error on held-out entries; NaN where nothing was held out.
    scale : float
        What deviations are multiplied by so that the intervals held the right share of the
        held-out entries; 1 where nothing was held out.
    tried : tuple of Trial
    clip : tuple of float or None
        Range of the predictions.
    seed : int
    """

    table: Table = field(repr=False)
    model: Model = field(repr=False)
    kind: str
    rank: int
    additive: bool
    sigma: float
    error: float
    scale: float
    tried: tuple[Trial, ...] = field(repr=False)
    clip: tuple[float, float] | None
    seed: int

    def predict(self, rows: Any, cols: Any) -> Float[np.ndarray, "..."]:
        """Entries by identifiers of their lines (positions for arrays), without the whole table.

        A line that was not seen has the effect of its partner only; an entry that exact data leave
        open is NaN.

        Parameters
        ----------
        rows, cols : array
            Of shapes that broadcast to one.

        Raises
        ------
        InvalidInput
            For identifiers of another kind.
        """
        i, j = self._at(rows, cols)
        out = self._clipped(self.model.mean(i, j))
        return np.where(self._open(i, j), np.nan, out)

    def deviation(self, rows: Any, cols: Any) -> Float[np.ndarray, "..."]:
        """Standard deviation of the error of a prediction: by the posterior, times :attr:`scale`.

        Without the noise of a new observation.  Infinite where exact data leave an entry open.
        """
        i, j = self._at(rows, cols)
        return np.where(self._open(i, j), np.inf, self.scale * self.model.deviation(i, j))

    def interval(
        self, rows: Any, cols: Any, cover: float = COVER
    ) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
        """Ends of an interval for a new observation, its noise included.

        By the Gaussian posterior, of which the width is that which held ``COVER`` of the held-out
        entries, where some were held out (split conformal with normalised scores: Lei et al. 2018).
        """
        if not 0 < cover < 1:
            raise InvalidInput("cover", cover, "between 0 and 1")
        i, j = self._at(rows, cols)
        middle = self.model.mean(i, j)
        wide = np.sqrt(self.model.deviation(i, j) ** 2 + self.sigma**2) * self.scale
        wide = np.where(self._open(i, j), np.inf, wide) * normal_quantile(cover)
        return self._clipped(middle - wide), self._clipped(middle + wide)

    def determined(self, rows: Any, cols: Any) -> Bool[np.ndarray, "..."]:
        """Whether the data determine entries: both lines have enough of them for the rank.

        By counting, hence for a matrix in general position.
        """
        i, j = self._at(rows, cols)
        sure = (i >= 0) & (j >= 0)
        if self.model.low is not None:
            sure[sure] = self.model.low.determined(i[sure], j[sure])
        return sure

    @property
    def matrix(self) -> Float[np.ndarray, "n1 n2"]:
        """The whole completed table; what exact data leave open is NaN."""
        n1, n2 = self.table.shape
        if n1 * n2 > DENSE:
            was = f"of {n1} × {n2} numbers"
            raise InvalidInput("matrix", was, f"at most {DENSE:.0e}", "Use predict(rows, cols).")
        i, j = np.indices((n1, n2))
        out = self._clipped(self.model.mean(i, j))
        return np.where(self._open(i, j), np.nan, out)

    def top(self, row: Any, k: int = 10) -> tuple[np.ndarray, Float[np.ndarray, " k"]]:
        """Columns of a row that were not observed, largest prediction first, and those."""
        k = positive_int("k", k)
        i = int(self.table.positions("row", np.asarray([row]))[0])
        if i < 0:
            raise InvalidInput("row", repr(row), "a row of the table", "Use fold_in for a new one.")
        new = np.ones(self.table.shape[1], bool)
        new[self.table.j[self.table.i == i]] = False
        if self.table.symmetric:
            new[self.table.i[self.table.j == i]] = False
        j = np.flatnonzero(new)
        values = self.model.mean(np.full(j.size, i), j)
        kept = np.argsort(-values, kind="stable")[:k]
        return self.table.cols[j[kept]], self._clipped(values[kept])

    def fold_in(self, cols: Any, values: Any) -> Float[np.ndarray, " n2"]:
        """Predictions of a new row, of which some entries are known: one regression.

        The posterior mean of its effect and factor, given the columns', for the noise and the
        covariance that were learned of rows.

        Parameters
        ----------
        cols : array of shape (k,)
            Identifiers of columns.
        values : array of shape (k,)

        Returns
        -------
        array of shape (n2,)
        """
        y = real_array("values", values, 1)
        j = self.table.positions("col", np.asarray(cols))
        if j.shape != y.shape or np.any(j < 0):
            raise InvalidInput("cols", "unknown or of another length", "columns of the table")
        n1, n2 = self.table.shape
        effects, low = self.model.effects, self.model.low
        base = effects.mean + effects.of_cols
        features = [np.ones((n2, 1))] if self.additive else []
        if low is not None:
            first = 0 if self.table.symmetric else n1
            features.append(low.X[first : first + n2])
        if not features:
            return self._clipped(base)
        F = np.concatenate(features, axis=1)
        noise = max(self.sigma, 1e-9 * float(np.sqrt(np.mean(self.table.y**2)))) ** 2
        # With S Sᵀ the prior's covariance, singular or not, the unknown is S z with z standard.
        S = self._prior_root(n1)
        Z = F[j] @ S
        z = np.linalg.solve(Z.T @ Z + noise * np.eye(S.shape[1]), Z.T @ (y - base[j]))
        return self._clipped(base + F @ (S @ z))

    def _prior_root(self, n1: int) -> Float[np.ndarray, "s s"]:
        """Root of the covariance that was learned of a row's effect and factor, or seen of it."""
        model = self.model
        if model.priors is not None:
            A = model.priors[0]
        elif model.low is not None:
            A = model.low.X[:n1].T @ model.low.X[:n1] / n1
        else:
            A = np.array([[model.effects.prior[0]]])
        values, Q = np.linalg.eigh(A)
        return Q * np.sqrt(np.maximum(values, 0.0))

    @property
    def message(self) -> str:
        """What was found, in a few sentences."""
        n1, n2 = self.table.shape
        what = "symmetric table of order" if self.table.symmetric else "table of"
        size = f"{n1}" if self.table.symmetric else f"{n1} × {n2}"
        beside = "beside a mean and effects of rows and columns" if self.additive else ""
        words = [f"{what} {size}, {self.table.y.size} entries: rank {self.rank} {beside}".strip()]
        if self.kind == "exact":
            words.append("every entry is fitted to round-off")
        else:
            words.append(f"noise of σ = {self.sigma:.3g}")
        if not math.isnan(self.error):
            words.append(f"error {self.error:.3g} on entries held out")
        if self.model.low is not None and self.model.low.unknown.size:
            low = self.model.low
            names = low.space.named(low.unknown)
            words.append(f"too few entries determine {names} ({low.unknown.size} lines)")
        return "; ".join(words) + "."

    def __str__(self) -> str:
        return self.message

    def _repr_html_(self) -> str:
        return table_html(told(self))

    def plot(self, path: Any = None) -> Any:
        """Draw it in six panels (extra ``plot``), and save that at ``path``; the figure."""
        return drawn("table_figure", self, path)

    def _at(self, rows: Any, cols: Any) -> tuple[np.ndarray, np.ndarray]:
        i, j = self.table.positions("row", rows), self.table.positions("col", cols)
        i, j = np.broadcast_arrays(np.atleast_1d(i), np.atleast_1d(j))
        return i, j

    def _open(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Entries that exact data do not determine."""
        if self.kind != "exact" or self.model.low is None:
            return np.zeros(i.shape, bool)
        shut = (i >= 0) & (j >= 0)
        shut[shut] = self.model.low.determined(i[shut], j[shut])
        # What was given is known.
        n2 = self.table.shape[1]
        given = np.isin(i * n2 + j, self.table.i.astype(np.int64) * n2 + self.table.j)
        return ~(shut | given)

    def _clipped(self, values: np.ndarray) -> np.ndarray:
        return values if self.clip is None else np.clip(values, *self.clip)


def normal_quantile(cover: float) -> float:
    """Half width, in standard deviations, of the interval of a normal law with that share."""
    from scipy.special import ndtri

    return float(ndtri((1 + cover) / 2))
