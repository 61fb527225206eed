"""Starts without a schedule: the spectral estimate, a Gaussian factor, a wide factor truncated."""

from dataclasses import dataclass

import numpy as np

from liftless.cost import POINT, STEP, spectral_work
from liftless.descent import LBFGS, Stop
from liftless.descent.watched import descend_as
from liftless.problem import Problem
from liftless.start.base import START_COST, Allowance, Begun, Start
from liftless.start.simple import SMALL, random_start, spectral_start

#: Relative to h at zero, where the descent in a wide factor ends and the factor is truncated.
SETTLE = 1e-4
#: Steps that a descent usually takes at most.
USUAL = 400
#: ‖∇h‖ ‖X‖ / h at which it is stuck.
STUCK = 1e-4


@dataclass(frozen=True)
class Spectral(Start):
    """The spectral estimate of the problem's own rank: leading eigenvectors of A*(w² b)."""

    hopeless = 0.0

    def __str__(self) -> str:
        return "spectral"

    def least(self, problem: Problem, allowance: Allowance) -> float | int:
        """One eigenproblem and a line."""
        del problem
        return START_COST + allowance.eigen

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

    def least(self, problem: Problem, allowance: Allowance) -> float | int:
        """The line that sizes it."""
        del problem, allowance
        return START_COST

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

    def least(self, problem: Problem, allowance: Allowance) -> float | int:
        """The wide factor, and one step in it."""
        width = allowance.square if self.square else allowance.width
        price = allowance.wide_cost(width)
        if width > problem.rank:
            price += (POINT + STEP) * allowance.account.model.ratio(width)
        return price

    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """Descend to a fraction of h at zero."""
        width = allowance.square if self.square else allowance.width
        X = allowance.wide(seed, width)
        width = X.shape[1]
        if width <= problem.rank:
            return Begun(X)
        padded = np.pad(X, ((0, 0), (0, max(0, allowance.padded - width))))
        account = allowance.account
        steps, ratio = account.steps(STEP, width, first=POINT), account.model.ratio(width)
        most = account.room(ratio, STEP)
        stop = Stop(SETTLE, STUCK, steps, allowance.size / 2, most)
        work = STEP * ratio * account.model.one
        watched = allowance.watching(work * min(steps, USUAL))
        go, how = allowance.going if watched else None, allowance.precision
        done = descend_as(problem, padded, LBFGS(), stop, go, precision=how)
        allowance.rough += done.rough
        return Begun(
            problem.operator.space.truncate(done.X[:, :width], problem.rank),
            done.applications * ratio,
            done.applications,
            None,
            np.array([done.objective]),
        )
