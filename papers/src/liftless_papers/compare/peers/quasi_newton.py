"""SciPy's L-BFGS-B as a peer."""

import contextlib
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from liftless_papers.compare.peers.base import Effort, Peer
from liftless_papers.compare.peers.host import Enough, Evaluations


@final
@dataclass(frozen=True)
class QuasiNewton(Peer):
    """SciPy's L-BFGS-B from the spectral start, then from Gaussian ones.

    Its own tolerances are set to zero: it ends at the goal, at a stationary point by the rule of
    every peer, or where its line search finds no lower value.  A value with its gradient counts
    as two applications.

    Parameters
    ----------
    memory : int
        Pairs kept.
    """

    name: ClassVar[str] = "lbfgsb"
    title: ClassVar[str] = "SciPy L-BFGS-B, restarted"

    memory: int = 10

    def search(self, effort: Effort) -> str:
        """Start, descend, start again."""
        from scipy.optimize import minimize

        options = {
            "ftol": 0.0,
            "gtol": 0.0,
            "maxcor": self.memory,
            "maxiter": effort.budget,
            "maxfun": effort.budget,
        }
        while not effort.over:
            X = effort.start(spectral=True)
            evaluations, shape = Evaluations(effort), X.shape

            def both(
                x: np.ndarray, evaluations: Evaluations = evaluations, shape: tuple = shape
            ) -> tuple[float, np.ndarray]:
                X = np.array(x).reshape(shape)
                return evaluations.value(X), evaluations.gradient(X).ravel()

            with contextlib.suppress(Enough):
                minimize(both, X.ravel(), jac=True, method="L-BFGS-B", options=options)
        return ""
