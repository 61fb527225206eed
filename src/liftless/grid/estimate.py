"""The state of a grid from readings: the fit, what it leaves open, gross errors."""

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Complex, Float

from liftless._checks import describe, positive_int
from liftless._errors import InvalidInput
from liftless.descent.sparse_levenberg import sparse_levenberg
from liftless.grid.measurements import Measurements
from liftless.grid.network import Grid
from liftless.grid.result import Estimate, Gross
from liftless.grid.search import (
    IDLE,
    KICKS,
    RESTARTS,
    Model,
    Solution,
    Voltages,
    model_of,
    packed,
    search,
    voltages,
)
from liftless.identify.sparse_null import Information, null_directions

#: Chance of a false alarm of χ², and of the largest normalised residual of all.
ALARM = 0.01
#: χ² a degree of freedom that is round-off.
ROUND_OFF = 1e-12
#: Share of a reading's variance in its residual below which it is critical: no other checks it.
CRITICAL = 1e-6
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
    idle: float | None = IDLE,
    seed: int = 0,
) -> Estimate:
    """Estimate the voltages of a grid from readings of it, by weighted least squares.

    Parameters
    ----------
    grid : Grid
        See :func:`from_pandapower` and :func:`from_matpower`.
    measurements : Measurements, data frame, dictionary or tuples
        ``kind`` ("v", "va", "p", "q"), ``element``, ``side`` ("" for a bus, "from", "to"),
        ``value`` and ``std``: per unit, degrees, MW and Mvar.
    start : {"flat", "case"} or complex array of shape (n,)
        Voltages to begin at.
    bad_data : bool
        Whether readings are taken out while the largest normalised residual says they are gross
        errors.
    tries : int
        Starts of two columns, at most, where the fit from ``start`` is not explained by the noise.
    idle : float or None
        Standard deviation, per unit, by which injections that are zero are weighted; None leaves
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
    if idle is not None and not (isinstance(idle, (int, float)) and idle > 0):
        raise InvalidInput("idle", describe(idle), "a deviation > 0 (per unit), or None")
    model = model_of(grid, readings, idle)
    free = max(model.fit.rows.m - _unknowns(model), 1)
    # With gross errors χ² is large at the right state as well: other starts are for later.
    enough = _limit(free) / 2
    found, steps = search(model, v0, enough, seed, tries)
    state, more = _sharpened(model, found[0])
    steps += more
    gross: list[Gross] = []
    if bad_data:
        readings, model, state, more, gross = _cleaned(grid, readings, model, state, idle, seed)
        steps += more
    return _told(grid, readings, model, state, found, gross, steps, seed, began)


def _start(grid: Grid, start: Any) -> Voltages:
    if isinstance(start, str):
        if start not in ("flat", "case"):
            raise InvalidInput("start", repr(start), "'flat', 'case', or complex voltages")
        return grid.flat() if start == "flat" else grid.voltage
    v = np.asarray(start)
    if v.dtype.kind not in "fc" or v.shape != (grid.n,) or not np.isfinite(v).all():
        raise InvalidInput("start", describe(start), f"finite voltages of shape ({grid.n},)")
    return v.astype(complex)


def _free(model: Model) -> np.ndarray:
    """Which rows of the factor the fit moves."""
    assert model.fit.free is not None
    return model.fit.free


def _unknowns(model: Model) -> int:
    return int(np.sum(_free(model)))


def _limit(dof: int) -> float:
    """χ² that noise exceeds with the chance of a false alarm."""
    from scipy.special import chdtri

    return float(chdtri(dof, ALARM))


def _sharpened(model: Model, found: Solution) -> tuple[Voltages, int]:
    """Voltages that fit the magnitudes themselves, not their squares; and steps."""
    v, steps = found.v, 0
    if found.status != "exact" and np.any(model.magnitudes):
        roots = np.zeros(model.fit.b.size, bool)
        roots[: model.magnitudes.size] = model.magnitudes
        w = np.where(roots, model.fit.w * 2 * np.sqrt(np.abs(model.fit.b)), model.fit.w)
        fit = replace(model.fit, w=w, roots=roots)
        X = packed(model, v[:, None])
        end = sparse_levenberg(fit, X, steps=LAST, damping=1e-8)
        v, steps = voltages(model, end.X), end.steps
    if model.turned:
        # Rows of angles are as well fitted by −v.
        angle = np.flatnonzero(_fit_at(model, v)[1] < 0)
        v = -v if 2 * angle.size > _fit_at(model, v)[1].size else v
    return v, steps


def _fit_at(model: Model, v: Voltages) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " a"]]:
    """Weighted residuals in units of deviations, and real parts along the angles that were read."""
    fit = model.fit
    y = fit.rows.values(packed(model, v[:, None]))
    out = fit.w * (y - fit.b)
    k = np.flatnonzero(model.magnitudes)
    root = np.sqrt(fit.b[k])
    out[k] = fit.w[k] * 2 * root * (np.sqrt(np.maximum(y[k], 0.0)) - root)
    along = np.zeros(0)
    if model.turned:
        along = _along(model, v)
    return out, along


def _along(model: Model, v: Voltages) -> Float[np.ndarray, " a"]:
    """Real parts of v e^{−jθ} for the angles θ that were read."""
    operator = model.fit.rows
    last = model.n
    touched = np.isin(operator.j, (last, last + model.order)) | np.isin(
        operator.i, (last, last + model.order)
    )
    rows = np.unique(
        np.searchsorted(operator.sum.indptr, np.flatnonzero(touched), side="right") - 1
    )
    # Turned by a quarter the voltage's imaginary part along θ is its real one.
    y = operator.values(packed(model, (1j * v)[:, None]))
    return y[rows]


def _jacobian(model: Model, v: Voltages) -> Any:
    """Derivative of the residuals by the free entries of X, magnitudes as themselves."""
    fit = model.fit
    X = packed(model, v[:, None])
    y = fit.rows.values(X)
    k = np.flatnonzero(model.magnitudes)
    w = fit.w.copy()
    w[k] = fit.w[k] * np.sqrt(fit.b[k] / np.maximum(y[k], 1e-12 * fit.b[k]))
    return replace(fit, w=w).jacobian(X)


def _cleaned(
    grid: Grid,
    readings: Measurements,
    model: Model,
    v: Voltages,
    idle: float | None,
    seed: int,
) -> tuple[Measurements, Model, Voltages, int, list[Gross]]:
    """Take out the reading of the largest normalised residual, fit again, while it is gross."""
    from scipy.special import ndtri

    out: list[Gross] = []
    kept, steps = np.arange(readings.m), 0
    while len(out) < max(1, readings.m // 10):
        part = readings.kept(kept)
        size = normalised(model, v)[0][: part.m]
        limit = float(-ndtri(ALARM / 2 / max(part.m, 1)))
        worst = int(np.nanargmax(size)) if np.isfinite(size).any() else -1
        if worst < 0 or not size[worst] > limit:
            break
        place = int(kept[worst])
        out.append(Gross(place, readings.name(place), float(size[worst])))
        kept = np.delete(kept, worst)
        model = model_of(grid, readings.kept(kept), idle)
        free = max(model.fit.rows.m - _unknowns(model), 1)
        found, more = search(model, v, _limit(free) / 2, seed, 0)
        v, last = _sharpened(model, found[0])
        steps += more + last
    return readings.kept(kept), model, v, steps, out


def normalised(model: Model, v: Voltages) -> tuple[Float[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
    """|residual| of each row in units of its own deviation, NaN where critical; and which are.

    A residual has the share 1 − h of its reading's variance, with h the leverage.
    """
    residual = _fit_at(model, v)[0]
    J = _jacobian(model, v)
    null = null_directions(J)
    told = Information(J, null if null.shape[1] else None)
    left = 1 - told.leverages()
    critical = left <= CRITICAL
    return np.where(
        critical, np.nan, np.abs(residual) / np.sqrt(np.where(critical, 1, left))
    ), critical


def _told(
    grid: Grid,
    readings: Measurements,
    model: Model,
    v: Voltages,
    found: list[Solution],
    gross: list[Gross],
    steps: int,
    seed: int,
    began: float,
) -> Estimate:
    from scipy.special import chdtrc

    residual = _fit_at(model, v)[0]
    J = _jacobian(model, v)
    null = null_directions(J)
    observable = _observable(model, null)
    told = Information(J, null if null.shape[1] else None)
    left = 1 - told.leverages()
    critical = left <= CRITICAL
    size = np.where(critical, np.nan, np.abs(residual) / np.sqrt(np.where(critical, 1, left)))
    square = float(residual @ residual)
    dof = model.fit.rows.m - _unknowns(model) + null.shape[1]
    p = float(chdtrc(dof, square)) if dof > 0 else math.nan
    kind = "exact" if square <= ROUND_OFF * max(dof, 1) else "fitted"
    if kind == "fitted" and dof > 0 and p < ALARM:
        kind = "stationary"
    vm, va = _errors(model, told, v, observable)
    others = tuple(one.v for one in found[1:])
    return Estimate(
        grid=grid,
        voltage=v,
        sigma_vm=vm,
        sigma_va=va,
        observable=observable,
        kind=kind,
        message=_message(grid, kind, observable, gross, p),
        chi2=square / dof if dof > 0 else math.nan,
        pvalue=p,
        dof=dof,
        readings=readings,
        residuals=residual[: readings.m],
        normalised=size[: readings.m],
        critical=critical[: readings.m],
        gross=tuple(gross),
        others=others,
        other_chi2=tuple(2 * one.objective / max(dof, 1) for one in found[1:]),
        steps=steps,
        seed=seed,
        seconds=time.perf_counter() - began,
    )


def _observable(model: Model, null: Float[np.ndarray, "N d"]) -> Bool[np.ndarray, " n"]:
    """Buses that no null vector moves."""
    n = model.n
    if not null.shape[1]:
        return np.ones(n, bool)
    size = np.zeros(2 * model.order)
    size[_free(model)] = np.linalg.norm(null, axis=1)
    both = np.maximum(size[:n], size[model.order : model.order + n])
    return both <= STILL * both.max()


def _errors(
    model: Model,
    told: Information,
    v: Complex[np.ndarray, " n"],
    observable: Bool[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Standard deviations of magnitudes (per unit) and angles (degrees)."""
    from scipy.sparse import csc_array

    n, order = model.n, model.order
    unit = v / np.maximum(np.abs(v), 1e-12)
    bus = np.arange(n)
    place = (np.r_[bus, order + bus], np.r_[bus, bus])
    along = csc_array((np.r_[unit.real, unit.imag], place), shape=(2 * order, n))
    across = csc_array((np.r_[-unit.imag, unit.real], place), shape=(2 * order, n))
    free = np.flatnonzero(_free(model))
    vm = np.sqrt(told.spread(along.tocsr()[free]))
    va = np.rad2deg(np.sqrt(told.spread(across.tocsr()[free])) / np.maximum(np.abs(v), 1e-12))
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
        names = ", ".join(one.name for one in gross[:4])
        words += f" Taken out as gross errors: {names}{', ...' if len(gross) > 4 else ''}."
    elif kind == "stationary":
        words += " See normalised, or pass bad_data=True."
    hidden = np.flatnonzero(~observable)
    if hidden.size:
        names = ", ".join(str(name) for name in grid.buses[hidden[:6]])
        names += ", ..." if hidden.size > 6 else ""
        words += (
            f" {hidden.size} buses are NOT observable: {names}. "
            "Their voltages are one of many; read more there."
        )
    return words
