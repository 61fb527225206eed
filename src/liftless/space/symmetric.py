"""Real symmetric matrices X Xᵀ."""

import math
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from liftless._checks import positive_int, real_array
from liftless._types import AnyArray
from liftless.linalg import fix_signs, matrix_distance
from liftless.space.base import Directions, Factor, Other, Space, products, rows_of, widened


@dataclass(frozen=True)
class Symmetric(Space):
    """M = X Xᵀ, real, positive semidefinite, of order n.

    Parameters
    ----------
    order : int
    """

    order: int
    name = "symmetric"
    formula = "X Xᵀ"
    spectrum_name = "eigenvalue"
    semidefinite = True

    def __post_init__(self) -> None:
        positive_int("order", self.order)

    @property
    def n(self) -> int:
        """Rows of X: the order."""
        return self.order

    @property
    def shape(self) -> tuple[int, int]:
        """(n, n)."""
        return self.order, self.order

    def matrix(self, X: Factor) -> np.ndarray:
        """X Xᵀ."""
        return X @ X.T

    def entries(self, X: Factor, i: Any, j: Any) -> np.ndarray:
        """See :meth:`Space.entries`."""
        return np.sum(X[i] * X[j], axis=-1)

    def distance(self, X: Factor, Y: Other) -> float:
        """See :meth:`Space.distance`."""
        return matrix_distance(X, Y)

    def spectrum(self, X: Factor) -> Float[np.ndarray, " k"]:
        """Eigenvalues of X Xᵀ."""
        return np.linalg.svd(X, compute_uv=False) ** 2

    def truncate(self, X: Float[np.ndarray, "n p"], rank: int) -> Factor:
        """See :meth:`Space.truncate`; the entry of largest magnitude of each column positive."""
        U, s, _ = np.linalg.svd(X, full_matrices=False)
        k = min(rank, s.size)
        return widened(fix_signs(U[:, :k]) * s[:k], rank)

    def degrees_of_freedom(self, rank: int) -> int:
        """Return n r − r(r − 1)/2."""
        return self.order * rank - rank * (rank - 1) // 2

    def gauge(self, X: Factor) -> Directions:
        """X Ω for skew Ω."""
        r = X.shape[1]
        pairs = [(a, b) for a in range(r) for b in range(a)]
        out = np.zeros((len(pairs), *X.shape))
        for k, (a, b) in enumerate(pairs):
            out[k, :, a], out[k, :, b] = X[:, b], -X[:, a]
        return out

    def change(
        self, directions: Directions, X: Factor, i: Int[np.ndarray, " k"], j: Int[np.ndarray, " k"]
    ) -> Float[np.ndarray, " k"]:
        """See :meth:`Space.change`."""
        moved = products(directions[:, i], X[j]) + products(directions[:, j], X[i])
        return np.sqrt(np.sum(moved * moved, axis=0))

    def pataki(self, measurements: int) -> int:
        """Largest r with r(r + 1)/2 <= m."""
        return (math.isqrt(8 * measurements + 1) - 1) // 2

    def rotated(self, X: Float[AnyArray, "n p"]) -> tuple[AnyArray, AnyArray]:
        """See :meth:`Space.rotated`."""
        U, s, _ = jnp.linalg.svd(X, full_matrices=False)
        return U * s[None, :], s

    def pack(self, factor: Any, argument: str = "factor") -> Factor:
        """Take X itself."""
        return rows_of(real_array(argument, factor, 2), self.n, argument)

    def unpack(self, X: Factor) -> Factor:
        """Return X itself."""
        return X

    def describe(self) -> str:
        """Return the order."""
        return f"of order {self.order}"
