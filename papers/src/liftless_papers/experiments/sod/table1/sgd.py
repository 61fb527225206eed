"""Stochastic descent in the basic example (Fig. 1), by the library's own method."""

import math

import numpy as np

from liftless import Stop, descend
from liftless.descent import SGD
from liftless_papers.experiments.base import Claim, Row, table, truth_claim
from liftless_papers.experiments.sod.basic.basic import Example
from liftless_papers.experiments.sod.basic.basic_rates import NOISES, RATES, away
from liftless_papers.experiments.sod.rates import rate_columns

#: Steps of a run, and the distance from the truth that it must reach at some step.
STEPS, REACHED = 500, 0.1
#: Rates measured elsewhere, 60 runs each: by noise, in the order of the step sizes.
REFERENCE: dict[float, tuple[float | None, ...]] = {
    0.0: (0.0, 0.0, 0.12, 0.13),
    0.01: (0.18, 0.77, 1.0, 0.53),
}
#: With noise 0.05 the reference has a range for all step sizes.
RANGE = (0.92, 1.0)
#: Runs behind each of them, and the allowed deviation.
THERE, TOLERANCE = 60, 0.1


def sgd_rows(runs: int, seed: int) -> list[Row]:
    """Share of runs from x̂ + 10⁻³ that come within 0.1 of the truth in 500 steps.

    One of the three measurements a step.  A stream is decided by its start: the starts differ by
    10⁻¹², which has no other effect.
    """
    example = Example.named("basic")
    start = example.X + 1e-3 + 1e-12 * np.arange(runs)[:, None, None]
    stop = Stop(0.0, 0.0, STEPS)
    rows = []
    for noise in NOISES:
        for k, rate in enumerate(RATES):
            method = SGD(rate, noise=noise, seed=seed)
            done = descend(example.problem, start, method, stop, history="iterates")
            path = done.history["X"]
            distance = away(path.reshape(-1, 2, 1), example.truth).reshape(path.shape[:2])
            hits = int(np.any(distance < REACHED, axis=1).sum())
            expected = REFERENCE.get(noise, (None,) * len(RATES))[k]
            row = {"noise": noise, "step": rate, "reference": expected}
            rows.append({**row, **rate_columns(hits, runs)})
    return table("sgd", rows)


def sgd_claims(rows: list[Row]) -> list[Claim]:
    """Judge every rate against the reference, to 0.1; to three standard errors with a change."""
    claims = []
    for row in rows:
        rate, runs, expected = float(row["rate"]), int(row["trials"]), row["reference"]
        note = f"{runs} runs here, {THERE} in the reference"
        if expected is None:
            # Nearest number of the reference's range.
            expected = min(max(rate, RANGE[0]), RANGE[1])
            note += f", which says {RANGE[0]} to {RANGE[1]}"
        spread = math.sqrt(rate * (1 - rate) * (1 / runs + 1 / THERE))
        claims.append(
            truth_claim(
                "Fig. 1 (reference)",
                f"SGD from x̂ + 1e-3, step {row['step']:g}, noise {row['noise']:g}: escape rate",
                abs(rate - expected) <= TOLERANCE,
                changed=abs(rate - expected) <= 3 * spread,
                measured=rate,
                expected=float(expected),
                tolerance=TOLERANCE,
                note=f"{note}. The change: three standard errors of both, {3 * spread:.2g}.",
            )
        )
    return claims
