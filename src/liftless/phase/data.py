"""What a caller measured, checked and put in the units of the unitary transform."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Num

from liftless._checks import describe, real_number
from liftless._errors import InputWarning, InvalidInput
from liftless.operators import CodedDiffraction, ScannedProbe
from liftless.phase.noise import Noise, noise_of

#: Norms of numpy.fft, and the power of the number of frequencies by which intensities are above
#: those of the unitary transform.
NORMS = {"ortho": 0, "backward": 1, "forward": -1}
#: Relative difference of readings at k and −k up to which they are one reading and round-off.
EVEN = 1e-10
#: Mean squared difference of the two in units of its variance, up to which they are one and noise.
ALIKE = 1.5


#: Transforms that a search takes at most, unless told otherwise; of a scan applications, since its
#: transforms are small.
BUDGET, SCANS = 20000.0, 4000.0


@dataclass(frozen=True)
class Data:
    """Readings of one retrieval.

    Attributes
    ----------
    operator : CodedDiffraction or ScannedProbe
    b : array of shape (m,)
        The operator's readings.
    known : array of shape (m,)
        Weights of their squares in the misfit of all readings; 0 where there is none.
    counts : array of shape (m,)
        Frequencies that a reading stands for: ``b / counts`` is an intensity.
    rows : float
        Readings that are independent of each other.
    noise : Noise
    scale : float
        The image in the caller's units, over that of the unitary transform.
    box : tuple of slices, or None
        Where the caller's image is in the grid.
    """

    operator: CodedDiffraction | ScannedProbe
    b: Float[np.ndarray, " m"]
    known: Float[np.ndarray, " m"]
    counts: Float[np.ndarray, " m"]
    rows: float
    noise: Noise
    scale: float
    box: tuple[slice, ...] | None

    @property
    def intensity(self) -> Float[np.ndarray, " m"]:
        """Readings in units of one frequency."""
        return self.b / self.counts

    @property
    def mean(self) -> float:
        """Mean intensity of the readings there are."""
        w = self.known * self.counts**2
        return float(np.sum(w * self.intensity) / np.sum(w))

    @property
    def total(self) -> float:
        """Squared length of all amplitudes: the sum of the intensities, were all read."""
        return self.mean * self.transforms * math.prod(self.operator.grid)

    @property
    def unknowns(self) -> int:
        """Real numbers to be found, less the phase that nothing tells."""
        return self.operator.order if self.operator.real else 2 * self.operator.order - 1

    @property
    def transforms(self) -> int:
        """Fourier transforms in an application."""
        return self.operator.transforms

    @property
    def plain(self) -> bool:
        """Whether the map mixes too little for message passing: a plain transform, or windows."""
        return not self.operator.scrambled()

    @property
    def scanned(self) -> bool:
        """Whether a probe was moved over the image."""
        return isinstance(self.operator, ScannedProbe)

    @property
    def pattern(self) -> Float[np.ndarray, "..."]:
        """Readings of the first transform, zero frequency first."""
        operator = self.operator
        first = self.intensity.reshape(operator.transforms, -1)[0]
        if not (isinstance(operator, CodedDiffraction) and operator.half):
            return first.reshape(operator.grid)
        *rest, last = operator.grid
        half = first.reshape(operator.frequencies)
        # The rest of the last axis is the mirror image of what there is.
        axes = tuple(range(len(rest)))
        other = np.roll(np.flip(half, axes), 1, axes)[..., 1 : last - last // 2]
        return np.concatenate([half, other[..., ::-1]], axis=-1)

    def enough(self, different: float) -> None:
        """Warn where there are fewer different readings than unknowns."""
        if different < self.unknowns:
            text = (
                f"{different:.0f} different readings are fewer than the {self.unknowns} unknown "
                "real numbers: many images fit, and the one found need not be yours."
            )
            warnings.warn(text, InputWarning, stacklevel=6)

    def image(self, X: Float[np.ndarray, "n 1"]) -> Num[np.ndarray, "..."]:
        """Image of a factor, in the caller's units and place."""
        whole = self.operator.image(X) * self.scale
        return whole if self.box is None else whole[self.box].copy()


def read(
    intensities: Any,
    masks: Any,
    support: Any,
    known: Any,
    noise: Any,
    norm: str,
    *,
    real: bool,
) -> Data:
    """Check everything that :func:`liftless.phase.retrieve` takes.

    Raises
    ------
    InvalidInput
        By the name of the argument.
    """
    if masks is None and support is None:
        must = "given, or a support of a part of the grid, or probe and positions"
        cure = "The intensities of one plain transform do not tell an image."
        raise InvalidInput("masks", "left out", must, cure)
    grid_masks, box = _masks(masks, support, np.shape(intensities))
    area = _support(support, grid_masks.shape[1:], box)
    b, seen, level = checked(
        intensities, grid_masks.shape, known, noise, real=real, even=grid_masks.dtype.kind != "c"
    )
    half = real and grid_masks.dtype.kind != "c"
    operator = CodedDiffraction(grid_masks, support=area, real=real, half=half)
    data = in_units(operator, b, seen, level, norm, box, _independent(operator, seen))
    data.enough(data.rows)
    return data


def checked(
    intensities: Any, shape: tuple[int, ...], known: Any, noise: Any, *, real: bool, even: bool
) -> tuple[Float[np.ndarray, "L ..."], Bool[np.ndarray, "L ..."], Noise]:
    """Readings with zero where there is none, where there are, and their noise.

    ``even`` says whether what the image is multiplied by is real.
    """
    signed = not (noise is None or isinstance(noise, str))
    b = _intensities(intensities, shape, signed=signed)
    seen = _known(known, b.shape)
    b = np.where(seen, b, 0.0)
    if np.any(~np.isfinite(b)):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(b))[0])
        was, must = f"not finite at index {where}", "free of NaN and infinity"
        raise InvalidInput("intensities", was, must, "Mark missing readings in known.")
    if not np.any(b > 0):
        raise InvalidInput("intensities", "all zero", "positive somewhere", "Nothing was measured.")
    level = noise_of(noise, b.shape)
    if even:
        _check_symmetry(b, seen, level, real=real)
    return b, seen, level


def in_units(
    operator: CodedDiffraction | ScannedProbe,
    b: Float[np.ndarray, "L ..."],
    seen: Bool[np.ndarray, "L ..."],
    level: Noise,
    norm: str,
    box: tuple[slice, ...] | None,
    rows: float,
) -> Data:
    """Readings in the units of the unitary transform, as the operator has them."""
    if not isinstance(norm, str) or norm not in NORMS:
        raise InvalidInput("norm", describe(norm), f"one of {', '.join(NORMS)}")
    above = float(math.prod(operator.grid)) ** -NORMS[norm]
    unitary = b * above if level.name != "poisson" else b
    level = level if level.name != "gaussian" else level.times(above)
    scale = 1.0 if level.name != "poisson" else math.sqrt(above)
    y, omega = operator.fold(unitary, seen.astype(float))
    c = operator.multiplicity()
    counts = np.ones(y.size) if c is None else c
    return Data(operator, y, omega, counts, rows, level.folded(operator), scale, box)


def _masks(
    masks: Any, support: Any, measured: tuple[int, ...]
) -> tuple[Num[np.ndarray, "L ..."], tuple[slice, ...] | None]:
    """Masks on the grid of the readings, and where the image is in it."""
    if masks is None:
        if len(measured) < 1:
            raise InvalidInput("intensities", "a number", "an array over the frequencies")
        shape = measured[1:] if _leading_one(support, measured) else measured
        return np.ones((1, *shape)), None
    array = np.asarray(masks)
    if array.dtype.kind not in "fiubc" or array.ndim < 2:
        must = "an array of shape (L, *shape), one mask after another"
        raise InvalidInput("masks", describe(masks), must, "For one mask write masks[None].")
    fits = len(measured) == array.ndim and measured[0] == array.shape[0]
    if not fits or any(m < k for m, k in zip(measured[1:], array.shape[1:], strict=True)):
        must = f"of shape {array.shape}, as the masks are, or larger where images are padded"
        was = f"of shape {measured}"
        raise InvalidInput("intensities", was, must, "Put the masks on the first axis.")
    if measured[1:] == array.shape[1:]:
        return array, None
    extra = [(0, 0)] + [(0, m - k) for m, k in zip(measured[1:], array.shape[1:], strict=True)]
    return np.pad(array, extra), tuple(slice(0, k) for k in array.shape[1:])


def _leading_one(support: Any, measured: tuple[int, ...]) -> bool:
    """Whether the readings of the one transform have an axis of their own."""
    dims = np.ndim(support) if np.ndim(support) > 1 else np.size(support)
    return len(measured) == dims + 1 and measured[0] == 1


def _intensities(
    intensities: Any, shape: tuple[int, ...], *, signed: bool
) -> Float[np.ndarray, "L ..."]:
    array = np.asarray(intensities)
    if array.dtype.kind not in "fiub":
        cure = "Intensities are squared moduli." if array.dtype.kind == "c" else ""
        raise InvalidInput("intensities", describe(intensities), "an array of real numbers", cure)
    b = array.astype(float).reshape(shape)
    lowest = float(np.min(np.where(np.isfinite(b), b, 0.0), initial=0.0))
    if lowest < 0 and not signed:
        cure = "Set them to zero, mark them in known, or pass noise=σ if noise made them."
        raise InvalidInput("intensities", f"negative (least {lowest:.4g})", ">= 0", cure)
    return b


def _known(known: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "L ..."]:
    if known is None:
        return np.ones(shape, bool)
    array = np.asarray(known)
    if array.dtype.kind not in "biu" or array.size != math.prod(shape):
        raise InvalidInput("known", describe(known), f"a boolean array of shape {shape}")
    array = array.reshape(shape).astype(bool)
    if not array.any():
        raise InvalidInput("known", "false everywhere", "true for some reading")
    return array


def _support(
    support: Any, grid: tuple[int, ...], box: tuple[slice, ...] | None
) -> Bool[np.ndarray, "..."] | None:
    """Support on the grid, given there, on the padded image, or as the sides of a box."""
    inner = grid if box is None else tuple(s.stop for s in box)
    area = np.zeros(grid, bool)
    if support is None:
        if box is None:
            return None
        area[box] = True
        return area
    array = np.asarray(support)
    if array.shape == (len(grid),) and array.dtype.kind in "iu" and array.shape != grid:
        if np.any(array < 1) or np.any(array > np.array(inner)):
            raise InvalidInput("support", tuple(array.tolist()), f"sides from 1 to {inner}")
        area[tuple(slice(0, int(k)) for k in array)] = True
        return area
    if array.shape not in (grid, inner) or array.dtype.kind not in "biu":
        must = f"a boolean array of shape {inner}, or the sides of a box"
        raise InvalidInput("support", describe(support), must)
    area[tuple(slice(0, k) for k in array.shape)] = array.astype(bool)
    return area


def _check_symmetry(b: np.ndarray, seen: np.ndarray, noise: Noise, *, real: bool) -> None:
    """Of real masks, a real image has equal readings at k and −k, and hardly another one has."""
    axes = tuple(range(1, b.ndim))
    mirrored = np.roll(np.flip(b, axes), 1, axes)
    both = seen & np.roll(np.flip(seen, axes), 1, axes) & (b != mirrored)
    if noise.name == "none":
        alike = not np.any(np.abs(b - mirrored)[both] > EVEN * b.max())
    else:
        variance = 2 * noise.variance(np.maximum(b + mirrored, 0.0) / 2)
        off = ((b - mirrored) ** 2 / np.maximum(variance, 1e-300))[both]
        alike = not off.size or float(np.mean(off)) < ALIKE
    if real and not alike:
        was = "not the same at frequency k and −k, as those of a real image and real masks are"
        raise InvalidInput("intensities", was, "so with real=True", "Pass real=False.")
    if not real and alike:
        was = (
            "False, but all readings at k and −k agree, as those of a real image and real masks do"
        )
        cure = "A complex image would be told from its conjugate by nothing."
        raise InvalidInput("real", was, "True", cure)


def _independent(operator: CodedDiffraction, seen: Bool[np.ndarray, "L ..."]) -> float:
    """Readings that are not known beforehand to equal another."""
    if not operator.half:
        return float(np.count_nonzero(seen))
    axes = tuple(range(1, seen.ndim))
    either = seen | np.roll(np.flip(seen, axes), 1, axes)
    index = np.arange(math.prod(operator.shape)).reshape(operator.shape)
    mirror = np.roll(np.flip(index), 1, tuple(range(index.ndim)))
    return float(np.count_nonzero(either & (index <= mirror)[None]))


def budget_of(budget: Any, data: Data) -> float:
    """Transforms that may be taken, checked: a round of a few steps at the least."""
    if budget is None:
        return SCANS * data.transforms if data.scanned else BUDGET
    return real_number("budget", budget, least=float(20 * data.transforms))
