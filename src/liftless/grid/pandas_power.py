"""Networks of pandapower."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool

from liftless._checks import describe
from liftless._errors import InvalidInput, needing
from liftless.grid.network import VA, VM, Grid, assembled

#: What pandapower's branches have beyond MATPOWER's columns, where anything of it is not zero.
MORE = ("branch_r_asym", "branch_x_asym", "branch_g", "branch_g_asym", "branch_b_asym")

#: Tables of elements at a bus whose power is not known to be zero.
OCCUPYING = (
    "load",
    "sgen",
    "motor",
    "storage",
    "ward",
    "xward",
    "asymmetric_load",
    "asymmetric_sgen",
    "gen",
    "ext_grid",
)


def from_pandapower(net: Any) -> Grid:
    """Take a network of pandapower.

    Parameters
    ----------
    net : pandapowerNet
        It is not changed.  Where a power flow has been run, its voltages are ``grid.voltage``.

    Returns
    -------
    Grid
        Buses by their index in ``net.bus``; buses that closed switches join are one, by the first.
        Branches are ``"line 3"``, ``"trafo 0"``, …; shunts and wards are in Y.

    Raises
    ------
    InvalidInput
        Where pandapower is missing (extra ``grid``), or for something that is no network of its.

    Notes
    -----
    pandapower's own conversion to a case is used (``to_ppc``'s), and its branch model, transformers
    with magnetising conductance included.  ``res_bus`` has the power of shunts in p and q, which
    injections of the grid do not.
    """
    with needing("pandapower", "grid", "installed to read its networks"):
        from pandapower.converter.pypower.to_ppc import (  # pyright: ignore[reportMissingImports]
            to_ppc,
        )
    if not all(hasattr(net, name) for name in ("bus", "line", "trafo", "ext_grid")):
        raise InvalidInput("net", describe(net), "a network of pandapower")
    copy = deepcopy(net)
    try:
        case = to_ppc(copy, init="flat", calculate_voltage_angles=True, mode="pf")
    except (KeyError, ValueError, UserWarning, IndexError) as error:
        cure = "See pandapower.diagnostic(net)."
        raise InvalidInput("net", f"not converted ({error})", "a complete network", cure) from None
    return _of_case(net, copy, case)


def _of_case(net: Any, copy: Any, inner: Any) -> Grid:
    """Grid of the case that pandapower has made of a copy."""
    lookup = copy._pd2ppc_lookups
    running = np.asarray(inner["internal"]["branch_is"], bool)
    kept = np.flatnonzero(running)
    branch = np.real(inner["branch"]).astype(float)
    extra = np.zeros((kept.size, len(MORE)))
    for k, name in enumerate(MORE):
        if name in inner:
            column = np.real(inner[name])
            extra[:, k] = column if column.size == kept.size else column[kept]
    names = np.array(_branch_names(lookup["branch"], net, running.size), dtype=str)[kept]
    bus = np.real(inner["bus"]).astype(float)
    gen = np.real(inner["gen"]).astype(float)
    place, buses = _bus_names(net, lookup["bus"], len(bus))
    voltage = _results(net, place, bus)
    if voltage is not None:
        bus[:, VM], bus[:, VA] = voltage
    grid = assembled(
        bus,
        branch,
        gen,
        float(inner["baseMVA"]),
        branches=names,
        extra=extra,
        buses=buses,
        places=_places(net, place, len(bus)),
        aliases={str(k): str(buses[p]) for k, p in place.items() if str(buses[p]) != str(k)},
        source=str(getattr(net, "name", "") or "pandapower"),
    )
    return replace(grid, idle=grid.idle & ~_occupied(net, place, len(bus)))


def _occupied(net: Any, place: dict[int, int], n: int) -> Bool[np.ndarray, " n"]:
    """Buses with an element in service that may take or give power, be it none at present."""
    out = np.zeros(n, bool)
    for name in OCCUPYING:
        table = net.get(name)
        if table is not None and len(table):
            for bus in table.bus[table.in_service.astype(bool)]:
                if int(bus) in place:
                    out[place[int(bus)]] = True
    return out


def _bus_names(net: Any, lookup: np.ndarray, n: int) -> tuple[dict[int, int], np.ndarray]:
    """Place of every bus of the network in the case, and the names of the case's buses."""
    place = {int(k): int(lookup[k]) for k in net.bus.index if 0 <= int(lookup[k]) < n}
    names = np.array([f"aux {k}" for k in range(n)], dtype="<U24")
    for index in sorted(place, reverse=True):
        names[place[index]] = str(index)
    return place, names


def _branch_names(lookup: dict[str, tuple[int, int]], net: Any, count: int) -> list[str]:
    names = [f"branch {k}" for k in range(count)]
    for kind, (first, last) in lookup.items():
        table = net.get(kind)
        index = list(table.index) if table is not None else list(range(last - first))
        per = max((last - first) // max(len(index), 1), 1)
        sides = ("hv", "mv", "lv")
        for k in range(first, last):
            # The three windings of a transformer stand in three blocks.
            one, which = (k - first) % max(len(index), 1), (k - first) // max(len(index), 1)
            names[k] = f"{kind} {index[one]}" + (f" {sides[which % 3]}" if per > 1 else "")
    return names


def _results(
    net: Any, place: dict[int, int], bus: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Voltages of the last power flow, where there are any for all buses of the case."""
    table = getattr(net, "res_bus", None)
    if table is None or not len(table):
        return None
    vm, va = np.full(len(bus), np.nan), np.full(len(bus), np.nan)
    for index, k in place.items():
        if index in table.index:
            vm[k], va[k] = table.vm_pu.at[index], table.va_degree.at[index]
    return None if np.isnan(vm).any() else (vm, va)


def _places(net: Any, place: dict[int, int], n: int) -> np.ndarray | None:
    """Coordinates from ``net.bus.geo`` (GeoJSON), where all buses have them."""
    import json

    if "geo" not in net.bus:
        return None
    out = np.full((n, 2), np.nan)
    for index, k in place.items():
        text = net.bus.geo.at[index]
        try:
            out[k] = json.loads(text)["coordinates"][:2] if isinstance(text, str) else np.nan
        except (ValueError, KeyError):
            return None
    return None if np.isnan(out).any() else out
