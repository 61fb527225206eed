"""Rank-one sensing matrices a_i a_i* of complex a_i: phase retrieval of complex or real signals."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float, Int

from liftless._checks import complex_array, describe
from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.operators.base import rows_of, with_fields
from liftless.operators.complex_amplitudes import SignalAmplitudes


class ComplexRankOneOperator(SignalAmplitudes):
    """A(Z Z*)_i = a_i* Z Z* a_i, the squared length of row i of conj(a) Z, in O(m n r).

    Parameters
    ----------
    a : complex array of shape (m, n)
        One sensing vector a row; measured is its inner product a_i* z with the signal, squared.
    real : bool
        Whether the signal is known to be real: then Z is, and the matrix is X Xᵀ.

    Raises
    ------
    InvalidInput
        Not a finite array of shape (m, n) with m, n >= 1.
    """

    a: Complex[AnyArray, "m n"]
    real: bool = eqx.field(static=True)

    def __init__(self, a: Any, real: bool = False) -> None:
        self.a = complex_array("a", a, 2)
        if min(self.a.shape) < 1:
            raise InvalidInput("a", describe(self.a), "of shape (m, n) with m, n >= 1")
        self.real = bool(real)

    @property
    def order(self) -> int:
        """Entries of the signal."""
        return self.a.shape[1]

    @property
    def m(self) -> int:
        """Number of sensing vectors."""
        return self.a.shape[0]

    def rows(self, X: Float[AnyArray, "n r"]) -> Complex[AnyArray, "m r"]:
        """a_i* Z."""
        return jnp.conj(jnp.asarray(self.a)) @ self._signal(jnp.asarray(X))

    def back(self, P: Complex[AnyArray, "m r"]) -> Float[AnyArray, "n r"]:
        """Adjoint of :meth:`rows` over the real numbers."""
        return self._factor(jnp.asarray(self.a).T @ P)

    def cost(self, columns: int) -> float:
        """Two products with the matrix of the a_i, of four multiply-adds a complex one."""
        parts = 2 if self.real else 4
        return 2.0 * parts * self.m * self.a.shape[1] * columns

    def lengths(self) -> Float[AnyArray, " m"]:
        """‖a_i‖², half of it for a real signal."""
        size = jnp.sum(jnp.abs(jnp.asarray(self.a)) ** 2, axis=1)
        return size / 2 if self.real else size

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`: row i is 2 a_i (a_i* Z) in its real form."""
        rows = 2 * jnp.asarray(self.a)[:, :, None] * self.rows(X)[:, None, :]
        if self.real:
            return jnp.real(rows)
        return jnp.concatenate([jnp.real(rows), jnp.imag(rows)], axis=1)

    def jacobian_cost(self, rank: int) -> int:
        """Return 1: the rows are products of numbers that one application computes."""
        del rank
        return 1

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`; of the matrices that act on the array X."""
        a = jnp.asarray(self.a)
        whole = jnp.sum(jnp.abs(a) ** 2, axis=1) ** 2
        if not self.real:
            return 2 * whole
        # Re(a a*) is half of a a* and half of its conjugate.
        return (whole + jnp.abs(jnp.sum(a * a, axis=1)) ** 2) / 2

    def subset(self, indices: Int[AnyArray, " k"]) -> "ComplexRankOneOperator":
        """See :meth:`SensingOperator.subset`."""
        return with_fields(self, a=rows_of(self.a, indices))

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Return w = 1: Σ a_i a_i* ≻ 0 when the vectors span the space, over its own field."""
        a = np.asarray(self.a)
        spanning = np.concatenate([np.real(a), np.imag(a)]) if self.real else a
        full = np.linalg.matrix_rank(spanning) == a.shape[1]
        return np.ones(self.m) if full else None
