"""ρ_min grows with the order in completion: U_β stays empty however large l is."""

import numpy as np

from liftless.escape import MultiStep, oracle
from liftless.instances import make_instance
from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """ρ_min of (5.13) by order; ρ < 1."""
    made = make_instance("pmc")
    X = made.points[0].X
    o = oracle(made.problem, X)
    sizes = (float(np.linalg.norm(X)), float(np.linalg.norm(o.EX)))
    orders = (3, 11, 31, 101)
    forms = {k: MultiStep(o.lambda_n, o.sigma, *sizes, k, 0.1, 0.1) for k in orders}
    return {f"l = {k}": form.rho_min for k, form in forms.items()}


if __name__ == "__main__":
    show(numbers())
