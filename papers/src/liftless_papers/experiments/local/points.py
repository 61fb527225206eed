"""Stationary points of small problems in NumPy: derivatives, Newton's method, saddles."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from liftless.operators import matrix
from liftless.problem import Problem

#: Newton steps to a stationary point from a start near it.
NEWTON_STEPS = 60


@dataclass(frozen=True)
class Small:
    """h(U) = ½ Σ_i (⟨A_i, U Uᵀ⟩ − b_i)² with few rows.

    Attributes
    ----------
    A : array of shape (q, n, n)
        Symmetric.
    b : array of shape (q,)
    """

    A: Float[np.ndarray, "q n n"]
    b: Float[np.ndarray, " q"]

    @classmethod
    def of(cls, problem: Problem) -> "Small":
        """Dense form of a small problem with unit weights."""
        rows = np.eye(problem.m)
        A = np.stack([np.asarray(matrix(problem.operator, row)) for row in rows])
        return cls(A, np.asarray(problem.b))

    def measure(self, M: Float[np.ndarray, "n n"]) -> Float[np.ndarray, " q"]:
        """⟨A_i, M⟩."""
        return np.einsum("ijk,jk->i", self.A, M)

    def value(self, U: Float[np.ndarray, "n r"]) -> float:
        """h(U)."""
        miss = self.measure(U @ U.T) - self.b
        return float(miss @ miss) / 2

    def slack(self, U: Float[np.ndarray, "n r"]) -> Float[np.ndarray, "n n"]:
        """Σ_i (⟨A_i, U Uᵀ⟩ − b_i) A_i."""
        return np.tensordot(self.measure(U @ U.T) - self.b, self.A, 1)

    def gradient(self, U: Float[np.ndarray, "n r"]) -> Float[np.ndarray, "n r"]:
        """∇h(U)."""
        return 2 * self.slack(U) @ U

    def hessian(self, U: Float[np.ndarray, "n r"]) -> Float[np.ndarray, "k k"]:
        """∇²h(U) in the coordinates of ``U.ravel()``."""
        rows = 2 * np.einsum("ijk,kr->ijr", self.A, U).reshape(len(self.b), -1)
        return rows.T @ rows + 2 * np.kron(self.slack(U), np.eye(U.shape[1]))

    def least(self, U: Float[np.ndarray, "n r"]) -> float:
        """Least eigenvalue of ∇²h(U)."""
        return float(np.linalg.eigvalsh(self.hessian(U))[0])

    def stationary(self, U: Float[np.ndarray, "n r"]) -> Float[np.ndarray, "n r"]:
        """Newton's limit from ``U``; flat directions (the rotations) are left alone."""
        for _ in range(NEWTON_STEPS):
            gradient = self.gradient(U).ravel()
            step = np.linalg.pinv(self.hessian(U), rcond=1e-9, hermitian=True) @ gradient
            U = U - step.reshape(U.shape)
            if np.linalg.norm(step) <= 1e-14 * max(float(np.linalg.norm(U)), 1e-300):
                break
        return U


def padded(U: Float[np.ndarray, "n k"], r: int) -> Float[np.ndarray, "n r"]:
    """Append columns of zeros: a stationary point stays one."""
    return np.pad(U, ((0, 0), (0, r - U.shape[1])))


def subset_point(
    small: Small,
    vectors: Float[np.ndarray, "n r"],
    values: Float[np.ndarray, " r"],
    keep: list[int],
) -> Float[np.ndarray, "n r"]:
    """Stationary point next to the part of the truth that the eigenpairs ``keep`` make up.

    Parameters
    ----------
    small : Small
    vectors, values : arrays of shape (n, r) and (r,)
        Eigenpairs of the truth.
    keep : list of int

    Returns
    -------
    array of shape (n, r)
        Of the rank of the subset, padded; zero for none.
    """
    if not keep:
        return np.zeros_like(vectors)
    start = vectors[:, keep] * np.sqrt(values[keep])
    return padded(small.stationary(start), vectors.shape[1])
