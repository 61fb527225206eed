"""What the paper claims of Fig. 1 and concludes from it, judged."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless_papers.experiments.base import Claim, Row, truth_claim

#: Series that a claim names.
UNPERTURBED = "r' = 3, no perturbation"
PGD4 = "r' = 4, PGD"
OFTEN = "PGD where |∇f| <= 1e-3"
IPGD_PLUS = "IPGD+, γ = 1e-15"
#: Unknowns of a symmetric matrix of order 20 and rank 4.
UNKNOWNS = 74
#: Error from which descent is linear, and the one where round-off begins to show.
FROM, TO = 1e-2, 1e-10


def fig1_claims(
    curves: Sequence[Any], ends: list[Row], counts: list[Row], steps: int
) -> list[Claim]:
    """Every claim on Fig. 1."""
    return [
        linear_claim(curves, ends),
        slow_claim(curves, ends, steps),
        wrong_claim(ends, counts),
        cause_claim(ends),
        infinitesimal_claim(ends),
    ]


def _of(ends: list[Row], series: str, column: str) -> Float[np.ndarray, " k"]:
    return np.array([row[column] for row in ends if row["series"] == series], dtype=np.float64)


def _span(values: Float[np.ndarray, " k"]) -> str:
    return f"{np.median(values):.1e} ({values.min():.1e} to {values.max():.1e})"


def slope_of(x: Float[np.ndarray, " k"], y: Float[np.ndarray, " k"]) -> tuple[float, float]:
    """Slope of y on x, and the part of the variance that the line leaves."""
    (slope, _), (left, *_) = np.polyfit(x, y, 1), np.polyfit(x, y, 1, full=True)[1]
    return float(slope), float(left / np.sum((y - y.mean()) ** 2))


def linear_claim(curves: Sequence[Any], ends: list[Row]) -> Claim:
    """Linear convergence with r' = r."""
    rates, left = [], []
    for curve in curves:
        if curve.series == UNPERTURBED:
            keep = (curve.error < FROM) & (curve.error > TO)
            slope, rest = slope_of(curve.t[keep], np.log(curve.error[keep]))
            rates.append(np.exp(slope))
            left.append(rest)
    errors = _of(ends, "r' = 3, PGD", "error")
    good = max(left) < 0.02 and max(rates) < 1 and bool(errors.max() < 1e-5)
    times = _of(ends, "r' = 3, PGD", "iterations")
    return truth_claim(
        "Fig. 1, r' = 3",
        "with the rank known PGD from a random start converges linearly, not trapped at a saddle",
        good,
        measured=float(np.median(rates)),
        expected="a factor below 1 for each step",
        note=f"The logarithm of the error falls along a line (at most {max(left):.1e} of its "
        f"variance is off it). PGD returns after {times.min():.0f} to {times.max():.0f} steps with "
        f"an error of {_span(errors)}, set by its threshold of 1e-6 on the gradient.",
    )


def slow_claim(curves: Sequence[Any], ends: list[Row], steps: int) -> Claim:
    """No linear convergence with r' = r + 1, and the law that replaces it."""
    slopes = []
    for curve in curves:
        if curve.series == PGD4:
            keep = curve.t >= steps / 8
            slopes.append(slope_of(np.log(curve.t[keep]), np.log(curve.error[keep]))[0])
    times = [t for t in (500, 1000, 2000, 4000) if t <= steps]
    errors = ", ".join(f"{np.median(_of(ends, PGD4, f'at_{t}')):.2e} at t = {t}" for t in times)
    last = _of(ends, PGD4, f"at_{times[-1]}")
    return truth_claim(
        "Fig. 1, r' = 4",
        "with one column too many PGD from a random start fails to converge",
        bool(last.min() > 1.0),
        changed=bool(max(abs(s + 1) for s in slopes) < 0.1 and last.min() > 1e-3),
        measured=float(np.median(slopes)),
        expected="an error that stays",
        note=f"It converges, but as t to the power {min(slopes):.3f} to {max(slopes):.3f}: median "
        f"error {errors} ({last.min():.1e} to {last.max():.1e} over the draws).",
    )


def wrong_claim(ends: list[Row], counts: list[Row]) -> Claim:
    """The solution of rank above r."""
    last = _of(ends, PGD4, "error")
    few = [r for r in counts if r["width"] == 4 and r["N"] <= UNKNOWNS]
    many = [r for r in counts if r["width"] == 4 and r["N"] > UNKNOWNS]
    exact = [r for r in counts if r["width"] == 3 and r["N"] <= UNKNOWNS]
    wrong = bool(few) and all(r["error"] > 0.1 and r["fourth"] > 0.1 for r in few)
    return truth_claim(
        "Section 1.1",
        "PGD with r' = r + 1 converges to a solution of rank above r, with a significant error",
        bool(last.min() > 0.1),
        changed=wrong and max(r["error"] for r in many) < 0.1,
        measured=float(last.min()),
        expected="an error of the size of M*",
        note=f"For N <= {UNKNOWNS} measurements only, the unknowns of four columns: errors of "
        f"{min(r['error'] for r in few):.1e} and more, but r' = 3 fails there as well (up to "
        f"{max(r['error'] for r in exact):.1e}). For more measurements the error is at most "
        f"{max(r['error'] for r in many):.1e} and falls.",
    )


def cause_claim(ends: list[Row]) -> Claim:
    """Whether the perturbation is what makes it fail."""
    noise = int(_of(ends, PGD4, "perturbations").sum())
    large, small = _of(ends, "PGD, γ = 1e-2", "error"), _of(ends, "PGD, γ = 1e-3", "error")
    often, exact = _of(ends, OFTEN, "error"), _of(ends, f"{OFTEN}, r' = 3", "error")
    isolated = np.median(large) > 1e-5 and np.median(small) < np.median(large)
    return truth_claim(
        "Section 1.1",
        "the perturbations are what makes PGD fail with r' > r",
        noise > 0,
        changed=bool(isolated),
        measured=noise,
        expected="at least one perturbation",
        note="From a random start the gradient never falls to the threshold, no perturbation is "
        "made, and the start itself fills the fourth column. From zero the perturbation is all "
        f"there is: error {_span(large)} with γ = 1e-2 and {_span(small)} with 1e-3; perturbed "
        f"wherever |∇f| <= 1e-3, {_span(often)}, but {_span(exact)} with r' = 3 too.",
    )


def infinitesimal_claim(ends: list[Row]) -> Claim:
    """IPGD+ on the same problem."""
    errors, fourth = _of(ends, IPGD_PLUS, "error"), _of(ends, IPGD_PLUS, "fourth")
    good = int(np.sum(errors <= 1e-12))
    return truth_claim(
        "Fig. 1, Section 1.2",
        "an infinitesimal perturbation escapes the saddle and keeps to the region: M* is recovered",
        bool(errors.max() < 1e-9),
        measured=float(np.median(errors)),
        expected=0.0,
        tolerance=1e-9,
        note=f"From zero with r' = 4, γ = 1e-15 and T_escape = 100: error {_span(errors)}, at most "
        f"1e-12 in {good} of {errors.size}; it is the square of the fourth singular value, "
        f"{_span(fourth)}.",
    )
