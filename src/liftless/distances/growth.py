"""Bodies grown point by point, with finite sets of places of which the likeliest are kept.

A point with as many distances to placed points as there are dimensions has two places; the next
distances choose between them.  Without noise and with all places kept that is exact ("sweeps");
here a limited number of ways to place all points is kept.

References
----------
Goldenberg, Bihler, Cao, Fang, Anderson, Morse and Yang, Localization in sparse networks using
sweeps, MobiCom (2006).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless.distances.data import Distances
from liftless.distances.rigid import motions
from liftless.linalg import classical_scaling

#: Ways that are kept by their misfit and what is believed beside, and by their misfit alone.  These
#: numbers are on a plateau (benchmarks/distances_growth.py) but for ``CLOSE``: 0 loses bodies.
WIDTH, PLAIN = 200, 50
#: How much worse than the best a way may be, in −2 log likelihood.
BEHIND = 60.0
#: Least deviation of a distance, relative to it: places are extrapolated from one another.
LEAST = 1e-3
#: Weight of two points without a distance at one place, against distances misfitted.
CLOSE = 10.0
#: Hops between two points of which that is asked.
HOPS = 3
#: Operations of a hop at most.
MOST = 1e8
#: Gauss–Newton steps of a point that is placed, and the longest, in mean distances.
STEPS, LONGEST = 3, 0.3
#: Distance between two places that are one, in mean distances.
ONE = 1e-6


@dataclass(frozen=True)
class Body:
    """Points placed relative to one another, in several ways.

    Attributes
    ----------
    points : integer array of shape (k,)
    X : array of shape (S, k, dim)
    misfit : array of shape (S,)
        Σ log(1 + r²/2) of the residuals of each way.
    belief : array of shape (S,)
        Of points without a distance that are within each other's reach.
    """

    points: Int[np.ndarray, " k"]
    X: Float[np.ndarray, "S k dim"]
    misfit: Float[np.ndarray, " S"]
    belief: Float[np.ndarray, " S"]


class Growth:
    """The distances of each point, as growing bodies ask for them.

    Parameters
    ----------
    data : Distances
    """

    def __init__(self, data: Distances) -> None:
        self.data, self.n, self.dim = data, data.n, data.dim
        scale = np.full(data.d.size, 0.0) if data.std is None else data.std
        self.scale = np.maximum(scale, LEAST * data.d)
        ends = np.r_[data.i, data.j]
        order = np.argsort(ends, kind="stable")
        self.other = np.r_[data.j, data.i][order]
        self.d, self.spread = np.tile(data.d, 2)[order], np.tile(self.scale, 2)[order]
        self.first = np.searchsorted(ends[order], np.arange(self.n + 1))
        self.degree = np.diff(self.first)
        self.reach = np.zeros(self.n)
        np.maximum.at(self.reach, ends, np.tile(data.d, 2))
        self.near = [set(self.other[a:b].tolist()) for a, b in pairwise(self.first.tolist())]
        self.beside = self._beside()
        # Places in general position, at which freedoms are counted, and the rigid motions there.
        self.anywhere = np.random.default_rng(0).standard_normal((self.n, self.dim))
        fixed = np.zeros(0, int)
        self.motions = motions(self.anywhere, fixed).reshape(self.n, self.dim, -1)

    def _beside(self) -> Any:
        """Pairs without a distance, a few hops apart: the lesser of their reaches, sparse."""
        from scipy.sparse import csr_array

        pairs = np.repeat(np.arange(self.n), self.degree), self.other
        one = csr_array((np.ones(self.other.size), pairs), shape=(self.n, self.n))
        hops = one
        for _ in range(HOPS - 1):
            if float(self.degree @ np.diff(hops.indptr)) > MOST:
                break  # with so many distances there is little to believe
            hops = hops @ one + hops
            hops.data[:] = 1.0
        a, b = (hops - hops * one).nonzero()
        apart = a != b
        a, b = a[apart], b[apart]
        reach = np.minimum(self.reach[a], self.reach[b])
        return csr_array((reach, (a, b)), shape=(self.n, self.n))

    @property
    def order(self) -> Float[np.ndarray, " n"]:
        """Points by their number of distances."""
        return self.degree.astype(float)

    def of(self, k: int) -> slice:
        """Where the distances of a point are."""
        return slice(int(self.first[k]), int(self.first[k + 1]))

    def simplex(
        self, wanted: Bool[np.ndarray, " n"], order: Float[np.ndarray, " n"]
    ) -> Body | None:
        """As many points as dimensions, all distances between them known.

        The first is a wanted one, the highest in an order that will do.
        """
        those = np.flatnonzero(wanted)
        for a in those[np.argsort(-order[those], kind="stable")]:
            clique, left = [int(a)], self.near[a]
            while len(clique) < self.dim and left:
                clique.append(max(left, key=lambda k: (len(self.near[k] & left), -k)))
                left = left & self.near[clique[-1]]
            if len(clique) == self.dim:
                return self._placed(np.array(clique))
        return None

    def _placed(self, clique: Int[np.ndarray, " dim"]) -> Body:
        """Places of points of which all distances are known, by classical scaling."""
        D = np.zeros((self.dim, self.dim))
        for p, k in enumerate(clique):
            at = self.of(int(k))
            for q, other in enumerate(clique):
                D[p, q] = 0.0 if p == q else self.d[at][self.other[at] == other][0]
        X = classical_scaling(D, self.dim)[None]
        return Body(clique, X, np.zeros(1), np.zeros(1))

    def grown(self, body: Body) -> Body:
        """Body with every point that placed ones place, those of most distances first."""
        ways = _Ways(self, body)
        while (k := ways.next()) is not None:
            ways.place(k)
        return ways.body()


class _Ways:
    """Ways to place points, under growth."""

    def __init__(self, growth: Growth, body: Body) -> None:
        self.growth = growth
        self.points = body.points.tolist()
        self.X = np.zeros((len(body.X), growth.n, growth.dim))
        self.X[:, body.points] = body.X
        self.misfit, self.belief = body.misfit, body.belief
        self.placed = np.zeros(growth.n, bool)
        self.known = np.zeros(growth.n, int)
        for k in self.points:
            self._mark(k)
        # Of a simplex alone the mirror image is the same body.
        self.chiral = len(self.points) > growth.dim or growth.data.anchors.size > 0

    def _mark(self, k: int) -> None:
        self.placed[k] = True
        self.known[self.growth.other[self.growth.of(k)]] += 1

    def next(self) -> int | None:
        """The point with most distances to placed ones, or None where none has enough."""
        left = np.where(self.placed, -1, self.known)
        most = int(left.max(initial=-1))
        if most < self.growth.dim:
            return None
        those = np.flatnonzero(left == most)
        return int(those[np.argmax(self.growth.degree[those])])

    def place(self, k: int) -> None:
        """Place a point in each way at both of its places; keep the likeliest ways."""
        growth = self.growth
        at = growth.of(k)
        seen = self.placed[growth.other[at]]
        near, d, scale = growth.other[at][seen], growth.d[at][seen], growth.spread[at][seen]
        P = self.X[:, near]
        Y = fitted(two_places(P, d), P, d, scale)
        if not self.chiral:
            Y, self.chiral = Y[:, :1], True
        misfit = self.misfit[:, None] + misfits(Y, P, d, scale)
        if Y.shape[1] == 2:
            same = np.linalg.norm(Y[:, 0] - Y[:, 1], axis=1) < ONE * d.mean()
            misfit[same, 1] = np.inf
        # Ways that are out are not looked at.
        misfit = misfit.ravel()
        alive = np.flatnonzero(misfit <= misfit.min() + BEHIND)
        way, place = np.divmod(alive, Y.shape[1])
        belief = self.belief[way] + self._crowded(k, way, Y[way, place])
        kept = likeliest(misfit[alive], belief)
        belief, misfit, way, place = belief[kept], misfit[alive[kept]], way[kept], place[kept]
        if way.size != len(self.X) or np.any(way != np.arange(way.size)):
            self.X = self.X[way]
        self.X[:, k] = Y[way, place]
        self.misfit, self.belief = misfit, belief
        self.points.append(k)
        self._mark(k)

    def _crowded(
        self, k: int, way: Int[np.ndarray, " S"], Y: Float[np.ndarray, "S dim"]
    ) -> Float[np.ndarray, " S"]:
        """Weight of the placed points within reach to which no distance is known."""
        beside = self.growth.beside
        at = slice(int(beside.indptr[k]), int(beside.indptr[k + 1]))
        others, reach = beside.indices[at], beside.data[at]
        there = self.placed[others]
        others = others[there]
        if way.size == 1 or not others.size:
            return np.zeros(way.size)
        return crowded(Y[:, None], self.X[way[:, None], others], reach[there])

    def body(self) -> Body:
        """What has grown, the likeliest way first."""
        order = np.argsort(self.misfit + self.belief, kind="stable")
        points = np.array(self.points)
        return Body(points, self.X[order][:, points], self.misfit[order], self.belief[order])


def crowded(Y: np.ndarray, P: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Sum over the last axis of points of how far they are within reach of each other."""
    gap = np.linalg.norm(Y - P, axis=-1)
    return CLOSE * np.sum(np.maximum(1 - gap / reach, 0.0), axis=-1)


def likeliest(misfit: Float[np.ndarray, " S"], belief: Float[np.ndarray, " S"]) -> np.ndarray:
    """Ways to keep: by misfit and belief, and some by misfit alone, which are not believed."""
    kept = np.argsort(misfit + belief, kind="stable")[:WIDTH]
    plain = np.argsort(misfit, kind="stable")[:PLAIN]
    kept = np.r_[kept, plain[~np.isin(plain, kept)]]
    return kept[misfit[kept] <= misfit.min() + BEHIND]


def two_places(P: Float[np.ndarray, "S m dim"], d: Float[np.ndarray, " m"]) -> np.ndarray:
    """Both places at given distances of ``dim`` of some points, of shape (S, 2, dim).

    Of the points those are taken that are farthest from the flats of the others taken.
    """
    dim = P.shape[2]
    taken = _spread(P[0], int(np.argmin(d)), dim)
    base, r = P[:, taken[0]], d[taken]
    D = P[:, taken[1:]] - base[:, None]
    rhs = 0.5 * (np.sum(D * D, axis=2) + r[0] ** 2 - r[1:] ** 2)
    U, s, Vt = np.linalg.svd(D)
    z = np.einsum("sba,sb->sa", U, rhs) / np.maximum(s, 1e-9 * s[:, :1] + 1e-300)
    foot = np.einsum("sa,sad->sd", z, Vt[:, : dim - 1])
    height = np.sqrt(np.maximum(r[0] ** 2 - np.sum(foot * foot, axis=1), 0.0))
    both = np.stack([height, -height], axis=1)
    return (base + foot)[:, None] + both[:, :, None] * Vt[:, None, -1]


def _spread(P: Float[np.ndarray, "m dim"], first: int, dim: int) -> list[int]:
    taken, rest = [first], P - P[first]
    for _ in range(dim - 1):
        size = np.linalg.norm(rest, axis=1)
        taken.append(int(np.argmax(size)))
        u = rest[taken[-1]] / max(float(size.max()), 1e-300)
        rest = rest - (rest @ u)[:, None] * u
    return taken


def fitted(Y: np.ndarray, P: np.ndarray, d: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Places of shape (S, p, dim) fitted to all distances, by a few Gauss–Newton steps each."""
    dim = Y.shape[2]
    if d.size <= dim:
        return Y
    longest = LONGEST * d.mean()
    for _ in range(STEPS):
        gap = Y[:, :, None] - P[:, None]
        length = np.maximum(np.linalg.norm(gap, axis=3), 1e-300)
        J = gap / (length * scale)[..., None]
        G = np.einsum("spka,spkb->spab", J, J)
        G = G + (1e-9 * np.trace(G, axis1=2, axis2=3))[..., None, None] * np.eye(dim)
        g = np.einsum("spka,spk->spa", J, (length - d) / scale)
        step = np.linalg.solve(G, g[..., None])[..., 0]
        size = np.linalg.norm(step, axis=2, keepdims=True)
        Y = Y - step * np.minimum(1.0, longest / np.maximum(size, 1e-300))
    return Y


def misfits(Y: np.ndarray, P: np.ndarray, d: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Σ log(1 + r²/2) over the distances of places of shape (S, p, dim).

    Its tails are heavy, since errors of the points placed before come in.
    """
    length = np.linalg.norm(Y[:, :, None] - P[:, None], axis=3)
    return np.sum(np.log1p(0.5 * ((length - d) / scale) ** 2), axis=2)
