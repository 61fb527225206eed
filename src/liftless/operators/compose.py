"""Operators made of operators: some of the measurements, multiples of them, several together.

Where the parts' own class can say it (entries with other weights, fewer rows of a matrix) the
result is of that class, with its kernels and its file format; else it is one of the three classes
of :mod:`liftless.operators.around`.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from liftless._checks import describe, real_array, real_number
from liftless._errors import InvalidInput
from liftless._precision import traced
from liftless.operators.around import JoinedOperator, RowsOperator, WeightedOperator
from liftless.operators.base import SensingOperator, with_fields
from liftless.operators.complex_rank_one import ComplexRankOneOperator
from liftless.operators.dense import DenseOperator
from liftless.operators.diagonal import DiagonalOperator
from liftless.operators.entries import EntriesOperator
from liftless.operators.hermitian import HermitianOperator
from liftless.operators.rank_one import RankOneOperator
from liftless.operators.rectangular import RectangularEntries, RectangularOperator
from liftless.operators.sparse import SparseOperator, entries_of, of_entries
from liftless.operators.sparse_form import Entries

#: Classes whose arrays have one row a measurement, and the array that the measurements are
#: proportional to.
BY_ROWS: dict[type[SensingOperator], str] = {
    DenseOperator: "packed",
    DiagonalOperator: "diag",
    EntriesOperator: "weights",
    HermitianOperator: "packed",
    RectangularEntries: "weights",
    RectangularOperator: "packed",
}
#: Classes of rows a_i, of which the measurements are squares.
SQUARES = (RankOneOperator, ComplexRankOneOperator)


# -- some of the measurements ---------------------------------------------------------------------


def chosen(op: SensingOperator, rows: Any) -> SensingOperator:
    """Operator of some measurements, ``op[rows]``.

    Parameters
    ----------
    op : SensingOperator
    rows : slice, boolean array of shape (m,) or integer array of shape (k,)
        Counted from zero, or negative from the end; in any order, and as often as they are named.

    Returns
    -------
    SensingOperator
        Of the same class where its data are rows.

    Raises
    ------
    InvalidInput
        Rows out of range, none at all, or a single number.
    """
    if traced(op, rows):
        part = op.subset(jnp.asarray(rows))
        return RowsOperator(op, jnp.asarray(rows)) if part is None else part
    index = _positions(rows, op.m)
    if isinstance(op, SparseOperator):
        return op.chosen(index)
    if type(op) in BY_ROWS or isinstance(op, SQUARES):
        return jax.tree.map(lambda leaf: np.asarray(leaf)[index], op)
    if isinstance(op, WeightedOperator):
        return weighted(chosen(op.inner, index), np.asarray(op.w)[index])
    if isinstance(op, RowsOperator):
        return RowsOperator(op.inner, np.asarray(op.rows)[index])
    if isinstance(op, JoinedOperator):
        return _chosen_of_parts(op, index)
    return RowsOperator(op, index)


def _positions(rows: Any, m: int) -> Int[np.ndarray, " k"]:
    must = f"a slice, a boolean array of shape ({m},) or a list of whole numbers"
    if isinstance(rows, slice):
        index = np.arange(m)[rows]
    else:
        array = np.asarray(rows)
        if array.ndim != 1 or (array.dtype.kind not in "iub" and array.size):
            cure = "Write op[k : k + 1] or op[[k]] for one row."
            raise InvalidInput("rows", describe(rows), must, cure)
        if array.dtype.kind == "b" and array.size != m:
            raise InvalidInput("rows", f"a boolean array of length {array.size}", f"of length {m}")
        index = np.flatnonzero(array) if array.dtype.kind == "b" else array.astype(np.int64)
    if not index.size:
        raise InvalidInput("rows", "empty", "at least one measurement")
    low, high = int(index.min()), int(index.max())
    if low < -m or high >= m:
        out = high if high >= m else low
        raise InvalidInput("rows", f"out of range ({out})", f"from {-m} to {m - 1}")
    return np.where(index < 0, index + m, index).astype(np.int32)


def _chosen_of_parts(op: "JoinedOperator", index: Int[np.ndarray, " k"]) -> SensingOperator:
    """Rows of each part, and their order on top if they are mixed."""
    ends = np.cumsum([0, *(part.m for part in op.parts)])
    part = np.searchsorted(ends, index, side="right") - 1
    order = np.argsort(part, kind="stable")
    some = [
        chosen(one, index[part == k] - ends[k])
        for k, one in enumerate(op.parts)
        if np.any(part == k)
    ]
    whole, back = stack(some), np.argsort(order)
    if np.all(np.diff(part) >= 0):
        return whole
    return RowsOperator(whole, back) if isinstance(whole, JoinedOperator) else chosen(whole, back)


# -- multiples ------------------------------------------------------------------------------------


def weighted(op: SensingOperator, w: Any) -> SensingOperator:
    """Operator of the measurements multiplied by ``w``, also written ``w * op``.

    Parameters
    ----------
    op : SensingOperator
    w : float or array of shape (m,)

    Returns
    -------
    SensingOperator
        Of the same class where that can carry the weights, in the precision it stores.

    Raises
    ------
    InvalidInput
        Weights that are not finite real numbers, or of another length.
    """
    if traced(op, w):
        return WeightedOperator(op, jnp.broadcast_to(w, (op.m,)))
    if np.ndim(w) == 0:
        w = np.full(op.m, real_number("w", w))
    w = real_array("w", w, 1)
    if w.shape != (op.m,):
        raise InvalidInput("w", describe(w), f"a number or of shape ({op.m},), one a measurement")
    if isinstance(op, SparseOperator):
        return op.scaled(w)
    name = BY_ROWS.get(type(op))
    if name is not None:
        data = np.asarray(getattr(op, name))
        multiple = data * w.astype(data.dtype).reshape(-1, *(1,) * (data.ndim - 1))
        return with_fields(op, **{name: multiple})
    if isinstance(op, SQUARES) and w.min() >= 0:
        return with_fields(op, a=np.asarray(op.a) * np.sqrt(w)[:, None])
    if isinstance(op, WeightedOperator):
        return weighted(op.inner, np.asarray(op.w) * w)
    return WeightedOperator(op, w)


# -- several together -----------------------------------------------------------------------------


def stack(operators: Sequence[SensingOperator]) -> SensingOperator:
    """Operator of the measurements of all, one after another.

    Parameters
    ----------
    operators : sequence of SensingOperator
        Of one space.

    Returns
    -------
    SensingOperator
        Neighbours of one class are joined into one of that class.

    Raises
    ------
    InvalidInput
        No operator, something else among them, or operators of different spaces.
    """
    given = [operators] if isinstance(operators, SensingOperator) else list(operators)
    if not given:
        raise InvalidInput("operators", "empty", "at least one operator")
    for k, op in enumerate(given):
        if not isinstance(op, SensingOperator):
            raise InvalidInput(f"operators[{k}]", describe(op), "a SensingOperator")
        if op.space != given[0].space:
            must = f"{given[0].space} as the first is"
            raise InvalidInput(f"operators[{k}]", f"of {op.space}", must)
    parts: list[SensingOperator] = []
    for op in given:
        for part in op.parts if isinstance(op, JoinedOperator) else (op,):
            whole = _together(parts[-1], part) if parts else None
            if whole is None:
                parts.append(part)
            else:
                parts[-1] = whole
    return parts[0] if len(parts) == 1 else JoinedOperator(tuple(parts))


def _together(one: SensingOperator, other: SensingOperator) -> SensingOperator | None:
    """One operator of the class that both are of, where that can hold the rows of both."""
    if type(one) is not type(other):
        return None
    if isinstance(one, SparseOperator) and isinstance(other, SparseOperator):
        pairs = zip(entries_of(one), entries_of(other), strict=True)
        k, i, j, values = (np.concatenate(pair) for pair in pairs)
        k[one.values.shape[0] :] += one.m
        return of_entries(Entries(k, i, j, values), one.m + other.m, one.form)
    if type(one) not in BY_ROWS and not isinstance(one, SQUARES):
        return None
    (mine, form), (theirs, other_form) = jax.tree.flatten(one), jax.tree.flatten(other)
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in zip(mine, theirs, strict=True)]
    if form != other_form or any(a.dtype != b.dtype for a, b in pairs):
        return None
    return jax.tree.unflatten(form, [np.concatenate(pair) for pair in pairs])
