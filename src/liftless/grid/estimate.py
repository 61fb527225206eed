"""The state of a grid from readings: the fit, what it leaves open, gross errors."""

import math
import time
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InvalidInput
from liftless.descent.sparse_levenberg import sparse_levenberg
from liftless.grid.measurements import Measurements
from liftless.grid.model import Model, Voltages
from liftless.grid.network import Grid
from liftless.grid.result import Estimate, Gross
from liftless.grid.search import KICKS, RESTARTS, Solution, search
from liftless.identify.sparse_null import Information, null_directions

#: Chance of a false alarm of χ², and of the largest normalised residual of all.
ALARM = 0.01
#: χ² a degree of freedom that is round-off.
ROUND_OFF = 1e-12
#: Difference of two falls of χ² that chance makes once in a hundred times.
RIVAL = 6.63
#: Share of a reading's variance in its residual below which it is critical: no other checks it.
CRITICAL = 1e-6
#: Share below which it is computed without cancellation, and columns of a block of solves.
NEAR, BLOCK = 1e-3, 256
#: Part of a null vector at a bus that is nothing, relative to its largest.
STILL = 1e-5
#: Steps of the last fit, of the readings themselves.
LAST = 30


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
        errors.
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
    found, steps = search(model, v0, _enough(model), seed, tries)
    v, more = _sharpened(grid, model, found[0])
    steps += more
    seen, gross = _seen(model, v), []
    if bad_data:
        readings, seen, more, gross = _cleaned(grid, readings, seen, idle, seed)
        steps += more
    return _told(grid, readings, seen, found, gross, steps, seed, began)


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


def _enough(model: Model) -> float:
    """½ χ² that noise exceeds with the chance of a false alarm."""
    from scipy.special import chdtri

    dof = max(model.fit.rows.m - model.unknowns, 1)
    return float(chdtri(dof, ALARM)) / 2


def _sharpened(grid: Grid, model: Model, found: Solution) -> tuple[Voltages, int]:
    """Voltages that fit the magnitudes and angles themselves, not their rows; and steps."""
    v, steps = found.v, 0
    if found.status != "exact" and np.any(model.rows.roots | model.rows.angles):
        for _ in range(2 if model.turned else 1):  # the weights of angles are of the fit before
            X = model.packed(v[:, None])
            end = sparse_levenberg(model.sharp(v), X, steps=LAST, damping=1e-8)
            v, steps = model.voltages(end.X), steps + end.steps
    if model.turned:
        # Rows of angles are as well fitted by −v.
        along = model.along(v)
        v = -v if 2 * np.sum(along < 0) > along.size else v
    if np.isin(grid.anchors, model.anchors).all():
        return v, steps
    read = ~np.isin(np.arange(grid.anchors.size), grid.islands[model.anchors])
    return np.where(read[grid.islands], v, grid.turned(v)), steps


class Seen(NamedTuple):
    """What the readings say of a state.

    Attributes
    ----------
    model : Model
    v : complex array of shape (n,)
    residual : array of shape (m,)
        In units of the readings' deviations, magnitudes as themselves.
    null : array of shape (N, d)
        Directions that no reading sees.
    told : Information
    normalised : array of shape (m,)
        |residual| in units of its own deviation, NaN where critical.
    critical : boolean array of shape (m,)
    """

    model: Model
    v: Voltages
    residual: Float[np.ndarray, " m"]
    null: Float[np.ndarray, "N d"]
    told: Information
    normalised: Float[np.ndarray, " m"]
    critical: Bool[np.ndarray, " m"]


def _seen(model: Model, v: Voltages) -> Seen:
    """A residual has the share 1 − h of its reading's variance, with h the leverage: see Seen."""
    fit, X = model.sharp(v), model.packed(v[:, None])
    residual, J = fit.residual(fit.rows.values(X)), fit.jacobian(X)
    # What is open does not depend on deviations: very small ones would hide what the others see.
    null = null_directions(_unit_rows(J))
    told = Information(J, null)
    left = _left(J, told)
    critical = left <= CRITICAL
    size = np.where(critical, np.nan, np.abs(residual) / np.sqrt(np.where(critical, 1, left)))
    return Seen(model, v, residual, null, told, size, critical)


def _unit_rows(J: Any) -> Any:
    """Rows of a sparse matrix, each of norm one."""
    from scipy.sparse import diags_array

    norms = np.sqrt(np.asarray(J.multiply(J).sum(axis=1)).ravel())
    return diags_array(1 / np.where(norms > 0, norms, 1.0)) @ J


def _left(J: Any, told: Information) -> Float[np.ndarray, " m"]:
    """1 − h of the rows: ‖e_k − J x‖² for the best x where the difference would be round-off.

    An error of x is squared in it.
    """
    left = 1 - told.leverages()
    near = np.flatnonzero(left < NEAR)
    for first in range(0, near.size, BLOCK):
        at = near[first : first + BLOCK]
        rest = -(J @ told.solve(J[at].T.toarray()))
        rest[at, np.arange(at.size)] += 1
        left[at] = np.sum(rest * rest, axis=0)
    return left


def _cleaned(
    grid: Grid, readings: Measurements, seen: Seen, idle: float | str | None, seed: int
) -> tuple[Measurements, Seen, int, list[Gross]]:
    """Take out the reading of the largest normalised residual, fit again, while it is gross."""
    from scipy.special import ndtri

    out: list[Gross] = []
    kept, steps = np.arange(readings.m), 0
    while len(out) < max(1, readings.m // 10):
        size = seen.normalised[: kept.size]
        limit = float(-ndtri(ALARM / 2 / max(kept.size, 1)))
        worst = int(np.nanargmax(size)) if np.isfinite(size).any() else -1
        if worst < 0 or not size[worst] > limit:
            break
        place = int(kept[worst])
        # Without reading k the least χ² is less by the square of its normalised residual.
        near = np.flatnonzero(size**2 >= size[worst] ** 2 - RIVAL)
        rivals = tuple(int(kept[k]) for k in near if k != worst)
        names = tuple(readings.name(k) for k in rivals)
        where = str(readings.element[place]), str(readings.side[place])
        told = Gross(place, readings.name(place), float(size[worst]), rivals, names, *where)
        out.append(told)
        kept = np.delete(kept, worst)
        model = Model(grid, readings.kept(kept), idle)
        found, more = search(model, seen.v, _enough(model), seed, 0)
        v, last = _sharpened(grid, model, found[0])
        seen, steps = _seen(model, v), steps + more + last
    return readings.kept(kept), seen, steps, out


def _told(
    grid: Grid,
    readings: Measurements,
    seen: Seen,
    found: list[Solution],
    gross: list[Gross],
    steps: int,
    seed: int,
    began: float,
) -> Estimate:
    from scipy.special import chdtrc

    observable = _observable(seen)
    square = float(seen.residual @ seen.residual)
    dof = seen.residual.size - seen.model.unknowns + seen.null.shape[1]
    p = float(chdtrc(dof, square)) if dof > 0 else math.nan
    kind = "exact" if square <= ROUND_OFF * max(dof, 1) else "fitted"
    if kind == "fitted" and dof > 0 and p < ALARM:
        kind = "stationary"
    vm, va = _errors(seen, observable)
    others = tuple(one.v for one in found[1:])
    return Estimate(
        grid=grid,
        voltage=seen.v,
        sigma_vm=vm,
        sigma_va=va,
        observable=observable,
        kind=kind,
        message=_message(grid, kind, observable, gross, p),
        chi2=square / dof if dof > 0 else math.nan,
        pvalue=p,
        dof=dof,
        readings=readings,
        residuals=seen.residual[: readings.m],
        normalised=seen.normalised[: readings.m],
        critical=seen.critical[: readings.m],
        gross=tuple(gross),
        others=others,
        other_chi2=tuple(2 * one.objective / max(dof, 1) for one in found[1:]),
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
    gross: list[Gross],
    p: float,
) -> str:
    words = {
        "exact": "Every reading is fitted to round-off.",
        "fitted": "The readings are fitted within their noise.",
        "stationary": f"NOT explained by noise (p = {p:.1g}): gross errors among the readings, a "
        "wrong network, or deviations that are too small.",
    }[kind]
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
