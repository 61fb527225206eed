"""Fig. 3: the regions of Theorem 4.4, and where strict minima of Gaussian instances lie in them."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

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
from liftless_papers.experiments.sod.rates import rate_columns
from liftless_papers.experiments.sod.success.ensemble import Survey, survey

#: Family of instances: shapes (n, r, m), and instances of each.
FAMILY: dict[Size, tuple[tuple[tuple[int, int, int], int], ...]] = {
    "smoke": (((3, 1, 4), 120), ((3, 1, 6), 120)),
    "paper": (((3, 1, 4), 900), ((3, 1, 6), 900), ((5, 1, 8), 480), ((5, 1, 12), 480)),
}
#: Edges of the bins of ‖X̂X̂ᵀ − M*‖_F²/r_2 with δ = 0.
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.5)
#: Number of draws of AIC in the middle region, and the θ at which it is compared.
DRAWS: dict[Size, int] = {"smoke": 100_000, "paper": 1_000_000}
#: What the scores say of a minimum.
KINDS = ("neither", "EFS > 1, but no step lowers h", "a step lowers h")
THETAS = (0.1, 0.3, 0.5, 0.7, 0.9)

CAPTION = (
    "{minima} distinct strict spurious minima of {instances} Gaussian instances ({shapes}; 15 "
    "starts each, seed {seed}). (a) Position of X̂X̂ᵀ − M* along M* and across it, in units of "
    "√r_2 with δ = 0: the outer half circle is r_2, the inner one r_1 for m = {m_first}. A step "
    "along u_n q_rᵀ lowers h at {escapes} of them; EFS with δ = 0 promises it at {alarms} more, in "
    "vain. (b) Both shares by distance, 95 % Wilson intervals. (c) With a δ sampled for each "
    "instance (a lower bound on the true one) the radii are far out: {bounded} minima have δ < 1 "
    "at all, and {outside} of these lie beyond r_2. Curves: r_1 (m = {m_first}) and r_2. No strict "
    "minimum can lie beyond: at a minimum −λ_n ≤ σ_r²(1 + δ)."
)


FIGURES = (
    Figure(
        "regions",
        CAPTION,
        (
            Panel(
                "(a) minima and regions, δ = 0",
                "part of X̂X̂ᵀ − M* along M*, over √r_2",
                "part across M*, over √r_2",
                (
                    Layer(
                        "circles", "along", "across", "curve", "{group}", (), "circle", dashed=True
                    ),
                    Layer("points", "along", "across", "points", "{group}", (), "kind"),
                ),
                equal=True,
                legend="outside",
            ),
            Panel(
                "(b) share by distance",
                "‖X̂X̂ᵀ − M*‖_F²/r_2, δ = 0",
                "share of minima",
                tuple(
                    Layer(
                        "bins",
                        "at",
                        "rate",
                        "points",
                        label,
                        (("what", what),),
                        "",
                        "",
                        "low",
                        "high",
                    )
                    for what, label in (("exact", "a step lowers h"), ("efs", "EFS > 1, δ = 0"))
                ),
                (Mark("x", 1.0, "r_2"), Mark("x", "inner", "r_1")),
                legend="outside",
            ),
            Panel(
                "(c) radii with the sampled δ",
                "sampled δ",
                "‖X̂X̂ᵀ − M*‖_F²/(σ_r² Tr M*)",
                (
                    Layer("radii", "delta", "radius", "curve", "{group}", (), "name", dashed=True),
                    Layer("points", "delta", "distance", "points", "strict minima"),
                ),
                (Mark("x", 1.0, "δ = 1"),),
                y_scale="log",
                legend="outside",
            ),
        ),
        columns=2,
    ),
)


def outer(delta: np.ndarray) -> np.ndarray:
    """Return r_2/(σ_r² Tr M*) of (4.9); infinite where δ ≥ 1, which no RIP constant may be."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(delta < 1, 2 * (1 + delta) / (1 - delta), np.inf)


def inner(delta: np.ndarray, m: int) -> np.ndarray:
    """Return r_1/(σ_r² Tr M*) of (4.10)."""
    return outer(delta) * (1 - 1 / ((1 + delta) ** 2 * m))


class Fig3(Experiment):
    """Radii r_1 and r_2, minima, and the share of them that a single step leaves."""

    name = "sod-fig3"
    title = "Regions of the single-step escape"
    figures = FIGURES

    def run(self, size: Size, seed: int) -> Outcome:
        """Survey the family, and judge the three cases."""
        surveys = [survey(shape, count, seed).distinct() for shape, count in FAMILY[size]]
        # The many go first, so that they do not hide the few.
        points = [row for s in surveys for row in _rows(s)]
        points.sort(key=lambda row: KINDS.index(row["kind"]))
        rows = table("points", points) + _bins(points) + _curves(surveys[0].m)
        rows += _middle(size, seed, surveys[0].m)
        return Outcome(rows, _claims(rows), _values(points, surveys, seed))


def _rows(found: Survey) -> list[dict[str, Any]]:
    """One row for every minimum: place, region with δ = 0 and with the sampled δ, scores."""
    p = found.minima
    relative = p.distance / p.unit
    size = np.sqrt(relative / 2)
    zero = np.zeros(1)
    first, second = float(inner(zero, found.m)[0]), float(outer(zero)[0])
    near, far = inner(found.deltas, found.m), outer(found.deltas)
    rows = []
    for k, d in enumerate(relative):
        escapes, alarm = bool(p.exact[k] > 1), bool(p.efs[k] > 1)
        rows.append(
            {
                "shape": found.name,
                "m": found.m,
                "along": float(size[k] * p.cosine[k]),
                "across": float(size[k] * np.sqrt(max(1 - p.cosine[k] ** 2, 0.0))),
                "kind": _kind(escapes, alarm),
                "distance": float(d),
                "over_r2": float(d / second),
                "delta": float(found.deltas[k]),
                "escapes": escapes,
                "alarm": alarm,
                "ncm": float(p.ncm[k]),
                "exact": float(p.exact[k]),
                "efs_sampled": float(found.efs[k]),
                "region": _region(d, first, second),
                "region_sampled": _region(d, float(near[k]), float(far[k])),
            }
        )
    return rows


def _kind(escapes: bool, alarm: bool) -> str:
    return KINDS[2] if escapes else KINDS[int(alarm)]


def _region(distance: float, first: float, second: float) -> str:
    """Region of a squared distance; none where δ ≥ 1, for then there are no radii."""
    if not np.isfinite(second):
        return "no radii"
    return "inside r_1" if distance < first else ("beyond r_2" if distance >= second else "between")


def _bins(points: Sequence[Row]) -> list[Row]:
    rows = []
    for low, high in itertools.pairwise(EDGES):
        inside = [p for p in points if low <= p["over_r2"] < high]
        # An empty bin says nothing.
        for what, key in (("exact", "escapes"), ("efs", "alarm")) if inside else ():
            count = sum(bool(p[key]) for p in inside)
            shift = 0.012 if what == "efs" else -0.012
            about = {"what": what, "at": (low + high) / 2 + shift, "from": low, "to": high}
            rows.append(about | rate_columns(count, len(inside)))
    return table("bins", rows)


def _curves(m: int) -> list[Row]:
    angle = np.linspace(0, np.pi, 91)
    circles = [
        {"circle": name, "along": float(s * np.cos(a)), "across": float(s * np.sin(a))}
        for name, s in (("r_2", 1.0), ("r_1", float(np.sqrt(1 - 1 / m))))
        for a in angle
    ]
    delta = np.linspace(0, 0.98, 50)
    radii = [
        {"name": name, "delta": float(d), "radius": float(value)}
        for name, values in (("r_2", outer(delta)), ("r_1", inner(delta, m)))
        for d, value in zip(delta, values, strict=True)
    ]
    return table("circles", circles) + table("radii", radii)


def _middle(size: Size, seed: int, m: int) -> list[Row]:
    """P(AIC > θ E[AIC]) in the paper's model, P and Q fixed, against the bound of case 3."""
    rng, draws = np.random.default_rng([seed, m]), DRAWS[size]
    square = rng.chisquare(m, draws) / m * rng.standard_normal(draws) ** 2
    rows = []
    for theta in (*THETAS, 1.0, 1.5):
        bound = (1 - theta) ** 2 * m / (3 * (m + 2)) if theta <= 1 else 0.0
        count = int(np.count_nonzero(square > theta))
        rows.append({"m": m, "theta": theta, "bound": bound} | rate_columns(count, draws))
    return table("model", rows)


def _claims(rows: Sequence[Row]) -> list[Claim]:
    points = [r for r in rows if r["table"] == "points"]
    model = [r for r in rows if r["table"] == "model"]
    return [_outside(points), _inside(points, model), _between(points, model)]


def _outside(points: Sequence[Row]) -> Claim:
    beyond = [p for p in points if p["region_sampled"] == "beyond r_2"]
    bounded = [p for p in points if p["region_sampled"] != "no radii"]
    naive = [p for p in points if p["region"] == "beyond r_2"]
    stuck = sum(not p["escapes"] for p in naive)
    return truth_claim(
        "Fig. 3; Theorem 4.4, case 1",
        "Beyond r_2 escape is guaranteed",
        all(p["escapes"] for p in beyond),
        measured=len(beyond),
        expected="no strict minimum beyond r_2 that a step does not leave",
        note=f"Empty: of {len(points)} strict minima {len(bounded)} have a sampled δ < 1, and "
        f"{len(beyond)} of these lie beyond r_2. None can: there NCM ≥ 1, but 2λ_n + σ_r²‖A(P)‖² "
        "≥ 0 at a minimum. The case is about saddles (Remark 4.2). With δ = 0 in its place "
        f"{len(naive)} lie beyond, and no step lowers h at {stuck} of them.",
    )


def _inside(points: Sequence[Row], model: Sequence[Row]) -> Claim:
    sampled = [p for p in points if p["region_sampled"] == "inside r_1"]
    naive = [p for p in points if p["region"] == "inside r_1"]
    over = next(r for r in model if r["theta"] == 1.5)
    left = sum(p["escapes"] for p in sampled)
    return truth_claim(
        "Fig. 3; Theorem 4.4, case 2",
        "Inside r_1 escape is impossible",
        left == 0 and over["low"] <= 0,
        measured=over["rate"],
        expected=0.0,
        note=f"In the paper's model P(AIC > 1.5 E[AIC]) is {over['rate']:.2f} at m = {over['m']}; "
        "section 4.3.2 only finds no bound. A step lowers h at "
        f"{left} of {len(sampled)} minima inside r_1 with their sampled δ < 1, and at "
        f"{sum(p['escapes'] for p in naive)} of {len(naive)} with δ = 0.",
    )


def _between(points: Sequence[Row], model: Sequence[Row]) -> Claim:
    inside = [r for r in model if r["theta"] < 1]
    ring = [p for p in points if p["region"] == "between"]
    return truth_claim(
        "Fig. 3; Theorem 4.4, case 3",
        "Between the radii P(EFS > 1) is at least (1 − θ)² m/(3(m + 2))",
        all(r["rate"] >= r["bound"] for r in inside),
        measured=min(r["rate"] / r["bound"] for r in inside),
        expected="a ratio of at least 1, with P and Q independent of A",
        note="So in the model. At minima P and Q depend on A: "
        f"{len(ring)} minima lie between the radii with δ = 0, EFS > 1 at "
        f"{sum(p['alarm'] for p in ring)}, and a step lowers h at "
        f"{sum(p['escapes'] for p in ring)}.",
    )


def _values(points: Sequence[Row], surveys: Sequence[Survey], seed: int) -> dict[str, Any]:
    m = surveys[0].m
    return {
        "seed": seed,
        "minima": len(points),
        "instances": sum(len(s.batch.A) for s in surveys),
        "shapes": "; ".join(s.name for s in surveys),
        "m_first": m,
        "inner": 1 - 1 / m,
        "escapes": sum(p["escapes"] for p in points),
        "alarms": sum(p["alarm"] and not p["escapes"] for p in points),
        "bounded": sum(p["delta"] < 1 for p in points),
        "outside": sum(p["region_sampled"] == "beyond r_2" for p in points),
    }
