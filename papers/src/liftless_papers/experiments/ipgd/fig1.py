"""Fig. 1: perturbed descent on matrix sensing with r' = r and r' = r + 1 columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless import OfProblem
from liftless.descent import Descended, IPGDPlus, Perturbed, PerturbedGD, ipgd_batch
from liftless.instances.ipgd import IpgdProblem, make_ipgd_problem
from liftless.operators import DenseOperator
from liftless.problem import Problem
from liftless_papers.experiments.base import Experiment, Outcome, Row, Size, table
from liftless_papers.experiments.figures import Figure, Layer, Mark, Panel, counted
from liftless_papers.experiments.ipgd._runs import recovered
from liftless_papers.experiments.ipgd.fig1_claims import IPGD_PLUS, OFTEN, UNPERTURBED, fig1_claims

#: Measurements and step, which the paper does not print for this figure, and entries of a start.
N, ETA, START = 300, 0.05, 0.3
#: Columns of the two parameterisations; the truth has rank 3.
EXACT, OVER = 3, 4
#: Longest run of each size; the longest over N; points of a curve are this many steps apart.
STEPS: dict[Size, int] = {"smoke": 2000, "paper": 4000}
LONG: dict[Size, int] = {"smoke": 2000, "paper": 8000}
EVERY = 20
SEEDS: dict[Size, int] = {"smoke": 1, "paper": 10}
#: Numbers of measurements of the last panel, and seeds; the factor of r' = 4 has 74 unknowns.
COUNTS: dict[Size, tuple[int, ...]] = {"smoke": (70, 300), "paper": (70, 100, 150, 300, 600)}
COUNT_SEEDS: dict[Size, int] = {"smoke": 1, "paper": 3}

#: What is run: name in the figure, columns, whether from a random start, and the method.
METHODS: dict[str, tuple[int, bool, Perturbed]] = {
    "r' = 3, PGD": (EXACT, True, PerturbedGD(1e-2, eta=ETA)),
    # A perturbation of 1e-300 is lost in the round-off of the iterate.
    UNPERTURBED: (EXACT, True, PerturbedGD(1e-300, eta=ETA, G=1e-14, F=None)),
    "r' = 4, PGD": (OVER, True, PerturbedGD(1e-2, eta=ETA)),
    "PGD, γ = 1e-2": (OVER, False, PerturbedGD(1e-2, eta=ETA, F=None)),
    "PGD, γ = 1e-3": (OVER, False, PerturbedGD(1e-3, eta=ETA, F=None)),
    OFTEN: (OVER, False, PerturbedGD(1e-2, eta=ETA, G=1e-3, F=None)),
    f"{OFTEN}, r' = 3": (EXACT, False, PerturbedGD(1e-2, eta=ETA, G=1e-3, F=None)),
}


@dataclass(frozen=True)
class Curve:
    """One run: ‖XXᵀ − M*‖_F over the iterations, and the sizes of the columns at the end."""

    series: str
    random: bool
    run: Descended
    t: Float[np.ndarray, " T"]
    error: Float[np.ndarray, " T"]
    fourth: float

    def at(self, t: int) -> float:
        """Error at iteration ``t``; NaN where the run had ended."""
        return float(self.error[np.searchsorted(self.t, t)]) if t <= self.t[-1] else float("nan")


def draw(seed: int, width: int, count: int, room: int | None = None) -> IpgdProblem:
    """Draw a problem of ``count`` measurements, with zero ones up to ``room`` for one shape."""
    made = make_ipgd_problem("ms-sym", seed, N=count, width=width)
    plain = made.problem.operator
    if room is None or not isinstance(plain, DenseOperator):
        return made
    operator = DenseOperator(np.pad(plain.packed, ((0, room - count), (0, 0))), plain.n)
    problem = Problem(operator, np.pad(made.problem.b, (0, room - count)), width)
    return IpgdProblem(made.name, problem, made.truth, made.rank, made.scale, made.printed)


def run_curves(
    series: str,
    drawn: Sequence[IpgdProblem],
    seeds: Sequence[int],
    method: Perturbed,
    steps: int,
    *,
    random: bool,
) -> list[Curve]:
    """One run a problem, from a random start or from zero."""
    shape = (drawn[0].problem.n, drawn[0].problem.rank)
    starts = [START * np.random.default_rng([s, 1]).standard_normal(shape) for s in seeds]
    runs = ipgd_batch(
        [OfProblem(made.problem, made.scale) for made in drawn],
        np.stack(starts) * float(random),
        method,
        seeds=list(seeds),
        max_iterations=steps,
        record_every=EVERY,
    )
    return [_curve(series, made, run, random=random) for made, run in zip(drawn, runs, strict=True)]


def _curve(series: str, made: IpgdProblem, run: Descended, *, random: bool) -> Curve:
    h = run.history
    t, x = [*h["t"], run.iterations], [*h["x"], run.x]
    last = np.r_[np.diff(t) > 0, True]
    t = np.array(t, dtype=np.float64)[last]
    error = np.array([recovered(made, X) for X, keep in zip(x, last, strict=True) if keep])
    sizes = np.linalg.svd(run.x, compute_uv=False)
    return Curve(series, random, run, t, error, float(np.hypot.reduce(sizes[made.rank :])))


def all_curves(size: Size, seed: int) -> list[Curve]:
    """Every series on every seed."""
    seeds, steps = range(seed, seed + SEEDS[size]), STEPS[size]
    drawn = {width: [draw(s, width, N) for s in seeds] for width in (EXACT, OVER)}
    # Half of the steps and more for the local phase, which starts once the return is made.
    plus = IPGDPlus(mode="paper", eta=ETA, T_escape=100, local_steps=3 * steps // 5)
    methods = METHODS | {IPGD_PLUS: (OVER, False, plus)}
    return [
        curve
        for series, (width, random, method) in methods.items()
        for curve in run_curves(series, drawn[width], seeds, method, steps, random=random)
    ]


def count_rows(size: Size, seed: int) -> list[Row]:
    """Error at the end over the number of measurements."""
    rows = []
    room, seeds = max(COUNTS[size]), range(seed, seed + COUNT_SEEDS[size])
    for width in (EXACT, OVER):
        for count in COUNTS[size]:
            drawn = [draw(s, width, count, room) for s in seeds]
            method = PerturbedGD(1e-2, eta=ETA)
            found = run_curves("counts", drawn, seeds, method, LONG[size], random=True)
            rows += [
                {
                    "series": f"r' = {width}",
                    "width": width,
                    "N": count,
                    "seed": curve.run.seed,
                    "error": float(curve.error[-1]),
                    "value": curve.run.value,
                    "fourth": curve.fourth,
                    "iterations": curve.run.iterations,
                }
                for curve in found
            ]
    return rows


def curve_rows(curves: Sequence[Curve]) -> list[Row]:
    """Rows of the first seed's curves, thinned evenly on a logarithmic axis."""
    first = curves[0].run.seed
    rows = []
    for curve in curves:
        if curve.run.seed != first:
            continue
        wanted = np.unique(np.geomspace(1, curve.t.size, 90).astype(int)) - 1
        for k in np.unique(np.r_[wanted, np.linspace(0, curve.t.size - 1, 60).astype(int)]):
            place = {"series": curve.series, "random": curve.random}
            rows.append(place | {"t": float(curve.t[k]), "error": float(curve.error[k])})
    return rows


def end_rows(curves: Sequence[Curve]) -> list[Row]:
    """One row a run."""
    return [
        {
            "series": curve.series,
            "random": curve.random,
            "seed": curve.run.seed,
            "perturbations": curve.run.perturbations,
            "iterations": curve.run.iterations,
            "error": float(curve.error[-1]),
            "fourth": curve.fourth,
            **{f"at_{t}": curve.at(t) for t in (500, 1000, 2000, 4000)},
        }
        for curve in curves
    ]


CAPTION = (
    "Error ‖XXᵀ − M*‖_F of perturbed descent (PGD), n = 20, M* of rank 3 with eigenvalues 10, 5, "
    "1, N = {N} symmetrised Gaussian matrices, η = {eta}, problem and starts of seed {seed}. (a) "
    "From a random start: linear with r' = 3, and 1/t with r' = 4, where no perturbation is ever "
    "made ({noise} in all runs): the unwanted column comes from the start. (b) r' = 4 from zero, "
    "where the perturbation is all there is: its size sets the error that is left, and IPGD+ "
    "recovers M*. Perturbed too often, r' = 3 stays off as well. A jump up is a perturbation at "
    "the solution."
)
COUNTS_CAPTION = (
    "Error of PGD after {long} steps over the number of measurements, {count_seeds} each. "
    "Only below the 74 unknowns of four columns (line) is there a wrong solution of rank 4 to "
    "converge to; above, r' = 4 is on its slow way to M*."
)


def _panel(title: str, random: bool) -> Panel:
    layers = (Layer("curves", "t", "error", "line", "{group}", (("random", random),), "series"),)
    ends = (1e-15, 30.0)
    return Panel(
        title, "iteration t", "‖XXᵀ − M*‖_F", layers, y_scale="log", y_limits=ends, legend="outside"
    )


class Fig1(Experiment):
    """Fig. 1, its version from zero, and what the number of measurements does."""

    name = "ipgd-fig1"
    paper = "ipgd"
    title = "Perturbed descent with one column too many"
    figures = (
        Figure(
            "errors",
            CAPTION,
            (_panel("(a) random start", True), _panel("(b) zero start", False)),
            columns=2,
        ),
        Figure(
            "measurements",
            COUNTS_CAPTION,
            (
                Panel(
                    "",
                    "measurements N",
                    "‖XXᵀ − M*‖_F",
                    (Layer("counts", "N", "error", "points", "{group}", (), "series"),),
                    (Mark("x", 74.0, "74 unknowns"),),
                    y_scale="log",
                ),
            ),
            columns=1,
        ),
    )

    def run(self, size: Size, seed: int) -> Outcome:
        """Run every method on every seed."""
        curves, counts = all_curves(size, seed), count_rows(size, seed)
        ends = end_rows(curves)
        rows = table("curves", curve_rows(curves)) + table("ends", ends) + table("counts", counts)
        noise = sum(row["perturbations"] for row in ends if row["series"] == "r' = 4, PGD")
        values: dict[str, Any] = {
            "N": N,
            "eta": ETA,
            "seed": seed,
            "noise": noise,
            "long": LONG[size],
            "count_seeds": counted(COUNT_SEEDS[size], "draw"),
        }
        return Outcome(rows, fig1_claims(curves, ends, counts, STEPS[size]), values)
