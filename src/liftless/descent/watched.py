"""A descent from one start that is looked after on its way: long runs, and the clock."""

import time
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from liftless._fields import traced_fields
from liftless._peers import of_first
from liftless._precision import double, on_device, single
from liftless.descent import run
from liftless.descent.base import Method
from liftless.descent.loop import descend
from liftless.descent.mixed import explored, joined, widened
from liftless.descent.result import Descent
from liftless.descent.run import Carry
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


def _paced(
    objective: Objective,
    method: Method,
    stop: Stop,
    carry: Carry,
    end: float,
    watch: Callable[[dict], bool],
) -> tuple[Carry, bool]:
    """Run one start on to an iteration, looked after on the way; whether to go on."""
    reached, pace = int(carry.iteration[0]), Pace()
    while bool(jnp.any(run.running(stop, carry, jnp.asarray(end)))):
        reached = min(reached + pace.steps, end)
        to = jnp.asarray(reached, carry.iteration.dtype)
        carry = run.run_to(objective, method, stop, carry, to)
        row = {"iteration": int(carry.iteration[0]), "objective": float(carry.least[0])}
        pace.taken()
        if not watch(row):
            return carry, False
    return carry, True


def descend_as(
    problem: Objective,
    X: np.ndarray,
    method: Method,
    stop: Stop,
    watch: Callable[[dict], bool] | None,
    *,
    values: bool = False,
    precision: str = "float64",
) -> Descent:
    """Descend from one start: watched where there is somebody to ask, else at one go."""
    if watch is None:
        kept = "values" if values else "none"
        return descend(problem, X, method, stop, history=kept, precision=precision)
    return descend_watched(problem, X, method, stop, watch, values=values, precision=precision)


@double
def descend_watched(
    problem: Objective,
    X: np.ndarray,
    method: Method,
    stop: Stop,
    watch: Callable[[dict], bool],
    *,
    values: bool = False,
    precision: str = "float64",
) -> Descent:
    """:func:`descend` from one start, looked after a few times a second.

    ``watch`` is told the iteration and h, and returns whether to go on; with ``values`` after every
    step.
    """
    kept: list[dict[str, np.ndarray]] = []

    def each(row: dict) -> None:
        if not watch(row):
            raise StopIteration

    def go(f: Objective, m: Method, s: Stop, carry: Carry, end: float) -> tuple[Carry, bool]:
        if not values:
            return _paced(f, m, s, carry, end, watch)
        carry, rows, stopped = run.recorded(f, m, s, carry, each, False, end)
        kept.append(rows)
        return carry, not stopped

    method, stop = traced_fields(method), traced_fields(stop)
    starts, rough, going = (jnp.asarray(X[None]), None), None, True
    if precision == "mixed":
        end, going = explored(on_device(single(problem)), method, stop, starts, go)
        problem, rough = on_device(problem), end.applications
        carry = widened(problem, method, stop, end, starts[0])
    else:
        problem = on_device(problem)
        carry = run.begin_all(problem, method, stop, starts)
    if going:
        carry, _ = go(problem, method, stop, carry, np.inf)
    numbers, ends = run.ends_of(problem, carry)
    return run.result_of(numbers, ends, joined(kept), True, rough)
