"""Escape feasibility under the Gaussian ensemble (4.7): moments, tails, and strict minima."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from liftless.linalg import matrix_distance
from liftless_papers.experiments.base import Experiment, Outcome, Row, Size, table
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel
from liftless_papers.experiments.sod.rates import rate_columns
from liftless_papers.experiments.sod.success.efs_claims import efs_claims
from liftless_papers.experiments.sod.success.ensemble import (
    Survey,
    critical_points,
    draw,
    falls,
    matrices,
    survey,
)

#: Numbers of measurements of the moments, and draws of S.
COUNTS = (5, 10, 20, 50, 100, 400)
DRAWS: dict[Size, int] = {"smoke": 200_000, "paper": 2_000_000}
#: Draws of whole sets of matrices.
WHOLE: dict[Size, int] = {"smoke": 1000, "paper": 3000}
#: Shapes (n, r, m) and instances of each.
SHAPES: dict[Size, tuple[tuple[tuple[int, int, int], int], ...]] = {
    "smoke": (((3, 1, 4), 120), ((3, 1, 6), 120), ((3, 2, 6), 60)),
    "paper": (
        *(((3, 1, m), 900) for m in (3, 4, 5, 6)),
        *(((5, 1, m), 480) for m in (6, 8, 10, 12)),
        *(((8, 1, m), 240) for m in (10, 14, 18, 22)),
        ((3, 2, 6), 600),
        ((4, 2, 8), 240),
        ((5, 2, 12), 180),
        ((5, 2, 14), 180),
        ((8, 2, 24), 60),
        ((4, 3, 10), 120),
    ),
}
THETAS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

MOMENT_CAPTION = (
    "(a) Relative deviation of the sampled second and fourth moment of S = ⟨A(P), A(Q)⟩ from 2/m "
    "and 12(m + 2)/m³, {draws} draws each, seed {seed}; bars are two standard errors. (b) "
    "P(AIC ≥ θ E[AIC]) and the Paley–Zygmund bound (4.8): valid and loose, {slack:.1f} times too "
    "small at θ = 0.5. (c) The tail goes on beyond the mean: P(AIC > E[AIC]) is {over:.2f} and "
    "P(AIC > 4 E[AIC]) {far:.2f} at m = {m_last}, so no P(EFS > 1) = 0 follows."
)
MINIMA_CAPTION = (
    "Strict spurious minima of Gaussian instances with ‖Z‖_F² = r, from 15 starts each, every "
    "minimum once, seed {seed}. (a) The exact score: a single step lowers h iff it exceeds 1. It "
    "does at {r1_over} of {r1_minima} minima with r = 1 and at {r2_over} of {r2_minima} with "
    "r ≥ 2. (b) The share above 1 by shape, 95 % Wilson intervals. (c) The paper's EFS with δ = 0 "
    "against the exact score: {alarms} alarms, {false_share:.0%} of them false. With the sampled δ "
    "it is at most {efs_max:.2f}."
)

FIGURES = (
    Figure(
        "moments",
        MOMENT_CAPTION,
        (
            Panel(
                "(a) moments of S",
                "measurements m",
                "sampled / formula − 1",
                tuple(
                    Layer("moments", "m", y, "line", name, (), "", "", f"{y}_low", f"{y}_high")
                    for y, name in (("second", "E[S²]"), ("fourth", "E[S⁴]"))
                ),
                (Mark("y", 0.0),),
                x_scale="log",
                legend="outside",
            ),
            Panel(
                "(b) Paley–Zygmund",
                "θ",
                "probability",
                (
                    Layer("paley", "theta", "rate", "line", "measured, m = {group}", (), "m"),
                    Layer(
                        "paley",
                        "theta",
                        "bound",
                        "curve",
                        "bound, m = {group}",
                        (),
                        "m",
                        dashed=True,
                    ),
                ),
                legend="outside",
            ),
            Panel(
                "(c) tail of AIC",
                "measurements m",
                "probability",
                tuple(
                    Layer("tails", "m", "rate", "line", f"AIC > {k} E[AIC]", (("times", k),))
                    for k in (1, 4)
                ),
                (Mark("y", 1 / 3, "1/3"),),
                x_scale="log",
                y_limits=(0.0, 0.4),
                legend="outside",
            ),
        ),
    ),
    Figure(
        "minima",
        MINIMA_CAPTION,
        (
            Panel(
                "(a) exact score at strict minima",
                "m/(n r)",
                "exact score",
                tuple(
                    Layer("points", "at", "exact", "points", f"r {name}", (("kind", name),))
                    for name in ("= 1", "≥ 2")
                ),
                (Mark("y", 1.0, "h falls above"),),
                legend="outside",
            ),
            Panel(
                "(b) share of scores > 1",
                "m/(n r)",
                "share of minima",
                (
                    Layer(
                        "minima", "at", "rate", "points", "{group}", (), "kind", "", "low", "high"
                    ),
                ),
                legend="outside",
            ),
            Panel(
                "(c) EFS with δ = 0",
                "exact score",
                "EFS, δ = 0",
                (Layer("points", "exact", "efs", "points", "{group}", (), "alarm"),),
                (Mark("x", 1.0), Mark("y", 1.0)),
                y_scale="log",
                legend="outside",
            ),
        ),
        columns=2,
    ),
)


class Efs(Experiment):
    """Monte Carlo of section 4.3, and the scores at minima found by descent."""

    name = "sod-efs"
    title = "Escape feasibility under the Gaussian ensemble"
    figures = FIGURES

    def run(self, size: Size, seed: int) -> Outcome:
        """Moments, tails, surveys of minima, and the check of the exact score."""
        rng = np.random.default_rng(seed)
        rows = _moments(size, rng) + _whole(size, rng)
        surveys = [survey(shape, count, seed) for shape, count in SHAPES[size]]
        rows += table("minima", [_minima_row(s) for s in surveys])
        rows += table("points", [row for s in surveys for row in _point_rows(s.distinct())])
        rows += _check(surveys, size, rng) + _example(surveys)
        return Outcome(rows, efs_claims(rows), _values(rows, size, seed))


def _moments(size: Size, rng: np.random.Generator) -> list[Row]:
    """Sampled moments and tails of S.

    Given ω the sum S is normal of variance (2/m)·Σω_i², and Σω_i² is χ²_m/m: one draw costs O(1).
    """
    draws, rows = DRAWS[size], []
    paley: list[dict[str, Any]] = []
    tails: list[dict[str, Any]] = []
    for m in COUNTS:
        square = (2 / m) * rng.chisquare(m, draws) / m * rng.standard_normal(draws) ** 2
        row: dict[str, Any] = {"m": m}
        for name, power, exact in (("second", 1, 2 / m), ("fourth", 2, 12 * (m + 2) / m**3)):
            ratio = square**power / exact
            error = 2 * float(ratio.std()) / np.sqrt(draws)
            value = float(ratio.mean()) - 1
            row |= {name: value, f"{name}_low": value - error, f"{name}_high": value + error}
            row |= {f"{name}_moment": float((square**power).mean()), f"{name}_formula": exact}
        rows.append(row)
        for times in (1, 4):
            count = int(np.count_nonzero(square > times * 2 / m))
            tails.append({"m": m, "times": times} | rate_columns(count, draws))
        if m in (COUNTS[0], COUNTS[-1]):
            for theta in THETAS:
                count = int(np.count_nonzero(square >= theta * 2 / m))
                bound = (1 - theta) ** 2 * m / (3 * (m + 2))
                paley.append({"m": m, "theta": theta, "bound": bound} | rate_columns(count, draws))
    return table("moments", rows) + table("paley", paley) + table("tails", tails)


def _whole(size: Size, rng: np.random.Generator) -> list[Row]:
    """Return the same from whole sets of matrices: E‖A(M)‖² and the moments of S, n = 4."""
    rows, draws, n = [], WHOLE[size], 4
    for m in (5, 20):
        A = matrices(rng, draws, m, n)
        u, v = np.linalg.qr(rng.standard_normal((draws, n, 2)))[0].transpose(2, 0, 1)
        psi, omega = (2 * np.einsum("imab,ia,ib->im", A, u, w) for w in (v, u / 2))
        S = np.sum(psi * omega, axis=1)
        M = rng.standard_normal((n, n))
        M = (M + M.T) / np.linalg.norm(M + M.T)
        size_of = np.einsum("imab,ab->im", A, M) ** 2
        rows.append(
            {
                "m": m,
                "draws": draws,
                "isometry": float(np.mean(np.sum(size_of, axis=1))),
                "second": float(np.mean(S**2)) * m / 2,
                "fourth": float(np.mean(S**4)) * m**3 / (12 * (m + 2)),
            }
        )
    return table("matrices", rows)


def _minima_row(found: Survey) -> dict[str, Any]:
    """Counts over starts, as the paper's success rates are; the share over distinct minima."""
    one = found.distinct()
    p, q = found.minima, one.minima
    fires, over = p.efs > 1, p.exact > 1
    count = len(p.h)
    return {
        "name": found.name,
        "kind": f"n {found.n}, r {found.r}",
        # Shapes of one ratio and different rank stand side by side.
        "at": found.m / (found.n * found.r) + 0.02 * (found.r - 1),
        "n": found.n,
        "r": found.r,
        "m": found.m,
        "runs": found.runs,
        "minima": count,
        "mean_score": float(p.exact.mean()) if count else float("nan"),
        "max_score": float(p.exact.max()) if count else float("nan"),
        "over_by_start": float(over.mean()) if count else float("nan"),
        "efs_sampled_max": float(found.efs.max()) if count else float("nan"),
        "alarms": int(np.count_nonzero(q.efs > 1)),
        "false_alarms": int(np.count_nonzero((q.efs > 1) & (q.exact <= 1))),
        "alarm_share": float(fires.mean()) if count else float("nan"),
        **rate_columns(int(np.count_nonzero(q.exact > 1)), len(q.h)),
    }


def _point_rows(found: Survey) -> list[dict[str, Any]]:
    p, rows = found.minima, []
    for k in range(len(p.h)):
        efs, exact = float(p.efs[k]), float(p.exact[k])
        alarm = "no alarm" if efs <= 1 else ("true alarm" if exact > 1 else "false alarm")
        rows.append(
            {
                "name": found.name,
                "kind": "= 1" if found.r == 1 else "≥ 2",
                "at": found.m / (found.n * found.r),
                "exact": exact,
                "efs": efs,
                "efs_sampled": float(found.efs[k]),
                "alarm": alarm,
                "least": float(p.least[k]),
                "h": float(p.h[k]),
            }
        )
    return rows


def _check(surveys: Sequence[Survey], size: Size, rng: np.random.Generator) -> list[Row]:
    """Exact score against a dense line search, at minima and at critical points of any kind."""
    rows = []
    for found in surveys:
        one = found.distinct()
        rows.append(_compared(one.name, "minima", one.batch, one.minima))
    for n, r, m in ((3, 1, 6), (3, 2, 6)):
        batch = draw(rng, 60 if size == "smoke" else 240, n, r, m)
        points = critical_points(batch, rng.standard_normal((len(batch.A), 4, n, r)), steps=40)
        points = points.take(points.distinct())
        rows.append(_compared(f"n {n}, r {r}, m {m}", "critical points", batch, points))
    return table("check", rows)


def _compared(name: str, kind: str, batch: Any, points: Any) -> dict[str, Any]:
    down, told = falls(batch, points)
    wrong = told & (down != (points.exact > 1))
    return {
        "name": name,
        "kind": kind,
        "points": int(np.count_nonzero(told)),
        "undecided": int(np.count_nonzero(~told)),
        "falling": int(np.count_nonzero(down)),
        "mismatches": int(np.count_nonzero(wrong)),
    }


def _example(surveys: Sequence[Survey]) -> list[Row]:
    """Return the strict minimum with r = 1 and the highest score, its step, and what follows."""
    from liftless import Stop, descend
    from liftless.operators import DenseOperator
    from liftless.problem import Problem

    single = [s for s in surveys if s.r == 1 and len(s.minima.h)]
    if not single:
        return []
    found = max(single, key=lambda s: float(s.minima.exact.max()))
    p = found.minima
    k = int(np.argmax(p.exact))
    A, b = found.batch.A[p.instance[k]], found.batch.b[p.instance[k]]
    problem = Problem(DenseOperator.from_matrices(A), b, 1)
    X = p.X[k] + p.amplitude[k] * p.oracles[k].beta_direction
    done = descend(problem, X, stop=Stop(max_iterations=500))
    return table(
        "example",
        [
            {
                "name": found.name,
                "score": float(p.exact[k]),
                "least": float(p.least[k]),
                "amplitude": float(p.amplitude[k]),
                "efs_sampled": float(found.efs[k]),
                "h_before": float(p.h[k]),
                "h_step": float(problem.objective(X)),
                "h_after": float(done.objective),
                "error": matrix_distance(done.X, found.batch.Z[p.instance[k]]),
            }
        ],
    )


def _values(rows: Sequence[Row], size: Size, seed: int) -> dict[str, Any]:
    def of(name: str) -> list[Row]:
        return [r for r in rows if r["table"] == name]

    minima = of("minima")
    groups = {"r1": [r for r in minima if r["r"] == 1], "r2": [r for r in minima if r["r"] > 1]}
    alarms = sum(r["alarms"] for r in minima)
    half = next(r for r in of("paley") if r["m"] == COUNTS[-1] and r["theta"] == 0.5)
    tails = {r["times"]: r["rate"] for r in of("tails") if r["m"] == COUNTS[-1]}
    return {
        "seed": seed,
        "draws": DRAWS[size],
        "slack": half["rate"] / half["bound"],
        "over": tails[1],
        "far": tails[4],
        "m_last": COUNTS[-1],
        **{f"{k}_over": sum(r["count"] for r in v) for k, v in groups.items()},
        **{f"{k}_minima": sum(r["trials"] for r in v) for k, v in groups.items()},
        "alarms": alarms,
        "false_share": sum(r["false_alarms"] for r in minima) / max(alarms, 1),
        "efs_max": max(r["efs_sampled_max"] for r in minima),
    }
