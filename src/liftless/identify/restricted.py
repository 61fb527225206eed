"""An operator on the matrices whose range lies in a subspace."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.operators import SensingOperator
from liftless.space import Space


class Restricted(SensingOperator):
    """A(N Y Yᵀ Nᵀ) for orthonormal columns N, as an operator on the factor Y.

    Parameters
    ----------
    inner : SensingOperator
    basis : array of shape (n, k)
        N; for a complex space its real form, closed under multiplication by i.
    inside : Space
        What Y stands for.
    """

    inner: SensingOperator
    basis: Float[AnyArray, "n k"]
    inside: Space = eqx.field(static=True)

    def __init__(
        self, inner: SensingOperator, basis: Float[AnyArray, "n k"], inside: Space
    ) -> None:
        self.inner, self.basis, self.inside = inner, basis, inside

    @property
    def space(self) -> Space:
        """Matrices on the subspace."""
        return self.inside

    @property
    def n(self) -> int:
        """Rows of Y."""
        return self.space.n

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.inner.m

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        N = jnp.asarray(self.basis)
        return self.inner.measure(N @ jnp.asarray(U), N @ jnp.asarray(V))

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`."""
        N = jnp.asarray(self.basis)
        return jnp.einsum("nk,mnr->mkr", N, self.inner.jacobian(N @ jnp.asarray(X)))

    def jacobian_cost(self, rank: int) -> int:
        """Return the inner operator's."""
        return self.inner.jacobian_cost(rank)

    def cost(self, columns: int) -> float:
        """Two products with the basis, and the inner operator's."""
        return self.inner.cost(columns) + 2.0 * self.inner.n * self.n * columns
