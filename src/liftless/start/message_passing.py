"""A start by message passing for the operators that it is meant for."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._precision import double, on_device
from liftless._types import AnyArray
from liftless.linalg import DENSE_LIMIT
from liftless.operators import RankOneOperator
from liftless.problem import Problem
from liftless.start.passing import Numbers, Passing, Watch
from liftless.start.passing_matrix import pass_matrix
from liftless.start.passing_rank_one import pass_rank_one

#: Applications of a step, and of the beginning.
STEP_COST, FIRST_COST = 2, 2
#: Second word of the seed of the Gaussian factors.
STREAM = 13


def can_pass(problem: Problem) -> bool:
    """Whether message passing is meant for a problem: its measurements, loss and size."""
    plain = problem.loss.name == "squared" and not problem.regularisers
    if not plain or problem.rank >= problem.n or problem.n > DENSE_LIMIT:
        return False
    return problem.operator.isotropic or isinstance(problem.operator, RankOneOperator)


@functools.partial(jax.jit, static_argnames=("rank",))
def _run(problem: Problem, numbers: Numbers, G: AnyArray, rank: int) -> tuple[AnyArray, Watch]:
    if isinstance(problem.operator, RankOneOperator):
        used = problem.omega > 0
        a = jnp.where(used[:, None], problem.operator.a, 0.0)
        return pass_rank_one(a, jnp.where(used, problem.b, 0.0), numbers, G, rank)
    return pass_matrix(problem, problem.operator.squares(), numbers, G, rank)


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
        Of A or A* to one matrix: two a step and two at the beginning.
    error : float
        Its own estimate of the relative error of the matrix; at most ``plan.ready``
        where it converged.
    """
    steps = float(plan.steps)
    if budget is not None:
        steps = max(1.0, min(steps, (budget - FIRST_COST) // STEP_COST))
    rng = np.random.default_rng([seed, STREAM])
    G = rng.standard_normal((problem.n, problem.rank))
    X, watch = _run(on_device(problem), Numbers.of(plan, steps), G, problem.rank)
    X, applications = np.asarray(X), FIRST_COST + STEP_COST * int(watch.k)
    if not np.all(np.isfinite(X)):
        return np.zeros_like(X), applications, np.inf
    return X, applications, float(watch.error)
