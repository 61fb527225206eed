"""Dense symmetric sensing matrices, stored as packed upper triangles."""

import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._checks import describe, positive_int, real_array
from liftless._errors import InputWarning, InvalidInput
from liftless._types import AnyArray
from liftless.operators.base import SensingOperator, rows_of, with_fields
from liftless.operators.identity import nearest_identity
from liftless.operators.products import few_columns, sum_of_rows
from liftless.operators.rank_one import RankOneOperator
from liftless.operators.structure import looks_isotropic, packed_links, rank_one_of

#: Largest relative asymmetry that is taken for round-off in the data.
ASYMMETRY = 1e-12
#: Matrices that are unpacked at a time where all are needed, unless all are no more numbers than
#: this: then half of the time is saved (n = 30, m = 96).
ROWS, UNPACKED = 64, 2**18
#: From this many stored numbers on two measurements share one pass over them.  Below, the data stay
#: in the cache, and two products with a vector are as fast.
ONE_PASS = 2**20


def packed_indices(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each packed entry, the upper triangle row by row."""
    return np.triu_indices(n)


class DenseOperator(SensingOperator):
    """A(M)_i = ⟨A_i, M⟩ with dense symmetric A_i.

    Parameters
    ----------
    packed : array of shape (m, n(n+1)/2), or (m, n, n)
        Whole matrices, as :meth:`from_matrices` takes them, or packed ones:
        Row i is the upper triangle of A_i, row by row: the diagonal entries as they are, an
        off-diagonal entry as the *sum* A_jk + A_kj.  Then ⟨A_i, M⟩ is the dot product with the
        upper triangle of a symmetric M, at half the memory traffic of the full matrices.
    n : int, optional
        Order of the matrices; left out with whole ones.
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

    def __init__(self, packed: Any, n: int | None = None, dtype: Any = np.float64) -> None:
        if n is None and np.ndim(packed) == 3:
            # Whole matrices can mean nothing else.
            whole = self.from_matrices(packed, dtype)
            packed, n = whole.packed, whole.n
        if n is None:
            must = "the order of the matrix, with packed triangles"
            raise InvalidInput("n", "left out", must, "Or pass matrices of shape (m, n, n).")
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
        upper = self._upper(U, V)
        stored = jnp.result_type(self.packed)
        return (self.packed @ upper.astype(stored)).astype(upper.dtype)

    def measure_pair(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> tuple[Float[AnyArray, " m"], Float[AnyArray, " m"]]:
        """See :meth:`SensingOperator.measure_pair`; one pass over the data if they are large."""
        if self.packed.size < ONE_PASS:
            return self.measure(U, V), self.measure(V, V)
        both = jnp.stack([self._upper(U, V), self._upper(V, V)], axis=1)
        stored = jnp.result_type(self.packed)
        out = few_columns(self.packed, both.astype(stored)).astype(both.dtype)
        return out[:, 0], out[:, 1]

    def _upper(self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]) -> Float[AnyArray, " p"]:
        """Upper triangle of the symmetric product ½(U Vᵀ + V Uᵀ)."""
        i, j = packed_indices(self.n)
        product = jnp.asarray(U) @ jnp.asarray(V).T
        whole = ((product + product.T) / 2).ravel()
        # One flat gather whose positions are known to be inside: half the time of two plain ones.
        return jnp.take(whole, (i * self.n + j).astype(np.int32), mode="clip")

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """A*(y) V through the dense matrix; 5–10 % faster than the derived form, which scatters."""
        return self.matrix(y) @ jnp.asarray(V)

    def matrix(self, y: Float[AnyArray, " m"]) -> Float[AnyArray, "n n"]:
        """A*(y) as a dense n × n matrix, unpacked by a gather."""
        y = jnp.asarray(y)
        stored = jnp.result_type(self.packed)
        upper = sum_of_rows(y.astype(stored), self.packed).astype(y.dtype)
        return self._unpacked(upper)

    def _unpacked(self, upper: Float[AnyArray, " p"]) -> Float[AnyArray, "n n"]:
        """Symmetric matrix of a packed row."""
        i, j = packed_indices(self.n)
        position = np.zeros((self.n, self.n), np.int32)
        position[i, j] = position[j, i] = np.arange(i.size)
        halves = np.where(np.eye(self.n, dtype=bool), 1.0, 0.5)
        return jnp.take(upper, position, mode="clip") * halves.astype(upper.dtype)

    def cost(self, columns: int) -> float:
        """One product of the factors and one with the data."""
        return float(self.n * self.n) * (self.m / 2 + columns)

    def amplitudes(self) -> RankOneOperator | None:
        """See :meth:`SensingOperator.amplitudes`: where every A_i is some a_i a_iᵀ."""
        return rank_one_of(np.asarray(self.packed, np.float64), self.n)

    def isotropic(self) -> bool:
        """See :meth:`SensingOperator.isotropic`."""
        return looks_isotropic(np.asarray(self.packed), self.n)

    def links(
        self, live: Bool[np.ndarray, " n"], used: Bool[np.ndarray, " m"]
    ) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
        """See :meth:`SensingOperator.links`."""
        return packed_links(np.asarray(self.packed), self.n, live, used)

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`; some rows at a time, so that no (m, n, n) array."""
        X = jnp.asarray(X)
        packed = jnp.asarray(self.packed)

        def row(upper: Float[AnyArray, " p"]) -> Float[AnyArray, "n r"]:
            return 2 * (self._unpacked(upper) @ X.astype(upper.dtype))

        rows = self.m if self.m * self.n**2 <= UNPACKED else min(self.m, ROWS)
        return jax.lax.map(row, packed, batch_size=rows).astype(X.dtype)

    def jacobian_cost(self, rank: int) -> int:
        """Return 2 r: every A_i is unpacked and multiplied into r columns."""
        return 2 * rank

    def subset(self, indices: Int[AnyArray, " k"]) -> "DenseOperator":
        """See :meth:`SensingOperator.subset`."""
        return with_fields(self, packed=rows_of(self.packed, indices))

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`; off-diagonal entries are stored twice as large."""
        i, j = packed_indices(self.n)
        packed = jnp.asarray(self.packed)
        return (packed * packed) @ np.where(i == j, 1.0, 0.5).astype(packed.dtype)

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Least-squares fit of the identity by the A_i, if it is positive definite."""
        i, j = packed_indices(self.n)
        # An off-diagonal number of a packed row is twice the entry, which counts twice.
        rows, on = np.asarray(self.packed), i == j
        w = nearest_identity(rows, np.where(on, 1.0, np.sqrt(0.5)), on * 1.0)
        matrix = np.zeros((self.n, self.n))
        matrix[i, j] = (w.astype(rows.dtype) @ rows) / np.where(on, 1.0, 2.0)
        matrix = np.triu(matrix) + np.triu(matrix, 1).T
        return w if np.linalg.eigvalsh(matrix)[0] > 1e-8 else None
