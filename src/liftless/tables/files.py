"""Tables in files: long and wide text, NumPy arrays, Matrix Market; and completed ones out.

Text is taken apart by the standard library's reader of comma-separated values.  A wide table has a
cell for every entry, and holes that are empty or say so; a long one has a line for each entry, its
row, its column and its value.
"""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from liftless._errors import InvalidInput
from liftless.io.write import atomic_write
from liftless.tables.completed import CompletedTable
from liftless.tables.formats import read_mat, read_parquet, write_parquet, write_view
from liftless.tables.table import USUAL, Table, as_table, named_table, positioned_table
from liftless.tables.view import TableView

#: Formats that are read, and those that are written.
READ = (".csv", ".tsv", ".txt", ".npy", ".mtx", ".mat", ".parquet")
WRITTEN = (".csv", ".npy", ".npz", ".mat", ".parquet")
#: What stands for a hole.
HOLES = {"", "na", "nan", "n/a", "null", "none", "?", "-", "."}
#: What stands over the names of the rows of a wide table, where anything does.
CORNERS = {"row", "rows", "name", "id", "index"}
#: Separators that are looked for, and lines by which one is told.
SEPARATORS, LINES = "\t;,|", 20
#: Bytes of a text file that are read.
BYTES = 2**30


def read_table(
    path: str | os.PathLike,
    *,
    row: str | None = None,
    col: str | None = None,
    value: str | None = None,
    separator: str | None = None,
    decimal: str = ".",
    symmetric: bool | None = None,
    shape: tuple[int, int] | None = None,
    one_based: bool = False,
) -> Table:
    """Read a table with holes.

    Parameters
    ----------
    path : path
        .csv, .tsv or .txt: long if the columns ``row``, ``col`` and ``value`` are given, or have
        usual names, or there are three columns (or four, the last of them left out) and two of them
        hold names or positions that recur; else wide.  .npy: a matrix with NaN for holes.  .mtx:
        stored entries are observed.  .mat (version 7.3: extra ``hdf5``): a matrix with NaN for
        holes, the one named ``value`` if there are several, or arrays rows, cols and values.
        .parquet (extra ``parquet``): long, or wide with the names of the rows first.
    row, col, value : str, optional
        Columns of a long table, by name, or by number from one where it has no heading.
    separator : str, optional
        By default the one that splits the first lines alike.
    decimal : {".", ","}
    symmetric : bool, optional
        As for :func:`liftless.complete`.
    shape : (int, int), optional
        Sides of a long table whose lines are positions, entries or not.
    one_based : bool
        Whether these positions count from one.

    Raises
    ------
    InvalidInput
        For a file that is no table.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in READ:
        raise InvalidInput("file", repr(str(path)), f"a file in one of {', '.join(READ)}")
    if decimal not in (".", ","):
        raise InvalidInput("decimal", repr(decimal), "'.' or ','")
    if kind == ".mat":
        return read_mat(path, symmetric, value, shape, one_based)
    if (shape is not None or one_based) and kind in (".npy", ".mtx", ".parquet"):
        option = "one_based" if shape is None else "shape"
        raise InvalidInput(option, f"given for a {kind} file", "left out", "It says so itself.")
    if kind == ".parquet":
        return read_parquet(path, symmetric, row=row, col=col, value=value)
    if kind == ".npy":
        return as_table(_npy(path), symmetric=symmetric)
    if kind == ".mtx":
        return as_table(_mtx(path), symmetric=symmetric)
    rows = _cells(path, separator)
    return _table(path, rows, (row, col, value), decimal, symmetric, (shape, one_based))


def _npy(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InvalidInput("file", f"{str(path)!r}: {error}", "an array of numbers") from None


def _mtx(path: Path) -> Any:
    from scipy.io import mmread

    try:
        found = mmread(path)
    except (ValueError, TypeError, OverflowError, StopIteration) as error:
        raise InvalidInput("file", f"{str(path)!r}: {error}", "a Matrix Market file") from None
    return found


def _cells(path: Path, separator: str | None) -> list[list[str]]:
    """Cells of the lines of a text file, blank lines left out."""
    if path.stat().st_size > BYTES:
        must = f"at most {BYTES >> 20} MiB"
        raise InvalidInput("file", f"of {path.stat().st_size >> 20} MiB", must, "Write a .npy.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput("file", f"{str(path)!r}, which is not UTF-8", "text in UTF-8") from None
    if "\0" in text:
        raise InvalidInput("file", f"{str(path)!r} with null bytes", "text in UTF-8")
    lines = text.splitlines()
    mark = separator or _separator(path, [line for line in lines if line.strip()][:LINES])
    try:
        if mark == " ":
            rows = [line.split() for line in lines]
        else:
            rows = list(csv.reader(lines, delimiter=mark))
    except (csv.Error, TypeError) as error:
        raise InvalidInput("file", f"{str(path)!r}: {error}", "a table") from None
    return [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]


def _separator(path: Path, lines: list[str]) -> str:
    """The separator that splits the first lines into as many cells each, at least two."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    best, most = None, 1
    for mark in SEPARATORS:
        try:
            counts = {len(row) for row in csv.reader(lines, delimiter=mark)}
        except csv.Error:
            continue
        if len(counts) == 1 and max(counts) > most:
            best, most = mark, max(counts)
    if best is None and lines:
        # None does: the one that the first line has, so that it can be told what is uneven.
        best = max(SEPARATORS, key=lines[0].count)
        best = best if best in lines[0] else None
    return best or " "


def _number(cell: str, decimal: str) -> float | None:
    """A cell as a number, NaN for a hole, None for anything else."""
    if cell.lower() in HOLES:
        return float("nan")
    try:
        return float(cell.replace(",", ".") if decimal == "," else cell)
    except ValueError:
        return None


def _table(
    path: Path,
    rows: list[list[str]],
    names: tuple[str | None, str | None, str | None],
    decimal: str,
    symmetric: bool | None,
    positions: tuple[tuple[int, int] | None, bool],
) -> Table:
    if not rows:
        raise InvalidInput("file", f"{str(path)!r} without a line", "a table")
    width = len(rows[0])
    for k, cells in enumerate(rows):
        if len(cells) != width:
            was = f"{str(path)!r}: line {k + 1} has {len(cells)} cells, the first {width}"
            cure = "Pass --separator, or --decimal ',' where commas are decimal."
            raise InvalidInput("file", was, "a table of even lines", cure)
    words = rows[0] if rows[0][0].lower() in CORNERS else rows[0][1:]
    heading = any(_number(cell, decimal) is None for cell in words) or (
        any(names) and not all(name is None or name.isdigit() for name in names)
    )
    body = rows[1:] if heading else rows
    if not body:
        raise InvalidInput("file", f"{str(path)!r} with nothing below its heading", "a table")
    places = _places(rows[0] if heading else [], width, names, body)
    if places is None:
        if any(positions):
            option = "one_based" if positions[0] is None else "shape"
            cure = "Name the columns with --row, --col and --value if this one is long."
            raise InvalidInput(option, "given for a wide table", "left out", cure)
        return _wide(path, rows, heading, decimal, symmetric)
    columns = [[cells[k] for cells in body] for k in places]
    y = [_number(cell, decimal) for cell in columns[2]]
    _all_numbers(path, y, columns[2], range(1 + heading, 1 + len(rows)))
    ids = [_identifiers(column) for column in columns[:2]]
    if any(positions):
        return positioned_table(ids[0], ids[1], np.asarray(y, float), symmetric, *positions)
    return as_table((*ids, np.asarray(y, float)), symmetric=symmetric)


def _places(heading: list[str], width: int, names: Any, body: list[list[str]]) -> list[int] | None:
    """Columns of rows, columns and values in a long table; None for a wide one."""
    lower = [name.lower() for name in heading]
    found: list[int | None] = []
    for kind, name in zip(("row", "col", "value"), names, strict=True):
        if name is None:
            usual = [k for k, word in enumerate(lower) if word.partition(":")[0] in USUAL[kind]]
            found.append(usual[0] if len(usual) == 1 else None)
        elif name in heading:
            found.append(heading.index(name))
        elif not heading and name.isdigit() and 1 <= int(name) <= width:
            found.append(int(name) - 1)
        else:
            must = f"one of the columns {heading}" if heading else f"a number from 1 to {width}"
            raise InvalidInput(kind, repr(name), must)
    if all(place is not None for place in found):
        return [place for place in found if place is not None]
    if any(names):
        missing = ("row", "col", "value")[found.index(None)]
        raise InvalidInput(missing, "left out", "given, as the others are", f"Pass --{missing}.")
    return [0, 1, 2] if width in (3, 4) and _looks_long(body) else None


def _looks_long(body: list[list[str]]) -> bool:
    """Whether the first two columns are lines of a table: no pair twice, but each many times."""
    pairs = {(cells[0], cells[1]) for cells in body}
    firsts = {cells[0] for cells in body}
    seconds = {cells[1] for cells in body}
    filled = all(cells[0] and cells[1] for cells in body)
    once = len(pairs) == len(body)
    return filled and once and 2 * max(len(firsts), len(seconds)) <= len(body)


def _identifiers(column: list[str]) -> np.ndarray:
    """Whole numbers where all of them are, else words."""
    try:
        return np.asarray([int(cell) for cell in column])
    except (ValueError, OverflowError):
        return np.asarray(column)


def _all_numbers(path: Path, y: list[float | None], cells: list[str], lines: Sequence[int]) -> None:
    """Refuse a cell that is no number, by the line of the file that it is in."""
    if None in y:
        k = y.index(None)
        was = f"{str(path)!r}: line {lines[k]} has {cells[k]!r}"
        cure = "Pass --decimal ',' where commas are decimal, or the names of the columns."
        raise InvalidInput("file", was, "a number, or empty for a hole", cure)


def _wide(
    path: Path, rows: list[list[str]], heading: bool, decimal: str, symmetric: bool | None
) -> Table:
    """A cell for every entry; names of the lines in the first line and column, where they are."""
    body = rows[1:] if heading else rows
    named = any(_number(cells[0], decimal) is None for cells in body) or (
        heading and (rows[0][0] == "" or rows[0][0].lower() in CORNERS)
    )
    start = int(named)
    cells = [line[start:] for line in body]
    values = [[_number(cell, decimal) for cell in line] for line in cells]
    for k, (line, given) in enumerate(zip(values, cells, strict=True)):
        _all_numbers(path, line, given, [1 + heading + k] * len(line))
    y = np.asarray(values, float)
    i, j = np.nonzero(~np.isnan(y))
    if not (heading or named):
        return as_table(y, symmetric=symmetric)
    left = [line[0] for line in body] if named else [str(k) for k in range(len(body))]
    right = rows[0][start:] if heading else [str(k) for k in range(y.shape[1])]
    for kind, words in (("row", left), ("column", right)):
        if len(set(words)) < len(words):
            twice = next(word for word in words if words.count(word) > 1)
            raise InvalidInput("file", f"{str(path)!r}: two {kind}s {twice!r}", "different names")
    return named_table(i, j, y[i, j], np.asarray(left), np.asarray(right), symmetric)


def write_completed(
    path: str | os.PathLike, done: CompletedTable | TableView, *, hdf5: bool = False
) -> None:
    """Write a completed table.

    Parameters
    ----------
    path : path
        .csv and .parquet: wide, with names if it has any.  .npy: the matrix.  .npz and .mat: all
        that a picture and a report need.  What the data leave open is empty in text, NaN else.
    done : CompletedTable or TableView
    hdf5 : bool
        Whether a .mat file is of version 7.3.
    """
    path = Path(path)
    view = done if isinstance(done, TableView) else TableView.of(done)
    kind = path.suffix.lower()
    if kind in (".npz", ".mat"):
        write_view(path, view, hdf5)
        return
    with atomic_write(path) as temporary:
        if kind == ".npy":
            np.save(temporary, view.matrix)
        elif kind == ".parquet":
            write_parquet(path, temporary, view)
        else:
            _write_text(temporary, view)


def _write_text(temporary: Path, view: TableView) -> None:
    with temporary.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        if view.named:
            writer.writerow(["row", *view.cols])
        for name, line in zip(view.rows, view.matrix, strict=True):
            cells = ["" if np.isnan(x) else repr(float(x)) for x in line]
            writer.writerow([name, *cells] if view.named else cells)
