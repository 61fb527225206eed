"""Statements about the lifted point itself: sub-terms, gradient, curvature, independence."""

from dataclasses import dataclass

import numpy as np

from liftless.lifted import LiftedSubspace, lifted_hessian, rate, saddle_along_b, strict_saddle
from liftless.lifted.explicit import ExplicitLift
from liftless_papers.experiments.base import Claim, Row, all_cases, number_claim, truth_claim
from liftless_papers.experiments.sod.theory.cases import Case
from liftless_papers.experiments.sod.theory.sub_terms import SubTerm, coefficients, sub_terms

#: Relative deviation that counts as round-off.
ROUNDOFF = 1e-12
#: Escape step of the point whose gradient is split.
RHO = 0.1
#: The parts of the first gradient as sums of the rows of Table 3.
PARTS = {
    "H_1": ("0",),
    "H_2": ("H_2^1", "H_2^2"),
    "H_3": ("H_1^1",),
    "H_4": ("H_2^3", "H_2^4"),
}
#: Orders up to which curvature along b is judged; the largest is where nothing must underflow.
ORDERS = (*range(1, 22), 51, 101, 301)

Parts = tuple[list[Row], list[Claim]]


@dataclass(frozen=True)
class Site:
    """A case at an order."""

    case: Case
    order: int

    @property
    def label(self) -> str:
        """Name of the case and its order."""
        return f"{self.case.name} l={self.order}"

    def subspace(self) -> LiftedSubspace:
        """Span{a, b, c} there."""
        return LiftedSubspace.at(self.case.problem, self.case.X, self.order, o=self.case.o)


# -- H_1 ... H_4 -------------------------------------------------------------------------------


def first_gradient(sites: list[Site]) -> Parts:
    """H_1 to H_4 of section 5.2 in explicit tensors against their printed forms."""
    rows = [_first_row(site) for site in sites]
    worst = {name: max(row[name] for row in rows) for name in ("sum", *PARTS, "H_3 corrected")}
    share = ", ".join(f"{100 * row['H_3']:.0f} % ({row['label']})" for row in rows)
    cosines = ", ".join(f"{row['cosine']:.3f} ({row['label']})" for row in rows)
    where = "section 5.2.1"
    claims = [
        number_claim(
            where, "the gradient at w_escape is H_1 + … + H_4", worst["sum"], 0.0, ROUNDOFF
        ),
        number_claim(where, "H_1 = 0", worst["H_1"], 0.0, ROUNDOFF),
        number_claim(where, "H_2 as printed, factor 1/2^(l-1)", worst["H_2"], 0.0, ROUNDOFF),
        truth_claim(
            where,
            "H_3 = rho lambda_n^l b",
            worst["H_3"] <= ROUNDOFF,
            changed=worst["H_3 corrected"] <= ROUNDOFF,
            measured=worst["H_3"],
            expected=0.0,
            tolerance=ROUNDOFF,
            note=(
                "Change: H_3 = rho [vec(A*A(XX') uq')^l - vec(A*A(M*) uq')^l], with <b, H_3> = "
                "rho (p^l - m^l); a power of a difference is not the difference of the powers. "
                f"Printed form off by {share}; cosine of H_3 with b {cosines}."
            ),
        ),
        number_claim(where, "H_4 as printed", worst["H_4"], 0.0, ROUNDOFF),
    ]
    return rows, claims


def _first_row(site: Site) -> Row:
    c, lift = site.case, ExplicitLift.at(site.case.problem, site.order)
    found = {
        term.name: term for term in sub_terms(c, lift, coefficients(c, site.order, RHO, RHO, 0))
    }
    b = lift.lift(c.o.beta_direction)
    whole = lift.printed_gradient(lift.lift(c.X) + RHO * b)
    parts = {name: [found[k] for k in names] for name, names in PARTS.items()}
    total = sum(term.explicit for terms in parts.values() for term in terms)
    h3 = found["H_1^1"].explicit
    p, m, omega = rate(site.subspace())
    return {
        "label": site.label,
        "case": c.name,
        "order": site.order,
        # H_1 is the difference of two large parts, whose round-off the sum inherits.
        "sum": float(np.linalg.norm(total - whole)) / found["0"].size,
        **{name: _off(terms, name) for name, terms in parts.items()},
        "H_3 corrected": found["H_1^1"].off(found["H_1^1"].corrected),
        "cosine": float(-np.sum(b * h3) / (np.linalg.norm(b) * np.linalg.norm(h3))),
        "along_b": float(np.sum(b * h3)) / RHO,
        "p": p,
        "m": m,
        "omega": omega,
        "printed": c.o.lambda_n**site.order,
    }


def _off(terms: list[SubTerm], name: str) -> float:
    """Relative deviation of a part's printed form; for H_1 its size beside what cancels in it."""
    explicit = sum(term.explicit for term in terms)
    if name == "H_1":
        return float(np.linalg.norm(explicit)) / terms[0].size
    printed = sum(term.printed for term in terms)
    return float(np.linalg.norm(printed - explicit) / np.linalg.norm(explicit))


# -- gradient, stationarity ----------------------------------------------------------------------


def gradient_factor(site: Site, seed: int) -> Parts:
    """Automatic gradient over the printed one at a tensor without symmetry."""
    lift = ExplicitLift.at(site.case.problem, site.order)
    w = np.random.default_rng(seed).standard_normal(lift.shape)
    printed, true = lift.printed_gradient(w), lift.gradient(w)
    ratio = float(np.sum(printed * true) / np.sum(printed * printed))
    spread = float(np.linalg.norm(true - 4 * printed) / np.linalg.norm(true))
    row: Row = {"label": site.label, "ratio": ratio, "spread": spread}
    claim = truth_claim(
        "Lemma A.1",
        "the gradient of h^l is (A.16)",
        abs(ratio - 1) <= ROUNDOFF,
        changed=spread <= ROUNDOFF,
        measured=ratio,
        expected=1.0,
        tolerance=ROUNDOFF,
        note=(
            "Change: it is 4 times (A.16), which belongs to h^l / 4; descent with the true "
            f"gradient is printed descent with 4 eta. Deviation from 4 times: {spread:.1e} "
            f"({site.label})."
        ),
    )
    return [row], [claim]


def stationarity(sites: list[Site]) -> Parts:
    """Printed gradient at vec(X)^l, in the span, beside the two parts that cancel in it."""
    rows: list[Row] = []
    for site in sites:
        lift = ExplicitLift.at(site.case.problem, site.order)
        w = lift.lift(site.case.X)
        y = site.case.sense(site.case.X @ site.case.X.T)
        part = float(np.linalg.norm(site.case.X) ** site.order * np.linalg.norm(y) ** site.order)
        size = float(np.linalg.norm(lift.printed_gradient(w)))
        rows.append({"label": site.label, "gradient": size, "relative": size / part})
    worst = max(row["relative"] for row in rows)
    text = "the lift of a stationary point is stationary for h^l"
    return rows, [number_claim("section 5.2.1, H_1", text, worst, 0.0, 1e-11)]


# -- curvature -----------------------------------------------------------------------------------


def curvature_rows(cases: list[Case]) -> list[Row]:
    """Curvature along b over 4 m^l, exact and with the printed lambda_n^l, at every order."""
    rows: list[Row] = []
    for c in cases:
        for order in ORDERS:
            s = strict_saddle(c.problem, c.X, order, o=c.o)
            p, stiff = s.p / s.m, s.stiff / s.m
            rows.append(
                {
                    "case": c.name,
                    "order": order,
                    "exact": p**order - 1 + 2 * stiff**order,
                    "printed": (p - 1) ** order + 2 * stiff**order,
                    "along_b": s.along_b,
                    "least": s.least,
                    "is_saddle": s.is_saddle,
                    "descends": saddle_along_b(s.p, s.m, s.stiff, order),
                    "p": s.p,
                    "m": s.m,
                    "stiff": s.stiff,
                    "odd": order % 2 == 1,
                }
            )
    return rows


def whole_curvature(sites: list[Site]) -> list[Row]:
    """Least eigenvalue of the whole Hessian at the lifted point, and how far b is along it."""
    rows: list[Row] = []
    for site in sites:
        c = site.case
        H = lifted_hessian(c.problem, c.X, site.order)
        values, vectors = np.linalg.eigh(H)
        b = ExplicitLift.at(c.problem, site.order).lift(c.o.beta_direction).ravel()
        b = b / np.linalg.norm(b)
        # Curvatures that agree to round-off share an eigenspace.
        near = vectors[:, values < values[0] + 1e-9 * np.abs(values).max()]
        s = strict_saddle(c.problem, c.X, site.order, o=c.o)
        rows.append(
            {
                "label": site.label,
                "case": c.name,
                "order": site.order,
                "least": float(values[0]),
                "along_b": s.along_b,
                "printed_along_b": s.along_b_printed,
                "quotient": float(b @ H @ b),
                "cosine": float(np.linalg.norm(near.T @ b)),
            }
        )
    return rows


def saddle_claims(curvatures: list[Row], whole: list[Row]) -> list[Claim]:
    """Is the lifted spurious point a strict saddle?  By example, and at even orders."""
    claims = []
    for name in dict.fromkeys(row["case"] for row in curvatures):
        mine = [row for row in curvatures if row["case"] == name and row["order"] >= 3]
        odd = {row["order"]: row["descends"] for row in mine if row["odd"]}
        first = min((k for k, good in odd.items() if good), default=None)
        later = first is not None and all(good for k, good in odd.items() if k >= first)
        least = [row for row in whole if row["case"] == name]
        numbers = ", ".join(f"{row['least']:.6g} (l = {row['order']})" for row in least)
        p, m, stiff = (mine[0][key] for key in ("p", "m", "stiff"))
        claims.append(
            truth_claim(
                f"section 3, Thm. 5.5, {name}",
                "for odd l >= 3 the lift of the spurious point is a strict saddle along b",
                all_cases(odd.values()),
                changed=later,
                measured="no odd l" if first is None else f"odd l >= {first}",
                expected="odd l >= 3",
                note=(
                    f"Iff m^l - p^l > 2 stiff^l; p = {p:.5f}, m = {m:.5f}, stiff = {stiff:.5f}. "
                    f"Least eigenvalue of the whole Hessian: {numbers}."
                    + (f" Change: l >= {first}." if later and first != 3 else "")
                ),
            )
        )
    even = [row for row in curvatures if row["case"] == "basic" and row["order"] in (2, 4)]
    good = all(row["is_saddle"] for row in even)
    shown = ", ".join(f"{row['along_b']:.4g} (l = {row['order']})" for row in even)
    claims.append(
        truth_claim(
            "(5.1)",
            "the order must be odd for the lifted point to be a saddle",
            not good,
            measured=not good,
            note=f"basic, even orders: curvature along b {shown}.",
        )
    )
    claims.append(_formula_claim(whole))
    return claims


def _formula_claim(whole: list[Row]) -> Claim:
    """Both formulas of the curvature along b against the whole Hessian."""
    off, right = (
        max(abs(row[key] / row["quotient"] - 1) for row in whole)
        for key in ("printed_along_b", "along_b")
    )
    turned = [row for row in whole if row["quotient"] * row["printed_along_b"] < 0]
    shown = "; ".join(
        f"{row['label']}: {row['printed_along_b']:.4g}, in fact {row['quotient']:.4g}"
        for row in turned
    )
    return truth_claim(
        "section 5.2.1, H_3",
        "the curvature along b is 4 lambda_n^l + 8 stiff^l, as H_3 implies",
        off <= 1e-9,
        changed=right <= 1e-9,
        measured=off,
        expected=0.0,
        tolerance=1e-9,
        note=(
            f"Change: 4 (p^l - m^l) + 8 stiff^l, to {right:.1e} of the whole Hessian. The printed "
            f"one has the wrong sign for {shown if turned else 'no case here'}."
        ),
    )


# -- independence --------------------------------------------------------------------------------


def independence(sites: list[Site]) -> Parts:
    """Rank of the Gram matrix of a, b, c."""
    rows: list[Row] = []
    for site in sites:
        subspace = site.subspace()
        G = subspace.gram()
        rows.append({"label": site.label, "rank": subspace.rank, "cosine_bc": float(G[1, 2])})
    bad = [row["label"] for row in rows if row["rank"] < 3]
    claim = truth_claim(
        "section 5.2.2",
        "a, b and c are linearly independent by construction",
        not bad,
        measured=min(row["rank"] for row in rows),
        expected=3,
        note=(
            f"Rank 2, because E X is a multiple of u_n q': {', '.join(bad)}. A pseudo-inverse is "
            "needed; only the sum of the weights of b and c matters there."
            if bad
            else ""
        ),
    )
    return rows, [claim]
