"""Perturbed descents in lockstep: the compiled parts of a batch, or of one run with a record.

The loop of plain steps holds no eigenproblem; a run that needs one waits, masked, until the others
need theirs or until waiting has cost what a look costs.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from liftless._types import AnyArray
from liftless.descent import journey
from liftless.descent.base import Point
from liftless.descent.curvature import extremes
from liftless.descent.journey import Journey
from liftless.descent.perturbed import Perturbed
from liftless.objective import Objective


class Row(NamedTuple):
    """What is recorded of a step."""

    t: AnyArray
    fresh: AnyArray
    value: AnyArray
    slope: AnyArray
    x: AnyArray


def _each(function: Any, k: int, *axes: int | None) -> Any:
    """Map ``function`` over k runs."""
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
def begin(
    f: Objective,
    method: Perturbed,
    most: AnyArray,
    pool: AnyArray,
    seeds: AnyArray,
    x: AnyArray,
    *,
    stacked: bool,
) -> tuple[Point, Journey]:
    """Begin every run."""

    def one(f: Objective, seed: AnyArray, x: AnyArray) -> tuple[Point, Journey]:
        point = Point.at(f, x)
        longest = most, method.longest_local()
        return point, journey.begin(f, method.rule(), seed, longest, pool, point)

    return _each(one, x.shape[0], 0 if stacked else None, 0, 0)(f, seeds, x)


@functools.partial(jax.jit, static_argnames="stacked")
def ends(f: Objective, x: AnyArray, pool: AnyArray, *, stacked: bool) -> AnyArray:
    """Least and largest curvature at every run's point, shape (k, 2)."""
    return _each(extremes, x.shape[0], 0 if stacked else None, 0, None)(f, x, pool)


@functools.partial(jax.jit, static_argnames="stacked")
def looks(
    f: Objective, method: Perturbed, pool: AnyArray, point: Point, state: Journey, *, stacked: bool
) -> tuple[Point, Journey]:
    """Look at every run that waits; the others stay as they are."""

    def one(f: Objective, point: Point, state: Journey) -> tuple[Point, Journey]:
        after = journey.look(f, method.rule(), pool, point, state)
        go = journey.waiting(state.walk)
        return jax.tree.map(lambda new, old: jnp.where(go, new, old), after, (point, state))

    k = state.size.shape[0]
    return _each(one, k, 0 if stacked else None, 0, 0)(f, point, state)


@functools.partial(jax.jit, static_argnames=("stacked", "rows"))
def steps(
    f: Objective,
    method: Perturbed,
    point: Point,
    state: Journey,
    cost: AnyArray,
    *,
    stacked: bool,
    rows: int,
) -> tuple[Point, Journey, Row | None, AnyArray]:
    """Plain steps until nothing moves, or waiting has cost ``cost`` steps, or ``rows`` are full.

    Returns
    -------
    point, state
    kept : Row or None
        Every step, arrays of shape (rows, k, …); None with ``rows`` = 0.
    count : scalar
        Steps made.
    """
    k = state.size.shape[0]
    rule = method.rule()
    step = lambda f, point, state: journey.step(f, rule, point, state)  # noqa: E731
    mapped = _each(step, k, 0 if stacked else None, 0, 0)

    def go(carry: tuple) -> AnyArray:
        _, state, idle, count, _ = carry
        room = (count < rows) if rows else True
        return jnp.any(journey.moving(state.walk)) & (idle <= cost) & room

    def body(carry: tuple) -> tuple:
        point, state, idle, count, kept = carry
        on = journey.moving(state.walk)

        def choose(new: AnyArray, old: AnyArray) -> AnyArray:
            return jnp.where(on.reshape(on.shape + (1,) * (new.ndim - 1)), new, old)

        after = mapped(f, point, state)
        if k > 1:
            after = jax.tree.map(choose, after, (point, state))
        if kept is not None:
            kept = jax.tree.map(lambda a, r: a.at[count].set(r), kept, _row(*after, state))  # pyright: ignore[reportCallIssue]
        return *after, idle + jnp.sum(journey.waiting(state.walk)), count + 1, kept

    empty = None
    if rows:
        first = _row(point, state, state)
        empty = jax.tree.map(lambda a: jnp.zeros((rows, *a.shape), a.dtype), first)
    nil = jnp.asarray(0)
    point, state, _, count, kept = jax.lax.while_loop(go, body, (point, state, nil, nil, empty))
    return point, state, kept, count


def _row(point: Point, state: Journey, before: Journey) -> Row:
    """Describe a step from ``before``."""
    walk = state.walk
    total = walk.t + walk.local
    fresh = total > before.walk.t + before.walk.local
    return Row(total, fresh, walk.value, walk.slope, point.X)
