"""Quantum states by linear inversion, and by maximum likelihood over all of them."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from jaxtyping import Complex

from liftless._errors import InvalidInput
from liftless.operators import ProductBases
from liftless.problem import Problem
from liftless_papers.compare.peers.base import Effort, Peer

#: Steps of RρR between two looks whether it is there.
LOOK = 20


class StatePeer(Peer):
    """What is made for probabilities of outcomes in product bases."""

    families: ClassVar[tuple[str, ...] | None] = ("state",)
    most_n: ClassVar[int | None] = 64
    compiles: ClassVar[bool] = False

    def accept(self, problem: Problem) -> None:
        """Product bases only."""
        if not isinstance(problem.operator, ProductBases):
            was, must = type(problem.operator).__name__, "ProductBases"
            raise InvalidInput("operator", was, must, "Use a method of any family.")

    def finished(self, effort: Effort, rho: Complex[np.ndarray, "d d"], size: float) -> None:
        """Leading part of a matrix as a factor, offered."""
        values, vectors = np.linalg.eigh(rho)
        r = effort.original.rank
        Z = vectors[:, ::-1][:, :r] * np.sqrt(np.maximum(values[::-1][:r], 0.0) * size)
        effort.evaluate(effort.original.space.pack(Z))


def _vectors(operator: ProductBases) -> Complex[np.ndarray, "m d"]:
    """⟨v| of every outcome, a row each."""
    d = operator.order
    return np.asarray(operator.rows(np.concatenate([np.eye(d), np.zeros((d, d))])))


@final
@dataclass(frozen=True)
class LinearInversion(StatePeer):
    """Least squares over all Hermitian matrices, projected on states, truncated; no descent.

    Notes
    -----
    Smolin, Gambetta and Smith, Efficient method for computing the maximum-likelihood quantum state
    from measurements with additive Gaussian noise (2012), for the projection.  One solve of the
    normal equations, which is no application.
    """

    name: ClassVar[str] = "linear-inversion"
    title: ClassVar[str] = "linear inversion, projected on states, truncated"
    most_n: ClassVar[int | None] = 32

    def search(self, effort: Effort) -> str:
        """One solve."""
        effort.starts = 1
        operator, b = effort.original.operator, np.asarray(effort.original.b)
        assert isinstance(operator, ProductBases)
        rows, d = _vectors(operator), operator.order
        maps = np.einsum("mi,mj->mij", rows, rows.conj()).reshape(len(rows), d * d)
        H = np.linalg.lstsq(maps, b.astype(complex), rcond=1e-10)[0].reshape(d, d).conj().T
        H = (H + H.conj().T) / 2
        size = float(b.sum()) / operator.settings.shape[0]
        values, vectors = np.linalg.eigh(H / size)
        high = np.sort(values)[::-1]
        sums = (np.cumsum(high) - 1) / np.arange(1, d + 1)
        level = sums[np.flatnonzero(high > sums)[-1]]
        values = np.maximum(values - level, 0.0)
        self.finished(effort, (vectors * values) @ vectors.conj().T, size)
        return "" if effort.fitted else "Linear inversion is one solve, and ends above the goal."


@final
@dataclass(frozen=True)
class IteratedLikelihood(StatePeer):
    """RρR: ρ ← R ρ R with R = Σ (f/p) |v⟩⟨v|, from the maximally mixed state; then truncated.

    Notes
    -----
    Hradil, Řeháček, Fiurášek and Ježek, Maximum-likelihood methods in quantum mechanics (2004).
    A step is an application of the map and of its adjoint to d columns.
    """

    name: ClassVar[str] = "rrhor"
    title: ClassVar[str] = "RρR, maximum likelihood over all states, truncated"

    def search(self, effort: Effort) -> str:
        """Iterate until the budget is spent or the truncated state fits."""
        effort.starts = 1
        operator, b = effort.original.operator, np.asarray(effort.original.b)
        assert isinstance(operator, ProductBases)
        rows, d = _vectors(operator), operator.order
        size = float(b.sum()) / operator.settings.shape[0]
        f, rho, k = np.maximum(b, 0.0) / size, np.eye(d, dtype=complex) / d, 0
        while effort.account.left > 2 * d and not effort.fitted:
            p = np.maximum(
                np.einsum("mi,ij,mj->m", rows, rho, rows.conj(), optimize=True).real, 1e-300
            )
            R = (rows.conj().T * (f / p)) @ rows
            rho = R @ rho @ R
            rho = (rho + rho.conj().T) / (2 * np.trace(rho).real)
            effort.account.charge(2, d)
            k += 1
            if k % LOOK == 0:
                self.finished(effort, rho, size)
        if not effort.fitted:
            self.finished(effort, rho, size)
        return "" if effort.fitted else "The iteration ended above the goal."
