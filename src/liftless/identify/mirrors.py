"""Other matrices that fit, though none near does: what the Jacobian cannot see.

Let S be the rows of the factor that lie in a hyperplane H through the origin, and let no
measurement tie two parts of the other rows but through S.  Then the mirror image of one part in H
has all inner products with S and in itself that it had: the same measurements, another matrix.  A
row that is seen against fewer than r others is the smallest such part.  A hyperplane that matters
is spanned by r − 1 rows; at rank one it is the origin, and the parts have open signs.

With r others the mirror image of a row in r − 1 of them misses the last measurement only; where
that row is free enough to follow, descent from there ends at a second exact fit.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless.cost import CHECK
from liftless.descent import LevenbergMarquardt, Stop, descend
from liftless.identify.fit import Fit
from liftless.identify.groups import Ties, components
from liftless.identify.question import live_rows, row_lengths
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]

#: Sine of the angle below which a row lies in a hyperplane.
INSIDE = 1e-6
#: Most hyperplanes.
HYPERPLANES = 2000
#: Hyperplanes whose normals are computed in one go.
TOGETHER = 500
#: Largest n r for which a mirror image is descended from.
SMALL = 400
#: Most mirror images that are descended from.
MOST = 40
#: Steps of Levenberg–Marquardt from a mirror image.
STEPS = 40


@dataclass(frozen=True)
class Mirrored:
    """Another fit, and the rows that were mirrored."""

    rows: Int[np.ndarray, " k"]
    factor: Factor


def examined(problem: Problem, X: Factor) -> bool:
    """Whether all hyperplanes can be looked at."""
    n, r = X.shape
    count = math.comb(n, r - 1)
    return count <= HYPERPLANES and float(count) * problem.operator.cost(1) <= CHECK


def mirrored_part(fit: Fit) -> Mirrored | None:
    """Find another fit by mirroring all of a part in a hyperplane that separates it.

    Parameters
    ----------
    fit : Fit
        Of a factor X of full column rank, whose space is of real symmetric matrices.

    Returns
    -------
    Mirrored or None
        None says that no hyperplane through rows of X separates others, where all of them could be
        examined (:func:`examined`).
    """
    X, live, ties = fit.X, fit.live, Ties(fit.problem.operator, fit.used)
    seen: set[bytes] = set()
    for normal in _normals(X, live):
        inside = _inside(X, normal, live)
        outside = live & ~inside
        # Equal hyperplanes have equal rows inside.
        key = inside.tobytes()
        if key in seen or np.count_nonzero(outside) < 2:
            continue
        seen.add(key)
        labels = components(ties, outside)
        if labels is None:
            return None
        parts, sizes = np.unique(labels[labels >= 0], return_counts=True)
        # All but the largest: mirroring all of them, or all others, is the same.
        for part in parts[np.argsort(sizes, kind="stable")][:-1]:
            rows = np.flatnonzero(labels == part)
            image = X.copy()
            image[rows] -= 2 * np.outer(X[rows] @ normal, normal)
            if fit.same(image):
                return Mirrored(rows, image)
    return None


def _inside(X: Factor, normal: Float[np.ndarray, " r"], live: np.ndarray) -> np.ndarray:
    return live & (np.abs(X @ normal) <= INSIDE * np.linalg.norm(X, axis=1))


def _normals(X: Factor, live: Bool[np.ndarray, " n"]) -> Iterator[Float[np.ndarray, " r"]]:
    """Unit normals of the hyperplanes that r − 1 rows span."""
    r = X.shape[1]
    if r == 1:
        yield np.ones(1)
        return
    units = X[live] / np.linalg.norm(X[live], axis=1)[:, None]
    every = itertools.combinations(range(len(units)), r - 1)
    while some := list(itertools.islice(every, TOGETHER)):
        _, s, Vt = np.linalg.svd(units[np.array(some)])
        yield from Vt[s[:, -1] > INSIDE, -1]


def mirrored_row(fit: Fit) -> Mirrored | None:
    """Find another fit by descent from the mirror image of one row in r − 1 of the r it is tied to.

    Returns
    -------
    Mirrored or None
        A search and no proof: None says that no row's mirror image leads to another fit.
    """
    problem, X = fit.problem, fit.X
    if X.size > SMALL:
        return None
    candidates = list(itertools.islice(_candidates(problem, X), MOST))
    if not candidates:
        return None
    # Only the operator and which rows are used matter, whatever the problem's own loss is.
    posed = Problem(problem.operator, fit.y, X.shape[1], weights=_even(fit))
    for row, others in candidates:
        image = _mirror(X, row, others)
        if not fit.same(image):
            done = descend(posed, image, LevenbergMarquardt(), Stop(None, 1e-4, STEPS))
            image = done.X
        if fit.same(image):
            return Mirrored(np.array([row]), image)
    return None


def _even(fit: Fit) -> Float[np.ndarray, " m"]:
    """Row weights for which all measurements are of one size."""
    weights = np.where(fit.used, 1.0, 0.0)
    if fit.q is not None:
        weights[fit.q.kept] = fit.q.norms.max() / fit.q.norms
    return weights


def _candidates(problem: Problem, X: Factor) -> Iterator[tuple[int, list[int]]]:
    """Rows tied to themselves and to at most r others, each with r − 1 of those."""
    r = X.shape[1]
    space = problem.operator.space
    live = live_rows(space, X)
    links = problem.operator.links(live, np.asarray(problem.weights) != 0)
    if links is None:
        return
    i, j = links
    length = row_lengths(space, X)
    for row in np.unique(i[i == j]):
        near = np.unique(np.r_[j[i == row], i[j == row]])
        near = near[(near != row) & (length[near] > 0)]
        if near.size > r:
            continue
        for others in itertools.combinations(near, min(near.size, r - 1)):
            yield int(row), [int(k) for k in others]


def _mirror(X: Factor, row: int, others: list[int]) -> Factor:
    """X with one row mirrored: its part outside the span of the others turned round."""
    image = X.copy()
    basis = np.linalg.qr(X[others].T)[0] if others else np.zeros((X.shape[1], 0))
    image[row] = 2 * basis @ (basis.T @ X[row]) - X[row]
    return image
