"""What the digits of the data themselves allow: float32 values, printed decimals, integers.

A matrix is not fitted better than the data are written down: b of four decimals differs from its
measurements by up to 5e-5 in every row, and no descent lowers that.
"""

import math

import numpy as np
from jaxtyping import Float

from liftless.problem import Problem

Rows = Float[np.ndarray, " m"]

#: Decimals and significant digits that are looked for.
DECIMALS, DIGITS = range(11), range(4, 13)
#: Coarser data than this, relatively, are taken for exact: so few digits any matrix may match.
COARSE = 1e-3
#: A residual may be this many half-units in one row, and one on the average over the rows.
ROW = 3.0
#: Fewer rows show no pattern.
FEWEST = 4
#: Above this share of h(0) no digits explain h.
LARGEST = 4 * COARSE**2


def resolution(b: Rows) -> Rows | None:
    """Half a unit of the last digit that the data have, row by row; None for full precision."""
    b = np.asarray(b, float)
    size = math.sqrt(float(np.mean(b * b))) if b.size else 0.0
    if b.size < FEWEST or not size > 0:
        return None
    for half in _candidates(b, size):
        if math.sqrt(float(np.mean(half * half))) <= COARSE * size:
            return half
    return None


def _candidates(b: Rows, size: float):
    """Readings of the data as rounded, the coarsest first."""
    close = 4 * np.finfo(float).eps * np.abs(b)
    for places in DECIMALS:
        unit = 10.0**-places
        if np.all(np.abs(np.round(b / unit) * unit - b) <= close):
            yield np.full(b.size, unit / 2)
            break
    digit = 10.0 ** np.floor(np.log10(np.where(b == 0, 1.0, np.abs(b))))
    for digits in DIGITS:
        unit = digit * 10.0 ** (1 - digits)
        if np.all(np.abs(np.round(b / unit) * unit - b) <= close):
            yield unit / 2
            break
    with np.errstate(over="ignore", under="ignore"):
        single = np.array_equal(b.astype(np.float32).astype(float), b)
    if single:
        # Of a sum in float32 the largest term sets the error, not the sum.
        yield 2.0**-23 * np.maximum(np.abs(b), size)


def within_resolution(problem: Problem, X: np.ndarray, excess: float, full: float) -> bool:
    """Whether X fits every row to the digits that b has."""
    if not problem.loss.quadratic or not 0 < excess <= LARGEST * full:
        return False
    used = np.asarray(problem.weights) != 0
    b = np.asarray(problem.b, float)[used]
    half = resolution(b)
    if half is None:
        return False
    y = np.asarray(problem.measurements(X))[used]
    off = np.abs(y - b) / half
    return bool(np.max(off) <= ROW and np.mean(off * off) <= 1.0)
