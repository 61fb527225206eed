"""One trial: an instance by its seed, a method on it, and what came out, as a row.

A row's numbers depend on the cell, the trial, the seed, the budget and the method alone.
"""

import hashlib
import math
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import equinox as eqx
import numpy as np

from liftless._compiled import generation
from liftless.descent import Stop, descend
from liftless.identify import identifiability
from liftless.instances import Instance
from liftless.problem import Problem
from liftless_papers.compare.cells import Cell
from liftless_papers.compare.peers import Attempt, Peer
from liftless_papers.compare.peers.base import LEAST_BUDGET
from liftless_papers.compare.published import BLOCK, determined_lines, errors
from liftless_papers.compare.rows import Row

#: The data are fitted at h <= TARGET h(0).
TARGET = 1e-20
#: A matrix is right within this relative distance from the truth.
RIGHT = 1e-6
#: With noise, a fit is one that reaches this multiple of what descent from the truth reaches.
NOISY = 1.001
#: Round-off allowed when h is evaluated anew: of TARGET, where the residual is cancellation, and
#: of a noise level.
SLACK, ROUND_OFF = 1e-3, 1e-6
#: Singular values of the truth below this fraction of the largest are no part of its rank.
NULL = 1e-12
#: Instances kept in memory, so that all methods share one.
KEPT = 2

_NONE = type(None)
#: Fields of a row, and their types.
KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("family", "cell", "method", "message"), (str,)),
    **dict.fromkeys(("trial", "instance_seed", "solver_seed", "n", "rank", "m", "dof"), (int,)),
    **dict.fromkeys(("jacobian_rank", "applications", "starts"), (int,)),
    **dict.fromkeys(("success", "right"), (bool, _NONE)),
    **dict.fromkeys(("fitted", "identifiable"), (bool,)),
    "seconds": (float, int),
    "objective": (float, int, _NONE),
}

#: Shapes at which a method has run in this process: what it compiles is compiled.
_WARM: set[tuple] = set()
#: Most applications of the second part of a warm-up: a whole cycle of rounds and the ladder after
#: it.  Twice the budget, since another instance may get there sooner.
WARM_UP = 9000


@dataclass(frozen=True)
class Trial:
    """One method on one instance.

    Attributes
    ----------
    cell : Cell
    method : str
    peer : type of Peer
        A class that a new process can import by its name.
    trial : int
        Number within the cell.
    seed : int
        Of the whole comparison.
    budget : int
        Applications of A or A* to one matrix.
    """

    cell: Cell
    method: str
    peer: type[Peer] = field(repr=False)
    trial: int
    seed: int
    budget: int


def trial_seeds(seed: int, cell: str, trial: int) -> tuple[int, int]:
    """Seeds of the instance and of the solver's own randomness.

    Parameters
    ----------
    seed : int
        Of the comparison.
    cell : str
        Name of the cell.
    trial : int

    Returns
    -------
    instance, solver : int
        Below 2⁵³, so that every reader of JSON has them exactly.

    Notes
    -----
    The first two words of ``numpy.random.SeedSequence([seed, trial, *w])``, where w are the first
    128 bits of SHA-256 of the cell's name.  All methods meet the same instances; cells share none.
    The two must differ: with one seed for both, a random start would be the truth itself.
    """
    digest = hashlib.sha256(cell.encode()).digest()[:16]
    words = np.frombuffer(digest, dtype="<u4")
    sequence = np.random.SeedSequence([seed, trial, *(int(word) for word in words)])
    first, second = sequence.generate_state(2, np.uint64)
    return int(first >> np.uint64(11)), int(second >> np.uint64(11))


@dataclass(frozen=True)
class Prepared:
    """An instance with what is judged against.

    Attributes
    ----------
    instance : Instance
    full : float
        h at zero.
    level : float
        With noise, the h that counts as a fit; else zero.
    jacobian_rank : int or None
        At the truth; None where lines are counted instead.
    dof : int
    identifiable : bool
        Whether the Jacobian has the rank that it can have; where success is judged on the
        determined block, whether there is one.
    known : boolean array of shape (n,) or None
        Lines of that block.
    """

    instance: Instance
    full: float
    level: float
    jacobian_rank: int | None
    dof: int
    identifiable: bool
    known: np.ndarray | None = None


@lru_cache(maxsize=KEPT)
def prepare(cell: Cell, seed: int) -> Prepared:
    """Build the instance of a seed and what its trials are judged by."""
    instance = cell.make(seed)
    problem, truth = instance.problem, instance.truth
    assert truth is not None, "every cell has a known truth"
    full = float(problem.objective(np.zeros_like(truth)))
    if cell.by_block:
        known = determined_lines(problem)
        block = min(known[side].sum() for side in problem.space.sides) >= problem.rank
        dof = problem.degrees_of_freedom
        return Prepared(instance, full, 0.0, None, dof, bool(block), known)
    level = NOISY * _oracle(problem, truth) if cell.noisy else 0.0
    # Of a truth of lower rank than sought, the Jacobian is judged among matrices of its rank.
    s = np.linalg.svd(truth, compute_uv=False)
    rank = max(1, int(np.sum(s > NULL * s[0])))
    space = problem.operator.space
    found = identifiability(problem.with_rank(rank), space.truncate(truth, rank))
    return Prepared(instance, full, level, found.rank, found.dof, bool(found.identifiable))


def _oracle(problem: Problem, truth: np.ndarray) -> float:
    """Return the h that descent from the truth reaches."""
    return float(descend(problem, truth, stop=Stop(gradient=1e-10)).objective)


def run_trial(trial: Trial) -> Row:
    """Solve and judge.

    Parameters
    ----------
    trial : Trial

    Returns
    -------
    Row
        ``success`` is None where the instance is not identifiable: it is neither.  In the published
        completion cells it is a relative error below 1e-6 on the block of determined lines, which
        is ``block``; that of the whole matrix is ``whole``, and ``unknown`` counts the other lines.
        They are None elsewhere.

    Notes
    -----
    Before the first solve at a new shape in a process a method is warmed up, so that ``seconds``
    has no compilation in it.  An exception of a method is a failure with a message.
    """
    seeds = trial_seeds(trial.seed, trial.cell.name, trial.trial)
    ready = prepare(trial.cell, seeds[0])
    problem = ready.instance.problem
    peer = _peer(trial)
    settings = {"budget": trial.budget, "seed": seeds[1], "target": TARGET, "level": ready.level}
    kind = type(problem.operator).__name__
    # With what else was compiled, the programs of a shape may have been dropped since.
    shape = (generation(), trial.method, kind, problem.n, problem.m, problem.rank, trial.cell.noisy)
    if trial.cell.by_block and peer.compiles:
        # Sizes of what is left after peeling, and so what is compiled, differ between draws.
        shape += (seeds[0],)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if shape not in _WARM:
            _warm_up(peer, problem, settings, twice=not trial.cell.by_block)
            _WARM.add(shape)
        attempt, seconds = _solve(peer, problem, settings)
    row = _head(trial, ready, seeds)
    if isinstance(attempt, Exception):
        message = f"{type(attempt).__name__}: {attempt}"
        return row | _verdict(trial, ready, None) | _tail(trial.budget, seconds, 0, None, message)
    h = float(problem.objective(attempt.X)) if np.all(np.isfinite(attempt.X)) else math.inf
    tail = _tail(attempt.applications, seconds, attempt.starts, h, attempt.message, attempt.lsqr)
    return row | _verdict(trial, ready, attempt.X) | tail


def _peer(trial: Trial) -> Peer:
    """Build the peer; the others are told the level of a fit, one with a field ``noise`` that."""
    told = trial.cell.noisy and hasattr(trial.peer, "noise")
    return trial.peer(**({"noise": float(trial.cell.parameters["noise"])} if told else {}))


def _warm_up(
    peer: Peer, problem: Problem, settings: Mapping[str, Any], *, twice: bool = True
) -> None:
    """Run a method on the problem, and on one that it cannot solve, so that all of it compiles.

    With the measurements reversed no matrix of low rank fits, and the parts of a method that come
    after a failure are met as well.  A method on the host alone only evaluates once.
    """
    if not peer.compiles:
        _solve(peer, problem, {**settings, "budget": LEAST_BUDGET})
        return
    _solve(peer, problem, settings)
    if not twice:
        return
    hard = eqx.tree_at(lambda p: p.b, problem, np.ascontiguousarray(problem.b[::-1]))
    _solve(peer, hard, {**settings, "budget": min(2 * settings["budget"], WARM_UP)})


def _solve(
    peer: Peer, problem: Problem, settings: Mapping[str, Any]
) -> tuple[Attempt | Exception, float]:
    began = time.perf_counter()
    try:
        attempt: Attempt | Exception = peer.solve(problem, **settings)
    except Exception as error:  # a peer is other people's code too: its failure is a result
        attempt = error
    return attempt, time.perf_counter() - began


def _head(trial: Trial, ready: Prepared, seeds: tuple[int, int]) -> Row:
    problem = ready.instance.problem
    return {
        "family": trial.cell.family,
        "cell": trial.cell.name,
        "method": trial.method,
        "trial": trial.trial,
        "instance_seed": seeds[0],
        "solver_seed": seeds[1],
        "budget": trial.budget,
        "n": problem.n,
        "rank": problem.rank,
        "m": problem.m,
        "dof": ready.dof,
        "jacobian_rank": ready.jacobian_rank,
    }


def _verdict(trial: Trial, ready: Prepared, X: np.ndarray | None) -> Row:
    """Judge a factor by the problem's own objective and the truth, not by the peer's word."""
    fitted, right = False, None if trial.cell.noisy else False
    inside = whole = None
    if X is not None and np.all(np.isfinite(X)):
        h = float(ready.instance.problem.objective(X))
        goal = max(ready.level * (1 + ROUND_OFF), TARGET * (1 + SLACK) * ready.full)
        fitted = bool(h <= goal)
        truth = ready.instance.truth
        assert truth is not None
        space = ready.instance.problem.space
        if ready.known is not None:
            inside, whole = errors(X, truth, ready.known, space)
            right = bool(inside < BLOCK)
        elif not trial.cell.noisy:
            right = bool(space.distance(X, truth) <= RIGHT * space.size(truth))
    good = right if ready.known is not None else fitted and right is not False
    success = good if ready.identifiable else None
    return {
        "success": success,
        "fitted": fitted,
        "right": right,
        "identifiable": ready.identifiable,
        "block": inside,
        "whole": whole,
        "unknown": None if ready.known is None else int(np.sum(~ready.known)),
    }


def _tail(
    applications: int, seconds: float, starts: int, h: float | None, message: str, lsqr: int = 0
) -> Row:
    return {
        "applications": int(applications),
        "lsqr": int(lsqr),
        "seconds": float(seconds),
        "starts": int(starts),
        "objective": h if h is not None and math.isfinite(h) else None,
        "message": message,
    }
