"""Rounds of a recovery: a start, a local solve, and escapes from the lowest level so far."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass

from liftless.certificate import Certificate, certify
from liftless.cost import POINT, STEP
from liftless.descent import Descent
from liftless.descent.loop import FITTED
from liftless.escape import Candidate, Escape
from liftless.linalg import OutOfTime
from liftless.recovery.agreement import excess_rows, rounds_needed
from liftless.recovery.effort import Effort, Factor
from liftless.start import (
    HOPELESS,
    HOPELESS_POOR,
    Begun,
    Course,
    Gaussian,
    Spectral,
    Start,
    checked,
)
from liftless.start.belief import BeliefPropagation

#: Seeds of the probes, apart from those of the rounds.
PROBE_SEED = 7919
#: Steps of a descent that is near the level that the digits of the data allow: they square the
#: distance each, and round-off hides from the gradient when the end is reached.
LAST_STEPS = 5


@dataclass(frozen=True)
class Search:
    """What a search is told.

    Attributes
    ----------
    first : Start or None
        Start of the first round, where it is not the course's.
    course : Course
    rule : Escape or None
    seed : int
    limit : float
        Most rounds.
    trace_bound, noise : float or None
        As for :func:`liftless.certify`.
    """

    first: Start | None
    course: Course
    rule: Escape | None
    seed: int
    limit: float
    trace_bound: float | None
    noise: float | None


def search(effort: Effort, plan: Search) -> None:
    """Rounds until the answer is certified, or the budget or the limit is reached."""
    idle, climbed = 0, math.inf
    lower = 1 - effort.policy.lower
    while effort.account.left > 0 and effort.rounds < plan.limit:
        before, turn = effort.least, effort.rounds - effort.probes
        given = plan.first if turn == 0 else None
        start = _affordable(effort, given or plan.course.start(turn))
        if start is None:
            return
        patient = given is None and plan.course.patient
        done = _round(effort, start, plan.seed + turn, patient)
        if done.status == FITTED or _to_the_digits(effort, done):
            return
        # Where two estimates of the noise agree, a large problem is not searched for less.
        if effort.noisy and not effort.small:
            _asked_again(effort, plan)
            return
        told = _agreement_tells(effort, plan) and effort.best is not None
        if told and turn == 0 and given is None and _probed(effort, plan, done):
            return
        if told and turn > 0 and _agreed(effort):
            return
        # A point that waits to be converged cannot be certified yet.
        fallen = effort.least < before * lower
        if patient and fallen and not effort.waits(done) and _optimal(effort, plan):
            return
        # Where the rounds' own starts are good, the whole ladder comes once a cycle; else always.
        due = not patient or effort.rounds >= plan.limit or plan.course.cycle_ends(turn + 1)
        # A level is climbed from once: another round that ends at it has nothing new to offer.
        if due and effort.best is not None and effort.least < climbed * lower:
            climbed = effort.least
            stuck = effort.converge_best() if patient else done
            if stuck.status == FITTED or _climb(effort, stuck, plan):
                return
            climbed = min(climbed, effort.least)
        idle = 0 if effort.least < before * lower else idle + 1
        if plan.noise is not None and idle >= effort.policy.noisy_rounds:
            return


def _affordable(effort: Effort, start: Start) -> Start | None:
    """The start; for the first point of all another one where it is too dear, later none."""
    for one in (start, Spectral(), Gaussian(1.0)):
        if one.least(effort.problem, effort.allowance) + POINT <= effort.account.left:
            return one
        if effort.best is not None:
            return None
    return Gaussian(1.0)


def _begun(effort: Effort, start: Start, seed: int) -> tuple[Start, Begun]:
    """What a start hands over; where it got nowhere for want of time or budget, a random factor."""
    try:
        begun = start.begin(effort.problem, seed, effort.allowance)
    except OutOfTime:
        if effort.best is not None or effort.telling.enough:
            raise
        start = Gaussian(1.0)
        begun = start.begin(effort.problem, seed, effort.allowance)
    return start, checked(begun, start, effort.problem)


def _round(
    effort: Effort, start: Start, seed: int, patient: bool, *, probe: bool = False
) -> Descent:
    """Start and local solve of one round; one that could be the best may wait if patient."""
    allowance = effort.allowance
    allowance.first = effort.rounds == 0
    start, begun = _begun(effort, start, seed)
    effort.begun(start, begun)
    tried = begun.completion is not None and effort.account.left >= 2 * POINT
    fit = effort.reached(begun.X, "fit") if tried else None
    if fit is not None:
        done = fit
    elif probe:
        done = effort.probe(begun.X)
    else:
        done = effort.attempt(begun.X, "descent", start.hopeless, later=patient)
    effort.ends.add(str(start), done.X, done.objective)
    effort.rounds += 1
    return done


def _to_the_digits(effort: Effort, done: Descent) -> bool:
    """Whether a solve that did not end at round-off has come as near as the data's digits allow."""
    if not 0 < done.objective <= 10 * effort.digits:
        return False
    if done.objective > effort.digits and effort.waits(done):
        done = effort.converge(done, steps=LAST_STEPS)
    return done.objective <= effort.digits


def _agreement_tells(effort: Effort, plan: Search) -> bool:
    """Whether agreement may end the search: the measurements are many, and no noise level does."""
    policy, dof = effort.policy, effort.problem.degrees_of_freedom
    share = excess_rows(effort.problem)
    many = share >= policy.settled_rows and (share - 1) * dof >= policy.settled_excess
    return many and plan.noise is None and plan.rule is not None and effort.rounds < plan.limit


def _probed(effort: Effort, plan: Search, done: Descent) -> bool:
    """Whether cheap starts unlike the first one end where it did, or at a fit."""
    if effort.waits(done):
        effort.waiting.clear()
        done = effort.converge(done)
        if done.status == FITTED:
            return True
    for k in range(effort.policy.probes):
        spectral = Spectral()
        start = Gaussian(1.0) if k or effort.ends.has(str(spectral)) else spectral
        if _affordable(effort, start) is None or effort.rounds >= plan.limit:
            return False
        done = _round(effort, start, plan.seed + PROBE_SEED + k, False, probe=True)
        effort.probes += 1
        if done.status == FITTED or _to_the_digits(effort, done) or _agreed(effort):
            return True
    return False


def _asked_again(effort: Effort, plan: Search) -> None:
    """Complete a noisy matrix from other first messages: whether they end where the first did.

    With the noise known to be there this takes a tenth of the first completion.
    """
    start, policy = BeliefPropagation(noise=True), effort.policy
    if plan.noise is not None or excess_rows(effort.problem) < policy.agree_rows:
        return
    first = effort.completion
    for k in range(policy.agree - 1):
        if effort.rounds >= plan.limit or _affordable(effort, start) is not start:
            break
        _round(effort, start, plan.seed + PROBE_SEED + k, True)
        effort.probes += 1
    effort.completion = first


def _agreed(effort: Effort) -> bool:
    """Whether several unlike starts have ended at the lowest matrix."""
    if effort.best is None:
        return False
    needed = rounds_needed(effort.problem, effort.policy, effort.least / effort.full)
    return effort.ends.at(effort.best, effort.least, matrix=True) >= needed


def _certified(effort: Effort, plan: Search, X: Factor, objective: float) -> Certificate:
    """Certify a point on the run's account."""
    point = certify(
        effort.problem, X, trace_bound=plan.trace_bound, noise=plan.noise, second_order=False
    )
    effort.account.charge(POINT)
    effort.telling.note(f"certified {point.kind}", objective)
    return point


def _optimal(effort: Effort, plan: Search) -> bool:
    """Whether the best point so far is certified."""
    if effort.best is None or not effort.reserve.judges:
        return False
    return _certified(effort, plan, effort.best, effort.least).success


def _climb(effort: Effort, done: Descent, plan: Search) -> bool:
    """Escape from stuck points while that lowers h; whether the end is reached."""
    while effort.reserve.judges:
        point = _certified(effort, plan, done.X, done.objective)
        if point.success:
            return True
        if plan.rule is None:
            return False
        lower = _try(effort, plan.rule.candidates(effort.problem, done.X, point), done)
        if lower is None:
            return False
        done = lower
        if done.status == FITTED:
            return True
    return False


def _try(effort: Effort, candidates: Iterable[Candidate], done: Descent) -> Descent | None:
    """Judge candidates after their local solve; the first that ends lower wins."""
    for candidate in candidates:
        if effort.account.left < effort.policy.candidate + POINT + STEP:
            return None
        effort.account.charge(effort.policy.candidate)
        X = candidate.point
        if candidate.settle is not None:
            whole = candidate.kind == "replace"
            level = candidate.settle * (1.0 if whole else effort.fraction(done.objective))
            X = effort.settle(X, level, f"{candidate.kind} (wide)")
        # What descent in a wide factor leaves is as good as the rounds' own starts.
        hopeless = HOPELESS_POOR if candidate.settle is None else HOPELESS
        after = effort.attempt(X, candidate.kind, hopeless)
        effort.escapes.append(dataclasses.replace(candidate, objective_after=after.objective))
        if after.objective < done.objective * (1 - effort.policy.lower):
            return after
    return None
