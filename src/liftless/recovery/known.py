"""What is known of a completed matrix entry by entry, at sizes where no Jacobian is taken apart.

Two detectors, of which either may say no: counting entries (peeling), which is right for a matrix
in general position, and a random null direction of the measurements at the factor itself, which
sees what zeros and whole numbers in it leave open.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from liftless.cost import CostModel
from liftless.identify.flexible import Flexible, flexible
from liftless.problem import Problem
from liftless.space import Space
from liftless.start.belief import Completion

#: Multiply-adds of one application up to which the null direction is looked for, which takes some
#: hundreds of them.
WORK = 1e8


@dataclass(frozen=True)
class Known:
    """Which entries of an exact fit are determined.

    Attributes
    ----------
    counted : boolean array of shape (lines,)
        Lines that the positions of the entries determine.
    flexible : Flexible or None
        A null direction; None where that would take long.
    lines : integer array of shape (k,)
        Lines that are not determined, by either.
    space : Space
    """

    counted: Bool[np.ndarray, " lines"] = field(repr=False)
    flexible: Flexible | None
    lines: Int[np.ndarray, " k"]
    space: Space = field(repr=False)

    def determined(self, i: Any, j: Any) -> Bool[np.ndarray, "..."]:
        """Whether entries (i, j) are determined, for index arrays of one shape."""
        i, j = self.space.positions(i, j)
        sure = self.counted[i] & self.counted[j + self.space.sides[-1].start]
        if self.flexible is not None:
            sure = sure & self.flexible.determined(i, j)
        return np.asarray(sure)

    @property
    def answer(self) -> str:
        """Whether the matrix is determined, in a few words."""
        if self.lines.size:
            return f"NO: {self.names}"
        if self.flexible is None:
            return "yes, for a matrix in general position"
        return "yes, near this one"

    @property
    def names(self) -> str:
        """Lines that are not determined, by name, and how many they are."""
        named = self.space.named(self.lines)
        return f"other values of {named} fit as well ({self.lines.size} of {self.space.lines})"


def known(problem: Problem, X: np.ndarray, completion: Completion, *, quick: bool = False) -> Known:
    """Ask both detectors about an exact fit.

    Parameters
    ----------
    problem : Problem
    X : array of shape (n, r)
    completion : Completion
        Of the same problem.
    quick : bool
        Whether there is no time for the second.
    """
    cheap = not quick and CostModel(problem.operator, problem.rank).one <= WORK
    found = flexible(problem, X) if cheap else None
    lines = completion.unknown
    if found is not None:
        lines = np.union1d(lines, found.open_lines())
    return Known(completion.known, found, lines, problem.space)
