"""Entries laid out for message passing: lines in buckets by degree, messages in padded rows.

A line of the matrix (a row, or a column) sends one message along every entry on it.  Lines of about
as many entries are put in one bucket and padded to its width, so that all work is products of small
dense blocks: no scatter, and a few heavy lines do not widen the others.  Inside a bucket lines come
in chunks that stay in a processor's cache; on a graphics processor a bucket is one chunk.

A message goes from a slot of one side to a slot of the other; ``source`` says for every slot which
slot of the partner the message of the same entry comes from.
"""

from dataclasses import dataclass
from typing import Any

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int

from liftless._types import AnyArray

#: Slots of a chunk: with r = 10 some 200 kilobytes of messages.
CHUNK = 2048
#: Least number of chunks that a bucket of narrow lines has room for.
LEAST = 4
#: A bucket whose lines fit the next wider one for this share more slots is merged with it.
CHEAP = 0.1
#: Smallest width of a bucket; widths double up to the second number, then grow by halves.
NARROW, WIDE = 8, 64


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
        Variance of its noise relative to σ².
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


def widths(most: int) -> list[int]:
    """Widths of buckets up to one that holds ``most`` entries: 8, 16, 32, 64, 96, 128, 192, ..."""
    out = [NARROW]
    while out[-1] < most:
        k = out[-1]
        power = k & (k - 1) == 0
        out.append(2 * k if k < WIDE else (k * 3 // 2 if power else k * 4 // 3))
    return out


def rounded(k: int, digits: int = 4) -> int:
    """``k`` up to a number of few binary digits, so that like problems share compiled code."""
    zeros = max(0, k.bit_length() - digits)
    return -(-k >> zeros) << zeros


def planned(degree: Int[np.ndarray, " lines"], chunk: int = CHUNK) -> tuple[tuple, np.ndarray]:
    """Buckets for lines of so many entries, and the bucket of every line."""
    ladder = np.array(widths(int(degree.max(initial=1))))
    of = np.searchsorted(ladder, degree)
    count = np.bincount(of, minlength=ladder.size)
    total = float(count @ ladder)
    for k in range(ladder.size - 1):
        if 0 < count[k] * (ladder[k + 1] - ladder[k]) <= CHEAP * total:
            of[of == k] = k + 1
            count[k + 1] += count[k]
            count[k] = 0
    used = np.flatnonzero(count)
    shapes, line, slot = [], 0, 0
    for k in used:
        # The sizes do not follow the counts closely: draws of one kind shall share compiled code.
        # Padding costs memory and no time, since no chunk of it is ever looked at.
        height = min(max(1, chunk // int(ladder[k])), 1 << (degree.size - 1).bit_length())
        used_chunks = -(-int(count[k]) // height)
        many = rounded(used_chunks, 1 if used_chunks <= 16 else 3)
        if ladder[k] <= WIDE:
            many = max(LEAST, many)
        shapes.append((Bucket(int(ladder[k]), height, line, slot), used_chunks))
        line += many * height
        slot += many * height * int(ladder[k])
    return (tuple(shapes), line, slot), np.searchsorted(used, of)


def plan(index: Int[np.ndarray, " m"], lines: int, chunk: int = CHUNK) -> Plan:
    """Lay out a side whose entry k lies on line ``index[k]``."""
    degree = np.bincount(index, minlength=lines)
    (shapes, places, slots), of = planned(degree, chunk)
    place, first = np.empty(lines, np.int64), np.empty(lines, np.int64)
    for k, (bucket, _) in enumerate(shapes):
        members = np.flatnonzero(of == k)
        rank = np.arange(members.size)
        place[members] = bucket.line + rank
        first[members] = bucket.slot + rank * bucket.width
    order = np.argsort(index, kind="stable")
    begin = np.r_[0, np.cumsum(degree)[:-1]]
    slot = np.empty(index.size, np.int64)
    slot[order] = first[index[order]] + np.arange(index.size) - begin[index[order]]
    buckets = tuple(bucket for bucket, _ in shapes)
    chunks = np.array([number for _, number in shapes], np.int32)
    return Plan(buckets, chunks, place.astype(np.int32), slot, slots, places)


def side(
    of: Plan,
    partner: Int[np.ndarray, " m"],
    y: Float[np.ndarray, " m"],
    spread: Float[np.ndarray, " m"],
) -> Side:
    """Arrays of a side; ``partner`` has the partner's slot of every entry."""
    source = np.full(of.slots, -1, np.int32)
    source[of.slot] = partner
    values, noise = np.zeros(of.slots), np.ones(of.slots)
    values[of.slot], noise[of.slot] = y, spread
    lines = np.asarray(float(of.place.size))
    return Side(source, values, noise, of.chunks, lines, of.buckets)


def two_sides(
    rows: Any, cols: Any, n1: int, n2: int, y: Any, spread: Any, chunk: int = CHUNK
) -> tuple[tuple[Side, Side], tuple[Plan, Plan]]:
    """Rows and columns of a rectangular matrix, each the other's partner."""
    top, bottom = plan(rows, n1, chunk), plan(cols, n2, chunk)
    sides = side(top, bottom.slot, y, spread), side(bottom, top.slot, y, spread)
    return sides, (top, bottom)


def one_side(
    rows: Any, cols: Any, n: int, y: Any, spread: Any, chunk: int = CHUNK
) -> tuple[tuple[Side], tuple[Plan]]:
    """Lines of a symmetric matrix, their own partner: every entry off the diagonal twice."""
    m = rows.size
    both = plan(np.concatenate([rows, cols]), n, chunk)
    back = np.concatenate([both.slot[m:], both.slot[:m]])
    values, noise = np.concatenate([y, y]), np.concatenate([spread, spread])
    return (side(both, back, values, noise),), (both,)
