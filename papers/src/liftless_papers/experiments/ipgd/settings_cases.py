"""The printed constants of IPGD+ on every loss they can mean, and the changes that are tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless import OfProblem
from liftless.descent import IPGDPlus
from liftless.instances.ipgd import SPECTRUM, make_ipgd_problem
from liftless_papers.experiments.base import Row, Size
from liftless_papers.experiments.ipgd._runs import NAMES, End, ends
from liftless_papers.ipgd import curvature_range

#: Changes to the algorithm: the name of a column, and what differs from the printed constants.
CHANGES: dict[str, dict[str, Any]] = {
    "printed": {},
    "return x": {"returned": "x"},
    "T from λ": {"T_escape": "curvature"},
}
#: Local steps T', which the paper does not print.  A run may return from beside a saddle, and then
#: needs the longer ones; with T_escape from the curvature it returns a solution.
LOCAL = {"printed": 3000, "return x": 3000, "T from λ": 500}
#: Longest first phase; those that return do so within two thirds of it.
MOST = 3000
#: Measurements of sensing where only the constants are tried.
N = 600


@dataclass(frozen=True)
class Case:
    """One loss with one step.

    Attributes
    ----------
    text : str
        Line of the table.
    name : str
        Problem.
    step : float
    printed : bool
        Whether loss and step are the printed ones, as far as the paper prints them.
    sizes : mapping
        Of the problem.
    changes : tuple of str
        Columns that are run.
    """

    text: str
    name: str
    step: float
    printed: bool = True
    sizes: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[str, ...] = tuple(CHANGES)


SENSING = {"N": N}
#: Half of the printed step of sensing.
HALF = 0.05
#: Of the printed sum of sparse recovery, which is ``scale`` = 2, and three weaker ones.
MEAN = 2 / 300
CASES = (
    Case("sensing, sym., 1/(4N), N = 600", "ms-sym", 0.1, sizes=SENSING),
    Case("the same, N = 1000", "ms-sym", 0.1, sizes={"N": 1000}, changes=("printed",)),
    Case("the same, N = 2000", "ms-sym", 0.1, sizes={"N": 2000}, changes=("printed",)),
    Case("the same, N = 600, η = 0.05", "ms-sym", HALF, False, SENSING),
    Case("sensing, asym., 1/(4N)", "ms-rect", 0.1, sizes=SENSING),
    Case("the same, 1/(2N)", "ms-rect", 0.1, False, {"N": N, "scale": 1 / N}),
    Case("the same, 1/(2N), η = 0.05", "ms-rect", HALF, False, {"N": N, "scale": 1 / N}),
    Case("completion, sym., sum", "mc-sym", 0.02),
    Case("completion, asym., sum", "mc-rect", 0.02),
    Case("1-bit, sym., sum", "onebit-sym", 0.1),
    Case("1-bit, asym., sum", "onebit-rect", 0.1),
    Case("sparse, sum", "sparse", 0.01, sizes={"scale": 2.0}),
    Case("sparse, mean", "sparse", 0.01, False, {"scale": MEAN}),
    Case("sparse, mean / 2", "sparse", 0.01, False, {"scale": MEAN / 2}),
    Case("sparse, 1.7 mean", "sparse", 0.01, False, {"scale": 1.7 * MEAN}),
)
#: Lines of the quick size.
QUICK = (0, 3, 11, 12)


def cases(size: Size) -> tuple[Case, ...]:
    """Return the lines of the table."""
    return CASES if size == "paper" else tuple(CASES[k] for k in QUICK)


@dataclass(frozen=True)
class Cell:
    """One line and column: the runs on every seed."""

    case: Case
    change: str
    ends: tuple[End, ...]

    @property
    def good(self) -> int:
        """Runs that recovered the truth."""
        return sum(end.good for end in self.ends)


def run_case(case: Case, seeds: Sequence[int]) -> list[Cell]:
    """Run every column of one line."""
    cells = []
    for change in case.changes:
        given = CHANGES[change] | {"eta": case.step, "local_steps": LOCAL[change]}
        method = IPGDPlus(mode="paper", **given)
        found = ends(case.name, seeds, method, sizes=case.sizes, most=MOST)
        cells.append(Cell(case, change, found))
    return cells


@dataclass(frozen=True)
class Budget:
    """What the constants allow on one line, for each seed.

    Attributes
    ----------
    sharpest : array of shape (seeds,)
        η λ_max(∇²f(X*)); a step is stable below 2.
    growth, needed : array of shape (seeds,)
        (1 + η |λ_min|)^T_escape at zero, and the growth of γ/√d to the length √(2F/|λ_min|) at
        which f has fallen by F.
    """

    case: Case
    sharpest: Float[np.ndarray, " k"]
    growth: Float[np.ndarray, " k"]
    needed: Float[np.ndarray, " k"]


def budget(case: Case, seeds: Sequence[int]) -> Budget:
    """Measure the curvature at zero and at the truth."""
    found = []
    for seed in seeds:
        made = make_ipgd_problem(case.name, seed, **case.sizes)
        f, X = OfProblem(made.problem, made.scale), made.wide_truth
        top, depth = curvature_range(f, X)[1], -curvature_range(f, 0 * X)[0]
        p = made.printed
        growth = p.T_escape * np.log10(1 + case.step * depth)
        needed = np.log10(np.sqrt(2 * p.F / depth) * np.sqrt(X.size) / p.gamma)
        found.append((case.step * top, growth, needed))
    sharpest, growth, needed = np.array(found).T
    return Budget(case, sharpest, 10**growth, 10**needed)


# -- weight of the balance ------------------------------------------------------------------------

#: Rectangular problems, their sizes and printed steps.
BALANCED: dict[str, tuple[dict[str, Any], float]] = {
    "ms-rect": (SENSING, 0.1),
    "mc-rect": ({}, 0.02),
    "onebit-rect": ({}, 0.1),
}
#: Weights in units of the bound; the printed weight 1 is added.
SHARES: dict[Size, tuple[float, ...]] = {"smoke": (0.0, 0.5), "paper": (0.0, 0.5, 0.8, 1.2)}


def weight_bound(step: float) -> float:
    """Weight from which ‖XᵀX − YᵀY‖² alone is unstable: 16 λ σ_1 η = 2."""
    return 1 / (8 * step * SPECTRUM[0])


def balance_rows(size: Size, seeds: Sequence[int]) -> list[Row]:
    """Success over the weight, with T_escape from the curvature."""
    rows = []
    names = list(BALANCED) if size == "paper" else ["ms-rect"]
    for name in names:
        sizes, step = BALANCED[name]
        bound = weight_bound(step)
        for weight in [*(share * bound for share in SHARES[size]), 1.0]:
            given = CHANGES["T from λ"] | {"eta": step, "local_steps": LOCAL["T from λ"]}
            method = IPGDPlus(mode="paper", **given)
            found = ends(name, seeds, method, sizes={**sizes, "balance": weight}, most=MOST)
            rows.append(_balance_row(name, weight, bound, found))
    return rows


def _balance_row(name: str, weight: float, bound: float, found: tuple[End, ...]) -> Row:
    good = [end for end in found if end.good]
    return {
        "problem": name,
        "weight": weight,
        "share": weight / bound,
        "good": len(good),
        "runs": len(found),
        "rate": len(good) / len(found),
        "distance": float(np.median([end.distance for end in good])) if good else None,
        "residual": float(np.median([end.residual for end in good])) if good else None,
    }


# -- adaptive rule --------------------------------------------------------------------------------

#: Factors of the loss of sparse recovery: a power of two, whose products are exact, and N.
FACTORS = (1024.0, 300.0)


def adaptive(size: Size, seeds: Sequence[int]) -> list[End]:
    """The rule without constants on every problem."""
    names = NAMES if size == "paper" else ("ms-sym", "sparse")
    return [end for name in names for end in ends(name, seeds)]


def scale_rows(found: Sequence[End]) -> list[Row]:
    """The same runs of sparse recovery with other factors of the loss."""
    base = [end for end in found if end.made.name == "sparse"]
    seeds = [end.run.seed for end in base]
    rows = []
    for factor in FACTORS:
        others = ends("sparse", seeds, sizes={"scale": MEAN * factor})
        for one, other in zip(base, others, strict=True):
            away = float(np.max(np.abs(one.run.x - other.run.x)))
            same = one.run.ipgd_iterations == other.run.ipgd_iterations
            rows.append({"factor": factor, "seed": one.run.seed, "away": away, "same": same})
    return rows
