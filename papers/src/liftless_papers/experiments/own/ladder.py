"""Rungs of the ladder of escapes, each alone, at minima of instances too large for luck."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from liftless.escape.moves import FILL, SETTLE_LIFT, SETTLE_OVER
from liftless_papers.experiments.base import Claim, Experiment, Outcome, Row, Size, truth_claim
from liftless_papers.experiments.base import table as named
from liftless_papers.experiments.figures import Figure, Layer, Panel
from liftless_papers.experiments.own import planes
from liftless_papers.experiments.own.minima import STUCK, Cell, Factors, Points, descend, minima_of
from liftless_papers.experiments.own.quantities import pairs
from liftless_papers.experiments.sod.rates import rate_columns

CELLS: dict[Size, tuple[tuple[Cell, int], ...]] = {
    "smoke": (
        (Cell("gauss", 7, 1, 9), 50),
        (Cell("gauss", 6, 2, 12), 40),
        (Cell("phase", 6, 1, 9), 50),
    ),
    "paper": (
        (Cell("gauss", 12, 1, 14), 400),
        (Cell("gauss", 10, 2, 20), 400),
        (Cell("phase", 14, 1, 22), 400),
        (Cell("phase", 10, 2, 24), 400),
    ),
}
#: Lowest eigenvectors that the longer γ and swap rungs try.
EIGENVECTORS = 3

FIGURES = (
    Figure(
        "rungs",
        "{minima} strict spurious minima, seed {seed}: share from which a rung leads to the truth, "
        "95 % Wilson intervals. The last three are controls: a random wide start as wide as that "
        "of replace, one new start, and as many new starts as γ has tries over three pairs and all "
        "triples.",
        (
            Panel(
                "",
                "",
                "share that ends at the truth",
                (Layer("rungs", "rung", "rate", "bar", "{group}", (), "cell", "", "low", "high"),),
                y_limits=(0.0, 1.0),
                legend="outside",
            ),
        ),
        columns=1,
    ),
)


class Rungs(Experiment):
    """Success of each rung from the same minima."""

    name = "own-ladder"
    paper = "own"
    title = "The ladder of escapes: what each rung alone is worth"
    figures = FIGURES

    def run(self, size: Size, seed: int) -> Outcome:
        """Try every rung at every minimum."""
        rows = []
        for k, (cell, points) in enumerate(minima_of(CELLS[size], seed)):
            rng = np.random.default_rng([seed, k, 17])
            rows += _tried(cell, points, rng)
        values = {"seed": seed, "minima": sum(r["trials"] for r in rows if r["rung"] == "γ")}
        return Outcome(named("rungs", rows), _claims(rows), values)


def width(cell: Cell) -> int:
    """Columns of a wide start: Pataki's number and one, at most n."""
    pataki = int((np.sqrt(8 * cell.m + 1) - 1) // 2)
    return min(cell.n, max(cell.r, pataki) + 1)


def _tried(cell: Cell, points: Points, rng: np.random.Generator) -> list[Row]:
    grid = pairs(points, EIGENVECTORS)
    swaps = [[planes.swap(points, pair) for pair in row] for row in grid]
    gammas = [[planes.along(points, planes.turned(points, pair)) for pair in row] for row in grid]
    k, columns, tries = len(points.X), width(cell), EIGENVECTORS * cell.r
    values, vectors = np.linalg.eigh(points.slack)
    weights = np.sqrt(np.maximum(-values, -FILL * values[:, :1]))
    random = rng.standard_normal((k, cell.n, columns))
    found: dict[str, Bool[np.ndarray, " k"]] = {
        "replace": _wide(points, (vectors * weights[:, None])[:, :, :columns]),
        "swap": _any(points, swaps[0]),
        "γ": _any(points, gammas[0][:1]),
        "γ, three pairs": _any(points, [X for row in gammas for X in row]),
        "lift by two": _lift(points, values, vectors),
        "random wide": _wide(points, random),
        "new start": _any(points, [rng.standard_normal(points.X.shape)]),
        "as many new starts": _any(points, list(rng.standard_normal((tries, *points.X.shape)))),
    }
    return [
        {"cell": cell.name, "family": cell.family, "r": cell.r, "rung": rung}
        | rate_columns(int(true.sum()), k)
        for rung, true in found.items()
    ]


def _any(points: Points, starts: Sequence[Factors]) -> Bool[np.ndarray, " k"]:
    """Whether descent from one of the starts ends at the truth; those that did try no more."""
    true = np.zeros(len(points.X), bool)
    for X in starts:
        left = np.flatnonzero(~true)
        true[left] = descend(points.at(X).take(left), stuck=STUCK).true
    return true


def _wide(points: Points, D: np.ndarray, level: float = SETTLE_OVER) -> Bool[np.ndarray, " k"]:
    """Descend in the wide factor to a share of h(0), truncate, and descend on."""
    start = planes.along(points, D)
    return _any(points, [_truncated(descend(points.at(start), level, STUCK).X, points.X.shape[2])])


def _lift(points: Points, values: np.ndarray, vectors: np.ndarray) -> Bool[np.ndarray, " k"]:
    """Append the two lowest eigenvectors with their best size, and descend to h/100."""
    weights = np.sqrt(np.maximum(-values[:, :2], 0.0))
    X = np.concatenate([points.X, np.zeros((*points.X.shape[:2], 2))], axis=2)
    D = np.concatenate([np.zeros_like(points.X), vectors[:, :, :2] * weights[:, None]], axis=2)
    # ⟨A(XDᵀ + DXᵀ), ·⟩ vanishes: X and D share no column, so that h is even in s.
    K = planes.sense(points.A, D, D)
    s2 = np.maximum(-np.sum(K * points.e, axis=1), 0.0) / np.sum(K * K, axis=1)
    start = X + np.sqrt(s2)[:, None, None] * D
    level = SETTLE_LIFT * points.h / (np.sum(points.b**2, axis=1) / 2)
    return _any(points, [_truncated(descend(points.at(start), level, STUCK).X, points.X.shape[2])])


def _truncated(X: np.ndarray, r: int) -> Factors:
    V, sigma, _ = np.linalg.svd(X, full_matrices=False)
    return V[:, :, :r] * sigma[:, None, :r]


def _claims(rows: Sequence[Row]) -> list[Claim]:
    def rate(rung: str, **where: object) -> float:
        own = [r for r in rows if r["rung"] == rung and all(r[k] == v for k, v in where.items())]
        return sum(r["count"] for r in own) / sum(r["trials"] for r in own)

    lift, fresh = rate("lift by two", family="gauss"), rate("new start", family="gauss")
    one, many = rate("γ"), rate("γ, three pairs")
    equal = rate("as many new starts")
    return [
        truth_claim(
            "Ladder",
            "At Gaussian minima the lift by two leads to the truth less often than a new start",
            lift < fresh,
            measured=lift,
            expected=fresh,
        ),
        truth_claim(
            "Ladder",
            "γ over three eigenpairs and all triples succeeds at least a quarter more often than γ "
            "at (u_n, q_r)",
            many >= 1.25 * one,
            measured=many,
            expected=1.25 * one,
            note=f"γ at (u_n, q_r) {one:.3f}, as many new starts {equal:.3f}.",
        ),
    ]
