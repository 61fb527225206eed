"""Starts without a schedule: the spectral estimate, a Gaussian factor, a wide factor truncated."""

from dataclasses import dataclass

import numpy as np

from liftless.cost import spectral_work
from liftless.descent import LBFGS, Stop, descend
from liftless.problem import Problem
from liftless.start.base import START_COST, Allowance, Begun, Start
from liftless.start.simple import SMALL, random_start, spectral_start

#: Relative to h at zero, where the descent in a wide factor ends and the factor is truncated.
SETTLE = 1e-4
#: ‖∇h‖ ‖X‖ / h at which it is stuck.
STUCK = 1e-4


@dataclass(frozen=True)
class Spectral(Start):
    """The spectral estimate of the problem's own rank: leading eigenvectors of A*(w² b)."""

    hopeless = 0.0

    def __str__(self) -> str:
        return "spectral"

    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """One eigenproblem; the seed is not used."""
        del seed
        extra = allowance.account.model.of(spectral_work(problem.n))
        return Begun(spectral_start(problem, problem.rank), START_COST + extra, START_COST)


@dataclass(frozen=True)
class Gaussian(Start):
    """A Gaussian factor.

    Attributes
    ----------
    size : float
        Relative to the best multiple of the draw.
    """

    size: float = SMALL
    hopeless = 0.0

    def __str__(self) -> str:
        return f"random size={self.size:g}"

    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """One draw, and the line that sizes it."""
        del allowance
        return Begun(random_start(problem, problem.rank, seed, size=self.size), START_COST)


@dataclass(frozen=True)
class OverParameterised(Start):
    """Plain descent in a wide factor, truncated.

    Attributes
    ----------
    square : bool
        As many columns as rows where the budget pays for it, rather than Pataki's number.
    """

    square: bool = False

    def __str__(self) -> str:
        return "plain"

    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """Descend to a fraction of h at zero."""
        width = allowance.square if self.square else allowance.width
        X = allowance.wide(seed, width)
        width = X.shape[1]
        if width <= problem.rank:
            return Begun(X)
        padded = np.pad(X, ((0, 0), (0, max(0, allowance.padded - width))))
        steps = allowance.account.steps(3, width)
        stop = Stop(SETTLE, STUCK, steps, allowance.size / 2)
        done = descend(problem, padded, LBFGS(), stop)
        ratio = allowance.account.model.ratio(width)
        return Begun(
            problem.operator.space.truncate(done.X[:, :width], problem.rank),
            done.applications * ratio,
            done.applications,
            None,
            np.array([done.objective]),
        )
