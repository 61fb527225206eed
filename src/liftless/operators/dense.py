"""Dense symmetric sensing matrices, stored as packed upper triangles."""

import warnings
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._checks import describe, positive_int, real_array
from liftless._errors import InputWarning, InvalidInput
from liftless._types import AnyArray
from liftless.operators.base import SensingOperator

#: Largest relative asymmetry that is taken for round-off in the data.
ASYMMETRY = 1e-12


def packed_indices(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each packed entry, the upper triangle row by row."""
    return np.triu_indices(n)


class DenseOperator(SensingOperator):
    """A(M)_i = ⟨A_i, M⟩ with dense symmetric A_i.

    Parameters
    ----------
    packed : array of shape (m, n(n+1)/2)
        Row i is the upper triangle of A_i, row by row: the diagonal entries as they are, an
        off-diagonal entry as the *sum* A_jk + A_kj.  Then ⟨A_i, M⟩ is the dot product with the
        upper triangle of a symmetric M, at half the memory traffic of the full matrices.
    n : int
        Order of the matrices.
    dtype : {float64, float32}
        Storage.  With float32 the products are float32 as well (relative error 1e-7), at half the
        traffic again: for exploration.

    Raises
    ------
    InvalidInput
        Wrong shape, not finite, complex, or no measurement.
    """

    packed: Float[AnyArray, "m p"]
    n: int = eqx.field(static=True)

    def __init__(self, packed: Any, n: int, dtype: Any = np.float64) -> None:
        self.n = positive_int("n", n)
        try:
            name = np.dtype(dtype).name
        except TypeError:
            name = ""
        if name not in ("float64", "float32"):
            raise InvalidInput("dtype", describe(dtype), "float64 or float32")
        array = real_array("packed", packed, 2, dtype=dtype)
        if array.shape[0] < 1 or array.shape[1] != n * (n + 1) // 2:
            must = f"of shape (m, {n * (n + 1) // 2}) with m >= 1"
            raise InvalidInput("packed", describe(array), must, "Use DenseOperator.from_matrices.")
        self.packed = array

    @classmethod
    def from_matrices(cls, A: Any, dtype: Any = np.float64) -> "DenseOperator":
        """Pack full matrices ``A`` of shape (m, n, n).

        Only the symmetric part of A_i is seen by a symmetric matrix; a clear asymmetry is
        reported by an :class:`InputWarning`.
        """
        A = real_array("A", A, 3)
        m, n, columns = A.shape
        if m < 1 or n < 1 or n != columns:
            raise InvalidInput(
                "A", describe(A), "of shape (m, n, n) with m, n >= 1", "Put the matrices first."
            )
        skew = float(np.abs(A - A.transpose(0, 2, 1)).max())
        if skew > ASYMMETRY * float(np.abs(A).max()):
            warnings.warn(
                f"A has asymmetric matrices (largest difference {skew:.3g}); only the symmetric "
                "part (A_i + A_i')/2 is seen, since the unknown matrix is symmetric.",
                InputWarning,
                stacklevel=2,
            )
        i, j = packed_indices(n)
        upper = np.where(i == j, A[:, i, j], A[:, i, j] + A[:, j, i])
        return cls(upper, n, dtype)

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.packed.shape[0]

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`; O(n² r + m n²/2)."""
        i, j = packed_indices(self.n)
        product = jnp.asarray(U) @ jnp.asarray(V).T
        upper = (product[i, j] + product[j, i]) / 2
        stored = jnp.result_type(self.packed)
        return (self.packed @ upper.astype(stored)).astype(upper.dtype)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """A*(y) V through the dense matrix; 5–10 % faster than the derived form, which scatters."""
        return self.matrix(y) @ jnp.asarray(V)

    def matrix(self, y: Float[AnyArray, " m"]) -> Float[AnyArray, "n n"]:
        """A*(y) as a dense n × n matrix, unpacked by a gather."""
        y = jnp.asarray(y)
        upper = (y.astype(jnp.result_type(self.packed)) @ self.packed).astype(y.dtype)
        i, j = packed_indices(self.n)
        position = np.zeros((self.n, self.n), np.int32)
        position[i, j] = position[j, i] = np.arange(i.size)
        halves = np.where(np.eye(self.n, dtype=bool), 1.0, 0.5)
        return upper[position] * halves.astype(y.dtype)

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Least-squares fit of the identity by the A_i, if it is positive definite."""
        i, j = packed_indices(self.n)
        # In coordinates where the packed dot product is the Frobenius one, off-diagonals of a
        # packed row weigh √2/2 and the identity is the indicator of the diagonal.
        scale = np.where(i == j, 1.0, np.sqrt(0.5))
        rows = np.asarray(self.packed, np.float64) * scale
        gram = rows @ rows.T
        w = np.linalg.lstsq(gram, rows @ (i == j).astype(np.float64), rcond=1e-12)[0]
        matrix = np.zeros((self.n, self.n))
        matrix[i, j] = (w @ rows) * scale
        matrix = np.triu(matrix) + np.triu(matrix, 1).T
        return w if np.linalg.eigvalsh(matrix)[0] > 1e-8 else None
