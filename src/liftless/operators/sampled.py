"""Statements on the A_i of an operator known by its products alone: some A_i are computed."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from liftless._precision import double
from liftless._types import AnyArray
from liftless.cost import CHECK
from liftless.operators.base import SensingOperator
from liftless.operators.structure import LOOKED_AT, looks_isotropic
from liftless.space import Symmetric

#: Fewest A_i by which the statistic of isotropy is judged, unless there are no more.
FEWEST = 30


@functools.partial(jax.jit, static_argnums=1)
def _upper(operator: SensingOperator, count: int) -> AnyArray:
    """First ``count`` matrices as packed rows: off the diagonal the sum of both entries."""
    i, j = np.triu_indices(operator.n)
    twice = np.where(i == j, 1.0, 2.0)
    units = jnp.eye(count, operator.m)
    return jax.lax.map(lambda e: operator.matrix(e)[i, j] * twice, units)


@double
def sampled_isotropic(operator: SensingOperator) -> bool:
    """Whether the A_i look isotropic, as far as it may be found out (:data:`liftless.cost.CHECK`).

    Each A_i is one application to n columns.
    """
    if operator.space != Symmetric(operator.n):
        return False
    count = min(operator.m, LOOKED_AT, int(CHECK / operator.cost(operator.n)))
    if count < min(FEWEST, operator.m):
        return False
    return looks_isotropic(np.asarray(_upper(operator, count)), operator.n)
