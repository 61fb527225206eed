"""The end of a recovery: polish, certificate, and what happened in words."""

import dataclasses
import math
import time

import numpy as np
from jaxtyping import Float

from liftless.certificate import Certificate, certify, kinds
from liftless.certificate.units import Units
from liftless.cost import CHECK, POINT, dense_eigen
from liftless.descent.loop import FITTED, STALLED, STATIONARY
from liftless.escape import Candidate
from liftless.identify import Identifiability, eliminated
from liftless.identify.accuracy import error_estimate
from liftless.identify.examine import examine
from liftless.identify.fit import Fit
from liftless.recovery.agreement import Noise, excess_rows, noise_of, rounds_needed
from liftless.recovery.effort import Effort
from liftless.recovery.known import Known, known
from liftless.recovery.result import (
    CERTIFIED,
    INTERRUPTED,
    NOT_CONVERGED,
    UNCERTIFIED,
    Recovery,
)
from liftless.recovery.sharpen import STEPS, sharpened

Factor = Float[np.ndarray, "n r"]

#: ‖∇h‖ ‖X‖ / h from which Levenberg–Marquardt may end a polish.
NEAR = 1e-2
#: Applications that a null direction of a large completion usually takes.
NULL = 1000


def finish(
    effort: Effort,
    seed: int,
    stopped: bool,
    trace_bound: float | None,
    noise: float | None,
    began: float,
) -> Recovery:
    """Polish and certify the best point, and say what happened."""
    effort.telling.ending = True
    account = effort.account
    X, point, agreeing = _polished(effort, stopped, trace_bound, noise)
    fit = Fit(effort.problem, X)
    if point.kind == "exact" and not stopped:
        fit, point = _sharper(effort, fit, point, trace_bound, noise)
    agreeing = max(agreeing, effort.ends.at(fit.X, point.objective))
    point = _in_context(effort, point, agreeing, stopped)
    unique = None if account.late else _unique(fit, point)
    if unique is not None and "rough" in unique.findings and point.kind == "exact" and not stopped:
        sharp, point = _sharper(effort, fit, point, trace_bound, noise, rough=True)
        if sharp is not fit:
            fit, unique = sharp, _unique(sharp, point)
    X = fit.X
    sure = None if account.late else _known(effort, X, point, unique)
    found = noise_of(fit)
    error = math.nan if account.late else _error(fit, unique, found.rank)
    escapes = tuple(effort.escapes)
    if effort.units is not None:
        X, point, found, unique, escapes = _outside(effort.units, X, point, found, unique, escapes)
    status = _status(point, stopped)
    return Recovery(
        x=X,
        fun=point.objective,
        success=point.success,
        status=status,
        message=_message(point, effort, unique, found, agreeing, sure),
        nit=effort.iterations,
        nfev=account.applications,
        certificate=point,
        identifiability=unique,
        escapes=escapes,
        history=tuple(effort.telling.events),
        rounds=effort.rounds,
        seed=seed,
        seconds=time.perf_counter() - began,
        work=account.spent,
        space=effort.problem.operator.space,
        agreeing=agreeing,
        sigma=found.sigma,
        sigma_interval=(found.low, found.high),
        effective_rank=found.rank,
        error_estimate=error,
        completion=effort.completion,
        known=sure,
        precision=effort.allowance.precision,
        nfev_single=effort.allowance.rough,
    )


def _polished(
    effort: Effort, stopped: bool, trace_bound: float | None, noise: float | None
) -> tuple[Factor, Certificate, int]:
    """The best point, polished where it is no end yet, its kind, and how many rounds met it."""
    X = effort.answer()
    point = _judged(effort, X, trace_bound, noise)
    # A polish may lead some way from where the rounds ended, along a flat valley: but down from it.
    agreeing = effort.ends.at(X, point.objective)
    # A fit within the noise is the best estimate only at the end of its descent; one to the digits
    # of the data is there.
    digits = point.kind == "fitted" and effort.level == 0
    near = point.kind == "fitted" or point.relative_gradient <= NEAR
    # Of a noisy completion the means are a better estimate than what fits the data closest.
    means = point.kind == "fitted" and effort.noisy
    settled = point.certified or digits or means or stopped or effort.best is None
    if not settled and effort.polish(X, near=near):
        X = effort.answer()
        # The Hessian's ends are told where they are quickly had; the kind asks for them by itself.
        told, known = dense_eigen(X.size), _lowest(effort, point, agreeing)
        # Whether it is a saddle, which the rounds deny, is not worth a search of its own.
        most: float | int = effort.policy.converge if known else math.inf
        point = _judged(effort, X, trace_bound, noise, told=told, most=most)
    return X, point, agreeing


def _known(
    effort: Effort, X: Factor, point: Certificate, unique: Identifiability | None
) -> Known | None:
    """Which entries of an exact completion are determined, where no Jacobian was taken apart."""
    looked = unique is not None and unique.free_rows is not None
    fitted = point.kind == "exact" and np.any(X)
    if looked or not fitted or effort.completion is None:
        return None
    return known(effort.problem, X, effort.completion, quick=effort.account.hurried(NULL))


def _sharper(
    effort: Effort,
    fit: Fit,
    point: Certificate,
    trace_bound: float | None,
    noise: float | None,
    *,
    rough: bool = False,
) -> tuple[Fit, Certificate]:
    """Take an exact fit to its last digits, where they are wanted, and judge it again."""
    problem = effort.problem
    price = 1 + problem.operator.jacobian_cost(problem.rank)
    room = effort.account.remains - effort.reserve.judging
    sharp, steps = sharpened(fit, rough=rough, most=max(0, int(min(room / price, STEPS))))
    effort.account.charge(steps * price)
    # Readings of zero determine X to the root of round-off only, unless they are eliminated.
    sharp = eliminated(sharp)
    if sharp is fit:
        return fit, point
    return sharp, _judged(effort, sharp.X, trace_bound, noise)


def _outside(
    units: Units,
    X: Factor,
    point: Certificate,
    found: Noise,
    unique: Identifiability | None,
    escapes: tuple[Candidate, ...],
) -> tuple[Factor, Certificate, Noise, Identifiability | None, tuple[Candidate, ...]]:
    """What was found, in the caller's units."""
    sigma, low, high = (units.back(s, b=1) for s in (found.sigma, found.low, found.high))
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
    return units.outside(X), certificate, Noise(sigma, low, high, found.rank), unique, tried


def _judged(
    effort: Effort,
    X: Factor,
    trace_bound: float | None,
    noise: float | None,
    *,
    told: bool = False,
    most: float | int = math.inf,
) -> Certificate:
    """Certify a point on the run's account; its eigenproblem is booked where it is solved."""
    effort.account.charge(POINT)
    with effort.reserve.at_most(most):
        return certify(effort.problem, X, trace_bound=trace_bound, noise=noise, second_order=told)


def _lowest(effort: Effort, point: Certificate, agreeing: int) -> bool:
    """Whether so many rounds at a point say that it is the lowest level."""
    many = excess_rows(effort.problem) >= effort.policy.agree_rows
    needed = rounds_needed(effort.problem, effort.policy, point.relative_objective)
    return many and agreeing >= needed


def _in_context(effort: Effort, point: Certificate, agreeing: int, stopped: bool) -> Certificate:
    """Kind and reason with what the whole run knows."""
    flat = point.relative_gradient <= kinds.STATIONARY
    settled = point.code == kinds.STATIONARY_POINT or point.why == kinds.CLOSE
    settled |= flat and point.why == kinds.TIME
    if settled and _lowest(effort, point, agreeing):
        return dataclasses.replace(point, code=kinds.AGREED, why=kinds.DONE)
    late = effort.account.late
    if point.why == kinds.TIME and not (late or stopped):
        return dataclasses.replace(point, why=kinds.BUDGET)
    if point.why != kinds.GRADIENT:
        return point
    why = kinds.BUDGET
    if stopped:
        why = kinds.STOPPED
    elif late:
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


def _error(fit: Fit, unique: Identifiability | None, rank: int) -> float:
    """Estimate of the relative error of the matrix, where that is quickly had."""
    problem, X = fit.problem, fit.X
    if unique is not None:
        return unique.error_estimate
    if not rank or not problem.loss.quadratic or float(problem.m) * X.size**2 > CHECK:
        return math.nan
    Y = problem.operator.space.reduced(X)
    dof = problem.operator.degrees_of_freedom(rank)
    return error_estimate(Fit(problem, Y), dof, math.nan, math.nan)


def _unique(fit: Fit, point: Certificate) -> Identifiability | None:
    """Whether an exact fit is the only one, where that is found out quickly or has a plain no."""
    if point.kind not in ("exact", "fitted") or not np.any(fit.X):
        return None
    if float(fit.problem.m) * fit.X.size**2 <= CHECK:
        return examine(fit)
    quick = examine(fit, "none")
    return None if quick.identifiable else quick


def _message(
    point: Certificate,
    effort: Effort,
    unique: Identifiability | None,
    found: Noise,
    agreeing: int,
    sure: Known | None,
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
    if sure is not None and sure.lines.size:
        words.append(f"The entries do not determine the matrix: {sure.names}.")
    if effort.noisy and not point.success and effort.completion is not None:
        sigma = effort.completion.sigma
        if effort.units is not None:
            sigma = effort.units.back(sigma, b=1)
        words.append(
            f"What the fit leaves looks like noise: pass noise={sigma:.3g} if that is its level."
        )
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
