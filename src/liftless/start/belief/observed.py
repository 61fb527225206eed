"""The entries of a problem: each once, in units of their rms, with the variance of their noise."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._errors import InvalidInput
from liftless.certificate.resolution import resolution
from liftless.problem import Problem
from liftless.space import Space


class Observed(NamedTuple):
    """Entries of a matrix, none of them twice, with values of rms 1.

    Attributes
    ----------
    rows, cols : integer arrays of shape (m,)
        Lines of X; of a rectangular matrix, row i and column n1 + j.
    y : array of shape (m,)
    spread : array of shape (m,)
        Variance of each entry's noise relative to σ².
    """

    rows: Int[np.ndarray, " m"]
    cols: Int[np.ndarray, " m"]
    y: Float[np.ndarray, " m"]
    spread: Float[np.ndarray, " m"]


def observed(problem: Problem) -> tuple[Observed, float]:
    """Entries of a problem, each once, and the rms that they were divided by.

    Weights of the operator scale the value, row weights its precision; entries that occur more than
    once become their mean, weighted by precision.  Those of weight zero are left out.

    Raises
    ------
    InvalidInput
        If the operator has no entries to show, or none of them has a weight.
    """
    from scipy.sparse import csr_array

    entries = problem.operator.entries()
    if entries is None:
        was = f"of a {type(problem.operator).__name__}"
        raise InvalidInput("problem", was, "of single entries", "Use recover for other data.")
    scale = np.asarray(entries.weights, float)
    precision = (np.asarray(problem.weights, float) * scale) ** 2
    used = precision > 0
    if not used.any():
        raise InvalidInput("problem", "without an entry of nonzero weight", "one with entries")
    i, j = (np.asarray(part)[used] for part in (entries.rows, entries.cols))
    y, precision = np.asarray(problem.b, float)[used] / scale[used], precision[used]
    low, high = np.minimum(i, j).astype(np.int64), np.maximum(i, j).astype(np.int64)
    key = low * problem.n + high
    names, inverse = np.unique(key, return_inverse=True)
    if names.size < key.size:
        first = csr_array(
            (np.ones(key.size), inverse, np.arange(key.size + 1)), shape=(key.size, names.size)
        ).T
        total = first @ precision
        y, precision = (first @ (precision * y)) / total, total
        low, high = names // problem.n, names % problem.n
    rms = math.sqrt(float(np.mean(y * y)))
    if not np.any(y[low != high]):
        was = "without an entry off the diagonal that is not zero"
        raise InvalidInput("problem", was, "one with such entries", "Use recover.")
    spread = float(np.mean(precision)) / precision
    rows, cols = low.astype(np.int32), high.astype(np.int32)
    return Observed(rows, cols, y / rms, spread), rms


def digits_of(problem: Problem) -> float:
    """Relative misfit that the last digits of the entries explain; 0 where they are full."""
    entries = problem.operator.entries()
    assert entries is not None
    scale = np.asarray(entries.weights, float)
    used = np.asarray(problem.weights, float) * scale != 0
    b = np.asarray(problem.b, float)[used]
    half = resolution(b)
    if half is None:
        return 0.0
    return float(np.linalg.norm(half / scale[used]) / np.linalg.norm(b / scale[used]))


def evened(seen: Observed, n: int, times: int = 20) -> tuple[Observed, Float[np.ndarray, " n"]]:
    """Entries times a factor of each of their lines that makes all lines' rms about 1.

    Returns
    -------
    Observed
    factors : array of shape (n,)
    """
    factors, y = np.ones(n), seen.y
    off = seen.cols != seen.rows
    count = np.bincount(seen.rows, minlength=n) + np.bincount(seen.cols[off], minlength=n)
    for _ in range(times):
        square = y * y
        total = np.bincount(seen.rows, square, n) + np.bincount(seen.cols[off], square[off], n)
        # Half of the way, for the lines of the other side go the other half.
        size = np.where(total > 0, total / np.maximum(count, 1), 1.0)
        factors = factors / size**0.25
        y = seen.y * factors[seen.rows] * factors[seen.cols]
    return seen._replace(y=y), factors


def tells(problem: Problem) -> bool:
    """Whether a problem has entries off the diagonal that count, and not all of them are zero."""
    entries = problem.operator.entries()
    if entries is None:
        return False
    used = (np.asarray(problem.weights) != 0) & (np.asarray(entries.weights) != 0)
    off = np.asarray(entries.rows) != np.asarray(entries.cols)
    return bool(np.any(np.asarray(problem.b)[used & off]))


def fullest_line(problem: Problem) -> int | None:
    """Most entries of a row or column; None for other data."""
    entries = problem.operator.entries()
    if entries is None:
        return None
    rows, cols = np.asarray(entries.rows), np.asarray(entries.cols)
    count = np.bincount(rows, minlength=problem.n)
    count += np.bincount(cols[cols != rows], minlength=problem.n)
    return int(count.max())


def check_rank(problem: Problem) -> None:
    """Refuse a rank above the number of entries of every line: then no line is determined.

    Raises
    ------
    InvalidInput
        If no row and no column has as many entries as the rank; nothing is said of other data.
    """
    most = fullest_line(problem)
    if most is not None and problem.rank > most:
        was = f"{problem.rank}, where no row or column has more than {most} entries"
        raise InvalidInput("rank", was, f"at most {most}", "Add entries, or lower the rank.")


def holds(core: Bool[np.ndarray, " n"], space: Space, rank: int) -> bool:
    """Whether the core has enough lines to hold a matrix of the rank."""
    # A symmetric matrix of no more lines than its rank has nothing to be found.
    least = rank + (len(space.sides) == 1)
    return min(int(core[side].sum()) for side in space.sides) >= least


def restricted(seen: Observed, core: Bool[np.ndarray, " n"]) -> Observed:
    """Entries among the core's lines, which are numbered anew."""
    if core.all():
        return seen
    inside = core[seen.rows] & core[seen.cols]
    place = (np.cumsum(core) - 1).astype(np.int32)
    rows, cols, y, spread = (part[inside] for part in seen)
    return Observed(place[rows], place[cols], y, spread)
