"""Least squares of Pauli expectation values, weights set again from the fit; the rank by χ²."""

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from liftless.descent import LBFGS, Stop, descend
from liftless.operators import PauliStrings, measure
from liftless.operators.pauli_strings import letters_of
from liftless.problem import Problem
from liftless.tomography.expectations import Expectations
from liftless.tomography.measured import (
    MEMORY,
    STEPS,
    WIDE_STEPS,
    Fit,
    Measured,
    leading,
    padded,
    wide_start,
)
from liftless.tomography.mirrors import Mirrors
from liftless.tomography.precision import Evidence

#: χ²/2 that the next step would still gain, about, where a fit ends.
GAIN = 1e-4
#: Times that the weights are set again from the fit.
REWEIGHTED = 2
#: Weight of the trace in units of the root of all others' squares.
STIFF = 10.0
#: Standard deviations that the χ² of a right rank may be above its mean: one in a hundred is.
SIGMAS = 2.33


@dataclass(frozen=True)
class OfExpectations(Measured):
    """Likelihood of expectation values, which are taken to be Gaussian about the true ones.

    A share of white noise takes from the trace of Z Z* and adds to the identity's expectation
    alone: with it the trace is free, without it a stiff measurement of the identity.

    Attributes
    ----------
    data : Expectations
    """

    data: Expectations

    @functools.cached_property
    def operator(self) -> PauliStrings:
        """The strings as measurements."""
        return PauliStrings(self.data.words)

    @functools.cached_property
    def _whole(self) -> PauliStrings:
        """And the identity."""
        return PauliStrings([*self.data.words, "I" * self.qubits])

    @property
    def qubits(self) -> int:
        """Qubits."""
        return self.data.qubits

    @property
    def shots(self) -> float:
        """Shots of all strings; NaN where they are not known."""
        return math.nan if self.data.shots is None else float(self.data.shots.sum())

    @property
    def settings(self) -> int:
        """Pauli strings."""
        return len(self.data.words)

    @property
    def words(self) -> str:
        """What was measured."""
        of = "" if self.data.shots is None else f", {self.shots:.0f} shots"
        return f"{self.settings} Pauli strings{of}"

    @property
    def cure(self) -> str:
        """What to do where other states fit as well."""
        return "Measure more Pauli strings."

    def begin(self) -> Complex[np.ndarray, "d d"]:
        """(I + Σ e_i P_i)/d, in which strings that were not measured are zero."""
        d, e = 2**self.qubits, self.data.values
        return (np.eye(d) + self.operator.hermitian(e)) / d

    def fitted(
        self,
        rank: int,
        begin: Complex[np.ndarray, "d d"],
        *,
        white: bool,
        seed: int,
        wide: bool = True,
    ) -> Fit:
        """Fit a rank: wider at first, truncated, with weights set again from the fit."""
        space, spent = self.operator.space, 0
        X = space.pack(wide_start(begin, rank, seed) if wide else leading(begin, rank))
        p, white = self.data.values, bool(white)
        if wide:
            X, spent = self._descended(X, p, WIDE_STEPS, white=white)
            X = space.truncate(X, rank)
        for _ in range(1 + REWEIGHTED):
            X, more = self._descended(X, p, STEPS, white=white)
            p, spent = self._values(X), spent + more
        total = float(np.sum(X * X))
        share = max(0.0, 1 - total) if white else 0.0
        X = X * math.sqrt((1 - share) / total)
        p = self._values(X)
        loss = float(np.sum((p - self.data.values) ** 2 / self.data.variance(p))) / 2
        return Fit(rank, share, white, space.complex(X), loss, spent)

    def _values(self, X: Float[np.ndarray, "n r"]) -> Float[np.ndarray, " m"]:
        return np.asarray(measure(self.operator, X, X))

    def _rows(
        self, p: Float[np.ndarray, " m"], *, white: bool
    ) -> tuple[PauliStrings, np.ndarray, np.ndarray]:
        """Strings, values and weights at expectations p; the identity last, of none if free."""
        root = 1 / np.sqrt(self.data.variance(p))
        stiff = 0.0 if white else STIFF * math.sqrt(float(np.sum(root**2)) / 2**self.qubits)
        return self._whole, np.append(self.data.values, 1.0), np.append(root, stiff)

    def _descended(
        self, X: Float[np.ndarray, "n r"], p: Float[np.ndarray, " m"], steps: int, *, white: bool
    ) -> tuple[Float[np.ndarray, "n r"], int]:
        """Descend with the variances of expectations p; applications."""
        operator, b, root = self._rows(p, white=white)
        unknown, columns = X.size, X.shape[1]
        X = padded(X, self.settings * 2**self.qubits, 2**self.qubits)
        problem = Problem(operator, b, X.shape[1], weights=root)
        # A step of Newton's gains ½ ‖∇h‖²/curvature, of 4 Σ ω over the unknowns in the mean.
        bend = 4 * float(np.sum(1 / self.data.variance(p))) / unknown
        h = max((self.settings - unknown) / 2, 1.0)
        done = descend(problem, X, LBFGS(MEMORY), Stop(0.0, math.sqrt(2 * bend * GAIN) / h, steps))
        return np.asarray(done.X)[:, :columns], int(done.applications)

    def models(self, ranks: list[int], kinds: list[bool], seed: int) -> tuple[list[Fit], Fit]:
        """Models by rising number of parameters until χ² is what noise makes."""
        begin, fits = self.begin(), []
        for rank in ranks:
            for kind in kinds:
                one = self.fitted(rank, begin, white=kind, seed=seed)
                fits.append(one)
                if self.within(one):
                    return fits, one
            if not self.enough(fits[-1]):
                break
        return fits, min(fits, key=self.reduced)

    def within(self, fit: Fit) -> bool:
        """Whether χ² is at most 2.33 standard deviations above its mean."""
        off, free = self.chi2(fit)
        return free > 0 and off <= free + SIGMAS * math.sqrt(2 * free)

    def enough(self, fit: Fit) -> bool:
        """Whether there are more strings than parameters."""
        return self.settings > fit.parameters

    def told(self, fit: Fit) -> dict[str, Any]:
        """A fit in numbers."""
        chi2 = self.reduced(fit)
        return {"rank": fit.rank, "white": fit.white, "loss": fit.loss, "chi2": chi2}

    def left_open(self, fit: Fit) -> float:
        """Parameters over the mean information of one, a quarter of it as for counts."""
        total = float(np.sum(1 / self.data.variance(self._fit_values(fit))))
        return fit.parameters * 2 * fit.Z.size / (4 * total)

    def _fit_values(self, fit: Fit) -> Float[np.ndarray, " m"]:
        return self._values(self.operator.space.pack(fit.Z))

    def chi2(self, fit: Fit) -> tuple[float, int]:
        """Twice the loss, and strings less parameters."""
        return 2 * fit.loss, self.settings - fit.parameters

    def mirrored(self, mirrors: Mirrors, fit: Fit) -> Float[np.ndarray, " k"]:
        """Half of χ²: the expectations of strings of an odd number of flips change sign."""
        p, e = self._fit_values(fit), self.data.values
        change = 2 * p * e / self.data.variance(p)
        losses = np.full(len(mirrors.strings), fit.loss)
        numbers = np.array([0, 3, 1, 2])[letters_of(list(self.data.words))]
        for letters, more in zip(numbers, change, strict=True):
            losses += more * (np.sum(mirrors.flips(letters), axis=1) % 2)
        return losses

    def floor(self, fit: Fit) -> float:
        """Largest eigenvalue of Σ (e_i − fit) P_i/d."""
        off = self.data.values - self._fit_values(fit)
        rest = self.operator.hermitian(off) / 2**self.qubits
        return float(np.linalg.eigvalsh(rest)[-1])

    def evidence(self, fit: Fit) -> Evidence:
        """Reciprocal variances, and a stiff one of the trace."""
        operator, _, root = self._rows(self._fit_values(fit), white=fit.modelled)
        X = self.operator.space.pack(fit.Z)
        return Evidence(operator, X, root**2, fit.rank, free=fit.modelled)
