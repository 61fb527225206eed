"""Rounds of a recovery: a start, a local solve, and escapes from the lowest level so far."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from liftless._run import HOPELESS, HOPELESS_NEAR, HOPELESS_POOR, LOWER, START_COST, Factor, Run
from liftless.certificate import Certificate, certify
from liftless.descent import Descent
from liftless.descent.loop import FITTED
from liftless.escape import Candidate, Escape
from liftless.escape.moves import SETTLE_OVER
from liftless.start import (
    GENERAL,
    SMALL,
    Course,
    Passing,
    Reflection,
    Reweighting,
    course_of,
    passing_start,
    random_start,
    reflection_start,
    reweighted_start,
    spectral_start,
)

#: Applications charged for a candidate: one eigenproblem, a line, a value.
CANDIDATE_COST = 5
#: Largest n for which a plain round is n columns wide.
SQUARE = 300
#: First starts that stand for a course of rounds.
COURSES = ("auto", "reweighted")
#: Rounds without improvement after which a noisy problem is given up.
NOISY_ROUNDS = 2


@dataclass(frozen=True)
class Search:
    """What a search is told.

    Attributes
    ----------
    first : str or array of shape (n, r)
        Start of the first round.
    rule : Escape or None
    seed : int
    limit : float
        Most rounds.
    trace_bound, noise : float or None
        As for :func:`liftless.certify`.
    """

    first: str | Factor
    rule: Escape | None
    seed: int
    limit: float
    trace_bound: float | None
    noise: float | None


def search(run: Run, plan: Search) -> None:
    """Rounds until the answer is certified, or the budget or the limit is reached."""
    idle = 0
    climbed = math.inf
    course = _course(run, plan)
    while run.left > 0 and run.rounds < plan.limit:
        before = run.least
        given = run.rounds == 0 and not _named(plan.first, *COURSES)
        done = _given(run, plan) if given else _scheduled(run, course, plan.seed)
        run.rounds += 1
        if done.status == FITTED:
            return
        ours = None if given else course
        # A point that waits to be converged cannot be certified yet.
        if ours and run.least < before and not run.waits(done) and _optimal(run, plan):
            return
        # Where the rounds' own starts are good, the whole ladder comes once a cycle; else always.
        due = ours is None or run.rounds == plan.limit or ours.cycle_ends(run.rounds)
        # A level is climbed from once: another round that ends at it has nothing new to offer.
        if due and run.best is not None and run.least < climbed * (1 - LOWER):
            climbed = run.least
            stuck = run.converge_best() if ours else done
            if stuck.status == FITTED or _climb(run, stuck, plan):
                return
            climbed = min(climbed, run.least)
        idle = 0 if run.least < before * (1 - LOWER) else idle + 1
        if plan.noise is not None and idle >= NOISY_ROUNDS:
            return


def _named(first: str | Factor, *names: str) -> bool:
    return isinstance(first, str) and first in names


def _course(run: Run, plan: Search) -> Course | None:
    """Course of the rounds; None where each is a plain over-parameterised start."""
    problem = run.problem
    quadratic = problem.loss.quadratic and float(problem.trace_weight) == 0
    if not quadratic or run.method is not None or run.over <= problem.rank:
        return None
    return GENERAL if _named(plan.first, "reweighted") else course_of(problem)


def _certified(run: Run, plan: Search, X: Factor, objective: float) -> Certificate:
    """Certify a point on the run's account."""
    point = certify(
        run.problem, X, trace_bound=plan.trace_bound, noise=plan.noise, second_order=False
    )
    run.spent += 2
    run.note(f"certified {point.kind}", objective)
    return point


def _optimal(run: Run, plan: Search) -> bool:
    """Whether the best point so far is certified."""
    return run.best is not None and _certified(run, plan, run.best, run.least).optimal


def _given(run: Run, plan: Search) -> Descent:
    """First round from the start that was asked for."""
    problem, first = run.problem, plan.first
    if not isinstance(first, str):
        return run.local(first, "descent")
    if first == "over":
        return _over(run, plan.seed, run.over)
    run.spent += START_COST
    if first == "spectral":
        X = spectral_start(problem, problem.rank)
    else:
        X = random_start(problem, problem.rank, plan.seed, size=SMALL)
    return run.local(X, "descent")


def _scheduled(run: Run, course: Course | None, seed: int) -> Descent:
    """Start and local solve of one round of a course; plain over-parameterised without one."""
    problem, seed = run.problem, seed + run.rounds
    plan = None if course is None else course.plan(run.rounds)
    if isinstance(plan, Passing):
        X, applications, error = passing_start(problem, plan, seed, run.left)
        return run.begin(X, str(plan), applications, error=error, hopeless=HOPELESS_NEAR)
    if isinstance(plan, Reflection):
        X, applications, gap = reflection_start(problem, plan, seed, run.left)
        return run.begin(X, str(plan), applications, error=gap, hopeless=HOPELESS_NEAR)
    if isinstance(plan, Reweighting):
        W = _wide(run, seed, run.over)
        if not np.any(W):  # then zero is the optimum
            return run.attempt(W[:, : problem.rank], "descent")
        top, left = run.spectral[1], run.left
        X, applications, values = reweighted_start(problem, W, plan, top, seed=seed, budget=left)
        return run.begin(X, str(plan), applications, values)
    square = plan is not None and problem.n <= SQUARE
    return _over(run, seed, problem.n if square else run.over)


def _over(run: Run, seed: int, width: int) -> Descent:
    """Plain descent in a wide factor, truncated, and a local solve from there."""
    X = _wide(run, seed, width)
    if X.shape[1] > run.problem.rank:
        X = run.settle(X, SETTLE_OVER, "over")
    return run.attempt(X, "descent", later=run.rounds > 0)


def _wide(run: Run, seed: int, width: int) -> Factor:
    """Spectral factor in the very first round, a Gaussian one later."""
    X, _ = run.spectral
    run.size = max(run.size, float(np.linalg.norm(X)))
    if run.rounds == 0:
        return X
    run.spent += 2
    return random_start(run.problem, width, seed, fallback=run.size)


def _climb(run: Run, done: Descent, plan: Search) -> bool:
    """Escape from stuck points while that lowers h; whether the end is reached."""
    while run.left > 0:
        point = _certified(run, plan, done.X, done.objective)
        if point.optimal:
            return True
        if plan.rule is None:
            return False
        lower = _try(run, plan.rule.candidates(run.problem, done.X, point), done)
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
        # What descent in a wide factor leaves is as good as the rounds' own starts.
        hopeless = HOPELESS_POOR if candidate.settle is None else HOPELESS
        after = run.attempt(X, candidate.kind, hopeless)
        run.escapes.append(dataclasses.replace(candidate, objective_after=after.objective))
        if after.objective < done.objective * (1 - LOWER):
            return after
    return None
