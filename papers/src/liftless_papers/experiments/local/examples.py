"""Examples 1 and 2: as printed they are no local minima; corrected they are."""

from typing import Any

import numpy as np
from jaxtyping import Float

from liftless.descent import GradientDescent, Stop, descend
from liftless.instances import Instance, make_instance
from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    all_cases,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.local.points import Small

#: Ranks and weights of the cases: (example, form, rank, weight, printed curve).
Case = tuple[str, str, int, float | None]

PRINTED: tuple[Case, ...] = (
    ("example-1", "paper", 1, None),
    ("example-1", "paper", 2, None),
    ("example-1", "paper", 4, None),
    ("example-2", "paper", 2, None),
    ("example-2", "paper", 3, None),
    ("example-2", "paper", 5, None),
    ("example-2", "paper", 7, None),
)
CORRECTED: tuple[Case, ...] = (
    ("example-1", "exact", 1, 1.01),
    ("example-1", "exact", 1, 1.1),
    ("example-1", "exact", 1, 2.0),
    ("example-1", "exact", 2, 2.0),
    ("example-1", "exact", 4, 2.0),
    ("example-2", "exact", 2, 2.1),
    ("example-2", "exact", 2, 3.0),
    ("example-2", "exact", 4, 2.1),
    ("example-2", "exact", 4, 5.0),
    ("example-2", "exact", 6, 2.1),
    ("example-2", "exact", 6, 7.0),
)
#: Distance of the starts from the point, and runs of each case.
RADIUS, RUNS = 1e-2, 32
#: Step of gradient descent.
STEP = 0.02
#: A Hessian eigenvalue is zero below this.
FLAT = 1e-9
#: Curves that are drawn.
SHOWN: tuple[Case, ...] = (
    ("example-1", "paper", 1, None),
    ("example-1", "paper", 2, None),
    ("example-1", "exact", 1, 2.0),
    ("example-1", "exact", 2, 2.0),
    ("example-2", "paper", 2, None),
    ("example-2", "paper", 3, None),
    ("example-2", "paper", 5, None),
    ("example-2", "exact", 2, 3.0),
    ("example-2", "exact", 4, 3.0),
)
#: Parameters at which the descending curves are checked.
CHECKED = (0.3, 0.1, 0.01, 0.001)

CURVES_CAPTION = (
    "f along explicit curves from the points that the paper calls local minima (parameter 0, "
    "f = 1), computed from the measurements. As printed (solid) f falls at once: Example 1 at "
    "rank 1 as 1 − 2a² with (X₁₁, X₂₂) = (a, 1 − 2a); at higher rank and in Example 2 along a "
    "first row (p, 0, …). With the weight c of the off-diagonal entries corrected (dashed) the "
    "same curves rise from the point."
)
WEIGHTS_CAPTION = (
    "Left: least Hessian eigenvalue at the named point over moves of the first row; right: share "
    "of {runs} runs of gradient descent ({steps} steps of {step:g} from distance {radius:g}, seed "
    "{seed}) that leave the point for a lower f. Markers without a line are the printed forms, "
    "c = 1. The eigenvalue is 4(c − 1) in Example 1 and 2(c − 2) in Example 2, so that the points "
    "are local minima for c > 1 and c > 2 and no run leaves them. In the printed Example 1 at "
    "rank 1 it is 0: descent leaves slowly, and the share grows with the number of steps."
)


def _instance(case: Case) -> Instance:
    name, form, rank, weight = case
    return make_instance(name, form=form, rank=rank, weight=weight)


def _name(case: Case) -> str:
    return f"{case[0].replace('example-', 'Example ')}, r = {case[2]}"


# -- the descending curves -------------------------------------------------------------------------


def curve_point(instance: Instance, p: float) -> Float[np.ndarray, "n r"]:
    """Point of the curve on which the printed example falls, at parameter ``p``.

    Example 1 at rank 1: (X₁₁, X₂₂) = (a, 1 − 2a) with a = p².  Elsewhere the first row of the
    named point becomes p times a unit vector: the second in Example 1, the first in Example 2.
    """
    if instance.name == "example-1" and instance.problem.rank == 1:
        return np.array([[p], [np.sqrt(1 - 2 * p * p)]])
    U = instance.points[0].X.copy()
    U[0, 1 if instance.name == "example-1" else 0] = p
    return U


def curve_formula(case: Case, p: float) -> float:
    """Value of f along :func:`curve_point`, worked out by hand."""
    name, form, rank, weight = case
    # Weight on the off-diagonal entries that the curve makes nonzero.
    c = 0.0 if weight is None else weight
    if name == "example-1" and rank == 1:
        return 1 - 2 * p**4 + (2 * (c - 1) * p**2 * (1 - 2 * p**2) if form == "exact" else 0.0)
    if name == "example-1":
        return 1 - 2 * p**2 + 2 * p**4 + 2 * c * p**2
    c = 1.0 if (form, rank) == ("paper", 2) else c
    return 1 - 2 * p**2 + (1 + rank // 2) * p**4 + c * p**2


def _curves(cases: tuple[Case, ...], parameters: Any) -> list[Row]:
    rows: list[Row] = []
    for case in cases:
        instance = _instance(case)
        for p in parameters:
            f = float(instance.problem.objective(curve_point(instance, float(p))))
            row: Row = {"case": _name(case), "form": case[1], "p": float(p), "f": f}
            rows.append(row | {"formula": curve_formula(case, float(p))})
    return rows


# -- curvature, and where descent goes -------------------------------------------------------------


def _row(case: Case, steps: int, seed: int) -> Row:
    """Hessian spectrum at the named point, and the share of nearby runs that leave it."""
    name, form, rank, _ = case
    instance = _instance(case)
    point = instance.points[0].X
    hessian = Small.of(instance.problem).hessian(point)
    values = np.linalg.eigvalsh(hessian)
    rng = np.random.default_rng([seed, rank, instance.problem.n])
    kicks = rng.standard_normal((RUNS, *point.shape))
    kicks *= RADIUS / np.linalg.norm(kicks, axis=(1, 2), keepdims=True)
    stop = Stop(objective=1e-8, gradient=1e-12, max_iterations=steps)
    ends = descend(instance.problem, point + kicks, GradientDescent(STEP), stop)
    return {
        "case": _name(case),
        "example": name[-1],
        "form": form,
        "r": rank,
        "size": instance.problem.n,
        "c": instance.parameters.get("weight", 1.0),
        "f": float(instance.problem.objective(point)),
        "gradient": float(np.linalg.norm(instance.problem.gradient(point))),
        "least": float(values[0]),
        # Changing the sign of the first row changes nothing, so its block stands alone.
        "bend": float(np.linalg.eigvalsh(hessian[:rank, :rank])[0]),
        "negative": int(np.sum(values < -FLAT)),
        "zeros": int(np.sum(np.abs(values) <= FLAT)),
        "rotations": rank * (rank - 1) // 2,
        "leave": float(np.mean(np.asarray(ends.objective) < 0.5)),
        "truth": float(instance.problem.objective(_truth(instance))),
    }


def _truth(instance: Instance) -> Float[np.ndarray, "n r"]:
    assert instance.truth is not None
    return instance.truth


def _near(measured: float, expected: float) -> bool:
    return abs(measured - expected) <= 1e-9


def _minimum(row: Row) -> bool:
    """Second-order point whose only flat directions are rotations, left by no run."""
    flat = row["negative"] == 0 and row["zeros"] == row["rotations"]
    return flat and row["leave"] == 0 and row["gradient"] < 1e-12


#: Place, claim, example, ranks of the printed and of the corrected cases, and the change.
STATEMENTS = (
    (
        "Section 5, Example 1",
        "diag(0, 1) is a local minimum with f = 1",
        ("1", (1,), (1,)),
        "It is not: f = 1 − 2a² along (X11, X22) = (a, 1 − 2a). Change: weight c > 1 on "
        "X12² + X21².",
    ),
    (
        "Section 5, Example 1 padded",
        "Adding (X_ii − 1)² for i = 3 … r + 2 gives a local minimum at any rank r",
        ("1", (2, 4), (2, 4)),
        "It is a saddle: the new X_1j are not penalised, and the sum must end at r + 1 for the "
        "truth to have rank r. Change: all off-diagonal entries with c > 1.",
    ),
    (
        "Section 5, Example 2",
        "diag(0, 1/2, 1/2) is a local minimum at rank constraint 2",
        ("2", (2,), (2,)),
        "It is a strict saddle: f = 1 − p² + 2p⁴ with first row (p, 0). Change: off-diagonal "
        "weight c > 2.",
    ),
    (
        "Section 5, Example 2, odd r",
        "(I − X*)/2 is a local minimum at rank constraint r = size, r odd",
        ("2", (3, 5, 7), (4, 6)),
        "A saddle; with rank constraint and size equal no weight helps, since a rank-deficient "
        "local minimum is global. Change: size 2k + 1, rank constraint 2k, all off-diagonals with "
        "c > 2.",
    ),
)


def judge(printed: list[Row], corrected: list[Row], curves: list[Row]) -> list[Claim]:
    """Judge the examples from the points, printed and corrected, and from the printed curves."""
    falls = {r["case"] for r in curves if r["f"] < 1}
    claims = []
    for where, text, (example, ranks, better), note in STATEMENTS:
        named = [r for r in printed if r["example"] == example and r["r"] in ranks]
        right = [r for r in corrected if r["example"] == example and r["r"] in better]
        bends = ", ".join(f"{r['bend']:.3g} (r = {r['r']}, c = {r['c']:g})" for r in right)
        shares = ", ".join(f"{r['leave']:.0%} (r = {r['r']})" for r in named)
        claims.append(
            truth_claim(
                where,
                text,
                holds=all_cases(_minimum(r) and r["case"] not in falls for r in named),
                changed=all(_minimum(r) and _near(r["f"], 1.0) for r in right),
                measured=min(r["least"] for r in named),
                expected="a local minimum",
                note=(
                    f"{note} Its Hessian eigenvalue on the first row: {bends}. Of {RUNS} runs from "
                    f"distance {RADIUS:g} these leave the printed point: {shares}."
                ),
            )
        )
    return [*claims, _global_claim(printed + corrected)]


def _global_claim(rows: list[Row]) -> Claim:
    worst = max(abs(r["truth"]) for r in rows)
    return truth_claim(
        "Section 5",
        "The truths have f = 0 and the other points f = 1",
        holds=worst < 1e-24 and all_cases(_near(r["f"], 1.0) for r in rows),
        measured=worst,
        expected=0.0,
        note="Largest f at a truth, over all forms.",
    )


# -- the experiment --------------------------------------------------------------------------------


def _weight_cases(paper: bool) -> tuple[Case, ...]:
    """Printed forms, and weights from just above their limits, 1 and 2."""
    ranks = ((("example-1", 1), 1.0), (("example-2", 2), 2.0), (("example-2", 4), 2.0))
    above = (0.01, 0.1, 0.5, 1.0, 2.0) if paper else (0.1, 1.0)
    exact = [(name, "exact", r, c + d) for (name, r), c in ranks for d in above]
    return PRINTED[0], PRINTED[3], *exact


def _curve_panel(example: str) -> Panel:
    layers = []
    for name, form, rank, weight in SHOWN:
        if name == example:
            exact = form == "exact"
            case = _name((name, form, rank, weight))
            label = f"r = {rank}, c = {weight:g}" if exact else f"r = {rank}, printed"
            where = (("case", case), ("form", form))
            layers.append(Layer("curves", "p", "f", "line", label, where, dashed=exact))
    title = example.replace("example-", "Example ")
    return Panel(title, "parameter p", "f", tuple(layers), legend="outside", y_limits=(0.3, 1.5))


def _weight_panel(title: str, y: str, shown: str, marks: tuple[Mark, ...]) -> Panel:
    corrected = Layer("weights", "c", y, "line", "{group}", (("form", "exact"),), "case")
    printed = Layer("weights", "c", y, "points", "{group}, printed", (("form", "paper"),), "case")
    layers = (corrected, printed)
    return Panel(title, "off-diagonal weight c", shown, layers, marks, legend="outside")


class Examples(Experiment):
    """Examples 1 and 2 of Section 5, printed and corrected, for several ranks."""

    name = "local-examples"
    paper = "local"
    title = "Examples 1 and 2, printed and corrected"
    figures = (
        Figure(
            name="curves",
            caption=CURVES_CAPTION,
            panels=(_curve_panel("example-1"), _curve_panel("example-2")),
            columns=2,
        ),
        Figure(
            name="weights",
            caption=WEIGHTS_CAPTION,
            panels=(
                _weight_panel("curvature", "bend", "Hessian eigenvalue", (Mark("y", 0.0),)),
                _weight_panel("where descent goes", "leave", "share of runs that leave", ()),
            ),
            columns=2,
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """Every case; a smoke run has fewer ranks and shorter descents."""
        paper = size == "paper"
        steps = 50000 if paper else 3000
        printed = [_row(c, steps, seed) for c in PRINTED if paper or c[2] <= 3]
        corrected = [_row(c, steps, seed) for c in CORRECTED if paper or c[2] <= 4]
        weights = [_row(c, steps, seed) for c in _weight_cases(paper)]
        curves = _curves(PRINTED, CHECKED)
        rows = table("points", printed + corrected) + table("checked", curves)
        rows += table("curves", _curves(SHOWN, np.linspace(0.0, 0.7, 29)))
        rows += table("weights", weights)
        values = {"runs": RUNS, "radius": RADIUS, "seed": seed, "steps": steps, "step": STEP}
        return Outcome(rows, judge(printed, corrected, curves), values)
