"""Sparse measurements on the host: values and Jacobian with SciPy, the pattern laid out once."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from liftless.operators.sparse import SparseOperator, entries_of

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class SparseRows:
    """A(X Xᵀ) of a :class:`SparseOperator`, and its Jacobian, without compiling anything.

    Parameters
    ----------
    operator : SparseOperator
        Of any space; X is its array of rows.

    Notes
    -----
    Row k of the Jacobian is (B X), re-arranged, for a sparse B of one row for every row of X that
    measurement k touches: its pattern is found once, and a Jacobian is one sparse product.
    """

    def __init__(self, operator: SparseOperator) -> None:
        from scipy.sparse import csr_array

        k, i, j, values = entries_of(operator)
        self.m, self.n = operator.m, operator.n
        self.i, self.j = i, j
        starts = np.searchsorted(k, np.arange(self.m + 1))
        self.sum = csr_array((values, np.arange(k.size), starts), shape=(self.m, k.size))
        # Each entry adds v X_j to row i of its measurement, and v X_i to row j.
        place, column = np.r_[k, k].astype(np.int64) * self.n + np.r_[i, j], np.r_[j, i]
        order = np.argsort(place, kind="stable")
        place, column, data = place[order], column[order], np.r_[values, values][order]
        first = np.flatnonzero(np.r_[True, np.diff(place) != 0])
        shape = (first.size, self.n)
        self.blocks = csr_array((data, column, np.r_[first, place.size]), shape=shape)
        of, self.touched = np.divmod(place[first], self.n)
        self.indptr = np.searchsorted(of, np.arange(self.m + 1))

    def values(self, X: Float[np.ndarray, "n r"]) -> Float[np.ndarray, " m"]:
        """A(X Xᵀ)."""
        return self.sum @ np.einsum("er,er->e", X[self.i], X[self.j])

    def jacobian(self, X: Float[np.ndarray, "n r"]) -> "csr_array":
        """Derivative of :meth:`values` as (m, n r), entry (i, c) of X in column i r + c."""
        from scipy.sparse import csr_array

        r = X.shape[1]
        columns = (self.touched[:, None] * r + np.arange(r)).ravel()
        data = (self.blocks @ X).ravel()
        return csr_array((data, columns, self.indptr * r), shape=(self.m, self.n * r))
