"""Scaled gradient descent as a peer."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from liftless.descent.scaled import ScaledGradientDescent
from liftless_papers.compare.peers.base import Effort, Peer
from liftless_papers.compare.peers.entries import Data, EntriesPeer, Factor


@final
@dataclass(frozen=True)
class ScaledDescent(Peer):
    """Scaled gradient descent from the spectral start, then from Gaussian ones.

    Parameters
    ----------
    damping : float
        λ relative to the trace of XᵀX.

    Notes
    -----
    Tong, Ma and Chi (2021); the exact quartic step takes the place of their fixed one.
    """

    name: ClassVar[str] = "scaled-gd"
    title: ClassVar[str] = "scaled gradient descent, restarted"

    damping: float = 1e-10

    def search(self, effort: Effort) -> str:
        """Start, descend, start again."""
        method = ScaledGradientDescent(self.damping)
        while not effort.over:
            effort.local(effort.start(spectral=True), method)
        return ""


@final
@dataclass(frozen=True)
class ScaledFixed(EntriesPeer):
    """Scaled gradient descent for completion, with its own fixed step and start.

    With p the share of observed places and P the projection to them, from (U₀, V₀) of the leading
    singular triples of P(Y)/p, balanced,

        U ← U − η/p P(U Vᵀ − Y) V (VᵀV)⁻¹,  V ← V − η/p P(U Vᵀ − Y)ᵀ U (UᵀU)⁻¹,

    both from the old pair.  Two applications an iteration.

    Parameters
    ----------
    step : float
        η.
    most : int
        Most iterations.
    diverged : float
        Misfit relative to that of zero at which it is given up.

    Notes
    -----
    Tong, Ma and Chi, Accelerating ill-conditioned low-rank matrix estimation via scaled gradient
    descent, JMLR 22 (2021), the algorithm for matrix completion without its projection to
    incoherent factors, which the authors' experiment (η = 1/2, 1000 iterations) leaves out too.
    Weights of the entries are not used.  Of a symmetric matrix U = V throughout.
    """

    name: ClassVar[str] = "scaled-gd-fixed"
    title: ClassVar[str] = "ScaledGD, fixed step (Tong, Ma and Chi 2021)"

    step: float = 0.5
    most: int = 1000
    diverged: float = 1e3

    def search(self, effort: Effort) -> str:
        """One run."""
        data = Data.of(effort)
        X, s = data.start(effort)
        X = X * np.sqrt(s / data.share)
        size, misfit, k = float(np.linalg.norm(data.y)), 1.0, 0
        best = (np.inf, X)
        goal = np.sqrt(effort.goal / effort.full)
        while k < self.most and effort.account.left > 4:
            left = data.measure(X) - data.y
            misfit = float(np.linalg.norm(left)) / size
            effort.account.charge(2)
            if not misfit < self.diverged:
                break
            best = min(best, (misfit, X), key=lambda point: point[0])
            if misfit <= goal:
                break
            X = self.moved(data, X, left)
            k += 1
        data.offer(effort, best[1])
        if effort.fitted:
            return ""
        return f"It ended at a misfit of {misfit:.1e} after {k} steps."

    def moved(self, data: Data, X: Factor, left: np.ndarray) -> Factor:
        """One step from X, where the observed entries are too large by ``left``."""
        a, b = data.parts
        U, V, R = X[a], X[b], data.matrix(left)
        length = self.step / data.share
        # A direction that is zero has no inverse, and no gradient either.
        new = U - length * (R @ V) @ np.linalg.pinv(V.T @ V, rcond=1e-14)
        if data.mirrored:
            return new
        other = V - length * (R.T @ U) @ np.linalg.pinv(U.T @ U, rcond=1e-14)
        return np.concatenate([new, other])
