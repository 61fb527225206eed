"""What the paper claims of Table 5, judged."""

import itertools
import math
from collections.abc import Sequence

from liftless_papers.experiments.base import Claim, Row, all_cases, number_claim, truth_claim

#: Printed ends of U_β and U_γ and ρ_min: order, column, value, digits after the point.
PRINTED_ENDS = (
    (3, "rho_min", 0.208, 3),
    (5, "rho_min", 0.097, 3),
    (7, "rho_min", 0.043, 3),
    (3, "u_gamma_from", 2006.17, 2),
    (5, "u_beta_from", 26948.72, 2),
    (5, "u_beta_to", 33974.73, 2),
    (5, "u_gamma_from", 33974.73, 2),
    (7, "u_beta_to", 1093342.41, 2),
    (7, "u_gamma_from", 1093342.41, 2),
)
_NAMES = {
    "rho_min": "ρ_min",
    "u_beta_from": "Left end of U_β",
    "u_beta_to": "Right end of U_β",
    "u_gamma_from": "Left end of U_γ",
}


def table5_claims(cells: Sequence[Row], orders: Sequence[Row]) -> list[Claim]:
    """Every claim of Table 5 and of Appendix C.3; rows as in the tables of the experiment."""
    usable = [row for row in cells if row["usable"]]
    return [
        *_end_claims(orders),
        *_interval_claims(orders),
        *(_cell_claim(row) for row in cells if row["printed_ratio"]),
        _nothing_claim(cells),
        *_limit_claims(cells, usable),
        *_unstable_claims(cells),
        *_objective_claims(usable),
        *_effect_claims(cells),
    ]


def _end_claims(orders: Sequence[Row]) -> list[Claim]:
    found = {(row["point"], row["order"]): row for row in orders}
    claims = []
    for order, column, value, digits in PRINTED_ENDS:
        measured = found["printed", order][column]
        polished = found["polished", order][column]
        claims.append(
            number_claim(
                f"Table 5, l = {order}",
                f"{_NAMES[column]} at l = {order}",
                measured,
                value,
                0.51 * 10.0**-digits,
                note=f"From the four printed digits of X̂; at the minimum to round-off it is "
                f"{polished:.{digits}f}.",
            )
        )
    return claims


def _interval_claims(orders: Sequence[Row]) -> list[Claim]:
    three, five, seven = (row for row in orders if row["point"] == "printed")
    gap = max(abs(row["u_beta_to"] / row["u_gamma_from"] - 1) for row in (five, seven))
    return [
        truth_claim(
            "Table 5, l = 3",
            "U_β is empty at l = 3",
            bool(three["u_beta_empty"]),
            note=f"ρ_min = {three['rho_min']:.3f} is above ρ = 0.1.",
        ),
        truth_claim(
            "Table 5, l = 7",
            "U_β starts at t = 0 at l = 7",
            seven["u_beta_from"] <= 0,
            measured=seven["u_beta_from"],
            expected="<= 0",
            note="The computed left end is negative, hence the b-term leads from the start.",
        ),
        truth_claim(
            "Prop. 5.4, Remark 5.2, Table 5",
            "sup U_β < inf U_γ at l = 5 and 7",
            five["u_beta_to"] < five["u_gamma_from"] and gap > 1e-9,
            changed=gap < 1e-9,
            measured=gap,
            expected="> 0",
            note="The two ends are equal, as Table 5 itself prints them: read <= for <.",
        ),
        truth_claim(
            "Appendix C.3",
            "A larger order l gives a smaller ρ_min",
            three["rho_min"] > five["rho_min"] > seven["rho_min"],
            measured=seven["rho_min"],
            expected=f"< {five['rho_min']:.3f} < {three['rho_min']:.3f}",
            note="Here ‖X̂‖ < 1; in Fig. 8, with ‖X̂‖ > 1, it grows.",
        ),
    ]


def _near(value: float, printed: str) -> bool:
    """Whether a value rounds to the printed digits."""
    mantissa, _, power = printed.partition("e")
    digits = len(mantissa.partition(".")[2])
    return abs(value - float(printed)) < 0.51 * 10.0 ** (int(power or 0) - digits)


def _matches(row: Row, away: float, left: float) -> list[bool]:
    """Whether the two distances and their ratio round to the printed digits."""
    values = ((away, "away"), (left, "left"), (away / left, "ratio"))
    return [_near(value, row[f"printed_{name}"]) for value, name in values]


def _cell_claim(row: Row) -> Claim:
    """The two distances and their ratio (C.3)."""
    good = _matches(row, row["away"], row["left"])
    later = all(_matches(row, row["away_next"], row["left_next"]))
    note = f"Distances {row['away']:.5g} and {row['left']:.5g}"
    if not all(good) and later:
        note = f"Distances {row['away']:.3f} and {row['left']:.3f}"
    note += f", printed {row['printed_away']} and {row['printed_left']}."
    if not all(good) and later:
        note += f" With one term more in the sum of (5.16), τ = t, they are {row['away_next']:.3f}"
        note += f" and {row['left_next']:.3f}, as printed."
    elif not all(good):
        note += f" The printed ratio agrees with the computed {row['left']:.3f}."
    return truth_claim(
        f"Table 5, l = {row['order']}, t = {row['steps']:.0f}",
        "Both distances of the escape point, and their ratio (C.3)",
        all_cases(good),
        # Or a slip in the last digit of the second distance, which the ratio shows.
        changed=later or (good[0] and good[2]),
        measured=row["away_over_left"],
        expected=float(row["printed_ratio"]),
        tolerance=0.51 * 10.0 ** -len(row["printed_ratio"].partition(".")[2]),
        note=note,
    )


def _nothing_claim(cells: Sequence[Row]) -> Claim:
    empty = [row for row in cells if row["printed_limit"] == "x1"]
    return truth_claim(
        "Table 5",
        "In the cells without an entry neither the b- nor the c-term leads",
        all_cases(row["region"] == "none" for row in empty),
        measured=sum(row["region"] == "none" for row in empty),
        expected=len(empty),
    )


def _limit_claims(cells: Sequence[Row], usable: Sequence[Row]) -> list[Claim]:
    same = sum(row["limit"] == row["printed_limit"] for row in usable)
    worst = max(row["error"] for row in usable)
    sides = {(row["region"], row["limit"]) for row in usable}
    strong = [row for row in cells if row["printed_ratio"] and row["away_over_left"] > 1.1]
    weak = min(usable, key=lambda row: row["away_over_left"])
    return [
        truth_claim(
            "Table 5",
            "Descent from every usable cell ends at the printed +Z or −Z",
            same == len(usable),
            measured=same,
            expected=len(usable),
            note=f"Largest error after descent {worst:.1e}.",
        ),
        truth_claim(
            "Appendix C.3",
            "A leading b-term leads to −Z, a leading c-term to +Z",
            sides == {("beta", "-"), ("gamma", "+")},
            measured=", ".join(sorted(f"{region} to {sign}Z" for region, sign in sides)),
            expected="beta to -Z, gamma to +Z",
            note="The sign of u_n is free and is chosen so; with the other one all ten turn, "
            "since both terms are odd in u_n.",
        ),
        truth_claim(
            "Appendix C.3, (C.3)",
            "A ratio well above 1 indicates a successful escape",
            all_cases(row["limit"] in ("+", "-") for row in strong),
            measured=sum(row["limit"] in ("+", "-") for row in strong),
            expected=len(strong),
            note=f"It is not needed: l = {weak['order']}, t = {weak['steps']:.0f} has "
            f"{weak['away_over_left']:.2f} and succeeds.",
        ),
    ]


def _unstable_claims(cells: Sequence[Row]) -> list[Claim]:
    unstable = [row for row in cells if row["printed_limit"] == "x2"]
    largest = max(unstable, key=lambda row: row["size"])
    diverged = sum(row["limit"] == "diverged" for row in unstable)
    return [
        truth_claim(
            "Table 5",
            "From the cells marked unstable, descent does not converge",
            diverged == len(unstable),
            measured=diverged,
            expected=len(unstable),
            note="The fixed step 0.1 is too long for points of size "
            f"{min(row['size'] for row in unstable):.3g} and more.",
        ),
        truth_claim(
            f"Table 5, l = {largest['order']}, t = {largest['steps']:.0f}",
            "The escape point itself is numerically unstable",
            not math.isfinite(largest["size"]),
            measured=largest["size"],
            expected="not finite",
            note=f"In logarithms the closed form is finite: ‖X̌‖ = {largest['size']:.2g}.",
        ),
    ]


def _objective_claims(usable: Sequence[Row]) -> list[Claim]:
    lower = [row for row in usable if row["ratio"] < 1]
    lifted = [row["lifted_ratio"] for row in usable]
    values = ", ".join(
        f"{row['ratio']:.3f} (l = {row['order']}, t = {row['steps']:g})" for row in usable
    )
    return [
        truth_claim(
            "Theorem 5.5, Table 5",
            "h(X̌) < h(X̂) in every usable cell",
            len(lower) == len(usable),
            measured=len(lower),
            expected=len(usable),
            note=f"h(X̌)/h(X̂): {values}.",
        ),
        truth_claim(
            "Theorem 3.2, Prop. 5.3, Table 5",
            "The lifted objective is below its value at the spurious point in every usable cell",
            max(lifted) < 1,
            measured=sum(value < 1 for value in lifted),
            expected=len(usable),
            note=f"Exact ratios from {min(lifted):.4f} to {max(lifted):.0f}; none is below 1.",
        ),
    ]


def _effect_claims(cells: Sequence[Row]) -> list[Claim]:
    seven = [row for row in cells if row["order"] == 7 and row["region"] == "beta"]
    ratios = [row["away_over_left"] for row in seven]
    five = [row for row in cells if row["order"] == 5 and row["region"] != "none"]
    gamma = [row["away_over_left"] for row in five if row["region"] == "gamma"]
    beta = [row["away_over_left"] for row in five if row["region"] == "beta"]
    return [
        truth_claim(
            "Appendix C.3",
            "At l = 7 a larger t in U_β gives a more pronounced escape",
            all_cases(a < b for a, b in itertools.pairwise(ratios)),
            measured=ratios[-1],
            expected=f"> {ratios[0]:.4f}",
            note=f"The ratio (C.3) only goes from {ratios[0]:.4f} to {ratios[-1]:.4f}.",
        ),
        truth_claim(
            "Appendix C.3",
            "At l = 5 the effect is more pronounced in U_γ than in U_β, the ratio exceeding 1",
            min(gamma) > max(1.0, *beta),
            measured=min(gamma),
            expected=f"> 1 > {max(beta):.3f}",
            note="Not with growing t: the ratio falls, "
            + ", ".join(f"{value:.2f}" for value in gamma)
            + ", and descent diverges from the last.",
        ),
    ]
