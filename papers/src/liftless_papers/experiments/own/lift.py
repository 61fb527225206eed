"""When the lift of a spurious minimum is a strict saddle: by order, for A_i >= 0 and in general."""

from collections.abc import Sequence
from functools import reduce

import numpy as np
from jaxtyping import Float

from liftless.lifted.saddle import saddle_along_b
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
from liftless_papers.experiments.own.minima import Cell, Numbers, Points, back, survey
from liftless_papers.experiments.own.quantities import dot, pairs
from liftless_papers.experiments.sod.rates import rate_columns

#: Orders of the figure, and one that stands for all large ones.
ORDERS = (1, 3, 5, 7, 9, 11, 15, 21, 31, 61, 101, 301)
LARGE = 10_001
#: A criterion nearer to its edge than this, relatively, is not compared.
NEAR = 1e-6
#: Minima whose whole lifted Hessian is formed, and the orders.
WHOLE, WHOLE_ORDERS = 40, (1, 2, 3)

FIGURES = (
    Figure(
        "orders",
        "{minima} strict spurious minima, seed {seed}: share whose lift is a strict saddle along b "
        "at order l. Where all A_i are positive semidefinite it goes to one; for Gaussian A_i it "
        "ends at the share with σ_r²‖A(P)‖²/4 below the larger of |p| and |m|, and no order helps "
        "at the others. The whole space of real phase retrieval at rank one, exactly: μ^l > 3.",
        (
            Panel(
                "strict saddles by order",
                "order $l$",
                "share of minima",
                (
                    Layer("orders", "order", "rate", "line", "{group}", (), "cell"),
                    Layer("whole", "order", "rate", "line", "{group}", (), "cell", dashed=True),
                ),
                x_scale="log",
                y_limits=(0.0, 1.02),
                legend="outside",
            ),
        ),
        columns=1,
    ),
)


class Lift(Experiment):
    """The lift along b for positive semidefinite and for Gaussian measurements."""

    name = "own-lift"
    paper = "own"
    title = "Lifts of spurious minima: which order makes a strict saddle"
    figures = FIGURES

    def run(self, size: Size, seed: int) -> Outcome:
        """Survey the minima and judge."""
        minima, whole, hessians = [], [], []
        for cell, points in survey(size, seed):
            minima += _along_b(cell, points)
            if cell.family == "phase" and cell.r == 1:
                mu = largest(points)
                whole += [{"cell": f"{cell.name}, whole space", "mu": float(v)} for v in mu]
                if cell.n == 4:
                    hessians += _hessians(points.take(np.arange(min(WHOLE, len(mu)))), mu)
        rows = (
            named("minima", minima) + _orders(minima) + _whole(whole) + named("hessian", hessians)
        )
        values = {"seed": seed, "minima": len(minima)}
        claims = [*_semidefinite(minima), *_phase(hessians, whole), *_gaussian(minima)]
        return Outcome(rows, claims, values)


def _along_b(cell: Cell, points: Points) -> list[Row]:
    """P = ⟨A(XXᵀ), A(Q)⟩, m = ⟨b, A(Q)⟩ and σ_r²‖A(P)‖²/4 at every minimum."""
    pair = pairs(points, 1)[0][0]
    p, m = dot(points.e + points.b, pair.Q), dot(points.b, pair.Q)
    stiff = pair.sigma**2 * dot(pair.P, pair.P) / 4
    return [
        {
            "cell": cell.name,
            "family": cell.family,
            "lam": float(pair.lam[k]),
            "p": float(p[k]),
            "m": float(m[k]),
            "stiff": float(stiff[k]),
        }
        for k in range(len(p))
    ]


def largest(points: Points) -> Numbers:
    """μ: the largest eigenvalue of the pencil (A*(b), A*(A(XXᵀ)))."""
    low = np.linalg.cholesky(back(points.A, points.e + points.b))
    half = np.linalg.solve(low, back(points.A, points.b))
    return np.linalg.eigvalsh(np.linalg.solve(low, np.swapaxes(half, 1, 2)))[:, -1]


def lifted(points: Points, order: int) -> Float[np.ndarray, "k d d"]:
    """Hessian of h^l, without a ½, at vec(X)^{⊗l}: 4[K(y)^{⊗l} − K(b)^{⊗l}] + 8(BᵀB)^{⊗l}."""
    k, n, r = points.X.shape
    m = points.A.shape[1]
    eye = np.eye(r)
    parts = [np.kron(back(points.A, z), eye) for z in (points.e + points.b, points.b)]
    rows = (points.A.reshape(k, m * n, n) @ points.X).reshape(k, m, n * r)
    parts.append(np.swapaxes(rows, 1, 2) @ rows)
    powers = [reduce(_kron, [part] * order) for part in parts]
    return 4 * (powers[0] - powers[1]) + 8 * powers[2]


def _kron(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    product = a[:, :, None, :, None] * b[:, None, :, None, :]
    return product.reshape(len(a), a.shape[1] * b.shape[1], a.shape[2] * b.shape[2])


def _hessians(points: Points, mu: Numbers) -> list[Row]:
    """Sign of the least eigenvalue of the whole Hessian beside the sign of 3 − μ^l."""
    found = []
    for order in WHOLE_ORDERS:
        values = np.linalg.eigvalsh(lifted(points, order))
        for k, least in enumerate(values[:, 0] / np.abs(values).max(axis=1)):
            found.append({"order": order, "mu": float(mu[k]), "least": float(least)})
    return found


def _orders(minima: Sequence[Row]) -> list[Row]:
    found = []
    for cell in dict.fromkeys(row["cell"] for row in minima):
        own = [row for row in minima if row["cell"] == cell]
        for order in ORDERS:
            count = sum(_saddle(row, order) for row in own)
            found.append({"cell": cell, "order": order} | rate_columns(count, len(own)))
    return named("orders", found)


def _whole(whole: Sequence[Row]) -> list[Row]:
    found = []
    for cell in dict.fromkeys(row["cell"] for row in whole):
        mu = np.array([row["mu"] for row in whole if row["cell"] == cell])
        for order in ORDERS:
            count = int(np.sum(order * np.log(mu) > np.log(3)))
            found.append({"cell": cell, "order": order} | rate_columns(count, len(mu)))
    return named("whole", found)


def _saddle(row: Row, order: int) -> bool:
    return saddle_along_b(row["p"], row["m"], row["stiff"], order)


def _semidefinite(minima: Sequence[Row]) -> list[Claim]:
    own = [row for row in minima if row["family"] == "phase"]
    ratio = max(row["stiff"] / row["p"] for row in own)
    orders = [int(np.floor(np.log(3) / np.log(row["m"] / row["p"]))) + 1 for row in own]
    missed = sum(not _saddle(row, order) for row, order in zip(own, orders, strict=True))
    note = (
        f"{len(own)} minima; the median order that the bound asks for is {np.median(orders):.0f}."
    )
    return [
        truth_claim(
            "Lift, A_i >= 0",
            "σ²‖A(P)‖²/4 <= ⟨A(XXᵀ), A(uuᵀ)⟩ where all A_i are positive semidefinite",
            ratio <= 1 + NEAR,
            measured=ratio,
            expected="at most one",
            note=note,
        ),
        truth_claim(
            "Lift, A_i >= 0",
            "There the lift is a strict saddle along b at the first order above "
            "log 3/log(1 − λ_n/p)",
            missed == 0,
            measured=missed,
            expected=0,
            note=note,
        ),
    ]


def _phase(hessians: Sequence[Row], whole: Sequence[Row]) -> list[Claim]:
    clear = [row for row in hessians if abs(row["order"] * np.log(row["mu"]) - np.log(3)) > NEAR]
    wrong = sum((row["mu"] ** row["order"] > 3) != (row["least"] < 0) for row in clear)
    negative = sum(row["least"] < 0 for row in clear)
    median = float(np.median([np.log(3) / np.log(row["mu"]) for row in whole]))
    return [
        truth_claim(
            "Lift, real phase retrieval",
            "At rank one the whole lifted Hessian has a negative eigenvalue iff μ^l > 3",
            wrong == 0 and 0 < negative < len(clear),
            measured=wrong,
            expected=0,
            note=f"{len(clear)} Hessians, {negative} of them with one; the median of "
            f"log 3/log μ over {len(whole)} minima is {median:.1f}.",
        ),
        truth_claim(
            "Lift, real phase retrieval",
            "At every spurious minimum 1 < μ <= 3",
            all_cases(1 < row["mu"] <= 3 + NEAR for row in whole),
            measured=", ".join(f"{f(r['mu'] for r in whole):.6g}" for f in (min, max)),
            expected="between 1 and 3",
        ),
    ]


def _gaussian(minima: Sequence[Row]) -> list[Claim]:
    own = [row for row in minima if row["family"] == "gauss"]
    size = [max(abs(row["p"]), abs(row["m"])) / row["stiff"] for row in own]
    # At the order LARGE the power decides from this distance to one on.
    clear = [(row, s) for row, s in zip(own, size, strict=True) if abs(np.log(s)) > 1e-3]
    wrong = sum(_saddle(row, LARGE) != (s > 1) for row, s in clear)
    never = sum(s < 1 for _, s in clear) / len(clear)
    return [
        truth_claim(
            "Lift, Gaussian A_i",
            "At large odd orders the lift is a strict saddle along b iff "
            "σ²‖A(P)‖²/4 < max(|p|, |m|)",
            wrong == 0,
            measured=wrong,
            expected=0,
            note=f"{len(clear)} minima at l = {LARGE}.",
        ),
        truth_claim(
            "Lift, Gaussian A_i",
            "No order makes it one along b at more than a third of the minima",
            never > 1 / 3,
            measured=never,
            expected="more than 1/3",
        ),
    ]
