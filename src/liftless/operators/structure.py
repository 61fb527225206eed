"""What packed symmetric matrices are made of: rank one, isotropic, zero somewhere.

An algorithm asks the data, so that the same A_i get the same treatment however they are stored.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from liftless.operators.base import NOTHING
from liftless.operators.rank_one import RankOneOperator

#: Measurements that the statistic of isotropy looks at, evenly spread; and those whose zeros are
#: looked at together.
LOOKED_AT, BLOCK = 64, 32
#: Largest relative difference of A_i from a_i a_iᵀ that is round-off.
ROUND_OFF = 1e-12
#: Bounds of the statistic: mean fourth power of an entry over its squared mean square (3 for a
#: Gaussian, 9 for a product of two, the number of entries for a single one); mean squared trace
#: over squared norm (2/(n + 1) for an isotropic matrix, 1 for a_i a_iᵀ); size of the mean of the
#: A_i against what chance makes it (1).
HEAVY, TRACE, COMMON = 5.0, 0.6, 2.0


def rank_one_of(packed: Float[np.ndarray, "m p"], n: int) -> RankOneOperator | None:
    """Return the operator of the a_i where every A_i is a_i a_iᵀ, else None; O(m n²)."""
    i, j = np.triu_indices(n)
    on = np.flatnonzero(i == j)
    if not _one(packed[0], n, i, j):
        return None
    diagonal = packed[:, on]
    place = np.argmax(diagonal, axis=1)
    top = diagonal[np.arange(len(packed)), place]
    if np.any(top <= 0):
        return None
    where = np.zeros((n, n), int)
    where[i, j] = where[j, i] = np.arange(i.size)
    columns = packed[np.arange(len(packed))[:, None], where[place]] / 2
    columns[np.arange(len(packed)), place] = top
    a = columns / np.sqrt(top)[:, None]
    whole = np.where(i == j, 1.0, 2.0) * a[:, i] * a[:, j]
    error = np.abs(whole - packed).max(axis=1)
    return RankOneOperator(a) if np.all(error <= ROUND_OFF * top) else None


def _one(upper: Float[np.ndarray, " p"], n: int, i: np.ndarray, j: np.ndarray) -> bool:
    """Whether a single packed matrix has rank one and is positive: the quick refusal."""
    A = np.zeros((n, n))
    A[i, j] = upper / np.where(i == j, 1.0, 2.0)
    A = np.triu(A) + np.triu(A, 1).T
    k = int(np.argmax(np.diag(A)))
    if A[k, k] <= 0:
        return False
    a = A[:, k] / np.sqrt(A[k, k])
    return bool(np.abs(A - np.outer(a, a)).max() <= ROUND_OFF * A[k, k])


def looks_isotropic(packed: Float[np.ndarray, "m p"], n: int) -> bool:
    """Whether the A_i could be draws from all symmetric matrices alike."""
    i, j = np.triu_indices(n)
    on = i == j
    few = np.unique(np.linspace(0, len(packed) - 1, LOOKED_AT).astype(int))
    w = packed[few] * np.where(on, 1.0, np.sqrt(0.5))
    size = np.einsum("mp,mp->m", w, w)
    w, size = w[size > 0], size[size > 0]
    if n < 2 or size.size < 2:
        return False
    unit = w / np.sqrt(size)[:, None]
    square = unit * unit
    # The squares of a row add up to one.
    fourth = float(np.vdot(square, square)) * on.size / size.size
    trace = float(np.mean(np.sum(unit[:, on], axis=1) ** 2))
    mean = np.mean(unit, axis=0)
    common = float(mean @ mean) * size.size
    # Few small matrices scatter: the bounds give way to what an isotropic draw does then.
    slack = 4.0 / np.sqrt(size.size)
    return fourth <= HEAVY and trace <= max(TRACE, 2 / (n + 1) * (1 + slack)) and common <= COMMON


def packed_links(
    packed: Float[np.ndarray, "m p"],
    n: int,
    live: Bool[np.ndarray, " n"],
    used: Bool[np.ndarray, " m"],
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Places that are not zero in every used matrix, among live rows.

    Measurements are looked at until every pair has been seen, which the first ones of dense data
    do.
    """
    i, j = np.triu_indices(n)
    wanted = live[i] & live[j]
    seen = ~wanted
    rows = np.flatnonzero(used)
    for start in range(0, rows.size, BLOCK):
        part = np.abs(packed[rows[start : start + BLOCK]])
        seen |= np.any(part > NOTHING * part.max(axis=1, keepdims=True), axis=0)
        if seen.all():
            break
    tied = seen & wanted
    return i[tied], j[tied]
