"""The rows of Table 1's study: every method with its family and its grid.

Step sizes are in units of 1/L, L the largest Hessian eigenvalue at X̂; lengths in units of X̂'s
entries or norm; temperatures in units of h(X̂)/(n r).  So one small grid fits every case.
"""

from collections.abc import Callable
from dataclasses import dataclass

from liftless import LBFGS, GradientDescent, Method
from liftless.descent import (
    ALTO,
    SGD,
    SGLD,
    Alternating,
    BarzilaiBorwein,
    CubicNewton,
    Geometric,
    Nesterov,
    NoisyProjected,
    SimulatedAnnealing,
    TrustRegion,
    adam,
    adamw,
)
from liftless.descent.levenberg import LevenbergMarquardt
from liftless.descent.perturbed import PerturbedGD
from liftless_papers.experiments.sod.table1.cases import Spot

#: Families, in the order of the table.
DESCENT, RANDOM, HEURISTIC, SECOND, OURS, LIBRARY, CONTROL = (
    "descent",
    "random",
    "heuristic",
    "second order",
    "SOD",
    "library",
    "control",
)
#: Temperatures of annealing fall by this factor over the budget.
COOLED = 1e-3
#: Steps between two looks of a noise method, and the applications of one such iteration.
LOOK = 10


@dataclass(frozen=True)
class Baseline:
    """A local method: how it is made for a point, one of its grid, and a seed.

    Attributes
    ----------
    name, family : str
    grid : tuple of float
        Values of the one hyper-parameter that is tuned.
    tuned : str
        What that is.
    make : callable
        (spot, value, seed, budget) ↦ method.
    cost : callable
        spot ↦ applications an iteration, from which the longest run follows.
    """

    name: str
    family: str
    grid: tuple[float, ...]
    tuned: str
    make: Callable[[Spot, float, int, int], Method]
    cost: Callable[[Spot], float] = lambda _: 2.0

    @property
    def random(self) -> bool:
        """Whether a seed enters."""
        return self.family == RANDOM


def batch(spot: Spot) -> int:
    """A tenth of the measurements, at least one."""
    return max(1, round(spot.problem.m / 10))


def _sampled(spot: Spot) -> float:
    return 2 * LOOK * batch(spot) / spot.problem.m + 2


def _cooling(steps: float) -> float:
    return COOLED ** (1 / max(1.0, steps))


BASELINES: tuple[Baseline, ...] = (
    Baseline(
        "gradient descent",
        DESCENT,
        (0.1, 0.5, 1.5),
        "step·L",
        lambda spot, c, _, __: GradientDescent(c / spot.bend),
    ),
    Baseline(
        "SGD",
        RANDOM,
        (0.2, 0.35, 0.5, 0.7),
        "step·L",
        lambda spot, c, seed, _: SGD(c / spot.bend, batch(spot), every=LOOK, seed=seed),
        _sampled,
    ),
    Baseline(
        "SGLD",
        RANDOM,
        (0.3, 1.0, 3.0, 10.0),
        "T·nr/h",
        lambda spot, c, seed, _: SGLD(
            0.1 / spot.bend, c * spot.heat, batch(spot), every=LOOK, seed=seed
        ),
        _sampled,
    ),
    Baseline(
        "annealing (Langevin)",
        RANDOM,
        (1.0, 3.0, 10.0, 30.0),
        "T·nr/h",
        lambda spot, c, seed, budget: SGLD(
            0.3 / spot.bend,
            Geometric(c * spot.heat, _cooling(budget / 2)),
            every=LOOK,
            seed=seed,
        ),
        lambda _: 2.0 * LOOK,
    ),
    Baseline(
        "annealing (Metropolis)",
        RANDOM,
        (1.0, 3.0, 10.0, 30.0),
        "T·nr/h",
        lambda spot, c, seed, budget: SimulatedAnnealing(
            0.3 * spot.entry,
            Geometric(c * spot.heat, _cooling(float(budget))),
            every=LOOK,
            seed=seed,
        ),
        lambda _: LOOK + 1.0,
    ),
    Baseline(
        "perturbed GD",
        RANDOM,
        (0.5, 1.0, 1.7, 3.0),
        "radius/‖X̂‖",
        lambda spot, c, seed, _: PerturbedGD(
            c * spot.size,
            eta=0.5 / spot.bend,
            G=1e-3,
            F=None,
            T_escape=49,
            relative=True,
            seed=seed,
        ),
    ),
    Baseline(
        "noisy projected GD",
        RANDOM,
        (0.03, 0.1, 0.2, 0.4),
        "noise/‖X̂‖",
        lambda spot, c, seed, _: NoisyProjected(
            1.0 / spot.bend,
            1.5 * max(spot.size, float((spot.truth**2).sum() ** 0.5)),
            c * spot.size * spot.bend,
            every=LOOK,
            seed=seed,
        ),
        lambda _: 2.0 * LOOK,
    ),
    Baseline(
        "Adam",
        HEURISTIC,
        (0.03, 0.3, 1.0, 2.0),
        "step/entry",
        lambda spot, c, _, __: adam(c * spot.entry),
    ),
    Baseline(
        "AdamW",
        HEURISTIC,
        (0.03, 0.3, 1.0, 2.0),
        "step/entry",
        lambda spot, c, _, __: adamw(c * spot.entry, 0.01),
    ),
    Baseline(
        "Nesterov",
        HEURISTIC,
        (0.3, 1.0, 1.7),
        "step·L",
        lambda spot, c, _, __: Nesterov(c / spot.bend),
    ),
    Baseline(
        "Barzilai–Borwein",
        HEURISTIC,
        (0.0, 1.0),
        "formula",
        lambda _, c, __, ___: BarzilaiBorwein("short" if c else "long"),
        lambda _: 3.0,
    ),
    Baseline(
        "ALTO",
        HEURISTIC,
        (0.1, 0.3, 0.6, 1.0),
        "step",
        lambda _, c, __, ___: ALTO(c, cooling=0.01),
    ),
    Baseline("L-BFGS", HEURISTIC, (0.0,), "", lambda *_: LBFGS(), lambda _: 3.0),
    Baseline(
        "alternating",
        HEURISTIC,
        (0.1, 1.0),
        "tie",
        lambda _, c, __, ___: Alternating(c, 20),
        lambda _: 20.0,
    ),
    Baseline(
        "Levenberg–Marquardt",
        SECOND,
        (1e-3, 1.0),
        "damping",
        lambda _, c, __, ___: LevenbergMarquardt(c),
        lambda spot: 3.0 + spot.problem.operator.jacobian_cost(spot.X.shape[1]),
    ),
    Baseline(
        "trust region",
        SECOND,
        (0.1, 1.0),
        "radius",
        lambda _, c, __, ___: TrustRegion(c),
        lambda spot: 3.0 + 3.0 * min(20, spot.X.size),
    ),
    Baseline(
        "cubic Newton",
        SECOND,
        (0.1, 10.0),
        "weight",
        lambda _, c, __, ___: CubicNewton(c),
        lambda spot: 3.0 + 3.0 * spot.X.size,
    ),
)

#: Escapes of the library by the name of their row: the key that ``recover`` knows, tried from one
#: start.
SOD: dict[str, str] = {
    "SOD single-step": "single",
    "SOD multi-step": "multi",
    "SOD lifted": "lifted",
    "SOD jump": "jump",
    "SOD ladder": "ladder",
}
#: The library's default: the ladder, and fresh starts while the budget lasts.
DEFAULT = "recover (ladder, restarts)"
CONTROLS = ("random kick", "random restart", "spectral start")
