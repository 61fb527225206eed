"""Fits of a grid's voltages: from a start, and from a start of two columns truncated to one."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Complex, Float

from liftless.descent.sparse_levenberg import SparseFit, sparse_levenberg
from liftless.grid.measurements import Measurements, operator_of
from liftless.grid.network import Grid
from liftless.operators.sparse_rows import SparseRows
from liftless.space import Hermitian

Voltages = Complex[np.ndarray, " n"]

#: Steps of a fit of one column, of two, and of the last one.
STEPS, WIDE = 60, 40
#: Random second columns that are tried from a start, and random angles after that.
KICKS, RESTARTS = 6, 6
#: Sizes of the second column.
SIZES = (0.5, 1.0)
#: Standard deviation, per unit, by which zero injections are weighted.  All from 1e-3 to 1e-6 give
#: one error (case118, 1 % noise: 4.25e-3), the smaller in more steps (12, 13, 18, 24).
IDLE = 1e-4
#: χ² a reading at which a fit is exact.
ROUND_OFF = 1e-16
#: Difference of two states that are one, per unit; and ends at the best one after which it is
#: taken for the best, whatever its χ²: with a gross error no state's is small.
SAME, AGREE = 1e-4, 3


class Model(NamedTuple):
    """A grid with readings as a fit.

    Attributes
    ----------
    fit : SparseFit
        Zero injections are its last rows.
    order : int
        Of the Hermitian matrix.
    slack : int
    magnitudes, angles : boolean arrays
        Rows that are such readings.
    """

    fit: SparseFit
    order: int
    slack: int
    magnitudes: Bool[np.ndarray, " m"]
    angles: Bool[np.ndarray, " m"]

    @property
    def turned(self) -> bool:
        """Whether angles were read."""
        return bool(self.angles.any())

    @property
    def n(self) -> int:
        """Buses."""
        return self.order - self.turned

    @property
    def free(self) -> Bool[np.ndarray, " N"]:
        """Which rows of the factor the fit moves."""
        assert self.fit.free is not None
        return self.fit.free

    @property
    def sharp(self) -> SparseFit:
        """Fit of the magnitudes themselves, not of their squares."""
        b, w = self.fit.b, self.fit.w
        w = np.where(self.magnitudes, w * 2 * np.sqrt(np.abs(b)), w)
        return replace(self.fit, w=w, roots=self.magnitudes)


@dataclass(frozen=True)
class Solution:
    """End of a fit: voltages, ½ χ², steps, and what it began with."""

    v: Voltages
    objective: float
    steps: int
    status: str
    origin: str


def model_of(grid: Grid, readings: Measurements, idle: float | None = IDLE) -> Model:
    """Return the fit of readings, and of zero injections with that deviation (per unit)."""
    if idle is not None and grid.idle.any():
        names = [str(name) for name in grid.buses[grid.idle]]
        extra = [(kind, name, "", 0.0, idle * grid.base) for name in names for kind in ("p", "q")]
        both = zip(*extra, strict=True)
        fields = (readings.kind, readings.element, readings.side, readings.value, readings.std)
        readings = Measurements(*(np.r_[a, b] for a, b in zip(fields, both, strict=True)))
    operator, b, w = operator_of(grid, readings)
    order = operator.n // 2
    free = np.ones(2 * order, bool)
    if order > grid.n:  # angles were read
        free[[grid.n, order + grid.n]] = False
    else:
        free[order + grid.slack] = False
    fit = SparseFit(SparseRows(operator), b, w, free=free)
    return Model(fit, order, grid.slack, readings.kind == "v", readings.kind == "va")


def packed(model: Model, Z: Complex[np.ndarray, "n r"]) -> Float[np.ndarray, "N r"]:
    """Array X of voltages, with the further entry where there is one, the slack's angle zero."""
    if model.turned:
        last = np.zeros((1, Z.shape[1]), complex)
        last[0, 0] = 1.0
        Z = np.concatenate([Z, last])
    elif Z.shape[1] == 1:
        there = Z[model.slack, 0]
        Z = Z * (np.conj(there) / abs(there) if abs(there) > 0 else 1.0)
        Z[model.slack] = np.abs(Z[model.slack])
    return Hermitian(model.order).real(Z)


def voltages(model: Model, X: Float[np.ndarray, "N 1"]) -> Voltages:
    """Voltages of an array X of one column."""
    return Hermitian(model.order).complex(X)[: model.n, 0]


def descended(model: Model, v: Voltages, origin: str, steps: int = STEPS) -> Solution:
    """Fit from given voltages."""
    zero = float(np.sum((model.fit.w * model.fit.b) ** 2))
    exact = max(1e-26, ROUND_OFF * model.fit.rows.m / zero) if zero > 0 else 1e-26
    end = sparse_levenberg(model.fit, packed(model, v[:, None]), steps=steps, exact=exact)
    return Solution(voltages(model, end.X), end.objective, end.steps, end.status, origin)


def widened(model: Model, v: Voltages, rng: np.random.Generator, size: float) -> Solution:
    """Fit of two columns, the second random, truncated over the complex numbers, then of one."""
    n = v.size
    kick = size * (rng.standard_normal(n) + 1j * rng.standard_normal(n)) / np.sqrt(2)
    free = model.free.copy()
    free[model.order + model.slack] = True
    fit = replace(model.fit, free=free)
    X = packed(model, np.stack([v, kick], axis=1))
    end = sparse_levenberg(fit, X, steps=WIDE, tolerance=1e-5)
    space = Hermitian(model.order)
    z = space.complex(space.truncate(end.X, 1))[:, 0]
    if model.turned:
        z = z * np.conj(z[n]) / max(abs(z[n]), 1e-12)
        z = z[:n]
    found = descended(model, z, "two columns")
    return Solution(found.v, found.objective, found.steps + end.steps, found.status, found.origin)


def search(
    model: Model, start: Voltages, enough: float, seed: int, tries: int = KICKS + RESTARTS
) -> tuple[list[Solution], int]:
    """Different ends, best first, and all steps: from the start, then from wider ones.

    Parameters
    ----------
    model : Model
    start : complex array of shape (n,)
    enough : float
        ½ χ² at which the search ends.
    seed : int
    tries : int
        Starts of two columns at most; the first half begins at ``start``, the rest at random
        angles about the unloaded network's.
    """
    rng = np.random.default_rng([seed, 47])
    found = [descended(model, start, "the start")]
    steps = found[0].steps
    for k in range(tries):
        agreed = sum(np.abs(one.v - found[0].v).max() <= SAME for one in found)
        if found[0].objective <= enough or agreed >= AGREE:
            break
        v = start
        if k >= (tries + 1) // 2:
            v = np.exp(1j * (np.angle(start) + 0.5 * rng.standard_normal(start.size)))
        one = widened(model, v, rng, SIZES[k % len(SIZES)])
        steps += one.steps
        found.append(one)
        found.sort(key=lambda s: s.objective)
    return _different(found), steps


def _different(found: list[Solution]) -> list[Solution]:
    out: list[Solution] = []
    for one in found:
        if all(np.abs(one.v - other.v).max() > SAME for other in out):
            out.append(one)
    return out
