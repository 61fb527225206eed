"""Operators that measure squared lengths of complex amplitudes, which are linear in the factor."""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Complex, Float, Num

from liftless._types import AnyArray
from liftless.operators.base import SensingOperator
from liftless.operators.products import row_products
from liftless.space import Hermitian, Space, Symmetric


class ComplexAmplitudes(SensingOperator):
    """A(X Xᵀ)_i = ‖p_i‖² for the rows p_i of a complex array that is linear in X.

    A subclass is final and has that map, its adjoint and the mean squares of its rows; what an
    operator must have, and the trait :class:`liftless.operators.Amplitudes`, follow.
    """

    @abc.abstractmethod
    def rows(self, X: Float[AnyArray, "n r"]) -> Complex[AnyArray, "m q"]:
        """Amplitudes of X; traceable."""

    @abc.abstractmethod
    def back(self, P: Complex[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Adjoint of :meth:`rows` over the real numbers; traceable."""

    @abc.abstractmethod
    def lengths(self) -> Float[AnyArray, " m"]:
        """See :class:`liftless.operators.Amplitudes`."""

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        P = self.rows(U)
        return row_products(P, P if U is V else self.rows(V))

    def measure_pair(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> tuple[Float[AnyArray, " m"], Float[AnyArray, " m"]]:
        """See :meth:`SensingOperator.measure_pair`."""
        P, Q = self.rows(U), self.rows(V)
        return row_products(P, Q), row_products(Q, Q)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`."""
        return self.back(jnp.asarray(y)[:, None] * self.rows(V))

    def amplitudes(self) -> "ComplexAmplitudes":
        """Return the map itself."""
        return self

    def forward(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m q"]:
        """:meth:`rows`, real and imaginary parts side by side."""
        P = self.rows(X)
        return jnp.concatenate([jnp.real(P), jnp.imag(P)], axis=1)

    def adjoint(self, G: Float[AnyArray, "m q"]) -> Float[AnyArray, "n r"]:
        """Transpose of :meth:`forward`."""
        half = G.shape[1] // 2
        return self.back(G[:, :half] + 1j * G[:, half:])


class SignalAmplitudes(ComplexAmplitudes):
    """Amplitudes of a signal that may be known to be real: then the factor is Z itself."""

    real: eqx.AbstractVar[bool]

    @property
    @abc.abstractmethod
    def order(self) -> int:
        """Entries of the signal."""

    @property
    def space(self) -> Space:
        """Hermitian matrices Z Z*, or symmetric ones X Xᵀ of a real signal."""
        return Symmetric(self.order) if self.real else Hermitian(self.order)

    def _signal(self, X: Float[AnyArray, "n r"]) -> Num[AnyArray, "o r"]:
        """Z of a factor."""
        return X if self.real else X[: self.order] + 1j * X[self.order :]

    def _factor(self, Z: Num[AnyArray, "o r"]) -> Float[AnyArray, "n r"]:
        """Adjoint of :meth:`_signal` over the real numbers."""
        return jnp.real(Z) if self.real else jnp.concatenate([jnp.real(Z), jnp.imag(Z)])
