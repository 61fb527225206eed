"""The compiled loop of every local method, over one start or many, and what it hands back."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._fields import traced_fields
from liftless._precision import to_numpy
from liftless._types import AnyArray
from liftless.descent.base import Method, Point
from liftless.descent.result import Descent
from liftless.descent.stop import FITTED, RUNNING, STATIONARY, Stop
from liftless.objective import Objective

#: Two levels of h that differ by less than this fraction are the same at the end of a run.
LEVEL = 1e-12
#: Iterations a compiled call runs when a history is kept without a callback.
CHUNK = 256


class Carry(eqx.Module):
    """Where a run stands: its point, the method's state, steps taken and the status code.

    ``least`` is the lowest excess so far and ``lowest`` the iterate that had it, for a method that
    may climb; of iterates that are equal to round-off the one of the least slope.
    """

    point: Point
    state: Any
    iteration: Float[AnyArray, ""]
    status: AnyArray
    lowest: AnyArray
    least: AnyArray
    slope: AnyArray


def _begin(objective: Objective, method: Method, stop: Stop, start: tuple[AnyArray, Any]) -> Carry:
    X, y = start
    point = Point.at(objective, X, y)
    state = method.init(objective, point)
    status = method.status(stop.status(objective, point, jnp.asarray(True)), state)
    return Carry(
        point, state, jnp.zeros((), X.dtype), status, point.X, point.excess, slope_of(point)
    )


def advance(objective: Objective, method: Method, stop: Stop, carry: Carry) -> Carry:
    """Take one step; traceable."""
    point, state = method.advance(objective, carry.point, carry.state)
    moved = jnp.any(point.X != carry.point.X) | method.waits
    status = method.status(stop.status(objective, point, moved), state)
    # A point at a tolerance is the end, be it higher by round-off; NaN is never lower.
    slope, same = slope_of(point), carry.least * LEVEL
    end = _at_tolerance(status) | (slope <= carry.slope)
    lower = point.excess < carry.least - same
    lower |= end & (point.excess <= carry.least + same)
    return Carry(
        point,
        state,
        carry.iteration + 1,
        status,
        jnp.where(lower, point.X, carry.lowest),
        jnp.where(lower, jnp.minimum(point.excess, carry.least), carry.least),
        jnp.where(lower, slope, carry.slope),
    )


def slope_of(point: Point) -> AnyArray:
    """Size of the gradient."""
    return jnp.linalg.norm(point.gradient.ravel())


def _at_tolerance(status: AnyArray) -> AnyArray:
    return (status == STATIONARY) | (status == FITTED)


def _ended(objective: Objective, carry: Carry) -> Point:
    """Point that a run hands back: the lowest iterate, which nearly always is the last."""
    point = carry.point
    last = jnp.all(carry.lowest == point.X)
    return jax.lax.cond(
        last,
        lambda: point,
        lambda: Point.at(objective, carry.lowest, applications=point.applications),
    )


def each(method: Method, function: Callable[[Any], Any], many: Any) -> Any:
    """Map a function over starts, at once or one after another.

    A single one is spared the batching, under which a loop's branches cost twice.
    """
    if jax.tree.leaves(many)[0].shape[0] == 1:
        found = function(jax.tree.map(lambda leaf: leaf[0], many))
        return jax.tree.map(lambda leaf: leaf[None], found)
    return jax.lax.map(function, many) if method.alone else jax.vmap(function)(many)


def running(stop: Stop, carry: Carry, end: AnyArray) -> AnyArray:
    """Whether a run takes another step before an iteration."""
    within = carry.iteration < jnp.minimum(end, stop.max_iterations)
    if stop.max_applications is not None:
        within &= carry.point.applications < stop.max_applications
    return (carry.status == RUNNING) & within


def solve_starts(objective: Objective, method: Method, stop: Stop, X: AnyArray) -> Carry:
    """Run from every start of ``X`` of shape (k, n, r) to its end; traceable.

    The loop behind :func:`descend`, for use inside a caller's own transformation, such as a
    ``vmap`` over stacked problems.  It returns JAX arrays in the caller's precision.
    """
    return _solve_starts(objective, traced_fields(method), traced_fields(stop), (X, None))


@jax.jit
def _solve_starts(
    objective: Objective, method: Method, stop: Stop, starts: tuple[AnyArray, Any]
) -> Carry:
    def one(start: tuple[AnyArray, Any]) -> Carry:
        return jax.lax.while_loop(
            lambda c: running(stop, c, jnp.asarray(jnp.inf)),
            lambda c: advance(objective, method, stop, c),
            _begin(objective, method, stop, start),
        )

    return each(method, one, starts)


@jax.jit
def begin_all(
    objective: Objective, method: Method, stop: Stop, starts: tuple[AnyArray, Any]
) -> Carry:
    """Where runs from several starts begin; these come with what points there carry, or None."""
    return each(method, lambda start: _begin(objective, method, stop, start), starts)


@eqx.filter_jit
def _record(objective: Objective, method: Method, stop: Stop, carry: Carry, length: int) -> tuple:
    """Run ``length`` iterations, keeping every point; finished runs stand still."""

    def one(c: Carry) -> tuple[Carry, tuple]:
        def body(c: Carry, _: None) -> tuple[Carry, tuple]:
            go = running(stop, c, jnp.asarray(jnp.inf))
            stepped = advance(objective, method, stop, c)
            c = jax.tree.map(lambda new, old: jnp.where(go, new, old), stepped, c)
            return c, _row(objective, c.point)

        return jax.lax.scan(body, c, None, length=length)

    return each(method, one, carry)


def _row(objective: Objective, point: Point) -> tuple[AnyArray, AnyArray, AnyArray]:
    value = objective.value_at(point.y, point.X)
    return value, jnp.linalg.norm(point.gradient), point.X


_rows = jax.jit(lambda objective, points: jax.vmap(lambda p: _row(objective, p))(points))


@jax.jit
def ends_of(objective: Objective, carry: Carry) -> tuple[tuple, tuple]:
    """Read off what a result holds."""
    if carry.status.shape == (1,):
        one = _ended(objective, jax.tree.map(lambda leaf: leaf[0], carry))
        points = jax.tree.map(lambda leaf: leaf[None], one)
    else:
        points = jax.vmap(lambda c: _ended(objective, c))(carry)
    numbers = carry.iteration, carry.status, points.applications
    return numbers, jax.vmap(lambda p: _row(objective, p))(points)


@jax.jit
def run_to(objective: Objective, method: Method, stop: Stop, carry: Carry, end: AnyArray) -> Carry:
    """Run on from where a run stands to an iteration."""

    def one(c: Carry) -> Carry:
        return jax.lax.while_loop(
            lambda c: running(stop, c, end), lambda c: advance(objective, method, stop, c), c
        )

    return each(method, one, carry)


@jax.jit
def solve_all(
    objective: Objective, method: Method, stop: Stop, starts: tuple[AnyArray, Any]
) -> tuple:
    """Run to the end and read off what a result holds, in one compiled call."""
    carry = _solve_starts(objective, method, stop, starts)
    return ends_of(objective, carry)


def recorded(
    problem: Objective,
    method: Method,
    stop: Stop,
    carry: Carry,
    callback: Callable[[dict], None] | None,
    iterates: bool,
    end: float = np.inf,
) -> tuple[Carry, dict[str, np.ndarray], bool]:
    """Run on to an iteration in chunks (of one when there is a callback), collecting rows.

    Returns
    -------
    carry : Carry
    rows : dict of arrays
        From where it began.
    stopped : bool
        Whether the callback ended it.
    """
    begun, stopped = int(jnp.max(carry.iteration)), False
    kept = [tuple(np.asarray(a)[:, None] for a in _rows(problem, carry.point))]
    chunk = CHUNK if np.isinf(end) else int(end) - begun
    length = 1 if callback is not None else chunk
    while not stopped and bool(jnp.any(running(stop, carry, jnp.asarray(end)))):
        carry, rows = _record(problem, method, stop, carry, length)
        values, norms, points = (np.asarray(a) for a in rows)
        kept.append((values, norms, points if iterates else points[:, :0]))
        stopped = callback is not None and _interrupted(callback, carry, values, norms)
    last = int(jnp.max(carry.iteration)) + 1 - begun
    names = ("objective", "gradient_norm", "X") if iterates else ("objective", "gradient_norm")
    columns = zip(names, zip(*kept, strict=True), strict=False)
    return carry, {k: np.concatenate(v, axis=1)[:, :last] for k, v in columns}, stopped


def _interrupted(
    callback: Callable[[dict], None], carry: Carry, values: np.ndarray, norms: np.ndarray
) -> bool:
    single = values.shape[0] == 1
    pick = (lambda a: a[0]) if single else (lambda a: a)
    try:
        callback(
            {
                "iteration": pick(np.asarray(carry.iteration).astype(int)),
                "X": pick(np.asarray(carry.point.X)),
                "objective": pick(values[:, -1]),
                "gradient_norm": pick(norms[:, -1]),
            }
        )
    except StopIteration:
        return True
    return False


def result_of(
    numbers: tuple, ends: tuple, rows: dict[str, np.ndarray], single: bool, rough: Any = None
) -> Descent:
    """Read a result off; ``rough`` are the applications taken in float32."""
    iterations, status, applications = (np.asarray(a).astype(int) for a in numbers)
    values, norms, X = to_numpy(ends)
    rough = np.zeros_like(applications) if rough is None else np.asarray(rough).astype(int)
    fields = values, norms, iterations, status, applications
    if single:
        rows = {k: v[0] for k, v in rows.items()}
        return Descent(X[0], *(v[0].item() for v in (*fields, rough)), history=rows)
    return Descent(X, *fields, rough, history=rows)
