"""Where Levenberg–Marquardt is worth its price, and what a run keeps for its end."""

import contextlib
import math
from collections.abc import Iterator

from liftless.account import Account
from liftless.carried import orthogonal
from liftless.cost import POINT, normal_matrix, spectral_work
from liftless.descent import LevenbergMarquardt, WhitenedLM
from liftless.descent.prices import step_price
from liftless.problem import Problem

#: A certificate whose eigenproblem takes more than this share of the budget goes without it.
DEAR = 0.25
#: Steps of Levenberg–Marquardt that a budget must pay for.
FEW = 10


def finishes(problem: Problem, account: Account) -> bool:
    """Whether Levenberg–Marquardt is affordable for a problem, and meant for its loss.

    For single entries it is where a step takes no more than one by conjugate gradients does.
    """
    if orthogonal(problem.operator) is not None:
        # Two applications a step of L-BFGS, and no matrix, where each Jacobian takes n.
        return False
    if not (problem.loss.quadratic and normal_matrix(problem.m, problem.n * problem.rank)):
        return False
    applications, work = step_price(problem, LevenbergMarquardt(), problem.rank)
    most: float | int = account.budget / FEW
    if problem.operator.entries() is not None:
        most = min(most, step_price(problem, WhitenedLM(), problem.rank)[0])
    return applications + account.model.of(work) <= most


class Reserve:
    """What a run keeps for its end: the certificate of its best point.

    Parameters
    ----------
    problem : Problem
    account : Account
    """

    def __init__(self, problem: Problem, account: Account) -> None:
        self.account = account
        self._eigen = account.model.of(spectral_work(problem.n))
        self._most = math.inf

    def dear(self, price: float | int) -> bool:
        """Whether an eigenproblem takes so much of the budget that certificates go without it."""
        return price > DEAR * self.account.ceiling

    @property
    def judging(self) -> float | int:
        """Work of a certificate; without its eigenproblem, where that is too dear."""
        return POINT + (0.0 if self.dear(self._eigen) else self._eigen)

    @property
    def for_search(self) -> float | int:
        """What a search may spend: where the budget is small, not what the end needs at the least.

        A search may go beyond it by a point that is evaluated where no step is left.
        """
        return min(self.account.budget, self.account.ceiling - self.judging - 2 * POINT)

    @property
    def judges(self) -> bool:
        """Whether what is left pays for a whole certificate."""
        return not self.dear(self._eigen) and POINT + self._eigen <= self.account.left

    def pays(self, work: float | int, held: float | int) -> bool:
        """Whether an eigenproblem's product, or its work where dense, leaves ``held``."""
        account = self.account
        price = account.model.of(work) if work else 2 * account.model.ratio(1)
        dear = bool(work) and self.dear(price)
        return not dear and account.spent + price + held <= min(account.ceiling, self._most)

    @contextlib.contextmanager
    def at_most(self, work: float | int) -> Iterator[None]:
        """Allow eigenproblems no more than ``work`` inside the context."""
        before, self._most = self._most, self.account.spent + work
        try:
            yield
        finally:
            self._most = before
