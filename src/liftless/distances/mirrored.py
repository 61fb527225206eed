"""Other tries from a minimum: parts that its slack would turn, or that hardly hold, reflected."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless.descent.sparse_levenberg import SparseEnd, SparseFit, sparse_levenberg
from liftless.descent.sparse_solve import solver_for
from liftless.distances.rigid import mirrored

Points = Float[np.ndarray, "n dim"]
#: Whether an end is wanted.
Accept = Callable[[Points], bool]
#: How far above its goal a descent goes on, the steps that it takes then, and its gain.
Stage = tuple[float, int, float]

#: Eigenvectors of the slack that are looked at, and the shares of an eigenvector's largest entry
#: from which on points belong to the part that it turns.
VECTORS, SHARES = 6, (0.05, 0.3)
#: First steps of the descent from a reflection, and how far above the goal it ends there.
FIRST, HOPELESS = 4, 30.0
#: Steps after these, and the relative gain at which they end.
STEPS, ROUGH = 12, 1e-2
#: Softest modes of the fit that are looked at, the shares of their largest motion from which on
#: points belong to a part, and points of the least stiffness that are a part by themselves.
MODES, MOVED, LOOSE = 4, (0.15, 0.3, 0.5), 8
#: ``HOPELESS`` for these; how far above the goal a descent goes on, its steps, its gain.
FAR, NEAR, MORE, FINE = 4.0, 1.2, 40, 1e-5
#: Ridge that makes the fit's matrix definite, and eigenvalues that are rigid motions, both relative
#: to its mean diagonal.
RIDGE, RIGID = 1e-7, 1e-9
#: Points up to which the slack is taken apart as a whole.
DENSE = 1500


def better_mirror(
    fit: SparseFit,
    X: Points,
    below: float,
    pairs: tuple[np.ndarray, np.ndarray],
    accept: Accept | None = None,
) -> tuple[SparseEnd | None, int]:
    """Descent from a reflection of a part of the points that ends lower, and all steps.

    Parameters
    ----------
    fit : SparseFit
        Of squared distances; its rows are those of ``pairs``.
    X : array of shape (n, dim)
        A stationary point.
    below : float
        Objective that it must come below.
    pairs : two integer arrays of shape (m,)
    accept : callable, optional
        Whether an end below is wanted; all are by default.

    Notes
    -----
    Where the slack Σ ω (y − b)(e_i − e_j)(e_i − e_j)ᵀ has a negative eigenvalue the fit falls in a
    further column along its eigenvector: a part turns out of the flat about a hinge, and the
    eigenvector is about affine on it, and zero at the hinge.  Turned by half a circle the part is
    its mirror image in the hinge.
    """
    stages = ((HOPELESS, STEPS, ROUGH),)
    return _first_below(fit, _reflections(fit, X, pairs), below, stages, accept)


def likelier_mirror(
    fit: SparseFit,
    X: Points,
    below: float,
    pairs: tuple[np.ndarray, np.ndarray],
    accept: Accept | None = None,
) -> tuple[SparseEnd | None, int]:
    """Descent from a reflection of a part that hardly holds that ends lower, and all steps.

    The parameters are those of :func:`better_mirror`.

    Notes
    -----
    With noise both images of a part may be minima, and the slack of neither turns it.  But a part
    that hangs on points that are nearly on a line moves easily across that line: it is where a mode
    of the fit of small curvature is large.
    """
    tries = _across(X, _soft_parts(fit, X), pairs)
    return _first_below(fit, tries, below, ((FAR, STEPS, ROUGH), (NEAR, MORE, FINE)), accept)


def _first_below(
    fit: SparseFit,
    tries: Iterable[Points],
    below: float,
    stages: tuple[Stage, ...],
    accept: Accept | None,
) -> tuple[SparseEnd | None, int]:
    """Descent that ends below an objective, the first of several starts, and all steps.

    Each goes on from stage to stage while it is no farther above the objective than the stage says.
    """
    steps, solver = 0, None
    for there in tries:
        solver = solver or solver_for(fit.rows, there.shape[1], fit.free)
        end = sparse_levenberg(fit, there, steps=FIRST, tolerance=ROUGH, solver=solver)
        steps += end.steps
        for limit, more, gain in stages:
            if end.objective > limit * below:
                break
            end = sparse_levenberg(fit, end.X, steps=more, tolerance=gain, solver=solver)
            steps += end.steps
        if end.objective < below and (accept is None or accept(end.X)):
            return end, steps
    return None, steps


def reflected(X: Points, part: np.ndarray, hinge: Float[np.ndarray, "k dim"]) -> Points:
    """X with a part of the points reflected in the hyperplane nearest to others."""
    there = X.copy()
    there[part] = mirrored(X[part], hinge)
    return there


def _soft_parts(fit: SparseFit, X: Points) -> Iterator[np.ndarray]:
    """Points that the softest modes of the fit move most, and those of the least stiffness."""
    from scipy.sparse import csc_array, diags_array
    from scipy.sparse.linalg import eigsh

    n, dim = X.shape
    J = fit.jacobian(X)
    free = np.arange(n) if fit.free is None else np.flatnonzero(fit.free)
    G: Any = csc_array(J.T @ J)
    unit = float(np.mean(G.diagonal()))
    most = min(MODES + dim * (dim + 1) // 2, G.shape[0] - 1)
    shifted = csc_array(G + RIDGE * unit * diags_array(np.ones(G.shape[0])))
    start = np.random.default_rng(0).standard_normal(G.shape[0])
    values, modes = eigsh(shifted, k=most, sigma=0.0, v0=start)
    order = np.argsort(values)
    for k in order[values[order] > (RIDGE + RIGID) * unit]:
        size = np.zeros(n)
        size[free] = np.linalg.norm(modes[:, k].reshape(-1, dim), axis=1)
        for share in MOVED:
            yield size > share * size.max()
    place = dim * np.arange(free.size)[:, None, None]
    rows, columns = place + np.arange(dim)[:, None], place + np.arange(dim)
    blocks = np.asarray(G.tocsr()[rows.repeat(dim, 2).ravel(), columns.repeat(dim, 1).ravel()])
    stiff = np.linalg.eigvalsh(blocks.reshape(-1, dim, dim))[:, 0]
    for k in free[np.argsort(stiff)[:LOOSE]]:
        yield np.arange(n) == k


def _across(
    X: Points, parts: Iterable[np.ndarray], pairs: tuple[np.ndarray, np.ndarray]
) -> Iterator[Points]:
    """Points with parts reflected in the hyperplane nearest to those that they hang on."""
    i, j = pairs
    tried: set[bytes] = set()
    for part in parts:
        crossing = part[i] != part[j]
        outer = np.where(part[i[crossing]], j[crossing], i[crossing])
        if part.tobytes() in tried or np.unique(outer).size < X.shape[1]:
            continue
        tried.add(part.tobytes())
        yield reflected(X, part, X[outer])


def _reflections(
    fit: SparseFit, X: Points, pairs: tuple[np.ndarray, np.ndarray]
) -> Iterator[Points]:
    """Points with parts reflected, those of the lowest eigenvectors first, none twice."""
    i, j = pairs
    fixed = None if fit.free is None else ~fit.free
    tried: set[bytes] = set()
    for u in _turning(fit, X, i, j):
        size = np.abs(u).max()
        for share in SHARES:
            for turned in (u > share * size, u < -share * size, np.abs(u) > share * size):
                part = turned if fixed is None else turned & ~fixed
                if not part.any() or part.all() or part.tobytes() in tried:
                    continue
                tried.add(part.tobytes())
                # A part of a few points is affine with its neighbours, on the hinge or near it.
                seen = part | _next_to(part, i, j) if part.sum() <= X.shape[1] else part
                basis = np.column_stack([X[seen], np.ones(int(seen.sum()))])
                plane = np.linalg.lstsq(basis, u[seen], rcond=None)[0]
                normal = plane[:-1]
                square = float(normal @ normal)
                if square > 0:
                    there = X.copy()
                    height = (X[part] @ normal + plane[-1]) / square
                    there[part] -= 2 * height[:, None] * normal
                    yield there


def _next_to(part: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    near = np.zeros(part.size, bool)
    near[j[part[i]]] = True
    near[i[part[j]]] = True
    return near


def stress_matrix(n: int, i: np.ndarray, j: np.ndarray, stress: np.ndarray) -> Any:
    """Σ ω (e_i − e_j)(e_i − e_j)ᵀ over the pairs, sparse."""
    from scipy.sparse import csr_array, diags_array

    off = csr_array((np.r_[-stress, -stress], (np.r_[i, j], np.r_[j, i])), shape=(n, n))
    return csr_array(off - diags_array(np.asarray(off.sum(axis=1)).ravel()))


def _turning(fit: SparseFit, X: Points, i: np.ndarray, j: np.ndarray) -> Float[np.ndarray, "k n"]:
    """Eigenvectors of the slack of negative eigenvalues, the lowest first."""
    from scipy.sparse.linalg import eigsh

    n = len(X)
    slack = stress_matrix(n, i, j, fit.w**2 * (fit.rows.values(X) - fit.b))
    most = min(VECTORS, n - 1)
    if n <= DENSE:
        values, vectors = np.linalg.eigh(slack.toarray())
        values, vectors = values[:most], vectors[:, :most]
    else:
        start = np.random.default_rng(0).standard_normal(n)
        values, vectors = eigsh(slack, k=most, which="SA", v0=start, tol=1e-4)  # pyright: ignore
    return vectors[:, values < 0].T
