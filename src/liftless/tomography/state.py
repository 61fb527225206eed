"""What tomography hands back."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless._show import table_text
from liftless.space import Hermitian


@dataclass(frozen=True, repr=False)
class State:
    """Result of :func:`liftless.tomography.fit`.

    Attributes
    ----------
    factor : array of shape (d, r)
        Z with tr Z Z* = 1 − white, qubit 0 the most significant bit of a row.
    rank : int
        Of Z.
    white : float
        ε of ρ = Z Z* + ε I/d; 0 where the counts do not ask for it.
    loss : float
        −log likelihood, without terms of the counts alone.
    chi2 : float
        Σ (count − fit)²/fit over the outcomes less the parameters: about 1 for the right model,
        where counts are not few.
    tried : tuple of dict
        ``rank``, ``white``, ``loss`` and ``bic`` of every model that was fitted.
    identifiable : bool
        False where a fit from another start is as likely and of another state.
    other_infidelity : float
        Largest infidelity from this state among the fits that are as likely; 0 for none.
    applications : int
        Of the map to amplitudes, or its adjoint, to one factor.
    message : str
    shots : float
    qubits, settings : int
    seed : int
    seconds : float
    """

    factor: Complex[np.ndarray, "d r"]
    rank: int
    white: float
    loss: float
    chi2: float
    tried: tuple[dict, ...] = field(repr=False)
    identifiable: bool
    other_infidelity: float
    applications: int
    message: str
    shots: float
    qubits: int
    settings: int
    seed: int
    seconds: float

    @property
    def density(self) -> Complex[np.ndarray, "d d"]:
        """ρ, of trace one."""
        return mixed(self.factor, self.white)

    @property
    def spectrum(self) -> Float[np.ndarray, " d"]:
        """Eigenvalues of ρ, largest first."""
        d = self.factor.shape[0]
        low = Hermitian(d).spectrum(Hermitian(d).pack(self.factor))
        return np.pad(low, (0, d - low.size)) + self.white / d

    @property
    def purity(self) -> float:
        """Tr ρ²."""
        return float(np.sum(self.spectrum**2))

    def fidelity(self, other: Any) -> float:
        """(tr √(√ρ σ √ρ))² with another state: a vector, a factor Z of Z Z*, or a density matrix.

        A square array is a density matrix; all are taken at trace one.
        """
        return fidelity(self.density, other)

    def summary(self) -> dict[str, Any]:
        """The numbers and words, without the arrays."""
        names = ("rank", "white", "purity", "loss", "chi2", "identifiable", "other_infidelity")
        more = ("applications", "shots", "qubits", "settings", "seed", "seconds", "message")
        fields: dict[str, Any] = {name: getattr(self, name) for name in names + more}
        fields["spectrum"] = [float(s) for s in self.spectrum[:8]]
        return fields | {"tried": list(self.tried), "status": self.status}

    @property
    def status(self) -> int:
        """0, or 4 where other states are as likely."""
        return 0 if self.identifiable else 4

    def rows(self) -> list[tuple[str, str]]:
        """The result in a few lines: a name and a text each."""
        spectrum = ", ".join(f"{s:.4g}" for s in self.spectrum[:5])
        return [
            ("state", f"{self.qubits} qubits, rank {self.rank}, purity {self.purity:.4f}"),
            ("white noise", f"{self.white:.4f}" if self.white else "none"),
            ("eigenvalues", spectrum + (", ..." if self.spectrum.size > 5 else "")),
            ("chi²", f"{self.chi2:.3f} a degree of freedom"),
            ("data", f"{self.shots:.0f} shots in {self.settings} settings"),
            ("identifiable", "yes, as far as other starts tell" if self.identifiable else "NO"),
            ("applications", str(self.applications)),
            ("seconds", f"{self.seconds:.3g} (seed {self.seed})"),
            ("message", self.message),
        ]

    def __repr__(self) -> str:
        return f"State(qubits={self.qubits}, rank={self.rank}, purity={self.purity:.4f})"

    def __str__(self) -> str:
        return table_text(self.rows())


def mixed(Z: Complex[np.ndarray, "d r"], white: float) -> Complex[np.ndarray, "d d"]:
    """Z Z* and a share of white noise I/d."""
    d = Z.shape[0]
    return Z @ Z.conj().T + white / d * np.eye(d)


def fidelity(rho: Complex[np.ndarray, "d d"], other: Any) -> float:
    """(tr √(√ρ σ √ρ))², see :meth:`State.fidelity`."""
    array = np.asarray(other)
    d = rho.shape[0]
    if array.dtype.kind not in "fiuc" or array.ndim not in (1, 2) or array.shape[0] != d:
        must = f"a vector of length {d}, a factor of {d} rows or a density matrix"
        raise InvalidInput("other", describe(other), must)
    if array.ndim == 2 and array.shape == (d, d):
        values, vectors = np.linalg.eigh((array + array.conj().T) / 2)
        Z = vectors * np.sqrt(np.maximum(values, 0.0))
    else:
        Z = array.reshape(d, -1)
    size = float(np.linalg.norm(Z))
    if not math.isfinite(size) or size == 0:
        raise InvalidInput("other", "zero or not finite", "a state")
    Z = Z / size
    # The eigenvalues of √σ ρ √σ are those of Z* ρ Z.
    inner = Z.conj().T @ rho @ Z
    values = np.linalg.eigvalsh((inner + inner.conj().T) / 2)
    return float(np.sum(np.sqrt(np.maximum(values, 0.0))) ** 2)
