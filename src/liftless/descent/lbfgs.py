"""L-BFGS with the exact quartic step: the default local method."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless._checks import positive_int
from liftless._types import AnyArray
from liftless.descent.base import Factor, Method, Point
from liftless.objective import Objective


class Memory(eqx.Module):
    """Last pairs of steps and gradient changes, newest first; unused ones have inverse 0."""

    steps: Float[AnyArray, "..."]
    changes: Float[AnyArray, "..."]
    inverse: Float[AnyArray, " k"]
    scale: Float[AnyArray, ""]


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
    Nocedal and Wright, Numerical Optimization, algorithm 7.4 (two-loop recursion).
    """

    memory: int = eqx.field(static=True)

    def __init__(self, memory: int = 10) -> None:
        self.memory = positive_int("memory", memory)

    def init(self, objective: Objective, point: Point) -> Memory:
        """Return an empty memory."""
        del objective
        X = jnp.asarray(point.X)
        empty = jnp.zeros((self.memory, *X.shape), X.dtype)
        return Memory(empty, empty, jnp.zeros(self.memory, X.dtype), jnp.ones((), X.dtype))

    def resumed(self, objective: Objective, point: Point, state: Memory) -> Memory:
        """Return the same pairs: they need only be rough."""
        begin = self.init(objective, point)
        finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(state)]
        kept = jnp.all(jnp.stack(finite))
        return jax.tree.map(lambda a, b: jnp.where(kept, a.astype(b.dtype), b), state, begin)

    def advance(self, objective: Objective, point: Point, state: Memory) -> tuple[Point, Memory]:
        """One step; three applications."""
        direction = -_apply_inverse(state, point.gradient)
        # Should round-off spoil the direction, the gradient is used and the memory forgotten.
        bad = jnp.sum(direction * point.gradient) >= 0
        direction = jnp.where(bad, -point.gradient, direction)
        there, length = point.along(objective, direction)
        state = _remember(
            state, length * direction, there.gradient - point.gradient, forget=bad | (length <= 0)
        )
        return there, state


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


def _remember(memory: Memory, s: Factor, y: Factor, forget: AnyArray) -> Memory:
    """Push a pair with positive curvature, leave the memory alone otherwise."""
    sy, yy = jnp.sum(s * y), jnp.sum(y * y)
    good = sy > 1e-12 * jnp.sqrt(jnp.sum(s * s) * yy)
    inverse = jnp.where(good, 1.0 / jnp.where(good, sy, 1.0), 0.0)

    def push(old: AnyArray, new: AnyArray) -> AnyArray:
        pushed = jnp.concatenate([new[None], old[:-1]])
        return jnp.where(good, pushed, old)

    kept = push(memory.inverse, inverse)
    return Memory(
        steps=push(memory.steps, s),
        changes=push(memory.changes, y),
        inverse=jnp.where(forget, 0.0, kept),
        scale=jnp.where(good, sy / jnp.where(yy > 0, yy, 1.0), memory.scale),
    )
