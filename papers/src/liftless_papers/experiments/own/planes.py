"""Least of h over two variables, exactly: a cubic decides."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from liftless_papers.experiments.own.minima import Factors, Numbers, Points, back, sense
from liftless_papers.experiments.own.quantities import Pair, dot

Measured = Float[np.ndarray, "k m"]


@dataclass(frozen=True)
class Plane:
    """½‖βk − b‖² with k = c² y + cs L + s² K over β >= 0 and all (c, s) on the unit circle.

    A factor β^½(c F + s D), whose images are y, L and K, has this value of h.
    """

    y: Measured
    L: Measured
    K: Measured
    b: Measured

    @property
    def numerator(self) -> list[Numbers]:
        """Coefficients of N(t) = ⟨y + tL + t²K, b⟩."""
        return [dot(part, self.b) for part in (self.y, self.L, self.K)]

    @property
    def denominator(self) -> list[Numbers]:
        """Coefficients of Q(t) = ‖y + tL + t²K‖²."""
        y, L, K = self.y, self.L, self.K
        return [
            dot(y, y),
            2 * dot(y, L),
            2 * dot(y, K) + dot(L, L),
            2 * dot(L, K),
            dot(K, K),
        ]

    @property
    def cubic(self) -> Float[np.ndarray, "k 4"]:
        """(2N′Q − NQ′)/t, constant first, where t = 0 is critical.

        The terms in t⁵ cancel always, the constant one where t = 0 is critical.
        """
        n, q = self.numerator, [*self.denominator, 0.0 * self.L[:, 0]]
        found = []
        for k in range(1, 5):
            term = 2 * n[1] * q[k] + 4 * n[2] * q[k - 1] - n[0] * (k + 1) * q[k + 1]
            found.append(term - n[1] * k * q[k] - n[2] * (k - 1) * q[k - 1])
        return np.stack(found, axis=1)

    def share(self, c: np.ndarray, s: np.ndarray) -> tuple[Numbers, Numbers]:
        """What (c, s) takes from ½‖b‖², N₊²/(2Q), and its β."""
        c2, cs, s2 = (np.asarray(part)[:, None] for part in (c * c, c * s, s * s))
        k = c2 * self.y + cs * self.L + s2 * self.K
        top = np.maximum(dot(k, self.b), 0.0)
        square = np.maximum(dot(k, k), 1e-300)
        return top**2 / (2 * square), top / square

    def best(self) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Return β, c, s and h at the lowest point but t = 0 itself."""
        cubic = self.cubic
        lead = np.where(cubic[:, 3] == 0, np.finfo(float).tiny, cubic[:, 3])
        companion = np.zeros((len(cubic), 3, 3))
        companion[:, 1, 0] = companion[:, 2, 1] = 1
        companion[:, :, 2] = -cubic[:, :3] / lead[:, None]
        # The real part of a complex root is a point like any other: no tolerance is needed.
        angles = [np.arctan(t) for t in np.linalg.eigvals(companion).real.T]
        angles.append(np.full(len(cubic), np.pi / 2))
        shares = np.stack([self.share(np.cos(a), np.sin(a))[0] for a in angles])
        chosen = np.stack(angles)[shares.argmax(axis=0), np.arange(len(cubic))]
        c, s = np.cos(chosen), np.sin(chosen)
        share, beta = self.share(c, s)
        return beta, c, s, dot(self.b, self.b) / 2 - share

    def searched(self, count: int = 120) -> Numbers:
        """Least h over a fine grid of angles."""
        found = np.zeros(len(self.b))
        for angle in np.linspace(-np.pi / 2, np.pi / 2, count):
            one = np.full(len(self.b), angle)
            found = np.maximum(found, self.share(np.cos(one), np.sin(one))[0])
        return dot(self.b, self.b) / 2 - found


def spanned(points: Points, D: Factors) -> tuple[Factors, Numbers, Plane]:
    """Lowest point of span{X, D}, its h, and the plane."""
    y, b = points.e + points.b, points.b
    D = D * (np.linalg.norm(points.X, axis=(1, 2)) / np.linalg.norm(D, axis=(1, 2)))[:, None, None]
    plane = Plane(y, 2 * sense(points.A, points.X, D), sense(points.A, D, D), b)
    beta, c, s, h = plane.best()
    c, s = (np.sqrt(beta) * part for part in (c, s))
    return c[:, None, None] * points.X + s[:, None, None] * D, h, plane


def arc(points: Points, pair: Pair) -> tuple[Factors, Numbers, Plane]:
    """Lowest point X + (α − σ)v qᵀ + s u qᵀ: the triple's column turned and scaled."""
    k = len(points.X)
    rest = points.X - pair.kept
    plane = Plane(pair.V, pair.P, pair.Q, points.b - sense(points.A, rest, rest))
    beta, c, s, h = plane.best()
    column = np.sqrt(beta)[:, None] * (c[:, None] * pair.v + s[:, None] * pair.u)
    return rest + column.reshape(k, -1, 1) * pair.q[:, None, :], h, plane


def swap(points: Points, pair: Pair) -> Factors:
    """X − σ v qᵀ + s u qᵀ with the best s."""
    rest = points.X - pair.kept
    left = points.b - sense(points.A, rest, rest)
    s2 = np.maximum(dot(pair.Q, left), 0.0) / dot(pair.Q, pair.Q)
    return rest + np.sqrt(s2)[:, None, None] * pair.direction


def swap_margin(pair: Pair) -> Numbers:
    """−λ − σ²(‖A(vvᵀ)‖‖A(uuᵀ)‖ − ⟨A(vvᵀ), A(uuᵀ)⟩): the swap lowers h iff it is positive."""
    size = np.sqrt(dot(pair.V, pair.V) * dot(pair.Q, pair.Q))
    return -pair.lam - pair.sigma**2 * (size - dot(pair.V, pair.Q))


def along(points: Points, D: Factors) -> Factors:
    """S D with the best s; the γ move for D = EX."""
    K = sense(points.A, D, D)
    s2 = np.maximum(dot(K, points.b), 0.0) / dot(K, K)
    return np.sqrt(s2)[:, None, None] * D


def turned(points: Points, pair: Pair) -> Factors:
    """EX with E = A*A(P)."""
    return back(points.A, pair.P) @ points.X
