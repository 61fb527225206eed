"""Strict spurious minima of small random instances, many at a time, in NumPy alone.

Every array has a leading axis of points k; A[k] holds the m symmetric matrices of that point's
instance and Z[k] its truth, so that b = A(Z Zᵀ).
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from liftless_papers.experiments.base import Size

Matrices = Float[np.ndarray, "k m n n"]
Factors = Float[np.ndarray, "k n r"]
Numbers = Float[np.ndarray, " k"]

#: Most steps of a descent, and ‖∇h‖ ‖X‖ / h(0) at which one has ended.
STEPS, ENDED = 100, 1e-10
#: ‖∇h‖ ‖X‖ / h at which a descent that may only end at the truth is given up.
STUCK = 1e-4
#: A point is the truth if h is below this share of h(0); a minimum is strict if its least
#: eigenvalue off the rotations is above this share of the largest.
TRUE, STRICT = 1e-8, 1e-4


def sense(A: Matrices, U: Factors, V: Factors) -> Float[np.ndarray, "k m"]:
    """A(½(U Vᵀ + V Uᵀ)) at every point."""
    (k, m, n, _), r = A.shape, U.shape[2]
    AU = (A.reshape(k, m * n, n) @ U).reshape(k, m, n * r)
    return (AU @ V.reshape(k, n * r, 1))[:, :, 0]


def back(A: Matrices, y: Float[np.ndarray, "k m"]) -> Float[np.ndarray, "k n n"]:
    """A*(y) at every point."""
    k, m, n, _ = A.shape
    return (y[:, None] @ A.reshape(k, m, n * n)).reshape(k, n, n)


def half_square(y: Float[np.ndarray, "k m"]) -> Numbers:
    """½‖y‖²."""
    return np.sum(y * y, axis=1) / 2


@dataclass(frozen=True)
class Points:
    """Points of instances; X may be wider than the truth."""

    A: Matrices
    Z: Factors
    X: Float[np.ndarray, "k n c"]

    @functools.cached_property
    def b(self) -> Float[np.ndarray, "k m"]:
        """Measurements of the truths."""
        return sense(self.A, self.Z, self.Z)

    @functools.cached_property
    def e(self) -> Float[np.ndarray, "k m"]:
        """Residuals A(X Xᵀ) − b."""
        return sense(self.A, self.X, self.X) - self.b

    @property
    def h(self) -> Numbers:
        """½‖A(X Xᵀ) − b‖²."""
        return half_square(self.e)

    @property
    def slack(self) -> Float[np.ndarray, "k n n"]:
        """A*(A(X Xᵀ) − b)."""
        return back(self.A, self.e)

    @property
    def true(self) -> Bool[np.ndarray, " k"]:
        """Which of them fit the measurements."""
        return self.h < TRUE * half_square(self.b)

    def take(self, kept: np.ndarray) -> "Points":
        """Some of them, chosen by a mask or by numbers."""
        return Points(self.A[kept], self.Z[kept], self.X[kept])

    def at(self, X: np.ndarray) -> "Points":
        """Other points of the same instances."""
        return Points(self.A, self.Z, X)

    def objective(self, X: np.ndarray) -> Numbers:
        """Values of h at other points of the same instances."""
        return half_square(sense(self.A, X, X) - self.b)

    def derivatives(self) -> tuple[np.ndarray, np.ndarray]:
        """Gradient (k, n r) and Hessian (k, n r, n r), entries of X row by row."""
        k, n, r = self.X.shape
        m = self.A.shape[1]
        J = 2 * (self.A.reshape(k, m * n, n) @ self.X).reshape(k, m, n * r)
        slack = self.slack
        H = np.swapaxes(J, 1, 2) @ J
        H += 2 * (slack[:, :, None, :, None] * np.eye(r)[None, None, :, None]).reshape(H.shape)
        return 2 * (slack @ self.X).reshape(k, n * r), H


def descend(points: Points, level: float | Numbers = TRUE**2, stuck: float = 0.0) -> Points:
    """End of Newton's method with the Hessian's absolute value in a trust region; h never rises.

    A point has arrived when h is below ``level`` times h(0), and is given up when ‖∇h‖ ‖X‖ is
    below ``stuck`` times h.
    """
    X, level = points.X.copy(), np.broadcast_to(level, len(points.X))
    live, radius = np.arange(len(X)), np.full(len(X), 0.5)
    for _ in range(STEPS):
        here = Points(points.A[live], points.Z[live], X[live])
        h, scale = here.h, half_square(here.b)
        g, H = here.derivatives()
        slope = np.linalg.norm(g, axis=1) * np.linalg.norm(here.X, axis=(1, 2))
        going = (slope > np.maximum(ENDED * scale, stuck * h)) & (h > level[live] * scale)
        if not going.any():
            break
        live, g, H, h, here = live[going], g[going], H[going], h[going], here.take(going)
        values, V = np.linalg.eigh(H)
        size = np.maximum(np.abs(values), 1e-6 * np.abs(values).max(axis=1, keepdims=True))
        step = -np.einsum("kpi,ki->kp", V, np.einsum("kpi,kp->ki", V, g) / size)
        longest = radius[live] / np.maximum(np.linalg.norm(step, axis=1), 1e-300)
        step *= np.minimum(longest, 1.0)[:, None]
        there = here.X + step.reshape(here.X.shape)
        falls = here.objective(there) < h
        X[live[falls]] = there[falls]
        radius[live] = np.where(falls, np.minimum(2 * radius[live], 1.0), radius[live] / 4)
        live = live[radius[live] > 1e-12]
    return points.at(X)


def least_curvature(points: Points) -> Numbers:
    """Least eigenvalue of the Hessian over the largest, without those of the rotations."""
    r = points.X.shape[2]
    values = np.linalg.eigvalsh(points.derivatives()[1])
    # At a minimum the rotations are zero, and the smallest in size.
    order = np.argsort(np.abs(values), axis=1)[:, r * (r - 1) // 2 :]
    kept = np.take_along_axis(values, order, axis=1)
    return kept.min(axis=1) / np.abs(kept).max(axis=1)


@dataclass(frozen=True)
class Cell:
    """A family of instances: Gaussian symmetric A_i, or a_i a_iᵀ ("phase"); ‖Z‖_F² = r."""

    family: str
    n: int
    r: int
    m: int

    @property
    def name(self) -> str:
        """For rows and legends."""
        return f"{self.family} n {self.n}, r {self.r}, m {self.m}"

    def draw(self, rng: np.random.Generator, count: int) -> Points:
        """Instances with a random start each."""
        n, r, m = self.n, self.r, self.m
        if self.family == "phase":
            a = rng.standard_normal((count, m, n))
            A = a[..., :, None] * a[..., None, :] / m**0.5
        else:
            raw = rng.standard_normal((count, m, n, n)) / (2 * m) ** 0.5
            A = (raw + raw.swapaxes(2, 3)) / 2**0.5
        Z, X = rng.standard_normal((2, count, n, r))
        return Points(A, Z * r**0.5 / np.linalg.norm(Z, axis=(1, 2), keepdims=True), X)


#: Cells of a size, with how many instances are drawn of each; one start an instance.
CELLS: dict[Size, tuple[tuple[Cell, int], ...]] = {
    "smoke": (
        (Cell("gauss", 3, 1, 4), 500),
        (Cell("gauss", 4, 2, 8), 300),
        (Cell("phase", 4, 1, 6), 500),
        (Cell("phase", 4, 2, 9), 300),
    ),
    "paper": (
        (Cell("gauss", 3, 1, 4), 3000),
        (Cell("gauss", 5, 1, 6), 3000),
        (Cell("gauss", 4, 2, 8), 2000),
        (Cell("gauss", 6, 2, 12), 2000),
        (Cell("phase", 4, 1, 6), 3000),
        (Cell("phase", 6, 1, 8), 3000),
        (Cell("phase", 4, 2, 9), 2000),
        (Cell("phase", 6, 2, 13), 2000),
    ),
}


def survey(size: Size, seed: int) -> tuple[tuple[Cell, Points], ...]:
    """Strict spurious minima of the cells of a size."""
    return minima_of(CELLS[size], seed)


@functools.lru_cache(maxsize=2)
def minima_of(cells: tuple[tuple[Cell, int], ...], seed: int) -> tuple[tuple[Cell, Points], ...]:
    """Strict spurious minima of full rank in every cell; shared, and not to be changed."""
    found = []
    for k, (cell, count) in enumerate(cells):
        ends = descend(cell.draw(np.random.default_rng([seed, k, 14]), count))
        ends = ends.take(~ends.true)
        g, _ = ends.derivatives()
        slope = np.linalg.norm(g, axis=1) * np.linalg.norm(ends.X, axis=(1, 2))
        full = np.linalg.svd(ends.X, compute_uv=False)[:, -1] > 1e-2
        ends = ends.take(full & (slope < 10 * ENDED * half_square(ends.b)))
        found.append((cell, ends.take(least_curvature(ends) > STRICT)))
    return tuple(found)
