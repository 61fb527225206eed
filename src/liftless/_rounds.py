"""Rounds of a recovery: a start, a local solve, and escapes from the lowest level so far."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from liftless._run import LOWER, START_COST, Factor, Run
from liftless.certificate import Certificate, certify
from liftless.descent import Descent
from liftless.descent.loop import FITTED
from liftless.escape import Candidate, Escape
from liftless.escape.moves import SETTLE_OVER
from liftless.start import (
    SMALL,
    Plain,
    Reweighting,
    cycle_ends,
    random_start,
    reweighted_start,
    round_plan,
    spectral_start,
)

#: Applications charged for a candidate: one eigenproblem, a line, a value.
CANDIDATE_COST = 5
#: Largest n for which a plain round is n columns wide.
SQUARE = 300
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
    later = _later(run)
    while run.left > 0 and run.rounds < plan.limit:
        before = run.least
        default = run.rounds > 0 or (isinstance(plan.first, str) and plan.first == "reweighted")
        start = later if default else plan.first
        done = _round(run, start, plan.seed)
        run.rounds += 1
        if done.status == FITTED:
            return
        ours = isinstance(start, str) and start == "reweighted"
        if ours and run.least < before and _optimal(run, plan):
            return
        # Where the rounds' own starts are good, the whole ladder comes once a cycle; else always.
        due = not ours or run.rounds == plan.limit or cycle_ends(run.rounds)
        # A level is climbed from once: another round that ends at it has nothing new to offer.
        if due and run.best is not None and run.least < climbed * (1 - LOWER):
            climbed = run.least
            stuck = run.converge(run.best) if ours else done
            if stuck.status == FITTED or _climb(run, stuck, plan):
                return
            climbed = min(climbed, run.least)
        idle = 0 if run.least < before * (1 - LOWER) else idle + 1
        if plan.noise is not None and idle >= NOISY_ROUNDS:
            return


def _later(run: Run) -> str:
    """Kind of start of the later rounds, and of the first if that is the default."""
    problem = run.problem
    reweighted = problem.loss.quadratic and float(problem.trace_weight) == 0
    return "reweighted" if reweighted and run.method is None and run.over > problem.rank else "over"


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


def _round(run: Run, start: str | Factor, seed: int) -> Descent:
    """Start and local solve of one round."""
    problem, number = run.problem, run.rounds
    if not isinstance(start, str):
        return run.local(start, "descent")
    if start == "random":
        run.spent += START_COST
        return run.local(random_start(problem, problem.rank, seed + number, size=SMALL), "descent")
    if start == "spectral":
        run.spent += START_COST
        return run.local(spectral_start(problem, problem.rank), "descent")
    X = _low_rank_start(run, start, seed + number)
    return run.attempt(X, "descent", good=True)


def _low_rank_start(run: Run, start: str, seed: int) -> Factor:
    """Start of a round by descent in a wide factor."""
    problem, number = run.problem, run.rounds
    X, top = run.spectral
    run.size = max(run.size, float(np.linalg.norm(X)))
    plan = round_plan(number) if start == "reweighted" else None
    if number > 0:
        run.spent += 2
        square = isinstance(plan, Plain) and problem.n <= SQUARE
        width = problem.n if square else run.over
        X = random_start(problem, width, seed, fallback=run.size)
    if X.shape[1] == problem.rank:
        return X
    if not isinstance(plan, Reweighting) or not np.any(X):
        return run.settle(X, SETTLE_OVER, "over")
    X, applications, course = reweighted_start(problem, X, plan, top, seed=seed, budget=run.left)
    run.spent += applications
    run.latest = X
    reached = float(course[-1]) if course.size else math.nan
    run.note(f"start {plan}", reached, course if run.trace else None)
    return X


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
        after = run.attempt(X, candidate.kind, good=candidate.settle is not None)
        run.escapes.append(dataclasses.replace(candidate, objective_after=after.objective))
        if after.objective < done.objective * (1 - LOWER):
            return after
    return None
