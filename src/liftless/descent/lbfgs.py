"""L-BFGS with the exact quartic step: the default local method.

Of a large X, such as an image, the pairs stay where they are, the newest is written over the
oldest, and the two-loop recursion runs on their inner products.  The direction is a combination of
them: some products with the stacked pairs, where the recursion on the vectors themselves takes four
passes a pair, which together took longer than the transforms of an image.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from liftless._checks import positive_int
from liftless._types import AnyArray
from liftless.descent.base import Factor, Method, Point
from liftless.objective import Objective

#: Entries of X from which the pairs' inner products are kept.
LARGE = 1 << 14
#: Curvature of a pair relative to its lengths, up to which it is left out.
FLAT = 1e-12


class Products(eqx.Module):
    """Inner products of pairs that lie around a ring: sᵢ·yⱼ, yᵢ·yⱼ, and which pair is newest."""

    sy: Float[AnyArray, "k k"]
    yy: Float[AnyArray, "k k"]
    newest: Int[AnyArray, ""]


class Memory(eqx.Module):
    """Last pairs of steps and gradient changes; unused ones have inverse 0.

    Newest first, unless there are ``products``.
    """

    steps: Float[AnyArray, "..."]
    changes: Float[AnyArray, "..."]
    inverse: Float[AnyArray, " k"]
    scale: Float[AnyArray, ""]
    products: Products | None


class LBFGS(Method[Memory]):
    """Limited-memory BFGS whose line search is the exact first minimiser of the quartic.

    Along a line h is a quartic, whose coefficients cost two applications and whose minimiser
    gives the next residual for free: three applications a step, the gradient included.

    Parameters
    ----------
    memory : int
        Pairs kept.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, algorithm 7.4 (two-loop recursion); Chen, Wang and
    Zhou, Large-scale L-BFGS using MapReduce (2014), for the same on inner products.
    """

    memory: int = eqx.field(static=True)

    def __init__(self, memory: int = 10) -> None:
        self.memory = positive_int("memory", memory)

    def init(self, objective: Objective, point: Point) -> Memory:
        """Return an empty memory."""
        del objective
        X, k = jnp.asarray(point.X), self.memory
        empty, none = jnp.zeros((k, *X.shape), X.dtype), jnp.zeros((k, k), X.dtype)
        ring = Products(none, none, jnp.zeros((), jnp.int32)) if X.size >= LARGE else None
        return Memory(empty, empty, none[0], jnp.ones((), X.dtype), ring)

    def resumed(self, objective: Objective, point: Point, state: Memory) -> Memory:
        """Return the same pairs: they need only be rough."""
        begin = self.init(objective, point)
        kept = jnp.all(jnp.isfinite(state.steps)) & jnp.all(jnp.isfinite(state.changes))
        kept &= jnp.all(jnp.isfinite(state.inverse)) & jnp.isfinite(state.scale)
        return jax.tree.map(lambda a, b: jnp.where(kept, a.astype(b.dtype), b), state, begin)

    def advance(self, objective: Objective, point: Point, state: Memory) -> tuple[Point, Memory]:
        """One step; three applications."""
        gradient = jnp.asarray(point.gradient)
        if state.products is None:
            direction = -_apply_inverse(state, gradient)
            slope = jnp.sum(direction * gradient)
        else:
            direction, slope = _combined(state, state.products, gradient)
        # Should round-off spoil the direction, the gradient is used and the memory forgotten.
        bad = slope >= 0
        direction = jnp.where(bad, -gradient, direction)
        there, length = point.along(objective, direction)
        change, forget = there.gradient - gradient, bad | (length <= 0)
        if state.products is None:
            return there, _remember(state, length * direction, change, forget)
        return there, _written(state, state.products, length * direction, change, forget)


def _apply_inverse(memory: Memory, g: Factor) -> Factor:
    """Two-loop recursion: the inverse Hessian approximation times g."""

    def newest_first(q: Factor, pair: tuple) -> tuple[Factor, AnyArray]:
        s, y, inverse = pair
        a = inverse * jnp.sum(s * q)
        return q - a * y, a

    def oldest_first(q: Factor, pair: tuple) -> tuple[Factor, None]:
        s, y, inverse, a = pair
        return q + s * (a - inverse * jnp.sum(y * q)), None

    pairs = (memory.steps, memory.changes, memory.inverse)
    q, a = jax.lax.scan(newest_first, g, pairs)
    q, _ = jax.lax.scan(oldest_first, memory.scale * q, (*pairs, a), reverse=True)
    return q


def _weighed(
    memory: Memory, s: Factor, sy: AnyArray, yy: AnyArray
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Whether a pair has positive curvature, one over it or 0, and the scale that it leaves."""
    good = sy > FLAT * jnp.sqrt(jnp.sum(s * s) * yy)
    inverse = jnp.where(good, 1.0 / jnp.where(good, sy, 1.0), 0.0)
    return good, inverse, jnp.where(good, sy / jnp.where(yy > 0, yy, 1.0), memory.scale)


def _remember(memory: Memory, s: Factor, y: Factor, forget: AnyArray) -> Memory:
    """Push a pair with positive curvature, leave the memory alone otherwise."""
    good, inverse, scale = _weighed(memory, s, jnp.sum(s * y), jnp.sum(y * y))

    def push(old: AnyArray, new: AnyArray) -> AnyArray:
        pushed = jnp.concatenate([new[None], old[:-1]])
        return jnp.where(good, pushed, old)

    kept = push(memory.inverse, inverse)
    return Memory(
        steps=push(memory.steps, s),
        changes=push(memory.changes, y),
        inverse=jnp.where(forget, 0.0, kept),
        scale=scale,
        products=None,
    )


def _rows(A: Any) -> AnyArray:
    """One row a pair."""
    return A.reshape(A.shape[0], -1)


def _combined(memory: Memory, known: Products, g: Factor) -> tuple[Factor, AnyArray]:
    """Direction of the two-loop recursion, as a combination of the pairs, and its slope."""
    S, Y, v = _rows(memory.steps), _rows(memory.changes), g.ravel()
    inverse, scale, sg, yg = memory.inverse, memory.scale, S @ v, Y @ v
    k = inverse.shape[0]
    order = (known.newest + jnp.arange(k)) % k

    def newest_first(a: Array, i: AnyArray) -> tuple[Array, None]:
        return a.at[i].set(inverse[i] * (sg[i] - known.sy[i] @ a)), None

    a, _ = jax.lax.scan(newest_first, jnp.zeros_like(sg), order)
    rest = scale * (yg - known.yy @ a)

    def oldest_first(c: Array, i: AnyArray) -> tuple[Array, None]:
        return c.at[i].set(a[i] - inverse[i] * (rest[i] + known.sy[:, i] @ c)), None

    c, _ = jax.lax.scan(oldest_first, jnp.zeros_like(sg), order, reverse=True)
    direction = -(scale * (v - a @ Y) + c @ S)
    slope = -(scale * (jnp.sum(v * v) - a @ yg) + c @ sg)
    return direction.reshape(g.shape), slope


def _written(memory: Memory, known: Products, s: Factor, y: Factor, forget: AnyArray) -> Memory:
    """Write a pair over the oldest, and its products; it counts where its curvature is positive."""
    k = memory.inverse.shape[0]
    at = (known.newest - 1) % k
    steps = jnp.asarray(memory.steps).at[at].set(s)
    changes = jnp.asarray(memory.changes).at[at].set(y)
    Sy, Yy, sY = _rows(steps) @ y.ravel(), _rows(changes) @ y.ravel(), _rows(changes) @ s.ravel()
    good, inverse, scale = _weighed(memory, s, Sy[at], Yy[at])
    ring = Products(
        jnp.asarray(known.sy).at[:, at].set(Sy).at[at].set(sY),
        jnp.asarray(known.yy).at[:, at].set(Yy).at[at].set(Yy),
        jnp.where(good, at, known.newest),
    )
    return Memory(
        steps=steps,
        changes=changes,
        inverse=jnp.where(forget, 0.0, jnp.asarray(memory.inverse).at[at].set(inverse)),
        scale=scale,
        products=ring,
    )
