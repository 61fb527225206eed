"""Buses without load and generation: their voltages from those of their neighbours."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from liftless.grid.network import Grid

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Condition number of the equations of joined idle buses from which on they tell no voltages.  In
#: pandapower's cases of 14 to 1354 buses it is 640 at most, of 50 joined ones.
SINGULAR = 1e12


def reduction(
    grid: Grid, idle: Bool[np.ndarray, " n"]
) -> tuple["csr_array", Bool[np.ndarray, " n"]]:
    """Voltages of all buses from those of the others, where idle ones have no injection.

    Parameters
    ----------
    grid : Grid
    idle : boolean array of shape (n,)
        Buses whose injection is zero.

    Returns
    -------
    T : sparse complex array of shape (n, k)
        v = T u with (Y v)_i = 0 at the idle buses, u the voltages of the k others (Kron reduction).
    gone : boolean array of shape (n,)
        Buses that are eliminated: not those whose equations are singular, such as idle buses that
        nothing feeds.

    Notes
    -----
    A voltage that is not zero has no injection exactly where its current is zero, and currents are
    linear in v: the rows stay quadratic, and every step keeps the equations.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    places = np.flatnonzero(idle)
    gone = np.zeros(grid.n, bool)
    labels = connected_components(abs(grid.Y[places][:, places]), directed=False)[1]
    order = np.argsort(labels, kind="stable")
    Y = grid.Y[places[order]]
    ends = np.flatnonzero(np.diff(labels[order], prepend=-1, append=-1))
    parts = []
    for first, last in pairwise(ends.tolist()):
        group = places[order[first:last]]
        a, b = Y.indptr[first], Y.indptr[last]
        near, column = np.unique(Y.indices[a:b], return_inverse=True)
        if not np.isin(group, near).all():  # nothing is connected there
            continue
        whole = np.zeros((group.size, near.size), complex)
        np.add.at(
            whole,
            (np.repeat(np.arange(last - first), np.diff(Y.indptr[first : last + 1])), column),
            Y.data[a:b],
        )
        rim = ~idle[near]
        inner = whole[:, np.searchsorted(near, group)]
        if not rim.any() or not np.linalg.cond(inner) < SINGULAR:
            continue
        gone[group] = True
        told = -np.linalg.solve(inner, whole[:, rim])
        i, j = np.repeat(group, int(rim.sum())), np.tile(near[rim], group.size)
        parts.append((i, j, told.ravel()))
    kept = np.flatnonzero(~gone)
    place = np.cumsum(~gone) - 1
    parts.append((kept, kept, np.ones(kept.size, complex)))
    i, j, values = (np.concatenate([part[c] for part in parts]) for c in range(3))
    return csr_array((values, (i, place[j])), shape=(grid.n, kept.size)), gone
