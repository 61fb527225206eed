"""Algorithm 1: without truncation lifted descent goes elsewhere (basic example, l = 3)."""

import numpy as np

from liftless.escape import MultiStep, oracle
from liftless.instances import make_instance
from liftless.lifted import LiftedSubspace, projected_descent, truncated_path
from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """h^l over its value at the lifted point after 700 steps, ρ = .1, η = .01."""
    made = make_instance("basic")
    X = made.points[0].X
    o = oracle(made.problem, X)
    sizes = (float(np.linalg.norm(X)), float(np.linalg.norm(o.EX)))
    form = MultiStep(o.lambda_n, o.sigma, *sizes, 3, 0.1, 0.01)
    span = LiftedSubspace.at(made.problem, X, 3, o=o)
    exact = projected_descent(span, span.escaped(0.1), 0.01, 700, every=700)
    closed = truncated_path(form, span, [700.0])
    return {"projected": float(exact.relative[-1]), "truncated": float(closed.relative[0])}


if __name__ == "__main__":
    show(numbers())
