"""What the moves measure at critical points, for any pair of an eigenvector and a triple."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from liftless_papers.experiments.own.minima import Factors, Numbers, Points, sense


def dot(a: Float[np.ndarray, "k m"], b: Float[np.ndarray, "k m"]) -> Numbers:
    """Inner products, point by point."""
    return np.sum(a * b, axis=1)


@dataclass(frozen=True)
class Pair:
    """Eigenpair (λ, u) of the slack and singular triple (σ, v, q) of X, with what they measure.

    ``P``, ``Q``, ``V`` are A(u vᵀ + v uᵀ), A(u uᵀ) and A(v vᵀ).
    """

    lam: Numbers
    u: Float[np.ndarray, "k n"]
    sigma: Numbers
    v: Float[np.ndarray, "k n"]
    q: Float[np.ndarray, "k r"]
    P: Float[np.ndarray, "k m"]
    Q: Float[np.ndarray, "k m"]
    V: Float[np.ndarray, "k m"]

    @property
    def direction(self) -> Factors:
        """U qᵀ."""
        return self.u[:, :, None] * self.q[:, None, :]

    @property
    def kept(self) -> Factors:
        """σ v qᵀ: what X has along the triple."""
        return (self.sigma[:, None] * self.v)[:, :, None] * self.q[:, None, :]

    @property
    def x(self) -> Numbers:
        """−λ/(σ²‖A(P)‖²)."""
        return -self.lam / (self.sigma**2 * dot(self.P, self.P))

    @property
    def cosine2(self) -> Numbers:
        """Square of the cosine of the angle between A(P) and A(Q)."""
        return dot(self.P, self.Q) ** 2 / (dot(self.P, self.P) * dot(self.Q, self.Q))


def pairs(points: Points, most: int | None = None) -> list[list[Pair]]:
    """All pairs by eigenvector (lowest first) and triple (smallest first).

    Parameters
    ----------
    points : Points
        Critical, of full rank.
    most : int, optional
        Eigenvectors; all n if left out.  Those beyond the negative ones have λ >= 0.
    """
    values, vectors = np.linalg.eigh(points.slack)
    V, sigma, Qt = np.linalg.svd(points.X, full_matrices=False)
    k, n = values.shape
    found = []
    for i in range(n if most is None else min(most, n)):
        u, row = vectors[:, :, i], []
        for j in reversed(range(sigma.shape[1])):
            v = V[:, :, j]
            measured = [
                scale * sense(points.A, a.reshape(k, n, 1), b.reshape(k, n, 1))
                for a, b, scale in ((u, v, 2.0), (u, u, 1.0), (v, v, 1.0))
            ]
            row.append(Pair(values[:, i], u, sigma[:, j], v, Qt[:, j], *measured))
        found.append(row)
    return found


@dataclass(frozen=True)
class Quartic:
    """h(X + sD) − h(X) = a2 s² + a3 s³ + a4 s⁴ at critical points, with L and K of the notes."""

    L: Float[np.ndarray, "k m"]
    K: Float[np.ndarray, "k m"]
    a2: Numbers

    @property
    def score(self) -> Numbers:
        """2x + c²: h falls along D iff it exceeds one."""
        LL, LK, KK = dot(self.L, self.L), dot(self.L, self.K), dot(self.K, self.K)
        return (LL - 2 * self.a2) / LL + LK**2 / (LL * KK)

    @property
    def lowest(self) -> Numbers:
        """Minimiser away from zero; zero where there is none."""
        a3, a4 = dot(self.L, self.K), dot(self.K, self.K) / 2
        root = 9 * a3**2 - 32 * self.a2 * a4
        s = (-3 * a3 - np.copysign(np.sqrt(np.maximum(root, 0)), a3)) / (8 * a4)
        return np.where(root > 0, s, 0.0)


def quartic(points: Points, D: Factors) -> Quartic:
    """Coefficients along D at critical points."""
    L, K = 2 * sense(points.A, points.X, D), sense(points.A, D, D)
    return Quartic(L, K, dot(points.e, K) + dot(L, L) / 2)
