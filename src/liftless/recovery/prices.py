"""What a step of a local method costs, and where Levenberg–Marquardt is worth its price."""

from liftless.cost import normal_matrix, normal_work
from liftless.descent import LevenbergMarquardt, Method, WhitenedLM
from liftless.problem import Problem

#: Iterations of conjugate gradients that a step usually takes at most.
INNER = 100


def can_finish(problem: Problem) -> bool:
    """Whether Levenberg–Marquardt is affordable for a problem, and meant for its loss."""
    return problem.loss.quadratic and normal_matrix(problem.m, problem.n * problem.rank)


def step_price(problem: Problem, method: Method, columns: int) -> tuple[int, float]:
    """Applications of a step of a method, and multiply-adds of its eliminations."""
    if isinstance(method, WhitenedLM):
        return 3 + 2 * min(method.inner, INNER), 0.0
    if not isinstance(method, LevenbergMarquardt):
        return 3, 0.0
    price = 3 + problem.operator.jacobian_cost(columns)
    return price, normal_work(problem.m, problem.n * columns)
