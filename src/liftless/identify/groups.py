"""Groups of rows that no measurement ties together: their signs are open at rank one.

Flipping the sign of one group is no small change, so that the Jacobian does not see it.  For a
higher rank the groups turn freely, which it does see.
"""

import numpy as np
from jaxtyping import Float, Int

from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]

#: Rows below this size, relative to the largest, are nothing.
NOTHING = 1e-6


def live_rows(X: Factor) -> np.ndarray:
    """Which rows of X are not zero."""
    length = np.linalg.norm(X, axis=1)
    return length > NOTHING * length.max()


def groups(problem: Problem, X: Factor) -> Int[np.ndarray, " n"] | None:
    """Group of each nonzero row of X, −1 for the others; None where the ties are not known.

    The connected components of the graph whose edges are the measurements of nonzero weight, on
    the nonzero rows.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    live = live_rows(X)
    links = problem.operator.links(live, np.asarray(problem.weights) != 0)
    if links is None:
        return None
    i, j = links
    edges = coo_array((np.ones(i.size), (i, j)), shape=(problem.n, problem.n))
    _, labels = connected_components(edges, directed=False)
    return np.where(live, labels, -1).astype(np.int64)


def free_signs(problem: Problem, X: Factor) -> int | None:
    """Number of groups where X has rank one and there are several, else 0; None if not known."""
    if X.shape[1] != 1 or problem.operator.space.name == "hermitian":
        return 0
    labels = groups(problem, X)
    if labels is None:
        return None
    count = np.unique(labels[labels >= 0]).size
    return int(count) if count > 1 else 0
