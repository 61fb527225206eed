"""What a fit of a state is, and what the fit asks of the data, whichever they are."""

import abc
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from liftless.tomography.mirrors import Mirrors
from liftless.tomography.precision import Evidence
from liftless.tomography.state import mixed

#: Columns that the wide factor has more, and the share of a random one in it.
WIDER, RANDOM = 2, 0.05
#: Steps of the wide factor, of a fit at most, and pairs that a descent keeps.
WIDE_STEPS, STEPS, MEMORY = 25, 400, 10
#: Second word of the seed.
STREAM = 31
#: Numbers up to which all fits share one compiled program of so many columns, and up to which a few
#: do, of a multiple of that many: to compile one takes seconds, to fit few numbers hundredths.
SHARED, COLUMNS, SOME, MULTIPLE = 20_000, 8, 100_000, 4


@dataclass(frozen=True)
class Fit:
    """Maximum likelihood at one rank.

    Attributes
    ----------
    rank : int
    white : float
        Share of white noise; 0 without it.
    modelled : bool
        Whether there might have been.
    Z : array of shape (d, r)
        Of trace 1 − white.
    loss : float
        −log likelihood, without the terms that depend on the data alone.
    applications : int
    """

    rank: int
    white: float
    modelled: bool
    Z: Complex[np.ndarray, "d r"]
    loss: float
    applications: int

    @property
    def parameters(self) -> int:
        """Free real numbers: 2 d r − r² − 1, and one of the white noise."""
        d = self.Z.shape[0]
        return 2 * d * self.rank - self.rank**2 - 1 + self.modelled

    def bic(self, shots: float) -> float:
        """Schwarz' criterion: twice the loss, and log(shots) a parameter."""
        return 2 * self.loss + self.parameters * math.log(shots)

    @property
    def density(self) -> Complex[np.ndarray, "d d"]:
        """(1 − ε) Z Z*/tr + ε I/d."""
        return mixed(self.Z, self.white)


class Measured(abc.ABC):
    """Data of one state: counts of outcomes, or expectation values."""

    @property
    @abc.abstractmethod
    def qubits(self) -> int:
        """Qubits."""

    @property
    @abc.abstractmethod
    def shots(self) -> float:
        """Shots of all settings; NaN where they are not known."""

    @property
    @abc.abstractmethod
    def settings(self) -> int:
        """Settings, or Pauli strings."""

    @property
    @abc.abstractmethod
    def words(self) -> str:
        """What was measured."""

    @property
    @abc.abstractmethod
    def cure(self) -> str:
        """What to do where other states fit as well."""

    @abc.abstractmethod
    def begin(self) -> Complex[np.ndarray, "d d"]:
        """Linear inversion, of which a fit begins at the leading vectors."""

    @abc.abstractmethod
    def fitted(self, rank: int, begin: Any, *, white: bool, seed: int, wide: bool = True) -> Fit:
        """Maximise the likelihood at a rank, from the leading vectors of a matrix.

        In a wider factor at first, unless it is to stay near.
        """

    @abc.abstractmethod
    def models(self, ranks: list[int], kinds: list[bool], seed: int) -> tuple[list[Fit], Fit]:
        """Fits of rising rank, without and with white noise, and the one that is taken."""

    @abc.abstractmethod
    def told(self, fit: Fit) -> dict[str, Any]:
        """A fit in numbers: rank, white, loss, and what decided between the models."""

    @abc.abstractmethod
    def left_open(self, fit: Fit) -> float:
        """Infidelity that noise leaves, about."""

    @abc.abstractmethod
    def chi2(self, fit: Fit) -> tuple[float, int]:
        """χ² of a fit, and its degrees of freedom."""

    def reduced(self, fit: Fit) -> float:
        """χ² a degree of freedom."""
        off, free = self.chi2(fit)
        return off / max(free, 1)

    def within(self, fit: Fit) -> bool:
        """Whether χ² is what noise makes; of few counts it says little, and is not asked."""
        del fit
        return True

    def enough(self, fit: Fit) -> bool:
        """Whether there are more numbers than parameters, as far as that is to be counted."""
        del fit
        return True

    @abc.abstractmethod
    def mirrored(self, mirrors: Mirrors, fit: Fit) -> Float[np.ndarray, " k"]:
        """Losses of the mirror images of a fit."""

    @abc.abstractmethod
    def floor(self, fit: Fit) -> float:
        """Largest eigenvalue that the misfit makes in linear inversion."""

    @abc.abstractmethod
    def evidence(self, fit: Fit) -> Evidence:
        """What the data say of the parameters at a fit."""


def wide_start(
    begin: Complex[np.ndarray, "d d"], rank: int, seed: int
) -> Complex[np.ndarray, "d p"]:
    """Leading vectors of a matrix, two more than the rank, with a small random part."""
    rng = np.random.default_rng([seed, STREAM])
    Z = leading(begin, min(rank + WIDER, begin.shape[0]))
    noise = rng.standard_normal(Z.shape) + 1j * rng.standard_normal(Z.shape)
    return Z + RANDOM * noise / math.sqrt(2 * Z.size)


def padded(X: Float[np.ndarray, "n r"], numbers: int, most: int) -> Float[np.ndarray, "n w"]:
    """The factor with columns of zeros, which stay zero, unless very much was measured."""
    if numbers > SOME:
        return X
    columns = X.shape[1]
    width = COLUMNS if numbers <= SHARED else MULTIPLE * -(-columns // MULTIPLE)
    return np.pad(X, ((0, 0), (0, max(0, min(width, most) - columns))))


def leading(rho: Complex[np.ndarray, "d d"], rank: int) -> Complex[np.ndarray, "d r"]:
    """Factor of the leading part, of trace one; columns of no weight get a small one."""
    values, vectors = np.linalg.eigh(rho)
    top = np.maximum(values[::-1][:rank], 1e-3 * max(values[-1], 1e-12))
    Z = vectors[:, ::-1][:, :rank] * np.sqrt(top)
    return Z / np.linalg.norm(Z)
