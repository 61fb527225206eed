"""Readings of a grid as a table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Complex, Float, Int, Shaped

from liftless._checks import describe, positive_int, real_array, real_number
from liftless._errors import InvalidInput
from liftless.grid.network import Grid
from liftless.io.columns import number, read_columns

#: Kinds of readings: what each is of, and its unit.
KINDS = {
    "v": "voltage magnitude of a bus, per unit",
    "va": "voltage angle of a bus (a phasor with v), degrees",
    "p": "active power: injection of a bus, or flow into a branch at a side, MW",
    "q": "reactive power, likewise, Mvar",
    "i": "current magnitude into a branch at a side, kA",
    "ia": "angle of that current (a phasor with i), degrees",
}
SIDES = ("", "from", "to")
COLUMNS = ("kind", "element", "side", "value", "std")
#: Values, deviations and their inverses beyond which sums of squares overflow.
LARGEST = 1e50


@dataclass(frozen=True)
class Measurements:
    """Readings, an entry each.

    Parameters
    ----------
    kind : sequence of {"v", "va", "p", "q", "i", "ia"}
        Voltage magnitude (per unit), its angle (degrees, of a phasor), active and reactive power
        (MW, Mvar): into the network at a bus, or into a branch; magnitude of the current into a
        branch (kA), its angle (degrees).
    element : sequence
        Name of the bus, or of the branch where there is a side.
    side : sequence of {"", "from", "to"}
    value : sequence of float
    std : sequence of float
        Standard deviations, > 0.
    """

    kind: Shaped[np.ndarray, " m"]
    element: Shaped[np.ndarray, " m"]
    side: Shaped[np.ndarray, " m"]
    value: Float[np.ndarray, " m"]
    std: Float[np.ndarray, " m"]

    def __init__(self, kind: Any, element: Any, side: Any, value: Any, std: Any) -> None:
        value = real_array("value", value, 1)
        if not value.size:
            raise InvalidInput("measurements", "without a reading", "one reading or more")
        words = {"kind": kind, "element": element, "side": side}
        for name, given in words.items():
            array = np.array([str(one) for one in given], dtype=str)
            if array.shape != value.shape:
                raise InvalidInput(name, f"of {array.size}", f"as long as value ({value.size})")
            words[name] = array
        std = np.full(value.shape, std, float) if np.ndim(std) == 0 else real_array("std", std, 1)
        if std.shape != value.shape:
            raise InvalidInput("std", describe(std), "one for each value")
        size = f"between {1 / LARGEST:g} and {LARGEST:g}"
        for name, array, odd, must in (
            ("value", value, np.abs(value) > LARGEST, f"of size {LARGEST:g} at most"),
            ("std", std, ~(std > 0), "> 0"),
            ("std", std, (std > LARGEST) | (std < 1 / LARGEST), size),
        ):
            if odd.any():
                where = int(np.flatnonzero(odd)[0])
                raise InvalidInput(name, f"{array[where]:g} in reading {where}", must)
        for name, known in (("kind", tuple(KINDS)), ("side", SIDES)):
            odd = ~np.isin(words[name], known)
            if odd.any():
                where = int(np.flatnonzero(odd)[0])
                must = "one of " + ", ".join(repr(k) for k in known)
                raise InvalidInput(name, f"{str(words[name][where])!r} in reading {where}", must)
        given = words["side"] != ""
        for odd, was, must in (
            (given & np.isin(words["kind"], ("v", "va")), "given for the voltage", "empty"),
            (~given & np.isin(words["kind"], ("i", "ia")), "empty for the current", "from or to"),
        ):
            if odd.any():
                where = int(np.flatnonzero(odd)[0])
                raise InvalidInput("side", f"{was} in reading {where}", f"{must} there")
        for name, array in (*words.items(), ("value", value), ("std", std)):
            object.__setattr__(self, name, array)

    @classmethod
    def of(cls, table: Any) -> "Measurements":
        """Take a data frame, a dictionary of columns, or a sequence of five-tuples.

        Raises
        ------
        InvalidInput
            Where a column is missing.
        """
        if isinstance(table, cls):
            return table
        if hasattr(table, "columns") or isinstance(table, Mapping):
            columns = list(getattr(table, "columns", table))
            missing = [name for name in COLUMNS if name not in columns and name != "side"]
            if missing:
                raise InvalidInput("measurements", f"without {missing[0]!r}", f"of {COLUMNS}")
            found = {name: list(table[name]) for name in COLUMNS if name in columns}
            found.setdefault("side", [""] * len(found["kind"]))
            found["side"] = [x if isinstance(x, str) else "" for x in found["side"]]
            return cls(**found)
        if isinstance(table, Iterable) and not isinstance(table, (str, bytes)):
            rows = [tuple(row) for row in table]
            if rows and all(len(row) == len(COLUMNS) for row in rows):
                return cls(*zip(*rows, strict=True))
        must = "a data frame, a dictionary, or tuples of " + ", ".join(COLUMNS)
        raise InvalidInput("measurements", describe(table), must)

    @classmethod
    def read(cls, path: Any) -> "Measurements":
        """Read a text file of lines ``kind, element, side, value, std``."""
        lines = read_columns(path, COLUMNS, 5)
        value = [number(path, k, "value", cells[3]) for k, cells in lines]
        std = [number(path, k, "std", cells[4]) for k, cells in lines]
        kind, element, side = ([cells[c] for _, cells in lines] for c in range(3))
        return cls([k.lower() for k in kind], element, [s.lower() for s in side], value, std)

    @property
    def m(self) -> int:
        """Number of readings."""
        return self.value.size

    def kept(self, which: Any) -> "Measurements":
        """Return some of the readings, by a boolean array or by numbers."""
        arrays = (self.kind, self.element, self.side, self.value, self.std)
        return Measurements(*(array[which] for array in arrays))

    def name(self, k: int) -> str:
        """Reading k in words."""
        side = f" {self.side[k]}" if self.side[k] else ""
        return f"{self.kind[k]} {self.element[k]}{side}"

    def changed(self, value: Any) -> "Measurements":
        """Return the same readings with other values."""
        return Measurements(self.kind, self.element, self.side, value, self.std)

    def places(self, grid: Grid) -> Int[np.ndarray, " m"]:
        """Place of the bus or branch of each reading."""
        return np.array(
            [
                grid.branch(name) if side else grid.bus(name)
                for name, side in zip(self.element, self.side, strict=True)
            ],
            int,
        )


def measure(
    grid: Grid, v: Complex[np.ndarray, " n"], readings: Any, *, seed: int | None = None
) -> Measurements:
    """Readings as they would be at a state, with Gaussian noise of their deviations.

    Parameters
    ----------
    grid : Grid
    v : complex array of shape (n,)
        Voltages, per unit.
    readings : Measurements
        Whose values are replaced.
    seed : int, optional
        Of the noise; without one the readings are exact.
    """
    from liftless.grid.rows import predicted

    readings = Measurements.of(readings)
    value = predicted(grid, np.asarray(v), readings)
    if seed is not None:
        rng = np.random.default_rng(positive_int("seed", seed, least=0))
        value = value + readings.std * rng.standard_normal(value.size)
    return readings.changed(value)


def redundant(
    grid: Grid, redundancy: float = 2.5, *, std: float = 0.01, seed: int = 0
) -> Measurements:
    """Choose readings of all magnitudes, and random flows and injections, without values.

    The flows of a random spanning tree are among them, so that every bus is observable.

    Parameters
    ----------
    grid : Grid
    redundancy : float
        Readings for each of the 2 n − 1 unknowns, about; powers come in pairs p, q, and injections
        that are zero by themselves are left out.
    std : float
        Standard deviations, per unit; a tenth of it for magnitudes.
    seed : int

    Returns
    -------
    Measurements
        With values of zero (magnitudes of one), for :func:`measure`.
    """
    redundancy = real_number("redundancy", redundancy, above=0.0)
    std = real_number("std", std, above=0.0)
    rng = np.random.default_rng([positive_int("seed", seed, least=0), 43])
    tree = _spanning(grid, rng)
    sites = [(str(name), side) for name in grid.branches for side in ("from", "to")]
    sites += [(str(name), "") for name in grid.buses[~grid.idle]]
    wanted = max(round((redundancy * (2 * grid.n - 1) - grid.n) / 2), tree.size)
    first = 2 * tree + rng.integers(2, size=tree.size)
    others = rng.permutation(np.setdiff1d(np.arange(len(sites)), first))
    chosen = np.r_[first, others[: wanted - tree.size]]
    rows = [("v", str(name), "", 1.0, std / 10) for name in grid.buses]
    for k in np.sort(chosen):
        rows += [(kind, *sites[k], 0.0, std * grid.base) for kind in ("p", "q")]
    return Measurements.of(rows)


def _spanning(grid: Grid, rng: np.random.Generator) -> Int[np.ndarray, " t"]:
    """Branches of a spanning tree (forest), of least random weight."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import minimum_spanning_tree

    low, high = np.sort(grid.ends, axis=1).T
    _, first = np.unique(low * grid.n + high, return_index=True)
    weight = 1.0 + rng.random(first.size)
    graph = csr_array((weight, (low[first], high[first])), shape=(grid.n, grid.n))
    tree = minimum_spanning_tree(graph).tocoo()
    kept = np.isin(low[first] * grid.n + high[first], tree.row * grid.n + tree.col)
    return first[kept]
