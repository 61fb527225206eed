"""Levenberg–Marquardt without matrices: whitened conjugate gradients for many unknowns."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import positive_int, real_number
from liftless._fields import number
from liftless._types import AnyArray, Scalar
from liftless.cost import STEP
from liftless.descent.base import Method, Point, as_problem, kept_at_roundoff
from liftless.objective import Objective
from liftless.problem import Problem

#: Share of a block's trace that its diagonal is raised by, so that a line of few measurements has a
#: factor as well.
RIDGE = 1e-12
#: Bounds of the damping, in units of the whitened normal matrix.
LEAST, MOST = 1e-16, 1e2
#: Share of the gradient that a step's linear problem leaves at most.
FALL = 0.1
#: Most iterations of :func:`least_change`.
MOST_STEPS = 4000


def step_cost(columns: int) -> float | int:
    """Applications of a step of one iteration: the line, the blocks and the first direction."""
    return STEP + 1 + columns / 2 + 2


class WhitenedLM(Method[Float[AnyArray, ""]]):
    """Levenberg–Marquardt whose step is found by conjugate gradients, in whitened unknowns.

    One step solves min ‖√ω ⊙ (J d) + residual‖² + μ ‖L d‖², with L the Cholesky factors of the
    blocks of JᵀJ that belong to one row of X (where the operator has them, else of XᵀX), to an
    accuracy that rises as the misfit falls.  It costs two applications an iteration and no matrix,
    and near an exact solution squares the misfit.  The step along it is the exact quartic's.

    Parameters
    ----------
    damping : float
        First μ.
    inner : int
        Most iterations of conjugate gradients a step.
    accuracy : float
        Relative accuracy of the first steps; later ones take a tenth of the misfit where that is
        less.
    most : float, optional
        Applications of a whole run at which conjugate gradients end; by default without a limit.

    References
    ----------
    Paige and Saunders, LSQR (1982), for the stopping rules; Dembo, Eisenstat and Steihaug (1982)
    for inexact Newton steps; Zilber and Nadler, GNMR (2022), for Gauss–Newton in completion.
    """

    damping: Scalar
    accuracy: Scalar
    inner: int = eqx.field(static=True)
    most: Scalar | None = number(absent=np.inf)

    def __init__(
        self,
        damping: Scalar = 1e-6,
        inner: int = 300,
        accuracy: Scalar = 1e-3,
        most: Scalar | None = None,
    ) -> None:
        self.damping = real_number("damping", damping, above=0.0)
        self.inner = positive_int("inner", inner)
        self.accuracy = real_number("accuracy", accuracy, above=0.0)
        self.most = None if most is None else real_number("most", most, above=0.0)

    def init(self, objective: Objective, point: Point) -> Float[AnyArray, ""]:
        """Return the first damping."""
        as_problem(objective, self)
        return jnp.asarray(self.damping, jnp.result_type(point.X))

    def advance(
        self, objective: Objective, point: Point, state: Float[AnyArray, ""]
    ) -> tuple[Point, Float[AnyArray, ""]]:
        """One step; three applications, the blocks, and two an iteration of conjugate gradients."""
        problem = as_problem(objective, self)
        omega = problem.omega * problem.loss.second(point.y, problem.b)
        full = jnp.sum(problem.omega * problem.loss.excess(jnp.zeros_like(point.y), problem.b))
        misfit = jnp.sqrt(point.excess / jnp.where(full > 0, full, 1.0))
        accuracy = jnp.minimum(self.accuracy, misfit / 10)
        system = _System(
            root=jnp.sqrt(omega),
            goal=-_divided(problem.pull(point.y), jnp.sqrt(omega)),
            half=whitening(problem, point.X, omega),
        )
        most = jnp.asarray(jnp.inf if self.most is None else self.most)
        room = jnp.maximum((most - point.applications - step_cost(point.X.shape[1])) / 2 + 1, 1.0)
        inner = jnp.minimum(self.inner, room)
        found = _solve(problem, point, system, state, accuracy, inner)
        there, length = point.along(problem, system.unknowns(found.d))
        factor = jnp.where(length > 0.5, 0.1, jnp.where(length > 0.1, 1.0, 10.0))
        cost = 2 * found.steps + step_cost(point.X.shape[1]) - STEP - 2
        there = kept_at_roundoff(problem, point, there, cost)
        return there, jnp.clip(state * factor, LEAST, MOST)


class _System(NamedTuple):
    """A step's least-squares problem: √ω, the right-hand side, and the inverse Cholesky factors."""

    root: AnyArray
    goal: AnyArray
    half: AnyArray

    def unknowns(self, d: AnyArray) -> AnyArray:
        """L⁻ᵀ d, row by row."""
        if self.half.ndim == 2:
            return d @ self.half
        return jnp.einsum("nba,nb->na", self.half, d)

    def whitened(self, g: AnyArray) -> AnyArray:
        """L⁻¹ g, row by row."""
        if self.half.ndim == 2:
            return g @ self.half.T
        return jnp.einsum("nab,nb->na", self.half, g)


def whitening(
    problem: Problem, X: Float[AnyArray, "n r"], omega: Float[AnyArray, " m"]
) -> Float[AnyArray, "n r r"] | Float[AnyArray, "r r"]:
    """Inverse Cholesky factors of the blocks of JᵀJ up to a factor, or of XᵀX for all rows alike.

    Zero columns of X are left alone: they are tied to no others.
    """
    X = jnp.asarray(X)
    eye = jnp.eye(X.shape[1], dtype=X.dtype)
    blocks = problem.operator.row_grams(omega, X)
    if blocks is None:
        # All blocks are those of an isotropic map, in units of the data's own curvature.
        gram = X.T @ X
        scale = jnp.sum(omega * problem.operator.measure(X, X) ** 2) / jnp.maximum(
            jnp.sum(gram * gram), jnp.finfo(X.dtype).tiny
        )
        gram = scale * gram
        ridge = jnp.maximum(RIDGE * jnp.trace(gram), jnp.finfo(X.dtype).tiny)
        return _inverse_factor(gram + ridge * eye)
    trace = jnp.trace(blocks, axis1=1, axis2=2)
    ridge = jnp.maximum(RIDGE * trace, jnp.finfo(X.dtype).eps ** 2 * jnp.max(trace))
    ridge = jnp.where(ridge > 0, ridge, 1.0)
    return _inverse_factor(blocks + ridge[:, None, None] * eye[None])


def _inverse_factor(G: AnyArray) -> AnyArray:
    L = jnp.linalg.cholesky(G)
    eye = jnp.broadcast_to(jnp.eye(G.shape[-1], dtype=G.dtype), G.shape)
    return jax.lax.linalg.triangular_solve(L, eye, left_side=True, lower=True)


def _divided(a: AnyArray, b: AnyArray) -> AnyArray:
    return jnp.where(b > 0, a / jnp.where(b > 0, b, 1.0), 0.0)


@jax.jit
def least_change(
    problem: Problem, X: Float[AnyArray, "n r"], D: Float[AnyArray, "n r"], accuracy: AnyArray
) -> tuple[Float[AnyArray, "n r"], AnyArray]:
    """A direction of X with the derivative of the measurements that D has, by whitened CG.

    It has no part that no measurement notices (in whitened unknowns): D less it is such a part.
    Traceable; only the operator and the row weights matter.

    Returns
    -------
    direction : array of shape (n, r)
    steps : scalar
        Iterations, two applications each.
    """
    plain = eqx.tree_at(lambda p: p.regularisers, problem, ())
    root = problem.weights
    goal = 2 * root * problem.operator.measure(X, D)
    system = _System(root, goal, whitening(problem, X, root * root))
    point = Point(X, goal, jnp.zeros(()), jnp.zeros_like(X), jnp.zeros(()))
    found = _solve(plain, point, system, jnp.zeros(()), accuracy, MOST_STEPS)
    return system.unknowns(found.d), found.steps


class _Walk(NamedTuple):
    """Conjugate gradients under way: solution, direction, residual, what the penalty adds."""

    d: AnyArray
    p: AnyArray
    residual: AnyArray
    bent: AnyArray
    slope: AnyArray
    square: AnyArray
    steps: AnyArray


def _solve(
    problem: Problem,
    point: Point,
    system: _System,
    mu: AnyArray,
    accuracy: AnyArray,
    most: AnyArray | int,
) -> _Walk:
    """Conjugate gradients on the normal equations that keeps the residual itself (CGLS)."""
    X, operator = point.X, problem.operator
    curved = _curvature(problem, X)

    def push(D: AnyArray) -> AnyArray:
        return 2 * system.root * operator.measure(X, D)

    def pull(y: AnyArray) -> AnyArray:
        return 2 * operator.backproject(system.root * y, X)

    data = pull(system.goal)
    penalty = -point.gradient - data if problem.regularisers else jnp.zeros_like(data)

    def downhill(residual: AnyArray, bent: AnyArray, d: AnyArray) -> AnyArray:
        return system.whitened(pull(residual) + penalty - bent) - mu * d

    def going(w: _Walk) -> AnyArray:
        size = jnp.linalg.norm(w.residual)
        solved = size <= accuracy * jnp.linalg.norm(system.goal)
        flat = jnp.sqrt(w.square) <= jnp.minimum(accuracy * size * jnp.sqrt(2.0), enough)
        return (w.steps < most) & ~((w.steps > 0) & (solved | flat)) & (w.square > 0)

    def step(w: _Walk) -> _Walk:
        D = system.unknowns(w.p)
        pushed, bend = push(D), curved(D)
        curvature = jnp.sum(pushed * pushed) + jnp.sum(D * bend) + mu * jnp.sum(w.p * w.p)
        length = w.square / jnp.where(curvature > 0, curvature, 1.0)
        d = w.d + length * w.p
        residual, bent = w.residual - length * pushed, w.bent + length * bend
        slope = downhill(residual, bent, d)
        square = jnp.sum(slope * slope)
        return _Walk(d, slope + square / w.square * w.p, residual, bent, slope, square, w.steps + 1)

    zero = jnp.zeros_like(X)
    slope = system.whitened(data + penalty)
    square = jnp.sum(slope * slope)
    # Where a misfit stays, the last steps start below the accuracy of the first ones.
    enough = FALL * jnp.sqrt(square)
    count = jnp.zeros((), X.dtype)
    first = _Walk(zero, slope, system.goal, zero, slope, square, count)
    return jax.lax.while_loop(going, step, first)


def _curvature(problem: Problem, X: AnyArray) -> Callable[[AnyArray], AnyArray]:
    """Positive semidefinite curvature of the regularisers along a direction."""

    def curved(X: AnyArray, D: AnyArray) -> AnyArray:
        return sum((g.curvature(X, D) for g in problem.regularisers), jnp.zeros_like(D))

    return functools.partial(curved, X)
