"""Section 3.2: in the basic example the practical criterion rejects an escape that works."""

import numpy as np

from liftless.escape import MultiStep, oracle
from liftless.instances import make_instance
from liftless.lifted import LiftedSubspace, truncated_path
from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """h^l (l = 3) of the lifted point, of w̃ and of the lifted β point at t = 660, and h ratio."""
    made = make_instance("basic")
    problem, X = made.problem, made.points[0].X
    o = oracle(problem, X)
    sizes = (float(np.linalg.norm(X)), float(np.linalg.norm(o.EX)))
    form = MultiStep(o.lambda_n, o.sigma, *sizes, 3, 0.1, 0.01)
    path = truncated_path(form, LiftedSubspace.at(problem, X, 3, o=o), [660.0])
    jump = form.beta(660.0) * o.beta_direction
    b = np.asarray(problem.b)

    def lifted(U: np.ndarray) -> float:
        y = np.asarray(problem.measurements(U))
        return float((y @ y) ** 3 - 2 * (y @ b) ** 3 + (b @ b) ** 3)

    found = {"lifted point": lifted(X), "simulated": lifted(X) * float(path.relative[0])}
    ratio = float(problem.objective(jump) / problem.objective(X))
    return found | {"lifted beta point": lifted(jump), "h ratio": ratio}


if __name__ == "__main__":
    show(numbers())
