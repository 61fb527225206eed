"""The state of a grid from readings: the fit, what it leaves open, gross errors."""

import math
import time
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InvalidInput
from liftless.grid.gross import UNDONE, Cleaned, chance, cleaned, enough, explained
from liftless.grid.measurements import Measurements
from liftless.grid.model import Model, Voltages
from liftless.grid.network import Grid
from liftless.grid.residuals import Seen, seen_at, sharpened
from liftless.grid.result import Estimate
from liftless.grid.search import KICKS, RESTARTS, search

#: χ² a degree of freedom that is round-off.
ROUND_OFF = 1e-12
#: Part of a null vector at a bus that is nothing, relative to its largest.
STILL = 1e-5


def estimate(
    grid: Grid,
    measurements: Any,
    *,
    start: Any = "flat",
    bad_data: bool = False,
    tries: int = KICKS + RESTARTS,
    idle: float | str | None = "exact",
    seed: int = 0,
) -> Estimate:
    """Estimate the voltages of a grid from readings of it, by weighted least squares.

    Parameters
    ----------
    grid : Grid
        See :func:`from_pandapower` and :func:`from_matpower`.
    measurements : Measurements, data frame, dictionary or tuples
        ``kind`` ("v", "va", "p", "q", "i", "ia"), ``element``, ``side`` ("" for a bus, "from",
        "to"), ``value`` and ``std``: per unit, degrees, MW, Mvar and kA.
    start : {"flat", "case"} or complex array of shape (n,)
        Voltages to begin at.
    bad_data : bool
        Whether readings are taken out while the largest normalised residual says they are gross
        errors, at the state that needs the fewest: ends of the search and of a flat start are
        compared.
    tries : int
        Starts of two columns, at most, where the fit from ``start`` is not explained by the noise.
    idle : {"exact"}, float or None
        Buses without load and generation whose injection was not read: "exact" eliminates them, a
        number weights their injections, zero, by that standard deviation (per unit), None leaves
        them out.
    seed : int
        Of those starts; the only randomness.

    Returns
    -------
    Estimate
        The same for the same arguments.

    Raises
    ------
    InvalidInput
        For data or arguments that cannot be used.

    Notes
    -----
    Injections, flows and squared magnitudes are linear in v v*: the fit is a quartic along a line,
    and in two columns spurious minima of one are left.  The last steps fit the magnitudes
    themselves.  Without angles the slack's is zero.
    """
    began = time.perf_counter()
    readings = Measurements.of(measurements)
    v0 = _start(grid, start)
    seed = positive_int("seed", seed, least=0)
    tries = positive_int("tries", tries, least=0)
    idle = _idle(idle)
    model = Model(grid, readings, idle)
    # With gross errors χ² is large at the right state as well: other starts are for later.
    found, steps = search(model, v0, enough(model), seed, tries)
    v, more = sharpened(grid, model, found[0])
    whole = Cleaned(readings, seen_at(model, v), [], 0, found[1:])
    if bad_data:
        whole = cleaned(grid, readings, whole.seen, found, idle)
    return _told(grid, whole, steps + more + whole.steps, seed, began)


def _start(grid: Grid, start: Any) -> Voltages:
    if isinstance(start, str):
        if start not in ("flat", "case"):
            raise InvalidInput("start", repr(start), "'flat', 'case', or complex voltages")
        return grid.flat() if start == "flat" else grid.voltage
    v = np.asarray(start)
    if v.dtype.kind not in "fc" or v.shape != (grid.n,) or not np.isfinite(v).all():
        raise InvalidInput("start", describe(start), f"finite voltages of shape ({grid.n},)")
    return v.astype(complex)


def _idle(idle: Any) -> float | str | None:
    if isinstance(idle, str):
        if idle != "exact":
            raise InvalidInput("idle", repr(idle), "'exact', a standard deviation, or None")
        return idle
    return None if idle is None else real_number("idle", idle, above=0.0)


def _told(grid: Grid, whole: Cleaned, steps: int, seed: int, began: float) -> Estimate:
    seen, readings = whole.seen, whole.readings
    observable = _observable(seen)
    square, dof, p = chance(seen)
    kind = "exact" if square <= ROUND_OFF * max(dof, 1) else "fitted"
    if (kind == "fitted" and not explained(seen)) or whole.rival is not None:
        kind = "stationary"
    vm, va = _errors(seen, observable)
    return Estimate(
        grid=grid,
        voltage=seen.v,
        sigma_vm=vm,
        sigma_va=va,
        observable=observable,
        kind=kind,
        message=_message(grid, kind, observable, whole, p),
        chi2=square / dof if dof > 0 else math.nan,
        pvalue=p,
        dof=dof,
        readings=readings,
        residuals=seen.residual[: readings.m],
        normalised=seen.normalised[: readings.m],
        critical=seen.critical[: readings.m],
        gross=tuple(whole.gross),
        others=tuple(one.v for one in whole.others),
        other_chi2=tuple(2 * one.objective / max(dof, 1) for one in whole.others),
        steps=steps,
        seed=seed,
        seconds=time.perf_counter() - began,
    )


def _observable(seen: Seen) -> Bool[np.ndarray, " n"]:
    """Buses that no null vector moves."""
    n, order = seen.model.n, seen.model.order
    if not seen.null.shape[1]:
        return np.ones(n, bool)
    size = np.linalg.norm(seen.model.lift @ seen.null, axis=1)
    both = np.maximum(size[:n], size[order : order + n])
    return both <= STILL * both.max()


def _errors(
    seen: Seen, observable: Bool[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Standard deviations of magnitudes (per unit) and angles (degrees)."""
    from scipy.sparse import csc_array

    model, v, told = seen.model, seen.v, seen.told
    n, order = model.n, model.order
    unit = v / np.maximum(np.abs(v), 1e-12)
    bus = np.arange(n)
    place = (np.r_[bus, order + bus], np.r_[bus, bus])
    along = csc_array((np.r_[unit.real, unit.imag], place), shape=(2 * order, n))
    across = csc_array((np.r_[-unit.imag, unit.real], place), shape=(2 * order, n))
    lift = model.lift.T
    vm = np.sqrt(told.spread(lift @ along))
    va = np.rad2deg(np.sqrt(told.spread(lift @ across)) / np.maximum(np.abs(v), 1e-12))
    vm[~observable] = va[~observable] = np.inf
    return vm, va


def _message(
    grid: Grid,
    kind: str,
    observable: Bool[np.ndarray, " n"],
    whole: Cleaned,
    p: float,
) -> str:
    gross = whole.gross
    words = {
        "exact": "Every reading is fitted to round-off.",
        "fitted": "The readings are fitted within their noise.",
        "stationary": f"NOT explained by noise (p = {p:.1g}): gross errors among the readings, a "
        "wrong network, or deviations that are too small.",
    }[kind]
    if kind == "stationary" and whole.seen.undone > UNDONE:
        words = (
            f"The fit did NOT end: the least χ² is {math.sqrt(whole.seen.undone):.2g} standard "
            "deviations away or more. Weights that differ by much, or what is open, may be the "
            "reason."
        )
    elif whole.rival is not None:
        words = (
            "NOT told from another state, which explains the readings with as few taken out: read "
            "more, or begin elsewhere."
        )
    if gross:
        names = ", ".join(str(one) for one in gross[:4])
        words += f" Taken out as gross errors: {names}{', ...' if len(gross) > 4 else ''}."
        if any(one.rivals for one in gross):
            words += " Of those in brackets the readings do not tell which one is wrong."
    elif kind == "stationary":
        words += " See normalised, or pass bad_data=True."
    hidden = np.flatnonzero(~observable)
    if hidden.size:
        names = ", ".join(str(name) for name in grid.buses[hidden[:6]])
        names += ", ..." if hidden.size > 6 else ""
        count = "1 bus is" if hidden.size == 1 else f"{hidden.size} buses are"
        words += (
            f" {count} NOT observable: {names}. Voltages there are one of many; read more there."
        )
    return words
