"""Region of escape of a straight line: its formula, what bounds it, and the minima inside."""

from collections.abc import Sequence

import numpy as np

from liftless_papers.experiments.base import (
    Claim,
    Experiment,
    Outcome,
    Row,
    Size,
    columns,
    table,
    truth_claim,
)
from liftless_papers.experiments.figures import Figure, Layer, Panel
from liftless_papers.experiments.own.minima import Cell, Points, back, half_square, sense, survey
from liftless_papers.experiments.own.quantities import Pair, dot, pairs, quartic

#: Round-off in what is compared with one, and how near to one no line search can tell.
CLOSE, NEAR = 1e-9, 1e-3
#: Most that may lie inside: one in twenty.
RARE = 0.05
#: Amplitudes of the dense search, over the size of X.
GRID = np.geomspace(1e-2, 1e2, 60)

FIGURES = (
    Figure(
        "region",
        "{minima} strict spurious minima, one start an instance, seed {seed}. (a) With x = "
        "−λ_n/(σ_r²‖A(P)‖²) and c the cosine of the angle between A(P) and A(Q), h falls along "
        "u_n q_rᵀ iff 2x + c² > 1: above the line, where {inside} lie. (b) At a second-order point "
        "2x ≤ 1 − cos²(A(P), S), where S is what the rotations and scalings of X measure, so that "
        "only a minimum above the diagonal can be left: A(Q) must be nearer to A(P) than S is.",
        (
            Panel(
                "(a) where a straight line escapes",
                "$c^2$",
                "$2x$",
                (
                    Layer("edge", "c2", "two_x", "curve", "2x + c² = 1", dashed=True),
                    Layer("minima", "c2", "two_x", "points", "{group}", (), "cell"),
                ),
                legend="outside",
            ),
            Panel(
                "(b) what second order leaves",
                "$\\cos^2(A(P), S)$",
                "$\\cos^2(A(P), A(Q))$",
                (
                    Layer("edge", "c2", "c2", "curve", "equal", dashed=True),
                    Layer("minima", "s2", "c2", "points", "{group}", (), "cell"),
                ),
                legend="outside",
            ),
        ),
        columns=2,
    ),
)


class Region(Experiment):
    """The formula at first-order points, three bounds at minima, and a count."""

    name = "own-region"
    paper = "own"
    title = "Straight lines from a minimum: the region of escape, and what lies in it"
    figures = FIGURES

    def run(self, size: Size, seed: int) -> Outcome:
        """Survey the minima and judge."""
        found = survey(size, seed)
        minima = [row for cell, points in found for row in _rows(cell, points)]
        rng = np.random.default_rng([seed, 15])
        lines = [row for cell, points in found for row in _lines(cell, points, rng)]
        at = np.linspace(0, 1, 11)
        rows = table("minima", minima) + table("lines", lines) + _counts(minima)
        rows += columns("edge", c2=at, two_x=1 - at)
        values = {
            "seed": seed,
            "minima": len(minima),
            "inside": sum(row["score"] > 1 for row in minima),
        }
        return Outcome(rows, [*_formula(lines), *_bounds(minima), *_inside(minima)], values)


def _rows(cell: Cell, points: Points) -> list[Row]:
    """One row a minimum, with (u_n, q_r) and with the best pair."""
    pair = pairs(points, 1)[0][0]
    level = 2 * points.h
    trace = np.sum(points.Z**2, axis=(1, 2))
    return columns(
        "minima",
        cell=cell.name,
        two_x=2 * pair.x,
        c2=pair.cosine2,
        s2=_turning(points, pair),
        score=2 * pair.x + pair.cosine2,
        best=_best(points),
        bessel=pair.cosine2 + pair.lam**2 / (level * dot(pair.Q, pair.Q)),
        floor=level / (-pair.lam * trace),
    )


def _best(points: Points) -> np.ndarray:
    """Largest score of u_i q_jᵀ over all triples and all eigenvectors with λ_i < 0.

    Zero eigenvectors are the columns of X: along them the line is a change of X's own scale.
    """
    best = np.zeros(len(points.X))
    for row in pairs(points):
        for pair in row:
            below = pair.lam < -CLOSE * np.linalg.norm(points.slack, axis=(1, 2))
            best = np.maximum(best, np.where(below, 2 * pair.x + pair.cosine2, 0.0))
    return best


def _turning(points: Points, pair: Pair) -> np.ndarray:
    """cos² of the angle between A(P) and the images of X W Xᵀ, W symmetric."""
    r = points.X.shape[2]
    images = []
    for i in range(r):
        for j in range(i, r):
            images.append(sense(points.A, points.X[:, :, [i]], points.X[:, :, [j]]))
    Q, _ = np.linalg.qr(np.stack(images, axis=2))
    part = np.einsum("kms,km->ks", Q, pair.P)
    return np.sum(part**2, axis=1) / dot(pair.P, pair.P)


def _lines(cell: Cell, points: Points, rng: np.random.Generator) -> list[Row]:
    """Scores of directions of every kind, beside what a search along the line finds."""
    random = rng.standard_normal(points.X.shape)
    directions = {
        "u_n q_r": pairs(points, 1)[0][0].direction,
        "EX": back(points.A, pairs(points, 1)[0][0].P) @ points.X,
        "random": random,
        # Half way it is lower: a D with K(D) and L(D) far from independent.
        "truth": points.Z - points.X,
    }
    found = []
    for name, direction in directions.items():
        D = direction * (_size(points.X) / _size(direction))
        line = quartic(points, D)
        found += columns(
            "lines",
            cell=cell.name,
            direction=name,
            score=line.score,
            at_lowest=points.objective(points.X + line.lowest[:, None, None] * D) / points.h,
            searched=_searched(points, D),
        )
    return found


def _size(X: np.ndarray) -> np.ndarray:
    return np.linalg.norm(X, axis=(1, 2), keepdims=True)


def _searched(points: Points, D: np.ndarray) -> np.ndarray:
    """Least h on a grid of amplitudes of both signs, over h at the point."""
    least = np.full(len(D), np.inf)
    y, L, K = points.e, 2 * sense(points.A, points.X, D), sense(points.A, D, D)
    for s in (*GRID, *-GRID):
        least = np.minimum(least, half_square(y + s * L + s * s * K))
    return least / points.h


def _counts(minima: Sequence[Row]) -> list[Row]:
    cells = dict.fromkeys(row["cell"] for row in minima)
    found = []
    for cell in cells:
        own = [row for row in minima if row["cell"] == cell]
        score = np.array([row["score"] for row in own])
        found.append(
            {
                "cell": cell,
                "minima": len(own),
                "median": float(np.median(score)),
                "largest": float(score.max()),
                "inside": int(np.sum(score > 1)),
                "inside_by_any_pair": int(sum(row["best"] > 1 for row in own)),
            }
        )
    return table("cells", found)


def _formula(lines: Sequence[Row]) -> list[Claim]:
    clear = [row for row in lines if abs(row["score"] - 1) > NEAR]
    inside = [row for row in clear if row["score"] > 1]
    wrong = [row for row in inside if not row["at_lowest"] < 1]
    wrong += [row for row in clear if row["score"] < 1 and row["searched"] < 1 - CLOSE]
    return [
        truth_claim(
            "Region of escape",
            "h falls along D iff 2x + c² > 1",
            bool(inside) and not wrong,
            measured=len(wrong),
            expected=0,
            note=f"{len(clear)} lines, {len(inside)} of them with a score above one.",
        )
    ]


def _bounds(minima: Sequence[Row]) -> list[Claim]:
    turn = max(row["two_x"] + row["s2"] for row in minima)
    inside = [row for row in minima if row["score"] > 1]
    claims = [
        (
            "second order",
            "2x <= 1 − cos²(A(P), S) at every minimum",
            turn,
        ),
        (
            "the residual",
            "c² + λ²/(2h‖A(Q)‖²) <= 1 at every minimum",
            max(row["bessel"] for row in minima),
        ),
        (
            "the level",
            "−λ >= 2h/Tr M* at every first-order point",
            max(row["floor"] for row in minima),
        ),
    ]
    return [
        truth_claim(
            f"Region of escape, {where}",
            text,
            value <= 1 + CLOSE,
            measured=value,
            expected="at most one",
            note=f"Over {len(minima)} minima, {len(inside)} of them inside.",
        )
        for where, text, value in claims
    ]


def _inside(minima: Sequence[Row]) -> list[Claim]:
    rows = _counts(minima)
    first = max(row["inside"] / row["minima"] for row in rows)
    any_pair = sum(row["inside_by_any_pair"] for row in rows)
    count = sum(row["inside"] for row in rows)
    total = sum(row["minima"] for row in rows)
    return [
        truth_claim(
            "Region of escape, survey",
            "At no more than one minimum in twenty, in any family, h falls along u_n q_rᵀ",
            first <= RARE,
            measured=first,
            expected=f"at most {RARE}",
            note=f"{count} of {total} minima lie inside.",
        ),
        truth_claim(
            "Region of escape, survey",
            "At no more than one minimum in twenty h falls along any u_i q_jᵀ with λ_i < 0",
            any_pair <= RARE * total,
            measured=any_pair / total,
            expected=f"at most {RARE}",
            note=f"{any_pair} of {total} minima.",
        ),
    ]
