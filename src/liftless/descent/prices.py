"""What a step of a local method costs, and how a run of it keeps to what may be spent."""

from typing import Any

from liftless.cost import STEP, normal_work
from liftless.descent.base import Method
from liftless.descent.gauss_newton import WhitenedLM, step_cost
from liftless.descent.levenberg import LevenbergMarquardt
from liftless.problem import Problem

#: Iterations of conjugate gradients that a step usually takes at most.
INNER = 100


def step_price(problem: Problem, method: Method, columns: int) -> tuple[int, float]:
    """Applications of a step of a method, and multiply-adds of its eliminations."""
    if isinstance(method, WhitenedLM):
        return STEP + 2 * min(method.inner, INNER), 0.0
    if not isinstance(method, LevenbergMarquardt):
        return STEP, 0.0
    price = STEP + problem.operator.jacobian_cost(columns)
    return price, normal_work(problem.m, problem.n * columns)


def within(method: Method, most: float | int, columns: int) -> tuple[Any, float | int]:
    """The method so that a run spends at most ``most`` applications, and its least step's.

    A step of conjugate gradients ends with the budget; other methods take whole steps.
    """
    if isinstance(method, WhitenedLM):
        price = step_cost(columns)
        return WhitenedLM(method.damping, method.inner, method.accuracy, float(most)), price
    return method, STEP
