"""Many runs from zero on draws of the seven problems, judged by where they ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless import OfProblem
from liftless.descent import Descended, IPGDPlus, Perturbed, ipgd_batch
from liftless.descent.descended import FLAT, INVALID, LIMIT, OK, SADDLE, STALLED, UNSTABLE
from liftless.instances.ipgd import IpgdProblem, make_ipgd_problem
from liftless_papers.experiments.base import Row
from liftless_papers.experiments.ipgd._paths import region_of
from liftless_papers.ipgd.region import solution_distance, split

#: Error below which a run has recovered the truth.
GOOD = 1e-6
#: Entry of a factor beyond which a run has diverged; its products may overflow.
LOST = 1e6
#: Seeds of the paper's size.
SEEDS = tuple(range(10))
#: How a run ended, in one word.
ENDS = {
    OK: "returned",
    LIMIT: "no return",
    UNSTABLE: "unstable",
    INVALID: "not a number",
    FLAT: "flat",
    SADDLE: "stuck",
    STALLED: "stalled",
}
#: The problems in words, as axes have them.
NAMES = {
    "ms-sym": "sensing, sym.",
    "ms-rect": "sensing, asym.",
    "mc-sym": "completion, sym.",
    "mc-rect": "completion, asym.",
    "onebit-sym": "1-bit, sym.",
    "onebit-rect": "1-bit, asym.",
    "sparse": "sparse",
}


@dataclass(frozen=True)
class End:
    """Where one run ended, beside the truth.

    Attributes
    ----------
    made : IpgdProblem
    run : Descended
    error : float
        ‖M − M*‖_F, or ‖θ − θ*‖ for a sparse vector.
    residual, distance : float
        ‖x⊥‖, and the distance to the solutions in the implicit region; NaN where the run
        diverged, as the error is.
    inside : float
        Distance of the signal x# to those solutions: what is left of the error without x⊥.
    """

    made: IpgdProblem
    run: Descended
    error: float
    residual: float
    distance: float
    inside: float

    @property
    def good(self) -> bool:
        """Whether the truth was recovered."""
        return self.error < GOOD

    @property
    def mismatch(self) -> float:
        """|distance / residual − 1|."""
        return abs(self.distance / self.residual - 1) if self.residual > 0 else float("nan")

    @property
    def row(self) -> Row:
        """All of it as columns."""
        run = self.run
        return {
            "problem": self.made.name,
            "name": NAMES[self.made.name],
            "seed": run.seed,
            "end": ENDS[run.status],
            "good": self.good,
            "certified": run.certified,
            "error": self.error,
            "residual": self.residual,
            "distance": self.distance,
            "inside": self.inside,
            "mismatch": self.mismatch,
            "iterations": run.ipgd_iterations,
            "local": run.local_iterations,
            "perturbations": run.perturbations,
            "backtracks": run.backtracks,
            "step": run.step,
            "least_curvature": run.least_curvature,
        }


def recovered(made: IpgdProblem, X: Float[np.ndarray, "n r"]) -> float:
    """‖M − M*‖_F of the matrix, or vector, that the factor makes; NaN where a run diverged."""

    def product(Z: Float[np.ndarray, "n s"]) -> Float[np.ndarray, "..."]:
        if made.name == "sparse":
            u, v = np.split(Z[:, 0], 2)
            return u * u - v * v
        return made.problem.operator.space.matrix(Z)

    if not np.abs(X).max() < LOST:
        return float("nan")
    return float(np.linalg.norm(product(X) - product(made.truth)))


def end_of(made: IpgdProblem, run: Descended) -> End:
    """Measure where a run ended."""
    error = recovered(made, run.x)
    if np.isnan(error):
        return End(made, run, error, *[float("nan")] * 3)
    region = region_of(made)
    signal, residual = split(region, run.x)
    return End(
        made,
        run,
        error,
        float(np.linalg.norm(residual)),
        solution_distance(region, run.x, made.truth),
        solution_distance(region, signal, made.truth),
    )


def ends(
    name: str,
    seeds: Sequence[int],
    method: Perturbed | None = None,
    *,
    sizes: Mapping[str, Any] | None = None,
    most: int = 50_000,
) -> tuple[End, ...]:
    """Run one method from zero on one draw a seed.

    Parameters
    ----------
    name : str
        A key of ``liftless.instances.PROBLEMS``.
    seeds : sequence of int
        Of the problem, and of the perturbations.
    method : Perturbed, optional
        IPGD+ with the adaptive rule if left out.
    sizes : mapping, optional
        Parameters of the problem, as in ``make_ipgd_problem``.
    most : int
        Longest first phase.
    """
    drawn = [make_ipgd_problem(name, seed, **(sizes or {})) for seed in seeds]
    zeros = np.zeros((len(drawn), drawn[0].problem.n, drawn[0].problem.rank))
    runs = ipgd_batch(
        [OfProblem(made.problem, made.scale) for made in drawn],
        zeros,
        IPGDPlus() if method is None else method,
        seeds=list(seeds),
        max_iterations=most,
    )
    return tuple(end_of(made, run) for made, run in zip(drawn, runs, strict=True))
