"""The order need not be odd: the basic example lifts to a strict saddle at l = 2 and 4."""

import numpy as np

from liftless.instances import make_instance
from liftless.lifted import lifted_hessian
from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Least eigenvalue of the whole Hessian of h^l."""
    made = make_instance("basic")
    hessians = {k: lifted_hessian(made.problem, made.points[0].X, k) for k in (2, 4)}
    return {f"l = {k}": float(np.linalg.eigvalsh(H)[0]) for k, H in hessians.items()}


if __name__ == "__main__":
    show(numbers())
