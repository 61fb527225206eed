"""Descent from one start or from many: the front of the loop that runs every local method."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from liftless._checks import describe, real_array
from liftless._errors import InvalidInput
from liftless._fields import traced_fields
from liftless._precision import double, on_device, precision_of, traced
from liftless._types import AnyArray
from liftless.descent.base import Method
from liftless.descent.choice import as_method
from liftless.descent.implicit import settled
from liftless.descent.mixed import ran_mixed, stacked
from liftless.descent.result import Descent
from liftless.descent.run import (
    Carry,
    begin_all,
    ends_of,
    recorded,
    result_of,
    solve_all,
    solve_starts,
)
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


def descend(
    problem: Any,
    X0: Any,
    method: Any = None,
    stop: Any = None,
    *,
    history: str = "none",
    callback: Callable[[dict], None] | None = None,
    precision: str = "float64",
    data: Any = None,
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
    precision : {"float64", "mixed"}
        "mixed" begins in float32 and goes on in float64 from about where float32 tells no more
        (see :mod:`liftless.descent.mixed`): the end is judged in float64 either way.
    data : array, optional
        What the objective carries at the starts, of a problem A(X Xᵀ), where it is known, so that
        it is not computed again.

    Returns
    -------
    Descent
        Of the lowest iterate, where the method is one that may climb.

    Raises
    ------
    InvalidInput
        A start of the wrong shape or not finite, an unknown ``history`` or ``precision``, what is
        no method, or an objective that the method does not know enough of; a history of several
        starts in mixed precision, which change over at different iterations.

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
    mixed = precision_of(precision) == "mixed"
    if traced(problem, X, method, stop):
        if mixed:
            must = "'float64' inside jit, vmap and grad, where the arguments' own type counts"
            raise InvalidInput("precision", repr(precision), must)
        if history != "none" or callback is not None:
            name = "history" if history != "none" else "callback"
            must = "left out inside jit, vmap and grad, where nothing is seen on the way"
            raise InvalidInput(name, "given", must, "Call descend outside of the transformation.")
        return _descend_traced(problem, X, method, stop)
    if not mixed:
        return _descend(problem, X, method, stop, history, callback, data)
    if X.ndim > 2 and X.shape[0] > 1 and (history != "none" or callback is not None):
        name = "history" if history != "none" else "callback"
        must = "left out where several starts are descended from in mixed precision"
        raise InvalidInput(name, "given", must, "Descend from one start at a time.")
    return ran_mixed(problem, X, method, stop, history, callback, data)


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
    fixed = jax.lax.stop_gradient((problem, method, stop, (start, None)))
    (iterations, status, applications), (value, norm, X) = solve_all(*fixed)
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
    data: Any,
) -> Descent:
    """Run on concrete arrays, in float64."""
    single = X.ndim < 3
    method, stop = traced_fields(method), traced_fields(stop)
    problem = on_device(problem)
    starts = stacked(X, data)
    if history == "none" and callback is None:
        numbers, ends = solve_all(problem, method, stop, starts)
        return result_of(numbers, ends, {}, single)
    carry = begin_all(problem, method, stop, starts)
    carry, rows, _ = recorded(problem, method, stop, carry, callback, history == "iterates")
    kept = rows if history != "none" else {}
    numbers, ends = ends_of(problem, carry)
    return result_of(numbers, ends, kept, single)


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
