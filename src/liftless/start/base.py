"""What a start is: an object that begins a round, told what it may spend."""

import abc
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless.account import Account
from liftless.cost import CostModel, affordable_width, spectral_work
from liftless.operators import Amplitudes
from liftless.problem import Problem
from liftless.space import Hermitian
from liftless.start.simple import random_start, wide_start

Factor = Float[np.ndarray, "n r"]

#: ‖∇h‖ ‖X‖ / h at which a local solve from a good start is hopeless.  Of 193 that reached the
#: optimum none fell below 2.4 on its way, and only 5 % below 17; the others fall below 1 after
#: nine to sixteen steps of Levenberg–Marquardt.
HOPELESS = 1.0
#: The same after message passing or reflections: of 675 that reached the optimum six fell below 8
#: and three below 4.
HOPELESS_NEAR = 4.0
#: The same from a poor start, whose way leads over plateaus.
HOPELESS_POOR = 0.1
#: Applications of a start that takes one eigenproblem and a line.
START_COST = 4
#: Products that Lanczos takes at the least for a rough eigenpair.
LANCZOS = 20
#: Multiply-adds of a step from which it is looked after on its way: some seconds.
LONG = 2e10


@dataclass(frozen=True)
class Begun:
    """What a start hands over.

    Attributes
    ----------
    X : array of shape (n, k)
        At most as many columns as the problem's rank; complex where the space is Hermitian.
    spent : float
        Work, in applications of A or A* to a factor of the problem's rank.
    applications : int, optional
        Applications whatever their width; ``spent`` rounded if left out.
    error : float, optional
        The start's own estimate of the relative error of the matrix.
    values : array of shape (k,), optional
        h on the way, for a start that evaluates it.
    completion : Completion, optional
        What a completion found beside the factor: it is kept with the result.
    """

    X: Any
    spent: float | int = 0.0
    applications: int | None = None
    error: float | None = None
    values: Float[np.ndarray, " k"] | None = None
    completion: Any = None


class Allowance:
    """What a start may spend, and what the starts of one run share.

    Parameters
    ----------
    problem : Problem
    account : Account, optional
        Books of the run; without one nothing is limited.
    first : bool
        Whether this is the first round, in which starts without a Gaussian factor of their own
        begin at the spectral estimate.
    width : int, optional
        Columns of an over-parameterised start; by default :func:`affordable_width`.
    padded : int
        Width that narrower factors are padded to, so that they share compiled code; 0 for none.
    progress : callable, optional
        Called with a dictionary after every sweep of belief propagation.
    going : callable, optional
        Whether a long step is to go on, asked with a dictionary of what is known, or None.
    precision : {"float64", "mixed"}
        "mixed" where a start may compute in float32; it adds its applications there to ``rough``.
    """

    def __init__(
        self,
        problem: Problem,
        account: Account | None = None,
        *,
        first: bool = True,
        width: int | None = None,
        padded: int = 0,
        progress: Callable[[dict], None] | None = None,
        going: Callable[[dict | None], bool] | None = None,
        precision: str = "float64",
    ) -> None:
        self.problem = problem
        self.account = account or Account(CostModel(problem.operator, problem.rank))
        self.first = first
        self.width = self._affordable() if width is None else width
        self.padded = padded
        self.progress = progress
        self.going = going
        self.precision = precision
        self.rough = 0
        self.size = 0.0

    def of(self, problem: Problem) -> "Allowance":
        """The same for another problem of the same operator: what depends on the data is its own.

        Parameters
        ----------
        problem : Problem
        """
        return Allowance(
            problem,
            self.account,
            first=self.first,
            width=self.width,
            padded=self.padded,
            progress=self.progress,
            going=self.going,
            precision=self.precision,
        )

    @property
    def left(self) -> float:
        """Work that may still be spent, in applications to the problem's rank."""
        return self.account.left

    @property
    def over(self) -> bool:
        """Whether nothing is left of the work or of the time, or the caller wants an end."""
        return self.account.left <= 0 or not (self.going is None or self.going(None))

    def watching(self, work: float | int) -> bool:
        """Whether a step of so many multiply-adds is looked after on its way."""
        limited = math.isfinite(self.account.seconds)
        return self.going is not None and (limited or work > LONG)

    @property
    def eigen(self) -> float | int:
        """Work of a spectral step, in applications to the rank; at least, where by Lanczos."""
        model, n = self.account.model, self.problem.n
        work = spectral_work(n)
        return model.of(work) if work else 2 * LANCZOS * model.ratio(1)

    def _affordable(self, *, square: bool = False) -> int:
        account = self.account
        return affordable_width(self.problem, account.budget, square=square, model=account.model)

    @functools.cached_property
    def square(self) -> int:
        """As many columns as X has rows, where the budget pays for them."""
        return self._affordable(square=True)

    @functools.cached_property
    def amplitudes(self) -> Amplitudes | None:
        """The operator's amplitudes, asked for once."""
        return self.problem.operator.amplitudes()

    def wide_cost(self, width: int) -> float | int:
        """What :meth:`wide` charges."""
        fresh = 0.0 if self.first else 2 * self.account.model.ratio(width)
        if "spectral" in self.__dict__:
            return fresh
        return fresh + START_COST * self.account.model.ratio(self.width) + self.eigen

    @functools.cached_property
    def spectral(self) -> tuple[Float[np.ndarray, "n w"], float]:
        """Spectral factor of the width, and the largest eigenvalue of A*(w² b); paid for once."""
        X, top = wide_start(self.problem, self.width)
        self.account.charge(START_COST, self.width, spectral_work(self.problem.n))
        self.size = max(self.size, float(np.linalg.norm(X)))
        return X, top

    def wide(self, seed: int, width: int) -> Float[np.ndarray, "n w"]:
        """Spectral factor in the first round, a Gaussian one of a width later."""
        X, _ = self.spectral
        if self.first:
            return X
        self.account.charge(2, width)
        return random_start(self.problem, width, seed, fallback=self.size)


class Start(abc.ABC):
    """A way to begin a round.

    A subclass is final, a frozen dataclass whose fields are its hyper-parameters, and defines
    :meth:`begin`; nothing else of the library need know it.

    Attributes
    ----------
    hopeless : float
        ‖∇h‖ ‖X‖ / h at which a local solve from such a start is given up, unless it could be the
        best; below 1 the start counts as a poor one, from which the way leads over plateaus.
    """

    hopeless: float = HOPELESS

    def least(self, problem: Problem, allowance: Allowance) -> float | int:
        """Least work that it takes, in applications to the problem's rank; 0 unless overridden.

        It is not begun with less.
        """
        del problem, allowance
        return 0.0

    def suits(self, problem: Problem) -> bool:
        """Whether the start is meant for a problem; True unless overridden."""
        del problem
        return True

    @abc.abstractmethod
    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """Return where descent shall begin.

        Parameters
        ----------
        problem : Problem
        seed : int
            Of every random number.
        allowance : Allowance
            ``allowance.left`` is the work that may be spent.
        """


@dataclass(frozen=True, eq=False)
class Given(Start):
    """A factor that is given.

    Parameters
    ----------
    X : array of shape (n, r)
    """

    X: Factor
    hopeless = 0.0

    def __str__(self) -> str:
        return "given"

    def begin(self, problem: Problem, seed: int, allowance: Allowance) -> Begun:
        """Return the factor."""
        del problem, seed, allowance
        return Begun(self.X)


def checked(begun: Any, start: Start, problem: Problem) -> Begun:
    """Return what a start handed over, of the problem's width, or :class:`InvalidInput`."""
    if not isinstance(begun, Begun):
        must, cure = "a Begun", "Write: return Begun(X, spent)."
        raise InvalidInput(f"{type(start).__name__}.begin(…)", describe(begun), must, cure)
    X, space = np.asarray(begun.X), problem.operator.space
    if X.dtype.kind == "c" and isinstance(space, Hermitian) and X.shape[:1] == (space.order,):
        X = space.real(X)
    fits = X.ndim == 2 and X.shape[0] == problem.n and 1 <= X.shape[1] <= problem.rank
    if not fits or X.dtype.kind not in "fiu" or not np.isfinite(X).all():
        must = f"a finite real array of shape ({problem.n}, k), k <= {problem.rank}"
        cure = "Truncate it with problem.operator.space.truncate(X, rank)."
        was = describe(X) if not fits or X.dtype.kind not in "fiu" else "not finite"
        raise InvalidInput(f"{type(start).__name__}.begin(…).X", was, must, cure)
    X = np.pad(np.asarray(X, float), ((0, 0), (0, problem.rank - X.shape[1])))
    count = round(begun.spent) if begun.applications is None else begun.applications
    told = (begun.error, begun.values, begun.completion)
    return Begun(X, float(begun.spent), int(count), *told)
