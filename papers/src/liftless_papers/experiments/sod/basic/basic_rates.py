"""Random starts, stochastic descent and long runs in the basic example."""

import math

import numpy as np
from jaxtyping import Float

from liftless.operators import matrix
from liftless_papers.experiments.base import Claim, Row, number_claim, table, truth_claim
from liftless_papers.experiments.sod.basic.basic import SUCCESS, Example, plain_descent

#: A point this close to x̂ (or to the truth), in ‖X Xᵀ − X̂ X̂ᵀ‖_F, has been caught by it.
NEAR = 0.05
#: Runs behind the reference rates: gradient descent, stochastic descent.
REFERENCE_RUNS = {"gd": 400, "sgd": 60}
#: Step sizes and noise levels of stochastic descent.
RATES = (0.01, 0.03, 0.1, 0.2)
NOISES = (0.0, 0.01, 0.05)
#: Starts (x1, 1/√2) of the long runs, their step size, and the last step.
OFFSETS = (0.05, 0.01, 1e-6)
STEP, LONG = 0.01, 100_000


def away(X: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """‖X Xᵀ − Z Zᵀ‖_F of many points; infinite where a run has diverged."""
    finite = np.all(np.isfinite(X) & (np.abs(X) < 1e9), axis=(1, 2))
    X = np.where(finite[:, None, None], X, 0.0)
    distance = np.linalg.norm(X @ X.transpose(0, 2, 1) - Z @ Z.T, axis=(1, 2))
    return np.where(finite, distance, math.inf)


def stochastic_descent(
    example: Example,
    X0: Float[np.ndarray, "n r"],
    step: float,
    steps: int,
    rng: np.random.Generator,
    *,
    runs: int = 1,
    noise: float = 0.0,
) -> Float[np.ndarray, "p k n r"]:
    """Stochastic gradient descent that sees one measurement a step, for rank one.

    The gradient is 2 m (⟨A_i, X Xᵀ⟩ − b_i) A_i X with i uniform, an unbiased estimate of (1.2).

    Parameters
    ----------
    example : Example
    X0 : array of shape (n, r)
        Start of every run.
    step, steps : float, int
        Step size and number of steps.
    rng : Generator
    runs : int
        Number k of independent runs.
    noise : float
        Standard deviation of Gaussian noise added to the iterate at every step.

    Returns
    -------
    array of shape (steps + 1, k, n, r)
    """
    m, b = example.problem.m, np.asarray(example.problem.b)
    A = np.stack([np.asarray(matrix(example.problem.operator, e)) for e in np.eye(m)])
    X = np.repeat(X0[None], runs, axis=0)
    path = np.empty((steps + 1, *X.shape))
    path[0] = X
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(steps):
            i = rng.integers(m, size=runs)
            AX = A[i] @ X
            misfit = np.sum(AX * X, axis=(1, 2)) - b[i]
            X = X - 2 * m * step * misfit[:, None, None] * AX
            if noise:
                X = X + noise * rng.standard_normal(X.shape)
            path[k + 1] = X
    return path


def long_runs(example: Example) -> list[Row]:
    """Long descents from beside x̂, looked at along the way."""
    X = np.array([[[x1], [math.sqrt(0.5)]] for x1 in OFFSETS])
    looks = np.unique(np.round(np.geomspace(1, LONG, 26)).astype(int))
    looks = np.unique(np.r_[looks, 1000, 10_000])
    rows, done = [], 0
    for k in looks:
        X, done = plain_descent(example.problem, X, STEP, int(k) - done).X, int(k)
        for offset, x in zip(OFFSETS, X, strict=True):
            distance = max(example.distance(x), 1e-16)
            row = {"offset": offset, "step": done, "distance": distance}
            rows.append({**row, "x1": float(x[0, 0])})
    return table("plateau", rows)


def descent_rates(example: Example, runs: int, seed: int) -> list[Row]:
    """Where gradient descent ends from random starts."""
    unit = np.random.default_rng([seed, 2]).standard_normal((runs, 2, 1))
    rows = []
    for size, rate, steps in ((1.0, 0.01, 300), (1.0, 0.1, 300), (0.06, 0.1, 3000)):
        ends = plain_descent(example.problem, size * unit, rate, steps).X
        truth = float(np.mean(away(ends, example.truth) < NEAR))
        point = float(np.mean(away(ends, example.X) < NEAR))
        row = {"start": size, "rate": rate, "steps": steps, "runs": runs}
        rows.append({**row, "truth": truth, "point": point})
    return rows


def stochastic_rates(example: Example, runs: int, seed: int) -> list[Row]:
    """Share of runs of stochastic descent that come within 0.1 of the truth in 500 steps."""
    rows = []
    start = example.X + 1e-3
    for noise in NOISES:
        for rate in RATES:
            rng = np.random.default_rng([seed, 3])
            path = stochastic_descent(example, start, rate, 500, rng, runs=runs, noise=noise)
            distance = away(path.reshape(-1, 2, 1), example.truth).reshape(path.shape[:2])
            share = float(np.mean(np.any(distance < 0.1, axis=0)))
            error = 2 * math.sqrt(share * (1 - share) / runs)
            row = {"noise": noise, "rate": rate, "share": share, "runs": runs}
            rows.append({**row, "low": max(share - error, 0.0), "high": min(share + error, 1.0)})
    return rows


# -- verdicts -------------------------------------------------------------------------------------


def _agree(measured: list[float], expected: tuple[float, ...], runs: int, there: int) -> bool:
    """Whether every rate is within three standard errors of its reference."""
    good = True
    for p, q in zip(measured, expected, strict=True):
        # A rate of 0 or 1 has no spread of its own: one run in there + 2 gives it one.
        mid = min(max(q, 1 / (there + 2)), 1 - 1 / (there + 2))
        good &= abs(p - q) <= 3 * math.sqrt(mid * (1 - mid) * (1 / runs + 1 / there))
    return good


def _rates_claim(text: str, rows: list[Row], key: str, expected: tuple[float, ...]) -> Claim:
    there = REFERENCE_RUNS["gd" if key != "share" else "sgd"]
    runs = int(rows[0]["runs"])
    measured = [float(row[key]) for row in rows]
    return truth_claim(
        "Fig. 1 (reference)",
        text,
        _agree(measured, expected, runs, there),
        measured=" ".join(f"{p:.3g}" for p in measured),
        expected=" ".join(f"{p:.3g}" for p in expected),
        note=f"{runs} runs here, {there} in the reference; three standard errors of both allowed.",
    )


def rate_claims(gd: list[Row], sgd: list[Row]) -> list[Claim]:
    """Judge the rates against the reference, and the sentence on stochastic descent."""
    calm = [row for row in sgd if row["noise"] == 0 and row["rate"] <= 0.03]
    top = max(row["share"] for row in sgd)
    small = max(row["share"] for row in calm)
    by_noise = {noise: [row for row in sgd if row["noise"] == noise] for noise in NOISES}
    start = "Share of stochastic runs that come within 0.1 of the truth in 500 steps"
    sizes = "step sizes .01, .03, .1, .2"
    return [
        truth_claim(
            "Fig. 1",
            "Stochastic descent does not escape the basin within the iteration budget",
            top < 0.01,
            changed=small < 0.01,
            measured=top,
            expected=0.0,
            note=f"With step size <= 0.03 and no added noise at most {small:.2g} of the runs from "
            f"x̂ + 1e-3 escape in 500 steps; with larger steps or noise up to {top:.2g}.",
        ),
        _rates_claim(f"{start}, no noise, {sizes}", by_noise[0.0], "share", (0.0, 0.0, 0.12, 0.13)),
        _rates_claim(
            f"{start}, noise 0.01, {sizes}", by_noise[0.01], "share", (0.18, 0.77, 1.0, 0.53)
        ),
        _rates_claim(
            "Gradient descent from N(0, 1) ends at the truth: step size .01, .1 (300 steps); "
            "from 0.06 N(0, 1): .1 (3000 steps)",
            gd,
            "truth",
            (0.69, 0.90, 1.0),
        ),
        _rates_claim("The same runs end near x̂", gd, "point", (0.07, 0.06, 0.0)),
    ]


def long_claims(plateau: list[Row]) -> list[Claim]:
    """Judge the long runs from beside x̂ against the reference."""
    seen = {(r["offset"], r["step"]): r for r in plateau}
    last = max(r["step"] for r in plateau)
    wide, narrow, tiny = OFFSETS
    where = "Fig. 1 (reference)"
    return [
        number_claim(
            where, "x₁ after 1000 steps from (.05, 1/√2)", seen[wide, 1000]["x1"], 0.059, 5e-4
        ),
        number_claim(
            where, "x₁ after 10⁴ steps from (.01, 1/√2)", seen[narrow, 10**4]["x1"], 0.01065, 5e-6
        ),
        truth_claim(
            where,
            "From (.05, ·) the truth is reached by 10⁴ steps, from (.01, ·) by 10⁵; from (1e-6, ·) "
            "not within 10⁵",
            seen[wide, 10**4]["distance"] < SUCCESS
            and seen[narrow, last]["distance"] < SUCCESS
            and seen[tiny, last]["distance"] > 0.5,
            measured=f"{seen[wide, 10**4]['distance']:.1e}, {seen[narrow, last]['distance']:.1e}, "
            f"{seen[tiny, last]['distance']:.4f}",
            expected=f"< {SUCCESS}, < {SUCCESS}, > 0.5",
        ),
    ]
