"""Proposition 5.3: in completion the first truncated step raises h^l at every order from 5."""

from liftless.instances import make_instance
from liftless.lifted import LiftedSubspace, truncated_step
from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Change of h^l over ηρ² by order, as ρ = η shrink."""
    pmc, found = make_instance("pmc"), {}
    for order in (5, 7, 9, 11, 15):
        span = LiftedSubspace.at(pmc.problem, pmc.points[0].X, order)
        for step in (1e-3, 1e-6) if order == 5 else (1e-6,):
            first = span.escaped(step)
            rise = span.difference(truncated_step(span, first, step), first)
            found[f"l = {order}, rho = eta = {step:g}"] = rise / step**3
    return found


if __name__ == "__main__":
    show(numbers())
