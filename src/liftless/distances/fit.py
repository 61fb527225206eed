"""The least-squares problem of distances."""

import numpy as np

from liftless.descent.sparse_levenberg import SparseFit
from liftless.distances.data import Distances
from liftless.operators import SparseOperator
from liftless.operators.sparse_rows import SparseRows
from liftless.space import Symmetric


def operator_of(data: Distances) -> SparseOperator:
    """Squared distances as measurements of X Xᵀ: A_k = (e_i − e_j)(e_i − e_j)ᵀ."""
    k = np.arange(data.i.size)
    i, j = np.r_[data.i, data.j, data.i], np.r_[data.i, data.j, data.j]
    values = np.r_[np.ones(2 * k.size), np.full(k.size, -2.0)]
    return SparseOperator(np.tile(k, 3), i, j, values, m=k.size, space=Symmetric(data.n))


def fit_of(data: Distances, *, roots: bool = False) -> SparseFit:
    """Fit of the squared distances, to first order that of the distances; with roots of these."""
    free = np.ones(data.n, bool)
    free[data.anchors] = False
    w = 1 / data.shape if roots else 1 / (2 * data.d * data.shape)
    every = np.ones(data.d.size, bool) if roots else None
    rows = SparseRows(operator_of(data))
    return SparseFit(rows, data.d**2, w, free=None if free.all() else free, roots=every)
