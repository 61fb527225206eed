"""Dense sensing matrices stored by rows and by columns, for batches of problems that share them."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from liftless._types import AnyArray
from liftless.operators import DenseOperator, SensingOperator


class TwinOperator(SensingOperator):
    """A dense operator with a second, transposed copy of its rows.

    Over a batch both A and A* become products of two matrices.  XLA's is two to three times
    slower on the CPU where it contracts the rows' first axis, which the copy spares it.

    Parameters
    ----------
    rows : DenseOperator
    """

    rows: DenseOperator
    columns: Float[AnyArray, "p m"]
    n: int = eqx.field(static=True)

    def __init__(self, rows: DenseOperator) -> None:
        self.rows, self.n = rows, rows.n
        self.columns = np.ascontiguousarray(np.asarray(rows.packed).T)

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.rows.m

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`; by rows."""
        return self.rows.measure(U, V)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`; by columns."""
        y, columns = jnp.asarray(y), jnp.asarray(self.columns)
        upper = (columns @ y.astype(columns.dtype)).astype(y.dtype)
        i, j = np.triu_indices(self.n)
        position = np.zeros((self.n, self.n), np.int32)
        position[i, j] = position[j, i] = np.arange(i.size)
        halves = np.where(np.eye(self.n, dtype=bool), 1.0, 0.5).astype(y.dtype)
        return (upper[position] * halves) @ jnp.asarray(V)
