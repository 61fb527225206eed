"""Problems and factors on disk, as named arrays."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from liftless._checks import describe, factor, real_array, real_number
from liftless._errors import InvalidInput
from liftless.io.entries import check_symmetric, refuse_options, with_options
from liftless.io.forms import (
    COMPLEX_FORMS,
    FORMS,
    RECTANGULAR_FORMS,
    RECTANGULAR_ONLY,
    is_complex,
    is_rectangular,
    whole,
)
from liftless.io.read import Arrays, read_arrays, shown
from liftless.io.write import write_arrays
from liftless.losses import LOSSES, Huber, Loss
from liftless.operators import EntriesOperator, SensingOperator, StackedOperator, stacked
from liftless.problem import Problem
from liftless.regularisers import Balance
from liftless.space import Hermitian, Rectangular, Space

#: Arrays that MATLAB stores as a row or a column.
VECTORS = ("b", "rows", "cols", "values", "weights", "shape", "row_weights")
#: Arrays that any problem may have beside its operator.
OPTIONAL = (
    "row_weights",
    "loss",
    "loss_scale",
    "rank",
    "truth",
    "rectangular",
    "real",
    *RECTANGULAR_ONLY,
)


@dataclass(frozen=True)
class LoadedProblem:
    """A problem read from a file.

    Attributes
    ----------
    problem : Problem
    truth : array of shape (n, r) or None
        The factor to compare with, if the file has one; [U; V] for a rectangular matrix.
    kind : str
        A key of :data:`FORMS`.
    """

    problem: Problem
    truth: Float[np.ndarray, "n r"] | None
    kind: str

    @property
    def label(self) -> str:
        """The kind in words, with the sides of a rectangular matrix."""
        space = self.problem.operator.space
        if not isinstance(space, Rectangular):
            return f"complex {self.kind}" if isinstance(space, Hermitian) else self.kind
        return f"rectangular {self.kind}, {space.n1} x {space.n2}"


def load_problem(
    path: str | os.PathLike,
    rank: int | None = None,
    *,
    shape: tuple[int, int] | None = None,
    rectangular: bool | None = None,
    index_base: int | None = None,
) -> LoadedProblem:
    """Read a problem from ``.npz``, ``.mat`` or ``.csv``.

    Parameters
    ----------
    path : path
        A file with the arrays of exactly one of :data:`FORMS`: dense ``A`` and ``b``; rank-one
        ``a`` and ``b``; entries ``rows``, ``cols``, ``values`` and ``shape``, perhaps ``weights``,
        which multiply the residual; diagonal ``diag`` and ``b``.  In all of them ``row_weights``,
        ``loss``, ``rank`` and ``truth`` may be present.  Positions count from ``index_base``, 0
        if left out.  A ``.csv`` file has the columns row, col, value and perhaps weight.

        Matrices ``A`` of shape (m, n1, n2), or a ``shape`` (n1, n2), make the matrix rectangular,
        U Vᵀ; with n1 = n2 the array ``rectangular`` = 1 does.  Its truth may be stored as ``U``
        and ``V``.  ``balance`` is the weight of :class:`liftless.Balance`, 0 for none and
        :meth:`liftless.Balance.natural` if left out.

        Complex ``a`` of shape (m, n), measured as |a_i* z|², and complex Hermitian ``A`` make the
        matrix complex and Hermitian, Z Z*; beside complex ``a`` the array ``real`` = 1 says that
        the signal is real.
    rank : int, optional
        Rank sought, in place of the file's.
    shape : (int, int), optional
        Sides of a matrix of which entries are given, in place of the file's; a table has none, and
        is taken to be as large as its positions say.
    rectangular : bool, optional
        Whether (i, j) and (j, i) are two entries, in place of the file's flag.  Where neither says
        so and the two clearly differ, the file is refused.
    index_base : {0, 1}, optional
        Where the positions of entries begin, in place of the file's.

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
    table = Path(path).suffix.lower() == ".csv"
    if kind == "entries":
        arrays = with_options(arrays, table, shape, rectangular, index_base)
    else:
        refuse_options(kind, shape, index_base)
        if rectangular is not None:
            arrays["rectangular"] = np.asarray(int(rectangular))
    for name in form.arrays:
        if name not in arrays:
            was = f"missing from {path} (it has {shown(names)})"
            raise InvalidInput(name, was, f"present beside {form.marks[0]}")
    if is_complex(kind, arrays):
        form = COMPLEX_FORMS[kind]
    elif is_rectangular(kind, arrays):
        form = RECTANGULAR_FORMS[kind]
    operator, b = form.build(arrays)
    if isinstance(operator, EntriesOperator) and "rectangular" not in arrays:
        values = real_array("values", arrays["values"], 1)
        rows, cols = np.asarray(operator.rows), np.asarray(operator.cols)
        check_symmetric(rows, cols, values, table and shape is None)
    weights, loss = _row_weights(arrays, operator.m), _loss(arrays)
    problem = Problem(
        operator,
        b,
        _rank(arrays, rank),
        weights=weights,
        loss=loss,
        regularisers=_balance(arrays, operator, weights, loss),
    )
    return LoadedProblem(problem, _truth(arrays, problem), kind)


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
    forms = [*FORMS.values(), *RECTANGULAR_FORMS.values(), *COMPLEX_FORMS.values()]
    form = next((f for f in forms if type(problem.operator) is f.operator), None)
    if form is None:
        known = ", ".join(f.operator.__name__ for f in forms)
        raise InvalidInput("operator", type(problem.operator).__name__, f"one of {known}")
    if problem.loss.name not in LOSSES:
        raise InvalidInput("loss", repr(problem.loss.name), f"one of {', '.join(LOSSES)}")
    arrays = form.store(problem) | {"rank": np.asarray(problem.rank)} | _stored_balance(problem)
    if problem.loss.name != "squared":
        arrays["loss"] = np.asarray(problem.loss.name)
    if isinstance(problem.loss, Huber):
        arrays["loss_scale"] = np.asarray(float(problem.loss.scale))
    weights = np.asarray(problem.weights)
    if np.any(weights != 1):
        arrays["row_weights"] = weights
    if truth is not None:
        stored, space = factor("truth", truth, problem.n), problem.operator.space
        if isinstance(space, Rectangular):
            arrays["U"], arrays["V"] = space.unpack(stored)
        else:
            arrays["truth"] = space.unpack(stored)
    write_arrays(path, arrays | dict(extra or {}))


def load_factor(path: str | os.PathLike, space: Space | None = None) -> Float[np.ndarray, "n r"]:
    """Read the array ``factor`` (or ``X``, or ``U`` and ``V``) of an ``.npz`` or ``.mat`` file.

    Parameters
    ----------
    path : path
        A result, or any file with such an array.
    space : Space, optional
        What the factor stands for; a complex one is taken where the space is Hermitian.

    Returns
    -------
    array of shape (n, r)
        An array of one dimension is taken for one column.

    Raises
    ------
    InvalidInput
        No such array, or not a finite real one.
    """
    arrays, names = read_arrays(path, ("factor", "X", "U", "V"))
    for name in ("factor", "X"):
        if name in arrays:
            found = _column(arrays[name])
            if found.dtype.kind == "c" and isinstance(space, Hermitian):
                return space.pack(found, name)
            return real_array(name, found, 2)
    if "U" in arrays and "V" in arrays:
        return stacked(_column(arrays["U"]), _column(arrays["V"]))
    was = f"missing from {path} (it has {shown(names)})"
    raise InvalidInput("factor", was, "present, of shape (n, r)")


_WANTED = {
    *OPTIONAL,
    *(name for form in FORMS.values() for name in (*form.arrays, *form.optional)),
}


# -- pieces of a file -----------------------------------------------------------------------------


def _kind(path: str | os.PathLike, names: list[str]) -> str:
    kinds = [kind for kind, form in FORMS.items() if any(mark in names for mark in form.marks)]
    if len(kinds) == 1:
        return kinds[0]
    was = f"a file with {shown(names)}"
    expected = "; ".join(f"{', '.join(form.arrays)} ({kind})" for kind, form in FORMS.items())
    raise InvalidInput(str(path), was, f"a file with exactly one of: {expected}")


def _from_matlab(name: str, array: np.ndarray) -> np.ndarray:
    """Flatten the rows and columns in which MATLAB keeps its vectors."""
    return array.ravel() if name in VECTORS and array.ndim == 2 and 1 in array.shape else array


def _column(array: np.ndarray) -> np.ndarray:
    return array[:, None] if array.ndim == 1 else array


def _truth(arrays: Arrays, problem: Problem) -> Float[np.ndarray, "n r"] | None:
    """Read the truth, whole or as the two factors of a rectangular matrix."""
    given = [name for name in ("U", "V") if name in arrays]
    if not given:
        truth = arrays.get("truth")
        space = problem.operator.space
        if truth is not None and isinstance(space, Hermitian):
            return space.pack(_column(truth), "truth")
        return None if truth is None else factor("truth", _column(truth), problem.n)
    if len(given) == 1:
        raise InvalidInput("V" if given == ["U"] else "U", "missing", f"present beside {given[0]}")
    if "truth" in arrays:
        raise InvalidInput("truth", "given beside U and V", "left out", "Store one of them.")
    space = problem.operator.space
    if not isinstance(space, Rectangular):
        raise InvalidInput("U", "given", "left out for a symmetric matrix", "Store truth instead.")
    return space.pack((_column(arrays["U"]), _column(arrays["V"])))


def _balance(
    arrays: Arrays, operator: SensingOperator, weights: np.ndarray | None, loss: Loss | None
) -> tuple[Balance, ...]:
    """Return the regulariser of a rectangular problem, none for another or at weight zero."""
    if not isinstance(operator, StackedOperator):
        return ()
    if "balance" not in arrays:
        return (Balance.natural(operator, weights, loss),)
    if arrays["balance"].size != 1:
        raise InvalidInput("balance", describe(arrays["balance"]), "one number >= 0")
    weight = real_number("balance", arrays["balance"].ravel()[0], least=0.0)
    return (Balance(operator.n1, weight),) if weight > 0 else ()


def _stored_balance(problem: Problem) -> Arrays:
    """Arrays that say a matrix is rectangular and how it is balanced; none for a symmetric one."""
    space = problem.operator.space
    if not isinstance(space, Rectangular):
        if problem.regularisers:
            raise InvalidInput("regularisers", describe(problem.regularisers), "empty to be stored")
        return {}
    weight = 0.0
    for one in problem.regularisers:
        if not isinstance(one, Balance) or one.split != space.n1 or len(problem.regularisers) > 1:
            must = f"empty or one Balance({space.n1}, ...) to be stored"
            raise InvalidInput("regularisers", describe(problem.regularisers), must)
        weight = float(one.weight)
    return {"rectangular": np.asarray(1), "balance": np.asarray(weight)}


def _rank(arrays: Arrays, rank: int | None) -> int:
    if rank is not None:
        return rank
    if "rank" not in arrays:
        raise InvalidInput("rank", "missing", "given or stored in the file", "Pass --rank R.")
    return whole("rank", arrays["rank"])


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
    loss = LOSSES[name.strip()]
    if "loss_scale" not in arrays:
        return loss
    if not isinstance(loss, Huber):
        raise InvalidInput("loss_scale", f"beside the {loss.name} loss", "with the huber loss only")
    scale = real_array("loss_scale", arrays["loss_scale"].ravel(), 1)
    if scale.size != 1:
        raise InvalidInput("loss_scale", describe(scale), "one number")
    return Huber(scale[0])
