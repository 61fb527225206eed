"""The one compiled loop that runs every local method, over one start or many."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, real_array
from liftless._errors import InvalidInput
from liftless._fields import traced_fields
from liftless._precision import double, on_device, to_numpy, traced
from liftless._types import AnyArray
from liftless.descent.base import Method, Point
from liftless.descent.choice import as_method
from liftless.descent.implicit import settled
from liftless.descent.result import Descent
from liftless.descent.stop import (
    DIVERGED,
    FITTED,
    RUNNING,
    STALLED,
    STATIONARY,
    STATUS,
    Stop,
    as_stop,
)
from liftless.objective import Objective, check_objective
from liftless.problem import Problem

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


def _begin(objective: Objective, method: Method, stop: Stop, X: AnyArray) -> Carry:
    point = Point.at(objective, X)
    state = method.init(objective, point)
    status = method.status(stop.status(objective, point, jnp.asarray(True)), state)
    return Carry(point, state, jnp.zeros((), X.dtype), status, point.X, point.excess, _slope(point))


def advance(objective: Objective, method: Method, stop: Stop, carry: Carry) -> Carry:
    point, state = method.advance(objective, carry.point, carry.state)
    moved = jnp.any(point.X != carry.point.X) | method.waits
    status = method.status(stop.status(objective, point, moved), state)
    # A point at a tolerance is the end, be it higher by round-off; NaN is never lower.
    slope, same = _slope(point), carry.least * LEVEL
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


def _slope(point: Point) -> AnyArray:
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


def _each(method: Method, function: Callable[[Any], Any], many: Any) -> Any:
    """Map a function over starts, at once or one after another."""
    return jax.lax.map(function, many) if method.alone else jax.vmap(function)(many)


def running(stop: Stop, carry: Carry, end: AnyArray) -> AnyArray:
    within = carry.iteration < jnp.minimum(end, stop.max_iterations)
    if stop.max_applications is not None:
        within &= carry.point.applications < stop.max_applications
    return (carry.status == RUNNING) & within


def solve_starts(objective: Objective, method: Method, stop: Stop, X: AnyArray) -> Carry:
    """Run from every start of ``X`` of shape (k, n, r) to its end; traceable.

    The loop behind :func:`descend`, for use inside a caller's own transformation, such as a
    ``vmap`` over stacked problems.  It returns JAX arrays in the caller's precision.
    """
    return _solve_starts(objective, traced_fields(method), traced_fields(stop), X)


@jax.jit
def _solve_starts(objective: Objective, method: Method, stop: Stop, X: AnyArray) -> Carry:
    def one(x: AnyArray) -> Carry:
        return jax.lax.while_loop(
            lambda c: running(stop, c, jnp.asarray(jnp.inf)),
            lambda c: advance(objective, method, stop, c),
            _begin(objective, method, stop, x),
        )

    # A single start is spared the batching, under which a loop's branches cost twice.
    if X.shape[0] == 1:
        return jax.tree.map(lambda leaf: leaf[None], one(X[0]))
    return _each(method, one, X)


@jax.jit
def begin_all(objective: Objective, method: Method, stop: Stop, X: AnyArray) -> Carry:
    return _each(method, lambda x: _begin(objective, method, stop, x), X)


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

    return _each(method, one, carry)


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
def _solve(objective: Objective, method: Method, stop: Stop, X: AnyArray) -> tuple:
    """Run to the end and read off what a result holds, in one compiled call."""
    carry = _solve_starts(objective, method, stop, X)
    return ends_of(objective, carry)


def descend(
    problem: Any,
    X0: Any,
    method: Any = None,
    stop: Any = None,
    *,
    history: str = "none",
    callback: Callable[[dict], None] | None = None,
) -> Descent:
    """Descend from one start or from many at once.

    Parameters
    ----------
    problem : Problem or another Objective
    X0 : array of shape (n, r) or (k, n, r)
        One start, or k of them run as one batch with the answers of a loop.  The width r need not
        be ``problem.rank``; zero columns stay zero.  An objective of vectors takes a vector.
    method : Method, optional
        :class:`LBFGS` by default; see :func:`as_method` for what else may stand for one.
    stop : Stop, optional
    history : {"none", "values", "iterates"}
        What to keep per iteration: nothing, h and ‖∇h‖, or X as well.
    callback : callable, optional
        Called after every iteration with a dictionary of ``iteration``, ``X``, ``objective`` and
        ``gradient_norm``; raising ``StopIteration`` ends the run.

    Returns
    -------
    Descent
        Of the lowest iterate, where the method is one that may climb.

    Raises
    ------
    InvalidInput
        A start of the wrong shape or not finite, an unknown ``history``, what is no method, or an
        objective that the method does not know enough of.

    Notes
    -----
    On concrete arrays it computes in float64 and returns NumPy.  Inside a caller's ``jit``,
    ``vmap`` or ``grad`` it is plain JAX in the precision of the arguments, without history and
    callback.  X, as a function of the problem, then has the derivative of a stationary point (see
    :func:`solve`).
    """
    X = _starts(problem, X0)
    if history not in ("none", "values", "iterates"):
        raise InvalidInput("history", repr(history), "'none', 'values' or 'iterates'")
    method, stop = as_method(method), as_stop(stop)
    if traced(problem, X, method, stop):
        if history != "none" or callback is not None:
            name = "history" if history != "none" else "callback"
            must = "left out inside jit, vmap and grad, where nothing is seen on the way"
            raise InvalidInput(name, "given", must, "Call descend outside of the transformation.")
        return _descend_traced(problem, X, method, stop)
    return _descend(problem, X, method, stop, history, callback)


def solve(problem: Any, X0: Any, method: Any = None, stop: Any = None) -> Any:
    """Return the factor descended to from ``X0``, which can be differentiated in the problem.

    Parameters
    ----------
    problem, X0, method, stop
        See :func:`descend`.

    Returns
    -------
    array of the shape of ``X0``
        Where :func:`descend` ends.

    Notes
    -----
    Its derivative is that of a stationary point, by the implicit function theorem, in every
    floating array of the problem: b, the weights, those of the operator, a regulariser's weight.
    The start, the method and the stop rule have no part in it.  One linear system with the
    Hessian is solved a derivative, of least norm, for the Hessian is singular along the gauge
    X ↦ X Q: a decomposition up to 500 entries of X, conjugate gradients above, matrix-free.  The
    factor's own derivative is thus up to a rotation; that of X Xᵀ is unique where the point is an
    isolated matrix.  Both modes of differentiation work.  Where descent ended short of its
    tolerances the derivative is NaN.  Its relative error is about that of X times the condition
    of the Hessian.
    """
    return descend(problem, X0, method, stop).X


def _starts(objective: Any, X0: Any) -> Any:
    """Return the start or starts, checked for the objective."""
    rank = min(max(np.ndim(X0), 1), 3)
    if isinstance(objective, Problem):
        X = real_array("X0", X0, 3 if rank == 3 else 2)
        if X.shape[-2] != objective.n or min(X.shape) < 1:
            must = f"of shape ({objective.n}, r) or (k, {objective.n}, r)"
            raise InvalidInput("X0", f"an array of shape {np.shape(X0)}", must)
        return X
    X = real_array("X0", X0, rank)
    if X.size < 1:
        raise InvalidInput("X0", describe(X), "not empty")
    check_objective(objective, X[0] if rank == 3 else X)
    return X


def _descend_traced(problem: Objective, X: AnyArray, method: Method, stop: Stop) -> Descent:
    """Run inside a caller's transformation, in the widest floating type of the arguments."""
    floats = [
        a for a in jax.tree.leaves(problem) if jnp.issubdtype(jnp.result_type(a), jnp.floating)
    ]
    dtype = jnp.result_type(X, *floats)
    method, stop = traced_fields(method, dtype), traced_fields(stop, dtype)
    single = X.ndim < 3
    start = jnp.asarray(X, dtype)[None] if single else jnp.asarray(X, dtype)
    fixed = jax.lax.stop_gradient((problem, method, stop, start))
    (iterations, status, applications), (value, norm, X) = _solve(*fixed)
    reached = (status != RUNNING) & (status != DIVERGED)
    counts = iterations.astype(int), status, applications.astype(int)
    ends = X, value, norm, reached
    if single:
        found = settled(problem, *(a[0] for a in ends))
        return Descent(*found, *(a[0] for a in counts))
    return Descent(*jax.vmap(settled, in_axes=(None, 0, 0, 0, 0))(problem, *ends), *counts)


@double
def _descend(
    problem: Objective,
    X: np.ndarray,
    method: Method,
    stop: Stop,
    history: str,
    callback: Callable[[dict], None] | None,
) -> Descent:
    """Run on concrete arrays, in float64."""
    single = X.ndim < 3
    method, stop = traced_fields(method), traced_fields(stop)
    problem = on_device(problem)
    start = jnp.asarray(X[None] if single else X)
    if history == "none" and callback is None:
        numbers, ends = _solve(problem, method, stop, start)
        return result_of(numbers, ends, {}, single)
    carry, rows = recorded(problem, method, stop, start, callback, history == "iterates")
    kept = rows if history != "none" else {}
    numbers, ends = ends_of(problem, carry)
    return result_of(numbers, ends, kept, single)


def recorded(
    problem: Objective,
    method: Method,
    stop: Stop,
    X: AnyArray,
    callback: Callable[[dict], None] | None,
    iterates: bool,
) -> tuple[Carry, dict[str, np.ndarray]]:
    """Run in chunks (of one when there is a callback), collecting rows on the host."""
    carry = begin_all(problem, method, stop, X)
    kept = [tuple(np.asarray(a)[:, None] for a in _rows(problem, carry.point))]
    length = 1 if callback is not None else CHUNK
    while bool(jnp.any(running(stop, carry, jnp.asarray(jnp.inf)))):
        carry, rows = _record(problem, method, stop, carry, length)
        values, norms, points = (np.asarray(a) for a in rows)
        kept.append((values, norms, points if iterates else points[:, :0]))
        if callback is not None and _interrupted(callback, carry, values, norms):
            break
    last = int(jnp.max(carry.iteration)) + 1
    names = ("objective", "gradient_norm", "X") if iterates else ("objective", "gradient_norm")
    columns = zip(names, zip(*kept, strict=True), strict=False)
    return carry, {k: np.concatenate(v, axis=1)[:, :last] for k, v in columns}


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


def result_of(numbers: tuple, ends: tuple, rows: dict[str, np.ndarray], single: bool) -> Descent:
    iterations, status, applications = (np.asarray(a).astype(int) for a in numbers)
    values, norms, X = to_numpy(ends)
    fields = values, norms, iterations, status, applications
    if single:
        rows = {k: v[0] for k, v in rows.items()}
        return Descent(X[0], *(v[0].item() for v in fields), history=rows)
    return Descent(X, *fields, history=rows)


__all__ = [
    "DIVERGED",
    "FITTED",
    "RUNNING",
    "STALLED",
    "STATIONARY",
    "STATUS",
    "Carry",
    "Descent",
    "Stop",
    "descend",
    "solve",
    "solve_starts",
]
