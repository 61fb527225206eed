"""Dense Hermitian sensing matrices, stored as packed real rows."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float, Int

from liftless._checks import complex_array, describe, positive_int, real_array
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.operators.base import SensingOperator, rows_of, with_fields
from liftless.operators.complex_rank_one import ComplexRankOneOperator
from liftless.operators.identity import nearest_identity
from liftless.operators.products import sum_of_rows
from liftless.space import Hermitian

#: Largest relative difference of A_i from A_i*, and from a_i a_i*, that is round-off.
ROUND_OFF = 1e-12


class HermitianOperator(SensingOperator):
    """A(Z Z*)_i = ⟨A_i, Z Z*⟩ = Re tr(A_i Z Z*) with dense Hermitian A_i.

    Parameters
    ----------
    packed : array of shape (m, n²), or complex (m, n, n)
        Whole matrices, as :meth:`from_matrices` takes them, or packed ones: row i has the diagonal
        of A_i, then twice the real parts of its upper triangle, then twice the imaginary ones.
    order : int, optional
        Order n of the matrices; left out with whole ones.

    Raises
    ------
    InvalidInput
        Wrong shape, not finite, or no measurement.
    """

    packed: Float[AnyArray, "m p"]
    order: int = eqx.field(static=True)

    def __init__(self, packed: Any, order: int | None = None) -> None:
        if order is None and np.ndim(packed) == 3:
            whole = self.from_matrices(packed)
            packed, order = whole.packed, whole.order
        if order is None:
            must = "the order of the matrix, with packed triangles"
            raise InvalidInput("order", "left out", must, "Or pass matrices of shape (m, n, n).")
        self.order = positive_int("order", order)
        self.packed = real_array("packed", packed, 2)
        if self.packed.shape[0] < 1 or self.packed.shape[1] != order * order:
            must = f"of shape (m, {order * order}) with m >= 1"
            cure = "Use HermitianOperator.from_matrices."
            raise InvalidInput("packed", describe(self.packed), must, cure)

    @classmethod
    def from_matrices(cls, A: Any) -> "HermitianOperator":
        """Pack complex matrices ``A`` of shape (m, n, n).

        Raises
        ------
        InvalidInput
            Also where a matrix is not Hermitian: its measurements would not be real.
        """
        A = complex_array("A", A, 3)
        m, n, columns = A.shape
        if m < 1 or n < 1 or n != columns:
            cure = "Put the matrices first."
            raise InvalidInput("A", describe(A), "of shape (m, n, n) with m, n >= 1", cure)
        skew = np.abs(A - A.conj().transpose(0, 2, 1)).max(axis=(1, 2))
        if skew.max() > ROUND_OFF * np.abs(A).max():
            worst = int(np.argmax(skew))
            was = f"not Hermitian at index {worst} (A_i and A_i* differ by {skew[worst]:.3g})"
            cure = "Pass (A + A*)/2 if the rest is meant to be left out."
            raise InvalidInput("A", was, "of Hermitian matrices, whose measurements are real", cure)
        i, j = np.triu_indices(n, 1)
        upper = 2 * A[:, i, j]
        diagonal = np.einsum("mii->mi", A).real
        return cls(np.concatenate([diagonal, upper.real, upper.imag], axis=1), n)

    @property
    def space(self) -> Hermitian:
        """Hermitian matrices of that order."""
        return Hermitian(self.order)

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.packed.shape[0]

    def _complex(self, X: Float[AnyArray, "n r"]) -> Complex[AnyArray, "o r"]:
        X = jnp.asarray(X)
        return X[: self.order] + 1j * X[self.order :]

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`; O(n² r + m n²)."""
        product = self._complex(U) @ jnp.conj(self._complex(V)).T
        H = (product + jnp.conj(product).T) / 2
        i, j = np.triu_indices(self.order, 1)
        upper = H[i, j]
        parts = [jnp.real(jnp.diagonal(H)), jnp.real(upper), jnp.imag(upper)]
        return jnp.asarray(self.packed) @ jnp.concatenate(parts)

    def _hermitian(self, y: Float[AnyArray, " m"]) -> Complex[AnyArray, "o o"]:
        """A*(y) over the complex numbers."""
        y, n = jnp.asarray(y), self.order
        return self._unpacked(sum_of_rows(y, jnp.asarray(self.packed)), n)

    @staticmethod
    def _unpacked(row: Float[AnyArray, " p"], n: int) -> Complex[AnyArray, "o o"]:
        i, j = np.triu_indices(n, 1)
        upper = (row[n : n + i.size] + 1j * row[n + i.size :]) / 2
        half = jnp.zeros((n, n), upper.dtype).at[i, j].set(upper)
        return half + jnp.conj(half).T + jnp.diag(row[:n]).astype(upper.dtype)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`."""
        Z = self._hermitian(y) @ self._complex(V)
        return jnp.concatenate([jnp.real(Z), jnp.imag(Z)])

    def cost(self, columns: int) -> float:
        """One product of the factors and one with the data."""
        return float(self.order**2) * (self.m + 4 * columns)

    def amplitudes(self) -> ComplexRankOneOperator | None:
        """See :meth:`SensingOperator.amplitudes`: where every A_i is some a_i a_i*."""
        packed, n = np.asarray(self.packed), self.order
        diagonal = packed[:, :n]
        place = np.argmax(diagonal, axis=1)
        top = diagonal[np.arange(self.m), place]
        if np.any(top <= 0):
            return None
        i, j = np.triu_indices(n, 1)
        upper = (packed[:, n : n + i.size] + 1j * packed[:, n + i.size :]) / 2
        # Column `place` of each matrix, which is a multiple of its a_i.
        where = np.zeros((n, n), int)
        where[i, j] = where[j, i] = np.arange(i.size)
        if i.size:
            columns = upper[np.arange(self.m)[:, None], where[place]]
            below = np.arange(n)[None, :] > place[:, None]
            columns = np.where(below, columns.conj(), columns)
        else:
            columns = np.zeros((self.m, n), complex)
        columns[np.arange(self.m), place] = top
        a = columns / np.sqrt(top)[:, None]
        error = np.abs(a[:, i] * a[:, j].conj() - upper).max(axis=1, initial=0.0)
        error = np.maximum(error, np.abs(np.abs(a) ** 2 - diagonal).max(axis=1))
        return ComplexRankOneOperator(a) if np.all(error <= ROUND_OFF * top) else None

    def subset(self, indices: Int[AnyArray, " k"]) -> "HermitianOperator":
        """See :meth:`SensingOperator.subset`."""
        return with_fields(self, packed=rows_of(self.packed, indices))

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`; of the matrices that act on the array X."""
        packed = jnp.asarray(self.packed)
        once = np.arange(self.order**2) < self.order
        return (packed * packed) @ np.where(once, 2.0, 1.0)

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Least-squares fit of the identity by the A_i, if it is positive definite."""
        n, rows = self.order, np.asarray(self.packed)
        goal = np.r_[np.ones(n), np.zeros(n * n - n)]
        # An off-diagonal number of a row is twice the entry, which counts twice.
        w = nearest_identity(rows, np.where(goal > 0, 1.0, np.sqrt(0.5)), goal)
        sums = w @ rows
        i, j = np.triu_indices(n, 1)
        matrix = np.diag(sums[:n]).astype(complex)
        matrix[i, j] = (sums[n : n + i.size] + 1j * sums[n + i.size :]) / 2
        matrix[j, i] = matrix[i, j].conj()
        return w if np.linalg.eigvalsh(matrix)[0] > 1e-8 else None
