"""Rank over-parameterisation: descend in a wider factor, truncate, descend again."""

import abc
from dataclasses import dataclass
from typing import ClassVar, final

from liftless.problem import Problem
from liftless_papers.compare.peers.base import Effort, Peer

#: Fraction of h at zero at which the wide descent stops and the factor is truncated.
SETTLE = 1e-4


class Over(Peer):
    """Descend in a wide factor to a fraction of h at zero, truncate, and solve locally.

    The first start is spectral, later ones Gaussian.
    """

    @abc.abstractmethod
    def width(self, problem: Problem) -> int:
        """Columns of the wide factor."""

    def search(self, effort: Effort) -> str:
        """Wide start, truncation, local solve; then from the beginning."""
        width = min(self.width(effort.original), effort.problem.n)
        while not effort.over:
            X = effort.settle(effort.start(spectral=True, width=width), SETTLE)
            if not effort.over:
                effort.local(X)
        return ""


@final
@dataclass(frozen=True)
class OverOne(Over):
    """One column more than the rank."""

    name: ClassVar[str] = "over-1"
    title: ClassVar[str] = "over-parameterised to rank r + 1, truncated"

    def width(self, problem: Problem) -> int:
        """Return r + 1."""
        return problem.rank + 1


@final
@dataclass(frozen=True)
class OverTwice(Over):
    """Twice the rank."""

    name: ClassVar[str] = "over-2"
    title: ClassVar[str] = "over-parameterised to rank 2r, truncated"

    def width(self, problem: Problem) -> int:
        """Return 2 r."""
        return 2 * problem.rank


@final
@dataclass(frozen=True)
class OverFull(Over):
    """As many columns as rows: the whole cone of positive semidefinite matrices."""

    name: ClassVar[str] = "over-n"
    title: ClassVar[str] = "over-parameterised to rank n, truncated"

    def width(self, problem: Problem) -> int:
        """Return n."""
        return problem.n
