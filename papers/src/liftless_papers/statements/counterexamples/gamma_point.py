"""Theorem 3.2, Fig. 9: in the real-world example the γ point of U_γ raises h, and h^l too."""

import dataclasses

import numpy as np

from liftless.escape import MultiStep, oracle
from liftless.instances import make_instance
from liftless.lifted import LiftedSubspace, truncated_path
from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Ratios of h and h^l at l = 5, ρ = η = .1, t = 150000, and the left end of U_γ."""
    made = make_instance("real-world")
    problem, X = made.problem, made.points[0].X
    o = oracle(problem, X)
    sizes = (float(np.linalg.norm(X)), float(np.linalg.norm(o.EX)))
    form = MultiStep(o.lambda_n, o.sigma, *sizes, order=5, rho=0.1, eta=0.1)
    jump = float(problem.objective(form.gamma(150000.0) * o.EX) / problem.objective(X))
    found = {"U_gamma from": form.u_gamma.lower, "h ratio": jump}
    for sign in (1.0, -1.0):  # of u_n, which the paper leaves open
        turned = dataclasses.replace(o, u_n=sign * o.u_n, A_P=sign * o.A_P, EX=sign * o.EX)
        span = LiftedSubspace.at(problem, X, 5, o=turned)
        lifted = truncated_path(form, span, [150000.0]).relative[0]
        found[f"h^l ratio, u_n times {sign:+g}"] = float(lifted)
    return found


if __name__ == "__main__":
    show(numbers())
