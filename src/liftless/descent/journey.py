"""One run of perturbed descent: plain steps, and looks at which it is perturbed or returns.

A step costs an evaluation, a look may cost an eigenproblem.  Both are functions of a point and of
a state, so that the loop of every method can run them one by one, and a batch in lockstep with the
looks kept apart (:mod:`liftless.descent.journeys`).
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt32

from liftless._types import AnyArray
from liftless.descent.base import Point
from liftless.descent.curvature import STEPS, extremes
from liftless.descent.rules import Memory, Number, Rule, Settings, Walk
from liftless.descent.stream import start_key, uniform_ball
from liftless.objective import Objective

#: Phase of a run: plain steps of either kind, waiting for a look, or an end and its reason.
MOVING, LOCAL, DUE, RETURNING = 0, 1, 2, 3
RETURNED, LIMIT, UNSTABLE, STALLED = 4, 5, 6, 7

#: Step, relative to the first, below which none is taken to lower f.
SHRUNK = 2.0**-30
#: Where the perturbations' keys come from, the same on every machine.
KEYS = "threefry2x32"


class Journey(eqx.Module):
    """State of a perturbed descent.

    Attributes
    ----------
    settings, memory, walk
        Constants of the run, what a perturbation changes, and what a step does.
    size : scalar
        ‖∇²f‖ at the start, zero where it was not asked for.
    least : scalar
        Least curvature at the last look; NaN without one.
    key : array
        Of the perturbations.
    most, most_local : scalar
        Longest first and local phase.
    owed : scalar
        Applications spent on curvature that the point has not counted yet.
    """

    settings: Settings
    memory: Memory
    walk: Walk
    size: Number
    least: Number
    key: UInt32[AnyArray, " k"]
    most: Number
    most_local: Number
    owed: Number


def moving(walk: Walk) -> AnyArray:
    """Which runs take plain steps."""
    return walk.phase <= LOCAL


def waiting(walk: Walk) -> AnyArray:
    """Which runs wait for a look."""
    return (walk.phase == DUE) | (walk.phase == RETURNING)


def price(objective: Objective, X: AnyArray) -> float:
    """Applications that the extreme curvatures at a point cost."""
    return objective.data_cost + objective.product_cost * min(STEPS, X.size)


def _slope_of(gradient: AnyArray, G: Number) -> AnyArray:
    """‖gradient‖ / G, divided first."""
    return jnp.linalg.norm(jnp.ravel(gradient / G))


def _phase_of(rule: Rule, journey: Journey, point: Point, local: AnyArray) -> AnyArray:
    """Phase at the present point, lines 4 and 8 of Algorithm 1; ``local`` says which loop it is."""
    s, memory, walk = journey.settings, journey.memory, journey.walk
    due = rule.small(walk, point) & (walk.t - memory.noise_at > memory.T_escape)
    code = jnp.where(walk.t >= journey.most, LIMIT, MOVING)
    code = jnp.where(due, DUE, code)
    code = jnp.where(rule.gives_up(s, memory, walk), RETURNING, code)
    ended = (walk.slope <= s.settled) | (walk.local >= journey.most_local)
    stuck = walk.eta < SHRUNK * s.eta
    # In the local phase no lower value means round-off, which is where it was to go.
    code = jnp.where(
        local, jnp.where(ended | stuck, RETURNED, LOCAL), jnp.where(stuck, STALLED, code)
    )
    finite = jnp.isfinite(walk.value) & jnp.isfinite(walk.slope)
    # A refused step leaves the point finite; only a rule that takes every step gets here.
    return jnp.where(finite, code, UNSTABLE).astype(jnp.int32)


def _at_phase(rule: Rule, journey: Journey, point: Point, local: AnyArray) -> Journey:
    phase = _phase_of(rule, journey, point, local)
    return eqx.tree_at(lambda j: j.walk.phase, journey, phase)


def begin(
    objective: Objective,
    rule: Rule,
    seed: AnyArray | int,
    longest: tuple[Any, Any],
    pool: AnyArray,
    point: Point,
) -> Journey:
    """State at the start: no perturbation yet, so one is due at once where ∇f is small.

    ``longest`` are the limits of the two phases.  A start that is flat where the rule needs
    curvature, or no number, ends the run.
    """
    X = jnp.asarray(point.X)
    zero = jnp.zeros((), X.dtype)
    size, owed, key = zero, zero, jax.random.key(seed, impl=KEYS)
    if rule.relative:
        key = start_key(seed, X)
    else:
        size = jnp.max(jnp.abs(extremes(objective, X, pool)))
        owed = zero + price(objective, X)
    s = rule.settings(size)
    value = objective.value_at(point.y, X)
    memory = Memory(
        z=X, value=value, noise_at=zero - jnp.inf, T_escape=zero, perturbations=zero, lost=zero
    )
    walk = Walk(
        value=value,
        slope=_slope_of(point.gradient, s.G),
        eta=s.eta,
        t=zero,
        local=zero,
        backtracks=zero,
        phase=jnp.asarray(MOVING, jnp.int32),
    )
    journey = Journey(
        settings=s,
        memory=memory,
        walk=walk,
        size=size,
        least=zero + jnp.nan,
        key=jax.random.key_data(key),
        most=zero + longest[0],
        most_local=zero + longest[1],
        owed=owed,
    )
    journey = _at_phase(rule, journey, point, jnp.asarray(False))
    hopeless = ~jnp.isfinite(size) | ((size == 0) & rule.looks)
    phase = jnp.where(hopeless, UNSTABLE, journey.walk.phase).astype(jnp.int32)
    return eqx.tree_at(lambda j: j.walk.phase, journey, phase)


def step(objective: Objective, rule: Rule, point: Point, journey: Journey) -> tuple[Point, Journey]:
    """Try one step of plain descent; a refused one halves eta and stays."""
    s, walk = journey.settings, journey.walk
    spent = point.applications + journey.owed
    there = Point.at(objective, point.X - walk.eta * point.gradient, applications=spent)
    value = objective.value_at(there.y, there.X)
    slope = _slope_of(there.gradient, s.G)
    taken = rule.accepts(s, walk, value)
    local = walk.phase == LOCAL
    one = jnp.where(taken, 1.0, 0.0).astype(walk.t.dtype)
    after = Walk(
        value=jnp.where(taken, value, walk.value),
        slope=jnp.where(taken, slope, walk.slope),
        eta=jnp.where(taken, walk.eta, walk.eta / 2),
        t=walk.t + jnp.where(local, 0.0, one),
        local=walk.local + jnp.where(local, one, 0.0),
        backtracks=walk.backtracks + 1 - one,
        phase=walk.phase,
    )
    kept = jax.tree.map(lambda new, old: jnp.where(taken, new, old), there, point)
    kept = eqx.tree_at(lambda p: p.applications, kept, there.applications)
    journey = eqx.tree_at(lambda j: (j.walk, j.owed), journey, (after, jnp.zeros_like(spent)))
    return kept, _at_phase(rule, journey, kept, local)


def draw(key: Array, count: Number, gamma: AnyArray | float, like: AnyArray) -> AnyArray:
    """Uniform draw from the ball of radius γ, the ``count``-th of this key."""
    to, far = jax.random.split(jax.random.fold_in(key, count.astype(jnp.int32)))
    direction = jax.random.normal(to, like.shape, like.dtype)
    length = jnp.power(jax.random.uniform(far, (), like.dtype), 1.0 / like.size)
    # The direction first: γ² would underflow.
    return gamma * (length * (direction / jnp.linalg.norm(jnp.ravel(direction))))


def _noise(rule: Rule, journey: Journey, X: AnyArray) -> AnyArray:
    """Draw the next perturbation of this run."""
    key, count = jnp.asarray(journey.key), journey.memory.perturbations
    if not rule.relative:
        return draw(jax.random.wrap_key_data(key, impl=KEYS), count, rule.gamma, X)
    one = jax.random.fold_in(jax.random.wrap_key_data(key), count.astype(jnp.uint32))
    return rule.gamma * uniform_ball(one, X)


def look(
    objective: Objective, rule: Rule, pool: AnyArray, point: Point, journey: Journey
) -> tuple[Point, Journey]:
    """Look at the curvature where the rule does, and perturb or return; for runs that wait."""
    s, memory, walk = journey.settings, journey.memory, journey.walk
    X, owed = jnp.asarray(point.X), journey.owed
    least = jnp.full_like(journey.least, jnp.nan)
    if rule.looks:
        least = extremes(objective, X, pool)[0]
        owed = owed + price(objective, X)
    certified, T_escape = rule.verdict(s, walk, least, X.size)
    due, back = walk.phase == DUE, walk.phase == RETURNING
    perturb = due & ~certified
    moved = X + _noise(rule, journey, X)
    kept = memory.z if rule.returned == "z" else X
    X = jnp.where(perturb, moved, jnp.where(back, kept, X))
    there = Point.at(objective, X, applications=point.applications + owed)
    one = jnp.where(perturb, 1.0, 0.0).astype(walk.t.dtype)
    after = Memory(
        z=jnp.where(perturb, point.X, memory.z),
        value=jnp.where(perturb, walk.value, memory.value),
        noise_at=jnp.where(perturb, walk.t, memory.noise_at),
        T_escape=jnp.where(perturb, T_escape, memory.T_escape),
        perturbations=memory.perturbations + one,
        lost=memory.lost + jnp.where(jnp.all(moved == point.X), one, 0.0),
    )
    value, slope = objective.value_at(there.y, there.X), _slope_of(there.gradient, s.G)
    walk = eqx.tree_at(lambda w: (w.value, w.slope), walk, (value, slope))
    fields = (after, walk, jnp.zeros_like(owed), jnp.where(due, least, journey.least))
    journey = eqx.tree_at(lambda j: (j.memory, j.walk, j.owed, j.least), journey, fields)
    return there, _at_phase(rule, journey, there, ~perturb)
