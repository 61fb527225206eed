"""Groups of rows that no measurement ties together.

Flipping the sign of one group at rank one is no small change, so that the Jacobian does not see it;
for a higher rank the groups turn freely, which it does see.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless.identify.question import live_rows
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]


def groups(problem: Problem, X: Factor) -> Int[np.ndarray, " n"] | None:
    """Group of each nonzero row of X, −1 for the others; None where the ties are not known.

    The connected components of the graph whose edges are the measurements of nonzero weight, on
    the nonzero rows.
    """
    return components(problem, live_rows(problem.operator.space, X))


def components(problem: Problem, among: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"] | None:
    """Groups of some rows as they are tied without the others; −1 elsewhere."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = problem.operator.links(among, np.asarray(problem.weights) != 0)
    if links is None:
        return None
    i, j = links
    if _one_hub(i, j, among) or _one_chain(i, j, among):
        return np.where(among, 0, -1).astype(np.int64)
    edges = coo_array((np.ones(i.size), (i, j)), shape=(problem.n, problem.n))
    _, labels = connected_components(edges, directed=False)
    return np.where(among, labels, -1).astype(np.int64)


def _one_hub(i: np.ndarray, j: np.ndarray, among: Bool[np.ndarray, " n"]) -> bool:
    """Whether the first row is tied to every other, as it is by dense measurements."""
    hub = int(np.argmax(among))
    tied = ~among
    tied[hub] = True
    tied[j[i == hub]] = tied[i[j == hub]] = True
    return bool(tied.all())


def _one_chain(i: np.ndarray, j: np.ndarray, among: Bool[np.ndarray, " n"]) -> bool:
    """Whether each row is tied to the next, as they are by dense vectors."""
    rows = np.flatnonzero(among)
    following = np.full(among.size, -1)
    following[rows[:-1]] = rows[1:]
    low, high = np.minimum(i, j), np.maximum(i, j)
    tied = np.zeros(among.size, bool)
    tied[low[following[low] == high]] = True
    return bool(tied[rows[:-1]].all())


def free_signs(problem: Problem, X: Factor) -> int | None:
    """Number of groups where X has rank one and there are several, else 0; None if not known."""
    if X.shape[1] != 1 or problem.operator.space.name == "hermitian":
        return 0
    labels = groups(problem, X)
    if labels is None:
        return None
    count = np.unique(labels[labels >= 0]).size
    return int(count) if count > 1 else 0
