"""Theorem 3.1 of the local-search paper: the bound does not grow with the number of unknowns."""

import math

import numpy as np

from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Error and bound times √m/σ_w at an exact isometry, A_ij = n e_i e_jᵀ, for n = 100, r = 30.

    The local minima are the best approximation of X* + W/n of rank r; X* has eigenvalues 50.
    """
    n, r, rng = 100, 30, np.random.default_rng(0)
    noise = rng.standard_normal((n, n)) / n
    truth = np.diag([50.0] * r + [0.0] * (n - r))
    values, vectors = np.linalg.eigh(truth + (noise + noise.T) / 2)
    best = (vectors[:, -r:] * values[-r:]) @ vectors[:, -r:].T
    error = float(np.linalg.norm(best - truth)) * n
    return {"error": error, "bound": 20 * math.sqrt(math.log(n))}


if __name__ == "__main__":
    show(numbers())
