"""Book-keeping of one recovery: what was spent, tried and found; its local solves."""

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from liftless.certificate import first_order
from liftless.descent import LBFGS, Descent, LevenbergMarquardt, Method, Stop, descend
from liftless.descent.loop import FITTED, STATIONARY
from liftless.escape import Candidate
from liftless.linalg import matrix_distance, truncate
from liftless.problem import Problem
from liftless.start import over_width, wide_start

Factor = Float[np.ndarray, "n r"]

#: Applications charged for a start: one eigenproblem, a line.
START_COST = 4
#: ‖∇h‖ ‖X‖ / h at which a local solve counts as stuck.
STUCK = 1e-4
#: A level of h counts as lower only if it is by this fraction: hysteresis against round-off.
LOWER = 1e-6
#: Below this n·width all local solves share one compiled width, padded with zero columns.
SHARED_WIDTH = 512
#: Up to this n r, and as many entries of the Jacobian, Levenberg–Marquardt takes over where descent
#: is near enough to an end: at n = 600, m/n = 2, in 18 applications where L-BFGS takes 550.
FINISH_SIZE, FINISH_JACOBIAN = 1000, 20_000_000
#: ‖∇h‖ ‖X‖ / h at which a local solve from a good start is hopeless.  Of 193 that reached the
#: optimum none fell below 2.4 on its way, and only 5 % below 17; the others fall below 1 after
#: nine to sixteen steps of Levenberg–Marquardt.
HOPELESS = 1.0
#: The same after message passing or reflections: of 675 that reached the optimum six fell below 8
#: and three below 4.
HOPELESS_NEAR = 4.0
#: The same from a poor start, whose way leads over plateaus; and the share of h(0) below which
#: Levenberg–Marquardt is as good there as from a good start.
HOPELESS_POOR, NEAR = 0.1, 1e-2
#: A hopeless point is descended from all the same if its h is below this multiple of the least so
#: far: under noise the optimum's h is not zero, and only converged levels can be compared.
PROMISING = 1.1
#: Without a noise level that can wait, since an exact fit needs none of it: so many of the lowest
#: points at most are converged at the end of a cycle, and of those nearer to each other than this
#: only one.
MOST_WAITING, SAME = 3, 0.1
#: Most applications of that: some minima are degenerate, and descent in them takes for ever.
CONVERGE = 400
#: Least applications that the last polish may take beyond the budget.
POLISH = 300


def _same(X: Factor, Y: Factor) -> bool:
    """Whether two points are of one basin, by their matrices."""
    return matrix_distance(X, Y) <= SAME * float(np.linalg.norm(Y.T @ Y))


def can_finish(problem: Problem) -> bool:
    """Whether Levenberg–Marquardt is affordable for a problem, and meant for its loss."""
    entries = problem.n * problem.rank
    affordable = entries <= FINISH_SIZE and entries * problem.m <= FINISH_JACOBIAN
    return affordable and problem.loss.quadratic


class Stopped(Exception):
    """The callback asked for an end."""


class Run:
    """Book-keeping of one recovery: what was spent, tried and found."""

    def __init__(
        self,
        problem: Problem,
        method: Method | None,
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
        self.waiting: list[Descent] = []
        self.best: Factor | None = None
        self.latest: Float[np.ndarray, "n p"] | None = None
        self.least = math.inf
        self.size = 0.0
        self.over = over_width(problem)
        small = problem.n * self.over <= SHARED_WIDTH
        self.width = max(self.over, problem.rank + 2) if small else problem.rank
        self._spectral: tuple[Float[np.ndarray, "n p"], float] | None = None

    @functools.cached_property
    def full(self) -> float:
        """H at zero, over the least that any measurements could reach."""
        return first_order(self.problem, np.zeros((self.problem.n, self.problem.rank))).full

    @property
    def spectral(self) -> tuple[Float[np.ndarray, "n p"], float]:
        """Wide spectral start and the largest eigenvalue of A*(w² b), computed once."""
        if self._spectral is None:
            self._spectral = wide_start(self.problem, self.over)
            self.spent += START_COST
        return self._spectral

    @property
    def left(self) -> int:
        """Applications still in the budget."""
        return max(0, self.budget - self.spent)

    def descend(
        self, X: Factor, stop: Stop, kind: str, method: Method, *, shared: bool = True
    ) -> Descent:
        """Local solve, at a shared compiled width if so wished; padding columns stay zero."""
        columns = X.shape[1]
        padding = max(0, self.width - columns) if shared else 0
        padded = np.pad(X, ((0, 0), (0, padding)))
        keep = "values" if self.trace else "none"
        done = descend(self.problem, padded, method, stop, history=keep)
        done = dataclasses.replace(done, X=done.X[:, :columns])
        self.spent += done.applications
        self.iterations += done.iterations
        self.latest = done.X
        if columns == self.problem.rank:
            self.offer(done)
        self.note(kind, done.objective, done.history.get("objective"))
        return done

    def note(
        self,
        event: str,
        objective: float,
        values: np.ndarray | None = None,
        error: float | None = None,
    ) -> None:
        """Record an event and tell the callback."""
        row = {"event": event, "objective": float(objective), "applications": self.spent}
        if error is not None:
            row["error"] = error
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

    @property
    def target(self) -> float | None:
        """Noise level relative to h at zero; None for round-off."""
        return None if self.level == 0 else self.fraction(self.level)

    def finish(self, X: Factor, kind: str, gradient: float) -> Descent:
        """Levenberg–Marquardt at the problem's own rank."""
        cost = 3 + self.problem.operator.jacobian_cost(X.shape[1])
        stop = self.stop(gradient, self.target, cost)
        return self.descend(X, stop, kind, LevenbergMarquardt(), shared=False)

    @property
    def small(self) -> bool:
        """Whether Levenberg–Marquardt is affordable, and no method was asked for."""
        return self.method is None and can_finish(self.problem)

    def local(self, X: Factor, kind: str, gradient: float = STUCK) -> Descent:
        """Descend to round-off, the noise level, or a stationary point."""
        stop = self.stop(gradient, self.target)
        done = self.descend(X, stop, kind, self.method or LBFGS())
        if not done.success and self.small and self.left > 3 * X.size:
            done = self.finish(done.X, "finish", gradient)
        return done

    def begin(
        self,
        X: Factor,
        start: str,
        applications: int,
        values: np.ndarray | None = None,
        error: float | None = None,
        hopeless: float = HOPELESS,
    ) -> Descent:
        """Local solve from what a start handed over.

        ``values`` are those of h on its way, or ``error`` its own estimate of how far it is.
        """
        self.spent += applications
        self.latest = X
        self.size = max(self.size, float(np.linalg.norm(X)))
        reached = math.nan if values is None or not values.size else float(values[-1])
        self.note(f"start {start}", reached, values if self.trace else None, error)
        return self.attempt(X, "descent", hopeless, later=True)

    def polish(self, X: Factor, gradient: float, *, near: bool) -> Factor:
        """Descend as far as it goes, whatever the noise level and (by a little) the budget."""
        self.callback, self.level = None, 0.0
        self.budget = self.spent + max(POLISH, self.budget // 10)
        go = self.finish if near and self.small else self.local
        return go(X, "polish", gradient).X

    def converge(self, X: Factor, gradient: float = STUCK) -> Descent:
        """Go on from near a stationary point, for at most :data:`CONVERGE` applications."""
        budget = self.budget
        self.budget = min(budget, self.spent + CONVERGE)
        try:
            if self.small:
                return self.finish(X, "converge", gradient)
            return self.local(X, "converge", gradient)
        finally:
            self.budget = budget

    def waits(self, done: Descent) -> bool:
        """Whether a local solve was left to :meth:`converge_best`."""
        return any(done is other for other in self.waiting)

    def converge_best(self) -> Descent:
        """Converge the lowest of the points left to later, and of them all return the best."""
        waiting, self.waiting = sorted(self.waiting, key=lambda done: done.objective), []
        kept: list[Factor] = []
        for done in waiting:
            near = any(_same(done.X, X) for X in kept)
            if len(kept) < MOST_WAITING and done.objective < PROMISING * self.least and not near:
                kept.append(done.X)
                if self.converge(done.X).status == FITTED:
                    break
        assert self.best is not None
        return self.converge(self.best)

    def attempt(
        self, X: Factor, kind: str, hopeless: float = HOPELESS, *, later: bool = False
    ) -> Descent:
        """Local solve that is given up early where it is hopeless, unless it could be the best.

        Parameters
        ----------
        X : array of shape (n, r)
        kind : str
        hopeless : float
            ‖∇h‖ ‖X‖ / h at which it is given up; below :data:`HOPELESS` the start is a poor one,
            and Levenberg–Marquardt comes only after L-BFGS.
        later : bool
            Whether one that could be the best may wait for :meth:`converge_best`.
        """
        if self.method is not None:
            return self.local(X, kind)
        least = self.least
        if self.small and hopeless >= HOPELESS:
            done = self.finish(X, kind, hopeless)
        elif self.small:
            stop = self.stop(hopeless, max(NEAR, self.target or 0))
            done = self.descend(X, stop, kind, LBFGS())
            if done.status == FITTED:
                done = self.finish(done.X, "finish", hopeless)
        else:
            # Levenberg–Marquardt's limits hold for L-BFGS only where they are the low ones.
            stop = self.stop(min(hopeless, HOPELESS), self.target)
            done = self.descend(X, stop, kind, LBFGS())
        if done.status == STATIONARY and done.objective < PROMISING * least:
            if not later or self.level > 0:
                return self.converge(done.X)
            self.waiting.append(done)
        return done

    def fraction(self, level: float) -> float:
        """``level`` of h relative to h at zero, as :class:`Stop` takes it."""
        return level / self.full if self.full > 0 else 0.0

    def settle(
        self, X: Float[np.ndarray, "n p"], fraction: float, kind: str
    ) -> Float[np.ndarray, "n r"]:
        """Descend in a wide factor to a fraction of h(0), then truncate to the rank."""
        wide = self.descend(X, self.stop(STUCK, fraction), kind, self.method or LBFGS())
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
