"""Sparse recovery has no regularity constants for the whole of its region.

f(u, v) = ½ (uv − 1)² has the solutions (T, 1/T).  At the distance .01 from one, (15) of the IPGD
paper asks for a β of at least the number shown, with α = 0; it grows like T².
"""

import numpy as np

from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Least β at points beside (T, 1/T)."""
    found = {}
    for T in (1.0, 10.0, 100.0):
        normal = np.array([1 / T, T]) / np.hypot(1 / T, T)
        e = 0.01 * normal
        u, v = np.array([T, 1 / T]) + e
        gradient = (u * v - 1) * np.array([v, u])
        found[f"T = {T:g}, beta at least"] = float(gradient @ gradient / (2 * gradient @ e))
    return found


if __name__ == "__main__":
    show(numbers())
