"""[41, Thm. 5.4]: the real-world minimum lifts to a strict minimum at l = 3 (and 5)."""

import numpy as np

from liftless.instances import make_instance
from liftless.lifted import lifted_hessian
from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Least eigenvalue of the whole Hessian of h^l at the lifted point."""
    made = make_instance("real-world")
    hessian = lifted_hessian(made.problem, made.points[0].X, 3)
    return {"least eigenvalue, l = 3": float(np.linalg.eigvalsh(hessian)[0])}


if __name__ == "__main__":
    show(numbers())
