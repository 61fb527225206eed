"""Sparse sensing matrices, never made dense."""

from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from liftless._errors import InvalidInput
from liftless._types import AnyArray
from liftless.linalg import extreme_eigenpairs
from liftless.operators.base import SensingOperator, with_fields
from liftless.operators.identity import identity_by_products
from liftless.operators.spaces import resolved
from liftless.operators.sparse_amplitudes import SparseAmplitudes, amplitudes_of
from liftless.operators.sparse_form import (
    Entries,
    checked,
    compressed,
    on_rows,
    read_matrices,
    read_rows,
    size_of,
    warn_asymmetric,
)
from liftless.operators.sparse_products import csr_product, pair_products
from liftless.operators.structure import LOOKED_AT, looks_isotropic
from liftless.space import Space, Symmetric

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Least eigenvalue of a combination of the A_i that is as good as the identity's fit.
POSITIVE = 1e-8
#: Relative accuracy of the least-squares fit of the identity, and its most iterations.
FIT_CLOSE, FIT = 1e-12, 500


class SparseOperator(SensingOperator):
    """A(M)_k = Σ values · M[i, j] over the entries of measurement k: O(entries · r), no n × n.

    Parameters
    ----------
    k : integer array of shape (e,)
        The measurement each entry belongs to, in any order.
    i, j : integer arrays of shape (e,)
        Zero-based place in the matrix.  Of a symmetric matrix (i, j) and (j, i) are the same place,
        and values at one place add up.
    values : array of shape (e,)
        Real; complex with ``space=Hermitian(n)``, where the real part of the sum is measured.
    n : int, optional
        Order of the matrix; may be left out if ``space`` is given.
    m : int, optional
        Number of measurements; the largest k and one if left out.
    space : Space, optional
        What the factor stands for: symmetric matrices X Xᵀ by default.  i and j count the rows and
        columns of its matrix.

    Raises
    ------
    InvalidInput
        Places out of range, arrays of different lengths, values that are not finite or not real,
        or 2³⁰ entries and more.

    Notes
    -----
    About sixty bytes an entry: the entries by measurement, and both triangles by row.
    """

    k: Int[AnyArray, " e"]
    i: Int[AnyArray, " e"]
    j: Int[AnyArray, " e"]
    values: Float[AnyArray, " e"]
    starts: Int[AnyArray, " s"]
    row_k: Int[AnyArray, " f"]
    halves: Float[AnyArray, " f"]
    places: Int[AnyArray, " f"] | None
    indices: Int[AnyArray, " p"]
    indptr: Int[AnyArray, " q"]
    form: Space = eqx.field(static=True)
    widest: int = eqx.field(static=True)
    single: bool = eqx.field(static=True)

    def __init__(
        self,
        k: Any,
        i: Any,
        j: Any,
        values: Any,
        n: int | None = None,
        m: int | None = None,
        *,
        space: Space | None = None,
    ) -> None:
        form, m = resolved(n, space), size_of(m, k)
        _fill(self, on_rows(checked(k, i, j, values, m, form), form), m, form)

    @classmethod
    def from_matrices(cls, matrices: Any, *, space: Space | None = None) -> "SparseOperator":
        """Take a list of ``scipy.sparse`` matrices A_k, with A(M)_k = ⟨A_k, M⟩.

        Only the symmetric part of A_k is seen by a symmetric matrix; a clear asymmetry is reported
        by an :class:`InputWarning`.

        Parameters
        ----------
        matrices : sequence of sparse matrices of one shape
        space : Space, optional
            Symmetric matrices of the order of the first if left out.
        """
        return cls._read(*read_matrices(matrices, space), space)

    @classmethod
    def from_rows(cls, A: Any, *, space: Space | None = None, order: str = "C") -> "SparseOperator":
        """Take one sparse matrix of shape (m, n²) whose row k is A_k, flattened.

        Parameters
        ----------
        A : sparse matrix of shape (m, n²), or (m, n1 n2) for another space
        space : Space, optional
            Symmetric matrices of order n if left out.
        order : {"C", "F"}
            Flattened by rows or by columns.
        """
        return cls._read(*read_rows(A, space, order), space)

    @classmethod
    def _read(cls, entries: Entries, m: int, n: int, space: Space | None) -> "SparseOperator":
        form = resolved(n if space is None else None, space)
        if not entries.k.size:
            raise InvalidInput("A", "without a nonzero entry", "nonzero somewhere")
        entries = checked(*entries, m, form)
        warn_asymmetric(entries, form)
        k, i, j, values = entries
        return cls(k, i, j, values.conj(), None, m, space=form)

    @property
    def space(self) -> Space:
        """See :meth:`SensingOperator.space`."""
        return self.form

    @property
    def n(self) -> int:
        """Rows of a factor."""
        return self.form.n

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.starts.shape[0] - 1

    # -- products -----------------------------------------------------------------------------

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        terms = self.values * pair_products(U, V, jnp.asarray(self.i), jnp.asarray(self.j))
        if self.single:
            return terms
        return jax.ops.segment_sum(terms, jnp.asarray(self.k), self.m, indices_are_sorted=True)

    def backproject(
        self, y: Float[AnyArray, " m"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, "n r"]:
        """See :meth:`SensingOperator.backproject`; one product with a sparse matrix."""
        V = jnp.asarray(V)
        data = (self.halves * jnp.asarray(y)[jnp.asarray(self.row_k)]).astype(V.dtype)
        if self.places is not None:
            count = self.indices.shape[0]
            places = jnp.asarray(self.places)
            data = jax.ops.segment_sum(data, places, count, indices_are_sorted=True)
        return csr_product(data, jnp.asarray(self.indices), jnp.asarray(self.indptr), V)

    def jacobian(self, X: Float[AnyArray, "n r"]) -> Float[AnyArray, "m n r"]:
        """See :meth:`SensingOperator.jacobian`: two rows of X for each entry."""
        X = jnp.asarray(X)
        k, i, j = (jnp.asarray(a) for a in (self.k, self.i, self.j))
        values = jnp.asarray(self.values)[:, None].astype(X.dtype)
        out = jnp.zeros((self.m, self.n, X.shape[1]), X.dtype)
        # On the diagonal both terms fall on one place and add up to 2 v X_i.
        return out.at[k, i].add(values * X[j]).at[k, j].add(values * X[i])

    def jacobian_cost(self, rank: int) -> int:
        """Return 1: the rows are products of numbers that one application computes."""
        del rank
        return 1

    def sparse_jacobian(self, X: Float[AnyArray, "n r"]) -> "csr_array":
        """Jacobian of ``measure(X, X)`` as a sparse matrix, entry (i, c) of X in column i r + c.

        Parameters
        ----------
        X : array of shape (n, r)
            Concrete.

        Returns
        -------
        scipy.sparse.csr_array of shape (m, n r)
        """
        from scipy.sparse import csr_array

        X = np.asarray(X, np.float64)
        r = X.shape[1]
        k, i, j, values = (np.asarray(a) for a in (self.k, self.i, self.j, self.values))
        # Each entry adds v X_j to row i of its measurement, and v X_i to row j.
        rows, cols = np.r_[k, k].astype(np.int64) * self.n + np.r_[i, j], np.r_[j, i]
        order = np.argsort(rows, kind="stable")
        rows, cols, data = rows[order], cols[order], np.r_[values, values][order]
        first = np.flatnonzero(np.r_[True, np.diff(rows) != 0])
        A = csr_array((data, cols, np.r_[first, rows.size]), shape=(first.size, self.n))
        k, i = np.divmod(rows[first], self.n)
        columns = (i[:, None] * r + np.arange(r)).ravel()
        indptr = np.searchsorted(k, np.arange(self.m + 1)) * r
        return csr_array(((A @ X).ravel(), columns, indptr), shape=(self.m, self.n * r))

    # -- structure ----------------------------------------------------------------------------

    def cost(self, columns: int) -> float:
        """Four gathered numbers a column and entry."""
        return 4.0 * self.values.shape[0] * columns

    def links(
        self, live: Bool[np.ndarray, " n"], used: Bool[np.ndarray, " m"]
    ) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
        """See :meth:`SensingOperator.links`: the entries of the used matrices."""
        k, i, j = (np.asarray(a) for a in (self.k, self.i, self.j))
        seen = used[k] & (np.asarray(self.values) != 0) & live[i] & live[j]
        return i[seen], j[seen]

    def isotropic(self) -> bool:
        """See :meth:`SensingOperator.isotropic`; only matrices that are nearly full are looked at.

        A random matrix of which a share p is not zero has a fourth moment of 3/p.
        """
        some, size = min(self.m, LOOKED_AT), self.n * (self.n + 1) // 2
        count = int(np.asarray(self.starts)[some])
        if self.form != Symmetric(self.n) or 2 * count < some * size:
            return False
        k, i, j, values = (np.asarray(a)[:count] for a in (self.k, self.i, self.j, self.values))
        packed = np.zeros((some, size))
        # The upper triangle row by row, as DenseOperator stores it.
        packed[k, i * self.n - i * (i - 1) // 2 + j - i] = values
        return looks_isotropic(packed, self.n)

    def amplitudes(self) -> SparseAmplitudes | None:
        """See :meth:`SensingOperator.amplitudes`: where every A_k is some a_k a_kᵀ."""
        return amplitudes_of(entries_of(self), self.m, self.n)

    def subset(self, indices: Int[AnyArray, " s"]) -> "SomeRows | None":
        """See :meth:`SensingOperator.subset`; each measurement is padded to the longest.

        None where that would be as much work as everything.
        """
        indices = jnp.asarray(indices)
        if indices.shape[0] * self.widest >= self.values.shape[0]:
            return None
        starts, indices = (
            jnp.asarray(self.starts),
            jnp.where(indices < 0, indices + self.m, indices),
        )
        first, last = starts[indices], starts[indices + 1]
        place = first[:, None] + jnp.arange(self.widest, dtype=starts.dtype)[None, :]
        inside = place < last[:, None]
        place = jnp.where(inside, place, 0)
        values = jnp.where(inside, jnp.asarray(self.values)[place], 0.0)
        i, j = (jnp.asarray(a)[place] for a in (self.i, self.j))
        return SomeRows(i, j, values, self.form)

    def chosen(self, rows: Int[np.ndarray, " s"]) -> "SparseOperator":
        """Operator of some measurements, in any order and as often as they are named; concrete."""
        starts = np.asarray(self.starts)
        counts = np.diff(starts)[rows]
        k = np.repeat(np.arange(rows.size, dtype=np.int32), counts)
        if not k.size:
            was = f"{rows.size} measurements whose matrices are zero"
            raise InvalidInput("rows", was, "such that something is measured")
        within = np.arange(k.size) - np.repeat(np.cumsum(counts) - counts, counts)
        place = np.repeat(starts[rows], counts) + within
        i, j, values = (np.asarray(a)[place] for a in (self.i, self.j, self.values))
        return of_entries(Entries(k, i, j, values), rows.size, self.form)

    def scaled(self, w: Float[AnyArray, " m"]) -> "SparseOperator":
        """Operator of measurements multiplied by w; traceable."""
        w = w if isinstance(w, jax.Array) else np.asarray(w)
        values, halves = self.values * w[self.k], self.halves * w[self.row_k]
        return with_fields(self, values=values, halves=halves)

    def squares(self) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.squares`; an off-diagonal value is both entries' sum."""
        values = jnp.asarray(self.values)
        terms = values * values * jnp.where(jnp.asarray(self.i) == jnp.asarray(self.j), 1.0, 0.5)
        return jax.ops.segment_sum(terms, jnp.asarray(self.k), self.m, indices_are_sorted=True)

    def positive_combination(self) -> Float[np.ndarray, " m"] | None:
        """Least-squares fit of the identity by the A_k, if it is positive definite."""
        from scipy.sparse import csr_array

        k, i, j, values = (np.asarray(a) for a in (self.k, self.i, self.j, self.values))
        on = i == j
        if np.count_nonzero(np.bincount(i[on], minlength=self.n)) < self.n:
            return None
        place, column = np.unique(i.astype(np.int64) * self.n + j, return_inverse=True)
        A = csr_array((values, (k, column)), shape=(self.m, place.size))
        # Coordinates in which the dot product of two rows is the Frobenius one.
        goal = np.where(place // self.n == place % self.n, 1.0, 0.0)
        scale = np.where(goal > 0, 1.0, np.sqrt(0.5))
        w = identity_by_products(A, scale, goal, close=FIT_CLOSE, steps=FIT)
        data = np.asarray(self.halves) * w[np.asarray(self.row_k)]
        rows = np.repeat(np.arange(self.n), np.diff(np.asarray(self.indptr)))
        if self.places is not None:
            data = np.bincount(np.asarray(self.places), data, minlength=rows.size)
        M = csr_array((data, (rows, np.asarray(self.indices))), shape=(self.n, self.n))
        diagonal = M.diagonal()
        # Gershgorin's discs say it at once of what is nearly diagonal.
        least = float(np.min(2 * diagonal - np.asarray(abs(M).sum(axis=1)).ravel()))
        if least <= POSITIVE:
            least = float(extreme_eigenpairs(lambda W: M @ W, self.n, 1)[0][0])
        return w if least > POSITIVE else None


def of_entries(entries: Entries, m: int, form: Space) -> SparseOperator:
    """Operator of entries that are already sorted, at places on rows of X with i <= j."""
    out = object.__new__(SparseOperator)
    _fill(out, entries, m, form)
    return out


def entries_of(operator: SparseOperator) -> Entries:
    """Inverse of :func:`of_entries`."""
    o = operator
    return Entries(*(np.asarray(a) for a in (o.k, o.i, o.j, o.values)))


def _fill(operator: SparseOperator, entries: Entries, m: int, form: Space) -> None:
    """Set the fields from entries of the symmetric form on rows of X, sorted by measurement."""
    starts = np.searchsorted(entries.k, np.arange(m + 1)).astype(np.int32)
    counts = np.diff(starts)
    fields = dict(zip(("k", "i", "j", "values"), entries, strict=True))
    rows = compressed(entries, form.n)
    fields |= dict(zip(("row_k", "halves", "places", "indices", "indptr"), rows, strict=True))
    fields |= {"starts": starts, "form": form, "widest": int(counts.max())}
    fields["single"] = bool(np.all(counts == 1))
    for name, value in fields.items():
        object.__setattr__(operator, name, value)


class SomeRows(SensingOperator):
    """Some measurements of a :class:`SparseOperator`, padded to one length: for a small batch.

    Parameters
    ----------
    i, j : integer arrays of shape (m, w)
    values : array of shape (m, w)
        Zero in the padding.
    form : Space
    """

    i: Int[AnyArray, "m w"]
    j: Int[AnyArray, "m w"]
    values: Float[AnyArray, "m w"]
    form: Space = eqx.field(static=True)

    def __init__(
        self,
        i: Int[AnyArray, "m w"],
        j: Int[AnyArray, "m w"],
        values: Float[AnyArray, "m w"],
        form: Space,
    ) -> None:
        self.i, self.j, self.values, self.form = i, j, values, form

    @property
    def space(self) -> Space:
        """See :meth:`SensingOperator.space`."""
        return self.form

    @property
    def n(self) -> int:
        """Rows of a factor."""
        return self.form.n

    @property
    def m(self) -> int:
        """Number of measurements."""
        return self.values.shape[0]

    def measure(
        self, U: Float[AnyArray, "n r"], V: Float[AnyArray, "n r"]
    ) -> Float[AnyArray, " m"]:
        """See :meth:`SensingOperator.measure`."""
        products = pair_products(U, V, self.i.ravel(), self.j.ravel())
        return jnp.sum(self.values * products.reshape(self.values.shape), axis=1)
