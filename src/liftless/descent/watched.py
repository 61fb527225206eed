"""A descent from one start that is looked after on its way: long runs, and the clock."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from liftless._fields import traced_fields
from liftless._peers import of_first
from liftless._precision import double, on_device
from liftless._types import AnyArray
from liftless.descent import loop
from liftless.descent.base import Method
from liftless.descent.loop import Carry
from liftless.descent.result import Descent
from liftless.descent.stop import Stop
from liftless.objective import Objective

#: Seconds between two looks at the clock, about.
LOOK = 0.25


class Pace:
    """Steps to take until the clock is looked at again.

    It changes when a long run is looked at, and never what the run does.
    """

    def __init__(self) -> None:
        self.steps, self._began = 1, time.perf_counter()

    def taken(self) -> None:
        """Note that those steps have been taken; compilation may have come on top."""
        took = of_first(time.perf_counter() - self._began)
        if took < LOOK / 2:
            self.steps *= 2
        elif took > 2 * LOOK:
            self.steps = max(1, self.steps // 2)
        self._began = time.perf_counter()


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
    watch: Callable[[dict], bool],
    *,
    values: bool = False,
) -> Descent:
    """:func:`descend` from one start, looked after a few times a second.

    ``watch`` is told the iteration and h, and returns whether to go on; with ``values`` after every
    step.
    """
    method, stop = traced_fields(method), traced_fields(stop)
    problem = on_device(problem)
    start = jnp.asarray(X[None])
    if values:

        def each(row: dict) -> None:
            if not watch(row):
                raise StopIteration

        carry, rows = loop.recorded(problem, method, stop, start, each, False)
        numbers, ends = loop.ends_of(problem, carry)
        return loop.result_of(numbers, ends, rows, True)
    carry = loop.begin_all(problem, method, stop, start)
    end, pace = 0, Pace()
    while bool(jnp.any(loop.running(stop, carry, jnp.asarray(jnp.inf)))):
        end += pace.steps
        carry = _some(problem, method, stop, carry, jnp.asarray(float(end)))
        row = {"iteration": int(carry.iteration[0]), "objective": float(carry.least[0])}
        pace.taken()
        if not watch(row):
            break
    numbers, ends = loop.ends_of(problem, carry)
    return loop.result_of(numbers, ends, {}, True)
