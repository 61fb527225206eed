"""Readings of a grid as rows that act on v v*."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Complex, Float, Int, Shaped

from liftless._errors import InvalidInput
from liftless.grid.measurements import Measurements
from liftless.grid.network import Grid
from liftless.operators import SparseOperator
from liftless.space import Hermitian

#: Least deviation of a reading beside the median, per unit: their squares stand in one sum, of
#: which 1e-16 is round-off.
LEAST = 1e-6
#: Entries (row, i, j, value) of sparse matrices.
Entries = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Rows(NamedTuple):
    """Readings as ⟨A_k, v v*⟩ = b_k, per unit.

    Attributes
    ----------
    operator : SparseOperator
        Of Hermitian matrices of order n, or n + 1 where there are angles: they are linear in v and
        act on v and a further entry, which is 1.
    b : array of shape (m,)
        Of a magnitude its square.
    std : array of shape (m,)
        Of b: of a square that of the square of a Gaussian magnitude.
    roots : boolean array of shape (m,)
        Rows of magnitudes.
    root_std : array of shape (m,)
        Standard deviations of these, and of angles in radians.
    angles : boolean array of shape (m,)
        Rows of angles.
    """

    operator: SparseOperator
    b: Float[np.ndarray, " m"]
    std: Float[np.ndarray, " m"]
    roots: Bool[np.ndarray, " m"]
    root_std: Float[np.ndarray, " m"]
    angles: Bool[np.ndarray, " m"]


def rows_of(grid: Grid, readings: Measurements) -> Rows:
    """Return the rows of readings.

    Raises
    ------
    InvalidInput
        For readings that are not of the grid, currents where the base voltages are not known, and
        a current's angle without its magnitude.
    """
    places, kind, side, n = readings.places(grid), readings.kind, readings.side, grid.n
    unit = _unit(grid, readings, places)
    b, std = readings.value / unit, readings.std / unit
    parts = [_powers(grid, places, readings), _angles(grid, places, readings)]
    size = np.flatnonzero(kind == "v")
    if np.any(b[size] <= 0):
        raise InvalidInput("value", "a voltage magnitude <= 0", "> 0, per unit")
    parts.append((size, places[size], places[size], np.ones(size.size, complex)))
    current = np.flatnonzero(kind == "i")
    if np.any(b[current] < 0):
        raise InvalidInput("value", "a current magnitude < 0", ">= 0, kA")
    parts.append(_squares(current, *linear(grid, places[current], side[current])))
    roots, angles = np.isin(kind, ("v", "i")), np.isin(kind, ("va", "ia"))
    root_std = std.copy()
    std[roots] *= np.sqrt(4 * b[roots] ** 2 + 2 * std[roots] ** 2)
    b[roots] **= 2
    root_std[angles] = np.deg2rad(readings.std[angles])
    std[angles] = _sizes(unit, places, readings)[angles] * root_std[angles]
    b[angles] = 0.0
    space = Hermitian(n + 1 if angles.any() else n)
    k, i, j, value = (np.concatenate([part[c] for part in parts]) for c in range(4))
    _comparable(readings, np.where(roots | angles, root_std, std))
    operator = SparseOperator(k, i, j, value, m=readings.m, space=space)
    return Rows(operator, b, std, roots, root_std, angles)


def _unit(
    grid: Grid, readings: Measurements, places: Int[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """What one per unit of each reading is in its own unit (not of angles)."""
    unit = np.ones(readings.m)
    unit[np.isin(readings.kind, ("p", "q"))] = grid.base
    current = np.flatnonzero(readings.kind == "i")
    if current.size:
        end = grid.buses_at(places[current], readings.side[current])
        kv = np.full(current.size, np.nan) if grid.kv is None else grid.kv[end]
        if not np.all(kv > 0):
            where = readings.name(int(current[np.flatnonzero(~(kv > 0))[0]]))
            raise InvalidInput("kind", f"{where!r}, where no base voltage is known", "p or q there")
        unit[current] = grid.base / (np.sqrt(3) * kv)
    return unit


def _comparable(readings: Measurements, std: Float[np.ndarray, " m"]) -> None:
    """Refuse deviations, per unit, beside which normal equations lose those of the others."""
    share = std / np.median(std)
    least = int(np.argmin(share))
    if share[least] < LEAST:
        was = f"{readings.std[least]:.2g} for {readings.name(least)!r}, {share[least]:.1g} of the "
        cure = "Give it as much as the others allow; idle='exact' makes zero injections exact."
        raise InvalidInput("std", was + "median (per unit)", f"at least {LEAST:g} of it", cure)


def linear(
    grid: Grid, places: Int[np.ndarray, " m"], side: Shaped[np.ndarray, " m"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entries (row, bus, value) of currents: into the network at a bus, or into a branch."""
    rows, columns, values = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0, complex)]
    for which, Y in (("", grid.Y), ("from", grid.Yf), ("to", grid.Yt)):
        at = np.flatnonzero(side == which)
        part = Y[places[at]].tocoo()
        rows.append(at[part.row])
        columns.append(part.col)
        values.append(part.data)
    row, column, value = (np.concatenate(x) for x in (rows, columns, values))
    return row, column, value


def _powers(grid: Grid, places: np.ndarray, readings: Measurements) -> Entries:
    """Entries of the matrices of complex powers v_i conj((Y v)_i), by -j of reactive ones."""
    at = np.flatnonzero(np.isin(readings.kind, ("p", "q")))
    side = readings.side[at]
    row, column, value = linear(grid, places[at], side)
    bus = grid.buses_at(places[at], side)
    turn = np.where(readings.kind[at] == "q", -1j, 1.0)
    return at[row], bus[row], column, turn[row] * np.conj(value)


def _angles(grid: Grid, places: np.ndarray, readings: Measurements) -> Entries:
    """Entries of Im(e^{−jθ} x) for voltages or currents x, which are linear in v."""
    turn = -1j * np.exp(-1j * np.deg2rad(readings.value))
    volt, current = (np.flatnonzero(readings.kind == kind) for kind in ("va", "ia"))
    row, column, value = linear(grid, places[current], readings.side[current])
    k, i = np.r_[volt, current[row]], np.r_[places[volt], column]
    return k, i, np.full(k.size, grid.n), turn[k] * np.r_[np.ones(volt.size), value]


def _squares(at: np.ndarray, row: np.ndarray, column: np.ndarray, value: np.ndarray) -> Entries:
    """Entries of |Σ y_a v_a|² for rows of two entries at most."""
    order = np.argsort(row, kind="stable")
    row, column, value = row[order], column[order], value[order]
    both = np.flatnonzero(np.diff(row) == 0)
    cross = 2 * value[both] * np.conj(value[both + 1])
    k = at[np.r_[row, row[both]]]
    i, j = np.r_[column, column[both]], np.r_[column, column[both + 1]]
    return k, i, j, np.r_[np.abs(value) ** 2, cross]


def _sizes(
    unit: Float[np.ndarray, " m"], places: np.ndarray, readings: Measurements
) -> Float[np.ndarray, " m"]:
    """Magnitudes, per unit, that were read where the angles were; of voltages else 1."""
    sizes = np.ones(readings.m)
    for kind, of in (("va", "v"), ("ia", "i")):
        known = {
            (int(places[k]), str(readings.side[k])): float(readings.value[k] / unit[k])
            for k in np.flatnonzero(readings.kind == of)
        }
        for k in np.flatnonzero(readings.kind == kind):
            size = known.get((int(places[k]), str(readings.side[k])), 1.0 if of == "v" else 0.0)
            if size <= 0:
                must = "beside the current's magnitude (i > 0) at the same place"
                raise InvalidInput("kind", f"{readings.name(int(k))!r} alone", must)
            sizes[k] = size
    return sizes


def predicted(
    grid: Grid, v: Complex[np.ndarray, " n"], readings: Measurements
) -> Float[np.ndarray, " m"]:
    """What the readings would be at a state, in their own units."""
    places, side = readings.places(grid), readings.side
    row, column, value = linear(grid, places, side)
    current = np.zeros(readings.m, complex)
    np.add.at(current, row, value * v[column])
    end = grid.buses_at(places, side)
    power: np.ndarray = v[end] * np.conj(current)
    kind = readings.kind
    told = {
        "v": np.abs(v[end]),
        "va": np.rad2deg(np.angle(v[end])),
        "p": np.real(power),
        "q": np.imag(power),
        "i": np.abs(current),
        "ia": np.rad2deg(np.angle(current)),
    }
    return _unit(grid, readings, places) * np.select(
        [kind == name for name in told], list(told.values())
    )
