"""Readings of a grid as a sparse fit of its voltages, those of idle buses eliminated."""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Complex, Float

from liftless.descent.sparse_levenberg import SparseFit
from liftless.grid.idle import reduction
from liftless.grid.measurements import Measurements
from liftless.grid.network import Grid
from liftless.grid.rows import rows_of
from liftless.operators.sparse_rows import SparseRows
from liftless.space import Hermitian

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Voltages = Complex[np.ndarray, " n"]

#: Standard deviation, per unit, by which zero injections are weighted that cannot be eliminated.
WEIGHTED = 1e-4


class Model:
    """A grid with readings as a fit.

    Parameters
    ----------
    grid : Grid
    readings : Measurements
    idle : "exact", float or None
        See :func:`liftless.grid.estimate`.

    Attributes
    ----------
    fit : SparseFit
        Of the Hermitian matrix v v*; weighted zero injections are its last rows.
    rows : Rows
    basis : sparse complex array of shape (n, k)
        Voltages from those that are not eliminated.
    kept : integer array of shape (k,)
    n, order : int
        Buses; and of the matrix, which has one entry more where angles were read.
    anchor : int
        Bus whose angle is zero in a fit without angles.
    """

    def __init__(self, grid: Grid, readings: Measurements, idle: Any = "exact") -> None:
        self.n = grid.n
        unread = idle_of(grid, readings)
        gone = np.zeros(grid.n, bool)
        self.basis, gone = reduction(grid, unread if idle == "exact" else gone)
        self.kept = np.flatnonzero(~gone)
        weighted = unread & ~gone if idle is not None else gone & False
        std = WEIGHTED if idle == "exact" else idle
        self.rows = rows_of(grid, _with_idle(grid, readings, weighted, std))
        self.order = self.rows.operator.n // 2
        self.anchor = grid.slack if not gone[grid.slack] else int(self.kept[0])
        b, w = self.rows.b, 1 / self.rows.std
        rows = SparseRows(self.rows.operator)
        self.fit = SparseFit(rows, b, w, free=self._free(), basis=self._real_basis())

    @property
    def turned(self) -> bool:
        """Whether angles were read."""
        return self.order > self.n

    def _real_basis(self) -> "csr_array":
        """Basis of [Re v; Im v], each with the further entry where there is one."""
        from scipy.sparse import block_diag, csr_array, hstack, vstack

        basis = self.basis
        if self.turned:
            basis = block_diag([basis, np.ones((1, 1))], format="csr")
        columns = csr_array(basis)
        re, im = columns.real, columns.imag

        return csr_array(vstack([hstack([re, -im]), hstack([im, re])], format="csr"))

    def _free(self) -> Bool[np.ndarray, " N"]:
        k = self.kept.size + self.turned
        free = np.ones(2 * k, bool)
        if self.turned:
            free[[k - 1, 2 * k - 1]] = False
        else:
            free[k + self._place] = False
        return free

    @cached_property
    def _place(self) -> int:
        """Place of the anchor among the kept buses."""
        return int(np.searchsorted(self.kept, self.anchor))

    @property
    def free(self) -> Bool[np.ndarray, " N"]:
        """Which of the unknowns the fit moves."""
        assert self.fit.free is not None
        return self.fit.free

    @property
    def unknowns(self) -> int:
        """Number of real unknowns."""
        return int(self.free.sum())

    @property
    def lift(self) -> "csr_array":
        """Matrix of shape (2 order, unknowns) from motions of the unknowns to those of X."""
        from scipy.sparse import csr_array

        return csr_array(self.fit.wide(1).tocsc()[:, np.flatnonzero(self.free)])

    @property
    def sharp(self) -> SparseFit:
        """Fit of the magnitudes themselves, not of their squares."""
        w = 1 / np.where(self.rows.roots, self.rows.root_std, self.rows.std)
        return replace(self.fit, w=w, roots=self.rows.roots)

    @property
    def wide(self) -> SparseFit:
        """The fit for arrays of two columns, of which the second one may turn freely."""
        free = self.free.copy()
        free[self.kept.size + self.turned + self._place] = True
        return replace(self.fit, free=free)

    def packed(self, Z: Complex[np.ndarray, "n r"]) -> Float[np.ndarray, "N r"]:
        """Array X of voltages, those of eliminated buses from the others.

        With the further entry where there is one; else the anchor's angle is zero.
        """
        Z = self.basis @ Z[self.kept]
        if self.turned:
            last = np.zeros((1, Z.shape[1]), complex)
            last[0, 0] = 1.0
            Z = np.concatenate([Z, last])
        elif Z.shape[1] == 1:
            there = Z[self.anchor, 0]
            Z = Z * (np.conj(there) / abs(there) if abs(there) > 0 else 1.0)
            Z[self.anchor] = np.abs(Z[self.anchor])
        return Hermitian(self.order).real(Z)

    def voltages(self, X: Float[np.ndarray, "N 1"]) -> Voltages:
        """Voltages of an array X of one column."""
        return Hermitian(self.order).complex(X)[: self.n, 0]


def idle_of(grid: Grid, readings: Measurements) -> Bool[np.ndarray, " n"]:
    """Buses without load and generation whose injection was not read."""
    idle = grid.idle.copy()
    injected = (readings.side == "") & np.isin(readings.kind, ("p", "q"))
    idle[[grid.bus(name) for name in np.unique(readings.element[injected])]] = False
    return idle


def _with_idle(
    grid: Grid, readings: Measurements, idle: Bool[np.ndarray, " n"], std: Any
) -> Measurements:
    """Readings, and zero injections with that deviation (per unit)."""
    if not idle.any():
        return readings
    names = [str(name) for name in grid.buses[idle]]
    extra = [(kind, name, "", 0.0, std * grid.base) for name in names for kind in ("p", "q")]
    both = zip(*extra, strict=True)
    fields = (readings.kind, readings.element, readings.side, readings.value, readings.std)
    return Measurements(*(np.r_[a, b] for a, b in zip(fields, both, strict=True)))
