"""Figure 7: for which orders l and step counts t the b-term or the c-term of (5.8) leads."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from liftless.escape import Interval, MultiStep, oracle
from liftless.escape.multi_step import dominance_order
from liftless.instances import make_instance
from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    all_cases,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel

#: Escape step and step size, those of Figure 9 and Table 5.
RHO = ETA = 0.1
#: Largest order of each size.
ORDERS = {"smoke": 31, "paper": 101}
#: Instances and their RIP constants δ, as in the paper (real-world: as its EFS was computed).
DELTAS = {"basic": 0.5, "pmc": 7 / 13, "real-world": 0.8753}
TITLES = {
    "basic": "Basic example",
    "pmc": "Perturbed completion",
    "real-world": "Real-world example",
}

Forms = dict[str, list[MultiStep]]


def _forms(largest: int) -> Forms:
    """Closed forms of every odd order, for every example at its spurious point."""
    found: Forms = {}
    for name in DELTAS:
        instance = make_instance(name)
        X = instance.points[0].X
        o = oracle(instance.problem, X)
        size, other = float(np.linalg.norm(X)), float(np.linalg.norm(o.EX))
        first = MultiStep(o.lambda_n, o.sigma, size, other, 3, RHO, ETA)
        found[name] = [replace(first, order=l) for l in range(3, largest + 1, 2)]  # noqa: E741
    return found


def _row(name: str, form: MultiStep) -> Row:
    """Ends of both intervals; NaN where there is none, and t counted from one step on."""
    beta, gamma = form.u_beta, form.u_gamma
    return {
        "example": name,
        "order": form.order,
        "beta_lower": math.nan if beta.empty else max(beta.lower, 1.0),
        "beta_upper": math.nan if beta.empty else beta.upper,
        "gamma_lower": math.nan if gamma.empty else gamma.lower,
        "gamma_upper": math.nan if gamma.empty else gamma.upper,
        "log10_K": form.log_K / math.log(10),
        "rho_min": form.rho_min,
    }


def _leads(form: MultiStep, inside: Interval, term: int) -> bool:
    """Whether one term (1 is b, 2 is c) is the largest at step counts across an interval."""
    low = max(inside.lower, 1.0)
    high = inside.upper if math.isfinite(inside.upper) else 1e3 * low
    t = low * (high / low) ** np.array([0.01, 0.3, 0.5, 0.7, 0.99])
    terms = np.stack(form.log_terms(t))
    return bool(np.all(terms.argmax(axis=0) == term))


def _intervals(forms: Forms) -> list[Claim]:
    """Claims on the existence and the order of U_β and U_γ."""
    every = [(name, form) for name, part in forms.items() for form in part]
    empty = [(name, form.order) for name, form in every if form.u_gamma.empty]
    by_K = all(form.u_gamma.empty == (form.log_K >= 0) for _, form in every)
    both = [form for _, form in every if not (form.u_beta.empty or form.u_gamma.empty)]
    gaps = [abs(f.u_gamma.lower - f.u_beta.upper) / f.u_gamma.lower for f in both]
    apart = all(form.u_beta.upper <= form.u_gamma.lower for form in both)
    basic = {form.order: math.exp(form.log_K) for form in forms["basic"][:2]}
    K = " and ".join(f"{value:.6g} at l = {order}" for order, value in basic.items())
    return [
        truth_claim(
            "Fig. 7, caption; Prop. 5.4",
            "U_γ always exists (cases of example and order in which it is empty)",
            not empty,
            changed=by_K,
            measured=len(empty),
            expected=0,
            note="It exists exactly when K = 2^(l−1)(−λ_n)^l / (σ^l ‖E X̂‖^l) < 1, in all "
            f"{len(every)} cases. In the basic example K = {K}, so U_γ is empty and U_β unbounded.",
        ),
        truth_claim(
            "Prop. 5.4, Thm. 3.2, Remark 5.2",
            "sup U_β < inf U_γ where both exist (least relative distance)",
            bool(gaps) and min(gaps) > 0,
            changed=apart,
            measured=min(gaps, default=math.nan),
            expected="> 0",
            note=f"The ends are equal, so <= holds, in all {len(both)} cases with both; where U_β "
            "is unbounded, U_γ is empty.",
        ),
        truth_claim(
            "Prop. 5.4, Remark 5.2",
            "U_β and U_γ are disjoint",
            apart,
            note="Open intervals that at most share an end.",
        ),
        truth_claim(
            "Fig. 7",
            "The c-term needs larger t than the b-term",
            all_cases(form.u_beta.lower < form.u_gamma.lower for form in both),
            note=f"In all {len(both)} cases in which both exist.",
        ),
    ]


def _terms(forms: Forms) -> list[Claim]:
    """Claims on the leading term inside the intervals."""
    every = [form for part in forms.values() for form in part]
    beta = [_leads(form, form.u_beta, 1) for form in every if not form.u_beta.empty]
    gamma = [_leads(form, form.u_gamma, 2) for form in every if not form.u_gamma.empty]
    other = [_leads(form, form.u_beta, 2) for form in every if not form.u_beta.empty]
    return [
        truth_claim(
            "Prop. 5.4, (U_γ)",
            "The c-term of (5.8) leads for t in U_γ",
            all_cases(gamma),
            measured=sum(gamma),
            expected=len(gamma),
            note="Cases; five step counts across each interval.",
        ),
        truth_claim(
            "Remark 5.1",
            "With U_β valid there is a t at which the c-term leads (and (5.15) follows)",
            bool(other) and all(other),
            changed=all(beta),
            measured=sum(other),
            expected=len(other),
            note=f"A slip for the b-term, which leads in {sum(beta)} of {len(beta)} intervals U_β.",
        ),
    ]


def _orders(forms: Forms) -> list[Claim]:
    """Claims on what a larger order does."""
    every = [form for part in forms.values() for form in part]
    by_rho = all(form.u_beta.empty == (form.rho_min >= RHO) for form in every)
    small = forms["real-world"][0]
    last = {name: part[-1] for name, part in forms.items()}
    never = [name for name, form in last.items() if form.u_beta.empty]
    falling = {
        name: all(b.rho_min < a.rho_min for a, b in pairwise(part)) for name, part in forms.items()
    }
    rising = forms["pmc"][0].rho_min, last["pmc"].rho_min
    bounds = {name: _bound(name) for name in forms}
    vacuous = [name for name, bound in bounds.items() if not 0 < bound < math.inf]
    return [
        truth_claim(
            "Eq. (5.13), Fig. 7",
            "U_β is empty exactly when ρ <= ρ_min; when l is small it may be",
            by_rho and small.u_beta.empty,
            note=f"In all {len(every)} cases, ρ = {RHO:g}. Real-world example, l = 3: ρ_min = "
            f"{small.rho_min:.4f}, empty.",
        ),
        truth_claim(
            "Fig. 7, Prop. 5.4",
            "With l large enough U_β is not empty (examples in which it stays empty)",
            not never,
            measured=", ".join(never) or "none",
            expected="none",
            note=f"Perturbed completion: ‖X̂‖ > 1 and K → 0, so ρ_min ≈ ‖X̂‖^l rises from "
            f"{rising[0]:.4g} at l = 3 to {rising[1]:.4g} at l = {last['pmc'].order}. ρ_min falls "
            f"with l in: {', '.join(name for name, falls in falling.items() if falls)}.",
        ),
        truth_claim(
            "Eq. (5.14), Fig. 7",
            "The condition (5.14) on l says from where on U_β emerges",
            not vacuous,
            measured=", ".join(vacuous) or "none",
            expected="none",
            note="Vacuous: the bound l > 1/log₂ Ξ̄ is "
            + ", ".join(f"{bound:.3g} ({name})" for name, bound in bounds.items())
            + ".",
        ),
        _precision(forms["real-world"]),
    ]


def _bound(name: str) -> float:
    """Right side of (5.14); infinite or negative where it says nothing."""
    instance = make_instance(name)
    problem, X = instance.problem, instance.points[0].X
    o = oracle(problem, X)
    norms = [np.linalg.norm(problem.operator.matrix(row), 2) for row in np.eye(problem.m)]
    size = float(np.linalg.norm(X))
    return dominance_order(o.lambda_n, o.sigma, size, problem.m, DELTAS[name], float(max(norms)))


def _precision(forms: list[MultiStep]) -> Claim:
    """Remark 5.1 on numerical stability, against the formula as printed in float64."""
    lost = [f.order for f in forms if 1 - f.eta * f.lambda_n**f.order == 1]
    sound = all(math.isfinite(form.u_gamma.lower) for form in forms)
    first = str(lost[0]) if lost else "none"
    return truth_claim(
        "Remark 5.1",
        "A large l is numerically unstable because of the power 1/l",
        # Unless the printed rate is lost, only the power is left to blame.
        not lost and not sound,
        changed=bool(lost) and sound,
        measured=first,
        expected="an order l",
        note=f"It is the rate, not the power: as printed, 1 − ηλ_n^l rounds to 1 from l = {first} "
        "on in the real-world example, and both intervals divide by log 1 = 0. In logarithms "
        f"every interval up to l = {forms[-1].order} is finite.",
    )


def _panel(name: str) -> Panel:
    where = (("example", name),)
    areas = (("beta", "U_β: b-term leads"), ("gamma", "U_γ: c-term leads"))
    return Panel(
        TITLES[name],
        "order l of the lift",
        "simulated steps t",
        tuple(
            Layer("regions", "order", f"{k}_lower", "band", label, where, z=f"{k}_upper")
            for k, label in areas
        ),
        y_scale="log",
        x_limits=(3.0, 31.0),
    )


class Fig7(Experiment):
    """Regions U_β and U_γ over (l, t), and the number K that decides between them."""

    name: ClassVar[str] = "sod-fig7"
    title: ClassVar[str] = "Where the second and the third term lead"
    figures: ClassVar[tuple[Figure, ...]] = (
        Figure(
            "regions",
            "Step counts t at which the b-term (U_β) or the c-term (U_γ) of the closed form (5.8) "
            "is the largest, for odd orders l (lines between them guide the eye), ρ = η = {rho:g}, "
            "at the spurious points of the three examples; nothing here is random. Basic example: "
            "U_γ is empty at every l and U_β unbounded. Completion: U_β is empty at every l. "
            "Real-world: both, with a common end, U_β from l = {first_beta} on. Last panel: U_γ "
            "exists exactly below K = 1.",
            (
                _panel("basic"),
                _panel("pmc"),
                _panel("real-world"),
                Panel(
                    "Limit of b-term over c-term",
                    "order l of the lift",
                    "log₁₀ K",
                    (Layer("regions", "order", "log10_K", label="{group}", group="example"),),
                    (Mark("y", 0.0, "K = 1"),),
                    x_limits=(3.0, 31.0),
                ),
            ),
            columns=2,
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """Closed forms only; the seed changes nothing."""
        forms = _forms(ORDERS[size])
        rows = table("regions", [_row(n, form) for n, part in forms.items() for form in part])
        first = [form.order for form in forms["real-world"] if not form.u_beta.empty]
        values: dict[str, Any] = {"seed": seed, "rho": RHO, "first_beta": min(first, default=None)}
        return Outcome(rows, [*_intervals(forms), *_terms(forms), *_orders(forms)], values)
