"""The one compiled loop that runs every local method, over one start or many."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, real_array, real_number, traced_whole
from liftless._errors import InvalidInput
from liftless._fields import number, traced_fields
from liftless._precision import double, on_device, to_numpy
from liftless._types import AnyArray, Scalar, Whole
from liftless.descent.base import Method, Point
from liftless.descent.choice import as_method
from liftless.problem import Problem

#: Why a run ended: message for each status.
STATUS = {
    0: "The iteration limit was reached before either tolerance; raise Stop.max_iterations.",
    1: "The objective reached its tolerance: the data are fitted.",
    2: "The gradient reached its tolerance: a stationary point.",
    3: "The iterates left the finite numbers; use a smaller step (below 2 over the largest "
    "Hessian eigenvalue).",
    4: "No step changes the iterate any more: round-off is reached.",
}
RUNNING, FITTED, STATIONARY, DIVERGED, STALLED = 0, 1, 2, 3, 4

#: Iterations a compiled call runs when a history is kept without a callback.
CHUNK = 256


class Stop(eqx.Module):
    """When a run ends.  All tolerances are relative, hence free of the problem's scale.

    Parameters
    ----------
    objective : float
        Ends when h − (least conceivable h) is at most this fraction of its value at X = 0.
    gradient : float
        Ends when ‖∇h‖·max(‖X‖, size) is at most this fraction of h: no step as long as X could
        gain more than that, to first order.
    max_iterations : int
        Longest run.
    size : float
        A lower bound on the size of X for the gradient rule; 0 for none.
    """

    # NaN stands for "round-off of the loss", which only the problem knows.
    objective: Scalar | None = number(absent=np.nan)
    gradient: Scalar = number()
    max_iterations: Whole = number()
    size: Scalar = number()

    def __init__(
        self,
        objective: Scalar | None = None,
        gradient: Scalar = 1e-9,
        max_iterations: Whole = 2000,
        size: Scalar = 0.0,
    ) -> None:
        self.objective = objective
        if objective is not None:
            self.objective = real_number("objective", objective, least=0.0)
        self.gradient = real_number("gradient", gradient, least=0.0)
        self.max_iterations = traced_whole("max_iterations", max_iterations, least=0)
        self.size = real_number("size", size, least=0.0)

    def status(self, problem: Problem, point: Point, moved: AnyArray) -> AnyArray:
        """Status code at ``point``; ``moved`` says whether the last step changed it."""
        goal = jnp.asarray(jnp.nan if self.objective is None else self.objective)
        level = jnp.where(jnp.isnan(goal), problem.loss.roundoff, goal)
        zero = jnp.zeros((problem.m,), jnp.result_type(point.X))
        full = jnp.sum(problem.omega * problem.loss.excess(zero, problem.b))
        length = jnp.maximum(jnp.linalg.norm(point.X), self.size)
        slope = jnp.linalg.norm(point.gradient) * length
        finite = jnp.isfinite(point.excess) & jnp.isfinite(slope)
        code = jnp.where(moved, RUNNING, STALLED)
        code = jnp.where(slope <= self.gradient * point.excess, STATIONARY, code)
        code = jnp.where(point.excess <= level * full, FITTED, code)
        return jnp.where(finite, code, DIVERGED)


def as_stop(stop: Any) -> Stop:
    """Return a stop rule as it is, and the usual one for None."""
    if stop is not None and not isinstance(stop, Stop):
        raise InvalidInput("stop", describe(stop), "a Stop", "Pass Stop(max_iterations=500), say.")
    return Stop() if stop is None else stop


@dataclass(frozen=True)
class Descent:
    """Result of :func:`descend`; with k starts every array has a leading axis of length k.

    Attributes
    ----------
    X : array of shape (n, r)
    objective, gradient_norm : float
        h(X) and ‖∇h(X)‖_F.
    iterations, status : int
        Steps taken and code of the reason, see ``message``.
    applications : int
        Applications of A or A* to one matrix.
    message : str
        The reason in words; for several starts that of the worst.
    history : dict of arrays
        Per iteration, if asked for: ``objective``, ``gradient_norm`` and, on demand, ``X``; entry
        0 is the start.
    """

    X: Float[np.ndarray, "..."]
    objective: Any
    gradient_norm: Any
    iterations: Any
    status: Any
    applications: Any
    message: str
    history: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def success(self) -> Any:
        """Whether the run ended at one of its tolerances."""
        return (np.asarray(self.status) == FITTED) | (np.asarray(self.status) == STATIONARY)


class Carry(eqx.Module):
    """Where a run stands: its point, the method's state, steps taken and the status code."""

    point: Point
    state: Any
    iteration: Float[AnyArray, ""]
    status: AnyArray


def _begin(problem: Problem, method: Method, stop: Stop, X: AnyArray) -> Carry:
    point = Point.at(problem, X)
    status = stop.status(problem, point, jnp.asarray(True))
    return Carry(point, method.init(problem, point), jnp.zeros((), X.dtype), status)


def _advance(problem: Problem, method: Method, stop: Stop, carry: Carry) -> Carry:
    point, state = method.advance(problem, carry.point, carry.state)
    moved = jnp.any(point.X != carry.point.X) | method.waits
    status = stop.status(problem, point, moved)
    return Carry(point, state, carry.iteration + 1, status)


def _running(stop: Stop, carry: Carry, end: AnyArray) -> AnyArray:
    return (carry.status == RUNNING) & (carry.iteration < jnp.minimum(end, stop.max_iterations))


def solve_starts(problem: Problem, method: Method, stop: Stop, X: AnyArray) -> Carry:
    """Run from every start of ``X`` of shape (k, n, r) to its end; traceable.

    The loop behind :func:`descend`, for use inside a caller's own transformation, such as a
    ``vmap`` over stacked problems.  It returns JAX arrays in the caller's precision.
    """
    return _solve_starts(problem, traced_fields(method), traced_fields(stop), X)


@jax.jit
def _solve_starts(problem: Problem, method: Method, stop: Stop, X: AnyArray) -> Carry:
    def one(x: AnyArray) -> Carry:
        return jax.lax.while_loop(
            lambda c: _running(stop, c, jnp.asarray(jnp.inf)),
            lambda c: _advance(problem, method, stop, c),
            _begin(problem, method, stop, x),
        )

    # A single start is spared the batching, under which a loop's branches cost twice.
    if X.shape[0] == 1:
        return jax.tree.map(lambda leaf: leaf[None], one(X[0]))
    return jax.vmap(one)(X)


_start = jax.jit(
    lambda problem, method, stop, X: jax.vmap(lambda x: _begin(problem, method, stop, x))(X)
)


@eqx.filter_jit
def _record(problem: Problem, method: Method, stop: Stop, carry: Carry, length: int) -> tuple:
    """Run ``length`` iterations, keeping every point; finished runs stand still."""

    def one(c: Carry) -> tuple[Carry, tuple]:
        def body(c: Carry, _: None) -> tuple[Carry, tuple]:
            go = _running(stop, c, jnp.asarray(jnp.inf))
            stepped = _advance(problem, method, stop, c)
            c = jax.tree.map(lambda new, old: jnp.where(go, new, old), stepped, c)
            return c, _row(problem, c.point)

        return jax.lax.scan(body, c, None, length=length)

    return jax.vmap(one)(carry)


def _row(problem: Problem, point: Point) -> tuple[AnyArray, AnyArray, AnyArray]:
    value = problem.value_at(point.y, point.X)
    return value, jnp.linalg.norm(point.gradient), point.X


_rows = jax.jit(lambda problem, points: jax.vmap(lambda p: _row(problem, p))(points))


@jax.jit
def _solve(problem: Problem, method: Method, stop: Stop, X: AnyArray) -> tuple:
    """Run to the end and read off what a result holds, in one compiled call."""
    carry = _solve_starts(problem, method, stop, X)
    return _numbers(carry), _rows(problem, carry.point)


def _numbers(carry: Carry) -> tuple[AnyArray, AnyArray, AnyArray]:
    return carry.iteration, carry.status, carry.point.applications


@double
def descend(
    problem: Problem,
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
    problem : Problem
    X0 : array of shape (n, r) or (k, n, r)
        One start, or k of them run as one batch with the answers of a loop.  The width r need not
        be ``problem.rank``; zero columns stay zero.
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

    Raises
    ------
    InvalidInput
        A start of the wrong shape or not finite, an unknown ``history``, or what is no method.
    """
    X = real_array("X0", X0, 3 if np.ndim(X0) == 3 else 2)
    single = X.ndim == 2
    X = X[None] if single else X
    if X.shape[1] != problem.n or X.shape[0] < 1 or X.shape[2] < 1:
        must = f"of shape ({problem.n}, r) or (k, {problem.n}, r)"
        raise InvalidInput("X0", f"an array of shape {np.shape(X0)}", must)
    if history not in ("none", "values", "iterates"):
        raise InvalidInput("history", repr(history), "'none', 'values' or 'iterates'")
    method = traced_fields(as_method(method))
    stop = traced_fields(as_stop(stop))
    problem = on_device(problem)
    X = jnp.asarray(X)
    if history == "none" and callback is None:
        numbers, ends = _solve(problem, method, stop, X)
        return _result(numbers, ends, {}, single)
    carry, rows = _recorded(problem, method, stop, X, callback, history == "iterates")
    kept = rows if history != "none" else {}
    return _result(_numbers(carry), _rows(problem, carry.point), kept, single)


def _recorded(
    problem: Problem,
    method: Method,
    stop: Stop,
    X: AnyArray,
    callback: Callable[[dict], None] | None,
    iterates: bool,
) -> tuple[Carry, dict[str, np.ndarray]]:
    """Run in chunks (of one when there is a callback), collecting rows on the host."""
    carry = _start(problem, method, stop, X)
    kept = [tuple(np.asarray(a)[:, None] for a in _rows(problem, carry.point))]
    length = 1 if callback is not None else CHUNK
    while bool(jnp.any(_running(stop, carry, jnp.asarray(jnp.inf)))):
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


def _result(numbers: tuple, ends: tuple, rows: dict[str, np.ndarray], single: bool) -> Descent:
    iterations, status, applications = (np.asarray(a).astype(int) for a in numbers)
    values, norms, X = to_numpy(ends)
    fields = {
        "objective": values,
        "gradient_norm": norms,
        "iterations": iterations,
        "status": status,
        "applications": applications,
    }
    worst = [3, 0, 4, 2, 1]
    message = STATUS[min((int(s) for s in status), key=worst.index)]
    if single:
        scalars = {k: v[0].item() for k, v in fields.items()}
        return Descent(
            X=X[0], message=message, history={k: v[0] for k, v in rows.items()}, **scalars
        )
    return Descent(X=X, message=message, history=rows, **fields)
