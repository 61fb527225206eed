"""Places for one body of points: scaling of path lengths, then bodies grown point by point, LM."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from liftless.descent.sparse_levenberg import SparseEnd, SparseFit, sparse_levenberg
from liftless.descent.sparse_solve import solver_for
from liftless.distances.data import Distances
from liftless.distances.fit import fit_of
from liftless.distances.growth import Body, Growth
from liftless.distances.joined import assembled
from liftless.distances.mirrored import better_mirror
from liftless.distances.rigid import moved_onto
from liftless.linalg import classical_scaling

Points = Float[np.ndarray, "n dim"]

#: Rounds of a search.
ROUNDS = 10
#: Distances for each unknown from which on one fit within the noise is taken for the only one.
REDUNDANT = 10
#: Steps of the fit that ends a round, and of the last one.
STEPS, LAST = 40, 100
#: Ways of a body that are tried, and steps of each.
WAYS, FEW, ROUGH = 4, 10, 1e-3
#: Misfit relative to that of all points in one place that is round-off.
ROUND_OFF = 1e-20
#: Deviations of χ² that noise explains, and those within which no lower fit is looked for.
SIGMAS, EARLY = 4.0, 2.0
#: Misfit of a reflection, relative to the one before, that is worth going on from.
BETTER = 0.9
#: Relative difference of two misfits that are one, and rounds that must end there, where the noise
#: is not known.
SAME, AGREE = 1e-3, 3


@dataclass
class Search:
    """What a search has found.

    Attributes
    ----------
    X : array of shape (n, dim)
    objective : float
    steps, rounds : int
    settled : bool
        Whether the misfit is what it should be: round-off, the noise's, or several times the same.
    exact : bool
        Whether it is round-off.
    ends : list of SparseEnd
        Of the ways that were tried.
    """

    X: Points
    objective: float
    steps: int = 0
    rounds: int = 0
    settled: bool = False
    exact: bool = False
    ends: list[SparseEnd] = field(default_factory=list)


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
    found = Search(np.zeros((data.n, data.dim)), np.inf)
    levels: list[float] = []
    for k, X in enumerate(_starts(data, fit, found, rounds, seed)):
        found.rounds = k + 1
        end = _descended(data, fit, X, zero, found, mirrors=k > 0)
        levels.append(end.objective)
        agreed = sum(level <= found.objective * (1 + SAME) for level in levels) >= AGREE
        found.settled = _enough(data, found.objective, zero) or agreed
        # Of fits that are as good as the noise the likeliest is wanted: growth tells of others,
        # where there are.
        alone = found.objective <= ROUND_OFF * zero or data.d.size > REDUNDANT * unknowns(data)
        if found.settled and (alone or k > 0):
            break
    end = sparse_levenberg(fit, found.X, steps=LAST)
    found.X, found.objective, found.steps = end.X, end.objective, found.steps + end.steps
    found.exact = end.objective <= ROUND_OFF * zero
    return found


def _starts(
    data: Distances, fit: SparseFit, found: Search, most: int, seed: int
) -> Iterator[Points]:
    """Scaling of path lengths, then bodies grown from the anchors and from different places."""
    whole = scaled(data)
    yield anchored(data, whole)
    growth = Growth(data)
    fixed = _fixed(growth)
    if fixed is not None:
        yield _best(fit, completed(data, fit, whole, *assembled(growth, [fixed])), found)
    rng = np.random.default_rng([seed, 41])
    order, wanted = growth.order, np.ones(data.n, bool)
    for _ in range(most - 1 - (fixed is not None)):
        if (first := growth.simplex(wanted, order)) is None:
            return
        wanted[first.points] = False
        wanted[[p for q in first.points.tolist() for p in growth.near[q]]] = False
        order = rng.random(data.n)  # the first of the best connected points, others of any
        bodies = [first] if fixed is None else [first, fixed]
        yield _best(fit, completed(data, fit, whole, *assembled(growth, bodies)), found)


def _fixed(growth: Growth) -> Body | None:
    """The anchors as a body, where they are enough to begin with."""
    data = growth.data
    if data.anchors.size < data.dim:
        return None
    return Body(data.anchors, data.places[None], np.zeros(1), np.zeros(1))


def completed(
    data: Distances, fit: SparseFit, whole: Points, main: Body, others: list[Body]
) -> list[Points]:
    """The likeliest ways to place a body, and what is left as in a start of the whole.

    The likeliest are those that were, in growth, and those of the least misfit.
    """
    out = []
    for way in main.X:
        X = moved_onto(whole, whole[main.points], way)
        for body in others:
            X[body.points] = moved_onto(body.X[0], body.X[0], X[body.points])
        X[main.points] = way
        out.append(anchored(data, X))
    least = np.argsort([fit.objective(X) for X in out], kind="stable")[:WAYS].tolist()
    return [out[k] for k in dict.fromkeys([*range(min(WAYS, len(out))), *least])]


def _best(fit: SparseFit, tries: list[Points], found: Search) -> Points:
    """The lowest after a few steps; others that end as low are kept."""
    solver = solver_for(fit.rows, tries[0].shape[1], fit.free)
    ends = [sparse_levenberg(fit, X, steps=FEW, tolerance=ROUGH, solver=solver) for X in tries]
    found.steps += sum(end.steps for end in ends)
    found.ends += ends
    return min(ends, key=lambda end: end.objective).X


def _descended(
    data: Distances, fit: SparseFit, X: Points, zero: float, found: Search, *, mirrors: bool
) -> SparseEnd:
    """End of a descent, and of those from reflections of its parts while they are lower."""
    end = _ended(found, sparse_levenberg(fit, X, steps=STEPS, tolerance=1e-7))
    while mirrors and end.objective <= found.objective and not _enough(data, end.objective, zero):
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


def scaled(data: Distances) -> Points:
    """Classical scaling of the lengths of shortest paths (Isomap's embedding)."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra

    n, d = data.n, data.d
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
    return classical_scaling(paths, data.dim)


def anchored(data: Distances, X: Points) -> Points:
    """X moved rigidly onto the anchors as well as can be, and these at their places."""
    if not data.anchors.size:
        return X - X.mean(axis=0)
    X = moved_onto(X, X[data.anchors], data.places)
    X[data.anchors] = data.places
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
