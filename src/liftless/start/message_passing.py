"""A start by message passing for the operators that it is meant for."""

import functools

import jax
import numpy as np
from jaxtyping import Float

from liftless._errors import InvalidInput
from liftless._precision import double, on_device
from liftless._types import AnyArray
from liftless.linalg import DENSE_LIMIT, extreme_eigenpairs
from liftless.operators import RankOneOperator
from liftless.problem import Problem
from liftless.start.passing import Numbers, Passing, Watch
from liftless.start.passing_matrix import pass_matrix
from liftless.start.passing_rank_one import pass_rank_one, spectral_product
from liftless.start.simple import handed_over, steps_within, used_rows

#: Applications of a step, and of the beginning.
STEP_COST, FIRST_COST = 2, 2
#: Second word of the seed of the Gaussian factors.
STREAM = 13


def can_pass(problem: Problem) -> bool:
    """Whether message passing is meant for a problem: its measurements, loss and size."""
    plain = problem.loss.name == "squared" and not problem.regularisers
    if not plain or problem.rank >= problem.n:
        return False
    if isinstance(problem.operator, RankOneOperator):
        return True
    return problem.operator.isotropic and problem.n <= DENSE_LIMIT


@functools.partial(jax.jit, static_argnames=("rank",))
def _run(
    problem: Problem, numbers: Numbers, G: AnyArray, U: AnyArray | None, rank: int
) -> tuple[AnyArray, Watch]:
    operator = problem.operator
    if isinstance(operator, RankOneOperator):
        return pass_rank_one(*used_rows(problem, operator), numbers, G, U, rank)
    return pass_matrix(problem, operator.squares(), numbers, G, rank)


def _leading(problem: Problem) -> tuple[Float[np.ndarray, "n r"] | None, int]:
    """Spectral estimate by Lanczos where n is large, with the applications that it took."""
    n, rank, operator = problem.n, problem.rank, problem.operator
    if n <= DENSE_LIMIT or not isinstance(operator, RankOneOperator):
        return None, 0
    a, b = used_rows(problem, operator)
    products = 0

    def product(W: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        return np.asarray(spectral_product(a, b, W, rank))

    return extreme_eigenpairs(product, n, rank, "highest")[1], 2 * products


@double
def passing_start(
    problem: Problem, plan: Passing, seed: int = 0, budget: int | None = None
) -> tuple[Float[np.ndarray, "n r"], int, float]:
    """Run message passing until it knows the matrix well enough for a local solve, or stalls.

    Parameters
    ----------
    problem : Problem
        One for which :func:`can_pass` holds.  Row weights decide only which rows are used.
    plan : Passing
    seed : int
        Of the Gaussian factor that a plan with ``fresh`` > 0 begins with.
    budget : int, optional
        Applications after which no further step is taken.

    Returns
    -------
    start : array of shape (n, r)
    applications : int
        Of A or A* to one matrix: two a step, two at the beginning, and two a product of Lanczos'
        method, which finds the spectral estimate above n = 500.
    error : float
        Its own estimate of the relative error of the matrix; at most ``plan.ready``
        where it converged.

    Raises
    ------
    InvalidInput
        For a problem that it is not meant for.
    """
    if not can_pass(problem):
        was = f"{type(problem.operator).__name__} with {problem.loss.name} loss"
        must = "with isotropic or rank-one measurements, squared loss, no regulariser, rank < n"
        raise InvalidInput("problem", was, must, "Use reweighted_start.")
    rng = np.random.default_rng([seed, STREAM])
    G = rng.standard_normal((problem.n, problem.rank))
    problem = on_device(problem)
    U, extra = _leading(problem)
    first = FIRST_COST + extra
    steps = steps_within(plan.steps, budget, first, STEP_COST)
    X, watch = _run(problem, Numbers.of(plan, steps), G, U, problem.rank)
    return handed_over(X, first + STEP_COST * int(watch.k), watch.error)
