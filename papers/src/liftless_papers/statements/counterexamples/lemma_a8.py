"""Lemma A.8: with A_1 = I the bound does not hold for M = I, whose rank exceeds p = 1."""

import numpy as np

from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Both sides of (A.17) with n = 5, m = 1."""
    A = M = np.eye(5)
    # ⟨I, M⟩² = ‖M‖² for symmetric M of rank one: the isometry is exact.
    delta_1, spectral = 0.0, np.linalg.norm(A, 2)
    left = np.linalg.norm(np.sum(A * M) * A, 2) ** 2
    right = spectral**2 * (1 + delta_1) * np.linalg.norm(M) ** 2
    return {"left": float(left), "right": float(right)}


if __name__ == "__main__":
    show(numbers())
