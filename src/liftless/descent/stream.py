"""Random numbers for methods: one stream a start, decided by the seed and the start itself."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt32

from liftless._checks import traced_whole
from liftless._types import AnyArray, Whole
from liftless.descent.base import Factor

#: Largest seed a 32-bit key holds.
MOST = 2**32 - 1
#: Odd multipliers of the hash of the start (those of MurmurHash3's finaliser, and Weyl's).
MIX_ONE, MIX_TWO, WEYL = 0x85EBCA6B, 0xC2B2AE35, 0x9E3779B9


def check_seed(seed: Any) -> Any:
    """Return a seed that a 32-bit key holds."""
    return traced_whole("seed", seed, least=0, most=MOST)


class Stream(eqx.Module):
    """A random stream inside a method's state.

    Starts of one batch get streams of their own although the method has one seed, and a start
    alone gets the stream it has in any batch.  Columns that are zero at the start get no noise,
    and the others the noise they have without them: padding changes nothing.

    Attributes
    ----------
    key : array of shape (2,)
        Bits of the stream's key.
    count : scalar
        Draws so far.
    used : array of shape (1, r)
        Columns that are not zero at the start (all of them if every one is).
    """

    key: UInt32[AnyArray, " k"]
    count: UInt32[AnyArray, ""]
    used: Bool[AnyArray, "..."]

    @classmethod
    def begin(cls, seed: Whole, X: Factor) -> "Stream":
        """Return the stream of a seed and a start; traceable."""
        X = by_columns(X)
        key = start_key(seed, X)
        used = jnp.any(X != 0, axis=0, keepdims=True)
        used = used | ~jnp.any(used)
        return cls(jax.random.key_data(key), jnp.zeros((), jnp.uint32), used)

    def next(self) -> tuple[Array, "Stream"]:
        """Return a fresh key and the stream after it; traceable."""
        key = jax.random.fold_in(jax.random.wrap_key_data(jnp.asarray(self.key)), self.count)
        return key, Stream(self.key, self.count + jnp.uint32(1), self.used)

    def normal(self, key: Array, X: Factor) -> Factor:
        """N(0, I) in the used columns, zero in the others; shape and type of ``X``; traceable."""
        return jnp.where(self.used, normal_columns(key, X), 0.0).reshape(X.shape)


def start_key(seed: Whole, X: Factor) -> Array:
    """Key of a seed and a start, so that stacked starts get streams of their own; traceable."""
    return jax.random.fold_in(jax.random.key(seed), hash_bits(X))


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


def by_columns(X: Factor) -> Float[AnyArray, "n r"]:
    """X as an array of shape (n, r): a vector as one column."""
    X = jnp.asarray(X)
    return X.reshape(X.shape[0], -1)


def normal_columns(key: AnyArray, X: Factor) -> Float[AnyArray, "n r"]:
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
