"""Approximate message passing: what its two forms share.

Message passing estimates the matrix and, along with it, its own error: every step corrects the
residual by what the estimate has already taken from the data (Onsager's term), so that what is
left looks like fresh Gaussian noise of a known level.  A denoiser that is the best for that level
then gives the next estimate.  For isotropic random measurements it finds the truth with barely more
measurements than degrees of freedom, where descent from a spectral start needs twice as many; for
other measurements it may stall, which its error shows, and another start is taken.

References
----------
Donoho, Maleki and Montanari, Message-passing algorithms for compressed sensing (2009); Rangan,
Generalized approximate message passing (2011).
"""

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from liftless._types import AnyArray

#: Without a fall of the estimated error to this share in so many steps it has stalled.
FALL = 0.9


class Numbers(eqx.Module):
    """A plan as traced scalars: another one does not compile anew."""

    noise: Float[AnyArray, ""]
    damping: Float[AnyArray, ""]
    fresh: Float[AnyArray, ""]
    ready: Float[AnyArray, ""]
    patience: Float[AnyArray, ""]
    steps: Float[AnyArray, ""]


class Watch(eqx.Module):
    """Estimated error so far: the steps taken, the error, and when it last fell clearly."""

    k: Float[AnyArray, ""]
    error: Float[AnyArray, ""]
    level: Float[AnyArray, ""]
    since: Float[AnyArray, ""]

    @classmethod
    def begin(cls, like: AnyArray) -> "Watch":
        """Before the first step."""
        zero = jnp.zeros((), jnp.result_type(like))
        return cls(zero, zero + jnp.inf, zero + jnp.inf, zero)

    def seen(self, error: AnyArray) -> "Watch":
        """After a step that ended at an estimated relative error."""
        k = self.k + 1
        fell = error < FALL * self.level
        level, since = jnp.where(fell, error, self.level), jnp.where(fell, k, self.since)
        return Watch(k, jnp.where(jnp.isfinite(error), error, jnp.inf), level, since)

    def going(self, numbers: Numbers) -> AnyArray:
        """Whether another step is worth it."""
        hopeful = self.k - self.since < numbers.patience
        return (self.k < numbers.steps) & (self.error > numbers.ready) & hopeful


@runtime_checkable
class Watched(Protocol):
    """A state that knows how far it is."""

    watch: Watch


S = TypeVar("S", bound=Watched)


def pass_on(step: Callable[[S], S], begin: S, numbers: Numbers) -> S:
    """Take steps while the state's ``watch`` says that another one is worth it; traceable."""
    return jax.lax.while_loop(lambda at: at.watch.going(numbers), step, begin)
