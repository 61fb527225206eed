"""Book-keeping of one recovery: what was spent, tried and found; its local solves."""

import dataclasses
import functools
import math
import time
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from liftless.account import Account
from liftless.certificate import first_order
from liftless.certificate.resolution import LARGEST, resolution
from liftless.certificate.units import Units
from liftless.descent import (
    LBFGS,
    Descent,
    LevenbergMarquardt,
    Method,
    Stop,
    WhitenedLM,
    descend,
)
from liftless.descent.loop import FITTED, LEVEL, RUNNING, STALLED, STATIONARY
from liftless.descent.watched import descend_watched
from liftless.escape import Candidate
from liftless.linalg import OutOfTime
from liftless.problem import Problem
from liftless.recovery.agreement import Ends
from liftless.recovery.policy import Policy
from liftless.recovery.prices import can_finish, step_price
from liftless.start import HOPELESS, HOPELESS_POOR, Allowance, Begun, Start
from liftless.start.belief import Completion

Factor = Float[np.ndarray, "n r"]

#: Multiply-adds of a local solve from which it is looked after, and those between two looks: about
#: a second.
LONG, CHUNK_WORK = 2e10, 1e9
#: Seconds between two signs of life, and between two rows of the progress inside a start.
SIGN, OFTEN = 2.0, 1.0


class Stopped(Exception):
    """The callback asked for an end."""


class Effort:
    """What one recovery has done so far, and the best point."""

    def __init__(
        self,
        problem: Problem,
        account: Account,
        *,
        method: Method | None = None,
        policy: Policy | None = None,
        callback: Callable[[dict], None] | None = None,
        trace: bool = False,
        level: float = 0.0,
        units: Units | None = None,
    ) -> None:
        self.problem = problem
        self.account = account
        self.method = method
        self.policy = policy or Policy()
        self.callback = callback
        self.trace = trace
        self.level = level
        self.units = units
        self.iterations = 0
        self.events: list[dict] = []
        self.escapes: list[Candidate] = []
        self.rounds = self.probes = 0
        self.ended_as = RUNNING
        self.ending = False
        self.told = time.perf_counter()
        self.waiting: list[Descent] = []
        self.best: Factor | None = None
        self.latest: Float[np.ndarray, "n p"] | None = None
        self.least = self.slope = math.inf
        self.allowance = Allowance(problem, account, progress=self.progress)
        self.completion: Completion | None = None
        over, rank = self.allowance.width, problem.rank
        small = problem.n * over <= self.policy.shared_width
        self.width = max(over, rank + 2) if small else rank
        self.allowance.padded = self.width
        self.allowance.progress = lambda _: self.alive()
        self.ends = Ends(self.space, self.policy)

    @property
    def space(self):
        """What the factor stands for."""
        return self.problem.operator.space

    @functools.cached_property
    def full(self) -> float:
        """H at zero, over the least that any measurements could reach."""
        return first_order(self.problem, np.zeros((self.problem.n, self.problem.rank))).full

    @property
    def target(self) -> float:
        """Noise level relative to h at zero; NaN for round-off."""
        return self.fraction(self.level) if self.level > 0 else math.nan

    def fraction(self, level: float) -> float:
        """``level`` of h relative to h at zero, as :class:`Stop` takes it."""
        return level / self.full if self.full > 0 else 0.0

    @functools.cached_property
    def small(self) -> bool:
        """Whether Levenberg–Marquardt is affordable, and no method was asked for."""
        return self.method is None and can_finish(self.problem)

    @functools.cached_property
    def digits(self) -> float:
        """H that the last digits of b explain; 0 where they are full."""
        used = np.asarray(self.problem.weights) != 0
        half = resolution(np.asarray(self.problem.b)[used]) if self.problem.loss.quadratic else None
        if half is None:
            return 0.0
        return min(
            float(np.sum(np.asarray(self.problem.omega)[used] * half**2)), LARGEST * self.full
        )

    @functools.cached_property
    def usual(self) -> Method:
        """Local method of a problem too large for normal matrices, and of a poor start.

        For single entries conjugate gradients on whitened unknowns, whose blocks they have.
        """
        entries = self.problem.loss.quadratic and self.problem.operator.entries() is not None
        return WhitenedLM() if entries and not can_finish(self.problem) else LBFGS()

    @property
    def noisy(self) -> bool:
        """Whether a completion found that what its fit leaves is noise."""
        return self.completion is not None and self.completion.end == "noise"

    # -- what happened ------------------------------------------------------------------------

    def note(
        self,
        event: str,
        objective: float,
        values: np.ndarray | None = None,
        error: float | None = None,
        columns: int | None = None,
    ) -> None:
        """Add a row to the history, and tell the callback."""
        row = {
            "event": event,
            "objective": float(objective),
            "applications": self.account.applications,
        }
        if columns is not None and columns > self.problem.rank:
            row["columns"] = columns
        if error is not None:
            row["error"] = error
        if values is not None:
            row["values"] = values
        if self.units is not None:
            row = self.units.row(row)
        self.events.append(row)
        self._tell(row)

    def _tell(self, row: dict) -> None:
        self.told = time.perf_counter()
        if self.callback is not None:
            try:
                self.callback(row)
            except StopIteration:
                if not self.ending:
                    raise Stopped from None

    def going(self, row: dict | None = None) -> bool:
        """Whether time is left; every two seconds a sign of life for the callback."""
        now = time.perf_counter()
        if self.callback is not None and now - self.told >= SIGN:
            h = math.nan if row is None else row["objective"]
            h = h if self.units is None else self.units.back(h, h=1)
            spent = self.account.applications
            self._tell({"event": "working", "objective": h, "applications": spent})
        return not self.account.late

    def alive(self) -> None:
        """Look at the clock inside a start; :class:`OutOfTime` where time is over."""
        if not self.going():
            raise OutOfTime

    def product(self) -> None:
        """Book a product of a matrix-free eigenproblem; :class:`OutOfTime` where time is over."""
        self.account.charge(2, 1)
        self.alive()

    def progress(self, row: dict) -> None:
        """Tell the callback how far a start is, once a second; nothing depends on it."""
        if time.perf_counter() - self.told < OFTEN:
            return
        event = f"{row['event']} after {row['sweeps']} sweeps"
        spent = self.account.applications
        told = {"event": event, "objective": math.nan, "applications": spent}
        self._tell({**told, "error": row["misfit"]})

    def offer(self, done: Descent) -> None:
        """Keep the best point of the problem's own rank; of equals the more stationary one."""
        if not math.isfinite(done.objective) and self.best is not None:
            return
        level = self.least * (1 + math.copysign(LEVEL, self.slope - done.gradient_norm))
        if self.best is None or done.objective < level:
            self.best, self.least, self.slope = done.X, done.objective, done.gradient_norm

    def answer(self) -> Factor:
        """Best point so far; before there is one, what the wide descent had, truncated."""
        if self.best is not None:
            return self.best
        if self.latest is not None:
            return self.space.truncate(self.latest, self.problem.rank)
        return np.zeros((self.problem.n, self.problem.rank))

    # -- starts -------------------------------------------------------------------------------

    def begun(self, start: Start, begun: Begun) -> None:
        """Book what a start spent, and note what it handed over."""
        self.account.spent += begun.spent
        self.account.applications += begun.applications or 0
        self.latest = begun.X
        if begun.completion is not None:
            self.completion = begun.completion
        self.allowance.size = max(self.allowance.size, float(np.linalg.norm(begun.X)))
        values = begun.values
        reached = math.nan if values is None or not values.size else float(values[-1])
        self.note(f"start {start}", reached, values if self.trace else None, begun.error)

    # -- local solves -------------------------------------------------------------------------

    def descend(
        self,
        X: Float[np.ndarray, "n p"],
        kind: str,
        method: Method,
        gradient: float,
        objective: float = math.nan,
        *,
        shared: bool = True,
    ) -> Descent:
        """Local solve within the budget, at a shared compiled width if so wished.

        ``gradient`` and ``objective`` are the tolerances of :class:`Stop`; padding columns stay
        zero.
        """
        columns = X.shape[1]
        padding = max(0, self.width - columns) if shared else 0
        price, work = step_price(self.problem, method, columns)
        steps = self.account.steps(price, columns, work, least=0)
        level = None if math.isnan(objective) else objective
        stop = Stop(level, gradient, steps, self.allowance.size / 2)
        padded = np.pad(X, ((0, 0), (0, padding)))
        keep = "values" if self.trace else "none"
        step = price * self.account.model.ratio(columns) * self.account.model.one + work
        if math.isfinite(self.account.seconds) or step * steps > LONG:
            chunk = max(1, int(CHUNK_WORK / step))
            done = descend_watched(
                self.problem, padded, method, stop, chunk, self.going, values=self.trace
            )
        else:
            done = descend(self.problem, padded, method, stop, history=keep)
        done = dataclasses.replace(done, X=done.X[:, :columns])
        self.account.charge(done.applications, columns, done.iterations * work)
        self.iterations += done.iterations
        self.latest = done.X
        if columns == self.problem.rank:
            self.offer(done)
        values = done.history.get("objective")
        self.note(kind, done.objective, values, columns=columns)
        return done

    def reached(self, X: Factor, kind: str) -> Descent | None:
        """A factor that fits to the target as it is, without a step; else None."""
        local = first_order(self.problem, X)
        self.account.charge(2)
        level = self.problem.loss.roundoff if math.isnan(self.target) else self.target
        if not local.excess <= level * local.full:
            return None
        done = Descent(X, local.objective, local.gradient_norm, 0, FITTED, 2)
        self.latest = X
        self.offer(done)
        self.note(kind, done.objective)
        return done

    def finish(self, X: Factor, kind: str, gradient: float) -> Descent:
        """Levenberg–Marquardt at the problem's own rank."""
        method = LevenbergMarquardt()
        return self.descend(X, kind, method, gradient, self.target, shared=False)

    def local(self, X: Factor, kind: str, gradient: float) -> Descent:
        """Descend to round-off, the noise level, or a stationary point."""
        return self.ended(
            self.descend(X, kind, self.method or self.usual, gradient, self.target), gradient
        )

    def ended(self, done: Descent, gradient: float | None = None) -> Descent:
        """Go on with Levenberg–Marquardt where a solve ended short of both tolerances."""
        if not done.success and self.small and self.account.left > 3 * done.X.size:
            level = self.policy.stuck if gradient is None else gradient
            done = self.finish(done.X, "finish", level)
        return done

    def attempt(
        self, X: Factor, kind: str, hopeless: float = HOPELESS, *, later: bool = False
    ) -> Descent:
        """Local solve that is given up early where it is hopeless, unless it could be the best.

        Parameters
        ----------
        X : array of shape (n, r)
        kind : str
        hopeless : float
            ‖∇h‖ ‖X‖ / h at which it is given up, 0 for never; below :data:`HOPELESS` the start is a
            poor one, and Levenberg–Marquardt comes only after L-BFGS.
        later : bool
            Whether one that could be the best may wait for :meth:`converge_best`.
        """
        policy = self.policy
        if self.method is not None or hopeless == 0:
            method = self.method or self.usual
            return self.ended(self.descend(X, kind, method, policy.stuck, self.target))
        least = self.least
        if self.small and hopeless >= HOPELESS:
            method = LevenbergMarquardt()
            done = self.descend(X, kind, method, hopeless, self.target, shared=False)
        elif self.small:
            near = max(policy.near, 0.0 if math.isnan(self.target) else self.target)
            done = self.descend(X, kind, LBFGS(), hopeless, near)
            if done.status == FITTED:
                done = self.finish(done.X, "finish", hopeless)
        else:
            # Levenberg–Marquardt's limits hold for L-BFGS only where they are the low ones.
            done = self.descend(X, kind, self.usual, min(hopeless, HOPELESS), self.target)
        if done.status == STATIONARY and done.objective < policy.promising * least:
            if not later or self.level > 0:
                return self.converge(done.X)
            self.waiting.append(done)
        return done

    def probe(self, X: Factor) -> Descent:
        """Local solve as far as to tell whether it ends at the best matrix so far."""
        if not self.small:
            return self.local(X, "probe", self.policy.stuck)
        done = self.finish(X, "probe", HOPELESS_POOR)
        low = done.objective < self.policy.promising * self.least
        if done.status != STATIONARY or not low or self.at_best(done.X):
            return done
        return self.converge(done.X)

    def at_best(self, X: Factor) -> bool:
        """Whether the matrix is the best one so far."""
        assert self.best is not None
        near = self.policy.agree_near * self.space.size(self.best)
        return self.space.distance(X, self.best) <= near

    def converge(self, X: Factor, steps: float = math.inf) -> Descent:
        """Go on from near a stationary point, for a limited work, or so many costly steps."""
        go = self.finish if self.small else self.local
        most = float(self.policy.converge)
        if self.small and math.isfinite(steps):
            price, work = step_price(self.problem, LevenbergMarquardt(), X.shape[1])
            most = min(most, steps * (price + self.account.model.of(work)))
        with self.account.within(most):
            return go(X, "converge", self.policy.stuck)

    def waits(self, done: Descent) -> bool:
        """Whether a local solve was left to :meth:`converge_best`."""
        return any(done is other for other in self.waiting)

    def converge_best(self) -> Descent:
        """Converge the lowest of the points left to later, and of them all return the best."""
        waiting, self.waiting = sorted(self.waiting, key=lambda done: done.objective), []
        kept: list[Factor] = []
        for done in waiting:
            near = any(self._same(done.X, X) for X in kept)
            low = done.objective < self.policy.promising * self.least
            if len(kept) < self.policy.most_waiting and low and not near:
                kept.append(done.X)
                if self.converge(done.X).status == FITTED:
                    break
        assert self.best is not None
        return self.converge(self.best)

    def _same(self, X: Factor, Y: Factor) -> bool:
        """Whether two points are of one basin, by their matrices."""
        return self.space.distance(X, Y) <= self.policy.same * self.space.size(Y)

    def settle(
        self, X: Float[np.ndarray, "n p"], fraction: float, kind: str
    ) -> Float[np.ndarray, "n r"]:
        """Descend in a wide factor to a fraction of h(0), then truncate to the rank."""
        wide = self.descend(X, kind, LBFGS(), self.policy.stuck, fraction)
        return self.space.truncate(wide.X, self.problem.rank)

    def polish(self, X: Factor, *, near: bool) -> None:
        """Descend as far as it goes, whatever the noise level and (by a little) the budget."""
        self.callback, self.level = None, 0.0
        account, policy = self.account, self.policy
        # The certificate after it is charged as well.
        share = max(0.0, policy.polish * account.budget - 4)
        with account.beyond(max(share, min(policy.polish_left, account.left))):
            done = None
            if near and self.small:
                # Where the minimum is degenerate it does not get there: something is kept.
                with account.within(account.left / 4):
                    done = self.finish(X, "polish", policy.polished)
            if done is None or not (done.success or done.status == STALLED):
                done = self.local(self.answer(), "polish", self.policy.polished)
        self.ended_as = done.status
