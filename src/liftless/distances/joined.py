"""Bodies joined: the motion of one that shares points with another, or has distances to it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from liftless.distances.growth import BEHIND, Body, Growth, crowded, likeliest
from liftless.distances.rigid import mirrored, moved_onto

#: Shapes of the ends in each of two bodies that are joined at most, and ways of the second of one.
THESE, THOSE, MEMBERS = 32, 8, 50
#: Ends whose distances to all tell a shape.
SOME = 6
#: Orientations that are tried, in two dimensions and in more; Levenberg–Marquardt steps of each,
#: their first and least damping.
TURNS, MORE, STEPS, FIRST, LEAST = 24, 48, 15, 0.1, 1e-9
#: Difference of two places that are one, in units of the median distance.
ONE = 1e-4


def assembled(growth: Growth, seeds: Sequence[Body]) -> tuple[Body, list[Body]]:
    """Body with others grown beside it and joined to it while that can be, and the others left.

    Parameters
    ----------
    growth : Growth
    seeds : bodies
        Simplices, or the anchors; what grows from the first is the body.
    """
    bodies = [growth.grown(seed) for seed in seeds]
    wanted = np.ones(growth.n, bool)
    for body in bodies:
        wanted[body.points] = False
    while wanted.any() and (seed := growth.simplex(wanted, growth.order)) is not None:
        wanted[seed.points] = False
        body = growth.grown(seed)
        wanted[body.points] = False
        if body.points.size > growth.dim:
            bodies.append(body)
    while (pair := _firmest(growth, bodies)) is not None:
        a, b = pair
        whole = joined(growth, bodies[a], bodies[b])
        rest = [body for k, body in enumerate(bodies) if k not in pair]
        if whole is None:
            break
        whole = growth.grown(whole)
        inside = set(whole.points.tolist())
        rest = [body for body in rest if not inside.issuperset(body.points.tolist())]
        first = a == 0 or inside.issuperset(bodies[0].points.tolist())
        bodies = [whole, *rest] if first else [rest[0], whole, *rest[1:]]
    return bodies[0], bodies[1:]


def _firmest(growth: Growth, bodies: list[Body]) -> tuple[int, int] | None:
    """The two bodies that hold each other most, those held fast first; None where none do."""
    fast = growth.dim * (growth.dim + 1) // 2
    best, most = None, 0
    for a in range(len(bodies)):
        for b in range(a + 1, len(bodies)):
            held = _held(growth, bodies[a], bodies[b])
            if held > most:
                best, most = (a, b), held
        if most >= fast:
            break
    return best


def _held(growth: Growth, a: Body, b: Body) -> int:
    """Freedoms that shared points and distances take from the motion of one body.

    At random places: bars that all end at one point hold less than their number says.
    """
    shared, _, bars = _links(growth, a, b)
    if not shared.size + bars.size:
        return 0
    at, velocity = growth.anywhere, growth.motions
    i, j = growth.data.i[bars], growth.data.j[bars]
    in_b = np.isin(i, b.points)
    moved = np.where(in_b, i, j)
    along = np.einsum("ka,kac->kc", at[i] - at[j], velocity[moved])
    rows = np.concatenate([velocity[shared].reshape(-1, velocity.shape[2]), along])
    return int(np.linalg.matrix_rank(rows))


def _links(growth: Growth, a: Body, b: Body) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shared points as places in either body, and distances between the others."""
    in_a, in_b = np.full(growth.n, -1), np.full(growth.n, -1)
    in_a[a.points], in_b[b.points] = np.arange(a.points.size), np.arange(b.points.size)
    shared = np.flatnonzero((in_a >= 0) & (in_b >= 0))
    i, j = growth.data.i, growth.data.j
    only_a, only_b = (in_a >= 0) & (in_b < 0), (in_b >= 0) & (in_a < 0)
    bars = np.flatnonzero((only_a[i] & only_b[j]) | (only_b[i] & only_a[j]))
    return shared, np.stack([in_a, in_b]), bars


class _Joint:
    """What holds two bodies: equations for the motion of the second."""

    def __init__(self, growth: Growth, a: Body, b: Body) -> None:
        shared, where, bars = _links(growth, a, b)
        i, j = growth.data.i[bars], growth.data.j[bars]
        i, j = np.where(where[0, i] >= 0, i, j), np.where(where[0, i] >= 0, j, i)
        self.d, self.scale = growth.data.d[bars], growth.scale[bars]
        typical = float(np.median(growth.scale))
        self.shared, self.typical = shared.size, typical
        self.ends_a = np.r_[where[0, shared], where[0, i]]
        self.ends_b = np.r_[where[1, shared], where[1, j]]

    def of_a(self, body: Body) -> np.ndarray:
        """Ends in the first body, of shape (S, k, dim)."""
        return body.X[:, self.ends_a]

    def of_b(self, body: Body) -> np.ndarray:
        """Ends in the second."""
        return body.X[:, self.ends_b]

    def turns(self, dim: int) -> Float[np.ndarray, "g dim dim"]:
        """Orientations to begin at: all around, or where shared points leave but one that one."""
        return np.eye(dim)[None] if self.shared > dim else orientations(dim)

    def oriented(self, P: np.ndarray, Q: np.ndarray, R: np.ndarray) -> np.ndarray:
        """Orientations, or those that bring the shared points together where they are enough."""
        s, dim = self.shared, P.shape[2]
        if s <= dim:
            return R
        there, here = Q[:, :s], P[:, :s]
        there = there - there.mean(axis=1, keepdims=True)
        U, _, Vt = np.linalg.svd(np.einsum("nka,nkb->nab", here, there))
        return U @ Vt

    def residual(self, P: np.ndarray, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Residuals of shared points' coordinates and of distances, and their gradients by Q."""
        N, s, gap = len(Q), self.shared, Q - P
        length = np.maximum(np.linalg.norm(gap[:, s:], axis=2), 1e-300)
        r = np.concatenate(
            [gap[:, :s].reshape(N, -1) / self.typical, (length - self.d) / self.scale], axis=1
        )
        return r, gap[:, s:] / (length * self.scale)[..., None]

    def solved(self, P: np.ndarray, Q: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Q moved rigidly from orientations R, by Levenberg–Marquardt, and the misfits."""
        dim = Q.shape[2]
        Q = Q - Q.mean(axis=1, keepdims=True)
        s = slice(0, self.shared) if self.shared else slice(None)
        t = (P[:, s] - np.einsum("nab,nkb->nka", R, Q[:, s])).mean(axis=1)
        if not self.shared:
            t = t + self.d.mean() * R[:, :, 0]  # one end of a distance is not at the other
        planes = [(a, b) for a in range(dim) for b in range(a)]
        damping = np.full(len(Q), FIRST)
        turned = np.einsum("nab,nkb->nka", R, Q)
        r, unit = self.residual(P, turned + t[:, None])
        for _ in range(STEPS):
            J = self._jacobian(turned, unit, planes)
            G = np.einsum("nri,nrj->nij", J, J)
            diagonal = np.einsum("nii->ni", G)
            ridge = damping[:, None] * diagonal + 1e-10 * diagonal.max(axis=1, keepdims=True)
            G = G + ridge[..., None] * np.eye(G.shape[1])
            step = np.linalg.solve(G, -np.einsum("nri,nr->ni", J, r)[..., None])[..., 0]
            turn = _turn(step[:, : len(planes)], planes, dim)
            there = np.einsum("nab,nkb->nka", turn, turned)
            new, unit_there = self.residual(P, there + (t + step[:, len(planes) :])[:, None])
            lower = np.sum(new * new, axis=1) <= np.sum(r * r, axis=1)
            turned[lower], r[lower], unit[lower] = there[lower], new[lower], unit_there[lower]
            t[lower] += step[lower, len(planes) :]
            damping = np.clip(np.where(lower, damping / 10, damping * 8), LEAST, None)
        return turned + t[:, None], np.sum(np.log1p(0.5 * r * r), axis=1)

    def _jacobian(self, turned: np.ndarray, unit: np.ndarray, planes: list) -> np.ndarray:
        """Of the residuals by the angles of turns and the shift."""
        N, _, dim = turned.shape
        s = self.shared
        velocity = np.zeros((*turned.shape, len(planes) + dim))
        for c, (a, b) in enumerate(planes):
            velocity[:, :, a, c], velocity[:, :, b, c] = -turned[:, :, b], turned[:, :, a]
        for a in range(dim):
            velocity[:, :, a, len(planes) + a] = 1.0
        fixed = velocity[:, :s].reshape(N, s * dim, len(planes) + dim) / self.typical
        return np.concatenate([fixed, np.einsum("nka,nkac->nkc", unit, velocity[:, s:])], axis=1)


def _turn(angles: np.ndarray, planes: list, dim: int) -> np.ndarray:
    """Rotations by the Cayley transform of small angles in coordinate planes."""
    W = np.zeros((len(angles), dim, dim))
    for c, (a, b) in enumerate(planes):
        W[:, a, b], W[:, b, a] = -angles[:, c] / 2, angles[:, c] / 2
    one = np.eye(dim)
    return np.linalg.solve(one - W, one + W)


def orientations(dim: int) -> Float[np.ndarray, "g dim dim"]:
    """Rotations spread over all, each with its mirror image."""
    if dim == 1:
        turns = np.ones((1, 1, 1))
    elif dim == 2:
        angle = 2 * np.pi * np.arange(TURNS) / TURNS
        turns = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=1)
        turns = turns.reshape(-1, 2, 2)
    else:
        draws = np.random.default_rng(dim).standard_normal((MORE, dim, dim))
        turns, triangle = np.linalg.qr(draws)
        turns = turns * np.sign(np.einsum("gaa->ga", triangle))[:, None]
        turns[:, 0] *= np.sign(np.linalg.det(turns))[:, None]
    mirror = np.diag(np.r_[-np.ones(1), np.ones(dim - 1)])
    return np.concatenate([turns, turns @ mirror])


class _Solutions(NamedTuple):
    """Motions that bring ends of the second body to the first's, of each pair of shapes."""

    group_a: np.ndarray
    group_b: np.ndarray
    p: np.ndarray
    q: np.ndarray
    P: np.ndarray
    Q: np.ndarray
    moved: np.ndarray
    misfit: np.ndarray


def joined(growth: Growth, a: Body, b: Body) -> Body | None:
    """One body of two, in the likeliest ways; None where nothing holds them.

    What is solved for is the motion of one set of ends of distances (and shared points) onto the
    other, once for all ways in which these are congruent, from orientations all around.  Shared
    points keep their places in the first body.
    """
    joint = _Joint(growth, a, b)
    if not joint.ends_a.size or (found := _solved(growth, joint, a, b)) is None:
        return None
    # Every way of either body whose ends are those of a solution.
    s, way_a, way_b = _combined(
        [
            (np.flatnonzero(found.group_a == p), np.flatnonzero(found.group_b == q)[:MEMBERS])
            for p, q in zip(found.p, found.q, strict=True)
        ]
    )
    misfit = found.misfit[s] + a.misfit[way_a] + b.misfit[way_b]
    belief = a.belief[way_a] + b.belief[way_b]
    kept = likeliest(misfit, belief)
    s, way_a, way_b = s[kept], way_a[kept], way_b[kept]
    new = ~np.isin(b.points, a.points)
    there = moved_onto(b.X[way_b][:, new], joint.of_b(b)[way_b], found.Q[s])
    there = moved_onto(there, found.Q[s], found.moved[s])
    there = moved_onto(there, found.P[s], joint.of_a(a)[way_a])
    if np.unique(joint.ends_b).size <= growth.dim:
        # The ends lie in a flat, whose reflection is another motion with these at the same places.
        ends = moved_onto(found.moved[s], found.P[s], joint.of_a(a)[way_a])
        there = np.concatenate([there, mirrored(there, ends)])
        way_a, kept = np.tile(way_a, 2), np.tile(kept, 2)
    X = np.concatenate([a.X[way_a], there], axis=1)
    points = np.r_[a.points, b.points[new]]
    misfit, belief = misfit[kept], belief[kept] + _between(growth, points, X, a.points.size)
    order = likeliest(misfit, belief)
    return Body(points, X[order], misfit[order], belief[order])


def _solved(growth: Growth, joint: _Joint, a: Body, b: Body) -> _Solutions | None:
    """Solutions of a joint that are not far behind the best, each once; None if there is none."""
    unit = ONE * float(np.median(growth.data.d))
    (rep_a, group_a), (rep_b, group_b) = _shapes(joint.of_a(a), unit), _shapes(joint.of_b(b), unit)
    rep_a, rep_b = rep_a[:THESE], rep_b[:THOSE]
    turns = joint.turns(growth.dim)
    grid = np.meshgrid(np.arange(rep_a.size), np.arange(rep_b.size), np.arange(len(turns)))
    p, q, g = (x.ravel() for x in grid)
    P, Q = joint.of_a(a)[rep_a[p]], joint.of_b(b)[rep_b[q]]
    moved, misfit = joint.solved(P, Q, joint.oriented(P, Q, turns[g]))
    fine = np.flatnonzero(np.isfinite(misfit))
    if not fine.size:
        return None
    fine = fine[np.argsort(misfit[fine], kind="stable")]
    fine = fine[misfit[fine] <= misfit[fine[0]] + BEHIND]
    fine = fine[_distinct(p[fine], q[fine], moved[fine], unit)]
    ends = (x[fine] for x in (p, q, P, Q, moved, misfit))
    return _Solutions(group_a, group_b, *ends)


def _shapes(X: Float[np.ndarray, "S k dim"], unit: float) -> tuple[np.ndarray, np.ndarray]:
    """The first way of each shape, in order, and the number of each way's shape among these."""
    some = np.unique(np.linspace(0, X.shape[1] - 1, SOME).astype(int))
    gaps = np.linalg.norm(X[:, :, None] - X[:, None, some], axis=3).reshape(len(X), -1)
    cells = np.round(gaps / unit).astype(np.int64)
    _, first, group = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return first[order], rank[group.ravel()]


def _combined(
    pairs: list[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All combinations of the two lists of each pair, and the pair's number."""
    parts = [
        (np.full(x.size * y.size, k), np.repeat(x, y.size), np.tile(y, x.size))
        for k, (x, y) in enumerate(pairs)
    ]
    s, x, y = (np.concatenate(part) for part in zip(*parts, strict=True))
    return s, x, y


def _distinct(p: np.ndarray, q: np.ndarray, moved: np.ndarray, unit: float) -> np.ndarray:
    """First of each set of solutions that are one."""
    cells = np.round(moved.reshape(len(moved), -1) / (10 * unit)).astype(np.int64)
    return np.sort(np.unique(np.column_stack([p, q, cells]), axis=0, return_index=True)[1])


def _between(growth: Growth, points: np.ndarray, X: np.ndarray, k: int) -> np.ndarray:
    """Weight of points of two parts (the first k, the others) within reach, no distance known."""
    place = np.full(growth.n, -1)
    place[points] = np.arange(points.size)
    beside = growth.beside.tocoo()
    i, j = place[beside.coords[0]], place[beside.coords[1]]
    those = (i >= 0) & (i < k) & (j >= k)
    return crowded(X[:, i[those]], X[:, j[those]], beside.data[those])
