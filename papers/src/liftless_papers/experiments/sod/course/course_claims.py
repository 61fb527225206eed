"""Claims that the paper makes of either course, Figs 8 and 9, judged by what was measured."""

import math

import numpy as np

from liftless_papers.experiments.base import Claim, truth_claim
from liftless_papers.experiments.sod.course.course import (
    SUCCESS,
    Course,
    Jump,
    crossing,
    distance,
    least_ratio,
    truth_of,
)

_TERMS = {"a": "a-term", "b": "b-term", "c": "c-term"}


def end_claims(where: str, course: Course) -> list[Claim]:
    """After the escape all three curves go to zero, and the end is ±Z."""
    errors = course.errors(next(iter(course.jumps)))
    h, gradient = (course.after.history[key][0] for key in ("objective", "gradient_norm"))
    step = course.success_step(next(iter(course.jumps)))
    left = {
        "objective": float(h[-1] / course.before.objective),
        "distance": float(errors[-1]) / distance(course.minimum, truth_of(course.instance)),
        # At the minimum the gradient is zero: it is compared with its largest value after.
        "gradient": float(gradient[-1] / gradient.max()),
    }
    return [
        truth_claim(
            where,
            f"{errors.size - 1} steps after the escape reach the truth",
            bool(errors[-1] < SUCCESS),
            measured=float(errors[-1]),
            expected=0.0,
            tolerance=SUCCESS,
            note=f"Error {errors[-1]:.2e} from {errors[0]:.3f}; below {SUCCESS} after "
            f"{step:.0f} steps.",
        ),
        truth_claim(
            where,
            "Objective, gradient and distance all approach zero after the escape",
            max(left.values()) < 0.02,
            measured=max(left.values()),
            expected=0.0,
            tolerance=0.02,
            note="What is left: " + ", ".join(f"{k} {v:.1e}" for k, v in left.items()) + ".",
        ),
    ]


def leading_claim(where: str, jump: Jump, t: float, setting: str) -> Claim:
    """The c-term dominates at the escape."""
    leading, norms = jump.leading(t), jump.norms(np.array([t]))
    sizes = "/".join(f"{float(v[0]):.4g}" for v in norms.values())
    return truth_claim(
        where,
        f"At t = {t:.0f} the c-term dominates the two others ({setting})",
        leading == "c",
        measured=_TERMS[leading],
        expected="c-term",
        note=f"Norms of a/b/c: {sizes}; U_γ starts at t = {jump.form.u_gamma.lower:.1f}.",
    )


def lifted_claim(where: str, jump: Jump, t: float, setting: str) -> Claim:
    """h^l is lower at the escape than at the lift of X̂."""
    at = np.array([t])
    exact, diagonal = float(jump.lifted_ratio(at)[0]), float(jump.diagonal_ratio(at)[0])
    return truth_claim(
        where,
        f"At t = {t:.0f} the lifted objective is below its value at the spurious point ({setting})",
        exact < 1,
        measured=exact,
        expected="< 1",
        note=f"Exact ratio {exact:.6g}. The surrogate that keeps the m diagonal residuals alone, "
        f"which is not h^l, says {diagonal:.6g}.",
    )


def matrix_claim(where: str, jump: Jump, t: float, setting: str, kind: str = "gamma") -> Claim:
    """h(X̌) < h(X̂), as Theorem 5.5 promises."""
    ratio = float(jump.matrix_ratio(kind, np.array([t]))[0])
    low, high = jump.steps_where_gamma_lowers()
    window = f"The γ point lowers h for {low:.0f} < t < {high:.0f} only, and U_γ is unbounded."
    if kind == "beta":
        window = f"No amplitude of the b-term gives less than {jump.best_ratio('beta'):.4f}."
    before = float(jump.problem.objective(jump.X))
    return truth_claim(
        where,
        f"h(X̌) < h(X̂) at t = {t:.0f} ({setting})",
        ratio < 1,
        measured=ratio,
        expected="< 1",
        note=f"h goes from {before:.6g} to {before * ratio:.6g}. {window}",
    )


def monotone_claim(where: str, jump: Jump, t: float, setting: str) -> Claim:
    """Each truncated step lowers h^l (Prop. 5.3)."""
    least, at = least_ratio(jump, t * 1e-4, t * 10)
    early = np.r_[0.0, np.geomspace(at * 1e-5, at, 400)]
    ratio = jump.lifted_ratio(early)
    top = int(np.argmax(ratio))
    falls = bool(np.all(np.diff(ratio[top:]) < 0))
    rise = f"it rises first, up to {ratio[top]:.8g}; " if top else ""
    back = (
        f"passes 1 at t = {crossing(jump.lifted_ratio, at, t * 100):.0f}"
        if least < 1
        else ("was above 1 from the first step on")
    )
    return truth_claim(
        where,
        f"Every simulated step lowers the lifted objective, up to t = {t:.0f} ({setting})",
        at >= t and top == 0 and falls,
        changed=falls,
        measured=at,
        expected=f">= {t:.0f}",
        note=f"Holds for {early[top]:.0f} <= t <= {at:.0f} only. The ratio to the spurious point "
        f"starts at {ratio[0]:.6g}; {rise}its least value is {least:.5g}; then h^l rises again and "
        f"{back}.",
    )


def below_claim(where: str, jump: Jump, turned: Jump) -> Claim:
    """For a finite number of steps h^l gets below its value at X̂; ``turned`` has −u_n."""
    middle = jump.form.u_gamma.lower
    found = [least_ratio(each, middle * 1e-6, middle * 100) for each in (jump, turned)]
    (least, at), (other, other_at) = found
    return truth_claim(
        where,
        "After finitely many simulated steps the lifted objective is below its value at the "
        f"spurious point (l = {jump.form.order})",
        least < 1,
        changed=other < 1,
        measured=least,
        expected="< 1",
        note=f"The least ratio over all t is {least:.6g}, at t = {at:.6g}; with the other sign of "
        f"u_n it is {other:.6g}, at t = {other_at:.6g}.",
    )


def everywhere_claim(where: str, jump: Jump) -> Claim:
    """h(X̌) < h(X̂) for every t in U_γ, as Theorem 5.5 promises."""
    low, high = jump.steps_where_gamma_lowers()
    start = jump.form.u_gamma.lower
    return truth_claim(
        where,
        f"h(X̌) < h(X̂) for every t in U_γ = ({start:.0f}, ∞) (l = {jump.form.order})",
        False if math.isfinite(high) else low <= start,
        changed=low <= start < high,
        measured=high,
        expected="inf",
        note=f"The γ point lowers h for {low:.0f} < t < {high:.0f}, at best to "
        f"{jump.best_ratio('gamma'):.4f}; above that h rises without bound.",
    )


def ends_claim(where: str, jump: Jump, setting: str) -> Claim:
    """Prop. 5.4: the two intervals exist, with sup U_β < inf U_γ."""
    beta, gamma = jump.form.u_beta, jump.form.u_gamma
    both = not beta.empty and not gamma.empty
    near = both and math.isclose(beta.upper, gamma.lower, rel_tol=1e-9)
    return truth_claim(
        where,
        f"U_β and U_γ exist and sup U_β < inf U_γ ({setting})",
        both and not near and beta.upper < gamma.lower,
        changed=near,
        measured=beta.upper if not beta.empty else "U_β is empty",
        expected=f"< {gamma.lower:.2f}",
        note=f"The two ends are equal, {gamma.lower:.2f}: read <= for <."
        if near
        else f"U_β is empty: ρ_min = {jump.form.rho_min:.4g} is above ρ.",
    )
