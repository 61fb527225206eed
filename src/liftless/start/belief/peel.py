"""Peeling: lines of at most r entries are set aside, and solved for at the end, one by one.

A line with exactly r entries against lines that are known is determined by a linear system of its
own, and one with fewer is not determined at all; neither helps to find the others.  What is left
when no such line is left is the core.  Lines are taken away in the order of how few entries they
have, and come back in the reverse order.
"""

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

Factor = Float[np.ndarray, "n r"]
Square = Float[np.ndarray, "r r"]

#: Least singular value, relative to the largest, of the r entries that determine a line.
SINGULAR = 1e-9


class Peeled(NamedTuple):
    """A line that was set aside.

    Attributes
    ----------
    line : int
    near : integer array of shape (k,)
        The lines it shares an entry with, of those that were still there.
    entries : integer array of shape (k,)
        Numbers of these entries.
    """

    line: int
    near: Int[np.ndarray, " k"]
    entries: Int[np.ndarray, " k"]


def peel(
    rows: Int[np.ndarray, " m"], cols: Int[np.ndarray, " m"], n: int, rank: int
) -> tuple[Bool[np.ndarray, " n"], list[Peeled]]:
    """Take away the line of fewest entries while it has at most ``rank`` of them.

    Parameters
    ----------
    rows, cols : integer arrays of shape (m,)
        The two lines of each entry; an entry of a line with itself counts for nothing here.
    n, rank : int
        Number of lines, and of columns of the factor.

    Returns
    -------
    core : boolean array of shape (n,)
        The lines that are left.
    order : list of Peeled
        The others, first ones first.  O(m) and a logarithm for every line that is taken away.
    """
    off = np.flatnonzero(rows != cols)
    ends = np.concatenate([rows[off], cols[off]])
    degree = np.bincount(ends, minlength=n)
    alive = np.ones(n, bool)
    if degree.min() > rank:
        return alive, []
    by_line = np.argsort(ends, kind="stable")
    begin = np.concatenate([[0], np.cumsum(degree)])
    other = np.concatenate([cols[off], rows[off]])[by_line]
    entry = off[by_line % off.size] if off.size else off
    order: list[Peeled] = []
    heap = [(int(degree[k]), int(k)) for k in np.flatnonzero(degree <= rank)]
    heapq.heapify(heap)
    while heap:
        count, line = heapq.heappop(heap)
        if not alive[line] or count != degree[line]:
            continue
        alive[line] = False
        span = slice(begin[line], begin[line + 1])
        there = alive[other[span]]
        near = other[span][there]
        order.append(Peeled(line, near, entry[span][there]))
        for k in near.tolist():
            degree[k] -= 1
            if degree[k] <= rank:
                heapq.heappush(heap, (int(degree[k]), k))
    return alive, order


def moment_root(X: Factor) -> Square:
    """Square root S of the second moment of some lines, S Sᵀ = Xᵀ X over their number."""
    values, Q = np.linalg.eigh(X.T @ X / max(len(X), 1))
    return Q * np.sqrt(np.maximum(values, 1e-30 * max(float(values[-1]), 1e-300)))


def priors_of(
    X: Factor, core: Bool[np.ndarray, " n"], sides: Sequence[slice]
) -> tuple[Square, Square]:
    """Roots of the second moments of the core's lines, of the first side and of the last."""
    first, last = (moment_root(X[side][core[side]]) for side in (sides[0], sides[-1]))
    return first, last


def extend(
    X: Factor,
    known: Bool[np.ndarray, " n"],
    order: list[Peeled],
    y: Float[np.ndarray, " m"],
    prior: tuple[Square, Square],
    split: int,
    noise: float = 0.0,
) -> tuple[Factor, Bool[np.ndarray, " n"], Float[np.ndarray, "n r r"]]:
    """Put the lines that were set aside back, the last ones first.

    Each is the least-norm solution of its entries in the coordinates of the prior (of the posterior
    mean's covariance where there is noise): exact where r lines that are determined determine it.

    Parameters
    ----------
    X : array of shape (n, r)
        With the core's rows; others do not matter.
    known : boolean array of shape (n,)
        The core, as far as it is determined.
    order : list of Peeled
    y : array of shape (m,)
    prior : two arrays of shape (r, r)
        Square roots S of the second moments S Sᵀ of rows above and below ``split``.
    split : int
        First line of the second kind.
    noise : float
        Standard deviation of the entries' noise.

    Returns
    -------
    X : array of shape (n, r)
    determined : boolean array of shape (n,)
        Lines that the entries determine: the core's, and those of r determined neighbours in
        general position.
    cov : array of shape (n, r, r)
        Posterior covariance of the lines that were set aside, zero elsewhere.
    """
    X, known = X.copy(), known.copy()
    n, r = X.shape
    cov = np.zeros((n, r, r))
    for line, near, entries in reversed(order):
        S = prior[0] if line < split else prior[1]
        Z = X[near] @ S
        U, s, Vt = np.linalg.svd(Z, full_matrices=True)
        top = s[0] if s.size else 0.0
        kept = s > SINGULAR * top if noise == 0 else np.ones(s.size, bool)
        goal = U[:, : s.size].T @ y[entries]
        shrink = np.where(kept, s / np.where(kept, s * s + noise**2, 1.0), 0.0)
        shrink = np.where(np.isfinite(shrink), shrink, 0.0)
        X[line] = S @ (Vt[: s.size].T @ (shrink * goal))
        left = np.ones(r)
        left[: s.size] = np.where(kept, noise**2 / np.maximum(s * s + noise**2, 1e-300), 1.0)
        half = S @ Vt.T
        cov[line] = (half * left) @ half.T
        full = len(near) == r and bool(np.all(s > SINGULAR * top)) and top > 0
        known[line] = full and bool(known[near].all())
    return X, known, cov
