"""What operators share that transform an image multiplied by something: masks, or a probe."""

import abc
import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, Num

from liftless._types import AnyArray
from liftless.operators.complex_amplitudes import SignalAmplitudes

#: Dimensions of an image that the transforms of JAX take.
DIMENSIONS = 3


class ImageAmplitudes(SignalAmplitudes):
    """Unitary Fourier transforms of an image, some of its pixels unknown and the others zero."""

    shape: eqx.AbstractVar[tuple[int, ...]]
    pixels: eqx.AbstractVar[Int[AnyArray, " p"] | None]

    @property
    @abc.abstractmethod
    def _multiplier(self) -> Num[AnyArray, "..."]:
        """What the image is multiplied by."""

    @property
    @abc.abstractmethod
    def transforms(self) -> int:
        """Transforms in an application to one column."""

    @property
    @abc.abstractmethod
    def grid(self) -> tuple[int, ...]:
        """Shape of one transform."""

    @abc.abstractmethod
    def _lit(self, k: int) -> Int[np.ndarray, " l"]:
        """Unknown pixels that are in transform k."""

    @property
    def share(self) -> float:
        """Unknown real numbers over those that the amplitudes have."""
        whole = self.transforms * math.prod(self.grid)
        paired = self.real and self._multiplier.dtype.kind != "c"
        return self.order / whole / (1 if paired or not self.real else 2)

    @property
    def _axes(self) -> tuple[int, ...]:
        """Axes of the transforms, after those of their number and the columns."""
        return tuple(range(2, 2 + len(self.grid)))

    def _multiplier_like(self, dtype: Any) -> Num[AnyArray, "..."]:
        """What the image is multiplied by, in the precision of a factor."""
        kind = (
            jnp.promote_types(dtype, jnp.complex64) if self._multiplier.dtype.kind == "c" else dtype
        )
        return jnp.asarray(self._multiplier, kind)

    def links(
        self, live: Bool[np.ndarray, " n"], used: Bool[np.ndarray, " m"]
    ) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
        """See :meth:`SensingOperator.links`: a transform with readings ties the pixels it has.

        One after another: the products of all pairs are in the readings of enough frequencies.
        """
        pairs = [np.zeros((2, 0), int)]
        for k in np.flatnonzero(np.any(used.reshape(self.transforms, -1), axis=1)):
            lines = self._lit(int(k))
            lines = lines if self.real else np.concatenate([lines, lines + self.order])
            lines = lines[live[lines]]
            pairs.append(np.stack([lines[:-1], lines[1:]]))
        i, j = np.concatenate(pairs, axis=1)
        return i, j

    def positive_combination(self) -> Float[np.ndarray, " m"]:
        """Return w = 1, of which A* is the positive ``gram``."""
        return np.ones(self.m)

    def fold(
        self, b: Float[np.ndarray, "L ..."], weights: Float[np.ndarray, "L ..."] | None = None
    ) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """Readings and weights, 1 by default, as they are, in one row."""
        w = np.ones(b.shape) if weights is None else weights
        return b.reshape(-1), w.reshape(-1)

    def image(self, X: Float[np.ndarray, "n r"]) -> Num[np.ndarray, "..."]:
        """Image of the first column of a factor, zero where nothing is unknown."""
        x = np.asarray(self._signal(X[:, :1]))[:, 0]
        whole = np.zeros(math.prod(self.shape), x.dtype)
        whole[slice(None) if self.pixels is None else np.asarray(self.pixels)] = x
        return whole.reshape(self.shape)
