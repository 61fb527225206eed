"""(1.1): the point (0, 1/√2) of the basic example is no local minimum."""

import numpy as np

from liftless.instances import make_instance
from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Change of h over a⁴ along the arc (a, √((1 − 4a²)/2))."""
    h = make_instance("basic").problem.objective
    at = float(h(np.array([[0.0], [0.5**0.5]])))
    found = {}
    for a in (0.3, 0.1, 0.03):
        X = np.array([[a], [((1 - 4 * a * a) / 2) ** 0.5]])
        found[f"a = {a:g}"] = (float(h(X)) - at) / a**4
    return found


if __name__ == "__main__":
    show(numbers())
