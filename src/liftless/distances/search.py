"""Places for one rigid body of points: scaling of path lengths, repulsion, a wider factor, LM."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from liftless.descent.sparse_levenberg import SparseEnd, SparseFit, sparse_levenberg
from liftless.distances.data import Distances
from liftless.distances.mirrored import better_mirror, likelier_mirror
from liftless.operators import SparseOperator
from liftless.operators.sparse_rows import SparseRows
from liftless.space import Symmetric

Points = Float[np.ndarray, "n dim"]

#: Rounds of a search, and every how many of them one begins anew from perturbed path lengths.
ROUNDS, ANEW = 15, 3
#: Relative deviation of the perturbed lengths, and of the random extra column.
SHAKEN, KICK = 0.15, 0.3
#: Ridges of the extra columns, in units of the mean curvature of a point, one after another.
RIDGES = (1e-3, 1e-2, 1e-1)
#: Steps of each, and the relative gain at which one ends early.
WIDE, ROUGH = 20, 1e-4
#: Rounds of repulsion, its steps, and its weight.
REPULSED, REPULSION, WEIGHT = 6, 8, 0.5
#: Steps of the fit that ends a round, and of the last one.
STEPS, LAST = 40, 100
#: Misfit relative to that of all points in one place that is round-off.
ROUND_OFF = 1e-20
#: Deviations of χ² that noise explains, and those within which no lower fit is looked for.
SIGMAS, EARLY = 4.0, 1.0
#: Misfit of a reflection, relative to the one before, that is worth going on from.
BETTER = 0.9
#: The difference of two −2 log likelihoods that is none; by how much ½ χ² of squares may be above a
#: likelier fit's; and how far apart, in median distances, two fits are one.
LIKELIER, MARGIN, NEAR = 0.5, 8.0, 0.05
#: Relative difference of two misfits that are one, and rounds that must end there, where the noise
#: is not known.
SAME, AGREE = 1e-3, 3


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


@dataclass
class Search:
    """What a search has found.

    Attributes
    ----------
    X : array of shape (n, dim)
    objective : float
    steps, rounds : int
    settled : bool
        Whether the misfit is what it should be: round-off, the noise's, or twice the same.
    """

    X: Points
    objective: float
    steps: int = 0
    rounds: int = 0
    settled: bool = False


def search(data: Distances, seed: int, rounds: int = ROUNDS) -> Search:
    """Place the points of a body; the best of several rounds.

    Parameters
    ----------
    data : Distances
        Of points that are connected.
    seed : int
    rounds : int
    """
    fit = fit_of(data)
    zero = fit.objective(np.zeros((data.n, 1)))
    rng = np.random.default_rng([seed, 41])
    found = Search(np.zeros((data.n, data.dim)), np.inf)
    levels: list[float] = []
    for k in range(rounds):
        found.rounds = k + 1
        if k % ANEW == 0:
            X = scaled(data, data.dim, shaken=SHAKEN if k else 0.0, rng=rng)
            X = _repelled(data, anchored(data, X), found)
        else:
            X = _flattened(data, fit, found.X, rng, found)
            X = _repelled(data, X, found)
        end = _descended(data, fit, X, zero, found)
        if not _enough(data, end.objective, zero):
            X = _flattened(data, fit, end.X, rng, found)
            end = _descended(data, fit, X, zero, found)
        levels.append(found.objective if k == 0 else end.objective)
        agreed = sum(level <= found.objective * (1 + SAME) for level in levels) >= AGREE
        if _enough(data, found.objective, zero) or (agreed and k >= AGREE - 1):
            found.settled = True
            break
    end = sparse_levenberg(fit, found.X, steps=LAST)
    found.X, found.objective, found.steps = end.X, end.objective, found.steps + end.steps
    if data.std is not None and found.settled and found.objective > ROUND_OFF * zero:
        # What fits the distances themselves: their squares may fit better elsewhere.
        best = _Likeliest(data, fit, found)
        best.mirrored()
        found.X = best.X
    return found


class _Likeliest:
    """The likeliest fit so far among those that the noise explains.

    With a part reflected that hangs on points nearly on a line χ² may be within its spread as well.
    Ends are compared by their likelihood once the distances themselves are fitted: the fit of their
    squares errs by more.
    """

    def __init__(self, data: Distances, fit: SparseFit, found: Search) -> None:
        self.data, self.fit, self.found = data, fit, found
        self.squares = found.X
        self.X, self.level = self._sharp(found.X)

    def _sharp(self, X: Points) -> tuple[Points, float]:
        data, Y, steps = sharpened(self.data, X)
        self.found.steps += steps
        return Y, deviance(data, Y)

    def _here(self, X: Points) -> bool:
        """Whether a fit of the squares is the best one's, but for less than the noise."""
        far = np.linalg.norm(moved_onto(X, X, self.squares) - self.squares, axis=1).max()
        return bool(far < NEAR * np.median(self.data.d))

    def taken(self, X: Points) -> bool:
        """Whether X leads to a likelier fit, which is the best one from now on."""
        if self._here(X):
            return False
        Y, level = self._sharp(X)
        lower = level < self.level - LIKELIER
        if lower:
            self.squares, self.X, self.level = X, Y, level
        return lower

    def mirrored(self) -> None:
        """Descend from reflections of parts while one ends at a likelier fit."""
        pairs, moved = (self.data.i, self.data.j), True
        while moved:
            moved = False
            for mirror in (likelier_mirror, better_mirror):
                below = self.fit.objective(self.squares) + MARGIN
                lower, steps = mirror(self.fit, self.squares, below, pairs, self.taken)
                self.found.steps += steps
                moved = moved or lower is not None


def sharpened(data: Distances, X: Points) -> tuple[Distances, Points, int]:
    """Deviations at the fit, the places that fit the distances themselves, and steps."""
    measured, steps = data, 0
    for _ in range(2 if data.relative else 1):
        end = sparse_levenberg(fit_of(data, roots=True), X, steps=LAST, damping=1e-6)
        X, steps = end.X, steps + end.steps
        data = measured.reweighted(X)
    return data, X, steps


def deviance(data: Distances, X: Points) -> float:
    """−2 log likelihood, up to a constant, of deviations that are those of the fit."""
    gap = data.lengths(X) - data.d
    return float(np.sum((gap / data.shape) ** 2) + 2 * np.sum(np.log(data.shape / data.d)))


def _descended(data: Distances, fit: SparseFit, X: Points, zero: float, found: Search) -> SparseEnd:
    """End of a descent, and of those from reflections of its parts while they are lower."""
    end = _ended(found, sparse_levenberg(fit, X, steps=STEPS, tolerance=1e-7))
    while end.objective <= found.objective and not _enough(data, end.objective, zero):
        lower, steps = better_mirror(fit, end.X, BETTER * end.objective, (data.i, data.j))
        found.steps += steps
        if lower is None:
            break
        end = _ended(found, sparse_levenberg(fit, lower.X, steps=STEPS, tolerance=1e-7))
    return end


def _ended(found: Search, end: SparseEnd) -> SparseEnd:
    found.steps += end.steps
    if end.objective < found.objective:
        found.X, found.objective = end.X, end.objective
    return end


def _enough(data: Distances, objective: float, zero: float) -> bool:
    """Whether a misfit is round-off, or what the noise explains."""
    if objective <= ROUND_OFF * zero:
        return True
    if data.std is None:
        return False
    dof = max(data.d.size - unknowns(data), 1)
    return bool(2 * objective <= dof + EARLY * np.sqrt(2 * dof))


def unknowns(data: Distances) -> int:
    """Free coordinates of a rigid body, less its rigid motions."""
    free = data.dim * (data.n - data.anchors.size)
    if not data.anchors.size:
        return free - data.dim * (data.dim + 1) // 2
    # Rotations about the flat of the anchors are left.
    span = np.linalg.matrix_rank(data.places - data.places[0]) if data.anchors.size > 1 else 0
    left = data.dim - int(span)
    return free - left * (left - 1) // 2


def scaled(data: Distances, k: int, *, shaken: float = 0.0, rng: Any = None) -> Points:
    """Classical scaling of the lengths of shortest paths (Isomap's embedding)."""
    from scipy.linalg import eigh
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    n, d = data.n, data.d
    if shaken:
        d = d * np.exp(shaken * rng.standard_normal(d.size))
    i, j = data.i, data.j
    if data.anchors.size > 1:
        a, b = np.triu_indices(data.anchors.size, 1)
        gap = np.linalg.norm(data.places[a] - data.places[b], axis=1)
        i, j, d = np.r_[i, data.anchors[a]], np.r_[j, data.anchors[b]], np.r_[d, gap]
        _, first = np.unique(
            np.stack([np.minimum(i, j), np.maximum(i, j)]), axis=1, return_index=True
        )
        i, j, d = i[first], j[first], np.maximum(d[first], 1e-12 * d.max())
    paths = np.asarray(dijkstra(csr_array((d, (i, j)), shape=(n, n)), directed=False))
    if not np.isfinite(paths).all():
        paths = np.where(np.isfinite(paths), paths, 2 * paths[np.isfinite(paths)].max())
    B = -0.5 * paths**2
    B = B - B.mean(axis=0) - B.mean(axis=1)[:, None] + B.mean()
    most = min(k, n)
    values, vectors = eigh(B, subset_by_index=[n - most, n - 1])
    X = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.pad(X[:, ::-1], ((0, 0), (0, k - most)))


def anchored(data: Distances, X: Points) -> Points:
    """X moved rigidly onto the anchors as well as can be, and these at their places."""
    if not data.anchors.size:
        return X - X.mean(axis=0)
    X = moved_onto(X, X[data.anchors], data.places)
    X[data.anchors] = data.places
    return X


def moved_onto(
    X: Points, there: Float[np.ndarray, "a dim"], places: Float[np.ndarray, "a dim"]
) -> Points:
    """X under the rigid motion (or reflection) that brings ``there`` nearest to ``places``."""
    centre, goal = there.mean(axis=0), places.mean(axis=0)
    U, _, Vt = np.linalg.svd((there - centre).T @ (places - goal))
    return (X - centre) @ (U @ Vt) + goal


def _flattened(
    data: Distances, fit: SparseFit, X: Points, rng: np.random.Generator, found: Search
) -> Points:
    """X given a random column more, and driven back into its dimension by a rising ridge."""
    n, dim = X.shape
    size = np.sqrt(np.mean((X - X.mean(axis=0)) ** 2))
    extra = KICK * size * rng.standard_normal((n, 1))
    extra[data.anchors] = 0.0
    wide = np.hstack([X, extra])
    unit = float(np.median(fit.w**2 * fit.b)) * fit.rows.m / n
    for ridge in (0.0, *RIDGES):
        held = None if ridge == 0 else np.r_[np.zeros(dim), ridge * unit]
        end = sparse_levenberg(fit.with_ridge(held), wide, steps=WIDE, tolerance=ROUGH)
        found.steps += end.steps
        wide = (
            end.X
            if data.anchors.size
            else Symmetric(n).truncate(end.X - end.X.mean(axis=0), dim + 1)
        )
    return wide[:, :dim]


def _repelled(data: Distances, X: Points, found: Search) -> Points:
    """X with points of no measured distance pushed out of each other's range.

    The range of a point is its longest distance: what lies within the ranges of both of two points
    would have been measured, where that is how pairs came about.  A start only: the fits that
    follow know nothing of it.
    """
    from scipy.spatial import KDTree

    reach = np.zeros(data.n)
    np.maximum.at(reach, data.i, data.d)
    np.maximum.at(reach, data.j, data.d)
    measured = data.i.astype(np.int64) * data.n + data.j
    for _ in range(REPULSED):
        if not np.isfinite(X).all():
            break
        pairs = KDTree(X).query_pairs(float(reach.max()), output_type="ndarray")
        pairs = pairs[~np.isin(pairs[:, 0].astype(np.int64) * data.n + pairs[:, 1], measured)]
        range_ = np.minimum(reach[pairs[:, 0]], reach[pairs[:, 1]])
        near = np.linalg.norm(X[pairs[:, 0]] - X[pairs[:, 1]], axis=1) < range_
        if not near.any():
            break
        a, b, r = pairs[near, 0], pairs[near, 1], range_[near]
        more = replace(
            data,
            i=np.r_[data.i, a],
            j=np.r_[data.j, b],
            d=np.r_[data.d, r],
            std=None,
            shape=np.r_[data.shape, np.median(data.shape / data.d) * r / WEIGHT],
        )
        end = sparse_levenberg(fit_of(more), X, steps=REPULSION, tolerance=1e-3)
        X, found.steps = end.X, found.steps + end.steps
    return X


def connected(data: Distances) -> Bool[np.ndarray, "c n"]:
    """Components of the graph of distances, the anchors taken together, largest first."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    i, j = np.r_[data.i, data.anchors[:-1]], np.r_[data.j, data.anchors[1:]]
    graph = csr_array((np.ones(i.size), (i, j)), shape=(data.n, data.n))
    labels = connected_components(graph, directed=False)[1]
    order = np.argsort(-np.bincount(labels), kind="stable")
    return labels[None, :] == order[:, None]
