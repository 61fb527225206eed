"""The one outer loop: descend, certify, escape, until the answer is certified or paid for."""

import dataclasses
import math
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, factor, positive_int, real_number
from liftless._errors import InputWarning, InvalidInput
from liftless._precision import double, on_device
from liftless._run import LOWER, Run, Stopped
from liftless.certificate import Certificate, certify, noise_level
from liftless.descent import LBFGS, Descent, Method
from liftless.descent.loop import FITTED
from liftless.escape import (
    Candidate,
    Escape,
    Ladder,
    MultiStepEscape,
    OracleJump,
    SingleStep,
    pataki_width,
)
from liftless.escape.moves import SETTLE_OVER
from liftless.lifted import LiftedEscape
from liftless.problem import Problem
from liftless.start import SMALL, random_start, spectral_start

Factor = Float[np.ndarray, "n r"]

#: ‖∇h‖ ‖X‖ / h of the point that is reported.
POLISHED = 1e-10
#: Applications charged for a candidate: one eigenproblem, a line, a value.
CANDIDATE_COST = 5
#: Applications charged for a start: one eigenproblem, a line.
START_COST = 4
#: Rounds without improvement after which a noisy problem is given up.
NOISY_ROUNDS = 2

#: Escapes by the name the command line uses.
ESCAPES: dict[str, type[Escape]] = {
    "ladder": Ladder,
    "single": SingleStep,
    "multi": MultiStepEscape,
    "lifted": LiftedEscape,
    "jump": OracleJump,
}

#: Status, which is also the exit code of the command line.
CERTIFIED, NOT_CONVERGED, UNCERTIFIED, INTERRUPTED = 0, 3, 4, 75


@dataclass(frozen=True)
class Recovery:
    """Result of :func:`recover`; the first names are SciPy's ``OptimizeResult``'s.

    Attributes
    ----------
    x : array of shape (n, r)
        The factor, also called ``factor``.
    fun : float
        h at ``x``.
    success : bool
        Whether the certificate says ``exact`` or ``global``.
    status : int
        0 certified, 3 not converged within the budget, 4 stationary but not certified, 75 stopped
        by the callback.
    message : str
        What happened, the usual cause, and what to pass instead.
    nit, nfev : int
        Iterations of local methods, and applications of A or A* to one matrix.
    certificate : Certificate
    escapes : tuple of Candidate
        Every candidate that was tried, with h before, at, and after the local solve.
    history : tuple of dict
        One row an event: what was done, h after it, applications so far; with ``trace=True`` also
        the values of h on the way.
    rounds : int
        Fresh starts used.
    seed : int
    seconds : float
    """

    x: Factor
    fun: float
    success: bool
    status: int
    message: str
    nit: int
    nfev: int
    certificate: Certificate
    escapes: tuple[Candidate, ...]
    history: tuple[dict, ...] = field(repr=False)
    rounds: int
    seed: int
    seconds: float

    @property
    def factor(self) -> Factor:
        """The recovered factor X."""
        return self.x

    @property
    def matrix(self) -> Float[np.ndarray, "n n"]:
        """The recovered matrix X Xᵀ."""
        return self.x @ self.x.T


@double
def recover(
    problem: Problem,
    *,
    start: str | Any = "over",
    escape: str | Escape | None = "ladder",
    method: Method | None = None,
    seed: int = 0,
    noise: float | None = None,
    trace_bound: float | None = None,
    budget: int = 6000,
    rounds: int | None = None,
    callback: Callable[[dict], None] | None = None,
    trace: bool = False,
) -> Recovery:
    """Recover the low-rank matrix: start, descend, certify, escape, and start afresh.

    Parameters
    ----------
    problem : Problem
    start : {"over", "spectral", "random"} or array of shape (n, r)
        Over-parameterised descent from the spectral start, truncated (the default); the spectral
        start itself; a small random one; or a given factor.  Later rounds start from an
        over-parameterised Gaussian factor, whatever the first was.
    escape : {"ladder", "single", "multi", "lifted", "jump"}, Escape or None
        What to try at a spurious point.
    method : Method, optional
        Local method; :class:`LBFGS` by default.
    seed : int
        Of every random start; the only randomness.
    noise : float, optional
        Standard deviation of the noise; a fit within it ends the search.
    trace_bound : float, optional
        Passed on to :func:`certify`.
    budget : int
        Applications of A or A* to one matrix after which the search ends.
    rounds : int, optional
        Most fresh starts; by default as many as the budget pays for, or one without an escape.
    callback : callable, optional
        Called with a dictionary after every local solve; raising ``StopIteration`` ends the run.
    trace : bool
        Keep the values of h along every local solve in ``history``.

    Returns
    -------
    Recovery
        The same for the same arguments.

    Raises
    ------
    InvalidInput
        For an argument that cannot be used.
    """
    began = time.perf_counter()
    rule = _escape_rule(escape)
    seed = positive_int("seed", seed, least=0)
    budget = positive_int("budget", budget, least=10)
    # Without an escape the run is one plain descent, unless fresh starts are asked for.
    most = 1 if rule is None else math.inf
    limit = float(most if rounds is None else positive_int("rounds", rounds))
    first = _check_start(problem, start)
    if trace_bound is not None:
        trace_bound = real_number("trace_bound", trace_bound, least=0.0)
    _warn(problem)
    run = Run(
        on_device(problem),
        LBFGS() if method is None else method,
        budget,
        callback,
        trace,
        noise_level(problem, noise),
    )
    stopped = False
    try:
        _rounds(run, first, rule, seed, limit, trace_bound, noise)
    except Stopped:
        stopped = True
    return _finish(run, seed, stopped, trace_bound, noise, began)


def _rounds(
    run: Run,
    first: str | Factor,
    rule: Escape | None,
    seed: int,
    limit: float,
    trace_bound: float | None,
    noise: float | None,
) -> None:
    """Rounds of start, descent and escapes."""
    idle = 0
    while run.left > 0 and run.rounds < limit:
        before = run.least
        X = _begin(run, first if run.rounds == 0 else "over", seed, run.rounds)
        run.rounds += 1
        done = run.local(X, "descent")
        if done.status == FITTED or _climb(run, done, rule, trace_bound, noise):
            break
        idle = 0 if run.least < before * (1 - LOWER) else idle + 1
        if noise is not None and idle >= NOISY_ROUNDS:
            break


def _begin(run: Run, start: str | Factor, seed: int, round_: int) -> Factor:
    """Return the factor at which a round's local solve starts."""
    problem = run.problem
    if not isinstance(start, str):
        return start
    run.spent += START_COST
    if start == "random":
        return random_start(problem, problem.rank, seed + round_, size=SMALL)
    if start == "spectral":
        return spectral_start(problem, problem.rank)
    width = pataki_width(problem)
    if round_ == 0:
        X = spectral_start(problem, width)
    else:
        X = random_start(problem, width, seed + round_)
    run.size = max(run.size, float(np.linalg.norm(X)))
    return run.settle(X, SETTLE_OVER, "over") if width > problem.rank else X


def _climb(
    run: Run,
    done: Descent,
    rule: Escape | None,
    trace_bound: float | None,
    noise: float | None,
) -> bool:
    """Escape from stuck points while that lowers h; whether the end is reached."""
    while run.left > 0:
        point = certify(
            run.problem, done.X, trace_bound=trace_bound, noise=noise, second_order=False
        )
        run.spent += 2
        run.note(f"certified {point.kind}", done.objective)
        if point.optimal:
            return True
        if rule is None:
            return False
        lower = _try(run, rule.candidates(run.problem, done.X, point), done)
        if lower is None:
            return False
        done = lower
        if done.status == FITTED:
            return True
    return False


def _try(run: Run, candidates: Iterable[Candidate], done: Descent) -> Descent | None:
    """Judge candidates after their local solve; the first that ends lower wins."""
    for candidate in candidates:
        if run.left <= 0:
            return None
        run.spent += CANDIDATE_COST
        X = candidate.point
        if candidate.settle is not None:
            whole = candidate.kind == "replace"
            level = candidate.settle * (1.0 if whole else run.fraction(done.objective))
            X = run.settle(X, level, f"{candidate.kind} (wide)")
        after = run.local(X, candidate.kind)
        run.escapes.append(dataclasses.replace(candidate, objective_after=after.objective))
        if after.objective < done.objective * (1 - LOWER):
            return after
    return None


def _finish(
    run: Run,
    seed: int,
    stopped: bool,
    trace_bound: float | None,
    noise: float | None,
    began: float,
) -> Recovery:
    """Polish and certify the best point, and say what happened."""
    X = run.answer()
    point = certify(run.problem, X, trace_bound=trace_bound, noise=noise, second_order=False)
    if not point.optimal and not stopped and run.best is not None:
        run.callback = None
        run.budget = run.spent + max(300, run.budget // 10)
        X = run.local(X, "polish", POLISHED).X
        point = certify(run.problem, X, trace_bound=trace_bound, noise=noise)
    status = _status(point, stopped)
    return Recovery(
        x=X,
        fun=point.objective,
        success=point.optimal,
        status=status,
        message=_message(status, point, run),
        nit=run.iterations,
        nfev=run.spent,
        certificate=point,
        escapes=tuple(run.escapes),
        history=tuple(run.events),
        rounds=run.rounds,
        seed=seed,
        seconds=time.perf_counter() - began,
    )


def _status(point: Certificate, stopped: bool) -> int:
    if point.optimal:
        return CERTIFIED
    if stopped:
        return INTERRUPTED
    return NOT_CONVERGED if point.kind == "unfinished" else UNCERTIFIED


def _message(status: int, point: Certificate, run: Run) -> str:
    head = f"{point.message} {run.rounds} round(s), {len(run.escapes)} escape(s) tried."
    cures = {
        CERTIFIED: "",
        NOT_CONVERGED: " The budget ended before a stationary point: pass a larger budget.",
        UNCERTIFIED: " The usual causes are noise (pass noise=σ), too low a rank, or too few "
        "measurements; a larger budget or another seed searches further.",
        INTERRUPTED: " Stopped by the callback; pass the factor as start to go on.",
    }
    return head + cures[status]


def _escape_rule(escape: str | Escape | None) -> Escape | None:
    if escape is None or escape == "none":
        return None
    if isinstance(escape, Escape):
        return escape
    if isinstance(escape, str) and escape in ESCAPES:
        return ESCAPES[escape]()
    names = ", ".join([*ESCAPES, "none"])
    raise InvalidInput("escape", describe(escape), f"one of {names}, or an Escape")


def _check_start(problem: Problem, start: Any) -> str | Factor:
    if isinstance(start, str):
        if start not in ("over", "spectral", "random"):
            raise InvalidInput("start", repr(start), "'over', 'spectral', 'random' or a factor")
        return start
    X = factor("start", start, problem.n)
    if X.shape[1] > problem.rank:
        cure = "Truncate it, or raise the problem's rank."
        raise InvalidInput("start", describe(X), f"at most {problem.rank} columns wide", cure)
    X = np.pad(X, ((0, 0), (0, problem.rank - X.shape[1])))
    if not np.any(X):
        raise InvalidInput("start", "zero", "a nonzero factor", "Zero is a stationary point.")
    return X


def _warn(problem: Problem) -> None:
    if problem.m < problem.degrees_of_freedom:
        warnings.warn(
            f"{problem.m} measurements are fewer than the {problem.degrees_of_freedom} degrees of "
            f"freedom of a rank-{problem.rank} matrix of order {problem.n}: many matrices fit, and "
            "the one returned need not be yours. Add measurements or lower the rank.",
            InputWarning,
            stacklevel=4,
        )
