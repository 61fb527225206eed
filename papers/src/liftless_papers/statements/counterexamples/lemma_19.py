"""Lemma 19: without a bound on a_0 the sequence outgrows (58) in its first step."""

from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """a_1 and its bound for η = ρ = 1, R = 0, T = 10, a_0 = 1."""
    eta, rho, R, T, a = 1.0, 1.0, 0.0, 10, 1.0
    return {
        "a_1": (1 + eta * R / 2 + eta * rho * a / 2) * a,
        "bound": a * (1 + eta * R + 1 / T),
    }


if __name__ == "__main__":
    show(numbers())
