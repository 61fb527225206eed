"""Table 4: orders in rho and eta of what the truncated step leaves out."""

import numpy as np

from liftless.lifted.explicit import ExplicitLift
from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Layer, Panel
from liftless_papers.experiments.sod.theory.cases import Case, case
from liftless_papers.experiments.sod.theory.sub_terms import Coefficients, coefficients, sub_terms

#: Printed orders (power of rho, power of eta) of eta times each remaining sub-term.
PRINTED: dict[str, tuple[int, int]] = {
    "H_1^2": (1, 2),
    "H_2^2": (2, 1),
    "H_2^3": (2, 1),
    "H_2^4": (3, 1),
    "H_2^5": (2, 2),
    "H_2^6": (3, 2),
    "H_3^1": (1, 2),
    "H_3^2": (2, 3),
    "H_3^3": (2, 2),
    "H_3^4": (3, 3),
    "H_3^5": (2, 3),
    "H_3^6": (3, 4),
    "H_4^1": (2, 2),
    "H_4^2": (3, 2),
    "H_4^3": (4, 3),
}
#: Orders that replace a printed one: gamma beta gamma is of order rho^3 eta^2, times eta.
CORRECTED = {"H_4^3": (3, 3)}

#: The step from t to t + 1 that is looked at, the fixed value, and the range of the other one.
STEP, FIXED, RANGE = 10, 1e-3, (1e-5, 1e-3)
#: Allowed deviation of a measured slope.
SLOPE = 0.05


class Table4(Experiment):
    """Log-log slopes of the 15 remaining terms, and of what is really left out."""

    name = "sod-table4"
    title = "Remainders of the truncated step"
    figures = (
        Figure(
            name="remainder",
            caption=(
                "Frobenius norm of what the truncated step {step} -> {next} leaves out, in "
                "explicit tensors, real-world example, l = 3. Left and middle: against ρ at "
                "η = {fixed:g} and against η at ρ = {fixed:g}. Right: both equal to s. "
                "The sum of the 15 remaining terms of Table 4 is of the printed order; the whole "
                "gradient step leaves out more, of order ρ η, because the printed H_1^1 is "
                "not the true one."
            ),
            panels=tuple(
                Panel(
                    title=title,
                    x=label,
                    y="norm of the remainder",
                    layers=(
                        Layer(
                            "remainder",
                            "at",
                            "whole",
                            label="whole step",
                            where=(("along", along), ("case", "real-world"), ("order", 3)),
                        ),
                        Layer(
                            "remainder",
                            "at",
                            "listed",
                            label="sum of the 15 terms",
                            where=(("along", along), ("case", "real-world"), ("order", 3)),
                            dashed=True,
                        ),
                    ),
                    x_scale="log",
                    y_scale="log",
                )
                for title, label, along in (
                    ("in rho", "rho", "rho"),
                    ("in eta", "eta", "eta"),
                    ("in both", "s = rho = eta", "both"),
                )
            ),
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """Slopes for two cases at smoke size, four at paper size."""
        cases = [(case("real-world"), 3), (case("gaussian, r = 2"), 3)]
        if size == "paper":
            cases += [(case("real-world"), 5), (case("gaussian"), 3)]
        points = 4 if size == "smoke" else 6
        slopes: list[Row] = []
        courses: list[Row] = []
        for c, order in cases:
            mine, course = _case_rows(c, order, points)
            slopes += mine
            courses += course
        claims = _order_claims(slopes) + _sum_claims(slopes, courses)
        values = {"seed": seed, "step": STEP, "next": STEP + 1, "fixed": FIXED}
        return Outcome(table("slopes", slopes) + table("remainder", courses), claims, values)


def _grids(points: int) -> dict[str, list[tuple[float, float]]]:
    """Pairs (rho, eta) along each direction."""
    values = [float(s) for s in np.geomspace(*RANGE, points)]
    return {
        "rho": [(s, FIXED) for s in values],
        "eta": [(FIXED, s) for s in values],
        "both": [(s, s) for s in values],
    }


def _case_rows(c: Case, order: int, points: int) -> tuple[list[Row], list[Row]]:
    """Slopes of every term, and the course of both remainders."""
    lift = ExplicitLift.at(c.problem, order)
    norms: dict[str, dict[str, list[float]]] = {}
    courses: list[Row] = []
    grids = _grids(points)
    for along, pairs in grids.items():
        norms[along] = {}
        for rho, eta in pairs:
            found = _remainders(c, lift, rho, eta)
            for name, value in found.items():
                norms[along].setdefault(name, []).append(value)
            at = eta if along == "eta" else rho
            courses.append(
                {"case": c.name, "order": order, "along": along, "at": at, "rho": rho, "eta": eta}
                | {"whole": found["whole"], "listed": found["listed"]}
            )
    at = np.log([rho for rho, _ in grids["rho"]])
    rows = [
        {"case": c.name, "order": order, "term": name}
        | {
            along: float(np.polyfit(at, np.log(norms[along][name]), 1)[0])
            for along in ("rho", "eta", "both")
        }
        for name in norms["rho"]
    ]
    return rows, courses


def _remainders(c: Case, lift: ExplicitLift, rho: float, eta: float) -> dict[str, float]:
    """Norms of eta times each remaining term, of their sum, and of all that is left out."""
    now = coefficients(c, lift.order, rho, eta, STEP)
    then = coefficients(c, lift.order, rho, eta, STEP + 1)
    terms = [term for term in sub_terms(c, lift, now) if term.name in PRINTED]
    found = {term.name: eta * float(np.linalg.norm(term.explicit)) for term in terms}
    total = sum((term.explicit for term in terms), np.zeros(lift.shape))
    found["listed"] = eta * float(np.linalg.norm(total))
    whole = _point(c, lift, now)
    whole = whole - eta * lift.printed_gradient(whole) - _point(c, lift, then)
    found["whole"] = float(np.linalg.norm(whole))
    return found


def _point(c: Case, lift: ExplicitLift, w: Coefficients) -> np.ndarray:
    point = lift.lift(c.X) + w.beta * lift.lift(c.o.beta_direction)
    return point + w.gamma * lift.lift(c.o.gamma_direction)


def _order_claims(slopes: list[Row]) -> list[Claim]:
    claims = []
    for name, printed in PRINTED.items():
        mine = [row for row in slopes if row["term"] == name]
        right = CORRECTED.get(name)
        note = ""
        if right is not None:
            note = f"Change: {_power(right)}, to {_off(mine, right):.3f}."
        claims.append(
            truth_claim(
                "Table 4",
                f"eta {name} is of order {_power(printed)}",
                _off(mine, printed) <= SLOPE,
                changed=right is not None and _off(mine, right) <= SLOPE,
                measured=f"rho^{mine[0]['rho']:.2f} eta^{mine[0]['eta']:.2f}",
                expected=_power(printed),
                tolerance=SLOPE,
                note=note,
            )
        )
    return claims


def _power(order: tuple[int, int]) -> str:
    return f"rho^{order[0]} eta^{order[1]}"


def _off(rows: list[Row], order: tuple[int, int]) -> float:
    """Largest deviation of the measured slopes from an order."""
    return max(max(abs(row["rho"] - order[0]), abs(row["eta"] - order[1])) for row in rows)


def _sum_claims(slopes: list[Row], courses: list[Row]) -> list[Claim]:
    """Both statements about O((rho + eta) rho eta)."""
    listed = [row for row in slopes if row["term"] == "listed"]
    whole = [row for row in slopes if row["term"] == "whole"]
    # Of order (rho + eta) rho eta means slope 3 when both shrink together.
    least = min(row["both"] for row in listed)
    grown = min(row["both"] for row in whole)
    text = "; ".join(
        f"{row['case']}, l = {row['order']}: rho^{row['rho']:.2f} eta^{row['eta']:.2f}"
        for row in whole
    )
    share = max(row["whole"] / row["listed"] for row in courses)
    return [
        truth_claim(
            "Lemma B.1",
            "the sum of the 15 remaining terms is O((rho + eta) rho eta)",
            least >= 3 - SLOPE,
            measured=least,
            expected=3.0,
            tolerance=SLOPE,
            note="Slope as rho = eta shrink together.",
        ),
        truth_claim(
            "(5.6), Lemma B.1",
            "v(t) is the next truncated point up to O((rho + eta) rho eta)",
            grown >= 3 - SLOPE,
            measured=grown,
            expected=3.0,
            tolerance=SLOPE,
            note=(
                f"Slope as rho = eta shrink together; it is of order rho eta ({text}), up to "
                f"{share:.3g} times the 15 terms, because H_1^1 is not beta lambda_n^l b."
            ),
        ),
    ]
