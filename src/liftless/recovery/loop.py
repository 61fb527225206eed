"""The one outer loop: descend, certify, escape, until the answer is certified or paid for."""

import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InputWarning, InvalidInput
from liftless._precision import double, on_device
from liftless._threads import few_threads
from liftless.account import Account
from liftless.certificate import Certificate, certify, noise_level
from liftless.cost import CHECK, CostModel, dense_eigen
from liftless.descent import as_method
from liftless.escape import Escape, Ladder, MultiStepEscape, OracleJump, SingleStep
from liftless.identify import Identifiability, eliminated, identifiability
from liftless.lifted import LiftedEscape
from liftless.problem import Problem
from liftless.recovery.effort import Effort, Stopped
from liftless.recovery.known import Known, known
from liftless.recovery.policy import Policy
from liftless.recovery.result import (
    CERTIFIED,
    INTERRUPTED,
    NOT_CONVERGED,
    UNCERTIFIED,
    Recovery,
)
from liftless.recovery.rounds import Search, search
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
    problem: Problem,
    *,
    start: str | Start | Course | Any = "auto",
    escape: str | Escape | None = "ladder",
    method: Any = None,
    seed: int = 0,
    noise: float | None = None,
    trace_bound: float | None = None,
    budget: int = 6000,
    rounds: int | None = None,
    callback: Callable[[dict], None] | None = None,
    trace: bool = False,
    policy: Policy | None = None,
    max_seconds: float | int | None = None,
) -> Recovery:
    """Recover the low-rank matrix: start, descend, certify, escape, and start afresh.

    Parameters
    ----------
    problem : Problem
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
        Levenberg–Marquardt for n r up to 1000 and :class:`LBFGS` above, given up early where
        hopeless.
    seed : int
        Of every random start; the only randomness.
    noise : float, optional
        Standard deviation of the noise; a fit within it ends the search.
    trace_bound : float, optional
        Passed on to :func:`certify`.
    budget : int
        Work after which the search ends, in applications of A or A* to a factor of the problem's
        rank; wider factors and eliminations are charged by the model of :mod:`liftless.cost`.
    rounds : int, optional
        Most fresh starts; by default as many as the budget pays for, or one without an escape.
    callback : callable, optional
        Called with a dictionary after every local solve; raising ``StopIteration`` ends the run.
    trace : bool
        Keep the values of h along every local solve in ``history``.
    policy : Policy, optional
        The constants of the search.
    max_seconds : float, optional
        No new step of the search begins after this time.

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
    first, course = _starts(problem, start, budget)
    policy = policy or Policy()
    local = None if method is None else as_method(method)
    seconds = (
        math.inf if max_seconds is None else real_number("max_seconds", max_seconds, above=0.0)
    )
    if trace_bound is not None:
        trace_bound = real_number("trace_bound", trace_bound, least=0.0)
    _warn(problem, budget)
    account = Account(CostModel(problem.operator, problem.rank), budget, seconds)
    effort = Effort(
        on_device(problem),
        account,
        method=local,
        policy=policy,
        callback=callback,
        trace=trace,
        level=noise_level(problem, noise),
    )
    stopped = False
    with few_threads(problem.n):
        try:
            search(effort, Search(first, course, rule, seed, limit, trace_bound, noise))
        except Stopped:
            stopped = True
        return _finish(effort, seed, stopped, trace_bound, noise, began)


def _finish(
    effort: Effort,
    seed: int,
    stopped: bool,
    trace_bound: float | None,
    noise: float | None,
    began: float,
) -> Recovery:
    """Polish and certify the best point, and say what happened."""
    X, problem = effort.answer(), effort.problem
    point = certify(problem, X, trace_bound=trace_bound, noise=noise, second_order=False)
    # A fit within the noise is the best estimate only at the end of its descent.
    within = point.kind == "exact" and effort.level > 0
    if (within or not point.optimal) and not stopped and effort.best is not None:
        X = effort.polish(X, near=within)
        # The Hessian's ends are told where they are quickly had; the kind asks for them by itself.
        told = dense_eigen(X.size)
        point = certify(problem, X, trace_bound=trace_bound, noise=noise, second_order=told)
    if point.kind == "exact" and effort.level == 0 and not stopped:
        # Readings of zero determine X to the root of round-off only, unless they are eliminated.
        sharp = eliminated(problem, X)
        if sharp is not X:
            X, point = sharp, certify(problem, sharp, trace_bound=trace_bound, second_order=False)
    status = _status(point, stopped)
    unique = _unique(problem, X, point)
    sure = _known(effort, X, point, unique)
    return Recovery(
        x=X,
        fun=point.objective,
        success=point.optimal,
        status=status,
        message=_message(status, point, effort, unique, sure),
        nit=effort.iterations,
        nfev=effort.account.applications,
        certificate=point,
        identifiability=unique,
        escapes=tuple(effort.escapes),
        history=tuple(effort.events),
        rounds=effort.rounds,
        seed=seed,
        seconds=time.perf_counter() - began,
        work=effort.account.spent,
        space=problem.operator.space,
        completion=effort.completion,
        known=sure,
    )


def _known(
    effort: Effort, X: Factor, point: Certificate, unique: Identifiability | None
) -> Known | None:
    """Which entries of an exact completion are determined, where no Jacobian was taken apart."""
    looked = unique is not None and unique.free_rows is not None
    fitted = point.kind == "exact" and effort.level == 0 and np.any(X)
    if looked or not fitted or effort.completion is None:
        return None
    return known(effort.problem, X, effort.completion)


def _status(point: Certificate, stopped: bool) -> int:
    if point.optimal:
        return CERTIFIED
    if stopped:
        return INTERRUPTED
    return NOT_CONVERGED if point.kind == "unfinished" else UNCERTIFIED


def _unique(problem: Problem, X: Factor, point: Certificate) -> Identifiability | None:
    """Whether an exact fit is the only one, where that is found out quickly or has a plain no."""
    if point.kind != "exact" or not np.any(X):
        return None
    if float(problem.m) * X.size**2 <= CHECK:
        return identifiability(problem, X, fitted=True)
    quick = identifiability(problem, X, method="none", fitted=True)
    return None if quick.identifiable else quick


def _message(
    status: int,
    point: Certificate,
    effort: Effort,
    unique: Identifiability | None,
    sure: Known | None,
) -> str:
    head = f"{point.message} {effort.rounds} round(s), {len(effort.escapes)} escape(s) tried."
    if unique is not None and not unique.identifiable:
        other = "Other matrices fit as well" if unique.open else "Not known to be the one matrix"
        head += f" {other}: {unique.message}"
    if sure is not None and sure.lines.size:
        head += f" The entries do not determine the matrix: {sure.names}."
    if effort.noisy and status != CERTIFIED:
        sigma = f"{effort.completion.sigma:.3g}" if effort.completion is not None else ""
        head += f" What the fit leaves looks like noise: pass noise={sigma} if that is its level."
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
            f"a budget of {budget} applications ends inside the first stage of the first start "
            f"({least}): the answer is no more than that start. Allow some hundreds."
        )


def _say(text: str) -> None:
    warnings.warn(text, InputWarning, stacklevel=5)
