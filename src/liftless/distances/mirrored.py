"""Another try from a spurious minimum: the part that its slack would turn is reflected."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from liftless.descent.sparse_levenberg import SparseEnd, SparseFit, sparse_levenberg
from liftless.descent.sparse_solve import solver_for

Points = Float[np.ndarray, "n dim"]

#: Eigenvectors of the slack that are looked at, and the shares of an eigenvector's largest entry
#: from which on points belong to the part that it turns.
VECTORS, SHARES = 6, (0.05, 0.3)
#: First steps of the descent from a reflection, and how far above the goal it ends there.
FIRST, HOPELESS = 4, 30.0
#: Steps after these, and the relative gain at which they end.
STEPS, ROUGH = 12, 1e-2
#: Points up to which the slack is taken apart as a whole.
DENSE = 1500


def better_mirror(
    fit: SparseFit, X: Points, below: float, pairs: tuple[np.ndarray, np.ndarray]
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

    Notes
    -----
    Where the slack Σ ω (y − b)(e_i − e_j)(e_i − e_j)ᵀ has a negative eigenvalue the fit falls in a
    further column along its eigenvector: a part turns out of the flat about a hinge, and the
    eigenvector is about affine on it, and zero at the hinge.  Turned by half a circle the part is
    its mirror image in the hinge.
    """
    steps, solver = 0, solver_for(fit.rows, X.shape[1], fit.free)
    for there in _reflections(fit, X, pairs):
        end = sparse_levenberg(fit, there, steps=FIRST, tolerance=ROUGH, solver=solver)
        steps += end.steps
        if end.objective > HOPELESS * below:
            continue
        end = sparse_levenberg(fit, end.X, steps=STEPS, tolerance=ROUGH, solver=solver)
        steps += end.steps
        if end.objective < below:
            return end, steps
    return None, steps


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


def _turning(fit: SparseFit, X: Points, i: np.ndarray, j: np.ndarray) -> Float[np.ndarray, "k n"]:
    """Eigenvectors of the slack of negative eigenvalues, the lowest first."""
    from scipy.sparse import csr_array, diags_array
    from scipy.sparse.linalg import eigsh

    n = len(X)
    stress = fit.w**2 * (fit.rows.values(X) - fit.b)
    off = csr_array((np.r_[-stress, -stress], (np.r_[i, j], np.r_[j, i])), shape=(n, n))
    slack = csr_array(off - diags_array(np.asarray(off.sum(axis=1)).ravel()))
    most = min(VECTORS, n - 1)
    if n <= DENSE:
        values, vectors = np.linalg.eigh(slack.toarray())
        values, vectors = values[:most], vectors[:, :most]
    else:
        start = np.random.default_rng(0).standard_normal(n)
        values, vectors = eigsh(slack, k=most, which="SA", v0=start, tol=1e-4)  # pyright: ignore
    return vectors[:, values < 0].T
