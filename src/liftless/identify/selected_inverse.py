"""Entries of the inverse of a sparse matrix where its factor has entries."""

from typing import Any

import numpy as np

from liftless.descent.sparse_solve import factorised


def selected_inverse(G: Any) -> Any:
    """Inverse of a sparse positive definite matrix on the pattern of its Cholesky factor.

    Parameters
    ----------
    G : sparse array of shape (n, n)
        Symmetric and positive definite.

    Returns
    -------
    sparse array of shape (n, n)
        Symmetric; entries outside the pattern are not stored.

    Notes
    -----
    Of G = L D Lᵀ, from the last column back: with S the rows of column j below its diagonal,
    Z_Sj = −Z_SS l_S and Z_jj = 1/d_j − l_Sᵀ Z_Sj (Takahashi, Fagan and Chen 1973).  All of Z_SS is
    known then, since S lies within the front {p} ∪ S_p of the first row p of S: n small products in
    place of n solves.
    """
    from scipy.sparse import csc_array

    lu = factorised(G)
    n, L, d = G.shape[0], csc_array(lu.L), lu.U.diagonal()
    place = np.argsort(lu.perm_c)
    below, slopes = _columns(L)
    fronts: list[Any] = [None] * n
    waiting = np.bincount([s[0] for s in below if s.size], minlength=n)
    values, diagonal = [np.zeros(0)] * n, np.zeros(n)
    for j in range(n - 1, -1, -1):
        s, slope, inner = below[j], slopes[j], np.zeros((0, 0))
        if s.size:
            p = s[0]
            at = np.r_[0, np.searchsorted(below[p], s[1:]) + 1]
            inner = fronts[p][np.ix_(at, at)]
            waiting[p] -= 1
            if not waiting[p]:
                fronts[p] = None
            values[j] = -inner @ slope
        diagonal[j] = 1 / d[j] - slope @ values[j]
        if waiting[j]:
            front = np.empty((s.size + 1, s.size + 1))
            front[0, 0], front[0, 1:], front[1:, 0] = diagonal[j], values[j], values[j]
            front[1:, 1:] = inner
            fronts[j] = front
    rows = np.concatenate(below)
    columns = np.repeat(np.arange(n), [s.size for s in below])
    off = np.concatenate(values)
    i = place[np.r_[rows, columns, np.arange(n)]]
    j = place[np.r_[columns, rows, np.arange(n)]]
    return csc_array((np.r_[off, off, diagonal], (i, j)), shape=(n, n))


def _columns(L: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Rows below the diagonal of every column of a factor, and its entries there.

    Rows that an entry could have come to by elimination are among them, where the factor has left
    out its zeros.
    """
    n = L.shape[1]
    L.sort_indices()
    below, slopes = [], []
    for j in range(n):
        a, b = L.indptr[j], L.indptr[j + 1]
        keep = L.indices[a:b] > j
        below.append(L.indices[a:b][keep])
        slopes.append(L.data[a:b][keep])
    for j in range(n):
        s = below[j]
        if s.size > 1:
            p = s[0]
            whole = np.union1d(below[p], s[1:])
            if whole.size > below[p].size:
                slope = np.zeros(whole.size)
                slope[np.searchsorted(whole, below[p])] = slopes[p]
                below[p], slopes[p] = whole, slope
    return below, slopes
