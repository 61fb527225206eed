"""Problems and factors as named arrays: one row of :data:`FORMS` for each kind of operator."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, factor, real_array
from liftless._errors import InvalidInput
from liftless.io.read import Arrays, read_arrays
from liftless.io.write import write_arrays
from liftless.losses import LOSSES, Loss
from liftless.operators import (
    DenseOperator,
    DiagonalOperator,
    EntriesOperator,
    RankOneOperator,
    SensingOperator,
)
from liftless.operators.dense import packed_indices
from liftless.problem import Problem

#: Arrays that MATLAB stores as a row or a column.
VECTORS = ("b", "rows", "cols", "values", "weights", "shape", "row_weights")
#: Arrays that any problem may have beside its operator.
OPTIONAL = ("row_weights", "loss", "rank", "truth")
#: Largest order of a matrix given by its entries: positions are stored as 32-bit integers.
LARGEST = 2**31 - 1

Built = tuple[SensingOperator, np.ndarray]


@dataclass(frozen=True)
class LoadedProblem:
    """A problem read from a file.

    Attributes
    ----------
    problem : Problem
    truth : array of shape (n, r) or None
        The factor to compare with, if the file has one.
    kind : str
        A key of :data:`FORMS`.
    """

    problem: Problem
    truth: Float[np.ndarray, "n r"] | None
    kind: str


@dataclass(frozen=True)
class Form:
    """How one kind of operator is stored.

    Parameters
    ----------
    operator : type
        The operator's class.
    arrays : tuple of str
        The arrays it needs.
    marks : tuple of str
        Those of them that only this kind has.
    build : callable
        Operator and measurements from the arrays.
    store : callable
        The arrays from a problem.
    optional : tuple of str
        Arrays it may have.
    """

    operator: type[SensingOperator]
    arrays: tuple[str, ...]
    marks: tuple[str, ...]
    build: Callable[[Arrays], Built]
    store: Callable[[Problem], Arrays]
    optional: tuple[str, ...] = ()


def load_problem(path: str | os.PathLike, rank: int | None = None) -> LoadedProblem:
    """Read a problem from ``.npz``, ``.mat`` or ``.csv``.

    Parameters
    ----------
    path : path
        A file with the arrays of exactly one of :data:`FORMS`: dense ``A`` and ``b``; rank-one
        ``a`` and ``b``; entries ``rows``, ``cols``, ``values`` and ``shape``, perhaps ``weights``,
        which multiply the residual; diagonal ``diag`` and ``b``.  In all of them ``row_weights``,
        ``loss``, ``rank`` and ``truth`` may be present.  Positions count from ``index_base``, 0
        if left out.  A ``.csv`` file has the columns row, col, value and perhaps weight.
    rank : int, optional
        Rank sought, in place of the file's.

    Returns
    -------
    LoadedProblem

    Raises
    ------
    InvalidInput
        For whatever cannot be used, by the name of the file or the array.
    """
    arrays, names = read_arrays(path, _WANTED)
    if Path(path).suffix.lower() == ".mat":
        arrays = {name: _from_matlab(name, array) for name, array in arrays.items()}
    kind = _kind(path, names)
    form = FORMS[kind]
    for name in form.arrays:
        if name not in arrays:
            was = f"missing from {path} (it has {', '.join(names)})"
            raise InvalidInput(name, was, f"present beside {form.marks[0]}")
    operator, b = form.build(arrays)
    problem = Problem(
        operator,
        b,
        _rank(arrays, rank),
        weights=_row_weights(arrays, operator.m),
        loss=_loss(arrays),
    )
    truth = arrays.get("truth")
    if truth is not None:
        truth = factor("truth", truth[:, None] if truth.ndim == 1 else truth, problem.n)
    return LoadedProblem(problem, truth, kind)


def save_problem(
    path: str | os.PathLike,
    problem: Problem,
    truth: Float[np.ndarray, "n r"] | None = None,
    extra: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write a problem that :func:`load_problem` reads back, to ``.npz`` or ``.mat``.

    Parameters
    ----------
    path : path
        Written whole or not at all.
    problem : Problem
    truth : array of shape (n, r), optional
    extra : dict of arrays, optional
        Further arrays, ignored on reading.

    Raises
    ------
    InvalidInput
        An operator, loss or regulariser that no file format here can hold.
    """
    form = next((f for f in FORMS.values() if type(problem.operator) is f.operator), None)
    if form is None:
        known = ", ".join(f.operator.__name__ for f in FORMS.values())
        raise InvalidInput("operator", type(problem.operator).__name__, f"one of {known}")
    if problem.regularisers:
        raise InvalidInput("regularisers", describe(problem.regularisers), "empty to be stored")
    if problem.loss.name not in LOSSES:
        raise InvalidInput("loss", repr(problem.loss.name), f"one of {', '.join(LOSSES)}")
    arrays = form.store(problem) | {"rank": np.asarray(problem.rank)}
    if problem.loss.name != "squared":
        arrays["loss"] = np.asarray(problem.loss.name)
    weights = np.asarray(problem.weights)
    if np.any(weights != 1):
        arrays["row_weights"] = weights
    if truth is not None:
        arrays["truth"] = factor("truth", truth, problem.n)
    write_arrays(path, arrays | dict(extra or {}))


def load_factor(path: str | os.PathLike) -> Float[np.ndarray, "n r"]:
    """Read the array ``factor`` (or ``X``) of an ``.npz`` or ``.mat`` file.

    Parameters
    ----------
    path : path
        A result, or any file with such an array.

    Returns
    -------
    array of shape (n, r)
        An array of one dimension is taken for one column.

    Raises
    ------
    InvalidInput
        No such array, or not a finite real one.
    """
    arrays, names = read_arrays(path, ("factor", "X"))
    if not arrays:
        was = f"missing from {path} (it has {', '.join(names) or 'no arrays'})"
        raise InvalidInput("factor", was, "present, of shape (n, r)")
    name = "factor" if "factor" in arrays else "X"
    array = arrays[name]
    return real_array(name, array[:, None] if array.ndim == 1 else array, 2)


# -- the kinds of operator ------------------------------------------------------------------------


def _build_entries(arrays: Arrays) -> Built:
    n = _order(arrays["shape"])
    base = _whole("index_base", arrays["index_base"]) if "index_base" in arrays else 0
    if base not in (0, 1):
        raise InvalidInput("index_base", base, "0 or 1")
    # As floats: unsigned integers would wrap below zero.
    rows, cols = (real_array(name, arrays[name], 1) - base for name in ("rows", "cols"))
    values = real_array("values", arrays["values"], 1)
    operator = EntriesOperator(rows, cols, n, arrays.get("weights"))
    if values.shape != (operator.m,):
        raise InvalidInput("values", describe(values), f"as long as rows ({operator.m})")
    if "b" in arrays:
        raise InvalidInput("b", "given with entries", "left out", "Put the measurements in values.")
    return operator, np.asarray(operator.weights) * values


def _order(shape: np.ndarray) -> int:
    sides = real_array("shape", shape, 1)
    if sides.shape != (2,):
        raise InvalidInput("shape", describe(sides), "two numbers, (n, n)")
    if sides[0] != sides[1]:
        cure = "Rectangular problems are not supported in this version."
        raise InvalidInput("shape", f"({sides[0]:g}, {sides[1]:g})", "square", cure)
    n = _whole("shape", sides[0])
    if not 1 <= n <= LARGEST:
        raise InvalidInput("shape", f"({n}, {n})", f"from 1 to {LARGEST}")
    return n


def _store_entries(problem: Problem) -> Arrays:
    operator = cast(EntriesOperator, problem.operator)
    weights, b = np.asarray(operator.weights), np.asarray(problem.b)
    unseen = weights == 0
    if np.any(unseen & (b != 0)):
        where = int(np.flatnonzero(unseen & (b != 0))[0])
        raise InvalidInput("weights", f"0 at entry {where}, where b is not", "nonzero where b is")
    arrays = {
        "rows": np.asarray(operator.rows),
        "cols": np.asarray(operator.cols),
        "values": b / np.where(unseen, 1.0, weights),
        "shape": np.array([operator.n, operator.n]),
    }
    return arrays if np.all(weights == 1) else arrays | {"weights": weights}


def _store_dense(problem: Problem) -> Arrays:
    operator = cast(DenseOperator, problem.operator)
    packed, n = np.asarray(operator.packed, np.float64), operator.n
    i, j = packed_indices(n)
    A = np.zeros((operator.m, n, n))
    A[:, i, j] = A[:, j, i] = packed * np.where(i == j, 1.0, 0.5)
    return {"A": A, "b": np.asarray(problem.b)}


def _store_rank_one(problem: Problem) -> Arrays:
    operator = cast(RankOneOperator, problem.operator)
    return {"a": np.asarray(operator.a), "b": np.asarray(problem.b)}


def _store_diagonal(problem: Problem) -> Arrays:
    operator = cast(DiagonalOperator, problem.operator)
    return {"diag": np.asarray(operator.diag), "b": np.asarray(problem.b)}


#: Every kind of operator that a file can hold.
FORMS: dict[str, Form] = {
    "dense": Form(
        DenseOperator,
        ("A", "b"),
        ("A",),
        lambda arrays: (DenseOperator.from_matrices(arrays["A"]), arrays["b"]),
        _store_dense,
    ),
    "rank-one": Form(
        RankOneOperator,
        ("a", "b"),
        ("a",),
        lambda arrays: (RankOneOperator(arrays["a"]), arrays["b"]),
        _store_rank_one,
    ),
    "entries": Form(
        EntriesOperator,
        ("rows", "cols", "values", "shape"),
        ("rows", "cols", "values"),
        _build_entries,
        _store_entries,
        ("weights", "index_base"),
    ),
    "diagonal": Form(
        DiagonalOperator,
        ("diag", "b"),
        ("diag",),
        lambda arrays: (DiagonalOperator(arrays["diag"]), arrays["b"]),
        _store_diagonal,
    ),
}
_WANTED = {
    *OPTIONAL,
    *(name for form in FORMS.values() for name in (*form.arrays, *form.optional)),
}


# -- pieces of a file -----------------------------------------------------------------------------


def _kind(path: str | os.PathLike, names: list[str]) -> str:
    kinds = [kind for kind, form in FORMS.items() if any(mark in names for mark in form.marks)]
    if len(kinds) == 1:
        return kinds[0]
    was = f"a file with {', '.join(names) or 'no arrays'}"
    expected = "; ".join(f"{', '.join(form.arrays)} ({kind})" for kind, form in FORMS.items())
    raise InvalidInput(str(path), was, f"a file with exactly one of: {expected}")


def _from_matlab(name: str, array: np.ndarray) -> np.ndarray:
    """Flatten the rows and columns in which MATLAB keeps its vectors."""
    return array.ravel() if name in VECTORS and array.ndim == 2 and 1 in array.shape else array


def _whole(name: str, value: Any) -> int:
    array = np.asarray(value).ravel()
    if array.size != 1 or array.dtype.kind not in "fiu" or not np.isfinite(array[0]):
        raise InvalidInput(name, describe(value), "one whole number")
    if array[0] != np.floor(array[0]):
        raise InvalidInput(name, f"{array[0]:g}", "a whole number")
    return int(array[0])


def _rank(arrays: Arrays, rank: int | None) -> int:
    if rank is not None:
        return rank
    if "rank" not in arrays:
        raise InvalidInput("rank", "missing", "given or stored in the file", "Pass --rank R.")
    return _whole("rank", arrays["rank"])


def _row_weights(arrays: Arrays, m: int) -> np.ndarray | None:
    if "row_weights" not in arrays:
        return None
    weights = real_array("row_weights", arrays["row_weights"], 1)
    if weights.shape != (m,):
        raise InvalidInput("row_weights", describe(weights), f"of shape ({m},)")
    if weights.min() < 0 or weights.max() == 0:
        was = f"from {weights.min():g} to {weights.max():g}"
        raise InvalidInput("row_weights", was, ">= 0 and not all zero")
    return weights


def _loss(arrays: Arrays) -> Loss | None:
    if "loss" not in arrays:
        return None
    array = arrays["loss"].ravel()
    name = array[0] if array.size == 1 else None
    name = name.decode("latin-1") if isinstance(name, bytes) else name
    if not isinstance(name, str) or name.strip() not in LOSSES:
        was = repr(str(name)) if isinstance(name, str) else describe(arrays["loss"])
        raise InvalidInput("loss", was, f"one of {', '.join(LOSSES)}")
    return LOSSES[name.strip()]
