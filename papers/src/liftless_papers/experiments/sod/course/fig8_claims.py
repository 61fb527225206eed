"""What the paper claims of Fig. 8, judged."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from liftless._precision import double
from liftless.certificate import hessian_extremes
from liftless.escape.multi_step import distance_window
from liftless.problem import Problem
from liftless_papers.experiments.base import Claim, Row, truth_claim
from liftless_papers.experiments.sod.course.course import (
    SUCCESS,
    Course,
    Ends,
    Jump,
    distance,
    truth_of,
)
from liftless_papers.experiments.sod.course.course_claims import (
    end_claims,
    leading_claim,
    lifted_claim,
    matrix_claim,
    monotone_claim,
)


def fig8_claims(
    course: Course,
    jumps: Mapping[tuple[float, float], Jump],
    ends: Ends,
    pairs: list[Row],
    t: float,
) -> list[Claim]:
    """Every claim of Section 6.1 and Appendix C.1 on Fig. 8; ``jumps`` by (ρ, η), the main first.

    ``pairs`` has the rows of the table of settings, and ``t`` is the number of simulated steps.
    """
    main = next(iter(jumps.values()))
    claims = [*_spurious_claims(course, main, ends), *_constant_claims(course, main)]
    claims += end_claims("Fig. 8 (a)-(c)", course)
    claims.append(_limit_claim(course, pairs[0]))
    # The other settings are ours: what they do is in the rows, and no claim of the paper.
    setting = "ρ = 0.3, η = 0.01"
    claims.append(leading_claim("Fig. 8 (e)", main, t, setting))
    claims.append(lifted_claim("Fig. 8 (d)", main, t, setting))
    claims.append(matrix_claim("Theorem 5.5, Fig. 8", main, t, setting))
    claims.append(monotone_claim("Prop. 5.3, Fig. 8 (d)", main, t, "ρ = 0.3, η = 0.01"))
    claims.append(_order_claim(main))
    return claims


def _spurious_claims(course: Course, main: Jump, ends: Ends) -> list[Claim]:
    problem = course.instance.problem
    slope = float(np.linalg.norm(problem.gradient(np.array([[1.0], [0.0], [-1.0]]))))
    here = float(np.linalg.norm(problem.gradient(main.X)))
    bend, a = hessian_extremes(problem, main.X)[0], abs(float(main.X[0, 0]))
    share = float(ends.at_spurious.mean())
    return [
        truth_claim(
            "Section 6.1",
            "±(1, 0, −1) are spurious solutions",
            slope < 1e-6,
            changed=bend > 0 and here < 1e-8,
            measured=a,
            expected=1.0,
            tolerance=1e-6,
            note=f"The minimum is ±({a:.5f}, 0, −{a:.5f}), least Hessian eigenvalue {bend:.4f}; "
            f"at ±(1, 0, −1) the gradient is {slope:.3f}.",
        ),
        truth_claim(
            "Section 6.1",
            "With a small start and a suitable seed, descent ends near a spurious solution",
            share > 0,
            measured=share,
            expected="> 0",
            note=f"{share:.1%} of {ends.at_spurious.size} starts; {ends.at_truth.mean():.1%} end "
            "at the truth without any escape.",
        ),
    ]


@double
def _gain(problem: Problem, i: int, j: int) -> float:
    """‖A(M)‖² / ‖M‖² of the symmetric matrix M with ones at (i, j) and (j, i)."""
    e = np.eye(problem.n)[:, :, None]
    y = np.asarray(problem.operator.measure(e[i], e[j]))
    return float(y @ y) / (1.0 if i == j else 0.5)


def _constant_claims(course: Course, main: Jump) -> list[Claim]:
    problem, eps = course.instance.problem, course.instance.parameters["eps"]
    printed = (1 - eps) / (1 + eps)
    gains = [_gain(problem, i, j) for i in range(3) for j in range(3)]
    low, high = min(gains), max(gains)
    delta, scaled = max(1 - low, high - 1), (high - low) / (high + low)
    window = distance_window(main.o.sigma, float(np.sum(truth_of(course.instance) ** 2)), printed)
    gap = distance(main.X, truth_of(course.instance)) ** 2
    return [
        truth_claim(
            "Appendix C.1",
            "The restricted isometry constant is about (1 − ε)/(1 + ε)",
            abs(delta - printed) <= 0.01,
            changed=abs(scaled - (1 - eps**2) / (1 + eps**2)) <= 1e-9,
            measured=delta,
            expected=printed,
            tolerance=0.01,
            note="The change: (1 − ε²)/(1 + ε²) after the best rescaling. ‖A(M)‖²/‖M‖² is "
            f"{low:.2f} and {high:.2f} on two matrices of rank at most two: δ = {delta:.2f}, "
            f"rescaled {scaled:.3f}.",
        ),
        truth_claim(
            "Theorem 5.5, (5.17)",
            "The spurious point of Fig. 8 lies in the distance window that the theorem asks for",
            window[0] <= gap <= window[1],
            measured=gap,
            expected=f"[{window[0]:.3g}, {window[1]:.3g}]",
            note="‖X̂X̂ᵀ − M*‖² is outside the window, with the printed δ; the escape works.",
        ),
    ]


def _limit_claim(course: Course, first: Row) -> Claim:
    end = course.after.X[0]
    away = min(float(np.linalg.norm(end - s * truth_of(course.instance))) for s in (-1, 1))
    return truth_claim(
        "Section 6.1",
        "The escape leads to the neighbourhood of (1, 0, 1)",
        away < SUCCESS,
        measured=away,
        expected=0.0,
        tolerance=SUCCESS,
        note=f"The γ point is already at ±({abs(first['gamma_x1']):.4f}, 0, "
        f"{abs(first['gamma_x1']):.4f}), with ρ = 0.3, η = 0.01. The sign of X is arbitrary.",
    )


def _order_claim(main: Jump) -> Claim:
    """Appendix C.3 says that a larger l makes (5.13) easier."""
    form = main.form
    orders = (3, 11, 31)
    needed = [dataclasses.replace(form, order=order).rho_min for order in orders]
    text = ", ".join(f"{rho:.4g} at l = {order}" for order, rho in zip(orders, needed, strict=True))
    return truth_claim(
        "Section 5.5, Appendix C.3",
        "A larger order l gives a smaller ρ_min, until U_β is not empty (at Fig. 8)",
        needed[0] > needed[1] > needed[2],
        measured=needed[1],
        expected="< 1",
        note=f"ρ_min is {text}: it grows like ‖X̂‖^l, as ‖X̂‖ = {form.norm_X:.3f} > 1.",
    )
