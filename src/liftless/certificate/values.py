"""Values, eigenpairs and the Hessian's ends at a point: what its certificate is made of."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless import cost
from liftless._checks import real_number
from liftless._precision import entry
from liftless._types import AnyArray
from liftless.linalg import OutOfTime, book, extreme_eigenpairs
from liftless.problem import Problem

#: Relative accuracy of an eigenvalue that decides nothing.
ROUGH = 1e-2
#: The same of the Hessian's least one, whose sign decides.
SHARP = 1e-6


@dataclass(frozen=True)
class FirstOrder:
    """Values at a point that need no eigenproblem."""

    objective: float
    excess: float
    full: float
    gradient_norm: float
    relative_gradient: float
    inner: float
    penalty_gap: float


@entry
def values(problem: Problem, X: AnyArray) -> tuple[AnyArray, ...]:
    """Return the fields of :class:`FirstOrder`, without the ratio; traceable."""
    y = problem.operator.measure(X, X)
    zero = jnp.zeros_like(y)
    trace_part = problem.trace_weight / 2 * jnp.sum(X * X)
    data_gradient = 2 * problem.operator.backproject(problem.pull(y), X)
    return (
        problem.value_at(y, X),
        problem.excess_at(y, X),
        jnp.sum(problem.omega * problem.loss.excess(zero, problem.b)),
        jnp.linalg.norm(problem.gradient_at(y, X)),
        # ⟨S, X Xᵀ⟩, zero at a stationary point, and what the regularisers add beyond their trace.
        jnp.sum(X * data_gradient) / 2 + trace_part,
        problem.penalty(X) - trace_part,
    )


@entry
def values_and_slack(problem: Problem, X: AnyArray) -> tuple[tuple[AnyArray, ...], AnyArray]:
    """Values, and the slack as a matrix; traceable."""
    return values(problem, X), problem.slack(X, jnp.eye(problem.n, dtype=X.dtype))


def point_values(
    problem: Problem, X: Float[np.ndarray, "n r"]
) -> tuple[FirstOrder, Float[np.ndarray, " 1"], Float[np.ndarray, "n 1"]]:
    """First-order values and the slack's lowest eigenpair, in one compiled call for small n."""
    if not cost.dense_eigen(problem.n):
        local = first_order(problem, X)
        # At an exact fit the slack is round-off, whose least eigenvalue nobody needs to the end.
        fitted = local.excess <= problem.loss.roundoff * local.full
        try:
            return local, *slack_eigenpairs(problem, X, 1, accuracy=ROUGH if fitted else 0.0)
        except OutOfTime:
            return local, np.array([math.nan]), np.zeros((problem.n, 1))
    try:
        book(cost.spectral_work(problem.n))
    except OutOfTime:
        return first_order(problem, X), np.array([math.nan]), np.zeros((problem.n, 1))
    numbers, slack = values_and_slack(problem, X)
    return from_numbers(numbers, X), *extreme_eigenpairs(lambda _: np.asarray(slack), problem.n, 1)


def first_order(problem: Problem, X: Float[np.ndarray, "n r"]) -> FirstOrder:
    """Objective, gradient and their scale-free ratio at ``X``."""
    return from_numbers(values(problem, X), X)


def from_numbers(numbers: tuple, X: Float[np.ndarray, "n r"]) -> FirstOrder:
    """Name what :func:`values` returned."""
    h, excess, full, norm, inner, gap = (float(v) for v in numbers)
    length = float(np.linalg.norm(X))
    ratio = norm * length / excess if excess > 0 else 0.0
    return FirstOrder(h, excess, full, norm, ratio, inner, gap)


def slack_eigenpairs(
    problem: Problem,
    X: Float[np.ndarray, "n r"],
    k: int,
    which: str = "lowest",
    accuracy: float = 0.0,
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, "n k"]]:
    """Return the k lowest (or highest) eigenpairs of the slack ∇f(X Xᵀ), signs fixed.

    ``accuracy`` is that of Lanczos, 0 for machine precision.
    """
    space = problem.operator.space
    return space.eigenpairs(lambda W: np.asarray(problem.slack(X, W)), k, which, accuracy)


@entry
def dense_hessian(problem: Problem, X: AnyArray) -> AnyArray:
    """∇²h(X) as an nr × nr matrix; traceable."""
    units = jnp.eye(X.size, dtype=X.dtype).reshape(-1, *X.shape)
    return jax.vmap(lambda D: problem.hessian_product(X, D).ravel())(units)


def hessian_extremes(problem: Problem, X: Float[np.ndarray, "n r"]) -> tuple[float, float]:
    """Least and largest eigenvalue of ∇²h(X): dense where that is quick, else Lanczos."""
    if cost.dense_eigen(X.size):
        matrix = np.asarray(dense_hessian(problem, X))
        ends = np.linalg.eigvalsh((matrix + matrix.T) / 2)
        return float(ends[0]), float(ends[-1])

    gauge = problem.operator.space.orbit(X)

    def product(w: np.ndarray) -> np.ndarray:
        return np.asarray(problem.hessian_product(X, w.reshape(X.shape))).reshape(-1, 1)

    high, _ = extreme_eigenpairs(product, X.size, 1, "highest", ROUGH)
    top = float(high[0])

    def off_gauge(w: np.ndarray) -> np.ndarray:
        # Along the gauge the Hessian vanishes at a stationary point, many times over: Lanczos would
        # have to find zero as often.  Its place there is taken by the other end.
        along = gauge.T @ (gauge @ w)
        bent = product(w - along)
        return bent - gauge.T @ (gauge @ bent) + abs(top) * along

    low, _ = extreme_eigenpairs(off_gauge, X.size, 1, "lowest", SHARP)
    least = float(low[0])
    return (min(least, 0.0) if len(gauge) else least), top


def noise_level(problem: Problem, noise: float | None) -> float:
    """Objective that noise of standard deviation ``noise`` explains: ½σ² times χ²_m, + 3 sigma.

    Row weights are taken to whiten: with w = 1/σ_i pass noise = 1.
    """
    if noise is None:
        return 0.0
    sigma = real_number("noise", noise, least=0.0)
    rows = float(np.count_nonzero(np.asarray(problem.weights)))
    return sigma * sigma / 2 * (rows + 3 * math.sqrt(2 * rows))


def unpadded(X: np.ndarray, rank: int) -> np.ndarray:
    """Drop zero columns beyond the rank."""
    if X.shape[1] <= rank:
        return X
    used = np.flatnonzero(np.any(X != 0, axis=0))
    if used.size <= rank:
        keep = np.sort(np.r_[used, np.setdiff1d(np.arange(X.shape[1]), used)[: rank - used.size]])
        return X[:, keep]
    return X


def of_matrix(problem: Problem) -> bool:
    """Whether the whole objective is a convex function of X Xᵀ."""
    return all(g.of_matrix() for g in problem.regularisers)
