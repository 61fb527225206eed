"""Readings that are gross errors: found by normalised residuals, and taken out one by one."""

import math
from typing import Any, NamedTuple

import numpy as np

from liftless.grid.measurements import Measurements
from liftless.grid.model import Model, Voltages
from liftless.grid.network import Grid
from liftless.grid.residuals import Seen, seen_at, sharpened
from liftless.grid.result import Gross
from liftless.grid.search import SAME, Solution, descended

#: Chance of a false alarm of χ², and of the largest normalised residual of all.  In 300 draws of
#: noise on case57 each was .003; with .05 they were .057 and .047.
ALARM = 0.01
#: .99 quantile of χ² with one degree of freedom.  Where reading j is the wrong one, χ² without j
#: exceeds χ² without j and k by one such, and χ² without k is no less than the latter.  On case118
#: at a redundancy of 1.6, where 4 of 18 are named wrongly, 2.71 to 10.83 have the right one among
#: the rivals in two of them.
RIVAL = 6.63
#: χ² that a step would take away, above which a fit is not at its end: a tenth of a standard
#: deviation.  Of fits that ended it was below 1e-11 (case14 to case300), of those that the limit of
#: the steps ended above .1.
UNDONE = 0.01
#: Share of the readings that may be taken out, beyond which they are not called gross errors; and
#: ends of the search that are compared, those of the least misfit.
SHARE, ENDS = 0.1, 4


def enough(model: Model) -> float:
    """½ χ² that noise exceeds with the chance of a false alarm."""
    from scipy.special import chdtri

    dof = max(model.fit.rows.m - model.unknowns, 1)
    return float(chdtri(dof, ALARM)) / 2


def chance(seen: Seen) -> tuple[float, int, float]:
    """χ², its degrees of freedom, and the chance of more (NaN where there are none)."""
    from scipy.special import chdtrc

    square = float(seen.residual @ seen.residual)
    dof = seen.residual.size - seen.model.unknowns + seen.null.shape[1]
    return square, dof, float(chdtrc(dof, square)) if dof > 0 else math.nan


def explained(seen: Seen) -> bool:
    """Whether noise makes a χ² like this one, and this is where it is least."""
    return not chance(seen)[2] < ALARM and seen.undone <= UNDONE


class Cleaned(NamedTuple):
    """A state, and readings that were taken out for it.

    Attributes
    ----------
    readings : Measurements
        Those that are left.
    seen : Seen
    gross : list of Gross
    steps : int
    others : list of Solution
        Other ends of the search, of all the readings.
    rival : complex array of shape (n,) or None
        Another state that explains the readings as well, with as few taken out.
    """

    readings: Measurements
    seen: Seen
    gross: list[Gross]
    steps: int
    others: list[Solution]
    rival: Voltages | None = None


def cleaned(
    grid: Grid,
    readings: Measurements,
    seen: Seen,
    found: list[Solution],
    idle: Any,
) -> Cleaned:
    """Take out gross errors, at the state of the least χ² with a price for each of them.

    Parameters
    ----------
    grid : Grid
    readings : Measurements
    seen : Seen
        State of the best end.
    found : list of Solution
        Ends of the search, best first.
    idle : "exact", float or None

    Notes
    -----
    At a wrong state the readings that contradict it can be taken out as well, until what is left
    agrees with it.  So where there is something to take out ends are compared, with that from the
    flat start, by χ² of what is left and, for each reading that is not, the square of the
    normalised residual from which on it is gross.
    """
    whole = Cleaned(readings, seen, [], 0, found[1:])
    limit = _limit(readings.m)
    if explained(seen) and _worst(seen, readings.m) < 0:
        return whole
    model = seen.model
    flat = descended(model, grid.flat(), "flat")
    ends, steps = list(found), flat.steps
    if all(np.abs(flat.v - one.v).max() > SAME for one in found):
        ends = sorted([*found, flat], key=lambda one: one.objective)
    most, best, least = max(1, int(SHARE * readings.m)), whole, np.inf
    for one in ends[:ENDS]:
        at, more = seen, 0
        if one is not found[0]:
            v, more = sharpened(grid, model, one)
            at = seen_at(model, v)
        affordable = most if least == np.inf else min(most, int((least + RIVAL) / limit**2))
        other = _removed(grid, readings, at, idle, affordable)
        steps += more + other.steps
        price = chance(other.seen)[0] + limit**2 * len(other.gross)
        apart = least < np.inf and _apart(best, other)
        if price < least:
            rival = best.seen.v if apart and least <= price + RIVAL else None
            others = [end for end in ends if end is not one]
            best, least = other._replace(others=others, rival=rival), price
        elif apart and price <= least + RIVAL:
            best = best._replace(rival=other.seen.v)
    return best._replace(steps=steps)


def _limit(m: int) -> float:
    """Normalised residual that the largest of m exceeds with the chance of a false alarm."""
    from scipy.special import ndtri

    return float(-ndtri(ALARM / 2 / max(m, 1)))


def _worst(seen: Seen, m: int) -> int:
    """Of the first m readings the one of the largest residual, if that is gross, else -1."""
    size = seen.normalised[:m]
    worst = int(np.nanargmax(size)) if np.isfinite(size).any() else -1
    return worst if worst >= 0 and size[worst] > _limit(m) else -1


def _apart(one: Cleaned, other: Cleaned) -> bool:
    """Whether two states, as far as readings tell them, are different."""
    if one.seen.null.shape[1] or other.seen.null.shape[1]:
        return False
    return bool(np.abs(one.seen.v - other.seen.v).max() > SAME)


def _removed(grid: Grid, readings: Measurements, seen: Seen, idle: Any, most: int) -> Cleaned:
    """Take out the reading of the largest normalised residual, fit again, while it is gross."""
    out: list[Gross] = []
    kept, steps = np.arange(readings.m), 0
    while len(out) < most:
        size = seen.normalised[: kept.size]
        worst = _worst(seen, kept.size)
        if worst < 0:
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
        end = descended(model, seen.v, "the state before")
        v, last = sharpened(grid, model, end)
        seen, steps = seen_at(model, v), steps + end.steps + last
    return Cleaned(readings.kept(kept), seen, out, steps, [])
