"""Noise of intensities: none, Gaussian of known deviations, counts."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless.operators import CodedDiffraction, ScannedProbe

#: Added to a fitted intensity for the variance of a count: a count of zero has one too.
HALF = 0.5
#: Share of the mean that is added to an intensity for its weight in the first descent, of noisy
#: readings and of exact ones.  Of the latter, for 24 images of 64² behind 3 to 8 masks, transforms
#: of all descents against .1: .03 −5 %, .01 −8 %, .001 −8 %; .0001 −4 %, where dark readings lead
#: astray at first.
FLOOR, EXACT_FLOOR = 0.1, 0.01
#: Relative misfit at which a local solve takes over, without noise and in units of the noise's own.
READY, MARGIN = 0.1, 1.15


@dataclass(frozen=True)
class Noise:
    """Noise of the readings, in units of one frequency.

    Attributes
    ----------
    name : {"none", "gaussian", "poisson"}
    squares : array or None
        Variances of Gaussian noise.
    """

    name: str
    squares: Float[np.ndarray, "..."] | None = None

    def times(self, factor: float) -> "Noise":
        """Noise of readings multiplied by a factor."""
        return replace(self, squares=None if self.squares is None else factor**2 * self.squares)

    def folded(self, operator: CodedDiffraction | ScannedProbe) -> "Noise":
        """Noise of the operator's readings: of a pair the mean variance of the two."""
        if self.squares is None:
            return self
        c = operator.multiplicity()
        whole = (operator.transforms, *operator.grid)
        y, _ = operator.fold(np.broadcast_to(self.squares, whole))
        return replace(self, squares=y if c is None else y / c)

    def variance(self, intensity: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Variance of readings of which the true intensities are thought to be these."""
        if self.squares is not None:
            return np.broadcast_to(self.squares, intensity.shape)
        return intensity + HALF

    def first(self, intensity: Float[np.ndarray, " m"], mean: float) -> Float[np.ndarray, " m"]:
        """What the weights of the first descent are the reciprocals of."""
        floor = (EXACT_FLOOR if self.name == "none" else FLOOR) * mean
        floor = max(HALF, floor) if self.name == "poisson" else floor
        return np.maximum(intensity, 0.0) + floor

    def ready(self, intensity: Float[np.ndarray, " m"], mean: float) -> float:
        """Relative misfit of amplitudes at which message passing has done its part.

        An amplitude √b has about a quarter of the variance of b over b; the misfit doubles it.
        """
        if self.name == "none":
            return READY
        if self.name == "poisson":
            return max(READY, MARGIN * math.sqrt(0.5 / mean))
        return max(READY, MARGIN * math.sqrt(2) * self.misfit(intensity, mean))

    def misfit(self, intensity: Float[np.ndarray, " m"], mean: float) -> float:
        """Relative misfit of amplitudes that noise makes at the truth, about.

        A count that may be zero moves its amplitude by less: those that are zero are not counted.
        """
        if self.name == "none":
            return 0.0
        if self.name == "poisson":
            return math.sqrt(float(np.mean(intensity > 0)) / (4 * mean))
        var = self.variance(intensity)
        amplitude = np.minimum(var / (4 * np.maximum(intensity, 1e-300)), np.sqrt(var) / 2)
        return math.sqrt(float(np.mean(amplitude)) / mean)

    def expected(self, intensity: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """Mean of (reading − intensity)²/variance, below one where counts are few."""
        if self.name == "poisson":
            return intensity / (intensity + HALF)
        return np.ones_like(intensity)

    def spread(self, intensity: Float[np.ndarray, " m"]) -> float:
        """Variance of the sum of (reading − intensity)²/variance over readings."""
        if self.name == "poisson":
            return float(np.sum(2 * intensity / (intensity + HALF)))
        return 2.0 * intensity.size


def noise_of(noise: Any, shape: tuple[int, ...]) -> Noise:
    """Noise of the argument: None, "poisson", σ, or an array of deviations."""
    if noise is None:
        return Noise("none")
    if isinstance(noise, str):
        if noise != "poisson":
            must = "None, 'poisson' for counts, or standard deviations"
            raise InvalidInput("noise", repr(noise), must)
        return Noise("poisson")
    array = np.asarray(noise)
    if array.dtype.kind not in "fiu" or array.shape not in ((), shape):
        must = f"None, 'poisson', a number or an array of shape {shape}"
        raise InvalidInput("noise", describe(noise), must)
    if not np.all(np.isfinite(array)) or np.any(array <= 0):
        raise InvalidInput("noise", "not positive and finite", "standard deviations > 0")
    return Noise("gaussian", np.square(array.astype(float)))
