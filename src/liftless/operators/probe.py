"""Checks of a user's maps on random factors, before anything is computed with them.

A map that is no sensing operator makes no error later on, only a descent that does not converge;
so each of its defining identities is tried once, and a failed one is said with its number.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from liftless._errors import InvalidInput

#: Relative error up to which an identity holds: a user's map may compute in single precision.
HOLDS = 1e-5

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


def check_measure(argument: str, measure: Measure, n: int, seed: int = 0) -> None:
    """Raise :class:`InvalidInput` unless ``measure(U, V)`` is A(½(U Vᵀ + V Uᵀ)) for some A.

    Six evaluations.  A map is of that form if it is bilinear and symmetric for single columns and
    adds up over the columns.
    """
    U, V, W = np.random.default_rng(seed).standard_normal((3, n, 2))
    form = "A(½(U Vᵀ + V Uᵀ)), that is, a sum over the columns of U and V of one symmetric "
    form += "bilinear form"
    value = measure(U, V)
    if not np.isfinite(value).all():
        raise InvalidInput(argument, "a map that is not finite at Gaussian factors", form)
    apart = measure(U[:, :1], V[:, :1]) + measure(U[:, 1:], V[:, 1:])
    error = difference(value, apart)
    if not error <= HOLDS:
        was = f"a map whose value for two columns is not the sum of those for each ({error:.1e})"
        raise InvalidInput(argument, was, form)
    error = difference(measure(U + 2 * W, V), value + 2 * measure(W, V))
    if not error <= HOLDS:
        raise InvalidInput(argument, f"not linear in U (relative error {error:.1e})", form)
    error = difference(measure(V, U), value)
    if not error <= HOLDS:
        was = f"not symmetric: (U, V) and (V, U) differ by {error:.1e}"
        raise InvalidInput(argument, was, form, "Return the mean of the two.")


def check_adjoint(
    argument: str, forward: Callable[..., np.ndarray], back: Callable[..., np.ndarray], X: Any
) -> None:
    """Raise :class:`InvalidInput` unless ⟨y, forward(X)⟩ = ⟨back(y), X⟩: the dot test.

    Parameters
    ----------
    argument : str
        Name of ``back``.
    forward, back : callable
    X : array
        Random.
    """
    image = forward(X)
    # Positive multiples of the image: the products do not cancel, and an error shows in full.
    y = image * np.random.default_rng(1).uniform(0.5, 1.5, image.shape)
    one, other = float(np.sum(y * image)), float(np.sum(back(y) * X))
    size = max(abs(one), abs(other))
    error = abs(one - other) / size if size > 0 else 0.0
    if not error <= HOLDS:
        was = f"no adjoint: the two sides of the dot test differ by {error:.1e} of their size"
        must = f"the transpose of the forward map ({HOLDS:.0e} at most)"
        cure = "For a complex map that is the conjugate transpose; check the order of reshapes."
        raise InvalidInput(argument, was, must, cure)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Norm of the difference relative to the larger norm."""
    size = max(float(np.linalg.norm(a)), float(np.linalg.norm(b)))
    return float(np.linalg.norm(a - b)) / size if size > 0 else 0.0
