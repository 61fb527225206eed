"""Completion: peel, propagate beliefs on the core, polish, and put the peeled lines back."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from liftless._checks import positive_int
from liftless._precision import double
from liftless.problem import Problem
from liftless.space import Space
from liftless.start.belief.local import least_polish
from liftless.start.belief.observed import (
    Observed,
    check_rank,
    digits_of,
    evened,
    holds,
    observed,
    restricted,
)
from liftless.start.belief.peel import Peeled, extend, moment_root, peel, priors_of
from liftless.start.belief.propagate import Propagation
from liftless.start.belief.result import Completion
from liftless.start.belief.work import Run, Standing, Work

Factor = Float[np.ndarray, "n r"]


@dataclass(frozen=True)
class Schedule:
    """When belief propagation stops, and what is done then.

    Attributes
    ----------
    sweeps : int
        Most sweeps of the first stage; it doubles from stage to stage, up to ``longest``.
    longest : int
    most : int
        Sweeps after which it is given up.
    resolved : float
        A stage ends when the misfit is below this share of the weakest component's rms: begun
        before, local descent stays in the components that stand out.
    exact : float
        Misfit relative to the entries that counts as round-off.
    agree : tuple of float
        Bounds of the ratio of two estimates of σ within which the misfit is noise.  Measured: .66
        to .99 for noise, below .13 or above 15 for what is only unfinished, 1.9 for too low a rank.
    settle, sure, settled : int, int, float
        Most and fewest sweeps with noise learned, and the relative change over five that ends them.
    coarse : float
        Noise, relative to the entries, below which σ is read off the least-squares misfit, which is
        then within 3 %; above, that misfit fits part of the noise.
    progress : float
        A stage whose misfit fell by less than this factor is the last.
    """

    sweeps: int = 60
    longest: int = 400
    most: int = 2000
    resolved: float = 1e-3
    exact: float = 1e-12
    agree: tuple[float, float] = (0.5, 3.0)
    settle: int = 100
    sure: int = 16
    settled: float = 1e-3
    coarse: float = 0.15
    progress: float = 0.9


@dataclass(frozen=True)
class _Found:
    """What the core ended with, in units of the entries' rms."""

    X: Factor
    end: str
    misfit: float
    sigma: float
    cov: np.ndarray | None
    components: np.ndarray
    sweeps: int
    failed: int


@double
def complete_entries(
    problem: Problem,
    seed: int = 0,
    *,
    schedule: Schedule | None = None,
    budget: float = math.inf,
    progress: Callable[[dict], None] | None = None,
    ended: Callable[[], bool] | None = None,
    noise: bool | None = None,
) -> Completion:
    """Complete a matrix from some of its entries by cavity belief propagation.

    Parameters
    ----------
    problem : Problem
        Of an operator whose measurements are entries.  Its loss and regularisers do not matter.
    seed : int
        Of the first messages, the only randomness.
    schedule : Schedule, optional
    budget : float
        Applications that sweeps, of which one counts as 2r, and local descent keep to; one sweep
        and one step of descent are made in any case.
    progress : callable, optional
        Called with a dictionary after every sweep and stage.
    ended : callable, optional
        Asked after every sweep; once it says True no other is begun.
    noise : bool, optional
        Whether the entries have noise; by default that is found out: an exact fit is tried first.

    Returns
    -------
    Completion
        The same for the same arguments.

    Raises
    ------
    InvalidInput
        If the problem is not made of entries, or no line has as many as the rank.
    """
    seed = positive_int("seed", seed, least=0)
    plan = schedule or Schedule()
    check_rank(problem)
    seen, rms = observed(problem)
    # No fit comes nearer than the digits that the entries are written with.
    plan = replace(plan, exact=max(plan.exact, digits_of(problem)))
    space = problem.space
    core, order = peel(seen.rows, seen.cols, problem.n, problem.rank)
    if not holds(core, space, problem.rank):
        # Nothing is left to begin with: all lines are kept, and none is known by counting.
        core, order = np.ones(problem.n, bool), []
        counted = np.zeros(problem.n, bool)
    else:
        counted = core
    y, seen = seen.y, restricted(seen, core)
    # A sweep's products cost as much as r iterations of conjugate gradients, of two applications.
    run = Run(2.0 * problem.rank, budget, progress, least_polish(problem.rank), ended)
    kept = space.kept(core)
    found = _found(Work(seen, kept, problem.rank, seed, run), plan, noise)
    if found.end == "stuck" and not run.over:
        found = _evened(seen, kept, problem.rank, seed, run, plan) or found
    return _put_back(problem, y, rms, core, counted, order, found, run)


def _found(work: Work, plan: Schedule, noise: bool | None) -> _Found:
    """Beliefs and local descent on the core, stage by stage."""
    if noise:
        return _learned(work.branch(), plan, work.run)
    length, last, shrink = plan.sweeps, math.inf, 1.0
    best: tuple[float, Factor] = (math.inf, work.beliefs.factor())
    while True:
        best, values = _stage(work, plan, length, shrink, best)
        at = work.standing()
        X, misfit = work.polish(best[1], at.sweeps)
        ended = _ended(misfit, values, at, plan, work.run, shrink)
        if ended is None and noise is None:
            found = _as_noise(work, misfit, plan)
            if found is not None:
                return found
        now = float(np.median(values[-10:])) if values else math.inf
        resolved = at.misfit < plan.resolved * shrink * at.weakest
        if ended is None and not resolved and now > plan.progress * last:
            ended = "stuck"
        if ended is not None:
            sigma = 0.0 if ended == "exact" else math.nan
            return _Found(X, ended, misfit, sigma, None, at.components, at.sweeps, at.failed)
        if resolved:
            shrink *= plan.resolved
        else:
            length = min(2 * length, plan.longest)
        last = now


def _evened(
    seen: Observed, space: Space, rank: int, seed: int, run: Run, plan: Schedule
) -> _Found | None:
    """Complete the matrix whose lines were brought to one size first; None unless that is exact.

    Lines of very unlike sizes, as of heavy tails, are not what one Gaussian prior says; but begun
    with this, the weak components of κ = 10⁵ are lost.
    """
    even, factors = evened(seen, space.lines)
    found = _found(Work(even, space, rank, seed, run), plan, False)
    if found.end != "exact":
        return None
    X = found.X / factors[:, None]
    first, last = X[space.sides[0]], X[space.sides[-1]]
    root = moment_root(first)
    squares = np.linalg.eigvalsh(root.T @ (last.T @ last / len(last)) @ root)
    return replace(found, X=X, components=np.sqrt(np.maximum(squares, 0.0))[::-1])


def _as_noise(work: Work, misfit: float, plan: Schedule) -> _Found | None:
    """Beliefs with a noise level, if what local descent left is noise; else None.

    It is if the level that the misfit and the degrees of freedom give, and the one that belief
    propagation learns, agree.
    """
    level = misfit / work.left
    learned = _learned(work.branch(), plan, work.run, level**2)
    ratio = level / learned.sigma if learned.sigma > 0 else math.inf
    if not (plan.agree[0] < ratio < plan.agree[1] and math.isfinite(learned.misfit)):
        return None
    if learned.sigma > plan.coarse:
        return learned
    # Of little noise the misfit of the least-squares solution tells more exactly.
    _, misfit = work.polish(learned.X, learned.sweeps)
    return replace(learned, sigma=misfit / work.left)


def _stage(
    work: Work,
    plan: Schedule,
    length: int,
    shrink: float,
    best: tuple[float, Factor],
) -> tuple[tuple[float, Factor], list[float]]:
    """Sweep until the weakest component is resolved; the best means, and the misfits."""
    beliefs, run = work.beliefs, work.run
    values: list[float] = []
    least, kept = best
    for _ in range(length):
        misfit = beliefs.sweep()
        run.swept(beliefs)
        if not math.isfinite(misfit):
            break
        values.append(misfit)
        goal = max(plan.resolved * shrink * beliefs.weakest(), plan.exact)
        if misfit < least:
            least, fresh = misfit, True
        else:
            fresh = False
        done = misfit < goal or run.over
        # The means are copied when they are about to be needed, not at every sweep.
        if fresh and (done or misfit < 0.5 * best[0] or len(values) == length):
            kept, best = beliefs.factor(), (misfit, kept)
        if done:
            break
    return (least, kept), values


def _ended(
    misfit: float,
    values: list[float],
    at: Standing,
    plan: Schedule,
    run: Run,
    shrink: float,
) -> str | None:
    """How the run ends after a stage, or None if it goes on."""
    if misfit < plan.exact:
        return "exact"
    if run.over:
        return "budget"
    if not values or not math.isfinite(at.misfit) or shrink < 1e-9:
        return "stuck"
    return "stuck" if at.sweeps >= plan.most else None


def _learned(beliefs: Propagation, plan: Schedule, run: Run, noise: float = 0.0) -> _Found:
    """Sweeps that learn the noise level as well, from ``noise`` on, until the misfit rests."""
    beliefs.noise = noise
    values: list[float] = []
    for k in range(plan.settle):
        values.append(beliefs.sweep(learn=True))
        run.swept(beliefs, noise=True)
        if not math.isfinite(values[-1]) or run.over:
            break
        if k >= plan.sure and abs(values[-1] - values[-6]) < plan.settled * values[-1]:
            break
    return _Found(
        beliefs.factor(),
        "noise",
        values[-1],
        math.sqrt(beliefs.noise),
        beliefs.covariances(),
        beliefs.components(),
        beliefs.sweeps,
        beliefs.failed,
    )


def _put_back(
    problem: Problem,
    y: Float[np.ndarray, " m"],
    rms: float,
    core: Bool[np.ndarray, " n"],
    counted: Bool[np.ndarray, " n"],
    order: list[Peeled],
    found: _Found,
    run: Run,
) -> Completion:
    """The whole factor in the data's units."""
    sides = problem.space.sides
    X = np.zeros((problem.n, problem.rank))
    X[core] = found.X
    prior = priors_of(X, core, sides)
    noise = found.sigma if found.cov is not None else 0.0
    X, known, cov = extend(X, counted, order, y, prior, sides[0].stop, noise)
    scale = math.sqrt(rms)
    if found.cov is not None:
        cov[core] = found.cov
    return Completion(
        X=X * scale,
        end=found.end,
        misfit=found.misfit,
        sigma=found.sigma * rms,
        known=known,
        cov=None if found.cov is None else cov * rms,
        components=found.components * rms,
        sweeps=found.sweeps,
        swept=run.sweeps,
        applications=run.spent,
        failed=found.failed,
        space=problem.space,
        history=tuple(run.history),
    )
