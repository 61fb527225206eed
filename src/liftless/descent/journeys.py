"""The host loop of perturbed descent, over one run or a batch of them."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from liftless._checks import describe, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._precision import double, on_device
from liftless.ipgd import result, steps
from liftless.ipgd.curvature import STEPS, directions
from liftless.ipgd.methods import IPGDPlus, Perturbed
from liftless.ipgd.objective import Objective, Stacked, as_objective, stack
from liftless.ipgd.result import Descended
from liftless.ipgd.rules import Memory, Settings, Walk

#: Iterations of the first phase when no limit is given.
MAX_ITERATIONS = 50_000
#: Steps a compiled call records.
CHUNK = 256


@double
def ipgd(
    objective: Any,
    x0: Any,
    method: Any = None,
    *,
    seed: Any = 0,
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
    seed : int
        Of the perturbations, the only randomness.
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
    f = as_objective(objective, x)
    return _Batch(f, x[None], method, [seed], max_iterations, record_every, stacked=False).run()[0]


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
    if together is None:
        together = jax.default_backend() != "cpu"
    if together or x.shape[0] == 1:
        runs = _Batch(f, x, method, seeds, max_iterations, record_every, stacked=many)
        return runs.run()

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


def _gathered(objectives: Any, x: np.ndarray) -> tuple[Objective, bool]:
    """Return the objective, with stacked leaves if there is one a run, and whether there is."""
    if not isinstance(objectives, (Stacked, list, tuple)):
        return as_objective(objectives, x[0]), False
    if isinstance(objectives, Stacked):
        f = objectives.objective
    else:
        f = stack([as_objective(g, x[0]) for g in objectives]).objective
    if any(np.shape(leaf)[:1] != x.shape[:1] for leaf in jax.tree.leaves(f)):
        raise InvalidInput("objectives", "of another number", f"{x.shape[0]}, one for each start")
    return f, True


class _Batch:
    """k runs and what is collected of them on the host."""

    def __init__(
        self,
        objective: Objective,
        x: np.ndarray,
        method: Any,
        seeds: Any,
        max_iterations: Any,
        record_every: Any,
        *,
        stacked: bool = False,
    ) -> None:
        method = IPGDPlus() if method is None else method
        if not isinstance(method, Perturbed):
            must = "PerturbedGD, IPGD or IPGDPlus"
            raise InvalidInput("method", describe(method), must)
        if x[0].size < 1:
            raise InvalidInput("x0", describe(x), "not empty")
        self.most = positive_int("max_iterations", max_iterations)
        self.every = positive_int("record_every", record_every, least=0)
        self.seeds = [positive_int("seed", s, least=0, most=2**63 - 1) for s in seeds]
        self.rule, self.local = method.rule(), method.local_steps()
        self.plan = on_device(
            steps.Plan(self.rule, np.asarray(float(self.most)), np.asarray(float(self.local)))
        )
        self.objective, self.stacked = on_device(objective), stacked
        self.start, self.x = x, jnp.asarray(x)
        self.pool = jnp.asarray(directions(x[0].size))
        self.keys = jnp.asarray(self.seeds)
        self.looks: list[list[tuple[int, float]]] = [[] for _ in self.seeds]
        self.rows: list[list[tuple]] = [[] for _ in self.seeds]

    def curvature(self, x: Any) -> np.ndarray:
        """Least and largest curvature at each run's point, shape (k, 2)."""
        found = steps.all_extremes(self.objective, x, self.pool, stacked=self.stacked)
        return np.array(found)

    def run(self) -> tuple[Descended, ...]:
        """Plain steps and checkpoints in turn until every run has ended."""
        self.size = np.abs(self.curvature(self.x)).max(axis=1)
        s, memory, walk = steps.all_begin(
            self.objective, self.plan, jnp.asarray(self.size), self.x, stacked=self.stacked
        )
        self.first = np.asarray(walk.value), np.asarray(walk.slope)
        walk = self._without_hopeless(walk)
        self._keep(walk, marked=None)
        price = steps.PRODUCT_COST * min(STEPS, self.pool.shape[1]) if self.rule.looks else 0
        cost = jnp.asarray(price * len(self.seeds))
        while True:
            walk = self._advance(s, memory, walk, cost)
            wait = np.asarray(steps.waiting(walk))
            if not wait.any():
                if not np.asarray(steps.moving(walk)).any():
                    break
                continue
            memory, walk = self._checkpoint(s, memory, walk, wait)
        ends = self._ends(walk)
        s, memory, walk = (jax.tree.map(np.asarray, part) for part in (s, memory, walk))
        return tuple(self._result(i, s, memory, walk, ends[i]) for i in range(len(self.seeds)))

    def _ends(self, walk: Walk) -> np.ndarray:
        """Extreme curvatures where the runs ended."""
        ends = self.curvature(walk.x)
        if np.any(np.asarray(walk.phase) == steps.LIMIT):
            # An unstable step may swing between a flat and a steep side: look at both.
            axes = (-1,) + (1,) * (walk.x.ndim - 1)
            other = self.curvature(walk.x - walk.eta.reshape(axes) * walk.gradient)
            ends[:, 1] = np.maximum(ends[:, 1], other[:, 1])
        return ends

    def _without_hopeless(self, walk: Walk) -> Walk:
        """End runs whose start is flat or not a number before the first step."""
        value, slope = self.first
        bad = ~(np.isfinite(value) & np.isfinite(slope) & np.isfinite(self.size))
        flat = (self.size == 0) & self.rule.looks
        phase = np.where(bad | flat, steps.UNSTABLE, np.asarray(walk.phase)).astype(np.int32)
        self.bad, self.flat = bad, flat & ~bad
        return walk.at_phase(jnp.asarray(phase))

    def _advance(self, s: Settings, memory: Memory, walk: Walk, cost: Any) -> Walk:
        """Plain steps; with a history, a chunk of them."""
        walk, kept, count = steps.all_advance(
            self.objective,
            self.plan,
            s,
            memory,
            walk,
            cost,
            stacked=self.stacked,
            rows=CHUNK if self.every else 0,
        )
        if kept is not None:
            n = int(count)
            t, fresh, value, slope = (np.asarray(a)[:n] for a in kept[:4])
            pick = fresh & (t % self.every == 0)
            x = np.asarray(kept.x)
            for i, rows in enumerate(self.rows):
                rows.extend(
                    (int(t[j, i]), value[j, i], slope[j, i], x[j, i].copy(), False)
                    for j in np.flatnonzero(pick[:, i])
                )
        return walk

    def _checkpoint(
        self, s: Settings, memory: Memory, walk: Walk, wait: np.ndarray
    ) -> tuple[Memory, Walk]:
        """Look where the rule does, and perturb or return."""
        k = len(self.seeds)
        least = self.curvature(walk.x)[:, 0] if self.rule.looks else np.full(k, np.nan)
        t, phase = np.asarray(walk.t), np.asarray(walk.phase)
        before = np.asarray(memory.perturbations)
        for i in np.flatnonzero(wait & (phase == steps.DUE)):
            self.looks[i].append((int(t[i]), float(least[i])))
        memory, walk = steps.all_checkpoint(
            self.objective,
            self.plan,
            s,
            memory,
            walk,
            jnp.asarray(least),
            self.keys,
            stacked=self.stacked,
        )
        self._keep(walk, marked=np.asarray(memory.perturbations) > before)
        return memory, walk

    def _keep(self, walk: Walk, marked: np.ndarray | None) -> None:
        """Record a row of the start (``marked`` None) or of the runs just perturbed."""
        if not self.every:
            return
        which = range(len(self.seeds)) if marked is None else np.flatnonzero(marked)
        t, value, slope = (np.asarray(a) for a in (walk.t, walk.value, walk.slope))
        x = np.asarray(walk.x)
        for i in which:
            row = (int(t[i]), value[i], slope[i], x[i].copy(), marked is not None)
            self.rows[i].append(row)

    def _result(
        self, i: int, s: Settings, memory: Memory, walk: Walk, ends: np.ndarray
    ) -> Descended:
        facts = self._facts(i, s, memory, walk, ends)
        status = self._status(i, int(walk.phase[i]), facts)
        facts["certified"] = facts["certified"] and status != result.FLAT
        return Descended(
            x=np.array(walk.x[i]),
            value=float(walk.value[i]),
            gradient_norm=facts["gradient"],
            least_curvature=facts["least"],
            certified=facts["certified"],
            status=status,
            message=result.message(status, facts),
            iterations=int(walk.t[i] + walk.local[i]),
            ipgd_iterations=facts["t"],
            local_iterations=int(walk.local[i]),
            perturbations=facts["perturbations"],
            backtracks=int(walk.backtracks[i]),
            step=facts["eta"],
            G=facts["G"],
            checkpoints=tuple(self.looks[i]),
            history=self._history(i, facts["G"]),
            seed=self.seeds[i],
        )

    def _facts(
        self, i: int, s: Settings, memory: Memory, walk: Walk, ends: np.ndarray
    ) -> dict[str, Any]:
        """Numbers of run ``i`` that its status and message need."""
        least, largest = float(ends[0]), float(ends[1])
        # The start sets the scale of curvature, unless it had none.
        bent = self.size[i] > 0
        tolerance = float(s.tolerance[i]) if bent else 1e-3 * max(abs(least), abs(largest))
        gradient = float(walk.slope[i]) * float(s.G[i])
        finite = bool(np.isfinite(walk.value[i]) and np.isfinite(gradient))
        return {
            "t": int(walk.t[i]),
            "perturbations": int(memory.perturbations[i]),
            "second": least >= -tolerance,
            "certified": bool(finite and walk.slope[i] <= 1 and least >= -tolerance),
            "gradient": gradient,
            "least": least,
            "largest": largest,
            "lost": int(memory.lost[i]),
            "gamma": float(self.rule.gamma),
            "most": self.most,
            "G": float(s.G[i]),
            "eta": float(walk.eta[i]),
            "bound": 2 / largest if largest > 0 else np.inf,
            "finite": finite,
            "start": bool(np.array_equal(walk.x[i], self.start[i])),
            "T_escape": int(memory.T_escape[i]),
        }

    def _status(self, i: int, phase: int, facts: dict[str, Any]) -> int:
        """Status of run ``i``, from the phase it ended in and what its end looks like."""
        if self.bad[i]:
            return result.INVALID
        never_bent = self.size[i] == 0 and facts["largest"] == 0
        if self.flat[i] or (facts["start"] and never_bent):
            return result.FLAT
        if phase == steps.UNSTABLE:
            return result.UNSTABLE
        if phase == steps.STALLED:
            return result.STALLED
        if phase == steps.LIMIT:
            return result.UNSTABLE if facts["eta"] > facts["bound"] else result.LIMIT
        return result.OK if facts["second"] else result.SADDLE

    def _history(self, i: int, G: float) -> dict[str, np.ndarray]:
        if not self.every:
            return {}
        t, value, slope, x, marked = zip(*self.rows[i], strict=True)
        return {
            "t": np.array(t),
            "value": np.array(value),
            "gradient_norm": np.array(slope) * G,
            "x": np.array(x),
            "perturbed": np.array(marked),
        }
