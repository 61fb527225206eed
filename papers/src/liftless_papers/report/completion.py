"""Figures of the published completion cells."""

from collections.abc import Sequence

from liftless_papers.compare.cells import COST_KAPPA, COST_RATIO
from liftless_papers.compare.completion import COST, CURVE, QUOTATION
from liftless_papers.compare.rows import Row
from liftless_papers.experiments import Figure, Layer, Panel

#: Words of the costs on an axis.
COSTS = {
    "seconds": "median seconds",
    "applications": "median applications of A or A*",
    "lsqr": "median iterations of LSQR",
}


def completion_figures(rows: Sequence[Row], trials: int) -> list[Figure]:
    """Success over m/dof, and cost over n, where the table has them."""
    found = []
    curve = [row for row in rows if row["part"] == CURVE]
    if len({row["ratio"] for row in curve}) > 1:
        found.append(_success(rows, curve, trials))
    if any(row["part"] == COST for row in rows):
        found.append(_cost(rows, trials))
    return found


def _success(rows: Sequence[Row], curve: Sequence[Row], trials: int) -> Figure:
    n, rank = curve[0]["n"], curve[0]["rank"]
    panels = []
    for kappa in sorted({row["kappa"] for row in curve}):
        quoted = any(r["part"] == QUOTATION and r["kappa"] == kappa for r in rows)
        for name, text in (("block", "determined block < 1e-6"), ("whole", "whole matrix < 1e-3")):
            layers = [_line(name, CURVE, kappa)]
            if quoted and name == "whole":
                layers.append(_line(name, QUOTATION, kappa, dashed=True))
            panels.append(
                Panel(
                    f"κ = {kappa:g}: {text}",
                    "m / degrees of freedom",
                    "share of trials",
                    tuple(layers),
                    y_limits=(-0.03, 1.03),
                    legend="outside",
                )
            )
    caption = (
        f"Completion of {n} × {n} matrices of rank {rank} from the published sampler, up to "
        f"{trials} trials a point. Left: relative error below 1e-6 on the block of rows and "
        "columns that the entries determine. Right: relative error below 1e-3 of the whole "
        "matrix, which below m/dof 1.5 is rarely determined. Dashed: published "
        "rates at 1000 × 1000, quoted and not run (Kümmerle and Mayrink Verdun 2021)."
    )
    return Figure("completion", caption, tuple(panels), columns=2, height=3.0)


def _line(name: str, part: str, kappa: float, *, dashed: bool = False) -> Layer:
    where = (("part", part), ("kappa", kappa))
    return Layer(
        "completion",
        "ratio",
        name,
        label="{group}",
        group="method",
        where=where,
        dashed=dashed,
    )


def _cost(rows: Sequence[Row], trials: int) -> Figure:
    shown = [r for r in rows if r["part"] == COST]
    panels = tuple(
        Panel(
            text,
            "order n",
            text,
            (
                Layer(
                    "completion",
                    "n",
                    name,
                    label="{group}",
                    group="method",
                    where=(("part", COST),),
                ),
            ),
            x_scale="log",
            y_scale="log",
            legend="outside",
        )
        for name, text in COSTS.items()
        if any(r[name] for r in shown)
    )
    caption = (
        f"Cost of completion at m/dof {COST_RATIO:g}, κ = {COST_KAPPA:g}, against the order, up to "
        f"{trials} trials a point. A failure counts at the budget in applications, and at what it "
        "took in seconds and iterations of LSQR. An iteration is two applications; of liftless "
        "every two applications count as one, the sweeps of belief propagation included."
    )
    return Figure("completion-cost", caption, panels, columns=2, height=3.0)
