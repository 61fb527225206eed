"""Operators cut by rows of the measurements, one part a device, all parts of one form.

A part keeps its class and its kernels.  Compiled code wants the same shapes on every device, so
parts are filled up with measurements of zero, which add nothing to a sum over all of them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from liftless._errors import InvalidInput
from liftless._precision import float64
from liftless.operators.base import SensingOperator, with_fields
from liftless.operators.coded import CodedDiffraction
from liftless.operators.complex_rank_one import ComplexRankOneOperator
from liftless.operators.compose import BY_ROWS
from liftless.operators.diagonal import DiagonalOperator
from liftless.operators.entries import EntriesOperator, ObservedEntries
from liftless.operators.lines import Half, Lines, sorted_lines
from liftless.operators.rank_one import RankOneOperator
from liftless.operators.rectangular import RectangularEntries
from liftless.operators.sparse import SparseOperator, of_entries
from liftless.operators.sparse_form import Entries

#: Classes whose arrays all have one row a measurement.
ROWS = (
    *(kind for kind in BY_ROWS if not issubclass(kind, ObservedEntries)),
    RankOneOperator,
    ComplexRankOneOperator,
    DiagonalOperator,
)
#: What can be cut.
KINDS = (*ROWS, EntriesOperator, RectangularEntries, SparseOperator, CodedDiffraction)


def unit(operator: SensingOperator) -> int:
    """Measurements that stay together: those of one mask, else one."""
    return operator.m // operator.masks.shape[0] if isinstance(operator, CodedDiffraction) else 1


def block(m: int, parts: int, together: int = 1) -> int:
    """Measurements of a part, the padding of the last ones included."""
    return -(-m // (parts * together)) * together


def cut(operator: SensingOperator, first: int, last: int, size: int) -> SensingOperator:
    """Measurements ``first`` to ``last``, and zeros up to ``size``; concrete."""
    last, first = min(last, operator.m), min(first, operator.m)
    if isinstance(operator, CodedDiffraction):
        each = unit(operator)
        masks = _rows(np.asarray(operator.masks), first // each, last // each, size // each)
        return with_fields(operator, masks=masks)
    if isinstance(operator, ObservedEntries):
        names = ("rows", "cols", "weights")
        fields = {k: _rows(np.asarray(getattr(operator, k)), first, last, size) for k in names}
        part = with_fields(operator, **fields, lines=None)
        one, other = part.ends
        return with_fields(part, lines=sorted_lines(one, other, part.n))
    if isinstance(operator, SparseOperator):
        return _sparse(operator, first, last, size)
    return jax.tree.map(lambda leaf: _rows(np.asarray(leaf), first, last, size), operator)


def _rows(array: np.ndarray, first: int, last: int, size: int) -> np.ndarray:
    part = array[first:last]
    if len(part) == size:
        return part
    return np.concatenate([part, np.zeros((size - len(part), *array.shape[1:]), array.dtype)])


def _sparse(operator: SparseOperator, first: int, last: int, size: int) -> SparseOperator:
    starts = np.asarray(operator.starts)
    e = slice(int(starts[first]), int(starts[last]))
    k, i, j, values = (np.asarray(getattr(operator, name))[e] for name in ("k", "i", "j", "values"))
    if not k.size:
        # A part needs an entry; this one is zero.
        k, i, values = np.full(1, first, k.dtype), np.zeros(1, i.dtype), np.zeros(1)
        j = i
    return of_entries(Entries(k - first, i, j, values), size, operator.form)


# -- one form for all ------------------------------------------------------------------------------


def sizes(part: SensingOperator) -> list[int]:
    """What must be agreed upon: lengths that depend on the data, and choices that do."""
    if isinstance(part, SparseOperator):
        lengths = [part.values.shape[0], part.row_k.shape[0], part.indices.shape[0]]
        return [*lengths, part.widest, int(part.places is not None), int(not part.single)]
    if isinstance(part, ObservedEntries) and part.lines is not None:
        return [int(half.order is not None) for half in (part.lines.first, part.lines.second)]
    return []


def alike(part: SensingOperator, most: Sequence[int]) -> SensingOperator:
    """A part in the form of all: every length and choice the largest of any part's."""
    if isinstance(part, SparseOperator):
        return _alike_sparse(part, most)
    if isinstance(part, ObservedEntries) and part.lines is not None:
        halves = (part.lines.first, part.lines.second)
        return with_fields(part, lines=Lines(*map(_ordered, halves, most)))
    return part


def _ordered(half: Half, wanted: int) -> Half:
    if half.order is not None or not wanted:
        return half
    return Half(half.pointers, half.others, np.arange(half.others.shape[0], dtype=np.int32))


def _alike_sparse(part: SparseOperator, most: Sequence[int]) -> SparseOperator:
    e, f, p, widest, placed, several = most

    def filled(array: Any, length: int, value: Any = 0) -> np.ndarray:
        return np.concatenate([array, np.full(length - len(array), value, array.dtype)])

    # Zeros at the end of the last measurement, and of the last row of the matrix.
    starts, indptr = np.array(part.starts), np.array(part.indptr)
    starts[-1], indptr[-1] = e, p
    places = part.places
    if placed:
        own = np.arange(part.indices.shape[0], dtype=np.int32)
        places = filled(own if places is None else np.asarray(places), f, p - 1)
    return with_fields(
        part,
        k=filled(np.asarray(part.k), e, part.m - 1),
        i=filled(np.asarray(part.i), e),
        j=filled(np.asarray(part.j), e),
        values=filled(np.asarray(part.values), e),
        starts=starts,
        row_k=filled(np.asarray(part.row_k), f),
        halves=filled(np.asarray(part.halves), f),
        places=places,
        indices=filled(np.asarray(part.indices), p),
        indptr=indptr,
        widest=widest,
        single=not several,
    )


# -- on the devices --------------------------------------------------------------------------------


def agreed(local: Sequence[Sequence[int]]) -> list[int]:
    """Largest of each number over the parts of all processes."""
    most = np.max(np.asarray(local, np.int64).reshape(len(local), -1), axis=0)
    if jax.process_count() > 1 and most.size:
        from jax.experimental.multihost_utils import process_allgather

        most = np.max(process_allgather(most), axis=0)
    return [int(k) for k in most]


def placed(parts: Sequence[SensingOperator], mesh: Mesh) -> Any:
    """Leaves of this process's parts, with those of the others, as arrays with an axis of parts."""
    form = NamedSharding(mesh, PartitionSpec(mesh.axis_names[0]))
    count = mesh.devices.size

    def one(*leaves: Any) -> jax.Array:
        local = leaves[0][None] if len(leaves) == 1 else np.stack(leaves)
        shape = (count, *local.shape[1:])
        return jax.make_array_from_process_local_data(form, local, shape)

    with float64():
        return jax.tree.map(one, *parts)


def own_numbers(mesh: Mesh) -> list[int]:
    """Numbers of the parts that are on this process's devices, in order."""
    here = jax.process_index()
    return [k for k, device in enumerate(mesh.devices.flat) if device.process_index == here]


def check_mesh(mesh: Any) -> Mesh:
    """Return a mesh of one axis, or :class:`InvalidInput`."""
    if not isinstance(mesh, Mesh) or len(mesh.axis_names) != 1:
        was = f"a mesh of axes {mesh.axis_names}" if isinstance(mesh, Mesh) else type(mesh).__name__
        cure = 'Write jax.sharding.Mesh(np.array(jax.devices()), ("m",)).'
        raise InvalidInput("mesh", was, "a jax.sharding.Mesh of one axis", cure)
    return mesh


Reader = Callable[[int, int], SensingOperator]
