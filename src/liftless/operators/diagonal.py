"""Diagonal sensing matrices: sparse recovery as a rank-one problem."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._checks import describe, real_array
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.operators.base import SensingOperator, rows_of, with_fields


class DiagonalOperator(SensingOperator):
    """A(M)_i = Σ_j diag_ij M_jj, in O(m n + n r).

    Only the diagonal of the matrix is seen.  With ``diag = [x, -x]`` and the factor ``[u; v]`` of
    one column it measures ⟨x_i, u⊙u − v⊙v⟩: sparse recovery.

    Parameters
    ----------
    diag : array of shape (m, n)
        The diagonal of A_i in row i.

    Raises
    ------
    InvalidInput
        Not a real, finite array of shape (m, n) with m, n >= 1.
    """

    diag: Float[AnyArray, "m n"]

    def __init__(self, diag: Any) -> None:
        self.diag = real_array("diag", diag, 2)
        if min(self.diag.shape) < 1:
            raise InvalidInput("diag", describe(self.diag), "of shape (m, n) with m, n >= 1")

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.diag.shape[0]

    @property
    def n(self) -> int:
        """Length of a diagonal."""
        return self.diag.shape[1]

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        return self.diag @ jnp.sum(jnp.asarray(U) * jnp.asarray(V), axis=1)

    def cost(self, columns: int) -> float:
        """One product with the diagonals."""
        return float(self.m * self.n + self.n * columns)

    def links(
        self, live: Bool[np.ndarray, " n"], used: Bool[np.ndarray, " m"]
    ) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
        """See :meth:`SensingOperator.links`: each row with itself."""
        i = np.flatnonzero(np.any(np.asarray(self.diag)[used] != 0, axis=0) & live)
        return i, i

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`: row i is 2 diag(d_i) X."""
        return 2 * jnp.asarray(self.diag)[:, :, None] * jnp.asarray(X)[None, :, :]

    def jacobian_cost(self, rank: int) -> int:
        """Return 1: the rows are products of numbers that one application computes."""
        del rank
        return 1

    def subset(self, indices: Int[AnyArray, " k"]) -> "DiagonalOperator":
        """See :meth:`SensingOperator.subset`."""
        return with_fields(self, diag=rows_of(self.diag, indices))

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Least-squares fit of the all-ones diagonal, if every entry comes out positive."""
        diag = np.asarray(self.diag)
        w = np.linalg.lstsq(diag.T, np.ones(self.n), rcond=None)[0]
        return w if np.all(w @ diag > 1e-8) else None
