"""Example 2 of the local-search paper: f falls from the printed point, a strict saddle."""

import numpy as np

from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """F less one over p², with the first row of the factor (p, 0) instead of zero."""
    found = {}
    for p in (0.1, 0.01):
        U = np.array([[p, 0.0], [0.5**0.5, 0.0], [0.0, 0.5**0.5]])
        X = U @ U.T
        d = np.diagonal(X)
        f = (d.sum() - 1) ** 2 + (d[0] - 1) ** 2 + (d[1] - d[2]) ** 2 + np.sum(X**2) - np.sum(d**2)
        found[f"p = {p:g}"] = float(f - 1) / p**2
    return found


if __name__ == "__main__":
    show(numbers())
