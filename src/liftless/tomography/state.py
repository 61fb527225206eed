"""What tomography hands back."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Complex, Float

from liftless._checks import describe, positive_int, real_number
from liftless._errors import InvalidInput
from liftless._show import figures, table_html, table_text
from liftless.space import Hermitian

if TYPE_CHECKING:
    from liftless.tomography.precision import Evidence


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
        Σ (datum − fit)²/variance over the data less the parameters: about 1 for the right model,
        where counts are not few.
    tried : tuple of dict
        ``rank``, ``white``, ``loss`` and ``bic`` (of counts) or ``chi2`` (of expectations) of every
        model that was fitted.
    identifiable : bool
        False where a fit from another start is as likely and of another state.
    other_infidelity : float
        Largest infidelity from this state among the fits that are as likely; 0 for none.
    applications : int
        Of the map to amplitudes, or its adjoint, to one factor.
    message : str
    shots : float
        NaN where expectations came with standard errors.
    qubits, settings : int
        Settings of counts, or Pauli strings.
    data : str
        What was measured, in words.
    floor : float
        Largest eigenvalue that the misfit makes in linear inversion: an eigenvalue of ρ below it
        would hardly be told from noise there.
    evidence : Evidence
        What :meth:`fidelity_interval` reads.
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
    data: str
    floor: float
    evidence: "Evidence" = field(repr=False)
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

    def fidelity_interval(
        self, other: Any, level: float = 0.95, draws: int = 400
    ) -> tuple[float, float]:
        """Interval of the fidelity with another state that the noise of the data leaves.

        Parameters
        ----------
        other : array
            As for :meth:`fidelity`.
        level : float
            Probability of the interval, in (0, 1).
        draws : int
            States drawn.

        Returns
        -------
        tuple of float
            (0, 1) where the data leave directions open even near this state.

        Notes
        -----
        Basic bootstrap, [2 F − F₊, 2 F − F₋] of the quantiles F₋, F₊ of states about this one that
        are drawn from its linearised covariance, the inverse Fisher information modulo the gauge.
        That takes out the bias of a fidelity with a pure state, which noise lowers; the interval is
        widened to hold the fidelity itself.  It knows nothing of wrong
        models or of states far away; see ``identifiable``.
        """
        level = real_number("level", level, above=0.0)
        if level >= 1:
            raise InvalidInput("level", level, "a probability below 1")
        draws = positive_int("draws", draws, least=20)
        here = self.fidelity(other)
        made = self.evidence.draws(draws, self.seed)
        if made is None:
            return 0.0, 1.0
        values = [fidelity(one, other) for one in made]
        low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
        ends = min(2 * here - high, here), max(2 * here - low, here)
        return float(max(0.0, ends[0])), float(min(1.0, ends[1]))

    def plot(self, path: str | Path | None = None) -> Any:
        """Draw ρ as a city and its eigenvalues over the noise floor; save it where ``path`` says.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return figures().state_figure(self, path)

    def summary(self) -> dict[str, Any]:
        """The numbers and words, without the arrays."""
        names = ("rank", "white", "purity", "loss", "chi2", "identifiable", "other_infidelity")
        more = ("applications", "shots", "qubits", "settings", "data", "floor", "seed", "seconds")
        fields: dict[str, Any] = {name: getattr(self, name) for name in (*names, *more, "message")}
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
            ("data", self.data),
            ("identifiable", "yes, as far as other starts tell" if self.identifiable else "NO"),
            ("applications", str(self.applications)),
            ("seconds", f"{self.seconds:.3g} (seed {self.seed})"),
            ("message", self.message),
        ]

    def __repr__(self) -> str:
        return f"State(qubits={self.qubits}, rank={self.rank}, purity={self.purity:.4f})"

    def __str__(self) -> str:
        return table_text(self.rows())

    def _repr_html_(self) -> str:
        return table_html(self.rows())


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
    # Roots of round-off add up to more than one.
    return min(1.0, float(np.sum(np.sqrt(np.maximum(values, 0.0))) ** 2))
