"""A table with holes: what it is given as, and the entries that it has."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped

from liftless._checks import describe, real_array
from liftless._errors import InvalidInput

#: Share by which noise may overstep M_ij² <= M_ii M_jj, and of the pairs that keep to it.
NOISY, MOSTLY = 0.2, 0.9
#: Names of the columns of a long table that are taken where none are given, in lower case.
USUAL = {
    "row": ("row", "rows", "user", "user_id", "userid", "i"),
    "col": ("col", "cols", "column", "item", "item_id", "itemid", "j"),
    "value": ("value", "values", "rating", "score", "y"),
}


@dataclass(frozen=True)
class Table:
    """Observed entries of a table, and the names of its lines.

    Attributes
    ----------
    i, j : integer arrays of shape (m,)
        Positions among the rows and the columns.
    y : array of shape (m,)
    weights : array of shape (m,)
        Reciprocal standard deviations of the noise, up to a factor.
    rows, cols : arrays of shapes (n1,) and (n2,)
        Identifiers; positions where the table has none.
    symmetric : bool
        Whether (i, j) and (j, i) are one entry; rows and columns are the same lines then.
    named : bool
        Whether lines have identifiers of their own.
    """

    i: Int[np.ndarray, " m"]
    j: Int[np.ndarray, " m"]
    y: Float[np.ndarray, " m"]
    weights: Float[np.ndarray, " m"]
    rows: Shaped[np.ndarray, " n1"] = field(repr=False)
    cols: Shaped[np.ndarray, " n2"] = field(repr=False)
    symmetric: bool
    named: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.rows.size, self.cols.size

    def take(self, kept: np.ndarray) -> "Table":
        """The same table with some of its entries."""
        i, j, y, w = self.i[kept], self.j[kept], self.y[kept], self.weights[kept]
        return Table(i, j, y, w, self.rows, self.cols, self.symmetric, self.named)

    def positions(self, side: str, names: Any) -> Int[np.ndarray, "..."]:
        """Positions of lines by identifier; −1 for one that the table does not have."""
        known = self.rows if side == "row" else self.cols
        wanted = np.asarray(names)
        if not self.named:
            if wanted.dtype.kind not in "iu":
                raise InvalidInput(f"{side}s", describe(names), "positions counted from zero")
            return np.where((wanted >= 0) & (wanted < known.size), wanted, -1)
        order = np.argsort(known, kind="stable")
        try:
            found = np.minimum(np.searchsorted(known, wanted, sorter=order), known.size - 1)
        except TypeError:
            must = f"identifiers like {known[0]!r}"
            raise InvalidInput(f"{side}s", describe(names), must) from None
        at = order[found]
        return np.where(known[at] == wanted, at, -1)


def as_table(
    data: Any,
    *,
    row: Any = None,
    col: Any = None,
    value: Any = None,
    weights: Any = None,
    symmetric: bool | None = None,
) -> Table:
    """Read what a table with holes may be given as.

    Parameters
    ----------
    data : array with NaN, masked array, sparse matrix, DataFrame, or (rows, cols, values)
        A DataFrame of pandas, polars or another library, or an Arrow table.  It is long if it has
        the columns ``row``, ``col`` and ``value``, by these names or usual ones, and wide else;
        without an index a first column of words has the names of its rows.  Of a sparse matrix the
        entries that are stored are observed, zeros among them.
    row, col, value : str, optional
        Columns of a long DataFrame.
    weights : array or str, optional
        Reciprocal standard deviations, in the form of the values, or a column's name.
    symmetric : bool, optional
        By default a table is symmetric if it is square, its lines have the same names, all values
        at (i, j) and (j, i) agree, of which there must be three, and its diagonal is that of a
        positive semidefinite matrix, which is what a symmetric one is completed as.

    Raises
    ------
    InvalidInput
        For data of no such form, without an entry, or with infinite ones.
    """
    if isinstance(data, Table):
        return data
    frame = hasattr(data, "columns") and hasattr(data, "to_numpy")
    if frame or hasattr(data, "column_names"):
        parts = _frame(data, row, col, value, weights)
    elif isinstance(data, tuple) and len(data) == 3:
        parts = _long(*data, weights)
    else:
        parts = _array(data, weights)
    i, j, y, w, rows, cols, named = parts
    return _checked(i, j, y, w, rows, cols, named, symmetric)


def named_table(
    i: Int[np.ndarray, " m"],
    j: Int[np.ndarray, " m"],
    y: Float[np.ndarray, " m"],
    rows: Shaped[np.ndarray, " n1"],
    cols: Shaped[np.ndarray, " n2"],
    symmetric: bool | None = None,
) -> Table:
    """Return a table of entries by position, whose lines have names, entries or not."""
    return _checked(i, j, y, np.ones(y.size), rows, cols, True, symmetric)


def positioned_table(
    i: Any,
    j: Any,
    y: Float[np.ndarray, " m"],
    symmetric: bool | None = None,
    shape: tuple[int, int] | None = None,
    one_based: bool = False,
) -> Table:
    """Return a table of entries whose lines are positions, entries or not.

    Parameters
    ----------
    i, j : arrays of shape (m,)
    y : array of shape (m,)
    symmetric : bool, optional
    shape : (int, int), optional
        Sides; by default up to the last position.
    one_based : bool
        Whether positions count from one.

    Raises
    ------
    InvalidInput
        For positions that are no whole numbers, or outside.
    """
    sides, places = [], []
    for k, (name, given) in enumerate((("rows", i), ("cols", j))):
        at = np.asarray(given)
        if at.dtype.kind == "f" and np.all(at == np.floor(at)):
            at = at.astype(np.int64)
        if at.dtype.kind not in "iu" or at.shape != y.shape:
            must = "a whole number for each value"
            raise InvalidInput(name, describe(given), must, "--shape is for positions.")
        at = at.astype(np.int64) - int(one_based)
        side = int(at.max(initial=0)) + 1 if shape is None else int(shape[k])
        if at.size and not (at.min() >= 0 and at.max() < side):
            base = int(one_based)
            was = f"from {at.min() + base} to {at.max() + base}"
            raise InvalidInput(name, was, f"positions from {base} to {side - 1 + base}")
        sides.append(side)
        places.append(at)
    rows, cols = np.arange(sides[0]), np.arange(sides[1])
    w = np.ones(y.size)
    return _checked(places[0], places[1], y, w, rows, cols, False, symmetric)


def _frame(data: Any, row: Any, col: Any, value: Any, weights: Any) -> tuple:
    """Entries of a DataFrame of any library whose columns turn to NumPy, or of an Arrow table."""
    # pandas and polars have names in `columns`; an Arrow table has the columns themselves there.
    names = list(data.column_names if hasattr(data, "column_names") else data.columns)
    get = data.column if hasattr(data, "column_names") else data.__getitem__
    found = [_column(names, kind, given) for kind, given in
             (("row", row), ("col", col), ("value", value))]  # fmt: skip
    if all(name is not None for name in found):
        w = _numbers(get(weights).to_numpy()) if isinstance(weights, str) else weights
        rows, cols, values = (get(name).to_numpy() for name in found)
        return _long(rows, cols, values, w)
    given = [k for k in (row, col, value) if k is not None]
    if given:
        missing = ("row", "col", "value")[found.index(None)]
        must = f"a column, with {', '.join(map(repr, given))} beside it"
        raise InvalidInput(missing, "left out or unknown", must, f"The columns are {names}.")
    columns = [np.asarray(get(name).to_numpy()) for name in names]
    index = getattr(data, "index", None)
    rows = np.arange(len(columns[0]) if columns else 0) if index is None else np.asarray(index)
    if index is None and len(columns) > 1 and _words(columns[0]):
        rows, columns, names = columns[0].astype(str), columns[1:], names[1:]
        if np.unique(rows).size < rows.size:
            cure = "Say which columns have row, col and value of an entry."
            raise InvalidInput("data", "a frame of words that recur", "wide, or long", cure)
    try:
        whole = np.stack([_numbers(column) for column in columns], axis=1)
    except (TypeError, ValueError):
        was, must = "a frame with columns of words", "numbers, or row, col and value by name"
        raise InvalidInput("data", was, must, f"The columns are {names}.") from None
    i, j, y, w, _, _, _ = _array(whole, weights)
    return i, j, y, w, rows, np.asarray([str(name) for name in names]), True


def _words(column: np.ndarray) -> bool:
    """Whether a column has words."""
    return column.dtype.kind in "OU" and any(isinstance(cell, str) for cell in column)


def _numbers(given: Any) -> np.ndarray:
    """Floating numbers, with NaN for what a library writes where there is none."""
    if isinstance(given, np.ma.MaskedArray):
        given = np.where(np.ma.getmaskarray(given), np.nan, np.asarray(given.data, float))
    found = np.asarray(given)
    if found.dtype.kind == "O":
        # pandas' NA is neither a number nor equal to anything.
        cells = [np.nan if x is None or type(x).__name__ == "NAType" else x for x in found.flat]
        found = np.asarray(cells).reshape(found.shape)
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{found.dtype} are no numbers")
    return found.astype(np.float64)


def _column(names: list, kind: str, given: Any) -> Any:
    """Name of a column: the one that is given, or a usual one."""
    if given is not None:
        if given not in names:
            raise InvalidInput(kind, repr(given), f"one of the columns {names}")
        return given
    usual = [name for name in names if str(name).lower() in USUAL[kind]]
    return usual[0] if len(usual) == 1 else None


def _long(rows: Any, cols: Any, values: Any, weights: Any) -> tuple:
    """Entries by identifiers of their lines; of those that are repeated the weighted mean."""
    try:
        y = _numbers(values)
    except (TypeError, ValueError):
        y = np.zeros((0, 0))
    if y.ndim != 1:
        raise InvalidInput("values", describe(values), "numbers in a row, NaN for holes")
    ids = [_identifiers(name, part, y.size) for name, part in (("rows", rows), ("cols", cols))]
    w = np.ones(y.size) if weights is None else real_array("weights", weights, 1)
    if w.size != y.size:
        raise InvalidInput("weights", f"{w.size} numbers", f"{y.size}, one an entry")
    (left, i), (right, j) = (_numbered(part) for part in ids)
    return i, j, y, w, left, right, True


def _numbered(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Different identifiers, numbers in order and words as they first come; and which each is."""
    names, first, at = np.unique(ids, return_index=True, return_inverse=True)
    if ids.dtype.kind in "iuf":
        return names, at
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    return names[order], place[at]


def _identifiers(name: str, given: Any, m: int) -> np.ndarray:
    ids = np.asarray(given)
    if ids.dtype.kind == "O":
        ids = ids.astype(str)
    if ids.ndim != 1 or ids.size != m:
        raise InvalidInput(name, describe(given), f"one identifier for each of {m} values")
    return ids


def _array(data: Any, weights: Any) -> tuple:
    """Entries of a matrix by position: sparse, masked, or with NaN for holes."""
    if hasattr(data, "tocoo"):
        found = data.tocoo()
        i, j, y = found.row, found.col, np.asarray(found.data, float)
        shape = found.shape
    else:
        mask = np.ma.getmaskarray(data) if isinstance(data, np.ma.MaskedArray) else None
        try:
            whole = np.asarray(data.filled(np.nan) if mask is not None else data, float)
        except (TypeError, ValueError):
            must = "an array with NaN for holes, (rows, cols, values), or a DataFrame"
            raise InvalidInput("data", describe(data), must) from None
        if whole.ndim != 2:
            raise InvalidInput("data", describe(data), "a matrix, or (rows, cols, values)")
        i, j = np.nonzero(~np.isnan(whole))
        y, shape = whole[i, j], whole.shape
    w = np.ones(y.size) if weights is None else np.asarray(weights, float)[i, j]
    return i, j, y, w, np.arange(shape[0]), np.arange(shape[1]), False


def _checked(i, j, y, w, rows, cols, named: bool, symmetric: bool | None) -> Table:
    """Entries without holes, each once; symmetric ones above the diagonal."""
    kept = ~np.isnan(y) & (w > 0)
    i, j, y, w = i[kept], j[kept], y[kept], w[kept]
    if not y.size:
        raise InvalidInput("data", "without an entry", "a table with entries")
    if not (np.isfinite(y).all() and np.isfinite(w).all()):
        raise InvalidInput("data", "with infinite entries", "finite", "NaN marks a hole.")
    same = rows.size == cols.size and bool(np.all(rows == cols))
    if symmetric is None:
        symmetric = same and _mirrored(i, j, y) and _may_be_semidefinite(i, j, y, rows.size)
    if symmetric and not same:
        if not named:
            was = f"True for {rows.size} × {cols.size} lines"
            raise InvalidInput("symmetric", was, "True for a square table only")
        lines, at = _numbered(np.concatenate([rows, cols]))
        i, j = at[: rows.size][i], at[rows.size :][j]
        rows = cols = lines
    if symmetric:
        i, j = np.minimum(i, j), np.maximum(i, j)
    i, j, y, w = _merged(i, j, y, w, cols.size)
    return Table(i, j, y, w, rows, cols, symmetric, named)


def _mirrored(i: np.ndarray, j: np.ndarray, y: np.ndarray) -> bool:
    """Whether three pairs (i, j), (j, i) off the diagonal are given at the least, and all agree."""
    n = int(max(i.max(), j.max())) + 1
    upper, lower = i < j, i > j
    _, one, two = np.intersect1d(
        i[upper].astype(np.int64) * n + j[upper],
        j[lower].astype(np.int64) * n + i[lower],
        return_indices=True,
    )
    a, b = y[upper][one], y[lower][two]
    return bool(one.size >= 3 and np.allclose(a, b, rtol=1e-12, atol=0))


def _may_be_semidefinite(i: np.ndarray, j: np.ndarray, y: np.ndarray, n: int) -> bool:
    """Whether the diagonal is known for three lines and bounds what is beside it.

    Covariances and kernels pass; distances, with zeros there, do not, nor what has no diagonal:
    such tables are completed as rectangular ones, which may be indefinite.
    """
    diagonal = np.full(n, np.nan)
    diagonal[i[i == j]] = y[i == j]
    bound = diagonal[i] * diagonal[j]
    known = ~np.isnan(bound) & (i != j)
    if np.count_nonzero(~np.isnan(diagonal)) < 3 or np.nanmin(diagonal) < 0 or not known.any():
        return False
    # Noise oversteps it now and then.
    return float(np.mean(y[known] ** 2 <= bound[known] * (1 + NOISY))) >= MOSTLY


def _merged(i, j, y, w, n2: int) -> tuple:
    """Entries that are given more than once become their mean by precision."""
    key = i.astype(np.int64) * n2 + j
    names, inverse = np.unique(key, return_inverse=True)
    precision = np.bincount(inverse, w * w)
    mean = np.bincount(inverse, w * w * y) / precision
    return names // n2, names % n2, mean, np.sqrt(precision)
