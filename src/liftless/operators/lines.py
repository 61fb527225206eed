"""Many observed entries: sorted by lines once, gathered by column.

A gather of whole rows of a factor is ten times slower on a processor than the same numbers gathered
column by column.  For m = 10⁶ entries, n = 10⁴ and one thread, measuring takes 2, 8, 13 ms for r =
1, 5, 10.  Projecting back takes two sparse products (5, 6, 8, 30 ms each for r = 1, 5, 10, 50) and,
on each side whose entries do not come line by line, one gather of y, 7 to 12 ms, which puts it in
their order: most of it is waiting for memory.  For up to eight columns such a side is summed in the
order of the entries instead, block by block (3, 5, 8 ms for r = 1, 4, 8), and for one or two
columns both are.  SciPy's two products of values that are in order take 3, 9, 18 and 75 ms.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from liftless._memory import aligned
from liftless._types import AnyArray

#: Entries from which sorting pays; below, compiled code of fewer parts is as fast.
MANY = 4096
#: Columns that are written out one by one; more are looped over.
UNROLLED = 16
#: Entries whose sums stay in a processor's cache: a loop over more columns than the second number
#: is then as fast, and compiles in less time.
CACHED, LOOPED = 300_000, 2
#: Entries from which columns are looped over as well, since unrolled ones are all held at once.
HEAVY = 3_000_000
#: Columns of a sparse product come in multiples of this: with one, five or ten of them it takes
#: 1.3 to 2.4 times as long as with four, eight or twelve.
VECTOR = 4
#: Most columns whose sums are scattered on a processor, and most of a line's own order.
SCATTERED, NARROW = 8, 2
#: Entries of a block of a scatter, whose terms then stay in a processor's cache, and the number of
#: places in it that are added to in turn: sums of one line would wait for each other.
BLOCK, TURNS = 8192, 4
#: Most places of a 32-bit index.
MOST_PLACES = 2**31 - 1


class Ends(eqx.Module):
    """The two lines of X of each entry: i, and j + ``shift``.

    Attributes
    ----------
    i, j : integer arrays of shape (m,)
    shift : int
    """

    i: Int[AnyArray, " m"]
    j: Int[AnyArray, " m"]
    shift: int = eqx.field(static=True, default=0)


class Half(eqx.Module):
    """The entries as the lines on one of their sides meet them.

    Attributes
    ----------
    pointers : integer array of shape (n + 1,)
        Where the entries of a line begin and end.
    others : integer array of shape (m,)
        The line on the other side of each.
    order : integer array of shape (m,) or None
        Number of the entry in the operator's own order; None where that is the lines' order.
    """

    pointers: Int[AnyArray, " n1"]
    others: Int[AnyArray, " m"]
    order: Int[AnyArray, " m"] | None

    def sum(self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]) -> Float[AnyArray, "n r"]:
        """Σ_k y_k e_i e_jᵀ V over the entries k at (i, j) for i on this side; traceable."""
        from jax.experimental.sparse import BCSR

        n = self.pointers.shape[0] - 1
        data = jnp.asarray(y)
        if self.order is not None:
            # Without the barrier, what y is computed from would be gathered, each of it.
            data = jax.lax.optimization_barrier(data)
            data = data.at[jnp.asarray(self.order)].get(mode="promise_in_bounds")
        parts = (data, jnp.asarray(self.others), jnp.asarray(self.pointers))
        return BCSR(parts, shape=(n, n)) @ V


class Lines(eqx.Module):
    """The entries as each line of X meets them: entry (i, j) by line i and by line j.

    Attributes
    ----------
    first, second : Half
        As the lines i meet them, and as the lines j do.
    """

    first: Half
    second: Half

    def sum(
        self, ends: Ends, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """Σ_k y_k (e_i e_jᵀ + e_j e_iᵀ) V over the entries k at (i, j); traceable.

        Two sums that have derivatives and batches of their own: products with compressed sparse
        matrices, or on a processor, for few columns, sums scattered block by block.

        Parameters
        ----------
        ends : Ends
            The entries' lines, in the operator's order.
        y : array of shape (m,)
        V : array of shape (n, r)
        """
        y, V = jnp.asarray(y), jnp.asarray(V)
        kind = jnp.result_type(y, V)
        y, V = y.astype(kind), V.astype(kind)
        if V.shape[1] > SCATTERED:
            return self._products(y, V)
        otherwise = lambda lines, _, y, V: lines._products(y, V)  # noqa: E731
        given = (self, ends, y, V)
        return jax.lax.platform_dependent(*given, cpu=Lines._scattered, default=otherwise)

    def _products(self, y: AnyArray, V: AnyArray) -> AnyArray:
        r = V.shape[1]
        V = jnp.pad(V, ((0, 0), (0, -r % VECTOR)))
        return (self.first.sum(y, V) + self.second.sum(y, V))[:, :r]

    def _scattered(self, ends: Ends, y: AnyArray, V: AnyArray) -> AnyArray:
        r = V.shape[1]
        V = jnp.pad(V, ((0, 0), (0, (1 << (r - 1).bit_length()) - r)))
        if V.shape[1] <= NARROW:
            return scattered(jnp.zeros_like(V), ends, y, V, turns=True)[:, :r]
        # Lines in order are one product, which is the faster; others would have y to be sorted.
        out = jnp.zeros_like(V)
        for side, half in enumerate((self.first, self.second)):
            if half.order is None:
                out = out + half.sum(y, V)
            else:
                out = scattered(out, ends, y, V, sides=(side,))
        return out[:, :r]


def scattered(
    start: AnyArray,
    ends: Ends,
    y: AnyArray,
    V: AnyArray,
    sides: tuple[int, ...] = (0, 1),
    turns: bool = False,
) -> Float[AnyArray, "n r"]:
    """``start`` + Σ_k y_k (e_i e_jᵀ + e_j e_iᵀ) V; traceable.

    Block by block: all terms at once would be m r numbers, which take ten times as long to write as
    to add up.

    Parameters
    ----------
    start : array of shape (n, r)
    ends : Ends
    y : array of shape (m,)
    V : array of shape (n, r)
    sides : tuple of int
        Which are summed: 0 for e_i e_jᵀ, 1 for e_j e_iᵀ.
    turns : bool
        Whether entries of different parts of a block are added in turn.
    """
    many = y.shape[0] // BLOCK
    options: Any = {"mode": "promise_in_bounds", "wrap_negative_indices": False}
    mix = (TURNS, BLOCK // TURNS) if turns else (1, BLOCK)

    X = jnp.asarray(V)

    def add(out: jax.Array, i: AnyArray, j: AnyArray, y: AnyArray) -> jax.Array:
        for side in sides:
            to, of = (j, i) if side else (i, j)
            out = out.at[to].add(y[:, None] * X.at[of].get(**options), **options)
        return out

    def step(out: jax.Array, block: tuple) -> tuple[jax.Array, None]:
        k, y = block
        cut = (jax.lax.dynamic_slice_in_dim(a, k * BLOCK, BLOCK) for a in (ends.i, ends.j))
        i, j, y = (part.reshape(mix).T.reshape(-1) for part in (*cut, y))
        return add(out, i, j + ends.shift, y), None

    out = jnp.asarray(start)
    if many:
        # The values come cut into blocks, so that a derivative by them is made block by block too.
        blocks = (jnp.arange(many, dtype=jnp.int32), y[: many * BLOCK].reshape(many, BLOCK))
        out, _ = jax.lax.scan(step, out, blocks)
    i, j, y = (part[many * BLOCK :] for part in (ends.i, ends.j, y))
    return add(out, i, j + ends.shift, y)


def sorted_lines(rows: Any, cols: Any, n: int) -> Lines | None:
    """Sort entries by the lines of X they lie on; None for few, or for more than 32 bits count.

    Entries that come row by row are left in their order on that side, which saves each product half
    of its time where there are few columns.

    Parameters
    ----------
    rows, cols : integer arrays of shape (m,)
        Lines of X.
    n : int
        Number of lines.
    """
    m = rows.shape[0]
    if m < MANY or m > MOST_PLACES:
        return None
    rows, cols = np.asarray(rows), np.asarray(cols)
    return Lines(_half(rows, cols, n), _half(cols, rows, n))


def _half(lines: Int[np.ndarray, " m"], others: Int[np.ndarray, " m"], n: int) -> Half:
    pointers = np.r_[0, np.cumsum(np.bincount(lines, minlength=n))].astype(np.int32)
    if np.all(lines[1:] >= lines[:-1]):
        return Half(pointers, aligned(others.astype(np.int32, copy=False)), None)
    order = aligned(by_counting(lines, n).astype(np.int32, copy=False))
    return Half(pointers, aligned(others[order].astype(np.int32, copy=False)), order)


def by_counting(index: Int[np.ndarray, " m"], n: int) -> Int[np.ndarray, " m"]:
    """Return the stable order that sorts numbers below ``n``, in linear time."""
    from scipy.sparse import csr_array

    # Transposing a matrix with a single one in every row sorts by counting, and sums nothing.
    m = index.size
    kind = np.int32 if m <= MOST_PLACES else np.int64
    ones, one_each = np.ones(m, np.int8), np.arange(m + 1, dtype=kind)
    return csr_array((ones, index, one_each), shape=(m, n)).tocsc().indices


def entry_grams(
    operator: Any, i: Int[AnyArray, " m"], j: Int[AnyArray, " m"], omega: Any, X: Any
) -> Float[AnyArray, "n r r"]:
    """Σ ω x xᵀ over the lines x that meet each line of X, as n blocks of r × r; traceable.

    A product with the r(r + 1)/2 products of columns, so that nothing of m r² numbers is formed.
    """
    X = jnp.asarray(X)
    r = X.shape[1]
    a, b = np.tril_indices(r)
    pairs = X[:, a] * X[:, b]
    place = np.zeros((r, r), int)
    place[a, b] = place[b, a] = np.arange(a.size)
    omega = jnp.asarray(omega)
    if operator.lines is not None:
        return operator.lines.sum(Ends(jnp.asarray(i), jnp.asarray(j)), omega, pairs)[:, place]
    i, j = jnp.asarray(i), jnp.asarray(j)
    zero = jnp.zeros((X.shape[0], a.size), X.dtype)
    sums = zero.at[i].add(omega[:, None] * pairs[j]).at[j].add(omega[:, None] * pairs[i])
    return sums[:, place]


def entry_products(
    i: Int[AnyArray, " m"], j: Int[AnyArray, " m"], U: Any, V: Any
) -> Float[AnyArray, " m"]:
    """½(⟨U_i, V_j⟩ + ⟨U_j, V_i⟩) for every entry (i, j); traceable."""
    same = U is V
    U, V = jnp.asarray(U), jnp.asarray(V)
    i, j = jnp.asarray(i), jnp.asarray(j)
    if i.shape[0] < MANY:
        return jnp.sum(U[i] * V[j] + U[j] * V[i], axis=1) / 2

    def one(u: AnyArray, v: AnyArray) -> AnyArray:
        straight = _at(u, i) * _at(v, j)
        return straight if same else (straight + _at(u, j) * _at(v, i)) / 2

    return _by_columns(one, U, V, i.shape[0])


def block_products(
    i: Int[AnyArray, " m"], j: Int[AnyArray, " m"], U: Any, V: Any, n1: int
) -> Float[AnyArray, " m"]:
    """½(⟨U_i, V_j⟩ + ⟨V_i, U_j⟩) for rows i above and j below ``n1``; traceable.

    The halves of a stacked factor are shorter than the whole, and nearer to hand.
    """
    same = U is V
    U, V = jnp.asarray(U), jnp.asarray(V)
    i, j = jnp.asarray(i), jnp.asarray(j)
    if i.shape[0] < MANY:
        return jnp.sum(U[i] * V[n1 + j] + U[n1 + j] * V[i], axis=1) / 2

    def one(u: AnyArray, v: AnyArray) -> AnyArray:
        straight = _at(u[:n1], i) * _at(v[n1:], j)
        return straight if same else (straight + _at(v[:n1], i) * _at(u[n1:], j)) / 2

    return _by_columns(one, U, V, i.shape[0])


def gathered_products(
    i: Int[AnyArray, " m"], j: Int[AnyArray, " m"], U: AnyArray, V: AnyArray
) -> Float[AnyArray, " m"]:
    """⟨U_i, V_j⟩ for rows of two arrays; traceable."""
    return _by_columns(lambda u, v: _at(u, i) * _at(v, j), U, V, i.shape[0])


def _at(column: AnyArray, index: AnyArray) -> AnyArray:
    return jnp.asarray(column).at[index].get(mode="promise_in_bounds")


def _by_columns(one: Any, U: AnyArray, V: AnyArray, m: int) -> AnyArray:
    if U.shape[1] <= (UNROLLED if CACHED < m < HEAVY else LOOPED):
        columns = (one(U[:, k], V[:, k]) for k in range(U.shape[1]))
        return sum(columns, jnp.zeros((), jnp.result_type(U, V)))
    zero = jnp.zeros(m, jnp.result_type(U, V))
    step = lambda total, pair: (total + one(*pair), None)  # noqa: E731
    return jax.lax.scan(step, zero, (U.T, V.T))[0]
