"""Relaxed reflections: a long search for a point common to the data and the matrices of low rank.

Descent and message passing end where they are attracted; projections in turn on the two sets do
not: Douglas and Rachford's combination of them has no rest but at a common point, and wanders until
it meets one.  It costs thousands of applications where the other starts cost a hundred, and finds
the truth in instances where they never do.

For measurements that are squared lengths the sets are those of W = forward(X): the range of that
map, and rows of length √b_i,

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
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import cho_factor, cho_solve
from jaxtyping import Float

from liftless._errors import InvalidInput
from liftless._precision import double, on_device
from liftless._types import AnyArray
from liftless.descent.watched import Pace
from liftless.operators import Amplitudes, Orthogonal
from liftless.problem import Problem
from liftless.start.amplitudes import Used, used_amplitudes
from liftless.start.base import HOPELESS_NEAR, Allowance, Begun, Start
from liftless.start.simple import handed_over, steps_within

#: Applications of a step.
STEP_COST = 2
#: Distance of the two sets, relative to the data, at which a local solve takes over.
READY = 0.02
#: Second word of the seed of the factors it begins with.
STREAM = 17
#: Added to the diagonal of A A*, relative to its mean, where measurements repeat each other.
RIDGE = 1e-12


@dataclass(frozen=True)
class DouglasRachford(Start):
    """Douglas–Rachford: one long search by relaxed reflections from a Gaussian factor.

    Attributes
    ----------
    relaxation : float
        β > 0.
    steps : int
        Most steps.
    """

    relaxation: float = 1.25
    steps: int = 2000
    hopeless = HOPELESS_NEAR

    def __str__(self) -> str:
        return f"reflections beta={self.relaxation:g} steps={self.steps}"

    def suits(self, problem: Problem) -> bool:
        """Whether the loss is squared alone, and the sets are amplitudes' or matrices X Xᵀ."""
        plain = problem.loss.name == "squared" and not problem.regularisers
        space = problem.operator.space
        return plain and (problem.operator.amplitudes() is not None or space.name == "symmetric")

    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """Search until the two sets are near each other."""
        work = STEP_COST * self.steps * allowance.account.model.one
        going = allowance.going if allowance.watching(work) else None
        X, applications, gap = reflection_start(problem, self, seed, allowance.left, going)
        return Begun(X, applications, applications, gap)

    def least(self, problem: Problem, allowance: Allowance) -> float | int:
        """What makes the projections, and a step."""
        del allowance
        return reflection_cost(problem) + STEP_COST


class _State(eqx.Module):
    """Steps taken, the iterate (W, or η), the last P_b(W) or factor, and the sets' distance."""

    k: Float[AnyArray, ""]
    at: AnyArray
    X: Float[AnyArray, "k q"]
    gap: Float[AnyArray, ""]


def _loop(
    step: Callable[[_State], _State],
    begin: _State,
    steps: AnyArray,
    ready: AnyArray | float = READY,
) -> _State:
    return jax.lax.while_loop(lambda s: (s.k < steps) & (s.gap > ready), step, begin)


def _amplitude_step(
    rows: Used, gram: AnyArray, root: AnyArray, beta: AnyArray, state: _State
) -> _State:
    W = state.at
    length = jnp.linalg.norm(W, axis=1)
    turned = (root / jnp.where(length > 0, length, 1.0))[:, None] * W
    if rows.used is not None and gram.ndim == 1:
        # Here the range is known on all rows, and one that is not used may be anything.
        turned = jnp.where(rows.used[:, None] > 0, turned, W)
    nearest = _solved(gram, rows.back(2 * turned - W))
    change = rows.whole(nearest) - turned
    gap = jnp.linalg.norm(change) / jnp.linalg.norm(root)
    return _State(state.k + 1, W + beta * change, turned, gap)


@jax.jit
def reflect_amplitudes(
    rows: Used,
    b: AnyArray,
    G: AnyArray,
    beta: AnyArray,
    steps: AnyArray,
    on: Any = None,
    ready: AnyArray | float = READY,
) -> tuple[AnyArray, Any]:
    """Factor after so many steps in all, and what it takes to go on."""
    root = rows.roots(b)
    factor, begin = _amplitudes_begin(rows, root, G) if on is None else on
    end = _loop(functools.partial(_amplitude_step, rows, factor, root, beta), begin, steps, ready)
    # The factor of P_b(W) in the last step.
    return _solved(factor, rows.back(end.X)), (factor, end)


def _solved(gram: AnyArray, X: AnyArray) -> AnyArray:
    """Inverse of A* A, by its diagonal or by its Cholesky factor."""
    return X / gram[:, None] if gram.ndim == 1 else cho_solve((gram, False), X)


def _amplitudes_begin(rows: Used, root: AnyArray, G: AnyArray) -> tuple[AnyArray, _State]:
    zero = jnp.zeros((), G.dtype)
    W = rows.whole(G)
    known = rows.forward(G) if rows.used is not None else W
    W = W * (jnp.linalg.norm(root) / jnp.linalg.norm(known))
    begin = _State(zero, W, W, zero + jnp.inf)
    if isinstance(rows.amplitudes, Orthogonal):
        return jnp.asarray(rows.amplitudes.gram()), begin
    eye = jnp.eye(G.shape[0], dtype=G.dtype)
    product = lambda e: rows.adjoint(rows.forward(e[:, None]))[:, 0]  # noqa: E731
    gram = jax.vmap(product, in_axes=1, out_axes=1)(eye)
    gram = gram + (RIDGE * jnp.trace(gram) / G.shape[0]) * eye
    return cho_factor(gram)[0], begin


def _low_rank(V: AnyArray, rank: int) -> AnyArray:
    """Factor of the nearest positive semidefinite matrix of a rank."""
    values, vectors = jnp.linalg.eigh(V)
    return vectors[:, -rank:] * jnp.sqrt(jnp.maximum(values[-rank:], 0.0))[None, :]


@functools.partial(jax.jit, static_argnames=("rank",))
def _reflect_matrix(
    problem: Problem, G: AnyArray, beta: AnyArray, steps: AnyArray, rank: int, on: Any = None
) -> tuple[AnyArray, Any]:
    """Factor after so many steps in all, and what it takes to go on."""
    operator = problem.operator
    used = jnp.where(problem.omega > 0, 1.0, 0.0)
    b = used * problem.b
    gram, begin = _matrix_begin(problem, used, b, G) if on is None else on
    factor = (gram, False)

    def step(state: _State) -> _State:
        X = state.X
        y = used * operator.measure(X, X)
        eta = state.at + beta * cho_solve(factor, b - y)
        V = X @ X.T + operator.matrix(eta - cho_solve(factor, y))
        gap = jnp.linalg.norm(b - y) / jnp.linalg.norm(b)
        # The factor that the gap belongs to is kept once it is small.
        return _State(state.k + 1, eta, jnp.where(gap > READY, _low_rank(V, rank), X), gap)

    end = _loop(step, begin, steps)
    return end.X, (gram, end)


def _matrix_begin(
    problem: Problem, used: AnyArray, b: AnyArray, G: AnyArray
) -> tuple[AnyArray, _State]:
    operator, eye = problem.operator, jnp.eye(problem.n, dtype=b.dtype)
    gram = jax.lax.map(
        lambda e: used * operator.measure(operator.matrix(used * e), eye), jnp.eye(problem.m)
    )
    ridge = RIDGE * jnp.trace(gram) / problem.m
    factor = cho_factor(gram + jnp.diag(1 - used + ridge))[0]
    y = operator.measure(G, G)
    scale = jnp.abs(jnp.sum(y * b)) / jnp.maximum(jnp.sum(y * y), 1e-300)
    zero = jnp.zeros((), b.dtype)
    return factor, _State(zero, jnp.zeros_like(b), G * jnp.sqrt(scale), zero + jnp.inf)


def reflection_cost(problem: Problem) -> int:
    """Applications before the first step: those that make A* A of the amplitudes, or A A*.

    Of orthogonal columns the first is known; one makes the first amplitudes.
    """
    amplitudes = problem.operator.amplitudes()
    if isinstance(amplitudes, Orthogonal):
        return 1
    return 2 * problem.n if amplitudes is not None else 2 * problem.m


@double
def reflection_start(
    problem: Problem,
    plan: DouglasRachford,
    seed: int = 0,
    budget: float | int | None = None,
    going: Callable[[dict | None], bool] | None = None,
) -> tuple[Float[np.ndarray, "n r"], int, float]:
    """Search from the Gaussian factor of a seed.

    Parameters
    ----------
    problem : Problem
        With the squared loss.  Row weights decide only which rows are used.
    plan : DouglasRachford
    seed : int
    budget : float, optional
        Applications after which no further step is taken.
    going : callable, optional
        Asked a few times a second, with a dictionary of the ``error``, whether to go on.

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
    amplitudes: Amplitudes | None = problem.operator.amplitudes()
    beta, factor = jnp.asarray(float(plan.relaxation)), jnp.asarray(G)
    if amplitudes is not None:
        rows, b = on_device(used_amplitudes(amplitudes, problem)), jnp.asarray(problem.b)
        run = lambda k, on: reflect_amplitudes(rows, b, factor, beta, k, on)  # noqa: E731
    else:
        there = on_device(problem)
        run = lambda k, on: _reflect_matrix(there, factor, beta, k, problem.rank, on)  # noqa: E731
    X, end = _ran(run, float(steps), going)
    return handed_over(X, first + STEP_COST * int(end.k), end.gap)


def _ran(
    run: Callable[[AnyArray, Any], tuple[AnyArray, Any]],
    steps: float,
    going: Callable[[dict | None], bool] | None,
) -> tuple[AnyArray, _State]:
    """Run to the end at once, or looked after on the way."""
    if going is None:
        X, (_, end) = run(jnp.asarray(steps), None)
        return X, end
    X, on = run(jnp.asarray(0.0), None)
    done, pace = 0.0, Pace()
    while done < steps and float(on[1].gap) > READY and going({"error": float(on[1].gap)}):
        done = min(done + pace.steps, steps)
        X, on = run(jnp.asarray(done), on)
        on[1].k.block_until_ready()
        pace.taken()
    return X, on[1]
