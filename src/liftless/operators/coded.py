"""Squared moduli of Fourier transforms of a masked image: coded diffraction, oversampled Fourier.

References
----------
Candès, Li and Soltanolkotabi, Phase retrieval from coded diffraction patterns (2015).
"""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float, Int, Num

from liftless._checks import complex_array, describe, real_array
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.operators.images import DIMENSIONS, ImageAmplitudes

#: Share of the masks' power in their means from which they count as plain.
PLAIN = 0.75


class CodedDiffraction(ImageAmplitudes):
    """A(Z Z*) = |F (M_l ⊙ z)|² over all masks l and frequencies, F the unitary Fourier transform.

    No n × n and no m × n array is formed: an application to one column is L transforms.

    Parameters
    ----------
    masks : array of shape ``(L, *shape)``
        Real or complex; the image and its transform have one to three dimensions.
    support : boolean array of that shape, optional
        Where the image may be other than zero: its pixels are the unknowns, row by row.  A single
        mask of ones and a support of a part of the grid is oversampled Fourier data.
    real : bool
        Whether the image is real.
    half : bool
        For real masks and a real image, whose reading at frequency −k is that at k: then readings
        are those of half the frequencies, as :func:`numpy.fft.rfftn` orders them, each the sum of
        both of a pair where both are not in that half already (:meth:`fold` makes them).

    Raises
    ------
    InvalidInput
        Masks that are no finite array of two to four dimensions, that leave a pixel dark, or a
        support of another shape; ``half`` of what is complex.

    Notes
    -----
    Measurement number (l, k) is row l·K + k of the K frequencies in C order, as
    ``numpy.abs(numpy.fft.fftn(masks * image, axes=…, norm="ortho")) ** 2`` has them.
    """

    masks: Num[AnyArray, "L ..."]
    pixels: Int[AnyArray, " p"] | None
    real: bool = eqx.field(static=True)
    half: bool = eqx.field(static=True)

    def __init__(
        self, masks: Any, *, support: Any = None, real: bool = False, half: bool = False
    ) -> None:
        self.masks = _masks(masks)
        self.real, self.half = bool(real), bool(half)
        if half and (not real or self.masks.dtype.kind == "c"):
            was = "True with " + ("complex masks" if real else "a complex image")
            raise InvalidInput("half", was, "False, or masks and image real")
        self.pixels = None if support is None else _pixels(support, self.shape)
        dark = np.flatnonzero(np.asarray(self.gram()) <= 0)
        if dark.size:
            where = int(dark[0] if self.pixels is None else np.asarray(self.pixels)[dark[0]])
            place = tuple(
                int(i) for i in np.unravel_index(where % math.prod(self.shape), self.shape)
            )
            must = "nonzero in at least one mask at every pixel"
            raise InvalidInput("masks", f"zero at pixel {place} in all", must, "Pass a support.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image's grid."""
        return self.masks.shape[1:]

    @property
    def order(self) -> int:
        """Unknown pixels."""
        return math.prod(self.shape) if self.pixels is None else self.pixels.shape[0]

    @property
    def _multiplier(self) -> Num[AnyArray, "L ..."]:
        """The masks."""
        return self.masks

    @property
    def transforms(self) -> int:
        """Transforms in an application to one column: the masks."""
        return self.masks.shape[0]

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of one transform."""
        return self.shape

    @property
    def frequencies(self) -> tuple[int, ...]:
        """Shape of one mask's readings."""
        *rest, last = self.shape
        return (*rest, last // 2 + 1) if self.half else self.shape

    @property
    def m(self) -> int:
        """Readings of all masks."""
        return self.masks.shape[0] * math.prod(self.frequencies)

    # -- the linear map ---------------------------------------------------------------------------

    def rows(self, X: Float[AnyArray, "n r"]) -> Complex[AnyArray, "m r"]:
        """F (M_l ⊙ z) for every column z, complex; scaled so that A is its squared length."""
        X = jnp.asarray(X)
        Z = self._signal(X)
        r, L = Z.shape[1], self.masks.shape[0]
        flat = Z.T
        if self.pixels is not None:
            empty = jnp.zeros((r, math.prod(self.shape)), Z.dtype)
            flat = empty.at[:, self.pixels].set(flat, unique_indices=True)
        coded = self._multiplier_like(X.dtype)[:, None] * flat.reshape(1, r, *self.shape)
        if self.half:
            P = jnp.fft.rfftn(coded, axes=self._axes, norm="ortho") * self._roots(X.dtype)
        else:
            P = jnp.fft.fftn(coded, axes=self._axes, norm="ortho")
        return jnp.swapaxes(P.reshape(L, r, -1), 1, 2).reshape(-1, r)

    def back(self, P: Complex[AnyArray, "m r"]) -> Float[AnyArray, "n r"]:
        """Adjoint of :meth:`rows` over the real numbers."""
        P = jnp.asarray(P)
        r, L = P.shape[1], self.masks.shape[0]
        spectrum = jnp.swapaxes(P.reshape(L, -1, r), 1, 2).reshape(L, r, *self.frequencies)
        dtype = jnp.real(P).dtype
        if self.half:
            # The transform of a real image counts the middle frequencies twice.
            spectrum = spectrum / self._roots(dtype)
            images = jnp.fft.irfftn(spectrum, s=self.shape, axes=self._axes, norm="ortho")
        else:
            images = jnp.fft.ifftn(spectrum, axes=self._axes, norm="ortho")
        M = self._multiplier_like(dtype)
        # For a real image only the real part of each product is needed.
        whole = jnp.sum(jnp.conj(M)[:, None] * images, axis=0).reshape(r, -1)
        return self._factor((whole if self.pixels is None else whole[:, self.pixels]).T)

    def _counts(self) -> Float[np.ndarray, " k"]:
        """Frequencies of the whole grid that one of the half stands for, along the last axis."""
        last = self.shape[-1]
        c = np.full(last // 2 + 1, 2.0)
        c[0] = 1.0
        if last % 2 == 0:
            c[-1] = 1.0
        return c

    def _roots(self, dtype: Any) -> Float[AnyArray, "..."]:
        roots = np.sqrt(self._counts())
        return jnp.asarray(roots.reshape((1,) * (1 + len(self.shape)) + (-1,)), dtype)

    def gram(self) -> Float[AnyArray, " n"]:
        """Diagonal of back ∘ rows, which is diagonal: Σ_l |M_l|² at every unknown."""
        xp = np if isinstance(self.masks, np.ndarray) else jnp
        D = xp.sum(xp.abs(self.masks) ** 2, axis=0).reshape(-1)
        D = D if self.pixels is None else D[self.pixels]
        return D if self.real else xp.concatenate([D, D])

    def multiplicity(self) -> Float[np.ndarray, " m"] | None:
        """Frequencies of the whole grid that each reading stands for; None where all for one."""
        if not self.half:
            return None
        whole = np.broadcast_to(self._counts(), (self.masks.shape[0], *self.frequencies))
        return whole.reshape(-1).copy()

    def scrambled(self) -> bool:
        """Whether the masks vary: even ones leave a smooth image to few frequencies."""
        M = np.asarray(self.masks).reshape(self.masks.shape[0], -1)
        M = M if self.pixels is None else M[:, np.asarray(self.pixels)]
        power = float(np.mean(np.abs(M) ** 2))
        return float(np.mean(np.abs(np.mean(M, axis=1)) ** 2)) < PLAIN * power

    # -- the measurements -------------------------------------------------------------------------

    def cost(self, columns: int) -> float:
        """One transform a mask and column, of ½·5 K log₂ K multiply-adds on K points."""
        size = math.prod(self.shape)
        one = 2.5 * size * (math.log2(size) + 2) * (0.5 if self.half else 1.0)
        return self.masks.shape[0] * one * columns

    def lengths(self) -> Float[AnyArray, " m"]:
        """Mean of |M_l|² over the grid, half of it for a real image; for a pair of both."""
        M = jnp.asarray(self.masks)
        flat = (jnp.abs(M) ** 2).reshape(M.shape[0], -1)
        flat = flat if self.pixels is None else flat[:, self.pixels]
        one = jnp.sum(flat, axis=1) / math.prod(self.shape) / (2 if self.real else 1)
        whole = jnp.repeat(one, math.prod(self.frequencies))
        c = self.multiplicity()
        return whole if c is None else whole * c

    def _lit(self, k: int) -> Int[np.ndarray, " l"]:
        mask = np.asarray(self.masks)[k].ravel()
        return np.flatnonzero(mask if self.pixels is None else mask[np.asarray(self.pixels)])

    # -- data -------------------------------------------------------------------------------------

    def fold(
        self, b: Float[np.ndarray, "L ..."], weights: Float[np.ndarray, "L ..."] | None = None
    ) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]]:
        """Readings of the whole grid as this operator's, and the weights ω of their squares.

        Parameters
        ----------
        b : array of shape ``(L, *shape)``
        weights : array of that shape, optional
            Nonnegative, 1 by default; 0 where a reading is missing: its partner then stands for it.

        Returns
        -------
        b, weights : arrays of shape (m,)
            So that Σ ω (y − b)² over the half is that over the whole grid for all y that a real
            image has, up to a constant.
        """
        if not self.half:
            return super().fold(b, weights)
        w = np.ones(b.shape) if weights is None else weights
        pair = np.roll(np.flip(b, self._image_axes), 1, self._image_axes)
        pair_w = np.roll(np.flip(w, self._image_axes), 1, self._image_axes)
        K = self.frequencies[-1]
        total = w + pair_w
        mean = (w * b + pair_w * pair) / np.where(total > 0, total, 1.0)
        # Twice where a reading of the half stands for two; one of the edge meets its partner there.
        c = self._counts()
        y, omega = c * mean[..., :K], total[..., :K] / (2 * c)
        return y.reshape(-1), omega.reshape(-1)

    @property
    def _image_axes(self) -> tuple[int, ...]:
        return tuple(range(1, 1 + len(self.shape)))


def _masks(masks: Any) -> Num[np.ndarray, "L ..."]:
    ndim = np.ndim(masks)
    if not 2 <= ndim <= 1 + DIMENSIONS or 0 in np.shape(masks):
        must = "an array of shape (L, *shape), with an image of one to three dimensions"
        raise InvalidInput("masks", describe(masks), must, "For one mask write masks[None].")
    if np.asarray(masks).dtype.kind == "c":
        return complex_array("masks", masks, ndim)
    return real_array("masks", masks, ndim)


def _pixels(support: Any, shape: tuple[int, ...]) -> Int[np.ndarray, " p"]:
    support = np.asarray(support)
    if support.shape != shape or support.dtype.kind not in "biu":
        must = f"a boolean array of shape {shape}, as the masks are"
        raise InvalidInput("support", describe(support), must)
    pixels = np.flatnonzero(support)
    if not pixels.size:
        raise InvalidInput("support", "empty", "true at a pixel at least")
    return pixels.astype(np.int32)
