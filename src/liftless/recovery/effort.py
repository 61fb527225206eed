"""Book-keeping of one recovery: what was spent, tried and found; its local solves."""

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from liftless.account import Account
from liftless.carried import CarriedProblem, carried_problem
from liftless.certificate import first_order
from liftless.certificate.resolution import LARGEST, resolution
from liftless.certificate.units import Units
from liftless.cost import POINT, STEP
from liftless.descent import LBFGS, Descent, LevenbergMarquardt, Method, Stop, WhitenedLM
from liftless.descent.loop import FITTED, RUNNING, STALLED, STATIONARY
from liftless.descent.prices import step_price, within
from liftless.descent.run import LEVEL
from liftless.descent.watched import descend_as
from liftless.escape import Candidate
from liftless.linalg import OutOfTime
from liftless.problem import Problem
from liftless.recovery.agreement import Ends
from liftless.recovery.policy import Policy
from liftless.recovery.prices import Reserve, finishes
from liftless.recovery.telling import Telling
from liftless.start import HOPELESS, HOPELESS_POOR, START_COST, Allowance, Begun, Start
from liftless.start.base import LONG
from liftless.start.belief import Completion

Factor = Float[np.ndarray, "n r"]

#: The finish of small problems.
LEVENBERG = LevenbergMarquardt()


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
        checkpoint: Callable[[Factor], None] | None = None,
        precision: str = "float64",
    ) -> None:
        self.checkpoint = checkpoint
        self.problem = problem
        self.account = account
        self.method = method
        self.policy = policy or Policy()
        self.reserve = Reserve(problem, account)
        self.telling = Telling(account, problem.rank, callback, units)
        self.trace = trace
        self.level = level
        self.units = units
        self.iterations = 0
        self.escapes: list[Candidate] = []
        self.rounds = self.probes = 0
        self.ended_as = RUNNING
        self.waiting: list[Descent] = []
        self.best: Factor | None = None
        self.latest: Float[np.ndarray, "n p"] | None = None
        self.least = self.slope = math.inf
        self.allowance = Allowance(
            problem, account, progress=self.telling.swept, going=self.telling.going
        )
        self.allowance.precision = precision
        self.completion: Completion | None = None
        over, rank = self.allowance.width, problem.rank
        small = problem.n * over <= self.policy.shared_width
        self.width = max(over, rank + 2) if small else rank
        self.allowance.padded = self.width
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
        return self.method is None and finishes(self.problem, self.account)

    @property
    def newton(self) -> bool:
        """Whether Levenberg–Marquardt is affordable, and what is left pays for a step of it."""
        return self.small and self.pays(LEVENBERG, self.problem.rank)

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
        return WhitenedLM() if entries and not finishes(self.problem, self.account) else LBFGS()

    @property
    def noisy(self) -> bool:
        """Whether a completion found that what its fit leaves is noise."""
        return self.completion is not None and self.completion.end == "noise"

    # -- the books ----------------------------------------------------------------------------

    def product(self, work: float | int = 0) -> None:
        """Book a product of an eigenproblem, or the work of a dense one, before it is begun.

        :class:`OutOfTime` where the time is over, or where it would take what the end needs.
        """
        # A dense one is done before the clock is looked at again.
        going = bool(work) or self.telling.going()
        point = self.best is not None or self.telling.ending
        held = 0.0 if point else START_COST + POINT
        held += 0.0 if self.telling.ending else self.reserve.judging
        if not going or not self.reserve.pays(work, held):
            raise OutOfTime
        self.account.charge(0 if work else 2, 1, work)

    def offer(self, done: Descent) -> None:
        """Keep the best point of the problem's own rank; of equals the more stationary one."""
        if not math.isfinite(done.objective) and self.best is not None:
            return
        level = self.least * (1 + math.copysign(LEVEL, self.slope - done.gradient_norm))
        if self.best is None or done.objective < level:
            self.best, self.least, self.slope = done.X, done.objective, done.gradient_norm
            if self.checkpoint is not None and np.any(done.X):
                self.checkpoint(done.X if self.units is None else self.units.outside(done.X))

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
        self.telling.note(f"start {start}", reached, values if self.trace else None, begun.error)

    @functools.cached_property
    def carried(self) -> CarriedProblem | None:
        """The problem in whose unknowns L-BFGS takes two applications a step, if there is one."""
        return carried_problem(self.problem)

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
        """Local solve within the budget, at a shared compiled width; padding columns stay zero.

        ``gradient`` and ``objective`` are the tolerances of :class:`Stop`.
        """
        account, columns = self.account, X.shape[1]
        padding = max(0, self.width - columns) if shared else 0
        ratio = account.model.ratio(columns)
        price, work = step_price(self.problem, method, columns)
        method, least = within(method, max(account.left / ratio, POINT + STEP), columns)
        most = account.steps(least if work == 0 else price, columns, work, first=POINT, least=0)
        level = None if math.isnan(objective) else objective
        room = account.room(ratio, least)
        aim, unit, padded = self.problem, 1.0, np.pad(X, ((0, 0), (0, padding)))
        carried = self.carried if isinstance(method, LBFGS) else None
        if carried is not None:
            aim, unit, padded = carried, carried.unit, np.asarray(carried.inside(padded))
        stop = Stop(level, gradient, most, unit * self.allowance.size / 2, room)
        step = price * ratio * account.model.one + work
        how = "float64" if isinstance(method, LevenbergMarquardt) else self.allowance.precision
        long = math.isfinite(account.seconds) or step * most > LONG
        go = self.telling.going if long else None
        done = descend_as(aim, padded, method, stop, go, values=self.trace, precision=how)
        self.allowance.rough += done.rough
        ended = done.X if carried is None else np.asarray(carried.outside(done.X))
        done = dataclasses.replace(done, X=ended[:, :columns])
        account.charge(done.applications, columns, done.iterations * work)
        self.iterations += done.iterations
        self.latest = done.X
        if columns == self.problem.rank:
            self.offer(done)
        values = done.history.get("objective")
        self.telling.note(kind, done.objective, values, columns=columns)
        return done

    def pays(self, method: Method, columns: int) -> bool:
        """Whether what is left pays for a point, and one step of a method."""
        price, work = step_price(self.problem, method, columns)
        price = min(price, within(method, self.account.budget, columns)[1]) if work == 0 else price
        return self.account.steps(price, columns, work, first=POINT, least=0) > 0

    def reached(self, X: Factor, kind: str) -> Descent | None:
        """A factor that fits to the target as it is, without a step; else None."""
        local = first_order(self.problem, X)
        self.account.charge(POINT)
        level = self.problem.loss.roundoff if math.isnan(self.target) else self.target
        if not local.excess <= level * local.full:
            return None
        done = Descent(X, local.objective, local.gradient_norm, 0, FITTED, POINT)
        self.latest = X
        self.offer(done)
        self.telling.note(kind, done.objective)
        return done

    def finish(self, X: Factor, kind: str, gradient: float) -> Descent:
        """Levenberg–Marquardt at the problem's own rank."""
        return self.descend(X, kind, LEVENBERG, gradient, self.target, shared=False)

    def local(self, X: Factor, kind: str, gradient: float) -> Descent:
        """Descend to round-off, the noise level, or a stationary point."""
        return self.ended(
            self.descend(X, kind, self.method or self.usual, gradient, self.target), gradient
        )

    def ended(self, done: Descent, gradient: float) -> Descent:
        """Go on with Levenberg–Marquardt where a solve ended short of both tolerances."""
        if not done.success and self.account.left > 3 * done.X.size and self.newton:
            done = self.finish(done.X, "finish", gradient)
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
            return self.local(X, kind, policy.stuck)
        least = self.least
        if hopeless >= HOPELESS and self.newton:
            done = self.finish(X, kind, hopeless)
        elif self.newton:
            near = max(policy.near, 0.0 if math.isnan(self.target) else self.target)
            done = self.descend(X, kind, LBFGS(), hopeless, near)
            if done.status == FITTED:
                # Near, that is; where no step of the other method is left to pay, on as before.
                go = self.finish if self.newton else self.local
                done = go(done.X, "finish", hopeless)
        else:
            # Levenberg–Marquardt's limits hold for L-BFGS only where they are the low ones.  What
            # was completed with noise is near its end, or near a valley without one.
            valley = self.noisy and self.level == 0
            with self.account.within(policy.converge if valley else math.inf):
                done = self.descend(X, kind, self.usual, min(hopeless, HOPELESS), self.target)
        if done.status == STATIONARY and done.objective < policy.promising * least:
            if not later or self.level > 0:
                return self.converge(done)
            self.waiting.append(done)
        return done

    def probe(self, X: Factor) -> Descent:
        """Local solve as far as to tell whether it ends at the best matrix so far."""
        if not self.newton:
            return self.local(X, "probe", self.policy.stuck)
        done = self.finish(X, "probe", HOPELESS_POOR)
        low = done.objective < self.policy.promising * self.least
        if done.status != STATIONARY or not low or self.at_best(done.X):
            return done
        return self.converge(done)

    def at_best(self, X: Factor) -> bool:
        """Whether the matrix is the best one so far."""
        assert self.best is not None
        near = self.policy.agree_near * self.space.size(self.best)
        return self.space.distance(X, self.best) <= near

    def converge(self, done: Descent, steps: float = math.inf) -> Descent:
        """Go on from a solve's end near a stationary point, for a limited work or so many steps."""
        small, rank = self.small, self.problem.rank
        method = LEVENBERG if small else self.method or self.usual
        most = float(self.policy.converge)
        if small and math.isfinite(steps):
            price, work = step_price(self.problem, method, rank)
            most = min(most, steps * (price + self.account.model.of(work)))
        with self.account.within(most):
            if not self.pays(method, rank):
                return done
            go = self.finish if small else self.local
            return go(done.X, "converge", self.policy.stuck)

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
                if self.converge(done).status == FITTED:
                    break
        assert self.best is not None
        return self.converge(Descent(self.best, self.least, self.slope, 0, RUNNING, 0))

    def _same(self, X: Factor, Y: Factor) -> bool:
        """Whether two points are of one basin, by their matrices."""
        return self.space.distance(X, Y) <= self.policy.same * self.space.size(Y)

    def settle(
        self, X: Float[np.ndarray, "n p"], fraction: float, kind: str
    ) -> Float[np.ndarray, "n r"]:
        """Descend in a wide factor to a fraction of h(0), then truncate to the rank."""
        if self.pays(LBFGS(), X.shape[1]):
            X = self.descend(X, kind, LBFGS(), self.policy.stuck, fraction).X
        return self.space.truncate(X, self.problem.rank)

    def polish(self, X: Factor, *, near: bool) -> bool:
        """Descend as far as it goes, whatever the noise level and (by a little) the budget.

        Whether there was anything to do it with, beside the certificate that comes after it.
        """
        self.level = 0.0
        account, policy, rank = self.account, self.policy, self.problem.rank
        left = min(max(policy.polish_left, account.left / 3), account.left)
        share = max(policy.polish * account.budget, left)
        with account.beyond(min(share, account.ceiling - account.spent - self.reserve.judging)):
            usual = self.method or self.usual
            newton = near and self.newton
            if not (newton or self.pays(usual, rank)):
                return False
            done = None
            if newton:
                # Where the minimum is degenerate it does not get there: something is kept.
                with account.within(account.left / 4):
                    done = self.finish(X, "polish", policy.polished)
            ended = done is not None and (done.success or done.status == STALLED)
            if done is None or not (ended or not self.pays(usual, rank)):
                done = self.local(self.answer(), "polish", self.policy.polished)
        self.ended_as = done.status
        return True
