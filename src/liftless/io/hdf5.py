"""MATLAB files of version 7.3, which are HDF5: numbers and text of the top level.

h5py is the extra ``hdf5``.  Links to other files, and data that are kept in them, are not followed.
"""

import importlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from liftless._errors import InvalidInput, needing
from liftless._memory import check_inflated

#: Bytes before the HDF5 part, and what stands in them: text, version 2.0 and the byte order.
BLOCK = 512
HEAD = b"MATLAB 7.3 MAT-file, written by liftless, HDF5 schema 1.00 ."
#: Classes of MATLAB by the kind of a NumPy type.
CLASSES = {
    "float64": "double",
    "float32": "single",
    "bool": "logical",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


def library() -> Any:
    """Import h5py, or say how to get it."""
    use, otherwise = "installed for MATLAB files of version 7.3", "; or save with -v7 in MATLAB."
    with needing("h5py", "hdf5", use, otherwise):
        return importlib.import_module("h5py")


def is_hdf5(path: Path) -> bool:
    """Whether a ``.mat`` file is of version 7.3."""
    with path.open("rb") as handle:
        return handle.read(128).startswith((b"MATLAB 7.3", b"\x89HDF"))


def read_hdf5(path: Path, wanted: Collection[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Arrays of those names that the file has, and all its names.

    Raises
    ------
    InvalidInput
        For a wanted variable that is no full array of numbers or text.
    """
    h5py = library()
    arrays: dict[str, np.ndarray] = {}
    with h5py.File(path, "r") as file:
        names = [name for name in file if not name.startswith("#")]
        found = {}
        for name in names:
            if name in wanted:
                found[name] = _dataset(h5py, file, name)
        total = sum(data.size * data.dtype.itemsize for data in found.values())
        check_inflated(str(path), total, path.stat().st_size)
        for name, data in found.items():
            arrays[name] = _array(data)
    return arrays, names


def _dataset(h5py: Any, file: Any, name: str) -> Any:
    was = None
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        was = "a link to another file"
    elif isinstance(file[name], h5py.Group):
        was = "a sparse matrix" if "MATLAB_sparse" in file[name].attrs else "a struct"
    elif file[name].is_virtual or file[name].external:
        was = "kept in another file"
    elif file[name].dtype.kind not in "biufV":
        was = "a cell or an object"
    if was is not None:
        cure = f"In MATLAB, store full({name})." if was == "a sparse matrix" else ""
        raise InvalidInput(name, was, "a full array of numbers", cure)
    return file[name]


def _array(data: Any) -> np.ndarray:
    """Numbers in MATLAB's order of axes, which HDF5 has reversed; text as one string."""
    if data.attrs.get("MATLAB_empty", 0):
        return np.zeros(tuple(int(side) for side in data[()].reshape(-1)))
    values = np.asarray(data[()])
    if values.dtype.names is not None:
        values = values[values.dtype.names[0]] + 1j * values[values.dtype.names[1]]
    kind = data.attrs.get("MATLAB_class", b"")
    values = values.T
    if kind == b"char":
        rows = np.atleast_2d(values)
        return np.array(["".join(map(chr, row)) for row in rows])
    return values.astype(bool) if kind == b"logical" else values


def write_hdf5(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write numbers and text as a MATLAB file of version 7.3."""
    h5py = library()
    with h5py.File(path, "w", userblock_size=BLOCK, libver="earliest") as file:
        for name, given in arrays.items():
            values = np.asarray(given)
            kind = "char" if values.dtype.kind == "U" else CLASSES.get(str(values.dtype), "double")
            if kind == "char":
                values = _characters(values)
            elif kind == "logical":
                values = values.astype(np.uint8)
            # MATLAB's arrays have two axes at the least, and vectors stand.
            whole = values.reshape(1, 1) if values.ndim == 0 else values
            whole = whole[:, None] if whole.ndim == 1 else whole
            _put(file, name, whole.T, kind)
    with path.open("rb+") as handle:
        handle.write(HEAD.ljust(116) + bytes(8) + b"\x00\x02IM")


def _put(file: Any, name: str, values: np.ndarray, kind: str) -> None:
    empty = values.size == 0
    if np.iscomplexobj(values):
        pair = np.empty(values.shape, [("real", "<f8"), ("imag", "<f8")])
        pair["real"], pair["imag"] = np.real(values), np.imag(values)
        values = pair
    if empty:
        values = np.array(values.shape[::-1], np.uint64)
    more = {} if values.size < 1000 else {"compression": "gzip", "compression_opts": 3}
    data = file.create_dataset(name, data=np.ascontiguousarray(values), **more)
    data.attrs["MATLAB_class"] = np.bytes_(kind)
    if empty:
        data.attrs["MATLAB_empty"] = np.uint8(1)
    if kind in ("char", "logical"):
        data.attrs["MATLAB_int_decode"] = np.int32(2 if kind == "char" else 1)


def _characters(words: np.ndarray) -> np.ndarray:
    """Text as rows of character codes, filled up with spaces."""
    flat = [str(word) for word in words.reshape(-1)] or [""]
    width = max(1, *map(len, flat))
    return np.array([[ord(c) for c in word.ljust(width)] for word in flat], np.uint16)
