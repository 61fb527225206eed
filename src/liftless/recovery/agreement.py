"""Which rounds ended at the lowest level, and what the misfit there says of the noise."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from liftless.identify.fit import Fit
from liftless.problem import Problem
from liftless.recovery.policy import Policy
from liftless.space import Space
from liftless.start import can_pass

Factor = Float[np.ndarray, "n r"]

#: Probability that an interval for σ is meant to have.
COVER = 0.95
#: Most ends of rounds that are kept, the lowest ones.
KEPT = 50


@dataclass(frozen=True)
class End:
    """Where the local solve of a round ended."""

    start: str
    X: Factor
    objective: float


class Ends:
    """Ends of the rounds of one recovery.

    Parameters
    ----------
    space : Space
    policy : Policy
    """

    def __init__(self, space: Space, policy: Policy) -> None:
        self.space, self.policy = space, policy
        self._ends: list[End] = []

    def add(self, start: str, X: Factor, objective: float) -> None:
        """Keep the end of a round, if it is among the lowest."""
        self._ends.append(End(start, X, objective))
        if len(self._ends) > KEPT:
            self._ends.sort(key=lambda end: end.objective)
            self._ends.pop()

    def has(self, start: str) -> bool:
        """Whether a round began with such a start."""
        return any(end.start == start for end in self._ends)

    def at(self, X: Factor, objective: float, *, matrix: bool = False) -> int:
        """Rounds that ended at the level of X, or with ``matrix`` at its matrix.

        A round given up on its way counts where its matrix is near and its level not far above.
        """
        size = self.space.size(X)

        def same(end: End) -> bool:
            close = end.objective <= objective * self.policy.promising
            return close and self.space.distance(end.X, X) <= self.policy.agree_near * size

        def level(end: End) -> bool:
            return not matrix and end.objective <= objective * (1 + self.policy.lower)

        return sum(level(end) or same(end) for end in self._ends)


@dataclass(frozen=True)
class Noise:
    """Noise that explains a misfit.

    Attributes
    ----------
    sigma : float
        √(2 h / (m − dof)), of a measurement after the row weights; NaN where m <= dof or the loss
        is not squared.
    low, high : float
        Interval of 95 % for independent normal noise, from the χ² of m − dof degrees of freedom.
    rank : int
        Rank of the matrix.
    """

    sigma: float
    low: float
    high: float
    rank: int


def noise_of(fit: Fit) -> Noise:
    """Estimate the noise from the misfit of X."""
    problem, X = fit.problem, fit.X
    rank = problem.space.reduced(X).shape[1] if np.any(X) else 0
    rows = int(np.count_nonzero(fit.used))
    free = rows - (problem.operator.degrees_of_freedom(rank) if rank else 0)
    if free <= 0 or not problem.loss.quadratic:
        return Noise(math.nan, math.nan, math.nan, rank)
    # SciPy is imported where it is used: the command line starts faster without it.
    from scipy.special import gammaincinv

    length = float(np.linalg.norm(np.asarray(problem.weights) * (fit.y - fit.b)))
    tail = (1 - COVER) / 2
    ends = (2 * float(gammaincinv(free / 2, p)) for p in (1 - tail, tail))
    low, high = (length / math.sqrt(end) if end > 0 else math.inf for end in ends)
    return Noise(length / math.sqrt(free), low, high, rank)


def rounds_needed(problem: Problem, policy: Policy, share: float) -> int:
    """Rounds that must end at a level of h before it counts as agreed upon.

    Fewer where a misfit as small as ``share`` of h(0) is no chance: of a wrong matrix the residual
    is as good as any in the m − dof dimensions that are left to it, if the measurements look at all
    of the matrix alike, and so small with probability share^((m − dof)/2) at most.
    """
    free = (excess_rows(problem) - 1) * problem.degrees_of_freedom
    small = 0 < share < 1 and free / 2 * math.log(share) <= math.log(policy.chance)
    return policy.agree_rare if small and can_pass(problem) else policy.agree


def excess_rows(problem: Problem) -> float:
    """Measurements a degree of freedom of the rank that is asked for."""
    rows = int(np.count_nonzero(np.asarray(problem.weights)))
    return rows / max(problem.degrees_of_freedom, 1)
