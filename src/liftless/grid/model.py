"""Readings of a grid as a sparse fit of its voltages, those of idle buses eliminated."""

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Complex, Float, Int

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

#: Standard deviation, per unit, by which zero injections are weighted that cannot be eliminated:
#: of buses that nothing feeds, whose voltages are open or zero.  1e-2 to 1e-6 change no other bus.
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
    anchors : integer array
        Buses whose angles are zero in the fit: one of each island where no angle was read.
    """

    def __init__(self, grid: Grid, readings: Measurements, idle: Any = "exact") -> None:
        self.n = grid.n
        unread = idle_of(grid, readings)
        none = np.zeros(grid.n, bool)
        self.basis, gone = reduction(grid, unread if idle == "exact" else none)
        self.kept = np.flatnonzero(~gone)
        weighted = none if idle is None else unread & ~gone
        std = WEIGHTED if idle == "exact" else idle
        self.rows = rows_of(grid, _with_idle(grid, readings, weighted, std))
        self.order = self.rows.operator.n // 2
        self.anchors = _anchors(grid, readings, gone)
        self.islands = grid.islands
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
        free[self._imaginary] = False
        return free

    @cached_property
    def _imaginary(self) -> Int[np.ndarray, " a"]:
        """Places of the anchors' imaginary parts among the unknowns."""
        return self.kept.size + self.turned + np.searchsorted(self.kept, self.anchors)

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

    def sharp(self, v: Voltages) -> SparseFit:
        """Fit near v of the magnitudes themselves, not of their squares, and of the angles.

        The row of an angle is the phasor's part across it, whose deviation is in proportion to the
        phasor.
        """
        rows = self.rows
        std = np.where(rows.roots, rows.root_std, rows.std)
        if rows.angles.any():
            size = np.abs(self.along(v))
            std[rows.angles] = np.where(size > 0, size, 1.0) * rows.root_std[rows.angles]
        return replace(self.fit, w=1 / std, roots=rows.roots)

    def along(self, v: Voltages) -> Float[np.ndarray, " a"]:
        """Real parts of x e^{−jθ} for the angles θ that were read, of the phasors x."""
        # Turned by a quarter a phasor's imaginary part along θ is its real one.
        X = Hermitian(self.order).real(np.r_[1j * v, 1.0][:, None])
        return self.fit.rows.values(X)[self.rows.angles]

    @property
    def wide(self) -> SparseFit:
        """The fit for arrays of two columns, of which the second one may turn freely."""
        free = self.free.copy()
        free[self._imaginary] = True
        return replace(self.fit, free=free)

    def packed(self, Z: Complex[np.ndarray, "n r"]) -> Float[np.ndarray, "N r"]:
        """Array X of voltages, those of eliminated buses from the others.

        With the further entry where there is one; of one column the anchors' angles are zero.
        """
        Z = self.basis @ Z[self.kept]
        if Z.shape[1] == 1 and self.anchors.size:
            turn = np.ones(int(self.islands.max()) + 1, complex)
            turn[self.islands[self.anchors]] = np.exp(-1j * np.angle(Z[self.anchors, 0]))
            Z = Z * turn[self.islands][:, None]
            Z[self.anchors] = np.abs(Z[self.anchors])
        if self.turned:
            last = np.zeros((1, Z.shape[1]), complex)
            last[0, 0] = 1.0
            Z = np.concatenate([Z, last])
        return Hermitian(self.order).real(Z)

    def voltages(self, X: Float[np.ndarray, "N 1"]) -> Voltages:
        """Voltages of an array X of one column."""
        return Hermitian(self.order).complex(X)[: self.n, 0]


def _anchors(
    grid: Grid, readings: Measurements, gone: Bool[np.ndarray, " n"]
) -> Int[np.ndarray, " a"]:
    """Of each island without a reading of an angle its reference, if that is not eliminated."""
    at = np.isin(readings.kind, ("va", "ia"))
    bus = grid.buses_at(readings.places(grid)[at], readings.side[at])
    fixed = set(grid.islands[bus].tolist())
    out = []
    for island, anchor in enumerate(grid.anchors.tolist()):
        kept = np.flatnonzero((grid.islands == island) & ~gone)
        if island not in fixed and kept.size:
            out.append(anchor if not gone[anchor] else int(kept[0]))
    return np.array(out, int)


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
