"""Which points a graph of distances determines, for places in general position.

Whether a framework can bend, and whether another one of the same distances exists, are the same for
almost all places: both are asked at random ones, before anything is solved.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless.descent.sparse_solve import Direct
from liftless.distances.mirrored import stress_matrix
from liftless.identify.sparse_null import null_directions

#: Eigenvalue of the stress matrix, relative to the largest, that is zero.
ZERO = 1e-10
#: Share of a random vector that is left where there is no equilibrium stress.
NO_STRESS = 1e-7
#: Points up to which the stress matrix is taken apart as a whole.
DENSE = 1500
#: Length of a point's part in a null vector that is nothing.
STILL = 1e-5
#: Simplices from which the largest body is sought.
TRIED = 40


@dataclass(frozen=True)
class Rigidity:
    """What the pairs determine.

    Attributes
    ----------
    determined : boolean array of shape (n,)
        The largest body found of which, in general position, there is one realisation only up to
        rigid motions and the mirror image of the whole.
    flexible : boolean array of shape (n,)
        Points that can move while the body rests.
    mirrors : tuple of (points, separator)
        Groups of points that cannot move but have other places; of the body's points that they hang
        on.  At most ``dim`` of these: one of the places is the mirror image in their flat.
    """

    determined: Bool[np.ndarray, " n"]
    flexible: Bool[np.ndarray, " n"]
    mirrors: tuple[tuple[np.ndarray, np.ndarray], ...]


def rigidity(
    n: int, i: Int[np.ndarray, " m"], j: Int[np.ndarray, " m"], dim: int, anchors: Any = ()
) -> Rigidity:
    """Say which points are determined by the distances of pairs and the places of anchors.

    Parameters
    ----------
    n : int
    i, j : integer arrays of shape (m,)
    dim : int
    anchors : integer array
        Points of known places; their distances are known as well.

    References
    ----------
    Gortler, Healy and Thurston, Characterizing generic global rigidity (2010): a framework is the
    only one where a random equilibrium stress has a kernel of dimension ``dim + 1``.
    """
    anchors = np.asarray(anchors, int)
    i, j = _with_anchors(i, j, anchors, dim)
    body = _largest_body(n, i, j, dim, anchors)
    flexible = _moving(n, i, j, dim, body)
    return Rigidity(body, flexible, _groups(n, i, j, body, flexible))


def _with_anchors(
    i: np.ndarray, j: np.ndarray, anchors: np.ndarray, dim: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs, and among the anchors enough pairs to make them one body: each with dim + 1 others."""
    if anchors.size < 2:
        return i, j
    a, b = np.triu_indices(anchors.size, 1)
    few = a <= dim
    i, j = np.r_[i, anchors[a[few]]], np.r_[j, anchors[b[few]]]
    pairs = np.unique(np.sort(np.stack([i, j], axis=1), axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _among(
    kept: np.ndarray, i: np.ndarray, j: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of kept points, renumbered, and the numbers that these points had."""
    number = np.cumsum(kept) - 1
    e = kept[i] & kept[j]
    return number[i[e]], number[j[e]], np.flatnonzero(kept)


def _core(n: int, i: np.ndarray, j: np.ndarray, least: int, kept: np.ndarray) -> np.ndarray:
    """Points that are left when those of fewer than ``least`` neighbours go, again and again."""
    kept = kept.copy()
    while True:
        e = kept[i] & kept[j]
        degree = np.bincount(np.r_[i[e], j[e]], minlength=n)
        low = kept & (degree < least)
        if not low.any():
            return kept
        kept &= ~low


def _largest_body(
    n: int, i: np.ndarray, j: np.ndarray, dim: int, anchors: np.ndarray
) -> Bool[np.ndarray, " n"]:
    """Largest set of points with one realisation: cut down until the stress's kernel says so."""
    fixed = anchors.size > dim
    kept = np.ones(n, bool)
    while True:
        kept = _core(n, i, j, dim + 1, kept)
        a, b, points = _among(kept, i, j)
        if points.size < dim + 2:
            break
        kernel = stress_kernel(points.size, a, b, dim)
        if kernel.shape[1] <= dim + 1:
            return kept
        seeds = np.flatnonzero(np.isin(points, anchors)) if fixed else None
        part = _spanned(kernel, a, b, dim, seeds)
        if part.all():
            return kept
        kept = np.zeros(n, bool)
        kept[points[part]] = True
    return _simplex(n, i, j, dim, anchors)


def stress_kernel(
    n: int, i: Int[np.ndarray, " m"], j: Int[np.ndarray, " m"], dim: int
) -> Float[np.ndarray, "n k"]:
    """Kernel of a random equilibrium stress matrix at random places, seed 0."""
    from scipy.sparse import csc_array, diags_array

    rng = np.random.default_rng(0)
    P = rng.standard_normal((n, dim))
    J = _slopes(P, i, j)
    G = csc_array(J.T @ J + 1e-12 * diags_array(np.ones(n * dim)))
    solve, stress = Direct().factor(G), rng.standard_normal(i.size)
    size = float(np.linalg.norm(stress))
    # Its part in the range of J is taken off, again for the digits that the ridge costs.
    for _ in range(4):
        stress = stress - J @ solve(J.T @ stress)
    if float(np.linalg.norm(stress)) <= NO_STRESS * size:
        return np.eye(n)
    omega = stress_matrix(n, i, j, stress / np.linalg.norm(P[i] - P[j], axis=1))
    if n > DENSE:
        return null_directions(omega)
    values, vectors = np.linalg.eigh(omega.toarray())
    return vectors[:, np.abs(values) <= ZERO * np.abs(values).max()]


def _slopes(P: Float[np.ndarray, "n dim"], i: np.ndarray, j: np.ndarray) -> Any:
    """Derivative of the distances of pairs by all coordinates, sparse."""
    from scipy.sparse import csr_array

    (n, dim), m = P.shape, i.size
    gap = P[i] - P[j]
    gap /= np.linalg.norm(gap, axis=1)[:, None]
    columns = (np.stack([i, j], axis=1)[:, :, None] * dim + np.arange(dim)).ravel()
    data = np.concatenate([gap, -gap], axis=1).ravel()
    return csr_array((data, columns, 2 * dim * np.arange(m + 1)), shape=(m, n * dim))


def _spanned(
    kernel: np.ndarray, i: np.ndarray, j: np.ndarray, dim: int, seeds: np.ndarray | None
) -> Bool[np.ndarray, " n"]:
    """Points where every vector of the kernel that vanishes on a simplex vanishes; the most."""
    n = len(kernel)
    best = np.zeros(n, bool)
    simplices = _simplices(n, i, j, dim) if seeds is None else [seeds]
    for corners in simplices:
        _, s, Vt = np.linalg.svd(kernel[corners])
        rank = int(np.sum(s > 1e-6 * s[0])) if s.size and s[0] > 0 else 0
        if rank < dim + 1:
            continue
        rest = kernel @ Vt[rank:].T
        there = np.linalg.norm(rest, axis=1) <= STILL
        if there.sum() > best.sum():
            best = there
        if 2 * best.sum() > n:
            break
    return best


def _simplices(n: int, i: np.ndarray, j: np.ndarray, dim: int) -> list[np.ndarray]:
    """Some sets of dim + 1 points that all know each other, seed 0."""
    near: list[set[int]] = [set() for _ in range(n)]
    for a, b in zip(i.tolist(), j.tolist(), strict=True):
        near[a].add(b)
        near[b].add(a)
    out = []
    for first in np.random.default_rng(0).permutation(n).tolist():
        corners, common = [first], set(near[first])
        while len(corners) <= dim and common:
            # The neighbour that leaves most to choose from, the least of equal ones.
            best = max(sorted(common), key=lambda k: len(near[k] & common))
            corners.append(best)
            common &= near[best]
        if len(corners) == dim + 1:
            out.append(np.array(corners))
        if len(out) >= TRIED:
            break
    return out


def _simplex(n: int, i: np.ndarray, j: np.ndarray, dim: int, anchors: np.ndarray) -> np.ndarray:
    """The anchors, or points that all know each other, where there is no larger body."""
    body = np.zeros(n, bool)
    if anchors.size > dim:
        body[anchors] = True
        return body
    for size in range(dim, 0, -1):
        found = _simplices(n, i, j, size)
        if found:
            body[found[0]] = True
            return body
    return body


def _moving(n: int, i: np.ndarray, j: np.ndarray, dim: int, body: np.ndarray) -> np.ndarray:
    """Points outside the body that can move while it rests."""
    out = ~body
    if not out.any() or not body.any():
        return out
    e = out[i] | out[j]
    J = _slopes(np.random.default_rng(0).standard_normal((n, dim)), i[e], j[e])
    lost = null_directions(J[:, np.flatnonzero(np.repeat(out, dim))])
    moved = np.linalg.norm(lost.reshape(int(out.sum()), -1), axis=1) > STILL
    flexible = np.zeros(n, bool)
    flexible[np.flatnonzero(out)[moved]] = True
    return flexible


def _groups(
    n: int, i: np.ndarray, j: np.ndarray, body: np.ndarray, flexible: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Connected groups outside the body that do not move, and what of the body each hangs on."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    out = ~body
    e = out[i] & out[j]
    graph = csr_array((np.ones(int(e.sum())), (i[e], j[e])), shape=(n, n))
    labels = connected_components(graph, directed=False)[1]
    found = []
    for label in np.unique(labels[out & ~flexible]):
        group = np.flatnonzero(out & (labels == label))
        near = np.r_[j[np.isin(i, group)], i[np.isin(j, group)]]
        still = group[~flexible[group]]
        found.append((still, np.unique(near[body[near]])))
    return tuple(found)
