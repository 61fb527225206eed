"""Table 5: order l and number of steps t of the multi-step escape in the real-world example."""

import math
from typing import NamedTuple

import numpy as np

from liftless.instances import Instance, make_instance
from liftless.instances.papers import REAL_WORLD_PRINTED
from liftless_papers.experiments.base import Experiment, Outcome, Row, Size, columns, table
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.sod.course.course import (
    SUCCESS,
    Factor,
    Jump,
    Simulation,
    distance,
    run_descent,
    truth_of,
)
from liftless_papers.experiments.sod.course.table5_claims import table5_claims

RHO, ETA, RATE, ORDERS = 0.1, 0.1, 0.1, (3, 5, 7)
#: Steps of descent from each escape point; the paper does not print them.
DESCENT = 3000
#: Ranges of the figure: t, size of the escape point, and h over its value at X̂.
T_RANGE, SIZE_RANGE, RATIO_RANGE = (500.0, 5e6), (0.2, 20.0), (0.8, 20.0)


class Printed(NamedTuple):
    """A cell of Table 5 as printed.

    ``away`` is ‖X̂X̂ᵀ − X̌X̌ᵀ‖, ``left`` is ‖X̌X̌ᵀ − ZZᵀ‖, ``ratio`` their quotient (C.3), all as
    strings of printed digits; ``limit`` is "+", "-", or "x1" (not considered) or "x2" (unstable).
    """

    order: int
    steps: float
    away: str
    left: str
    ratio: str
    limit: str


CELLS = (
    Printed(3, 1000.0, "", "", "", "x1"),
    Printed(3, 5000.0, "1.08", "0.36", "3.03", "+"),
    Printed(3, 33500.0, "114.22", "113.29", "1.01", "x2"),
    Printed(3, 1e5, "4.08e6", "4.08e6", "1.00", "x2"),
    Printed(3, 5e5, "9.94e33", "9.94e33", "1.00", "x2"),
    Printed(3, 2e6, "", "", "", "x2"),
    Printed(5, 1000.0, "", "", "", "x1"),
    Printed(5, 5000.0, "", "", "", "x1"),
    Printed(5, 33500.0, "0.59", "0.66", "0.89", "-"),
    Printed(5, 1e5, "0.80", "0.43", "1.86", "+"),
    Printed(5, 5e5, "2.00", "1.08", "1.84", "+"),
    Printed(5, 2e6, "25.65", "24.72", "1.04", "x2"),
    Printed(7, 1000.0, "0.665", "0.601", "1.106", "-"),
    Printed(7, 5000.0, "0.665", "0.601", "1.106", "-"),
    Printed(7, 33500.0, "0.665", "0.600", "1.107", "-"),
    Printed(7, 1e5, "0.666", "0.600", "1.109", "-"),
    Printed(7, 5e5, "0.669", "0.598", "1.119", "-"),
    Printed(7, 2e6, "0.754", "0.461", "1.634", "+"),
)


def _layers(order: int, kind: str) -> tuple[Layer, ...]:
    """The two curves, shaded U_β and U_γ, and in the panels of h the table's usable cells."""
    here = ("order", order)
    names = {"beta": "U_β, empty" if order == 3 else "U_β", "gamma": "U_γ"}
    # Curves come first, so that every panel gives a name the same colour.
    layers = [
        Layer("curves", "t", f"beta_{kind}", label="β point", where=(here,), dashed=True),
        Layer("curves", "t", f"gamma_{kind}", label="γ point", where=(here,)),
    ]
    for region, name in names.items():
        where = (here, ("region", region))
        layers.append(
            Layer("regions", "t", f"{kind}_low", "band", name, where=where, z=f"{kind}_high")
        )
    if kind == "ratio":
        cells = (here, ("usable", True))
        layers.append(Layer("cells", "steps", "ratio", "points", "usable cell", where=cells))
    return tuple(layers)


def _panel(order: int, kind: str) -> Panel:
    size = kind == "size"
    return Panel(
        title=f"l = {order}: {'size of the escape point' if size else 'objective there'}",
        x="simulated steps t",
        y="‖X̌‖" if size else "h(X̌) / h(X̂)",
        layers=_layers(order, kind),
        marks=(Mark("y", "norm_X", "‖X̂‖") if size else Mark("y", 1.0),),
        x_scale="log",
        y_scale="log",
        x_limits=T_RANGE,
        y_limits=SIZE_RANGE if size else RATIO_RANGE,
    )


class Table5(Experiment):
    """Every cell of Table 5, with what it does to h and to the lifted objective beside it."""

    name = "sod-table5"
    title = "Orders and steps on real-world sensing"
    figures = (
        Figure(
            name="table5",
            caption=(
                "Real-world sensing (C.2), ρ = η = 0.1, from the printed X̂ = (0.2234, 0.0918, "
                "0.5985). Above: size of the β and of the γ point against the number of simulated "
                "steps; the leading one is the escape point in the shaded U_β and U_γ. Below: h "
                "there over h(X̂), with the usable cells of Table 5. Of {usable} cells {lower} "
                "lowers h, and none the exact lifted objective (ratios {lifted_least:.3f} to "
                "{lifted_most:.0f}); yet descent of step 0.1 ends at the truth from every one. "
                "The β point never gets below h(X̂), the γ point in a window of t only. Beyond the "
                "printed range the amplitude grows without bound, and descent diverges."
            ),
            panels=tuple(_panel(order, kind) for kind in ("size", "ratio") for order in ORDERS),
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """Compute every cell; nothing here is random, and both sizes are the paper's."""
        del size, seed
        instance = make_instance("real-world")
        printed = np.array(REAL_WORLD_PRINTED)[:, None]
        jumps = {order: _jump(instance, printed, order) for order in ORDERS}
        polished = {order: _jump(instance, instance.points[0].X, order) for order in ORDERS}
        cells = _cells(instance, jumps, polished)
        orders = [
            _order_row(name, jump)
            for name, family in (("printed", jumps), ("polished", polished))
            for jump in family.values()
        ]
        usable = [row for row in cells if row["usable"]]
        values = {
            "norm_X": float(np.linalg.norm(printed)),
            "usable": len(usable),
            "lower": sum(row["ratio"] < 1 for row in usable),
            "lifted_least": min(row["lifted_ratio"] for row in usable),
            "lifted_most": max(row["lifted_ratio"] for row in usable),
        }
        rows = table("cells", cells) + table("orders", orders)
        rows += _curves(jumps) + _regions(jumps)
        return Outcome(rows, table5_claims(cells, orders), values)


def _jump(instance: Instance, X: Factor, order: int) -> Jump:
    return Jump.at(instance, X, Simulation(order, RHO, ETA, 0.0))


def _cells(instance: Instance, jumps: dict[int, Jump], polished: dict[int, Jump]) -> list[Row]:
    rows = [_cell(instance, jumps[c.order], polished[c.order], c) for c in CELLS]
    points = {k: _point(jumps[cell.order], cell.steps) for k, cell in enumerate(CELLS)}
    starts = {k: X for k, X in points.items() if X is not None}
    ends = run_descent(instance.problem, np.stack(list(starts.values())), RATE, DESCENT, "none")
    truth = truth_of(instance)
    for k, X in zip(starts, ends.X, strict=True):
        # A run that left the finite numbers stands where it last was finite, or at NaN.
        finite = bool(np.all(np.abs(X) < 1e6))
        error = distance(X, truth) if finite else math.inf
        rows[k]["error"] = error
        rows[k]["limit"] = _limit(X, truth) if error < SUCCESS else "diverged"
    return rows


def _limit(X: Factor, truth: Factor) -> str:
    return "+" if np.vdot(X, truth) > 0 else "-"


def _region(jump: Jump, t: float) -> str:
    if t in jump.form.u_beta:
        return "beta"
    return "gamma" if t in jump.form.u_gamma else "none"


def _point(jump: Jump, t: float) -> Factor | None:
    """The escape point X̌ of the leading term; None where the a-term leads."""
    region = _region(jump, t)
    return None if region == "none" else getattr(jump, region)(t)


def _cell(instance: Instance, jump: Jump, polished: Jump, cell: Printed) -> Row:
    """One cell but for the descent: printed digits, and what was computed.

    ``jump`` leaves the printed X̂, ``polished`` the minimum to round-off.
    """
    t, X, region = cell.steps, _point(jump, cell.steps), _region(jump, cell.steps)
    row: Row = {
        "order": cell.order,
        "steps": t,
        "region": region,
        "usable": cell.limit in ("+", "-"),
        "printed_away": cell.away,
        "printed_left": cell.left,
        "printed_ratio": cell.ratio,
        "printed_limit": cell.limit,
    }
    if X is None:
        return row | {"limit": "none"}
    away, left = _distances(instance, jump, X)
    # The same with one term more in the sum of (5.16).
    next_away, next_left = _distances(instance, jump, getattr(jump, region)(t + 1))
    at = np.array([t])
    return row | {
        "size": float(np.linalg.norm(X)),
        "away": away,
        "left": left,
        "away_over_left": away / left,
        "away_next": next_away,
        "left_next": next_left,
        "ratio": float(jump.matrix_ratio(region, at)[0]),
        "lifted_ratio": float(jump.lifted_ratio(at)[0]),
        "ratio_polished": float(polished.matrix_ratio(region, at)[0]),
        "lifted_ratio_polished": float(polished.lifted_ratio(at)[0]),
    }


def _distances(instance: Instance, jump: Jump, X: Factor) -> tuple[float, float]:
    """Distances of the escape point from X̂ and from the truth, the two numbers in (C.3)."""
    return distance(X, jump.X), distance(X, truth_of(instance))


def _order_row(point: str, jump: Jump) -> Row:
    """ρ_min and the ends of U_β and U_γ, from the printed or the polished X̂."""
    beta, gamma = jump.form.u_beta, jump.form.u_gamma
    return {
        "point": point,
        "order": jump.form.order,
        "rho_min": jump.form.rho_min,
        "u_beta_empty": beta.empty,
        "u_beta_from": math.nan if beta.empty else beta.lower,
        "u_beta_to": math.nan if beta.empty else beta.upper,
        "u_gamma_from": gamma.lower,
    }


def _curves(jumps: dict[int, Jump]) -> list[Row]:
    t = np.geomspace(*T_RANGE, 161)
    rows = []
    for order, jump in jumps.items():
        # The curves are cut where the panels end: overflow is no point of a figure.
        sizes = jump.form.beta(t), np.abs(jump.form.gamma(t)) * jump.form.norm_EX
        ratios = jump.matrix_ratio("beta", t), jump.matrix_ratio("gamma", t)
        rows += columns(
            "curves",
            order=order,
            t=t,
            beta_size=_cut(sizes[0], SIZE_RANGE[1]),
            gamma_size=_cut(sizes[1], SIZE_RANGE[1]),
            beta_ratio=_cut(ratios[0], RATIO_RANGE[1]),
            gamma_ratio=_cut(ratios[1], RATIO_RANGE[1]),
        )
    return rows


def _cut(values: np.ndarray, top: float) -> np.ndarray:
    return np.where(values <= 2 * top, values, math.nan)


def _regions(jumps: dict[int, Jump]) -> list[Row]:
    """Two rows for each interval: its ends within the figure, and the height of the panels."""
    rows = []
    for order, jump in jumps.items():
        for region in ("beta", "gamma"):
            interval = getattr(jump.form, f"u_{region}")
            # An empty interval is drawn as nothing, at the edge.
            ends = (0.0, 0.0) if interval.empty else (interval.lower, interval.upper)
            rows += columns(
                "regions",
                order=order,
                region=region,
                t=np.clip(ends, *T_RANGE),
                size_low=SIZE_RANGE[0],
                size_high=SIZE_RANGE[1],
                ratio_low=RATIO_RANGE[0],
                ratio_high=RATIO_RANGE[1],
            )
    return rows
