"""What a table of entries leaves open: where positions begin, and whether the matrix is symmetric.

What can be told from the entries themselves is told; what cannot is asked for.
"""

import warnings

import numpy as np
from jaxtyping import Shaped

from liftless._checks import describe, real_array
from liftless._errors import InputWarning, InvalidInput
from liftless.io.read import Arrays

#: Pairs (i, j) and (j, i) from which on they are compared.
PAIRS = 3
#: Mean square of their difference, over that of two readings that have nothing in common (1): above
#: the first the matrix is not symmetric, below the second the two are one reading and round-off.
UNLIKE, ALIKE = 0.5, 1e-12

Column = Shaped[np.ndarray, " m"]


def with_options(
    arrays: Arrays,
    table: bool,
    shape: tuple[int, int] | None,
    rectangular: bool | None,
    index_base: int | None,
) -> Arrays:
    """Return the arrays of a file of entries with what the caller says and a table implies.

    Parameters
    ----------
    arrays : dict
    table : bool
        Whether the file has no shape of its own; it is then as large as its positions say.
    shape, rectangular, index_base
        In place of the file's own; None where nothing was said.

    Raises
    ------
    InvalidInput
        A table from whose positions it is not clear where they begin.
    """
    found = dict(arrays)
    for name, value in (("shape", shape), ("rectangular", rectangular), ("index_base", index_base)):
        if value is not None:
            found[name] = np.asarray(value, np.int64)
    if not table:
        return found
    rows, cols = (real_array(name, arrays[name], 1) for name in ("rows", "cols"))
    if "index_base" not in found and min(rows.min(), cols.min()) >= 1:
        cure = "Pass --index-base 1 if positions count from one, --index-base 0 if from zero."
        was = "left out of a table without row 0 and column 0"
        raise InvalidInput("index_base", was, "0 or 1", cure)
    if "shape" not in found:
        base = found.get("index_base", np.asarray(0))
        sides = np.array([rows.max(), cols.max()]) + 1 - base
        if not rectangular:
            sides = np.full(2, sides.max())
        found["shape"] = sides
    return found


def _warn_of_table(rows: Column, cols: Column) -> None:
    """Say how a table is read that does not look like one triangle, or all, of a square matrix."""
    sides = np.array([rows.max(), cols.max()]) + 1
    if sides[0] != sides[1] and np.any(rows > cols) and np.any(rows < cols):
        n = int(sides.max())
        warnings.warn(
            f"{int(sides[0])} rows and {int(sides[1])} columns are read as a symmetric matrix of "
            f"order {n}, where (i, j) and (j, i) are one entry; pass --rectangular if they are not",
            InputWarning,
            stacklevel=4,
        )


def check_symmetric(rows: Column, cols: Column, values: Column, table: bool) -> None:
    """Look whether entries (i, j) and (j, i) agree, as those of a symmetric matrix do.

    A ``table`` has no shape of its own, and one of unequal sides is warned of.

    Raises
    ------
    InvalidInput
        They have hardly more in common than any two entries; a noisy reading is only warned of.
    """
    order = int(max(rows.max(), cols.max())) + 1
    upper, lower = rows < cols, rows > cols
    keys = np.minimum(rows, cols).astype(np.int64) * order + np.maximum(rows, cols)
    shared, one, two = np.intersect1d(keys[upper], keys[lower], return_indices=True)
    x, y = values[upper][one], values[lower][two]
    spread = float(np.var(np.r_[x, y])) if shared.size >= PAIRS else 0.0
    unlike = float(np.mean((x - y) ** 2)) / (2 * spread) if spread > 0 else 0.0
    if unlike <= ALIKE:
        if table:
            _warn_of_table(rows, cols)
        return
    k = int(np.argmax(np.abs(x - y)))
    i, j = divmod(int(shared[k]), order)
    pair = f"({i}, {j}) = {x[k]:g} and ({j}, {i}) = {y[k]:g}"
    if unlike > UNLIKE:
        must = "given (1) for a matrix that is not symmetric"
        cure = "Pass --rectangular, or store rectangular = 1; 0 if these are noisy readings."
        raise InvalidInput("rectangular", f"left out, with entries {pair}", must, cure)
    warnings.warn(
        f"entries {pair} are taken for two readings of one entry of a symmetric matrix; pass "
        "--rectangular, or store rectangular = 1, if it is not symmetric",
        InputWarning,
        stacklevel=4,
    )


def refuse_options(kind: str, shape: object, index_base: object) -> None:
    """Refuse what only a file of entries has a use for."""
    for name, value in (("shape", shape), ("index_base", index_base)):
        if value is not None:
            raise InvalidInput(name, describe(value), f"left out with {kind} measurements")
