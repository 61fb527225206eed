"""Perturbed gradient descent: a small random kick wherever the gradient has become small."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt32

from liftless._checks import real_number, traced_whole
from liftless._fields import number
from liftless._types import AnyArray, Scalar, Whole
from liftless.descent.base import Factor, Method, Point
from liftless.objective import Objective

#: Odd multipliers of the hash of the start (those of MurmurHash3's finaliser, and Weyl's).
MIX_ONE, MIX_TWO, WEYL = 0x85EBCA6B, 0xC2B2AE35, 0x9E3779B9


class Kicks(eqx.Module):
    """Stream of the perturbations, how many were made, and the steps since the last."""

    key: UInt32[AnyArray, " k"]
    made: Float[AnyArray, ""]
    since: Float[AnyArray, ""]


class PerturbedGradientDescent(Method[Kicks]):
    """X ← X − step ∇h(X), and X ← X + ξ, ξ uniform in a ball, where the gradient is small.

    A perturbation is a step of its own.  It is made where ‖∇h‖·‖X‖ <= threshold · h and at least
    ``wait`` steps have passed since the last one (the first needs no wait).

    Parameters
    ----------
    step : float
        Fixed step size, > 0.
    radius : float
        Radius of the ball, > 0, in units of X.
    threshold : float
        Relative size of a small gradient, free of the problem's scale.  The source has an
        absolute one; with the relative one a run that is about to fit the data is left alone.
    wait : int
        Steps between perturbations.
    seed : int
        Below 2³².

    Notes
    -----
    Jin, Ge, Netrapalli, Kakade and Jordan (2017), How to Escape Saddle Points Efficiently,
    algorithm 1; its termination test is the caller's.  The stream is keyed by the seed and by a
    hash of the start, so that stacked starts get different streams, and each the same as alone.
    Columns that are zero at the point of a perturbation stay zero and change nothing else.  A start
    whose gradient is exactly zero ends the run at once, as it does with every method: move it by
    any amount, however small.
    """

    step: Scalar
    radius: Scalar
    threshold: Scalar
    wait: Whole = number()
    seed: Whole = number(np.uint32)

    def __init__(
        self,
        step: Scalar = 0.01,
        radius: Scalar = 1e-2,
        threshold: Scalar = 1e-3,
        wait: Whole = 50,
        seed: Whole = 0,
    ) -> None:
        self.step = real_number("step", step, above=0.0)
        self.radius = real_number("radius", radius, above=0.0)
        self.threshold = real_number("threshold", threshold, least=0.0)
        self.wait = traced_whole("wait", wait, least=0)
        self.seed = traced_whole("seed", seed, least=0, most=2**32 - 1)

    @property
    def step_size(self) -> Scalar:
        """The step, by its old name."""
        return self.step

    def init(self, objective: Objective, point: Point) -> Kicks:
        """Return the stream of this start."""
        del objective
        X = jnp.asarray(point.X)
        key = jax.random.fold_in(jax.random.key(self.seed), hash_bits(X))
        zero = jnp.zeros((), X.dtype)
        return Kicks(jax.random.key_data(key), zero, zero + self.wait)

    def advance(self, objective: Objective, point: Point, state: Kicks) -> tuple[Point, Kicks]:
        """One step; two applications."""
        slope = jnp.linalg.norm(point.gradient) * jnp.linalg.norm(point.X)
        kick = (slope <= self.threshold * point.excess) & (state.since >= self.wait)
        key = jax.random.fold_in(
            jax.random.wrap_key_data(jnp.asarray(state.key)), state.made.astype(jnp.uint32)
        )
        noise = self.radius * uniform_ball(key, point.X)
        change = jnp.where(kick, noise, -self.step * point.gradient)
        there = point.moved(objective, change, jnp.ones((), change.dtype))
        since = jnp.where(kick, 0.0, state.since + 1)
        return there, Kicks(state.key, state.made + kick, since)


def uniform_ball(key: AnyArray, X: Factor) -> Factor:
    """Uniform draw from the unit ball of the nonzero columns of X (all of them if X is zero).

    Each column has a stream of its own, so that padding with zero columns changes no draw.
    """
    shape, X = X.shape, by_columns(X)
    used = jnp.any(X != 0, axis=0, keepdims=True)
    used = used | ~jnp.any(used)
    radial, angular = jax.random.split(key)
    columns = jnp.where(used, normal_columns(angular, X), 0.0)
    dimension = X.shape[0] * jnp.sum(used)
    length = jax.random.uniform(radial, (), X.dtype) ** (1.0 / dimension)
    return ((length / jnp.linalg.norm(columns)).astype(X.dtype) * columns).reshape(shape)


def by_columns(X: Factor) -> Factor:
    """X as an array of shape (n, r): a vector as one column."""
    X = jnp.asarray(X)
    return X.reshape(X.shape[0], -1)


def normal_columns(key: AnyArray, X: Factor) -> Factor:
    """N(0, I) of shape (n, r), for X as :func:`by_columns` has it.

    A column's stream is its number's, so that the draw does not depend on the width.
    """
    X = by_columns(X)
    numbers = jnp.arange(X.shape[1], dtype=jnp.uint32)
    return jax.vmap(
        lambda j: jax.random.normal(jax.random.fold_in(key, j), X.shape[:1], X.dtype), out_axes=1
    )(numbers)


def hash_bits(X: Factor) -> UInt32[AnyArray, ""]:
    """32-bit hash of the bits of X that ignores zero columns; exact integers, in any order."""
    X = by_columns(X)
    n, r = X.shape
    words = jax.lax.bitcast_convert_type(X, jnp.uint32).reshape(n, r, -1)
    # The place of an entry is counted down the columns, so that padding leaves it alone.
    place = jnp.arange(n * r, dtype=jnp.uint32).reshape(r, n).T
    mixed = place * jnp.uint32(WEYL)
    for k in range(words.shape[2]):
        mixed = _scramble(mixed ^ words[:, :, k])
    kept = jnp.where(jnp.any(X != 0, axis=0, keepdims=True), mixed, jnp.uint32(0))
    return jnp.sum(kept, dtype=jnp.uint32)


def _scramble(h: UInt32[AnyArray, "n r"]) -> UInt32[AnyArray, "n r"]:
    h = (h ^ (h >> 16)) * jnp.uint32(MIX_ONE)
    h = (h ^ (h >> 13)) * jnp.uint32(MIX_TWO)
    return h ^ (h >> 16)
