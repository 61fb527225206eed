"""Perturbed gradient descent as a peer: one run, perturbed where it stops moving."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Float

from liftless.descent import PerturbedGD
from liftless.descent.loop import DIVERGED
from liftless.start import spectral_start
from liftless_papers.compare.peers.base import SPECTRAL_COST, Effort, Peer

#: Steps of the power method that measures the largest Hessian eigenvalue, and the cost of one.
POWER_STEPS, POWER_COST = 10, 4


@final
@dataclass(frozen=True)
class PerturbedDescent(Peer):
    """Perturbed gradient descent from one Gaussian start until the budget ends.

    The step is ``step`` over the largest Hessian eigenvalue at the spectral start, constant; should
    the run leave the finite numbers it begins again with a quarter of it.

    Parameters
    ----------
    step : float
        Step times the largest Hessian eigenvalue at the spectral start.
    radius : float
        Radius of the perturbation relative to the norm of the spectral start.
    threshold, wait
        G, relative, and T_escape of :class:`liftless.PerturbedGD`.

    Notes
    -----
    Jin, Ge, Netrapalli, Kakade and Jordan (2017), algorithm 1.
    """

    name: ClassVar[str] = "perturbed-gd"
    title: ClassVar[str] = "perturbed gradient descent"

    step: float = 0.5
    radius: float = 1e-2
    threshold: float = 1e-3
    wait: int = 49

    def search(self, effort: Effort) -> str:
        """Run from one start, with a smaller step only if it diverges."""
        spectral = spectral_start(effort.problem, effort.problem.rank)
        effort.account.charge(SPECTRAL_COST)
        X = effort.start(spectral=False)
        at = spectral if np.any(spectral) else X
        step = self.step / _largest_curvature(effort, at)
        radius = self.radius * float(np.linalg.norm(at))
        while not effort.over:
            seed = effort.draw() % 2**32
            method = PerturbedGD(
                radius,
                eta=step,
                G=self.threshold,
                F=None,
                T_escape=self.wait,
                relative=True,
                seed=seed,
            )
            done = effort.descend(X, method, effort.goal, gradient=0.0, price=2)
            if done.status != DIVERGED:
                break
            step /= 4
        return ""


def _largest_curvature(effort: Effort, X: Float[np.ndarray, "n r"]) -> float:
    """Largest Hessian eigenvalue at X by a few power steps from X itself."""
    D, value = X / np.linalg.norm(X), 1.0
    for _ in range(min(POWER_STEPS, int(effort.account.left // POWER_COST))):
        image = np.asarray(effort.problem.hessian_product(X, D))
        effort.account.charge(POWER_COST)
        value = float(np.linalg.norm(image))
        if value == 0:
            return 1.0
        D = image / value
    return value
