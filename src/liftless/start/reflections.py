"""Relaxed reflections: a long search for a point common to the data and the matrices of low rank.

Descent and message passing end where they are attracted; projections in turn on the two sets do
not: Douglas and Rachford's combination of them has no rest but at a common point, and wanders until
it meets one.  It costs thousands of applications where the other starts cost a hundred, and finds
the truth in instances where they never do.

For measurements ‖Xᵀ a_i‖² the sets are those of W = a X ∈ ℝ^{m×r}: the range of a, and rows of
length √b_i,

    W ← W + β (P_a(2 P_b(W) − W) − P_b(W)).

Otherwise they are {M : A(M) = b} and the matrices M ⪰ 0 of rank r.  With the part of V outside the
range of A* taken whole, and a step β in the range, V is the last projection P_r(V) plus
A*(η − (A A*)⁻¹ A(P_r(V))), and η ← η + β (A A*)⁻¹ (b − A(P_r(V))).

References
----------
Elser, Searching with iterated maps (2007), and Elser, Lan and Bendory, Benchmark problems for phase
retrieval (2018), for β and the use on hard instances.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_factor, cho_solve, solve_triangular
from jaxtyping import Float

from liftless._errors import InvalidInput
from liftless._precision import double, on_device
from liftless._types import AnyArray
from liftless.operators import RankOneOperator
from liftless.problem import Problem
from liftless.start.simple import handed_over, steps_within, used_rows

#: Applications of a step.
STEP_COST = 2
#: Distance of the two sets, relative to the data, at which a local solve takes over.
READY = 0.02
#: Second word of the seed of the factors it begins with.
STREAM = 17
#: Added to the diagonal of A A*, relative to its mean, where measurements repeat each other.
RIDGE = 1e-12


@dataclass(frozen=True)
class Reflection:
    """One long search from a Gaussian factor.

    Attributes
    ----------
    relaxation : float
        β > 0.
    steps : int
        Most steps.
    """

    relaxation: float
    steps: int

    def __str__(self) -> str:
        return f"reflections beta={self.relaxation:g} steps={self.steps}"


class _State(eqx.Module):
    """Steps taken, the iterate (W, or η), the last low-rank factor, and the sets' distance."""

    k: Float[AnyArray, ""]
    at: AnyArray
    X: Float[AnyArray, "n r"]
    gap: Float[AnyArray, ""]


def _loop(step: Callable[[_State], _State], begin: _State, steps: AnyArray) -> _State:
    return jax.lax.while_loop(lambda s: (s.k < steps) & (s.gap > READY), step, begin)


def _rank_one_step(
    Q: AnyArray, R: AnyArray, root: AnyArray, beta: AnyArray, state: _State
) -> _State:
    W = state.at
    length = jnp.linalg.norm(W, axis=1)
    turned = (root / jnp.where(length > 0, length, 1.0))[:, None] * W
    change = Q @ (Q.T @ (2 * turned - W)) - turned
    gap = jnp.linalg.norm(change) / jnp.linalg.norm(root)
    X = solve_triangular(R, Q.T @ turned)
    return _State(state.k + 1, W + beta * change, X, gap)


@jax.jit
def _reflect_rank_one(
    a: AnyArray, b: AnyArray, G: AnyArray, beta: AnyArray, steps: AnyArray
) -> _State:
    Q, R = jnp.linalg.qr(a)
    root = jnp.sqrt(jnp.maximum(b, 0.0))
    W = a @ G
    W = W * (jnp.linalg.norm(root) / jnp.linalg.norm(W))
    zero = jnp.zeros((), W.dtype)
    begin = _State(zero, W, jnp.zeros_like(G), zero + jnp.inf)
    return _loop(functools.partial(_rank_one_step, Q, R, root, beta), begin, steps)


def _low_rank(V: AnyArray, rank: int) -> AnyArray:
    """Factor of the nearest positive semidefinite matrix of a rank."""
    values, vectors = jnp.linalg.eigh(V)
    return vectors[:, -rank:] * jnp.sqrt(jnp.maximum(values[-rank:], 0.0))[None, :]


@functools.partial(jax.jit, static_argnames=("rank",))
def _reflect_matrix(
    problem: Problem, G: AnyArray, beta: AnyArray, steps: AnyArray, rank: int
) -> _State:
    operator = problem.operator
    used = jnp.where(problem.omega > 0, 1.0, 0.0)
    b = used * problem.b
    eye = jnp.eye(problem.n, dtype=b.dtype)
    gram = jax.lax.map(
        lambda e: used * operator.measure(operator.matrix(used * e), eye), jnp.eye(problem.m)
    )
    ridge = RIDGE * jnp.trace(gram) / problem.m
    factor = cho_factor(gram + jnp.diag(1 - used + ridge))

    def step(state: _State) -> _State:
        X = state.X
        y = used * operator.measure(X, X)
        eta = state.at + beta * cho_solve(factor, b - y)
        V = X @ X.T + operator.matrix(eta - cho_solve(factor, y))
        gap = jnp.linalg.norm(b - y) / jnp.linalg.norm(b)
        # The factor that the gap belongs to is kept once it is small.
        return _State(state.k + 1, eta, jnp.where(gap > READY, _low_rank(V, rank), X), gap)

    y = operator.measure(G, G)
    scale = jnp.abs(jnp.sum(y * b)) / jnp.maximum(jnp.sum(y * y), 1e-300)
    zero = jnp.zeros((), b.dtype)
    begin = _State(zero, jnp.zeros_like(b), G * jnp.sqrt(scale), zero + jnp.inf)
    return _loop(step, begin, steps)


def reflection_cost(problem: Problem) -> int:
    """Applications before the first step: a factorisation of a, or A A* and its factor."""
    return problem.n if isinstance(problem.operator, RankOneOperator) else 2 * problem.m


@double
def reflection_start(
    problem: Problem, plan: Reflection, seed: int = 0, budget: int | None = None
) -> tuple[Float[np.ndarray, "n r"], int, float]:
    """Search from the Gaussian factor of a seed.

    Parameters
    ----------
    problem : Problem
        With the squared loss.  Row weights decide only which rows are used.
    plan : Reflection
    seed : int
    budget : int, optional
        Applications after which no further step is taken.

    Returns
    -------
    start : array of shape (n, r)
    applications : int
        Of A or A* to one matrix: two a step, and :func:`reflection_cost` at the beginning.
    gap : float
        Distance of the two sets relative to the data; at most :data:`READY` where it succeeded.

    Raises
    ------
    InvalidInput
        For another loss, or a regulariser.
    """
    if problem.loss.name != "squared" or problem.regularisers:
        was = f"with {problem.loss.name} loss and {len(problem.regularisers)} regularisers"
        raise InvalidInput("problem", was, "with the squared loss alone")
    first = reflection_cost(problem)
    steps = steps_within(plan.steps, budget, first, STEP_COST)
    G = np.random.default_rng([seed, STREAM]).standard_normal((problem.n, problem.rank))
    problem = on_device(problem)
    numbers = (jnp.asarray(plan.relaxation), jnp.asarray(float(steps)))
    operator = problem.operator
    if isinstance(operator, RankOneOperator):
        end = _reflect_rank_one(*used_rows(problem, operator), jnp.asarray(G), *numbers)
    else:
        end = _reflect_matrix(problem, jnp.asarray(G), *numbers, problem.rank)
    return handed_over(end.X, first + STEP_COST * int(end.k), end.gap)
