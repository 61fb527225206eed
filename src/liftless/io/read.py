"""Named arrays out of ``.npz``, ``.mat`` and ``.csv`` files, nothing unpickled."""

import csv
import math
import os
import zipfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np

from liftless._checks import describe
from liftless._errors import InvalidInput
from liftless._memory import check_inflated
from liftless.io.hdf5 import is_hdf5, read_hdf5
from liftless.io.matlab import check_frame

#: How the head of an array is read, by its version.
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0}

#: Columns of a table of entries; the last may be left out.
CSV_COLUMNS = ("row", "col", "value", "weight")

#: Classes of MATLAB variables that hold no numbers; they are never loaded.
_NOT_ARRAYS = ("cell", "struct", "object", "function", "opaque", "unknown")

Arrays = dict[str, np.ndarray]


def read_arrays(path: str | os.PathLike, wanted: Collection[str]) -> tuple[Arrays, list[str]]:
    """Read the ``wanted`` arrays of a file.

    Parameters
    ----------
    path : path
        The suffix decides the format.
    wanted : collection of str
        Names to load; others are left alone.

    Returns
    -------
    arrays : dict
        Those of ``wanted`` that the file has.
    names : list of str
        Everything that the file has.

    Raises
    ------
    InvalidInput
        The file is missing, empty, damaged, or not what its suffix says.
    """
    path = Path(path)
    if path.is_dir():
        raise InvalidInput(str(path), "a directory", "a file")
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        must = f"a file in one of {', '.join(_READERS)}"
        raise InvalidInput(str(path), f"of unknown format {path.suffix!r}", must)
    if not path.exists():
        raise InvalidInput(str(path), "missing", "an existing file", "Check its name.")
    try:
        if path.stat().st_size == 0:
            raise InvalidInput(str(path), "empty", f"a {path.suffix} file with arrays")
        arrays, names = reader(path, wanted)
    except InvalidInput:
        raise
    except Exception as error:  # a damaged file can raise anything
        _damaged(path, error)
    for name, array in arrays.items():
        if array.dtype.kind in "OV":
            _refuse_objects(name)
    return arrays, names


def shown(names: Sequence[str], most: int = 12) -> str:
    """Return the names of a file's arrays in a few words."""
    short = [name if len(name) <= 40 else f"{name[:37]}..." for name in names[:most]]
    return ", ".join(short + ["..."] * (len(names) > most)) or "no arrays"


def _damaged(path: Path, error: Exception) -> NoReturn:
    text = " ".join(str(error).split()) or type(error).__name__
    was = f"not readable ({text if len(text) <= 100 else text[:97] + '...'})"
    cure = "It may be truncated or damaged, or another format under that name."
    raise InvalidInput(str(path), was, f"a whole {path.suffix} file", cure) from error


def _refuse_objects(name: str) -> NoReturn:
    cure = "Object arrays are not loaded, since unpickling can run code; store numbers."
    raise InvalidInput(name, "an array of objects", "an array of real numbers", cure)


def _read_npz(path: Path, wanted: Collection[str]) -> tuple[Arrays, list[str]]:
    if not zipfile.is_zipfile(path):
        raise ValueError("not a zip archive")
    check_inflated(str(path), _unpacked(path, wanted), path.stat().st_size)
    arrays = {}
    # NumPy leaves a file open that it finds damaged; a handle of our own is closed.
    with path.open("rb") as handle, np.load(handle, allow_pickle=False) as data:
        names = list(data.files)
        for name in wanted:
            if name not in names:
                continue
            try:
                arrays[name] = np.asarray(data[name])
            except ValueError as error:
                if "allow_pickle" in str(error):
                    _refuse_objects(name)
                raise
    return arrays, names


def _unpacked(path: Path, wanted: Collection[str]) -> int:
    """Bytes of the wanted arrays, by what each says of itself; no less than are unpacked for it."""
    total = 0
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.filename.removesuffix(".npy") not in wanted:
                continue
            with archive.open(info) as member:
                version = np.lib.format.read_magic(member)
                head = _HEADERS.get(version, np.lib.format.read_array_header_2_0)
                shape, _, dtype = head(member)
            total += max(info.file_size, math.prod(shape) * dtype.itemsize)
    return total


def _read_mat(path: Path, wanted: Collection[str]) -> tuple[Arrays, list[str]]:
    if is_hdf5(path):
        try:
            return read_hdf5(path, wanted)
        except (OSError, RuntimeError, KeyError) as error:
            was = f"not readable as a MATLAB v7.3 (HDF5) file ({str(error)[:80]})"
            cure = "It may be damaged; or save it with -v7 in MATLAB."
            raise InvalidInput(str(path), was, "a whole file", cure) from error
    check_frame(path)
    from scipy.io import loadmat, whosmat

    classes = {name: kind for name, _, kind in whosmat(path, appendmat=False)}
    present = [name for name in wanted if name in classes]
    for name in present:
        if classes[name] == "sparse":
            must, cure = "a full array", f"In MATLAB, store full({name})."
            raise InvalidInput(name, "a sparse matrix", must, cure)
        if classes[name] in _NOT_ARRAYS:
            _refuse_objects(name)
    data = loadmat(path, appendmat=False, variable_names=present) if present else {}
    return {name: np.asarray(data[name]) for name in present if name in data}, list(classes)


def _read_csv(path: Path, wanted: Collection[str]) -> tuple[Arrays, list[str]]:
    del wanted
    with path.open(encoding="utf-8-sig", newline="") as handle:
        lines = csv.reader(handle)
        columns = _csv_header(path, next(lines, []))
        table = [
            _csv_row(path, lines.line_num, line, columns)
            for line in lines
            if any(cell.strip() for cell in line)
        ]
    if not table:
        must = f"a table with a line for each entry: {', '.join(columns)}"
        raise InvalidInput(str(path), "without entries", must)
    values = np.array(table)
    rows, cols = values[:, columns.index("row")], values[:, columns.index("col")]
    arrays = {"rows": rows, "cols": cols, "values": values[:, columns.index("value")]}
    if "weight" in columns:
        arrays["weights"] = values[:, columns.index("weight")]
    return arrays, list(arrays)


def _csv_header(path: Path, header: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in header]
    known = len(set(columns)) == len(columns) and set(columns) <= set(CSV_COLUMNS)
    if not known or not set(CSV_COLUMNS[:3]) <= set(columns):
        was = f"a table headed {','.join(header)[:60]!r}"
        must = "headed row,col,value or row,col,value,weight"
        raise InvalidInput(str(path), was, must, "Add that line; positions count from zero.")
    return columns


def _csv_row(path: Path, number: int, line: list[str], columns: list[str]) -> list[float]:
    where = f"{path}, line {number}"
    if len(line) != len(columns):
        raise InvalidInput(where, f"{len(line)} cells long", f"{len(columns)} cells long")
    row = []
    for name, cell in zip(columns, line, strict=True):
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        position = name in ("row", "col")
        if not math.isfinite(value) or (position and (value < 0 or value != math.floor(value))):
            must = "a whole number >= 0" if position else "a finite number"
            raise InvalidInput(f"{where}, {name}", describe(cell), must)
        row.append(value)
    return row


_READERS: dict[str, Callable[[Path, Collection[str]], tuple[Arrays, list[str]]]] = {
    ".npz": _read_npz,
    ".mat": _read_mat,
    ".csv": _read_csv,
}

#: Formats of problems that can be read.
PROBLEM_SUFFIXES = tuple(_READERS)
