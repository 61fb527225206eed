"""The one accountant: what a run may spend, and what it has spent.

Work is counted in applications of A or A* to a factor of the problem's own rank, by the cost model:
an application in a wide factor counts for more, and so does the elimination in a Newton step.
Beside it stands the plain number of applications, whatever their width, which is what papers count.
"""

import contextlib
import math
import time
from collections.abc import Iterator

from liftless.cost import CostModel

#: What a run may spend in all, relative to its budget: a search ends at the budget, and what is
#: left is for the last polish and the certificate.
OVER = 1.1


class Account:
    """Budget and expense of one run.

    Parameters
    ----------
    model : CostModel
    budget : float
        Work that may be spent.
    seconds : float
        Time after which nothing more is begun.

    Attributes
    ----------
    spent : float
        Work so far.
    applications : int
        Applications of A or A* so far, whatever their width.
    ceiling : float
        Work that is never gone beyond but by what cannot be divided.
    """

    def __init__(
        self, model: CostModel, budget: float | int = math.inf, seconds: float | int = math.inf
    ) -> None:
        self.model = model
        self.seconds = seconds
        self.began = time.perf_counter()
        self.spent = 0.0
        self.applications = 0
        self.ceiling = OVER * float(budget)
        self._limits = [float(budget)]

    @property
    def budget(self) -> float:
        """Work at which the present limit ends."""
        return self._limits[-1]

    @property
    def left(self) -> float:
        """Work within the present limit; 0 once the time is over."""
        if self.late:
            return 0.0
        return max(0.0, self.budget - self.spent)

    @property
    def remains(self) -> float:
        """Work below the ceiling; 0 once the time is over."""
        return 0.0 if self.late else max(0.0, self.ceiling - self.spent)

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return self.elapsed >= self.seconds

    def hurried(self, applications: float | int) -> bool:
        """Whether so many, as fast as those so far, would go beyond the time."""
        ahead = applications * self.elapsed / max(self.spent, 1.0)
        return self.elapsed + ahead > self.seconds

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self.began

    def charge(
        self, applications: float | int, columns: int | None = None, work: float | int = 0.0
    ) -> None:
        """Book applications to so many columns (the rank's by default), and multiply-adds."""
        ratio = 1.0 if columns is None else self.model.ratio(columns)
        self.spent += applications * ratio + (self.model.of(work) if work else 0.0)
        self.applications += int(applications)

    def steps(
        self,
        applications: float | int,
        columns: int | None = None,
        work: float | int = 0,
        *,
        first: int = 0,
        least: int = 1,
    ) -> int:
        """Steps of that price that are left after ``first`` applications, at least ``least``."""
        ratio = 1.0 if columns is None else self.model.ratio(columns)
        price = applications * ratio + (self.model.of(work) if work else 0.0)
        return max(least, int(min((self.left - first * ratio) / price, 1e9)))

    def room(self, ratio: float | int, step: float | int) -> float | None:
        """Applications at which a step of so many may not be begun any more; None for no limit."""
        left = self.left / ratio - step + 1
        return max(left, 0.0) if math.isfinite(left) else None

    @contextlib.contextmanager
    def within(self, most: float | int) -> Iterator[None]:
        """Allow no more than ``most`` inside the context, and never more than is left."""
        self._limits.append(min(self.budget, self.spent + most))
        try:
            yield
        finally:
            self._limits.pop()

    @contextlib.contextmanager
    def beyond(self, most: float | int) -> Iterator[None]:
        """Allow ``most`` inside the context, whatever the limit was: for what ends a run."""
        self._limits.append(self.spent + most)
        try:
            yield
        finally:
            self._limits.pop()
