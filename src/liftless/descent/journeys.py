"""Perturbed descents with a record of their way, alone or as a batch.

:func:`liftless.descend` runs these methods as it runs any other.  They have a driver of their own
for what its loop does not see: the two phases and the looks between them, each with its curvature;
a history of steps in which a perturbation is a row and no step; the curvature at the end, which
says what the end was; and batches whose looks, an eigenproblem each, are taken together instead of
at every step.  The steps and looks themselves are those of :mod:`liftless.descent.journey`.
"""

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from liftless._checks import describe, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._fields import traced_fields
from liftless._precision import double, on_device
from liftless.descent import journey, lockstep
from liftless.descent.base import Point
from liftless.descent.curvature import STEPS, directions
from liftless.descent.descended import Descended, Run, describe_run
from liftless.descent.journey import Journey
from liftless.descent.perturbed import IPGDPlus, Perturbed, check_seed
from liftless.objective import Objective, check_objective

#: Iterations of the first phase when no limit is given.
MAX_ITERATIONS = 50_000
#: Steps a compiled call records.
CHUNK = 256
#: Steps of plain descent that cost as much as a Hessian product, about.
PRODUCT_COST = 2


class Stacked(eqx.Module):
    """Objectives of one structure and shape, their leaves stacked along a leading axis."""

    objective: Objective


def stack(objectives: Sequence[Objective]) -> Stacked:
    """Stack objectives that differ in their data only, to run them as one batch.

    Raises
    ------
    InvalidInput
        If there is none, or they differ in structure or shape.
    """
    kinds = [
        (jax.tree.structure(f), tuple(np.shape(leaf) for leaf in jax.tree.leaves(f)))
        for f in objectives
    ]
    if not kinds or any(kind != kinds[0] for kind in kinds):
        must = "at least one objective, all of one structure and shape"
        cure = "Build them with the same function, the same rank and data of the same shapes."
        raise InvalidInput("objectives", f"{len(kinds)} that differ", must, cure)
    return Stacked(jax.tree.map(lambda *leaves: np.stack(leaves), *objectives))


@double
def ipgd(
    objective: Any,
    x0: Any,
    method: Any = None,
    *,
    seed: Any = None,
    max_iterations: Any = MAX_ITERATIONS,
    record_every: Any = 0,
) -> Descended:
    """Run a perturbed descent from ``x0``.

    Parameters
    ----------
    objective : Objective or Problem
    x0 : array
        The start; a stationary one, such as zero, is allowed.
    method : PerturbedGD, IPGD or IPGDPlus, optional
        :class:`IPGDPlus` with the adaptive rule by default.
    seed : int, optional
        Of the perturbations, the only randomness; the method's own by default.
    max_iterations : int
        Longest first phase; the local phase has its own limit.
    record_every : int
        Keep every so many iterations in ``history``; 0 for none.

    Returns
    -------
    Descended
        Failure is data: see ``status`` and ``message``.

    Raises
    ------
    InvalidInput
        An argument that cannot be used.
    """
    x = real_array("x0", x0, max(1, np.ndim(x0)))
    f = check_objective(objective, x)
    method = _as_perturbed(method)
    seeds = [method.seed if seed is None else seed]
    return _Batch(f, x[None], method, seeds, max_iterations, record_every).run()[0]


@double
def ipgd_batch(
    objectives: Any,
    x0: Any,
    method: Any = None,
    *,
    seeds: Any,
    max_iterations: Any = MAX_ITERATIONS,
    record_every: Any = 0,
    together: bool | None = None,
) -> tuple[Descended, ...]:
    """Run k perturbed descents, each as :func:`ipgd` would alone.

    Parameters
    ----------
    objectives : Objective, Problem, Stacked, or sequence of k of them
        One for all runs, or one a run: a sequence, or the outcome of :func:`stack`.
    x0 : array of shape (k, …)
        The starts.
    seeds : sequence of k ints
    method, max_iterations, record_every
        As for :func:`ipgd`.
    together : bool, optional
        Whether all runs walk in lockstep as one vectorised batch, or alone, a thread a core.  By
        default alone on CPU, where a vectorised step costs as much as its k steps, or more; and
        together on an accelerator.

    Returns
    -------
    tuple of k Descended

    Raises
    ------
    InvalidInput
        An argument that cannot be used, or numbers of runs that differ.

    Notes
    -----
    Alone, a run is bit for bit that of :func:`ipgd`.  Together it differs by round-off, which a
    saddle far from zero amplifies as it does the perturbation: the answer then may differ by a
    rotation of the factor, and its distance from the region by a factor.
    """
    x = real_array("x0", x0, max(2, np.ndim(x0)))
    if x.shape[0] < 1 or np.shape(seeds) != x.shape[:1]:
        cure = "Repeat a shared start with numpy.broadcast_to(x0, (k, *x0.shape))."
        must = f"{x.shape[0]} ints, one for each start in x0"
        raise InvalidInput("seeds", describe(seeds), must, cure)
    f, many = _gathered(objectives, x)
    method = _as_perturbed(method)
    if together is None:
        together = jax.default_backend() != "cpu"
    if together or x.shape[0] == 1:
        return _Batch(f, x, method, seeds, max_iterations, record_every, stacked=many).run()

    @double
    def alone(i: int) -> Descended:
        # A thread of its own needs the float64 context again.
        one = jax.tree.map(lambda leaf: leaf[i], f) if many else f
        runs = _Batch(one, x[i : i + 1], method, seeds[i : i + 1], max_iterations, record_every)
        return runs.run()[0]

    # The first run compiles; the others find it compiled.
    head = alone(0)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return (head, *pool.map(alone, range(1, x.shape[0])))


def _as_perturbed(method: Any) -> Perturbed:
    method = IPGDPlus() if method is None else method
    if not isinstance(method, Perturbed):
        must = "PerturbedGD, IPGD or IPGDPlus"
        raise InvalidInput("method", describe(method), must, "descend runs every other method.")
    return method


def _gathered(objectives: Any, x: np.ndarray) -> tuple[Objective, bool]:
    """Return the objective, with stacked leaves if there is one a run, and whether there is."""
    if not isinstance(objectives, (Stacked, list, tuple)):
        return check_objective(objectives, x[0]), False
    if isinstance(objectives, Stacked):
        f = objectives.objective
    else:
        f = stack([check_objective(g, x[0]) for g in objectives]).objective
    if any(np.shape(leaf)[:1] != x.shape[:1] for leaf in jax.tree.leaves(f)):
        raise InvalidInput("objectives", "of another number", f"{x.shape[0]}, one for each start")
    return f, True


class _Batch:
    """k runs and what is collected of them on the host."""

    def __init__(
        self,
        objective: Objective,
        x: np.ndarray,
        method: Perturbed,
        seeds: Any,
        max_iterations: Any,
        record_every: Any,
        *,
        stacked: bool = False,
    ) -> None:
        if x[0].size < 1:
            raise InvalidInput("x0", describe(x), "not empty")
        self.most = positive_int("max_iterations", max_iterations)
        self.every = positive_int("record_every", record_every, least=0)
        self.seeds = [int(check_seed(s)) for s in seeds]
        self.rule, self.method = method.rule(), on_device(traced_fields(method))
        self.objective, self.stacked = on_device(objective), stacked
        self.start, self.pool = x, jnp.asarray(directions(x[0].size))
        self.looks: list[list[tuple[int, float]]] = [[] for _ in self.seeds]
        self.rows: list[list[tuple]] = [[] for _ in self.seeds]

    def run(self) -> tuple[Descended, ...]:
        """Plain steps and looks in turn until every run has ended."""
        most, seeds = jnp.asarray(float(self.most)), jnp.asarray(self.seeds)
        x = jnp.asarray(self.start)
        point, state = lockstep.begin(
            self.objective, self.method, most, self.pool, seeds, x, stacked=self.stacked
        )
        self.first = np.asarray(state.walk.value), np.asarray(state.walk.slope)
        self._keep(point, state, range(len(self.seeds)), marked=False)
        price = PRODUCT_COST * min(STEPS, self.pool.shape[1]) if self.rule.looks else 0
        cost = jnp.asarray(price * len(self.seeds))
        while True:
            point, state = self._steps(point, state, cost)
            wait = np.asarray(journey.waiting(state.walk))
            if wait.any():
                point, state = self._look(point, state, wait)
            elif not np.asarray(journey.moving(state.walk)).any():
                break
        ends = self._ends(point, state)
        point, state = jax.tree.map(np.asarray, (point, state))
        return tuple(self._result(i, point, state, ends[i]) for i in range(len(self.seeds)))

    def _result(self, i: int, point: Point, state: Journey, ends: np.ndarray) -> Descended:
        """Describe run ``i`` by its end."""
        one: Any = jax.tree.map(lambda a: a[i], (point, state))
        value, slope = (float(a[i]) for a in self.first)
        run = Run(
            point=one[0],
            state=one[1],
            least=float(ends[0]),
            largest=float(ends[1]),
            start=self.start[i],
            defined=bool(np.isfinite([value, slope, one[1].size]).all()),
            rule=self.rule,
            most=self.most,
        )
        return describe_run(run, tuple(self.looks[i]), self.rows[i], self.seeds[i])

    def _ends(self, point: Point, state: Journey) -> np.ndarray:
        """Extreme curvatures where the runs ended."""
        look = functools.partial(lockstep.ends, stacked=self.stacked)
        ends = np.array(look(self.objective, point.X, self.pool))
        if np.any(np.asarray(state.walk.phase) == journey.LIMIT):
            # An unstable step may swing between a flat and a steep side: look at both.
            axes = (-1,) + (1,) * (point.X.ndim - 1)
            other = point.X - state.walk.eta.reshape(axes) * point.gradient
            beside = np.array(look(self.objective, other, self.pool))
            ends[:, 1] = np.maximum(ends[:, 1], beside[:, 1])
        return ends

    def _steps(self, point: Point, state: Journey, cost: Any) -> tuple[Point, Journey]:
        """Plain steps; with a history, a chunk of them."""
        rows = CHUNK if self.every else 0
        point, state, kept, count = lockstep.steps(
            self.objective, self.method, point, state, cost, stacked=self.stacked, rows=rows
        )
        if kept is not None:
            n = int(count)
            t, fresh, value, slope = (np.asarray(a)[:n] for a in kept[:4])
            pick = fresh & (t % self.every == 0)
            x = np.asarray(kept.x)
            for i, mine in enumerate(self.rows):
                mine.extend(
                    (int(t[j, i]), value[j, i], slope[j, i], x[j, i].copy(), False)
                    for j in np.flatnonzero(pick[:, i])
                )
        return point, state

    def _look(self, point: Point, state: Journey, wait: np.ndarray) -> tuple[Point, Journey]:
        """Look at the runs that wait, and note what was seen and done."""
        due = wait & (np.asarray(state.walk.phase) == journey.DUE)
        t, before = np.asarray(state.walk.t), np.asarray(state.memory.perturbations)
        point, state = lockstep.looks(
            self.objective, self.method, self.pool, point, state, stacked=self.stacked
        )
        for i in np.flatnonzero(due):
            self.looks[i].append((int(t[i]), float(state.least[i])))
        made = np.asarray(state.memory.perturbations) > before
        self._keep(point, state, np.flatnonzero(made), marked=True)
        return point, state

    def _keep(self, point: Point, state: Journey, which: Any, *, marked: bool) -> None:
        """Record a row of each of these runs."""
        if not self.every:
            return
        walk, x = jax.tree.map(np.asarray, state.walk), np.asarray(point.X)
        for i in which:
            row = (int(walk.t[i]), walk.value[i], walk.slope[i], x[i].copy(), marked)
            self.rows[i].append(row)
