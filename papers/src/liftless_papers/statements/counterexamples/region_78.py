"""(78): for the spectrum 10, 5, 1 the bound on the angle exceeds one at every δ above .0144."""

import math

from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Least δ at which 4√r κδ reaches one, beside the δ that Proposition 24 allows."""
    r, kappa = 3, 10
    return {"angle free from": 1 / (4 * math.sqrt(r) * kappa), "allowed": 1 / (10 * math.sqrt(r))}


if __name__ == "__main__":
    show(numbers())
