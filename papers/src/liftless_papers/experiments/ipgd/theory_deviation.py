"""Proposition 4, Definition 5 and Theorem 5 of the IPGD paper: the residual along descent."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from liftless.descent import IPGD, ipgd
from liftless.instances.ipgd import make_ipgd_problem
from liftless.problem import Problem
from liftless_papers.experiments.base import Claim, Row, truth_claim
from liftless_papers.experiments.ipgd._paths import (
    gradient_paths,
    hessians,
    region_of,
    uniform_ball,
)
from liftless_papers.experiments.ipgd.theory_escape import Parts, constants
from liftless_papers.ipgd.constants import SensingConstants
from liftless_papers.ipgd.deviation import Deviation, deviation_along, deviation_rate, step_excess
from liftless_papers.ipgd.region import SymmetricRegion, split
from liftless_papers.ipgd.sensing import gaussian_sensing, isometry_constant

#: Order, spectrum, measurements and columns; radius and steps of the two paths.
ORDER, SPECTRUM, MEASUREMENTS, COLUMNS = 8, (1.0, 0.5), 600, 5
GAMMA, STEPS = 1e-6, 1500
#: Relative round-off of a residual of this size.
ROUND = 1e-8
#: Problems of which one step is tried for closure, and their sizes.
CLOSED = {"ms-sym": {"n": 8}, "mc-rect": {"n": 8}, "sparse": {"d": 20, "N": 40}}
#: Relative residual that is round-off.
CLOSE = 1e-13
#: Theorem 5: order, measurements, columns and accuracy, for a truth of rank one.
SMALL = (6, 100_000, 3)
EPSILON, CHI, RADIUS = 0.01, 0.1, 1e-15


class Walks(NamedTuple):
    """Descent from near zero, and from above the truth, with a tiny residual."""

    problem: Problem
    region: SymmetricRegion
    eta: float
    rho: float
    up: Float[np.ndarray, "T n r"]
    down: Float[np.ndarray, "T n r"]
    growing: Deviation
    shrinking: Deviation


def walks(seed: int) -> Walks:
    """Two paths with η = 1/L: the residual of the first grows, that of the second shrinks.

    The second starts at twice the truth with a residual along the largest curvature.
    """
    problem, truth = gaussian_sensing(ORDER, SPECTRUM, MEASUREMENTS, COLUMNS, seed)
    c, region = SensingConstants.of(truth, COLUMNS), SymmetricRegion(len(SPECTRUM))
    rng = np.random.default_rng([seed, 44])
    above = 2 * np.pad(truth, ((0, 0), (0, COLUMNS - truth.shape[1])))
    outside = np.linalg.svd(truth)[0][:, truth.shape[1] :]
    S = outside.T @ np.asarray(problem.slack(above, outside))
    steep = outside @ np.linalg.eigh((S + S.T) / 2)[1][:, -1]
    noise = np.stack(
        [uniform_ball(rng, 1, ORDER, COLUMNS)[0], np.outer(steep, np.eye(COLUMNS)[-1])]
    )
    starts = GAMMA * noise + np.stack([0 * above, above])
    paths = gradient_paths(problem, starts, 1 / c.L, STEPS)[0]
    rates = [deviation_along(problem, region, path) for path in paths]
    return Walks(problem, region, 1 / c.L, c.rho, *paths, *rates)


# -- Proposition 4 and Definition 5 ---------------------------------------------------------------


def residual_dynamics(w: Walks) -> Parts:
    """Proposition 4 and Lemmas 17 and 18 along both paths."""
    rows: list[Row] = []
    for name, d, path in (("from zero", w.growing, w.up), ("from above", w.shrinking, w.down)):
        some = np.arange(0, STEPS, STEPS // 30)
        H = hessians(w.problem, path[some])
        tight = 0.0
        for t, curvature in zip(some, H, strict=True):
            # Lemma 17, with the Hessian at the signal; the residual is too small to matter there.
            x = split(w.region, path[t])[1]
            moved = x.ravel() - w.eta * curvature @ x.ravel()
            size = float(np.linalg.norm(x))
            bound = float(np.linalg.norm(moved)) + 1.5 * w.eta * w.rho * size**2
            tight = max(tight, float(d.residual[t + 1]) / bound - 1)
        a = float(d.residual[0])
        over = 0.0
        for t in range(STEPS + 1):
            over = max(over, float(d.residual[t]) / a - 1)
            a *= 1 + w.eta / 2 * float(max(d.rate.max(), 0.0)) + w.eta * w.rho / 2 * a
        rows.append(
            {
                "path": name,
                "excess": step_excess(d, w.eta, w.rho),
                "lemma_17": tight,
                "lemma_18": over,
                "growth": float(d.residual[-1] / d.residual[0]),
            }
        )
    return rows, [_dynamics(rows)]


def _dynamics(rows: list[Row]) -> Claim:
    worst = {key: max(row[key] for row in rows) for key in ("excess", "lemma_17", "lemma_18")}
    return truth_claim(
        "Prop. 4",
        "‖x_{t+1}⊥‖ <= (1 + ½ η r(x_t) + ½ η ρ ‖x_t⊥‖) ‖x_t⊥‖ for η <= 1/L",
        holds=max(worst.values()) <= ROUND,
        measured=worst["excess"],
        expected="<= 0",
        tolerance=ROUND,
        note=(
            f"Largest relative excess over {2 * STEPS} steps, growing and shrinking; of Lemma 17 "
            f"{worst['lemma_17']:.0e}, of the sequence of Lemma 18 {worst['lemma_18']:.0e}."
        ),
    )


def prose(w: Walks) -> Parts:
    """The two places where the words about Definition 5 are exchanged."""
    same = opposite = 0
    for d in (w.growing, w.shrinking):
        grows = np.diff(np.log(d.residual))
        # Only where it moves by more than round-off, and both parts of the rate agree.
        clear = (np.abs(grows) > 1e-6) & (np.sign(d.rate[:-1]) == np.sign(d.first_order[:-1]))
        same += int(np.sum(clear & (grows * d.rate[:-1] > 0)))
        opposite += int(np.sum(clear & (grows * d.rate[:-1] < 0)))
    X = w.up[STEPS // 20]
    d = deviation_rate(w.problem, w.region, X)
    signal, residual = (np.asarray(part) for part in split(w.region, X))
    lam, V = np.linalg.eigh(hessians(w.problem, signal[None])[0])
    part = (V.T @ residual.ravel()) ** 2
    part /= part.sum()
    below = float(-np.minimum(lam, 0) @ part)
    above = float(-np.maximum(lam, 0) @ part)
    gaps = abs(float(d.positive) - below), abs(float(d.negative) - above)
    rows: list[Row] = [
        {"same": same, "opposite": opposite}
        | {"positive": float(d.positive), "negative": float(d.negative)}
        | {"from_negative": below, "from_positive": above}
    ]
    return rows, [
        truth_claim(
            "Sec. 1.2",
            "A positive deviation rate shrinks the residual, a negative one makes it grow",
            holds=same == 0 and opposite > 0,
            changed=opposite == 0 and same > 0,
            measured=f"{opposite} of {same + opposite} steps",
            expected="all",
            note="Change: the words exchanged. Proposition 4 has them right.",
        ),
        truth_claim(
            "Def. 5, text after (11)",
            "Negative and positive rate are the negative and positive curvature along the residual",
            holds=abs(float(d.positive) + above) < 1e-9 * abs(above),
            changed=max(gaps) < 1e-9 * max(abs(below), abs(above)),
            measured=f"r₊ = {float(d.positive):.3e}, r₋ = {float(d.negative):.3e}",
            expected=f"r₊ = {-above:.3e}",
            note=(
                "Change: exchanged. Equations (9) and (10) take r₋ from the positive part of the "
                f"Hessian ({above:.3e}) and r₊ from the negative part ({below:.3e}), here by a "
                "dense eigendecomposition; the proof (52) uses them so."
            ),
        ),
    ]


# -- Assumption 3 and Theorem 5 -------------------------------------------------------------------


def closure(seed: int) -> Parts:
    """Examples 1 and 2: one gradient step from a point of the region."""
    rows: list[Row] = []
    rng = np.random.default_rng([seed, 45])
    for name, sizes in CLOSED.items():
        made = make_ipgd_problem(name, seed, **sizes)
        region, shape = region_of(made), (made.problem.n, made.problem.rank)
        X = split(region, rng.standard_normal(shape))[0]
        points = {"region": X}
        if name == "mc-rect":  # rank of the stacked [X; Y], so that both blocks share their rows
            points["stacked"] = split(SymmetricRegion(made.rank), X)[0]
        for kind, start in points.items():
            after = start - 0.1 * made.scale * np.asarray(made.problem.gradient(start))
            out = float(np.linalg.norm(split(region, after)[1]) / np.linalg.norm(after))
            rows.append({"problem": name, "points": kind, "outside": out})
    found = {(row["problem"], row["points"]): row["outside"] for row in rows}
    plain = max(found["ms-sym", "region"], found["sparse", "region"])
    pair, stacked = found["mc-rect", "region"], found["mc-rect", "stacked"]
    return rows, [
        truth_claim(
            "Examples 1 and 2",
            "The regions of sparse and of symmetric recovery are closed under gradient steps",
            holds=plain < CLOSE,
            measured=plain,
            expected=0.0,
            note="Residual after a step from a random point of the region, relative.",
        ),
        truth_claim(
            "Example 2, asymmetric",
            "rank X <= r and rank Y <= r is closed under gradient steps",
            holds=pair < CLOSE,
            changed=stacked < CLOSE,
            measured=pair,
            expected=0.0,
            note=(
                "Relative residual after a step from random X and Y of rank r: X − η G Y has rank "
                "up to 2r. Change: rank [X; Y] <= r, which is closed "
                f"({stacked:.0e}), with the balance term as well."
            ),
        ),
    ]


def theorem_5(seed: int) -> Parts:
    """An ε-𝓜-SOSP of over-parameterised sensing, by Algorithm 1 with the proof's constants."""
    n, N, columns = SMALL
    problem, truth = gaussian_sensing(n, (1.0,), N, columns, seed)
    delta = isometry_constant(problem)
    c = SensingConstants.of(truth, columns, delta)
    zero = np.zeros((n, columns))
    gap, eta = float(problem.objective(zero)), 1 / c.L
    size = c.rho * c.dimension * gap / (CHI * EPSILON)
    F, G, T = constants(RADIUS, EPSILON, eta, c.rho, size)
    run = ipgd(problem, zero, IPGD(RADIUS, eta=eta, G=G, F=F, T_escape=T), seed=seed)
    residual = float(np.linalg.norm(split(SymmetricRegion(1), run.x)[1]))
    tolerance = math.sqrt(c.rho * EPSILON)
    logs = (-math.log(RADIUS)) ** 4 + math.log(size) ** 4
    row = {
        "delta": delta,
        "gradient": run.gradient_norm,
        "least": run.least_curvature,
        "residual": residual,
        "steps": run.ipgd_iterations,
        "bound": 4 * gap / (eta * EPSILON**2) * logs,
        "condition": c.deviation_bound() * eta * run.ipgd_iterations,
    }
    good = row["gradient"] <= EPSILON and row["least"] >= -tolerance
    return [row], [
        truth_claim(
            "Theorem 5",
            "IPGD outputs an ε-𝓜-SOSP within T steps under C1, C2 and C3",
            holds=good and residual <= EPSILON / c.L and row["steps"] <= row["bound"],
            measured=residual,
            expected=f"<= {EPSILON / c.L:.1e}",
            note=(
                f"Sensing, n = {n}, r = 1, r' = {columns}, δ = {delta:.3f}, ε = {EPSILON}: "
                f"residual; gradient {row['gradient']:.0e}, least curvature {row['least']:.0e} "
                f"(>= {-tolerance:.2f}), {row['steps']} steps of {row['bound']:.0e}. η T times the "
                f"bound on R(τ) is {row['condition']:.0f}, far from the order 1 of C3, and the "
                "residual is small all the same: C3 is sufficient, not needed."
            ),
        )
    ]
