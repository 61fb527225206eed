"""Definitions 6 and 7 of the IPGD paper on all of its seven problems."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from liftless.instances.ipgd import THETA, make_ipgd_problem
from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.ipgd._runs import NAMES
from liftless_papers.ipgd.landscape import Landscape

#: Starts of a search for a point without the property, and for one without regularity.
STARTS: dict[Size, tuple[int, int]] = {"smoke": (4, 2), "paper": (40, 12)}
#: Sides of the matrices, and length of the sparse vector.
ORDER: dict[Size, int] = {"smoke": 12, "paper": 20}
LENGTH: dict[Size, int] = {"smoke": 60, "paper": 150}
#: β over the largest curvature at the truth; ζ over √σ_r.
STIFF, REACH = 2.0, 1 / 4
#: How far along the solutions of sparse recovery, u = √θ cosh s: both properties, and one fails.
NEAR, FAR = 1.0, 2.0

FIGURES = (
    Figure(
        "landscape",
        "Searches by descent in the region of rank 3 (the support), seed {seed}, n = {n}. (a) "
        "Least max{{‖∇f‖/ε_g, −λ_min/ε_H}} that {starts} searches a problem came by, farther than "
        "√σ_r/8 from the solutions, with (ε_g, ε_H) = (α√σ_r/80, 2α/5), which for α = σ_r/2 are "
        "the constants of Proposition 28: at least one (dashed) where the strict saddle property "
        "holds. (b) The α of (15) within √σ_r/4 of the solutions, β twice the largest curvature "
        "at the truth: positive where the regularity property holds (of sparse recovery on a "
        "bounded part of its region). σ_r = 1 in all problems.",
        (
            Panel(
                "(a) strict saddle",
                "",
                "least found",
                (Layer("landscape", "problem", "factor", "bar"),),
                (Mark("y", 1.0),),
            ),
            Panel(
                "(b) regularity",
                "",
                "α",
                (Layer("landscape", "problem", "alpha", "bar"),),
                y_scale="log",
            ),
        ),
        columns=2,
    ),
)


class LandscapeOfAll(Experiment):
    """Whether each problem is as Theorem 8 needs it."""

    name = "ipgd-landscape"
    paper = "ipgd"
    title = "Strict saddle and regularity properties of all seven problems"
    figures = FIGURES

    def run(self, size: Size, seed: int) -> Outcome:
        """Search every problem."""
        made = {
            name: Landscape(make_ipgd_problem(name, seed, **_sizes(name, size))) for name in NAMES
        }
        rows = [_row(name, one, size, seed) for name, one in made.items()]
        sparse = made["sparse"]
        beyond = sparse.regular(rows[-1]["beta"], rows[-1]["zeta"], STARTS[size][1], seed, FAR)
        values = {"seed": seed, "n": ORDER[size], "starts": STARTS[size][0]}
        return Outcome(table("landscape", rows), _claims(rows, beyond), values)


def _sizes(name: str, size: Size) -> Mapping[str, Any]:
    if name == "sparse":
        return {"d": LENGTH[size]}
    return {"n": ORDER[size]} | ({"N": 600} if name.startswith("ms") else {})


def _row(name: str, one: Landscape, size: Size, seed: int) -> Row:
    root = math.sqrt(one.smallest)
    beta, reach = STIFF * one.stiffness(), REACH * root
    saddles, regular = STARTS[size]
    alpha = one.regular(beta, reach, regular, seed, NEAR)
    constants = alpha * root / 80, 0.4 * alpha, root / 8
    factor = one.saddle(constants, saddles, seed) if alpha > 0 else 0.0
    return {
        "problem": NAMES[name],
        "alpha": alpha,
        "beta": beta,
        "zeta": reach,
        "eps_g": constants[0],
        "eps_H": constants[1],
        "eps_M": constants[2],
        "factor": factor,
    }


def _claims(rows: Sequence[Row], beyond: float) -> list[Claim]:
    listed = ", ".join(
        f"{row['problem']} ({row['eps_g']:.2g}, {row['eps_H']:.2g}, {row['eps_M']:.3g})"
        for row in rows
    )
    regular = ", ".join(
        f"{row['problem']} ({row['alpha']:.2g}, {row['beta']:.3g}, {row['zeta']:.2g})"
        for row in rows
    )
    least, alpha = min(row["factor"] for row in rows), min(row["alpha"] for row in rows)
    return [
        truth_claim(
            "Definition 6, seven problems",
            "The 𝓜-strict saddle property holds with constants like those of Proposition 28",
            least >= 1,
            measured=least,
            expected=">= 1",
            note="Least max{‖∇f‖/ε_g, −λ_min/ε_H} farther than ε_𝓜 from the solutions, by descent; "
            f"(ε_g, ε_H, ε_𝓜): {listed}.",
        ),
        truth_claim(
            "Definition 7, seven problems",
            "The 𝓜-regularity property holds, of sparse recovery on a bounded part of 𝓜",
            alpha > 0,
            measured=alpha,
            expected="> 0",
            note=f"(α, β, ζ): {regular}; sparse recovery with u, v up to "
            f"{math.cosh(NEAR):.2f} √|θ|.",
        ),
        truth_claim(
            "Section 7, conjecture",
            "All instances have both properties in the whole of 𝓜",
            least >= 1 and min(alpha, beyond) > 0,
            changed=least >= 1 and alpha > 0,
            measured=beyond,
            expected="> 0",
            note=f"Least α of sparse recovery with u, v up to {math.cosh(FAR):.2f} √|θ| and the "
            "same β. Its solutions are curves without end, along which the curvature has no bound. "
            f"The change: a bounded part of 𝓜. θ* = {', '.join(f'{t:g}' for t in THETA)}.",
        ),
    ]
