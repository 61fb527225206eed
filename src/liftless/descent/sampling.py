"""Unbiased estimates of the gradient from a few measurements."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.descent.base import Factor
from liftless.objective import Objective
from liftless.problem import Problem


def sampled_gradient(problem: Problem, X: Factor, rows: Int[AnyArray, " k"]) -> Factor:
    """(m/k) Σ_{i ∈ rows} of the gradients of the measurements' terms, plus the regularisers'.

    With rows drawn uniformly from the m measurements its mean is ∇h(X) exactly, whether or not
    they are drawn with replacement.  Traceable.

    Parameters
    ----------
    problem : Problem
    X : array of shape (n, r)
    rows : integer array of shape (k,)
        Repeated rows count as often as they occur.

    Returns
    -------
    array of shape (n, r)

    Notes
    -----
    An operator with a cheap :meth:`~liftless.SensingOperator.subset` works on k rows only; any
    other is applied in full and the residual masked.
    """
    rows = jnp.asarray(rows)
    scale = problem.m / rows.shape[0]
    part = problem.operator.subset(rows)
    if part is not None:
        y = part.measure(X, X)
        pull = jnp.asarray(problem.omega)[rows] * problem.loss.derivative(
            y, jnp.asarray(problem.b)[rows]
        )
        data = 2 * scale * part.backproject(pull, X)
    else:
        times = jnp.zeros(problem.m, jnp.result_type(X)).at[rows].add(scale)
        pull = times * problem.pull(problem.operator.measure(X, X))
        data = 2 * problem.operator.backproject(pull, X)
    return sum((g.gradient(X) for g in problem.regularisers), data)


def draw_rows(key: Array, problem: Problem, batch: int) -> Int[Array, " k"]:
    """Uniform rows with replacement; traceable."""
    return jax.random.randint(key, (batch,), 0, problem.m)


def cost_of(objective: Objective, batch: int | None) -> float:
    """Applications that one estimate costs: 2, or the share of the rows where that is all."""
    whole = objective.data_cost + objective.gradient_cost
    if batch is None:
        return whole
    problem = _of_rows(objective)
    if batch > problem.m:
        must = f"at most the number of measurements, {problem.m}"
        raise InvalidInput("batch", batch, must, "Leave it out for all of them.")
    part = problem.operator.subset(jnp.zeros(batch, jnp.int32))
    return whole if part is None else whole * batch / problem.m


def estimate(objective: Objective, X: Factor, batch: int | None, key: Array) -> Factor:
    """∇h(X), or its estimate from ``batch`` random measurements; traceable."""
    if batch is None:
        return objective.evaluate(X)[1]
    problem = _of_rows(objective)
    return sampled_gradient(problem, X, draw_rows(key, problem, batch))


def _of_rows(objective: Objective) -> Problem:
    """Only a problem has measurements to draw from."""
    if not isinstance(objective, Problem):
        was = f"{type(objective).__name__}, which has no measurements to draw a batch from"
        raise InvalidInput("objective", was, "a Problem", "Pass batch=None.")
    return objective
