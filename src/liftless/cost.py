"""The one model of cost: what work takes, in multiply-adds, and what is done without asking.

Every decision on size is taken here: whether an eigenproblem or a Jacobian is dense, how wide a
start may be, what an application in a wide factor is charged.  An operator says what one of its own
applications takes (:meth:`liftless.SensingOperator.cost`); the rest follows.
"""

import math
from typing import Any, Protocol, runtime_checkable

#: What an application costs on its own: entering compiled code, the vector work of a step.  With
#: it the model follows the time of a step of L-BFGS at n = 100 within a third: 9 µs for one column
#: and 47 µs for a hundred, where the products alone would be a hundred times dearer.
OVERHEAD = 3e5
#: Work of a dense decomposition that is quick: an eigenproblem of order 510, an eighth of a second.
QUICK = 1.2e9
#: Work that a check may take which the answer does not depend on: a fraction of a second.
CHECK = 2e9
#: Share of a budget that one over-parameterised descent may take, at some 400 applications.
WIDE_SHARE, WIDE_APPLICATIONS = 0.5, 400
#: Applications of a point's evaluation, with which a local solve begins, and of a step on a line.
POINT, STEP = 2, 3
#: Numbers that one array may hold without asking: half a gigabyte.
NUMBERS = 6.4e7


@runtime_checkable
class Costly(Protocol):
    """What the model asks of an operator."""

    def cost(self, columns: int) -> float:
        """Multiply-adds of one application to so many columns."""
        ...


def eigen_work(n: int) -> float:
    """Multiply-adds of a dense symmetric eigenproblem of order n, vectors included."""
    return 9.0 * n**3


def dense_eigen(n: int) -> bool:
    """Whether an eigenproblem of order n is solved densely; above, matrix-free by Lanczos."""
    return eigen_work(n) <= QUICK


def spectral_work(n: int) -> float:
    """Multiply-adds of the decomposition in a spectral step; none where Lanczos takes products."""
    return eigen_work(n) if dense_eigen(n) else 0.0


def dense_jacobian(m: int, unknowns: int) -> bool:
    """Whether the singular values of an m × N Jacobian may be computed."""
    return unknowns**3 <= QUICK and float(m) * unknowns**2 <= CHECK


def normal_matrix(m: int, unknowns: int) -> bool:
    """Whether a local method may form and factor the N × N matrix of Gauss and Newton a step.

    At n = 600, m/n = 2 it takes 18 applications where L-BFGS takes 550.
    """
    return unknowns**3 <= QUICK and _fits(m, unknowns)


def normal_work(m: int, unknowns: int) -> float:
    """Multiply-adds of that matrix and its factor."""
    return float(m) * unknowns**2 / 2 + unknowns**3 / 3.0


def _fits(m: int, unknowns: int) -> bool:
    # The Jacobian is held three times: as it is, weighted, and as a product.
    return 3.0 * m * unknowns <= NUMBERS


def widest_in_memory(n: int, memory: int = 20) -> int:
    """Columns of a factor of n rows of which a method keeps ``memory`` copies."""
    return max(1, int(NUMBERS / (memory * n)))


class CostModel:
    """Work in applications to a factor of the problem's own rank.

    Parameters
    ----------
    operator : Costly
    rank : int

    Attributes
    ----------
    one : float
        Multiply-adds of one application to the problem's own rank.
    """

    def __init__(self, operator: Costly, rank: int) -> None:
        self.operator = operator
        self.rank = rank
        self.one = OVERHEAD + operator.cost(rank)

    def ratio(self, columns: int) -> float:
        """One application to so many columns, in applications to the rank."""
        if columns == self.rank:
            return 1.0
        return (OVERHEAD + self.operator.cost(columns)) / self.one

    def of(self, work: float | int) -> float:
        """Multiply-adds in applications to the rank."""
        return work / self.one

    def columns(self, most: float | int, widest: int) -> int:
        """Columns up to ``widest`` whose application costs at most ``most``; at least the rank."""
        low, high = self.rank, max(self.rank, widest)
        if self.ratio(high) <= most:
            return high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.ratio(middle) <= most else (low, middle)
        return low


def affordable_width(
    problem: Any,
    budget: float | int = math.inf,
    *,
    square: bool = False,
    model: CostModel | None = None,
) -> int:
    """Columns of an over-parameterised start.

    Pataki's number, beyond which the factored problem has the convex problem's optimum, or as many
    as there are rows; less where memory or the budget do not pay for it, and never less than the
    rank.
    """
    space, rank = problem.operator.space, problem.rank
    pataki = max(rank + 1, space.pataki(problem.m) + 1)
    most = space.most_columns if square else min(space.most_columns, pataki)
    most = min(most, max(rank + 1, widest_in_memory(problem.n)))
    if budget == math.inf:
        return most
    model = model or CostModel(problem.operator, rank)
    return model.columns(WIDE_SHARE * budget / WIDE_APPLICATIONS, most)
