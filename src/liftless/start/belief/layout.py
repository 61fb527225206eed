"""Entries laid out for message passing: lines in buckets by degree, messages in padded rows.

A line of the matrix (a row, or a column) sends one message along every entry on it.  Lines of about
as many entries are put in one bucket and padded to its width, so that all work is products of small
dense blocks: no scatter, and a few heavy lines do not widen the others.  Inside a bucket lines come
in chunks that stay in a processor's cache; on a graphics processor a bucket is one chunk.

A message goes from a slot of one side to a slot of the other; ``source`` says for every slot which
slot of the partner the message of the same entry comes from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int

from liftless._memory import aligned_zeros
from liftless._types import AnyArray
from liftless.operators.lines import by_counting

#: Slots of a chunk: with r = 10 some 200 kilobytes of messages.
CHUNK = 2048
#: Least number of chunks that a bucket of narrow lines has room for.
LEAST = 4
#: A bucket whose lines fit the next wider one for this share more slots is merged with it, or for
#: so many slots (and a third of those there are), whose sweeps take less time than compiling it.
CHEAP, COMPILED = 0.1, 250_000
#: Both sides have the same buckets where that makes the larger one no larger than by this factor,
#: or than so many slots.
ALIKE, FEW = 1.25, 1_000_000
#: Entries from which what is the same for all of them is stored once; fewer share compiled code.
MANY = 1_000_000
#: Smallest width of a bucket; widths double up to the second number, then grow by quarters.
NARROW, WIDE = 8, 64
#: Where nothing is compiled: slots whose sweeps take as long as one more bucket, and the number of
#: widths between a power of two and the next.
APART, STEPS = 400, 8


@dataclass(frozen=True)
class Bucket:
    """Where the lines of about one degree lie; all sizes are static.

    Attributes
    ----------
    width : int
        Slots of a line.
    height : int
        Lines of a chunk.
    line, slot : int
        First line and first slot, in the order of the side.
    """

    width: int
    height: int
    line: int
    slot: int


class Side(eqx.Module):
    """One side of the factor graph: its lines in the order of buckets, with padding.

    Attributes
    ----------
    source : integer array of shape (slots,)
        Slot of the partner that the message of an entry comes from; −1 where there is no entry.
    y : array of shape (slots,)
        Value of the entry.
    spread : array of shape (slots,)
        Variance of its noise relative to σ²; a single 1 for many entries that are all alike.
    chunks : integer array of shape (buckets,)
        How many chunks of each bucket there are; the rest is padding.
    lines : scalar
        Number of lines.
    buckets : tuple of Bucket
    """

    source: Int[AnyArray, " slots"]
    y: Float[AnyArray, " slots"]
    spread: Float[AnyArray, " slots"]
    chunks: Int[AnyArray, " buckets"]
    lines: Float[AnyArray, ""]
    buckets: tuple[Bucket, ...] = eqx.field(static=True)


@dataclass(frozen=True)
class Shapes:
    """Buckets that several sides have in common, and the bucket of every line.

    Attributes
    ----------
    buckets : tuple of Bucket
    chunks : integer array of shape (sides, buckets)
    of : tuple of integer arrays
        Bucket of every line of a side.
    slots, places : int
        Sizes of a side's arrays with padding.
    """

    buckets: tuple[Bucket, ...]
    chunks: Int[np.ndarray, "sides buckets"]
    of: tuple[Int[np.ndarray, " _"], ...]
    slots: int
    places: int


@dataclass(frozen=True)
class Plan:
    """Where the lines and the slots of a side go.

    Attributes
    ----------
    buckets, chunks
        As in :class:`Side`.
    place : integer array of shape (lines,)
        Place of every line in the order of buckets.
    slot : integer array of shape (m,)
        Slot of every entry.
    slots, places : int
        Sizes of the arrays with padding.
    """

    buckets: tuple[Bucket, ...]
    chunks: Int[np.ndarray, " buckets"]
    place: Int[np.ndarray, " lines"]
    slot: Int[np.ndarray, " m"]
    slots: int
    places: int


def widths(most: int, *, fine: bool = False) -> list[int]:
    """Widths of buckets up to one that holds ``most`` entries: 8, 16, 32, 64, 80, 96, 112, ..."""
    if fine:
        out = [1]
        while out[-1] < most:
            out.append(out[-1] + max(1, (1 << (out[-1].bit_length() - 1)) // STEPS))
        return out
    out = [NARROW]
    while out[-1] < most:
        k = out[-1]
        out.append(2 * k if k < WIDE else k + (1 << (k.bit_length() - 3)))
    return out


def rounded(k: int, digits: int = 4) -> int:
    """``k`` up to a number of few binary digits, so that like problems share compiled code."""
    zeros = max(0, k.bit_length() - digits)
    return -(-k >> zeros) << zeros


def planned(
    degrees: Sequence[Int[np.ndarray, " _"]], chunk: int = CHUNK, *, fine: bool = False
) -> Shapes:
    """Buckets that the lines of all sides share, so that one compiled half sweep serves them.

    Parameters
    ----------
    degrees : sequence of integer arrays
        Entries of every line, a side each.
    chunk : int
        Slots of a chunk.
    fine : bool
        Whether nothing is compiled, so that more buckets cost little: chunks of one line.
    """
    longest = max(int(degree.max(initial=1)) for degree in degrees)
    ladder = np.array(widths(longest, fine=fine))
    of = [np.searchsorted(ladder, degree) for degree in degrees]
    count = np.array([np.bincount(k, minlength=ladder.size) for k in of])
    total = float(count.sum(axis=0) @ ladder)
    worth = APART if fine else max(CHEAP * total, min(COMPILED, total / 3))
    chunk = 1 if fine else chunk
    for k in range(ladder.size - 1):
        if 0 < count[:, k].sum() * (ladder[k + 1] - ladder[k]) <= worth:
            for at in of:
                at[at == k] = k + 1
            count[:, k + 1] += count[:, k]
            count[:, k] = 0
    used = np.flatnonzero(count.sum(axis=0))
    most = max(degree.size for degree in degrees)
    buckets, chunks, line, slot = [], [], 0, 0
    for k in used:
        # The sizes do not follow the counts closely: draws of one kind shall share compiled code.
        # Padding costs memory and no time, since no chunk of it is ever looked at.
        height = min(max(1, chunk // int(ladder[k])), 1 << (most - 1).bit_length())
        needed = -(-count[:, k] // height)
        many = int(needed.max())
        many = rounded(many, 1 if many <= 16 else 3)
        if ladder[k] <= WIDE:
            many = max(LEAST, many)
        buckets.append(Bucket(int(ladder[k]), height, line, slot))
        chunks.append(needed)
        line += many * height
        slot += many * height * int(ladder[k])
    ordered = tuple(np.searchsorted(used, at) for at in of)
    return Shapes(tuple(buckets), np.array(chunks, np.int32).T, ordered, slot, line)


def plan(index: Int[np.ndarray, " m"], shapes: Shapes, which: int = 0) -> Plan:
    """Lay out the side number ``which``, whose entry k lies on line ``index[k]``."""
    of = shapes.of[which]
    lines = of.size
    degree = np.bincount(index, minlength=lines)
    place, first = np.empty(lines, np.int64), np.empty(lines, np.int64)
    for k, bucket in enumerate(shapes.buckets):
        members = np.flatnonzero(of == k)
        rank = np.arange(members.size)
        place[members] = bucket.line + rank
        first[members] = bucket.slot + rank * bucket.width
    order = by_counting(index, lines)
    begin = np.r_[0, np.cumsum(degree)[:-1]]
    slot = np.empty(index.size, np.int32)
    slot[order] = np.repeat(first - begin, degree) + np.arange(index.size)
    chunks = np.ascontiguousarray(shapes.chunks[which])
    return Plan(shapes.buckets, chunks, place.astype(np.int32), slot, shapes.slots, shapes.places)


def side(
    of: Plan,
    partner: Int[np.ndarray, " m"],
    y: Float[np.ndarray, " m"],
    spread: Float[np.ndarray, " m"],
) -> Side:
    """Arrays of a side; ``partner`` has the partner's slot of every entry."""
    source, values = aligned_zeros(of.slots, np.int32), aligned_zeros(of.slots)
    source[:] = -1
    source[of.slot], values[of.slot] = partner, y
    if y.size >= MANY and np.all(spread == 1):
        noise = np.ones(1)
    else:
        noise = np.ones(of.slots)
        noise[of.slot] = spread
    lines = np.asarray(float(of.place.size))
    return Side(source, values, noise, of.chunks, lines, of.buckets)


def two_sides(
    rows: Any,
    cols: Any,
    n1: int,
    n2: int,
    y: Any,
    spread: Any,
    chunk: int = CHUNK,
    *,
    fine: bool = False,
) -> tuple[tuple[Side, Side], tuple[Plan, Plan]]:
    """Rows and columns of a rectangular matrix, each the other's partner."""
    degrees = np.bincount(rows, minlength=n1), np.bincount(cols, minlength=n2)
    apart = [planned((degree,), chunk, fine=fine) for degree in degrees]
    both = apart[0] if fine else planned(degrees, chunk)
    if not fine and both.slots <= max(FEW, ALIKE * max(one.slots for one in apart)):
        top, bottom = plan(rows, both, 0), plan(cols, both, 1)
    else:
        top, bottom = plan(rows, apart[0]), plan(cols, apart[1])
    sides = side(top, bottom.slot, y, spread), side(bottom, top.slot, y, spread)
    return sides, (top, bottom)


def one_side(
    rows: Any, cols: Any, n: int, y: Any, spread: Any, chunk: int = CHUNK, *, fine: bool = False
) -> tuple[tuple[Side], tuple[Plan]]:
    """Lines of a symmetric matrix, their own partner: every entry off the diagonal twice."""
    m = rows.size
    ends = np.concatenate([rows, cols])
    both = plan(ends, planned((np.bincount(ends, minlength=n),), chunk, fine=fine))
    back = np.concatenate([both.slot[m:], both.slot[:m]])
    values, noise = np.concatenate([y, y]), np.concatenate([spread, spread])
    return (side(both, back, values, noise),), (both,)


def say(
    plan: Plan,
    mean: Float[np.ndarray, "places r"],
    out: Float[np.ndarray, "slots w"],
    which: slice = slice(None),
) -> None:
    """Make every message of a line its mean, or some numbers of it, in place."""
    r = mean.shape[1]
    for bucket in plan.buckets:
        stop = min((b.line for b in plan.buckets if b.line > bucket.line), default=None)
        rows = mean[bucket.line : stop, None, which]
        slots = out[bucket.slot : bucket.slot + len(rows) * bucket.width]
        slots.reshape(len(rows), bucket.width, -1)[:, :, :r][:, :, which] = rows


def places_of(plan: Plan, slots: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
    """Places of the lines that slots belong to."""
    starts = np.array([b.slot for b in plan.buckets])
    at = np.searchsorted(starts, slots, side="right") - 1
    width = np.array([b.width for b in plan.buckets])[at]
    first = np.array([b.line for b in plan.buckets])[at]
    return first + (slots - starts[at]) // width
