"""A descent from one start that is looked after on its way: long runs, and the clock."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from liftless._fields import traced_fields
from liftless._precision import double, on_device
from liftless._types import AnyArray
from liftless.descent import loop
from liftless.descent.base import Method
from liftless.descent.loop import Carry
from liftless.descent.result import Descent
from liftless.descent.stop import Stop
from liftless.objective import Objective


@jax.jit
def _some(objective: Objective, method: Method, stop: Stop, carry: Carry, end: AnyArray) -> Carry:
    """Run one start on to an iteration."""
    one = jax.lax.while_loop(
        lambda c: loop.running(stop, c, end),
        lambda c: loop.advance(objective, method, stop, c),
        jax.tree.map(lambda leaf: leaf[0], carry),
    )
    return jax.tree.map(lambda leaf: leaf[None], one)


@double
def descend_watched(
    problem: Objective,
    X: np.ndarray,
    method: Method,
    stop: Stop,
    chunk: int,
    watch: Callable[[dict], bool],
    *,
    values: bool = False,
) -> Descent:
    """:func:`descend` from one start, looked after every ``chunk`` steps.

    ``watch`` is told the iteration and h, and returns whether to go on.
    """
    method, stop = traced_fields(method), traced_fields(stop)
    problem = on_device(problem)
    start = jnp.asarray(X[None])
    if values:

        def each(row: dict) -> None:
            if row["iteration"] % chunk == 0 and not watch(row):
                raise StopIteration

        carry, rows = loop.recorded(problem, method, stop, start, each, False)
        numbers, ends = loop.ends_of(problem, carry)
        return loop.result_of(numbers, ends, rows, True)
    carry = loop.begin_all(problem, method, stop, start)
    end = 0
    while bool(jnp.any(loop.running(stop, carry, jnp.asarray(jnp.inf)))):
        end += chunk
        carry = _some(problem, method, stop, carry, jnp.asarray(float(end)))
        row = {"iteration": int(carry.iteration[0]), "objective": float(carry.least[0])}
        if not watch(row):
            break
    numbers, ends = loop.ends_of(problem, carry)
    return loop.result_of(numbers, ends, {}, True)
