"""Cheap moves from a minimum: which of them lowers h, and which leads to the truth."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    all_cases,
    truth_claim,
)
from liftless_papers.experiments.base import table as named
from liftless_papers.experiments.figures import Figure, Layer, Panel
from liftless_papers.experiments.own import planes
from liftless_papers.experiments.own.minima import (
    STUCK,
    Cell,
    Factors,
    Points,
    descend,
    half_square,
    sense,
    survey,
)
from liftless_papers.experiments.own.quantities import Pair, pairs, quartic
from liftless_papers.experiments.sod.rates import rate_columns

#: Relative round-off of h, and what counts as lower.
CLOSE, LOWER = 1e-9, 1e-9
#: Minima of a cell at which the cubics are compared with a search.
EXACT: dict[Size, int] = {"smoke": 60, "paper": 400}
#: A criterion nearer to its edge than this, relative to σ²‖A(vvᵀ)‖‖A(uuᵀ)‖, is not compared.
EDGE = 1e-9
#: A plane lowers h at no more than this share of the minima, by rank.
SELDOM = {1: 1 / 2, 2: 1 / 10}

#: Families in the order of the figure; the last two are controls.
FAMILIES = (
    "line u qᵀ",
    "span{X, u qᵀ}",
    "span{X, EX}",
    "arc",
    "arc, random u",
    "swap",
    "γ",
    "swap, random u",
    "new start",
)

FIGURES = (
    Figure(
        "families",
        "{minima} strict spurious minima, seed {seed}; (u_n, q_r) throughout, and 95 % Wilson "
        "intervals. (a) How often the family's lowest point lies below the minimum. (b) How often "
        "descent from there ends at the truth. What lowers h is not what leads on: swap and γ lower"
        " it at {lower:.0%} of the minima and end at the truth from {true:.0%}; the control is one "
        "new random start of the same instance.",
        tuple(
            Panel(
                title,
                "",
                "share of minima",
                (
                    Layer(
                        "rates",
                        "family",
                        column,
                        "bar",
                        "{group}",
                        (("what", what),),
                        "cell",
                        "",
                        "low",
                        "high",
                    ),
                ),
                y_limits=(0.0, 1.0),
                legend="outside",
            )
            for title, column, what in (
                ("(a) lowers h", "rate", "lower"),
                ("(b) ends at the truth", "rate", "true"),
            )
        ),
        columns=1,
    ),
)


class Families(Experiment):
    """Exact minimisers over two variables, and what comes of them."""

    name = "own-families"
    paper = "own"
    title = "Cheap moves from a minimum: what lowers h, and what leads to the truth"
    figures = FIGURES

    def run(self, size: Size, seed: int) -> Outcome:
        """Try every family at every minimum."""
        exact, tried = [], []
        for k, (cell, points) in enumerate(survey(size, seed)):
            pair = pairs(points, 1)[0][0]
            exact.append(_exact(cell, points.take(np.arange(min(EXACT[size], len(points.X))))))
            tried += _tried(cell, points, pair, np.random.default_rng([seed, k, 16]))
        rates = _rates(tried)
        moves = [row for row in tried if row["family"] in ("swap", "γ")]
        values = {
            "seed": seed,
            "minima": sum(row["family"] == "γ" for row in tried),
            "lower": float(np.mean([row["lower"] for row in moves])),
            "true": float(np.mean([row["true"] for row in moves])),
        }
        rows = named("exact", exact) + named("rates", rates)
        return Outcome(rows, [*_formulas(exact), *_telling(tried, rates)], values)


# -- the formulas ----------------------------------------------------------------------------------


def _exact(cell: Cell, points: Points) -> Row:
    """How far the cubics are from a search, and how often the swap's criterion is wrong."""
    above, off, wrong, compared = 0.0, 0.0, 0, 0
    full = half_square(points.b)
    for pair in pairs(points, 1)[0]:
        found = [planes.arc(points, pair)]
        found += [planes.spanned(points, D) for D in (pair.direction, planes.turned(points, pair))]
        for X, h, plane in found:
            least = np.minimum(h, points.h)
            above = max(above, float(np.max((least - plane.searched()) / full)))
            off = max(off, float(np.max(np.abs(points.objective(X) - h) / full)))
        margin = planes.swap_margin(pair)
        clear = np.abs(margin) > EDGE * pair.sigma**2
        lower = points.objective(planes.swap(points, pair)) < points.h
        wrong += int(np.sum(clear & (lower != (margin > 0))))
        compared += int(np.sum(clear))
    return {
        "cell": cell.name,
        "minima": len(points.X),
        "above_search": above,
        "off": off,
        "swaps": compared,
        "swaps_wrong": wrong,
    }


def _formulas(exact: Sequence[Row]) -> list[Claim]:
    above = max(row["above_search"] for row in exact)
    off = max(row["off"] for row in exact)
    swaps = sum(row["swaps"] for row in exact)
    wrong = sum(row["swaps_wrong"] for row in exact)
    where = "Two variables"
    return [
        truth_claim(
            where,
            "The least h over a plane of X and D, or over an arc, is at a root of a cubic",
            above <= CLOSE and off <= CLOSE,
            measured=max(above, off),
            expected="no grid of angles is lower, and the factor has the value foretold",
            tolerance=CLOSE,
        ),
        truth_claim(
            where,
            "A swap lowers h iff −λ > σ²(‖A(vvᵀ)‖‖A(uuᵀ)‖ − ⟨A(vvᵀ), A(uuᵀ)⟩)",
            wrong == 0 and swaps > 0,
            measured=wrong,
            expected=0,
            note=f"{swaps} swaps.",
        ),
    ]


# -- what comes of them ----------------------------------------------------------------------------


def _tried(cell: Cell, points: Points, pair: Pair, rng: np.random.Generator) -> list[Row]:
    u = rng.standard_normal(pair.u.shape)
    chance = _with(points, pair, u / np.linalg.norm(u, axis=1, keepdims=True))
    EX = planes.turned(points, pair)
    line = quartic(points, pair.direction)
    inside = line.score > 1
    starts: dict[str, Factors] = {
        "line u qᵀ": points.X + (inside * line.lowest)[:, None, None] * pair.direction,
        "span{X, u qᵀ}": planes.spanned(points, pair.direction)[0],
        "span{X, EX}": planes.spanned(points, EX)[0],
        "arc": planes.arc(points, pair)[0],
        "arc, random u": planes.arc(points, chance)[0],
        "swap": planes.swap(points, pair),
        "γ": planes.along(points, EX),
        "swap, random u": planes.swap(points, chance),
        "new start": rng.standard_normal(points.X.shape),
    }
    found = []
    for family, X in starts.items():
        lower = points.objective(X) < points.h * (1 - LOWER)
        true = descend(points.at(X), stuck=STUCK).true
        found += [
            {"cell": cell.name, "r": cell.r, "family": family, "lower": int(a), "true": int(b)}
            for a, b in zip(lower, true, strict=True)
        ]
    return found


def _with(points: Points, pair: Pair, u: np.ndarray) -> Pair:
    """The same triple with another unit vector in the eigenvector's place."""
    k, n = u.shape
    cu, cv = u.reshape(k, n, 1), pair.v.reshape(k, n, 1)
    P, Q = 2 * sense(points.A, cu, cv), sense(points.A, cu, cu)
    return dataclasses.replace(pair, u=u, P=P, Q=Q)


def _rates(tried: Sequence[Row]) -> list[Row]:
    found = []
    for cell in dict.fromkeys(row["cell"] for row in tried):
        for family in FAMILIES:
            rows = [r for r in tried if (r["cell"], r["family"]) == (cell, family)]
            for what in ("lower", "true"):
                count = sum(row[what] for row in rows)
                about = {"cell": cell, "r": rows[0]["r"], "family": family, "what": what}
                found.append(about | rate_columns(count, len(rows)))
    return found


def _telling(tried: Sequence[Row], rates: Sequence[Row]) -> list[Claim]:
    ended = [row for row in tried if row["family"] in ("swap", "γ") and row["true"]]
    higher = sum(not row["lower"] for row in ended) / len(ended)
    planes_of = ("span{X, u qᵀ}", "span{X, EX}", "arc")
    seldom = {
        r: max(
            row["rate"]
            for row in rates
            if row["what"] == "lower" and row["r"] == r and row["family"] in planes_of
        )
        for r in SELDOM
    }
    where = "Cheap moves"
    claims = [
        truth_claim(
            where,
            "Most swaps and γ moves that lead to the truth begin above the minimum that they leave",
            higher > 0.5,
            measured=higher,
            expected="more than half",
            note=f"Of {len(ended)} that lead there.",
        ),
        truth_claim(
            where,
            "Even the best point of X's plane with u_n q_rᵀ or EX, or of the arc, is lower at no "
            "more than half of the minima of rank one, and a tenth of rank two",
            all_cases(seldom[r] <= most for r, most in SELDOM.items()),
            measured=", ".join(f"rank {r}: {value:.3f}" for r, value in seldom.items()),
            expected="at most 1/2 and 1/10",
        ),
    ]
    phase = [row for row in tried if row["cell"].startswith("phase") and row["r"] == 1]
    share = {
        family: float(np.mean([row["true"] for row in phase if row["family"] == family]))
        for family in ("swap", "γ", "swap, random u", "new start")
    }
    claims.append(
        truth_claim(
            where,
            "In real phase retrieval of rank one the swap and γ lead to the truth more often than "
            "a new random start, and the swap more often than one with a random vector",
            min(share["swap"], share["γ"]) > share["new start"]
            and share["swap"] > share["swap, random u"],
            measured=", ".join(f"{family}: {value:.3f}" for family, value in share.items()),
            expected="the first two larger",
        )
    )
    return claims
