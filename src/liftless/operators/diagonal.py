"""Diagonal sensing matrices: sparse recovery as a rank-one problem."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, real_array
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.operators.base import SensingOperator


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

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Least-squares fit of the all-ones diagonal, if every entry comes out positive."""
        diag = np.asarray(self.diag)
        w = np.linalg.lstsq(diag.T, np.ones(self.n), rcond=None)[0]
        return w if np.all(w @ diag > 1e-8) else None
