"""Groups of rows that no measurement ties together.

Flipping the sign of one group at rank one is no small change, so that the Jacobian does not see it;
for a higher rank the groups turn freely, which it does see.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless.identify.question import live_rows
from liftless.operators import SensingOperator
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]
Links = tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]

#: Most rows of which groups are found in a table of ties: SciPy's entry takes half a millisecond,
#: and there is one of them for every hyperplane of the mirrors.
FEW = 64


def groups(problem: Problem, X: Factor) -> Int[np.ndarray, " n"] | None:
    """Group of each nonzero row of X, −1 for the others; None where the ties are not known.

    The connected components of the graph whose edges are the measurements of nonzero weight, on
    the nonzero rows.
    """
    ties = Ties(problem.operator, np.asarray(problem.weights) != 0)
    return components(ties, live_rows(problem.operator.space, X))


class Ties:
    """The pairs of rows that the used measurements tie together, asked of many sets of rows.

    Parameters
    ----------
    operator : SensingOperator
    used : boolean array of shape (m,)
        The measurements that count.
    """

    def __init__(self, operator: SensingOperator, used: Bool[np.ndarray, " m"]) -> None:
        self.operator, self.used = operator, used
        seen = operator.entries()
        self.pairs: Links | None = None
        if seen is not None:
            # Pairs of entries are themselves whatever the other rows are: they are read once.
            counted = used & (seen.weights != 0)
            self.pairs = seen.rows[counted], seen.cols[counted]

    def among(self, rows: Bool[np.ndarray, " n"]) -> Links | None:
        """Return the pairs of some rows, see :meth:`SensingOperator.links`."""
        if self.pairs is None:
            return self.operator.links(rows, self.used)
        i, j = self.pairs
        both = rows[i] & rows[j]
        return i[both], j[both]


def components(ties: Ties, among: Bool[np.ndarray, " n"]) -> Int[np.ndarray, " n"] | None:
    """Groups of some rows as they are tied without the others; −1 elsewhere."""
    links = ties.among(among)
    if links is None:
        return None
    i, j = links
    if _one_hub(i, j, among) or _one_chain(i, j, among):
        return np.where(among, 0, -1).astype(np.int64)
    n = among.size
    if n <= FEW:
        return np.where(among, _spread_labels(i, j, n), -1)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(i.size), (i, j)), shape=(n, n))
    _, labels = connected_components(edges, directed=False)
    return np.where(among, labels, -1).astype(np.int64)


def _spread_labels(i: np.ndarray, j: np.ndarray, n: int) -> Int[np.ndarray, " n"]:
    """Least row that each row is tied to, through any number of others."""
    tied = np.eye(n, dtype=bool)
    tied[i, j] = tied[j, i] = True
    labels = np.arange(n)
    while True:
        lower = np.where(tied, labels, n).min(axis=1)
        # Labels of labels halve the way that is left.
        lower = lower[lower]
        if np.array_equal(lower, labels):
            return labels
        labels = lower


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
