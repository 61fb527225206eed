"""Book-keeping of one recovery: what was spent, tried and found; its local solves."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from liftless.certificate import first_order
from liftless.descent import Descent, LevenbergMarquardt, Method, Stop, descend
from liftless.escape import Candidate, pataki_width
from liftless.linalg import truncate
from liftless.problem import Problem

Factor = Float[np.ndarray, "n r"]

#: ‖∇h‖ ‖X‖ / h at which a local solve counts as stuck.
STUCK = 1e-4
#: A level of h counts as lower only if it is by this fraction: hysteresis against round-off.
LOWER = 1e-6
#: Below this n·width all local solves share one compiled width, padded with zero columns.
SHARED_WIDTH = 512
#: Up to this n r a Levenberg–Marquardt finish is tried where L-BFGS ends early.
FINISH_SIZE = 400


class Stopped(Exception):
    """The callback asked for an end."""


class Run:
    """Book-keeping of one recovery: what was spent, tried and found."""

    def __init__(
        self,
        problem: Problem,
        method: Method,
        budget: int,
        callback: Callable[[dict], None] | None,
        trace: bool,
        level: float,
    ) -> None:
        self.problem = problem
        self.method = method
        self.budget = budget
        self.callback = callback
        self.trace = trace
        self.level = level
        self.spent = 0
        self.iterations = 0
        self.events: list[dict] = []
        self.escapes: list[Candidate] = []
        self.rounds = 0
        self.best: Factor | None = None
        self.latest: Float[np.ndarray, "n p"] | None = None
        self.least = math.inf
        self.size = 0.0
        self.full = first_order(problem, np.zeros((problem.n, problem.rank))).full
        over = pataki_width(problem)
        small = problem.n * over <= SHARED_WIDTH
        self.width = max(over, problem.rank + 2) if small else problem.rank

    @property
    def left(self) -> int:
        """Applications still in the budget."""
        return max(0, self.budget - self.spent)

    def descend(self, X: Factor, stop: Stop, kind: str, method: Method | None = None) -> Descent:
        """Local solve at a shared compiled width; padding columns are zero and stay so."""
        columns = X.shape[1]
        padding = max(0, self.width - columns)
        padded = np.pad(X, ((0, 0), (0, padding)))
        keep = "values" if self.trace else "none"
        done = descend(self.problem, padded, method or self.method, stop, history=keep)
        done = dataclasses.replace(done, X=done.X[:, :columns])
        self.spent += done.applications
        self.iterations += done.iterations
        self.latest = done.X
        if columns == self.problem.rank:
            self.offer(done)
        self.note(kind, done.objective, done.history.get("objective"))
        return done

    def note(self, event: str, objective: float, values: np.ndarray | None = None) -> None:
        """Record an event and tell the callback."""
        row = {"event": event, "objective": float(objective), "applications": self.spent}
        if values is not None:
            row["values"] = values
        self.events.append(row)
        if self.callback is not None:
            try:
                self.callback(row)
            except StopIteration:
                raise Stopped from None

    def stop(self, gradient: float, objective: float | None = None, cost: int = 3) -> Stop:
        """Return a stop rule within the budget, for steps of ``cost`` applications (L-BFGS: 3)."""
        steps = max(1, self.left // cost)
        return Stop(objective, gradient, max_iterations=steps, size=self.size / 2)

    def local(self, X: Factor, kind: str, gradient: float = STUCK) -> Descent:
        """Descend to round-off, the noise level, or a stationary point."""
        target = None if self.level == 0 else self.fraction(self.level)
        done = self.descend(X, self.stop(gradient, target), kind)
        finish = X.size <= FINISH_SIZE and self.problem.loss.quadratic
        if not done.success and finish and self.left > 3 * X.size:
            # A step there costs a Jacobian on top, counted as n r applications.
            limited = self.stop(gradient, target, 3 + X.size)
            done = self.descend(done.X, limited, "finish", LevenbergMarquardt())
        return done

    def fraction(self, level: float) -> float:
        """``level`` of h relative to h at zero, as :class:`Stop` takes it."""
        return level / self.full if self.full > 0 else 0.0

    def settle(
        self, X: Float[np.ndarray, "n p"], fraction: float, kind: str
    ) -> Float[np.ndarray, "n r"]:
        """Descend in a wide factor to a fraction of h(0), then truncate to the rank."""
        wide = self.descend(X, self.stop(STUCK, fraction), kind)
        return truncate(wide.X, self.problem.rank)

    def offer(self, done: Descent) -> None:
        """Keep the best point of the problem's own rank."""
        lower = math.isfinite(done.objective) and done.objective < self.least * (1 - LOWER)
        if lower or self.best is None:
            self.best, self.least = done.X, done.objective

    def answer(self) -> Factor:
        """Best point so far; before there is one, what the wide descent had, truncated."""
        if self.best is not None:
            return self.best
        if self.latest is not None:
            return truncate(self.latest, self.problem.rank)
        return np.zeros((self.problem.n, self.problem.rank))
