"""Readings that a network of pandapower carries."""

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless.grid.measurements import KINDS, Measurements
from liftless.grid.network import Grid
from liftless.grid.pandas_power import from_pandapower

#: Sides of pandapower's branches; of a transformer of three windings each is a branch of its own,
#: from the high-voltage bus to a star point, and from there to the others.
SIDES = {
    "line": {"from": "from", "to": "to"},
    "trafo": {"hv": "from", "lv": "to"},
    "trafo3w": {"hv": "from", "mv": "to", "lv": "to"},
}


class _Reading(NamedTuple):
    kind: str
    element: str
    side: str
    value: float
    std: float


def pandapower_measurements(net: Any, grid: Grid | None = None) -> Measurements:
    """Take the readings of ``net.measurement``.

    Parameters
    ----------
    net : pandapowerNet
    grid : Grid, optional
        :func:`from_pandapower`'s of the same network.

    Returns
    -------
    Measurements
        Those of what is in service.  Powers of buses, which pandapower counts as consumption, are
        injections; of buses that closed switches join their sum, as pandapower takes it.

    Raises
    ------
    InvalidInput
        For a network without readings, or with one that is not known here.
    """
    table = getattr(net, "measurement", None)
    if table is None or not len(table):
        raise InvalidInput("net", "without measurements", "a network with net.measurement")
    grid = from_pandapower(net) if grid is None else grid
    rows: list[_Reading] = []
    injected: dict[tuple[str, int], dict[str, list[_Reading]]] = defaultdict(dict)
    branches = set(grid.branches.tolist())
    for line in table.itertuples():
        one = _reading(net, line)
        if one.side == "" and one.element not in grid.names:
            continue
        if one.side and one.element not in branches:
            continue
        if one.side == "" and one.kind in ("p", "q"):
            key = (one.kind, grid.bus(one.element))
            injected[key].setdefault(one.element, []).append(one)
        else:
            rows.append(one)
    rows += [
        _joined(kind, str(grid.buses[place]), list(of.values()))
        for (kind, place), of in injected.items()
    ]
    if not rows:
        raise InvalidInput("net", "without a measurement of what is in service", "of some")
    return Measurements.of(rows)


def _reading(net: Any, line: Any) -> _Reading:
    kind, table = str(line.measurement_type), str(line.element_type)
    value, std, element = float(line.value), float(line.std_dev), int(line.element)
    if kind not in KINDS:
        must = "one of " + ", ".join(repr(k) for k in KINDS)
        raise InvalidInput("net", f"with a measurement of type {kind!r}", must)
    if table == "bus":
        return _Reading(kind, str(element), "", -value if kind in ("p", "q") else value, std)
    if table not in SIDES:
        was = f"with a measurement of a {describe(table)}"
        raise InvalidInput("net", was, "of buses, lines and transformers")
    side = line.side
    if side not in SIDES[table]:
        # The bus at the side, by its index.
        ends = {name: net[table].at[element, f"{name}_bus"] for name in SIDES[table]}
        named = [name for name, bus in ends.items() if str(bus) == str(side)]
        if not named:
            was = f"with a measurement of {table} {element} at side {side!r}"
            raise InvalidInput("net", was, "one of " + ", ".join(SIDES[table]))
        side = named[0]
    name = f"{table} {element}" + (f" {side}" if table == "trafo3w" else "")
    return _Reading(kind, name, SIDES[table][side], value, std)


def _joined(kind: str, element: str, readings: list[list[_Reading]]) -> _Reading:
    """Injection of joined buses: the sum over them of the weighted means of each."""
    value = square = 0.0
    for those in readings:
        w = np.array([1 / one.std**2 for one in those])
        value += float(w @ [one.value for one in those]) / float(w.sum())
        square += 1 / float(w.sum())
    return _Reading(kind, element, "", value, square**0.5)
