"""Spectral and random factors of any width."""

import numpy as np
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.certificate import slack_eigenpairs
from liftless.escape.scale import best_scale
from liftless.problem import Problem

#: Least eigenvalue, relative to the largest, that a spectral start gives each column.
FLOOR = 1e-3
#: Standard deviation of the entries of a small random start, relative to the spectral size.
SMALL = 1e-2
#: Relative accuracy of the eigenvalues of a start, where they are not computed densely.
ROUGH = 1e-3
#: Second word of the seed of every random start.
STREAM = 11


def leading(problem: Problem, width: int) -> tuple[Float[np.ndarray, "n w"], float]:
    """Unscaled spectral factor, and the largest eigenvalue of minus the slack at zero."""
    values, vectors = slack_eigenpairs(problem, np.zeros((problem.n, 1)), width, accuracy=ROUGH)
    values = -values
    if values[0] <= 0:
        return np.zeros((problem.n, width)), float(values[0])
    return vectors * np.sqrt(np.maximum(values, FLOOR * values[0])), float(values[0])


def spectral_start(problem: Problem, width: int) -> Float[np.ndarray, "n w"]:
    """Leading eigenvectors of A*(b), scaled by the roots of their eigenvalues and to the best size.

    For any loss: of minus the slack at zero, which is A*(w² b) for the squared loss.  Zero if no
    eigenvalue is positive, for then zero is the optimum.

    Notes
    -----
    Jain, Netrapalli and Sanghavi (2013), section 1; the initialisation that the local-search paper
    calls SVD.
    """
    X, _ = leading(problem, width)
    return best_scale(problem, X) * X


def wide_start(problem: Problem, width: int) -> tuple[Float[np.ndarray, "n w"], float]:
    """Spectral start, and the largest eigenvalue it met: one eigenproblem for both.

    Where the best multiple of it is zero it keeps its own size, so that descent can leave zero.
    """
    X, top = leading(problem, width)
    return (best_scale(problem, X) or 1.0) * X, top


def random_start(
    problem: Problem, width: int, seed: int, *, size: float = 1.0, fallback: float | None = None
) -> Float[np.ndarray, "n w"]:
    """Gaussian factor of a seed, ``size`` times the best size.

    Its stream is that of no instance: with the seed alone, a start would be a multiple of the truth
    that the same seed draws.

    Where the best multiple of the draw is zero, the size of the spectral start is taken, or
    ``fallback`` where it is given.
    """
    X = np.random.default_rng([seed, STREAM]).standard_normal((problem.n, width))
    scale = best_scale(problem, X)
    if scale == 0:
        if fallback is None:
            fallback = float(np.linalg.norm(spectral_start(problem, width)))
        scale = fallback / float(np.linalg.norm(X))
    return size * scale * X


def steps_within(
    most: int, budget: float | int | None, first: float | int, cost: float | int
) -> int:
    """Steps of ``cost`` applications that a budget pays for after ``first``, at least one."""
    return most if budget is None else max(1, int(min(most, (budget - first) // cost)))


def handed_over(
    X: AnyArray, applications: int, error: AnyArray
) -> tuple[Float[np.ndarray, "n r"], int, float]:
    """What a start that knows its error returns; a zero factor should it have left the numbers."""
    start = np.asarray(X)
    if not np.all(np.isfinite(start)):
        return np.zeros_like(start), applications, np.inf
    return start, applications, float(error)
