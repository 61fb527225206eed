"""Products by rows, and of large stored rows with few vectors as XLA's CPU code is fastest in.

The latter two are ordinary matrix products, reshaped.  Under ``vmap`` over the vectors they are one
product with all of them, for which nothing needs reshaping.  The derivatives are stated, since a
rule for ``vmap`` alone would have none in reverse mode.

The numbers quoted are processor times, two cores, n = 100, m = 4000, float64 (162 MB).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Float, Inexact

from liftless._types import AnyArray

#: Columns that a product with a matrix takes at a time.  With two it is hardly faster than two
#: products with a vector: 14.0 ms against 15.8; padded to four it is one pass, 9.9 ms; eight 12.2.
COLUMNS = 4
#: Rows that a sum over rows takes at a time: 7.4 ms by hundreds, 8.8 by 250, 9.8 by 500, 10.9 in
#: one.  It pays for many short rows (1.2 to 2 times); long ones (n = 200) would lose a quarter.
BLOCK = 100
TALL, SHORT = 2000, 8192


def row_products(P: Inexact[AnyArray, "m q"], Q: Inexact[AnyArray, "m q"]) -> Float[AnyArray, " m"]:
    """Real inner product of each row of P with that of Q, both real or complex."""
    return jnp.sum(jnp.real(P) * jnp.real(Q) + jnp.imag(P) * jnp.imag(Q), axis=1)


@jax.custom_jvp
def few_columns(
    packed: Float[AnyArray, "m p"], X: Float[AnyArray, "p k"]
) -> Float[AnyArray, "m k"]:
    """``packed @ X`` for a few columns, in one pass over ``packed``."""
    return _padded(packed, X)


@few_columns.defjvp
def _few_columns_derivative(primals: tuple, tangents: tuple) -> tuple[AnyArray, AnyArray]:
    (packed, X), (packed_dot, X_dot) = primals, tangents
    return few_columns(packed, X), packed @ X_dot + packed_dot @ X


@jax.custom_batching.custom_vmap
def _padded(packed: AnyArray, X: AnyArray) -> AnyArray:
    k = X.shape[1]
    return (jnp.asarray(packed) @ jnp.pad(X, ((0, 0), (0, -k % COLUMNS))))[:, :k]


@_padded.def_vmap
def _padded_batch(
    size: int, batched: list[bool], packed: AnyArray, X: AnyArray
) -> tuple[AnyArray, bool]:
    if batched[0]:
        return jax.vmap(jnp.matmul, in_axes=_axes(batched))(packed, X), True
    side = _padded(packed, jnp.moveaxis(X, 0, 1).reshape(X.shape[1], -1))
    return jnp.moveaxis(side.reshape(packed.shape[0], size, -1), 1, 0), True


def sum_of_rows(y: Float[AnyArray, " m"], packed: Float[AnyArray, "m p"]) -> Float[AnyArray, " p"]:
    """``y @ packed``, by blocks of rows where there are many short ones."""
    if block_of(*packed.shape) is None:
        return jnp.asarray(y) @ packed
    return _by_blocks(y, packed)


def block_of(m: int, p: int) -> int | None:
    """Rows of a block: the divisor of m nearest to ``BLOCK``, if one is near and it pays."""
    if m < TALL or p > SHORT:
        return None
    near = [k for k in range(BLOCK // 2, 2 * BLOCK + 1) if m % k == 0]
    return min(near, key=lambda k: abs(k - BLOCK), default=None)


@jax.custom_jvp
def _by_blocks(y: AnyArray, packed: AnyArray) -> AnyArray:
    return _blocked(y, packed)


@_by_blocks.defjvp
def _by_blocks_derivative(primals: tuple, tangents: tuple) -> tuple[AnyArray, AnyArray]:
    (y, packed), (y_dot, packed_dot) = primals, tangents
    return _by_blocks(y, packed), y_dot @ packed + y @ packed_dot


@jax.custom_batching.custom_vmap
def _blocked(y: AnyArray, packed: AnyArray) -> AnyArray:
    m, p = packed.shape
    rows = block_of(m, p) or m
    parts = jnp.asarray(packed).reshape(-1, rows, p)
    return jnp.sum(jnp.einsum("km,kmp->kp", y.reshape(-1, rows), parts), axis=0)


@_blocked.def_vmap
def _blocked_batch(
    size: int, batched: list[bool], y: AnyArray, packed: AnyArray
) -> tuple[AnyArray, bool]:
    del size
    return jax.vmap(jnp.matmul, in_axes=_axes(batched))(y, packed), True


def _axes(batched: list[bool]) -> tuple[int | None, ...]:
    return tuple(0 if member else None for member in batched)
