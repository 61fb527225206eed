"""Squared moduli of Fourier transforms of a signal behind a window that is moved over it.

Ptychography, where the window is a probe, and the short-time Fourier transform.

References
----------
Rodenburg and Faulkner, A phase retrieval algorithm for shifting illumination (2004).
Jaganathan, Eldar and Hassibi, STFT phase retrieval: uniqueness guarantees and algorithms (2016).
"""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float, Int, Num

from liftless._checks import complex_array, describe, real_array
from liftless._errors import InvalidInput
from liftless._memory import check_memory
from liftless._types import AnyArray
from liftless.operators.images import DIMENSIONS, ImageAmplitudes


class ScannedProbe(ImageAmplitudes):
    """A(Z Z*) = |F (P ⊙ z[s:s + w])|² for the windows at all positions s, F unitary of size w.

    No n × n and no m × n array is formed: an application to one column is a transform of the
    window's size a position.

    Parameters
    ----------
    probe : array of shape w
        Real or complex, of one to three dimensions.
    positions : integer array of shape (S, d)
        First corner of each window in the image; (S,) for one dimension.
    shape : tuple of int
        Of the image.
    real : bool
        Whether the image is real.

    Raises
    ------
    InvalidInput
        A probe that is no finite array or zero, windows that leave the image, no position.

    Notes
    -----
    The unknowns are the pixels that some window lights, row by row; ``pixels`` has their numbers.
    Measurement (s, k) is row s·K + k of the K frequencies of a window in C order.
    """

    probe: Num[AnyArray, "..."]
    windows: Int[AnyArray, "S K"]
    pixels: Int[AnyArray, " p"]
    shape: tuple[int, ...] = eqx.field(static=True)
    real: bool = eqx.field(static=True)

    def __init__(self, probe: Any, positions: Any, shape: Any, *, real: bool = False) -> None:
        self.probe, self.real = _probe(probe), bool(real)
        self.shape = _shape(shape, self.probe.shape)
        corners = _positions(positions, self.probe.shape, self.shape)
        check_memory("positions", f"{len(corners)} windows", 64.0 * len(corners) * self.probe.size)
        offsets = np.stack([i.ravel() for i in np.indices(self.probe.shape)])
        places = corners.T[:, :, None] + offsets[:, None, :]
        flat = np.ravel_multi_index(tuple(places), self.shape)
        lit = np.zeros(math.prod(self.shape), bool)
        lit[np.compress(np.asarray(self.probe).ravel() != 0, flat, axis=1)] = True
        self.pixels = np.flatnonzero(lit).astype(np.int32)
        # What is dark stands for a pixel of its own that is zero throughout, one past the last.
        number = np.full((lit.size,), self.pixels.size, np.int32)
        number[self.pixels] = np.arange(self.pixels.size, dtype=np.int32)
        self.windows = number[flat]

    @property
    def order(self) -> int:
        """Pixels that some window lights."""
        return self.pixels.shape[0]

    @property
    def _multiplier(self) -> Num[AnyArray, "..."]:
        """The probe."""
        return self.probe

    @property
    def transforms(self) -> int:
        """Transforms in an application to one column: the positions."""
        return self.windows.shape[0]

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of one transform."""
        return self.probe.shape

    @property
    def m(self) -> int:
        """Readings of all positions."""
        return self.transforms * math.prod(self.grid)

    # -- the linear map ---------------------------------------------------------------------------

    def rows(self, X: Float[AnyArray, "n r"]) -> Complex[AnyArray, "m r"]:
        """F (P ⊙ z[window]) for every column z, complex; scaled so that A is its squared length."""
        X = jnp.asarray(X)
        Z = self._signal(X)
        r = Z.shape[1]
        whole = jnp.concatenate([Z, jnp.zeros((1, r), Z.dtype)])
        seen = jnp.swapaxes(whole[jnp.asarray(self.windows)], 1, 2)
        lit = self._multiplier_like(X.dtype)[None, None] * seen.reshape(-1, r, *self.grid)
        P = jnp.fft.fftn(lit, axes=self._axes, norm="ortho")
        return jnp.swapaxes(P.reshape(self.transforms, r, -1), 1, 2).reshape(-1, r)

    def back(self, P: Complex[AnyArray, "m r"]) -> Float[AnyArray, "n r"]:
        """Adjoint of :meth:`rows` over the real numbers."""
        P = jnp.asarray(P)
        r = P.shape[1]
        spectrum = jnp.swapaxes(P.reshape(self.transforms, -1, r), 1, 2)
        spectrum = spectrum.reshape(self.transforms, r, *self.grid)
        images = jnp.fft.ifftn(spectrum, axes=self._axes, norm="ortho")
        lit = jnp.conj(self._multiplier_like(jnp.real(P).dtype))[None, None] * images
        lit = jnp.swapaxes(lit.reshape(self.transforms, r, -1), 1, 2)
        lit = jnp.real(lit) if self.real else lit
        empty = jnp.zeros((self.order + 1, r), lit.dtype)
        return self._factor(empty.at[jnp.asarray(self.windows)].add(lit)[:-1])

    def gram(self) -> Float[AnyArray, " n"]:
        """Diagonal of back ∘ rows, which is diagonal: Σ |P|² over the windows at every unknown."""
        power = jnp.abs(jnp.asarray(self.probe)).ravel() ** 2
        empty = jnp.zeros(self.order + 1, power.dtype)
        D = empty.at[jnp.asarray(self.windows)].add(jnp.broadcast_to(power, self.windows.shape))
        D = D[:-1]
        return D if self.real else jnp.concatenate([D, D])

    def multiplicity(self) -> None:
        """Nothing: a row stands for one reading."""
        return

    def scrambled(self) -> bool:
        """Return False: a window mixes the few pixels that it holds."""
        return False

    # -- the measurements -------------------------------------------------------------------------

    def cost(self, columns: int) -> float:
        """One transform a position and column, of ½·5 K log₂ K multiply-adds on K points."""
        size = math.prod(self.grid)
        return self.transforms * 2.5 * size * (math.log2(size) + 2) * columns

    def lengths(self) -> Float[AnyArray, " m"]:
        """Mean of |P|² over the lit pixels of each window, half of it for a real image."""
        P = jnp.abs(jnp.asarray(self.probe)).ravel() ** 2
        known = jnp.asarray(self.windows) < self.order
        one = jnp.sum(known * P[None], axis=1) / P.size / (2 if self.real else 1)
        return jnp.repeat(one, P.size)

    def _lit(self, k: int) -> Int[np.ndarray, " l"]:
        return np.asarray(self.windows)[k][np.asarray(self.probe).ravel() != 0]


def _probe(probe: Any) -> Num[np.ndarray, "..."]:
    ndim = np.ndim(probe)
    if not 1 <= ndim <= DIMENSIONS or 0 in np.shape(probe):
        must = "an array of the window's shape, of one to three dimensions"
        raise InvalidInput("probe", describe(probe), must)
    given = np.asarray(probe).dtype.kind == "c"
    array = complex_array("probe", probe, ndim) if given else real_array("probe", probe, ndim)
    if not np.any(array):
        raise InvalidInput("probe", "zero everywhere", "a window that lets something through")
    return array


def _shape(shape: Any, window: tuple[int, ...]) -> tuple[int, ...]:
    array = np.asarray(shape)
    fits = array.dtype.kind in "iu" and array.shape == (len(window),)
    if not fits or np.any(array < window):
        must = f"{len(window)} sides of the image, at least {window}"
        raise InvalidInput("shape", describe(shape), must)
    return tuple(int(k) for k in array)


def _positions(
    positions: Any, window: tuple[int, ...], shape: tuple[int, ...]
) -> Int[np.ndarray, "S d"]:
    array = np.asarray(positions)
    if array.ndim == 1 and len(window) == 1:
        array = array[:, None]
    if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1:] != (len(window),):
        must = f"an integer array of shape (S, {len(window)}): the first corner of each window"
        raise InvalidInput("positions", describe(positions), must, "Round them to pixels.")
    if not len(array):
        raise InvalidInput("positions", "empty", "one window at least")
    out = np.flatnonzero(np.any((array < 0) | (array + np.array(window) > shape), axis=1))
    if out.size:
        was = f"{tuple(array[out[0]].tolist())} at index {int(out[0])}"
        must = f"such that windows of {window} are inside {shape}"
        raise InvalidInput("positions", was, must)
    return array.astype(np.int64)
