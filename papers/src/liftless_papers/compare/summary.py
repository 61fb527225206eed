"""Rows of trials, summed up: rates and means with intervals, standings, profiles, maps, costs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless_papers.compare.cells import Cell
from liftless_papers.compare.plan import CONTROL, OWN
from liftless_papers.compare.rows import Row
from liftless_papers.compare.statistics import (
    difference,
    mean_interval,
    profile,
    ratio_interval,
    thinned,
    wilson,
)

#: Standings of a method in a cell.
BEST, TIED, WORSE = "best", "tied", "worse"
#: Below this many paired trials a bootstrap says nothing, and costs count as equal.
LEAST_PAIRS = 5
#: Breakpoints of a drawn profile.
DRAWN = 200
#: Currencies of the profiles.
CURRENCIES = ("applications", "seconds")

Group = list[Row]


def by_cell(rows: Iterable[Row]) -> dict[str, dict[str, Group]]:
    """Rows by cell, then by method."""
    found: dict[str, dict[str, Group]] = {}
    for row in rows:
        found.setdefault(row["cell"], {}).setdefault(row["method"], []).append(row)
    return found


def judged(rows: Iterable[Row]) -> Group:
    """Rows of identifiable instances, by trial."""
    return sorted((r for r in rows if r["success"] is not None), key=lambda r: r["trial"])


def costs(rows: Sequence[Row], budget: int) -> Float[np.ndarray, " k"]:
    """Applications of each row, a failure at its own budget, or at this where it names none."""
    spent = [r["applications"] if r["success"] else r.get("budget", budget) for r in rows]
    return np.array(spent, dtype=np.float64)


def column(rows: Sequence[Row], name: str) -> Float[np.ndarray, " k"]:
    """Column of numbers of some rows."""
    return np.array([float(row[name]) for row in rows])


def count(rows: Sequence[Row]) -> tuple[int, int]:
    """How many rows succeeded, of how many."""
    return sum(bool(row["success"]) for row in rows), len(rows)


def paired(first: Group, second: Group) -> tuple[Group, Group]:
    """Rows of the trials that both have."""
    one, two = ({row["trial"]: row for row in rows} for rows in (first, second))
    shared = sorted(one.keys() & two.keys())
    return [one[k] for k in shared], [two[k] for k in shared]


def summarise(rows: Iterable[Row], cells: Iterable[Cell], budget: int) -> list[Row]:
    """One row a cell and method.

    Parameters
    ----------
    rows : iterable of Row
    cells : iterable of Cell
        Those the rows are of.
    budget : int

    Returns
    -------
    list of Row
        ``trials`` counts identifiable instances only, ``apart`` the others; a failure counts at
        the budget in ``mean_applications`` and ``median_applications``, and at the seconds that
        it took in ``mean_seconds``.
    """
    groups, known = by_cell(rows), {cell.name: cell for cell in cells}
    out = []
    for name, methods in groups.items():
        standing = standings({k: judged(v) for k, v in methods.items()}, budget)
        for method, group in methods.items():
            out.append(_head(known[name], method) | _summary(group, budget))
            out[-1]["standing"] = standing.get(method)
    return out


def _head(cell: Cell, method: str) -> Row:
    return {
        "family": cell.family,
        "cell": cell.name,
        "method": method,
        "n": cell.n,
        "rank": cell.rank,
        "ratio": cell.ratio,
        "fixed": cell.fixed,
    }


def _summary(rows: Group, budget: int) -> Row:
    kept = judged(rows)
    good, trials = count(kept)
    low, high = wilson(good, trials)
    spent, seconds = costs(kept, budget), column(kept, "seconds")
    spent_ends, second_ends = mean_interval(spent), mean_interval(seconds)
    empty = trials == 0
    return {
        "trials": trials,
        "successes": good,
        "apart": len(rows) - trials,
        "fitted_wrong": sum(r["fitted"] and r["right"] is False for r in kept),
        "success": math.nan if empty else good / trials,
        "success_low": low,
        "success_high": high,
        "mean_applications": math.nan if empty else float(np.mean(spent)),
        "applications_low": spent_ends[0],
        "applications_high": spent_ends[1],
        "median_applications": math.nan if empty else float(np.median(spent)),
        "mean_seconds": math.nan if empty else float(np.mean(seconds)),
        "seconds_low": second_ends[0],
        "seconds_high": second_ends[1],
        "median_seconds": math.nan if empty else float(np.median(seconds)),
        "median_lsqr": math.nan if empty else float(np.median([r.get("lsqr", 0) for r in kept])),
    }


def standings(methods: Mapping[str, Group], budget: int) -> dict[str, str]:
    """Who wins a cell: most successes, then fewest mean applications.

    Parameters
    ----------
    methods : mapping of str to list of Row
        Identifiable instances only.  The control takes no part.
    budget : int

    Returns
    -------
    dict of str
        "worse" where success is below the leader's, or, success being equal, mean applications
        above the leader's; each by an interval that excludes equality.  The others are "tied",
        or "best" where one is left.
    """
    here = {k: v for k, v in methods.items() if v and k != CONTROL}
    if not here:
        return {}
    rate = {k: count(v)[0] / len(v) for k, v in here.items()}
    mean = {k: float(np.mean(costs(v, budget))) for k, v in here.items()}
    leader = min(here, key=lambda k: (-rate[k], mean[k]))
    alike = [k for k in here if k == leader or not _below(here[k], here[leader])]
    # Among equals in success the cheapest leads.
    leader = min(alike, key=lambda k: mean[k])
    left = [k for k in alike if k == leader or not _dearer(here[k], here[leader], budget)]
    name = BEST if len(left) == 1 else TIED
    return {k: name if k in left else WORSE for k in here}


def _below(rows: Group, leader: Group) -> bool:
    return difference(count(leader), count(rows))[0] > 0


def _dearer(rows: Group, leader: Group, budget: int) -> bool:
    one, two = paired(rows, leader)
    if len(one) < LEAST_PAIRS:
        return False
    return ratio_interval(costs(one, budget), costs(two, budget))[1] > 1


def against_peers(rows: Iterable[Row], budget: int) -> list[Row]:
    """Ratios of the own method to the best peer with equal success, one row a cell.

    Parameters
    ----------
    rows : iterable of Row
    budget : int

    Returns
    -------
    list of Row
        ``peer`` has the least mean seconds among those whose success is not below the own by an
        interval that excludes equality; None where there is no such peer, and then the ratios are
        NaN.
    """
    out = []
    for cell, methods in by_cell(rows).items():
        groups = {k: judged(v) for k, v in methods.items() if k != CONTROL}
        own = groups.pop(OWN, [])
        equal = {k: v for k, v in groups.items() if v and own and not _below(v, own)}
        row: Row = {"cell": cell, "peer": None, "of_peers": sum(map(bool, groups.values()))}
        if equal:
            best = min(equal, key=lambda k: float(np.mean(column(equal[k], "seconds"))))
            row["peer"] = best
            row |= _ratios(own, equal[best], budget)
        else:
            row |= _ratios([], [], budget)
        if own:
            out.append(row)
    return out


def _ratios(own: Group, peer: Group, budget: int) -> Row:
    one, two = paired(own, peer)
    found = {
        "seconds": ratio_interval(column(one, "seconds"), column(two, "seconds")),
        "applications": ratio_interval(costs(one, budget), costs(two, budget)),
    }
    return {
        f"{name}_ratio{end}": value
        for name, triple in found.items()
        for end, value in zip(("", "_low", "_high"), triple, strict=True)
    }


def profiles(rows: Iterable[Row]) -> list[Row]:
    """Performance profiles over all instances that every method was run on.

    Returns
    -------
    list of Row
        ``currency``, ``method``, ``tau``, ``share`` and ``instances``; two rows a breakpoint, the
        share below it and the share from it on, so that a line through them is the step function.
    """
    kept = [row for row in rows if row["success"] is not None]
    methods = list(dict.fromkeys(row["method"] for row in kept))
    found = {(row["cell"], row["trial"], row["method"]): row for row in kept}
    places = list(dict.fromkeys((row["cell"], row["trial"]) for row in kept))
    shared = [p for p in places if all((*p, method) in found for method in methods)]
    out = []
    for currency in CURRENCIES if shared else ():
        table = [[found[(*p, method)] for p in shared] for method in methods]
        # A method that spends nothing would have no ratio.
        paid = [
            [max(row[currency], 1e-9) if row["success"] else math.inf for row in line]
            for line in table
        ]
        tau, shares = profile(np.array(paid, dtype=np.float64))
        kept_steps = thinned(tau, DRAWN)
        for i, method in enumerate(methods):
            head = {"currency": currency, "method": method, "instances": len(shared)}
            before = 0.0
            for k in kept_steps:
                at, share = float(tau[k]), float(shares[i, k])
                out += [head | {"tau": at, "share": before}] if k else []
                out.append(head | {"tau": at, "share": share})
                before = share
    return out


def success_map(summary: Iterable[Row]) -> list[Row]:
    """Nodes (family, method, m/dof, n) of the heat maps: gaussian and phase at rank one."""
    return [
        {
            "family": row["family"],
            "method": row["method"],
            "ratio": row["ratio"],
            "excess": round(row["ratio"] - 1, 12),
            "n": row["n"],
            "success": row["success"],
            "text": f"{row['success']:.2f}",
            "trials": row["trials"],
        }
        for row in summary
        if row["family"] in ("gaussian", "phase")
        and row["rank"] == 1
        and row["ratio"] is not None
        and row["trials"]
    ]


def map_methods(nodes: Sequence[Row], family: str) -> list[str]:
    """Return the own method and the best of the others on a heat map's nodes."""
    means: dict[str, list[float]] = {}
    for row in nodes:
        if row["family"] == family and row["method"] != CONTROL:
            means.setdefault(row["method"], []).append(row["success"])
    others = sorted(
        (k for k in means if k != OWN), key=lambda k: (-len(means[k]), -float(np.mean(means[k])))
    )
    return [*([OWN] if OWN in means else []), *others[:1]]


def cost_against_n(summary: Iterable[Row], cells: Iterable[Cell]) -> list[Row]:
    """Rows of the summary at m/n = 3, by method and n."""
    names = {c.name for c in cells if c.family == "phase" and c.ratio == 3.0}
    kept = [row for row in summary if row["cell"] in names and row["trials"]]
    order = list(dict.fromkeys(row["method"] for row in kept))
    return sorted(kept, key=lambda row: (order.index(row["method"]), row["n"]))


def easy_cells(rows: Iterable[Row]) -> list[Row]:
    """Cells that the control, one local solve from the spectral start, solves alone."""
    out = []
    for cell, methods in by_cell(rows).items():
        kept = judged(methods.get(CONTROL, []))
        if not kept:
            continue
        good, trials = count(kept)
        row: Row = {"cell": cell, "successes": good, "trials": trials, "easy": good == trials}
        row["mean_applications"] = float(np.mean(column(kept, "applications")))
        out.append(row)
    return out


def apart(rows: Iterable[Row]) -> list[Row]:
    """Instances that are not identifiable, each with how many methods fitted its data."""
    found: dict[tuple[str, int], Row] = {}
    for row in rows:
        if row["identifiable"]:
            continue
        here = found.setdefault(
            (row["cell"], row["trial"]),
            {k: row[k] for k in ("cell", "trial", "instance_seed", "n", "rank", "m", "dof")}
            | {"jacobian_rank": row["jacobian_rank"], "methods": 0, "fitted": 0, "right": 0},
        )
        here["methods"] += 1
        here["fitted"] += bool(row["fitted"])
        here["right"] += bool(row["right"])
    return list(found.values())


def cell_records(summary: Sequence[Row], ratios: Sequence[Row], easy: Sequence[Row]) -> list[Any]:
    """One record a cell for JSON: its methods, its winners, the ratios and whether it is easy."""
    by_name = {row["cell"]: row for row in ratios}
    control: Mapping[Any, Row] = {row["cell"]: row for row in easy}
    found: dict[str, Row] = {}
    for row in summary:
        head = {k: row[k] for k in ("cell", "family", "n", "rank", "ratio", "fixed")}
        here = found.setdefault(row["cell"], head | {"methods": [], "winners": []})
        here["methods"].append({k: v for k, v in row.items() if k not in head})
        if row["standing"] in (BEST, TIED):
            here["winners"].append(row["method"])
    for name, record in found.items():
        ratio = by_name.get(name)
        record["against"] = ratio and {k: v for k, v in ratio.items() if k != "cell"}
        record["easy"] = control[name]["easy"] if name in control else None
    return list(found.values())
