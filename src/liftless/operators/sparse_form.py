"""Sparse sensing matrices as lists of entries: read, made symmetric, sorted.  Plain NumPy."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from liftless._checks import describe, positive_int
from liftless._errors import InputWarning, InvalidInput
from liftless.operators.entries import positions
from liftless.space import Hermitian, Rectangular, Space

#: Largest relative asymmetry that is taken for round-off in the data.
ASYMMETRY = 1e-12
#: Entries above which 32-bit positions do not suffice, since each is stored for both triangles.
MOST = 2**30

Places = Int[np.ndarray, " e"]


class Entries(NamedTuple):
    """Entries of many matrices: of which, where, and how large."""

    k: Places
    i: Places
    j: Places
    values: Shaped[np.ndarray, " e"]


def checked(k: Any, i: Any, j: Any, values: Any, m: int, space: Space) -> Entries:
    """Entries as arrays of one length, in range and finite, or :class:`InvalidInput`."""
    rows, columns = space.shape
    k, i, j = positions("k", k, m), positions("i", i, rows), positions("j", j, columns)
    complex_ones = isinstance(space, Hermitian)
    try:
        values = np.asarray(values)
    except ValueError:
        values = np.asarray(None)
    if values.dtype.kind not in ("fiubc" if complex_ones else "fiub"):
        must = "an array of numbers" if complex_ones else "an array of real numbers"
        cure = "Complex entries need space=Hermitian(n)." if values.dtype.kind == "c" else ""
        raise InvalidInput("values", describe(values), must, cure)
    for name, array in (("i", i), ("j", j), ("values", values)):
        if array.shape != k.shape:
            raise InvalidInput(name, describe(array), f"as long as k ({k.size})")
    if not np.isfinite(values).all():
        where = int(np.flatnonzero(~np.isfinite(values))[0])
        raise InvalidInput("values", f"not finite at index {where}", "free of NaN and infinity")
    return Entries(k, i, j, values.astype(complex if complex_ones else np.float64))


def on_rows(entries: Entries, space: Space) -> Entries:
    """Entries of the symmetric form on rows of X, i <= j, each place once, sorted by matrix.

    Σ values · M[i, j] of the matrix M becomes Σ values · X_i·X_j of the array X.
    """
    k, i, j, v = entries
    if isinstance(space, Rectangular):
        j = j + space.n1
    elif isinstance(space, Hermitian):
        # M_ij = (a_i + i b_i)·(a_j − i b_j) for Z = a + i b, and X = [a; b].
        n = space.order
        k, i, j = np.tile(k, 4), np.r_[i, i + n, i + n, i], np.r_[j, j + n, j, j + n]
        p, q = np.real(v), np.imag(v)
        v = np.r_[p, p, -q, q]
    i, j = np.minimum(i, j).astype(np.int64), np.maximum(i, j).astype(np.int64)
    order = np.lexsort((j, i, k))
    k, i, j, v = k[order], i[order], j[order], v[order]
    first = np.r_[True, (np.diff(k) != 0) | (np.diff(i) != 0) | (np.diff(j) != 0)]
    v = np.add.reduceat(v, np.flatnonzero(first))
    k, i, j = k[first], i[first], j[first]
    kept = v != 0
    if not kept.any():
        raise InvalidInput("values", "zero throughout", "nonzero somewhere")
    if np.count_nonzero(kept) >= MOST:
        must = f"fewer than {MOST}, so that positions fit 32 bits"
        raise InvalidInput("values", f"{np.count_nonzero(kept)} entries", must, "Use ll.stack.")
    k, i, j = (a[kept].astype(np.int32) for a in (k, i, j))
    return Entries(k, i, j, v[kept])


def read_matrices(matrices: Any, space: Space | None) -> tuple[Entries, int, int]:
    """Entries of a list of sparse matrices, their number, and the order of the first."""
    from scipy.sparse import issparse

    must = "a list of scipy.sparse matrices of one shape"
    cure = "Dense ones are for DenseOperator.from_matrices; one matrix of rows is for from_rows."
    if issparse(matrices) or isinstance(matrices, np.ndarray) or not hasattr(matrices, "__len__"):
        raise InvalidInput("matrices", describe(matrices), must, cure)
    if not len(matrices):
        raise InvalidInput("matrices", "empty", must)
    shape = space.shape if space is not None else 2 * getattr(matrices[0], "shape", (0,))[:1]
    for k, A in enumerate(matrices):
        if not issparse(A):
            raise InvalidInput(f"matrices[{k}]", describe(A), "a scipy.sparse matrix", cure)
        if A.shape != shape:
            raise InvalidInput(f"matrices[{k}]", f"of shape {A.shape}", f"of shape {shape}")
    parts = [A.tocoo() for A in matrices]
    k = np.repeat(np.arange(len(parts)), [A.nnz for A in parts])
    entries = Entries(
        k,
        np.concatenate([A.row for A in parts]),
        np.concatenate([A.col for A in parts]),
        np.concatenate([A.data for A in parts]),
    )
    return entries, len(parts), int(shape[0])


def read_rows(A: Any, space: Space | None, order: str) -> tuple[Entries, int, int]:
    """Entries of matrices that are the rows of one sparse matrix, their number, and their order."""
    from scipy.sparse import issparse

    if not issparse(A) or A.ndim != 2:
        cure = "Write scipy.sparse.csr_array(A); a list of matrices is for from_matrices."
        raise InvalidInput("A", describe(A), "a scipy.sparse matrix", cure)
    if order not in ("C", "F"):
        raise InvalidInput("order", repr(order), "'C' (by rows) or 'F' (by columns)")
    m, size = A.shape
    root = round(size**0.5)
    rows, columns = space.shape if space is not None else (root, root)
    if size != rows * columns or m < 1:
        must = f"of shape (m, {rows * columns if space is not None else 'n²'}) with m >= 1"
        raise InvalidInput("A", f"of shape {A.shape}", must, "Each row is a flattened matrix.")
    found = A.tocoo()
    # A column of the row is a place of the matrix; their number may pass 32 bits.
    place = found.col.astype(np.int64)
    if order == "C":
        i, j = np.divmod(place, columns)
    else:
        j, i = np.divmod(place, rows)
    return Entries(found.row, i, j, found.data), int(m), int(rows)


def warn_asymmetric(entries: Entries, space: Space) -> None:
    """Say of clearly asymmetric matrices that only their symmetric part is seen."""
    if isinstance(space, Rectangular) or not entries.values.size:
        return
    k, i, j, v = entries
    turned = np.where(i <= j, v, -np.conj(v))
    low, high = np.minimum(i, j), np.maximum(i, j)
    order = np.lexsort((high, low, k))
    k, low, high, turned = k[order], low[order], high[order], turned[order]
    first = np.r_[True, (np.diff(k) != 0) | (np.diff(low) != 0) | (np.diff(high) != 0)]
    gap = np.add.reduceat(turned, np.flatnonzero(first))
    diagonal = (low == high)[first]
    # On the diagonal only an imaginary part is at fault.
    skew = float(np.abs(np.where(diagonal, 2j * np.imag(gap), gap)).max())
    if skew > ASYMMETRY * float(np.abs(v).max()):
        kind = "Hermitian" if isinstance(space, Hermitian) else "symmetric"
        warnings.warn(
            f"The matrices are not {kind} (largest difference {skew:.3g}); only the {kind} part is "
            "seen, since the unknown matrix is that. An upper triangle alone counts half.",
            InputWarning,
            stacklevel=4,
        )


class Rows(NamedTuple):
    """Both triangles of the entries in compressed rows of X.

    Attributes
    ----------
    k, halves : arrays of shape (f,)
        Measurement of each stored number, and what its y is multiplied with.
    places : array of shape (f,) or None
        Place in the pattern of each stored number, where many share one; None where each has its
        own.
    indices, indptr : arrays of shape (p,), (n + 1,)
        The pattern.
    """

    k: Places
    halves: Float[np.ndarray, " f"]
    places: Places | None
    indices: Int[np.ndarray, " p"]
    indptr: Int[np.ndarray, " q"]


#: Share of distinct places below which numbers at one place are added before the product.
SHARED = 0.75


def compressed(entries: Entries, n: int) -> Rows:
    """Both triangles, row by row: A*(y) is their product with y."""
    k, i, j, v = entries
    off = i != j
    k = np.r_[k, k[off]]
    rows, cols = np.r_[i, j[off]], np.r_[j, i[off]]
    halves = np.r_[np.where(off, 0.5, 1.0) * v, 0.5 * v[off]]
    order = np.lexsort((k, cols, rows))
    k, rows, cols, halves = k[order], rows[order], cols[order], halves[order]
    first = np.r_[True, (np.diff(rows) != 0) | (np.diff(cols) != 0)]
    places = None
    if np.count_nonzero(first) < SHARED * rows.size:
        places = (np.cumsum(first) - 1).astype(np.int32)
        rows, cols = rows[first], cols[first]
    indptr = np.searchsorted(rows, np.arange(n + 1)).astype(np.int32)
    return Rows(k.astype(np.int32), halves, places, cols.astype(np.int32), indptr)


def size_of(m: Any, k: Any) -> int:
    """Number of measurements: as given, or as the largest index says."""
    if m is not None:
        return positive_int("m", m)
    array = np.asarray(k)
    if array.dtype.kind not in "iuf" or array.size < 1:
        raise InvalidInput("k", describe(array), "a list of at least one position")
    return int(array.max()) + 1
