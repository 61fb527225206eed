"""The compiled parts of a perturbed descent: plain steps in a loop, and a checkpoint.

A batch walks in lockstep.  The loop of plain steps holds no eigenproblem; a run that needs one
waits, masked, until the others need theirs or until waiting has cost what a checkpoint costs.
"""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.ipgd.curvature import extremes
from liftless.ipgd.objective import Objective
from liftless.ipgd.rules import Memory, Number, Rule, Settings, Walk

#: Phase of a run: plain steps of either kind, waiting for a checkpoint, or an end and its reason.
MOVING, LOCAL, DUE, RETURNING = 0, 1, 2, 3
RETURNED, LIMIT, UNSTABLE, STALLED = 4, 5, 6, 7

#: Step, relative to the first, below which none is taken to lower f.
SHRUNK = 2.0**-30
#: Steps of plain descent that cost as much as a Hessian product, about.
PRODUCT_COST = 2


class Plan(eqx.Module):
    """The rule and the limits of a run."""

    rule: Rule
    most: Number
    most_local: Number


class Row(NamedTuple):
    """What is recorded of a step."""

    t: AnyArray
    fresh: AnyArray
    value: AnyArray
    slope: AnyArray
    x: AnyArray


def moving(walk: Walk) -> AnyArray:
    """Which runs take plain steps."""
    return walk.phase <= LOCAL


def waiting(walk: Walk) -> AnyArray:
    """Which runs wait for a checkpoint."""
    return (walk.phase == DUE) | (walk.phase == RETURNING)


def slope_of(gradient: AnyArray, G: Number) -> AnyArray:
    """‖gradient‖ / G, divided first."""
    return jnp.linalg.norm(jnp.ravel(gradient / G))


def phase_of(plan: Plan, s: Settings, memory: Memory, walk: Walk, local: AnyArray) -> AnyArray:
    """Phase at the present point, lines 4 and 8 of Algorithm 1; ``local`` says which loop it is."""
    due = (walk.slope <= 1) & (walk.t - memory.noise_at > memory.T_escape)
    code = jnp.where(walk.t >= plan.most, LIMIT, MOVING)
    code = jnp.where(due, DUE, code)
    code = jnp.where(plan.rule.gives_up(s, memory, walk), RETURNING, code)
    ended = (walk.slope <= s.settled) | (walk.local >= plan.most_local)
    stuck = walk.eta < SHRUNK * s.eta
    # In the local phase no lower value means round-off, which is where it was to go.
    code = jnp.where(
        local, jnp.where(ended | stuck, RETURNED, LOCAL), jnp.where(stuck, STALLED, code)
    )
    finite = jnp.isfinite(walk.value) & jnp.isfinite(walk.slope)
    # A refused step leaves the point finite; only a rule that takes every step gets here.
    return jnp.where(finite, code, UNSTABLE).astype(jnp.int32)


def step(objective: Objective, plan: Plan, s: Settings, memory: Memory, walk: Walk) -> Walk:
    """Try one step of plain descent; a refused one halves eta and stays."""
    x = walk.x - walk.eta * walk.gradient
    value, gradient = objective.value_and_gradient(x)
    slope = slope_of(gradient, s.G)
    taken = plan.rule.accepts(s, walk, value)
    local = walk.phase == LOCAL
    one = jnp.where(taken, 1.0, 0.0)
    there = Walk(
        x=jnp.where(taken, x, walk.x),
        gradient=jnp.where(taken, gradient, walk.gradient),
        value=jnp.where(taken, value, walk.value),
        slope=jnp.where(taken, slope, walk.slope),
        eta=jnp.where(taken, walk.eta, walk.eta / 2),
        t=walk.t + jnp.where(local, 0.0, one),
        local=walk.local + jnp.where(local, one, 0.0),
        backtracks=walk.backtracks + 1 - one,
        phase=walk.phase,
    )
    return there.at_phase(phase_of(plan, s, memory, there, local))


def begin(
    objective: Objective, plan: Plan, size: Number, x: AnyArray
) -> tuple[Settings, Memory, Walk]:
    """State at the start: no perturbation yet, so one is due at once where ∇f is small."""
    s = plan.rule.settings(size)
    value, gradient = objective.value_and_gradient(x)
    zero = jnp.zeros((), x.dtype)
    memory = Memory(
        z=x, value=value, noise_at=zero - jnp.inf, T_escape=zero, perturbations=zero, lost=zero
    )
    walk = Walk(
        x=x,
        gradient=gradient,
        value=value,
        slope=slope_of(gradient, s.G),
        eta=s.eta,
        t=zero,
        local=zero,
        backtracks=zero,
        phase=jnp.asarray(MOVING, jnp.int32),
    )
    phase = phase_of(plan, s, memory, walk, jnp.asarray(False))
    return s, memory, walk.at_phase(phase)


def draw(seed: AnyArray, count: Number, gamma: Number, like: AnyArray) -> AnyArray:
    """Uniform draw from the ball of radius γ, the ``count``-th of this seed."""
    key = jax.random.key(seed, impl="threefry2x32")
    to, far = jax.random.split(jax.random.fold_in(key, count.astype(jnp.int32)))
    direction = jax.random.normal(to, like.shape, like.dtype)
    length = jnp.power(jax.random.uniform(far, (), like.dtype), 1.0 / like.size)
    # The direction first: γ² would underflow.
    return gamma * (length * (direction / jnp.linalg.norm(jnp.ravel(direction))))


def checkpoint(
    objective: Objective,
    plan: Plan,
    s: Settings,
    memory: Memory,
    walk: Walk,
    least: Number,
    seed: AnyArray,
) -> tuple[Memory, Walk]:
    """Perturb, or return and begin the local phase; runs that do not wait stay as they are."""
    certified, T_escape = plan.rule.verdict(s, walk, least)
    due, back = walk.phase == DUE, walk.phase == RETURNING
    perturb = due & ~certified
    moved = walk.x + draw(seed, memory.perturbations, plan.rule.gamma, walk.x)
    kept = memory.z if plan.rule.returned == "z" else walk.x
    x = jnp.where(perturb, moved, jnp.where(back, kept, walk.x))
    value, gradient = objective.value_and_gradient(x)
    one = jnp.where(perturb, 1.0, 0.0)
    after = Memory(
        z=jnp.where(perturb, walk.x, memory.z),
        value=jnp.where(perturb, walk.value, memory.value),
        noise_at=jnp.where(perturb, walk.t, memory.noise_at),
        T_escape=jnp.where(perturb, T_escape, memory.T_escape),
        perturbations=memory.perturbations + one,
        lost=memory.lost + jnp.where(jnp.all(moved == walk.x), one, 0.0),
    )
    there = Walk(
        x=x,
        gradient=gradient,
        value=value,
        slope=slope_of(gradient, s.G),
        eta=walk.eta,
        t=walk.t,
        local=walk.local,
        backtracks=walk.backtracks,
        phase=walk.phase,
    )
    there = there.at_phase(phase_of(plan, s, after, there, ~perturb))
    stay = ~(due | back)
    return jax.tree.map(lambda new, old: jnp.where(stay, old, new), (after, there), (memory, walk))


# -- over a batch ---------------------------------------------------------------------------------


def _each(function: Any, k: int, stacked: bool, *axes: int | None) -> Any:
    """Map ``function`` over k runs; the objective is one a run, or one for all."""
    axes = (0 if stacked else None, *axes)
    if k > 1:
        return jax.vmap(function, in_axes=axes)

    # A single run is spared the batching, which makes a step up to twice as dear.
    def alone(*args: Any) -> Any:
        bare = [
            a if axis is None else jax.tree.map(lambda leaf: leaf[0], a)
            for a, axis in zip(args, axes, strict=True)
        ]
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], function(*bare))

    return alone


@functools.partial(jax.jit, static_argnames="stacked")
def all_begin(objective: Any, plan: Plan, size: AnyArray, x: AnyArray, *, stacked: bool) -> tuple:
    """Begin every run."""
    return _each(begin, x.shape[0], stacked, None, 0, 0)(objective, plan, size, x)


@functools.partial(jax.jit, static_argnames="stacked")
def all_extremes(
    objective: Any, x: AnyArray, pool: AnyArray, *, stacked: bool
) -> Float[AnyArray, "k 2"]:
    """Extreme curvatures at every run's point."""
    return _each(extremes, x.shape[0], stacked, 0, None)(objective, x, pool)


@functools.partial(jax.jit, static_argnames="stacked")
def all_checkpoint(
    objective: Any,
    plan: Plan,
    s: Settings,
    memory: Memory,
    walk: Walk,
    least: AnyArray,
    seed: AnyArray,
    *,
    stacked: bool,
) -> tuple[Memory, Walk]:
    """Checkpoint of every run that waits."""
    mapped = _each(checkpoint, seed.shape[0], stacked, None, 0, 0, 0, 0, 0)
    return mapped(objective, plan, s, memory, walk, least, seed)


@functools.partial(jax.jit, static_argnames=("stacked", "rows"))
def all_advance(
    objective: Any,
    plan: Plan,
    s: Settings,
    memory: Memory,
    walk: Walk,
    cost: AnyArray,
    *,
    stacked: bool,
    rows: int,
) -> tuple[Walk, Row | None, AnyArray]:
    """Plain steps until nothing moves, or waiting has cost ``cost`` steps, or ``rows`` are full.

    Returns
    -------
    walk : Walk
    kept : Row or None
        Every step, arrays of shape (rows, k, …); None with ``rows`` = 0.
    count : scalar
        Steps made.
    """
    k = walk.phase.shape[0]
    mapped = _each(step, k, stacked, None, 0, 0, 0)

    def go(carry: tuple) -> AnyArray:
        walk, idle, count, _ = carry
        room = (count < rows) if rows else True
        return jnp.any(moving(walk)) & (idle <= cost) & room

    def body(carry: tuple) -> tuple:
        walk, idle, count, kept = carry
        on = moving(walk)

        def choose(new: AnyArray, old: AnyArray) -> AnyArray:
            return jnp.where(on.reshape(on.shape + (1,) * (new.ndim - 1)), new, old)

        after = mapped(objective, plan, s, memory, walk)
        if k > 1:
            after = jax.tree.map(choose, after, walk)
        if kept is not None:
            total, before = after.t + after.local, walk.t + walk.local
            row = Row(total, total > before, after.value, after.slope, after.x)
            kept = jax.tree.map(lambda a, r: a.at[count].set(r), kept, row)
        return after, idle + jnp.sum(waiting(walk)), count + 1, kept

    empty = None
    if rows:
        first = Row(walk.t, walk.t > 0, walk.value, walk.slope, walk.x)
        empty = jax.tree.map(lambda a: jnp.zeros((rows, *a.shape), a.dtype), first)
    nil = jnp.asarray(0)
    walk, _, count, kept = jax.lax.while_loop(go, body, (walk, nil, nil, empty))
    return walk, kept, count
