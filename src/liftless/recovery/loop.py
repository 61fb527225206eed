"""The one outer loop: descend, certify, escape, until the answer is certified or paid for."""

import dataclasses
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
from liftless.certificate import Certificate, certify, kinds, noise_level
from liftless.certificate.units import Units, in_units
from liftless.cost import CHECK, CostModel, dense_eigen, spectral_work
from liftless.descent import as_method
from liftless.descent.loop import FITTED, STALLED, STATIONARY
from liftless.escape import Candidate, Escape, Ladder, MultiStepEscape, OracleJump, SingleStep
from liftless.identify import Identifiability, eliminated, identifiability
from liftless.identify.accuracy import error_estimate
from liftless.identify.fit import fit_of
from liftless.lifted import LiftedEscape
from liftless.problem import Problem
from liftless.recovery.agreement import Noise, excess_rows, noise_of
from liftless.recovery.effort import Effort, Stopped
from liftless.recovery.policy import Policy
from liftless.recovery.result import (
    CERTIFIED,
    INTERRUPTED,
    NOT_CONVERGED,
    UNCERTIFIED,
    Recovery,
)
from liftless.recovery.rounds import Search, search
from liftless.recovery.sharpen import sharpened
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

Factor = Float[np.ndarray, "n r"]

#: ‖∇h‖ ‖X‖ / h from which Levenberg–Marquardt may end a polish.
NEAR = 1e-2

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
        callback=callback,
        trace=trace,
        level=noise_level(problem, noise),
        units=units,
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
    account = effort.account
    point = _judged(effort, X, trace_bound, noise)
    # A fit within the noise is the best estimate only at the end of its descent.
    if not point.certified and not stopped and effort.best is not None:
        effort.polish(X, near=point.kind == "fitted" or point.relative_gradient <= NEAR)
        X = effort.answer()
        # The Hessian's ends are told where they are quickly had; the kind asks for them by itself.
        point = _judged(effort, X, trace_bound, noise, told=dense_eigen(X.size))
    if point.kind == "exact" and not stopped:
        # Readings of zero determine X to the root of round-off only, unless they are eliminated.
        sharp, steps = sharpened(problem, X)
        account.charge(steps * (1 + problem.operator.jacobian_cost(problem.rank)))
        sharp = eliminated(problem, sharp)
        if sharp is not X:
            X, point = sharp, _judged(effort, sharp, trace_bound, noise)
    point = _in_context(effort, point, X, stopped)
    unique = _unique(problem, X, point)
    found = noise_of(problem, X)
    agreeing = effort.ends.at(X, point.objective)
    error = _error(problem, X, unique, found.rank)
    escapes = tuple(effort.escapes)
    if effort.units is not None:
        X, point, found, unique, escapes = _outside(effort.units, X, point, found, unique, escapes)
    status = _status(point, stopped)
    return Recovery(
        x=X,
        fun=point.objective,
        success=point.success,
        status=status,
        message=_message(point, effort, unique, found, agreeing),
        nit=effort.iterations,
        nfev=account.applications,
        certificate=point,
        identifiability=unique,
        escapes=escapes,
        history=tuple(effort.events),
        rounds=effort.rounds,
        seed=seed,
        seconds=time.perf_counter() - began,
        work=account.spent,
        space=problem.operator.space,
        agreeing=agreeing,
        sigma=found.sigma,
        sigma_interval=(found.low, found.high),
        effective_rank=found.rank,
        error_estimate=error,
    )


def _outside(
    units: Units,
    X: Factor,
    point: Certificate,
    found: Noise,
    unique: Identifiability | None,
    escapes: tuple[Candidate, ...],
) -> tuple[Factor, Certificate, Noise, Identifiability | None, tuple[Candidate, ...]]:
    """What was found, in the caller's units."""
    sigmas = (units.back(s, b=1) for s in (found.sigma, found.low, found.high))
    if unique is not None:
        evidence = tuple(
            one if one.other is None else dataclasses.replace(one, other=units.outside(one.other))
            for one in unique.evidence
        )
        factor = units.outside(unique.factor)
        unique = dataclasses.replace(unique, evidence=evidence, factor=factor)
    heights = ("objective_before", "objective_at", "objective_after")
    tried = tuple(
        dataclasses.replace(
            one,
            base=units.outside(one.base),
            direction=units.outside(one.direction),
            **{name: units.back(getattr(one, name), h=1) for name in heights},
        )
        for one in escapes
    )
    certificate = units.certificate(point)
    return units.outside(X), certificate, Noise(*sigmas, found.rank), unique, tried


def _judged(
    effort: Effort,
    X: Factor,
    trace_bound: float | None,
    noise: float | None,
    *,
    told: bool = False,
) -> Certificate:
    """Certify a point on the run's account."""
    effort.account.charge(2, work=spectral_work(effort.problem.n))
    return certify(effort.problem, X, trace_bound=trace_bound, noise=noise, second_order=told)


def _in_context(effort: Effort, point: Certificate, X: Factor, stopped: bool) -> Certificate:
    """Kind and reason with what the whole run knows."""
    settled = point.code == kinds.STATIONARY_POINT or point.why == kinds.CLOSE
    many = excess_rows(effort.problem) >= effort.policy.agree_rows
    if settled and many and effort.ends.at(X, point.objective) >= effort.policy.agree:
        return dataclasses.replace(point, code=kinds.AGREED, why=kinds.DONE)
    if point.why != kinds.GRADIENT:
        return point
    why = kinds.BUDGET
    if stopped:
        why = kinds.STOPPED
    elif effort.account.late:
        why = kinds.TIME
    elif effort.ended_as in (STALLED, STATIONARY, FITTED):
        why = kinds.ROUND_OFF
    return dataclasses.replace(point, why=why)


def _status(point: Certificate, stopped: bool) -> int:
    if point.success:
        return CERTIFIED
    if stopped:
        return INTERRUPTED
    return NOT_CONVERGED if point.kind == "unfinished" else UNCERTIFIED


def _error(problem: Problem, X: Factor, unique: Identifiability | None, rank: int) -> float:
    """Estimate of the relative error of the matrix, where that is quickly had."""
    if unique is not None:
        return unique.error_estimate
    if not rank or not problem.loss.quadratic or float(problem.m) * X.size**2 > CHECK:
        return math.nan
    Y = problem.operator.space.reduced(X)
    dof = problem.operator.degrees_of_freedom(rank)
    return error_estimate(fit_of(problem, Y), dof, math.nan, math.nan)


def _unique(problem: Problem, X: Factor, point: Certificate) -> Identifiability | None:
    """Whether an exact fit is the only one, where that is found out quickly or has a plain no."""
    if point.kind not in ("exact", "fitted") or not np.any(X):
        return None
    if float(problem.m) * X.size**2 <= CHECK:
        return identifiability(problem, X, fitted=True)
    quick = identifiability(problem, X, method="none", fitted=True)
    return None if quick.identifiable else quick


def _message(
    point: Certificate,
    effort: Effort,
    unique: Identifiability | None,
    found: Noise,
    agreeing: int,
) -> str:
    """What happened, the usual cause, and what to pass instead."""
    words = [point.message]
    tried = f"{effort.rounds} round(s), {len(effort.escapes)} escape(s) tried"
    words.append(f"{tried}; {agreeing} of them ended here." if agreeing > 1 else f"{tried}.")
    if found.rank < effort.problem.rank:
        words.append(f"The matrix has rank {found.rank}, of {effort.problem.rank} asked for.")
    if point.kind in ("agreed", "stationary") and math.isfinite(found.sigma):
        span = f"95 %: {found.low:.3g} to {found.high:.3g}"
        words.append(f"Noise of σ = {found.sigma:.3g} ({span}) would explain the misfit.")
    if unique is not None and not unique.identifiable:
        other = "Other matrices fit as well" if unique.open else "Not known to be the one matrix"
        words.append(f"{other}: {unique.message}")
    return " ".join([*words, _cure(point, effort)]).strip()


def _cure(point: Certificate, effort: Effort) -> str:
    """What to do about it, where something can be done."""
    if point.why == kinds.STOPPED:
        return "Stopped by the callback; pass the factor as start to go on."
    if point.why == kinds.BUDGET:
        return f"Pass a budget larger than {effort.account.budget:g}."
    if point.why == kinds.TIME:
        return "Pass more max_seconds."
    if point.kind in ("stationary", "saddle"):
        return (
            "The usual causes are noise (pass noise=σ), too low a rank, or too few measurements; "
            "a larger budget or another seed searches further."
        )
    return ""


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
