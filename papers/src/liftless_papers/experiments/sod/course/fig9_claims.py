"""What the paper claims of Fig. 9, judged."""

from collections.abc import Mapping

import numpy as np

from liftless.certificate import hessian_extremes
from liftless.instances.papers import REAL_WORLD_PRINTED
from liftless_papers.experiments.base import Claim, truth_claim
from liftless_papers.experiments.sod.course.course import NEAR, Course, Jump
from liftless_papers.experiments.sod.course.course_claims import (
    below_claim,
    end_claims,
    ends_claim,
    everywhere_claim,
    leading_claim,
    lifted_claim,
    matrix_claim,
    monotone_claim,
)

#: Printed with four digits, cut and not rounded.
DIGITS = 1e-4


def fig9_claims(
    course: Course,
    jumps: Mapping[int, Jump],
    turned: Mapping[int, Jump],
    left: float,
    t: float,
) -> list[Claim]:
    """Every claim of Section 6.1 and Appendix C.2 on Fig. 9.

    ``jumps`` and ``turned``, with −u_n, are by order; ``left`` is the distance to the minimum
    after the long descent, and ``t`` the number of simulated steps.
    """
    main, setting = jumps[5], "l = 5, ρ = η = 0.1"
    claims = [_minimum_claim(main), _descent_claim(course, left)]
    claims += end_claims("Fig. 9 (a)-(c)", course)
    claims.append(leading_claim("Fig. 9 (e)", main, t, setting))
    claims.append(lifted_claim("Fig. 9 (d)", main, t, setting))
    claims += [
        below_claim("Section 6.1, Theorem 3.2", jump, turned[order])
        for order, jump in jumps.items()
    ]
    claims.append(matrix_claim("Theorem 5.5, Fig. 9", main, t, setting))
    inside = (main.form.u_beta.lower + main.form.u_beta.upper) / 2
    claims.append(matrix_claim("Theorem 5.5, β-type", main, inside, setting, "beta"))
    claims += [everywhere_claim("Theorem 5.5, γ-type", jumps[order]) for order in (3, 5, 7)]
    claims.append(monotone_claim("Prop. 5.3, Fig. 9 (d)", main, t, setting))
    claims.append(ends_claim("Prop. 5.4, Fig. 9", main, setting))
    return claims


def _minimum_claim(main: Jump) -> Claim:
    printed = np.sign(main.X[0, 0]) * np.array(REAL_WORLD_PRINTED)[:, None]
    bend = hessian_extremes(main.problem, main.X)[0]
    away = float(np.abs(main.X - printed).max())
    slope = float(np.linalg.norm(main.problem.gradient(printed)))
    return truth_claim(
        "Appendix C.2",
        "±(0.2234, 0.0918, 0.5985) is a local minimum",
        bend > 0 and away < DIGITS,
        measured=away,
        expected=0.0,
        tolerance=DIGITS,
        note=f"The minimum is ±({', '.join(f'{abs(x):.6f}' for x in main.X[:, 0])}), least Hessian "
        f"eigenvalue {bend:.4f}; at the printed digits the gradient is {slope:.1e}.",
    )


def _descent_claim(course: Course, left: float) -> Claim:
    away = float(np.linalg.norm(course.before.X - course.minimum))
    return truth_claim(
        "Section 6.1",
        "100 steps of descent before the escape drive the iterate to the local minimum",
        away < 1e-6,
        changed=away < NEAR and left < 1e-6,
        measured=away,
        expected=0.0,
        tolerance=1e-6,
        note=f"It is near but has not converged: {away:.1e} away, gradient "
        f"{course.before.gradient_norm:.1e}. After 2000 more steps it is {left:.1e} away.",
    )
