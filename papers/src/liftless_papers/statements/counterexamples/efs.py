"""Theorem 3.1: EFS is one at the point of the basic example, with δ exact, and not above."""

import numpy as np

from liftless.escape import oracle
from liftless.instances import make_instance
from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """δ over all symmetric matrices, the two parts of EFS, and EFS."""
    made = make_instance("basic")
    basis = np.array([[[1, 0], [0, 0]], [[0, 0], [0, 1]], [[0, 0.5**0.5], [0.5**0.5, 0]]])
    A = np.array([[[1, 0], [0, 0.5]], [[0, 0.75**0.5], [0.75**0.5, 0]], [[0, 0], [0, 0.75**0.5]]])
    images = np.einsum("iab,kab->ki", A, basis)
    ends = np.linalg.eigvalsh(images @ images.T)
    delta = float(max(1 - ends[0], ends[-1] - 1))
    o = oracle(made.problem, made.points[0].X)
    margin = -o.lambda_n / (o.sigma**2 * (1 + delta))
    alignment = o.E_Q**2 / (2 * (1 + delta) ** 2)
    return {"delta": delta, "NCM": margin, "AIC": alignment, "EFS": margin + alignment}


if __name__ == "__main__":
    show(numbers())
