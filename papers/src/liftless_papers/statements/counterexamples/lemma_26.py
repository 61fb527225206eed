"""Lemma 26: for X = 0 the right side vanishes and the left does not."""

import numpy as np

from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Both sides of (88) for X = 0 and Y = diag(1, 0)."""
    X, Y = np.zeros((2, 2)), np.diag([1.0, 0.0])
    inverse = [np.linalg.pinv(M) for M in (X, Y)]
    left = np.linalg.norm(X @ inverse[0] - Y @ inverse[1], 2)
    right = min(np.linalg.norm((X - Y) @ M, 2) for M in inverse)
    return {"left": float(left), "right": float(right)}


if __name__ == "__main__":
    show(numbers())
