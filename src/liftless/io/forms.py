"""How each kind of operator is stored as named arrays: one row of a table for each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from liftless._checks import describe, real_array
from liftless._errors import InvalidInput
from liftless._memory import check_order
from liftless.io.read import Arrays
from liftless.operators import (
    ComplexRankOneOperator,
    DenseOperator,
    DiagonalOperator,
    EntriesOperator,
    HermitianOperator,
    RankOneOperator,
    RectangularEntries,
    RectangularOperator,
    SensingOperator,
)
from liftless.operators.dense import packed_indices
from liftless.problem import Problem

#: Largest order of a matrix given by its entries: positions are stored as 32-bit integers.
LARGEST = 2**31 - 1

Built = tuple[SensingOperator, np.ndarray]


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


def whole(name: str, value: Any) -> int:
    """``value`` as one whole number, or :class:`InvalidInput`."""
    array = np.asarray(value).ravel()
    if array.size != 1 or array.dtype.kind not in "fiu" or not np.isfinite(array[0]):
        raise InvalidInput(name, describe(value), "one whole number")
    if array[0] != np.floor(array[0]):
        raise InvalidInput(name, f"{array[0]:g}", "a whole number")
    return int(array[0])


def _sides(arrays: Arrays) -> tuple[int, int]:
    sides = real_array("shape", arrays["shape"], 1)
    if sides.shape != (2,):
        raise InvalidInput("shape", describe(sides), "two numbers, (n, n) or (n1, n2)")
    n1, n2 = (whole("shape", side) for side in sides)
    if min(n1, n2) < 1 or max(n1, n2) > LARGEST:
        raise InvalidInput("shape", f"({n1}, {n2})", f"from 1 to {LARGEST}")
    return n1, n2


def _positions(arrays: Arrays) -> tuple[np.ndarray, np.ndarray]:
    base = whole("index_base", arrays["index_base"]) if "index_base" in arrays else 0
    if base not in (0, 1):
        raise InvalidInput("index_base", base, "0 or 1")
    # As floats: unsigned integers would wrap below zero.
    return (
        real_array("rows", arrays["rows"], 1) - base,
        real_array("cols", arrays["cols"], 1) - base,
    )


def _measured(arrays: Arrays, operator: EntriesOperator | RectangularEntries) -> np.ndarray:
    values = real_array("values", arrays["values"], 1)
    if values.shape != (operator.m,):
        raise InvalidInput("values", describe(values), f"as long as rows ({operator.m})")
    if "b" in arrays:
        raise InvalidInput("b", "given with entries", "left out", "Put the measurements in values.")
    return np.asarray(operator.weights) * values


def _build_entries(arrays: Arrays) -> Built:
    n, _ = _sides(arrays)
    check_order("shape", f"({n}, {n})", n, arrays["rows"].size)
    operator = EntriesOperator(*_positions(arrays), n, arrays.get("weights"))
    return operator, _measured(arrays, operator)


def _build_rectangular_entries(arrays: Arrays) -> Built:
    n1, n2 = _sides(arrays)
    if n1 + n2 > LARGEST:
        raise InvalidInput("shape", f"({n1}, {n2})", f"at most {LARGEST} in sum")
    check_order("shape", f"({n1}, {n2})", n1 + n2, arrays["rows"].size)
    operator = RectangularEntries(*_positions(arrays), n1, n2, arrays.get("weights"))
    return operator, _measured(arrays, operator)


def _store_entries(problem: Problem) -> Arrays:
    operator = cast(EntriesOperator | RectangularEntries, problem.operator)
    weights, b = np.asarray(operator.weights), np.asarray(problem.b)
    unseen = weights == 0
    if np.any(unseen & (b != 0)):
        where = int(np.flatnonzero(unseen & (b != 0))[0])
        raise InvalidInput("weights", f"0 at entry {where}, where b is not", "nonzero where b is")
    arrays = {
        "rows": np.asarray(operator.rows),
        "cols": np.asarray(operator.cols),
        "values": b / np.where(unseen, 1.0, weights),
        "shape": np.array(_shape(operator)),
    }
    return arrays if np.all(weights == 1) else arrays | {"weights": weights}


def _shape(operator: EntriesOperator | RectangularEntries) -> tuple[int, int]:
    if isinstance(operator, RectangularEntries):
        return operator.n1, operator.n2
    return operator.n, operator.n


def _store_rectangular(problem: Problem) -> Arrays:
    operator = cast(RectangularOperator, problem.operator)
    A = np.asarray(operator.packed).reshape(-1, operator.n1, operator.n2)
    return {"A": A, "b": np.asarray(problem.b)}


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


def _build_complex_rank_one(arrays: Arrays) -> Built:
    flag = whole("real", arrays["real"]) if "real" in arrays else 0
    if flag not in (0, 1):
        raise InvalidInput("real", flag, "0 or 1")
    return ComplexRankOneOperator(arrays["a"], real=bool(flag)), arrays["b"]


def _store_complex_rank_one(problem: Problem) -> Arrays:
    operator = cast(ComplexRankOneOperator, problem.operator)
    arrays = {"a": np.asarray(operator.a), "b": np.asarray(problem.b)}
    return arrays | {"real": np.asarray(1)} if operator.real else arrays


def _store_hermitian(problem: Problem) -> Arrays:
    operator = cast(HermitianOperator, problem.operator)
    packed, n = np.asarray(operator.packed), operator.order
    i, j = np.triu_indices(n, 1)
    A = np.zeros((operator.m, n, n), complex)
    A[:, i, j] = (packed[:, n : n + i.size] + 1j * packed[:, n + i.size :]) / 2
    A = A + A.conj().transpose(0, 2, 1)
    A[:, np.arange(n), np.arange(n)] = packed[:, :n]
    return {"A": A, "b": np.asarray(problem.b)}


#: Every kind of operator of a symmetric matrix that a file can hold.
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

#: The same for a rectangular matrix, by the kind whose arrays it shares.
RECTANGULAR_FORMS: dict[str, Form] = {
    "dense": Form(
        RectangularOperator,
        FORMS["dense"].arrays,
        FORMS["dense"].marks,
        lambda arrays: (RectangularOperator.from_matrices(arrays["A"]), arrays["b"]),
        _store_rectangular,
    ),
    "entries": Form(
        RectangularEntries,
        FORMS["entries"].arrays,
        FORMS["entries"].marks,
        _build_rectangular_entries,
        _store_entries,
        FORMS["entries"].optional,
    ),
}
#: The same for a Hermitian matrix, by the kind whose arrays it shares: there they are complex.
COMPLEX_FORMS: dict[str, Form] = {
    "dense": Form(
        HermitianOperator,
        FORMS["dense"].arrays,
        FORMS["dense"].marks,
        lambda arrays: (HermitianOperator.from_matrices(arrays["A"]), arrays["b"]),
        _store_hermitian,
    ),
    "rank-one": Form(
        ComplexRankOneOperator,
        FORMS["rank-one"].arrays,
        FORMS["rank-one"].marks,
        _build_complex_rank_one,
        _store_complex_rank_one,
        ("real",),
    ),
}
#: Arrays that only a rectangular problem may have.
RECTANGULAR_ONLY = ("balance", "U", "V")


def is_rectangular(kind: str, arrays: Arrays) -> bool:
    """Whether the arrays of a file are of a rectangular matrix: sides that differ, or a flag.

    Parameters
    ----------
    kind : str
        A key of :data:`FORMS`.
    arrays : dict
        With ``rectangular`` = 1 a square matrix is not taken to be symmetric.

    Raises
    ------
    InvalidInput
        A flag that contradicts the sides or the kind, or arrays that need it and lack it.
    """
    flag = whole("rectangular", arrays["rectangular"]) if "rectangular" in arrays else None
    if flag not in (None, 0, 1):
        raise InvalidInput("rectangular", flag, "0 or 1")
    if kind not in RECTANGULAR_FORMS and flag:
        known = " or ".join(RECTANGULAR_FORMS)
        raise InvalidInput("rectangular", f"1 with {kind} measurements", f"with {known} ones")
    sides = _given_sides(kind, arrays)
    differ = sides is not None and sides[0] != sides[1]
    if differ and flag == 0:
        raise InvalidInput("rectangular", f"0 with sides {sides}", "1 or left out")
    if not (differ or flag):
        extra = next((name for name in RECTANGULAR_ONLY if name in arrays), None)
        if extra is not None:
            cure = "Store rectangular = 1 if the matrix is square but not symmetric."
            raise InvalidInput(extra, "given with a symmetric matrix", "left out", cure)
    return bool(differ or flag)


def _given_sides(kind: str, arrays: Arrays) -> tuple[int, int] | None:
    """Sides of the matrix where the arrays are in order; what is not is refused on building."""
    if kind == "dense" and arrays["A"].ndim == 3:
        return arrays["A"].shape[1], arrays["A"].shape[2]
    return _sides(arrays) if kind == "entries" else None


def is_complex(kind: str, arrays: Arrays) -> bool:
    """Whether the arrays of a file are complex, so that the matrix is Hermitian.

    Raises
    ------
    InvalidInput
        Complex ones that are said to be rectangular, or a signal said to be real that needs no
        such word.
    """
    form = COMPLEX_FORMS.get(kind)
    complex_ = form is not None and arrays[form.marks[0]].dtype.kind == "c"
    if complex_ and "rectangular" in arrays and whole("rectangular", arrays["rectangular"]):
        mark = form.marks[0] if form is not None else kind
        raise InvalidInput("rectangular", f"1 with complex {mark}", "left out")
    if "real" in arrays and not (complex_ and form is not None and "real" in form.optional):
        must = "left out, or beside complex a of a signal that is real"
        raise InvalidInput("real", "given", must)
    return complex_
