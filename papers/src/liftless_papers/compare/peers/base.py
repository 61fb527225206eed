"""What a peer is, what it hands back, and the book-keeping all peers share."""

import abc
import importlib
import math
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InvalidInput
from liftless._precision import double, on_device
from liftless.account import Account
from liftless.certificate import first_order
from liftless.cost import CostModel
from liftless.descent import LBFGS, Descent, LevenbergMarquardt, Method, Stop, descend
from liftless.descent.loop import FITTED
from liftless.problem import Problem
from liftless.recovery import finishes, step_price
from liftless.start import random_start, spectral_start

#: Applications of a random start (the line that sizes it) and of a spectral one (A*(b) on top).
RANDOM_COST, SPECTRAL_COST = 3, 4
#: Least budget a method can do anything with.
LEAST_BUDGET = 10
#: ‖∇h‖ ‖X‖ / h at which a local solve counts as stuck.
STUCK = 1e-4
#: Round-off in the last check of success, relative to the level.
SLACK = 1e-6


@dataclass(frozen=True)
class Attempt:
    """What a peer hands back.

    Attributes
    ----------
    X : array of shape (n, r)
        The best factor it found.
    objective : float
        h at ``X``.
    success : bool
        Whether the excess of h is at most ``target`` times that at X = 0, or h at most ``level``.
    applications : int
        Applications of A or A* to one matrix.
    seconds : float
        Wall time, compilation included where this call compiles.
    starts : int
        Starts that were used.
    message : str
        Why it ended.
    lsqr : int
        Iterations of LSQR, or of conjugate gradients on the normal equations, among them.
    """

    X: Float[np.ndarray, "n r"]
    objective: float
    success: bool
    applications: int
    seconds: float
    starts: int
    message: str
    lsqr: int = 0


class Peer(abc.ABC):
    """A way to solve a recovery problem, behind one interface.

    A subclass is final, a frozen dataclass whose fields are its hyper-parameters with defaults,
    and defines :meth:`search`.

    Attributes
    ----------
    name, title : str
        Name in :data:`liftless_papers.compare.peers.PEERS`, and a few words for tables.
    needs : str or None
        Extra of the package to install, ``peers`` or none.
    packages : tuple of str
        What it imports from that extra.
    most_n : int or None
        Largest order of the unknown matrix that it takes on.
    families : tuple of str or None
        Families of cells that it is for; None for all.
    compiles : bool
        Whether a first solve at a new shape takes longer than a second.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[str | None] = None
    packages: ClassVar[tuple[str, ...]] = ()
    most_n: ClassVar[int | None] = None
    families: ClassVar[tuple[str, ...] | None] = None
    compiles: ClassVar[bool] = True

    @double
    def solve(
        self,
        problem: Problem,
        *,
        budget: int,
        seed: int,
        target: float = 1e-20,
        level: float = 0.0,
        seconds: float = math.inf,
    ) -> Attempt:
        """Search until the data are fitted, or the budget or the time is spent.

        Parameters
        ----------
        problem : Problem
        budget : int
            Applications of A or A* to one matrix, at least 10.
        seed : int
            Decides every random number; not the seed of the instance's own draws.
        target : float
            Done when the excess of h is at most this fraction of its value at X = 0.
        level : float
            Done when h itself is at most this: for noisy measurements; 0 for none.
        seconds : float
            No new local solve begins after this time.

        Returns
        -------
        Attempt
            The same for the same arguments, but for the seconds (and what a limit on them cuts).

        Raises
        ------
        InvalidInput
            A bad argument, a problem of a kind or size that the peer cannot take, or a package
            that is not installed.
        """
        self.check(problem)
        effort = Effort(problem, budget, seed, target, level, seconds)
        message = "" if effort.fitted else self.search(effort)
        return effort.attempt(message)

    def check(self, problem: Problem) -> None:
        """Raise :class:`InvalidInput` unless the peer can take this problem, here and now."""
        for package in self.packages:
            load(self.name, package)
        if self.most_n is not None and problem.n > self.most_n:
            must, cure = f"at most {self.most_n} for {self.name}", "Use a method on factors."
            raise InvalidInput("n", problem.n, must, cure)
        self.accept(problem)

    def accept(self, problem: Problem) -> None:  # noqa: B027
        """Raise :class:`InvalidInput` for a problem outside the method; any problem by default."""

    @abc.abstractmethod
    def search(self, effort: "Effort") -> str:
        """Spend the effort; an empty string, or a message that explains the end."""


def load(name: str, package: str) -> ModuleType:
    """Import an optional package, or say how to get it."""
    try:
        return importlib.import_module(package)
    except ImportError:
        cure = "Install it with: pip install 'liftless[peers]'"
        was = f"{name!r}, which needs the package {package.partition('.')[0]}"
        raise InvalidInput("method", was, "one whose packages are installed", cure) from None


class Effort:
    """What one call of a peer may spend, what it has spent, and the best point so far."""

    def __init__(
        self,
        problem: Problem,
        budget: int,
        seed: int,
        target: float,
        level: float,
        seconds: float,
    ) -> None:
        if not isinstance(problem, Problem):
            raise InvalidInput("problem", describe(problem), "a Problem")
        budget = positive_int("budget", budget, least=LEAST_BUDGET)
        self.seed = positive_int("seed", seed, least=0)
        self.seconds = (
            seconds if seconds == math.inf else real_number("seconds", seconds, above=0.0)
        )
        self.original = problem
        self.problem = on_device(problem)
        self.best = np.zeros((problem.n, problem.rank))
        zero = first_order(self.problem, self.best)
        self.full = zero.excess
        # h and its excess differ by a constant, which is zero for the squared loss.
        self.floor = zero.objective - zero.excess
        noisy = real_number("level", level, least=0.0) - self.floor
        self.goal = max(real_number("target", target, least=0.0) * zero.excess, noisy)
        self.least = zero.objective
        self.fitted = zero.excess <= self.goal
        model = CostModel(problem.operator, problem.rank)
        self.account = Account(model, budget, self.seconds)
        self.size = 0.0
        self.starts = 0
        self.lsqr = 0

    # -- limits -------------------------------------------------------------------------------

    @property
    def over(self) -> bool:
        """Whether there is nothing left to do, or to spend."""
        return self.fitted or self.account.left < LEAST_BUDGET

    # -- starts -------------------------------------------------------------------------------

    def draw(self) -> int:
        """Seed of the present start, unrelated to that of any instance or other start."""
        words = np.random.SeedSequence([self.seed, self.starts, 0x11F7]).generate_state(2)
        return int(words[0]) << 32 | int(words[1])

    def start(
        self, *, spectral: bool, width: int | None = None, size: float = 1.0
    ) -> Float[np.ndarray, "n w"]:
        """Return the next start: spectral if it is the first and that is asked for, else random.

        A spectral start that is zero (then zero is the optimum) gives way to a random one.
        """
        columns = self.problem.rank if width is None else width
        first = spectral and self.starts == 0
        self.starts += 1
        if first:
            self.account.charge(SPECTRAL_COST, columns)
            X = spectral_start(self.problem, columns)
            if np.any(X):
                self.size = max(self.size, float(np.linalg.norm(X)))
                return X
        self.account.charge(RANDOM_COST, columns)
        X = random_start(self.problem, columns, self.draw(), size=size)
        # A small start is not stuck merely because it is small: the rule looks as far as this.
        self.size = max(self.size, float(np.linalg.norm(X)) / size)
        return X

    # -- local solves -------------------------------------------------------------------------

    def local(self, X: Float[np.ndarray, "n r"], method: Method | None = None) -> Descent:
        """Descend to the goal or a stationary point, and keep the point if it is the best.

        By default L-BFGS with the exact step, and Levenberg–Marquardt where that ends in round-off
        short of both.
        """
        done = self.descend(X, LBFGS() if method is None else method, self.goal)
        able = method is None and finishes(self.problem, self.account)
        ended = done.success or not math.isfinite(done.objective)
        if able and not ended and self.account.left > 3 * X.size:
            done = self.descend(done.X, LevenbergMarquardt(), self.goal)
        return done

    def settle(self, X: Float[np.ndarray, "n w"], fraction: float) -> Float[np.ndarray, "n r"]:
        """Descend in a wide factor to a fraction of h at zero, then truncate to the rank."""
        wide = self.descend(X, LBFGS(), fraction * self.full)
        return self.problem.operator.space.truncate(wide.X, self.problem.rank)

    def descend(
        self,
        X: Float[np.ndarray, "n w"],
        method: Method,
        goal: float,
        gradient: float = STUCK,
        price: int | None = None,
    ) -> Descent:
        """Run a method within the budget; ``price`` is a step's, if not L-BFGS's or LM's."""
        columns = X.shape[1]
        usual, work = step_price(self.problem, method, columns)
        price = usual if price is None else price
        # Two applications evaluate the start, and two the lowest point where it is not the last.
        steps = self.account.steps(price, columns, work, first=4, least=0)
        stop = Stop(goal / self.full, gradient, steps, self.size / 2)
        done = descend(self.problem, X, method, stop)
        self.account.charge(done.applications, columns, done.iterations * work)
        if X.shape[1] == self.problem.rank:
            reached = done.status == FITTED and goal <= self.goal
            self.offer(done.X, done.objective, fitted=reached)
        return done

    def offer(self, X: Float[np.ndarray, "n r"], objective: float, *, fitted: bool) -> None:
        """Keep a point of the problem's rank if it is lower than the best."""
        self.fitted = self.fitted or fitted
        if math.isfinite(objective) and (objective < self.least or fitted):
            self.best, self.least = np.array(X), objective

    def evaluate(self, X: Float[np.ndarray, "n r"]) -> None:
        """Evaluate a point of the problem's rank, which is not booked, and offer it."""
        h = float(self.problem.objective(X))
        self.offer(X, h, fitted=h - self.floor <= self.goal)

    # -- the end ------------------------------------------------------------------------------

    def attempt(self, message: str) -> Attempt:
        """Evaluate the best point afresh, and say why the search ended."""
        seconds = self.account.elapsed
        point = first_order(self.problem, self.best)
        success = point.excess <= self.goal * (1 + SLACK)
        return Attempt(
            X=self.best,
            objective=point.objective,
            success=success,
            applications=self.account.applications,
            seconds=seconds,
            starts=self.starts,
            message=message or self._reason(success),
            lsqr=self.lsqr,
        )

    def _reason(self, success: bool) -> str:
        if success:
            return f"The data are fitted after {self.starts} start(s)."
        limit = "time" if self.account.elapsed >= self.seconds else "budget"
        return f"The {limit} ended after {self.starts} start(s); pass a larger one to go on."
