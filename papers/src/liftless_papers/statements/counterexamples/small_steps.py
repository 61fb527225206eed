"""Appendix C.3: smaller ρ and η take t = 59000 out of U_γ in completion, l = 11."""

import numpy as np

from liftless.escape import MultiStep, oracle
from liftless.instances import make_instance
from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Left end of U_γ by ρ and η."""
    made = make_instance("pmc")
    X = made.points[0].X
    o = oracle(made.problem, X)
    sizes = (float(np.linalg.norm(X)), float(np.linalg.norm(o.EX)))
    pairs = ((0.3, 0.01), (0.1, 0.01), (0.01, 0.01))
    forms = {pair: MultiStep(o.lambda_n, o.sigma, *sizes, 11, *pair) for pair in pairs}
    return {f"rho, eta = {p}, {q}": form.u_gamma.lower for (p, q), form in forms.items()}


if __name__ == "__main__":
    show(numbers())
