"""Tables in the binary formats of others: Parquet (extra ``parquet``) and MATLAB's."""

import importlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from liftless._errors import InvalidInput, needing
from liftless.io.read import read_arrays, shown
from liftless.io.write import write_arrays
from liftless.tables.table import Table, as_table, positioned_table
from liftless.tables.view import TableView

#: Names under which a MATLAB file has its table, where it has more than one matrix.
TABLES = ("data", "table", "X", "Y", "M", "given")
#: Names of the parts of a long table in a MATLAB file.
LONG = ("rows", "cols", "values")


def parquet() -> Any:
    """Import the reader of Parquet, or say how to get it."""
    with needing("pyarrow", "parquet", "installed for Parquet files"):
        return importlib.import_module("pyarrow.parquet")


def read_parquet(path: Path, symmetric: bool | None, **names: str | None) -> Table:
    """Read a long table, or a wide one whose first column may name the rows."""
    reader = parquet()
    try:
        found = reader.read_table(path)
    except (OSError, ValueError, NotImplementedError) as error:
        was = f"{str(path)!r}: {str(error)[:100]}"
        raise InvalidInput("file", was, "a whole Parquet file") from None
    return as_table(found, symmetric=symmetric, **names)


def read_mat(
    path: Path, symmetric: bool | None, name: str | None, shape: Any, one_based: bool
) -> Table:
    """Read a matrix with NaN for holes, or entries ``rows``, ``cols``, ``values``."""
    _, names = read_arrays(path, ())
    if set(LONG) <= set(names) and name is None:
        arrays, _ = read_arrays(path, LONG)
        i, j, y = (arrays[part].reshape(-1) for part in LONG)
        return positioned_table(i, j, y.astype(float), symmetric, shape, one_based)
    arrays, _ = read_arrays(path, _wanted(path, names, name))
    matrices = [part for part in arrays.values() if part.ndim == 2 and part.dtype.kind in "biuf"]
    if len(matrices) != 1:
        was = f"{str(path)!r} with {len(matrices)} matrices ({shown(names)})"
        raise InvalidInput("file", was, "a file with one", "Pass its name as --value.")
    return as_table(matrices[0].astype(float), symmetric=symmetric)


def _wanted(path: Path, names: Collection[str], name: str | None) -> list[str]:
    if name is not None:
        if name not in names:
            must = f"one of {shown(list(names))}"
            raise InvalidInput("value", f"{name!r}, which {str(path)!r} does not have", must)
        return [name]
    usual = [one for one in TABLES if one in names]
    return usual[:1] or list(names)


def write_parquet(path: Path, temporary: Path, view: TableView) -> None:
    """Write a wide table: a column ``row`` of the rows' names, if they have any, then one each."""
    writer = parquet()
    arrow = importlib.import_module("pyarrow")
    cols = [str(name) for name in view.cols]
    if len(set(cols)) < len(cols) or "row" in cols:
        was = f"{str(path)!r} for columns whose names are not apart, or 'row'"
        raise InvalidInput("out", was, "a .csv or .npz file")
    values = dict(zip(cols, view.matrix.T, strict=True))
    names = {"row": view.rows.astype(str)} if view.named else {}
    writer.write_table(arrow.table({**names, **values}), temporary)


def write_view(path: Path, view: TableView, hdf5: bool) -> None:
    """Write everything that a picture and a report need: .npz or .mat."""
    write_arrays(path, view.arrays(), hdf5=hdf5)
