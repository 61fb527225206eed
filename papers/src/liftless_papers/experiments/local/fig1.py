"""Fig. 1: success of descent from a random and from an SVD start, over m and r."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from liftless_papers.compare.store import Store
from liftless_papers.experiments.base import Experiment, Outcome, Row, Size, Sweep, table
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel, counted, spanned
from liftless_papers.experiments.local.fig1_claims import RATE, crossing, fig1_claims, rate
from liftless_papers.experiments.local.relaxation import compare
from liftless_papers.experiments.local.transition import (
    KEY,
    RUNS,
    STARTS,
    SUCCESS,
    Cell,
    run_cells,
)

#: Order of the truth.
ORDER: dict[Size, int] = {"smoke": 20, "paper": 100}
#: Ranks, and m/(nr).
RANKS: dict[Size, tuple[int, ...]] = {"smoke": (1, 2, 4), "paper": tuple(range(1, 21))}
RATIOS: dict[Size, tuple[float, ...]] = {
    "smoke": (1.0, 1.4, 1.8, 2.2),
    "paper": (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0),
}
#: Ranks run once more with gradient descent cut short, and their m/(nr).
CAPPED: dict[Size, tuple[int, ...]] = {"smoke": (2, 4), "paper": (1, 2, 4, 8)}
CAPPED_RATIOS: dict[Size, tuple[float, ...]] = {
    "smoke": (1.4, 1.8, 2.2),
    "paper": (1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.2),
}
#: Ranks of the capped runs whose rates are drawn.
DRAWN = (2, 4)
#: Most measurements of the figure, drawn through their Gram matrix.
FULL = (20, 8000)
#: Order, ranks, m/(nr) and trials of the comparison with trace minimisation.
CONVEX: dict[Size, tuple[int, tuple[int, ...], tuple[float, ...], int]] = {
    "smoke": (8, (1,), (1.0, 1.8, 2.6), 4),
    "paper": (12, (1, 2), (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 3.0), 20),
}


def trials(size: Size, r: int) -> tuple[int, int]:
    """Sets of matrices and trials on each; the transition widens as r falls."""
    if size == "smoke":
        return 1, 4
    if r == 1:
        return 2, 20
    return 1, 12 if r <= 4 else 6 if r <= 8 else 3


def cells(size: Size, seed: int) -> list[Cell]:
    """Every cell, the cheap ones first."""
    n, found = ORDER[size], []
    plan = [("converged", r, ratio) for r in RANKS[size] for ratio in RATIOS[size]]
    plan += [("capped", r, ratio) for r in CAPPED[size] for ratio in CAPPED_RATIOS[size]]
    for run, r, ratio in sorted(plan, key=lambda item: item[1] * item[2]):
        draws, count = trials(size, r)
        found += [Cell(run, n, r, round(ratio * n * r), count, d, seed) for d in range(draws)]
    if size == "paper":
        r, m = FULL
        found.append(Cell("converged", n, r, m, trials(size, r)[1], 0, seed))
    return found


def rates(found: Iterable[Row]) -> list[Row]:
    """Cells over all draws of their matrices, one row for each start."""
    pooled: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        pooled.setdefault((row["run"], row["n"], row["r"], row["m"]), []).append(row)
    out: list[Row] = []
    for (run, n, r, m), parts in pooled.items():
        for start in STARTS:
            errors = [e for row in parts for e in row[start]]
            steps = [i for row in parts for i in row[f"{start}_iterations"]]
            good = sum(e is not None and e <= SUCCESS for e in errors)
            ratio = round(m / (n * r), 6)
            place = {"run": run, "start": start, "n": n, "r": r, "m": m, "ratio": ratio}
            out.append(place | rate(good, len(errors)) | {"iterations": float(np.median(steps))})
    return out


def _shown(name: str) -> str:
    """Name of a start in a figure."""
    return {"svd": "SVD"}.get(name, name)


def first_rows(found: Sequence[Row]) -> list[Row]:
    """First m/(nr) with success in half of the trials, for each run, start and rank."""
    keys = dict.fromkeys((row["run"], row["start"], row["n"], row["r"]) for row in found)
    out: list[Row] = []
    for run, start, n, r in sorted(keys):
        mine = [row for row in found if (row["run"], row["start"], row["r"]) == (run, start, r)]
        out.append(
            {
                "run": run,
                "start": start,
                "series": f"{_shown(start)}, {run}",
                "r": r,
                "first": crossing(mine),
                "dof": (n * r - r * (r - 1) // 2) / (n * r),
            }
        )
    return out


#: One series, for what all of them share.
ONE = (("series", "random, converged"),)


def convex_rows(size: Size, seed: int) -> list[Row]:
    """Trace minimisation, where it is installed, and both starts on the same problems."""
    n, ranks, ratios, count = CONVEX[size]
    plan = [
        Cell("converged", n, r, round(c * n * r), count, 0, seed) for r in ranks for c in ratios
    ]
    return [
        row
        | rate(row["count"], row["trials"])
        | {"label": f"{_shown(row['method'])}, r = {row['r']}"}
        for row in compare(plan)
    ]


def _values(size: Size, seed: int) -> dict[str, Any]:
    counts = [draws * count for draws, count in (trials(size, r) for r in RANKS[size])]
    return {
        "n": ORDER[size],
        "seed": seed,
        "counts": f"{spanned(min(counts), max(counts))} trials",
        "limit": int(RUNS["converged"][1].max_iterations),
        "cap": int(RUNS["capped"][1].max_iterations),
        "capped": max(CAPPED[size]),
        "small": CONVEX[size][0],
        "convex_trials": counted(CONVEX[size][3], "trial"),
    }


def _image(letter: str, start: str) -> Panel:
    where = (("run", "converged"), ("start", start))
    layers = (
        Layer("grid", "r", "ratio", "image", RATE, where, z="rate", z_limits=(0.0, 1.0)),
        Layer("first", "r", "dof", "curve", "unknowns", ONE, dashed=True),
    )
    return Panel(f"({letter}) {_shown(start)} start, converged", "rank r", "m / (n r)", layers)


TRANSITION_CAPTION = (
    "Success (relative error <= 0.01) over rank and m/(nr), n = {n}, seed {seed}, X* = QQᵀ, "
    "Gaussian A_i, {counts} a cell; descent to convergence (L-BFGS, at most "
    "{limit} steps). (a) random start, (b) SVD start; the dashed line is the number of unknowns, "
    "nr − r(r−1)/2. (c) First m/(nr) with success in half of the trials: near the unknowns, the "
    "SVD start first, and both fall with r. Gradient descent cut at {cap} iterations (lines that "
    "end at r = {capped}) comes nearer to the paper's 2nr (level)."
)
CURVES_CAPTION = (
    "Success over m/(nr) with 95 % Wilson intervals, seed {seed}. (a) n = {n}: gradient descent "
    "with backtracking cut at {cap} iterations, both starts. (b) n = {small}: descent to "
    "convergence beside trace minimisation (Clarabel) on the same problems, {convex_trials} "
    "each; the convex relaxation needs more measurements until half of the trials succeed."
)


def _curves(letter: str, name: str, title: str) -> Panel:
    layers = (Layer(name, "ratio", "rate", "line", "{group}", (), "label", low="low", high="high"),)
    return Panel(
        f"({letter}) {title}", "m / (n r)", RATE, layers, y_limits=(-0.03, 1.05), legend="outside"
    )


class Fig1(Experiment):
    """Phase transition of descent, with both starts, converged and cut short."""

    name = "local-fig1"
    paper = "local"
    title = "Phase transition with random and SVD starts"
    figures = (
        Figure(
            "transition",
            TRANSITION_CAPTION,
            (
                _image("a", "random"),
                _image("b", "svd"),
                Panel(
                    "(c) half of the trials succeed",
                    "rank r",
                    "first m / (n r)",
                    (
                        Layer("first", "r", "first", "line", "{group}", (), "series"),
                        Layer("first", "r", "dof", "curve", "unknowns", ONE, dashed=True),
                    ),
                    (Mark("y", 2.0, "paper"),),
                    legend="outside",
                ),
            ),
        ),
        Figure(
            "curves",
            CURVES_CAPTION,
            (
                _curves("a", "capped", "cut short"),
                _curves("b", "convex", "convex relaxation"),
            ),
            columns=2,
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """All cells."""
        return self._outcome(size, seed, run_cells(cells(size, seed)))

    resumable = True

    def resume(
        self,
        size: Size,
        seed: int,
        path: str | os.PathLike[str],
        sweep: Sweep | None = None,
    ) -> Outcome:
        """As :meth:`run`, with the cells kept in a file and taken from it where it has them.

        Parameters
        ----------
        size, seed
            As in :meth:`run`; a file of others is refused.
        path : path
            A store, made if missing; rows of an older file of lines beside it are taken over.
        sweep : callable, optional
            Runs cells elsewhere, as :func:`run_cells` has it.
        """
        settings = {"experiment": self.name, "size": size, "seed": seed}
        with Store(path, settings, key=KEY) as store:
            return self._outcome(size, seed, run_cells(cells(size, seed), store, sweep))

    def _outcome(self, size: Size, seed: int, found: Iterator[Row]) -> Outcome:
        rows = rates(found)
        firsts = first_rows(rows)
        convex = convex_rows(size, seed)
        capped = [row for row in rows if row["run"] == "capped" and row["r"] in DRAWN]
        grid = [row for row in rows if row["run"] == "converged" and row["ratio"] in RATIOS[size]]
        named = [row | {"label": f"{_shown(row['start'])}, r = {row['r']}"} for row in capped]
        out = table("cells", rows) + table("grid", grid) + table("first", firsts)
        out += table("capped", named) + table("convex", convex)
        return Outcome(out, fig1_claims(rows, firsts, convex), _values(size, seed))
