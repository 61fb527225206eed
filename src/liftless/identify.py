"""Whether the measurements determine the matrix near X, and which entries they leave open.

The map X ↦ w ⊙ A(X Xᵀ) is constant along X ↦ X Q, so r(r−1)/2 directions never count.  The matrix
is locally identifiable when nothing else is lost: when the rank of the map's Jacobian is the
number of degrees of freedom n r − r(r−1)/2.  For a stacked factor [U; V] of U Vᵀ the map is
constant along U ↦ U G, V ↦ V G⁻ᵀ and the number is r(n1 + n2 − r).
"""

import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._checks import factor
from liftless._errors import InvalidInput
from liftless._precision import double, entry, on_device
from liftless._types import AnyArray, Scalar
from liftless.linalg import extreme_eigenpairs, least_singular, truncate
from liftless.mirrors import free_signs, mirrored_fit
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]

#: Up to this many unknowns n r the Jacobian is formed and its singular values computed.
DENSE_UNKNOWNS = 1000
#: A singular value below this fraction of the largest is zero.  Measured near the limit: over 2,400
#: Gaussian and rank-one instances (m from dof to 1.2 dof) the least kept one was never below 3e-4,
#: over 1,200 of completion never below 6e-6; of 2,400 that must vanish none was above 3e-16.
ZERO = 1e-10
#: A singular value of X below this fraction of the largest is padding: a share of 1e-9 in X Xᵀ.
PADDING = 3e-5
#: A derivative of an entry below this fraction of the largest is round-off.
STILL = 1e-6
#: Most null directions that the matrix-free search collects.
MOST = 100
#: Steps of the matrix-free search from which the gap is found.
STEPS = 4000


@dataclass(frozen=True)
class Identifiability:
    """What the measurements leave open to first order at a point.

    Attributes
    ----------
    rank, dof : int
        Rank of the Jacobian, and the degrees of freedom of the matrices of X's rank.
    identifiable : bool
        Whether they are equal, no sign is open (at rank one, groups of rows that no entry links can
        change theirs), and no mirror image of a row leads to another fit.
    gap : float
        Least nonzero singular value over the largest: how clear the verdict is.  Matrix-free it is
        a Ritz value, hence never too small; NaN where nothing was computed.
    method : str
        "dense", "matrix-free", or "count" if there are fewer measurements than degrees of freedom;
        then ``rank`` is the bound that m gives.
    free_rows : integer array of shape (k,) or None
        Rows of the factor without which everything is determined: the entries of the matrix among
        the other rows are known, those in these rows are not.  None after "count".
    null : array of shape (k, n, r)
        Orthonormal directions of the factor that change the matrix and no measurement.
    factor : array of shape (n, r)
        X without its padding, where the Jacobian was taken.
    split : int or None
        Rows of U where the matrix is U Vᵀ.
    other : array of shape (n, r) or None
        Another factor with the same measurements, though none is near; the counterexample that
        :func:`liftless.mirrors.mirrored_fit` found.
    message : str
        The verdict in a sentence.
    """

    rank: int
    dof: int
    identifiable: bool
    gap: float
    method: str
    message: str
    free_rows: Int[np.ndarray, " k"] | None
    null: Float[np.ndarray, "d n r"] = field(repr=False)
    factor: Factor = field(repr=False)
    split: int | None = None
    other: Factor | None = field(default=None, repr=False)

    def determined(self, i: Any, j: Any) -> Bool[np.ndarray, "..."]:
        """Whether entries (i, j) of the matrix are determined, for index arrays of one shape.

        Raises
        ------
        InvalidInput
            If nothing was computed (method "count"), or a position is out of range.
        """
        if self.free_rows is None:
            cure = "Pass method='dense' or 'matrix-free' to identifiability."
            raise InvalidInput("method", repr(self.method), "one that computes", cure)
        n, (i, j) = self.factor.shape[0], np.broadcast_arrays(np.asarray(i), np.asarray(j))
        low, high = (min(i.min(), j.min()), max(i.max(), j.max())) if i.size else (0, 0)
        if low < 0 or high >= n:
            raise InvalidInput("i, j", f"from {low} to {high}", f"from 0 to {n - 1}")
        change = _change(self.null, self.factor, i.ravel(), j.ravel(), self.split)
        known = change <= STILL * _largest(self.null, self.factor)
        if self.other is not None:
            pairs = (i.ravel(), j.ravel())
            here, there = (np.sum(Y[pairs[0]] * Y[pairs[1]], 1) for Y in (self.factor, self.other))
            known &= np.abs(here - there) <= STILL * np.abs(here).max(initial=0.0)
        return known.reshape(i.shape)


@double
def identifiability(problem: Problem, X: Any, *, method: str | None = None) -> Identifiability:
    """Compare the rank of the Jacobian of X ↦ w ⊙ A(X Xᵀ) with the degrees of freedom.

    Parameters
    ----------
    problem : Problem
        Operator and row weights matter; b, the loss and the regularisers do not.
    X : array of shape (n, p)
        Any width.  It is first reduced to as many columns as its rank (zero columns and padding
        drop out), and judged among matrices of that rank.
    method : {None, "dense", "matrix-free"}
        By default none is needed if m < dof, the dense one up to n r = 1000, and the matrix-free
        one above.

    Returns
    -------
    Identifiability

    Raises
    ------
    InvalidInput
        If ``X`` is zero or no finite (n, p) array, or the method unknown.

    Notes
    -----
    Identifiable here is local: no other matrix of that rank *near* X has the same measurements.
    A lower rank of the Jacobian is a first-order statement: a curve of matrices with the same
    measurements leaves X unless higher-order terms forbid it.

    Dense: singular values of the m × n r Jacobian.  Matrix-free: a random direction, less its
    part in the row space (found by conjugate gradients on the least-squares problem, with one
    ``measure`` and one ``backproject`` an iteration), is a null direction, or zero if there is
    none; found ones are removed and the next is sought.
    """
    if method not in (None, "dense", "matrix-free"):
        raise InvalidInput("method", repr(method), "None, 'dense' or 'matrix-free'")
    X = _reduced(factor("X", X, problem.n), problem.operator.split)
    rank = X.shape[1]
    dof = problem.operator.degrees_of_freedom(rank)
    used = int(np.count_nonzero(np.asarray(problem.weights)))
    if used < dof and method is None:
        return _verdict(problem, X, used, dof, math.nan, "count", None)
    if method is None:
        method = "dense" if X.size <= DENSE_UNKNOWNS else "matrix-free"
    find = _dense if method == "dense" else _matrix_free
    found, gap, null = find(on_device(problem), X)
    return _verdict(problem, X, found, dof, gap, method, null)


def _verdict(
    problem: Problem,
    X: Factor,
    found: int,
    dof: int,
    gap: float,
    method: str,
    null: Float[np.ndarray, "d n r"] | None,
) -> Identifiability:
    """Put the numbers in words."""
    split = problem.operator.split
    rows = None if null is None else _free_rows(null, X, split)
    free = free_signs(problem, X)
    mirror = mirrored_fit(problem, X) if found == dof and not free else None
    whole = found == dof and not free and mirror is None
    verdict = "locally identifiable" if whole else "not identifiable"
    if method == "count":
        text = f"{verdict}: {found} measurements for {dof} degrees of freedom."
    else:
        text = f"{verdict}: Jacobian of rank {found} for {dof} degrees of freedom (gap {gap:.1e})."
    if free:
        text += f" No measurement links {free} groups of rows, whose relative signs are open."
    if mirror is not None:
        text += f" A mirror image of row {mirror[0]} leads to another matrix that fits as well."
    if rows is not None and rows.size:
        shown = ", ".join(str(i) for i in rows[:5]) + (", ..." if rows.size > 5 else "")
        text += f" Undetermined rows: {shown} ({rows.size} of {X.shape[0]})."
    if null is not None and null.shape[0] >= MOST and method == "matrix-free":
        text += f" At least {MOST} directions are open: the rank may be lower."
    if X.shape[1] < problem.rank:
        text += f" X has rank {X.shape[1]} < {problem.rank} and is judged among those."
    return Identifiability(
        rank=found,
        dof=dof,
        identifiable=whole,
        gap=gap,
        method=method,
        message=text,
        free_rows=rows,
        null=np.zeros((0, *X.shape)) if null is None else null,
        factor=X,
        split=split,
        other=None if mirror is None else mirror[1],
    )


def _reduced(X: Factor, split: int | None) -> Float[np.ndarray, "n k"]:
    """Return a factor of the same matrix with as many columns as its rank."""
    if split is None:
        s = np.linalg.svd(X, compute_uv=False)
        rank = int(np.sum(s > PADDING * s[0]))
        reduced = X if rank == X.shape[1] else truncate(X, max(rank, 1))
    else:
        (P, R), (Q, S) = np.linalg.qr(X[:split]), np.linalg.qr(X[split:])
        left, s, right = np.linalg.svd(R @ S.T)
        rank = int(np.sum(s > PADDING**2 * s[0]))
        half = np.sqrt(s[:rank])
        reduced = np.r_[P @ left[:, :rank] * half, Q @ right[:rank].T * half]
    if s[0] == 0:
        raise InvalidInput("X", "zero", "a nonzero factor")
    return reduced


# -- dense ----------------------------------------------------------------------------------------


@entry
def _factor(problem: Problem, X: AnyArray) -> tuple[AnyArray, AnyArray]:
    """Triangular factor of the Jacobian of X ↦ w ⊙ A(X Xᵀ), and its singular values."""
    rows = problem.operator.jacobian(X).reshape(problem.m, -1)
    R = jnp.linalg.qr(problem.weights[:, None] * rows, mode="r")
    return R, jnp.linalg.svd(R, compute_uv=False)


def _dense(problem: Problem, X: Factor) -> tuple[int, float, Float[np.ndarray, "d n r"]]:
    """Rank, gap and null directions from the singular values of the whole Jacobian."""
    N = X.size
    R, s = _factor(problem, X)
    rank = int(np.sum(s > ZERO * s[0])) if s[0] > 0 else 0
    gap = float(s[rank - 1] / s[0]) if rank else 0.0
    gauge = _gauge(X, problem.operator.split)
    if N - rank <= len(gauge):
        return rank, gap, np.zeros((0, *X.shape))
    # The factor, made square, shows the whole null space.
    Vt = np.linalg.svd(np.pad(R, ((0, N - R.shape[0]), (0, 0))))[2]
    rest = Vt[rank:] - Vt[rank:] @ gauge.T @ gauge
    # What the orbit of X leaves of the null space.
    _, share, basis = np.linalg.svd(rest, full_matrices=False)
    return rank, gap, basis[share > 0.5].reshape(-1, *X.shape)


def _gauge(X: Factor, split: int | None) -> Float[np.ndarray, "g N"]:
    """Orthonormal directions along which the matrix does not change."""
    n, r = X.shape
    pairs = [(a, b) for a in range(r) for b in range(a if split is None else r)]
    out = np.zeros((len(pairs), n, r))
    for k, (a, b) in enumerate(pairs):
        if split is None:
            out[k, :, a], out[k, :, b] = X[:, b], -X[:, a]
        else:
            out[k, :split, a] = X[:split, b]
            out[k, split:, b] -= X[split:, a]
    return np.linalg.qr(out.reshape(len(pairs), X.size).T)[0].T


# -- matrix-free ----------------------------------------------------------------------------------


@entry
def _normal(problem: Problem, X: AnyArray, D: AnyArray) -> AnyArray:
    """JᵀJ D, which is the Hessian of h at a perfect fit."""
    pushed = 2 * problem.omega * problem.operator.measure(X, D)
    return 2 * problem.operator.backproject(pushed, X)


@entry
def _without_row_space(
    problem: Problem, X: AnyArray, start: AnyArray, level: Scalar, limit: Scalar
) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray]:
    """``start`` less its part in the row space of J, and the norm of J times what is left.

    Conjugate gradients for min ‖J(start − D)‖ (CGLS), until what is left is nothing, or is null
    to ``level``.  The lengths and ratios of the first steps are returned as well.
    """
    size = jnp.linalg.norm(start)

    def push(D: AnyArray) -> AnyArray:
        return 2 * problem.weights * problem.operator.measure(X, D)

    def pull(y: AnyArray) -> AnyArray:
        return 2 * problem.operator.backproject(problem.weights * y, X)

    def going(c: tuple) -> AnyArray:
        left, residual, _, slope, k, _, _ = c
        rest = jnp.linalg.norm(left)
        null = jnp.linalg.norm(residual) <= level * rest
        return (k < limit) & (rest > STILL / 10 * size) & ~null & (slope > 0)

    def step(c: tuple) -> tuple:
        left, residual, direction, slope, k, lengths, ratios = c
        pushed = push(direction)
        length = slope / jnp.sum(pushed * pushed)
        residual = residual - length * pushed
        back = pull(residual)
        turned = jnp.sum(back * back)
        ratio = turned / slope
        # Steps beyond the last place are dropped.
        kept = (lengths.at[k].set(length, mode="drop"), ratios.at[k].set(ratio, mode="drop"))
        forward = back + ratio * direction
        return left - length * direction, residual, forward, turned, k + 1, *kept

    residual = push(start)
    back = pull(residual)
    steps = jnp.full(STEPS, jnp.nan, start.dtype)
    first = (start, residual, back, jnp.sum(back * back), jnp.zeros((), int), steps, steps)
    end = jax.lax.while_loop(going, step, first)
    return end[0], jnp.linalg.norm(push(end[0])), end[5], end[6]


def _matrix_free(problem: Problem, X: Factor) -> tuple[int, float, Float[np.ndarray, "d n r"]]:
    """Rank, gap and null directions from projections of random directions, seed 0."""
    on = on_device(X)

    def product(w: np.ndarray) -> np.ndarray:
        columns = [_normal(problem, on, v.reshape(X.shape)).ravel() for v in w.T]
        return np.stack(columns, axis=1)

    top = math.sqrt(max(float(extreme_eigenpairs(product, X.size, 1, "highest")[0][0]), 0.0))
    gauge = _gauge(X, problem.operator.split)
    known, rng, least = gauge, np.random.default_rng(0), math.inf
    # Enough for a gap of 1e-4 even if the singular values are spread evenly.
    limit = float(20 * X.size + 20000)
    while len(known) < min(X.size, len(gauge) + MOST):
        start = rng.standard_normal(X.size)
        start = start - known.T @ (known @ start)
        size = float(np.linalg.norm(start))
        given = (start.reshape(X.shape), ZERO * top / 100, limit)
        left, push, lengths, ratios = _without_row_space(problem, on, *given)
        least = min(least, least_singular(np.asarray(lengths), np.asarray(ratios)))
        rest = float(np.linalg.norm(left))
        if rest <= STILL * size or float(push) > ZERO * top * rest:
            break
        vector = left.ravel()
        for _ in range(2):
            vector = vector - known.T @ (known @ vector)
        known = np.concatenate([known, vector[None] / np.linalg.norm(vector)])
    found = known[len(gauge) :]
    gap = min(least / top, 1.0) if top > 0 else 0.0
    return X.size - len(known), gap, found.reshape(-1, *X.shape)


# -- which rows -----------------------------------------------------------------------------------


def _change(
    null: Float[np.ndarray, "d n r"],
    X: Factor,
    i: Int[np.ndarray, " k"],
    j: Int[np.ndarray, " k"],
    split: int | None,
) -> Float[np.ndarray, " k"]:
    """Norm of the derivatives of the entries (i, j) of the matrix along the null directions."""
    moved = np.einsum("dkr,kr->dk", null[:, i], X[j]) + np.einsum("dkr,kr->dk", null[:, j], X[i])
    if split is not None:
        moved = np.where((i < split) == (j < split), 0.0, moved)
    return np.sqrt(np.sum(moved * moved, axis=0))


def _largest(null: Float[np.ndarray, "d n r"], X: Factor) -> float:
    """Size that a change of an entry along a null direction has at most, up to a factor."""
    widest = np.sqrt(np.sum(null * null, axis=(0, 2)))
    return float(widest.max(initial=0.0) * np.linalg.norm(X, axis=1).max())


def _free_rows(
    null: Float[np.ndarray, "d n r"], X: Factor, split: int | None
) -> Int[np.ndarray, " k"]:
    """Return rows whose removal leaves only determined entries, those with most open ones first.

    Open entries come as whole rows and columns, since a null direction along e_i vᵀ changes
    row i against every other; removing the fullest row first finds the cause, not its victims.
    """
    n = X.shape[0]
    if null.shape[0] == 0:
        return np.zeros(0, int)
    every, level = np.arange(n), STILL * _largest(null, X)

    def open_with(i: int) -> Bool[np.ndarray, " n"]:
        return _change(null, X, np.full(n, i), every, split) > level

    count = np.array([np.count_nonzero(open_with(i)) for i in range(n)])
    free: list[int] = []
    while count.max() > 0:
        i = int(np.argmax(count))
        count = np.where(open_with(i), count - 1, count)
        count[[*free, i]] = 0
        free.append(i)
    return np.sort(np.array(free))
