"""GNMR and R2RILS: one least-norm least-squares problem in both factors an iteration."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from liftless_papers.compare.peers.base import Effort
from liftless_papers.compare.peers.entries import (
    Data,
    EntriesPeer,
    Factor,
    Jacobian,
    Values,
    least_squares,
)

#: Accuracy asked of LSQR, and the misfit below which its square is asked for.
ACCURACY, SMART = 1e-15, 1e-5
#: Budget below which no further iteration is begun.
LEAST = 10


@final
@dataclass(frozen=True)
class GNMR(EntriesPeer):
    """Gauss–Newton matrix recovery.

    From the leading singular vectors (U₀, V₀) of the zero-filled matrix it iterates

        (Ũ, Ṽ) = least-norm minimiser of ‖A(U_t Ṽᵀ + Ũ V_tᵀ) − (b + α A(U_t V_tᵀ))‖,
        (U_{t+1}, V_{t+1}) = (1 − α)/2 (U_t, V_t) + (Ũ, Ṽ),

    and ends with the best approximation of rank r to U_t V_{t+1}ᵀ + U_{t+1} V_tᵀ − U_t V_tᵀ.

    Parameters
    ----------
    alpha : float
        1: setting, 0: averaging, −1: updating variant.
    outer, inner : int
        Most iterations, and most iterations of LSQR in one.
    stop : float
        Misfit relative to the entries, or relative change of the matrix, at which it ends.

    Notes
    -----
    Zilber and Nadler, GNMR: A provable one-line algorithm for low rank matrix recovery, SIAM J.
    Math. Data Sci. 4 (2022), algorithm 1 and its variants by α; limits and tolerances are those of
    the authors' code.  Of a symmetric matrix U = V throughout, since the least-norm solution is
    unique and so shares the symmetry.  The path depends on the units of the data, since the start
    does not; they are kept as the authors' code has them.
    """

    name: ClassVar[str] = "gnmr"
    title: ClassVar[str] = "GNMR (Zilber and Nadler 2022)"

    alpha: float = 1.0
    outer: int = 100
    inner: int = 2000
    stop: float = 5e-14

    def search(self, effort: Effort) -> str:
        """One run."""
        data = Data.of(effort)
        jacobian, size = Jacobian(data), float(np.linalg.norm(data.weights * data.y))
        # Orthonormal in the units of the data, as the authors have it: the path depends on that.
        X = data.start(effort)[0] / np.sqrt(data.unit)
        misfit = 1.0
        best = (np.inf, X, X)
        for _ in range(self.outer):
            if effort.fitted or effort.account.left < LEAST:
                return ""
            goal = data.y + self.alpha * data.measure(X)
            effort.account.charge(1)
            new, left = self.step(effort, data, jacobian, X, goal, misfit)
            misfit = left / size
            best = min(best, (misfit, X, new), key=lambda point: point[0])
            change = _change(data, X, new)
            data.offer(effort, new)
            X = new
            if misfit < self.stop or change < self.stop or not np.isfinite(misfit):
                break
        data.offer(effort, data.projected(best[1], best[2], -1.0))
        return "" if effort.fitted else f"It ended at a misfit of {misfit:.1e}."

    def step(
        self,
        effort: Effort,
        data: Data,
        jacobian: Jacobian,
        X: Factor,
        goal: Values,
        misfit: float,
    ) -> tuple[Factor, float]:
        """Return (U_{t+1}, V_{t+1}) and what its linear problem leaves."""
        tolerance = min(ACCURACY, misfit**2) if misfit < SMART else ACCURACY
        x, left = least_squares(effort, data, jacobian.at(X), goal, tolerance, self.inner)
        return (1 - self.alpha) / 2 * X + x, left


@final
@dataclass(frozen=True)
class R2RILS(EntriesPeer):
    """Rank 2r iterative least squares.

    From the leading singular vectors (U₀, V₀) of the zero-filled matrix it iterates: (Ũ, Ṽ) is the
    least-norm minimiser of ‖A(U_t Ṽᵀ + Ũ V_tᵀ) − b‖; the estimate is the best approximation of rank
    r to U_t Ṽᵀ + Ũ V_tᵀ; and with N for columns scaled to length one

        U_{t+1} = N(U_t + N(Ũ)),  V_{t+1} = N(V_t + N(Ṽ)).

    Parameters
    ----------
    outer, inner : int
        Most iterations, and most iterations of LSQR in one.
    stop : float
        Rms of the estimate's misfit, relative to that of the entries, at which it ends.

    Notes
    -----
    Bauch, Nadler and Zilber, Rank 2r iterative least squares: efficient recovery of ill-conditioned
    low rank matrices from few entries, SIAM J. Math. Data Sci. 3 (2021), algorithm 1; limits and
    tolerances are those of the authors' Python code (their MATLAB code: 50 and 4000).
    """

    name: ClassVar[str] = "r2rils"
    title: ClassVar[str] = "R2RILS (Bauch, Nadler and Zilber 2021)"

    outer: int = 100
    inner: int = 1000
    stop: float = 5e-14

    def search(self, effort: Effort) -> str:
        """One run."""
        data = Data.of(effort)
        jacobian, size = Jacobian(data), float(np.linalg.norm(data.y))
        X, _ = data.start(effort)
        misfit = 1.0
        for _ in range(self.outer):
            if effort.fitted or effort.account.left < LEAST:
                return ""
            tolerance = min(ACCURACY, misfit**2) if misfit < SMART else ACCURACY
            J = jacobian.at(X)
            x, _ = least_squares(effort, data, J, data.y, tolerance, self.inner)
            estimate = data.projected(X, x, 0.0)
            misfit = float(np.linalg.norm(data.measure(estimate) - data.y)) / size
            data.offer(effort, estimate)
            if misfit < self.stop or not np.isfinite(misfit):
                break
            X = unit_columns(data, X + unit_columns(data, x))
        return "" if effort.fitted else f"It ended at a misfit of {misfit:.1e}."


def unit_columns(data: Data, X: Factor) -> Factor:
    """Scale the columns of each part to length one; one that is zero stays."""
    out = np.empty_like(X)
    for part in dict.fromkeys((s.start, s.stop) for s in data.parts):
        block = X[slice(*part)]
        length = np.linalg.norm(block, axis=0)
        out[slice(*part)] = block / np.where(length > 0, length, 1.0)
    return out


def _change(data: Data, X: Factor, new: Factor) -> float:
    """Relative change of the matrix, without the matrix."""
    a, b = data.parts

    def size(left: np.ndarray, right: np.ndarray) -> float:
        R, S = (np.asarray(np.linalg.qr(part, mode="r")) for part in (left, right))
        return float(np.linalg.norm(R @ S.T))

    moved = size(np.hstack([new[a], -X[a]]), np.hstack([new[b], X[b]]))
    return moved / max(size(new[a], new[b]), 1e-300)
