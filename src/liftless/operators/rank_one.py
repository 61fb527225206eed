"""Rank-one sensing matrices a_i a_iᵀ: phase retrieval and quadratic sensing."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._checks import describe, real_array
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.operators.base import SensingOperator, rows_of, with_fields


class RankOneOperator(SensingOperator):
    """A(M)_i = a_iᵀ M a_i, in O(m n r).

    Parameters
    ----------
    a : array of shape (m, n)
        One sensing vector a row.

    Raises
    ------
    InvalidInput
        Not a real, finite array of shape (m, n) with m, n >= 1.
    """

    a: Float[AnyArray, "m n"]

    def __init__(self, a: Any) -> None:
        self.a = real_array("a", a, 2)
        if min(self.a.shape) < 1:
            raise InvalidInput("a", describe(self.a), "of shape (m, n) with m, n >= 1")

    @property
    def m(self) -> int:
        """Number of sensing vectors."""
        return self.a.shape[0]

    @property
    def n(self) -> int:
        """Length of a sensing vector."""
        return self.a.shape[1]

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        return jnp.sum((self.a @ jnp.asarray(U)) * (self.a @ jnp.asarray(V)), axis=1)

    def cost(self, columns: int) -> float:
        """Two products with the matrix of the a_i."""
        return 2.0 * self.m * self.n * columns

    def amplitudes(self) -> "RankOneOperator":
        """Return the map X ↦ a X itself."""
        return self

    def forward(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m r"]:
        """Rows a_iᵀ X."""
        return self.a @ jnp.asarray(X)

    def adjoint(self, G: Float[AnyArray, "m r"]) -> Float[AnyArray, "n r"]:
        """Transpose of :meth:`forward`."""
        return jnp.asarray(self.a).T @ G

    def lengths(self) -> Float[AnyArray, " m"]:
        """‖a_i‖²."""
        a = jnp.asarray(self.a)
        return jnp.sum(a * a, axis=1)

    def links(
        self, live: Bool[np.ndarray, " n"], used: Bool[np.ndarray, " m"]
    ) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
        """See :meth:`SensingOperator.links`: the nonzero entries of each a_i, one after another."""
        k, i = np.nonzero((np.asarray(self.a) != 0) & live & used[:, None])
        same = k[1:] == k[:-1]
        return np.r_[i, i[:-1][same]], np.r_[i, i[1:][same]]

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`: row i is 2 a_i (a_iᵀ X)."""
        a = jnp.asarray(self.a)
        return 2 * a[:, :, None] * (a @ jnp.asarray(X))[:, None, :]

    def jacobian_cost(self, rank: int) -> int:
        """Return 1: the rows are products of numbers that one application computes."""
        del rank
        return 1

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`: ‖a_i‖⁴."""
        return self.lengths() ** 2

    def subset(self, indices: Int[AnyArray, " k"]) -> "RankOneOperator":
        """See :meth:`SensingOperator.subset`."""
        return with_fields(self, a=rows_of(self.a, indices))

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Return w = 1: Σ a_i a_iᵀ ≻ 0 when the vectors span the space."""
        full = np.linalg.matrix_rank(np.asarray(self.a)) == self.n
        return np.ones(self.m) if full else None
