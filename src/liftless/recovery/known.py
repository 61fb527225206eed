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

#: Share of the entries whose values occur elsewhere too from which a matrix is in special position:
#: of a factor that is drawn from a continuous law no two entries are equal.
ALIKE = 0.01
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
    alike : float
        Share of the entries whose value another entry has as well.
    """

    counted: Bool[np.ndarray, " lines"] = field(repr=False)
    flexible: Flexible | None
    lines: Int[np.ndarray, " k"]
    space: Space = field(repr=False)
    alike: float = 0.0

    @property
    def discrete(self) -> bool:
        """Whether the data look like whole numbers, signs or zeros, not like general position.

        Then a second fit far from this one is no rare exception, and neither detector sees it.
        """
        return self.alike > ALIKE

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
            text = f"NO: {self.names}"
        elif self.flexible is None:
            text = "yes, for a matrix in general position"
        else:
            text = "yes, near this one"
        if self.discrete:
            text += f"; {self.alike:.0%} of the values occur more than once (discrete data): "
            text += "a fit far from this one is possible"
        return text

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
    return Known(completion.known, found, lines, problem.space, _alike(problem))


def _alike(problem: Problem) -> float:
    """Share of the entries whose value occurs at another position too."""
    entries = problem.operator.entries()
    if entries is None:
        return 0.0
    weights = np.asarray(entries.weights)
    used = (weights != 0) & (np.asarray(problem.weights) != 0)
    values = np.asarray(problem.b)[used] / weights[used]
    ordered = np.sort(values)
    again = np.isin(values, np.unique(ordered[1:][ordered[1:] == ordered[:-1]]))
    if np.mean(again) <= ALIKE:
        return 0.0
    # An entry that is given twice is no second one.
    i, j = (np.asarray(end)[used][again] for end in (entries.rows, entries.cols))
    place = np.minimum(i, j).astype(np.int64) * problem.n + np.maximum(i, j)
    pairs = np.unique(np.stack([values[again], place]), axis=1)
    _, count = np.unique(pairs[0], return_counts=True)
    return float(np.sum(count[count > 1]) / values.size)
