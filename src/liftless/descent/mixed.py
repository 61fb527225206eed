"""Descents in mixed precision: the way in float32, the end in float64.

A large descent is bound by memory, of which float32 moves half.  It tells the residual of data b to
about 1e-7 b, so that it is as good as float64 until h is some 1e-13 of its value at zero; before
that the run goes on in float64 from the lowest point so far, with what the method remembers.  The
objective is then evaluated anew, and every tolerance is looked at again: the end means what it
means in float64.

Where float32 cannot represent the data (beyond 1e38, or where their squares are), its run diverges
and float64 begins at the start itself.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from liftless._fields import traced_fields
from liftless._precision import double, on_device, single
from liftless._types import AnyArray
from liftless.descent.base import Method, Point
from liftless.descent.result import Descent
from liftless.descent.run import (
    Carry,
    begin_all,
    each,
    ends_of,
    recorded,
    result_of,
    run_to,
    running,
    slope_of,
)
from liftless.descent.stop import Stop
from liftless.objective import Objective

#: h relative to h at zero where float64 takes over: an error of 1e-5, and a thousand times what the
#: round-off of float32 makes of h.
LEVEL = 1e-10
#: ‖∇h‖ ‖X‖ / h below which float32 does not tell a gradient from round-off, of a misfit that is not
#: small.
SLOPE = 1e-3
#: In so many iterations h must fall to this share, once it is below that share of h at zero; and
#: by that share of itself anywhere.
CHUNK, FALL, SMALL, LEAST = 50, 0.5, 1e-3, 1e-5


def rough(stop: Stop) -> Stop:
    """Tolerances that float32 can tell, as arrays of it."""
    stop = traced_fields(stop, np.float32)
    level, slope = np.asarray(stop.objective), np.asarray(stop.gradient)
    level = np.fmax(level, np.float32(LEVEL))
    slope = np.maximum(slope, np.float32(SLOPE))
    return eqx.tree_at(lambda s: (s.objective, s.gradient), stop, (level, slope))


class Explored(NamedTuple):
    """Where a run in float32 ended: lowest point, applications, iterations, the method's state."""

    lowest: AnyArray
    applications: AnyArray
    iteration: AnyArray
    state: Any


def _wide(objective: Objective, method: Method, stop: Stop, end: Explored, X: AnyArray) -> Carry:
    """Where float64 goes on: at the lowest point, or at the start where that is no number."""

    def one(pair: tuple[Explored, AnyArray]) -> Carry:
        end, start = pair
        lowest = end.lowest.astype(start.dtype)
        lowest = jnp.where(jnp.all(jnp.isfinite(lowest)), lowest, start)
        spent = end.applications.astype(start.dtype)
        point = Point.at(objective, lowest, applications=spent)
        state = method.resumed(objective, point, end.state)
        status = method.status(stop.status(objective, point, jnp.asarray(True)), state)
        k = end.iteration.astype(start.dtype)
        return Carry(point, state, k, status, lowest, point.excess, slope_of(point))

    return each(method, one, (end, X))


widened = jax.jit(_wide)


@jax.jit
def _finished(
    objective: Objective, method: Method, stop: Stop, end: Explored, X: AnyArray
) -> tuple[tuple, tuple]:
    """Go on in float64 to the end, and read off what a result holds; nothing is held twice."""
    carry = _wide(objective, method, stop, end, X)
    return ends_of(objective, run_to(objective, method, stop, carry, jnp.asarray(jnp.inf)))


def stacked(X: np.ndarray, data: Any) -> tuple[AnyArray, Any]:
    """Starts along a leading axis, with what points there carry, or None."""
    pair = (X, data) if X.ndim > 2 else jax.tree.map(lambda a: np.asarray(a)[None], (X, data))
    return jax.tree.map(jnp.asarray, pair)


_full = jax.jit(lambda objective, X: objective.zero_level(X))


def explored(
    low: Objective,
    method: Method,
    stop: Stop,
    starts: tuple[AnyArray, Any],
    go: Callable[[Objective, Method, Stop, Carry, float], tuple[Carry, bool]],
) -> tuple[Explored, bool]:
    """Descend in float32.

    Parameters
    ----------
    low : Objective
        A :func:`liftless._precision.single` one.
    method, stop
        With traced fields, in float64.
    starts : pair of arrays
        X of shape (k, n, r), and what points there carry, or None.
    go : callable
        Runs on to an iteration, and says whether the caller wants more.

    Returns
    -------
    explored : Explored
    going : bool
        Whether the caller wants more.
    """
    method32, stop32, begun = single(method), rough(stop), single(starts)
    carry = begin_all(low, method32, stop32, begun)
    full, before = _full(low, begun[0][0]), None
    end, going = 0.0, True
    while going and bool(jnp.any(running(stop32, carry, jnp.asarray(jnp.inf)))):
        end += CHUNK
        carry, going = go(low, method32, stop32, carry, end)
        least = np.asarray(carry.least)
        if before is not None:
            flat = before - least <= LEAST * np.abs(least)
            if bool(np.all(flat | ((least > FALL * before) & (least < SMALL * float(full))))):
                break
        before = least
    spent, k = carry.point.applications, carry.iteration
    return Explored(carry.lowest, spent, k, carry.state), going


def _straight(
    objective: Objective, method: Method, stop: Stop, carry: Carry, end: float
) -> tuple[Carry, bool]:
    return run_to(objective, method, stop, carry, jnp.asarray(end, carry.iteration.dtype)), True


@double
def ran_mixed(
    problem: Objective,
    X: np.ndarray,
    method: Method,
    stop: Stop,
    history: str = "none",
    callback: Callable[[dict], None] | None = None,
    data: Any = None,
) -> Descent:
    """:func:`liftless.descend` in mixed precision, of checked arguments."""
    alone = X.ndim < 3
    method, stop = traced_fields(method), traced_fields(stop)
    kept: list[dict[str, np.ndarray]] = []
    iterates = history == "iterates"

    def recording(f: Objective, m: Method, s: Stop, carry: Carry, end: float) -> tuple[Carry, bool]:
        carry, rows, stopped = recorded(f, m, s, carry, callback, iterates, end)
        kept.append(rows)
        return carry, not stopped

    plain = history == "none" and callback is None
    go, starts = _straight if plain else recording, stacked(X, data)
    end, going = explored(on_device(single(problem)), method, stop, starts, go)
    problem, start = on_device(problem), starts[0]
    # What a start carried is not needed any more, and large.
    del starts
    if plain:
        numbers, ends = _finished(problem, method, stop, end, start)
    else:
        carry = widened(problem, method, stop, end, start)
        carry = go(problem, method, stop, carry, np.inf)[0] if going else carry
        numbers, ends = ends_of(problem, carry)
    rows = joined(kept) if history != "none" else {}
    return result_of(numbers, ends, rows, alone, end.applications)


def joined(kept: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Rows of one run, of whose parts each begins where the last one ended."""
    if not kept:
        return {}
    ends = [{name: rows[name][:, :-1] for name in rows} for rows in kept[:-1]] + kept[-1:]
    return {name: np.concatenate([rows[name] for rows in ends], axis=1) for name in kept[0]}
