"""A network of buses and branches as admittance matrices."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Complex, Float, Int, Shaped

from liftless._errors import InvalidInput

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Columns of a case's tables, as MATPOWER's manual numbers them (from 0 here).
BUS_I, BUS_TYPE, PD, QD, GS, BS, VM, VA, KV = 0, 1, 2, 3, 4, 5, 7, 8, 9
F_BUS, T_BUS, BR_R, BR_X, BR_B, TAP, SHIFT, BR_STATUS = 0, 1, 2, 3, 4, 8, 9, 10
GEN_BUS, PG, QG, VG, GEN_STATUS = 0, 1, 2, 5, 7
#: Bus types: the reference, and one that is not connected.
REFERENCE, ISOLATED = 3, 4
#: Impedance, per unit, below which flows are differences of voltages in their last digits: fits of
#: a ring with such a branch took 90 steps at 1e-8, and did not end at 1e-9.
SHORT = 1e-8


@dataclass(frozen=True, repr=False)
class Grid:
    """Buses, branches, and their admittances in per unit.

    Attributes
    ----------
    buses : array of str of shape (n,)
        Names.
    branches : array of str of shape (l,)
        Names, ``"f-t"`` or, of pandapower, ``"line 3"``.
    ends : integer array of shape (l, 2)
        Buses at the from side and at the to side.
    Y : sparse complex array of shape (n, n)
        Bus admittances, shunts included: currents into the network are Y v.
    Yf, Yt : sparse complex arrays of shape (l, n)
        Currents into the branches at their two sides are Yf v and Yt v.
    slack : int
        Bus whose angle is the reference.
    references : integer array
        All such buses of the case: an island may have its own.
    base : float
        MVA of one per unit.
    idle : boolean array of shape (n,)
        Buses with neither load nor generation: their injection is zero.
    power : complex array of shape (n,)
        Generation less load of the case, per unit.
    voltage : complex array of shape (n,)
        Voltages that the case came with.
    places : array of shape (n, 2) or None
        Coordinates for pictures.
    source : str
    kv : array of shape (n,) or None
        Base voltages, which currents in kA need.
    shift : array of shape (l,) or None
        Phase shifts of transformers, degrees: the from side leads by so much.
    aliases : mapping
        Further names of buses: those that closed switches join to one.
    """

    buses: Shaped[np.ndarray, " n"]
    branches: Shaped[np.ndarray, " l"]
    ends: Int[np.ndarray, "l 2"]
    Y: "csr_array"
    Yf: "csr_array"
    Yt: "csr_array"
    slack: int
    base: float
    idle: Bool[np.ndarray, " n"]
    power: Complex[np.ndarray, " n"]
    voltage: Complex[np.ndarray, " n"]
    places: Float[np.ndarray, "n 2"] | None = None
    source: str = ""
    kv: Float[np.ndarray, " n"] | None = None
    shift: Float[np.ndarray, " l"] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    references: Int[np.ndarray, " k"] | None = None

    @property
    def n(self) -> int:
        """Number of buses."""
        return self.buses.size

    def injections(self, v: Complex[np.ndarray, " n"]) -> Complex[np.ndarray, " n"]:
        """P + jQ into the network at every bus, per unit: v ⊙ conj(Y v)."""
        return v * np.conj(self.Y @ v)

    def flows(
        self, v: Complex[np.ndarray, " n"]
    ) -> tuple[Complex[np.ndarray, " l"], Complex[np.ndarray, " l"]]:
        """P + jQ into every branch at its from side and at its to side, per unit."""
        f, t = self.ends.T
        return v[f] * np.conj(self.Yf @ v), v[t] * np.conj(self.Yt @ v)

    def flat(self) -> Complex[np.ndarray, " n"]:
        """Unit voltages at the angles that phase shifts alone make, the slack's zero.

        Those of least Σ |Y_ft| (θ_f − θ_t − φ)² over the branches: currents about as small as the
        shifts φ let them be.  Charging and losses say nothing of a loaded network's angles.
        """
        from scipy.sparse import csc_array, csr_array, diags_array
        from scipy.sparse.linalg import splu

        if self.shift is None or not np.any(self.shift):
            return np.ones(self.n, complex)
        line = np.arange(len(self.ends))
        ends = (np.r_[line, line], self.ends.T.ravel())
        sign = np.repeat([1.0, -1.0], line.size)
        B = csr_array((sign, ends), shape=(line.size, self.n))
        across = np.abs(np.asarray(self.Yf[line, self.ends[:, 1]]).ravel())
        L = B.T @ diags_array(across) @ B
        # An island without the slack has some angle too.
        held = 1e-9 * L.diagonal().max() * np.ones(self.n)
        held[self.slack] = L.diagonal().max()
        angle = splu(csc_array(L + diags_array(held))).solve(
            B.T @ (across * np.deg2rad(self.shift))
        )
        return np.exp(1j * (angle - angle[self.slack]))

    @cached_property
    def _bus_place(self) -> dict[str, int]:
        place = {str(name): k for k, name in enumerate(self.buses)}
        return place | {other: place[name] for other, name in self.aliases.items()}

    @cached_property
    def _branch_place(self) -> dict[str, int]:
        return {str(name): k for k, name in enumerate(self.branches)}

    @cached_property
    def islands(self) -> Int[np.ndarray, " n"]:
        """Number of the connected part that each bus is in."""
        from scipy.sparse.csgraph import connected_components

        return connected_components(abs(self.Y), directed=False)[1]

    @cached_property
    def anchors(self) -> Int[np.ndarray, " k"]:
        """Of each island the bus whose angle is its reference: the slack, or another, or the first.

        Angles between islands mean nothing.
        """
        out = np.unique(self.islands, return_index=True)[1]
        others = [] if self.references is None else self.references[::-1].tolist()
        for bus in (*others, self.slack):
            out[self.islands[bus]] = bus
        return out

    def turned(self, v: Complex[np.ndarray, " n"], like: Any = None) -> Complex[np.ndarray, " n"]:
        """Voltages with the reference of each island at angle zero, or that of other voltages."""
        there = v[self.anchors]
        size = np.abs(there)
        turn = np.where(size > 0, np.conj(there) / np.where(size > 0, size, 1.0), 1.0)
        if like is not None:
            turn = turn * np.exp(1j * np.angle(np.asarray(like)[self.anchors]))
        return v * turn[self.islands]

    @property
    def names(self) -> Collection[str]:
        """Names that buses have, the further ones included."""
        return self._bus_place.keys()

    def bus(self, name: Any) -> int:
        """Place of a bus, by name."""
        try:
            return self._bus_place[str(name)]
        except KeyError:
            some = ", ".join(map(str, self.buses[:4]))
            must = f"a bus of the grid ({some}, ...)"
            cure = "A reading of a branch has a side, from or to."
            cure = cure if str(name) in self._branch_place else ""
            raise InvalidInput("element", repr(str(name)), must, cure) from None

    def buses_at(
        self, places: Int[np.ndarray, " m"], side: Shaped[np.ndarray, " m"]
    ) -> Int[np.ndarray, " m"]:
        """Places of buses: the end of a branch where a side is named, else the bus itself."""
        out, sided = places.copy(), side != ""
        out[sided] = self.ends[places[sided], (side[sided] == "to").astype(int)]
        return out

    def branch(self, name: Any) -> int:
        """Place of a branch, by name."""
        try:
            return self._branch_place[str(name)]
        except KeyError:
            some = ", ".join(map(str, self.branches[:4])) or "there is none in service"
            must = f"a branch of the grid ({some}, ...)"
            back = "-".join(reversed(str(name).split("#")[0].split("-")))
            cure = f"From the other end it is {back!r}." if back in self._branch_place else ""
            raise InvalidInput("element", repr(str(name)), must, cure) from None

    def __repr__(self) -> str:
        idle = int(self.idle.sum())
        return f"Grid(buses={self.n}, branches={self.branches.size}, idle={idle})"


def branch_admittances(branch: np.ndarray, more: np.ndarray | None = None) -> np.ndarray:
    """Yff, Yft, Ytf, Ytt of the π model of every branch, as the columns of one array.

    Parameters
    ----------
    branch : array
        MATPOWER's columns; branches out of service have zeros.
    more : array of shape (l, 5), optional
        pandapower's r_asym, x_asym, g, g_asym, b_asym.

    References
    ----------
    Zimmerman, Murillo-Sánchez and Thomas, MATPOWER (2011), eqs. (2) and (3).
    """
    on = np.real(branch[:, BR_STATUS]) > 0
    extra = np.zeros((len(branch), 5)) if more is None else more
    z = branch[:, BR_R] + 1j * branch[:, BR_X]
    back = z + extra[:, 0] + 1j * extra[:, 1]
    small = on & (np.abs(z) < SHORT)
    if small.any():
        where = int(np.flatnonzero(small)[0])
        was = f"without impedance in row {where + 1}: {abs(z[where]):.2g} per unit"
        raise InvalidInput("branch", was, f"{SHORT:g} at least", "Join its buses to one.")
    ys, yt = (np.where(on, 1 / np.where(x == 0, 1, x), 0) for x in (z, back))
    cf = np.where(on, extra[:, 2] + 1j * branch[:, BR_B], 0)
    ct = np.where(on, cf + extra[:, 3] + 1j * extra[:, 4], 0)
    ratio = np.where(branch[:, TAP] == 0, 1.0, branch[:, TAP])
    tap = ratio * np.exp(1j * np.pi / 180 * branch[:, SHIFT])
    yff = (ys + cf / 2) / (tap * np.conj(tap))
    return np.stack([yff, -ys / np.conj(tap), -yt / tap, yt + ct / 2], axis=1)


def assembled(
    bus: np.ndarray, branch: np.ndarray, gen: np.ndarray, base: float, **more: Any
) -> Grid:
    """Grid of a case's tables, whose buses are numbered from 0 in ``branch`` and ``gen``.

    Parameters
    ----------
    bus, branch, gen : arrays
        MATPOWER's columns; branches out of service are left out.
    base : float
    **more
        Fields of :class:`Grid` that a case does not say; ``extra`` are more columns of branches.
    """
    from scipy.sparse import csr_array, diags_array

    n, extra = len(bus), more.pop("extra", None)
    on = branch[:, BR_STATUS] > 0
    names = more.pop("branches")[on]
    branch, extra = branch[on], None if extra is None else extra[on]
    ends = branch[:, [F_BUS, T_BUS]].astype(int)
    y = branch_admittances(branch, extra)
    line = np.arange(len(branch))
    place = (np.r_[line, line], np.r_[ends[:, 0], ends[:, 1]])
    Yf = csr_array((np.r_[y[:, 0], y[:, 1]], place), shape=(line.size, n))
    Yt = csr_array((np.r_[y[:, 2], y[:, 3]], place), shape=(line.size, n))
    ones = np.ones(line.size)
    Cf, Ct = (csr_array((ones, (line, ends[:, c])), shape=(line.size, n)) for c in (0, 1))
    shunts = diags_array((bus[:, GS] + 1j * bus[:, BS]) / base)
    Y = csr_array(Cf.T @ Yf + Ct.T @ Yt + shunts)
    running = gen[gen[:, GEN_STATUS] > 0] if len(gen) else gen
    at = running[:, GEN_BUS].astype(int) if len(gen) else np.zeros(0, int)
    power = -(bus[:, PD] + 1j * bus[:, QD]) / base
    if at.size:
        np.add.at(power, at, (running[:, PG] + 1j * running[:, QG]) / base)
    idle = (bus[:, PD] == 0) & (bus[:, QD] == 0) & ~np.isin(np.arange(n), at)
    slack = np.flatnonzero(bus[:, BUS_TYPE] == REFERENCE)
    if not slack.size:
        raise InvalidInput("bus", "without a reference bus (type 3)", "a case that has one")
    voltage = bus[:, VM] * np.exp(1j * np.pi / 180 * bus[:, VA])
    return Grid(
        branches=names,
        ends=ends,
        Y=Y,
        Yf=Yf,
        Yt=Yt,
        slack=int(slack[0]),
        references=slack,
        base=float(base),
        idle=idle,
        power=power,
        voltage=voltage,
        shift=branch[:, SHIFT].copy(),
        kv=bus[:, KV].copy() if bus.shape[1] > KV and np.all(bus[:, KV] > 0) else None,
        **more,
    )


def branch_names(ends: np.ndarray) -> Shaped[np.ndarray, " l"]:
    """``f-t`` of every pair of names; of parallel ones the second is ``f-t#2``."""
    seen: dict[str, int] = {}
    out = []
    for f, t in ends:
        name = f"{f}-{t}"
        seen[name] = seen.get(name, 0) + 1
        out.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return np.array(out, dtype=str)
