"""The reweighted start: a wide factor driven to low rank before it is truncated.

A factor of Pataki's width can fit the data in many ways.  Descent in it on

    ½‖A(X Xᵀ) − b_k‖² + ½ Σ_c P_c ‖X_c‖²  (+ ½ ⟨C, X Xᵀ⟩)

with column penalties P_c that grow where column c carries a small singular value is a reweighted
trace penalty: in stage k, with the columns rotated to the singular vectors of X,

    P_c = μ Λ min(((s_c² + ε_k) / (s_1² + ε_k))^(q_k/2 − 1), 10⁴),   Λ = 2 λ_max(A*(b)),

the weights of iteratively reweighted least squares for the Schatten-q quasi-norm, whose exponent q
falls from stage to stage.  The penalty's bias is taken out by Bregman's update of the data,
b_{k+1} = b_k + (b − A(X Xᵀ)), which is free, as the residual is known.

References
----------
Mohan and Fazel, Iterative reweighted algorithms for matrix rank minimization (2012); Osher,
Burger, Goldfarb, Xu and Yin, An iterative regularization method (2005), for the update of b.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._precision import double, on_device
from liftless._types import AnyArray
from liftless.descent import LBFGS, Point
from liftless.descent.watched import Pace
from liftless.problem import Problem
from liftless.regularisers import Regulariser
from liftless.start.base import Allowance, Begun, Start

Factor = Float[AnyArray, "n p"]

#: L-BFGS steps a stage.
INNER = 10
#: Applications of a stage: three a step, and the gradient it begins with.
STAGE_COST = 3 * INNER + 1
#: A stage is the last once the first superfluous singular value is below this fraction of the
#: last wanted one: the rank is found.
GAP = 0.1
#: Largest ratio of column penalties, and least ε relative to s_1².
STEEPEST, FLATTEST = 1e4, 1e-6
#: Stages whose h is kept.
MOST_STAGES = 64
#: Columns of the factor of a random objective.
RANDOM_COLUMNS = 200


@dataclass(frozen=True)
class ReweightedTrace(Start):
    """A wide factor driven to low rank by a reweighted trace penalty, then truncated.

    Attributes
    ----------
    weight : float
        μ > 0, the penalty relative to the data.
    first, last : float
        Exponent q in the first and in the last stage: 2 is the plain trace, 0 the log-determinant,
        below 0 steeper still.
    stages : int
    mix : float
        Share in [0, 1] of a random objective C = W Wᵀ/k, W Gaussian, in place of the trace.
    """

    weight: float = 0.03
    first: float = 2.0
    last: float = -1.0
    stages: int = 12
    mix: float = 0.0

    def __str__(self) -> str:
        return (
            f"weight={self.weight:g} q={self.first:g}..{self.last:g} stages={self.stages} "
            f"mix={self.mix:g}"
        )

    def suits(self, problem: Problem) -> bool:
        """Whether the loss is quadratic, with no trace penalty and room for a wide factor."""
        return problem.loss.quadratic and float(problem.trace_weight) == 0

    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """Go through the stages."""
        W = allowance.wide(seed, allowance.width)
        if not np.any(W) or W.shape[1] <= problem.rank:  # zero is the optimum; or no room
            return Begun(problem.operator.space.truncate(W, problem.rank))
        model, left = allowance.account.model, allowance.left
        ratio = model.ratio(W.shape[1])
        top = allowance.spectral[1]
        stages = min(self.stages, left / ratio / STAGE_COST)
        watched = allowance.watching(stages * STAGE_COST * ratio * model.one)
        going = allowance.going if watched else None
        X, applications, values = reweighted_start(
            problem, W, self, top, seed=seed, budget=left / ratio, going=going
        )
        return Begun(X, applications * ratio, applications, None, values)

    def least(self, problem: Problem, allowance: Allowance) -> float | int:
        """The wide factor, and one stage."""
        width = allowance.width
        price = allowance.wide_cost(width)
        if width > problem.rank:
            price += (1 + STAGE_COST) * allowance.account.model.ratio(width)
        return price


class _Penalty(Regulariser):
    """½ Σ_c columns_c ‖X_c‖² + ½ mix ‖Wᵀ X‖²."""

    columns: Float[AnyArray, " p"]
    mix: Float[AnyArray, ""]
    W: Float[AnyArray, "n k"] | None

    def value(self, X: Factor) -> Float[AnyArray, ""]:
        return jnp.sum(X * self.gradient(X)) / 2

    def gradient(self, X: Factor) -> Factor:
        plain = X * self.columns[None, :]
        return plain if self.W is None else plain + self.mix * (self.W @ (self.W.T @ X))

    def hessian_product(self, X: Factor, D: Factor) -> Factor:
        del X
        return self.gradient(D)

    def along(self, X: Factor, D: Factor) -> Float[AnyArray, " 5"]:
        turned = self.gradient(D)
        zero = jnp.zeros((), jnp.result_type(X))
        return jnp.stack([self.value(X), jnp.sum(X * turned), jnp.sum(D * turned) / 2, zero, zero])


class _Stage(eqx.Module):
    """Where the stages stand: the factor and its measurements, the shifted data, ε, the cost."""

    k: Float[AnyArray, ""]
    X: Factor
    y: Float[AnyArray, " m"]
    b: Float[AnyArray, " m"]
    epsilon: Float[AnyArray, ""]
    applications: Float[AnyArray, ""]
    course: Float[AnyArray, " c"]
    found: AnyArray


class _Numbers(eqx.Module):
    """A schedule as traced scalars, and Λ: another one does not compile anew."""

    weight: Float[AnyArray, ""]
    first: Float[AnyArray, ""]
    last: Float[AnyArray, ""]
    stages: Float[AnyArray, ""]
    mix: Float[AnyArray, ""]
    scale: Float[AnyArray, ""]

    @classmethod
    def of(cls, schedule: ReweightedTrace, top: float) -> "_Numbers":
        s = schedule
        numbers = (s.weight, s.first, s.last, s.stages, s.mix, 2 * max(top, 0.0))
        return cls(*(np.asarray(float(v)) for v in numbers))


def _penalties(
    numbers: _Numbers, k: AnyArray, s: Float[AnyArray, " p"], epsilon: AnyArray
) -> Float[AnyArray, " p"]:
    """P_c of stage k from the singular values."""
    part = k / jnp.maximum(numbers.stages - 1, 1)
    q = numbers.first + (numbers.last - numbers.first) * part
    ratio = (s * s + epsilon) / (s[0] ** 2 + epsilon)
    return (
        (1 - numbers.mix)
        * numbers.weight
        * numbers.scale
        * jnp.minimum(ratio ** (q / 2 - 1), STEEPEST)
    )


class _Open(eqx.Module):
    """A stage at its beginning: penalties of the columns, ε, whether the rank is reached, X."""

    columns: Float[AnyArray, " p"]
    epsilon: Float[AnyArray, ""]
    found: AnyArray
    X: Factor


def _opened(problem: Problem, numbers: _Numbers, rank: int, at: _Stage) -> _Open:
    """Rotate, and reweigh."""
    X, s = problem.operator.space.rotated(at.X)
    top = s[0] ** 2
    shrunk = jnp.maximum(s[rank] ** 2, FLATTEST * top)
    epsilon = jnp.where(at.k == 0, top, jnp.minimum(at.epsilon / 2, shrunk))
    found = s[rank] < GAP * s[rank - 1]
    return _Open(_penalties(numbers, at.k, s, epsilon), epsilon, found, X)


def _staged(problem: Problem, numbers: _Numbers, W: Any, at: _Stage, now: _Open) -> Problem:
    """The problem of a stage: the shifted data, and the penalty."""
    penalty = _Penalty(now.columns, numbers.mix * numbers.weight * numbers.scale, W)
    return eqx.tree_at(
        lambda p: (p.b, p.regularisers),
        problem,
        (at.b, (*problem.regularisers, penalty)),
        is_leaf=lambda leaf: isinstance(leaf, tuple) and not leaf,
    )


def _closed(problem: Problem, at: _Stage, now: _Open, ended: tuple) -> _Stage:
    """Shift the data, and note h."""
    X, y, applications = ended
    b = at.b + (problem.b - y)
    reached = jnp.where(now.found, jnp.nan, problem.excess_at(y, X))
    course = jnp.asarray(at.course).at[at.k.astype(int)].set(reached, mode="drop")
    return _Stage(at.k + 1, X, y, b, now.epsilon, applications, course, now.found)


def _stage(problem: Problem, numbers: _Numbers, W: Any, rank: int, at: _Stage) -> _Stage:
    """Rotate, reweigh, descend a few steps, and shift the data; or find the rank reached."""
    now = _opened(problem, numbers, rank, at)
    staged = _staged(problem, numbers, W, at, now)

    def go(_: None) -> tuple:
        # The measurements do not change under the rotation, so the gradient alone is paid for.
        point = Point.at(staged, now.X, at.y, at.applications)
        method = LBFGS()
        step = lambda _, now: method.advance(staged, *now)  # noqa: E731
        point, _ = jax.lax.fori_loop(0, INNER, step, (point, method.init(staged, point)))
        return point.X, point.y, point.applications

    def stay(_: None) -> tuple:
        return now.X, at.y, at.applications

    return _closed(problem, at, now, jax.lax.cond(now.found, stay, go, None))


@functools.partial(jax.jit, static_argnames=("rank",))
def _run_stages(
    problem: Problem, numbers: _Numbers, X: Factor, W: Any, most: AnyArray, rank: int
) -> _Stage:
    return jax.lax.while_loop(
        lambda at: (at.k < most) & ~at.found,
        lambda at: _stage(problem, numbers, W, rank, at),
        _first(problem, X),
    )


def _first(problem: Problem, X: Factor) -> _Stage:
    zero = jnp.zeros((), X.dtype)
    y = problem.operator.measure(X, X)
    b, course = jnp.asarray(problem.b), jnp.full(MOST_STAGES, jnp.nan, X.dtype)
    return _Stage(zero, X, y, b, zero, zero + 1, course, jnp.asarray(False))


_FIRST = jax.jit(_first)
_CLOSED = jax.jit(_closed)


@functools.partial(jax.jit, static_argnames=("rank",))
def _open(problem: Problem, numbers: _Numbers, W: Any, at: _Stage, rank: int) -> tuple:
    """Open a stage: what belongs to it, and L-BFGS before its first step."""
    now = _opened(problem, numbers, rank, at)
    staged = _staged(problem, numbers, W, at, now)
    point = Point.at(staged, now.X, at.y, at.applications)
    return now, (point, LBFGS().init(staged, point))


@jax.jit
def _inner(
    problem: Problem,
    numbers: _Numbers,
    W: Any,
    at: _Stage,
    now: _Open,
    solve: tuple,
    steps: AnyArray,
) -> tuple:
    """Take steps of a stage."""
    staged = _staged(problem, numbers, W, at, now)
    return jax.lax.fori_loop(0, steps, lambda _, s: LBFGS().advance(staged, *s), solve)


def _watched_stages(
    problem: Problem,
    numbers: _Numbers,
    X: Factor,
    W: Any,
    most: int,
    going: Callable[[dict | None], bool],
) -> _Stage:
    """:func:`_run_stages`, looked after on its way."""
    at, pace = _FIRST(problem, X), Pace()
    while int(at.k) < most and not bool(at.found):
        now, solve = _open(problem, numbers, W, at, problem.rank)
        if bool(now.found):
            return _CLOSED(problem, at, now, (now.X, at.y, at.applications))
        taken, on = 0, True
        while taken < INNER and (on := going(None)):
            steps = min(pace.steps, INNER - taken)
            solve = _inner(problem, numbers, W, at, now, solve, jnp.asarray(steps))
            taken += steps
            solve[0].X.block_until_ready()
            pace.taken()
        at = _CLOSED(problem, at, now, (solve[0].X, solve[0].y, solve[0].applications))
        if not on:
            break
    return at


@double
def reweighted_start(
    problem: Problem,
    X: Float[np.ndarray, "n p"],
    schedule: ReweightedTrace,
    top: float,
    *,
    seed: int = 0,
    budget: float | int | None = None,
    going: Callable[[dict | None], bool] | None = None,
) -> tuple[Float[np.ndarray, "n r"], int, Float[np.ndarray, " k"]]:
    """Drive a wide factor to the problem's rank and truncate it.

    Parameters
    ----------
    problem : Problem
        With a quadratic loss.
    X : array of shape (n, p)
        Wide factor to begin with, p > rank.
    schedule : ReweightedTrace
    top : float
        Largest eigenvalue of A*(w² b), which scales the penalty.
    seed : int
        Of the random objective, where the schedule has one.
    budget : float, optional
        Applications after which no further stage begins.
    going : callable, optional
        Asked a few times a second whether to go on.

    Returns
    -------
    start : array of shape (n, r)
    applications : int
        Applications of A or A* to one matrix: three an L-BFGS step and one a stage.
    course : array of shape (k,)
        h of the wide factor after each stage.
    """
    W = None
    if schedule.mix > 0:
        k = min(problem.n, RANDOM_COLUMNS)
        rng = np.random.default_rng([seed, 1])
        W = jnp.asarray(rng.standard_normal((problem.n, k)) / np.sqrt(k))
    most = schedule.stages
    if budget is not None:
        most = min(most, max(1, int((min(budget, 1e9) - 1) // STAGE_COST)))
    numbers = on_device(_Numbers.of(schedule, top))
    there, begin = on_device(problem), jnp.asarray(X)
    if going is not None:
        done = _watched_stages(there, numbers, begin, W, most, going)
    else:
        limit = jnp.asarray(float(most))
        done = _run_stages(there, numbers, begin, W, limit, problem.rank)
    course = np.asarray(done.course)
    course = course[np.isfinite(course)]
    space = problem.operator.space
    return space.truncate(np.asarray(done.X), problem.rank), int(done.applications), course
