"""Observed entries of the matrix: completion, and weighted (perturbed) completion."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._checks import describe, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._memory import aligned
from liftless._types import AnyArray
from liftless.operators.base import Entries, SensingOperator, rows_of, with_fields
from liftless.operators.lines import (
    MOST_PLACES,
    Ends,
    Lines,
    entry_grams,
    entry_products,
    sorted_lines,
)


class ObservedEntries(SensingOperator):
    """What entries of symmetric and of rectangular matrices share: each touches two lines of X.

    A subclass is final, and adds the sizes of the matrix.
    """

    rows: Int[AnyArray, " m"]
    cols: Int[AnyArray, " m"]
    weights: Float[AnyArray, " m"]
    lines: Lines | None

    @property
    def m(self) -> int:
        """Number of observed entries."""
        return self.rows.shape[0]

    @property
    def ends(self) -> tuple[Int[AnyArray, " m"], Int[AnyArray, " m"]]:
        """The two lines of X of each entry."""
        first = self.space.sides[-1].start
        return self.rows, self.cols + first if first else self.cols

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`; a sparse product where there are many."""
        if self.lines is None:
            return super().backproject(y, V)
        ends = Ends(jnp.asarray(self.rows), jnp.asarray(self.cols), self.space.sides[-1].start)
        return self.lines.sum(ends, self.weights * jnp.asarray(y) / 2, V)

    def entries(self) -> Entries:
        """See :meth:`SensingOperator.entries`."""
        i, j = self.ends
        return Entries(np.asarray(i), np.asarray(j), np.asarray(self.weights))

    def row_grams(
        self, omega: Float[AnyArray, " m"], X: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r r"]:
        """See :meth:`SensingOperator.row_grams`."""
        return entry_grams(self, *self.ends, omega * self.weights**2, X)

    def cost(self, columns: int) -> float:
        """Four gathered numbers a column and entry."""
        return 4.0 * self.m * columns

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`: two rows of X at the places i and j."""
        X = jnp.asarray(X)
        k, (i, j) = jnp.arange(self.m), (jnp.asarray(end) for end in self.ends)
        weights = jnp.asarray(self.weights)[:, None].astype(X.dtype)
        out = jnp.zeros((self.m, self.n, X.shape[1]), X.dtype)
        # On the diagonal both terms fall on one place and add up to 2 w X_i.
        return out.at[k, i].add(weights * X[j]).at[k, j].add(weights * X[i])

    def jacobian_cost(self, rank: int) -> int:
        """Return 1: the rows are products of numbers that one application computes."""
        del rank
        return 1

    def links(
        self, live: Bool[np.ndarray, " n"], used: Bool[np.ndarray, " m"]
    ) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
        """See :meth:`SensingOperator.links`: the entries of nonzero weight."""
        i, j, weights = self.entries()
        seen = used & (weights != 0) & live[i] & live[j]
        return i[seen], j[seen]

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`: w_i², half of it beside the diagonal of X Xᵀ."""
        i, j = (jnp.asarray(end) for end in self.ends)
        return jnp.asarray(self.weights) ** 2 * jnp.where(i == j, 1.0, 0.5)

    def subset(self, indices: Int[AnyArray, " k"]) -> "ObservedEntries":
        """See :meth:`SensingOperator.subset`; the entries are not sorted any more."""
        stored = {"rows": self.rows, "cols": self.cols, "weights": self.weights}
        parts = {name: rows_of(data, indices) for name, data in stored.items()}
        return with_fields(self, **parts, lines=None)


class EntriesOperator(ObservedEntries):
    """A(M)_k = weights_k · M[rows_k, cols_k]: O(|Ω| r) work, never an n × n array.

    Parameters
    ----------
    rows, cols : integer arrays of shape (m,)
        Zero-based positions; (i, j) and (j, i) name the same entry of the symmetric matrix.
    n : int
        Order of the matrix.
    weights : array of shape (m,), optional
        Factor of each entry; 1 if left out.

    Raises
    ------
    InvalidInput
        Positions out of range or not whole numbers, wrong shapes, or no entry.
    """

    n: int = eqx.field(static=True)

    def __init__(self, rows: Any, cols: Any, n: int, weights: Any = None) -> None:
        self.n = positive_int("n", n)
        self.rows = positions("rows", rows, n)
        self.cols = positions("cols", cols, n)
        self.weights = as_many(self.rows, self.cols, weights)
        self.lines = sorted_lines(self.rows, self.cols, self.n)

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        return self.weights * entry_products(self.rows, self.cols, U, V)

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Return the diagonal entries' indicator, when all of them are observed."""
        rows, cols = np.asarray(self.rows), np.asarray(self.cols)
        weights = np.asarray(self.weights)
        w = np.where((rows == cols) & (weights != 0), np.sign(weights), 0.0)
        seen = np.bincount(rows[w != 0], minlength=self.n)
        return w if np.all(seen > 0) else None


def as_many(rows: np.ndarray, cols: np.ndarray, weights: Any) -> Float[np.ndarray, " m"]:
    """Weights, ones if left out; :class:`InvalidInput` unless all are as many as the rows."""
    must = f"as long as rows ({rows.size})"
    if cols.shape != rows.shape:
        raise InvalidInput("cols", describe(cols), must)
    weights = real_array("weights", np.ones(rows.shape) if weights is None else weights, 1)
    if weights.shape != rows.shape:
        raise InvalidInput("weights", describe(weights), must)
    return aligned(weights)


def _whole(array: np.ndarray) -> bool:
    return bool(np.isfinite(array).all() and np.all(array == np.floor(array)))


def positions(argument: str, value: Any, n: int) -> Int[np.ndarray, " m"]:
    """``value`` as zero-based positions below ``n``, or :class:`InvalidInput`."""
    array = np.asarray(value)
    if n > MOST_PLACES:
        raise InvalidInput(argument, f"in {n} lines", f"in at most {MOST_PLACES}")
    if array.ndim != 1 or array.size < 1:
        raise InvalidInput(argument, describe(array), "a list of at least one position")
    if array.dtype.kind not in "iuf" or not _whole(array):
        raise InvalidInput(argument, describe(array), "a list of whole numbers")
    if array.min() < 0 or array.max() >= n:
        cure = "Positions count from zero; subtract 1 from one-based data."
        out = int(array.max() if array.min() >= 0 else array.min())
        raise InvalidInput(argument, f"out of range ({out})", f"from 0 to {n - 1}", cure)
    return aligned(np.ascontiguousarray(array, np.int32))
