"""Statements about the truncated descent: its errors (5.1, 5.2), its decrease (5.3), its paths."""

import functools
import math
from dataclasses import dataclass

import numpy as np

from liftless.instances import make_instance
from liftless.lifted import (
    LiftedSubspace,
    projected_descent,
    step_bounds,
    truncated_path,
    truncated_step,
)
from liftless_papers.experiments.base import Claim, Row, truth_claim
from liftless_papers.experiments.sod.course.course import Jump, Simulation
from liftless_papers.experiments.sod.theory.lift import Parts, Site

#: Allowed deviation of a measured slope.
SLOPE = 0.05
#: Ranges of ρ (or of ρ = η) in which slopes are taken: where each error is above round-off and
#: the next order is below the tolerance.
PRINTED_RANGE, LINEAR_RANGE = (1e-7, 1e-5), (1e-5, 1e-3)
FIXED = 1e-2
#: The later step whose error is measured, and the length of the cumulated course.
LATER, COURSE = 10, 20

#: Orders and step sizes ρ = η at which the first step is looked at.
FIRST, SHRINKING = (5, 7), (1e-3, 1e-6, 1e-9)
#: Settings of the paper's simulated descents: instance, l, ρ, η, and a t well past the lowest h^l.
PATHS = {
    "basic": (3, 0.1, 0.01, 1000.0),
    "pmc": (11, 0.3, 0.01, 1e5),
    "real-world": (5, 0.1, 0.1, 3e5),
}


def _norm(subspace: LiftedSubspace, W: np.ndarray) -> float:
    return math.sqrt(max(float(W @ subspace.gram() @ W), 0.0))


def _errors(subspace: LiftedSubspace, W: np.ndarray, eta: float) -> tuple[float, float]:
    """Distance of the exact step from W to the printed one, and to that of the linear model K.

    Steps are compared, not points: what they share would drown the difference in round-off.
    """
    a = subspace.start()
    exact = -eta * subspace.gradient(W, "paper")
    printed = truncated_step(subspace, W, eta) - W
    linear = -eta * subspace.gram_inverse @ subspace.hessian(a, "paper") @ (W - a)
    return _norm(subspace, exact - printed), _norm(subspace, exact - linear)


def _later(subspace: LiftedSubspace, rho: float, eta: float) -> np.ndarray:
    """The truncated point after :data:`LATER` steps, by the printed recursion."""
    W = subspace.escaped(rho)
    for _ in range(LATER):
        W = truncated_step(subspace, W, eta)
    return W


def _slope(at: np.ndarray, values: list[float]) -> float:
    return float(np.polyfit(np.log(at), np.log(values), 1)[0])


@dataclass(frozen=True)
class _Line:
    """Pairs (ρ, η) along which an error is measured."""

    along: str
    at: np.ndarray

    def pairs(self) -> list[tuple[float, float]]:
        fixed = np.full(self.at.shape, FIXED)
        rho = fixed if self.along == "eta" else self.at
        eta = fixed if self.along == "rho" else self.at
        return [(float(r), float(e)) for r, e in zip(rho, eta, strict=True)]


def error_slopes(sites: list[Site], points: int) -> tuple[list[Row], list[Row]]:
    """Slopes of the error of the first and of a later step; and the errors, for the figure."""
    slopes: list[Row] = []
    for site in sites:
        subspace = site.subspace()
        for step in (0, LATER):
            for along in ("rho", "eta", "both"):
                row: Row = {"label": site.label, "step": step, "along": along}
                for k, (name, ends) in enumerate(
                    (("printed", PRINTED_RANGE), ("linear", LINEAR_RANGE))
                ):
                    line = _Line(along, np.geomspace(*ends, points))
                    row[name] = _slope(line.at, [_at(subspace, step, p)[k] for p in line.pairs()])
                slopes.append(row)
    return slopes, [row for site in sites for row in _error_rows(site, points)]


def _at(subspace: LiftedSubspace, step: int, pair: tuple[float, float]) -> tuple[float, float]:
    rho, eta = pair
    W = subspace.escaped(rho) if step == 0 else _later(subspace, rho, eta)
    return _errors(subspace, W, eta)


def _error_rows(site: Site, points: int) -> list[Row]:
    subspace = site.subspace()
    out: list[Row] = []
    for along in ("rho", "both"):
        line = _Line(along, np.geomspace(1e-5, 1e-1, 2 * points + 1))
        step = 0 if along == "rho" else LATER
        for at, pair in zip(line.at, line.pairs(), strict=True):
            printed, linear = _at(subspace, step, pair)
            out.append(
                {"label": site.label, "along": along, "step": step, "at": float(at)}
                | {"printed": printed, "linear": linear}
            )
    return out


def course_slopes(site: Site) -> Row:
    """Error of the closed form after :data:`COURSE` exact steps, as ρ and as η shrink."""
    row: Row = {"label": site.label, "step": COURSE}
    c = site.case
    subspace = site.subspace()
    for along, ends in (("rho", (1e-6, 1e-4)), ("eta", (1e-4, 1e-2))):
        line = _Line(along, np.geomspace(*ends, 3))
        errors = []
        for rho, eta in line.pairs():
            W = subspace.escaped(rho)
            for _ in range(COURSE):
                W = truncated_step(subspace, W, eta)
            exact = projected_descent(subspace, subspace.escaped(rho), eta, COURSE, every=COURSE)
            errors.append(_norm(subspace, exact.W[-1] - W))
            row["ratio"] = errors[-1] / (COURSE * _at(subspace, 0, (rho, eta))[0])
        row[along] = _slope(line.at, errors)
    row["case"] = c.name
    return row


def slope_claims(slopes: list[Row], course: Row) -> list[Claim]:
    """Propositions 5.1 and 5.2 on the size of what is truncated."""
    first = {a: [r for r in slopes if r["step"] == 0 and r["along"] == a] for a in ("rho", "both")}
    later = [r for r in slopes if r["step"] == LATER and r["along"] == "both"]
    one = max(abs(row["printed"] - 1) for row in first["rho"])
    two = max(abs(row["linear"] - 2) for row in first["rho"])
    least = min(row["printed"] for row in later)
    right = max(abs(row["linear"] - 3) for row in later)
    return [
        truth_claim(
            "Prop. 5.1",
            "the first step errs by O(rho^2)",
            min(row["printed"] for row in first["rho"]) >= 2 - SLOPE,
            changed=one <= SLOPE and two <= SLOPE,
            measured=max((row["printed"] for row in first["rho"]), key=lambda s: abs(s - 2)),
            expected=2.0,
            tolerance=SLOPE,
            note=(
                "Slope of the error in rho; it is of order eta rho. Change: with the whole linear "
                f"model K of the projected gradient it is eta rho^2 (slopes 2 to {two:.3f})."
            ),
        ),
        truth_claim(
            "Prop. 5.2",
            f"the step {LATER} -> {LATER + 1} errs by O((rho + eta) rho eta)",
            least >= 3 - SLOPE,
            changed=right <= SLOPE,
            measured=least,
            expected=3.0,
            tolerance=SLOPE,
            note=(
                "Slope as rho = eta shrink together; it is of order eta rho. Change: with K it is "
                f"eta rho^2 (slope 3 to {right:.3f}). After {COURSE} exact steps the closed form "
                f"is off by {course['ratio']:.3f} times {COURSE} first errors: slopes "
                f"{course['rho']:.3f} in rho, {course['eta']:.3f} in eta ({course['label']})."
            ),
        ),
    ]


# -- the paths -----------------------------------------------------------------------------------


@functools.cache
def jump(name: str, order: int, rho: float, eta: float, *, turned: bool = False) -> Jump:
    """One of the paper's examples with its simulated descent."""
    instance = make_instance(name)
    X = instance.points[0].X
    return Jump.at(instance, X, Simulation(order, rho, eta, 0.0), turned=turned)


def lowest(found: Jump, most: float) -> tuple[float, float]:
    """(t, h^l ratio) of the lowest point of the closed form on [0, most], by zooming."""
    t = np.r_[0.0, np.geomspace(1.0, most, 400)]
    for _ in range(6):
        ratio = found.lifted_ratio(t)
        k = int(np.argmin(ratio))
        t = np.linspace(t[max(k - 1, 0)], t[min(k + 1, t.size - 1)], 41)
    ratio = found.lifted_ratio(t)
    k = int(np.argmin(ratio))
    return float(t[k]), float(ratio[k])


def path_rows(points: int) -> list[Row]:
    """h^l along the closed form and along exact projected descent, for the figure."""
    rows: list[Row] = []
    for name, (order, rho, eta, most) in PATHS.items():
        found = jump(name, order, rho, eta)
        every = max(1, int(most) // points)
        exact = projected_descent(
            found.subspace, found.subspace.escaped(rho), eta, int(most), every=every
        )
        closed = found.lifted_ratio(exact.steps)
        for t, one, two in zip(exact.steps, closed, exact.relative, strict=True):
            shown = float(one) if one < 10 else math.nan  # it leaves every scale
            row: Row = {"case": name, "t": float(t), "thousands": float(t) / 1000}
            rows.append(row | {"closed": shown, "exact": float(two)})
    return rows


def decrease(orders: tuple[int, ...]) -> Parts:
    """Proposition 5.3: how long h^l falls, and whether it falls below h^l at the lifted point."""
    rows: list[Row] = []
    for name, (order, rho, eta, most) in PATHS.items():
        for k in orders if name == "real-world" else (order,):
            far = most if k <= order else most * 10.0 ** (1.6 * (k - order) / 2)
            for turned in (False, True) if name == "real-world" else (False,):
                found = jump(name, k, rho, eta, turned=turned)
                t, ratio = lowest(found, far)
                start = float(found.lifted_ratio(np.zeros(1))[0])
                rows.append(
                    {"case": name, "order": k, "turned": turned, "until": t}
                    | {"least": ratio, "start": start, "rho": rho, "eta": eta, "looked": far}
                )
    shown = "; ".join(
        f"{r['case']} l = {r['order']}: until t = {r['until']:.0f} (from {r['start']:.4f} to "
        f"{r['least']:.5f})"
        for r in rows
        if not r["turned"]
    )
    real = [row["least"] for row in rows if row["case"] == "real-world"]
    rises = first_rises()
    limits = ", ".join(
        f"{max(rise for k, _, rise in rises if k == n):.4f} (l = {n})" for n in FIRST
    )
    return rows, [
        truth_claim(
            "Prop. 5.3, Fig. 6",
            "every truncated step lowers h^l, for all small enough rho and eta",
            all(rise < 0 for *_, rise in rises),
            measured=max(rise for *_, rise in rises),
            expected="below 0",
            note=(
                f"Completion: the first step changes h^l by {limits} times eta rho^2, whatever "
                f"rho = eta from {SHRINKING[0]:g} to {SHRINKING[-1]:g} and the sign of u_n. "
                f"Elsewhere it falls early on: {shown}. Ratios are to h^l(vec(X)^l)."
            ),
        ),
        truth_claim(
            "section 5, after Algorithm 1",
            "after enough steps h^l is below its value at the lifted point (real-world)",
            min(real) < 1,
            measured=min(real),
            expected="below 1",
            note="Least ratio over all t, both signs of u_n, l = " + ", ".join(map(str, orders)),
        ),
    ]


def first_rises() -> list[tuple[int, float, float]]:
    """Change of h^l in the first truncated step over ηρ², in completion, by order and ρ = η."""
    found = []
    for order in FIRST:
        for step in SHRINKING:
            for turned in (False, True):
                span = jump("pmc", order, step, step, turned=turned).subspace
                first = span.escaped(step)
                rise = span.difference(truncated_step(span, first, step), first)
                found.append((order, step, float(rise) / step**3))
    return found


def sufficiency(points: int) -> Parts:
    """Whether a step within the bounds (5.10) lowers h^l, and whether the paper's steps are.

    The bounds are evaluated along the paper's paths, and early on paths with smaller ρ and η.
    """
    rows: list[Row] = []
    for name, (order, rho, eta, most) in PATHS.items():
        rows += _bound_rows(name, order, (rho, eta), np.r_[0.0, np.geomspace(1.0, most, points)])
    own = len(rows)
    for name, (order, *_) in PATHS.items():
        for pair in ((1e-3, 1e-2), (1e-2, 1e-2), (1e-2, 1e-1)):
            rows += _bound_rows(name, order, pair, np.array([0.0, 1.0, 10.0, 100.0]))
    inside = [row for row in rows if row["within"]]
    wrong = [row for row in inside if row["decrease"] >= 0]
    spared = sum(row["decrease"] < 0 for row in rows if not row["within"])
    share = {n: [r["within"] for r in rows[:own] if r["case"] == n] for n in PATHS}
    text = ", ".join(f"{n} {sum(k)} of {len(k)}" for n, k in share.items())
    kept = sum(map(sum, share.values()))
    return rows, [
        truth_claim(
            "(5.10)",
            "a step within the bounds lowers h^l",
            not wrong,
            measured=len(wrong),
            expected=0,
            note=(
                f"{len(inside)} steps within; Delta, G, C, L computed at each step, C as the least "
                f"constant that makes the truncation bound true. Of {len(rows) - len(inside)} "
                f"steps outside, {spared} lower h^l all the same."
            ),
        ),
        truth_claim(
            "section 5.5, assumption",
            "rho and eta of the simulated descents satisfy (5.10)",
            kept == own,
            measured=kept,
            expected=own,
            note=f"Steps within the bounds: {text}.",
        ),
    ]


def _bound_rows(name: str, order: int, pair: tuple[float, float], t: np.ndarray) -> list[Row]:
    rho, eta = pair
    found = jump(name, order, rho, eta)
    rows: list[Row] = []
    for k, W in zip(t, truncated_path(found.form, found.subspace, t).W, strict=True):
        if not np.isfinite(W).all():
            continue
        bounds = step_bounds(found.subspace, W, eta, rho)
        within = rho < bounds.rho_max and eta < bounds.eta_max
        rows.append(
            {"case": name, "t": float(k), "within": within, "decrease": bounds.decrease}
            | {"rho_max": bounds.rho_max, "eta_max": bounds.eta_max, "L": bounds.L}
            | {"Delta": bounds.Delta, "G": bounds.G, "C": bounds.C, "rho": rho, "eta": eta}
        )
    return rows


def truncation(rows: list[Row]) -> Claim:
    """Whether the truncated path stays near the projected one."""
    ends = {name: [row for row in rows if row["case"] == name][-1] for name in PATHS}
    gap = max(abs(row["closed"] - row["exact"]) for row in rows if math.isfinite(row["closed"]))
    text = "; ".join(f"{n}, t = {r['t']:.0f}: {r['exact']:.3g}" for n, r in ends.items())
    return truth_claim(
        "section 5.3",
        "the truncated path follows projected descent up to higher orders",
        gap < 0.1,
        measured=gap,
        expected="below 0.1",
        note=(
            "Largest difference of h^l ratios. Exact projected descent ends at the truth (basic, "
            f"completion) or returns to the lifted point (real-world); its last ratios: {text}."
        ),
    )
