"""The abstract sensing operator: one bilinear, symmetric, real map."""

import abc
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from liftless._precision import entry
from liftless._types import AnyArray

#: Columns of a derived Jacobian that are computed at once.
COLUMNS = 64


class SensingOperator(eqx.Module):
    """A linear map A from symmetric n × n matrices to ℝᵐ, given by its action on factors.

    A subclass is final.  It has fields or properties ``n`` and ``m``, and defines :meth:`measure`;
    everything else follows by transposition and is overridden only for speed.

    Notes
    -----
    ``A(M)_i = ⟨A_i, M⟩`` with symmetric A_i, as in problem (P1) of the SOD escape paper.
    Arrays are kept as NumPy arrays, so that an operator can be built outside any precision
    context; inside compiled code they are traced arguments, never constants.
    """

    n: eqx.AbstractVar[int]
    m: eqx.AbstractVar[int]

    #: Whether the A_i may be draws from all symmetric matrices alike, so that message passing,
    #: which is meant for such, is worth a try (:mod:`liftless.start.passing`).
    isotropic: ClassVar[bool] = False

    @abc.abstractmethod
    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """A(½(U Vᵀ + V Uᵀ)): bilinear and symmetric in the factors.

        Parameters
        ----------
        U, V : arrays of shape (n, r)

        Returns
        -------
        array of shape (m,)
        """

    def measure_pair(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> tuple[Float[AnyArray, " m"], Float[AnyArray, " m"]]:
        """``measure(U, V)`` and ``measure(V, V)``: what the course along U + s V needs.

        Overridden where one pass over the data serves both.
        """
        return self.measure(U, V), self.measure(V, V)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """A*(y) V = Σ_i y_i A_i V, derived from :meth:`measure` by transposition.

        Parameters
        ----------
        y : array of shape (m,)
        V : array of shape (n, r)

        Returns
        -------
        array of shape (n, r)
        """
        (out,) = jax.linear_transpose(lambda U: self.measure(U, V), jnp.asarray(V))(jnp.asarray(y))
        return out

    def matrix(self, y: Float[AnyArray, " m"]) -> Float[AnyArray, "n n"]:
        """A*(y) as a dense n × n matrix, for small n."""
        return self.backproject(y, jnp.eye(self.n, dtype=jnp.asarray(y).dtype))

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """Derivative of ``measure(X, X)``: row i is 2 A_i X.  For small n r.

        Overridden, with :meth:`jacobian_cost`, where the A_i are at hand.
        """
        X = jnp.asarray(X)
        units = jnp.eye(X.size, dtype=X.dtype).reshape(-1, *X.shape)
        # Some columns at a time: each may need an n × n product on its way.
        columns = jax.lax.map(lambda D: 2 * self.measure(X, D), units, batch_size=COLUMNS)
        return columns.T.reshape(-1, *X.shape)

    def jacobian_cost(self, rank: int) -> int:
        """Work of :meth:`jacobian` in applications of A to one matrix: n r if derived."""
        return self.n * rank

    def groups(self) -> Int[np.ndarray, " n"] | None:
        """Group of each index, where no measurement links two groups; None where all may be."""
        return None

    @property
    def split(self) -> int | None:
        """Rows of U where the matrix sought is U Vᵀ of the stacked factor [U; V], else None."""
        return None

    def degrees_of_freedom(self, rank: int) -> int:
        """Dimension of the matrices of rank r that are sought: n r − r(r−1)/2 if symmetric."""
        return self.n * rank - rank * (rank - 1) // 2

    def subset(self, indices: Int[AnyArray, " k"]) -> "SensingOperator | None":
        """Return the operator of measurements ``indices`` alone, if that saves work, else None.

        Traceable; an index may occur more than once.
        """
        del indices
        return None

    def squares(self) -> Float[AnyArray, " m"]:
        """‖A_i‖_F² of every measurement; m applications if derived."""
        units = jnp.eye(self.m)
        return jax.lax.map(lambda e: jnp.sum(self.matrix(e) ** 2), units)

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Return some w with A*(w) ≻ 0, where one is known from the structure, else None.

        Such a w turns any residual into a feasible dual point, and so into a lower bound on the
        optimum that assumes nothing (see :mod:`liftless.certificate`).
        """
        return None


# The methods above are the plain JAX maps, in the caller's precision.  The functions below are
# the public entry points for concrete arrays; they serve a user's own operator as well.
@entry
def measure(
    operator: SensingOperator, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
) -> Float[AnyArray, " m"]:
    """A(½(U Vᵀ + V Uᵀ)) of an operator, in float64 and as NumPy outside a trace."""
    return operator.measure(U, V)


@entry
def backproject(
    operator: SensingOperator, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
) -> Float[AnyArray, "n r"]:
    """A*(y) V of an operator, in float64 and as NumPy outside a trace."""
    return operator.backproject(y, V)


@entry
def matrix(operator: SensingOperator, y: Float[AnyArray, " m"]) -> Float[AnyArray, "n n"]:
    """A*(y) of an operator as a dense matrix, in float64 and as NumPy outside a trace."""
    return operator.matrix(y)
