"""Points outside the determined body: groups that hang on it, placed while it rests."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from liftless.distances.data import Distances
from liftless.distances.likeliest import Likeliest
from liftless.distances.search import ROUND_OFF, SIGMAS, search

Points = Float[np.ndarray, "n dim"]
#: χ² a distance of a group that is round-off, beside what noise leaves.
EXACT = 1e-6


def groups(data: Distances, moving: Bool[np.ndarray, " n"]) -> list[Bool[np.ndarray, " n"]]:
    """Connected parts of the points that are not at rest."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    e = moving[data.i] & moving[data.j]
    graph = csr_array((np.ones(int(e.sum())), (data.i[e], data.j[e])), shape=(data.n, data.n))
    labels = connected_components(graph, directed=False)[1]
    return [moving & (labels == label) for label in np.unique(labels[moving])]


def unlikely(data: Distances, moving: Bool[np.ndarray, " n"], X: Points) -> Bool[np.ndarray, " g"]:
    """Whether the distances of each group are fitted worse than the noise explains."""
    r = (data.lengths(X) - data.d) / data.reweighted(X).shape
    out = []
    for group in groups(data, moving):
        e = group[data.i] | group[data.j]
        square, most = float(r[e] @ r[e]), ROUND_OFF * float(np.sum((data.d / data.shape)[e] ** 2))
        if data.std is not None:
            count = int(e.sum())
            most += count + SIGMAS * np.sqrt(2 * count)
        out.append(square > most)
    return np.array(out, bool)


def hung(
    data: Distances, moving: Bool[np.ndarray, " n"], X: Points, seed: int, rounds: int
) -> tuple[Points, int]:
    """Places with the groups that are not fitted searched for, the likeliest of others, and steps.

    The points of the body that a group hangs on are its anchors.
    """
    X, steps = X.copy(), 0
    for group, bad in zip(groups(data, moving), unlikely(data, moving, X), strict=True):
        both, part = _alone(data, group, X)
        there = X.copy()
        if bad:
            found = search(part, seed, rounds)
            steps += found.steps
            there[both] = found.X
            if _misfit(data, there) < _misfit(data, X):
                X = there
        elif part.std is not None and _misfit(part, X[both]) > EXACT * part.d.size:
            likeliest = Likeliest(part, X[both])
            likeliest.sought()
            steps += likeliest.steps
            there[both] = likeliest.best.squares
            X = there
    return X, steps


def _alone(
    data: Distances, group: Bool[np.ndarray, " n"], X: Points
) -> tuple[Bool[np.ndarray, " n"], Distances]:
    """A group and what it hangs on, and their distances but for those between anchors."""
    e = group[data.i] != group[data.j]
    rim = np.zeros(data.n, bool)
    rim[np.r_[data.i[e], data.j[e]]] = True
    rim &= ~group
    both = group | rim
    part = data.of(both)
    fixed = np.flatnonzero(rim[both])
    known = np.isin(part.i, fixed) & np.isin(part.j, fixed)
    part = replace(
        part,
        i=part.i[~known],
        j=part.j[~known],
        d=part.d[~known],
        std=None if part.std is None else part.std[~known],
        shape=part.shape[~known],
        anchors=fixed,
        places=X[rim],
    )
    return both, part


def _misfit(data: Distances, X: Points) -> float:
    return float(np.sum(((data.lengths(X) - data.d) / data.shape) ** 2))
