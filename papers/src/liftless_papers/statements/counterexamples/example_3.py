"""Example 3: gradient independence keeps coefficients at zero along the flow, not in a step.

The model f_θ = β_1 φ_1 + β_2 φ_2 of two parameters has the coefficients β_1 = angle of θ and
β_2 = ‖θ‖ − 1, whose gradients are orthogonal everywhere.  The target has β_2* = 0.  The parameters
with β_2 = 0 are the unit circle, and a gradient step along its tangent leaves it by the square of
the step, where the shrinking is of the same order.
"""

import numpy as np

from liftless_papers.statements.counterexamples import show


def numbers() -> dict[str, float]:
    """⟨∇β_1, ∇β_2⟩, and β_2 after a step from β_2 = 0, β_1 − β_1* = 1."""
    theta = np.array([1.0, 0.0])
    angle, radius = np.array([-theta[1], theta[0]]), theta  # gradients, on the circle
    found = {"product of the gradients": float(angle @ radius)}
    for eta in (0.1, 0.01):
        step = theta - eta * 1.0 * angle
        found[f"eta = {eta:g}, beta_2"] = float(np.linalg.norm(step) - 1)
    return found


if __name__ == "__main__":
    show(numbers())
