"""a, b and c need not be independent: in the basic example EX̂ is a multiple of u_n."""

import numpy as np

from liftless.escape import oracle
from liftless.instances import make_instance
from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Cosine of the angle between b and c at l = 1."""
    found = {}
    for name in ("basic", "pmc"):
        made = make_instance(name)
        o = oracle(made.problem, made.points[0].X)
        b, c = o.beta_direction, o.gamma_direction
        found[name] = abs(float(np.sum(b * c))) / float(np.linalg.norm(c))
    return found


if __name__ == "__main__":
    show(numbers())
