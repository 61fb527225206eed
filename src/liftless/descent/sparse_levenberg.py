"""Levenberg–Marquardt for sparse measurements of many unknowns, on the host.

The normal equations are factorised where their pattern allows it, else solved by LSMR with the
blocks of the rows as preconditioner; which of the two is a matter of counted operations.  Nothing
is compiled: a first call takes as long as any other.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from liftless.descent.sparse_solve import Solver, solver_for
from liftless.operators.sparse_rows import SparseRows
from liftless.quartic import minimisers

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Bounds of the damping, in units of the diagonal of the normal matrix.
LEAST, MOST = 1e-13, 1e6
#: Steps in a row that gain less than the tolerance, after which it is the end.
STILL = 2
#: Steps after which the carried residual is computed anew, against the growth of round-off.
RENEWED = 8
#: Lengths that are tried along a step where the misfit is no polynomial.
LENGTHS = 0.5 ** np.arange(12)


@dataclass(frozen=True)
class SparseFit:
    """½ Σ w² (y − b)² + ½ Σ_c ρ_c ‖X_c‖² over the free rows of X, with y = A(X Xᵀ).

    Attributes
    ----------
    rows : SparseRows
    b, w : arrays of shape (m,)
    free : boolean array of shape (n,), optional
        Rows of X (of U where there is a basis) that may move; the others are known.
    ridge : array of shape (r,), optional
        ρ of each column.
    roots : boolean array of shape (m,), optional
        Readings that are √b rather than b: their residual is w (√y − √b).
    basis : sparse array of shape (n, k), optional
        X = basis U: linear equations that X solves all along, not with a ridge.
    """

    rows: SparseRows
    b: Float[np.ndarray, " m"]
    w: Float[np.ndarray, " m"]
    free: Bool[np.ndarray, " n"] | None = None
    ridge: Float[np.ndarray, " r"] | None = None
    roots: Bool[np.ndarray, " m"] | None = None
    basis: "csr_array | None" = None

    def residual(self, y: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """Weighted residuals of measurements y."""
        out = self.w * (y - self.b)
        if self.roots is not None:
            k = self.roots
            out[k] = self.w[k] * (np.sqrt(np.maximum(y[k], 0.0)) - np.sqrt(self.b[k]))
        return out

    def slope(self, y: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """Derivative of each residual by its measurement."""
        if self.roots is None:
            return self.w
        k, out = self.roots, self.w.copy()
        root = np.sqrt(np.maximum(y[k], 0.0))
        out[k] = self.w[k] / np.maximum(2 * root, np.sqrt(self.b[k]) * 1e-3)
        return out

    def jacobian(self, X: Float[np.ndarray, "n r"]) -> "csr_array":
        """Derivative of the residuals by the free unknowns, entries of X (or U) row by row."""
        slope = self.slope(self.rows.values(X))
        return self.weighted(X, slope, self.wide(X.shape[1]))

    def weighted(
        self, X: Float[np.ndarray, "n r"], slope: Float[np.ndarray, " m"], wide: Any
    ) -> "csr_array":
        """:meth:`jacobian` with that derivative of the residuals; ``wide`` is :meth:`wide`'s."""
        J = self.rows.jacobian(X)
        J.data *= np.repeat(slope, np.diff(J.indptr))
        J = J if wide is None else J @ wide
        columns = self.columns(X.shape[1])
        return J if columns is None else J[:, columns]

    def wide(self, r: int) -> Any:
        """Derivative of X of r columns, flattened, by U, flattened; None without a basis."""
        from scipy.sparse import csr_array, eye_array, kron

        if self.basis is None or r == 1:
            return self.basis
        return csr_array(kron(self.basis, eye_array(r), format="csr"))

    @property
    def unknowns(self) -> int:
        """Rows of X, or of U where there is a basis."""
        basis: Any = self.basis
        return self.rows.n if basis is None else int(basis.shape[1])

    def motion(self, d: Float[np.ndarray, " f"], r: int) -> Float[np.ndarray, "n r"]:
        """Motion of X of r columns from that of the free unknowns."""
        columns = self.columns(r)
        if columns is not None:
            moved = np.zeros(self.unknowns * r)
            moved[columns] = d
            d = moved
        D = d.reshape(-1, r)
        return D if self.basis is None else self.basis @ D

    def columns(self, r: int) -> np.ndarray | None:
        """Free entries of X (or U) of r columns, flattened; None for all."""
        if self.free is None or self.free.all():
            return None
        return np.flatnonzero(np.repeat(self.free, r))

    def objective(self, X: Float[np.ndarray, "n r"]) -> float:
        """Value at X, the ridge included."""
        return 0.5 * float(np.sum(self.residual(self.rows.values(X)) ** 2)) + self._penalty(X)

    def _penalty(self, X: Float[np.ndarray, "n r"]) -> float:
        if self.ridge is None:
            return 0.0
        moving = X if self.free is None else X[self.free]
        return 0.5 * float(self.ridge @ np.sum(moving * moving, axis=0))


class SparseEnd(NamedTuple):
    """Where a fit ended.

    Attributes
    ----------
    X : array of shape (n, r)
    objective : float
    steps : int
    status : {"exact", "settled", "limit"}
        Fitted to round-off; no more to gain; or the limit of the steps or of the solver.
    """

    X: Float[np.ndarray, "n r"]
    objective: float
    steps: int
    status: str


def sparse_levenberg(
    fit: SparseFit,
    X: Float[np.ndarray, "n r"],
    *,
    steps: int = 60,
    damping: float = 1e-3,
    tolerance: float = 1e-10,
    exact: float = 1e-26,
    solver: Solver | None = None,
) -> SparseEnd:
    """Descend by damped Gauss–Newton steps, each of the length that minimises the fit along it.

    Parameters
    ----------
    fit : SparseFit
    X : array of shape (n, r)
        Start; its rows that are not free stay.
    steps : int
        Most steps: a Jacobian, a factorisation and a few sparse products each.
    damping : float
        First damping, in units of the diagonal of the normal matrix (Marquardt's scaling).
    tolerance : float
        Relative gain below which a step is the last but one.
    exact : float
        Misfit, relative to that of y = 0, which is round-off.
    solver : Solver, optional
        Of the linear systems; by default the cheaper for the fit's pattern.

    Returns
    -------
    SparseEnd

    Notes
    -----
    Along a direction D the measurements are y + 2 s A(X Dᵀ) + s² A(D Dᵀ) and the fit is a quartic,
    whose least value is taken (:mod:`liftless.quartic`); with ``roots`` the best of halved lengths.
    """
    X = np.array(X, float)
    walk = _Walk(fit, X, solver or solver_for(fit.rows, X.shape[1], fit.free, fit.basis))
    mu, still = damping, 0
    floor = exact * float(np.sum(fit.residual(np.zeros(fit.rows.m)) ** 2)) / 2
    for k in range(1, steps + 1):
        before = walk.objective
        length = walk.step(mu, renew=k % RENEWED == 0)
        if walk.objective <= floor:
            return SparseEnd(walk.X, walk.objective, k, "exact")
        still = still + 1 if before - walk.objective <= tolerance * before else 0
        if still >= STILL or not np.isfinite(walk.objective):
            return SparseEnd(walk.X, walk.objective, k, "settled")
        if walk.solver.over:
            return SparseEnd(walk.X, walk.objective, k, "limit")
        mu *= 0.1 if length > 0.5 else 1.0 if length > 0.1 else 8.0
        mu = min(max(mu, LEAST), MOST)
    return SparseEnd(walk.X, walk.objective, steps, "limit")


class _Walk:
    """A point under way, with its measurements."""

    def __init__(self, fit: SparseFit, X: Float[np.ndarray, "n r"], solver: Solver) -> None:
        self.fit, self.X, self.solver = fit, X, solver
        r = X.shape[1]
        self.columns, self.wide = fit.columns(r), fit.wide(r)
        ridge = np.zeros(r) if fit.ridge is None else fit.ridge
        self.ridge = self._free(np.tile(ridge, fit.unknowns))
        self.y = fit.rows.values(X)
        self.objective = fit.objective(X)

    def _free(self, x: Float[np.ndarray, " N"]) -> Float[np.ndarray, " f"]:
        return x if self.columns is None else x[self.columns]

    def step(self, mu: float, *, renew: bool) -> float:
        """Move, and return the length of the step in units of the Gauss–Newton one."""
        fit, y = self.fit, self.y
        slope, residual = fit.slope(y), fit.residual(y)
        J = fit.weighted(self.X, slope, self.wide)
        # With a basis there is no ridge, and x is of no account.
        x = self._free(self.X.ravel()) if fit.basis is None else np.zeros(J.shape[1])
        d = self.solver.step(J, residual, self.ridge, self.ridge * x, mu)
        D = fit.motion(d, self.X.shape[1])
        first, second = J @ d / np.where(slope > 0, slope, 1.0), fit.rows.values(D)
        first = np.where(slope > 0, first, 0.0)
        if fit.roots is None:
            s = self._quartic(residual, fit.w * first, fit.w * second, x, d)
        else:
            s = self._halved(first, second, x, d)
        if s == 0.0:
            return 0.0
        moved = self.X + s * D
        y = fit.rows.values(moved) if renew else y + s * first + s * s * second
        penalty = fit._penalty(moved)
        objective = 0.5 * float(np.sum(fit.residual(y) ** 2)) + penalty
        if objective > self.objective:
            return 0.0
        self.X, self.y, self.objective = moved, y, objective
        return abs(s)

    def _quartic(
        self, r0: np.ndarray, r1: np.ndarray, r2: np.ndarray, x: np.ndarray, d: np.ndarray
    ) -> float:
        rho = self.ridge
        c = np.array(
            [
                self.objective,
                r0 @ r1 + rho @ (x * d),
                0.5 * (r1 @ r1) + r0 @ r2 + 0.5 * rho @ (d * d),
                r1 @ r2,
                0.5 * (r2 @ r2),
            ]
        )
        found = minimisers(c) if np.isfinite(c).all() else np.zeros(0)
        return float(found[0]) if found.size else 0.0

    def _halved(self, first: np.ndarray, second: np.ndarray, x: np.ndarray, d: np.ndarray) -> float:
        best, length = self.objective, 0.0
        for s in LENGTHS:
            y = self.y + s * first + s * s * second
            there = x + s * d
            value = 0.5 * float(np.sum(self.fit.residual(y) ** 2) + self.ridge @ there**2)
            if value < best:
                best, length = value, float(s)
            elif length:
                break
        return length
