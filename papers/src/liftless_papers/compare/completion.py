"""What the published completion cells come to: success over m/dof and cost over n, with quotations.

Success has two measures there, the determined block and the whole matrix; published rates are of
the second and stand beside as quoted, never as runs.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from liftless_papers.compare.cells import COST_KAPPA, COST_RATIO, Cell
from liftless_papers.compare.published import QUOTED_N, SOURCE, WHOLE, quoted
from liftless_papers.compare.rows import Row
from liftless_papers.compare.statistics import wilson
from liftless_papers.compare.summary import by_cell, judged

#: Parts of the table: the curve over m/dof, quoted rates, the cost over n.
CURVE, QUOTATION, COST = "curve", "quoted", "cost"


def completion_table(
    rows: Iterable[Row], cells: Iterable[Cell], summary: Iterable[Row]
) -> list[Row]:
    """Rows of the completion figures.

    Returns
    -------
    list of Row
        ``part`` is one of :data:`CURVE`, :data:`QUOTATION` and :data:`COST`.  ``block`` is the
        share of errors below 1e-6 on the determined block, ``whole`` that below 1e-3 of the whole
        matrix, each with its interval; a quoted row has ``whole`` and perhaps ``seconds`` alone,
        and its ``source``.
    """
    named = {cell.name: cell for cell in cells if cell.by_block}
    costs = {(r["cell"], r["method"]): _cost(r) for r in summary if r["cell"] in named}
    measured = [
        _measured(named[cell], method, group) | costs[cell, method]
        for cell, methods in by_cell(r for r in rows if r["cell"] in named).items()
        for method, group in methods.items()
    ]
    return [*_curve(measured), *_against_n(measured)]


def _measured(cell: Cell, method: str, group: list[Row]) -> Row:
    kept = judged(group)
    inside, trials = sum(bool(r["success"]) for r in kept), len(kept)
    # The error of the whole matrix is there for every instance with a block.
    outside = sum(r["whole"] is not None and r["whole"] < WHOLE for r in kept)
    block, whole = wilson(inside, trials), wilson(outside, trials)
    return {
        "cell": cell.name,
        "method": method,
        "n": cell.n,
        "rank": cell.rank,
        "kappa": cell.kappa,
        "ratio": cell.ratio,
        "trials": trials,
        "block": inside / trials if trials else None,
        "block_low": block[0],
        "block_high": block[1],
        "whole": outside / trials if trials else None,
        "whole_low": whole[0],
        "whole_high": whole[1],
        "unknown": float(np.median([r["unknown"] for r in kept])) if trials else None,
        "source": None,
    }


def _cost(summed: Row) -> Row:
    names = ("seconds", "applications", "lsqr")
    medians = {name: summed[f"median_{name}"] for name in names}
    # A method without LSQR has no place on its axis.
    return medians | {"lsqr": medians["lsqr"] or None}


def _curve(measured: Sequence[Row]) -> list[Row]:
    """Rows at the order with the most values of m/dof, and what is quoted for them."""
    kinds: dict[tuple[int, int], set[Any]] = {}
    for row in measured:
        kinds.setdefault((row["n"], row["rank"]), set()).add((row["kappa"], row["ratio"]))
    if not kinds:
        return []
    n, rank = max(kinds, key=lambda k: (len(kinds[k]), k))
    curve = [r | {"part": CURVE} for r in measured if (r["n"], r["rank"]) == (n, rank)]
    out = sorted(curve, key=lambda r: (r["kappa"], r["method"], r["ratio"]))
    for kappa, ratio in sorted(kinds[n, rank]):
        out += [_quotation(q) for q in quoted(rank, kappa, ratio)]
    return out


def _quotation(found: Any) -> Row:
    blank = dict.fromkeys(("cell", "trials", "block", "block_low", "block_high", "unknown"))
    return blank | {
        "part": QUOTATION,
        "method": f"{found.method} (quoted, n = {QUOTED_N})",
        "n": QUOTED_N,
        "rank": 5,
        "kappa": found.kappa,
        "ratio": found.ratio,
        "whole": found.success,
        "whole_low": None,
        "whole_high": None,
        "seconds": found.seconds,
        "applications": None,
        "lsqr": None,
        "source": SOURCE,
    }


def _against_n(measured: Sequence[Row]) -> list[Row]:
    """Rows at one m/dof and condition number over the orders, where there are two."""
    here = (COST_KAPPA, COST_RATIO)
    kept = [r for r in measured if (r["kappa"], r["ratio"]) == here and r["trials"]]
    rank = max((r["rank"] for r in kept), default=0)
    kept = [r for r in kept if r["rank"] == rank]
    if len({r["n"] for r in kept}) < 2:
        return []
    return [r | {"part": COST} for r in sorted(kept, key=lambda r: (r["method"], r["n"]))]
