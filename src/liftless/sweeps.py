"""Many recoveries of one problem: from many starts, and of parts of it that tell the rank."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InvalidInput
from liftless._held_out import above, error_of, parts
from liftless._show import table_html, table_text
from liftless.operators import measure
from liftless.problem import Problem
from liftless.recovery import Recovery, recover
from liftless.recovery.loop import BUDGET
from liftless.regularisers import Ridge
from liftless.schedule import Scheduler


@dataclass(frozen=True, repr=False)
class ManyStarts:
    """Result of :func:`recover_many`.

    Attributes
    ----------
    best : Recovery
        The one of least h; of equal ones that of the first seed.
    seeds : tuple of int
        In the order in which they were given.
    objectives : tuple of float
        h of each.
    kinds : tuple of str
    """

    best: Recovery
    seeds: tuple[int, ...]
    objectives: tuple[float, ...]
    kinds: tuple[str, ...]

    def __repr__(self) -> str:
        return table_text(self._rows())

    def _repr_html_(self) -> str:
        return table_html(self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        each = zip(self.seeds, self.objectives, self.kinds, strict=True)
        rows = [(f"seed {seed}", f"h {h:.6g}, {kind}") for seed, h, kind in each]
        return [*rows, ("best", f"seed {self.best.seed}: {self.best.message}")]


def recover_many(
    problem: Problem,
    seeds: int | Sequence[int] = 8,
    *,
    budget: int = BUDGET,
    noise: float | None = None,
    scheduler: str | Scheduler | None = None,
    jobs: int = 1,
    callback: Callable[[dict], None] | None = None,
) -> ManyStarts:
    """Recover one problem from many starts, one after another or over processes.

    Parameters
    ----------
    problem : Problem
        Of an operator that can be sent to another process, where it is.
    seeds : int or sequence of int
        Of :func:`recover`, one a start; a number k stands for 0 to k − 1.
    budget : int
        Of each.
    noise : float, optional
        Standard deviation of the noise.
    scheduler : {"local", "processes"} or str, optional
        Also ``dask:FILE`` and ``dask:ADDRESS`` (extra ``dask``); by default processes where there
        are several jobs.  Another process imports JAX by itself and computes on one thread.
    jobs : int
        Processes of this machine.
    callback : callable, optional
        Called with a dictionary after each recovery: ``seed``, ``objective``, ``kind``.

    Returns
    -------
    ManyStarts
        The same wherever it was computed.

    Raises
    ------
    InvalidInput
        An argument that cannot be used, or a scheduler that is not there.
    """
    listed = list(range(positive_int("seeds", seeds))) if isinstance(seeds, int) else list(seeds)
    listed = [positive_int("seeds", seed, least=0) for seed in listed]
    if not listed or len(set(listed)) < len(listed):
        raise InvalidInput("seeds", describe(listed), "different whole numbers, at least one")
    where = Scheduler.of(scheduler, jobs)
    _check(problem)
    done: dict[int, Recovery] = {}

    def keep(found: Recovery) -> None:
        done[found.seed] = found
        if callback is not None:
            callback({"seed": found.seed, "objective": found.fun, "kind": found.kind})

    where.run(partial(_one_start, problem, budget, noise), listed, keep)
    found = [done[seed] for seed in listed]
    best = min(found, key=lambda one: one.fun)
    objectives = tuple(float(one.fun) for one in found)
    return ManyStarts(best, tuple(listed), objectives, tuple(one.kind for one in found))


def _check(problem: Any) -> None:
    if not isinstance(problem, Problem):
        cure = "Write Problem(operator, b, rank)."
        raise InvalidInput("problem", describe(problem), "a Problem", cure)


def _one_start(problem: Problem, budget: int, noise: float | None, seed: int) -> Recovery:
    return recover(problem, seed=seed, budget=budget, noise=noise)


@dataclass(frozen=True, repr=False)
class HeldOut:
    """Result of :func:`hold_out`.

    Attributes
    ----------
    rows : tuple of dict
        One a model, in the order of ranks and then of ridges: ``rank``, ``ridge``, ``error`` (root
        mean square of w (A(X Xᵀ) − b) over measurements that were held out) and ``spread``, the
        standard error of that.
    rank : int
    ridge : float
        Of the smallest rank, and of it the largest ridge, whose mean squared error is within one
        standard error of the least (Breiman and others 1984, section 3.4.3), the standard error
        being that of the difference.
    """

    rows: tuple[dict, ...]
    rank: int
    ridge: float
    squares: np.ndarray = field(repr=False)

    def __repr__(self) -> str:
        return table_text(self._rows())

    def _repr_html_(self) -> str:
        return table_html(self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        said = [
            (
                f"rank {row['rank']}",
                f"ridge {row['ridge']:.3g}: held-out error {row['error']:.4g} ± "
                f"{row['spread']:.2g}",
            )
            for row in self.rows
        ]
        return [*said, ("chosen", f"rank {self.rank}, ridge {self.ridge:.3g}")]


def hold_out(
    problem: Problem,
    ranks: Sequence[int],
    ridges: Sequence[float] = (0.0,),
    *,
    folds: int = 5,
    seed: int = 0,
    budget: int = BUDGET,
    scheduler: str | Scheduler | None = None,
    jobs: int = 1,
    callback: Callable[[dict], None] | None = None,
) -> HeldOut:
    """Choose rank and ridge by measurements that are held out, over processes where asked.

    Parameters
    ----------
    problem : Problem
        With the squared loss and no regulariser; its own rank does not matter.
    ranks : sequence of int
    ridges : sequence of float
        Weights of :class:`Ridge`, 0 for none.
    folds : int
        Parts that are held out in turn, at least 2.
    seed : int
        Of the parts and of the recoveries.
    budget : int
        Of each recovery; there are ranks × ridges × folds.
    scheduler, jobs
        As for :func:`recover_many`.
    callback : callable, optional
        Called with a dictionary after each recovery: ``rank``, ``ridge``, ``fold``.

    Returns
    -------
    HeldOut
        The same wherever it was computed.

    Raises
    ------
    InvalidInput
        An argument that cannot be used, or a scheduler that is not there.
    """
    _check(problem)
    if problem.regularisers or problem.loss.name != "squared":
        was = f"with {problem.loss.name} loss and {len(problem.regularisers)} regulariser(s)"
        raise InvalidInput("problem", was, "of squared loss without a regulariser")
    folds = positive_int("folds", folds, least=2, most=problem.m)
    most = problem.space.most_columns
    models = [
        (positive_int("ranks", rank, most=most), real_number("ridges", ridge, least=0.0))
        for rank in ranks
        for ridge in ridges
    ]
    if not models:
        raise InvalidInput("ranks", "without a model", "at least one rank and one ridge")
    fold = parts(problem.m, folds, seed)
    tasks = [(k, rank, ridge) for k in range(folds) for rank, ridge in models]
    squares = np.full((len(models), problem.m), math.nan)

    def keep(done: tuple[int, int, float, np.ndarray]) -> None:
        k, rank, ridge, off = done
        squares[models.index((rank, ridge)), fold == k] = off**2
        if callback is not None:
            callback({"rank": rank, "ridge": ridge, "fold": k})

    function = partial(_one_fold, problem, fold, seed, budget)
    # Folds have sizes, and so compiled code, of their own.
    Scheduler.of(scheduler, jobs).run(function, tasks, keep, key=lambda task: task[0])
    used = np.asarray(problem.weights) != 0
    return _chosen(models, squares[:, used])


def _one_fold(
    problem: Problem, fold: np.ndarray, seed: int, budget: int, task: tuple[int, int, float]
) -> tuple[int, int, float, np.ndarray]:
    """Misfit of one model at the measurements of one fold, which it was not shown."""
    k, rank, ridge = task
    hidden = fold == k
    part = Problem(
        problem.operator[~hidden],
        np.asarray(problem.b)[~hidden],
        rank,
        weights=np.asarray(problem.weights)[~hidden],
        regularisers=(Ridge(ridge),) if ridge > 0 else (),
    )
    found = recover(part, seed=seed, budget=budget)
    off = np.asarray(measure(problem.operator[hidden], found.x, found.x))
    off = (off - np.asarray(problem.b)[hidden]) * np.asarray(problem.weights)[hidden]
    return k, rank, ridge, off


def _chosen(models: list[tuple[int, float]], squares: np.ndarray) -> HeldOut:
    rows = []
    for (rank, ridge), square in zip(models, squares, strict=True):
        error, spread = error_of(square)
        rows.append({"rank": rank, "ridge": ridge, "error": error, "spread": spread})
    least = squares[int(np.argmin(squares.mean(axis=1)))]
    good = [k for k, square in enumerate(squares) if above(square, least) <= 1]
    best = min(good, key=lambda k: (models[k][0], -models[k][1]))
    rank, ridge = models[best]
    return HeldOut(tuple(rows), rank, ridge, squares)


__all__ = ["HeldOut", "ManyStarts", "hold_out", "recover_many"]
