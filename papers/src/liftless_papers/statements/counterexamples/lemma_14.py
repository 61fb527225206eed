"""Lemma 14: two points near the top of s(1 + cos(x/s)), neither of which falls as promised."""

import math

from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """Best fall within T steps and the fall that (27) promises, for two scales s."""
    found, eps, omega = {}, 0.999, 0.1
    gamma = omega / 2
    for s in (1e3, 1e4):
        L, rho = 1 / s, 1 / s**2
        eta = 0.01 / L
        steps = int(2 / (eta * math.sqrt(rho * eps)) * math.log(1 / omega))
        falls = []
        for start in (gamma, -gamma):
            x = start
            for _ in range(steps):
                x += eta * math.sin(x / s)
            falls.append(s * (math.cos(x / s) - 1))
        size = eps**1.5 / (576 * math.sqrt(rho)) * math.log(1 / omega) ** -3
        found |= {f"s = {s:g}, T": float(steps), f"s = {s:g}, fall": min(falls)}
        found[f"s = {s:g}, promised"] = -size + eps * gamma + L / 2 * gamma**2
    return found


if __name__ == "__main__":
    show(numbers())
