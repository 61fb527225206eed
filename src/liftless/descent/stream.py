"""Random numbers for methods: one stream a start, decided by the seed and the start itself."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, UInt32

from liftless._checks import traced_whole
from liftless._types import AnyArray, Whole
from liftless.descent.base import Factor
from liftless.descent.perturbed import by_columns, hash_bits, normal_columns

#: Largest seed a 32-bit key holds.
MOST = 2**32 - 1


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
    used: Bool[AnyArray, "1 r"]

    @classmethod
    def begin(cls, seed: Whole, X: Factor) -> "Stream":
        """Return the stream of a seed and a start; traceable."""
        X = by_columns(X)
        key = jax.random.fold_in(jax.random.key(seed), hash_bits(X))
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
