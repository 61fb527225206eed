"""Spurious critical points of random rank-one problems, minima and saddles, for Figure 5."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from liftless.operators import DenseOperator
from liftless.problem import Problem

Many = Float[np.ndarray, " k"]

#: Size of the random problems.
N, M = 3, 5


@dataclass(frozen=True)
class Census:
    """Spurious critical points of Gaussian rank-one problems (4.7), and their scalars.

    Attributes
    ----------
    A : array of shape (k, m, n, n)
    X, u : arrays of shape (k, n)
        Critical point, and eigenvector of λ_n with its largest entry positive.
    residual, AP, AQ : arrays of shape (k, m)
        A(X̂X̂ᵀ) − b, A(P) and A(Q).
    b : array of shape (k, m)
    lam, sigma, top, least : arrays of shape (k,)
        λ_n; ‖X̂‖; the least 1 + δ that bounds ‖A(P)‖²/2 and ‖A(Q)‖²; least eigenvalue of the
        Hessian.
    """

    A: Float[np.ndarray, "k m n n"]
    X: Float[np.ndarray, "k n"]
    u: Float[np.ndarray, "k n"]
    residual: Float[np.ndarray, "k m"]
    b: Float[np.ndarray, "k m"]
    AP: Float[np.ndarray, "k m"]
    AQ: Float[np.ndarray, "k m"]
    lam: Many
    sigma: Many
    top: Many
    least: Many

    @property
    def E_Q(self) -> Many:
        """⟨E, u uᵀ⟩ = ⟨A(P), A(Q)⟩."""
        return np.sum(self.AP * self.AQ, axis=1)

    @property
    def efs(self) -> Many:
        """Definition 4.3 with 1 + δ = ``top``."""
        return -self.lam / (self.sigma**2 * self.top) + self.E_Q**2 / (2 * self.top**2)

    @property
    def score(self) -> Many:
        """The exact score, which needs no δ."""
        pp, qq = np.sum(self.AP**2, axis=1), np.sum(self.AQ**2, axis=1)
        return -2 * self.lam / (self.sigma**2 * pp) + self.E_Q**2 / (pp * qq)

    @property
    def constant(self) -> Many:
        """Constant term of (4.4), 2σ²(1+δ) + 2λ."""
        return 2 * self.sigma**2 * self.top + 2 * self.lam

    @property
    def walled(self) -> Bool[np.ndarray, " k"]:
        """Points from which h rises at first, both ways along u qᵀ, as it does at a minimum."""
        return self.sigma**2 * np.sum(self.AP**2, axis=1) + 2 * self.lam > 0

    @property
    def strict(self) -> Bool[np.ndarray, " k"]:
        """Strict local minima."""
        return self.least > 1e-6

    def discriminant(self, factor: float) -> Many:
        """Δ of (4.4) at 1 + δ = factor · top."""
        top = factor * self.top
        square = 4 * self.sigma**2 * self.E_Q**2
        return square - 4 * top * (2 * self.sigma**2 * top + 2 * self.lam)

    def change(self, rho: Many, start: float = 1.0) -> Many:
        """Return h(start · X̂ + ρ u qᵀ) / h(X̂) − 1, from the residuals."""
        cross = start * (rho * self.sigma)[:, None] * self.AP
        moved = self.residual + cross + (rho**2)[:, None] * self.AQ
        return np.sum(moved**2, axis=1) / np.sum(self.residual**2, axis=1) - 1

    def problem(self, k: int) -> tuple[Problem, Float[np.ndarray, "n 1"]]:
        """Return the problem and the point of number k, scaled so that δ = 0 is its constant."""
        root = np.sqrt(self.top[k])
        operator = DenseOperator.from_matrices(self.A[k] / root)
        return Problem(operator, self.b[k] / root, 1), self.X[k][:, None]


def census(starts: int, seed: int) -> Census:
    """Find critical points by Newton's method from random starts; minima and saddles alike."""
    rng = np.random.default_rng([5, seed])
    A = rng.standard_normal((starts, M, N, N)) / np.sqrt(M)
    A = (A + A.swapaxes(2, 3)) / 2  # variance 1/m on the diagonal, 1/(2m) off it
    Z, X = rng.standard_normal((2, starts, N))
    b = np.einsum("kmij,ki,kj->km", A, Z, Z)
    for _ in range(40):
        _, gradient, hessian, _ = _local(A, b, X)
        hessian[:, np.arange(N), np.arange(N)] += 1e-13
        X = X - np.linalg.solve(hessian, gradient[..., None])[..., 0]
        # A start that Newton throws far away is given up.
        X = np.where(np.abs(X).max(axis=1, keepdims=True) < 1e3, X, 1.0)
    residual, gradient, hessian, slack = _local(A, b, X)
    values, vectors = np.linalg.eigh(slack)
    still = np.abs(gradient).max(axis=1) < 1e-11
    stuck = np.sum(residual**2, axis=1) > 1e-6 * np.sum(b**2, axis=1)
    good = still & stuck & (values[:, 0] < -1e-6) & (np.linalg.norm(X, axis=1) > 1e-2)
    A, X, b, residual, u = A[good], X[good], b[good], residual[good], vectors[good, :, 0]
    # X̂ and −X̂ are one point; with this sign v is signed as u is, and q is 1.
    X, u = _signed(X), _signed(u)
    sigma = np.linalg.norm(X, axis=1)
    AP = 2 * np.einsum("kmij,ki,kj->km", A, u, X / sigma[:, None])
    AQ = np.einsum("kmij,ki,kj->km", A, u, u)
    top = np.maximum(np.sum(AP**2, axis=1) / 2, np.sum(AQ**2, axis=1))
    least = np.linalg.eigvalsh(hessian[good])[:, 0]
    return Census(A, X, u, residual, b, AP, AQ, values[good, 0], sigma, top, least)


def _signed(rows: Float[np.ndarray, "k n"]) -> Float[np.ndarray, "k n"]:
    """Rows with the sign that makes their largest entry positive."""
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
    return rows * np.sign(largest)


def _local(
    A: Float[np.ndarray, "k m n n"], b: Float[np.ndarray, "k m"], X: Float[np.ndarray, "k n"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Residual, gradient, Hessian and slack of many rank-one problems."""
    AX = np.einsum("kmij,kj->kmi", A, X)
    residual = np.einsum("kmi,ki->km", AX, X) - b
    slack = np.einsum("km,kmij->kij", residual, A)
    hessian = 4 * np.einsum("kmi,kmj->kij", AX, AX) + 2 * slack
    return residual, 2 * np.einsum("kij,kj->ki", slack, X), hessian, slack
