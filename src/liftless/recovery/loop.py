"""The one outer loop: descend, certify, escape, until the answer is certified or paid for."""

import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int, real_number
from liftless._compiled import meet
from liftless._errors import InputWarning, InvalidInput
from liftless._memory import check_memory
from liftless._peers import in_step
from liftless._precision import double, on_device, precision_of
from liftless._show import printing
from liftless._threads import few_threads
from liftless.account import Account
from liftless.certificate import noise_level
from liftless.certificate.units import in_units
from liftless.cost import CostModel
from liftless.descent import as_method
from liftless.escape import Escape, Ladder, MultiStepEscape, OracleJump, SingleStep
from liftless.lifted import LiftedEscape
from liftless.linalg import OutOfTime, ticking
from liftless.problem import Problem
from liftless.recovery.effort import Effort
from liftless.recovery.finish import finish
from liftless.recovery.policy import Policy
from liftless.recovery.result import (
    Recovery,
)
from liftless.recovery.rounds import Search, search
from liftless.recovery.telling import Stopped
from liftless.start import (
    STAGE_COST,
    START_COST,
    Course,
    Gaussian,
    Given,
    OverParameterised,
    Spectral,
    Start,
    course_of,
    general_course,
)
from liftless.start.belief import check_rank

Factor = Float[np.ndarray, "n r"]

#: Arrays of the factor's size that a search has at a time, at the least: pairs of L-BFGS and the
#: Lanczos vectors of a start.
WORKING = 30

#: Work that a search may spend, where nothing else is said.
BUDGET = 6000

#: Escapes by the name the command line uses.
ESCAPES: dict[str, type[Escape]] = {
    "ladder": Ladder,
    "single": SingleStep,
    "multi": MultiStepEscape,
    "lifted": LiftedEscape,
    "jump": OracleJump,
}

#: First starts by the name the command line uses, and the names of whole courses.
NAMED: dict[str, Start] = {
    "over": OverParameterised(),
    "spectral": Spectral(),
    "random": Gaussian(),
}
STARTS = ("auto", "reweighted", *NAMED)


@double
def recover(
    problem: Problem | Any,
    b: Any = None,
    rank: int | None = None,
    *,
    start: str | Start | Course | Any = "auto",
    escape: str | Escape | None = "ladder",
    method: Any = None,
    seed: int = 0,
    noise: float | None = None,
    trace_bound: float | None = None,
    budget: int = BUDGET,
    rounds: int | None = None,
    callback: Callable[[dict], None] | None = None,
    checkpoint: Callable[[Factor], None] | None = None,
    trace: bool = False,
    policy: Policy | None = None,
    max_seconds: float | int | None = None,
    verbose: bool = False,
    precision: str = "float64",
) -> Recovery:
    """Recover the low-rank matrix: start, descend, certify, escape, and start afresh.

    Parameters
    ----------
    problem : Problem
        Or the operator, with ``b`` and ``rank`` of :class:`Problem` after it.
    b, rank
        Left out with a Problem.
    start : str, Start, Course, or factor
        "auto": message passing where it is meant for the measurements, then reweighted and
        over-parameterised starts in turn (the default); "reweighted": the course without message
        passing; "over", "spectral", "random": plain over-parameterised descent, truncated, the
        spectral start itself, a small random one.  Or any :class:`Start` for the first round, an
        array of shape (n, r) (a complex one where the space is Hermitian), or a :class:`Course`
        for all rounds.  After a first start of one's own the rounds are those of the default.
    escape : {"ladder", "single", "multi", "lifted", "jump"}, Escape or None
        What to try at a spurious point.
    method : Method, optax transformation or name, optional
        Local method, run to the end from every start; it changes nothing else.  By default
        Levenberg–Marquardt for n r up to 1000 where the budget pays ten steps, and above
        :class:`LBFGS`, or for entries :class:`WhitenedLM`; given up early where hopeless.
    seed : int
        Of every random start; the only randomness.
    noise : float, optional
        Standard deviation of the noise; a fit within it ends the search.
    trace_bound : float, optional
        Passed on to :func:`certify`.
    budget : int
        Work after which the search ends, in applications of A or A* to a factor of the problem's
        rank, at least 10; wider factors and eliminations are charged by the model of
        :mod:`liftless.cost`.  With the last polish and the certificate it is a tenth more at most;
        a small one goes without what it does not pay for: a dearer start, the eigenvalue of the
        certificate.  A step of a ``method`` of one's own is taken whole.
    rounds : int, optional
        Most fresh starts; by default as many as the budget pays for, or one without an escape.
    callback : callable, optional
        Called with a dictionary after every local solve; raising ``StopIteration`` ends the run.
    checkpoint : callable, optional
        Called with the best factor so far whenever there is a better one, for a file that a later
        run takes as its ``start``.
    trace : bool
        Keep the values of h along every local solve in ``history``.
    policy : Policy, optional
        The constants of the search.
    max_seconds : float, optional
        The run ends with its best point about a second after then, whatever it is at: starts, local
        solves and eigenproblems look at the clock a few times a second.  What must be compiled
        first comes on top.
    verbose : bool
        Whether to print a line on standard error for everything that the callback hears of.
    precision : {"float64", "mixed"}
        "mixed" takes local solves by any method but Levenberg–Marquardt, over-parameterised starts
        and vector message passing in float32 until the error is about 1e-5, and only from there in
        float64: for large problems, which are bound by memory.  Every verdict is in float64.

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
    problem = _problem(problem, b, rank)
    rule = _escape_rule(escape)
    seed = positive_int("seed", seed, least=0)
    budget = positive_int("budget", budget, least=10)
    precision = precision_of(precision)
    # Without an escape the run is one plain descent, unless fresh starts are asked for.
    most = 1 if rule is None else math.inf
    limit = float(most if rounds is None else positive_int("rounds", rounds))
    first, course = _starts(problem, start, budget)
    policy = policy or Policy()
    local = None if method is None else as_method(method)
    seconds = (
        math.inf if max_seconds is None else real_number("max_seconds", max_seconds, above=0.0)
    )
    if trace_bound is not None:
        trace_bound = real_number("trace_bound", trace_bound, least=0.0)
    _warn(problem, budget)
    meet(problem)
    scaled = in_units(problem)
    units = None
    if scaled is not None:
        problem, units = scaled
        noise, trace_bound = units.inside(noise, b=1), units.inside(trace_bound, x=2)
        if isinstance(first, Given):
            first = Given(units.inside(first.X, x=1))
    account = Account(CostModel(problem.operator, problem.rank), budget, seconds)
    effort = Effort(
        on_device(problem),
        account,
        method=local,
        policy=policy,
        callback=printing(callback, verbose),
        trace=trace,
        level=noise_level(problem, noise),
        units=units,
        checkpoint=checkpoint,
        precision=precision,
    )
    stopped = False
    with few_threads(problem.n), ticking(effort.product), in_step(problem) as together:
        if together and math.isfinite(seconds):
            must = "left out where a problem lies on several processes, whose clocks differ"
            raise InvalidInput("max_seconds", max_seconds, must, "Pass a budget.")
        try:
            with account.within(effort.reserve.for_search):
                search(effort, Search(first, course, rule, seed, limit, trace_bound, noise))
        except Stopped:
            stopped = True
        except OutOfTime:
            stopped = effort.telling.enough
        return finish(effort, seed, stopped, trace_bound, noise, began)


def _problem(problem: Any, b: Any, rank: Any) -> Problem:
    """Return the problem, or that of an operator, measurements and rank; refuse one too large."""
    if b is not None or rank is not None:
        if isinstance(problem, Problem):
            raise InvalidInput("b", "given beside a Problem", "left out, as rank must be")
        if b is None or rank is None:
            name = "b" if b is None else "rank"
            must = "given with an operator"
            raise InvalidInput(name, "left out", must, "Write recover(operator, b, rank).")
        problem = Problem(problem, b, rank)
    if not isinstance(problem, Problem):
        cure = "Write recover(Problem(operator, b, rank)), or recover(operator, b, rank)."
        raise InvalidInput("problem", describe(problem), "a Problem", cure)
    cure = "Number rows and columns from zero without gaps."
    n, columns = problem.n, problem.rank
    check_memory("problem", f"of order {n} and rank {columns}", WORKING * 8.0 * n * columns, cure)
    return problem


def _escape_rule(escape: str | Escape | None) -> Escape | None:
    if escape is None or escape == "none":
        return None
    if isinstance(escape, Escape):
        return escape
    if isinstance(escape, str) and escape in ESCAPES:
        return ESCAPES[escape]()
    names = ", ".join([*ESCAPES, "none"])
    raise InvalidInput("escape", describe(escape), f"one of {names}, or an Escape")


def _starts(problem: Problem, start: Any, budget: int) -> tuple[Start | None, Course]:
    """First start where it is not the course's, and the course."""
    if isinstance(start, type) and issubclass(start, Start):
        cure = f"Write start={start.__name__}()."
        raise InvalidInput("start", f"the class {start.__name__}", "a Start", cure)
    if isinstance(start, Course):
        return None, start
    if isinstance(start, str) and start == "auto":
        check_rank(problem)
    default = course_of(problem, budget)
    if isinstance(start, str):
        if start not in STARTS:
            names = ", ".join(repr(name) for name in STARTS)
            raise InvalidInput("start", repr(start), f"one of {names}, a Start, or a factor")
        reweighted = start == "reweighted" and default.patient
        return NAMED.get(start), general_course(problem, budget) if reweighted else default
    if not isinstance(start, Start):
        return Given(_factor(problem, start)), default
    if not start.suits(problem):
        kind, loss = type(problem.operator).__name__, problem.loss.name
        must = f"one that suits a {kind} with {loss} loss"
        raise InvalidInput("start", str(start), must, "start='auto' chooses.")
    return start, default


def _factor(problem: Problem, start: Any) -> Factor:
    """Check a given factor and widen it to the rank."""
    X = problem.operator.space.pack(start, "start")
    if X.shape[1] > problem.rank:
        cure = "Truncate it, or raise the problem's rank."
        raise InvalidInput("start", describe(X), f"at most {problem.rank} columns wide", cure)
    X = np.pad(X, ((0, 0), (0, problem.rank - X.shape[1])))
    if not np.any(X):
        raise InvalidInput("start", "zero", "a nonzero factor", "Zero is a stationary point.")
    return X


def _warn(problem: Problem, budget: int) -> None:
    """Warn of what the search cannot mend, and say what follows."""
    m, rank, space = problem.m, problem.rank, problem.operator.space
    enough = space.pataki(m)
    if m < problem.degrees_of_freedom:
        text = (
            f"{m} measurements are fewer than the {problem.degrees_of_freedom} degrees of "
            f"freedom of a rank-{rank} matrix {space.describe()}: many matrices fit, and "
            "the one returned need not be yours. Add measurements or lower the rank."
        )
        if rank > enough:
            text += (
                f" Rank {rank} is even above Pataki's bound: if any matrix fits, one of rank "
                f"{enough} does."
            )
        _say(text)
    least = STAGE_COST + START_COST
    if budget < least and min(space.most_columns, max(rank, enough) + 1) > rank:
        _say(
            f"a budget of {budget} applications ends inside the first stage of the usual first "
            f"start ({least}): a plain start takes its place. Allow some hundreds."
        )


def _say(text: str) -> None:
    warnings.warn(text, InputWarning, stacklevel=5)
