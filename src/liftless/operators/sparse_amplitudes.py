"""Sparse matrices that are all a_k a_kᵀ: their sparse vectors, as a map of amplitudes."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from liftless._types import AnyArray
from liftless.operators.sparse_form import Entries
from liftless.operators.sparse_products import csr_product
from liftless.operators.structure import ROUND_OFF


class SparseAmplitudes(eqx.Module):
    """Rows a_kᵀ X for sparse a_k.

    Parameters
    ----------
    values, indices, indptr : arrays of shape (q,), (q,), (m + 1,)
        The a_k as compressed rows.
    back_values, back_indices, back_indptr : arrays of shape (q,), (q,), (n + 1,)
        The same by columns.
    """

    values: Float[AnyArray, " q"]
    indices: Int[AnyArray, " q"]
    indptr: Int[AnyArray, " s"]
    back_values: Float[AnyArray, " q"]
    back_indices: Int[AnyArray, " q"]
    back_indptr: Int[AnyArray, " t"]

    def forward(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m r"]:
        """Rows a_kᵀ X."""
        X = jnp.asarray(X)
        data = jnp.asarray(self.values, X.dtype)
        return csr_product(data, jnp.asarray(self.indices), jnp.asarray(self.indptr), X)

    def adjoint(self, G: Float[AnyArray, "m r"]) -> Float[AnyArray, "n r"]:
        """Transpose of :meth:`forward`."""
        G = jnp.asarray(G)
        data = jnp.asarray(self.back_values, G.dtype)
        return csr_product(data, jnp.asarray(self.back_indices), jnp.asarray(self.back_indptr), G)

    def lengths(self) -> Float[AnyArray, " m"]:
        """‖a_k‖²."""
        values, indptr = jnp.asarray(self.values), jnp.asarray(self.indptr)
        one = jnp.ones((1, 1), values.dtype)
        where = jnp.zeros(values.shape, indptr.dtype)
        return csr_product(values * values, where, indptr, one)[:, 0]


def amplitudes_of(entries: Entries, m: int, n: int) -> SparseAmplitudes | None:
    """Return the map of the a_k where every matrix is some a_k a_kᵀ, else None.

    Parameters
    ----------
    entries : Entries
        Upper triangles, off the diagonal both entries' sum, sorted by matrix, row and column.
    m, n : int
        Number of matrices, and their order.
    """
    k, i, j, v = entries
    on = i == j
    owner, rows, size = k[on], i[on], v[on]
    counts = np.bincount(owner, minlength=m)
    # Nonzero on all of the rows that the diagonal says, or zero throughout.
    if np.any(np.bincount(k, minlength=m) != counts * (counts + 1) // 2) or np.any(size <= 0):
        return None
    key, of_i, of_j = (np.int64(n) * a + b for a, b in ((owner, rows), (k, i), (k, j)))
    at_i, at_j = (np.minimum(np.searchsorted(key, b), key.size - 1) for b in (of_i, of_j))
    if np.any(key[at_i] != of_i) or np.any(key[at_j] != of_j):
        return None
    # The row of the first nonzero gives the signs: 2 a_i a_j for its i and every j.
    starts = np.searchsorted(owner, np.arange(m + 1))
    signs = np.ones(size.size)
    first = ~on & (at_i == starts[k])
    signs[at_j[first]] = np.sign(v[first])
    a = signs * np.sqrt(size)
    largest = np.zeros(m)
    np.maximum.at(largest, owner, size)
    if np.any(np.abs(np.where(on, 1.0, 2.0) * a[at_i] * a[at_j] - v) > ROUND_OFF * largest[k]):
        return None
    order = np.lexsort((owner, rows))
    return SparseAmplitudes(
        a,
        rows.astype(np.int32),
        starts.astype(np.int32),
        a[order],
        owner[order].astype(np.int32),
        np.searchsorted(rows[order], np.arange(n + 1)).astype(np.int32),
    )
